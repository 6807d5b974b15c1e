//! The value of an expression.

use super::builder::Builder;
use super::define::strip;
use super::errors::{self, Sign, Written};
use super::value::*;
use crate::eqn::{Binary, Extent, Op, Ty, Unary};
use crate::resolve::nearest;
use crate::resolve::text::{Kind, SideKey, group_count, pick};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::*;
use std::rc::Rc;

/// For so many messages a name that may be meant is looked for.
const MOST_SEARCHED: usize = 50;

impl<'l> Builder<'l> {
    pub fn eval(&mut self, e: &'l Expr, env: &Env) -> R<Val<'l>> {
        let before = std::mem::replace(&mut self.here, (env.frame, env.open.clone()));
        let result = self.nested(e.span, |b| b.eval_here(e, env));
        self.here = before;
        if self.seen.is_some() {
            self.note_seen(e, env, &result);
        }
        result
    }

    fn eval_here(&mut self, e: &'l Expr, env: &Env) -> R<Val<'l>> {
        match &e.kind {
            ExprKind::Number(x, _) => Ok(Val::Num(*x)),
            ExprKind::Str(_) => self.fail(errors::text_as_value(e.span)),
            ExprKind::Bool(b) => Ok(Val::Bool(*b)),
            ExprKind::Hole => self.fail(errors::hole_as_value(e.span)),
            ExprKind::Name(p) => self.eval_name(p, env, e.span),
            ExprKind::List(items) => {
                let items = items.iter().map(|i| self.eval(i, env)).collect::<R<Vec<_>>>()?;
                Ok(Val::List(Rc::new(items)))
            }
            ExprKind::Paren(inner) => self.eval(inner, env),
            ExprKind::Neg(inner) => match self.eval(inner, env)? {
                Val::Num(x) => Ok(Val::Num(-x)),
                Val::Dim(d) => match d.neg() {
                    Ok(d) => Ok(Val::dim(d)),
                    Err(err) => self.dim_error(&err, e.span),
                },
                val => {
                    let arr = self.real(val, inner.span)?;
                    Ok(Val::Arr(self.unary(Unary::Neg, arr, e.span)?))
                }
            },
            ExprKind::Not(inner) => match self.eval(inner, env)? {
                Val::Bool(b) => Ok(Val::Bool(!b)),
                val => {
                    let arr = self.bool(val, inner.span)?;
                    Ok(Val::Arr(self.unary(Unary::Not, arr, e.span)?))
                }
            },
            ExprKind::Binary { op, op_span, left, right } => {
                self.eval_binary(*op, Written { sign: *op_span, left, right }, env, e.span)
            }
            ExprKind::Cond { cond, then, else_ } => {
                let c = self.eval(cond, env)?;
                match c {
                    Val::Bool(true) => self.eval(then, env),
                    Val::Bool(false) => self.eval(else_, env),
                    c => {
                        let c = self.bool(c, cond.span)?;
                        let a = self.eval(then, env)?;
                        let a = self.force(a, then.span)?;
                        let b = self.eval(else_, env)?;
                        let b = self.force(b, else_.span)?;
                        let out = self.select((c, cond.span), (a, then.span), (b, else_.span), e.span)?;
                        Ok(Val::Arr(out))
                    }
                }
            }
            ExprKind::Pipe { value, into } => {
                let val = self.eval(value, env)?;
                self.eval_pipe((val, value.span), into, env, e.span)
            }
            ExprKind::Call { callee, args } => self.eval_call(callee, args, None, env, e.span),
            ExprKind::Index { .. } | ExprKind::Field { .. } => self.eval_ref_value(e, env),
            ExprKind::Mark { base, mark } => self.eval_mark(base, *mark, env, e.span),
            ExprKind::Reduce { fold, binders, where_, body } => {
                self.eval_reduce(*fold, binders, where_.as_deref(), body, env, e.span)
            }
        }
    }

    /// A value that must consist of real numbers.
    pub fn real(&mut self, val: Val<'l>, span: Span) -> R<Arr> {
        let arr = self.force(val, span)?;
        match self.graph.ty(arr.node) {
            Ty::Real => Ok(arr),
            Ty::Bool => self.fail(errors::bool_as_number(span)),
            Ty::Id(k) => {
                let d = errors::id_as_number(k, span);
                self.fail(d)
            }
        }
    }

    pub fn bool(&mut self, val: Val<'l>, span: Span) -> R<Arr> {
        let kind = val.kind();
        let arr = self.force(val, span)?;
        match self.graph.ty(arr.node) {
            Ty::Bool => Ok(arr),
            _ => self.fail(errors::not_a_condition(kind, span)),
        }
    }

    // Names.

    /// The name of a pattern in a template.
    pub fn pattern_name(&mut self, p: &Pattern, env: &Env) -> R<Name> {
        match group_count(p) {
            Err(d) => self.fail(d),
            Ok(None) => Ok(pick(p, 0)),
            Ok(Some(n)) => match env.brace {
                Some((k, m)) if m == n => Ok(pick(p, k)),
                Some((_, m)) => self.fail(errors::braces_out_of_step(&p.written, m, n, p.span)),
                None => self.fail(errors::braces_without_left(&p.written, p.span)),
            },
        }
    }

    fn eval_name(&mut self, p: &'l Pattern, env: &Env, span: Span) -> R<Val<'l>> {
        let name = self.pattern_name(p, env)?;
        if let Some(val) = self.lookup(&name, env, span)? {
            return Ok(val);
        }
        self.unknown(&name, &p.written, env, span)
    }

    /// What a name means here, if anything.
    pub fn lookup(&mut self, name: &Name, env: &Env, span: Span) -> R<Option<Val<'l>>> {
        if let Some(bind) = env.binder(name) {
            return match bind {
                Bind::Int(n) => Ok(Some(Val::Num(n as f64))),
                Bind::Along(..) => Err(Stop::NoAlong(span)),
                Bind::Position(d) => Ok(Some(Val::node(self.position(d, span)?))),
            };
        }
        let first = match env.dims_first {
            true => self.lookup_static(name, env, span)?,
            false => self.lookup_value(name, env, span)?,
        };
        if first.is_some() {
            return Ok(first);
        }
        let second = match env.dims_first {
            true => self.lookup_value(name, env, span)?,
            false => self.lookup_static(name, env, span)?,
        };
        if second.is_some() {
            return Ok(second);
        }
        match &**name {
            "pi" | "π" => return Ok(Some(Val::Num(std::f64::consts::PI))),
            "inf" => return Ok(Some(Val::Num(f64::INFINITY))),
            "training" => return Ok(Some(Val::Bool(self.options.training))),
            _ => {}
        }
        if self.frame(env.frame).kind == FrameKind::Root {
            let options = self.options;
            if let Some(expr) = options.statics.get(&**name)
                && !matches!(&expr.kind, ExprKind::Name(p) if pick(p, 0) == *name)
                && !matches!(expr.kind, ExprKind::Hole)
            {
                return self.eval(expr, env).map(Some);
            }
            self.symbols.insert(name.clone());
            return Ok(Some(Val::Dim(Dim::sym(name.clone()))));
        }
        Ok(None)
    }

    fn lookup_static(&mut self, name: &Name, env: &Env, span: Span) -> R<Option<Val<'l>>> {
        if let Some(val) = self.static_value(env.frame, env.layer, name, span)? {
            return Ok(Some(val));
        }
        if let Some(val) = self.frame(env.frame).free.get(name) {
            return Ok(Some(val.clone()));
        }
        if let Some(set) = self.axes_set(env.frame, name, span)? {
            return Ok(Some(set));
        }
        let text = self.frame(env.frame).text.clone();
        if let Some((layer, setting)) = text.dims.get(name) {
            let env = Env::new(env.frame, *layer).of_dims();
            return self.named_dim(name, &setting.value, &env, span).map(Some);
        }
        Ok(None)
    }

    /// The value of `dim NAME = e`, once.
    fn named_dim(&mut self, name: &Name, e: &'l Expr, env: &Env, span: Span) -> R<Val<'l>> {
        match self.frame(env.frame).dims.get(name) {
            Some(Memo::Busy) => return self.fail(errors::dim_cycle(name, span, e.span)),
            Some(Memo::Failed(r)) => return Err(Stop::Reported(*r)),
            Some(Memo::Done(_)) | None => {}
        }
        self.frame_mut(env.frame).dims.insert(name.clone(), Memo::Busy);
        let found = self.dim_value(e, env);
        let dims = &mut self.frame_mut(env.frame).dims;
        match &found {
            Err(Stop::Reported(r)) => drop(dims.insert(name.clone(), Memo::Failed(*r))),
            _ => drop(dims.remove(name)),
        }
        let val = found?;
        self.frame_mut(env.frame).free.insert(name.clone(), val.clone());
        Ok(val)
    }

    fn dim_value(&mut self, e: &'l Expr, env: &Env) -> R<Val<'l>> {
        let val = self.eval(e, env)?;
        match &val {
            Val::List(_) | Val::Extent(_) | Val::Lengths(_) => Ok(val),
            v if v.as_dim().is_some() => Ok(val),
            Val::Dim(_) | Val::Num(_) => self.fail(errors::not_a_dim("fraction", e.span)),
            other => self.no_dim(other, e, env),
        }
    }

    fn lookup_value(&mut self, name: &Name, env: &Env, span: Span) -> R<Option<Val<'l>>> {
        let frame = env.frame;
        let text = self.frame(frame).text.clone();
        if let Some(entry) = text.get(name) {
            if env.side.is_some() {
                return self.lookup_side(name, entry.declared.as_ref(), env, span).map(Some);
            }
            if self.arity(frame, name)? > 0 {
                return Ok(Some(Val::Family(frame, name.clone(), Vec::new())));
            }
            return self.eval_def(frame, name, &[], span).map(Some);
        }
        if text.inputs.iter().any(|i| i.name.name == *name) {
            return match self.frame(frame).given.get(name) {
                Some(val) => Ok(Some(val.clone())),
                None => {
                    let title = self.frame(frame).title.clone();
                    let at = self.frame(frame).span.unwrap_or(span);
                    self.fail(errors::input_not_given(name, &title, at, span))
                }
            };
        }
        if let Some(axis) = self.axis_variable(frame, name) {
            if env.side.as_deref() == Some(&SideKey::Before(name.clone())) {
                return Ok(Some(Val::Num(0.0)));
            }
            return match axis {
                Some(d) => Ok(Some(Val::node(self.position(d, span)?))),
                None => {
                    let title = self.frame(frame).title.clone();
                    let at = self.frame(frame).span;
                    self.no_chain(&title, at, span)
                }
            };
        }
        Ok(None)
    }

    /// In an `at` block a name means the point before the first.
    fn lookup_side(
        &mut self,
        name: &Name,
        declared: Option<&crate::resolve::text::Declared<'l>>,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        if self.arity(env.frame, name)? > 0 {
            return Ok(Val::Family(env.frame, name.clone(), Vec::new()));
        }
        let side = env.side.as_deref().cloned().unwrap_or(SideKey::Leaf);
        if self.has_side(env.frame, &side, name)
            && let Some(val) = self.eval_side(env.frame, &side, name, &[], span)?
        {
            return Ok(val);
        }
        match declared.filter(|_| side != SideKey::Leaf) {
            Some(d) if d.kind == Kind::State => match d.value {
                Some(value) => {
                    let (shape, _) = self.declared_type(env.frame, d)?;
                    let mut start = Env::new(env.frame, d.layer);
                    start.brace = d.brace;
                    let val = self.eval(value, &start)?;
                    let arr = self.force(val, span)?;
                    match self.shape(arr).is_empty() {
                        true => Ok(Val::node(self.spread(arr.node, &shape, span)?)),
                        false => Ok(Val::Arr(arr)),
                    }
                }
                None => {
                    let var = self.var_name(env.frame);
                    let ty = d.ty.filter(|_| d.over.is_empty()).map(|ty| ty.span);
                    self.fail(errors::no_start(name, var.as_deref(), d.span, Some(span), ty))
                }
            },
            _ => self.eval_def(env.frame, name, &[], span),
        }
    }

    pub fn unknown<T>(&mut self, name: &Name, written: &str, env: &Env, span: Span) -> R<T> {
        let f = self.frame(env.frame);
        if f.text.get(name).is_none()
            && let Some(kind) = super::functions::builtin(name)
        {
            return self.fail(errors::function_without_argument(kind, span));
        }
        let words =
            f.statics.iter().flat_map(|s| s.values()).find(|s| s.words.iter().any(|w| w.name == *name));
        if let Some(s) = words {
            let d = errors::word_outside_choice(written, s.words, span);
            return self.fail(d);
        }
        // Each search costs as much as there are names.
        let mut near = None;
        if self.diagnostics.len() < MOST_SEARCHED {
            // `H` is no slip for `h`: one is a dimension, the other a value.
            let single = name.chars().count() == 1;
            let values = f.text.names().chain(f.text.inputs.iter().map(|i| &i.name.name));
            let values = values.filter(|_| !(single && env.dims_first));
            let dims = f.statics.iter().flat_map(|s| s.keys()).chain(f.free.keys());
            let dims = dims.filter(|_| !single || env.dims_first);
            near = nearest(name, values.chain(dims)).cloned();
        }
        let d = match self.meant(written, near.is_none() && self.diagnostics.len() < MOST_SEARCHED, env, span)
        {
            Some(d) => d,
            None => errors::unknown_name(written, near, span),
        };
        self.fail(d)
    }

    // Operators.

    fn eval_binary(&mut self, op: BinaryOp, written: Written<'l>, env: &Env, span: Span) -> R<Val<'l>> {
        use BinaryOp::*;
        let Written { left, right, .. } = written;
        let sign = |text| Sign { text, written: Some(written) };
        match op {
            And | Or => {
                let a = self.eval(left, env)?;
                if let Val::Bool(known) = a {
                    // `true and x` is x; `false and x` is false, whatever x is.
                    if known == (op == Or) {
                        return Ok(Val::Bool(known));
                    }
                    return match self.eval(right, env)? {
                        Val::Bool(b) => Ok(Val::Bool(b)),
                        val => self.bool(val, right.span).map(Val::Arr),
                    };
                }
                let b = self.eval(right, env)?;
                if let Val::Bool(known) = b {
                    return match known == (op == Or) {
                        true => Ok(Val::Bool(known)),
                        false => self.bool(a, left.span).map(Val::Arr),
                    };
                }
                let a = self.bool(a, left.span)?;
                let b = self.bool(b, right.span)?;
                let (kind, text) = if op == And { (Binary::And, "and") } else { (Binary::Or, "or") };
                self.elementwise(kind, sign(text), (a, left.span), (b, right.span), span).map(Val::Arr)
            }
            Eq | Ne => {
                if let Some(equal) = self.compare_choice(left, right, env)? {
                    return Ok(Val::Bool(equal == (op == Eq)));
                }
                self.eval_comparison(op, left, right, env, span)
            }
            Lt | Le | Gt | Ge => self.eval_comparison(op, left, right, env, span),
            Cat => {
                let (a, b) = self.eval_both(left, right, env)?;
                let a = self.force(a, left.span)?;
                let b = self.force(b, right.span)?;
                self.concat(&[(a, left.span), (b, right.span)], span).map(Val::Arr)
            }
            MatMul => {
                let (a, b) = self.eval_both(left, right, env)?;
                let a = self.real(a, left.span)?;
                let b = self.real(b, right.span)?;
                self.matmul((a, left.span), (b, right.span), written, span).map(Val::Arr)
            }
            Add | Sub | Mul | Div | Mod | IntDiv | Pow => {
                let (a, b) = self.eval_both(left, right, env)?;
                if let Some(val) = self.static_arithmetic(op, &a, &b, span)? {
                    return Ok(val);
                }
                if op == Pow
                    && let Val::Arr(x) = &b
                    && !self.shape(*x).is_empty()
                {
                    return self.fail(errors::exponent_shape(right.span));
                }
                let (kind, text) = match op {
                    Add => (Binary::Add, "+"),
                    Sub => (Binary::Sub, "−"),
                    Mul => (Binary::Mul, "⊙"),
                    Div => (Binary::Div, "/"),
                    IntDiv => (Binary::Div, "div"),
                    Mod => (Binary::Mod, "mod"),
                    _ => (Binary::Pow, "^"),
                };
                let a = self.real(a, left.span)?;
                let b = self.real(b, right.span)?;
                let out = self.elementwise(kind, sign(text), (a, left.span), (b, right.span), span)?;
                match op {
                    IntDiv => self.unary(Unary::Floor, out, span).map(Val::Arr),
                    _ => Ok(Val::Arr(out)),
                }
            }
        }
    }

    /// Both operands: the right one's mistakes are shown whatever is wrong with the left one.
    fn eval_both(&mut self, left: &'l Expr, right: &'l Expr, env: &Env) -> R<(Val<'l>, Val<'l>)> {
        let a = self.eval(left, env);
        if let Err(Stop::NoAlong(at)) = a {
            // The whole is about to be built another way.
            return Err(Stop::NoAlong(at));
        }
        let b = self.eval(right, env);
        Ok((a?, b?))
    }

    /// Arithmetic of numbers and dimensions.
    fn static_arithmetic(
        &mut self,
        op: BinaryOp,
        a: &Val<'l>,
        b: &Val<'l>,
        span: Span,
    ) -> R<Option<Val<'l>>> {
        use BinaryOp::*;
        if let (Val::Num(x), Val::Num(y)) = (a, b) {
            let (x, y) = (*x, *y);
            return Ok(Some(Val::Num(match op {
                Add => x + y,
                Sub => x - y,
                Mul => x * y,
                Div => x / y,
                Mod => x - y * (x / y).floor(),
                Pow => libm::pow(x, y),
                _ => match (a.as_dim(), b.as_dim()) {
                    (Some(p), Some(q)) => match p.div(&q) {
                        Ok(d) => return Ok(Some(Val::dim(d))),
                        Err(e) => return self.dim_error(&e, span),
                    },
                    _ => return Ok(Some(Val::Num((x / y).floor()))),
                },
            })));
        }
        if let (Some(p), Some(q)) = (a.as_lengths(), b.as_lengths()) {
            return Ok(length_arithmetic(op, &p, &q));
        }
        let (Some(p), Some(q)) = (a.as_dim(), b.as_dim()) else { return Ok(None) };
        let result = match op {
            Add => p.add(&q),
            Sub => p.sub(&q),
            Mul => p.mul(&q),
            IntDiv => p.div(&q),
            Pow if q.as_constant().is_some_and(|n| n < 0) => return Ok(None),
            Pow => p.pow(&q),
            _ => return Ok(None),
        };
        match result {
            Ok(d) => {
                // As many terms were put together more than once.
                self.spend(4 * d.terms().count(), span)?;
                Ok(Some(Val::dim(d)))
            }
            Err(e) => self.dim_error(&e, span),
        }
    }

    /// `reset == before`: a choice against one of its words, or two choices.
    fn compare_choice(&mut self, left: &'l Expr, right: &'l Expr, env: &Env) -> R<Option<bool>> {
        for (choice, other) in [(left, right), (right, left)] {
            let ExprKind::Name(p) = &strip(choice).kind else { continue };
            let name = self.pattern_name(p, env)?;
            let Some((_, s)) = self.find_static(env.frame, env.layer, &name) else { continue };
            if s.kind != StaticKind::Choice {
                continue;
            }
            let words = s.words;
            let Some(Val::Word(value)) = self.static_value(env.frame, env.layer, &name, choice.span)? else {
                continue;
            };
            let ExprKind::Name(q) = &strip(other).kind else {
                return self.fail(errors::not_a_choice(&name, words, other.span, None));
            };
            let word = self.pattern_name(q, env)?;
            if words.iter().any(|w| w.name == word) {
                return Ok(Some(value == word));
            }
            if let Some(Val::Word(second)) = self.static_value(env.frame, env.layer, &word, other.span)? {
                return Ok(Some(value == second));
            }
            return self.fail(errors::not_a_choice(&name, words, other.span, Some(&q.written)));
        }
        Ok(None)
    }

    fn eval_comparison(
        &mut self,
        op: BinaryOp,
        left: &'l Expr,
        right: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        use BinaryOp::*;
        let (a, b) = self.eval_both(left, right, env)?;
        match (&a, &b) {
            (Val::Num(x), Val::Num(y)) => {
                return Ok(Val::Bool(match op {
                    Eq => x == y,
                    Ne => x != y,
                    Lt => x < y,
                    Le => x <= y,
                    Gt => x > y,
                    _ => x >= y,
                }));
            }
            (Val::Bool(x), Val::Bool(y)) if matches!(op, Eq | Ne) => {
                return Ok(Val::Bool((x == y) == (op == Eq)));
            }
            _ => {}
        }
        if let (Some(p), Some(q)) = (a.as_dim(), b.as_dim()) {
            let difference = match p.sub(&q) {
                Ok(d) => d,
                Err(e) => return self.dim_error(&e, span),
            };
            if let Some(n) = difference.as_constant() {
                return Ok(Val::Bool(match op {
                    Eq => n == 0,
                    Ne => n != 0,
                    Lt => n < 0,
                    Le => n <= 0,
                    Gt => n > 0,
                    _ => n >= 0,
                }));
            }
            self.want_number(&difference);
            return self.fail(errors::undecided_dims(&p, &q, span));
        }
        let mut p = (self.force(a, left.span)?, left.span);
        let mut q = (self.force(b, right.span)?, right.span);
        if matches!(op, Gt | Ge) {
            (p, q) = (q, p);
        }
        let (kind, sign) = match op {
            Eq => (Binary::Eq, "=="),
            Ne => (Binary::Ne, "≠"),
            Lt => (Binary::Lt, "<"),
            Le => (Binary::Le, "≤"),
            Gt => (Binary::Lt, ">"),
            _ => (Binary::Le, "≥"),
        };
        match kind {
            Binary::Eq | Binary::Ne => {
                // An id may be compared with a known symbol's number.
                for (x, y) in [(p.0, q.0), (q.0, p.0)] {
                    if matches!(self.graph.ty(x.node), Ty::Id(_)) && self.graph.as_const(y.node).is_some() {
                        let number = self.add(Op::Unary(Unary::ToReal, x.node), span)?;
                        let side = (Arr { node: number, along: x.along }, span);
                        return self.elementwise(kind, sign, side, (y, span), span).map(Val::Arr);
                    }
                }
            }
            _ => {
                self.real(Val::Arr(p.0), p.1)?;
                self.real(Val::Arr(q.0), q.1)?;
            }
        }
        self.elementwise(kind, sign, p, q, span).map(Val::Arr)
    }

    fn eval_mark(&mut self, base: &'l Expr, mark: Mark, env: &Env, span: Span) -> R<Val<'l>> {
        let val = self.eval(base, env)?;
        let power = match mark {
            Mark::Square => 2.0,
            Mark::Cube => 3.0,
            Mark::Transpose => {
                let arr = self.force(val, base.span)?;
                let shape = self.shape(arr).to_vec();
                if shape.len() != 2 {
                    let mark = Span { start: base.span.end, ..span };
                    return self.fail(errors::transpose_shape(&shape, base.span, mark));
                }
                if arr.along != 0 {
                    return Err(Stop::NoAlong(span));
                }
                return Ok(Val::node(self.add(Op::Transpose(arr.node), span)?));
            }
        };
        if let Some(val) = self.static_arithmetic(BinaryOp::Pow, &val, &Val::Num(power), span)? {
            return Ok(val);
        }
        let a = self.real(val, base.span)?;
        let p = Arr { node: self.constant(power), along: 0 };
        self.elementwise(Binary::Pow, "^", (a, base.span), (p, base.span), span).map(Val::Arr)
    }
}

/// Sums, differences and products of lengths; quotients are no lengths.
fn length_arithmetic<'l>(op: BinaryOp, p: &Extent, q: &Extent) -> Option<Val<'l>> {
    let extent = match op {
        BinaryOp::Add => p.clone().plus(q),
        BinaryOp::Sub => p.clone().plus(&q.times(-1)),
        BinaryOp::Mul => {
            let mut sum = Extent::constant(0);
            for (a, x) in &p.0 {
                for (b, y) in &q.0 {
                    let mut axes = [x.as_slice(), y.as_slice()].concat();
                    axes.sort();
                    sum = sum.plus(&Extent(vec![(a.checked_mul(*b)?, axes)]));
                }
            }
            sum
        }
        _ => return None,
    };
    Some(match &extent.0[..] {
        [] => Val::Num(0.0),
        [(n, axes)] if axes.is_empty() => Val::Num(*n as f64),
        [(1, axes)] if axes.len() == 1 => Val::Extent(axes[0]),
        _ => Val::Lengths(extent),
    })
}
