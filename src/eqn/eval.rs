//! The reference interpreter: slow, obvious, in f64. The oracle of every test.

use super::Graph;
use ndarray::ArrayD;
use std::collections::BTreeMap;

/// Named arrays for one run. Shared values have their own shape, Example values `[B, ..]`, values
/// over a domain `[T, B, ..]`. Ids and bools are whole numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub size: usize,
    /// For each domain extent (`n`): every example's length. T is the greatest.
    pub lengths: BTreeMap<String, Vec<usize>>,
    pub arrays: BTreeMap<String, ArrayD<f64>>,
}

/// All outputs by name, shaped like [`Batch::arrays`]; 0 beyond an example's length. Missing `Initial`
/// sources take their default, missing `Cotangent`s 0 (1 for a scalar at level Example named `loss`).
pub fn eval(_graph: &Graph, _batch: &Batch) -> Result<BTreeMap<String, ArrayD<f64>>, String> {
    todo!()
}
