//! How long the axes are along which gradients are followed.
//!
//! In: a graph and a length. Out: [`Extents`]: of every axis the length for one example, of a tree its shape, a whole tree in
//! which every node but the leaves has all its children.

use super::errors;
use crate::diag::Diagnostic;
use crate::eqn::eval::Batch;
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, DomainKind, Graph, Level, StateId};

/// Steps of a chain, of each axis of a grid, if nobody says how many.
const CHAIN: usize = 50;
const GRID: usize = 12;
/// Nodes of a tree then, at most.
const NODES: usize = 40;
/// Children of a node of a tree of any number.
const CHILDREN: usize = 2;
/// Points of all axes together.
const MOST: usize = 10_000;

pub struct Extents {
    /// Of every domain but products.
    lengths: Vec<usize>,
    trees: Vec<Option<Tree>>,
}

impl Extents {
    pub fn new(graph: &Graph, carried: &[StateId], length: Option<usize>) -> Result<Extents, Diagnostic> {
        let widest =
            carried.iter().map(|id| graph.axes(graph.states[id.index()].domain).len()).max().unwrap_or(1);
        let free = length.unwrap_or(if widest > 1 { GRID } else { CHAIN });
        let mut found = Extents { lengths: Vec::new(), trees: Vec::new() };
        for domain in &graph.domains {
            let mut tree = None;
            let known = |d: DomainId| found.lengths.get(d.index()).copied().unwrap_or(0);
            let length = match &domain.kind {
                DomainKind::Chain { fixed } => fixed.map_or(free, |n| n as usize),
                DomainKind::Derived(extent) => usize::try_from(extent.value(known)).unwrap_or(0),
                DomainKind::Tree { arity } => {
                    let arity = arity.map_or(CHILDREN, |n| n as usize);
                    let made = whole_tree(arity, length)?;
                    let nodes = made.nodes();
                    tree = Some(made);
                    nodes
                }
                DomainKind::Children { tree } => {
                    let tree = found.trees.get(tree.index()).and_then(Option::as_ref);
                    tree.map_or(0, |t| (0..t.nodes()).map(|node| t.arity(node)).max().unwrap_or(0))
                }
                DomainKind::Product(_) => 0,
            };
            found.lengths.push(length);
            found.trees.push(tree);
        }
        for id in carried {
            let axes = graph.axes(graph.states[id.index()].domain);
            let points = axes.iter().fold(1usize, |n, a| n.saturating_mul(found.length(*a)));
            if points > MOST {
                return Err(errors::too_many_points(points, MOST));
            }
            if points == 0 {
                return Err(errors::no_points());
            }
        }
        Ok(found)
    }

    pub fn length(&self, axis: DomainId) -> usize {
        self.lengths.get(axis.index()).copied().unwrap_or(0)
    }

    pub fn tree(&self, axis: DomainId) -> Option<&Tree> {
        self.trees.get(axis.index())?.as_ref()
    }

    /// An axis in words: its variable, if no other has the same.
    pub fn name(&self, graph: &Graph, axis: DomainId) -> String {
        let Some(domain) = graph.domains.get(axis.index()) else { return String::new() };
        let is_axis = |kind: &DomainKind| !matches!(kind, DomainKind::Product(_));
        let same = graph.domains.iter().filter(|d| is_axis(&d.kind) && d.var == domain.var).count();
        if same > 1 { domain.extent.to_string() } else { domain.var.to_string() }
    }

    /// Extents of an array of a level: axes, then the example.
    pub fn of(&self, graph: &Graph, level: Level) -> Vec<usize> {
        let example = (level != Level::Shared).then_some(1);
        graph.axes_of(level).iter().map(|a| self.length(*a)).chain(example).collect()
    }

    pub fn give(&self, graph: &Graph, batch: &mut Batch) {
        for (i, domain) in graph.domains.iter().enumerate() {
            match &domain.kind {
                DomainKind::Chain { .. } => {
                    batch.lengths.insert(domain.extent.to_string(), vec![self.lengths[i]]);
                }
                DomainKind::Tree { .. } => {
                    let trees = self.trees[i].iter().cloned().collect();
                    batch.trees.insert(domain.extent.to_string(), trees);
                }
                _ => {}
            }
        }
    }
}

/// A tree whose leaves are all `levels` nodes from its root; if nobody says how many, as many as can be looked at. A node
/// stands right behind its last child's part of the tree.
fn whole_tree(arity: usize, levels: Option<usize>) -> Result<Tree, Diagnostic> {
    let nodes = |levels: usize| {
        let mut row = 1usize;
        let mut all = 0usize;
        for _ in 0..levels {
            all = all.saturating_add(row);
            row = row.saturating_mul(arity);
            if row == 0 || all > MOST {
                break;
            }
        }
        all
    };
    let levels =
        levels.unwrap_or_else(|| (2..=NODES.min(12)).take_while(|l| nodes(*l) <= NODES).last().unwrap_or(2));
    if nodes(levels) > MOST {
        return Err(errors::too_many_points(nodes(levels), MOST));
    }
    let mut edges: Vec<Vec<i64>> = Vec::new();
    // Parts of the tree, as numbers of levels: to be begun, or with their children's roots to come.
    let mut stack: Vec<(usize, Option<usize>)> = vec![(levels, None)];
    let mut roots: Vec<i64> = Vec::new();
    while let Some((levels, begun)) = stack.pop() {
        match begun {
            None if levels > 1 && arity > 0 => {
                stack.push((levels, Some(roots.len())));
                // Their roots come in the order in which they are taken up.
                stack.extend((0..arity).map(|_| (levels - 1, None)));
            }
            None => {
                roots.push(edges.len() as i64);
                edges.push(Vec::new());
            }
            Some(_) => {
                let children = roots.split_off(roots.len() - arity);
                roots.push(edges.len() as i64);
                edges.push(children);
            }
        }
    }
    Ok(Tree::new(edges.iter().map(Vec::as_slice)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_tree_has_all_children() {
        let tree = whole_tree(2, Some(3)).expect("a tree");
        assert_eq!(tree.nodes(), 7);
        assert_eq!((tree.children(2), tree.children(6)), (&[0, 1][..], &[2, 5][..]));
        assert_eq!(whole_tree(2, None).expect("a tree").nodes(), 31);
        assert_eq!(whole_tree(1, None).expect("a tree").nodes(), 12);
        assert_eq!(whole_tree(7, None).expect("a tree").nodes(), 8);
        assert!(whole_tree(2, Some(40)).is_err());
    }
}
