//! What a nest reads and writes, and its axes joined where they can be.

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
