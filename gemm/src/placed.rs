//! Memory of a run, and where it lies.
//!
//! In: how many elements, a [`Placement`]. Out: [`Placed`], so many zeros. Everything that a kernel or a matrix product is
//! given the address of is one: buffers, packed weights, constants, lists of addresses. So one choice puts all of them
//! beside pages without access, where an element too far is a fault instead of a silent mistake.
//!
//! Invariant: all elements are initialised; they do not move but by [`Placed::reset`].

use super::pages;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::NonNull;

/// Bytes that plain memory is aligned to: a cache line, and the widest vector.
pub const ALIGN: usize = 64;

/// Where memory lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// At a cache line.
    #[default]
    Plain,
    /// Its last byte is the last one before a page without access: what goes beyond the end is a fault. For tests;
    /// slow, and no better than `Plain` where [`Placement::is_guarded`] says so.
    GuardAfter,
    /// Its first byte is the first one behind a page without access. Likewise.
    GuardBefore,
}

impl Placement {
    /// Whether memory placed like this ends (or begins) at a page without access: on this system.
    pub fn is_guarded(self) -> bool {
        self != Placement::Plain && cfg!(all(unix, not(miri)))
    }

    /// Elements from one thread's piece of memory to the next one's, where each has `width`: pieces on cache lines of
    /// their own, or, to be guarded at their ends, without anything between.
    pub fn pitch(self, width: usize) -> usize {
        if self.is_guarded() { width } else { width.next_multiple_of(ALIGN / 4) }
    }
}

/// The system has no memory left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// What memory of zeros can be read as.
///
/// # Safety
/// Zeros are a value, and there is no padding.
pub unsafe trait Element: Copy {}

// SAFETY: zeros are 0.0.
unsafe impl Element for f32 {}
// SAFETY: zeros are a null pointer.
unsafe impl Element for *mut u8 {}

/// Elements at a place of their own.
pub struct Placed<T: Element> {
    start: NonNull<T>,
    len: usize,
    /// Bytes there is memory for, from `start` (plain) or in all (guarded); 0: none was acquired.
    bytes: usize,
    placement: Placement,
}

// SAFETY: it owns its memory. What is written through `start` without a borrow is the affair of who does that.
unsafe impl<T: Element + Send> Send for Placed<T> {}
// SAFETY: as for `Send`.
unsafe impl<T: Element + Sync> Sync for Placed<T> {}

impl<T: Element> Placed<T> {
    /// No elements yet.
    pub fn new(placement: Placement) -> Placed<T> {
        Placed { start: NonNull::dangling(), len: 0, bytes: 0, placement }
    }

    /// So many zeros.
    pub fn zeroed(len: usize, placement: Placement) -> Result<Placed<T>, OutOfMemory> {
        let mut placed = Placed::new(placement);
        placed.reset(len)?;
        Ok(placed)
    }

    /// Makes this `len` zeros; plain memory once acquired is kept.
    pub fn reset(&mut self, len: usize) -> Result<(), OutOfMemory> {
        let bytes = len.checked_mul(size_of::<T>()).ok_or(OutOfMemory)?;
        if self.placement.is_guarded() {
            self.release();
            if bytes > 0 {
                (self.start, self.bytes) = guarded::acquire(bytes, self.placement)?;
            }
        } else if bytes > self.bytes {
            self.release();
            let layout = layout(bytes.checked_next_multiple_of(ALIGN).ok_or(OutOfMemory)?)?;
            // SAFETY: the layout is not empty, as `bytes` is more than none.
            let start = NonNull::new(unsafe { alloc(layout) }).ok_or(OutOfMemory)?;
            pages::prefer_large(start.as_ptr(), layout.size());
            (self.start, self.bytes) = (start.cast(), layout.size());
        }
        // SAFETY: there is memory for so many elements (just acquired, or kept), which `&mut self` alone leads to; zeros are
        // values of them (`Element`).
        unsafe { self.start.write_bytes(0, len) }
        self.len = len;
        Ok(())
    }

    /// [`Placed::reset`]; where there is no memory the process ends, as a `Vec` would end it.
    pub fn renew(&mut self, len: usize) {
        if self.reset(len).is_err() {
            handle_alloc_error(Layout::array::<T>(len).unwrap_or(Layout::new::<T>()));
        }
    }

    fn release(&mut self) {
        let (len, bytes) = (std::mem::take(&mut self.len), std::mem::take(&mut self.bytes));
        let start = std::mem::replace(&mut self.start, NonNull::dangling());
        if bytes == 0 {
            return;
        }
        if self.placement.is_guarded() {
            guarded::release(start.cast(), bytes, len * size_of::<T>(), self.placement);
        } else if let Ok(layout) = layout(bytes) {
            // SAFETY: `reset` acquired it with this layout; nothing leads there any more.
            unsafe { dealloc(start.cast().as_ptr(), layout) }
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first element. It may be written through by one who knows that nobody else reads or writes there.
    pub fn start(&self) -> *mut T {
        self.start.as_ptr()
    }

    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `len` elements are there and initialised; who writes without a borrow keeps away meanwhile (`start`).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

fn layout(bytes: usize) -> Result<Layout, OutOfMemory> {
    Layout::from_size_align(bytes, ALIGN).map_err(|_| OutOfMemory)
}

impl<T: Element> Default for Placed<T> {
    fn default() -> Self {
        Placed::new(Placement::Plain)
    }
}

impl<T: Element> Drop for Placed<T> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<T: Element> fmt::Debug for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} elements", self.len)
    }
}

/// Memory between pages without access.
#[cfg(all(unix, not(miri)))]
mod guarded {
    use super::pages::PAGE;
    use super::{OutOfMemory, Placement};
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
    use std::ptr::{NonNull, null_mut};

    /// The first of `bytes` zeros (not 0), and bytes of the pages with access that they lie in.
    pub fn acquire<T>(bytes: usize, placement: Placement) -> Result<(NonNull<T>, usize), OutOfMemory> {
        let inside = bytes.checked_next_multiple_of(PAGE).ok_or(OutOfMemory)?;
        let whole = inside.checked_add(2 * PAGE).ok_or(OutOfMemory)?;
        // SAFETY: a new mapping at a place of the system's choice touches no other memory.
        let base = unsafe { mmap_anonymous(null_mut(), whole, ProtFlags::empty(), MapFlags::PRIVATE) };
        let base = base.map_err(|_| OutOfMemory)?;
        let first = base.wrapping_byte_add(PAGE);
        // SAFETY: these pages are inside the new mapping.
        let opened = unsafe { mprotect(first, inside, MprotectFlags::READ | MprotectFlags::WRITE) };
        let behind = if placement == Placement::GuardAfter { inside - bytes } else { 0 };
        match (opened, NonNull::new(first.wrapping_byte_add(behind).cast())) {
            (Ok(()), Some(start)) => Ok((start, inside)),
            _ => {
                // SAFETY: the new mapping, which nothing leads into.
                let _ = unsafe { munmap(base, whole) };
                Err(OutOfMemory)
            }
        }
    }

    /// Gives back what `acquire` gave for `len` bytes.
    pub fn release(start: NonNull<u8>, inside: usize, len: usize, placement: Placement) {
        let behind = if placement == Placement::GuardAfter { inside - len } else { 0 };
        let base = start.as_ptr().wrapping_byte_sub(PAGE + behind);
        // SAFETY: the whole mapping that `acquire` made, which nothing leads into any more.
        let _ = unsafe { munmap(base.cast(), inside + 2 * PAGE) };
    }
}

/// Never called: nothing is guarded here.
#[cfg(not(all(unix, not(miri))))]
mod guarded {
    use super::{OutOfMemory, Placement};
    use std::ptr::NonNull;

    pub fn acquire<T>(_: usize, _: Placement) -> Result<(NonNull<T>, usize), OutOfMemory> {
        Err(OutOfMemory)
    }

    pub fn release(_: NonNull<u8>, _: usize, _: usize, _: Placement) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_zeroed_and_aligned() {
        let mut placed = Placed::<f32>::zeroed(21, Placement::Plain).unwrap();
        let start = placed.start();
        assert!(start.addr().is_multiple_of(ALIGN) && placed.as_slice() == [0.0; 21]);
        placed.as_mut_slice().fill(1.0);
        placed.reset(5).unwrap();
        assert!(placed.start() == start && placed.as_slice() == [0.0; 5]);
        placed.reset(0).unwrap();
        assert!(placed.is_empty() && placed.as_slice().is_empty());
        assert_eq!(placed.reset(usize::MAX / 4), Err(OutOfMemory));
        assert_eq!(placed.reset(usize::MAX), Err(OutOfMemory));
        placed.renew(1000);
        assert_eq!(placed.as_slice(), [0.0; 1000]);
    }

    #[test]
    fn guarded_memory_ends_or_begins_at_a_page() {
        let lengths = [1, 3, 1024, pages::PAGE / 4, pages::PAGE / 4 + 1, 100_000];
        for len in lengths.into_iter().take(if cfg!(miri) { 3 } else { 6 }) {
            let mut after = Placed::<f32>::zeroed(len, Placement::GuardAfter).unwrap();
            let mut before = Placed::<f32>::zeroed(len, Placement::GuardBefore).unwrap();
            if Placement::GuardAfter.is_guarded() {
                assert!(after.start().wrapping_add(len).addr().is_multiple_of(4096));
                assert!(before.start().addr().is_multiple_of(4096));
            }
            for placed in [&mut after, &mut before] {
                placed.as_mut_slice().fill(2.0);
                placed.reset(len / 2).unwrap();
                assert!(placed.len() == len / 2 && placed.as_slice().iter().all(|x| *x == 0.0));
            }
        }
    }
}
