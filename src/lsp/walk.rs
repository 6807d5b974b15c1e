//! From the trees of a file to its names.
//!
//! One walk through every item, in scopes as the builder has them: an index variable first, then values and axes, then
//! dimensions; where dimensions are expected, those first. Arguments are looked up in what they are given to.

use super::index::{Index, Occurrence, Role, Statement};
use super::scope::{Members, callee_item};
use super::symbol::{Owner, Space, Symbol};
use super::view::View;
use crate::eqn::build::instance_of;
use crate::resolve::text::{expand, plain};
use crate::resolve::{ItemId, item_statics};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use std::sync::Arc;

pub fn walk(view: &View, file: FileId) -> Index {
    let mut index = Index::default();
    let ids = view.library.file(file).map(|f| f.items.clone()).unwrap_or_default();
    for id in ids {
        let members = view.members(id);
        let mut walk = Walk { view, members, index: &mut index, bound: Vec::new(), statement: None };
        walk.item(id);
    }
    index
}

struct Walk<'v> {
    view: &'v View,
    members: Arc<Members>,
    index: &'v mut Index,
    /// Index variables, innermost last.
    bound: Vec<(Name, Symbol)>,
    /// The statement names are declared or equated in.
    statement: Option<usize>,
}

impl Walk<'_> {
    fn owner(&self) -> Owner {
        self.members.owner
    }

    fn push(&mut self, span: Span, pieces: Vec<Piece>, means: Vec<Option<Symbol>>, role: Role) {
        let statement = self.statement.filter(|_| role != Role::Reads);
        self.index.occurrences.push(Occurrence {
            span,
            pieces,
            means,
            suffix: String::new(),
            role,
            statement,
        });
    }

    fn ident(&mut self, ident: &Ident, symbol: Option<Symbol>, role: Role) {
        self.push(ident.span, vec![Piece::Text(ident.name.clone())], vec![symbol], role);
    }

    /// A name with something behind it: `h_last`.
    fn part_of_name(&mut self, span: Span, pieces: Vec<Piece>, found: Vec<Option<(Symbol, String)>>) {
        let suffix = found.iter().flatten().map(|(_, s)| s.clone()).next().unwrap_or_default();
        let means = found.into_iter().map(|f| f.map(|(symbol, _)| symbol)).collect();
        self.push(span, pieces, means, Role::Reads);
        if let Some(last) = self.index.occurrences.last_mut() {
            last.suffix = suffix;
        }
    }

    fn pattern(
        &mut self,
        pattern: &Pattern,
        role: Role,
        mut meaning: impl FnMut(&Self, &Name) -> Option<Symbol>,
    ) {
        let names = expand(pattern).unwrap_or_default();
        let means = names.iter().map(|(name, _)| meaning(self, name)).collect();
        self.push(pattern.span, pattern.pieces.clone(), means, role);
    }

    /// Runs with a statement that names are declared in.
    fn in_statement(&mut self, span: Span, docs: &[String], word: &'static str, run: impl FnOnce(&mut Self)) {
        self.index.statements.push(Statement { span, docs: docs.to_vec(), word });
        let before = self.statement.replace(self.index.statements.len() - 1);
        run(self);
        self.statement = before;
    }

    /// Runs with index variables that end with it.
    fn scoped(&mut self, run: impl FnOnce(&mut Self)) {
        let depth = self.bound.len();
        run(self);
        self.bound.truncate(depth);
    }

    // Meanings.

    fn find(&self, name: &Name, dims_first: bool) -> Option<Symbol> {
        if let Some((_, symbol)) = self.bound.iter().rev().find(|(n, _)| n == name) {
            return Some(symbol.clone());
        }
        self.members.find(name, dims_first).or_else(|| {
            let known = super::builtins::constant(name).is_some();
            known.then(|| Symbol::builtin(name))
        })
    }

    /// What a name in front of arguments means.
    fn find_callee(&self, name: &Name, file: FileId) -> Option<Symbol> {
        let members = &self.members;
        let is_part = members.values.get(name).is_some_and(|v| matches!(v.word, "part" | "input"));
        let own = if is_part { members.value(name) } else { members.static_(name) };
        own.or_else(|| self.item_symbol(name, file))
            .or_else(|| super::builtins::function(name).map(|f| Symbol::builtin(&f.name.into())))
            .or_else(|| self.find(name, false))
            .or_else(|| super::builtins::tree(name).map(|t| Symbol::builtin(&t.name.into())))
    }

    fn item_symbol(&self, name: &Name, file: FileId) -> Option<Symbol> {
        let id = self.view.library.lookup(file, name)?;
        Some(Symbol::new(Owner::of(self.view.library.item(id)), Space::Item, name))
    }

    // Items.

    fn item(&mut self, id: ItemId) {
        let view = self.view;
        let item = view.library.item(id);
        let docs = &item.docs;
        match &item.kind {
            ItemKind::Use { .. } => {}
            ItemKind::Cell(cell) => {
                let header =
                    header_span(item, &cell.name, cell.statics.last().map(|s| s.span), cell.over.as_ref());
                self.header(header, docs, "cell", &cell.name, &cell.statics);
                if let Some(over) = &cell.over {
                    self.over(over);
                }
                match &cell.def {
                    CellDef::Body(body) => self.body(body),
                    CellDef::Derived { base, with } => {
                        self.recipe(base);
                        if let Some(body) = with {
                            self.body(body);
                        }
                    }
                }
            }
            ItemKind::Layer(layer) => {
                let last = layer.inputs.last().map(|i| i.span).or(layer.statics.last().map(|s| s.span));
                let header = header_span(item, &layer.name, last, None);
                self.header(header, docs, "layer", &layer.name, &layer.statics);
                self.inputs(&layer.inputs);
                self.expr_or_body(&layer.def);
            }
            ItemKind::Fn(func) => {
                let header = header_span(item, &func.name, func.inputs.last().map(|i| i.span), None);
                self.header(header, docs, "fn", &func.name, &[]);
                self.inputs(&func.inputs);
                self.expr_or_body(&func.def);
            }
            ItemKind::Model(model) => {
                let header = header_span(item, &model.name, model.statics.last().map(|s| s.span), None);
                self.header(header, docs, "model", &model.name, &model.statics);
                self.body(&model.body);
            }
            ItemKind::Test(test) => self.body(&test.body),
            ItemKind::Check(check) => self.check(&check.recipe),
            ItemKind::Layout(layout) => self.layout(item.span, docs, layout),
        }
    }

    /// A recipe outside of all items: a name that means nothing there is a dimension of any extent.
    fn check(&mut self, recipe: &Expr) {
        if let ExprKind::Call { args, .. } = &recipe.kind {
            for arg in args.iter().filter(|a| a.name.is_none()) {
                if let ExprKind::Name(p) = &arg.value.kind
                    && let name = plain(p)
                    && self.item_symbol(&name, p.span.file).is_none()
                {
                    let symbol = Symbol::new(self.owner(), Space::Dim, &name);
                    self.bound.push((name, symbol));
                }
            }
        }
        self.recipe(recipe);
        self.bound.clear();
    }

    fn header(&mut self, span: Span, docs: &[String], word: &'static str, name: &Ident, statics: &[Static]) {
        let symbol = Symbol::new(self.owner(), Space::Item, &name.name);
        self.in_statement(span, docs, word, |w| w.ident(name, Some(symbol), Role::Declares));
        for s in statics {
            self.in_statement(s.span, &[], "static", |w| {
                let symbol = Symbol::new(w.owner(), Space::Static, &s.name.name);
                w.ident(&s.name, Some(symbol), Role::Declares);
                if s.kind.len() > 1 {
                    for word in &s.kind {
                        let space = Space::Word(s.name.name.clone());
                        let symbol = Symbol::new(w.owner(), space, &word.name);
                        w.ident(word, Some(symbol), Role::Declares);
                    }
                }
            });
            if let Some(set) = &s.over_set {
                let symbol = self.find(&set.name, true);
                self.ident(set, symbol, Role::Reads);
            }
            if let Some(default) = &s.default {
                let members = self.members.clone();
                self.static_argument(default, Some((&members, &s.name.name)));
            }
        }
    }

    fn inputs(&mut self, inputs: &[InputDecl]) {
        for input in inputs {
            self.in_statement(input.span, &[], "input", |w| {
                let symbol = Symbol::new(w.owner(), Space::Value, &input.name.name);
                w.ident(&input.name, Some(symbol), Role::Declares);
            });
            if let Some(ty) = &input.ty {
                self.ty(ty);
            }
            if let Some(default) = &input.default {
                self.expr(default, false);
            }
        }
    }

    fn over(&mut self, over: &Over) {
        for axis in &over.axes {
            self.in_statement(axis.span, &[], "axis", |w| {
                let symbol = w.members.axis(&axis.name.name);
                w.ident(&axis.name, symbol, Role::Declares);
            });
            if let Some(set) = &axis.set {
                self.set(set);
            }
        }
    }

    fn layout(&mut self, span: Span, docs: &[String], layout: &Layout) {
        let own = Symbol::new(self.owner(), Space::Layout, &layout.name.name);
        self.in_statement(span, docs, "layout", |w| w.ident(&layout.name, Some(own), Role::Declares));
        let cell = self.item_symbol(&layout.cell.name, layout.cell.span.file);
        self.ident(&layout.cell, cell, Role::Reads);
        let Some(id) = self.view.library.lookup(layout.cell.span.file, &layout.cell.name) else { return };
        // Its lines speak of the cell's names.
        self.members = self.view.members(id);
        for line in &layout.lines {
            for (_, places, _) in &line.terms {
                self.places(places.as_deref().unwrap_or_default(), true);
            }
            self.scoped(|w| {
                if let Some((_, Some(index))) = instance_of(line) {
                    w.hole(index);
                }
                w.expr(&line.ours, false);
            });
        }
    }

    /// The word of `l[n+1]` stands for the number that a foreign name has in its braces.
    fn hole(&mut self, index: &Expr) {
        match &index.kind {
            ExprKind::Name(name) => {
                let name = plain(name);
                if self.find(&name, false).is_none() {
                    let symbol = Symbol::binder(self.owner(), &name, index.span);
                    self.bound.push((name, symbol));
                }
            }
            ExprKind::Paren(inner) => self.hole(inner),
            ExprKind::Binary { left, right, .. } => {
                self.hole(left);
                self.hole(right);
            }
            _ => {}
        }
    }

    fn expr_or_body(&mut self, def: &ExprOrBody) {
        match def {
            ExprOrBody::Expr(e) => self.expr(e, false),
            ExprOrBody::Body(body) => self.body(body),
        }
    }

    // Statements.

    fn body(&mut self, body: &Body) {
        for stmt in &body.stmts {
            self.scoped(|w| w.stmt(stmt));
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let (span, docs) = (stmt.span, stmt.docs.as_slice());
        match &stmt.kind {
            StmtKind::Decl(decl) => {
                let word = match decl.kind {
                    DeclKind::In => "in",
                    DeclKind::Mem => "mem",
                    DeclKind::State => "state",
                    DeclKind::Param => "param",
                };
                self.in_statement(span, docs, word, |w| w.targets(&decl.targets, Role::Declares));
                self.ty(&decl.ty);
                for axis in &decl.over {
                    let symbol = self.members.axis(&axis.name);
                    self.ident(axis, symbol, Role::Reads);
                }
                match &decl.init {
                    Some(DeclInit::Value(e)) => self.expr(e, false),
                    Some(DeclInit::Dist(e)) => self.dist(e),
                    None => {}
                }
                if let Some(within) = &decl.within {
                    self.set(within);
                }
            }
            StmtKind::Noise { targets, ty, dist, .. } => {
                self.in_statement(span, docs, "noise", |w| w.targets(targets, Role::Declares));
                self.ty(ty);
                self.dist(dist);
            }
            StmtKind::Dims(settings) => {
                for setting in settings {
                    self.in_statement(span, docs, "dim", |w| {
                        let symbol = w.members.dim(&setting.name.name);
                        w.ident(&setting.name, symbol, Role::Declares);
                    });
                    self.expr(&setting.value, true);
                }
            }
            StmtKind::Part { name, recipe } => {
                self.in_statement(span, docs, "part", |w| {
                    let symbol = w.members.value(&name.name);
                    w.ident(name, symbol, Role::Declares);
                });
                self.recipe(recipe);
            }
            StmtKind::At { side, equations } => {
                if let Side::Axis { axis, .. } = side {
                    let symbol = self.members.axis(&axis.name);
                    self.ident(axis, symbol, Role::Reads);
                }
                for equation in equations {
                    self.scoped(|w| w.equation(equation, &[], "boundary"));
                }
            }
            StmtKind::Out(items) => {
                for item in items {
                    self.scoped(|w| w.out(item, span, docs));
                }
            }
            StmtKind::Loss { value, where_ } => {
                self.expr(value, false);
                where_.iter().for_each(|e| self.expr(e, false));
            }
            StmtKind::Metric { name, value, where_ } => {
                if let Some(name) = name {
                    let symbol = Symbol::new(self.owner(), Space::Out, &name.name);
                    self.in_statement(span, docs, "metric", |w| w.ident(name, Some(symbol), Role::Declares));
                }
                self.expr(value, false);
                where_.iter().for_each(|e| self.expr(e, false));
            }
            StmtKind::Generate { name, from, until } => {
                let symbol = self.find(&name.name, false);
                self.ident(name, symbol, Role::Reads);
                self.expr(from, false);
                until.iter().for_each(|e| self.expr(e, false));
            }
            StmtKind::Data(lines) => {
                for (names, _) in lines {
                    for name in names {
                        let key = super::builtins::data_key(&name.name);
                        let symbol = self.members.value(&name.name);
                        let symbol = symbol.or_else(|| key.map(|k| Symbol::builtin(&k.name.into())));
                        self.ident(name, symbol, Role::Reads);
                    }
                }
            }
            StmtKind::Train(settings) => {
                for setting in settings {
                    match &*setting.name.name {
                        "optimizer" => self.recipe(&setting.value),
                        _ => self.expr(&setting.value, true),
                    }
                }
            }
            StmtKind::Set { path, value, .. } => {
                self.path(path, None, false);
                self.expr(value, false);
            }
            StmtKind::Expect { value, about } => {
                self.expr(value, false);
                if let Some((e, tolerance)) = about {
                    self.expr(e, false);
                    tolerance.iter().for_each(|e| self.expr(e, false));
                }
            }
            StmtKind::Equation(equation) => self.equation(equation, docs, "equation"),
        }
    }

    fn equation(&mut self, equation: &Equation, docs: &[String], word: &'static str) {
        self.in_statement(equation.span, docs, word, |w| w.targets(&equation.targets, Role::Equates));
        self.expr(&equation.value, false);
    }

    fn targets(&mut self, targets: &[Target], role: Role) {
        for target in targets {
            self.pattern(&target.name, role, |w, name| w.members.value(name));
            for index in &target.index {
                match index {
                    TargetIndex::Binder(b) => self.binder(b),
                    TargetIndex::Expr(e) => self.expr(e, true),
                }
            }
        }
    }

    fn out(&mut self, item: &OutItem, span: Span, docs: &[String]) {
        if let Some(name) = &item.name {
            self.in_statement(span, docs, "out", |w| {
                w.pattern(name, Role::Declares, |w, name| {
                    let owner = w.members.outs.get(name)?;
                    Some(Symbol::new(*owner, Space::Out, name))
                });
            });
        }
        self.expr(&item.value, false);
        if let Some((axis, at)) = &item.for_ {
            let symbol = self.members.axis(&axis.name);
            self.ident(axis, symbol, Role::Reads);
            self.expr(at, true);
        }
    }

    fn binder(&mut self, binder: &Binder) {
        self.set(&binder.set);
        let symbol = Symbol::binder(self.owner(), &binder.name.name, binder.name.span);
        self.in_statement(binder.span, &[], "index", |w| {
            w.ident(&binder.name, Some(symbol.clone()), Role::Declares);
        });
        self.bound.push((binder.name.name.clone(), symbol));
    }

    fn set(&mut self, set: &Set) {
        self.expr(&set.lo, true);
        set.hi.iter().for_each(|hi| self.expr(hi, true));
    }

    fn ty(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Domain { extents, of, .. } => {
                for extent in extents {
                    match extent {
                        Extent::Dim(e) => self.expr(e, true),
                        Extent::Rest(name) => {
                            let symbol = self.find(&name.name, true);
                            self.ident(name, symbol, Role::Reads);
                        }
                    }
                }
                of.iter().for_each(|of| self.ty(of));
            }
            TypeKind::Id(k) => self.expr(k, true),
            TypeKind::Array(dims) => dims.iter().for_each(|e| self.expr(e, true)),
            TypeKind::Bool | TypeKind::AnyShape => {}
        }
    }

    /// `uniform(1/sqrt(H))`.
    fn dist(&mut self, e: &Expr) {
        let (head, args): (&Expr, &[Arg]) = match &e.kind {
            ExprKind::Call { callee, args } => (callee, args),
            _ => (e, &[]),
        };
        if let ExprKind::Name(p) = &head.kind {
            let name = plain(p);
            let known = super::builtins::distribution(&name).is_some();
            self.pattern(p, Role::Reads, |_, name| known.then(|| Symbol::builtin(name)));
        }
        args.iter().for_each(|a| self.expr(&a.value, false));
    }

    // Expressions.

    fn expr(&mut self, e: &Expr, dims_first: bool) {
        match &e.kind {
            ExprKind::Number(..) | ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Hole => {}
            ExprKind::Name(p) => self.name(p, dims_first),
            ExprKind::List(items) => items.iter().for_each(|i| self.expr(i, dims_first)),
            ExprKind::Paren(a) | ExprKind::Neg(a) | ExprKind::Not(a) => self.expr(a, dims_first),
            ExprKind::Mark { base, .. } => self.expr(base, dims_first),
            ExprKind::Binary { op: BinaryOp::Eq | BinaryOp::Ne, left, right, .. } => {
                self.compared(left, right, dims_first);
                self.compared(right, left, dims_first);
            }
            ExprKind::Binary { left, right, .. } => {
                self.expr(left, dims_first);
                self.expr(right, dims_first);
            }
            ExprKind::Cond { cond, then, else_ } => {
                for e in [cond, then, else_] {
                    self.expr(e, dims_first);
                }
            }
            ExprKind::Pipe { value, into } => {
                self.expr(value, dims_first);
                match &into.kind {
                    ExprKind::Name(p) => self.callee_name(p),
                    _ => self.expr(into, dims_first),
                }
            }
            ExprKind::Call { callee, args } => self.call(callee, args),
            ExprKind::Index { base, places } => {
                self.expr(base, dims_first);
                self.places(places, dims_first);
            }
            ExprKind::Field { base, field } => {
                self.expr(base, dims_first);
                self.field(base, field);
            }
            ExprKind::Reduce { binders, where_, body, .. } => self.scoped(|w| {
                binders.iter().for_each(|b| w.binder(b));
                where_.iter().for_each(|e| w.expr(e, false));
                w.expr(body, false);
            }),
        }
    }

    fn name(&mut self, p: &Pattern, dims_first: bool) {
        self.pattern(p, Role::Reads, |w, name| {
            w.find(name, dims_first)
                // A recipe or function as an argument.
                .or_else(|| w.item_symbol(name, p.span.file))
                .or_else(|| super::builtins::function(name).map(|f| Symbol::builtin(&f.name.into())))
        });
    }

    /// One side of `==`: a word, if the other is a choice.
    fn compared(&mut self, e: &Expr, other: &Expr, dims_first: bool) {
        let choice = match (&e.kind, &other.kind) {
            (ExprKind::Name(word), ExprKind::Name(choice)) => {
                let (word, choice) = (plain(word), plain(choice));
                let known = self.members.statics.get(&choice).filter(|s| s.words.contains(&word));
                known.map(|s| Symbol::new(s.owner, Space::Word(choice), &word))
            }
            _ => None,
        };
        match (&e.kind, choice) {
            (ExprKind::Name(p), Some(symbol)) => self.pattern(p, Role::Reads, |_, _| Some(symbol.clone())),
            _ => self.expr(e, dims_first),
        }
    }

    fn places(&mut self, places: &[Place], dims_first: bool) {
        for place in places {
            match place {
                Place::Prev(name) | Place::Next(name) => {
                    let bound =
                        self.bound.iter().rev().find(|(n, _)| *n == name.name).map(|(_, s)| s.clone());
                    let symbol = bound.or_else(|| self.members.axis(&name.name));
                    self.ident(name, symbol, Role::Reads);
                }
                Place::At(set) => {
                    self.expr(&set.lo, dims_first);
                    set.hi.iter().for_each(|hi| self.expr(hi, dims_first));
                }
            }
        }
    }

    fn field(&mut self, base: &Expr, field: &Pattern) {
        let inner = self.instance(base).map(|id| self.view.members(id));
        let names = expand(field).unwrap_or_default();
        let found = names.iter().map(|(n, _)| inner.as_ref().and_then(|m| m.field(n, false))).collect();
        self.part_of_name(field.span, field.pieces.clone(), found);
    }

    /// The cell or layer whose instance an expression is.
    fn instance(&self, e: &Expr) -> Option<ItemId> {
        match &e.kind {
            ExprKind::Field { base, field } => {
                let inner = self.view.members(self.instance(base)?);
                let (symbol, _) = inner.field(&plain(field), false)?;
                inner.instance(&symbol)
            }
            ExprKind::Paren(inner) | ExprKind::Index { base: inner, .. } => self.instance(inner),
            _ => self.members.instance_of(&self.view.library, e),
        }
    }

    fn callee_name(&mut self, p: &Pattern) {
        self.pattern(p, Role::Reads, |w, name| w.find_callee(name, p.span.file));
    }

    fn call(&mut self, callee: &Expr, args: &[Arg]) {
        let head = match &callee.kind {
            ExprKind::Name(p) => {
                self.callee_name(p);
                let name = plain(p);
                let hidden =
                    self.members.values.contains_key(&name) || self.members.statics.contains_key(&name);
                self.view.library.lookup(callee.span.file, &name).filter(|_| !hidden)
            }
            _ => {
                self.expr(callee, false);
                None
            }
        };
        if let Some(id) = head
            && !item_statics(self.view.library.item(id)).is_empty()
        {
            return self.static_arguments(id, args);
        }
        let applied = match &callee.kind {
            // A part, or `F(s)(…)`.
            ExprKind::Name(p) => head.or_else(|| self.members.values.get(&plain(p))?.instance),
            ExprKind::Call { .. } => callee_item(&self.view.library, callee),
            _ => None,
        };
        // The value of a node in a test is called like an input of whatever the tree is given to.
        let is_tree = matches!(&callee.kind, ExprKind::Name(p) if super::builtins::tree(&plain(p)).is_some());
        for arg in args {
            if let Some(name) = arg.name.as_ref().filter(|_| !is_tree || head.is_some()) {
                self.path(&name.path, Some(applied), true);
            }
            self.expr(&arg.value, false);
        }
    }

    /// A recipe: its arguments are static ones.
    fn recipe(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Paren(inner) => self.recipe(inner),
            ExprKind::Name(p) => self.callee_name(p),
            ExprKind::Call { callee, args } => {
                match (&callee.kind, callee_item(&self.view.library, callee)) {
                    (ExprKind::Name(p), Some(id)) => {
                        self.callee_name(p);
                        self.static_arguments(id, args);
                    }
                    _ => self.call(callee, args),
                }
            }
            _ => self.expr(e, true),
        }
    }

    fn static_arguments(&mut self, id: ItemId, args: &[Arg]) {
        let theirs = self.view.members(id);
        let statics = item_statics(self.view.library.item(id));
        let mut positional = statics.iter().map(|s| s.name.name.clone());
        for arg in args {
            let own = match &arg.name {
                None => positional.next(),
                Some(name) => match name.path.as_slice() {
                    [one] => {
                        // A function has no static parameters, but dimensions that an argument names.
                        let symbol = theirs.static_(&one.name).or_else(|| theirs.find(&one.name, true));
                        self.ident(one, symbol, Role::Reads);
                        Some(one.name.clone())
                    }
                    _ => None,
                },
            };
            self.static_argument(&arg.value, own.as_ref().map(|own| (&*theirs, own)));
        }
    }

    /// A value for a static parameter: of a choice, one of its words.
    fn static_argument(&mut self, e: &Expr, parameter: Option<(&Members, &Name)>) {
        if let ExprKind::Name(p) = &e.kind
            && let Some((members, name)) = parameter
            && let Some(s) = members.statics.get(name)
        {
            let word = plain(p);
            if s.words.contains(&word) {
                let symbol = Symbol::new(s.owner, Space::Word(name.clone()), &word);
                return self.pattern(p, Role::Reads, |_, _| Some(symbol.clone()));
            }
        }
        match &e.kind {
            ExprKind::Call { .. } => self.recipe(e),
            _ => self.expr(e, true),
        }
    }

    /// `m.h0`, `net.enc.b_f`: the first name is one of this text, or of what the argument is given to; each further one of
    /// what the one before it is an instance of. `given`: the item whose names the first may be.
    fn path(&mut self, path: &[Ident], given: Option<Option<ItemId>>, start: bool) {
        let mut members = match given {
            None => Some(self.members.clone()),
            Some(item) => item.map(|id| self.view.members(id)),
        };
        for (i, ident) in path.iter().enumerate() {
            let is_own = i == 0 && given.is_none();
            let found = members.as_ref().and_then(|m| match is_own {
                true => m.value(&ident.name).map(|s| (s, String::new())),
                false => m.field(&ident.name, start),
            });
            let next = found.as_ref().and_then(|(symbol, _)| members.as_ref()?.instance(symbol));
            self.part_of_name(ident.span, vec![Piece::Text(ident.name.clone())], vec![found]);
            members = next.map(|id| self.view.members(id));
        }
    }
}

/// From an item's keyword to the end of its parameters.
fn header_span(item: &Item, name: &Ident, last: Option<Span>, over: Option<&Over>) -> Span {
    let end = over.map(|o| o.span).or(last).map_or(name.span.end, |s| s.end.max(name.span.end));
    Span { file: item.span.file, start: name.span.start, end }
}
