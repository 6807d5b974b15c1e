//! The printed adjoint: its text, and that it is a legal cell with the numbers of the joint graph.

use rnnc::diag::Diagnostic;
use rnnc::eqn::{Graph, build};
use rnnc::grad::{Options, print::adjoint_cell};
use rnnc::resolve::{self, Library};
use rnnc::source::{Loader, Sources};
use rnnc::syntax;
use rnnc::syntax::print::{Style, print_item};
use std::collections::BTreeMap;

struct Texts(BTreeMap<String, String>);

impl Loader for Texts {
    fn load(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| format!("no file {path}"))
    }
}

fn plainly(errors: &[Diagnostic]) -> String {
    errors.iter().map(|d| format!("{}: {}", d.code, d.message)).collect::<Vec<_>>().join("\n")
}

/// The stdlib and one more text.
fn library(text: &str, sources: &mut Sources) -> Library {
    let texts = Texts([("text.rnn".to_string(), text.to_string())].into());
    let (library, errors) = resolve::load(sources, &texts, &["text.rnn".to_string()]);
    let errors: Vec<Diagnostic> = errors.into_iter().filter(Diagnostic::is_error).collect();
    assert!(errors.is_empty(), "{}\n{text}", plainly(&errors));
    library
}

fn built(library: &Library, recipe: &str, sources: &mut Sources) -> Graph {
    let file = sources.add("recipe", recipe);
    let recipe = syntax::parse_recipe(sources, file).unwrap_or_else(|e| panic!("{}", plainly(&e)));
    let (graph, errors) = build::build(library, &recipe, &build::Options::default());
    graph.unwrap_or_else(|| panic!("{}", plainly(&errors)))
}

fn printed(text: &str, recipe: &str) -> String {
    let mut sources = Sources::default();
    let library = library(text, &mut sources);
    let graph = built(&library, recipe, &mut sources);
    let item = adjoint_cell(&graph, &Options::default()).unwrap_or_else(|e| panic!("{}", plainly(&e)));
    print_item(&item, Style::UNICODE)
}

mod grad_support;

use grad_support::{joint_of, random_batch, run, with_cotangents};

/// The printed cell, given the values of the forward pass, against the joint graph.
fn agrees(text: &str, recipe: &str, dims: &[(&str, i64)]) {
    let mut sources = Sources::default();
    let library = library(text, &mut sources);
    let primal = built(&library, recipe, &mut sources);
    let from: Vec<String> = vec![primal.outputs[0].name.to_string()];
    let options = Options { wrt: None, from: Some(from.clone()) };
    let item = adjoint_cell(&primal, &options).unwrap_or_else(|e| panic!("{}", plainly(&e)));
    let printed = print_item(&item, Style::UNICODE);
    assert_eq!(printed, {
        // What is printed parses to what prints the same, in ASCII too.
        let mut sources = Sources::default();
        let file = sources.add("text", print_item(&item, Style::ASCII));
        let (file, errors) = syntax::parse(&sources, file);
        assert!(errors.is_empty(), "{}\n{printed}", plainly(&errors));
        print_item(&file.items[0], Style::UNICODE)
    });

    let mut sources = Sources::default();
    let library = self::library(&format!("{text}\n{printed}"), &mut sources);
    let syntax::ast::ItemKind::Cell(cell) = &item.kind else { panic!("no cell") };
    let names: Vec<&str> = cell.statics.iter().map(|s| &*s.name.name).collect();
    let recipe = format!("{}({})", cell.name.name, names.join(", "));
    let derived = built(&library, &recipe, &mut sources);

    let bindings: BTreeMap<_, i64> = dims.iter().map(|(n, v)| ((*n).into(), *v)).collect();
    let bind = |g: &Graph| g.bind(&bindings).unwrap_or_else(|e| panic!("{}\n{printed}", plainly(&e)));
    let (primal, derived) = (bind(&primal), bind(&derived));
    let lengths: &[usize] = &[5, 0, 1, 3];
    let extent = primal.domains[0].extent.to_string();
    let batch = random_batch(&primal, &[(&extent, lengths)], 17);
    let batch = with_cotangents(&primal, &batch, 3);
    let joint = joint_of(&primal, &options);
    let expected = run(&joint, &batch);

    // All named values of the forward pass.
    let mut all = primal.clone();
    all.outputs.clear();
    for id in primal.node_ids() {
        if let Some(name) = &primal.node(id).name
            && all.find_output(name).is_none()
        {
            all.output(name.clone(), id);
        }
    }
    let values = run(&all, &batch);
    let mut given = rnnc::eqn::eval::Batch { size: lengths.len(), ..Default::default() };
    given.lengths.insert(derived.domains[0].extent.to_string(), lengths.to_vec());
    for s in &derived.sources {
        let plain = s.name.replace("_out_adj", "_adj");
        let array = batch.arrays.get(&*s.name).or(values.get(&*s.name)).or(batch.arrays.get(&plain));
        if let Some(array) = array {
            // A `mem` has one value per example.
            let array = match array.ndim() == s.shape.len() {
                true => {
                    let mut shape = vec![lengths.len()];
                    shape.extend(array.shape());
                    array.broadcast(shape).expect("a new axis").to_owned()
                }
                false => array.clone(),
            };
            given.arrays.insert(s.name.to_string(), array);
        }
    }
    let got = run(&derived, &given);
    let mut compared = 0;
    for s in &primal.sources {
        let name = format!("{}_adj", s.name);
        let (Some(want), Some(got)) = (expected.get(&name), got.get(&name)) else { continue };
        // The language speaks of one example: what is the same for all of them is summed by the reader.
        let got = if want.ndim() + 1 == got.ndim() { got.sum_axis(ndarray::Axis(0)) } else { got.clone() };
        assert_eq!(want.shape(), got.shape(), "{name}\n{printed}");
        for (a, b) in want.iter().zip(&got) {
            assert!((a - b).abs() <= 1e-10 * a.abs().max(1.0), "{name}: {a} {b}\n{printed}");
        }
        compared += 1;
    }
    assert_eq!(compared, primal.sources.len(), "{printed}");
}

#[test]
fn printed_cells_are_legal_and_right() {
    let dims = [("I", 2), ("H", 3), ("F", 2), ("O", 2)];
    for recipe in [
        "LSTM(I, H)",
        "CIFG(I, H)",
        "GRU(I, H)",
        "GRU(I, H, reset = after)",
        "GRU(I, H, update = keep)",
        "GRU(I, H, reset = after, update = keep)",
        "PeepholeLSTM(I, H)",
        "PeepholeLSTM(I, H, peephole = full)",
        "MultLSTM(I, H, F)",
        "MultLSTMOriginal(I, H, F)",
        "RNN(I, H)",
        "RNN(I, H, relu)",
    ] {
        agrees("", recipe, &dims);
    }
}

#[test]
fn show() {
    for r in ["LSTM(I, H)", "MultLSTM(I, H, F)", "MultLSTMOriginal(I, H, F)"] {
        println!("{}", printed("", r));
    }
}
