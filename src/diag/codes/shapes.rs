//! E03: Shapes.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
