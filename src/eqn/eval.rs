//! The reference interpreter: slow, obvious, in f64. The oracle of every test.
//!
//! In: a bound graph and named arrays. Out: arrays for the outputs.
//! Only true positions are ever computed: what lies beyond an example's length is 0 and is read by
//! nothing, so padding cannot matter by construction.
//!
//! What it computes with is a [`Number`]: f64, or f64 that carries a bound of an error.
//!
//! Memory. A value over a domain has rows in the order of its array: row `t*B + b`. Values per
//! example have B rows, Shared values one.

pub mod number;
pub(crate) mod ops;
mod order;
mod row;

use super::*;
use crate::shape::show_shape;
use ndarray::{ArrayD, IxDyn};
use number::Number;
use order::Step;
use std::collections::BTreeMap;

/// Named arrays for one run. Shared values have their own shape, Example values `[B, ..]`, values
/// over a domain `[T, B, ..]`. Ids and bools are whole numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub size: usize,
    /// For each domain extent (`n`): every example's length. T is the greatest.
    pub lengths: BTreeMap<String, Vec<usize>>,
    pub arrays: BTreeMap<String, ArrayD<f64>>,
}

/// What one evaluation may hold in memory, in elements of 8 bytes.
const MAX_MEMORY: usize = 1 << 29;

/// All outputs by name, shaped like [`Batch::arrays`]; 0 beyond an example's length. Missing `Initial`
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
        let steps = order::order(graph)?;
        let mut shapes = vec![None; graph.nodes.len()];
        for id in steps.iter().flat_map(Step::nodes) {
            shapes[id.index()] = Some(extents(graph, id)?);
        }
        let sizes = shapes.iter().map(|s| s.as_ref().map_or(0, |s| s.iter().product())).collect();
        let streamed = streamed(graph, &shapes);
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
            Step::Recurrence { nodes, .. } => nodes.as_slice(),
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
fn streamed(graph: &Graph, shapes: &[Option<Vec<usize>>]) -> Vec<bool> {
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
    let defs = graph.states.iter().flat_map(|s| s.def.iter().chain(&s.init).copied());
    for id in graph.outputs.iter().map(|o| o.node).chain(defs) {
        readers[id.index()] += 1;
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

/// One point of one example. `row` is its row in a value of the level at hand.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    row: usize,
    example: usize,
    /// From 0.
    point: usize,
}

struct Run<'a, N> {
    plan: &'a Evaluator<'a>,
    graph: &'a Graph,
    batch: &'a Batch,
    size: usize,
    /// Of each domain, each example's length; empty for a domain that nothing needs.
    lengths: Vec<Vec<usize>>,
    /// Of each node, all rows.
    values: Vec<Vec<N>>,
    memory: usize,
}

impl<'a, N: Number> Run<'a, N> {
    fn new(plan: &'a Evaluator<'a>, batch: &'a Batch) -> Result<Self, String> {
        let graph = plan.graph;
        let values = vec![Vec::new(); graph.nodes.len()];
        let mut run = Run { plan, graph, batch, size: batch.size, lengths: Vec::new(), values, memory: 0 };
        for i in 0..graph.domains.len() {
            let lengths = run.find_lengths(DomainId(i as u32))?;
            run.lengths.push(lengths);
        }
        Ok(run)
    }

    /// Given, fixed, or those of the first array over the domain.
    fn find_lengths(&self, id: DomainId) -> Result<Vec<usize>, String> {
        let domain = &self.graph.domains[id.index()];
        let DomainKind::Chain { fixed } = domain.kind;
        let fixed = fixed.map(|n| n as usize);
        if let Some(given) = self.batch.lengths.get(&*domain.extent) {
            if given.len() != self.size {
                return Err(format!(
                    "there are {} lengths of `{}` for a batch of {}",
                    given.len(),
                    domain.extent,
                    self.size
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
            return Ok(vec![n; self.size]);
        }
        let over = self.graph.sources.iter().filter(|s| s.level == Level::Over(id));
        let given = over.filter_map(|s| self.batch.arrays.get(&*s.name)).next();
        if let Some(steps) = given.and_then(|a| a.shape().first()) {
            return Ok(vec![*steps; self.size]);
        }
        let needed = self.plan.steps.iter().flat_map(Step::nodes).any(|n| match self.graph.node(n).op {
            Op::Length(d) => d == id,
            _ => self.graph.level(n) == Level::Over(id),
        });
        match needed {
            true => Err(format!("no lengths are given for `{}`, and no array over it", domain.extent)),
            false => Ok(vec![0; self.size]),
        }
    }

    fn greatest(&self, domain: DomainId) -> usize {
        self.lengths[domain.index()].iter().copied().max().unwrap_or(0)
    }

    fn rows(&self, level: Level) -> usize {
        match level {
            Level::Shared => 1,
            Level::Example => self.size,
            Level::Over(d) => self.greatest(d).saturating_mul(self.size),
        }
    }

    fn array_shape(&self, level: Level, element: &[usize]) -> Vec<usize> {
        let mut shape = match level {
            Level::Shared => vec![],
            Level::Example => vec![self.size],
            Level::Over(d) => vec![self.greatest(d), self.size],
        };
        shape.extend(element);
        shape
    }

    /// All true positions of a level.
    fn places(&self, level: Level) -> Vec<Place> {
        match level {
            Level::Shared => vec![Place::default()],
            Level::Example => (0..self.size).map(|b| Place { row: b, example: b, point: 0 }).collect(),
            Level::Over(d) => (0..self.greatest(d)).flat_map(|t| self.places_at(d, t)).collect(),
        }
    }

    fn places_at(&self, domain: DomainId, point: usize) -> impl Iterator<Item = Place> + '_ {
        let lengths = &self.lengths[domain.index()];
        (0..self.size).filter(move |b| lengths[*b] > point).map(move |b| Place {
            row: point * self.size + b,
            example: b,
            point,
        })
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        for id in step.nodes() {
            self.allocate(id)?;
        }
        match step {
            Step::Node(id) if self.plan.streamed[id.index()] => Ok(()),
            Step::Node(id) => match self.graph.node(*id).op {
                Op::Source(source) => self.load(*id, source),
                _ => self.compute(*id, &self.places(self.graph.level(*id))),
            },
            Step::Recurrence { domain, backwards, nodes } => {
                let steps = self.greatest(*domain);
                for k in 0..steps {
                    let point = if *backwards { steps - 1 - k } else { k };
                    let places: Vec<Place> = self.places_at(*domain, point).collect();
                    for id in nodes {
                        self.compute(*id, &places)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn allocate(&mut self, id: NodeId) -> Result<(), String> {
        if self.plan.streamed[id.index()] {
            return Ok(());
        }
        let elements = self.rows(self.graph.level(id)).saturating_mul(self.plan.elements(id));
        self.memory = self.memory.saturating_add(elements);
        if self.memory > MAX_MEMORY {
            return Err("the evaluation would not fit into memory".into());
        }
        self.values[id.index()] = vec![N::given(0.0); elements];
        Ok(())
    }

    /// Fills a source's value from the given array, or with its default.
    fn load(&mut self, id: NodeId, source: SourceId) -> Result<(), String> {
        let source = &self.graph.sources[source.index()];
        let name = &source.name;
        let Some(array) = self.batch.arrays.get(&**name) else {
            let default = match source.kind {
                SourceKind::Initial { default, .. } => default,
                SourceKind::Cotangent => {
                    let is_loss = **name == *"loss_adj" && source.level == Level::Example;
                    (is_loss && source.shape.is_empty()) as u8 as f64
                }
                _ => return Err(format!("the array `{name}` is missing")),
            };
            let elements = self.plan.elements(id);
            for p in self.places(source.level) {
                self.values[id.index()][p.row * elements..][..elements].fill(N::given(default));
            }
            return Ok(());
        };
        let want = self.array_shape(source.level, self.plan.shape(id));
        let over = matches!(source.level, Level::Over(_));
        // More steps than the longest example has are padding.
        let fits = array.ndim() == want.len()
            && array.shape().iter().zip(&want).enumerate().all(
                |(i, (a, w))| {
                    if over && i == 0 { a >= w } else { a == w }
                },
            );
        if !fits {
            return Err(format!("the array `{name}` has shape {:?}, but {want:?} is needed", array.shape()));
        }
        let elements = self.plan.elements(id);
        let given = array.as_standard_layout();
        let given = given.as_slice().unwrap_or(&[]);
        for p in self.places(source.level) {
            let row = &given[p.row * elements..][..elements];
            for v in row {
                check_value(&source.ty, *v)
                    .map_err(|e| format!("`{name}`, example {}, position {}: {e}", p.example, p.point + 1))?;
            }
            let to = &mut self.values[id.index()][p.row * elements..][..elements];
            to.iter_mut().zip(row).for_each(|(to, v)| *to = N::given(*v));
        }
        Ok(())
    }

    fn compute(&mut self, id: NodeId, places: &[Place]) -> Result<(), String> {
        let mut out = std::mem::take(&mut self.values[id.index()]);
        let elements = self.plan.elements(id);
        let mut result = Ok(());
        for p in places {
            result = self.row(id, *p, &mut out, elements);
            if result.is_err() {
                break;
            }
        }
        self.values[id.index()] = out;
        result
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
