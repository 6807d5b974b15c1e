//! The right-hand matrix of a product, cut into panels.
//!
//! A panel holds [`PANEL`] columns: row `k` of the matrix is `PANEL` consecutive elements, so a tile reads
//! it from beginning to end. Panels follow one another. Columns beyond the last are 0.

use super::PANEL;
use super::placed::{OutOfMemory, Placed, Placement};
use std::ops::Range;

/// Source rows that are transposed together: their part of the panel stays in the first cache.
const STRIP: usize = 16;

/// Squares of so many rows and columns are transposed in registers.
const SIDE: usize = 4;

/// A part of a packed matrix: rows `k0..`, columns `n0..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub k0: usize,
    pub n0: usize,
    pub rows: usize,
    pub cols: usize,
}

/// A `k × n` matrix in panels.
#[derive(Debug, Default)]
pub struct Packed {
    k: usize,
    n: usize,
    data: Placed<f32>,
}

impl Packed {
    /// All zeros, in plain memory.
    ///
    /// # Panics
    /// If `k * n` elements do not fit into memory.
    pub fn zeroed(k: usize, n: usize) -> Packed {
        Packed::placed(k, n, Placement::Plain).expect("elements of a matrix fit into memory")
    }

    /// All zeros.
    pub fn placed(k: usize, n: usize, placement: Placement) -> Result<Packed, OutOfMemory> {
        let len = n.checked_next_multiple_of(PANEL).and_then(|n| n.checked_mul(k)).ok_or(OutOfMemory)?;
        Ok(Packed { k, n, data: Placed::zeroed(len, placement)? })
    }

    /// Rows: the contracted extent.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Writes the block `[rows, cols]` at `k0, n0` from a row-major matrix whose rows lie `src_stride`
    /// apart; `transposed`: the source is `[cols, rows]`.
    ///
    /// # Panics
    /// If the block leaves the matrix, or the source is too short.
    #[allow(clippy::too_many_arguments)] // a block is two places, two extents and a source
    pub fn pack_block(
        &mut self,
        k0: usize,
        n0: usize,
        src: &[f32],
        rows: usize,
        cols: usize,
        src_stride: usize,
        transposed: bool,
    ) {
        let block = Block { k0, n0, rows, cols };
        // SAFETY: nobody else can reach the panels, as `self` is borrowed exclusively.
        unsafe { self.pack_panels(&(0..self.n.div_ceil(PANEL)), block, src, src_stride, transposed) }
    }

    /// [`Packed::pack_block`], only as far as the block lies in `panels`.
    ///
    /// # Safety
    /// Nobody else reads or writes these panels meanwhile.
    ///
    /// # Panics
    /// If the block leaves the matrix, or the source is too short.
    pub unsafe fn pack_panels(
        &self,
        panels: &Range<usize>,
        Block { k0, n0, rows, cols }: Block,
        src: &[f32],
        src_stride: usize,
        transposed: bool,
    ) {
        assert!(k0 <= self.k && rows <= self.k - k0, "rows {k0}+{rows} of {}", self.k);
        assert!(n0 <= self.n && cols <= self.n - n0, "columns {n0}+{cols} of {}", self.n);
        if rows == 0 || cols == 0 {
            return;
        }
        let panel_len = self.k * PANEL;
        let first = panels.start.max(n0 / PANEL);
        let end = panels.end.min((n0 + cols).div_ceil(PANEL));
        for p in first..end {
            let from = n0.max(p * PANEL);
            let to = (n0 + cols).min((p + 1) * PANEL);
            let (lane, width, col) = (from - p * PANEL, to - from, from - n0);
            // SAFETY: rows `k0..` of the panel are there, as the block lies within the matrix; nobody else reaches them.
            let panel = unsafe {
                let start = self.data.start().add(p * panel_len + k0 * PANEL);
                std::slice::from_raw_parts_mut(start, rows * PANEL)
            };
            if transposed {
                pack_columns(panel, lane, &src[col * src_stride..], width, src_stride);
            } else {
                for (k, row) in panel.chunks_exact_mut(PANEL).enumerate() {
                    row[lane..lane + width].copy_from_slice(&src[k * src_stride + col..][..width]);
                }
            }
        }
    }

    /// Whether it holds neither infinities nor NaN: whether its product with zeros is 0.
    pub fn is_finite(&self) -> bool {
        // A sum of zeros and NaN; many at a time, so that it runs at the speed of the memory.
        let mut sums = [0.0f32; PANEL];
        for row in self.data.as_slice().chunks_exact(PANEL) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * 0.0);
        }
        sums.iter().all(|sum| *sum == 0.0)
    }

    /// Element `(k, n)`, for tests and printing.
    pub fn get(&self, k: usize, n: usize) -> f32 {
        assert!(k < self.k && n < self.n, "element ({k}, {n}) of [{}, {}]", self.k, self.n);
        self.data.as_slice()[(n / PANEL * self.k + k) * PANEL + n % PANEL]
    }

    /// All panels.
    pub fn elements(&self) -> &[f32] {
        self.data.as_slice()
    }

    /// The first element, for those who only read.
    pub fn start(&self) -> *mut f32 {
        self.data.start()
    }

    /// Panel `p` follows at `p * panel_len()`.
    pub(super) fn panels(&self) -> *const f32 {
        self.data.start()
    }

    pub(super) fn panel_len(&self) -> usize {
        self.k * PANEL
    }
}

/// Columns `lane..lane + width` of a panel from rows of `src`.
fn pack_columns(panel: &mut [f32], lane: usize, src: &[f32], width: usize, src_stride: usize) {
    let rows = panel.len() / PANEL;
    for (s, strip) in panel.chunks_mut(STRIP * PANEL).enumerate() {
        let k = s * STRIP;
        let height = STRIP.min(rows - k);
        let squares = if height == STRIP { width / SIDE * SIDE } else { 0 };
        for j in (0..squares).step_by(SIDE) {
            let sources: [&[f32; STRIP]; SIDE] = std::array::from_fn(|i| {
                let source = &src[(j + i) * src_stride + k..];
                source.first_chunk().expect("a strip lies within the source")
            });
            for (part, rows) in strip.chunks_exact_mut(SIDE * PANEL).enumerate() {
                let square = transposed(sources.map(|s| std::array::from_fn(|i| s[part * SIDE + i])));
                for (row, values) in rows.chunks_exact_mut(PANEL).zip(square) {
                    row[lane + j..][..SIDE].copy_from_slice(&values);
                }
            }
        }
        for j in squares..width {
            let source = &src[j * src_stride + k..][..height];
            for (row, x) in strip.chunks_exact_mut(PANEL).zip(source) {
                row[lane + j] = *x;
            }
        }
    }
}

/// A square, turned over in registers.
#[inline(always)]
fn transposed(rows: [[f32; SIDE]; SIDE]) -> [[f32; SIDE]; SIDE] {
    #[cfg(target_arch = "x86_64")]
    return super::x86::transposed(rows);
    #[cfg(not(target_arch = "x86_64"))]
    std::array::from_fn(|i| rows.map(|row| row[i]))
}
