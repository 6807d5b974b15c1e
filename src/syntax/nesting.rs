//! Bounds on one item, kept before the recursive parser sees it: brackets match, nothing nests
//! deeper than [`MAX_NESTING`], no expression is longer than [`MAX_LENGTH`].
//!
//! Nesting counts everything the grammar recurses on: brackets, `if`, `^`, signs and `not` in a row,
//! reductions in the body of reductions, `of`. Length counts the operators of one expression, as
//! operators that group to the left make a tree as deep as their number.

use super::lex::{Kind, STATEMENT, Token};

pub const MAX_NESTING: usize = 64;
pub const MAX_LENGTH: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This opener has no closer.
    Unclosed(usize),
    /// This closer has no opener.
    Unopened(usize),
    /// The opener and a closer of another kind.
    Mismatch(usize, usize),
    TooDeep(usize),
    TooLong(usize),
}

/// What is counted between a bracket and its end.
#[derive(Clone, Copy, Default)]
struct Frame {
    opener: usize,
    /// `if` and `of`, since the last separator.
    conds: usize,
    /// Things in a row that nest to the right within one term.
    chain: usize,
    /// Operators looser than a product, since the last separator.
    spine: usize,
    /// Other operators of the current term, and the most of any term.
    term: usize,
    longest: usize,
    /// Nesting and length outside of this bracket.
    outer_depth: usize,
    outer_length: usize,
}

impl Frame {
    fn depth(&self) -> usize {
        self.outer_depth + self.conds + self.chain
    }

    fn length(&self) -> usize {
        self.outer_length + self.spine + self.longest.max(self.term)
    }

    fn separate(&mut self) {
        (self.conds, self.chain, self.spine, self.term, self.longest) = (0, 0, 0, 0, 0);
    }

    fn next_term(&mut self) {
        self.longest = self.longest.max(self.term);
        (self.term, self.chain) = (0, 0);
    }
}

pub fn check(tokens: &[Token]) -> Result<(), Fault> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut frame = Frame::default();
    for (i, token) in tokens.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|j| tokens.get(j));
        match token.kind {
            Kind::Open => {
                frame.term += 1;
                let inner = Frame {
                    opener: i,
                    outer_depth: frame.depth() + 1,
                    outer_length: frame.length(),
                    ..Frame::default()
                };
                frames.push(std::mem::replace(&mut frame, inner));
            }
            Kind::Close => {
                let opener = frame.opener;
                let Some(outer) = frames.pop() else { return Err(Fault::Unopened(i)) };
                frame = outer;
                let fits = matches!(
                    (tokens.get(opener).map(|t| t.text), token.text),
                    (Some("("), ")") | (Some("["), "]") | (Some("{"), "}")
                );
                if !fits {
                    return Err(Fault::Mismatch(opener, i));
                }
            }
            Kind::Word if token.first_on_line && STATEMENT.contains(&token.text) => frame.separate(),
            Kind::Word | Kind::Op => count(&mut frame, token, before),
            _ => {}
        }
        if frame.depth() > MAX_NESTING {
            return Err(Fault::TooDeep(i));
        }
        if frame.length() > MAX_LENGTH {
            return Err(Fault::TooLong(i));
        }
    }
    // The innermost bracket left open is the one the reader must look at.
    if frames.is_empty() { Ok(()) } else { Err(Fault::Unclosed(frame.opener)) }
}

fn count(frame: &mut Frame, token: &Token, before: Option<&Token>) {
    let prefix = before.is_none_or(|t| !t.ends_operand());
    match token.text {
        "," | ";" | "=" => frame.separate(),
        "if" => {
            frame.conds += 1;
            frame.next_term();
        }
        // Its `<` and `>` look like comparisons, which would end a chain.
        "of" => frame.conds += 1,
        "then" | "else" => {
            frame.next_term();
            (frame.spine, frame.longest) = (0, 0);
        }
        // The sign of an exponent belongs to its `^`.
        "-" | "−" if prefix => {
            frame.chain += usize::from(before.is_none_or(|t| !t.is("^")));
            frame.term += 1;
        }
        "not" => {
            frame.chain += 1;
            frame.spine += 1;
        }
        "+" | "-" | "−" | "++" | "or" | "and" | "==" | "!=" | "≠" | "<" | "<=" | "≤" | ">" | ">=" | "≥"
        | "|>" => {
            frame.spine += 1;
            frame.next_term();
        }
        "^" | "∑" | "∏" | "sum" | "prod" | "max" | "min" | "mean" | "concat" => {
            frame.chain += 1;
            frame.term += 1;
        }
        // Ends a power, so the next one does not nest in it.
        "*" | "⊙" | "/" | "@" | "·" => frame.term += 1,
        "mod" | "div" | "." | "ᵀ" | "^T" | "²" | "³" => frame.term += 1,
        _ => {}
    }
}
