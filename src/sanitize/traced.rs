//! Numbers that know where they went wrong.
//!
//! A [`Traced`] is a number in the precision of the run that is looked into, and beside it, if it is NaN or infinite, the
//! event that made it so. An operation hands its operands' event on; where a number goes wrong although no operand was, the
//! result is marked as new, and whoever watches the evaluation gives it an event. So what was selected away, or what an
//! infinity was divided by, leaves no trace.
//!
//! An infinity that the author wrote (`inf` in a mask, the maximum of nothing) is meant. It is traced as well, but what
//! is made of it is a fault only once it is NaN.

use crate::eqn::eval::number::Number;
use crate::eqn::eval::ops;
use crate::eqn::{Binary, Unary};
use crate::runtime::interpret;

/// What a number has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// It is finite.
    Fine,
    /// It went wrong at this event.
    Event(u32),
    /// It went wrong in the operation at hand.
    New,
    /// It is infinite since this event, which is no fault.
    Meant(u32),
    /// It is infinite as the operation at hand wants it.
    NewMeant,
}

/// The arithmetic of a precision.
pub trait Precision: Copy + PartialEq + 'static {
    fn of(x: f64) -> Self;
    fn wide(self) -> f64;
    fn is_finite(self) -> bool;
    fn is_nan(self) -> bool;
    fn unary(kind: Unary, x: Self) -> Self;
    fn binary(kind: Binary, a: Self, b: Self) -> Self;
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
}

/// As kernels compute: in f32, with 0 for what is too small for its normal range.
impl Precision for f32 {
    fn of(x: f64) -> f32 {
        flushed(x as f32)
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }

    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }

    fn unary(kind: Unary, x: f32) -> f32 {
        flushed(interpret::unary(kind, x))
    }

    fn binary(kind: Binary, a: f32, b: f32) -> f32 {
        flushed(interpret::binary(kind, a, b))
    }

    fn add(self, other: f32) -> f32 {
        flushed(self + other)
    }

    fn mul(self, other: f32) -> f32 {
        flushed(self * other)
    }
}

impl Precision for f64 {
    fn of(x: f64) -> f64 {
        x
    }

    fn wide(self) -> f64 {
        self
    }

    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }

    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }

    fn unary(kind: Unary, x: f64) -> f64 {
        ops::unary(kind)(x)
    }

    fn binary(kind: Binary, a: f64, b: f64) -> f64 {
        ops::binary(kind)(a, b)
    }

    fn add(self, other: f64) -> f64 {
        self + other
    }

    fn mul(self, other: f64) -> f64 {
        self * other
    }
}

fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0.0 } else { x }
}

#[derive(Clone, Copy, Debug)]
pub struct Traced<P> {
    pub value: P,
    pub origin: Origin,
}

impl<P: Precision> Traced<P> {
    /// The result of an operation.
    fn of(value: P, operands: &[Traced<P>]) -> Traced<P> {
        let origin = if value.is_finite() { Origin::Fine } else { inherited(value, operands) };
        Traced { value, origin }
    }

    fn apply(self, kind: Unary) -> Traced<P> {
        Traced::of(P::unary(kind, self.value), &[self])
    }

    fn with(self, kind: Binary, other: Traced<P>) -> Traced<P> {
        Traced::of(P::binary(kind, self.value, other.value), &[self, other])
    }
}

/// What is to blame for a result that is not finite. Faults before what was meant, the earlier before the later.
fn inherited<P: Precision>(value: P, operands: &[Traced<P>]) -> Origin {
    let wrong = operands.iter().map(|x| x.origin).filter(|o| *o != Origin::Fine).min();
    match wrong {
        Some(fault @ (Origin::Event(_) | Origin::New)) => fault,
        // ∞ − ∞ of infinities that were meant is none of them.
        Some(meant) if !value.is_nan() => meant,
        _ => Origin::New,
    }
}

/// A function of one operand for each kind of operation.
macro_rules! unary {
    ($kind:expr, $($name:ident)*) => { match $kind { $(Unary::$name => |x| x.apply(Unary::$name),)* } };
}

/// The same of two.
macro_rules! binary {
    ($kind:expr, $($name:ident)*) => { match $kind { $(Binary::$name => |a, b| a.with(Binary::$name, b),)* } };
}

impl<P: Precision> Number for Traced<P> {
    fn given(x: f64) -> Traced<P> {
        let value = P::of(x);
        let origin = match (value.is_finite(), x.is_infinite()) {
            (true, _) => Origin::Fine,
            (false, true) => Origin::NewMeant,
            // NaN, or a number beyond the precision.
            (false, false) => Origin::New,
        };
        Traced { value, origin }
    }

    fn value(self) -> f64 {
        self.value.wide()
    }

    fn unary(kind: Unary) -> fn(Traced<P>) -> Traced<P> {
        unary!(kind, Neg Exp Log Tanh Sigmoid Relu Sqrt Abs Sign Sin Cos Floor Erf LogSigmoid Softplus StopGradient Not ToReal)
    }

    fn binary(kind: Binary) -> fn(Traced<P>, Traced<P>) -> Traced<P> {
        binary!(kind, Add Sub Mul Div Pow Max Min Mod Eq Ne Lt Le And Or MulZero)
    }

    fn add(self, other: Traced<P>) -> Traced<P> {
        Traced::of(self.value.add(other.value), &[self, other])
    }

    fn mul(self, other: Traced<P>) -> Traced<P> {
        Traced::of(self.value.mul(other.value), &[self, other])
    }

    fn select(condition: Traced<P>, then: Traced<P>, otherwise: Traced<P>) -> Traced<P> {
        if condition.value.wide() != 0.0 { then } else { otherwise }
    }

    fn stored(self) -> Traced<P> {
        self
    }

    fn chosen_by(self, _: Traced<P>) -> Traced<P> {
        self
    }

    fn picked(index: usize, _: &[Traced<P>]) -> Traced<P> {
        Traced { value: P::of(index as f64), origin: Origin::Fine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, origin: Origin) -> Traced<f32> {
        Traced { value: x, origin }
    }

    #[test]
    fn a_fault_is_handed_on_and_a_new_one_is_marked() {
        let one = at(1.0, Origin::Fine);
        let huge = at(3e38, Origin::Fine);
        assert_eq!(huge.add(huge).origin, Origin::New);
        let wrong = at(f32::INFINITY, Origin::Event(3));
        assert_eq!(wrong.add(one).origin, Origin::Event(3));
        assert_eq!(wrong.with(Binary::Sub, wrong).origin, Origin::Event(3), "NaN since the infinity");
        assert_eq!(one.with(Binary::Div, wrong).origin, Origin::Fine, "1/∞ is 0");
        assert_eq!(Traced::select(at(0.0, Origin::Fine), wrong, one).origin, Origin::Fine);
    }

    #[test]
    fn a_written_infinity_is_no_fault_until_it_is_nan() {
        let meant = at(f32::NEG_INFINITY, Origin::Meant(1));
        assert_eq!(meant.apply(Unary::Exp).origin, Origin::Fine);
        assert_eq!(meant.add(at(1.0, Origin::Fine)).origin, Origin::Meant(1));
        assert_eq!(meant.with(Binary::Sub, meant).origin, Origin::New);
        assert_eq!(Traced::<f32>::given(f64::INFINITY).origin, Origin::NewMeant);
        assert_eq!(Traced::<f32>::given(1e39).origin, Origin::New, "too great for 32 bits");
        assert_eq!(Traced::<f64>::given(1e39).origin, Origin::Fine);
    }

    #[test]
    fn every_operation_is_itself() {
        for kind in Unary::ALL {
            let x = Traced::<f64>::given(0.3);
            assert_eq!(Traced::unary(kind)(x).value, ops::unary(kind)(0.3), "{kind:?}");
        }
        for kind in Binary::ALL {
            let (a, b) = (Traced::<f64>::given(0.3), Traced::given(1.7));
            assert_eq!(Traced::binary(kind)(a, b).value, ops::binary(kind)(0.3, 1.7), "{kind:?}");
        }
    }
}
