//! E03: Shapes.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0390",
        title: "a dimension without a value",
        text: "Before numbers are computed every dimension needs one: those of a recipe's arguments that are names or `_`, and those that data did not fix. Give it with `--set H=64`, or write the number in the recipe.",
    },
    Entry {
        code: "E0391",
        title: "a size that cannot be",
        text: "With the given numbers a dimension is negative, a division leaves a remainder, or a part reaches beyond its whole. `H div 2` needs an even H; `H - 2*K` needs K at most half of H.",
    },
];
