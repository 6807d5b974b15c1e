//! E08: Training.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0801",
        title: "a missing line of the `train` block",
        text: "A model is trained as its `train` block says. `optimizer` is always wanted, `window` if the data are one long \
               sequence:\n\n    train {\n      optimizer = SomeOptimizer(lr = 3e-3)\n      batch = 32; window = 100; epochs = 8; \
               clip = 1; seed = 1\n    }\n\n`--set train.window=100` adds or changes a line.",
    },
    Entry {
        code: "E0802",
        title: "an unknown key in `train`",
        text: "The keys are optimizer, batch (32), epochs (10), window, clip, patience, seed (1) and threads (all cores).",
    },
    Entry {
        code: "E0803",
        title: "a bad value in `train`",
        text: "batch, epochs, window, patience and threads are whole numbers from 1; clip is a number above 0; seed a whole number. \
               patience wants a validation part, `split = [train, valid, test]`.",
    },
    Entry {
        code: "E0804",
        title: "something training cannot do yet",
        text: "The key exists in the language and this version cannot do what it says. The help names another way.",
    },
    Entry {
        code: "E0805",
        title: "a model without a loss",
        text: "Training makes the `loss` of a model small:\n\n    loss (y - x)^2\n\nSeveral `loss` lines add up.",
    },
    Entry {
        code: "E0806",
        title: "a state that windows cannot hand on",
        text: "With `window` every state goes on from window to window, so its value at the end of a window must be known.",
    },
    Entry {
        code: "E0807",
        title: "not an optimiser",
        text: "An optimiser is a cell over a chain of steps. It reads the gradient as its one input, its first `out` is the \
               parameter, a state without a declared start; it has no parameters of its own:\n\n    cell Down(lr : real) over \
               chain(k) {\n      in    g : [..]\n      state w : [..]\n      w = w[k-1] - lr * g\n      out w\n    }",
    },
    Entry {
        code: "E0808",
        title: "a setting given twice",
        text: "Each key of `train`, each name of `data` and `split` is given once, wherever its block stands. `--set \
               train.KEY=VALUE` changes one for a run.",
    },
    Entry {
        code: "E0810",
        title: "the loss is no finite number",
        text: "The loss or a gradient became infinite or NaN. Training stopped; the last checkpoint was written before that and \
               is good. The batch is evaluated again, equation by equation, and the message names the first operation whose result \
               is not finite although all that it read was: the equation, the step or point, the entry of the batch, the \
               numbers there. An infinity that was written, such as `inf` in a mask, is none of these until it makes NaN.\n\n    p \
               = exp(s) / (sum k in 1..H: exp(s[k]))    # wrong: exp of 89 is infinite\n    p = softmax(s)                            \
               # right\n\nA smaller learning rate or `clip = 1` often helps. `--sanitize` looks also at states, metrics, \
               updates and evaluations; `--from DIR` begins anew with the parameters that a run has reached.",
    },
    Entry {
        code: "E0811",
        title: "a checkpoint of another program or of other data",
        text: "A checkpoint goes on only with the same equations, static parameters and data, for only then it goes on bit for \
               bit. What the `train` block says about `epochs` and `patience` may change.",
    },
    Entry {
        code: "E0812",
        title: "a damaged checkpoint",
        text: "A checkpoint holds a hash of its arrays, which must fit. Files are replaced whole, so a stop while writing leaves \
               the one before; what does not fit was changed by something else.",
    },
    Entry {
        code: "E0813",
        title: "settings that differ from the checkpoint's",
        text: "`--resume` goes on as if the run had never stopped, which needs the settings it was begun with.",
    },
    Entry {
        code: "E0820",
        title: "a model without data",
        text: "A `data` block names a source for each input:\n\n    data {\n      x, class = csv(\"digits.csv\", shape = [8, 8])\n      \
               split = [0.8, 0.1, 0.1]\n    }",
    },
    Entry {
        code: "E0821",
        title: "an unknown data source",
        text: "The sources are chars, words, lines, pairs, csv, ts, npz (files, paths relative to the `.rnn` file) and task \
               (generated examples).",
    },
    Entry {
        code: "E0822",
        title: "a bad argument of a data source",
        text: "Arguments of data sources are constants: numbers (also `1/16`), texts in quotes, lists of them. Each source has \
               its own; the message names them.",
    },
    Entry {
        code: "E0823",
        title: "another number of names than a data source gives",
        text: "`chars`, `words` and `lines` give one name; `pairs` and `task` two; `ts` and `csv` the values and, with a second \
               name, the class; `npz` the arrays of the names on the left.",
    },
    Entry {
        code: "E0824",
        title: "data sources of different length",
        text: "All sources of a `data` block give values for the same examples, so there must be as many of each.",
    },
    Entry {
        code: "E0825",
        title: "a data file that cannot be understood",
        text: "The message names the file and the line. Missing and infinite values are refused, as are rows and series of \
               unequal width: nothing is guessed.",
    },
    Entry {
        code: "E0826",
        title: "a bad `split`",
        text: "`split = [train, valid, test]` or `[train, test]`: shares of 0..1, with a sum of at most 1; beside a test file, \
               `[train, valid]` of the other one. The validation part chooses the epoch whose parameters are kept (without \
               one those of the last epoch are), the test part measures them. One long sequence is cut in this order; examples \
               are put into parts by a draw that is always the same.",
    },
    Entry {
        code: "E0827",
        title: "an input without data",
        text: "Every `in` of the model that is read wants values of its own name from the `data` block.",
    },
    Entry {
        code: "E0828",
        title: "data that do not fit the declared input",
        text: "An input `seq<n> of id(V)` wants sequences of symbols, `seq<n> of [C]` sequences of vectors of C numbers, `id(K)` \
               one symbol per example, `[C]` one vector. A static parameter declared as `C = _` takes its value from the data; \
               one with a number must agree with them.",
    },
    Entry {
        code: "E0829",
        title: "a static parameter nothing decides",
        text: "A static parameter declared as `_` is found from the shape of an input. This one stands in no input's type.",
    },
    Entry {
        code: "E0830",
        title: "a symbol outside the vocabulary",
        text: "The vocabulary is that of the training data and is kept in the checkpoint. Text to measure or to begin with may \
               hold no other symbols.",
    },
    Entry {
        code: "E0831",
        title: "a model that cannot generate",
        text: "`generate text from y` lets a model write: y at t holds the scores of the symbol at t and depends on `text` before \
               t only (`shift` the input). It must have no other input.",
    },
    Entry {
        code: "E0832",
        title: "a value that the equations do not have",
        text: "`rnnc look` shows any value of a model: an output, or a name of its equations with the instances it lies in \
               (`dec.α`). The end of such a name is enough where only one value ends so.",
    },
    Entry {
        code: "E0833",
        title: "an example that is not there",
        text: "`--example 3` is the third example of the held-out part, of the part `--split` names, or of the files of `--data`.",
    },
    Entry {
        code: "E0834",
        title: "an input that `rnnc generate` is not given",
        text: "What a model writes may depend on other inputs: the word whose sounds are wanted, a class. Each is given by \
               `--given NAME=TEXT`: the symbols of a sequence (words with blanks between), or one symbol.",
    },
];
