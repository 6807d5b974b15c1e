//! Cache blocking: which tile is computed when.
//!
//! `product` keeps a strip of one panel (`DEPTH` rows) in the first cache while the rows pass by.
//! `outer` packs both operands by blocks first, because their columns lie far apart.

use super::packed::{PANEL, Packed};
use super::{RawView, RawViewMut, Scratch};

/// Contracted rows of a block; fixes the order of summation.
pub const DEPTH: usize = 256;

/// Rows of the left side whose block stays in the second cache while all panels pass by.
const CHUNK: usize = 192;

/// Columns of the right side of `outer` that are packed at once.
const WIDE: usize = 512;

/// One tile: `out[height, cols] (+)= a[height, depth] @ b[depth, cols]`, the sum begun at 0.
pub struct Tile {
    pub depth: usize,
    /// Row-major with `a_stride`; or packed, `height` elements for every contracted index.
    pub a: *const f32,
    pub a_stride: usize,
    /// Rows of `PANEL` elements; the next panel begins `panel_len` further.
    pub b: *const f32,
    pub panel_len: usize,
    pub out: *mut f32,
    pub out_stride: usize,
    /// Columns that are written: at most `panels * PANEL`, in the last panel at least one.
    pub cols: usize,
    pub accumulate: bool,
}

/// The innermost loops of one instruction set.
pub trait Tiles {
    /// The tallest tile.
    const HEIGHT: usize;

    /// How many panels a low tile takes at once: it has too few sums in flight otherwise.
    fn panels(height: usize) -> usize;

    /// # Safety
    /// The pointers hold what [`Tile`] says, `1 <= height <= HEIGHT`, `cols` needs at most
    /// `panels(height)` panels, and the machine has the instructions.
    unsafe fn tile(height: usize, packed: bool, tile: &Tile);
}

/// # Safety
/// See [`super::product_raw`]; and the machine has the instructions of `K`.
pub unsafe fn product<K: Tiles>(rows: usize, a: RawView, w: &Packed, out: RawViewMut, accumulate: bool) {
    let (k, n) = (w.k(), w.n());
    if rows == 0 || n == 0 {
        return;
    }
    // Without contracted rows one empty block still has to write its zeros.
    for k0 in (0..k.max(1)).step_by(DEPTH) {
        for chunk in pieces(rows, CHUNK) {
            let group = K::panels(chunk.len().min(K::HEIGHT)) * PANEL;
            for n0 in (0..n).step_by(group) {
                for rows in pieces(chunk.len(), K::HEIGHT) {
                    let r = chunk.start + rows.start;
                    // SAFETY: row `r` and the following belong to both views, columns `k0..` and
                    // `n0..` to their width; panel `n0 / PANEL` and row `k0` to the packed matrix.
                    unsafe {
                        let tile = Tile {
                            depth: DEPTH.min(k - k0),
                            a: a.start.add(r * a.stride + k0),
                            a_stride: a.stride,
                            b: w.panels().add(n0 / PANEL * w.panel_len() + k0 * PANEL),
                            panel_len: w.panel_len(),
                            out: out.start.add(r * out.stride + n0),
                            out_stride: out.stride,
                            cols: group.min(n - n0),
                            accumulate: accumulate || k0 > 0,
                        };
                        K::tile(rows.len(), false, &tile);
                    }
                }
            }
        }
    }
}

/// # Safety
/// See [`super::outer_raw`]; and the machine has the instructions of `K`.
pub unsafe fn outer<K: Tiles>(
    rows: usize,
    a: RawView,
    b: RawView,
    out: RawViewMut,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    let (m, n) = (a.width, b.width);
    if m == 0 || n == 0 {
        return;
    }
    let depth = DEPTH.min(rows);
    scratch.a.reserve(CHUNK.min(m) * depth);
    scratch.b.reserve(WIDE.min(n).next_multiple_of(PANEL) * depth);
    for r0 in (0..rows.max(1)).step_by(DEPTH) {
        let depth = DEPTH.min(rows - r0);
        for n0 in (0..n).step_by(WIDE) {
            let wide = WIDE.min(n - n0);
            // SAFETY: rows `r0..` and columns `n0..` belong to `b`.
            unsafe { pack_panels(scratch.b.as_mut_slice(), b, r0, depth, n0, wide) };
            for chunk in pieces(m, CHUNK) {
                // SAFETY: rows `r0..` and columns `chunk` belong to `a`.
                unsafe { pack_tiles(scratch.a.as_mut_slice(), a, r0, depth, &chunk, K::HEIGHT) };
                let group = K::panels(chunk.len().min(K::HEIGHT)) * PANEL;
                for p in (0..wide).step_by(group) {
                    for tile in pieces(chunk.len(), K::HEIGHT) {
                        // SAFETY: the packed blocks have `depth` rows for each of these columns, and
                        // row `chunk.start + tile.start` and columns `n0 + p..` belong to `out`.
                        unsafe {
                            let at = (chunk.start + tile.start) * out.stride + n0 + p;
                            let block = Tile {
                                depth,
                                a: scratch.a.as_slice().as_ptr().add(tile.start * depth),
                                a_stride: 0,
                                b: scratch.b.as_slice().as_ptr().add(p * depth),
                                panel_len: depth * PANEL,
                                out: out.start.add(at),
                                out_stride: out.stride,
                                cols: group.min(wide - p),
                                accumulate: accumulate || r0 > 0,
                            };
                            K::tile(tile.len(), true, &block);
                        }
                    }
                }
            }
        }
    }
}

/// Cuts `0..len` into the fewest pieces of at most `max`, of sizes that differ by at most one.
fn pieces(len: usize, max: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = len.div_ceil(max);
    let (size, longer) = if count == 0 { (0, 0) } else { (len / count, len % count) };
    let mut end = 0;
    (0..count).map(move |i| {
        let start = end;
        end += size + usize::from(i < longer);
        start..end
    })
}

/// Columns `n0..n0 + wide` of `depth` rows as panels.
///
/// # Safety
/// These rows and columns of `b` are readable.
unsafe fn pack_panels(to: &mut [f32], b: RawView, r0: usize, depth: usize, n0: usize, wide: usize) {
    for p in (0..wide).step_by(PANEL) {
        let cols = PANEL.min(wide - p);
        let panel = &mut to[p * depth..(p + PANEL) * depth];
        for (r, row) in panel.chunks_exact_mut(PANEL).enumerate() {
            // SAFETY: as promised by the caller.
            let from = unsafe { std::slice::from_raw_parts(b.start.add((r0 + r) * b.stride + n0 + p), cols) };
            row[..cols].copy_from_slice(from);
            row[cols..].fill(0.0);
        }
    }
}

/// Columns `chunk` of `depth` rows, tile after tile: for each row the tile's elements.
///
/// # Safety
/// These rows and columns of `a` are readable.
unsafe fn pack_tiles(
    to: &mut [f32],
    a: RawView,
    r0: usize,
    depth: usize,
    chunk: &std::ops::Range<usize>,
    height: usize,
) {
    for r in 0..depth {
        // SAFETY: as promised by the caller.
        let from = unsafe {
            std::slice::from_raw_parts(a.start.add((r0 + r) * a.stride + chunk.start), chunk.len())
        };
        for tile in pieces(chunk.len(), height) {
            let at = tile.start * depth + r * tile.len();
            to[at..at + tile.len()].copy_from_slice(&from[tile]);
        }
    }
}
