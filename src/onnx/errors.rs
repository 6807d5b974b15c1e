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
        .help("give an array for it; `rnnc import` says what a file lacks")
}

/// Shared values that could not be computed.
pub fn constants(graph: &str, why: &str) -> Diagnostic {
    Diagnostic::error("E0792", format!("the constants of `{graph}` cannot be computed: {why}"))
}

/// An option that only a model has.
pub fn only_onnx(flag: &str) -> Diagnostic {
    Diagnostic::error("E0793", format!("`{flag}` is for ONNX models; arrays have no such thing"))
        .help("name a file that ends in `.onnx`, or leave it out")
}

/// States that an operator keeps to itself.
pub fn omitted(names: &[String]) -> Diagnostic {
    let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    let (are, they) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    Diagnostic::note(
        "E0794",
        format!(
            "{} at every step {are} left out: ONNX's operator has only the last step's",
            names.join(", ")
        ),
    )
    .help(format!("`--states` writes {they}, by a loop in place of the operator"))
}

/// A node, input or output of a model that is not understood.
pub fn unread_node(what: &str, name: &str, why: &str) -> Diagnostic {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
    let name = if name.is_empty() { String::new() } else { format!(" `{}`", clean(name)) };
    Diagnostic::error("E0795", format!("{}{name} is not read: {why}", clean(what))).with_note(DOCS)
}
