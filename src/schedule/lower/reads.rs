//! Who reads what in a graph, and what is read at all.

use super::{Res, errors};
use crate::eqn::{self, Graph, Level, NodeId};

/// Operands at the same point.
pub fn operands(op: &eqn::Op) -> Vec<NodeId> {
    use eqn::Op::*;
    match op {
        Const(_) | DimValue(_) | Source(_) | Lag { .. } | Position(_) | Length(_) | Literal(_) => Vec::new(),
        Unary(_, a) | Spread(a) | Transpose(a) | Slice { arg: a, .. } | Reduce { arg: a, .. } => vec![*a],
        Softmax(a) | LogSumExp(a) | ArgMax(a) | Reshape(a) | SumOver(a) => vec![*a],
        FoldOver { arg: a, .. } | Remap { arg: a, .. } | Flatten { arg: a, .. } => vec![*a],
        Binary(_, a, b) | MatMul(a, b) | Outer(a, b) => vec![*a, *b],
        Gather { arg: a, index: b } | Scatter { index: a, value: b } => vec![*a, *b],
        At { arg: a, empty: b, .. } => vec![*a, *b],
        Select(a, b, c) => vec![*a, *b, *c],
        Concat(parts) | Points { parts, .. } => parts.clone(),
    }
}

/// Operands, and through a lag the state's definition and initial values.
pub(super) fn dependencies(graph: &Graph, op: &eqn::Op) -> Vec<usize> {
    match op {
        eqn::Op::Lag { state, .. } => match graph.states.get(state.index()) {
            Some(state) => state.values().map(|n| n.index()).collect(),
            None => Vec::new(),
        },
        op => operands(op).iter().map(|n| n.index()).collect(),
    }
}

pub(super) fn live_nodes(graph: &Graph) -> Res<Vec<bool>> {
    let n = graph.nodes.len();
    let mut live = vec![false; n];
    let mut stack: Vec<usize> = graph.outputs.iter().map(|o| o.node.index()).collect();
    while let Some(i) = stack.pop() {
        let Some(node) = graph.nodes.get(i) else {
            return Err(errors::malformed("an output or state names no value", None));
        };
        if let eqn::Op::Lag { state, .. } = node.op
            && graph.states.get(state.index()).is_none()
        {
            return Err(errors::malformed("a state does not exist", node.span));
        }
        if let Level::Over(d) = node.level
            && graph.domains.get(d.index()).is_none()
        {
            return Err(errors::malformed("a domain does not exist", node.span));
        }
        if !std::mem::replace(&mut live[i], true) {
            stack.extend(dependencies(graph, &node.op));
        }
    }
    Ok(live)
}
