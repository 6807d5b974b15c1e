//! Graphs over grids, trees and pairs of positions, as text.

/// Each point reads the one above and the one to the left; rows, greatest elements and sums of them.
pub const GRID: &str = "domain r : i
domain c : j
domain r×c : i×j product r, c
source x : [3] over r×c = input
source w : [17, 3] shared = param = 0.0
source u : [17, 17] shared = param = 0.0
source v : [17, 17] shared = param = 0.0
state h : [17] over r×c = h init zeros
z : [] shared = const(0.0)
zeros : [17] shared = spread(z)
x : [3] over r×c = source(x)
w : [17, 3] shared = source(w)
u : [17, 17] shared = source(u)
v : [17, 17] shared = source(v)
up : [17] over r×c = lag(h, -1, 0)
left : [17] over r×c = lag(h, 0, -1)
wx : [17] over r×c = matmul(w, x)
uu : [17] over r×c = matmul(u, up)
vl : [17] over r×c = matmul(v, left)
a : [17] over r×c = add(wx, uu)
b : [17] over r×c = add(a, vl)
h : [17] over r×c = tanh(b)
rows : [17] over r = sum_over(h)
most : [17] each = fold_over(h, reduce_max)
sum : [17] each = sum_over(h)
out h = h
out rows = rows
out most = most
out sum = sum
";

/// A state of a node from those of all its children, each behind a gate of its own.
pub const TREE: &str = "domain v : n tree
domain k : e children v
domain v×k : n×e product v, k
source x : [9] over v = input
source u : [9, 9] shared = param = 0.0
source f : [9, 9] shared = param = 0.0
state h : [9] over v = h init zeros
z : [] shared = const(0.0)
zeros : [9] shared = spread(z)
x : [9] over v = source(x)
u : [9, 9] shared = source(u)
f : [9, 9] shared = source(f)
child : [9] over v×k = lag(h, each k)
fc : [9] over v×k = matmul(f, child)
g : [9] over v×k = sigmoid(fc)
gc : [9] over v×k = mul(g, child)
below : [9] over v = sum_over(gc)
ub : [9] over v = matmul(u, below)
pre : [9] over v = add(ub, x)
h : [9] over v = tanh(pre)
root : [9] each = at(h, v, last, zeros)
out h = h
out root = root
";

/// Every step looks at all positions of another chain.
pub const ATTENTION: &str = "domain n : t
domain m : j
domain n×m : t×j product n, m
source x : [5] over n = input
source keys : [5] over m = input
source w : [5, 5] shared = param = 0.0
state h : [5] over n = h init zeros
z : [] shared = const(0.0)
zeros : [5] shared = spread(z)
x : [5] over n = source(x)
keys : [5] over m = source(keys)
w : [5, 5] shared = source(w)
old : [5] over n = lag(h, -1)
wo : [5] over n = matmul(w, old)
query : [5] over n = add(wo, x)
e : [] over n×m = matmul(query, keys)
top : [] over n = fold_over(e, reduce_max)
d : [] over n×m = sub(e, top)
p : [] over n×m = exp(d)
total : [] over n = sum_over(p)
pk : [5] over n×m = mul(p, keys)
s : [5] over n = sum_over(pk)
context : [5] over n = div(s, total)
cx : [5] over n = add(context, x)
h : [5] over n = tanh(cx)
out h = h
out p = p
";
