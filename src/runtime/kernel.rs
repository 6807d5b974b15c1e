//! Memory that machine code works on, and the calls into it.
//!
//! In: sizes, and machine code that `codegen` placed. Out: aligned buffers with safe views. Together with the
//! matrix products this is the only `unsafe` code; each block says what makes it sound.
#![allow(unsafe_code)]

mod aimed;

pub use aimed::Aimed;

use super::gemm::{self, Packed};
use crate::codegen::Code;
use cranelift_jit::JITModule;
use std::fmt;
use std::marker::PhantomData;

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

/// What an argument of a kernel lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    Buffer(usize),
    /// A packed weight, which is only read.
    Weight(usize),
}

/// Where one argument of a kernel begins, and elements from there to the next row's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    pub memory: Memory,
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

    fn is_within(&self, rows: usize, buf: &Buf) -> bool {
        rows == 0 || self.end(rows).is_some_and(|end| end <= buf.len)
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

/// `out (+)= a @ w` on `rows` rows; the widths are the weight's.
///
/// # Panics
/// If rows leave their buffer, or those read and those written share an element.
pub fn product(
    isa: gemm::Isa,
    rows: usize,
    bufs: &mut [Buf],
    a: Rows,
    w: &Packed,
    out: Rows,
    accumulate: bool,
) {
    assert!(a.is_within(rows, &bufs[a.buffer]), "the left side of a product leaves its buffer");
    assert!(out.is_within(rows, &bufs[out.buffer]), "a product leaves its buffer");
    assert!(a.buffer != out.buffer || a.is_apart_from(&out, rows), "a product overwrites its operand");
    if rows == 0 {
        return;
    }
    let to = bufs[out.buffer].f32_mut().as_mut_ptr().wrapping_add(out.first);
    // Of one buffer there is one address, from which both are reached.
    let from = if a.buffer == out.buffer {
        to.cast_const().wrapping_sub(out.first)
    } else {
        bufs[a.buffer].f32().as_ptr()
    };
    let from = gemm::RawView { start: from.wrapping_add(a.first), stride: a.stride, width: a.width };
    let to = gemm::RawViewMut { start: to, stride: out.stride, width: out.width };
    // SAFETY: both lie within buffers that `bufs` borrows exclusively, and share no element (all just checked).
    unsafe { gemm::product_raw(isa, rows, from, w, to, accumulate) }
}

/// A sum of outer products: its right side, and the rows it is written or added to.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    pub b: Rows,
    pub out: Rows,
    pub accumulate: bool,
}

/// Most right sides of one call of [`outer`].
pub const RIGHTS: usize = 4;

/// `out (+)= Σ aᵀ b` over `rows` rows, for each of at most [`RIGHTS`] right sides. `out` has `a.width` rows.
///
/// # Panics
/// If rows leave their buffer, or an `out` is not alone in its buffer.
pub fn outer(
    isa: gemm::Isa,
    rows: usize,
    bufs: &mut [Buf],
    a: Rows,
    rights: &[Right],
    scratch: &mut gemm::Scratch,
) {
    assert!(a.is_within(rows, &bufs[a.buffer]), "the left side of an outer product leaves its buffer");
    for (i, Right { b, out, .. }) in rights.iter().enumerate() {
        assert!(b.is_within(rows, &bufs[b.buffer]), "the right side of an outer product leaves its buffer");
        assert!(out.is_within(a.width, &bufs[out.buffer]), "an outer product leaves its buffer");
        assert!(a.width <= 1 || out.width <= out.stride, "rows of an outer product overlap");
        let alone = |other: &Right| other.b.buffer != out.buffer && other.out.buffer != out.buffer;
        let apart = a.buffer != out.buffer && b.buffer != out.buffer;
        assert!(
            apart && rights[..i].iter().chain(&rights[i + 1..]).all(alone),
            "an outer product is not apart"
        );
    }
    let view = |bufs: &[Buf], rows: Rows| gemm::RawView {
        start: bufs[rows.buffer].f32().as_ptr().wrapping_add(rows.first),
        stride: rows.stride,
        width: rows.width,
    };
    let left = view(bufs, a);
    let none = gemm::RawOuter {
        b: gemm::RawView { width: 0, ..left },
        out: gemm::RawViewMut { start: std::ptr::null_mut(), stride: 0, width: 0 },
        accumulate: true,
    };
    let mut raw = [none; RIGHTS];
    for (raw, Right { b, out, accumulate }) in raw[..rights.len()].iter_mut().zip(rights) {
        let start = bufs[out.buffer].f32_mut().as_mut_ptr().wrapping_add(out.first);
        raw.b = view(bufs, *b);
        raw.out = gemm::RawViewMut { start, stride: out.stride, width: out.width };
        raw.accumulate = *accumulate;
    }
    // SAFETY: all rows lie within buffers that `bufs` borrows exclusively, and no two that are written, nor one that is
    // written and one that is read, lie in one buffer (all just checked).
    unsafe { gemm::outer_raw(isa, rows, left, &raw[..rights.len()], scratch) }
}

/// What a kernel's machine code is called as: the argument addresses, the address of its constants, and for each argument
/// the bytes from row to row; the number of rows (not 0); and the number of the first of them, which decides at what end
/// large weights are read first, nothing else.
type Function = unsafe extern "C" fn(args: *const *mut u8, rows: usize, turn: usize);

/// Sixteen aligned bytes, as vector instructions want their constants.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct Constant([u32; 4]);

struct Kernel {
    function: Function,
    constants: Box<[Constant]>,
    /// For each argument: elements of one row that the code may touch, and whether it may write them.
    spans: Vec<(usize, bool)>,
}

/// Machine code of all kernels of a program.
pub struct Native {
    kernels: Vec<Kernel>,
    /// Taken only by `drop`.
    module: Option<JITModule>,
}

// SAFETY: after `new` the module is only dropped, and its memory is read-only code; the kernels hold addresses into it
// and constants that nobody changes. So the value may move to, and be used from, any thread.
unsafe impl Send for Native {}
// SAFETY: as for `Send`: shared references lead to code and constants only, never to the module.
unsafe impl Sync for Native {}

/// Addresses for one call; kept so that calls allocate nothing.
#[derive(Debug, Default)]
pub struct Addresses(Vec<*mut u8>);

// SAFETY: the addresses are written anew by each call before they are used, and mean nothing in between.
unsafe impl Send for Addresses {}
// SAFETY: as for `Send`; behind a shared reference they cannot be used at all.
unsafe impl Sync for Addresses {}

impl Native {
    pub fn new(code: Code) -> Native {
        let kernels = code.functions.into_iter().map(|entry| {
            let address = code.module.get_finalized_function(entry.id);
            // SAFETY: `codegen::jit` gave every function this signature and finalized the module.
            let function = unsafe { std::mem::transmute::<*const u8, Function>(address) };
            let constants = entry.constants.into_iter().map(Constant).collect();
            Kernel { function, constants, spans: entry.spans }
        });
        Native { kernels: kernels.collect(), module: Some(code.module) }
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
        bufs: &mut [Buf],
        weights: &[Packed],
        scratch: &mut Addresses,
    ) {
        if rows == 0 {
            return;
        }
        self.addresses(kernel, binds, rows, bufs, weights, &mut scratch.0);
        // SAFETY: the code touches, for each argument, `span` elements of each of `rows` rows, which lie within a buffer
        // that `bufs` borrows exclusively, or within a weight, which it only reads (`addresses` checks); arguments may overlap,
        // which the code allows for. It reads the constants and the strides behind the last argument and never writes
        // them. The module that holds it lives as long as `self`.
        unsafe { (self.kernels[kernel].function)(scratch.0.as_ptr(), rows, 0) }
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
        bufs: &mut [Buf],
        weights: &[Packed],
        into: &mut Vec<*mut u8>,
    ) {
        let kernel = &self.kernels[kernel];
        assert_eq!(binds.len(), kernel.spans.len(), "arguments of a kernel");
        into.clear();
        for (bind, (span, is_written)) in binds.iter().zip(&kernel.spans) {
            let (start, len) = match bind.memory {
                Memory::Buffer(buffer) => {
                    let buf = &mut bufs[buffer];
                    (buf.lines.as_mut_ptr().cast::<u8>(), buf.len)
                }
                Memory::Weight(weight) => {
                    assert!(!is_written, "a kernel writes to a weight");
                    let elements = weights[weight].elements();
                    (elements.as_ptr().cast_mut().cast(), elements.len())
                }
            };
            assert!(bind.is_within(rows, *span, len), "a kernel's argument leaves its buffer");
            into.push(start.wrapping_add(bind.offset * 4));
        }
        into.push(kernel.constants.as_ptr().cast_mut().cast());
        into.extend(binds.iter().map(|bind| (bind.stride * 4) as usize as *mut u8));
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.kernels.clear();
        if let Some(module) = self.module.take() {
            // SAFETY: no address into the module is left, and none is being called: that would borrow `self`.
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
    before: u64,
    /// The state belongs to one thread.
    here: PhantomData<*const ()>,
}

impl FlushToZero {
    pub fn begin() -> FlushToZero {
        let before = float_mode();
        if before & FLUSH != FLUSH {
            set_float_mode(before | FLUSH);
        }
        FlushToZero { before, here: PhantomData }
    }
}

impl Drop for FlushToZero {
    fn drop(&mut self) {
        if self.before & FLUSH != FLUSH {
            set_float_mode(self.before);
        }
    }
}

/// Results (bit 15) and operands (bit 6).
#[cfg(target_arch = "x86_64")]
const FLUSH: u64 = 1 << 15 | 1 << 6;
#[cfg(target_arch = "aarch64")]
const FLUSH: u64 = 1 << 24;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FLUSH: u64 = 0;

fn float_mode() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut mode = 0u32;
        // SAFETY: stores the control register of SSE, which every x86-64 has, to a place of its size.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut mode, options(nostack, preserves_flags)) }
        u64::from(mode)
    }
    #[cfg(target_arch = "aarch64")]
    {
        let mode: u64;
        // SAFETY: reads the floating-point control register.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) mode, options(nomem, nostack, preserves_flags)) }
        mode
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    0
}

fn set_float_mode(mode: u64) {
    #[cfg(target_arch = "x86_64")]
    {
        let mode = mode as u32;
        // SAFETY: loads a value that came from this register, with at most the two flush bits changed.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &mode, options(nostack, preserves_flags)) }
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; only the flush bit can have changed.
    unsafe {
        std::arch::asm!("msr fpcr, {}", in(reg) mode, options(nomem, nostack, preserves_flags))
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = mode;
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
    fn tiny_numbers_count_as_zero_only_while_asked_for() {
        let half = |x: f32| std::hint::black_box(x) * std::hint::black_box(0.5);
        let guard = FlushToZero::begin();
        assert_eq!(half(f32::MIN_POSITIVE), 0.0);
        drop(guard);
        assert!(half(f32::MIN_POSITIVE) > 0.0);
    }
}
