//! Where text comes from: files with ids, and spans into them.
//!
//! In: paths and their text. Out: [`Sources`], which every diagnostic needs to show its place.
//! Invariant: a [`Span`] always lies inside the text of its file, on character boundaries.

use std::sync::Arc;

/// The path of the text of what stands for a cell parameter.
pub const STAND_IN: &str = "<any cell>";

/// Names one loaded text in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A byte range in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The smallest span that covers both; `other` must be of the same file, else `self` is returned.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One loaded text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As the user named it, or `<stdlib>/NAME.rnn`.
    pub path: String,
    pub text: Arc<str>,
}

/// All texts of one run of the compiler.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(SourceFile { path: path.into(), text: text.into() });
        id
    }

    pub fn get(&self, file: FileId) -> &SourceFile {
        &self.files[file.0 as usize]
    }

    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u32), f))
    }
}

/// Reads the text behind a `use` or a command-line path. The file system is one implementation
/// (in `cli`), a map of strings another (in tests).
pub trait Loader {
    /// `path` is already joined to the folder of the importing file.
    fn load(&self, path: &str) -> Result<String, String>;

    /// Whether what a path leads to may be imported by a file of the folder `root` or of one below it. Both are without `.`,
    /// and with `..` only at their start. What they are called is all that is known here; a file system knows more.
    fn is_inside(&self, path: &str, root: &str) -> bool {
        match root {
            "" => !path.starts_with('/') && !path.starts_with("../") && path != "..",
            "/" => path.starts_with('/'),
            root => {
                path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/') && !rest.starts_with("/.."))
            }
        }
    }
}
