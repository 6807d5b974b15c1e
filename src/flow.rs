//! How gradients travel through a recurrence (equations 1.3 of Pascanu, Mikolov, Bengio 2013).
//!
//! In: a graph whose dimensions are all numbers, over chains, grids or a tree; how long its axes are, and a seed. Out: for
//! every state the norm of dL/ds_p at each point p, where the loss looks at one point alone: the last of a chain or grid
//! in the direction of its scan, the root of a tree; and for the step itself its Jacobians ds_p/ds_q, of all states together,
//! one for each point q that it reads: see [`jacobians`]. Computed in f64 by the reference interpreter, for one example.

mod extents;
mod jacobians;
mod matrix;
mod travel;

use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{Batch, Evaluator};
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, Graph, Level, Offset, Source, SourceKind, StateId, Ty};
use crate::grad;
use crate::source::Span;
use crate::train::draw;
use extents::Extents;
pub use jacobians::{Line, Own, Step};
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeSet;
use std::sync::Arc;
use travel::{Along, travel};
pub use travel::{Fate, Still, Travel};

type Reads = BTreeSet<(StateId, Offset)>;

#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Those of all states.
    pub axes: Vec<Axis>,
    pub states: Vec<Norms>,
    /// The step's Jacobians, or why there are none.
    pub jacobians: Result<Vec<Line>, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub name: String,
    pub length: usize,
    /// Points of the longest step that a read goes along it, at least 1.
    pub longest: usize,
    /// Whose nodes are the points.
    pub tree: Option<Tree>,
}

/// A state with the norm of its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Norms {
    pub name: String,
    /// Numbers among those of the [`Flow`].
    pub axes: Vec<usize>,
    /// Of each point, row-major.
    pub values: Vec<f64>,
    /// Where the state is defined.
    pub span: Option<Span>,
    /// From where the loss looks to the other end.
    pub travel: Result<Travel, Still>,
}

impl Flow {
    /// The tree that all states lie over, if they do.
    pub fn tree(&self) -> Option<&Tree> {
        match self.axes.as_slice() {
            [axis] => axis.tree.as_ref(),
            _ => None,
        }
    }

    /// Whether all states lie over one chain.
    pub fn is_chain(&self) -> bool {
        matches!(self.axes.as_slice(), [axis] if axis.tree.is_none())
    }

    /// The Jacobians at every step of a chain, from the first on.
    pub fn along_chain(&self) -> Option<Vec<Step>> {
        let whole = |line: &&Line| self.is_chain() && line.steps.len() == self.axes[0].length;
        let mut steps = self.jacobians.as_ref().ok()?.iter().find(whole)?.steps.clone();
        steps.sort_by_key(|step| step.at.clone());
        Some(steps)
    }
}

/// `length`: of each free axis of a chain or grid, of a tree the nodes from its root to a leaf; none: what can be looked at.
pub fn flow(graph: &Graph, length: Option<usize>, seed: u64) -> Fallible<Flow> {
    let one = |d: Diagnostic| vec![d];
    let (carried, reads): (Vec<StateId>, Vec<Reads>) = carried(graph).into_iter().unzip();
    if carried.is_empty() {
        return Err(one(errors::no_state()));
    }
    let out = graph.outputs.first().ok_or_else(|| one(errors::no_state()))?;
    if *graph.ty(out.node) != Ty::Real {
        return Err(one(errors::no_real_output(&out.name)));
    }
    let out = out.name.to_string();
    let extents = Extents::new(graph, &carried, length).map_err(one)?;
    let mut batch = Batch { size: 1, ..Batch::default() };
    extents.give(graph, &mut batch);
    for source in &graph.sources {
        if let Some(array) = drawn(graph, source, &extents, seed).map_err(one)? {
            batch.arrays.insert(source.name.to_string(), array);
        }
    }
    let evaluated = |what: String| vec![errors::evaluation(&what)];
    let options = grad::Options { from: Some(vec![out.clone()]), ..Default::default() };
    let outputs: Vec<(StateId, Arc<str>)> = carried.iter().map(|id| (*id, output(graph, *id))).collect();
    let joint = grad::differentiate_states(graph, &options, &outputs)?;
    let whole = Along::of(graph, &reads.iter().flatten().copied().collect());
    let far: Vec<usize> =
        whole.iter().enumerate().map(|(i, along)| along.last(extents.length(DomainId(i as u32)))).collect();
    batch.arrays.insert(format!("{out}_adj"), one_point_alone(&joint, &out, &extents, &far, seed));
    let found = Evaluator::new(&joint).and_then(|e| e.run(&batch)).map_err(evaluated)?;
    // States with a value at each point that a gradient reaches.
    let mut followed = Vec::new();
    for ((id, name), reads) in outputs.iter().zip(&reads) {
        if let Some(node) = joint.find_output(name).filter(|n| matches!(joint.level(*n), Level::Over(_))) {
            followed.push((*id, joint.axes_of(joint.level(node)), &found[&**name], reads));
        }
    }
    let over: BTreeSet<DomainId> = followed.iter().flat_map(|(_, axes, ..)| axes.iter().copied()).collect();
    let over: Vec<DomainId> = over.into_iter().collect();
    let axis = |d: &DomainId| Axis {
        name: extents.name(graph, *d),
        length: extents.length(*d),
        longest: whole[d.index()].longest.max(1),
        tree: extents.tree(*d).cloned(),
    };
    let norms = |(id, axes, array, reads): (StateId, Vec<DomainId>, &ArrayD<f64>, &Reads)| {
        let state = &graph.states[id.index()];
        let points: usize = axes.iter().map(|a| extents.length(*a)).product();
        let values: Vec<f64> = array.iter().copied().collect();
        let width = (values.len() / points.max(1)).max(1);
        let norm = |of: &[f64]| of.iter().map(|v| v * v).sum::<f64>().sqrt();
        let values: Vec<f64> = values.chunks(width).map(norm).collect();
        let travel = travel(&values, &axes, &Along::of(graph, reads), &extents, &far);
        Norms {
            name: state.name.to_string(),
            axes: axes.iter().filter_map(|a| over.iter().position(|o| o == a)).collect(),
            values,
            span: state.def.and_then(|d| graph.node(d).span).or(state.span),
            travel,
        }
    };
    let states = followed.into_iter().map(norms).collect();
    let axes = over.iter().map(axis).collect();
    let jacobians = jacobians::jacobians(graph, &carried, &batch, &extents, &far).map_err(evaluated)?;
    Ok(Flow { axes, states, jacobians })
}

/// No name of the author's has blanks.
fn output(graph: &Graph, state: StateId) -> Arc<str> {
    format!("flow of {}", graph.states[state.index()].name).into()
}

/// States that go round, what they are at a point follows from what they are at another; each with the reads by which.
fn carried(graph: &Graph) -> Vec<(StateId, Reads)> {
    let all = (0..graph.states.len()).map(|i| StateId(i as u32));
    all.map(|id| (id, travel::recurrence(graph, id))).filter(|(_, reads)| !reads.is_empty()).collect()
}

/// Parameters as declared, inputs of variance 1 or any symbol.
fn drawn(
    graph: &Graph,
    source: &Source,
    extents: &Extents,
    seed: u64,
) -> Result<Option<ArrayD<f64>>, Diagnostic> {
    let own = numbers(&source.shape);
    let shape: Vec<usize> = extents.of(graph, source.level).into_iter().chain(own.iter().copied()).collect();
    let count: usize = shape.iter().product();
    let values: Vec<f64> = match &source.kind {
        SourceKind::Param(info) => {
            draw::parameter(seed, &source.name, &info.init, &own)?.into_iter().map(f64::from).collect()
        }
        // In evaluation, and that is what is looked at, noise is its mean and no source.
        SourceKind::Noise(_) | SourceKind::Initial { .. } | SourceKind::Cotangent => return Ok(None),
        SourceKind::Input => (0..count).map(|i| input(source, seed, i as u64)).collect(),
    };
    Ok(ArrayD::from_shape_vec(IxDyn(&shape), values).ok())
}

fn numbers(shape: &[crate::shape::Dim]) -> Vec<usize> {
    shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok()).collect()
}

/// A sum of twelve uniform numbers is nearly normal; all that is wanted here is its variance of 1.
fn input(source: &Source, seed: u64, i: u64) -> f64 {
    let unit = |k: u64| (draw::key(seed, &source.name, 12 * i + k) >> 11) as f64 / (1u64 << 53) as f64;
    match &source.ty {
        Ty::Real => (0..12).map(unit).sum::<f64>() - 6.0,
        Ty::Bool => f64::from(u8::from(unit(0) < 0.5)),
        Ty::Id(k) => (unit(0) * k.as_constant().unwrap_or(1).max(1) as f64).floor(),
    }
}

/// At every point 1 for one component and 0 for the others.
fn one_hot(shape: &[usize], width: usize, component: usize) -> ArrayD<f64> {
    let mut array = ArrayD::zeros(IxDyn(shape));
    array.iter_mut().skip(component).step_by(width.max(1)).for_each(|v| *v = 1.0);
    array
}

/// The cotangent of a loss that is a random direction of the output at one point.
fn one_point_alone(joint: &Graph, out: &str, extents: &Extents, far: &[usize], seed: u64) -> ArrayD<f64> {
    let Some(node) = joint.find_output(out).map(|n| joint.node(n)) else {
        return ArrayD::zeros(IxDyn(&[]));
    };
    let own = numbers(&node.shape);
    let width: usize = own.iter().product();
    let axes = joint.axes_of(node.level);
    let point = axes.iter().fold(0, |at, a| at * extents.length(*a) + far[a.index()]);
    let shape: Vec<usize> = extents.of(joint, node.level).into_iter().chain(own).collect();
    let mut array = ArrayD::zeros(IxDyn(&shape));
    for (i, v) in array.iter_mut().enumerate().skip(point * width).take(width) {
        let sign = if draw::key(seed, "direction", i as u64) & 1 == 0 { 1.0 } else { -1.0 };
        *v = sign / (width as f64).sqrt();
    }
    array
}

mod errors {
    use crate::diag::Diagnostic;

    pub fn too_many_points(points: usize, most: usize) -> Diagnostic {
        Diagnostic::error("E0508", format!("{points} points are too many to look at; {most} may be"))
            .help("`--steps` makes each axis shorter, or the tree lower")
    }

    pub fn no_points() -> Diagnostic {
        Diagnostic::error("E0508", "an axis has no points, so nothing is carried along it")
            .help("`--steps` makes the axes longer")
    }

    pub fn no_state() -> Diagnostic {
        Diagnostic::error("E0508", "there is no carried state to follow a gradient along")
    }

    pub fn no_real_output(name: &str) -> Diagnostic {
        Diagnostic::error("E0508", format!("the output `{name}` is no number, so no gradient begins there"))
    }

    pub fn evaluation(what: &str) -> Diagnostic {
        Diagnostic::error("E0508", format!("the equations cannot be evaluated: {what}"))
    }
}
