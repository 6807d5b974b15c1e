//! Products of a row with a weight, in 128-bit vectors.
//!
//! Columns are computed some vectors at a time, whose sums stay in registers while the contracted axis passes by. Each
//! sum is one chain in the order of that axis, as Note [Order of summation] in `gemm/src/lib.rs` wants it.

use super::function::{Emitter, WORD};
use super::lanes::{Lanes, Wide};
use super::vectors::{VECTOR, memory};
use crate::loops::{Contraction, Nest};
use cranelift::prelude::*;

/// Vectors of columns computed at once: half the registers of the smallest machine.
const COLUMNS: usize = 8;
/// Indices of the contracted axis for each round of the loop.
const UNROLL: usize = 4;

impl Emitter<'_, '_> {
    pub fn contract(&mut self, nest: &Nest, contraction: Contraction) {
        let [outer @ .., columns, depth] = &nest.extents[..] else { return };
        if outer.contains(&0) || *columns == 0 {
            return;
        }
        let Contraction { from, weight, to, add } = contraction;
        let accesses = [from, weight, to];
        let mut starts = accesses.map(|access| self.row_of(access.arg.index()));
        let mut headers = Vec::new();
        for (d, extent) in outer.iter().enumerate().filter(|(_, extent)| **extent > 1) {
            let counter = self.lanes.b.declare_var(WORD);
            let zero = self.word(0);
            self.lanes.b.def_var(counter, zero);
            let header = self.lanes.b.create_block();
            self.lanes.jump(header);
            self.lanes.b.switch_to_block(header);
            headers.push((counter, *extent, header));
            for (start, access) in starts.iter_mut().zip(accesses) {
                let index = self.lanes.b.use_var(counter);
                let bytes = self.times(index, access.strides[d] * 4);
                *start = self.lanes.b.ins().iadd(*start, bytes);
            }
        }
        for (start, access) in starts.iter_mut().zip(accesses) {
            *start = self.plus(*start, access.offset * 4);
        }
        let pace = [from, weight].map(|access| access.strides.last().copied().unwrap_or(0));
        for first in (0..*columns).step_by(4 * COLUMNS) {
            let count = (columns - first).min(4 * COLUMNS);
            let [from, weight, to] = starts;
            let weight = self.plus(weight, first * 4);
            let sums = self.chains(count.div_ceil(4), *depth, [from, weight], pace);
            for (g, sum) in sums.into_iter().enumerate() {
                let used = (count - 4 * g).min(4);
                self.lanes.used = if used == 4 { 4 } else { 1 };
                for lane in 0..if used == 4 { 1 } else { used } {
                    let at = (first + 4 * g + lane) * 4;
                    let at = self.plus(to, at);
                    let mut value = sum;
                    if used < 4 {
                        value = self.lanes.b.ins().extractlane(value, lane as u8);
                        value = self.lanes.b.ins().splat(VECTOR, value);
                    }
                    if add {
                        let old = self.load_vector(at, 0, 0, 1, false);
                        value = self.lanes.b.ins().fadd(old, value);
                    }
                    self.store(at, 0, 0, 1, false, value);
                }
                self.lanes.used = 4;
            }
        }
        for (counter, extent, header) in headers.into_iter().rev() {
            self.next(counter, 1, extent, header);
        }
    }

    /// `Σ_k from[k] * weight[k, ..]` of some vectors of columns.
    fn chains(&mut self, vectors: usize, depth: usize, starts: [Value; 2], pace: [usize; 2]) -> Wide {
        let mut sums = self.lanes.spread(0.0, vectors);
        let (rounds, rest) = (depth / UNROLL, depth % UNROLL);
        let mut at = starts;
        if rounds > 1 {
            let held: Vec<Variable> = sums.iter().map(|_| self.lanes.b.declare_var(VECTOR)).collect();
            let moving = at.map(|_| self.lanes.b.declare_var(WORD));
            let counter = self.lanes.b.declare_var(WORD);
            held.iter().zip(&sums).for_each(|(v, sum)| self.lanes.b.def_var(*v, *sum));
            moving.iter().zip(at).for_each(|(v, start)| self.lanes.b.def_var(*v, start));
            let zero = self.word(0);
            self.lanes.b.def_var(counter, zero);
            let header = self.lanes.b.create_block();
            self.lanes.jump(header);
            self.lanes.b.switch_to_block(header);
            sums = held.iter().map(|v| self.lanes.b.use_var(*v)).collect();
            at = moving.map(|v| self.lanes.b.use_var(v));
            sums = self.steps(UNROLL, sums, at, pace);
            held.iter().zip(&sums).for_each(|(v, sum)| self.lanes.b.def_var(*v, *sum));
            for ((v, at), pace) in moving.iter().zip(at).zip(pace) {
                let next = self.plus(at, UNROLL * pace * 4);
                self.lanes.b.def_var(*v, next);
            }
            self.next(counter, 1, rounds, header);
            sums = held.iter().map(|v| self.lanes.b.use_var(*v)).collect();
            at = moving.map(|v| self.lanes.b.use_var(v));
        } else if rounds == 1 {
            sums = self.steps(UNROLL, sums, at, pace);
            at = [0, 1].map(|i| self.plus(at[i], UNROLL * pace[i] * 4));
        }
        self.steps(rest, sums, at, pace)
    }

    fn steps(&mut self, count: usize, mut sums: Wide, at: [Value; 2], pace: [usize; 2]) -> Wide {
        for k in 0..count {
            let (from, near) = self.near(at[0], k * pace[0] * 4);
            let x = self.lanes.b.ins().load(types::F32, memory(), from, near);
            let x = self.lanes.b.ins().splat(VECTOR, x);
            let (weight, near) = self.near(at[1], k * pace[1] * 4);
            let load =
                |e: &mut Self, g: usize| e.lanes.b.ins().load(VECTOR, memory(), weight, near + 16 * g as i32);
            // One after another, so that no more registers are needed than sums.
            for (g, sum) in sums.iter_mut().enumerate() {
                let w = vec![load(self, g)];
                *sum = self.lanes.fma(&vec![x], &w, &vec![*sum])[0];
            }
        }
        sums
    }
}
