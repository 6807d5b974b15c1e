//! ONNX models of other tools, read: the same results as ONNX Runtime had (`golden/onnx_import.py`), and refusals.
//!
//! Tolerance 1e-5: five steps from the same f32 numbers, which the interpreter computes in f64; ONNX Runtime's tanh and σ
//! are right to 1e-6.

use ndarray::{ArrayD, Axis, stack};
use rnnc::eqn::build::{self, Options};
use rnnc::eqn::eval::{self, Batch};
use rnnc::onnx::import::{Imported, import};
use rnnc::onnx::proto::{Attribute, Graph, Model, Node};
use rnnc::resolve;
use rnnc::source::{Loader, Sources};
use rnnc::weights::npz;
use std::collections::BTreeMap;

const TOLERANCE: f64 = 1e-5;
type Named = BTreeMap<String, ArrayD<f64>>;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/golden/onnx/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a golden file")
}

fn golden(name: &str, part: &str) -> Named {
    let arrays = npz::read(name, &bytes(&format!("{name}.npz"))).expect("an npz file");
    let own = |n: &String| n.strip_prefix(part).map(str::to_string);
    arrays.iter().filter_map(|(n, a)| Some((own(n)?, a.to_ndarray()?))).collect()
}

fn imported(name: &str) -> Imported {
    import(name, &bytes(&format!("{name}.onnx")), 1 << 24).unwrap_or_else(|e| panic!("{name}: {e:?}"))
}

struct One(String);

impl Loader for One {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

/// What the imported file computes.
fn run(imported: &Imported, mut inputs: Named) -> Named {
    let mut sources = Sources::default();
    let (library, said) = resolve::load(&mut sources, &One(imported.text.clone()), &["model.rnn".into()]);
    assert!(said.is_empty(), "{said:?}\n{}", imported.text);
    let (model, said) = build::build_model(&library, "Net", &Options::default());
    let graph = model.unwrap_or_else(|| panic!("{said:?}\n{}", imported.text)).graph;
    assert!(said.is_empty(), "{said:?}\n{}", imported.text);
    let size = inputs.values().find(|x| x.ndim() == 3).or(inputs.values().next()).map_or(1, |x| x.shape()[1]);
    inputs.extend(imported.weights.iter().map(|(n, a)| (n.clone(), a.to_ndarray().expect("whole"))));
    // Nothing is imported that nothing reads.
    for name in imported.weights.keys() {
        assert!(graph.sources.iter().any(|s| *s.name == **name), "{name}\n{}", imported.text);
    }
    eval::eval(&graph, &Batch { size, arrays: inputs, ..Batch::default() }).expect("results")
}

fn compare(name: &str, what: &str, got: &ArrayD<f64>, want: &ArrayD<f64>) {
    assert_eq!(got.shape(), want.shape(), "{name}: {what}");
    let far = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(far <= TOLERANCE, "{name}: `{what}` differs by {far}\n{got}\n{want}");
    assert!(want.iter().any(|v| v.abs() > 1e-3), "{name}: {what}");
}

/// Parts of an output, one for each direction, or layer and direction, along an axis of their own.
fn ways(results: &Named, name: &str, axis: usize) -> ArrayD<f64> {
    let parts = [name.to_string(), format!("{name}_reverse")];
    let parts = parts.into_iter().chain((2..=4).map(|k| format!("{name}_{k}")));
    let parts: Vec<String> = parts.collect();
    let parts: Vec<_> = parts.iter().filter_map(|n| results.get(n)).map(|a| a.view()).collect();
    stack(Axis(axis), &parts).expect("parts of one shape")
}

#[test]
fn operators_are_what_onnx_runtime_makes_of_them() {
    for name in [
        "operator_peephole",
        "operator_peephole_pair",
        "operator_before",
        "operator_after_pair",
        "operator_plain_pair",
    ] {
        let mut inputs = Named::new();
        for (input, array) in golden(name, "in/") {
            if input == "X" {
                inputs.insert(input, array);
                continue;
            }
            // One array for each direction.
            for (k, part) in array.outer_iter().enumerate() {
                let own = if k == 0 { input.clone() } else { format!("{input}_reverse") };
                inputs.insert(own, part.to_owned());
            }
        }
        // The batch's size is that of `X`, which comes first.
        let results = run(&imported(name), inputs);
        for (output, want) in golden(name, "out/") {
            let axis = usize::from(output == "Y");
            compare(name, &output, &ways(&results, &output, axis), &want);
        }
    }
}

#[test]
fn a_tagger_in_two_layers_and_both_directions_is_pytorchs() {
    let results = run(&imported("tagger"), golden("tagger", "in/"));
    compare("tagger", "p", &results["p"], &golden("tagger", "out/")["p"]);
}

#[test]
fn a_classifier_of_the_last_step_is_pytorchs() {
    let all = imported("classifier");
    let results = run(&all, golden("classifier", "in/"));
    compare("classifier", "y", &results["y"], &golden("classifier", "out/")["y"]);
    insta::assert_snapshot!("onnx_classifier", all.text);
}

#[test]
fn first_states_of_all_layers_in_one_array_are_an_input_each() {
    let mut inputs = Named::new();
    for (input, array) in golden("given", "in/") {
        if input == "x" {
            inputs.insert(input, array);
            continue;
        }
        for (k, part) in array.outer_iter().enumerate() {
            let own = if k == 0 { input.clone() } else { format!("{input}_{}", k + 1) };
            inputs.insert(own, part.to_owned());
        }
    }
    let results = run(&imported("given"), inputs);
    let want = golden("given", "out/");
    compare("given", "y", &results["y"], &want["y"]);
    for state in ["h", "c"] {
        compare("given", state, &ways(&results, state, 0), &want[state]);
    }
}

#[test]
fn a_first_state_may_be_a_parameter_or_zeros_of_any_shape_arithmetic() {
    let learnt = imported("learnt");
    assert!(learnt.weights.contains_key("v1.h_start"), "{:?}", learnt.weights.keys());
    for (name, all) in [("learnt", learnt), ("newer", imported("newer"))] {
        let results = run(&all, golden(name, "in/"));
        compare(name, "y", &results["y"], &golden(name, "out/")["y"]);
    }
}

#[test]
fn examples_first_is_found_out_and_told() {
    let all = imported("batch_first");
    assert!(all.notes.iter().any(|n| n.starts_with("`x` is [batch, steps")), "{:?}", all.notes);
    let mut inputs = golden("batch_first", "in/");
    inputs.values_mut().for_each(|x| x.swap_axes(0, 1));
    let results = run(&all, inputs);
    let mut want = golden("batch_first", "out/");
    want.get_mut("y").expect("an output").swap_axes(0, 1);
    compare("batch_first", "y", &results["y"], &want["y"]);
    compare("batch_first", "h", &ways(&results, "h", 0), &want["h"]);
}

/// A golden model with one change.
fn changed(name: &str, change: impl Fn(&mut Graph)) -> String {
    let mut model: Model =
        prost::Message::decode(bytes(&format!("{name}.onnx")).as_slice()).expect("a model");
    model.graph.iter_mut().for_each(change);
    let bytes = prost::Message::encode_to_vec(&model);
    let wrong = import(name, &bytes, 1 << 24).expect_err("refused");
    format!("{} {}", wrong.code, wrong.message)
}

fn first<'g>(graph: &'g mut Graph, op: &str) -> &'g mut Node {
    graph.node.iter_mut().find(|n| n.op_type == op).expect("such a node")
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let whole = |name: &str, i| Attribute { name: name.into(), i, r#type: 2, ..Attribute::default() };
    let convolution = changed("classifier", |g| first(g, "Relu").op_type = "Conv".into());
    assert!(
        convolution.starts_with("E0795 Conv `/head/head.1/Relu` is not read: this operator"),
        "{convolution}"
    );
    let layout = changed("operator_before", |g| first(g, "GRU").attribute.push(whole("layout", 1)));
    assert!(layout.ends_with("`layout` is not 0"), "{layout}");
    let clip = changed("operator_before", |g| first(g, "GRU").attribute.push(whole("clip", 1)));
    assert!(clip.ends_with("`clip` is not read"), "{clip}");
    let shape = changed("operator_before", |g| g.initializer[0].dims = vec![1, 4, 9]);
    assert!(shape.ends_with("input 2 is [1, 4, 9], where [1, 9, 4] is wanted"), "{shape}");
    let gone = changed("operator_before", |g| drop(g.initializer.remove(0)));
    assert!(gone.ends_with("input 2 comes from nowhere"), "{gone}");
    let other = changed("classifier", |g| first(g, "Relu").domain = "com.microsoft".into());
    assert!(other.contains("another set of operators"), "{other}");
}

#[test]
fn a_damaged_model_is_refused_and_nothing_of_it_is_taken() {
    let whole = bytes("tagger.onnx");
    for n in (0..whole.len()).step_by(7) {
        let _ = import("cut", &whole[..n], 1 << 24);
        let mut other = whole.clone();
        other[n] ^= 0x15;
        let _ = import("changed", &other, 1 << 24);
    }
    assert_eq!(import("small", &whole, 1000).expect_err("too large").code, "E0729");
}
