//! Values for all that a graph reads from outside: lengths and trees that differ between examples, numbers that an f32
//! holds, and garbage where there is padding.

use super::rng::{Rng, unit};
use ndarray::{ArrayD, Axis, IxDyn, Slice};
use rnnc::eqn::eval::Batch;
use rnnc::eqn::tree::Tree;
use rnnc::eqn::{DomainKind, Graph, Level, SourceKind, Ty};

/// What stands behind an example's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    Zeros,
    /// What would be seen if it were read, such as NaN.
    Garbage,
}

/// `round`: another draw.
pub fn draw(graph: &Graph, seed: u64, round: usize, size: usize, steps: usize, padding: Padding) -> Batch {
    let mut batch = Batch { size, ..Batch::default() };
    let mut extents = vec![0usize; graph.domains.len()];
    let mut lengths: Vec<Vec<usize>> = Vec::new();
    for (i, domain) in graph.domains.iter().enumerate() {
        let name = domain.extent.to_string();
        let chance = |b: usize| unit(seed, &name, 1000 * round + b);
        // Now and then an example has no point at all.
        let length = |b: usize| match (steps as f64 * chance(b)) as usize {
            _ if chance(b + 500) < 0.06 => 0,
            n => n + 1,
        };
        let own: Vec<usize> = match &domain.kind {
            DomainKind::Chain { fixed: Some(n) } => vec![*n as usize; size],
            DomainKind::Chain { fixed: None } => {
                let all: Vec<usize> = (0..size).map(length).collect();
                batch.lengths.insert(name, all.clone());
                all
            }
            DomainKind::Tree { arity } => {
                let of =
                    |b: usize| tree(seed ^ (b as u64 + 31 * round as u64), &name, length(b).max(1), *arity);
                let trees: Vec<Tree> = (0..size).map(of).collect();
                let all = trees.iter().map(Tree::nodes).collect();
                batch.trees.insert(name, trees);
                all
            }
            DomainKind::Derived(extent) => {
                let of = |b: usize| extent.value(|axis| lengths[axis.index()].get(b).copied().unwrap_or(0));
                (0..size).map(|b| usize::try_from(of(b)).unwrap_or(0)).collect()
            }
            DomainKind::Children { .. } | DomainKind::Product(_) => Vec::new(),
        };
        extents[i] = own.iter().copied().max().unwrap_or(0);
        lengths.push(own);
    }
    let numbers = if round.is_multiple_of(2) { -1.0 } else { 0.1 };
    for source in &graph.sources {
        let axes = graph.axes_of(source.level);
        let mut shape: Vec<usize> = axes.iter().map(|a| extents[a.index()]).collect();
        if source.level != Level::Shared {
            shape.push(size);
        }
        shape.extend(source.shape.iter().map(|d| d.as_constant().unwrap_or(0).max(0) as usize));
        let least = if source.kind == SourceKind::Cotangent { -1.0 } else { numbers };
        let array = ArrayD::from_shape_fn(IxDyn(&shape), |index| {
            let index = ndarray::Dimension::slice(&index);
            let b = index.get(axes.len()).copied().unwrap_or(0);
            let outside =
                axes.iter().zip(index).any(|(axis, i)| lengths[axis.index()].get(b).is_some_and(|n| i >= n));
            if outside {
                return match padding {
                    Padding::Zeros => 0.0,
                    Padding::Garbage => garbage(&source.ty, index.iter().sum()),
                };
            }
            let flat = index.iter().fold(round, |at, i| at * 97 + i);
            let x = unit(seed, &source.name, flat);
            let value = match &source.ty {
                Ty::Bool => f64::from(u8::from(x < 0.5)),
                Ty::Id(count) => (x * count.as_constant().unwrap_or(1).max(1) as f64).floor(),
                Ty::Real if matches!(&source.kind, SourceKind::Noise(d) if &*d.name == "bernoulli") => {
                    f64::from(u8::from(x < 0.5))
                }
                Ty::Real => least + (1.0 - least) * x,
            };
            f64::from(value as f32)
        });
        batch.arrays.insert(source.name.to_string(), array);
    }
    batch
}

fn garbage(ty: &Ty, at: usize) -> f64 {
    match ty {
        Ty::Real => [f64::NAN, 1e30, -3.5, f64::INFINITY, 0.0][at % 5],
        Ty::Bool => (at % 2) as f64,
        Ty::Id(_) => [-1.0, 1e6, 0.0][at % 3],
    }
}

/// So many leaves under random nodes; where edges are fixed some lead nowhere.
fn tree(seed: u64, name: &str, leaves: usize, arity: Option<u32>) -> Tree {
    let mut rng = Rng::new(seed ^ name.len() as u64);
    let most = arity.map_or(3, |n| n as usize).max(1);
    let mut edges: Vec<Vec<i64>> = vec![vec![-1; arity.unwrap_or(0) as usize]; leaves];
    let mut roots: Vec<i64> = (0..leaves as i64).collect();
    while roots.len() > 1 && most > 1 {
        let count = rng.between(2, most.min(roots.len()).max(2));
        let mut children: Vec<i64> = (0..count).map(|_| roots.remove(rng.below(roots.len()))).collect();
        while arity.is_some() && children.len() < most {
            children.insert(rng.below(children.len() + 1), -1);
        }
        // A node of one child now and then.
        roots.push(edges.len() as i64);
        edges.push(children);
        if rng.one_in(4) {
            let top = roots.len() - 1;
            let only = roots[top];
            roots[top] = edges.len() as i64;
            let mut one = vec![only];
            while arity.is_some() && one.len() < most {
                one.insert(rng.below(one.len() + 1), -1);
            }
            edges.push(one);
        }
    }
    if most == 1 {
        edges = (0..leaves as i64).map(|k| vec![k - 1]).collect();
    }
    Tree::new(edges.iter().map(Vec::as_slice)).unwrap_or_default()
}

/// One example of a batch by itself, without padding.
pub fn alone(graph: &Graph, batch: &Batch, b: usize) -> Batch {
    let mut one = Batch { size: 1, ..Batch::default() };
    for (name, all) in &batch.lengths {
        one.lengths.insert(name.clone(), vec![all[b]]);
    }
    for (name, all) in &batch.trees {
        one.trees.insert(name.clone(), vec![all[b].clone()]);
    }
    for source in &graph.sources {
        if let Some(array) = batch.arrays.get(&*source.name) {
            one.arrays.insert(source.name.to_string(), part(graph, batch, source.level, array, b));
        }
    }
    one
}

/// Of each domain, how many points an example has.
fn points(graph: &Graph, batch: &Batch, b: usize) -> Vec<usize> {
    let mut all: Vec<usize> = Vec::new();
    for domain in &graph.domains {
        let n = match &domain.kind {
            DomainKind::Chain { fixed: Some(n) } => *n as usize,
            DomainKind::Chain { fixed: None } => batch.lengths[&*domain.extent][b],
            DomainKind::Tree { .. } => batch.trees[&*domain.extent][b].nodes(),
            DomainKind::Derived(extent) => usize::try_from(extent.value(|a| all[a.index()])).unwrap_or(0),
            DomainKind::Children { .. } | DomainKind::Product(_) => 0,
        };
        all.push(n);
    }
    all
}

/// The part of an array that is an example's, without padding, with the example's axis.
pub fn part(graph: &Graph, batch: &Batch, level: Level, array: &ArrayD<f64>, b: usize) -> ArrayD<f64> {
    if level == Level::Shared {
        return array.clone();
    }
    let points = points(graph, batch, b);
    let axes = graph.axes_of(level);
    let mut view = array.view();
    for (i, axis) in axes.iter().enumerate() {
        let n = points[axis.index()].min(view.shape()[i]);
        view.slice_axis_inplace(Axis(i), Slice::from(0..n));
    }
    view.slice_axis_inplace(Axis(axes.len()), Slice::from(b..b + 1));
    view.to_owned()
}
