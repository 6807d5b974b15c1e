//! Statements and types.

use super::Printer;
use super::align::{Class, Row};
use super::expr::{ADD, LOOSEST, OR, POSTFIX};
use crate::syntax::ast::*;

impl<'p> Printer<'p> {
    /// Without its documentation.
    pub(super) fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Decl(decl) => self.decl(decl),
            StmtKind::Noise { targets, ty, dist, per } => {
                self.declared("noise", targets, ty);
                self.tab();
                self.put(" ~ ");
                self.expr(dist, POSTFIX, true);
                if let Some(per) = per {
                    self.put(" per ");
                    self.ident(per);
                }
            }
            StmtKind::Dims(settings) => {
                self.put("dim");
                self.tab();
                self.put(" ");
                self.list(settings, false, |p, s| p.setting(s));
            }
            StmtKind::Part { name, recipe } => {
                self.put("part ");
                self.ident(name);
                self.tab();
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
                self.block(equations, false);
            }
            StmtKind::Out(items) => {
                self.put("out ");
                self.list(items, false, |p, item| {
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
                self.block(lines, false);
            }
            StmtKind::Train(settings) => {
                self.put("train");
                self.block(settings, false);
            }
            StmtKind::Set { path, all, value } => {
                self.put("set ");
                for (i, part) in path.iter().enumerate() {
                    if i > 0 {
                        self.put(".");
                    }
                    self.ident(part);
                }
                if *all {
                    self.put(".*");
                }
                self.tab();
                self.put(" = ");
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
        self.declared(word(decl.kind), &decl.targets, &decl.ty);
        if !decl.over.is_empty() {
            self.put(" over ");
            self.list(&decl.over, false, |p, axis| p.ident(axis));
        }
        if decl.init.is_some() {
            self.tab();
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

    /// What all declarations begin with.
    fn declared(&mut self, word: &str, targets: &[Target], ty: &Type) {
        self.put(word);
        self.tab();
        self.put(" ");
        self.list(targets, false, |p, t| p.target(t));
        self.tab();
        self.put(" : ");
        self.ty(ty);
    }

    fn where_(&mut self, where_: &Option<Expr>) {
        if let Some(where_) = where_ {
            self.put(" where ");
            self.expr(where_, OR, false);
        }
    }

    pub(super) fn setting(&mut self, setting: &Setting) {
        self.ident(&setting.name);
        self.tab();
        self.put(" = ");
        self.expr(&setting.value, LOOSEST, false);
    }

    fn equation(&mut self, equation: &Equation) {
        self.list(&equation.targets, false, |p, t| p.target(t));
        self.tab();
        self.put(" = ");
        self.expr(&equation.value, LOOSEST, false);
    }

    fn target(&mut self, target: &Target) {
        self.pattern(&target.name);
        if target.index.is_empty() {
            return;
        }
        self.bracketed(["[", "]"], &target.index, false, |p, index| match index {
            TargetIndex::Binder(binder) => p.binder(binder),
            TargetIndex::Expr(expr) => p.expr(expr, ADD, true),
        });
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
        self.tab();
        self.put(" = ");
        self.expr(&line.ours, LOOSEST, false);
    }

    pub(super) fn ty(&mut self, ty: &Type) {
        match &ty.kind {
            TypeKind::Domain { kind, extents, of } => {
                let open = match kind {
                    OverKind::Chain => "seq<",
                    OverKind::Grid => "grid<",
                    OverKind::Tree => "tree<",
                };
                self.bracketed([open, ">"], extents, false, |p, extent| match extent {
                    Extent::Dim(dim) => p.expr(dim, ADD, true),
                    Extent::Rest(name) => {
                        p.ident(name);
                        p.put("..");
                    }
                });
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
                self.bracketed(["[", "]"], dims, false, |p, dim| p.expr(dim, LOOSEST, true));
            }
        }
    }
}

fn word(kind: DeclKind) -> &'static str {
    match kind {
        DeclKind::In => "in",
        DeclKind::Mem => "mem",
        DeclKind::State => "state",
        DeclKind::Param => "param",
    }
}

impl Row for Stmt {
    fn class(&self) -> Class {
        match &self.kind {
            StmtKind::Decl(decl) => Class::Declared(word(decl.kind)),
            StmtKind::Noise { .. } => Class::Declared("noise"),
            StmtKind::Dims(_) => Class::Declared("dim"),
            StmtKind::Equation(_) => Class::Defined("equation"),
            StmtKind::Part { .. } => Class::Defined("part"),
            StmtKind::Set { .. } => Class::Defined("set"),
            _ => Class::Other,
        }
    }

    fn docs(&self) -> &[String] {
        &self.docs
    }

    fn write(&self, printer: &mut Printer) {
        printer.stmt(self);
    }
}

impl Row for Equation {
    fn class(&self) -> Class {
        Class::Defined("equation")
    }

    fn write(&self, printer: &mut Printer) {
        printer.equation(self);
    }
}

impl Row for Setting {
    fn class(&self) -> Class {
        Class::Defined("setting")
    }

    fn write(&self, printer: &mut Printer) {
        printer.setting(self);
    }
}

impl Row for (Vec<Ident>, Expr) {
    fn class(&self) -> Class {
        Class::Defined("source")
    }

    fn write(&self, printer: &mut Printer) {
        let (names, value) = self;
        printer.list(names, false, |p, name| p.ident(name));
        printer.tab();
        printer.put(" = ");
        printer.expr(value, LOOSEST, false);
    }
}

impl Row for Foreign {
    fn class(&self) -> Class {
        Class::Defined("foreign")
    }

    fn write(&self, printer: &mut Printer) {
        printer.foreign(self);
    }
}
