//! Matrix products: packed micro-kernels chosen at run time.
//!
//! In: rows of f32 in wider buffers ([`View`]), a right-hand matrix packed once ([`Packed`]). Out: the
//! product, written or added to columns of other rows. [`product`] is `out (+)= a @ w`, [`outer`] is
//! `out (+)= aᵀ @ b`; each has a `_raw` form for operands that live in one allocation.
//!
//! Invariants:
//! 1. An element of `out` is computed by one fixed sequence of operations that depends on the
//!    contracted length alone: never on the number of rows, on the row's place among them, on the
//!    number of columns, or on what other rows hold. See Note [Order of summation].
//! 2. Nothing outside the named columns of the named rows is read or written.
//! 3. No allocation.
//!
//! The blocking is in `block.rs`, the innermost tiles in `x86.rs` and `portable.rs`; `placed.rs` is the memory that products
//! and kernels work in. A crate of its own, as it is optimised where the rest is not: tests run on it.

mod bandwidth;
mod block;
pub mod order;
mod packed;
mod pages;
mod peak;
pub mod placed;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use bandwidth::read_gb_per_s;
pub use packed::{Block, Packed};
pub use peak::peak_gflops;

/// Columns of a packed matrix come in panels of so many, four AVX-512 vectors or eight of AVX2; the last one is filled up
/// with zeros.
pub const PANEL: usize = 64;

/// Which tiles are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    Portable,
    Avx2Fma,
    Avx512,
}

impl Isa {
    pub const ALL: [Isa; 3] = [Isa::Avx512, Isa::Avx2Fma, Isa::Portable];

    /// The one of reproducible runs, whatever the machine has beside it.
    pub const REPRODUCIBLE: Isa = Isa::Avx2Fma;

    /// The best one of this machine.
    pub fn detect() -> Isa {
        Isa::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Fma => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2Fma | Isa::Avx512 => false,
        }
    }
}

/// `width` columns of rows that lie `stride` elements apart; the slice starts at the first of them.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub data: &'a [f32],
    pub stride: usize,
    pub width: usize,
}

/// A [`View`] to write to.
#[derive(Debug)]
pub struct ViewMut<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
    pub width: usize,
}

/// A [`View`] without a borrow.
#[derive(Clone, Copy, Debug)]
pub struct RawView {
    pub start: *const f32,
    pub stride: usize,
    pub width: usize,
}

/// A [`ViewMut`] without a borrow.
#[derive(Clone, Copy, Debug)]
pub struct RawViewMut {
    pub start: *mut f32,
    pub stride: usize,
    pub width: usize,
}

/// One product of [`outer_raw`]: its right side, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct RawOuter {
    pub b: RawView,
    pub out: RawViewMut,
    pub accumulate: bool,
}

/// `out[r, ..] (+)= a[r, ..] @ w` for `r` in `0..rows`. `a.width` is `w.k()`, `out.width` is `w.n()`.
///
/// # Panics
/// If widths disagree, a view is too short, or the machine lacks `isa`.
pub fn product(isa: Isa, rows: usize, a: View, w: &Packed, out: ViewMut, accumulate: bool) {
    check_view(rows, a.data.len(), a.stride, a.width);
    check_view(rows, out.data.len(), out.stride, out.width);
    check_apart(rows, out.stride, out.width);
    let a = RawView { start: a.data.as_ptr(), stride: a.stride, width: a.width };
    let out = RawViewMut { start: out.data.as_mut_ptr(), stride: out.stride, width: out.width };
    // SAFETY: both views were checked to hold their rows, and borrows keep them apart.
    unsafe { product_raw(isa, rows, a, w, out, accumulate) }
}

/// [`product`] for operands that may lie in one allocation.
///
/// # Safety
/// For every `r < rows`, `a.width` elements at `a.start + r * a.stride` are initialised and readable and
/// `out.width` elements at `out.start + r * out.stride` are initialised and writable; no element of
/// `out` is an element of `a`; nobody else writes to either meanwhile.
///
/// # Panics
/// If widths disagree or the machine lacks `isa`.
pub unsafe fn product_raw(isa: Isa, rows: usize, a: RawView, w: &Packed, out: RawViewMut, accumulate: bool) {
    assert!(isa.is_available(), "this machine has no {isa:?}");
    assert_eq!(a.width, w.k(), "columns of the left side, rows of the right side");
    assert_eq!(out.width, w.n(), "columns of the result, columns of the right side");
    // SAFETY: the caller vouches for the views; the instructions exist.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => block::product::<x86::Avx512>(rows, a, w, out, accumulate),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Fma => block::product::<x86::Avx2>(rows, a, w, out, accumulate),
            _ => block::product::<portable::Tiles>(rows, a, w, out, accumulate),
        }
    }
}

/// `out[m, n] (+)= Σ_r a[r, m] * b[r, n]` over `r` in `0..rows`, in that order. `out` has
/// `a.width` rows; its width is `b.width`.
///
/// # Panics
/// If widths disagree, a view is too short, or the machine lacks `isa`.
pub fn outer(isa: Isa, rows: usize, a: View, b: View, out: ViewMut, accumulate: bool) {
    check_view(rows, a.data.len(), a.stride, a.width);
    check_view(rows, b.data.len(), b.stride, b.width);
    check_view(a.width, out.data.len(), out.stride, out.width);
    check_apart(a.width, out.stride, out.width);
    let a = RawView { start: a.data.as_ptr(), stride: a.stride, width: a.width };
    let b = RawView { start: b.data.as_ptr(), stride: b.stride, width: b.width };
    let out = RawViewMut { start: out.data.as_mut_ptr(), stride: out.stride, width: out.width };
    // SAFETY: the views were checked to hold their rows, and borrows keep `out` apart.
    unsafe { outer_raw(isa, rows, a, &[RawOuter { b, out, accumulate }]) }
}

/// [`outer`] of one left side with each of some right sides, which may lie in one allocation; the left side is read
/// from afar once for all of them. An element is what [`outer`] makes it.
///
/// # Safety
/// As for [`product_raw`]: `rows` rows of `a` and of every `b` are readable, `a.width` rows of every `out` writable;
/// no element of an `out` is one of `a`, of a `b` or of another `out`; nobody else writes to them meanwhile.
///
/// # Panics
/// If widths disagree or the machine lacks `isa`.
pub unsafe fn outer_raw(isa: Isa, rows: usize, a: RawView, rights: &[RawOuter]) {
    assert!(isa.is_available(), "this machine has no {isa:?}");
    for RawOuter { b, out, .. } in rights {
        assert_eq!(out.width, b.width, "columns of the result, columns of the right side");
    }
    // SAFETY: the caller vouches for the views; the instructions exist.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => block::outer::<x86::Avx512>(rows, a, rights),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2Fma => block::outer::<x86::Avx2>(rows, a, rights),
            _ => block::outer::<portable::Tiles>(rows, a, rights),
        }
    }
}

/// A view of `rows` rows needs `(rows - 1) * stride + width` elements.
fn check_view(rows: usize, len: usize, stride: usize, width: usize) {
    if rows == 0 || width == 0 {
        return;
    }
    let end = (rows - 1).checked_mul(stride).and_then(|start| start.checked_add(width));
    assert!(end.is_some_and(|end| end <= len), "{rows} rows of {width} at {stride} in {len} elements");
}

/// Rows that are written must not overlap. (Rows that are read may: stride 0 repeats one.)
fn check_apart(rows: usize, stride: usize, width: usize) {
    assert!(rows <= 1 || stride >= width, "rows of {width} overlap at stride {stride}");
}

// Note [Order of summation]
//
// The contracted index is cut into equal blocks of at most `block::DEPTH`, from its start. Within a block every
// element is one chain of fused multiply-adds from 0 in index order (of multiplications and additions
// where the machine has no fused ones); the blocks are added to `out` in order, the first one stored
// or added. Tiles of all heights and widths, vectors of all lengths, whole and cut-off panels do
// exactly this, so a row's result has the same bits wherever it is computed. Summing by blocks also
// keeps rounding errors of long sums small (the error grows with DEPTH + length / DEPTH terms).
