//! Products of rows that are all 0: leaves of a tree, edges of a grid and first steps read states that begin at 0.
//!
//! What is computed has the bits that the product would give: a sum of zeros begun at 0 is +0.

use crate::runtime::kernel::{Buf, Rows};

/// Whether no element of these rows is other than 0. Of dense rows it looks at one element.
pub fn all(buf: &Buf, at: Rows, rows: usize) -> bool {
    let zeros = |row: &[f32]| row.iter().all(|x| *x == 0.0);
    match at.stride {
        0 => zeros(&buf.f32()[at.first..][..at.width]),
        _ => (0..rows).all(|r| zeros(&buf.f32()[at.first + r * at.stride..][..at.width])),
    }
}

/// The product of rows of zeros with a finite matrix: zeros are written, or added.
pub fn product(buf: &mut Buf, out: Rows, rows: usize, accumulate: bool) {
    for r in 0..rows {
        let row = &mut buf.f32_mut()[out.first + r * out.stride..][..out.width];
        match accumulate {
            // Not nothing: it makes -0 to +0.
            true => row.iter_mut().for_each(|x| *x += 0.0),
            false => row.fill(0.0),
        }
    }
}
