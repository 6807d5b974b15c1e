//! What a nest reads and writes, what does not change along its innermost axis, and a nest put into a better form: its axes
//! joined, its quotients products.

use crate::eqn::Binary;
use crate::loops::{Access, Effect, Inst, Nest, ScalarId, ValueId};

/// The id that moves an access, with its stride.
pub(super) type Moved = Option<(ScalarId, usize)>;

pub(super) fn operands(inst: &Inst) -> Vec<ValueId> {
    match inst {
        Inst::Unary(_, a) => vec![*a],
        Inst::Binary(_, a, b) => vec![*a, *b],
        Inst::Fma(a, b, c) | Inst::Select(a, b, c) => vec![*a, *b, *c],
        Inst::Const(_) | Inst::Load(_) | Inst::LoadAt { .. } | Inst::Scalar(_) | Inst::Index(_) => vec![],
    }
}

pub(super) fn written_arg(effect: &Effect) -> Option<u32> {
    match effect {
        Effect::Store { access, .. }
        | Effect::Add { access, .. }
        | Effect::AddAt { access, .. }
        | Effect::ReduceInner { access, .. }
        | Effect::Contract { access, .. } => Some(access.arg.0),
        Effect::Reduce { .. } | Effect::Set { .. } => None,
    }
}

/// All accesses of a nest with the id that moves them.
pub(super) fn accesses(nest: &Nest) -> impl Iterator<Item = (&Access, Moved)> {
    let read = nest.insts.iter().filter_map(|inst| match inst {
        Inst::Load(access) => Some((access, None)),
        Inst::LoadAt { access, index, stride } => Some((access, Some((*index, *stride)))),
        _ => None,
    });
    let written = nest.effects.iter().filter_map(|effect| match effect {
        Effect::Store { access, .. }
        | Effect::Add { access, .. }
        | Effect::ReduceInner { access, .. }
        | Effect::Contract { access, .. } => Some((access, None)),
        Effect::AddAt { access, index, stride, .. } => Some((access, Some((*index, *stride)))),
        Effect::Reduce { .. } | Effect::Set { .. } => None,
    });
    read.chain(written)
}

/// The same nest with neighbouring axes joined where every access runs through them as through one, and axes of
/// extent 1 gone. Not where the index of an axis counts.
pub(super) fn merge_axes(nest: &Nest) -> Nest {
    let mut nest = nest.clone();
    if nest.contraction().is_some() {
        return nest;
    }
    let counts = nest.insts.iter().any(|i| matches!(i, Inst::Index(_)));
    let inner = nest.effects.iter().any(|e| matches!(e, Effect::ReduceInner { .. }));
    let mut d = 0;
    while !counts && d + 1 < nest.extents.len() {
        let last = d + 2 == nest.extents.len();
        let (a, b) = (nest.extents[d], nest.extents[d + 1]);
        // Neither an axis of extent 1 nor its stride matters.
        let joined = |s: &[usize]| match (a, b) {
            (1, _) => Some(s[d + 1]),
            (_, 1) => Some(s[d]),
            _ => (s[d] == b * s[d + 1]).then_some(s[d + 1]),
        };
        let fixed = (inner && last) || nest.extents.contains(&0);
        let whole = !fixed && accesses(&nest).all(|(access, _)| joined(&access.strides).is_some());
        match a.checked_mul(b) {
            Some(count) if whole => {
                let strides: Vec<usize> =
                    accesses(&nest).filter_map(|(access, _)| joined(&access.strides)).collect();
                let mut strides = strides.into_iter();
                let mut join = |access: &mut Access| {
                    if let Some(stride) = strides.next() {
                        access.strides[d] = stride;
                        access.strides.remove(d + 1);
                    }
                };
                each_access(&mut nest, &mut join);
                nest.extents[d] = count;
                nest.extents.remove(d + 1);
            }
            _ => d += 1,
        }
    }
    nest
}

/// In the order of [`accesses`].
pub(super) fn each_access(nest: &mut Nest, f: &mut impl FnMut(&mut Access)) {
    for inst in &mut nest.insts {
        if let Inst::Load(access) | Inst::LoadAt { access, .. } = inst {
            f(access);
        }
    }
    for effect in &mut nest.effects {
        match effect {
            Effect::Store { access, .. }
            | Effect::Add { access, .. }
            | Effect::AddAt { access, .. }
            | Effect::ReduceInner { access, .. }
            | Effect::Contract { access, .. } => f(access),
            Effect::Reduce { .. } | Effect::Set { .. } => {}
        }
    }
}

/// For each instruction of a nest, whether its value is the same at every index of the innermost axis.
pub(super) fn fixed(nest: &Nest) -> Vec<bool> {
    let written: Vec<u32> = nest.effects.iter().filter_map(written_arg).collect();
    let last = nest.extents.len().checked_sub(1);
    let mut fixed: Vec<bool> = Vec::with_capacity(nest.insts.len());
    for inst in &nest.insts {
        fixed.push(match inst {
            Inst::Const(_) | Inst::Scalar(_) => true,
            Inst::Load(a) | Inst::LoadAt { access: a, .. } => {
                a.strides.last().is_none_or(|s| *s == 0) && !written.contains(&a.arg.0)
            }
            Inst::Index(axis) => Some(*axis as usize) != last,
            Inst::Unary(..) | Inst::Binary(..) | Inst::Fma(..) | Inst::Select(..) => {
                operands(inst).iter().all(|v| fixed[v.index()])
            }
        });
    }
    fixed
}

/// The same nest with products in place of quotients by powers of two, which are exact; a division takes as long as ten
/// products. (Products with rounded reciprocals of other divisors would be faster too, but 41/41 would not be 1.)
pub(super) fn quotients_as_products(nest: &Nest) -> Nest {
    let mut out = Nest { insts: Vec::with_capacity(nest.insts.len()), ..nest.clone() };
    // For each old value the new one.
    let mut places: Vec<ValueId> = Vec::with_capacity(nest.insts.len());
    for inst in &nest.insts {
        let mut inst = inst.clone();
        each_operand(&mut inst, |v| *v = places[v.index()]);
        if let Inst::Binary(Binary::Div, a, b) = inst
            && let Inst::Const(c) = out.insts[b.index()]
            && is_power_of_two(c)
            && (1.0 / c).is_normal()
        {
            out.insts.push(Inst::Const(1.0 / c));
            inst = Inst::Binary(Binary::Mul, a, ValueId(out.insts.len() as u32 - 1));
        }
        out.insts.push(inst);
        places.push(ValueId(out.insts.len() as u32 - 1));
    }
    for effect in &mut out.effects {
        match effect {
            Effect::Store { value, .. }
            | Effect::Add { value, .. }
            | Effect::AddAt { value, .. }
            | Effect::Reduce { value, .. }
            | Effect::ReduceInner { value, .. }
            | Effect::Set { value, .. } => *value = places[value.index()],
            Effect::Contract { a, b, .. } => [a, b].into_iter().for_each(|v| *v = places[v.index()]),
        }
    }
    out
}

fn is_power_of_two(x: f32) -> bool {
    x.is_normal() && x.to_bits() & 0x007f_ffff == 0
}

fn each_operand(inst: &mut Inst, mut f: impl FnMut(&mut ValueId)) {
    match inst {
        Inst::Unary(_, a) => f(a),
        Inst::Binary(_, a, b) => [a, b].into_iter().for_each(f),
        Inst::Fma(a, b, c) | Inst::Select(a, b, c) => [a, b, c].into_iter().for_each(f),
        Inst::Const(_) | Inst::Load(_) | Inst::LoadAt { .. } | Inst::Scalar(_) | Inst::Index(_) => {}
    }
}
