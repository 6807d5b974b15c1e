//! What of an item is built for its page: with its own names for dimensions if that can be, else as it is checked.
//!
//! In: an item of a library. Out: its graph, and the recipe it is that of; or what keeps it from being built.

use crate::diag::Diagnostic;
use crate::eqn::Graph;
use crate::eqn::build::{self, Options};
use crate::resolve::inherit::text_of;
use crate::resolve::{ItemId, Library};
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use crate::syntax::print::{self, Style};

pub struct Built {
    pub graph: Graph,
    pub recipe: String,
}

/// Members of sets that need a number to be built.
const MEMBERS: f64 = 2.0;

pub fn build(library: &Library, id: ItemId, file: FileId) -> Result<Built, Vec<Diagnostic>> {
    let item = library.item(id);
    let options = Options::default();
    let mut first = match &item.kind {
        ItemKind::Model(model) => {
            let (built, mistakes) = build::build_model_item(library, id, &options);
            return match built {
                Some(model_built) => {
                    Ok(Built { graph: model_built.graph, recipe: model.name.name.to_string() })
                }
                None => Err(mistakes),
            };
        }
        _ => Vec::new(),
    };
    for recipe in recipes(library, id, file) {
        // What a recipe leaves open may make it too general; the next one says more.
        match build::build(library, &recipe, &options) {
            (Some(graph), _) => {
                return Ok(Built { graph, recipe: print::print_expr(&recipe, Style::UNICODE) });
            }
            (None, mistakes) if first.is_empty() => first = mistakes,
            (None, _) => {}
        }
    }
    Err(first)
}

/// From the most general to those of its checks.
fn recipes(library: &Library, id: ItemId, file: FileId) -> Vec<Expr> {
    let item = library.item(id);
    let Some(name) = crate::resolve::item_name(item) else { return Vec::new() };
    let span = Span { file, ..name.span };
    let statics = crate::resolve::item_statics(item);
    let mut all = Vec::new();
    // A cell or function has no name that could be left open.
    let needs_more = statics.iter().any(|s| {
        let kind: Vec<&str> = s.kind.iter().map(|k| &*k.name).collect();
        s.default.is_none() && matches!(kind[..], ["cell" | "fn" | "real" | "bool"])
    });
    if !needs_more {
        let mut args: Vec<Arg> = statics
            .iter()
            .filter(|s| s.default.is_none() && s.over_set.is_none() && s.kind.is_empty())
            .map(|s| arg(None, variable(&s.name.name, span), span))
            .collect();
        all.push(call(&name.name, args.clone(), span));
        let (text, _) = text_of(library, id);
        let rest = text.over.iter().flat_map(|o| &o.axes).filter(|a| a.rest);
        args.extend(rest.map(|axis| {
            let two = Expr { kind: ExprKind::Number(MEMBERS, MEMBERS.to_string().into()), span };
            arg(Some(&axis.name.name), two, span)
        }));
        let with_members = call(&name.name, args, span);
        if all.first() != Some(&with_members) {
            all.push(with_members);
        }
    }
    all.extend(library.items(file).filter_map(|i| match &i.kind {
        ItemKind::Check(check) if callee(&check.recipe) == Some(name.name.clone()) => {
            Some(check.recipe.clone())
        }
        _ => None,
    }));
    all
}

/// The name that a recipe begins with.
pub fn callee(recipe: &Expr) -> Option<Name> {
    match &recipe.kind {
        ExprKind::Call { callee: inner, .. } | ExprKind::Paren(inner) => callee(inner),
        ExprKind::Name(pattern) => Some(crate::resolve::text::plain(pattern)),
        _ => None,
    }
}

fn variable(name: &Name, span: Span) -> Expr {
    let pattern = Pattern { pieces: vec![Piece::Text(name.clone())], written: name.clone(), span };
    Expr { kind: ExprKind::Name(pattern), span }
}

fn arg(name: Option<&Name>, value: Expr, span: Span) -> Arg {
    let ident = |name: &Name| Ident { name: name.clone(), written: name.clone(), span };
    Arg { name: name.map(|n| ArgName { prev: false, path: vec![ident(n)], span }), value, span }
}

fn call(name: &Name, args: Vec<Arg>, span: Span) -> Expr {
    let callee = variable(name, span);
    match args.is_empty() {
        true => callee,
        false => Expr { kind: ExprKind::Call { callee: Box::new(callee), args }, span },
    }
}
