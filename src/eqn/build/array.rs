//! Operations on arrays, point by point or along the axis of a reduction.
//!
//! Along an axis of length n a value of shape `S` is one array `[n, S]`. Elementwise operations take it
//! as it is, products with what does not run along become products of matrices. What has no such form
//! stops with [`Stop::NoAlong`], and the caller unrolls or refuses.

use super::builder::Builder;
use super::errors::{self, Sign, Written};
use super::value::*;
use crate::eqn::{Binary, Fold, NodeId, Op, Unary};
use crate::shape::Dim;
use crate::source::Span;

/// An operand with where it stands.
pub type At = (Arr, Span);

impl<'l> Builder<'l> {
    pub fn unary(&mut self, kind: Unary, a: Arr, span: Span) -> R<Arr> {
        let node = self.add(Op::Unary(kind, a.node), span)?;
        Ok(Arr { node, along: a.along })
    }

    /// An elementwise operation; `sign` is how the author wrote it.
    pub fn elementwise<'a>(
        &mut self,
        kind: Binary,
        sign: impl Into<Sign<'a>>,
        a: At,
        b: At,
        span: Span,
    ) -> R<Arr> {
        self.same_domain(a, b, span)?;
        let (x, y) = (self.shape(a.0).to_vec(), self.shape(b.0).to_vec());
        if !x.is_empty() && !y.is_empty() && x != y {
            let d = errors::unequal_shapes(sign.into(), (&x, a.1), (&y, b.1));
            return self.fail(d);
        }
        let want = if x.is_empty() { y } else { x };
        let (p, q, along) = self.align(a, b, &want, span)?;
        let node = self.add(Op::Binary(kind, p, q), span)?;
        Ok(Arr { node, along })
    }

    /// Two operands as arrays that one elementwise operation takes.
    fn align(&mut self, a: At, b: At, want: &[Dim], span: Span) -> R<(NodeId, NodeId, u32)> {
        let along = self.common_along(a.0, b.0, span)?;
        if along == 0 {
            return Ok((a.0.node, b.0.node, 0));
        }
        let extent = self.along_extent(if a.0.along != 0 { a.0 } else { b.0 }, span)?;
        let p = self.stretch(a.0, &extent, want, span)?;
        let q = self.stretch(b.0, &extent, want, span)?;
        Ok((p, q, along))
    }

    fn common_along(&mut self, a: Arr, b: Arr, span: Span) -> R<u32> {
        match (a.along, b.along) {
            (0, k) | (k, 0) => Ok(k),
            (j, k) if j == k => Ok(j),
            _ => Err(Stop::NoAlong(span)),
        }
    }

    fn along_extent(&mut self, a: Arr, span: Span) -> R<Dim> {
        self.graph.shape(a.node).first().cloned().ok_or(Stop::NoAlong(span))
    }

    /// `[extent] + want` of an operand; a scalar that does not run along stays one.
    fn stretch(&mut self, a: Arr, extent: &Dim, want: &[Dim], span: Span) -> R<NodeId> {
        let shape = self.shape(a).to_vec();
        match (a.along != 0, shape.is_empty(), want) {
            (true, false, _) | (true, true, []) | (false, true, _) => Ok(a.node),
            (true, true, [len]) => {
                let ones = self.filled(1.0, std::slice::from_ref(len), span)?;
                self.add(Op::Outer(a.node, ones), span)
            }
            (false, false, [_]) => {
                let ones = self.filled(1.0, std::slice::from_ref(extent), span)?;
                self.add(Op::Outer(ones, a.node), span)
            }
            _ => Err(Stop::NoAlong(span)),
        }
    }

    pub fn select(&mut self, c: At, a: At, b: At, span: Span) -> R<Arr> {
        self.same_domain(a, b, span)?;
        self.same_domain(c, a, span)?;
        let shapes: Vec<Vec<Dim>> = [a, b, c].iter().map(|x| self.shape(x.0).to_vec()).collect();
        let want = shapes.iter().find(|s| !s.is_empty()).cloned().unwrap_or_default();
        if shapes.iter().any(|s| !s.is_empty() && *s != want) {
            let d = errors::unequal_branches((&shapes[0], a.1), (&shapes[1], b.1), (&shapes[2], c.1));
            return self.fail(d);
        }
        let along = self.common_along(a.0, b.0, span)?;
        let along = match (along, c.0.along) {
            (0, k) | (k, 0) => k,
            (j, k) if j == k => j,
            _ => return Err(Stop::NoAlong(span)),
        };
        let mut nodes = [c.0.node, a.0.node, b.0.node];
        if along != 0 {
            let running = [c.0, a.0, b.0].into_iter().find(|x| x.along != 0);
            let extent = self.along_extent(running.unwrap_or(a.0), span)?;
            for (node, arr) in nodes.iter_mut().zip([c.0, a.0, b.0]) {
                *node = self.stretch(arr, &extent, &want, span)?;
            }
        }
        let node = self.add(Op::Select(nodes[0], nodes[1], nodes[2]), span)?;
        Ok(Arr { node, along })
    }

    pub fn matmul(&mut self, a: At, b: At, written: Written<'_>, span: Span) -> R<Arr> {
        self.same_domain(a, b, span)?;
        let (x, y) = (self.shape(a.0).to_vec(), self.shape(b.0).to_vec());
        let fits = match (x.last(), y.first()) {
            (Some(p), Some(q)) => p == q && x.len() <= 2 && y.len() <= 2,
            _ => false,
        };
        if !fits {
            let d = errors::product((&x, a.1), (&y, b.1), written);
            return self.fail(d);
        }
        let node = match (a.0.along, b.0.along) {
            (0, 0) => self.add(Op::MatMul(a.0.node, b.0.node), span)?,
            (0, _) if x.len() == 2 && y.len() == 1 => {
                let t = self.add(Op::Transpose(a.0.node), span)?;
                self.add(Op::MatMul(b.0.node, t), span)?
            }
            (0, _) if x.len() == 1 && y.len() == 1 => self.add(Op::MatMul(b.0.node, a.0.node), span)?,
            (_, 0) if x.len() == 1 => self.add(Op::MatMul(a.0.node, b.0.node), span)?,
            (j, k) if j == k && x.len() == 1 && y.len() == 1 => {
                let product = self.add(Op::Binary(Binary::Mul, a.0.node, b.0.node), span)?;
                self.add(Op::Reduce { fold: Fold::Sum, arg: product, axis: 1 }, span)?
            }
            _ => return Err(Stop::NoAlong(span)),
        };
        Ok(Arr { node, along: self.common_along(a.0, b.0, span)? })
    }

    /// Values that are whole along different axes cannot meet: positions of one are none of the other.
    pub fn same_domain(&mut self, a: At, b: At, span: Span) -> R<()> {
        let (p, q) = (self.whole_axes(a.0.node), self.whole_axes(b.0.node));
        if p.iter().all(|x| q.contains(x)) || q.iter().all(|x| p.contains(x)) {
            return Ok(());
        }
        let (p, q) = (self.extent_names(&p), self.extent_names(&q));
        let d = errors::two_domains((&p, a.1), (&q, b.1), span);
        self.fail(d)
    }

    /// Joins along the first axis; a scalar counts as one element.
    pub fn concat(&mut self, parts: &[At], span: Span) -> R<Arr> {
        let mut nodes = Vec::new();
        for (arr, at) in parts {
            if arr.along != 0 {
                return Err(Stop::NoAlong(*at));
            }
            let node = match self.graph.is_scalar(arr.node) {
                true => self.reshape(arr.node, &[Dim::constant(1)], *at)?,
                false => arr.node,
            };
            nodes.push((Arr { node, along: 0 }, *at));
        }
        for pair in nodes.windows(2) {
            self.same_domain(pair[0], pair[1], span)?;
        }
        if let [(one, _)] = nodes.as_slice() {
            return Ok(*one);
        }
        let node = self.add(Op::Concat(nodes.iter().map(|(a, _)| a.node).collect()), span)?;
        Ok(Arr { node, along: 0 })
    }

    /// Arrays of one shape as one array with a new first axis.
    pub fn stack_nodes(&mut self, parts: &[NodeId], span: Span) -> R<NodeId> {
        let mut rows = Vec::new();
        for node in parts {
            let mut shape = vec![Dim::constant(1)];
            shape.extend(self.graph.shape(*node).iter().cloned());
            rows.push(self.reshape(*node, &shape, span)?);
        }
        match rows.as_slice() {
            [one] => Ok(*one),
            _ => self.add(Op::Concat(rows), span),
        }
    }
}
