//! What is exported to ONNX and imported again computes the same.
//!
//! Tolerance 1e-6: both sides are computed in f64, from parameters that were written in f32 once; where biases were added up before that,
//! they differ in the last digit of f32.

use crate::support::recipes::{Array, Case, EXAMPLES, checked, library};
use rnnc::diag::Diagnostic;
use rnnc::eqn::build::{self, Options};
use rnnc::eqn::eval::{self, Batch};
use rnnc::eqn::{Graph, SourceKind};
use rnnc::onnx::export::{self, encode, export};
use rnnc::onnx::import::{Imported, import};
use rnnc::resolve::{self, Library};
use rnnc::source::{Loader, Sources};
use rnnc::syntax;
use rnnc::weights::{self, Arrays};
use std::collections::BTreeMap;

const TOLERANCE: f64 = 1e-6;
type Named = BTreeMap<String, Array>;

struct One(String);

impl Loader for One {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

fn graph(library: &Library, recipe: &str) -> Graph {
    let mut sources = Sources::default();
    let file = sources.add("<recipe>", recipe);
    let expr = syntax::parse_recipe(&sources, file).expect("a recipe");
    let (graph, said) = build::build(library, &expr, &Options::default());
    graph.unwrap_or_else(|| panic!("{recipe}: {said:?}"))
}

/// What a graph is given: parameters, and the rest.
fn parted(graph: &Graph, arrays: &Named) -> (Named, Named) {
    let is_param =
        |name: &str| graph.sources.iter().any(|s| *s.name == *name && matches!(s.kind, SourceKind::Param(_)));
    arrays.clone().into_iter().partition(|(name, _)| is_param(name))
}

/// The model there and back.
fn back(
    graph: &Graph,
    params: &Named,
    options: &export::Options,
) -> Result<(Imported, Vec<String>), Vec<Diagnostic>> {
    let array = |a: &Array| weights::Array::from_f64(&a.as_standard_layout().to_owned());
    let params: Arrays = params.iter().map(|(n, a)| (n.clone(), array(a))).collect();
    let exported = export(graph, &params, options)?;
    let imported = import("model.onnx", &encode(&exported.model), 1 << 26).map_err(|e| vec![e])?;
    Ok((imported, exported.omitted))
}

/// What the imported file computes of the same arrays.
fn run(name: &str, imported: &Imported, given: &Named, batch: &Batch) -> Named {
    let mut sources = Sources::default();
    let (library, said) = resolve::load(&mut sources, &One(imported.text.clone()), &["model.rnn".into()]);
    assert!(said.is_empty(), "{name}: {said:?}\n{}", imported.text);
    let (model, said) = build::build_model(&library, "Net", &Options::default());
    let graph = model.unwrap_or_else(|| panic!("{name}: {said:?}\n{}", imported.text)).graph;
    assert!(said.is_empty(), "{name}: {said:?}\n{}", imported.text);
    let mut arrays = Named::new();
    for (name, array) in given {
        let own = plain(name);
        // `h0` is `v1.h0` here, …
        let note =
            imported.notes.iter().find_map(|n| n.strip_prefix(&format!("`{name}` is `"))?.split('`').next());
        arrays.insert(note.map_or(own, str::to_string), array.clone());
    }
    arrays.extend(imported.weights.iter().map(|(n, a)| (n.clone(), a.to_ndarray().expect("whole"))));
    arrays.retain(|n, _| graph.sources.iter().any(|s| *s.name == **n));
    for name in imported.weights.keys() {
        assert!(arrays.contains_key(name), "{name}: nothing reads it\n{}", imported.text);
    }
    let lengths = batch.lengths.values().next().map(|all| ("n".to_string(), all.clone()));
    let batch =
        Batch { size: batch.size, arrays, lengths: lengths.into_iter().collect(), ..Batch::default() };
    eval::eval(&graph, &batch).unwrap_or_else(|e| panic!("{name}: {e:?}\n{}", imported.text))
}

/// A name as the imported file has it.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The greatest difference of what both have; nothing may be missing.
fn compare(name: &str, imported: &Imported, got: &Named, want: &Named, omitted: &[String]) {
    for (output, want) in want.iter().filter(|(name, _)| !omitted.contains(name)) {
        let own = plain(output);
        let names = [own.clone(), format!("{own}_out"), format!("x_{own}")];
        let got = names.iter().find_map(|name| got.get(name));
        let got = got.unwrap_or_else(|| panic!("{name}: no `{output}`\n{}", imported.text));
        assert_eq!(got.shape(), want.shape(), "{name}: `{output}`\n{}", imported.text);
        let far = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far <= TOLERANCE, "{name}: `{output}` differs by {far}\n{}", imported.text);
    }
}

fn rounded(batch: &mut Batch) {
    batch.arrays.values_mut().for_each(|a| a.mapv_inplace(|v| f64::from(v as f32)));
}

fn there_and_back(name: &str, graph: &Graph, options: &export::Options) -> Result<Imported, Vec<Diagnostic>> {
    let case = Case::new(graph.clone());
    let mut batch = match options.lengths {
        true => case.batch(&(0..EXAMPLES).collect::<Vec<_>>(), 1),
        false => case.batch(&[4, 4], 0),
    };
    rounded(&mut batch);
    // What stands where there is no step is nothing to either side.
    batch.arrays.values_mut().for_each(|a| a.mapv_inplace(|v| if v.is_nan() { 7.0 } else { v }));
    let (params, given) = parted(graph, &batch.arrays);
    let (imported, omitted) = back(graph, &params, options)?;
    let want = eval::eval(graph, &batch).expect("the reference");
    // With the states that were given, and with those that are declared.
    for with_states in [true, false] {
        let is_state = |name: &str| {
            graph.sources.iter().any(|s| *s.name == *name && matches!(s.kind, SourceKind::Initial { .. }))
        };
        let kept = |all: &Named| -> Named {
            all.iter()
                .filter(|(n, _)| with_states || !is_state(n))
                .map(|(n, a)| (n.clone(), a.clone()))
                .collect()
        };
        let want = match with_states {
            true => want.clone(),
            false => eval::eval(graph, &Batch { arrays: kept(&batch.arrays), ..batch.clone() })
                .expect("the reference"),
        };
        compare(name, &imported, &run(name, &imported, &kept(&given), &batch), &want, &omitted);
    }
    Ok(imported)
}

const OPERATORS: [&str; 13] = [
    "LSTM(3, 4)",
    "PeepholeLSTM(3, 4)",
    "GRU(3, 4)",
    "GRU(3, 4, reset = after, update = keep)",
    "RNN(3, 4)",
    "RNN(3, 4, relu)",
    "MGU(3, 4)",
    "Stack(2, LSTM(4, 4))",
    "Stack(2, GRU(4, 4))",
    "Bi(LSTM(3, 4))",
    "Bi(RNN(3, 4))",
    "Bi(Stack(2, GRU(4, 4)))",
    "BRNN(I = 3, H = 4, O = 2)",
];

const LOOPS: [&str; 9] = [
    "UGRNN(3, 4)",
    "CIFG(3, 4)",
    "LSTMNOAF(3, 4)",
    "PeepholeLSTM(3, 4, peephole = full)",
    "IndRNN(3, 4)",
    "MinGRU(3, 4)",
    "Stack(2, CIFG(4, 4))",
    "Bi(UGRNN(3, 4))",
    "XLSTMS(I = 3, H = 4)",
];

fn options() -> [(&'static str, export::Options); 4] {
    let of = |lengths, states| export::Options { lengths, states, ..export::Options::default() };
    [
        ("", of(false, false)),
        ("with lengths", of(true, false)),
        ("with states", of(false, true)),
        ("with lengths and states", of(true, true)),
    ]
}

fn all(recipes: &[&str]) {
    let mut sources = Sources::default();
    let library = library(&mut sources, false);
    for recipe in recipes {
        let graph = graph(&library, recipe);
        for (word, options) in options() {
            let name = format!("{recipe} {word}");
            there_and_back(&name, &graph, &options).unwrap_or_else(|e| panic!("{name}: {}", e[0].message));
        }
    }
}

#[test]
fn an_operator_comes_back_as_the_cell_it_was() {
    all(&OPERATORS);
}

#[test]
fn a_loop_comes_back_as_a_cell_of_its_equations() {
    all(&LOOPS);
}

#[test]
fn what_comes_back_is_readable() {
    let mut sources = Sources::default();
    let library = library(&mut sources, false);
    let graph = graph(&library, "UGRNN(2, 3)");
    let options = export::Options { lengths: true, ..export::Options::default() };
    let imported = there_and_back("UGRNN", &graph, &options).expect("read");
    insta::assert_snapshot!("onnx_back_loop", imported.text);
}

/// Whatever is written is read again, or refused by a node and a reason; what is read computes the same.
#[test]
fn every_recipe_comes_back_or_is_refused_in_words() {
    let mut sources = Sources::default();
    let library = library(&mut sources, false);
    let (mut read, mut refused) = (0, Vec::new());
    for (recipe, expr) in checked(&library) {
        let (graph, said) = build::build(&library, expr, &Options::default());
        let graph = graph.unwrap_or_else(|| panic!("{recipe}: {said:?}"));
        let dims = graph.dims().into_iter().map(|d| (d, 4)).collect();
        let Ok(graph) = graph.bind(&dims) else { continue };
        if graph.sources.iter().any(|s| matches!(s.kind, SourceKind::Noise(_))) {
            continue;
        }
        match there_and_back(&recipe, &graph, &export::Options::default()) {
            Ok(_) => read += 1,
            Err(wrong) => {
                assert!(matches!(wrong[0].code, "E0790" | "E0791" | "E0795"), "{recipe}: {wrong:?}");
                refused.push(format!("{recipe}: {}", wrong[0].message));
            }
        }
    }
    refused.iter().for_each(|r| println!("{r}"));
    println!("{read} read, {} refused", refused.len());
    assert!(read >= LEAST_READ, "{read}");
}

/// Of the standard library's recipes; more is better.
const LEAST_READ: usize = 74;
