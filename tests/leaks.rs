//! Lengths, trees and padding never leak: in compiled kernels, forward and backward, an example's results are the same bits
//! wherever it stands in a batch, whatever stands beside it, and whatever lies behind its end. Nor does the number of
//! threads show.
//!
//! Over all recipes that the standard library checks.

mod support;

use rnnc::eqn::build;
use rnnc::eqn::eval::Batch;
use rnnc::grad;
use rnnc::limits::Limits;
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::resolve::Library;
use rnnc::runtime::{Executable, Team, run_batch, run_batch_on};
use rnnc::shape::Bindings;
use rnnc::source::Sources;
use rnnc::syntax::ast::Expr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::recipes::{Case, EXAMPLES, checked, library, same_bits};

/// How many numbers were compared, or what leaked.
fn compare(library: &Library, recipe: &Expr) -> Result<usize, String> {
    let (graph, found) = build::build(library, recipe, &build::Options::default());
    let graph = graph.ok_or_else(|| format!("{found:?}"))?;
    let bindings: Bindings = graph.dims().into_iter().map(|dim| (dim, 3)).collect();
    let joint = grad::differentiate(&graph, &grad::Options::default()).map_err(|e| format!("{e:?}"))?;
    let case = Case::new(joint.bind(&bindings).map_err(|e| format!("{e:?}"))?);
    let options = CompileOptions { grad: Some(grad::Options::default()), ..CompileOptions::default() };
    let exe = compile(&graph, &bindings, &options).map_err(|e| format!("{e:?}"))?;
    let run = |order: &[usize], more: usize| -> Result<_, String> {
        let out =
            run_batch(&exe, &case.batch(order, more)).map_err(|e| format!("{order:?} + {more}: {e:?}"))?;
        Ok(case.results(&out, order))
    };
    same_on_threads(&exe, &case.batch(&[3, 0, 4, 2, 1], 1))?;
    same_on_threads(&exe, &case.batch(&[4], 1))?;
    let alone: Vec<_> = (0..EXAMPLES).map(|e| Ok(run(&[e], 0)?.remove(0))).collect::<Result<_, String>>()?;
    let mut count = 0;
    for (order, more) in
        [(&[0, 1, 2, 3, 4][..], 0), (&[3, 0, 4, 2, 1], 2), (&[1, 1, 3, 0, 2, 4, 4, 3, 0, 2, 1], 1), (&[2], 3)]
    {
        for (k, results) in run(order, more)?.into_iter().enumerate() {
            for (name, values) in results {
                let own = &alone[order[k]][&name];
                if !same_bits(&values, own) {
                    return Err(format!(
                        "`{name}` of example {} at {k} of {order:?}, {more} more points: {values} instead of {own}",
                        order[k]
                    ));
                }
                if values.iter().any(|v| !v.is_finite()) {
                    return Err(format!("`{name}` of example {} is {values}", order[k]));
                }
                count += values.len();
            }
        }
    }
    Ok(count)
}

/// All outputs, those that are summed over examples too, have the same bits on any number of threads.
fn same_on_threads(exe: &Arc<Executable>, batch: &Batch) -> Result<(), String> {
    let run = |team: &Arc<Team>| {
        run_batch_on(exe, batch, Limits::DEFAULT.memory, team).map_err(|e| format!("{e:?}"))
    };
    let alone = run(&Team::alone())?;
    for threads in [2, 3, 5] {
        let found = run(&Team::eager(threads))?;
        for (name, values) in &alone {
            if !same_bits(&found[name], values) {
                return Err(format!("`{name}` on {threads} threads: {} instead of {values}", found[name]));
            }
        }
    }
    Ok(())
}

#[test]
fn an_example_is_alone_in_every_batch() {
    let mut sources = Sources::default();
    let library = library(&mut sources, false);
    let recipes = checked(&library);
    assert!(recipes.len() > 80, "{}", recipes.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = String::new();
        while let Some((name, recipe)) = recipes.get(next.fetch_add(1, Ordering::Relaxed)) {
            match compare(&library, recipe) {
                Ok(0) => failures += &format!("{name}: nothing to compare\n"),
                Ok(_) => {}
                Err(what) => failures += &format!("{name}: {what}\n"),
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
