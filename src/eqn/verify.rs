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
    for d in &graph.domains {
        domain(graph, d).map_err(|e| format!("domain `{}`: {e}", d.extent))?;
    }
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

/// Axes exist, in order, and no product is an axis; lengths are found from earlier axes, so none from itself.
fn domain(graph: &Graph, domain: &Domain) -> Result<(), String> {
    let own = graph.domains.iter().position(|d| std::ptr::eq(d, domain)).unwrap_or(0);
    let axis = |d: DomainId| match graph.domains.get(d.index()).map(|d| &d.kind) {
        None => Err("there is no such axis".to_string()),
        Some(DomainKind::Product(_)) => Err("a product is no axis".into()),
        Some(kind) => Ok(kind),
    };
    match &domain.kind {
        DomainKind::Chain { .. } | DomainKind::Tree { .. } => Ok(()),
        DomainKind::Derived(extent) => extent.axes().try_for_each(|d| match axis(d)? {
            DomainKind::Children { .. } => Err("the number of children is no length of an example".into()),
            _ if d.index() >= own => Err("its length is found from a later one".into()),
            _ => Ok(()),
        }),
        DomainKind::Children { tree } => match axis(*tree)? {
            DomainKind::Tree { .. } => Ok(()),
            _ => Err("only nodes of a tree have children".into()),
        },
        DomainKind::Product(axes) => {
            if axes.len() < 2 || axes.len() > MAX_AXES || axes.windows(2).any(|w| w[0] >= w[1]) {
                return Err("the axes of a product are in order".into());
            }
            for d in axes {
                if let DomainKind::Children { tree } = axis(*d)?
                    && !axes.contains(tree)
                {
                    return Err("children occur only together with their tree".into());
                }
            }
            let same = graph.domains.iter().filter(|d| d.kind == domain.kind).count();
            if same > 1 { Err("it occurs twice".into()) } else { Ok(()) }
        }
    }
}

fn level(graph: &Graph, level: Level) -> Result<(), String> {
    match level {
        Level::Over(d) => match graph.domains.get(d.index()).map(|d| &d.kind) {
            None => Err("there is no such domain".into()),
            Some(DomainKind::Children { .. }) => Err("children occur only together with their tree".into()),
            Some(_) => Ok(()),
        },
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
            // One array holds all members of a family, and all lags: their axes lead.
            if !source.shape.ends_with(&s.shape) {
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
    if !graph.is_within(def.level, Level::Over(state.domain)) {
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
    let axes = graph.axes(state.domain);
    for (i, side) in state.sides.iter().enumerate() {
        let value = graph.nodes.get(side.value.index()).ok_or("the value of a side is no node")?;
        if value.shape != state.shape || (value.ty != state.ty && !is_constant(graph, value)) {
            return Err("the value of a side has another shape or type".into());
        }
        let within = graph.is_within(value.level, Level::Over(state.domain));
        if !axes.contains(&side.axis) || !within || graph.axes_of(value.level).contains(&side.axis) {
            return Err(
                "the value of a side is over the axis that is crossed, or over others than the state".into(),
            );
        }
        if state.sides[..i].iter().any(|s| (s.axis, s.after) == (side.axis, side.after)) {
            return Err("a side has two values".into());
        }
    }
    Ok(())
}
