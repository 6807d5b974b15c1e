//! The right-hand matrix of a product, cut into panels.
//!
//! A panel holds [`PANEL`] columns, or as many as a narrow tile takes: row `k` of the matrix is so many consecutive elements, so a
//! tile reads it from beginning to end. Panels follow one another. Columns beyond the last are 0.

use super::block::NARROW;
use super::placed::{OutOfMemory, Placed, Placement};
use super::{Isa, PANEL};
use std::borrow::Cow;
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
#[derive(Debug)]
pub struct Packed {
    k: usize,
    n: usize,
    /// Columns of a panel, a divisor of `PANEL`.
    width: usize,
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

    /// All zeros, in panels of `PANEL` columns.
    pub fn placed(k: usize, n: usize, placement: Placement) -> Result<Packed, OutOfMemory> {
        Packed::of_width(k, n, PANEL, placement)
    }

    /// All zeros, in panels of the width that products by `isa` are fastest with. All can be read by products of any.
    pub fn placed_for(isa: Isa, k: usize, n: usize, placement: Placement) -> Result<Packed, OutOfMemory> {
        Packed::of_width(k, n, if isa == Isa::Avx512 { PANEL } else { NARROW }, placement)
    }

    fn of_width(k: usize, n: usize, width: usize, placement: Placement) -> Result<Packed, OutOfMemory> {
        let len = n.checked_next_multiple_of(PANEL).and_then(|n| n.checked_mul(k)).ok_or(OutOfMemory)?;
        Ok(Packed { k, n, width, data: Placed::zeroed(len, placement)? })
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

    /// [`Packed::pack_block`], only as far as the block lies in `panels`, of `PANEL` columns whatever the width.
    ///
    /// # Safety
    /// Nobody else reads or writes these panels meanwhile.
    ///
    /// # Panics
    /// If the block leaves the matrix, or the source is too short.
    pub unsafe fn pack_panels(
        &self,
        panels: &Range<usize>,
        block: Block,
        src: &[f32],
        src_stride: usize,
        transposed: bool,
    ) {
        let Block { k0, n0, rows, cols } = block;
        assert!(k0 <= self.k && rows <= self.k - k0, "rows {k0}+{rows} of {}", self.k);
        assert!(n0 <= self.n && cols <= self.n - n0, "columns {n0}+{cols} of {}", self.n);
        if rows == 0 || cols == 0 {
            return;
        }
        // SAFETY: passed on from the caller.
        unsafe {
            if self.width == PANEL {
                self.pack::<PANEL>(panels, block, src, src_stride, transposed);
            } else {
                self.pack::<NARROW>(panels, block, src, src_stride, transposed);
            }
        }
    }

    /// # Safety
    /// See [`Packed::pack_panels`]; the block lies in the matrix, and `W` is the width.
    unsafe fn pack<const W: usize>(
        &self,
        panels: &Range<usize>,
        Block { k0, n0, rows, cols }: Block,
        src: &[f32],
        src_stride: usize,
        transposed: bool,
    ) {
        let first = (panels.start * (PANEL / W)).max(n0 / W);
        let end = (panels.end * (PANEL / W)).min((n0 + cols).div_ceil(W));
        for p in first..end {
            let from = n0.max(p * W);
            let to = (n0 + cols).min((p + 1) * W);
            let (lane, width, col) = (from - p * W, to - from, from - n0);
            // SAFETY: rows `k0..` of the panel are there, as the block lies within the matrix; nobody else reaches them.
            let panel = unsafe {
                let start = self.data.start().add(p * self.panel_len() + k0 * W);
                std::slice::from_raw_parts_mut(start, rows * W)
            };
            if transposed {
                pack_columns::<W>(panel, lane, &src[col * src_stride..], width, src_stride);
            } else {
                for (k, row) in panel.chunks_exact_mut(W).enumerate() {
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
        self.data.as_slice()[(n / self.width * self.k + k) * self.width + n % self.width]
    }

    /// All panels as they are where they are `PANEL` wide.
    pub fn in_wide_panels(&self) -> Cow<'_, [f32]> {
        if self.width == PANEL {
            return Cow::Borrowed(self.elements());
        }
        let mut wide = vec![0.0; self.data.as_slice().len()];
        for (p, panel) in self.elements().chunks_exact(self.panel_len().max(1)).enumerate() {
            let (to, lane) = (p * self.width / PANEL * self.k * PANEL, p * self.width % PANEL);
            for (k, row) in panel.chunks_exact(self.width).enumerate() {
                wide[to + k * PANEL + lane..][..self.width].copy_from_slice(row);
            }
        }
        Cow::Owned(wide)
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
        self.k * self.width
    }

    /// Columns of a panel.
    pub(super) fn width(&self) -> usize {
        self.width
    }
}

/// Columns `lane..lane + width` of a panel from rows of `src`.
fn pack_columns<const W: usize>(
    panel: &mut [f32],
    lane: usize,
    src: &[f32],
    width: usize,
    src_stride: usize,
) {
    let rows = panel.len() / W;
    for (s, strip) in panel.chunks_mut(STRIP * W).enumerate() {
        let k = s * STRIP;
        let height = STRIP.min(rows - k);
        let squares = if height == STRIP { width / SIDE * SIDE } else { 0 };
        for j in (0..squares).step_by(SIDE) {
            let sources: [&[f32; STRIP]; SIDE] = std::array::from_fn(|i| {
                let source = &src[(j + i) * src_stride + k..];
                source.first_chunk().expect("a strip lies within the source")
            });
            for (part, rows) in strip.chunks_exact_mut(SIDE * W).enumerate() {
                let square = transposed(sources.map(|s| std::array::from_fn(|i| s[part * SIDE + i])));
                for (row, values) in rows.chunks_exact_mut(W).zip(square) {
                    row[lane + j..][..SIDE].copy_from_slice(&values);
                }
            }
        }
        for j in squares..width {
            let source = &src[j * src_stride + k..][..height];
            for (row, x) in strip.chunks_exact_mut(W).zip(source) {
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
