//! E09: limits that keep a hostile or broken file from costing without bound.

use super::Entry;

const fn entry(code: &'static str, title: &'static str, text: &'static str) -> Entry {
    Entry { code, title, text }
}

pub const ENTRIES: &[Entry] = &[
    entry(
        "E0901",
        "file too large",
        "A `.rnn` file has at most 1 MiB. `--max-source 4MiB` raises the limit.",
    ),
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
    entry(
        "E0905",
        "file with too many words",
        "A `.rnn` file has at most 300,000 words, numbers, operators and brackets. `--max-tokens N` raises the limit.",
    ),
    Entry {
        code: "E0911",
        title: "a run that needs too much memory",
        text: "The buffers of a run grow with batch size times steps. Before anything is allocated their sum is \
               compared with a limit, 16 GiB unless `--max-memory` says otherwise. A smaller batch or a shorter window needs less.",
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
        code: "E0914",
        title: "a file of arrays or data that is too large",
        text: "A file of arrays, a checkpoint or a file of data has at most 2 GiB; it is not read at all otherwise. \
               `--max-file SIZE` raises the limit.",
    },
    Entry {
        code: "E0915",
        title: "examples that would take too much memory",
        text: "A `frame` around examples may make them much larger than their file. They may take 2 GiB; `--max-unpacked SIZE` raises \
               the limit.",
    },
    Entry {
        code: "E0930",
        title: "an array beyond all reason",
        text: "One value may have at most 2^29 elements at a point, all together at most 2^32. This guards against a slip in a dimension; no \
               flag raises it, as the bytes of a row are told apart in 32 bits.",
    },
    Entry {
        code: "E0921",
        title: "too many equations",
        text: "A program has at most 100,000 equations after families are expanded, and no expression is evaluated again and \
               again more than ten times as often. `--max-nodes N` raises the limit.",
    },
    Entry {
        code: "E0922",
        title: "too many files",
        text: "At most 1000 files are loaded (`--max-files N` raises the limit), 64 `use`s deep.",
    },
    Entry {
        code: "E0923",
        title: "nested too deep",
        text: "Equations, instances and derived cells nest to a bound, so that no text can exhaust the stack: equations that read \
               each other about 2000 deep, instances and derived cells 64. No flag raises it.",
    },
    Entry {
        code: "E0924",
        title: "too great a lag",
        text: "A lag of more than 4096 steps is refused, as each state keeps its values of so many steps. `--max-lag N` raises the limit.",
    },
    Entry {
        code: "E0925",
        title: "too many instances",
        text: "A program consists of at most 10,000 instances and function calls. Each of a cell that applies another one twice \
               doubles their number. `--max-instances N` raises the limit.",
    },
    Entry {
        code: "E0926",
        title: "too many axes",
        text: "A value is over at most 6 axes. Values that meet are over the axes of both.",
    },
    Entry {
        code: "E0927",
        title: "a file that takes too much work to check",
        text: "`rnnc check` counts its work: three steps for each word, number, operator and bracket of the file, expressions it evaluates, equations it makes, definitions it looks at, for every item of a \
               file and every option. Beyond the limit it ends, so that it ends soon for any file; items from the one \
               shown on were not checked. `--max-work N` raises the limit.",
    },
    Entry {
        code: "E0928",
        title: "too many mistakes",
        text: "After 100 mistakes in the items of a file no further item is checked: they are often consequences of each other.",
    },
];
