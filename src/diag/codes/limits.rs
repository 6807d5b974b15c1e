//! E09: limits that keep a hostile or broken file from costing without bound.

use super::Entry;

const fn entry(code: &'static str, title: &'static str, text: &'static str) -> Entry {
    Entry { code, title, text }
}

pub const ENTRIES: &[Entry] = &[
    entry("E0901", "file too large", "A `.rnn` file has at most 1 MiB."),
    entry(
        "E0902",
        "nested too deep",
        "Brackets, `if`, powers, signs and reductions nest at most 64 deep. Give an inner expression a name of its own.",
    ),
    entry(
        "E0903",
        "expression too long",
        "An expression has at most 256 operators in a row. Give a part of it a name of its own.",
    ),
    entry(
        "E0904",
        "item too costly",
        "Reading this item took more steps than any sensible item needs. Split it.",
    ),
];
