//! From trees to a library of items: imports, names, overrides.
//!
//! In: parsed files. Out: a [`Library`] in which every item is found by name from the file that
//! mentions it. [`text`] lists what an item's body defines, and [`inherit`] merges `with` blocks
//! into it. Instances, families of arrays and options are left to [`crate::eqn::build`].
//!
//! Invariant: a name in a library means the file's own item, else an imported one, else the
//! stdlib's. The `use` relation of files has no cycle.
//!
//! Items of the stdlib are read when they are first asked for: see Note [Read on demand].

mod errors;
mod imports;
pub mod inherit;
pub mod text;

pub use crate::diag::near::nearest;
pub use imports::{Base, load, load_over, load_within, normal};

use crate::limits::Limits;
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{self, Cell, Func, Item, ItemKind, Layer, Layout, Model, Name, Static};
use crate::syntax::{self, Heading};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Names one item of a [`Library`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub u32);

/// Why a file is in the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Stdlib,
    /// Named by the caller.
    Root,
    /// Imported by `use`.
    Used,
}

/// One file of a library.
#[derive(Clone, Debug)]
pub struct LibraryFile {
    pub file: FileId,
    pub path: String,
    pub origin: Origin,
    pub text: Arc<str>,
    /// In the order of the text.
    pub items: Vec<ItemId>,
    /// Of its text; 0 for the stdlib's files, which are read item by item.
    pub tokens: usize,
    /// Cells, layers, models and functions that are visible from here.
    scope: Arc<Scope>,
}

/// What a name means; `None` for an item that could not be read. That has been said, and more about its name
/// would mislead.
type Scope = BTreeMap<Name, Option<ItemId>>;

/// What stands for a cell parameter when a layer is checked on its own: the identity. No text can name it.
pub const STAND_IN: &str = "any cell";

/// All items in scope.
#[derive(Debug, Default)]
pub struct Library {
    files: Vec<LibraryFile>,
    items: Vec<Arc<Entry>>,
    stand_in: Option<ItemId>,
    /// What a text outside all files sees, such as a recipe of the command line.
    scope: Arc<Scope>,
    /// The stdlib's texts.
    texts: Sources,
    limits: Limits,
}

/// An item, perhaps not read yet.
#[derive(Debug)]
struct Entry {
    keyword: &'static str,
    /// Its file, and its number there.
    place: (FileId, usize),
    item: OnceLock<Item>,
}

impl Entry {
    fn unread(heading: &Heading, place: (FileId, usize)) -> Entry {
        Entry { keyword: heading.keyword, place, item: OnceLock::new() }
    }

    fn read(item: Item, place: (FileId, usize)) -> Entry {
        Entry { keyword: keyword(&item.kind), place, item: item.into() }
    }

    /// The item, read from the stdlib's texts if it has not been.
    fn get(&self, texts: &Sources) -> &Item {
        self.item.get_or_init(|| {
            let (file, number) = self.place;
            // A test reads the whole stdlib. An item that could not be read would be one without meaning.
            let span = Span { file, start: 0, end: 0 };
            let nothing =
                || Item { docs: Vec::new(), kind: ItemKind::Use { path: String::new(), span }, span };
            syntax::parse_item(texts, file, number).0.unwrap_or_else(nothing)
        })
    }
}

fn keyword(kind: &ItemKind) -> &'static str {
    match kind {
        ItemKind::Use { .. } => "use",
        ItemKind::Cell(_) => "cell",
        ItemKind::Layer(_) => "layer",
        ItemKind::Model(_) => "model",
        ItemKind::Fn(_) => "fn",
        ItemKind::Layout(_) => "layout",
        ItemKind::Test(_) => "test",
        ItemKind::Check(_) => "check",
    }
}

impl Library {
    /// What it was loaded within; what is built of it is too.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Stdlib files first, then imported files and roots in the order they were loaded.
    pub fn files(&self) -> &[LibraryFile] {
        &self.files
    }

    pub fn file(&self, file: FileId) -> Option<&LibraryFile> {
        self.files.iter().find(|f| f.file == file)
    }

    /// The files the caller named.
    pub fn roots(&self) -> impl Iterator<Item = &LibraryFile> {
        self.files.iter().filter(|f| f.origin == Origin::Root)
    }

    /// The items of a file, in the order of the text.
    pub fn items(&self, file: FileId) -> impl Iterator<Item = &Item> {
        let ids = self.file(file).map(|f| f.items.as_slice()).unwrap_or_default();
        ids.iter().map(|id| self.item(*id))
    }

    pub fn item(&self, id: ItemId) -> &Item {
        self.items[id.0 as usize].get(&self.texts)
    }

    /// The items that begin with a keyword, among these.
    fn of_kind<'a>(
        &'a self,
        keyword: &'a str,
        ids: impl IntoIterator<Item = &'a ItemId>,
    ) -> impl Iterator<Item = &'a Item> {
        let ids = ids.into_iter().filter(move |id| self.items[id.0 as usize].keyword == keyword);
        ids.map(|id| self.item(*id))
    }

    /// The item a name means in a file, or in a text outside all files.
    pub fn lookup(&self, from: FileId, name: &str) -> Option<ItemId> {
        if name == STAND_IN {
            return self.stand_in;
        }
        self.scope(from).get(name).copied().flatten()
    }

    /// Whether a text of this file is that of [`STAND_IN`].
    pub fn is_stand_in(&self, file: FileId) -> bool {
        self.stand_in.is_some_and(|id| item_span(self.item(id)).file == file)
    }

    /// Whether a name means an item that could not be read.
    pub fn is_unread(&self, from: FileId, name: &str) -> bool {
        self.scope(from).get(name) == Some(&None)
    }

    fn scope(&self, from: FileId) -> &Scope {
        self.file(from).map_or(&self.scope, |f| &f.scope)
    }

    /// The item a name means on the command line: roots first, then the stdlib.
    pub fn find(&self, name: &str) -> Option<&Item> {
        self.scope.get(name).copied().flatten().map(|id| self.item(id))
    }

    pub fn find_cell(&self, name: &str) -> Option<&Cell> {
        match self.find(name).map(|item| &item.kind) {
            Some(ItemKind::Cell(cell)) => Some(cell),
            _ => None,
        }
    }

    pub fn find_layer(&self, name: &str) -> Option<&Layer> {
        match self.find(name).map(|item| &item.kind) {
            Some(ItemKind::Layer(layer)) => Some(layer),
            _ => None,
        }
    }

    pub fn find_model(&self, name: &str) -> Option<&Model> {
        match self.find(name).map(|item| &item.kind) {
            Some(ItemKind::Model(model)) => Some(model),
            _ => None,
        }
    }

    pub fn find_fn(&self, name: &str) -> Option<&Func> {
        match self.find(name).map(|item| &item.kind) {
            Some(ItemKind::Fn(func)) => Some(func),
            _ => None,
        }
    }

    /// The models of a file, in the order of the text.
    pub fn models(&self, file: FileId) -> impl Iterator<Item = &Model> {
        let ids = self.file(file).map(|f| f.items.as_slice()).unwrap_or_default();
        self.of_kind("model", ids).filter_map(|item| match &item.kind {
            ItemKind::Model(model) => Some(model),
            _ => None,
        })
    }

    /// All layouts for a cell; those of roots and imports come after the stdlib's.
    pub fn layouts<'a>(&'a self, cell: &str) -> impl Iterator<Item = &'a Layout> {
        let ids = self.files.iter().flat_map(|f| &f.items);
        self.of_kind("layout", ids).filter_map(move |item| match &item.kind {
            ItemKind::Layout(layout) if &*layout.cell.name == cell => Some(layout),
            _ => None,
        })
    }

    /// Names visible from a file, for suggestions.
    pub fn names(&self, from: FileId) -> impl Iterator<Item = &Name> {
        self.scope(from).iter().filter(|(_, id)| id.is_some()).map(|(name, _)| name)
    }
}

/// The name of an item that can be found by name.
pub fn item_name(item: &Item) -> Option<&ast::Ident> {
    match &item.kind {
        ItemKind::Cell(c) => Some(&c.name),
        ItemKind::Layer(l) => Some(&l.name),
        ItemKind::Model(m) => Some(&m.name),
        ItemKind::Fn(f) => Some(&f.name),
        _ => None,
    }
}

/// The static parameters of an item.
pub fn item_statics(item: &Item) -> &[Static] {
    match &item.kind {
        ItemKind::Cell(c) => &c.statics,
        ItemKind::Layer(l) => &l.statics,
        ItemKind::Model(m) => &m.statics,
        _ => &[],
    }
}

/// Where an item's name stands.
pub fn item_span(item: &Item) -> Span {
    item_name(item).map_or(item.span, |name| name.span)
}

// Note [Read on demand]
//
// A file of some lines uses a few of the stdlib's items. Reading all of them by the grammar took four fifths of the time
// from text to machine code, so the library knows of each stdlib item its keyword and name, which the tokens tell, and
// reads it when it is asked for. Nothing is lost by that: the stdlib is a part of the binary, and a test reads all of it.
