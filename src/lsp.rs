//! What an editor asks of a text: what a name means, where else it stands, what fits here.
//!
//! In: the text of a file as it is being edited, and a place in it. Out: spans, texts and edits. Nothing here knows the
//! protocol or touches files; `cli/lsp` speaks it and calls these functions.
//!
//! A [`View`](view::View) is one file with what it imports and the stdlib. Of each file it has an [`Index`](index::Index):
//! every name that is written, with the [`Symbol`](symbol::Symbol) it means. Hover, definition, references, rename, hints and
//! colours all read that index; shapes come from the builder ([`crate::eqn::build::survey`]). An item that cannot be read is
//! known by its tokens ([`sketch`]), which also tell what completes at a place.

pub mod builtins;
pub mod complete;
pub mod context;
pub mod format;
pub mod gradient;
pub mod hints;
pub mod hover;

pub mod index;
pub mod input;
pub mod lines;
pub mod outline;
pub mod overlay;
pub mod problems;
pub mod references;
pub mod rename;
pub mod scope;
pub mod semantic;
pub mod signature;
pub mod sketch;
pub mod symbol;
pub mod view;
mod walk;
