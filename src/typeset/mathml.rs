//! [`Math`] as MathML Core, which browsers show without a script.
//!
//! Text and attributes are escaped here. A reference is `<mrow data-n="NAME">`, so that a page can find all of them.

use super::{Accent, Formula, Math, Symbol};
use std::fmt::Write;

/// The pieces of a formula, each a `<math>` of its own: the left side with its sign, then what a line may end between.
pub fn pieces(formula: &Formula) -> Vec<String> {
    let mut right = formula.right.iter();
    let mut all = Vec::new();
    let equals = Math::Symbol(Symbol::EQUALS);
    all.push(inline(&Math::row([formula.left.clone(), equals])));
    all.extend(right.by_ref().map(inline));
    all
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
