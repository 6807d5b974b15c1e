//! The derived equations in LaTeX: an `aligned` environment, one equation a line.
//!
//! In: a graph. Out: text for a formula. The adjoint of `c` is `\bar{c}`; places in the chain are subscripts; braces are
//! written out, one line for each word.

use super::Options;
use super::print::reading;
use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::syntax::ast::*;
use crate::typeset::{Formula, Notation, latex};

/// The equations of [`reading::adjoint`]: names of instances as paths, which as plain names could not be told from others.
pub fn adjoint_latex(graph: &Graph, options: &Options) -> Fallible<String> {
    let reading = reading::adjoint(graph, options)?;
    Ok(latex::aligned(&formulas(&reading.notation, reading.system.iter())))
}

/// The equations of a graph as they are computed.
pub fn forward_latex(graph: &Graph) -> Fallible<String> {
    let reading = reading::forward(graph)?;
    Ok(latex::aligned(&formulas(&reading.notation, reading.forward.iter().map(|e| &e.equation))))
}

fn formulas<'e>(notation: &Notation, equations: impl Iterator<Item = &'e Equation>) -> Vec<Formula> {
    equations.flat_map(|equation| notation.equation(equation)).collect()
}
