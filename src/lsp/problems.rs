//! Diagnostics as an editor shows them, and the changes that mend them.
//!
//! In: a view and what was found. Out: [`Problem`]s, each at one place of one file, with the other places beside it.

use super::view::View;
use crate::diag::{Diagnostic, Fix};
use crate::source::{FileId, Span};

#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Of the view's own file, or of one that it imports and nobody has open.
    pub span: Span,
    pub diagnostic: Diagnostic,
    pub message: String,
    /// The other places.
    pub related: Vec<(Span, String)>,
    /// What is there has no use and may be shown faint.
    pub is_unneeded: bool,
}

/// Warnings of what nothing reads.
const UNNEEDED: [&str; 2] = ["E0260", "E0261"];

/// Puts each diagnostic where its author can mend it.
pub fn problems(view: &View, diagnostics: &[Diagnostic]) -> Vec<Problem> {
    diagnostics.iter().map(|d| problem(view, d)).collect()
}

fn problem(view: &View, d: &Diagnostic) -> Problem {
    let own = |file: FileId| file == view.root;
    let was_loaded = view.loaded.contains(d);
    let is_home = |span: Span| {
        own(span.file) || was_loaded && view.library.file(span.file).is_some() && !view.is_stdlib(span.file)
    };
    // A mistake that shows in the library has its cause in the text that uses it.
    let first = d.labels.first().filter(|l| is_home(l.span));
    let home = first.or_else(|| d.labels.iter().find(|l| own(l.span.file)));
    let nowhere = Span { file: view.root, start: 0, end: 0 };
    let span = home.map_or(nowhere, |l| l.span);
    let mut message = d.message.clone();
    let said = home.map(|l| l.text.as_str()).filter(|t| !t.is_empty() && *t != "here");
    let lines = [("", said), ("help: ", d.help.as_deref()), ("note: ", d.note.as_deref())];
    for (word, text) in lines {
        if let Some(text) = text {
            message.push_str(&format!("\n{word}{text}"));
        }
    }
    let known = |l: &Span| view.library.file(l.file).is_some();
    let related = d.labels.iter().filter(|l| home != Some(l) && known(&l.span));
    Problem {
        span,
        diagnostic: d.clone(),
        message,
        related: related.map(|l| (l.span, l.text.clone())).collect(),
        is_unneeded: UNNEEDED.contains(&d.code),
    }
}

/// The mends for what lies in a range of the view's own file, the likeliest of each first; whether it may be made without
/// asking.
pub fn mends(problems: &[Problem], range: Span) -> Vec<(&Problem, &Fix, bool)> {
    let near = problems
        .iter()
        .filter(|p| p.span.file == range.file && p.span.start <= range.end && range.start <= p.span.end);
    near.flat_map(|p| {
        p.diagnostic.fixes.iter().enumerate().map(move |(i, fix)| (p, fix, i == 0 && fix.is_sure))
    })
    .collect()
}
