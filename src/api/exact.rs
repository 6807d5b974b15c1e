//! Evaluation in 64 bits by the reference interpreter.

use super::arrays::{Arrays, Outputs, View};
use super::compiled::Inner;
use super::errors;
use super::load::unknown_cotangents;
use super::sizes::Sizes;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{self, Batch};
use crate::eqn::{Graph, Level, Output, Source, SourceKind};
use crate::runtime::errors::{missing, too_large, wrong_shape};
use crate::train::draw;
use ndarray::{ArrayD, IxDyn, Slice};
use std::sync::Arc;

pub fn forward(inner: &Inner, given: &Arrays) -> Fallible<Outputs<f64>> {
    let call = Call { graph: &inner.graph, sizes: Sizes::of(inner, given)?, given };
    let wanted = inner.graph.outputs.iter().map(|o| (&o.name, o));
    call.evaluate(inner.limits.memory, |source| given.get(&source.name), wanted)
}

pub fn gradient(inner: &Inner, given: &Arrays, cotangents: &Arrays) -> Fallible<Outputs<f64>> {
    let (joint, added) = inner.joint()?;
    let call = Call { graph: joint, sizes: Sizes::of(inner, given)?, given };
    let wrong = unknown_cotangents(added, cotangents);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let find = |source: &Source| match source.kind {
        SourceKind::Cotangent => {
            let (plain, _) = added.cotangents.iter().find(|(_, own)| *own == source.name)?;
            cotangents.get(plain)
        }
        _ => given.get(&source.name),
    };
    let wanted = added.gradients.iter().map(|(plain, _)| plain).zip(&joint.outputs);
    call.evaluate(inner.limits.memory, find, wanted)
}

struct Call<'g, 'a> {
    graph: &'g Graph,
    sizes: Sizes,
    given: &'g Arrays<'a>,
}

impl<'g, 'a> Call<'g, 'a> {
    /// `wanted`: outputs, and what they are called.
    fn evaluate(
        &self,
        limit: u64,
        find: impl Fn(&Source) -> Option<&'g View<'a>>,
        wanted: impl Iterator<Item = (&'g Arc<str>, &'g Output)>,
    ) -> Fallible<Outputs<f64>> {
        let bytes = self.graph.node_ids().map(|id| {
            let own = extents(self.graph.shape(id));
            let leading = self.sizes.leading(self.graph, self.graph.level(id)).unwrap_or_default();
            leading.iter().chain(&own).fold(8u128, |bytes, n| bytes.saturating_mul(*n as u128))
        });
        let bytes = bytes.fold(0, u128::saturating_add);
        if bytes > u128::from(limit) {
            return Err(vec![too_large(Some(bytes), limit)]);
        }
        let mut batch = self.batch();
        let mut wrong = Vec::new();
        for source in &self.graph.sources {
            match self.value(source, find(source)) {
                Ok(array) => batch.arrays.extend(array.map(|a| (source.name.to_string(), a))),
                Err(d) => wrong.push(d),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut results = eval::eval(self.graph, &batch).map_err(|e| vec![errors::not_evaluated(&e)])?;
        let take = |(name, o): (&Arc<str>, &Output)| {
            let array = results.remove(&*o.name).unwrap_or_default();
            let leading = self.sizes.leading(self.graph, self.graph.level(o.node));
            (name.to_string(), grown(array, leading.unwrap_or_default()))
        };
        Ok(Outputs::new(wanted.map(take).collect()))
    }

    /// Without arrays.
    fn batch(&self) -> Batch {
        let sizes = &self.sizes;
        let mut batch = Batch {
            size: sizes.batch,
            lengths: sizes.lengths.clone(),
            trees: sizes.trees.clone(),
            ..Batch::default()
        };
        for (extent, n) in sizes.steps.iter().filter(|(extent, _)| !sizes.trees.contains_key(*extent)) {
            batch.lengths.entry(extent.clone()).or_insert_with(|| vec![*n; sizes.batch]);
        }
        batch
    }

    /// What a source is: as it is given, drawn, or as the interpreter has it where nothing is given.
    fn value(&self, source: &Source, view: Option<&View>) -> Result<Option<ArrayD<f64>>, Diagnostic> {
        let own = extents(&source.shape);
        let leading = self.sizes.leading(self.graph, source.level);
        let shape = leading.map(|leading| [leading, own.clone()].concat());
        if let Some(view) = view {
            let found = view.shape();
            return match shape {
                Some(shape) if shape != found => Err(wrong_shape(&source.name, &shape, found)),
                _ => Ok(ArrayD::from_shape_vec(IxDyn(found), view.to_f64()).ok()),
            };
        }
        match (&source.kind, self.given.noise(), shape) {
            (SourceKind::Initial { .. } | SourceKind::Cotangent, ..) => Ok(None),
            (SourceKind::Noise(dist), Some(key), Some(shape)) => {
                let batch = if source.level == Level::Shared { 1 } else { self.sizes.batch };
                let (width, count) = (own.iter().product(), shape.iter().product());
                let values = draw::noise_of(&source.name, dist, key, batch, width, count)?;
                let values = values.into_iter().map(f64::from).collect();
                Ok(ArrayD::from_shape_vec(IxDyn(&shape), values).ok())
            }
            _ => Err(missing(&source.name)),
        }
    }
}

fn extents(shape: &[crate::shape::Dim]) -> Vec<usize> {
    shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok()).collect()
}

/// With as many points as the arrays have: 0 where no example has any.
fn grown(array: ArrayD<f64>, leading: Vec<usize>) -> ArrayD<f64> {
    let mut shape = array.shape().to_vec();
    shape.iter_mut().zip(leading).for_each(|(n, most)| *n = most.max(*n));
    if shape == array.shape() {
        return array;
    }
    let mut all = ArrayD::zeros(IxDyn(&shape));
    all.slice_each_axis_mut(|axis| Slice::from(..array.len_of(axis.axis))).assign(&array);
    all
}
