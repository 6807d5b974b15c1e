//! Large pages for large memory.
//!
//! A row of a wide buffer and the one below it lie on different pages of 4 KB, so walking down columns costs a look-up of
//! an address with every row. Pages of 2 MB, where the system has them, make that go away.

/// From so many bytes on it is worth asking: one large page.
const LARGE: usize = 2 << 20;

/// A multiple of every page size.
#[cfg_attr(any(miri, not(unix)), allow(dead_code))]
pub const PAGE: usize = 1 << 16;

/// Asks the system to back fresh memory by large pages. Only a wish: nothing that can be seen depends on it.
pub fn prefer_large(start: *mut u8, bytes: usize) {
    if bytes < LARGE {
        return;
    }
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use rustix::mm::{Advice, madvise};
        let before = start.align_offset(PAGE);
        let inside = bytes.saturating_sub(before) / PAGE * PAGE;
        if inside > 0 {
            // SAFETY: no memory is touched: if these pages are not the caller's, the system refuses, or backs them otherwise,
            // which changes neither what they hold nor where.
            let _ = unsafe { madvise(start.wrapping_add(before).cast(), inside, Advice::LinuxHugepage) };
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = start;
}
