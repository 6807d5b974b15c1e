//! Sentences with quantifiers and hypernyms: does one follow from others?
//!
//! In: a number of examples and a seed. Out: some facts such as `all small dogs run`, a sentence such as `some animals move`,
//! and its class: entailed, contradicted, or neither. Invariant: the class is that of logic. A sentence speaks of *kinds*, the
//! combinations of one noun, one verb, both most special, and for each adjective yes or no; it says that some kinds are
//! empty and that one of others is not. What a sentence speaks of exists.

use super::{Dataset, Field, dataset, ids_of_lengths};
use crate::diag::Diagnostic;
use crate::train::data::Values;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Each word with the one above it.
const NOUNS: &[(&str, &str)] = &[
    ("beings", ""),
    ("animals", "beings"),
    ("people", "beings"),
    ("dogs", "animals"),
    ("birds", "animals"),
    ("poodles", "dogs"),
    ("beagles", "dogs"),
    ("robins", "birds"),
    ("sparrows", "birds"),
    ("children", "people"),
    ("sailors", "people"),
];
const VERBS: &[(&str, &str)] = &[
    ("act", ""),
    ("move", "act"),
    ("speak", "act"),
    ("walk", "move"),
    ("run", "move"),
    ("stroll", "walk"),
    ("march", "walk"),
    ("sprint", "run"),
    ("jog", "run"),
    ("whisper", "speak"),
    ("shout", "speak"),
];
const ADJECTIVES: &[&str] = &["small", "old", "happy"];
const QUANTIFIERS: &[&str] = &["all", "some", "no"];
const CLASSES: &[&str] = &["entailed", "contradicted", "neither"];

/// `all small dogs do not run`
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sentence {
    /// Of [`QUANTIFIERS`].
    quantifier: usize,
    adjective: Option<usize>,
    noun: usize,
    negated: bool,
    verb: usize,
}

/// One combination that somebody may have.
#[derive(Clone, Copy)]
struct Kind {
    noun: usize,
    verb: usize,
    /// Bit k: adjective k.
    adjectives: usize,
}

/// What is said: these kinds are empty, of each of these sets one is not.
#[derive(Default)]
struct Claims {
    empty: Vec<bool>,
    inhabited: Vec<Vec<bool>>,
}

impl Claims {
    fn and(mut self, other: Claims) -> Claims {
        self.empty.iter_mut().zip(&other.empty).for_each(|(a, b)| *a |= b);
        self.inhabited.extend(other.inhabited);
        self
    }

    /// Can all of it be true at once?
    fn is_possible(&self) -> bool {
        let someone = |set: &Vec<bool>| set.iter().zip(&self.empty).any(|(member, empty)| *member && !empty);
        self.inhabited.iter().all(someone)
    }
}

/// Is a word the same as another or below it?
fn is_below(words: &[(&str, &str)], mut word: usize, other: usize) -> bool {
    while word != other {
        match words.iter().position(|(w, _)| *w == words[word].1) {
            Some(above) => word = above,
            None => return false,
        }
    }
    true
}

fn leaves(words: &[(&str, &str)]) -> Vec<usize> {
    (0..words.len()).filter(|i| words.iter().all(|(_, above)| *above != words[*i].0)).collect()
}

fn kinds() -> Vec<Kind> {
    let mut all = Vec::new();
    for noun in leaves(NOUNS) {
        for verb in leaves(VERBS) {
            all.extend((0..1 << ADJECTIVES.len()).map(|adjectives| Kind { noun, verb, adjectives }));
        }
    }
    all
}

impl Sentence {
    fn is_of(&self, kind: &Kind) -> bool {
        is_below(NOUNS, kind.noun, self.noun) && self.adjective.is_none_or(|a| kind.adjectives >> a & 1 == 1)
    }

    fn does(&self, kind: &Kind) -> bool {
        is_below(VERBS, kind.verb, self.verb) != self.negated
    }

    /// What it says, or what its opposite says; that those it speaks of exist is said by both.
    fn claims(&self, kinds: &[Kind], opposite: bool) -> Claims {
        let subject: Vec<bool> = kinds.iter().map(|k| self.is_of(k)).collect();
        let none = vec![false; kinds.len()];
        let part = |does: bool| -> Vec<bool> {
            kinds.iter().zip(&subject).map(|(k, s)| *s && self.does(k) == does).collect()
        };
        let says = |empty: Vec<bool>, more: Option<Vec<bool>>| Claims {
            empty,
            inhabited: std::iter::once(subject.clone()).chain(more).collect(),
        };
        match (QUANTIFIERS[self.quantifier], opposite) {
            ("all", false) => says(part(false), None),
            ("all", true) => says(none, Some(part(false))),
            ("some", false) | ("no", true) => says(none, Some(part(true))),
            _ => says(part(true), None),
        }
    }

    fn words(&self) -> Vec<&'static str> {
        let mut words = vec![QUANTIFIERS[self.quantifier]];
        words.extend(self.adjective.map(|a| ADJECTIVES[a]));
        words.push(NOUNS[self.noun].0);
        words.extend(self.negated.then_some("do not"));
        words.push(VERBS[self.verb].0);
        words
    }

    fn drawn(rng: &mut ChaCha8Rng) -> Sentence {
        Sentence {
            quantifier: rng.random_range(0..QUANTIFIERS.len()),
            adjective: adjective(rng),
            noun: rng.random_range(0..NOUNS.len()),
            negated: rng.random_range(0..4) == 0,
            verb: rng.random_range(0..VERBS.len()),
        }
    }

    /// Another that speaks of much the same.
    fn varied(&self, rng: &mut ChaCha8Rng) -> Sentence {
        let new = Sentence::drawn(rng);
        let mut keeps = || rng.random_range(0..2) == 0;
        Sentence {
            quantifier: if keeps() { self.quantifier } else { new.quantifier },
            adjective: if keeps() { self.adjective } else { new.adjective },
            noun: if keeps() { self.noun } else { new.noun },
            negated: if keeps() { self.negated } else { new.negated },
            verb: if keeps() { self.verb } else { new.verb },
        }
    }
}

fn adjective(rng: &mut ChaCha8Rng) -> Option<usize> {
    rng.random_range(0..2 * ADJECTIVES.len()).checked_sub(ADJECTIVES.len())
}

/// Of [`CLASSES`]; `None` if they cannot stand side by side at all.
fn class(facts: &[Sentence], last: &Sentence, kinds: &[Kind]) -> Option<usize> {
    let possible = |opposite| {
        let all = facts.iter().fold(last.claims(kinds, opposite), |sum, f| sum.and(f.claims(kinds, false)));
        all.is_possible()
    };
    match (possible(false), possible(true)) {
        (true, false) => Some(0),
        (false, true) => Some(1),
        (true, true) => Some(2),
        (false, false) => None,
    }
}

/// All classes are equally frequent. The facts, and the sentence, end with the empty symbol, id 0.
pub fn entailment(facts: usize, count: usize, seed: u64) -> Result<Dataset, Diagnostic> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kinds = kinds();
    let mut vocabulary = vec![""];
    vocabulary.extend(QUANTIFIERS.iter().chain(ADJECTIVES).chain(&["do not"]));
    vocabulary.extend(NOUNS.iter().chain(VERBS).map(|(word, _)| *word));
    let symbols = Arc::new(vocabulary.iter().map(|w| w.to_string()).collect::<Vec<_>>());
    let id = |word: &str| vocabulary.iter().position(|w| *w == word).unwrap_or(0) as u32;
    let (mut firsts, mut seconds, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    while classes.len() < count {
        let wanted = classes.len() % CLASSES.len();
        let given: Vec<Sentence> = (0..facts).map(|_| Sentence::drawn(&mut rng)).collect();
        let last = given[rng.random_range(0..facts)].varied(&mut rng);
        if class(&given, &last, &kinds) != Some(wanted) {
            continue;
        }
        let row = |sentences: &[Sentence]| -> Vec<u32> {
            sentences.iter().flat_map(Sentence::words).chain([""]).map(id).collect()
        };
        firsts.push(row(&given));
        seconds.push(row(&[last]));
        classes.push(wanted as u32);
    }
    let names = Arc::new(CLASSES.iter().map(|c| c.to_string()).collect::<Vec<_>>());
    let label = Field::one(vec![], Values::Id { ids: classes, symbols: names });
    Ok(dataset(vec![ids_of_lengths(&firsts, &symbols), ids_of_lengths(&seconds, &symbols), label], count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Sentence {
        let words: Vec<&str> = text.split(' ').collect();
        let find = |list: &[&str]| words.iter().find_map(|w| list.iter().position(|l| l == w));
        let names = |list: &[(&'static str, &str)]| list.iter().map(|(w, _)| *w).collect::<Vec<_>>();
        Sentence {
            quantifier: find(QUANTIFIERS).unwrap(),
            adjective: find(ADJECTIVES),
            noun: find(&names(NOUNS)).unwrap(),
            negated: words.contains(&"not"),
            verb: find(&names(VERBS)).unwrap(),
        }
    }

    #[test]
    fn classes_are_those_of_logic() {
        let kinds = kinds();
        let told = |a: &str, b: &str| {
            let facts: Vec<Sentence> = a.split(". ").map(read).collect();
            class(&facts, &read(b), &kinds).map(|c| CLASSES[c])
        };
        assert_eq!(told("all dogs run", "all poodles run"), Some("entailed"));
        assert_eq!(told("all dogs run", "all dogs move"), Some("entailed"));
        assert_eq!(told("all dogs run", "all animals run"), Some("neither"));
        assert_eq!(told("all dogs run", "some animals move"), Some("entailed"));
        assert_eq!(told("some small dogs run", "some dogs run"), Some("entailed"));
        assert_eq!(told("some dogs run", "some small dogs run"), Some("neither"));
        assert_eq!(told("no animals move", "no dogs run"), Some("entailed"));
        assert_eq!(told("no animals move", "some dogs run"), Some("contradicted"));
        assert_eq!(told("no dogs move", "all old dogs do not sprint"), Some("entailed"));
        assert_eq!(told("all dogs run", "no dogs walk"), Some("entailed"));
        assert_eq!(told("all dogs run", "some poodles whisper"), Some("contradicted"));
        assert_eq!(told("some dogs run", "no dogs walk"), Some("neither"));
        assert_eq!(told("some birds run", "some birds do not walk"), Some("entailed"));
        assert_eq!(told("all dogs run. no birds move", "all poodles move"), Some("entailed"));
        assert_eq!(told("no dogs move. all dogs move", "some birds speak"), None);
        assert_eq!(told("all people shout", "all people shout"), Some("entailed"));
    }

    #[test]
    fn examples_follow_from_the_seed_and_are_balanced() {
        let d = entailment(2, 30, 5).unwrap();
        assert_eq!(d, entailment(2, 30, 5).unwrap());
        assert_ne!(d, entailment(2, 30, 6).unwrap());
        let Values::Id { ids, .. } = &d.fields[2].values else { panic!() };
        assert!((0..3).all(|c| ids.iter().filter(|id| **id == c).count() == 10));
        let Values::Id { ids, symbols } = &d.fields[0].values else { panic!() };
        assert_eq!(symbols[0], "");
        assert!((0..30).all(|e| ids[d.fields[0].range(e).end - 1] == 0));
        assert_eq!(d.fields[0].examples(), 30);
    }
}
