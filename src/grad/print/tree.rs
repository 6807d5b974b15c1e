//! Small constructors of the tree as written, for text that no file gave.

use crate::shape::{Atom, Dim, Monomial};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;

/// Derived text has no place of its own.
pub const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

pub fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: NOWHERE }
}

pub fn ident(name: &str) -> Ident {
    Ident { name: name.into(), written: name.into(), span: NOWHERE }
}

pub fn pattern(name: &str) -> Pattern {
    Pattern { pieces: vec![Piece::Text(name.into())], written: name.into(), span: NOWHERE }
}

pub fn name(text: &str) -> Expr {
    expr(ExprKind::Name(pattern(text)))
}

/// A number as the language writes it: signs and infinities are no part of a number.
pub fn number(value: f64) -> Expr {
    if value.is_sign_negative() && value != 0.0 {
        return neg(number(-value));
    }
    if value.is_infinite() {
        return name("inf");
    }
    if value.is_nan() {
        return binary(BinaryOp::Sub, name("inf"), name("inf"));
    }
    let digits =
        if value == value.trunc() && value < 1e15 { format!("{value:.0}") } else { format!("{value:?}") };
    expr(ExprKind::Number(value, digits.into()))
}

pub fn neg(a: Expr) -> Expr {
    expr(ExprKind::Neg(Box::new(a)))
}

pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    expr(ExprKind::Binary { op, op_span: NOWHERE, left: Box::new(left), right: Box::new(right) })
}

pub fn paren(a: Expr) -> Expr {
    match a.kind {
        ExprKind::Paren(_) => a,
        _ => expr(ExprKind::Paren(Box::new(a))),
    }
}

pub fn mark(base: Expr, mark: Mark) -> Expr {
    expr(ExprKind::Mark { base: Box::new(base), mark })
}

pub fn call(callee: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|value| Arg { name: None, value, span: NOWHERE }).collect();
    expr(ExprKind::Call { callee: Box::new(name(callee)), args })
}

pub fn set(lo: Expr, hi: Option<Expr>) -> Set {
    Set { lo: Box::new(lo), hi: hi.map(Box::new), span: NOWHERE }
}

pub fn index(base: Expr, lo: Expr, hi: Option<Expr>) -> Expr {
    expr(ExprKind::Index { base: Box::new(base), places: vec![Place::At(set(lo, hi))] })
}

/// `base[p, q]`
pub fn indexed(base: Expr, places: Vec<Place>) -> Expr {
    expr(ExprKind::Index { base: Box::new(base), places })
}

pub fn cond(condition: Expr, then: Expr, else_: Expr) -> Expr {
    expr(ExprKind::Cond { cond: Box::new(condition), then: Box::new(then), else_: Box::new(else_) })
}

pub fn reduce(fold: Fold, variable: &str, over: Set, body: Expr) -> Expr {
    let binder = Binder { name: ident(variable), set: over, span: NOWHERE };
    expr(ExprKind::Reduce { fold, binders: vec![binder], where_: None, body: Box::new(body) })
}

/// Over all combinations of several variables.
pub fn reduce_all(fold: Fold, over: Vec<(String, Set)>, body: Expr) -> Expr {
    let binders =
        over.into_iter().map(|(variable, set)| Binder { name: ident(&variable), set, span: NOWHERE });
    expr(ExprKind::Reduce { fold, binders: binders.collect(), where_: None, body: Box::new(body) })
}

/// `base + by`, with `base` 0 or a name.
pub fn shifted(base: Expr, by: i64) -> Expr {
    match by {
        0 => base,
        by if by < 0 => binary(BinaryOp::Sub, base, number(by.unsigned_abs() as f64)),
        by => binary(BinaryOp::Add, base, number(by as f64)),
    }
}

pub fn dim(d: &Dim) -> Expr {
    let mut sum: Option<Expr> = None;
    // The constant term sorts first; on paper it stands last.
    let terms = d.terms().filter(|(m, _)| !m.is_empty()).chain(d.terms().filter(|(m, _)| m.is_empty()));
    for (monomial, coefficient) in terms {
        let term = term(monomial, coefficient.unsigned_abs());
        sum = Some(match (sum, coefficient < 0) {
            (None, false) => term,
            (None, true) => neg(term),
            (Some(sum), false) => binary(BinaryOp::Add, sum, term),
            (Some(sum), true) => binary(BinaryOp::Sub, sum, term),
        });
    }
    sum.unwrap_or_else(|| number(0.0))
}

fn term(monomial: &Monomial, size: u64) -> Expr {
    let mut product = (size != 1 || monomial.is_empty()).then(|| number(size as f64));
    for (atom, exponent) in monomial {
        let base = match atom {
            Atom::Sym(s) => name(s),
            Atom::Div(a, b) => paren(binary(BinaryOp::IntDiv, paren(dim(a)), paren(dim(b)))),
            Atom::Pow(a, b) => binary(BinaryOp::Pow, paren(dim(a)), paren(dim(b))),
        };
        let factor = match exponent {
            1 => base,
            n => binary(BinaryOp::Pow, base, number(f64::from(*n))),
        };
        product = Some(match product {
            None => factor,
            Some(product) => binary(BinaryOp::Mul, product, factor),
        });
    }
    product.unwrap_or_else(|| number(1.0))
}

pub fn array(shape: &[Dim]) -> Type {
    Type { kind: TypeKind::Array(shape.iter().map(dim).collect()), span: NOWHERE }
}

pub fn stmt(kind: StmtKind) -> Stmt {
    Stmt { docs: Vec::new(), kind, span: NOWHERE }
}

pub fn target(name: Pattern) -> Target {
    Target { name, index: Vec::new(), span: NOWHERE }
}
