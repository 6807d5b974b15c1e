//! E04: Equations and their order.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0490",
        title: "the text of an equation graph cannot be read",
        text: "`rnnc show --stage eqn` prints one line for each value, source, state and output; the reader takes that form only, and checks that the graph is sound.",
    },
    Entry {
        code: "E0401",
        title: "a cycle at one point",
        text: "Equations at one point must not depend on each other in a circle. An old value is read as `h[t-1]`.",
    },
    Entry {
        code: "E0402",
        title: "read at another step, but no state",
        text: "Only states and inputs have a value outside the sequence: `state g : [H] = 0`.",
    },
    Entry {
        code: "E0403",
        title: "no earlier step",
        text: "Parameters and memories are the same at every step.",
    },
    Entry {
        code: "E0404",
        title: "before and after itself",
        text: "A value that depends on its past and on its future has no order. Two states, one for each direction, have.",
    },
    Entry {
        code: "E0405",
        title: "not known yet",
        text: "All positions of a value are read by what it depends on.",
    },
    Entry {
        code: "E0406",
        title: "an offset that is not constant",
        text: "An offset is known before the program runs: `h[t-2]`, `h[t-k]` with a static k.",
    },
    Entry {
        code: "E0407",
        title: "an offset in an `at` block",
        text: "Names in an `at` block mean the point before the first.",
    },
    Entry {
        code: "E0408",
        title: "a state without an equation",
        text: "A declared state that is read has an equation.",
    },
    Entry {
        code: "E0409",
        title: "no value before the first step",
        text: "`= 0` in the declaration, an `at t = 0 { … }` block, or `h0 = …` in the call.",
    },
    Entry {
        code: "E0410",
        title: "a parameter without an initial value",
        text: "`~ uniform(1/sqrt(H))`, or `= 0`.",
    },
    Entry {
        code: "E0411",
        title: "a start that does not fit",
        text: "What lies before the first step has the state's shape and does not depend on the step.",
    },
    Entry {
        code: "E0412",
        title: "no sequence to step along",
        text: "A cell with a lag is applied to a sequence, or inside a cell at its point.",
    },
    Entry {
        code: "E0413",
        title: "no such edge",
        text: "A chain has one axis and one edge, to the earlier step; a grid one for each axis; a tree those that its `over` names.",
    },
    Entry {
        code: "E0414",
        title: "a chain of fixed length",
        text: "A cell with steps of its own (`chain(t in 1..N)`) takes single values, not a sequence.",
    },
    Entry {
        code: "E0415",
        title: "two sequences",
        text: "Values at positions of different sequences do not meet.",
    },
    Entry {
        code: "E0416",
        title: "a sequence is wanted",
        text: "The function or layer works on a whole sequence.",
    },
    Entry { code: "E0417", title: "no such position", text: "Positions count from 1." },
    Entry {
        code: "E0418",
        title: "an index used as a value",
        text: "The index of a reduction over a dimension reads components; it is no number of its own.",
    },
    Entry { code: "E0420", title: "generate", text: "`generate dst from y` wants an `in` and an output." },
    Entry {
        code: "E0421",
        title: "an output that has seen its target",
        text: "To generate, y at t may depend on dst only before t: `shift` the input.",
    },
    Entry {
        code: "E0422",
        title: "scores that have seen their target",
        text: "The loss compares scores with a symbol they depend on at the same step. This is a warning.",
    },
    Entry {
        code: "E0423",
        title: "a softmax of a softmax",
        text: "What takes scores applies softmax itself. This is a warning.",
    },
    Entry {
        code: "E0425",
        title: "a cell over a grid or tree",
        text: "A cell is applied to values over as many axes as its `over` has: `grid<r, c> of [A]`, `tree<n> of [A]`.",
    },
    Entry {
        code: "E0426",
        title: "no such axis",
        text: "`over i`, `for l = L`: the axes are those of the cell's own `over`.",
    },
    Entry {
        code: "E0427",
        title: "a place with too few or too many indices",
        text: "A point of a grid has an index for each axis, in their order: `h[i-1, j]`. One step along one axis is `h[prev i]`.",
    },
    Entry {
        code: "E0428",
        title: "children are no sequence",
        text: "The number of children differs from node to node, so no sequence is as long. An index runs over the children themselves: `∑ k ∈ K: h[prev k]`.",
    },
    Entry {
        code: "E0429",
        title: "a whole sequence where one value is wanted",
        text: "A state, parameter or noise is a value at one point. A sequence that is read whole is an `in` or `mem : seq<M> of …`; it is read at positions, or reduced.",
    },
    Entry {
        code: "E0450",
        title: "not supported yet",
        text: "Families of noises, and ranges that are not the last index of a bracket, come in a later version.",
    },
];
