//! Sums and other reductions of a nest.
//!
//! Running results lie in memory, as many and in the order that [`order`](crate::loops::order) says. Of `ArgMax` they are
//! in registers, one for each lane of each group of vectors: it is the same in any order.

use super::function::{Emitter, WORD};
use super::lanes::{Lanes, Wide};
use super::nest::{Frame, GROUPS, Place};
use super::ops::{Ops, neutral};
use super::vectors::{VECTOR, memory};
use crate::loops::order::LANES;
use crate::loops::{Effect, Elem, ReduceOp};
use cranelift::prelude::*;
use cranelift_codegen::ir::StackSlot;

/// Running results of one effect.
#[derive(Clone, Debug)]
pub(super) enum Accumulator {
    /// The lanes of `order`.
    Lanes(ReduceOp, StackSlot),
    /// The greatest of each group and where it was found.
    ArgMax {
        best: Vec<Variable>,
        found: Vec<Variable>,
        /// Over the innermost axis alone.
        is_inner: bool,
    },
}

/// Lanes that come into use where the innermost axis has so many indices, in whole vectors.
fn lanes(frame: &Frame) -> usize {
    frame.extents.last().map_or(1, |n| *n).clamp(1, LANES).next_multiple_of(4)
}

impl Emitter<'_, '_> {
    pub(super) fn begin_folds(&mut self, frame: &mut Frame, which: impl Fn(&Effect) -> bool) {
        for (i, effect) in frame.nest.effects.iter().enumerate() {
            let op = match effect {
                Effect::Reduce { fold, .. } | Effect::ReduceInner { fold, .. } => *fold,
                _ => ReduceOp::Sum,
            };
            // Without an innermost axis there is nothing to add up beforehand.
            let is_plain_add = matches!(effect, Effect::Add { .. } | Effect::AddAt { .. });
            if !which(effect) || (is_plain_add && frame.extents.is_empty()) {
                continue;
            }
            let begin = self.lanes.entry([neutral(op); 4]);
            let accumulator = if op == ReduceOp::ArgMax {
                let zero = self.lanes.entry([0.0; 4]);
                let mut variables = |value: Value| -> Vec<Variable> {
                    let variables = (0..GROUPS).map(|_| self.lanes.b.declare_var(VECTOR));
                    let variables: Vec<Variable> = variables.collect();
                    variables.iter().for_each(|v| self.lanes.b.def_var(*v, value));
                    variables
                };
                let (best, found) = (variables(begin), variables(zero));
                Accumulator::ArgMax { best, found, is_inner: is_inner_fold(effect) }
            } else {
                let slot = self.fold_slot(frame.accumulators.len());
                for lane in (0..lanes(frame)).step_by(4) {
                    self.lanes.b.ins().stack_store(WORD, begin, slot, 4 * lane as i32);
                }
                Accumulator::Lanes(op, slot)
            };
            frame.accumulators.insert(i, accumulator);
        }
    }

    /// Memory of a nest's fold with this number; other nests use the same.
    fn fold_slot(&mut self, number: usize) -> StackSlot {
        while self.slots.len() <= number {
            let size = StackSlotData::new(StackSlotKind::ExplicitSlot, 4 * LANES as u32, 4);
            self.slots.push(self.lanes.b.create_sized_stack_slot(size));
        }
        self.slots[number]
    }

    pub(super) fn accumulate(&mut self, to: &Accumulator, wide: Wide, frame: &Frame, place: Place) {
        match to {
            Accumulator::Lanes(op, slot) => self.accumulate_lanes(*op, *slot, wide, place),
            Accumulator::ArgMax { best, found, is_inner } => {
                let wide = if self.lanes.used == 4 {
                    wide
                } else {
                    let first = self.lanes.b.ins().extractlane(wide[0], 0u8);
                    let none = self.lanes.entry([neutral(ReduceOp::ArgMax); 4]);
                    vec![self.lanes.b.ins().insertlane(none, first, 0u8)]
                };
                let index = self.flat_index(frame, place, *is_inner);
                let old: Wide = best[..wide.len()].iter().map(|v| self.lanes.b.use_var(*v)).collect();
                let old_index: Wide = found[..wide.len()].iter().map(|v| self.lanes.b.use_var(*v)).collect();
                let greater = self.lanes.compare(FloatCC::GreaterThan, &wide, &old);
                let index = self.lanes.choose(&greater, &index, &old_index);
                let most = self.lanes.choose(&greater, &wide, &old);
                for (variable, value) in found.iter().zip(index).chain(best.iter().zip(most)) {
                    self.lanes.b.def_var(*variable, value);
                }
            }
        }
    }

    fn accumulate_lanes(&mut self, op: ReduceOp, slot: StackSlot, wide: Wide, place: Place) {
        let mut at = self.lanes.b.ins().stack_addr(WORD, slot, 0);
        if let Some(bytes) = place.bytes {
            let within = self.word(4 * LANES - 1);
            let bytes = self.lanes.b.ins().band(bytes, within);
            at = self.lanes.b.ins().iadd(at, bytes);
        }
        if self.lanes.used == 4 {
            let old: Wide = (0..wide.len() as i32)
                .map(|g| self.lanes.b.ins().load(VECTOR, memory(), at, 16 * g))
                .collect();
            let new = self.lanes.fold(op, &old, &wide);
            for (g, value) in (0..).zip(new) {
                self.lanes.b.ins().store(memory(), value, at, 16 * g);
            }
            return;
        }
        let old = self.lanes.b.ins().load(types::F32, memory(), at, 0);
        let old = self.lanes.b.ins().splat(VECTOR, old);
        let new = self.lanes.fold(op, &vec![old], &wide);
        let first = self.lanes.b.ins().extractlane(new[0], 0u8);
        self.lanes.b.ins().store(memory(), first, at, 0);
    }

    /// The number of the current element among all of the nest, or of the innermost axis.
    fn flat_index(&mut self, frame: &Frame, place: Place, is_inner: bool) -> Wide {
        let mut index = self.word(0);
        let mut size: usize = frame.extents.last().copied().unwrap_or(1);
        for (counter, extent) in frame.outer.iter().zip(&frame.extents).rev() {
            if let (Some(counter), false) = (counter, is_inner) {
                let outer = self.lanes.b.use_var(*counter);
                let outer = self.times(outer, size);
                index = self.lanes.b.ins().iadd(index, outer);
            }
            size *= extent;
        }
        if let Some(bytes) = place.bytes {
            let two = self.lanes.b.ins().iconst(types::I32, 2);
            let inner = self.lanes.b.ins().ushr(bytes, two);
            index = self.lanes.b.ins().iadd(index, inner);
        }
        self.count_from(index, place.groups)
    }

    /// The result of a reduction in all lanes.
    pub(super) fn finish_fold(&mut self, frame: &Frame, effect: usize) -> Value {
        let (best, found) = match frame.accumulators[&effect].clone() {
            Accumulator::Lanes(op, slot) => {
                let vectors = lanes(frame) / 4;
                let mut all: Vec<Value> = (0..vectors as i32)
                    .map(|i| self.lanes.b.ins().stack_load(WORD, VECTOR, slot, 16 * i))
                    .collect();
                let mut half = LANES / 4;
                while half > 1 {
                    half /= 2;
                    for upper in half..all.len() {
                        all[upper - half] =
                            self.lanes.fold(op, &vec![all[upper - half]], &vec![all[upper]])[0];
                    }
                    all.truncate(half);
                }
                return self.across(all[0], |e, a, b| e.lanes.fold(op, &a, &b));
            }
            Accumulator::ArgMax { best, found, .. } => (best, found),
        };
        // Of equal ones the first element counts: the least index.
        let (mut most, mut index): (Option<Wide>, Option<Wide>) = (None, None);
        for (best, found) in best.into_iter().zip(found) {
            let (best, found) = (self.lanes.b.use_var(best), self.lanes.b.use_var(found));
            for lane in 0..4u8 {
                let [x, i] = [best, found].map(|v| {
                    let lane = self.lanes.b.ins().extractlane(v, lane);
                    vec![self.lanes.b.ins().splat(VECTOR, lane)]
                });
                (most, index) = match (most, index) {
                    (Some(m), Some(n)) => {
                        let greater = self.lanes.compare(FloatCC::GreaterThan, &x, &m);
                        let equal = self.lanes.compare(FloatCC::Equal, &x, &m);
                        let earlier = self.lanes.compare(FloatCC::LessThan, &i, &n);
                        let earlier = self.lanes.both(&equal, &earlier);
                        let take = self.lanes.either(&greater, &earlier);
                        (Some(self.lanes.choose(&take, &x, &m)), Some(self.lanes.choose(&take, &i, &n)))
                    }
                    _ => (Some(x), Some(i)),
                };
            }
        }
        index.map_or_else(|| self.lanes.entry([0.0; 4]), |index| index[0])
    }

    /// The last four lanes: `(0, 2), (1, 3)`, then both; in all lanes of the result.
    fn across(&mut self, v: Value, mut f: impl FnMut(&mut Self, Wide, Wide) -> Wide) -> Value {
        let lanes: Vec<Wide> = (0..4u8)
            .map(|lane| {
                let x = self.lanes.b.ins().extractlane(v, lane);
                vec![self.lanes.b.ins().splat(VECTOR, x)]
            })
            .collect();
        let even = f(self, lanes[0].clone(), lanes[2].clone());
        let odd = f(self, lanes[1].clone(), lanes[3].clone());
        f(self, even, odd)[0]
    }

    pub(super) fn end_inner_folds(&mut self, frame: &Frame) {
        for (i, effect) in frame.nest.effects.iter().enumerate() {
            let (access, id, add) = match effect {
                _ if !is_inner_fold(effect) || !frame.accumulators.contains_key(&i) => continue,
                Effect::ReduceInner { access, add, .. } => (access, None, *add),
                Effect::Add { access, .. } => (access, None, true),
                Effect::AddAt { access, index, stride, .. } => (access, Some((*index, *stride)), true),
                _ => continue,
            };
            let mut value = self.finish_fold(frame, i);
            self.lanes.used = 1;
            let (at, _) = self.address(access, id, frame, Place { bytes: None, groups: 1 });
            let is_id = self.kernel.args[access.arg.index()].elem == Elem::I32;
            if add {
                let old = self.load_vector(at, access.offset, 0, 0, is_id);
                value = self.lanes.b.ins().fadd(old, value);
            }
            self.store(at, access.offset, 0, 0, is_id, value);
        }
    }
}

/// Folded along the innermost axis and written once behind it.
pub(super) fn is_inner_fold(effect: &Effect) -> bool {
    match effect {
        Effect::ReduceInner { .. } => true,
        Effect::Add { access, .. } | Effect::AddAt { access, .. } => access.strides.last() == Some(&0),
        Effect::Store { .. } | Effect::Reduce { .. } | Effect::Set { .. } | Effect::Contract { .. } => false,
    }
}
