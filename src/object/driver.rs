//! Stages as straight code: what the runtime does with a program, said in instructions.
//!
//! In: stages of a [`plain`](super::plain) program, their [`Plan`], and the words that the function was called with. Out: calls
//! of kernels with the addresses of their rows, and of the two functions that copy and fill. There is one example, so a
//! row per example is one row, and the rows of a step are one.

use super::plan::{Home, Plan, Shape, Size};
use super::words::{NONE, Words, memory};
use crate::eqn::{DomainId, Point};
use crate::loops::{Arg, BufferId, Elem, KernelId, Operand, PANEL, Place, Program, Stage, WeightId};
use cranelift::prelude::*;
use cranelift_codegen::ir::{FuncRef, GlobalValue, StackSlot};

/// What a function calls, as it is declared in it.
pub struct Callees {
    /// Each kernel with its constants.
    pub kernels: Vec<(FuncRef, Option<GlobalValue>)>,
    pub copy: FuncRef,
    pub fill: FuncRef,
}

/// The words that a function was called with.
pub struct Bases {
    /// Parameters, and what follows from them.
    pub weights: Value,
    /// A stream's state.
    pub kept: Option<Value>,
    /// The workspace.
    pub work: Option<Value>,
    /// For each domain its number of steps.
    pub steps: Vec<Value>,
    /// For each input where the caller's array is.
    pub given: Vec<Option<Value>>,
}

pub struct Driver<'a> {
    pub w: Words<'a>,
    pub program: &'a Program,
    pub plan: &'a Plan,
    pub callees: Callees,
    pub bases: Bases,
    /// For each domain the step of the loop we are in.
    now: Vec<Option<Value>>,
    /// What kernels are called with.
    slot: StackSlot,
}

/// Rows one after another: the address of the first, and the bytes from row to row.
#[derive(Clone, Copy)]
struct Rows {
    at: Value,
    stride: i64,
}

impl<'a> Driver<'a> {
    pub fn new(
        mut w: Words<'a>,
        program: &'a Program,
        plan: &'a Plan,
        callees: Callees,
        bases: Bases,
    ) -> Driver<'a> {
        let most = program.kernels.iter().map(|k| k.args.len()).max().unwrap_or(0);
        let bytes = (2 * most as u32 + 1) * 8;
        let slot = w.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 3));
        Driver { w, program, plan, callees, bases, now: vec![None; program.domains.len()], slot }
    }

    /// A call goes through all steps of this domain.
    fn is_whole(&self, domain: DomainId) -> bool {
        self.plan.shape != Shape::Steps(domain)
    }

    fn place(&self, buffer: BufferId) -> Place {
        self.program.buffers[buffer.index()].place
    }

    fn width(&self, buffer: BufferId) -> usize {
        self.program.buffers[buffer.index()].width
    }

    /// An address in the workspace.
    fn in_work(&mut self, at: &Size) -> Value {
        let mut address = match self.bases.work {
            Some(work) => self.w.plus(work, at.fixed as i64 * 4),
            None => self.w.word(0),
        };
        for (domain, each) in &at.per {
            let bytes = self.w.b.ins().imul_imm_s(self.bases.steps[domain.index()], *each as i64 * 4);
            address = self.w.b.ins().iadd(address, bytes);
        }
        address
    }

    fn in_state(&mut self, element: usize) -> Value {
        match self.bases.kept {
            Some(kept) => self.w.plus(kept, element as i64 * 4),
            None => self.w.word(0),
        }
    }

    fn home(&mut self, home: &Home) -> Value {
        match home {
            Home::Param(at) | Home::Prepared(at) => self.w.plus(self.bases.weights, *at as i64 * 4),
            Home::Kept(at) => self.in_state(*at),
            Home::Carried { now, .. } => self.in_work(&Size { fixed: *now, ..Size::default() }),
            Home::Work(at) => self.in_work(at),
            Home::Given(input) => match self.bases.given[*input] {
                Some(array) => array,
                None => self.w.word(0),
            },
        }
    }

    /// The rows of an operand: of the step we are in, or all.
    fn rows(&mut self, at: &Operand) -> Rows {
        let width = self.width(at.buffer) as i64;
        let home = self.plan.buffers[at.buffer.index()].clone();
        let (ahead, stride, step) = match self.place(at.buffer) {
            Place::Shared | Place::Example => (0, 0, None),
            Place::Over { domain, .. } if !self.is_whole(domain) => {
                if let (Home::Carried { kept, before, first, width, .. }, true) = (&home, at.lag < 0) {
                    let row = *before as i64 + i64::from(at.lag);
                    let element = *kept as i64 + row * *width as i64 + at.column as i64 - *first as i64;
                    let kept = self.in_state(0);
                    return Rows { at: self.w.plus(kept, element * 4), stride: 0 };
                }
                (0, 0, None)
            }
            Place::Over { domain, before, .. } => {
                (i64::from(before) + i64::from(at.lag), width, Some(self.now[domain.index()]))
            }
        };
        let mut address = self.home(&home);
        address = self.w.plus(address, (ahead * width + at.column as i64) * 4);
        if let Some(Some(step)) = step {
            let bytes = self.w.b.ins().imul_imm_s(step, width * 4);
            address = self.w.b.ins().iadd(address, bytes);
        }
        Rows { at: address, stride: stride * 4 }
    }

    /// How many rows a place has here.
    fn count(&mut self, place: Place) -> Value {
        match place {
            Place::Over { domain, .. } if self.is_whole(domain) && self.now[domain.index()].is_none() => {
                self.bases.steps[domain.index()]
            }
            _ => self.w.word(1),
        }
    }

    pub fn stages(&mut self, stages: &[Stage]) {
        for stage in stages {
            match stage {
                Stage::Loop { domain, reverse, body } => self.steps(*domain, *reverse, body),
                Stage::Map { kernel, over, args } => {
                    let rows = self.count(*over);
                    self.call(*kernel, args, rows, false);
                }
                Stage::Fill { out, width, value } => self.fill(out, *width, *value),
                Stage::Boundary { state, width, from, distance, after } => {
                    self.boundary(state, *width, from, *distance, *after);
                }
                Stage::Reverse { from, out, width } => self.reverse(from, out, *width),
                Stage::Take { from, out, width, point, empty } => {
                    self.take([from, out, empty], *width, *point)
                }
                // `plain` leaves none.
                Stage::Product { .. }
                | Stage::Outer { .. }
                | Stage::Tally { .. }
                | Stage::Mask { .. }
                | Stage::Fronts { .. }
                | Stage::Collect { .. }
                | Stage::Fold { .. }
                | Stage::Number { .. } => {}
            }
        }
    }

    /// All steps of a loop; in one call, if each is one of a kernel.
    fn steps(&mut self, domain: DomainId, reverse: bool, body: &[Stage]) {
        let steps = self.bases.steps[domain.index()];
        if let [Stage::Map { kernel, over: Place::Over { domain: d, .. }, args }] = body
            && *d == domain
            && !args.iter().any(|arg| matches!(arg, Arg::Weight(w) if self.plan.moving[w.index()]))
        {
            self.call(*kernel, args, steps, reverse);
            return;
        }
        let counter = self.w.b.declare_var(types::I64);
        let zero = self.w.word(0);
        self.w.b.def_var(counter, zero);
        let [header, inside, behind] = [0; 3].map(|_| self.w.b.create_block());
        self.w.b.ins().jump(header, NONE);
        self.w.b.switch_to_block(header);
        let turn = self.w.b.use_var(counter);
        let more = self.w.b.ins().icmp(IntCC::UnsignedLessThan, turn, steps);
        self.w.b.ins().brif(more, inside, NONE, behind, NONE);
        self.w.b.switch_to_block(inside);
        let mut step = turn;
        if reverse {
            let left = self.w.b.ins().isub(steps, turn);
            step = self.w.b.ins().iadd_imm_s(left, -1);
        }
        self.now[domain.index()] = Some(step);
        self.stages(body);
        self.now[domain.index()] = None;
        let turn = self.w.b.use_var(counter);
        let next = self.w.b.ins().iadd_imm_s(turn, 1);
        self.w.b.def_var(counter, next);
        self.w.b.ins().jump(header, NONE);
        self.w.b.switch_to_block(behind);
    }

    fn call(&mut self, kernel: KernelId, args: &[Arg], rows: Value, reverse: bool) {
        for arg in args {
            if let Arg::Weight(weight) = arg
                && self.plan.moving[weight.index()]
            {
                self.pack(*weight);
            }
        }
        let count = args.len();
        for (i, arg) in args.iter().enumerate() {
            let mut found = match arg {
                Arg::Rows(at) => self.rows(at),
                Arg::Weight(weight) => {
                    let home = self.plan.weights[weight.index()].clone();
                    Rows { at: self.home(&home), stride: 0 }
                }
                Arg::Position(domain) => self.position(*domain),
                Arg::Length(domain) => {
                    let at = self.plan.lengths.get(domain).cloned().unwrap_or_default();
                    Rows { at: self.in_work(&at), stride: 0 }
                }
            };
            if reverse && found.stride != 0 {
                // From the last row backwards.
                let last = self.w.b.ins().iadd_imm_s(rows, -1);
                let bytes = self.w.b.ins().imul_imm_s(last, found.stride);
                found = Rows { at: self.w.b.ins().iadd(found.at, bytes), stride: -found.stride };
            }
            self.w.b.ins().stack_store(types::I64, found.at, self.slot, i as i32 * 8);
            let stride = self.w.word(found.stride);
            self.w.b.ins().stack_store(types::I64, stride, self.slot, (count + 1 + i) as i32 * 8);
        }
        let (function, constants) = self.callees.kernels[kernel.index()];
        let constants = match constants {
            Some(data) => self.w.b.ins().symbol_value(types::I64, data),
            None => self.w.word(0),
        };
        self.w.b.ins().stack_store(types::I64, constants, self.slot, count as i32 * 8);
        let args = self.w.b.ins().stack_addr(types::I64, self.slot, 0);
        let turn = self.w.word(0);
        self.w.b.ins().call(function, &[args, rows, turn]);
    }

    fn position(&mut self, domain: DomainId) -> Rows {
        let at = self.plan.positions.get(&domain).cloned().unwrap_or_default();
        let mut first = self.in_work(&at);
        if let Some(step) = self.now[domain.index()] {
            let bytes = self.w.b.ins().ishl_imm_s(step, 2);
            first = self.w.b.ins().iadd(first, bytes);
        }
        let is_one = !self.is_whole(domain) || self.now[domain.index()].is_some();
        Rows { at: first, stride: if is_one { 0 } else { 4 } }
    }

    /// Calls `copy` for rows of one piece each.
    fn copy(&mut self, to: Rows, from: Rows, rows: Value, width: usize) {
        self.copy_apart(to, from, rows, width, 4);
    }

    fn copy_apart(&mut self, to: Rows, from: Rows, rows: Value, width: usize, pace: i64) {
        let words = [width as i64, to.stride, from.stride, pace].map(|n| self.w.word(n));
        let [width, to_row, from_row, pace] = words;
        self.w.b.ins().call(self.callees.copy, &[to.at, from.at, rows, width, to_row, from_row, pace]);
    }

    fn fill_rows(&mut self, to: Rows, rows: Value, width: usize, bits: u32) {
        let words = [width as i64, to.stride, i64::from(bits)].map(|n| self.w.word(n));
        let [width, stride, bits] = words;
        self.w.b.ins().call(self.callees.fill, &[to.at, rows, width, stride, bits]);
    }

    /// Writes a number to all columns of what an input has: of its only row, or of all its steps.
    pub fn fill_input(&mut self, at: &Operand, width: usize, value: f32) {
        let to = self.rows(at);
        let rows = self.count(self.place(at.buffer));
        self.fill_rows(to, rows, width, value.to_bits());
    }

    /// From the caller's array, row behind row.
    pub fn copy_in(&mut self, array: Value, at: &Operand, width: usize) {
        let to = self.rows(at);
        let rows = self.count(self.place(at.buffer));
        self.copy(to, Rows { at: array, stride: width as i64 * 4 }, rows, width);
    }

    /// To the caller's array, row behind row.
    pub fn copy_out(&mut self, at: &Operand, array: Value, width: usize) {
        let from = self.rows(at);
        let rows = self.count(self.place(at.buffer));
        self.copy(Rows { at: array, stride: width as i64 * 4 }, from, rows, width);
    }

    /// Zeros in an array of the caller, from an element on.
    pub fn zeros(&mut self, array: Value, first: usize, width: usize) {
        let at = self.w.plus(array, first as i64 * 4);
        let one = self.w.word(1);
        self.fill_rows(Rows { at, stride: 0 }, one, width, 0);
    }

    /// What is done only with an array that is there.
    pub fn unless_null(&mut self, array: Value, then: impl FnOnce(&mut Self)) {
        self.either_null(array, |_| {}, then);
    }

    pub fn either_null(&mut self, array: Value, null: impl FnOnce(&mut Self), or: impl FnOnce(&mut Self)) {
        let [first, second, behind] = [0; 3].map(|_| self.w.b.create_block());
        self.w.b.ins().brif(array, second, NONE, first, NONE);
        self.w.b.switch_to_block(first);
        null(self);
        self.w.b.ins().jump(behind, NONE);
        self.w.b.switch_to_block(second);
        or(self);
        self.w.b.ins().jump(behind, NONE);
        self.w.b.switch_to_block(behind);
    }

    fn fill(&mut self, out: &Operand, width: usize, value: f32) {
        let buffer = &self.program.buffers[out.buffer.index()];
        let bits = match buffer.elem {
            Elem::F32 => value.to_bits(),
            Elem::I32 => value as i32 as u32,
        };
        let place = buffer.place;
        let home = self.plan.buffers[out.buffer.index()].clone();
        if let Home::Carried { kept, before, first, width: all, .. } = home {
            let at = self.in_state(kept + out.column - first);
            let rows = self.w.word(before as i64);
            self.fill_rows(Rows { at, stride: all as i64 * 4 }, rows, width, bits);
        }
        let (row, halo) = (self.width(out.buffer) as i64 * 4, halo(place));
        let rows = match place {
            Place::Over { domain, .. } if self.is_whole(domain) => {
                self.w.b.ins().iadd_imm_s(self.bases.steps[domain.index()], halo)
            }
            _ => self.w.word(1),
        };
        let base = self.home(&home);
        let at = self.w.plus(base, out.column as i64 * 4);
        self.fill_rows(Rows { at, stride: row }, rows, width, bits);
    }

    fn boundary(&mut self, state: &Operand, width: usize, from: &Operand, distance: u32, after: bool) {
        let from = self.rows(from);
        let from = Rows { stride: 0, ..from };
        let home = self.plan.buffers[state.buffer.index()].clone();
        let Place::Over { domain, before, after: behind } = self.place(state.buffer) else { return };
        let one = self.w.word(1);
        if let Home::Carried { kept, before, first, width: all, .. } = home {
            let at = self.in_state(kept + (before - distance as usize) * all + state.column - first);
            return self.copy(Rows { at, stride: 0 }, from, one, width);
        }
        let row = self.width(state.buffer) as i64;
        let base = self.home(&home);
        let distance = i64::from(distance);
        if !after {
            let at = self.w.plus(base, ((i64::from(before) - distance) * row + state.column as i64) * 4);
            return self.copy(Rows { at, stride: 0 }, from, one, width);
        }
        let first = (i64::from(before) + distance - 1) * row + state.column as i64;
        let at = self.w.plus(base, first * 4);
        let bytes = self.w.b.ins().imul_imm_s(self.bases.steps[domain.index()], row * 4);
        let at = self.w.b.ins().iadd(at, bytes);
        let rows = self.w.word(i64::from(behind) - distance + 1);
        self.copy(Rows { at, stride: row * 4 }, from, rows, width);
    }

    fn reverse(&mut self, from: &Operand, out: &Operand, width: usize) {
        let (from, to) = (self.rows(from), self.rows(out));
        let rows = self.count(self.place(out.buffer));
        let last = self.w.b.ins().iadd_imm_s(rows, -1);
        let bytes = self.w.b.ins().imul_imm_s(last, from.stride);
        let at = self.w.b.ins().iadd(from.at, bytes);
        self.copy(to, Rows { at, stride: -from.stride }, rows, width);
    }

    fn take(&mut self, [from, out, empty]: [&Operand; 3], width: usize, point: Point) {
        let Place::Over { domain, .. } = self.place(from.buffer) else { return };
        let steps = self.bases.steps[domain.index()];
        let (all, empty, to) = (self.rows(from), self.rows(empty), self.rows(out));
        let step = match point {
            Point::First => self.w.word(0),
            Point::Last => self.w.b.ins().iadd_imm_s(steps, -1),
            Point::Fixed(k) => self.w.word(i64::from(k) - 1),
        };
        let is_there = self.w.b.ins().icmp(IntCC::UnsignedLessThan, step, steps);
        let bytes = self.w.b.ins().imul_imm_s(step, all.stride);
        let at = self.w.b.ins().iadd(all.at, bytes);
        let at = self.w.b.ins().select(is_there, at, empty.at);
        let one = self.w.word(1);
        self.copy(to, Rows { at, stride: 0 }, one, width);
    }

    /// Assembles a weight in panels.
    pub fn pack(&mut self, weight: WeightId) {
        let w = &self.program.weights[weight.index()];
        let home = self.plan.weights[weight.index()].clone();
        let one = self.w.word(1);
        let at = self.home(&home);
        self.fill_rows(Rows { at, stride: 0 }, one, w.elements(), 0);
        for part in &w.parts {
            let source = self.rows(&part.source);
            let (rows, columns) =
                if part.transposed { (part.cols, part.rows) } else { (part.rows, part.cols) };
            // From one element to the next along a row of the weight, and from row to row.
            let (pace, row) = if part.transposed { (part.cols, 1) } else { (1, part.cols) };
            let mut column = 0;
            while column < columns {
                let (panel, within) = ((part.n0 + column) / PANEL, (part.n0 + column) % PANEL);
                let width = (PANEL - within).min(columns - column);
                let element = panel * w.k * PANEL + part.k0 * PANEL + within;
                let at = self.home(&home);
                let to = Rows { at: self.w.plus(at, element as i64 * 4), stride: PANEL as i64 * 4 };
                let from =
                    Rows { at: self.w.plus(source.at, (column * pace) as i64 * 4), stride: row as i64 * 4 };
                let count = self.w.word(rows as i64);
                self.copy_apart(to, from, count, width, pace as i64 * 4);
                column += width;
            }
        }
    }

    /// Positions and lengths as numbers, where kernels read them. Of a stream's step its number, from 1.
    pub fn number(&mut self, counter: bool) {
        let plan = self.plan;
        for (domain, at) in &plan.positions {
            let first = self.in_work(at);
            if !self.is_whole(*domain) {
                if let (Some(counter), true) = (plan.counter, counter) {
                    let count = self.in_state(counter);
                    let before = self.w.b.ins().load(types::I32, memory(), count, 0);
                    let now = self.w.b.ins().iadd_imm_s(before, 1);
                    self.w.b.ins().store(memory(), now, count, 0);
                    let number = self.w.b.ins().fcvt_from_uint(types::F32, now);
                    self.w.b.ins().store(memory(), number, first, 0);
                }
                continue;
            }
            let four = self.w.word(4);
            self.w.times(self.bases.steps[domain.index()], |w, i| {
                let position = w.b.ins().iadd_imm_s(i, 1);
                let number = w.b.ins().fcvt_from_sint(types::F32, position);
                let to = w.at(first, i, four);
                w.b.ins().store(memory(), number, to, 0);
            });
        }
        for (domain, at) in &plan.lengths {
            let to = self.in_work(at);
            let number = self.w.b.ins().fcvt_from_sint(types::F32, self.bases.steps[domain.index()]);
            self.w.b.ins().store(memory(), number, to, 0);
        }
    }

    /// What the step just done has left becomes what was before.
    pub fn slide(&mut self) {
        for carried in &self.plan.carried {
            let home = self.plan.buffers[carried.buffer.index()].clone();
            let Home::Carried { kept, before, first, width, .. } = home else { continue };
            let stride = width as i64 * 4;
            if before > 1 {
                let (to, from) = (self.in_state(kept), self.in_state(kept + width));
                let rows = self.w.word(before as i64 - 1);
                self.copy(Rows { at: to, stride }, Rows { at: from, stride }, rows, width);
            }
            let now = self.home(&home);
            let from = Rows { at: self.w.plus(now, first as i64 * 4), stride: 0 };
            let to = Rows { at: self.in_state(kept + (before - 1) * width), stride: 0 };
            let one = self.w.word(1);
            self.copy(to, from, one, width);
        }
    }

    /// Weights that follow from parameters alone are packed, and what they are made of computed.
    pub fn prepare(&mut self) {
        for (i, input) in self.program.inputs.iter().enumerate() {
            let home = &self.plan.buffers[input.at.buffer.index()];
            if let (Home::Prepared(_), Some(array)) = (home, self.bases.given[i]) {
                self.copy_in(array, &input.at, input.shape.iter().product());
            }
        }
        for stage in &self.program.prepare {
            if let Stage::Map { args, .. } = stage {
                for arg in args {
                    if let Arg::Weight(weight) = arg {
                        self.pack(*weight);
                    }
                }
            }
            self.stages(std::slice::from_ref(stage));
        }
        for weight in (0..self.program.weights.len()).filter(|i| !self.plan.moving[*i]) {
            self.pack(WeightId(weight as u32));
        }
    }
}

fn halo(place: Place) -> i64 {
    match place {
        Place::Over { before, after, .. } => i64::from(before) + i64::from(after),
        Place::Shared | Place::Example => 0,
    }
}
