//! Dimensions as formulas: `8HI + 8H² + 12H`, highest terms first.

use super::{Math, Symbol, names};
use crate::shape::{Atom, Dim, Monomial, Shape};

pub fn dim(d: &Dim) -> Math {
    let mut terms: Vec<(&Monomial, i64)> = d.terms().collect();
    let degree = |m: &Monomial| m.iter().map(|(_, e)| *e).sum::<u32>();
    terms.sort_by_key(|(m, _)| std::cmp::Reverse(degree(m)));
    let mut parts = Vec::new();
    for (monomial, coefficient) in terms {
        match (parts.is_empty(), coefficient < 0) {
            (true, true) => parts.push(Math::Symbol(Symbol::NEGATIVE)),
            (false, true) => parts.push(Math::Symbol(Symbol::MINUS)),
            (false, false) => parts.push(Math::Symbol(Symbol::PLUS)),
            (true, false) => {}
        }
        parts.push(term(monomial, coefficient.unsigned_abs()));
    }
    if parts.is_empty() { Math::number("0") } else { Math::row(parts) }
}

/// `[H, I]`; a scalar is a number.
pub fn shape(shape: &Shape) -> Math {
    match shape.is_empty() {
        true => Math::Text("number".into()),
        false => Math::list(shape.iter().map(dim)).fenced(Symbol::BRACKET),
    }
}

fn term(monomial: &Monomial, size: u64) -> Math {
    let mut factors = Vec::new();
    if size != 1 || monomial.is_empty() {
        factors.push(Math::number(size.to_string()));
    }
    for (atom, exponent) in monomial {
        if !factors.is_empty() {
            factors.push(Math::Symbol(Symbol::TIMES));
        }
        let base = match atom {
            Atom::Sym(name) => names::name(name, None),
            Atom::Div(a, b) => Math::Fraction(Box::new(dim(a)), Box::new(dim(b))),
            Atom::Pow(a, b) => grouped(a).raised(dim(b)),
        };
        factors.push(match exponent {
            1 => base,
            n => base.raised(Math::number(n.to_string())),
        });
    }
    Math::row(factors)
}

fn grouped(d: &Dim) -> Math {
    match d.as_sym().is_some() || d.as_constant().is_some() {
        true => dim(d),
        false => dim(d).fenced(Symbol::PAREN),
    }
}
