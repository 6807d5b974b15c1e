//! Names of instances: the outermost application of an equation takes the equation's name, the others
//! the callee's in lower case, numbered from the second in reading order.
//!
//! Invariant: names depend on the text alone, never on the order of evaluation.

use crate::resolve::inherit::{fingerprint, same};
use crate::resolve::text::{Text, plain};
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::{BTreeMap, HashMap};

/// How one application is named.
#[derive(Clone, Debug, PartialEq)]
pub enum AppName {
    /// As the equation it stands in.
    Equation,
    Own(String),
}

/// By the place of the application's callee.
#[derive(Clone, Debug, Default)]
pub struct AppNames {
    names: BTreeMap<(u32, u32, u32), AppName>,
    /// Two equal applications in one equation: callee, first and second place.
    pub twins: Vec<(String, Span, Span)>,
}

impl AppNames {
    pub fn get(&self, callee: &Expr) -> Option<&AppName> {
        self.names.get(&key(callee.span))
    }
}

fn key(span: Span) -> (u32, u32, u32) {
    (span.file.0, span.start, span.end)
}

/// Whether a name is one of an item with static parameters, or without, or something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// The first argument group gives statics, the second applies.
    WithStatics,
    /// The first argument group applies: a recipe held by a parameter, a part, an item without statics.
    Applied,
    Other,
}

/// Names all applications of a text. `callee` says what a name is.
pub fn name_apps(text: &Text<'_>, callee: &dyn Fn(&Ident2) -> Callee) -> AppNames {
    let mut naming = Naming { callee, out: AppNames::default(), counts: BTreeMap::new() };
    for entry in &text.entries {
        if let Some(e) = &entry.equated
            && e.target == 0
            && e.brace.is_none_or(|(k, _)| k == 0)
        {
            naming.equation(&e.equation.value);
        }
    }
    for e in text.sides.values().flatten() {
        naming.plain(&e.equation.value);
    }
    if let Some(result) = text.result {
        naming.plain(result);
    }
    for (_, item) in &text.outs {
        naming.plain(&item.value);
    }
    for stmt in &text.blocks {
        match &stmt.kind {
            StmtKind::Loss { value, where_ } | StmtKind::Metric { value, where_, .. } => {
                naming.plain(value);
                if let Some(w) = where_ {
                    naming.plain(w);
                }
            }
            _ => {}
        }
    }
    naming.out
}

/// A plain name where it stands.
pub struct Ident2<'a> {
    pub name: Name,
    pub expr: &'a Expr,
}

struct Naming<'a> {
    callee: &'a dyn Fn(&Ident2) -> Callee,
    out: AppNames,
    counts: BTreeMap<String, usize>,
}

impl Naming<'_> {
    fn equation(&mut self, e: &Expr) {
        let outermost = self.outermost(e);
        if let Some(place) = outermost {
            self.out.names.insert(place, AppName::Equation);
        }
        self.plain(e);
        let mut apps = Vec::new();
        self.collect(e, &mut apps);
        let mut alike: HashMap<u64, Vec<&Expr>> = HashMap::new();
        for (name, a) in &apps {
            let before = alike.entry(fingerprint(a)).or_default();
            if let Some(b) = before.iter().find(|b| same(a, b)) {
                self.out.twins.push((name.clone(), b.span, a.span));
            }
            before.push(a);
        }
    }

    /// The callee's place and name if the expression is an application.
    fn app(&self, e: &Expr) -> Option<((u32, u32, u32), String)> {
        let callee = match &e.kind {
            ExprKind::Call { callee, .. } => callee,
            ExprKind::Pipe { into, .. } => match &into.kind {
                // `x |> F(s)(q = e)`: the call of `into` is the application itself.
                ExprKind::Call { callee, .. } if self.app(into).is_some() => callee,
                _ => into,
            },
            _ => return None,
        };
        let piped = matches!(e.kind, ExprKind::Pipe { .. });
        let (head, statics) = match &callee.kind {
            ExprKind::Call { callee: head, .. } => (head.as_ref(), true),
            _ => (callee.as_ref(), false),
        };
        let ExprKind::Name(pattern) = &head.kind else { return None };
        let name = plain(pattern);
        let kind = (self.callee)(&Ident2 { name: name.clone(), expr: head });
        let is_app = match kind {
            Callee::WithStatics => statics || piped,
            Callee::Applied => !statics,
            Callee::Other => &*name == "shift" && !statics && !piped,
        };
        is_app.then(|| (key(callee.span), name.to_lowercase()))
    }

    fn outermost(&self, e: &Expr) -> Option<(u32, u32, u32)> {
        if let Some((place, name)) = self.app(e)
            && name != "shift"
        {
            return Some(place);
        }
        let mut inner = children(e);
        if let ExprKind::Pipe { value, into } = &e.kind {
            inner = vec![into, value];
        }
        inner.into_iter().find_map(|c| self.outermost(c))
    }

    /// Names what has none yet, in reading order.
    fn plain(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Pipe { value, into } => {
                self.plain(value);
                self.own(e);
                self.inside(into);
            }
            _ => {
                self.own(e);
                self.inside(e);
            }
        }
    }

    fn inside(&mut self, e: &Expr) {
        for child in children(e) {
            self.plain(child);
        }
    }

    fn own(&mut self, e: &Expr) {
        let Some((place, name)) = self.app(e) else { return };
        if self.out.names.contains_key(&place) {
            return;
        }
        let count = self.counts.entry(name.clone()).or_insert(0);
        *count += 1;
        let own = if *count == 1 { name } else { format!("{name}{count}") };
        self.out.names.insert(place, AppName::Own(own));
    }

    fn collect<'e>(&self, e: &'e Expr, into: &mut Vec<(String, &'e Expr)>) {
        if let Some((_, name)) = self.app(e)
            && name != "shift"
        {
            into.push((name, e));
        }
        for child in children(e) {
            self.collect(child, into);
        }
    }
}

/// The expressions directly inside one, in reading order.
pub fn children(e: &Expr) -> Vec<&Expr> {
    fn set<'e>(s: &'e Set, out: &mut Vec<&'e Expr>) {
        out.push(&s.lo);
        out.extend(s.hi.as_deref());
    }
    let mut out = Vec::new();
    match &e.kind {
        ExprKind::Number(..) | ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Hole | ExprKind::Name(_) => {}
        ExprKind::List(items) => out.extend(items),
        ExprKind::Paren(a) | ExprKind::Neg(a) | ExprKind::Not(a) => out.push(a.as_ref()),
        ExprKind::Binary { left, right, .. } => out.extend([left.as_ref(), right.as_ref()]),
        ExprKind::Cond { cond, then, else_ } => out.extend([cond.as_ref(), then.as_ref(), else_.as_ref()]),
        ExprKind::Pipe { value, into } => out.extend([value.as_ref(), into.as_ref()]),
        ExprKind::Call { callee, args } => {
            out.push(callee);
            out.extend(args.iter().map(|a| &a.value));
        }
        ExprKind::Index { base, places } => {
            out.push(base);
            for place in places {
                if let Place::At(s) = place {
                    set(s, &mut out);
                }
            }
        }
        ExprKind::Field { base, .. } | ExprKind::Mark { base, .. } => out.push(base),
        ExprKind::Reduce { binders, where_, body, .. } => {
            for b in binders {
                set(&b.set, &mut out);
            }
            out.extend(where_.as_deref());
            out.push(body);
        }
    }
    out
}
