//! What a schedule says of recurrences: what each is made of, why its points come in their order, what it waits for.

use crate::support::domains;

use crate::support::domains::graph;
use rnnc::eqn::Graph;
use rnnc::grad::{Options, differentiate};
use rnnc::loops::{Program, Stage};
use rnnc::schedule::{explain, schedule};
use rnnc::simplify::simplify;

const CELLS: &str = "
cell Skewed(H) over grid(y, x) {
  in    v : [H]
  state h : [H] = 0
  param U_{a b} : [H, H] ~ uniform(1)
  h = tanh(v + U_a @ h[y-1, x+1] + U_b @ h[y, x-1])
  out h
}
## Each row is read from both ends, with what the other reading found in the row above.
cell Rows(H) over grid(y, x) {
  in    v : [H]
  state h, g : [H] = 0
  param U_{a b} : [H, H] ~ uniform(1)
  h = tanh(v + U_a @ h[y, x-1] + g[y-1, x])
  g = tanh(v + U_b @ g[y, x+1] + h[y-1, x])
  out h, g
}
cell Decay(I, H) {
  in    x : [I]
  state s : [H] = 0
  param W_{a b c} : [H, I] ~ uniform(1)
  a = σ(W_a @ x)
  c = W_c @ x
  s = (if c > 0 then a else c) ⊙ (s[t-1] / (1 + a)) − a ⊙ (W_b @ x − 2 * s[t-1])
  out y = tanh(s)
}
cell Shared(I, H) {
  in    x : [I]
  state s : [H] = 0
  param W, U : [H, H] ~ uniform(1)
  s = U @ s[t-1] + x
  out s
}
cell Peeping(I, H) {
  in    x : [I]
  state s : [H] = 0
  param W : [H, I] ~ uniform(1)
  param v : [H] = 1
  f = σ(W @ x + v ⊙ s[t-1])
  s = f ⊙ s[t-1] + x
  out s
}
cell Decays(H) over grid(y, x) {
  in    v : [H]
  state s : [H] = 0
  param a, b : [H] = 0.5
  s = a ⊙ s[prev y] + b ⊙ s[prev x] + v
  out s
}
";

fn scheduled(graph: &Graph) -> (Graph, Program) {
    let graph = simplify(graph);
    let program = schedule(&graph).unwrap_or_else(|e| panic!("{}", e[0].message));
    (graph, program)
}

/// The part that is about recurrences.
fn told(graph: &Graph) -> String {
    let (graph, program) = scheduled(graph);
    let text = explain(&graph, &program);
    let end = ["when parameters change\n", "each run\n"].iter().filter_map(|head| text.find(head)).min();
    text[..end.expect("stages")].to_string()
}

fn joint(graph: &Graph) -> Graph {
    differentiate(graph, &Options::default()).unwrap_or_else(|e| panic!("{}", e[0].message))
}

macro_rules! snapshots {
    ($($name:ident: $recipe:literal;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), told(&graph(CELLS, $recipe)), $recipe);
        })*
    };
}

snapshots! {
    a_grid: "MDLSTM(3, 4)";
    a_skewed_grid: "Skewed(3)";
    scans_within_rows: "Rows(3)";
    depth_as_an_axis: "GridLSTM(2, 3, 2)";
    a_tree: "TreeLSTM(3, 4)";
    a_tree_of_named_edges: "SLSTM(3, 4)";
    attention_within_steps: "MatchLSTM(3, 4)";
    two_directions: "BRNN(3, 4, 2)";
    a_stack: "Stack(2, LSTM(3, 3))";
}

#[test]
fn adjoints_come_behind_what_they_read() {
    insta::assert_snapshot!("a_tree_with_its_adjoint", told(&joint(&graph(CELLS, "TreeLSTM(3, 4)"))));
}

/// All stages that loops have, loops within them too.
fn in_loops<'a>(stages: &'a [Stage], inside: bool, found: &mut Vec<&'a Stage>) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => in_loops(body, true, found),
            stage if inside => found.push(stage),
            _ => {}
        }
    }
}

const LINEAR: &str = "linear in its state with a diagonal factor: can be a scan";

/// Whatever is linear with a diagonal factor has no product left in a loop, and so has its adjoint.
#[test]
fn products_leave_the_loops_of_diagonal_recurrences() {
    let cells = ["MinGRU(3, 4)", "MinLSTM(3, 4)", "QRNN(3, 4)", "Decay(3, 4)"];
    for recipe in cells {
        let forward = graph(CELLS, recipe);
        for graph in [joint(&forward), forward] {
            let text = told(&graph);
            let recurrences = text.matches("\nrecurrence ").count();
            assert_eq!(text.matches(LINEAR).count(), recurrences, "{recipe}: {text}");
            let (_, program) = scheduled(&graph);
            let mut found = Vec::new();
            in_loops(&program.stages, false, &mut found);
            assert!(!found.is_empty());
            let elementwise = |s: &&Stage| matches!(s, Stage::Map { .. } | Stage::Mask { .. });
            assert!(found.iter().all(elementwise), "{recipe}: {found:?}");
        }
    }
}

#[test]
fn what_is_not_linear_is_not_called_so() {
    for recipe in ["LSTM(3, 4)", "Peeping(4, 4)", "IndRNN(3, 4)", "MDLSTM(3, 4)", "TreeLSTM(3, 4)"] {
        assert!(!told(&graph(CELLS, recipe)).contains("linear in its state"), "{recipe}");
    }
    assert!(told(&graph(CELLS, "Shared(4, 4)")).contains("linear in its state, whose components it mixes\n"));
    let grid = told(&graph(CELLS, "Decays(3)"));
    assert!(grid.contains("linear in its state with diagonal factors: all products are lifted"), "{grid}");
}

#[test]
fn rows_with_scans_from_both_ends_are_loops_in_a_loop() {
    let inputs = |g: &Graph| domains::Inputs::drawn(g, 2, &[("n_y", 3), ("n_x", 4)]);
    let rows = graph(CELLS, "Rows(3)");
    // Held against the interpreter, with the gradient.
    inputs(&rows).run(&rows);
    let (_, program) = scheduled(&rows);
    let text = rnnc::loops::print::print(&program);
    assert_eq!(text.matches("    for ").count(), 2, "{text}");
}
