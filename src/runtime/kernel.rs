//! Machine code and the calls into it.
//!
//! In: machine code that `codegen` placed, and the memory of a run. Out: that memory, changed. Together with
//! [`memory`](super::memory), [`threads`](super::threads) and the matrix products this is the only `unsafe` code; each
//! block says what makes it sound.
#![allow(unsafe_code)]

mod aimed;
#[cfg(test)]
mod tests;

pub use aimed::{Aimed, Lent};

use super::memory::Memory;
use super::placed::{Element, OutOfMemory, Placed, Placement};
use crate::codegen::Code;
use cranelift_jit::JITModule;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// What an argument of a kernel lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Buffer(usize),
    /// A packed weight, which is only read.
    Weight(usize),
}

/// Where one argument of a kernel begins, and elements from there to the next row's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    pub base: Base,
    pub offset: usize,
    pub stride: isize,
}

impl Bind {
    /// Do `span` elements of each of `rows` rows (not 0) lie within `len`?
    fn is_within(&self, rows: usize, span: usize, len: usize) -> bool {
        let last = isize::try_from(rows - 1).ok().and_then(|n| n.checked_mul(self.stride));
        let ends = last.and_then(|far| Some((self.offset, self.offset.checked_add_signed(far)?)));
        ends.and_then(|(a, b)| a.max(b).checked_add(span)).is_some_and(|end| end <= len)
    }
}

/// What a kernel's machine code is called as: the argument addresses, the address of its constants, and for each argument
/// the bytes from row to row; the number of rows (not 0); and the number of the first of them, which decides at what end
/// large weights are read first, nothing else.
type Function = unsafe extern "C" fn(args: *const *mut u8, rows: usize, turn: usize);

/// Sixteen aligned bytes, as vector instructions want their constants.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Constant([u32; 4]);

// SAFETY: zeros are four zeros; sixteen bytes of numbers are all there is.
unsafe impl Element for Constant {}

struct Kernel {
    function: Function,
    constants: Placed<Constant>,
    /// For each argument: elements of one row that the code may touch, and whether it may write them.
    spans: Vec<(usize, bool)>,
}

/// Machine code of all kernels of a program.
pub struct Native {
    kernels: Vec<Kernel>,
    /// Keeps the kernels' functions.
    module: Arc<Module>,
    /// Where what kernels read beside the memory of runs lies.
    placement: Placement,
}

/// Memory with machine code.
struct Module(
    /// Taken only by `drop`.
    Option<JITModule>,
);

// SAFETY: what is in it is only dropped, once, by whoever is the last to hold it; its memory is read-only code.
unsafe impl Send for Module {}
// SAFETY: a shared reference leads to nothing.
unsafe impl Sync for Module {}

/// What one call is given: addresses and strides; kept so that calls allocate nothing.
#[derive(Debug, Default)]
pub struct Addresses(Placed<*mut u8>);

// SAFETY: the addresses are written anew by each call before they are used, and mean nothing in between.
unsafe impl Send for Addresses {}
// SAFETY: as for `Send`; behind a shared reference they cannot be used at all.
unsafe impl Sync for Addresses {}

impl Addresses {
    pub fn new(placement: Placement) -> Addresses {
        Addresses(Placed::new(placement))
    }
}

impl Native {
    /// Constants lie where the memory of runs does.
    pub fn new(code: Code, placement: Placement) -> Result<Native, OutOfMemory> {
        let mut kernels = Vec::with_capacity(code.functions.len());
        for entry in code.functions {
            let address = code.module.get_finalized_function(entry.id);
            // SAFETY: `codegen::jit` gave every function this signature and finalized the module.
            let function = unsafe { std::mem::transmute::<*const u8, Function>(address) };
            let mut constants = Placed::zeroed(entry.constants.len(), placement)?;
            for (to, constant) in constants.as_mut_slice().iter_mut().zip(entry.constants) {
                *to = Constant(constant);
            }
            kernels.push(Kernel { function, constants, spans: entry.spans });
        }
        Ok(Native { kernels, module: Arc::new(Module(Some(code.module))), placement })
    }

    /// The same machine code, with its constants at another place.
    pub fn moved(&self, placement: Placement) -> Result<Native, OutOfMemory> {
        let moved = |kernel: &Kernel| {
            let mut constants = Placed::zeroed(kernel.constants.as_slice().len(), placement)?;
            constants.as_mut_slice().copy_from_slice(kernel.constants.as_slice());
            Ok(Kernel { function: kernel.function, constants, spans: kernel.spans.clone() })
        };
        let kernels = self.kernels.iter().map(moved).collect::<Result<_, _>>()?;
        Ok(Native { kernels, module: self.module.clone(), placement })
    }

    /// Memory that its constants take.
    pub fn constant_bytes(&self) -> usize {
        self.kernels.iter().map(|kernel| size_of_val(kernel.constants.as_slice())).sum()
    }

    /// Runs a kernel on `rows` rows, from where each argument is bound.
    ///
    /// # Panics
    /// If an argument does not lie within its buffer, or is a weight that would be written.
    pub fn call(
        &self,
        kernel: usize,
        binds: &[Bind],
        rows: usize,
        memory: &mut Memory,
        scratch: &mut Addresses,
    ) {
        if rows == 0 {
            return;
        }
        self.addresses(kernel, binds, rows, memory, &mut scratch.0);
        // SAFETY: the code touches, for each argument, `span` elements of each of `rows` rows, which lie within a buffer,
        // where these are the elements that this thread may touch (as is promised of `memory`), or within a weight, which
        // it only reads (`addresses` checks). Arguments may overlap, which the code allows for. It reads the constants and
        // the strides behind the last argument and never writes them. It calls nothing but `codegen::helpers`, through which no
        // panic comes. The module that holds it lives as long as `self`.
        unsafe { (self.kernels[kernel].function)(scratch.0.start(), rows, 0) }
    }

    /// What a kernel is called with for `rows` rows (not 0): see [`Function`].
    ///
    /// # Panics
    /// As [`Native::call`].
    fn addresses(
        &self,
        kernel: usize,
        binds: &[Bind],
        rows: usize,
        memory: &Memory,
        into: &mut Placed<*mut u8>,
    ) {
        let kernel = &self.kernels[kernel];
        assert_eq!(binds.len(), kernel.spans.len(), "arguments of a kernel");
        into.renew(2 * binds.len() + 1);
        let (addresses, behind) = into.as_mut_slice().split_at_mut(binds.len());
        for ((bind, (span, is_written)), to) in binds.iter().zip(&kernel.spans).zip(addresses) {
            let (start, len) = match bind.base {
                Base::Buffer(buffer) => memory.raw(buffer),
                Base::Weight(weight) => {
                    assert!(!is_written, "a kernel writes to a weight");
                    let weight = memory.weight(weight);
                    (weight.start(), weight.elements().len())
                }
            };
            assert!(bind.is_within(rows, *span, len), "a kernel's argument leaves its buffer");
            *to = start.wrapping_add(bind.offset).cast();
        }
        if let [constants, strides @ ..] = behind {
            *constants = kernel.constants.start().cast();
            for (to, bind) in strides.iter_mut().zip(binds) {
                // Bytes, not an address.
                *to = std::ptr::without_provenance_mut((bind.stride * 4) as usize);
            }
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: addresses into the module are in a `Native` and in what holds one (`Aimed`), which hold this too. So none is
            // left, and none is being called: that would borrow them.
            unsafe { module.free_memory() }
        }
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Native({} kernels)", self.kernels.len())
    }
}

/// While this lives, numbers below the smallest normal one count as 0 on this thread. (Otherwise they can make a run
/// twenty times slower.) Every run begins one; within another one it costs nothing, so that whoever runs many short steps
/// may hold one meanwhile.
#[derive(Debug)]
pub struct FlushToZero {
    /// The control register as it was; `None` within another of these.
    before: Option<u64>,
    /// The state belongs to one thread.
    here: PhantomData<*const ()>,
}

thread_local! {
    /// Whether one lives on this thread. To ask the control register instead would be to wait for all arithmetic under way,
    /// and the steps of a stream could not overlap.
    static LIVES: Cell<bool> = const { Cell::new(false) };
}

impl FlushToZero {
    pub fn begin() -> FlushToZero {
        let before = (!LIVES.replace(true)).then(float_mode);
        if let Some(mode) = before.filter(|mode| mode & FLUSH != FLUSH) {
            set_float_mode(mode | FLUSH);
        }
        FlushToZero { before, here: PhantomData }
    }
}

impl Drop for FlushToZero {
    fn drop(&mut self) {
        let Some(mode) = self.before else { return };
        LIVES.set(false);
        if mode & FLUSH != FLUSH {
            set_float_mode(mode);
        }
    }
}

/// Results (bit 15) and operands (bit 6).
#[cfg(all(target_arch = "x86_64", not(miri)))]
const FLUSH: u64 = 1 << 15 | 1 << 6;
#[cfg(all(target_arch = "aarch64", not(miri)))]
const FLUSH: u64 = 1 << 24;
#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
const FLUSH: u64 = 0;

fn float_mode() -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let mut mode = 0u32;
        // SAFETY: stores the control register of SSE, which every x86-64 has, to a place of its size.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut mode, options(nostack, preserves_flags)) }
        u64::from(mode)
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        let mode: u64;
        // SAFETY: reads the floating-point control register.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) mode, options(nomem, nostack, preserves_flags)) }
        mode
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    0
}

fn set_float_mode(mode: u64) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let mode = mode as u32;
        // SAFETY: loads a value that came from this register, with at most the two flush bits changed.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &mode, options(nostack, preserves_flags)) }
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above; only the flush bit can have changed.
    unsafe {
        std::arch::asm!("msr fpcr, {}", in(reg) mode, options(nomem, nostack, preserves_flags))
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = mode;
}
