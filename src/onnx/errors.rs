//! What can be wrong with ONNX models, and what cannot be one.

use crate::diag::Diagnostic;
use crate::source::Span;

const DOCS: &str = "docs/onnx.md lists what is written and what is read";

/// A domain that no loop of ONNX goes along.
pub fn tree(graph: &str, extent: &str) -> Diagnostic {
    Diagnostic::error("E0790", format!("`{graph}` cannot be an ONNX model: `{extent}` is a tree"))
        .help("ONNX has loops over sequences only; build an object file, or run it with rnnc")
        .with_note(DOCS)
}

/// Recurrences that no loop in a loop computes. `named`: some of the values.
pub fn no_loops(graph: &str, named: &str) -> Diagnostic {
    Diagnostic::error(
        "E0790",
        format!("`{graph}` cannot be an ONNX model: no loops along one axis after the other compute {named}"),
    )
    .help("ONNX's `Scan` goes along one axis; read neighbours so that whole rows, or whole columns, can follow each other")
    .with_note(DOCS)
}

/// An operation of a cell that has no ONNX counterpart here.
pub fn unsupported(what: &str, why: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error("E0791", format!("{what} cannot be written as ONNX: {why}"))
        .at_some(span, "this value")
        .with_note(DOCS)
}

/// A parameter without an array, or with a misshapen one.
pub fn parameter(name: &str, wanted: &str, found: Option<&str>) -> Diagnostic {
    let found = found.map_or_else(|| "is not given".to_string(), |f| format!("is given as {f}"));
    Diagnostic::error("E0792", format!("an ONNX model holds its parameters: `{name}` {wanted} {found}"))
        .help("give a file of weights, or `--seed` to draw them")
}

/// Shared values that could not be computed.
pub fn constants(graph: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0792", format!("the constants of `{graph}` cannot be computed: {why}"))
}
