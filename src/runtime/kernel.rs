//! Memory that machine code works on, and the calls into it.
//!
//! In: sizes, and machine code that `codegen` placed. Out: aligned buffers with safe views. Together with the
//! matrix products this is the only `unsafe` code; each block says what makes it sound.
#![allow(unsafe_code)]

use std::fmt;

/// Elements a buffer's start is aligned to (64 bytes: a cache line, and the widest vector).
const LINE: usize = 16;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; LINE]);

/// Aligned memory of 4-byte elements, read as `f32` or as `i32`. Every bit pattern is a value of both.
#[derive(Clone, Default)]
pub struct Buf {
    lines: Vec<Line>,
    len: usize,
}

/// The system has no memory left for a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl Buf {
    /// Makes this `len` zeros; memory once acquired is kept.
    pub fn reset(&mut self, len: usize) -> Result<(), OutOfMemory> {
        let lines = len.div_ceil(LINE);
        self.lines.clear();
        self.lines.try_reserve_exact(lines).map_err(|_| OutOfMemory)?;
        self.lines.resize(lines, Line([0.0; LINE]));
        self.len = len;
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn f32(&self) -> &[f32] {
        // SAFETY: `lines` holds at least `len` initialised f32 (`reset`), without padding between lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub fn f32_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `f32`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    pub fn i32(&self) -> &[i32] {
        // SAFETY: as in `f32`; i32 has the size and alignment of f32 and no invalid bit pattern.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub fn i32_mut(&mut self) -> &mut [i32] {
        // SAFETY: as in `i32`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buf({} elements)", self.len)
    }
}

/// Where one argument of a kernel begins: an element of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    pub buffer: usize,
    pub offset: usize,
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
}
