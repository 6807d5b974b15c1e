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
    Entry {
        code: "E0709",
        title: "missing trees",
        text: "Every example of a cell over a tree has a tree: an array of the children of each node, -1 where an edge leads \
               nowhere. Children come before their parents.",
    },
    Entry {
        code: "E0710",
        title: "wrong trees",
        text: "There is one tree for each example, and no node has more edges than the cell declares.",
    },
    Entry {
        code: "E0715",
        title: "numbers of another width",
        text: "Programs are compiled for numbers of 32 bits. Arrays of 64 bits are not converted behind the caller's back: \
               that costs time and digits. The reference interpreter evaluates in 64 bits, to check with.",
    },
    Entry {
        code: "E0716",
        title: "a gradient of what was compiled without",
        text: "A program that keeps what the way back needs is another one than that which only runs forward. The options that a \
               recipe is compiled with say whether there are gradients.",
    },
    Entry {
        code: "E0718",
        title: "a call against the rules of the interface",
        text: "A pointer that leads nowhere, a text that is not UTF-8, a number that stands for nothing: what the compiler of \
               the calling program could not see. The message names the argument.",
    },
    Entry {
        code: "E0719",
        title: "a name of two arrays",
        text: "The outputs of an adjoint are gradients, `x_adj`. Its own gradients are called so too, and where both are asked for \
               by one name it must be said which is meant.",
    },
    Entry {
        code: "E0721",
        title: "a file that cannot be read",
        text: "The message says what the system said. Text must be UTF-8.",
    },
    Entry {
        code: "E0722",
        title: "a damaged npz file",
        text: "An npz file is a zip archive of npy arrays, as `numpy.savez` and `numpy.savez_compressed` write it.",
    },
    Entry {
        code: "E0723",
        title: "elements of a type that is not read",
        text: "Read are float32, float64, integers and bool, little-endian.",
    },
    Entry {
        code: "E0724",
        title: "an array that a file lacks",
        text: "The message names the array with its shape, and what the file has instead.",
    },
    Entry {
        code: "E0725",
        title: "an array of a file with another shape",
        text: "Shapes must agree in every extent; nothing is broadcast or transposed silently.",
    },
    Entry {
        code: "E0745",
        title: "several arrays of a file that do not fit",
        text: "The list names each array that is missing, has another shape or is read by nothing. Missing ones and those of \
               another shape are refused; alone, an array that nothing reads is only a warning.",
    },
    Entry {
        code: "E0726",
        title: "a file that cannot be written",
        text: "Files are written beside their place and then renamed over it, so what was there before is untouched: on a full \
               disk, without permission, or after a crash.",
    },
    Entry {
        code: "E0728",
        title: "a damaged safetensors file",
        text: "The file does not hold what its header says; it may have been cut short.",
    },
    Entry {
        code: "E0729",
        title: "a file of too many numbers",
        text: "A file may hold arrays of 2 GiB in all, as they lie in memory after unpacking: small integers take four bytes there. A \
               claim of an archive is refused before it is unpacked. `--max-unpacked SIZE` raises the limit.",
    },
    Entry {
        code: "E0730",
        title: "output that cannot be written",
        text: "Standard output could not be written, for instance because it goes to a file on a full disk.",
    },
    Entry {
        code: "E0731",
        title: "an unknown code",
        text: "`rnnc explain` without a code lists all of them.",
    },
    Entry {
        code: "E0732",
        title: "a bad `--set`",
        text: "`--set H=512` gives a static parameter or a dimension its value, `--set train.batch=64` a line of the `train` \
               block, each once.",
    },
    Entry {
        code: "E0733",
        title: "which model?",
        text: "A command that works on a model takes the only one of its file, or the one that `--model NAME` names.",
    },
    Entry {
        code: "E0734",
        title: "a folder that holds a run already",
        text: "`rnnc train --out DIR` begins anew and would overwrite the run in that folder. `--resume` goes on with it.",
    },
    Entry {
        code: "E0735",
        title: "no such run",
        text: "`rnnc train` writes a folder with checkpoint.safetensors, best.safetensors, run.json and report.html. Name it with \
               `--run DIR`; without it the latest of runs/NAME-1, runs/NAME-2, ... is taken.",
    },
    Entry {
        code: "E0736",
        title: "too many `--data`",
        text: "`--data` replaces the paths of the model's `data` block, in their order.",
    },
    Entry {
        code: "E0737",
        title: "a shape that is not known",
        text: "Dimensions come from the recipe, from `--set`, or from the shapes of the arrays that are given.",
    },
    Entry {
        code: "E0738",
        title: "lengths of sequences in a file",
        text: "`lengths` [batch] gives each example's steps, at most those of the arrays; without it every example has all of them. With \
               sequences of several lengths (`seq<n>`, `seq<m>`) they are called lengths_n and lengths_m.",
    },
    Entry {
        code: "E0739",
        title: "an array of a file that nothing reads",
        text: "A warning: the name belongs to no input, parameter, initial state or cotangent of this program.",
    },
    Entry {
        code: "E0740",
        title: "an evaluation that is refused",
        text: "The reference interpreter refuses arrays that do not fit the equations.",
    },
    Entry {
        code: "E0741",
        title: "an unknown target",
        text: "`host` is this computer; the named targets give the same text everywhere.",
    },
    Entry {
        code: "E0742",
        title: "an unknown item",
        text: "Cells, layers, models and functions are those of the files that are named, of what these import, and of the \
               standard library.",
    },
    Entry {
        code: "E0743",
        title: "a measurement that is not offered",
        text: "A stream is one example, a step a call: `--mode stream` without `--batch`.",
    },
    Entry {
        code: "E0744",
        title: "no stream",
        text: "A cell can run step by step, as its input arrives, if each step needs nothing that comes later: it reads no \
               input or state ahead (`x[t+1]`), reverses nothing, and neither sums over all steps nor reads their last one. \
               Its number of steps is not fixed, either.",
    },
    Entry {
        code: "E0746",
        title: "a batch of no examples",
        text: "The second extent of a sequence, and the first of a value per example, is the number of examples: at least 1.",
    },
    Entry {
        code: "E0747",
        title: "wrong lengths or trees in a file",
        text: "`lengths` (or `lengths_n` for `seq<n>`) has one whole number for each example, at most the number of steps of \
               the arrays; of a grid `[batch, axes]`. Of a tree it is the number of nodes, and `children` `[batch, nodes, \
               edges]` has the children of each node, numbered from 0, -1 where there is none: they come before their \
               parents, each node but the last has one parent, and nothing is below itself.",
    },
    Entry {
        code: "E0748",
        title: "no picture, no costs of this",
        text: "`rnnc show --stage schedule --picture fronts.svg` draws in which order the points of a recurrence are computed. \
               Other stages have no picture, and where nothing is carried all points are computed at once. \
               What a run costs (`--steps`, `--batch`) is told of a schedule too, and of no other stage.",
    },
    Entry {
        code: "E0760",
        title: "no place for a project",
        text: "`rnnc new my-cell` makes a folder with a cell `MyCell`; `--cell Name` calls the cell otherwise. A project is named with \
               letters, digits, `-` and `_`, a cell with letters, digits and `_`; what is there already stays, and a cell of \
               the standard library is hidden by none of yours unawares.",
    },
    Entry {
        code: "E0761",
        title: "a result that is NaN or infinite",
        text: "With `--sanitize` a run whose results are not finite is evaluated again, equation by equation. The message names the \
               first operation whose result is not finite although all that it read was: its equation, the step or point, \
               the entry of the batch, and the numbers there. NaN always counts; an infinity does unless it was written (`inf` in a \
               mask, the greatest of nothing, the start of a state), and neither does where no result depends on it. Padding \
               never counts.",
    },
    Entry {
        code: "E0790",
        title: "a recurrence that ONNX has no loop for",
        text: "ONNX's `Scan` goes along one axis of an array. Written are chains, also several in one another, and grids that can be \
               computed row by row or column by column. Trees are not, and no recurrence whose points follow each other along \
               diagonals alone.",
    },
    Entry {
        code: "E0791",
        title: "an operation that is not written as ONNX",
        text: "Random draws and gradients have no place in a model that computes results. Where examples have lengths, the points \
               of a grid cannot be numbered in one line; where a boundary differs from side to side, no corner can be read across.",
    },
    Entry {
        code: "E0792",
        title: "an ONNX model without its parameters",
        text: "An ONNX model holds its parameters, and what depends on them alone is computed when it is written. Each must be given \
               in the shape that the cell declares.",
    },
    Entry {
        code: "E0793",
        title: "an option of ONNX models, for arrays",
        text: "`--lengths` and `--states` of `rnnc export` say what an ONNX model has. A file of arrays has weights alone.",
    },
    Entry {
        code: "E0794",
        title: "a state that an ONNX operator keeps to itself",
        text: "An operator of ONNX with a memory beside its output hands the memory out behind the last step only. Where a cell's \
               equations are the operator's, `c` at every step is left out, and this note says so. `--states` writes it, by a `Scan` in \
               place of the operator.",
    },
    Entry {
        code: "E0795",
        title: "a part of an ONNX model that is not read",
        text: "Read are ONNX's recurrent operators, loops along one axis, and the layers around them: products with constant matrices, \
               functions of each element, sums of values, tables, softmax, layer normalisation, what moves axes about, and what is \
               reckoned with extents and lengths. The message names the node and \
               what about it is not understood; nothing is left out silently. The weights alone are read of any model \
               (`rnnc import model.onnx`).",
    },
    Entry {
        code: "E0796",
        title: "how a file is read, without a file",
        text: "`--layout`, `--map` and `--allow-nan` say how foreign weights become a model's parameters. `rnnc eval`, `generate` and `look` \
               take such weights with `--params`; the parameters of a training run have our own names already.",
    },
];
