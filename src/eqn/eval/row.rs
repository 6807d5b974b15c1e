//! One node at one point.

use super::number::Number;
use super::{Place, Run, ops};
use crate::eqn::{Level, NodeId, Op, Point};

impl<N: Number> Run<'_, N> {
    /// Computes one row of a node into `out`, which holds all its rows.
    pub(super) fn row(&self, id: NodeId, p: Place, all: &mut [N], elements: usize) -> Result<(), String> {
        if let Op::Lag { state, offset } = self.graph.node(id).op {
            let state = &self.graph.states[state.index()];
            let length = self.lengths[state.domain.index()][p.example] as i64;
            let to = p.point as i64 + i64::from(offset);
            let from = if (0..length).contains(&to) {
                let to = to as usize;
                let def = state.def.ok_or("a state has no definition")?;
                let there = Place { row: to * self.size + p.example, point: to, ..p };
                // A state may be defined as nothing but its own past.
                if def == id {
                    for i in 0..elements {
                        all[p.row * elements + i] = all[there.row * elements + i].stored();
                    }
                    return Ok(());
                }
                self.at(def, there)
            } else {
                let outside = if to < 0 { -to } else { to - length + 1 } as usize;
                let init = state.init[outside.min(state.init.len()) - 1];
                self.at(init, p)
            };
            let to = &mut all[p.row * elements..][..elements];
            to.iter_mut().zip(from).for_each(|(to, v)| *to = v.stored());
            return Ok(());
        }
        self.value(id, p, &mut all[p.row * elements..][..elements])
    }

    /// A node's value as it is read from a place of a level that is not lower.
    fn at(&self, id: NodeId, p: Place) -> &[N] {
        let row = match self.graph.level(id) {
            Level::Shared => 0,
            Level::Example => p.example,
            Level::Over(_) => p.row,
        };
        let elements = self.plan.elements(id);
        &self.values[id.index()][row * elements..][..elements]
    }

    fn value(&self, id: NodeId, p: Place, out: &mut [N]) -> Result<(), String> {
        let node = self.graph.node(id);
        let a = |id: NodeId| self.at(id, p);
        match &node.op {
            Op::Const(c) => out.fill(N::given(*c)),
            Op::DimValue(d) => out.fill(N::given(d.as_constant().ok_or("a dimension is not bound")? as f64)),
            // Loaded from arrays, or handled with the other rows at hand.
            Op::Source(_) | Op::Lag { .. } => {}
            Op::Position(_) => out.fill(N::given(p.point as f64 + 1.0)),
            Op::Length(d) => out.fill(N::given(self.lengths[d.index()][p.example] as f64)),
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
            Op::SumOver(x) => return self.sum(*x, node.level, p, out),
            Op::At { arg, point, empty } => {
                let Level::Over(domain) = self.graph.level(*arg) else {
                    return Err("a point is read of a value without a domain".into());
                };
                let length = self.lengths[domain.index()][p.example];
                let point = match point {
                    Point::First => 0,
                    Point::Last => length.wrapping_sub(1),
                    Point::Fixed(k) => (*k as usize).wrapping_sub(1),
                };
                let value = if point < length {
                    self.at(*arg, Place { row: point * self.size + p.example, example: p.example, point })
                } else {
                    a(*empty)
                };
                out.copy_from_slice(value);
            }
            Op::Reverse(x) => {
                let Level::Over(domain) = node.level else {
                    return Err("a value without a domain is read backwards".into());
                };
                let point = self.lengths[domain.index()][p.example] - 1 - p.point;
                let mirrored = Place { row: point * self.size + p.example, example: p.example, point };
                out.copy_from_slice(self.at(*x, mirrored));
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
        let places: Vec<Place> = match (self.graph.level(x), level) {
            (Level::Over(d), Level::Example) => (0..self.lengths[d.index()][p.example])
                .map(|t| Place { row: t * self.size + p.example, point: t, ..p })
                .collect(),
            (from, _) => self.places(from),
        };
        for place in places {
            if product.is_empty() {
                add(out, self.at(x, place));
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
