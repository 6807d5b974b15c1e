//! Cache blocking: which tile is computed when.
//!
//! `product` keeps a strip of one panel (`DEPTH` rows) in the first cache while the rows pass by.
//! `outer` packs both operands by blocks first, because their columns lie far apart.

use super::packed::{PANEL, Packed};
use super::{RawView, RawViewMut, Scratch};

/// At most so many contracted rows of `product` make a block; fixes the order of summation.
const DEPTH: usize = 256;

/// Likewise for `outer`, whose packed blocks share the caches with a whole result.
const OUTER_DEPTH: usize = 128;

/// Blocks but the last are multiples of this.
pub const STEP: usize = 4;

/// Rows of the left side whose block stays in the second cache while all panels pass by.
const CHUNK: usize = 192;

/// A packed matrix up to this size stays in the second cache: no need to ask for it ahead.
const NEAR: usize = 128 * 1024;

/// Columns of the right side of `outer` that are packed at once.
const WIDE: usize = 512;

/// One tile: `out[height, cols] (+)= a[height, depth] @ b[depth, cols]`, the sum begun at 0.
pub struct Tile {
    pub depth: usize,
    /// Row-major with `a_stride`; or packed, `height` elements for every contracted index.
    pub a: *const f32,
    pub a_stride: usize,
    /// Rows of `PANEL` elements.
    pub b: *const f32,
    pub out: *mut f32,
    pub out_stride: usize,
    /// Columns that are written: at most `columns(height)`.
    pub cols: usize,
    pub accumulate: bool,
    /// Where the next tiles will read: so many cache lines of it are fetched every `STEP` indices.
    pub ahead: *const f32,
    pub pace: usize,
}

/// The innermost loops of one instruction set.
pub trait Tiles {
    /// The tallest tile.
    const HEIGHT: usize;

    /// How many columns a tile takes: a divisor of `PANEL`.
    fn columns(height: usize) -> usize;

    /// Asks for a cache line; any address will do.
    fn fetch(p: *const f32);

    /// # Safety
    /// The pointers hold what [`Tile`] says, `1 <= height <= HEIGHT`, `cols` needs at most
    /// `columns(height)` columns, and the machine has the instructions.
    unsafe fn tile(height: usize, packed: bool, tile: &Tile);
}

/// # Safety
/// See [`super::product_raw`]; and the machine has the instructions of `K`.
pub unsafe fn product<K: Tiles>(rows: usize, a: RawView, w: &Packed, out: RawViewMut, accumulate: bool) {
    let (k, n) = (w.k(), w.n());
    if rows == 0 || n == 0 {
        return;
    }
    let size = w.panel_len().saturating_mul(n.div_ceil(PANEL));
    for chunk in pieces(rows, CHUNK) {
        let height = chunk.len().min(K::HEIGHT);
        let group = K::columns(height);
        let tiles = chunk.len().div_ceil(K::HEIGHT);
        let far = tiles > 2 && size > NEAR;
        // A single tile reads each panel once: from beginning to end is best.
        let columns = if tiles == 1 { group } else { WIDE };
        for wide in (0..n).step_by(columns) {
            for Block { start: k0, depth } in blocks(k, DEPTH) {
                let end = n.min(wide + columns);
                for n0 in (wide..end).step_by(group) {
                    let strip = |n0: usize, k0: usize| {
                        w.panels().wrapping_add(n0 / PANEL * w.panel_len() + k0 * PANEL + n0 % PANEL)
                    };
                    let next = if n0 + group < end {
                        strip(n0 + group, k0)
                    } else if k0 + depth < k {
                        strip(wide, k0 + depth)
                    } else {
                        strip(end, 0)
                    };
                    let lines = group / 16 * depth;
                    let pace = if far { (group / 16 * STEP).div_ceil(tiles) } else { 0 };
                    for (i, rows) in pieces(chunk.len(), K::HEIGHT).enumerate() {
                        let r = chunk.start + rows.start;
                        // SAFETY: row `r` and the following belong to both views, columns `k0..` and
                        // `n0..` to their width; panel `n0 / PANEL` and row `k0` to the packed matrix.
                        unsafe {
                            let tile = Tile {
                                depth,
                                a: a.start.add(r * a.stride + k0),
                                a_stride: a.stride,
                                b: strip(n0, k0),
                                out: out.start.add(r * out.stride + n0),
                                out_stride: out.stride,
                                cols: group.min(n - n0),
                                accumulate: accumulate || k0 > 0,
                                ahead: next.wrapping_add(i * lines / tiles * 16),
                                pace,
                            };
                            K::tile(rows.len(), false, &tile);
                        }
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
    let depth = blocks(rows, OUTER_DEPTH).map(|block| block.depth).max().unwrap_or(0);
    scratch.a.reserve(CHUNK.min(m) * depth);
    scratch.b.reserve(WIDE.min(n).next_multiple_of(PANEL) * depth);
    for Block { start: r0, depth } in blocks(rows, OUTER_DEPTH) {
        for n0 in (0..n).step_by(WIDE) {
            let wide = WIDE.min(n - n0);
            // SAFETY: rows `r0..` and columns `n0..` belong to `b`.
            unsafe { pack_panels(scratch.b.as_mut_slice(), b, r0, depth, n0, wide) };
            let mut chunks = pieces(m, CHUNK).peekable();
            while let Some(chunk) = chunks.next() {
                // SAFETY: rows `r0..` and columns `chunk` belong to `a`.
                unsafe { pack_tiles(scratch.a.as_mut_slice(), a, r0, depth, &chunk, K::HEIGHT) };
                let group = K::columns(chunk.len().min(K::HEIGHT));
                let tiles = chunk.len().div_ceil(K::HEIGHT);
                // Meanwhile the rows of the next block come nearer, a few with each tile.
                let next = match chunks.peek() {
                    Some(next) => a.start.wrapping_add(r0 * a.stride + next.start),
                    None => a.start.wrapping_add((r0 + depth) * a.stride),
                };
                let mut near = 0;
                let total = tiles * wide.div_ceil(group);
                let mut done = 0;
                for p in (0..wide).step_by(group) {
                    for tile in pieces(chunk.len(), K::HEIGHT) {
                        done += 1;
                        while near < done * depth / total {
                            for column in (0..chunk.len()).step_by(16) {
                                K::fetch(next.wrapping_add(near * a.stride + column));
                            }
                            near += 1;
                        }
                        // SAFETY: the packed blocks have `depth` rows for each of these columns, and
                        // row `chunk.start + tile.start` and columns `n0 + p..` belong to `out`.
                        unsafe {
                            let at = (chunk.start + tile.start) * out.stride + n0 + p;
                            let block = Tile {
                                depth,
                                a: scratch.a.as_slice().as_ptr().add(tile.start * depth),
                                a_stride: 0,
                                b: scratch.b.as_slice().as_ptr().add(p / PANEL * PANEL * depth + p % PANEL),
                                out: out.start.add(at),
                                out_stride: out.stride,
                                cols: group.min(wide - p),
                                accumulate: accumulate || r0 > 0,
                                ahead: scratch.b.as_slice().as_ptr(),
                                pace: 0,
                            };
                            K::tile(tile.len(), true, &block);
                        }
                    }
                }
            }
        }
    }
}

/// A block of contracted rows.
struct Block {
    start: usize,
    depth: usize,
}

/// Blocks of at most `most` of `k` contracted rows; they depend on nothing else. Without rows there is one empty block, which
/// still has to write its zeros.
fn blocks(k: usize, most: usize) -> impl Iterator<Item = Block> {
    let count = k.div_ceil(most).max(1);
    let size = k.div_ceil(count).next_multiple_of(STEP);
    (0..count).map(move |i| {
        let start = (i * size).min(k);
        Block { start, depth: size.min(k - start) }
    })
}

/// Cuts `0..len` into the fewest pieces of at most `max`, of sizes that differ by at most one.
fn pieces(len: usize, max: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = len.div_ceil(max);
    let size = len.checked_div(count).unwrap_or(0);
    let longer = len - size * count;
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
    assert!(to.len() >= chunk.len() * depth, "room for the packed tiles");
    for r in 0..depth {
        for tile in pieces(chunk.len(), height) {
            // SAFETY: as promised by the caller; `to` holds `depth` times the elements of each tile.
            unsafe {
                let from = a.start.add((r0 + r) * a.stride + chunk.start + tile.start);
                let to = to.as_mut_ptr().add(tile.start * depth + r * tile.len());
                // Lengths known when compiling: a call for so few elements would cost more than the copy.
                match tile.len() {
                    6 => from.copy_to_nonoverlapping(to, 6),
                    5 => from.copy_to_nonoverlapping(to, 5),
                    4 => from.copy_to_nonoverlapping(to, 4),
                    n => from.copy_to_nonoverlapping(to, n),
                }
            }
        }
    }
}
