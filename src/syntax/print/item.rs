//! Items.

use super::Printer;
use super::expr::{LOOSEST, POSTFIX};
use crate::syntax::ast::*;

/// What follows a head on its line is kept there if it is no longer.
const LONGEST_TAIL: usize = 60;

impl<'p> Printer<'p> {
    pub fn item(&mut self, item: &Item) {
        self.docs(&item.docs);
        match &item.kind {
            ItemKind::Use { path, .. } => {
                self.put("use ");
                self.string(path);
            }
            ItemKind::Cell(cell) => self.cell(cell),
            ItemKind::Layer(layer) => {
                let has_inputs = !layer.inputs.is_empty() || !layer.statics.is_empty();
                self.head("layer ", &layer.name, &layer.statics, |p| {
                    if has_inputs {
                        p.inputs(&layer.inputs);
                    }
                });
                // Empty brackets say nothing; where they are written they stay.
                if has_inputs || self.is_next("(") {
                    self.inputs(&layer.inputs);
                }
                self.definition(&layer.def);
            }
            ItemKind::Model(model) => {
                self.head("model ", &model.name, &model.statics, |p| p.raw(" {"));
                self.block(&model.body.stmts, false);
            }
            ItemKind::Fn(func) => {
                self.head("fn ", &func.name, &[], |_| {});
                self.inputs(&func.inputs);
                self.definition(&func.def);
            }
            ItemKind::Layout(layout) => {
                self.put("layout ");
                self.ident(&layout.name);
                self.put(" for ");
                self.ident(&layout.cell);
                self.block(&layout.lines, false);
            }
            ItemKind::Test(test) => {
                self.put("test ");
                self.string(&test.title);
                self.block(&test.body.stmts, false);
            }
            ItemKind::Check(check) => self.check(check),
        }
    }

    fn check(&mut self, check: &Check) {
        match &check.kind {
            CheckKind::Grad => self.put("check grad "),
            CheckKind::Snapshot(_) => self.put("check snapshot "),
            CheckKind::Weights(layout) => {
                self.put("check weights ");
                self.ident(layout);
                self.put(" for ");
            }
        }
        let views = if let CheckKind::Snapshot(views) = &check.kind { views.as_slice() } else { &[] };
        let follows = usize::from(!views.is_empty() || !check.settings.is_empty());
        self.reserving(follows, |p| p.expr(&check.recipe, POSTFIX, false));
        for view in views {
            self.listed(false, |p| {
                p.ident(&view.stage);
                if let Some((target, _)) = &view.target {
                    p.put(" for ");
                    p.string(target);
                }
            });
        }
        for setting in &check.settings {
            self.listed(false, |p| p.setting(setting));
        }
    }

    fn cell(&mut self, cell: &Cell) {
        let over = |p: &mut Printer<'p>| {
            if let Some(over) = &cell.over {
                p.over(over);
            }
        };
        let tail = |p: &mut Printer<'p>| {
            over(p);
            match &cell.def {
                CellDef::Body(_) => p.raw(" {"),
                CellDef::Derived { base, with } => {
                    p.put(" = ");
                    p.expr(base, POSTFIX, false);
                    p.raw(if with.is_some() { " with {" } else { "" });
                }
            }
        };
        self.head("cell ", &cell.name, &cell.statics, tail);
        over(self);
        match &cell.def {
            CellDef::Body(body) => self.block(&body.stmts, false),
            CellDef::Derived { base, with } => {
                self.put(" = ");
                let follows = if with.is_some() { " with {".len() } else { 0 };
                self.reserving(follows, |p| p.expr(base, POSTFIX, false));
                if let Some(body) = with {
                    self.put(" with");
                    // A short override stands on the line of its head.
                    self.block(&body.stmts, true);
                }
            }
        }
    }

    pub(super) fn docs(&mut self, docs: &[String]) {
        for (i, line) in docs.iter().enumerate() {
            self.put(format!("## {line}").trim_end());
            // Blank lines stay within the documentation, but not behind it.
            let is_last = i + 1 == docs.len();
            self.begin(!is_last, is_last);
        }
    }

    /// Keyword, name and static parameters, so that what `tail` writes still has room behind them.
    fn head(&mut self, keyword: &str, name: &Ident, statics: &[Static], tail: impl Fn(&mut Printer<'p>)) {
        self.put(keyword);
        self.ident(name);
        if statics.is_empty() {
            return;
        }
        let mut flat = self.flat(|p| p.statics(statics));
        let from = flat.column;
        tail(&mut flat);
        let tail = flat.column.saturating_sub(from);
        self.reserving(if tail > LONGEST_TAIL { 2 } else { tail }, |p| p.statics(statics));
    }

    fn statics(&mut self, statics: &[Static]) {
        self.bracketed(["(", ")"], statics, false, |p, s| p.static_(s));
    }

    fn static_(&mut self, s: &Static) {
        self.ident(&s.name);
        if let Some(set) = &s.over_set {
            self.put("[");
            self.ident(set);
            self.put("]");
        }
        self.kind(&s.kind);
        if let Some(default) = &s.default {
            self.put(" = ");
            self.expr(default, LOOSEST, true);
        }
    }

    fn kind(&mut self, kind: &[Ident]) {
        for (i, word) in kind.iter().enumerate() {
            self.put(if i == 0 { " : " } else { " | " });
            self.ident(word);
        }
    }

    fn inputs(&mut self, inputs: &[InputDecl]) {
        self.bracketed(["(", ")"], inputs, false, |p, input| {
            p.ident(&input.name);
            if let Some(ty) = &input.ty {
                p.put(" : ");
                p.ty(ty);
            }
            p.kind(&input.kind);
            if let Some(default) = &input.default {
                p.put(" = ");
                p.expr(default, LOOSEST, true);
            }
        });
    }

    fn over(&mut self, over: &Over) {
        self.put(match over.kind {
            OverKind::Chain => " over chain",
            OverKind::Grid => " over grid",
            OverKind::Tree => " over tree",
        });
        if over.axes.is_empty() {
            return;
        }
        self.bracketed(["(", ")"], &over.axes, false, |p, axis| {
            p.ident(&axis.name);
            if axis.rest {
                p.put("..");
            }
            if let Some(set) = &axis.set {
                p.put(" in ");
                p.set(set);
            }
        });
    }

    fn definition(&mut self, def: &ExprOrBody) {
        match def {
            ExprOrBody::Body(body) => self.block(&body.stmts, false),
            ExprOrBody::Expr(value) => {
                self.put(" = ");
                self.expr(value, LOOSEST, false);
            }
        }
    }
}
