//! Cache blocking: which tile is computed when.
//!
//! `product` keeps a strip of one panel (`DEPTH` rows) near while the rows pass by. `outer` reads both operands where
//! they are: a tile touches a few neighbouring columns of `DEPTH` rows, which the second cache holds for the tiles beside it.
//! Where tiles are narrow, what many of them read is copied together first: Note [Narrow tiles].

pub use super::order::STEP;
use super::order::{Block, DEPTH, blocks};
use super::packed::Packed;
use super::{PANEL, RawOuter, RawView, RawViewMut};
use std::mem::MaybeUninit;

/// Rows of the left side of `product` (columns of that of `outer`) whose block stays in the second cache while all panels
/// pass by.
const CHUNK: usize = 192;

/// A packed matrix up to this size stays in the second cache: no need to ask for it ahead.
const NEAR: usize = 128 * 1024;

/// Columns of a result that are computed for all rows of a chunk before the next ones.
const WIDE: usize = 512;

/// Columns of a narrow panel, and of a strip of a copy: those of a tile of AVX2.
pub const NARROW: usize = 16;

/// Columns of the left side of `outer` that are copied together.
const LEFT: usize = 96;

/// Columns of a right side that are copied together.
const RIGHT: usize = 64;

/// So many tiles that read the same repay its copy.
const REPAID: usize = 4;

/// How the operands of a tile lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A row of the left side for each row of the tile, a row of a panel, `PANEL` wide, for each contracted index.
    Rows,
    /// The same, but a panel is `NARROW` wide; what goes beyond it is in the next one.
    NarrowRows,
    /// A row of the left and a row of the right side for each contracted index.
    Columns,
    /// The same, but both are copies (Note [Narrow tiles]): of the left side as wide as the tile is high, of the right side `NARROW` wide.
    NearColumns,
}

/// One tile: `out[height, cols] (+)= a[height, depth] @ b[depth, cols]`, the sum begun at 0.
pub struct Tile {
    pub depth: usize,
    /// Element `(r, k)` is at `r * a_row + k * a_pace`.
    pub a: *const f32,
    pub a_row: usize,
    pub a_pace: usize,
    /// `cols` elements for each contracted index, `b_pace` apart; those of a panel or a copy are whole vectors.
    pub b: *const f32,
    pub b_pace: usize,
    /// From one narrow panel to the next.
    pub b_panel: usize,
    pub out: *mut f32,
    pub out_stride: usize,
    /// Columns that are written: at most `columns(height)`.
    pub cols: usize,
    pub accumulate: bool,
    /// What the next tiles will read of the right side, and of the left side (of interest to `Form::Columns` only). Forms of
    /// narrow tiles have no register for it; it is asked for before them.
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

    /// # Safety
    /// The pointers hold what [`Tile`] says, `1 <= height <= HEIGHT`, `cols` needs at most
    /// `columns(height)` columns, and the machine has the instructions.
    unsafe fn tile(height: usize, form: Form, tile: &Tile);

    /// Asks for a cache line, up to the second cache: the first one is full of what is being read. Any address will do.
    fn fetch(line: *const f32);
}

/// # Safety
/// See [`super::product_raw`]; and the machine has the instructions of `K`.
pub unsafe fn product<K: Tiles>(rows: usize, a: RawView, w: &Packed, out: RawViewMut, accumulate: bool) {
    let (k, n) = (w.k(), w.n());
    if rows == 0 || n == 0 {
        return;
    }
    let form = if w.width() == PANEL { Form::Rows } else { Form::NarrowRows };
    let size = w.panel_len().saturating_mul(n.div_ceil(w.width()));
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
                        let (panel, column) = (n0 / w.width(), n0 % w.width());
                        w.panels().wrapping_add(panel * w.panel_len() + k0 * w.width() + column)
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
                        let ahead = Ahead { from: next.wrapping_add(i * lines / tiles * LINE), ..ahead };
                        if form == Form::NarrowRows && far {
                            ahead.fetch::<K>(lines.div_ceil(tiles));
                        }
                        // SAFETY: row `r` and the following belong to both views, columns `k0..` and
                        // `n0..` to their width; that panel and row `k0` to the packed matrix.
                        unsafe {
                            let tile = Tile {
                                depth,
                                a: a.start.add(r * a.stride + k0),
                                a_row: a.stride,
                                a_pace: 1,
                                b: strip(n0, k0),
                                b_pace: w.width(),
                                b_panel: w.panel_len(),
                                out: out.start.add(r * out.stride + n0),
                                out_stride: out.stride,
                                cols: group.min(n - n0),
                                accumulate: accumulate || k0 > 0,
                                ahead,
                                ahead_left: Ahead::NOTHING,
                            };
                            K::tile(rows.len(), form, &tile);
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
    let columns = rights.iter().map(|right| right.b.width).sum::<usize>();
    // SAFETY: passed on from the caller.
    unsafe {
        if group == NARROW && a.width > (REPAID - 1) * K::HEIGHT && columns > (REPAID - 1) * NARROW {
            outer_of_copies::<K>(rows, a, rights);
        } else {
            outer_in_place::<K>(rows, a, rights, group);
        }
    }
}

unsafe fn outer_in_place<K: Tiles>(rows: usize, a: RawView, rights: &[RawOuter], group: usize) {
    for wide in pieces(panels(rights, group).count(), WIDE / group) {
        // A chunk of the result stays in the second cache while the rows pass by.
        for chunk in pieces(a.width, CHUNK) {
            let tiles = chunk.len().div_ceil(K::HEIGHT);
            for Block { start: r0, depth } in blocks(rows, DEPTH) {
                let ahead = |view: &RawView, row, start, count| Region::of(view, row, depth, start, count);
                let panels = || panels(rights, group).skip(wide.start).take(wide.len());
                for (p, panel) in panels().enumerate() {
                    let Panel { of: RawOuter { b, out, accumulate }, start, count } = panel;
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
                                a_row: 1,
                                a_pace: a.stride,
                                b: b.start.add(r0 * b.stride + start),
                                b_pace: b.stride,
                                b_panel: 0,
                                out: out.start.add(m * out.stride + start),
                                out_stride: out.stride,
                                cols: count,
                                accumulate: *accumulate || r0 > 0,
                                ahead: next.part(i, tiles),
                                ahead_left: below.map_or(Ahead::NOTHING, |below| below.part(i, tiles)),
                            };
                            K::tile(columns.len(), Form::Columns, &tile);
                        }
                    }
                }
            }
        }
    }
}

unsafe fn outer_of_copies<K: Tiles>(rows: usize, a: RawView, rights: &[RawOuter]) {
    let (mut near_left, mut near) = (Near::<{ DEPTH * LEFT }>::new(), Near::<{ DEPTH * RIGHT }>::new());
    for wide in pieces(panels(rights, RIGHT).count(), WIDE / RIGHT) {
        // A block of the right sides stays in the second cache while the left side passes by.
        for Block { start: r0, depth } in blocks(rows, DEPTH) {
            for chunk in pieces(a.width, LEFT) {
                let tiles = chunk.len().div_ceil(K::HEIGHT);
                // SAFETY: rows `r0..` of `a` have these columns.
                let left = unsafe {
                    let from = a.start.add(r0 * a.stride + chunk.start);
                    near_left.tiles(from, a.stride, depth, chunk.len(), K::HEIGHT)
                };
                let panels = || panels(rights, RIGHT).skip(wide.start).take(wide.len());
                for (p, panel) in panels().enumerate() {
                    let Panel { of: RawOuter { b, out, accumulate }, start, count } = panel;
                    // Meanwhile the next panel comes nearer; at last the next chunk of the left side, or the next block of both.
                    let next = match panels().nth(p + 1) {
                        Some(next) => [Some(Region::of(&next.of.b, r0, depth, next.start, next.count)), None],
                        None if chunk.end < a.width => {
                            let count = chunk.len().min(a.width - chunk.end);
                            [Some(Region::of(&a, r0, depth, chunk.end, count)), None]
                        }
                        None => {
                            let below =
                                |b: &RawView, start, count| Region::of(b, r0 + depth, depth, start, count);
                            let first = panels().next().map(|p| below(&p.of.b, p.start, p.count));
                            [first, Some(below(&a, 0, chunk.len()))]
                        }
                    };
                    // SAFETY: rows `r0..` of `b` have these columns.
                    let right =
                        unsafe { near.strips(b.start.add(r0 * b.stride + start), b.stride, depth, count) };
                    let turns = tiles * count.div_ceil(NARROW);
                    for strip in 0..count.div_ceil(NARROW) {
                        let n = strip * NARROW;
                        for (i, columns) in pieces(chunk.len(), K::HEIGHT).enumerate() {
                            let turn = strip * tiles + i;
                            next.iter().flatten().for_each(|region| region.fetch::<K>(turn, turns));
                            // SAFETY: the copies have this tile and this strip; row `m` and the following of `out` have columns
                            // `start + n..`.
                            unsafe {
                                let m = chunk.start + columns.start;
                                let tile = Tile {
                                    depth,
                                    a: left.add(columns.start * depth),
                                    a_row: 1,
                                    a_pace: columns.len(),
                                    b: right.add(n * depth),
                                    b_pace: NARROW,
                                    b_panel: 0,
                                    out: out.start.add(m * out.stride + start + n),
                                    out_stride: out.stride,
                                    cols: NARROW.min(count - n),
                                    accumulate: *accumulate || r0 > 0,
                                    ahead: Ahead::NOTHING,
                                    ahead_left: Ahead::NOTHING,
                                };
                                K::tile(columns.len(), Form::NearColumns, &tile);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A part of an operand, on the stack: what tiles read next lies together.
#[repr(align(64))]
struct Near<const N: usize>([MaybeUninit<f32>; N]);

impl<const N: usize> Near<N> {
    fn new() -> Near<N> {
        Near([MaybeUninit::uninit(); N])
    }

    /// `count` columns of rows that are `stride` apart, cut into strips of `NARROW` that follow one another, the last one filled
    /// up with zeros.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn strips(&mut self, from: *const f32, stride: usize, rows: usize, count: usize) -> *const f32 {
        // Without rows there is nothing to copy, and no chunk.
        for (s, to) in
            self.0.chunks_exact_mut((rows * NARROW).max(1)).take(count.div_ceil(NARROW)).enumerate()
        {
            let n = s * NARROW;
            let (to, _) = to.as_chunks_mut::<NARROW>();
            for (r, to) in to.iter_mut().enumerate() {
                // SAFETY: the caller vouches for the row; its length is known where it is whole, so that it is a few vectors.
                let row =
                    unsafe { std::slice::from_raw_parts(from.add(r * stride + n), NARROW.min(count - n)) };
                *to = match row.first_chunk::<NARROW>() {
                    Some(row) => row.map(MaybeUninit::new),
                    None => std::array::from_fn(|c| MaybeUninit::new(row.get(c).copied().unwrap_or(0.0))),
                };
            }
        }
        self.0.as_ptr().cast()
    }

    /// `count` columns, cut into tiles of at most `height`; a tile is as wide as it has columns, and tiles follow one another.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn tiles(
        &mut self,
        from: *const f32,
        stride: usize,
        rows: usize,
        count: usize,
        height: usize,
    ) -> *const f32 {
        for columns in pieces(count, height) {
            let to = &mut self.0[columns.start * rows..columns.end * rows];
            let from = from.wrapping_add(columns.start);
            // SAFETY: passed on from the caller. Lengths that are known are a few moves.
            unsafe {
                match columns.len() {
                    6 => copy_rows::<6>(to, from, stride),
                    5 => copy_rows::<5>(to, from, stride),
                    4 => copy_rows::<4>(to, from, stride),
                    3 => copy_rows::<3>(to, from, stride),
                    2 => copy_rows::<2>(to, from, stride),
                    _ => copy_rows::<1>(to, from, stride),
                }
            }
        }
        self.0.as_ptr().cast()
    }
}

/// # Safety
/// As many rows of `W` columns as `to` holds can be read.
unsafe fn copy_rows<const W: usize>(to: &mut [MaybeUninit<f32>], from: *const f32, stride: usize) {
    for (r, to) in to.as_chunks_mut::<W>().0.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the row; an array of f32 has their alignment.
        *to = unsafe { *from.add(r * stride).cast::<[f32; W]>() }.map(MaybeUninit::new);
    }
}

/// f32 in a cache line.
const LINE: usize = 16;

impl Ahead {
    const NOTHING: Ahead = Ahead { from: std::ptr::null(), stride: 0, across: 0, rows: 0, pace: 0 };

    /// Asks for all of it, at most `most` rows.
    fn fetch<K: Tiles>(&self, most: usize) {
        for row in 0..self.rows.min(most) {
            for line in 0..self.across {
                K::fetch(self.from.wrapping_add(row * self.stride + line * LINE));
            }
        }
    }
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

    /// Asks for the whole rows that are the part of `turn`.
    fn fetch<K: Tiles>(&self, turn: usize, turns: usize) {
        let rows = self.rows.div_ceil(turns);
        for row in (turn * rows..self.rows).take(rows) {
            for line in 0..self.lines {
                K::fetch(self.from.wrapping_add(row * self.stride + line * LINE));
            }
        }
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

// Note [Narrow tiles]
//
// A tile of AVX2 takes 16 columns. Of rows that are 64 wide it would read lines that lie four apart: in a quarter of the sets of
// the first cache, which are half of what 256 rows need. So panels are 16 wide where nothing but products reads them. Rows of an
// operand of `outer` may lie a whole page apart, all in one set; so where at least `REPAID` tiles read the same, it is copied
// first: of a left side 96 KB, of a right side 64 KB, all of it in the second cache, from which a tile reads its part in the time
// of its multiply-adds. And 16 registers leave none for a mask or for what is asked for ahead. The order of summation is the
// same for all of them.
