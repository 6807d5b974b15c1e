//! What is said of a run whose numbers went wrong.
//!
//! In: a workspace as the run left it, with everything that it was given, and the equations of its program. Out: a message
//! that names the equation, the step or point, and the entry of the batch. Nothing is drawn or read anew: what is evaluated
//! again is what the run was on.

use super::batches::Batches;
use super::errors;
use super::model::Made;
use super::optimiser::{Given, Rule};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::Graph;
use crate::eqn::eval::Batch;
use crate::runtime::{Workspace, arrays};
use crate::sanitize::{self, Digits, Fault, Verdict};
use crate::simplify::simplify;

/// A run that is looked into.
pub struct Wrong<'a> {
    pub made: &'a Made,
    pub workspace: &'a Workspace,
    pub batches: &'a Batches<'a>,
    pub step: usize,
    /// How much each entry of the batch counts; one that does not may hold anything.
    pub weights: &'a [f64],
    /// What shows it: `the loss of epoch 2, step 7 is NaN`.
    pub seen: String,
}

/// The message; none if all that is not finite was written so.
pub fn find(wrong: &Wrong) -> Fallible<Option<Diagnostic>> {
    let graph = simplify(&wrong.made.graph);
    let batch = arrays::given(wrong.workspace)?;
    let entries = entries(wrong)?;
    Ok(told(&graph, &batch, &entries, &wrong.seen, |fault| {
        fault.entry.map(|entry| wrong.batches.entry(wrong.step, entry))
    }))
}

/// The message of an update whose results are not finite.
pub fn of_update(rule: &Rule, given: &Given, seen: &str) -> Diagnostic {
    let found = rule.again(given).and_then(|(graph, batch)| told(&graph, &batch, &[0], seen, |_| None));
    found.unwrap_or_else(|| sanitize::errors::unseen(errors::NOT_FINITE, seen))
}

fn told(
    graph: &Graph,
    batch: &Batch,
    entries: &[usize],
    seen: &str,
    entry: impl Fn(&Fault) -> Option<String>,
) -> Option<Diagnostic> {
    match sanitize::look_into(graph, batch, entries, Digits::Single) {
        Ok(Verdict::Fault(fault)) => {
            Some(sanitize::errors::fault(errors::NOT_FINITE, seen, &fault, entry(&fault).as_deref()))
        }
        Ok(Verdict::Meant(fault)) => {
            // A loss of ∞ is none to train by, wherever it comes from.
            let is_measured = fault.output == "loss";
            is_measured
                .then(|| sanitize::errors::fault(errors::NOT_FINITE, seen, &fault, entry(&fault).as_deref()))
        }
        Ok(Verdict::Unseen) => Some(sanitize::errors::unseen(errors::NOT_FINITE, seen)),
        Err(why) => Some(sanitize::errors::blind(errors::NOT_FINITE, seen, &why)),
    }
}

/// The entries that count and have no finite loss; if there are none, all that count.
fn entries(wrong: &Wrong) -> Fallible<Vec<usize>> {
    let losses = wrong.workspace.output("loss")?;
    let counts = |entry: &usize| wrong.weights.get(*entry).is_some_and(|w| *w > 0.0);
    let all: Vec<usize> = (0..wrong.workspace.batch()).filter(counts).collect();
    let bad: Vec<usize> =
        all.iter().copied().filter(|e| losses.get(*e).is_some_and(|loss| !loss.is_finite())).collect();
    Ok(if bad.is_empty() { all } else { bad })
}
