//! Steps through a stream: the bits of a run over the whole sequence, without an allocation.

#[path = "support/alloc.rs"]
mod alloc;
mod support;

use alloc::COUNT;
use rnnc::eqn::Graph;
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::runtime::{Stream, Workspace};
use rnnc::schedule::Expected;
use std::collections::BTreeMap;
use support::chain::{CELLS, SIZES, give, graph};

/// With what is given out at each step only.
fn stepwise(mut graph: Graph) -> Graph {
    graph.outputs.retain(|o| !o.name.ends_with("_last"));
    graph
}

fn options(expected: Expected, interpret: bool) -> CompileOptions {
    CompileOptions { expected, interpret, ..CompileOptions::default() }
}

fn stream(graph: &Graph, interpret: bool) -> Stream {
    let exe = compile(graph, &BTreeMap::new(), &options(Expected::Steps, interpret)).unwrap();
    let mut stream = Stream::new(&exe).unwrap();
    stream
        .prepare(|ws| {
            give(ws, graph, exe.program(), false);
            Ok(())
        })
        .unwrap();
    stream
}

/// The outputs of a whole sequence, and its inputs, step by step in the order of a stream.
fn whole(graph: &Graph, steps: usize, stream: &Stream, interpret: bool) -> Vec<(Vec<f32>, Vec<f32>)> {
    let exe = compile(graph, &BTreeMap::new(), &options(Expected::Batches, interpret)).unwrap();
    let mut ws = Workspace::new(&exe).unwrap();
    let extent = graph
        .domains
        .iter()
        .find(|d| {
            exe.program()
                .domains
                .iter()
                .any(|e| e.extent == d.extent && e.fixed().is_none() && !e.is_indexed())
        })
        .unwrap()
        .extent
        .to_string();
    ws.resize_to(1, &BTreeMap::from([(extent, steps)]), &BTreeMap::new()).unwrap();
    give(&mut ws, graph, exe.program(), true);
    ws.run().unwrap();
    let outputs: Vec<Vec<f32>> = stream.outputs().map(|(name, _)| ws.output(name).unwrap()).collect();
    (0..steps)
        .map(|t| {
            let input = stream.inputs().flat_map(|(name, width)| {
                (t * width..(t + 1) * width).map(move |i| support::chain::number(name, i, 2.0))
            });
            let output = stream
                .outputs()
                .zip(&outputs)
                .flat_map(|((_, width), all)| all[t * width..(t + 1) * width].to_vec());
            (input.collect(), output.collect())
        })
        .collect()
}

fn check(recipe: &str, steps: usize, interpret: bool) {
    let graph = stepwise(graph(recipe));
    let mut stream = stream(&graph, interpret);
    let expected = whole(&graph, steps, &stream, interpret);
    let mut output = vec![0.0; expected[0].1.len()];
    // Twice: it can begin anew.
    for round in 0..2 {
        for (t, (input, expected)) in expected.iter().enumerate() {
            let before = COUNT.get();
            stream.step(input, &mut output).unwrap();
            assert!(t == 0 || interpret || COUNT.get() == before, "{recipe}: step {t} allocates");
            let same = output.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{recipe}, round {round}, step {t}: {output:?} is not {expected:?}");
        }
        stream.restart();
    }
}

#[test]
fn every_chain_cell_gives_the_bits_of_the_whole_sequence_and_allocates_nothing() {
    for recipe in CELLS {
        check(recipe, 150, false);
    }
}

#[test]
fn products_of_all_sizes_keep_their_bits() {
    for recipe in SIZES {
        check(recipe, 20, false);
    }
}

#[test]
fn interpreted_too() {
    for recipe in ["GRU(5, 7)", "LSTM(3, 4)", "PhasedLSTM(2, 3)", "QRNN(5, 7)"] {
        check(recipe, 30, true);
    }
}

#[test]
fn parameters_may_change_between_steps_and_states_stay() {
    let graph = stepwise(graph("RNN(2, 3)"));
    let (mut one, mut two) = (stream(&graph, false), stream(&graph, false));
    let name = one.params().next().unwrap().to_string();
    let mut outputs = [[0.0; 3]; 2];
    for t in 0..100 {
        let input = [t as f32 * 0.01, 0.3];
        if t % 7 == 3 {
            // The same values: nothing may change but the way there.
            let values = two.prepare(|ws| Ok(ws.param(&name)?.to_vec())).unwrap();
            two.set_param(&name, &values).unwrap();
        }
        one.step(&input, &mut outputs[0]).unwrap();
        two.step(&input, &mut outputs[1]).unwrap();
        assert_eq!(outputs[0], outputs[1], "step {t}");
    }
    let values = vec![0.5; two.prepare(|ws| Ok(ws.param(&name)?.len())).unwrap()];
    two.set_param(&name, &values).unwrap();
    one.step(&[0.1, 0.2], &mut outputs[0]).unwrap();
    two.step(&[0.1, 0.2], &mut outputs[1]).unwrap();
    assert_ne!(outputs[0], outputs[1]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let graph = stepwise(graph("RNN(2, 3)"));
    let mut stream = stream(&graph, false);
    let mut output = [0.0; 3];
    for (input, output) in
        [(&[0.0; 1][..], &mut output[..]), (&[0.0; 3], &mut [0.0; 3]), (&[0.0; 2], &mut [0.0; 2])]
    {
        assert_eq!(stream.step(input, output).unwrap_err()[0].code, "E0703");
    }
    for recipe in ["Bi(RNN(2, 3))", "ManyToOne(RNN(2, 3), 2)"] {
        let graph = stepwise(support::chain::graph(recipe));
        let refused = compile(&graph, &BTreeMap::new(), &options(Expected::Steps, false));
        assert_eq!(refused.unwrap_err()[0].code, "E0744", "{recipe}");
    }
}
