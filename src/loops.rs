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
//!
//! Indexed rows. All this is so for chains. A domain of any other kind (a product, a tree, a chain of derived length)
//! has rows for the true points of all examples only: no padding, no halo, no masks. They are sorted by the [`Front`]s of
//! the domain's `order`, then by example, then by position; so what a loop computes at once, the points of one front, is a
//! range of rows, to which every stage in the loop is confined. Rows are matched with those of other points and other
//! domains by a [`Table`], made from the lengths and trees of a batch: [`Stage::Collect`] copies rows, [`Stage::Fold`]
//! folds them, and nothing else reads another row than its own.
//!
//! Order of sums. A fold goes through the points of one example in the order of their positions, so its bits depend on
//! the example alone. Sums over all examples (gradients) go through rows: by front, then by example.

use crate::eqn::{AxisMap, Dist, DomainId, DomainKind, Fold, Offset, ParamInfo, Point, StateId, declare_id};
use std::sync::Arc;

declare_id!(/// A piece of memory with rows.
    BufferId);
declare_id!(/// A fused kernel of one program.
    KernelId);
declare_id!(/// A packed matrix of one program.
    WeightId);
declare_id!(/// A table of one program.
    TableId);
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
    pub tables: Vec<Table>,
    /// Computed again only after parameters have changed: what depends on parameters alone.
    pub prepare: Vec<Stage>,
    /// One run, forward and (if the graph has adjoints) backward.
    pub stages: Vec<Stage>,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// Two domains of one extent have the same points in two orders.
    pub extent: Arc<str>,
    pub var: Arc<str>,
    pub kind: DomainKind,
    /// How the rows are sorted if they are indexed: by the first front, among equals by the next.
    pub order: Vec<Front>,
}

impl Domain {
    /// The length of every example, if it is static.
    pub fn fixed(&self) -> Option<u32> {
        match self.kind {
            DomainKind::Chain { fixed } => fixed,
            _ => None,
        }
    }

    /// Whether there are rows for the true points only, sorted by `order`.
    pub fn is_indexed(&self) -> bool {
        !matches!(self.kind, DomainKind::Chain { .. })
    }
}

/// A family of hyperplanes: the points with equal sums of coefficient times coordinate are one front. The coordinate
/// along a chain is the position, in a tree the height. Ascending by axis, the first coefficient positive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Front(pub Vec<(DomainId, i32)>);

/// For every row of `to`, which rows of `from` are meant. Places without halo.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub to: Place,
    pub from: Vec<Place>,
    pub relation: Relation,
}

/// How a point is found from another. Whatever is found is read at the source's own, perhaps lower, place.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// The same point, of the only source.
    Same,
    /// The point of `domain` at an offset, of the first source. Outside of the domain: one of `init` sources by the distance,
    /// the last for all greater ones; or, if only one of `sides` is crossed, that side's source, behind the others.
    Lag { domain: DomainId, offset: Offset, init: usize, sides: Vec<(DomainId, bool)> },
    /// One point of an axis, of the first source; if there is none, the same point of the second.
    At { axis: DomainId, point: Point },
    /// As [`AxisMap`] says; outside there is nothing.
    Remap(Vec<AxisMap>),
    /// The point of a grid with the row's number along `line`, counted row by row; with `back` the other way round.
    Flatten { grid: Vec<DomainId>, line: DomainId, back: bool },
    /// The same point, of the source whose number is the position along the axis.
    Parts(DomainId),
    /// For [`Stage::Fold`]: all points that the row's point is the lower part of.
    Below,
}

/// What of a point is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coordinate {
    /// Along an axis, from 1.
    Position,
    /// Of an axis, where the point is.
    Length,
}

impl Program {
    /// The axes of a domain: itself, or those of a product.
    pub fn axes(&self, domain: DomainId) -> Vec<DomainId> {
        match self.domains.get(domain.index()).map(|d| &d.kind) {
            Some(DomainKind::Product(axes)) => axes.clone(),
            _ => vec![domain],
        }
    }
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

pub use rnnc_gemm::PANEL;

impl Weight {
    /// Elements of the packed matrix.
    pub fn elements(&self) -> usize {
        self.k.saturating_mul(self.n.div_ceil(PANEL).saturating_mul(PANEL))
    }
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
    /// Domains whose order begins with this chain take part: their rows are those of the step.
    Loop { domain: DomainId, reverse: bool, body: Vec<Stage> },
    /// The fronts, one after another, of all domains whose order has `front` behind those of the loops around.
    Fronts { front: Front, reverse: bool, body: Vec<Stage> },
    /// `out[rows, n] (+)= a[rows, k] @ weight`.
    Product { a: Operand, weight: WeightId, out: Operand, accumulate: bool },
    /// Weight gradient, over all rows of `b`'s place: `out[m, n] (+)= aᵀ[m, rows] @ b[rows, n]`. `out`
    /// is Shared, row-major with `out_stride` columns a row. `a` is over the same place, or Shared: then every row reads
    /// that one. Rows beyond an example's length must be masked. With `rows` a product of Shared matrices: `a` and `b`
    /// are Shared and have so many rows, one behind another.
    Outer {
        a: Operand,
        m: usize,
        b: Operand,
        n: usize,
        rows: Option<usize>,
        out: Operand,
        out_stride: usize,
        accumulate: bool,
    },
    /// For each symbol the sum of the rows that have it, over all rows of a chain: `out[symbols, width]`, Shared, is at
    /// `index[row]` the sum of `value[row]`, in order of rows. `index` is an id of the same rows, below `symbols`. Rows of
    /// `value` beyond an example's length must be 0. Outside loops.
    Tally { index: Operand, value: Operand, out: Operand, width: usize, symbols: usize },
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
    Take { from: Operand, out: Operand, width: usize, point: Point, empty: Operand },
    /// Copies to each row of `out` (of the current step or front) the row that the table says; 0 if there is none.
    Collect { from: Vec<Operand>, out: Operand, width: usize, table: TableId },
    /// Folds, element by element, the rows that the table says, in the order of positions.
    Fold { fold: Fold, from: Operand, out: Operand, width: usize, table: TableId },
    /// A number for each row of an indexed domain.
    Number { of: Coordinate, axis: DomainId, out: Operand },
}

/// What a kernel's argument is bound to. A lower place is read at every row of a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    Rows(Operand),
    /// A weight as it is packed: panels of [`PANEL`] columns one after another, in each the rows of the weight one after
    /// another; columns beyond the last are 0. The same for all rows of a call.
    Weight(WeightId),
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
    /// Elements from one row to the next; 0 for values that all rows share. (A call may go through the rows in other
    /// strides, such as backwards.)
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

impl Nest {
    /// Columns of a row times a weight: `to[..] (+)= Σ_k from[k] * weight[.., k]`, with the columns on the outer axes.
    pub fn contract(extents: Vec<usize>, from: Access, weight: Access, to: Access, add: bool) -> Nest {
        let (a, b) = (ValueId(0), ValueId(1));
        Nest {
            extents,
            insts: vec![Inst::Load(from), Inst::Load(weight)],
            effects: vec![Effect::Contract { a, b, access: to, add }],
        }
    }

    /// The parts of a nest made by [`Nest::contract`]: where it reads rows, the weight, and where it writes.
    pub fn contraction(&self) -> Option<Contraction<'_>> {
        let (
            [Inst::Load(from), Inst::Load(weight)],
            [Effect::Contract { a: ValueId(0), b: ValueId(1), access: to, add }],
        ) = (&self.insts[..], &self.effects[..])
        else {
            return None;
        };
        let rank = self.extents.len();
        let along = |access: &Access| match access.strides[..] {
            [.., column, inner] if access.strides.len() == rank => Some((column, inner)),
            _ => None,
        };
        let fits = matches!(along(from), Some((0, _)))
            && matches!(along(weight), Some((1, _)))
            && to.strides.len() + 1 == rank
            && to.strides.last() == Some(&1);
        fits.then_some(Contraction { from, weight, to, add: *add })
    }
}

/// What a nest with an [`Effect::Contract`] does.
#[derive(Clone, Copy, Debug)]
pub struct Contraction<'a> {
    pub from: &'a Access,
    pub weight: &'a Access,
    pub to: &'a Access,
    pub add: bool,
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
    /// Adds up `a * b` along the innermost axis, index after index from 0, each product and sum rounded once together
    /// where the machine can (as the products of stages do), and stores (or adds) the result once per outer index;
    /// strides for the outer axes only. The only effect of its nest, whose two instructions load `a`, which is the same
    /// along the axis before the innermost, and `b` from a weight, where that axis has stride 1. See [`Nest::contract`].
    Contract {
        a: ValueId,
        b: ValueId,
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

pub mod cut;
pub mod order;
pub mod print;
pub mod verify;
pub mod walk;
