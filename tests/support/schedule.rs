//! Scheduled programs against the reference interpreter.

use ndarray::ArrayD;
use rnnc::eqn::Graph;
use rnnc::eqn::eval::{Batch, eval};
use rnnc::runtime::{Executable, run_batch};
use rnnc::schedule::schedule;

pub type Outputs = std::collections::BTreeMap<String, ArrayD<f64>>;

/// The outputs of the scheduled program, run by the kernel interpreter.
pub fn run_scheduled(graph: &Graph, batch: &Batch) -> Result<Outputs, String> {
    let program = schedule(graph).map_err(|e| format!("refused: {}", e[0].message))?;
    let exe =
        Executable::interpreted(program).map_err(|e| format!("unsound: {} {:?}", e[0].message, e[0].note))?;
    run_batch(&exe, batch).map_err(|e| format!("run: {}", e[0].message))
}

/// A batch with every number as f32 has it.
pub fn rounded(batch: &Batch) -> Batch {
    let mut batch = batch.clone();
    for a in batch.arrays.values_mut() {
        a.mapv_inplace(|x| f64::from(x as f32));
    }
    batch
}

/// The largest difference, relative to 1 or the larger value, with its place. NaN equals NaN.
pub fn difference(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    if a.shape() != b.shape() {
        return f64::INFINITY;
    }
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |worst: f64, (x, y)| {
        if (x.is_nan() && y.is_nan()) || x == y {
            return worst;
        }
        let d = (x - y).abs() / x.abs().max(y.abs()).max(1.0);
        if d.is_nan() { f64::INFINITY } else { worst.max(d) }
    })
}

/// Compares all outputs; `Err` names the first that differs.
pub fn compare(graph: &Graph, batch: &Batch, tolerance: f64) -> Result<(), String> {
    let batch = rounded(batch);
    let expected = eval(graph, &batch)?;
    let got = run_scheduled(graph, &batch)?;
    for (name, e) in &expected {
        let g = got.get(name).ok_or_else(|| format!("no output {name}"))?;
        if g.shape() != e.shape() {
            return Err(format!("{name}: shape {:?}, expected {:?}", g.shape(), e.shape()));
        }
        let d = difference(g, e);
        if d > tolerance {
            return Err(format!("{name} differs by {d}:\n got {g:?}\n expected {e:?}"));
        }
    }
    Ok(())
}

use ndarray::IxDyn;
use rand::{RngExt, SeedableRng};
use rnnc::eqn::build::{Options, build, build_model};
use rnnc::eqn::{DomainKind, Level, Ty};
use rnnc::shape::Bindings;

struct Memory(String);

impl rnnc::source::Loader for Memory {
    fn load(&self, path: &str) -> Result<String, String> {
        if path == "main.rnn" { Ok(self.0.clone()) } else { Err("no such file".into()) }
    }
}

fn with_library<T>(
    text: &str,
    f: impl FnOnce(&mut rnnc::source::Sources, &rnnc::resolve::Library) -> T,
) -> T {
    let mut sources = rnnc::source::Sources::default();
    let (library, found) = rnnc::resolve::load(&mut sources, &Memory(text.into()), &["main.rnn".to_string()]);
    let errors: Vec<_> = found.iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    f(&mut sources, &library)
}

/// The graph of a recipe over the cells of `text`, with numbers for its dimensions.
pub fn recipe(text: &str, recipe: &str, numbers: &[(&str, i64)]) -> Graph {
    with_library(text, |sources, library| {
        let id = sources.add("recipe", recipe);
        let expr = rnnc::syntax::parse_recipe(sources, id).expect(recipe);
        let (graph, found) = build(library, &expr, &Options::default());
        bound(&graph.unwrap_or_else(|| panic!("{recipe}: {found:#?}")), numbers)
    })
}

pub fn model(text: &str, name: &str, numbers: &[(&str, i64)]) -> Graph {
    with_library(text, |_, library| {
        let (model, found) = build_model(library, name, &Options::default());
        bound(&model.unwrap_or_else(|| panic!("{name}: {found:#?}")).graph, numbers)
    })
}

fn bound(graph: &Graph, numbers: &[(&str, i64)]) -> Graph {
    let bindings: Bindings = numbers.iter().map(|(k, v)| ((*k).into(), *v)).collect();
    graph.bind(&bindings).unwrap_or_else(|e| panic!("{}", e[0].message))
}

/// Forward and adjoint together, simplified.
pub fn joint(graph: &Graph) -> Graph {
    let options = rnnc::grad::Options::default();
    let joint = rnnc::grad::differentiate(graph, &options).unwrap_or_else(|e| panic!("{}", e[0].message));
    rnnc::simplify::simplify(&joint)
}

/// Random arrays for every source. Chains of fixed length keep it.
pub fn batch(graph: &Graph, lengths: &[usize], seed: u64) -> Batch {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut batch = Batch { size: lengths.len(), ..Batch::default() };
    for d in &graph.domains {
        let DomainKind::Chain { fixed } = d.kind else { continue };
        let all = lengths.iter().map(|n| fixed.map_or(*n, |n| n as usize)).collect();
        batch.lengths.insert(d.extent.to_string(), all);
    }
    for s in &graph.sources {
        let mut shape = match s.level {
            Level::Shared => vec![],
            Level::Example => vec![batch.size],
            Level::Over(d) => {
                let lengths = &batch.lengths[&*graph.domains[d.index()].extent];
                vec![lengths.iter().copied().max().unwrap_or(0), batch.size]
            }
        };
        shape.extend(s.shape.iter().map(|d| d.as_constant().unwrap() as usize));
        let symbols = match &s.ty {
            Ty::Real => None,
            Ty::Bool => Some(2),
            Ty::Id(k) => k.as_constant(),
        };
        let count: usize = shape.iter().product();
        let values: Vec<f64> = (0..count)
            .map(|_| match symbols {
                Some(k) => rng.random_range(0..k) as f64,
                None => rng.random_range(-1.0..1.0),
            })
            .collect();
        batch.arrays.insert(s.name.to_string(), ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap());
    }
    batch
}
