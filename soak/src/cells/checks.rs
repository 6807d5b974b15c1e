//! What must hold of a program, check by check.
//!
//! Everything is compared with the interpreter in f64, which is compared with central differences; or with another way to
//! the same bits. Bounds are those that the interpreter derives from the operations
//! ([`Bounded`]): nothing here is chosen but what is said of kinks.

mod text;
mod ways;

use super::case::Case;
use super::subject::{Refused, Subject};
use super::values::{self, Padding};
use rnnc::diag::{Diagnostic, Fallible};
use rnnc::eqn::eval::number::Number;
use rnnc::eqn::eval::{Arrays, Batch, Evaluator};
use rnnc::eqn::{Graph, Output, Ty};
use rnnc::runtime::Team;
use rnnc::simplify::simplify;
use rnnc::testing::bounded::Bounded;
use rnnc::testing::differences::{self, Comparison, Effort};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Every check by name, in the order in which they are made.
pub const CHECKS: &[&str] = &[
    "panic",
    "sound",
    "printed",
    "formatted",
    "equations",
    "gradient",
    "simplified",
    "kernels",
    "saved",
    "recomputed",
    "threads",
    "wide",
    "guarded",
    "alone",
    "stream",
];

#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By the compiler: the code and what was said.
    pub refused: Option<(&'static str, String)>,
    /// How often each check was made.
    pub done: BTreeMap<&'static str, u64>,
    /// Checks that say nothing of this program, and why.
    pub skipped: BTreeMap<String, u64>,
    pub worst_gradient: f64,
    /// The worst error of a kernel as a share of its bound.
    pub worst_share: f64,
    pub failure: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub check: &'static str,
    pub message: String,
}

type Checked = Result<(), Failure>;

fn fail<T>(check: &'static str, message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { check, message: message.into() })
}

/// Of a stage that should not have refused.
fn refused(check: &'static str) -> impl Fn(Vec<Diagnostic>) -> Failure {
    move |found| {
        let first =
            found.first().map_or_else(String::new, |d| format!("{} {} {:?}", d.code, d.message, d.note));
        Failure { check, message: format!("refused: {first}") }
    }
}

/// How many other points are tried where two gradients differ, and how far away, in units of the difference step: a kink
/// or a jump within one step is then behind.
const SHAKES: usize = 6;
const SHAKE: f64 = 0.02;
/// Draws of values until a gradient can be measured.
const ROUNDS: usize = 4;

/// Codes that speak of the compiler, not of the program.
const MISTAKES_OF_RNNC: [&str; 3] = ["E0599", "E0601", "E0999"];

/// Makes the checks of a program, or only the one that a case names.
pub fn check(case: &Case, team: &Arc<Team>, coverage: Option<&mut super::coverage::Coverage>) -> Report {
    let mut report = Report::default();
    let made = catch_unwind(AssertUnwindSafe(|| {
        let subject = match Subject::new(case) {
            Ok(subject) => subject,
            Err(Refused::Said(code, message)) => {
                report.refused = Some((code, message.clone()));
                if MISTAKES_OF_RNNC.contains(&code) {
                    return fail("sound", format!("{code} {message}"));
                }
                return Ok(());
            }
            Err(Refused::Wrong(what)) => return fail("sound", what),
        };
        if let Some(coverage) = coverage {
            subject.count(coverage);
        }
        Checker { case, subject: &subject, team, report: &mut report }.all()
    }));
    report.failure = match made {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(panic) => {
            let what = panic.downcast_ref::<String>().cloned();
            let what = what.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
            Some(Failure { check: "panic", message: what.unwrap_or_else(|| "a panic".into()) })
        }
    };
    report
}

struct Checker<'c> {
    case: &'c Case,
    subject: &'c Subject,
    team: &'c Arc<Team>,
    report: &'c mut Report,
}

impl Checker<'_> {
    fn wants(&self, check: &str) -> bool {
        self.case.check.as_deref().is_none_or(|only| only == check || only == "panic")
    }

    fn did(&mut self, check: &'static str) {
        *self.report.done.entry(check).or_default() += 1;
    }

    fn skip(&mut self, why: impl Into<String>) {
        *self.report.skipped.entry(why.into()).or_default() += 1;
    }

    fn all(&mut self) -> Checked {
        if self.wants("printed") || self.wants("formatted") {
            self.text()?;
        }
        if self.wants("equations") {
            self.equations()?;
        }
        let s = self.subject;
        let draw =
            |round, padding| values::draw(&s.derived, self.case.seed, round, s.batch, s.steps, padding);
        if self.wants("gradient") || self.wants("simplified") {
            self.gradient(&|round| draw(round, Padding::Zeros))?;
        }
        let batch = draw(0, Padding::Garbage);
        self.kernels(&batch)
    }

    /// The interpreter's gradient against central differences, and before against after simplification.
    fn gradient(&mut self, draw: &dyn Fn(usize) -> Batch) -> Checked {
        let s = self.subject;
        let wrong = |what: String| Failure { check: "sound", message: format!("the interpreter: {what}") };
        let joint = Evaluator::new(&s.joint).map_err(wrong)?;
        let derived = Evaluator::new(&s.derived).map_err(wrong)?;
        let forward = Evaluator::new(&s.forward).map_err(wrong)?;
        for round in 0..ROUNDS {
            let batch = draw(round);
            let gradients = joint.run(&batch).map_err(wrong)?;
            if gradients.values().flatten().any(|x| !x.is_finite()) {
                continue;
            }
            match self.same(&derived.run(&batch).map_err(wrong)?, &gradients) {
                Ok(()) => self.did("simplified"),
                Err(_) if has_no_number(&s.derived, &batch) => self.skip("0 times what is no number"),
                Err(failure) => return Err(failure),
            }
            let places = differences::places(&s.forward, &s.joint, &batch);
            let on = forward.on(&batch).map_err(wrong)?;
            let measure = |batch: &Batch, gradients: &Arrays| -> Result<Comparison, Failure> {
                let mut objective = |arrays: &Arrays| -> Fallible<differences::Weighted> {
                    let outputs = on.run(arrays).map_err(|what| vec![Diagnostic::error("E1007", what)])?;
                    Ok(differences::weighted(&outputs, arrays))
                };
                let seed = self.case.seed;
                let gradients = &s.gradients(gradients);
                differences::compare(gradients, &batch.arrays, &places, seed, Effort::QUICK, &mut objective)
                    .map_err(refused("gradient"))
            };
            match measure(&batch, &gradients)? {
                Comparison::NotFinite | Comparison::Kink => continue,
                Comparison::Agree { worst } => {
                    self.report.worst_gradient = self.report.worst_gradient.max(worst);
                    self.did("gradient");
                    return Ok(());
                }
                Comparison::Differ(wrong_slope) => {
                    // A jump within a step looks like this too, but not at points away from it.
                    let mut agrees = false;
                    for shake in 1..=SHAKES {
                        let moved = shaken(&s.derived, &batch, shake);
                        let gradients = joint.run(&moved).map_err(wrong)?;
                        agrees |= matches!(measure(&moved, &gradients)?, Comparison::Agree { .. });
                    }
                    if agrees {
                        self.skip("a jump beside the point");
                        continue;
                    }
                    let w = &wrong_slope;
                    let place = w.index.as_ref().map_or("along all elements".into(), |i| format!("at {i:?}"));
                    return fail(
                        "gradient",
                        format!(
                            "`{}` {place}: derived {:e}, measured {:e}, relative error {:.1e}",
                            w.array, w.derived, w.measured, w.relative
                        ),
                    );
                }
            }
        }
        self.skip("no smooth point");
        Ok(())
    }

    /// Simplification regroups nothing but structural zeros.
    fn same(&self, derived: &Arrays, simplified: &Arrays) -> Checked {
        for (name, array) in derived {
            let Some(other) = simplified.get(name) else { return fail("simplified", format!("no `{name}`")) };
            let greatest = array.iter().fold(1e-6f64, |m, x| m.max(x.abs()));
            let error = array.iter().zip(other).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / greatest;
            // Where the longer way overflows and the shorter does not there is nothing to compare.
            if array.iter().all(|x| x.is_finite()) && error > 1e-8 {
                return fail("simplified", format!("`{name}` differs by {error:e} after simplification"));
            }
        }
        Ok(())
    }

    /// The outputs of compiled programs, each element within its bound.
    fn within(
        &mut self,
        check: &'static str,
        expected: &BTreeMap<String, ndarray::ArrayD<Bounded>>,
        found: &Arrays,
    ) -> Checked {
        let mut is_open = false;
        for (name, array) in expected {
            let Some(other) = found.get(name) else { return fail(check, format!("no output `{name}`")) };
            if other.shape() != array.shape() {
                let shapes = format!("{:?} and {:?}", other.shape(), array.shape());
                return fail(check, format!("`{name}`: shapes {shapes}"));
            }
            for ((index, x), y) in array.indexed_iter().zip(other) {
                if x.error().is_infinite() {
                    is_open = true;
                    continue;
                }
                let error = (x.value() - y).abs();
                if x.value() == *y {
                    continue;
                }
                if error > x.error() || error.is_nan() {
                    let place = ndarray::Dimension::slice(&index).to_vec();
                    let message = format!(
                        "`{name}` at {place:?}: {y:e}, expected {:e}; off by {error:.2e}, bound {:.2e}",
                        x.value(),
                        x.error()
                    );
                    return fail(check, message);
                }
                self.report.worst_share = self.report.worst_share.max(error / x.error());
            }
        }
        self.did(check);
        if is_open {
            self.skip("some elements that rounding decides");
        }
        Ok(())
    }
}

/// A small move of every real array.
fn shaken(graph: &rnnc::eqn::Graph, batch: &Batch, shake: usize) -> Batch {
    let mut moved = batch.clone();
    for source in graph.sources.iter().filter(|s| s.ty == rnnc::eqn::Ty::Real) {
        let Some(array) = moved.arrays.get_mut(&*source.name) else { continue };
        for (i, x) in array.iter_mut().enumerate() {
            *x += SHAKE * (2.0 * super::rng::unit(shake as u64, &source.name, i) - 1.0);
        }
    }
    moved
}

/// A graph with some of its outputs, and nothing that only the others need.
fn with_outputs(graph: &rnnc::eqn::Graph, keep: impl Fn(&rnnc::eqn::Output) -> bool) -> rnnc::eqn::Graph {
    let mut graph = graph.clone();
    graph.outputs.retain(keep);
    simplify(&graph)
}

/// Whether some value of a graph, on the way to its outputs, is no number. Simplification makes 0 of 0 times that, so what is
/// compared with it may be another.
fn has_no_number(graph: &Graph, batch: &Batch) -> bool {
    let mut all = graph.clone();
    let reals = graph.node_ids().filter(|id| *graph.ty(*id) == Ty::Real);
    all.outputs = reals.map(|node| Output { name: format!("%{}", node.index()).into(), node }).collect();
    let values = Evaluator::new(&all).and_then(|evaluator| evaluator.run(batch));
    values.is_ok_and(|values| values.values().flatten().any(|x| x.is_nan()))
}
