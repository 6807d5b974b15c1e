//! Products inside kernels: the same bits as products beside them, for every chain cell and its gradient.

use crate::support::chain;

use crate::support::chain::{CELLS, SIZES, give, graph};
use rnnc::eqn::Graph;
use rnnc::eqn::eval::{Batch, eval};
use rnnc::loops::{Effect, Place, Program, Stage};
use rnnc::pipeline::{CompileOptions, compile, program};
use rnnc::runtime::{Executable, Workspace};
use rnnc::schedule::Expected;
use rnnc::schedule::cost::Sizes;
use rnnc::{codegen::How, grad};
use std::collections::BTreeMap;

fn made(graph: &Graph, expected: Expected) -> Program {
    let options = CompileOptions { expected, ..CompileOptions::default() };
    program(graph, &BTreeMap::new(), &options).unwrap()
}

const ONE: Expected = Expected::Sizes(Sizes { batch: 1, steps: 10 });

/// All outputs, as bits.
fn run(exe: &std::sync::Arc<Executable>, graph: &Graph, lengths: &[usize]) -> Vec<(String, Vec<u32>)> {
    let mut ws = Workspace::new(exe).unwrap();
    let all = graph.domains.iter().filter(|d| matches!(d.kind, rnnc::eqn::DomainKind::Chain { fixed: None }));
    let lengths = all.map(|d| (d.extent.to_string(), lengths.to_vec())).collect();
    ws.resize(lengths_of(&lengths), &lengths).unwrap();
    give(&mut ws, graph, exe.program(), true);
    ws.run().unwrap();
    let outputs = exe.program().outputs.iter();
    let bits = |x: &f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
    outputs.map(|o| (o.name.to_string(), ws.output(&o.name).unwrap().iter().map(bits).collect())).collect()
}

fn lengths_of(lengths: &BTreeMap<String, Vec<usize>>) -> usize {
    lengths.values().next().map_or(1, Vec::len)
}

fn has_product_within(program: &Program) -> bool {
    let is_contraction = |effect: &Effect| matches!(effect, Effect::Contract { .. });
    program.kernels.iter().any(|k| k.nests.iter().any(|n| n.effects.iter().any(is_contraction)))
}

fn check(graph: &Graph, recipe: &str) {
    let (apart, joined) = (made(graph, Expected::Batches), made(graph, ONE));
    assert_eq!(rnnc::loops::verify::verify(&joined), Ok(()), "{recipe}");
    for narrow in [false, true] {
        let how = How { narrow, ..How::default() };
        let [apart, joined] = [&apart, &joined].map(|p| Executable::compiled_as(p.clone(), how).unwrap());
        for lengths in [&[9][..], &[0], &[3, 3], &[4, 0, 2, 1]] {
            let (expected, found) = (run(&apart, graph, lengths), run(&joined, graph, lengths));
            for ((name, expected), (_, found)) in expected.iter().zip(&found) {
                let place = (0..expected.len()).find(|i| expected[*i] != found[*i]);
                if let Some(i) = place {
                    let [e, f] = [expected[i], found[i]].map(f32::from_bits);
                    panic!("{recipe}, lengths {lengths:?}, narrow {narrow}: {name}[{i}] is {f:e}, not {e:e}");
                }
            }
        }
    }
}

#[test]
fn every_chain_cell_and_its_gradient_keep_their_bits() {
    for recipe in CELLS.into_iter().chain(SIZES) {
        let graph = graph(recipe);
        check(&graph, recipe);
        let joint = grad::differentiate(&graph, &grad::Options::default()).unwrap();
        check(&joint, recipe);
    }
    let joined = made(&graph("GRU(5, 7)"), ONE);
    assert!(has_product_within(&joined));
}

/// A loop is one kernel, and what lives within a step has memory for one row.
#[test]
fn a_step_is_one_kernel() {
    let joined = made(&graph("GRU(5, 7)"), ONE);
    let body =
        joined.stages.iter().find_map(|s| if let Stage::Loop { body, .. } = s { Some(body) } else { None });
    assert!(matches!(body.unwrap()[..], [Stage::Map { .. }]), "{:?}", body.unwrap());
    assert_eq!(joined.kernels.len(), 1);
    assert!(
        joined
            .buffers
            .iter()
            .all(|b| b.place != Place::Example || b.name.ends_with('0') || b.name.starts_with('v'))
    );
    assert!(!has_product_within(&made(&graph("GRU(5, 7)"), Expected::Sizes(Sizes { batch: 32, steps: 10 }))));
    insta::assert_snapshot!(rnnc::loops::print::print(&made(&graph("RNN(2, 3)"), ONE)));
}

/// The kernel interpreter runs them like the reference interpreter.
#[test]
fn interpreted_too() {
    for recipe in ["GRU(5, 7)", "LSTM(70, 90)", "MultLSTM(300, 4)", "SRU(7)"] {
        let graph = graph(recipe);
        let joint = grad::differentiate(&graph, &grad::Options::default()).unwrap();
        let joint = joint.bind(&BTreeMap::new()).unwrap();
        let options = CompileOptions { expected: ONE, interpret: true, ..CompileOptions::default() };
        let exe = compile(&joint, &BTreeMap::new(), &options).unwrap();
        let mut ws = Workspace::new(&exe).unwrap();
        let extent = joint.domains[0].extent.to_string();
        ws.resize(2, &BTreeMap::from([(extent.clone(), vec![3, 2])])).unwrap();
        give(&mut ws, &joint, exe.program(), true);
        let mut batch = Batch { size: 2, ..Batch::default() };
        batch.lengths.insert(extent, vec![3, 2]);
        for input in &exe.program().inputs {
            let shape = ws.input_shape(&input.name).unwrap();
            let is_shared = exe.program().buffers[input.at.buffer.index()].place == Place::Shared;
            let (width, rows) = (input.shape.iter().product::<usize>(), if is_shared { 1 } else { 2 });
            let value = |i: usize| {
                let scale = if is_shared { 0.9 } else { 2.0 };
                f64::from(chain::number(&input.name, i / (width * rows) * width + i % width, scale))
            };
            let all = (0..shape.iter().product()).map(value).collect();
            let array = ndarray::ArrayD::from_shape_vec(ndarray::IxDyn(&shape), all).unwrap();
            batch.arrays.insert(input.name.to_string(), array);
        }
        ws.run().unwrap();
        for (name, expected) in eval(&joint, &batch).unwrap() {
            let found = ws.output(&name).unwrap();
            let size = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
            for (f, e) in found.iter().zip(&expected) {
                assert!((f64::from(*f) - e).abs() <= 2e-5 * size, "{recipe}: {name} is {f}, not {e}");
            }
        }
    }
}

/// What is told of a schedule is what its program does: a stream lifts nothing.
#[test]
fn products_are_lifted_over_whole_sequences_only() {
    let graph = rnnc::simplify::simplify(&graph("LSTM(8, 8)"));
    let told = |expected| rnnc::schedule::explain(&graph, &made(&graph, expected));
    assert!(told(Expected::Batches).contains("products lifted out of a loop: W_o"));
    assert!(!told(Expected::Steps).contains("lifted"));
}
