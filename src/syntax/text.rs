//! The text as the parser reads it: normalised to NFC, with the way back to the original's bytes.
//!
//! In: one loaded file. Out: [`Text`], whose [`Text::span`] turns a range of the normalised text into
//! a [`Span`] of the original, on character boundaries of it.

use crate::source::{FileId, Span};
use rnnc_grammar::normal::{Places, normal};
use std::borrow::Cow;

pub struct Text<'a> {
    pub text: Cow<'a, str>,
    file: FileId,
    places: Places,
}

impl<'a> Text<'a> {
    pub fn new(file: FileId, original: &'a str) -> Self {
        let (text, places) = normal(original);
        Text { text, file, places }
    }

    /// The place of `start..end` in the original.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let original = self.places.original(start, end);
        Span { file: self.file, start: original.start as u32, end: original.end as u32 }
    }
}
