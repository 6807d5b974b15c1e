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
];
