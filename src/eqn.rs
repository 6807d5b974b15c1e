//! Equation IR: the heart of the compiler.
//!
//! A [`Graph`] is a pure graph of tensor operations at one point of a domain. Families are expanded,
//! options decided, inner cells inlined; there is no batch. Recurrence enters only through
//! [`Op::Lag`], which reads a [`State`] at another point: at a constant offset, at a child, at the parent.
//!
//! Invariants (checked by [`mod@verify`]):
//! 1. A node's operands have smaller ids than the node: same-point reads are acyclic by construction.
//! 2. A node's level is the join of the levels of its operands ([`Graph::join`]), except where the [`Op`] says
//!    otherwise. Operands meet only where the graph has a domain with the axes of both.
//! 3. Shapes, types and levels are as the documentation of each [`Op`] says.
//! 4. Every state has a definition over its domain and an initial value below it.
//!
//! Printed by `eqn/print.rs`, parsed by `eqn/parse.rs`, evaluated in f64 by `eqn/eval.rs`.

use crate::shape::{Dim, Shape};
use crate::source::Span;
use std::sync::Arc;

macro_rules! declare_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}
pub(crate) use declare_id;

declare_id!(/// A node of one [`Graph`].
    NodeId);
declare_id!(/// A value that comes from outside.
    SourceId);
declare_id!(/// A value that is read at an offset.
    StateId);
pub use domain::{AxisMap, Domain, DomainId, DomainKind, Extent, MAX_AXES, Offset};

/// How many values a node has: one for all examples, one per example, or one per point of a
/// domain of an example. A lower value is read at a higher level as it is (the same at each point).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Constants, parameters, and what depends on them alone.
    Shared,
    /// One value per example of the batch.
    Example,
    Over(DomainId),
}

/// What a value consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ty {
    Real,
    /// 0.0 or 1.0 in evaluation; only comparisons, logic and data make one.
    Bool,
    /// A symbol 0..K−1.
    Id(Dim),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub op: Op,
    pub shape: Shape,
    pub ty: Ty,
    pub level: Level,
    /// The author's name for this value (dotted for inner instances: `enc.l1.h`), for reading only.
    pub name: Option<Arc<str>>,
    pub span: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unary {
    Neg,
    Exp,
    Log,
    Tanh,
    Sigmoid,
    Relu,
    Sqrt,
    Abs,
    /// −1, 0, 1; NaN stays. No gradient.
    Sign,
    Sin,
    Cos,
    /// No gradient.
    Floor,
    Erf,
    LogSigmoid,
    Softplus,
    /// The identity, with adjoint 0.
    StopGradient,
    /// Of a Bool.
    Not,
    /// Bool or Id to Real.
    ToReal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    /// `a − b*floor(a/b)`. No gradient.
    Mod,
    /// Comparisons give Bool.
    Eq,
    Ne,
    Lt,
    Le,
    /// Of Bools.
    And,
    Or,
    /// Adjoint times slope: `a * b`, but exactly 0 wherever `a` is 0, whatever `b` is.
    MulZero,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fold {
    Sum,
    Prod,
    Max,
    Min,
}

/// Which point a [`Op::At`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Point {
    First,
    Last,
    /// A fixed position from 1; boundary `empty` if the example is shorter.
    Fixed(u32),
}

/// One operation. `S`, `S'` are shapes, "elementwise" means operands of the result's shape or scalars `[]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A scalar number; Shared, shape `[]`, Real.
    Const(f64),
    /// Shared, `[]`: the value of a dimension as a number (`sqrt(H)`). Gone once dimensions are bound.
    DimValue(Dim),
    /// A value from outside; shape, type and level are the source's.
    Source(SourceId),
    /// The state at another point than this; outside the domain its boundary value. Its level is
    /// [`Graph::lag_level`].
    Lag {
        state: StateId,
        offset: Offset,
    },
    /// This point's position from 1 along an axis, as a scalar; over the axis.
    Position(DomainId),
    /// The example's true length along an axis, as a scalar; level Example (of children: over the nodes).
    Length(DomainId),

    /// Elementwise.
    Unary(Unary, NodeId),
    /// Elementwise; one side may be a scalar.
    Binary(Binary, NodeId, NodeId),
    /// Condition (Bool) of the result's shape or scalar, then the two branches; one may be scalar.
    Select(NodeId, NodeId, NodeId),
    /// A scalar spread to the node's shape.
    Spread(NodeId),

    /// Contracts the last axis of a with the first of b: `[A,B]@[B]→[A]`, `[A,B]@[B,C]→[A,C]`,
    /// `[B]@[B]→[]`, `[B]@[B,C]→[C]`.
    MatMul(NodeId, NodeId),
    /// `[A,B] → [B,A]`.
    Transpose(NodeId),
    /// `[A],[B] → [A,B]`.
    Outer(NodeId, NodeId),
    /// Along the first axis; all operands of equal rank ≥ 1.
    Concat(Vec<NodeId>),
    /// `start..start+len` of the first axis; the length is the node's first extent.
    Slice {
        arg: NodeId,
        start: Dim,
    },
    /// Element `index` (an Id scalar, from 0) of the first axis: `[K, S..] → S`.
    Gather {
        arg: NodeId,
        index: NodeId,
    },
    /// The adjoint of `Gather`: zeros of the node's shape `[K, S..]` with `value : S` at `index`.
    Scatter {
        index: NodeId,
        value: NodeId,
    },
    /// Reduces one axis away: `axis` counts from 0.
    Reduce {
        fold: Fold,
        arg: NodeId,
        axis: u32,
    },
    /// Of a vector, with the maximum subtracted.
    Softmax(NodeId),
    LogSumExp(NodeId),
    /// Index of the first greatest element of a vector: `[K] → id(K)`.
    ArgMax(NodeId),
    /// Same elements, other shape (row-major).
    Reshape(NodeId),

    /// Sum over all points of some axes (true positions only) or over examples, down to the node's
    /// level, which is lower than the operand's.
    SumOver(NodeId),
    /// The same for the other folds. Over no point: what [`Fold::empty`] says.
    FoldOver {
        fold: Fold,
        arg: NodeId,
    },
    /// One point of an axis; the level has all other axes. `empty` (read at that level) if there is no such point.
    At {
        arg: NodeId,
        axis: DomainId,
        point: Point,
        empty: NodeId,
    },
    /// Other points of the same value: the result is over the axes `to` in place of the axes `from`. What a map finds
    /// outside is 0. A chain read backwards, joined behind another, axes exchanged.
    Remap {
        arg: NodeId,
        maps: Vec<AxisMap>,
    },
    /// The points of the axes `grid` along the one axis `line`, row by row: the last of them runs fastest, and the line is as
    /// long as they have points. `back`: from the line to the grid.
    Flatten {
        arg: NodeId,
        grid: Vec<DomainId>,
        line: DomainId,
        back: bool,
    },
    /// Of an axis of static length: part k is the value at point k. Over the parts' axes and `axis`.
    Points {
        parts: Vec<NodeId>,
        axis: DomainId,
    },
    /// A literal array, row-major; Shared.
    Literal(Arc<[f64]>),
}

/// Where a source's values come from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// An `in` or `mem` given by the caller.
    Input,
    Param(ParamInfo),
    /// The value of a state before (or after) the domain: `h0`. Level Example. If the caller gives
    /// none, every element is `default`.
    Initial {
        state: StateId,
        default: f64,
    },
    /// Drawn per point, per example or per batch, by its level.
    Noise(Dist),
    /// What arrives from outside for output `NAME`; arrays call it `NAME_adj`.
    Cotangent,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ParamInfo {
    pub init: Init,
    /// Projection after every update.
    pub within: Option<(f64, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// Every element.
    Value(Scalar),
    Dist(Dist),
}

/// A distribution by name; its arguments may depend on dimensions (`1/sqrt(H)`).
#[derive(Clone, Debug, PartialEq)]
pub struct Dist {
    /// `uniform`, `normal`, `bernoulli`, `xavier`, `orthogonal`, `identity`, `chrono`.
    pub name: Arc<str>,
    pub args: Vec<Scalar>,
}

/// A number that may depend on dimensions.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Num(f64),
    Dim(Dim),
    Neg(Box<Scalar>),
    Sqrt(Box<Scalar>),
    Log(Box<Scalar>),
    Exp(Box<Scalar>),
    /// `+ - * / ^`
    Bin(char, Box<Scalar>, Box<Scalar>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The array's name, dotted for inner instances.
    pub name: Arc<str>,
    pub kind: SourceKind,
    pub shape: Shape,
    pub ty: Ty,
    pub level: Level,
    pub span: Option<Span>,
}

/// A value that is read at an offset: a carried state, a shifted value, or an input read at
/// offsets. `def` is over `domain`.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub name: Arc<str>,
    pub domain: DomainId,
    pub shape: Shape,
    pub ty: Ty,
    /// What it is at a point; its level may be lower than the domain. `None` only while the graph is being built.
    pub def: Option<NodeId>,
    /// `init[k-1]` is read `k` points outside the domain (on either side, the greatest distance of all axes); the
    /// last one serves all greater distances, an absent child, the parent of a root. Levels Shared or Example, shape and
    /// type the state's (a Real constant may stand for an Id or Bool). Never empty in a finished graph.
    pub init: Vec<NodeId>,
    /// What a read gives instead that leaves the domain across exactly one side; at most one for each side.
    pub sides: Vec<Side>,
    pub span: Option<Span>,
}

impl State {
    /// What reads outside the domain give.
    pub fn boundary(&self) -> impl Iterator<Item = NodeId> + Clone + '_ {
        self.init.iter().copied().chain(self.sides.iter().map(|side| side.value))
    }

    /// All nodes it names.
    pub fn values(&self) -> impl Iterator<Item = NodeId> + Clone + '_ {
        self.def.into_iter().chain(self.boundary())
    }
}

/// A side of a domain: before the first or (`after`) behind the last points of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side {
    pub axis: DomainId,
    pub after: bool,
    /// Over some of the other axes, of the state's shape and type.
    pub value: NodeId,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: Arc<str>,
    pub node: NodeId,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Graph {
    /// The recipe as written, for titles.
    pub name: String,
    pub domains: Vec<Domain>,
    pub nodes: Vec<Node>,
    pub sources: Vec<Source>,
    pub states: Vec<State>,
    /// The roots. What they do not reach is not there.
    pub outputs: Vec<Output>,
}

pub mod bind;
pub mod build;
mod domain;
mod errors;
pub mod eval;
pub mod flops;
mod lex;
mod make;
pub mod op;
pub mod parse;
pub mod print;
pub mod tree;
pub mod typing;
pub mod verify;
