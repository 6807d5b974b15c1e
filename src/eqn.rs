//! Equation IR: the heart of the compiler.
//!
//! A [`Graph`] is a pure graph of tensor operations at one point of a domain. Families are expanded,
//! options decided, inner cells inlined; there is no batch. Recurrence enters only through
//! [`Op::Lag`], which reads a [`State`] at a constant nonzero offset.
//!
//! Invariants (checked by [`mod@verify`]):
//! 1. A node's operands have smaller ids than the node: same-point reads are acyclic by construction.
//! 2. A node's level is the highest level of its operands, except where the [`Op`] says otherwise.
//!    Two operands over different domains never meet.
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
declare_id!(/// A set of points, such as the steps of a chain.
    DomainId);

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

#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// The dimension name of the extent (`n` of `seq<n>`), unique in the graph.
    pub extent: Arc<str>,
    /// The variable of a point (`t`). Positions count from 1.
    pub var: Arc<str>,
    pub kind: DomainKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainKind {
    /// Points 1..length; each example has its own length. `fixed`: the same static length for all.
    Chain { fixed: Option<u32> },
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
    /// The state at `offset` ≠ 0 points from here; outside the domain its initial value. Over the
    /// state's domain.
    Lag {
        state: StateId,
        offset: i32,
    },
    /// This point's position from 1, as a scalar; over the domain.
    Position(DomainId),
    /// The example's true length, as a scalar; level Example.
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

    /// Sum over all points of a domain (true positions only) or over examples, down to the node's
    /// level, which is lower than the operand's.
    SumOver(NodeId),
    /// One point of a chain, level Example; `empty` (level ≤ Example) if there is no such point.
    At {
        arg: NodeId,
        point: Point,
        empty: NodeId,
    },
    /// The chain read backwards, each example within its own length.
    Reverse(NodeId),
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
    /// `init[k-1]` is read `k` points outside the domain (on either side); the last one serves all
    /// greater distances. Levels Shared or Example, shape and type the state's (a Real constant may
    /// stand for an Id or Bool). Never empty in a finished graph.
    pub init: Vec<NodeId>,
    pub span: Option<Span>,
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
mod errors;
pub mod eval;
mod lex;
mod make;
pub mod op;
pub mod parse;
pub mod print;
pub mod typing;
pub mod verify;
