//! Every name of a file, with what it means.
//!
//! In: a file of a view. Out: its [`Index`]. What is declared, defined and read is told apart by [`Role`]; a name with brace
//! groups means several symbols at once, one for each of its words.
//! Invariant: occurrences are in the order of the text and do not overlap.

use super::symbol::Symbol;
use super::view::View;
use super::{sketch, walk};
use crate::resolve::text::pick;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Name, Pattern, Piece};
use crate::syntax::names::canonical;
use std::collections::BTreeMap;

/// What a name does where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `state h`, `cell C`, a static parameter, an index.
    Declares,
    /// The left side of an equation.
    Equates,
    Reads,
}

/// One name where it is written.
#[derive(Clone, Debug)]
pub struct Occurrence {
    pub span: Span,
    pub pieces: Vec<Piece>,
    /// For each word of the brace groups, or once. `None` where the name means nothing that is known.
    pub means: Vec<Option<Symbol>>,
    /// What is written behind the symbol's own name: `_last`, `0`, a number.
    pub suffix: String,
    pub role: Role,
    /// The statement it declares or equates in.
    pub statement: Option<usize>,
}

/// A statement or header in which a name is declared or has its equation.
#[derive(Clone, Debug)]
pub struct Statement {
    pub span: Span,
    pub docs: Vec<String>,
    /// `state`, `cell`, `equation`, `index`, …
    pub word: &'static str,
}

/// All names of one file.
#[derive(Clone, Debug, Default)]
pub struct Index {
    pub occurrences: Vec<Occurrence>,
    pub statements: Vec<Statement>,
    by_symbol: BTreeMap<Symbol, Vec<usize>>,
}

impl Index {
    /// Of a file that can be read, and as far as tokens tell, of what in it cannot.
    pub fn of(view: &View, file: FileId) -> Index {
        let mut index = walk::walk(view, file);
        sketch::add_unread(view, file, &mut index);
        index.occurrences.sort_by_key(|o| (o.span.start, o.span.end));
        for (i, occurrence) in index.occurrences.iter().enumerate() {
            for symbol in occurrence.means.iter().flatten() {
                let places = index.by_symbol.entry(symbol.clone()).or_default();
                if places.last() != Some(&i) {
                    places.push(i);
                }
            }
        }
        index
    }

    /// The name at a place, or one that ends there; and which of its words are meant.
    pub fn at(&self, text: &str, offset: u32) -> Option<(&Occurrence, Part)> {
        let after = self.occurrences.partition_point(|o| o.span.start <= offset);
        let near = self.occurrences[..after].iter().rev().take(2);
        let found = near.into_iter().find(|o| offset <= o.span.end)?;
        Some((found, found.part_at(text, offset)))
    }

    /// Where a symbol is written.
    pub fn places<'a>(&'a self, symbol: &Symbol) -> impl Iterator<Item = &'a Occurrence> {
        self.by_symbol.get(symbol).into_iter().flatten().filter_map(|i| self.occurrences.get(*i))
    }

    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.by_symbol.keys()
    }

    pub fn statement(&self, occurrence: &Occurrence) -> Option<&Statement> {
        self.statements.get(occurrence.statement?)
    }
}

/// What of a name with brace groups a place touches.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A name without groups.
    Whole,
    /// The text before, between or behind groups: which of the pieces, and where it stands.
    Stem(usize, Span),
    /// A word of a group: which piece, which word, and where it stands.
    Word(usize, usize, Span),
}

impl Occurrence {
    /// The symbols that are meant at a part of the name.
    pub fn meant(&self, part: &Part) -> Vec<Symbol> {
        match part {
            Part::Word(_, k, _) => self.means.get(*k).cloned().flatten().into_iter().collect(),
            Part::Whole | Part::Stem(..) => self.means.iter().flatten().cloned().collect(),
        }
    }

    pub fn has_groups(&self) -> bool {
        self.pieces.iter().any(|p| matches!(p, Piece::Group(_)))
    }

    fn part_at(&self, text: &str, offset: u32) -> Part {
        if !self.has_groups() {
            return Part::Whole;
        }
        let mut last = None;
        for (span, place) in pieces_in(text, self.span) {
            if span.start <= offset && offset <= span.end {
                let part = match place {
                    (piece, None) => Part::Stem(piece, span),
                    (piece, Some(word)) => Part::Word(piece, word, span),
                };
                // Where two touch, the later one begins here.
                last = Some(part);
            }
        }
        last.unwrap_or(Part::Stem(0, self.span))
    }
}

/// Where the pieces of a written name stand: which piece, and in a group which word.
pub fn pieces_in(text: &str, span: Span) -> Vec<(Span, (usize, Option<usize>))> {
    let written = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let mut out = Vec::new();
    let (mut piece, mut word, mut inside) = (0, 0, false);
    let mut start: Option<usize> = None;
    let at = |from: usize, to: usize| Span {
        file: span.file,
        start: span.start + from as u32,
        end: span.start + to as u32,
    };
    for (i, c) in written.char_indices().chain([(written.len(), '\0')]) {
        let ends = match inside {
            true => matches!(c, ' ' | '}' | '\0'),
            false => matches!(c, '{' | '\0'),
        };
        if !ends {
            start = start.or(Some(i));
            continue;
        }
        if let Some(from) = start.take() {
            out.push((at(from, i), (piece, inside.then_some(word))));
            word += 1;
            if !inside {
                piece += 1;
            }
        }
        match c {
            '{' => (inside, word) = (true, 0),
            '}' => {
                inside = false;
                piece += 1;
            }
            _ => {}
        }
    }
    out
}

/// The names that pieces stand for, in canonical spelling.
pub fn expansions(pieces: &[Piece]) -> Vec<Name> {
    let counts: Vec<usize> = pieces
        .iter()
        .filter_map(|p| match p {
            Piece::Group(words) => Some(words.len()),
            Piece::Text(_) => None,
        })
        .collect();
    let count = counts.first().copied().unwrap_or(1);
    if counts.iter().any(|n| *n != count) {
        return Vec::new();
    }
    let pattern = Pattern {
        pieces: pieces.to_vec(),
        written: "".into(),
        span: Span { file: FileId(0), start: 0, end: 0 },
    };
    (0..count).map(|k| pick(&pattern, k)).collect()
}

/// The pieces of a written name: `W_{i f}` is `W_` and a group.
pub fn pieces_of(written: &str) -> Vec<Piece> {
    if !written.contains('{') {
        return vec![Piece::Text(canonical(written).into())];
    }
    let span = Span { file: FileId(0), start: 0, end: written.len() as u32 };
    let mut out: Vec<Piece> = Vec::new();
    for (at, (piece, word)) in pieces_in(written, span) {
        let text = written.get(at.start as usize..at.end as usize).unwrap_or_default();
        let text: Name = crate::syntax::names::canonical_piece(text).into();
        match (word, out.get_mut(piece)) {
            (Some(_), Some(Piece::Group(words))) => words.push(text),
            (Some(_), _) => out.push(Piece::Group(vec![text])),
            (None, _) => out.push(Piece::Text(text)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_family_is_a_word_or_the_stem() {
        let text = "W_{i f  o}_s";
        let span = Span { file: FileId(0), start: 0, end: text.len() as u32 };
        let found: Vec<(&str, (usize, Option<usize>))> = pieces_in(text, span)
            .into_iter()
            .map(|(s, p)| (&text[s.start as usize..s.end as usize], p))
            .collect();
        assert_eq!(
            found,
            [
                ("W_", (0, None)),
                ("i", (1, Some(0))),
                ("f", (1, Some(1))),
                ("o", (1, Some(2))),
                ("_s", (2, None))
            ]
        );
        let names = expansions(&pieces_of(text));
        assert_eq!(names.iter().map(|n| &**n).collect::<Vec<_>>(), ["W_i_s", "W_f_s", "W_o_s"]);
        assert_eq!(expansions(&pieces_of("alpha")), ["α".into()]);
    }
}
