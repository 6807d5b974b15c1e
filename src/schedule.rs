//! From equations to stages: the order, the products, the fusion, the buffers.
//!
//! In: a [`Graph`] whose dimensions are all numbers, forward or forward and adjoint together. Out: a [`Program`].
//! No cell is known here; everything is found from the dependences:
//!
//! 1. [`lower`]: sums of products with Shared matrices become accumulators, sums of outer products gradients;
//! 2. [`order`]: a recurrent component becomes a loop, everything else is computed for whole domains at once;
//! 3. [`fuse`]: kernels between products; what is kept in memory and what is computed again;
//! 4. [`pack`]: buffers, such that one product serves many accumulators and operands;
//! 5. [`emit`]: stages, boundaries, masks; kernels are written by [`kernel`], products by [`products`];
//! 6. [`stream`]: if it runs step by step, everything in one loop; [`join`]: products inside kernels, if that pays.
//!
//! Invariant: the program passes [`loops::verify`](crate::loops::verify); its size is linear in the graph's.

pub(crate) mod components;
mod copies;
pub mod cost;
mod emit;
mod errors;
mod explain;
mod fronts;
mod fuse;
mod give;
mod interleave;
mod join;
mod kernel;
mod linear;
mod lower;
mod order;
mod pack;
mod products;
mod recurrences;
mod stream;
mod value;

use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::loops::Program;

pub(crate) use errors::no_stream;
pub use explain::{Figure, Lattice, Nodes, Panel, explain, panels};
pub(crate) use join::product_nests;

/// What a program is going to be run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Many examples at once.
    #[default]
    Batches,
    /// So many examples and steps. Others are right too, but not as fast.
    Sizes(cost::Sizes),
    /// Step after step of one example, through a [`Stream`](crate::runtime::Stream).
    Steps,
}

/// What kernels leave in memory for others. Changes what a program costs, not what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// What is dear is kept, what is cheap is computed again.
    #[default]
    Dear,
    /// Everything that is read elsewhere.
    All,
    /// As little as can be: whatever is made element by element is made again, however dear.
    Least,
}

/// Schedules a graph whose dimensions are all numbers.
pub fn schedule(graph: &Graph) -> Fallible<Program> {
    schedule_for(graph, Expected::default(), Keep::default())
}

/// [`schedule`], for what is expected, keeping what is wanted.
pub fn schedule_for(graph: &Graph, expected: Expected, keep: Keep) -> Fallible<Program> {
    schedule_in_order(graph, expected, keep, false)
}

/// [`schedule_for`], with all that depends on a cotangent behind all that does not: two parts that can be run one after the
/// other, the cotangents being given in between (see [`loops::cut`](crate::loops::cut)).
pub fn schedule_apart(graph: &Graph, expected: Expected, keep: Keep) -> Fallible<Program> {
    schedule_in_order(graph, expected, keep, true)
}

fn schedule_in_order(graph: &Graph, expected: Expected, keep: Keep, apart: bool) -> Fallible<Program> {
    let flow = lower::lower(graph)?;
    let order = order::order(&flow, apart).map_err(|d| vec![d])?;
    let plan = fuse::plan(&flow, &order, keep);
    let layout = pack::layout(&flow, &order, &plan);
    let mut program = emit::emit(&flow, &order, &plan, &layout);
    match expected {
        Expected::Batches => {}
        Expected::Sizes(sizes) => join::join(&mut program, sizes),
        Expected::Steps => {
            program = stream::stream(program).map_err(|what| vec![errors::no_stream(what)])?;
            join::join(&mut program, cost::Sizes { batch: 1, steps: 1 });
            give::give(&mut program);
        }
    }
    #[cfg(debug_assertions)]
    if let Err(what) = crate::loops::verify::verify(&program) {
        return Err(vec![errors::malformed(&what, None)]);
    }
    Ok(program)
}
