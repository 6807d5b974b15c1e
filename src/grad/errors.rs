//! Every message of this stage.

use crate::diag::Diagnostic;
use crate::eqn::typing::TypeError;
use crate::eqn::{Graph, NodeId, Op, Source, SourceKind, Ty};

/// Names in a list at most.
const MOST_NAMES: usize = 24;

/// Why the sweep stops. Boxed: it is rare and large.
#[derive(Debug)]
pub(super) struct Stop(pub Box<Diagnostic>);

pub(super) type Step<T> = Result<T, Stop>;

impl From<TypeError> for Stop {
    fn from(e: TypeError) -> Stop {
        Stop(Box::new(internal(&e.to_string())))
    }
}

impl From<Diagnostic> for Stop {
    fn from(d: Diagnostic) -> Stop {
        Stop(Box::new(d))
    }
}

/// The node's name, or what it computes.
fn title(graph: &Graph, id: NodeId) -> String {
    let node = graph.node(id);
    match &node.name {
        Some(name) => format!("`{name}`"),
        None => format!("a value computed with `{}`", node.op.word()),
    }
}

fn word(op: &Op) -> &'static str {
    match op {
        Op::Select(..) => "the condition of an `if`",
        Op::Gather { .. } | Op::Scatter { .. } => "an index",
        other => other.word(),
    }
}

/// `source` reaches the result, but every way leads through an operation without a slope.
pub(super) fn no_gradient(graph: &Graph, source: &Source, blocking: NodeId) -> Diagnostic {
    let op = &graph.node(blocking).op;
    let place = word(op);
    Diagnostic::error(
        "E0501",
        format!(
            "no gradient reaches `{}`: every path to it leads through operations without a slope, here {place}",
            source.name
        ),
    )
    .at_some(graph.node(blocking).span, format!("{place} has no gradient"))
    .at_some(source.span, format!("`{}` is used through it only", source.name))
    .with_note(format!("the path passes {}", title(graph, blocking)))
    .help(format!(
        "if no gradient is meant, say so with `stop_gradient({})`; a measure of success is a `metric`, not a `loss`",
        source.name
    ))
}

pub(super) fn unknown_source(graph: &Graph, name: &str) -> Diagnostic {
    let error = Diagnostic::error(
        "E0502",
        format!("there is no input, parameter or initial state `{name}` to differentiate by"),
    );
    let initial = graph.sources.iter().find(|s| match &s.kind {
        SourceKind::Initial { state, .. } => *graph.states[state.index()].name == *name,
        _ => false,
    });
    if let Some(initial) = initial {
        return error.help(format!(
            "`{name}` is a state, which follows from others; its initial value is `{}`",
            initial.name
        ));
    }
    let is_chosen =
        |s: &&Source| s.ty == Ty::Real && !matches!(s.kind, SourceKind::Cotangent | SourceKind::Noise(_));
    let all: Vec<&str> = graph.sources.iter().filter(is_chosen).map(|s| &*s.name).collect();
    let near = crate::diag::near::nearest(name, all.iter().copied());
    let list = match all.len() {
        0 => "nothing here has a gradient".to_string(),
        n if n <= MOST_NAMES => format!("there are {}", all.join(", ")),
        n => format!("there are {} and {} more", all[..MOST_NAMES].join(", "), n - MOST_NAMES),
    };
    match near {
        Some(near) => error.help(format!("did you mean `{near}`?")).with_note(list),
        None => error.help(list),
    }
}

pub(super) fn unknown_output(name: &str) -> Diagnostic {
    Diagnostic::error("E0502", format!("there is no output `{name}` to differentiate"))
}

pub(super) fn not_real(name: &str, what: &str) -> Diagnostic {
    Diagnostic::error("E0503", format!("`{name}` is {what}; only real values have a gradient"))
}

pub(super) fn name_taken(name: &str) -> Diagnostic {
    Diagnostic::error("E0504", format!("the array `{name}` of the gradient already exists under that name"))
        .help("give the value another name")
}

pub(super) fn no_rule(graph: &Graph, id: NodeId, why: &str) -> Diagnostic {
    let op = graph.node(id).op.word();
    Diagnostic::error("E0505", format!("`{op}` cannot be differentiated here: {why}"))
        .at_some(graph.node(id).span, "this value")
}

/// In an adjoint that is differentiated again.
pub(super) fn no_second(graph: &Graph, id: NodeId) -> Diagnostic {
    Diagnostic::error(
        "E0509",
        "a product of many factors cannot be differentiated twice: where one is 0, the derivative of its slope is not right",
    )
    .at_some(graph.node(id).span, "this product")
    .help("write few factors as `a * b * c`, or positive ones as `exp(sum(log(x)))`")
}

pub(super) fn cyclic(graph: &Graph, id: NodeId) -> Diagnostic {
    Diagnostic::error("E0506", format!("{} depends on itself, so it has no adjoint", title(graph, id)))
        .at_some(graph.node(id).span, "this value")
        .help("an initial value must not depend on the values it starts")
}

pub(super) fn unprintable(graph: &Graph, id: NodeId, why: &str) -> Diagnostic {
    Diagnostic::error("E0507", format!("these derived equations cannot be written as one cell: {why}"))
        .at_some(graph.node(id).span, "here")
        .with_note(format!("at {}", title(graph, id)))
        .help("`run --grad` computes the gradient, and `show --stage grad` prints it value by value")
}

pub(super) fn internal(what: &str) -> Diagnostic {
    Diagnostic::error("E0599", format!("the derived equations are not well-formed: {what}"))
        .help("this is a mistake of the compiler; please report it with the cell")
}
