//! From trees to a library of items: imports, names, overrides.
//!
//! In: parsed files. Out: a [`Library`] in which every item is found by name and `with` blocks have
//! been merged into their bases. Instances, families and options are left to [`crate::eqn::build`].

use crate::diag::Diagnostic;
use crate::source::{Loader, Sources};

/// All items in scope.
#[derive(Debug, Default)]
pub struct Library {}

/// Loads the stdlib, `roots` and everything they `use`. A root's items hide the stdlib's.
pub fn load(_sources: &mut Sources, _loader: &dyn Loader, _roots: &[String]) -> (Library, Vec<Diagnostic>) {
    todo!()
}
