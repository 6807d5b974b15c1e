//! Building from text and running on drawn arrays.

use super::schedule;

use ndarray::{ArrayD, IxDyn};
use rnnc::diag::Severity;
use rnnc::eqn::build::{Model, Options, build, build_model, check};
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::tree::Tree;
use rnnc::eqn::{DomainKind, Graph, Level, SourceKind, Ty, verify};
use rnnc::resolve::load;
use rnnc::simplify::simplify;
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;

pub type Array = ArrayD<f64>;

struct Memory(String);

impl Loader for Memory {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

type Found = (Option<Graph>, Vec<rnnc::diag::Diagnostic>);

fn try_build(text: &str, recipe: &str) -> Found {
    let mut sources = Sources::default();
    let (library, mut diagnostics) = load(&mut sources, &Memory(text.into()), &["main.rnn".into()]);
    let id = sources.add("recipe", recipe);
    let (graph, found) = build(&library, &parse_recipe(&sources, id).expect("a recipe"), &Options::default());
    diagnostics.extend(found);
    (graph, diagnostics)
}

/// A graph that is sound.
pub fn graph(text: &str, recipe: &str) -> Graph {
    let (graph, diagnostics) = try_build(text, recipe);
    let graph = graph.unwrap_or_else(|| panic!("no graph of {recipe}: {diagnostics:#?}"));
    verify::verify(&graph).expect("a sound graph");
    graph
}

/// The code and message of what must be refused.
pub fn refusal(text: &str, recipe: &str) -> (String, String) {
    let (graph, found) = try_build(text, recipe);
    assert!(graph.is_none(), "{recipe} was not refused");
    let error = found.iter().find(|d| d.severity == Severity::Error).expect("an error");
    (error.code.to_string(), error.message.clone())
}

/// The errors that `rnnc check` finds.
pub fn mistakes(text: &str) -> Vec<rnnc::diag::Diagnostic> {
    let mut sources = Sources::default();
    let (library, mut found) = load(&mut sources, &Memory(text.into()), &["main.rnn".into()]);
    let files: Vec<_> = library.roots().map(|f| f.file).collect();
    files.into_iter().for_each(|f| found.extend(check(&library, f)));
    found.retain(|d| d.severity == Severity::Error);
    found
}

pub fn model(text: &str, name: &str) -> Model {
    let mut sources = Sources::default();
    let (library, diagnostics) = load(&mut sources, &Memory(text.into()), &["main.rnn".into()]);
    let (model, found) = build_model(&library, name, &Options::default());
    model.unwrap_or_else(|| panic!("no model {name}: {diagnostics:#?} {found:#?}"))
}

pub fn array(shape: &[usize], values: &[f64]) -> Array {
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).expect("as many values as the shape says")
}

/// Numbers between −1 and 1, the same for the same seed.
pub fn noise(seed: u64, shape: &[usize]) -> Array {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) as f64 / (1u64 << 30) as f64) - 1.0
    };
    let n: usize = shape.iter().product();
    (0..4).for_each(|_| {
        next();
    });
    array(shape, &(0..n).map(|_| next()).collect::<Vec<_>>())
}

pub struct Inputs(pub Batch);

impl Inputs {
    pub fn new(size: usize) -> Self {
        Inputs(Batch { size, ..Batch::default() })
    }

    pub fn array(mut self, name: &str, value: Array) -> Self {
        self.0.arrays.insert(name.into(), value);
        self
    }

    pub fn trees(mut self, extent: &str, trees: Vec<Tree>) -> Self {
        self.0.trees.insert(extent.into(), trees);
        self
    }

    pub fn lengths(mut self, extent: &str, lengths: &[usize]) -> Self {
        self.0.lengths.insert(extent.into(), lengths.to_vec());
        self
    }

    /// All sources of a graph but initial states, for lengths of its axes.
    pub fn drawn(graph: &Graph, size: usize, lengths: &[(&str, usize)]) -> Self {
        let mut inputs = Inputs::new(size);
        for (extent, n) in lengths {
            inputs.0.lengths.insert(extent.to_string(), vec![*n; size]);
        }
        for (i, s) in graph.sources.iter().enumerate() {
            if matches!(s.kind, SourceKind::Initial { .. }) {
                continue;
            }
            let mut shape: Vec<usize> = Vec::new();
            if let Level::Over(d) = s.level {
                shape.extend(graph.axes(d).iter().map(|a| {
                    let domain = &graph.domains[a.index()];
                    let given = lengths.iter().find(|(e, _)| *e == &*domain.extent).map(|(_, n)| *n);
                    match domain.kind {
                        DomainKind::Chain { fixed: Some(n) } => n as usize,
                        _ => given.unwrap_or_else(|| panic!("no length of {}", domain.extent)),
                    }
                }));
            }
            if s.level != Level::Shared {
                shape.push(size);
            }
            shape.extend(s.shape.iter().map(|d| d.as_constant().expect("a number") as usize));
            let mut value = noise(100 + i as u64, &shape);
            if let Ty::Id(k) = &s.ty {
                let k = k.as_constant().expect("a number") as f64;
                value.mapv_inplace(|v| ((v + 1.0) / 2.0 * k).floor().clamp(0.0, k - 1.0));
            }
            inputs.0.arrays.insert(s.name.to_string(), value);
        }
        inputs
    }

    pub fn get(&self, name: &str) -> &Array {
        self.0.arrays.get(name).unwrap_or_else(|| panic!("no array {name}"))
    }

    /// By the interpreter; kernels give the same, also with the gradient beside them.
    pub fn run(&self, graph: &Graph) -> BTreeMap<String, Array> {
        let out = eval(graph, &self.0).expect("values");
        let check = |graph: &Graph, batch: &Batch| {
            let kernels = schedule::compare(&simplify(graph), batch, 1e-3);
            kernels.unwrap_or_else(|e| panic!("{}: kernels: {e}", graph.name));
        };
        check(graph, &self.0);
        let joint = rnnc::grad::differentiate(graph, &rnnc::grad::Options::default()).expect("a gradient");
        let mut batch = self.0.clone();
        for (i, (name, value)) in out.iter().enumerate() {
            batch.arrays.insert(format!("{name}_adj"), noise(i as u64, value.shape()));
        }
        check(&joint, &batch);
        out
    }
}

pub fn close(a: &Array, b: &Array) {
    assert_eq!(a.shape(), b.shape());
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() < 1e-9, "{a} and {b}");
    }
}
