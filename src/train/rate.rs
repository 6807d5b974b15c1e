//! The numbers in the recipe of an optimiser at a step: its rate, as the `train` block has it.
//!
//! In: a recipe such as `Some(lr = 1e-3 * min(1, k/500))`, the variable of its steps, a step. Out: each named argument that
//! is a number then. What is more than arithmetic is left out: this is for showing, and decides nothing.

use crate::syntax::ast::{BinaryOp, Expr, ExprKind};

/// Named arguments of a recipe with their values at a step, from 1.
pub fn arguments(recipe: &Expr, variable: &str, step: u64) -> Vec<(String, f64)> {
    let ExprKind::Call { args, .. } = &recipe.kind else { return Vec::new() };
    let argument = |arg: &crate::syntax::ast::Arg| {
        let path = &arg.name.as_ref()?.path;
        let name = path.iter().map(|part| &*part.name).collect::<Vec<_>>().join(".");
        let value = value(&arg.value, variable, step as f64)?;
        value.is_finite().then_some((name, value))
    };
    args.iter().filter_map(argument).collect()
}

fn value(e: &Expr, variable: &str, step: f64) -> Option<f64> {
    let of = |e: &Expr| value(e, variable, step);
    let truth = |claim: bool| f64::from(u8::from(claim));
    Some(match &e.kind {
        ExprKind::Number(v, _) => *v,
        ExprKind::Paren(inner) => of(inner)?,
        ExprKind::Neg(inner) => -of(inner)?,
        ExprKind::Name(name) if *name.written == *variable => step,
        ExprKind::Name(name) if &*name.written == "pi" => std::f64::consts::PI,
        ExprKind::Cond { cond, then, else_ } => {
            if of(cond)? != 0.0 {
                of(then)?
            } else {
                of(else_)?
            }
        }
        ExprKind::Binary { op, left, right, .. } => {
            let (a, b) = (of(left)?, of(right)?);
            match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                BinaryOp::Div => a / b,
                BinaryOp::Pow => libm::pow(a, b),
                BinaryOp::Mod => a - b * (a / b).floor(),
                BinaryOp::Lt => truth(a < b),
                BinaryOp::Le => truth(a <= b),
                BinaryOp::Gt => truth(a > b),
                BinaryOp::Ge => truth(a >= b),
                BinaryOp::Eq => truth(a == b),
                BinaryOp::Ne => truth(a != b),
                BinaryOp::And => truth(a != 0.0 && b != 0.0),
                BinaryOp::Or => truth(a != 0.0 || b != 0.0),
                BinaryOp::Cat | BinaryOp::IntDiv | BinaryOp::MatMul => return None,
            }
        }
        ExprKind::Call { callee, args } => {
            let ExprKind::Name(name) = &callee.kind else { return None };
            let args: Option<Vec<f64>> = args.iter().map(|a| of(&a.value)).collect();
            match (&*name.written, args?.as_slice()) {
                ("min", [a, b]) => a.min(*b),
                ("max", [a, b]) => a.max(*b),
                ("sqrt", [a]) => a.sqrt(),
                ("exp", [a]) => libm::exp(*a),
                ("log", [a]) => libm::log(*a),
                ("sin", [a]) => libm::sin(*a),
                ("cos", [a]) => libm::cos(*a),
                ("abs", [a]) => a.abs(),
                ("floor", [a]) => a.floor(),
                ("clamp", [x, lo, hi]) => x.max(*lo).min(*hi),
                _ => return None,
            }
        }
        _ => return None,
    })
}
