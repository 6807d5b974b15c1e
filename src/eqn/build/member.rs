//! What a value is made of: components of an array, and what an instance offers behind a dot.

use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::frames::Origin;
use super::place::Ref;
use super::value::*;
use crate::eqn::{Op, Ty};
use crate::resolve::text::{Kind, pick};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::*;

impl<'l> Builder<'l> {
    pub(super) fn components(
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
                let var = self.var_name(env.frame);
                return self.fail(errors::no_edge("here", var.as_deref(), span, None));
            };
            let last = i + 1 == places.len();
            arr = self.component(arr, set, last, base, env, span)?;
        }
        Ok(Val::Arr(arr))
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
            Val::Extent(_) | Val::Lengths(_) => return self.fail(errors::length_as_dim(set.span)),
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
    pub(super) fn field(
        &mut self,
        val: Val<'l>,
        base: Span,
        (name, own): (&Name, Span),
        env: &Env,
        span: Span,
    ) -> R<Ref<'l>> {
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
                let steps_here = self.own_axes(inner).iter().any(|a| self.frame(env.frame).at.contains(a));
                if steps_here && !self.frame(env.frame).space.named_extent {
                    return self.fail(errors::last_of_own_steps(name, span));
                }
                return match r {
                    Ref::Def(frame, n, index) if index.len() == self.arity(frame, &n)? => {
                        Ok(Ref::Val(Val::node(self.last_of(frame, &n, &index, span)?)))
                    }
                    r => {
                        let val = self.ref_value(r, span)?;
                        let node = self.force_node(val, span)?;
                        let axes = self.own_axes(inner);
                        Ok(Ref::Val(Val::node(self.last_node(node, &axes, None, span)?)))
                    }
                };
            }
        }
        if self.is_stand_in(inner) {
            return self.unknown_value();
        }
        let title = self.frame(inner).title.clone();
        let text = &self.frame(inner).text;
        let last = text.declared(Kind::State).map(|e| Name::from(format!("{}_last", e.name)));
        let names: Vec<Name> = text.names().cloned().chain(last).collect();
        let near = crate::resolve::nearest(name, names.iter()).cloned();
        self.fail(errors::no_field(name, &title, near, own, span))
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
            written: Some(part.recipe.span),
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
