//! Random points for checks: every source of a graph with values that an f32 holds exactly.

use crate::eqn::eval::Batch;
use crate::eqn::tree::Tree;
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
/// two shorter, but at least one. A second axis is one shorter than the first, a third two. Trees have `steps` leaves.
pub fn batch(graph: &Graph, seed: u64, size: usize, steps: usize, range: Range) -> Batch {
    let mut batch = Batch { size, ..Batch::default() };
    let mut extents = vec![0; graph.domains.len()];
    let mut free = 0;
    for (i, domain) in graph.domains.iter().enumerate() {
        let name = domain.extent.to_string();
        let length = |b: usize, less: usize| steps.saturating_sub(less + 2 * b).max(1);
        extents[i] = match &domain.kind {
            DomainKind::Chain { fixed: Some(n) } => *n as usize,
            DomainKind::Chain { fixed: None } => {
                batch.lengths.insert(name, (0..size).map(|b| length(b, free)).collect());
                free += 1;
                length(0, free - 1)
            }
            DomainKind::Tree { arity } => {
                let trees = (0..size).map(|b| tree(seed, &format!("{name} {b}"), length(b, 0), *arity));
                let trees: Vec<Tree> = trees.collect();
                let nodes = trees.iter().map(Tree::nodes).max().unwrap_or(0);
                batch.trees.insert(name, trees);
                nodes
            }
            DomainKind::Derived(extent) => {
                usize::try_from(extent.value(|axis| extents.get(axis.index()).copied().unwrap_or(0)))
                    .unwrap_or(0)
            }
            DomainKind::Children { .. } | DomainKind::Product(_) => 0,
        };
    }
    for source in &graph.sources {
        let shape = array_shape(graph, source, size, &extents);
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| value(source, unit(seed, &source.name, i), range)).collect();
        if let Ok(array) = ArrayD::from_shape_vec(IxDyn(&shape), values) {
            batch.arrays.insert(source.name.to_string(), array);
        }
    }
    batch
}

/// A tree with so many leaves: roots are joined at random, as many at a time as a node has edges (two or three, if that is
/// free), until one is left. Where edges are left over some lead nowhere.
fn tree(seed: u64, name: &str, leaves: usize, arity: Option<u32>) -> Tree {
    let most = arity.map_or(3, |n| n as usize).max(1);
    let mut edges: Vec<Vec<i64>> = vec![vec![-1; arity.unwrap_or(0) as usize]; leaves];
    let mut roots: Vec<i64> = (0..leaves as i64).collect();
    let mut draws = 0;
    let mut draw = |n: usize| {
        draws += 1;
        ((unit(seed, name, draws) * n as f64) as usize).min(n.saturating_sub(1))
    };
    // With one edge a node, what is left over hangs in a chain.
    while roots.len() > 1 && most > 1 {
        let count = (2 + draw(most - 1)).min(roots.len());
        let mut children: Vec<i64> = (0..count).map(|_| roots.remove(draw(roots.len()))).collect();
        while arity.is_some() && children.len() < most {
            children.insert(draw(children.len() + 1), -1);
        }
        roots.push(edges.len() as i64);
        edges.push(children);
    }
    if most == 1 {
        edges = (0..leaves as i64).map(|k| vec![k - 1]).collect();
    }
    // These edges make a tree: each root is used once, by a later node.
    Tree::new(edges.iter().map(Vec::as_slice)).unwrap_or_default()
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
fn array_shape(graph: &Graph, source: &Source, size: usize, extents: &[usize]) -> Vec<usize> {
    let own = source.shape.iter().map(|d| d.as_constant().and_then(|n| usize::try_from(n).ok()).unwrap_or(0));
    let axes = graph.axes_of(source.level).into_iter().map(|a| extents.get(a.index()).copied().unwrap_or(0));
    let examples = (source.level != Level::Shared).then_some(size);
    axes.chain(examples).chain(own).collect()
}
