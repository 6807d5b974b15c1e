//! What every stage asks of an [`Op`]: its operands, its name.

use super::{AxisMap, Binary, DomainId, Fold, NodeId, Offset, Op, Unary};

impl Op {
    /// Operands in reading order. What a [`Op::Lag`] reads is not an operand.
    pub fn operands(&self) -> impl Iterator<Item = NodeId> + '_ {
        let (fixed, list): ([Option<NodeId>; 3], &[NodeId]) = match self {
            Op::Const(_)
            | Op::DimValue(_)
            | Op::Source(_)
            | Op::Lag { .. }
            | Op::Position(_)
            | Op::Length(_)
            | Op::Literal(_) => ([None; 3], &[]),
            Op::Unary(_, a)
            | Op::Spread(a)
            | Op::Transpose(a)
            | Op::Softmax(a)
            | Op::LogSumExp(a)
            | Op::ArgMax(a)
            | Op::Reshape(a)
            | Op::SumOver(a)
            | Op::FoldOver { arg: a, .. }
            | Op::Remap { arg: a, .. }
            | Op::Flatten { arg: a, .. }
            | Op::Slice { arg: a, .. }
            | Op::Reduce { arg: a, .. } => ([Some(*a), None, None], &[]),
            Op::Binary(_, a, b)
            | Op::MatMul(a, b)
            | Op::Outer(a, b)
            | Op::Gather { arg: a, index: b }
            | Op::Scatter { index: a, value: b }
            | Op::At { arg: a, empty: b, .. } => ([Some(*a), Some(*b), None], &[]),
            Op::Select(a, b, c) => ([Some(*a), Some(*b), Some(*c)], &[]),
            Op::Concat(list) | Op::Points { parts: list, .. } => ([None; 3], list),
        };
        fixed.into_iter().flatten().chain(list.iter().copied())
    }

    /// The same operation on other operands; `f` is called in the order of [`Op::operands`].
    pub fn map_operands(&self, mut f: impl FnMut(NodeId) -> NodeId) -> Op {
        match self {
            Op::Const(_)
            | Op::DimValue(_)
            | Op::Source(_)
            | Op::Lag { .. }
            | Op::Position(_)
            | Op::Length(_)
            | Op::Literal(_) => self.clone(),
            Op::Unary(k, a) => Op::Unary(*k, f(*a)),
            Op::Binary(k, a, b) => {
                let a = f(*a);
                Op::Binary(*k, a, f(*b))
            }
            Op::Select(c, a, b) => {
                let c = f(*c);
                let a = f(*a);
                Op::Select(c, a, f(*b))
            }
            Op::Spread(a) => Op::Spread(f(*a)),
            Op::MatMul(a, b) => {
                let a = f(*a);
                Op::MatMul(a, f(*b))
            }
            Op::Transpose(a) => Op::Transpose(f(*a)),
            Op::Outer(a, b) => {
                let a = f(*a);
                Op::Outer(a, f(*b))
            }
            Op::Concat(list) => Op::Concat(list.iter().map(|a| f(*a)).collect()),
            Op::Slice { arg, start } => Op::Slice { arg: f(*arg), start: start.clone() },
            Op::Gather { arg, index } => {
                let arg = f(*arg);
                Op::Gather { arg, index: f(*index) }
            }
            Op::Scatter { index, value } => {
                let index = f(*index);
                Op::Scatter { index, value: f(*value) }
            }
            Op::Reduce { fold, arg, axis } => Op::Reduce { fold: *fold, arg: f(*arg), axis: *axis },
            Op::Softmax(a) => Op::Softmax(f(*a)),
            Op::LogSumExp(a) => Op::LogSumExp(f(*a)),
            Op::ArgMax(a) => Op::ArgMax(f(*a)),
            Op::Reshape(a) => Op::Reshape(f(*a)),
            Op::SumOver(a) => Op::SumOver(f(*a)),
            Op::FoldOver { fold, arg } => Op::FoldOver { fold: *fold, arg: f(*arg) },
            Op::At { arg, axis, point, empty } => {
                let arg = f(*arg);
                Op::At { arg, axis: *axis, point: *point, empty: f(*empty) }
            }
            Op::Remap { arg, maps } => Op::Remap { arg: f(*arg), maps: maps.clone() },
            Op::Flatten { arg, grid, line, back } => {
                Op::Flatten { arg: f(*arg), grid: grid.clone(), line: *line, back: *back }
            }
            Op::Points { parts, axis } => {
                Op::Points { parts: parts.iter().map(|a| f(*a)).collect(), axis: *axis }
            }
        }
    }

    /// The domains it names.
    pub fn domains(&self) -> Vec<DomainId> {
        match self {
            Op::Position(d) | Op::Length(d) | Op::At { axis: d, .. } | Op::Points { axis: d, .. } => vec![*d],
            Op::Lag { offset, .. } => offset.axis().into_iter().collect(),
            Op::Remap { maps, .. } => {
                maps.iter().flat_map(|m| [m.from, m.to].into_iter().chain(m.start.axes())).collect()
            }
            Op::Flatten { grid, line, .. } => grid.iter().chain([line]).copied().collect(),
            _ => Vec::new(),
        }
    }

    /// The same operation with other numbers for domains.
    pub fn map_domains(&self, f: impl Fn(DomainId) -> DomainId + Copy) -> Op {
        let mut op = self.clone();
        match &mut op {
            Op::Position(d) | Op::Length(d) | Op::At { axis: d, .. } | Op::Points { axis: d, .. } => {
                *d = f(*d)
            }
            Op::Lag { offset: Offset::EachChild(d) | Offset::FromEach(d), .. } => *d = f(*d),
            Op::Flatten { grid, line, .. } => grid.iter_mut().chain([line]).for_each(|d| *d = f(*d)),
            Op::Remap { maps, .. } => {
                for map in maps {
                    let start = map.start.renumbered(f);
                    *map = AxisMap { from: f(map.from), to: f(map.to), start, step: map.step };
                }
            }
            _ => {}
        }
        op
    }

    /// Whether it reads other points of its operand than its own.
    pub fn is_whole(&self) -> bool {
        matches!(
            self,
            Op::SumOver(_) | Op::FoldOver { .. } | Op::At { .. } | Op::Remap { .. } | Op::Flatten { .. }
        )
    }

    /// The word the text form uses.
    pub fn word(&self) -> &'static str {
        match self {
            Op::Const(_) => "const",
            Op::DimValue(_) => "dim",
            Op::Source(_) => "source",
            Op::Lag { .. } => "lag",
            Op::Position(_) => "position",
            Op::Length(_) => "length",
            Op::Unary(k, _) => k.word(),
            Op::Binary(k, ..) => k.word(),
            Op::Select(..) => "select",
            Op::Spread(_) => "spread",
            Op::MatMul(..) => "matmul",
            Op::Transpose(_) => "transpose",
            Op::Outer(..) => "outer",
            Op::Concat(_) => "concat",
            Op::Slice { .. } => "slice",
            Op::Gather { .. } => "gather",
            Op::Scatter { .. } => "scatter",
            Op::Reduce { fold, .. } => fold.word(),
            Op::Softmax(_) => "softmax",
            Op::LogSumExp(_) => "logsumexp",
            Op::ArgMax(_) => "argmax",
            Op::Reshape(_) => "reshape",
            Op::SumOver(_) => "sum_over",
            Op::FoldOver { .. } => "fold_over",
            Op::At { .. } => "at",
            Op::Remap { .. } => "remap",
            Op::Flatten { back: false, .. } => "flatten",
            Op::Flatten { back: true, .. } => "unflatten",
            Op::Points { .. } => "points",
            Op::Literal(_) => "literal",
        }
    }
}

impl Unary {
    pub const ALL: [Unary; 18] = [
        Unary::Neg,
        Unary::Exp,
        Unary::Log,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Relu,
        Unary::Sqrt,
        Unary::Abs,
        Unary::Sign,
        Unary::Sin,
        Unary::Cos,
        Unary::Floor,
        Unary::Erf,
        Unary::LogSigmoid,
        Unary::Softplus,
        Unary::StopGradient,
        Unary::Not,
        Unary::ToReal,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Unary::Neg => "neg",
            Unary::Exp => "exp",
            Unary::Log => "log",
            Unary::Tanh => "tanh",
            Unary::Sigmoid => "sigmoid",
            Unary::Relu => "relu",
            Unary::Sqrt => "sqrt",
            Unary::Abs => "abs",
            Unary::Sign => "sign",
            Unary::Sin => "sin",
            Unary::Cos => "cos",
            Unary::Floor => "floor",
            Unary::Erf => "erf",
            Unary::LogSigmoid => "log_sigmoid",
            Unary::Softplus => "softplus",
            Unary::StopGradient => "stop_gradient",
            Unary::Not => "not",
            Unary::ToReal => "to_real",
        }
    }
}

impl Binary {
    pub const ALL: [Binary; 15] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Pow,
        Binary::Max,
        Binary::Min,
        Binary::Mod,
        Binary::Eq,
        Binary::Ne,
        Binary::Lt,
        Binary::Le,
        Binary::And,
        Binary::Or,
        Binary::MulZero,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Pow => "pow",
            Binary::Max => "max",
            Binary::Min => "min",
            Binary::Mod => "mod",
            Binary::Eq => "eq",
            Binary::Ne => "ne",
            Binary::Lt => "lt",
            Binary::Le => "le",
            Binary::And => "and",
            Binary::Or => "or",
            Binary::MulZero => "mul_zero",
        }
    }

    /// Comparisons and logic.
    pub fn gives_bool(self) -> bool {
        use Binary::*;
        matches!(self, Eq | Ne | Lt | Le | And | Or)
    }
}

impl Fold {
    /// The fold of nothing.
    pub fn empty(self) -> f64 {
        match self {
            Fold::Sum => 0.0,
            Fold::Prod => 1.0,
            Fold::Max => f64::NEG_INFINITY,
            Fold::Min => f64::INFINITY,
        }
    }

    pub const ALL: [Fold; 4] = [Fold::Sum, Fold::Prod, Fold::Max, Fold::Min];

    pub fn word(self) -> &'static str {
        match self {
            Fold::Sum => "reduce_sum",
            Fold::Prod => "reduce_prod",
            Fold::Max => "reduce_max",
            Fold::Min => "reduce_min",
        }
    }
}
