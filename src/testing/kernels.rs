//! Compiled programs against the interpreter: forward and backward, f32 against f64.
//!
//! All inputs are numbers that an f32 holds, so both sides compute from the same. The interpreter follows a
//! bound of the error of f32 through every operation ([`Bounded`]); each element of each output is held to its
//! own. Nothing in it is chosen: a kernel beyond its bound is wrong.

use super::bounded::Bounded;
use super::{Options, errors};
use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::eqn::eval::number::Number;
use crate::eqn::eval::{Batch, Evaluator};
use crate::grad;
use crate::limits::Limits;
use crate::pipeline::{self, CompileOptions};
use crate::runtime::arrays::run_batch;
use crate::shape::Bindings;
use crate::source::Span;
use ndarray::ArrayD;
use std::collections::BTreeMap;

/// How compiled kernels did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernels {
    /// `share`: the worst error as a share of its bound. `bound`: how much the bounds allow, see
    /// [`Expected::bound`].
    Within { share: f64, bound: f64 },
    /// The back end refuses this program, and says so by a diagnostic of this code.
    Refused(&'static str),
}

/// Outputs of the interpreter with their bounds.
pub struct Expected<'b> {
    batch: &'b Batch,
    arrays: BTreeMap<String, ArrayD<Bounded>>,
}

impl<'b> Expected<'b> {
    /// `joint` is a bound and simplified graph with its gradient.
    pub fn new(joint: &Graph, batch: &'b Batch, at: Span) -> Fallible<Expected<'b>> {
        let arrays = Evaluator::new(joint).and_then(|e| e.on(batch)?.run(&batch.arrays));
        Ok(Expected { batch, arrays: arrays.map_err(|what: String| vec![errors::evaluation(&what, at)])? })
    }

    /// How much the bounds allow: the greatest of an output relative to its greatest element; of all outputs the
    /// median, for there may be one that is 0 but for rounding. Infinite if any is: then rounding decides a
    /// comparison, an index or whether a number is finite.
    pub fn bound(&self) -> f64 {
        let greatest =
            |array: &ArrayD<Bounded>, of: fn(Bounded) -> f64| array.iter().fold(0.0f64, |m, x| m.max(of(*x)));
        let mut bounds = Vec::new();
        for array in self.arrays.values() {
            let (error, value) = (greatest(array, Bounded::error), greatest(array, |x| x.value().abs()));
            if error.is_infinite() {
                return error;
            }
            if value > 0.0 {
                bounds.push(error / value);
            }
        }
        bounds.sort_by(f64::total_cmp);
        bounds.get(bounds.len() / 2).copied().unwrap_or(0.0)
    }
}

/// The kernels of a graph and its gradient, run on the same batch.
pub fn compare(
    graph: &Graph,
    bindings: &Bindings,
    expected: &Expected,
    at: Span,
    options: &Options,
    limits: &Limits,
) -> Fallible<Kernels> {
    let compile = CompileOptions {
        grad: Some(grad::Options::default()),
        interpret: options.interpret_kernels,
        how: options.how,
        limits: *limits,
        ..CompileOptions::default()
    };
    let exe = match pipeline::compile(graph, bindings, &compile) {
        Ok(exe) => exe,
        Err(diagnostics) => {
            return match diagnostics.first() {
                Some(first) if first.code.starts_with("E06") => Ok(Kernels::Refused(first.code)),
                _ => Err(diagnostics),
            };
        }
    };
    let found = run_batch(&exe, expected.batch)?;
    let (mut share, mut failures) = (0.0f64, Vec::new());
    for (name, array) in &expected.arrays {
        let Some(other) = found.get(name).filter(|other| other.shape() == array.shape()) else {
            failures.push(errors::no_kernels(at, name));
            continue;
        };
        let worst = array.iter().zip(other).map(|(x, y)| Off::new(*x, *y)).max_by(|a, b| {
            // A NaN is beyond every bound.
            a.share().total_cmp(&b.share())
        });
        if let Some(worst) = worst {
            share = share.max(worst.share());
            if worst.share() > 1.0 || worst.error.is_nan() {
                failures.push(errors::kernels(at, name, worst.error, worst.bound));
            }
        }
    }
    if failures.is_empty() { Ok(Kernels::Within { share, bound: expected.bound() }) } else { Err(failures) }
}

/// How far one element is off, and may be.
struct Off {
    error: f64,
    bound: f64,
}

impl Off {
    fn new(expected: Bounded, found: f64) -> Off {
        let same = expected.value() == found;
        Off { error: if same { 0.0 } else { (expected.value() - found).abs() }, bound: expected.error() }
    }

    fn share(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { self.error.abs() / self.bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eqn::build;
    use crate::resolve;
    use crate::simplify::simplify;
    use crate::source::{Loader, Sources};
    use crate::testing::draws::{self, Range};

    const GATES: &str = "cell C(I, H) {
  in x : [I]
  state h, c : [H] = 0
  param W_{f i r o} : [H, I] ~ uniform(1)
  param U_{f i r o} : [H, H] ~ uniform(1)
  {f i o} = σ(W_{f i o} @ x + U_{f i o} @ h[t-1])
  r = tanh(W_r @ x + U_r @ h[t-1])
  c = f ⊙ c[t-1] + i ⊙ r
  h = o ⊙ tanh(c)
  out h
}";

    struct One(String);

    impl Loader for One {
        fn load(&self, _: &str) -> Result<String, String> {
            Ok(self.0.clone())
        }
    }

    fn graph(text: &str) -> Graph {
        let mut sources = Sources::default();
        let (library, _) = resolve::load(&mut sources, &One(text.into()), &["one.rnn".into()]);
        let file = sources.add("recipe", "C(3, 8)");
        let recipe = crate::syntax::parse_recipe(&sources, file).unwrap();
        build::build(&library, &recipe, &build::Options::default()).0.unwrap()
    }

    /// The kernels of one text against the equations of another.
    fn outcome(compiled: &str, equations: &str, steps: usize) -> Fallible<Kernels> {
        let joint = grad::differentiate(&graph(equations), &grad::Options::default()).unwrap();
        let none = Bindings::new();
        let joint = simplify(&joint.bind(&none).unwrap());
        let batch = draws::batch(&joint, 1, 3, steps, Range::Signed);
        let at = Span { file: crate::source::FileId(0), start: 0, end: 0 };
        let expected = Expected::new(&joint, &batch, at)?;
        compare(&graph(compiled), &none, &expected, at, &Options::default(), &Limits::DEFAULT)
    }

    #[test]
    fn kernels_of_the_same_equations_are_within_a_bound_that_says_something() {
        for steps in [1, 6] {
            match outcome(GATES, GATES, steps).unwrap() {
                Kernels::Within { share, bound } => {
                    assert!(share < 1.0 && bound < 1e-2, "{share} {bound}")
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_gate_that_is_wrong_by_a_ten_thousandth_is_noticed() {
        for (right, wrong) in [
            ("c = f ⊙ c[t-1]", "c = f ⊙ (1.0001 * c[t-1])"),
            ("i ⊙ r", "i ⊙ (r + 0.0001)"),
            ("h = o ⊙ tanh(c)", "h = 1.0001 * o ⊙ tanh(c)"),
            ("{f i o} = σ(W_{f i o} @ x", "{f i o} = σ(1.0001 * W_{f i o} @ x"),
        ] {
            let text = GATES.replace(right, wrong);
            assert_ne!(text, GATES);
            let errors = outcome(&text, GATES, 8).unwrap_err();
            assert!(errors.iter().all(|e| e.code == "E1013"), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_adjoint_is_noticed() {
        // The same value; the adjoint of one gate is a ten thousandth too great.
        let wrong = GATES.replace("i ⊙ r", "i ⊙ (r + 0.0001 * (r − stop_gradient(r)))");
        assert!(outcome(&wrong, GATES, 8).is_err());
    }
}
