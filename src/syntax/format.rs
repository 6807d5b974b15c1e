//! A file in canonical form: the formatter.
//!
//! In: a text. Out: the text in the form that [`print`] gives its tree, with its comments and single blank lines; or what is
//! wrong with it. Invariant: the tree stays as it is, and so do all comments, in their order. That is checked on the result
//! before anybody sees it.

use super::ast::File;
use super::print::{self, Style};
use super::text::Text;
use super::trivia::Trivia;
use super::{errors, file_of, on_large_stack};
use crate::diag::{self, Diagnostic, Fallible, render};
use crate::limits::Limits;
use crate::source::{FileId, Sources};

/// How names and operators are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Spelling {
    #[default]
    AsWritten,
    Unicode,
    Ascii,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub spelling: Spelling,
    /// Lines are broken to stay within it where that is possible.
    pub width: usize,
}

impl Default for Format {
    fn default() -> Self {
        Format { spelling: Spelling::default(), width: Style::UNICODE.width }
    }
}

/// A file of [`Sources`] in canonical form. One that cannot be read is refused with its mistakes.
pub fn format(sources: &Sources, file: FileId, format: Format) -> Fallible<String> {
    format_within(sources, file, format, &Limits::DEFAULT)
}

/// [`format()`], for a file of at most so many bytes and tokens as `limits` allow.
pub fn format_within(sources: &Sources, file: FileId, format: Format, limits: &Limits) -> Fallible<String> {
    on_large_stack(|| formatted(sources, file, format, limits))
}

fn formatted(sources: &Sources, file: FileId, format: Format, limits: &Limits) -> Fallible<String> {
    let tree = read(sources, file, limits)?;
    let text = Text::new(file, &sources.get(file).text);
    let trivia = Trivia::new(&text.text);
    let style = Style { ascii: format.spelling == Spelling::Ascii, width: format.width };
    let printed = print::print_text(&tree, &trivia, format.spelling == Spelling::AsWritten, style);

    let unfaithful = |what: &str| vec![errors::unfaithful(text.span(0, 0), what)];
    let mut again = Sources::default();
    let printed_file = again.add(&sources.get(file).path, printed.as_str());
    // It may be longer than the original.
    let most = Limits { source: limits.source.max(printed.len()), ..*limits };
    let tree_again = read(&again, printed_file, &most).map_err(|found| {
        let drawn = found.iter().map(|d| render(&again, d, diag::Style::default()));
        unfaithful(&format!("its result cannot be read: {}", drawn.collect::<String>()))
    })?;
    if debug(&tree) != debug(&tree_again) {
        return Err(unfaithful("its result means something else"));
    }
    let kept = Trivia::new(&printed);
    if !trivia.comments.iter().map(|c| c.text).eq(kept.comments.iter().map(|c| c.text)) {
        return Err(unfaithful("comments would be lost"));
    }
    Ok(printed)
}

fn read(sources: &Sources, file: FileId, limits: &Limits) -> Fallible<File> {
    let (tree, found) = file_of(sources, file, limits);
    if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok(tree) }
}

/// A tree without places and spellings, as text: two files have the same tree if theirs are equal.
pub fn bare(tree: &File) -> String {
    on_large_stack(|| debug(tree))
}

fn debug(tree: &File) -> String {
    let mut text = format!("{tree:?}");
    for (from, to) in [("Span {", "}"), ("written: ", ",")] {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(from) {
            out.push_str(before);
            rest = after.split_once(to).map_or("", |(_, tail)| tail);
        }
        out.push_str(rest);
        text = out;
    }
    text
}
