//! The invariants of the equation IR.
//!
//! In: any graph. Out: the first invariant of [`super`] that does not hold. What passes here, later
//! stages process or refuse with a diagnostic, but never index out of bounds with.

use super::print::{is_word, node_line};
use super::typing::is_constant;
use super::*;
use std::collections::BTreeSet;

/// The first invariant that does not hold, with the node's line.
pub fn verify(graph: &Graph) -> Result<(), String> {
    names("domain", graph.domains.iter().map(|d| &d.extent))?;
    names("source", graph.sources.iter().map(|s| &s.name))?;
    names("output", graph.outputs.iter().map(|o| &o.name))?;
    for s in &graph.sources {
        source(graph, s).map_err(|e| format!("source `{}`: {e}", s.name))?;
    }
    for (i, n) in graph.nodes.iter().enumerate() {
        node(graph, i, n).map_err(|e| format!("{}: {e}", node_line(graph, NodeId(i as u32))))?;
    }
    for s in &graph.states {
        state(graph, s).map_err(|e| format!("state `{}`: {e}", s.name))?;
    }
    for o in &graph.outputs {
        if o.node.index() >= graph.nodes.len() {
            return Err(format!("output `{}` is no node of the graph", o.name));
        }
    }
    for name in graph.dims() {
        if !is_word(&name) || &*name == "div" {
            return Err(format!("dimension `{name}` is no word"));
        }
    }
    Ok(())
}

fn names<'a>(kind: &str, names: impl Iterator<Item = &'a Arc<str>>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("two of kind {kind} are called `{name}`"));
        }
    }
    Ok(())
}

fn level(graph: &Graph, level: Level) -> Result<(), String> {
    match level {
        Level::Over(d) if d.index() >= graph.domains.len() => Err("there is no such domain".into()),
        _ => Ok(()),
    }
}

fn source(graph: &Graph, source: &Source) -> Result<(), String> {
    level(graph, source.level)?;
    match &source.kind {
        SourceKind::Param(_) => {
            if source.level != Level::Shared || source.ty != Ty::Real {
                return Err("a parameter is real, one for all examples".into());
            }
        }
        SourceKind::Initial { state, .. } => {
            let s = graph.states.get(state.index()).ok_or("there is no such state")?;
            if source.level != Level::Example || s.ty != source.ty {
                return Err("an initial value is of its state's type, one per example".into());
            }
            // Older values may come as one array with the lags as leading axis.
            if !source.shape.ends_with(&s.shape) || source.shape.len() > s.shape.len() + 1 {
                return Err("an initial value has its state's shape".into());
            }
        }
        SourceKind::Noise(_) | SourceKind::Cotangent => {
            if source.ty != Ty::Real {
                return Err("it must be real".into());
            }
        }
        SourceKind::Input => {}
    }
    Ok(())
}

fn node(graph: &Graph, i: usize, node: &Node) -> Result<(), String> {
    if node.op.operands().any(|id| id.index() >= i) {
        return Err("an operand does not come before it".into());
    }
    level(graph, node.level)?;
    if let Op::Lag { state, .. } = &node.op
        && let Some(s) = graph.states.get(state.index())
    {
        level(graph, Level::Over(s.domain))?;
    }
    let ty = graph.check(&node.op, &node.shape, node.level).map_err(|e| e.to_string())?;
    if ty != node.ty {
        return Err("the type does not follow from the operands".into());
    }
    Ok(())
}

fn state(graph: &Graph, state: &State) -> Result<(), String> {
    level(graph, Level::Over(state.domain))?;
    let def = state.def.ok_or("it has no definition")?;
    let def = graph.nodes.get(def.index()).ok_or("its definition is no node")?;
    if def.shape != state.shape || def.ty != state.ty {
        return Err("its definition has another shape or type".into());
    }
    if matches!(def.level, Level::Over(d) if d != state.domain) {
        return Err("its definition is over another domain".into());
    }
    if state.init.is_empty() {
        return Err("it has no initial value".into());
    }
    for id in &state.init {
        let init = graph.nodes.get(id.index()).ok_or("its initial value is no node")?;
        if init.shape != state.shape || (init.ty != state.ty && !is_constant(graph, init)) {
            return Err("an initial value has another shape or type".into());
        }
        if init.level > Level::Example {
            return Err("an initial value is over a domain".into());
        }
    }
    Ok(())
}
