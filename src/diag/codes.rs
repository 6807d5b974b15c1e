//! The table of diagnostic codes. Codes are stable: a number is never reused.
//!
//! Ranges: E01 syntax, E02 names and kinds, E03 shapes, E04 equations and order, E05 gradients,
//! E06 what a back end cannot do yet, E07 arrays and files at run time, E08 training, E09 limits.

/// One code with what `rnnc explain` says about it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub code: &'static str,
    pub title: &'static str,
    /// A short text that explains the rule, with a wrong and a right example where that helps.
    pub text: &'static str,
}

/// All codes, one table per range; each lives in a file of its own beside this one.
pub fn table() -> impl Iterator<Item = &'static Entry> {
    [].into_iter()
}
