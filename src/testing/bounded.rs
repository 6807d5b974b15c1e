//! Numbers that know how far off f32 may be: running error analysis.
//!
//! A [`Bounded`] is the f64 value of an evaluation with a bound of the error of the same computation in f32,
//! whatever its order of summation. Each operation adds two things (N. J. Higham, *Accuracy and Stability of
//! Numerical Algorithms*, 2nd ed., 2002, sections 2.2 and 3.3): what the operands' errors become, and its own
//! rounding. So a difference of nearly equal numbers keeps the errors of both, and an error in a state goes on
//! through the recurrence.
//!
//! Operands' errors are followed over their whole range, not by slopes: of a monotone function by its values at
//! both ends, of a product by the product of the ranges, of a comparison by asking whether it is decided.
//!
//! Sums. Kernels add in an order of their own: in lanes, in blocks, two products as one over the joined inner
//! axis. Any order of n terms is off by no more than `(n − 1) u ∑|term|`; so a sum carries the number and the
//! magnitudes of its terms until it is stored or read by something else than a sum. Adding sums of n and m terms
//! raises the bound by `u (m ∑|a| + n ∑|b|)`, which makes it `(n + m) u ∑` when each term has u of its own.

use crate::eqn::eval::number::Number;
use crate::eqn::eval::ops;
use crate::eqn::{Binary, Unary};

/// Half a unit in the last place of an f32 near 1: what one rounding adds, relatively.
const UNIT: f64 = 1.0 / (1u64 << 24) as f64;
/// Kernels may take numbers below this for 0.
const UNDERFLOW: f64 = f32::MIN_POSITIVE as f64;

/// Errors of functions in units in the last place, each of which is up to two [`UNIT`]s: as stated by
/// `codegen/math.rs` and, for those that are called, by libm.
mod ulps {
    pub const EXP: f64 = 2.0;
    pub const LOG: f64 = 2.0;
    pub const GATE: f64 = 4.0;
    pub const CALLED: f64 = 1.0;
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    value: f64,
    /// |value in f32 − value| is at most this; ∞ where nothing is known.
    error: f64,
    /// The magnitudes of the terms that it is the sum of.
    mass: f64,
    /// How many they are; none in an exact 0.
    terms: f64,
}

fn is_f32(x: f64) -> bool {
    f64::from(x as f32) == x
}

impl Bounded {
    /// The greatest error of the value in f32.
    pub fn error(self) -> f64 {
        self.error
    }

    /// No sum, with this error.
    fn new(value: f64, error: f64) -> Bounded {
        let error = if error.is_nan() || value.is_nan() { f64::INFINITY } else { error };
        let terms = if value == 0.0 && error == 0.0 { 0.0 } else { 1.0 };
        Bounded { value, error, mass: value.abs(), terms }
    }

    /// A result that is rounded once, to the nearest; `carried` is due to the operands.
    fn rounded(value: f64, carried: f64) -> Bounded {
        if carried == 0.0 && is_f32(value) {
            return Bounded::new(value, 0.0);
        }
        Bounded::inexact(value, carried, UNIT)
    }

    fn inexact(value: f64, carried: f64, relative: f64) -> Bounded {
        let most = value.abs() + carried;
        if most > f64::from(f32::MAX) {
            return Bounded::new(value, f64::INFINITY);
        }
        Bounded::new(value, carried + relative * most + UNDERFLOW)
    }

    fn is_exact(self) -> bool {
        self.error == 0.0
    }

    fn truth(holds: bool, is_decided: bool) -> Bounded {
        Bounded::new(f64::from(u8::from(holds)), if is_decided { 0.0 } else { 1.0 })
    }

    /// What the error makes of a function that is monotone, at least on either side of 0 where it is even.
    fn carried(self, f: impl Fn(f64) -> f64) -> f64 {
        if self.is_exact() {
            return 0.0;
        }
        let value = f(self.value);
        let change = |x: f64| {
            let there = f(x);
            if there == value { 0.0 } else { (there - value).abs() }
        };
        // f64::max would drop a NaN: a range that leaves the function's domain.
        let (below, above) = (change(self.value - self.error), change(self.value + self.error));
        if below.is_nan() || above.is_nan() { f64::INFINITY } else { below.max(above) }
    }

    /// A monotone function that is right to so many units in the last place.
    fn function(self, f: fn(f64) -> f64, ulps: f64) -> Bounded {
        let value = f(self.value);
        if value.is_infinite() && self.is_exact() || value == 0.0 && self.terms == 0.0 {
            return Bounded::new(value, 0.0);
        }
        Bounded::inexact(value, self.carried(f), 2.0 * ulps * UNIT)
    }

    /// Sine and cosine: slopes of at most 1.
    fn wave(self, f: fn(f64) -> f64) -> Bounded {
        let value = f(self.value);
        if self.value.abs() + self.error > f64::from(f32::MAX) {
            // In f32 it may be infinite, where a wave is no number.
            return Bounded::new(value, f64::INFINITY);
        }
        if value == 0.0 && self.terms == 0.0 {
            return self;
        }
        Bounded::inexact(value, self.error.min(2.0), 2.0 * ulps::CALLED * UNIT)
    }

    fn negative(self) -> Bounded {
        Bounded { value: -self.value, ..self }
    }

    fn less(self, other: Bounded) -> Bounded {
        self.add(other.negative())
    }

    fn over(self, other: Bounded) -> Bounded {
        let value = self.value / other.value;
        // The sign of a zero is that of no number: sums in another order may have the other one.
        if self.is_exact() && other.is_exact() && other.value != 0.0 {
            return Bounded::rounded(value, 0.0);
        }
        let least = other.value.abs() - other.error;
        if least <= 0.0 {
            return Bounded::new(value, f64::INFINITY);
        }
        Bounded::rounded(value, (self.error + value.abs() * other.error) / least)
    }

    fn power(self, exponent: Bounded) -> Bounded {
        let value = self.value.powf(exponent.value);
        let mut carried = 0.0f64;
        for p in [exponent.value - exponent.error, exponent.value + exponent.error] {
            let corner = self.carried(|x| x.powf(p));
            let along = (self.value.powf(p) - value).abs();
            carried = carried.max(corner + if exponent.is_exact() { 0.0 } else { along });
        }
        Bounded::inexact(value, carried, 2.0 * ulps::CALLED * UNIT)
    }

    fn compare(self, other: Bounded, holds: fn(f64, f64) -> bool) -> Bounded {
        let error = self.error + other.error;
        let is_decided = error == 0.0 || (self.value - other.value).abs() > error;
        Bounded::truth(holds(self.value, other.value), is_decided)
    }

    /// The one for which `sign` is 1 where it is greater, −1 where it is less.
    fn greater(self, other: Bounded, sign: f64) -> Bounded {
        let lead = sign * (self.value - other.value);
        let value = ops::binary(if sign > 0.0 { Binary::Max } else { Binary::Min })(self.value, other.value);
        let error = match self.error + other.error {
            // Infinities are exact, or their errors are infinite too.
            e if lead > e => self.error,
            e if -lead > e => other.error,
            _ => self.error.max(other.error),
        };
        Bounded::new(value, error)
    }

    fn remainder(self, other: Bounded) -> Bounded {
        let whole = Self::unary(Unary::Floor)(self.over(other));
        self.less(other.mul(whole)).stored()
    }

    /// Logic of two truth values: decided if no error can change it.
    fn logic(self, other: Bounded, f: fn(bool, bool) -> bool) -> Bounded {
        let holds = f(self.value != 0.0, other.value != 0.0);
        let mut is_decided = true;
        for a in [self.value != 0.0, (self.value != 0.0) == self.is_exact()] {
            for b in [other.value != 0.0, (other.value != 0.0) == other.is_exact()] {
                is_decided &= f(a, b) == holds;
            }
        }
        Bounded::truth(holds, is_decided)
    }
}

impl Number for Bounded {
    fn given(x: f64) -> Bounded {
        if is_f32(x) { Bounded::new(x, 0.0) } else { Bounded::rounded(x, 0.0) }
    }

    fn value(self) -> f64 {
        self.value
    }

    fn unary(kind: Unary) -> fn(Bounded) -> Bounded {
        match kind {
            Unary::Neg => Bounded::negative,
            Unary::Exp => |x| x.function(ops::unary(Unary::Exp), ulps::EXP),
            Unary::Log => |x| x.function(ops::unary(Unary::Log), ulps::LOG),
            Unary::Tanh => |x| x.function(ops::unary(Unary::Tanh), ulps::GATE),
            Unary::Sigmoid => |x| x.function(ops::unary(Unary::Sigmoid), ulps::GATE),
            Unary::LogSigmoid => |x| x.function(ops::unary(Unary::LogSigmoid), ulps::GATE),
            Unary::Softplus => |x| x.function(ops::unary(Unary::Softplus), ulps::GATE),
            Unary::Erf => |x| x.function(ops::unary(Unary::Erf), ulps::CALLED),
            Unary::Sin => |x| x.wave(f64::sin),
            Unary::Cos => |x| x.wave(f64::cos),
            Unary::Sqrt => |x| Bounded::rounded(x.value.sqrt(), x.carried(f64::sqrt)),
            Unary::Relu => |x| {
                let relu = ops::unary(Unary::Relu);
                Bounded::new(relu(x.value), x.carried(relu))
            },
            Unary::Sign => |x| {
                let sign = ops::unary(Unary::Sign);
                Bounded::new(sign(x.value), x.carried(sign))
            },
            Unary::Floor => |x| Bounded::new(x.value.floor(), x.carried(f64::floor)),
            Unary::Abs => |x| Bounded::new(x.value.abs(), x.error),
            Unary::StopGradient | Unary::ToReal => |x| x,
            Unary::Not => |x| Bounded::new(ops::unary(Unary::Not)(x.value), x.error),
        }
    }

    fn binary(kind: Binary) -> fn(Bounded, Bounded) -> Bounded {
        match kind {
            Binary::Add => Bounded::add,
            Binary::Sub => Bounded::less,
            Binary::Mul => Bounded::mul,
            Binary::Div => Bounded::over,
            Binary::Pow => Bounded::power,
            Binary::Max => |a, b| a.greater(b, 1.0),
            Binary::Min => |a, b| a.greater(b, -1.0),
            Binary::Mod => Bounded::remainder,
            Binary::Eq => |a, b| a.compare(b, |x, y| x == y),
            Binary::Ne => |a, b| a.compare(b, |x, y| x != y),
            Binary::Lt => |a, b| a.compare(b, |x, y| x < y),
            Binary::Le => |a, b| a.compare(b, |x, y| x <= y),
            Binary::And => |a, b| a.logic(b, |x, y| x && y),
            Binary::Or => |a, b| a.logic(b, |x, y| x || y),
            // An adjoint of 0 that is not certain to be 0 is a factor like any other.
            Binary::MulZero => |a, b| if a.terms == 0.0 { Bounded::new(0.0, 0.0) } else { a.mul(b) },
        }
    }

    fn add(self, other: Bounded) -> Bounded {
        if self.terms == 0.0 {
            return other;
        }
        if other.terms == 0.0 {
            return self;
        }
        let (value, carried) = (self.value + other.value, self.error + other.error);
        let (mass, terms) = (self.mass + other.mass, self.terms + other.terms);
        if carried == 0.0 && terms <= 2.0 && is_f32(value) {
            return Bounded { mass, terms, ..Bounded::new(value, 0.0) };
        }
        let most = (self.mass + self.error) * other.terms + (other.mass + other.error) * self.terms;
        let error = Bounded::new(value, carried + UNIT * most).error;
        Bounded { value, error, mass, terms }
    }

    fn mul(self, other: Bounded) -> Bounded {
        let (a, b) = (self.value.abs(), other.value.abs());
        let carried = match (self.is_exact(), other.is_exact()) {
            (true, true) => 0.0,
            _ => a * other.error + b * self.error + self.error * other.error,
        };
        Bounded::rounded(self.value * other.value, carried)
    }

    fn select(condition: Bounded, then: Bounded, otherwise: Bounded) -> Bounded {
        let holds = condition.value != 0.0;
        let (taken, other) = if holds { (then, otherwise) } else { (otherwise, then) };
        if condition.is_exact() {
            return taken;
        }
        let apart = (taken.value - other.value).abs();
        Bounded::new(taken.value, taken.error.max(apart + other.error))
    }

    fn stored(self) -> Bounded {
        Bounded::new(self.value, self.error)
    }

    fn chosen_by(self, index: Bounded) -> Bounded {
        if index.is_exact() { self } else { Bounded::new(self.value, f64::INFINITY) }
    }

    /// Another index is possible if its element may be the greatest.
    fn picked(index: usize, among: &[Bounded]) -> Bounded {
        let Some(best) = among.get(index) else { return Bounded::new(index as f64, 0.0) };
        let rival = |x: &Bounded| {
            let error = x.error + best.error;
            error > 0.0 && best.value - x.value <= error
        };
        let away = among.iter().enumerate().filter(|(i, x)| *i != index && rival(x));
        Bounded::new(index as f64, away.map(|(i, _)| i.abs_diff(index)).max().unwrap_or(0) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways, with what lies between them.
    fn check(f32_value: f32, bound: Bounded, most: f64) {
        let error = (f64::from(f32_value) - bound.value()).abs();
        assert!(error <= bound.error(), "off by {error:e}, bound {:e}", bound.error());
        assert!(bound.error() <= most, "{:e} says too little", bound.error());
    }

    fn number(i: u32) -> f32 {
        (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    #[test]
    fn a_sum_is_within_its_bound_in_any_order() {
        let numbers: Vec<f32> = (0..1000).map(number).collect();
        let bound = numbers.iter().fold(Bounded::given(0.0), |sum, x| sum.add(Bounded::given(f64::from(*x))));
        let forward: f32 = numbers.iter().sum();
        let backward: f32 = numbers.iter().rev().sum();
        let lanes: f32 = (0..8).map(|k| numbers.iter().skip(k).step_by(8).sum::<f32>()).sum();
        for sum in [forward, backward, lanes] {
            check(sum, bound, 1000.0 * 1000.0 * UNIT);
        }
        // Two sums added are one sum over both.
        let (a, b) = numbers.split_at(900);
        let part =
            |of: &[f32]| of.iter().fold(Bounded::given(0.0), |s, x| s.add(Bounded::given(f64::from(*x))));
        assert!((part(a).add(part(b)).error() / bound.error() - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_difference_keeps_the_errors_of_what_cancels() {
        let (x, y) = (1.0f32, 1.000_1f32);
        let one = |v: f32| Bounded::given(f64::from(v));
        let square = |v: Bounded| v.mul(v);
        let bound = square(one(y)).less(square(one(x)));
        check(y * y - x * x, bound, 4.0 * UNIT);
        assert!(bound.error() > 1e-4 * bound.value(), "it says how few digits are left");
    }

    #[test]
    fn what_f32_holds_is_exact() {
        let g = Bounded::given;
        for exact in [g(3.0).mul(g(0.25)), g(1.0).less(g(0.5)), g(3.0).over(g(4.0)), g(7.0).remainder(g(2.0))]
        {
            assert_eq!(exact.error(), 0.0, "{exact:?}");
        }
        assert!(g(1.0).over(g(3.0)).error() > 0.0 && g(0.1).error() > 0.0);
    }

    #[test]
    fn a_comparison_that_rounding_decides_is_unknown() {
        let g = Bounded::given;
        let lt = Bounded::binary(Binary::Lt);
        let third = g(1.0).over(g(3.0));
        assert_eq!(lt(third, g(0.5)).error(), 0.0);
        let close = lt(third, third.mul(g(1.0)).add(g(1e-9)));
        assert_eq!(close.error(), 1.0);
        let either = Bounded::select(close, g(2.0), g(5.0));
        assert_eq!((either.value(), either.error()), (2.0, 3.0));
        assert_eq!(Bounded::binary(Binary::And)(close, g(0.0)).error(), 0.0);
        assert_eq!(Bounded::binary(Binary::And)(close, g(1.0)).error(), 1.0);
        assert_eq!(Bounded::picked(1, &[third, third.add(g(1e-9))]).error(), 1.0);
        assert_eq!(Bounded::picked(1, &[g(0.0), third]).error(), 0.0);
    }

    #[test]
    fn functions_in_f32_are_within_their_bounds() {
        use crate::runtime::interpret;
        for kind in Unary::ALL.into_iter().filter(|k| !matches!(k, Unary::Not | Unary::StopGradient)) {
            for i in 0..500 {
                let (x, y) = (3.0 * number(i), number(i + 500));
                // An operand with an error of its own.
                let product = Bounded::given(f64::from(x)).mul(Bounded::given(f64::from(y)));
                let bound = Bounded::unary(kind)(product);
                if bound.error().is_finite() {
                    check(interpret::unary(kind, x * y), bound, 2.0);
                }
            }
        }
        for kind in [Binary::Pow, Binary::Max, Binary::Min, Binary::Div, Binary::Mod, Binary::MulZero] {
            for i in 0..500 {
                let (x, y, z) = (2.5 + number(i), number(i + 500), 1.5 + number(i + 1000));
                let product = Bounded::given(f64::from(x)).mul(Bounded::given(f64::from(z)));
                let bound = Bounded::binary(kind)(product, Bounded::given(f64::from(y)));
                if bound.error().is_finite() {
                    check(interpret::binary(kind, x * z, y), bound, f64::INFINITY);
                }
            }
        }
    }
}
