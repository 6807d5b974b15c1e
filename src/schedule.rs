//! From equations to stages: the order, the products, the fusion, the buffers.
//!
//! In: a [`Graph`] whose dimensions are all numbers, forward or forward and adjoint together. Out: a [`Program`].
//! No cell is known here; everything is found from the dependences:
//!
//! 1. [`lower`]: sums of products with Shared matrices become accumulators, sums of outer products gradients;
//! 2. [`order`]: a recurrent component becomes a loop, everything else is computed for whole domains at once;
//! 3. [`fuse`]: kernels between products; what is kept in memory and what is computed again;
//! 4. [`pack`]: buffers, such that one product serves many accumulators and operands;
//! 5. [`emit`]: stages, boundaries, masks; kernels are written by [`kernel`], products by [`products`].
//!
//! Invariant: the program passes [`loops::verify`](crate::loops::verify); its size is linear in the graph's.

mod components;
mod copies;
pub mod cost;
mod emit;
mod errors;
mod explain;
mod fronts;
mod fuse;
mod kernel;
mod linear;
mod lower;
mod order;
mod pack;
mod products;
mod recurrences;
mod value;

use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::loops::Program;

pub use explain::{Figure, Lattice, Nodes, Panel, explain, panels};

/// Schedules a graph whose dimensions are all numbers.
pub fn schedule(graph: &Graph) -> Fallible<Program> {
    let flow = lower::lower(graph)?;
    let order = order::order(&flow).map_err(|d| vec![d])?;
    let plan = fuse::plan(&flow, &order);
    let layout = pack::layout(&flow, &order, &plan);
    let program = emit::emit(&flow, &order, &plan, &layout);
    #[cfg(debug_assertions)]
    if let Err(what) = crate::loops::verify::verify(&program) {
        return Err(vec![errors::malformed(&what, None)]);
    }
    Ok(program)
}
