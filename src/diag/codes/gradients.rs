//! E05: Gradients.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0501",
        title: "every path to a value leads through operations without a slope",
        text: "Comparisons, `argmax`, `floor`, `sign`, `mod`, conditions and indices have no useful derivative. If a\n\
               parameter, input or initial state reaches the result through these alone, its gradient would be zero\n\
               everywhere and training would silently stand still, so the program is refused.\n\n\
               Wrong:  loss if argmax(y) == t then 0 else 1\n\
               Right:  loss logsumexp(y) − y[t]\n        metric if argmax(y) == t then 0 else 1\n\n\
               Where a zero gradient is meant, write it: `floor(stop_gradient(s))`.",
    },
    Entry {
        code: "E0502",
        title: "unknown name in a request for gradients",
        text: "Gradients are taken of outputs, with respect to inputs, parameters and initial states (`h0`). Inner\n\
               parameters carry their path: `l1.W_f`. What no output depends on does not exist.",
    },
    Entry {
        code: "E0503",
        title: "only real values have a gradient",
        text: "Symbols (`id(K)`) and truth values change in jumps. Take the gradient with respect to the table they\n\
               index, or of the scores they are chosen from.",
    },
    Entry {
        code: "E0504",
        title: "the name of a gradient is taken",
        text: "The gradient of `x` is the array `x_adj`, and what arrives at output `h` is the array `h_adj`. The program\n\
               has a value of that name already; rename it.",
    },
    Entry {
        code: "E0505",
        title: "an operation that cannot be differentiated in this form",
        text: "A reduction with `max`, `min` or `∏` along one axis of a matrix, or any reduction along a middle axis of a\n\
               larger array, is differentiated only if the other extents are known numbers. Reduce vectors, or\n\
               give the dimensions values.",
    },
    Entry {
        code: "E0506",
        title: "a value that depends on itself has no adjoint",
        text: "The initial value of a state depends on the values that it starts. Initial values may use parameters and\n\
               values that are the same for the whole domain.",
    },
    Entry {
        code: "E0507",
        title: "these derived equations cannot be written as one cell",
        text: "The adjoint of a recurrent cell over one chain is printed as a cell again. A program over several chains,\n\
               a grid or a tree has an adjoint too (`run --grad` computes it, and `rnnc grad` prints it to read), but not\n\
               one that fits into a single cell.",
    },
    Entry {
        code: "E0508",
        title: "no gradient to follow through steps",
        text: "`rnnc flow` follows the gradient of the output at one point, the last step, the last corner of a grid, the root of a\n\
               tree, back through the states that are carried: it wants a cell or layer with a carried state and a real\n\
               output, over at most 10,000 points.",
    },
    Entry {
        code: "E0509",
        title: "an operation that cannot be differentiated twice",
        text: "The adjoint of a program is a program, which has an adjoint in turn, and so on. Of a product of many factors (`prod`, `∏`) the\n\
               slope is computed such that a factor of 0 does no harm; the derivative of that slope would be wrong at such a\n\
               factor, so it is refused. All else that has a gradient has one of any order; at a kink, as of `relu`, it is 0.",
    },
    Entry {
        code: "E0599",
        title: "internal: ill-formed derived equations",
        text: "A derived operation does not fit its operands. This is a mistake of the compiler, not of the program.",
    },
];
