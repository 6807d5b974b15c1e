//! Brackets and dots: members of families, places of the domain, components, parts of an instance.
//!
//! A bracket after a family gives the member. Then a place is one that mentions the domain's variable, an
//! index over positions, or an edge; anything else is a component. In a cell whose chain names its length
//! (`chain(t in 1..T)`), and outside cells, a number is a position of what is over a domain, from its first
//! point, and `T`, `T-1` are positions from its last.

use super::apply::Origin;
use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::names::children;
use super::value::*;
use crate::eqn::{DomainId, Level, NodeId, Op, Point, Ty};
use crate::resolve::text::{Kind, pick};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::*;

/// A name that is not evaluated yet, so that it can be read elsewhere.
pub enum Ref<'l> {
    Def(FrameId, Name, Vec<i64>),
    Val(Val<'l>),
}

/// What the expression in a bracket is.
enum PlaceKind {
    /// Relative to this point, or to the point an index runs over.
    Offset(DomainId, i64),
    Component,
}

impl<'l> Builder<'l> {
    pub fn eval_ref_value(&mut self, e: &'l Expr, env: &Env) -> R<Val<'l>> {
        let r = self.eval_ref(e, env)?;
        self.ref_value(r, e.span)
    }

    fn ref_value(&mut self, r: Ref<'l>, span: Span) -> R<Val<'l>> {
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
        self.nested(e.span, |b| b.eval_ref_here(e, env))
    }

    fn eval_ref_here(&mut self, e: &'l Expr, env: &Env) -> R<Ref<'l>> {
        match &e.kind {
            ExprKind::Paren(inner) => self.eval_ref(inner, env),
            ExprKind::Name(p) => {
                let name = self.pattern_name(p, env)?;
                let is_def = env.binder(&name).is_none()
                    && !env.at_side
                    && self.frame(env.frame).text.get(&name).is_some()
                    && !(env.dims_first && self.lookup_is_static(&name, env));
                if is_def {
                    return Ok(Ref::Def(env.frame, name, Vec::new()));
                }
                self.eval(e, env).map(Ref::Val)
            }
            ExprKind::Field { base, field } => {
                let val = self.eval(base, env)?;
                let name = self.pattern_name(field, env)?;
                self.field(val, base.span, &name, env, e.span)
            }
            ExprKind::Index { base, places } => {
                let r = self.eval_ref(base, env)?;
                self.index(r, base, places, env, e.span)
            }
            _ => self.eval(e, env).map(Ref::Val),
        }
    }

    fn lookup_is_static(&self, name: &Name, env: &Env) -> bool {
        self.find_static(env.frame, env.layer, name).is_some()
            || self.frame(env.frame).text.dims.contains_key(name)
    }

    fn index(
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
            Ref::Val(val) => return self.read_value(val, base.span, None, places, env, span).map(Ref::Val),
        };
        let arity = self.arity(frame, &name)?;
        if index.len() < arity {
            if places.len() != arity - index.len() {
                return self.fail(errors::member_indices(&name, arity, places.len(), span));
            }
            for place in places {
                index.push(self.member_index(&name, place, env, span)?);
            }
            return Ok(Ref::Def(frame, name, index));
        }
        self.read_value_of(frame, name, index, base.span, places, env, span).map(Ref::Val)
    }

    fn member_index(&mut self, name: &Name, place: &'l Place, env: &Env, span: Span) -> R<i64> {
        let Place::At(Set { lo, hi: None, .. }) = place else {
            return self.fail(errors::member_by_range(name, span));
        };
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

    fn list_item(&mut self, items: &[Val<'l>], places: &'l [Place], env: &Env, span: Span) -> R<Val<'l>> {
        let [Place::At(Set { lo, hi: None, .. })] = places else {
            return self.fail(errors::list_index(items.len(), span));
        };
        let val = self.eval(lo, &env.of_dims())?;
        let item = val.as_int().and_then(|i| usize::try_from(i - 1).ok()).and_then(|i| items.get(i));
        match item {
            Some(item) => Ok(item.clone()),
            None => self.fail(errors::list_index(items.len(), span)),
        }
    }

    /// What a place is, by the names it mentions.
    fn place_kind(&mut self, place: &'l Place, env: &Env, span: Span) -> R<PlaceKind> {
        let (var, own) = (self.frame(env.frame).var.clone(), self.frame(env.frame).domain);
        match place {
            Place::Prev(edge) | Place::Next(edge) => {
                let step = if matches!(place, Place::Prev(_)) { -1 } else { 1 };
                match (own, var) {
                    (Some(d), Some(var)) if var == edge.name => Ok(PlaceKind::Offset(d, step)),
                    (_, var) => self.fail(errors::no_edge(&edge.written, var.as_deref(), edge.span)),
                }
            }
            Place::At(Set { lo, hi: None, .. }) => {
                let Some((name, domain)) = self.mentions_point(lo, env) else {
                    if let ExprKind::Name(p) = &strip(lo).kind
                        && matches!(&*pick(p, 0), "left" | "right")
                        && self.lookup_quiet(&pick(p, 0), env).is_none()
                    {
                        return self.fail(errors::no_edge(&p.written, var.as_deref(), lo.span));
                    }
                    return Ok(PlaceKind::Component);
                };
                let Some(domain) = domain else {
                    let title = self.frame(env.frame).title.clone();
                    let at = self.frame(env.frame).span;
                    return self.fail(errors::no_chain(&title, &name, at, span));
                };
                // The offset is what is left when the variable is 0; it must move with the variable.
                let at = |b: &mut Self, n: i64| {
                    let env = env.clone().bind(&name, Bind::Int(n));
                    b.eval(lo, &env.of_dims())
                };
                let (zero, one, two) = (at(self, 0)?, at(self, 1)?, at(self, 2)?);
                match (zero.as_int(), one.as_int(), two.as_int()) {
                    (Some(k), Some(k1), Some(k2))
                        if k.checked_add(1) == Some(k1) && k.checked_add(2) == Some(k2) =>
                    {
                        Ok(PlaceKind::Offset(domain, k))
                    }
                    _ => {
                        if let Val::Dim(d) = &zero {
                            self.want_number(d);
                        }
                        self.fail(errors::offset_not_constant(&name, lo.span))
                    }
                }
            }
            Place::At(_) => Ok(PlaceKind::Component),
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

    /// The domain variable or index over positions that an expression mentions.
    fn mentions_point(&self, e: &Expr, env: &Env) -> Option<(Name, Option<DomainId>)> {
        if let ExprKind::Name(p) = &e.kind {
            let name = pick(p, 0);
            if let Some(bind) = env.binder(&name) {
                return match bind {
                    Bind::Position(d) => Some((name, Some(d))),
                    _ => None,
                };
            }
            let f = self.frame(env.frame);
            let hidden =
                f.text.get(&name).is_some() || self.find_static(env.frame, env.layer, &name).is_some();
            return (!hidden && f.var.as_ref() == Some(&name)).then_some((name, f.domain));
        }
        children(e).into_iter().find_map(|c| self.mentions_point(c, env))
    }

    /// Whether a place is given by the index of a reduction over positions, not by this point.
    fn at_index(&self, place: &Place, env: &Env) -> bool {
        let Place::At(set) = place else { return false };
        self.mentions_point(&set.lo, env).is_some_and(|(name, _)| env.binder(&name).is_some())
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
        if let [place] = places
            && let PlaceKind::Offset(domain, k) = self.place_kind(place, env, span)?
        {
            if env.at_side {
                return self.fail(errors::offset_at_side(span));
            }
            if k == 0 {
                let key = (name.clone(), index.clone());
                if matches!(self.frame(frame).memo.get(&key), Some(Memo::Busy)) && self.at_index(place, env) {
                    return self.fail(errors::read_before_known(&name, Some(span)));
                }
                let val = self.eval_def(frame, &name, &index, span)?;
                return self.at_this_point(val, domain, span);
            }
            let own = self.frame(frame).domain;
            let is_input = self
                .frame(frame)
                .text
                .get(&name)
                .and_then(|e| e.declared.as_ref())
                .is_some_and(|d| matches!(d.kind, Kind::State | Kind::In));
            if own != Some(domain) && is_input && self.frame(frame).prev.is_none() && own.is_some() {
                let (p, q) = (self.extent_name(own), self.extent_name(Some(domain)));
                return self.fail(errors::two_domains((&p, base), (&q, span), span));
            }
            return self.read_lag(frame, &name, &index, k, span);
        }
        if env.at_side {
            let val = self.eval_side_or_value(frame, &name, &index, env, span)?;
            return self.read_value(val, base, None, places, env, span);
        }
        let val = self.eval_def(frame, &name, &index, span)?;
        self.read_value(val, base, Some((frame, &name, &index)), places, env, span)
    }

    fn eval_side_or_value(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &[i64],
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        match env.frame == frame && self.frame(frame).text.side.contains_key(name) {
            true => self.eval_side(frame, name, index, span),
            false => self.eval_def(frame, name, index, span),
        }
    }

    fn extent_name(&self, d: Option<DomainId>) -> String {
        d.and_then(|d| self.graph.domains.get(d.index())).map_or(String::new(), |d| d.extent.to_string())
    }

    /// `x[p]` is x at the point that p runs over.
    fn at_this_point(&mut self, val: Val<'l>, domain: DomainId, span: Span) -> R<Val<'l>> {
        let arr = self.force(val, span)?;
        if let Level::Over(d) = self.graph.level(arr.node)
            && d != domain
        {
            let (p, q) = (self.extent_name(Some(d)), self.extent_name(Some(domain)));
            return self.fail(errors::two_domains((&p, span), (&q, span), span));
        }
        Ok(Val::Arr(arr))
    }

    /// Brackets after a value: a point of a sequence, or components.
    fn read_value(
        &mut self,
        val: Val<'l>,
        base: Span,
        source: Option<(FrameId, &Name, &[i64])>,
        places: &'l [Place],
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        if let [place] = places
            && let PlaceKind::Offset(domain, k) = self.place_kind(place, env, span)?
        {
            if k == 0 {
                return self.at_this_point(val, domain, span);
            }
            // The first output of an application may be a state.
            if let Val::Instance(inner) = val
                && let Some((frame, name, index)) = self.first_out_name(inner)?
            {
                return self.read_lag(frame, &name, &index, k, span);
            }
            return self.fail(errors::not_a_state_value(span));
        }
        let arr = self.force(val, base)?;
        if let [Place::At(Set { lo, hi: None, .. })] = places
            && let Level::Over(_) = self.graph.level(arr.node)
            && arr.along == 0
            && self.positions_by_number(env.frame)
            && let Some(k) = self.number_of(lo, env)?
        {
            return self.fixed_point(arr.node, k, source, span).map(Val::node);
        }
        if let [Place::At(Set { lo, hi: None, .. })] = places
            && let Level::Over(domain) = self.graph.level(arr.node)
            && arr.along == 0
            && let Some(k) = self.offset_from_end(lo, domain, env)?
        {
            return self.end_point(arr.node, domain, k, source, span).map(Val::node);
        }
        self.components(Val::Arr(arr), base, places, env, span)
    }

    fn components(
        &mut self,
        val: Val<'l>,
        base: Span,
        places: &'l [Place],
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        let mut arr = self.force(val, base)?;
        for (i, place) in places.iter().enumerate() {
            let Place::At(set) = place else {
                let var = self.frame(env.frame).var.clone();
                return self.fail(errors::no_edge("here", var.as_deref(), span));
            };
            let last = i + 1 == places.len();
            arr = self.component(arr, set, last, base, env, span)?;
        }
        Ok(Val::Arr(arr))
    }

    /// Whether an expression ends in a place of the domain; what follows are components.
    fn is_placed(&self, e: &Expr, env: &Env) -> bool {
        match &strip(e).kind {
            ExprKind::Index { places, .. } => places.iter().any(|place| match place {
                Place::Prev(_) | Place::Next(_) => true,
                Place::At(set) => self.mentions_point(&set.lo, env).is_some(),
            }),
            _ => false,
        }
    }

    fn positions_by_number(&self, frame: FrameId) -> bool {
        let f = self.frame(frame);
        f.named_extent || (!f.pointwise && f.kind != FrameKind::Fn)
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

    /// How far a place lies from the last point, if it is written with the domain's length.
    fn offset_from_end(&mut self, e: &'l Expr, domain: DomainId, env: &Env) -> R<Option<i64>> {
        let Some(name) = self.mentions_length(e, domain, env) else { return Ok(None) };
        let at = |b: &mut Self, n: i64| {
            let env = env.clone().bind(&name, Bind::Int(n));
            b.eval(e, &env.of_dims()).map(|val| val.as_int())
        };
        match (at(self, 0)?, at(self, 1)?, at(self, 2)?) {
            (Some(k), Some(k1), Some(k2)) if k.checked_add(1) == Some(k1) && k.checked_add(2) == Some(k2) => {
                Ok(Some(k))
            }
            _ => self.fail(errors::offset_not_constant(&name, e.span)),
        }
    }

    /// The name of the domain's length that an expression mentions.
    fn mentions_length(&self, e: &Expr, domain: DomainId, env: &Env) -> Option<Name> {
        if let ExprKind::Name(p) = &e.kind {
            let name = pick(p, 0);
            let f = self.frame(env.frame);
            let hidden = env.binder(&name).is_some() || f.text.get(&name).is_some();
            let known = match self.find_static(env.frame, env.layer, &name) {
                Some((_, StaticVal { slot: Slot::Known(val), .. })) => Some(val),
                Some(_) => None,
                None => f.free.get(&name),
            };
            let is_length = matches!(known, Some(Val::Extent(d)) if *d == domain);
            return (is_length && !hidden).then_some(name);
        }
        children(e).into_iter().find_map(|c| self.mentions_length(c, domain, env))
    }

    /// A value `k` points from the last one; a point before it is read through a lag.
    fn end_point(
        &mut self,
        node: NodeId,
        domain: DomainId,
        k: i64,
        source: Option<(FrameId, &Name, &[i64])>,
        span: Span,
    ) -> R<NodeId> {
        if k > 0 {
            return self.fail(errors::position_behind_last(k, span));
        }
        let node = match (k, source) {
            (0, _) => node,
            (_, Some((frame, name, index))) => {
                let val = self.read_lag(frame, name, index, k, span)?;
                self.force_node(val, span)?
            }
            (_, None) => return self.fail(errors::not_a_state_value(span)),
        };
        let empty = self.empty_value(node, source, k.unsigned_abs() as usize, span)?;
        self.add(Op::At { arg: node, axis: domain, point: Point::Last, empty }, span)
    }

    /// What stands for a point of an empty domain: the value of a state this far before it, else 0.
    fn empty_value(
        &mut self,
        node: NodeId,
        source: Option<(FrameId, &Name, &[i64])>,
        before: usize,
        span: Span,
    ) -> R<NodeId> {
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
        k: i64,
        source: Option<(FrameId, &Name, &[i64])>,
        span: Span,
    ) -> R<NodeId> {
        let Some(k) = u32::try_from(k).ok().filter(|k| *k > 0) else {
            return self.fail(errors::position_from_one(k, span));
        };
        let empty = self.empty_value(node, source, 0, span)?;
        let point = if k == 1 { Point::First } else { Point::Fixed(k) };
        let Level::Over(axis) = self.graph.level(node) else {
            return self.fail(errors::wants_sequence("a position", span));
        };
        self.add(Op::At { arg: node, axis, point, empty }, span)
    }

    /// One component or range of the first axis.
    fn component(&mut self, arr: Arr, set: &'l Set, last: bool, base: Span, env: &Env, span: Span) -> R<Arr> {
        let shape = self.shape(arr).to_vec();
        let Some(extent) = shape.first() else {
            return self.fail(errors::no_components(base));
        };
        if let Some(hi) = &set.hi {
            let lo = self.eval_dim(&set.lo, env)?;
            let hi = self.eval_dim(hi, env)?;
            if arr.along != 0 {
                return Err(Stop::NoAlong(span));
            }
            if !last {
                return self.fail(errors::not_yet("a range that is not the last index", set.span));
            }
            let one = Dim::constant(1);
            let cut = lo.sub(&one).and_then(|start| Ok((start.clone(), hi.sub(&start)?)));
            let (start, len) = match cut {
                Ok(cut) => cut,
                Err(e) => return self.dim_error(&e, set.span),
            };
            if len.as_constant().is_some_and(|n| n <= 0) || start.as_constant().is_some_and(|n| n < 0) {
                return self.fail(errors::empty_slice(set.span));
            }
            let node = self.slice(arr.node, start, len, span)?;
            return Ok(Arr { node, along: 0 });
        }
        if let ExprKind::Name(p) = &strip(&set.lo).kind
            && let Some(Bind::Along(id, dim)) = env.binder(&pick(p, 0))
        {
            if arr.along != 0 {
                return Err(Stop::NoAlong(span));
            }
            if *extent == dim {
                return Ok(Arr { node: arr.node, along: id });
            }
            // A known number of them are the first ones.
            let is_part = match (dim.as_constant(), extent.as_constant()) {
                (Some(n), Some(all)) => n < all,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if !is_part {
                return self.fail(errors::index_extent(&p.written, &dim, extent, base, span));
            }
            let node = self.slice(arr.node, Dim::constant(0), dim, span)?;
            return Ok(Arr { node, along: id });
        }
        let index_env = Env { dims_first: false, ..env.clone() };
        let val = self.eval(&set.lo, &index_env)?;
        if arr.along != 0 {
            return Err(Stop::NoAlong(span));
        }
        let node = match val {
            Val::Arr(i) => {
                let ty = self.graph.ty(i.node).clone();
                match ty {
                    Ty::Id(k) if i.along == 0 => {
                        if k != *extent {
                            return self.fail(errors::id_extent(&k, extent, base, set.span));
                        }
                        self.same_domain((arr, base), (i, set.span), span)?;
                        self.add(Op::Gather { arg: arr.node, index: i.node }, span)?
                    }
                    Ty::Id(_) => return Err(Stop::NoAlong(span)),
                    _ => return self.fail(errors::index_not_known(set.span)),
                }
            }
            Val::Extent(_) => return self.fail(errors::length_as_dim(set.span)),
            val => {
                let Some(k) = val.as_dim() else {
                    return self.fail(errors::index_not_known(set.span));
                };
                let outside = match (k.as_constant(), extent.as_constant()) {
                    (Some(k), _) if k < 1 => true,
                    (Some(k), Some(n)) => k > n,
                    _ => false,
                };
                if outside {
                    return self.fail(errors::component_outside(&k, extent, set.span));
                }
                let from_zero = match k.sub(&Dim::constant(1)) {
                    Ok(k) => k,
                    Err(e) => return self.dim_error(&e, set.span),
                };
                self.element(arr.node, from_zero, span)?
            }
        };
        Ok(Arr { node, along: 0 })
    }

    /// `m.h`, `m.h_last`, `enc.l2.c_last`.
    fn field(&mut self, val: Val<'l>, base: Span, name: &Name, env: &Env, span: Span) -> R<Ref<'l>> {
        let inner = match val {
            Val::Instance(inner) => inner,
            Val::Part(part) => return self.param_of_part(&part, name, base, env),
            other => {
                let kind = other.kind();
                return self.fail(errors::field_of_value(name, kind, base, span));
            }
        };
        if let Some(r) = self.member_of(inner, name, span)? {
            return Ok(r);
        }
        if let Some(stem) = name.strip_suffix("_last") {
            let stem: Name = stem.into();
            let found = self.member_of(inner, &stem, span)?;
            if let Some(r) = found {
                let f = self.frame(env.frame);
                if f.pointwise && f.kind != FrameKind::Root && !f.named_extent {
                    return self.fail(errors::not_yet("the last value of a sequence inside a cell", span));
                }
                return match r {
                    Ref::Def(frame, n, index) if index.len() == self.arity(frame, &n)? => {
                        Ok(Ref::Val(Val::node(self.last_of(frame, &n, &index, span)?)))
                    }
                    r => {
                        let val = self.ref_value(r, span)?;
                        let node = self.force_node(val, span)?;
                        match self.graph.level(node) {
                            Level::Over(_) => Ok(Ref::Val(Val::node(self.last_node(node, None, span)?))),
                            _ => Ok(Ref::Val(Val::node(node))),
                        }
                    }
                };
            }
        }
        if self.is_stand_in(inner) {
            return self.unknown_value();
        }
        let title = self.frame(inner).title.clone();
        let names: Vec<Name> = self.frame(inner).text.names().cloned().collect();
        let near = crate::resolve::nearest(name, names.iter()).cloned();
        self.fail(errors::no_field(name, &title, near, span))
    }

    /// A parameter of a part, which it has before it is applied.
    fn param_of_part(&mut self, part: &Part<'l>, name: &Name, base: Span, env: &Env) -> R<Ref<'l>> {
        let frame = self.new_frame(Origin {
            item: part.recipe.item,
            args: part.recipe.args,
            env: &part.recipe.env,
            path: format!("{}.", part.path),
            param_path: format!("{}.", part.path),
            span: base,
            top: false,
            may_lack: false,
        })?;
        let order = self.frame(env.frame).order.clone();
        let f = self.frame_mut(frame);
        f.order = order;
        let declared = f.text.get(name).and_then(|e| e.declared.as_ref()).map(|d| d.kind);
        match declared {
            Some(Kind::Param) => Ok(Ref::Def(frame, name.clone(), Vec::new())),
            _ if self.is_stand_in(frame) => self.unknown_value(),
            _ => self.fail(errors::field_of_part(name, base)),
        }
    }

    /// An output or equation of an instance.
    fn member_of(&mut self, inner: FrameId, name: &Name, span: Span) -> R<Option<Ref<'l>>> {
        let outs = self.outs_of(inner)?;
        if let Some(out) = outs.iter().find(|o| o.name == *name) {
            if let Some((frame, n, index)) = self.out_name(inner, out)? {
                return Ok(Some(Ref::Def(frame, n, index)));
            }
            return self.out_value(inner, out, span).map(|v| Some(Ref::Val(v)));
        }
        if self.frame(inner).text.get(name).is_some() {
            return Ok(Some(Ref::Def(inner, name.clone(), Vec::new())));
        }
        // Members of a family of instances are called `l1`, `l2`.
        let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
        if digits.len() < name.len() {
            let stem: Name = digits.into();
            if let Ok(i) = name[digits.len()..].parse::<i64>()
                && self.frame(inner).text.get(&stem).is_some()
                && self.arity(inner, &stem)? == 1
            {
                return Ok(Some(Ref::Def(inner, stem, vec![i])));
            }
        }
        Ok(None)
    }
}
