//! What an instance offers: its outputs, by name, and the first of them as its value.

use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::value::*;
use crate::eqn::{Op, Point};
use crate::resolve::text::expand;
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::BTreeMap;

/// One output of a frame.
#[derive(Clone, Debug)]
pub struct OutRef<'l> {
    pub name: Name,
    pub layer: usize,
    pub expr: &'l Expr,
    /// `for l = L`: the axis and the position.
    pub at: Option<&'l (Ident, Expr)>,
    pub brace: crate::resolve::text::Brace,
}
impl<'l> Builder<'l> {
    pub fn outs_of(&mut self, frame: FrameId) -> R<Vec<OutRef<'l>>> {
        let text = self.frame(frame).text.clone();
        let mut out: Vec<OutRef<'l>> = Vec::new();
        // How often each name has been taken.
        let mut taken: BTreeMap<Name, usize> = BTreeMap::new();
        if let Some(expr) = text.result {
            taken.insert("out".into(), 1);
            out.push(OutRef { name: "out".into(), layer: 0, expr, at: None, brace: None });
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
                out.push(OutRef {
                    name: own,
                    layer: *layer,
                    expr: &item.value,
                    at: item.for_.as_ref(),
                    brace,
                });
            }
        }
        Ok(out)
    }

    pub fn out_value(&mut self, frame: FrameId, out: &OutRef<'l>, _span: Span) -> R<Val<'l>> {
        let mut env = Env::new(frame, out.layer);
        env.brace = out.brace;
        let val = self.eval(out.expr, &env)?;
        match out.at {
            Some((axis, place)) => self.out_at(val, out.expr.span, axis, place, &env),
            None => Ok(val),
        }
    }

    /// `out y = h[l] for l = L`: one position of an axis; the value is over the others.
    fn out_at(
        &mut self,
        val: Val<'l>,
        span: Span,
        axis: &'l Ident,
        place: &'l Expr,
        env: &Env,
    ) -> R<Val<'l>> {
        let title = self.frame(env.frame).title.clone();
        let Some(Some(domain)) = self.axis_variable(env.frame, &axis.name) else {
            return self.fail(errors::no_such_axis(&axis.written, &title, axis.span));
        };
        let position = self.eval(place, &env.of_dims())?;
        let point = match (&position, position.as_int()) {
            (Val::Extent(d), _) if *d == domain => Point::Last,
            (_, Some(1)) => Point::First,
            (_, Some(k)) => match u32::try_from(k).ok().filter(|k| *k > 0) {
                Some(k) => Point::Fixed(k),
                None => return self.fail(errors::position_from_one(k, place.span)),
            },
            (val, None) => {
                if let Val::Dim(d) = val {
                    self.want_number(d);
                }
                return self.fail(errors::not_a_known_number(position.kind(), place.span));
            }
        };
        let node = self.force_node(val, span)?;
        if !self.axes_of(node).contains(&domain) {
            return Ok(Val::node(node));
        }
        let shape = self.graph.shape(node).clone();
        let empty = self.filled(0.0, &shape, span)?;
        self.add(Op::At { arg: node, axis: domain, point, empty }, span).map(Val::node)
    }

    /// The name an output hands on, if it is one.
    pub fn out_name(&mut self, frame: FrameId, out: &OutRef<'l>) -> R<Option<(FrameId, Name, Vec<i64>)>> {
        if out.at.is_some() {
            return Ok(None);
        }
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
                self.fail(errors::no_out(&title, span, None))
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
