//! Whether the equations have an order, without unrolling them.
//!
//! Values that depend on each other form a component. Its points have an order if some axis is stepped along in one direction
//! only: points follow each other along it, and what reads no other point of it is ordered again within one of its points
//! (A. Darte, F. Vivien, 1995). Where no axis serves, a direction across axes may: a vector τ with τ·d ≥ 1 for all
//! dependences d (L. Lamport, 1974). What reads all points of an axis is known only when the axis is done.

use super::builder::Builder;
use super::errors;
use crate::eqn::{DomainId, DomainKind, Graph, NodeId, Offset, Op};
use std::collections::{BTreeMap, BTreeSet};

/// So many corrections find a direction across axes, if there is one with small numbers.
const MAX_CORRECTIONS: usize = 100_000;

/// Why there is no order.
enum Fault {
    /// Reads all points of an axis before they are known.
    Whole(NodeId),
    /// Lags that lead back to where they began, each taken so many times.
    Lags(Vec<(NodeId, i64)>),
}

/// Lags that lead round are looked for with so many turns of each at most.
const MAX_TURNS: i64 = 6;

/// A lag with the points it leads along each axis.
struct Dependence {
    node: NodeId,
    by: BTreeMap<DomainId, i64>,
}

impl Builder<'_> {
    /// No order exists for a value that is read before and after itself, or at all points before it is
    /// known at one.
    pub fn check_order(&mut self) {
        let graph = &self.graph;
        let found = components(graph.nodes.len(), |v| edges(graph, NodeId(v as u32), &BTreeSet::new()));
        let faults: Vec<Fault> =
            found.iter().filter_map(|c| ordered(graph, c, &BTreeSet::new()).err()).collect();
        for fault in faults {
            let name = |n: NodeId| match self.graph.node(n).op {
                Op::Lag { state, .. } => self.graph.states[state.index()].name.to_string(),
                _ => self.graph.node(n).name.as_ref().map_or_else(|| "this".into(), |n| n.to_string()),
            };
            let at = |n: NodeId| self.graph.node(n).span;
            let d = match fault {
                Fault::Whole(node) => {
                    let read = self.graph.node(node).op.operands().next().unwrap_or(node);
                    errors::read_before_known(&name(self.named(read)), at(node))
                }
                Fault::Lags(lags) => {
                    let names: BTreeSet<String> = lags.iter().map(|(n, _)| name(*n)).collect();
                    let names: Vec<String> = names.into_iter().collect();
                    let places: Vec<_> =
                        lags.iter().map(|(n, turns)| (at(*n), self.leads(*n), *turns)).collect();
                    errors::before_and_after(&names, &places)
                }
            };
            self.report(d);
        }
    }

    /// Where a lag leads, in words.
    fn leads(&self, lag: NodeId) -> String {
        let Op::Lag { state, offset } = self.graph.node(lag).op else { return String::new() };
        let axes = self.graph.axes(self.graph.states[state.index()].domain);
        match (offset, &axes[..]) {
            (Offset::Child(_) | Offset::EachChild(_), _) => "a child".into(),
            (Offset::Parent(_) | Offset::FromEach(_), _) => "a parent".into(),
            (Offset::By(by), [_]) if by[0] < 0 => "an earlier step".into(),
            (Offset::By(_), [_]) => "a later step".into(),
            (Offset::By(by), axes) => {
                let along = |k: &i32| if *k == 0 { "0".to_string() } else { format!("{k:+}") };
                let all: Vec<String> = by[..axes.len()].iter().map(along).collect();
                format!("leads ({})", all.join(", "))
            }
        }
    }

    /// The nearest value below a node that has a name.
    fn named(&self, node: NodeId) -> NodeId {
        let mut at = node;
        while self.graph.node(at).name.is_none() && !matches!(self.graph.node(at).op, Op::Lag { .. }) {
            match self.graph.node(at).op.operands().next() {
                Some(below) => at = below,
                None => return node,
            }
        }
        at
    }
}

/// What a node reads; lags of `cut` read what is known.
fn edges(graph: &Graph, id: NodeId, cut: &BTreeSet<NodeId>) -> Vec<usize> {
    let op = &graph.node(id).op;
    let mut out: Vec<usize> = op.operands().map(|o| o.index()).collect();
    if let Op::Lag { state, .. } = op
        && !cut.contains(&id)
    {
        out.extend(graph.states.get(state.index()).and_then(|s| s.def).map(|d| d.index()));
    }
    out
}

/// Orders one component, whose nodes ascend.
fn ordered(graph: &Graph, nodes: &[NodeId], cut: &BTreeSet<NodeId>) -> Result<(), Fault> {
    let member = |id: NodeId| nodes.binary_search(&id).is_ok();
    let (mut lags, mut blocked) = (Vec::new(), BTreeMap::new());
    for id in nodes {
        let op = &graph.node(*id).op;
        match op {
            Op::Lag { .. } if cut.contains(id) => {}
            Op::Lag { state, offset } => {
                let domain = graph.states[state.index()].domain;
                lags.push(Dependence { node: *id, by: steps(graph, domain, *offset) });
            }
            op if op.operands().any(member) => {
                for axis in whole_along(graph, *id) {
                    blocked.entry(axis).or_insert(*id);
                }
            }
            _ => {}
        }
    }
    let axes: BTreeSet<DomainId> = lags.iter().flat_map(|l| l.by.keys().copied()).collect();
    for axis in axes.iter().filter(|a| !blocked.contains_key(a)) {
        let along = |l: &Dependence| l.by.get(axis).copied().unwrap_or(0);
        if !(lags.iter().all(|l| along(l) <= 0) || lags.iter().all(|l| along(l) >= 0)) {
            continue;
        }
        let mut cut = cut.clone();
        cut.extend(lags.iter().filter(|l| along(l) != 0).map(|l| l.node));
        let local = |v: usize| -> Vec<usize> {
            let reads = edges(graph, nodes[v], &cut);
            reads.into_iter().filter_map(|o| nodes.binary_search(&NodeId(o as u32)).ok()).collect()
        };
        for inner in components(nodes.len(), local) {
            let inner: Vec<NodeId> = inner.iter().map(|i| nodes[i.index()]).collect();
            ordered(graph, &inner, &cut)?;
        }
        return Ok(());
    }
    let free: Vec<DomainId> = axes.iter().copied().filter(|a| !blocked.contains_key(a)).collect();
    if direction(&lags, &free).is_some() {
        return Ok(());
    }
    match (round(&lags, &free), blocked.values().next(), lags.first()) {
        (Some(lags), ..) => Err(Fault::Lags(lags)),
        (None, Some(node), _) => Err(Fault::Whole(*node)),
        (None, None, Some(_)) => Err(Fault::Lags(lags.iter().map(|l| (l.node, 1)).collect())),
        (None, None, None) => Ok(()),
    }
}

/// Two or three lags that lead back to where they began: their vectors, so many times each, add up to nothing.
fn round(lags: &[Dependence], axes: &[DomainId]) -> Option<Vec<(NodeId, i64)>> {
    let mut seen = BTreeSet::new();
    let vectors: Vec<(NodeId, Vec<i64>)> = lags
        .iter()
        .map(|l| (l.node, axes.iter().map(|a| l.by.get(a).copied().unwrap_or(0)).collect()))
        .filter(|(_, by): &(_, Vec<i64>)| by.iter().any(|k| *k != 0) && seen.insert(by.clone()))
        .collect();
    let turns = |vectors: &[&(NodeId, Vec<i64>)]| {
        let count = MAX_TURNS.pow(vectors.len() as u32);
        let numbers = |c: i64| -> Vec<i64> {
            (0..vectors.len() as u32).map(|i| c / MAX_TURNS.pow(i) % MAX_TURNS + 1).collect()
        };
        (0..count).map(numbers).find(|turns| {
            (0..axes.len()).all(|axis| {
                let along = vectors.iter().zip(turns).map(|((_, by), n)| by[axis].saturating_mul(*n));
                along.fold(0, i64::saturating_add) == 0
            })
        })
    };
    let of = |all: &[usize]| {
        let all: Vec<_> = all.iter().map(|i| &vectors[*i]).collect();
        let turns = turns(&all)?;
        Some(all.iter().map(|(node, _)| *node).zip(turns).collect::<Vec<_>>())
    };
    // So many that a mistake is told at once.
    let n = vectors.len().min(24);
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| [i, j]));
    let triples = (0..n).flat_map(|i| (i + 1..n).flat_map(move |j| (j + 1..n).map(move |k| [i, j, k])));
    pairs.map(|p| of(&p)).chain(triples.map(|t| of(&t))).find_map(|found| found)
}

/// The points a lag leads along each axis. Children come before their parents.
fn steps(graph: &Graph, domain: DomainId, offset: Offset) -> BTreeMap<DomainId, i64> {
    let axes = graph.axes(domain);
    let tree =
        axes.iter().copied().find(|a| matches!(graph.domains[a.index()].kind, DomainKind::Tree { .. }));
    match offset {
        Offset::By(by) => {
            axes.iter().zip(by).filter(|(_, k)| *k != 0).map(|(a, k)| (*a, i64::from(k))).collect()
        }
        Offset::Child(_) | Offset::EachChild(_) => tree.map(|t| (t, -1)).into_iter().collect(),
        Offset::Parent(_) | Offset::FromEach(_) => tree.map(|t| (t, 1)).into_iter().collect(),
    }
}

/// The axes of which a node reads other points than its own.
fn whole_along(graph: &Graph, id: NodeId) -> Vec<DomainId> {
    let node = graph.node(id);
    match &node.op {
        Op::SumOver(arg) | Op::FoldOver { arg, .. } => {
            let rest = graph.axes_of(node.level);
            graph.axes_of(graph.level(*arg)).into_iter().filter(|a| !rest.contains(a)).collect()
        }
        Op::At { axis, .. } | Op::Points { axis, .. } => vec![*axis],
        Op::Remap { maps, .. } => maps.iter().flat_map(|m| [m.from, m.to]).collect(),
        Op::Flatten { grid, line, .. } => grid.iter().chain([line]).copied().collect(),
        _ => Vec::new(),
    }
}

/// A vector whose product with every dependence is at least 1: corrected by what it fails for, until it fails for none.
fn direction(lags: &[Dependence], axes: &[DomainId]) -> Option<Vec<i64>> {
    let vectors: BTreeSet<Vec<i64>> =
        lags.iter().map(|l| axes.iter().map(|a| -l.by.get(a).copied().unwrap_or(0)).collect()).collect();
    let mut tau = vec![0i64; axes.len()];
    for _ in 0..MAX_CORRECTIONS / vectors.len().max(1) {
        let product =
            |d: &[i64]| tau.iter().zip(d).map(|(t, x)| t.saturating_mul(*x)).fold(0, i64::saturating_add);
        let Some(failed) = vectors.iter().find(|d| product(d) < 1) else { return Some(tau) };
        let failed = failed.clone();
        tau.iter_mut().zip(failed).for_each(|(t, x)| *t = t.saturating_add(x));
    }
    None
}

/// Sets of nodes that depend on each other; only those with more than one node.
fn components(n: usize, edges: impl Fn(usize) -> Vec<usize>) -> Vec<Vec<NodeId>> {
    // Tarjan's algorithm with its own stack: graphs may be deep.
    let (mut index, mut low) = (vec![usize::MAX; n], vec![0usize; n]);
    let mut on_stack = vec![false; n];
    let (mut stack, mut out, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..n {
        if index[root] != usize::MAX {
            continue;
        }
        let mut work: Vec<(usize, Vec<usize>, usize)> = vec![(root, edges(root), 0)];
        index[root] = next;
        low[root] = next;
        next += 1;
        stack.push(root);
        on_stack[root] = true;
        while let Some((v, targets, at)) = work.last_mut() {
            let v = *v;
            if let Some(w) = targets.get(*at).copied() {
                *at += 1;
                if index[w] == usize::MAX {
                    index[w] = next;
                    low[w] = next;
                    next += 1;
                    stack.push(w);
                    on_stack[w] = true;
                    work.push((w, edges(w), 0));
                } else if on_stack[w] {
                    low[v] = low[v].min(index[w]);
                }
                continue;
            }
            work.pop();
            if let Some((parent, ..)) = work.last() {
                low[*parent] = low[*parent].min(low[v]);
            }
            if low[v] == index[v] {
                let mut component = Vec::new();
                while let Some(w) = stack.pop() {
                    on_stack[w] = false;
                    component.push(NodeId(w as u32));
                    if w == v {
                        break;
                    }
                }
                if component.len() > 1 {
                    component.sort();
                    out.push(component);
                }
            }
        }
    }
    out
}
