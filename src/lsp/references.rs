//! Where a name is defined, declared and read, in one file and in all that are known.
//!
//! In: a place, or a symbol. Out: spans. A symbol of one view is found in another by its [`Key`].

use super::index::{Occurrence, Role};
use super::symbol::{Owner, Space, Symbol};
use super::view::View;
use crate::limits::Limits;
use crate::resolve::{Base, ItemId, item_span, normal};
use crate::source::{FileId, Loader, Span};
use crate::syntax::ast::{ItemKind, Name};

/// Where texts come from.
pub struct World<'a> {
    pub base: &'a Base,
    pub loader: &'a dyn Loader,
    pub limits: &'a Limits,
    /// The folder with copies of the stdlib's files for editors to show, with its last slash.
    pub copies: &'a str,
}

impl World<'_> {
    pub fn view(&self, path: &str) -> Option<View> {
        View::load(self.base, self.loader, path, self.limits)
    }

    /// A copy of a stdlib file is that file.
    pub fn true_path(&self, path: &str) -> String {
        match path.strip_prefix(self.copies).filter(|_| !self.copies.is_empty()) {
            Some(name) => format!("<stdlib>/{name}"),
            None => path.to_string(),
        }
    }

    pub fn key(&self, view: &View, symbol: &Symbol) -> Key {
        let owner = symbol.owner.map(|o| (self.true_path(view.path(o.file)), o.start));
        Key { owner, space: symbol.space.clone(), name: symbol.name.clone() }
    }
}

/// A symbol in any view: its item by path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub owner: Option<(String, u32)>,
    pub space: Space,
    pub name: Name,
}

/// The symbols at a place, the first of them the one that is meant.
pub fn symbols_at(view: &View, offset: u32) -> Vec<Symbol> {
    let text = view.text(view.root);
    let found = view.index_of(view.root).at(text, offset);
    found.map(|(occurrence, part)| occurrence.meant(&part)).unwrap_or_default()
}

/// Where a symbol is declared and defined: in its own item, and in the item around `near`, which may override it.
pub fn definitions<'v>(view: &'v View, symbol: &Symbol, near: Option<ItemId>) -> Vec<&'v Occurrence> {
    let Some(owner) = symbol.owner else { return Vec::new() };
    let near = near.map(|id| view.library.item(id).span);
    let own = owner.find(&view.library).map(|item| item.span);
    let is_local = matches!(symbol.space, Space::Binder(_));
    let within = |o: &Occurrence, item: Option<Span>| {
        let inside = |i: Span| i.file == o.span.file && i.start <= o.span.start && o.span.end <= i.end;
        // Of an item that cannot be read, its place is all that is known.
        item.map_or(o.span.file == owner.file, inside)
    };
    let mut files: Vec<FileId> = near.iter().map(|n| n.file).collect();
    if !files.contains(&owner.file) {
        files.push(owner.file);
    }
    let all = files.into_iter().flat_map(|file| view.index_of(file).places(symbol));
    let all = all.filter(|o| o.role != Role::Reads);
    let mut found: Vec<&Occurrence> =
        all.filter(|o| is_local || near.is_some_and(|n| within(o, Some(n))) || within(o, own)).collect();
    // What is nearest comes first.
    found.sort_by_key(|o| !near.is_some_and(|n| within(o, Some(n))));
    found
}

/// Where a definition is to be shown: its equation, or on that its declaration; the file behind `use`.
pub fn definition(view: &View, offset: u32, declaration: bool) -> Vec<Span> {
    if let Some(file) = used_file(view, offset) {
        return vec![Span { file, start: 0, end: 0 }];
    }
    let near = view.item_at(offset);
    let here = |span: Span| span.file == view.root && span.start <= offset && offset <= span.end;
    let mut out = Vec::new();
    for symbol in symbols_at(view, offset) {
        let all = definitions(view, &symbol, near);
        let wanted = if declaration { Role::Declares } else { Role::Equates };
        let mut ordered: Vec<&Occurrence> = all.clone();
        ordered.sort_by_key(|o| (here(o.span), o.role != wanted));
        if let Some(first) = ordered.first()
            && !out.contains(&first.span)
        {
            out.push(first.span);
        }
    }
    out
}

/// The file that a `use` at a place means.
fn used_file(view: &View, offset: u32) -> Option<FileId> {
    let item = view.library.item(view.item_at(offset)?);
    let ItemKind::Use { path, span } = &item.kind else { return None };
    if offset < span.start || offset > span.end {
        return None;
    }
    let own = view.path(view.root);
    let folder = own.rfind('/').map_or("", |i| &own[..=i]);
    let path = normal(&format!("{folder}{path}"));
    view.library.files().iter().find(|f| f.path == path).map(|f| f.file)
}

/// All places of a view's own file that mean one of these.
pub fn places(world: &World<'_>, view: &View, keys: &[Key]) -> Vec<(Span, Role)> {
    let index = view.index_of(view.root);
    let meant: Vec<&Symbol> = index.symbols().filter(|s| keys.contains(&world.key(view, s))).collect();
    let mut out: Vec<(Span, Role)> =
        meant.iter().flat_map(|s| index.places(s)).map(|o| (o.span, o.role)).collect();
    out.sort_by_key(|(span, _)| *span);
    out.dedup_by_key(|(span, _)| *span);
    out
}

/// Whether a symbol can be meant outside the file it belongs to.
pub fn reaches_out(symbol: &Symbol) -> bool {
    !matches!(symbol.space, Space::Binder(_) | Space::Axis)
}

/// The name of an item, for messages.
pub fn item_title(view: &View, owner: Owner) -> Option<String> {
    let item = owner.find(&view.library)?;
    let name = view.sources.text(item_span(item));
    (!name.is_empty() && crate::resolve::item_name(item).is_some()).then(|| name.to_string())
}
