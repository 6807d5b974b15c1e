//! Items and statements.

use super::Printer;
use super::expr::{ADD, LOOSEST, OR, POSTFIX};
use crate::syntax::ast::*;

impl Printer {
    pub fn item(&mut self, item: &Item) {
        self.docs(&item.docs);
        match &item.kind {
            ItemKind::Use { path, .. } => {
                self.put("use ");
                self.string(path);
            }
            ItemKind::Cell(cell) => {
                self.head("cell ", &cell.name, &cell.statics);
                if let Some(over) = &cell.over {
                    self.over(over);
                }
                match &cell.def {
                    CellDef::Body(body) => self.body(body),
                    CellDef::Derived { base, with } => {
                        self.put(" = ");
                        self.expr(base, POSTFIX, false);
                        if let Some(body) = with {
                            self.put(" with");
                            self.with(body);
                        }
                    }
                }
            }
            ItemKind::Layer(layer) => {
                self.head("layer ", &layer.name, &layer.statics);
                if !layer.inputs.is_empty() || !layer.statics.is_empty() {
                    self.inputs(&layer.inputs);
                }
                self.definition(&layer.def);
            }
            ItemKind::Model(model) => {
                self.head("model ", &model.name, &model.statics);
                self.body(&model.body);
            }
            ItemKind::Fn(func) => {
                self.head("fn ", &func.name, &[]);
                self.inputs(&func.inputs);
                self.definition(&func.def);
            }
            ItemKind::Layout(layout) => {
                self.put("layout ");
                self.ident(&layout.name);
                self.put(" for ");
                self.ident(&layout.cell);
                self.block(&layout.lines, |p, line| p.foreign(line));
            }
            ItemKind::Test(test) => {
                self.put("test ");
                self.string(&test.title);
                self.body(&test.body);
            }
            ItemKind::Check(check) => {
                match &check.kind {
                    CheckKind::Grad => self.put("check grad "),
                    CheckKind::Snapshot(_) => self.put("check snapshot "),
                    CheckKind::Weights(layout) => {
                        self.put("check weights ");
                        self.ident(layout);
                        self.put(" for ");
                    }
                }
                self.expr(&check.recipe, POSTFIX, false);
                let views = if let CheckKind::Snapshot(views) = &check.kind { views.as_slice() } else { &[] };
                for view in views {
                    self.put(", ");
                    self.ident(&view.stage);
                    if let Some((target, _)) = &view.target {
                        self.put(" for ");
                        self.string(target);
                    }
                }
                for setting in &check.settings {
                    self.put(", ");
                    self.setting(setting);
                }
            }
        }
    }

    fn docs(&mut self, docs: &[String]) {
        for line in docs {
            self.put(format!("## {line}").trim_end());
            self.new_line(self.indent);
        }
    }

    fn head(&mut self, keyword: &str, name: &Ident, statics: &[Static]) {
        self.put(keyword);
        self.ident(name);
        if !statics.is_empty() {
            self.put("(");
            self.list(statics, |p, s| p.static_(s));
            self.put(")");
        }
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
        self.put("(");
        self.list(inputs, |p, input| {
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
        self.put(")");
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
        self.put("(");
        self.list(&over.axes, |p, axis| {
            p.ident(&axis.name);
            if axis.rest {
                p.put("..");
            }
            if let Some(set) = &axis.set {
                p.put(" in ");
                p.set(set);
            }
        });
        self.put(")");
    }

    fn definition(&mut self, def: &ExprOrBody) {
        match def {
            ExprOrBody::Body(body) => self.body(body),
            ExprOrBody::Expr(value) => {
                self.put(" = ");
                self.expr(value, LOOSEST, false);
            }
        }
    }

    fn ty(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Domain { kind, extents, of } => {
                self.put(match kind {
                    OverKind::Chain => "seq<",
                    OverKind::Grid => "grid<",
                    OverKind::Tree => "tree<",
                });
                self.list(extents, |p, extent| match extent {
                    Extent::Dim(dim) => p.expr(dim, ADD, true),
                    Extent::Rest(name) => {
                        p.ident(name);
                        p.put("..");
                    }
                });
                self.put(">");
                if let Some(of) = of {
                    self.put(" of ");
                    self.ty(of);
                }
            }
            TypeKind::Id(size) => {
                self.put("id(");
                self.expr(size, LOOSEST, true);
                self.put(")");
            }
            TypeKind::Bool => self.put("bool"),
            TypeKind::AnyShape => self.put("[..]"),
            TypeKind::Array(dims) => {
                self.put("[");
                self.list(dims, |p, dim| p.expr(dim, LOOSEST, true));
                self.put("]");
            }
        }
    }

    fn body(&mut self, body: &Body) {
        self.block(&body.stmts, |p, stmt| p.stmt(stmt));
    }

    /// A short override stands on the line of its head.
    fn with(&mut self, body: &Body) {
        if let [stmt] = body.stmts.as_slice()
            && stmt.docs.is_empty()
        {
            let flat = format!(" {{ {} }}", self.flat(|p| p.stmt(stmt)));
            if !flat.contains('\n') && self.fits(&flat) {
                return self.put(&flat);
            }
        }
        self.body(body);
    }

    fn block<T>(&mut self, lines: &[T], mut write: impl FnMut(&mut Printer, &T)) {
        self.put(" {");
        self.indent += 2;
        for line in lines {
            self.new_line(self.indent);
            write(self, line);
        }
        self.indent -= 2;
        self.new_line(self.indent);
        self.put("}");
    }

    pub fn stmt(&mut self, stmt: &Stmt) {
        self.docs(&stmt.docs);
        match &stmt.kind {
            StmtKind::Decl(decl) => self.decl(decl),
            StmtKind::Noise { targets, ty, dist, per } => {
                self.put("noise ");
                self.list(targets, |p, t| p.target(t));
                self.put(" : ");
                self.ty(ty);
                self.put(" ~ ");
                self.expr(dist, POSTFIX, true);
                if let Some(per) = per {
                    self.put(" per ");
                    self.ident(per);
                }
            }
            StmtKind::Dims(settings) => {
                self.put("dim ");
                self.list(settings, |p, s| p.setting(s));
            }
            StmtKind::Part { name, recipe } => {
                self.put("part ");
                self.ident(name);
                self.put(" = ");
                self.expr(recipe, POSTFIX, false);
            }
            StmtKind::At { side, equations } => {
                match side {
                    Side::Leaf => self.put("at leaf"),
                    Side::Axis { axis, at } => {
                        self.put("at ");
                        self.ident(axis);
                        self.put(&format!(" = {at}"));
                    }
                }
                self.block(equations, |p, e| p.equation(e));
            }
            StmtKind::Out(items) => {
                self.put("out ");
                self.list(items, |p, item| {
                    if let Some(name) = &item.name {
                        p.pattern(name);
                        p.put(" = ");
                    }
                    p.expr(&item.value, LOOSEST, false);
                    if let Some((axis, at)) = &item.for_ {
                        p.put(" for ");
                        p.ident(axis);
                        p.put(" = ");
                        p.expr(at, ADD, false);
                    }
                });
            }
            StmtKind::Loss { value, where_ } => {
                self.put("loss ");
                self.expr(value, LOOSEST, false);
                self.where_(where_);
            }
            StmtKind::Metric { name, value, where_ } => {
                self.put("metric ");
                if let Some(name) = name {
                    self.ident(name);
                    self.put(" = ");
                }
                self.expr(value, LOOSEST, false);
                self.where_(where_);
            }
            StmtKind::Generate { name, from, until } => {
                self.put("generate ");
                self.ident(name);
                self.put(" from ");
                self.expr(from, LOOSEST, false);
                if let Some(until) = until {
                    self.put(" until ");
                    self.expr(until, LOOSEST, false);
                }
            }
            StmtKind::Data(lines) => {
                self.put("data");
                self.block(lines, |p, (names, value)| {
                    p.list(names, |p, name| p.ident(name));
                    p.put(" = ");
                    p.expr(value, LOOSEST, false);
                });
            }
            StmtKind::Train(settings) => {
                self.put("train");
                self.block(settings, |p, s| p.setting(s));
            }
            StmtKind::Set { path, all, value } => {
                self.put("set ");
                for (i, part) in path.iter().enumerate() {
                    if i > 0 {
                        self.put(".");
                    }
                    self.ident(part);
                }
                self.put(if *all { ".* = " } else { " = " });
                self.expr(value, LOOSEST, false);
            }
            StmtKind::Expect { value, about } => {
                self.put("expect ");
                self.expr(value, LOOSEST, false);
                if let Some((other, tolerance)) = about {
                    self.choose(" ≈ ", " ~= ");
                    self.expr(other, LOOSEST, false);
                    if let Some(tolerance) = tolerance {
                        self.choose(" ± ", " +/- ");
                        self.expr(tolerance, LOOSEST, false);
                    }
                }
            }
            StmtKind::Equation(equation) => self.equation(equation),
        }
    }

    fn decl(&mut self, decl: &Decl) {
        self.put(match decl.kind {
            DeclKind::In => "in ",
            DeclKind::Mem => "mem ",
            DeclKind::State => "state ",
            DeclKind::Param => "param ",
        });
        self.list(&decl.targets, |p, t| p.target(t));
        self.put(" : ");
        self.ty(&decl.ty);
        if !decl.over.is_empty() {
            self.put(" over ");
            self.list(&decl.over, |p, axis| p.ident(axis));
        }
        match &decl.init {
            Some(DeclInit::Value(value)) => {
                self.put(" = ");
                self.expr(value, LOOSEST, true);
            }
            Some(DeclInit::Dist(dist)) => {
                self.put(" ~ ");
                self.expr(dist, POSTFIX, true);
            }
            None => {}
        }
        if let Some(within) = &decl.within {
            self.put(" within ");
            self.set(within);
        }
    }

    fn where_(&mut self, where_: &Option<Expr>) {
        if let Some(where_) = where_ {
            self.put(" where ");
            self.expr(where_, OR, false);
        }
    }

    fn setting(&mut self, setting: &Setting) {
        self.ident(&setting.name);
        self.put(" = ");
        self.expr(&setting.value, LOOSEST, false);
    }

    fn equation(&mut self, equation: &Equation) {
        self.list(&equation.targets, |p, t| p.target(t));
        self.put(" = ");
        self.expr(&equation.value, LOOSEST, false);
    }

    fn target(&mut self, target: &Target) {
        self.pattern(&target.name);
        if target.index.is_empty() {
            return;
        }
        self.put("[");
        self.list(&target.index, |p, index| match index {
            TargetIndex::Binder(binder) => p.binder(binder),
            TargetIndex::Expr(expr) => p.expr(expr, ADD, true),
        });
        self.put("]");
    }

    fn foreign(&mut self, line: &Foreign) {
        for (i, (name, slice, _)) in line.terms.iter().enumerate() {
            if i > 0 {
                self.put(" + ");
            }
            self.string(name);
            if let Some(slice) = slice {
                self.places(slice);
            }
        }
        self.put(" = ");
        self.expr(&line.ours, LOOSEST, false);
    }
}
