//! Beside each equation what its left side is, as the builder infers it.

use super::view::View;
use crate::resolve::text::expand;
use crate::source::Span;
use crate::syntax::ast::*;

/// A text to show behind a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    pub at: u32,
    pub text: String,
}

/// The hints of a view's own file that lie in a range.
pub fn hints(view: &View, range: Span) -> Vec<Hint> {
    let mut out = Vec::new();
    let ids = view.library.file(view.root).map_or(&[][..], |f| &f.items);
    for id in ids {
        let item = view.library.item(*id);
        if item.span.end < range.start || range.end < item.span.start {
            continue;
        }
        let equations: Vec<&Equation> = match body(item) {
            Some(body) => body.stmts.iter().filter_map(equation).collect(),
            None => continue,
        };
        if equations.is_empty() {
            continue;
        }
        let survey = view.survey(*id);
        for target in equations.iter().flat_map(|e| &e.targets) {
            let names = expand(&target.name).unwrap_or_default();
            let mut types: Vec<&str> = names.iter().filter_map(|(name, _)| survey.name(name)).collect();
            types.dedup();
            // Words of one family may differ; then no one text is right.
            if let ([ty], true) =
                (types.as_slice(), range.start <= target.span.end && target.span.end <= range.end)
            {
                out.push(Hint { at: target.span.end, text: format!(": {ty}") });
            }
        }
    }
    out
}

fn body(item: &Item) -> Option<&Body> {
    match &item.kind {
        ItemKind::Cell(cell) => match &cell.def {
            CellDef::Body(body) | CellDef::Derived { with: Some(body), .. } => Some(body),
            CellDef::Derived { with: None, .. } => None,
        },
        ItemKind::Layer(Layer { def: ExprOrBody::Body(body), .. })
        | ItemKind::Fn(Func { def: ExprOrBody::Body(body), .. })
        | ItemKind::Model(Model { body, .. }) => Some(body),
        _ => None,
    }
}

fn equation(stmt: &Stmt) -> Option<&Equation> {
    match &stmt.kind {
        StmtKind::Equation(equation) => Some(equation),
        _ => None,
    }
}
