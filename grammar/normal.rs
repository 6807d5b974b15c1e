//! Texts normalised to NFC, with the way back to the original's bytes.
//!
//! In: any text. Out: the [`normal`] one, and [`Places`] that lead from it to the original, on character boundaries of that.

use std::borrow::Cow;
use std::ops::Range;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Where the pieces of a normalised text stand in the original.
#[derive(Debug, Default)]
pub struct Places {
    /// In order; empty if the original was normalised already.
    segments: Vec<Segment>,
}

/// A piece that begins at an ASCII character: these never join with what stands before them, so the
/// text may be normalised piece by piece.
#[derive(Debug)]
struct Segment {
    here: usize,
    original: usize,
    original_len: usize,
    changed: bool,
}

pub fn normal(original: &str) -> (Cow<'_, str>, Places) {
    if is_nfc_quick(original.chars()) == IsNormalized::Yes {
        return (Cow::Borrowed(original), Places::default());
    }
    let mut text = String::with_capacity(original.len());
    let mut segments = Vec::new();
    let mut rest = original;
    let mut at = 0;
    while !rest.is_empty() {
        let len = rest.char_indices().skip(1).find(|(_, c)| c.is_ascii()).map_or(rest.len(), |(i, _)| i);
        let (piece, tail) = rest.split_at(len);
        let here = text.len();
        text.extend(piece.nfc());
        let changed = &text[here..] != piece;
        segments.push(Segment { here, original: at, original_len: len, changed });
        at += len;
        rest = tail;
    }
    (Cow::Owned(text), Places { segments })
}

impl Places {
    /// The place of `start..end` in the original.
    pub fn original(&self, start: usize, end: usize) -> Range<usize> {
        let (start, end) = (self.one(start, false), self.one(end, true));
        start..end.max(start)
    }

    fn one(&self, here: usize, is_end: bool) -> usize {
        // An end belongs to the segment of the character before it.
        let after = self.segments.partition_point(|s| if is_end { s.here < here } else { s.here <= here });
        let Some(segment) = after.checked_sub(1).and_then(|i| self.segments.get(i)) else {
            return here;
        };
        match (segment.changed, is_end) {
            (false, _) => segment.original + (here - segment.here),
            (true, false) => segment.original,
            (true, true) => segment.original + segment.original_len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decomposed_hat_is_composed_and_places_count_original_bytes() {
        let original = "ab h\u{302} = c\u{338}=d";
        let (text, places) = normal(original);
        assert_eq!(text, "ab ĥ = c\u{338}=d");
        let at = text.find('ĥ').unwrap();
        assert_eq!(&original[places.original(at, at + 'ĥ'.len_utf8())], "h\u{302}");
        let at = text.find('d').unwrap();
        assert_eq!(&original[places.original(at, at + 1)], "d");
    }

    #[test]
    fn a_normalised_text_is_taken_as_it_is() {
        let (text, places) = normal("α ⊙ β");
        assert!(matches!(text, Cow::Borrowed(_)));
        assert_eq!(places.original(3, 6), 3..6);
    }
}
