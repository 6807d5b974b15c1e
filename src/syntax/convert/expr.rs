//! Expressions: the precedence levels of the grammar become one tree, without the levels that
//! hold a single part.

use super::{Convert, Kids, Node};
use crate::syntax::ast::*;
use crate::syntax::{Rule, errors};

impl Convert<'_> {
    /// Any rule of an expression.
    pub fn expr(&mut self, node: Node) -> Option<Expr> {
        let node = through(node);
        let span = self.span(&node);
        match node.as_rule() {
            Rule::expr => {
                let mut kids = Kids::of(node);
                let mut value = self.expr(kids.next()?)?;
                for into in kids.rest() {
                    let into = self.expr(into)?;
                    let span = value.span.to(into.span);
                    let kind = ExprKind::Pipe { value: Box::new(value), into: Box::new(into) };
                    value = Expr { kind, span };
                }
                Some(value)
            }
            Rule::cond => {
                let mut kids = Kids::of(node);
                let mut part = || self.expr(kids.next()?).map(Box::new);
                let kind = ExprKind::Cond { cond: part()?, then: part()?, else_: part()? };
                Some(Expr { kind, span })
            }
            Rule::row | Rule::sum | Rule::term => self.row(node),
            Rule::postfix => self.postfix(node),
            Rule::paren => {
                let inner = self.expr(Kids::of(node).next()?)?;
                Some(Expr { kind: ExprKind::Paren(Box::new(inner)), span })
            }
            Rule::primary => self.primary(node),
            _ => None,
        }
    }

    fn postfix(&mut self, node: Node) -> Option<Expr> {
        let mut kids = Kids::of(node);
        let mut base = self.expr(kids.next()?)?;
        for suffix in kids.rest() {
            let span = base.span.to(self.span(&suffix));
            let boxed = Box::new(base);
            let kind = match suffix.as_rule() {
                Rule::call => {
                    let args = Kids::of(suffix).rest().map(|n| self.arg(n)).collect::<Option<_>>()?;
                    ExprKind::Call { callee: boxed, args }
                }
                Rule::index => ExprKind::Index { base: boxed, places: self.places(suffix)? },
                Rule::field => {
                    let name = Kids::of(suffix).next()?;
                    ExprKind::Field { base: boxed, field: self.pattern(&name) }
                }
                // `x²` and `x^2` are two spellings of one thing.
                Rule::mark if suffix.as_str().starts_with(['²', '³']) => {
                    let (value, digits) = if suffix.as_str() == "²" { (2.0, "2") } else { (3.0, "3") };
                    let op_span = self.span(&suffix);
                    let exponent = Expr { kind: ExprKind::Number(value, digits.into()), span: op_span };
                    ExprKind::Binary { op: BinaryOp::Pow, op_span, left: boxed, right: Box::new(exponent) }
                }
                Rule::mark => ExprKind::Mark { base: boxed, mark: Mark::Transpose },
                _ => return None,
            };
            base = Expr { kind, span };
        }
        Some(base)
    }

    fn arg(&mut self, node: Node) -> Option<Arg> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let name = match kids.take(Rule::arg_name) {
            Some(node) => {
                let span = self.span(&node);
                let mut parts = Kids::of(node);
                let prev = parts.take(Rule::k_prev).is_some();
                Some(ArgName { prev, path: parts.rest().map(|n| self.ident(&n)).collect(), span })
            }
            None => None,
        };
        Some(Arg { name, value: self.expr(kids.next()?)?, span })
    }

    pub fn places(&mut self, node: Node) -> Option<Vec<Place>> {
        Kids::of(node).rest().map(|n| self.place(n)).collect()
    }

    fn place(&mut self, node: Node) -> Option<Place> {
        let mut kids = Kids::of(node);
        let first = kids.next()?;
        Some(match first.as_rule() {
            Rule::k_prev => Place::Prev(self.ident(&kids.next()?)),
            Rule::k_next => Place::Next(self.ident(&kids.next()?)),
            _ => Place::At(self.set(first)?),
        })
    }

    fn primary(&mut self, node: Node) -> Option<Expr> {
        let span = self.span(&node);
        let inner = Kids::of(node).next()?;
        let kind = match inner.as_rule() {
            Rule::number => ExprKind::Number(self.number(&inner)?, inner.as_str().into()),
            Rule::string => ExprKind::Str(self.string(&inner)),
            Rule::k_true => ExprKind::Bool(true),
            Rule::k_false => ExprKind::Bool(false),
            Rule::hole => ExprKind::Hole,
            Rule::name => ExprKind::Name(self.pattern(&inner)),
            Rule::paren => return self.expr(inner),
            Rule::list => {
                ExprKind::List(Kids::of(inner).rest().map(|n| self.expr(n)).collect::<Option<_>>()?)
            }
            Rule::reduce => self.reduce(inner)?,
            _ => return None,
        };
        Some(Expr { kind, span })
    }

    pub fn number(&mut self, node: &Node) -> Option<f64> {
        let digits = node.as_str();
        let value: f64 = digits.parse().ok()?;
        if !value.is_finite() {
            self.errors.push(errors::number_too_great(self.span(node), digits));
        }
        Some(value)
    }

    fn reduce(&mut self, node: Node) -> Option<ExprKind> {
        let mut kids = Kids::of(node);
        let fold = match kids.next()?.as_str() {
            "∑" | "sum" => Fold::Sum,
            "∏" | "prod" => Fold::Prod,
            "max" => Fold::Max,
            "min" => Fold::Min,
            "mean" => Fold::Mean,
            "concat" => Fold::Concat,
            _ => return None,
        };
        let mut binders = Vec::new();
        while let Some(binder) = kids.take(Rule::binder) {
            binders.push(self.binder(binder)?);
        }
        let where_ = match kids.take(Rule::where_) {
            Some(node) => Some(Box::new(self.expr(Kids::of(node).next()?)?)),
            None => None,
        };
        Some(ExprKind::Reduce { fold, binders, where_, body: Box::new(self.expr(kids.next()?)?) })
    }

    pub fn binder(&mut self, node: Node) -> Option<Binder> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        Some(Binder { name: self.ident(&kids.next()?), set: self.set(kids.next()?)?, span })
    }

    pub fn set(&mut self, node: Node) -> Option<Set> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let lo = Box::new(self.expr(kids.next()?)?);
        kids.take(Rule::p_range);
        let hi = match kids.next() {
            Some(hi) => Some(Box::new(self.expr(hi)?)),
            None => None,
        };
        Some(Set { lo, hi, span })
    }
}

/// Down through rules that hold a single part, without a call for each: the stack is not deep.
fn through(mut node: Node<'_>) -> Node<'_> {
    while matches!(node.as_rule(), Rule::expr | Rule::row | Rule::sum | Rule::term | Rule::postfix) {
        let mut inner = node.clone().into_inner();
        match (inner.next(), inner.next()) {
            (Some(only), None) => node = only,
            _ => break,
        }
    }
    node
}
