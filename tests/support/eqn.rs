//! Random graphs and batches for the tests of the equation IR.

use ndarray::{ArrayD, IxDyn};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rnnc::eqn::eval::Batch;
use rnnc::eqn::*;
use rnnc::shape::{Bindings, Dim};

/// The numbers for the dimensions of [`random_graph`].
pub fn bindings() -> Bindings {
    [("H", 3), ("I", 2), ("K", 4)].into_iter().map(|(k, v)| (k.into(), v)).collect()
}

/// A graph over one or two chains with states, parameters and most operations; the same for the
/// same seed. Every operation may fail to fit, then it is simply not there.
pub fn random_graph(seed: u64) -> Graph {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut g = Graph { name: format!("random {seed}"), ..Graph::default() };
    let dims = [Dim::sym("H"), Dim::sym("I"), Dim::constant(2)];
    let chains = rng.random_range(1..=2);
    for i in 0..chains {
        let kind = DomainKind::Chain { fixed: (rng.random_range(0..4) == 0).then_some(3) };
        g.domain(Domain { extent: ["n", "m"][i].into(), var: "t".into(), kind, edges: vec![] });
    }
    let domain = |rng: &mut ChaCha8Rng| DomainId(rng.random_range(0..chains as u32));
    let shape = |rng: &mut ChaCha8Rng| -> Vec<Dim> {
        (0..rng.random_range(0..=2)).map(|_| dims[rng.random_range(0..3)].clone()).collect()
    };
    for i in 0..rng.random_range(3..7) {
        let level = [Level::Shared, Level::Example, Level::Over(domain(&mut rng))][rng.random_range(0..3)];
        let kind = match level {
            Level::Shared => {
                let h = Scalar::Sqrt(Box::new(Scalar::Dim(dims[0].clone())));
                let scale = Scalar::Bin('/', Box::new(Scalar::Num(1.0)), Box::new(h));
                SourceKind::Param(ParamInfo {
                    init: Init::Dist(Dist { name: "uniform".into(), args: vec![scale] }),
                    within: (i == 3).then_some((-0.5, 2.0)),
                })
            }
            _ if i == 4 => SourceKind::Noise(Dist { name: "normal".into(), args: vec![Scalar::Num(0.1)] }),
            _ => SourceKind::Input,
        };
        let shape = shape(&mut rng);
        let name = if i == 2 { "a name".into() } else { format!("s{i}").into() };
        g.source(Source { name, kind, shape, ty: Ty::Real, level, span: None });
    }
    let level = Level::Over(domain(&mut rng));
    let ty = Ty::Id(Dim::sym("K"));
    g.source(Source { name: "word".into(), kind: SourceKind::Input, shape: vec![], ty, level, span: None });
    let table = g.filled(0.5, &[Dim::sym("K"), Dim::sym("H")]);
    g.set_name(table, "table");
    for i in 0..rng.random_range(0..4u32) {
        let (domain, shape) = (domain(&mut rng), shape(&mut rng));
        let state = g.state(State {
            name: format!("h{}", i / 2).into(),
            domain,
            shape: shape.clone(),
            ty: Ty::Real,
            def: None,
            init: vec![],
            sides: Vec::new(),
            span: None,
        });
        let kind = SourceKind::Initial { state, default: 0.25 };
        let name = format!("h{i}_0").into();
        let init = g.source(Source { name, kind, shape, ty: Ty::Real, level: Level::Example, span: None });
        g.states[state.index()].init.push(init);
        // Past states on one chain, future ones on the other, so that there is an order.
        let ahead = if domain.0 == 0 { -1 } else { 1 };
        for k in 1..=rng.random_range(1..=2) {
            g.lag(state, ahead * k).unwrap();
        }
    }
    for _ in 0..rng.random_range(10..60) {
        grow(&mut g, &mut rng);
    }
    for i in 0..g.states.len() {
        let s = g.states[i].clone();
        let fits = |id: &NodeId| {
            let n = g.node(*id);
            let past = n.level == Level::Over(s.domain) || n.level < Level::Over(DomainId(0));
            n.shape == s.shape && n.ty == s.ty && past
        };
        let candidates: Vec<NodeId> = g.node_ids().filter(fits).collect();
        g.states[i].def = Some(candidates[rng.random_range(0..candidates.len())]);
    }
    for i in 0..rng.random_range(1..5u32) {
        let node = NodeId(rng.random_range(0..g.nodes.len() as u32));
        g.output(format!("o{i}"), node);
    }
    g
}

/// Tries to add one more operation.
fn grow(g: &mut Graph, rng: &mut ChaCha8Rng) {
    let mut any = |g: &Graph| NodeId(rng.random_range(0..g.nodes.len() as u32));
    let (a, b, c) = (any(g), any(g), any(g));
    let added = match rng.random_range(0..24) {
        0..4 => g.unary(Unary::ALL[rng.random_range(0..Unary::ALL.len())], a),
        4..9 => g.binary(Binary::ALL[rng.random_range(0..Binary::ALL.len())], a, b),
        9 => g.select(a, b, c),
        10 => g.spread(a, &[Dim::sym("H")]),
        11..14 => g.matmul(a, b),
        14 => g.transpose(a),
        15 => g.outer(a, b),
        16 => g.concat(vec![a, b]),
        17 => g.slice(a, Dim::constant(rng.random_range(0..2)), Dim::constant(1)),
        18 => {
            let table = g.node_ids().find(|id| g.node(*id).name.as_deref() == Some("table")).unwrap();
            let index = g.node_ids().rfind(|id| matches!(g.ty(*id), Ty::Id(_))).unwrap();
            match rng.random_range(0..3) {
                0 => g.gather(table, index),
                1 => g.scatter(index, a),
                _ => g.add(Op::ArgMax(a)),
            }
        }
        19 => {
            let axis = rng.random_range(0..2);
            g.reduce(Fold::ALL[rng.random_range(0..4)], a, axis)
        }
        20 => g.add(if rng.random() { Op::Softmax(a) } else { Op::LogSumExp(a) }),
        21 => {
            let level = [Level::Shared, Level::Example][rng.random_range(0..2)];
            let shape = g.shape(a).clone();
            g.add_as(Op::SumOver(a), shape, level)
        }
        22 => match rng.random_range(0..3) {
            0 => g.reverse(a),
            1 => {
                let point = [Point::First, Point::Last, Point::Fixed(2)][rng.random_range(0..3)];
                let empty = g.filled(0.0, &g.shape(a).clone());
                g.at(a, point, empty)
            }
            _ => g.add(Op::Length(DomainId(0))),
        },
        _ => match rng.random_range(0..4) {
            0 => g.add(Op::Position(DomainId(0))),
            1 => Ok(g.constant([0.0, 1.0, -2.5, 1e-9][rng.random_range(0..4)])),
            2 => Ok(g.dim_value(Dim::sym("H"))),
            _ => g.literal([1.0, -2.0], vec![Dim::constant(2)]),
        },
    };
    if let Ok(id) = added
        && rng.random_range(0..3) == 0
    {
        let name = ["f", "g", "a b", "out", "l1.c"][rng.random_range(0..5)];
        g.set_name(id, name);
    }
}

/// Values for everything a bound graph may read, with lengths from 0 on.
pub fn random_batch(g: &Graph, seed: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let size = rng.random_range(1..4usize);
    let mut batch = Batch { size, ..Batch::default() };
    for d in &g.domains {
        let DomainKind::Chain { fixed } = d.kind else { continue };
        let lengths = (0..size).map(|_| fixed.map_or(rng.random_range(0..5), |n| n as usize)).collect();
        batch.lengths.insert(d.extent.to_string(), lengths);
    }
    for s in &g.sources {
        let mut shape = match s.level {
            Level::Shared => vec![],
            Level::Example => vec![size],
            Level::Over(d) => {
                let lengths = &batch.lengths[&*g.domains[d.index()].extent];
                vec![*lengths.iter().max().unwrap(), size]
            }
        };
        shape.extend(s.shape.iter().map(|d| d.as_constant().unwrap() as usize));
        let symbols = match &s.ty {
            Ty::Real => None,
            Ty::Bool => Some(2),
            Ty::Id(k) => k.as_constant(),
        };
        let count = shape.iter().product();
        let values = (0..count).map(|_| match symbols {
            Some(k) => rng.random_range(0..k) as f64,
            None => rng.random_range(-1.5..1.5),
        });
        let array = ArrayD::from_shape_vec(IxDyn(&shape), values.collect()).unwrap();
        batch.arrays.insert(s.name.to_string(), array);
    }
    batch
}
