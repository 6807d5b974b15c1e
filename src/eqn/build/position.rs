//! Positions of finished values: by number, from the first or the last point of an axis, or where an index runs.

use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::names::children;
use super::place::{PlaceKind, Source};
use super::space::Step;
use super::value::*;
use crate::eqn::{AxisMap, DomainId, Extent, NodeId, Op, Point};
use crate::resolve::text::pick;
use crate::source::Span;
use crate::syntax::ast::*;

/// A position that is known before the program runs, as far as it can be.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    FromFirst(i64),
    /// 0 is the last one.
    FromLast(i64),
}

impl<'l> Builder<'l> {
    /// The position a place counts to, if it is known: a number, or one written with the axis's length.
    pub(super) fn position_of(&mut self, place: &'l Place, axis: DomainId, env: &Env) -> R<Option<Counted>> {
        let Place::At(Set { lo, hi: None, .. }) = place else { return Ok(None) };
        if let Some(k) = self.number_of(lo, env)? {
            return Ok(Some(Counted::FromFirst(k)));
        }
        if !self.mentions_length(lo, axis, env) {
            return Ok(None);
        }
        let val = self.eval(lo, &env.of_dims())?;
        let rest = val.as_lengths().map(|e| e.plus(&Extent::of(axis).times(-1)));
        match rest.as_ref().map(|e| e.0.as_slice()) {
            Some([]) => Ok(Some(Counted::FromLast(0))),
            Some([(k, axes)]) if axes.is_empty() => Ok(Some(Counted::FromLast(*k))),
            _ => self.fail(errors::index_not_known(lo.span)),
        }
    }

    /// Whether an expression mentions the length of an axis.
    fn mentions_length(&self, e: &Expr, axis: DomainId, env: &Env) -> bool {
        if let ExprKind::Name(p) = &e.kind {
            let name = pick(p, 0);
            let f = self.frame(env.frame);
            let hidden = env.binder(&name).is_some() || f.text.get(&name).is_some();
            let known = match self.find_static(env.frame, env.layer, &name) {
                Some((_, StaticVal { slot: Slot::Known(val), .. })) => Some(val),
                Some(_) => None,
                None => f.free.get(&name),
            };
            return matches!(known, Some(Val::Extent(d)) if *d == axis) && !hidden;
        }
        children(e).into_iter().any(|c| self.mentions_length(c, axis, env))
    }

    /// The axes of a family over positions, in the order its equation has them, if there is a place for each.
    pub(super) fn written_axes(&self, source: Source<'_>, kinds: &[PlaceKind]) -> Option<Vec<DomainId>> {
        let (frame, name, _) = source?;
        let points = |set: &FamilySet| match set {
            FamilySet::Points(axis) => Some(*axis),
            _ => None,
        };
        let axes: Vec<DomainId> = self.frame(frame).sets.get(name)?.iter().filter_map(points).collect();
        (!axes.is_empty() && axes.len() == kinds.len()).then_some(axes)
    }

    /// The axes of a value that places are positions of: those it is whole along, and those that indices run over, also
    /// under another name.
    pub(super) fn position_axes(&self, node: NodeId, kinds: &[PlaceKind]) -> Option<Vec<DomainId>> {
        let whole = self.whole_axes(node);
        let read = |axis: DomainId| {
            kinds.iter().any(|k| match k {
                PlaceKind::Bound(d, _) | PlaceKind::Own(d, _) => *d == axis || self.is_copy(*d, axis),
                PlaceKind::Other => false,
            })
        };
        let axes: Vec<DomainId> =
            self.axes_of(node).into_iter().filter(|a| whole.contains(a) || read(*a)).collect();
        (axes.len() == kinds.len()).then_some(axes)
    }

    /// A value at positions of some of its axes, one place for each.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn absolute(
        &mut self,
        node: NodeId,
        axes: &[DomainId],
        kinds: &[PlaceKind],
        places: &'l [Place],
        source: Source<'_>,
        env: &Env,
        span: Span,
    ) -> R<NodeId> {
        if axes.len() != kinds.len() {
            let names: Vec<String> =
                axes.iter().map(|a| self.graph.domains[a.index()].extent.to_string()).collect();
            return self.fail(errors::positions_want_axes(&names, kinds.len(), span));
        }
        let known = self.axes_of(node);
        let (mut maps, mut fixed) = (Vec::new(), Vec::new());
        let other = |kind: &PlaceKind, axis: DomainId| match kind {
            PlaceKind::Bound(to, _) | PlaceKind::Own(to, _) => *to != axis,
            PlaceKind::Other => false,
        };
        let moved: Vec<DomainId> = axes
            .iter()
            .zip(kinds)
            .filter(|(axis, kind)| other(kind, **axis))
            .map(|(axis, _)| *axis)
            .collect();
        for ((axis, kind), place) in axes.iter().zip(kinds).zip(places) {
            if !known.contains(axis) {
                continue;
            }
            match kind {
                PlaceKind::Bound(to, 0) | PlaceKind::Own(to, 0) if to == axis => {}
                PlaceKind::Bound(to, k) | PlaceKind::Own(to, k) => {
                    let related = self.original(*to) == self.original(*axis);
                    // An axis that is exchanged for another is free.
                    if !related || (to != axis && known.contains(to) && !moved.contains(to)) {
                        let (p, q) = (self.extent_names(&[*axis]), self.extent_names(&[*to]));
                        return self.fail(errors::two_domains((&p, span), (&q, span), span));
                    }
                    maps.push(AxisMap { from: *axis, to: *to, start: Extent::constant(*k), step: 1 });
                }
                PlaceKind::Other => match self.position_of(place, *axis, env)? {
                    Some(k) => fixed.push((*axis, k)),
                    None => return self.fail(errors::index_not_known(span)),
                },
            }
        }
        let mut node = node;
        if !maps.is_empty() {
            node = self.add(Op::Remap { arg: node, maps }, span)?;
        }
        for (axis, k) in fixed {
            node = match k {
                Counted::FromFirst(k) => self.fixed_point(node, axis, k, source, span)?,
                Counted::FromLast(k) => self.end_point(node, axis, k, source, span)?,
            };
        }
        Ok(node)
    }

    /// The number an index is, if it is one already and no id.
    fn number_of(&mut self, e: &'l Expr, env: &Env) -> R<Option<i64>> {
        match &strip(e).kind {
            ExprKind::Number(..) | ExprKind::Binary { .. } => Ok(self.eval(e, &env.of_dims())?.as_int()),
            ExprKind::Name(p) => match env.binder(&pick(p, 0)) {
                Some(Bind::Int(n)) => Ok(Some(n)),
                Some(_) => Ok(None),
                None if self.lookup_is_static(&pick(p, 0), env) => Ok(self.eval(e, &env.of_dims())?.as_int()),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// A value `k` points from the last one; a point before it is read through a lag.
    fn end_point(
        &mut self,
        node: NodeId,
        axis: DomainId,
        k: i64,
        source: Source<'_>,
        span: Span,
    ) -> R<NodeId> {
        if k > 0 {
            return self.fail(errors::position_behind_last(k, span));
        }
        let node = match (k, source) {
            (0, _) => node,
            (_, Some((frame, name, index))) if self.own_axes(frame).contains(&axis) => {
                let val = self.read_lag(frame, name, index, &Step::chain(axis, k), span)?;
                self.force_node(val, span)?
            }
            // Of what is finished any point can be read.
            _ => {
                let map = AxisMap { from: axis, to: axis, start: Extent::constant(k), step: 1 };
                self.add(Op::Remap { arg: node, maps: vec![map] }, span)?
            }
        };
        let empty = self.empty_value(node, source, k.unsigned_abs() as usize, span)?;
        self.add(Op::At { arg: node, axis, point: Point::Last, empty }, span)
    }

    /// What stands for a point of an empty domain: the value of a state this far before it, else 0.
    fn empty_value(&mut self, node: NodeId, source: Source<'_>, before: usize, span: Span) -> R<NodeId> {
        let state = source.and_then(|(frame, name, index)| {
            self.frame(frame).states.get(&(name.clone(), index.to_vec())).copied()
        });
        let init = match state {
            Some(id) => self.init_nodes(id, span)?,
            None => Vec::new(),
        };
        match init.get(before.min(init.len().saturating_sub(1))) {
            Some(init) => Ok(*init),
            None => {
                let shape = self.graph.shape(node).clone();
                self.filled(0.0, &shape, span)
            }
        }
    }

    fn fixed_point(
        &mut self,
        node: NodeId,
        axis: DomainId,
        k: i64,
        source: Source<'_>,
        span: Span,
    ) -> R<NodeId> {
        let Some(k) = u32::try_from(k).ok().filter(|k| *k > 0) else {
            return self.fail(errors::position_from_one(k, span));
        };
        let empty = self.empty_value(node, source, 0, span)?;
        let point = if k == 1 { Point::First } else { Point::Fixed(k) };
        self.add(Op::At { arg: node, axis, point, empty }, span)
    }
}
