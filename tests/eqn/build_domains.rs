//! Cells over grids and trees, sequences inside a step: built from text, and computed by the reference interpreter.
//! What they give is held against equations unrolled by hand, or against a cell they are equal to.

use crate::support::domains::*;
use rnnc::eqn::tree::Tree;

const LSTM: &str = "
cell LSTM(I, H, bias_f : real = 1) {
  in    x : [I]
  state h, c : [H] = 0
  param W_{f i r o} : [H, I] ~ uniform(1/sqrt(H))
  param U_{f i r o} : [H, H] ~ uniform(1/sqrt(H))
  param b_{i r o}   : [H] = 0
  param b_f         : [H] = bias_f
  {f i o} = σ(W_{f i o} @ x + U_{f i o} @ h[t-1] + b_{f i o})
  r = tanh(W_r @ x + U_r @ h[t-1] + b_r)
  c = f ⊙ c[t-1] + i ⊙ r
  h = o ⊙ tanh(c)
  out h
}
";

const MDLSTM: &str = "
cell MDLSTM(I, H, peephole : bool = false, bias_f : real = 1) over grid(D..) {
  in    x : [I]
  state h, c : [H] = 0
  param W_{i c o}, W_f[d in D] : [H, I] ~ uniform(1/sqrt(H))
  param U_{i c o}[e in D], U_f[d in D, e in D] : [H, H] ~ uniform(1/sqrt(H))
  param p_{i o}, p_f[d in D] : [H] ~ uniform(1/sqrt(H))
  param b_{i c o}   : [H] = 0
  param b_f[d in D] : [H] = bias_f
  s_i = if peephole then ∑ e ∈ D: p_i ⊙ c[prev e] else 0
  s_o = if peephole then p_o ⊙ c else 0
  s_f[d ∈ D] = if peephole then p_f[d] ⊙ c[prev d] else 0
  {i o} = σ(W_{i o} @ x + ∑ e ∈ D: U_{i o}[e] @ h[prev e] + s_{i o} + b_{i o})
  f[d ∈ D] = σ(W_f[d] @ x + ∑ e ∈ D: U_f[d, e] @ h[prev e] + s_f[d] + b_f[d])
  g = tanh(W_c @ x + ∑ e ∈ D: U_c[e] @ h[prev e] + b_c)
  c = i ⊙ g + ∑ d ∈ D: f[d] ⊙ c[prev d]
  h = o ⊙ tanh(c)
  out h
}
";

/// The arrays of an MDLSTM of one axis are those of an LSTM with one more axis in front of some.
#[test]
fn a_grid_of_one_axis_is_a_chain() {
    let text = format!("{LSTM}{MDLSTM}");
    let (chain, grid) = (graph(&text, "LSTM(2, 3)"), graph(&text, "MDLSTM(2, 3, D = 1)"));
    let x = noise(1, &[4, 1, 2]);
    let mut a = Inputs::new(1).array("x", x.clone());
    let mut b = Inputs::new(1).array("x", x);
    for (k, (of, to, family)) in
        [("f", "f", true), ("i", "i", false), ("r", "c", false), ("o", "o", false)].into_iter().enumerate()
    {
        let (w, u, bias) =
            (noise(10 + k as u64, &[3, 2]), noise(20 + k as u64, &[3, 3]), noise(30 + k as u64, &[3]));
        let front =
            |v: &Array, on: bool| if on { v.clone().insert_axis(ndarray::Axis(0)) } else { v.clone() };
        b = b.array(&format!("W_{to}"), front(&w, family)).array(&format!("b_{to}"), front(&bias, family));
        b = b.array(&format!("U_{to}"), front(&front(&u, true), family));
        a = a.array(&format!("W_{of}"), w).array(&format!("U_{of}"), u).array(&format!("b_{of}"), bias);
    }
    close(&a.run(&chain)["h"], &b.run(&grid)["h"]);
}

/// All axes of a grid, with its two sides of zeros.
#[test]
fn a_grid_reads_the_points_before_it_along_each_axis() {
    let text = "
cell Ways over grid(i, j) {
  in x : []
  state h : [] = 0
  h = x + h[i-1, j] + 2*h[i, j-1] + 3*h[i-1, j-1] + 100*i + 10*j
  out h
}
cell Prev over grid(i, j) {
  in x : []
  state h : [] = 0
  h = x + h[prev i] + 2*h[prev j] + 3*h[i-1, j-1] + 100*i + 10*j
  out h
}
";
    for cell in ["Ways", "Prev"] {
        let out = Inputs::new(1).array("x", noise(1, &[2, 3, 1])).run(&graph(text, cell));
        let x = noise(1, &[2, 3, 1]);
        let mut h = [[0.0; 4]; 3];
        for i in 1..3 {
            for j in 1..4 {
                h[i][j] = x[[i - 1, j - 1, 0]]
                    + h[i - 1][j]
                    + 2.0 * h[i][j - 1]
                    + 3.0 * h[i - 1][j - 1]
                    + 100.0 * i as f64
                    + 10.0 * j as f64;
                assert!((h[i][j] - out["h"][[i - 1, j - 1, 0]]).abs() < 1e-9, "{cell} at {i}, {j}");
            }
        }
    }
}

#[test]
fn three_axes_and_peepholes() {
    let g = graph(MDLSTM, "MDLSTM(2, 2, peephole = true, D = 3)");
    let inputs = Inputs::drawn(&g, 1, &[("n_1", 2), ("n_2", 3), ("n_3", 2)]);
    let h = &inputs.run(&g)["h"];
    let p = |name: &str| inputs.get(name);
    let x = p("x");
    // Unrolled by hand.
    let mut state: std::collections::BTreeMap<[usize; 3], (Vec<f64>, Vec<f64>)> = Default::default();
    let sigma = |v: f64| 1.0 / (1.0 + (-v).exp());
    for a in 0..2 {
        for b in 0..3 {
            for c in 0..2 {
                let at: [usize; 3] = [a, b, c];
                let before: Vec<(Vec<f64>, Vec<f64>)> = (0..3)
                    .map(|d| {
                        let mut q = at;
                        let gone = q[d] == 0;
                        q[d] = q[d].wrapping_sub(1);
                        if gone { (vec![0.0; 2], vec![0.0; 2]) } else { state[&q].clone() }
                    })
                    .collect();
                let gate =
                    |w: &dyn Fn(usize, usize) -> f64, u: &dyn Fn(usize, usize, usize) -> f64, k: usize| {
                        let input: f64 = (0..2).map(|m| w(k, m) * x[[a, b, c, 0, m]]).sum();
                        let old: f64 =
                            (0..3).map(|e| (0..2).map(|m| u(e, k, m) * before[e].0[m]).sum::<f64>()).sum();
                        input + old
                    };
                let (mut hs, mut cs) = (vec![0.0; 2], vec![0.0; 2]);
                for k in 0..2 {
                    let plain = |n: &str| {
                        gate(
                            &|k, m| p(&format!("W_{n}"))[[k, m]],
                            &|e, k, m| p(&format!("U_{n}"))[[e, k, m]],
                            k,
                        ) + p(&format!("b_{n}"))[[k]]
                    };
                    let pi: f64 = (0..3).map(|e| p("p_i")[[k]] * before[e].1[k]).sum();
                    let i = sigma(plain("i") + pi);
                    let g = plain("c").tanh();
                    let mut cell = i * g;
                    for (d, old) in before.iter().enumerate() {
                        let z = gate(&|k, m| p("W_f")[[d, k, m]], &|e, k, m| p("U_f")[[d, e, k, m]], k);
                        cell += sigma(z + p("p_f")[[d, k]] * old.1[k] + p("b_f")[[d, k]]) * old.1[k];
                    }
                    let o = sigma(plain("o") + p("p_o")[[k]] * cell);
                    cs[k] = cell;
                    hs[k] = o * cell.tanh();
                    assert!((h[[a, b, c, 0, k]] - hs[k]).abs() < 1e-9);
                }
                state.insert(at, (hs, cs));
            }
        }
    }
}

/// Depth as an axis: with one data axis and L = 1, the equations of one block written out.
#[test]
fn a_grid_has_axes_of_static_length_and_a_side_with_equations() {
    let text = "
cell GridLSTM(I, H, L, rank[axes] = 0) over grid(D.., l in 1..L) {
  in    x : [I] over D
  state h[n in axes], m[n in axes] : [H] = 0
  param E_{h m} : [H, I] ~ uniform(1/sqrt(H))
  param W_{u f o c}[n in axes] : [H, size(axes)*H] ~ uniform(1/sqrt(H))
  param b_{u o c}[n in axes] : [H] = 0
  param b_f[n in axes] : [H] = 1
  X[n ∈ axes] = concat k ∈ axes: (if rank[k] < rank[n] then h[k] else h[k][prev k])
  {u f o}[n ∈ axes] = σ(W_{u f o}[n] @ X[n] + b_{u f o}[n])
  g[n ∈ axes] = tanh(W_c[n] @ X[n] + b_c[n])
  m[n ∈ axes] = f[n] ⊙ m[n][prev n] + u[n] ⊙ g[n]
  h[n ∈ axes] = tanh(o[n] ⊙ m[n])
  at l = 0 {
    h[l] = E_h @ x
    m[l] = E_m @ x
  }
  out y = h[l] for l = L
}
cell Twin(H, L) {
  in    e_{h m} : [H]
  state h1[l in 1..L], m1[l in 1..L] : [H] = 0
  param W_{u f o c}[n in 1..2] : [H, 2*H] ~ uniform(1/sqrt(H))
  param b_{u o c f}[n in 1..2] : [H] = 0
  h0_[l in 0..L] = if l == 0 then e_h else h2[l]
  m0_[l in 0..L] = if l == 0 then e_m else m2[l]
  X1[l in 1..L] = h1[l][t-1] ++ h0_[l-1]
  X2[l in 1..L] = X1[l]
  {u f o}1[l in 1..L] = σ(W_{u f o}[1] @ X1[l] + b_{u f o}[1])
  {u f o}2[l in 1..L] = σ(W_{u f o}[2] @ X2[l] + b_{u f o}[2])
  g1[l in 1..L] = tanh(W_c[1] @ X1[l] + b_c[1])
  g2[l in 1..L] = tanh(W_c[2] @ X2[l] + b_c[2])
  m1[l in 1..L] = f1[l] ⊙ m1[l][t-1] + u1[l] ⊙ g1[l]
  m2[l in 1..L] = f2[l] ⊙ m0_[l-1] + u2[l] ⊙ g2[l]
  h1[l in 1..L] = tanh(o1[l] ⊙ m1[l])
  h2[l in 1..L] = tanh(o2[l] ⊙ m2[l])
  out y = h2[L]
}
";
    let g = graph(text, "GridLSTM(2, 3, 2, D = 1)");
    let twin = graph(text, "Twin(3, 2)");
    let inputs = Inputs::drawn(&g, 2, &[("n_1", 4)]);
    let x = inputs.get("x");
    let project = |e: &Array| {
        let mut out = Array::zeros(ndarray::IxDyn(&[4, 2, 3]));
        for ((t, b), k) in (0..4).flat_map(|t| [(t, 0), (t, 1)]).flat_map(|p| (0..3).map(move |k| (p, k))) {
            out[[t, b, k]] = (0..2).map(|m| e[[k, m]] * x[[t, b, m]]).sum();
        }
        out
    };
    let mut other = Inputs::new(2);
    for name in ["W_u", "W_f", "W_o", "W_c", "b_u", "b_o", "b_c", "b_f"] {
        other = other.array(name, inputs.get(name).clone());
    }
    other = other.array("e_h", project(inputs.get("E_h"))).array("e_m", project(inputs.get("E_m")));
    close(&inputs.run(&g)["y"], &other.run(&twin)["y"]);
    // The priority of one axis over another is an argument.
    graph(text, "GridLSTM(2, 3, 2, rank = [0, 1], D = 1)");
    let (code, _) = refusal(text, "GridLSTM(2, 3, 2, rank = [0, 1, 2], D = 1)");
    assert_eq!(code, "E0252");
}

#[test]
fn a_stencil_over_the_frame_before() {
    let text = "
cell ConvLSTM(I, H) over grid(t, y, x) {
  in    v : [I]
  state h, c : [H] = 0
  param W_{i f r o}[a in -1..1, b in -1..1] : [H, I] ~ uniform(1/sqrt(9*H))
  param U_{i f r o}[a in -1..1, b in -1..1] : [H, H] ~ uniform(1/sqrt(9*H))
  param b_{i r o} : [H] = 0
  param b_f : [H] = 1
  z_{i f r o} = ∑ a in -1..1, b in -1..1: (W_{i f r o}[a, b] @ v[t, y+a, x+b]
                                         + U_{i f r o}[a, b] @ h[t-1, y+a, x+b])
  {i f o} = σ(z_{i f o} + b_{i f o})
  r = tanh(z_r + b_r)
  c = f ⊙ c[t-1, y, x] + i ⊙ r
  h = o ⊙ tanh(c)
  out h
}
cell Sum over grid(t, y, x) {
  in    v : []
  state h : [] = 0
  h = v[t, y, x+1] + ∑ a in -1..1, b in -1..1: (a + 2*b + 4) * h[t-1, y+a, x+b]
  out h
}
";
    graph(text, "ConvLSTM(2, 2)");
    let v = noise(3, &[3, 2, 3, 1]);
    let out = &Inputs::new(1).array("v", v.clone()).run(&graph(text, "Sum"))["h"];
    let at = |a: &Array, t: i64, y: i64, x: i64| -> f64 {
        if t < 0 || !(0..2).contains(&y) || !(0..3).contains(&x) {
            0.0
        } else {
            a[[t as usize, y as usize, x as usize, 0]]
        }
    };
    for (t, y, x) in (0..3).flat_map(|t| (0..2).flat_map(move |y| (0..3).map(move |x| (t, y, x)))) {
        let mut want = at(&v, t, y, x + 1);
        for (a, b) in (-1..2).flat_map(|a| (-1..2).map(move |b| (a, b))) {
            want += (a + 2 * b + 4) as f64 * at(out, t - 1, y + a, x + b);
        }
        assert!((want - at(out, t, y, x)).abs() < 1e-9, "at {t}, {y}, {x}");
    }
}

const TREES: &str = "
cell TreeLSTM(I, H) over tree(K..) {
  in    x : [I]
  state h, c : [H] = 0
  param W_{i f o u} : [H, I] ~ uniform(1/sqrt(H))
  param U_{i f o u} : [H, H] ~ uniform(1/sqrt(H))
  param b_{i o u} : [H] = 0
  param b_f       : [H] = 1
  s = ∑ k ∈ K: h[prev k]
  {i o} = σ(W_{i o} @ x + U_{i o} @ s + b_{i o})
  u = tanh(W_u @ x + U_u @ s + b_u)
  f[k ∈ K] = σ(W_f @ x + U_f @ h[prev k] + b_f)
  c = i ⊙ u + ∑ k ∈ K: f[k] ⊙ c[prev k]
  h = o ⊙ tanh(c)
  out h
}
cell NaryTreeLSTM(I, H) over tree(K..) {
  in    x : [I]
  state h, c : [H] = 0
  param W_{i f o u} : [H, I] ~ uniform(1/sqrt(H))
  param U_{i o u}[l in K], U_f[k in K, l in K] : [H, H] ~ uniform(1/sqrt(H))
  param b_{i o u} : [H] = 0
  param b_f       : [H] = 1
  {i o} = σ(W_{i o} @ x + ∑ l ∈ K: U_{i o}[l] @ h[prev l] + b_{i o})
  u = tanh(W_u @ x + ∑ l ∈ K: U_u[l] @ h[prev l] + b_u)
  f[k ∈ K] = σ(W_f @ x + ∑ l ∈ K: U_f[k, l] @ h[prev l] + b_f)
  c = i ⊙ u + ∑ l ∈ K: f[l] ⊙ c[prev l]
  h = o ⊙ tanh(c)
  out h
}
";

/// A tree in which every node has one child is a chain.
#[test]
fn a_tree_that_is_a_chain() {
    let text = format!("{LSTM}{TREES}");
    let chain = graph(&text, "LSTM(2, 3)");
    let inputs = Inputs::drawn(&chain, 1, &[("n", 4)]);
    let line = || Tree::new([&[][..], &[0], &[1], &[2]]).unwrap();
    for (recipe, lead) in [("TreeLSTM(2, 3)", 0), ("NaryTreeLSTM(2, 3, K = 1)", 1)] {
        let tree = graph(&text, recipe);
        let mut other = Inputs::new(1).array("x", inputs.get("x").clone()).trees("n", vec![line()]);
        for gate in ["f", "i", "r", "o"] {
            let own = if gate == "r" { "u" } else { gate };
            let mut u = inputs.get(&format!("U_{gate}")).clone();
            for _ in 0..(if gate == "f" { 2 * lead } else { lead }) {
                u = u.insert_axis(ndarray::Axis(0));
            }
            other = other
                .array(&format!("W_{own}"), inputs.get(&format!("W_{gate}")).clone())
                .array(&format!("U_{own}"), u)
                .array(&format!("b_{own}"), inputs.get(&format!("b_{gate}")).clone());
        }
        close(&inputs.run(&chain)["h"], &other.run(&tree)["h"]);
    }
}

/// A node with two children, by hand.
#[test]
fn children_are_summed_and_gated_one_by_one() {
    let text = "
cell Sums over tree(K..) {
  in    x : []
  state h : [] = 5
  f[k ∈ K] = x * h[prev k]
  h = x + size(K) + ∑ k ∈ K: f[k] * h[prev k]
  top = max k ∈ K: h[prev k]
  out h, top
}
cell Binary over tree(left, right) {
  in    x : []
  state h : [] = 5
  h = x + 2*h[left] + 3*h[prev right]
  at leaf { h = 10*x }
  out h, root = root(h)
}
cell Down over tree(left, right) {
  in    x : []
  state h : [] = 7
  h = x + 2*h[next left] + 3*h[next right]
  out h
}
";
    let tree = || Tree::new([&[-1, -1][..], &[-1, -1], &[0, 1], &[2, -1]]).unwrap();
    let x = array(&[4, 1], &[1.0, 2.0, 3.0, 4.0]);
    let run =
        |cell: &str| Inputs::new(1).array("x", x.clone()).trees("n", vec![tree()]).run(&graph(text, cell));
    let sums = run("Sums");
    let of = |a: &Array| a.iter().copied().collect::<Vec<_>>();
    let h2 = 3.0 + 2.0 + 3.0 * (1.0 + 4.0);
    assert_eq!(of(&sums["h"]), [1.0, 2.0, h2, 4.0 + 1.0 + 4.0 * h2 * h2]);
    // The greatest of no child is 0.
    assert_eq!(of(&sums["top"]), [0.0, 0.0, 2.0, h2]);
    let binary = run("Binary");
    let b2 = 3.0 + 20.0 + 60.0;
    // An absent child of an inner node is the declared value.
    assert_eq!(of(&binary["h"]), [10.0, 20.0, b2, 4.0 + 2.0 * b2 + 15.0]);
    assert_eq!(of(&binary["root"]), [4.0 + 2.0 * b2 + 15.0]);
    let down = run("Down");
    let d3 = 4.0 + 14.0 + 21.0;
    let d2 = 3.0 + 2.0 * d3 + 21.0;
    assert_eq!(of(&down["h"]), [1.0 + 2.0 * d2 + 21.0, 2.0 + 14.0 + 3.0 * d2, d2, d3]);
}

#[test]
fn a_tree_cell_with_options_for_its_leaves() {
    let text = "
cell SLSTM(I, H, start : plain | gated | raw = plain) over tree(left, right) {
  in    x : [I]
  state h, c : [H] = 0
  param U_{i fL fR x o}_L, U_{i fL fR x o}_R : [H, H] ~ uniform(1/sqrt(H))
  param V_{i fL fR}_L, V_{i fL fR}_R, V_o    : [H, H] ~ uniform(1/sqrt(H))
  param W_leaf, W_lo : [H, I] ~ uniform(1/sqrt(H))
  param b_{i x o}, b_leaf, b_lo : [H] = 0
  param b_{fL fR} : [H] = 1
  {i fL fR} = σ(U_{i fL fR}_L @ h[left] + U_{i fL fR}_R @ h[right]
              + V_{i fL fR}_L @ c[left] + V_{i fL fR}_R @ c[right] + b_{i fL fR})
  u = tanh(U_x_L @ h[left] + U_x_R @ h[right] + b_x)
  c = fL ⊙ c[left] + fR ⊙ c[right] + i ⊙ u
  o = σ(U_o_L @ h[left] + U_o_R @ h[right] + V_o @ c + b_o)
  h = o ⊙ tanh(c)
  at leaf {
    c = if start == raw then 0 else W_leaf @ x + b_leaf
    h = if start == raw then x
        else if start == gated then σ(W_lo @ x + b_lo) ⊙ tanh(c)
        else tanh(c)
  }
  out h
}
";
    let tree = || vec![Tree::new([&[-1, -1][..], &[-1, -1], &[0, 1]]).unwrap()];
    let raw = graph(text, "SLSTM(2, 2, start = raw)");
    assert!(raw.find_source("W_leaf").is_none(), "by need");
    let inputs = Inputs::drawn(&raw, 1, &[("n", 3)]).trees("n", tree());
    let (h, x) = (&inputs.run(&raw)["h"], inputs.get("x"));
    for (n, k) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        assert_eq!(h[[n, 0, k]], x[[n, 0, k]]);
    }
    let plain = graph(text, "SLSTM(2, 2)");
    let inputs = Inputs::drawn(&plain, 1, &[("n", 3)]).trees("n", tree());
    let (h, x, w, b) =
        (&inputs.run(&plain)["h"], inputs.get("x"), inputs.get("W_leaf"), inputs.get("b_leaf"));
    let leaf = |n: usize, k: usize| ((0..2).map(|m| w[[k, m]] * x[[n, 0, m]]).sum::<f64>() + b[[k]]).tanh();
    assert!((h[[1, 0, 1]] - leaf(1, 1)).abs() < 1e-12);
    graph(text, "SLSTM(2, 2, start = gated)");
}

// Sequences inside a step.

const MATCH: &str = "
cell MatchLSTM(D, H) {
  in    ht : [D]
  mem   hs : seq<M> of [D]
  param W_s, W_t : [D, D] ~ uniform(1/sqrt(D))
  param W_m : [D, H] ~ uniform(1/sqrt(H))
  param w_e : [D]    ~ uniform(1/sqrt(D))
  keys = pad(hs, 0, 1)
  e[j in 1..M+1] = w_e · tanh(W_s @ keys[j] + W_t @ ht + W_m @ m.h[t-1])
  α = softmax(e)
  a = ∑ j in 1..M+1: α[j] * keys[j]
  m = LSTM(2*D, H)(a ++ ht)
  out h = m.h, a
}
";

/// Attention over a padded memory, with lengths of its own, unrolled by hand for the weights.
#[test]
fn a_step_looks_at_all_positions_of_a_memory() {
    let text = format!("{LSTM}{MATCH}");
    let g = graph(&text, "MatchLSTM(2, 2)");
    // What the memory alone decides is computed once for each of its positions.
    let products = g.nodes.iter().filter(|n| n.op.word() == "matmul").map(|n| n.level).collect::<Vec<_>>();
    assert!(
        products.iter().any(|l| g.axes_of(*l).len() == 1 && !g.is_within(*l, level_of(&g, "ht"))),
        "{products:?}"
    );
    let inputs = Inputs::drawn(&g, 1, &[("n", 3), ("M", 4)]).lengths("M", &[3]);
    let out = inputs.run(&g);
    let p = |name: &str| inputs.get(name);
    let (hs, ht) = (p("hs"), p("ht"));
    for t in 0..3 {
        let before = |k: usize| if t == 0 { 0.0 } else { out["h"][[t - 1, 0, k]] };
        let key = |j: usize, k: usize| if j < 3 { hs[[j, 0, k]] } else { 0.0 };
        let score = |j: usize| -> f64 {
            (0..2)
                .map(|r| {
                    let sum: f64 = (0..2)
                        .map(|m| {
                            p("W_s")[[r, m]] * key(j, m)
                                + p("W_t")[[r, m]] * ht[[t, 0, m]]
                                + p("W_m")[[r, m]] * before(m)
                        })
                        .sum();
                    p("w_e")[[r]] * sum.tanh()
                })
                .sum()
        };
        let weights: Vec<f64> = (0..4).map(|j| score(j).exp()).collect();
        let total: f64 = weights.iter().sum();
        for k in 0..2 {
            let a: f64 = (0..4).map(|j| weights[j] / total * key(j, k)).sum();
            assert!((a - out["a"][[t, 0, k]]).abs() < 1e-9, "at {t}");
        }
    }
}

fn level_of(g: &rnnc::eqn::Graph, name: &str) -> rnnc::eqn::Level {
    g.sources.iter().find(|s| &*s.name == name).expect("a source").level
}

/// A sequence that attends to itself is read at two positions at once.
#[test]
fn a_sequence_is_scanned_and_read_whole() {
    let text = "
cell Pairs() {
  in  x : []
  mem q : seq<M> of []
  y = ∑ j in 1..M: (x + j) * q[j]
  z = max j in 1..M where q[j] < x: q[j]
  out y, z
}
cell Far over chain(t in 1..N) {
  in x : []
  y = ∑ s in 1..N: (x - x[s])^2 * s
  z = mean s in 1..N where s <= t: x[s]
  out y, z
}
layer Self(x : seq<n> of []) = Pairs(x, q = x)
layer Two(x : seq<n> of []) { out y = ∑ i in 1..n, j in 1..n where i < j: x[i] * x[j] }
layer Column(x : grid<r, c> of []) { out y = ∑ i in 1..r: x[i, 2] }
";
    let text = text.replace("cell Pairs()", "cell Pairs");
    let x = [0.5, -1.0, 2.0, 1.0];
    let given = || Inputs::new(1).array("x", array(&[4, 1], &x));
    let out = &given().run(&graph(&text, "Self"))["out"];
    let far = given().run(&graph(&text, "Far"));
    let two = given().run(&graph(&text, "Two"));
    let pairs = (0..4).flat_map(|i| (i + 1..4).map(move |j| (i, j)));
    assert!((two["y"][[0]] - pairs.map(|(i, j)| x[i] * x[j]).sum::<f64>()).abs() < 1e-9);
    let grid = Inputs::new(1).array("x", array(&[2, 2, 1], &x)).run(&graph(&text, "Column"));
    assert_eq!(grid["y"][[0]], x[1] + x[3]);
    for t in 0..4 {
        let y: f64 = (0..4).map(|j| (x[t] + (j + 1) as f64) * x[j]).sum();
        assert!((y - out[[t, 0]]).abs() < 1e-9);
        let y: f64 = (0..4).map(|s| (x[t] - x[s]).powi(2) * (s + 1) as f64).sum();
        assert!((y - far["y"][[t, 0]]).abs() < 1e-9);
        let z = x[..=t].iter().sum::<f64>() / (t + 1) as f64;
        assert!((z - far["z"][[t, 0]]).abs() < 1e-9);
    }
}

/// A scan along the features inside each step, then one along time.
#[test]
fn a_scan_inside_a_step_begins_anew_in_each() {
    let text = format!(
        "{LSTM}
cell FTLSTM(N, B, C, H_F, H_T) {{
  in  v : [N]
  dim M = (N − C) div (B − C)
  z = windows(v, B, B − C)
  F = LSTM(B, H_F)(z)
  u = concat k in 1..M: F[k]
  T = LSTM(M*H_F, H_T)(u)
  out T, u
}}
"
    );
    let g = graph(&text, "FTLSTM(5, 3, 2, 2, 2)");
    let inputs = Inputs::drawn(&g, 1, &[("n", 3)]);
    let out = inputs.run(&g);
    let part = |name: &str| inputs.get(name).clone();
    let lstm = |path: &str, x: Array| {
        let mut own = Inputs::new(1).array("x", x);
        for gate in ["f", "i", "r", "o"] {
            for kind in ["W", "U", "b"] {
                own = own.array(&format!("{kind}_{gate}"), part(&format!("{path}.{kind}_{gate}")));
            }
        }
        own
    };
    let v = inputs.get("v");
    let inner = graph(LSTM, "LSTM(3, 2)");
    for t in 0..3 {
        let z: Vec<f64> =
            (0..3).flat_map(|k| (0..3).map(move |m| (k, m))).map(|(k, m)| v[[t, 0, k + m]]).collect();
        let h = &lstm("F", array(&[3, 1, 3], &z)).run(&inner)["h"];
        for (k, m) in (0..3).flat_map(|k| [(k, 0), (k, 1)]) {
            assert!((h[[k, 0, m]] - out["u"][[t, 0, k * 2 + m]]).abs() < 1e-9);
        }
    }
    let outer = graph(LSTM, "LSTM(6, 2)");
    close(&lstm("T", out["u"].clone()).run(&outer)["h"], &out["T"]);
    assert!(mistakes(&text).is_empty(), "numbers that a check makes up need not fit");
    let (code, message) = refusal(&text, "FTLSTM(40, 9, 4, 2, 2)");
    assert!(message.contains("36") && message.contains("5"), "{code}: {message}");
}

/// Two recurrences with states carried from one to the other, the first inside each step of a third.
#[test]
fn states_are_carried_from_an_encoder_inside_a_step() {
    let text = "
cell Sum {
  in x : []
  state h : [] = 0
  h = x + 2*h[t-1]
  out h
}
cell From {
  in x : []
  mem k : []
  state h : []
  h = x*k + h[t-1]
  at t = 0 { h = 10*k }
  out h
}
cell Steps(N) {
  in  v : [N]
  mem q : seq<M> of []
  enc = Sum(q)
  own = Sum(windows(v, 1, 1) |> Flat)
  dec = Sum(q, h0 = own.h_last)
  out a = enc.h_last, b = own.h_last, c = dec.h_last
}
layer Flat(x : seq<n> of [A]) { out y = norm(x) }
layer Both(x : seq<n> of [], y : seq<m> of []) {
  enc = Sum(x)
  dec = From(y, k = enc.h_last)
  out dec, last(dec)
}
";
    let both = graph(text, "Both");
    let (x, y) = (array(&[2, 1], &[1.0, 2.0]), array(&[3, 1], &[1.0, 1.0, 2.0]));
    let out = Inputs::new(1).array("x", x.clone()).array("y", y).run(&both);
    assert_eq!(out["dec"].iter().copied().collect::<Vec<_>>(), [44.0, 48.0, 56.0]);
    let steps = graph(text, "Steps(2)");
    let v = array(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
    let out = Inputs::new(1).array("v", v).array("q", x).run(&steps);
    let of = |name: &str| out[name].iter().copied().collect::<Vec<_>>();
    assert_eq!(of("a"), [4.0], "what the memory decides is the same at each step");
    assert_eq!(of("b"), [4.0, 10.0]);
    assert_eq!(of("c"), [4.0 + 16.0, 4.0 + 40.0]);
}

// Layers and models over grids.

#[test]
fn a_grid_is_scanned_from_every_corner() {
    let text = format!(
        "{MDLSTM}
layer Directions(C : cell)(x : grid<D..>) {{
  dim S = 2^size(D) − 1
  d[s in 0..S] = flip(C(flip(x, s)), s)
  out concat s in 0..S: d[s]
}}
cell Dense(I, O) {{
  in    x : [I]
  param W : [O, I] ~ uniform(1/sqrt(I))
  y = W @ x
  out y
}}
fn cross_entropy(z : [K], y : id(K)) = logsumexp(z) − z[y]
model Digits(H = 2, K = 3) {{
  in image : grid<r, c> of [1]
  in digit : id(K)
  z = Directions(MDLSTM(_, H, bias_f = -1))(image)
  p = mean i in 1..r, j in 1..c: z[i, j]
  y = Dense(_, K)(p)
  out  y, z
  loss cross_entropy(y, digit)
}}
"
    );
    let m = model(&text, "Digits");
    let inputs = Inputs::drawn(&m.graph, 2, &[("r", 2), ("c", 3)]);
    let out = inputs.run(&m.graph);
    assert_eq!((out["y"].shape(), out["z"].shape()), (&[2, 3][..], &[2, 3, 2, 8][..]));
    assert_eq!(out["loss"].shape(), [2]);
    // The third scan runs from the last row: turned round it is that of the turned image.
    let one = graph(&text, "MDLSTM(1, 2, D = 2)");
    let image = inputs.get("image");
    let mut turned = image.clone();
    turned.invert_axis(ndarray::Axis(1));
    let mut own = Inputs::new(2).array("x", turned.as_standard_layout().to_owned());
    for s in &one.sources {
        if let Some(array) = inputs.0.arrays.get(&format!("z.d2.{}", s.name)) {
            own = own.array(&s.name, array.clone());
        }
    }
    let h = &own.run(&one)["h"];
    for (i, j) in (0..2).flat_map(|i| (0..3).map(move |j| (i, j))) {
        assert!((h[[i, 2 - j, 1, 1]] - out["z"][[i, j, 1, 5]]).abs() < 1e-9);
        assert!((out["y"][[1, 0]]).is_finite());
    }
}

#[test]
fn functions_of_whole_grids_and_sequences() {
    let text = "
layer All(x : grid<r, c> of []) {
  out t = transpose(x, 1, 2), f = flatten(x), v = flip(x, 3)
}
layer Rows(x : grid<r, c> of []) { h = Sum(x); out h }
cell Sum { in x : []; state h : [] = 0; h = x + h[t-1]; out h }
layer Long(x : seq<n> of [], y : seq<m> of []) {
  out p = pad(x, 1, 2), a = append(x, y), w = windows(x, 2, 1), r = repeat(3, m), l = last(append(x, y))
}
";
    let x = array(&[2, 3, 1], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let of = |a: &Array| a.iter().copied().collect::<Vec<_>>();
    let out = Inputs::new(1).array("x", x.clone()).run(&graph(text, "All"));
    assert_eq!((out["t"].shape(), of(&out["t"])), (&[3, 2, 1][..], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    assert_eq!(of(&out["f"]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(of(&out["v"]), [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    // Of more axes than the cell has, the last is scanned.
    let out = Inputs::new(1).array("x", x).run(&graph(text, "Rows"));
    assert_eq!(of(&out["h"]), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
    let (x, y) = (array(&[3, 1], &[1.0, 2.0, 3.0]), array(&[2, 1], &[8.0, 9.0]));
    let out = Inputs::new(1).array("x", x).array("y", y).run(&graph(text, "Long"));
    assert_eq!(of(&out["p"]), [0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
    assert_eq!(of(&out["a"]), [1.0, 2.0, 3.0, 8.0, 9.0]);
    assert_eq!(of(&out["w"]), [1.0, 2.0, 2.0, 3.0]);
    assert_eq!((of(&out["r"]), of(&out["l"])), (vec![3.0, 3.0], vec![9.0]));
}

#[test]
fn regions_of_a_grid_and_neighbours() {
    let text = "
cell LGLSTM(E, memory : local | travel = local, out : inside | outside = inside,
            pool : depth | mean = depth) over grid(i in 1..Y, j in 1..X) {
  in    hs[n in 1..8], ms[n in 1..8], he, me : [E]
  dim   dy = [-1, -1, -1, 0, 0, 1, 1, 1], dx = [-1, 0, 1, -1, 1, -1, 0, 1]
  param W_{u f o c}_s[n in 1..8], W_{u f o c}_e : [E, 18*E] ~ uniform(1/sqrt(E))
  param b_{u o c}_s[n in 1..8],   b_{u o c}_e   : [E] = 0
  param b_f_s[n in 1..8],         b_f_e         : [E] = 1
  q = if pool == depth then he else (he + ∑ n in 1..8: hs[n]) / 9
  G = concat a in 1..3, b in 1..3:
        max r in (a−1)*Y div 3 + 1 .. a*Y div 3, k in (b−1)*X div 3 + 1 .. b*X div 3: q[r, k]
  S = concat n in 1..8: hs[n][i + dy[n], j + dx[n]]
  Z = G ++ S ++ he
  {u f o}_s[n in 1..8] = σ(W_{u f o}_s[n] @ Z + b_{u f o}_s[n])
  g_s[n in 1..8] = tanh(W_c_s[n] @ Z + b_c_s[n])
  m_s[n in 1..8] = f_s[n] ⊙ (if memory == travel then ms[n][i + dy[n], j + dx[n]] else ms[n]) + u_s[n] ⊙ g_s[n]
  h_s[n in 1..8] = if out == inside then tanh(o_s[n] ⊙ m_s[n]) else o_s[n] ⊙ tanh(m_s[n])
  {u f o}_e = σ(W_{u f o}_e @ Z + b_{u f o}_e)
  g_e = tanh(W_c_e @ Z + b_c_e)
  m_e = f_e ⊙ me + u_e ⊙ g_e
  h_e = if out == inside then tanh(o_e ⊙ m_e) else o_e ⊙ tanh(m_e)
  out he = h_e, me = m_e, hs = h_s, ms = m_s
}
cell LGTransition(D, E) {
  in    F : [D]
  param T_s[n in 1..8], T_e : [E, D] ~ uniform(1/sqrt(D))
  hs'[n in 1..8] = T_s[n] @ F
  ms'[n in 1..8] = zeros(E)
  out he = T_e @ F, me = zeros(E), hs = hs', ms = ms'
}
layer LGNet(D, E, L)(F : grid<r, c> of [D]) {
  l[k in 0..L] = if k == 0 then LGTransition(D, E)(F) else LGLSTM(E)(l[k-1])
  out l[L].he ++ concat n in 1..8: l[L].hs[n]
}
cell Regions over grid(i in 1..Y, j in 1..X) {
  in q : []
  out concat a in 1..3, b in 1..3:
        max r in (a−1)*Y div 3 + 1 .. a*Y div 3, k in (b−1)*X div 3 + 1 .. b*X div 3: q[r, k]
}
";
    graph(text, "LGLSTM(2, memory = travel, pool = mean)");
    let net = graph(text, "LGNet(2, 1, 2)");
    let out = Inputs::drawn(&net, 1, &[("r", 3), ("c", 4)]).run(&net);
    assert_eq!(out["out"].shape(), [3, 4, 1, 9]);
    // Regions of one point for 3 × 3; of the smaller example's own size in a batch.
    let q: Vec<f64> = (0..24).map(|v| ((v * 7) % 24) as f64).collect();
    let both = Inputs::new(2).array("q", array(&[4, 3, 2], &q)).lengths("Y", &[4, 3]).lengths("X", &[3, 3]);
    let out = &both.run(&graph(text, "Regions"))["out"];
    let at = |i: usize, j: usize, b: usize| q[(i * 3 + j) * 2 + b];
    for (k, (i, j)) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))).enumerate() {
        // The same at all points, so there is one for each example.
        assert_eq!(out[[1, k]], at(i, j, 1));
        let rows = [0..1, 1..2, 2..4][i].clone();
        let most = rows.map(|r| at(r, j, 0)).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(out[[0, k]], most);
    }
}

/// Two sequences span a grid: each input is over an axis of it.
#[test]
fn inputs_over_some_of_the_axes() {
    let text = "
cell Align over grid(i, j) {
  in a : [] over i
  in b : [] over j
  state d : [] = 0
  d = (a − b)^2 + min(d[i-1, j], d[i, j-1])
  out d
}
layer Warp(x : seq<n> of [], y : seq<m> of []) = Align(x, y)
layer Own(x : seq<n> of []) = Align(x, x)
";
    let (x, y) = ([1.0, 2.0], [3.0, 5.0, 9.0]);
    let given = || Inputs::new(1).array("x", array(&[2, 1], &x)).array("y", array(&[3, 1], &y));
    let d = &given().run(&graph(text, "Warp"))["out"];
    let mut want = [[0.0f64; 4]; 3];
    for i in 1..3 {
        for j in 1..4 {
            want[i][j] = (x[i - 1] - y[j - 1]) * (x[i - 1] - y[j - 1]) + want[i - 1][j].min(want[i][j - 1]);
            assert_eq!(d[[i - 1, j - 1, 0]], want[i][j]);
        }
    }
    let own = &given().run(&graph(text, "Own"))["out"];
    assert_eq!(own.shape(), [2, 2, 1]);
    assert_eq!(own[[0, 1, 0]], 1.0);
}

// What is refused, and what has an order.

#[test]
fn orders_across_axes() {
    let text = "
cell Slant over grid(i, j) { in x : []; state h : [] = 0; h = x + h[i-1, j+1] + h[i, j-1]; out h }
cell Skew over grid(i, j) { in x : []; state h : [] = 0; h = x + h[i-1, j+1] + h[i+1, j-2]; out h }
cell Both over grid(i, j) { in x : []; state h : [] = 0; h = x + h[i-1, j] + h[i+1, j]; out h }
cell UpDown over tree(left, right) {
  in x : []
  state u, d : [] = 0
  u = x + u[left] + u[right]
  d = u + d[next left] + d[next right]
  out d
}
cell Round over tree(left, right) {
  in x : []
  state h : [] = 0
  h = x + h[left] + h[next right]
  out h
}
cell Feedback(N) {
  in  v : [N]
  state y : [] = 0
  s = Acc(windows(v * y[t-1], 1, 1))
  y = s.h_last
  out y
}
cell Acc { in x : [A]; state h : [] = 0; h = norm(x) + h[t-1]; out h }
cell Early over chain(t in 1..N) { in x : []; state h : [] = 0; h = x + h[t-1] + ∑ s in 1..N: h[s]; out h }
";
    graph(text, "Slant");
    graph(text, "Skew");
    graph(text, "UpDown");
    graph(text, "Feedback(2)");
    assert_eq!(refusal(text, "Both").0, "E0404");
    assert_eq!(refusal(text, "Round").0, "E0404");
    assert_eq!(refusal(text, "Early").0, "E0405");
}

#[test]
fn mistakes_with_axes_are_told() {
    let cases = [
        ("cell A { in x : []; state h : [] = 0; h = x + h[left]; out h }", "E0413", "no edge `left`"),
        (
            "cell A over grid(i, j) { in x : []; state h : [] = 0; h = x + h[i-1]; out h }",
            "E0427",
            "wants 2 indices",
        ),
        (
            "cell A over grid(i, j) { in x : []; state h : [] = 0; h = x + h[j-1, i]; out h }",
            "E0427",
            "wants 2",
        ),
        (
            "cell A over grid(i, i) { in x : []; state h : [] = 0; h = x + h[prev i]; out h }",
            "E0413",
            "two axes",
        ),
        (
            "cell A over tree(left, right) { in x : []; state h : [] = 0; h = x + h[prev up]; out h }",
            "E0413",
            "no edge `up`",
        ),
        (
            "cell A over tree(K..) { in x : []; param U[l in 1..3] : [] = 0; state h : [] = 0; h = x + ∑ k ∈ K: U[k] * h[prev k]; out h }",
            "E0253",
            "cannot say which member",
        ),
        (
            "cell A over grid(D..) { in x : []; param U[d in D, e in D] : [] = 0; y = ∑ d ∈ D: U[d]; out y }",
            "E0251",
            "2 indices, 1 given",
        ),
        ("layer A(x : seq<n> of [], y : seq<m> of []) = x + y", "E0415", "n and m"),
        ("layer A(x : seq<n> of [], y : seq<m> of []) = x ++ reverse(y)", "E0415", "n and m"),
        (
            "cell A { in x : []; mem q : seq<M> of []; y = x + q; state h : [] = 0; h = y + h[t-1]; out h }",
            "E0429",
            "whole sequence",
        ),
        ("cell A { in x : []; at leaf { x = 1 }; out x }", "E0214", "no such side"),
        (
            "cell A over grid(i, j) { in x : []; state h : [] = 0; h = x + h[prev i]; at k = 0 { h = 1 }; out h }",
            "E0214",
            "no such side",
        ),
        ("cell A { in x : []; y = max k in 1..0: x; out y }", "E0316", "no element"),
        ("layer A(x : seq<n> of []) = root(x)", "E0416", "another kind"),
        (
            "layer A(x : seq<n> of []) = B(x)\ncell B over tree(left, right) { in x : []; state h : [] = 0; h = x + h[left]; out h }",
            "E0425",
            "over a tree",
        ),
        ("cell A over grid(i, j) { in x : [] over k; out x }", "E0426", "no axis `k`"),
        (
            "cell A over tree(left, right) { in x : []; state h : [] = 0; h = x + h[t-1]; out h }",
            "E0426",
            "no axis `t`",
        ),
        ("cell A { state h : [] over t = 0; h = 1; out h }", "E0215", "`in`"),
    ];
    for (text, code, part) in cases {
        let (found, message) = refusal(text, "A");
        assert!(found == code && message.contains(part), "{text}\n{found}: {message}");
    }
}
