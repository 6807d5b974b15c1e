//! E02: Names and kinds.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0201",
        title: "files use each other in a circle",
        text: "A file may not import itself through others. Move what both need into a third file.",
    },
    Entry {
        code: "E0202",
        title: "a file cannot be read",
        text: "The path after `use` or on the command line names no readable file.",
    },
    Entry {
        code: "E0203",
        title: "an import leaves the main file's folder",
        text: "Paths after `use` are relative to the file they stand in and stay within the folder of the main file, the one named on the \
               command line, symbolic links followed. `--root DIR` names another folder for all of them.",
    },
    Entry {
        code: "E0204",
        title: "an item is defined twice",
        text: "Cells, layers, models and functions of a file share one name space.",
    },
    Entry {
        code: "E0205",
        title: "an item hides another",
        text: "A file's own item is meant before an imported one, and that before the stdlib's. This is a note.",
    },
    Entry {
        code: "E0206",
        title: "brace groups out of step",
        text: "Groups of one equation run in step, so they list equally many words.\nWrong: `{i f} = σ(W_{i f o} @ x)`. Right: `{i f o} = σ(W_{i f o} @ x)`.",
    },
    Entry {
        code: "E0207",
        title: "a name has two equations",
        text: "A name at a point is defined by one equation. Options are written `if … then … else …`.",
    },
    Entry { code: "E0208", title: "a name is declared twice", text: "Remove one of the declarations." },
    Entry {
        code: "E0209",
        title: "what is given also has an equation",
        text: "An `in`, `mem`, `param` or `noise` has its value from outside. An override may replace it by an equation; one body may not do both.",
    },
    Entry {
        code: "E0210",
        title: "a statement in the wrong item",
        text: "Each statement belongs to some items: `param` and `state` to cells, `loss` to models, `set` and `expect` to tests.",
    },
    Entry {
        code: "E0211",
        title: "no cell to derive from",
        text: "After `=` stands a cell with its arguments: `cell B(I, H) = A(I, H) with { … }`.",
    },
    Entry {
        code: "E0212",
        title: "a cell is derived from itself",
        text: "The line of bases must end in a cell with a body.",
    },
    Entry {
        code: "E0213",
        title: "an override changes nothing",
        text: "The new equation equals the one it replaces. This is a warning.",
    },
    Entry {
        code: "E0214",
        title: "no such side",
        text: "A chain or grid has the sides `at t = 0`, with the variable of one of its axes; a tree has leaves, `at leaf`.",
    },
    Entry {
        code: "E0215",
        title: "declared over some axes",
        text: "`in x : [I] over D` is an input at fewer points than the cell has. Other declarations are over all axes.",
    },
    Entry {
        code: "E0220",
        title: "unknown name",
        text: "Names here are the declared names, the equations, the static parameters and the dimensions of the item.",
    },
    Entry {
        code: "E0221",
        title: "unknown item",
        text: "No cell, layer, function or model of this name is in the file, its imports or the stdlib.",
    },
    Entry {
        code: "E0222",
        title: "a function without its argument",
        text: "A function is applied: `tanh(x)`. Alone it may stand only for a parameter of kind `fn`.",
    },
    Entry {
        code: "E0223",
        title: "not applicable",
        text: "Only functions, cells, layers and parts take arguments in parentheses. A product is `W @ x` or `a ⊙ b`.",
    },
    Entry {
        code: "E0224",
        title: "no value",
        text: "A recipe, a text or `_` stands where an equation wants a value.",
    },
    Entry {
        code: "E0225",
        title: "no recipe",
        text: "A recipe is a cell or layer with its static arguments, such as `C(_, 64)`.",
    },
    Entry {
        code: "E0226",
        title: "arguments of a function's recipe",
        text: "On the command line and in `check grad` a function takes the dimensions it leaves free by name: `f(n = 5)`.",
    },
    Entry {
        code: "E0227",
        title: "a word of a choice as a value",
        text: "Words of a choice are seen only where that choice is expected or compared.",
    },
    Entry {
        code: "E0228",
        title: "not one of the choice",
        text: "The value must be one of the words the parameter lists.",
    },
    Entry {
        code: "E0229",
        title: "braces without a left side",
        text: "Braces on the right want braces on the left, or an argument list.\nWrong: `y = W_{i f} @ x`. Right: `y_{i f} = W_{i f} @ x`.",
    },
    Entry {
        code: "E0230",
        title: "unknown kind",
        text: "Kinds of static parameters are real, bool, cell, fn, a choice `a | b`, and the dimension, which has no mark.",
    },
    Entry {
        code: "E0231",
        title: "unknown static parameter",
        text: "The first argument group gives the static parameters, in order or by name. With `--cell`, `--set` gives numbers to \
               what the recipe leaves open.",
    },
    Entry {
        code: "E0232",
        title: "a static parameter is missing",
        text: "Give it a value, or `_` if it is a dimension that the input decides.",
    },
    Entry {
        code: "E0233",
        title: "given twice",
        text: "An argument is given once, in its place or by name.",
    },
    Entry {
        code: "E0234",
        title: "wrong kind of static argument",
        text: "The argument must be of the parameter's kind.",
    },
    Entry {
        code: "E0235",
        title: "a static parameter or dimension without a value",
        text: "Its value depends on itself, or has a mistake of its own.",
    },
    Entry {
        code: "E0236",
        title: "a dimension cannot be inferred",
        text: "`_` is decided by an input whose type mentions the dimension; no input mentions this one.",
    },
    Entry {
        code: "E0237",
        title: "not known beforehand",
        text: "Initial values and distributions are made of numbers, dimensions and static parameters.",
    },
    Entry {
        code: "E0238",
        title: "unknown distribution",
        text: "uniform(a), uniform(a, b), normal(s), bernoulli(p); for a param also xavier, orthogonal, identity, chrono(T).",
    },
    Entry {
        code: "E0240",
        title: "wrong number of arguments",
        text: "The function takes another number of arguments.",
    },
    Entry {
        code: "E0241",
        title: "too many inputs",
        text: "Positional arguments fill the inputs in order; all else is given by name.",
    },
    Entry {
        code: "E0242",
        title: "unknown named argument",
        text: "Named arguments are inputs, memories, initial states (`h0`) and shared parameters of the cell.",
    },
    Entry {
        code: "E0243",
        title: "an input is not given",
        text: "The cell reads an input that the application leaves out.",
    },
    Entry {
        code: "E0244",
        title: "one step of a cell",
        text: "`prev h = e` gives the predecessor of a state. All states of the cell must be given, one step back.",
    },
    Entry {
        code: "E0245",
        title: "a memory that varies",
        text: "A `mem` has one value for the whole sequence, a shared parameter one everywhere.",
    },
    Entry {
        code: "E0246",
        title: "no such part of an application",
        text: "After a dot stand outs and equations of the application, and `NAME_last`.",
    },
    Entry {
        code: "E0247",
        title: "outputs",
        text: "An item has at least one `out`, and no two of one name.",
    },
    Entry {
        code: "E0248",
        title: "two equal applications",
        text: "Each application of a recipe is a new instance with its own parameters; `part` makes one to be applied often. This is a note.",
    },
    Entry {
        code: "E0249",
        title: "several names on the left",
        text: "`a, b = split(v)` cuts a vector; `a, b = C(x)` takes the outs of an application in order.",
    },
    Entry {
        code: "E0250",
        title: "a family without an index variable",
        text: "A family is defined for an index: `a[k in 1..n] = …`.",
    },
    Entry {
        code: "E0251",
        title: "wrong number of indices",
        text: "A family is read with as many indices as it is declared with, in one bracket.",
    },
    Entry { code: "E0252", title: "no such member", text: "The index lies outside the family's range." },
    Entry {
        code: "E0253",
        title: "a dimension must be a number here",
        text: "Ranges that are expanded, and conditions on dimensions, need numbers. Give the dimension one where the cell is used.",
    },
    Entry {
        code: "E0254",
        title: "members of unequal shape",
        text: "Only a family of one shape is an array.",
    },
    Entry {
        code: "E0255",
        title: "no index set",
        text: "An index runs over `lo..hi`, a dimension, or the length of a sequence.",
    },
    Entry {
        code: "E0256",
        title: "the name of another array",
        text: "A state `h` comes with arrays of its own: `h0`, what it is before the first point, and `h_last`, where it ends. \
               Neither an input nor an output of the same item may be called so. An output may be called `h` without being \
               the state; then the state's own array is not offered, which is a note.",
    },
    Entry {
        code: "E0257",
        title: "a layout",
        text: "The lines of a layout determine every array of the cell once, for one choice of its options at least. On the \
               right stand its parameters, joined by `rows`, and nothing is computed.",
    },
    Entry {
        code: "E0258",
        title: "not over positions",
        text: "A reduction over positions (`∑ p in n: x[p]`) sums, multiplies, takes the mean, the greatest or the least, where a condition holds. One \
               over members, `∑ k in 1..3: …`, takes them all.",
    },
    Entry {
        code: "E0260",
        title: "nothing reads it",
        text: "What no output depends on does not exist. This is a warning.",
    },
    Entry {
        code: "E0261",
        title: "new and unread",
        text: "The override adds a name that nothing reads. This is a warning.",
    },
    Entry {
        code: "E0262",
        title: "what fell away",
        text: "What an override no longer reads is gone. This is a note.",
    },
];
