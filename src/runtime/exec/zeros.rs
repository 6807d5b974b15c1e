//! Products of rows that are all 0: leaves of a tree, edges of a grid and first steps read states that begin at 0.
//!
//! What is computed has the bits that the product would give: a sum of zeros begun at 0 is +0.

use crate::runtime::memory::{Memory, Rows};

/// Whether no element of these rows is other than 0. It looks no further than the first other one.
pub fn all(memory: &Memory, at: Rows, rows: usize) -> bool {
    let is_zero = |r: usize| row(memory, at, r).iter().all(|x| *x == 0.0);
    // Rows without a distance are one row.
    (0..if at.stride == 0 { rows.min(1) } else { rows }).all(is_zero)
}

/// How many rows from the first on have no element other than 0.
pub fn leading(memory: &Memory, at: Rows, rows: usize) -> usize {
    (0..rows).take_while(|r| row(memory, at, *r).iter().all(|x| *x == 0.0)).count()
}

/// How many of `rows` rows from the first on have finite elements alone.
pub fn finite(memory: &Memory, at: Rows, rows: usize) -> usize {
    (0..rows).take_while(|r| row(memory, at, *r).iter().all(|x| x.is_finite())).count()
}

fn row<'m>(memory: &'m Memory, at: Rows, r: usize) -> &'m [f32] {
    let first = at.first + r * at.stride;
    memory.f32(at.buffer, first..first + at.width)
}

/// The product of rows of zeros with a finite matrix: zeros are written, or added.
pub fn product(memory: &mut Memory, out: Rows, rows: usize, accumulate: bool) {
    for first in (0..rows).map(|r| out.first + r * out.stride) {
        let row = memory.f32_mut(out.buffer, first..first + out.width);
        match accumulate {
            // Not nothing: it makes -0 to +0.
            true => row.iter_mut().for_each(|x| *x += 0.0),
            false => row.fill(0.0),
        }
    }
}
