//! The table of rewrites.
//!
//! Each rule states one identity and gives the node that stands for the left side. It is tried on an
//! operation whose operands are rewritten already, with the node it stands in. Rules make values
//! simpler or smaller, so that rewriting ends; none regroups a sum or product of the author's.

use super::cons::Builder;
use crate::eqn::eval::ops;
use crate::eqn::*;
use crate::shape::Dim;
use Binary::*;

pub(super) struct Rule {
    /// As on paper; for the reader and for tests.
    #[allow(dead_code)]
    pub identity: &'static str,
    pub apply: fn(&mut Builder, &Op, &Node) -> Option<NodeId>,
}

const fn rule(identity: &'static str, apply: fn(&mut Builder, &Op, &Node) -> Option<NodeId>) -> Rule {
    Rule { identity, apply }
}

pub(super) const RULES: &[Rule] = &[
    // Constants.
    rule("f(1) is a number", fold_unary),
    rule("1 ∘ 2 is a number", fold_binary),
    rule("real(true) = 1, real(false) = 0", |b, op, _| match op {
        Op::Unary(Unary::ToReal, c) => known_truth(b, *c).map(|t| b.constant(t as u8 as f64)),
        _ => None,
    }),
    rule("if true then x else y = x", |b, op, n| match op {
        Op::Select(c, x, y) => known_truth(b, *c).and_then(|t| b.fit(if t { *x } else { *y }, &n.shape)),
        _ => None,
    }),
    rule("if c then x else x = x, if c is not known at more points than x", |b, op, n| match op {
        Op::Select(c, x, y) if x == y && b.graph.is_within(b.graph.level(*c), b.graph.level(*x)) => {
            b.fit(*x, &n.shape)
        }
        _ => None,
    }),
    // Spreads: numbers and scalars stay scalars as long as possible.
    rule("f(spread x) = spread f(x)", |b, op, n| match op {
        Op::Unary(k, a) => {
            let inner = spread_of(b, *a)?;
            let scalar = b.add(Op::Unary(*k, inner))?;
            b.fit(scalar, &n.shape)
        }
        _ => None,
    }),
    rule("spread x ∘ y = x ∘ y", |b, op, n| match op {
        Op::Binary(k, x, y) => {
            let (inner_x, inner_y) = (spread_of(b, *x), spread_of(b, *y));
            if inner_x.is_none() && inner_y.is_none() {
                return None;
            }
            let node = b.add(Op::Binary(*k, inner_x.unwrap_or(*x), inner_y.unwrap_or(*y)))?;
            b.fit(node, &n.shape)
        }
        _ => None,
    }),
    rule("if c then spread x else y = if c then x else y", |b, op, n| match op {
        Op::Select(c, x, y) => {
            let (inner_x, inner_y) = (spread_of(b, *x), spread_of(b, *y));
            if inner_x.is_none() && inner_y.is_none() {
                return None;
            }
            let node = b.add(Op::Select(*c, inner_x.unwrap_or(*x), inner_y.unwrap_or(*y)))?;
            b.fit(node, &n.shape)
        }
        _ => None,
    }),
    rule("parts, transposes, reshapes and reversals of spread x = spread x", |b, op, n| match op {
        Op::Slice { arg, .. } | Op::Transpose(arg) | Op::Reshape(arg) => {
            let inner = spread_of(b, *arg)?;
            b.fit(inner, &n.shape)
        }
        Op::Gather { arg, .. } => {
            let number = b.number(*arg)?;
            b.filled(number, &n.shape)
        }
        Op::Flatten { arg, .. } => {
            let number = b.number(*arg)?;
            b.filled(number, &n.shape)
        }
        Op::Remap { arg, .. } if b.graph.as_reverse(op).is_some() => {
            let number = b.number(*arg)?;
            b.filled(number, &n.shape)
        }
        _ => None,
    }),
    rule("spread 1 ++ spread 1 = spread 1", |b, op, n| match op {
        Op::Concat(parts) => {
            let first = b.number(*parts.first()?)?;
            let bits = first.to_bits();
            let alike = parts.iter().all(|p| b.number(*p).is_some_and(|n| n.to_bits() == bits));
            if alike { b.filled(first, &n.shape) } else { None }
        }
        _ => None,
    }),
    // Sums.
    rule("x + 0 = 0 + x = x", |b, op, n| match op {
        Op::Binary(Add, x, y) if b.is(*y, 0.0) => b.fit(*x, &n.shape),
        Op::Binary(Add, x, y) if b.is(*x, 0.0) => b.fit(*y, &n.shape),
        _ => None,
    }),
    rule("x − 0 = x", |b, op, n| match op {
        Op::Binary(Sub, x, y) if b.is(*y, 0.0) => b.fit(*x, &n.shape),
        _ => None,
    }),
    rule("0 − x = −x", |b, op, n| match op {
        Op::Binary(Sub, x, y) if b.is(*x, 0.0) => {
            let negative = b.add(Op::Unary(Unary::Neg, *y))?;
            b.fit(negative, &n.shape)
        }
        _ => None,
    }),
    rule("x + (−y) = x − y", |b, op, _| match op {
        Op::Binary(Add, x, y) => negated(b, *y).and_then(|y| b.add(Op::Binary(Sub, *x, y))),
        _ => None,
    }),
    rule("(−x) + y = y − x", |b, op, _| match op {
        Op::Binary(Add, x, y) => negated(b, *x).and_then(|x| b.add(Op::Binary(Sub, *y, x))),
        _ => None,
    }),
    rule("x − (−y) = x + y", |b, op, _| match op {
        Op::Binary(Sub, x, y) => negated(b, *y).and_then(|y| b.add(Op::Binary(Add, *x, y))),
        _ => None,
    }),
    rule("−(−x) = x", |b, op, _| match op {
        Op::Unary(Unary::Neg, x) => negated(b, *x),
        _ => None,
    }),
    rule("−(x − y) = y − x", |b, op, _| match op {
        Op::Unary(Unary::Neg, d) if !b.is_named(*d) => match *b.op(*d) {
            Op::Binary(Sub, x, y) => b.add(Op::Binary(Sub, y, x)),
            _ => None,
        },
        _ => None,
    }),
    // Products.
    rule("x ⊙ 0 = 0 ⊙ x = 0, whatever x is", |b, op, n| match op {
        Op::Binary(Mul | MulZero, x, y) if b.is(*x, 0.0) || b.is(*y, 0.0) => b.filled(0.0, &n.shape),
        _ => None,
    }),
    rule("x ⊙ 1 = 1 ⊙ x = x", |b, op, n| match op {
        Op::Binary(Mul | MulZero, x, y) if b.is(*y, 1.0) => b.fit(*x, &n.shape),
        Op::Binary(Mul | MulZero, x, y) if b.is(*x, 1.0) => b.fit(*y, &n.shape),
        _ => None,
    }),
    rule("x ⊙ −1 = −1 ⊙ x = −x", |b, op, n| match op {
        Op::Binary(Mul | MulZero, x, y) => {
            let other = if b.is(*y, -1.0) { x } else { b.is(*x, -1.0).then_some(y)? };
            let negative = b.add(Op::Unary(Unary::Neg, *other))?;
            b.fit(negative, &n.shape)
        }
        _ => None,
    }),
    rule("(−x) ⊙ (−y) = x ⊙ y", |b, op, _| match op {
        Op::Binary(k @ (Mul | MulZero), x, y) => {
            let (x, y) = (negated(b, *x)?, negated(b, *y)?);
            b.add(Op::Binary(*k, x, y))
        }
        _ => None,
    }),
    rule("x ⊙₀ y = x ⊙ y, if y is finite for finite inputs", |b, op, _| match op {
        Op::Binary(MulZero, x, y) if b.is_tame(*y) => b.add(Op::Binary(Mul, *x, *y)),
        _ => None,
    }),
    rule("x / 1 = x", |b, op, n| match op {
        Op::Binary(Div, x, y) if b.is(*y, 1.0) => b.fit(*x, &n.shape),
        _ => None,
    }),
    rule("x^0 = 1, x^1 = x", |b, op, n| match op {
        Op::Binary(Pow, _, p) if b.is(*p, 0.0) => b.filled(1.0, &n.shape),
        Op::Binary(Pow, x, p) if b.is(*p, 1.0) => b.fit(*x, &n.shape),
        _ => None,
    }),
    rule("max(x, x) = min(x, x) = x", |_, op, _| match op {
        Op::Binary(Max | Min, x, y) if x == y => Some(*x),
        _ => None,
    }),
    rule("0 @ x = x @ 0 = outer(0, x) = 0, whatever x is", |b, op, n| match op {
        Op::MatMul(x, y) | Op::Outer(x, y) if b.is(*x, 0.0) || b.is(*y, 0.0) => b.filled(0.0, &n.shape),
        _ => None,
    }),
    rule("sums, scatters and other points of 0 = 0", |b, op, n| match op {
        Op::SumOver(x)
        | Op::Remap { arg: x, .. }
        | Op::Flatten { arg: x, .. }
        | Op::Scatter { value: x, .. }
        | Op::Reduce { fold: Fold::Sum, arg: x, .. }
            if b.is(*x, 0.0) =>
        {
            b.filled(0.0, &n.shape)
        }
        _ => None,
    }),
    rule("∑ −x = −∑ x", |b, op, n| match op {
        Op::SumOver(x) => {
            let inner = negated(b, *x)?;
            let sum = b.add_as(Op::SumOver(inner), n.shape.clone(), n.level)?;
            b.add(Op::Unary(Unary::Neg, sum))
        }
        _ => None,
    }),
    // Logic.
    rule("not not c = c", |b, op, _| match op {
        Op::Unary(Unary::Not, c) => match *b.op(*c) {
            Op::Unary(Unary::Not, inner) => Some(inner),
            _ => None,
        },
        _ => None,
    }),
    // Forms.
    rule("xᵀᵀ = x", |b, op, _| match op {
        Op::Transpose(x) => match *b.op(*x) {
            Op::Transpose(inner) => Some(inner),
            _ => None,
        },
        _ => None,
    }),
    rule("outer(x, y)ᵀ = outer(y, x)", |b, op, _| match op {
        Op::Transpose(o) => match *b.op(*o) {
            Op::Outer(x, y) => b.add(Op::Outer(y, x)),
            _ => None,
        },
        _ => None,
    }),
    rule("other points of other points, one of them reversed, are other points", remap_of_remap),
    rule("points that are all alike are the one value", |_, op, _| match op {
        Op::Points { parts, .. } if parts.iter().all(|p| *p == parts[0]) => parts.first().copied(),
        _ => None,
    }),
    rule("point k of given points is its part k", |b, op, _| match op {
        Op::At { arg, axis, point, .. } => match b.op(*arg) {
            Op::Points { parts, axis: given } if axis == given => match point {
                Point::First => parts.first().copied(),
                Point::Last => parts.last().copied(),
                Point::Fixed(k) => parts.get((*k as usize).checked_sub(1)?).copied(),
            },
            _ => None,
        },
        _ => None,
    }),
    rule("a reshape of a reshape is one reshape, or none", |b, op, n| match op {
        Op::Reshape(x) if *b.shape(*x) == n.shape => Some(*x),
        Op::Reshape(x) => match *b.op(*x) {
            Op::Reshape(inner) => b.reshaped(Op::Reshape(inner), &n.shape),
            _ => None,
        },
        _ => None,
    }),
    rule("a join of one part is the part", |_, op, _| match op {
        Op::Concat(parts) if parts.len() == 1 => parts.first().copied(),
        _ => None,
    }),
    rule("(x ++ y) ++ z = x ++ y ++ z", |b, op, _| match op {
        Op::Concat(parts) => {
            let nested = |p: &NodeId| matches!(b.op(*p), Op::Concat(_)) && !b.is_named(*p);
            if !parts.iter().any(nested) {
                return None;
            }
            let mut flat = Vec::new();
            for p in parts {
                match b.op(*p) {
                    Op::Concat(inner) if nested(p) => flat.extend(inner),
                    _ => flat.push(*p),
                }
            }
            b.add(Op::Concat(flat))
        }
        _ => None,
    }),
    rule("the whole of x is x", |b, op, n| match op {
        Op::Slice { arg, .. } if *b.shape(*arg) == n.shape => Some(*arg),
        _ => None,
    }),
    rule("a part of a part is a part", |b, op, n| match op {
        Op::Slice { arg, start } => match b.op(*arg) {
            Op::Slice { arg: inner, start: first } => {
                let (arg, start) = (*inner, first.add(start).ok()?);
                b.reshaped(Op::Slice { arg, start }, &n.shape)
            }
            _ => None,
        },
        _ => None,
    }),
    rule("the part x of … ++ x ++ … is x", part_of_join),
    rule("x[a..b] ++ x[b..c] = x[a..c]", join_of_parts),
];

fn fold_unary(b: &mut Builder, op: &Op, _: &Node) -> Option<NodeId> {
    let Op::Unary(kind, a) = op else { return None };
    let Op::Const(c) = *b.op(*a) else { return None };
    if *b.graph.ty(*a) != Ty::Real || matches!(kind, Unary::Not | Unary::ToReal | Unary::StopGradient) {
        return None;
    }
    Some(b.constant(ops::unary(*kind)(c)))
}

fn fold_binary(b: &mut Builder, op: &Op, _: &Node) -> Option<NodeId> {
    let Op::Binary(kind, x, y) = op else { return None };
    match (b.op(*x), b.op(*y)) {
        (Op::Const(x), Op::Const(y)) if !kind.gives_bool() => {
            let value = ops::binary(*kind)(*x, *y);
            Some(b.constant(value))
        }
        _ => None,
    }
}

/// Whether a condition holds, if that is known now.
fn known_truth(b: &Builder, id: NodeId) -> Option<bool> {
    match *b.op(id) {
        Op::Binary(kind @ (Eq | Ne | Lt | Le), x, y) => {
            Some(ops::binary(kind)(b.number(x)?, b.number(y)?) != 0.0)
        }
        // One level deep, so that chains of conditions cost nothing; passes do the rest.
        Op::Unary(Unary::Not, c) => match *b.op(c) {
            Op::Binary(kind @ (Eq | Ne | Lt | Le), x, y) => {
                Some(ops::binary(kind)(b.number(x)?, b.number(y)?) == 0.0)
            }
            _ => None,
        },
        _ => None,
    }
}

/// The scalar that a node repeats.
fn spread_of(b: &Builder, id: NodeId) -> Option<NodeId> {
    match *b.op(id) {
        Op::Spread(scalar) => Some(scalar),
        _ => None,
    }
}

/// `x`, of a node `−x` to which the author gave no name of its own.
fn negated(b: &Builder, id: NodeId) -> Option<NodeId> {
    match *b.op(id) {
        Op::Unary(Unary::Neg, x) if !b.is_named(id) => Some(x),
        _ => None,
    }
}

/// A reversed axis has all its points, so nothing is found outside by one map that the joined map would find inside.
fn remap_of_remap(b: &mut Builder, op: &Op, _: &Node) -> Option<NodeId> {
    let Op::Remap { arg, maps } = op else { return None };
    let Op::Remap { arg: inner, maps: first } = b.op(*arg) else { return None };
    let ([outer], [first]) = (&maps[..], &first[..]) else { return None };
    if first.to != outer.from || !(first.is_reverse() || outer.is_reverse()) {
        return None;
    }
    let start = first.start.clone().plus(&outer.start.times(i64::from(first.step)));
    let map = AxisMap { from: first.from, to: outer.to, start, step: first.step * outer.step };
    let arg = *inner;
    if map == AxisMap::rename(map.from, map.from) {
        return Some(arg);
    }
    b.add(Op::Remap { arg, maps: vec![map] })
}

fn part_of_join(b: &mut Builder, op: &Op, n: &Node) -> Option<NodeId> {
    let Op::Slice { arg, start } = op else { return None };
    let Op::Concat(parts) = b.op(*arg) else { return None };
    let mut at = Dim::constant(0);
    for part in parts {
        let shape = b.shape(*part);
        if at == *start && *shape == n.shape {
            return Some(*part);
        }
        let len = shape.first()?;
        let end = at.add(len).ok()?;
        // A part of this part; with symbols that is only known from the same beginning.
        let inside = start.sub(&at).ok()?.as_constant().is_some_and(|n| n >= 0)
            && end.sub(&start.add(n.shape.first()?).ok()?).ok()?.as_constant().is_some_and(|n| n >= 0);
        if inside {
            let (arg, start) = (*part, start.sub(&at).ok()?);
            return b.reshaped(Op::Slice { arg, start }, &n.shape);
        }
        at = end;
    }
    None
}

fn join_of_parts(b: &mut Builder, op: &Op, _: &Node) -> Option<NodeId> {
    let Op::Concat(parts) = op else { return None };
    let mut joined: Vec<NodeId> = Vec::new();
    for part in parts {
        let merged = joined.last().and_then(|last| {
            let (Op::Slice { arg: x, start: a }, Op::Slice { arg: y, start: c }) = (b.op(*last), b.op(*part))
            else {
                return None;
            };
            let first = b.shape(*last).first()?;
            if x != y || a.add(first).ok()? != *c {
                return None;
            }
            let mut shape = b.shape(*part).clone();
            shape[0] = shape[0].add(first).ok()?;
            Some((Op::Slice { arg: *x, start: a.clone() }, shape))
        });
        match merged {
            Some((op, shape)) => {
                let id = b.reshaped(op, &shape)?;
                joined.pop();
                joined.push(id);
            }
            None => joined.push(*part),
        }
    }
    if joined.len() == parts.len() {
        return None;
    }
    if joined.len() == 1 { joined.pop() } else { b.add(Op::Concat(joined)) }
}
