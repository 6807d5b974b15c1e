//! From a [`Graph`] to a [`Flow`]: numbers for dimensions, sums of products, no views of nothing.
//!
//! In: a graph whose dimensions are all numbers. Out: a flow in which every operand of a product, a
//! sum over rows, a stage over a whole domain, a state and an output lies (or will lie) in memory.
//! Invariant: what the graph does not need is not read from here on; dead values may remain.

mod across;
mod products;
mod reads;
mod slices;
mod states;

use super::components::{Components, components};
use super::errors;
use super::fronts::fronts;
use super::value::{Flow, Op, State, Val, Value};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{self, Binary, Fold, Graph, Level, NodeId, Unary};
use crate::loops::Coordinate;
use crate::shape::Dim;
use crate::source::Span;
pub use reads::operands;
use reads::{dependencies, live_nodes};
use std::collections::BTreeMap;

/// Greatest number of elements of one value.
const MAX_ELEMENTS: usize = i32::MAX as usize;

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
    /// A vector of one 1, in memory.
    one: Option<Val>,
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
            one: None,
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
                    match self.of_matrices(a, b, &shape)? {
                        Some(product) => product,
                        None => self.push(Op::MatMul(a, b), shape)?,
                    }
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
            eqn::Op::At { .. } | eqn::Op::Points { .. } | eqn::Op::Remap { .. } | eqn::Op::Flatten { .. } => {
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
}
