//! Memory aligned to cache lines, so that no vector load of a packed panel crosses two.

use super::super::pages::prefer_large;
use std::cell::UnsafeCell;
use std::fmt;

/// One cache line.
#[repr(C, align(64))]
struct Line(UnsafeCell<[f32; 16]>);

impl Line {
    fn zero() -> Line {
        Line(UnsafeCell::new([0.0; 16]))
    }
}

// SAFETY: a line is written only through `&mut Lines`, or through `Lines::start` by one who keeps others away.
unsafe impl Sync for Line {}

/// f32 elements that start at a cache line.
#[derive(Default)]
pub struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    /// At least `len` zeros.
    pub fn zeroed(len: usize) -> Lines {
        let count = len.div_ceil(16);
        let mut lines = Vec::with_capacity(count);
        prefer_large(lines.spare_capacity_mut());
        lines.resize_with(count, Line::zero);
        Lines { lines }
    }

    /// The first element. It may be written through by one who knows that nobody else reads or writes there.
    pub fn start(&self) -> *mut f32 {
        UnsafeCell::raw_get(self.lines.as_ptr().cast::<UnsafeCell<f32>>())
    }

    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `Line` is 16 f32 without padding (64 bytes, C layout), which nobody writes meanwhile.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16) }
    }
}

impl Clone for Lines {
    fn clone(&self) -> Lines {
        let mut lines = Lines::zeroed(self.lines.len() * 16);
        lines.as_mut_slice().copy_from_slice(self.as_slice());
        lines
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
