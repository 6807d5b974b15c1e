//! The value of a name: its equation, or what its declaration makes of it.
//!
//! Invariant: every name (and member of a family) is evaluated at most once in its frame. A name that is
//! asked for while it is being evaluated lies on a cycle at one point.

use super::builder::{Builder, EQUATION_WORK};
use super::errors;
use super::statics::SetVal;
use super::value::*;
use crate::eqn::{NodeId, Op};
use crate::resolve::text::{Entry, Equated, Kind, SideKey, plain};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::*;
use std::rc::Rc;
use std::sync::Arc;

impl<'l> Builder<'l> {
    /// The index of a family as written, and the layer it stands in; empty for a plain name.
    fn family_index(&self, entry: &Entry<'l>) -> (&'l [TargetIndex], usize) {
        match (&entry.declared, &entry.equated) {
            (Some(d), _) => (d.index, d.layer),
            (None, Some(e)) => (e.index(), e.layer),
            (None, None) => (&[], 0),
        }
    }

    /// The index sets of a name; an index over a set of unknown size makes an array, not a family.
    pub fn sets_of(&mut self, frame: FrameId, name: &Name) -> R<Rc<Vec<FamilySet>>> {
        let text = self.frame(frame).text.clone();
        let Some(entry) = text.get(name) else { return Ok(Rc::new(Vec::new())) };
        let (index, layer) = self.family_index(entry);
        if index.is_empty() {
            return Ok(Rc::new(Vec::new()));
        }
        let env = Env::new(frame, layer);
        self.family_sets(frame, name, index, &env)
    }

    /// How many indices a name wants.
    pub fn arity(&mut self, frame: FrameId, name: &Name) -> R<usize> {
        let sets = self.sets_of(frame, name)?;
        match sets.as_slice() {
            [FamilySet::Symbolic(_)] => Ok(0),
            // Positions come last; they are read as those of a value over an axis.
            sets => Ok(sets.iter().filter(|s| !matches!(s, FamilySet::Points(_))).count()),
        }
    }

    /// A name of a frame with all its indices.
    pub fn eval_def(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<Val<'l>> {
        let key = (name.clone(), index.to_vec());
        match self.frame(frame).memo.get(&key) {
            Some(Memo::Done(val)) => return Ok(val.clone()),
            Some(Memo::Failed(r)) => return Err(Stop::Reported(*r)),
            Some(Memo::Busy) => return self.cycle(frame, name, index, false, span),
            None => {}
        }
        if self.frame(frame).top {
            self.read.insert(name.clone());
        }
        self.frame_mut(frame).memo.insert(key.clone(), Memo::Busy);
        self.stack.push((frame, name.clone(), index.to_vec(), false));
        let result = self.nested(span, |b| {
            b.spend(EQUATION_WORK, span)?;
            b.define(frame, name, index, span)
        });
        self.stack.pop();
        let memo = match &result {
            Ok(val) => Memo::Done(val.clone()),
            Err(Stop::Reported(r)) => Memo::Failed(*r),
            Err(Stop::NoAlong(at)) => {
                let r = self.report(errors::no_such_reduction(*at));
                Memo::Failed(r)
            }
        };
        let out = match &memo {
            Memo::Failed(r) => Err(Stop::Reported(*r)),
            _ => result,
        };
        self.frame_mut(frame).memo.insert(key, memo);
        out
    }

    /// Whether a side says anything of a name.
    pub fn has_side(&self, frame: FrameId, side: &SideKey, name: &Name) -> bool {
        self.frame(frame).text.sides.contains_key(&(side.clone(), name.clone()))
    }

    /// The equation of a side for a name or member of a family, and where it is evaluated.
    fn side_equation(
        &mut self,
        frame: FrameId,
        side: &SideKey,
        name: &Name,
        index: &[i64],
    ) -> R<Option<(Equated<'l>, Env)>> {
        let text = self.frame(frame).text.clone();
        for equated in text.sides.get(&(side.clone(), name.clone())).into_iter().flatten() {
            self.spend(1, equated.span)?;
            let written = equated.index();
            if written.len() != index.len() {
                let at = text
                    .get(name)
                    .map_or(equated.span, |e| e.declared.as_ref().map_or(equated.span, |d| d.span));
                return self.fail(errors::index_count(name, index.len(), written.len(), equated.span, at));
            }
            let mut env = Env::new(frame, equated.layer);
            let mut meant = true;
            for (w, i) in written.iter().zip(index) {
                let TargetIndex::Expr(e) = w else { continue };
                let own = match self.axis_as_index(e, &env) {
                    Some(axis) => Some(axis),
                    None => self.eval(e, &env.of_dims())?.as_int(),
                };
                match own {
                    Some(own) => meant &= own == *i,
                    None => return self.fail(errors::family_wants_binder(name, e.span)),
                }
            }
            if meant {
                env = self.equation_env(frame, name, equated, index)?;
                env.side = Some(Rc::new(side.clone()));
                return Ok(Some((equated.clone(), env)));
            }
        }
        Ok(None)
    }

    /// What a side says of a name, if anything.
    pub fn eval_side(
        &mut self,
        frame: FrameId,
        side: &SideKey,
        name: &Name,
        index: &[i64],
        span: Span,
    ) -> R<Option<Val<'l>>> {
        let key = (side.clone(), name.clone(), index.to_vec());
        match self.frame(frame).side_memo.get(&key) {
            Some(Memo::Done(val)) => return Ok(Some(val.clone())),
            Some(Memo::Failed(r)) => return Err(Stop::Reported(*r)),
            Some(Memo::Busy) => return self.cycle(frame, name, index, true, span),
            None => {}
        }
        let Some((equated, env)) = self.side_equation(frame, side, name, index)? else { return Ok(None) };
        self.frame_mut(frame).side_memo.insert(key.clone(), Memo::Busy);
        self.stack.push((frame, name.clone(), index.to_vec(), true));
        let result = self.nested(span, |b| {
            let val = b.eval(&equated.equation.value, &env)?;
            b.declared_value(frame, name, val, &equated)
        });
        self.stack.pop();
        let memo = match &result {
            Ok(val) => Memo::Done(val.clone()),
            Err(Stop::Reported(r)) => Memo::Failed(*r),
            Err(Stop::NoAlong(at)) => Memo::Failed(self.report(errors::no_such_reduction(*at))),
        };
        self.frame_mut(frame).side_memo.insert(key, memo);
        result.map(Some)
    }

    /// The value of an equation at all nodes: what the leaves say where they say anything.
    fn with_leaves(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &[i64],
        inner: Val<'l>,
        span: Span,
    ) -> R<Val<'l>> {
        if !self.has_side(frame, &SideKey::Leaf, name) {
            return Ok(inner);
        }
        let Some(leaf) = self.eval_side(frame, &SideKey::Leaf, name, index, span)? else { return Ok(inner) };
        let Some(tree) = self.own_axes(frame).first().copied() else { return Ok(inner) };
        let children = self.children_of(tree);
        let count = self.length(children, span)?;
        let zero = self.constant(0.0);
        let is_leaf = self.add(Op::Binary(crate::eqn::Binary::Eq, count, zero), span)?;
        let leaf = self.force(leaf, span)?;
        let inner = self.force(inner, span)?;
        let condition = Arr { node: is_leaf, along: 0 };
        self.select((condition, span), (leaf, span), (inner, span), span).map(Val::Arr)
    }

    /// The path from a name back to itself.
    fn cycle<T>(&mut self, frame: FrameId, name: &Name, index: &[i64], side: bool, span: Span) -> R<T> {
        let here = (frame, name.clone(), index.to_vec(), side);
        let from = self.stack.iter().position(|p| *p == here).unwrap_or(0);
        let mut path = Vec::new();
        for (f, n, i, _) in self.stack[from..].iter().chain([&here]) {
            let word = format!("{}{}{}", self.frame(*f).path, n, suffix(i));
            // Names of inlined functions say nothing to the author.
            if self.frame(*f).kind != FrameKind::Fn {
                path.push(word);
            }
        }
        let declared = self.stack[from..].iter().filter_map(|(f, n, ..)| {
            let text = &self.frame(*f).text;
            text.get(n).and_then(|e| e.equated.as_ref()).map(|e| e.span)
        });
        let places: Vec<Span> = declared.collect();
        let entry = self.frame(frame).text.get(name).and_then(|e| e.equated.as_ref());
        if entry.is_some_and(|e| e.layer > 0) && places.len() == 1 {
            return self.fail(errors::override_reads_itself(name, &places, span));
        }
        // Only a state has an old value; of a member the place of its index is not known here.
        let entry = self.frame(frame).text.get(name);
        let is_state = entry.and_then(|e| e.declared.as_ref()).is_some_and(|d| d.kind == Kind::State);
        let plain = self.frame(frame).top && index.is_empty();
        let var = self.var_name(frame).filter(|_| is_state && plain);
        let old = var.map(|var| format!("{name}[{var}-1]"));
        self.fail(errors::cycle(&path, &places, old, span))
    }

    fn define(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<Val<'l>> {
        let text = self.frame(frame).text.clone();
        let Some(entry) = text.get(name) else {
            return self.fail(errors::unknown_name(name, None, span));
        };
        let sets = self.sets_of(frame, name)?;
        if !matches!(sets.as_slice(), [FamilySet::Symbolic(_)]) {
            for (i, set) in index.iter().zip(sets.iter()) {
                if let FamilySet::Range(a, b) = set
                    && (i < a || i > b)
                {
                    return self.fail(errors::no_member(name, *i, *a, *b, span));
                }
            }
        }
        if let Some(val) = self.frame(frame).given.get(name).cloned() {
            return self.given_member(frame, name, val, index, &sets, span);
        }
        match (&entry.equated, &entry.declared) {
            (Some(equated), _) => self.equation(frame, entry, equated, index, &sets, span),
            (None, Some(d)) => match d.kind {
                Kind::In | Kind::Mem => {
                    let title = self.frame(frame).title.clone();
                    self.fail(errors::input_not_given(
                        name,
                        &title,
                        self.frame(frame).span.unwrap_or(span),
                        d.span,
                    ))
                }
                Kind::Param => self.param(frame, name, d, index, &sets),
                Kind::Noise => self.noise(frame, name, d),
                Kind::Part => self.part(frame, name, d),
                Kind::State if self.has_side(frame, &SideKey::Leaf, name) => {
                    self.fail(errors::leaf_alone(name, d.span))
                }
                Kind::State => {
                    let (text, now) = (&self.frame(frame).text, format!("{name}_t"));
                    let other = text.get(&now).and_then(|e| e.equated.as_ref());
                    let other = other.map(|q| (now.as_str(), q.span));
                    self.fail(errors::state_without_equation(name, d.span, span, other))
                }
                Kind::Shape => self.fail(errors::unknown_name(name, None, span)),
            },
            (None, None) => self.fail(errors::unknown_name(name, None, span)),
        }
    }

    fn given_member(
        &mut self,
        frame: FrameId,
        name: &Name,
        val: Val<'l>,
        index: &[i64],
        sets: &[FamilySet],
        span: Span,
    ) -> R<Val<'l>> {
        if index.is_empty() {
            return Ok(val);
        }
        if let Val::Family(f, n, i) = &val {
            let all: Vec<i64> = i.iter().chain(index).copied().collect();
            if *f != frame || n != name {
                return self.eval_def(*f, n, &all, span);
            }
        }
        let mut node = self.force_node(val, span)?;
        for (i, set) in index.iter().zip(sets) {
            if let FamilySet::Range(lo, _) = set {
                node = self.element(node, Dim::constant(i - lo), span)?;
            }
        }
        Ok(Val::node(node))
    }

    fn equation_env(&mut self, frame: FrameId, name: &Name, equated: &Equated<'l>, index: &[i64]) -> R<Env> {
        let mut env = Env::new(frame, equated.layer);
        env.brace = equated.brace;
        env.owner = Some(name.clone());
        let written = equated.index();
        let binders = written.iter().filter_map(|t| match t {
            TargetIndex::Binder(b) => Some(b),
            TargetIndex::Expr(_) => None,
        });
        let mut index = index.iter();
        let mut taken = Vec::new();
        for b in binders {
            let (lo, hi) = match self.eval_set(&b.set, &Env::new(frame, equated.layer))? {
                SetVal::Range(lo, hi) => (lo, hi),
                SetVal::Positions(axis) => {
                    let own = self.family_axis(frame, axis, &taken, b.span)?;
                    taken.push(own);
                    env = env.bind(&b.name.name, Bind::Position(own));
                    continue;
                }
                _ => return self.fail(errors::range_wants_numbers(b.span)),
            };
            let Some(i) = index.next() else { continue };
            if *i < lo || *i > hi {
                return self.fail(errors::no_member(name, *i, lo, hi, b.span));
            }
            env = env.bind(&b.name.name, Bind::Int(*i));
        }
        Ok(env)
    }

    pub(super) fn equation(
        &mut self,
        frame: FrameId,
        entry: &Entry<'l>,
        equated: &Equated<'l>,
        index: &[i64],
        sets: &[FamilySet],
        span: Span,
    ) -> R<Val<'l>> {
        let name = &entry.name;
        let written = equated.index().len();
        if let Some(d) = &entry.declared
            && d.index.len() != written
        {
            if d.index.is_empty()
                && let Some(d) = self.step_on_the_left(frame, name)
            {
                return self.fail(d);
            }
            return self.fail(errors::index_count(name, d.index.len(), written, equated.span, d.span));
        }
        if let [FamilySet::Symbolic(extent)] = sets {
            return self.array_equation(frame, name, equated, extent);
        }
        let arity = self.arity(frame, name)?;
        if index.len() != arity {
            return self.fail(errors::index_count(name, arity, index.len(), span, equated.span));
        }
        let env = self.equation_env(frame, name, equated, index)?;
        let expr = &equated.equation.value;
        let val = match equated.targets {
            0 | 1 => self.eval(expr, &env)?,
            n => self.one_of_many(frame, equated, n, index, &env)?,
        };
        let val = self.declared_value(frame, name, val, equated)?;
        let val = self.with_leaves(frame, name, index, val, equated.equation.span)?;
        if let Val::Arr(arr) = &val
            && arr.along == 0
            && self.frame(frame).kind != FrameKind::Fn
        {
            let path = self.frame(frame).path.clone();
            self.name_node(arr.node, format!("{path}{name}{}", suffix(index)), equated.equation.span);
            self.name_argument(frame, name, index, expr, arr.node);
        }
        Ok(val)
    }

    /// In `f = σ(e)`, e is called `f_pre`.
    fn name_argument(&mut self, frame: FrameId, name: &Name, index: &[i64], expr: &Expr, node: NodeId) {
        let ExprKind::Call { args, .. } = &strip(expr).kind else { return };
        let ([arg], Op::Unary(_, inner)) = (args.as_slice(), &self.graph.node(node).op) else { return };
        let inner = *inner;
        let mut pre = format!("{name}_pre");
        while self.frame(frame).text.get(&pre).is_some() {
            pre.push('\'');
        }
        let path = self.frame(frame).path.clone();
        self.name_node(inner, format!("{path}{pre}{}", suffix(index)), arg.value.span);
    }

    /// `e[j in 1..M] = …` with M not a number yet: one array, evaluated along j.
    fn array_equation(
        &mut self,
        frame: FrameId,
        name: &Name,
        equated: &Equated<'l>,
        extent: &Dim,
    ) -> R<Val<'l>> {
        let mut env = Env::new(frame, equated.layer);
        env.brace = equated.brace;
        env.owner = Some(name.clone());
        let Some(TargetIndex::Binder(b)) = equated.index().first() else {
            return self.fail(errors::family_wants_binder(name, equated.span));
        };
        self.next_along += 1;
        let id = self.next_along;
        let env = env.bind(&b.name.name, Bind::Along(id, extent.clone()));
        let span = equated.equation.span;
        let result = self.eval(&equated.equation.value, &env).and_then(|val| self.force(val, span));
        let arr = match result {
            Ok(arr) => arr,
            Err(Stop::NoAlong(at)) => {
                self.want_number(extent);
                return self.fail(errors::family_wants_number(name, extent, at));
            }
            Err(stop) => return Err(stop),
        };
        let node = self.run_along(arr, extent, span)?;
        let path = self.frame(frame).path.clone();
        if self.frame(frame).kind != FrameKind::Fn {
            self.name_node(node, format!("{path}{name}"), span);
        }
        Ok(Val::node(node))
    }

    /// A value with the axis of a reduction in front, repeated if it does not depend on it.
    pub fn run_along(&mut self, arr: Arr, extent: &Dim, span: Span) -> R<NodeId> {
        if arr.along != 0 {
            return Ok(arr.node);
        }
        match self.shape(arr).len() {
            0 => self.spread(arr.node, std::slice::from_ref(extent), span),
            1 => {
                let ones = self.filled(1.0, std::slice::from_ref(extent), span)?;
                self.add(Op::Outer(ones, arr.node), span)
            }
            _ => Err(Stop::NoAlong(span)),
        }
    }

    /// `f, i = split(v)` and `a, b = C(x)`: the right side is evaluated once.
    fn one_of_many(
        &mut self,
        frame: FrameId,
        equated: &Equated<'l>,
        n: usize,
        index: &[i64],
        env: &Env,
    ) -> R<Val<'l>> {
        let expr = strip(&equated.equation.value);
        let split = match &expr.kind {
            ExprKind::Call { callee, args } => match (&callee.kind, args.as_slice()) {
                (ExprKind::Name(p), [Arg { name: None, value, .. }]) if &*plain(p) == "split" => Some(value),
                _ => None,
            },
            _ => None,
        };
        let whole = split.unwrap_or(expr);
        let brace = equated.brace.map_or(0, |(k, _)| k as i64);
        let mut tag = vec![i64::from(whole.span.start), brace];
        tag.extend(index);
        // No author's name begins with a space.
        let key = (Arc::from(" whole"), tag);
        let val = match self.frame(frame).memo.get(&key) {
            Some(Memo::Done(val)) => val.clone(),
            Some(Memo::Failed(r)) => return Err(Stop::Reported(*r)),
            _ => {
                // The first target of the equation lends its name to an application.
                let val = self.eval(whole, env);
                let memo = match &val {
                    Ok(Val::Arr(a)) if a.along != 0 => return Err(Stop::NoAlong(whole.span)),
                    Ok(val) => Memo::Done(val.clone()),
                    Err(Stop::Reported(r)) => Memo::Failed(*r),
                    Err(stop) => return Err(*stop),
                };
                self.frame_mut(frame).memo.insert(key, memo);
                val?
            }
        };
        if split.is_some() {
            let node = self.force_node(val, whole.span)?;
            let Some(total) = self.graph.shape(node).first().cloned() else {
                return self.fail(errors::no_components(whole.span));
            };
            let span = expr.span;
            let part = match total.div(&Dim::constant(n as i64)) {
                Ok(part) => part,
                Err(e) => return self.dim_error(&e, span),
            };
            let start = match part.mul(&Dim::constant(equated.target as i64)) {
                Ok(start) => start,
                Err(e) => return self.dim_error(&e, span),
            };
            return Ok(Val::node(self.slice(node, start, part, span)?));
        }
        if let Val::Instance(inner) = val {
            let outs = self.outs_of(inner)?;
            if outs.len() == n
                && let Some(out) = outs.get(equated.target)
            {
                return self.out_value(inner, out, expr.span);
            }
            return self.fail(errors::target_count(n, outs.len(), expr.span));
        }
        self.fail(errors::many_targets(expr.span))
    }
}

/// The content of parentheses.
pub fn strip(e: &Expr) -> &Expr {
    match &e.kind {
        ExprKind::Paren(inner) => strip(inner),
        _ => e,
    }
}

/// `1`, `1_2`: how the members of a family are called in paths.
pub fn suffix(index: &[i64]) -> String {
    let numbers: Vec<String> = index.iter().map(|i| i.to_string()).collect();
    numbers.join("_")
}
