//! The memory of a run: aligned buffers and packed weights, and what several threads do with them at once.
//!
//! In: sizes, elements. Out: safe views of them. A [`Memory`] is how one thread of a run reaches all of it. Each of its
//! methods stays within the buffers it is told of (or panics), but of two handles none knows what the other does: that
//! is what [`Memory::again`] asks a promise for.
#![allow(unsafe_code)]

use super::gemm::{self, Packed};
use super::placed::Placed;
pub use super::placed::{OutOfMemory, Placement};
use crate::loops::WeightPart;
use std::fmt;
use std::ops::Range;

/// Elements of a cache line.
pub const LINE: usize = super::placed::ALIGN / 4;

/// Memory of 4-byte elements, read as `f32` or as `i32`. Every bit pattern is a value of both.
#[derive(Default)]
pub struct Buf(Placed<f32>);

impl Buf {
    /// No elements yet; those to come lie there.
    pub fn new(placement: Placement) -> Buf {
        Buf(Placed::new(placement))
    }

    /// Makes this `len` zeros; plain memory once acquired is kept.
    pub fn reset(&mut self, len: usize) -> Result<(), OutOfMemory> {
        self.0.reset(len)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn f32(&self) -> &[f32] {
        self.0.as_slice()
    }

    pub fn f32_mut(&mut self) -> &mut [f32] {
        self.0.as_mut_slice()
    }

    pub fn i32(&self) -> &[i32] {
        // SAFETY: the elements are there; i32 has the size and alignment of f32 and no invalid bit pattern. Nobody writes
        // meanwhile: `&mut self` cannot be had, and a `Memory` that leads here holds it.
        unsafe { std::slice::from_raw_parts(self.0.start().cast(), self.0.len()) }
    }

    pub fn i32_mut(&mut self) -> &mut [i32] {
        // SAFETY: as in `i32`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.start().cast(), self.0.len()) }
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buf({:?})", self.0)
    }
}

/// Rows of a product in a buffer: from element `first`, `stride` elements apart, `width` wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    pub buffer: usize,
    pub first: usize,
    pub stride: usize,
    pub width: usize,
}

impl Rows {
    /// Elements from the buffer's start to just behind the last row.
    fn end(&self, rows: usize) -> Option<usize> {
        (rows.checked_sub(1)?).checked_mul(self.stride)?.checked_add(self.first)?.checked_add(self.width)
    }

    /// Do `rows` rows of both share no element? Only asked of rows of one buffer.
    fn is_apart_from(&self, other: &Rows, rows: usize) -> bool {
        let before = |a: &Rows, b: &Rows| a.end(rows).is_some_and(|end| end <= b.first);
        let beside = |a: &Rows, b: &Rows| {
            let within = |r: &Rows| r.stride > 0 && r.first % r.stride + r.width <= r.stride;
            let columns = a.stride == b.stride && within(a) && within(b);
            columns && a.first % a.stride + a.width <= b.first % b.stride
        };
        rows == 0 || before(self, other) || before(other, self) || beside(self, other) || beside(other, self)
    }
}

/// A sum of outer products: its right side, and the rows it is written or added to.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    pub b: Rows,
    pub out: Rows,
    pub accumulate: bool,
}

/// Most right sides of one call of [`Memory::outer`].
pub const RIGHTS: usize = 4;

/// The buffers and weights of a run, as one of its threads reaches them.
pub struct Memory<'a> {
    bufs: &'a [Buf],
    weights: &'a [Packed],
}

impl<'a> Memory<'a> {
    /// All of it, for one thread.
    pub fn new(bufs: &'a mut [Buf], weights: &'a mut [Packed]) -> Memory<'a> {
        Memory { bufs, weights }
    }

    /// The same memory for a further thread.
    ///
    /// # Safety
    /// As long as several handles are in use, no thread writes an element of a buffer or a panel of a weight that another
    /// one reads or writes, unless a barrier lies between the two.
    pub unsafe fn again(&self) -> Memory<'a> {
        Memory { bufs: self.bufs, weights: self.weights }
    }

    pub fn weight(&self, weight: usize) -> &Packed {
        &self.weights[weight]
    }

    /// Elements of a buffer.
    pub fn len(&self, buffer: usize) -> usize {
        self.bufs[buffer].len()
    }

    /// The start of a buffer, which may be written through, and its elements.
    pub(super) fn raw(&self, buffer: usize) -> (*mut f32, usize) {
        let buf = &self.bufs[buffer];
        (buf.0.start(), buf.len())
    }

    /// The address of some elements.
    ///
    /// # Panics
    /// If they leave the buffer.
    fn at(&self, buffer: usize, elements: &Range<usize>) -> *mut f32 {
        let (start, len) = self.raw(buffer);
        assert!(elements.start <= elements.end && elements.end <= len, "{elements:?} of {len} elements");
        start.wrapping_add(elements.start)
    }

    pub fn f32(&self, buffer: usize, elements: Range<usize>) -> &[f32] {
        // SAFETY: the elements are there (`at`) and initialised; other threads leave them alone meanwhile (`again`), this
        // one does as `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.at(buffer, &elements), elements.len()) }
    }

    pub fn f32_mut(&mut self, buffer: usize, elements: Range<usize>) -> &mut [f32] {
        // SAFETY: as in `f32`; `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.at(buffer, &elements), elements.len()) }
    }

    pub fn i32(&self, buffer: usize, elements: Range<usize>) -> &[i32] {
        // SAFETY: as in `f32`; i32 has the size and alignment of f32 and no invalid bit pattern.
        unsafe { std::slice::from_raw_parts(self.at(buffer, &elements).cast(), elements.len()) }
    }

    pub fn i32_mut(&mut self, buffer: usize, elements: Range<usize>) -> &mut [i32] {
        // SAFETY: as in `i32`; `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.at(buffer, &elements).cast(), elements.len()) }
    }

    /// Some elements to be read, and others, of another buffer, to be written.
    ///
    /// # Panics
    /// If both are of one buffer.
    pub fn two(&mut self, from: (usize, Range<usize>), to: (usize, Range<usize>)) -> (&[f32], &mut [f32]) {
        assert!(from.0 != to.0, "read and written at once");
        // SAFETY: as in `f32` and `f32_mut`; of two buffers, they share no element.
        unsafe {
            let source = std::slice::from_raw_parts(self.at(from.0, &from.1), from.1.len());
            (source, std::slice::from_raw_parts_mut(self.at(to.0, &to.1), to.1.len()))
        }
    }

    /// Copies `width` elements, whatever they are, from and to places (buffer, first element).
    pub fn copy(&mut self, from: (usize, usize), to: (usize, usize), width: usize) {
        let source = self.at(from.0, &(from.1..from.1 + width)).cast_const();
        let target = self.at(to.0, &(to.1..to.1 + width));
        // SAFETY: both are there (`at`), and no other thread writes to the one or touches the other (`again`). They may
        // overlap.
        unsafe { std::ptr::copy(source, target, width) }
    }

    /// Writes a part of a weight, as far as it lies in `panels`.
    pub fn pack(&mut self, weight: usize, part: &WeightPart, panels: &Range<usize>) {
        let first = part.source.column;
        let source = self.f32(part.source.buffer.index(), first..first + part.rows * part.cols);
        let (rows, cols) = if part.transposed { (part.cols, part.rows) } else { (part.rows, part.cols) };
        let block = gemm::Block { k0: part.k0, n0: part.n0, rows, cols };
        // SAFETY: no other thread touches these panels meanwhile (`again`).
        unsafe { self.weights[weight].pack_panels(panels, block, source, part.cols, part.transposed) }
    }

    fn has(&self, rows: usize, of: &Rows) -> bool {
        rows == 0 || of.end(rows).is_some_and(|end| end <= self.bufs[of.buffer].len())
    }

    fn view(&self, rows: &Rows) -> gemm::RawView {
        let start = self.raw(rows.buffer).0.cast_const().wrapping_add(rows.first);
        gemm::RawView { start, stride: rows.stride, width: rows.width }
    }

    fn view_mut(&self, rows: &Rows) -> gemm::RawViewMut {
        let start = self.raw(rows.buffer).0.wrapping_add(rows.first);
        gemm::RawViewMut { start, stride: rows.stride, width: rows.width }
    }

    /// `out (+)= a @ w` on `rows` rows; the widths are the weight's.
    ///
    /// # Panics
    /// If rows leave their buffer, or those read and those written share an element.
    pub fn product(
        &mut self,
        isa: gemm::Isa,
        rows: usize,
        a: Rows,
        weight: usize,
        out: Rows,
        accumulate: bool,
    ) {
        assert!(self.has(rows, &a), "the left side of a product leaves its buffer");
        assert!(self.has(rows, &out), "a product leaves its buffer");
        assert!(a.buffer != out.buffer || a.is_apart_from(&out, rows), "a product overwrites its operand");
        if rows == 0 {
            return;
        }
        // SAFETY: both lie within their buffers and share no element (just checked); other threads leave them alone
        // (`again`).
        unsafe {
            gemm::product_raw(
                isa,
                rows,
                self.view(&a),
                &self.weights[weight],
                self.view_mut(&out),
                accumulate,
            );
        }
    }

    /// `out (+)= Σ aᵀ b` over `rows` rows, for each of at most [`RIGHTS`] right sides. `out` has `a.width` rows.
    ///
    /// # Panics
    /// If rows leave their buffer, or an `out` is not alone in its buffer.
    pub fn outer(&mut self, isa: gemm::Isa, rows: usize, a: Rows, rights: &[Right]) {
        assert!(self.has(rows, &a), "the left side of an outer product leaves its buffer");
        for (i, Right { b, out, .. }) in rights.iter().enumerate() {
            assert!(self.has(rows, b), "the right side of an outer product leaves its buffer");
            assert!(self.has(a.width, out), "an outer product leaves its buffer");
            assert!(a.width <= 1 || out.width <= out.stride, "rows of an outer product overlap");
            let alone = |other: &Right| other.b.buffer != out.buffer && other.out.buffer != out.buffer;
            let apart = a.buffer != out.buffer && b.buffer != out.buffer;
            assert!(
                apart && rights[..i].iter().chain(&rights[i + 1..]).all(alone),
                "an outer product is not apart"
            );
        }
        let left = self.view(&a);
        let none = gemm::RawOuter {
            b: gemm::RawView { width: 0, ..left },
            out: gemm::RawViewMut { start: std::ptr::null_mut(), stride: 0, width: 0 },
            accumulate: true,
        };
        let mut raw = [none; RIGHTS];
        for (raw, Right { b, out, accumulate }) in raw[..rights.len()].iter_mut().zip(rights) {
            *raw = gemm::RawOuter { b: self.view(b), out: self.view_mut(out), accumulate: *accumulate };
        }
        // SAFETY: all rows lie within their buffers, and no two that are written, nor one that is written and one that is
        // read, lie in one buffer (all just checked); other threads leave them alone (`again`).
        unsafe { gemm::outer_raw(isa, rows, left, &raw[..rights.len()]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_zeroed_and_shared_by_both_types() {
        let mut buf = Buf::default();
        buf.reset(21).unwrap();
        assert_eq!(buf.f32().as_ptr() as usize % 64, 0);
        assert!(buf.f32().iter().all(|x| *x == 0.0) && buf.len() == 21);
        buf.f32_mut()[3] = 1.0;
        assert_eq!(buf.i32()[3], 1.0f32.to_bits() as i32);
        buf.reset(5).unwrap();
        assert_eq!(buf.f32(), [0.0; 5]);
    }

    #[test]
    fn copies_within_a_buffer_may_overlap() {
        let mut bufs = [Buf::default(), Buf::default()];
        bufs.iter_mut().for_each(|b| b.reset(4).unwrap());
        bufs[0].f32_mut().copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
        let mut memory = Memory::new(&mut bufs, &mut []);
        memory.copy((0, 0), (0, 1), 3);
        memory.copy((0, 1), (1, 0), 3);
        assert_eq!(memory.f32(0, 0..4), [1.0, 1.0, 2.0, 3.0]);
        let (from, to) = memory.two((0, 2..4), (1, 2..4));
        to.copy_from_slice(from);
        assert_eq!(bufs[1].f32(), [1.0, 2.0, 2.0, 3.0]);
    }
}
