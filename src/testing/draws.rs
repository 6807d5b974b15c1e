//! Random points for checks: every source of a graph with values that an f32 holds exactly.

use crate::eqn::eval::Batch;
use crate::eqn::{DomainKind, Graph, Level, Source, SourceKind, Ty};
use crate::train::draw;
use ndarray::{ArrayD, IxDyn};

/// How real values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// −1 to 1.
    Signed,
    /// 0.1 to 1, where square roots and logarithms are defined.
    Positive,
}

/// A number from 0 to 1 for a name and a counter.
pub fn unit(seed: u64, name: &str, counter: usize) -> f64 {
    (draw::key(seed, name, counter as u64) >> 11) as f64 / (1u64 << 53) as f64
}

/// Values for everything from outside, for `size` examples: the first is `steps` long, each further one
/// two shorter, but at least one.
pub fn batch(graph: &Graph, seed: u64, size: usize, steps: usize, range: Range) -> Batch {
    let lengths: Vec<usize> = (0..size).map(|b| steps.saturating_sub(2 * b).max(1)).collect();
    let mut batch = Batch { size, ..Batch::default() };
    for domain in &graph.domains {
        if domain.kind == (DomainKind::Chain { fixed: None }) {
            batch.lengths.insert(domain.extent.to_string(), lengths.clone());
        }
    }
    for source in &graph.sources {
        let shape = array_shape(graph, source, size, steps);
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| value(source, unit(seed, &source.name, i), range)).collect();
        if let Ok(array) = ArrayD::from_shape_vec(IxDyn(&shape), values) {
            batch.arrays.insert(source.name.to_string(), array);
        }
    }
    batch
}

fn value(source: &Source, unit: f64, range: Range) -> f64 {
    let value = match &source.ty {
        Ty::Bool => f64::from(u8::from(unit < 0.5)),
        Ty::Id(count) => (unit * count.as_constant().unwrap_or(1).max(1) as f64).floor(),
        Ty::Real if range == Range::Positive && source.kind != SourceKind::Cotangent => 0.1 + 0.9 * unit,
        Ty::Real => 2.0 * unit - 1.0,
    };
    f64::from(value as f32)
}

/// With the axes of the source's level before its own.
pub fn array_shape(graph: &Graph, source: &Source, size: usize, steps: usize) -> Vec<usize> {
    let own = source.shape.iter().map(|d| d.as_constant().and_then(|n| usize::try_from(n).ok()).unwrap_or(0));
    let outer = match source.level {
        Level::Shared => vec![],
        Level::Example => vec![size],
        Level::Over(domain) => {
            let fixed = graph.domains.get(domain.index()).and_then(|d| match d.kind {
                DomainKind::Chain { fixed } => fixed,
                _ => None,
            });
            vec![fixed.map_or(steps, |n| n as usize), size]
        }
    };
    outer.into_iter().chain(own).collect()
}
