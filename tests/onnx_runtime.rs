//! Exported cells and models in ONNX Runtime, against the reference interpreter.
//!
//! Wants a Python with onnx, onnxruntime and numpy, named by `RNNC_PYTHON`; without one it says that it was skipped (`.ci/onnx` makes
//! one). What models look like is in `onnx.rs`, which wants nothing.
//!
//! Tolerance 1e-5, relative above 1: both start from the same f32 numbers and few steps of sums of few terms follow;
//! ONNX Runtime's own tanh and σ are right to 1e-6.

mod support;

use rnnc::eqn::build::{self, Options};
use rnnc::eqn::eval::{self, Batch};
use rnnc::eqn::{DomainKind, Graph, SourceKind, Ty};
use rnnc::onnx::export::{self, encode, export};
use rnnc::resolve::Library;
use rnnc::source::Sources;
use rnnc::syntax::ast::ItemKind;
use rnnc::weights::{self, Arrays, Data, npz};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use support::recipes::{Array, Case, EXAMPLES, checked, library};

const TOLERANCE: f64 = 1e-5;

/// Recipes that are run on an empty sequence too: operators, in both directions, and a loop.
const EMPTY: [&str; 4] =
    ["Bi(LSTM(3, 4))", "GRU(I = 3, H = 4)", "BRNN(I = 3, H = 4, O = 2)", "UGRNN(I = 3, H = 4)"];

const LEAST_MODELS: usize = 20;

/// The same numbers in f32, so that both sides start from the same.
fn rounded(batch: &mut Batch) {
    batch.arrays.values_mut().for_each(|a| a.mapv_inplace(|v| f64::from(v as f32)));
}

fn array(a: &Array) -> weights::Array {
    weights::Array::from_f64(&a.as_standard_layout().to_owned())
}

/// Writes what one case needs.
fn write(
    folder: &Path,
    graph: &Graph,
    batch: &Batch,
    lengths: bool,
    outputs: Option<&[String]>,
) -> Result<(), Vec<rnnc::diag::Diagnostic>> {
    let is_param =
        |name: &str| graph.sources.iter().any(|s| *s.name == *name && matches!(s.kind, SourceKind::Param(_)));
    let (params, mut given): (Arrays, Arrays) =
        batch.arrays.iter().map(|(n, a)| (n.clone(), array(a))).partition(|(n, _)| is_param(n));
    let options =
        export::Options { lengths, outputs: outputs.map(<[String]>::to_vec), ..export::Options::default() };
    let exported = export(graph, &params, &options)?;
    for (extent, all) in batch.lengths.iter().filter(|_| lengths) {
        let all = weights::Array {
            shape: vec![all.len()],
            data: Data::I64(all.iter().map(|n| *n as i64).collect()),
        };
        given.insert("lengths".into(), all.clone());
        given.insert(format!("lengths_{extent}"), all);
    }
    let results = eval::eval(graph, batch).expect("the reference");
    let mut wanted: Arrays = results.iter().map(|(n, a)| (n.clone(), array(a))).collect();
    wanted.retain(|name, _| !exported.omitted.contains(name));
    wanted.retain(|name, _| outputs.as_ref().is_none_or(|all| all.contains(name)));
    // An output that has an input's name cannot have it in ONNX.
    for source in &graph.sources {
        if let Some(array) = wanted.remove(&*source.name) {
            wanted.insert(format!("{}_out", source.name), array);
        }
    }
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("model.onnx"), encode(&exported.model)).expect("written");
    std::fs::write(folder.join("in.npz"), npz::write(&given).expect("bytes")).expect("written");
    std::fs::write(folder.join("want.npz"), npz::write(&wanted).expect("bytes")).expect("written");
    Ok(())
}

fn has_trees(graph: &Graph) -> bool {
    graph.domains.iter().any(|d| matches!(d.kind, DomainKind::Tree { .. } | DomainKind::Children { .. }))
}

/// What each model is for: its outputs, without its loss and its metrics.
fn outs(library: &Library) -> Vec<(String, Vec<String>)> {
    let items = library.files().iter().flat_map(|file| library.items(file.file));
    let named = items.filter_map(|item| match &item.kind {
        ItemKind::Model(model) => Some(model.name.name.to_string()),
        _ => None,
    });
    let outs = |name: String| {
        let (model, said) = build::build_model(library, &name, &Options::default());
        let model = model.unwrap_or_else(|| panic!("{name}: {said:?}"));
        (name, model.outs.iter().map(ToString::to_string).collect())
    };
    named.map(outs).collect()
}

/// A name for a folder.
fn plain(recipe: &str) -> String {
    recipe.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[test]
fn recipes_and_models_without_trees_are_the_same_in_onnx_runtime() {
    let Ok(python) = std::env::var("RNNC_PYTHON") else {
        println!("skipped: RNNC_PYTHON names no Python with onnxruntime");
        return;
    };
    let temporary = tempfile::tempdir().expect("a folder");
    let kept = std::env::var("RNNC_ONNX_KEEP").ok();
    let root = kept.as_deref().map_or(temporary.path(), Path::new);
    let mut sources = Sources::default();
    let library = library(&mut sources, true);
    let outs = outs(&library);
    let (mut names, mut refused, mut empty, mut models) = (BTreeMap::new(), Vec::new(), 0, 0);
    for (k, (recipe, expr)) in checked(&library).into_iter().enumerate() {
        let (graph, said) = build::build(&library, expr, &Options::default());
        let graph = graph.unwrap_or_else(|| panic!("{recipe}: {said:?}"));
        // What a check leaves open, and what stands in no check's way.
        let dims = graph.dims().into_iter().map(|d| (d, 4)).collect();
        let Ok(graph) = graph.bind(&dims) else { continue };
        if graph.sources.iter().any(|s| matches!(s.kind, SourceKind::Noise(_)) || matches!(s.ty, Ty::Bool)) {
            continue;
        }
        let outputs =
            outs.iter().find_map(|(name, all)| recipe.strip_prefix(name)?.starts_with('(').then_some(all));
        let outputs = outputs.map(Vec::as_slice);
        models += usize::from(outputs.is_some());
        let case = Case::new(graph);
        let mut write_case = |order: &[usize], more: usize, lengths: bool| {
            let mut batch = case.batch(order, more);
            rounded(&mut batch);
            let name = format!("{k:03}_{}_{}", plain(&recipe), if lengths { "ragged" } else { "full" });
            match write(&root.join(&name), &case.graph, &batch, lengths, outputs) {
                Ok(()) => drop(names.insert(name, recipe.clone())),
                Err(wrong) => {
                    assert!(lengths || has_trees(&case.graph), "{recipe}: {wrong:?}");
                    refused.push((recipe.clone(), lengths, wrong[0].message.clone()));
                }
            }
        };
        write_case(&[4, 4], 0, false);
        write_case(&(0..EXAMPLES).collect::<Vec<_>>(), 1, true);
        // Of an empty sequence the last state is the first.
        if EMPTY.contains(&recipe.as_str()) {
            let mut batch = case.batch(&[4, 1, 2], 1);
            batch.lengths.values_mut().for_each(|all| all[1] = 0);
            rounded(&mut batch);
            let name = format!("{k:03}_{}_empty", plain(&recipe));
            write(&root.join(&name), &case.graph, &batch, true, outputs).expect("written");
            names.insert(name, recipe.clone());
            empty += 1;
        }
    }
    assert_eq!(empty, EMPTY.len());
    assert!(models >= LEAST_MODELS, "{models} models");
    let out = Command::new(python).arg("tests/golden/onnx_runtime.py").arg(root).output().expect("a Python");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let ran = names.len();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    let mut wrong = Vec::new();
    let mut worst: f64 = 0.0;
    for line in said.lines() {
        let mut words = line.split(' ');
        let (name, figure) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        names.remove(name);
        match figure.parse::<f64>() {
            Ok(far) if far <= TOLERANCE => worst = worst.max(far),
            _ => wrong.push(line),
        }
    }
    refused
        .iter()
        .for_each(|(recipe, lengths, why)| println!("refused: {recipe} (lengths: {lengths}): {why}"));
    println!("{ran} runs, {models} models; greatest difference {worst:e}; {} refused", refused.len());
    assert!(wrong.is_empty() && names.is_empty(), "{}\nnot run: {names:?}", wrong.join("\n"));
}
