//! From a [`Graph`] to a [`Flow`]: numbers for dimensions, sums of products, no views of nothing.
//!
//! In: a graph whose dimensions are all numbers. Out: a flow in which every operand of a product, a
//! sum over rows, a stage over a whole domain, a state and an output lies (or will lie) in memory.
//! Invariant: what the graph does not need is not read from here on; dead values may remain.

use super::components::{Components, components};
use super::errors;
use super::fronts::fronts;
use super::value::{Flow, GramTerm, Op, State, Term, Val, Value};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{self, Binary, Fold, Graph, Level, NodeId, Unary};
use crate::loops::Coordinate;
use crate::shape::Dim;
use crate::source::Span;
use std::collections::BTreeMap;

/// Greatest number of elements of one value.
const MAX_ELEMENTS: usize = i32::MAX as usize;
mod across;

/// How deep a slice is pushed through elementwise operations.
const MAX_PUSH: u32 = 128;

type Res<T> = Result<T, Diagnostic>;

pub fn lower(graph: &Graph) -> Fallible<Flow> {
    run(graph).map_err(|d| vec![d])
}

fn run(graph: &Graph) -> Res<Flow> {
    let mut l = Lowering::new(graph)?;
    for n in 0..graph.nodes.len() {
        let id = NodeId(n as u32);
        if l.live[n] && !l.is_absorbed(id) {
            l.context = Some(id);
            l.meet = l.meeting_level(id);
            let mut v = l.node(id)?;
            l.meet = None;
            let level = l.level[n];
            if l.flow.level(v) != level {
                // A part of a joined value may have fewer rows than the whole.
                let shape = l.shape(v);
                v = l.push_at(Op::Copy(v), shape, level)?;
            }
            l.map[n] = Some(v);
        }
    }
    l.context = None;
    l.states()?;
    for output in &graph.outputs {
        let v = l.lowered(output.node)?;
        let v = l.in_memory(v)?;
        l.flow.outputs.push((output.name.clone(), v));
    }
    Ok(l.flow)
}

struct Lowering<'a> {
    graph: &'a Graph,
    flow: Flow,
    map: Vec<Option<Val>>,
    live: Vec<bool>,
    /// Readers at the same point, once for each time they read.
    consumers: Vec<Vec<NodeId>>,
    /// Outputs, definitions and initial values of states.
    pinned: Vec<bool>,
    /// Is only ever read in slices.
    sliced: Vec<bool>,
    components: Components,
    /// Beside `flow.values`: may be computed slice by slice.
    value_sliced: Vec<bool>,
    copies: BTreeMap<Val, Val>,
    slices: BTreeMap<(Val, usize, usize), Val>,
    /// Maximum, shifted exponentials and their sum, by operand.
    exponentials: BTreeMap<Val, (Val, Val, Val)>,
    /// The node that is being lowered.
    context: Option<NodeId>,
    /// Of each node: the domain says in which order its rows lie.
    level: Vec<Level>,
    /// The level at which the node's operands are read, if they must be brought there.
    meet: Option<Level>,
    /// Values as they are read at other levels.
    lifted: BTreeMap<(Val, Level), Val>,
}

impl<'a> Lowering<'a> {
    fn new(graph: &'a Graph) -> Res<Self> {
        let n = graph.nodes.len();
        for node in &graph.nodes {
            for v in operands(&node.op) {
                if v.index() >= n {
                    return Err(errors::malformed("an operand does not exist", node.span));
                }
            }
        }
        let live = live_nodes(graph)?;
        let mut consumers = vec![Vec::new(); n];
        let mut pinned = vec![false; n];
        for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| live[*i]) {
            for o in operands(&node.op) {
                consumers[o.index()].push(NodeId(i as u32));
            }
            if let eqn::Op::Lag { state, .. } = node.op {
                let state = &graph.states[state.index()];
                for s in state.values() {
                    pinned[s.index()] = true;
                }
            }
        }
        for output in &graph.outputs {
            pinned[output.node.index()] = true;
        }
        let edges: Vec<Vec<usize>> = graph.nodes.iter().map(|node| dependencies(graph, &node.op)).collect();
        let fronts = fronts(graph, &live)?;
        let mut l = Lowering {
            graph,
            flow: Flow {
                name: graph.name.clone(),
                domains: fronts.domains,
                order: fronts.order,
                sources: graph.sources.clone(),
                ..Flow::default()
            },
            map: vec![None; n],
            components: components(&edges, &live),
            live,
            consumers,
            pinned,
            sliced: vec![false; n],
            value_sliced: Vec::new(),
            copies: BTreeMap::new(),
            slices: BTreeMap::new(),
            exponentials: BTreeMap::new(),
            context: None,
            level: fronts.level,
            meet: None,
            lifted: BTreeMap::new(),
        };
        for i in (0..n).rev() {
            l.sliced[i] = l.live[i]
                && !l.pinned[i]
                && !l.consumers[i].is_empty()
                && l.consumers[i].iter().all(|c| match &l.graph.nodes[c.index()].op {
                    eqn::Op::Slice { .. } => true,
                    eqn::Op::Unary(..) | eqn::Op::Binary(..) | eqn::Op::Select(..) => l.sliced[c.index()],
                    _ => false,
                });
        }
        for state in &graph.states {
            // Bases are filled in when all values exist.
            l.flow.states.push(State {
                name: state.name.clone(),
                domain: state.domain,
                base: Val(0),
                init: Vec::new(),
                before: 0,
                after: 0,
                collected: false,
                sides: Vec::new(),
            });
        }
        Ok(l)
    }

    fn span(&self) -> Option<Span> {
        self.context.and_then(|n| self.graph.nodes[n.index()].span)
    }

    /// The value of a node, where the current node reads it.
    fn lowered(&mut self, n: NodeId) -> Res<Val> {
        let v = self.map.get(n.index()).copied().flatten();
        let v = v.ok_or_else(|| errors::malformed("a value is read before it is defined", self.span()))?;
        match self.meet {
            Some(level) => self.lift(v, level),
            None => Ok(v),
        }
    }

    fn push(&mut self, op: Op, shape: Vec<usize>) -> Res<Val> {
        let level = op.operands().iter().map(|o| self.flow.level(*o)).max().unwrap_or(Level::Shared);
        self.push_at(op, shape, level)
    }

    fn push_at(&mut self, op: Op, shape: Vec<usize>, level: Level) -> Res<Val> {
        let node = self.context.map(|n| &self.graph.nodes[n.index()]);
        let name = node.and_then(|n| n.name.clone());
        let span = node.and_then(|n| n.span);
        let size = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        if size.is_none_or(|n| n > MAX_ELEMENTS) || self.flow.values.len() >= MAX_ELEMENTS {
            return Err(errors::too_large(name.as_deref().unwrap_or("a value"), span));
        }
        self.value_sliced.push(self.context.is_some_and(|n| self.sliced[n.index()]));
        self.flow.values.push(Value { op, shape, level, is_id: false, name, span });
        Ok(Val(self.flow.values.len() as u32 - 1))
    }

    fn shape(&self, v: Val) -> Vec<usize> {
        self.flow.get(v).shape.clone()
    }

    fn extents(&self, shape: &[Dim]) -> Res<Vec<usize>> {
        shape.iter().map(|d| self.number(d)).collect()
    }

    fn number(&self, dim: &Dim) -> Res<usize> {
        let n = dim.as_constant().ok_or_else(|| errors::open_dimension(&dim.to_string(), self.span()))?;
        usize::try_from(n)
            .map_err(|_| errors::malformed(&format!("a dimension is {n}, less than 0"), self.span()))
    }

    /// The value, or a copy of it, as memory that stages over whole rows can read: contiguous, at no lag.
    fn in_memory(&mut self, v: Val) -> Res<Val> {
        let view = self.flow.view(v);
        if view.lag == 0 && self.flow.is_contiguous(v) && !self.flow.op(view.base).is_immediate() {
            return Ok(v);
        }
        self.copy(v)
    }

    /// Like [`Self::in_memory`]; ids from outside become numbers.
    fn as_numbers(&mut self, v: Val) -> Res<Val> {
        if self.lag_free_base(v).is_some_and(|b| self.flow.get(b).is_id) {
            return self.copy(v);
        }
        self.in_memory(v)
    }

    /// Like [`Self::in_memory`], but lags are fine: the same rows at another start.
    fn in_lagged_memory(&mut self, v: Val) -> Res<Val> {
        let base = self.lag_free_base(v);
        if self.flow.is_contiguous(v) && !base.is_some_and(|b| self.flow.op(b).is_immediate()) {
            return Ok(v);
        }
        self.copy(v)
    }

    /// The value whose memory a view reads, or `None` behind a lag (whose state has no base yet).
    fn lag_free_base(&self, mut v: Val) -> Option<Val> {
        loop {
            match self.flow.op(v) {
                Op::Slice { arg, .. } | Op::Transpose(arg) | Op::Reshape(arg) => v = *arg,
                Op::Lag { .. } => return None,
                _ => return Some(v),
            }
        }
    }

    fn has_lag(&self, v: Val) -> bool {
        self.lag_free_base(v).is_none()
    }

    fn copy(&mut self, v: Val) -> Res<Val> {
        if let Some(c) = self.copies.get(&v) {
            return Ok(*c);
        }
        let (shape, level) = (self.shape(v), self.flow.level(v));
        let c = self.push_at(Op::Copy(v), shape, level)?;
        let name = self.flow.get(v).name.clone();
        self.flow.values[c.index()].name = name;
        self.copies.insert(v, c);
        Ok(c)
    }

    fn binary(&mut self, op: Binary, a: Val, b: Val) -> Res<Val> {
        let shape = if self.flow.get(a).shape.is_empty() { self.shape(b) } else { self.shape(a) };
        self.push(Op::Binary(op, a, b), shape)
    }

    fn node(&mut self, id: NodeId) -> Res<Val> {
        let node = &self.graph.nodes[id.index()];
        let shape = self.extents(&node.shape)?;
        let v = match &node.op {
            eqn::Op::Const(c) => self.push(Op::Const(*c), shape)?,
            eqn::Op::DimValue(d) => {
                let n = self.number(d)?;
                self.push(Op::Const(n as f64), shape)?
            }
            eqn::Op::Source(s) => {
                if s.index() >= self.graph.sources.len() {
                    return Err(errors::malformed("a source does not exist", node.span));
                }
                let v = self.push_at(Op::Source(*s), shape, self.level[id.index()])?;
                self.flow.values[v.index()].is_id = matches!(node.ty, eqn::Ty::Id(_));
                v
            }
            eqn::Op::Lag { state, offset } => {
                let Some(offset) = self.along_chain(*state, *offset) else {
                    return self.collect_state(*state, *offset, shape, self.level[id.index()]);
                };
                let s = &mut self.flow.states[state.index()];
                s.before = s.before.max(u32::try_from(-i64::from(offset)).unwrap_or(0));
                s.after = s.after.max(u32::try_from(offset).unwrap_or(0));
                self.push_at(Op::Lag { state: *state, offset }, shape, node.level)?
            }
            eqn::Op::Position(d) => self.coordinate(Coordinate::Position, *d, shape, id)?,
            eqn::Op::Length(d) => self.coordinate(Coordinate::Length, *d, shape, id)?,
            eqn::Op::Unary(Unary::StopGradient, a) => self.lowered(*a)?,
            eqn::Op::Unary(u, a) => {
                let a = self.lowered(*a)?;
                self.push(Op::Unary(*u, a), shape)?
            }
            eqn::Op::Binary(Binary::Add, ..) => self.sum_of_products(id, shape)?,
            eqn::Op::Binary(op, a, b) => {
                let (a, b) = (self.lowered(*a)?, self.lowered(*b)?);
                self.push(Op::Binary(*op, a, b), shape)?
            }
            eqn::Op::Select(c, a, b) => {
                let (c, a, b) = (self.lowered(*c)?, self.lowered(*a)?, self.lowered(*b)?);
                self.push(Op::Select(c, a, b), shape)?
            }
            eqn::Op::Spread(a) => {
                let a = self.lowered(*a)?;
                self.spread(a, shape)?
            }
            eqn::Op::MatMul(a, b) => {
                if self.is_product(id) {
                    self.sum_of_products(id, shape)?
                } else {
                    let (a, b) = (self.lowered(*a)?, self.lowered(*b)?);
                    self.push(Op::MatMul(a, b), shape)?
                }
            }
            eqn::Op::Transpose(a) => {
                let a = self.lowered(*a)?;
                match *self.flow.op(a) {
                    Op::Outer(x, y) => self.push(Op::Outer(y, x), shape)?,
                    Op::Transpose(x) => x,
                    _ => self.push(Op::Transpose(a), shape)?,
                }
            }
            eqn::Op::Outer(a, b) => {
                let (a, b) = (self.lowered(*a)?, self.lowered(*b)?);
                self.push(Op::Outer(a, b), shape)?
            }
            eqn::Op::Concat(parts) => {
                let parts = parts.iter().map(|p| self.lowered(*p)).collect::<Res<Vec<_>>>()?;
                match parts.as_slice() {
                    [one] => *one,
                    _ => self.push(Op::Concat(parts), shape)?,
                }
            }
            eqn::Op::Slice { arg, start } => {
                let (arg, start) = (self.lowered(*arg)?, self.number(start)?);
                let length = shape.first().copied().unwrap_or(0);
                let extent = self.flow.get(arg).shape.first().copied().unwrap_or(0);
                if start.checked_add(length).is_none_or(|end| end > extent) {
                    return Err(errors::malformed("a slice reaches beyond its operand", self.span()));
                }
                self.slice(arg, start, length, 0)?
            }
            eqn::Op::Gather { arg, index } => {
                let (arg, index) = (self.lowered(*arg)?, self.lowered(*index)?);
                self.push(Op::Gather { arg, index }, shape)?
            }
            eqn::Op::Scatter { index, value } => {
                let (index, value) = (self.lowered(*index)?, self.lowered(*value)?);
                self.push(Op::Scatter { index, value }, shape)?
            }
            eqn::Op::Reduce { fold, arg, axis } => {
                let arg = self.lowered(*arg)?;
                let op = Op::Reduce { fold: *fold, arg, axis: *axis as usize };
                self.push(op, shape)?
            }
            eqn::Op::Softmax(a) => {
                let a = self.lowered(*a)?;
                let (_, e, sum) = self.exponentials(a)?;
                let one = self.push(Op::Const(1.0), Vec::new())?;
                let scale = self.binary(Binary::Div, one, sum)?;
                self.binary(Binary::Mul, e, scale)?
            }
            eqn::Op::LogSumExp(a) => {
                let a = self.lowered(*a)?;
                let (max, _, sum) = self.exponentials(a)?;
                let log = self.push(Op::Unary(Unary::Log, sum), Vec::new())?;
                self.binary(Binary::Add, max, log)?
            }
            eqn::Op::ArgMax(a) => {
                let a = self.lowered(*a)?;
                self.push(Op::ArgMax(a), shape)?
            }
            eqn::Op::Reshape(a) => {
                let a = self.lowered(*a)?;
                self.reshape(a, shape)?
            }
            eqn::Op::SumOver(a) => self.sum_over(*a, shape, self.level[id.index()])?,
            eqn::Op::FoldOver { fold, arg } => self.fold(*fold, *arg, shape, self.level[id.index()])?,
            eqn::Op::At { .. } | eqn::Op::Points { .. } | eqn::Op::Remap { .. } => {
                self.other_points(id, shape)?
            }
            eqn::Op::Literal(values) => {
                if values.len() != shape.iter().product::<usize>() {
                    return Err(errors::malformed("a literal's shape is not its length", self.span()));
                }
                self.push(Op::Literal(values.clone()), shape)?
            }
        };
        Ok(v)
    }

    fn spread(&mut self, a: Val, shape: Vec<usize>) -> Res<Val> {
        if self.flow.get(a).shape == shape { Ok(a) } else { self.push(Op::Spread(a), shape) }
    }

    fn reshape(&mut self, a: Val, shape: Vec<usize>) -> Res<Val> {
        if self.flow.get(a).shape == shape {
            return Ok(a);
        }
        if let Op::Spread(s) = *self.flow.op(a) {
            return self.spread(s, shape);
        }
        if let Op::Reshape(inner) = *self.flow.op(a) {
            return self.reshape(inner, shape);
        }
        if self.flow.get(a).shape.is_empty() && !self.has_lag(a) {
            return self.spread(a, shape);
        }
        let immediate = self.lag_free_base(a).is_some_and(|b| self.flow.op(b).is_immediate());
        let a = if immediate || !self.is_contiguous(a) { self.copy(a)? } else { a };
        self.push(Op::Reshape(a), shape)
    }

    /// [`Flow::is_contiguous`], which holds behind lags too: a state's base has the state's shape.
    fn is_contiguous(&self, v: Val) -> bool {
        self.flow.is_contiguous(v)
    }

    fn exponentials(&mut self, a: Val) -> Res<(Val, Val, Val)> {
        if let Some(found) = self.exponentials.get(&a) {
            return Ok(*found);
        }
        let shape = self.shape(a);
        let max = self.push(Op::Reduce { fold: Fold::Max, arg: a, axis: 0 }, Vec::new())?;
        let shifted = self.push(Op::Binary(Binary::Sub, a, max), shape.clone())?;
        let e = self.push(Op::Unary(Unary::Exp, shifted), shape)?;
        let sum = self.push(Op::Reduce { fold: Fold::Sum, arg: e, axis: 0 }, Vec::new())?;
        self.exponentials.insert(a, (max, e, sum));
        Ok((max, e, sum))
    }

    fn slice(&mut self, v: Val, start: usize, length: usize, depth: u32) -> Res<Val> {
        let mut shape = self.shape(v);
        if shape.first() == Some(&length) {
            return Ok(v);
        }
        if let Some(found) = self.slices.get(&(v, start, length)) {
            return Ok(*found);
        }
        if let Some(first) = shape.first_mut() {
            *first = length;
        }
        let sliced = self.value_sliced[v.index()] && depth < MAX_PUSH;
        let op = self.flow.op(v).clone();
        let result = match op {
            Op::Slice { arg, start: s } => self.slice(arg, s + start, length, depth)?,
            Op::Spread(a) => self.spread(a, shape)?,
            Op::Concat(parts) => self.slice_of_parts(v, &parts, start, length, shape)?,
            Op::Unary(u, a) if sliced => {
                let a = self.slice(a, start, length, depth + 1)?;
                self.push(Op::Unary(u, a), shape)?
            }
            Op::Binary(b, x, y) if sliced => {
                let x = self.slice_operand(x, start, length, depth)?;
                let y = self.slice_operand(y, start, length, depth)?;
                self.push(Op::Binary(b, x, y), shape)?
            }
            Op::Select(c, x, y) if sliced => {
                let c = self.slice_operand(c, start, length, depth)?;
                let x = self.slice_operand(x, start, length, depth)?;
                let y = self.slice_operand(y, start, length, depth)?;
                self.push(Op::Select(c, x, y), shape)?
            }
            Op::Acc(terms) if sliced => {
                let mut parts = Vec::new();
                for t in terms {
                    let rows = if t.transposed { t.matrix } else { self.transpose(t.matrix)? };
                    let rows = self.slice(rows, start, length, 0)?;
                    let (matrix, transposed) = self.matrix(rows, true)?;
                    parts.push(Term { matrix, transposed, vector: t.vector });
                }
                let level = self.flow.level(v);
                self.push_at(Op::Acc(parts), shape, level)?
            }
            _ if self.flow.op(v).is_immediate() => {
                let c = self.copy(v)?;
                self.push(Op::Slice { arg: c, start }, shape)?
            }
            _ => self.push(Op::Slice { arg: v, start }, shape)?,
        };
        self.slices.insert((v, start, length), result);
        Ok(result)
    }

    fn slice_operand(&mut self, v: Val, start: usize, length: usize, depth: u32) -> Res<Val> {
        if self.flow.get(v).shape.is_empty() { Ok(v) } else { self.slice(v, start, length, depth + 1) }
    }

    /// A slice inside one part is a slice of the part.
    fn slice_of_parts(
        &mut self,
        whole: Val,
        parts: &[Val],
        start: usize,
        length: usize,
        shape: Vec<usize>,
    ) -> Res<Val> {
        let mut at = 0;
        for p in parts {
            let extent = self.flow.get(*p).shape.first().copied().unwrap_or(0);
            if start >= at && start + length <= at + extent {
                return self.slice(*p, start - at, length, 1);
            }
            at += extent;
        }
        self.push(Op::Slice { arg: whole, start }, shape)
    }

    fn transpose(&mut self, v: Val) -> Res<Val> {
        if let Op::Transpose(x) = *self.flow.op(v) {
            return Ok(x);
        }
        let mut shape = self.shape(v);
        shape.reverse();
        self.push(Op::Transpose(v), shape)
    }

    // Products.

    /// The matrix and the vector of a product that packed kernels can do.
    fn is_product(&self, id: NodeId) -> bool {
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
    fn is_absorbed(&self, id: NodeId) -> bool {
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
    fn sum_of_products(&mut self, root: NodeId, shape: Vec<usize>) -> Res<Val> {
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
    fn terms(&mut self, at: NodeId, m: Val, v: Val, on_left: bool, into: &mut Vec<Term>) -> Res<()> {
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
    fn lies_in_memory(&self, v: Val) -> bool {
        match self.lag_free_base(v) {
            None => true,
            Some(b) => matches!(self.flow.op(b), Op::Source(_)),
        }
    }

    /// A row-major matrix in memory, and whether it is `[n, k]`.
    fn matrix(&mut self, m: Val, transposed: bool) -> Res<(Val, bool)> {
        if let Op::Transpose(x) = *self.flow.op(m)
            && self.is_contiguous(x)
        {
            return Ok((self.in_memory(x)?, !transposed));
        }
        Ok((self.in_memory(m)?, transposed))
    }

    /// A sum over rows: outer products of vectors at one level become a [`Op::Gram`].
    fn sum_over(&mut self, arg: NodeId, shape: Vec<usize>, level: Level) -> Res<Val> {
        let from = self.level[arg.index()];
        if level != Level::Shared && self.flow.chain(from).is_none() {
            return self.fold(Fold::Sum, arg, shape, level);
        }
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
                Op::Scatter { index, value } => Op::SumScatter { index, value },
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

    /// Vectors that are joined from parts in memory give one block each.
    fn gram_terms(&mut self, a: Val, b: Val, into: &mut Vec<GramTerm>) -> Res<()> {
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

    fn parts_in_memory(&self, v: Val) -> Vec<Val> {
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

    // States.

    fn states(&mut self) -> Res<()> {
        let mut owners: BTreeMap<Val, Vec<Val>> = BTreeMap::new();
        for (i, state) in self.graph.states.iter().enumerate() {
            if self.flow.states[i].collected {
                self.collected_state(i)?;
            }
            if self.flow.states[i].before == 0 && self.flow.states[i].after == 0 {
                continue;
            }
            let def = match state.def {
                Some(def) => self.lowered(def)?,
                None => return Err(errors::malformed("a state without equation", state.span)),
            };
            let mut init = Vec::new();
            for n in &state.init {
                let v = self.lowered(*n)?;
                let v = self.as_numbers(v)?;
                if self.flow.level(v) > Level::Example || self.flow.get(v).shape != self.flow.get(def).shape {
                    return Err(errors::malformed("an initial value does not fit its state", state.span));
                }
                init.push(v);
            }
            if init.is_empty() {
                return Err(errors::malformed("a state without initial value", state.span));
            }
            let owns = self.flow.level(def) == Level::Over(state.domain)
                && !self.flow.op(def).is_view()
                && !self.flow.op(def).is_immediate()
                && !self.flow.get(def).is_id
                && owners.get(&def).is_none_or(|other| *other == init);
            let mut base = def;
            let after = self.flow.states[i].after;
            if init.iter().any(|v| *v != init[0]) && after > 1 && !self.flow.is_full(state.domain) {
                base = self.with_boundary(def, state.domain, &init, after)?;
            } else if !owns {
                let shape = self.shape(def);
                base = self.push_at(Op::Copy(def), shape, Level::Over(state.domain))?;
            }
            self.flow.values[base.index()].name =
                self.flow.get(base).name.clone().or_else(|| Some(state.name.clone()));
            owners.insert(base, init.clone());
            self.flow.states[i].base = base;
            self.flow.states[i].init = init;
        }
        // States without readers: any base will do, none is looked at.
        Ok(())
    }

    /// The state with its boundary values behind each example's end written out, for boundaries that differ
    /// by distance: masks know one value only.
    fn with_boundary(&mut self, def: Val, domain: eqn::DomainId, init: &[Val], after: u32) -> Res<Val> {
        let position = self.push_at(Op::Position(domain), Vec::new(), Level::Over(domain))?;
        let length = self.push_at(Op::Length(domain), Vec::new(), Level::Example)?;
        let shape = self.shape(def);
        let mut value = init[init.len() - 1];
        for k in (0..after.min(init.len() as u32)).rev() {
            let inner = if k == 0 { def } else { init[k as usize - 1] };
            let distance = self.push(Op::Const(f64::from(k)), Vec::new())?;
            let end = self.binary(Binary::Add, length, distance)?;
            let inside = self.binary(Binary::Le, position, end)?;
            value = self.push_at(Op::Select(inside, inner, value), shape.clone(), Level::Over(domain))?;
        }
        Ok(value)
    }
}

/// Operands at the same point.
pub fn operands(op: &eqn::Op) -> Vec<NodeId> {
    use eqn::Op::*;
    match op {
        Const(_) | DimValue(_) | Source(_) | Lag { .. } | Position(_) | Length(_) | Literal(_) => Vec::new(),
        Unary(_, a) | Spread(a) | Transpose(a) | Slice { arg: a, .. } | Reduce { arg: a, .. } => vec![*a],
        Softmax(a) | LogSumExp(a) | ArgMax(a) | Reshape(a) | SumOver(a) => vec![*a],
        FoldOver { arg: a, .. } | Remap { arg: a, .. } => vec![*a],
        Binary(_, a, b) | MatMul(a, b) | Outer(a, b) => vec![*a, *b],
        Gather { arg: a, index: b } | Scatter { index: a, value: b } => vec![*a, *b],
        At { arg: a, empty: b, .. } => vec![*a, *b],
        Select(a, b, c) => vec![*a, *b, *c],
        Concat(parts) | Points { parts, .. } => parts.clone(),
    }
}

/// Operands, and through a lag the state's definition and initial values.
fn dependencies(graph: &Graph, op: &eqn::Op) -> Vec<usize> {
    match op {
        eqn::Op::Lag { state, .. } => match graph.states.get(state.index()) {
            Some(state) => state.values().map(|n| n.index()).collect(),
            None => Vec::new(),
        },
        op => operands(op).iter().map(|n| n.index()).collect(),
    }
}

fn live_nodes(graph: &Graph) -> Res<Vec<bool>> {
    let n = graph.nodes.len();
    let mut live = vec![false; n];
    let mut stack: Vec<usize> = graph.outputs.iter().map(|o| o.node.index()).collect();
    while let Some(i) = stack.pop() {
        let Some(node) = graph.nodes.get(i) else {
            return Err(errors::malformed("an output or state names no value", None));
        };
        if let eqn::Op::Lag { state, .. } = node.op
            && graph.states.get(state.index()).is_none()
        {
            return Err(errors::malformed("a state does not exist", node.span));
        }
        if let Level::Over(d) = node.level
            && graph.domains.get(d.index()).is_none()
        {
            return Err(errors::malformed("a domain does not exist", node.span));
        }
        if !std::mem::replace(&mut live[i], true) {
            stack.extend(dependencies(graph, &node.op));
        }
    }
    Ok(live)
}
