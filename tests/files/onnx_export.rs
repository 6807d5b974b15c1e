//! Cells as ONNX models: what is written, what is refused. `onnx_runtime.rs` runs the models.

use crate::support::recipes::library;
use insta::assert_snapshot;
use rnnc::eqn::build::{self, Options};
use rnnc::eqn::{Graph, SourceKind};
use rnnc::onnx::export::{self, Exported, encode, export};
use rnnc::onnx::proto::{self, Attribute, Model, Node};
use rnnc::onnx::text;
use rnnc::source::Sources;
use rnnc::syntax;
use rnnc::weights::{Array, Arrays};
use std::collections::BTreeMap;

fn graph(recipe: &str) -> Graph {
    let mut sources = Sources::default();
    let library = library(&mut sources, false);
    let file = sources.add("<recipe>", recipe);
    let recipe = syntax::parse_recipe(&sources, file).expect("a recipe");
    let (graph, said) = build::build(&library, &recipe, &Options::default());
    graph.unwrap_or_else(|| panic!("{said:?}"))
}

/// Small numbers for every parameter.
fn params(graph: &Graph) -> Arrays {
    let params = graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_)));
    let array = |shape: Vec<usize>| {
        let values = (0..shape.iter().product()).map(|k: usize| (k % 7) as f32 * 0.125 - 0.25).collect();
        Array::f32(shape, values)
    };
    let shape =
        |s: &rnnc::eqn::Source| s.shape.iter().map(|d| d.as_constant().expect("a number") as usize).collect();
    params.map(|s| (s.name.to_string(), array(shape(s)))).collect()
}

fn exported(recipe: &str, options: &export::Options) -> Exported {
    let graph = graph(recipe);
    export(&graph, &params(&graph), options).unwrap_or_else(|e| panic!("{recipe}: {e:?}"))
}

fn plain(recipe: &str) -> Exported {
    exported(recipe, &export::Options::default())
}

fn ragged(recipe: &str) -> Exported {
    exported(recipe, &export::Options { lengths: true, ..export::Options::default() })
}

fn nodes(model: &Model) -> &[Node] {
    model.graph.as_ref().map_or(&[], |g| &g.node)
}

/// How often each operator is there, loops not looked into.
fn counts(model: &Model) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    nodes(model).iter().for_each(|n| *counts.entry(n.op_type.as_str()).or_default() += 1);
    counts
}

fn of<'m>(model: &'m Model, op: &str) -> Vec<&'m Node> {
    nodes(model).iter().filter(|n| n.op_type == op).collect()
}

fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n Attribute> {
    node.attribute.iter().find(|a| a.name == name)
}

#[test]
fn a_recurrence_is_a_scan() {
    assert_snapshot!("onnx_scan", text::print(&plain("UGRNN(2, 3)").model));
}

#[test]
fn with_lengths_a_step_behind_the_end_changes_nothing() {
    assert_snapshot!("onnx_scan_ragged", text::print(&ragged("UGRNN(2, 3)").model));
}

#[test]
fn a_pair_of_directions_is_two_operators() {
    assert_snapshot!("onnx_pair", text::print(&plain("Bi(RNN(2, 3))").model));
}

#[test]
fn what_has_the_equations_of_an_operator_is_one() {
    for (recipe, op, kept) in [
        ("LSTM(2, 3)", "LSTM", "h"),
        ("PeepholeLSTM(2, 3)", "LSTM", "h"),
        ("GRU(2, 3)", "GRU", "h"),
        ("GRU(2, 3, reset = after, update = keep)", "GRU", "h"),
        // Its two gates are one, as a pair of equal gates.
        ("MGU(2, 3)", "GRU", "h"),
        ("RNN(2, 3, relu)", "RNN", "h"),
    ] {
        let Exported { model, omitted } = plain(recipe);
        let found = of(&model, op);
        assert!(found.len() == 1 && of(&model, "Scan").is_empty(), "{recipe}: {:?}", counts(&model));
        let outputs: Vec<&str> =
            model.graph.iter().flat_map(|g| &g.output).map(|o| o.name.as_str()).collect();
        assert!(outputs.contains(&kept) && outputs.contains(&"h_last"), "{recipe}: {outputs:?}");
        // The operator has its memory at the end alone.
        assert_eq!(omitted, if op == "LSTM" { vec!["c".to_string()] } else { Vec::new() }, "{recipe}");
        assert_eq!(outputs.contains(&"c_last"), op == "LSTM", "{recipe}");
        assert_eq!(found[0].input.get(7).is_some(), recipe.starts_with("Peephole"), "{recipe}");
        let before = attribute(found[0], "linear_before_reset").map_or(0, |a| a.i);
        assert_eq!(before == 1, recipe.contains("after"), "{recipe}");
    }
}

#[test]
fn what_only_resembles_an_operator_is_none() {
    for recipe in ["CIFG(2, 3)", "LSTMNOAF(2, 3)", "PeepholeLSTM(2, 3, peephole = full)", "IndRNN(2, 3)"] {
        let model = plain(recipe).model;
        assert_eq!(of(&model, "Scan").len(), 1, "{recipe}: {:?}", counts(&model));
    }
}

#[test]
fn states_at_every_step_are_had_for_a_scan() {
    let all = export::Options { states: true, ..export::Options::default() };
    let Exported { model, omitted } = exported("LSTM(2, 3)", &all);
    assert!(omitted.is_empty() && of(&model, "Scan").len() == 1, "{:?}", counts(&model));
    // So are outputs that are asked for by name.
    let named = export::Options { outputs: Some(vec!["c".into()]), ..export::Options::default() };
    let Exported { model, .. } = exported("LSTM(2, 3)", &named);
    let outputs: Vec<&str> = model.graph.iter().flat_map(|g| &g.output).map(|o| o.name.as_str()).collect();
    assert_eq!((outputs, of(&model, "Scan").len()), (vec!["c"], 1));
}

#[test]
fn recurrences_in_one_another_are_loops_in_one_another() {
    let model = plain("MDLSTM(2, 3, D = 2)").model;
    let outer = of(&model, "Scan");
    let body = attribute(outer[0], "body").and_then(|a| a.g.as_deref()).expect("a body");
    assert_eq!((outer.len(), body.node.iter().filter(|n| n.op_type == "Scan").count()), (1, 1));
}

#[test]
fn what_does_not_change_stands_before_the_loop() {
    let model = plain("UGRNN(2, 3)").model;
    let scan = of(&model, "Scan");
    let body = attribute(scan[0], "body").and_then(|a| a.g.as_deref()).expect("a body");
    let transposed = |nodes: &[Node]| nodes.iter().filter(|n| n.op_type == "Transpose").count();
    assert_eq!((transposed(&body.node), transposed(nodes(&model))), (0, 4));
}

#[test]
fn the_same_graph_is_the_same_bytes() {
    let bytes = || encode(&ragged("Bi(Stack(2, GRU(3, 3)))").model);
    let first = bytes();
    assert!(first == bytes());
    assert!(proto::survey(&first).is_ok());
    let again: Model = prost::Message::decode(first.as_slice()).expect("a model");
    assert_eq!(encode(&again), first);
}

#[test]
fn trees_and_missing_parameters_are_refused() {
    let tree = graph("TreeLSTM(2, 3)");
    let wrong = export(&tree, &params(&tree), &export::Options::default()).err().expect("refused");
    assert_eq!((wrong[0].code, wrong[0].message.ends_with("`n` is a tree")), ("E0790", true));
    let cell = graph("RNN(2, 3)");
    let mut arrays = params(&cell);
    arrays.remove("U");
    arrays.insert("W".into(), Array::f32(vec![2, 3], vec![0.0; 6]));
    let wrong = export(&cell, &arrays, &export::Options::default()).err().expect("refused");
    let messages: Vec<&str> = wrong.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "an ONNX model holds its parameters: `W` [3, 2] is given as [2, 3]",
            "an ONNX model holds its parameters: `U` [3, 3] is not given",
        ]
    );
}

#[test]
fn a_file_of_more_parts_than_a_model_has_is_not_decoded() {
    // A graph of nothing but empty nodes: two bytes each.
    let graph = [0x0a, 0x00].repeat(proto::MOST_PARTS);
    let mut bytes = vec![0x3a];
    prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
    bytes.extend(graph);
    assert_eq!(proto::survey(&bytes), Err(proto::Excess::Parts));
    assert_eq!(proto::survey(&bytes[..bytes.len() - 1]), Err(proto::Excess::Damaged));
    // Graphs in graphs.
    let mut deep = Vec::new();
    for _ in 0..40 {
        for tag in [0x32, 0x2a, 0x0a] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(deep.len() as u64, &mut outer);
            outer.extend(deep);
            deep = outer;
        }
    }
    let mut bytes = vec![0x3a];
    prost::encoding::encode_varint(deep.len() as u64, &mut bytes);
    bytes.extend(deep);
    assert_eq!(proto::survey(&bytes), Err(proto::Excess::Depth));
}
