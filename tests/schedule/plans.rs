//! Cells of many kinds, forward and backward, ragged and not: the scheduled program does what the reference
//! interpreter does, and has the stages that were meant.

use crate::support::schedule::{batch, compare, joint, model, recipe};
use ndarray::{ArrayD, IxDyn};
use rnnc::eqn::Graph;
use rnnc::eqn::eval::Batch;
use rnnc::loops::{Program, Stage};
use rnnc::schedule::schedule;

const CELLS: &str = r#"
cell Plain(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param U : [H, H] ~ uniform(1/sqrt(H))
  param b : [H] = 0
  h = tanh(W @ x + U @ h[t-1] + b)
  out h
}
cell Gated(I, H) {
  in    x : [I]
  state h, c : [H] = 0
  param W_{f i r o} : [H, I] ~ uniform(1/sqrt(H))
  param U_{f i r o} : [H, H] ~ uniform(1/sqrt(H))
  param b_{f i r o} : [H] = 0
  f = σ(W_f @ x + U_f @ h[t-1] + b_f)
  i = σ(W_i @ x + U_i @ h[t-1] + b_i)
  r = tanh(W_r @ x + U_r @ h[t-1] + b_r)
  o = σ(W_o @ x + U_o @ h[t-1] + b_o)
  c = f ⊙ c[t-1] + i ⊙ r
  h = o ⊙ tanh(c)
  out h
}
cell Reset(I, H, reset : before | after = before) {
  in    x : [I]
  state h : [H] = 0
  param W_{z r n} : [H, I] ~ uniform(1/sqrt(H))
  param U_{z r n} : [H, H] ~ uniform(1/sqrt(H))
  param b_{z r n} : [H] = 0
  {z r} = σ(W_{z r} @ x + U_{z r} @ h[t-1] + b_{z r})
  n = tanh(W_n @ x + b_n + (if reset == before then U_n @ (r ⊙ h[t-1]) else r ⊙ (U_n @ h[t-1])))
  h = (1 − z) ⊙ n + z ⊙ h[t-1]
  out h
}
cell Factored(I, H, F) {
  in    x : [I]
  state h : [H] = 0
  param A : [F, I] ~ uniform(1/sqrt(H))
  param B : [F, H] ~ uniform(1/sqrt(H))
  param W_{h g} : [H, I] ~ uniform(1/sqrt(H))
  param M_{h g} : [H, F] ~ uniform(1/sqrt(H))
  m = (A @ x) ⊙ (B @ h[t-1])
  g = σ(W_g @ x + M_g @ m)
  h = g ⊙ tanh(W_h @ x + M_h @ m)
  out h
}
cell Two(I, H) {
  in    x : [I]
  state h : [H] = 0.5
  param W : [H, I] ~ uniform(1/sqrt(H))
  param U, V : [H, H] ~ uniform(1/sqrt(H))
  h = tanh(W @ x + W @ x[t-1] + U @ h[t-1] + V @ h[t-2])
  out h
}
cell Ahead(I, H) {
  in    x : [I]
  state h : [H] = 0.5
  param W : [H, I] ~ uniform(1/sqrt(H))
  param U, V : [H, H] ~ uniform(1/sqrt(H))
  h = tanh(W @ x[t+1] + U @ h[t+1] + V @ h[t+2])
  out h
}
cell Packed(I, H) {
  in    x : [I]
  state h, c : [H] = 0
  param W : [3*H, I + H] ~ uniform(1/sqrt(H))
  param b : [3*H] = 0
  f, i, r = split(W @ (x ++ h[t-1]) + b)
  c = σ(f) ⊙ c[t-1] + σ(i) ⊙ tanh(r)
  h = tanh(c)
  out h
}
cell Normed(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param U : [H, H] ~ uniform(1/sqrt(H))
  param g, s : [H] = 1
  a = W @ x + U @ h[t-1]
  μ = mean k in H: a[k]
  d = a − μ
  v = mean k in H: d[k]²
  h = tanh(g ⊙ d / sqrt(v + 1e-5) + s)
  out h
}
cell Memory(I, H) {
  in    x : [I]
  state S : [H, H] = 0
  param K, V, Q : [H, I] ~ uniform(1/sqrt(H))
  param d : [H] = 0.5
  S = (σ(d) · (Q @ x)) * S[t-1] + 0.3 * outer(V @ x, K @ x)
  y = S @ (Q @ x)
  out y
}
cell Trained(I, H) {
  in    x : [I]
  state h : [H]
  param U : [H, H] ~ uniform(1/sqrt(H))
  param W : [H, I] ~ uniform(1/sqrt(H))
  param q : [H] ~ uniform(1)
  at t = 0 { h = tanh(q) }
  h = tanh(x @ Wᵀ + h[t-1] @ U)
  out h
}
cell Row(H) {
  in    x : [H]
  out softmax(x) + x / (1 + (max k in H: abs(x[k])))
}
cell Down(lr : real = 0.1) over chain(k) {
  in    g : [..]
  state w : [..]
  state m, v : [..] = 0
  m = 0.9 * m[k-1] + 0.1 * g
  v = 0.99 * v[k-1] + 0.01 * g²
  w = w[k-1] − lr * (m / (1 − 0.9^k)) / (sqrt(v / (1 − 0.99^k)) + 1e-8)
  out w
}
layer Twice(C : cell)(x) {
  out C(C(x))
}
layer Both(C : cell)(x : seq<n>) {
  fw = C(x)
  bw = reverse(C(reverse(x)))
  out fw ++ bw
}
model Words(V = 5, E = 3, H = 4) {
  in  text : seq<n> of id(V)
  e = Embed(V, E)(text)
  s = Gated(E, H)(shift(e, 1))
  y = Dense(H, V)(s)
  out y
  loss cross_entropy(y, text)
  metric accuracy(y, text)
}
"#;

const SIZES: &[(&str, i64)] = &[("I", 3), ("H", 4), ("F", 5)];

fn check_graph(graph: &Graph, what: &str) {
    for (kind, graph) in [("forward", rnnc::simplify::simplify(graph)), ("joint", joint(graph))] {
        for lengths in [&[4, 4][..], &[5, 0, 3], &[1]] {
            let batch = batch(&graph, lengths, 7);
            if let Err(e) = compare(&graph, &batch, 2e-4) {
                let program = schedule(&graph).map(|p| rnnc::loops::print::print(&p)).unwrap_or_default();
                panic!(
                    "{what}, {kind}, lengths {lengths:?}: {e}\n{}\n{program}",
                    rnnc::eqn::print::print(&graph)
                );
            }
        }
    }
}

fn check(text: &str) {
    check_graph(&recipe(CELLS, text, SIZES), text);
}

#[test]
fn gated() {
    check("Gated(I, H)");
}

#[test]
fn reset_before_and_after() {
    check("Reset(I, H)");
    check("Reset(I, H, reset = after)");
}

#[test]
fn products_of_what_a_step_makes() {
    check("Factored(I, H, F)");
}

#[test]
fn two_steps_back() {
    check("Two(I, H)");
}

#[test]
fn from_the_end() {
    check("Ahead(I, H)");
}

#[test]
fn one_matrix_for_all_gates() {
    check("Packed(I, H)");
}

#[test]
fn normalised() {
    check("Normed(I, H)");
}

#[test]
fn a_matrix_as_state() {
    check("Memory(I, H)");
}

#[test]
fn trained_initial_state_and_vectors_on_the_left() {
    check("Trained(I, H)");
}

#[test]
fn no_recurrence() {
    check("Row(H)");
}

#[test]
fn stacked() {
    check("Twice(Gated(_, H))");
}

#[test]
fn both_directions() {
    check("Both(Gated(I, H))");
}

#[test]
fn a_model_with_its_loss() {
    check_graph(&model(CELLS, "Words", &[]), "Words");
}

#[test]
fn an_optimiser() {
    let graph = recipe(CELLS, "Down(lr = 0.1)", &[("N", 3)]);
    let batch = batch(&graph, &[6], 3);
    compare(&rnnc::simplify::simplify(&graph), &batch, 1e-4).unwrap();
}

fn program(text: &str, backward: bool) -> Program {
    let graph = recipe(CELLS, text, &[("I", 8), ("H", 16)]);
    let graph = if backward { joint(&graph) } else { rnnc::simplify::simplify(&graph) };
    schedule(&graph).unwrap()
}

/// Stages in order, as letters: P product, K kernel, O outer product, others left out; loops in brackets.
fn outline(stages: &[Stage]) -> String {
    let mut text = String::new();
    for s in stages {
        match s {
            Stage::Loop { body, .. } => text += &format!("[{}]", outline(body)),
            Stage::Product { .. } => text.push('P'),
            Stage::Map { .. } => text.push('K'),
            Stage::Outer { .. } => text.push('O'),
            _ => {}
        }
    }
    text
}

#[test]
fn gated_cell_has_one_product_and_one_kernel_a_step() {
    assert_eq!(outline(&program("Gated(I, H)", false).stages), "P[PK]");
    let p = program("Gated(I, H)", true);
    // Four sums of rows and two gradients.
    assert_eq!(outline(&p.stages), "P[PK][PK]POOOOOOPK");
}

#[test]
fn a_small_cell_as_text() {
    let graph = rnnc::simplify::simplify(&recipe(CELLS, "Plain(I, H)", &[("I", 2), ("H", 3)]));
    insta::assert_snapshot!("plain_loops", rnnc::loops::print::print(&schedule(&graph).unwrap()));
}

#[test]
fn a_schedule_in_words() {
    let graph = joint(&recipe(CELLS, "Reset(I, H)", &[("I", 8), ("H", 16)]));
    let program = schedule(&graph).unwrap();
    insta::assert_snapshot!("reset_explained", rnnc::schedule::explain(&graph, &program));
}

fn refused(text: &str) -> String {
    let graph = rnnc::eqn::parse::parse(text).unwrap_or_else(|e| panic!("{}", e.message));
    schedule(&graph).expect_err("cannot be scheduled")[0].code.to_string()
}

#[test]
fn what_cannot_be_done_is_refused() {
    let both = "domain n : t\nsource x : [] over n = input\nsource h0 : [] each = initial h default 0.0\n\
                state h : [] over n = h init h0\nx : [] over n = source(x)\nh0 : [] each = source(h0)\n\
                %2 : [] over n = lag(h, -1)\n%3 : [] over n = lag(h, 1)\n%4 : [] over n = add(%2, %3)\n\
                h : [] over n = add(%4, x)\nout h = h\n";
    assert_eq!(refused(both), "E0612");
    let whole = both.replace("lag(h, 1)", "remap(%2, n to n start 1*n + 1 step -1)");
    assert_eq!(refused(&whole), "E0613");
    assert_eq!(refused("source x : [H] each = input\nx : [H] each = source(x)\nout x = x\n"), "E0611");
    assert_eq!(
        refused("source x : [65536, 65536] each = input\nx : [65536, 65536] each = source(x)\nout x = x\n"),
        "E0614"
    );
}

#[test]
fn damaged_programs_are_noticed() {
    let sound = program("Gated(I, H)", true);
    assert_eq!(rnnc::loops::verify::verify(&sound), Ok(()));
    for drop in 0..sound.stages.len() {
        // Masks and sums change columns that hold something already.
        let only_adds = |k: &rnnc::loops::Kernel| {
            let mut effects = k.nests.iter().flat_map(|n| &n.effects);
            effects.all(|e| matches!(e, rnnc::loops::Effect::Add { .. }))
        };
        match &sound.stages[drop] {
            Stage::Mask { .. } => continue,
            Stage::Map { kernel, .. } if only_adds(&sound.kernels[kernel.index()]) => continue,
            _ => {}
        }
        let mut damaged = sound.clone();
        damaged.stages.remove(drop);
        let found = rnnc::loops::verify::verify(&damaged);
        assert!(found.is_err(), "without {:?}", sound.stages[drop]);
    }
    let mut damaged = sound.clone();
    damaged.buffers[0].width -= 1;
    assert!(rnnc::loops::verify::verify(&damaged).is_err());
}

/// A product of a product: the second waits for the first, and the loop for both.
#[test]
fn a_product_of_a_product_is_lifted_before_the_loop() {
    let text = "domain n : t
source x : [2] over n = input
source w : [2, 2] shared = param = 0.0
source u : [2, 2] shared = param = 0.0
state h : [2] over n = h init zeros
z : [] shared = const(0.0)
zeros : [2] shared = spread(z)
x : [2] over n = source(x)
w : [2, 2] shared = source(w)
u : [2, 2] shared = source(u)
y : [2] over n = matmul(w, x)
uy : [2] over n = matmul(u, y)
old : [2] over n = lag(h, -1)
vo : [2] over n = matmul(w, old)
s : [2] over n = add(uy, vo)
h : [2] over n = tanh(s)
out h = h
";
    let mut batch = Batch { size: 1, ..Batch::default() };
    for (name, shape) in [("x", &[3, 1, 2][..]), ("w", &[2, 2]), ("u", &[2, 2])] {
        let values = ArrayD::from_shape_fn(IxDyn(shape), |i| 0.1 + 0.3 * i[0] as f64 - 0.2 * i[1] as f64);
        batch.arrays.insert(name.into(), values);
    }
    compare(&rnnc::eqn::parse::parse(text).unwrap(), &batch, 1e-6).unwrap();
}
