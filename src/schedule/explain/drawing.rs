//! Fronts of a small domain, and how they are drawn in letters.
//!
//! In: the axes of a recurrence and its front. Out: a [`Figure`], each point with the number of its front, from 1, or none
//! where a page cannot show it; and lines of text of it.

use crate::eqn::tree::Tree;
use crate::eqn::{Domain, DomainId, DomainKind};
use crate::loops::Front;

/// Points of an axis that goes down, to the right, backwards.
const DRAWN: [usize; 3] = [4, 6, 2];
/// A tree in letters has a node of every height up to 3: each line, heights written as letters.
const TREE: [&str; 5] = ["      c", "     / \\", "    b   a", "   / \\", "  a   a"];
/// Children of a node that are drawn.
const CHILDREN: i64 = 3;

/// A small domain with its fronts.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    Lattice(Lattice),
    Nodes(Nodes),
}

/// Points of one to three axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Lattice {
    pub axes: Vec<DomainId>,
    /// Points of each axis.
    pub extents: Vec<usize>,
    /// Of each point, row-major.
    pub fronts: Vec<i64>,
}

/// A tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodes {
    pub tree: Tree,
    /// Of each node.
    pub fronts: Vec<i64>,
    /// Of the tree's edges; a name may be missing.
    pub edges: Vec<String>,
}

pub fn figure(domains: &[Domain], axes: &[DomainId], front: &Front, reverse: bool) -> Option<Figure> {
    let domain = |axis: &DomainId| domains.get(axis.index());
    let is_tree = |axis: &DomainId| domain(axis).is_some_and(|d| matches!(d.kind, DomainKind::Tree { .. }));
    if front.0.iter().any(|(axis, _)| is_tree(axis)) {
        let [(axis, _)] = front.0[..] else { return None };
        return domain(&axis).map(|d| Figure::Nodes(nodes(d, reverse)));
    }
    let flat = axes.iter().all(|axis| {
        domain(axis).is_some_and(|d| matches!(d.kind, DomainKind::Chain { .. } | DomainKind::Derived(_)))
    });
    let fits = flat && (1..=DRAWN.len()).contains(&axes.len());
    fits.then(|| Figure::Lattice(lattice(domains, axes, front, reverse)))
}

fn lattice(domains: &[Domain], axes: &[DomainId], front: &Front, reverse: bool) -> Lattice {
    // A single axis goes to the right.
    let room = if axes.len() == 1 { &DRAWN[1..] } else { &DRAWN[..] };
    let drawn = |(axis, most): (&DomainId, &usize)| match domains.get(axis.index()).map(|d| &d.kind) {
        Some(DomainKind::Chain { fixed: Some(n) }) => (*n as usize).clamp(1, *most),
        _ => *most,
    };
    let extents: Vec<usize> = axes.iter().zip(room).map(drawn).collect();
    let sign = if reverse { -1 } else { 1 };
    let weight = |axis: &DomainId| {
        let found = front.0.iter().find(|(a, _)| a == axis);
        sign * found.map_or(0, |(_, k)| i64::from(*k))
    };
    let mut fronts = vec![0];
    for (axis, extent) in axes.iter().zip(&extents) {
        let next = |sum: &i64| (0..*extent as i64).map(|p| sum + weight(axis) * p).collect::<Vec<_>>();
        fronts = fronts.iter().flat_map(next).collect();
    }
    let first = fronts.iter().copied().min().unwrap_or(0);
    fronts.iter_mut().for_each(|number| *number += 1 - first);
    Lattice { axes: axes.to_vec(), extents, fronts }
}

fn nodes(domain: &Domain, reverse: bool) -> Nodes {
    let DomainKind::Tree { arity } = domain.kind else { return nodes_of(&[], vec![], reverse) };
    let names = domain.edges.iter().map(|e| e.to_string()).collect();
    let many = arity.map_or(CHILDREN, |n| i64::from(n).clamp(1, CHILDREN));
    // The first child of the root is a leaf where there is a second one, which shows that leaves of any depth are one front.
    let below: Vec<i64> = (0..many).collect();
    let mut edges: Vec<Vec<i64>> = vec![vec![]; many as usize];
    edges.push(below);
    let inner = many;
    let next = inner + 1;
    if many > 1 {
        edges.push(vec![]);
        edges.push(vec![next, inner]);
        edges.push(vec![]);
        edges.push(vec![next + 1, next + 2]);
    } else {
        edges.push(vec![inner]);
        edges.push(vec![next]);
    }
    nodes_of(&edges, names, reverse)
}

fn nodes_of(edges: &[Vec<i64>], names: Vec<String>, reverse: bool) -> Nodes {
    let tree = Tree::new(edges.iter().map(Vec::as_slice)).unwrap_or_default();
    let heights = tree.heights();
    let most = heights.iter().copied().max().unwrap_or(0);
    let number = |h: &usize| (if reverse { most - h } else { *h }) as i64 + 1;
    Nodes { fronts: heights.iter().map(number).collect(), tree, edges: names }
}

/// `var`: what an axis is called.
pub fn letters<'a>(figure: &Figure, var: impl Fn(&DomainId) -> &'a str, reverse: bool) -> Vec<String> {
    match figure {
        Figure::Nodes(_) => tree(reverse),
        Figure::Lattice(lattice) if lattice.axes.len() > 1 => grid(lattice, var),
        Figure::Lattice(_) => Vec::new(),
    }
}

fn tree(reverse: bool) -> Vec<String> {
    let number = |height: u32| if reverse { 4 - height } else { height };
    let mut lines = vec!["  a tree; the number of each node's front:".to_string()];
    for line in TREE {
        let of = |c: char| match c {
            'a'..='c' => char::from_digit(number(c as u32 - 'a' as u32 + 1), 10).unwrap_or(c),
            c => c,
        };
        lines.push(format!("  {}", line.chars().map(of).collect::<String>()));
    }
    lines
}

fn grid<'a>(lattice: &Lattice, var: impl Fn(&DomainId) -> &'a str) -> Vec<String> {
    let extent = |i: usize| lattice.extents.get(i).copied().unwrap_or(1);
    let mut head = format!("  {} down, {} to the right", var(&lattice.axes[0]), var(&lattice.axes[1]));
    if let Some(third) = lattice.axes.get(2) {
        let positions: Vec<String> = (1..=extent(2)).map(|k| k.to_string()).collect();
        head += &format!(", beside each other {} = {}", var(third), positions.join(", "));
    }
    let mut lines = vec![head + "; the number of each point's front:"];
    for i in 0..extent(0) {
        let of = |k: usize| -> String {
            let at = |j: usize| (i * extent(1) + j) * extent(2) + k;
            (0..extent(1)).map(|j| format!("{:3}", lattice.fronts[at(j)])).collect()
        };
        lines.push(format!("  {}", (0..extent(2)).map(of).collect::<Vec<_>>().join("    ")));
    }
    lines
}
