//! E02: Names and kinds.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
