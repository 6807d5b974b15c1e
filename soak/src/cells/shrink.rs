//! A failing program made smaller while the same check still fails.
//!
//! On the tree: items, statements and parts of lists are left out, expressions are replaced by their parts or by numbers,
//! numbers of the `check grad` line become smaller. A change that makes the program ill-typed is refused by the compiler,
//! so the check does not fail any more, and the change is undone.

use super::case::Case;
use super::checks::{Failure, check};
use super::subject;
use rnnc::runtime::Team;
use rnnc::source::{FileId, Span};
use rnnc::syntax::ast::*;
use rnnc::syntax::print::{Style, print_file};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The smallest program found within the time, and how it fails.
pub fn shrink(case: &Case, failure: &Failure, team: &Arc<Team>, time: Duration) -> (Case, Failure) {
    let until = Instant::now() + time;
    let mut best = Case { check: Some(failure.check.into()), ..case.clone() };
    let mut how = failure.clone();
    let fails = |case: &Case| check(case, team, None).failure.filter(|f| is_same(f, failure));
    // Without its options first.
    let without: [fn(&mut Case); 3] = [|c| c.carry = false, |c| c.training = false, |c| c.twice = false];
    for without in without {
        let mut simpler = best.clone();
        without(&mut simpler);
        if let Some(found) = fails(&simpler) {
            (best, how) = (simpler, found);
        }
    }
    let Some(mut tree) = parse(&best.text) else { return (best, how) };
    loop {
        let mut smaller = false;
        for kind in KINDS {
            let mut at = 0;
            while Instant::now() < until {
                let mut tried = tree.clone();
                if !change(&mut tried, *kind, at) {
                    break;
                }
                let text = print_file(&tried, Style::UNICODE);
                let candidate = Case { text, ..best.clone() };
                match (tried != tree).then(|| fails(&candidate)).flatten() {
                    Some(found) => {
                        (best, how, tree) = (candidate, found, tried);
                        smaller = true;
                    }
                    None => at += 1,
                }
            }
        }
        if !smaller || Instant::now() >= until {
            return (best, how);
        }
    }
}

/// The same check; of panics, the same words but for numbers.
fn is_same(a: &Failure, b: &Failure) -> bool {
    let words = |f: &Failure| f.message.chars().filter(|c| c.is_alphabetic()).take(40).collect::<String>();
    a.check == b.check && (a.check != "panic" || words(a) == words(b))
}

fn parse(text: &str) -> Option<File> {
    let (sources, _, file, _) = subject::load(text);
    Some(rnnc::syntax::parse(&sources, file?).0)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Item,
    Statement,
    Part,
    Setting,
    /// An expression by its part of this number.
    Child(usize),
    Number(f64),
}

const KINDS: &[Kind] = &[
    Kind::Item,
    Kind::Setting,
    Kind::Statement,
    Kind::Part,
    Kind::Number(0.0),
    Kind::Number(1.0),
    Kind::Child(0),
    Kind::Child(1),
    Kind::Child(2),
];

/// Makes the change of a kind at a place; false if there are not so many places.
fn change(file: &mut File, kind: Kind, at: usize) -> bool {
    let mut left = at;
    // True at the place.
    let mut here = || {
        let found = left == 0;
        left = left.wrapping_sub(1);
        found
    };
    match kind {
        Kind::Item => {
            for i in 0..file.items.len() {
                if !matches!(file.items[i].kind, ItemKind::Check(_)) && here() {
                    file.items.remove(i);
                    return true;
                }
            }
        }
        Kind::Statement => {
            let mut done = false;
            bodies(file, &mut |body| {
                for i in 0..body.stmts.len() {
                    if !done && here() {
                        body.stmts.remove(i);
                        done = true;
                        return;
                    }
                }
            });
            return done;
        }
        Kind::Part => return part(file, &mut here),
        Kind::Setting => {
            let mut done = false;
            numbers(file, &mut |expr| {
                if let ExprKind::Number(n, _) = expr.kind
                    && n > 1.0
                    && n.fract() == 0.0
                {
                    // To 1 at once, or one less.
                    for less in [1.0, n - 1.0] {
                        if !done && here() {
                            *expr = number(less);
                            done = true;
                            return;
                        }
                    }
                }
            });
            return done;
        }
        Kind::Child(k) => {
            let mut done = false;
            exprs(file, &mut |expr| {
                let child = child(expr, k);
                if let Some(child) = child
                    && !done
                    && here()
                {
                    *expr = child;
                    done = true;
                }
            });
            return done;
        }
        Kind::Number(n) => {
            let mut done = false;
            exprs(file, &mut |expr| {
                if !matches!(expr.kind, ExprKind::Number(..)) && !done && here() {
                    *expr = number(n);
                    done = true;
                }
            });
            return done;
        }
    }
    false
}

fn number(n: f64) -> Expr {
    let span = Span { file: FileId(0), start: 0, end: 0 };
    Expr { kind: ExprKind::Number(n, n.to_string().into()), span }
}

/// Leaves out one part of a list.
fn part(file: &mut File, here: &mut dyn FnMut() -> bool) -> bool {
    let mut done = false;
    fn without<T>(list: &mut Vec<T>, least: usize, done: &mut bool, here: &mut dyn FnMut() -> bool) {
        for i in 0..list.len() {
            if !*done && list.len() > least && here() {
                list.remove(i);
                *done = true;
            }
        }
    }
    for item in &mut file.items {
        match &mut item.kind {
            ItemKind::Cell(cell) => without(&mut cell.statics, 0, &mut done, here),
            ItemKind::Layer(layer) => {
                without(&mut layer.statics, 0, &mut done, here);
                without(&mut layer.inputs, 1, &mut done, here);
            }
            ItemKind::Fn(f) => without(&mut f.inputs, 1, &mut done, here),
            ItemKind::Check(check) => {
                if let ExprKind::Call { args, .. } = &mut check.recipe.kind {
                    without(args, 0, &mut done, here);
                }
            }
            _ => {}
        }
    }
    bodies(file, &mut |body| {
        for stmt in &mut body.stmts {
            match &mut stmt.kind {
                StmtKind::Out(items) => without(items, 1, &mut done, here),
                StmtKind::Decl(decl) => {
                    without(&mut decl.targets, 1, &mut done, here);
                    if decl.within.is_some() && !done && here() {
                        (decl.within, done) = (None, true);
                    }
                    if decl.kind == DeclKind::In && decl.init.is_some() && !done && here() {
                        (decl.init, done) = (None, true);
                    }
                }
                StmtKind::Loss { where_, .. } if where_.is_some() && !done && here() => {
                    (*where_, done) = (None, true);
                }
                _ => {}
            }
        }
    });
    exprs(file, &mut |expr| match &mut expr.kind {
        ExprKind::Call { args, .. } => without(args, 1, &mut done, here),
        ExprKind::Reduce { where_, .. } if where_.is_some() && !done && here() => {
            (*where_, done) = (None, true);
        }
        _ => {}
    });
    done
}

fn bodies(file: &mut File, f: &mut dyn FnMut(&mut Body)) {
    for item in &mut file.items {
        match &mut item.kind {
            ItemKind::Cell(Cell { def: CellDef::Body(body), .. })
            | ItemKind::Cell(Cell { def: CellDef::Derived { with: Some(body), .. }, .. })
            | ItemKind::Layer(Layer { def: ExprOrBody::Body(body), .. })
            | ItemKind::Model(Model { body, .. })
            | ItemKind::Fn(Func { def: ExprOrBody::Body(body), .. }) => f(body),
            _ => {}
        }
    }
}

/// Sizes, steps and examples of the `check grad` line.
fn numbers(file: &mut File, f: &mut dyn FnMut(&mut Expr)) {
    for item in &mut file.items {
        if let ItemKind::Check(check) = &mut item.kind {
            if let ExprKind::Call { args, .. } = &mut check.recipe.kind {
                args.iter_mut().for_each(|a| f(&mut a.value));
            }
            check.settings.iter_mut().for_each(|s| f(&mut s.value));
        }
    }
}

/// Every expression that stands for a value, the outer ones first.
fn exprs(file: &mut File, f: &mut dyn FnMut(&mut Expr)) {
    for item in &mut file.items {
        match &mut item.kind {
            ItemKind::Fn(Func { def: ExprOrBody::Expr(e), .. })
            | ItemKind::Layer(Layer { def: ExprOrBody::Expr(e), .. }) => each(e, f),
            _ => {}
        }
    }
    bodies(file, &mut |body| {
        for stmt in &mut body.stmts {
            match &mut stmt.kind {
                StmtKind::Equation(e) => each(&mut e.value, f),
                StmtKind::Out(items) => items.iter_mut().for_each(|i| each(&mut i.value, f)),
                StmtKind::At { equations, .. } => equations.iter_mut().for_each(|e| each(&mut e.value, f)),
                StmtKind::Decl(Decl { init: Some(DeclInit::Value(e) | DeclInit::Dist(e)), .. }) => each(e, f),
                StmtKind::Loss { value, .. } | StmtKind::Metric { value, .. } => each(value, f),
                _ => {}
            }
        }
    });
}

fn each(e: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    f(e);
    parts(e).into_iter().for_each(|part| each(part, f));
}

fn child(e: &Expr, k: usize) -> Option<Expr> {
    let mut all = Vec::new();
    rnnc::syntax::visit::children(e, &mut |c| all.push(c));
    // The callee is no value.
    if matches!(e.kind, ExprKind::Call { .. }) {
        all.remove(0);
    }
    all.get(k).map(|c| (*c).clone())
}

fn parts(e: &mut Expr) -> Vec<&mut Expr> {
    match &mut e.kind {
        ExprKind::List(items) => items.iter_mut().collect(),
        ExprKind::Paren(inner) | ExprKind::Neg(inner) | ExprKind::Not(inner) => vec![inner],
        ExprKind::Field { base, .. } | ExprKind::Mark { base, .. } | ExprKind::Index { base, .. } => {
            vec![base]
        }
        ExprKind::Binary { left, right, .. } => vec![left, right],
        ExprKind::Cond { cond, then, else_ } => vec![cond, then, else_],
        ExprKind::Pipe { value, .. } => vec![value],
        ExprKind::Call { args, .. } => args.iter_mut().map(|a| &mut a.value).collect(),
        ExprKind::Reduce { body, where_, .. } => {
            where_.iter_mut().map(|w| &mut **w).chain([&mut **body]).collect()
        }
        _ => Vec::new(),
    }
}
