//! From text to graphs: instances, families, options, states, models. Values are those of the reference
//! interpreter.

use ndarray::{ArrayD, IxDyn};
use rnnc::diag::{Diagnostic, Severity};
use rnnc::eqn::build::{Model, Options, build, build_model, check};
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::{Graph, SourceKind, verify};
use rnnc::resolve::{Library, LibraryFile, load};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::ast::ItemKind;
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;

struct Memory(BTreeMap<String, String>);

impl Loader for Memory {
    fn load(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".into())
    }
}

fn files(list: &[(&str, &str)], roots: &[&str]) -> (Sources, Library, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let map = list.iter().map(|(p, t)| (p.to_string(), t.to_string())).collect();
    let roots: Vec<String> = roots.iter().map(|p| p.to_string()).collect();
    let (library, diagnostics) = load(&mut sources, &Memory(map), &roots);
    (sources, library, diagnostics)
}

fn library(text: &str) -> (Sources, Library, Vec<Diagnostic>) {
    files(&[("main.rnn", text)], &["main.rnn"])
}

fn try_build(text: &str, recipe: &str, options: &Options) -> (Option<Graph>, Vec<Diagnostic>) {
    let (mut sources, library, mut diagnostics) = library(text);
    let id = sources.add("recipe", recipe);
    let recipe = parse_recipe(&sources, id).expect("a recipe");
    let (graph, found) = build(&library, &recipe, options);
    diagnostics.extend(found);
    (graph, diagnostics)
}

fn graph_with(text: &str, recipe: &str, options: &Options) -> Graph {
    let (graph, diagnostics) = try_build(text, recipe, options);
    let graph = graph.unwrap_or_else(|| panic!("no graph of {recipe}: {diagnostics:#?}"));
    verify::verify(&graph).expect("a sound graph");
    graph
}

fn graph(text: &str, recipe: &str) -> Graph {
    graph_with(text, recipe, &Options::default())
}

fn model(text: &str, name: &str, options: &Options) -> (Option<Model>, Vec<Diagnostic>) {
    let (_, library, mut diagnostics) = library(text);
    let (model, found) = build_model(&library, name, options);
    diagnostics.extend(found);
    (model, diagnostics)
}

/// The error code and message of a recipe that must be refused.
fn refusal(text: &str, recipe: &str) -> (String, String) {
    refusals(&[(text.to_string(), recipe.to_string())]).remove(0)
}

/// The same for many, each a file with its recipe. Names differ or mean the same: all are in one library, as
/// reading the stdlib takes longer than everything else here.
fn refusals(cases: &[(String, String)]) -> Vec<(String, String)> {
    let paths: Vec<String> = (0..cases.len()).map(|i| format!("{i}.rnn")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let list: Vec<(&str, &str)> = paths.iter().zip(cases).map(|(path, (text, _))| (*path, &**text)).collect();
    let (mut sources, library, loaded) = files(&list, &paths);
    let refusal = |(root, (_, recipe)): (&LibraryFile, &(String, String))| {
        let id = sources.add("recipe", recipe.as_str());
        let (graph, found) =
            build(&library, &parse_recipe(&sources, id).expect("a recipe"), &Options::default());
        assert!(graph.is_none(), "{recipe} was not refused");
        let own = loaded.iter().filter(|d| d.labels.iter().any(|l| l.span.file == root.file));
        let error = own.chain(&found).find(|d| d.severity == Severity::Error).expect("an error");
        assert!(!error.labels.is_empty() || error.help.is_some(), "a place or a mend: {error:?}");
        (error.code.to_string(), error.message.clone())
    };
    library.roots().zip(cases).map(refusal).collect()
}

fn sources(graph: &Graph) -> Vec<String> {
    graph.sources.iter().map(|s| s.name.to_string()).collect()
}

fn outputs(graph: &Graph) -> Vec<String> {
    graph.outputs.iter().map(|o| o.name.to_string()).collect()
}

fn array(shape: &[usize], values: &[f64]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).expect("as many values as the shape says")
}

/// One example of a length; missing parameters are 1.
fn run(graph: &Graph, steps: usize, given: &[(&str, ArrayD<f64>)]) -> BTreeMap<String, ArrayD<f64>> {
    let mut batch = Batch { size: 1, ..Batch::default() };
    for d in &graph.domains {
        batch.lengths.insert(d.extent.to_string(), vec![steps]);
    }
    for s in &graph.sources {
        if matches!(s.kind, SourceKind::Param(_)) {
            let shape: Vec<usize> =
                s.shape.iter().map(|d| d.as_constant().expect("a number") as usize).collect();
            batch.arrays.insert(s.name.to_string(), ArrayD::from_elem(IxDyn(&shape), 1.0));
        }
    }
    for (name, value) in given {
        batch.arrays.insert(name.to_string(), value.clone());
    }
    eval(graph, &batch).expect("a value")
}

fn values(out: &BTreeMap<String, ArrayD<f64>>, name: &str) -> Vec<f64> {
    out.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", out.keys())).iter().copied().collect()
}

const ACC: &str = "
cell Acc(H) {
  in    x : [H]
  state s : [H] = 0
  s = s[t-1] + x
  out s
}
";

#[test]
fn a_state_starts_from_a_source_and_ends_in_an_output() {
    let g = graph(ACC, "Acc(1)");
    assert_eq!(sources(&g), ["x", "s0"]);
    assert_eq!(outputs(&g), ["s", "s_last"]);
    let x = array(&[3, 1, 1], &[1.0, 2.0, 3.0]);
    assert_eq!(values(&run(&g, 3, &[("x", x.clone())]), "s"), [1.0, 3.0, 6.0]);
    let s0 = array(&[1, 1], &[10.0]);
    assert_eq!(values(&run(&g, 3, &[("x", x), ("s0", s0)]), "s_last"), [16.0]);
}

#[test]
fn the_last_group_of_a_layer_is_that_of_its_inputs() {
    let text = "
layer Next(x) = x + 1
layer Both(C : cell)(x) = C(x) + Next(x)
layer Bias(H)() { param b : [H] = 0; out b }
";
    assert_eq!(sources(&graph(text, "Next()")), ["x"]);
    assert_eq!(sources(&graph(text, "Bias(3)")), ["b"]);
    let g = graph(&format!("{ACC}{text}"), "Both(Acc(1))");
    let x = array(&[2, 1, 1], &[1.0, 2.0]);
    assert_eq!(values(&run(&g, 2, &[("x", x)]), "out"), [3.0, 6.0]);
}

#[test]
fn a_lag_of_two_keeps_two_states_newest_first() {
    let text = "
cell Fib {
  in    x : []
  state f : [] = 0
  f = f[t-1] + f[t-2] + x
  out f
}
";
    let g = graph(text, "Fib()");
    let x = array(&[4, 1], &[0.0; 4]);
    let out = run(&g, 4, &[("x", x), ("f0", array(&[1, 2], &[1.0, 1.0]))]);
    assert_eq!(values(&out, "f"), [2.0, 3.0, 5.0, 8.0]);
    assert_eq!(values(&out, "f_last"), [8.0, 5.0]);
}

#[test]
fn families_are_arrays_outside() {
    let text = "
cell Line(L) {
  in    x : []
  state s[l in 1..L] : [] = 0
  param w[l in 1..L] : [] = 1
  s[l in 1..L] = w[l] * (if l == 1 then x else s[l-1]) + s[l][t-1]
  out s[L]
}
";
    let g = graph(text, "Line(3)");
    let w = g.sources.iter().find(|s| &*s.name == "w").expect("w");
    assert_eq!(w.shape.len(), 1);
    let out = run(&g, 2, &[("x", array(&[2, 1], &[1.0, 0.0])), ("w", array(&[3], &[1.0, 2.0, 3.0]))]);
    // s1 = 1, 1; s2 = 2·1, 2 + 2·1; s3 = 3·2, 6 + 3·4.
    assert_eq!(values(&out, "s"), [6.0, 18.0]);
    assert_eq!(values(&out, "s_last"), [1.0, 4.0, 18.0]);
}

#[test]
fn only_the_branch_of_an_option_is_there() {
    let text = "
cell Opt(H, form : full | none = none) {
  in x : [H]
  param W : [H, H] = 1
  param V : [7, 9] = 1
  y = if form == full then W @ x else if form == none then x else V @ x
  out y
}
";
    assert_eq!(sources(&graph(text, "Opt(2)")), ["x"]);
    assert_eq!(sources(&graph(text, "Opt(2, form = full)")), ["x", "W"]);
    let (code, message) = refusal(text, "Opt(2, form = ful)");
    assert_eq!(code, "E0228", "{message}");
}

#[test]
fn overrides_replace_and_leave_away() {
    let text = "
cell Base(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W_{a b} : [H, I] = 1
  param c_{a b} : [H] = 0
  {a b} = W_{a b} @ x + c_{a b}
  h = a ⊙ h[t-1] + b
  out h
}
cell Tied(H) = Base(H, H) with { b = 1 − a }
cell Bare(H) = Base(H, H) with { c_{a b} = 0 }
";
    assert_eq!(sources(&graph(text, "Base(2, 3)")), ["x", "h0", "W_a", "W_b", "c_a", "c_b"]);
    assert_eq!(sources(&graph(text, "Tied(3)")), ["x", "h0", "W_a", "c_a"]);
    assert_eq!(sources(&graph(text, "Bare(3)")), ["x", "h0", "W_a", "W_b"]);
    let (_, _, d) =
        library("cell A(I) { in x : [I]; y = x + 1; out y }\ncell B(I) = A(I) with { y = x + 1 }");
    assert!(d.is_empty());
    let (_, d) = try_build(
        "cell A(I) { in x : [I]; y = x + 1; out y }\ncell B(I) = A(I) with { y = x + 1 }",
        "B(2)",
        &Options::default(),
    );
    assert!(d.iter().any(|d| d.code == "E0213"), "{d:?}");
}

#[test]
fn instances_have_the_names_of_their_equations() {
    let text = format!(
        "{ACC}
layer Two(C : cell)(x) {{
  l[k in 1..2] = C(if k == 1 then x else l[k-1])
  out l[2] + C(C(x))
}}
"
    );
    let g = graph(&text, "Two(Acc(_))");
    assert_eq!(sources(&g), ["x", "l1.s0", "l2.s0", "c.s0", "c2.s0"]);
    let out = run(&graph(&text, "Two(Acc(1))"), 2, &[("x", array(&[2, 1, 1], &[1.0, 1.0]))]);
    assert_eq!(values(&out, "out"), [2.0, 6.0]);
    assert_eq!(values(&out, "l2.s"), [1.0, 3.0]);
}

#[test]
fn a_cell_in_a_cell_steps_along_with_it() {
    let text = format!(
        "{ACC}
cell Outer(H) {{
  in x : [H]
  m = Acc(H)(x + m.s[t-1])
  out h = m.s, last = m.s[t-1]
}}
"
    );
    // s = s' + x + s'.
    let out = run(&graph(&text, "Outer(1)"), 3, &[("x", array(&[3, 1, 1], &[1.0, 1.0, 1.0]))]);
    assert_eq!(values(&out, "h"), [1.0, 3.0, 7.0]);
    assert_eq!(values(&out, "last"), [0.0, 1.0, 3.0]);
}

#[test]
fn one_step_of_a_cell_reads_the_callers_states() {
    let text = format!(
        "{ACC}
cell Half(H) {{
  in x : [H]
  state s : [H] = 0
  z = Acc(H)(x, prev s = s[t-1])
  s = z.s / 2
  out s
}}
"
    );
    let g = graph(&text, "Half(1)");
    assert_eq!(sources(&g), ["x", "s0"]);
    let out = run(&g, 2, &[("x", array(&[2, 1, 1], &[4.0, 0.0]))]);
    assert_eq!(values(&out, "s"), [2.0, 1.0]);
}

#[test]
fn a_part_shares_its_parameters() {
    let text = "
cell Scale(H) { in x : [H]; param w : [H] = 1; y = w ⊙ x; out y }
layer Twice(x : seq<n> of [I]) { part p = Scale(_); a = p(x); out p(a) }
";
    assert_eq!(sources(&graph(text, "Twice")), ["x", "p.w"]);
    let twins = "
cell Scale(H) { in x : [H]; param w : [H] = 1; y = w ⊙ x; out y }
layer Sum(C : cell)(x) { a = C(x) + C(x); out a }
";
    let (g, d) = try_build(twins, "Sum(Scale(2))", &Options::default());
    assert_eq!(sources(&g.expect("a graph")), ["x", "a.w", "c.w"]);
    assert!(d.iter().any(|d| d.code == "E0248"), "{d:?}");
}

#[test]
fn a_start_may_be_computed_or_given() {
    let text = "
cell Dec(H) {
  in    x : [H]
  mem   k : [H]
  state s : [H]
  s = s[t-1] + x
  at t = 0 { s = 2 * k }
  out s
}
";
    let g = graph(text, "Dec(1)");
    assert_eq!(sources(&g), ["x", "k"]);
    let x = array(&[2, 1, 1], &[1.0, 1.0]);
    let k = array(&[1, 1], &[5.0]);
    assert_eq!(values(&run(&g, 2, &[("x", x.clone()), ("k", k.clone())]), "s"), [11.0, 12.0]);
    let given = Options { given: ["s0".to_string()].into(), ..Options::default() };
    assert_eq!(sources(&graph_with(text, "Dec(1)", &given)), ["x", "s0"]);
    let carried = graph_with(text, "Dec(1)", &Options { carry: true, ..Options::default() });
    assert_eq!(sources(&carried), ["start", "x", "k", "s0"]);
    let s0 = array(&[1, 1], &[100.0]);
    let start = |b: f64| array(&[1], &[b]);
    let at = |b: f64| {
        let given = [("x", x.clone()), ("k", k.clone()), ("s0", s0.clone()), ("start", start(b))];
        values(&run(&carried, 2, &given), "s_last")
    };
    assert_eq!((at(1.0), at(0.0)), (vec![12.0], vec![102.0]));
}

#[test]
fn reductions_over_features_positions_and_ranges() {
    let text = "
fn spread(a : [n]) {
  m = mean k in n: a[k]
  out mean k in n: (a[k] − m)²
}
cell Var(N) { in x : [N]; y = spread(x); out y }
layer Mean(x : seq<n>) { out y = mean p in n: x[p] }
cell Sums(N) over chain(t in 1..T) {
  in    x : [N]
  state h : [N] = 0
  h = x + h[t-1]
  total = ∑ s in 1..T: h[s-1] ⊙ x[s]
  out h, total, first = h[1], poly = ∑ k in 0..3: (-1)^k * binom(3, k) * 2^k
}
";
    // One operation over the whole vector, whatever its length.
    let symbolic = graph(text, "Var(N)");
    assert!(symbolic.nodes.len() < 16, "{}", symbolic.nodes.len());
    let out = run(&graph(text, "Var(3)"), 1, &[("x", array(&[1, 1, 3], &[1.0, 2.0, 6.0]))]);
    assert!((values(&out, "y")[0] - 14.0 / 3.0).abs() < 1e-12);
    let x = array(&[3, 1, 1], &[1.0, 2.0, 4.0]);
    let mean = graph(text, "Mean");
    assert_eq!(mean.domains.len(), 1);
    let out = run(&graph(text, "Sums(1)"), 3, &[("x", x)]);
    // h = 1, 3, 7; the sum of h before each step times x.
    assert_eq!(values(&out, "total"), [1.0 * 2.0 + 3.0 * 4.0]);
    assert_eq!(values(&out, "first"), [1.0]);
    assert_eq!(values(&out, "poly"), [-1.0]);
}

#[test]
fn both_directions_in_one_cell_and_reverse_in_a_layer() {
    let text = format!(
        "{ACC}
cell Both(H) {{
  in    x : [H]
  state f, b : [H] = 0
  f = f[t-1] + x
  b = b[t+1] + x
  out y = f + b
}}
layer Back(C : cell)(x : seq<n>) {{ y = reverse(C(reverse(x))); out y }}
"
    );
    let x = array(&[3, 1, 1], &[1.0, 2.0, 4.0]);
    let out = run(&graph(&text, "Both(1)"), 3, &[("x", x.clone())]);
    assert_eq!(values(&out, "y"), [8.0, 9.0, 11.0]);
    assert_eq!(values(&run(&graph(&text, "Back(Acc(1))"), 3, &[("x", x)]), "y"), [7.0, 6.0, 4.0]);
}

#[test]
fn noise_is_its_mean_in_evaluation() {
    let text = "cell Drop(p : real) { in x : [..]; noise k : [..] ~ bernoulli(1 − p); y = x ⊙ k; out y }";
    assert_eq!(sources(&graph(text, "Drop(0.25)")), ["x"]);
    let training = Options { training: true, ..Options::default() };
    assert_eq!(sources(&graph_with(text, "Drop(0.25)", &training)), ["x", "k"]);
    let shaped = Options { any_shape: Some(vec![2.into(), 3.into()]), ..Options::default() };
    assert_eq!(graph_with(text, "Drop(0.25)", &shaped).sources[0].shape.len(), 2);
}

#[test]
fn a_model_has_a_loss_an_example_and_carries_its_windows() {
    let text = "
cell Table(V, E) { in w : id(V); param table : [V, E] = 1; y = table[w]; out y }
cell Acc(H) { in x : [H]; state s : [H] = 0; s = s[t-1] + x; out s }
fn score(z : [K], y : id(K)) = logsumexp(z) − z[y]
model Text(V = _) {
  in text : seq<n> of id(V)
  e = Table(V, V)(text)
  y = Acc(V)(shift(e, 1))
  out y
  loss score(y, text)
  metric bits = score(y, text) / log(2)
  generate text from y
  train { batch = 3; clip = 1 }
}
";
    let (m, d) = model(text, "Text", &Options { carry: true, ..Options::default() });
    let m = m.unwrap_or_else(|| panic!("{d:#?}"));
    assert!(d.is_empty(), "{d:?}");
    assert_eq!(sources(&m.graph), ["text", "y.s0", "shift0", "e.table"]);
    assert_eq!(outputs(&m.graph), ["y", "loss", "metric.bits", "shift_last", "y.s_last"]);
    assert_eq!(m.statics, [("V".into(), None)]);
    assert_eq!(m.generate, Some(("text".into(), "y".into(), None)));
    assert_eq!(m.train.len(), 2);
    let seen = text.replace("shift(e, 1)", "e");
    let (m, d) = model(&seen, "Text", &Options::default());
    assert!(m.is_none() && d.iter().any(|d| d.code == "E0421"), "{d:?}");
    let (m, d) = model(&seen.replace("generate text from y", ""), "Text", &Options::default());
    assert!(m.is_some() && d.iter().any(|d| d.code == "E0422"), "{d:?}");
}

#[test]
fn mistakes_are_told() {
    let bodies: &[(&str, &str, &str)] = &[
        ("state h : [H] = 0\n  h = W * x\n  out h", "E0301", "`⊙` wants equal shapes, got [H, I] and [I]"),
        ("y = W @ (W @ x)\n  out y", "E0303", "`@` joins I of [H, I] with H of [H]"),
        ("y = W @ x + x\n  out y", "E0301", "`+` wants equal shapes, got [H] and [I]"),
        ("state h : [H] = 0\n  h = x\n  out h", "E0304", "`h` is declared [H], its equation is [I]"),
        ("y = x\n  y = x + 1\n  out y", "E0207", "`y` has two equations, here and here"),
        ("y = z + 1\n  out y", "E0220", "no name `z` here"),
        ("h = tanh(h)\n  out h", "E0401", "`h` at this point depends on itself: h → h"),
        ("o = x + h\n  h = o\n  out h", "E0401", "the equations h, o form a cycle at one point: h → o → h"),
        ("g = x + g[t-1]\n  out g", "E0402", "`g` is read at another step"),
        ("state h : [I] = 0\n  h = x + h[t-1] + h[t+1]\n  out h", "E0404", "before and after itself"),
        ("state h : [I] = 0\n  out h", "E0408", "state `h` has no equation"),
        ("param U : [I]\n  y = U + x\n  out y", "E0410", "`U` has no initial value"),
        ("y = x[left]\n  out y", "E0413", "a chain has no edge `left`"),
        ("{a b} = x_{i f o}\n  out a", "E0115", "the brace groups list 2 and 3 words"),
        ("y = W_{i f} @ x\n  out y", "E0116", "braces"),
        ("set W = 1\n  out x", "E0120", "`set` does not belong in a cell"),
        ("y = max k in 1..0: x[k]\n  out y", "E0316", "`max` over no element has no value"),
        ("dim M = 7 div 2\n  y = x + M\n  out y", "E0314", "7 div 2 is no whole number"),
        ("y[k in 1..1000000000] = x\n  out y[1]", "E0921", "the limit is 100000"),
    ];
    let other: &[(&str, &str, &str, &str)] = &[
        (ACC, "Acc()", "E0232", "Acc(H) misses H"),
        (ACC, "Acc(2, G = 3)", "E0231", "Acc has no parameter `G`"),
        (ACC, "Ac(2)", "E0221", "no cell, layer or function `Ac`"),
        ("cell A(I) = B(I)\ncell B(I) = A(I)", "A(2)", "E0212", "derived from itself"),
        (
            "layer F(C : cell)(x) = F(C)(x)\ncell Same { in x : [..]; y = x; out y }",
            "F(Same())",
            "E0923",
            "64 deep",
        ),
        (
            "cell D(V) { in x : [V]; y = x; out y }\nlayer L(x : seq<n> of id(V)) = D(_)(x)",
            "L",
            "E0305",
            "got id(V)",
        ),
        ("cell N { in w : id(4); y = w + 1; out y }", "N()", "E0307", "an id is a symbol, not a number"),
    ];
    let cell = |i: usize, body: &str| {
        let text = format!("cell C{i}(I, H) {{\n  in x : [I]\n  param W : [H, I] = 1\n  {body}\n}}");
        (text, format!("C{i}(I, H)"))
    };
    let mut cases: Vec<_> = bodies.iter().enumerate().map(|(i, (body, ..))| cell(i, body)).collect();
    cases.extend(other.iter().map(|(text, recipe, ..)| (text.to_string(), recipe.to_string())));
    let bodies = bodies.iter().map(|(_, code, message)| (code, message));
    let expected = bodies.chain(other.iter().map(|(_, _, code, message)| (code, message)));
    let told = refusals(&cases);
    assert_eq!(told.len(), cases.len());
    let wrong: Vec<String> = (told.iter().zip(expected).zip(&cases))
        .filter(|(((found, said), (code, message)), _)| found != *code || !said.contains(*message))
        .map(|(((found, said), _), (text, recipe))| format!("{recipe} of {text}: {found} {said}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_use_each_other_but_not_in_a_circle() {
    let part = "cell Part { in x : []; y = x + 1; out y }";
    let main = "use \"lib/a.rnn\"\ncell Main { in x : []; y = Part(x); out y }";
    let (_, lib, d) = files(&[("main.rnn", main), ("lib/a.rnn", part)], &["main.rnn"]);
    assert!(d.is_empty() && lib.find_cell("Part").is_some() && lib.find_cell("Main").is_some(), "{d:?}");
    assert!(check(&lib, lib.roots().next().expect("a root").file).is_empty());
    let code =
        |list: &[(&str, &str)]| files(list, &["main.rnn"]).2.iter().map(|d| d.code).collect::<Vec<_>>();
    assert_eq!(code(&[("main.rnn", "use \"a.rnn\""), ("a.rnn", "use \"main.rnn\"")]), ["E0201"]);
    assert_eq!(code(&[("main.rnn", "use \"../a.rnn\"")]), ["E0203"]);
    assert_eq!(code(&[("main.rnn", "use \"b.rnn\"")]), ["E0202"]);
    assert_eq!(code(&[("main.rnn", &format!("{part}\n{part}"))]), ["E0204"]);
}

#[test]
fn check_finds_all_mistakes_and_what_nothing_reads() {
    let text = "
cell Many(H, deep : bool = false) {
  in    x : [H]
  param W, Q : [H, H] = 1
  a = W @ q
  b = if deep then x @ 3 else x
  out a, b
}
cell Fine(H) { in x : [H]; param W, Q : [H, H] = 1; y = W @ x; out y }
cell Less(H) = Fine(H) with { y = x }
";
    let (_, lib, _) = library(text);
    let found = check(&lib, lib.roots().next().expect("a root").file);
    let codes: Vec<&str> = found.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["E0220", "E0303", "E0260", "E0262"], "{found:#?}");
}

#[test]
fn the_stdlib_has_no_mistake() {
    let (mut sources, lib, d) = library("");
    assert!(d.is_empty(), "{d:?}");
    let std: Vec<_> = lib.files().iter().map(|f| f.file).collect();
    for file in std {
        let found: Vec<_> = check(&lib, file).into_iter().filter(|d| d.severity != Severity::Note).collect();
        assert!(found.is_empty(), "{found:#?}");
        for item in lib.items(file) {
            if let ItemKind::Check(c) = &item.kind {
                assert!(build(&lib, &c.recipe, &Options::default()).0.is_some());
            }
        }
    }
    let id = sources.add("r", "f(");
    assert!(parse_recipe(&sources, id).is_err());
}
