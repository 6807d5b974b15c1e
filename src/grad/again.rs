//! The adjoint as a graph of its own, which can be differentiated again.
//!
//! In: a graph. Out: [`Adjoint`]: all its sources, the cotangents as further inputs behind them, and the gradients as its only
//! outputs. Its recurrences run both ways, one after the other: the states, and against them their adjoints.
//!
//! Where a graph is itself an adjoint ([`Options::again`]), two things are otherwise:
//!
//! *Names.* The gradient by `x` is an output `x_adj` of the adjoint, and would be called so again; an array whose name is taken
//! in the joint graph gets a prime there ([`Added`]).
//!
//! *Kinks.* The slope of `relu(x)` reads `x` through a comparison alone: between its jumps it is constant, so that its own
//! derivative is 0. What would be a mistake in an author's equations (E0501) is right in derived ones.

use super::errors::{self, Step};
use super::{Options, chosen_outputs, chosen_sources, differentiate};
use crate::diag::Fallible;
use crate::eqn::{Fold, Graph, NodeId, Op, SourceId, SourceKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A graph's adjoint by itself.
#[derive(Clone, Debug)]
pub struct Adjoint {
    pub graph: Graph,
    /// For the [`Options`] by which the adjoint itself is differentiated.
    pub again: BTreeSet<Arc<str>>,
}

/// The arrays that differentiation adds to a graph, in their order. Of each two names: `NAME_adj`, and what it is called among
/// the arrays of the joint graph, which is the same unless that is taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Added {
    /// Of the outputs that send one.
    pub cotangents: Vec<(Arc<str>, Arc<str>)>,
    /// By the sources asked for.
    pub gradients: Vec<(Arc<str>, Arc<str>)>,
}

/// The adjoint of a graph, by itself. Cotangents are inputs like any other: none has a default.
pub fn adjoint(graph: &Graph, options: &Options) -> Fallible<Adjoint> {
    let mut joint = differentiate(graph, options)?;
    let added = added(graph, options)?;
    // What they alone needed falls away when the graph is simplified.
    joint.outputs.drain(..graph.outputs.len());
    for (output, (plain, _)) in joint.outputs.iter_mut().zip(&added.gradients) {
        output.name = plain.clone();
    }
    let mut again = options.again.clone().unwrap_or_default();
    for source in joint.sources.iter_mut().skip(graph.sources.len()) {
        source.kind = SourceKind::Input;
        again.insert(source.name.clone());
    }
    let wrt = chosen_sources(graph, options).map_err(|stop| vec![*stop.0])?;
    again.extend(wrt.iter().map(|id| graph.sources[id.index()].name.clone()));
    joint.name = format!("adjoint({})", graph.name);
    Ok(Adjoint { graph: joint, again })
}

/// The names of what [`differentiate`] adds.
pub fn added(graph: &Graph, options: &Options) -> Fallible<Added> {
    let names = || {
        let (wrt, from) = (chosen_sources(graph, options)?, chosen_outputs(graph, options)?);
        of(graph, options, &wrt, &from)
    };
    names().map_err(|stop| vec![*stop.0])
}

/// The same, by sources and outputs that are chosen already.
pub(super) fn of(graph: &Graph, options: &Options, wrt: &[SourceId], from: &[usize]) -> Step<Added> {
    let is_again = options.again.is_some();
    let mut taken: BTreeSet<Arc<str>> = graph.sources.iter().map(|s| s.name.clone()).collect();
    let cotangents = from.iter().map(|i| adj(&graph.outputs[*i].name, &mut taken, is_again));
    let cotangents = cotangents.collect::<Step<Vec<_>>>()?;
    let mut taken: BTreeSet<Arc<str>> = graph.outputs.iter().map(|o| o.name.clone()).collect();
    let gradients = wrt.iter().map(|id| adj(&graph.sources[id.index()].name, &mut taken, is_again));
    Ok(Added { cotangents, gradients: gradients.collect::<Step<Vec<_>>>()? })
}

/// `NAME_adj`, and a name for it that is not taken; now it is.
fn adj(name: &str, taken: &mut BTreeSet<Arc<str>>, is_again: bool) -> Step<(Arc<str>, Arc<str>)> {
    let plain: Arc<str> = format!("{name}_adj").into();
    let mut own = plain.to_string();
    while taken.contains(own.as_str()) {
        if !is_again {
            return Err(errors::name_taken(&own).into());
        }
        own.push('\'');
    }
    let own: Arc<str> = own.into();
    taken.insert(own.clone());
    Ok((plain, own))
}

/// Refuses what the rules make a slope of that is right, but not smooth where it should be: the slope of a product of many factors
/// leaves factors out that are 0.
pub(super) fn refuse_unsmooth(graph: &Graph, active: &[NodeId]) -> Step<()> {
    let is_product = |id: &&NodeId| {
        matches!(
            graph.node(**id).op,
            Op::Reduce { fold: Fold::Prod, .. } | Op::FoldOver { fold: Fold::Prod, .. }
        )
    };
    match active.iter().find(is_product) {
        Some(id) => Err(errors::no_second(graph, *id).into()),
        None => Ok(()),
    }
}
