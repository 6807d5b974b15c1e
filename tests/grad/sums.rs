//! Every operation of the equation IR: its adjoint against central differences in f64, as derived and
//! after simplification, on examples of lengths 3, 1 and 0.

use ndarray::{ArrayD, IxDyn};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rnnc::eqn::eval::{Batch, Evaluator};
use rnnc::eqn::*;
use rnnc::eqn::{parse::parse, print::print};
use rnnc::grad::{Options, differentiate};
use rnnc::simplify::simplify;

const LENGTHS: [usize; 3] = [3, 1, 0];

/// What the table's lines may read.
const SOURCES: &str = "domain n : t
source x : [3] over n = input
source q : [3] over n = input
source v : [] over n = input
source k : [] id(2) over n = input
source c : [3] bool over n = input
source e : [3] each = input
source w : [2, 3] shared = param = 0.0
source m : [3, 2] shared = param = 0.0
source u : [2] shared = param = 0.0
source a : [] shared = param = 0.0
source cube : [2, 3, 2] shared = param = 0.0
source h0 : [3] each = initial h default 0.0
source g0 : [3] each = initial h default 0.0
";

const NODES: &str = "x : [3] over n = source(x)
q : [3] over n = source(q)
v : [] over n = source(v)
k : [] id(2) over n = source(k)
c : [3] bool over n = source(c)
e : [3] each = source(e)
w : [2, 3] shared = source(w)
m : [3, 2] shared = source(m)
u : [2] shared = source(u)
a : [] shared = source(a)
cube : [2, 3, 2] shared = source(cube)
h0 : [3] each = source(h0)
g0 : [3] each = source(g0)
two : [] shared = const(2.0)
len : [] each = length(n)
t : [] over n = position(n)
";

/// A graph with one output `y`; `state` is the definition of `h` and its initial values.
fn graph(body: &str, state: &str) -> Graph {
    let state = format!("state h : [3] over n = {state}\n");
    let text = format!("{SOURCES}{state}{NODES}{body}\nout y = y");
    parse(&text).unwrap_or_else(|e| panic!("{}\n{text}", e.message))
}

fn batch(g: &Graph) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut batch = Batch { size: LENGTHS.len(), ..Batch::default() };
    batch.lengths.insert("n".into(), LENGTHS.to_vec());
    for s in &g.sources {
        let shape = array_shape(s.level, &s.shape);
        let count = shape.iter().product();
        // Positive, away from kinks, and not alike.
        let values = (0..count).map(|i: usize| match s.ty {
            Ty::Real => rng.random_range(0.2..1.6),
            _ => i.is_multiple_of(3) as u8 as f64,
        });
        batch
            .arrays
            .insert(s.name.to_string(), ArrayD::from_shape_vec(IxDyn(&shape), values.collect()).unwrap());
    }
    batch
}

fn array_shape(level: Level, shape: &[rnnc::shape::Dim]) -> Vec<usize> {
    let mut out = match level {
        Level::Shared => vec![],
        Level::Example => vec![LENGTHS.len()],
        Level::Over(_) => vec![3, LENGTHS.len()],
    };
    out.extend(shape.iter().map(|d| d.as_constant().unwrap() as usize));
    out
}

/// The worst relative difference between derived and measured slopes of `∑ y ⊙ y_adj`.
fn worst(g: &Graph) -> f64 {
    let joint = differentiate(g, &Options::default()).unwrap_or_else(|e| panic!("{e:?}\n{}", print(g)));
    let simple = simplify(&joint);
    let batch = batch(&joint);
    let weights = &batch.arrays["y_adj"];
    let forward = Evaluator::new(g).unwrap();
    let value = |batch: &Batch| -> f64 {
        let y = &forward.run(batch).unwrap()["y"];
        // Weights in the padding meet zeros.
        y.iter().zip(weights).map(|(y, w)| y * w).sum()
    };
    let derived = Evaluator::new(&joint).unwrap().run(&batch).unwrap();
    let derived_simple = Evaluator::new(&simple).unwrap().run(&batch).unwrap();
    let mut worst: f64 = 0.0;
    for s in g.sources.iter().filter(|s| s.ty == Ty::Real) {
        let name = format!("{}_adj", s.name);
        for i in 0..batch.arrays[&*s.name].len() {
            let step = 1e-5;
            let mut moved = batch.clone();
            let mut at = |delta: f64| {
                let array = moved.arrays.get_mut(&*s.name).unwrap();
                let old = array.as_slice().unwrap()[i];
                array.as_slice_mut().unwrap()[i] = old + delta;
                let value = value(&moved);
                moved.arrays.get_mut(&*s.name).unwrap().as_slice_mut().unwrap()[i] = old;
                value
            };
            let measured = (at(step) - at(-step)) / (2.0 * step);
            for derived in [&derived, &derived_simple] {
                let exact = derived[&name].as_slice().unwrap()[i];
                let error = (exact - measured).abs() / exact.abs().max(measured.abs()).max(1.0);
                assert!(error < 1e-6, "{name}[{i}]: derived {exact}, measured {measured}\n{}", print(&joint));
                worst = worst.max(error);
            }
        }
    }
    worst
}

/// Type and operation of `y`.
const TABLE: &[(&str, &str)] = &[
    ("[3] over n", "neg(x)"),
    ("[3] over n", "exp(x)"),
    ("[3] over n", "log(x)"),
    ("[3] over n", "tanh(x)"),
    ("[3] over n", "sigmoid(x)"),
    ("[3] over n", "relu(x)"),
    ("[3] over n", "sqrt(x)"),
    ("[3] over n", "abs(x)"),
    ("[3] over n", "sin(x)"),
    ("[3] over n", "cos(x)"),
    ("[3] over n", "erf(x)"),
    ("[3] over n", "log_sigmoid(x)"),
    ("[3] over n", "softplus(x)"),
    ("[3] over n", "add(x, q)"),
    ("[3] over n", "add(x, a)"),
    ("[3] over n", "add(e, v)"),
    ("[3] over n", "sub(x, q)"),
    ("[3] over n", "sub(v, q)"),
    ("[3] over n", "mul(x, q)"),
    ("[3] over n", "mul(v, e)"),
    ("[3] over n", "mul(x, x)"),
    ("[3] over n", "mul(x, len)"),
    ("[3] over n", "mul(x, t)"),
    ("[3] over n", "div(x, q)"),
    ("[3] over n", "div(a, q)"),
    ("[3] over n", "pow(x, two)"),
    ("[3] over n", "pow(x, a)"),
    ("[3] over n", "pow(x, q)"),
    ("[3] over n", "max(x, q)"),
    ("[3] over n", "max(x, v)"),
    ("[3] over n", "min(x, q)"),
    ("[3] over n", "min(a, q)"),
    ("[3] over n", "select(c, x, q)"),
    ("[3] over n", "select(c, v, q)"),
    ("[3] over n", "select(c, a, v)"),
    ("[3] over n", "spread(v)"),
    ("[2] over n", "matmul(w, x)"),
    ("[2, 2] shared", "matmul(w, m)"),
    ("[] over n", "matmul(x, q)"),
    ("[] over n", "matmul(x, x)"),
    ("[2] over n", "matmul(x, m)"),
    ("[3, 2] shared", "transpose(w)"),
    ("[3, 3] over n", "outer(x, q)"),
    ("[3, 2] over n", "outer(x, u)"),
    ("[8] over n", "concat(x, u, q)"),
    ("[4, 3] shared", "concat(w, w)"),
    ("[2] over n", "slice(x, 1)"),
    ("[1, 3, 2] shared", "slice(cube, 1)"),
    ("[3] over n", "gather(w, k)"),
    ("[] over n", "gather(u, k)"),
    ("[2, 3] over n", "scatter(k, x)"),
    ("[] over n", "reduce_sum(x, 0)"),
    ("[3] shared", "reduce_sum(w, 0)"),
    ("[2] shared", "reduce_sum(w, 1)"),
    ("[2, 2] shared", "reduce_sum(cube, 1)"),
    ("[] over n", "reduce_prod(x, 0)"),
    ("[2] shared", "reduce_prod(w, 1)"),
    ("[] over n", "reduce_max(x, 0)"),
    ("[3] shared", "reduce_max(w, 0)"),
    ("[2] shared", "reduce_min(w, 1)"),
    ("[3] over n", "softmax(x)"),
    ("[] over n", "logsumexp(x)"),
    ("[6] shared", "reshape(w)"),
    ("[3] each", "sum_over(x)"),
    ("[3] shared", "sum_over(x)"),
    ("[3] shared", "sum_over(e)"),
    ("[3] each", "at(x, n, first, e)"),
    ("[3] each", "at(x, n, last, e)"),
    ("[3] each", "at(x, n, 2, e)"),
    ("[3] over n", "remap(x, n to n start 1*n + 1 step -1)"),
];

#[test]
fn every_operation_has_its_adjoint() {
    let mut worst_of_all = (0.0, "");
    for (ty, op) in TABLE {
        let g = graph(&format!("%0 : [3] over n = lag(h, -1)\ny : {ty} = {op}"), "x init h0");
        let error = worst(&g);
        if error > worst_of_all.0 {
            worst_of_all = (error, op);
        }
    }
    println!("worst relative difference: {:e} in {}", worst_of_all.0, worst_of_all.1);
}

#[test]
fn recurrences_have_their_adjoint() {
    let tanh = "p : [3] over n = lag(h, OFFSET)
%2 : [3] over n = mul(p, q)
%3 : [3] over n = add(%2, x)
y : [3] over n = tanh(%3)";
    for offset in ["-1", "-2", "1", "2"] {
        let body = tanh.replace("OFFSET", offset);
        worst(&graph(&body, "y init h0"));
        worst(&graph(&body, "y init h0, g0"));
        worst(&graph(&body, "y init e, h0"));
    }
    // Two lags of one state, a matrix between them, and the end read by itself.
    let body = "p : [3] over n = lag(h, -1)
o : [3] over n = lag(h, -2)
%2 : [2] over n = matmul(w, p)
%3 : [3] over n = matmul(m, %2)
%4 : [3] over n = mul(o, x)
%5 : [3] over n = add(%3, %4)
s : [3] over n = sigmoid(%5)
y : [3] each = at(s, n, last, h0)";
    worst(&graph(body, "s init h0, g0"));
    // An input read ahead and behind.
    let body = "p : [3] over n = lag(h, -1)
o : [3] over n = lag(h, 1)
y : [3] over n = mul(p, o)";
    worst(&graph(body, "x init h0"));
}

#[test]
fn slopes_that_are_infinite_meet_no_zero_times_infinity() {
    // The branch that is not taken would have the slope 1/0.
    let body = "zero : [] shared = const(0.0)
%1 : [3] over n = mul(x, zero)
%2 : [3] over n = sqrt(%1)
%3 : [3] bool over n = lt(%1, x)
y : [3] over n = select(%3, q, %2)";
    let g = graph(body, "x init h0");
    let joint = differentiate(&g, &Options::default()).unwrap();
    for joint in [simplify(&joint), joint] {
        let out = Evaluator::new(&joint).unwrap().run(&batch(&joint)).unwrap();
        assert!(out["x_adj"].iter().all(|v| *v == 0.0), "{}", print(&joint));
    }
}

#[test]
fn what_has_no_slope_is_refused() {
    for op in ["sign(x)", "floor(x)", "mod(x, two)"] {
        let g = graph(&format!("y : [3] over n = {op}"), "x init h0");
        let options = Options { wrt: Some(vec!["x".into()]), ..Options::default() };
        let errors = differentiate(&g, &options).expect_err(op);
        assert_eq!(errors[0].code, "E0501", "{op}");
    }
}

#[test]
fn a_stopped_gradient_is_zero() {
    let g = graph("s : [3] over n = stop_gradient(x)\ny : [3] over n = mul(s, q)", "x init h0");
    let joint = differentiate(&g, &Options::default()).unwrap();
    for joint in [simplify(&joint), joint] {
        let out = Evaluator::new(&joint).unwrap().run(&batch(&joint)).unwrap();
        assert!(out["x_adj"].iter().all(|v| *v == 0.0));
        assert!(out["q_adj"].iter().any(|v| *v != 0.0));
    }
}
