//! What the interpreter computes with.

use super::ops;
use crate::eqn::{Binary, Unary};

/// A number of an evaluation. f64 is one; others carry more beside the same f64, such as a bound of the
/// error that a computation in lower precision makes.
pub trait Number: Copy {
    /// A number from outside or from the text.
    fn given(x: f64) -> Self;
    fn value(self) -> f64;
    fn unary(kind: Unary) -> fn(Self) -> Self;
    fn binary(kind: Binary) -> fn(Self, Self) -> Self;
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `then` where the condition is not 0.
    fn select(condition: Self, then: Self, otherwise: Self) -> Self;
    /// The same, written to memory and read again: no longer part of the sum that it is.
    fn stored(self) -> Self;
    /// The same, read at a place that `index` has chosen.
    fn chosen_by(self, index: Self) -> Self;
    /// The index of the greatest of `among`.
    fn picked(index: usize, among: &[Self]) -> Self;
}

impl Number for f64 {
    fn given(x: f64) -> f64 {
        x
    }

    fn value(self) -> f64 {
        self
    }

    fn unary(kind: Unary) -> fn(f64) -> f64 {
        ops::unary(kind)
    }

    fn binary(kind: Binary) -> fn(f64, f64) -> f64 {
        ops::binary(kind)
    }

    fn add(self, other: f64) -> f64 {
        self + other
    }

    fn mul(self, other: f64) -> f64 {
        self * other
    }

    fn select(condition: f64, then: f64, otherwise: f64) -> f64 {
        if condition != 0.0 { then } else { otherwise }
    }

    fn stored(self) -> f64 {
        self
    }

    fn chosen_by(self, _: f64) -> f64 {
        self
    }

    fn picked(index: usize, _: &[f64]) -> f64 {
        index as f64
    }
}
