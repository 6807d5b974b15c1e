//! Tiles for AVX-512 and for AVX2 with FMA.
//!
//! A tile of `H` rows and `V` vectors keeps its `H * V` sums in registers. A step loads `V` vectors of the
//! panel and one element of each row, which is broadcast. Wide and low tiles do best: a load of a vector serves `H`
//! multiply-adds, one of an element only `V`, and loads are what runs short beside multiply-adds.

use super::PANEL;
use super::block::{Ahead, Form, NARROW, STEP, Tile};
use std::arch::x86_64::*;

pub struct Avx512;

pub struct Avx2;

const ROWS: u8 = Form::Rows as u8;
const NARROW_ROWS: u8 = Form::NarrowRows as u8;
const COLUMNS: u8 = Form::Columns as u8;
const NEAR_COLUMNS: u8 = Form::NearColumns as u8;

/// Calls `$tile::<H, V, FORM>` for numbers known at run time only.
macro_rules! dispatch {
    ($tile:ident, $form:expr, ($height:expr, $vectors:expr), $t:expr, $(($h:literal, $v:literal))*) => {
        match ($height, $vectors, $form) {
            $(($h, $v, Form::Rows) => $tile::<$h, $v, ROWS>($t),
            ($h, $v, Form::NarrowRows) => $tile::<$h, $v, NARROW_ROWS>($t),
            ($h, $v, Form::Columns) => $tile::<$h, $v, COLUMNS>($t),)*
            _ => unreachable!("no tile of {} rows and {} vectors", $height, $vectors),
        }
    };
}

/// The same for tiles of copies, which are several and so not low.
macro_rules! copied {
    ($tile:ident, ($height:expr, $vectors:expr), $t:expr) => {
        match ($height, $vectors) {
            (3, 1) => $tile::<3, 1, NEAR_COLUMNS>($t),
            (3, 2) => $tile::<3, 2, NEAR_COLUMNS>($t),
            (4, 1) => $tile::<4, 1, NEAR_COLUMNS>($t),
            (4, 2) => $tile::<4, 2, NEAR_COLUMNS>($t),
            (5, 1) => $tile::<5, 1, NEAR_COLUMNS>($t),
            (5, 2) => $tile::<5, 2, NEAR_COLUMNS>($t),
            (6, 1) => $tile::<6, 1, NEAR_COLUMNS>($t),
            (6, 2) => $tile::<6, 2, NEAR_COLUMNS>($t),
            _ => unreachable!("no tile of {} rows and {} vectors", $height, $vectors),
        }
    };
}

impl super::block::Tiles for Avx512 {
    const HEIGHT: usize = 6;

    fn columns(_height: usize) -> usize {
        PANEL
    }

    fn fetch(line: *const f32) {
        fetch(line);
    }

    unsafe fn tile(height: usize, form: Form, tile: &Tile) {
        // SAFETY: passed on from the caller.
        unsafe {
            dispatch!(
                tile_avx512,
                form,
                (height, tile.cols.div_ceil(16)),
                tile,
                (1, 1)(1, 2)(1, 3)(1, 4)(2, 1)(2, 2)(2, 3)(2, 4)(3, 1)(3, 2)(3, 3)(3, 4)(4, 1)(4, 2)(4, 3)(
                    4, 4
                )(5, 1)(5, 2)(5, 3)(5, 4)(6, 1)(6, 2)(6, 3)(6, 4)
            );
        }
    }
}

impl super::block::Tiles for Avx2 {
    const HEIGHT: usize = 6;

    fn columns(height: usize) -> usize {
        match height {
            1 => 64,
            2 => 32,
            _ => 16,
        }
    }

    fn fetch(line: *const f32) {
        fetch(line);
    }

    unsafe fn tile(height: usize, form: Form, tile: &Tile) {
        // SAFETY: passed on from the caller.
        unsafe {
            let vectors = tile.cols.div_ceil(8);
            match form {
                Form::NearColumns => copied!(tile_avx2, (height, vectors), tile),
                _ => dispatch!(
                    tile_avx2,
                    form,
                    (height, vectors),
                    tile,
                    (1, 1)(1, 2)(1, 3)(1, 4)(1, 5)(1, 6)(1, 7)(1, 8)(2, 1)(2, 2)(2, 3)(2, 4)(3, 1)(3, 2)(
                        4, 1
                    )(4, 2)(5, 1)(5, 2)(6, 1)(6, 2)
                ),
            }
        }
    }
}

/// The sums of a tile: `$sums[r][v]` is the chain of multiply-adds of row `r` and vector `v`. A macro, since a
/// generic function cannot have its caller's instruction set. `$part` loads the last vector of a tile of columns.
macro_rules! sums {
    ($t:expr, $height:expr, $vectors:expr, $form:expr, $lanes:literal, $zero:ident, $load:ident, $part:expr,
     $set:ident, $fma:ident) => {{
        let t: &Tile = $t;
        let mut sums = [[$zero(); $vectors]; $height];
        let mut b = t.b;
        // Three rows for each pointer, at 0, 1, 2 strides: what an address can hold.
        let mut rows = [t.a; 4];
        let stride = if $form == COLUMNS || $form == NEAR_COLUMNS { 1 } else { t.a_row };
        for (g, row) in rows.iter_mut().enumerate() {
            *row = t.a.wrapping_add(3 * g * stride);
        }
        // What is known beforehand takes no register.
        let (pace, b_pace, panel) = match $form {
            ROWS => (1, PANEL, PANEL),
            NARROW_ROWS => (1, NARROW, NARROW),
            NEAR_COLUMNS => ($height, NARROW, NARROW),
            _ => (t.a_pace, t.b_pace, PANEL),
        };
        let (mut ahead, mut ahead_left) = (t.ahead, t.ahead_left);
        let mut k = 0;
        while k < t.depth {
            let steps = if t.depth - k >= STEP { STEP } else { 1 };
            if steps == STEP {
                if $form == ROWS || $form == COLUMNS {
                    fetch_next(&mut ahead);
                }
                if $form == COLUMNS {
                    fetch_next(&mut ahead_left);
                } else if $form == ROWS && k % LINE == 0 {
                    for r in 0..$height {
                        fetch(rows[r / 3].wrapping_add((r % 3 + $height) * stride));
                    }
                }
                for u in 0..STEP {
                    step!(
                        sums, rows, b, u, $height, $vectors, $form, stride, pace, b_pace, panel, t, $lanes,
                        $zero, $load, $part, $set, $fma
                    );
                }
            } else {
                step!(
                    sums, rows, b, 0, $height, $vectors, $form, stride, pace, b_pace, panel, t, $lanes,
                    $zero, $load, $part, $set, $fma
                );
            }
            for row in &mut rows {
                *row = row.wrapping_add(steps * pace);
            }
            b = b.wrapping_add(steps * b_pace);
            k += steps;
        }
        sums
    }};
}

/// One contracted index, `$u` from the pointers.
macro_rules! step {
    ($sums:ident, $rows:ident, $b:ident, $u:expr, $height:expr, $vectors:expr, $form:expr, $stride:ident,
     $pace:ident, $b_pace:ident, $panel:ident, $t:ident, $lanes:literal, $zero:ident, $load:ident, $part:expr, $set:ident, $fma:ident) => {{
        let mut vectors = [$zero(); $vectors];
        for (v, vector) in vectors.iter_mut().enumerate() {
            let from = $b.wrapping_add($u * $b_pace + v * $lanes % $panel + v * $lanes / $panel * $t.b_panel);
            // SAFETY: `b` has so many vectors for each index, the last one, where it is neither panel nor copy, only in part.
            *vector = unsafe { if $form == COLUMNS && v + 1 == $vectors { $part(from) } else { $load(from) } };
        }
        for r in 0..$height {
            // SAFETY: `a` has an element for each row and index.
            let x = $set(unsafe { *$rows[r / 3].add(r % 3 * $stride + $u * $pace) });
            for v in 0..$vectors {
                $sums[r][v] = $fma(x, vectors[v], $sums[r][v]);
            }
        }
    }};
}

/// f32 in a cache line.
const LINE: usize = 16;

/// Asks for a cache line, up to the second cache: the first one is full of what is being read. Any address will do.
#[inline(always)]
fn fetch(p: *const f32) {
    // SAFETY: a prefetch never faults, and SSE is always there.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
}

/// Asks for the next lines of a region.
#[inline(always)]
fn fetch_next(ahead: &mut Ahead) {
    for _ in 0..ahead.pace.min(ahead.rows) {
        for line in 0..ahead.across {
            fetch(ahead.from.wrapping_add(line * LINE));
        }
        ahead.from = ahead.from.wrapping_add(ahead.stride);
        ahead.rows -= 1;
    }
}

/// # Safety
/// See [`super::block::Tiles::tile`]; the tile has `H` rows and from `16 * (V - 1) + 1` to `16 * V` columns.
#[target_feature(enable = "avx512f")]
unsafe fn tile_avx512<const H: usize, const V: usize, const FORM: u8>(t: &Tile) {
    for r in 0..H {
        for v in 0..V {
            // It is going to be written.
            _mm_prefetch::<_MM_HINT_ET0>(t.out.wrapping_add(r * t.out_stride + v * 16).cast());
        }
    }
    // Columns of the last vector that exist.
    let last = u16::MAX >> (16 * V - t.cols);
    // SAFETY: these columns can be read.
    let part = |p| unsafe { _mm512_maskz_loadu_ps(last, p) };
    let sums =
        sums!(t, H, V, FORM, 16, _mm512_setzero_ps, _mm512_loadu_ps, part, _mm512_set1_ps, _mm512_fmadd_ps);
    for (r, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            let mask = if v + 1 == V { last } else { u16::MAX };
            // SAFETY: `out` has H rows of `cols` elements; what the mask leaves out is not touched.
            unsafe {
                let out = t.out.add(r * t.out_stride + v * 16);
                let sum =
                    if t.accumulate { _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), *sum) } else { *sum };
                _mm512_mask_storeu_ps(out, mask, sum);
            }
        }
    }
}

/// # Safety
/// See [`super::block::Tiles::tile`]; the tile has `H` rows and from `8 * (V - 1) + 1` to `8 * V` columns.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile_avx2<const H: usize, const V: usize, const FORM: u8>(t: &Tile) {
    // Lane i is negative, so written, where i < the columns of the last vector that exist.
    let left = (t.cols - 8 * (V - 1)) as i32;
    let last = _mm256_sub_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(left));
    // SAFETY: these columns can be read.
    let part = |p| unsafe { _mm256_maskload_ps(p, last) };
    let sums =
        sums!(t, H, V, FORM, 8, _mm256_setzero_ps, _mm256_loadu_ps, part, _mm256_set1_ps, _mm256_fmadd_ps);
    for (r, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: `out` has H rows of `cols` elements; what the mask leaves out is not touched.
            unsafe {
                let out = t.out.add(r * t.out_stride + v * 8);
                // A masked store takes tens of cycles on some machines.
                if v + 1 < V || left == 8 {
                    let sum = if t.accumulate { _mm256_add_ps(_mm256_loadu_ps(out), *sum) } else { *sum };
                    _mm256_storeu_ps(out, sum);
                } else {
                    let sum =
                        if t.accumulate { _mm256_add_ps(_mm256_maskload_ps(out, last), *sum) } else { *sum };
                    _mm256_maskstore_ps(out, last, sum);
                }
            }
        }
    }
}

/// Four rows of four, turned over.
#[inline(always)]
pub fn transposed(rows: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    // SAFETY: SSE is always there; an array of four f32 is what a vector of them is.
    unsafe {
        let [mut a, mut b, mut c, mut d] = rows.map(|row| _mm_loadu_ps(row.as_ptr()));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        [a, b, c, d].map(|v| std::mem::transmute::<__m128, [f32; 4]>(v))
    }
}

/// `rounds` times 24 independent multiply-adds of 16 elements; returns their number of flops.
#[target_feature(enable = "avx512f")]
pub fn spin_avx512(rounds: u64) -> f64 {
    let (a, b) = (_mm512_set1_ps(std::hint::black_box(0.999)), _mm512_set1_ps(std::hint::black_box(0.001)));
    let mut sums = [_mm512_set1_ps(0.5); 24];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, a, b);
        }
    }
    std::hint::black_box(sums);
    rounds as f64 * 24.0 * 16.0 * 2.0
}

/// `rounds` times 12 independent multiply-adds of 8 elements; returns their number of flops.
#[target_feature(enable = "avx2,fma")]
pub fn spin_avx2(rounds: u64) -> f64 {
    let (a, b) = (_mm256_set1_ps(std::hint::black_box(0.999)), _mm256_set1_ps(std::hint::black_box(0.001)));
    let mut sums = [_mm256_set1_ps(0.5); 12];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, a, b);
        }
    }
    std::hint::black_box(sums);
    rounds as f64 * 12.0 * 8.0 * 2.0
}
