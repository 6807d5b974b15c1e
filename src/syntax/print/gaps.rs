//! What stands between tokens: line breaks, blank lines, comments.

use super::Printer;
use crate::syntax::trivia::Place;

/// A comment behind code, written two columns after it until [`Printer::finish`] puts it into line.
pub(super) struct Behind {
    /// Where it begins in the output, spaces included.
    at: usize,
    line: usize,
    /// Of the end of the code.
    column: usize,
    /// It goes on with the comment above.
    is_under: bool,
}

/// Comments of neighbouring lines stand in one column if their lines differ in length by no more.
const SPREAD: usize = 30;

impl<'p> Printer<'p> {
    /// Begins the line of a statement, an item or a bracket that ends a block, after the comments before it. `blanks`: the
    /// author's blank lines stay, one of each; `is_first`: but for one right here.
    pub(super) fn begin(&mut self, blanks: bool, is_first: bool) {
        let at = self.peek();
        let is_first = self.comments(at, self.indent, blanks, is_first);
        let blank = blanks && !is_first && self.source.is_some_and(|s| s.trivia.is_behind_blank(at));
        self.start_line(self.indent, blank);
    }

    /// The comments before a token that were not written yet, in the midst of a statement.
    pub(super) fn flush(&mut self, at: usize) {
        if self.is_pending(at) {
            self.comments(at, self.align, false, true);
            self.new_line(self.align);
        }
    }

    /// Writes the comments before the next token, if there are some; then it begins a line.
    pub(super) fn settle(&mut self) -> bool {
        let at = self.peek();
        let is_pending = self.is_pending(at);
        self.flush(at);
        is_pending
    }

    /// A comment before the operator that is next, or between it and its operand, comes before both.
    pub(super) fn settle_operator(&mut self) -> bool {
        let at = self.peek() + 1;
        let is_pending = self.is_pending(at);
        self.flush(at);
        is_pending
    }

    /// A comma stays behind what it follows: comments before it come after it.
    pub(super) fn comma(&mut self) {
        let next = self.find(",");
        self.raw(",");
        self.next = next + 1;
    }

    fn is_pending(&self, at: usize) -> bool {
        let next = self.source.and_then(|s| s.trivia.comments.get(self.said));
        next.is_some_and(|comment| comment.before <= at)
    }

    /// What is left of the text behind all its items.
    pub(super) fn rest(&mut self) {
        let is_first = self.out.is_empty();
        self.comments(usize::MAX, 0, true, is_first);
    }

    /// Writes the comments before a token that were not written yet. Says whether what follows is first in its block: if it
    /// was, and no comment stands on a line of its own.
    pub(super) fn comments(&mut self, at: usize, indent: usize, blanks: bool, mut is_first: bool) -> bool {
        let Some(source) = self.source else { return is_first };
        while let Some(comment) = source.trivia.comments.get(self.said).filter(|c| c.before <= at) {
            self.said += 1;
            self.is_broken = true;
            match comment.place {
                Place::Behind if !self.is_fresh && !self.is_ended => self.comment_behind(comment.text, false),
                Place::Under if self.behind.last().is_some_and(|b| b.line == self.line) => {
                    self.new_line(0);
                    self.comment_behind(comment.text, true);
                }
                _ => {
                    self.start_line(indent, blanks && comment.blank && !is_first);
                    self.raw(comment.text);
                    is_first = false;
                }
            }
            self.is_ended = true;
        }
        is_first
    }

    fn comment_behind(&mut self, text: &str, is_under: bool) {
        let code = self.out.trim_end_matches(' ').len();
        self.column -= self.out.len() - code;
        self.out.truncate(code);
        self.behind.push(Behind { at: code, line: self.line, column: self.column, is_under });
        self.out.push_str("  ");
        self.out.push_str(text);
        self.is_fresh = false;
    }

    fn start_line(&mut self, indent: usize, blank: bool) {
        if self.out.is_empty() {
            return;
        }
        if blank {
            self.new_line(0);
        }
        self.new_line(indent);
    }

    /// The text, its comments in columns, with the end of its last line.
    pub(super) fn finish(mut self) -> String {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let mut out = String::with_capacity(self.out.len());
        let mut from = 0;
        for run in runs(&self.behind) {
            let column = run.iter().map(|b| b.column).max().unwrap_or(0);
            for behind in run {
                out.push_str(&self.out[from..behind.at]);
                out.extend(std::iter::repeat_n(' ', column - behind.column));
                from = behind.at;
            }
        }
        out.push_str(&self.out[from..]);
        out
    }
}

/// Those of lines that follow each other.
fn runs(behind: &[Behind]) -> Vec<&[Behind]> {
    let mut runs = Vec::new();
    let (mut start, mut least, mut most) = (0, usize::MAX, 0);
    for (i, b) in behind.iter().enumerate() {
        let follows = i > 0 && behind[i - 1].line + 1 == b.line;
        let (low, high) = (least.min(b.column), most.max(b.column));
        if i > 0 && !(follows && (b.is_under || high - low <= SPREAD)) {
            runs.push(&behind[start..i]);
            (start, least, most) = (i, b.column, b.column);
        } else if !b.is_under {
            (least, most) = (low, high);
        }
    }
    runs.push(&behind[start..]);
    runs
}
