//! Letters as LaTeX (pdflatex with amsmath) writes them.
//!
//! In: a name or a text. Out: its LaTeX, in ASCII wherever a command is known. What is left is as it was, and [`foreign`]
//! finds it, so that whoever writes the formula can say so.

use unicode_normalization::UnicodeNormalization;

/// A name in a formula: a letter as it is or by its command, a word in one piece.
pub fn name(name: &str) -> String {
    let letters: Vec<char> = name.nfd().collect();
    let marks = letters.iter().filter(|c| accent(**c).is_some()).count();
    let written = mapped(&letters, &|c, out| escape(c, out));
    match letters.len() - marks {
        0 | 1 => written,
        _ => format!("\\mathit{{{written}}}"),
    }
}

/// A word that is no value, inside a command that sets it upright.
pub fn word(word: &str) -> String {
    let letters: Vec<char> = word.nfd().collect();
    mapped(&letters, &|c, out| escape(c, out))
}

/// Text between formulas, where commands of formulas stand between dollars and accents are the text's own.
pub fn text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match command(c) {
            Some(command) => out.push_str(&format!("${command}$")),
            None => escape(c, &mut out),
        }
    }
    out
}

/// Letters that pdflatex has no command for, each once.
pub fn foreign(latex: &str) -> Vec<char> {
    let mut found = Vec::new();
    for c in latex.chars().filter(|c| !c.is_ascii()) {
        if !found.contains(&c) {
            found.push(c);
        }
    }
    found
}

/// Letters with the accents that stand behind them.
fn mapped(letters: &[char], escape: &dyn Fn(char, &mut String)) -> String {
    let mut out = String::new();
    let mut rest = letters;
    while let Some((letter, behind)) = rest.split_first() {
        let marks = behind.iter().take_while(|c| accent(**c).is_some()).count();
        let mut one = String::new();
        match command(*letter) {
            Some(command) => one.push_str(command),
            None => escape(*letter, &mut one),
        }
        for mark in behind[..marks].iter().filter_map(|c| accent(*c)) {
            one = format!("\\{mark}{{{one}}}");
        }
        // A command must not run into the letters behind it.
        let is_open =
            out.rfind('\\').is_some_and(|at| out[at + 1..].bytes().all(|b| b.is_ascii_alphabetic()));
        if is_open && one.starts_with(|c: char| c.is_ascii_alphabetic()) {
            out.push(' ');
        }
        out.push_str(&one);
        rest = &behind[marks..];
    }
    out
}

/// Signs that mean something to LaTeX.
fn escape(c: char, out: &mut String) {
    match c {
        '_' | '{' | '}' | '#' | '$' | '%' | '&' => out.extend(['\\', c]),
        '\\' => out.push_str("\\backslash "),
        '^' => out.push_str("\\hat{}"),
        '~' => out.push_str("\\sim "),
        '“' => out.push_str("``"),
        '”' => out.push_str("''"),
        '–' => out.push_str("--"),
        '—' => out.push_str("---"),
        c => out.push(c),
    }
}

fn accent(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{300}' => "grave",
        '\u{301}' => "acute",
        '\u{302}' => "hat",
        '\u{303}' => "tilde",
        '\u{304}' => "bar",
        '\u{306}' => "breve",
        '\u{307}' => "dot",
        '\u{308}' => "ddot",
        '\u{30a}' => "mathring",
        '\u{30c}' => "check",
        '\u{20d7}' => "vec",
        _ => return None,
    })
}

/// Greek letters that look like Latin ones have no command of their own.
fn command(c: char) -> Option<&'static str> {
    Some(match c {
        'α' => "\\alpha",
        'β' => "\\beta",
        'γ' => "\\gamma",
        'δ' => "\\delta",
        'ε' => "\\varepsilon",
        'ϵ' => "\\epsilon",
        'ζ' => "\\zeta",
        'η' => "\\eta",
        'θ' => "\\theta",
        'ϑ' => "\\vartheta",
        'ι' => "\\iota",
        'κ' => "\\kappa",
        'λ' => "\\lambda",
        'μ' => "\\mu",
        'ν' => "\\nu",
        'ξ' => "\\xi",
        'ο' => "o",
        'π' => "\\pi",
        'ϖ' => "\\varpi",
        'ρ' => "\\rho",
        'ϱ' => "\\varrho",
        'σ' => "\\sigma",
        'ς' => "\\varsigma",
        'τ' => "\\tau",
        'υ' => "\\upsilon",
        'φ' => "\\varphi",
        'ϕ' => "\\phi",
        'χ' => "\\chi",
        'ψ' => "\\psi",
        'ω' => "\\omega",
        'Α' => "\\mathrm{A}",
        'Β' => "\\mathrm{B}",
        'Γ' => "\\Gamma",
        'Δ' => "\\Delta",
        'Ε' => "\\mathrm{E}",
        'Ζ' => "\\mathrm{Z}",
        'Η' => "\\mathrm{H}",
        'Θ' | 'ϴ' => "\\Theta",
        'Ι' => "\\mathrm{I}",
        'Κ' => "\\mathrm{K}",
        'Λ' => "\\Lambda",
        'Μ' => "\\mathrm{M}",
        'Ν' => "\\mathrm{N}",
        'Ξ' => "\\Xi",
        'Ο' => "\\mathrm{O}",
        'Π' => "\\Pi",
        'Ρ' => "\\mathrm{P}",
        'Σ' => "\\Sigma",
        'Τ' => "\\mathrm{T}",
        'Υ' => "\\Upsilon",
        'Φ' => "\\Phi",
        'Χ' => "\\mathrm{X}",
        'Ψ' => "\\Psi",
        'Ω' => "\\Omega",
        'ℓ' => "\\ell",
        'ℏ' => "\\hbar",
        'ℜ' => "\\Re",
        'ℑ' => "\\Im",
        '℘' => "\\wp",
        'ℵ' => "\\aleph",
        'ı' => "\\imath",
        'ȷ' => "\\jmath",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_greek_alphabet_is_ascii() {
        for c in ('Α'..='ω').filter(|c| c.is_alphabetic()).chain("ϑϵϕϖϱ".chars()) {
            let written = name(&c.to_string());
            assert!(written.is_ascii() && !written.is_empty(), "{c}: {written}");
        }
        // Two letters that look different are written differently.
        assert_ne!(name("ε"), name("ϵ"));
        assert_ne!(name("φ"), name("ϕ"));
    }

    #[test]
    fn words_are_in_one_piece_and_accents_stand_over_their_letters() {
        assert_eq!(name("βγ"), r"\mathit{\beta\gamma}");
        assert_eq!(name("δx"), r"\mathit{\delta x}");
        assert_eq!(name("é"), r"\acute{e}");
        assert_eq!(name("Γ̂"), r"\hat{\Gamma}");
        assert_eq!(text("a Γ — 5 %"), r"a $\Gamma$ --- 5 \%");
        assert_eq!(foreign(&name("жжℓ")), ['ж']);
    }
}
