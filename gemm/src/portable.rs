//! Tiles in plain Rust, for the compiler to vectorise. Used where no hand-written ones exist.

use super::block::{Form, Tile};

/// Columns computed at once: what fits the registers beside `HEIGHT` rows.
const WIDTH: usize = if cfg!(target_arch = "aarch64") { 16 } else { 8 };

pub struct Tiles;

impl super::block::Tiles for Tiles {
    const HEIGHT: usize = 4;

    fn columns(_height: usize) -> usize {
        WIDTH
    }

    fn fetch(_: *const f32) {}

    unsafe fn tile(height: usize, form: Form, tile: &Tile) {
        // SAFETY: passed on from the caller.
        unsafe {
            match height {
                1 => rows::<1>(form, tile),
                2 => rows::<2>(form, tile),
                3 => rows::<3>(form, tile),
                _ => rows::<4>(form, tile),
            }
        }
    }
}

/// # Safety
/// See [`super::block::Tiles::tile`]; the tile has `H` rows.
unsafe fn rows<const H: usize>(form: Form, t: &Tile) {
    for c in (0..t.cols).step_by(WIDTH) {
        let mut sums = [[0.0f32; WIDTH]; H];
        for k in 0..t.depth {
            let from = t.b.wrapping_add(k * t.b_pace + c);
            let b: [f32; WIDTH] = if form != Form::Columns || t.cols - c >= WIDTH {
                // SAFETY: WIDTH divides what a panel or a copy has for each index; the rows of `b` have `cols`.
                unsafe { *from.cast() }
            } else {
                // SAFETY: what is left of a row of `b`.
                let row = unsafe { std::slice::from_raw_parts(from, t.cols - c) };
                std::array::from_fn(|i| row.get(i).copied().unwrap_or(0.0))
            };
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `a` has H rows of `depth` elements.
                let a = unsafe { *t.a.add(r * t.a_row + k * t.a_pace) };
                for (sum, b) in sums.iter_mut().zip(&b) {
                    *sum = multiply_add(a, *b, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let cols = WIDTH.min(t.cols - c);
            // SAFETY: `out` has H rows of `cols` elements.
            let out = unsafe { std::slice::from_raw_parts_mut(t.out.add(r * t.out_stride + c), cols) };
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if t.accumulate { *out + sum } else { *sum };
            }
        }
    }
}

/// Fused where that is one instruction; a library call would be many times slower.
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
}
