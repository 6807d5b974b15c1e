//! The text as the parser reads it: normalised to NFC, with the way back to the original's bytes.
//!
//! In: one loaded file. Out: [`Text`], whose [`Text::span`] turns a range of the normalised text into
//! a [`Span`] of the original, on character boundaries of it.

use crate::source::{FileId, Span};
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

pub struct Text<'a> {
    pub text: Cow<'a, str>,
    file: FileId,
    /// In order; empty if the original was normalised already.
    segments: Vec<Segment>,
}

/// A piece that begins at an ASCII character: these never join with what stands before them, so the
/// text may be normalised piece by piece.
struct Segment {
    here: usize,
    original: usize,
    original_len: usize,
    changed: bool,
}

impl<'a> Text<'a> {
    pub fn new(file: FileId, original: &'a str) -> Self {
        if is_nfc_quick(original.chars()) == IsNormalized::Yes {
            return Text { text: Cow::Borrowed(original), file, segments: Vec::new() };
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
        Text { text: Cow::Owned(text), file, segments }
    }

    /// The place of `start..end` in the original.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = (self.original(start, false), self.original(end, true));
        Span { file: self.file, start: start as u32, end: end.max(start) as u32 }
    }

    fn original(&self, here: usize, is_end: bool) -> usize {
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
    fn a_decomposed_hat_is_composed_and_spans_count_original_bytes() {
        let original = "ab h\u{302} = c\u{338}=d";
        let text = Text::new(FileId(0), original);
        assert_eq!(text.text, "ab ĥ = c\u{338}=d");
        let at = text.text.find('ĥ').unwrap();
        let span = text.span(at, at + 'ĥ'.len_utf8());
        assert_eq!(&original[span.start as usize..span.end as usize], "h\u{302}");
        let at = text.text.find('d').unwrap();
        let span = text.span(at, at + 1);
        assert_eq!(&original[span.start as usize..span.end as usize], "d");
    }

    #[test]
    fn a_normalised_text_is_taken_as_it_is() {
        let text = Text::new(FileId(0), "α ⊙ β");
        assert!(matches!(text.text, Cow::Borrowed(_)));
        assert_eq!(text.span(3, 6), Span { file: FileId(0), start: 3, end: 6 });
    }
}
