//! Threads of a run are alone with what they write: on any number of them the bits are the same, for several examples of
//! unlike lengths and for one, forward and backward, over chains, grids, trees and pairs of positions.
//!
//! Kernels are interpreted, so that a checker of what Rust allows can follow every access of every thread (`.ci/miri`).

mod support;

use rnnc::eqn::Graph;
use rnnc::eqn::parse::parse;
use rnnc::limits::Limits;
use rnnc::runtime::{Executable, Team, run_batch_on};
use rnnc::schedule::cost::Sizes;
use rnnc::schedule::{Expected, Keep, schedule_for};
use rnnc::simplify::simplify;
use support::recipes::{Case, same_bits};

const CHAIN: &str = "domain n : t
source x : [3] over n = input
source w : [3, 3] shared = param = 0.0
state h : [3] over n = h init zeros
z : [] shared = const(0.0)
zeros : [3] shared = spread(z)
x : [3] over n = source(x)
w : [3, 3] shared = source(w)
old : [3] over n = lag(h, -1)
wo : [3] over n = matmul(w, old)
s : [3] over n = add(wo, x)
h : [3] over n = tanh(s)
total : [3] each = sum_over(h)
out h = h
out total = total
";

/// Nothing but elementwise work and a sum over steps: of one example all threads could write to one row.
const SUM: &str = "domain n : t
source x : [3] over n = input
source b : [3] shared = param = 0.0
x : [3] over n = source(x)
b : [3] shared = source(b)
s : [3] over n = mul(x, b)
h : [3] over n = tanh(s)
total : [3] each = sum_over(h)
out total = total
";

fn joint(text: &str) -> Graph {
    let graph = parse(text).expect("a graph");
    simplify(&rnnc::grad::differentiate(&graph, &Default::default()).expect("a gradient"))
}

fn check(text: &str) {
    let graph = joint(text);
    let case = Case::new(graph.clone());
    for expected in [Expected::Batches, Expected::Sizes(Sizes { batch: 1, steps: 3 })] {
        let program = schedule_for(&graph, expected, Keep::default()).expect("a program");
        let exe = Executable::interpreted(program).expect("a sound program");
        let orders = [&[2][..], &[2, 0, 1]];
        let one = expected != Expected::Batches;
        // What is made for one example is right for several too; under Miri that would take minutes.
        for order in orders.into_iter().take(if one && cfg!(miri) { 1 } else { 2 }) {
            let batch = case.batch(order, 1);
            let run = |team| run_batch_on(&exe, &batch, Limits::DEFAULT.memory, &team).expect("results");
            let alone = run(Team::alone());
            for threads in if cfg!(miri) { 2..3 } else { 2..4 } {
                let found = run(Team::eager(threads));
                for (name, values) in &alone {
                    assert!(
                        same_bits(values, &found[name]),
                        "`{name}` of {order:?} on {threads} threads: {} instead of {values}",
                        found[name]
                    );
                }
            }
        }
    }
}

#[test]
fn chains() {
    check(CHAIN);
}

#[test]
fn sums_over_steps() {
    check(SUM);
}

#[test]
fn grids() {
    check(&support::graphs::GRID.replace("17", "3"));
}

#[test]
fn trees() {
    check(&support::graphs::TREE.replace('9', "3"));
}

#[test]
fn pairs_of_positions() {
    check(&support::graphs::ATTENTION.replace('5', "3"));
}
