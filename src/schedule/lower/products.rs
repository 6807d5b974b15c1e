//! Products of matrices with vectors, their sums, and sums of outer products over rows.
//!
//! In: nodes of sums and products. Out: accumulators ([`Op::Acc`]) and Gram matrices ([`Op::Gram`]), whose operands lie in
//! memory, as packed kernels want them.

use super::{Lowering, Res, errors};
use crate::eqn::{self, Binary, Fold, Level, NodeId};
use crate::schedule::value::{GramTerm, Op, Term, Val};

/// Multiplications of a product of two matrices from which on it is none of a kernel.
const LARGE: usize = 1 << 16;

/// Elements of a row that is added up by a stage of its own.
const LONG: i64 = 64;

impl Lowering<'_> {
    /// The matrix and the vector of a product that packed kernels can do.
    pub(super) fn is_product(&self, id: NodeId) -> bool {
        let node = |n: NodeId| &self.graph.nodes[n.index()];
        let eqn::Op::MatMul(a, b) = node(id).op else { return false };
        let fits = |m: NodeId, v: NodeId| {
            node(m).level == Level::Shared
                && node(m).shape.len() == 2
                && node(v).shape.len() == 1
                && node(v).level > Level::Shared
        };
        fits(a, b) || fits(b, a)
    }

    /// Whether a node is a part of its only reader's sum.
    pub(super) fn is_absorbed(&self, id: NodeId) -> bool {
        let node = &self.graph.nodes[id.index()];
        let [reader] = self.consumers[id.index()][..] else { return false };
        let into = &self.graph.nodes[reader.index()];
        !self.pinned[id.index()]
            && matches!(into.op, eqn::Op::Binary(Binary::Add, ..))
            && into.shape == node.shape
            && self.level[reader.index()] == self.level[id.index()]
            && (matches!(node.op, eqn::Op::Binary(Binary::Add, ..)) || self.is_product(id))
    }

    /// A sum: its product terms become one accumulator, the rest is added to that.
    pub(super) fn sum_of_products(&mut self, root: NodeId, shape: Vec<usize>) -> Res<Val> {
        let mut terms = Vec::new();
        let mut rest = Vec::new();
        let mut stack = vec![root];
        while let Some(n) = stack.pop() {
            let op = &self.graph.nodes[n.index()].op;
            match op {
                eqn::Op::Binary(Binary::Add, a, b) if n == root || self.is_absorbed(n) => {
                    stack.extend([*b, *a]);
                }
                eqn::Op::MatMul(a, b) if n == root || (self.is_absorbed(n) && self.is_product(n)) => {
                    let (a, b) = (self.lowered(*a)?, self.lowered(*b)?);
                    let (m, v, on_left) =
                        if self.flow.get(b).shape.len() == 1 { (a, b, true) } else { (b, a, false) };
                    self.terms(n, m, v, on_left, &mut terms)?;
                }
                _ => {
                    let v = self.lowered(n)?;
                    rest.push(v);
                }
            }
        }
        let mut sum = None;
        if !terms.is_empty() {
            let level = self.level[root.index()];
            sum = Some(self.push_at(Op::Acc(terms), shape.clone(), level)?);
        }
        for v in rest {
            sum = Some(match sum {
                None => v,
                Some(s) => self.binary(Binary::Add, s, v)?,
            });
        }
        let v = sum.ok_or_else(|| errors::malformed("an empty sum", self.span()))?;
        // `a + b` of two scalars of a vector's shape cannot be: shapes were checked.
        if self.flow.get(v).shape == shape { Ok(v) } else { self.spread(v, shape) }
    }

    /// Terms of `m @ v` (or `v @ m`). A joined vector is taken apart if its parts are in memory already or
    /// come at different times (`W @ (x ++ h[t-1])`).
    pub(super) fn terms(
        &mut self,
        at: NodeId,
        m: Val,
        v: Val,
        on_left: bool,
        into: &mut Vec<Term>,
    ) -> Res<()> {
        let vector_node = match &self.graph.nodes[at.index()].op {
            eqn::Op::MatMul(a, b) => {
                if on_left {
                    *b
                } else {
                    *a
                }
            }
            _ => at,
        };
        let apart = match (self.flow.op(v), &self.graph.nodes[vector_node.index()].op) {
            (Op::Concat(parts), eqn::Op::Concat(nodes)) if parts.len() == nodes.len() => {
                let home = self.components.of[at.index()];
                let inside = |n: &NodeId| self.components.of[n.index()] == home;
                let split = parts.iter().any(|p| self.lies_in_memory(*p))
                    || nodes.iter().any(|n| inside(n) != inside(&nodes[0]));
                split.then(|| parts.clone())
            }
            _ => None,
        };
        let Some(parts) = apart else {
            let (matrix, transposed) = self.matrix(m, on_left)?;
            let vector = self.in_lagged_memory(v)?;
            into.push(Term { matrix, transposed, vector });
            return Ok(());
        };
        // Rows of the `[k, n]` meaning.
        let by_k = if on_left { self.transpose(m)? } else { m };
        let mut start = 0;
        for p in parts {
            let length = self.flow.get(p).width();
            let rows = self.slice(by_k, start, length, 0)?;
            let (matrix, transposed) = self.matrix(rows, false)?;
            // A product needs rows: a part with fewer is copied to each.
            let level = self.flow.level(v);
            let vector = if self.flow.level(p) == level {
                self.in_lagged_memory(p)?
            } else {
                let shape = self.shape(p);
                self.push_at(Op::Copy(p), shape, level)?
            };
            into.push(Term { matrix, transposed, vector });
            start += length;
        }
        Ok(())
    }

    /// Sources, and values read at a lag, lie in memory whatever else is decided.
    pub(super) fn lies_in_memory(&self, v: Val) -> bool {
        match self.lag_free_base(v) {
            None => true,
            Some(b) => matches!(self.flow.op(b), Op::Source(_)),
        }
    }

    /// A product of Shared matrices, if it is large enough for packed kernels to be worth their while.
    pub(super) fn of_matrices(&mut self, a: Val, b: Val, shape: &[usize]) -> Res<Option<Val>> {
        let shared = |v: Val| self.flow.level(v) == Level::Shared && self.flow.get(v).shape.len() == 2;
        let size =
            shape.iter().product::<usize>().saturating_mul(self.shape(b).first().copied().unwrap_or(0));
        if !shared(a) || !shared(b) || size < LARGE {
            return Ok(None);
        }
        let a = self.transpose(a)?;
        let (a, b) = (self.in_memory(a)?, self.in_memory(b)?);
        Ok(Some(self.push(Op::Gram(vec![GramTerm { a, b, row: 0, column: 0 }]), shape.to_vec())?))
    }

    /// A row-major matrix in memory, and whether it is `[n, k]`.
    pub(super) fn matrix(&mut self, m: Val, transposed: bool) -> Res<(Val, bool)> {
        if let Op::Transpose(x) = *self.flow.op(m)
            && self.is_contiguous(x)
        {
            return Ok((self.in_memory(x)?, !transposed));
        }
        Ok((self.in_memory(m)?, transposed))
    }

    fn one(&mut self) -> Res<Val> {
        if let Some(one) = self.one {
            return Ok(one);
        }
        let context = self.context.take();
        let one = self.push_at(Op::Const(1.0), vec![1], Level::Shared)?;
        let one = self.in_memory(one)?;
        self.context = context;
        self.one = Some(one);
        Ok(one)
    }

    /// Whether a node lies in memory because a product or an outer product reads it.
    fn is_operand(&self, id: NodeId) -> bool {
        self.consumers[id.index()].iter().any(|reader| {
            matches!(self.graph.nodes[reader.index()].op, eqn::Op::Outer(..)) || self.is_product(*reader)
        })
    }

    /// A sum over rows: outer products of vectors at one level become a [`Op::Gram`], and so does what lies in memory: its
    /// left vector is 1 everywhere.
    pub(super) fn sum_over(&mut self, arg: NodeId, shape: Vec<usize>, level: Level) -> Res<Val> {
        let from = self.level[arg.index()];
        if level != Level::Shared && self.flow.chain(from).is_none() {
            return self.fold(Fold::Sum, arg, shape, level);
        }
        let stored = self.is_operand(arg);
        let long = level == Level::Shared && self.scatters_long_rows(arg);
        let arg = self.lowered(arg)?;
        let from = self.flow.level(arg);
        if from <= level {
            return Err(errors::malformed("a sum over rows of a value that has only one", self.span()));
        }
        let mut grams = Vec::new();
        let mut rest = Vec::new();
        let mut stack = vec![arg];
        while let Some(v) = stack.pop() {
            match *self.flow.op(v) {
                Op::Binary(Binary::Add, a, b)
                    if level == Level::Shared
                        && shape.len() == 2
                        && [a, b].iter().all(|x| self.flow.level(*x) == from)
                        && [a, b].iter().all(|x| self.flow.get(*x).shape == shape) =>
                {
                    stack.extend([b, a])
                }
                Op::Outer(a, b)
                    if level == Level::Shared && [a, b].iter().all(|x| self.flow.level(*x) == from) =>
                {
                    self.gram_terms(a, b, &mut grams)?
                }
                _ => rest.push(v),
            }
        }
        let mut sum = None;
        if !grams.is_empty() {
            sum = Some(self.push_at(Op::Gram(grams), shape.clone(), level)?);
        }
        if sum.is_none() {
            rest = vec![arg];
        }
        for v in rest {
            let op = match *self.flow.op(v) {
                Op::Scatter { index, value } if long && v == arg => {
                    Op::Tally { index, value: self.in_lagged_memory(value)? }
                }
                Op::Scatter { index, value } => Op::SumScatter { index, value },
                // Rows that lie in memory are summed as fast as they can be read.
                _ if stored && v == arg && level == Level::Shared && shape.len() == 1 => {
                    let (a, b) = (self.one()?, self.in_lagged_memory(v)?);
                    Op::Gram(vec![GramTerm { a, b, row: 0, column: 0 }])
                }
                _ => Op::SumOver(v),
            };
            let part = self.push_at(op, shape.clone(), level)?;
            sum = Some(match sum {
                None => part,
                Some(s) => self.binary(Binary::Add, s, part)?,
            });
        }
        sum.ok_or_else(|| errors::malformed("an empty sum", self.span()))
    }

    /// Whether a node puts rows that are long enough for a stage of their own at given ids, and they are 0 beyond an
    /// example's length (or can be made so).
    fn scatters_long_rows(&self, id: NodeId) -> bool {
        let node = |n: NodeId| &self.graph.nodes[n.index()];
        let eqn::Op::Scatter { index, value } = node(id).op else { return false };
        let ends_at_zero = |s: &eqn::State| s.boundary().all(|v| self.graph.as_const(v) == Some(0.0));
        let mut read_outside = self.graph.states.iter().filter(|s| s.def == Some(value));
        let clean = match node(value).op {
            eqn::Op::Lag { state, .. } => ends_at_zero(&self.graph.states[state.index()]),
            _ => read_outside.all(ends_at_zero),
        };
        let width = match &node(value).shape[..] {
            [n] => n.as_constant().unwrap_or(0),
            _ => 0,
        };
        let level = self.level[id.index()];
        clean
            && width >= LONG
            && matches!(node(index).op, eqn::Op::Source(_))
            && [index, value].iter().all(|n| self.level[n.index()] == level)
    }

    /// Vectors that are joined from parts in memory give one block each.
    pub(super) fn gram_terms(&mut self, a: Val, b: Val, into: &mut Vec<GramTerm>) -> Res<()> {
        let (rows, columns) = (self.parts_in_memory(a), self.parts_in_memory(b));
        let mut row = 0;
        for r in rows {
            let mut column = 0;
            for c in &columns {
                let (mut a, b) = (self.in_lagged_memory(r)?, self.in_lagged_memory(*c)?);
                if self.has_lag(a) && self.has_lag(b) {
                    // One side must be 0 beyond each example's length, at its own rows.
                    a = self.copy(a)?;
                }
                into.push(GramTerm { a, b, row, column });
                column += self.flow.get(*c).width();
            }
            row += self.flow.get(r).width();
        }
        Ok(())
    }

    pub(super) fn parts_in_memory(&self, v: Val) -> Vec<Val> {
        match self.flow.op(v) {
            Op::Concat(parts)
                if parts.iter().any(|p| self.lies_in_memory(*p))
                    && parts.iter().all(|p| self.flow.level(*p) == self.flow.level(v)) =>
            {
                parts.clone()
            }
            _ => vec![v],
        }
    }
}
