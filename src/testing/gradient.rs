//! `check grad`: derived gradients against central differences, kernels against the interpreter.
//!
//! The check weighs all real outputs with random cotangents; the gradient of that sum, as derived and
//! simplified, is compared with the slopes of the sum ([`differences`]) for every parameter, input and initial state,
//! at random points. A point near a kink is drawn anew.

use super::differences::{self, Comparison, Effort, Place};
use super::draws::{self, Range};
use super::errors;
use super::{Checked, Options, kernels};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{Arrays, Batch, Evaluator};
use crate::eqn::{Graph, build};
use crate::grad;
use crate::resolve::Library;
use crate::shape::Bindings;
use crate::simplify::simplify;
use crate::source::Span;
use crate::syntax::ast::{Check, ExprKind, Setting};

const ATTEMPTS: usize = 8;
/// Greater ones, relative to the values, say little of kernels.
const USEFUL_BOUND: f64 = 1e-2;
/// Dimensions that the recipe leaves open.
const OPEN_DIM: i64 = 3;

pub fn run(library: &Library, check: &Check, name: &str, options: &Options) -> Fallible<Checked> {
    let (mut steps, mut size) = (5, 2);
    for setting in &check.settings {
        match &*setting.name.name {
            "steps" => steps = whole(setting)?,
            "batch" => size = whole(setting)?,
            other => return Err(vec![errors::setting(other, setting.name.span)]),
        }
    }
    let (graph, diagnostics) = build::build(library, &check.recipe, &build::Options::default());
    let Some(graph) = graph else { return Err(diagnostics) };
    let bindings: Bindings = graph.dims().into_iter().map(|dim| (dim, OPEN_DIM)).collect();
    let subject = Subject::new(&graph, &bindings, check.recipe.span)?;
    let joint = Evaluator::new(&subject.joint).map_err(|what| subject.failed(&what))?;
    let seed = crate::train::draw::key(0, name, 0);
    let mut finite = false;
    for attempt in 0..ATTEMPTS {
        // Signed values first, since they reach more branches.
        let range = if attempt % 2 == 0 { Range::Signed } else { Range::Positive };
        let seed = seed.wrapping_add(attempt as u64);
        let drawn = |steps| draws::batch(&subject.derived, seed, size, steps, range);
        let batch = drawn(steps);
        let places = differences::places(&subject.forward, &subject.joint, &batch);
        match subject.compare(&joint, &batch, &places, seed)? {
            Comparison::NotFinite => {}
            Comparison::Kink => finite = true,
            Comparison::Differ(wrong) => return Err(vec![errors::gradient(subject.at, &wrong)]),
            Comparison::Agree { worst } => {
                let components = places.iter().map(|p| p.elements.len()).sum();
                let at = check.recipe.span;
                // Over many steps errors may grow beyond all bounds; the kernels are the same over fewer.
                let (mut batch, mut steps) = (batch, steps);
                loop {
                    let expected = kernels::Expected::new(&subject.joint, &batch, at)?;
                    let bound = expected.bound();
                    if bound > USEFUL_BOUND && steps > 1 {
                        steps /= 2;
                        batch = drawn(steps);
                        continue;
                    }
                    if bound.is_finite() {
                        let kernels =
                            kernels::compare(&graph, &bindings, &expected, at, options, library.limits())?;
                        return Ok(Checked { components, worst, kernels });
                    }
                    finite = true;
                    break;
                }
            }
        }
    }
    let at = check.recipe.span;
    Err(vec![if finite { errors::no_smooth_point(at, ATTEMPTS) } else { errors::not_finite(at, ATTEMPTS) }])
}

fn whole(setting: &Setting) -> Fallible<usize> {
    match setting.value.kind {
        ExprKind::Number(n, _) if n.fract() == 0.0 && (1.0..=1000.0).contains(&n) => Ok(n as usize),
        _ => Err(vec![errors::setting_value(&setting.name.written, setting.value.span)]),
    }
}

/// One graph in the three forms that are compared.
struct Subject {
    forward: Graph,
    /// Forward and adjoint, simplified.
    joint: Graph,
    /// As derived.
    derived: Graph,
    at: Span,
}

impl Subject {
    fn new(graph: &Graph, bindings: &Bindings, at: Span) -> Fallible<Subject> {
        let derived = grad::differentiate(graph, &grad::Options::default())?.bind(bindings)?;
        Ok(Subject { forward: simplify(&graph.bind(bindings)?), joint: simplify(&derived), derived, at })
    }

    fn failed(&self, what: &str) -> Vec<Diagnostic> {
        vec![errors::evaluation(what, self.at)]
    }

    fn compare(&self, joint: &Evaluator, batch: &Batch, places: &[Place], seed: u64) -> Fallible<Comparison> {
        if places.is_empty() {
            return Err(vec![errors::nothing_to_check(self.at)]);
        }
        let gradients = joint.run(batch).map_err(|what| self.failed(&what))?;
        if gradients.values().flatten().any(|x| !x.is_finite()) {
            return Ok(Comparison::NotFinite);
        }
        self.same_as_derived(batch, &gradients)?;
        let forward = Evaluator::new(&self.forward).map_err(|what| self.failed(&what))?;
        let forward = forward.on(batch).map_err(|what| self.failed(&what))?;
        let mut objective = |arrays: &Arrays| -> Fallible<differences::Weighted> {
            let outputs = forward.run(arrays).map_err(|what| self.failed(&what))?;
            Ok(differences::weighted(&outputs, arrays))
        };
        differences::compare(&gradients, &batch.arrays, places, seed, Effort::THOROUGH, &mut objective)
    }

    /// Simplification may regroup nothing but structural zeros, so it changes nothing but last digits.
    fn same_as_derived(&self, batch: &Batch, simplified: &Arrays) -> Fallible<()> {
        let derived = crate::eqn::eval::eval(&self.derived, batch).map_err(|what| self.failed(&what))?;
        let mut errors: Vec<Diagnostic> = Vec::new();
        for (name, array) in &derived {
            let Some(other) = simplified.get(name) else { continue };
            let greatest = array.iter().fold(1e-9f64, |m, x| m.max(x.abs()));
            let error = array.iter().zip(other).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / greatest;
            // Where the longer way overflows and the shorter does not there is nothing to compare.
            if array.iter().all(|x| x.is_finite()) && error > 1e-9 {
                errors.push(errors::simplified(self.at, name, error));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}
