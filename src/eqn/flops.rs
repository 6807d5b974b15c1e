//! What equations cost, as formulas of their dimensions.
//!
//! In: operations of a [`Graph`]. Out: [`Flops`]: arithmetic on single numbers, for each point of the cell's own domain and
//! once for each example. Counted are: two for each multiply-add of a product (as is usual: `[A, B] @ [B]` is 2·A·B), one for
//! each other addition, multiplication, division, comparison and choice, one for each element that is added up. Elementary
//! functions (exp, tanh, σ, log, sqrt, sin, …) are counted apart: how long one takes depends on the machine. Reading,
//! joining, cutting and transposing are free.

use super::{Binary, DomainId, DomainKind, Graph, Level, NodeId, Op, Unary};
use crate::shape::{Bindings, Dim, DimError};

/// `None` where a number is too large to be written.
pub type Count = Option<Dim>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flops {
    /// Of each point.
    pub each: Work,
    /// Once for an example, whatever its length.
    pub once: Work,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    pub arithmetic: Count,
    pub functions: Count,
}

impl Default for Work {
    fn default() -> Work {
        Work { arithmetic: Some(Dim::default()), functions: Some(Dim::default()) }
    }
}

impl Work {
    fn plus(&self, other: &Work) -> Work {
        Work {
            arithmetic: combine(&self.arithmetic, &other.arithmetic, Dim::add),
            functions: combine(&self.functions, &other.functions, Dim::add),
        }
    }

    fn minus(&self, other: &Work) -> Work {
        Work {
            arithmetic: combine(&self.arithmetic, &other.arithmetic, Dim::sub),
            functions: combine(&self.functions, &other.functions, Dim::sub),
        }
    }

    fn times(&self, factor: &Count) -> Work {
        Work {
            arithmetic: combine(&self.arithmetic, factor, Dim::mul),
            functions: combine(&self.functions, factor, Dim::mul),
        }
    }

    pub fn is_zero(&self) -> bool {
        let zero = |c: &Count| c.as_ref().is_some_and(|d| d.as_constant() == Some(0));
        zero(&self.arithmetic) && zero(&self.functions)
    }
}

impl Flops {
    pub fn plus(&self, other: &Flops) -> Flops {
        Flops { each: self.each.plus(&other.each), once: self.once.plus(&other.once) }
    }

    pub fn minus(&self, other: &Flops) -> Flops {
        Flops { each: self.each.minus(&other.each), once: self.once.minus(&other.once) }
    }

    /// The arithmetic of one point with numbers for dimensions.
    pub fn at(&self, sizes: &Bindings) -> Option<i64> {
        self.each.arithmetic.as_ref()?.eval(sizes).ok()
    }
}

fn combine(a: &Count, b: &Count, f: impl Fn(&Dim, &Dim) -> Result<Dim, DimError>) -> Count {
    f(a.as_ref()?, b.as_ref()?).ok()
}

/// A product that may have become too large.
fn times(all: Dim, factor: Count) -> Count {
    all.mul(&factor?).ok()
}

/// All operations of a graph, each counted once. `own`: the axes of its own domain.
pub fn total(graph: &Graph, own: &[DomainId]) -> Flops {
    sum(graph, graph.node_ids(), own)
}

/// Some of its operations.
pub fn sum(graph: &Graph, nodes: impl IntoIterator<Item = NodeId>, own: &[DomainId]) -> Flops {
    nodes.into_iter().fold(Flops::default(), |all, id| all.plus(&node(graph, id, own)))
}

fn node(graph: &Graph, id: NodeId, own: &[DomainId]) -> Flops {
    let work = at_a_point(graph, id);
    if work.is_zero() {
        return Flops::default();
    }
    // A sum is done where its terms are.
    let level = match graph.node(id).op {
        Op::SumOver(a) | Op::FoldOver { arg: a, .. } => graph.level(a),
        _ => graph.level(id),
    };
    let Level::Over(domain) = level else { return Flops { once: work, ..Flops::default() } };
    let axes = graph.axes(domain);
    let is_own = axes.iter().any(|a| own.contains(a));
    let others = axes.iter().filter(|a| !own.contains(a));
    let points = others.map(|axis| extent(graph, *axis)).try_fold(Dim::constant(1), times);
    let work = work.times(&points);
    match is_own {
        true => Flops { each: work, ..Flops::default() },
        false => Flops { once: work, ..Flops::default() },
    }
}

/// How many points an axis has; as many children as nodes.
fn extent(graph: &Graph, axis: DomainId) -> Count {
    match &graph.domains[axis.index()].kind {
        DomainKind::Chain { fixed: Some(n) } => Some(Dim::constant(i64::from(*n))),
        DomainKind::Children { .. } => Some(Dim::constant(1)),
        DomainKind::Derived(length) => {
            let mut sum = Some(Dim::default());
            for (k, axes) in &length.0 {
                let term = axes.iter().map(|axis| extent(graph, *axis)).try_fold(Dim::constant(*k), times);
                sum = combine(&sum, &term, Dim::add);
            }
            sum
        }
        _ => Some(Dim::sym(graph.domains[axis.index()].extent.clone())),
    }
}

fn elements(graph: &Graph, id: NodeId) -> Count {
    graph.shape(id).iter().cloned().map(Some).try_fold(Dim::constant(1), times)
}

fn at_a_point(graph: &Graph, id: NodeId) -> Work {
    let zero = Some(Dim::default());
    let arithmetic = |n: Count| Work { arithmetic: n, functions: Some(Dim::default()) };
    let functions = |n: Count| Work { arithmetic: Some(Dim::default()), functions: n };
    let scaled = |n: Count, k: i64| combine(&n, &Some(Dim::constant(k)), Dim::mul);
    let size = elements(graph, id);
    match &graph.node(id).op {
        Op::Unary(kind, _) => match kind {
            Unary::StopGradient | Unary::ToReal | Unary::Not => Work::default(),
            Unary::Neg | Unary::Relu | Unary::Abs | Unary::Sign | Unary::Floor => arithmetic(size),
            Unary::Exp
            | Unary::Log
            | Unary::Tanh
            | Unary::Sigmoid
            | Unary::Sqrt
            | Unary::Sin
            | Unary::Cos
            | Unary::Erf
            | Unary::LogSigmoid
            | Unary::Softplus => functions(size),
        },
        // A square is one multiplication.
        Op::Binary(Binary::Pow, _, b) => match graph.as_const(*b) {
            Some(2.0) => arithmetic(size),
            Some(3.0) => arithmetic(scaled(size, 2)),
            _ => functions(size),
        },
        Op::Binary(..) | Op::Select(..) => arithmetic(size),
        Op::MatMul(a, _) => {
            let inner = graph.shape(*a).last().cloned();
            arithmetic(scaled(combine(&size, &inner, Dim::mul), 2))
        }
        Op::Outer(..) => arithmetic(size),
        Op::Reduce { arg, .. } => arithmetic(elements(graph, *arg)),
        // Of a block with one row filled only that is added.
        Op::SumOver(a) => match graph.node(*a).op {
            Op::Scatter { value, .. } => arithmetic(elements(graph, value)),
            _ => arithmetic(elements(graph, *a)),
        },
        Op::FoldOver { arg, .. } => arithmetic(elements(graph, *arg)),
        Op::Softmax(_) => Work { arithmetic: scaled(size.clone(), 4), functions: size },
        Op::LogSumExp(a) => {
            let inner = elements(graph, *a);
            let one = Some(Dim::constant(1));
            Work {
                arithmetic: combine(&scaled(inner.clone(), 3), &one, Dim::add),
                functions: combine(&inner, &one, Dim::add),
            }
        }
        Op::ArgMax(a) => arithmetic(elements(graph, *a)),
        Op::Const(_)
        | Op::DimValue(_)
        | Op::Source(_)
        | Op::Lag { .. }
        | Op::Position(_)
        | Op::Length(_)
        | Op::Spread(_)
        | Op::Transpose(_)
        | Op::Concat(_)
        | Op::Slice { .. }
        | Op::Gather { .. }
        | Op::Scatter { .. }
        | Op::Reshape(_)
        | Op::At { .. }
        | Op::Remap { .. }
        | Op::Flatten { .. }
        | Op::Points { .. }
        | Op::Literal(_) => arithmetic(zero),
    }
}
