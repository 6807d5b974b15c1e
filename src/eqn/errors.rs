//! What can go wrong with an equation graph: numbers for dimensions, and its text form.

use super::typing::show_dim_error;
use crate::diag::Diagnostic;
use crate::shape::{Dim, DimError};
use crate::source::Span;

pub(crate) const UNBOUND: &str = "E0390";
pub(crate) const BAD_EXTENT: &str = "E0391";
pub(crate) const TEXT: &str = "E0490";
pub(crate) const TOO_LARGE: &str = "E0930";

/// A dimension that has no value, or none that an extent can have.
pub(super) fn extent(what: &str, dim: &Dim, error: &DimError, span: Option<Span>) -> Diagnostic {
    match error {
        DimError::Unbound(name) => {
            Diagnostic::error(UNBOUND, format!("dimension `{name}` of {what} has no value"))
                .at_some(span, format!("its size depends on `{name}`"))
                .help(format!("give it a number, such as `{name}=64`"))
        }
        DimError::Negative(n) => {
            Diagnostic::error(BAD_EXTENT, format!("`{dim}` of {what} is {n}, but a size is 0 or more"))
                .at_some(span, "this size would be negative")
                .help("choose other numbers for the dimensions")
        }
        DimError::Overflow => too_large(what, &dim.to_string(), span),
        other => Diagnostic::error(
            BAD_EXTENT,
            format!("`{dim}` of {what} has no value: {}", show_dim_error(other)),
        )
        .at_some(span, "this size is not a whole number")
        .help("choose numbers for which the division leaves no remainder"),
    }
}

pub(super) fn too_large(what: &str, size: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error(TOO_LARGE, format!("{what} is too large: {size} elements"))
        .at_some(span, "this array")
        .help("choose smaller numbers for the dimensions")
}

pub(super) fn too_large_together(elements: u64) -> Diagnostic {
    Diagnostic::error(TOO_LARGE, format!("the arrays are too large together: {elements} elements"))
        .help("choose smaller numbers for the dimensions")
}

/// Numbers that break a rule which held for the symbols, such as a slice that now reaches too far.
pub(super) fn does_not_fit(what: &str, reason: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error(
        BAD_EXTENT,
        format!("with these numbers for the dimensions {what} does not fit: {reason}"),
    )
    .at_some(span, "this value")
    .help("choose other numbers for the dimensions")
}

/// A mistake in the text form of a graph.
pub(super) fn text(line: usize, message: &str) -> Diagnostic {
    Diagnostic::error(TEXT, format!("line {line} of the graph: {message}"))
        .help("the form is the one that `rnnc show --stage eqn` prints")
}

/// A text that reads well but says something that is no graph.
pub(super) fn invalid(message: &str) -> Diagnostic {
    Diagnostic::error(TEXT, format!("the text is no valid graph: {message}"))
        .help("the form is the one that `rnnc show --stage eqn` prints")
}
