//! Kernels over grids, trees and pairs of positions: the order they are computed in, and that nothing but an example
//! itself decides its bits. (`grad_domains` holds their values and gradients to the interpreter.)

use crate::support::graphs::{ATTENTION, GRID, TREE};
use crate::support::schedule::{Outputs, compare, difference, rounded};
use ndarray::{ArrayD, IxDyn, Slice};
use rnnc::eqn::Graph;
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::parse::parse;
use rnnc::eqn::tree::Tree;
use rnnc::runtime::{Executable, run_batch, run_batch_within};
use rnnc::schedule::{explain, schedule};

fn graph(text: &str) -> Graph {
    let graph = parse(text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    assert_eq!(rnnc::eqn::verify::verify(&graph), Ok(()));
    graph
}

/// By machine code.
fn run(graph: &Graph, batch: &Batch) -> Outputs {
    let program = schedule(graph).unwrap_or_else(|e| panic!("{}", e[0].message));
    let exe = Executable::compiled(program).unwrap_or_else(|e| panic!("{}", e[0].message));
    run_batch(&exe, batch).unwrap_or_else(|e| panic!("{}", e[0].message))
}

fn refused(text: &str) -> &'static str {
    schedule(&graph(text)).unwrap_err()[0].code
}

/// Numbers without a pattern, that an f32 holds.
fn numbers(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut state = seed.wrapping_mul(2862933555777941757).wrapping_add(3037000493);
    ArrayD::from_shape_fn(IxDyn(shape), |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f64 / (1u64 << 24) as f64 * 2.0 - 1.0) as f32 as f64
    })
}

/// Each example of a batch alone, without padding, gives the same bits.
fn check_alone(graph: &Graph, batch: &Batch, axes: &[(&str, &[&str])]) {
    let batch = rounded(batch);
    let together = run(graph, &batch);
    let expected = eval(graph, &batch).unwrap();
    for (name, array) in &expected {
        assert!(difference(array, &together[name]) < 1e-4, "{name}: {:?}\n{array:?}", together[name]);
    }
    for b in 0..batch.size {
        let mut alone = Batch { size: 1, ..Batch::default() };
        alone.lengths = batch.lengths.iter().map(|(name, all)| (name.clone(), vec![all[b]])).collect();
        alone.trees = batch.trees.iter().map(|(name, all)| (name.clone(), vec![all[b].clone()])).collect();
        let own = |array: &ArrayD<f64>, over: &[&str]| {
            let mut array = array.clone();
            for (i, axis) in over.iter().enumerate() {
                let length = batch.lengths.get(*axis).map(|all| all[b]);
                let length = length.or(batch.trees.get(*axis).map(|all| all[b].nodes())).unwrap();
                array.slice_axis_inplace(ndarray::Axis(i), Slice::from(..length));
            }
            array.slice_axis_inplace(ndarray::Axis(over.len()), Slice::from(b..b + 1));
            array
        };
        for (name, array) in &batch.arrays {
            let array = match axes.iter().find(|(n, _)| n == name) {
                Some((_, over)) => own(array, over),
                None => array.clone(),
            };
            alone.arrays.insert(name.clone(), array);
        }
        for (name, array) in run(graph, &alone) {
            let Some((_, over)) = axes.iter().find(|(n, _)| *n == name) else { continue };
            assert_eq!(array, own(&together[&name], over), "{name} of example {b}");
        }
    }
}

fn grid_batch() -> Batch {
    let mut batch = Batch { size: 4, ..Batch::default() };
    batch.lengths.insert("r".into(), vec![3, 1, 5, 2]);
    batch.lengths.insert("c".into(), vec![4, 2, 1, 6]);
    batch.arrays.insert("x".into(), numbers(&[6, 7, 4, 3], 1));
    batch.arrays.insert("w".into(), numbers(&[17, 3], 2));
    batch.arrays.insert("u".into(), numbers(&[17, 17], 3) * 0.25);
    batch.arrays.insert("v".into(), numbers(&[17, 17], 4) * 0.25);
    batch
}

#[test]
fn examples_of_a_grid_are_alone_as_they_are_together() {
    let axes: &[(&str, &[&str])] =
        &[("x", &["r", "c"]), ("h", &["r", "c"]), ("rows", &["r"]), ("most", &[]), ("sum", &[])];
    check_alone(&graph(GRID), &grid_batch(), axes);
}

#[test]
fn adjoints_of_a_grid_are_alone_as_they_are_together() {
    let joint = rnnc::grad::differentiate(&graph(GRID), &Default::default()).unwrap();
    let mut batch = grid_batch();
    batch.arrays.insert("h_adj".into(), numbers(&[6, 7, 4, 17], 12));
    batch.arrays.insert("sum_adj".into(), numbers(&[4, 17], 13));
    let axes: &[(&str, &[&str])] =
        &[("x", &["r", "c"]), ("h_adj", &["r", "c"]), ("sum_adj", &[]), ("x_adj", &["r", "c"])];
    check_alone(&rnnc::simplify::simplify(&joint), &batch, axes);
}

#[test]
fn examples_of_trees_are_alone_as_they_are_together() {
    let mut batch = Batch { size: 3, ..Batch::default() };
    let wide = Tree::new([&[][..], &[], &[], &[0, 1, 2], &[], &[4, 3]]).unwrap();
    let chain = Tree::new([&[][..], &[0], &[1], &[2]]).unwrap();
    batch.trees.insert("v".into(), vec![chain, wide, Tree::new([&[][..]]).unwrap()]);
    batch.arrays.insert("x".into(), numbers(&[8, 3, 9], 5));
    batch.arrays.insert("u".into(), numbers(&[9, 9], 6));
    batch.arrays.insert("f".into(), numbers(&[9, 9], 7));
    check_alone(&graph(TREE), &batch, &[("x", &["v"]), ("h", &["v"]), ("root", &[])]);
}

/// Leaves read no states, so what their rows add to weight gradients, and what would go to their children, is left out; unless it is
/// no number.
#[test]
fn leaves_have_no_part_in_gradients_of_what_they_do_not_read() {
    let joint = rnnc::grad::differentiate(&graph(TREE), &Default::default()).unwrap();
    let joint = rnnc::simplify::simplify(&joint);
    let mut batch = Batch { size: 3, ..Batch::default() };
    let root: Vec<i64> = (0..20).collect();
    let star = Tree::new((0..20).map(|_| &[][..]).chain([&root[..]])).unwrap();
    let chain = Tree::new([&[][..], &[0], &[1], &[2]]).unwrap();
    batch.trees.insert("v".into(), vec![chain, star, Tree::new([&[][..]]).unwrap()]);
    batch.arrays.insert("x".into(), numbers(&[21, 3, 9], 5));
    batch.arrays.insert("u".into(), numbers(&[9, 9], 6));
    batch.arrays.insert("f".into(), numbers(&[9, 9], 7));
    batch.arrays.insert("h_adj".into(), numbers(&[21, 3, 9], 8));
    compare(&joint, &batch, 1e-5).unwrap();
    let gradient = |batch: &Batch| run(&joint, batch)["u_adj"].clone();
    assert!(gradient(&batch).iter().all(|x| x.is_finite()));
    // Of a leaf of the star: infinity times 0.
    batch.arrays.get_mut("h_adj").unwrap()[[7, 1, 4]] = f64::INFINITY;
    compare(&joint, &batch, 1e-5).unwrap();
    let found = gradient(&batch);
    assert!((0..9).all(|j| found[[4, j]].is_nan() && found[[5, j]].is_finite()));
}

#[test]
fn examples_with_attention_are_alone_as_they_are_together() {
    let mut batch = Batch { size: 3, ..Batch::default() };
    batch.lengths.insert("n".into(), vec![2, 5, 1]);
    batch.lengths.insert("m".into(), vec![4, 1, 3]);
    batch.arrays.insert("x".into(), numbers(&[5, 3, 5], 8));
    batch.arrays.insert("keys".into(), numbers(&[6, 3, 5], 9));
    batch.arrays.insert("w".into(), numbers(&[5, 5], 10));
    check_alone(
        &graph(ATTENTION),
        &batch,
        &[("x", &["n"]), ("keys", &["m"]), ("h", &["n"]), ("p", &["n", "m"])],
    );
}

/// A scan within each step, whose inputs need the step before: products for a whole step are taken before the scan.
const SCAN: &str = "domain n : t
domain k : j
domain n×k : t×j product n, k
source x : [5] over n = input
source y : [5] over k = input
source w : [5, 5] shared = param = 0.0
source u : [5, 5] shared = param = 0.0
state h : [5] over n = h init zeros
state s : [5] over n×k = s init zeros before k old
z : [] shared = const(0.0)
zeros : [5] shared = spread(z)
x : [5] over n = source(x)
y : [5] over k = source(y)
w : [5, 5] shared = source(w)
u : [5, 5] shared = source(u)
old : [5] over n = lag(h, -1)
prev : [5] over n×k = lag(s, 0, -1)
above : [5] over n×k = lag(s, -1, 1)
oy : [5] over n×k = mul(old, y)
in : [5] over n×k = add(oy, above)
wi : [5] over n×k = matmul(w, in)
uwi : [5] over n×k = matmul(u, wi)
up : [5] over n×k = matmul(u, prev)
pre : [5] over n×k = add(uwi, up)
s : [5] over n×k = tanh(pre)
top : [5] over n = fold_over(s, reduce_max)
end : [5] over n = at(s, k, last, x)
te : [5] over n = add(top, end)
wt : [5] over n = matmul(w, te)
wtx : [5] over n = add(wt, x)
h : [5] over n = tanh(wtx)
out h = h
out s = s
";

#[test]
fn a_scan_in_each_step_is_a_loop_in_a_loop() {
    let mut batch = Batch { size: 3, ..Batch::default() };
    batch.lengths.insert("n".into(), vec![2, 4, 1]);
    batch.lengths.insert("k".into(), vec![4, 1, 3]);
    batch.arrays.insert("x".into(), numbers(&[5, 3, 5], 8));
    batch.arrays.insert("y".into(), numbers(&[6, 3, 5], 9));
    batch.arrays.insert("w".into(), numbers(&[5, 5], 10));
    batch.arrays.insert("u".into(), numbers(&[5, 5], 11));
    check_alone(&graph(SCAN), &batch, &[("x", &["n"]), ("y", &["k"]), ("h", &["n"]), ("s", &["n", "k"])]);
    let text = rnnc::loops::print::print(&schedule(&graph(SCAN)).unwrap());
    let outer = text.split("  for t in 1..n\n").nth(1).unwrap();
    let (before, inner) = outer.split_once("    for j in 1..k\n").unwrap();
    assert_eq!((before.matches(" @ w").count(), inner.matches("      b").count() > 0), (2, true), "{text}");
}

/// All four directions of one grid: two orders of the same rows, each taken both ways.
#[test]
fn four_directions_are_two_orders() {
    let mut text: String = GRID.lines().take(7).map(|l| format!("{l}\n")).collect();
    let states = [("a", "-1", "-1"), ("b", "1", "-1"), ("c", "-1", "1"), ("d", "1", "1")];
    for (s, ..) in states {
        text += &format!("state {s} : [17] over r×c = {s} init zeros\n");
    }
    text += "z : [] shared = const(0.0)\nzeros : [17] shared = spread(z)\nx : [3] over r×c = source(x)\n";
    text +=
        "w : [17, 3] shared = source(w)\nu : [17, 17] shared = source(u)\nv : [17, 17] shared = source(v)\n";
    text += "wx : [17] over r×c = matmul(w, x)\n";
    for (s, i, j) in states {
        text += &format!(
            "{s}i : [17] over r×c = lag({s}, {i}, 0)
{s}j : [17] over r×c = lag({s}, 0, {j})
{s}u : [17] over r×c = matmul(u, {s}i)
{s}v : [17] over r×c = matmul(v, {s}j)
{s}w : [17] over r×c = add({s}u, wx)
{s}p : [17] over r×c = add({s}w, {s}v)
{s} : [17] over r×c = tanh({s}p)
"
        );
    }
    text += "ab : [17] over r×c = add(a, b)\ncd : [17] over r×c = mul(c, d)\nh : [17] over r×c = add(ab, cd)\nout h = h\n";
    let ways = graph(&text);
    let program = schedule(&ways).unwrap();
    let orders = program.domains.iter().filter(|d| !d.order.is_empty()).count();
    assert_eq!(orders, 2);
    check_alone(&ways, &grid_batch(), &[("x", &["r", "c"]), ("h", &["r", "c"])]);
}

#[test]
fn a_schedule_says_why_points_come_in_their_order() {
    let graph = graph(GRID);
    let text = explain(&graph, &schedule(&graph).unwrap());
    let drawing = "recurrence 1: h, with b
  in anti-diagonals: all points of equal i + j at once, rising
  reads h[prev i]  (-1, 0)  1 front earlier
  reads h[prev j]  (0, -1)  1 front earlier
";
    assert!(text.contains(drawing), "{text}");
    assert!(text.contains("every front of equal i + j, rising\n"), "{text}");
}

/// Both products of a front are one.
#[test]
fn a_front_is_one_product() {
    let text = rnnc::loops::print::print(&schedule(&graph(GRID)).unwrap());
    assert_eq!(text.matches(" @ w").count(), 2, "{text}");
}

/// No hyperplane leaves all reads behind: rows one after another, each read from both ends.
#[test]
fn what_no_hyperplane_orders_is_ordered_within_fronts() {
    let text = GRID
        .replace("state h ", "state g : [17] over r×c = g init zeros\nstate h ")
        .replace("up : [17] over r×c = lag(h, -1, 0)", "up : [17] over r×c = lag(g, -1, 0)")
        .replace(
            "h : [17] over r×c = tanh(b)\n",
            "h : [17] over r×c = tanh(b)
below : [17] over r×c = lag(h, -1, 1)
right : [17] over r×c = lag(g, 0, 1)
ur : [17] over r×c = matmul(u, right)
far : [17] over r×c = lag(g, -1, 0)
turned : [17] over r×c = remap(far, c to c start 1*c + 1 step -1)
c : [17] over r×c = add(below, ur)
d : [17] over r×c = sub(c, turned)
g : [17] over r×c = tanh(d)
",
        );
    let axes: &[(&str, &[&str])] =
        &[("x", &["r", "c"]), ("h", &["r", "c"]), ("rows", &["r"]), ("most", &[]), ("sum", &[])];
    check_alone(&graph(&text), &grid_batch(), axes);
    // Rows read each other both ways: now nothing is left.
    assert_eq!(refused(&text.replace("lag(h, -1, 1)", "lag(h, 1, 1)")), "E0612");
}

#[test]
fn what_has_no_order_is_refused() {
    let both = GRID.replace("lag(h, 0, -1)", "lag(h, 1, 0)");
    assert_eq!(refused(&both), "E0612");
    let whole = "domain r : i
domain c : j
domain r×c : i×j product r, c
state h : [] over r×c = h init z
z : [] shared = const(0.0)
a : [] over r×c = lag(h, 0, -1)
b : [] over c = sum_over(a)
s : [] each = sum_over(a)
h : [] over r×c = add(a, s)
out h = h
out b = b
";
    assert_eq!(refused(whole), "E0613");
}

#[test]
fn trees_and_memory_are_checked_before_a_run() {
    let exe = Executable::interpreted(schedule(&graph(TREE)).unwrap()).unwrap();
    let mut batch = Batch { size: 1, ..Batch::default() };
    batch.arrays.insert("x".into(), numbers(&[1, 1, 9], 1));
    let code = |batch: &Batch, limit: u64| run_batch_within(&exe, batch, limit).unwrap_err()[0].code;
    assert_eq!(code(&batch, 1 << 30), "E0709");
    batch.trees.insert("v".into(), vec![Tree::default(), Tree::default()]);
    assert_eq!(code(&batch, 1 << 30), "E0710");
    let exe = Executable::interpreted(schedule(&graph(GRID)).unwrap()).unwrap();
    let mut batch = grid_batch();
    batch.lengths.insert("r".into(), vec![1 << 22; 4]);
    batch.lengths.insert("c".into(), vec![1 << 22; 4]);
    batch.arrays.remove("x");
    assert_eq!(run_batch_within(&exe, &batch, 1 << 30).unwrap_err()[0].code, "E0911");
}
