//! Evaluation in 64 bits by the reference interpreter.

use super::arrays::{Arrays, Outputs};
use super::compiled::Inner;
use super::errors;
use super::sizes::Sizes;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{self, Batch};
use crate::eqn::{Graph, Level, Output, SourceKind};
use crate::grad;
use crate::runtime::errors::{missing, too_large, unknown, wrong_shape};
use ndarray::{ArrayD, IxDyn};

pub fn forward(inner: &Inner, given: &Arrays) -> Fallible<Outputs<f64>> {
    let sizes = Sizes::of(&inner.graph, given, &inner.limits)?;
    evaluate(inner, &inner.graph, &sizes, given, &Arrays::new(), &inner.graph.outputs)
}

pub fn gradient(inner: &Inner, given: &Arrays, cotangents: &Arrays) -> Fallible<Outputs<f64>> {
    let joint = grad::differentiate(&inner.graph, &grad::Options { wrt: inner.wrt.clone(), from: None })?;
    let sizes = Sizes::of(&inner.graph, given, &inner.limits)?;
    let known: Vec<&str> =
        joint.sources.iter().filter(|s| s.kind == SourceKind::Cotangent).map(|s| &*s.name).collect();
    let strange = cotangents.names().filter(|n| !known.contains(n));
    let wrong: Vec<Diagnostic> = strange.map(|n| unknown(n, known.iter().copied())).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let wanted: Vec<Output> =
        joint.outputs.iter().filter(|o| inner.graph.find_output(&o.name).is_none()).cloned().collect();
    evaluate(inner, &joint, &sizes, given, cotangents, &wanted)
}

fn evaluate(
    inner: &Inner,
    graph: &Graph,
    sizes: &Sizes,
    given: &Arrays,
    cotangents: &Arrays,
    wanted: &[Output],
) -> Fallible<Outputs<f64>> {
    let limit = inner.limits.memory;
    let bytes = graph.node_ids().map(|id| bytes(graph, sizes, graph.level(id), &extents(graph.shape(id))));
    let bytes = bytes.fold(0, u128::saturating_add);
    if bytes > u128::from(limit) {
        return Err(vec![too_large(Some(bytes), limit)]);
    }
    let mut batch = Batch {
        size: sizes.batch,
        lengths: sizes.lengths.clone(),
        trees: sizes.trees.clone(),
        ..Batch::default()
    };
    for (extent, n) in sizes.steps.iter().filter(|(extent, _)| !sizes.trees.contains_key(*extent)) {
        batch.lengths.entry(extent.clone()).or_insert_with(|| vec![*n; sizes.batch]);
    }
    let mut wrong = Vec::new();
    for source in &graph.sources {
        let array = match given.get(&source.name) {
            Some(view) => Some((view.shape().to_vec(), view.to_f64())),
            None => cotangents.get(&source.name).map(|view| (view.shape().to_vec(), view.to_f64())),
        };
        let Some((found, values)) = array else {
            if !matches!(source.kind, SourceKind::Initial { .. } | SourceKind::Cotangent) {
                wrong.push(missing(&source.name));
            }
            continue;
        };
        let shape =
            sizes.leading(graph, source.level).map(|leading| [leading, extents(&source.shape)].concat());
        match shape {
            Some(shape) if shape != found => wrong.push(wrong_shape(&source.name, &shape, &found)),
            _ => {
                let array = ArrayD::from_shape_vec(IxDyn(&found), values);
                batch.arrays.extend(array.map(|a| (source.name.to_string(), a)));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut results = eval::eval(graph, &batch).map_err(|e| vec![errors::not_evaluated(&e)])?;
    let take = |o: &Output| {
        let array = results.remove(&*o.name).unwrap_or_default();
        (o.name.to_string(), grown(array, sizes.leading(graph, graph.level(o.node))))
    };
    Ok(Outputs::new(wanted.iter().map(take).collect()))
}

fn extents(shape: &[crate::shape::Dim]) -> Vec<usize> {
    shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok()).collect()
}

fn bytes(graph: &Graph, sizes: &Sizes, level: Level, own: &[usize]) -> u128 {
    let leading = sizes.leading(graph, level).unwrap_or_default();
    leading.iter().chain(own).fold(8, |bytes, n| bytes.saturating_mul(*n as u128))
}

/// With as many steps as the arrays have: 0 where no example has any.
fn grown(array: ArrayD<f64>, leading: Option<Vec<usize>>) -> ArrayD<f64> {
    let mut shape = array.shape().to_vec();
    match (leading.as_deref(), shape.first_mut()) {
        (Some([steps, _batch]), Some(first)) if steps > first => *first = *steps,
        _ => return array,
    }
    let mut values: Vec<f64> = array.iter().copied().collect();
    values.resize(shape.iter().product(), 0.0);
    ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap_or(array)
}
