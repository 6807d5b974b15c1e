//! What the grammar leaves open: statements side by side, words as names, brace groups, bodies of
//! reductions that end early, statements in the wrong kind of item.
//!
//! In: one item. Out: its mistakes.

use super::ast::*;
use super::lex::{STATEMENT, VALUES};
use super::{errors, names};
use crate::diag::{Diagnostic, Edit};
use crate::source::{Sources, Span};

pub fn item(sources: &Sources, item: &Item) -> Vec<Diagnostic> {
    let mut check = Check { sources, item, errors: Vec::new() };
    match &item.kind {
        ItemKind::Cell(cell) => match &cell.def {
            CellDef::Body(body) | CellDef::Derived { with: Some(body), .. } => check.body(body, "cell"),
            CellDef::Derived { with: None, .. } => {}
        },
        ItemKind::Layer(Layer { def: ExprOrBody::Body(body), .. }) => check.body(body, "layer"),
        ItemKind::Layer(Layer { def: ExprOrBody::Expr(value), .. })
        | ItemKind::Fn(Func { def: ExprOrBody::Expr(value), .. }) => check.value(&[], value),
        ItemKind::Fn(Func { def: ExprOrBody::Body(body), .. }) => check.body(body, "fn"),
        ItemKind::Model(model) => check.body(&model.body, "model"),
        ItemKind::Test(test) => check.body(&test.body, "test"),
        ItemKind::Layout(layout) => {
            check.lines(layout.lines.iter().map(|l| l.span));
            layout.lines.iter().for_each(|l| check.value(&[], &l.ours));
        }
        ItemKind::Use { .. } | ItemKind::Check(_) => {}
    }
    super::early::item(item, &mut check.errors);
    check.errors
}

struct Check<'a> {
    sources: &'a Sources,
    item: &'a Item,
    errors: Vec<Diagnostic>,
}

impl Check<'_> {
    fn body(&mut self, body: &Body, item: &'static str) {
        self.lines(body.stmts.iter().map(|s| s.span));
        for stmt in &body.stmts {
            self.belongs(stmt, item);
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Decl(decl) => {
                self.targets(&decl.targets);
                if let Some(DeclInit::Value(value) | DeclInit::Dist(value)) = &decl.init {
                    self.declared(&decl.targets, value);
                }
            }
            StmtKind::Noise { targets, dist, .. } => {
                self.targets(targets);
                self.declared(targets, dist);
            }
            StmtKind::Equation(equation) if self.is_value(equation) => {}
            StmtKind::Equation(equation) => self.equation(equation),
            StmtKind::At { equations, .. } => {
                self.lines(equations.iter().map(|e| e.span));
                equations.iter().for_each(|e| self.equation(e));
            }
            StmtKind::Part { name, .. } => self.name(&name.name, name.span),
            StmtKind::Dims(settings) => {
                for setting in settings {
                    self.name(&setting.name.name, setting.name.span);
                    self.value(&[], &setting.value);
                }
            }
            StmtKind::Train(settings) => self.lines(settings.iter().map(|s| s.span)),
            StmtKind::Data(lines) => {
                self.lines(
                    lines.iter().filter_map(|(names, value)| Some(names.first()?.span.to(value.span))),
                );
            }
            StmtKind::Out(items) => {
                for item in items {
                    let groups: &[Pattern] = item.name.as_slice();
                    self.braces(&groups.iter().collect::<Vec<_>>(), &item.value, true);
                }
            }
            StmtKind::Loss { value, .. }
            | StmtKind::Metric { value, .. }
            | StmtKind::Set { value, .. }
            | StmtKind::Expect { value, .. } => self.value(&[], value),
            StmtKind::Generate { .. } => {}
        }
    }

    fn equation(&mut self, equation: &Equation) {
        self.targets(&equation.targets);
        self.value(&equation.targets, &equation.value);
    }

    fn targets(&mut self, targets: &[Target]) {
        for target in targets {
            self.name(&target.name.written, target.name.span);
        }
    }

    fn name(&mut self, name: &str, span: Span) {
        // The last two words of the list only go on with a statement.
        if STATEMENT.iter().take(STATEMENT.len() - 2).any(|word| *word == name) {
            let new = format!("{name}_");
            let mut edits = vec![Edit { span, text: new.clone() }];
            let reads = self.reads(name);
            edits.extend(reads.into_iter().map(|span| Edit { span, text: new.clone() }));
            self.errors.push(errors::word_as_name(span, name, edits));
        }
    }

    /// `loss = x`: a statement with a sign that it has not, if nothing reads its word as a name.
    fn is_value(&mut self, equation: &Equation) -> bool {
        let [Target { name, index, span }] = equation.targets.as_slice() else { return false };
        let word = &*name.written;
        if !index.is_empty() || !VALUES.contains(&word) || !self.reads(word).is_empty() {
            return false;
        }
        let sign = Span { start: span.end, end: equation.value.span.start, ..*span };
        let edit = Edit { span: sign, text: " ".into() };
        self.errors.push(errors::value_without_sign(*span, word, edit));
        true
    }

    /// Where an expression has a name.
    fn reads(&self, name: &str) -> Vec<Span> {
        let mut reads = Vec::new();
        expressions(self.item, &mut |e| patterns(e, false, &mut reads));
        reads.into_iter().filter(|(p, _)| &*p.written == name).map(|(p, _)| p.span).collect()
    }

    /// Statements that share a line want `;` between them.
    fn lines(&mut self, spans: impl Iterator<Item = Span>) {
        let mut last: Option<Span> = None;
        for span in spans {
            if let Some(last) = last {
                let gap = self.sources.text(Span { start: last.end, end: span.start, ..span });
                if !gap.contains(['\n', ';']) {
                    let word: String =
                        self.sources.text(span).chars().take_while(|c| !c.is_whitespace()).take(40).collect();
                    self.errors.push(errors::same_line(last, span, &word));
                    return;
                }
            }
            last = Some(span);
        }
    }

    /// Each name of a declaration is a family of its own: only with the value it runs in step.
    fn declared(&mut self, targets: &[Target], value: &Expr) {
        let found = self.errors.len();
        for target in targets {
            self.braces(&[&target.name], value, false);
            if self.errors.len() > found {
                return;
            }
        }
    }

    fn value(&mut self, targets: &[Target], value: &Expr) {
        let left: Vec<&Pattern> = targets.iter().map(|t| &t.name).collect();
        self.braces(&left, value, false);
    }

    /// All brace groups of an equation run in step; without one on the left they may stand only
    /// where a list of arguments is wanted.
    fn braces(&mut self, left: &[&Pattern], value: &Expr, list: bool) {
        let mut first: Option<(Span, usize)> = None;
        for pattern in left {
            for len in group_lens(pattern) {
                match first {
                    None => first = Some((pattern.span, len)),
                    Some((_, n)) if n == len => {}
                    Some((span, n)) => {
                        return self.errors.push(errors::brace_lengths(
                            span,
                            n,
                            pattern.span,
                            len,
                            Vec::new(),
                        ));
                    }
                }
            }
        }
        let mut found = Vec::new();
        patterns(value, list, &mut found);
        for (pattern, in_list) in found {
            let lens = group_lens(pattern);
            let (Some(len), written) = (lens.first().copied(), &pattern.written) else { continue };
            match first {
                None if in_list => match names::group_len(pattern) {
                    Some(_) => {}
                    None => {
                        let other = lens.iter().copied().find(|l| *l != len).unwrap_or(len);
                        return self.errors.push(errors::brace_lengths(
                            pattern.span,
                            len,
                            pattern.span,
                            other,
                            Vec::new(),
                        ));
                    }
                },
                None => return self.errors.push(errors::braces_on_the_right(pattern.span, written)),
                Some((span, n)) => {
                    if let Some(other) = lens.into_iter().find(|l| *l != n) {
                        let edits = in_step(left, value, list);
                        return self.errors.push(errors::brace_lengths(span, n, pattern.span, other, edits));
                    }
                }
            }
        }
    }

    fn belongs(&mut self, stmt: &Stmt, item: &'static str) {
        let (what, items, help): (_, &[&str], _) = match &stmt.kind {
            StmtKind::Decl(decl) => match decl.kind {
                DeclKind::In => (
                    "`in`",
                    &["cell", "model"][..],
                    "the inputs of a layer or fn stand in parentheses behind its name",
                ),
                DeclKind::Mem => ("`mem`", &["cell"][..], "a `mem` belongs to a cell"),
                DeclKind::State => ("`state`", &["cell"][..], "a `state` belongs to a cell"),
                DeclKind::Param => (
                    "`param`",
                    &["cell", "layer", "model"][..],
                    "parameters belong to a cell; a test makes one with `part`",
                ),
            },
            StmtKind::Noise { .. } => ("`noise`", &["cell", "layer", "model"][..], "noise belongs to a cell"),
            StmtKind::Dims(_) => ("`dim`", &["cell", "layer", "model", "fn", "test"][..], ""),
            StmtKind::Part { .. } => {
                ("`part`", &["cell", "layer", "model", "test"][..], "a fn has no parameters")
            }
            StmtKind::At { .. } => ("`at`", &["cell"][..], "only a cell has a domain with sides"),
            StmtKind::Out(_) => (
                "`out`",
                &["cell", "layer", "model", "fn"][..],
                "a test has no outputs; it says what it expects with `expect`",
            ),
            StmtKind::Loss { .. } => ("`loss`", &["model"][..], "a loss belongs to a model"),
            StmtKind::Metric { .. } => ("`metric`", &["model"][..], "a metric belongs to a model"),
            StmtKind::Generate { .. } => ("`generate`", &["model"][..], "it belongs to a model"),
            StmtKind::Data(_) => ("`data`", &["model"][..], "it belongs to a model"),
            StmtKind::Train(_) => ("`train`", &["model"][..], "it belongs to a model"),
            StmtKind::Set { .. } => (
                "`set`",
                &["test"][..],
                "`set` belongs to tests; here give the declaration its value: `param b : [H] = 1`",
            ),
            StmtKind::Expect { .. } => ("`expect`", &["test"][..], "it belongs to a test"),
            StmtKind::Equation(_) => return,
        };
        if !items.contains(&item) {
            self.errors.push(errors::misplaced(stmt.span, what, item, help));
        }
    }
}

/// Calls `f` with the expressions of an item's statements.
fn expressions<'e>(item: &'e Item, f: &mut dyn FnMut(&'e Expr)) {
    let body = match &item.kind {
        ItemKind::Cell(Cell {
            def: CellDef::Body(body) | CellDef::Derived { with: Some(body), .. }, ..
        })
        | ItemKind::Layer(Layer { def: ExprOrBody::Body(body), .. })
        | ItemKind::Fn(Func { def: ExprOrBody::Body(body), .. })
        | ItemKind::Model(Model { body, .. })
        | ItemKind::Test(Test { body, .. }) => body,
        _ => return,
    };
    for stmt in &body.stmts {
        match &stmt.kind {
            StmtKind::Equation(equation) => f(&equation.value),
            StmtKind::At { equations, .. } => equations.iter().for_each(|e| f(&e.value)),
            StmtKind::Out(items) => items.iter().for_each(|i| f(&i.value)),
            StmtKind::Loss { value, .. } | StmtKind::Metric { value, .. } => f(value),
            StmtKind::Expect { value, .. } => f(value),
            StmtKind::Generate { from, .. } => f(from),
            _ => {}
        }
    }
}

/// The groups of the value with the words of the left side, where that only leaves some out.
fn in_step(left: &[&Pattern], value: &Expr, list: bool) -> Vec<Edit> {
    let Some(words) = left.iter().find_map(|p| groups(p).next()) else { return Vec::new() };
    let mut found = Vec::new();
    patterns(value, list, &mut found);
    let mut edits = Vec::new();
    for (pattern, _) in found {
        for group in groups(pattern).filter(|g| g.len() != words.len()) {
            let whole = format!("{{{}}}", group.join(" "));
            if !words.iter().all(|w| group.contains(w)) || !pattern.written.contains(&whole) {
                return Vec::new();
            }
            let new = pattern.written.replacen(&whole, &format!("{{{}}}", words.join(" ")), 1);
            edits.push(Edit { span: pattern.span, text: new });
        }
    }
    edits
}

fn groups(pattern: &Pattern) -> impl Iterator<Item = &[Name]> {
    pattern.pieces.iter().filter_map(|p| match p {
        Piece::Group(words) => Some(words.as_slice()),
        Piece::Text(_) => None,
    })
}

fn group_lens(pattern: &Pattern) -> Vec<usize> {
    pattern
        .pieces
        .iter()
        .filter_map(|p| match p {
            Piece::Group(words) => Some(words.len()),
            Piece::Text(_) => None,
        })
        .collect()
}

/// All names of an expression in reading order, and whether each stands as a whole item of a list.
fn patterns<'e>(expr: &'e Expr, in_list: bool, out: &mut Vec<(&'e Pattern, bool)>) {
    match &expr.kind {
        ExprKind::Name(pattern) => out.push((pattern, in_list)),
        ExprKind::Index { base, .. } if in_list => patterns(base, true, out),
        ExprKind::Field { base, field } => {
            patterns(base, false, out);
            out.push((field, in_list));
        }
        ExprKind::Call { callee, args } => {
            patterns(callee, false, out);
            args.iter().for_each(|arg| patterns(&arg.value, arg.name.is_none(), out));
        }
        ExprKind::List(items) => items.iter().for_each(|item| patterns(item, true, out)),
        _ => super::visit::children(expr, &mut |child| patterns(child, false, out)),
    }
}
