//! The text of every stage for small cells, on machines that are named: the same on whatever computer.

use crate::support::cli::Place;

/// A product within a product's step: the second waits for what the first decides.
const RESET: &str = "cell Reset(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W_{r n} : [H, I] ~ uniform(1/sqrt(H))
  param U_{r n} : [H, H] ~ uniform(1/sqrt(H))
  r = σ(W_r @ x + U_r @ h[t-1])
  n = tanh(W_n @ x + U_n @ (r ⊙ h[t-1]))
  h = h[t-1] + 0.5 * n
  out h
}
";

/// An indexed family, an option that chooses an equation, and one that chooses where a state begins.
const TOWER: &str = "cell Tower(H, top : sum | last = last, start : zero | learnt = zero) {
  in    x : [H]
  state s[l in 1..2] : [H]
  param q : [H] = 0.1
  param k_{a b} : [H] = 0.5
  at t = 0 { s[l in 1..2] = if start == learnt then q else zeros(H) }
  s[l in 1..2] = k_a ⊙ s[l][t-1] + (if l == 1 then x else k_b ⊙ s[l-1])
  out y = if top == sum then s[1] + s[2] else s[2]
}
";

/// One kernel of one vector a row.
const LEAK: &str = "cell Leak(H) {
  in    x : [H]
  state h : [H] = 0
  param k : [H] = 0.5
  h = k ⊙ h[t-1] + x
  out h
}
";

/// An elementary function, and rows that no vector divides.
const SQUASH: &str = "cell Squash(H) { in x : [H]; out exp(x) }
";

/// `rnnc COMMAND… file --cell RECIPE`, on standard output.
fn text(cell: &str, recipe: &str, command: &[&str]) -> String {
    let place = Place::new();
    place.write("cell.rnn", cell);
    place.good(&[command, &["cell.rnn", "--cell", recipe]].concat()).out
}

macro_rules! snapshots {
    ($($name:ident: $cell:expr, $recipe:literal, $($word:literal)*;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), text($cell, $recipe, &[$($word),*]), concat!($($word, " ",)* $recipe));
        })*
    };
}

snapshots! {
    reset_ast: RESET, "Reset(2, 3)", "show" "--stage" "ast";
    reset_eqn: RESET, "Reset(I, H)", "show" "--stage" "eqn";
    reset_grad: RESET, "Reset(I, H)", "show" "--stage" "grad";
    reset_adjoint: RESET, "Reset(I, H)", "grad";
    reset_latex: RESET, "Reset(I, H)", "grad" "--latex";
    reset_schedule: RESET, "Reset(2, 3)", "show" "--stage" "schedule";
    reset_schedule_joint: RESET, "Reset(2, 3)", "show" "--stage" "schedule" "--grad";
    reset_loops: RESET, "Reset(2, 3)", "show" "--stage" "loops";
    reset_loops_joint: RESET, "Reset(2, 3)", "show" "--stage" "loops" "--grad";

    tower_ast: TOWER, "Tower(2)", "show" "--stage" "ast";
    tower_eqn: TOWER, "Tower(2)", "show" "--stage" "eqn";
    tower_options_eqn: TOWER, "Tower(2, top = sum, start = learnt)", "show" "--stage" "eqn";
    tower_options_adjoint: TOWER, "Tower(2, top = sum, start = learnt)", "grad";
    tower_options_loops: TOWER, "Tower(2, top = sum, start = learnt)", "show" "--stage" "loops";

    leak_clif: LEAK, "Leak(4)", "show" "--stage" "clif" "--target" "x86_64-avx2";
    leak_clif_without_fma: LEAK, "Leak(4)", "show" "--stage" "clif" "--target" "x86_64";
    leak_clif_joint: LEAK, "Leak(4)", "show" "--stage" "clif" "--grad" "--target" "x86_64-avx2";
    leak_asm: LEAK, "Leak(4)", "show" "--stage" "asm" "--target" "x86_64-avx2";
    leak_asm_aarch64: LEAK, "Leak(4)", "show" "--stage" "asm" "--target" "aarch64";
    leak_clif_wide: LEAK, "Leak(20)", "show" "--stage" "clif" "--target" "x86_64-avx512";
    leak_asm_wide: LEAK, "Leak(20)", "show" "--stage" "asm" "--target" "x86_64-avx512";
    squash_clif: SQUASH, "Squash(5)", "show" "--stage" "clif" "--target" "aarch64";
    squash_asm: SQUASH, "Squash(5)", "show" "--stage" "asm" "--target" "x86_64-avx2";
}
