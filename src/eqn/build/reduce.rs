//! `∑ k in n: …` and its sisters: over points, along an axis, or unrolled.

use super::builder::Builder;
use super::errors;
use super::statics::SetVal;
use super::value::*;
use crate::eqn::{Binary, Fold as EqnFold, Op};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::*;

impl<'l> Builder<'l> {
    pub fn eval_reduce(
        &mut self,
        fold: Fold,
        binders: &'l [Binder],
        where_: Option<&'l Expr>,
        body: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        let Some((binder, rest)) = binders.split_first() else { return self.eval(body, env) };
        match self.eval_set(&binder.set, env)? {
            SetVal::Positions(_) | SetVal::Region(..) => {
                self.over_points(fold, binders, where_, body, env, span)
            }
            SetVal::Symbolic(dim) => match self.along(fold, binder, rest, &dim, where_, body, env, span) {
                Err(Stop::NoAlong(at)) => {
                    self.want_number(&dim);
                    self.fail(errors::reduction_wants_number(&dim, at, span))
                }
                result => result,
            },
            SetVal::Range(lo, hi) => {
                let count = hi.saturating_sub(lo).saturating_add(1);
                // One operation on a whole axis is better than one for each member.
                if lo == 1 && count > 1 && rest.is_empty() && where_.is_none() {
                    match self.along(fold, binder, rest, &Dim::constant(hi), where_, body, env, span) {
                        Err(Stop::NoAlong(_)) => {}
                        result => return result,
                    }
                }
                self.unrolled(fold, binders, where_, body, env, span)
            }
        }
    }

    /// Every member on its own, joined in order.
    fn unrolled(
        &mut self,
        fold: Fold,
        binders: &'l [Binder],
        where_: Option<&'l Expr>,
        body: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        let mut parts: Vec<Val<'l>> = Vec::new();
        self.members(fold, binders, where_, body, env, span, &mut parts)?;
        let count = parts.len();
        let Some(first) = parts.first().cloned() else {
            return match fold {
                Fold::Sum => Ok(Val::Num(0.0)),
                Fold::Prod => Ok(Val::Num(1.0)),
                Fold::Concat => self.fail(errors::empty_concat(span)),
                Fold::Max | Fold::Min | Fold::Mean => {
                    self.fail(errors::empty_reduction(fold_word(fold), span))
                }
            };
        };
        if fold == Fold::Concat {
            let mut arrays = Vec::new();
            for part in parts {
                arrays.push((self.force(part, body.span)?, body.span));
            }
            return self.concat(&arrays, span).map(Val::Arr);
        }
        let mut acc = first;
        for next in parts.into_iter().skip(1) {
            acc = self.join(fold, acc, next, body.span, span)?;
        }
        if fold != Fold::Mean {
            return Ok(acc);
        }
        if let Val::Num(x) = acc {
            return Ok(Val::Num(x / count as f64));
        }
        let total = self.real(acc, span)?;
        let n = Arr { node: self.constant(count as f64), along: 0 };
        self.elementwise(Binary::Div, "/", (total, span), (n, span), span).map(Val::Arr)
    }

    #[allow(clippy::too_many_arguments)]
    fn members(
        &mut self,
        fold: Fold,
        binders: &'l [Binder],
        where_: Option<&'l Expr>,
        body: &'l Expr,
        env: &Env,
        span: Span,
        out: &mut Vec<Val<'l>>,
    ) -> R<()> {
        let Some((binder, rest)) = binders.split_first() else {
            if let Some(guard) = where_ {
                match self.eval(guard, env)? {
                    Val::Bool(true) => {}
                    Val::Bool(false) => return Ok(()),
                    _ => return self.fail(errors::where_of_members(guard.span)),
                }
            }
            let val = self.eval(body, env)?;
            out.push(val);
            return Ok(());
        };
        let (lo, hi) = match self.eval_set(&binder.set, env)? {
            SetVal::Range(lo, hi) => (lo, hi),
            SetVal::Symbolic(dim) => {
                self.want_number(&dim);
                return self.fail(errors::reduction_wants_number(&dim, binder.span, span));
            }
            SetVal::Positions(_) | SetVal::Region(..) => {
                if let (Fold::Mean, Some(guard)) = (fold, where_) {
                    return self.fail(errors::where_of_members(guard.span));
                }
                let val = self.over_points(fold, binders, where_, body, env, span)?;
                out.push(val);
                return Ok(());
            }
        };
        let count = hi.saturating_sub(lo).saturating_add(1).max(0);
        self.repeat(count as u64, span)?;
        for i in lo..=hi {
            let inner = env.clone().bind(&binder.name.name, Bind::Int(i));
            self.members(fold, rest, where_, body, &inner, span, out)?;
        }
        Ok(())
    }

    fn join(&mut self, fold: Fold, a: Val<'l>, b: Val<'l>, at: Span, span: Span) -> R<Val<'l>> {
        if let (Val::Num(x), Val::Num(y)) = (&a, &b) {
            return Ok(Val::Num(match fold {
                Fold::Prod => x * y,
                Fold::Max => {
                    if y > x {
                        *y
                    } else {
                        *x
                    }
                }
                Fold::Min => {
                    if y < x {
                        *y
                    } else {
                        *x
                    }
                }
                _ => x + y,
            }));
        }
        let (kind, sign) = match fold {
            Fold::Prod => (Binary::Mul, "∏"),
            Fold::Max => (Binary::Max, "max"),
            Fold::Min => (Binary::Min, "min"),
            _ => (Binary::Add, "∑"),
        };
        let x = self.real(a, at)?;
        let y = self.real(b, at)?;
        self.elementwise(kind, sign, (x, at), (y, at), span).map(Val::Arr)
    }

    /// The body once, for all members of the range together.
    #[allow(clippy::too_many_arguments)]
    fn along(
        &mut self,
        fold: Fold,
        binder: &'l Binder,
        rest: &'l [Binder],
        dim: &Dim,
        where_: Option<&'l Expr>,
        body: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        if where_.is_some() || !rest.is_empty() {
            return Err(Stop::NoAlong(span));
        }
        self.next_along += 1;
        let id = self.next_along;
        let inner = env.clone().bind(&binder.name.name, Bind::Along(id, dim.clone()));
        let val = self.eval(body, &inner)?;
        let arr = self.force(val, body.span)?;
        if arr.along != 0 && arr.along != id {
            return Err(Stop::NoAlong(span));
        }
        let n = |b: &mut Self| b.dim_number(dim, span);
        if fold == Fold::Concat {
            let node = self.run_along(arr, dim, span)?;
            let shape = self.graph.shape(node).clone();
            if let [rows, first, others @ ..] = shape.as_slice() {
                let mut joined = match rows.mul(first) {
                    Ok(d) => vec![d],
                    Err(e) => return self.dim_error(&e, span),
                };
                joined.extend(others.iter().cloned());
                return Ok(Val::node(self.reshape(node, &joined, span)?));
            }
            return Ok(Val::node(node));
        }
        if arr.along == 0 {
            // Every member is the same.
            return match fold {
                Fold::Sum => {
                    let n = n(self)?;
                    self.elementwise(Binary::Mul, "∑", (n, span), (arr, body.span), span).map(Val::Arr)
                }
                Fold::Prod => {
                    let n = n(self)?;
                    self.elementwise(Binary::Pow, "∏", (arr, body.span), (n, span), span).map(Val::Arr)
                }
                _ => Ok(Val::Arr(arr)),
            };
        }
        self.real(Val::Arr(arr), body.span)?;
        let kind = eqn_fold(fold);
        let node = self.add(Op::Reduce { fold: kind, arg: arr.node, axis: 0 }, span)?;
        let total = Arr { node, along: 0 };
        if fold == Fold::Mean {
            let n = n(self)?;
            return self.elementwise(Binary::Div, "/", (total, span), (n, span), span).map(Val::Arr);
        }
        Ok(Val::Arr(total))
    }

    /// A mean over no position is 0, so that an empty example does no harm.
    pub fn divide_by_count(
        &mut self,
        total: crate::eqn::NodeId,
        count: crate::eqn::NodeId,
        span: Span,
    ) -> R<crate::eqn::NodeId> {
        let one = self.constant(1.0);
        let count = self.add(Op::Binary(Binary::Max, count, one), span)?;
        self.add(Op::Binary(Binary::Div, total, count), span)
    }
}

/// The fold of a reduction; a mean is a sum first.
pub fn eqn_fold(fold: Fold) -> EqnFold {
    match fold {
        Fold::Prod => EqnFold::Prod,
        Fold::Max => EqnFold::Max,
        Fold::Min => EqnFold::Min,
        Fold::Sum | Fold::Mean | Fold::Concat => EqnFold::Sum,
    }
}

pub fn fold_word(fold: Fold) -> &'static str {
    match fold {
        Fold::Sum => "∑",
        Fold::Prod => "∏",
        Fold::Max => "max",
        Fold::Min => "min",
        Fold::Mean => "mean",
        Fold::Concat => "concat",
    }
}
