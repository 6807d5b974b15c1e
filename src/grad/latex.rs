//! The derived equations in LaTeX: an `aligned` environment, one equation a line.
//!
//! In: a graph. Out: text for a formula. The adjoint of `c` is `\bar{c}`; places in the chain are subscripts; braces are
//! written out, one line for each word.

use super::Options;
use super::print::{derive, reading};
use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::syntax::ast::*;
use crate::typeset::{Formula, Notation, latex};

/// The equations of [`super::print::adjoint_cell`]; of what is no cell of the language those of
/// [`reading::adjoint`].
pub fn adjoint_latex(graph: &Graph, options: &Options) -> Fallible<String> {
    let Ok(derived) = derive(graph, options) else {
        let reading = reading::adjoint(graph, options)?;
        return Ok(latex::aligned(&formulas(&reading.notation, reading.system.iter())));
    };
    let ItemKind::Cell(Cell { def: CellDef::Body(body), .. }) = &derived.item.kind else {
        return Ok(String::new());
    };
    let over = derived.over.into_iter().map(|name| (name, derived.variable.clone())).collect();
    let notation = Notation { over, chains: [derived.variable.clone()].into() };
    let equations = body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        StmtKind::Equation(equation) => Some(equation),
        _ => None,
    });
    Ok(latex::aligned(&formulas(&notation, equations)))
}

/// The equations of a graph as they are computed.
pub fn forward_latex(graph: &Graph) -> Fallible<String> {
    let reading = reading::forward(graph)?;
    Ok(latex::aligned(&formulas(&reading.notation, reading.forward.iter().map(|e| &e.equation))))
}

fn formulas<'e>(notation: &Notation, equations: impl Iterator<Item = &'e Equation>) -> Vec<Formula> {
    equations.flat_map(|equation| notation.equation(equation)).collect()
}
