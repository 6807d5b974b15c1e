//! E06: What a back end cannot do yet.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
