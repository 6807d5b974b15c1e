//! What reads of a state send back: to the state's value through the mirrored read, and, from the points that
//! read outside the domain, to the boundary values they read there.
//!
//! In: a read of a state and its adjoint. Out: terms of the state's initial values and sides.
//! Invariant: a point's adjoint goes to the one value that the reference interpreter reads there.

use super::super::errors::{self, Step};
use super::Sweep;
use crate::eqn::{
    Binary, DomainId, DomainKind, Level, NodeId, Offset, Op, Point, Side, State, StateId, Ty, Unary,
};
use crate::shape::Shape;
use std::sync::Arc;

/// So many points along one axis; not 0.
type Along = (DomainId, i32);

impl Sweep {
    /// Gives what a read `y` of a state sends with its adjoint `g`.
    pub fn give_state(&mut self, state: StateId, offset: Offset, y: NodeId, g: NodeId) -> Step<()> {
        if let Some(mirror) = self.mirrors.get(&y) {
            self.tape.graph.states[mirror.index()].def = Some(g);
        }
        let of = &self.tape.graph.states[state.index()];
        if !of.boundary().any(|id| self.is_active(id)) {
            return Ok(());
        }
        let (domain, init, sides) = (of.domain, of.init.clone(), of.sides.clone());
        let axes = self.tape.graph.axes(domain);
        match offset {
            Offset::By(by) => {
                let moves: Vec<Along> = axes.into_iter().zip(by).filter(|(_, k)| *k != 0).collect();
                match moves[..] {
                    [along] => self.give_ends(along, &init, &sides, y, g),
                    _ => self.give_outside(&moves, &init, &sides, y, g),
                }
            }
            // Every child that is a point is there.
            Offset::EachChild(_) => Ok(()),
            // Only the root, the last node, has no parent.
            Offset::FromEach(_) => self.give_end((self.tree_of(&axes)?, 1), 1, init[0], y, g),
            Offset::Child(_) | Offset::Parent(_) => {
                let tree = self.tree_of(&axes)?;
                self.give(init[0], y, |s| {
                    let there = s.is_there(tree, offset)?;
                    let zero = s.constant(0.0);
                    let absent = s.add(Op::Binary(Binary::Eq, there, zero))?;
                    s.add(Op::Select(absent, g, zero))
                })
            }
        }
    }

    /// A read along one axis crosses one side: its value takes all, or the initial values by distance.
    fn give_ends(&mut self, along: Along, init: &[NodeId], sides: &[Side], y: NodeId, g: NodeId) -> Step<()> {
        let (axis, offset) = along;
        let side = sides.iter().find(|s| (s.axis, s.after) == (axis, offset > 0));
        let values = match side {
            Some(side) => std::slice::from_ref(&side.value),
            None => init,
        };
        let reach = offset.unsigned_abs();
        for (k, value) in values.iter().enumerate() {
            // Value k is read from the point that is `reach − k` from the end it looks over, the last
            // value from all points nearer to that end, too.
            let is_last = k + 1 == values.len();
            let k = u32::try_from(k).unwrap_or(u32::MAX);
            if k >= reach || !self.is_active(*value) {
                continue;
            }
            let farthest = reach - k;
            let nearest = if is_last { 1 } else { farthest };
            if farthest - nearest < 4 {
                for distance in nearest..=farthest {
                    self.give_end(along, distance, *value, y, g)?;
                }
            } else {
                self.give(*value, y, |s| s.end_points(along, farthest, g))?;
            }
        }
        Ok(())
    }

    /// To `value` what `g` is at the points with this distance (from 1) from the end that a read along an axis looks over.
    fn give_end(&mut self, along: Along, distance: u32, value: NodeId, y: NodeId, g: NodeId) -> Step<()> {
        let rest = self.without(self.level(y), along.0)?;
        self.give_from(rest, value, y, |s| s.end_point(along, distance, g))
    }

    /// `g` at the point with this distance; 0 if there is none.
    fn end_point(&mut self, (axis, offset): Along, distance: u32, g: NodeId) -> Step<NodeId> {
        let shape = self.shape(g);
        let empty = self.zero(&shape);
        let domain = match self.level(g) {
            Level::Over(domain) if self.tape.graph.axes(domain).contains(&axis) => domain,
            _ => {
                let (length, needed) = (self.add(Op::Length(axis))?, self.constant(f64::from(distance)));
                return self.when(Binary::Le, needed, length, g);
            }
        };
        let id = if offset < 0 {
            let point = if distance == 1 { Point::First } else { Point::Fixed(distance) };
            self.add(Op::At { arg: g, axis, point, empty })?
        } else if distance == 1 {
            self.add(Op::At { arg: g, axis, point: Point::Last, empty })?
        } else {
            // From the end there is no fixed point: the last one looks back.
            let back = 1 - i32::try_from(distance).map_err(|_| errors::internal("an offset is too large"))?;
            let mut by = [0; crate::eqn::MAX_AXES];
            for (to, a) in by.iter_mut().zip(self.tape.graph.axes(domain)) {
                *to = if a == axis { back } else { 0 };
            }
            let state = self.hidden(format!("part{}_adj", g.0), domain, shape, g, empty);
            let lag = self.add(Op::Lag { state, offset: Offset::By(by) })?;
            self.tape.linear[lag.index()] = true;
            self.tape.movable.insert(lag);
            self.add(Op::At { arg: lag, axis, point: Point::Last, empty })?
        };
        self.tape.movable.insert(id);
        Ok(id)
    }

    /// `g` at all points up to this distance from that end, 0 elsewhere.
    fn end_points(&mut self, (axis, offset): Along, distance: u32, g: NodeId) -> Step<NodeId> {
        let (here, bound) = (self.add(Op::Position(axis))?, self.constant(f64::from(distance)));
        if offset < 0 {
            self.when(Binary::Le, here, bound, g)
        } else {
            let length = self.add(Op::Length(axis))?;
            let before = self.add(Op::Binary(Binary::Sub, length, bound))?;
            self.when(Binary::Lt, before, here, g)
        }
    }

    /// A read along several axes: where it crosses exactly one side that has a value, to that value; elsewhere outside
    /// to the initial value of the greatest distance.
    fn give_outside(
        &mut self,
        moves: &[Along],
        init: &[NodeId],
        sides: &[Side],
        y: NodeId,
        g: NodeId,
    ) -> Step<()> {
        let mut beyond = Vec::new();
        for along in moves {
            beyond.push(self.beyond(*along)?);
        }
        let (zero, one) = (self.constant(0.0), self.constant(1.0));
        let mut at_sides = Vec::new();
        for side in sides {
            let Some(crossed) = moves.iter().position(|m| (m.0, m.1 > 0) == (side.axis, side.after)) else {
                continue;
            };
            let mut only = self.add(Op::Binary(Binary::Le, one, beyond[crossed]))?;
            for (_, other) in beyond.iter().enumerate().filter(|(i, _)| *i != crossed) {
                let inside = self.add(Op::Binary(Binary::Le, *other, zero))?;
                only = self.add(Op::Binary(Binary::And, only, inside))?;
            }
            at_sides.push(only);
            self.give(side.value, y, |s| s.add(Op::Select(only, g, zero)))?;
        }
        let mut distance = beyond[0];
        for other in &beyond[1..] {
            distance = self.add(Op::Binary(Binary::Max, distance, *other))?;
        }
        let reach = moves.iter().map(|m| m.1.unsigned_abs()).max().unwrap_or(0);
        for (k, value) in init.iter().enumerate() {
            let is_last = k + 1 == init.len();
            let k = u32::try_from(k).unwrap_or(u32::MAX);
            if k >= reach || !self.is_active(*value) {
                continue;
            }
            let number = self.constant(f64::from(k + 1));
            let kind = if is_last { Binary::Le } else { Binary::Eq };
            let mut reads = self.add(Op::Binary(kind, number, distance))?;
            for at_side in &at_sides {
                let elsewhere = self.add(Op::Unary(Unary::Not, *at_side))?;
                reads = self.add(Op::Binary(Binary::And, reads, elsewhere))?;
            }
            self.give(*value, y, |s| s.add(Op::Select(reads, g, zero)))?;
        }
        Ok(())
    }

    /// How far a read leads beyond the end of an axis; at most 0 if it does not.
    fn beyond(&mut self, (axis, offset): Along) -> Step<NodeId> {
        let here = self.add(Op::Position(axis))?;
        if offset < 0 {
            let first = self.constant(1.0 - f64::from(offset));
            self.add(Op::Binary(Binary::Sub, first, here))
        } else {
            let (length, by) = (self.add(Op::Length(axis))?, self.constant(f64::from(offset)));
            let there = self.add(Op::Binary(Binary::Add, here, by))?;
            self.add(Op::Binary(Binary::Sub, there, length))
        }
    }

    /// 1 where a node of a tree has this neighbour, 0 elsewhere: a state that is 1 everywhere, read there.
    fn is_there(&mut self, tree: DomainId, offset: Offset) -> Step<NodeId> {
        let (zero, one) = (self.constant(0.0), self.constant(1.0));
        let state = self.hidden("there".into(), tree, Vec::new(), one, zero);
        self.add(Op::Lag { state, offset })
    }

    fn hidden(&mut self, name: String, domain: DomainId, shape: Shape, def: NodeId, init: NodeId) -> StateId {
        let name: Arc<str> = name.into();
        let (ty, def, init) = (Ty::Real, Some(def), vec![init]);
        self.tape.graph.state(State { name, domain, shape, ty, def, init, sides: Vec::new(), span: None })
    }

    fn tree_of(&self, axes: &[DomainId]) -> Step<DomainId> {
        let domains = &self.tape.graph.domains;
        let tree = axes.iter().find(|a| matches!(domains[a.index()].kind, DomainKind::Tree { .. }));
        Ok(*tree.ok_or_else(|| errors::internal("a child of what is no tree"))?)
    }
}
