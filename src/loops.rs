//! Loop IR: what is done, in which order, on which memory.
//!
//! In: a scheduled graph with numbers for all dimensions. Out: a [`Program`] of stages over buffers.
//! This is the first IR that knows the batch: B examples, and for every domain a greatest length T
//! with each example's own length. Expressions have become stores; order matters.
//!
//! Memory. A row is the values of one point of one example. Rows of a domain lie time-major:
//! row `t*B + b`, so one step is B consecutive rows, and a whole domain T*B consecutive rows. A
//! buffer that is read at lags has `before` and `after` further steps around it, which hold boundary
//! values; so a lagged operand is the same rows at another start.
//!
//! Steps. Inside a loop, the rows of a domain are the B rows of the current step, and rows per example are those B
//! rows too: kernels and products may read and write both, so what lives for one step only has a row per example.
//! A Shared buffer that a kernel stores to is that kernel's working memory for one row.
//!
//! Ragged batches. Rows at `t ≥ length(b)` are computed like all others and mean nothing.
//! [`Stage::Mask`] overwrites them where something would read them (sums, reads from behind the end).

use crate::eqn::{Dist, DomainId, ParamInfo, StateId, declare_id};
use std::sync::Arc;

declare_id!(/// A piece of memory with rows.
    BufferId);
declare_id!(/// A fused kernel of one program.
    KernelId);
declare_id!(/// A packed matrix of one program.
    WeightId);
declare_id!(/// An argument position of one kernel.
    ArgId);
declare_id!(/// A value of one loop nest, in order of computation.
    ValueId);
declare_id!(/// A per-row scalar of one kernel, handed from one nest to later ones.
    ScalarId);

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Program {
    pub name: String,
    pub domains: Vec<Domain>,
    pub buffers: Vec<Buffer>,
    pub weights: Vec<Weight>,
    pub kernels: Vec<Kernel>,
    /// Computed again only after parameters have changed: what depends on parameters alone.
    pub prepare: Vec<Stage>,
    /// One run, forward and (if the graph has adjoints) backward.
    pub stages: Vec<Stage>,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    pub extent: Arc<str>,
    pub var: Arc<str>,
    pub fixed: Option<u32>,
}

/// Where rows of a buffer live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One row.
    Shared,
    /// One row per example.
    Example,
    /// One row per point and example, with halo steps on both sides.
    Over { domain: DomainId, before: u32, after: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    F32,
    /// Ids.
    I32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// For printing: the value it holds, or the packed values (`f|i|r|o`).
    pub name: String,
    pub place: Place,
    /// Elements per row.
    pub width: usize,
    pub elem: Elem,
}

/// Columns `column..` of a buffer's rows, `lag` steps from the current one (in a whole-domain
/// stage: all rows, shifted). The number of columns follows from the use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    pub buffer: BufferId,
    pub column: usize,
    pub lag: i32,
}

/// A matrix `[k, n]` (row-major meaning: `out[n] = Σ_k in[k] * w[k, n]`), assembled from Shared
/// buffers and packed for the product kernels once after parameters change.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    pub name: String,
    pub k: usize,
    pub n: usize,
    pub parts: Vec<WeightPart>,
}

/// A block of a weight at rows `k0..`, columns `n0..`: the row-major matrix `[rows, cols]` in `source`,
/// as it is or transposed. Blocks do not overlap; what no block covers is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightPart {
    pub source: Operand,
    pub rows: usize,
    pub cols: usize,
    /// The block is `[cols, rows]`.
    pub transposed: bool,
    pub k0: usize,
    pub n0: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Steps of one domain one after another; `reverse`: from the last to the first. Inside, an
    /// operand over the domain means the rows of the current step.
    Loop { domain: DomainId, reverse: bool, body: Vec<Stage> },
    /// `out[rows, n] (+)= a[rows, k] @ weight`.
    Product { a: Operand, weight: WeightId, out: Operand, accumulate: bool },
    /// Weight gradient, over all rows of `a`'s place: `out[m, n] (+)= aᵀ[m, rows] @ b[rows, n]`. `out`
    /// is Shared, row-major with `out_stride` columns a row. Both operands over the same place; their rows
    /// beyond an example's length must be masked.
    Outer { a: Operand, m: usize, b: Operand, n: usize, out: Operand, out_stride: usize, accumulate: bool },
    /// Runs a kernel on all rows of `over` (of the current step inside a loop of that domain).
    Map { kernel: KernelId, over: Place, args: Vec<Arg> },
    /// Every element of the columns, halo included.
    Fill { out: Operand, width: usize, value: f32 },
    /// Copies one Example or Shared row per example to the halo step `distance` (≥ 1) outside the domain of
    /// `state`: before the first point, or (`after`) behind each example's own last one, up to the buffer's end.
    Boundary { state: Operand, width: usize, from: Operand, distance: u32, after: bool },
    /// Rows at or beyond each example's length: 0, or a copy of an Example or Shared row. In a loop, rows
    /// of the current step; else all.
    Mask { out: Operand, width: usize, fill: Option<Operand> },
    /// Each example read backwards within its own length. Over one domain, outside loops.
    Reverse { from: Operand, out: Operand, width: usize },
    /// One point of a chain into an Example row; `empty` if the example has no such point.
    Take { from: Operand, out: Operand, width: usize, point: crate::eqn::Point, empty: Operand },
}

/// What a kernel's argument is bound to. A lower place is read at every row of a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    Rows(Operand),
    /// The position of the current point from 1, as one f32 for all rows of a call.
    Position(DomainId),
    /// Each example's length as f32.
    Length(DomainId),
}

/// A fused kernel: for every row, nest after nest. Compiled to one function.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Kernel {
    /// For printing: what it computes (`f, i, r, o, c, h`).
    pub name: String,
    pub args: Vec<KernelArg>,
    /// Number of per-row scalars.
    pub scalars: u32,
    pub nests: Vec<Nest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelArg {
    /// Elements from one row to the next; 0 for values that all rows share.
    pub row_stride: usize,
    pub elem: Elem,
    pub written: bool,
}

/// A perfect loop nest over `extents` (outermost first; none: once per row). `insts` are in SSA
/// order: `ValueId(i)` is `insts[i]`. Then the effects, in order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Nest {
    pub extents: Vec<usize>,
    pub insts: Vec<Inst>,
    pub effects: Vec<Effect>,
}

/// An affine place in a row: `offset + Σ strides[d] * index[d]`, one stride for each extent of the nest.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub arg: ArgId,
    pub offset: usize,
    pub strides: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Inst {
    Const(f32),
    Load(Access),
    /// Like `Load`, at a further `index * stride` elements; `index` is an id scalar. Out-of-range ids
    /// are refused before a run, never here.
    LoadAt {
        access: Access,
        index: ScalarId,
        stride: usize,
    },
    /// A per-row scalar of an earlier nest.
    Scalar(ScalarId),
    /// The loop index of an axis as a number.
    Index(u32),
    /// `StopGradient` does not occur.
    Unary(crate::eqn::Unary, ValueId),
    /// Bools are 0.0 and 1.0.
    Binary(crate::eqn::Binary, ValueId, ValueId),
    /// `a*b + c`, rounded once.
    Fma(ValueId, ValueId, ValueId),
    Select(ValueId, ValueId, ValueId),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Store {
        access: Access,
        value: ValueId,
    },
    /// Adds to memory; rows in order. With row stride 0 this sums over rows.
    Add {
        access: Access,
        value: ValueId,
    },
    /// Like `Add`, at a further `index * stride` elements.
    AddAt {
        access: Access,
        index: ScalarId,
        stride: usize,
        value: ValueId,
    },
    /// Reduces all axes of the nest to a scalar.
    Reduce {
        fold: ReduceOp,
        value: ValueId,
        into: ScalarId,
    },
    /// Reduces the innermost axis and stores (or adds) once per outer index; strides for the outer axes only.
    ReduceInner {
        fold: ReduceOp,
        value: ValueId,
        access: Access,
        add: bool,
    },
    /// Sets a scalar (of a nest without extents).
    Set {
        value: ValueId,
        into: ScalarId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceOp {
    Sum,
    Prod,
    Max,
    Min,
    /// Index of the first greatest element.
    ArgMax,
}

/// A named array from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub name: Arc<str>,
    pub kind: InputKind,
    pub at: Operand,
    /// Extents of one value (product is the number of columns).
    pub shape: Vec<usize>,
    /// For ids: number of symbols; larger ones are refused when loading.
    pub symbols: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum InputKind {
    Given,
    Param(ParamInfo),
    Initial { state: StateId, default: f32 },
    Noise(Dist),
    Cotangent,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: Arc<str>,
    pub at: Operand,
    pub shape: Vec<usize>,
}

pub mod print;
pub mod verify;
