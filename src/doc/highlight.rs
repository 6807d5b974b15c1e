//! Source text with its words marked: keywords, numbers, strings, comments, names that lead somewhere.

use crate::syntax::lex::{self, Kind, Token};
use maud::{Markup, html};

/// What a word of a text is to a reader.
pub enum Meaning {
    /// It leads to this page.
    Link(String),
    /// A value that formulas show, too.
    Value(String),
    Plain,
}

/// Marks the words of a text. What is between tokens is space and comments.
pub fn highlight(text: &str, meaning: &dyn Fn(&str) -> Meaning) -> Markup {
    let tokens = lex::tokens(text);
    let mut at = 0;
    let mut pieces: Vec<Markup> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        pieces.push(between(text.get(at..token.start).unwrap_or_default()));
        pieces.push(word(token, tokens.get(i + 1), meaning));
        at = token.end();
    }
    pieces.push(between(text.get(at..).unwrap_or_default()));
    html! { @for piece in pieces { (piece) } }
}

fn between(text: &str) -> Markup {
    match text.find('#') {
        Some(at) => html! {
            (text[..at])
            @for (i, line) in text[at..].split('\n').enumerate() {
                @if i > 0 { "\n" }
                @match line.find('#') {
                    Some(at) => { (line[..at]) span class="comment" { (line[at..]) } }
                    None => (line)
                }
            }
        },
        None => html! { (text) },
    }
}

fn word(token: &Token, next: Option<&Token>, meaning: &dyn Fn(&str) -> Meaning) -> Markup {
    let text = token.text;
    match token.kind {
        Kind::Number => html! { span class="number" { (text) } },
        Kind::Str | Kind::OpenStr => html! { span class="string" { (text) } },
        Kind::Doc => html! { span class="comment" { (text) } },
        Kind::Word if is_keyword(token, next) => html! { span class="keyword" { (text) } },
        Kind::Word => match meaning(text) {
            Meaning::Link(url) => html! { a href=(url) { (text) } },
            Meaning::Value(name) => html! { span data-n=(name) { (text) } },
            Meaning::Plain => html! { (text) },
        },
        Kind::Open | Kind::Close | Kind::Op | Kind::Unknown => html! { (text) },
    }
}

/// Words that begin a statement or item do so on their line, and no `=`, bracket or place follows them.
fn is_keyword(token: &Token, next: Option<&Token>) -> bool {
    if lex::RESERVED.contains(&token.text) {
        return true;
    }
    let begins = lex::STATEMENT.contains(&token.text) || lex::ITEM.contains(&token.text);
    let is_name = next.is_some_and(|n| matches!(n.text, "=" | "[" | "." | ")" | "," | ":" | "⊙" | "@"));
    let joins = matches!(token.text, "with" | "over" | "grad" | "for" | "where" | "from" | "until");
    (begins && (token.first_on_line || token.text == "in") || joins) && !is_name
}
