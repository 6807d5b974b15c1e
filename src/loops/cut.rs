//! Where a program with its adjoint can be interrupted: behind the forward part, before cotangents are needed.
//!
//! In: a [`Program`]. Out: a [`Cut`]. It is found by what stages touch, whatever the scheduler meant: a stage is late if
//! it, or anything before it that it reads, touches a buffer with cotangents.

use super::walk::{each_map, each_operand};
use super::{Arg, BufferId, InputKind, Program, Stage, WeightId};
use std::collections::BTreeSet;

/// The two parts of a program's stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first stage that needs cotangents. Behind it nothing is stored to what is given out without them, so those
    /// outputs are there when the stages before are done. `None` if there is no such place.
    pub at: Option<usize>,
    /// Whether the stages behind can be run again, with other cotangents, without those before.
    pub is_repeatable: bool,
}

/// `outputs`: what is to be there before any cotangent is.
pub fn cut<'a>(program: &Program, outputs: impl IntoIterator<Item = &'a str>) -> Cut {
    let cotangents = program.inputs.iter().filter(|i| i.kind == InputKind::Cotangent);
    let given: BTreeSet<BufferId> = cotangents.map(|i| i.at.buffer).collect();
    let at = program.stages.iter().position(|stage| touches(program, stage, &given));
    let at = at.unwrap_or(program.stages.len());
    let (before, behind) = program.stages.split_at(at);
    let (early, late) = (stored(program, before), stored(program, behind));
    let names: BTreeSet<&str> = outputs.into_iter().collect();
    let wanted = program.outputs.iter().filter(|o| names.contains(&*o.name)).map(|o| o.at.buffer);
    // An output that no stage stores is an input, or prepared.
    let is_there = wanted.into_iter().all(|buffer| !late.contains(&buffer));
    let is_repeatable = early.is_disjoint(&late);
    Cut { at: is_there.then_some(at), is_repeatable }
}

/// Whether a stage reads or writes one of these, or a weight made of it.
fn touches(program: &Program, stage: &Stage, buffers: &BTreeSet<BufferId>) -> bool {
    let mut found = false;
    each_operand(std::slice::from_ref(stage), &mut |at, _| found |= buffers.contains(&at.buffer));
    let mut weight = |w: WeightId| {
        let parts = program.weights.get(w.index()).map_or(&[][..], |w| &w.parts);
        found |= parts.iter().any(|p| buffers.contains(&p.source.buffer));
    };
    each_weight(std::slice::from_ref(stage), &mut weight);
    found
}

fn each_weight(stages: &[Stage], f: &mut impl FnMut(WeightId)) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => each_weight(body, f),
            Stage::Product { weight, .. } => f(*weight),
            _ => {}
        }
    }
    each_map(stages, &mut |_, args| {
        for arg in args {
            if let Arg::Weight(w) = arg {
                f(*w);
            }
        }
    });
}

/// Buffers that stages store to. Zeros in padding and values around a domain are the same however often they are stored.
fn stored(program: &Program, stages: &[Stage]) -> BTreeSet<BufferId> {
    let mut all = BTreeSet::new();
    let is_lasting = |stage: &&Stage| !matches!(stage, Stage::Mask { .. } | Stage::Boundary { .. });
    for stage in stages.iter().filter(is_lasting) {
        program.each_written(std::slice::from_ref(stage), &mut |buffer| {
            all.insert(buffer);
        });
    }
    all
}
