//! `∑ d ∈ D: a[d] + b[d]`: the body of a reduction is one product, so the second `d` has no value.
//! Found here only if nothing else in the item can be meant by the name.

use super::ast::*;
use super::{errors, names, visit};
use crate::diag::Diagnostic;
use crate::source::Span;
use std::collections::BTreeSet;

pub fn item(item: &Item, errors: &mut Vec<Diagnostic>) {
    let mut known = Known::default();
    match &item.kind {
        // What a base defines is not seen from here.
        ItemKind::Cell(Cell { def: CellDef::Body(body), statics, over, .. }) => {
            known.extend(statics.iter().map(|s| s.name.name.clone()));
            known.extend(over.iter().flat_map(|o| &o.axes).map(|a| a.name.name.clone()));
            if over.is_none() {
                known.insert("t".into());
            }
            in_body(body, known, errors);
        }
        ItemKind::Layer(Layer { def: ExprOrBody::Body(body), statics, inputs, .. }) => {
            known.extend(statics.iter().map(|s| s.name.name.clone()));
            known.extend(inputs.iter().map(|i| i.name.name.clone()));
            in_body(body, known, errors);
        }
        ItemKind::Fn(Func { def: ExprOrBody::Body(body), inputs, .. }) => {
            known.extend(inputs.iter().map(|i| i.name.name.clone()));
            in_body(body, known, errors);
        }
        ItemKind::Fn(Func { def: ExprOrBody::Expr(value), inputs, .. }) => {
            known.extend(inputs.iter().map(|i| i.name.name.clone()));
            search(value, &known, &mut Vec::new(), errors);
        }
        ItemKind::Model(Model { body, statics, .. }) => {
            known.extend(statics.iter().map(|s| s.name.name.clone()));
            in_body(body, known, errors);
        }
        _ => {}
    }
}

fn in_body(body: &Body, mut known: Known, errors: &mut Vec<Diagnostic>) {
    for stmt in &body.stmts {
        match &stmt.kind {
            StmtKind::Decl(Decl { targets, .. }) | StmtKind::Noise { targets, .. } => {
                add(targets, &mut known)
            }
            StmtKind::Equation(equation) => add(&equation.targets, &mut known),
            StmtKind::Dims(settings) => known.extend(settings.iter().map(|s| s.name.name.clone())),
            StmtKind::Part { name, .. } => {
                known.insert(name.name.clone());
            }
            _ => {}
        }
    }
    for stmt in &body.stmts {
        if let StmtKind::Equation(equation) = &stmt.kind {
            let mut bound = Vec::new();
            for index in equation.targets.iter().flat_map(|t| &t.index) {
                if let TargetIndex::Binder(binder) = index {
                    bound.push(binder.name.name.clone());
                }
            }
            search(&equation.value, &known, &mut bound, errors);
        }
        if let StmtKind::Out(items) = &stmt.kind {
            for item in items {
                search(&item.value, &known, &mut Vec::new(), errors);
            }
        }
    }
}

fn add(targets: &[Target], known: &mut Known) {
    known.extend(targets.iter().filter_map(|t| names::expand(&t.name)).flatten());
}

type Known = BTreeSet<Name>;

/// A reduction and what its body leaves out.
struct Ended<'e> {
    name: &'e Ident,
    body: Span,
}

/// `bound` are the index variables around `expr`.
fn search(expr: &Expr, known: &Known, bound: &mut Vec<Name>, errors: &mut Vec<Diagnostic>) {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Sub | BinaryOp::Cat, left, right, .. } => {
            search(left, known, bound, errors);
            let mut ended = Vec::new();
            reductions_at_end(left, &mut ended);
            for Ended { name, body } in ended {
                if !known.contains(&name.name)
                    && !bound.contains(&name.name)
                    && let Some(found) = free(right, &name.name)
                {
                    let whole = body.to(right.span);
                    errors.push(errors::sum_ends_early(found, name.span, &name.written, body, whole));
                    return;
                }
            }
            search(right, known, bound, errors);
        }
        ExprKind::Reduce { binders, body, .. } => {
            let outer = bound.len();
            bound.extend(binders.iter().map(|b| b.name.name.clone()));
            search(body, known, bound, errors);
            bound.truncate(outer);
        }
        _ => visit::children(expr, &mut |child| search(child, known, bound, errors)),
    }
}

/// Reductions whose body was the last thing before the end of `expr`.
fn reductions_at_end<'e>(expr: &'e Expr, out: &mut Vec<Ended<'e>>) {
    match &expr.kind {
        ExprKind::Binary { right, .. } => reductions_at_end(right, out),
        ExprKind::Neg(inner) => reductions_at_end(inner, out),
        ExprKind::Reduce { binders, body, .. } => {
            out.extend(binders.iter().map(|b| Ended { name: &b.name, body: body.span }));
            reductions_at_end(body, out);
        }
        _ => {}
    }
}

/// Where `name` is read in `expr`, if it is not bound there.
fn free(expr: &Expr, name: &str) -> Option<Span> {
    match &expr.kind {
        ExprKind::Name(pattern) => {
            (names::expand(pattern)?.iter().any(|n| **n == *name)).then_some(pattern.span)
        }
        ExprKind::Reduce { binders, .. } if binders.iter().any(|b| *b.name.name == *name) => None,
        ExprKind::Index { places, .. } => {
            let edge = places.iter().find_map(|place| match place {
                Place::Prev(edge) | Place::Next(edge) if *edge.name == *name => Some(edge.span),
                _ => None,
            });
            edge.or_else(|| first_free(expr, name))
        }
        _ => first_free(expr, name),
    }
}

fn first_free(expr: &Expr, name: &str) -> Option<Span> {
    let mut found = None;
    visit::children(expr, &mut |child| found = found.or_else(|| free(child, name)));
    found
}
