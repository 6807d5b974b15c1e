//! E075, E076: Files of weights that other tools wrote.

use super::Entry;

pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E0750",
        title: "a PyTorch file that cannot be read",
        text: "Read are zip archives as `torch.save(model.state_dict(), path)` has written them since version 1.6: a pickle that says which \
               tensors there are, and their storages. A storage that is cut short, a tensor that reaches beyond its storage, or a pickle \
               that does more than describe tensors is refused, and nothing of the file is used.",
    },
    Entry {
        code: "E0751",
        title: "a Python object in a file of weights",
        text: "A pickle can call any function of Python when it is loaded. Here no code is executed: known are tensors, parameters, \
               dictionaries, lists and numbers. A whole module (`torch.save(model, path)`), an argument parser's result or \
               an array of numpy is none of these; store the `state_dict` alone.",
    },
    Entry {
        code: "E0752",
        title: "an ONNX file that cannot be read",
        text: "Of a graph the initialisers are read, with their numbers in the file itself. What a recurrent operator reads is called after the \
               operator: `NODE.W`, `NODE.R`, `NODE.B`, of the second direction `NODE.W_reverse`.",
    },
    Entry {
        code: "E0753",
        title: "JSON that holds no weights",
        text: "Read are three forms: `config` and one flat list `weights`, as Neural Amp Modeler writes recurrent models; `layers` with `weights` \
               each, as RTNeural does; and lists of numbers under names, such as a `state_dict` written out. The sizes must come out even: \
               a list that is too long or too short is of another architecture.",
    },
    Entry {
        code: "E0754",
        title: "weights that are not finite",
        text: "A single NaN makes every result NaN, and an infinity most of them. Such weights are written by a training that failed. With \
               `--allow-nan` they are taken as they are.",
    },
    Entry {
        code: "E0755",
        title: "an unknown kind of file of weights",
        text: "The kind is told by the first bytes of a file, not by its name. Read are safetensors, npz, PyTorch's `state_dict`, ONNX, \
               and the JSON of amplifier models. A Keras model is exported to ONNX first.",
    },
    Entry {
        code: "E0756",
        title: "no such layout, no such instance",
        text: "`--layout NAME` wants a layout of that name for the cell itself or for a cell inside it; `--map 'OURS = THEIRS by NAME'` names \
               an instance by its path as parameters have it: of `enc.l1.W_f` it is `enc.l1`. A program of one cell has an empty \
               path: `--map '=THEIRS'`.",
    },
    Entry {
        code: "E0757",
        title: "a layout that does not fit",
        text: "A layout determines every parameter of a cell once and no others, for the options for which it is written, and each \
               element of the file's arrays belongs to one of its lines. What does not come out even is refused, because it would \
               be another function.",
    },
    Entry {
        code: "E0758",
        title: "sizes that follow from nothing",
        text: "An open dimension (`_`) gets its number from the shapes of the file, where an extent is that dimension or a multiple of it.",
    },
    Entry {
        code: "E0759",
        title: "an element that should be zero",
        text: "A line of a layout may say that a part of a foreign array is zero, because the cell has nothing in its place. A file with \
               another number there computes what this cell cannot.",
    },
    Entry {
        code: "E0762",
        title: "a parameter in two files",
        text: "With `--params` parameters come from one file and inputs from the other; an array in both would leave open which counts.",
    },
    Entry {
        code: "E0763",
        title: "an unknown kind of output",
        text: "The ending of the file that is to be written says of which kind it is: `.safetensors` or `.npz`.",
    },
    Entry {
        code: "E0764",
        title: "what a file says beside its weights",
        text: "Some files of weights hold what no array can, such as the activation behind a layer. Nothing is done about it: the \
               program must say the same.",
    },
];
