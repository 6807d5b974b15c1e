//! Text to tree.
//!
//! In: a file of [`Sources`]. Out: an [`ast::File`] with every item that could be read, and one
//! diagnostic for each that could not. Printing a tree and parsing it again gives the same tree.

pub mod ast;

use crate::diag::{Diagnostic, Fallible};
use crate::source::{FileId, Sources};

/// Parses a whole file. Items with mistakes are left out of the tree.
pub fn parse(_sources: &Sources, _file: FileId) -> (ast::File, Vec<Diagnostic>) {
    todo!()
}

/// Parses a recipe such as `LSTM(_, 64)`, as the command line's `--cell` takes it.
pub fn parse_recipe(_sources: &Sources, _file: FileId) -> Fallible<ast::Expr> {
    todo!()
}
