//! The name that may be meant by one that is unknown.

/// The nearest of some names, if it is near enough to be meant; of equally near ones the first.
pub fn nearest<'a, S: AsRef<str> + ?Sized>(
    name: &str,
    candidates: impl Iterator<Item = &'a S>,
) -> Option<&'a S> {
    let near = candidates.filter_map(|c| Some((distance(name, c.as_ref())?, c)));
    near.min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// How far two names are apart: the case, an ending after `_`, or a few letters, but never all of them.
fn distance(a: &str, b: &str) -> Option<usize> {
    let (small, other) = (a.to_lowercase(), b.to_lowercase());
    if small == other {
        return Some(0);
    }
    let ends = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'));
    if ends(&small, &other) || ends(&other, &small) {
        return Some(1);
    }
    let letters = b.chars().count();
    Some(strsim::osa_distance(a, b)).filter(|d| *d <= 1 + letters / 4 && *d < letters.min(a.chars().count()))
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
    }
}
