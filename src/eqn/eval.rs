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

pub mod number;
pub(crate) mod ops;
mod order;
pub(crate) mod points;
mod row;

use super::tree::Tree;
use super::*;
use crate::shape::show_shape;
use ndarray::{ArrayD, IxDyn};
use number::Number;
use order::Step;
use points::{Place, Points};
use std::collections::BTreeMap;

/// Named arrays for one run. Shared values have their own shape, Example values `[B, ..]`, values
/// over a domain `[T, B, ..]`, with one extent for each axis. Ids and bools are whole numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub size: usize,
    /// For each domain extent (`n`): every example's length. T is the greatest.
    pub lengths: BTreeMap<String, Vec<usize>>,
    /// For each extent of nodes: every example's tree.
    pub trees: BTreeMap<String, Vec<Tree>>,
    pub arrays: BTreeMap<String, ArrayD<f64>>,
}

/// What one evaluation may hold in memory, in elements of 8 bytes.
const MAX_MEMORY: usize = 1 << 29;

/// All outputs by name, shaped like [`Batch::arrays`], with as many points as those have; 0 beyond an example's length. Missing `Initial`
/// sources take their default, missing `Cotangent`s 0 (1 for a scalar at level Example named `loss`).
///
/// Lengths that are not given are those of the arrays: no padding. Arrays that no output needs are
/// neither asked for nor looked at. Dimensions must be bound.
pub fn eval(graph: &Graph, batch: &Batch) -> Result<BTreeMap<String, ArrayD<f64>>, String> {
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

    pub fn run(&self, batch: &Batch) -> Result<BTreeMap<String, ArrayD<f64>>, String> {
        self.run_as(batch)
    }

    /// The same with other numbers.
    pub fn run_as<N: Number>(&self, batch: &Batch) -> Result<BTreeMap<String, ArrayD<N>>, String> {
        let mut run = Run::<N>::new(self, batch)?;
        for (step, done) in self.steps.iter().zip(&self.done) {
            run.step(step)?;
            for id in done {
                run.memory -= std::mem::take(&mut run.values[id.index()]).len();
            }
        }
        let mut out = BTreeMap::new();
        for o in &self.graph.outputs {
            let level = self.graph.level(o.node);
            let shape = run.array_shape(level, self.shape(o.node));
            let values = run.values[o.node.index()].clone();
            let array = ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|e| e.to_string())?;
            out.insert(o.name.to_string(), array);
        }
        Ok(out)
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

struct Run<'a, N> {
    plan: &'a Evaluator<'a>,
    graph: &'a Graph,
    batch: &'a Batch,
    points: Points<'a>,
    /// Of each node, all rows.
    values: Vec<Vec<N>>,
    memory: usize,
}

impl<'a, N: Number> Run<'a, N> {
    fn new(plan: &'a Evaluator<'a>, batch: &'a Batch) -> Result<Self, String> {
        let graph = plan.graph;
        let needed = plan.needed_axes();
        let mut trees: Vec<&[Tree]> = Vec::new();
        let mut lengths: Vec<Vec<usize>> = Vec::new();
        for (i, needed) in needed.iter().enumerate() {
            let id = DomainId(i as u32);
            trees.push(match graph.domains[i].kind {
                DomainKind::Tree { arity } if *needed => find_trees(graph, batch, id, arity)?,
                _ => &[],
            });
            lengths.push(match needed {
                true => find_lengths(graph, batch, id, &lengths, trees[i])?,
                false => Vec::new(),
            });
        }
        let extents = plan.given_extents(batch);
        let points = Points::new(&graph.domains, batch.size, lengths, trees, &extents);
        Ok(Run { plan, graph, batch, points, values: vec![Vec::new(); graph.nodes.len()], memory: 0 })
    }

    fn array_shape(&self, level: Level, element: &[usize]) -> Vec<usize> {
        let mut shape = self.points.extents(level);
        shape.extend(element);
        shape
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        for id in step.nodes() {
            self.allocate(id)?;
        }
        match step {
            Step::Node(id) if self.plan.streamed[id.index()] => Ok(()),
            Step::Node(id) => match self.graph.node(*id).op {
                Op::Source(source) => self.load(*id, source),
                _ => {
                    self.points.all(self.graph.level(*id)).into_iter().try_for_each(|p| self.compute(*id, p))
                }
            },
            Step::Recurrence(nodes) => self.recurrence(nodes),
        }
    }

    fn allocate(&mut self, id: NodeId) -> Result<(), String> {
        if self.plan.streamed[id.index()] {
            return Ok(());
        }
        let elements = self.points.rows(self.graph.level(id)).saturating_mul(self.plan.elements(id));
        self.memory = self.memory.saturating_add(elements);
        if self.memory > MAX_MEMORY {
            return Err("the evaluation would not fit into memory".into());
        }
        self.values[id.index()] = vec![N::given(0.0); elements];
        Ok(())
    }

    /// Computes values that need one another, each when it is needed, along an explicit stack.
    fn recurrence(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let member = |id: NodeId| nodes.binary_search(&id).ok();
        let rows = |id: &NodeId| vec![Mark::New; self.points.rows(self.graph.level(*id))];
        let mut marks: Vec<Vec<Mark>> = nodes.iter().map(rows).collect();
        let mut places = Vec::new();
        for id in nodes {
            places.extend(self.points.all(self.graph.level(*id)).into_iter().map(|p| (*id, p)));
        }
        let mut open = Vec::new();
        for start in places {
            open.push(start);
            while let Some((id, p)) = open.last().copied() {
                let Some(i) = member(id) else {
                    open.pop();
                    continue;
                };
                let row = self.points.row(self.graph.level(id), p);
                match marks[i][row] {
                    Mark::Done => {
                        open.pop();
                    }
                    Mark::Open => {
                        self.compute(id, p)?;
                        marks[i][row] = Mark::Done;
                        open.pop();
                    }
                    Mark::New => {
                        marks[i][row] = Mark::Open;
                        let mut again = false;
                        self.reads(id, p, &mut |to, q| {
                            let Some(k) = member(to) else { return };
                            match marks[k][self.points.row(self.graph.level(to), q)] {
                                Mark::Done => {}
                                Mark::New => open.push((to, q)),
                                Mark::Open => again = true,
                            }
                        });
                        if again {
                            return Err(self.needs_itself(nodes, id));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn needs_itself(&self, nodes: &[NodeId], id: NodeId) -> String {
        let label = |id: NodeId| match &self.graph.node(id).name {
            Some(name) => format!("`{name}`"),
            None => format!("%{} ({})", id.0, self.graph.node(id).op.word()),
        };
        let named = nodes.iter().copied().filter(|n| self.graph.node(*n).name.is_some() && *n != id);
        let others: Vec<String> = named.take(3).map(label).collect();
        match others.is_empty() {
            true => format!("{} needs itself at one point", label(id)),
            false => format!("{} needs itself at one point, by way of {}", label(id), others.join(", ")),
        }
    }

    /// Fills a source's value from the given array, or with its default.
    fn load(&mut self, id: NodeId, source: SourceId) -> Result<(), String> {
        let source = &self.graph.sources[source.index()];
        let name = &source.name;
        let elements = self.plan.elements(id);
        let Some(array) = self.batch.arrays.get(&**name) else {
            let default = match source.kind {
                SourceKind::Initial { default, .. } => default,
                SourceKind::Cotangent => {
                    let is_loss = **name == *"loss_adj" && source.level == Level::Example;
                    (is_loss && source.shape.is_empty()) as u8 as f64
                }
                _ => return Err(format!("the array `{name}` is missing")),
            };
            for p in self.points.all(source.level) {
                let row = self.points.row(source.level, p);
                self.values[id.index()][row * elements..][..elements].fill(N::given(default));
            }
            return Ok(());
        };
        let want = self.array_shape(source.level, self.plan.shape(id));
        let axes = self.points.axes(source.level).len();
        // More points than the longest example has are padding.
        let fits = array.ndim() == want.len()
            && array.shape().iter().zip(&want).enumerate().all(
                |(i, (a, w))| {
                    if i < axes { a >= w } else { a == w }
                },
            );
        if !fits {
            return Err(format!("the array `{name}` has shape {:?}, but {want:?} is needed", array.shape()));
        }
        let given = array.as_standard_layout();
        let given = given.as_slice().unwrap_or(&[]);
        for p in self.points.all(source.level) {
            // The array may have more points along each axis than the value.
            let along = array.shape().iter().zip(p.at).take(axes).fold(0, |row, (n, x)| row * n + x);
            let from = match source.level {
                Level::Shared => 0,
                _ => along * self.points.size + p.example,
            };
            let values = &given[from * elements..][..elements];
            for v in values {
                check_value(&source.ty, *v).map_err(|e| {
                    let at: Vec<String> = p.at[..axes].iter().map(|x| (x + 1).to_string()).collect();
                    format!("`{name}`, example {}, position {}: {e}", p.example, at.join(", "))
                })?;
            }
            let row = self.points.row(source.level, p);
            let to = &mut self.values[id.index()][row * elements..][..elements];
            to.iter_mut().zip(values).for_each(|(to, v)| *to = N::given(*v));
        }
        Ok(())
    }

    fn compute(&mut self, id: NodeId, p: Place) -> Result<(), String> {
        let mut all = std::mem::take(&mut self.values[id.index()]);
        let elements = self.plan.elements(id);
        let row = self.points.row(self.graph.level(id), p);
        let result = self.row(id, p, row, &mut all, elements);
        self.values[id.index()] = all;
        result
    }
}

fn find_trees<'a>(
    graph: &Graph,
    batch: &'a Batch,
    id: DomainId,
    arity: Option<u32>,
) -> Result<&'a [Tree], String> {
    let extent = &graph.domains[id.index()].extent;
    let trees = batch.trees.get(&**extent).ok_or_else(|| format!("no trees are given for `{extent}`"))?;
    if trees.len() != batch.size {
        return Err(format!("there are {} trees of `{extent}` for a batch of {}", trees.len(), batch.size));
    }
    for (b, tree) in trees.iter().enumerate() {
        if let (Some(n), Some(node)) =
            (arity, (0..tree.nodes()).find(|k| arity.is_some_and(|n| tree.arity(*k) > n as usize)))
        {
            let has = tree.arity(node);
            return Err(format!("example {b}: node {node} has {has} edges, but `{extent}` has at most {n}"));
        }
    }
    Ok(trees)
}

/// Given, fixed, found from other axes, or those of the first array over the axis.
fn find_lengths(
    graph: &Graph,
    batch: &Batch,
    id: DomainId,
    known: &[Vec<usize>],
    trees: &[Tree],
) -> Result<Vec<usize>, String> {
    let domain = &graph.domains[id.index()];
    let fixed = match &domain.kind {
        DomainKind::Chain { fixed } => fixed.map(|n| n as usize),
        DomainKind::Tree { .. } => return Ok(trees.iter().map(Tree::nodes).collect()),
        DomainKind::Derived(extent) => {
            let length = |b: usize| {
                let n = extent.value(|axis| known[axis.index()].get(b).copied().unwrap_or(0));
                usize::try_from(n.max(0)).ok().filter(|n| *n <= MAX_MEMORY)
            };
            let too_long = || format!("`{}` is too long", domain.extent);
            return (0..batch.size).map(|b| length(b).ok_or_else(too_long)).collect();
        }
        DomainKind::Children { .. } | DomainKind::Product(_) => return Ok(Vec::new()),
    };
    if let Some(given) = batch.lengths.get(&*domain.extent) {
        if given.len() != batch.size {
            return Err(format!(
                "there are {} lengths of `{}` for a batch of {}",
                given.len(),
                domain.extent,
                batch.size
            ));
        }
        if let Some((b, n)) = given.iter().enumerate().find(|(_, n)| fixed.is_some_and(|f| f != **n)) {
            return Err(format!(
                "example {b} has length {n}, but `{}` is {}",
                domain.extent,
                fixed.unwrap_or(0)
            ));
        }
        return Ok(given.clone());
    }
    if let Some(n) = fixed {
        return Ok(vec![n; batch.size]);
    }
    for source in &graph.sources {
        let axis = graph.axes_of(source.level).iter().position(|a| *a == id);
        let array = batch.arrays.get(&*source.name);
        if let (Some(axis), Some(array)) = (axis, array)
            && let Some(steps) = array.shape().get(axis)
        {
            return Ok(vec![*steps; batch.size]);
        }
    }
    Err(format!("no lengths are given for `{}`, and no array over it", domain.extent))
}

impl Evaluator<'_> {
    /// Of each axis, how many points the given arrays have: beyond an example's length they are padding.
    fn given_extents(&self, batch: &Batch) -> Vec<usize> {
        let mut extents = vec![0; self.graph.domains.len()];
        for id in self.steps.iter().flat_map(Step::nodes) {
            let Op::Source(source) = self.graph.node(id).op else { continue };
            let source = &self.graph.sources[source.index()];
            let Some(array) = batch.arrays.get(&*source.name) else { continue };
            for (axis, n) in self.graph.axes_of(source.level).into_iter().zip(array.shape()) {
                extents[axis.index()] = extents[axis.index()].max(*n);
            }
        }
        extents
    }

    /// The axes over which something is computed, or whose length is read.
    fn needed_axes(&self) -> Vec<bool> {
        let mut needed = vec![false; self.graph.domains.len()];
        let mut note = |d: DomainId| needed[d.index()] = true;
        for id in self.steps.iter().flat_map(Step::nodes) {
            self.graph.axes_of(self.graph.level(id)).into_iter().for_each(&mut note);
            match &self.graph.node(id).op {
                Op::Length(d) => note(*d),
                Op::Remap { maps, .. } => maps.iter().flat_map(|m| m.start.axes()).for_each(&mut note),
                _ => {}
            }
        }
        // Lengths are found from earlier axes.
        for i in (0..needed.len()).rev().filter(|i| needed[*i]).collect::<Vec<_>>() {
            match &self.graph.domains[i].kind {
                DomainKind::Derived(extent) => extent.axes().for_each(|d| needed[d.index()] = true),
                DomainKind::Children { tree } => needed[tree.index()] = true,
                _ => {}
            }
        }
        needed
    }
}

fn check_value(ty: &Ty, v: f64) -> Result<(), String> {
    match ty {
        Ty::Real => Ok(()),
        Ty::Bool if v == 0.0 || v == 1.0 => Ok(()),
        Ty::Bool => Err(format!("{v} is neither 0 nor 1")),
        Ty::Id(k) => {
            let k = k.as_constant().unwrap_or(0);
            match v >= 0.0 && v < k as f64 && v.fract() == 0.0 {
                true => Ok(()),
                false => Err(format!("{v} is no symbol from 0 to {}", k - 1)),
            }
        }
    }
}
