//! The name that may be meant by one that is unknown.

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

/// Whether two names are about as long as each other, without an ending after `_`.
fn may_be_near(a: &str, b: &str) -> bool {
    // A letter has at most four bytes, and a third of the letters may differ.
    let (short, long) = (a.len().min(b.len()), a.len().max(b.len()));
    long - short <= 4 * 1.max(short / 3) || a.contains('_') || b.contains('_')
}

/// How far two names are apart: the case, an ending after `_`, or a few letters, but never all of them.
fn distance(a: &str, b: &str) -> Option<usize> {
    // Whoever asks has found that this very name is not meant.
    if a == b {
        return None;
    }
    let (small, other) = (a.to_lowercase(), b.to_lowercase());
    if small == other {
        return Some(0);
    }
    let ends = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'));
    if ends(&small, &other) || ends(&other, &small) {
        return Some(1);
    }
    let (a, b) = without_shared_ending(a, b);
    if !may_be_near(a, b) {
        return None;
    }
    let letters = b.chars().count().min(a.chars().count());
    Some(strsim::osa_distance(a, b)).filter(|d| *d <= 1.max(letters / 3) && *d < letters)
}

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
}
