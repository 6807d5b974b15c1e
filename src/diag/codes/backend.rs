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
    Entry {
        code: "E0603",
        title: "no reproducible run on this computer",
        text: "`--reproducible` promises the bits that every x86-64 computer with AVX2 and FMA gives. This one lacks them.",
    },
    Entry {
        code: "E0611",
        title: "a dimension without a number",
        text: "Machine code is made for fixed sizes. Give every dimension a number: as an argument of the recipe \
               (`Mine(64, 128)`), or with `--set H=128`.",
    },
    Entry {
        code: "E0612",
        title: "a recurrence in both directions",
        text: "A value that depends on its own past and on its own future has no order in which it could be computed. \
               Wrong: `h = tanh(h[t-1] + h[t+1])`. Right: two states, one read at `[t-1]`, the other at `[t+1]`.",
    },
    Entry {
        code: "E0613",
        title: "a recurrence through a whole domain",
        text: "A sum over a domain, `first`, `last` or `reverse` needs all points. A value cannot take one of itself in \
               the midst of its own recurrence.",
    },
    Entry {
        code: "E0614",
        title: "a value with too many elements",
        text: "One value at one point may have at most 2147483647 elements.",
    },
    Entry {
        code: "E0621",
        title: "no object file for more than chains",
        text: "`rnnc build` makes objects of cells over sequences: of one example, from its first step to its last or back. A \
               grid, a tree, or a length that follows from another needs tables that a run makes for each batch; such cells \
               run with `rnnc run` and train with `rnnc train`.",
    },
    Entry {
        code: "E0622",
        title: "no object files for this machine",
        text: "Objects are made for x86-64 (Linux, macOS, Windows), AArch64 (Linux, macOS) and RISC-V with vectors (Linux). \
               `--target` takes the names that the message lists, or a compiler's name for the same machine.",
    },
    Entry {
        code: "E0624",
        title: "memory that an object cannot say",
        text: "The sizes of an object's structs and of its workspace are numbers of its header: at most 2147483648 elements, \
               and as many for each step.",
    },
    Entry {
        code: "E0625",
        title: "no name for C functions",
        text: "All functions and structs of an object begin with one name, that of `--name` or of the output file. It has \
               letters, digits and `_`, begins with a letter, and is no word of C, C++ or Rust.",
    },
    Entry {
        code: "E0628",
        title: "instructions of another machine",
        text: "`--features` names levels of x86-64: `baseline`, `v3` (AVX2 and FMA) and `v4` (AVX-512). Code for other machines \
               uses what all of them have.",
    },
    Entry {
        code: "E0629",
        title: "no shared library",
        text: "`--kind shared` has the computer's C compiler link the object. It is not there, or refused, or the target is \
               another computer.",
    },
];
