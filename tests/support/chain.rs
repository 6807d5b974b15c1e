//! Chain cells of the standard library with made-up numbers.

use rnnc::eqn::build::{Options, build};
use rnnc::eqn::{Graph, Ty};
use rnnc::loops::Program;
use rnnc::resolve::load;
use rnnc::runtime::Workspace;
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;

/// Cells whose steps need only the steps before them.
pub const CELLS: [&str; 41] = [
    "RAN(5, 7)",
    "AntisymmetricRNN(5, 7)",
    "AntisymmetricRNN(5, 7, gated = true)",
    "Clockwork(5, 6, 3)",
    "PhasedLSTM(5, 7)",
    "CfC(5, 7)",
    "LTC(5, 7)",
    "DRNN(5, 7)",
    "GRU(5, 7)",
    "GRU(5, 7, reset = after)",
    "GRU(5, 7, update = keep)",
    "GRUDeck(5, 7)",
    "IndRNN(5, 7)",
    "JANET(5, 7)",
    "LayerNormLSTM(5, 7)",
    "LSTM(5, 7)",
    "LSTM(70, 90)",
    "LSTM(1, 8)",
    "CIFG(5, 7)",
    "CIFGGreff(5, 7)",
    "LSTM1997(5, 7)",
    "LSTMNIAF(5, 7)",
    "LSTMNOAF(5, 7)",
    "MGU(5, 7)",
    "MinGRU(5, 7)",
    "MinLSTM(5, 7)",
    "MRNN(5, 7)",
    "MultLSTM(5, 7)",
    "MultLSTM(300, 40)",
    "PeepholeLSTM(5, 7)",
    "PeepholeLSTM(5, 7, peephole = full)",
    "FGRLSTM(5, 7)",
    "QRNN(5, 7)",
    "RNN(5, 7)",
    "IRNN(5, 7)",
    "SRU(7)",
    "UGRNN(5, 7)",
    "XLSTMSPlain(5, 7)",
    "XLSTMMPlain(5, 7)",
    "ZoneoutLSTM(5, 7)",
    "Stack(2, GRU(_, 7))",
];

/// Products of all kinds of sizes: parts of vectors and panels, many panels, several blocks of the contracted axis.
pub const SIZES: [&str; 14] = [
    "RNN(1, 1)",
    "RNN(3, 17)",
    "RNN(17, 65)",
    "RNN(64, 64)",
    "RNN(257, 16)",
    "RNN(600, 3)",
    "RNN(16, 130)",
    "RNN(2, 300)",
    "GRU(20, 32)",
    "LSTM(33, 16)",
    "LSTM(20, 20)",
    "GRU(48, 48)",
    "LSTM(3, 64)",
    "MultLSTM(80, 80)",
];

struct NoFiles;

impl Loader for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Err("no file".into())
    }
}

/// A cell with open dimensions bound to 5.
pub fn graph(recipe: &str) -> Graph {
    let mut sources = Sources::default();
    let (library, _) = load(&mut sources, &NoFiles, &[]);
    let id = sources.add("recipe", recipe);
    let parsed = parse_recipe(&sources, id).unwrap();
    let (graph, diagnostics) = build(&library, &parsed, &Options::default());
    let graph = graph.unwrap_or_else(|| panic!("{recipe}: {diagnostics:#?}"));
    let open = graph.dims().iter().map(|name| (name.to_string(), 5)).collect::<BTreeMap<_, _>>();
    let bindings = open.iter().map(|(name, n)| (name.as_str().into(), *n)).collect();
    graph.bind(&bindings).unwrap_or_else(|e| panic!("{recipe}: {e:#?}"))
}

pub fn number(name: &str, i: usize, scale: f32) -> f32 {
    let seed = name.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    let mixed = (i as u32 ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    ((mixed >> 8) as f32 / (1 << 24) as f32 - 0.5) * scale
}

/// Fills in what is missing; arrays over steps only if `over_steps`. An array of `[T, B, ..]` has the same numbers in
/// each example.
pub fn give(ws: &mut Workspace, graph: &Graph, program: &Program, over_steps: bool) {
    for input in &program.inputs {
        let shape = ws.input_shape(&input.name).unwrap();
        let is_stepwise =
            matches!(program.buffers[input.at.buffer.index()].place, rnnc::loops::Place::Over { .. });
        if is_stepwise && !over_steps {
            continue;
        }
        let is_shared = program.buffers[input.at.buffer.index()].place == rnnc::loops::Place::Shared;
        let width: usize = input.shape.iter().product();
        let count: usize = shape.iter().product();
        let batch = if is_shared { 1 } else { ws.batch() };
        let source = graph.sources.iter().find(|s| s.name == input.name);
        let is_bool = source.is_some_and(|s| s.ty == Ty::Bool);
        let scale = if is_shared { 0.9 } else { 2.0 };
        let of = |i: usize| {
            let place = i / (width * batch) * width + i % width;
            let x = number(&input.name, place, scale);
            if is_bool { f32::from(x > 0.0) } else { x }
        };
        let values: Vec<f32> = (0..count).map(of).collect();
        ws.set_input(&input.name, &values).unwrap();
    }
}
