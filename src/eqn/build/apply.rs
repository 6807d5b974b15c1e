//! Recipes, instances, applications: whom a call means, and what its arguments give.
//!
//! An application makes a frame: static parameters from the recipe, inputs from the arguments, the domain
//! from what the inputs are over. Nothing of its body is evaluated until a name of it is asked for.

use super::builder::Builder;
use super::define::{strip, suffix};
use super::errors::{self, Reported};
use super::names::{AppName, children};
use super::value::*;
use crate::eqn::{Domain, DomainId, DomainKind, Level, NodeId};
use crate::resolve::text::{Kind, expand, group_count, pick};
use crate::resolve::{ItemId, item_name, nearest};
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// So deep instances stand in each other; an application inside itself would never end.
const MAX_NESTING: usize = 64;
/// So many instances and function calls make up one program at most.
const MAX_FRAMES: usize = 10_000;

/// Evaluated arguments of a call.
#[derive(Default)]
pub struct Args<'l> {
    pub positional: Vec<(Val<'l>, Span)>,
    pub named: Vec<(&'l ArgName, Val<'l>, Span)>,
}

/// One output of a frame.
#[derive(Clone, Debug)]
pub struct OutRef<'l> {
    pub name: Name,
    pub layer: usize,
    pub expr: &'l Expr,
    pub brace: crate::resolve::text::Brace,
}

/// Where a new frame comes from.
pub struct Origin<'l, 'e> {
    pub item: ItemId,
    pub args: &'l [Arg],
    pub env: &'e Env,
    pub path: String,
    pub param_path: String,
    pub span: Span,
    pub top: bool,
    /// Static parameters that are not given become open (a bare name on the command line).
    pub may_lack: bool,
}

impl<'l> Builder<'l> {
    pub fn eval_call(
        &mut self,
        callee: &'l Expr,
        args: &'l [Arg],
        piped: Option<(Val<'l>, Span)>,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        let ExprKind::Name(p) = &strip(callee).kind else {
            let val = self.eval(callee, env)?;
            return self.call_value(val, callee, args, piped, env, span);
        };
        let name = self.pattern_name(p, env)?;
        let text = self.frame(env.frame).text.clone();
        let declared = text.get(&name).map(|e| e.declared.as_ref().map(|d| d.kind));
        if declared == Some(Some(Kind::Part)) {
            let val = self.eval_def(env.frame, &name, &[], callee.span)?;
            return self.call_value(val, callee, args, piped, env, span);
        }
        if let Some(val) = self.static_value(env.frame, env.layer, &name, callee.span)?
            && matches!(val, Val::Recipe(_) | Val::Func(_))
        {
            return self.call_value(val, callee, args, piped, env, span);
        }
        if let Some(Val::Func(f)) = self.frame(env.frame).given.get(&name).cloned() {
            return self.call_value(Val::Func(f), callee, args, piped, env, span);
        }
        if let Some(item) = self.item_named(callee.span.file, &name)? {
            return match &self.library.item(item).kind {
                ItemKind::Cell(_) | ItemKind::Layer(_) => {
                    let recipe = match crate::resolve::item_statics(self.library.item(item)).is_empty() {
                        true => self.recipe(item, &[], env, callee.span)?,
                        // The first argument group gives the static parameters.
                        false => {
                            let recipe = self.recipe(item, args, env, span)?;
                            return match piped {
                                Some(value) => self.call_value(recipe, callee, &[], Some(value), env, span),
                                None => Ok(recipe),
                            };
                        }
                    };
                    self.call_value(recipe, callee, args, piped, env, span)
                }
                ItemKind::Fn(_) => {
                    self.call_value(Val::Func(Callable::Item(item)), callee, args, piped, env, span)
                }
                _ => self.fail(errors::model_applied(&p.written, callee.span)),
            };
        }
        if let Some(f) = super::functions::builtin(&name) {
            return self.call_value(Val::Func(Callable::Builtin(f)), callee, args, piped, env, span);
        }
        if declared.is_some() || self.lookup_exists(&name, env) {
            return self.fail(errors::not_a_function(&p.written, callee.span));
        }
        let near = nearest(&name, self.library.names(callee.span.file)).cloned();
        self.fail(errors::unknown_item(&p.written, near, callee.span))
    }

    fn lookup_exists(&self, name: &Name, env: &Env) -> bool {
        let f = self.frame(env.frame);
        f.given.contains_key(name) || self.find_static(env.frame, env.layer, name).is_some()
    }

    /// `x |> F(s)`, `x |> F(s)(q = e)`, `x |> f`.
    pub fn eval_pipe(&mut self, value: (Val<'l>, Span), into: &'l Expr, env: &Env, span: Span) -> R<Val<'l>> {
        let into = strip(into);
        if let ExprKind::Call { callee, args } = &into.kind {
            // A call of a recipe with statics is the recipe; any other call takes the value as its first argument.
            let with_statics = match &strip(callee).kind {
                ExprKind::Name(p) => {
                    let name = self.pattern_name(p, env)?;
                    let local = self.find_static(env.frame, env.layer, &name).is_some()
                        || self.frame(env.frame).text.get(&name).is_some();
                    let item = self.item_named(callee.span.file, &name)?.map(|i| self.library.item(i));
                    !local
                        && item.is_some_and(|i| {
                            matches!(i.kind, ItemKind::Cell(_) | ItemKind::Layer(_))
                                && !crate::resolve::item_statics(i).is_empty()
                        })
                }
                _ => false,
            };
            if !with_statics {
                return self.eval_call(callee, args, Some(value), env, span);
            }
            let recipe = self.eval(into, env)?;
            return self.call_value(recipe, into, &[], Some(value), env, span);
        }
        if let ExprKind::Name(_) = &into.kind {
            let named = self.name_as_callee(into, env)?;
            return self.call_value(named, into, &[], Some(value), env, span);
        }
        let target = self.eval(into, env)?;
        self.call_value(target, into, &[], Some(value), env, span)
    }

    fn name_as_callee(&mut self, e: &'l Expr, env: &Env) -> R<Val<'l>> {
        let ExprKind::Name(p) = &e.kind else { return self.eval(e, env) };
        let name = self.pattern_name(p, env)?;
        if self.frame(env.frame).text.get(&name).is_some() {
            return self.eval(e, env);
        }
        if let Some(val) = self.static_value(env.frame, env.layer, &name, e.span)? {
            return Ok(val);
        }
        match self.item_named(e.span.file, &name)? {
            Some(item) if matches!(self.library.item(item).kind, ItemKind::Fn(_)) => {
                Ok(Val::Func(Callable::Item(item)))
            }
            Some(item) => self.recipe(item, &[], env, e.span),
            None => match super::functions::builtin(&name) {
                Some(f) => Ok(Val::Func(Callable::Builtin(f))),
                None => self.eval(e, env),
            },
        }
    }

    fn call_value(
        &mut self,
        val: Val<'l>,
        callee: &'l Expr,
        args: &'l [Arg],
        piped: Option<(Val<'l>, Span)>,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        match val {
            Val::Func(Callable::Builtin(f)) => {
                let args = self.eval_args(args, piped, env)?;
                self.call_builtin(f, args, callee, env, span)
            }
            Val::Func(Callable::Item(item)) => {
                let args = self.eval_args(args, piped, env)?;
                self.call_fn(item, args, env, span)
            }
            Val::Recipe(recipe) => self.apply(recipe, None, args, piped, callee, env, span),
            Val::Part(part) => {
                let recipe = part.recipe.clone();
                self.apply(recipe, Some(&part.path), args, piped, callee, env, span)
            }
            other => {
                let kind = other.kind();
                self.fail(errors::not_a_function(kind, callee.span))
            }
        }
    }

    /// Evaluates arguments; brace groups in one stand for several.
    pub fn eval_args(&mut self, args: &'l [Arg], piped: Option<(Val<'l>, Span)>, env: &Env) -> R<Args<'l>> {
        let mut out = Args::default();
        out.positional.extend(piped);
        for arg in args {
            if let Some(name) = &arg.name {
                let val = self.eval(&arg.value, env)?;
                out.named.push((name, val, arg.value.span));
                continue;
            }
            let words = match env.brace {
                None => self.groups_in(&arg.value)?,
                Some(_) => None,
            };
            match words {
                None => {
                    let val = self.eval(&arg.value, env)?;
                    out.positional.push((val, arg.value.span));
                }
                Some(n) => {
                    for k in 0..n {
                        let val = self.eval(&arg.value, &env.with_brace(Some((k, n))))?;
                        out.positional.push((val, arg.value.span));
                    }
                }
            }
        }
        Ok(out)
    }

    fn groups_in(&mut self, e: &Expr) -> R<Option<usize>> {
        if let ExprKind::Name(p) = &e.kind {
            return match group_count(p) {
                Ok(n) => Ok(n),
                Err(d) => self.fail(d),
            };
        }
        // Inner argument lists expand on their own.
        if let ExprKind::Call { .. } = &e.kind {
            return Ok(None);
        }
        for child in children(e) {
            if let Some(n) = self.groups_in(child)? {
                return Ok(Some(n));
            }
        }
        Ok(None)
    }

    /// One application of a recipe or part.
    #[allow(clippy::too_many_arguments)]
    fn apply(
        &mut self,
        recipe: Rc<Recipe<'l>>,
        part: Option<&str>,
        args: &'l [Arg],
        piped: Option<(Val<'l>, Span)>,
        callee: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        // Each member of a reduction is an instance of its own.
        if env.binders.iter().any(|(_, b)| matches!(b, Bind::Along(..))) {
            return Err(Stop::NoAlong(span));
        }
        let at = (callee.span.file.0, callee.span.start, callee.span.end);
        let key: AppKey = (at, env.suffix.clone(), env.brace.map(|b| b.0));
        if let Some(val) = self.frame(env.frame).applied.get(&key) {
            return Ok(val.clone());
        }
        let nesting = self.frame(env.frame).nesting + 1;
        if nesting > MAX_NESTING {
            return self.fail(errors::too_nested(MAX_NESTING, span));
        }
        let name = self.app_name(callee, recipe.item, env);
        let (path, param_path) = {
            let f = self.frame(env.frame);
            (format!("{}{name}", f.path), format!("{}{name}", f.param_path))
        };
        let path = self.unique(path);
        let param_path = match part {
            Some(p) => p.to_string(),
            None if param_path.len() == path.len() => path.clone(),
            None => param_path,
        };
        let frame = self.new_frame(Origin {
            item: recipe.item,
            args: recipe.args,
            env: &recipe.env,
            path: format!("{path}."),
            param_path: format!("{param_path}."),
            span,
            top: false,
            may_lack: false,
        })?;
        let caller = self.frame(env.frame);
        let (ambient, pointwise) = (caller.domain, caller.pointwise);
        let own: Name = Arc::from(name.as_str());
        let inner = caller.inner.iter().filter(|(p, ..)| p.first() == Some(&own));
        let inner: Vec<_> = inner.map(|(p, prev, v, s)| (p[1..].to_vec(), *prev, v.clone(), *s)).collect();
        let order = self.order_in(env, at.1);
        let f = self.frame_mut(frame);
        f.order = order;
        f.nesting = nesting;
        f.domain = ambient.filter(|_| pointwise);
        f.pointwise = f.kind == FrameKind::Cell || pointwise;

        // While the arguments are evaluated, states of this very instance may be read at a lag.
        let owner = env.owner.clone().map(|o| (o, env.suffix.clone()));
        let early = owner.filter(|k| matches!(self.frame(env.frame).memo.get(k), Some(Memo::Busy)));
        if let Some(k) = &early {
            let memo = Memo::Done(Val::Instance(frame));
            self.frame_mut(env.frame).memo.insert(k.clone(), memo);
        }
        let args = self.eval_args(args, piped, env);
        if let Some(k) = early {
            self.frame_mut(env.frame).memo.insert(k, Memo::Busy);
        }
        let args = args?;
        self.bind_args(frame, args, inner, env, span)?;
        let val = Val::Instance(frame);
        self.frame_mut(env.frame).applied.insert(key, val.clone());
        Ok(val)
    }

    /// The place of an application among all of its frame and outside.
    fn order_in(&self, env: &Env, start: u32) -> Vec<i64> {
        let f = self.frame(env.frame);
        let entry = env.owner.as_ref().and_then(|o| f.text.position(o));
        let mut order = f.order.clone();
        order.push(entry.map_or(i64::MAX, |e| e as i64));
        order.extend(&env.suffix);
        order.push(i64::from(start));
        order
    }

    /// The name of an application in its frame: the equation's, or the callee's in lower case.
    pub fn app_name(&mut self, callee: &Expr, item: ItemId, env: &Env) -> String {
        let stem = match (self.frame(env.frame).apps.get(callee), &env.owner) {
            (Some(AppName::Equation), Some(owner)) => owner.to_string(),
            (Some(AppName::Own(own)), _) => own.clone(),
            _ => item_name(self.library.item(item)).map_or("cell".into(), |n| n.name.to_lowercase()),
        };
        format!("{stem}{}", suffix(&env.suffix))
    }

    /// A path no other instance has.
    pub fn unique(&mut self, path: String) -> String {
        let mut own = path.clone();
        let mut n = 2;
        while !self.instances.insert(own.clone()) {
            own = format!("{path}{n}");
            n += 1;
        }
        own
    }

    /// A frame with its static parameters, and no inputs yet.
    pub fn new_frame(&mut self, origin: Origin<'l, '_>) -> R<FrameId> {
        if self.frames.len() >= MAX_FRAMES {
            return self.fail(errors::too_many_instances(MAX_FRAMES, origin.span));
        }
        let item = self.library.item(origin.item);
        let (kind, title) = match (&item.kind, item_name(item)) {
            (ItemKind::Cell(_), Some(n)) => (FrameKind::Cell, n.written.clone()),
            (ItemKind::Layer(_), Some(n)) => (FrameKind::Layer, n.written.clone()),
            (ItemKind::Model(_), Some(n)) => (FrameKind::Model, n.written.clone()),
            (ItemKind::Fn(_), Some(n)) => (FrameKind::Fn, n.written.clone()),
            _ => return self.fail(errors::not_a_recipe("item", origin.span)),
        };
        let (text, apps) = self.text(origin.item);
        if text.baseless {
            return Err(Stop::Reported(Reported::earlier()));
        }
        let mut frame = empty_frame(kind, title);
        frame.apps = apps;
        frame.path = origin.path;
        frame.param_path = origin.param_path;
        frame.top = origin.top;
        frame.span = Some(origin.span);
        frame.pointwise = kind == FrameKind::Cell;
        if kind == FrameKind::Cell {
            frame.var = Some(match text.over {
                None => "t".into(),
                Some(over) => match (over.kind, over.axes.as_slice()) {
                    (OverKind::Chain, []) => "t".into(),
                    (OverKind::Chain, [axis]) if !axis.rest => axis.name.name.clone(),
                    (OverKind::Grid, _) => {
                        return self.fail(errors::not_yet("a cell over a grid", over.span));
                    }
                    (OverKind::Tree, _) => {
                        return self.fail(errors::not_yet("a cell over a tree", over.span));
                    }
                    _ => return self.fail(errors::chain_has_one_axis(over.span)),
                },
            });
        }
        let layers = text.layers.clone();
        frame.text = text;
        let id = FrameId(self.frames.len() as u32);
        self.frames.push(frame);
        self.frame_mut(id).statics = layers.iter().map(|_| BTreeMap::new()).collect();
        for (l, layer) in layers.iter().enumerate().rev() {
            let (args, env, span) = match layers.get(l + 1) {
                Some(above) => (above.base_args, Env::new(id, l + 1), above.base_span),
                None => (origin.args, origin.env.clone(), origin.span),
            };
            let bound =
                self.bind_statics(id, l, layer.name, layer.statics, args, &env, &span, origin.may_lack)?;
            self.frame_mut(id).statics[l] = bound;
        }
        Ok(id)
    }

    /// The static parameters of one layer.
    #[allow(clippy::too_many_arguments)]
    fn bind_statics(
        &mut self,
        frame: FrameId,
        layer: usize,
        title: &Ident,
        statics: &'l [Static],
        args: &'l [Arg],
        env: &Env,
        span: &Span,
        may_lack: bool,
    ) -> R<BTreeMap<Name, StaticVal<'l>>> {
        let names: Vec<Name> = statics.iter().map(|s| s.name.name.clone()).collect();
        let mut given: BTreeMap<Name, &'l Expr> = BTreeMap::new();
        let positional = args.iter().filter(|a| a.name.is_none());
        for (i, arg) in positional.enumerate() {
            match names.get(i) {
                Some(name) => {
                    given.insert(name.clone(), &arg.value);
                }
                None => {
                    let list = signature(statics);
                    return self.fail(errors::too_many_statics(&title.written, &list, arg.span));
                }
            }
        }
        for arg in args {
            let Some(name) = &arg.name else { continue };
            let (false, [own]) = (name.prev, name.path.as_slice()) else {
                return self.fail(errors::unknown_static(&title.written, "a path", None, name.span));
            };
            if !names.contains(&own.name) {
                let near = nearest(&own.name, names.iter()).cloned();
                return self.fail(errors::unknown_static(&title.written, &own.written, near, name.span));
            }
            if given.insert(own.name.clone(), &arg.value).is_some() {
                return self.fail(errors::static_twice(&own.written, arg.span));
            }
        }
        let mut out = BTreeMap::new();
        for s in statics {
            let kind = self.static_kind(s)?;
            let slot = match (given.get(&s.name.name), &s.default) {
                (Some(e), _) if matches!(e.kind, ExprKind::Hole) => match kind {
                    StaticKind::Dim => Slot::Hole,
                    _ => return self.fail(errors::hole_for_other(&s.name.written, kind.word(), e.span)),
                },
                (Some(e), _) => Slot::Lazy(e, env.clone()),
                (None, Some(default)) if matches!(default.kind, ExprKind::Hole) => Slot::Hole,
                (None, Some(default)) => Slot::Lazy(default, Env::new(frame, layer)),
                (None, None) if may_lack && kind == StaticKind::Dim => Slot::Hole,
                (None, None) => {
                    let list = signature(statics);
                    let d =
                        errors::static_missing(&title.written, &list, &s.name.written, kind.word(), *span);
                    return self.fail(d);
                }
            };
            let words: &'l [Ident] = if kind == StaticKind::Choice { &s.kind } else { &[] };
            out.insert(s.name.name.clone(), StaticVal { slot, kind, words, span: s.span });
        }
        Ok(out)
    }

    /// Evaluates all static parameters, so that a wrong one is reported though nothing reads it.
    pub fn force_statics(&mut self, frame: FrameId, span: Span) -> R<()> {
        for l in (0..self.frame(frame).statics.len()).rev() {
            let names: Vec<Name> = self.frame(frame).statics[l].keys().cloned().collect();
            for name in names {
                self.static_value(frame, l, &name, span)?;
            }
        }
        Ok(())
    }

    /// Gives an instance its inputs.
    fn bind_args(
        &mut self,
        frame: FrameId,
        args: Args<'l>,
        inner: Vec<(Vec<Name>, bool, Val<'l>, Span)>,
        env: &Env,
        span: Span,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let is_layer = self.frame(frame).kind == FrameKind::Layer;
        let title = self.frame(frame).title.clone();
        let ins: Vec<Name> = match is_layer {
            true => text.inputs.iter().map(|i| i.name.name.clone()).collect(),
            false => text.declared(Kind::In).map(|e| e.name.clone()).collect(),
        };
        let mut given: BTreeMap<Name, (Val<'l>, Span)> = BTreeMap::new();
        // A bundle with an output for every input fills them by name.
        let bundle = match args.positional.as_slice() {
            [(Val::Instance(b), at)] if ins.len() > 1 => {
                let outs = self.outs_of(*b)?;
                let found: Option<Vec<_>> =
                    ins.iter().map(|n| outs.iter().find(|o| o.name == *n).cloned()).collect();
                found.map(|outs| (*b, outs, *at))
            }
            _ => None,
        };
        if let Some((b, outs, at)) = bundle {
            for out in outs {
                let val = self.out_value(b, &out, at)?;
                given.insert(out.name.clone(), (val, at));
            }
        } else {
            for (i, (val, at)) in args.positional.into_iter().enumerate() {
                match ins.get(i) {
                    Some(name) => {
                        given.insert(name.clone(), (val, at));
                    }
                    None if self.is_stand_in(frame) => return self.unknown_value(),
                    None => return self.fail(errors::too_many_inputs(&title, &ins, at)),
                }
            }
        }
        let named = args.named.into_iter().map(|(name, val, at)| {
            (name.path.iter().map(|p| p.name.clone()).collect::<Vec<_>>(), name.prev, val, at)
        });
        let all: Vec<_> = inner.into_iter().chain(named).collect();
        for (path, prev, val, at) in all {
            let [own] = path.as_slice() else {
                self.frame_mut(frame).inner.push((path, prev, val, at));
                continue;
            };
            self.bind_named(frame, own, prev, val, at, &ins, &mut given)?;
        }
        self.bind_inputs(frame, given, env, span)
    }

    #[allow(clippy::too_many_arguments)]
    fn bind_named(
        &mut self,
        frame: FrameId,
        own: &Name,
        prev: bool,
        val: Val<'l>,
        at: Span,
        ins: &[Name],
        given: &mut BTreeMap<Name, (Val<'l>, Span)>,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let title = self.frame(frame).title.clone();
        let kind = |n: &str| text.get(n).and_then(|e| e.declared.as_ref()).map(|d| d.kind);
        if prev {
            if kind(own) != Some(Kind::State) {
                if self.is_stand_in(frame) {
                    return self.unknown_value();
                }
                return self.fail(errors::prev_of_no_state(&title, own, at));
            }
            let node = self.force_node(val, at)?;
            self.frame_mut(frame).prev.get_or_insert_default().insert(own.clone(), node);
            return Ok(());
        }
        if ins.contains(own) || matches!(kind(own), Some(Kind::In | Kind::Mem | Kind::Param)) {
            if given.insert(own.clone(), (val, at)).is_some() {
                return self.fail(errors::input_twice(own, at));
            }
            return Ok(());
        }
        if let Some(stem) = own.strip_suffix('0')
            && kind(stem) == Some(Kind::State)
        {
            let node = self.force_node(val, at)?;
            self.frame_mut(frame).starts.insert(stem.into(), (node, at));
            return Ok(());
        }
        if self.is_stand_in(frame) {
            return self.unknown_value();
        }
        let mut known: Vec<Name> = ins.to_vec();
        for e in &text.entries {
            match e.declared.as_ref().map(|d| d.kind) {
                Some(Kind::Mem | Kind::Param) => known.push(e.name.clone()),
                Some(Kind::State) => known.push(format!("{}0", e.name).into()),
                _ => {}
            }
        }
        let near = nearest(own, known.iter()).cloned();
        self.fail(errors::unknown_argument(&title, own, near, at))
    }

    /// Decides the domain of an instance by its inputs, and binds its open dimensions.
    fn bind_inputs(
        &mut self,
        frame: FrameId,
        given: BTreeMap<Name, (Val<'l>, Span)>,
        env: &Env,
        span: Span,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let is_cell = self.frame(frame).kind == FrameKind::Cell;
        let mut found: Option<(DomainId, Span)> = None;
        let mut arrays: Vec<super::types::Given<'l>> = Vec::new();
        for (name, (val, at)) in given {
            let declared = text.get(&name).and_then(|e| e.declared.clone()).filter(|_| is_cell);
            let input = text.inputs.iter().find(|i| i.name.name == name);
            let ty = match (&declared, input) {
                (Some(d), _) => d.ty,
                (_, Some(i)) => i.ty.as_ref(),
                _ => None,
            };
            if let Some(i) = input.filter(|i| !i.kind.is_empty()) {
                self.static_input(i, &val, at)?;
                self.frame_mut(frame).given.insert(name, val);
                continue;
            }
            let kind = declared.as_ref().map(|d| d.kind);
            if let (true, Some(Type { kind: TypeKind::Domain { .. }, span })) = (is_cell, ty) {
                return self.fail(errors::not_yet("a cell with a whole sequence as its input", *span));
            }
            // What may not be over a domain does not decide it.
            if kind == Some(Kind::Mem) || kind == Some(Kind::Param) {
                let node = self.force_node(val.clone(), at)?;
                let limit = if kind == Some(Kind::Mem) { Level::Example } else { Level::Shared };
                if self.graph.level(node) > limit {
                    return self.fail(errors::mem_varies(&name, kind == Some(Kind::Mem), at));
                }
            } else if !matches!(val, Val::Recipe(_) | Val::Func(_) | Val::Part(_)) {
                let arr = self.force(val.clone(), at)?;
                if arr.along != 0 {
                    return Err(Stop::NoAlong(at));
                }
                if let Level::Over(d) = self.graph.level(arr.node) {
                    match found {
                        Some((other, first)) if other != d => {
                            let name = |d: DomainId| self.graph.domains[d.index()].extent.to_string();
                            let error = errors::two_domains((&name(other), first), (&name(d), at), span);
                            return self.fail(error);
                        }
                        _ => found = Some((d, at)),
                    }
                }
            }
            let layer = declared.as_ref().map_or(0, |d| d.layer);
            match ty {
                Some(ty) => {
                    let sets = match &declared {
                        Some(d) if !d.index.is_empty() => self.sets_of(frame, &name)?.len(),
                        _ => 0,
                    };
                    arrays.push(super::types::Given { name, ty, layer, family: sets, val, span: at });
                }
                None => {
                    self.frame_mut(frame).given.insert(name, val);
                }
            }
        }
        for node in self.frame(frame).prev.iter().flat_map(|p| p.values()).copied().collect::<Vec<NodeId>>() {
            if let Level::Over(d) = self.graph.level(node) {
                found = found.or(Some((d, span)));
            }
        }
        let caller = self.frame(env.frame);
        let ambient = caller.domain.filter(|_| caller.pointwise || !is_cell);
        let early = self.frame(frame).domain;
        let domain = found.map(|(d, _)| d).or(ambient);
        if !self.frame(frame).states.is_empty() && early != domain {
            return self.fail(errors::not_yet("an instance that reads itself over another sequence", span));
        }
        self.frame_mut(frame).domain = domain;
        if is_cell {
            self.bind_extent(frame, span)?;
        }
        let arrays = self.bind_types(frame, arrays)?;
        for (name, val) in arrays {
            self.frame_mut(frame).given.insert(name, val);
        }
        self.force_statics(frame, span)
    }

    /// `chain(t in 1..T)`: T is bound to the length, or a known T is the length.
    pub fn bind_extent(&mut self, frame: FrameId, span: Span) -> R<()> {
        let text = self.frame(frame).text.clone();
        let Some(axis) = text.over.and_then(|o| o.axes.first()) else { return Ok(()) };
        let Some(set) = &axis.set else { return Ok(()) };
        let Some(hi) = &set.hi else {
            return self.fail(errors::extent_wants_range(&axis.name.written, set.span));
        };
        let env = Env::new(frame, 0);
        if self.eval(&set.lo, &env.of_dims())?.as_int() != Some(1) {
            return self.fail(errors::extent_wants_range(&axis.name.written, set.span));
        }
        let name = match &strip(hi).kind {
            ExprKind::Name(p) => Some(pick(p, 0)),
            _ => None,
        };
        let open = name
            .as_ref()
            .is_some_and(|n| self.find_static(frame, 0, n).is_none() && !text.dims.contains_key(n));
        if let (true, Some(name)) = (open, name.clone()) {
            let domain = match self.frame(frame).domain {
                Some(d) => d,
                None => {
                    let title = self.frame(frame).title.clone();
                    return self.fail(errors::no_chain(&title, &name, Some(span), set.span));
                }
            };
            let f = self.frame_mut(frame);
            f.named_extent = true;
            f.free.insert(name, Val::Extent(domain));
            return Ok(());
        }
        let n = self.eval(hi, &env.of_dims())?;
        if let Val::Dim(d) = &n {
            let d = d.clone();
            self.want_number(&d);
        }
        let fixed = match n.as_int().and_then(|n| u32::try_from(n).ok()) {
            Some(n) => n,
            None => return self.fail(errors::range_wants_numbers(set.span)),
        };
        match self.frame(frame).domain {
            None => {
                let extent = name.unwrap_or_else(|| "n".into());
                let var = axis.name.name.clone();
                let domain = self.new_domain(&extent, &var, Some(fixed));
                self.frame_mut(frame).domain = Some(domain);
            }
            Some(d) => {
                if self.graph.domains[d.index()].kind != (DomainKind::Chain { fixed: Some(fixed) }) {
                    return self.fail(errors::fixed_chain(fixed, set.span, span));
                }
            }
        }
        Ok(())
    }

    /// A new chain with a name of its own for its length.
    pub fn new_domain(&mut self, extent: &str, var: &str, fixed: Option<u32>) -> DomainId {
        let mut own = extent.to_string();
        while self.symbols.contains(own.as_str()) || self.graph.domains.iter().any(|d| *d.extent == *own) {
            own.push('\'');
        }
        self.symbols.insert(own.as_str().into());
        self.graph.domain(Domain { extent: own.into(), var: var.into(), kind: DomainKind::Chain { fixed } })
    }

    /// A function's body with its inputs put in.
    fn call_fn(&mut self, item: ItemId, args: Args<'l>, env: &Env, span: Span) -> R<Val<'l>> {
        let caller = self.frame(env.frame);
        let (path, param_path) = (caller.path.clone(), caller.param_path.clone());
        let (domain, pointwise, order) = (caller.domain, caller.pointwise, caller.order.clone());
        let nesting = caller.nesting + 1;
        if nesting > MAX_NESTING {
            return self.fail(errors::too_nested(MAX_NESTING, span));
        }
        let frame = self.new_frame(Origin {
            item,
            args: &[],
            env,
            path,
            param_path,
            span,
            top: false,
            may_lack: false,
        })?;
        let f = self.frame_mut(frame);
        f.domain = domain;
        f.pointwise = pointwise;
        f.order = order;
        f.nesting = nesting;
        let text = self.frame(frame).text.clone();
        let title = self.frame(frame).title.clone();
        let names: Vec<Name> = text.inputs.iter().map(|i| i.name.name.clone()).collect();
        let mut given: BTreeMap<Name, (Val<'l>, Span)> = BTreeMap::new();
        for (i, (val, at)) in args.positional.into_iter().enumerate() {
            match names.get(i) {
                Some(name) => {
                    given.insert(name.clone(), (val, at));
                }
                None => return self.fail(errors::too_many_inputs(&title, &names, at)),
            }
        }
        for (name, val, at) in args.named {
            let own = match name.path.as_slice() {
                [own] if !name.prev && names.contains(&own.name) => own,
                path => {
                    let own = path.first().map_or_else(|| "?".into(), |p| p.name.clone());
                    let near = nearest(&own, names.iter()).cloned();
                    return self.fail(errors::unknown_argument(&title, &own, near, at));
                }
            };
            if given.insert(own.name.clone(), (val, at)).is_some() {
                return self.fail(errors::input_twice(&own.written, at));
            }
        }
        self.bind_fn_inputs(frame, given, span)?;
        self.first_out(frame, span)
    }

    /// Types of a function's arguments, defaults of those not given.
    fn bind_fn_inputs(
        &mut self,
        frame: FrameId,
        mut given: BTreeMap<Name, (Val<'l>, Span)>,
        span: Span,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let title = self.frame(frame).title.clone();
        let mut arrays = Vec::new();
        let scalars = text.inputs.iter().all(|i| match &i.ty {
            Some(ty) => matches!(&ty.kind, TypeKind::Array(dims) if dims.is_empty()),
            None => true,
        });
        for input in text.inputs {
            let name = input.name.name.clone();
            let (val, at) = match (given.remove(&name), &input.default) {
                (Some(v), _) => v,
                (None, Some(default)) => (self.eval(default, &Env::new(frame, 0))?, default.span),
                (None, None) => return self.fail(errors::input_not_given(&name, &title, span, input.span)),
            };
            match &input.ty {
                // A function of scalars works on arrays, element by element.
                Some(ty) if !scalars => {
                    arrays.push(super::types::Given { name, ty, layer: 0, family: 0, val, span: at });
                }
                _ => {
                    if !input.kind.is_empty() {
                        self.static_input(input, &val, at)?;
                    }
                    self.frame_mut(frame).given.insert(name, val);
                }
            }
        }
        for (name, val) in self.bind_types(frame, arrays)? {
            self.frame_mut(frame).given.insert(name, val);
        }
        Ok(())
    }

    fn static_input(&mut self, input: &'l InputDecl, val: &Val<'l>, at: Span) -> R<()> {
        let ok = match input.kind.as_slice() {
            [k] => match &*k.name {
                "real" => matches!(val, Val::Num(_) | Val::Dim(_) | Val::Arr(_) | Val::Extent(_)),
                "bool" => matches!(val, Val::Bool(_)),
                "fn" => matches!(val, Val::Func(_)),
                "cell" => matches!(val, Val::Recipe(_)),
                _ => false,
            },
            _ => false,
        };
        match ok {
            true => Ok(()),
            false => {
                let want = input.kind.first().map_or("known value", |k| &k.written);
                self.fail(errors::static_kind(&input.name.written, want, val.kind(), at))
            }
        }
    }

    // Outputs.

    pub fn outs_of(&mut self, frame: FrameId) -> R<Vec<OutRef<'l>>> {
        let text = self.frame(frame).text.clone();
        let mut out: Vec<OutRef<'l>> = Vec::new();
        // How often each name has been taken.
        let mut taken: BTreeMap<Name, usize> = BTreeMap::new();
        if let Some(expr) = text.result {
            taken.insert("out".into(), 1);
            out.push(OutRef { name: "out".into(), layer: 0, expr, brace: None });
        }
        for (layer, item) in &text.outs {
            let names = match &item.name {
                Some(p) => expand(p),
                None => match base_name(&item.value) {
                    Some(p) => expand(p),
                    None => Ok(vec![("out".into(), None)]),
                },
            };
            let names = match names {
                Ok(names) => names,
                Err(d) => return self.fail(d),
            };
            for (name, brace) in names {
                let mut own = name.clone();
                while taken.contains_key(&own) {
                    if item.name.is_some() {
                        return self.fail(errors::two_outs(&name, item.span));
                    }
                    let times = taken.entry(name.clone()).or_insert(1);
                    *times += 1;
                    own = format!("{name}{times}").into();
                }
                taken.insert(own.clone(), 1);
                out.push(OutRef { name: own, layer: *layer, expr: &item.value, brace });
            }
        }
        Ok(out)
    }

    pub fn out_value(&mut self, frame: FrameId, out: &OutRef<'l>, _span: Span) -> R<Val<'l>> {
        let mut env = Env::new(frame, out.layer);
        env.brace = out.brace;
        self.eval(out.expr, &env)
    }

    /// The name an output hands on, if it is one.
    pub fn out_name(&mut self, frame: FrameId, out: &OutRef<'l>) -> R<Option<(FrameId, Name, Vec<i64>)>> {
        let mut env = Env::new(frame, out.layer);
        env.brace = out.brace;
        match &strip(out.expr).kind {
            ExprKind::Name(_) | ExprKind::Field { .. } => {}
            ExprKind::Index { base, .. } if matches!(strip(base).kind, ExprKind::Name(_)) => {
                let ExprKind::Name(p) = &strip(base).kind else { return Ok(None) };
                let name = self.pattern_name(p, &env)?;
                if self.frame(frame).text.get(&name).is_none() || self.arity(frame, &name)? == 0 {
                    return Ok(None);
                }
            }
            _ => return Ok(None),
        }
        match self.eval_ref(out.expr, &env)? {
            super::place::Ref::Def(f, n, i) if i.len() == self.arity(f, &n)? => Ok(Some((f, n, i))),
            _ => Ok(None),
        }
    }

    pub fn first_out_name(&mut self, frame: FrameId) -> R<Option<(FrameId, Name, Vec<i64>)>> {
        match self.outs_of(frame)?.into_iter().next() {
            Some(out) => self.out_name(frame, &out),
            None => Ok(None),
        }
    }

    /// An application used as a plain value is its first output.
    pub fn first_out(&mut self, frame: FrameId, span: Span) -> R<Val<'l>> {
        match self.outs_of(frame)?.into_iter().next() {
            Some(out) => self.out_value(frame, &out, span),
            None => {
                let title = self.frame(frame).title.clone();
                self.fail(errors::no_out(&title, span))
            }
        }
    }
}

/// The name an output is called by when none is given.
fn base_name(e: &Expr) -> Option<&Pattern> {
    match &strip(e).kind {
        ExprKind::Name(p) => Some(p),
        ExprKind::Index { base, .. } => base_name(base),
        ExprKind::Field { field, .. } => Some(field),
        _ => None,
    }
}

/// `I, H, bias_f`.
pub fn signature(statics: &[Static]) -> String {
    statics.iter().map(|s| s.name.written.to_string()).collect::<Vec<_>>().join(", ")
}

pub fn empty_frame<'l>(kind: FrameKind, title: Name) -> Frame<'l> {
    Frame {
        kind,
        title,
        text: Rc::default(),
        apps: Rc::default(),
        path: String::new(),
        param_path: String::new(),
        domain: None,
        var: None,
        named_extent: false,
        pointwise: false,
        top: false,
        statics: Vec::new(),
        free: BTreeMap::new(),
        any: None,
        given: BTreeMap::new(),
        starts: BTreeMap::new(),
        prev: None,
        inner: Vec::new(),
        nesting: 0,
        order: Vec::new(),
        span: None,
        memo: BTreeMap::new(),
        side_memo: BTreeMap::new(),
        sets: BTreeMap::new(),
        states: BTreeMap::new(),
        applied: BTreeMap::new(),
    }
}
