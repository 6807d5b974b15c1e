//! What is known of a value's range without knowing its inputs.
//!
//! Adjoint times slope must be 0 wherever the adjoint is 0, even if the slope is ∞ or NaN there
//! (another branch was taken). [`Binary::MulZero`] sees to it, at a price; where the slope is tame,
//! the plain product does. Tame means: finite for finite inputs, overflow of sums and products aside.

use crate::eqn::{Binary, Fold, Graph, NodeId, Op, Unary};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sign {
    Any,
    NonNegative,
    Positive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    /// May be infinite or NaN.
    pub wild: bool,
    pub sign: Sign,
}

const TAME: Traits = Traits { wild: false, sign: Sign::Any };

/// Of all nodes of a finished graph. States are taken as tame until shown otherwise, to a fixed point.
pub(crate) fn of_graph(graph: &Graph) -> Vec<Traits> {
    let mut all = vec![TAME; graph.nodes.len()];
    // Each round settles one more state in a chain of states; long chains are given up as wild.
    for round in 0..10 {
        let mut changed = false;
        for id in graph.node_ids() {
            let mut traits = of_op(graph, &graph.node(id).op, |a| all[a.index()]);
            if let Op::Lag { state, .. } = graph.node(id).op {
                let state = &graph.states[state.index()];
                let sources = state.values();
                traits.wild = round == 8 || sources.clone().any(|s: NodeId| all[s.index()].wild);
            }
            changed |= traits != all[id.index()];
            all[id.index()] = traits;
        }
        if !changed {
            break;
        }
    }
    all
}

/// Of one operation, from its operands; a lag counts as tame.
pub(crate) fn of_op(graph: &Graph, op: &Op, get: impl Fn(NodeId) -> Traits) -> Traits {
    use Sign::*;
    let any_wild = op.operands().any(|a| get(a).wild);
    let least = op.operands().map(|a| get(a).sign).min().unwrap_or(Any);
    let keep = |sign| Traits { wild: any_wild, sign };
    match op {
        Op::Const(c) => {
            let sign = if *c > 0.0 {
                Positive
            } else if *c >= 0.0 {
                NonNegative
            } else {
                Any
            };
            Traits { wild: !c.is_finite(), sign }
        }
        Op::Literal(values) => Traits { wild: values.iter().any(|v| !v.is_finite()), sign: Any },
        Op::DimValue(_) | Op::Position(_) => Traits { wild: false, sign: Positive },
        Op::Length(_) => Traits { wild: false, sign: NonNegative },
        Op::Source(_) | Op::Lag { .. } => TAME,
        Op::Unary(kind, a) => match kind {
            Unary::Exp => Traits { wild: true, sign: NonNegative },
            Unary::Log => Traits { wild: any_wild || get(*a).sign != Positive, sign: Any },
            Unary::Sqrt => keep(get(*a).sign.max(NonNegative)),
            Unary::Sigmoid | Unary::Softplus | Unary::Relu | Unary::Abs | Unary::ToReal => keep(NonNegative),
            Unary::StopGradient => get(*a),
            _ => keep(Any),
        },
        Op::Binary(kind, a, b) => match kind {
            Binary::Mul | Binary::MulZero if a == b => keep(NonNegative),
            Binary::Mul | Binary::MulZero => keep(least),
            Binary::Add => {
                let both = get(*a).sign.max(get(*b).sign);
                keep(if least == Any { Any } else { both })
            }
            Binary::Div => {
                let sound = get(*b).sign == Positive || graph.as_const(*b).is_some_and(|c| c != 0.0);
                Traits { wild: any_wild || !sound, sign: least }
            }
            Binary::Max => keep(get(*a).sign.max(get(*b).sign)),
            Binary::Min => keep(least),
            Binary::Pow => match graph.as_const(*b) {
                Some(p) if p >= 0.0 && p % 2.0 == 0.0 => keep(NonNegative),
                Some(p) if p >= 0.0 => keep(get(*a).sign),
                _ if get(*a).sign == Positive => keep(Positive),
                _ => Traits { wild: true, sign: Any },
            },
            Binary::Mod => Traits { wild: any_wild || get(*b).sign != Positive, sign: Any },
            _ => keep(Any),
        },
        Op::Select(_, a, b) => {
            Traits { wild: get(*a).wild || get(*b).wild, sign: get(*a).sign.min(get(*b).sign) }
        }
        Op::Softmax(_) => keep(NonNegative),
        Op::Reduce { fold: Fold::Sum, .. } | Op::SumOver(_) => keep(least.min(NonNegative)),
        // Of no point it is infinite.
        Op::FoldOver { fold: Fold::Max | Fold::Min, .. } => Traits { wild: true, sign: Any },
        // 0 where a map finds no point.
        Op::Remap { .. } if graph.as_reverse(op).is_none() => keep(least.min(NonNegative)),
        Op::Scatter { value, .. } => keep(get(*value).sign.min(NonNegative)),
        Op::Gather { arg, .. } => keep(get(*arg).sign),
        Op::Reduce { .. }
        | Op::Spread(_)
        | Op::Transpose(_)
        | Op::Concat(_)
        | Op::Slice { .. }
        | Op::Reshape(_)
        | Op::FoldOver { .. }
        | Op::At { .. }
        | Op::Remap { .. }
        | Op::Flatten { .. }
        | Op::Points { .. } => keep(least),
        Op::MatMul(a, b) if a == b && graph.shape(*a).len() == 1 => keep(NonNegative),
        Op::MatMul(..) | Op::Outer(..) | Op::LogSumExp(_) | Op::ArgMax(_) => keep(Any),
    }
}
