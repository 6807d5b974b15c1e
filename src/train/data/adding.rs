//! Generated examples.

use super::source::{Call, Constant};
use super::{Dataset, Field, Values};
use crate::diag::Diagnostic;
use crate::train::errors;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TASKS: &[&str] = &["adding"];

/// `x, y = task("adding", steps = 100, count = 10000, seed = 1)`. The examples depend on `seed` here and
/// on nothing else, so every training run sees the same ones.
pub fn task(call: &Call) -> Result<Dataset, Diagnostic> {
    call.only(1, &["steps", "count", "seed"])?;
    let name = match call.positional.first() {
        Some(Constant::Text(name)) => name.as_str(),
        _ => return Err(errors::bad_argument(&call.reader, "wants the name of a task, in quotes")),
    };
    if !TASKS.contains(&name) {
        return Err(errors::unknown_task(name, TASKS));
    }
    call.wants_names(&[2], "two names: the sequence and the sum")?;
    let steps = call.count("steps", 100_000)?.unwrap_or(100);
    let count = call.count("count", 10_000_000)?.unwrap_or(10_000);
    let seed = call.count("seed", usize::MAX >> 12)?.unwrap_or(1);
    if steps < 2 {
        return Err(errors::bad_argument(&call.reader, "wants at least 2 steps"));
    }
    if steps.saturating_mul(count) > 100_000_000 {
        return Err(errors::bad_argument(&call.reader, "wants at most 100,000,000 steps in all"));
    }
    Ok(adding(steps, count, seed as u64))
}

/// The adding problem (Hochreiter, Schmidhuber 1997): numbers of 0..1, two of which are marked, one in
/// each half; the target is their sum.
fn adding(steps: usize, count: usize, seed: u64) -> Dataset {
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
    let fields = vec![
        Field { sequential: true, shape: vec![2], values: Values::Real(x), ends },
        Field { sequential: false, shape: vec![1], values: Values::Real(sums), ends: vec![] },
    ];
    Dataset { names: vec![], fields, examples: count, test_from: None, shares: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_sum_of_the_marked_values() {
        let d = adding(7, 20, 3);
        let (Values::Real(x), Values::Real(y)) = (&d.fields[0].values, &d.fields[1].values) else { panic!() };
        for (i, target) in y.iter().enumerate() {
            let rows = &x[i * 14..(i + 1) * 14];
            let sum: f32 = rows.chunks(2).map(|r| r[0] * r[1]).sum();
            let marks: f32 = rows.chunks(2).map(|r| r[1]).sum();
            assert!((sum - target).abs() < 1e-6);
            assert_eq!(marks, 2.0);
        }
        assert_eq!(adding(7, 20, 3), d);
        assert_ne!(adding(7, 20, 4), d);
    }
}
