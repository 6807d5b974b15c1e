//! E07: Arrays and files at run time.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0701",
        title: "a missing array",
        text: "Every input and every parameter must be given under its own name; a parameter of an inner instance has \
               a dotted name (`enc.W`). Initial states (`h0`) and cotangents (`h_adj`) may be left out.",
    },
    Entry {
        code: "E0702",
        title: "an array nobody reads",
        text: "The name of an array is the name of no input, parameter, initial state or cotangent.",
    },
    Entry {
        code: "E0703",
        title: "an array of the wrong shape",
        text: "Inputs over a chain are [steps, batch, ...], values with one per example [batch, ...], parameters have \
               the shape they are declared with. What follows the dots is the declared shape.",
    },
    Entry {
        code: "E0704",
        title: "an array of the wrong kind",
        text: "Ids are whole numbers, everything else is floating-point.",
    },
    Entry {
        code: "E0705",
        title: "a symbol out of range",
        text: "A value of type `id(K)` is one of 0, 1, ..., K - 1.",
    },
    Entry {
        code: "E0706",
        title: "an unknown number of steps",
        text: "The length of a chain follows from an input over it. Without one it must be given.",
    },
    Entry {
        code: "E0707",
        title: "wrong lengths",
        text: "There is one length for each example, none greater than the number of steps of the arrays; a chain of \
               static extent has that length in every example.",
    },
    Entry {
        code: "E0708",
        title: "a distribution that cannot be drawn from",
        text: "Known are uniform(a), uniform(a, b), normal(s), bernoulli(p), and for parameters also xavier, \
               orthogonal, identity (matrices only) and chrono(T) with T > 2. Arguments must be finite numbers.",
    },
];
