//! The canonical form of a text that is being edited.

use crate::source::Sources;
use crate::syntax::lex::{self, Kind};
use crate::syntax::print::{Style, print_file};
use crate::syntax::{ast, parse};

/// A text in canonical form; `None` if it cannot be read, or has comments, which the printer of trees does not keep.
pub fn formatted(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("text.rnn", text);
    let (tree, diagnostics): (ast::File, _) = parse(&sources, file);
    if diagnostics.iter().any(|d| d.is_error()) || has_comments(text) {
        return None;
    }
    Some(print_file(&tree, Style::UNICODE))
}

/// Whether a text has comments beside its documentation.
fn has_comments(text: &str) -> bool {
    let tokens = lex::tokens(text);
    let ends = std::iter::once(0).chain(tokens.iter().map(|t| t.end()));
    let starts = tokens.iter().map(|t| t.start).chain([text.len()]);
    let between = ends.zip(starts).any(|(a, b)| text.get(a..b).is_some_and(|gap| gap.contains('#')));
    // Documentation inside a statement is kept by no tree.
    let after = tokens.iter().any(|t| t.kind == Kind::Doc && !t.first_on_line);
    between || after
}

/// The part of a text that differs, and what it becomes: bytes of `old`, and the new text for them.
pub fn difference<'n>(old: &str, new: &'n str) -> Option<(std::ops::Range<usize>, &'n str)> {
    if old == new {
        return None;
    }
    let same = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    // Whole lines: nothing is cut within a character.
    let start = old[..old.floor_char_boundary(same)].rfind('\n').map_or(0, |i| i + 1);
    let most = old.len().min(new.len()) - start;
    let tail = old.bytes().rev().zip(new.bytes().rev()).take(most).take_while(|(a, b)| a == b).count();
    let cut = old.ceil_char_boundary(old.len() - tail);
    let tail = old[cut..].find('\n').map_or(0, |i| old.len() - (cut + i));
    let tail = if new.is_char_boundary(new.len() - tail) { tail } else { 0 };
    Some((start..old.len() - tail, &new[start..new.len() - tail]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        let cases = [
            ("a\nb\nc\n", "a\nB\nc\n"),
            ("", "x\n"),
            ("σ\nα\n", "σ\nβ\nα\n"),
            ("a\na\n", "a\n"),
            ("a = 1\n", "α = 1\n"),
            ("x", "x\n"),
        ];
        for (old, new) in cases {
            let (range, text) = difference(old, new).unwrap();
            let mut made = old.to_string();
            made.replace_range(range, text);
            assert_eq!(made, new);
        }
        assert_eq!(difference("a", "a"), None);
    }

    #[test]
    fn a_comment_is_never_lost() {
        assert!(formatted("cell A(I) { in x : [I]; out x }\n").is_some());
        assert_eq!(formatted("cell A(I) { in x : [I]; out x } # why\n"), None);
        assert_eq!(formatted("cell A(I) { in x : [I\n"), None);
    }
}
