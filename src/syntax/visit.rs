//! The direct parts of an expression.

use super::ast::*;

/// Calls `f` with each expression directly inside `expr`, in reading order.
pub fn children<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    match &expr.kind {
        ExprKind::Number(..) | ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Hole | ExprKind::Name(_) => {}
        ExprKind::List(items) => items.iter().for_each(f),
        ExprKind::Paren(inner) | ExprKind::Neg(inner) | ExprKind::Not(inner) => f(inner),
        ExprKind::Field { base, .. } | ExprKind::Mark { base, .. } => f(base),
        ExprKind::Binary { left, right, .. } => {
            f(left);
            f(right);
        }
        ExprKind::Cond { cond, then, else_ } => {
            f(cond);
            f(then);
            f(else_);
        }
        ExprKind::Pipe { value, into } => {
            f(value);
            f(into);
        }
        ExprKind::Call { callee, args } => {
            f(callee);
            args.iter().for_each(|arg| f(&arg.value));
        }
        ExprKind::Index { base, places } => {
            f(base);
            for place in places {
                if let Place::At(set) = place {
                    of_set(set, f);
                }
            }
        }
        ExprKind::Reduce { binders, where_, body, .. } => {
            binders.iter().for_each(|b| of_set(&b.set, f));
            if let Some(where_) = where_ {
                f(where_);
            }
            f(body);
        }
    }
}

fn of_set<'e>(set: &'e Set, f: &mut dyn FnMut(&'e Expr)) {
    f(&set.lo);
    if let Some(hi) = &set.hi {
        f(hi);
    }
}
