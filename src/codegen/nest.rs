//! One loop nest: outer axes as loops, the innermost in vectors.
//!
//! The innermost axis runs in steps of [`GROUPS`] vectors, then at most `GROUPS − 1` single vectors, then one by one
//! (in vectors of which one lane counts, so that every element is computed by the same operations). What does not
//! change along the innermost axis is computed before it.

use super::axes::{Moved, accesses, fixed, merge_axes, quotients_as_products};
use super::folds::{Accumulator, is_inner_fold};
use super::function::{Emitter, WORD};
use super::lanes::{Lanes, Wide};
use super::math::OFTEN;
use super::ops::{self, Ops, get};
use super::vectors::{MASK, VECTOR, memory};
use crate::eqn::Unary;
use crate::loops::{Access, Effect, Elem, Inst, Nest};
use cranelift::prelude::*;
use std::collections::BTreeMap;

/// Vectors computed side by side. With one, a step of gates was a sixth slower.
pub(super) const GROUPS: usize = 2;

type Known = ops::Known<Value>;

/// An argument, its outer strides, and the id that moves it.
type BaseKey = (u32, Vec<usize>, Moved);

/// One nest while it is emitted.
pub(super) struct Frame<'n> {
    pub(super) nest: &'n Nest,
    pub(super) extents: Vec<usize>,
    /// Loop counters of the outer axes; `None` for an axis of extent 1.
    pub(super) outer: Vec<Option<Variable>>,
    /// Addresses of accesses at index 0 of the innermost axis, by argument, outer strides and id.
    pub(super) bases: BTreeMap<BaseKey, Value>,
    pub(super) rows: BTreeMap<u32, Value>,
    pub(super) invariant: Vec<Option<Known>>,
    pub(super) accumulators: BTreeMap<usize, Accumulator>,
}

/// Where the innermost axis stands: its index in bytes (4 times the index), and how many vectors are computed.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) bytes: Option<Value>,
    pub(super) groups: usize,
}

impl Emitter<'_, '_> {
    pub fn nest(&mut self, nest: &Nest) {
        if let Some(contraction) = nest.contraction() {
            return self.contract(nest, contraction);
        }
        let better = quotients_as_products(&merge_axes(nest));
        let nest = &better;
        let extents = nest.extents.clone();
        let mut frame = Frame {
            nest,
            outer: vec![None; extents.len().saturating_sub(1)],
            extents,
            bases: BTreeMap::new(),
            rows: BTreeMap::new(),
            invariant: Vec::new(),
            accumulators: BTreeMap::new(),
        };
        self.row_addresses(&mut frame);
        self.begin_folds(&mut frame, |effect| matches!(effect, Effect::Reduce { .. }));
        if !frame.extents.contains(&0) {
            self.outer_loops(&mut frame);
        }
        for (i, effect) in nest.effects.iter().enumerate() {
            if let Effect::Reduce { into, .. } = effect {
                let result = self.finish_fold(&frame, i);
                let variable = self.scalars[into.index()];
                self.lanes.b.def_var(variable, result);
            }
        }
    }

    fn row_addresses(&mut self, frame: &mut Frame) {
        let mut args: Vec<u32> = accesses(frame.nest).map(|(a, _)| a.arg.0).collect();
        args.sort_unstable();
        args.dedup();
        for arg in args {
            let row = self.row_of(arg as usize);
            frame.rows.insert(arg, row);
        }
    }

    fn outer_loops(&mut self, frame: &mut Frame) {
        let mut headers = Vec::new();
        for d in 0..frame.outer.len() {
            if frame.extents[d] > 1 {
                let counter = self.lanes.b.declare_var(WORD);
                let zero = self.word(0);
                self.lanes.b.def_var(counter, zero);
                let header = self.lanes.b.create_block();
                self.lanes.jump(header);
                self.lanes.b.switch_to_block(header);
                frame.outer[d] = Some(counter);
                headers.push((counter, frame.extents[d], header));
            }
        }
        self.base_addresses(frame);
        self.invariants(frame);
        if frame.nest.insts.iter().any(uses_exp) {
            self.lanes.hold(&OFTEN);
        }
        self.begin_folds(frame, is_inner_fold);
        self.inner_axis(frame);
        self.lanes.held.clear();
        self.end_inner_folds(frame);
        for (counter, extent, header) in headers.into_iter().rev() {
            self.next(counter, 1, extent, header);
        }
    }

    /// Counts on and goes back to `header` as long as the counter is below `end`.
    pub(super) fn next(&mut self, counter: Variable, step: usize, end: usize, header: Block) {
        let this = self.lanes.b.use_var(counter);
        let next = self.plus(this, step);
        self.lanes.b.def_var(counter, next);
        let end = self.word(end);
        let more = self.lanes.b.ins().icmp(IntCC::UnsignedLessThan, next, end);
        let exit = self.lanes.b.create_block();
        self.lanes.branch(more, header, exit);
        self.lanes.b.switch_to_block(exit);
    }

    fn base_addresses(&mut self, frame: &mut Frame) {
        for (access, id) in accesses(frame.nest) {
            let key = base_key(access, id, frame);
            if frame.bases.contains_key(&key) {
                continue;
            }
            let mut at = frame.rows[&access.arg.0];
            for (counter, stride) in frame.outer.clone().into_iter().zip(&key.1) {
                if let (Some(counter), true) = (counter, *stride > 0) {
                    let index = self.lanes.b.use_var(counter);
                    let bytes = self.times(index, stride * 4);
                    at = self.lanes.b.ins().iadd(at, bytes);
                }
            }
            if let Some((index, stride)) = id {
                let bytes = self.id_bytes(access, index, stride, &frame.extents);
                at = self.lanes.b.ins().iadd(at, bytes);
            }
            frame.bases.insert(key, at);
        }
    }

    /// Computes ahead what is the same at every index of the innermost axis.
    fn invariants(&mut self, frame: &mut Frame) {
        self.lanes.used = 4;
        for (inst, fixed) in frame.nest.insts.iter().zip(fixed(frame.nest)) {
            let mut ahead = std::mem::take(&mut frame.invariant);
            ahead.push(fixed.then(|| {
                let mut known = self.inst(inst, frame, &ahead, Place { bytes: None, groups: 1 });
                // Later blocks share it, so both forms must be there before they part.
                if let (Some(mask), None) = (&known.mask, &known.wide) {
                    known.wide = Some(self.lanes.truth(mask));
                }
                known
            }));
            frame.invariant = ahead;
        }
    }

    fn inner_axis(&mut self, frame: &mut Frame) {
        let Some(&extent) = frame.extents.last() else {
            self.lanes.used = 1;
            self.body(frame, Place { bytes: None, groups: 1 });
            return;
        };
        let mut done = 0;
        for (groups, used) in [(GROUPS, 4), (1, 4), (1, 1)] {
            let step = groups * used as usize;
            let times = (extent - done) / step;
            self.lanes.used = used;
            match times {
                0 => {}
                1 => {
                    let bytes = self.word(done * 4);
                    self.body(frame, Place { bytes: Some(bytes), groups });
                }
                _ => {
                    let counter = self.lanes.b.declare_var(WORD);
                    let begin = self.word(done * 4);
                    self.lanes.b.def_var(counter, begin);
                    let header = self.lanes.b.create_block();
                    self.lanes.jump(header);
                    self.lanes.b.switch_to_block(header);
                    let bytes = self.lanes.b.use_var(counter);
                    self.body(frame, Place { bytes: Some(bytes), groups });
                    self.next(counter, step * 4, (done + times * step) * 4, header);
                }
            }
            done += times * step;
        }
        self.lanes.used = 4;
    }

    fn body(&mut self, frame: &Frame, place: Place) {
        let mut known: Vec<Option<Known>> = Vec::with_capacity(frame.nest.insts.len());
        for (inst, ahead) in frame.nest.insts.iter().zip(&frame.invariant) {
            known.push(Some(match ahead {
                Some(ahead) => {
                    let spread = |w: &Option<Wide>| w.as_ref().map(|w| vec![w[0]; place.groups]);
                    Known { number: ahead.number, wide: spread(&ahead.wide), mask: spread(&ahead.mask) }
                }
                None => self.inst(inst, frame, &known, place),
            }));
        }
        for (i, effect) in frame.nest.effects.iter().enumerate() {
            self.effect(i, effect, frame, &mut known, place);
        }
    }

    fn inst(&mut self, inst: &Inst, frame: &Frame, known: &[Option<Known>], place: Place) -> Known {
        Known::wide(match inst {
            Inst::Load(access) => self.load(access, None, frame, place),
            Inst::LoadAt { access, index, stride } => {
                self.load(access, Some((*index, *stride)), frame, place)
            }
            Inst::Scalar(s) => vec![self.lanes.b.use_var(self.scalars[s.index()]); place.groups],
            Inst::Index(axis) => self.index(*axis as usize, frame, place),
            _ => return self.lanes.operation(inst, known, place.groups),
        })
    }

    /// The loop index of an axis.
    fn index(&mut self, axis: usize, frame: &Frame, place: Place) -> Wide {
        if axis + 1 == frame.extents.len() {
            let Some(bytes) = place.bytes else { return self.lanes.spread(0.0, place.groups) };
            let two = self.lanes.b.ins().iconst(types::I32, 2);
            let index = self.lanes.b.ins().ushr(bytes, two);
            return self.count_from(index, place.groups);
        }
        match frame.outer[axis] {
            Some(counter) => {
                let index = self.lanes.b.use_var(counter);
                let index = self.lanes.b.ins().fcvt_from_sint(types::F32, index);
                vec![self.lanes.b.ins().splat(VECTOR, index); place.groups]
            }
            None => self.lanes.spread(0.0, place.groups),
        }
    }

    /// `first, first + 1, ..` along the lanes of all groups.
    pub(super) fn count_from(&mut self, first: Value, groups: usize) -> Wide {
        let first = self.lanes.b.ins().fcvt_from_sint(types::F32, first);
        let first = self.lanes.b.ins().splat(VECTOR, first);
        (0..groups)
            .map(|g| {
                let lanes = self.lanes.entry([0, 1, 2, 3].map(|lane| (4 * g + lane) as f32));
                self.lanes.b.ins().fadd(first, lanes)
            })
            .collect()
    }

    /// Address of an access at the current innermost index, and its innermost stride.
    pub(super) fn address(
        &mut self,
        access: &Access,
        id: Moved,
        frame: &Frame,
        place: Place,
    ) -> (Value, usize) {
        let mut at = frame.bases[&base_key(access, id, frame)];
        let stride = if access.strides.len() == frame.extents.len() {
            access.strides.last().copied().unwrap_or(0)
        } else {
            0
        };
        if let (Some(bytes), true) = (place.bytes, stride > 0) {
            let bytes = self.times(bytes, stride);
            at = self.lanes.b.ins().iadd(at, bytes);
        }
        (at, stride)
    }

    fn load(&mut self, access: &Access, id: Moved, frame: &Frame, place: Place) -> Wide {
        let (at, stride) = self.address(access, id, frame, place);
        let is_id = self.kernel.args[access.arg.index()].elem == Elem::I32;
        (0..place.groups).map(|g| self.load_vector(at, access.offset, g, stride, is_id)).collect()
    }

    pub(super) fn load_vector(
        &mut self,
        at: Value,
        offset: usize,
        group: usize,
        stride: usize,
        is_id: bool,
    ) -> Value {
        if self.lanes.used == 4 && stride == 1 {
            let (at, near) = self.near(at, (offset + 4 * group) * 4);
            return if is_id {
                let ids = self.lanes.b.ins().load(MASK, memory(), at, near);
                self.lanes.b.ins().fcvt_from_sint(VECTOR, ids)
            } else {
                self.lanes.b.ins().load(VECTOR, memory(), at, near)
            };
        }
        let one = |e: &mut Self, lane: usize| {
            let (at, near) = e.near(at, (offset + lane * stride) * 4);
            if is_id {
                let id = e.lanes.b.ins().load(types::I32, memory(), at, near);
                e.lanes.b.ins().fcvt_from_sint(types::F32, id)
            } else {
                e.lanes.b.ins().load(types::F32, memory(), at, near)
            }
        };
        let first = one(self, 4 * group);
        if stride == 0 {
            return self.lanes.b.ins().splat(VECTOR, first);
        }
        let mut all = self.lanes.b.ins().scalar_to_vector(VECTOR, first);
        for lane in 1..self.lanes.used {
            let next = one(self, 4 * group + lane as usize);
            all = self.lanes.b.ins().insertlane(all, next, lane);
        }
        all
    }

    pub(super) fn store(
        &mut self,
        at: Value,
        offset: usize,
        group: usize,
        stride: usize,
        is_id: bool,
        value: Value,
    ) {
        if self.lanes.used == 4 && stride == 1 {
            let (at, near) = self.near(at, (offset + 4 * group) * 4);
            let value = if is_id { self.lanes.b.ins().fcvt_to_sint_sat(MASK, value) } else { value };
            self.lanes.b.ins().store(memory(), value, at, near);
            return;
        }
        // At one place for all lanes the last one stays.
        let from = if stride == 0 { self.lanes.used - 1 } else { 0 };
        for lane in from..self.lanes.used {
            let (at, near) = self.near(at, (offset + (4 * group + lane as usize) * stride) * 4);
            let value = self.lanes.b.ins().extractlane(value, lane);
            let value = if is_id { self.lanes.b.ins().fcvt_to_sint_sat(types::I32, value) } else { value };
            self.lanes.b.ins().store(memory(), value, at, near);
        }
    }

    fn effect(
        &mut self,
        i: usize,
        effect: &Effect,
        frame: &Frame,
        known: &mut [Option<Known>],
        place: Place,
    ) {
        let (value, access, id, add) = match effect {
            Effect::Reduce { value, .. } | Effect::ReduceInner { value, .. } => {
                let wide = self.lanes.wide(get(known, *value), place.groups);
                self.accumulate(&frame.accumulators[&i], wide, frame, place);
                return;
            }
            Effect::Set { value, into } => {
                let wide = self.lanes.wide(get(known, *value), 1);
                let first = self.lanes.b.ins().extractlane(wide[0], 0u8);
                let all = self.lanes.b.ins().splat(VECTOR, first);
                let variable = self.scalars[into.index()];
                self.lanes.b.def_var(variable, all);
                return;
            }
            // A nest of its own kind.
            Effect::Contract { .. } => return,
            Effect::Store { access, value } => (value, access, None, false),
            Effect::Add { access, value } => (value, access, None, true),
            Effect::AddAt { access, index, stride, value } => (value, access, Some((*index, *stride)), true),
        };
        let wide = self.lanes.wide(get(known, *value), place.groups);
        if let Some(accumulator) = frame.accumulators.get(&i) {
            self.accumulate(accumulator, wide, frame, place);
            return;
        }
        let (at, stride) = self.address(access, id, frame, place);
        let is_id = self.kernel.args[access.arg.index()].elem == Elem::I32;
        for (g, mut value) in wide.into_iter().enumerate() {
            if add {
                let old = self.load_vector(at, access.offset, g, stride, is_id);
                value = self.lanes.b.ins().fadd(old, value);
            }
            self.store(at, access.offset, g, stride, is_id, value);
        }
    }
}

/// Computed with an exponential.
fn uses_exp(inst: &Inst) -> bool {
    use Unary::{Exp, LogSigmoid, Sigmoid, Softplus, Tanh};
    matches!(inst, Inst::Unary(Exp | Tanh | Sigmoid | Softplus | LogSigmoid, _))
}

fn base_key(access: &Access, id: Moved, frame: &Frame) -> BaseKey {
    let outer = access.strides.iter().take(frame.outer.len()).copied().collect();
    (access.arg.0, outer, id)
}
