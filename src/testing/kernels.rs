//! Compiled programs against the interpreter: forward and backward, f32 against f64.
//!
//! The bound is measured, not guessed. All inputs are numbers that an f32 holds, so both sides compute
//! from the same. Every input is then moved by half a unit in the last place of an f32, at random, and the
//! interpreter run again: the change of an output array tells how the problem itself magnifies rounding.
//! An array may be off by [`FACTOR`] times (the greatest change + half a unit of its greatest element):
//! the factor stands for the roundings inside, of which the inputs' own are one kind among several. (The
//! worst share of the bound measured over the standard library is a third.)

use super::draws::unit;
use super::{Options, errors};
use crate::diag::Fallible;
use crate::eqn::eval::{Batch, eval};
use crate::eqn::{Graph, Ty};
use crate::grad;
use crate::pipeline::{self, CompileOptions};
use crate::runtime::arrays::run_batch;
use crate::shape::Bindings;
use crate::source::Span;
use ndarray::ArrayD;
use std::collections::BTreeMap;

const FACTOR: f64 = 8.0;
/// Half a unit in the last place of an f32 near 1.
const HALF_ULP: f64 = 1.0 / (1u64 << 24) as f64;
/// Below this kernels may flush to zero.
const TINY: f64 = 1e-30;
const PERTURBATIONS: usize = 3;

type Arrays = BTreeMap<String, ArrayD<f64>>;

/// How compiled kernels did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernels {
    /// The worst error as a share of its bound.
    Within(f64),
    /// The back end refuses this program, and says so by a diagnostic of this code.
    Refused(&'static str),
}

/// `joint` is the bound and simplified graph with its gradient, `expected` its outputs for `batch`.
pub fn compare(
    graph: &Graph,
    bindings: &Bindings,
    joint: &Graph,
    batch: &Batch,
    expected: &Arrays,
    at: Span,
    options: &Options,
) -> Fallible<Kernels> {
    let compile = CompileOptions {
        grad: Some(grad::Options::default()),
        interpret: options.interpret_kernels,
        ..CompileOptions::default()
    };
    let exe = match pipeline::compile(graph, bindings, &compile) {
        Ok(exe) => exe,
        Err(diagnostics) => {
            return match diagnostics.first() {
                Some(first) if first.code.starts_with("E06") => Ok(Kernels::Refused(first.code)),
                _ => Err(diagnostics),
            };
        }
    };
    let found = run_batch(&exe, batch)?;
    let mut changes: BTreeMap<&str, f64> = BTreeMap::new();
    for k in 0..PERTURBATIONS {
        let moved =
            eval(joint, &perturbed(joint, batch, k as u64)).map_err(|w| vec![errors::evaluation(&w, at)])?;
        for (name, array) in expected {
            let change = moved.get(name).map_or(0.0, |other| distance(array, other));
            let greatest = changes.entry(name).or_insert(0.0);
            *greatest = greatest.max(change);
        }
    }
    let (mut worst, mut failures) = (0.0f64, Vec::new());
    for (name, array) in expected {
        let Some(other) = found.get(name) else { continue };
        let greatest = array.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let change = changes.get(name.as_str()).copied().unwrap_or(0.0);
        let bound = FACTOR * (change + HALF_ULP * greatest) + TINY;
        let error = distance(array, other);
        worst = worst.max(error / bound);
        // A NaN is beyond every bound.
        if error.is_nan() || error > bound {
            failures.push(errors::kernels(at, name, error, bound));
        }
    }
    if failures.is_empty() { Ok(Kernels::Within(worst)) } else { Err(failures) }
}

/// The greatest difference of two elements; NaN if there is one on one side alone.
fn distance(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    let mut greatest = 0.0f64;
    for (a, b) in a.iter().zip(b) {
        let d = if a == b || (a.is_nan() && b.is_nan()) { 0.0 } else { (a - b).abs() };
        if d.is_nan() {
            return f64::NAN;
        }
        greatest = greatest.max(d);
    }
    greatest
}

fn perturbed(graph: &Graph, batch: &Batch, seed: u64) -> Batch {
    let mut batch = batch.clone();
    for source in graph.sources.iter().filter(|s| s.ty == Ty::Real) {
        if let Some(array) = batch.arrays.get_mut(&*source.name) {
            for (i, x) in array.iter_mut().enumerate() {
                let sign = if unit(seed, &source.name, i) < 0.5 { -1.0 } else { 1.0 };
                *x *= 1.0 + sign * HALF_ULP;
            }
        }
    }
    batch
}
