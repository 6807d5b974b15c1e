//! What stages read and write.

use super::{Arg, BufferId, InputKind, KernelId, Operand, Program, Stage};

/// Every kernel that stages run, with its arguments.
pub fn each_map(stages: &[Stage], f: &mut impl FnMut(KernelId, &[Arg])) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => each_map(body, f),
            Stage::Map { kernel, args, .. } => f(*kernel, args),
            _ => {}
        }
    }
}

/// Every operand of stages; with the kernel, if it is an argument of one.
pub fn each_operand(stages: &[Stage], f: &mut impl FnMut(&Operand, Option<KernelId>)) {
    for stage in stages {
        let mut plain = |at: &Operand| f(at, None);
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => each_operand(body, f),
            Stage::Map { kernel, args, .. } => {
                for arg in args {
                    if let Arg::Rows(at) = arg {
                        f(at, Some(*kernel));
                    }
                }
            }
            Stage::Product { a, out, .. } => [a, out].into_iter().for_each(plain),
            Stage::Outer { a, b, out, .. } => [a, b, out].into_iter().for_each(plain),
            Stage::Tally { index, value, out, .. } => [index, value, out].into_iter().for_each(plain),
            Stage::Fill { out, .. } | Stage::Number { out, .. } => plain(out),
            Stage::Boundary { state, from, .. } => [state, from].into_iter().for_each(plain),
            Stage::Mask { out, fill, .. } => [out].into_iter().chain(fill).for_each(plain),
            Stage::Reverse { from, out, .. } | Stage::Fold { from, out, .. } => {
                [from, out].into_iter().for_each(plain)
            }
            Stage::Take { from, out, empty, .. } => [from, out, empty].into_iter().for_each(plain),
            Stage::Collect { from, out, .. } => from.iter().chain([out]).for_each(plain),
        }
    }
}

impl Program {
    /// For each weight, whether it is assembled from something that a run itself computes or is given: it is packed before
    /// each use.
    pub fn moving_weights(&self) -> Vec<bool> {
        let mut moves = vec![false; self.buffers.len()];
        for input in &self.inputs {
            if !matches!(input.kind, InputKind::Param(_)) {
                moves[input.at.buffer.index()] = true;
            }
        }
        self.each_written(&self.stages, &mut |buffer| moves[buffer.index()] = true);
        self.weights.iter().map(|w| w.parts.iter().any(|p| moves[p.source.buffer.index()])).collect()
    }

    /// For each weight, whether kernels read it, so that it has to lie as [`Arg::Weight`] says.
    pub fn read_by_kernels(&self) -> Vec<bool> {
        let mut read = vec![false; self.weights.len()];
        for stages in [&self.prepare, &self.stages] {
            each_map(stages, &mut |_, args| {
                for arg in args {
                    if let Arg::Weight(w) = arg {
                        read[w.index()] = true;
                    }
                }
            });
        }
        read
    }

    /// Every buffer that stages write.
    pub fn each_written(&self, stages: &[Stage], each: &mut impl FnMut(BufferId)) {
        for stage in stages {
            match stage {
                Stage::Loop { body, .. } | Stage::Fronts { body, .. } => self.each_written(body, each),
                Stage::Map { kernel, args, .. } => {
                    for (arg, declared) in args.iter().zip(&self.kernels[kernel.index()].args) {
                        if let Arg::Rows(at) = arg
                            && declared.written
                        {
                            each(at.buffer);
                        }
                    }
                }
                Stage::Product { out, .. }
                | Stage::Outer { out, .. }
                | Stage::Tally { out, .. }
                | Stage::Fill { out, .. }
                | Stage::Boundary { state: out, .. }
                | Stage::Mask { out, .. }
                | Stage::Reverse { out, .. }
                | Stage::Take { out, .. }
                | Stage::Collect { out, .. }
                | Stage::Fold { out, .. }
                | Stage::Number { out, .. } => each(out.buffer),
            }
        }
    }
}
