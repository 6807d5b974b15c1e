//! From a recipe to machine code: the same numbers as the reference interpreter gives, forward and backward.

use ndarray::{ArrayD, IxDyn};
use rnnc::eqn::build::{Options, build};
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::{Graph, Level, SourceKind, Ty};
use rnnc::pipeline::{CompileOptions, Step, asm, clif, compile, compile_watched, program};
use rnnc::resolve::load;
use rnnc::runtime::{Workspace, run_batch};
use rnnc::schedule::cost::{self, Sizes};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use rnnc::{codegen, grad};
use std::collections::BTreeMap;

struct Files;

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|e| e.to_string())
    }
}

fn graph(files: &[&str], recipe: &str) -> Graph {
    let mut sources = Sources::default();
    let files: Vec<String> = files.iter().map(|f| f.to_string()).collect();
    let (library, _) = load(&mut sources, &Files, &files);
    let id = sources.add("recipe", recipe);
    let parsed = parse_recipe(&sources, id).unwrap();
    let (graph, diagnostics) = build(&library, &parsed, &Options::default());
    graph.unwrap_or_else(|| panic!("{recipe}: {diagnostics:#?}"))
}

/// Small numbers for everything that a graph reads.
fn batch(graph: &Graph, lengths: &[usize]) -> Batch {
    let steps = lengths.iter().copied().max().unwrap_or(0);
    let mut batch = Batch { size: lengths.len(), ..Batch::default() };
    for domain in &graph.domains {
        batch.lengths.insert(domain.extent.to_string(), lengths.to_vec());
    }
    for (s, source) in graph.sources.iter().enumerate() {
        let mut shape = match source.level {
            Level::Shared => vec![],
            Level::Example => vec![lengths.len()],
            Level::Over(_) => vec![steps, lengths.len()],
        };
        shape.extend(source.shape.iter().map(|d| d.as_constant().unwrap() as usize));
        let count: usize = shape.iter().product();
        let scale = if matches!(source.kind, SourceKind::Param(_)) { 0.4 } else { 1.0 };
        let value = |i: usize| match &source.ty {
            Ty::Id(k) => ((i * 7 + 3) % k.as_constant().unwrap() as usize) as f64,
            Ty::Bool => (i % 2) as f64,
            Ty::Real => f64::from((((s * 57 + i) as f32) * 0.611).sin() * scale),
        };
        let array = ArrayD::from_shape_vec(IxDyn(&shape), (0..count).map(value).collect()).unwrap();
        batch.arrays.insert(source.name.to_string(), array);
    }
    batch
}

fn agree(files: &[&str], recipe: &str) {
    let forward = graph(files, recipe).bind(&BTreeMap::new()).unwrap();
    let joint = grad::differentiate(&forward, &grad::Options::default()).unwrap();
    let exe = compile(&joint, &BTreeMap::new(), &CompileOptions::default())
        .unwrap_or_else(|e| panic!("{recipe}: {e:#?}"));
    for lengths in [&[3, 3][..], &[4, 0, 2, 1], &[0]] {
        let batch = batch(&joint, lengths);
        let expected = eval(&joint, &batch).unwrap();
        let found = run_batch(&exe, &batch).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{recipe}");
        for (name, expected) in &expected {
            let found = &found[name];
            assert_eq!(found.shape(), expected.shape(), "{recipe}: {name}");
            // Sums of some tens of products of numbers near 1, in 24 bits.
            let size = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
            for (f, e) in found.iter().zip(expected) {
                assert!(
                    (f - e).abs() <= 1e-5 * size,
                    "{recipe}, lengths {lengths:?}: {name} is {f}, not {e}"
                );
            }
        }
    }
}

#[test]
fn machine_code_agrees_with_the_equations_forward_and_backward() {
    for recipe in [
        "RNN(5, 6)",
        "LSTM(5, 6)",
        "CIFG(5, 6)",
        "GRU(5, 6)",
        "GRU(5, 6, reset = after)",
        "PeepholeLSTM(5, 6)",
        "MGU(5, 6)",
        "Stack(2, LSTM(6, 6))",
        "Bi(LSTM(5, 6))",
        "Dense(5, 6)",
        "Embed(9, 6)",
        "LayerNorm(7)",
    ] {
        agree(&[], recipe);
    }
}

#[test]
fn cells_of_no_library_compile_too() {
    agree(&["tests/cells/mut1.rnn"], "MUT1(5, 6)");
}

#[test]
fn every_step_is_reported_in_order() {
    let mut steps = Vec::new();
    let options = CompileOptions { grad: Some(grad::Options::default()), ..CompileOptions::default() };
    let symbolic = graph(&[], "LSTM(I, H)");
    let bindings = BTreeMap::from([("I".into(), 4), ("H".into(), 4)]);
    compile_watched(&symbolic, &bindings, &options, &mut |step| steps.push(step)).unwrap();
    assert_eq!(steps, [Step::Differentiate, Step::Bind, Step::Simplify, Step::Schedule, Step::Codegen]);
}

#[test]
fn texts_for_a_named_target_do_not_depend_on_this_computer() {
    let options = CompileOptions { grad: Some(grad::Options::default()), ..CompileOptions::default() };
    let program = program(&graph(&[], "LSTM(8, 8)"), &BTreeMap::new(), &options).unwrap();
    for name in codegen::Target::names() {
        let target = codegen::Target::named(name).unwrap();
        let (first, second) = (clif(&program, target).unwrap(), clif(&program, target).unwrap());
        let vectors = if name == "x86_64-avx512" { "512-bit" } else { "f32x4" };
        assert!(first == second && first.contains(vectors), "{name}");
        let (first, second) = (asm(&program, target).unwrap(), asm(&program, target).unwrap());
        assert!(first == second && !first.is_empty(), "{name}");
        // Multiply-add is an instruction or two, never a call.
        let calls =
            first.lines().any(|line| ["call", "bl "].iter().any(|c| line.trim_start().starts_with(c)));
        assert!(!calls, "{name}: {first}");
    }
}

/// Within 5 %: the schedule leaves out a number for each domain and the lengths of its examples.
#[test]
fn the_schedule_states_the_memory_that_a_run_takes() {
    let (batch, steps) = (16, 50);
    for recipe in ["LSTM(64, 64)", "GRU(40, 72)", "Bi(LSTM(20, 30))", "LayerNorm(7)"] {
        let forward = graph(&[], recipe).bind(&BTreeMap::new()).unwrap();
        let joint = grad::differentiate(&forward, &grad::Options::default()).unwrap();
        let exe = compile(&joint, &BTreeMap::new(), &CompileOptions::default()).unwrap();
        let mut workspace = Workspace::new(&exe).unwrap();
        let lengths: BTreeMap<String, Vec<usize>> =
            exe.program().domains.iter().map(|d| (d.extent.to_string(), vec![steps; batch])).collect();
        workspace.resize(batch, &lengths).unwrap();
        let stated = cost::memory(exe.program(), Sizes { batch, steps });
        let taken = workspace.bytes() as f64;
        assert!((stated - taken).abs() <= 0.05 * taken, "{recipe}: stated {stated} bytes, took {taken}");
    }
}
