//! `check grad`: derived gradients against central differences.
//!
//! The check weighs all real outputs with random cotangents; the gradient of that sum, as derived and
//! simplified, is compared component by component with `(4 D(h/2) − D(h)) / 3`, where `D` is the central
//! difference of the interpreter in f64: its error is of order h⁴, and rounding adds about 1e-13 / h.
//!
//! Kinks. Where the function is smooth, D(h) and D(h/2) agree to order h². Where a component is off by no
//! more than the two differ, a kink lies within the step, and the whole point is drawn anew. A wrong
//! adjoint is off by much more than they differ, so it is never taken for a kink.

use super::draws::{self, Range};
use super::errors::{self, Wrong};
use super::{Checked, Options, kernels};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{Batch, Evaluator};
use crate::eqn::{Graph, Ty, build};
use crate::grad;
use crate::resolve::Library;
use crate::shape::Bindings;
use crate::simplify::simplify;
use crate::source::Span;
use crate::syntax::ast::{Check, ExprKind, Setting};
use ndarray::ArrayD;
use std::collections::BTreeMap;

/// Greatest relative error of a component.
const TOLERANCE: f64 = 1e-6;
/// Errors are relative to the component, but at least to this share of the array's greatest one.
const SHARE: f64 = 1e-2;
const STEP: f64 = 2e-3;
const ATTEMPTS: usize = 8;
/// More components than this are sampled at even distances.
const MAX_COMPONENTS: usize = 4096;
/// Greater ones, relative to the values, say little of kernels.
const USEFUL_BOUND: f64 = 1e-2;
/// Dimensions that the recipe leaves open.
const OPEN_DIM: i64 = 3;

type Arrays = BTreeMap<String, ArrayD<f64>>;

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
    let seed = crate::train::draw::key(0, name, 0);
    let mut finite = false;
    for attempt in 0..ATTEMPTS {
        // Signed values first, since they reach more branches.
        let range = if attempt % 2 == 0 { Range::Signed } else { Range::Positive };
        let seed = seed.wrapping_add(attempt as u64);
        let drawn = |steps| draws::batch(&subject.derived, seed, size, steps, range);
        let batch = drawn(steps);
        match subject.compare(&batch)? {
            Comparison::NotFinite => {}
            Comparison::Kink => finite = true,
            Comparison::Done { components, worst } => {
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
                        let kernels = kernels::compare(&graph, &bindings, &expected, at, options)?;
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

enum Comparison {
    NotFinite,
    Kink,
    Done { components: usize, worst: f64 },
}

impl Subject {
    fn new(graph: &Graph, bindings: &Bindings, at: Span) -> Fallible<Subject> {
        let derived = grad::differentiate(graph, &grad::Options::default())?.bind(bindings)?;
        Ok(Subject { forward: simplify(&graph.bind(bindings)?), joint: simplify(&derived), derived, at })
    }

    fn evaluate(&self, graph: &Graph, batch: &Batch) -> Fallible<Arrays> {
        crate::eqn::eval::eval(graph, batch).map_err(|what| vec![errors::evaluation(&what, self.at)])
    }

    fn gradients(&self, batch: &Batch) -> Fallible<Arrays> {
        self.evaluate(&self.joint, batch)
    }

    fn compare(&self, batch: &Batch) -> Fallible<Comparison> {
        let gradients = self.gradients(batch)?;
        if gradients.values().flatten().any(|x| !x.is_finite()) {
            return Ok(Comparison::NotFinite);
        }
        self.same_as_derived(batch, &gradients)?;
        let evaluator =
            Evaluator::new(&self.forward).map_err(|what| vec![errors::evaluation(&what, self.at)])?;
        let objective = |batch: &Batch| -> Fallible<f64> {
            let outputs = evaluator.run(batch).map_err(|what| vec![errors::evaluation(&what, self.at)])?;
            Ok(self.weighted(&outputs, batch))
        };

        let places = self.places(batch, &gradients);
        if places.is_empty() {
            return Err(vec![errors::nothing_to_check(self.at)]);
        }
        let stride = places.len().div_ceil(MAX_COMPONENTS);
        let mut batch = batch.clone();
        let (mut components, mut worst, mut wrong) = (0, 0.0f64, Vec::new());
        for (name, flat) in places.into_iter().step_by(stride) {
            let Some(gradient) = gradients.get(&format!("{name}_adj")) else { continue };
            let Some(derived) = gradient.iter().nth(flat).copied() else { continue };
            let x = element(&mut batch, &name, flat).map_or(0.0, |x| *x);
            let h = STEP * x.abs().max(0.5);
            let mut difference = |h: f64| -> Fallible<f64> {
                let mut at = |value: f64| {
                    if let Some(x) = element(&mut batch, &name, flat) {
                        *x = value;
                    }
                    objective(&batch)
                };
                let d = (at(x + h)? - at(x - h)?) / (2.0 * h);
                at(x)?;
                Ok(d)
            };
            let (coarse, fine) = (difference(h)?, difference(h / 2.0)?);
            let measured = (4.0 * fine - coarse) / 3.0;
            if !measured.is_finite() {
                return Ok(Comparison::NotFinite);
            }
            let greatest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
            let scale = derived.abs().max(measured.abs()).max(SHARE * greatest).max(1e-5);
            let relative = (derived - measured).abs() / scale;
            components += 1;
            worst = worst.max(relative);
            if relative > TOLERANCE {
                if (derived - measured).abs() < 2.0 * (coarse - fine).abs() {
                    return Ok(Comparison::Kink);
                }
                let index = unravel(flat, gradient.shape());
                wrong.push(Wrong { array: name, index, derived, measured, relative });
            }
        }
        let count = wrong.len();
        match wrong.into_iter().max_by(|a, b| a.relative.total_cmp(&b.relative)) {
            Some(wrong) => Err(vec![errors::gradient(self.at, &wrong, count, components)]),
            None => Ok(Comparison::Done { components, worst }),
        }
    }

    /// Simplification may regroup nothing but structural zeros, so it changes nothing but last digits.
    fn same_as_derived(&self, batch: &Batch, simplified: &Arrays) -> Fallible<()> {
        let derived = self.evaluate(&self.derived, batch)?;
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

    /// The sum of all real outputs, each element times its cotangent.
    fn weighted(&self, outputs: &Arrays, batch: &Batch) -> f64 {
        let mut sum = 0.0;
        for (name, output) in outputs {
            if let Some(cotangent) = batch.arrays.get(&format!("{name}_adj")) {
                sum += output.iter().zip(cotangent).map(|(o, c)| o * c).sum::<f64>();
            }
        }
        sum
    }

    /// Every true element of every source that has a gradient.
    fn places(&self, batch: &Batch, gradients: &Arrays) -> Vec<(String, usize)> {
        let mut places = Vec::new();
        for source in &self.forward.sources {
            let name = source.name.to_string();
            let (Some(array), true) = (batch.arrays.get(&name), source.ty == Ty::Real) else { continue };
            if !gradients.contains_key(&format!("{name}_adj")) {
                continue;
            }
            let axes = self.forward.axes_of(source.level);
            for flat in 0..array.len() {
                let index = unravel(flat, array.shape());
                let example = index.get(axes.len()).copied().unwrap_or(0);
                let inside = axes.iter().zip(&index).all(|(axis, x)| {
                    let extent = &*self.forward.domains[axis.index()].extent;
                    let nodes = batch.trees.get(extent).and_then(|all| Some(all.get(example)?.nodes()));
                    let length = batch.lengths.get(extent).and_then(|all| all.get(example).copied());
                    nodes.or(length).is_none_or(|n| *x < n)
                });
                if inside {
                    places.push((name.clone(), flat));
                }
            }
        }
        places
    }
}

fn element<'b>(batch: &'b mut Batch, name: &str, flat: usize) -> Option<&'b mut f64> {
    batch.arrays.get_mut(name)?.as_slice_mut()?.get_mut(flat)
}

/// The indices of an element, row-major.
fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = Vec::with_capacity(shape.len());
    for extent in shape.iter().rev() {
        index.push(flat % (*extent).max(1));
        flat /= (*extent).max(1);
    }
    index.reverse();
    index
}
