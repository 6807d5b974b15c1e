//! Statements of a body.

use super::{Convert, Kids, Node};
use crate::syntax::Rule;
use crate::syntax::ast::*;

impl Convert<'_> {
    pub fn body(&mut self, node: Node) -> Option<Body> {
        let span = Some(self.span(&node));
        let stmts = Kids::of(node).rest().map(|n| self.stmt(n)).collect::<Option<_>>()?;
        Some(Body { stmts, span })
    }

    fn stmt(&mut self, node: Node) -> Option<Stmt> {
        let mut kids = Kids::of(node);
        let docs = self.docs(&mut kids);
        let inner = kids.next()?;
        let span = self.span(&inner);
        let rule = inner.as_rule();
        let mut kids = Kids::of(inner.clone());
        let kind = match rule {
            Rule::decl => StmtKind::Decl(self.decl(inner)?),
            Rule::equation => StmtKind::Equation(self.equation(inner)?),
            Rule::noise => {
                let targets = self.targets(kids.next()?)?;
                let ty = self.ty(kids.next()?)?;
                let dist = self.expr(Kids::of(kids.take(Rule::dist)?).next()?)?;
                let per = match kids.take(Rule::per) {
                    Some(per) => Some(self.ident(&Kids::of(per).next()?)),
                    None => None,
                };
                StmtKind::Noise { targets, ty, dist, per }
            }
            Rule::dims => StmtKind::Dims(kids.rest().map(|n| self.setting(n)).collect::<Option<_>>()?),
            Rule::train => StmtKind::Train(kids.rest().map(|n| self.setting(n)).collect::<Option<_>>()?),
            Rule::part => {
                StmtKind::Part { name: self.ident(&kids.next()?), recipe: self.expr(kids.next()?)? }
            }
            Rule::at => {
                let side = if kids.take(Rule::k_leaf).is_some() {
                    Side::Leaf
                } else {
                    let axis = self.ident(&kids.next()?);
                    let number = kids.next()?;
                    Side::Axis { axis, at: self.number(&number)? }
                };
                let equations = kids.rest().map(|n| self.equation(n)).collect::<Option<_>>()?;
                StmtKind::At { side, equations }
            }
            Rule::out => StmtKind::Out(kids.rest().map(|n| self.result(n)).collect::<Option<_>>()?),
            Rule::loss => {
                let value = self.expr(kids.next()?)?;
                StmtKind::Loss { value, where_: self.where_(&mut kids)? }
            }
            Rule::metric => {
                let name = kids.take(Rule::name).map(|n| self.ident(&n));
                let value = self.expr(kids.next()?)?;
                StmtKind::Metric { name, value, where_: self.where_(&mut kids)? }
            }
            Rule::generate => {
                let name = self.ident(&kids.next()?);
                let from = self.expr(kids.next()?)?;
                StmtKind::Generate { name, from, until: self.maybe_expr(&mut kids)? }
            }
            Rule::data => StmtKind::Data(kids.rest().map(|n| self.source(n)).collect::<Option<_>>()?),
            Rule::set_ => {
                let mut path = Vec::new();
                while let Some(name) = kids.take(Rule::name) {
                    path.push(self.ident(&name));
                }
                let all = kids.take(Rule::star).is_some();
                StmtKind::Set { path, all, value: self.expr(kids.next()?)? }
            }
            Rule::expect => {
                let value = self.expr(kids.next()?)?;
                let about = match kids.take(Rule::about) {
                    Some(about) => {
                        let mut parts = Kids::of(about);
                        let against = self.expr(parts.next()?)?;
                        Some((against, self.maybe_expr(&mut parts)?))
                    }
                    None => None,
                };
                StmtKind::Expect { value, about }
            }
            _ => return None,
        };
        Some(Stmt { docs, kind, span })
    }

    fn decl(&mut self, node: Node) -> Option<Decl> {
        let mut kids = Kids::of(node);
        let kind = match kids.next()?.as_rule() {
            Rule::k_in => DeclKind::In,
            Rule::k_mem => DeclKind::Mem,
            Rule::k_state => DeclKind::State,
            Rule::k_param => DeclKind::Param,
            _ => return None,
        };
        let targets = self.targets(kids.next()?)?;
        let ty = self.ty(kids.next()?)?;
        let over = match kids.take(Rule::over_axes) {
            Some(over) => Kids::of(over).rest().map(|n| self.ident(&n)).collect(),
            None => Vec::new(),
        };
        let init = if let Some(init) = kids.take(Rule::init) {
            Some(DeclInit::Value(self.expr(Kids::of(init).next()?)?))
        } else if let Some(dist) = kids.take(Rule::dist) {
            Some(DeclInit::Dist(self.expr(Kids::of(dist).next()?)?))
        } else {
            None
        };
        let within = match kids.take(Rule::within) {
            Some(within) => Some(self.set(Kids::of(within).next()?)?),
            None => None,
        };
        Some(Decl { kind, targets, ty, over, init, within })
    }

    fn equation(&mut self, node: Node) -> Option<Equation> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        Some(Equation { targets: self.targets(kids.next()?)?, value: self.expr(kids.next()?)?, span })
    }

    fn targets(&mut self, node: Node) -> Option<Vec<Target>> {
        Kids::of(node).rest().map(|n| self.target(n)).collect()
    }

    fn target(&mut self, node: Node) -> Option<Target> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let name = self.pattern(&kids.next()?);
        let mut index = Vec::new();
        while let Some(part) = kids.next() {
            index.push(if part.as_rule() == Rule::binder {
                TargetIndex::Binder(self.binder(part)?)
            } else {
                TargetIndex::Expr(self.expr(part)?)
            });
        }
        Some(Target { name, index, span })
    }

    fn result(&mut self, node: Node) -> Option<OutItem> {
        let span = self.span(&node);
        let mut kids = Kids::of(node);
        let name = kids.take(Rule::name).map(|n| self.pattern(&n));
        let value = self.expr(kids.next()?)?;
        let for_ = match kids.take(Rule::for_) {
            Some(node) => {
                let mut parts = Kids::of(node);
                Some((self.ident(&parts.next()?), self.expr(parts.next()?)?))
            }
            None => None,
        };
        Some(OutItem { name, value, for_, span })
    }

    fn where_(&mut self, kids: &mut Kids) -> Option<Option<Expr>> {
        match kids.take(Rule::where_) {
            Some(node) => Some(Some(self.expr(Kids::of(node).next()?)?)),
            None => Some(None),
        }
    }

    fn source(&mut self, node: Node) -> Option<(Vec<Ident>, Expr)> {
        let mut kids = Kids::of(node);
        let mut names = Vec::new();
        while let Some(name) = kids.take(Rule::name) {
            names.push(self.ident(&name));
        }
        Some((names, self.expr(kids.next()?)?))
    }
}
