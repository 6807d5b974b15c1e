//! What the tree leaves out of a text, beside the tree: comments, blank lines, and how each token was written.
//!
//! In: a text. Out: [`Trivia`], in which everything has its place before a token, by the token's number. The printer
//! writes the tokens of a tree in the order of its text, so that it knows at each of them what stood before it.

use super::lex::{self, Kind, Token};
use super::print::width;

pub struct Trivia<'t> {
    pub tokens: Vec<Token<'t>>,
    /// In their order.
    pub comments: Vec<Comment<'t>>,
    /// Whether a blank line stands right before a token, behind the comments before it.
    blank: Vec<bool>,
}

pub struct Comment<'t> {
    pub text: &'t str,
    /// The number of the token that follows.
    pub before: usize,
    pub place: Place,
    /// A blank line stands right before it.
    pub blank: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the line of the token before it.
    Behind,
    /// On the line below such a comment and in its column: it goes on with it.
    Under,
    /// On a line of its own.
    Alone,
}

impl<'t> Trivia<'t> {
    pub fn new(text: &'t str) -> Trivia<'t> {
        let mut found = Vec::new();
        let tokens = lex::scan(text, &mut |start, comment| found.push((start, comment)));
        let mut comments: Vec<Comment> = Vec::with_capacity(found.len());
        let mut found = found.into_iter().peekable();
        let mut blank = Vec::with_capacity(tokens.len());
        // The end of what was seen last, and the column of comments that may go on.
        let (mut end, mut column) = (0, None);
        for (number, token) in tokens.iter().enumerate() {
            while let Some((start, comment)) = found.next_if(|(start, _)| *start < token.start) {
                comments.push(place(text, (start, comment), number, &mut end, &mut column));
            }
            blank.push(lines(text, end, token.start) > 1);
            (end, column) = (token.end(), None);
        }
        for comment in found {
            comments.push(place(text, comment, tokens.len(), &mut end, &mut column));
        }
        Trivia { tokens, comments, blank }
    }

    pub fn is_behind_blank(&self, token: usize) -> bool {
        self.blank.get(token).is_some_and(|blank| *blank)
    }

    /// Whether there is space before a token, and behind it.
    pub fn spaces(&self, token: usize) -> (bool, bool) {
        let between = |a: Option<usize>, b: usize| {
            let ends = a.and_then(|a| self.tokens.get(a)).zip(self.tokens.get(b));
            ends.is_none_or(|(a, b)| a.end() != b.start)
        };
        (between(token.checked_sub(1), token), between(Some(token), token + 1))
    }

    /// Whether the author began a line with a token.
    pub fn begins_line(&self, token: usize) -> bool {
        self.tokens.get(token).is_some_and(|t| t.first_on_line)
    }

    /// Whether the block whose `{` this token is stands on one line.
    pub fn is_one_line(&self, open: usize) -> bool {
        let mut depth = 0usize;
        for (i, token) in self.tokens.iter().enumerate().skip(open) {
            if i > open && token.first_on_line {
                return false;
            }
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth <= 1 => return true,
                Kind::Close => depth -= 1,
                _ => {}
            }
        }
        false
    }
}

/// The next comment; moves behind it.
fn place<'t>(
    text: &str,
    (start, comment): (usize, &'t str),
    before: usize,
    end: &mut usize,
    column: &mut Option<usize>,
) -> Comment<'t> {
    let lines = lines(text, *end, start);
    let begin = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let own = width(&text[begin..start]);
    let place = match lines {
        0 if *end > 0 => Place::Behind,
        1 if *column == Some(own) => Place::Under,
        _ => Place::Alone,
    };
    *column = Some(own).filter(|_| place != Place::Alone);
    *end = start + comment.len();
    Comment { text: comment, before, place, blank: lines > 1 }
}

/// How many lines end between two places.
fn lines(text: &str, from: usize, to: usize) -> usize {
    text.get(from..to).map_or(0, |gap| gap.bytes().filter(|b| *b == b'\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_have_their_places() {
        let text = "# a\n\ncell A { # b\n         # c\n\n  # d\n  x = 1; y = 2\n}\n# e";
        let trivia = Trivia::new(text);
        let seen: Vec<_> = trivia
            .comments
            .iter()
            .map(|c| (c.text, trivia.tokens.get(c.before).map(|t| t.text), c.place, c.blank))
            .collect();
        let expected = [
            ("# a", Some("cell"), Place::Alone, false),
            ("# b", Some("x"), Place::Behind, false),
            ("# c", Some("x"), Place::Under, false),
            ("# d", Some("x"), Place::Alone, true),
            ("# e", None, Place::Alone, false),
        ];
        assert_eq!(seen, expected);
        assert!(trivia.is_behind_blank(0) && !trivia.is_behind_blank(1) && !trivia.is_behind_blank(3));
        assert!(!trivia.is_one_line(2) && Trivia::new("a { b { c } }").is_one_line(1));
    }
}
