//! Cache blocking: which tile is computed when.
//!
//! `product` keeps a strip of one panel (`DEPTH` rows) near while the rows pass by. `outer` reads both operands where
//! they are: a tile touches a few neighbouring columns of `DEPTH` rows, which the second cache holds for the tiles beside it.

pub use super::order::STEP;
use super::order::{Block, DEPTH, blocks};
use super::packed::Packed;
use super::{PANEL, RawOuter, RawView, RawViewMut};

/// Rows of the left side of `product` (columns of that of `outer`) whose block stays in the second cache while all panels
/// pass by.
const CHUNK: usize = 192;

/// A packed matrix up to this size stays in the second cache: no need to ask for it ahead.
const NEAR: usize = 128 * 1024;

/// Columns of a result that are computed for all rows of a chunk before the next ones.
const WIDE: usize = 512;

/// One tile: `out[height, cols] (+)= a[height, depth] @ b[depth, cols]`, the sum begun at 0.
pub struct Tile {
    pub depth: usize,
    /// A row of `depth` elements for each row of the tile; or, for a tile of columns, `height` elements for each contracted
    /// index.
    pub a: *const f32,
    pub a_stride: usize,
    /// `PANEL` elements for each contracted index; or, for a tile of columns, `cols` of them, `b_stride` apart.
    pub b: *const f32,
    pub b_stride: usize,
    pub out: *mut f32,
    pub out_stride: usize,
    /// Columns that are written: at most `columns(height)`.
    pub cols: usize,
    pub accumulate: bool,
    /// What the next tiles will read of the right side, and of the left side (asked for by tiles of columns only).
    pub ahead: Ahead,
    pub ahead_left: Ahead,
}

/// Cache lines to ask for: `across` of them beside one another in each of `rows` rows, `stride` elements apart; `pace` rows
/// every `STEP` indices.
#[derive(Clone, Copy)]
pub struct Ahead {
    pub from: *const f32,
    pub stride: usize,
    pub across: usize,
    pub rows: usize,
    pub pace: usize,
}

/// The innermost loops of one instruction set.
pub trait Tiles {
    /// The tallest tile.
    const HEIGHT: usize;

    /// How many columns a tile takes: a divisor of `PANEL`.
    fn columns(height: usize) -> usize;

    /// `transposed`: a tile of columns.
    ///
    /// # Safety
    /// The pointers hold what [`Tile`] says, `1 <= height <= HEIGHT`, `cols` needs at most
    /// `columns(height)` columns, and the machine has the instructions.
    unsafe fn tile(height: usize, transposed: bool, tile: &Tile);
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
                    let lines = group / LINE * depth;
                    let pace = if far { (group / LINE * STEP).div_ceil(tiles) } else { 0 };
                    let ahead = Ahead { from: next, stride: LINE, across: 1, rows: usize::MAX, pace };
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
                                b_stride: PANEL,
                                out: out.start.add(r * out.stride + n0),
                                out_stride: out.stride,
                                cols: group.min(n - n0),
                                accumulate: accumulate || k0 > 0,
                                ahead: Ahead { from: next.wrapping_add(i * lines / tiles * LINE), ..ahead },
                                ahead_left: Ahead::NOTHING,
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
pub unsafe fn outer<K: Tiles>(rows: usize, a: RawView, rights: &[RawOuter]) {
    let group = K::columns(a.width.min(K::HEIGHT));
    for wide in pieces(panels(rights, group).count(), WIDE / group) {
        // A chunk of the result stays in the second cache while the rows pass by.
        for chunk in pieces(a.width, CHUNK) {
            let tiles = chunk.len().div_ceil(K::HEIGHT);
            for Block { start: r0, depth } in blocks(rows, DEPTH) {
                let ahead = |view: &RawView, row, start, count| Region::of(view, row, depth, start, count);
                let panels = || panels(rights, group).skip(wide.start).take(wide.len());
                for (p, Panel { of: RawOuter { b, out, accumulate }, start, count }) in panels().enumerate() {
                    // Meanwhile the next panel comes nearer; at last the next block.
                    let (next, below) = match panels().nth(p + 1) {
                        Some(next) => (ahead(&next.of.b, r0, next.start, next.count), None),
                        None => {
                            let below = ahead(&a, r0 + depth, chunk.start, chunk.len());
                            let first = panels().next().map(|p| ahead(&p.of.b, r0 + depth, p.start, p.count));
                            (first.unwrap_or(below), Some(below))
                        }
                    };
                    for (i, columns) in pieces(chunk.len(), K::HEIGHT).enumerate() {
                        let m = chunk.start + columns.start;
                        // SAFETY: rows `r0..`, of them columns `m..` of `a` and `start..` of `b`, are readable, and row `m`
                        // and the following of `out` have columns `start..`.
                        unsafe {
                            let tile = Tile {
                                depth,
                                a: a.start.add(r0 * a.stride + m),
                                a_stride: a.stride,
                                b: b.start.add(r0 * b.stride + start),
                                b_stride: b.stride,
                                out: out.start.add(m * out.stride + start),
                                out_stride: out.stride,
                                cols: count,
                                accumulate: *accumulate || r0 > 0,
                                ahead: next.part(i, tiles),
                                ahead_left: below.map_or(Ahead::NOTHING, |below| below.part(i, tiles)),
                            };
                            K::tile(columns.len(), true, &tile);
                        }
                    }
                }
            }
        }
    }
}

/// f32 in a cache line.
const LINE: usize = 16;

impl Ahead {
    const NOTHING: Ahead = Ahead { from: std::ptr::null(), stride: 0, across: 0, rows: 0, pace: 0 };
}

/// Rows that are going to be read. They need not be there: asking ahead for a place that is not does no harm.
#[derive(Clone, Copy)]
struct Region {
    from: *const f32,
    stride: usize,
    rows: usize,
    /// Cache lines of a row.
    lines: usize,
}

impl Region {
    fn of(view: &RawView, row: usize, rows: usize, column: usize, count: usize) -> Region {
        let from = view.start.wrapping_add(row * view.stride + column);
        let first = from.addr() / 4 % LINE;
        Region { from, stride: view.stride, rows, lines: (first + count).div_ceil(LINE) }
    }

    /// The part that the tile `turn` of `turns` asks for: of some rows a line each, or a few where tiles are few.
    fn part(&self, turn: usize, turns: usize) -> Ahead {
        let across = self.lines.div_ceil(turns).max(1);
        let strips = self.lines.div_ceil(across).max(1);
        let groups = (turns / strips).max(1);
        let (strip, group) = (turn % strips, turn / strips);
        if group >= groups {
            return Ahead::NOTHING;
        }
        let rows = self.rows.div_ceil(groups);
        let from = self.from.wrapping_add(group * rows * self.stride + strip * across * LINE);
        Ahead { from, stride: self.stride, pace: (rows * STEP).div_ceil(self.rows.max(1)), rows, across }
    }
}

/// Columns of one right side of `outer`.
struct Panel<'a> {
    of: &'a RawOuter,
    start: usize,
    count: usize,
}

/// Columns of all right sides, at most `group` together, cut between vectors, all panels of one side nearly equal.
fn panels(rights: &[RawOuter], group: usize) -> impl Iterator<Item = Panel<'_>> {
    let vector = LINE.min(group);
    rights.iter().flat_map(move |of| {
        pieces(of.b.width.div_ceil(vector), group / vector).map(move |part| {
            let start = part.start * vector;
            Panel { of, start, count: of.b.width.min(part.end * vector) - start }
        })
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
