//! Brackets and dots: members of families, places of the domain, components, parts of an instance.
//!
//! A bracket after a family gives the member. Then a place is one that mentions the domain's variable, an
//! index over positions, or an edge; anything else is a component. In a cell whose chain names its length
//! (`chain(t in 1..T)`), and outside cells, a number is a position of what is over a domain, from its first
//! point, and `T`, `T-1` are positions from its last.

use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::mend;
use super::names::children;
use super::position::Counted;
use super::space::Step;
use super::value::*;
use crate::eqn::{DomainId, DomainKind};
use crate::resolve::text::{Kind, SideKey, pick};
use crate::source::Span;
use crate::syntax::ast::*;

/// A name that is not evaluated yet, so that it can be read elsewhere.
pub enum Ref<'l> {
    Def(FrameId, Name, Vec<i64>),
    Val(Val<'l>),
}

/// The name whose value is read.
pub(super) type Source<'a> = Option<(FrameId, &'a Name, &'a [i64])>;

/// What the expression in a bracket is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PlaceKind {
    /// Relative to this point, along an axis of its own.
    Own(DomainId, i64),
    /// Relative to the point of an axis that an index runs over.
    Bound(DomainId, i64),
    /// A number or a component.
    Other,
}

/// What stands before the dot in other languages, where here is none.
const FOREIGN_PREFIXES: [&str; 9] = ["torch", "np", "numpy", "nn", "F", "functional", "jnp", "tf", "self"];

impl<'l> Builder<'l> {
    pub fn eval_ref_value(&mut self, e: &'l Expr, env: &Env) -> R<Val<'l>> {
        let r = self.eval_ref(e, env)?;
        self.ref_value(r, e.span)
    }

    pub(super) fn ref_value(&mut self, r: Ref<'l>, span: Span) -> R<Val<'l>> {
        match r {
            Ref::Val(val) => Ok(val),
            Ref::Def(frame, name, index) => {
                if index.len() < self.arity(frame, &name)? {
                    return Ok(Val::Family(frame, name, index));
                }
                self.eval_def(frame, &name, &index, span)
            }
        }
    }

    pub fn eval_ref(&mut self, e: &'l Expr, env: &Env) -> R<Ref<'l>> {
        let before = std::mem::replace(&mut self.here, (env.frame, env.open.clone()));
        let result = self.nested(e.span, |b| b.eval_ref_here(e, env));
        self.here = before;
        result
    }

    fn eval_ref_here(&mut self, e: &'l Expr, env: &Env) -> R<Ref<'l>> {
        match &e.kind {
            ExprKind::Paren(inner) => self.eval_ref(inner, env),
            ExprKind::Name(p) => {
                let name = self.pattern_name(p, env)?;
                let is_def = env.binder(&name).is_none()
                    && env.side.as_deref().is_none_or(|s| *s == SideKey::Leaf)
                    && self.frame(env.frame).text.get(&name).is_some()
                    && !(env.dims_first && self.lookup_is_static(&name, env));
                if is_def {
                    return Ok(Ref::Def(env.frame, name, Vec::new()));
                }
                self.eval(e, env).map(Ref::Val)
            }
            ExprKind::Field { base, field } => {
                if let ExprKind::Name(p) = &strip(base).kind
                    && FOREIGN_PREFIXES.contains(&&*p.written)
                    && self.frame(env.frame).kind != FrameKind::Root
                    && self.lookup_quiet(&pick(p, 0), env).is_none()
                {
                    let prefix = Span { end: field.span.start, ..base.span };
                    return self.fail(errors::foreign_prefix(&p.written, base.span, prefix));
                }
                let val = self.eval(base, env)?;
                let name = self.pattern_name(field, env)?;
                self.field(val, base.span, (&name, field.span), env, e.span)
            }
            ExprKind::Index { base, places } => {
                let r = self.eval_ref(base, env)?;
                self.index(r, base, places, env, e.span)
            }
            _ => self.eval(e, env).map(Ref::Val),
        }
    }

    pub(super) fn lookup_is_static(&self, name: &Name, env: &Env) -> bool {
        self.find_static(env.frame, env.layer, name).is_some()
            || self.frame(env.frame).text.dims.contains_key(name)
    }

    pub(super) fn index(
        &mut self,
        r: Ref<'l>,
        base: &'l Expr,
        places: &'l [Place],
        env: &Env,
        span: Span,
    ) -> R<Ref<'l>> {
        let (frame, name, mut index) = match r {
            Ref::Def(frame, name, index) => (frame, name, index),
            Ref::Val(Val::Family(frame, name, index)) => (frame, name, index),
            Ref::Val(Val::List(items)) => return self.list_item(&items, places, env, span).map(Ref::Val),
            Ref::Val(val) if self.is_placed(base, env) => {
                return self.components(val, base.span, places, env, span).map(Ref::Val);
            }
            Ref::Val(_) if self.is_offset_at_side(places, env) => {
                return self.fail(errors::offset_at_side(span, Span { start: base.span.end, ..span }));
            }
            Ref::Val(val) => return self.read_value(val, base.span, None, places, env, span).map(Ref::Val),
        };
        let arity = self.arity(frame, &name)?;
        let missing = arity.saturating_sub(index.len());
        let sets = self.sets_of(frame, &name)?;
        let (members, places) = places.split_at(missing.min(places.len()));
        // What follows the members in one bracket are positions that the family runs along.
        if members.len() < missing || (missing > 0 && !places.is_empty() && sets.len() == arity) {
            return self.fail(errors::member_indices(&name, arity, members.len() + places.len(), span));
        }
        for place in members {
            index.push(self.member_index(&name, place, env, span)?);
        }
        if !places.is_empty() {
            return self.read_value_of(frame, name, index, base.span, places, env, span).map(Ref::Val);
        }
        match env.side {
            Some(_) => self.eval_side_or_value(frame, &name, &index, env, span).map(Ref::Val),
            None => Ok(Ref::Def(frame, name, index)),
        }
    }

    /// Whether a place in an `at` block is a step from there.
    fn is_offset_at_side(&self, places: &[Place], env: &Env) -> bool {
        let before = env.side.as_deref().is_some_and(|s| *s != SideKey::Leaf);
        let moves = |place: &Place| match place {
            Place::At(Set { lo, hi: None, .. }) => {
                matches!(self.mentions_point(lo, env), Some((_, _, false)))
            }
            _ => false,
        };
        before && places.iter().any(moves)
    }

    fn member_index(&mut self, name: &Name, place: &'l Place, env: &Env, span: Span) -> R<i64> {
        let Place::At(Set { lo, hi: None, .. }) = place else {
            return self.fail(errors::member_by_range(name, span));
        };
        if let Some(axis) = self.axis_as_index(lo, env) {
            return Ok(axis);
        }
        if let ExprKind::Name(p) = &strip(lo).kind
            && let Some(Bind::Position(_)) = env.binder(&pick(p, 0))
        {
            return self.fail(errors::member_by_position(name, &p.written, lo.span));
        }
        let val = self.eval(lo, &env.of_dims())?;
        match val {
            Val::Dim(d) => {
                self.want_number(&d);
                self.fail(errors::member_wants_number(name, &d.to_string(), lo.span))
            }
            val => match val.as_int() {
                Some(i) => Ok(i),
                None => self.fail(errors::member_wants_number(name, val.kind(), lo.span)),
            },
        }
    }

    /// The variable of an axis as an index over axes is that axis.
    pub fn axis_as_index(&self, e: &Expr, env: &Env) -> Option<i64> {
        let ExprKind::Name(p) = &strip(e).kind else { return None };
        let name = pick(p, 0);
        match env.binder(&name) {
            Some(_) => None,
            None => self.axis_number(env.frame, &name),
        }
    }

    fn list_item(&mut self, items: &[Val<'l>], places: &'l [Place], env: &Env, span: Span) -> R<Val<'l>> {
        let [Place::At(Set { lo, hi: None, .. })] = places else {
            return self.fail(errors::list_index(items.len(), span));
        };
        if let Some(axis) = self.axis_as_index(lo, env)
            && let Some(item) = usize::try_from(axis - 1).ok().and_then(|i| items.get(i))
        {
            return Ok(item.clone());
        }
        let val = self.eval(lo, &env.of_dims())?;
        let item = val.as_int().and_then(|i| usize::try_from(i - 1).ok()).and_then(|i| items.get(i));
        match item {
            Some(item) => Ok(item.clone()),
            None => self.fail(errors::list_index(items.len(), span)),
        }
    }

    /// What a place is, by the names it mentions.
    fn place_kind(&mut self, place: &'l Place, env: &Env, span: Span) -> R<PlaceKind> {
        let lo = match place {
            Place::At(Set { lo, hi: None, .. }) => lo,
            Place::At(_) => return Ok(PlaceKind::Other),
            Place::Prev(edge) | Place::Next(edge) => {
                return self.fail(errors::edge_stands_alone(&edge.written, edge.span));
            }
        };
        let Some((name, domain, bound)) = self.mentions_point(lo, env) else { return Ok(PlaceKind::Other) };
        let Some(domain) = domain else {
            let title = self.frame(env.frame).title.clone();
            let at = self.frame(env.frame).span;
            return self.no_chain(&title, at, span);
        };
        // The offset is what is left when the variable is 0; it must move with the variable.
        let at = |b: &mut Self, n: i64| {
            let env = env.clone().bind(&name, Bind::Int(n));
            b.eval(lo, &env.of_dims())
        };
        let (zero, one, two) = (at(self, 0)?, at(self, 1)?, at(self, 2)?);
        match constant_offset(&zero, &one, &two) {
            Some(k) => Ok(if bound { PlaceKind::Bound(domain, k) } else { PlaceKind::Own(domain, k) }),
            None => {
                if let Val::Dim(d) = &zero {
                    self.want_number(d);
                }
                self.fail(errors::offset_not_constant(&name, lo.span))
            }
        }
    }

    /// One step of a cell is at a point of whoever takes it, which may be of a grid or tree and has no chain: there a place
    /// is an offset from this point all the same.
    fn step_offset(&mut self, frame: FrameId, places: &'l [Place], env: &Env) -> R<Option<i64>> {
        let f = self.frame(frame);
        if f.prev.is_none() || frame != env.frame || !self.own_axes(frame).is_empty() {
            return Ok(None);
        }
        match places {
            [Place::Prev(e)] => Ok(self.axis_variable(frame, &e.name).map(|_| -1)),
            [Place::At(Set { lo, hi: None, .. })] => {
                let Some((name, None, false)) = self.mentions_point(lo, env) else { return Ok(None) };
                let at = |b: &mut Self, n: i64| {
                    let env = env.clone().bind(&name, Bind::Int(n));
                    b.eval(lo, &env.of_dims())
                };
                let (zero, one, two) = (at(self, 0)?, at(self, 1)?, at(self, 2)?);
                Ok(constant_offset(&zero, &one, &two))
            }
            _ => Ok(None),
        }
    }

    /// Where places lead along one edge: `prev d`, `next left`, `left`.
    fn edge_step(&mut self, places: &'l [Place], env: &Env, span: Span) -> R<Option<Step>> {
        let [place] = places else { return Ok(None) };
        let var = self.var_name(env.frame);
        let (name, written, back, at) = match place {
            Place::Prev(e) => (e.name.clone(), e.written.clone(), true, e.span),
            Place::Next(e) => (e.name.clone(), e.written.clone(), false, e.span),
            Place::At(Set { lo, hi: None, .. }) => {
                let ExprKind::Name(p) = &strip(lo).kind else { return Ok(None) };
                let name = pick(p, 0);
                if self.lookup_quiet(&name, env).is_some() {
                    return Ok(None);
                }
                match self.edge_number(env.frame, &name) {
                    Some(k) => return Ok(Some(Step::Child(k))),
                    None if matches!(&*name, "left" | "right") => {
                        let stands = var.as_ref().map(|var| format!("{var}-1"));
                        return self.fail(errors::no_edge(&p.written, var.as_deref(), lo.span, stands));
                    }
                    None => return Ok(None),
                }
            }
            Place::At(_) => return Ok(None),
        };
        let tree = self.header_kind(env.frame) == OverKind::Tree;
        let along = |axis: DomainId| Step::chain(axis, if back { -1 } else { 1 });
        let edge = |k: u32| if back { Step::Child(k) } else { Step::Parent(k) };
        match env.binder(&name) {
            Some(Bind::Along(..)) => return Err(Stop::NoAlong(span)),
            Some(Bind::Position(d))
                if matches!(self.graph.domains[d.index()].kind, DomainKind::Children { .. }) =>
            {
                return Ok(Some(if back { Step::EachChild(d) } else { Step::FromEach(d) }));
            }
            Some(Bind::Int(k)) => {
                let space = &self.frame(env.frame).space;
                let k = usize::try_from(k - 1).ok();
                let own = k.and_then(|k| space.axes.get(k)).map(|a| a.axis);
                let child = k.and_then(|k| u32::try_from(k).ok()).filter(|k| Some(*k) < space.arity);
                match (tree, own, child) {
                    (true, _, Some(k)) => return Ok(Some(edge(k))),
                    (false, Some(axis), _) => return Ok(Some(along(axis))),
                    _ => return self.fail(errors::no_edge(&written, var.as_deref(), at, None)),
                }
            }
            Some(Bind::Position(_)) => return self.fail(errors::no_edge(&written, var.as_deref(), at, None)),
            None => {}
        }
        match (self.axis_variable(env.frame, &name), self.edge_number(env.frame, &name)) {
            (Some(Some(axis)), _) => Ok(Some(along(axis))),
            (_, Some(k)) => Ok(Some(edge(k))),
            (Some(None), _) => {
                let title = self.frame(env.frame).title.clone();
                let applied = self.frame(env.frame).span;
                self.no_chain(&title, applied, span)
            }
            (None, None) => match self.header_kind(env.frame) {
                OverKind::Chain => {
                    let stands = var.as_ref().map(|var| var.to_string());
                    self.fail(errors::no_edge(&written, var.as_deref(), at, stands))
                }
                kind => self.fail(errors::no_such_edge(&written, kind, at)),
            },
        }
    }

    fn lookup_quiet(&self, name: &Name, env: &Env) -> Option<()> {
        let f = self.frame(env.frame);
        let known = env.binder(name).is_some()
            || f.text.get(name).is_some()
            || f.text.inputs.iter().any(|i| i.name.name == *name)
            || self.find_static(env.frame, env.layer, name).is_some()
            || f.free.contains_key(name)
            || f.text.dims.contains_key(name);
        known.then_some(())
    }

    /// The variable of an axis, or index over positions, that an expression mentions, its axis, and whether it is an index.
    fn mentions_point(&self, e: &Expr, env: &Env) -> Option<(Name, Option<DomainId>, bool)> {
        if let ExprKind::Name(p) = &e.kind {
            let name = pick(p, 0);
            if let Some(bind) = env.binder(&name) {
                return match bind {
                    Bind::Position(d) => Some((name, Some(d), true)),
                    _ => None,
                };
            }
            let f = self.frame(env.frame);
            let hidden =
                f.text.get(&name).is_some() || self.find_static(env.frame, env.layer, &name).is_some();
            let axis = self.axis_variable(env.frame, &name).filter(|_| !hidden)?;
            return Some((name, axis, false));
        }
        // What is read at another point has a place of its own: `table[w[t-1]]` is a row at this one.
        if let ExprKind::Index { .. } = &e.kind {
            return None;
        }
        children(e).into_iter().find_map(|c| self.mentions_point(c, env))
    }

    /// A name with all its indices, and then brackets.
    #[allow(clippy::too_many_arguments)]
    fn read_value_of(
        &mut self,
        frame: FrameId,
        name: Name,
        index: Vec<i64>,
        base: Span,
        places: &'l [Place],
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        if let Some(offset) = self.step_offset(frame, places, env)? {
            return match offset {
                0 => self.eval_def(frame, &name, &index, span),
                offset => self.read_predecessor(frame, &name, &index, Some(offset), span),
            };
        }
        let before = env.side.as_deref().is_some_and(|s| *s != SideKey::Leaf);
        if let Some(step) = self.edge_step(places, env, span)? {
            if before {
                return self.fail(errors::offset_at_side(span, Span { start: base.end, ..span }));
            }
            return self.read_lag(frame, &name, &index, &step, span);
        }
        let kinds = places.iter().map(|p| self.place_kind(p, env, span)).collect::<R<Vec<_>>>()?;
        if kinds.iter().all(|k| *k == PlaceKind::Other) {
            if env.side.is_some() {
                let val = self.eval_side_or_value(frame, &name, &index, env, span)?;
                return self.read_value(val, base, None, places, env, span);
            }
            self.known_variables(places, env)?;
            let val = self.eval_def(frame, &name, &index, span)?;
            return self.read_value(val, base, Some((frame, &name, &index)), places, env, span);
        }
        if before {
            return self.fail(errors::offset_at_side(span, Span { start: base.end, ..span }));
        }
        let own = self.own_axes(env.frame);
        let relative = kinds.iter().all(|k| matches!(k, PlaceKind::Own(..)));
        if relative && !self.is_whole_input(frame, &name) {
            let step = self.own_step(&own, &kinds, places, env, span)?;
            if step.is_zero() {
                return self.eval_def(frame, &name, &index, span);
            }
            return self.read_lag(frame, &name, &index, &step, span);
        }
        let key = (name.clone(), index.clone());
        if matches!(self.frame(frame).memo.get(&key), Some(Memo::Busy)) {
            return self.fail(errors::read_before_known(&name, Some(span)));
        }
        // A state or input is read at an offset first, and then at the positions.
        let is_lagged = self
            .frame(frame)
            .text
            .get(&name)
            .and_then(|e| e.declared.as_ref())
            .is_some_and(|d| matches!(d.kind, Kind::State | Kind::In));
        let offsets = |k: &PlaceKind| match k {
            PlaceKind::Own(_, k) | PlaceKind::Bound(_, k) => *k,
            PlaceKind::Other => 0,
        };
        let axes = self.own_axes(frame);
        if kinds.iter().any(|k| offsets(k) != 0)
            && is_lagged
            && !self.is_whole_input(frame, &name)
            && axes.len() == kinds.len()
        {
            let by: Vec<(DomainId, i64)> = axes.iter().copied().zip(kinds.iter().map(offsets)).collect();
            let val = self.read_lag(frame, &name, &index, &Step::By(by), span)?;
            let still: Vec<PlaceKind> = kinds
                .iter()
                .map(|k| match k {
                    PlaceKind::Own(d, _) => PlaceKind::Own(*d, 0),
                    PlaceKind::Bound(d, _) => PlaceKind::Bound(*d, 0),
                    PlaceKind::Other => PlaceKind::Other,
                })
                .collect();
            let node = self.force_node(val, span)?;
            return self.absolute(node, &axes, &still, places, None, env, span).map(Val::node);
        }
        let val = self.eval_def(frame, &name, &index, span)?;
        self.read_value(val, base, Some((frame, &name, &index)), places, env, span)
    }

    /// Refuses an offset from a variable that this domain does not have.
    fn known_variables(&mut self, places: &'l [Place], env: &Env) -> R<()> {
        for place in places {
            let Place::At(Set { lo, hi: None, .. }) = place else { continue };
            let ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Sub, left, .. } = &strip(lo).kind else {
                continue;
            };
            let ExprKind::Name(p) = &strip(left).kind else { continue };
            let name = pick(p, 0);
            if self.lookup_quiet(&name, env).is_none() && self.header(env.frame).is_some() {
                let title = self.frame(env.frame).title.clone();
                return self.fail(errors::no_such_axis(&p.written, &title, left.span));
            }
        }
        Ok(())
    }

    /// Whether a name is an input that holds a whole sequence at each point.
    fn is_whole_input(&self, frame: FrameId, name: &str) -> bool {
        let entry = self.frame(frame).text.get(name);
        let ty = entry.and_then(|e| e.declared.as_ref()).and_then(|d| d.ty);
        matches!(ty.map(|t| &t.kind), Some(TypeKind::Domain { .. }))
    }

    /// Places that all are relative to this point: one for each axis, in their order.
    fn own_step(
        &mut self,
        own: &[DomainId],
        kinds: &[PlaceKind],
        places: &[Place],
        env: &Env,
        span: Span,
    ) -> R<Step> {
        let found: Vec<(DomainId, i64)> = kinds
            .iter()
            .filter_map(|k| match k {
                PlaceKind::Own(d, k) => Some((*d, *k)),
                _ => None,
            })
            .collect();
        if found.iter().map(|(d, _)| *d).ne(own.iter().copied()) {
            let names: Vec<String> =
                self.header_axes(env.frame).iter().map(|a| a.name.written.to_string()).collect();
            let all =
                mend::in_order(own, &names, &found).zip(mend::places_span(places)).map(|(new, at)| (at, new));
            return self.fail(errors::place_wants_axes(&names, found.len(), span, all));
        }
        Ok(Step::By(found))
    }

    fn eval_side_or_value(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &[i64],
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        let side = env.side.clone().filter(|_| env.frame == frame);
        if let Some(side) = side
            && self.has_side(frame, &side, name)
            && let Some(val) = self.eval_side(frame, &side, name, index, span)?
        {
            return Ok(val);
        }
        self.eval_def(frame, name, index, span)
    }

    /// Brackets after a value: a point of a sequence, or components.
    fn read_value(
        &mut self,
        val: Val<'l>,
        base: Span,
        source: Source<'_>,
        places: &'l [Place],
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        let step = self.edge_step(places, env, span)?;
        let kinds = match step {
            Some(_) => Vec::new(),
            None => places.iter().map(|p| self.place_kind(p, env, span)).collect::<R<Vec<_>>>()?,
        };
        let relative = !kinds.is_empty() && kinds.iter().all(|k| matches!(k, PlaceKind::Own(..)));
        if step.is_some() || (relative && matches!(val, Val::Instance(_))) {
            let step = match step {
                Some(step) => step,
                None => {
                    let own = self.own_axes(env.frame);
                    self.own_step(&own, &kinds, places, env, span)?
                }
            };
            if step.is_zero() {
                return Ok(val);
            }
            // The first output of an application may be a state.
            if let Val::Instance(inner) = val
                && let Some((frame, name, index)) = self.first_out_name(inner)?
            {
                return self.read_lag(frame, &name, &index, &step, span);
            }
            return self.fail(errors::not_a_state_value(span));
        }
        let arr = self.force(val, base)?;
        let whole = self.whole_axes(arr.node);
        let positions = kinds.iter().any(|k| *k != PlaceKind::Other);
        if arr.along != 0 && positions {
            return Err(Stop::NoAlong(span));
        }
        let f = self.frame(env.frame);
        let numbers = f.kind != FrameKind::Fn && (!whole.is_empty() || f.space.named_extent);
        let has_whole = !whole.is_empty();
        let axes = if has_whole { whole } else { self.own_axes(env.frame) };
        let axes = match self.written_axes(source, &kinds) {
            Some(written) => written,
            None if positions => self.position_axes(arr.node, &kinds).unwrap_or(axes),
            None => axes,
        };
        let runs = |p: &Place| match p {
            Place::At(Set { lo, hi: None, .. }) => match &strip(lo).kind {
                ExprKind::Name(p) => matches!(env.binder(&pick(p, 0)), Some(Bind::Along(..))),
                _ => false,
            },
            _ => false,
        };
        if numbers && has_whole && axes.len() == places.len() && places.iter().any(runs) {
            // Positions are read one by one.
            return Err(Stop::NoAlong(span));
        }
        let known = self.axes_of(arr.node);
        let mut all_numbers = arr.along == 0
            && !positions
            && axes.len() == places.len()
            && axes.iter().any(|a| known.contains(a));
        for (place, axis) in places.iter().zip(&axes) {
            all_numbers = all_numbers
                && match self.position_of(place, *axis, env)? {
                    Some(Counted::FromFirst(_)) => numbers,
                    Some(Counted::FromLast(_)) => true,
                    None => false,
                };
        }
        if positions || all_numbers {
            return self.absolute(arr.node, &axes, &kinds, places, source, env, span).map(Val::node);
        }
        self.components(Val::Arr(arr), base, places, env, span)
    }

    /// Whether an expression has a place of the domain; what follows are components.
    fn is_placed(&self, e: &Expr, env: &Env) -> bool {
        match &strip(e).kind {
            ExprKind::Index { base, places } => {
                let is_place = |place: &Place| match place {
                    Place::Prev(_) | Place::Next(_) => true,
                    Place::At(set) => self.mentions_point(&set.lo, env).is_some(),
                };
                places.iter().any(is_place) || self.is_placed(base, env)
            }
            _ => false,
        }
    }
}

/// What is left of a place when its variable is 0, if the place moves with the variable.
fn constant_offset(zero: &Val<'_>, one: &Val<'_>, two: &Val<'_>) -> Option<i64> {
    match (zero.as_int(), one.as_int(), two.as_int()) {
        (Some(k), Some(k1), Some(k2)) if k.checked_add(1) == Some(k1) && k.checked_add(2) == Some(k2) => {
            Some(k)
        }
        _ => None,
    }
}
