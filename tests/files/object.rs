//! Object files: they need nothing, and C programs around them give the numbers of a run in this process.

use crate::support::chain::graph;
use crate::support::object::*;
use cranelift_object::object::read::{
    File, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget,
};
use rnnc::eqn::Graph;
use rnnc::object::{Platform, undefined};
use rnnc::pipeline::objects::Functions;
use std::collections::BTreeMap;

/// Cells with a lag of more than one step, with several layers, with products in a row, with numbers of steps, with sums over
/// units, with states that need no step before; sizes that fill no vector and several panels.
const CELLS: [&str; 10] = [
    "GRU(5, 7)",
    "LSTM(1, 8)",
    "LSTM(70, 90)",
    "MultLSTM(300, 40)",
    "Clockwork(5, 6, 3)",
    "LayerNormLSTM(5, 7)",
    "Stack(2, GRU(_, 7))",
    "DRNN(5, 7)",
    "SRU(7)",
    "PhasedLSTM(5, 7)",
];

/// Which cannot run step by step.
const WHOLE: [&str; 1] = ["Bi(LSTM(5, 7))"];

fn whole() -> Functions {
    Functions { step: false, ..ALL }
}

fn all() -> impl Iterator<Item = (Graph, Functions)> {
    let step = CELLS.iter().map(|recipe| (graph(recipe), ALL));
    step.chain(WHOLE.iter().map(|recipe| (graph(recipe), whole())))
}

#[test]
fn a_c_program_gives_the_numbers_of_a_run() {
    if !HOST.are_here() {
        return;
    }
    for (graph, functions) in all() {
        let object = made(&graph, functions, HOST.target, None);
        compare(&graph, &object, HOST, 13, false);
    }
}

#[test]
fn weights_can_be_in_the_object() {
    if !HOST.are_here() {
        return;
    }
    for recipe in ["GRU(5, 7)", "LSTM(70, 90)", "Stack(2, GRU(_, 7))"] {
        let graph = graph(recipe);
        let params = Reference::new(&graph, 1, false).params();
        let object = made(&graph, ALL, HOST.target, Some(&params));
        compare(&graph, &object, HOST, 13, true);
    }
}

#[test]
fn a_sequence_may_be_empty_or_of_one_step() {
    if !HOST.are_here() {
        return;
    }
    for recipe in ["GRU(5, 7)", "Bi(LSTM(5, 7))"] {
        let graph = graph(recipe);
        let object = made(&graph, whole(), HOST.target, None);
        for steps in [0, 1] {
            compare(&graph, &object, HOST, steps, false);
        }
    }
}

#[test]
fn other_machines_give_the_same_numbers() {
    for tools in [AARCH64, RISCV64] {
        if !tools.are_here() {
            continue;
        }
        for (graph, functions) in all() {
            let object = made(&graph, functions, tools.target, None);
            compare(&graph, &object, tools, 9, false);
        }
    }
}

#[test]
fn a_stream_of_100000_steps_is_the_whole_sequence() {
    if !HOST.are_here() {
        return;
    }
    let graph = graph("GRU(1, 8)");
    let object = made(&graph, Functions { step: true, run: true, grad: false }, HOST.target, None);
    compare(&graph, &object, HOST, 100_000, false);
}

const FUNCTIONS: &str = "
cell Functions {
  in x : []
  in y : []
  out s = sin(x)
  out c = cos(x)
  out e = erf(x)
  out f = floor(x)
  out p = x^y
}
";

/// Numbers of all sizes and both signs, and those that are special.
fn numbers(step: u32) -> Vec<f32> {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        -2.0,
        3.0,
        -3.0,
        1e9,
        16_777_216.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    let spread = (0..498u32)
        .map(|i| f32::from_bits((0x3000_0000 + i * step * 631_013 % 0x2000_0000) | ((i & 1) << 31)));
    let small = (0..512u32).map(|i| (i * step % 4096) as f32 / 256.0 - 8.0);
    special.into_iter().chain(spread).chain(small).collect()
}

/// Against the functions of a mathematics library.
#[test]
fn functions_are_right_to_the_last_digits() {
    let graph = from_text(FUNCTIONS, "Functions");
    let inputs = BTreeMap::from([("x", numbers(1)), ("y", numbers(3))]);
    let steps = inputs["x"].len();
    let plain = Reference::with(&graph, steps, false, &inputs);
    for tools in [HOST, AARCH64, RISCV64] {
        if !tools.are_here() {
            continue;
        }
        let object = made(&graph, Functions { step: true, run: true, grad: false }, tools.target, None);
        for (what, found, wanted) in pairs(&object, tools, &plain, &plain, "functions") {
            for (k, (x, y)) in found.iter().zip(&wanted).enumerate() {
                let near = (x - y).abs() <= 2.5e-7 * y.abs().max(1e-37) || x.is_nan() && y.is_nan() || x == y;
                let of = (inputs["x"][k], inputs["y"][k]);
                assert!(near, "{}: {what} of {of:?} is {x}, not {y}", tools.target);
            }
        }
    }
}

/// What an object's code refers to is in it, for all machines.
#[test]
fn objects_need_nothing() {
    for target in Platform::names() {
        for (graph, functions) in all() {
            let object = made(&graph, functions, target, None);
            assert_eq!(undefined(&object.bytes).unwrap(), [""; 0], "{} for {target}", graph.name);
            let file = File::parse(&*object.bytes).unwrap();
            let exported = file.symbols().filter(|s| s.is_global() && s.is_definition()).count();
            assert!(exported >= 3, "{} for {target} exports {exported}", graph.name);
            for section in file.sections() {
                for (at, relocation) in section.relocations() {
                    let is_own = match relocation.target() {
                        RelocationTarget::Symbol(symbol) => {
                            file.symbol_by_index(symbol).unwrap().section_index().is_some()
                        }
                        RelocationTarget::Section(_) => true,
                        _ => false,
                    };
                    assert!(is_own, "{} for {target}: {at:#x} of {:?}", graph.name, section.name());
                }
            }
        }
    }
}
