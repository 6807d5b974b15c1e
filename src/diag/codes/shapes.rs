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
    Entry {
        code: "E0301",
        title: "unequal shapes",
        text: "Elementwise operators want equal shapes, or one scalar. Nothing else broadcasts.",
    },
    Entry {
        code: "E0302",
        title: "unequal branches",
        text: "The branches of an `if` have one shape, or one is a scalar; the condition is a scalar or of that shape.",
    },
    Entry {
        code: "E0303",
        title: "a product that does not fit",
        text: "`a @ b` contracts the last axis of a with the first of b.\nWrong: `W @ h` with [H, I] and [H]. Right: `Wᵀ @ h`.",
    },
    Entry {
        code: "E0304",
        title: "an equation against its declaration",
        text: "The equation of a declared name has the declared shape and type; a scalar fills it.",
    },
    Entry {
        code: "E0305",
        title: "an argument of the wrong shape",
        text: "The input's declared type, with the dimensions known so far, differs from what is given.",
    },
    Entry { code: "E0306", title: "wrong rank", text: "The operation wants a vector or a matrix." },
    Entry {
        code: "E0307",
        title: "wrong type of value",
        text: "Ids are symbols, bools are truths; neither is a number. Use an id as an index, a bool in `if`.",
    },
    Entry {
        code: "E0308",
        title: "wrong component",
        text: "Components count from 1 to the axis's length; an id reads an axis with as many elements as it has symbols.",
    },
    Entry {
        code: "E0309",
        title: "an index that is computed",
        text: "An index is a known number, an index variable or an id.",
    },
    Entry { code: "E0310", title: "an empty array", text: "Its index set has no member." },
    Entry {
        code: "E0311",
        title: "a missing or unusable type",
        text: "Declarations want a type; `[..]` is decided by an input.",
    },
    Entry {
        code: "E0312",
        title: "a ragged list",
        text: "The items of a list are numbers or arrays of one shape: the rows of an array.",
    },
    Entry {
        code: "E0313",
        title: "no dimension",
        text: "A dimension is a whole number or made of dimensions by + − * div ^. Lengths of sequences differ per example and are none.",
    },
    Entry {
        code: "E0314",
        title: "arithmetic of dimensions",
        text: "`div` must come out even, and no dimension is negative or beyond 64 bits.",
    },
    Entry {
        code: "E0315",
        title: "bounds",
        text: "`within lo .. hi` wants two known numbers, the smaller first.",
    },
    Entry {
        code: "E0316",
        title: "a reduction over nothing",
        text: "Only `∑` and `∏` of nothing have a value, 0 and 1.",
    },
    Entry {
        code: "E0317",
        title: "a loss that is no number",
        text: "A loss or metric is a scalar at each position or example.",
    },
    Entry {
        code: "E0318",
        title: "an operation that does not fit",
        text: "The operands do not go together; their shapes are shown.",
    },
];
