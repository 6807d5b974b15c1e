//! Grids, trees and pairs of positions in the equation IR: text form, invariants, the reference interpreter.

use ndarray::{ArrayD, IxDyn};
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::parse::parse;
use rnnc::eqn::print::print;
use rnnc::eqn::tree::Tree;
use rnnc::eqn::verify::verify;

fn run(text: &str, batch: &Batch) -> std::collections::BTreeMap<String, ArrayD<f64>> {
    let graph = parse(text).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(verify(&graph), Ok(()));
    assert_eq!(parse(&print(&graph)).unwrap(), graph, "{}", print(&graph));
    eval(&graph, batch).unwrap()
}

fn batch(size: usize, arrays: &[(&str, &[usize], &[f64])]) -> Batch {
    let mut b = Batch { size, ..Batch::default() };
    for (name, shape, values) in arrays {
        b.arrays.insert(name.to_string(), ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap());
    }
    b
}

/// The number of ways from the corner, with a side of its own.
#[test]
fn a_grid_reads_both_predecessors_and_its_sides() {
    let text = "domain r : i
domain c : j
domain r×c : i×j product r, c
source x : [] over r×c = input
source s : [] over c = input
state h : [] over r×c = h init zero before r s
zero : [] shared = const(0.0)
x : [] over r×c = source(x)
s : [] over c = source(s)
a : [] over r×c = lag(h, -1, 0)
b : [] over r×c = lag(h, 0, -1)
d : [] over r×c = lag(h, -1, -1)
ab : [] over r×c = add(a, b)
abd : [] over r×c = add(ab, d)
h : [] over r×c = add(abd, x)
sum : [] over r = sum_over(h)
most : [] each = fold_over(h, reduce_max)
out h = h
out sum = sum
out most = most
";
    let x = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let out = run(text, &batch(1, &[("x", &[2, 3, 1], &x), ("s", &[3, 1], &[10.0, 0.0, 0.0])]));
    // A corner crosses two sides: the declared value, not that of a side.
    assert_eq!(out["h"].as_slice().unwrap(), [11.0, 11.0, 11.0, 11.0, 33.0, 55.0]);
    assert_eq!(out["sum"].as_slice().unwrap(), [33.0, 99.0]);
    assert_eq!(out["most"].as_slice().unwrap(), [55.0]);
}

#[test]
fn padding_of_a_grid_is_not_there() {
    let text = "domain r : i
domain c : j
domain r×c : i×j product r, c
source x : [] over r×c = input
state h : [] over r×c = h init zero
zero : [] shared = const(0.0)
x : [] over r×c = source(x)
a : [] over r×c = lag(h, 1, 0)
b : [] over r×c = lag(h, 0, -1)
ab : [] over r×c = add(a, b)
h : [] over r×c = add(ab, x)
sum : [] each = sum_over(h)
back : [] over r×c = remap(x, c to c start 1*c + 1 step -1)
out sum = sum
out back = back
";
    let x: Vec<f64> = (0..12).map(f64::from).collect();
    let mut both = batch(2, &[("x", &[2, 3, 2], &x)]);
    both.lengths.insert("r".into(), vec![2, 1]);
    both.lengths.insert("c".into(), vec![3, 2]);
    let out = run(text, &both);
    let alone = run(text, &batch(1, &[("x", &[1, 2, 1], &[1.0, 3.0])]));
    assert_eq!(out["sum"][[1]], alone["sum"][[0]]);
    assert_eq!((out["back"][[0, 0, 1]], out["back"][[0, 1, 1]], out["back"][[0, 2, 1]]), (3.0, 1.0, 0.0));
}

/// Depth below, and the way down from the root, over one tree.
#[test]
fn a_tree_goes_up_and_down() {
    let text = "domain v : n tree 2 (left, right)
domain k : e children v
domain v×k : n×e product v, k
source x : [] over v = input
state up : [] over v = up init zero
state down : [] over v = down init zero
state each : [] over v×k = each init zero
zero : [] shared = const(0.0)
x : [] over v = source(x)
left : [] over v = lag(up, child 0)
right : [] over v = lag(up, child 1)
both : [] over v = add(left, right)
up : [] over v = add(both, x)
children : [] over v×k = lag(up, each k)
weighted : [] over v×k = mul(children, x)
sum : [] over v = sum_over(weighted)
count : [] over v = length(k)
each : [] over v×k = mul(children, x)
parent : [] over v = lag(each, from k)
l : [] over v = lag(down, parent 0)
r : [] over v = lag(down, parent 1)
lr : [] over v = add(l, r)
down : [] over v = add(lr, x)
out up = up
out sum = sum
out count = count
out parent = parent
out down = down
";
    let mut b = batch(2, &[("x", &[4, 2], &[1.0, 5.0, 2.0, 0.0, 3.0, 0.0, 4.0, 0.0])]);
    // Node 2 has the children 0 and 1; node 3, the root, has 2 on its right.
    let tree = Tree::new([&[-1, -1][..], &[-1, -1], &[0, 1], &[-1, 2]]).unwrap();
    b.trees.insert("v".into(), vec![tree, Tree::new([&[-1, -1][..]]).unwrap()]);
    let out = run(text, &b);
    let of = |name: &str| (0..4).map(|n| out[name][[n, 0]]).collect::<Vec<_>>();
    assert_eq!(of("up"), [1.0, 2.0, 6.0, 10.0]);
    assert_eq!(of("sum"), [0.0, 0.0, 9.0, 24.0]);
    assert_eq!(of("count"), [0.0, 0.0, 2.0, 1.0]);
    assert_eq!(of("parent"), [3.0, 6.0, 24.0, 0.0]);
    assert_eq!(of("down"), [8.0, 9.0, 7.0, 4.0]);
    assert_eq!(out["up"][[0, 1]], 5.0);
    assert_eq!(out["up"][[1, 1]], 0.0, "the second tree has one node");
}

/// A step that looks at all positions of a second sequence, padded by one.
#[test]
fn attention_reads_a_second_sequence_in_each_step() {
    let text = "domain n : t
domain m : j
domain p : q derived 1*m + 1
domain n×p : t×q product n, p
source x : [] over n = input
source keys : [] over m = input
state h : [] over n = h init zero
zero : [] shared = const(0.0)
x : [] over n = source(x)
keys : [] over m = source(keys)
padded : [] over p = remap(keys, m to p start 0 step 1)
old : [] over n = lag(h, -1)
query : [] over n = add(old, x)
e : [] over n×p = mul(query, padded)
top : [] over n = fold_over(e, reduce_max)
d : [] over n×p = sub(e, top)
w : [] over n×p = exp(d)
total : [] over n = sum_over(w)
wk : [] over n×p = mul(w, padded)
s : [] over n = sum_over(wk)
h : [] over n = div(s, total)
out h = h
out padded = padded
";
    let mut b = batch(1, &[("x", &[2, 1], &[1.0, 2.0]), ("keys", &[3, 1], &[1.0, 2.0, 9.0])]);
    b.lengths.insert("m".into(), vec![2]);
    let out = run(text, &b);
    let step = |q: f64| {
        let w = [(q * 1.0).exp(), (q * 2.0).exp(), 1.0];
        (w[0] + 2.0 * w[1]) / w.iter().sum::<f64>()
    };
    let first = step(1.0);
    assert!((out["h"][[0, 0]] - first).abs() < 1e-12);
    assert!((out["h"][[1, 0]] - step(2.0 + first)).abs() < 1e-12);
    assert_eq!(out["padded"].shape(), [3, 1]);
    assert_eq!(out["padded"].iter().copied().collect::<Vec<_>>(), [1.0, 2.0, 0.0]);
}

#[test]
fn axes_are_stacked_read_and_exchanged() {
    let text = "domain n : t
domain f : k = 2
domain n×f : t×k product n, f
domain g : l = 2
domain n×g : t×l product n, g
source x : [] over n = input
x : [] over n = source(x)
two : [] shared = const(2.0)
y : [] over n = mul(x, two)
s : [] over n×f = points(f, x, y)
last : [] over f = at(s, n, last, zero)
second : [] over n = at(s, f, 2, zero)
other : [] over n×g = remap(s, f to g start 0 step 1)
out last = last
out second = second
out other = other
";
    let text = text.replace("two : []", "zero : [] shared = const(0.0)\ntwo : []");
    let out = run(&text, &batch(1, &[("x", &[3, 1], &[1.0, 2.0, 3.0])]));
    assert_eq!(out["last"].as_slice().unwrap(), [3.0, 6.0]);
    assert_eq!(out["second"].as_slice().unwrap(), [2.0, 4.0, 6.0]);
    assert_eq!(out["other"].as_slice().unwrap(), [1.0, 2.0, 2.0, 4.0, 3.0, 6.0]);
}
