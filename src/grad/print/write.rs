//! One derived value as an expression, down to the values that have names.

use super::place::{Axis, Place, Pos};
use super::tree;
use crate::diag::Diagnostic;
use crate::eqn::{Binary, DomainId, DomainKind, Fold, Graph, Level, NodeId, Offset, Op, Point, Ty, Unary};
use crate::grad::errors;
use crate::shape::{Dim, Shape};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Fold as TreeFold, Mark};
use std::collections::{BTreeMap, BTreeSet};

pub type Written<T> = Result<T, Box<Diagnostic>>;

/// What one row of an array is.
#[derive(Clone)]
pub enum Row {
    Value(NodeId),
    /// A scalar, spread.
    Filled(NodeId, Shape),
}

/// Arrays of more rows are not written row by row.
const MOST_ROWS: usize = 1000;

/// Expressions deeper than this are refused; what is named ends an expression.
pub const DEPTH: u32 = 100;

pub struct Writer<'a> {
    pub graph: &'a Graph,
    /// Nodes and states of the forward pass.
    pub forward: usize,
    pub states: usize,
    pub domain: Option<DomainId>,
    /// The axes of the cell's own domain; values have them without saying so.
    pub own: Vec<DomainId>,
    /// Names of axes, where they are not the graph's.
    pub axes: BTreeMap<DomainId, Axis>,
    pub summed: String,
    pub member: String,
    /// Not as a cell of the language, but to read: what the language has no word for is written as a call.
    pub for_reading: bool,
    /// Operations that have been written.
    pub written: BTreeSet<NodeId>,
    pub names: BTreeMap<NodeId, String>,
    pub state_names: BTreeMap<usize, String>,
    /// Values with an equation of their own.
    pub defined: BTreeSet<NodeId>,
    /// The forward values, and states of the forward pass, that expressions mention.
    pub used: BTreeSet<NodeId>,
    pub used_states: BTreeSet<usize>,
    /// Derived values that are named, mentioned at the same point by what is being written.
    pub mentioned: BTreeSet<NodeId>,
    /// In what order the author wrote values; sums follow it.
    pub ranks: BTreeMap<NodeId, (u32, u32)>,
    pub depth: u32,
}

impl Writer<'_> {
    /// The value of a node, its own name aside.
    pub fn definition(&mut self, id: NodeId, at: &Place) -> Written<Expr> {
        self.depth += 1;
        self.written.insert(id);
        if self.depth > DEPTH {
            return Err(Box::new(errors::unprintable(self.graph, id, "an expression is too deep")));
        }
        let written = self.op(id, at);
        self.depth -= 1;
        written
    }

    /// A node by its name, or its value.
    pub fn expr(&mut self, id: NodeId, at: &Place) -> Written<Expr> {
        match self.names.get(&id).filter(|_| !self.for_reading || self.graph.as_const(id).is_none()) {
            Some(name) => {
                let base = tree::name(name);
                let is_given = id.index() < self.forward || matches!(self.graph.node(id).op, Op::Source(_));
                if is_given && !self.defined.contains(&id) {
                    self.used.insert(id);
                } else if at.is_at_own_point() {
                    self.mentioned.insert(id);
                }
                Ok(self.at(base, id, at))
            }
            None => self.definition(id, at),
        }
    }

    fn refuse<T>(&self, id: NodeId, why: &str) -> Written<T> {
        Err(Box::new(errors::unprintable(self.graph, id, why)))
    }

    fn op(&mut self, id: NodeId, at: &Place) -> Written<Expr> {
        let graph = self.graph;
        let shape = graph.shape(id);
        if (self.for_reading || !matches!(graph.level(id), Level::Over(_))) && self.is_nothing(id) {
            return Ok(match shape.is_empty() {
                true => tree::number(0.0),
                false => tree::call("zeros", shape.iter().map(tree::dim).collect()),
            });
        }
        if let Some(there) = self.neighbour(id).filter(|_| self.for_reading && at.is_at_own_point()) {
            return Ok(there);
        }
        match &graph.node(id).op {
            Op::Const(c) => Ok(tree::number(*c)),
            Op::DimValue(d) => Ok(tree::dim(d)),
            Op::Source(_) => self.refuse(id, "an array has no name"),
            Op::Literal(values) => self.literal(id, values),
            Op::Position(axis) => Ok(self.position(*axis, at)),
            Op::Length(axis) => {
                let extent = tree::name(&self.axis(*axis).extent);
                Ok(match graph.domains[axis.index()].kind {
                    DomainKind::Children { .. } => tree::call("count", vec![extent]),
                    _ => extent,
                })
            }
            Op::Lag { state, offset } => match offset.along_chain() {
                Some(k) if !self.for_reading => self.lag(state.index(), k, at),
                _ if self.for_reading => self.read(state.index(), *offset, at),
                _ => self.refuse(id, "a value is read at another point than of a chain"),
            },
            Op::Unary(Unary::Neg, _) | Op::Binary(Binary::Add | Binary::Sub, ..) => self.sum(id, at),
            Op::Binary(Binary::Mul | Binary::MulZero | Binary::Div, ..) => {
                let (negative, product) = self.product(id, at)?;
                Ok(if negative { tree::neg(product) } else { product })
            }
            Op::Unary(Unary::Not, a) => {
                let a = self.expr(*a, at)?;
                Ok(tree::expr(ExprKind::Not(Box::new(a))))
            }
            Op::Unary(Unary::ToReal, a) if *graph.ty(*a) == Ty::Bool => {
                let a = self.expr(*a, at)?;
                Ok(tree::cond(a, tree::number(1.0), tree::number(0.0)))
            }
            Op::Unary(Unary::ToReal, a) if self.for_reading => self.expr(*a, at),
            Op::Unary(Unary::ToReal, _) => self.refuse(id, "a symbol is used as a number"),
            Op::Unary(kind, a) => {
                let word = if *kind == Unary::Sigmoid { "σ" } else { kind.word() };
                Ok(tree::call(word, vec![self.expr(*a, at)?]))
            }
            Op::Binary(Binary::Pow, a, b) => {
                let base = self.expr(*a, at)?;
                match graph.as_const(*b) {
                    Some(2.0) => Ok(tree::mark(base, Mark::Square)),
                    Some(3.0) => Ok(tree::mark(base, Mark::Cube)),
                    _ => {
                        let exponent = self.expr(*b, at)?;
                        Ok(tree::binary(BinaryOp::Pow, base, exponent))
                    }
                }
            }
            Op::Binary(kind @ (Binary::Max | Binary::Min), a, b) => {
                let args = vec![self.expr(*a, at)?, self.expr(*b, at)?];
                Ok(tree::call(kind.word(), args))
            }
            Op::Binary(kind, a, b) => {
                let (l, r) = (self.expr(*a, at)?, self.expr(*b, at)?);
                // A number stands on the right: h > 0, not 0 < h.
                let turned = graph.as_const(*a).is_some();
                let op = match (kind, turned) {
                    (Binary::Lt, false) => BinaryOp::Lt,
                    (Binary::Lt, true) => BinaryOp::Gt,
                    (Binary::Le, false) => BinaryOp::Le,
                    (Binary::Le, true) => BinaryOp::Ge,
                    (Binary::Eq, _) => BinaryOp::Eq,
                    (Binary::Ne, _) => BinaryOp::Ne,
                    (Binary::And, _) => return Ok(tree::binary(BinaryOp::And, l, r)),
                    (Binary::Or, _) => return Ok(tree::binary(BinaryOp::Or, l, r)),
                    _ => return Ok(tree::binary(BinaryOp::Mod, l, r)),
                };
                Ok(if turned { tree::binary(op, r, l) } else { tree::binary(op, l, r) })
            }
            Op::Select(c, a, b) => {
                let (a_wide, b_wide) = (self.is_wide(*a), self.is_wide(*b));
                let c = self.expr(*c, at)?;
                let a = self.narrow(*a, at, b_wide)?;
                let b = self.narrow(*b, at, a_wide)?;
                Ok(tree::cond(c, a, b))
            }
            Op::Spread(a) => self.filled(*a, &shape.clone(), at),
            Op::MatMul(a, b) => {
                let (a, b) = (self.expr(*a, at)?, self.expr(*b, at)?);
                Ok(tree::binary(BinaryOp::MatMul, a, b))
            }
            Op::Transpose(a) => Ok(tree::mark(self.expr(*a, at)?, Mark::Transpose)),
            Op::Outer(a, b) => Ok(tree::call("outer", vec![self.expr(*a, at)?, self.expr(*b, at)?])),
            Op::Concat(parts) if parts.iter().all(|p| self.row(*p).is_some()) => {
                let rows: Vec<NodeId> = parts.iter().filter_map(|p| self.row(*p)).collect();
                let rows = rows.into_iter().map(|row| self.expr(row, at)).collect::<Written<Vec<_>>>()?;
                Ok(tree::expr(ExprKind::List(rows)))
            }
            Op::Concat(parts) => {
                let mut all: Option<Expr> = None;
                for part in parts {
                    let part = self.expr(*part, at)?;
                    all = Some(match all {
                        None => part,
                        Some(all) => tree::binary(BinaryOp::Cat, all, part),
                    });
                }
                all.map_or_else(|| self.refuse(id, "nothing is joined"), Ok)
            }
            Op::Slice { arg, start } => {
                let (Some(len), arg) = (shape.first(), *arg) else {
                    return self.refuse(id, "a scalar is sliced");
                };
                let bounds =
                    start.add(&crate::shape::Dim::constant(1)).and_then(|lo| Ok((lo, start.add(len)?)));
                let Ok((lo, hi)) = bounds else { return self.refuse(id, "a dimension is too large") };
                let base = self.expr(arg, at)?;
                Ok(tree::index(base, tree::dim(&lo), Some(tree::dim(&hi))))
            }
            Op::Gather { arg, index } => {
                let (base, index) = (self.expr(*arg, at)?, self.expr(*index, at)?);
                Ok(tree::index(base, index, None))
            }
            Op::Scatter { index, value } => {
                let row = tree::call("one_hot", vec![self.expr(*index, at)?]);
                match (graph.shape(*value).len(), graph.as_const(*value)) {
                    (0, Some(1.0)) => Ok(row),
                    (0, _) => Ok(tree::binary(BinaryOp::Mul, self.expr(*value, at)?, row)),
                    (1, _) => Ok(tree::call("outer", vec![row, self.expr(*value, at)?])),
                    _ if self.for_reading => Ok(tree::call("outer", vec![row, self.expr(*value, at)?])),
                    _ => self.refuse(id, "the language has no word for an array with one block filled"),
                }
            }
            Op::Reduce { fold, arg, axis } => self.reduce(id, *fold, *arg, *axis, at),
            Op::Softmax(a) => Ok(tree::call("softmax", vec![self.expr(*a, at)?])),
            Op::LogSumExp(a) => Ok(tree::call("logsumexp", vec![self.expr(*a, at)?])),
            Op::ArgMax(a) => Ok(tree::call("argmax", vec![self.expr(*a, at)?])),
            Op::Reshape(a) => self.reshape(id, *a, at),
            Op::SumOver(a) => match graph.level(*a) {
                // Every rule of the language speaks of one example.
                Level::Shared | Level::Example => self.expr(*a, at),
                Level::Over(_) if self.for_reading => self.over(TreeFold::Sum, id, *a, at),
                Level::Over(domain) => {
                    if at.is_summed() {
                        return self.refuse(id, "one sum stands within another");
                    }
                    let there = Place::here().with(domain, Pos::Bound(self.summed.clone(), 0));
                    let body = self.expr(*a, &there)?;
                    let points = tree::set(tree::number(1.0), Some(tree::name(&self.axis(domain).extent)));
                    Ok(tree::reduce(TreeFold::Sum, &self.summed, points, body))
                }
            },
            Op::At { arg, axis, point, .. } => {
                let pos = match point {
                    Point::First => Pos::Start(1),
                    Point::Last => Pos::End(0),
                    Point::Fixed(k) => Pos::Start(i64::from(*k)),
                };
                self.expr(*arg, &at.clone().with(*axis, pos))
            }
            // It has an equation of its own, so at other places it is read by its name.
            op @ Op::Remap { arg, maps } => match self.graph.as_reverse(op) {
                Some((a, _)) if at.is_here() => Ok(tree::call("reverse", vec![self.expr(a, at)?])),
                _ if self.for_reading => {
                    let there = self.mapped(at, maps);
                    self.expr(*arg, &there)
                }
                Some(_) => self.refuse(id, "a chain that is turned round is read at another point"),
                None => self.refuse(id, "other points are read than those of a chain"),
            },
            Op::FoldOver { fold, arg } if self.for_reading => self.over(fold_word(*fold), id, *arg, at),
            Op::Points { parts, .. } if self.for_reading => {
                let parts = parts.iter().map(|p| self.expr(*p, at)).collect::<Written<Vec<_>>>()?;
                Ok(tree::expr(ExprKind::List(parts)))
            }
            Op::Flatten { arg, back, .. } if self.for_reading => {
                let word = if *back { "unflatten" } else { "flatten" };
                Ok(tree::call(word, vec![self.expr(*arg, &Place::here())?]))
            }
            Op::FoldOver { .. } | Op::Points { .. } | Op::Flatten { .. } => {
                self.refuse(id, "other points are read than those of a chain")
            }
        }
    }

    /// Whether it is 0 at every point, for a reason that only a program needs to have spelt out: a 0 that is made one for each
    /// point or example.
    fn is_nothing(&self, id: NodeId) -> bool {
        let graph = self.graph;
        match graph.node(id).op {
            Op::Spread(a) => graph.as_const(id).is_none() && self.is_nothing(a),
            Op::Unary(Unary::ToReal, a) => match graph.node(a).op {
                Op::Unary(Unary::Not, a) => self.holds_always(a),
                _ => false,
            },
            _ => false,
        }
    }

    /// No position is less than 1, no length less than 0.
    fn holds_always(&self, id: NodeId) -> bool {
        let at_most = |a: NodeId, most: f64| self.graph.as_const(a).is_some_and(|c| c <= most);
        match self.graph.node(id).op {
            Op::Binary(Binary::And, a, b) => self.holds_always(a) && self.holds_always(b),
            Op::Binary(Binary::Le, a, b) => match self.graph.node(b).op {
                Op::Length(_) => at_most(a, 0.0),
                Op::Position(_) => at_most(a, 1.0),
                _ => false,
            },
            _ => false,
        }
    }

    /// `has(left)`: whether a node of a tree has this child; `is_child(left)`: whether it is that of its parent. It is asked for
    /// by a derived state that is 1 everywhere and 0 outside.
    fn neighbour(&self, id: NodeId) -> Option<Expr> {
        let graph = self.graph;
        let (read, is_absent) = match graph.node(id).op {
            Op::Binary(Binary::Eq, a, b) if graph.as_const(b) == Some(0.0) => (a, true),
            _ => (id, false),
        };
        let Op::Lag { state, offset } = graph.node(read).op else { return None };
        let of = graph.states.get(state.index()).filter(|_| state.index() >= self.states)?;
        if !of.def.is_some_and(|d| graph.as_const(d) == Some(1.0)) {
            return None;
        }
        let (word, edge) = match offset {
            Offset::Child(k) => ("has", k),
            Offset::Parent(k) => ("is_child", k),
            _ => return None,
        };
        let names = graph.axes(of.domain).into_iter().map(|a| &graph.domains[a.index()].edges);
        let edge = match names.flatten().nth(edge as usize) {
            Some(name) => tree::name(name),
            None => tree::number(f64::from(edge) + 1.0),
        };
        let holds = tree::call(word, vec![edge]);
        Some(match is_absent {
            true => tree::expr(ExprKind::Not(Box::new(holds))),
            false => tree::cond(holds, tree::number(1.0), tree::number(0.0)),
        })
    }

    /// A fold over the axes that the result no longer has.
    fn over(&mut self, fold: TreeFold, id: NodeId, arg: NodeId, at: &Place) -> Written<Expr> {
        let kept = self.graph.axes_of(self.graph.level(id));
        let summed: Vec<DomainId> =
            self.graph.axes_of(self.graph.level(arg)).into_iter().filter(|a| !kept.contains(a)).collect();
        let body = self.expr(arg, &at.clone().without(&summed))?;
        let binders = summed.iter().map(|axis| {
            let names = self.axis(*axis);
            let points = match self.graph.domains[axis.index()].kind {
                DomainKind::Tree { .. } => tree::set(tree::name("nodes"), None),
                DomainKind::Children { .. } => tree::set(tree::name("children"), None),
                _ => tree::set(tree::number(1.0), Some(tree::name(&names.extent))),
            };
            (names.variable, points)
        });
        Ok(tree::reduce_all(fold, binders.collect(), body))
    }

    /// A state at an offset, to read. What it is outside the domain is said elsewhere.
    fn read(&mut self, state: usize, offset: Offset, at: &Place) -> Written<Expr> {
        let of = &self.graph.states[state];
        let there = self.there(at, of.domain, offset);
        if state >= self.states {
            let Some(def) = of.def else { return Ok(tree::number(0.0)) };
            return match (self.names.get(&def), self.graph.level(def)) {
                // The same at all points, but not outside of them.
                (Some(name), Level::Shared | Level::Example) => {
                    Ok(self.placed(tree::name(name), Level::Over(of.domain), &there))
                }
                _ => self.expr(def, &there),
            };
        }
        self.used_states.insert(state);
        let name = self.state_names.get(&state).cloned().unwrap_or_else(|| of.name.to_string());
        Ok(self.placed(tree::name(&name), Level::Over(of.domain), &there))
    }

    /// The rows of an array that is put together from rows.
    pub fn rows(&self, id: NodeId) -> Option<Vec<Row>> {
        let Op::Concat(parts) = &self.graph.node(id).op else { return None };
        let mut rows = Vec::new();
        for part in parts {
            match (self.row(*part), &self.graph.node(*part).op, self.graph.shape(*part).split_first()) {
                (Some(row), ..) => rows.push(Row::Value(row)),
                (None, Op::Spread(scalar), Some((count, shape))) if !self.names.contains_key(part) => {
                    let count = usize::try_from(count.as_constant()?).ok()?;
                    let row = Row::Filled(*scalar, shape.to_vec());
                    rows.extend(std::iter::repeat_n(row, count.min(MOST_ROWS)));
                }
                _ => return None,
            }
            if rows.len() >= MOST_ROWS {
                return None;
            }
        }
        Some(rows)
    }

    /// One row of an array at this point.
    pub fn written_row(&mut self, row: &Row) -> Written<Expr> {
        match row {
            Row::Value(id) => self.expr(*id, &Place::here()),
            Row::Filled(scalar, shape) => self.filled(*scalar, shape, &Place::here()),
        }
    }

    fn filled(&mut self, scalar: NodeId, shape: &[Dim], at: &Place) -> Written<Expr> {
        let of_shape = |word| tree::call(word, shape.iter().map(tree::dim).collect());
        match self.graph.as_const(scalar) {
            _ if shape.is_empty() => self.expr(scalar, at),
            Some(0.0) => Ok(of_shape("zeros")),
            Some(1.0) => Ok(of_shape("ones")),
            _ => {
                let scalar = self.expr(scalar, at)?;
                Ok(tree::binary(BinaryOp::Mul, scalar, of_shape("ones")))
            }
        }
    }

    /// What has become the only row of this array.
    fn row(&self, id: NodeId) -> Option<NodeId> {
        let Op::Reshape(a) = self.graph.node(id).op else { return None };
        let (inner, outer) = (self.graph.shape(a), self.graph.shape(id));
        let is_row = outer.len() == inner.len() + 1 && outer.ends_with(inner);
        (is_row && !self.names.contains_key(&id)).then_some(a)
    }

    /// Rows become arrays and the other way round; other reshapes have no word.
    fn reshape(&mut self, id: NodeId, a: NodeId, at: &Place) -> Written<Expr> {
        if let Some(row) = self.row(id) {
            let row = self.expr(row, at)?;
            return Ok(tree::expr(ExprKind::List(vec![row])));
        }
        let (inner, outer) = (self.graph.shape(a), self.graph.shape(id));
        if inner.len() != outer.len() + 1 || !inner.ends_with(outer) {
            if self.for_reading {
                if let Some(written) = self.lone_rows(id, a, at) {
                    return written;
                }
                return Ok(tree::call("reshape", vec![self.expr(a, at)?]));
            }
            return self.refuse(id, "the language has no word for another shape of the same elements");
        }
        match &self.graph.node(a).op {
            Op::Slice { arg, start } if !self.names.contains_key(&a) => {
                let Ok(place) = start.add(&crate::shape::Dim::constant(1)) else {
                    return self.refuse(id, "a dimension is too large");
                };
                self.component(*arg, tree::dim(&place), at)
            }
            _ => self.component(a, tree::number(1.0), at),
        }
    }

    /// An array that is the only row of the only row of another, or the other way round.
    fn lone_rows(&mut self, id: NodeId, a: NodeId, at: &Place) -> Option<Written<Expr>> {
        let (inner, outer) = (self.graph.shape(a), self.graph.shape(id));
        let one = Dim::constant(1);
        let (more, fewer) = if inner.len() > outer.len() { (inner, outer) } else { (outer, inner) };
        let extra = more.len() - fewer.len();
        if extra == 0 || !more.ends_with(fewer) || more[..extra].iter().any(|d| *d != one) {
            return None;
        }
        let is_deeper = outer.len() > inner.len();
        Some(self.expr(a, at).map(|value| {
            (0..extra).fold(value, |value, _| match is_deeper {
                true => tree::expr(ExprKind::List(vec![value])),
                false => tree::index(value, tree::number(1.0), None),
            })
        }))
    }

    /// One component. The first number after a value over the domain would be a position, so the place stands
    /// before it.
    fn component(&mut self, id: NodeId, index: Expr, at: &Place) -> Written<Expr> {
        let base = self.expr(id, at)?;
        let base = match (&base.kind, self.graph.level(id)) {
            (ExprKind::Name(_), Level::Over(domain)) if !self.for_reading => {
                let variable = tree::name(&self.axis(domain).variable);
                tree::index(base, variable, None)
            }
            _ if self.for_reading => base,
            (ExprKind::Index { .. }, _) | (_, Level::Shared | Level::Example) => base,
            _ => return self.refuse(id, "a component is read of a value without a name"),
        };
        Ok(tree::index(base, index, None))
    }

    /// A state at an offset. A derived state is 0 outside the domain; one of the forward pass has its own
    /// initial values.
    fn lag(&mut self, state: usize, offset: i32, at: &Place) -> Written<Expr> {
        let graph = self.graph;
        let of = &graph.states[state];
        let there = at.clone().moved(of.domain, i64::from(offset));
        if state >= self.states {
            let Some(def) = of.def else { return Ok(tree::number(0.0)) };
            return self.expr(def, &there);
        }
        // What lies outside for sure is the initial value itself.
        let distance = match there.pos(of.domain) {
            Some(Pos::Start(k)) if *k < 1 => Some(1 - k),
            Some(Pos::End(k)) if *k > 0 => Some(*k),
            _ => None,
        };
        let init = |k: i64| {
            let last = of.init.len().saturating_sub(1);
            of.init.get(usize::try_from(k - 1).unwrap_or(last).min(last)).copied()
        };
        if let Some(init) = distance.and_then(init) {
            return self.expr(init, at);
        }
        self.used_states.insert(state);
        let name = self.state_names.get(&state).cloned().unwrap_or_else(|| of.name.to_string());
        let inside = self.placed(tree::name(&name), Level::Over(of.domain), &there);
        if of.init.len() < 2
            || offset.unsigned_abs() == 1
            || matches!(at.pos(of.domain), Some(Pos::Start(_) | Pos::End(_)))
        {
            return Ok(inside);
        }
        // Different initial values for different distances: chosen by the position. The nearest one is what
        // the value is declared to be outside.
        let mut value = inside;
        for k in 2..=i64::from(offset.unsigned_abs()).min(of.init.len() as i64) {
            let Some(init) = init(k) else { break };
            let edge = match offset < 0 {
                true => tree::number(i64::from(offset.unsigned_abs()) as f64 - k as f64 + 1.0),
                false => tree::shifted(tree::name(&self.axis(of.domain).extent), k - i64::from(offset)),
            };
            let is_last = k as usize == of.init.len();
            let op = match (is_last, offset < 0) {
                (false, _) => BinaryOp::Eq,
                (true, true) => BinaryOp::Le,
                (true, false) => BinaryOp::Ge,
            };
            let condition = tree::binary(op, self.position(of.domain, at), edge);
            let init = self.expr(init, at)?;
            value = tree::cond(condition, init, value);
        }
        Ok(tree::paren(value))
    }

    /// Whether it is an array that is no scalar spread.
    pub fn is_wide(&self, id: NodeId) -> bool {
        !self.graph.is_scalar(id)
            && !matches!(self.graph.node(id).op, Op::Spread(_) if !self.names.contains_key(&id))
    }

    /// A scalar spread over an array is written as the scalar, if another operand has the shape.
    pub fn narrow(&mut self, id: NodeId, at: &Place, beside_wide: bool) -> Written<Expr> {
        match self.graph.node(id).op {
            Op::Spread(a) if beside_wide && !self.names.contains_key(&id) => self.expr(a, at),
            _ => self.expr(id, at),
        }
    }

    fn reduce(&mut self, id: NodeId, fold: Fold, arg: NodeId, axis: u32, at: &Place) -> Written<Expr> {
        let shape = self.graph.shape(arg).clone();
        if fold == Fold::Sum {
            let ones = |at: usize| tree::call("ones", vec![tree::dim(&shape[at])]);
            return match (shape.len(), axis) {
                (1, _) => match self.graph.node(arg).op {
                    // Σ a_i b_i is a · b.
                    Op::Binary(Binary::Mul, a, b)
                        if !self.names.contains_key(&arg) && self.is_wide(a) && self.is_wide(b) =>
                    {
                        let (a, b) = (self.expr(a, at)?, self.expr(b, at)?);
                        Ok(tree::binary(BinaryOp::MatMul, paren_product(a), paren_product(b)))
                    }
                    _ => {
                        let value = self.expr(arg, at)?;
                        Ok(tree::binary(BinaryOp::MatMul, ones(0), paren_product(value)))
                    }
                },
                (2, 0) => {
                    let value = self.expr(arg, at)?;
                    Ok(tree::binary(BinaryOp::MatMul, ones(0), value))
                }
                (2, 1) => {
                    let value = self.expr(arg, at)?;
                    Ok(tree::binary(BinaryOp::MatMul, value, ones(1)))
                }
                _ if self.for_reading => {
                    let axis = tree::number(f64::from(axis) + 1.0);
                    Ok(tree::call("sum_along", vec![axis, self.expr(arg, at)?]))
                }
                _ => self.refuse(id, "a block is summed along one axis"),
            };
        }
        let word = fold_word(fold);
        if self.for_reading && shape.len() != 1 {
            let axis = tree::number(f64::from(axis) + 1.0);
            return Ok(tree::call("fold_along", vec![axis, self.expr(arg, at)?]));
        }
        if shape.len() != 1 || (at.is_summed() && !self.for_reading) {
            return self.refuse(id, "an array is reduced along one axis");
        }
        let value = self.expr(arg, at)?;
        let element = tree::index(value, tree::name(&self.summed), None);
        Ok(tree::reduce(word, &self.summed, tree::set(tree::dim(&shape[0]), None), element))
    }

    fn literal(&self, id: NodeId, values: &[f64]) -> Written<Expr> {
        let shape: Option<Vec<usize>> =
            self.graph.shape(id).iter().map(|d| usize::try_from(d.as_constant()?).ok()).collect();
        let Some(shape) = shape else { return self.refuse(id, "a literal has no size yet") };
        fn nested(values: &[f64], shape: &[usize]) -> Expr {
            match shape.split_first() {
                None => tree::number(values.first().copied().unwrap_or(0.0)),
                Some((n, rest)) => {
                    let size = values.len().checked_div(*n).unwrap_or(0).max(1);
                    let rows = values.chunks(size).take(*n);
                    tree::expr(ExprKind::List(rows.map(|row| nested(row, rest)).collect()))
                }
            }
        }
        Ok(nested(values, &shape))
    }
}

fn fold_word(fold: Fold) -> TreeFold {
    match fold {
        Fold::Prod => TreeFold::Prod,
        Fold::Max => TreeFold::Max,
        Fold::Min => TreeFold::Min,
        Fold::Sum => TreeFold::Sum,
    }
}

/// A product of elements beside `@`, in brackets for the reader.
fn paren_product(value: Expr) -> Expr {
    match value.kind {
        ExprKind::Binary { .. } => tree::paren(value),
        _ => value,
    }
}
