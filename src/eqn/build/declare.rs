//! What a declaration makes of a name: shapes and types, arrays of parameters, noise, parts.

use super::builder::Builder;
use super::errors;
use super::value::*;
use crate::eqn::{Init, Level, NodeId, ParamInfo, Source, SourceKind, Ty};
use crate::resolve::text::{Declared, Equated, Kind};
use crate::shape::{Dim, Shape};
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::print::{Style, print_expr};
use std::rc::Rc;

impl<'l> Builder<'l> {
    /// The value in its declared shape: a scalar fills it.
    pub(super) fn declared_value(
        &mut self,
        frame: FrameId,
        name: &Name,
        val: Val<'l>,
        equated: &Equated<'l>,
    ) -> R<Val<'l>> {
        let text = self.frame(frame).text.clone();
        let declared = text.get(name).and_then(|e| e.declared.clone());
        let Some(d) = declared.filter(|d| d.ty.is_some()) else {
            return match val {
                Val::Word(_) | Val::Func(_) => {
                    let span = equated.equation.value.span;
                    self.force(val, span).map(Val::Arr)
                }
                val => Ok(val),
            };
        };
        let span = equated.equation.value.span;
        let (shape, ty) = self.declared_type(frame, &d)?;
        let arr = self.force(val, span)?;
        if arr.along != 0 {
            return Err(Stop::NoAlong(span));
        }
        if *self.graph.ty(arr.node) != ty && self.graph.as_const(arr.node).is_none() {
            let d = errors::declared_type(name, &ty, self.graph.ty(arr.node), span, d.span);
            return self.fail(d);
        }
        let found = self.graph.shape(arr.node).clone();
        if found.is_empty() && !shape.is_empty() {
            return Ok(Val::node(self.spread(arr.node, &shape, span)?));
        }
        if found != shape {
            return self.fail(errors::declared_shape(name, &shape, &found, span, d.span));
        }
        Ok(Val::Arr(arr))
    }

    /// Shape and type of one member of a declaration; its domain must be the frame's own.
    pub fn declared_type(&mut self, frame: FrameId, d: &Declared<'l>) -> R<(Shape, Ty)> {
        let Some(ty) = d.ty else { return self.fail(errors::no_type(d.span)) };
        let mut env = Env::new(frame, d.layer);
        env.brace = d.brace;
        self.plain_type(frame, ty, &env)
    }

    /// Shape and type of a type without a domain.
    pub fn plain_type(&mut self, frame: FrameId, ty: &'l Type, env: &Env) -> R<(Shape, Ty)> {
        match &ty.kind {
            TypeKind::Array(dims) => {
                let shape = dims.iter().map(|e| self.eval_dim(e, env)).collect::<R<Vec<_>>>()?;
                Ok((shape, Ty::Real))
            }
            TypeKind::AnyShape => match self.frame(frame).any.clone() {
                Some(shape) => Ok((shape, Ty::Real)),
                None => self.fail(errors::any_shape_unknown(ty.span)),
            },
            TypeKind::Id(k) => Ok((Vec::new(), Ty::Id(self.eval_dim(k, env)?))),
            TypeKind::Bool => Ok((Vec::new(), Ty::Bool)),
            TypeKind::Domain { .. } => self.fail(errors::domain_type_here(ty.span)),
        }
    }

    /// Shape of the array of a whole family.
    pub fn family_shape(&mut self, sets: &[FamilySet], member: &[Dim], span: Span) -> R<Shape> {
        let mut shape = Vec::new();
        for set in sets {
            shape.push(match set {
                FamilySet::Range(a, b) => Dim::constant((b - a + 1).max(0)),
                FamilySet::Symbolic(d) => d.clone(),
                FamilySet::Points(_) => continue,
            });
        }
        shape.extend(member.iter().cloned());
        if shape.iter().any(|d| d.as_constant() == Some(0)) {
            return self.fail(errors::empty_array(span));
        }
        Ok(shape)
    }

    /// A family used bare: one array with its remaining index axes first.
    pub fn family_array(&mut self, frame: FrameId, name: &Name, index: &[i64], span: Span) -> R<NodeId> {
        let sets = self.sets_of(frame, name)?;
        let text = self.frame(frame).text.clone();
        let declared = text.get(name).filter(|e| e.equated.is_none()).and_then(|e| e.declared.clone());
        if let Some(d) = declared.filter(|d| d.kind == Kind::Param)
            && index.is_empty()
            && !self.frame(frame).given.contains_key(name)
        {
            return self.param_array(frame, name, &d, &sets);
        }
        if let Some(val) = self.frame(frame).given.get(name).cloned()
            && index.is_empty()
            && !matches!(&val, Val::Family(f, n, _) if *f == frame && n == name)
        {
            return self.force_node(val, span);
        }
        let Some(FamilySet::Range(lo, hi)) = sets.get(index.len()).cloned() else {
            let val = self.eval_def(frame, name, index, span)?;
            return self.force_node(val, span);
        };
        let arity = self.arity(frame, name)?;
        let mut parts = Vec::new();
        for i in lo..=hi {
            let mut member = index.to_vec();
            member.push(i);
            let node = match member.len() == arity {
                true => {
                    let val = self.eval_def(frame, name, &member, span)?;
                    self.force_node(val, span)?
                }
                false => self.family_array(frame, name, &member, span)?,
            };
            if let Some(first) = parts.first()
                && self.graph.shape(*first) != self.graph.shape(node)
            {
                return self.fail(errors::members_differ(name, span));
            }
            parts.push(node);
        }
        if parts.is_empty() {
            return self.fail(errors::empty_array(span));
        }
        self.stack_nodes(&parts, span)
    }

    pub(super) fn param(
        &mut self,
        frame: FrameId,
        name: &Name,
        d: &Declared<'l>,
        index: &[i64],
        sets: &[FamilySet],
    ) -> R<Val<'l>> {
        let mut node = self.param_array(frame, name, d, sets)?;
        for (i, set) in index.iter().zip(sets) {
            if let FamilySet::Range(lo, _) = set {
                node = self.element(node, Dim::constant(i - lo), d.span)?;
            }
        }
        Ok(Val::node(node))
    }

    fn param_array(
        &mut self,
        frame: FrameId,
        name: &Name,
        d: &Declared<'l>,
        sets: &[FamilySet],
    ) -> R<NodeId> {
        if sets.iter().any(|s| matches!(s, FamilySet::Points(_))) {
            return self.fail(errors::param_by_position(name, d.span));
        }
        let full = format!("{}{name}", self.frame(frame).param_path);
        let (member, ty) = self.declared_type(frame, d)?;
        if ty != Ty::Real {
            return self.fail(errors::param_type(name, d.span));
        }
        let shape = self.family_shape(sets, &member, d.span)?;
        if let Some(node) = self.params.get(&full).copied() {
            if *self.graph.shape(node) != shape {
                let known = self.graph.shape(node).clone();
                return self.fail(errors::part_shapes(
                    &full,
                    &known,
                    &shape,
                    self.frame(frame).span.unwrap_or(d.span),
                ));
            }
            return Ok(node);
        }
        let mut env = Env::new(frame, d.layer);
        env.brace = d.brace;
        let init = match (d.value, d.dist) {
            (Some(value), _) => Init::Value(self.eval_scalar(value, &env)?),
            (_, Some(dist)) => Init::Dist(self.eval_dist(dist, &env)?),
            (None, None) => {
                let ty = d.ty.map_or(d.span, |ty| ty.span);
                let rows = d.ty.and_then(|ty| match &ty.kind {
                    TypeKind::Array(dims) if dims.len() > 1 => dims.first(),
                    _ => None,
                });
                let rows = rows.map(|e| print_expr(e, Style::UNICODE));
                return self.fail(errors::param_without_value(name, d.span, ty, rows));
            }
        };
        let within = match d.within {
            Some(set) => Some(self.bounds(set, &env)?),
            None => None,
        };
        let node = self.source(
            Source {
                name: full.as_str().into(),
                kind: SourceKind::Param(ParamInfo { init, within }),
                shape,
                ty,
                level: Level::Shared,
                span: Some(d.span),
            },
            frame,
            name,
        );
        self.params.insert(full, node);
        Ok(node)
    }

    fn bounds(&mut self, set: &'l Set, env: &Env) -> R<(f64, f64)> {
        let dims = env.of_dims();
        let lo = self.eval(&set.lo, &dims)?;
        let hi = match &set.hi {
            Some(hi) => self.eval(hi, &dims)?,
            None => return self.fail(errors::bounds_want_range(set.span)),
        };
        match (&lo, &hi) {
            (Val::Num(a), Val::Num(b)) if a <= b => Ok((*a, *b)),
            (Val::Num(_), Val::Num(_)) => self.fail(errors::empty_bounds(set.span)),
            _ => self.fail(errors::not_a_known_number(lo.kind(), set.span)),
        }
    }

    pub(super) fn noise(&mut self, frame: FrameId, name: &Name, d: &Declared<'l>) -> R<Val<'l>> {
        if let Some(TargetIndex::Binder(b)) = d.index.first() {
            return self.fail(errors::not_yet("a family of noises", b.span));
        }
        let (shape, ty) = self.declared_type(frame, d)?;
        let Some(dist) = d.dist else { return self.fail(errors::no_type(d.span)) };
        let mut env = Env::new(frame, d.layer);
        env.brace = d.brace;
        let dist = self.eval_dist(dist, &env)?;
        let number = |s: &crate::eqn::Scalar| match s {
            crate::eqn::Scalar::Num(x) => Some(*x),
            _ => None,
        };
        let mean = match (&*dist.name, dist.args.as_slice()) {
            ("bernoulli", [p]) => number(p),
            ("uniform", [_]) | ("normal", _) => Some(0.0),
            ("uniform", [a, b]) => number(a).zip(number(b)).map(|(a, b)| (a + b) / 2.0),
            _ => return self.fail(errors::noise_distribution(&dist.name, d.span)),
        };
        if !self.options.training {
            return match mean {
                Some(mean) => Ok(Val::node(self.filled(mean, &shape, d.span)?)),
                None => self.fail(errors::not_a_known_number("dimension", d.span)),
            };
        }
        let level = match d.per.map(|p| &*p.name) {
            None => {
                let over = self.frame(frame).over.clone();
                self.level_over(over, d.span)?
            }
            Some("sequence") => Level::Example,
            Some("batch") => Level::Shared,
            Some(other) => return self.fail(errors::noise_per(other, d.span)),
        };
        let full = format!("{}{name}", self.frame(frame).path);
        let source =
            Source { name: full.into(), kind: SourceKind::Noise(dist), shape, ty, level, span: Some(d.span) };
        Ok(Val::node(self.source(source, frame, name)))
    }

    pub(super) fn part(&mut self, frame: FrameId, name: &Name, d: &Declared<'l>) -> R<Val<'l>> {
        let Some(expr) = d.recipe else { return self.fail(errors::no_type(d.span)) };
        let env = Env::new(frame, d.layer);
        let Val::Recipe(recipe) = self.recipe_of(expr, &env)? else {
            return self.fail(errors::not_a_recipe("expression", expr.span));
        };
        let path = format!("{}{name}", self.frame(frame).param_path);
        Ok(Val::Part(Rc::new(Part { recipe, path })))
    }
}
