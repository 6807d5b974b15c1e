//! From a graph to an object file.

use super::{CompileOptions, program};
use crate::diag::Fallible;
use crate::eqn::{Graph, Level, SourceKind};
use crate::grad;
use crate::object::{self, Object, Programs};
use crate::schedule::Expected;
use crate::schedule::cost::Sizes;
use crate::shape::Bindings;

/// What an object is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    pub step: bool,
    pub run: bool,
    pub grad: bool,
}

/// The object of a graph without open dimensions.
pub fn object(graph: &Graph, functions: Functions, options: &object::Options) -> Fallible<Object> {
    object::build(programs(graph, functions)?, options)
}

/// The programs of its functions.
pub fn programs(graph: &Graph, functions: Functions) -> Fallible<Programs> {
    let whole = Expected::Sizes(Sizes { batch: 1, steps: 100 });
    let made = |graph: &Graph, expected: Expected, grad: Option<grad::Options>| {
        program(graph, &Bindings::new(), &CompileOptions { grad, expected, ..CompileOptions::default() })
    };
    let mut programs = Programs { title: graph.name.clone(), ..Programs::default() };
    for source in graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_))) {
        let extents = source.shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok());
        programs.params.push((source.name.to_string(), extents.collect()));
    }
    if functions.step {
        programs.step = Some(made(&stepwise(graph), Expected::Steps, None)?);
    }
    if functions.run {
        programs.run = Some(made(graph, whole, None)?);
    }
    if functions.grad {
        programs.grad = Some(made(graph, whole, Some(grad::Options::default()))?);
    }
    Ok(programs)
}

/// The same with the outputs that a step hands over: what there is at each step, without states behind the first output, which
/// the caller finds in the stream's state.
fn stepwise(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let is_state = |name: &str| graph.states.iter().any(|s| *s.name == *name);
    let mut kept = Vec::new();
    for output in &graph.outputs {
        let is_stepwise = matches!(graph.level(output.node), Level::Over(_));
        if is_stepwise && (kept.is_empty() || !is_state(&output.name)) {
            kept.push(output.clone());
        }
    }
    graph.outputs = kept;
    graph
}
