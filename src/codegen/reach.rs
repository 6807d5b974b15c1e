//! How far a kernel's accesses go in a row: what both its checks and its code rest on.

use crate::loops::{Access, Effect, Inst, Kernel, Nest};

/// Elements from a row's start to just behind the last one that an access touches; 0 for an empty nest,
/// `None` for more than can be counted.
pub fn reach(access: &Access, extents: &[usize]) -> Option<usize> {
    if extents.contains(&0) {
        return Some(0);
    }
    access.strides.iter().zip(extents).try_fold(access.offset.checked_add(1)?, |sum, (stride, n)| {
        sum.checked_add(stride.checked_mul(n - 1)?)
    })
}

/// The extents that a load of a nest goes through: what is read of the weight of a contraction are whole vectors.
pub fn extents_of(nest: &Nest, inst: usize) -> Vec<usize> {
    let mut extents = nest.extents.clone();
    if inst == 1
        && nest.contraction().is_some()
        && let [.., columns, _] = &mut extents[..]
    {
        *columns = columns.saturating_add(LONGEST - 1) / LONGEST * LONGEST;
    }
    extents
}

/// Elements of the longest vectors.
const LONGEST: usize = 16;

/// The greatest id that keeps an access `stride * id` elements further within `limit` elements of a row.
pub fn greatest_id(limit: usize, access: &Access, stride: usize, extents: &[usize]) -> usize {
    let reach = reach(access, extents).unwrap_or(usize::MAX);
    // Ids are made from 32-bit integers.
    limit.saturating_sub(reach).checked_div(stride).unwrap_or(0).min(i32::MAX as usize)
}

/// For each argument: elements of one row that the kernel may touch, where ids keep within `limits`. `None` if
/// that cannot be counted.
pub fn spans(kernel: &Kernel, limits: &[usize]) -> Option<Vec<usize>> {
    let mut spans = vec![0usize; kernel.args.len()];
    let mut widen = |access: &Access, extents: &[usize], nest: &Nest, id_stride: Option<usize>| {
        let arg = access.arg.index();
        let mut end = reach(access, extents)?;
        if let (Some(stride), true) = (id_stride, end > 0) {
            let most = greatest_id(*limits.get(arg)?, access, stride, &nest.extents);
            end = end.checked_add(most.checked_mul(stride)?)?;
        }
        let span = spans.get_mut(arg)?;
        *span = end.max(*span);
        Some(())
    };
    for nest in &kernel.nests {
        let (all, outer) = (&nest.extents[..], &nest.extents[..nest.extents.len().saturating_sub(1)]);
        for (i, inst) in nest.insts.iter().enumerate() {
            match inst {
                Inst::Load(access) => widen(access, &extents_of(nest, i), nest, None)?,
                Inst::LoadAt { access, stride, .. } => widen(access, all, nest, Some(*stride))?,
                _ => {}
            }
        }
        for effect in &nest.effects {
            match effect {
                Effect::Store { access, .. } | Effect::Add { access, .. } => widen(access, all, nest, None)?,
                Effect::AddAt { access, stride, .. } => widen(access, all, nest, Some(*stride))?,
                Effect::ReduceInner { access, .. } | Effect::Contract { access, .. } => {
                    widen(access, outer, nest, None)?
                }
                Effect::Reduce { .. } | Effect::Set { .. } => {}
            }
        }
    }
    Some(spans)
}
