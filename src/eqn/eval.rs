//! The reference interpreter: slow, obvious, in f64. The oracle of every test.
//!
//! In: a bound graph and named arrays. Out: arrays for the outputs.
//! Only true positions are ever computed: what lies beyond an example's length is 0 and is read by
//! nothing, so padding cannot matter by construction.
//!
//! What it computes with is a [`Number`]: f64, or f64 that carries a bound of an error.
//!
//! Memory. A value over a domain has rows in the order of its array: the axes, slowest first, then the example (row
//! `t*B + b` over a chain). Values per example have B rows, Shared values one.
//!
//! Order. A recurrence is unrolled: a value at a point is computed when another needs it there. So whatever system has
//! a solution is solved, whatever its axes and edges, and what needs itself is found.
//!
//! Which rows an evaluation computes and reads depends on lengths and trees alone: [`Evaluator::on`] finds it once, and
//! what it returns evaluates any values.

mod layout;
mod lengths;
pub mod number;
pub(crate) mod ops;
mod order;
pub(crate) mod points;
mod row;
mod run;
pub mod watch;

use super::tree::Tree;
use super::*;
use crate::shape::show_shape;
use layout::Layout;
use ndarray::ArrayD;
use number::Number;
use order::Step;
use run::Run;
use std::collections::BTreeMap;

/// Arrays by the names of sources or outputs.
pub type Arrays = BTreeMap<String, ArrayD<f64>>;

/// Named arrays for one run. Shared values have their own shape, Example values `[B, ..]`, values
/// over a domain `[T, B, ..]`, with one extent for each axis. Ids and bools are whole numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub size: usize,
    /// For each domain extent (`n`): every example's length. T is the greatest.
    pub lengths: BTreeMap<String, Vec<usize>>,
    /// For each extent of nodes: every example's tree.
    pub trees: BTreeMap<String, Vec<Tree>>,
    pub arrays: Arrays,
    /// For each domain extent whose first point is not the first of all (a window of a longer chain): points before it.
    pub start: BTreeMap<String, usize>,
}

/// What one evaluation may hold in memory, in elements of 8 bytes.
const MAX_MEMORY: usize = 1 << 29;

/// All outputs by name, shaped like [`Batch::arrays`], with as many points as those have; 0 beyond an example's length. Missing `Initial`
/// sources take their default, missing `Cotangent`s 0 (1 for a scalar at level Example named `loss`).
///
/// Lengths that are not given are those of the arrays: no padding. Arrays that no output needs are
/// neither asked for nor looked at. Dimensions must be bound.
pub fn eval(graph: &Graph, batch: &Batch) -> Result<Arrays, String> {
    Evaluator::new(graph)?.run(batch)
}

/// A graph with its order of computation, for many runs.
pub struct Evaluator<'a> {
    graph: &'a Graph,
    steps: Vec<Step>,
    /// Extents of every node that is needed.
    shapes: Vec<Option<Vec<usize>>>,
    /// Their products.
    sizes: Vec<usize>,
    /// Products that only one sum reads: never stored, but added up row by row.
    streamed: Vec<bool>,
    /// For each step the values that nothing reads after it.
    done: Vec<Vec<NodeId>>,
}

/// An evaluator with the lengths and trees of a batch.
pub struct Placed<'a> {
    plan: &'a Evaluator<'a>,
    layout: Layout,
}

impl Placed<'_> {
    /// The outputs for these arrays; their extents are those of the batch.
    pub fn run<N: Number>(&self, arrays: &Arrays) -> Result<BTreeMap<String, ArrayD<N>>, String> {
        self.watched(arrays, &mut watch::Nobody)
    }

    /// [`Placed::run`], showing every value as it comes to be.
    pub fn watched<N: Number>(
        &self,
        arrays: &Arrays,
        watch: &mut impl watch::Watch<N>,
    ) -> Result<BTreeMap<String, ArrayD<N>>, String> {
        Run::new(self.plan, &self.layout, arrays).outputs(watch)
    }
}

impl<'a> Evaluator<'a> {
    pub fn new(graph: &'a Graph) -> Result<Self, String> {
        super::verify::verify(graph)?;
        let steps = order::order(graph);
        let mut shapes = vec![None; graph.nodes.len()];
        for id in steps.iter().flat_map(Step::nodes) {
            shapes[id.index()] = Some(extents(graph, id)?);
        }
        let sizes = shapes.iter().map(|s| s.as_ref().map_or(0, |s| s.iter().product())).collect();
        let streamed = streamed(graph, &shapes, &steps);
        let done = done(graph, &steps, &streamed);
        Ok(Evaluator { graph, steps, shapes, sizes, streamed, done })
    }

    pub fn run(&self, batch: &Batch) -> Result<Arrays, String> {
        self.on(batch)?.run(&batch.arrays)
    }

    /// For all evaluations with the lengths and trees of a batch.
    pub fn on(&'a self, batch: &Batch) -> Result<Placed<'a>, String> {
        Ok(Placed { plan: self, layout: Layout::new(self, &lengths::points(self, batch)?)? })
    }

    fn shape(&self, id: NodeId) -> &[usize] {
        self.shapes[id.index()].as_deref().unwrap_or(&[])
    }

    fn elements(&self, id: NodeId) -> usize {
        self.sizes[id.index()]
    }
}

impl Step {
    fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        let nodes = match self {
            Step::Node(id) => std::slice::from_ref(id),
            Step::Recurrence(nodes) => nodes.as_slice(),
        };
        nodes.iter().copied()
    }
}

/// The extents as numbers.
fn extents(graph: &Graph, id: NodeId) -> Result<Vec<usize>, String> {
    let shape = graph.shape(id);
    let extents: Option<Vec<usize>> =
        shape.iter().map(|d| d.as_constant().and_then(|n| usize::try_from(n).ok())).collect();
    let extents = extents.ok_or_else(|| format!("{} of %{} is not a number yet", show_shape(shape), id.0))?;
    let elements = extents.iter().try_fold(1usize, |acc, n| acc.checked_mul(*n));
    match elements {
        Some(n) if n <= MAX_MEMORY => Ok(extents),
        _ => Err(format!("{} of %{} is too large", show_shape(shape), id.0)),
    }
}

/// Outer products and scatters over points or examples that nothing but one sum reads.
fn streamed(graph: &Graph, shapes: &[Option<Vec<usize>>], steps: &[Step]) -> Vec<bool> {
    let mut readers = vec![0usize; graph.nodes.len()];
    let mut sums = vec![0usize; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        if shapes[i].is_some() {
            for id in node.op.operands() {
                readers[id.index()] += 1;
                sums[id.index()] += matches!(node.op, Op::SumOver(_)) as usize;
            }
        }
    }
    let defs = graph.states.iter().flat_map(State::values);
    for id in graph.outputs.iter().map(|o| o.node).chain(defs) {
        readers[id.index()] += 1;
    }
    for step in steps {
        if let Step::Recurrence(nodes) = step {
            nodes.iter().for_each(|id| readers[id.index()] += 1);
        }
    }
    let product = |op: &Op| matches!(op, Op::Outer(..) | Op::Scatter { .. });
    let is_streamed = |(i, node): (usize, &Node)| readers[i] == 1 && sums[i] == 1 && product(&node.op);
    graph.nodes.iter().enumerate().map(is_streamed).collect()
}

/// For each step the values that it is the last to read.
fn done(graph: &Graph, steps: &[Step], streamed: &[bool]) -> Vec<Vec<NodeId>> {
    let mut last = vec![None; graph.nodes.len()];
    for (k, step) in steps.iter().enumerate() {
        for id in step.nodes() {
            last[id.index()] = Some(k);
            for need in order::needs(graph, id) {
                last[need.index()] = Some(k);
                // What is not stored is computed from its operands by its reader.
                if streamed[need.index()] {
                    order::needs(graph, need).iter().for_each(|n| last[n.index()] = Some(k));
                }
            }
        }
    }
    for o in &graph.outputs {
        last[o.node.index()] = None;
    }
    let mut done = vec![Vec::new(); steps.len()];
    for id in graph.node_ids() {
        if let Some(k) = last[id.index()] {
            done[k].push(id);
        }
    }
    done
}
