//! Recipes, instances, applications: whom a call means, and what its arguments give.
//!
//! An application makes a frame: static parameters from the recipe, inputs from the arguments, the domain
//! from what the inputs are over. Nothing of its body is evaluated until a name of it is asked for.

use super::builder::Builder;
use super::define::{strip, suffix};
use super::errors;
use super::frames::Origin;
use super::mend;
use super::names::{AppName, children};
use super::value::*;
use crate::diag::Edit;
use crate::resolve::text::{Kind, group_count};
use crate::resolve::{ItemId, item_name, nearest};
use crate::source::Span;
use crate::syntax::ast::*;
use std::rc::Rc;
use std::sync::Arc;

/// So deep instances stand in each other; an application inside itself would never end.
pub const MAX_NESTING: usize = 64;

/// Evaluated arguments of a call.
#[derive(Default)]
pub struct Args<'l> {
    pub positional: Vec<(Val<'l>, Span)>,
    pub named: Vec<(&'l ArgName, Val<'l>, Span)>,
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
        if let ExprKind::Field { base, field } = &strip(callee).kind
            && let Some(d) = self.foreign_method((base, field), args, env, span)
        {
            return self.fail(d);
        }
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
            if let [Arg { name: None, value, .. }] = args
                && self.var_name(env.frame).is_some_and(|var| mend::reads(value, &var))
            {
                let to = Span { end: value.span.start, start: callee.span.end, ..span };
                let from = Span { start: value.span.end, ..span };
                let edits = vec![Edit { span: to, text: "[".into() }, Edit { span: from, text: "]".into() }];
                return self.fail(errors::step_in_parentheses(&p.written, span, edits));
            }
            return self.fail(errors::not_a_function(&p.written, callee.span));
        }
        if let Some(d) = self.foreign_call(&p.written, callee.span, args, env, span) {
            return self.fail(d);
        }
        if let Some(edit) = self.drawn_by_equals(&name, env, span) {
            return self.fail(errors::distribution_as_function(&p.written, callee.span, edit));
        }
        let builtins: Vec<Name> = super::functions::builtins().chain(["sigmoid".into()]).collect();
        let near = nearest(&name, self.library.names(callee.span.file).chain(&builtins)).cloned();
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
        let f = self.frame(env.frame);
        let (wanted, param_path) = (format!("{}{name}", f.path), format!("{}{name}", f.param_path));
        let path = self.unique(wanted.clone());
        let param_path = match part {
            Some(p) => p.to_string(),
            // Where another instance has the name, its parameters are others too.
            None => format!("{param_path}{}", &path[wanted.len()..]),
        };
        let frame = self.new_frame(Origin {
            item: recipe.item,
            args: recipe.args,
            env: &recipe.env,
            path: format!("{path}."),
            param_path: format!("{param_path}."),
            span,
            written: Some(recipe.span),
            top: false,
            may_lack: false,
        })?;
        let caller = self.frame(env.frame);
        let pointwise = caller.pointwise;
        let own: Name = Arc::from(name.as_str());
        let inner = caller.inner.iter().filter(|(p, ..)| p.first() == Some(&own));
        let inner: Vec<_> = inner.map(|(p, prev, v, s)| (p[1..].to_vec(), *prev, v.clone(), *s)).collect();
        let order = self.order_in(env, at.1);
        let f = self.frame_mut(frame);
        f.order = order;
        f.nesting = nesting;
        f.pointwise = f.kind == FrameKind::Cell || pointwise;
        self.early_axes(frame, env)?;

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
}
