//! Tokens of one line of the text form.

use super::print::is_word_char;
use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    /// `%7`
    Number(u32),
    /// A name in quotes, unescaped.
    Text(String),
    /// `12`, `0.5`, `1e-7`
    Digits(&'a str),
    Mark(char),
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(w) => write!(f, "`{w}`"),
            Token::Number(n) => write!(f, "`%{n}`"),
            Token::Text(_) => write!(f, "a text in quotes"),
            Token::Digits(d) => write!(f, "`{d}`"),
            Token::Mark(c) => write!(f, "`{c}`"),
        }
    }
}

pub(super) fn tokens(line: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '#' => break,
            '"' => {
                let (text, len) = quoted(rest)?;
                tokens.push(Token::Text(text));
                len
            }
            '%' => {
                let digits = prefix(&rest[1..], |c| c.is_ascii_digit());
                let number = digits.parse().map_err(|_| "expected a number after `%`".to_string())?;
                tokens.push(Token::Number(number));
                1 + digits.len()
            }
            c if c.is_ascii_digit() => {
                let text = number(rest);
                tokens.push(Token::Digits(text));
                text.len()
            }
            // A word begins with none of these, so that `..` stays two marks.
            c if is_word_char(c) && c != '.' && c != '\'' => {
                let word = prefix(rest, is_word_char);
                tokens.push(Token::Word(word));
                word.len()
            }
            c => {
                tokens.push(Token::Mark(c));
                c.len_utf8()
            }
        };
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

fn prefix(text: &str, ok: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !ok(c)).unwrap_or(text.len());
    &text[..end]
}

/// Digits, then perhaps a fraction, then perhaps an exponent.
fn number(text: &str) -> &str {
    let digits = |from: usize| from + prefix(&text[from..], |c| c.is_ascii_digit()).len();
    let mut end = digits(0);
    if text[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if text[end..].starts_with('e') {
        let sign = text[end + 1..].starts_with(['+', '-']) as usize;
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    &text[..end]
}

/// The text between quotes and the length with the quotes; `\` stands before `"`, `\` and `u{HEX}`.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((out, i + 1)),
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                Some((i, 'u')) => {
                    let code = text[i + 1..].strip_prefix('{').and_then(|t| t.split_once('}'));
                    let (hex, _) = code.ok_or("expected `{` and a code in hexadecimal after `\\u`")?;
                    let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
                    out.push(c.ok_or_else(|| format!("`{hex}` is no character's code"))?);
                    for _ in 0..hex.chars().count() + 2 {
                        chars.next();
                    }
                }
                _ => return Err("expected `\"`, `\\` or `u` after `\\`".into()),
            },
            c => out.push(c),
        }
    }
    Err("the quotes are not closed".into())
}
