//! How a name looks: what is below it, above it, over it.
//!
//! In: a name of the language or of a graph (`W_f`, `h0`, `enc.l1.c_adj`, `f[2]`, `h̃`). Out: [`Math`].
//! `_` and digits lead below, `_adj` is a bar, `_pre`, `_out` and `_readN` of adjoints and the path of an instance stand
//! above, primes stay primes.

use super::{Accent, Math, Symbol};
use unicode_normalization::UnicodeNormalization;

/// A name, with the place it is read at below it.
pub fn name(name: &str, place: Option<Math>) -> Math {
    let (path, own) = match name.rsplit_once('.') {
        Some((path, own)) if !path.is_empty() && !own.is_empty() => (Some(path), own),
        _ => (None, name),
    };
    let (own, members) = match own.split_once('[') {
        Some((own, rest)) => (own, Some(rest.trim_end_matches(']').replace("][", ","))),
        None => (own, None),
    };
    let bare = own.trim_end_matches('\'');
    let is_adjoint = bare.split('_').any(|p| p == "adj");
    let mut pieces = bare.split('_').filter(|p| !p.is_empty());
    let base = pieces.next().unwrap_or("x");
    let (mut below, mut above, mut bar) = (Vec::new(), Vec::new(), false);
    for piece in pieces {
        match piece.trim_end_matches('\'') {
            "adj" => bar = true,
            mark @ ("pre" | "out") if is_adjoint => {
                above.push(Math::word(mark));
                above.extend(primed(&piece[mark.len()..]));
            }
            piece if is_adjoint && is_member(piece) => {
                above.push(Math::word("pre"));
                below.push(Math::number(&piece["pre".len()..]));
            }
            piece if is_adjoint && is_read(piece) => above.push(Math::word(piece)),
            bare => below.push(match piece.len() - bare.len() {
                0 => symbol(bare),
                _ => symbol(bare).raised(Math::row(primed(&piece[bare.len()..]))),
            }),
        }
    }
    let (base, inner) = base.split_at(base.trim_end_matches('\'').len());
    // h0 is the state before the first point.
    let letters = base.trim_end_matches(|c: char| c.is_ascii_digit());
    let (base, digits) = if letters.is_empty() { (base, "") } else { base.split_at(letters.len()) };
    if !digits.is_empty() {
        below.insert(0, Math::number(digits));
    }
    below
        .extend(members.into_iter().flat_map(|m| m.split(',').map(|m| symbol(m.trim())).collect::<Vec<_>>()));
    below.extend(place);
    above.extend(primed(&own[bare.len()..]));
    if let Some(path) = path {
        let steps: Vec<Math> = path.split('.').map(|step| self::name(step, None)).collect();
        above.push(Math::row(between(steps, Symbol::DOT)).fenced(Symbol::PAREN));
    }
    let mut shown = symbol(base);
    if !inner.is_empty() {
        shown = shown.raised(Math::row(primed(inner)));
    }
    if bar {
        shown = Math::Accent(Accent::Bar, Box::new(shown));
    }
    if below.is_empty() && above.is_empty() {
        return shown;
    }
    let boxed =
        |parts: Vec<Math>, join: fn(Vec<Math>) -> Math| (!parts.is_empty()).then(|| Box::new(join(parts)));
    Math::Scripts { base: Box::new(shown), below: boxed(below, Math::list), above: boxed(above, Math::row) }
}

/// A sign for each prime.
fn primed(primes: &str) -> impl Iterator<Item = Math> {
    std::iter::repeat_n(Math::Symbol(Symbol::PRIME), primes.len())
}

fn between(parts: Vec<Math>, sign: Symbol) -> Vec<Math> {
    let mut all = Vec::new();
    for part in parts {
        if !all.is_empty() {
            all.push(Math::Symbol(sign));
        }
        all.push(part);
    }
    all
}

fn is_read(piece: &str) -> bool {
    is_number(piece.strip_prefix("read"))
}

/// What is inside a member of a family: `f_pre2`.
fn is_member(piece: &str) -> bool {
    is_number(piece.strip_prefix("pre"))
}

fn is_number(text: Option<&str>) -> bool {
    text.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Accents that stand behind their letter.
const ACCENTS: [(char, Accent); 3] =
    [('\u{302}', Accent::Hat), ('\u{303}', Accent::Tilde), ('\u{304}', Accent::Bar)];

/// One piece of a name: a letter, a letter with an accent, a number, a word.
pub fn symbol(piece: &str) -> Math {
    let letters: Vec<char> = piece.nfd().collect();
    if let [letter, accent] = letters[..]
        && let Some((_, accent)) = ACCENTS.iter().find(|a| a.0 == accent)
    {
        return Math::Accent(*accent, Box::new(Math::name(letter)));
    }
    match piece {
        "inf" => Math::Symbol(Symbol::INFINITY),
        "pi" => Math::name("π"),
        _ if !piece.is_empty() && piece.bytes().all(|b| b.is_ascii_digit()) => Math::number(piece),
        _ => Math::name(piece),
    }
}
