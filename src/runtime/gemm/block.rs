//! Cache blocking: which tile is computed when.
//!
//! `product` keeps a strip of one panel (`DEPTH` rows) in the first cache while the rows pass by.
//! `outer` packs both operands by blocks first, because their columns lie far apart.

use super::packed::{PANEL, Packed};
use super::{RawOuter, RawView, RawViewMut, Scratch};
pub use crate::loops::order::STEP;
use crate::loops::order::{Block, DEPTH, blocks};

/// At most so many contracted rows of `outer` make a block, whose packed blocks share the caches with a whole result.
const OUTER_DEPTH: usize = 128;

/// Columns of the left side of `outer` that are packed at once: a multiple of every strip.
const OUTER_CHUNK: usize = 192;

/// Blocks of `outer` whose right sides are packed before the first product.
const SPAN: usize = 32;

/// So many tiles of `outer` lie side by side in a packed strip.
const STRIP_TILES: usize = 4;

/// The strip of the tallest tiles.
const LONG: usize = 6 * STRIP_TILES;

/// Rows of the left side whose block stays in the second cache while all panels pass by.
const CHUNK: usize = 192;

/// A packed matrix up to this size stays in the second cache: no need to ask for it ahead.
const NEAR: usize = 128 * 1024;

/// Columns of the right sides of `outer` that are packed at once.
const WIDE: usize = 512;

/// One tile: `out[height, cols] (+)= a[height, depth] @ b[depth, cols]`, the sum begun at 0.
pub struct Tile {
    pub depth: usize,
    /// Row-major with `a_stride`; or packed, `height` elements for every contracted index, `a_stride` apart.
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
pub unsafe fn outer<K: Tiles>(rows: usize, a: RawView, rights: &[RawOuter], scratch: &mut Scratch) {
    let total: usize = rights.iter().map(|right| right.b.width).sum();
    let span = blocks(rows, OUTER_DEPTH).take(SPAN).map(|block| block.depth).sum::<usize>();
    let deepest = blocks(rows, OUTER_DEPTH).map(|block| block.depth).max().unwrap_or(0);
    let (strip, chunk) = (strip::<K>(), chunk::<K>(a.width));
    scratch.a.reserve(chunk * deepest);
    scratch.b.reserve((WIDE.min(total) + rights.len() * PANEL) * span);
    let count = blocks(rows, OUTER_DEPTH).count();
    for first in (0..count).step_by(SPAN) {
        let blocks = || blocks(rows, OUTER_DEPTH).skip(first).take(SPAN);
        for wide in (0..total).step_by(WIDE) {
            // Right sides are packed once, then read from beginning to end for each chunk.
            let padded: usize = columns(rights, wide).map(|p| p.count.next_multiple_of(PANEL)).sum();
            let mut packed = 0;
            for Block { start: r0, depth } in blocks() {
                for piece in columns(rights, wide) {
                    let to = &mut scratch.b.as_mut_slice()[packed + piece.packed * depth..];
                    // SAFETY: rows `r0..` and these columns belong to `b`.
                    unsafe { pack_panels(to, piece.of.b, r0, depth, piece.start, piece.count) };
                }
                packed += padded * depth;
            }
            // A chunk of the result stays in the second cache while the rows pass by.
            for m0 in (0..a.width).step_by(chunk) {
                let chunk = m0..a.width.min(m0 + chunk);
                let tiles = chunk.len().div_ceil(K::HEIGHT);
                let group = K::columns(chunk.len().min(K::HEIGHT));
                let mut packed = 0;
                for Block { start: r0, depth } in blocks() {
                    // SAFETY: rows `r0..` and columns `chunk` belong to `a`.
                    unsafe { pack_strips(scratch.a.as_mut_slice(), a, r0, depth, &chunk, strip) };
                    // Meanwhile the rows of the next block come nearer, a few with each tile.
                    let mut ahead = Ahead {
                        from: a.start.wrapping_add((r0 + depth) * a.stride + m0),
                        stride: a.stride,
                        width: chunk.len(),
                        rows: depth,
                        turns: tiles * columns(rights, wide).map(|p| p.count.div_ceil(group)).sum::<usize>(),
                        turn: 0,
                        row: 0,
                    };
                    for piece in columns(rights, wide) {
                        let RawOuter { out, accumulate, .. } = *piece.of;
                        for p in (0..piece.count).step_by(group) {
                            let panel = packed + (piece.packed + p / PANEL * PANEL) * depth;
                            let lines = group / 16 * depth;
                            for i in 0..tiles {
                                ahead.fetch::<K>();
                                let m = i * K::HEIGHT;
                                // SAFETY: the packed blocks have `depth` rows for each of these columns, and row `m0 + m`
                                // and columns `piece.start + p..` belong to `out`.
                                unsafe {
                                    let b = scratch.b.as_slice().as_ptr().add(panel + p % PANEL);
                                    let tile = Tile {
                                        depth,
                                        a: scratch
                                            .a
                                            .as_slice()
                                            .as_ptr()
                                            .add(m / strip * strip * depth + m % strip),
                                        a_stride: strip,
                                        b,
                                        out: out.start.add((m0 + m) * out.stride + piece.start + p),
                                        out_stride: out.stride,
                                        cols: group.min(piece.count - p),
                                        accumulate: accumulate || r0 > 0,
                                        // Panels follow one another in the order they are read.
                                        ahead: b.wrapping_add((lines + i * lines / tiles) * 16),
                                        pace: (group / 16 * STEP).div_ceil(tiles),
                                    };
                                    K::tile(K::HEIGHT.min(chunk.len() - m), true, &tile);
                                }
                            }
                        }
                    }
                    packed += padded * depth;
                }
            }
        }
    }
}

/// Columns of the left side of `outer` that are packed at once: nearly equal parts of `m`, whole strips.
fn chunk<K: Tiles>(m: usize) -> usize {
    let count = m.div_ceil(OUTER_CHUNK).max(1);
    m.div_ceil(count).next_multiple_of(strip::<K>()).max(1)
}

/// Elements of a row of packed strips: tiles side by side, so that packing copies whole vectors.
fn strip<K: Tiles>() -> usize {
    STRIP_TILES * K::HEIGHT
}

/// Columns of one right side of `outer`.
struct Columns<'a> {
    of: &'a RawOuter,
    start: usize,
    count: usize,
    /// Columns that are packed before it.
    packed: usize,
}

/// Columns `wide..wide + WIDE` of all right sides in a row.
fn columns(rights: &[RawOuter], wide: usize) -> impl Iterator<Item = Columns<'_>> {
    let (mut begin, mut packed) = (0, 0);
    rights.iter().filter_map(move |of| {
        let end = begin + of.b.width;
        let (from, to) = (begin.max(wide), end.min(wide + WIDE));
        let columns = (from < to).then(|| Columns { of, start: from - begin, count: to - from, packed });
        packed += to.saturating_sub(from).next_multiple_of(PANEL);
        begin = end;
        columns
    })
}

/// Rows that will be packed next, fetched evenly over `turns` tiles.
struct Ahead {
    from: *const f32,
    stride: usize,
    width: usize,
    rows: usize,
    turns: usize,
    turn: usize,
    row: usize,
}

impl Ahead {
    fn fetch<K: Tiles>(&mut self) {
        self.turn += 1;
        while self.row < self.turn * self.rows / self.turns {
            for column in (0..self.width).step_by(16) {
                K::fetch(self.from.wrapping_add(self.row * self.stride + column));
            }
            self.row += 1;
        }
    }
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
    for r in 0..depth {
        // SAFETY: as promised by the caller.
        let row = unsafe { std::slice::from_raw_parts(b.start.add((r0 + r) * b.stride + n0), wide) };
        let mut at = r * PANEL;
        for part in row.chunks(PANEL) {
            match part.first_chunk::<PANEL>() {
                Some(part) => to[at..at + PANEL].copy_from_slice(part),
                None => {
                    to[at..at + part.len()].copy_from_slice(part);
                    to[at + part.len()..at + PANEL].fill(0.0);
                }
            }
            at += PANEL * depth;
        }
    }
}

/// Columns `chunk` of `depth` rows in strips: `strip` elements of each row, strip after strip.
///
/// # Safety
/// These rows and columns of `a` are readable.
unsafe fn pack_strips(
    to: &mut [f32],
    a: RawView,
    r0: usize,
    depth: usize,
    chunk: &std::ops::Range<usize>,
    strip: usize,
) {
    for r in 0..depth {
        // SAFETY: as promised by the caller.
        let row = unsafe {
            std::slice::from_raw_parts(a.start.add((r0 + r) * a.stride + chunk.start), chunk.len())
        };
        let mut at = r * strip;
        for part in row.chunks(strip) {
            // A length known when compiling: a call for so few elements would cost more than the copy.
            match part.first_chunk::<LONG>() {
                Some(part) if strip == LONG => to[at..at + LONG].copy_from_slice(part),
                _ => to[at..at + part.len()].copy_from_slice(part),
            }
            at += strip * depth;
        }
    }
}
