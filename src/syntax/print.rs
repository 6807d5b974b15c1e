//! Tree to text, in canonical form.
//!
//! In: any tree, also one that no text gave (parentheses are put where precedence needs them), and the [`Trivia`] of its
//! text if there is one. Out: text that parses to the same tree, spans and spellings aside, with all comments.
//!
//! [`Printer`] writes tokens. Where a tree has a text, these are the text's own, one after the other: see Note [In step].
//! [`gaps`] writes what stands between them, [`align`] puts what is alike in neighbouring lines into columns.

mod align;
mod expr;
mod gaps;
mod item;
mod stmt;

use super::ast::{Expr, File, Item, Stmt};
use super::lex::{self, Kind, Token};
use super::trivia::Trivia;
use gaps::Behind;
use std::borrow::Cow;

/// How a tree is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Names and operators in ASCII.
    pub ascii: bool,
    /// Lines are broken to stay within it where that is possible.
    pub width: usize,
}

impl Style {
    pub const UNICODE: Style = Style { ascii: false, width: 110 };
    pub const ASCII: Style = Style { ascii: true, width: 110 };
}

impl Default for Style {
    fn default() -> Self {
        Style::UNICODE
    }
}

/// One expression, broken to the style's width.
pub fn print_expr(expr: &Expr, style: Style) -> String {
    let mut printer = Printer::new(style, None);
    printer.expr(expr, expr::LOOSEST, false);
    printer.out
}

/// One statement, without indentation.
pub fn print_stmt(stmt: &Stmt, style: Style) -> String {
    let mut printer = Printer::new(style, None);
    printer.docs(&stmt.docs);
    printer.stmt(stmt);
    printer.out
}

/// One item with its documentation; ends with a line break.
pub fn print_item(item: &Item, style: Style) -> String {
    let mut printer = Printer::new(style, None);
    printer.item(item);
    printer.finish()
}

/// All items, a blank line between each two.
pub fn print_file(file: &File, style: Style) -> String {
    file.items.iter().map(|item| print_item(item, style)).collect::<Vec<_>>().join("\n")
}

/// A tree and what its text has beside it. `written`: names and operators as they are spelled there.
pub fn print_text(file: &File, trivia: &Trivia, written: bool, style: Style) -> String {
    let mut printer = Printer::new(style, Some(Source { trivia, written }));
    for item in &file.items {
        printer.begin(true, false);
        printer.item(item);
    }
    printer.rest();
    printer.finish()
}

/// The text a tree came from.
#[derive(Clone, Copy)]
struct Source<'p> {
    trivia: &'p Trivia<'p>,
    written: bool,
}

struct Printer<'p> {
    out: String,
    /// Characters on the current line.
    column: usize,
    line: usize,
    /// Nothing is on the line yet; it will begin at its column.
    is_fresh: bool,
    /// A comment has ended the line.
    is_ended: bool,
    /// Of the statements of the current block.
    indent: usize,
    /// Where a line begins when a comment has ended the one before in the midst of a statement.
    align: usize,
    /// Columns to leave free for what must follow on the same line.
    reserve: usize,
    /// Of a call.
    in_args: bool,
    style: Style,
    source: Option<Source<'p>>,
    /// The next token of the source, and the next comment.
    next: usize,
    said: usize,
    /// Comments behind code.
    behind: Vec<Behind>,
    /// While writing flat: something wants a line of its own.
    is_broken: bool,
    /// Widths to which the cells of the statement are filled up, and where the current one is.
    stops: align::Stops,
    cell: usize,
    cell_start: usize,
    /// While writing flat: widths of the cells.
    cells: Vec<usize>,
}

impl<'p> Printer<'p> {
    fn new(style: Style, source: Option<Source<'p>>) -> Self {
        Printer {
            out: String::new(),
            column: 0,
            line: 0,
            is_fresh: true,
            is_ended: false,
            indent: 0,
            align: 2,
            reserve: 0,
            in_args: false,
            style,
            source,
            next: 0,
            said: 0,
            behind: Vec::new(),
            is_broken: false,
            stops: align::Stops::default(),
            cell: 0,
            cell_start: 0,
            cells: Vec::new(),
        }
    }

    /// Writes tokens, with what the source has before each of them.
    fn put(&mut self, text: &str) {
        if self.source.is_none() {
            return self.raw(if self.is_fresh { text.trim_start() } else { text });
        }
        let mut end = 0;
        for token in lex::tokens(text) {
            self.token(&text[end..token.start], &token);
            end = token.end();
        }
        self.raw(&text[end..]);
    }

    fn token(&mut self, gap: &str, token: &Token) {
        let at = self.find(token.text);
        self.flush(at);
        if !self.is_fresh {
            self.raw(gap);
        }
        match self.source.and_then(|s| Some((s.written, s.trivia.tokens.get(at)?))) {
            Some((written, original)) => self.raw(&self.spelled(token, original, written)),
            None => self.raw(token.text),
        }
        self.next = at + 1;
    }

    /// The number of the source's token that is written as `text`. Separators that the canonical form does without are
    /// passed over.
    fn find(&self, text: &str) -> usize {
        let Some(source) = self.source else { return 0 };
        let closes = matches!(text, ")" | "]" | "}");
        let mut at = self.next;
        while let Some(found) = source.trivia.tokens.get(at)
            && ((found.is(";") && text != ";") || (found.is(",") && closes))
        {
            at += 1;
        }
        at
    }

    /// The number of the token that follows, if none is left out but `;`.
    fn peek(&self) -> usize {
        self.find("")
    }

    /// What stands for a token of the tree.
    fn spelled<'t>(&self, token: &Token<'t>, original: &Token<'t>, written: bool) -> Cow<'t, str> {
        match original.kind {
            Kind::Number | Kind::Str => original.text.into(),
            Kind::Word if written && original.text.contains(' ') => one_space(original.text).into(),
            Kind::Word | Kind::Op if written => original.text.into(),
            // What is Unicode already stays, as a `·`, which the tree does not tell from `@`.
            Kind::Op if !self.style.ascii && !original.text.is_ascii() => original.text.into(),
            _ => token.text.into(),
        }
    }

    /// Writes what stands in the place of `count` tokens of the source.
    fn instead(&mut self, text: &str, count: usize) {
        let last = self.peek() + count.saturating_sub(1);
        self.flush(last);
        self.raw(text);
        self.next = last + 1;
    }

    /// Writes what the source does not have, or what it is known to have.
    fn raw(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.is_fresh {
            self.out.extend(std::iter::repeat_n(' ', self.column));
            self.is_fresh = false;
        }
        self.out.push_str(text);
        self.column += width(text);
    }

    /// The spelling of the style.
    fn choose(&mut self, unicode: &str, ascii: &str) {
        self.put(if self.style.ascii { ascii } else { unicode });
    }

    fn is_flat(&self) -> bool {
        self.style.width == usize::MAX
    }

    fn new_line(&mut self, indent: usize) {
        self.is_broken = true;
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.line += 1;
        self.column = indent;
        (self.is_fresh, self.is_ended) = (true, false);
    }

    /// What `write` writes from here on if lines have no end. It is broken if there is something that cannot be written so.
    fn flat(&self, write: impl FnOnce(&mut Printer<'p>)) -> Printer<'p> {
        let style = Style { width: usize::MAX, ..self.style };
        let mut flat = Printer::new(style, self.source);
        (flat.next, flat.said, flat.in_args) = (self.next, self.said, self.in_args);
        // As behind other text: a line is not begun.
        flat.is_fresh = false;
        write(&mut flat);
        flat
    }

    fn fits(&self, flat: &Printer) -> bool {
        !flat.is_broken && self.column + flat.column + self.reserve <= self.style.width
    }

    /// Writes what was written flat.
    fn adopt(&mut self, flat: Printer) {
        self.raw(&flat.out);
        (self.next, self.said) = (flat.next, flat.said);
    }

    /// Whether what `write` writes stays within the line. Costs nothing while writing flat, else nested parts would be
    /// written over and over.
    fn has_room(&self, write: impl FnOnce(&mut Printer<'p>)) -> bool {
        self.is_flat() || self.fits(&self.flat(write))
    }

    /// With other columns to leave free behind what is written.
    fn reserving(&mut self, columns: usize, write: impl FnOnce(&mut Printer<'p>)) {
        let outer = std::mem::replace(&mut self.reserve, columns);
        write(self);
        self.reserve = outer;
    }

    /// With lines that go on at the current column.
    fn aligned(&mut self, write: impl FnOnce(&mut Printer<'p>)) {
        let outer = std::mem::replace(&mut self.align, self.column);
        write(self);
        self.align = outer;
    }

    /// Whether the source goes on with this token.
    fn is_next(&self, text: &str) -> bool {
        self.source.and_then(|s| s.trivia.tokens.get(self.peek())).is_some_and(|t| t.is(text))
    }

    /// Whether the author wrote spaces on both sides of the next token (`both`) or on one at least. Without a source it is
    /// as is usual where that is asked.
    fn is_spaced(&self, both: bool) -> bool {
        match self.source.map(|s| s.trivia.spaces(self.peek())) {
            Some((before, after)) => (before && after) || (!both && (before || after)),
            None => !both,
        }
    }

    /// Whether the author began a line with the next token, where that is the author's to say.
    fn is_broken_here(&self) -> bool {
        self.source.is_some_and(|s| s.trivia.begins_line(self.peek()))
    }

    /// Parts with `, ` between them; a part that no longer fits begins a line under the first. `rows`: if the whole is not
    /// on one line, each part is on its own.
    fn list<T>(&mut self, parts: &[T], rows: bool, mut write: impl FnMut(&mut Printer<'p>, &T)) {
        let reserve = self.reserve;
        self.aligned(|p| {
            for (i, part) in parts.iter().enumerate() {
                p.reserve = if i + 1 == parts.len() { reserve } else { 1 };
                match i {
                    0 => write(p, part),
                    _ => p.listed(rows, |p| write(p, part)),
                }
            }
            p.reserve = reserve;
        });
    }

    /// A comma and what follows it.
    fn listed(&mut self, rows: bool, mut write: impl FnMut(&mut Printer<'p>)) {
        self.comma();
        if self.settle() {
            return write(self);
        }
        if self.is_flat() {
            self.is_broken |= rows && self.is_broken_here();
            self.raw(" ");
        } else {
            let flat = self.flat(|p| {
                p.raw(" ");
                write(p);
            });
            match !rows && self.fits(&flat) {
                true => return self.adopt(flat),
                false => self.new_line(self.align),
            }
        }
        write(self);
    }

    /// [`Printer::list`] between brackets.
    fn bracketed<T>(
        &mut self,
        [open, close]: [&str; 2],
        parts: &[T],
        rows: bool,
        write: impl FnMut(&mut Printer<'p>, &T),
    ) {
        self.put(open);
        let below = self.column.saturating_sub(1).max(1);
        self.reserving(self.reserve + width(close), |p| p.list(parts, rows, write));
        let outer = std::mem::replace(&mut self.align, below);
        self.put(close);
        self.align = outer;
    }
}

/// Characters as a reader counts them: marks over letters take no place.
pub(super) fn width(text: &str) -> usize {
    text.chars().filter(|c| !('\u{300}'..='\u{36f}').contains(c)).count()
}

/// A name with one space between the words of its brace groups and none beside its braces.
fn one_space(name: &str) -> String {
    let words: Vec<&str> = name.split(' ').filter(|w| !w.is_empty()).collect();
    words.join(" ").replace("{ ", "{").replace(" }", "}")
}

// Note [In step]
//
// A tree is printed from its kinds alone, whether a text gave it or the compiler. Where a text gave it, the tokens written
// are the text's own in the text's order, but for separators that the canonical form leaves out (`;` at the end of a line,
// a comma before a bracket) and for `²`, which is one token and `^2` two. So the printer counts tokens as it writes them,
// and at each it knows the comments and blank lines that stood before it and how it was spelled: nothing of that is in the
// tree, and no place of a comment is a special case. What is written to see whether it fits counts on a copy.
