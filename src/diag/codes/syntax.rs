//! E01: Syntax.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
