//! What is known before anything runs: static parameters, dimensions, index sets, distributions.

use super::builder::Builder;
use super::errors;
use super::mend;
use super::names::children;
use super::value::*;
use crate::eqn::{Dist, DomainId, Scalar};
use crate::resolve::nearest;
use crate::resolve::text::plain;
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::*;
use std::sync::Arc;

/// The values an index runs over.
#[derive(Clone, Debug)]
pub enum SetVal {
    Range(i64, i64),
    /// `1..n` with n not a number yet.
    Symbolic(Dim),
    /// The points of an axis.
    Positions(DomainId),
    /// Those points of an axis from one number to another.
    Region(DomainId, Arr, Arr),
}

/// A dimension that an argument can still decide.
#[derive(Clone, Debug, PartialEq)]
pub enum Open {
    Static(usize, Name),
    Free(Name),
}

impl<'l> Builder<'l> {
    /// The kind of a static parameter, by its mark or its default.
    pub fn static_kind(&mut self, s: &'l Static) -> R<StaticKind> {
        if s.over_set.is_some() {
            return Ok(StaticKind::List);
        }
        match s.kind.as_slice() {
            [] => Ok(self.default_kind(s.default.as_ref())),
            [word] => match &*word.name {
                "real" => Ok(StaticKind::Real),
                "bool" => Ok(StaticKind::Bool),
                "cell" => Ok(StaticKind::Cell),
                "fn" => Ok(StaticKind::Fn),
                "dim" => Ok(StaticKind::Dim),
                _ => {
                    let mark = Span { start: s.name.span.end, ..word.span };
                    self.fail(errors::unknown_kind(&word.written, word.span, mark))
                }
            },
            _ => Ok(StaticKind::Choice),
        }
    }

    pub fn default_kind(&self, default: Option<&Expr>) -> StaticKind {
        match default.map(|d| &d.kind) {
            Some(ExprKind::Number(_, digits)) if digits.contains(['.', 'e', 'E']) => StaticKind::Real,
            Some(ExprKind::Neg(_)) => StaticKind::Real,
            Some(ExprKind::Bool(_)) => StaticKind::Bool,
            Some(ExprKind::Name(p)) if super::functions::builtin(&plain(p)).is_some() => StaticKind::Fn,
            Some(ExprKind::Paren(e)) => self.default_kind(Some(e)),
            _ => StaticKind::Dim,
        }
    }

    /// The static parameter a name means in a layer, if it is one.
    pub fn find_static(&self, frame: FrameId, layer: usize, name: &str) -> Option<(usize, &StaticVal<'l>)> {
        let statics = &self.frame(frame).statics;
        let below = layer.min(statics.len().saturating_sub(1));
        (0..=below).rev().find_map(|l| Some((l, statics.get(l)?.get(name)?)))
    }

    pub fn static_value(
        &mut self,
        frame: FrameId,
        layer: usize,
        name: &Name,
        span: Span,
    ) -> R<Option<Val<'l>>> {
        let Some((l, found)) = self.find_static(frame, layer, name) else { return Ok(None) };
        let found = found.clone();
        match found.slot.clone() {
            Slot::Known(val) => Ok(Some(val)),
            Slot::Failed => self.fail(errors::static_failed(name, found.span)),
            Slot::Busy => self.fail(errors::static_cycle(name, found.span)),
            Slot::Hole => {
                let item = self.frame(frame).title.clone();
                self.fail(errors::cannot_infer(name, &item, self.frame(frame).span.unwrap_or(span)))
            }
            Slot::Lazy(expr, env) => {
                self.set_slot(frame, l, name, Slot::Busy);
                let result = self.nested(span, |b| b.static_of(&found, expr, env, frame, name));
                let slot = match &result {
                    Ok(val) => Slot::Known(val.clone()),
                    Err(_) => Slot::Failed,
                };
                self.set_slot(frame, l, name, slot);
                result.map(Some)
            }
        }
    }

    pub fn set_slot(&mut self, frame: FrameId, layer: usize, name: &str, slot: Slot<'l>) {
        if let Some(s) = self.frame_mut(frame).statics.get_mut(layer).and_then(|s| s.get_mut(name)) {
            s.slot = slot;
        }
    }

    /// A static argument as its parameter's kind wants it. `callee` is the frame the parameter belongs to.
    fn static_of(
        &mut self,
        found: &StaticVal<'l>,
        expr: &'l Expr,
        env: Env,
        callee: FrameId,
        name: &Name,
    ) -> R<Val<'l>> {
        let env = env.of_dims();
        let (kind, words) = (found.kind, found.words);
        match kind {
            StaticKind::List => self.static_list(found.over, expr, &env, callee, name),
            StaticKind::Dim => {
                let val = self.eval(expr, &env)?;
                match val {
                    Val::List(_) => Ok(val),
                    Val::Extent(_) | Val::Lengths(_) => self.fail(errors::length_as_dim(expr.span)),
                    val => match val.as_dim() {
                        Some(d) => Ok(Val::dim(d)),
                        None => self.fail(errors::static_kind(name, kind.word(), val.kind(), expr.span)),
                    },
                }
            }
            StaticKind::Real => {
                // An argument may depend on the step of the cell it goes to: `lr = 1e-3 * min(1, k/500)`.
                let mut env = env;
                if self.frame(env.frame).kind == FrameKind::Root {
                    for own in self.frame(callee).space.axes.clone() {
                        if let Some(var) = &own.name {
                            env = env.bind(var, Bind::Position(own.axis));
                        }
                    }
                }
                let val = self.eval(expr, &env)?;
                match val {
                    Val::Num(_) | Val::Dim(_) | Val::Arr(_) | Val::Extent(_) | Val::Lengths(_) => Ok(val),
                    val => self.fail(errors::static_kind(name, kind.word(), val.kind(), expr.span)),
                }
            }
            StaticKind::Bool => match self.eval(expr, &env)? {
                Val::Bool(b) => Ok(Val::Bool(b)),
                val => self.fail(errors::static_kind(name, kind.word(), val.kind(), expr.span)),
            },
            StaticKind::Cell => self.recipe_of(expr, &env),
            StaticKind::Fn => self.func_of(expr, &env),
            StaticKind::Choice => {
                let ExprKind::Name(p) = &expr.kind else {
                    return self.fail(errors::not_a_choice(name, words, expr.span, None));
                };
                let word = plain(p);
                if words.iter().any(|w| w.name == word) {
                    return Ok(Val::Word(word));
                }
                match self.static_value(env.frame, env.layer, &word, expr.span)? {
                    Some(Val::Word(w)) if words.iter().any(|x| x.name == w) => Ok(Val::Word(w)),
                    _ => self.fail(errors::not_a_choice(name, words, expr.span, Some(&p.written))),
                }
            }
        }
    }

    /// `rank[axes] = 0`: a number for each member of the set; one number is that of all.
    fn static_list(
        &mut self,
        set: Option<&'l Ident>,
        expr: &'l Expr,
        env: &Env,
        callee: FrameId,
        name: &Name,
    ) -> R<Val<'l>> {
        let count = match set {
            Some(set) => {
                let at = Env::new(callee, 0).of_dims();
                match self.lookup(&set.name, &at, set.span)? {
                    Some(Val::Axes(first, last)) => last - first + 1,
                    Some(Val::Num(n)) => n as i64,
                    other => {
                        if let Some(Val::Dim(d)) = &other {
                            self.want_number(d);
                        }
                        let kind = other.map_or("unknown name", |v| v.kind());
                        return self.fail(errors::not_a_set(kind, set.span));
                    }
                }
            }
            None => 0,
        };
        match self.eval(expr, env)? {
            Val::List(items)
                if items.len() as i64 == count && items.iter().all(|i| matches!(i, Val::Num(_))) =>
            {
                Ok(Val::List(items))
            }
            Val::List(items) => self.fail(errors::list_length(name, count, items.len(), expr.span)),
            Val::Num(x) => {
                let count = usize::try_from(count).unwrap_or(0).min(self.limits().nodes);
                Ok(Val::List(std::rc::Rc::new(vec![Val::Num(x); count])))
            }
            val => self.fail(errors::static_kind(name, StaticKind::List.word(), val.kind(), expr.span)),
        }
    }

    /// `CELL(_, 64)`, a parameter that holds a recipe, or a cell without static parameters.
    pub fn recipe_of(&mut self, expr: &'l Expr, env: &Env) -> R<Val<'l>> {
        match &expr.kind {
            ExprKind::Paren(e) => self.recipe_of(e, env),
            ExprKind::Name(p) => {
                let name = plain(p);
                if let Some(val) = self.static_value(env.frame, env.layer, &name, expr.span)? {
                    return match val {
                        Val::Recipe(_) => Ok(val),
                        val => self.fail(errors::not_a_recipe(val.kind(), expr.span)),
                    };
                }
                match self.item_named(expr.span.file, &name)? {
                    Some(item) => self.recipe(item, &[], env, expr.span),
                    None => {
                        let near = nearest(&name, self.library.names(expr.span.file)).cloned();
                        self.fail(errors::unknown_item(&p.written, near, expr.span))
                    }
                }
            }
            ExprKind::Call { callee, args } => {
                let ExprKind::Name(p) = &callee.kind else {
                    return self.fail(errors::not_a_recipe("expression", expr.span));
                };
                let name = plain(p);
                match self.item_named(expr.span.file, &name)? {
                    Some(item) => self.recipe(item, args, env, expr.span),
                    None => {
                        let near = nearest(&name, self.library.names(expr.span.file)).cloned();
                        self.fail(errors::unknown_item(&p.written, near, callee.span))
                    }
                }
            }
            _ => self.fail(errors::not_a_recipe("expression", expr.span)),
        }
    }

    pub fn recipe(
        &mut self,
        item: crate::resolve::ItemId,
        args: &'l [Arg],
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        match &self.library.item(item).kind {
            ItemKind::Cell(_) | ItemKind::Layer(_) => {
                let env = Env { dims_first: false, ..env.clone() };
                Ok(Val::Recipe(std::rc::Rc::new(Recipe { item, args, env, span })))
            }
            ItemKind::Fn(_) => self.fail(errors::not_a_recipe("function", span)),
            ItemKind::Model(_) => self.fail(errors::not_a_recipe("model", span)),
            _ => self.fail(errors::not_a_recipe("item", span)),
        }
    }

    fn func_of(&mut self, expr: &'l Expr, env: &Env) -> R<Val<'l>> {
        let ExprKind::Name(p) = &expr.kind else {
            return self.fail(errors::not_a_function("expression", expr.span));
        };
        let name = plain(p);
        if let Some(Val::Func(f)) = self.static_value(env.frame, env.layer, &name, expr.span)? {
            return Ok(Val::Func(f));
        }
        if let Some(item) = self.item_named(expr.span.file, &name)?
            && matches!(self.library.item(item).kind, ItemKind::Fn(_))
        {
            return Ok(Val::Func(Callable::Item(item)));
        }
        match super::functions::builtin(&name) {
            Some(f) => Ok(Val::Func(Callable::Builtin(f))),
            None => self.fail(errors::unknown_function(&p.written, expr.span)),
        }
    }

    // Dimensions.

    pub fn eval_dim(&mut self, expr: &'l Expr, env: &Env) -> R<Dim> {
        let val = self.eval(expr, &env.of_dims())?;
        match val {
            Val::Extent(_) | Val::Lengths(_) => self.fail(errors::length_as_dim(expr.span)),
            val => match val.as_dim() {
                Some(d) if d.as_constant().is_some_and(|n| n < 0) => self.fail(errors::dim_error(
                    &crate::shape::DimError::Negative(d.as_constant().unwrap_or(0)),
                    expr.span,
                )),
                Some(d) => Ok(d),
                None => self.no_dim(&val, expr, env),
            },
        }
    }

    /// Refuses a value in place of a dimension.
    pub fn no_dim<T>(&mut self, val: &Val<'l>, expr: &Expr, env: &Env) -> R<T> {
        match self.input_in(expr, env) {
            Some(input) => {
                let groups = mend::end_of_statics(input);
                self.fail(errors::input_as_dim(&input.name.written, input.span, expr.span, Some(groups)))
            }
            None => match val {
                // Whole numbers are exact so far; a dimension beyond them overflows.
                Val::Num(x) if x.abs() >= 9e15 => {
                    self.fail(errors::dim_error(&crate::shape::DimError::Overflow, expr.span))
                }
                val => self.fail(errors::not_a_dim(val.kind(), expr.span)),
            },
        }
    }

    /// An input of a layer that an expression mentions.
    fn input_in(&self, expr: &Expr, env: &Env) -> Option<&'l InputDecl> {
        let f = self.frame(env.frame);
        if let (ExprKind::Name(p), FrameKind::Layer) = (&expr.kind, f.kind) {
            let name = plain(p);
            return f.text.inputs.iter().find(|i| i.name.name == name);
        }
        children(expr).into_iter().find_map(|e| self.input_in(e, env))
    }

    /// Whether a bare name in a type can still be decided by an argument.
    pub fn open_name(&self, frame: FrameId, layer: usize, name: &Name, bound: usize) -> Option<Open> {
        if let Some((l, s)) = self.find_static(frame, layer, name) {
            return match &s.slot {
                Slot::Hole => Some(Open::Static(l, name.clone())),
                Slot::Lazy(e, env) if env.frame == frame && bound > 0 => match &e.kind {
                    ExprKind::Name(p) => self.open_name(frame, env.layer, &plain(p), bound - 1),
                    _ => None,
                },
                _ => None,
            };
        }
        let f = self.frame(frame);
        let known = f.free.contains_key(name) || f.text.dims.contains_key(name);
        (!known).then(|| Open::Free(name.clone()))
    }

    pub fn open_expr(&self, frame: FrameId, layer: usize, expr: &Expr) -> Option<Open> {
        match &expr.kind {
            ExprKind::Name(p) => self.open_name(frame, layer, &plain(p), 64),
            ExprKind::Paren(e) => self.open_expr(frame, layer, e),
            _ => None,
        }
    }

    pub fn bind_open(&mut self, frame: FrameId, open: Open, val: Val<'l>) {
        match open {
            Open::Static(layer, name) => self.set_slot(frame, layer, &name, Slot::Known(val)),
            Open::Free(name) => {
                self.frame_mut(frame).free.insert(name, val);
            }
        }
    }

    /// A fresh symbol for a dimension nothing decides, or the value the caller gives it.
    pub fn symbol(&mut self, name: &Name) -> R<Val<'l>> {
        let options = self.options;
        if let Some(expr) = options.statics.get(&**name) {
            let env = Env::new(FrameId(0), 0);
            if !matches!(expr.kind, ExprKind::Hole) {
                let d = self.eval_dim(expr, &env)?;
                return Ok(Val::dim(d));
            }
        }
        let mut fresh = name.to_string();
        while self.symbols.contains(fresh.as_str()) {
            fresh.push('\'');
        }
        let fresh: Name = Arc::from(fresh);
        self.symbols.insert(fresh.clone());
        Ok(Val::Dim(Dim::sym(fresh)))
    }

    // Index sets.

    pub fn eval_set(&mut self, set: &'l Set, env: &Env) -> R<SetVal> {
        let dims = env.of_dims();
        let Some(hi) = &set.hi else {
            let val = self.eval(&set.lo, &dims)?;
            match &val {
                Val::Extent(d) => return Ok(SetVal::Positions(*d)),
                Val::Lengths(e) => {
                    return Ok(SetVal::Positions(self.axis_of_length(e, &[], None, set.span)?));
                }
                Val::Axes(first, last) => return Ok(SetVal::Range(*first, *last)),
                _ => {}
            }
            return match (val.as_int(), val.as_dim()) {
                (Some(n), _) => Ok(SetVal::Range(1, n)),
                (_, Some(d)) => Ok(SetVal::Symbolic(d)),
                _ => self.fail(errors::not_a_set(val.kind(), set.span)),
            };
        };
        let lo = self.eval(&set.lo, &dims)?;
        let hi_val = self.eval(hi, &dims)?;
        match (lo.as_int(), hi_val.as_int(), hi_val.as_dim(), &hi_val) {
            (Some(a), Some(b), ..) => Ok(SetVal::Range(a, b)),
            (Some(1), _, Some(d), _) => Ok(SetVal::Symbolic(d)),
            (Some(1), _, _, Val::Extent(d)) => Ok(SetVal::Positions(*d)),
            (Some(1), _, _, Val::Lengths(e)) => {
                Ok(SetVal::Positions(self.axis_of_length(e, &[], None, set.span)?))
            }
            _ if self.is_region(&lo) || self.is_region(&hi_val) => self.region(set, lo, hi_val, env),
            _ => {
                for val in [&lo, &hi_val] {
                    if let Val::Dim(d) = val {
                        self.want_number(d);
                    }
                }
                match (lo.as_dim(), hi_val.as_dim()) {
                    (Some(_), Some(_)) => self.fail(errors::range_wants_numbers(set.span)),
                    _ => self.fail(errors::not_a_set(hi_val.kind(), set.span)),
                }
            }
        }
    }

    fn is_region(&self, val: &Val<'l>) -> bool {
        matches!(val, Val::Extent(_) | Val::Lengths(_)) || matches!(val, Val::Arr(a) if a.along == 0)
    }

    /// A part of the positions of an axis, with bounds that depend on the example.
    fn region(&mut self, set: &'l Set, lo: Val<'l>, hi: Val<'l>, env: &Env) -> R<SetVal> {
        let axis = match &hi {
            Val::Extent(d) => *d,
            Val::Lengths(e) => self.axis_of_length(e, &[], None, set.span)?,
            _ => {
                let mut found = Vec::new();
                for e in [Some(&set.lo), set.hi.as_ref()].into_iter().flatten() {
                    self.lengths_in(e, env, &mut found)?;
                }
                found.dedup();
                match found.as_slice() {
                    [axis] => *axis,
                    _ => return self.fail(errors::region_of_one_axis(set.span)),
                }
            }
        };
        let at = set.span;
        let lo = self.real(lo, at)?;
        let hi = self.real(hi, at)?;
        if [lo, hi].iter().any(|a| !self.shape(*a).is_empty()) {
            return self.fail(errors::not_a_set("array", at));
        }
        Ok(SetVal::Region(axis, lo, hi))
    }

    /// The axes whose lengths an expression mentions.
    fn lengths_in(&mut self, e: &'l Expr, env: &Env, found: &mut Vec<DomainId>) -> R<()> {
        if let ExprKind::Name(p) = &e.kind {
            let name = self.pattern_name(p, env)?;
            if let Some(Val::Extent(d)) = self.lookup(&name, &env.of_dims(), e.span)?
                && !found.contains(&d)
            {
                found.push(d);
            }
        }
        for child in children(e) {
            self.lengths_in(child, env, found)?;
        }
        Ok(())
    }

    pub fn want_number(&mut self, dim: &Dim) {
        let mut symbols = Vec::new();
        dim.symbols(&mut symbols);
        self.wants_number.extend(symbols);
    }

    /// The members of a family; a set of points is no family.
    pub fn family_sets(
        &mut self,
        frame: FrameId,
        name: &Name,
        index: &'l [TargetIndex],
        env: &Env,
    ) -> R<std::rc::Rc<Vec<FamilySet>>> {
        if let Some(sets) = self.frame(frame).sets.get(name) {
            return Ok(sets.clone());
        }
        let mut sets = Vec::new();
        for i in index {
            let TargetIndex::Binder(binder) = i else {
                let span = match i {
                    TargetIndex::Expr(e) => e.span,
                    TargetIndex::Binder(b) => b.span,
                };
                let d = self.step_on_the_left(frame, name);
                return self.fail(d.unwrap_or_else(|| errors::family_wants_binder(name, span)));
            };
            match self.eval_set(&binder.set, env)? {
                SetVal::Range(a, b) => {
                    let members = b.saturating_sub(a).saturating_add(1).max(0) as u64;
                    let most = self.limits().nodes;
                    if members > most as u64 {
                        return self.fail(errors::too_many_equations(most, Some(members), binder.span));
                    }
                    sets.push(FamilySet::Range(a, b));
                }
                SetVal::Symbolic(d) => sets.push(FamilySet::Symbolic(d)),
                SetVal::Positions(axis) => {
                    let points = |s: &FamilySet| match s {
                        FamilySet::Points(axis) => Some(*axis),
                        _ => None,
                    };
                    let taken: Vec<DomainId> = sets.iter().filter_map(points).collect();
                    let axis = self.family_axis(frame, axis, &taken, binder.span)?;
                    sets.push(FamilySet::Points(axis));
                }
                SetVal::Region(..) => return self.fail(errors::range_wants_numbers(binder.span)),
            }
        }
        let points = sets.iter().position(|s| matches!(s, FamilySet::Points(_)));
        if let (Some(first), Some(TargetIndex::Binder(b))) = (points, index.first())
            && !sets[first..].iter().all(|s| matches!(s, FamilySet::Points(_)))
        {
            return self.fail(errors::positions_last(name, b.span));
        }
        if sets.iter().any(|s| matches!(s, FamilySet::Symbolic(_))) && sets.len() > 1 {
            for set in &sets {
                if let FamilySet::Symbolic(d) = set {
                    let d = d.clone();
                    self.want_number(&d);
                }
            }
            let span = index.iter().find_map(|i| match i {
                TargetIndex::Binder(b) => Some(b.span),
                TargetIndex::Expr(_) => None,
            });
            if let Some(span) = span {
                return self.fail(errors::range_wants_numbers(span));
            }
        }
        let sets = std::rc::Rc::new(sets);
        self.frame_mut(frame).sets.insert(name.clone(), sets.clone());
        Ok(sets)
    }

    /// The axis an index over positions of a family has: not one that this point is on already, nor that of an index
    /// before it, which are in `taken`.
    pub fn family_axis(
        &mut self,
        frame: FrameId,
        axis: DomainId,
        taken: &[DomainId],
        span: Span,
    ) -> R<DomainId> {
        let mut at = self.frame(frame).at.clone();
        at.extend(taken);
        match at.contains(&axis) {
            true => self.copy_of(axis, &at, span),
            false => Ok(axis),
        }
    }

    // Numbers and distributions of declarations.

    pub fn eval_scalar(&mut self, expr: &'l Expr, env: &Env) -> R<Scalar> {
        let scalar = match &expr.kind {
            ExprKind::Paren(e) => return self.eval_scalar(e, env),
            ExprKind::Neg(e) => Scalar::Neg(Box::new(self.eval_scalar(e, env)?)),
            ExprKind::Binary { op, left, right, .. } => {
                let sign = match op {
                    BinaryOp::Add => '+',
                    BinaryOp::Sub => '-',
                    BinaryOp::Mul => '*',
                    BinaryOp::Div => '/',
                    BinaryOp::Pow => '^',
                    _ => return self.scalar_value(expr, env),
                };
                let a = self.eval_scalar(left, env)?;
                let b = self.eval_scalar(right, env)?;
                Scalar::Bin(sign, Box::new(a), Box::new(b))
            }
            ExprKind::Call { callee, args } => {
                let ExprKind::Name(p) = &callee.kind else { return self.scalar_value(expr, env) };
                let [Arg { name: None, value, .. }] = args.as_slice() else {
                    return self.scalar_value(expr, env);
                };
                let wrap = match &*plain(p) {
                    "sqrt" => Scalar::Sqrt,
                    "log" => Scalar::Log,
                    "exp" => Scalar::Exp,
                    _ => return self.scalar_value(expr, env),
                };
                wrap(Box::new(self.eval_scalar(value, env)?))
            }
            _ => return self.scalar_value(expr, env),
        };
        Ok(fold_scalar(scalar))
    }

    fn scalar_value(&mut self, expr: &'l Expr, env: &Env) -> R<Scalar> {
        match self.eval(expr, &env.of_dims())? {
            Val::Num(x) => Ok(Scalar::Num(x)),
            Val::Dim(d) => Ok(Scalar::Dim(d)),
            val => match super::foreign::filled_with(expr) {
                Some(number) => self.fail(errors::number_fills(number, expr.span)),
                None => self.fail(errors::not_a_known_number(val.kind(), expr.span)),
            },
        }
    }

    pub fn eval_dist(&mut self, expr: &'l Expr, env: &Env) -> R<Dist> {
        let (callee, args): (&Expr, &'l [Arg]) = match &expr.kind {
            ExprKind::Call { callee, args } => (callee, args),
            _ => (expr, &[]),
        };
        let name = match &callee.kind {
            ExprKind::Name(p) => plain(p),
            _ => return self.fail(errors::unknown_distribution("this", expr.span)),
        };
        let arity = match &*name {
            "uniform" => 1..=2,
            "normal" | "bernoulli" | "chrono" => 1..=1,
            "xavier" | "orthogonal" | "identity" => 0..=0,
            _ => return self.fail(errors::unknown_distribution(&name, callee.span)),
        };
        if !arity.contains(&args.len()) {
            // Elsewhere a distribution has its mean first.
            let mean = match args {
                [mean, deviation] if &*name == "normal" => {
                    let place = Span { end: deviation.span.start, ..mean.span };
                    let is_zero =
                        matches!(self.eval_scalar(&mean.value, env), Ok(Scalar::Num(x)) if x == 0.0);
                    Some((place, is_zero))
                }
                _ => None,
            };
            return self.fail(errors::distribution_arity(&name, &arity, args.len(), expr.span, mean));
        }
        let args = args.iter().map(|a| self.eval_scalar(&a.value, env)).collect::<R<Vec<_>>>()?;
        Ok(Dist { name, args })
    }
}

/// Arithmetic of numbers is done; what holds a dimension stays.
fn fold_scalar(s: Scalar) -> Scalar {
    let number = |s: &Scalar| match s {
        Scalar::Num(x) => Some(*x),
        _ => None,
    };
    let value = match &s {
        Scalar::Num(_) | Scalar::Dim(_) => None,
        Scalar::Neg(a) => number(a).map(|x| -x),
        Scalar::Sqrt(a) => number(a).map(f64::sqrt),
        Scalar::Log(a) => number(a).map(libm::log),
        Scalar::Exp(a) => number(a).map(libm::exp),
        Scalar::Bin(op, a, b) => match (number(a), number(b)) {
            (Some(x), Some(y)) => Some(match op {
                '+' => x + y,
                '-' => x - y,
                '*' => x * y,
                '/' => x / y,
                _ => libm::pow(x, y),
            }),
            _ => None,
        },
    };
    value.map_or(s, Scalar::Num)
}
