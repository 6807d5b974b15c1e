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
    args: usize,
    /// Rows that are left, of how many.
    left: usize,
    rows: usize,
    turn: usize,
}

// SAFETY: the addresses lead into memory that this owns alone, and to constants of `_native` that nobody changes; so all
// may be moved to another thread together.
unsafe impl Send for Aimed {}
// SAFETY: behind a shared reference the addresses cannot be used.
unsafe impl Sync for Aimed {}

impl Aimed {
    /// At the first of `rows` rows; `call` holds the addresses from then on.
    ///
    /// # Panics
    /// As [`Native::call`], for any of the rows.
    pub fn new(
        native: &Arc<Native>,
        kernel: usize,
        binds: &[Bind],
        rows: usize,
        mut bufs: Vec<Buf>,
        mut weights: Vec<Packed>,
        mut call: Addresses,
    ) -> Aimed {
        assert!(rows > 0, "a kernel is aimed at no rows");
        native.addresses(kernel, binds, rows, &Memory::new(&mut bufs, &mut weights), &mut call.0);
        let function = native.kernels[kernel].function;
        let args = binds.len();
        Aimed { bufs, weights, function, _native: native.clone(), call, args, left: rows, rows, turn: 0 }
    }

    /// Runs the kernel on the current row and goes on to the next one.
    ///
    /// # Panics
    /// If no row is left.
    pub fn step(&mut self) {
        assert!(self.left > 0, "no row is left");
        // SAFETY: `new` checked that the arguments of all `rows` rows lie within buffers or, if they are only read,
        // weights. Both are in the hands of this value alone, which lends their elements but never moves or resizes them.
        // The function is kept by `_native`.
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
        let (addresses, behind) = self.call.0.as_mut_slice().split_at_mut(self.args);
        for (address, stride) in addresses.iter_mut().zip(&behind[1..]) {
            *address = address.wrapping_add(stride.addr().wrapping_mul(rows));
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
