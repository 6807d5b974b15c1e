//! The right-hand matrix of a product, cut into panels.
//!
//! A panel holds [`PANEL`] columns: row `k` of the matrix is `PANEL` consecutive elements, so a tile reads
//! it from beginning to end. Panels follow one another. Columns beyond the last are 0.

use super::memory::Lines;

/// Columns of a panel: four AVX-512 vectors, eight of AVX2.
pub use crate::loops::PANEL;

/// Source rows that are transposed together: their part of the panel stays in the first cache.
const STRIP: usize = 16;

/// A `k × n` matrix in panels.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    k: usize,
    n: usize,
    data: Lines,
}

impl Packed {
    /// All zeros.
    ///
    /// # Panics
    /// If `k * n` elements do not fit into memory.
    pub fn zeroed(k: usize, n: usize) -> Packed {
        let len = n.checked_next_multiple_of(PANEL).and_then(|n| n.checked_mul(k));
        Packed { k, n, data: Lines::zeroed(len.expect("elements of a matrix fit into memory")) }
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
        assert!(k0 <= self.k && rows <= self.k - k0, "rows {k0}+{rows} of {}", self.k);
        assert!(n0 <= self.n && cols <= self.n - n0, "columns {n0}+{cols} of {}", self.n);
        if rows == 0 || cols == 0 {
            return;
        }
        let panel_len = self.k * PANEL;
        let first = n0 / PANEL;
        let last = (n0 + cols - 1) / PANEL;
        let data = self.data.as_mut_slice();
        for p in first..=last {
            let from = n0.max(p * PANEL);
            let to = (n0 + cols).min((p + 1) * PANEL);
            let (lane, width, col) = (from - p * PANEL, to - from, from - n0);
            let panel = &mut data[p * panel_len + k0 * PANEL..][..rows * PANEL];
            if transposed {
                pack_columns(panel, lane, &src[col * src_stride..], width, src_stride);
            } else {
                for (k, row) in panel.chunks_exact_mut(PANEL).enumerate() {
                    row[lane..lane + width].copy_from_slice(&src[k * src_stride + col..][..width]);
                }
            }
        }
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

    /// Panel `p` follows at `p * panel_len()`.
    pub(super) fn panels(&self) -> *const f32 {
        self.data.as_slice().as_ptr()
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
        for j in 0..width {
            let source = &src[j * src_stride + k..][..height];
            for (row, x) in strip.chunks_exact_mut(PANEL).zip(source) {
                row[lane + j] = *x;
            }
        }
    }
}
