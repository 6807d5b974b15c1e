//! How gradients travel through a recurrence (equations 1.3 of Pascanu, Mikolov, Bengio 2013).
//!
//! In: a graph over one chain whose dimensions are all numbers, steps and a seed. Out: for every state the norm of
//! dL/ds_t at each step, where the loss looks at the last step alone; and for the step itself its Jacobian
//! J_t = ds_t/ds_{t−1}, over all states together: spectral norm and radius, and the norm of the product
//! J_T ··· J_{t+1}, along which the gradient came. Computed in f64 by the reference interpreter, for one example.

mod matrix;

use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{Batch, Evaluator};
use crate::eqn::{Graph, Level, NodeId, Op, Source, SourceKind, StateId, Ty};
use crate::grad;
use crate::train::draw;
use matrix::Matrix;
use ndarray::{ArrayD, Axis, IxDyn};

/// Elements of all Jacobians together.
const MOST: usize = 1 << 24;

#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    pub steps: usize,
    /// The states, with the norm of dL/ds_t for t = 1..T.
    pub states: Vec<(String, Vec<f64>)>,
    /// The step's Jacobians, or why there are none.
    pub jacobians: Result<Vec<Step>, String>,
}

/// The Jacobian of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Greatest singular value.
    pub norm: f64,
    /// Greatest absolute value of an eigenvalue.
    pub radius: f64,
    /// Greatest singular value of J_T ··· J_{t+1}; 1 at the last step.
    pub product: f64,
}

pub fn flow(graph: &Graph, steps: usize, seed: u64) -> Fallible<Flow> {
    let one = |d: Diagnostic| vec![d];
    let chain = match graph.domains.as_slice() {
        [_] if graph.is_chain(crate::eqn::DomainId(0)) => &graph.domains[0],
        _ => return Err(vec![errors::not_one_chain()]),
    };
    let carried: Vec<StateId> = carried(graph);
    if carried.is_empty() {
        return Err(vec![errors::no_state()]);
    }
    let out = graph.outputs.first().ok_or_else(|| vec![errors::no_state()])?;
    if *graph.ty(out.node) != Ty::Real {
        return Err(vec![errors::no_real_output(&out.name)]);
    }
    let (extent, out) = (chain.extent.to_string(), out.name.to_string());
    let mut batch = Batch { size: 1, ..Batch::default() };
    batch.lengths.insert(extent.clone(), vec![steps]);
    for source in &graph.sources {
        if let Some(array) = drawn(source, steps, seed).map_err(one)? {
            batch.arrays.insert(source.name.to_string(), array);
        }
    }
    let evaluated = |what: String| vec![errors::evaluation(&what)];

    let options = grad::Options { from: Some(vec![out.clone()]), wrt: None };
    let mut joint = grad::differentiate(graph, &options)?;
    let mut states = Vec::new();
    for id in &carried {
        let name = graph.states[id.index()].name.to_string();
        let adjoint = named(&joint, &format!("{name}_adj"));
        if let Some(node) = adjoint.filter(|n| matches!(joint.level(*n), Level::Over(_))) {
            joint.output(format!("flow of {name}"), node);
            states.push(name);
        }
    }
    batch.arrays.insert(format!("{out}_adj"), last_step_alone(&joint, &out, steps, seed));
    let found = Evaluator::new(&joint).and_then(|e| e.run(&batch)).map_err(evaluated)?;
    let norms = |name: &String| {
        let array = &found[&format!("flow of {name}")];
        let norm = |t| array.index_axis(Axis(0), t).iter().map(|v: &f64| v * v).sum::<f64>().sqrt();
        (name.clone(), (0..steps).map(norm).collect())
    };
    let states = states.iter().map(norms).collect();
    let jacobians = jacobians(graph, &carried, &batch, steps).map_err(evaluated)?;
    Ok(Flow { steps, states, jacobians })
}

/// States that a caller may start: those of the recurrence.
fn carried(graph: &Graph) -> Vec<StateId> {
    let own = |s: &Source| match s.kind {
        SourceKind::Initial { state, .. } => Some(state),
        _ => None,
    };
    let mut ids: Vec<StateId> = graph.sources.iter().filter_map(own).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn named(graph: &Graph, name: &str) -> Option<NodeId> {
    graph.node_ids().rev().find(|n| graph.node(*n).name.as_deref() == Some(name))
}

/// Parameters as declared, inputs of variance 1 or any symbol.
fn drawn(source: &Source, steps: usize, seed: u64) -> Result<Option<ArrayD<f64>>, Diagnostic> {
    let own: Vec<usize> =
        source.shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok()).collect();
    let mut shape = match source.level {
        Level::Shared => vec![],
        Level::Example => vec![1],
        Level::Over(_) => vec![steps, 1],
    };
    shape.extend(&own);
    let count: usize = shape.iter().product();
    let values: Vec<f64> = match &source.kind {
        SourceKind::Param(info) => {
            draw::parameter(seed, &source.name, &info.init, &own)?.into_iter().map(f64::from).collect()
        }
        // In evaluation, and that is what is looked at, noise is its mean and no source.
        SourceKind::Noise(_) | SourceKind::Initial { .. } | SourceKind::Cotangent => return Ok(None),
        SourceKind::Input => (0..count).map(|i| input(source, seed, i as u64)).collect(),
    };
    Ok(ArrayD::from_shape_vec(IxDyn(&shape), values).ok())
}

/// A sum of twelve uniform numbers is nearly normal; all that is wanted here is its variance of 1.
fn input(source: &Source, seed: u64, i: u64) -> f64 {
    let unit = |k: u64| (draw::key(seed, &source.name, 12 * i + k) >> 11) as f64 / (1u64 << 53) as f64;
    match &source.ty {
        Ty::Real => (0..12).map(unit).sum::<f64>() - 6.0,
        Ty::Bool => f64::from(u8::from(unit(0) < 0.5)),
        Ty::Id(k) => (unit(0) * k.as_constant().unwrap_or(1).max(1) as f64).floor(),
    }
}

/// The cotangent of a loss that is a random direction of the output at the last step.
fn last_step_alone(joint: &Graph, out: &str, steps: usize, seed: u64) -> ArrayD<f64> {
    let node = joint.find_output(out).map(|n| joint.node(n));
    let own: Vec<usize> = node
        .map(|n| n.shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok()).collect())
        .unwrap_or_default();
    let over = node.is_some_and(|n| matches!(n.level, Level::Over(_)));
    let outer = if over { vec![steps, 1] } else { vec![1] };
    let shape: Vec<usize> = outer.into_iter().chain(own).collect();
    let mut array = ArrayD::zeros(IxDyn(&shape));
    let width: usize = array.len() / if over { steps.max(1) } else { 1 };
    let first = array.len() - width;
    for (i, v) in array.iter_mut().enumerate().skip(first) {
        *v = if draw::key(seed, "direction", i as u64) & 1 == 0 { 1.0 } else { -1.0 } / (width as f64).sqrt();
    }
    array
}

/// One row of a Jacobian for each example: the same step, with one component of the new states asked for.
fn jacobians(
    graph: &Graph,
    carried: &[StateId],
    batch: &Batch,
    steps: usize,
) -> Result<Result<Vec<Step>, String>, String> {
    let state = |id: &StateId| &graph.states[id.index()];
    if carried.iter().any(|id| state(id).init.len() > 1) {
        return Ok(Err("a state is read more than one step back".into()));
    }
    if graph.nodes.iter().any(|n| matches!(n.op, Op::Position(_))) {
        return Ok(Err("the step depends on its position".into()));
    }
    let ahead = |n: &crate::eqn::Node| match n.op {
        Op::Lag { offset, .. } => offset.along_chain() != Some(-1),
        _ => n.op.is_whole() && !matches!(n.op, Op::At { .. }),
    };
    if graph.nodes.iter().any(ahead) {
        return Ok(Err("a step reads others than the one before".into()));
    }
    let widths: Vec<usize> = carried
        .iter()
        .map(|id| state(id).shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok()).product())
        .collect();
    let size: usize = widths.iter().sum();
    if steps.saturating_mul(size).saturating_mul(size) > MOST {
        return Ok(Err(format!("{steps} matrices of {size} by {size} are too much")));
    }
    let lasts: Vec<String> = carried.iter().map(|id| format!("{}_last", state(id).name)).collect();
    if lasts.iter().any(|name| graph.find_output(name).is_none()) {
        return Ok(Err("a state has no last value".into()));
    }
    // The states themselves, at all steps.
    let forward = Evaluator::new(graph)?.run(batch)?;
    let mut values = Vec::new();
    for (id, width) in carried.iter().zip(&widths) {
        let name = &*state(id).name;
        let Some(all) = forward.get(name).filter(|a| a.len() == steps * width) else {
            return Ok(Err(format!("`{name}` is no output of its own")));
        };
        values.push(all.iter().copied().collect::<Vec<f64>>());
    }
    let options = grad::Options { from: Some(lasts.clone()), wrt: None };
    let joint = grad::differentiate(graph, &options).map_err(|d| d[0].message.clone())?;
    let evaluator = Evaluator::new(&joint)?;
    let extent = graph.domains[0].extent.to_string();
    let mut matrices = Vec::new();
    for t in 0..steps {
        let mut step = Batch { size, ..Batch::default() };
        step.lengths.insert(extent.clone(), vec![1; size]);
        for source in &graph.sources {
            let name = source.name.to_string();
            if let SourceKind::Initial { state: of, .. } = source.kind {
                let Some(k) = carried.iter().position(|id| *id == of) else { continue };
                let row = match t {
                    0 => forward_start(batch, &name, widths[k], source),
                    t => values[k][(t - 1) * widths[k]..t * widths[k]].to_vec(),
                };
                step.arrays.insert(name, repeated(&row, size, source));
                continue;
            }
            let Some(array) = batch.arrays.get(&name) else { continue };
            let array = match source.level {
                Level::Shared => array.clone(),
                Level::Example => repeated(&array.iter().copied().collect::<Vec<_>>(), size, source),
                Level::Over(_) => {
                    let row: Vec<f64> = array.index_axis(Axis(0), t).iter().copied().collect();
                    repeated(&row, size, source).insert_axis(Axis(0))
                }
            };
            step.arrays.insert(name, array);
        }
        let mut first = 0;
        for (k, last) in lasts.iter().enumerate() {
            let mut cotangent = vec![0.0; size * widths[k]];
            for i in 0..widths[k] {
                cotangent[(first + i) * widths[k] + i] = 1.0;
            }
            first += widths[k];
            let node = joint.find_output(last).map(|n| joint.shape(n).clone()).unwrap_or_default();
            let own = node.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok());
            let shape: Vec<usize> = std::iter::once(size).chain(own).collect();
            let array = ArrayD::from_shape_vec(IxDyn(&shape), cotangent).map_err(|e| e.to_string())?;
            step.arrays.insert(format!("{last}_adj"), array);
        }
        let found = evaluator.run(&step)?;
        let mut matrix = Matrix::zeros(size);
        let mut column = 0;
        for (id, width) in carried.iter().zip(&widths) {
            let source = graph
                .sources
                .iter()
                .find(|s| matches!(s.kind, SourceKind::Initial { state, .. } if state == *id));
            let name = source.map(|s| format!("{}_adj", s.name)).unwrap_or_default();
            let rows: Vec<f64> = found.get(&name).ok_or("a start has no adjoint")?.iter().copied().collect();
            for (r, row) in rows.chunks(*width).enumerate() {
                matrix.row_mut(r)[column..column + width].copy_from_slice(row);
            }
            column += width;
        }
        matrices.push(matrix);
    }
    let mut product = Matrix::identity(size);
    let mut found = Vec::new();
    for matrix in matrices.iter().rev() {
        found.push(Step { norm: matrix.norm(), radius: matrix.radius(), product: product.norm() });
        product = product.times(matrix);
    }
    found.reverse();
    Ok(Ok(found))
}

/// What a state begins with.
fn forward_start(batch: &Batch, name: &str, width: usize, source: &Source) -> Vec<f64> {
    let default = match source.kind {
        SourceKind::Initial { default, .. } => default,
        _ => 0.0,
    };
    batch.arrays.get(name).map_or_else(|| vec![default; width], |a| a.iter().copied().collect())
}

/// The same value for every example.
fn repeated(row: &[f64], size: usize, source: &Source) -> ArrayD<f64> {
    let own = source.shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok());
    let shape: Vec<usize> = std::iter::once(size).chain(own).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), row.repeat(size)).unwrap_or_else(|_| ArrayD::zeros(IxDyn(&shape)))
}

mod errors {
    use crate::diag::Diagnostic;

    pub fn not_one_chain() -> Diagnostic {
        Diagnostic::error("E0508", "gradients are followed along one chain")
            .help("choose a cell, or a layer over one sequence")
    }

    pub fn no_state() -> Diagnostic {
        Diagnostic::error("E0508", "there is no carried state to follow a gradient along")
    }

    pub fn no_real_output(name: &str) -> Diagnostic {
        Diagnostic::error("E0508", format!("the output `{name}` is no number, so no gradient begins there"))
    }

    pub fn evaluation(what: &str) -> Diagnostic {
        Diagnostic::error("E0508", format!("the equations cannot be evaluated: {what}"))
    }
}
