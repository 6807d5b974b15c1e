//! The functions of the language, by name.

use super::apply::Args;
use super::builder::Builder;
use super::errors;
use super::value::*;
use crate::eqn::{Binary, Fold, Op, Ty, Unary};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::Expr;

type Elementwise = (&'static str, Unary, fn(f64) -> f64);

/// Elementwise functions of one argument, with what they are of a number: on every computer the same.
const ELEMENTWISE: &[Elementwise] = &[
    ("σ", Unary::Sigmoid, |x| 1.0 / (1.0 + libm::exp(-x))),
    ("tanh", Unary::Tanh, libm::tanh),
    ("relu", Unary::Relu, |x| if x > 0.0 { x } else { x * 0.0 }),
    ("exp", Unary::Exp, libm::exp),
    ("log", Unary::Log, libm::log),
    ("log_sigmoid", Unary::LogSigmoid, |x| -libm::log1p(libm::exp(-x))),
    ("softplus", Unary::Softplus, |x| if x > 30.0 { x } else { libm::log1p(libm::exp(x)) }),
    ("sqrt", Unary::Sqrt, f64::sqrt),
    ("abs", Unary::Abs, f64::abs),
    ("sign", Unary::Sign, |x| if x == 0.0 { 0.0 } else { x.signum() }),
    ("sin", Unary::Sin, libm::sin),
    ("cos", Unary::Cos, libm::cos),
    ("floor", Unary::Floor, f64::floor),
    ("erf", Unary::Erf, libm::erf),
];

/// All others.
const OTHERS: &[&str] = &[
    "identity",
    "clamp",
    "max",
    "min",
    "binom",
    "softmax",
    "logsumexp",
    "norm",
    "argmax",
    "split",
    "rows",
    "zeros",
    "ones",
    "outer",
    "one_hot",
    "stop_gradient",
    "reverse",
    "shift",
    "first",
    "last",
    "flip",
    "pad",
    "append",
    "windows",
    "transpose",
    "flatten",
    "root",
    "repeat",
    "size",
];

/// All functions, in their canonical spelling.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    ELEMENTWISE.iter().map(|(n, ..)| *n).chain(OTHERS.iter().copied())
}

/// The function a name means, in its canonical spelling.
pub fn builtin(name: &str) -> Option<&'static str> {
    let name = if matches!(name, "sigmoid" | "sigma") { "σ" } else { name };
    function_names().find(|n| *n == name)
}

/// The names of all builtin functions.
pub fn builtins() -> impl Iterator<Item = crate::syntax::ast::Name> {
    let simple = ELEMENTWISE.iter().map(|(n, ..)| *n);
    simple.chain(OTHERS.iter().copied()).map(crate::syntax::ast::Name::from)
}

impl<'l> Builder<'l> {
    pub fn call_builtin(
        &mut self,
        f: &'static str,
        args: Args<'l>,
        callee: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        if let Some((name, ..)) = args.named.first() {
            return self.fail(errors::builtin_named(f, name.span));
        }
        let mut args = args.positional;
        let wanted = match f {
            "clamp" => 3..=3,
            "max" | "min" => 2..=64,
            "binom" | "outer" | "shift" | "flip" | "append" | "repeat" => 2..=2,
            "pad" | "windows" => 3..=3,
            "transpose" => 1..=3,
            "rows" | "zeros" | "ones" => 1..=64,
            _ => 1..=1,
        };
        if !wanted.contains(&args.len()) {
            return self.fail(errors::argument_count(f, &wanted, args.len(), span));
        }
        let Some(first) = args.first().cloned() else {
            return self.fail(errors::argument_count(f, &wanted, 0, span));
        };
        if let Some((_, kind, number)) = ELEMENTWISE.iter().find(|(n, ..)| *n == f) {
            if let Val::Num(x) = first.0 {
                return Ok(Val::Num(number(x)));
            }
            let arr = self.real(first.0, first.1)?;
            return self.unary(*kind, arr, span).map(Val::Arr);
        }
        match f {
            "identity" => Ok(first.0),
            "stop_gradient" => {
                let arr = self.force(first.0, first.1)?;
                self.unary(Unary::StopGradient, arr, span).map(Val::Arr)
            }
            "max" | "min" => {
                let mut acc = first;
                for next in args.drain(1..) {
                    acc = (self.extremum(f, acc, next, span)?, span);
                }
                Ok(acc.0)
            }
            "clamp" => {
                let mut rest = args.drain(1..);
                let (Some(lo), Some(hi)) = (rest.next(), rest.next()) else {
                    return self.fail(errors::argument_count(f, &wanted, 1, span));
                };
                drop(rest);
                let low = self.extremum("max", first, lo, span)?;
                self.extremum("min", (low, span), hi, span)
            }
            "binom" => match (first.0.as_int(), args.get(1).and_then(|a| a.0.as_int())) {
                (Some(n), Some(k)) if (0..=1000).contains(&n) => Ok(Val::Num(binomial(n, k))),
                _ => self.fail(errors::binom_static(span)),
            },
            "outer" => {
                let Some(second) = args.get(1).cloned() else {
                    return self.fail(errors::argument_count(f, &wanted, 1, span));
                };
                let a = self.vector(f, first)?;
                let b = self.vector(f, second.clone())?;
                self.same_domain((a, span), (b, second.1), span)?;
                Ok(Val::node(self.add(Op::Outer(a.node, b.node), span)?))
            }
            "one_hot" => {
                let index = self.force(first.0, first.1)?;
                if !matches!(self.graph.ty(index.node), Ty::Id(_)) {
                    return self.fail(errors::wants_id(f, first.1));
                }
                if index.along != 0 {
                    return Err(Stop::NoAlong(span));
                }
                let value = self.constant(1.0);
                Ok(Val::node(self.add(Op::Scatter { index: index.node, value }, span)?))
            }
            "softmax" | "logsumexp" | "argmax" => {
                let val = self.real(first.0.clone(), first.1)?;
                let whole = self.whole_axes(val.node);
                if val.along == 0 && self.shape(val).is_empty() && !whole.is_empty() && f != "argmax" {
                    return self.softmax_over(val.node, &whole, f == "logsumexp", span).map(Val::node);
                }
                let a = self.vector(f, first)?;
                let op = match f {
                    "softmax" => Op::Softmax(a.node),
                    "logsumexp" => Op::LogSumExp(a.node),
                    _ => Op::ArgMax(a.node),
                };
                Ok(Val::node(self.add(op, span)?))
            }
            "norm" => {
                let arr = self.real(first.0, first.1)?;
                if arr.along != 0 {
                    return Err(Stop::NoAlong(span));
                }
                let two = self.constant(2.0);
                let mut node = self.add(Op::Binary(Binary::Pow, arr.node, two), span)?;
                while !self.graph.is_scalar(node) {
                    node = self.add(Op::Reduce { fold: Fold::Sum, arg: node, axis: 0 }, span)?;
                }
                Ok(Val::node(self.add(Op::Unary(Unary::Sqrt, node), span)?))
            }
            "split" => self.fail(errors::split_targets(span)),
            "rows" => {
                let mut parts = Vec::new();
                for (val, at) in args {
                    parts.push((self.force(val, at)?, at));
                }
                self.concat(&parts, span).map(Val::Arr)
            }
            "zeros" | "ones" => {
                let mut shape = Vec::new();
                for (val, at) in &args {
                    match val.as_dim() {
                        Some(d) => shape.push(d),
                        None => return self.fail(errors::not_a_dim(val.kind(), *at)),
                    }
                }
                let value = if f == "ones" { 1.0 } else { 0.0 };
                Ok(Val::node(self.filled(value, &shape, span)?))
            }
            _ => self.whole_domain(f, first, args.drain(1..).collect(), callee, env, span),
        }
    }

    fn extremum(&mut self, f: &str, a: (Val<'l>, Span), b: (Val<'l>, Span), span: Span) -> R<Val<'l>> {
        if let (Val::Num(x), Val::Num(y)) = (&a.0, &b.0) {
            // The first of equal ones, as everywhere.
            let second = if f == "max" { y > x } else { y < x };
            return Ok(Val::Num(if second { *y } else { *x }));
        }
        let kind = if f == "max" { Binary::Max } else { Binary::Min };
        let x = self.real(a.0, a.1)?;
        let y = self.real(b.0, b.1)?;
        self.elementwise(kind, f, (x, a.1), (y, b.1), span).map(Val::Arr)
    }

    /// A vector that does not run along a reduction.
    fn vector(&mut self, f: &str, val: (Val<'l>, Span)) -> R<Arr> {
        let arr = self.real(val.0, val.1)?;
        let shape = self.shape(arr).to_vec();
        if shape.len() != 1 {
            return self.fail(errors::wants_vector(f, &shape, val.1));
        }
        if arr.along != 0 {
            return Err(Stop::NoAlong(val.1));
        }
        Ok(arr)
    }

    /// A dimension as a number in the graph.
    pub fn dim_number(&mut self, dim: &Dim, span: Span) -> R<Arr> {
        self.force(Val::dim(dim.clone()), span)
    }
}

fn binomial(n: i64, k: i64) -> f64 {
    if k < 0 || k > n {
        return 0.0;
    }
    (0..k.min(n - k)).fold(1.0, |acc, i| (acc * (n - i) as f64 / (i + 1) as f64).round())
}
