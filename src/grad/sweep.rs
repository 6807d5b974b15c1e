//! The reverse sweep: adjoints of all active nodes, consumers first.
//!
//! In: a graph and what takes part. Out: a [`Tape`]: the graph with adjoint nodes behind it, in the plainest
//! form: what a read `s[t+d]` receives is one value `g`, and `s` gets its mirrored read `g[t−d]`.
//! [`super::mirror`] then moves these reads to the named values inside `g`.
//! Invariant: forward nodes keep their ids; all that is added here has a greater id.

use super::activity::Activity;
use super::errors::{self, Step, Stop};
use super::rules;
use super::traits::{self, Sign, Traits};
use crate::eqn::{
    AxisMap, Binary, DomainId, Fold, Graph, Level, NodeId, Offset, Op, Point, State, StateId, Ty, Unary,
};
use crate::shape::{Dim, Shape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod boundary;

/// The naive joint graph, and what the next pass must know of it.
pub(super) struct Tape {
    pub graph: Graph,
    /// Nodes below this id are the forward ones.
    pub forward: usize,
    /// Nodes that depend on a cotangent; they are linear in it.
    pub linear: Vec<bool>,
    pub traits: Vec<Traits>,
    /// Mirrored reads and reads of single points, added by the sweep; their operand may be taken apart.
    pub movable: BTreeSet<NodeId>,
}

struct Term {
    /// The consumer it came from; terms are added up in the order of the text.
    consumer: u32,
    value: NodeId,
}

/// What a slice of a value sends back.
struct Piece {
    consumer: u32,
    start: Dim,
    len: Dim,
    value: NodeId,
}

pub(super) struct Sweep {
    tape: Tape,
    activity: Activity,
    terms: Vec<Vec<Term>>,
    pieces: Vec<Vec<Piece>>,
    adjoints: Vec<Option<NodeId>>,
    /// For each read of a state at an offset: the state that holds what the read receives.
    mirrors: BTreeMap<NodeId, StateId>,
    constants: BTreeMap<u64, NodeId>,
    transposed: BTreeMap<NodeId, NodeId>,
    zeros: BTreeMap<Shape, NodeId>,
}

impl Sweep {
    /// `cotangents`: nodes of the graph with the source node of what arrives there. These sources are the
    /// graph's last nodes.
    pub fn run(
        graph: Graph,
        forward: usize,
        activity: Activity,
        cotangents: &[(NodeId, NodeId)],
    ) -> Step<Sweep> {
        let traits = traits::of_graph(&graph);
        let linear = (0..graph.nodes.len()).map(|i| i >= forward).collect();
        let names = reading_names(&graph, forward);
        let count = graph.nodes.len();
        let mut sweep = Sweep {
            tape: Tape { graph, forward, linear, traits, movable: BTreeSet::new() },
            activity,
            terms: (0..count).map(|_| Vec::new()).collect(),
            pieces: (0..count).map(|_| Vec::new()).collect(),
            adjoints: vec![None; count],
            mirrors: BTreeMap::new(),
            constants: BTreeMap::new(),
            transposed: BTreeMap::new(),
            zeros: BTreeMap::new(),
        };
        let readers = sweep.mirror_states();
        let order = std::mem::take(&mut sweep.activity.order);
        let mut arriving: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (root, cotangent) in cotangents {
            arriving.entry(*root).or_default().push(*cotangent);
        }
        for y in order {
            let mut first = Vec::new();
            for cotangent in arriving.get(&y).into_iter().flatten() {
                first.push(sweep.fit(*cotangent, sweep.level(y), y)?);
            }
            let mut last = Vec::new();
            for read in readers.get(&y).into_iter().flatten() {
                let (Some(state), Op::Lag { state: of, offset }) = (sweep.mirrors.get(read), sweep.op(*read))
                else {
                    continue;
                };
                let mirrored = sweep.mirrored(*state, offset)?;
                let domain = sweep.tape.graph.states[of.index()].domain;
                last.push(sweep.fit(mirrored, Level::Over(domain), y)?);
            }
            let total = sweep.total(y, first, last)?;
            let span = sweep.tape.graph.node(y).span;
            sweep.tape.graph.set_span(total, span);
            if let Some(name) = names.get(&y) {
                sweep.tape.graph.set_name(total, format!("{name}_adj"));
            }
            sweep.adjoints[y.index()] = Some(total);
            rules::adjoint(&mut sweep, y, total)?;
        }
        Ok(sweep)
    }

    /// The adjoint of a forward node, if it takes part.
    pub fn adjoint(&self, id: NodeId) -> Option<NodeId> {
        self.adjoints.get(id.index()).copied().flatten()
    }

    /// Whether it is a literal 0 or an array of it.
    pub fn is_zero(&self, id: NodeId) -> bool {
        self.tape.graph.as_const(id) == Some(0.0)
    }

    pub fn into_tape(self) -> Tape {
        self.tape
    }

    pub fn name(&mut self, id: NodeId, name: String) {
        self.tape.graph.set_name(id, name);
    }

    /// One state for each active read at an offset of an active value; by the value, its reads.
    fn mirror_states(&mut self) -> BTreeMap<NodeId, Vec<NodeId>> {
        let mut readers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        let mut reads: BTreeMap<StateId, u32> = BTreeMap::new();
        for id in (0..self.tape.forward as u32).map(NodeId) {
            let Op::Lag { state, .. } = self.op(id) else { continue };
            let of = &self.tape.graph.states[state.index()];
            let Some(def) = of.def.filter(|d| self.is_active(*d)) else { continue };
            if !self.is_active(id) {
                continue;
            }
            // What the read receives is over what the read is over, which with children is not the state's domain.
            let Level::Over(domain) = self.level(id) else { continue };
            let (shape, span) = (of.shape.clone(), of.span);
            let init = vec![self.zero(&shape)];
            let read = reads.entry(state).and_modify(|n| *n += 1).or_insert(1);
            let name: Arc<str> = format!("{}_read{read}_adj", of_name(&self.tape.graph, state)).into();
            let mirror = self.tape.graph.state(State {
                name,
                domain,
                shape,
                ty: Ty::Real,
                def: None,
                init,
                sides: Vec::new(),
                span,
            });
            self.mirrors.insert(id, mirror);
            readers.entry(def).or_default().push(id);
        }
        readers
    }

    /// `g[t−d]` of a read at `d`.
    fn mirrored(&mut self, state: StateId, offset: Offset) -> Step<NodeId> {
        let offset = offset.mirrored().ok_or_else(|| errors::internal("an offset is too large"))?;
        let id = self.add(Op::Lag { state, offset })?;
        self.tape.linear[id.index()] = true;
        self.tape.movable.insert(id);
        Ok(id)
    }

    /// The sum of all that a node receives.
    fn total(&mut self, y: NodeId, first: Vec<NodeId>, last: Vec<NodeId>) -> Step<NodeId> {
        let mut terms = std::mem::take(&mut self.terms[y.index()]);
        let pieces = std::mem::take(&mut self.pieces[y.index()]);
        terms.extend(self.join(y, pieces)?);
        terms.sort_by_key(|t| t.consumer);
        let all: Vec<NodeId> =
            first.into_iter().chain(terms.into_iter().map(|t| t.value)).chain(last).collect();
        let mut sum: Option<NodeId> = None;
        for value in all {
            sum = Some(match sum {
                None => value,
                // a + (−b) is a − b.
                Some(sum) => match self.op(value) {
                    Op::Unary(Unary::Neg, b) => self.add(Op::Binary(Binary::Sub, sum, b))?,
                    _ => self.add(Op::Binary(Binary::Add, sum, value))?,
                },
            });
        }
        let shape = self.shape(y);
        Ok(sum.unwrap_or_else(|| self.zero(&shape)))
    }

    /// Slices that do not overlap are joined into one array; the rest starts another one.
    fn join(&mut self, y: NodeId, mut pieces: Vec<Piece>) -> Step<Vec<Term>> {
        let shape = self.shape(y);
        let mut terms = Vec::new();
        pieces.sort_by_key(|p| p.consumer);
        let dim = |e| Stop::from(errors::internal(&format!("{e:?}")));
        while let Some(first) = pieces.first() {
            let consumer = first.consumer;
            let (mut at, mut parts) = (Dim::constant(0), Vec::new());
            while let Some(next) = nearest(&pieces, &at).or(parts.is_empty().then_some(0)) {
                let piece = pieces.remove(next);
                let gap = piece.start.sub(&at).map_err(dim)?;
                self.pad(&shape, gap, &mut parts);
                at = piece.start.add(&piece.len).map_err(dim)?;
                parts.push(piece.value);
            }
            let gap = shape.first().unwrap_or(&at).sub(&at).map_err(dim)?;
            self.pad(&shape, gap, &mut parts);
            let value = if parts.len() == 1 { parts[0] } else { self.add(Op::Concat(parts))? };
            terms.push(Term { consumer, value });
        }
        Ok(terms)
    }

    fn pad(&mut self, shape: &[Dim], gap: Dim, parts: &mut Vec<NodeId>) {
        if gap.as_constant() != Some(0) {
            let mut zeros = shape.to_vec();
            zeros[0] = gap;
            parts.push(self.zero(&zeros));
        }
    }

    /// Adds to the adjoint of `target` what its consumer `y` sends, if `target` takes part.
    pub fn give(
        &mut self,
        target: NodeId,
        y: NodeId,
        value: impl FnOnce(&mut Self) -> Step<NodeId>,
    ) -> Step<()> {
        self.give_from(self.level(y), target, y, value)
    }

    /// The same, where the consumer reads at another level than its own.
    pub fn give_from(
        &mut self,
        level: Level,
        target: NodeId,
        y: NodeId,
        value: impl FnOnce(&mut Self) -> Step<NodeId>,
    ) -> Step<()> {
        if self.is_active(target) {
            let value = value(self)?;
            let value = self.fit(value, level, target)?;
            self.terms[target.index()].push(Term { consumer: y.0, value });
        }
        Ok(())
    }

    pub fn give_slice(&mut self, target: NodeId, start: Dim, y: NodeId, value: NodeId) -> Step<()> {
        if self.is_active(target) {
            let len = self.extent(y, 0);
            self.pieces[target.index()].push(Piece { consumer: y.0, start, len, value });
        }
        Ok(())
    }

    /// A contribution in the target's shape and level: summed over the array if the target is a scalar, over
    /// the points of `level` if the target has one value for all of them.
    fn fit(&mut self, value: NodeId, level: Level, target: NodeId) -> Step<NodeId> {
        let (mut value, want) = (value, self.shape(target));
        if want.is_empty() {
            while !self.shape(value).is_empty() {
                value = self.add(Op::Reduce { fold: Fold::Sum, arg: value, axis: 0 })?;
            }
        } else if self.shape(value).is_empty() {
            let level = self.level(value);
            value = self.add_as(Op::Spread(value), want.clone(), level)?;
        }
        if self.shape(value) != want {
            return Err(errors::internal("an adjoint has another shape than its value").into());
        }
        let to = self.level(target);
        if self.tape.graph.is_within(level, to) {
            return Ok(value);
        }
        // A value that is the same along an axis is taken as often as the axis has points.
        let tally = self.tape.graph.tally(self.level(value), level, to);
        let (counted, to) = tally.ok_or_else(|| errors::internal("a value has too many axes"))?;
        for axis in counted {
            let length = self.add(Op::Length(axis))?;
            value = self.times(value, length)?;
        }
        if self.level(value) == Level::Shared && to == Level::Shared {
            value = self.lift(value, Level::Example)?;
        }
        self.sum_over(value, to)
    }

    /// The same value at a higher level.
    pub fn lift(&mut self, value: NodeId, to: Level) -> Step<NodeId> {
        if self.tape.graph.is_within(to, self.level(value)) {
            return Ok(value);
        }
        let zero = self.constant(0.0);
        let always = self.always(to)?;
        if self.tape.graph.as_const(value) == Some(0.0) {
            let never = self.add(Op::Unary(Unary::Not, always))?;
            let shape = self.shape(value);
            let value = self.add(Op::Unary(Unary::ToReal, never))?;
            return if shape.is_empty() { Ok(value) } else { self.add_as(Op::Spread(value), shape, to) };
        }
        self.add(Op::Select(always, value, zero))
    }

    /// A condition that holds at every point of a level.
    fn always(&mut self, level: Level) -> Step<NodeId> {
        let (zero, one) = (self.constant(0.0), self.constant(1.0));
        let axes = self.tape.graph.axes_of(level);
        let mut always = None;
        for axis in axes {
            let here = self.add(Op::Position(axis))?;
            let on_axis = self.add(Op::Binary(Binary::Le, one, here))?;
            always = Some(match always {
                None => on_axis,
                Some(others) => self.add(Op::Binary(Binary::And, others, on_axis))?,
            });
        }
        if let Some(always) = always {
            return Ok(always);
        }
        if let Some(axis) = self.tape.graph.measured_axis() {
            let length = self.add(Op::Length(axis))?;
            return self.add(Op::Binary(Binary::Le, zero, length));
        }
        // Without any domain, some value of the example says whether there is an example.
        let graph = &self.tape.graph;
        let here = |n: &NodeId| graph.level(*n) == level && *graph.ty(*n) == Ty::Real;
        let some = graph.node_ids().filter(here).min_by_key(|n| graph.shape(*n).len());
        let mut some = some.ok_or_else(|| errors::internal("no value tells one example from another"))?;
        while !self.shape(some).is_empty() {
            some = self.add(Op::Reduce { fold: Fold::Sum, arg: some, axis: 0 })?;
        }
        let same = self.add(Op::Binary(Binary::Eq, some, some))?;
        let other = self.add(Op::Binary(Binary::Ne, some, some))?;
        self.add(Op::Binary(Binary::Or, same, other))
    }

    // What the rules are written with.

    /// `ȳ ⊙ slope`; 0 where `ȳ` is 0.
    pub fn times(&mut self, g: NodeId, slope: NodeId) -> Step<NodeId> {
        if self.tape.graph.as_const(slope) == Some(1.0) {
            return Ok(g);
        }
        let kind = if self.tape.traits[slope.index()].wild { Binary::MulZero } else { Binary::Mul };
        self.add(Op::Binary(kind, g, slope))
    }

    /// `ȳ / d`; 0 where `ȳ` is 0.
    pub fn over(&mut self, g: NodeId, d: NodeId) -> Step<NodeId> {
        let traits = self.tape.traits[d.index()];
        let sound = traits.sign == Sign::Positive || self.as_const(d).is_some_and(|c| c != 0.0);
        if sound && !traits.wild {
            return self.add(Op::Binary(Binary::Div, g, d));
        }
        let one = self.constant(1.0);
        let slope = self.add(Op::Binary(Binary::Div, one, d))?;
        self.times(g, slope)
    }

    pub fn neg(&mut self, g: NodeId) -> Step<NodeId> {
        match self.op(g) {
            Op::Unary(Unary::Neg, inner) => Ok(inner),
            _ => self.add(Op::Unary(Unary::Neg, g)),
        }
    }

    /// `a ? b ? g : 0` with a comparison `a`.
    pub fn when(&mut self, kind: Binary, a: NodeId, b: NodeId, g: NodeId) -> Step<NodeId> {
        let (condition, zero) = (self.add(Op::Binary(kind, a, b))?, self.constant(0.0));
        self.add(Op::Select(condition, g, zero))
    }

    pub fn dot(&mut self, a: NodeId, b: NodeId) -> Step<NodeId> {
        self.add(Op::MatMul(a, b))
    }

    pub fn outer(&mut self, a: NodeId, b: NodeId) -> Step<NodeId> {
        self.add(Op::Outer(a, b))
    }

    /// Of a product of vectors `Σ a bᵀ` it is `Σ b aᵀ`, of a transpose the operand.
    pub fn transpose(&mut self, a: NodeId) -> Step<NodeId> {
        if let Some(known) = self.transposed.get(&a) {
            return Ok(*known);
        }
        let id = match self.op(a) {
            Op::Transpose(inner) => inner,
            Op::Outer(u, v) => self.add(Op::Outer(v, u))?,
            Op::SumOver(sum) if matches!(self.op(sum), Op::Outer(..)) => {
                let turned = self.transpose(sum)?;
                let level = self.level(a);
                self.sum_over(turned, level)?
            }
            _ => self.add(Op::Transpose(a))?,
        };
        self.transposed.insert(a, id);
        Ok(id)
    }

    pub fn slice(&mut self, arg: NodeId, start: Dim, len: Dim) -> Step<NodeId> {
        let mut shape = self.shape(arg);
        if let Some(first) = shape.first_mut() {
            *first = len;
        }
        let level = self.level(arg);
        self.add_as(Op::Slice { arg, start }, shape, level)
    }

    pub fn reshape(&mut self, arg: NodeId, shape: &[Dim]) -> Step<NodeId> {
        if self.shape(arg) == shape {
            return Ok(arg);
        }
        let level = self.level(arg);
        self.add_as(Op::Reshape(arg), shape.to_vec(), level)
    }

    /// What the points that were read receive.
    pub fn remap_back(&mut self, g: NodeId, maps: &[AxisMap]) -> Step<NodeId> {
        if self.as_const(g) == Some(0.0) {
            return Ok(g);
        }
        let axes = self.tape.graph.axes_of(self.level(g));
        let (there, missing): (Vec<&AxisMap>, Vec<&AxisMap>) =
            maps.iter().partition(|m| axes.contains(&m.to));
        let mut back: Vec<AxisMap> = there.into_iter().map(AxisMap::inverted).collect();
        let mut g = g;
        // Read backwards, what is the same at all points is the same; other maps leave points out.
        for map in missing.into_iter().filter(|m| !m.is_reverse()) {
            let mut axes = self.tape.graph.axes_of(self.level(g));
            axes.push(map.to);
            let wide = self.tape.graph.make_level(axes);
            g = self.lift(g, wide.ok_or_else(|| errors::internal("a value has too many axes"))?)?;
            back.push(map.inverted());
        }
        if back.is_empty() { Ok(g) } else { self.add(Op::Remap { arg: g, maps: back }) }
    }

    /// What the points of a grid receive from its line, or with `back` those of the line.
    pub fn flatten_back(&mut self, g: NodeId, grid: &[DomainId], line: DomainId, back: bool) -> Step<NodeId> {
        let mut axes = self.tape.graph.axes_of(self.level(g));
        let from = if back { grid } else { &[line] };
        if self.as_const(g) == Some(0.0) || !from.iter().any(|a| axes.contains(a)) {
            return Ok(g);
        }
        axes.extend(from);
        axes.sort();
        axes.dedup();
        let wide = self.tape.graph.make_level(axes);
        let arg = self.lift(g, wide.ok_or_else(|| errors::internal("a value has too many axes"))?)?;
        self.add(Op::Flatten { arg, grid: grid.to_vec(), line, back: !back })
    }

    /// `g`, which lacks the axis, repeated along it.
    pub fn expand(&mut self, y: NodeId, g: NodeId, shape: &[Dim], axis: usize) -> Step<NodeId> {
        let product = |dims: &[Dim]| {
            dims.iter()
                .try_fold(Dim::constant(1), |acc, d| acc.mul(d))
                .map_err(|e| Stop::from(errors::internal(&format!("{e:?}"))))
        };
        let level = self.level(g);
        if shape.len() == 1 {
            return self.add_as(Op::Spread(g), shape.to_vec(), level);
        }
        let (before, after) = (product(&shape[..axis])?, product(&shape[axis + 1..])?);
        let one = self.constant(1.0);
        let ones = self.add_as(Op::Spread(one), vec![shape[axis].clone()], Level::Shared)?;
        let wide = if axis == 0 {
            let flat = self.reshape(g, &[after])?;
            self.outer(ones, flat)?
        } else if axis + 1 == shape.len() {
            let flat = self.reshape(g, &[before])?;
            self.outer(flat, ones)?
        } else {
            let Some(blocks) = before.as_constant().filter(|n| (1..=1024).contains(n)) else {
                return Err(self.no_rule(y, "the axis is neither the first nor the last"));
            };
            let rows = self.reshape(g, &[before, after.clone()])?;
            let mut parts = Vec::new();
            for block in 0..blocks {
                let row = self.slice(rows, Dim::constant(block), Dim::constant(1))?;
                let row = self.reshape(row, std::slice::from_ref(&after))?;
                parts.push(self.outer(ones, row)?);
            }
            self.add(Op::Concat(parts))?
        };
        self.reshape(wide, shape)
    }

    /// One point of an axis, if the value is over it; else the value, which is the same at all points.
    pub fn point(&mut self, value: NodeId, axis: DomainId, point: Point) -> Step<NodeId> {
        if !self.tape.graph.axes_of(self.level(value)).contains(&axis) {
            return Ok(value);
        }
        let shape = self.shape(value);
        let empty = self.zero(&shape);
        self.add(Op::At { arg: value, axis, point, empty })
    }

    /// The axes of `x` that `y` is not over.
    pub fn dropped_axes(&self, x: NodeId, y: NodeId) -> Vec<DomainId> {
        let kept = self.tape.graph.axes_of(self.level(y));
        self.tape.graph.axes_of(self.level(x)).into_iter().filter(|a| !kept.contains(a)).collect()
    }

    /// A level without one of its axes.
    pub fn without(&mut self, level: Level, axis: DomainId) -> Step<Level> {
        let mut rest = self.tape.graph.axes_of(level);
        rest.retain(|a| *a != axis);
        let rest = self.tape.graph.make_level(rest);
        rest.ok_or_else(|| errors::internal("a value has too many axes").into())
    }

    pub fn sum_over(&mut self, arg: NodeId, to: Level) -> Step<NodeId> {
        let shape = self.shape(arg);
        if self.tape.graph.is_within(self.level(arg), to) {
            Ok(arg)
        } else {
            self.add_as(Op::SumOver(arg), shape, to)
        }
    }

    pub fn constant(&mut self, value: f64) -> NodeId {
        if let Some(known) = self.constants.get(&value.to_bits()) {
            return *known;
        }
        let id = self.tape.graph.constant(value);
        self.note(id);
        self.constants.insert(value.to_bits(), id);
        id
    }

    /// Zeros of a shape.
    pub fn zero(&mut self, shape: &[Dim]) -> NodeId {
        let scalar = self.constant(0.0);
        if shape.is_empty() {
            return scalar;
        }
        if let Some(known) = self.zeros.get(shape) {
            return *known;
        }
        let id = self.tape.graph.filled(0.0, shape);
        // `filled` adds its own constant before the spread.
        for new in self.tape.linear.len()..=id.index() {
            self.note(NodeId(new as u32));
        }
        self.zeros.insert(shape.to_vec(), id);
        id
    }

    pub fn add(&mut self, op: Op) -> Step<NodeId> {
        self.tape.graph.make_room(&op);
        let id = self.tape.graph.add(op)?;
        self.note(id);
        Ok(id)
    }

    pub fn add_as(&mut self, op: Op, shape: Shape, level: Level) -> Step<NodeId> {
        let id = self.tape.graph.add_as(op, shape, level)?;
        self.note(id);
        Ok(id)
    }

    fn note(&mut self, id: NodeId) {
        let op = &self.tape.graph.node(id).op;
        let linear = op.operands().any(|a| self.tape.linear[a.index()]);
        let traits = traits::of_op(&self.tape.graph, op, |a| self.tape.traits[a.index()]);
        self.tape.linear.push(linear);
        self.tape.traits.push(traits);
    }

    /// States that a slope is as tame as these values, where that does not follow from its operations.
    pub fn tame(&mut self, slope: NodeId, as_these: &[NodeId]) {
        let wild = as_these.iter().any(|a| self.tape.traits[a.index()].wild);
        self.tape.traits[slope.index()].wild = wild;
    }

    pub fn no_rule(&self, y: NodeId, why: &str) -> Stop {
        errors::no_rule(&self.tape.graph, y, why).into()
    }

    pub fn op(&self, id: NodeId) -> Op {
        self.tape.graph.node(id).op.clone()
    }

    pub fn shape(&self, id: NodeId) -> Shape {
        self.tape.graph.shape(id).clone()
    }

    pub fn extent(&self, id: NodeId, axis: usize) -> Dim {
        self.tape.graph.shape(id).get(axis).cloned().unwrap_or_else(|| Dim::constant(1))
    }

    pub fn level(&self, id: NodeId) -> Level {
        self.tape.graph.level(id)
    }

    pub fn as_const(&self, id: NodeId) -> Option<f64> {
        self.tape.graph.as_const(id)
    }

    fn is_active(&self, id: NodeId) -> bool {
        self.activity.active[id.index()]
    }
}

/// The piece that begins at `at`, or the next one after it.
fn nearest(pieces: &[Piece], at: &Dim) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (i, piece) in pieces.iter().enumerate() {
        if piece.start == *at {
            return Some(i);
        }
        let follows = |a: &Dim, b: &Dim| b.sub(a).is_ok_and(|gap| is_extent(&gap));
        if follows(at, &piece.start) && best.is_none_or(|b| !follows(&pieces[b].start, &piece.start)) {
            best = Some(i);
        }
    }
    best
}

/// Not negative for dimensions small and large.
fn is_extent(dim: &Dim) -> bool {
    let mut symbols = Vec::new();
    dim.symbols(&mut symbols);
    [1, 1000].into_iter().all(|n| {
        let bindings = symbols.iter().map(|s| (s.clone(), n)).collect();
        dim.eval(&bindings).is_ok_and(|value| value >= 0)
    })
}

fn of_name(graph: &Graph, state: StateId) -> Arc<str> {
    graph.states[state.index()].name.clone()
}

/// How a value is called in the derived equations: by its own name, or, as the argument of the outer
/// function in `f = σ(e)`, as `f_pre`.
fn reading_names(graph: &Graph, forward: usize) -> BTreeMap<NodeId, Arc<str>> {
    let mut names: BTreeMap<NodeId, Arc<str>> = BTreeMap::new();
    let mut taken: BTreeSet<Arc<str>> = BTreeSet::new();
    for id in graph.node_ids().take(forward) {
        if let Some(name) = &graph.node(id).name {
            names.insert(id, name.clone());
            taken.insert(name.clone());
        }
    }
    for id in graph.node_ids().take(forward) {
        let (Some(name), Op::Unary(_, x) | Op::Softmax(x) | Op::LogSumExp(x)) =
            (graph.node(id).name.clone(), &graph.node(id).op)
        else {
            continue;
        };
        let plain = matches!(graph.node(id).op, Op::Unary(Unary::Neg | Unary::StopGradient, _));
        if plain || names.contains_key(x) || matches!(graph.node(*x).op, Op::Lag { .. }) {
            continue;
        }
        let mut pre = format!("{name}_pre");
        while taken.contains(pre.as_str()) {
            pre.push('\'');
        }
        taken.insert(pre.as_str().into());
        names.insert(*x, pre.into());
    }
    names
}
