//! The adjoint as a graph that is differentiated again: everything that the standard library checks, against central differences of
//! its gradient, over examples of unlike lengths, given initial states, grids and trees; and scheduled programs against the interpreter.

use crate::support::recipes::{Array, Case, checked, library};
use rnnc::diag::Fallible;
use rnnc::eqn::build::{Options, build};
use rnnc::eqn::eval::{Arrays, Batch, Evaluator};
use rnnc::eqn::{Graph, SourceKind, verify};
use rnnc::grad::{self, Added, Adjoint};
use rnnc::limits::Limits;
use rnnc::pipeline::{self, CompileOptions};
use rnnc::resolve::Library;
use rnnc::runtime::arrays::run_batch_within;
use rnnc::shape::Bindings;
use rnnc::simplify::simplify;
use rnnc::source::Sources;
use rnnc::syntax::ast::Expr;
use rnnc::testing::differences::{self, Comparison, Effort, Weighted};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rounding of 32 bits through two derivatives, as a share of an array's greatest element (at least 1).
const TOLERANCE: f64 = 2e-3;

/// Examples of a batch. Where one choice has a kink, such as a tie, another may not.
const ORDERS: [[usize; 2]; 3] = [[0, 3], [2, 1], [4, 2]];

fn graph(library: &Library, recipe: &Expr) -> Graph {
    let (graph, found) = build(library, recipe, &Options::default());
    let graph = graph.unwrap_or_else(|| panic!("{found:#?}"));
    let bindings: Bindings = graph.dims().into_iter().map(|dim| (dim, 3)).collect();
    graph.bind(&bindings).expect("numbers for dimensions")
}

/// A graph's adjoint, and that adjoint with its own beside it.
struct Twice {
    once: Graph,
    joint: Graph,
    added: Added,
    options: grad::Options,
}

impl Twice {
    fn new(graph: &Graph) -> Fallible<Twice> {
        let Adjoint { graph: once, again } = grad::adjoint(graph, &grad::Options::default())?;
        let options = grad::Options { again: Some(again), ..Default::default() };
        let joint = grad::differentiate(&once, &options)?;
        let added = grad::added(&once, &options)?;
        verify::verify(&once).and_then(|()| verify::verify(&joint)).expect("sound graphs");
        Ok(Twice { once, joint, added, options })
    }

    /// The gradients among results, as they are called where there is nothing else.
    fn gradients(&self, results: &BTreeMap<String, Array>) -> Arrays {
        let one = |(plain, own): &(Arc<str>, Arc<str>)| (plain.to_string(), results[&**own].clone());
        self.added.gradients.iter().map(one).collect()
    }
}

/// Against central differences of the adjoint. What is said of it is wrong, or nothing.
fn slopes(twice: &Twice, batch: &Batch, results: &BTreeMap<String, Array>) -> Result<Comparison, String> {
    let once = simplify(&twice.once);
    let evaluator = Evaluator::new(&once)?;
    let evaluator = evaluator.on(batch)?;
    let mut objective = |arrays: &Arrays| -> Fallible<Weighted> {
        Ok(differences::weighted(&evaluator.run(arrays).expect("values"), arrays))
    };
    let places = differences::places(&twice.once, &twice.joint, batch);
    assert!(!places.is_empty());
    let gradients = twice.gradients(results);
    let found = differences::compare(&gradients, &batch.arrays, &places, 1, Effort::QUICK, &mut objective);
    found.map_err(|e| format!("{e:?}"))
}

/// The scheduled program against the interpreter.
fn program(twice: &Twice, batch: &Batch, expected: &BTreeMap<String, Array>) -> Result<(), String> {
    let options =
        CompileOptions { grad: Some(twice.options.clone()), interpret: true, ..CompileOptions::default() };
    let exe = pipeline::compile(&twice.once, &Bindings::new(), &options).map_err(|e| format!("{e:?}"))?;
    let found = run_batch_within(&exe, batch, Limits::DEFAULT.memory).map_err(|e| format!("{e:?}"))?;
    for (name, array) in expected {
        let scale = array.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        // What is computed may be shorter than what is given, which is padding then.
        let other = &found[name];
        let mut far = array.indexed_iter().map(|(at, x)| (x - other[&at]).abs());
        if let Some(far) = far.find(|far| far.is_nan() || *far > TOLERANCE * scale) {
            return Err(format!("the program's `{name}` is {far} off, of {scale}"));
        }
    }
    Ok(())
}

fn compare(library: &Library, recipe: &Expr) -> Result<(), String> {
    let twice = Twice::new(&graph(library, recipe)).map_err(|e| format!("{e:?}"))?;
    let case = Case::new(twice.joint.clone());
    let mut seen = Vec::new();
    for order in ORDERS {
        let mut batch = case.batch(&order, 1);
        let results = Evaluator::new(&twice.joint)?.run(&batch)?;
        program(&twice, &batch, &results)?;
        // Padding is anything but a number so far; outputs are weighed with what is beside them.
        let is_padding = |x: &&mut f64| x.is_nan();
        batch.arrays.values_mut().for_each(|a| a.iter_mut().filter(is_padding).for_each(|x| *x = 0.0));
        match slopes(&twice, &batch, &results)? {
            Comparison::Agree { .. } => return Ok(()),
            Comparison::Differ(w) => {
                let (derived, measured) = (w.derived, w.measured);
                return Err(format!("the slope by `{}` is {measured:e}, derived is {derived:e}", w.array));
            }
            Comparison::Kink => seen.push("a kink"),
            Comparison::NotFinite => seen.push("no finite value"),
        }
    }
    Err(format!("{seen:?} everywhere"))
}

#[test]
fn everything_is_differentiated_twice() {
    let mut sources = Sources::default();
    let library = library(&mut sources, false);
    let recipes = checked(&library);
    assert!(recipes.len() > 80, "{}", recipes.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = String::new();
        while let Some((name, recipe)) = recipes.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(what) = compare(&library, recipe) {
                failures += &format!("{name}: {what}\n");
            }
        }
        failures
    };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let failures: String = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|w| w.join().expect("no panic")).collect()
    });
    assert!(failures.is_empty(), "{failures}");
}

fn text_graph(text: &str, recipe: &str) -> Graph {
    struct Memory(String);
    impl rnnc::source::Loader for Memory {
        fn load(&self, _: &str) -> Result<String, String> {
            Ok(self.0.clone())
        }
    }
    let mut sources = Sources::default();
    let (library, _) = rnnc::resolve::load(&mut sources, &Memory(text.into()), &["main.rnn".into()]);
    let id = sources.add("recipe", recipe);
    graph(&library, &rnnc::syntax::parse_recipe(&sources, id).expect("a recipe"))
}

#[test]
fn an_adjoint_takes_what_the_graph_takes_and_what_arrives_at_it() {
    let graph = text_graph("", "LSTM(3, 4)");
    let Adjoint { graph: once, again } =
        grad::adjoint(&graph, &grad::Options::default()).expect("an adjoint");
    let names = |g: &Graph| g.sources.iter().map(|s| s.name.to_string()).collect::<Vec<_>>();
    let cotangents = ["h_adj", "c_adj", "h_last_adj", "c_last_adj"].map(String::from);
    let mut expected = names(&graph);
    let own = expected.clone();
    expected.extend(graph.outputs.iter().map(|o| format!("{}_adj", o.name)));
    assert_eq!(names(&once), expected);
    assert!(cotangents.iter().all(|c| expected.contains(c)), "{expected:?}");
    assert!(once.sources.iter().all(|s| s.kind != SourceKind::Cotangent));
    let outputs: Vec<String> = once.outputs.iter().map(|o| o.name.to_string()).collect();
    assert_eq!(outputs, own.iter().map(|name| format!("{name}_adj")).collect::<Vec<_>>());
    // Again and again, and no two arrays have one name.
    let (mut graph, mut again) = (once, again);
    for _ in 0..3 {
        let options = grad::Options { again: Some(again), ..Default::default() };
        let joint = grad::differentiate(&graph, &options).expect("a joint graph");
        verify::verify(&joint).expect("a sound graph");
        Adjoint { graph, again } = grad::adjoint(&graph, &options).expect("an adjoint");
        verify::verify(&graph).expect("a sound graph");
    }
}

#[test]
fn a_kink_has_no_slope_of_its_own() {
    let text = "cell Steps(H) {\n  in x, s : [H]\n  param w : [H] = 1\n  y = relu(w ⊙ x) + abs(x) ⊙ floor(s)\n  out y\n}\n";
    let graph = text_graph(text, "Steps(2)");
    // An author's jump is refused, one of a slope is none.
    let refused = grad::differentiate(&graph, &grad::Options::default()).expect_err("a jump");
    assert_eq!(refused[0].code, "E0501");
    let wrt = Some(vec!["x".to_string(), "w".to_string()]);
    let options = grad::Options { wrt: wrt.clone(), ..Default::default() };
    let Adjoint { graph: once, again } = grad::adjoint(&graph, &options).expect("an adjoint");
    let again = |wrt| grad::Options { wrt, from: None, again: Some(again.clone()) };
    assert!(grad::differentiate(&once, &again(wrt)).is_ok());
    let refused = grad::differentiate(&once, &again(Some(vec!["s".to_string()]))).expect_err("a jump");
    assert_eq!(refused[0].code, "E0501");
}

#[test]
fn the_second_derivative_of_a_product_of_many_factors_is_refused() {
    let text = "cell Area(H) {\n  in x : [H]\n  y = ∏ i in H: x[i]\n  out y\n}\n";
    let Adjoint { graph: once, again } =
        grad::adjoint(&text_graph(text, "Area(3)"), &grad::Options::default()).expect("an adjoint");
    let options = grad::Options { again: Some(again), ..Default::default() };
    assert_eq!(grad::differentiate(&once, &options).expect_err("a product")[0].code, "E0509");
}
