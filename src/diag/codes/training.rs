//! E08: Training.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
