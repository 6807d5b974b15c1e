//! Sums of outer products: weight gradients.
//!
//! In: stages that read one left side. Out: their sums. Rows behind an example's end are masked, so
//! that they add 0; but beside a masked row of one side may lie a true one of the other side, read at a lag, and 0 times
//! what is no number is none. Where there is one, true points alone are added. First rows of zeros, as leaves of a tree read them,
//! add nothing either: they are left out.

use super::{Execution, zeros};
use crate::eqn::DomainId;
use crate::loops::{Operand, Place, Stage};
use crate::runtime::memory::{self, Rows};
use std::ops::Range;

/// Of so many rows, one fewer is worth reading the left side once more.
const WORTH: usize = 8;

impl Execution<'_> {
    /// The first of `stages`, and those behind it with the same left side, which is read once for all. Returns their
    /// number.
    pub(super) fn outer(&mut self, stages: &[Stage]) -> usize {
        let mut left: Option<(Operand, memory::Rows)> = None;
        let mut rows = 0;
        let none = memory::Rows { buffer: 0, first: 0, stride: 0, width: 0 };
        let mut rights = [memory::Right { b: none, out: none, accumulate: true }; memory::RIGHTS];
        let mut found = 0;
        let (mut over, mut lagged, mut is_matrix) = (Place::Shared, false, false);
        for stage in stages.iter().take(memory::RIGHTS) {
            let Stage::Outer { a, m, b, n, rows: own, out, out_stride, accumulate } = stage else { break };
            let count = own.unwrap_or(self.rows(b).count);
            let (from, view) = *left.get_or_insert_with(|| {
                let mut view = self.view(a, *m);
                if self.place(a.buffer) == Place::Shared {
                    // Every row reads the only one, unless it is a matrix.
                    view.stride = if own.is_some() { *m } else { 0 };
                }
                rows = count;
                (*a, view)
            });
            let place = self.place(b.buffer);
            let reads_lag = a.lag != 0 || b.lag != 0;
            let out = memory::Rows { stride: *out_stride, ..self.view(out, *n) };
            let stride = if own.is_some() { *m } else { view.stride };
            let same = count == rows && stride == view.stride;
            let mut b = self.view(b, *n);
            if own.is_some() {
                b.stride = *n;
            }
            let apart = |other: &memory::Right| {
                other.out.buffer != out.buffer && other.out.buffer != b.buffer && other.b.buffer != out.buffer
            };
            if !same || (from, view.width) != (*a, *m) || !rights[..found].iter().all(apart) {
                break;
            }
            rights[found] = memory::Right { b, out, accumulate: *accumulate };
            found += 1;
            over = place;
            lagged |= reads_lag;
            is_matrix |= own.is_some();
        }
        if let Some((_, mut view)) = left {
            let padded = self.padded(over).filter(|_| lagged);
            // Seen before the sum is cut into parts: all threads see the same.
            let skip = match padded.is_none() && !is_matrix {
                true => rights.map(|right| zeros::leading(&self.memory, right.b, rows)),
                false => [0; memory::RIGHTS],
            };
            let finite =
                skip[..found].iter().max().map_or(0, |skip| zeros::finite(&self.memory, view, *skip));
            self.cut_outer(&mut view, &mut rights[..found]);
            match padded {
                Some(domain) => self.outer_of_points(domain, rows, view, &mut rights[..found]),
                None => self.outer_behind(rows, view, &rights[..found], |i| skip[i].min(finite)),
            }
        }
        found.max(1)
    }

    /// Sums of outer products without the first rows of each right side that say nothing, where that is worth reading the left side
    /// twice.
    fn outer_behind(
        &mut self,
        rows: usize,
        view: memory::Rows,
        rights: &[memory::Right],
        skip: impl Fn(usize) -> usize,
    ) {
        let least = (0..rights.len()).map(&skip).min().unwrap_or(0);
        let gain = |i: usize| (skip(i) - least) * WORTH > rows;
        for apart in [false, true] {
            // Runs allocate nothing.
            let mut here = [rights[0]; memory::RIGHTS];
            let (mut count, mut first) = (0, rows);
            for (i, right) in rights.iter().enumerate().filter(|(i, _)| gain(*i) == apart) {
                here[count] = *right;
                count += 1;
                first = first.min(skip(i));
            }
            if count == 0 {
                continue;
            }
            let from = |at: memory::Rows| memory::Rows { first: at.first + first * at.stride, ..at };
            here.iter_mut().for_each(|right| right.b = from(right.b));
            self.memory.outer(self.isa, rows - first, from(view), &here[..count]);
        }
    }

    /// A sum of outer products of which one side is read at a lag, so that not all rows behind an example's end are masked.
    fn outer_of_points(
        &mut self,
        domain: DomainId,
        rows: usize,
        view: memory::Rows,
        rights: &mut [memory::Right],
    ) {
        let odd = |at: &memory::Rows| self.padding_is_odd(domain, at);
        if !odd(&view) && !rights.iter().any(|right| odd(&right.b)) {
            return self.memory.outer(self.isa, rows, view, rights);
        }
        // Begins the sum also if no example has a point.
        self.memory.outer(self.isa, 0, view, rights);
        rights.iter_mut().for_each(|right| right.accumulate = true);
        let ranges: Vec<Range<usize>> = self.true_rows(domain).collect();
        for range in ranges {
            let from = |at: memory::Rows| memory::Rows { first: at.first + range.start * at.stride, ..at };
            let moved = |right: &memory::Right| memory::Right { b: from(right.b), ..*right };
            let mut here = [rights[0]; memory::RIGHTS];
            here.iter_mut().zip(rights.iter()).for_each(|(here, right)| *here = moved(right));
            self.memory.outer(self.isa, range.len(), from(view), &here[..rights.len()]);
        }
    }

    /// The chain over all of whose points rows of a place lie, if some are behind an example's end.
    fn padded(&self, place: Place) -> Option<DomainId> {
        let Place::Over { domain, .. } = place else { return None };
        let is_whole = self.scratch.step[domain.index()].is_none();
        (is_whole && !self.is_indexed(domain) && self.ragged[domain.index()]).then_some(domain)
    }

    /// Whether rows behind an example's end hold an infinity or what is no number.
    fn padding_is_odd(&self, domain: DomainId, at: &Rows) -> bool {
        let padding = self.lengths[domain.index()].iter().enumerate().flat_map(|(b, length)| {
            (*length..self.steps[domain.index()]).map(move |step| step * self.batch + b)
        });
        padding
            .map(|row| at.first + row * at.stride)
            .any(|first| self.memory.f32(at.buffer, first..first + at.width).iter().any(|x| !x.is_finite()))
    }

    /// The row numbers of true points, as ranges, in order.
    fn true_rows(&self, domain: DomainId) -> impl Iterator<Item = Range<usize>> {
        let lengths = &self.lengths[domain.index()];
        (0..self.steps[domain.index()]).flat_map(move |step| {
            let row = step * self.batch;
            // Examples that are that long, side by side.
            let parts = lengths.chunk_by(move |a, b| (*a > step) == (*b > step));
            parts
                .scan(row, |row, part| {
                    *row += part.len();
                    Some((*row - part.len()..*row, part[0]))
                })
                .filter_map(move |(rows, length)| (length > step).then_some(rows))
        })
    }
}
