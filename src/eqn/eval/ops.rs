//! The functions of one point, in f64.

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
pub(crate) fn fold(kind: Fold, values: impl Iterator<Item = f64>) -> f64 {
    match kind {
        Fold::Sum => values.fold(0.0, |a, b| a + b),
        Fold::Prod => values.fold(1.0, |a, b| a * b),
        Fold::Max => values.fold(f64::NEG_INFINITY, max),
        Fold::Min => values.fold(f64::INFINITY, min),
    }
}

/// Of nothing: nothing.
pub(crate) fn softmax(x: &[f64], out: &mut [f64]) {
    let m = fold(Fold::Max, x.iter().copied());
    for (o, v) in out.iter_mut().zip(x) {
        *o = (v - m).exp();
    }
    let sum: f64 = out.iter().sum();
    out.iter_mut().for_each(|o| *o /= sum);
}

/// Of nothing: 0.
pub(crate) fn logsumexp(x: &[f64]) -> f64 {
    if x.is_empty() {
        return 0.0;
    }
    let m = fold(Fold::Max, x.iter().copied());
    if m.is_infinite() {
        return m;
    }
    m + x.iter().map(|v| (v - m).exp()).sum::<f64>().ln()
}

/// The index of the first greatest; NaN is never the greatest.
pub(crate) fn argmax(x: &[f64]) -> f64 {
    let mut best: Option<(usize, f64)> = None;
    for (i, v) in x.iter().enumerate() {
        if !v.is_nan() && best.is_none_or(|(_, b)| *v > b) {
            best = Some((i, *v));
        }
    }
    best.map_or(0.0, |(i, _)| i as f64)
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
