//! Operations that read other points than their own: sums over points, single points, shifts, other axes.

use super::writer::{Elem, Name, Val, int};
use super::{Done, Exporter};
use crate::eqn::{AxisMap, DomainId, Fold, Level, NodeId, Offset, Op, Point, StateId};

impl Exporter<'_> {
    pub(super) fn whole(&mut self, id: NodeId) -> Done<Val> {
        let graph = self.graph;
        let node = graph.node(id);
        match &node.op {
            Op::SumOver(arg) => self.folded(id, Fold::Sum, *arg),
            Op::FoldOver { fold, arg } => self.folded(id, *fold, *arg),
            Op::At { arg, axis, point, empty } => self.at(id, *arg, *axis, *point, *empty),
            Op::Remap { arg, maps } => {
                if let (Some(v), [map]) = (self.turned.get(arg), maps.as_slice())
                    && map.is_reverse()
                    && v.axes == [map.from]
                {
                    return Ok(self.writer.read(v.clone()));
                }
                let mut v = self.value(*arg)?;
                for map in maps {
                    v = self.remapped(v, map);
                }
                Ok(self.sorted(v))
            }
            Op::Flatten { arg, grid, line, back } => self.flattened(id, *arg, (grid, *line, *back)),
            Op::Points { parts, axis } => self.points(parts, *axis),
            _ => Err(self.refused(id, "it reads no other points")),
        }
    }

    /// Over the axes that are left out, and over examples where nothing is left of them.
    fn folded(&mut self, id: NodeId, fold: Fold, arg: NodeId) -> Done<Val> {
        let (from, to) = (self.graph.level(arg), self.graph.level(id));
        let keep = self.graph.axes_of(to);
        let v = self.value(arg)?;
        // The axes of loops around this are one point here.
        let around = self.writer.around();
        let axes: Vec<DomainId> =
            self.graph.axes_of(from).into_iter().filter(|a| !around.contains(a)).collect();
        let own = self.own(arg)?;
        let v = self.expanded(&v, &axes, true, &own);
        let dropped: Vec<DomainId> = axes.iter().copied().filter(|a| !keep.contains(a)).collect();
        let v = self.masked(v, &dropped, fold.empty());
        let mut places: Vec<i64> = dropped.iter().filter_map(|a| v.place(*a)).map(|i| i as i64).collect();
        let all = to == Level::Shared;
        if all {
            places.push(axes.len() as i64);
        }
        let hint = self.graph.node(id).name.as_deref();
        let name = self.reduced(fold, &v, &places, hint);
        let axes = axes.into_iter().filter(|a| keep.contains(a)).collect();
        Ok(Val { name, axes, batch: !all, ..v })
    }

    fn at(&mut self, id: NodeId, arg: NodeId, axis: DomainId, point: Point, empty: NodeId) -> Done<Val> {
        if let Some((backwards, boundary, last)) = self.finals.get(&(arg, axis)).cloned() {
            let wanted = if backwards { Point::First } else { Point::Last };
            if boundary == empty && point == wanted {
                return Ok(self.writer.read(last));
            }
        }
        let mut v = self.value(arg)?;
        if v.place(axis).is_none() {
            let mut axes = v.axes.clone();
            axes.insert(axes.iter().filter(|a| **a < axis).count(), axis);
            let own = self.own(arg)?;
            v = self.expanded(&v, &axes, v.batch, &own);
        }
        let place = v.place(axis).unwrap_or(0);
        let picked = |e: &mut Self, index: &Name| {
            let name = e.writer.emit("Gather", &[&v.name, index], vec![int("axis", place as i64)]);
            let mut axes = v.axes.clone();
            axes.remove(place);
            Val { name, axes, ..v.clone() }
        };
        let length = self.length_value(axis);
        let ty = v.ty;
        if !self.is_ragged(axis) && point != Point::Last && point != Point::First {
            // Perhaps there are not so many.
            let Point::Fixed(k) = point else { return Err(self.refused(id, "no such point")) };
            let (want, one) = (self.writer.long(i64::from(k) - 1), self.writer.long(1));
            let last = self.writer.emit("Sub", &[&length.name, &one], Vec::new());
            let index = self.writer.emit("Min", &[&want, &last], Vec::new());
            let found = picked(self, &index);
            let inside = self.pairwise("Less", &self.whole_number(&want), &length, Elem::Bool);
            let empty = self.value(empty)?;
            let empty = self.as_type(empty, ty);
            return Ok(self.elementwise("Where", &[&inside, &found, &empty], ty, None));
        }
        if !self.is_ragged(axis) {
            let index = self.writer.long(if point == Point::Last { -1 } else { 0 });
            return Ok(picked(self, &index));
        }
        // Each example's own point: all others are 0 in a sum.
        let wanted = match point {
            Point::Last => length.clone(),
            Point::First => self.filler(1.0, Elem::Id),
            Point::Fixed(k) => self.filler(f64::from(k), Elem::Id),
        };
        let positions = self.positions(axis);
        let here = self.pairwise("Equal", &positions, &wanted, Elem::Bool);
        let here = self.writer.read(here);
        let as_sum = if ty == Elem::Bool { Elem::Id } else { ty };
        let whole = self.as_type(v, as_sum);
        let zero = self.filler(0.0, as_sum);
        let only = self.elementwise("Where", &[&here, &whole, &zero], as_sum, None);
        let at = only.place(axis).unwrap_or(0);
        let name = self.reduced(Fold::Sum, &only, &[at as i64], None);
        let mut axes = only.axes.clone();
        axes.remove(at);
        let found = Val { name, axes, ..only };
        let found = self.as_type(found, ty);
        let inside = self.pairwise("LessOrEqual", &wanted, &length, Elem::Bool);
        let one = self.filler(1.0, Elem::Id);
        let exists = self.pairwise("LessOrEqual", &one, &wanted, Elem::Bool);
        let inside = self.pairwise("And", &inside, &exists, Elem::Bool);
        let empty = self.value(empty)?;
        let empty = self.as_type(empty, ty);
        Ok(self.elementwise("Where", &[&inside, &found, &empty], ty, None))
    }

    fn whole_number(&self, name: &Name) -> Val {
        Val { name: name.clone(), axes: Vec::new(), batch: false, rank: 0, ty: Elem::Id }
    }

    /// Point `start + step * p` of one axis for each p of another.
    fn remapped(&mut self, v: Val, map: &AxisMap) -> Val {
        let Some(place) = v.place(map.from) else { return v };
        if map.is_reverse() && (!self.is_ragged(map.from) || v.batch && v.axes.len() == 1) {
            return self.reversed(&v, map.from);
        }
        // Positions from 1, then indices from 0.
        let start = self.formula(&map.start, Exporter::length);
        let per_example = map.start.axes().any(|a| self.is_ragged(a));
        let start = match per_example {
            true => Val { name: start, axes: Vec::new(), batch: true, rank: 0, ty: Elem::Id },
            false => {
                let start = self.writer.squeeze(&start, &[0]);
                self.whole_number(&start)
            }
        };
        let to = self.positions(map.to);
        let op = if map.step < 0 { "Sub" } else { "Add" };
        let read = self.pairwise(op, &start, &to, Elem::Id);
        let (zero, one) = (self.filler(0.0, Elem::Id), self.filler(1.0, Elem::Id));
        let index = self.pairwise("Sub", &read, &one, Elem::Id);
        let length = self.length_value(map.from);
        let above = self.pairwise("LessOrEqual", &one, &read, Elem::Bool);
        let below = self.pairwise("LessOrEqual", &read, &length, Elem::Bool);
        let inside = self.pairwise("And", &above, &below, Elem::Bool);
        let index = self.elementwise("Where", &[&inside, &index, &zero], Elem::Id, None);
        let mut axes = v.axes.clone();
        axes[place] = map.to;
        let name = match index.batch {
            false => self.writer.emit("Gather", &[&v.name, &index.name], vec![int("axis", place as i64)]),
            true => {
                let whole = self.expanded(&v, &v.axes.clone(), true, &vec![1; v.rank]);
                let index = self.spread_like(&index, &whole, &axes);
                self.writer.emit("GatherElements", &[&whole.name, &index], vec![int("axis", place as i64)])
            }
        };
        let batch = v.batch || index.batch;
        let found = Val { name, axes, batch, ..v };
        // Axes may be out of order until the end; a mask is over one of them.
        let mut sorted = self.sorted(found);
        let nothing = self.filler(0.0, sorted.ty);
        let ty = sorted.ty;
        let inside = self.writer.read(inside);
        sorted = self.elementwise("Where", &[&inside, &sorted, &nothing], ty, None);
        sorted
    }

    /// From each example's last point to its first; over this axis alone where examples have lengths.
    pub(super) fn reversed(&mut self, v: &Val, axis: DomainId) -> Val {
        if self.is_ragged(axis) {
            let lengths = self.length(axis);
            let attributes = vec![int("batch_axis", 1), int("time_axis", 0)];
            return v.named(self.writer.emit("ReverseSequence", &[&v.name, &lengths], attributes));
        }
        let place = v.place(axis).unwrap_or(0) as i64;
        let (start, end) = (self.writer.list(&[-1]), self.writer.list(&[i64::MIN]));
        let (place, step) = (self.writer.list(&[place]), self.writer.list(&[-1]));
        v.named(self.writer.emit("Slice", &[&v.name, &start, &end, &place, &step], Vec::new()))
    }

    /// An index for each element of `whole`, but along `axes`.
    fn spread_like(&mut self, index: &Val, whole: &Val, axes: &[DomainId]) -> Name {
        let aligned = self.aligned(index, axes, true, 0);
        let behind: Vec<i64> = (1..=whole.rank as i64).map(|k| -k).collect();
        let aligned = if behind.is_empty() { aligned } else { self.writer.unsqueeze(&aligned, &behind) };
        let mut parts: Vec<Name> = axes.iter().map(|a| self.extent(*a)).collect();
        let rest = int("start", axes.len() as i64);
        parts.push(self.writer.emit("Shape", &[&whole.name], vec![rest]));
        let parts: Vec<&Name> = parts.iter().collect();
        let shape = self.writer.emit("Concat", &parts, vec![int("axis", 0)]);
        self.writer.emit("Expand", &[&aligned, &shape], Vec::new())
    }

    fn flattened(&mut self, id: NodeId, arg: NodeId, to: (&[DomainId], DomainId, bool)) -> Done<Val> {
        let (grid, line, back) = to;
        if grid.iter().chain([&line]).any(|a| self.is_ragged(*a)) {
            return Err(self.refused(id, "points of a grid cannot be numbered where examples have lengths"));
        }
        let v = self.value(arg)?;
        let own = self.own(arg)?;
        let (mut axes, from, into) = match back {
            true => (v.axes.clone(), &[line][..], grid),
            false => (v.axes.clone(), grid, &[line][..]),
        };
        axes.retain(|a| !from.contains(a));
        // The axes that are replaced go last.
        let order: Vec<DomainId> = axes.iter().chain(from).copied().collect();
        let mut full = order.clone();
        full.sort();
        let v = self.expanded(&v, &full, v.batch, &own);
        let places = order.iter().filter_map(|a| v.place(*a));
        let perm: Vec<i64> = places.chain(order.len()..v.lead() + v.rank).map(|i| i as i64).collect();
        let turned = self.writer.emit("Transpose", &[&v.name], vec![super::writer::ints("perm", perm)]);
        let mut parts: Vec<Name> = axes.iter().chain(into).map(|a| self.extent(*a)).collect();
        parts.push(self.writer.emit("Shape", &[&turned], vec![int("start", order.len() as i64)]));
        let parts: Vec<&Name> = parts.iter().collect();
        let shape = self.writer.emit("Concat", &parts, vec![int("axis", 0)]);
        let name = self.writer.emit("Reshape", &[&turned, &shape], Vec::new());
        let axes = axes.iter().chain(into).copied().collect();
        Ok(self.sorted(Val { name, axes, ..v }))
    }

    fn points(&mut self, parts: &[NodeId], axis: DomainId) -> Done<Val> {
        let mut values = Vec::new();
        for part in parts {
            values.push(self.value(*part)?);
        }
        let (mut axes, batch, rank) = super::axes::joined(&values.iter().collect::<Vec<_>>());
        let place = axes.iter().filter(|a| **a < axis).count();
        let mut names = Vec::new();
        for (part, v) in parts.iter().zip(&values) {
            let own = self.own(*part)?;
            let full = self.expanded(v, &axes, batch, &own);
            names.push(self.writer.unsqueeze(&full.name, &[place as i64]));
        }
        let names: Vec<&Name> = names.iter().collect();
        let name = self.writer.emit("Concat", &names, vec![int("axis", place as i64)]);
        axes.insert(place, axis);
        Ok(Val { name, axes, batch, rank, ty: values[0].ty })
    }

    /// A lag of what is computed already.
    pub(super) fn shifted(&mut self, id: NodeId, state: StateId, offset: Offset) -> Done<Val> {
        let moves = self.moves(id, state, offset)?;
        let graph = self.graph;
        let def =
            graph.states[state.index()].def.ok_or_else(|| self.refused(id, "a state has no definition"))?;
        let v = self.value(def)?;
        self.moved(id, v, state, &moves)
    }

    /// How far along which axes.
    pub(super) fn moves(&self, id: NodeId, state: StateId, offset: Offset) -> Done<Vec<(DomainId, i32)>> {
        let Offset::By(by) = offset else {
            return Err(self.refused(id, "it reads along the edges of a tree"));
        };
        let axes = self.graph.axes(self.graph.states[state.index()].domain);
        Ok(axes.into_iter().zip(by).filter(|(_, k)| *k != 0).collect())
    }

    /// A value at other points, with the state's boundary outside.
    pub(super) fn moved(
        &mut self,
        id: NodeId,
        v: Val,
        state: StateId,
        moves: &[(DomainId, i32)],
    ) -> Done<Val> {
        let of = &self.graph.states[state.index()];
        if moves.len() > 1 && !(of.sides.is_empty() && of.init.len() == 1) {
            return Err(self.refused(id, "it reads across a corner, with boundaries that differ"));
        }
        // Along every axis that is not a loop's, in full.
        let around = self.writer.around();
        let axes: Vec<DomainId> =
            self.graph.axes(of.domain).into_iter().filter(|a| !around.contains(a)).collect();
        let own: Vec<i64> = of.shape.iter().filter_map(|d| d.as_constant()).collect();
        let mut v = self.expanded(&v, &axes, true, &own);
        for (axis, by) in moves {
            v = self.moved_along(v, state, *axis, *by, &own)?;
        }
        Ok(v)
    }

    fn moved_along(&mut self, v: Val, state: StateId, axis: DomainId, by: i32, own: &[i64]) -> Done<Val> {
        let Some(place) = v.place(axis) else { return Ok(v) };
        let distance = by.unsigned_abs();
        let mut rows: Vec<Name> = Vec::new();
        let rest: Vec<DomainId> = v.axes.iter().copied().filter(|a| *a != axis).collect();
        for k in 1..=distance {
            let value = self.boundary(state, axis, by > 0, k, v.ty)?;
            let value = self.expanded(&value, &rest, true, own);
            rows.push(self.writer.unsqueeze(&value.name, &[place as i64]));
        }
        let (start, end) = match by < 0 {
            true => {
                // The farthest comes first.
                rows.reverse();
                rows.push(v.name.clone());
                (self.writer.list(&[0]), self.extent(axis))
            }
            false => {
                rows.insert(0, v.name.clone());
                (self.writer.list(&[i64::from(by)]), self.writer.list(&[i64::MAX]))
            }
        };
        let rows: Vec<&Name> = rows.iter().collect();
        let joined = self.writer.emit("Concat", &rows, vec![int("axis", place as i64)]);
        let mut moved = v.named(self.writer.cut(&joined, place, &start, &end));
        if by < 0 || !self.is_ragged(axis) {
            return Ok(moved);
        }
        // An example may end before the array does.
        for k in 1..=distance {
            let (positions, length) = (self.positions(axis), self.length_value(axis));
            let ahead = self.filler(f64::from(distance) - f64::from(k), Elem::Id);
            let there = self.pairwise("Add", &positions, &ahead, Elem::Id);
            // At this distance, or (the farthest, last) beyond.
            let inside = self.pairwise("Less", &there, &length, Elem::Bool);
            let inside = self.writer.read(inside);
            let value = self.boundary(state, axis, true, k, moved.ty)?;
            let ty = moved.ty;
            moved = self.elementwise("Where", &[&inside, &moved, &value], ty, None);
        }
        Ok(moved)
    }

    /// What a state is so many points outside.
    pub(super) fn boundary(
        &mut self,
        state: StateId,
        axis: DomainId,
        after: bool,
        distance: u32,
        ty: Elem,
    ) -> Done<Val> {
        let node = self.boundary_node(state, axis, after, distance);
        let v = self.value(node)?;
        Ok(self.as_type(v, ty))
    }

    pub(super) fn boundary_node(&self, state: StateId, axis: DomainId, after: bool, distance: u32) -> NodeId {
        let state = &self.graph.states[state.index()];
        match state.sides.iter().find(|s| s.axis == axis && s.after == after) {
            Some(side) => side.value,
            None => state.init[(distance as usize).min(state.init.len()) - 1],
        }
    }
}
