//! Names of the equations in the letters of C.

use crate::syntax::names::ascii;
use std::collections::BTreeSet;

/// Words that mean something in C, C++ or Rust.
const WORDS: &str = "alignas alignof and asm auto bool break case catch char class const constexpr continue crate default delete \
    do double dyn else enum explicit export extern false final float fn for friend goto if impl in inline int let long loop \
    match mod move mut mutable namespace new not nullptr operator or override priv private protected pub public ref register \
    restrict return self short signed sizeof static struct super switch template this throw true try type typedef typename \
    union unsafe unsigned use using virtual void volatile where while xor async await abstract become box macro typeof \
    unsized yield final concept requires main";

/// Names that are in use together.
pub struct Names(BTreeSet<String>);

impl Names {
    pub fn of_struct() -> Names {
        Names(BTreeSet::from(["scratch_", "pad_", "params_adj", "prepared_"].map(String::from)))
    }

    /// Beside the words that a function has anyway.
    pub fn of_function() -> Names {
        Names(BTreeSet::from(["state", "weights"].map(String::from)))
    }

    /// A new name that reads like this one.
    pub fn of(&mut self, name: &str) -> String {
        let wanted = identifier(name);
        let mut found = wanted.clone();
        let mut k = 2;
        while !self.0.insert(found.clone()) {
            found = format!("{wanted}_{k}");
            k += 1;
        }
        found
    }
}

/// The name with letters, digits and `_` alone, and no word of a language.
pub fn identifier(name: &str) -> String {
    let mut out = String::new();
    for piece in name.split('.') {
        if !out.is_empty() {
            out.push('_');
        }
        let plain = ascii(piece);
        out.extend(plain.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    }
    if out.is_empty() || out.starts_with(|c: char| c.is_ascii_digit() || c == '_') {
        out.insert(0, 'v');
    }
    if WORDS.split_whitespace().any(|word| word == out) {
        out.push('_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        assert_eq!(identifier("l1.h"), "l1_h");
        assert_eq!(identifier("in"), "in_");
        assert_eq!(identifier("2x"), "v2x");
        assert!(identifier("h̃").chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let mut names = Names::of_struct();
        assert_eq!((names.of("a.b"), names.of("a_b")), ("a_b".to_string(), "a_b_2".to_string()));
    }
}
