//! Notation of other languages: what a reader of Python, C or TeX writes first.
//!
//! In: the tokens of an item, and the one where the grammar stopped. Out: a message with the spelling of this language,
//! where one is meant.

use super::errors;
use super::lex::{ITEM, Kind, STATEMENT, Token};
use super::mend::{self, insert, put, remove, replace};
use super::text::Text;
use crate::diag::near::nearest;
use crate::diag::{Diagnostic, Edit};
use crate::source::Span;

/// Words that begin a statement elsewhere, and what does here; nothing where the word is simply left out.
const STATEMENTS: &[(&str, Option<&str>)] = &[
    ("return", Some("out")),
    ("yield", Some("out")),
    ("output", Some("out")),
    ("outputs", Some("out")),
    ("input", Some("in")),
    ("inputs", Some("in")),
    ("parameter", Some("param")),
    ("parameters", Some("param")),
    ("params", Some("param")),
    ("weight", Some("param")),
    ("weights", Some("param")),
    ("hidden", Some("state")),
    ("memory", Some("mem")),
    ("let", None),
    ("var", None),
    ("const", None),
    ("def", None),
];

/// What the first word of an item is called here.
pub fn item_word(word: &str) -> Option<(&'static str, &'static str)> {
    Some(match word {
        "class" | "module" | "Module" | "rnn" => {
            ("cell", "a cell is `cell NAME(I, H) { … }`: declarations and equations")
        }
        "def" | "function" | "func" | "fun" => {
            ("fn", "a function is `fn NAME(x) = …`, a cell with states `cell NAME(I, H) { … }`")
        }
        "import" | "from" | "include" | "require" => ("use", "another file is read by `use \"other.rnn\"`"),
        "network" | "net" => ("model", "a model is `model NAME { … }`: inputs, layers, a loss"),
        _ => return None,
    })
}

pub fn slip(text: &Text, tokens: &[Token], i: usize, start: usize) -> Option<Diagnostic> {
    operators(text, tokens, i, start)
        .or_else(|| brackets(text, tokens, i))
        .or_else(|| subscript(text, tokens, i))
        .or_else(|| statement(text, tokens, i, start))
        .or_else(|| condition_behind(text, tokens, i, start))
        .or_else(|| choice(text, tokens, i, start))
        .or_else(|| sum_sign(text, tokens, i))
        .or_else(|| header(text, tokens, i))
        .or_else(|| number(text, tokens, i))
        .or_else(|| shape(text, tokens, i, start))
        .or_else(|| several(text, tokens, i, start))
}

fn span(text: &Text, token: &Token) -> Span {
    text.span(token.start, token.end())
}

fn operators(text: &Text, tokens: &[Token], i: usize, start: usize) -> Option<Diagnostic> {
    let two = |k: usize, a: &str, b: &str| {
        let (x, y) = (tokens.get(k)?, tokens.get(k + 1)?);
        (x.is(a) && y.is(b) && x.end() == y.start).then_some((x, y))
    };
    let both = |x: &Token, y: &Token| text.span(x.start, y.end());
    for k in [i.wrapping_sub(1), i] {
        if let Some((x, y)) = two(k, "*", "*") {
            let edit = put(text, x.start, y.end(), "^");
            return Some(errors::foreign(both(x, y), "**", "a power is `x^2`", vec![edit]));
        }
        if let Some((x, y)) = two(k, "|", "|") {
            let is_between = k.checked_sub(1).and_then(|j| tokens.get(j)).is_some_and(|t| t.ends_operand());
            if is_between {
                let edit = put(text, x.start, y.end(), "or");
                let help = "the logical operators are `and`, `or`, `not`";
                return Some(errors::foreign(both(x, y), "||", help, vec![edit]));
            }
            let last = mend::expression_end(tokens, k + 1);
            let close = (k + 2..=last).find_map(|j| two(j, "|", "|"));
            let norm = close
                .map(|(a, b)| vec![put(text, x.start, y.end(), "norm("), put(text, a.start, b.end(), ")")]);
            return Some(errors::bars(both(x, y), norm.unwrap_or_default(), Vec::new()));
        }
        if let Some((x, y)) = two(k, "/", "/") {
            return Some(slashes(text, tokens, k, text.span(x.start, y.end())));
        }
    }
    // Behind what is to be defined.
    let name = tokens.get(start).filter(|t| t.first_on_line && t.kind == Kind::Word)?;
    let sign = tokens.get(start + 1).filter(|_| i == start + 1 || i == start + 2)?;
    if STATEMENT.contains(&name.text) || ITEM.contains(&name.text) {
        return None;
    }
    if sign.is("==") {
        return Some(errors::compares_not_defines(span(text, sign)));
    }
    for first in ["+", "-", "*", "/"] {
        if let Some((x, y)) = two(start + 1, first, "=") {
            let state = is_state(tokens, name.text);
            let edit = Edit { span: both(x, y), text: format!("= {}[t-1] {first}", name.text) };
            let edits = if state { vec![edit] } else { Vec::new() };
            let help = "a name at a point has one equation and is not changed; a state is read at the step before: `h = h[t-1] + …`";
            return Some(errors::foreign(both(x, y), &format!("{first}="), help, edits));
        }
    }
    for (first, second) in [(":", "="), ("<", "-")] {
        if let Some((x, y)) = two(start + 1, first, second) {
            let edit = Edit { span: both(x, y), text: "=".into() };
            let sign = format!("{first}{second}");
            return Some(errors::foreign(
                both(x, y),
                &sign,
                "an equation is `name = expression`",
                vec![edit],
            ));
        }
    }
    if sign.is(":") && i == start + 1 {
        let line = tokens.get(start + 2..).unwrap_or_default().iter().take_while(|t| !t.first_on_line);
        let defines = line.take_while(|t| !matches!(t.text, ";" | ",")).find(|t| t.is("="));
        if let Some(defines) = defines {
            let spaced = text.text.get(..sign.start).is_some_and(|before| before.ends_with(' '));
            let edit = put(text, sign.start, defines.start, if spaced { "" } else { " " });
            return Some(errors::equation_with_type(text.span(sign.start, defines.start), edit));
        }
        let edit = replace(text, sign, " =");
        return Some(errors::foreign(
            span(text, sign),
            ":",
            "an equation is `name = expression`",
            vec![edit],
        ));
    }
    None
}

/// `// why` is a comment elsewhere, `a // 2` a division.
fn slashes(text: &Text, tokens: &[Token], k: usize, at: Span) -> Diagnostic {
    let rest = text.text.get(tokens.get(k + 1).map_or(0, |t| t.end())..).unwrap_or_default();
    let rest = rest.split('\n').next().unwrap_or_default();
    let behind: Vec<&Token> = tokens.iter().skip(k + 2).take_while(|t| !t.first_on_line).collect();
    let first = tokens.get(k).is_none_or(|t| t.first_on_line);
    let operand = k.checked_sub(1).and_then(|j| tokens.get(j)).is_some_and(|t| t.ends_operand());
    // A space and more than one word: what nobody divides by.
    let is_comment = rest.trim().is_empty()
        || rest.starts_with(' ')
            && (first || !operand || behind.iter().take(2).filter(|t| t.kind == Kind::Word).count() == 2);
    let comment = Edit { span: at, text: "#".into() };
    match is_comment {
        true => errors::foreign(at, "//", "a comment begins with `#`", vec![comment]),
        false => {
            let divide =
                tokens.get(k).zip(tokens.get(k + 1)).map(|(x, y)| put(text, x.start, y.end(), "div"));
            errors::slashes(at, divide.filter(|_| operand), comment)
        }
    }
}

/// `x[0:3]`, `|x|`, and text as a statement.
fn brackets(text: &Text, tokens: &[Token], i: usize) -> Option<Diagnostic> {
    let here = tokens.get(i)?;
    let before = tokens.get(i.checked_sub(1)?)?;
    let opener = tokens[..i]
        .iter()
        .rposition(|t| t.kind == Kind::Open)
        .filter(|k| !tokens[*k..i].iter().any(|t| t.kind == Kind::Close));
    if here.is(":") && opener.and_then(|k| tokens.get(k)).is_some_and(|t| t.is("[")) {
        let help = "a range of components is `x[1..3]`: from 1, both ends counted";
        return Some(errors::foreign(span(text, here), ":", help, Vec::new()));
    }
    if here.is("|") && !before.ends_operand() {
        let last = mend::expression_end(tokens, i);
        let close = (i + 1..=last).find(|k| tokens.get(*k).is_some_and(|t| t.is("|")));
        let both = |f: &str| match close.and_then(|k| tokens.get(k)) {
            Some(close) => vec![replace(text, here, &format!("{f}(")), replace(text, close, ")")],
            None => Vec::new(),
        };
        return Some(errors::bars(span(text, here), both("norm"), both("abs")));
    }
    if here.kind == Kind::Str && here.first_on_line && is_statement(tokens, i) {
        return Some(errors::text_as_docs(span(text, here)));
    }
    None
}

/// Whether a text stands where a statement is wanted.
fn is_statement(tokens: &[Token], i: usize) -> bool {
    i.checked_sub(1).and_then(|k| tokens.get(k)).is_some_and(|t| t.is("{") || t.ends_operand())
}

fn is_state(tokens: &[Token], name: &str) -> bool {
    let lines = tokens.iter().enumerate().filter(|(_, t)| t.first_on_line && t.is("state"));
    let mut found = lines.flat_map(|(k, _)| tokens[k + 1..].iter().take_while(|t| !t.is(":")));
    found.any(|t| t.text == name)
}

/// `h_{t-1}` and `W_{i,f}`: a brace right behind a name.
fn subscript(text: &Text, tokens: &[Token], i: usize) -> Option<Diagnostic> {
    let open = tokens.get(i).filter(|t| t.is("{"))?;
    let name = tokens.get(i.checked_sub(1)?).filter(|t| t.kind == Kind::Word && t.end() == open.start)?;
    let inside = |k: usize| -> &[Token] {
        let len = tokens[k + 1..].iter().position(|t| t.kind == Kind::Close || t.kind == Kind::Open);
        &tokens[k + 1..k + 1 + len.unwrap_or(0)]
    };
    let words = inside(i);
    let close = tokens.get(i + 1 + words.len()).filter(|t| t.is("}"))?;
    let whole = text.span(name.start, close.end());
    if words.iter().all(|t| t.kind == Kind::Word || t.is(",")) {
        let commas = words.iter().filter(|t| t.is(","));
        let edits = commas.map(|t| {
            let spaced = text.text.get(t.end()..).is_some_and(|rest| rest.starts_with(' '));
            replace(text, t, if spaced { "" } else { " " })
        });
        return Some(errors::commas_in_group(whole, edits.collect()));
    }
    // All of them, as the next would be the same slip.
    let mut edits = Vec::new();
    for (k, token) in tokens.iter().enumerate().filter(|(_, t)| t.is("{")) {
        let Some(name) = k.checked_sub(1).and_then(|j| tokens.get(j)) else { continue };
        let words = inside(k);
        let Some(close) = tokens.get(k + 1 + words.len()).filter(|t| t.is("}")) else { continue };
        if name.kind == Kind::Word && name.end() == token.start && words.iter().any(|t| t.kind == Kind::Op) {
            let plain = name.text.trim_end_matches('_');
            edits.extend([replace(text, name, plain), replace(text, token, "["), replace(text, close, "]")]);
        }
    }
    Some(errors::foreign_place(whole, edits))
}

/// `return h`, `input x : [I]`, `let a = …`.
fn statement(text: &Text, tokens: &[Token], i: usize, start: usize) -> Option<Diagnostic> {
    let word = tokens.get(start).filter(|t| t.first_on_line && t.kind == Kind::Word)?;
    let next = tokens.get(start + 1).filter(|t| !t.first_on_line)?;
    if i != start + 1 || !(next.begins_operand() || next.is("(")) || STATEMENT.contains(&word.text) {
        return None;
    }
    if ["for", "while", "print", "import"].contains(&word.text) {
        return Some(errors::no_loop(span(text, word), word.text));
    }
    let known = STATEMENTS.iter().find(|(w, _)| *w == word.text);
    let meant = match known {
        Some((_, meant)) => *meant,
        None => {
            let begins = STATEMENT.iter().take(STATEMENT.len() - 2).chain(&["at"]);
            Some(*nearest(word.text, begins).filter(|_| declares(tokens, start))?)
        }
    };
    let edit = match meant {
        Some(meant) => replace(text, word, meant),
        None => remove(text, word.start, next.start),
    };
    Some(errors::foreign_statement(span(text, word), word.text, meant, vec![edit]))
}

/// Whether a line looks like a declaration: names, and `:` before `=`.
fn declares(tokens: &[Token], start: usize) -> bool {
    let rest = tokens[start + 1..].iter().take_while(|t| !t.first_on_line);
    let mut signs = rest.filter(|t| matches!(t.text, ":" | "=" | "{"));
    signs.next().is_none_or(|t| t.text != "=")
}

/// `y = a if c else b`.
fn condition_behind(text: &Text, tokens: &[Token], i: usize, start: usize) -> Option<Diagnostic> {
    let word = tokens.get(i).filter(|t| t.is("if") && !t.first_on_line)?;
    if !tokens.get(i.checked_sub(1)?)?.ends_operand() {
        return None;
    }
    let last = mend::expression_end(tokens, i);
    let otherwise = (i + 1..=last).find(|k| tokens.get(*k).is_some_and(|t| t.is("else")));
    let first = tokens[start..i].iter().rposition(|t| t.is("=")).map(|k| start + k + 1);
    let edits = match (first.and_then(|k| tokens.get(k)), otherwise.and_then(|k| tokens.get(k))) {
        (Some(first), Some(otherwise)) => {
            let value = text.text.get(first.start..word.start).unwrap_or_default().trim_end();
            let condition = text.text.get(word.end()..otherwise.start).unwrap_or_default().trim();
            let new = format!("if {condition} then {value} ");
            vec![Edit { span: text.span(first.start, otherwise.start), text: new }]
        }
        _ => Vec::new(),
    };
    Some(errors::foreign(span(text, word), "if", "a choice is `if c then a else b`", edits))
}

/// `if c: a else: b`, `elif`.
fn choice(text: &Text, tokens: &[Token], i: usize, start: usize) -> Option<Diagnostic> {
    for k in [i, i.checked_sub(1)?] {
        let Some(word) = tokens.get(k).filter(|t| ["elif", "elsif", "elseif"].contains(&t.text)) else {
            continue;
        };
        if tokens[start..k].iter().any(|t| t.is("if")) {
            let same = tokens.iter().skip(k).filter(|t| t.text == word.text);
            let edits = same.map(|t| replace(text, t, "else if")).collect();
            let help = "a choice of several is `if a then x else if b then y else z`";
            return Some(errors::foreign(span(text, word), word.text, help, edits));
        }
    }
    let colon = tokens.get(i).filter(|t| t.is(":"))?;
    let last = mend::statement_end(tokens, start);
    let is_open = |word: &str| tokens[start..i].iter().rposition(|t| t.is(word));
    let behind_if = is_open("if").is_some_and(|k| !tokens[start + k..i].iter().any(|t| t.is("then")));
    if !behind_if && !tokens[i.checked_sub(1)?].is("else") {
        return None;
    }
    // Each colon right behind an `else`, and the first behind each `if`.
    let mut edits = Vec::new();
    let mut wants_then = false;
    for k in start..=last {
        let (Some(token), before) = (tokens.get(k), k.checked_sub(1).and_then(|j| tokens.get(j))) else {
            continue;
        };
        match token.text {
            "if" => wants_then = true,
            "then" => wants_then = false,
            ":" if before.is_some_and(|t| t.is("else")) => edits.push(remove(text, token.start, token.end())),
            ":" if wants_then => {
                edits.push(replace(text, token, " then"));
                wants_then = false;
            }
            _ => {}
        }
    }
    Some(errors::foreign(span(text, colon), ":", "a choice is `if c then a else b`", edits))
}

/// The Greek capitals in the place of the signs that look like them.
fn sum_sign(text: &Text, tokens: &[Token], i: usize) -> Option<Diagnostic> {
    for k in [i.wrapping_sub(2), i.wrapping_sub(1), i] {
        let Some(letter) = tokens.get(k) else { continue };
        let (sign, name) = match letter.text {
            "Σ" => ("∑", "sum"),
            "Π" => ("∏", "prod"),
            _ => continue,
        };
        let binds = tokens.get(k + 1).is_some_and(|t| t.kind == Kind::Word)
            && tokens.get(k + 2).is_some_and(|t| t.is("∈") || t.is("in"));
        if binds {
            let edit = replace(text, letter, sign);
            return Some(errors::letter_for_sign(span(text, letter), letter.text, sign, name, edit));
        }
    }
    None
}

/// `cell A(I, H):` or no brace at all, dimensions in square brackets, words of other languages.
fn header(text: &Text, tokens: &[Token], i: usize) -> Option<Diagnostic> {
    let keyword = tokens.iter().find(|t| t.kind != Kind::Doc)?;
    if !["cell", "layer", "model"].contains(&keyword.text) || tokens[..i].iter().any(|t| t.is("{")) {
        return None;
    }
    let here = tokens.get(i)?;
    let before = tokens.get(i.checked_sub(1)?)?;
    let last = tokens.last()?;
    if let Some(slip) = derived(text, tokens, i) {
        return Some(slip);
    }
    if mend::outside(&tokens[..i], "=").is_some() {
        return None;
    }
    if here.is("[") && before.kind == Kind::Word {
        let close = (i..tokens.len()).find(|k| tokens.get(*k).is_some_and(|t| t.is("]")));
        let both =
            close.and_then(|k| tokens.get(k)).map(|t| vec![replace(text, here, "("), replace(text, t, ")")]);
        let help = format!("dimensions stand in parentheses: `{} {}(I, H)`", keyword.text, before.text);
        return Some(errors::foreign(span(text, here), "[", &help, both.unwrap_or_default()));
    }
    if before.is("over") && here.kind == Kind::Word {
        let near = nearest(here.text, ["chain", "grid", "tree"].into_iter());
        let chain = ["sequence", "seq", "time", "steps", "series", "list", "line"].contains(&here.text);
        return Some(errors::no_domain(span(text, here), here.text, near.or(chain.then_some("chain"))));
    }
    if here.is(":") && tokens.get(i + 1).is_some_and(|t| t.is("{")) {
        let edit = remove(text, here.start, here.end());
        return Some(errors::foreign(
            span(text, here),
            ":",
            "a body stands between `{` and `}` alone",
            vec![edit],
        ));
    }
    let is_colon = here.is(":");
    let ends_header = is_colon && tokens.get(i + 1).is_some_and(|t| t.first_on_line);
    if !ends_header && !mend::begins_statement(tokens, i) {
        return None;
    }
    let open = match is_colon {
        true => Edit { span: text.span(before.end(), here.end()), text: " {".into() },
        false => insert(text, before.end(), " {"),
    };
    let mut edits = vec![open];
    // What follows is the whole body, unless a brace closes it.
    if !last.is("}") || tokens.iter().any(|t| t.is("{")) {
        edits.push(insert(text, last.end(), "\n}"));
    }
    let at = if is_colon { span(text, here) } else { text.span(before.end(), before.end()) };
    Some(errors::no_body(at, keyword.text, edits))
}

/// `cell B(I, H) extends A`, `= A(I, H) { … }`, `= A(I, H) with h = c`.
fn derived(text: &Text, tokens: &[Token], i: usize) -> Option<Diagnostic> {
    let here = tokens.get(i)?;
    let before = tokens.get(i.checked_sub(1)?)?;
    let last = tokens.last()?;
    const HELP: &str = "a cell is another one with changes by `cell B(I, H) = A(I, H) with { … }`";
    for k in [i, i - 1] {
        let word = tokens.get(k).filter(|t| ["extends", "inherits", "from"].contains(&t.text));
        if let Some(word) = word.filter(|_| mend::outside(&tokens[..k], "=").is_none()) {
            return Some(errors::foreign(span(text, word), word.text, HELP, Vec::new()));
        }
    }
    let defined = mend::outside(&tokens[..i], "=")?;
    if tokens.iter().find(|t| t.kind != Kind::Doc).is_none_or(|t| t.text != "cell") {
        return None;
    }
    if here.is("{") && i > defined + 1 && before.ends_operand() {
        return Some(errors::foreign(span(text, here), "{", HELP, vec![insert(text, here.start, "with ")]));
    }
    if before.is("with") {
        let edits = vec![insert(text, here.start, "{ "), insert(text, last.end(), " }")];
        return Some(errors::no_body(text.span(before.end(), before.end()), "`with`", edits));
    }
    None
}

/// `a, b = c, d`.
fn several(text: &Text, tokens: &[Token], i: usize, start: usize) -> Option<Diagnostic> {
    let comma = tokens.get(i).filter(|t| t.is(","))?;
    let sign = start + tokens.get(start..i)?.iter().position(|t| t.is("="))?;
    let names: Vec<&Token> = tokens[start..sign].iter().filter(|t| t.kind == Kind::Word).collect();
    let plain = tokens[start..sign].iter().all(|t| t.kind == Kind::Word || t.is(","));
    if !plain || names.len() < 2 || STATEMENT.contains(&names[0].text) {
        return None;
    }
    // The values: what stands between commas outside of brackets.
    let last = mend::statement_end(tokens, start);
    let (mut values, mut depth, mut from) = (Vec::new(), 0i64, sign + 1);
    for k in sign + 1..=last {
        let token = tokens.get(k)?;
        depth += i64::from(token.kind == Kind::Open) - i64::from(token.kind == Kind::Close);
        if depth == 0 && token.is(",") {
            values.push((from, k.checked_sub(1)?));
            from = k + 1;
        }
    }
    values.push((from, last));
    let values: Option<Vec<&str>> =
        values.into_iter().map(|(a, b)| text.text.get(tokens.get(a)?.start..tokens.get(b)?.end())).collect();
    let values = values.unwrap_or_default();
    let edits = match values.len() == names.len() {
        true => {
            let each = names.iter().zip(&values).map(|(name, value)| format!("{} = {value}", name.text));
            let new = each.collect::<Vec<_>>().join("; ");
            vec![Edit { span: text.span(names[0].start, tokens.get(last)?.end()), text: new }]
        }
        false => Vec::new(),
    };
    Some(errors::several_values(span(text, comma), edits))
}

/// A shape in other words: `(H, I)`, `H`, `float`, `[H I]`.
fn shape(text: &Text, tokens: &[Token], i: usize, start: usize) -> Option<Diagnostic> {
    let keyword = tokens.get(start).filter(|t| ["in", "mem", "state", "param", "noise"].contains(&t.text))?;
    let colon = start + tokens.get(start..)?.iter().position(|t| t.is(":"))?;
    let first = tokens.get(colon + 1).filter(|t| !t.first_on_line)?;
    if i <= colon {
        return None;
    }
    let line = || tokens[colon + 1..].iter().take_while(|t| !t.first_on_line && !matches!(t.text, "=" | "~"));
    if first.is("[") && i > colon + 1 {
        // Two names in a row where a comma is wanted.
        for k in [i, i.checked_sub(1)?] {
            let (left, right) = (tokens.get(k.checked_sub(1)?)?, tokens.get(k)?);
            let closed = tokens[colon + 1..k].iter().any(|t| t.is("]"));
            if !closed && left.ends_operand() && right.begins_operand() && !right.first_on_line {
                let edit = insert(text, left.end(), ",");
                return Some(errors::shape_wants_commas(text.span(left.start, right.end()), vec![edit]));
            }
        }
        return None;
    }
    if i != colon + 1 && i != colon + 2 {
        return None;
    }
    let last = line().last()?;
    let second = tokens.get(colon + 2);
    if first.kind == Kind::Word && second.is_some_and(|t| t.is("[")) && last.is("]") {
        let edit = put(text, first.start, second.map_or(first.end(), |t| t.start), "");
        return Some(errors::shape_wants_brackets(span(text, first), keyword.text, vec![edit]));
    }
    let (inner, whole) = match (first.text, last.text) {
        ("(", ")") => (text.text.get(first.end()..last.start)?, text.span(first.start, last.end())),
        _ if first.kind == Kind::Word || first.kind == Kind::Number => {
            let scalar = ["float", "real", "double", "scalar", "number", "float32", "f32", "f64"];
            match scalar.contains(&first.text) {
                true => ("", text.span(first.start, last.end())),
                false => (text.text.get(first.start..last.end())?, text.span(first.start, last.end())),
            }
        }
        _ => return None,
    };
    let dims: Vec<&str> = inner.split([',', '×']).flat_map(|d| d.split(" x ")).map(str::trim).collect();
    let simple = |d: &&str| d.chars().all(|c| super::lex::is_char(c) || "+*-".contains(c) || c == ' ');
    let edits = match dims.iter().all(simple) {
        true => vec![Edit { span: whole, text: format!("[{}]", dims.join(", ")) }],
        false => Vec::new(),
    };
    Some(errors::shape_wants_brackets(whole, keyword.text, edits))
}

/// `1e-3f`, `2c`, `1_000`, `.5`, `1.`: numbers as others write them.
fn number(text: &Text, tokens: &[Token], i: usize) -> Option<Diagnostic> {
    let near = i.saturating_sub(2)..=i + 1;
    for k in near {
        let Some(token) = tokens.get(k) else { break };
        let before = k.checked_sub(1).and_then(|j| tokens.get(j));
        let next = tokens.get(k + 1);
        let joined = next.filter(|t| t.start == token.end());
        match (token.kind, joined) {
            (Kind::Number, Some(word)) if word.kind == Kind::Word => {
                let whole = text.span(token.start, word.end());
                if ["f", "F", "L", "d", "f32", "f64"].contains(&word.text) {
                    return Some(errors::number_suffix(
                        whole,
                        token.text,
                        vec![remove(text, word.start, word.end())],
                    ));
                }
                let digits = word.text.replace('_', "");
                if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) {
                    let new = format!("{}{digits}", token.text);
                    return Some(errors::number_spelled(
                        whole,
                        &new,
                        put(text, token.start, word.end(), &new),
                    ));
                }
                let gap = text.span(token.end(), token.end());
                return Some(errors::number_beside_name(whole, token.text, word.text, gap));
            }
            (Kind::Number, Some(dot)) if dot.is(".") => {
                // A number behind it was one with its fraction.
                let new = format!("{}.0", token.text);
                let whole = text.span(token.start, dot.end());
                let goes_on = tokens.get(k + 2).is_some_and(|t| t.start == dot.end() && t.kind == Kind::Word);
                if !goes_on {
                    return Some(errors::number_spelled(
                        whole,
                        &new,
                        put(text, token.start, dot.end(), &new),
                    ));
                }
            }
            (Kind::Op, Some(digits)) if token.is(".") && digits.kind == Kind::Number => {
                let stands_alone = before.is_none_or(|t| !t.ends_operand());
                if stands_alone {
                    let new = format!("0.{}", digits.text);
                    let whole = text.span(token.start, digits.end());
                    return Some(errors::number_spelled(
                        whole,
                        &new,
                        put(text, token.start, digits.end(), &new),
                    ));
                }
            }
            _ => {}
        }
    }
    None
}
