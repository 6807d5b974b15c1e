//! The scheduler's own view of a graph: values with numbers for extents.
//!
//! In: nothing; built by [`lower`](super::lower). A [`Flow`] differs from a
//! [`Graph`](crate::eqn::Graph) in four ways: extents are numbers; sums of products with parameter
//! matrices are one value ([`Op::Acc`]); sums of outer products over rows are one value
//! ([`Op::Gram`]); softmax and the like are written out.
//! Invariant: a value's operands have smaller ids, save what [`Op::Lag`] reads through its state.

use crate::eqn::{
    Binary, Domain, DomainId, DomainKind, Fold, Level, Point, Source, SourceId, StateId, Unary, declare_id,
};
use crate::loops::{Coordinate, Front, Relation};
use crate::source::Span;
use std::sync::Arc;

declare_id!(/// A value of a [`Flow`].
    Val);

#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Const(f64),
    Source(SourceId),
    Lag {
        state: StateId,
        offset: i32,
    },
    Position(DomainId),
    Length(DomainId),
    Unary(Unary, Val),
    Binary(Binary, Val, Val),
    Select(Val, Val, Val),
    Spread(Val),
    /// The same value in memory of its own.
    Copy(Val),
    Slice {
        arg: Val,
        start: usize,
    },
    Transpose(Val),
    /// Of a value that lies contiguous in memory.
    Reshape(Val),
    Concat(Vec<Val>),
    Outer(Val, Val),
    Gather {
        arg: Val,
        index: Val,
    },
    Scatter {
        index: Val,
        value: Val,
    },
    /// Any product that is no [`Op::Acc`], as a loop nest.
    MatMul(Val, Val),
    Reduce {
        fold: Fold,
        arg: Val,
        axis: usize,
    },
    ArgMax(Val),
    SumOver(Val),
    /// `SumOver(Scatter)`, without the zeros.
    SumScatter {
        index: Val,
        value: Val,
    },
    /// The same of long rows in memory, by a stage of its own.
    Tally {
        index: Val,
        value: Val,
    },
    At {
        arg: Val,
        point: Point,
        empty: Val,
    },
    Reverse(Val),
    /// Rows of other points, copied; with a state: of its base, initial values and sides.
    Collect {
        state: Option<StateId>,
        from: Vec<Val>,
        relation: Relation,
    },
    /// Over all points below this value's own, where no kernel can add them up.
    Fold {
        fold: Fold,
        arg: Val,
    },
    /// A coordinate at an indexed level, where it differs from row to row.
    Number(Coordinate, DomainId),
    Literal(Arc<[f64]>),
    /// The sum of products of vectors at this value's level with matrices known before a run.
    Acc(Vec<Term>),
    /// The sum of outer products over all rows of the terms, Shared. Of Shared matrices the rows are their own.
    Gram(Vec<GramTerm>),
}

/// `matrix @ vector`; in the packed form `out[n] = Σ_k vector[k] * w[k, n]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    pub matrix: Val,
    /// The matrix is `[n, k]`.
    pub transposed: bool,
    pub vector: Val,
}

/// `Σ a ⊗ b` at rows `row..`, columns `column..` of the whole: over the rows of vectors, or over those of two Shared
/// matrices (`aᵀ @ b`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GramTerm {
    pub a: Val,
    pub b: Val,
    pub row: usize,
    pub column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub op: Op,
    pub shape: Vec<usize>,
    pub level: Level,
    /// A symbol that comes from outside as an integer.
    pub is_id: bool,
    pub name: Option<Arc<str>>,
    pub span: Option<Span>,
}

impl Value {
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub name: Arc<str>,
    pub domain: DomainId,
    /// The value whose memory the lags read.
    pub base: Val,
    pub init: Vec<Val>,
    /// How far it is read before and behind the current point.
    pub before: u32,
    pub after: u32,
    /// Read by [`Op::Collect`].
    pub collected: bool,
    /// What is read across one side only.
    pub sides: Vec<(DomainId, bool, Val)>,
}

impl State {
    /// What reads outside the domain give.
    pub fn boundary(&self) -> impl Iterator<Item = Val> + '_ {
        self.init.iter().copied().chain(self.sides.iter().map(|(.., v)| *v))
    }

    pub fn is_read(&self) -> bool {
        self.before > 0 || self.after > 0 || self.collected
    }
}

#[derive(Clone, Debug, Default)]
pub struct Flow {
    pub name: String,
    /// Those of the graph, then further orders of some.
    pub domains: Vec<Domain>,
    /// How the rows of each domain are sorted, if they are indexed.
    pub order: Vec<Vec<Front>>,
    pub sources: Vec<Source>,
    pub values: Vec<Value>,
    pub states: Vec<State>,
    pub outputs: Vec<(Arc<str>, Val)>,
}

/// A value as a part of another's memory: element `index` of it is at
/// `offset + Σ strides[d] * index[d]` of a row of `base`, `lag` steps away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    pub base: Val,
    pub lag: i32,
    pub offset: usize,
    pub strides: Vec<usize>,
}

pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    strides
}

impl Op {
    /// Operands at the same point, in order.
    pub fn operands(&self) -> Vec<Val> {
        match self {
            Op::Const(_) | Op::Source(_) | Op::Lag { .. } | Op::Position(_) | Op::Length(_) => Vec::new(),
            Op::Literal(_) | Op::Number(..) => Vec::new(),
            Op::Collect { from, .. } => from.clone(),
            Op::Fold { arg, .. } => vec![*arg],
            Op::Unary(_, a) | Op::Spread(a) | Op::Copy(a) | Op::Transpose(a) | Op::Reshape(a) => vec![*a],
            Op::Slice { arg: a, .. } | Op::Reduce { arg: a, .. } => vec![*a],
            Op::ArgMax(a) | Op::SumOver(a) | Op::Reverse(a) => vec![*a],
            Op::Binary(_, a, b) | Op::Outer(a, b) | Op::MatMul(a, b) => vec![*a, *b],
            Op::Gather { arg: a, index: b } | Op::At { arg: a, empty: b, .. } => vec![*a, *b],
            Op::Scatter { index: a, value: b } | Op::SumScatter { index: a, value: b } => vec![*a, *b],
            Op::Tally { index, value } => vec![*index, *value],
            Op::Select(a, b, c) => vec![*a, *b, *c],
            Op::Concat(parts) => parts.clone(),
            Op::Acc(terms) => terms.iter().flat_map(|t| [t.matrix, t.vector]).collect(),
            Op::Gram(terms) => terms.iter().flat_map(|t| [t.a, t.b]).collect(),
        }
    }

    /// Computed nowhere: another value's memory, read in another way.
    pub fn is_view(&self) -> bool {
        matches!(self, Op::Lag { .. } | Op::Slice { .. } | Op::Transpose(_) | Op::Reshape(_))
    }

    /// Neither computed nor in memory.
    pub fn is_immediate(&self) -> bool {
        matches!(self, Op::Const(_) | Op::Position(_) | Op::Length(_))
    }

    /// Computed by a fused kernel.
    pub fn is_map(&self) -> bool {
        !self.is_view()
            && !self.is_immediate()
            && !matches!(self, Op::Source(_) | Op::Acc(_) | Op::Gram(_) | Op::Tally { .. })
            && !matches!(self, Op::At { .. } | Op::Reverse(_))
            && !self.is_copy()
    }

    /// Computed from other rows than its own, by a stage that also loops have.
    pub fn is_copy(&self) -> bool {
        matches!(self, Op::Collect { .. } | Op::Fold { .. } | Op::Number(..))
    }

    /// The state that is read at another point.
    pub fn state(&self) -> Option<StateId> {
        match self {
            Op::Lag { state, .. } => Some(*state),
            Op::Collect { state, .. } => *state,
            _ => None,
        }
    }

    /// A fold over rows, whose own value is there only after all of them.
    pub fn is_sum(&self) -> bool {
        matches!(self, Op::SumOver(_) | Op::SumScatter { .. })
    }

    /// One element of the result from the same element of the operands.
    pub fn is_elementwise(&self) -> bool {
        matches!(self, Op::Unary(..) | Op::Binary(..) | Op::Select(..) | Op::Spread(_) | Op::Copy(_))
    }
}

impl Flow {
    /// So little work that doing it again costs less than keeping the result.
    pub fn is_cheap(&self, v: Val) -> bool {
        match self.op(v) {
            Op::Unary(u, _) => {
                matches!(u, Unary::Neg | Unary::Relu | Unary::Abs | Unary::Sign | Unary::Not | Unary::ToReal)
            }
            Op::Binary(b, ..) => !matches!(b, Binary::Div | Binary::Pow | Binary::Mod),
            Op::Select(..) | Op::Spread(_) => true,
            _ => false,
        }
    }

    pub fn get(&self, v: Val) -> &Value {
        &self.values[v.index()]
    }

    pub fn op(&self, v: Val) -> &Op {
        &self.values[v.index()].op
    }

    pub fn level(&self, v: Val) -> Level {
        self.values[v.index()].level
    }

    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Val> + use<> {
        (0..self.values.len() as u32).map(Val)
    }

    /// Where the elements of a value lie. A value that is no view is its own base.
    pub fn view(&self, v: Val) -> View {
        // Views are followed down to their base, then applied from there upwards.
        let mut path = Vec::new();
        let mut at = v;
        let (base, lag) = loop {
            match self.op(at) {
                Op::Slice { arg, .. } | Op::Transpose(arg) | Op::Reshape(arg) => {
                    path.push(at);
                    at = *arg;
                }
                Op::Lag { state, offset } => break (self.states[state.index()].base, *offset),
                _ => break (at, 0),
            }
        };
        let mut view = View { base, lag, offset: 0, strides: row_major(&self.get(at).shape) };
        for step in path.into_iter().rev() {
            match self.op(step) {
                Op::Slice { start, .. } => view.offset += start * view.strides.first().copied().unwrap_or(0),
                Op::Transpose(_) => view.strides.reverse(),
                Op::Reshape(_) => view.strides = row_major(&self.get(step).shape),
                _ => {}
            }
        }
        view
    }

    /// Whether a value's elements follow one another in memory in row-major order.
    pub fn is_contiguous(&self, v: Val) -> bool {
        let value = self.get(v);
        let natural = row_major(&value.shape);
        let view = self.view(v);
        (view.strides.iter().zip(&natural).zip(&value.shape)).all(|((s, n), extent)| s == n || *extent == 1)
    }

    /// Whether every row of a domain is a point of its example.
    pub fn is_full(&self, domain: DomainId) -> bool {
        !matches!(self.domains[domain.index()].kind, DomainKind::Chain { fixed: None })
    }

    /// Whether a domain's rows are those of the true points only.
    pub fn is_indexed(&self, domain: DomainId) -> bool {
        !matches!(self.domains[domain.index()].kind, DomainKind::Chain { .. })
    }

    /// The chain whose padded rows a level has.
    pub fn chain(&self, level: Level) -> Option<DomainId> {
        match level {
            Level::Over(d) if !self.is_indexed(d) => Some(d),
            _ => None,
        }
    }

    /// Everything a value needs: operands, and what it reads through its state.
    pub fn needs(&self, v: Val) -> Vec<Val> {
        let op = self.op(v);
        let mut needs = op.operands();
        if let Some(state) = op.state() {
            let state = &self.states[state.index()];
            needs.push(state.base);
            needs.extend(state.boundary());
        }
        needs
    }

    /// A name for reading: the author's, or one made from the id.
    pub fn label(&self, v: Val) -> String {
        match (&self.get(v).name, self.op(v)) {
            (Some(name), _) => name.to_string(),
            (None, Op::Source(s)) => self.sources[s.index()].name.to_string(),
            (None, _) => format!("v{}", v.0),
        }
    }
}
