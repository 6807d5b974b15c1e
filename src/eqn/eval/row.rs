//! One node at one point.

use super::number::Number;
use super::{Place, Run, ops};
use crate::eqn::{Level, NodeId, Op, Side, State};

impl<N: Number> Run<'_, N> {
    /// Computes one row of a node into `all`, which holds all its rows.
    pub(super) fn row(
        &self,
        id: NodeId,
        p: Place,
        row: usize,
        all: &mut [N],
        elements: usize,
    ) -> Result<(), String> {
        if let Op::Lag { .. } = self.graph.node(id).op {
            let (from, q) = self.lagged(id, p)?;
            let there = self.points.row(self.graph.level(from), q);
            if from == id {
                // A state may be defined as nothing but its own past.
                for i in 0..elements {
                    all[row * elements + i] = all[there * elements + i].stored();
                }
                return Ok(());
            }
            let value = &self.values[from.index()][there * elements..][..elements];
            let to = &mut all[row * elements..][..elements];
            to.iter_mut().zip(value).for_each(|(to, v)| *to = v.stored());
            return Ok(());
        }
        self.value(id, p, &mut all[row * elements..][..elements])
    }

    /// The node and the place that a lag reads.
    fn lagged(&self, id: NodeId, p: Place) -> Result<(NodeId, Place), String> {
        let Op::Lag { state, offset } = self.graph.node(id).op else {
            return Err("this is no lag".into());
        };
        let state: &State = &self.graph.states[state.index()];
        let own = Level::Over(state.domain);
        let (node, q, level) = match self.points.lag(state.domain, offset, self.graph.level(id), p) {
            Ok(q) => (state.def.ok_or("a state has no definition")?, q, own),
            Err(outside) => {
                let of = |s: &&Side| outside.side == Some((s.axis, s.after));
                let node = match state.sides.iter().find(of) {
                    Some(side) => side.value,
                    None => state.init[outside.distance.min(state.init.len()) - 1],
                };
                (node, p, self.graph.level(id))
            }
        };
        Ok((node, self.points.project(level, q, self.graph.level(node))))
    }

    /// Calls `f` with everything that is read to compute a node at a place.
    pub(super) fn reads(&self, id: NodeId, p: Place, f: &mut dyn FnMut(NodeId, Place)) {
        let (graph, points) = (self.graph, &self.points);
        let level = graph.level(id);
        let mut here = |x: NodeId| f(x, points.project(level, p, graph.level(x)));
        match &graph.node(id).op {
            Op::Lag { .. } => {
                if let Ok((node, q)) = self.lagged(id, p) {
                    f(node, q);
                }
            }
            Op::SumOver(x) | Op::FoldOver { arg: x, .. } => {
                points.below(graph.level(*x), level, p).into_iter().for_each(|q| f(*x, q));
            }
            Op::At { arg, empty, .. } => match self.point_of(id, p) {
                Some(q) => f(*arg, q),
                None => here(*empty),
            },
            Op::Remap { arg, maps } => {
                if let Some(q) = points.remap(maps, graph.level(*arg), level, p) {
                    f(*arg, q);
                }
            }
            Op::Points { parts, axis } => here(parts[points.position(level, p, *axis)]),
            op => op.operands().for_each(here),
        }
    }

    /// The point that an `at` reads, if the example has it.
    fn point_of(&self, id: NodeId, p: Place) -> Option<Place> {
        let Op::At { arg, axis, point, .. } = self.graph.node(id).op else { return None };
        let (from, to) = (self.graph.level(id), self.graph.level(arg));
        self.points.point(axis, point, from, p, to)
    }

    /// A node's value as it is read from a place of a level that is not lower.
    fn at(&self, id: NodeId, level: Level, p: Place) -> &[N] {
        let own = self.graph.level(id);
        let row = self.points.row(own, self.points.project(level, p, own));
        let elements = self.plan.elements(id);
        &self.values[id.index()][row * elements..][..elements]
    }

    fn value(&self, id: NodeId, p: Place, out: &mut [N]) -> Result<(), String> {
        let node = self.graph.node(id);
        let level = node.level;
        let a = |id: NodeId| self.at(id, level, p);
        match &node.op {
            Op::Const(c) => out.fill(N::given(*c)),
            Op::DimValue(d) => out.fill(N::given(d.as_constant().ok_or("a dimension is not bound")? as f64)),
            // Loaded from arrays, or handled with the other rows at hand.
            Op::Source(_) | Op::Lag { .. } => {}
            Op::Position(d) => out.fill(N::given(self.points.position(level, p, *d) as f64 + 1.0)),
            Op::Length(d) => out.fill(N::given(self.points.length(*d, level, p) as f64)),
            Op::Unary(kind, x) => {
                let f = N::unary(*kind);
                out.iter_mut().zip(a(*x)).for_each(|(o, x)| *o = f(*x));
            }
            Op::Binary(kind, x, y) => {
                let f = N::binary(*kind);
                let (x, y) = (Elements::new(a(*x), self, *x), Elements::new(a(*y), self, *y));
                out.iter_mut().enumerate().for_each(|(i, o)| *o = f(x.get(i), y.get(i)));
            }
            Op::Select(c, x, y) => {
                let c = Elements::new(a(*c), self, *c);
                let (x, y) = (Elements::new(a(*x), self, *x), Elements::new(a(*y), self, *y));
                out.iter_mut().enumerate().for_each(|(i, o)| *o = N::select(c.get(i), x.get(i), y.get(i)));
            }
            Op::Spread(x) => out.fill(a(*x)[0]),
            Op::MatMul(x, y) => {
                let inner = self.plan.shape(*y)[0];
                let columns = self.plan.shape(*y).get(1).copied().unwrap_or(1);
                matmul(a(*x), a(*y), inner, columns, out);
            }
            Op::Transpose(x) => {
                let (x, rows) = (a(*x), self.plan.shape(*x)[0]);
                out.iter_mut().enumerate().for_each(|(i, o)| {
                    let columns = x.len() / rows;
                    *o = x[(i % rows) * columns + i / rows];
                });
            }
            Op::Outer(x, y) => {
                let (x, y) = (a(*x), a(*y));
                for (row, x) in out.chunks_mut(y.len().max(1)).zip(x) {
                    row.iter_mut().zip(y).for_each(|(o, y)| *o = x.mul(*y));
                }
            }
            Op::Concat(parts) => {
                let mut at = 0;
                for part in parts {
                    let part = a(*part);
                    out[at..at + part.len()].copy_from_slice(part);
                    at += part.len();
                }
            }
            Op::Slice { arg, start } => {
                let inner: usize = self.plan.shape(*arg)[1..].iter().product();
                let start = start.as_constant().and_then(|n| usize::try_from(n).ok());
                let from = start.and_then(|s| s.checked_mul(inner)).unwrap_or(usize::MAX);
                let part = from.checked_add(out.len()).and_then(|end| a(*arg).get(from..end));
                out.copy_from_slice(part.ok_or("a slice reaches beyond its operand")?);
            }
            Op::Gather { arg, index } => {
                let index = a(*index)[0];
                let k = symbol(index.value(), self.plan.shape(*arg)[0])?;
                let from = &a(*arg)[k * out.len()..];
                out.iter_mut().zip(from).for_each(|(o, v)| *o = v.chosen_by(index));
            }
            Op::Scatter { index, value } => {
                let index = a(*index)[0];
                let k = symbol(index.value(), self.plan.shape(id)[0])?;
                let value = a(*value);
                out.fill(N::given(0.0).chosen_by(index));
                let to = &mut out[k * value.len()..];
                to.iter_mut().zip(value).for_each(|(o, v)| *o = v.chosen_by(index));
            }
            Op::Reduce { fold, arg, axis } => {
                let (shape, axis) = (self.plan.shape(*arg), *axis as usize);
                let (n, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
                let x = a(*arg);
                out.iter_mut().enumerate().for_each(|(i, o)| {
                    let first = (i / inner) * n * inner + i % inner;
                    *o = ops::fold(*fold, (0..n).map(|k| x[first + k * inner]));
                });
            }
            Op::Softmax(x) => ops::softmax(a(*x), out),
            Op::LogSumExp(x) => out.fill(ops::logsumexp(a(*x))),
            Op::ArgMax(x) => out.fill(ops::argmax(a(*x))),
            Op::Reshape(x) => out.copy_from_slice(a(*x)),
            Op::SumOver(x) => return self.sum(*x, level, p, out),
            Op::FoldOver { fold, arg } => {
                let from = self.graph.level(*arg);
                let places = self.points.below(from, level, p);
                for (i, o) in out.iter_mut().enumerate() {
                    *o = ops::fold(*fold, places.iter().map(|q| self.at(*arg, from, *q)[i]));
                }
            }
            Op::At { arg, empty, .. } => out.copy_from_slice(match self.point_of(id, p) {
                Some(q) => self.at(*arg, self.graph.level(*arg), q),
                None => a(*empty),
            }),
            Op::Remap { arg, maps } => {
                let from = self.graph.level(*arg);
                match self.points.remap(maps, from, level, p) {
                    Some(q) => out.copy_from_slice(self.at(*arg, from, q)),
                    None => out.fill(N::given(0.0)),
                }
            }
            Op::Points { parts, axis } => {
                let part = parts.get(self.points.position(level, p, *axis));
                out.copy_from_slice(a(*part.ok_or("a stack has too few parts")?));
            }
            Op::Literal(values) => out.iter_mut().zip(values.iter()).for_each(|(o, v)| *o = N::given(*v)),
        }
        Ok(())
    }

    /// The sum of all places below one place of a lower level.
    fn sum(&self, x: NodeId, level: Level, p: Place, out: &mut [N]) -> Result<(), String> {
        out.fill(N::given(0.0));
        let mut product = Vec::new();
        if self.plan.streamed[x.index()] {
            product.resize(out.len(), N::given(0.0));
        }
        let from = self.graph.level(x);
        for place in self.points.below(from, level, p) {
            if product.is_empty() {
                add(out, self.at(x, from, place));
            } else {
                self.value(x, place, &mut product)?;
                add(out, &product);
            }
        }
        Ok(())
    }
}

fn add<N: Number>(out: &mut [N], values: &[N]) {
    out.iter_mut().zip(values).for_each(|(o, v)| *o = o.add(*v));
}

/// The elements of an operand, or one scalar again and again.
struct Elements<'a, N> {
    values: &'a [N],
    is_scalar: bool,
}

impl<'a, N: Number> Elements<'a, N> {
    fn new(values: &'a [N], run: &Run<N>, id: NodeId) -> Self {
        Elements { values, is_scalar: run.plan.shape(id).is_empty() }
    }

    fn get(&self, i: usize) -> N {
        self.values[if self.is_scalar { 0 } else { i }]
    }
}

fn symbol(v: f64, count: usize) -> Result<usize, String> {
    match v >= 0.0 && v < count as f64 && v.fract() == 0.0 {
        true => Ok(v as usize),
        false => Err(format!("{v} is no index into {count} elements")),
    }
}

/// `[A, inner] @ [inner, columns]`, where a vector counts as one row or one column.
fn matmul<N: Number>(x: &[N], y: &[N], inner: usize, columns: usize, out: &mut [N]) {
    let zero = N::given(0.0);
    out.fill(zero);
    if columns == 0 {
        return;
    }
    if columns == 1 {
        let dot = |row: &[N]| row.iter().zip(y).fold(zero, |sum, (a, b)| sum.add(a.mul(*b)));
        // Rows of no elements leave their zeros.
        out.iter_mut().zip(x.chunks(inner.max(1))).for_each(|(o, row)| *o = dot(row));
        return;
    }
    for (r, row) in out.chunks_mut(columns).enumerate() {
        for k in 0..inner {
            let factor = x[r * inner + k];
            let terms = &y[k * columns..][..columns];
            row.iter_mut().zip(terms).for_each(|(o, v)| *o = o.add(factor.mul(*v)));
        }
    }
}
