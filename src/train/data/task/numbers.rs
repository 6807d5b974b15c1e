//! Parity of bits, and sums of written numbers.

use super::{MOST, Size, dataset, ids};
use crate::diag::Diagnostic;
use crate::train::data::source::Call;
use crate::train::data::{Dataset, Declared, Field, Over, Values, declared_over};
use crate::train::errors;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// `x, odd = task("parity", steps = 20)`: so many bits, as one vector or as a sequence, as the input is declared; is
/// the number of ones odd?
pub fn parity(
    call: &Call,
    declared: &[Declared],
    Size { steps, count, seed }: Size,
) -> Result<Dataset, Diagnostic> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut bits, mut odd) = (Vec::with_capacity(steps * count), Vec::with_capacity(count));
    for _ in 0..count {
        let row: Vec<bool> = (0..steps).map(|_| rng.random()).collect();
        odd.push((row.iter().filter(|b| **b).count() % 2) as u32);
        bits.extend(row.into_iter().map(|b| f32::from(u8::from(b))));
    }
    let over = declared_over(declared, call.names.first()).unwrap_or(Over::Example);
    let shape = if over == Over::Example { vec![steps] } else { vec![steps, 1] };
    let first = Field::uniform(over, &shape, count, Values::Real(bits));
    let first = first.ok_or_else(|| errors::too_few_extents(&call.reader, over, &shape))?;
    let symbols = Arc::new(vec!["even".to_string(), "odd".to_string()]);
    Ok(dataset(vec![first, Field::one(vec![], Values::Id { ids: odd, symbols })], count))
}

/// `shown, wanted = task("addition", digits = 3)`: two numbers of at most so many digits are shown as `12+7=`, then, in as many
/// steps as their sum has digits, the sum is wanted. Id 0 is the blank.
pub fn addition(call: &Call, Size { count, seed, .. }: Size) -> Result<Dataset, Diagnostic> {
    let digits = call.count("digits", 15)?.unwrap_or(3);
    let all = 3 * digits + 3;
    if all.saturating_mul(count) > MOST {
        return Err(errors::bad_argument(&call.reader, "wants at most 100,000,000 steps in all"));
    }
    let symbols: Vec<String> = "_0123456789+=".chars().map(String::from).collect();
    let symbols = Arc::new(symbols);
    let id = |c: char| symbols.iter().position(|s| s.starts_with(c)).unwrap_or(0) as u32;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let most = 10u64.pow(digits as u32);
    let (mut shown, mut wanted) = (Vec::with_capacity(all * count), Vec::with_capacity(all * count));
    for _ in 0..count {
        let (a, b) = (rng.random_range(0..most), rng.random_range(0..most));
        // Numbers have all their digits, so that every example is as long.
        let question = format!("{a:0digits$}+{b:0digits$}=");
        let answer = format!("{:0width$}", a + b, width = digits + 1);
        shown.extend(question.chars().map(id));
        shown.extend(answer.chars().map(|_| 0));
        wanted.extend(question.chars().map(|_| 0));
        wanted.extend(answer.chars().map(id));
    }
    Ok(dataset(vec![ids(shown, &symbols, all, count), ids(wanted, &symbols, all, count)], count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::data::source::Constant;

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

    #[test]
    fn a_number_of_ones_is_odd_or_even() {
        let size = Size { steps: 7, count: 30, seed: 1 };
        let declared = |over| vec![Declared { name: "x".into(), over, is_id: false, rank: 1 }];
        let d = parity(&call(&[]), &declared(Over::Example), size).unwrap();
        assert_eq!(d.fields[0].shape, [7]);
        let (Values::Real(x), Values::Id { ids, .. }) = (&d.fields[0].values, &d.fields[1].values) else {
            panic!()
        };
        for (bits, odd) in x.chunks(7).zip(ids) {
            assert_eq!(bits.iter().sum::<f32>() as u32 % 2, *odd);
        }
        let s = parity(&call(&[]), &declared(Over::Axes(1)), size).unwrap();
        assert_eq!((s.fields[0].shape.as_slice(), s.fields[0].length(0, 3)), (&[1][..], 7));
        assert_eq!(s.fields[0].values, d.fields[0].values);
        assert!(parity(&call(&[]), &declared(Over::Tree), size).is_err());
    }

    #[test]
    fn what_is_wanted_is_the_sum() {
        let d = addition(&call(&[("digits", 2.0)]), Size { steps: 2, count: 20, seed: 1 }).unwrap();
        let text = |f: &Field| -> String {
            let Values::Id { ids, symbols } = &f.values else { panic!() };
            ids.iter().map(|i| symbols[*i as usize].as_str()).collect()
        };
        let (shown, wanted) = (text(&d.fields[0]), text(&d.fields[1]));
        for at in (0..180).step_by(9) {
            let (a, rest) = shown[at..at + 5].split_once('+').unwrap();
            let sum = a.parse::<u32>().unwrap() + rest.parse::<u32>().unwrap();
            assert_eq!(&shown[at + 5..at + 9], "=___");
            assert_eq!(wanted[at..at + 9], format!("______{sum:03}"));
        }
    }
}
