//! [`Math`] as MathML Core, which browsers show without a script.
//!
//! Text and attributes are escaped here. A reference is `<mrow data-n="NAME">`, so that a page can find all of them.

use super::{Accent, Formula, Math, Symbol};
use std::fmt::Write;

/// The pieces of a formula, each a `<math>` of its own: the left side with its sign, then what a line may end between.
pub fn pieces(formula: &Formula) -> Vec<String> {
    let equals = Math::Symbol(Symbol::EQUALS);
    let mut all = vec![inline(&Math::row([formula.left.clone(), equals]))];
    all.extend(formula.right.iter().flat_map(broken));
    all
}

/// What is longer than this many letters may end a line within.
const SHORT: usize = 14;

/// A formula in pieces between which a line may end: before a sign, behind a comma, also within brackets. Cases are no piece
/// of a formula but boxes, whose values and conditions stand below each other where there is no room beside.
pub fn broken(math: &Math) -> Vec<String> {
    let mut found = Pieces::default();
    found.add(math);
    found.end();
    found.done
}

#[derive(Default)]
struct Pieces {
    done: Vec<String>,
    open: Vec<Math>,
}

impl Pieces {
    fn add(&mut self, math: &Math) {
        if width(math) <= SHORT {
            self.open.push(math.clone());
            return;
        }
        match math {
            Math::Row(parts) => parts.iter().for_each(|part| match part {
                Math::Symbol(Symbol::COMMA | Symbol::SEMICOLON) => {
                    self.open.push(part.clone());
                    self.end();
                }
                Math::Symbol(symbol) if symbol.infix => {
                    self.end();
                    self.open.push(part.clone());
                }
                part => self.add(part),
            }),
            Math::Fence(open, inner, close) => {
                self.open.push(Math::Symbol(*open));
                self.add(inner);
                self.open.push(Math::Symbol(*close));
            }
            Math::Cases(cases) => {
                self.end();
                self.done.push(boxes(cases));
            }
            math => self.open.push(math.clone()),
        }
    }

    fn end(&mut self) {
        if !self.open.is_empty() {
            self.done.push(inline(&Math::Row(std::mem::take(&mut self.open))));
        }
    }
}

fn boxes(cases: &[(Math, Option<Math>)]) -> String {
    let mut out = String::from("<span class=\"cases\">");
    for (value, condition) in cases {
        out.push_str("<span class=\"case\"><span class=\"value\">");
        broken(value).iter().for_each(|piece| out.push_str(piece));
        out.push_str("</span><span class=\"value\">");
        match condition {
            Some(condition) => {
                out.push_str("<span>if</span>");
                broken(condition).iter().for_each(|piece| out.push_str(piece));
            }
            None => out.push_str("<span>otherwise</span>"),
        }
        out.push_str("</span></span>");
    }
    out.push_str("</span>");
    out
}

/// About how many letters wide.
fn width(math: &Math) -> usize {
    let scripts = |parts: [&Option<Box<Math>>; 2]| {
        let widths = parts.into_iter().flatten().map(|part| width(part));
        widths.max().unwrap_or(0) * 2 / 3
    };
    match math {
        Math::Row(parts) => parts.iter().map(width).sum(),
        Math::Name(text) | Math::Word(text) | Math::Number(text) | Math::Text(text) => text.chars().count(),
        Math::Symbol(Symbol::TIMES) => 0,
        Math::Symbol(symbol) if symbol.infix => 2,
        Math::Symbol(_) => 1,
        Math::Fence(_, inner, _) => width(inner) + 2,
        Math::Scripts { base, below, above } => width(base) + scripts([below, above]),
        Math::Limits { base, under, over } => width(base).max(scripts([under, over])),
        Math::Accent(_, inner) => width(inner),
        Math::Fraction(a, b) => width(a).max(width(b)),
        Math::Root(inner) => width(inner) + 1,
        // Always in a box of its own.
        Math::Cases(_) => SHORT + 1,
        Math::Reference { shown, .. } => width(shown),
    }
}

/// One `<math>` among words.
pub fn inline(math: &Math) -> String {
    let mut out = String::from("<math>");
    write(math, &mut out);
    out.push_str("</math>");
    out
}

fn write(math: &Math, out: &mut String) {
    match math {
        Math::Row(parts) => {
            out.push_str("<mrow>");
            parts.iter().for_each(|part| write(part, out));
            out.push_str("</mrow>");
        }
        Math::Name(name) => element("mi", name, out),
        // A single upright letter has to say that it is upright.
        Math::Word(word) if word.chars().count() == 1 => {
            let _ = write!(out, "<mi mathvariant=\"normal\">{}</mi>", escaped(word));
        }
        Math::Word(word) => element("mi", word, out),
        Math::Number(digits) => element("mn", digits, out),
        Math::Text(text) => element("mtext", text, out),
        Math::Symbol(symbol) => sign(*symbol, out),
        Math::Fence(open, inner, close) => {
            out.push_str("<mrow>");
            fence(open, "prefix", out);
            write(inner, out);
            fence(close, "postfix", out);
            out.push_str("</mrow>");
        }
        Math::Scripts { base, below, above } => match (below, above) {
            (Some(below), Some(above)) => group("msubsup", &[base, below, above], out),
            (Some(below), None) => group("msub", &[base, below], out),
            (None, Some(above)) => group("msup", &[base, above], out),
            (None, None) => write(base, out),
        },
        Math::Limits { base, under, over } => {
            out.push_str("<mrow displaystyle=\"true\">");
            match (under, over) {
                (Some(under), Some(over)) => group("munderover", &[base, under, over], out),
                (Some(under), None) => group("munder", &[base, under], out),
                (None, Some(over)) => group("mover", &[base, over], out),
                (None, None) => write(base, out),
            }
            out.push_str("</mrow>");
        }
        Math::Accent(accent, inner) => {
            let mark = match accent {
                Accent::Bar => "¯",
                Accent::Hat => "^",
                Accent::Tilde => "~",
            };
            // As an accent it would run into the letter where the font has no measures for mathematics.
            out.push_str("<mover>");
            write(inner, out);
            let _ = write!(out, "<mo stretchy=\"false\">{mark}</mo></mover>");
        }
        Math::Fraction(a, b) => group("mfrac", &[a, b], out),
        Math::Root(inner) => group("msqrt", &[inner], out),
        Math::Cases(cases) => {
            // A line in place of a brace: without a font for formulas, which many systems lack, braces do not grow.
            out.push_str("<mtable class=\"cases\">");
            for (value, condition) in cases {
                out.push_str("<mtr><mtd>");
                write(value, out);
                out.push_str("</mtd><mtd>");
                match condition {
                    Some(condition) => {
                        out.push_str("<mrow><mtext>if\u{a0}</mtext>");
                        write(condition, out);
                        out.push_str("</mrow>");
                    }
                    None => out.push_str("<mtext>otherwise</mtext>"),
                }
                out.push_str("</mtd></mtr>");
            }
            out.push_str("</mtable>");
        }
        Math::Reference { name, shown } => {
            let _ = write!(out, "<mrow data-n=\"{}\">", escaped(name));
            write(shown, out);
            out.push_str("</mrow>");
        }
    }
}

fn sign(symbol: Symbol, out: &mut String) {
    let text = escaped(symbol.unicode);
    let _ = match symbol {
        Symbol::NEGATIVE => write!(out, "<mo form=\"prefix\">{text}</mo>"),
        // Of its own, a product without a sign has no space, which runs words together.
        Symbol::TIMES => write!(out, "<mspace width=\"0.17em\"/>"),
        Symbol::MOD | Symbol::DIV => write!(out, "<mo lspace=\"0.28em\" rspace=\"0.28em\">{text}</mo>"),
        Symbol::INFINITY | Symbol::TOP | Symbol::PRIME => {
            write!(out, "<mi mathvariant=\"normal\">{text}</mi>")
        }
        // At the beginning of a piece it still stands between two.
        symbol if symbol.infix => write!(out, "<mo form=\"infix\">{text}</mo>"),
        _ => write!(out, "<mo>{text}</mo>"),
    };
}

fn fence(symbol: &Symbol, form: &str, out: &mut String) {
    let _ = write!(out, "<mo form=\"{form}\">{}</mo>", escaped(symbol.unicode));
}

fn element(tag: &str, text: &str, out: &mut String) {
    let _ = write!(out, "<{tag}>{}</{tag}>", escaped(text));
}

fn group(tag: &str, parts: &[&Math], out: &mut String) {
    let _ = write!(out, "<{tag}>");
    parts.iter().for_each(|part| write(part, out));
    let _ = write!(out, "</{tag}>");
}

pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
