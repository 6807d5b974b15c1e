//! Scheduled programs against the reference interpreter.
#![allow(dead_code)]

use ndarray::ArrayD;
use rnnc::eqn::Graph;
use rnnc::eqn::eval::{Batch, eval};
use rnnc::runtime::{Executable, run_batch};
use rnnc::schedule::schedule;

pub type Outputs = std::collections::BTreeMap<String, ArrayD<f64>>;

/// The outputs of the scheduled program, run by the kernel interpreter.
pub fn run_scheduled(graph: &Graph, batch: &Batch) -> Result<Outputs, String> {
    let program = schedule(graph).map_err(|e| format!("refused: {}", e[0].message))?;
    let exe = Executable::interpreted(program).map_err(|e| format!("unsound: {} {:?}", e[0].message, e[0].note))?;
    run_batch(&exe, batch).map_err(|e| format!("run: {}", e[0].message))
}

/// A batch with every number as f32 has it.
pub fn rounded(batch: &Batch) -> Batch {
    let mut batch = batch.clone();
    for a in batch.arrays.values_mut() {
        a.mapv_inplace(|x| f64::from(x as f32));
    }
    batch
}

/// The largest difference, relative to 1 or the larger value, with its place. NaN equals NaN.
pub fn difference(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    if a.shape() != b.shape() {
        return f64::INFINITY;
    }
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |worst: f64, (x, y)| {
        if (x.is_nan() && y.is_nan()) || x == y {
            return worst;
        }
        let d = (x - y).abs() / x.abs().max(y.abs()).max(1.0);
        if d.is_nan() { f64::INFINITY } else { worst.max(d) }
    })
}

/// Compares all outputs; `Err` names the first that differs.
pub fn compare(graph: &Graph, batch: &Batch, tolerance: f64) -> Result<(), String> {
    let batch = rounded(batch);
    let expected = eval(graph, &batch)?;
    let got = run_scheduled(graph, &batch)?;
    for (name, e) in &expected {
        let g = got.get(name).ok_or_else(|| format!("no output {name}"))?;
        if g.shape() != e.shape() {
            return Err(format!("{name}: shape {:?}, expected {:?}", g.shape(), e.shape()));
        }
        let d = difference(g, e);
        if d > tolerance {
            return Err(format!("{name} differs by {d}:\n got {g:?}\n expected {e:?}"));
        }
    }
    Ok(())
}
