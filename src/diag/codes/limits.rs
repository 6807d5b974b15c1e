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
    Entry {
        code: "E0911",
        title: "a run that needs too much memory",
        text: "The buffers of a run grow with batch size times steps. Before anything is allocated their sum is \
               compared with a limit. A smaller batch or a shorter window needs less.",
    },
    Entry {
        code: "E0912",
        title: "no memory left",
        text: "The system refused memory for the buffers of a run. A smaller batch or a shorter window needs less.",
    },
    Entry {
        code: "E0913",
        title: "too many steps",
        text: "A run has at most 2^24 steps: positions are exact in 32-bit floating point up to there. A longer sequence is cut into \
               windows that hand on their states, as `window` in a `train` block does.",
    },
    Entry {
        code: "E0930",
        title: "an array beyond all reason",
        text: "One value may have at most 2^29 elements at a point, all together at most 2^32. This guards against a slip in a dimension.",
    },
    Entry {
        code: "E0921",
        title: "too many equations",
        text: "A program has at most 100,000 equations after families are expanded.",
    },
    Entry { code: "E0922", title: "too many files", text: "At most 1000 files are loaded, 64 `use`s deep." },
    Entry {
        code: "E0923",
        title: "nested too deep",
        text: "Equations and instances nest to a bound, so that no text can exhaust the machine.",
    },
    Entry { code: "E0924", title: "too great a lag", text: "A lag of more than 4096 steps is refused." },
    Entry {
        code: "E0926",
        title: "too many axes",
        text: "A value is over at most 6 axes. Values that meet are over the axes of both.",
    },
];
