//! The standard library's cells against PyTorch, ONNX Runtime and published packages: outputs, last states, and gradients.
//!
//! The values and their layouts are described in `golden/README.md`. Tolerance 1e-5: both sides start from the same
//! f32 numbers, sums have at most some forty terms of size 1, so rounding stays below 1e-6 a step, and six steps of
//! slopes below 1 do not magnify it; ONNX Runtime's own tanh and sigmoid are right to 1e-6.

use ndarray::{ArrayD, Axis, Slice};
use rnnc::eqn::DomainKind;
use rnnc::eqn::build::{self, Options};
use rnnc::eqn::eval::Batch;
use rnnc::eqn::tree::Tree;
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::resolve::Library;
use rnnc::runtime::{Executable, run_batch};
use rnnc::source::{Loader, Sources};
use rnnc::weights::npz;
use rnnc::{grad, resolve, syntax};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

const TOLERANCE: f64 = 1e-5;

struct NoFiles;

impl Loader for NoFiles {
    fn load(&self, path: &str) -> Result<String, String> {
        Err(format!("no file {path}"))
    }
}

static STDLIB: LazyLock<(Library, Mutex<Sources>)> = LazyLock::new(|| {
    let mut sources = Sources::default();
    let (library, said) = resolve::load(&mut sources, &NoFiles, &[]);
    assert!(said.iter().all(|d| !d.is_error()), "{said:?}");
    (library, Mutex::new(sources))
});

type Named = BTreeMap<String, ArrayD<f64>>;

/// The arrays of a golden file.
fn golden(name: &str) -> Named {
    let path = format!("{}/tests/golden/{name}.npz", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect("golden file");
    let arrays = npz::read(&path, &bytes).expect("an npz file");
    arrays.iter().map(|(name, a)| (name.clone(), a.to_ndarray().expect("a whole array"))).collect()
}

/// Rows `block * size..` of a stack of blocks of equal size along the first axis.
fn block(a: &ArrayD<f64>, blocks: usize, block: usize) -> ArrayD<f64> {
    let size = a.shape()[0] / blocks;
    let rows = Slice::from(block * size..(block + 1) * size);
    a.slice_axis(Axis(0), rows).to_owned()
}

fn first(a: &ArrayD<f64>) -> ArrayD<f64> {
    a.index_axis(Axis(0), 0).to_owned()
}

/// What one foreign file says in our names.
#[derive(Default)]
struct Translated {
    /// Inputs, parameters, initial states, cotangents.
    given: Named,
    /// Outputs, last states, gradients.
    expected: Named,
    size: usize,
    /// Of each example; none where all arrays are full.
    lengths: Vec<usize>,
    trees: Vec<Tree>,
}

impl Translated {
    fn new(file: &Named) -> Translated {
        let lengths: Vec<usize> = file["lengths"].iter().map(|n| *n as usize).collect();
        Translated { size: lengths.len(), lengths, ..Translated::default() }
    }

    /// An array of which the file also holds the gradient, if it is there.
    fn source(&mut self, ours: &str, pick: impl Fn(&str) -> Option<ArrayD<f64>>) {
        if let Some(value) = pick("") {
            let gradient = pick("_grad").expect("a gradient for every given array");
            self.given.insert(ours.to_string(), value);
            self.expected.insert(format!("{ours}_adj"), gradient);
        }
    }

    /// A result with the cotangent that was sent to it.
    fn result(&mut self, ours: &str, value: ArrayD<f64>, cotangent: ArrayD<f64>) {
        self.expected.insert(ours.to_string(), value);
        self.given.insert(format!("{ours}_adj"), cotangent);
    }

    /// The recipe with its adjoint beside it.
    fn compile(&self, name: &str, recipe: &str) -> Arc<Executable> {
        let (library, sources) = &*STDLIB;
        let recipe = {
            let mut sources = sources.lock().expect("no test panics with it");
            let file = sources.add("<recipe>", recipe);
            syntax::parse_recipe(&sources, file).expect("a recipe")
        };
        let (graph, said) = build::build(library, &recipe, &Options::default());
        let graph = graph.unwrap_or_else(|| panic!("{name}: {said:?}"));
        // What a recipe leaves open is the number of inputs.
        let inputs = || self.given["x"].shape()[2] as i64;
        let dims = graph.dims().into_iter().map(|d| (d, inputs())).collect();
        let options = CompileOptions { grad: Some(grad::Options::default()), ..CompileOptions::default() };
        compile(&graph, &dims, &options).unwrap_or_else(|e| panic!("{name}: {e:?}"))
    }

    fn run(&self, exe: &Arc<Executable>) -> Named {
        let mut batch = Batch { size: self.size, arrays: self.given.clone(), ..Batch::default() };
        if !self.lengths.is_empty() {
            batch.lengths.insert("n".into(), self.lengths.clone());
        }
        for domain in &exe.program().domains {
            if let DomainKind::Tree { .. } = domain.kind {
                batch.trees.insert(domain.extent.to_string(), self.trees.clone());
            }
        }
        run_batch(exe, &batch).unwrap_or_else(|e| panic!("{e:?}"))
    }

    fn check(&self, name: &str, recipe: &str) {
        let results = self.run(&self.compile(name, recipe));
        for (array, expected) in &self.expected {
            let got = results.get(array).unwrap_or_else(|| panic!("{name}: no `{array}`"));
            assert_eq!(got.shape(), expected.shape(), "{name}: shape of `{array}`");
            let far = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(far <= TOLERANCE, "{name}: `{array}` differs by {far}\n{got}\n{expected}");
        }
        // A comparison of zeros would prove nothing.
        assert!(self.expected.values().all(|a| a.iter().any(|x| x.abs() > 1e-3)), "{name}");
    }
}

/// How PyTorch stacks the gates of a cell, in our letters.
struct Torch {
    kind: &'static str,
    recipe: &'static str,
    states: &'static [&'static str],
    /// Suffixes of W, U and b, in PyTorch's order of rows.
    gates: &'static [&'static str],
    /// A gate whose two biases stay apart: ours for the recurrent one.
    apart: Option<(&'static str, &'static str)>,
}

const TORCH: &[Torch] = &[
    Torch {
        kind: "lstm",
        recipe: "LSTM(_, 5)",
        states: &["h", "c"],
        gates: &["_i", "_f", "_r", "_o"],
        apart: None,
    },
    Torch {
        kind: "gru",
        recipe: "GRU(_, 5, reset = after, update = keep)",
        states: &["h"],
        gates: &["_r", "_z", "_h"],
        apart: Some(("_h", "c_h")),
    },
    Torch { kind: "rnn_tanh", recipe: "RNN(_, 5, tanh)", states: &["h"], gates: &[""], apart: None },
    Torch { kind: "rnn_relu", recipe: "RNN(_, 5, relu)", states: &["h"], gates: &[""], apart: None },
];

impl Torch {
    fn check(&self, variant: &str, layers: usize) {
        let (all, name) = self.translate(variant, layers);
        let recipe =
            if layers == 1 { self.recipe.to_string() } else { format!("Stack({layers}, {})", self.recipe) };
        all.check(&name, &recipe);
    }

    fn translate(&self, variant: &str, layers: usize) -> (Translated, String) {
        let name = format!("torch_{}{variant}", self.kind);
        let file = golden(&name);
        let mut all = Translated::new(&file);
        let get = |name: &str| file.get(name).cloned();
        all.source("x", |grad| get(&format!("input{grad}")));
        for layer in 0..layers {
            let path = if layers == 1 { String::new() } else { format!("l{}.", layer + 1) };
            for (k, gate) in self.gates.iter().enumerate() {
                let part = |array: &str, grad: &str| {
                    block(&file[&format!("{array}_l{layer}{grad}")], self.gates.len(), k)
                };
                all.source(&format!("{path}W{gate}"), |grad| Some(part("weight_ih", grad)));
                all.source(&format!("{path}U{gate}"), |grad| Some(part("weight_hh", grad)));
                match self.apart {
                    Some((apart, recurrent)) if apart == *gate => {
                        all.source(&format!("{path}b{gate}"), |grad| Some(part("bias_ih", grad)));
                        all.source(&format!("{path}{recurrent}"), |grad| Some(part("bias_hh", grad)));
                    }
                    _ => all.source(&format!("{path}b{gate}"), |grad| {
                        let (a, b) = (part("bias_ih", grad), part("bias_hh", grad));
                        // Each of the two summands has the whole sum's gradient.
                        Some(if grad.is_empty() { a + b } else { a })
                    }),
                }
            }
            for state in self.states {
                let of_layer = |name: &str| get(name).map(|a| a.index_axis(Axis(0), layer).to_owned());
                all.source(&format!("{path}{state}0"), |grad| of_layer(&format!("{state}0{grad}")));
                let last = |grad: &str| of_layer(&format!("{state}_n{grad}")).expect("last states");
                all.result(&format!("{path}{state}_last"), last(""), last("_grad"));
            }
        }
        let top = if layers == 1 { "h".to_string() } else { format!("l{layers}.h") };
        all.result(&top, file["output"].clone(), file["output_grad"].clone());
        (all, name)
    }
}

#[test]
fn one_layer_is_pytorchs() {
    TORCH.iter().for_each(|cell| cell.check("", 1));
}

#[test]
fn given_initial_states_are_pytorchs() {
    TORCH.iter().for_each(|cell| cell.check("_start", 1));
}

#[test]
fn packed_sequences_of_unequal_lengths_are_pytorchs() {
    TORCH.iter().for_each(|cell| cell.check("_ragged", 1));
}

#[test]
fn two_layers_of_unequal_lengths_are_pytorchs() {
    TORCH.iter().for_each(|cell| cell.check("_two_layers", 2));
}

/// ONNX: gates i, o, f, c; peepholes i, o, f; one axis for directions.
fn check_onnx(name: &str) {
    let file = golden(name);
    let mut all = Translated::new(&file);
    let get = |name: &str| file.get(name).cloned();
    all.source("x", |grad| get(&format!("X{grad}")));
    for (k, gate) in ["i", "o", "f", "r"].into_iter().enumerate() {
        let part = |array: &str, blocks: usize, k: usize, grad: &str| {
            block(&first(&file[&format!("{array}{grad}")]), blocks, k)
        };
        all.source(&format!("W_{gate}"), |grad| Some(part("W", 4, k, grad)));
        all.source(&format!("U_{gate}"), |grad| Some(part("R", 4, k, grad)));
        all.source(&format!("b_{gate}"), |grad| {
            let (a, b) = (part("B", 8, k, grad), part("B", 8, 4 + k, grad));
            Some(if grad.is_empty() { a + b } else { a })
        });
        if gate != "r" {
            all.source(&format!("p_{gate}"), |grad| Some(part("P", 3, k, grad)));
        }
    }
    for state in ["h", "c"] {
        all.source(&format!("{state}0"), |grad| get(&format!("initial_{state}{grad}")).map(|a| first(&a)));
        let last = |grad: &str| first(&file[&format!("Y_{state}{grad}")]);
        all.result(&format!("{state}_last"), last(""), last("_grad"));
    }
    let steps = |a: &ArrayD<f64>| a.index_axis(Axis(1), 0).to_owned();
    all.result("h", steps(&file["Y"]), steps(&file["Y_grad"]));
    all.check(name, "PeepholeLSTM(_, 5)");
}

#[test]
fn peepholes_are_onnx_runtimes() {
    check_onnx("onnx_peephole");
}

#[test]
fn peepholes_of_unequal_lengths_are_onnx_runtimes() {
    check_onnx("onnx_peephole_ragged");
}

/// Cells whose file has our names, and what they put out.
const CELLS: &[(&str, &str, &str)] = &[
    ("cfc", "CfC(4, 5, 6)", "h"),
    ("ltc", "LTC(4, 5, L = 4)", "v"),
    ("minGRU", "MinGRU(5, 5, positive = true)", "h"),
    ("minLSTM", "MinLSTM(5, 5, positive = true)", "h"),
    ("xlstm_s", "XLSTMS(4, 5)", "h"),
    ("xlstm_m", "XLSTMM(4, 5)", "h"),
    ("gru_before", "GRU(4, 5, update = keep)", "h"),
    ("convlstm", "ConvLSTM(4, 5)", "h"),
    ("layernorm", "LayerNormLSTM(4, 5)", "h"),
    ("qrnn", "QRNN(4, 5, K = 3)", "h"),
    ("mdlstm", "MDLSTM(4, 5, D = 2, peephole = true)", "h"),
    ("gridlstm", "GridLSTM(4, 5, 2, D = 1)", "y"),
    ("matchlstm", "MatchLSTM(4, 5)", "h"),
    ("treelstm", "TreeLSTM(4, 5)", "h"),
    ("nary", "NaryTreeLSTM(4, 5, K = 2)", "h"),
    ("slstm", "SLSTM(4, 5)", "h"),
    ("indrnn", "IndRNN(4, 5)", "h"),
    ("janet", "JANET(4, 5)", "h"),
    ("mgu", "MGU(4, 5)", "h"),
    ("ugrnn", "UGRNN(4, 5)", "h"),
    ("ran", "RAN(4, 5)", "h"),
    ("lstm1997", "LSTM1997(4, 5)", "h"),
    ("antisymmetric", "AntisymmetricRNN(4, 5)", "h"),
    ("antisymmetric_gated", "AntisymmetricRNN(4, 5, gated = true)", "h"),
    ("mult_lstm", "MultLSTM(4, 5)", "h"),
    ("rhn", "RHN(4, 5)", "h"),
    ("rhn_coupled", "RHN(4, 5, coupled = true)", "h"),
    ("sru", "SRU(5)", "h"),
    ("sru_first", "SRU(5, first = true)", "h"),
    ("layernorm_haste", "LayerNormLSTM(4, 5)", "h"),
    ("zoneout", "ZoneoutLSTM(4, 5, p_h = 0.25, p_c = 0)", "h"),
    ("treelstm_published", "TreeLSTM(4, 5)", "h"),
    ("phased", "PhasedLSTM(4, 5, r = 0.5)", "h"),
    ("ftlstm", "FTLSTM(7, 3, 1, 2, 5)", "T"),
    ("tflstm", "TFLSTM(4, 5)", "h"),
    ("mdrnn", "MDRNN(4, 5, D = 2)", "h"),
    ("drnn", "DRNN(4, 5, N = 2)", "h"),
    ("clockwork", "Clockwork(4, 5, 2)", "h"),
    ("birnn", "Bi(RNN(4, 5))", "out"),
    ("bilstm", "Bi(LSTM(4, 5))", "out"),
    ("bigru", "Bi(GRU(4, 5, reset = after, update = keep))", "out"),
    ("cifg", "CIFGGreff(4, 5)", "h"),
];

/// Of each example: nodes with their edges, −1 for no child; −2 behind the last node.
fn trees(edges: &ArrayD<f64>, keep_absent: bool) -> Vec<Tree> {
    let tree = |of: ndarray::ArrayViewD<f64>| {
        let nodes: Vec<Vec<i64>> = of
            .outer_iter()
            .map(|node| node.iter().map(|e| *e as i64).collect::<Vec<_>>())
            .filter(|node| node[0] != -2)
            .map(|node| node.into_iter().filter(|e| keep_absent || *e >= 0).collect())
            .collect();
        Tree::new(nodes.iter().map(Vec::as_slice)).expect("a tree")
    };
    edges.outer_iter().map(tree).collect()
}

#[test]
fn further_cells_are_as_published() {
    for (name, recipe, output) in CELLS {
        let name = format!("cell_{name}");
        let file = golden(&name);
        let mut all = Translated { size: 3, ..Translated::default() };
        let of_examples = |key: &str| key == "edges" || key == "lengths";
        all.lengths = file.get("lengths").iter().flat_map(|n| n.iter().map(|n| *n as usize)).collect();
        for (key, value) in file.iter().filter(|(key, _)| !of_examples(key) && !key.ends_with("_grad")) {
            let Some(gradient) = file.get(&format!("{key}_grad")) else {
                all.given.insert(key.clone(), value.clone());
                continue;
            };
            if key == output {
                all.result(key, value.clone(), gradient.clone());
            } else {
                all.source(key, |grad| Some(if grad.is_empty() { value.clone() } else { gradient.clone() }));
            }
        }
        if let Some(edges) = file.get("edges") {
            // With children of a free number there is no place for one that is absent.
            all.trees = trees(edges, *recipe != "TreeLSTM(4, 5)");
        }
        all.check(&name, recipe);
    }
}

/// How many examples there are, their lengths, and what pads them change no bit of an example's results.
#[test]
fn an_example_alone_has_the_same_bits_as_in_a_batch() {
    for cell in TORCH {
        let (all, _) = cell.translate("_ragged", 1);
        let exe = all.compile("batch", cell.recipe);
        let together = all.run(&exe);
        for (b, length) in all.lengths.iter().enumerate() {
            // Arrays over points have an axis for them before that of examples.
            let alone = |name: &str, a: &ArrayD<f64>| match (name.trim_end_matches("_adj"), a.ndim()) {
                ("x" | "h" | "c", 3) => a
                    .slice_axis(Axis(0), Slice::from(..*length))
                    .slice_axis(Axis(1), Slice::from(b..=b))
                    .to_owned(),
                (n, 2) if n.ends_with('0') || n.ends_with("_last") => {
                    a.slice_axis(Axis(0), Slice::from(b..=b)).to_owned()
                }
                _ => a.clone(),
            };
            let given = all.given.iter().map(|(name, a)| (name.clone(), alone(name, a))).collect();
            let one = Translated { given, size: 1, lengths: vec![*length], ..Translated::default() };
            for (name, a) in one.run(&exe) {
                // Gradients of parameters are sums over examples.
                if !["W", "U", "b", "c_h"].iter().any(|p| name.starts_with(p)) {
                    assert_eq!(a, alone(&name, &together[&name]), "{}: `{name}` of example {b}", cell.kind);
                }
            }
        }
    }
}
