//! Memory aligned to cache lines, so that no vector load of a packed panel crosses two.

use super::super::pages::prefer_large;

/// One cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// f32 elements that start at a cache line.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    /// At least `len` zeros.
    pub fn zeroed(len: usize) -> Lines {
        let count = len.div_ceil(16);
        let mut lines = Vec::with_capacity(count);
        prefer_large(lines.spare_capacity_mut());
        lines.resize(count, Line([0.0; 16]));
        Lines { lines }
    }
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `Line` is 16 f32 without padding (64 bytes, C layout).
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16) }
    }
}
