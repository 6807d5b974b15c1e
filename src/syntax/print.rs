//! Tree to text, in canonical form.
//!
//! In: any tree, also one that no text gave (parentheses are put where precedence needs them). Out:
//! text that parses to the same tree, spans and spellings aside.

mod expr;
mod item;

use super::ast::{Expr, File, Item, Stmt};

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
    let mut printer = Printer::new(style);
    printer.expr(expr, expr::LOOSEST, false);
    printer.out
}

/// One statement, without indentation.
pub fn print_stmt(stmt: &Stmt, style: Style) -> String {
    let mut printer = Printer::new(style);
    printer.stmt(stmt);
    printer.out
}

/// One item with its documentation; ends with a line break.
pub fn print_item(item: &Item, style: Style) -> String {
    let mut printer = Printer::new(style);
    printer.item(item);
    printer.out.push('\n');
    printer.out
}

/// All items, a blank line between each two.
pub fn print_file(file: &File, style: Style) -> String {
    file.items.iter().map(|item| print_item(item, style)).collect::<Vec<_>>().join("\n")
}

struct Printer {
    out: String,
    /// Characters on the current line.
    column: usize,
    /// Of the statements of the current block.
    indent: usize,
    style: Style,
}

impl Printer {
    fn new(style: Style) -> Self {
        Printer { out: String::new(), column: 0, indent: 0, style }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += width(text);
    }

    /// The spelling of the style.
    fn choose(&mut self, unicode: &str, ascii: &str) {
        self.put(if self.style.ascii { ascii } else { unicode });
    }

    fn new_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// What `write` writes if lines have no end.
    fn flat(&self, write: impl FnOnce(&mut Printer)) -> String {
        let mut flat = Printer::new(Style { width: usize::MAX, ..self.style });
        write(&mut flat);
        flat.out
    }

    fn fits(&self, text: &str) -> bool {
        self.column + width(text) <= self.style.width
    }

    /// Whether what `write` writes stays within the line, behind `before`. Costs nothing while
    /// writing flat, else nested parts would be written over and over.
    fn has_room(&self, before: usize, write: impl FnOnce(&mut Printer)) -> bool {
        self.style.width == usize::MAX || self.column + before + width(&self.flat(write)) <= self.style.width
    }

    /// Parts with `, ` between them; a part that no longer fits begins a line under the first.
    fn list<T>(&mut self, parts: &[T], mut write: impl FnMut(&mut Printer, &T)) {
        let start = self.column;
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.put(",");
                if self.has_room(1, |p| write(p, part)) {
                    self.put(" ");
                } else {
                    self.new_line(start);
                }
            }
            write(self, part);
        }
    }
}

/// Characters as a reader counts them: marks over letters take no place.
fn width(text: &str) -> usize {
    text.chars().filter(|c| !('\u{300}'..='\u{36f}').contains(c)).count()
}
