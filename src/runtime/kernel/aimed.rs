//! A kernel with its arguments found once, for many calls of one row each.
#![allow(unsafe_code)]

use super::{Addresses, Bind, Function, Native};
use crate::runtime::gemm::Packed;
use crate::runtime::memory::{Buf, Memory};
use std::fmt;
use std::sync::Arc;

/// A kernel that goes through rows of memory one call at a time. The memory belongs to it meanwhile, so that nothing can
/// move away from where the arguments point.
pub struct Aimed {
    bufs: Vec<Buf>,
    weights: Vec<Packed>,
    function: Function,
    /// Keeps the function.
    _native: Arc<Native>,
    /// What the function is called with: the addresses of the current row, and so on.
    call: Addresses,
    /// The arguments that go from row to row, and by how many bytes. One by one: a step begins before the one before it
    /// is over, which it could not if addresses were written as numbers and read again as vectors, or the other way.
    moving: Vec<(usize, usize)>,
    /// Rows that are left, of how many.
    left: usize,
    rows: usize,
    turn: usize,
    /// Arguments whose rows the caller of each step lends.
    lent: Vec<Lent>,
}

/// An argument that a kernel finds in an array of the caller: from where on, and the elements of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lent {
    pub arg: usize,
    pub first: usize,
    pub width: usize,
    /// It is in the array that is written, and not in the one that is only read.
    pub written: bool,
}

// SAFETY: the addresses lead into memory that this owns alone, and to constants of `_native` that nobody changes; so all
// may be moved to another thread together.
unsafe impl Send for Aimed {}
// SAFETY: behind a shared reference the addresses cannot be used.
unsafe impl Sync for Aimed {}

impl Aimed {
    /// At the first of `rows` rows.
    ///
    /// # Panics
    /// As [`Native::call`], for any of the rows; or if the kernel touches more of a `lent` argument than a row has, or writes
    /// to one that is to be read.
    pub fn new(
        native: &Arc<Native>,
        kernel: usize,
        binds: &[Bind],
        rows: usize,
        mut bufs: Vec<Buf>,
        mut weights: Vec<Packed>,
        lent: Vec<Lent>,
    ) -> Aimed {
        assert!(rows > 0, "a kernel is aimed at no rows");
        let mut call = Addresses::new(native.placement);
        native.addresses(kernel, binds, rows, &Memory::new(&mut bufs, &mut weights), &mut call.0);
        let function = native.kernels[kernel].function;
        let is_moving = |(i, bind): &(usize, &Bind)| bind.stride != 0 && lent.iter().all(|l| l.arg != *i);
        let all = binds.iter().enumerate().filter(is_moving);
        let moving = all.map(|(i, bind)| (i, (bind.stride * 4) as usize)).collect();
        for l in &lent {
            let (span, is_written) = native.kernels[kernel].spans[l.arg];
            assert!(span <= l.width && (l.written || !is_written), "a kernel's argument cannot be lent");
        }
        Aimed {
            bufs,
            weights,
            function,
            _native: native.clone(),
            call,
            moving,
            left: rows,
            rows,
            turn: 0,
            lent,
        }
    }

    /// Runs the kernel on the current row, with what is lent in `input` and `output`, and goes on to the next one.
    ///
    /// # Panics
    /// If no row is left, or an array is too short for what is lent in it.
    pub fn step(&mut self, input: &[f32], output: &mut [f32]) {
        assert!(self.left > 0, "no row is left");
        // Each array is borrowed once: to borrow one again would take back what was lent of it before.
        let arrays = [(input.as_ptr().cast_mut(), input.len()), (output.as_mut_ptr(), output.len())];
        for l in &self.lent {
            let (start, len) = arrays[usize::from(l.written)];
            let end = l.first.checked_add(l.width);
            assert!(end.is_some_and(|end| end <= len), "an array is too short for what is lent in it");
            self.call.0.as_mut_slice()[l.arg] = start.wrapping_add(l.first).cast();
        }
        // SAFETY: `new` checked that the arguments of all `rows` rows lie within buffers or, if they are only read,
        // weights. Both are in the hands of this value alone, which lends their elements but never moves or resizes them.
        // What is lent are slices as long as what the kernel touches of them, which `new` checked too; they live until the
        // call is over, and only those of `output`, which nobody else can see meanwhile, are written. The function is kept
        // by `_native`.
        unsafe { (self.function)(self.call.0.start(), 1, self.turn) }
        self.turn ^= 1;
        self.go(1);
        self.left -= 1;
    }

    /// Back to the first row.
    pub fn rewind(&mut self) {
        self.go(self.left.wrapping_sub(self.rows));
        self.left = self.rows;
    }

    fn go(&mut self, rows: usize) {
        let call = self.call.0.as_mut_slice();
        for (arg, bytes) in &self.moving {
            call[*arg] = call[*arg].wrapping_add(bytes.wrapping_mul(rows));
        }
    }

    pub fn buf(&self, buffer: usize) -> &Buf {
        &self.bufs[buffer]
    }

    /// The elements of a buffer as numbers.
    pub fn f32_mut(&mut self, buffer: usize) -> &mut [f32] {
        self.bufs[buffer].f32_mut()
    }

    /// The elements of a buffer as ids.
    pub fn i32_mut(&mut self, buffer: usize) -> &mut [i32] {
        self.bufs[buffer].i32_mut()
    }

    /// Gives the memory back.
    pub fn release(self) -> (Vec<Buf>, Vec<Packed>) {
        (self.bufs, self.weights)
    }
}

impl fmt::Debug for Aimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aimed({} of {} rows)", self.rows - self.left, self.rows)
    }
}
