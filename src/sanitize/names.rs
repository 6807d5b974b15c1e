//! What the author calls the nodes of a graph.

use crate::eqn::{DomainId, Graph, NodeId, Offset, Op, SourceId, SourceKind, State, StateId};

/// A name that a reader knows without looking at the equation: the node's own, an array's, a state at another point.
pub(super) fn own(graph: &Graph, id: NodeId) -> Option<String> {
    let node = graph.node(id);
    match &node.op {
        Op::Source(source) => Some(graph.sources[source.index()].name.to_string()),
        Op::Const(c) => Some(c.to_string()),
        Op::Lag { state, offset } => Some(read(graph, *state, *offset)),
        _ => node.name.as_ref().map(|name| name.to_string()),
    }
}

/// A state at another point: `h[t-1]`, `h[i-1, j]`, `h[left]`.
fn read(graph: &Graph, state: StateId, offset: Offset) -> String {
    let state = &graph.states[state.index()];
    let domain = |d: DomainId| &graph.domains[d.index()];
    let moved = |(axis, by): (&DomainId, &i32)| match by {
        0 => domain(*axis).var.to_string(),
        by => format!("{}{by:+}", domain(*axis).var),
    };
    let place = match &offset {
        Offset::By(by) => {
            let axes = graph.axes(state.domain);
            axes.iter().zip(by).map(moved).collect::<Vec<_>>().join(", ")
        }
        Offset::Child(k) => match domain(state.domain).edges.get(*k as usize) {
            Some(edge) => edge.to_string(),
            None => format!("child {}", k + 1),
        },
        Offset::EachChild(_) => "each child".to_string(),
        Offset::Parent(_) | Offset::FromEach(_) => "parent".to_string(),
    };
    format!("{}[{place}]", state.name)
}

/// The name of the equation that a node is a part of: its own, that of the nearest value that is made of it, or that of an
/// output.
pub(super) fn equation(graph: &Graph, id: NodeId) -> String {
    if let Op::Source(source) = graph.node(id).op {
        return graph.sources[source.index()].name.to_string();
    }
    let mut at = Some(id);
    while let Some(id) = at {
        if let Some(name) = &graph.node(id).name {
            return name.to_string();
        }
        if let Some(state) = graph.states.iter().find(|s| s.values().any(|v| v == id)) {
            return state.name.to_string();
        }
        if let Some(output) = graph.outputs.iter().find(|o| o.node == id) {
            return output.name.to_string();
        }
        at = reader(graph, id);
    }
    graph.name.clone()
}

/// The first node that reads another; it stands behind it.
pub(super) fn reader(graph: &Graph, id: NodeId) -> Option<NodeId> {
    graph.node_ids().skip(id.index() + 1).find(|r| graph.node(*r).op.operands().any(|x| x == id))
}

/// An array that is given, as a reader calls it.
pub(super) fn kind(graph: &Graph, source: SourceId) -> &'static str {
    match graph.sources[source.index()].kind {
        SourceKind::Input => "input",
        SourceKind::Param(_) => "parameter",
        SourceKind::Initial { .. } => "initial state",
        SourceKind::Noise(_) => "noise",
        SourceKind::Cotangent => "cotangent",
    }
}

/// Whether no output needs a node but those that follow from cotangents.
pub(super) fn only_in_gradient(graph: &Graph, id: NodeId) -> bool {
    let gradient = from_cotangents(graph);
    let forward = graph.outputs.iter().map(|o| o.node).filter(|n| !gradient[n.index()]);
    let mut needed = vec![false; graph.nodes.len()];
    let mut open: Vec<NodeId> = forward.collect();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut needed[id.index()], true) {
            continue;
        }
        let op = &graph.node(id).op;
        open.extend(op.operands());
        if let Op::Lag { state, .. } = op {
            open.extend(graph.states[state.index()].values());
        }
    }
    !needed[id.index()]
}

/// Of each node: does a cotangent reach it?
fn from_cotangents(graph: &Graph) -> Vec<bool> {
    let mut reached = vec![false; graph.nodes.len()];
    loop {
        let mut changed = false;
        for id in graph.node_ids() {
            let op = &graph.node(id).op;
            let state = |s: &State| s.values().any(|v| reached[v.index()]);
            let now = match op {
                Op::Source(s) => graph.sources[s.index()].kind == SourceKind::Cotangent,
                Op::Lag { state: s, .. } => state(&graph.states[s.index()]),
                op => op.operands().any(|x| reached[x.index()]),
            };
            changed |= now && !std::mem::replace(&mut reached[id.index()], now);
        }
        if !changed {
            return reached;
        }
    }
}
