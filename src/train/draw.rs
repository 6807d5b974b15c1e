//! Random values: parameters at the start, noise at every step.
//!
//! In: a distribution, a shape, and what the draw is keyed by. Out: numbers. Each number is a hash of
//! (seed, name, step, example, position, element), so it depends on no order, batch or thread, and
//! going on after a stop needs nothing but the counters.

use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{Dist, Init, Scalar};
use crate::loops::{InputKind, Place};
use crate::runtime::{Workspace, errors};

/// A stream of numbers for one name.
#[derive(Clone, Copy, Debug)]
struct Key(u64);

impl Key {
    fn new(seed: u64, name: &str) -> Key {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(name.as_bytes());
        let bytes = hasher.finalize();
        let first = bytes.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
        Key(u64::from_le_bytes(first))
    }

    /// A key within this one.
    fn at(self, counter: u64) -> Key {
        Key(mix(self.0 ^ mix(counter.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// In 0..1.
    fn unit(self) -> f64 {
        (self.at(0).0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box, Muller 1958).
    fn normal(self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.at(1).unit())
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number for a purpose and a counter.
pub fn key(seed: u64, purpose: &str, counter: u64) -> u64 {
    Key::new(seed, purpose).at(counter).0
}

/// The starting value of a parameter.
pub fn parameter(seed: u64, name: &str, init: &Init, shape: &[usize]) -> Result<Vec<f32>, Diagnostic> {
    let count = shape.iter().product();
    match init {
        Init::Value(value) => {
            let value =
                value.value().ok_or_else(|| errors::bad_distribution(name, "its value is no number"))?;
            Ok(vec![value as f32; count])
        }
        Init::Dist(dist) => {
            let key = Key::new(seed, name);
            let args = arguments(name, dist)?;
            match (&*dist.name, args.as_slice(), shape) {
                ("xavier", [], [.., rows, columns]) => {
                    let a = libm::sqrt(6.0 / (*rows as f64 + *columns as f64));
                    Ok((0..count).map(|i| ((2.0 * key.at(i as u64).unit() - 1.0) * a) as f32).collect())
                }
                ("orthogonal", [], [.., rows, columns]) => Ok(matrices(count, *rows, *columns, |member| {
                    orthogonal(key.at(member as u64), *rows, *columns)
                })),
                ("identity", [], [.., rows, columns]) => Ok(matrices(count, *rows, *columns, |_| {
                    (0..rows * columns).map(|i| f32::from(u8::from(i / columns == i % columns))).collect()
                })),
                ("xavier" | "orthogonal" | "identity", [], _) => {
                    Err(errors::bad_distribution(name, &format!("`{}` is for matrices", dist.name)))
                }
                ("chrono", [t], _) if *t > 2.0 => Ok((0..count)
                    .map(|i| libm::log(1.0 + key.at(i as u64).unit() * (t - 2.0)) as f32)
                    .collect()),
                _ => {
                    let draw = common(name, dist, &args)?;
                    Ok((0..count).map(|i| draw(key.at(i as u64)) as f32).collect())
                }
            }
        }
    }
}

fn arguments(name: &str, dist: &Dist) -> Result<Vec<f64>, Diagnostic> {
    let value = |s: &Scalar| s.value().filter(|v| v.is_finite());
    let all: Option<Vec<f64>> = dist.args.iter().map(value).collect();
    all.ok_or_else(|| {
        errors::bad_distribution(name, &format!("an argument of `{}` is no finite number", dist.name))
    })
}

/// Distributions of parameters and noise alike.
fn common(name: &str, dist: &Dist, args: &[f64]) -> Result<Box<dyn Fn(Key) -> f64>, Diagnostic> {
    Ok(match (&*dist.name, args) {
        ("uniform", &[a]) => Box::new(move |k| (2.0 * k.unit() - 1.0) * a),
        ("uniform", &[a, b]) => Box::new(move |k| a + (b - a) * k.unit()),
        ("normal", &[s]) => Box::new(move |k| k.normal() * s),
        ("bernoulli", &[p]) if (0.0..=1.0).contains(&p) => {
            Box::new(move |k| f64::from(u8::from(k.unit() < p)))
        }
        _ => {
            let shown: Vec<String> = args.iter().map(f64::to_string).collect();
            return Err(errors::bad_distribution(
                name,
                &format!("there is no {}({})", dist.name, shown.join(", ")),
            ));
        }
    })
}

/// A family of matrices, one after another.
fn matrices(count: usize, rows: usize, columns: usize, one: impl Fn(usize) -> Vec<f32>) -> Vec<f32> {
    let members = count.checked_div(rows * columns).unwrap_or(0);
    (0..members).flat_map(one).collect()
}

/// Orthonormal rows or columns, whichever are fewer (Saxe, McClelland, Ganguli 2014), by Gram-Schmidt.
fn orthogonal(key: Key, rows: usize, columns: usize) -> Vec<f32> {
    let (few, many) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(few);
    for i in 0..few {
        let mut v: Vec<f64> = (0..many).map(|j| key.at((i * many + j) as u64).normal()).collect();
        // Twice, since one pass loses digits when vectors are close.
        for _ in 0..2 {
            for b in &basis {
                let dot: f64 = v.iter().zip(b).map(|(x, y)| x * y).sum();
                v.iter_mut().zip(b).for_each(|(x, y)| *x -= dot * y);
            }
        }
        let norm = libm::sqrt(v.iter().map(|x| x * x).sum());
        v.iter_mut().for_each(|x| *x /= norm);
        basis.push(v);
    }
    let at = |r: usize, c: usize| if rows <= columns { basis[r][c] } else { basis[c][r] };
    (0..rows * columns).map(|i| at(i / columns, i % columns) as f32).collect()
}

/// Draws every parameter of a workspace.
pub fn parameters(workspace: &mut Workspace, seed: u64) -> Fallible<()> {
    let exe = workspace.executable().clone();
    for input in &exe.program().inputs {
        if let InputKind::Param(info) = &input.kind {
            let values = parameter(seed, &input.name, &info.init, &input.shape).map_err(|e| vec![e])?;
            workspace.set_input(&input.name, &values)?;
        }
    }
    Ok(())
}

/// Draws all noise of one run; sizes are fixed before. `step` counts runs.
pub fn noise(workspace: &mut Workspace, seed: u64, step: u64) -> Fallible<()> {
    let exe = workspace.executable().clone();
    let program = exe.program();
    for input in &program.inputs {
        let InputKind::Noise(dist) = &input.kind else { continue };
        let batch = match program.buffers.get(input.at.buffer.index()).map(|b| b.place) {
            Some(Place::Shared) | None => 1,
            _ => workspace.batch().max(1),
        };
        let width: usize = input.shape.iter().product();
        let count: usize = workspace.input_shape(&input.name)?.iter().product();
        let values = noise_of(&input.name, dist, (seed, step), batch, width, count).map_err(|e| vec![e])?;
        workspace.set_input(&input.name, &values)?;
    }
    Ok(())
}

/// Noise of one name: `count` numbers, of which `width` belong to one value and `batch` values to one point.
pub fn noise_of(
    name: &str,
    dist: &Dist,
    (seed, step): (u64, u64),
    batch: usize,
    width: usize,
    count: usize,
) -> Result<Vec<f32>, Diagnostic> {
    let args = arguments(name, dist)?;
    let draw = common(name, dist, &args)?;
    let (key, batch, width) = (Key::new(seed, name).at(step), batch.max(1), width.max(1));
    let one = |i: usize| {
        let (row, element) = (i / width, i % width);
        draw(key.at((row % batch) as u64).at((row / batch) as u64).at(element as u64)) as f32
    };
    Ok((0..count).map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dist(name: &str, args: &[f64]) -> Init {
        Init::Dist(Dist { name: name.into(), args: args.iter().map(|a| Scalar::Num(*a)).collect() })
    }

    fn moments(v: &[f32]) -> (f64, f64) {
        let n = v.len() as f64;
        let mean = v.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        (mean, v.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn distributions_have_their_moments() {
        let draw = |d: &Init| parameter(1, "W", d, &[100, 200]).unwrap();
        for (init, mean, variance) in [
            (dist("uniform", &[0.3]), 0.0, 0.03),
            (dist("uniform", &[1.0, 2.0]), 1.5, 1.0 / 12.0),
            (dist("normal", &[2.0]), 0.0, 4.0),
            (dist("bernoulli", &[0.2]), 0.2, 0.16),
        ] {
            let (m, v) = moments(&draw(&init));
            assert!((m - mean).abs() < 0.05 && (v - variance).abs() < 0.1 * variance, "{init:?} {m} {v}");
        }
        assert_eq!(draw(&dist("normal", &[1.0])), draw(&dist("normal", &[1.0])));
        assert_ne!(
            parameter(2, "W", &dist("normal", &[1.0]), &[3]),
            parameter(1, "W", &dist("normal", &[1.0]), &[3])
        );
    }

    #[test]
    fn orthogonal_rows_are_orthonormal() {
        let (r, c) = (5, 8);
        let w = parameter(1, "U", &dist("orthogonal", &[]), &[r, c]).unwrap();
        for i in 0..r {
            for j in 0..r {
                let dot: f32 = (0..c).map(|k| w[i * c + k] * w[j * c + k]).sum();
                assert!((dot - f32::from(u8::from(i == j))).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        for (init, shape) in [
            (dist("uniform", &[]), vec![2]),
            (dist("cauchy", &[1.0]), vec![2]),
            (dist("identity", &[]), vec![2]),
            (dist("chrono", &[1.0]), vec![2]),
            (dist("normal", &[f64::NAN]), vec![2]),
        ] {
            assert_eq!(parameter(1, "b", &init, &shape).unwrap_err().code, "E0708");
        }
    }
}
