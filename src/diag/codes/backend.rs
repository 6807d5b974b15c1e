//! E06: What a back end cannot do yet.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0601",
        title: "the compiler contradicts itself",
        text: "A stage handed the next one something that does not hold together. This is never the user's mistake. \
               Please report it, with the file and the command.",
    },
    Entry {
        code: "E0602",
        title: "no machine code for this computer",
        text: "Machine code is generated for x86-64, AArch64 and RISC-V. Elsewhere `--interpret` runs the same \
               program slowly.",
    },
];
