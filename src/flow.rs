//! How gradients travel through a recurrence (equations 1.3 of Pascanu, Mikolov, Bengio 2013).
//!
//! In: a graph whose dimensions are all numbers, over chains, grids or a tree; how long its axes are, and a seed. Out: for
//! every state the norm of dL/ds_p at each point p, where the loss looks at one point alone: the last of a chain or grid
//! in the direction of its scan, the root of a tree; and for the step itself its Jacobians ds_p/ds_q, of all states together,
//! one for each point q that it reads: see [`jacobians`]. Computed in f64 by the reference interpreter, for one example.

mod extents;
mod jacobians;
mod matrix;

use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{Batch, Evaluator};
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, Graph, Level, NodeId, Op, Source, SourceKind, StateId, Ty};
use crate::grad;
use crate::source::Span;
use crate::train::draw;
use extents::Extents;
pub use jacobians::{Line, Own, Step};
use ndarray::{ArrayD, IxDyn};

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
    /// From where the loss looks to the other end; none if nothing arrives there at all, or if there is no way.
    pub travel: Option<Travel>,
}

/// How a gradient changes on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Travel {
    /// Its norm where it begins, and at the other end.
    pub from: f64,
    pub to: f64,
    /// Steps between the two.
    pub steps: usize,
}

/// What becomes of a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Vanishes,
    Explodes,
    Arrives,
}

/// After so many steps, a gradient that is less than this part of itself has vanished; one that is more than its inverse has
/// exploded.
const FAR: f64 = 100.0;
const NOTHING: f64 = 1e-3;

impl Travel {
    /// What a step multiplies by, on average.
    pub fn factor(&self) -> f64 {
        (self.to / self.from).powf(1.0 / self.steps as f64)
    }

    pub fn fate(&self) -> Fate {
        match self.factor().powf(FAR) {
            f if f < NOTHING => Fate::Vanishes,
            f if f > 1.0 / NOTHING || f.is_nan() => Fate::Explodes,
            _ => Fate::Arrives,
        }
    }
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
    let carried: Vec<StateId> = carried(graph);
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
    let options = grad::Options { from: Some(vec![out.clone()]), wrt: None };
    let mut joint = grad::differentiate(graph, &options)?;
    let mut states = Vec::new();
    for id in &carried {
        let name = graph.states[id.index()].name.to_string();
        let adjoint = named(&joint, &format!("{name}_adj"));
        if let Some(node) = adjoint.filter(|n| matches!(joint.level(*n), Level::Over(_))) {
            joint.output(format!("flow of {name}"), node);
            let state = &graph.states[id.index()];
            let span = state.def.and_then(|d| graph.node(d).span).or(state.span);
            states.push((name, joint.axes_of(joint.level(node)), span));
        }
    }
    let far = extents.far(graph, &carried);
    batch.arrays.insert(format!("{out}_adj"), one_point_alone(&joint, &out, &extents, &far, seed));
    let found = Evaluator::new(&joint).and_then(|e| e.run(&batch)).map_err(evaluated)?;
    let mut over: Vec<DomainId> = states.iter().flat_map(|(_, axes, _)| axes.iter().copied()).collect();
    over.sort();
    over.dedup();
    let axis = |d: &DomainId| Axis {
        name: extents.name(graph, *d),
        length: extents.length(*d),
        tree: extents.tree(*d).cloned(),
    };
    let norms = |(name, axes, span): (String, Vec<DomainId>, Option<Span>)| {
        let points: usize = axes.iter().map(|a| extents.length(*a)).product();
        let array = &found[&format!("flow of {name}")];
        let values: Vec<f64> = array.iter().copied().collect();
        let width = (values.len() / points.max(1)).max(1);
        let norm = |of: &[f64]| of.iter().map(|v| v * v).sum::<f64>().sqrt();
        let values: Vec<f64> = values.chunks(width).map(norm).collect();
        let travel = travel(&values, &axes, &extents, &far);
        let axes = axes.iter().filter_map(|a| over.iter().position(|o| o == a)).collect();
        Norms { name, axes, values, span, travel }
    };
    let axes = over.iter().map(axis).collect();
    let states = states.into_iter().map(norms).collect();
    let jacobians = jacobians::jacobians(graph, &carried, &batch, &extents, &far).map_err(evaluated)?;
    Ok(Flow { axes, states, jacobians })
}

/// From the point that the loss looks at to the end of the domain that is farthest from it: the opposite corner, the first
/// leaf of a tree.
fn travel(values: &[f64], axes: &[DomainId], extents: &Extents, far: &[usize]) -> Option<Travel> {
    let (mut from, mut to, mut steps) = (0, 0, 0);
    for axis in axes {
        let (length, begin) = (extents.length(*axis), far[axis.index()]);
        let end = if begin == 0 { length.saturating_sub(1) } else { 0 };
        steps += match extents.tree(*axis) {
            Some(tree) => depth(tree, end, begin),
            None => begin.abs_diff(end),
        };
        (from, to) = (from * length + begin, to * length + end);
    }
    let (from, to) = (*values.get(from)?, *values.get(to)?);
    (from > 0.0 && steps > 0).then_some(Travel { from, to, steps })
}

/// Steps from a node up to one above it.
fn depth(tree: &Tree, below: usize, above: usize) -> usize {
    let (mut at, mut steps) = (below, 0);
    for node in below + 1..=above {
        if tree.children(node).iter().any(|child| *child as usize == at) {
            (at, steps) = (node, steps + 1);
        }
    }
    steps
}

/// States that go round: what they are at a point follows from what they are at another.
fn carried(graph: &Graph) -> Vec<StateId> {
    let all = (0..graph.states.len()).map(|i| StateId(i as u32));
    all.filter(|id| goes_round(graph, *id)).collect()
}

fn goes_round(graph: &Graph, id: StateId) -> bool {
    let mut seen = vec![false; graph.nodes.len()];
    let mut stack: Vec<NodeId> = graph.states[id.index()].def.into_iter().collect();
    while let Some(node) = stack.pop() {
        if std::mem::replace(&mut seen[node.index()], true) {
            continue;
        }
        match &graph.node(node).op {
            Op::Lag { state, .. } if *state == id => return true,
            Op::Lag { state, .. } => stack.extend(graph.states[state.index()].def),
            op => stack.extend(op.operands()),
        }
    }
    false
}

fn named(graph: &Graph, name: &str) -> Option<NodeId> {
    graph.node_ids().rev().find(|n| graph.node(*n).name.as_deref() == Some(name))
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
