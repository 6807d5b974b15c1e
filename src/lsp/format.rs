//! The canonical form of a text that is being edited.

use crate::source::Sources;
use crate::syntax::{self, Format};

/// A text in canonical form, with its comments; `None` if it cannot be read.
pub fn formatted(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("text.rnn", text);
    syntax::format(&sources, file, Format::default()).ok()
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
    fn comments_are_kept() {
        let text = formatted("cell A(I) { in x : [I]; out x } # why\n");
        assert!(text.is_some_and(|t| t.contains("# why")));
        assert_eq!(formatted("cell A(I) { in x : [I\n"), None);
    }
}
