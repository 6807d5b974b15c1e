//! Made-up cells for gradient tests, and the one check they all go through: every derived gradient
//! against central differences of the interpreter in f64.

use ndarray::{ArrayD, IxDyn};
use rnnc::eqn::eval::{Batch, Evaluator, eval};
use rnnc::eqn::tree::Tree;
use rnnc::eqn::*;
use rnnc::grad::{Options, differentiate};
use rnnc::shape::Dim;
use std::collections::BTreeMap;

pub fn dims(extents: &[i64]) -> Vec<Dim> {
    extents.iter().map(|n| Dim::constant(*n)).collect()
}

/// Builds a graph without ceremony: wrong shapes panic.
pub struct Cell {
    pub graph: Graph,
}

impl Cell {
    /// With one domain `n`.
    pub fn new() -> Cell {
        let mut cell = Cell { graph: Graph { name: "Made".into(), ..Graph::default() } };
        cell.domain("n");
        cell
    }

    pub fn domain(&mut self, extent: &str) -> DomainId {
        self.graph.domain(Domain {
            extent: extent.into(),
            var: "t".into(),
            kind: DomainKind::Chain { fixed: None },
            edges: vec![],
        })
    }

    pub fn source(&mut self, name: &str, kind: SourceKind, shape: &[i64], ty: Ty, level: Level) -> NodeId {
        self.graph.source(Source { name: name.into(), kind, shape: dims(shape), ty, level, span: None })
    }

    pub fn input(&mut self, name: &str, shape: &[i64]) -> NodeId {
        self.source(name, SourceKind::Input, shape, Ty::Real, Level::Over(DomainId(0)))
    }

    pub fn each(&mut self, name: &str, shape: &[i64]) -> NodeId {
        self.source(name, SourceKind::Input, shape, Ty::Real, Level::Example)
    }

    pub fn param(&mut self, name: &str, shape: &[i64]) -> NodeId {
        let kind = SourceKind::Param(ParamInfo { init: Init::Value(Scalar::Num(0.0)), within: None });
        self.source(name, kind, shape, Ty::Real, Level::Shared)
    }

    pub fn id(&mut self, name: &str, count: i64) -> NodeId {
        let ty = Ty::Id(Dim::constant(count));
        self.source(name, SourceKind::Input, &[], ty, Level::Over(DomainId(0)))
    }

    /// A state without a value yet.
    pub fn state(&mut self, name: &str, shape: &[i64]) -> StateId {
        self.graph.state(State {
            name: name.into(),
            domain: DomainId(0),
            shape: dims(shape),
            ty: Ty::Real,
            def: None,
            init: Vec::new(),
            sides: Vec::new(),
            span: None,
        })
    }

    /// A state whose initial values come from outside: `NAME0`, `NAME1`, ... for each distance.
    pub fn carried(&mut self, name: &str, shape: &[i64], distances: usize) -> StateId {
        let state = self.state(name, shape);
        for k in 0..distances {
            let kind = SourceKind::Initial { state, default: 0.0 };
            let init = self.source(&format!("{name}{k}"), kind, shape, Ty::Real, Level::Example);
            self.graph.states[state.index()].init.push(init);
        }
        state
    }

    pub fn define(&mut self, state: StateId, def: NodeId) {
        self.graph.states[state.index()].def = Some(def);
        if self.graph.states[state.index()].init.is_empty() {
            let shape = self.graph.states[state.index()].shape.clone();
            let zero = self.graph.filled(0.0, &shape);
            self.graph.states[state.index()].init.push(zero);
        }
    }

    pub fn lag(&mut self, state: StateId, offset: i32) -> NodeId {
        self.op(Op::Lag { state, offset: rnnc::eqn::Offset::chain(offset) })
    }

    pub fn op(&mut self, op: Op) -> NodeId {
        self.graph.add(op).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn un(&mut self, kind: Unary, a: NodeId) -> NodeId {
        self.op(Op::Unary(kind, a))
    }

    pub fn bin(&mut self, kind: Binary, a: NodeId, b: NodeId) -> NodeId {
        self.op(Op::Binary(kind, a, b))
    }

    pub fn mm(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.op(Op::MatMul(a, b))
    }

    pub fn sum(&mut self, parts: &[NodeId]) -> NodeId {
        let first = parts[0];
        parts[1..].iter().fold(first, |a, b| self.bin(Binary::Add, a, *b))
    }

    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.bin(Binary::Mul, a, b)
    }

    pub fn num(&mut self, value: f64) -> NodeId {
        self.graph.constant(value)
    }

    pub fn slice(&mut self, a: NodeId, start: i64, len: i64) -> NodeId {
        self.graph.slice(a, Dim::constant(start), Dim::constant(len)).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn sum_over(&mut self, a: NodeId, level: Level) -> NodeId {
        self.graph.sum_over(a, level).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn name(&mut self, id: NodeId, name: &str) -> NodeId {
        self.graph.set_name(id, name);
        id
    }

    pub fn out(&mut self, name: &str, id: NodeId) {
        self.graph.output(name, id);
    }
}

/// A stream of numbers in −1..1, the same on every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// The extent of each axis of a batch: that of the greatest example.
fn axis_extent(axis: DomainId, batch: &Batch, graph: &Graph) -> usize {
    let domain = &graph.domains[axis.index()];
    let longest = |lengths: Vec<usize>| lengths.into_iter().max().unwrap_or(0);
    let length_in = |axis: DomainId, example: usize| match graph.domains[axis.index()].kind {
        DomainKind::Chain { fixed: Some(n) } => n as usize,
        DomainKind::Tree { .. } => batch.trees[&*graph.domains[axis.index()].extent][example].nodes(),
        _ => batch.lengths[&*graph.domains[axis.index()].extent][example],
    };
    match &domain.kind {
        DomainKind::Chain { fixed: Some(n) } => *n as usize,
        DomainKind::Chain { fixed: None } => longest(batch.lengths[&*domain.extent].clone()),
        DomainKind::Derived(extent) => {
            let length = |b| extent.value(|axis| length_in(axis, b)).max(0) as usize;
            longest((0..batch.size).map(length).collect())
        }
        DomainKind::Tree { .. } => longest(batch.trees[&*domain.extent].iter().map(Tree::nodes).collect()),
        DomainKind::Children { tree } => {
            let trees = &batch.trees[&*graph.domains[tree.index()].extent];
            longest(trees.iter().flat_map(|t| (0..t.nodes()).map(|n| t.children(n).len())).collect())
        }
        DomainKind::Product(_) => panic!("a product is no axis"),
    }
}

fn array_shape(level: Level, shape: &[Dim], batch: &Batch, graph: &Graph) -> Vec<usize> {
    let mut all: Vec<usize> =
        graph.axes_of(level).into_iter().map(|axis| axis_extent(axis, batch, graph)).collect();
    if level != Level::Shared {
        all.push(batch.size);
    }
    all.extend(shape.iter().map(|d| d.as_constant().expect("a number") as usize));
    all
}

/// Random arrays for all sources. Truth values and symbols are drawn, too.
pub fn random_batch(graph: &Graph, lengths: &[(&str, &[usize])], seed: u64) -> Batch {
    random_arrays(graph, lengths, &[], seed)
}

/// The same for graphs over trees, too.
pub fn random_arrays(
    graph: &Graph,
    lengths: &[(&str, &[usize])],
    trees: &[(&str, &[Tree])],
    seed: u64,
) -> Batch {
    let lengths: BTreeMap<String, Vec<usize>> =
        lengths.iter().map(|(n, l)| (n.to_string(), l.to_vec())).collect();
    let trees: BTreeMap<String, Vec<Tree>> = trees.iter().map(|(n, t)| (n.to_string(), t.to_vec())).collect();
    let mut random = Random::new(seed);
    let size = lengths.values().map(Vec::len).chain(trees.values().map(Vec::len)).next().unwrap_or(0);
    let mut batch = Batch { size, lengths, trees, ..Batch::default() };
    for s in &graph.sources {
        let shape = array_shape(s.level, &s.shape, &batch, graph);
        let draw = |r: &mut Random| match &s.ty {
            Ty::Real => r.next(),
            Ty::Bool => (r.next() > 0.0) as u8 as f64,
            Ty::Id(k) => {
                let k = k.as_constant().expect("a number");
                ((r.next() + 1.0) / 2.0 * k as f64).floor().min(k as f64 - 1.0)
            }
        };
        let array = ArrayD::from_shape_simple_fn(IxDyn(&shape), || draw(&mut random));
        batch.arrays.insert(s.name.to_string(), array);
    }
    batch
}

pub fn run(graph: &Graph, batch: &Batch) -> BTreeMap<String, ArrayD<f64>> {
    eval(graph, batch).unwrap_or_else(|e| panic!("{e}\n{}", print::print(graph)))
}

pub fn joint_of(graph: &Graph, options: &Options) -> Graph {
    differentiate(graph, options).unwrap_or_else(|e| panic!("{}\n{}", e[0].message, print::print(graph)))
}

/// Random cotangents for the outputs, and the weighted sum of the outputs as a function of the arrays.
pub fn with_cotangents(graph: &Graph, batch: &Batch, seed: u64) -> Batch {
    let mut random = Random::new(seed ^ 0xabcd);
    let mut batch = batch.clone();
    for o in &graph.outputs {
        if *graph.ty(o.node) == Ty::Real {
            let shape = array_shape(graph.level(o.node), graph.shape(o.node), &batch, graph);
            let array = ArrayD::from_shape_simple_fn(IxDyn(&shape), || random.next());
            batch.arrays.insert(format!("{}_adj", o.name), array);
        }
    }
    batch
}

pub fn weighted(graph: &Graph, evaluator: &Evaluator, batch: &Batch) -> f64 {
    let outs = evaluator.run(batch).unwrap_or_else(|e| panic!("{e}\n{}", print::print(graph)));
    let real = graph.outputs.iter().filter(|o| *graph.ty(o.node) == Ty::Real);
    let product = |o: &Output| {
        let cotangent = &batch.arrays[&format!("{}_adj", o.name)];
        outs[&*o.name].iter().zip(cotangent).map(|(a, b)| a * b).sum::<f64>()
    };
    real.map(product).sum()
}

pub fn evaluator(graph: &Graph) -> Evaluator<'_> {
    Evaluator::new(graph).unwrap_or_else(|e| panic!("{e}\n{}", print::print(graph)))
}

/// Compares all gradients with central differences; returns the joint graph.
pub fn check_at(graph: &Graph, batch: &Batch, what: &str) -> Graph {
    let joint = joint_of(graph, &Options::default());
    let batch = with_cotangents(graph, batch, 7);
    let gradients = run(&joint, &batch);
    let evaluator = evaluator(graph);
    for s in &graph.sources {
        if s.ty != Ty::Real || s.kind == SourceKind::Cotangent {
            continue;
        }
        let gradient = &gradients[&format!("{}_adj", s.name)];
        assert_eq!(gradient.shape(), batch.arrays[&*s.name].shape(), "{what}: shape of {}_adj", s.name);
        for (i, derived) in gradient.iter().enumerate() {
            let step = 1e-5;
            let moved = |by: f64| {
                let mut batch = batch.clone();
                let array = batch.arrays.get_mut(&*s.name).expect("an array");
                array.as_slice_mut().expect("in order")[i] += by;
                weighted(graph, &evaluator, &batch)
            };
            let measured = (moved(step) - moved(-step)) / (2.0 * step);
            let scale = derived.abs().max(measured.abs()).max(1.0);
            assert!(
                (derived - measured).abs() <= 1e-6 * scale,
                "{what}: {}_adj[{i}] is {derived}, but differences give {measured}\n{}",
                s.name,
                print::print(&joint)
            );
        }
    }
    joint
}

/// The same at random values, for examples of several lengths.
pub fn check(cell: &Cell, what: &str) -> Graph {
    let batch = random_batch(&cell.graph, &[("n", &[3, 0, 1, 4])], 3);
    check_at(&cell.graph, &batch, what)
}
