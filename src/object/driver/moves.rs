//! Stages that move rows about: what is filled, what lies beside the first and last step, the reverse, one step.

use super::super::plan::Home;
use super::{Driver, Rows};
use crate::eqn::Point;
use crate::loops::{Elem, Operand, Place};
use cranelift::prelude::*;

impl Driver<'_> {
    pub(super) fn fill(&mut self, out: &Operand, width: usize, value: f32) {
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

    pub(super) fn boundary(
        &mut self,
        state: &Operand,
        width: usize,
        from: &Operand,
        distance: u32,
        after: bool,
    ) {
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

    pub(super) fn reverse(&mut self, from: &Operand, out: &Operand, width: usize) {
        let (from, to) = (self.rows(from), self.rows(out));
        let rows = self.count(self.place(out.buffer));
        let last = self.w.b.ins().iadd_imm_s(rows, -1);
        let bytes = self.w.b.ins().imul_imm_s(last, from.stride);
        let at = self.w.b.ins().iadd(from.at, bytes);
        self.copy(to, Rows { at, stride: -from.stride }, rows, width);
    }

    pub(super) fn take(&mut self, [from, out, empty]: [&Operand; 3], width: usize, point: Point) {
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
}

fn halo(place: Place) -> i64 {
    match place {
        Place::Over { before, after, .. } => i64::from(before) + i64::from(after),
        Place::Shared | Place::Example => 0,
    }
}
