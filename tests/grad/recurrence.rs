//! Adjoints of recurrences: mirrored reads, initial values, ends of the chain. All against central
//! differences, for examples of lengths 0, 1, 3 and 4 in one batch.

use crate::support::grad::*;
use rnnc::eqn::*;
use rnnc::grad::Options;

const N: Level = Level::Over(DomainId(0));

/// `s = tanh(W x + Σ U_k s[t+offset_k] + b)`, started by `distances` given values.
fn plain(offsets: &[i32], distances: usize) -> Cell {
    let mut c = Cell::new();
    let (x, w, b) = (c.input("x", &[2]), c.param("W", &[3, 2]), c.param("b", &[3]));
    let s = c.carried("s", &[3], distances);
    let mut terms = vec![c.mm(w, x)];
    for (k, offset) in offsets.iter().enumerate() {
        let u = c.param(&format!("U{k}"), &[3, 3]);
        let old = c.lag(s, *offset);
        terms.push(c.mm(u, old));
    }
    terms.push(b);
    let pre = c.sum(&terms);
    let y = c.un(Unary::Tanh, pre);
    c.name(y, "s");
    c.define(s, y);
    c.out("s", y);
    c
}

#[test]
fn lags_on_both_sides_and_longer_than_the_chain() {
    for offsets in
        [&[-1][..], &[-2], &[-3], &[1], &[2], &[3], &[-1, -2], &[-1, -3], &[1, 2], &[-7], &[9], &[-1, -1]]
    {
        let reach = offsets.iter().map(|o: &i32| o.unsigned_abs() as usize).max().unwrap_or(1);
        for distances in [1, 2, reach] {
            let mut c = plain(offsets, distances);
            let s = c.graph.find_output("s").expect("s");
            let last = c.graph.states[0].init[0];
            let last = c.graph.at(s, Point::Last, last).unwrap();
            c.out("s_last", last);
            check(&c, &format!("offsets {offsets:?}, {distances} initial values"));
        }
    }
}

/// With many distances to one initial value, its adjoint is one sum, not one read per distance.
#[test]
fn a_long_lag_does_not_unroll() {
    for offset in [-500, 500] {
        let joint = check(&plain(&[offset], 1), "long lag");
        assert!(joint.nodes.len() < 60, "{}", print::print(&joint));
    }
}

#[test]
fn the_adjoint_reads_named_values_after_it() {
    let joint = check(&plain(&[-1], 1), "plain");
    let text = print::print(&joint);
    // One product for each use of U, and none over the sum of what arrives.
    assert_eq!(text.matches("transpose(U0)").count(), 1, "{text}");
    assert!(text.contains("lag(s_pre_adj, 1)"), "{text}");
    assert!(text.contains("at(s_pre_adj, n, first"), "{text}");
    let forward = plain(&[-1], 1).graph;
    assert_eq!(joint.nodes[..forward.nodes.len()], forward.nodes, "forward nodes keep their ids");
}

/// Gates, products of states, reads of two states, outputs of both.
fn gated() -> Cell {
    let mut c = Cell::new();
    let x = c.input("x", &[2]);
    let (h, m) = (c.carried("h", &[3], 1), c.carried("m", &[3], 1));
    let (h_old, m_old) = (c.lag(h, -1), c.lag(m, -1));
    let gate = |c: &mut Cell, name: &str, kind: Unary| {
        let w = c.param(&format!("W_{name}"), &[3, 2]);
        let u = c.param(&format!("U_{name}"), &[3, 3]);
        let b = c.param(&format!("b_{name}"), &[3]);
        let (wx, uh) = (c.mm(w, x), c.mm(u, h_old));
        let pre = c.sum(&[wx, uh, b]);
        let y = c.un(kind, pre);
        c.name(y, name)
    };
    let keep = gate(&mut c, "k", Unary::Sigmoid);
    let new = gate(&mut c, "n", Unary::Tanh);
    let show = gate(&mut c, "q", Unary::Sigmoid);
    let one = c.num(1.0);
    let kept = c.mul(keep, m_old);
    let rest = c.bin(Binary::Sub, one, keep);
    let added = c.mul(rest, new);
    let cell = c.bin(Binary::Add, kept, added);
    c.name(cell, "m");
    let soft = c.un(Unary::Tanh, cell);
    let y = c.mul(show, soft);
    c.name(y, "h");
    c.define(h, y);
    c.define(m, cell);
    c.out("h", y);
    c.out("m", cell);
    c
}

#[test]
fn gates_with_memory() {
    let joint = check(&gated(), "gated");
    let text = print::print(&joint);
    for read in ["lag(k_pre_adj, 1)", "lag(n_pre_adj, 1)", "lag(q_pre_adj, 1)", "lag(m_adj, 1)", "lag(k, 1)"]
    {
        assert!(text.contains(read), "{read}\n{text}");
    }
    // No product of a parameter stands twice.
    for u in ["U_k", "U_n", "U_q", "W_k", "W_n", "W_q"] {
        assert_eq!(text.matches(&format!("transpose({u})")).count(), 1);
    }
}

/// A product that is needed at its own point is not computed again for the point before.
#[test]
fn a_shared_product_is_computed_once() {
    let mut c = Cell::new();
    let (x, u, v) = (c.input("x", &[3]), c.param("U", &[3, 3]), c.param("V", &[3, 3]));
    let h = c.carried("h", &[3], 1);
    let old = c.lag(h, -1);
    let vh = c.mm(v, old);
    let pre = c.sum(&[x, vh]);
    let r = c.un(Unary::Sigmoid, pre);
    c.name(r, "r");
    let reset = c.mul(r, old);
    let ur = c.mm(u, reset);
    let pre = c.sum(&[ur, x]);
    let y = c.un(Unary::Tanh, pre);
    c.name(y, "h");
    c.define(h, y);
    c.out("h", y);
    let text = print::print(&check(&c, "reset"));
    let transpose = text.lines().find(|l| l.contains("transpose(U)")).expect("Uᵀ");
    let label = transpose.split(' ').next().expect("a label");
    let over = text.lines().filter(|l| l.contains(&format!("matmul({label},")) && l.contains("over n"));
    assert_eq!(over.count(), 1, "{text}");
}

#[test]
fn initial_values_of_every_kind() {
    // A parameter, the same for all examples.
    let mut c = Cell::new();
    let (x, p) = (c.input("x", &[2]), c.param("p", &[2]));
    let s = c.state("s", &[2]);
    c.graph.states[s.index()].init = vec![p];
    let old = c.lag(s, -1);
    let prod = c.mul(old, x);
    let y = c.un(Unary::Sin, prod);
    c.define(s, y);
    c.out("y", y);
    check(&c, "trainable start");
    // Computed from a value of the example, after the equations that read it.
    let mut c = Cell::new();
    let (x, k, v) = (c.input("x", &[2]), c.each("k", &[3]), c.param("V", &[2, 3]));
    let s = c.state("s", &[2]);
    let (old, older) = (c.lag(s, -1), c.lag(s, -3));
    let prod = c.mul(old, x);
    let prod = c.bin(Binary::Add, prod, older);
    let y = c.un(Unary::Sin, prod);
    let start = c.mm(v, k);
    let start = c.un(Unary::Tanh, start);
    c.graph.states[s.index()].init = vec![start];
    c.define(s, y);
    c.out("y", y);
    check(&c, "computed start");
    // The last value of another chain.
    let mut c = Cell::new();
    let m = c.domain("m");
    let z = c.source("z", SourceKind::Input, &[2], Ty::Real, Level::Over(m));
    let x = c.input("x", &[2]);
    let e = c.graph.state(State {
        name: "e".into(),
        domain: m,
        shape: dims(&[2]),
        ty: Ty::Real,
        def: None,
        init: vec![],
        sides: vec![],
        span: None,
    });
    let old = c.lag(e, -1);
    let sum = c.bin(Binary::Add, old, z);
    let enc = c.un(Unary::Sin, sum);
    c.define(e, enc);
    let zero = c.graph.states[e.index()].init[0];
    let last = c.graph.at(enc, Point::Last, zero).unwrap();
    let s = c.state("s", &[2]);
    c.graph.states[s.index()].init = vec![last];
    let old = c.lag(s, -1);
    let prod = c.mul(old, x);
    let context = c.mul(prod, last);
    let y = c.un(Unary::Tanh, context);
    let y = c.bin(Binary::Add, y, prod);
    c.define(s, y);
    c.out("y", y);
    let batch = random_batch(&c.graph, &[("n", &[3, 0, 2, 1]), ("m", &[0, 2, 5, 1])], 3);
    check_at(&c.graph, &batch, "encoder and decoder");
}

/// Infinite initial values stay out of the derived equations where no adjoint arrives.
#[test]
fn a_running_maximum_from_minus_infinity() {
    let mut c = Cell::new();
    let (x, w) = (c.input("x", &[]), c.param("w", &[]));
    let m = c.state("m", &[]);
    let floor = c.num(f64::NEG_INFINITY);
    c.graph.states[m.index()].init = vec![floor];
    let old = c.lag(m, -1);
    let score = c.mul(x, w);
    let decayed = c.bin(Binary::Add, old, w);
    let top = c.bin(Binary::Max, decayed, score);
    c.define(m, top);
    c.name(top, "m");
    let n = c.carried("n", &[], 1);
    let before = c.lag(n, -1);
    let gap = c.bin(Binary::Sub, decayed, top);
    let keep = c.un(Unary::Exp, gap);
    let part = c.mul(keep, before);
    let gap = c.bin(Binary::Sub, score, top);
    let add = c.un(Unary::Exp, gap);
    let total = c.bin(Binary::Add, part, add);
    c.define(n, total);
    c.name(total, "n");
    let y = c.bin(Binary::Div, x, total);
    c.out("y", y);
    check(&c, "stabilised");
}

#[test]
fn both_directions_and_what_follows_them() {
    let mut c = Cell::new();
    let (x, u, v) = (c.input("x", &[2]), c.param("U", &[2, 2]), c.param("V", &[2, 2]));
    let scan = |c: &mut Cell, name: &str, u: NodeId, x: NodeId| {
        let s = c.carried(name, &[2], 1);
        let old = c.lag(s, -1);
        let uh = c.mm(u, old);
        let pre = c.bin(Binary::Add, uh, x);
        let y = c.un(Unary::Tanh, pre);
        c.name(y, name);
        c.define(s, y);
        y
    };
    let forth = scan(&mut c, "fw", u, x);
    let turned = c.graph.reverse(x).unwrap();
    let back = scan(&mut c, "bw", v, turned);
    let back = c.graph.reverse(back).unwrap();
    let both = c.op(Op::Concat(vec![forth, back]));
    c.name(both, "both");
    // A second layer over it, its last state, and a mean over the points.
    let w = c.param("W", &[2, 4]);
    let z = c.mm(w, both);
    let top = scan(&mut c, "top", u, z);
    let start = c.graph.find_source("top0").expect("top0");
    let start = c.graph.node_ids().find(|n| c.graph.node(*n).op == Op::Source(start)).expect("a node");
    let last = c.graph.at(top, Point::Last, start).unwrap();
    c.out("last", last);
    let total = c.sum_over(top, Level::Example);
    let length = c.op(Op::Length(DomainId(0)));
    let one = c.num(1.0);
    let count = c.bin(Binary::Max, length, one);
    let mean = c.bin(Binary::Div, total, count);
    c.out("mean", mean);
    check(&c, "both directions");
}

/// Two recurrences in one system, one of them from the end, read by a third value.
#[test]
fn two_recurrences_in_opposite_directions() {
    let mut c = Cell::new();
    let (x, u) = (c.input("x", &[2]), c.param("U", &[2, 2]));
    let (f, b) = (c.carried("f", &[2], 1), c.carried("b", &[2], 2));
    let (before, after, far) = (c.lag(f, -1), c.lag(b, 1), c.lag(b, 2));
    let p = c.mm(u, before);
    let p = c.bin(Binary::Add, p, x);
    let fw = c.un(Unary::Tanh, p);
    c.define(f, fw);
    let q = c.mm(u, after);
    let q = c.sum(&[q, x, far]);
    let bw = c.un(Unary::Tanh, q);
    c.define(b, bw);
    let y = c.mul(fw, bw);
    let ahead = c.lag(f, 2);
    let y = c.bin(Binary::Add, y, ahead);
    c.out("y", y);
    check(&c, "opposite");
}

/// An input read at other points, and a state that only shifts.
#[test]
fn stencils_and_shifts() {
    let mut c = Cell::new();
    let (x, w) = (c.input("x", &[2]), c.param("w", &[2]));
    let stencil = c.state("x", &[2]);
    c.define(stencil, x);
    let (left, right) = (c.lag(stencil, -2), c.lag(stencil, 1));
    let product = c.mul(left, right);
    let y = c.mul(product, w);
    let shifted = c.carried("y", &[2], 1);
    c.define(shifted, y);
    let late = c.lag(shifted, -1);
    let again = c.state("again", &[2]);
    c.graph.states[again.index()].init = vec![w];
    c.define(again, late);
    let later = c.lag(again, -1);
    let sooner = c.lag(again, 2);
    let square = c.mul(later, later);
    let z = c.sum(&[square, sooner, x]);
    c.out("z", z);
    check(&c, "stencil");
}

/// A state that is the same at every point, and one that reads itself under a condition on the position.
#[test]
fn odd_states() {
    let mut c = Cell::new();
    let (x, p, e) = (c.input("x", &[2]), c.param("p", &[2]), c.each("e", &[2]));
    let flat = c.carried("flat", &[2], 1);
    c.define(flat, e);
    let even = c.carried("even", &[2], 1);
    let old = c.lag(even, -1);
    let (here, two) = (c.op(Op::Position(DomainId(0))), c.num(2.0));
    let odd = c.bin(Binary::Mod, here, two);
    let zero = c.num(0.0);
    let is_even = c.bin(Binary::Eq, odd, zero);
    let product = c.mul(old, p);
    let fresh = c.bin(Binary::Add, product, x);
    let kept = c.op(Op::Select(is_even, fresh, old));
    c.define(even, kept);
    let flat_old = c.lag(flat, -1);
    let y = c.mul(flat_old, kept);
    c.out("y", y);
    check(&c, "odd states");
}

/// A matrix as memory: outer products, products with it, decay by a scalar.
#[test]
fn a_matrix_as_state() {
    let mut c = Cell::new();
    let (x, w, v) = (c.input("x", &[2]), c.param("W", &[2, 2]), c.param("v", &[2]));
    let m = c.carried("M", &[2, 2], 1);
    let old = c.lag(m, -1);
    let key = c.mm(w, x);
    let decay = c.mm(v, x);
    let decay = c.un(Unary::Sigmoid, decay);
    let kept = c.mul(decay, old);
    let added = c.op(Op::Outer(x, key));
    let new = c.bin(Binary::Add, kept, added);
    c.define(m, new);
    let read = c.mm(new, key);
    let left = c.mm(key, old);
    let y = c.mul(read, left);
    c.out("y", y);
    check(&c, "matrix memory");
}

/// `∇·v` is the slope along `v`: one direction through everything, over a longer chain.
#[test]
fn forward_and_reverse_agree_along_a_direction() {
    let c = gated();
    let batch = random_batch(&c.graph, &[("n", &[40, 17])], 11);
    let batch = with_cotangents(&c.graph, &batch, 5);
    let gradients = run(&joint_of(&c.graph, &Options::default()), &batch);
    let mut random = Random::new(99);
    let mut direction = std::collections::BTreeMap::new();
    let mut derived = 0.0;
    for s in &c.graph.sources {
        let d = batch.arrays[&*s.name].mapv(|_| random.next());
        derived += d.iter().zip(&gradients[&format!("{}_adj", s.name)]).map(|(a, b)| a * b).sum::<f64>();
        direction.insert(s.name.to_string(), d);
    }
    let evaluator = evaluator(&c.graph);
    let at = |step: f64| {
        let mut batch = batch.clone();
        for (name, d) in &direction {
            let moved = &batch.arrays[name] + &(d * step);
            batch.arrays.insert(name.clone(), moved);
        }
        weighted(&c.graph, &evaluator, &batch)
    };
    let measured = (at(1e-6) - at(-1e-6)) / 2e-6;
    assert!((derived - measured).abs() <= 1e-6 * measured.abs().max(1.0), "{derived} {measured}");
}

/// The adjoint is a graph like any other: its own adjoint gives second derivatives.
#[test]
fn second_derivatives() {
    let c = gated();
    let wrt = Some(vec!["x".into(), "U_k".into()]);
    let options = Options { wrt, from: Some(vec!["h".into()]), ..Options::default() };
    let first = joint_of(&c.graph, &options);
    let mut twice = first.clone();
    twice.outputs.retain(|o| o.name.ends_with("_adj"));
    for o in &mut twice.outputs {
        o.name = format!("slope_of_{}", o.name).into();
    }
    let batch = random_batch(&twice, &[("n", &[3, 1])], 4);
    check_at(&twice, &batch, "second derivatives");
}

/// Work for the adjoint grows with the program, not with the chain or its square.
#[test]
fn size_is_bounded_by_the_forward_graph() {
    let c = gated();
    let joint = joint_of(&c.graph, &Options::default());
    let forward = c.graph.nodes.len();
    assert!(joint.nodes.len() < 5 * forward, "{} from {forward}", joint.nodes.len());
    assert_eq!(N, c.graph.level(c.graph.find_output("h").expect("h")));
}
