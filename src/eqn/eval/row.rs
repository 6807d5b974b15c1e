//! One node at one point.

use super::number::Number;
use super::ops;
use super::run::Run;
use crate::eqn::{NodeId, Op};

impl<N: Number> Run<'_, N> {
    /// Computes one row of a node into `all`, which holds all its rows.
    pub(super) fn row(&self, id: NodeId, row: usize, all: &mut [N]) -> Result<(), String> {
        let elements = self.plan.elements(id);
        let Op::Lag { .. } = self.graph.node(id).op else {
            return self.value(id, row, &mut all[row * elements..][..elements]);
        };
        let (from, there) = self.layout.lag(id, row).ok_or("a lag reads nothing")?;
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
        Ok(())
    }

    /// One row of a node.
    fn at(&self, id: NodeId, row: usize) -> &[N] {
        let elements = self.plan.elements(id);
        &self.values[id.index()][row * elements..][..elements]
    }

    fn value(&self, id: NodeId, row: usize, out: &mut [N]) -> Result<(), String> {
        let node = self.graph.node(id);
        let layout = self.layout;
        // An operand at the same point.
        let a = |id: NodeId| self.at(id, layout.project(node.level, self.graph.level(id), row));
        match &node.op {
            Op::Const(c) => out.fill(N::given(*c)),
            Op::DimValue(d) => out.fill(N::given(d.as_constant().ok_or("a dimension is not bound")? as f64)),
            // Loaded from arrays, or handled with the other rows at hand.
            Op::Source(_) | Op::Lag { .. } => {}
            Op::Position(_) => out.fill(N::given(layout.number(id, row) as f64 + 1.0)),
            Op::Length(_) => out.fill(N::given(layout.number(id, row) as f64)),
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
            Op::SumOver(x) => return self.sum(*x, layout.below(id, row), out),
            Op::FoldOver { fold, arg } => {
                let rows = layout.below(id, row);
                for (i, o) in out.iter_mut().enumerate() {
                    *o = ops::fold(*fold, rows.iter().map(|r| self.at(*arg, *r as usize)[i]));
                }
            }
            Op::At { arg, empty, .. } => out.copy_from_slice(match layout.one(id, row) {
                Some(row) => self.at(*arg, row),
                None => a(*empty),
            }),
            Op::Remap { arg, .. } | Op::Flatten { arg, .. } => match layout.one(id, row) {
                Some(row) => out.copy_from_slice(self.at(*arg, row)),
                None => out.fill(N::given(0.0)),
            },
            Op::Points { parts, .. } => {
                let part = parts.get(layout.number(id, row));
                out.copy_from_slice(a(*part.ok_or("a stack has too few parts")?));
            }
            Op::Literal(values) => out.iter_mut().zip(values.iter()).for_each(|(o, v)| *o = N::given(*v)),
        }
        Ok(())
    }

    /// The sum of rows.
    fn sum(&self, x: NodeId, rows: &[u32], out: &mut [N]) -> Result<(), String> {
        out.fill(N::given(0.0));
        if !self.plan.streamed[x.index()] {
            rows.iter().for_each(|row| add(out, self.at(x, *row as usize)));
            return Ok(());
        }
        let mut product = vec![N::given(0.0); out.len()];
        for row in rows {
            self.value(x, *row as usize, &mut product)?;
            add(out, &product);
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
