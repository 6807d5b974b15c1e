//! Reverse-mode differentiation of any [`Graph`](crate::eqn::Graph).

use crate::diag::Fallible;
use crate::eqn::Graph;

/// What to differentiate with respect to, and which outputs send a cotangent.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of sources; `None`: every real input, parameter and initial state.
    pub wrt: Option<Vec<String>>,
    /// Names of outputs; `None`: all real ones.
    pub from: Option<Vec<String>>,
}

/// The graph with its adjoint beside it: for each chosen output a `Cotangent` source `NAME_adj` of
/// the output's shape and level, for each chosen source an output `NAME_adj`. Gradients of Shared
/// sources are summed over points and examples.
pub fn differentiate(_graph: &Graph, _options: &Options) -> Fallible<Graph> {
    todo!()
}
