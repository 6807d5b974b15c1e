//! What kind of thing each name is, for colours beyond those of a grammar.

use super::index::Role;
use super::symbol::{Space, Symbol};
use super::view::View;
use crate::source::Span;
use crate::syntax::ast::ItemKind;

/// Kinds, as the protocol numbers them.
pub const KINDS: [&str; 9] = [
    "class",
    "function",
    "typeParameter",
    "parameter",
    "property",
    "variable",
    "enumMember",
    "type",
    "macro",
];
/// What is added to a kind, a bit each.
pub const MODIFIERS: [&str; 3] = ["declaration", "readonly", "defaultLibrary"];

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour {
    pub span: Span,
    pub kind: u32,
    pub modifiers: u32,
}

/// The names of a view's own file that mean something.
pub fn colours(view: &View) -> Vec<Colour> {
    let index = view.index_of(view.root);
    let known = index.occurrences.iter().filter_map(|o| {
        let symbol = o.means.iter().flatten().next()?;
        let (kind, mut modifiers) = kind(view, symbol)?;
        if o.role == Role::Declares {
            modifiers |= 1;
        }
        let kind = KINDS.iter().position(|k| *k == kind)? as u32;
        Some(Colour { span: o.span, kind, modifiers })
    });
    known.collect()
}

fn kind(view: &View, symbol: &Symbol) -> Option<(&'static str, u32)> {
    const READONLY: u32 = 2;
    const LIBRARY: u32 = 4;
    let Some(owner) = symbol.owner else {
        let is_function = super::builtins::function(&symbol.name).is_some();
        return Some((if is_function { "function" } else { "variable" }, LIBRARY | READONLY));
    };
    let item = owner.find(&view.library);
    let library = if view.is_stdlib(owner.file) { LIBRARY } else { 0 };
    Some(match &symbol.space {
        Space::Item => match item.map(|i| &i.kind) {
            Some(ItemKind::Fn(_)) => ("function", library),
            _ => ("class", library),
        },
        Space::Layout => ("macro", library),
        Space::Static => ("typeParameter", READONLY),
        Space::Dim => ("type", READONLY),
        Space::Word(_) => ("enumMember", READONLY),
        Space::Axis | Space::Binder(_) => ("variable", READONLY),
        Space::Out => ("property", 0),
        Space::Builtin => ("variable", LIBRARY),
        Space::Value => {
            let ids = view.library.file(owner.file).map_or(&[][..], |f| &f.items);
            let id = ids.iter().find(|id| view.library.item(**id).span.start == owner.start);
            let word = id.and_then(|id| view.members(*id).values.get(&symbol.name).map(|v| v.word));
            match word {
                Some("param") => ("property", READONLY),
                Some("in" | "mem" | "input") => ("parameter", READONLY),
                _ => ("variable", 0),
            }
        }
    })
}
