//! E04: Equations and their order.

use super::Entry;

pub const ENTRIES: &[Entry] = &[];
