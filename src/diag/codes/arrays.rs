//! E07: Arrays and files at run time.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
