//! From a graph to something that runs, as the commands do it.

use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::pipeline::{self, CompileOptions};
use crate::runtime::Executable;
use crate::shape::Bindings;
use std::sync::Arc;

/// Compiles a graph without open dimensions for this machine.
pub fn compile(graph: &Graph) -> Fallible<Arc<Executable>> {
    compile_as(graph, false)
}

/// `interpret`: kernels are interpreted instead of compiled.
pub fn compile_as(graph: &Graph, interpret: bool) -> Fallible<Arc<Executable>> {
    pipeline::compile(graph, &Bindings::new(), &CompileOptions { interpret, ..CompileOptions::default() })
}
