//! Stages over indexed rows: loops over fronts, copies and folds by tables.
//!
//! In: an execution whose tables fit the sizes of its buffers. Out: its buffers, changed.

use super::Execution;
use crate::eqn::{Binary, DomainId, Fold};
use crate::loops::{Coordinate, Operand, Place, TableId};
use crate::runtime::interpret;
use crate::runtime::rows::{self, Matches};
use std::ops::Range;

impl Execution<'_> {
    pub(super) fn is_indexed(&self, domain: DomainId) -> bool {
        self.exe.program.domains[domain.index()].is_indexed()
    }

    /// Begins a loop: domains whose order has this front next take part. Gives what [`Self::leave`] needs.
    pub(super) fn enter(&mut self, front: &[(DomainId, i32)]) -> usize {
        let scratch = &mut *self.scratch;
        let outer = scratch.outer.len();
        scratch.outer.extend_from_slice(&scratch.range);
        for (joined, domain) in scratch.joined.iter_mut().zip(&self.exe.program.domains) {
            let next = domain.order.get(scratch.depth).is_some_and(|f| f.0 == front);
            *joined += usize::from(next && *joined == scratch.depth);
        }
        scratch.depth += 1;
        outer
    }

    /// [`Self::enter`], for the steps of a chain.
    pub(super) fn enter_loop(&mut self, domain: DomainId) -> usize {
        self.scratch.step[domain.index()] = Some(0);
        self.enter(&[(domain, 1)])
    }

    pub(super) fn leave_loop(&mut self, domain: DomainId, outer: usize) {
        self.scratch.step[domain.index()] = None;
        self.leave(outer);
    }

    pub(super) fn leave(&mut self, outer: usize) {
        let scratch = &mut *self.scratch;
        scratch.range.copy_from_slice(&scratch.outer[outer..]);
        scratch.outer.truncate(outer);
        for joined in &mut scratch.joined {
            *joined -= usize::from(*joined == scratch.depth);
        }
        scratch.depth -= 1;
    }

    /// Confines the rows of all that take part in the innermost loop to one front.
    pub(super) fn go_to(&mut self, outer: usize, key: i64) {
        let scratch = &mut *self.scratch;
        let depth = scratch.depth - 1;
        for (d, rows) in self.rows.domains.iter().enumerate() {
            if scratch.joined[d] == scratch.depth {
                let on_front = rows.on_front(depth, scratch.outer[outer + d], key);
                let is_last = scratch.depth == self.exe.program.domains[d].order.len();
                scratch.range[d] = match self.mine {
                    Some(examples) if is_last => rows.of_examples(on_front, examples),
                    _ => on_front,
                };
            }
        }
    }

    /// The front after `key` that has any rows.
    pub(super) fn next_front(&self, outer: usize, key: Option<i64>, reverse: bool) -> Option<i64> {
        let scratch = &*self.scratch;
        let depth = scratch.depth - 1;
        let mut next: Option<i64> = None;
        for (d, rows) in self.rows.domains.iter().enumerate() {
            let range = scratch.outer[outer + d];
            if scratch.joined[d] != scratch.depth || range.0 == range.1 {
                continue;
            }
            let row = match (key, reverse) {
                (None, false) => Some(range.0),
                (None, true) => Some(range.1 - 1),
                (Some(key), false) => Some(rows.on_front(depth, range, key).1).filter(|r| *r < range.1),
                (Some(key), true) => {
                    rows.on_front(depth, range, key).0.checked_sub(1).filter(|r| *r >= range.0)
                }
            };
            if let Some(row) = row {
                let found = rows.front(depth, row);
                let better = next.is_none_or(|n| if reverse { found > n } else { found < n });
                next = if better { Some(found) } else { next };
            }
        }
        next
    }

    /// The rows, counted without halo, that a stage writes now: those of all threads, or of this one's own examples.
    pub(super) fn window(&self, place: Place) -> Range<usize> {
        let (first, end) = self.mine.unwrap_or((0, self.batch));
        match place {
            Place::Shared => 0..1,
            Place::Example => first..end,
            Place::Over { domain, .. } if self.is_indexed(domain) => {
                let (first, end) = self.scratch.range[domain.index()];
                first..end
            }
            Place::Over { domain, .. } => match self.scratch.step[domain.index()] {
                Some(step) => step * self.batch + first..step * self.batch + end,
                None => 0..self.steps[domain.index()] * self.batch,
            },
        }
    }

    /// Where a row, counted without halo and lag, lies.
    fn element(&self, at: &Operand, row: usize) -> (usize, usize) {
        let ahead = match self.place(at.buffer) {
            Place::Over { before, .. } => i64::from(before) + i64::from(at.lag),
            Place::Shared | Place::Example => 0,
        };
        let row = ahead as usize * self.batch + row;
        (at.buffer.index(), row * self.width(at.buffer) + at.column)
    }

    pub(super) fn collect(&mut self, from: &[Operand], out: &Operand, width: usize, table: TableId) {
        let Matches::One(matches) = &self.rows.tables[table.index()] else { return };
        for row in self.own_window(out, from, width) {
            let to = self.element(out, row);
            match matches[row] {
                (_, rows::NONE) => self.memory.i32_mut(to.0, to.1..to.1 + width).fill(0),
                (source, found) => {
                    let from = self.element(&from[source as usize], found as usize);
                    self.copy(from, to, width);
                }
            }
        }
    }

    pub(super) fn fold(&mut self, fold: Fold, from: &Operand, out: &Operand, width: usize, table: TableId) {
        let Matches::Many { starts, rows } = &self.rows.tables[table.index()] else { return };
        let op = match fold {
            Fold::Sum => Binary::Add,
            Fold::Prod => Binary::Mul,
            Fold::Max => Binary::Max,
            Fold::Min => Binary::Min,
        };
        let (first, stride) = (self.element(from, 0).1, self.width(from.buffer));
        for row in self.own_window(out, &[], width) {
            let to = self.element(out, row);
            self.memory.f32_mut(to.0, to.1..to.1 + width).fill(fold.empty() as f32);
            for found in &rows[starts[row] as usize..starts[row + 1] as usize] {
                let at = first + *found as usize * stride;
                let (values, target) =
                    self.memory.two((from.buffer.index(), at..at + width), (to.0, to.1..to.1 + width));
                for (sum, x) in target.iter_mut().zip(values) {
                    *sum = interpret::binary(op, *sum, *x);
                }
            }
        }
    }

    pub(super) fn number(&mut self, of: Coordinate, axis: DomainId, out: &Operand) {
        let Place::Over { domain, .. } = self.place(out.buffer) else { return };
        let sizes =
            rows::Sizes { batch: self.batch, steps: self.steps, lengths: self.lengths, trees: self.trees };
        let (program, all) = (&self.exe.program, &self.rows.domains[domain.index()]);
        for row in self.own_window(out, &[], 1) {
            let to = self.element(out, row);
            let value = rows::number(program, &sizes, of, axis, all, domain, row);
            self.memory.f32_mut(to.0, to.1..to.1 + 1)[0] = value;
        }
    }
}
