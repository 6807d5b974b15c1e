//! Cuts a file into items, so that one bad item costs one message.
//!
//! In: the tokens of a file. Out: [`Chunk`]s in order that cover all tokens. An item begins at a line
//! whose column one holds an item keyword, or at the documentation right before it.

use crate::lex::{ITEM, Kind, Token};
use std::ops::Range;

#[derive(Clone, Debug)]
pub struct Chunk {
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    pub fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its first word, the token of this index, is no item keyword.
    NoItem(usize),
    /// This token stands in column one inside a bracket.
    ColumnOne(usize),
    /// This token opens the body of an item in column one.
    Brace(usize),
    /// Documentation from this token on has nothing after it.
    LoneDoc(usize),
}

pub fn cut(text: &str, tokens: &[Token]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    // Open brackets of the current chunk.
    let mut depth = 0usize;
    let mut docs: Option<usize> = None;
    for (i, token) in tokens.iter().enumerate() {
        let column_one = token.start == 0 || text.as_bytes().get(token.start - 1) == Some(&b'\n');
        if token.kind == Kind::Doc && column_one {
            docs = docs.or(Some(i));
            continue;
        }
        let item = token.kind == Kind::Word && ITEM.contains(&token.text);
        let closes = token.kind == Kind::Close && !chunks.is_empty();
        if column_one
            && token.is("{")
            && depth == 0
            && docs.is_none()
            && let Some(last) = chunks.last_mut()
            && wants_body(tokens, last.tokens.start, i)
        {
            last.fault = last.fault.or(Some(Fault::Brace(i)));
            depth += 1;
            continue;
        }
        if chunks.is_empty() || (column_one && item) || (column_one && !closes && depth == 0) {
            let start = match docs {
                Some(start) => start,
                None if chunks.is_empty() => 0,
                None => i,
            };
            if let Some(last) = chunks.last_mut() {
                last.tokens.end = start;
            }
            let fault = (!(column_one && item)).then_some(Fault::NoItem(i));
            chunks.push(Chunk { tokens: start..tokens.len(), fault });
            depth = 0;
        } else if column_one
            && !closes
            && let Some(last) = chunks.last_mut()
        {
            last.fault = last.fault.or(Some(Fault::ColumnOne(i)));
        }
        docs = None;
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if let Some(start) = docs {
        if let Some(last) = chunks.last_mut() {
            last.tokens.end = start;
        }
        chunks.push(Chunk { tokens: start..tokens.len(), fault: Some(Fault::LoneDoc(start)) });
    }
    chunks
}

/// Whether an item of which these are the tokens so far has no body.
fn wants_body(tokens: &[Token], start: usize, end: usize) -> bool {
    let own = tokens.get(start..end).unwrap_or_default();
    let keyword = own.iter().find(|t| t.kind != Kind::Doc).map_or("", |t| t.text);
    let with = own.last().is_some_and(|t| t.is("with"));
    ITEM.contains(&keyword) && !own.iter().any(|t| t.is("{")) && (with || !own.iter().any(|t| t.is("=")))
}
