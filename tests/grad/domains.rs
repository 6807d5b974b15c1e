//! Adjoints over grids, trees, pairs of positions and other points: all against central differences in f64, as
//! derived and after simplification, on examples of several sizes in one batch, an empty one among them.

use crate::support::schedule;

use crate::support::grad::*;
use rnnc::eqn::eval::Batch;
use rnnc::eqn::parse::parse;
use rnnc::eqn::tree::Tree;
use rnnc::eqn::*;
use rnnc::simplify::simplify;

/// Checks every gradient of a graph in text form; the simplified gradients are the same. Reads are moved to named
/// values only, so that is tried with all names and without any.
fn check_text(text: &str, lengths: &[(&str, &[usize])], trees: &[(&str, &[Tree])], what: &str) {
    let mut graph = parse(text).unwrap_or_else(|e| panic!("{what}: {e:?}\n{text}"));
    assert_eq!(verify::verify(&graph), Ok(()), "{what}");
    let batch = random_arrays(&graph, lengths, trees, 3);
    check_joint(&graph, &batch, what);
    graph.nodes.iter_mut().for_each(|node| node.name = None);
    check_joint(&graph, &batch, &format!("{what}, without names"));
}

fn check_joint(graph: &Graph, batch: &Batch, what: &str) {
    let joint = check_at(graph, batch, what);
    let batch = with_cotangents(graph, batch, 7);
    let (plain, simple) = (run(&joint, &batch), run(&simplify(&joint), &batch));
    for (name, value) in &plain {
        let distance = value.iter().zip(&simple[name]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(distance <= 1e-9, "{what}: {name} differs by {distance} after simplification");
    }
    let kernels = schedule::compare(&simplify(&joint), &batch, 2e-3);
    kernels.unwrap_or_else(|e| panic!("{what}: kernels: {e}"));
}

const GRID: &str = "domain r : i
domain c : j
domain r×c : i×j product r, c
source x : [] over r×c = input
source w : [] shared = param = 0.0
source u : [] shared = param = 0.0
source h1 : [] each = initial h default 0.0
source h2 : [] each = initial h default 0.0
source a : [] over r = input
source b : [] over c = input
source e : [] each = input
STATE
x : [] over r×c = source(x)
w : [] shared = source(w)
u : [] shared = source(u)
h1 : [] each = source(h1)
h2 : [] each = source(h2)
a : [] over r = source(a)
b : [] over c = source(b)
e : [] each = source(e)
";

const GRID_SIZES: &[(&str, &[usize])] = &[("r", &[3, 0, 1, 2]), ("c", &[2, 3, 1, 4])];

/// `h = tanh(w h[one] + u h[other] x)`, with the given boundary.
fn grid(state: &str, one: &str, other: &str) -> String {
    format!(
        "{}one : [] over r×c = lag(h, {one})
other : [] over r×c = lag(h, {other})
p : [] over r×c = mul(w, one)
ux : [] over r×c = mul(u, x)
q : [] over r×c = mul(ux, other)
pq : [] over r×c = add(p, q)
pre : [] over r×c = add(pq, x)
h : [] over r×c = tanh(pre)
unused : [] each = add(h1, h2)
ab : [] over r×c = mul(a, b)
abe : [] over r×c = mul(ab, e)
out h = h
out unused = unused
out abe = abe
",
        GRID.replace("STATE", &format!("state h : [] over r×c = h init {state}"))
    )
}

#[test]
fn grids_read_their_sides_and_corners() {
    let boundaries = [
        "h1",
        "h1, h2",
        "h1 before r b",
        "h1 before c a",
        "h1 before r b before c a after r b after c e",
        "h1, h2 before r e after c w",
    ];
    let stencils = [("-1, 0", "0, -1"), ("-1, 1", "-2, 0"), ("-1, -2", "-3, 1"), ("1, 2", "0, 6")];
    for boundary in boundaries {
        for (one, other) in stencils {
            check_text(&grid(boundary, one, other), GRID_SIZES, &[], &format!("{boundary}; {one}; {other}"));
        }
    }
}

/// A state of frames: each point reads its neighbours in the frame before, and the one before it in this frame.
#[test]
fn three_axes_and_a_skewed_stencil() {
    let text = "domain n : t
domain r : i
domain c : j
domain n×r×c : t×i×j product n, r, c
domain r×c : i×j product r, c
source x : [2] over n×r×c = input
source v : [2, 2] shared = param = 0.0
source u : [2, 2] shared = param = 0.0
source k : [] over r×c = input
source first : [2] each = initial h default 0.0
source side : [2] over r×c = input
state h : [2] over n×r×c = h init first before n side
x : [2] over n×r×c = source(x)
v : [2, 2] shared = source(v)
u : [2, 2] shared = source(u)
k : [] over r×c = source(k)
first : [2] each = source(first)
side : [2] over r×c = source(side)
old : [2] over n×r×c = lag(h, -1, 1, -1)
left : [2] over n×r×c = lag(h, 0, 0, -1)
same : [2] over n×r×c = lag(h, -1, 0, 0)
vo : [2] over n×r×c = matmul(v, old)
ul : [2] over n×r×c = matmul(u, left)
ks : [2] over n×r×c = mul(k, same)
s1 : [2] over n×r×c = add(vo, ul)
s2 : [2] over n×r×c = add(s1, ks)
s3 : [2] over n×r×c = add(s2, x)
h : [2] over n×r×c = tanh(s3)
frames : [2] over n = sum_over(h)
out h = h
out frames = frames
";
    check_text(text, &[("n", &[3, 2]), ("r", &[2, 1]), ("c", &[2, 3])], &[], "three axes");
}

/// `∑_j x[i,j]` of a state over one axis, read in a recurrence over another, whose offsets are along the other axis of the
/// product: the two are not mixed up.
#[test]
fn offsets_along_different_axes_do_not_cancel() {
    let text = "domain r : i
domain c : j
domain r×c : i×j product r, c
source x : [] over c = input
source y : [] over r = input
source h0 : [] each = initial h default 0.0
source s0 : [] each = initial s default 0.0
source q0 : [] each = initial q default 0.0
state h : [] over r×c = h init h0
state s : [] over c = xx init s0
state q : [] over r = yy init q0
x : [] over c = source(x)
y : [] over r = source(y)
h0 : [] each = source(h0)
s0 : [] each = source(s0)
q0 : [] each = source(q0)
xx : [] over c = tanh(x)
yy : [] over r = tanh(y)
next : [] over c = lag(s, -1)
later : [] over r = lag(q, -1)
past : [] over r×c = lag(h, -1, -2)
read : [] over c = sum_over(past)
gate : [] over r×c = mul(next, later)
keep : [] over r×c = mul(gate, past)
in : [] over r×c = mul(xx, yy)
h : [] over r×c = add(keep, in)
out h = h
out read = read
";
    check_text(text, &[("r", &[3, 2, 0]), ("c", &[2, 4, 1])], &[], "axes");
}

fn binary_trees() -> Vec<Tree> {
    let full = Tree::new([&[-1, -1][..], &[-1, -1], &[0, 1], &[-1, -1], &[2, 3]]).unwrap();
    let odd = Tree::new([&[-1, -1][..], &[-1, 0], &[1, -1]]).unwrap();
    vec![full, odd, Tree::new([&[-1, -1][..]]).unwrap(), Tree::default()]
}

/// Up with gates of both children, then down to them; absent ones have a value that is learnt.
#[test]
fn binary_trees_go_up_and_down() {
    let text = "domain v : n tree 2
source x : [2] over v = input
source l : [2, 2] shared = param = 0.0
source r : [2, 2] shared = param = 0.0
source none : [2] each = initial up default 0.0
source top : [2] shared = param = 0.0
state up : [2] over v = up init none
state down : [2] over v = down init top
x : [2] over v = source(x)
l : [2, 2] shared = source(l)
r : [2, 2] shared = source(r)
none : [2] each = source(none)
top : [2] shared = source(top)
a : [2] over v = lag(up, child 0)
b : [2] over v = lag(up, child 1)
la : [2] over v = matmul(l, a)
rb : [2] over v = matmul(r, b)
gate : [2] over v = sigmoid(rb)
ga : [2] over v = mul(gate, la)
gab : [2] over v = add(ga, rb)
sum : [2] over v = add(gab, x)
up : [2] over v = tanh(sum)
p : [2] over v = lag(down, parent 0)
q : [2] over v = lag(down, parent 1)
lp : [2] over v = matmul(l, p)
rq : [2] over v = matmul(r, q)
lr : [2] over v = mul(lp, rq)
lrp : [2] over v = add(lr, rq)
low : [2] over v = add(lrp, up)
down : [2] over v = tanh(low)
zero : [2] shared = spread(z)
root : [2] each = at(up, v, last, zero)
read : [2] each = sum_over(a)
asked : [2] each = sum_over(q)
out root = root
out down = down
out read = read
out asked = asked
";
    let text = text.replace("zero : [2]", "z : [] shared = const(0.0)\nzero : [2]");
    check_text(&text, &[], &[("v", &binary_trees())], "binary");
}

fn wide_trees() -> Vec<Tree> {
    let wide = Tree::new([&[][..], &[], &[], &[0, 1, 2], &[], &[4, 3]]).unwrap();
    let chain = Tree::new([&[][..], &[0], &[1]]).unwrap();
    vec![wide, Tree::new([&[][..]]).unwrap(), chain, Tree::default()]
}

/// Sums over any number of children with a gate for each, a way back down to each, and what the children receive.
#[test]
fn children_have_their_gates() {
    let text = "domain v : n tree
domain k : e children v
domain v×k : n×e product v, k
source x : [2] over v = input
source y : [] over v×k = input
source u : [2, 2] shared = param = 0.0
source f : [2, 2] shared = param = 0.0
source h0 : [2] each = initial h default 0.0
source d0 : [2] each = initial m default 0.0
state h : [2] over v = h init h0
state m : [2] over v×k = message init d0
x : [2] over v = source(x)
y : [] over v×k = source(y)
u : [2, 2] shared = source(u)
f : [2, 2] shared = source(f)
h0 : [2] each = source(h0)
d0 : [2] each = source(d0)
child : [2] over v×k = lag(h, each k)
e : [] over v×k = position(k)
count : [] over v = length(k)
fc : [2] over v×k = matmul(f, child)
fx : [2] over v×k = add(fc, x)
fy : [2] over v×k = add(fx, y)
gate : [2] over v×k = sigmoid(fy)
gated : [2] over v×k = mul(gate, child)
placed : [2] over v×k = mul(gated, e)
sum : [2] over v = sum_over(placed)
most : [2] over v = fold_over(placed, reduce_max)
all : [2] over v = fold_over(gate, reduce_prod)
us : [2] over v = matmul(u, sum)
usx : [2] over v = add(us, x)
zero : [] shared = const(0.0)
none : [] bool over v = eq(count, zero)
inner : [2] over v = mul(most, all)
more : [2] over v = select(none, x, inner)
pre : [2] over v = add(usx, more)
h : [2] over v = tanh(pre)
down : [2] over v = lag(m, from k)
hd : [2] over v = add(h, down)
message : [2] over v×k = mul(hd, gate)
out h = h
read : [2] each = sum_over(child)
asked : [2] each = sum_over(down)
out message = message
out down = down
out read = read
out asked = asked
";
    check_text(text, &[], &[("v", &wide_trees())], "children");
}

/// A step that asks all positions of a second sequence; of one example it is empty, another is over before it begins.
#[test]
fn attention_inside_a_recurrence() {
    let text = "domain n : t
domain m : j
domain n×m : t×j product n, m
source x : [2] over n = input
source keys : [2] over m = input
source w : [2, 2] shared = param = 0.0
source bias : [] over m = input
source h0 : [2] each = initial h default 0.0
state h : [2] over n = h init h0
x : [2] over n = source(x)
keys : [2] over m = source(keys)
w : [2, 2] shared = source(w)
bias : [] over m = source(bias)
h0 : [2] each = source(h0)
old : [2] over n = lag(h, -1)
wo : [2] over n = matmul(w, old)
query : [2] over n = add(wo, x)
wk : [2] over m = matmul(w, keys)
e0 : [] over n×m = matmul(query, wk)
e : [] over n×m = add(e0, bias)
top : [] over n = fold_over(e, reduce_max)
top_ : [] over n = stop_gradient(top)
d : [] over n×m = sub(e, top_)
p : [] over n×m = exp(d)
total : [] over n = sum_over(p)
weight : [] over n×m = div(p, total)
pk : [2] over n×m = mul(weight, keys)
context : [2] over n = sum_over(pk)
cx : [2] over n = add(context, x)
h : [2] over n = tanh(cx)
out h = h
out weight = weight
";
    check_text(text, &[("n", &[2, 3, 0, 1]), ("m", &[3, 0, 2, 1])], &[], "attention");
}

/// A scan inside each step, started by what the step before ended with.
#[test]
fn a_scan_inside_a_step() {
    let text = "domain n : t
domain k : j
domain n×k : t×j product n, k
source x : [] over n = input
source y : [] over k = input
source w : [] shared = param = 0.0
source h0 : [] each = initial h default 0.0
source s0 : [] each = initial s default 0.0
state h : [] over n = h init h0
state s : [] over n×k = s init s0 before k start
x : [] over n = source(x)
y : [] over k = source(y)
w : [] shared = source(w)
h0 : [] each = source(h0)
s0 : [] each = source(s0)
old : [] over n = lag(h, -1)
start : [] over n = mul(old, x)
prev : [] over n×k = lag(s, 0, -1)
across : [] over n×k = lag(s, -1, -1)
wp : [] over n×k = mul(w, prev)
wpa : [] over n×k = add(wp, across)
xy : [] over n×k = mul(x, y)
in : [] over n×k = add(wpa, xy)
s : [] over n×k = tanh(in)
end : [] over n = at(s, k, last, old)
second : [] over n = at(s, k, 2, x)
h : [] over n = add(end, second)
out h = h
";
    check_text(text, &[("n", &[3, 0, 1, 2]), ("k", &[2, 3, 0, 1])], &[], "scan");
}

/// Tied ones, zeros and no point at all: the first takes all, a product of the others is exact.
#[test]
fn folds_over_points() {
    for fold in ["reduce_max", "reduce_min", "reduce_prod"] {
        for to in ["over n", "over m", "each"] {
            let text = format!(
                "domain n : t
domain m : j
domain n×m : t×j product n, m
source x : [2] over n×m = input
source y : [] over n = input
x : [2] over n×m = source(x)
y : [] over n = source(y)
xy : [2] over n×m = mul(x, y)
z : [2] {to} = fold_over(xy, {fold})
zero : [] shared = const(0.0)
big : [] shared = const(100.0)
size : [2] {to} = abs(z)
finite : [2] bool {to} = lt(size, big)
safe : [2] {to} = select(finite, z, zero)
out safe = safe
"
            );
            check_text(&text, &[("n", &[2, 0, 1]), ("m", &[3, 2, 0])], &[], &format!("{fold} {to}"));
        }
    }
    let tied = "domain n : t
domain m : j
domain n×m : t×j product n, m
source x : [] over n×m = input
x : [] over n×m = source(x)
y : [] each = fold_over(x, FOLD)
out y = y
";
    let gradient = |fold: &str, x: &[f64]| {
        let graph = parse(&tied.replace("FOLD", fold)).unwrap();
        let joint = joint_of(&graph, &rnnc::grad::Options::default());
        let mut batch = random_arrays(&graph, &[("n", &[2]), ("m", &[3])], &[], 1);
        let array = |shape: &[usize], v: &[f64]| {
            ndarray::ArrayD::from_shape_vec(ndarray::IxDyn(shape), v.to_vec()).unwrap()
        };
        batch.arrays.insert("x".into(), array(&[2, 3, 1], x));
        batch.arrays.insert("y_adj".into(), array(&[1], &[5.0]));
        run(&simplify(&joint), &batch)["x_adj"].iter().copied().collect::<Vec<_>>()
    };
    assert_eq!(gradient("reduce_max", &[1.0, 2.0, 3.0, 3.0, 1.0, 3.0]), [0.0, 0.0, 5.0, 0.0, 0.0, 0.0]);
    assert_eq!(gradient("reduce_min", &[2.0, 2.0, 2.0, 1.0, 1.0, 2.0]), [0.0, 0.0, 0.0, 5.0, 0.0, 0.0]);
    assert_eq!(gradient("reduce_prod", &[1.0, 2.0, 0.0, 3.0, 1.0, 1.0]), [0.0, 0.0, 30.0, 0.0, 0.0, 0.0]);
    assert_eq!(gradient("reduce_prod", &[1.0, 0.0, 0.0, 3.0, 1.0, 1.0]), [0.0; 6]);
}

/// Padded, joined, cut, reversed, renamed, exchanged, given one by one; also of values that are the same along an axis.
#[test]
fn other_points_of_the_same_values() {
    let text = "domain n : t
domain m : j
domain b : q derived 1*n + 1*m
domain l : q derived 1*n + -1
domain o : i
domain f : k = 2
domain n×m : t×j product n, m
domain m×l : j×q product m, l
domain n×f : t×k product n, f
domain n×o : t×i product n, o
source x : [2] over n = input
source y : [2] over m = input
source z : [] over n×m = input
source w : [2] shared = param = 0.0
source e : [2] each = input
x : [2] over n = source(x)
y : [2] over m = source(y)
z : [] over n×m = source(z)
w : [2] shared = source(w)
e : [2] each = source(e)
wx : [2] over n = mul(w, x)
front : [2] over b = remap(wx, n to b start 0 step 1)
back : [2] over b = remap(y, m to b start -1*n step 1)
both : [2] over b = add(front, back)
turned : [2] over b = remap(both, b to b start 1*b + 1 step -1)
short : [2] over l = remap(x, n to l start 1 step 1)
rest : [2] each = sum_over(short)
cut : [2] over l = remap(wx, n to l start 1 step 1)
zz : [] over n×m = tanh(z)
zback : [] over m×l = remap(zz, n to l start 1*n + 1 step -1)
flip : [] over n×m = remap(zz, m to m start 1*m + 1 step -1)
ab : [2] over n×m = mul(x, flip)
parts : [2] over n×f = points(f, x, e)
s : [2] over n×f = tanh(parts)
second : [2] over n = at(s, f, 2, w)
end : [2] over f = at(s, n, last, w)
last : [2] over n = at(ab, m, 2, x)
out turned = turned
out cut = cut
out rest = rest
out zback = zback
out ab = ab
out second = second
out end = end
out last = last
";
    let text = text.replace("domain n×o : t×i product n, o\n", "").replace("domain o : i\n", "");
    check_text(&text, &[("n", &[3, 0, 1]), ("m", &[2, 3, 0])], &[], "other points");
}

/// What is known at fewer points than it is read at: sums down count how often it was read, also when the adjoint
/// itself is the same everywhere.
#[test]
fn sums_count_the_points_that_read() {
    let text = "domain v : n tree
domain k : e children v
domain m : j
domain v×k : n×e product v, k
domain v×m : n×j product v, m
domain v×k×m : n×e×j product v, k, m
source a : [] shared = param = 0.0
source b : [] each = input
source c : [] over v = input
source d : [] over m = input
source e : [] over v×k = input
a : [] shared = source(a)
b : [] each = source(b)
c : [] over v = source(c)
d : [] over m = source(d)
e : [] over v×k = source(e)
ab : [] each = mul(a, b)
cd : [] over v×m = add(c, d)
cde : [] over v×k×m = add(cd, e)
all : [] over v×k×m = add(cde, ab)
total : [] each = sum_over(all)
some : [] over m = sum_over(all)
every : [] shared = sum_over(all)
out total = total
out some = some
out every = every
";
    check_text(text, &[("m", &[2, 0, 1, 3])], &[("v", &wide_trees())], "counted");
}

/// Values that turn out to be the same along an axis, also where the axis has no point.
#[test]
fn axes_that_go_leave_the_same_values() {
    let text = "domain v : n tree
domain k : e children v
domain m : j
domain p : q derived 1*m + 2
domain v×k : n×e product v, k
domain v×m : n×j product v, m
domain v×p : n×q product v, p
domain v×k×m : n×e×j product v, k, m
source a : [] shared = param = 0.0
source b : [] each = input
source c : [] over v = input
source x : [] over v×k×m = input
a : [] shared = source(a)
b : [] each = source(b)
c : [] over v = source(c)
x : [] over v×k×m = source(x)
zero : [] shared = const(0.0)
one : [] shared = const(1.0)
none : [] over v×k×m = mul(x, zero)
aa : [] over v×k×m = add(none, a)
bb : [] over v×k×m = add(none, b)
cc : [] over v×k×m = add(none, c)
sum_a : [] shared = sum_over(aa)
sum_a_m : [] over m = sum_over(aa)
sum_b : [] shared = sum_over(bb)
sum_c : [] each = sum_over(cc)
sum_c_v : [] over v = sum_over(cc)
most : [] over v = fold_over(cc, reduce_max)
much : [] over m = fold_over(bb, reduce_prod)
last : [] over v×k = at(cc, m, last, one)
wide : [] over v×m = sum_over(cc)
flip : [] over v×m = remap(wide, m to m start 1*m + 1 step -1)
none_m : [] over v×m = sum_over(none)
c_m : [] over v×m = add(none_m, c)
pad : [] over v×p = remap(c_m, m to p start -1 step 1)
twice : [] over v×p = remap(pad, p to p start 1*p + 1 step -1)
out sum_a = sum_a
out sum_a_m = sum_a_m
out sum_b = sum_b
out sum_c = sum_c
out sum_c_v = sum_c_v
out most = most
out much = much
out last = last
out flip = flip
out pad = pad
out twice = twice
";
    let graph = parse(text).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(verify::verify(&graph), Ok(()));
    let simple = simplify(&graph);
    assert!(simple.find_source("x").is_none(), "{}", print::print(&simple));
    let batch = random_arrays(&graph, &[("m", &[2, 3, 0, 1])], &[("v", &wide_trees())], 5);
    let (plain, simple) = (run(&graph, &batch), run(&simple, &batch));
    for (name, value) in &plain {
        let same = value.iter().zip(&simple[name]).all(|(a, b)| a == b || (a - b).abs() <= 1e-12);
        assert!(same, "{name} is {value}, simplified {}", simple[name]);
    }
}
