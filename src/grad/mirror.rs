//! Moves mirrored reads to named values, and leaves the joint graph in its final form.
//!
//! In: a [`Tape`], where the adjoint of a state reads `g[t+1]` of some large `g`. Since `g` is linear in
//! adjoints and these are 0 outside the domain, `(Uᵀ a + b ⊙ s)[t+1] = Uᵀ a[t+1] + b[t+1] ⊙ s[t+1]`, where all reads
//! outside the domain give 0. Written so, every product with `Uᵀ` of one step can be one product, and the
//! equations read as on paper: only named values are read at an offset. The same is done to `g[1]`, which
//! initial values receive. For running, it is done along chains only: on grids and trees a read at an offset is a copy, so `g`
//! itself is read, once.
//! Out: forward nodes under their ids, then the adjoint nodes that an output needs. A value is not moved
//! if it holds a product that is needed at this point too (it would be computed twice).

use super::errors::{self, Step};
use super::print::is_long;
use super::sweep::Tape;
use crate::eqn::{
    Binary, DomainId, DomainKind, Fold, Graph, Level, NodeId, Offset, Op, Point, State, StateId, Unary,
};
use crate::shape::Shape;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    Lag(Offset),
    First,
    Last,
    Fixed(u32),
}

impl Access {
    fn of(point: Point) -> Access {
        match point {
            Point::First => Access::First,
            Point::Last => Access::Last,
            Point::Fixed(k) => Access::Fixed(k),
        }
    }
}

/// Expressions are taken apart at most this deep.
const DEPTH: u32 = 100;

struct Mirror<'a> {
    tape: &'a Tape,
    out: Graph,
    /// From the tape's nodes to those of `out`.
    map: Vec<Option<NodeId>>,
    uses: Vec<u32>,
    /// States over values of the tape.
    aliases: BTreeMap<(NodeId, DomainId), StateId>,
    placed: BTreeMap<(NodeId, Access, DomainId), NodeId>,
    zeros: BTreeMap<Shape, NodeId>,
    /// What is being taken apart.
    open: Vec<NodeId>,
    /// Of states.
    names: BTreeSet<Arc<str>>,
    /// Also take apart what is used elsewhere: for reading, not for running.
    for_reading: bool,
}

/// `outputs`: the gradients, as nodes of the tape.
pub(super) fn finish(
    tape: &Tape,
    outputs: &[(Arc<str>, NodeId)],
    states: usize,
    for_reading: bool,
) -> Step<Graph> {
    let mut out = tape.graph.without_nodes();
    out.nodes.extend_from_slice(&tape.graph.nodes[..tape.forward]);
    out.outputs.clone_from(&tape.graph.outputs);
    out.states.truncate(states);
    let mut uses = vec![0u32; tape.graph.nodes.len()];
    // Movable reads of points do not count: they are what is moved.
    let fixed = tape.graph.node_ids().skip(tape.forward).filter(|n| !tape.movable.contains(n));
    let operands = fixed.flat_map(|n| tape.graph.node(n).op.operands());
    let defs = tape.graph.states.iter().skip(states).filter_map(|s| s.def);
    for id in operands.chain(defs).chain(outputs.iter().map(|o| o.1)) {
        uses[id.index()] += 1;
    }
    let mut map: Vec<Option<NodeId>> = vec![None; tape.graph.nodes.len()];
    for id in tape.graph.node_ids().take(tape.forward) {
        map[id.index()] = Some(id);
    }
    let names = out.states.iter().map(|s| s.name.clone()).collect();
    let mut mirror = Mirror {
        tape,
        out,
        map,
        uses,
        aliases: BTreeMap::new(),
        placed: BTreeMap::new(),
        zeros: BTreeMap::new(),
        open: Vec::new(),
        names,
        for_reading,
    };
    // Values of the forward pass first: moved expressions may need them anywhere.
    for linear in [false, true] {
        for id in tape.graph.node_ids().skip(tape.forward) {
            if tape.linear[id.index()] == linear {
                let new = mirror.emit(id)?;
                mirror.map[id.index()] = Some(new);
            }
        }
    }
    for ((value, _), state) in &mirror.aliases {
        let def = mirror.map[value.index()];
        mirror.out.states[state.index()].def = def;
        if let Some(def) = def.filter(|d| d.index() >= tape.forward && mirror.out.node(*d).name.is_none()) {
            let name = mirror.out.states[state.index()].name.to_string();
            mirror.out.set_name(def, name);
        }
    }
    for (name, value) in outputs {
        let node = mirror.node(*value)?;
        mirror.out.output(name.clone(), node);
    }
    Ok(prune(mirror.out, tape.forward, states))
}

impl Mirror<'_> {
    fn emit(&mut self, id: NodeId) -> Step<NodeId> {
        let node = self.tape.graph.node(id);
        let new = match &node.op {
            Op::Lag { state, offset } if self.tape.movable.contains(&id) => {
                let state = &self.tape.graph.states[state.index()];
                let Some(def) = state.def else {
                    return Err(errors::internal("a mirrored read has no value").into());
                };
                self.place(def, Access::Lag(*offset), state.domain, 0)?
            }
            Op::At { arg, axis, point, .. } if self.tape.movable.contains(&id) => {
                self.place(*arg, Access::of(*point), *axis, 0)?
            }
            // Of a state that the sweep made: 0 outside the domain, but not linear.
            Op::Lag { state, offset } => {
                let state = &self.tape.graph.states[state.index()];
                let Some(def) = state.def else {
                    return Err(errors::internal("a mirrored read has no value").into());
                };
                self.leaf(def, Access::Lag(*offset), state.domain)?
            }
            op => {
                let mut missing = false;
                let op = op.map_operands(|a| {
                    self.map[a.index()].unwrap_or_else(|| {
                        missing = true;
                        a
                    })
                });
                if missing {
                    return Err(errors::internal("an operand comes after its consumer").into());
                }
                self.out.make_room(&op);
                self.out.add_as(op, node.shape.clone(), node.level)?
            }
        };
        // A moved read may have become a forward value, which keeps its own name.
        if new.index() >= self.tape.forward {
            if let Some(name) = &node.name {
                self.out.set_name(new, name.clone());
            }
            self.out.set_span(new, node.span);
        }
        Ok(new)
    }

    fn node(&self, id: NodeId) -> Step<NodeId> {
        self.map[id.index()].ok_or_else(|| errors::internal("a value is read before it is computed").into())
    }

    /// The value of a tape node at another point, as nodes of `out`. Of a linear value it is 0 if there is no
    /// such point; of any other it is then some finite number. `domain` is that of the state which is read, or the axis
    /// of the one point.
    fn place(&mut self, id: NodeId, access: Access, domain: DomainId, depth: u32) -> Step<NodeId> {
        if let Some(known) = self.placed.get(&(id, access, domain)) {
            return Ok(*known);
        }
        let linear = self.tape.linear[id.index()];
        let placed = if !self.varies(id, access, domain) {
            if linear { None } else { Some(self.node(id)?) }
        } else if depth < DEPTH && self.may_move(id, linear, access, domain) {
            self.open.push(id);
            let placed = self.take_apart(id, access, domain, depth, linear)?;
            self.open.pop();
            placed
        } else {
            None
        };
        let placed = match placed {
            Some(placed) => placed,
            None => self.leaf(id, access, domain)?,
        };
        self.placed.insert((id, access, domain), placed);
        Ok(placed)
    }

    /// Whether the value may be another one at the other point: it is over an axis along which that lies.
    fn varies(&self, id: NodeId, access: Access, domain: DomainId) -> bool {
        let axes = self.tape.graph.axes_of(self.tape.graph.level(id));
        match access {
            Access::Lag(offset) => self.moved(offset, domain).iter().any(|a| axes.contains(a)),
            Access::First | Access::Last | Access::Fixed(_) => axes.contains(&domain),
        }
    }

    /// The axes along which an offset leads elsewhere.
    fn moved(&self, offset: Offset, domain: DomainId) -> Vec<DomainId> {
        let graph = &self.tape.graph;
        let axes = graph.axes(domain).into_iter();
        match offset {
            Offset::By(by) => axes.zip(by).filter(|(_, k)| *k != 0).map(|(a, _)| a).collect(),
            _ => {
                let is_tree = |a: &DomainId| matches!(graph.domains[a.index()].kind, DomainKind::Tree { .. });
                axes.filter(is_tree).take(1).collect()
            }
        }
    }

    /// The value of the state, if a read of it at this offset is read at the other point that leads back.
    fn back_and_forth(&self, id: NodeId, access: Access, domain: DomainId) -> Option<NodeId> {
        let graph = &self.tape.graph;
        let (Op::Lag { state, offset }, Access::Lag(back)) = (&graph.node(id).op, access) else {
            return None;
        };
        let state = &graph.states[state.index()];
        let leads_back = match (*offset, back) {
            // Along axes that the state does not have, it is the same.
            (Offset::By(by), Offset::By(back)) => {
                let outer = graph.axes(domain);
                let along = |a| outer.iter().position(|b| *b == a).map_or(0, |i| back[i]);
                let sums = graph.axes(state.domain).into_iter().zip(by).map(|(a, k)| k.checked_add(along(a)));
                sums.into_iter().all(|sum| sum == Some(0))
            }
            (there, back) => {
                there.mirrored() == Some(back) && self.moved(there, state.domain) == self.moved(back, domain)
            }
        };
        state.def.filter(|_| leads_back)
    }

    fn may_move(&self, id: NodeId, linear: bool, access: Access, domain: DomainId) -> bool {
        let node = self.tape.graph.node(id);
        if !linear && let Some(def) = self.back_and_forth(id, access, domain) {
            return !self.tape.traits[def.index()].wild;
        }
        let is_product = matches!(node.op, Op::MatMul(..) | Op::Outer(..) | Op::Reduce { .. });
        if linear && !self.for_reading && self.is_copied(access, domain) && !matches!(node.op, Op::Lag { .. })
        {
            return false;
        }
        if linear && self.for_reading {
            // What is long and used here, too, gets a name rather than be written again at the other point.
            let is_sum = matches!(node.op, Op::Binary(Binary::Add | Binary::Sub, ..));
            let uses = self.uses[id.index()];
            node.name.is_none() && (is_sum || uses < 2 || !is_long(self.size(id, 0), uses + 1))
        } else if linear {
            node.name.is_none() && (!is_product || self.uses[id.index()] <= 1)
        } else {
            node.name.is_none() && !self.tape.traits[id.index()].wild
        }
    }

    /// Operations until something has a name or is no adjoint, counted up to a few.
    fn size(&self, id: NodeId, depth: u32) -> u32 {
        let node = self.tape.graph.node(id);
        if depth > 4 || depth > 0 && (node.name.is_some() || !self.tape.linear[id.index()]) {
            return 0;
        }
        1 + node.op.operands().map(|a| self.size(a, depth + 1)).sum::<u32>()
    }

    /// Whether a read costs a copy of the rows. Along a chain it is the same rows at another start; elsewhere it is dearer to
    /// copy each operand than to copy what is computed of them.
    fn is_copied(&self, access: Access, domain: DomainId) -> bool {
        let is_chain = matches!(self.tape.graph.domains[domain.index()].kind, DomainKind::Chain { .. });
        matches!(access, Access::Lag(_)) && !is_chain
    }

    /// Whether an operand is a matrix of adjoints that is the same at all points, as what arrives for the gradient of a parameter. It
    /// would be a copy for each point, where it has to be 0 outside; what is made of it is smaller.
    fn reads_fixed_matrix(&self, id: NodeId, access: Access, domain: DomainId) -> bool {
        let graph = &self.tape.graph;
        let mut operands = graph.node(id).op.operands();
        operands.any(|a| {
            self.tape.linear[a.index()] && graph.shape(a).len() > 1 && !self.varies(a, access, domain)
        })
    }

    /// The operation on its operands at the other point, if that gives the same.
    fn take_apart(
        &mut self,
        id: NodeId,
        access: Access,
        domain: DomainId,
        depth: u32,
        linear: bool,
    ) -> Step<Option<NodeId>> {
        if linear && !self.for_reading && self.reads_fixed_matrix(id, access, domain) {
            return Ok(None);
        }
        let node = self.tape.graph.node(id);
        let below = |a: NodeId| !matches!(self.tape.graph.level(a), Level::Over(_));
        let moves = match &node.op {
            Op::Binary(Binary::Add | Binary::Sub | Binary::Mul, ..) | Op::Unary(Unary::Neg, _) => true,
            // Outside the domain a divisor may be 0, unless it is the same everywhere.
            Op::Binary(Binary::Div, _, b) => linear && below(*b),
            // Saved values are cheaper than products computed anew; for the reader they are nothing new.
            Op::Unary(..)
            | Op::Binary(Binary::Max | Binary::Min | Binary::Pow, ..)
            | Op::Select(..)
            | Op::Softmax(_)
            | Op::LogSumExp(_)
                if !linear && self.for_reading =>
            {
                true
            }
            Op::Binary(Binary::MulZero, ..)
            | Op::MatMul(..)
            | Op::Outer(..)
            | Op::Transpose(_)
            | Op::Reshape(_)
            | Op::Slice { .. }
            | Op::Spread(_)
            | Op::Concat(_)
            | Op::Reduce { fold: Fold::Sum, .. } => linear || self.for_reading,
            Op::Lag { state, offset } => {
                // A forward value read back and forth is itself; two reads in one direction are one.
                if !linear {
                    let same = self.back_and_forth(id, access, domain);
                    return same.map(|def| self.node(def)).transpose();
                }
                let Access::Lag(k) = access else { return Ok(None) };
                let state = &self.tape.graph.states[state.index()];
                let one_way =
                    self.tape.movable.contains(&id) && state.domain == domain && offset.same_direction(k);
                // A value that is read in itself would be taken apart without an end.
                return match (state.def, offset.then(k)) {
                    (Some(def), Some(both)) if one_way && !self.open.contains(&def) => {
                        self.place(def, Access::Lag(both), domain, depth + 1).map(Some)
                    }
                    _ => Ok(None),
                };
            }
            _ => false,
        };
        if !moves {
            return Ok(None);
        }
        let mut stop = None;
        let op = node.op.map_operands(|a| match self.place(a, access, domain, depth + 1) {
            Ok(placed) => placed,
            Err(e) => {
                stop.get_or_insert(e);
                a
            }
        });
        if let Some(stop) = stop {
            return Err(stop);
        }
        // Values below the domain are the same at the other point: their operations may stay below.
        self.out.make_room(&op);
        let mut level = Level::Shared;
        for a in op.operands() {
            let joined = self.out.join(level, self.out.level(a));
            level = joined.ok_or_else(|| errors::internal("two domains without a common one"))?;
        }
        Ok(Some(self.out.add_as(op, node.shape.clone(), level)?))
    }

    fn leaf(&mut self, id: NodeId, access: Access, domain: DomainId) -> Step<NodeId> {
        let point = match access {
            Access::Lag(offset) => {
                let op = Op::Lag { state: self.alias(id, domain), offset };
                self.out.make_room(&op);
                return Ok(self.out.add(op)?);
            }
            Access::First => Point::First,
            Access::Last => Point::Last,
            Access::Fixed(k) => Point::Fixed(k),
        };
        let (arg, shape) = (self.node(id)?, self.tape.graph.shape(id).clone());
        let empty = self.zero(&shape);
        if self.varies(id, access, domain) {
            let op = Op::At { arg, axis: domain, point, empty };
            self.out.make_room(&op);
            return Ok(self.out.add(op)?);
        }
        let needed = match point {
            Point::First | Point::Last => 1,
            Point::Fixed(k) => k,
        };
        let length = self.out.add(Op::Length(domain))?;
        let needed = self.out.constant(f64::from(needed));
        let there = self.out.binary(Binary::Le, needed, length)?;
        let op = Op::Select(there, arg, empty);
        self.out.make_room(&op);
        Ok(self.out.add(op)?)
    }

    /// A state over a value, 0 outside the domain.
    fn alias(&mut self, id: NodeId, domain: DomainId) -> StateId {
        if let Some(known) = self.aliases.get(&(id, domain)) {
            return *known;
        }
        let node = self.tape.graph.node(id);
        let mut name = match &node.name {
            Some(name) => name.to_string(),
            // What a read at an offset receives has the name that the sweep gave to its state.
            None => match self.tape.graph.states.iter().find(|s| s.def == Some(id)) {
                Some(state) => state.name.to_string(),
                None => format!("part{}", id.0),
            },
        };
        while !self.names.insert(name.as_str().into()) {
            name.push('\'');
        }
        let init = vec![self.zero(&node.shape)];
        let state = State {
            name: name.into(),
            domain,
            shape: node.shape.clone(),
            ty: node.ty.clone(),
            def: None,
            init,
            sides: Vec::new(),
            span: node.span,
        };
        let state = self.out.state(state);
        self.aliases.insert((id, domain), state);
        state
    }

    fn zero(&mut self, shape: &[crate::shape::Dim]) -> NodeId {
        if let Some(known) = self.zeros.get(shape) {
            return *known;
        }
        let id = self.out.filled(0.0, shape);
        self.zeros.insert(shape.to_vec(), id);
        id
    }
}

/// Without the adjoint nodes and states that no output needs. Forward nodes and states stay.
fn prune(graph: Graph, forward: usize, states: usize) -> Graph {
    let mut kept: Vec<bool> = (0..graph.nodes.len()).map(|i| i < forward).collect();
    let mut kept_states: BTreeSet<StateId> = (0..states as u32).map(StateId).collect();
    let mut open: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    while let Some(id) = open.pop() {
        let seen = std::mem::replace(&mut kept[id.index()], true);
        if seen {
            continue;
        }
        open.extend(graph.node(id).op.operands());
        if let Op::Lag { state, .. } = graph.node(id).op
            && kept_states.insert(state)
        {
            let state = &graph.states[state.index()];
            open.extend(state.values());
        }
    }
    let mut out = graph;
    let mut new_states = BTreeMap::new();
    for (i, state) in std::mem::take(&mut out.states).into_iter().enumerate() {
        if kept_states.contains(&StateId(i as u32)) {
            new_states.insert(StateId(i as u32), StateId(out.states.len() as u32));
            out.states.push(state);
        }
    }
    let mut map = vec![NodeId(0); out.nodes.len()];
    for (id, mut node) in std::mem::take(&mut out.nodes).into_iter().enumerate() {
        if !kept[id] {
            continue;
        }
        node.op = match node.op {
            Op::Lag { state, offset } => Op::Lag { state: new_states[&state], offset },
            op => op.map_operands(|a| map[a.index()]),
        };
        map[id] = NodeId(out.nodes.len() as u32);
        out.nodes.push(node);
    }
    for state in &mut out.states {
        state.def = state.def.map(|d| map[d.index()]);
        for init in &mut state.init {
            *init = map[init.index()];
        }
        for side in &mut state.sides {
            side.value = map[side.value.index()];
        }
    }
    for output in &mut out.outputs {
        output.node = map[output.node.index()];
    }
    out
}
