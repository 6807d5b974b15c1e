//! The reference interpreter.

use crate::support::eqn::{bindings, random_batch, random_graph};
use ndarray::{ArrayD, IxDyn, arr1, arr2};
use proptest::prelude::*;
use rnnc::eqn::eval::{Batch, Evaluator, eval};
use rnnc::eqn::parse::parse;
use std::collections::BTreeMap;

fn run(text: &str, batch: &Batch) -> Result<BTreeMap<String, ArrayD<f64>>, String> {
    eval(&parse(text).map_err(|e| e.message)?, batch)
}

fn batch(lengths: &[usize], arrays: &[(&str, &[usize], &[f64])]) -> Batch {
    let mut b = Batch { size: lengths.len(), ..Batch::default() };
    b.lengths.insert("n".into(), lengths.to_vec());
    for (name, shape, values) in arrays {
        let array = ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap();
        b.arrays.insert((*name).into(), array);
    }
    b
}

const SUM: &str = "domain n : t
source x : [] over n = input
source h0 : [] each = initial h default 10.0
state h : [] over n = h init h0
x : [] over n = source(x)
h0 : [] each = source(h0)
p : [] over n = lag(h, -1)
h : [] over n = add(p, x)
last : [] each = at(h, n, last, h0)
s : [] each = sum_over(h)
all : [] shared = sum_over(s)
r : [] over n = remap(h, n to n start 1*n + 1 step -1)
len : [] each = length(n)
at2 : [] each = at(h, n, 2, len)
out h = h
out last = last
out all = all
out r = r
out len = len
out at2 = at2
";

#[test]
fn only_true_positions_count() {
    // Example 0 has 3 steps, 1 has none, 2 has one; what stands in the padding is not looked at.
    let nan = f64::NAN;
    let x = [1.0, nan, 5.0, 2.0, nan, nan, 3.0, nan, nan];
    let out = run(SUM, &batch(&[3, 0, 1], &[("x", &[3, 3], &x)])).unwrap();
    let h = arr2(&[[11.0, 0.0, 15.0], [13.0, 0.0, 0.0], [16.0, 0.0, 0.0]]).into_dyn();
    assert_eq!(out["h"], h);
    assert_eq!(out["last"], arr1(&[16.0, 10.0, 15.0]).into_dyn());
    assert_eq!(out["all"].sum(), 11.0 + 13.0 + 16.0 + 15.0);
    assert_eq!(out["r"].as_slice().unwrap(), [16.0, 0.0, 15.0, 13.0, 0.0, 0.0, 11.0, 0.0, 0.0]);
    assert_eq!(out["len"], arr1(&[3.0, 0.0, 1.0]).into_dyn());
    assert_eq!(out["at2"], arr1(&[13.0, 0.0, 1.0]).into_dyn());
}

#[test]
fn ten_thousand_steps_are_no_matter() {
    let x = vec![1.0; 10_000];
    let out = run(SUM, &batch(&[10_000], &[("x", &[10_000, 1], &x), ("h0", &[1], &[0.0])])).unwrap();
    assert_eq!(out["last"][[0]], 10_000.0);
}

#[test]
fn deep_lags_read_the_boundary_and_then_the_past() {
    let text = "domain n : t
source x : [] over n = input
state x : [] over n = x init a, b
x : [] over n = source(x)
a : [] shared = const(-1.0)
b : [] shared = const(-2.0)
back : [] over n = lag(x, -3)
ahead : [] over n = lag(x, 1)
out back = back
out ahead = ahead
";
    let b = batch(&[4, 2], &[("x", &[4, 2], &[1.0, 5.0, 2.0, 6.0, 3.0, 0.0, 4.0, 0.0])]);
    let out = run(text, &b).unwrap();
    assert_eq!(out["back"].as_slice().unwrap(), [-2.0, -2.0, -2.0, -2.0, -1.0, 0.0, 1.0, 0.0]);
    assert_eq!(out["ahead"].as_slice().unwrap(), [2.0, 6.0, 3.0, -1.0, 4.0, 0.0, -1.0, 0.0]);
}

#[test]
fn a_state_that_is_its_own_past_keeps_its_start() {
    let text = "domain n : t
source x : [] over n = input
state k : [] over n = k init c
c : [] shared = const(7.0)
k : [] over n = lag(k, -1)
out k = k
";
    let out = run(text, &batch(&[3], &[("x", &[3, 1], &[0.0; 3])])).unwrap();
    assert_eq!(out["k"].as_slice().unwrap(), [7.0; 3]);
}

/// One expression over constants, `a = 0.5`, `v = [1, -2, 3]`, `w = [[1, 2, 3], [4, 5, 6]]`.
fn value(ty: &str, op: &str) -> Vec<f64> {
    let text = format!(
        "a : [] shared = const(0.5)
z : [] shared = const(0.0)
inf : [] shared = const(inf)
big : [] shared = const(800.0)
small : [] shared = const(-800.0)
nan : [] shared = const(NaN)
v : [3] shared = literal(1.0, -2.0, 3.0)
u : [2] shared = literal(10.0, 20.0)
tie : [3] shared = literal(3.0, 3.0, 1.0)
w : [2, 3] shared = literal(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
m : [3, 2] shared = literal(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
neg : [3] bool shared = lt(v, z)
k : [] id(3) shared = argmax(v)
y : {ty} shared = {op}
out y = y
"
    );
    run(&text, &Batch::default()).unwrap()["y"].iter().copied().collect()
}

#[test]
fn operations_are_as_documented() {
    assert_eq!(value("[2]", "matmul(w, v)"), [6.0, 12.0]);
    assert_eq!(value("[]", "matmul(v, v)"), [14.0]);
    assert_eq!(value("[3]", "matmul(u, w)"), [90.0, 120.0, 150.0]);
    assert_eq!(value("[2, 2]", "matmul(w, m)"), [22.0, 28.0, 49.0, 64.0]);
    assert_eq!(value("[3, 2]", "transpose(w)"), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(value("[2, 3]", "outer(u, v)"), [10.0, -20.0, 30.0, 20.0, -40.0, 60.0]);
    assert_eq!(value("[5]", "concat(u, v)"), [10.0, 20.0, 1.0, -2.0, 3.0]);
    assert_eq!(value("[1, 3]", "slice(w, 1)"), [4.0, 5.0, 6.0]);
    assert_eq!(value("[2]", "gather(m, k)"), [5.0, 6.0]);
    assert_eq!(value("[3, 2]", "scatter(k, u)"), [0.0, 0.0, 0.0, 0.0, 10.0, 20.0]);
    assert_eq!(value("[3]", "reduce_sum(w, 0)"), [5.0, 7.0, 9.0]);
    assert_eq!(value("[2]", "reduce_prod(w, 1)"), [6.0, 120.0]);
    assert_eq!(value("[2]", "reduce_max(m, 0)"), [5.0, 6.0]);
    assert_eq!(value("[3]", "reduce_min(m, 1)"), [1.0, 3.0, 5.0]);
    assert_eq!(value("[3]", "select(neg, a, v)"), [1.0, 0.5, 3.0]);
    assert_eq!(value("[3]", "spread(a)"), [0.5; 3]);
    assert_eq!(value("[3, 2]", "reshape(w)"), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(value("[] id(3)", "argmax(tie)"), [0.0]);
    assert_eq!(value("[3]", "max(v, z)"), [1.0, 0.0, 3.0]);
    assert_eq!(value("[3]", "mod(v, m2)".replace("m2", "a").as_str()), [0.0, 0.0, 0.0]);
    assert_eq!(value("[3]", "sign(v)"), [1.0, -1.0, 1.0]);
    assert_eq!(value("[]", "to_real(k)"), [2.0]);
    assert_eq!(value("[3] bool", "not(neg)"), [1.0, 0.0, 1.0]);
}

#[test]
fn the_edges_of_functions_are_exact() {
    assert_eq!(value("[]", "pow(z, z)"), [1.0]);
    assert_eq!(value("[]", "mul_zero(z, inf)"), [0.0]);
    assert!(value("[]", "mul(z, inf)")[0].is_nan());
    assert_eq!(value("[]", "sigmoid(small)"), [0.0]);
    assert_eq!(value("[]", "sigmoid(big)"), [1.0]);
    assert_eq!(value("[]", "log_sigmoid(small)"), [-800.0]);
    assert_eq!(value("[]", "softplus(big)"), [800.0]);
    assert_eq!(value("[]", "relu(small)"), [0.0]);
    for op in ["relu", "sign", "tanh", "sigmoid", "softplus", "log_sigmoid"] {
        assert!(value("[]", &format!("{op}(nan)"))[0].is_nan(), "{op}");
    }
    assert!(value("[]", "max(nan, z)")[0].is_nan() && value("[]", "max(z, nan)")[0].is_nan());
    let far = "f : [2] shared = literal(1000.0, 999.0)\n";
    let out = run(&format!("{far}y : [] shared = logsumexp(f)\nout y = y"), &Batch::default()).unwrap();
    assert!((out["y"].sum() - (1000.0 + (-1.0f64).exp().ln_1p())).abs() < 1e-9);
    let out = run(&format!("{far}y : [2] shared = softmax(f)\nout y = y"), &Batch::default()).unwrap();
    assert!((out["y"].sum() - 1.0).abs() < 1e-15);
    let none = "y : [] shared = logsumexp(e)\ne : [0] shared = literal()\n";
    let none: Vec<&str> = none.lines().rev().collect();
    let out = run(&format!("{}\nout y = y", none.join("\n")), &Batch::default()).unwrap();
    assert_eq!(out["y"].sum(), 0.0);
}

#[test]
fn cotangents_are_zero_but_for_a_loss() {
    let text = "source loss_adj : [] each = cotangent
source y_adj : [] each = cotangent
a : [] each = source(loss_adj)
b : [] each = source(y_adj)
out a = a
out b = b
";
    let out = run(text, &Batch { size: 2, ..Batch::default() }).unwrap();
    assert_eq!((out["a"].sum(), out["b"].sum()), (2.0, 0.0));
}

#[test]
fn wrong_arrays_are_told() {
    let x: &[f64] = &[1.0, 2.0];
    let e = |b: &Batch| run(SUM, b).unwrap_err();
    assert!(e(&batch(&[2], &[])).contains("`x` is missing"));
    assert!(e(&batch(&[3], &[("x", &[2, 1], x)])).contains("[3, 1]"));
    assert!(e(&Batch { size: 1, ..Batch::default() }).contains("lengths"));
    let mut b = batch(&[1], &[("x", &[2, 1], x)]);
    b.size = 2;
    assert!(e(&b).contains("for a batch of 2"));
    let id = "domain n : t\nsource w : [] id(3) over n = input\nw : [] id(3) over n = source(w)\nout w = w";
    assert!(run(id, &batch(&[2], &[("w", &[2, 1], &[0.0, 3.0])])).unwrap_err().contains("position 2"));
    assert!(run(id, &batch(&[1], &[("w", &[2, 1], &[0.0, 3.0])])).is_ok());
    let open = "c : [] shared = const(1.0)\nw : [H] shared = spread(c)\nout w = w";
    assert!(run(open, &Batch::default()).unwrap_err().contains("[H]"));
}

#[test]
fn a_system_without_an_order_is_refused() {
    let both = "domain n : t
source x : [] over n = input
state h : [] over n = h init c
c : [] shared = const(0.0)
a : [] over n = lag(h, -1)
b : [] over n = lag(h, 1)
h : [] over n = add(a, b)
out h = h
";
    assert!(run(both, &batch(&[2], &[])).unwrap_err().contains("needs itself"));
    let whole = "domain n : t
state h : [] over n = h init c
c : [] shared = const(0.0)
a : [] over n = lag(h, -1)
s : [] each = sum_over(a)
h : [] over n = add(a, s)
out h = h
";
    assert!(run(whole, &batch(&[2], &[])).unwrap_err().contains("needs itself"));
}

#[test]
fn outer_products_are_summed_without_being_stored() {
    // [T, B, 300, 300] would be far beyond what an evaluation may hold.
    let text = "domain n : t
source x : [300] over n = input
x : [300] over n = source(x)
o : [300, 300] over n = outer(x, x)
s : [300, 300] shared = sum_over(o)
out s = s
";
    let mut b = Batch { size: 150, ..Batch::default() };
    b.arrays.insert("x".into(), ArrayD::from_elem(IxDyn(&[100, 150, 300]), 0.5));
    b.lengths.insert("n".into(), (0..150).map(|i| 100 * (i == 7) as usize).collect());
    assert_eq!(run(text, &b).unwrap()["s"][[299, 299]], 25.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What stands in the padding changes nothing, and an example does not feel its neighbours.
    #[test]
    fn padding_never_matters(seed in any::<u64>()) {
        let graph = random_graph(seed).bind(&bindings()).unwrap();
        let Ok(evaluator) = Evaluator::new(&graph) else { return Ok(()) };
        let batch = random_batch(&graph, seed);
        let out = match evaluator.run(&batch) {
            // Not every system that is drawn has a solution.
            Err(e) if e.contains("needs itself") => return Ok(()),
            out => out.unwrap(),
        };
        let mut other = batch.clone();
        for s in &graph.sources {
            let rnnc::eqn::Level::Over(d) = s.level else { continue };
            let lengths = &batch.lengths[&*graph.domains[d.index()].extent];
            for (i, v) in other.arrays.get_mut(&*s.name).unwrap().indexed_iter_mut() {
                if i[0] >= lengths[i[1]] {
                    *v = f64::NAN;
                }
            }
        }
        let again = evaluator.run(&other).unwrap();
        for (name, a) in &out {
            prop_assert!(a.iter().zip(&again[name]).all(|(x, y)| x.to_bits() == y.to_bits()), "{}", name);
        }
    }
}
