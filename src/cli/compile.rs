//! From a graph to something that runs, as the commands do it.

use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::runtime::Executable;
use crate::{schedule, simplify};
use std::sync::Arc;

/// Compiles a graph without open dimensions for this machine.
pub fn compile(graph: &Graph) -> Fallible<Arc<Executable>> {
    Executable::interpreted(schedule::schedule(&simplify::simplify(graph))?)
}
