//! Letters and operators by name: `\sigma` is `σ`.

use crate::syntax::names::greek;

/// Operators and marks. Greek letters are those that names know.
const SIGNS: &[(&str, &str)] = &[
    ("odot", "⊙"),
    ("cdot", "·"),
    ("top", "ᵀ"),
    ("T", "ᵀ"),
    ("sum", "∑"),
    ("prod", "∏"),
    ("in", "∈"),
    ("leq", "≤"),
    ("le", "≤"),
    ("geq", "≥"),
    ("ge", "≥"),
    ("neq", "≠"),
    ("ne", "≠"),
    ("approx", "≈"),
    ("pm", "±"),
    ("minus", "−"),
    ("2", "²"),
    ("3", "³"),
    ("hat", "\u{302}"),
    ("tilde", "\u{303}"),
    ("bar", "\u{304}"),
];

/// All of them: what is typed behind the backslash, and what it becomes.
pub fn table() -> impl Iterator<Item = (&'static str, String)> {
    let letters = greek().map(|(word, letter)| (word, letter.to_string()));
    letters.chain(SIGNS.iter().map(|(word, sign)| (*word, sign.to_string())))
}

/// Where a backslash with a word behind it begins that ends here.
pub fn begun(before: &str) -> Option<usize> {
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
    word.ends_with('\\').then(|| word.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_begins_a_sign() {
        assert_eq!(begun("h = \\sig"), Some(4));
        assert_eq!(begun("h = \\"), Some(4));
        assert_eq!(begun("h = sig"), None);
        assert!(table().any(|(word, sign)| word == "sigma" && sign == "σ"));
    }
}
