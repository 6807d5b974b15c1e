//! Outputs of a step in rows of their own.
//!
//! In: a program that runs step by step, whose step is one kernel. Out: the same, in which outputs that are states too (or
//! are read by the step otherwise) are stored a second time, into a buffer for nothing else. Whoever runs the steps can
//! have the kernel write that row where it is wanted; a copy of the state would wait for its store.

use crate::loops::{
    Access, Arg, ArgId, Buffer, BufferId, Effect, Elem, Kernel, KernelArg, Nest, Operand, Place, Program,
    Stage,
};

pub fn give(program: &mut Program) {
    let Some(at) = program.stages.iter().position(|stage| matches!(stage, Stage::Loop { .. })) else {
        return;
    };
    for output in 0..program.outputs.len() {
        let Stage::Loop { domain, body, .. } = &program.stages[at] else { return };
        let [Stage::Map { kernel, args, .. }] = &body[..] else { return };
        let (domain, kernel) = (*domain, kernel.index());
        let out = &program.outputs[output];
        let width: usize = out.shape.iter().product();
        let buffer = &program.buffers[out.at.buffer.index()];
        let is_over = matches!(buffer.place, Place::Over { domain: d, .. } if d == domain);
        let whole = Arg::Rows(Operand { column: 0, ..out.at });
        let arg = args.iter().position(|arg| *arg == whole);
        let (Some(arg), true) = (arg, is_over && buffer.elem == Elem::F32) else { continue };
        let columns = out.at.column..out.at.column + width;
        let Some(stores) = stores(&program.kernels[kernel], ArgId(arg as u32), columns) else { continue };
        let new = Operand { buffer: BufferId(program.buffers.len() as u32), column: 0, lag: 0 };
        let place = Place::Over { domain, before: 0, after: 0 };
        program.buffers.push(Buffer { name: out.name.to_string(), place, width, elem: Elem::F32 });
        let into = &mut program.kernels[kernel];
        let to = ArgId(into.args.len() as u32);
        into.args.push(KernelArg { row_stride: width, elem: Elem::F32, written: true });
        let first = program.outputs[output].at.column;
        for (nest, effect) in stores {
            if let Effect::Store { access, value } = &into.nests[nest].effects[effect] {
                let access =
                    Access { arg: to, offset: access.offset - first, strides: access.strides.clone() };
                let value = *value;
                into.nests[nest].effects.push(Effect::Store { access, value });
            }
        }
        program.outputs[output].at = new;
        if let Stage::Loop { body, .. } = &mut program.stages[at]
            && let [Stage::Map { args, .. }] = &mut body[..]
        {
            args.push(Arg::Rows(new));
        }
        program.stages.push(Stage::Mask { out: new, width, fill: None });
    }
}

/// The stores, by nest and effect, that make some columns of a row; `None` if something else does, or is the last to.
fn stores(kernel: &Kernel, arg: ArgId, columns: std::ops::Range<usize>) -> Option<Vec<(usize, usize)>> {
    let mut stores = Vec::new();
    let mut is_made = vec![false; columns.len()];
    for (n, nest) in kernel.nests.iter().enumerate() {
        for (e, effect) in nest.effects.iter().enumerate() {
            let access = match effect {
                Effect::Store { access, .. }
                | Effect::Add { access, .. }
                | Effect::AddAt { access, .. }
                | Effect::ReduceInner { access, .. }
                | Effect::Contract { access, .. } => access,
                Effect::Reduce { .. } | Effect::Set { .. } => continue,
            };
            if access.arg != arg {
                continue;
            }
            let is_store = matches!(effect, Effect::Store { .. });
            let touched = elements(nest, access)?;
            let within = touched.iter().filter(|i| columns.contains(i)).count();
            if within == 0 {
                continue;
            }
            if is_store && within == touched.len() {
                touched.iter().for_each(|i| is_made[i - columns.start] = true);
                stores.push((n, e));
            } else if is_store || !stores.is_empty() || matches!(effect, Effect::AddAt { .. }) {
                return None;
            }
        }
    }
    (!stores.is_empty() && is_made.iter().all(|made| *made)).then_some(stores)
}

/// What an access touches of a row; nothing if that is too much to say one by one.
fn elements(nest: &Nest, access: &Access) -> Option<Vec<usize>> {
    let extents = &nest.extents[..access.strides.len().min(nest.extents.len())];
    let count = extents.iter().try_fold(1usize, |n, extent| n.checked_mul(*extent))?;
    if count > 1 << 20 {
        return None;
    }
    let mut all = vec![access.offset];
    for (extent, stride) in extents.iter().zip(&access.strides) {
        all = all.iter().flat_map(|at| (0..*extent).map(move |i| at + i * stride)).collect();
    }
    Some(all)
}
