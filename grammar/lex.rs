//! Tokens of one item, for what is decided before or beside the grammar: brackets, nesting, limits,
//! and the words around the place where parsing failed.
//!
//! In: any text. Out: [`Token`]s that cover all but spaces and comments. Never fails: what no rule
//! knows is [`Kind::Unknown`].

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, reserved word or word; brace groups included.
    Word,
    Number,
    /// A closed string.
    Str,
    /// A string without its end.
    OpenStr,
    /// `( [ {`
    Open,
    /// `) ] }`
    Close,
    /// `##` to the end of the line.
    Doc,
    Op,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Byte offset in the text.
    pub start: usize,
    /// No other token precedes it on its line.
    pub first_on_line: bool,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// As how many tokens it counts: each name that braces stand for is one.
    pub fn weight(&self) -> usize {
        match self.text.contains('{') && self.kind == Kind::Word {
            true => self.text.split_whitespace().count(),
            false => 1,
        }
    }

    pub fn is(&self, text: &str) -> bool {
        self.text == text && !matches!(self.kind, Kind::Str | Kind::Doc)
    }

    /// Something an operand may end with.
    pub fn ends_operand(&self) -> bool {
        match self.kind {
            Kind::Word => !RESERVED.contains(&self.text) || matches!(self.text, "true" | "false"),
            Kind::Number | Kind::Str => true,
            Kind::Close => self.text != "}",
            Kind::Op => matches!(self.text, "ᵀ" | "^T" | "²" | "³"),
            _ => false,
        }
    }

    /// Something only an operand may begin with.
    pub fn begins_operand(&self) -> bool {
        match self.kind {
            Kind::Word => !RESERVED.contains(&self.text) || matches!(self.text, "true" | "false"),
            Kind::Number | Kind::Str => true,
            _ => matches!(self.text, "∑" | "∏"),
        }
    }
}

pub const RESERVED: [&str; 11] =
    ["if", "then", "else", "and", "or", "not", "in", "mod", "div", "true", "false"];

/// Words that begin a statement.
pub const STATEMENT: [&str; 18] = [
    "in", "mem", "state", "param", "noise", "dim", "part", "at", "out", "loss", "metric", "generate", "data",
    "train", "set", "expect", "within", "per",
];

/// Those of them that are followed by a value.
pub const VALUES: [&str; 4] = ["out", "loss", "metric", "expect"];

/// Words that begin an item.
pub const ITEM: [&str; 8] = ["use", "cell", "layer", "model", "fn", "layout", "test", "check"];

/// Longest first.
pub const OPS: [&str; 34] = [
    "+/-", "==", "!=", "<=", ">=", "~=", "|>", "++", "..", "^T", "+", "-", "−", "*", "⊙", "/", "@", "·", "^",
    "ᵀ", "²", "³", "=", "<", ">", "≠", "≤", "≥", "≈", "~", "±", "∈", "∑", "∏",
];

/// What stands between operands and is no operator.
pub const PUNCTUATION: [&str; 5] = [",", ";", ":", ".", "|"];

pub fn tokens(text: &str) -> Vec<Token<'_>> {
    scan(text, &mut |_, _| {})
}

/// [`tokens`]; `comment` is told of each comment where it begins and what it is, without the end of its line.
pub fn scan<'t>(text: &'t str, comment: &mut dyn FnMut(usize, &'t str)) -> Vec<Token<'t>> {
    let mut out = Vec::new();
    let mut first_on_line = true;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if is_space(c) {
            first_on_line |= c == '\n';
            at += c.len_utf8();
            continue;
        }
        if c == '#' && !rest.starts_with("##") {
            comment(at, line(rest).trim_end());
            at += line(rest).len();
            continue;
        }
        let (kind, len) = match c {
            '#' => (Kind::Doc, line(rest).trim_end().len()),
            '{' if is_block(rest, out.last()) => (Kind::Open, 1),
            _ => one(rest),
        };
        out.push(Token { kind, text: &rest[..len], start: at, first_on_line });
        first_on_line = false;
        at += len;
    }
    out
}

/// What the grammar takes for a space; what else looks like one is a mistake that cannot be seen.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn line(rest: &str) -> &str {
    rest.split('\n').next().unwrap_or(rest)
}

fn one(rest: &str) -> (Kind, usize) {
    let Some(c) = rest.chars().next() else { return (Kind::Unknown, 0) };
    if let Some(len) = word(rest) {
        return (Kind::Word, len);
    }
    if c.is_ascii_digit() {
        return (Kind::Number, number(rest));
    }
    if c == '"' {
        let line = line(rest);
        let mut escaped = false;
        for (i, c) in line.char_indices().skip(1) {
            match c {
                '"' if !escaped => return (Kind::Str, i + 1),
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        return (Kind::OpenStr, line.len());
    }
    if "([{".contains(c) {
        return (Kind::Open, 1);
    }
    if ")]}".contains(c) {
        return (Kind::Close, 1);
    }
    if let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) {
        let letter_follows = rest[op.len()..].chars().next().is_some_and(is_char);
        let op = if *op == "^T" && letter_follows { "^" } else { op };
        return (Kind::Op, op.len());
    }
    if let Some(op) = PUNCTUATION.iter().find(|op| rest.starts_with(**op)) {
        return (Kind::Op, op.len());
    }
    (Kind::Unknown, c.len_utf8())
}

/// A character inside a name.
pub fn is_char(c: char) -> bool {
    c == '\'' || (c != '·' && c != 'ᵀ' && unicode_xid(c))
}

/// XID_Continue, as pest has it.
fn unicode_xid(c: char) -> bool {
    pest::unicode::XID_CONTINUE(c)
}

fn word(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    let mut at = match first {
        '_' => first.len_utf8(),
        c if c != 'ᵀ' && pest::unicode::XID_START(c) => c.len_utf8(),
        '{' => group(rest)?,
        _ => return None,
    };
    loop {
        let c = rest[at..].chars().next();
        match c {
            Some(c) if is_char(c) => at += c.len_utf8(),
            Some('{') => match group(&rest[at..]) {
                Some(len) => at += len,
                None => return Some(at),
            },
            _ => return Some(at),
        }
    }
}

/// `{a b}`: two or more words between braces.
fn group(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('{')?;
    // What is no word ends the search: braces that close nothing cost no more than they are long.
    let end = inner.find(|c| c != ' ' && !is_char(c))?;
    let good =
        inner[end..].starts_with('}') && inner[..end].split(' ').filter(|w| !w.is_empty()).count() >= 2;
    good.then_some(end + 2)
}

/// Words of a statement that may be nothing but words.
const BARE: [&str; 5] = ["out", "loss", "metric", "expect", "generate"];

/// Whether `{ out a }` is a block and not the brace group of a name, which it looks like.
fn is_block(rest: &str, before: Option<&Token>) -> bool {
    let Some(end) = group(rest) else { return false };
    let word = rest[1..end].trim_start().split([' ', '}']).next().unwrap_or("");
    let after = rest[end..].trim_start_matches(' ');
    let goes_on = rest[end..].starts_with(|c| is_char(c) || c == '{')
        || (after.starts_with('=') && !after.starts_with("=="));
    // Operands and arguments stand behind operators and brackets, blocks do not.
    let is_operand = before.is_none_or(|t| matches!(t.kind, Kind::Op | Kind::Open));
    BARE.contains(&word) && !goes_on && !is_operand
}

fn number(rest: &str) -> usize {
    let digits =
        |from: usize| rest[from..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| from + n);
    let mut end = digits(0);
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let from = end + 1 + sign;
        if digits(from) > from {
            end = digits(from);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_bare_words_is_no_brace_group() {
        let kinds = |text| -> Vec<Kind> { tokens(text).iter().map(|t| t.kind).collect() };
        use Kind::{Close, Op, Open, Word};
        assert_eq!(kinds("F(a) { out a }"), [Word, Open, Word, Close, Open, Word, Word, Close]);
        assert_eq!(kinds("F { generate a from y }").len(), 7);
        // Names: members of a family, what an equation defines, an argument.
        assert_eq!(kinds("W_{out a} {out in}_g {out a} = x"), [Word, Word, Word, Op, Word]);
        assert_eq!(kinds("rows({out a})"), [Word, Open, Word, Close]);
        assert_eq!(kinds("with {a b}"), [Word, Word]);
    }
}
