//! Reverse-mode differentiation of any [`Graph`].
//!
//! In: a graph, and names of sources and outputs. Out: the joint graph: the forward nodes under their
//! ids, behind them the adjoint nodes; what a state reads at `t−1`, its adjoint reads at `t+1`.
//! Invariant: nothing is unrolled; the adjoint has a bounded number of nodes for each forward node.
//!
//! `activity` finds what takes part, `rules` is the table of adjoints, `sweep` applies it from the outputs
//! back, `mirror` moves the mirrored reads to named values. `again` makes the adjoint a graph of its own.
//! [`mod@print`] writes the result as a cell, [`latex`] as a formula.

mod activity;
mod again;
mod errors;
pub mod latex;
mod mirror;
pub mod print;
mod rules;
mod sweep;
pub(crate) mod traits;

pub use again::{Added, Adjoint, added, adjoint};

use crate::diag::Fallible;
use crate::eqn::{Binary, Graph, NodeId, Op, Source, SourceId, SourceKind, StateId, Ty};
use errors::Step;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What to differentiate with respect to, and which outputs send a cotangent.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of sources; `None`: every real input, parameter and initial state.
    pub wrt: Option<Vec<String>>,
    /// Names of outputs; `None`: all real ones.
    pub from: Option<Vec<String>>,
    /// The graph is itself an [`Adjoint`], and these are the sources that it says.
    pub again: Option<BTreeSet<Arc<str>>>,
}

/// The graph with its adjoint beside it: for each chosen output a `Cotangent` source `NAME_adj` of
/// the output's shape and level, for each chosen source an output `NAME_adj` (as [`added`] says). Gradients of
/// Shared sources are summed over points and examples.
pub fn differentiate(graph: &Graph, options: &Options) -> Fallible<Graph> {
    joint(graph, options, false, &[])
}

/// The same, and for each state an output of the given name: the gradient of what the state is at each point. There is
/// none for a state that no gradient reaches.
pub fn differentiate_states(
    graph: &Graph,
    options: &Options,
    states: &[(StateId, Arc<str>)],
) -> Fallible<Graph> {
    joint(graph, options, false, states)
}

/// `for_reading`: equations as on paper, even if a product then stands in two places.
fn joint(
    graph: &Graph,
    options: &Options,
    for_reading: bool,
    states: &[(StateId, Arc<str>)],
) -> Fallible<Graph> {
    let joint = run(graph, options, for_reading, states).map_err(|stop| vec![*stop.0])?;
    #[cfg(debug_assertions)]
    if let Err(what) = crate::eqn::verify::verify(&joint) {
        return Err(vec![errors::internal(&what)]);
    }
    Ok(joint)
}

fn run(graph: &Graph, options: &Options, for_reading: bool, states: &[(StateId, Arc<str>)]) -> Step<Graph> {
    let wrt = chosen_sources(graph, options)?;
    let from = chosen_outputs(graph, options)?;
    let roots: Vec<_> = from.iter().map(|i| graph.outputs[*i].node).collect();
    let activity = activity::analyse(graph, &wrt, &roots, options.again.as_ref())?;
    if options.again.is_some() {
        again::refuse_unsmooth(graph, &activity.order)?;
    }
    let added = again::of(graph, options, &wrt, &from)?;

    let mut joint = graph.clone();
    let forward = graph.nodes.len();
    let mut cotangents = Vec::new();
    for (i, (_, name)) in from.iter().zip(&added.cotangents) {
        let output = &graph.outputs[*i];
        let node = graph.node(output.node);
        let source = Source {
            name: name.clone(),
            kind: SourceKind::Cotangent,
            shape: node.shape.clone(),
            ty: Ty::Real,
            level: node.level,
            span: node.span,
        };
        cotangents.push((output.node, joint.source(source)));
    }

    let mut sweep = sweep::Sweep::run(joint, forward, activity, &cotangents)?;
    let mut readers: BTreeMap<SourceId, Vec<NodeId>> = BTreeMap::new();
    for node in graph.node_ids() {
        if let Op::Source(source) = graph.node(node).op {
            readers.entry(source).or_default().push(node);
        }
    }
    let mut outputs: Vec<(Arc<str>, NodeId)> = Vec::new();
    for (id, (_, name)) in wrt.into_iter().zip(&added.gradients) {
        let source = &graph.sources[id.index()];
        let mut total = None;
        for node in readers.get(&id).into_iter().flatten() {
            let Some(adjoint) = sweep.adjoint(*node) else { continue };
            total = Some(match total {
                None => adjoint,
                Some(sum) => sweep.add(Op::Binary(Binary::Add, sum, adjoint))?,
            });
        }
        let total = match total {
            Some(total) => total,
            None => sweep.zero(&source.shape),
        };
        let total = sweep.lift(total, source.level)?;
        sweep.name(total, name.to_string());
        outputs.push((name.clone(), total));
    }
    for (state, name) in states {
        // By its definition, whatever that is called: it may be the plain name of another value.
        let def = graph.states.get(state.index()).and_then(|s| s.def);
        let Some((def, adjoint)) = def.and_then(|d| Some((d, sweep.adjoint(d)?))) else { continue };
        if !sweep.is_zero(adjoint) {
            outputs.push((name.clone(), sweep.lift(adjoint, graph.level(def))?));
        }
    }
    mirror::finish(&sweep.into_tape(), &outputs, graph.states.len(), for_reading)
}

fn chosen_sources(graph: &Graph, options: &Options) -> Step<Vec<SourceId>> {
    let ids = (0..graph.sources.len() as u32).map(SourceId);
    let Some(names) = &options.wrt else {
        let is_chosen = |s: &Source| {
            let kind =
                matches!(s.kind, SourceKind::Input | SourceKind::Param(_) | SourceKind::Initial { .. });
            kind && s.ty == Ty::Real
        };
        return Ok(ids.filter(|id| is_chosen(&graph.sources[id.index()])).collect());
    };
    let mut chosen = Vec::new();
    for name in names {
        let id = graph.find_source(name).ok_or_else(|| errors::unknown_source(graph, name))?;
        match graph.sources[id.index()].ty {
            Ty::Real => {}
            Ty::Bool => return Err(errors::not_real(name, "a truth value").into()),
            Ty::Id(_) => return Err(errors::not_real(name, "a symbol").into()),
        }
        if !chosen.contains(&id) {
            chosen.push(id);
        }
    }
    Ok(chosen)
}

fn chosen_outputs(graph: &Graph, options: &Options) -> Step<Vec<usize>> {
    let is_real = |i: &usize| *graph.ty(graph.outputs[*i].node) == Ty::Real;
    let Some(names) = &options.from else {
        return Ok((0..graph.outputs.len()).filter(is_real).collect());
    };
    let mut chosen = Vec::new();
    for name in names {
        let found = graph.outputs.iter().position(|o| *o.name == **name);
        let i = found.ok_or_else(|| errors::unknown_output(name))?;
        if !is_real(&i) {
            return Err(errors::not_real(name, "a symbol or truth value").into());
        }
        if !chosen.contains(&i) {
            chosen.push(i);
        }
    }
    Ok(chosen)
}
