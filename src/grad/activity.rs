//! Which values take part: what depends on a chosen source, what a chosen output depends on.
//!
//! Out: the set of active nodes, in an order in which every consumer comes before what it consumes
//! (and every read outside the domain before the initial value it may read). A source that is reached
//! only through operations without a slope is refused here.

use super::errors::{self, Step};
use super::rules::{self, Path};
use crate::eqn::{Graph, NodeId, Op, SourceId};
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

pub(super) struct Activity {
    /// Nodes that need an adjoint: consumers first.
    pub order: Vec<NodeId>,
    pub active: Vec<bool>,
}

/// What a node's value depends on, read at this point or elsewhere.
fn dependences(graph: &Graph, id: NodeId) -> Vec<(NodeId, Path)> {
    let op = &graph.node(id).op;
    let mut all: Vec<(NodeId, Path)> =
        op.operands().enumerate().map(|(i, a)| (a, rules::path(op, i))).collect();
    if let Op::Lag { state, .. } = op {
        let state = &graph.states[state.index()];
        all.extend(state.values().map(|a| (a, Path::Smooth)));
    }
    all
}

/// Nodes reachable from `roots` against the flow of values, along the paths that `along` admits; for each
/// the node it was reached from.
fn reach(graph: &Graph, roots: &[NodeId], along: impl Fn(Path) -> bool) -> Vec<Option<NodeId>> {
    let mut from = vec![None; graph.nodes.len()];
    let mut open: Vec<NodeId> = Vec::new();
    for root in roots {
        if from[root.index()].is_none() {
            from[root.index()] = Some(*root);
            open.push(*root);
        }
    }
    while let Some(id) = open.pop() {
        for (a, path) in dependences(graph, id) {
            if along(path) && from[a.index()].is_none() {
                from[a.index()] = Some(id);
                open.push(a);
            }
        }
    }
    from
}

/// `again`: sources that may be reached through kinks alone (see [`super::again`]).
pub(super) fn analyse(
    graph: &Graph,
    wrt: &[SourceId],
    roots: &[NodeId],
    again: Option<&BTreeSet<Arc<str>>>,
) -> Step<Activity> {
    let reached = reach(graph, roots, |p| p == Path::Smooth);
    let is_known = |id: &SourceId| again.is_some_and(|all| all.contains(&graph.sources[id.index()].name));
    let strict: Vec<SourceId> = wrt.iter().copied().filter(|id| !is_known(id)).collect();
    refuse_blocked(graph, &strict, roots, &reached)?;

    let chosen: BTreeSet<SourceId> = wrt.iter().copied().collect();
    let mut wanted = vec![false; graph.nodes.len()];
    let mut readers: Vec<Vec<NodeId>> = vec![Vec::new(); graph.nodes.len()];
    let mut open = Vec::new();
    for id in graph.node_ids() {
        if matches!(graph.node(id).op, Op::Source(s) if chosen.contains(&s)) {
            wanted[id.index()] = true;
            open.push(id);
        }
        for (a, path) in dependences(graph, id) {
            if path == Path::Smooth {
                readers[a.index()].push(id);
            }
        }
    }
    while let Some(id) = open.pop() {
        for reader in &readers[id.index()] {
            if !std::mem::replace(&mut wanted[reader.index()], true) {
                open.push(*reader);
            }
        }
    }
    let active: Vec<bool> =
        graph.node_ids().map(|n| wanted[n.index()] && reached[n.index()].is_some()).collect();
    let order = order(graph, &active)?;
    Ok(Activity { order, active })
}

fn refuse_blocked(graph: &Graph, wrt: &[SourceId], roots: &[NodeId], reached: &[Option<NodeId>]) -> Step<()> {
    let any = reach(graph, roots, |p| p != Path::Stopped);
    let (wrt, mut smooth): (BTreeSet<SourceId>, BTreeSet<SourceId>) =
        (wrt.iter().copied().collect(), BTreeSet::new());
    for id in graph.node_ids().filter(|n| reached[n.index()].is_some()) {
        if let Op::Source(source) = graph.node(id).op {
            smooth.insert(source);
        }
    }
    for id in graph.node_ids() {
        let Op::Source(source) = graph.node(id).op else { continue };
        if !wrt.contains(&source) || any[id.index()].is_none() || smooth.contains(&source) {
            continue;
        }
        // Back along the path that was found, to its last operation without a slope.
        let (mut at, mut blocking) = (id, id);
        for _ in 0..graph.nodes.len() {
            let Some(reader) = any[at.index()].filter(|r| *r != at) else { break };
            let blocked = dependences(graph, reader).iter().any(|(a, p)| *a == at && *p == Path::Blocked);
            if blocked {
                blocking = reader;
                break;
            }
            at = reader;
        }
        return Err(errors::no_gradient(graph, &graph.sources[source.index()], blocking).into());
    }
    Ok(())
}

/// Consumers before operands, reads of a state before its initial values; ties by descending id.
fn order(graph: &Graph, active: &[bool]) -> Step<Vec<NodeId>> {
    let before = |id: NodeId| {
        let op = &graph.node(id).op;
        let mut all: Vec<NodeId> = op.operands().collect();
        if let Op::Lag { state, .. } = op {
            all.extend(graph.states[state.index()].boundary());
        }
        all
    };
    let mut pending = vec![0usize; graph.nodes.len()];
    for id in graph.node_ids().filter(|n| active[n.index()]) {
        for a in before(id) {
            pending[a.index()] += 1;
        }
    }
    let mut ready: BinaryHeap<NodeId> =
        graph.node_ids().filter(|n| active[n.index()] && pending[n.index()] == 0).collect();
    let mut order = Vec::new();
    while let Some(id) = ready.pop() {
        order.push(id);
        for a in before(id) {
            pending[a.index()] -= 1;
            if pending[a.index()] == 0 && active[a.index()] {
                ready.push(a);
            }
        }
    }
    let stuck = graph.node_ids().find(|n| active[n.index()] && pending[n.index()] > 0);
    match stuck {
        Some(id) => Err(errors::cyclic(graph, id).into()),
        None => Ok(order),
    }
}
