//! What stays from call to call: weights in panels, counters and positions, the state of a stream.

use super::super::plan::Home;
use super::super::words::memory;
use super::{Driver, Rows};
use crate::loops::{Arg, PANEL, Stage, WeightId};
use cranelift::prelude::*;

impl Driver<'_> {
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
