//! Sums and other reductions of a nest.
//!
//! A running result has one accumulator for each lane of each group of vectors. They are combined in a fixed order: groups
//! first, then lanes `(0, 2)` and `(1, 3)`, then both; so the same row gives the same bits every time.

use super::function::Emitter;
use super::lanes::{Lanes, Wide};
use super::nest::{Frame, GROUPS, Place};
use super::vectors::VECTOR;
use crate::loops::{Effect, Elem, ReduceOp};
use cranelift::prelude::*;

/// Running results of one effect: a vector for each group (of `ArgMax`: also where it was found).
#[derive(Clone, Debug)]
pub(super) struct Accumulator {
    op: ReduceOp,
    pub(super) best: Vec<Variable>,
    pub(super) found: Vec<Variable>,
    /// Over the innermost axis alone.
    pub(super) is_inner: bool,
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
            let begin = |e: &mut Self, x: f32| {
                let variable = e.lanes.b.declare_var(VECTOR);
                let value = e.lanes.entry([x; 4]);
                e.lanes.b.def_var(variable, value);
                variable
            };
            let best = (0..GROUPS).map(|_| begin(self, Self::neutral(op))).collect();
            let found = match op {
                ReduceOp::ArgMax => (0..GROUPS).map(|_| begin(self, 0.0)).collect(),
                _ => Vec::new(),
            };
            let is_inner = is_inner_fold(effect);
            frame.accumulators.insert(i, Accumulator { op, best, found, is_inner });
        }
    }

    pub(super) fn accumulate(&mut self, to: &Accumulator, wide: Wide, frame: &Frame, place: Place) {
        let wide = if self.lanes.used == 4 {
            wide
        } else {
            let first = self.lanes.b.ins().extractlane(wide[0], 0u8);
            let neutral = self.lanes.entry([Self::neutral(to.op); 4]);
            vec![self.lanes.b.ins().insertlane(neutral, first, 0u8)]
        };
        let old: Wide = to.best[..wide.len()].iter().map(|v| self.lanes.b.use_var(*v)).collect();
        let new = if to.op == ReduceOp::ArgMax {
            let index = self.flat_index(frame, place, to.is_inner);
            let old_index: Wide = to.found[..wide.len()].iter().map(|v| self.lanes.b.use_var(*v)).collect();
            let greater = self.lanes.compare(FloatCC::GreaterThan, &wide, &old);
            let index = self.lanes.choose(&greater, &index, &old_index);
            for (variable, value) in to.found.iter().zip(index) {
                self.lanes.b.def_var(*variable, value);
            }
            self.lanes.choose(&greater, &wide, &old)
        } else {
            self.fold(to.op, &old, &wide)
        };
        for (variable, value) in to.best.iter().zip(new) {
            self.lanes.b.def_var(*variable, value);
        }
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

    /// The result of a reduction in all lanes: groups in order, then lanes.
    pub(super) fn finish_fold(&mut self, frame: &Frame, effect: usize) -> Value {
        let to = frame.accumulators[&effect].clone();
        let mut best: Vec<Value> = to.best.iter().map(|v| self.lanes.b.use_var(*v)).collect();
        if to.op != ReduceOp::ArgMax {
            let mut all = vec![best.remove(0)];
            for next in best {
                all = self.fold(to.op, &all, &vec![next]);
            }
            let op = to.op;
            return self.across(all[0], |e, a, b| e.fold(op, &a, &b));
        }
        // Of equal ones the first element counts: the least index.
        let (mut most, mut index): (Option<Wide>, Option<Wide>) = (None, None);
        for (best, found) in best.into_iter().zip(&to.found) {
            let found = self.lanes.b.use_var(*found);
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

    /// Lanes `(0, 2), (1, 3)`, then both; in all lanes of the result.
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
