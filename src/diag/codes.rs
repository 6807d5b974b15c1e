//! The table of diagnostic codes. Codes are stable: a number is never reused.

pub mod arrays;
pub mod backend;
pub mod equations;
pub mod gradients;
pub mod limits;
pub mod names;
pub mod shapes;
pub mod syntax;
pub mod testing;
pub mod training;

/// One code with what `rnnc explain` says about it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub code: &'static str,
    pub title: &'static str,
    /// A short text that explains the rule, with a wrong and a right example where that helps.
    pub text: &'static str,
}

/// All codes, by range.
pub fn table() -> impl Iterator<Item = &'static Entry> {
    [
        syntax::ENTRIES,
        names::ENTRIES,
        shapes::ENTRIES,
        equations::ENTRIES,
        gradients::ENTRIES,
        backend::ENTRIES,
        arrays::ENTRIES,
        training::ENTRIES,
        limits::ENTRIES,
        testing::ENTRIES,
    ]
    .into_iter()
    .flatten()
}
