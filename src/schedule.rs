//! From equations to stages: the order, the products, the fusion, the buffers.

use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::loops::Program;

/// Schedules a graph whose dimensions are all numbers.
pub fn schedule(_graph: &Graph) -> Fallible<Program> {
    todo!()
}
