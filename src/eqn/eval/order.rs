//! In which order the nodes of a graph are computed.
//!
//! In: a verified graph. Out: [`Step`]s, each of which needs only earlier ones. A step is one node
//! at all its points, or a recurrence: nodes that need one another through lags, of which each point is computed when
//! it is needed.

use crate::eqn::{Graph, NodeId, Op};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Node(NodeId),
    /// In the order of computation at one point.
    Recurrence(Vec<NodeId>),
}

/// The steps that the outputs need.
pub(super) fn order(graph: &Graph) -> Vec<Step> {
    components(graph).into_iter().map(|nodes| step(graph, nodes)).collect()
}

/// What must be known before a node: its operands, and for a lag the state's definition and boundary.
pub(super) fn needs(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    let op = &graph.node(id).op;
    let mut needs: Vec<NodeId> = op.operands().collect();
    if let Op::Lag { state, .. } = op {
        let state = &graph.states[state.index()];
        needs.extend(state.values());
    }
    needs
}

fn step(graph: &Graph, mut nodes: Vec<NodeId>) -> Step {
    // Operands come before their node, so without a lag there is no cycle.
    let own = |id: &NodeId| match graph.node(*id).op {
        Op::Lag { state, .. } => graph.states[state.index()].def.is_some_and(|d| nodes.contains(&d)),
        _ => false,
    };
    if !nodes.iter().any(own) {
        return Step::Node(nodes[0]);
    }
    nodes.sort();
    Step::Recurrence(nodes)
}

/// Strongly connected components of what the outputs need, each after those it needs
/// (R. Tarjan, 1972), with an explicit stack.
fn components(graph: &Graph) -> Vec<Vec<NodeId>> {
    const NEW: u32 = u32::MAX;
    let n = graph.nodes.len();
    let (mut number, mut low) = (vec![NEW; n], vec![0u32; n]);
    let mut on_stack = vec![false; n];
    let (mut stack, mut out, mut count) = (Vec::new(), Vec::new(), 0u32);
    for root in graph.outputs.iter().map(|o| o.node) {
        if number[root.index()] != NEW {
            continue;
        }
        let mut work: Vec<(NodeId, Vec<NodeId>, usize)> = Vec::new();
        let mut enter = Some(root);
        loop {
            if let Some(id) = enter.take() {
                number[id.index()] = count;
                low[id.index()] = count;
                count += 1;
                stack.push(id);
                on_stack[id.index()] = true;
                work.push((id, needs(graph, id), 0));
            }
            let Some((id, needed, next)) = work.last_mut() else { break };
            let i = id.index();
            if let Some(&to) = needed.get(*next) {
                *next += 1;
                if number[to.index()] == NEW {
                    enter = Some(to);
                } else if on_stack[to.index()] {
                    low[i] = low[i].min(number[to.index()]);
                }
                continue;
            }
            work.pop();
            if let Some((parent, ..)) = work.last() {
                let p = parent.index();
                low[p] = low[p].min(low[i]);
            }
            if low[i] == number[i] {
                let start = stack.iter().rposition(|id| id.index() == i).unwrap_or(0);
                let component: Vec<NodeId> = stack.drain(start..).collect();
                component.iter().for_each(|id| on_stack[id.index()] = false);
                out.push(component);
            }
        }
    }
    out
}
