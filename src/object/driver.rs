//! Stages as straight code: what the runtime does with a program, said in instructions.
//!
//! In: stages of a [`plain`](super::plain) program, their [`Plan`], and the words that the function was called with. Out: calls
//! of kernels with the addresses of their rows, and of the two functions that copy and fill. There is one example, so a
//! row per example is one row, and the rows of a step are one.

mod moves;
mod state;

use super::plan::{Home, Plan, Shape, Size};
use super::words::{NONE, Words};
use crate::eqn::DomainId;
use crate::loops::{Arg, BufferId, KernelId, Operand, Place, Program, Stage};
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
}
