//! The name that may be meant by one that is unknown, and whether it surely is.

use unicode_normalization::UnicodeNormalization;

/// The nearest of some names, if it is near enough to be meant; of equally near ones the first.
pub fn nearest<'a, S: AsRef<str> + ?Sized>(
    name: &str,
    candidates: impl Iterator<Item = &'a S>,
) -> Option<&'a S> {
    let mut work = 0;
    let near = candidates
        .take_while(|c| {
            work += 1 + work_of(name, c.as_ref());
            work <= MOST_WORK
        })
        .filter_map(|c| Some((distance(name, c.as_ref())?, c)));
    near.min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// Of many or long names only the first are looked at: so many pairs of letters are compared.
const MOST_WORK: usize = 50_000;

fn work_of(a: &str, b: &str) -> usize {
    match may_be_near(a, b) {
        true => a.len().saturating_mul(b.len()),
        false => 0,
    }
}

/// Whether two names are about as long as each other, or may be but for an ending.
fn may_be_near(a: &str, b: &str) -> bool {
    // A letter has at most four bytes, and a third of the letters may differ.
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    let begins = a.chars().next() == b.chars().next();
    long - short <= 4 * 1.max(short / 3) || begins || a.contains('_') || b.contains('_')
}

/// How far two names are apart: letters that look alike, the case, an ending after `_`, a few letters but never all of them, an
/// ending of any kind.
fn distance(a: &str, b: &str) -> Option<usize> {
    // Whoever asks has found that this very name is not meant.
    if a == b {
        return None;
    }
    if looks_like(a, b) {
        return Some(0);
    }
    let (small, other) = (a.to_lowercase(), b.to_lowercase());
    // `TwoWords` is `two_words`.
    if small == other || snake(a) == snake(b) {
        return Some(1);
    }
    let (small, other) = (snake(a), snake(b));
    let ends = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'));
    if ends(&small, &other) || ends(&other, &small) {
        return Some(2);
    }
    let goes_on = |long: &str, short: &str| short.chars().count() >= LONG && long.starts_with(short);
    let far = (goes_on(a, b) || goes_on(b, a)).then_some(usize::MAX);
    let (a, b) = without_shared_ending(a, b);
    if !may_be_near(a, b) {
        return far;
    }
    let letters = b.chars().count().min(a.chars().count());
    let found = strsim::osa_distance(a, b);
    Some(found + 1).filter(|_| found <= 1.max(letters / 3) && found < letters).or(far)
}

/// Of a name this long a letter may be wrong without another being as likely.
const LONG: usize = 4;

/// Whether the one name can hardly be meant by other than a slip for the other: they look alike, differ in case, or are long and
/// begin alike and differ in a letter that is no digit. `exp2` is no slip for `exp`, and `gelu` none for `relu`.
pub fn is_sure(name: &str, near: &str) -> bool {
    if looks_like(name, near) || name.to_lowercase() == near.to_lowercase() || snake(name) == snake(near) {
        return true;
    }
    let digits = |s: &str| s.chars().filter(char::is_ascii_digit).collect::<String>();
    let long = |s: &str| s.chars().count() >= LONG;
    let begins = name.chars().next() == near.chars().next();
    begins
        && long(name)
        && long(near)
        && digits(name) == digits(near)
        && strsim::osa_distance(name, near) <= 2
}

/// `TwoWords` as `two_words`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = None;
    for c in name.chars() {
        if c.is_uppercase() && before.is_some_and(char::is_lowercase) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        before = Some(c);
    }
    out
}

/// The first letter of a name that is not the one of `near` it looks like.
pub fn look_alike(name: &str, near: &str) -> Option<char> {
    let differs = name.chars().zip(near.chars().map(Some).chain(std::iter::repeat(None)));
    looks_like(name, near).then(|| differs.into_iter().find(|(a, b)| Some(*a) != *b))?.map(|(a, _)| a)
}

fn looks_like(a: &str, b: &str) -> bool {
    a != b && !(a.is_ascii() && b.is_ascii()) && plain(a) == plain(b)
}

/// A name in the letters that it looks like.
fn plain(name: &str) -> String {
    let plain =
        |c: char| CONFUSED.iter().find(|(letters, _)| letters.contains(c)).map_or(c, |(_, plain)| *plain);
    name.nfkc().map(plain).collect()
}

/// Cyrillic and Greek letters that look like Latin ones; what is a letter in another dress, such as `ϵ` or `ｃ`, Unicode knows.
const CONFUSED: [(&str, char); 34] = [
    ("аɑ", 'a'),
    ("Ь", 'b'),
    ("сϲ", 'c'),
    ("ԁ", 'd'),
    ("е", 'e'),
    ("ɡ", 'g'),
    ("һ", 'h'),
    ("іɩ", 'i'),
    ("јϳ", 'j'),
    ("οоօ", 'o'),
    ("р", 'p'),
    ("ԛ", 'q'),
    ("ѕ", 's'),
    ("ѵ", 'v'),
    ("ԝ", 'w'),
    ("х", 'x'),
    ("у", 'y'),
    ("АΑ", 'A'),
    ("ВΒ", 'B'),
    ("СϹ", 'C'),
    ("ЕΕ", 'E'),
    ("НΗ", 'H'),
    ("ІΙ", 'I'),
    ("ЈͿ", 'J'),
    ("КΚK", 'K'),
    ("МΜ", 'M'),
    ("Ν", 'N'),
    ("ОΟ", 'O'),
    ("РΡ", 'P'),
    ("Ѕ", 'S'),
    ("ТΤ", 'T'),
    ("ХΧ", 'X'),
    ("ҮΥ", 'Y'),
    ("Ζ", 'Z'),
];

/// What stands before an ending after `_` that both have: `s_adj` and `x_adj` are no nearer than `s` and `x`.
fn without_shared_ending<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    match (a.rsplit_once('_'), b.rsplit_once('_')) {
        (Some((first, ending)), Some((second, other))) if ending == other => (first, second),
        _ => (a, b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_meant_is_suggested() {
        let near = |name: &str| nearest(name, ["x", "z_i", "Gated", "reset", "W_f"].into_iter());
        assert_eq!(near("q"), None);
        assert_eq!(near("X"), Some("x"));
        assert_eq!(near("z"), Some("z_i"));
        assert_eq!(near("rest"), Some("reset"));
        assert_eq!(near("Gaetd"), Some("Gated"));
        assert_eq!(near("W_g"), Some("W_f"));
        assert_eq!(near("reset"), None, "the name itself");
        let near = |name: &str| nearest(name, ["x_adj", "x_adj0", "h0"].into_iter());
        assert_eq!(near("s_adj"), None);
        assert_eq!(near("x_agj"), Some("x_adj"));
        assert_eq!(near("h_0"), Some("h0"));
        assert_eq!(near("W"), None);
    }

    #[test]
    fn a_letter_in_another_dress_is_the_letter() {
        let near = |name: &str| nearest(name, ["c", "ε", "tanh", "U", "two_words"].into_iter());
        assert_eq!(near("с"), Some("c"));
        assert_eq!(near("ｃ"), Some("c"));
        assert_eq!(near("ϵ"), Some("ε"));
        assert_eq!(near("tаnh"), Some("tanh"));
        assert_eq!(near("TwoWords"), Some("two_words"));
        assert_eq!(near("two_wordsLoss"), Some("two_words"));
        assert_eq!((look_alike("tаnh", "tanh"), look_alike("tahn", "tanh")), (Some('а'), None));
    }

    #[test]
    fn what_may_be_another_function_is_not_sure() {
        for (name, near) in
            [("gelu", "relu"), ("exp2", "exp"), ("rsqrt", "sqrt"), ("h_n", "h"), ("W_g", "W_f")]
        {
            assert!(!is_sure(name, near), "{name}");
        }
        for (name, near) in [("w", "W"), ("rest", "reset"), ("Gaetd", "Gated"), ("с", "c"), ("Tanh", "tanh")]
        {
            assert!(is_sure(name, near), "{name}");
        }
    }
}
