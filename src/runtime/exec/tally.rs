//! Sums of rows by symbol.
//!
//! Every thread goes through all rows in order and adds up its own columns, so an element is the same sum on any number
//! of threads. Stages one behind another that read neighbouring columns go through the rows together.

use super::Execution;
use crate::loops::{Operand, Stage};
use crate::runtime::memory::LINE;
use std::ops::Range;

/// Most stages that are done together.
const TOGETHER: usize = 8;

/// One stage's columns that are this thread's.
#[derive(Clone, Copy)]
struct Sums {
    /// The first element of the first row, and from row to row.
    from: (usize, usize, usize),
    /// The first element of the first symbol, and from symbol to symbol.
    to: (usize, usize, usize),
    columns: usize,
    symbols: usize,
}

impl Execution<'_> {
    /// The first of `stages`, and those behind it with the same symbols. Returns their number.
    pub(super) fn tally(&mut self, stages: &[Stage]) -> usize {
        let none = Sums { from: (0, 0, 0), to: (0, 0, 0), columns: 0, symbols: 0 };
        let (mut sums, mut found) = ([none; TOGETHER], 0);
        let mut ids: Option<&Operand> = None;
        for stage in stages.iter().take(TOGETHER) {
            let Stage::Tally { index, value, out, width, symbols } = stage else { break };
            let apart = |other: &Sums| {
                let buffers = (value.buffer.index(), out.buffer.index());
                other.to.0 != buffers.1 && other.to.0 != buffers.0 && other.from.0 != buffers.1
            };
            if *ids.get_or_insert(index) != index || !sums[..found].iter().all(apart) {
                break;
            }
            let rows = self.rows(value);
            let from = (rows.buffer, rows.first, rows.stride);
            let to = (out.buffer.index(), out.column, *width);
            sums[found] = Sums { from, to, columns: *width, symbols: *symbols };
            found += 1;
        }
        if let Some(ids) = ids {
            self.own_columns(&mut sums[..found]);
            self.add_up(ids, &sums[..found]);
        }
        found.max(1)
    }

    /// This thread's columns of all of them side by side.
    fn own_columns(&self, sums: &mut [Sums]) {
        if self.mine.is_some() {
            return;
        }
        let part: Range<usize> = self.member.part(sums.iter().map(|s| s.columns).sum(), LINE);
        let mut before = 0;
        for s in sums {
            let cut = |at: usize| at.saturating_sub(before).min(s.columns);
            let own = cut(part.start)..cut(part.end);
            before += s.columns;
            s.from.1 += own.start;
            s.to.1 += own.start;
            s.columns = own.len();
        }
    }

    fn add_up(&mut self, ids: &Operand, sums: &[Sums]) {
        let ids = self.rows(ids);
        for s in sums.iter().filter(|s| s.columns > 0) {
            for symbol in 0..s.symbols {
                let first = s.to.1 + symbol * s.to.2;
                self.memory.f32_mut(s.to.0, first..first + s.columns).fill(0.0);
            }
        }
        for row in 0..ids.count {
            let at = ids.first + row * ids.stride;
            // Ids were looked at when they were given; padding is 0.
            let id = self.memory.i32(ids.buffer, at..at + 1).first().map_or(usize::MAX, |id| *id as usize);
            for s in sums.iter().filter(|s| s.columns > 0 && id < s.symbols) {
                let (from, to) = (s.from.1 + row * s.from.2, s.to.1 + id * s.to.2);
                let (values, sum) =
                    self.memory.two((s.from.0, from..from + s.columns), (s.to.0, to..to + s.columns));
                sum.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
            }
        }
    }
}
