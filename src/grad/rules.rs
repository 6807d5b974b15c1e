//! The table of adjoint rules: one operation, one entry.
//!
//! `ȳ` is the adjoint of the node `y`, `x̄` that of its operand `x`; every entry adds to the adjoints of
//! the operands that take part. Products are written adjoint first, then values, then slopes.
//! Conventions at kinks are those of the language: 0 for `relu` and `abs` at 0; `max` and `min` give
//! all to the first of tied arguments; an adjoint that is exactly 0 stays 0 whatever the slope.
//! What the table does not say, because it is the same for all: a scalar that was spread over an array
//! gets the sum over the array, a value that was read at many points the sum over the points
//! ([`Sweep::give`] does both).

use super::errors::{self, Step};
use super::sweep::Sweep;
use crate::eqn::{Binary, DomainId, Fold, Level, NodeId, Op, Point, Unary};
use crate::shape::Dim;

/// How a value depends on an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Smooth,
    /// In jumps: no slope.
    Blocked,
    /// The author asked for no gradient.
    Stopped,
}

/// Of the operand with this index, in the order of [`Op::operands`].
pub(super) fn path(op: &Op, operand: usize) -> Path {
    use Path::*;
    match op {
        Op::Unary(kind, _) => match kind {
            Unary::Sign | Unary::Floor | Unary::Not | Unary::ToReal => Blocked,
            Unary::StopGradient => Stopped,
            Unary::Neg
            | Unary::Exp
            | Unary::Log
            | Unary::Tanh
            | Unary::Sigmoid
            | Unary::Relu
            | Unary::Sqrt
            | Unary::Abs
            | Unary::Sin
            | Unary::Cos
            | Unary::Erf
            | Unary::LogSigmoid
            | Unary::Softplus => Smooth,
        },
        Op::Binary(kind, ..) => match kind {
            Binary::Mod | Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::And | Binary::Or => {
                Blocked
            }
            Binary::Add
            | Binary::Sub
            | Binary::Mul
            | Binary::Div
            | Binary::Pow
            | Binary::Max
            | Binary::Min
            | Binary::MulZero => Smooth,
        },
        Op::Select(..) if operand == 0 => Blocked,
        Op::Gather { .. } if operand == 1 => Blocked,
        Op::Scatter { .. } if operand == 0 => Blocked,
        Op::ArgMax(_) => Blocked,
        Op::Select(..)
        | Op::Gather { .. }
        | Op::Scatter { .. }
        | Op::Const(_)
        | Op::DimValue(_)
        | Op::Source(_)
        | Op::Lag { .. }
        | Op::Position(_)
        | Op::Length(_)
        | Op::Spread(_)
        | Op::MatMul(..)
        | Op::Transpose(_)
        | Op::Outer(..)
        | Op::Concat(_)
        | Op::Slice { .. }
        | Op::Reduce { .. }
        | Op::Softmax(_)
        | Op::LogSumExp(_)
        | Op::Reshape(_)
        | Op::SumOver(_)
        | Op::At { .. }
        | Op::FoldOver { .. }
        | Op::Remap { .. }
        | Op::Flatten { .. }
        | Op::Points { .. }
        | Op::Literal(_) => Smooth,
    }
}

/// Gives the operands of `y` what its adjoint `g` sends them.
pub(super) fn adjoint(s: &mut Sweep, y: NodeId, g: NodeId) -> Step<()> {
    match s.op(y) {
        // Values from outside end the path; their adjoints are collected by the sweep.
        Op::Const(_) | Op::DimValue(_) | Op::Literal(_) | Op::Position(_) | Op::Length(_) => Ok(()),
        Op::Source(_) => Ok(()),
        // y[t] = s[t+d]: s̄[t] += ȳ[t−d]; what left the domain goes to the initial values.
        Op::Lag { state, offset } => s.give_state(state, offset, y, g),

        Op::Unary(kind, x) => unary(s, kind, x, y, g),
        Op::Binary(kind, a, b) => binary(s, kind, a, b, y, g),
        // y = c ? a : b: ā += c ? ȳ : 0, b̄ += c ? 0 : ȳ
        Op::Select(c, a, b) => {
            s.give(a, y, |s| {
                let zero = s.constant(0.0);
                s.add(Op::Select(c, g, zero))
            })?;
            s.give(b, y, |s| {
                let zero = s.constant(0.0);
                s.add(Op::Select(c, zero, g))
            })
        }
        // y_i = x: x̄ += Σ ȳ_i
        Op::Spread(x) => s.give(x, y, |_| Ok(g)),

        Op::MatMul(a, b) => matmul(s, a, b, y, g),
        // Y = Xᵀ: X̄ += Ȳᵀ
        Op::Transpose(x) => s.give(x, y, |s| s.transpose(g)),
        // Y = a bᵀ: ā += Ȳ b, b̄ += Ȳᵀ a
        Op::Outer(a, b) => {
            s.give(a, y, |s| s.add(Op::MatMul(g, b)))?;
            s.give(b, y, |s| {
                let t = s.transpose(g)?;
                s.add(Op::MatMul(t, a))
            })
        }
        // y = x₁ ++ x₂: each its slice of ȳ
        Op::Concat(parts) => {
            let mut start = Dim::constant(0);
            for part in parts {
                let len = s.extent(part, 0);
                let at = start.clone();
                start = start.add(&len).map_err(|e| errors::internal(&format!("{e:?}")))?;
                s.give(part, y, |s| s.slice(g, at, len))?;
            }
            Ok(())
        }
        // y = x[start..]: x̄ += 0 ++ ȳ ++ 0
        Op::Slice { arg, start } => s.give_slice(arg, start, y, g),
        // y = x_k: x̄ += ȳ at k
        Op::Gather { arg, index } => s.give(arg, y, |s| s.add(Op::Scatter { index, value: g })),
        // y = x at k: x̄ += ȳ_k
        Op::Scatter { index, value } => s.give(value, y, |s| s.add(Op::Gather { arg: g, index })),
        Op::Reduce { fold, arg, axis } => reduce(s, fold, arg, axis as usize, y, g),
        // y = softmax(x): x̄ += (ȳ − ȳ·y) ⊙ y
        Op::Softmax(x) => s.give(x, y, |s| {
            let dot = s.dot(g, y)?;
            let centred = s.add(Op::Binary(Binary::Sub, g, dot))?;
            s.times(centred, y)
        }),
        // y = log Σ exp x: x̄ += ȳ softmax(x)
        Op::LogSumExp(x) => s.give(x, y, |s| {
            let slope = s.add(Op::Softmax(x))?;
            s.times(g, slope)
        }),
        Op::ArgMax(_) => Ok(()),
        Op::Reshape(x) => s.give(x, y, |s| {
            let shape = s.shape(x);
            s.reshape(g, &shape)
        }),

        // y = Σ_t x[t]: x̄[t] += ȳ
        Op::SumOver(x) => s.give_from(s.level(x), x, y, |_| Ok(g)),
        // y = x[p]: x̄[t] += t = p ? ȳ : 0; if there is no such point, the other value gets all
        Op::At { arg, axis, point, empty } => at(s, arg, axis, point, empty, y, g),
        // y[p] = x[f(p)]: x̄[q] += ȳ[f⁻¹(q)], as f takes no point twice
        Op::Remap { arg, maps } => s.give_from(s.level(arg), arg, y, |s| s.remap_back(g, &maps)),
        // y[p] = x[f(p)], where f takes every point once: x̄[q] += ȳ[f⁻¹(q)]
        Op::Flatten { arg, grid, line, back } => {
            s.give_from(s.level(arg), arg, y, |s| s.flatten_back(g, &grid, line, back))
        }
        Op::FoldOver { fold, arg } => fold_over(s, fold, arg, y, g),
        // y[k] = x_k: x̄_k += ȳ[k]
        Op::Points { parts, axis } => points(s, &parts, axis, y, g),
    }
}

fn unary(s: &mut Sweep, kind: Unary, x: NodeId, y: NodeId, g: NodeId) -> Step<()> {
    use Binary::{Lt, Mul, Sub};
    match kind {
        // y = −x: x̄ −= ȳ
        Unary::Neg => s.give(x, y, |s| s.neg(g)),
        // y = eˣ: x̄ += ȳ y
        Unary::Exp => s.give(x, y, |s| s.times(g, y)),
        // y = log x: x̄ += ȳ / x
        Unary::Log => s.give(x, y, |s| s.over(g, x)),
        // y = tanh x: x̄ += ȳ (1 − y²)
        Unary::Tanh => s.give(x, y, |s| {
            let one = s.constant(1.0);
            let square = s.add(Op::Binary(Mul, y, y))?;
            let slope = s.add(Op::Binary(Sub, one, square))?;
            s.times(g, slope)
        }),
        // y = σ(x): x̄ += ȳ y (1 − y)
        Unary::Sigmoid => s.give(x, y, |s| {
            let one = s.constant(1.0);
            let rest = s.add(Op::Binary(Sub, one, y))?;
            let part = s.times(g, y)?;
            s.times(part, rest)
        }),
        // y = max(0, x): x̄ += y > 0 ? ȳ : 0
        Unary::Relu => s.give(x, y, |s| {
            let zero = s.constant(0.0);
            let positive = s.add(Op::Binary(Lt, zero, y))?;
            s.add(Op::Select(positive, g, zero))
        }),
        // y = √x: x̄ += ȳ / (2y)
        Unary::Sqrt => s.give(x, y, |s| {
            let half = s.constant(0.5);
            let part = s.times(g, half)?;
            s.over(part, y)
        }),
        // y = |x|: x̄ += ȳ sign(x)
        Unary::Abs => s.give(x, y, |s| {
            let slope = s.add(Op::Unary(Unary::Sign, x))?;
            s.times(g, slope)
        }),
        // y = sin x: x̄ += ȳ cos x
        Unary::Sin => s.give(x, y, |s| {
            let slope = s.add(Op::Unary(Unary::Cos, x))?;
            s.times(g, slope)
        }),
        // y = cos x: x̄ −= ȳ sin x
        Unary::Cos => s.give(x, y, |s| {
            let slope = s.add(Op::Unary(Unary::Sin, x))?;
            let part = s.times(g, slope)?;
            s.neg(part)
        }),
        // y = erf x: x̄ += ȳ (2/√π) exp(−x²), which no x makes infinite
        Unary::Erf => s.give(x, y, |s| {
            let square = s.add(Op::Binary(Mul, x, x))?;
            let exponent = s.add(Op::Unary(Unary::Neg, square))?;
            let bell = s.add(Op::Unary(Unary::Exp, exponent))?;
            let scale = s.constant(std::f64::consts::FRAC_2_SQRT_PI);
            let slope = s.add(Op::Binary(Mul, scale, bell))?;
            s.tame(slope, &[x]);
            s.times(g, slope)
        }),
        // y = log σ(x): x̄ += ȳ σ(−x)
        Unary::LogSigmoid => s.give(x, y, |s| {
            let minus = s.add(Op::Unary(Unary::Neg, x))?;
            let slope = s.add(Op::Unary(Unary::Sigmoid, minus))?;
            s.times(g, slope)
        }),
        // y = log(1 + eˣ): x̄ += ȳ σ(x)
        Unary::Softplus => s.give(x, y, |s| {
            let slope = s.add(Op::Unary(Unary::Sigmoid, x))?;
            s.times(g, slope)
        }),
        Unary::Sign | Unary::Floor | Unary::StopGradient | Unary::Not | Unary::ToReal => Ok(()),
    }
}

fn binary(s: &mut Sweep, kind: Binary, a: NodeId, b: NodeId, y: NodeId, g: NodeId) -> Step<()> {
    use Binary::*;
    match kind {
        // y = a + b: ā += ȳ, b̄ += ȳ
        Add => {
            s.give(a, y, |_| Ok(g))?;
            s.give(b, y, |_| Ok(g))
        }
        // y = a − b: ā += ȳ, b̄ −= ȳ
        Sub => {
            s.give(a, y, |_| Ok(g))?;
            s.give(b, y, |s| s.neg(g))
        }
        // y = a b: ā += ȳ b, b̄ += ȳ a
        Mul => {
            s.give(a, y, |s| s.times(g, b))?;
            s.give(b, y, |s| s.times(g, a))
        }
        // y = a b, 0 where a is 0 exactly: the slope by b keeps that, the slope by a is b
        MulZero => {
            s.give(a, y, |s| s.times(g, b))?;
            s.give(b, y, |s| s.times(g, a))
        }
        // y = a / b: ā += ȳ / b, b̄ −= ȳ y / b
        Div => {
            s.give(a, y, |s| s.over(g, b))?;
            s.give(b, y, |s| {
                let part = s.times(g, y)?;
                let part = s.over(part, b)?;
                s.neg(part)
            })
        }
        Pow => power(s, a, b, y, g),
        // y = max(a, b): a ≥ b ? ā += ȳ : b̄ += ȳ
        Max => {
            s.give(a, y, |s| s.when(Le, b, a, g))?;
            s.give(b, y, |s| s.when(Lt, a, b, g))
        }
        // y = min(a, b): a ≤ b ? ā += ȳ : b̄ += ȳ
        Min => {
            s.give(a, y, |s| s.when(Le, a, b, g))?;
            s.give(b, y, |s| s.when(Lt, b, a, g))
        }
        Mod | Eq | Ne | Lt | Le | And | Or => Ok(()),
    }
}

/// y = xᵖ: x̄ += ȳ p xᵖ⁻¹ (0 if p = 0); p̄ += ȳ y log x where x > 0, else 0.
fn power(s: &mut Sweep, x: NodeId, p: NodeId, y: NodeId, g: NodeId) -> Step<()> {
    match s.as_const(p) {
        Some(0.0) => {}
        Some(1.0) => s.give(x, y, |_| Ok(g))?,
        Some(2.0) => s.give(x, y, |s| {
            let two = s.constant(2.0);
            let part = s.times(g, two)?;
            s.times(part, x)
        })?,
        Some(c) => s.give(x, y, |s| {
            let less = s.constant(c - 1.0);
            let factor = s.constant(c);
            let power = s.add(Op::Binary(Binary::Pow, x, less))?;
            let part = s.times(g, factor)?;
            s.times(part, power)
        })?,
        None => s.give(x, y, |s| {
            let (zero, one) = (s.constant(0.0), s.constant(1.0));
            let less = s.add(Op::Binary(Binary::Sub, p, one))?;
            let power = s.add(Op::Binary(Binary::Pow, x, less))?;
            let slope = s.add(Op::Binary(Binary::Mul, p, power))?;
            let flat = s.add(Op::Binary(Binary::Eq, p, zero))?;
            let slope = s.add(Op::Select(flat, zero, slope))?;
            s.times(g, slope)
        })?,
    }
    s.give(p, y, |s| {
        let zero = s.constant(0.0);
        let positive = s.add(Op::Binary(Binary::Lt, zero, x))?;
        let log = s.add(Op::Unary(Unary::Log, x))?;
        let slope = s.add(Op::Binary(Binary::Mul, y, log))?;
        let slope = s.add(Op::Select(positive, slope, zero))?;
        s.times(g, slope)
    })
}

fn matmul(s: &mut Sweep, a: NodeId, b: NodeId, y: NodeId, g: NodeId) -> Step<()> {
    let (rank_a, rank_b) = (s.shape(a).len(), s.shape(b).len());
    s.give(a, y, |s| match (rank_a, rank_b) {
        // y = a · b: ā += ȳ b
        (1, 1) => s.times(g, b),
        // y = A b: Ā += ȳ bᵀ
        (_, 1) => s.outer(g, b),
        // y = a B: ā += B ȳ
        (1, _) => s.add(Op::MatMul(b, g)),
        // Y = A B: Ā += Ȳ Bᵀ
        _ => {
            let t = s.transpose(b)?;
            s.add(Op::MatMul(g, t))
        }
    })?;
    s.give(b, y, |s| match (rank_a, rank_b) {
        // y = a · b: b̄ += ȳ a
        (1, 1) => s.times(g, a),
        // y = a B: B̄ += a ȳᵀ
        (1, _) => s.outer(a, g),
        // y = A b: b̄ += Aᵀ ȳ;  Y = A B: B̄ += Aᵀ Ȳ
        _ => {
            let t = s.transpose(a)?;
            s.add(Op::MatMul(t, g))
        }
    })
}

fn reduce(s: &mut Sweep, fold: Fold, x: NodeId, axis: usize, y: NodeId, g: NodeId) -> Step<()> {
    let shape = s.shape(x);
    match fold {
        // y = Σ x_i: x̄_i += ȳ
        Fold::Sum => s.give(x, y, |s| s.expand(y, g, &shape, axis)),
        // y = Π x_i: x̄_i += ȳ Π_{j≠i} x_j, exact if elements are 0 (Note [Products without division by 0])
        Fold::Prod => s.give(x, y, |s| {
            let (zero, one) = (s.constant(0.0), s.constant(1.0));
            let is_zero = s.add(Op::Binary(Binary::Eq, x, zero))?;
            let count = s.add(Op::Unary(Unary::ToReal, is_zero))?;
            let count = s.add(Op::Reduce { fold: Fold::Sum, arg: count, axis: axis as u32 })?;
            let safe = s.add(Op::Select(is_zero, one, x))?;
            let product = s.add(Op::Reduce { fold: Fold::Prod, arg: safe, axis: axis as u32 })?;
            let at_least_one = s.add(Op::Binary(Binary::Lt, zero, count))?;
            let two_or_more = s.add(Op::Binary(Binary::Lt, one, count))?;
            let at_zero = s.add(Op::Select(two_or_more, zero, product))?;
            let elsewhere = s.add(Op::Select(at_least_one, zero, product))?;
            let at_zero = s.expand(y, at_zero, &shape, axis)?;
            let elsewhere = s.expand(y, elsewhere, &shape, axis)?;
            let elsewhere = s.add(Op::Binary(Binary::Div, elsewhere, safe))?;
            let slope = s.add(Op::Select(is_zero, at_zero, elsewhere))?;
            s.tame(slope, &[x]);
            let g = s.expand(y, g, &shape, axis)?;
            s.times(g, slope)
        }),
        // y = max x_i: x̄_i += ȳ at the first greatest i
        Fold::Max | Fold::Min if shape.len() == 1 => s.give(x, y, |s| {
            let rising = if fold == Fold::Max { x } else { s.add(Op::Unary(Unary::Neg, x))? };
            let index = s.add(Op::ArgMax(rising))?;
            s.add(Op::Scatter { index, value: g })
        }),
        // The same, row by row along the reduced axis: all to the first row that attains y.
        Fold::Max | Fold::Min => s.give(x, y, |s| {
            let (x, last) = match (axis, shape.len()) {
                (0, _) => (x, false),
                (1, 2) => (s.transpose(x)?, true),
                _ => {
                    return Err(
                        s.no_rule(y, "the reduced axis is neither the first nor the last of a matrix")
                    );
                }
            };
            let Some(rows) = s.extent(x, 0).as_constant().filter(|n| (1..=1024).contains(n)) else {
                return Err(s.no_rule(y, "the length of the reduced axis is not a small number yet"));
            };
            let (zero, rest) = (s.constant(0.0), s.shape(y));
            let mut taken: Option<NodeId> = None;
            let mut parts = Vec::new();
            for row in 0..rows {
                let part = s.slice(x, Dim::constant(row), Dim::constant(1))?;
                let value = s.reshape(part, &rest)?;
                let equal = s.add(Op::Binary(Binary::Eq, value, y))?;
                let first = match taken {
                    None => equal,
                    Some(taken) => {
                        let free = s.add(Op::Unary(Unary::Not, taken))?;
                        s.add(Op::Binary(Binary::And, equal, free))?
                    }
                };
                taken = Some(match taken {
                    None => equal,
                    Some(taken) => s.add(Op::Binary(Binary::Or, taken, equal))?,
                });
                let share = s.add(Op::Select(first, g, zero))?;
                let mut one_row = vec![Dim::constant(1)];
                one_row.extend(rest.iter().cloned());
                parts.push(s.reshape(share, &one_row)?);
            }
            let all = s.add(Op::Concat(parts))?;
            if last { s.transpose(all) } else { Ok(all) }
        }),
    }
}

fn at(
    s: &mut Sweep,
    arg: NodeId,
    axis: DomainId,
    point: Point,
    empty: NodeId,
    y: NodeId,
    g: NodeId,
) -> Step<()> {
    s.give_from(s.level(arg), arg, y, |s| {
        let here = s.add(Op::Position(axis))?;
        let there = match point {
            Point::First => s.constant(1.0),
            Point::Fixed(k) => s.constant(f64::from(k)),
            Point::Last => s.add(Op::Length(axis))?,
        };
        let hit = s.add(Op::Binary(Binary::Eq, here, there))?;
        let zero = s.constant(0.0);
        s.add(Op::Select(hit, g, zero))
    })?;
    s.give_from(s.level(y), empty, y, |s| {
        let needed = match point {
            Point::First | Point::Last => 1,
            Point::Fixed(k) => k,
        };
        let (length, needed) = (s.add(Op::Length(axis))?, s.constant(f64::from(needed)));
        let short = s.add(Op::Binary(Binary::Lt, length, needed))?;
        let zero = s.constant(0.0);
        s.add(Op::Select(short, g, zero))
    })
}

/// y = fold of x[p] over points p; of max and min the first of tied points takes all, in the order of the axes.
fn fold_over(s: &mut Sweep, fold: Fold, x: NodeId, y: NodeId, g: NodeId) -> Step<()> {
    let (from, to, shape) = (s.level(x), s.level(y), s.shape(x));
    match fold {
        Fold::Sum => s.give_from(from, x, y, |_| Ok(g)),
        // x̄[p] += ȳ Π_{q≠p} x[q] (Note [Products without division by 0])
        Fold::Prod => s.give_from(from, x, y, |s| {
            let (zero, one) = (s.constant(0.0), s.constant(1.0));
            let is_zero = s.add(Op::Binary(Binary::Eq, x, zero))?;
            let count = s.add(Op::Unary(Unary::ToReal, is_zero))?;
            let count = s.sum_over(count, to)?;
            let safe = s.add(Op::Select(is_zero, one, x))?;
            let product = s.add_as(Op::FoldOver { fold, arg: safe }, shape, to)?;
            let at_least_one = s.add(Op::Binary(Binary::Lt, zero, count))?;
            let two_or_more = s.add(Op::Binary(Binary::Lt, one, count))?;
            let at_zero = s.add(Op::Select(two_or_more, zero, product))?;
            let elsewhere = s.add(Op::Select(at_least_one, zero, product))?;
            let elsewhere = s.add(Op::Binary(Binary::Div, elsewhere, safe))?;
            let slope = s.add(Op::Select(is_zero, at_zero, elsewhere))?;
            s.tame(slope, &[x]);
            s.times(g, slope)
        }),
        Fold::Max | Fold::Min => s.give_from(from, x, y, |s| {
            if to == Level::Shared {
                return Err(s.no_rule(y, "examples have no order that says which of equal ones is the first"));
            }
            let (zero, none) = (s.constant(0.0), s.constant(f64::INFINITY));
            let mut first = s.add(Op::Binary(Binary::Eq, x, y))?;
            for axis in s.dropped_axes(x, y) {
                let here = s.add(Op::Position(axis))?;
                let place = s.add(Op::Select(first, here, none))?;
                let least = s.add_as(Op::FoldOver { fold: Fold::Min, arg: place }, shape.clone(), to)?;
                let least = s.add(Op::Binary(Binary::Eq, here, least))?;
                first = s.add(Op::Binary(Binary::And, first, least))?;
            }
            s.add(Op::Select(first, g, zero))
        }),
    }
}

fn points(s: &mut Sweep, parts: &[NodeId], axis: DomainId, y: NodeId, g: NodeId) -> Step<()> {
    let rest = s.without(s.level(y), axis)?;
    for (point, part) in (1..).zip(parts) {
        s.give_from(rest, *part, y, |s| s.point(g, axis, Point::Fixed(point)))?;
    }
    Ok(())
}

// Note [Products without division by 0]
// y / x_i is the product of the others unless x_i = 0. With z zeros among the elements and P the product
// of the others: at a zero the slope is P if z = 1, else 0; elsewhere it is P / x_i if z = 0, else 0.
