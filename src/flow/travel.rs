//! How far a gradient comes.
//!
//! In: a state's norms at each point, the ways its recurrence reads, the point the loss looks at. Out: its norm where it begins
//! and at the other end of the domain.
//!
//! A read more than one step back leaves points between that no gradient meets, so at both ends the greatest norm within
//! the longest step counts. A recurrence that begins where the loss looks carries nothing: its gradient is at home there.

use super::extents::Extents;
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, Graph, NodeId, Offset, Op, StateId};
use std::collections::BTreeSet;

/// How a gradient changes on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Travel {
    /// Its norm where it begins, and at the other end.
    pub from: f64,
    pub to: f64,
    /// Steps between the two.
    pub steps: usize,
}

/// Why a gradient does not travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Still {
    /// The recurrence begins at the point that the loss looks at.
    Begins,
    /// Nothing arrives at the point itself, or there is no other point.
    Nowhere,
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

/// How reads of states go along one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Along {
    pub ahead: bool,
    pub back: bool,
    /// Points of the longest step.
    pub longest: usize,
}

impl Along {
    /// Of every axis, from some reads.
    pub fn of(graph: &Graph, reads: &BTreeSet<(StateId, Offset)>) -> Vec<Along> {
        let mut all = vec![Along::default(); graph.domains.len()];
        for (state, offset) in reads {
            let axes = graph.axes(graph.states[state.index()].domain);
            let by = |k: usize| match offset {
                Offset::By(by) => by[k],
                Offset::Child(_) | Offset::EachChild(_) => -1,
                Offset::Parent(_) | Offset::FromEach(_) => 1,
            };
            for (k, axis) in axes.iter().enumerate() {
                let (along, by) = (&mut all[axis.index()], by(k));
                along.ahead |= by > 0;
                along.back |= by < 0;
                along.longest = along.longest.max(by.unsigned_abs() as usize);
            }
        }
        all
    }

    /// The point that is computed last of so many.
    pub fn last(&self, length: usize) -> usize {
        if self.ahead && !self.back { 0 } else { length.saturating_sub(1) }
    }
}

/// The reads of a state's own recurrence: those that lead from it to itself. None if it has no recurrence.
pub fn recurrence(graph: &Graph, id: StateId) -> BTreeSet<(StateId, Offset)> {
    let reads = reads(graph, id);
    let states: BTreeSet<StateId> = reads.iter().map(|(state, _)| *state).collect();
    let leads_back = |state: &StateId| self::reads(graph, *state).iter().any(|(s, _)| *s == id);
    let round: BTreeSet<StateId> = states.into_iter().filter(leads_back).collect();
    reads.into_iter().filter(|(state, _)| round.contains(state)).collect()
}

/// All reads that a state follows from, near or far.
fn reads(graph: &Graph, id: StateId) -> BTreeSet<(StateId, Offset)> {
    let mut reads = BTreeSet::new();
    let mut seen = vec![false; graph.nodes.len()];
    let mut stack: Vec<NodeId> = graph.states[id.index()].def.into_iter().collect();
    while let Some(node) = stack.pop() {
        if std::mem::replace(&mut seen[node.index()], true) {
            continue;
        }
        match &graph.node(node).op {
            Op::Lag { state, offset } => {
                reads.insert((*state, *offset));
                stack.extend(graph.states[state.index()].def);
            }
            op => stack.extend(op.operands()),
        }
    }
    reads
}

/// From the point that the loss looks at to the end of the domain that is farthest from it: the opposite corner, the
/// leaves of a tree.
pub fn travel(
    values: &[f64],
    axes: &[DomainId],
    along: &[Along],
    extents: &Extents,
    far: &[usize],
) -> Result<Travel, Still> {
    let begins = |axis: &DomainId| {
        let (along, length) = (along[axis.index()], extents.length(*axis));
        (along.ahead || along.back) && along.last(length) != far[axis.index()]
    };
    if axes.iter().any(begins) {
        return Err(Still::Begins);
    }
    let (mut near, mut end) = (vec![vec![]], vec![vec![]]);
    for axis in axes {
        let (here, there) = ends(*axis, along[axis.index()].longest.max(1), extents, far[axis.index()]);
        (near, end) = (with(&near, &here), with(&end, &there));
    }
    let greatest = |points: Vec<Vec<usize>>| {
        let index = |point: &Vec<usize>| {
            axes.iter().zip(point).fold(0, |sum, (axis, at)| sum * extents.length(*axis) + at)
        };
        let all = points.into_iter().filter_map(|point| Some((*values.get(index(&point))?, point)));
        // The first of those that are equal; a number before what is none.
        all.reduce(|a, b| if b.0 > a.0 { b } else { a })
    };
    let (from, here) = greatest(near).ok_or(Still::Nowhere)?;
    let (to, there) = greatest(end).ok_or(Still::Nowhere)?;
    let steps = axes.iter().zip(here.iter().zip(&there)).map(|(axis, (a, b))| match extents.tree(*axis) {
        Some(tree) => depth(tree, *a.min(b), *a.max(b)),
        None => a.abs_diff(*b),
    });
    let steps: usize = steps.sum();
    if from > 0.0 && steps > 0 { Ok(Travel { from, to, steps }) } else { Err(Still::Nowhere) }
}

/// The points of an axis that lie within a step of where the loss looks, nearest first, and of the other end.
fn ends(axis: DomainId, longest: usize, extents: &Extents, begin: usize) -> (Vec<usize>, Vec<usize>) {
    let length = extents.length(axis);
    if let Some(tree) = extents.tree(axis) {
        let leaves: Vec<usize> = (0..length).filter(|node| tree.children(*node).is_empty()).collect();
        let root = vec![length.saturating_sub(1)];
        return if begin == 0 { (leaves, root) } else { (root, leaves) };
    }
    let first: Vec<usize> = (0..longest.min(length)).collect();
    let last: Vec<usize> = first.iter().map(|k| length - 1 - k).collect();
    if begin == 0 { (first, last) } else { (last, first) }
}

/// Each point with each place along one more axis.
fn with(points: &[Vec<usize>], places: &[usize]) -> Vec<Vec<usize>> {
    let longer = |point: &Vec<usize>, at: usize| point.iter().copied().chain([at]).collect();
    points.iter().flat_map(|point| places.iter().map(move |at| longer(point, *at))).collect()
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
