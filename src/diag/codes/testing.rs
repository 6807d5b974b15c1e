//! E10: tests and checks inside `.rnn` files.

use super::Entry;

const fn entry(code: &'static str, title: &'static str, text: &'static str) -> Entry {
    Entry { code, title, text }
}

pub const ENTRIES: &[Entry] = &[
    entry(
        "E1001",
        "an expectation is not met",
        "`expect a ≈ b ± tol` wants every element of `a` within `tol` of that of `b` (a scalar is compared with \
         every element); without `±` the tolerance is 1e-9. `expect c` wants `c` to be true.",
    ),
    entry(
        "E1002",
        "not in a test",
        "Tests compute at once, with numbers and lists. Families, domains and declarations belong into a cell, layer \
         or function, which a test applies.",
    ),
    entry(
        "E1003",
        "a name in a test",
        "A test defines each name once, by an equation or a `part`, in any order.",
    ),
    entry(
        "E1004",
        "shapes in a test",
        "A list of numbers is a vector, a list of vectors a matrix or a sequence of vectors: the depth of the list \
         beside the input's rank decides. Arithmetic wants equal shapes or a scalar.",
    ),
    entry(
        "E1005",
        "arguments in a test",
        "Positional arguments fill the inputs in order; named ones give inputs or initial states (`h0 = [1, 2]`).",
    ),
    entry(
        "E1006",
        "an unknown parameter",
        "`set net.W = v` sets a parameter of a part, `set net.* = v` all of them.",
    ),
    entry("E1007", "not evaluated", "The reference interpreter refused the arrays it was given."),
    entry(
        "E1008",
        "a setting of a check",
        "`check grad C(I = 3), steps = 5, batch = 2`; both settings may be left out.",
    ),
    entry(
        "E1010",
        "a wrong gradient",
        "At a random point, the derived gradient of a random weighted sum of all outputs differs from the central \
         difference (with one step of Richardson extrapolation, in f64) by more than 1e-6, relative to the greater of \
         the two and to a hundredth of the array's greatest gradient.",
    ),
    entry(
        "E1011",
        "no point to check at",
        "A check draws random points until all values are finite and no kink lies within the difference step.",
    ),
    entry(
        "E1012",
        "simplification changed a gradient",
        "The simplified gradient differs from the one derived.",
    ),
    entry(
        "E1013",
        "an inaccurate kernel",
        "The compiled program differs from the f64 interpreter by more than rounding explains. What rounding explains \
         is derived: a bound of the error of f32 is followed through every operation, state and sum (running error \
         analysis), and each element of each output is held to its own.",
    ),
    entry(
        "E1014",
        "what a snapshot keeps",
        "`check snapshot C(4, 4), eqn, grad, loops, clif for \"x86_64\"` keeps the equations, the gradient, the loops and the code \
         of a cell for a named machine, with `grad` those of both passes. Also `schedule` and `asm`; without a list it is `eqn`, \
         `grad` and `loops`. All but `eqn` and `grad` want numbers for dimensions.",
    ),
    entry(
        "E1015",
        "no snapshot yet",
        "What the compiler makes of the cell is not stored beside the file. Look at it (`rnnc show`), then store it: \
         `rnnc test FILE --update`. In CI (where the variable CI is set) nothing is stored.",
    ),
    entry(
        "E1016",
        "a snapshot differs",
        "What the compiler makes of the cell is not what is stored beside the file. If the change is meant, \
         `rnnc test FILE --update` stores what there is now; if not, something that the cell reads has changed.",
    ),
    entry(
        "E1017",
        "a snapshot of nothing",
        "The file of snapshots holds a text that no `check snapshot` asks for any more. `rnnc test FILE --update` removes it.",
    ),
    entry(
        "E1018",
        "weights that do not fit",
        "`check weights torch for C(4, 5), file = \"c.npz\", x = \"input\", h = \"output\"` reads weights by a layout's lines and \
         what the layer was given and gave, by our names or those that are set. Every line finds its arrays, every element of \
         those is read, and at least one output is there.",
    ),
    entry(
        "E1019",
        "other numbers with the same weights",
        "With the weights of the file, in the order that the layout says, the cell gives other numbers than the file has: \
         the layout or the options of the recipe are not those of the layer that wrote it.",
    ),
    entry(
        "E1020",
        "no such test",
        "`--filter` takes the tests whose name contains its text, and there is none. A name is what `rnnc test` prints: \
         the words of a `test`, or a check as it is written, such as `grad Mine(3, 4)`.",
    ),
];
