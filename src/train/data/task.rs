//! Generated examples: small problems whose solution is known.
//!
//! In: a call of `task`. Out: a [`Dataset`] that depends on its arguments and its `seed` alone, so every training run
//! sees the same examples. [`TASKS`] lists what there is.

mod cue;
mod entailment;
mod expressions;
mod numbers;

use super::source::{Call, Constant};
use super::{Dataset, Declared, Field, Values};
use crate::diag::Diagnostic;
use crate::train::errors;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// One kind of examples.
struct Task {
    name: &'static str,
    /// What the names are.
    names: &'static [&'static str],
    /// Named arguments beside `count` and `seed`.
    more: &'static [&'static str],
    make: fn(&Call, &[Declared], Size) -> Result<Dataset, Diagnostic>,
}

#[derive(Clone, Copy)]
struct Size {
    /// Where the task has sequences of one length.
    steps: usize,
    count: usize,
    seed: u64,
}

const TASKS: &[Task] = &[
    Task {
        name: "adding",
        names: &["the sequence", "the sum"],
        more: &["steps"],
        make: |_, _, size| adding(size),
    },
    Task {
        name: "copy",
        names: &["what is shown", "what is wanted"],
        more: &["steps", "symbols", "length"],
        make: |call, _, size| copy(call, size),
    },
    Task { name: "cue", names: &["the picture", "the labels"], more: &["size"], make: far_cue },
    Task {
        name: "entailment",
        names: &["the premise", "the hypothesis", "the class"],
        more: &["facts"],
        make: entailed,
    },
    Task {
        name: "permutations",
        names: &["the factors", "the products"],
        more: &["steps", "degree"],
        make: |call, _, size| permutations(call, size),
    },
    Task { name: "parity", names: &["the bits", "their parity"], more: &["steps"], make: numbers::parity },
    Task {
        name: "addition",
        names: &["what is shown", "what is wanted"],
        more: &["digits"],
        make: |call, _, size| numbers::addition(call, size),
    },
    Task {
        name: "expressions",
        names: &["the trees", "their values"],
        more: expressions::MORE,
        make: expressions::expressions,
    },
];

/// `x, y = task("adding", steps = 100, count = 10000, seed = 1)`.
pub fn task(call: &Call, declared: &[Declared]) -> Result<Dataset, Diagnostic> {
    let name = match call.positional.first() {
        Some(Constant::Text(name)) => name.as_str(),
        _ => return Err(errors::bad_argument(&call.reader, "wants the name of a task, in quotes")),
    };
    let Some(task) = TASKS.iter().find(|t| t.name == name) else {
        let known: Vec<&str> = TASKS.iter().map(|t| t.name).collect();
        return Err(errors::unknown_task(name, &known));
    };
    let named: Vec<&str> = ["count", "seed"].iter().chain(task.more).copied().collect();
    call.only(1, &named)?;
    call.wants_names(&[task.names.len()], &format!("{} names: {}", task.names.len(), task.names.join(", ")))?;
    let steps = call.count("steps", 100_000)?.unwrap_or(100);
    let count = call.count("count", 10_000_000)?.unwrap_or(10_000);
    let seed = call.count("seed", usize::MAX >> 12)?.unwrap_or(1) as u64;
    if steps < 2 {
        return Err(errors::bad_argument(&call.reader, "wants at least 2 steps"));
    }
    if steps.saturating_mul(count) > MOST {
        return Err(errors::bad_argument(&call.reader, "wants at most 100,000,000 steps in all"));
    }
    (task.make)(call, declared, Size { steps, count, seed })
}

/// Steps of all examples together.
const MOST: usize = 100_000_000;

/// The adding problem (Hochreiter, Schmidhuber 1997): numbers of 0..1, two of which are marked, one in
/// each half; the target is their sum.
fn adding(Size { steps, count, seed }: Size) -> Result<Dataset, Diagnostic> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut x = Vec::with_capacity(2 * steps * count);
    let mut sums = Vec::with_capacity(count);
    for _ in 0..count {
        let first = rng.random_range(0..steps / 2);
        let second = rng.random_range(steps / 2..steps);
        let mut sum = 0.0;
        for t in 0..steps {
            let value: f32 = rng.random();
            let marked = t == first || t == second;
            sum += if marked { value } else { 0.0 };
            x.extend([value, f32::from(u8::from(marked))]);
        }
        sums.push(sum);
    }
    let ends = (1..=count).map(|i| i * steps).collect();
    let fields =
        vec![Field::sequence(vec![2], Values::Real(x), ends), Field::one(vec![1], Values::Real(sums))];
    Ok(dataset(fields, count))
}

/// Copy memory (Arjovsky, Shah, Bengio 2016): `length` symbols, `steps` blanks, a mark, and as many blanks as there
/// were symbols, in which these are wanted again. Id 0 is the blank, the last one the mark.
fn copy(call: &Call, Size { steps, count, seed }: Size) -> Result<Dataset, Diagnostic> {
    let symbols = call.count("symbols", 1000)?.unwrap_or(8) as u32;
    let length = call.count("length", 1000)?.unwrap_or(10);
    let all = steps + 2 * length;
    if all.saturating_mul(count) > MOST {
        return Err(errors::bad_argument(&call.reader, "wants at most 100,000,000 steps in all"));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut shown, mut wanted) = (Vec::with_capacity(all * count), Vec::with_capacity(all * count));
    for _ in 0..count {
        let word: Vec<u32> = (0..length).map(|_| rng.random_range(1..=symbols)).collect();
        shown.extend(&word);
        shown.extend(std::iter::repeat_n(0, steps - 1));
        shown.push(symbols + 1);
        shown.extend(std::iter::repeat_n(0, length));
        wanted.extend(std::iter::repeat_n(0, steps + length));
        wanted.extend(&word);
    }
    let mut names = vec!["blank".to_string()];
    names.extend((1..=symbols).map(|k| k.to_string()));
    names.push("mark".to_string());
    let names = Arc::new(names);
    Ok(dataset(vec![ids(shown, &names, all, count), ids(wanted, &names, all, count)], count))
}

fn entailed(call: &Call, _: &[Declared], size: Size) -> Result<Dataset, Diagnostic> {
    entailment::entailment(call.count("facts", 10)?.unwrap_or(1), size.count, size.seed)
}

fn far_cue(call: &Call, _: &[Declared], size: Size) -> Result<Dataset, Diagnostic> {
    let side = call.count("size", 100)?.unwrap_or(10);
    if side < 10 {
        return Err(errors::bad_argument(&call.reader, "wants a `size` of 10 to 100"));
    }
    if side.pow(2).saturating_mul(size.count) > MOST {
        return Err(errors::bad_argument(&call.reader, "wants at most 100,000,000 points in all"));
    }
    Ok(cue::cue(side, size.count, size.seed))
}

/// The word problem of the symmetric group: factors drawn at random, the product so far wanted at each step. The
/// factors are the identity, all swaps of neighbours, and the cycle through all places.
fn permutations(call: &Call, Size { steps, count, seed }: Size) -> Result<Dataset, Diagnostic> {
    let degree = call.count("degree", 6)?.unwrap_or(5);
    if degree < 2 {
        return Err(errors::bad_argument(&call.reader, "wants a `degree` of 2 to 6"));
    }
    let identity: Vec<usize> = (0..degree).collect();
    let swaps = (1..degree).map(|k| {
        let mut p = identity.clone();
        p.swap(k - 1, k);
        p
    });
    let cycle: Vec<usize> = (1..=degree).map(|k| k % degree).collect();
    let factors: Vec<Vec<usize>> = std::iter::once(identity.clone()).chain(swaps).chain([cycle]).collect();
    let all = arrangements(degree);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut shown, mut wanted) = (Vec::with_capacity(steps * count), Vec::with_capacity(steps * count));
    for _ in 0..count {
        let mut product = identity.clone();
        for _ in 0..steps {
            let k = rng.random_range(0..factors.len());
            product = factors[k].iter().map(|i| product[*i]).collect();
            shown.push(k as u32);
            wanted.push(all.binary_search(&product).unwrap_or(0) as u32);
        }
    }
    let written = |p: &Vec<usize>| p.iter().map(|i| (i + 1).to_string()).collect::<String>();
    let symbols = |list: &[Vec<usize>]| Arc::new(list.iter().map(written).collect::<Vec<_>>());
    let fields =
        vec![ids(shown, &symbols(&factors), steps, count), ids(wanted, &symbols(&all), steps, count)];
    Ok(dataset(fields, count))
}

/// All arrangements of `0..n`, in lexicographic order.
fn arrangements(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for _ in 0..n {
        let longer = |p: &Vec<usize>| {
            (0..n).filter(|k| !p.contains(k)).map(|k| [p.as_slice(), &[k]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

fn ids(ids: Vec<u32>, symbols: &Arc<Vec<String>>, steps: usize, count: usize) -> Field {
    let ends = (1..=count).map(|i| i * steps).collect();
    Field::sequence(vec![], Values::Id { ids, symbols: symbols.clone() }, ends)
}

/// Sequences of ids, each of its own length.
fn ids_of_lengths(rows: &[Vec<u32>], symbols: &Arc<Vec<String>>) -> Field {
    let ends = rows.iter().scan(0, |end, row| {
        *end += row.len();
        Some(*end)
    });
    let values = Values::Id { ids: rows.concat(), symbols: symbols.clone() };
    Field::sequence(vec![], values, ends.collect())
}

fn dataset(fields: Vec<Field>, examples: usize) -> Dataset {
    Dataset { names: vec![], fields, examples, test_from: None, shares: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_sum_of_the_marked_values() {
        let size = |seed| Size { steps: 7, count: 20, seed };
        let d = adding(size(3)).unwrap();
        let (Values::Real(x), Values::Real(y)) = (&d.fields[0].values, &d.fields[1].values) else { panic!() };
        for (i, target) in y.iter().enumerate() {
            let rows = &x[i * 14..(i + 1) * 14];
            let sum: f32 = rows.chunks(2).map(|r| r[0] * r[1]).sum();
            let marks: f32 = rows.chunks(2).map(|r| r[1]).sum();
            assert!((sum - target).abs() < 1e-6);
            assert_eq!(marks, 2.0);
        }
        assert_eq!(adding(size(3)).unwrap(), d);
        assert_ne!(adding(size(4)).unwrap(), d);
    }

    fn call(named: &[(&str, f64)]) -> Call {
        Call {
            names: vec!["x".into(), "y".into()],
            reader: "task".into(),
            positional: vec![],
            named: named.iter().map(|(n, v)| (n.to_string(), Constant::Number(*v))).collect(),
            span: crate::source::Span { file: crate::source::FileId(0), start: 0, end: 0 },
            limits: crate::limits::Limits::DEFAULT,
        }
    }

    fn shown(field: &Field) -> Vec<&str> {
        let Values::Id { ids, symbols } = &field.values else { panic!("ids") };
        ids.iter().map(|id| symbols[*id as usize].as_str()).collect()
    }

    #[test]
    fn what_was_shown_is_wanted_at_the_end() {
        let d = copy(&call(&[("length", 3.0)]), Size { steps: 5, count: 2, seed: 1 }).unwrap();
        let (x, y) = (shown(&d.fields[0]), shown(&d.fields[1]));
        assert_eq!(x.len(), 22);
        assert_eq!(x[..3], y[8..11]);
        assert_eq!(x[3..11], ["blank", "blank", "blank", "blank", "mark", "blank", "blank", "blank"]);
        assert!(y[..8].iter().all(|s| *s == "blank"));
    }

    #[test]
    fn products_are_those_of_the_factors() {
        let d = permutations(&call(&[("degree", 3.0)]), Size { steps: 50, count: 1, seed: 1 }).unwrap();
        let mut product = vec!['1', '2', '3'];
        for (factor, wanted) in shown(&d.fields[0]).into_iter().zip(shown(&d.fields[1])) {
            let places = factor.chars().map(|c| c as usize - '1' as usize);
            product = places.map(|k| product[k]).collect();
            assert_eq!(product.iter().collect::<String>(), wanted);
        }
        assert_eq!(arrangements(5).len(), 120);
        assert!(arrangements(4).is_sorted());
    }
}
