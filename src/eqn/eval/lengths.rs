//! Lengths and trees of a batch: given, fixed, found from other axes or from arrays.

use super::order::Step;
use super::points::Points;
use super::{Batch, Evaluator, MAX_MEMORY};
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, DomainKind, Graph, Op};

/// The points of a batch, as far as anything is computed at them.
pub(super) fn points<'a>(plan: &Evaluator<'a>, batch: &'a Batch) -> Result<Points<'a>, String> {
    let graph = plan.graph;
    let needed = plan.needed_axes();
    let mut trees: Vec<&[Tree]> = Vec::new();
    let mut lengths: Vec<Vec<usize>> = Vec::new();
    for (i, needed) in needed.iter().enumerate() {
        let id = DomainId(i as u32);
        trees.push(match graph.domains[i].kind {
            DomainKind::Tree { arity } if *needed => find_trees(graph, batch, id, arity)?,
            _ => &[],
        });
        lengths.push(match needed {
            true => find_lengths(graph, batch, id, &lengths, trees[i])?,
            false => Vec::new(),
        });
    }
    let extents = plan.given_extents(batch);
    let start = graph.domains.iter().map(|d| batch.start.get(&*d.extent).copied().unwrap_or(0));
    Ok(Points::new(&graph.domains, batch.size, lengths, trees, &extents).starting(start.collect()))
}

fn find_trees<'a>(
    graph: &Graph,
    batch: &'a Batch,
    id: DomainId,
    arity: Option<u32>,
) -> Result<&'a [Tree], String> {
    let extent = &graph.domains[id.index()].extent;
    let trees = batch.trees.get(&**extent).ok_or_else(|| format!("no trees are given for `{extent}`"))?;
    if trees.len() != batch.size {
        return Err(format!("there are {} trees of `{extent}` for a batch of {}", trees.len(), batch.size));
    }
    for (b, tree) in trees.iter().enumerate() {
        if let (Some(n), Some(node)) =
            (arity, (0..tree.nodes()).find(|k| arity.is_some_and(|n| tree.arity(*k) > n as usize)))
        {
            let has = tree.arity(node);
            return Err(format!("example {b}: node {node} has {has} edges, but `{extent}` has at most {n}"));
        }
    }
    Ok(trees)
}

/// Given, fixed, found from other axes, or those of the first array over the axis.
fn find_lengths(
    graph: &Graph,
    batch: &Batch,
    id: DomainId,
    known: &[Vec<usize>],
    trees: &[Tree],
) -> Result<Vec<usize>, String> {
    let domain = &graph.domains[id.index()];
    let fixed = match &domain.kind {
        DomainKind::Chain { fixed } => fixed.map(|n| n as usize),
        DomainKind::Tree { .. } => return Ok(trees.iter().map(Tree::nodes).collect()),
        DomainKind::Derived(extent) => {
            let length = |b: usize| {
                let n = extent.value(|axis| known[axis.index()].get(b).copied().unwrap_or(0));
                usize::try_from(n.max(0)).ok().filter(|n| *n <= MAX_MEMORY)
            };
            let too_long = || format!("`{}` is too long", domain.extent);
            return (0..batch.size).map(|b| length(b).ok_or_else(too_long)).collect();
        }
        DomainKind::Children { .. } | DomainKind::Product(_) => return Ok(Vec::new()),
    };
    if let Some(given) = batch.lengths.get(&*domain.extent) {
        if given.len() != batch.size {
            return Err(format!(
                "there are {} lengths of `{}` for a batch of {}",
                given.len(),
                domain.extent,
                batch.size
            ));
        }
        if let Some((b, n)) = given.iter().enumerate().find(|(_, n)| fixed.is_some_and(|f| f != **n)) {
            return Err(format!(
                "example {b} has length {n}, but `{}` is {}",
                domain.extent,
                fixed.unwrap_or(0)
            ));
        }
        return Ok(given.clone());
    }
    if let Some(n) = fixed {
        return Ok(vec![n; batch.size]);
    }
    for source in &graph.sources {
        let axis = graph.axes_of(source.level).iter().position(|a| *a == id);
        let array = batch.arrays.get(&*source.name);
        if let (Some(axis), Some(array)) = (axis, array)
            && let Some(steps) = array.shape().get(axis)
        {
            return Ok(vec![*steps; batch.size]);
        }
    }
    Err(format!("no lengths are given for `{}`, and no array over it", domain.extent))
}

impl Evaluator<'_> {
    /// Of each axis, how many points the given arrays have: beyond an example's length they are padding.
    fn given_extents(&self, batch: &Batch) -> Vec<usize> {
        let mut extents = vec![0; self.graph.domains.len()];
        for id in self.steps.iter().flat_map(Step::nodes) {
            let Op::Source(source) = self.graph.node(id).op else { continue };
            let source = &self.graph.sources[source.index()];
            let Some(array) = batch.arrays.get(&*source.name) else { continue };
            for (axis, n) in self.graph.axes_of(source.level).into_iter().zip(array.shape()) {
                extents[axis.index()] = extents[axis.index()].max(*n);
            }
        }
        extents
    }

    /// The axes over which something is computed, or whose length is read.
    fn needed_axes(&self) -> Vec<bool> {
        let mut needed = vec![false; self.graph.domains.len()];
        let mut note = |d: DomainId| needed[d.index()] = true;
        for id in self.steps.iter().flat_map(Step::nodes) {
            self.graph.axes_of(self.graph.level(id)).into_iter().for_each(&mut note);
            match &self.graph.node(id).op {
                Op::Length(d) => note(*d),
                Op::Flatten { grid, line, .. } => grid.iter().chain([line]).copied().for_each(&mut note),
                Op::Remap { maps, .. } => maps.iter().flat_map(|m| m.start.axes()).for_each(&mut note),
                _ => {}
            }
        }
        // Lengths are found from earlier axes.
        for i in (0..needed.len()).rev().filter(|i| needed[*i]).collect::<Vec<_>>() {
            match &self.graph.domains[i].kind {
                DomainKind::Derived(extent) => extent.axes().for_each(|d| needed[d.index()] = true),
                DomainKind::Children { tree } => needed[tree.index()] = true,
                _ => {}
            }
        }
        needed
    }
}
