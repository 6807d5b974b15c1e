//! Large pages for large memory.
//!
//! A row of a wide buffer and the one below it lie on different pages of 4 KB, so walking down columns costs a look-up of
//! an address with every row. Pages of 2 MB, where the system has them, make that go away.
#![allow(unsafe_code)]

/// From so many bytes on it is worth asking: one large page.
const LARGE: usize = 2 << 20;

/// A multiple of every page size.
const PAGE: usize = 1 << 16;

/// Asks the system to back fresh memory by large pages. Only a wish: nothing that can be seen depends on it.
pub fn prefer_large<T>(memory: &mut [std::mem::MaybeUninit<T>]) {
    let bytes = size_of_val(memory);
    if bytes < LARGE {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        let start = memory.as_mut_ptr().cast::<u8>();
        let before = start.align_offset(PAGE);
        let inside = bytes.saturating_sub(before) / PAGE * PAGE;
        if inside > 0 {
            // SAFETY: these whole pages lie within `memory`; how they are backed changes neither what they hold nor where.
            let _ = unsafe { madvise(start.wrapping_add(before).cast(), inside, Advice::LinuxHugepage) };
        }
    }
}
