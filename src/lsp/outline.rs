//! The items of a file and what they declare, and what of a text can be folded.

use super::sketch::{Sketch, sketch};
use crate::source::{FileId, Span};

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    /// `cell`, `state`, `equation`, …
    pub word: &'static str,
    pub span: Span,
    /// The name itself, inside `span`.
    pub name_span: Span,
    pub children: Vec<Entry>,
}

/// The outline of a text, readable or not.
pub fn outline(file: FileId, text: &str) -> Vec<Entry> {
    sketch(file, text)
        .iter()
        .filter(|s| !s.keyword.is_empty() && s.keyword != "use")
        .map(|s| entry(s, text))
        .collect()
}

fn entry(s: &Sketch, text: &str) -> Entry {
    let slice = |span: Span| text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let (name, name_span) = match &s.name {
        Some(name) => (name.text.trim_matches('"').to_string(), name.span),
        None => {
            let line = slice(s.head).lines().next().unwrap_or_default();
            let end = s.head.start + line.len() as u32;
            (line.to_string(), Span { end, ..s.head })
        }
    };
    let children = s.lines.iter().flat_map(|line| {
        line.names.iter().map(|n| Entry {
            name: n.text.clone(),
            word: line.word,
            span: line.span.to(n.span),
            name_span: n.span,
            children: Vec::new(),
        })
    });
    Entry { name, word: s.keyword, span: s.head, name_span, children: children.collect() }
}

/// Ranges that take more than one line: blocks, and items' documentation.
pub fn folds(file: FileId, text: &str) -> Vec<Span> {
    let mut out = Vec::new();
    for s in sketch(file, text) {
        out.extend(s.blocks.iter().copied());
        if s.docs.len() > 1 {
            let docs = text.get(s.span.start as usize..s.head.start as usize).unwrap_or_default();
            out.push(Span { end: s.span.start + docs.trim_end().len() as u32, ..s.span });
        }
    }
    let many = |span: &Span| {
        text.get(span.start as usize..span.end as usize).is_some_and(|t| t.contains(['\n', '\r']))
    };
    out.retain(many);
    out
}
