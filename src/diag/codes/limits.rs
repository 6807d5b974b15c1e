//! E09: Limits.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
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
        code: "E0930",
        title: "an array beyond all reason",
        text: "One value may have at most 2^29 elements at a point, all together at most 2^32. This guards against a slip in a dimension.",
    },
];
