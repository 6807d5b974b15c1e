//! What a name means, apart from where it is written.

use crate::resolve::Library;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Item, Name};

/// An item, by where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    pub file: FileId,
    pub start: u32,
}

impl Owner {
    pub fn of(item: &Item) -> Owner {
        Owner { file: item.span.file, start: item.span.start }
    }

    /// The item of a library.
    pub fn find(self, library: &Library) -> Option<&Item> {
        library.items(self.file).find(|item| Owner::of(item) == self)
    }
}

/// Where a name is looked for; one name may mean something in several of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// A cell, layer, model or function.
    Item,
    Layout,
    /// An input, state, parameter, part or equation of an item.
    Value,
    /// A static parameter.
    Static,
    /// A name for a dimension, declared or bound by a type.
    Dim,
    /// A variable or set of axes, or an edge of a tree.
    Axis,
    /// An output or metric that is no value of the same name.
    Out,
    /// A word of a choice, the one of this static parameter.
    Word(Name),
    /// An index variable, by where it is bound.
    Binder(u32),
    /// A word of the language itself.
    Builtin,
}

/// What a name means: an owner (none for what the language has), a space and the canonical name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    pub owner: Option<Owner>,
    pub space: Space,
    pub name: Name,
}

impl Symbol {
    pub fn new(owner: Owner, space: Space, name: &Name) -> Symbol {
        Symbol { owner: Some(owner), space, name: name.clone() }
    }

    pub fn builtin(name: &Name) -> Symbol {
        Symbol { owner: None, space: Space::Builtin, name: name.clone() }
    }

    pub fn binder(owner: Owner, name: &Name, at: Span) -> Symbol {
        Symbol { owner: Some(owner), space: Space::Binder(at.start), name: name.clone() }
    }
}
