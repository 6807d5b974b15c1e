//! E05: Gradients.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
