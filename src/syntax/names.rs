//! Two spellings of one name: Unicode, which is canonical, and ASCII.
//!
//! A name is cut into pieces at `_`, `'` and before digits. A whole piece `alpha` is `α`; a piece
//! `hat`, `tilde` or `bar` behind a single letter is a mark over it; the name `sigmoid` is `σ`.
//! [`canonical`] is idempotent, and `canonical(ascii(n)) == canonical(n)`.

use super::ast::{Name, Pattern, Piece};
use unicode_normalization::UnicodeNormalization;

const GREEK: [(&str, char); 24] = [
    ("alpha", 'α'),
    ("beta", 'β'),
    ("gamma", 'γ'),
    ("delta", 'δ'),
    ("epsilon", 'ε'),
    ("zeta", 'ζ'),
    ("eta", 'η'),
    ("theta", 'θ'),
    ("iota", 'ι'),
    ("kappa", 'κ'),
    ("lambda", 'λ'),
    ("mu", 'μ'),
    ("nu", 'ν'),
    ("xi", 'ξ'),
    ("omicron", 'ο'),
    ("pi", 'π'),
    ("rho", 'ρ'),
    ("sigma", 'σ'),
    ("tau", 'τ'),
    ("upsilon", 'υ'),
    ("phi", 'φ'),
    ("chi", 'χ'),
    ("psi", 'ψ'),
    ("omega", 'ω'),
];

const MARKS: [(&str, char); 3] = [("hat", '\u{302}'), ("tilde", '\u{303}'), ("bar", '\u{304}')];

/// The letters with their Latin names.
pub fn greek() -> impl Iterator<Item = (&'static str, char)> {
    GREEK.iter().copied()
}

/// The canonical spelling of a name without brace groups.
pub fn canonical(name: &str) -> String {
    if name == "sigmoid" { "σ".to_string() } else { canonical_piece(name) }
}

/// The canonical spelling of a part of a name, beside or inside a brace group. What an expansion
/// puts together is spelled again by [`member`], since a mark may reach across.
pub fn canonical_piece(name: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for piece in pieces(name) {
        let greek = GREEK.iter().find(|(word, _)| *word == piece).map(|(_, letter)| letter.to_string());
        let mark = MARKS.iter().find(|(word, _)| *word == piece).map(|(_, mark)| *mark);
        if let (Some(mark), [.., letter, gap]) = (mark, out.as_mut_slice())
            && gap == "_"
            && is_plain_letter(letter)
        {
            letter.push(mark);
            *letter = letter.nfc().collect();
            out.pop();
            continue;
        }
        out.push(greek.unwrap_or_else(|| piece.to_string()));
    }
    out.concat().nfc().collect()
}

/// The ASCII spelling of a name, as far as it has one.
pub fn ascii(name: &str) -> String {
    if name == "σ" { "sigmoid".to_string() } else { ascii_piece(name) }
}

/// The ASCII spelling of a part of a name, beside or inside a brace group.
pub fn ascii_piece(name: &str) -> String {
    let mut out = String::new();
    for piece in pieces(name) {
        let letters: Vec<char> = piece.nfd().collect();
        let (letter, mark) = match letters.as_slice() {
            [letter, mark] => (*letter, MARKS.iter().find(|(_, m)| m == mark)),
            [letter] => (*letter, None),
            _ => {
                out.push_str(piece);
                continue;
            }
        };
        if letters.len() == 2 && mark.is_none() {
            out.push_str(piece);
            continue;
        }
        match GREEK.iter().find(|(_, l)| *l == letter) {
            Some((word, _)) => out.push_str(word),
            None => out.push(letter),
        }
        if let Some((word, _)) = mark {
            out.push('_');
            out.push_str(word);
        }
    }
    out
}

/// The names a pattern stands for, in order; all its brace groups run in step. `None` if they
/// differ in length.
pub fn expand(pattern: &Pattern) -> Option<Vec<Name>> {
    let count = group_len(pattern)?.unwrap_or(1);
    (0..count).map(|k| member(pattern, k)).collect()
}

/// Member `k` of a pattern: the `k`-th word of each of its groups, put together and spelled
/// canonically (`{h g}_hat` gives `ĥ`).
pub fn member(pattern: &Pattern, k: usize) -> Option<Name> {
    let mut text = String::new();
    for piece in &pattern.pieces {
        match piece {
            Piece::Text(t) => text.push_str(t),
            Piece::Group(words) => text.push_str(words.get(k)?),
        }
    }
    Some(canonical(&text).into())
}

/// How many words the groups of a pattern have: `Some(None)` without groups, `None` if they differ.
pub fn group_len(pattern: &Pattern) -> Option<Option<usize>> {
    let mut len = None;
    for piece in &pattern.pieces {
        if let Piece::Group(words) = piece {
            match len {
                None => len = Some(words.len()),
                Some(n) if n == words.len() => {}
                Some(_) => return None,
            }
        }
    }
    Some(len)
}

/// One letter without a mark over it.
fn is_plain_letter(piece: &str) -> bool {
    let mut letters = piece.nfd();
    matches!((letters.next(), letters.next()), (Some(c), None) if c.is_alphabetic())
}

/// `W_b1'` is `W`, `_`, `b`, `1`, `'`; the pieces joined are the name.
fn pieces(name: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        '_' | '\'' => 0,
        c if c.is_numeric() => 1,
        _ => 2,
    };
    let mut out = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (i, c) in name.char_indices() {
        let cut = match last {
            None => false,
            Some(last) => kind(c) == 0 || kind(last) == 0 || (kind(c) == 1 && kind(last) == 2),
        };
        if cut {
            out.push(&name[start..i]);
            start = i;
        }
        last = Some(c);
    }
    if start < name.len() {
        out.push(&name[start..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greek_is_a_whole_piece() {
        for (ascii, unicode) in [
            ("beta1", "β1"),
            ("W_beta", "W_β"),
            ("alphabet", "alphabet"),
            ("sigmoid", "σ"),
            ("log_sigmoid", "log_sigmoid"),
            ("h_tilde", "h̃"),
            ("W_h_bar", "W_h̄"),
            ("mu_hat'", "μ̂'"),
            ("foo_hat", "foo_hat"),
            ("_hat", "_hat"),
            ("h_hat_", "ĥ_"),
            ("h_hat_hat", "ĥ_hat"),
        ] {
            assert_eq!(canonical(ascii), unicode.nfc().collect::<String>(), "{ascii}");
            assert_eq!(canonical(unicode), canonical(&canonical(unicode)));
            assert_eq!(super::ascii(&canonical(ascii)), ascii);
        }
    }
}
