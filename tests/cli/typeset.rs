//! Formulas of every construct of the language, in LaTeX and in MathML; what flows where, as Graphviz text.

use crate::support::cli::Place;
use rnnc::source::Sources;
use rnnc::syntax;
use rnnc::typeset::{Notation, latex, mathml};

fn math(text: &str) -> rnnc::typeset::Math {
    let mut sources = Sources::default();
    let file = sources.add("<formula>", text);
    let e = syntax::parse_expr(&sources, file).unwrap_or_else(|e| panic!("{text}: {}", e[0].message));
    let notation = Notation {
        over: [("h".to_string(), "t".to_string())].into(),
        chains: ["t".to_string()].into(),
        ..Notation::default()
    };
    notation.expr(&e)
}

/// Each operator, place, mark and fold of the language.
const ALL: [&str; 48] = [
    "a + b − c",
    "a − (b − c)",
    "a ⊙ b / c",
    "2 * a * b",
    "W @ x @ y",
    "r ⊙ U @ h[t-1]",
    "(a + b) @ c",
    "a mod b",
    "a div b",
    "a ++ b ++ c",
    "−a^2 + b²",
    "(a + b)^(k − 1)",
    "x^2^3",
    "Wᵀ @ d",
    "(A @ B)ᵀ",
    "a < b and b ≤ c or not d",
    "a == b",
    "a ≠ b",
    "a >= b and c > d",
    "if a > 0 then b else if c then d else 0",
    "2 * (if c then a else b)",
    "∑ d ∈ D: f[d] ⊙ c[prev d]",
    "∑ k in 1..n: α[k] * keys[k]",
    "∏ k ∈ n: a[k]",
    "max k in n: a[k]",
    "min k in n: a[k]",
    "mean k in n: (a[k] − μ)²",
    "concat k ∈ axes: h[k][prev k]",
    "sum k in n where k > 1: a[k]",
    "h[t-1] + h[prev t] + h[next t] + h",
    "c[left] + c[next left]",
    "v[t, y+1, x-1]",
    "z[2..n]",
    "W_f[d, e]",
    "table[w]",
    "σ(x) + tanh(y) + exp(z)",
    "log_sigmoid(x) + relu(y)",
    "sqrt(v + 1e-8)",
    "abs(x) + norm(y) + floor(z)",
    "outer(a, b + c)",
    "LN(a, g, s, eps = 2.5e-3)",
    "C(x, h0 = a, prev h = b)",
    "m.h + m.l1.c[t-1]",
    "x |> F(s)",
    "[[1, 2], [3, 4]]",
    "h̃ + ĥ_f + x̄ + μ' + β1",
    "inf + pi",
    "\"text\"",
];

#[test]
fn every_construct_in_latex() {
    let lines: Vec<String> =
        ALL.iter().map(|text| format!("{text:48} {}", latex::latex(&math(text)))).collect();
    insta::assert_snapshot!("latex", lines.join("\n"));
}

#[test]
fn every_construct_in_mathml_is_well_formed() {
    for text in ALL {
        let written = mathml::inline(&math(text));
        let read = roxmltree::Document::parse(&written).unwrap_or_else(|e| panic!("{text}: {e}\n{written}"));
        // Each element has as many parts as MathML asks for.
        for n in read.descendants().filter(roxmltree::Node::is_element) {
            let parts = n.children().filter(roxmltree::Node::is_element).count();
            let wanted = match n.tag_name().name() {
                "msub" | "msup" | "munder" | "mover" | "mfrac" => Some(2),
                "msubsup" | "munderover" => Some(3),
                "mi" | "mo" | "mn" | "mtext" | "mspace" => Some(0),
                _ => None,
            };
            assert!(wanted.is_none_or(|w| w == parts), "{text}: {}", n.tag_name().name());
        }
    }
}

#[test]
fn mathml_as_it_is_written() {
    let some = ["f ⊙ c[t-1] + a < b", "∑ k in 1..n: W_h̃ @ x[k]", "if a > 0 then b else 0", "sqrt(a / b)ᵀ"];
    let lines: Vec<String> =
        some.iter().map(|text| format!("{text}\n  {}", mathml::inline(&math(text)))).collect();
    insta::assert_snapshot!("mathml", lines.join("\n"));
}

#[test]
fn hostile_text_stays_text() {
    let written = mathml::inline(&math("\"<script>&\""));
    assert!(written.contains("&lt;script&gt;&amp;"), "{written}");
    let written = latex::latex(&math("a_b + f(\"100 % {x}_1\")"));
    assert!(written.contains(r"100 \% \{x\}\_1"), "{written}");
}

const ODD: &str = "\
cell Greek(I, H) {
  in    x : [I]
  state Ψ : [H] = 0
  param Γ : [H, I] ~ uniform(1)
  param Δ_βγ, é, ϑ : [H] ~ uniform(1)
  Ψ = tanh(Γ @ x + Δ_βγ ⊙ Ψ[t-1] + é ⊙ ϑ)
  out Ψ
}
cell Inner(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1)
  param h_pre : [H] ~ uniform(1)
  g_pre = W @ x
  g = tanh(g_pre)
  h = tanh(g + h_pre ⊙ h[t-1])
  out h
}
cell Starts(H) {
  in    x' : [H]
  state β1, h̃_2 : [H] = 0
  β1 = 0.5 * β1[t-1] + x'
  h̃_2 = 0.5 * h̃_2[t-1] + β1
  out h̃_2
}
cell Part(H) {
  in    x : [H]
  state h : [H] = 0
  param a : [H] = 0.5
  h = a ⊙ h[t-1] + x
  out h
}
cell Swap(H) {
  in    x : [H]
  part  h = Part(H)
  param h_a : [H] = 0.25
  z = h(x) ⊙ h_a
  out z
}
cell Deep(I, H) {
  in    x : [I]
  state s[l in 1..2] : [H] = 0
  param W : [H, I] ~ uniform(1)
  p[l in 1..2] = if l == 1 then tanh(W @ x + s[2][t-1]) else s[1]
  s[l in 1..2] = if t mod 2 == 0 then p[l] else s[l][t-1]
  y = 2 * s[2]
  out y
}
";

fn of_odd(args: &[&str]) -> String {
    let place = Place::new();
    place.write("odd.rnn", ODD);
    place.good(&[&[args[0], "odd.rnn"], &args[1..]].concat()).out
}

#[test]
fn latex_is_ascii_wherever_it_can_be() {
    for args in [["show", "--stage", "latex"].as_slice(), &["grad", "--latex"]] {
        let out = of_odd(&[args, &["--cell", "Greek(I, H)"]].concat());
        assert!(out.is_ascii(), "{out}");
        for part in [r"\Psi", r"\Gamma", r"\Delta_{\mathit{\beta\gamma}", r"\acute{e}", r"\vartheta"] {
            assert!(out.contains(part), "{part}: {out}");
        }
    }
    // What only newer engines know is said.
    let place = Place::new();
    place.write("odd.rnn", ODD.replace('é', "ж"));
    let out = place.good(&["show", "--stage", "latex", "odd.rnn", "--cell", "Greek(I, H)"]).out;
    assert!(out.starts_with("% pdflatex has no ж (U+0436)"), "{out}");
}

/// `h_pre` may be the author's: a parameter, an equation of its own.
#[test]
fn names_of_the_author_are_not_taken_for_the_compilers() {
    let out = of_odd(&["show", "--stage", "latex", "--cell", "Inner(I, H)"]);
    assert!(
        out.contains(r"g_{\mathit{pre},t} &= W \, x_{t}") && out.contains(r"h_{\mathit{pre}} \odot h_{t-1}"),
        "{out}"
    );
    assert!(out.contains(r"g_{t} &= \tanh(g_{\mathit{pre},t})"), "{out}");
    // The same in a variant, where the inner name keeps out of the way of the author's.
    let out = of_odd(&["grad", "--latex", "--cell", "Inner(I, H)"]);
    assert!(out.contains(r"\mathrm{pre}\prime"), "{out}");
}

#[test]
fn values_before_the_first_point_are_states_at_0() {
    let out = of_odd(&["grad", "--latex", "--cell", "Starts(H)"]);
    assert!(out.contains(r"\bar{\beta}_{1,0} &=") && out.contains(r"\bar{\tilde{h}}_{2,0} &="), "{out}");
    assert!(out.contains(r"\bar{x^{\prime}}_{t} &="), "{out}");
}

/// A gradient is called after what its source is called in the same cell, and no path takes a name from the author.
#[test]
fn a_path_as_a_plain_name_takes_no_other_name() {
    let out = of_odd(&["grad", "--cell", "Swap(H)"]);
    assert!(out.contains("h_{a a'} : [H]") || out.contains("h_a, h_a'"), "{out}");
    // z = … ⊙ h_a: the own parameter multiplies what arrives, and its gradient holds the instance's state.
    assert!(out.contains("= z_adj ⊙ h_a +"), "{out}");
    assert!(out.contains("h_a_adj  = ∑ s in 1..T: z_adj[s] ⊙ z_h[s]"), "{out}");
    let latex = of_odd(&["grad", "--latex", "--cell", "Swap(H)"]);
    assert!(latex.contains("a^{(h)}") && !latex.contains(r"\top"), "{latex}");
}

#[test]
fn families_of_states_send_no_cotangent_and_parts_are_counted_from_one() {
    let out = of_odd(&["grad", "--cell", "Deep(I, H)"]);
    assert!(!out.contains("s_last_adj") && !out.contains("s_adj") && out.contains("y_adj"), "{out}");
    assert!(out.contains("part1_adj"), "{out}");
    for piece in out.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|p| p.starts_with("part")) {
        let number = piece.trim_start_matches("part").trim_end_matches("_adj");
        assert!(piece.ends_with("_adj") && number.parse().is_ok_and(|n: u32| n < 9), "{piece}: {out}");
    }
}

/// An adjoint that is used here and at the next step has a name, whether or not the author gave the value one.
#[test]
fn a_product_that_is_read_at_two_points_has_a_name() {
    let place = Place::new();
    let text = "cell Inline(I, H) {\n  in    x : [I]\n  state h : [H] = 0\n  param W : [H, I] ~ uniform(1)\n  \
                param U : [H, H] ~ uniform(1)\n  param a : [H] = 0.5\n  \
                h = a ⊙ h[t-1] + (1 − a) ⊙ tanh(W @ x + U @ h[t-1])\n  out h\n}\n";
    place.write("i.rnn", text);
    let out = place.good(&["grad", "i.rnn", "--cell", "Inline(I, H)"]).out;
    assert!(out.contains("Uᵀ @ part1_adj[t+1]") && out.contains("x_adj     = Wᵀ @ part1_adj"), "{out}");
    // What is left of it is written once.
    assert_eq!(out.matches("(1 − tanh(").count(), 1, "{out}");
}

#[test]
fn gradients_of_trees_say_which_neighbour_is_meant() {
    let place = Place::new();
    let out = place.good(&["grad", "--cell", "SLSTM(I, H)"]).out;
    assert!(out.contains("if not has(left) then") && !out.contains("there"), "{out}");
    let out = place.good(&["grad", "--cell", "TreeLSTM(I, H)", "--wrt", "h0"]).out;
    assert!(out.contains("h0_adj = zeros(H)"), "{out}");
}

#[test]
fn what_to_differentiate_by_may_be_written_in_any_way_and_is_taught() {
    let place = Place::new();
    let by = |wrt: &str| place.good(&["grad", "--cell", "PhasedLSTM(I, H)", "--wrt", wrt]).out;
    assert!(by("log_tau").contains("out log_τ_adj"));
    assert!(by(" log_τ , h0").contains("out log_τ_adj, h0_adj"));
    assert!(by("U_{f i}").contains("out U_{i f}_adj") || by("U_{f i}").contains("out U_{f i}_adj"));
    let many = format!("U_{}", "{f i}".repeat(200));
    place.bad(&["grad", "--cell", "PhasedLSTM(I, H)", "--wrt", &many], &["E0502"]);
    for wrong in ["U_{f i}_{a}", "{}", "2", "U_f +"] {
        place.bad(&["grad", "--cell", "PhasedLSTM(I, H)", "--wrt", wrong], &["error"]);
    }
    place.bad(&["grad", "--cell", "PhasedLSTM(I, H)", "--wrt", "U_g"], &["E0502", "did you mean `U_"]);
    place.bad(&["grad", "--cell", "PhasedLSTM(I, H)", "--wrt", "h"], &["`h` is a state", "`h0`"]);
    place.bad(&["grad", "--cell", "PhasedLSTM(I, H)", "--wrt", "zzzzz"], &["there are x, time, h0"]);
}

/// A long formula comes in pieces, each well-formed; cases are boxes of such pieces.
#[test]
fn long_formulas_may_end_a_line_anywhere_between_terms() {
    let long = "2 * (if aaa > 0 then bbbbbb + cccccc ⊙ dddddd else eeeeee ⊙ (ffffff + gggggg + hhhhhh)) + [∑ k in 1..n: aaaaaaa, bbbbbbb]";
    let pieces = mathml::broken(&math(long));
    assert!(pieces.len() > 4, "{pieces:?}");
    assert!(pieces.iter().any(|p| p.starts_with("<span class=\"cases\">")), "{pieces:?}");
    for piece in &pieces {
        roxmltree::Document::parse(piece).unwrap_or_else(|e| panic!("{e}: {piece}"));
        let longest = piece.split("</math>").map(|one| {
            let text: String =
                one.split('<').filter_map(|t| t.split_once('>').map(|(_, text)| text)).collect();
            text.chars().count()
        });
        assert!(longest.max().unwrap_or(0) <= 24, "{piece}");
    }
    // Nothing is lost.
    let letters = |text: &str| {
        text.split('<').filter_map(|t| t.split_once('>')).map(|(_, t)| t.trim()).collect::<String>()
    };
    let whole = letters(&pieces.concat());
    for word in [
        "aaa",
        "bbbbbb",
        "cccccc",
        "dddddd",
        "eeeeee",
        "ffffff",
        "gggggg",
        "hhhhhh",
        "aaaaaaa",
        "bbbbbbb",
        "otherwise",
    ] {
        assert!(whole.contains(word), "{word}: {whole}");
    }
    assert_eq!(mathml::broken(&math("a + b")).len(), 1);
    // Beside cases a sign would not be seen to be behind them.
    assert!(latex::latex(&math("(if a > 0 then b else c) ⊙ d")).starts_with("\\left("));
}

/// A metric is measured, not trained; terms have their signs between them.
#[test]
fn a_model_sends_its_loss_alone_and_no_metric() {
    let place = Place::new();
    let text = "\
model M(V) {
  in text : seq<n> of id(V)
  e = Embed(V, 4)(text)
  h = LSTM(4, 4)(shift(e, 1))
  y = Dense(4, V)(h)
  out y
  loss cross_entropy(y, text)
  metric bits = cross_entropy(y, text) / log(2)
}
";
    place.write("m.rnn", text);
    let out = place.good(&["grad", "m.rnn", "--cell", "M(V)"]).out;
    assert!(!out.contains("metric") && out.contains("loss_adj") && !out.contains("+ −"), "{out}");
    assert!(!out.contains("{y adj}"), "{out}");
}

macro_rules! snapshots {
    ($($name:ident: $recipe:literal, $($word:literal)*;)*) => {
        $(#[test]
        fn $name() {
            let place = Place::new();
            let out = place.good(&[$($word,)* "--cell", $recipe]).out;
            insta::assert_snapshot!(stringify!($name), out, concat!($($word, " ",)* $recipe));
        })*
    };
}

snapshots! {
    dot_of_gates: "LSTM(I, H)", "show" "--stage" "dot";
    dot_of_a_tree: "TreeLSTM(I, H)", "show" "--stage" "dot";
    dot_of_a_grid: "MDLSTM(I, H, D = 2)", "show" "--stage" "dot";
    dot_of_instances: "MatchLSTM(D, H)", "show" "--stage" "dot";
    latex_of_gates: "LSTM(I, H)", "show" "--stage" "latex";
    latex_of_a_grid: "LeifertLSTM(I, H)", "show" "--stage" "latex";
    latex_of_attention: "MatchLSTM(D, H)", "show" "--stage" "latex";
    adjoint_of_a_tree: "TreeLSTM(I, H)", "grad";
    adjoint_of_a_grid: "LeifertLSTM(I, H)", "grad";
    adjoint_of_attention: "MatchLSTM(D, H)", "grad";
    adjoint_of_a_tree_in_ascii: "SLSTM(I, H)", "grad" "--ascii" "--wrt" "x";
}

/// The flops below the equations are what one counts by hand.
#[test]
fn flops_are_those_of_the_formulas() {
    use rnnc::grad::{Options, print::reading};
    use rnnc::shape::Dim;
    let (i, h) = (Dim::sym("I"), Dim::sym("H"));
    let times = |k: i64, a: &Dim, b: &Dim| a.mul(b).and_then(|p| p.mul(&Dim::constant(k))).expect("small");
    let plus = |a: &Dim, b: &Dim| a.add(b).expect("small");
    struct Nothing;
    impl rnnc::source::Loader for Nothing {
        fn load(&self, path: &str) -> Result<String, String> {
            Err(path.into())
        }
    }
    let mut sources = Sources::default();
    let (library, _) = rnnc::resolve::load(&mut sources, &Nothing, &[]);
    let file = sources.add("<recipe>", "RNN(I, H)");
    let recipe = syntax::parse_recipe(&sources, file).expect("a recipe");
    let (graph, _) = rnnc::eqn::build::build(&library, &recipe, &rnnc::eqn::build::Options::default());
    let reading = reading::adjoint(&graph.expect("a graph"), &Options::default()).expect("an adjoint");
    // h = tanh(W x + U h + b): two products, two additions, one function.
    let forward = plus(&plus(&times(2, &h, &i), &times(2, &h, &h)), &times(2, &h, &Dim::constant(1)));
    assert_eq!(reading.forward_flops.each.arithmetic, Some(forward.clone()));
    assert_eq!(reading.forward_flops.each.functions, Some(h.clone()));
    assert_eq!(reading.forward[0].flops.each.arithmetic, Some(forward));
    // Two products for inputs and states, two outer products that are added up.
    let products = plus(&times(4, &h, &i), &times(4, &h, &h));
    let backward = reading.backward_flops.each.arithmetic.expect("small");
    let rest = backward.sub(&products).expect("small");
    assert!(rest.terms().all(|(m, c)| m.len() <= 1 && m.iter().all(|(_, e)| *e == 1) && c > 0), "{backward}");
}
