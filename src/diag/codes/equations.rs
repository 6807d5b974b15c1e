//! E04: Equations and their order.

use super::Entry;

pub const ENTRIES: &[Entry] = &[Entry {
    code: "E0490",
    title: "the text of an equation graph cannot be read",
    text: "`rnnc show --stage eqn` prints one line for each value, source, state and output; the reader takes that form only, and checks that the graph is sound.",
}];
