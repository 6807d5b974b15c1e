//! The functions of one point: elementwise ones in f64, those of a vector in any [`Number`].

use super::number::Number;
use crate::eqn::{Binary, Fold, Unary};

pub(crate) fn unary(kind: Unary) -> fn(f64) -> f64 {
    match kind {
        Unary::Neg => |x| -x,
        Unary::Exp => f64::exp,
        Unary::Log => f64::ln,
        Unary::Tanh => f64::tanh,
        Unary::Sigmoid => sigmoid,
        Unary::Relu => |x| if x <= 0.0 { 0.0 } else { x },
        Unary::Sqrt => f64::sqrt,
        Unary::Abs => f64::abs,
        Unary::Sign => |x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                // 0, or NaN.
                x.abs()
            }
        },
        Unary::Sin => f64::sin,
        Unary::Cos => f64::cos,
        Unary::Floor => f64::floor,
        Unary::Erf => libm::erf,
        Unary::LogSigmoid => |x| -softplus(-x),
        Unary::Softplus => softplus,
        Unary::StopGradient | Unary::ToReal => |x| x,
        Unary::Not => |x| truth(x == 0.0),
    }
}

pub(crate) fn binary(kind: Binary) -> fn(f64, f64) -> f64 {
    match kind {
        Binary::Add => |a, b| a + b,
        Binary::Sub => |a, b| a - b,
        Binary::Mul => |a, b| a * b,
        Binary::Div => |a, b| a / b,
        Binary::Pow => f64::powf,
        Binary::Max => max,
        Binary::Min => min,
        Binary::Mod => |a, b| a - b * (a / b).floor(),
        Binary::Eq => |a, b| truth(a == b),
        Binary::Ne => |a, b| truth(a != b),
        Binary::Lt => |a, b| truth(a < b),
        Binary::Le => |a, b| truth(a <= b),
        Binary::And => |a, b| truth(a != 0.0 && b != 0.0),
        Binary::Or => |a, b| truth(a != 0.0 || b != 0.0),
        Binary::MulZero => |a, b| if a == 0.0 { 0.0 } else { a * b },
    }
}

/// Of nothing: 0, 1, −∞, ∞.
pub(crate) fn fold<N: Number>(kind: Fold, values: impl Iterator<Item = N>) -> N {
    match kind {
        Fold::Sum => values.fold(N::given(0.0), N::add),
        Fold::Prod => values.fold(N::given(1.0), N::mul),
        Fold::Max => values.fold(N::given(f64::NEG_INFINITY), N::binary(Binary::Max)),
        Fold::Min => values.fold(N::given(f64::INFINITY), N::binary(Binary::Min)),
    }
}

/// Of nothing: nothing.
pub(crate) fn softmax<N: Number>(x: &[N], out: &mut [N]) {
    let (exp, less, over) = (N::unary(Unary::Exp), N::binary(Binary::Sub), N::binary(Binary::Div));
    let m = fold(Fold::Max, x.iter().copied());
    for (o, v) in out.iter_mut().zip(x) {
        *o = exp(less(v.stored(), m));
    }
    let scale = over(N::given(1.0), fold(Fold::Sum, out.iter().copied()));
    out.iter_mut().for_each(|o| *o = o.mul(scale));
}

/// Of nothing: 0.
pub(crate) fn logsumexp<N: Number>(x: &[N]) -> N {
    if x.is_empty() {
        return N::given(0.0);
    }
    let (exp, log, less) = (N::unary(Unary::Exp), N::unary(Unary::Log), N::binary(Binary::Sub));
    let m = fold(Fold::Max, x.iter().copied());
    if m.value().is_infinite() {
        return m;
    }
    m.add(log(fold(Fold::Sum, x.iter().map(|v| exp(less(v.stored(), m))))))
}

/// The index of the first greatest; NaN is never the greatest.
pub(crate) fn argmax<N: Number>(x: &[N]) -> N {
    let mut best: Option<(usize, f64)> = None;
    for (i, v) in x.iter().enumerate() {
        let v = v.value();
        if !v.is_nan() && best.is_none_or(|(_, b)| v > b) {
            best = Some((i, v));
        }
    }
    N::picked(best.map_or(0, |(i, _)| i), x)
}

fn truth(b: bool) -> f64 {
    b as u8 as f64
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

fn softplus(x: f64) -> f64 {
    // `max(x, 0)` that keeps NaN.
    let positive = if x <= 0.0 { 0.0 } else { x };
    positive + (-x.abs()).exp().ln_1p()
}

/// The first of equal ones; NaN wins.
fn max(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}

fn min(a: f64, b: f64) -> f64 {
    if a <= b || a.is_nan() { a } else { b }
}
