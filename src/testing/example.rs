//! Test blocks: `part`, `set`, equations and `expect`, evaluated at once.
//!
//! Order on the page means nothing: an equation is evaluated when it is first read.

use super::apply::{Given, Instance, Setting};
use super::errors;
use super::value::{self, Branch, Value};
use crate::diag::{Diagnostic, Fallible};
use crate::resolve::text::{Brace, Equated, expand_equation, group_count, pick, plain};
use crate::resolve::{Library, nearest};
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::print::{Style, print_expr};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// `≈` without `±`.
const TOLERANCE: f64 = 1e-9;
/// Values that a reduction of a test may run over.
const MAX_RANGE: f64 = 1e5;

/// Runs a test; how many expectations hold, or all that do not.
pub fn run(library: &Library, test: &Test) -> Fallible<usize> {
    let mut block = Block {
        library,
        parts: BTreeMap::new(),
        settings: BTreeMap::new(),
        equations: BTreeMap::new(),
        whole: BTreeMap::new(),
        brace: None,
        known: BTreeMap::new(),
        open: Vec::new(),
        bound: Vec::new(),
        applied: BTreeSet::new(),
    };
    block.collect(&test.body)?;
    let (mut count, mut failures) = (0, Vec::new());
    if !test.body.stmts.iter().any(|s| matches!(s.kind, StmtKind::Expect { .. })) {
        return one(errors::nothing_expected(test.body.span));
    }
    for stmt in &test.body.stmts {
        if let StmtKind::Expect { value, about } = &stmt.kind {
            count += 1;
            match block.expect(value, about.as_ref(), stmt.span) {
                Ok(()) => {}
                Err(diagnostics) => failures.extend(diagnostics),
            }
        }
    }
    if failures.is_empty() {
        // What no expectation reads is still meant.
        for (name, source) in block.equations.clone() {
            if !block.known.contains_key(&name)
                && let Err(diagnostics) = block.defined(&source)
            {
                failures.extend(diagnostics);
            }
        }
        for (part, settings) in &block.settings {
            if let (false, Some(setting)) = (block.applied.contains(part), settings.first()) {
                failures.push(errors::never_applied(part, setting.span));
            }
        }
    }
    if failures.is_empty() { Ok(count) } else { Err(failures) }
}

struct Block<'l> {
    library: &'l Library,
    parts: BTreeMap<Name, &'l Expr>,
    /// By part.
    settings: BTreeMap<Name, Vec<Setting>>,
    equations: BTreeMap<Name, Source<'l>>,
    /// Values of equations for several names, by their place and the word of their braces.
    whole: BTreeMap<(u32, Brace), Value>,
    /// Which word of braces, in an equation that has them on its left side.
    brace: Brace,
    known: BTreeMap<Name, Value>,
    /// Names that are being evaluated.
    open: Vec<Name>,
    /// Index variables of reductions around.
    bound: Vec<(Name, f64)>,
    /// Parts that were applied.
    applied: BTreeSet<Name>,
}

/// Where the value of a name comes from.
#[derive(Clone)]
enum Source<'l> {
    Expr(&'l Expr),
    Equation(Equated<'l>),
}

impl<'l> Block<'l> {
    fn collect(&mut self, body: &'l Body) -> Fallible<()> {
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Part { name, recipe } => {
                    self.new_name(&name.name, name.span)?;
                    self.parts.insert(name.name.clone(), recipe);
                }
                StmtKind::Equation(equation) => {
                    for (name, equated) in expand_equation(equation, 0).map_err(|d| vec![d])? {
                        if !equated.index().is_empty() {
                            return one(errors::not_in_a_test("a family with indices", equated.span));
                        }
                        self.new_name(&name, equated.span)?;
                        self.equations.insert(name, Source::Equation(equated));
                    }
                }
                StmtKind::Dims(settings) => {
                    for setting in settings {
                        self.new_name(&setting.name.name, setting.name.span)?;
                        self.equations.insert(setting.name.name.clone(), Source::Expr(&setting.value));
                    }
                }
                _ => {}
            }
        }
        for stmt in &body.stmts {
            if let StmtKind::Set { path, all, value } = &stmt.kind {
                let Some((part, rest)) = path.split_first() else { continue };
                if !self.parts.contains_key(&part.name) {
                    let near = nearest(&part.name, self.parts.keys());
                    return one(errors::unknown(&part.written, near.map(|n| &**n), part.span));
                }
                let names: Vec<&str> = rest.iter().map(|p| &*p.name).collect();
                let value = self.eval(value)?;
                let setting = Setting { path: names.join("."), all: *all, value, span: stmt.span };
                self.settings.entry(part.name.clone()).or_default().push(setting);
            }
        }
        Ok(())
    }

    fn new_name(&self, name: &Name, at: Span) -> Fallible<()> {
        if self.parts.contains_key(name) || self.equations.contains_key(name) {
            return one(errors::twice(name, at));
        }
        Ok(())
    }

    fn expect(&mut self, left: &'l Expr, about: Option<&'l (Expr, Option<Expr>)>, at: Span) -> Fallible<()> {
        let value = self.eval(left)?;
        let Some((right, tolerance)) = about else {
            let holds = value.array().iter().all(|x| *x != 0.0);
            return if holds { Ok(()) } else { one(errors::not_met(at, "this is false")) };
        };
        let other = self.eval(right)?;
        let tolerance = match tolerance {
            None => TOLERANCE,
            Some(tolerance) => self.number(tolerance)?,
        };
        if !(tolerance.is_finite() && tolerance >= 0.0) {
            return one(errors::range(at, "a tolerance is a finite number, at least 0"));
        }
        // Infinities of one sign are equal, and a NaN equals nothing.
        let error = |a: f64, b: f64| if a == b { 0.0 } else { (a - b).abs() };
        let errors = value::zip(&value, &other, at, error).map_err(|d| vec![d])?;
        let worst = errors.array().indexed_iter().filter(|(_, e)| e.is_nan() || **e > tolerance);
        let worst = worst.max_by(|a, b| a.1.total_cmp(b.1));
        let Some((index, error)) = worst else { return Ok(()) };
        let place: Vec<String> =
            ndarray::Dimension::slice(&index).iter().map(|i| (i + 1).to_string()).collect();
        let element = |v: &Value| match v.as_number() {
            Some(x) => x,
            None => v.array().get(index.clone()).copied().unwrap_or(f64::NAN),
        };
        let place = if place.is_empty() { String::new() } else { format!(" at [{}]", place.join(", ")) };
        let why = format!(
            "{} against {}{place}: off by {error:.3e}, allowed {tolerance:.1e}",
            element(&value),
            element(&other)
        );
        one(errors::not_met(at, &why))
    }

    fn number(&mut self, expr: &'l Expr) -> Fallible<f64> {
        let value = self.eval(expr)?;
        value.as_number().ok_or_else(|| vec![errors::range(expr.span, "a number is wanted here")])
    }

    fn eval(&mut self, expr: &'l Expr) -> Fallible<Value> {
        let at = expr.span;
        match &expr.kind {
            ExprKind::Number(x, _) => Ok(Value::scalar(*x)),
            ExprKind::Bool(c) => Ok(Value::scalar(f64::from(u8::from(*c)))),
            ExprKind::Paren(inner) => self.eval(inner),
            ExprKind::Neg(inner) => Ok(value::map(&self.eval(inner)?, |x| -x)),
            ExprKind::Not(inner) => Ok(value::map(&self.eval(inner)?, |x| f64::from(u8::from(x == 0.0)))),
            ExprKind::Name(pattern) => self.name(pattern),
            ExprKind::List(items) => {
                let items = items.iter().map(|i| self.eval(i)).collect::<Fallible<Vec<_>>>()?;
                value::list(&items, at).map_err(|d| vec![d])
            }
            ExprKind::Binary { op, left, right, .. } => {
                let (a, b) = (self.eval(left)?, self.eval(right)?);
                value::binary(*op, &a, &b, at).map_err(|d| vec![d])
            }
            ExprKind::Cond { cond, then, else_ } => {
                if self.number(cond)? != 0.0 {
                    self.eval(then)
                } else {
                    self.eval(else_)
                }
            }
            ExprKind::Pipe { value, into } => {
                let given = Given { name: None, value: self.eval(value)?, span: value.span };
                match &into.kind {
                    // `x |> F(s)(q = e)` is `F(s)(x, q = e)`.
                    ExprKind::Call { callee, args } if matches!(callee.kind, ExprKind::Call { .. }) => {
                        self.call(callee, args, vec![given], at)
                    }
                    _ => self.call(into, &[], vec![given], at),
                }
            }
            ExprKind::Call { callee, args } => self.call(callee, args, Vec::new(), at),
            ExprKind::Field { base, .. } => {
                let mut path = Vec::new();
                let root = fields(expr, &mut path);
                match self.eval(root)? {
                    Value::Applied(applied) => match applied.outputs.get(&path.join(".")) {
                        Some(array) => Ok(Value::Array(array.clone())),
                        None => {
                            let keys: Vec<Name> = applied.outputs.keys().map(|k| k.as_str().into()).collect();
                            let name = path.join(".");
                            let near = nearest(&name, keys.iter());
                            let name = format!("{name}` of `{}", applied.title);
                            one(errors::unknown(&name, near.map(|n| &**n), at))
                        }
                    },
                    Value::Array(_) | Value::Tree(_) => {
                        one(errors::not_in_a_test("a field of a plain value", base.span))
                    }
                }
            }
            ExprKind::Index { base, places } => {
                let mut value = self.eval(base)?;
                for place in places {
                    let Place::At(Set { lo, hi: None, .. }) = place else {
                        return one(errors::not_in_a_test("this place", at));
                    };
                    let position = self.number(lo)?;
                    value = value::pick(&value, position, at).map_err(|d| vec![d])?;
                }
                Ok(value)
            }
            ExprKind::Mark { base, mark } => {
                let base = self.eval(base)?;
                match mark {
                    Mark::Square => Ok(value::map(&base, |x| x * x)),
                    Mark::Cube => Ok(value::map(&base, |x| x * x * x)),
                    Mark::Transpose if base.array().ndim() == 2 => {
                        Ok(Value::Array(base.array().t().as_standard_layout().into_owned()))
                    }
                    Mark::Transpose => one(errors::range(at, "only a matrix has a transpose")),
                }
            }
            ExprKind::Reduce { fold, binders, where_, body } => {
                let mut values = Vec::new();
                self.over(binders, where_.as_deref(), body, &mut values)?;
                let total = value::fold(*fold, &values, at).map_err(|d| vec![d])?;
                match fold {
                    Fold::Mean if values.is_empty() => {
                        one(errors::range(at, "a mean of no element has no value"))
                    }
                    Fold::Mean => Ok(value::map(&total, |x| x / values.len() as f64)),
                    _ => Ok(total),
                }
            }
            ExprKind::Str(_) => one(errors::not_in_a_test("a string", at)),
            ExprKind::Hole => one(errors::not_in_a_test("`_`", at)),
        }
    }

    fn over(
        &mut self,
        binders: &'l [Binder],
        where_: Option<&'l Expr>,
        body: &'l Expr,
        values: &mut Vec<Value>,
    ) -> Fallible<()> {
        let Some((binder, rest)) = binders.split_first() else {
            let counts = match where_ {
                Some(condition) => self.number(condition)? != 0.0,
                None => true,
            };
            if counts {
                values.push(self.eval(body)?);
            }
            return Ok(());
        };
        let lo = self.number(&binder.set.lo)?;
        let (lo, hi) = match &binder.set.hi {
            Some(hi) => (lo, self.number(hi)?),
            None => (1.0, lo),
        };
        if lo.fract() != 0.0 || hi.fract() != 0.0 || !(hi - lo + values.len() as f64).le(&MAX_RANGE) {
            return one(errors::range(
                binder.set.span,
                "a range has whole ends and at most 100,000 elements",
            ));
        }
        let mut k = lo;
        while k <= hi {
            self.bound.push((binder.name.name.clone(), k));
            let result = self.over(rest, where_, body, values);
            self.bound.pop();
            result?;
            if values.len() as f64 > MAX_RANGE {
                return one(errors::range(
                    binder.set.span,
                    "a reduction of a test has at most 100,000 elements",
                ));
            }
            k += 1.0;
        }
        Ok(())
    }

    /// A name, with the word of the equation's braces in its own.
    fn spelled(&self, pattern: &Pattern) -> Fallible<Name> {
        match (group_count(pattern).map_err(|d| vec![d])?, self.brace) {
            (None, _) => Ok(plain(pattern)),
            (Some(n), Some((k, of))) if n == of => Ok(pick(pattern, k)),
            _ => one(errors::braces_alone(&pattern.written, pattern.span)),
        }
    }

    /// The value of one name of an equation; `f, i = split(v)` and `a, b = C(x)` are evaluated once.
    fn defined(&mut self, source: &Source<'l>) -> Fallible<Value> {
        let (expr, target, targets, brace) = match source {
            Source::Expr(expr) => (*expr, 0, 1, None),
            Source::Equation(e) => (&e.equation.value, e.target, e.targets, e.brace),
        };
        let outside = std::mem::replace(&mut self.brace, brace);
        let value = if targets == 1 { self.eval(expr) } else { self.one_of_many(expr, target, targets) };
        self.brace = outside;
        value
    }

    fn one_of_many(&mut self, expr: &'l Expr, target: usize, targets: usize) -> Fallible<Value> {
        let split = match &expr.kind {
            ExprKind::Call { callee, args } => match (&callee.kind, args.as_slice()) {
                (ExprKind::Name(p), [Arg { name: None, value, .. }]) if &*plain(p) == "split" => Some(value),
                _ => None,
            },
            _ => None,
        };
        let key = (expr.span.start, self.brace);
        let whole = match self.whole.get(&key) {
            Some(value) => value.clone(),
            None => {
                let value = self.eval(split.unwrap_or(expr))?;
                self.whole.insert(key, value.clone());
                value
            }
        };
        match &whole {
            _ if split.is_some() => value::part(&whole, target, targets, expr.span).map_err(|d| vec![d]),
            Value::Applied(applied) if applied.outs.len() == targets => {
                let out = applied.outs.get(target).and_then(|name| applied.outputs.get(name));
                out.map_or_else(
                    || one(errors::target_count(targets, applied.outs.len(), expr.span)),
                    |array| Ok(Value::Array(array.clone())),
                )
            }
            Value::Applied(applied) => one(errors::target_count(targets, applied.outs.len(), expr.span)),
            Value::Array(_) | Value::Tree(_) => one(errors::target_count(targets, 1, expr.span)),
        }
    }

    fn name(&mut self, pattern: &'l Pattern) -> Fallible<Value> {
        let name = self.spelled(pattern)?;
        if let Some((_, x)) = self.bound.iter().rev().find(|(n, _)| *n == name) {
            return Ok(Value::scalar(*x));
        }
        if let Some(value) = self.known.get(&name) {
            return Ok(value.clone());
        }
        if let Some(equation) = self.equations.get(&name).cloned() {
            if self.open.contains(&name) {
                return one(errors::cycle(&pattern.written, pattern.span));
            }
            self.open.push(name.clone());
            // What is bound where the name is read means nothing in its equation.
            let outside = std::mem::take(&mut self.bound);
            let value = self.defined(&equation);
            self.bound = outside;
            self.open.pop();
            let value = value?;
            self.known.insert(name, value.clone());
            return Ok(value);
        }
        match &*name {
            "π" => Ok(Value::scalar(std::f64::consts::PI)),
            "inf" => Ok(Value::scalar(f64::INFINITY)),
            _ => {
                let names = self.equations.keys().chain(self.parts.keys());
                let near = nearest(&name, names).map(|n| &**n);
                one(errors::unknown(&pattern.written, near, pattern.span))
            }
        }
    }

    /// `before` are arguments that come from a pipe.
    fn call(
        &mut self,
        callee: &'l Expr,
        args: &'l [Arg],
        before: Vec<Given<'l>>,
        at: Span,
    ) -> Fallible<Value> {
        let (head, settings) = match &callee.kind {
            ExprKind::Name(pattern) => match self.parts.get(&plain(pattern)).copied() {
                Some(recipe) => {
                    self.applied.insert(plain(pattern));
                    (recipe, self.settings.get(&plain(pattern)).cloned().unwrap_or_default())
                }
                None => (callee, Vec::new()),
            },
            _ => (callee, Vec::new()),
        };
        let Some(pattern) = head_name(head) else { return one(errors::not_in_a_test("this call", at)) };
        let name = plain(pattern);
        let mut given = before;
        let (statics, args) = self.split_statics(head, &name, args, given.len());
        for arg in args {
            given.push(Given { name: arg.name.as_ref(), value: self.eval(&arg.value)?, span: arg.span });
        }
        let Some(item) = self.library.lookup(head.span.file, &name) else {
            if matches!(&*name, "leaf" | "node") {
                return branch(&name, given, at).map(|b| Value::Tree(Rc::new(b)));
            }
            let values: Vec<Value> = given.iter().map(|g| g.value.clone()).collect();
            return match value::function(&name, &values, at) {
                Some(result) => result.map_err(|d| vec![d]),
                None => {
                    let near = nearest(&name, self.library.names(head.span.file)).map(|n| &**n);
                    one(errors::unknown(&pattern.written, near, pattern.span))
                }
            };
        };
        let title = print_expr(head, Style::UNICODE);
        let recipe = if statics.is_empty() {
            Cow::Borrowed(head)
        } else {
            let callee = Box::new(head.clone());
            Cow::Owned(Expr { kind: ExprKind::Call { callee, args: statics }, span: head.span })
        };
        let instance = Instance { library: self.library, item, recipe, title, settings };
        Ok(Value::Applied(Rc::new(instance.apply(given, at)?)))
    }

    /// Static arguments of a function, such as `eps = 1e-3`, belong to its recipe, and there by name; the
    /// others stay. The first argument is the input at `first`.
    fn split_statics(
        &self,
        head: &Expr,
        name: &str,
        args: &'l [Arg],
        first: usize,
    ) -> (Vec<Arg>, Vec<&'l Arg>) {
        let item = self.library.lookup(head.span.file, name).map(|id| &self.library.item(id).kind);
        let Some(ItemKind::Fn(func)) = item else { return (Vec::new(), args.iter().collect()) };
        let (mut statics, mut values) = (Vec::new(), Vec::new());
        let mut positions = func.inputs.iter().skip(first);
        for arg in args {
            let input = match arg.name.as_ref().map(|n| n.path.as_slice()) {
                None => positions.next(),
                Some([own]) => func.inputs.iter().find(|i| i.name.name == own.name),
                Some(_) => None,
            };
            match input.filter(|i| !i.kind.is_empty()) {
                Some(input) => {
                    let name = ArgName { prev: false, path: vec![input.name.clone()], span: arg.span };
                    statics.push(Arg { name: Some(name), ..arg.clone() });
                }
                None => values.push(arg),
            }
        }
        (statics, values)
    }
}

/// `leaf(v)` is given values alone, `node(a, b, x = v)` its children first.
fn branch(name: &str, given: Vec<Given>, at: Span) -> Fallible<Branch> {
    let (mut children, mut inputs) = (Vec::new(), Vec::new());
    for given in given {
        let path = given.name.map(|n| n.path.iter().map(|p| &*p.name).collect::<Vec<_>>().join("."));
        match (given.value, path) {
            (Value::Tree(child), None) if name == "node" => children.push(child),
            (Value::Tree(_), _) => return one(errors::range(given.span, "a leaf has no children")),
            (_, None) if name == "node" => {
                return one(errors::range(
                    given.span,
                    "the children of a node are trees; values have names: `x = …`",
                ));
            }
            (value, path) => inputs.push((path, value.array().clone())),
        }
    }
    match children.is_empty() && name == "node" {
        true => one(errors::range(at, "a node has children; `leaf(…)` has none")),
        false => Ok(Branch::new(children, inputs)),
    }
}

/// The name a recipe begins with.
fn head_name(recipe: &Expr) -> Option<&Pattern> {
    match &recipe.kind {
        ExprKind::Name(pattern) => Some(pattern),
        ExprKind::Call { callee, .. } => head_name(callee),
        ExprKind::Paren(inner) => head_name(inner),
        _ => None,
    }
}

/// What stands before the dots, and the names behind them.
fn fields<'l>(expr: &'l Expr, path: &mut Vec<String>) -> &'l Expr {
    match &expr.kind {
        ExprKind::Field { base, field } => {
            let root = fields(base, path);
            path.push(plain(field).to_string());
            root
        }
        _ => expr,
    }
}

fn one<T>(diagnostic: Diagnostic) -> Fallible<T> {
    Err(vec![diagnostic])
}
