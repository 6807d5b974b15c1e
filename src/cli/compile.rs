//! From a graph to something that runs, as the commands do it.

use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::pipeline::{self, CompileOptions};
use crate::runtime::Executable;
use crate::schedule::Expected;
use crate::schedule::cost::Sizes;
use crate::shape::Bindings;
use std::sync::Arc;

/// Compiles a graph without open dimensions for this machine.
pub fn compile(graph: &Graph) -> Fallible<Arc<Executable>> {
    compile_as(graph, false, Expected::default())
}

/// `interpret`: kernels are interpreted instead of compiled.
pub fn compile_as(graph: &Graph, interpret: bool, expected: Expected) -> Fallible<Arc<Executable>> {
    let options = CompileOptions { interpret, expected, ..CompileOptions::default() };
    pipeline::compile(graph, &Bindings::new(), &options)
}

/// For one example, some steps a run.
pub fn compile_for_one(graph: &Graph) -> Fallible<Arc<Executable>> {
    compile_as(graph, false, Expected::Sizes(Sizes { batch: 1, steps: 1 }))
}
