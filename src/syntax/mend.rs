//! Where a slip of the pen is mended: the edits of suggestions, found in the tokens of an item.
//!
//! In: the tokens, and the one the message is about. Out: edits, or nothing where the change would be a guess.

use super::lex::{self, Kind, OPS, RESERVED, STATEMENT, Token};
use super::text::Text;
use super::{names, nesting};
use crate::diag::Edit;
use unicode_normalization::UnicodeNormalization;

/// Something new in the place of a part of the text. Where its words would touch those beside it and become others, a space
/// keeps them apart.
pub fn put(text: &Text, from: usize, to: usize, new: &str) -> Edit {
    let before = text.text.get(..from).and_then(|t| t.chars().next_back());
    let after = text.text.get(to..).and_then(|t| t.chars().next());
    let glued = |a: Option<char>, b: Option<char>| a.is_some_and(lex::is_char) && b.is_some_and(lex::is_char);
    let gap = |is_needed: bool| if is_needed { " " } else { "" };
    let (left, right) = (glued(before, new.chars().next()), glued(new.chars().next_back(), after));
    Edit { span: text.span(from, to), text: format!("{}{new}{}", gap(left), gap(right)) }
}

pub fn replace(text: &Text, token: &Token, new: &str) -> Edit {
    put(text, token.start, token.end(), new)
}

pub fn insert(text: &Text, at: usize, new: &str) -> Edit {
    Edit { span: text.span(at, at), text: new.into() }
}

/// A character of a word in the place of another, without a gap.
fn spell(text: &Text, token: &Token, new: &str) -> Edit {
    Edit { span: text.span(token.start, token.end()), text: new.into() }
}

pub fn remove(text: &Text, from: usize, to: usize) -> Edit {
    Edit { span: text.span(from, to), text: String::new() }
}

/// The closing partner of a bracket.
pub fn partner(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// The last token of the expression that begins at `from`: before a comma, `;`, a bracket that closes more than it opens, or
/// the next statement.
pub fn expression_end(tokens: &[Token], from: usize) -> usize {
    end(tokens, from, |t| matches!(t.text, "," | ";"))
}

/// The last token of the statement around `from`, whose own brackets may be open.
pub fn statement_end(tokens: &[Token], from: usize) -> usize {
    end(tokens, from, |t| t.is(";"))
}

fn end(tokens: &[Token], from: usize, stops: impl Fn(&Token) -> bool) -> usize {
    let mut open: Vec<&str> = Vec::new();
    for (k, token) in tokens.iter().enumerate().skip(from + 1) {
        let closes = token.kind == Kind::Close;
        let mismatch = closes && open.last().is_none_or(|o| partner(o) != token.text);
        if mismatch || begins_statement(tokens, k) || (open.is_empty() && stops(token)) {
            return k - 1;
        }
        match token.kind {
            Kind::Open => open.push(token.text),
            Kind::Close => drop(open.pop()),
            _ => {}
        }
    }
    tokens.len().saturating_sub(1)
}

/// Whether a line begins here with a statement: with its word, or with names and `=`.
pub fn begins_statement(tokens: &[Token], at: usize) -> bool {
    let Some(token) = tokens.get(at).filter(|t| t.first_on_line) else { return false };
    if token.kind == Kind::Doc {
        return true;
    }
    let next = tokens.get(at + 1);
    let goes_on = ["within", "per", "in"].contains(&token.text)
        && at.checked_sub(1).and_then(|i| tokens.get(i)).is_some_and(|t| t.kind == Kind::Op);
    if STATEMENT.contains(&token.text) && !goes_on {
        return true;
    }
    let named = token.kind == Kind::Word && !RESERVED.contains(&token.text);
    named && (next.is_some_and(|t| t.is("=")) || targets_and_equals(tokens, at))
}

/// `a, b = …`, `a[k in 1..n] = …`.
fn targets_and_equals(tokens: &[Token], at: usize) -> bool {
    let mut depth = 0i32;
    for (k, token) in tokens.iter().enumerate().skip(at + 1) {
        match token.text {
            "[" => depth += 1,
            "]" => depth -= 1,
            "=" => return depth == 0,
            "," => {}
            _ if depth > 0 => {}
            _ if token.kind == Kind::Word && tokens.get(k - 1).is_some_and(|t| t.is(",")) => {}
            _ => return false,
        }
    }
    false
}

/// `(` and its partner around tokens.
pub fn parentheses(text: &Text, first: &Token, last: &Token) -> Vec<Edit> {
    vec![insert(text, first.start, "("), insert(text, last.end(), ")")]
}

/// The operator of a product of two operands side by side, by what the left one looks like: a capital is a matrix.
pub fn products(left: &Token) -> [&'static str; 2] {
    match left.kind {
        Kind::Number => ["*", "⊙"],
        _ if left.text.starts_with(char::is_uppercase) => ["@", "⊙"],
        _ => ["⊙", "@"],
    }
}

/// What stands for a character that is no part of the language, at all its places in the item.
pub fn characters(text: &Text, tokens: &[Token], at: usize) -> Vec<Edit> {
    let Some(wrong) = tokens.get(at).filter(|t| t.kind == Kind::Unknown) else { return Vec::new() };
    let same = tokens.iter().enumerate().filter(|(_, t)| t.kind == Kind::Unknown && t.text == wrong.text);
    let mut edits = Vec::new();
    for (k, _) in same {
        match plain(text, tokens, k) {
            Some(found) => edits.extend(found),
            None => return Vec::new(),
        }
    }
    edits
}

fn plain(text: &Text, tokens: &[Token], at: usize) -> Option<Vec<Edit>> {
    let token = tokens.get(at)?;
    let before = at.checked_sub(1).and_then(|i| tokens.get(i));
    let after = tokens.get(at + 1);
    let c = token.text.chars().next()?;
    let one = |new: &str| Some(vec![replace(text, token, new)]);
    let in_word = |new: &str| Some(vec![spell(text, token, new)]);
    let is_between = before.is_some_and(Token::ends_operand) && after.is_some_and(may_begin);
    let operator = |new: &str| one(new).filter(|_| is_between);
    match c {
        '×' | '∘' | '∗' | '•' | '⋅' | '⊗' => {
            operator(before.map_or("⊙", |left| products(left)[0]))
        }
        '÷' => operator("/"),
        '–' | '—' | '‐' | '‑' | '﹣' => one("-"),
        '⊤' => before.filter(|t| t.ends_operand() && t.end() == token.start).and_then(|_| one("ᵀ")),
        '…' => one(".."),
        '∞' => one("inf"),
        '←' => one("="),
        '%' => operator("mod"),
        '√' => match after {
            Some(next) if next.is("(") => one("sqrt"),
            Some(next) if next.kind == Kind::Word || next.kind == Kind::Number => {
                Some(vec![replace(text, token, "sqrt("), insert(text, next.end(), ")")])
            }
            _ => None,
        },
        '!' => after
            .filter(|t| may_begin(t) && before.is_some_and(|t| !t.ends_operand()))
            .and_then(|_| one("not ")),
        '&' => match (before, after) {
            // The second of two goes with the first.
            (Some(first), _) if first.is("&") && first.end() == token.start => Some(Vec::new()),
            (Some(left), Some(second)) if second.is("&") && second.start == token.end() => {
                left.ends_operand().then(|| vec![put(text, token.start, second.end(), "and")])
            }
            _ => operator("and"),
        },
        '‘' | '’' | '′' | '`' => before.filter(|t| t.end() == token.start).and_then(|_| in_word("'")),
        '“' | '”' | '„' | '‟' | '«' | '»' | '\'' => quotes(text, token),
        '\\' => after.filter(|t| t.start == token.end() && t.kind == Kind::Word).and_then(|word| {
            let sign = tex(word.text)?;
            let is_operator = OPS.contains(&sign) && !matches!(sign, "∑" | "∏");
            let behind = tokens.get(at + 2).is_some_and(may_begin);
            let fits = !is_operator || (before.is_some_and(Token::ends_operand) && behind);
            fits.then(|| vec![put(text, token.start, word.end(), sign)])
        }),
        '\u{feff}' => in_word(""),
        c if c.is_whitespace() => one(" "),
        c if crate::diag::is_invisible(c) => in_word(""),
        c => {
            let plain: String = std::iter::once(c).nfkc().collect();
            let digit = plain.chars().next().is_some_and(|d| d.is_ascii_digit());
            match digit && before.is_some_and(|t| t.end() == token.start) {
                true if "⁰¹⁴⁵⁶⁷⁸⁹".contains(c) => in_word(&format!("^{plain}")),
                true => in_word(&plain),
                false => None,
            }
        }
    }
}

/// The first of some tokens that is a sign and stands outside of all brackets.
pub fn outside(tokens: &[Token], sign: &str) -> Option<usize> {
    let mut depth = 0usize;
    tokens.iter().position(|t| {
        if t.kind == Kind::Close {
            depth = depth.saturating_sub(1);
        }
        let found = depth == 0 && t.is(sign);
        depth += usize::from(t.kind == Kind::Open);
        found
    })
}

/// Whether an operand may begin with a token.
pub fn may_begin(token: &Token) -> bool {
    token.begins_operand()
        || token.is("(")
        || token.is("[")
        || matches!(token.text, "-" | "−" | "\\" | "√" | "not")
}

/// What a command of TeX is here: a sign, or a name that is spelled like it.
fn tex(word: &str) -> Option<&str> {
    let own = ["tanh", "exp", "log", "max", "min", "cos", "sin", "sqrt"];
    let known = TEX.iter().find(|(name, _)| *name == word).map(|(_, sign)| *sign);
    known.or_else(|| (own.contains(&word) || names::greek().any(|(name, _)| name == word)).then_some(word))
}

/// Commands of TeX that are not called like what they show.
const TEX: [(&str, &str); 8] = [
    ("odot", "⊙"),
    ("circ", "⊙"),
    ("times", "⊙"),
    ("cdot", "@"),
    ("sum", "∑"),
    ("in", "∈"),
    ("leq", "≤"),
    ("geq", "≥"),
];

/// Both quotes of a text, if both stand on one line.
fn quotes(text: &Text, open: &Token) -> Option<Vec<Edit>> {
    let rest = text.text.get(open.end()..)?;
    let line = rest.split('\n').next().unwrap_or(rest);
    let (at, close) = line.char_indices().find(|(_, c)| "“”„‟«»\"'".contains(*c))?;
    let from = open.end() + at;
    let close = Edit { span: text.span(from, from + close.len_utf8()), text: "\"".into() };
    Some(vec![replace(text, open, "\""), close])
}

/// The end of a string that has none: behind what it holds, before brackets that were open around it.
pub fn end_of_string(text: &Text, tokens: &[Token], at: usize) -> Option<Edit> {
    let token = tokens.get(at)?;
    let mut open = 0i64;
    for t in &tokens[..at] {
        match t.kind {
            Kind::Open if t.text != "{" => open += 1,
            Kind::Close if t.text != "}" => open -= 1,
            _ => {}
        }
    }
    let mut content = token.text.trim_end();
    // What opens a block was not meant to be text.
    content = content.strip_suffix('{').map_or(content, str::trim_end);
    while open > 0 && content.ends_with([')', ']']) {
        content = content[..content.len() - 1].trim_end();
        open -= 1;
    }
    Some(insert(text, token.start + content.len(), "\""))
}

/// Indents whatever stands in column one inside a body.
pub fn indentation(text: &Text, tokens: &[Token]) -> Vec<Edit> {
    let mut depth = 0usize;
    let mut edits = Vec::new();
    for token in tokens {
        let column_one = token.start == 0 || text.text.as_bytes().get(token.start - 1) == Some(&b'\n');
        match token.kind {
            Kind::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 && column_one => edits.push(insert(text, token.start, "  ")),
            _ => {}
        }
        depth += usize::from(token.kind == Kind::Open);
    }
    edits
}

/// What a bracket left open wants, and where: at the end of its statement, or a line of its own at the end of the item.
pub fn closing(text: &Text, tokens: &[Token], opener: usize) -> Option<Edit> {
    let open = tokens.get(opener)?;
    if open.is("{") {
        let last = tokens.last()?;
        return Some(insert(text, last.end(), "\n}"));
    }
    let last = tokens.get(statement_end(tokens, opener))?;
    Some(insert(text, last.end(), partner(open.text)))
}

/// What mends a bracket that one of another kind seems to close: the missing one before it, or its partner in that one's
/// place, whichever lets all brackets of the item match; and whether one does.
pub fn mismatch(text: &Text, tokens: &[Token], opener: usize, closer: usize) -> Option<(Edit, bool)> {
    let (open, close) = (tokens.get(opener)?, tokens.get(closer)?);
    let right = Token { text: partner(open.text), ..*close };
    let matches = |tokens: &[Token]| {
        use nesting::Fault::{Mismatch, Unclosed, Unopened};
        !matches!(nesting::check(tokens), Err(Mismatch(..) | Unclosed(_) | Unopened(_)))
    };
    let mut other = tokens.to_vec();
    other.insert(statement_end(tokens, opener) + 1, right);
    let insertion = closing(text, tokens, opener)?;
    if matches(&other) {
        return Some((insertion, true));
    }
    other = tokens.to_vec();
    *other.get_mut(closer)? = right;
    match matches(&other) {
        true => Some((replace(text, close, right.text), true)),
        false => Some((insertion, false)),
    }
}

/// Another name for something, wherever the item has it, but for places where it begins a statement.
pub fn rename(text: &Text, tokens: &[Token], from: &str, at: usize, to: &str) -> Vec<Edit> {
    let is_name = |k: usize, t: &Token| {
        let statement = t.first_on_line && !tokens.get(k + 1).is_some_and(|n| n.is("="));
        t.start == at || (t.kind == Kind::Word && t.text == from && !statement)
    };
    let found = tokens.iter().enumerate().filter(|(k, t)| is_name(*k, t));
    found.map(|(_, t)| replace(text, t, to)).collect()
}

/// What a character that is no part of the language probably stands for.
pub fn stands_for(c: char) -> Option<String> {
    let text = match c {
        '×' | '∘' | '∗' | '•' | '⋅' | '⊗' => {
            "the elementwise product is `⊙` or `*`, the matrix product `@`".to_string()
        }
        '÷' => "division is `/`".to_string(),
        '“' | '”' | '„' | '‟' | '«' | '»' => "strings stand between plain quotes: `\"`".to_string(),
        '\'' => "strings stand between double quotes: `\"`".to_string(),
        '?' => "a choice is `if c then a else b`".to_string(),
        '‘' | '’' | '′' | '`' => "a prime in a name is the plain `'`".to_string(),
        '–' | '—' | '‐' | '‑' | '﹣' => "minus is `-` or `−`".to_string(),
        '→' | '⇒' | '←' | ':' => "an equation is written `name = expression`".to_string(),
        '…' => "a range is written with two points: `1..n`".to_string(),
        '%' => "the remainder is `mod`".to_string(),
        '&' => "the logical operators are `and`, `or`, `not`".to_string(),
        '!' => "`not c` negates; `!=` or `≠` compares".to_string(),
        '\\' => "names and operators stand without `\\`, in Unicode or ASCII: `α` or `alpha`, `⊙` or `*`"
            .to_string(),
        '√' => "the square root is `sqrt(x)`".to_string(),
        '∞' => "infinity is `inf`".to_string(),
        '‖' => "the length of a vector is `norm(x)`".to_string(),
        '⊤' => "the transpose is `Wᵀ`, in ASCII `W^T`".to_string(),
        '\u{feff}' => "remove the byte order mark".to_string(),
        c => {
            let plain: String = std::iter::once(c).nfkc().collect();
            match plain.chars().next() {
                Some(d) if d.is_ascii_digit() && "⁰¹⁴⁵⁶⁷⁸⁹".contains(c) => {
                    format!("a power is written `^{plain}`")
                }
                Some(d) if d.is_ascii_digit() => {
                    format!("write the plain digit `{plain}` or an index `_{plain}`")
                }
                _ => return None,
            }
        }
    };
    Some(text)
}
