//! Which part of the data trains, which one chooses the epoch, and on which the result is measured.
//!
//! What is reported must not have chosen anything: where there is a validation part, it chooses and the test part is
//! measured once, at the end; where there is none, nothing is chosen.

use super::Dataset;
use super::source::Constant;
use crate::diag::Diagnostic;
use crate::syntax::ast::Expr;
use crate::train::errors;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// Examples are put into parts by a draw that no setting changes: the held-out part stays the same
/// from run to run, and files sorted by class are no trap.
const SPLIT_SEED: u64 = 0x5eed;

/// One part of a data set.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Positions of one sequence.
    Stream { example: usize, positions: Range<usize> },
    /// Examples by number.
    Examples(Vec<usize>),
}

impl Part {
    pub fn is_empty(&self) -> bool {
        match self {
            Part::Stream { positions, .. } => positions.is_empty(),
            Part::Examples(examples) => examples.is_empty(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    pub train: Part,
    pub valid: Part,
    pub test: Part,
}

impl Parts {
    /// What is watched while training: the validation part, or if there is none the test part.
    pub fn watched(&self) -> &Part {
        if self.valid.is_empty() { &self.test } else { &self.valid }
    }

    /// What a trained model is measured on: the test part, or if there is none the validation part.
    pub fn held_out(&self) -> &Part {
        if self.test.is_empty() { &self.valid } else { &self.test }
    }

    /// Is there a part to choose the epoch by? Without one the last epoch counts: the least loss on the test part
    /// would be no measure of data never seen.
    pub fn chooses(&self) -> bool {
        !self.valid.is_empty()
    }
}

/// Has every part something that `shares` gives a share? What would be measured on nothing is no measure.
pub fn check(data: &Dataset, shares: Option<&[f64]>, parts: &Parts) -> Result<(), Diagnostic> {
    if parts.train.is_empty() && shares.is_none() {
        return Err(errors::empty_part("training"));
    }
    let Some([a, b, c]) = shares.map(|s| own_shares(data, s)) else { return Ok(()) };
    if data.test_from.is_some() && c > 0.0 {
        return Err(errors::two_test_parts());
    }
    let all = [("training", a, &parts.train), ("validation", b, &parts.valid), ("test", c, &parts.test)];
    let (n, unit) = match data.is_stream() {
        true => (data.fields.first().map_or(0, |f| f.range(0).len()), "position"),
        false => (data.test_from.unwrap_or(data.examples), "example"),
    };
    match all.into_iter().find(|(_, share, part)| *share > 0.0 && part.is_empty()) {
        Some((part, share, _)) => {
            let s = if n == 1 { "" } else { "s" };
            Err(errors::too_little_data(part, share, &format!("{n} {unit}{s}")))
        }
        None => Ok(()),
    }
}

/// The shares of what is not in a test file. Beside one, two shares are those of training and validation.
fn own_shares(data: &Dataset, shares: &[f64]) -> [f64; 3] {
    match (shares, data.test_from) {
        ([a, 0.0, c], Some(_)) => [*a, *c, 0.0],
        ([a, b, c], _) => [*a, *b, *c],
        _ => [1.0, 0.0, 0.0],
    }
}

/// `split = [train, valid, test]`, or `[train, test]`, as three shares.
pub fn shares(e: &Expr) -> Result<Vec<f64>, Diagnostic> {
    let bad = || errors::bad_split(e.span);
    let Some(Constant::List(items)) = Constant::of(e) else { return Err(bad()) };
    let numbers: Vec<f64> = items.iter().map(Constant::number).collect::<Option<_>>().ok_or_else(bad)?;
    let numbers = match numbers.as_slice() {
        [train, test] => vec![*train, 0.0, *test],
        [_, _, _] => numbers,
        _ => return Err(bad()),
    };
    let sum: f64 = numbers.iter().sum();
    if numbers.iter().all(|v| (0.0..=1.0).contains(v)) && sum <= 1.0 + 1e-9 && numbers[0] > 0.0 {
        Ok(numbers)
    } else {
        Err(bad())
    }
}

/// The parts of a data set. Without `shares` everything of the training file trains.
pub fn split(data: &Dataset, shares: Option<&[f64]>) -> Parts {
    let trained = data.test_from.unwrap_or(data.examples);
    let [a, b, c] = shares.map_or([1.0, 0.0, 0.0], |s| own_shares(data, s));
    if data.is_stream() {
        let n = data.fields.first().map_or(0, |f| f.range(0).len());
        let [i, j, k] = cuts(n, a, b, c);
        let part = |positions| Part::Stream { example: 0, positions };
        let test = match data.test_from {
            Some(example) if example < data.examples => {
                let n = data.fields.first().map_or(0, |f| f.range(example).len());
                Part::Stream { example, positions: 0..n }
            }
            _ => part(j..k),
        };
        return Parts { train: part(0..i), valid: part(i..j), test };
    }
    let mut order: Vec<usize> = (0..trained).collect();
    if shares.is_some() {
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(SPLIT_SEED));
    }
    let [i, j, k] = cuts(trained, a, b, c);
    let sorted = |range: Range<usize>| {
        let mut part = order.get(range).unwrap_or(&[]).to_vec();
        part.sort_unstable();
        Part::Examples(part)
    };
    let test = match data.test_from {
        Some(from) => Part::Examples((from..data.examples).collect()),
        None => sorted(j..k),
    };
    Parts { train: sorted(0..i), valid: sorted(i..j), test }
}

/// Ends of the three parts of `n` things. Shares that sum to 1 leave nothing over.
fn cuts(n: usize, a: f64, b: f64, c: f64) -> [usize; 3] {
    let at = |share: f64| ((n as f64 * share).round() as usize).min(n);
    let end = if a + b + c > 1.0 - 1e-9 { n } else { at(a + b + c) };
    let i = at(a).min(end);
    let j = if c == 0.0 { end } else { at(a + b).clamp(i, end) };
    if b == 0.0 && c == 0.0 { [i, i, i] } else { [i, j, end] }
}

#[cfg(test)]
mod tests {
    use super::super::{Field, Values};
    use super::*;
    use std::sync::Arc;

    fn stream(n: usize) -> Dataset {
        let values = Values::Id { ids: vec![0; n], symbols: Arc::new(vec!["a".into()]) };
        let field = Field::sequence(vec![], values, vec![n]);
        Dataset { names: vec!["x".into()], fields: vec![field], examples: 1, test_from: None, shares: None }
    }

    #[test]
    fn a_stream_is_cut_without_a_rest() {
        let p = split(&stream(101), Some(&[0.9, 0.0, 0.1]));
        assert_eq!(p.train, Part::Stream { example: 0, positions: 0..91 });
        assert!(p.valid.is_empty());
        assert_eq!(*p.held_out(), Part::Stream { example: 0, positions: 91..101 });
        let p = split(&stream(101), Some(&[0.8, 0.1, 0.1]));
        assert_eq!(*p.watched(), Part::Stream { example: 0, positions: 81..91 });
        assert_eq!(*p.held_out(), Part::Stream { example: 0, positions: 91..101 });
        assert_eq!(cuts(10, 0.5, 0.5, 0.0), [5, 10, 10]);
    }

    #[test]
    fn a_part_that_is_asked_for_must_not_be_empty() {
        let told = |n: usize, shares: Option<&[f64]>| {
            let data = stream(n);
            check(&data, shares, &split(&data, shares)).map_err(|d| d.message)
        };
        let empty = "the test part of the data is empty: `split` gives it 0.1 of 4 positions";
        assert_eq!(told(4, Some(&[0.9, 0.0, 0.1])).unwrap_err(), empty);
        assert!(told(4, Some(&[0.5, 0.1, 0.4])).unwrap_err().contains("validation part"));
        assert!(told(0, None).unwrap_err().contains("training part"));
        assert_eq!(told(4, Some(&[0.5, 0.0, 0.5])), Ok(()));
        assert_eq!(told(4, None), Ok(()));
    }

    #[test]
    fn parts_of_a_stream_with_a_share_left_over() {
        assert_eq!(cuts(10, 0.5, 0.0, 0.2), [5, 5, 7]);
    }

    #[test]
    fn examples_fall_into_one_part_each() {
        let field = Field::one(vec![], Values::Real(vec![0.0; 50]));
        let mut data = Dataset {
            names: vec!["x".into()],
            fields: vec![field],
            examples: 50,
            test_from: None,
            shares: None,
        };
        let p = split(&data, Some(&[0.8, 0.1, 0.1]));
        let mut all: Vec<usize> = Vec::new();
        for part in [&p.train, &p.valid, &p.test] {
            let Part::Examples(e) = part else { panic!() };
            all.extend(e);
        }
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        data.test_from = Some(30);
        let p = split(&data, None);
        assert_eq!(p.train, Part::Examples((0..30).collect()));
        assert_eq!(*p.held_out(), Part::Examples((30..50).collect()));
        let beside = Some(&[0.8, 0.0, 0.2][..]);
        let p = split(&data, beside);
        let (Part::Examples(train), Part::Examples(valid)) = (&p.train, &p.valid) else { panic!() };
        assert_eq!((train.len(), valid.len()), (24, 6));
        assert_eq!(p.test, Part::Examples((30..50).collect()));
        assert_eq!(check(&data, beside, &p), Ok(()));
        let three = Some(&[0.8, 0.1, 0.1][..]);
        assert_eq!(check(&data, three, &split(&data, three)).unwrap_err().code, "E0826");
    }
}
