//! E09: Limits.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
