//! What the scheduler refuses.

use crate::diag::Diagnostic;
use crate::source::Span;

/// A dimension that is still symbolic.
pub fn open_dimension(dim: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0611", format!("the dimension `{dim}` has no number yet"))
        .at_some(span, "this value's size depends on it")
        .help("give it a value: as an argument of the recipe, or with `--set NAME=NUMBER`")
}

/// Read before and after itself.
pub fn no_order(name: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0612", format!("`{name}` is read before and after itself: no order exists"))
        .at_some(span, "this value depends on its own past and its own future")
        .help("split it into two states, one read at earlier points and one at later points")
}

/// Reads from points on all sides; `vectors` say where a point is read, seen from it.
pub fn no_front(name: &str, vectors: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0612", format!("`{name}` is read from all sides: no order of its points exists"))
        .at_some(span, format!("a point of this is needed by those at {vectors}"))
        .help("split it into states that each are read at points before them in one order of the domain")
}

/// A recurrence through something that needs the whole domain.
pub fn needs_whole_domain(name: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0613", format!("the recurrence of `{name}` needs all points of its domain at once"))
        .at_some(span, "this value is needed for its own computation at every point")
        .help("a sum over a domain, `last` or `reverse` can only be taken of values that are complete")
}

/// More elements in one value than can be addressed.
pub fn too_large(name: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0614", format!("`{name}` has too many elements"))
        .at_some(span, "this value")
        .help("one value may have at most 2147483647 elements")
}

/// A step needs more than the steps before it.
pub fn no_stream(why: &str) -> Diagnostic {
    Diagnostic::error("E0744", format!("this cell cannot run step by step: {why}"))
        .help("`rnnc run` and `rnnc bench --mode infer` run it over whole sequences")
}

/// A graph that breaks an invariant of the equation IR.
pub fn malformed(what: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0601", format!("these equations cannot be scheduled: {what}")).at_some(span, "here")
}
