//! Reads from other points and other levels, where rows are indexed.
//!
//! In: operations whose operands lie over other axes, or at other points, than their results. Out: copies
//! ([`Op::Collect`], [`Op::Fold`]) into rows of their own, after which everything reads its own row. Between a plain
//! chain, examples and Shared values none of this is needed: there kernels read lower rows as they are.

use super::{Lowering, Res, errors};
use crate::eqn::{self, DomainId, Fold, Level, NodeId, Offset, StateId};
use crate::loops::{Coordinate, Relation};
use crate::schedule::fronts::show_place;
use crate::schedule::value::{Op, Val};

impl Lowering<'_> {
    /// The level at which a node's operands must be, if it is computed point by point over indexed rows.
    pub(super) fn meeting_level(&self, id: NodeId) -> Option<Level> {
        use eqn::Op::*;
        let elsewhere = matches!(
            self.graph.nodes[id.index()].op,
            Lag { .. }
                | SumOver(_)
                | FoldOver { .. }
                | At { .. }
                | Remap { .. }
                | Flatten { .. }
                | Points { .. }
        );
        match self.level[id.index()] {
            level @ Level::Over(d) if !elsewhere && self.flow.is_indexed(d) => Some(level),
            _ => None,
        }
    }

    /// The value at every row of a higher level, or of another order of the same.
    pub(super) fn lift(&mut self, v: Val, to: Level) -> Res<Val> {
        if self.flow.level(v) == Level::Shared || self.flow.level(v) == to {
            return Ok(v);
        }
        if let Some(found) = self.lifted.get(&(v, to)) {
            return Ok(*found);
        }
        let from = vec![self.collectable(v)?];
        let shape = self.shape(v);
        let lifted = self.push_at(Op::Collect { state: None, from, relation: Relation::Same }, shape, to)?;
        self.flow.values[lifted.index()].name = self.flow.get(v).name.clone();
        self.lifted.insert((v, to), lifted);
        Ok(lifted)
    }

    /// Numbers in memory at their own rows.
    fn collectable(&mut self, v: Val) -> Res<Val> {
        if self.has_lag(v) { self.copy(v) } else { self.as_numbers(v) }
    }

    /// The offset of a read that needs no copy: along a plain chain, without sides.
    pub(super) fn along_chain(&self, state: StateId, offset: Offset) -> Option<i32> {
        let state = &self.graph.states[state.index()];
        match self.graph.is_chain(state.domain) && state.sides.is_empty() {
            true => offset.along_chain(),
            false => None,
        }
    }

    pub(super) fn collect_state(
        &mut self,
        state: StateId,
        offset: Offset,
        shape: Vec<usize>,
        level: Level,
    ) -> Res<Val> {
        let of = &self.graph.states[state.index()];
        let sides = of.sides.iter().map(|side| (side.axis, side.after)).collect();
        let relation = Relation::Lag { domain: of.domain, offset, init: of.init.len(), sides };
        self.flow.states[state.index()].collected = true;
        let v = self.push_at(Op::Collect { state: Some(state), from: Vec::new(), relation }, shape, level)?;
        if self.flow.get(v).name.is_none() {
            let name = format!("{}{}", of.name, show_place(&self.graph.domains, of.domain, offset));
            self.flow.values[v.index()].name = Some(name.into());
        }
        Ok(v)
    }

    /// Where the sources of a state's collects lie, once all values are known.
    pub(super) fn collected_state(&mut self, i: usize) -> Res<()> {
        let state = &self.graph.states[i];
        let Some(def) = state.def else {
            return Err(errors::malformed("a state without equation", state.span));
        };
        if state.init.is_empty() {
            return Err(errors::malformed("a state without initial value", state.span));
        }
        let def = self.lowered(def)?;
        let base = self.collectable(def)?;
        let shape = self.shape(base);
        let mut boundary = Vec::new();
        for n in state.boundary() {
            let v = self.lowered(n)?;
            let v = self.collectable(v)?;
            if self.shape(v) != shape {
                return Err(errors::malformed("an initial value does not fit its state", state.span));
            }
            boundary.push(v);
        }
        let name = self.flow.get(base).name.clone();
        self.flow.values[base.index()].name = name.or_else(|| Some(state.name.clone()));
        let sides = boundary.split_off(state.init.len());
        let sides = state.sides.iter().zip(sides).map(|(side, v)| (side.axis, side.after, v));
        let to = &mut self.flow.states[i];
        (to.base, to.init, to.sides) = (base, boundary, sides.collect());
        Ok(())
    }

    pub(super) fn coordinate(
        &mut self,
        of: Coordinate,
        axis: DomainId,
        shape: Vec<usize>,
        id: NodeId,
    ) -> Res<Val> {
        let level = self.level[id.index()];
        let op = match (level, of) {
            (Level::Over(d), _) if self.flow.is_indexed(d) => Op::Number(of, axis),
            (_, Coordinate::Position) => Op::Position(axis),
            (_, Coordinate::Length) => Op::Length(axis),
        };
        self.push_at(op, shape, level)
    }

    pub(super) fn fold(&mut self, fold: Fold, arg: NodeId, shape: Vec<usize>, level: Level) -> Res<Val> {
        let arg = self.lowered(arg)?;
        let arg = self.collectable(arg)?;
        self.push_at(Op::Fold { fold, arg }, shape, level)
    }

    /// `at`, `remap`, `flatten`, `points`.
    pub(super) fn other_points(&mut self, id: NodeId, shape: Vec<usize>) -> Res<Val> {
        let node = &self.graph.nodes[id.index()];
        let level = self.level[id.index()];
        let (args, relation) = match &node.op {
            eqn::Op::At { arg, axis, point, empty } => {
                let is_plain = self.level[arg.index()] == Level::Over(*axis) && self.graph.is_chain(*axis);
                if is_plain {
                    let (arg, empty) = (self.lowered(*arg)?, self.lowered(*empty)?);
                    let (arg, empty) = (self.as_numbers(arg)?, self.as_numbers(empty)?);
                    return self.push_at(Op::At { arg, point: *point, empty }, shape, level);
                }
                (vec![*arg, *empty], Relation::At { axis: *axis, point: *point })
            }
            op @ eqn::Op::Remap { arg, maps } => {
                if let Some((arg, axis)) = self.graph.as_reverse(op)
                    && self.level[arg.index()] == Level::Over(axis)
                    && self.graph.is_chain(axis)
                {
                    let arg = self.lowered(arg)?;
                    let arg = self.as_numbers(arg)?;
                    return self.push_at(Op::Reverse(arg), shape, level);
                }
                (vec![*arg], Relation::Remap(maps.clone()))
            }
            eqn::Op::Flatten { arg, grid, line, back } => {
                (vec![*arg], Relation::Flatten { grid: grid.clone(), line: *line, back: *back })
            }
            eqn::Op::Points { parts, axis } => (parts.clone(), Relation::Parts(*axis)),
            _ => return Err(errors::malformed("no read of other points", node.span)),
        };
        let mut from = Vec::new();
        for arg in args {
            let arg = self.lowered(arg)?;
            from.push(self.collectable(arg)?);
        }
        self.push_at(Op::Collect { state: None, from, relation }, shape, level)
    }
}
