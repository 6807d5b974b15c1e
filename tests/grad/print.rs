//! The printed adjoint: its text, and that it is a legal cell with the numbers of the joint graph.

use rnnc::diag::Diagnostic;
use rnnc::eqn::{Domain, DomainKind, Graph, build};
use rnnc::grad::{Options, latex::adjoint_latex, print::adjoint_cell};
use rnnc::limits::Limits;
use rnnc::resolve::{self, Library};
use rnnc::source::{Loader, Sources};
use rnnc::syntax;
use rnnc::syntax::print::{Style, print_item};
use std::collections::BTreeMap;

struct Texts(BTreeMap<String, String>);

impl Loader for Texts {
    fn load(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| format!("no file {path}"))
    }
}

fn plainly(errors: &[Diagnostic]) -> String {
    errors.iter().map(|d| format!("{}: {}", d.code, d.message)).collect::<Vec<_>>().join("\n")
}

/// The stdlib and one more text.
fn library(text: &str, sources: &mut Sources) -> Library {
    let texts = Texts([("text.rnn".to_string(), text.to_string())].into());
    let (library, errors) = resolve::load(sources, &texts, &["text.rnn".to_string()]);
    let errors: Vec<Diagnostic> = errors.into_iter().filter(Diagnostic::is_error).collect();
    assert!(errors.is_empty(), "{}\n{text}", plainly(&errors));
    library
}

fn built(library: &Library, recipe: &str, sources: &mut Sources) -> Graph {
    let file = sources.add("recipe", recipe);
    let recipe = syntax::parse_recipe(sources, file).unwrap_or_else(|e| panic!("{}", plainly(&e)));
    let (graph, errors) = build::build(library, &recipe, &build::Options::default());
    graph.unwrap_or_else(|| panic!("{}", plainly(&errors)))
}

fn printed(text: &str, recipe: &str) -> String {
    let mut sources = Sources::default();
    let library = library(text, &mut sources);
    let graph = built(&library, recipe, &mut sources);
    let item = adjoint_cell(&graph, &Options::default()).unwrap_or_else(|e| panic!("{}", plainly(&e)));
    print_item(&item, Style::UNICODE)
}

use crate::support::grad::{joint_of, random_batch, run, with_cotangents};

/// The printed cells, given the values of the forward pass, against the joint graphs.
fn agree(text: &str, recipes: &[&str]) {
    let mut sources = Sources::default();
    let library = library(text, &mut sources);
    let mut all = text.to_string();
    let mut cells = Vec::new();
    for (i, recipe) in recipes.iter().enumerate() {
        let primal = built(&library, recipe, &mut sources);
        let options = Options { from: Some(vec![primal.outputs[0].name.to_string()]), ..Options::default() };
        let item = adjoint_cell(&primal, &options).unwrap_or_else(|e| panic!("{}", plainly(&e)));
        let printed = print_item(&item, Style::UNICODE);
        assert_eq!(printed, {
            // What is printed parses to what prints the same, in ASCII too.
            let mut sources = Sources::default();
            let file = sources.add("text", print_item(&item, Style::ASCII));
            let (file, errors) = syntax::parse(&sources, file);
            assert!(errors.is_empty(), "{}\n{printed}", plainly(&errors));
            print_item(&file.items[0], Style::UNICODE)
        });
        let syntax::ast::ItemKind::Cell(cell) = &item.kind else { panic!("no cell") };
        let name = format!("{}{i}", cell.name.name);
        let statics: Vec<&str> = cell.statics.iter().map(|s| &*s.name.name).collect();
        let printed = printed.replacen(&format!("cell {}", cell.name.name), &format!("cell {name}"), 1);
        all += &format!("\n{printed}");
        let given = if statics.is_empty() { String::new() } else { format!("({})", statics.join(", ")) };
        cells.push((primal, options, format!("{name}{given}"), printed));
    }
    let mut sources = Sources::default();
    let library = self::library(&all, &mut sources);
    for (primal, options, recipe, printed) in cells {
        let derived = built(&library, &recipe, &mut sources);
        compare(&primal, &derived, &options, &printed);
    }
}

fn compare(primal: &Graph, derived: &Graph, options: &Options, printed: &str) {
    let dims = [("I", 2), ("H", 3), ("F", 2), ("V", 4)];
    let bindings: BTreeMap<_, i64> = dims.iter().map(|(n, v)| ((*n).into(), *v)).collect();
    let bind = |g: &Graph| g.bind(&bindings).unwrap_or_else(|e| panic!("{}\n{printed}", plainly(&e)));
    let (primal, derived) = (bind(primal), bind(derived));
    let lengths: &[usize] = &[5, 0, 1, 3];
    let extent = primal.domains[0].extent.to_string();
    let batch = random_batch(&primal, &[(&extent, lengths)], 17);
    let batch = with_cotangents(&primal, &batch, 3);
    let joint = joint_of(&primal, options);
    let expected = run(&joint, &batch);

    // All named values of the forward pass.
    let mut all = primal.clone();
    all.outputs.clear();
    for id in primal.node_ids() {
        if let Some(name) = &primal.node(id).name
            && all.find_output(name).is_none()
        {
            all.output(name.clone(), id);
        }
    }
    for state in &primal.states {
        if let Some(def) = state.def
            && all.find_output(&state.name).is_none()
        {
            all.output(state.name.clone(), def);
        }
    }
    let values = run(&all, &batch);
    let mut given = rnnc::eqn::eval::Batch { size: lengths.len(), ..Default::default() };
    given.lengths.insert(derived.domains[0].extent.to_string(), lengths.to_vec());
    for s in &derived.sources {
        let plain = s.name.replace("_out_adj", "_adj");
        // Paths are written with `_` for the dot.
        let of = |arrays: &BTreeMap<String, ndarray::ArrayD<f64>>, name: &str| {
            arrays.iter().find(|(n, _)| n.replace('.', "_") == name).map(|(_, array)| array.clone())
        };
        let array = of(&batch.arrays, &s.name).or(of(&values, &s.name)).or(of(&batch.arrays, &plain));
        if let Some(array) = array {
            // A `mem` has one value per example.
            let array = match array.ndim() == s.shape.len() {
                true => {
                    let mut shape = vec![lengths.len()];
                    shape.extend(array.shape());
                    array.broadcast(shape).expect("a new axis").to_owned()
                }
                false => array.clone(),
            };
            given.arrays.insert(s.name.to_string(), array);
        }
    }
    let got = run(&derived, &given);
    let mut compared = 0;
    for s in &primal.sources {
        let name = format!("{}_adj", s.name);
        let got = got.get(&name.replace('.', "_"));
        let (Some(want), Some(got)) = (expected.get(&name), got) else { continue };
        // The language speaks of one example: what is the same for all of them is summed by the reader.
        let got = if want.ndim() + 1 == got.ndim() { got.sum_axis(ndarray::Axis(0)) } else { got.clone() };
        assert_eq!(want.shape(), got.shape(), "{name}\n{printed}");
        for (a, b) in want.iter().zip(&got) {
            assert!((a - b).abs() <= 1e-10 * a.abs().max(1.0), "{name}: {a} {b}\n{printed}");
        }
        compared += 1;
    }
    let real = primal.sources.iter().filter(|s| s.ty == rnnc::eqn::Ty::Real).count();
    assert_eq!(compared, real, "{printed}");
}

fn cell_file(name: &str) -> String {
    let path = format!("{}/tests/cells/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn printed_gates_are_legal_and_right() {
    agree("", &["LSTM(I, H)", "CIFG(I, H)", "PeepholeLSTM(I, H)", "PeepholeLSTM(I, H, peephole = full)"]);
}

#[test]
fn printed_reset_units_are_legal_and_right() {
    agree(
        "",
        &[
            "GRU(I, H)",
            "GRU(I, H, reset = after)",
            "GRU(I, H, update = keep)",
            "GRU(I, H, reset = after, update = keep)",
        ],
    );
}

#[test]
fn printed_products_and_plain_cells_are_legal_and_right() {
    agree("", &["MultLSTM(I, H, F)", "MultLSTMOriginal(I, H, F)", "RNN(I, H)", "RNN(I, H, relu)"]);
}

#[test]
fn printed_instances_and_families_are_legal_and_right() {
    agree(&cell_file("odd.rnn"), &["Stack(2, LSTM(H, H))", "Odd(I, H)"]);
}

/// Two lags with initial values of their own, a read ahead, a start that is computed, a scalar.
#[test]
fn printed_boundaries_are_legal_and_right() {
    let text = r#"
cell Late(I, H) {
  in    x : [I]
  mem   k : [I]
  state h : [H] = 0
  state q : [H]
  state n : [] = 1
  param W : [H, I] ~ uniform(1)
  param U_{a b}, V : [H, H] ~ uniform(1)
  param w : [H] ~ uniform(1)
  n = 0.5 * n[t-1] + w · h[t-1]
  g = tanh(W @ x + U_a @ h[t-1] + U_b @ h[t-2] + n[t-1] * w)
  q = g ⊙ q[t-1] + q[t-1]
  h = V @ g + sin(q) ⊙ (W @ x[t+2])
  at t = 0 { q = tanh(W @ k) }
  out h
}
"#;
    agree(text, &["Late(I, H)"]);
}

#[test]
fn the_adjoint_reads_as_on_paper() {
    let text = "\
## The adjoint of LSTM. Names without _adj are values of the forward pass. Runs from t = T to 1.
cell LSTM_adj(I, H) over chain(t in 1..T) {
  in    x                     : [I]
  in    f, i, r, o, h_out_adj : [H]
  in    h : [H] = h0
  in    c : [H] = c0
  mem   h0, c0      : [H]
  mem   W_{f i r o} : [H, I]
  mem   U_{f i r o} : [H, H]
  state c_adj, {f i r o}_pre_adj : [H] = 0
  h_adj           = h_out_adj + U_fᵀ @ f_pre_adj[t+1] + U_iᵀ @ i_pre_adj[t+1] + U_rᵀ @ r_pre_adj[t+1]
                    + U_oᵀ @ o_pre_adj[t+1]
  c_adj           = h_adj ⊙ o ⊙ (1 − tanh(c)²) + c_adj[t+1] ⊙ f[t+1]
  o_pre_adj       = h_adj ⊙ tanh(c) ⊙ o ⊙ (1 − o)
  f_pre_adj       = c_adj ⊙ c[t-1] ⊙ f ⊙ (1 − f)
  i_pre_adj       = c_adj ⊙ r ⊙ i ⊙ (1 − i)
  r_pre_adj       = c_adj ⊙ i ⊙ (1 − r²)
  x_adj           = W_fᵀ @ f_pre_adj + W_iᵀ @ i_pre_adj + W_rᵀ @ r_pre_adj + W_oᵀ @ o_pre_adj
  h0_adj          = U_fᵀ @ f_pre_adj[1] + U_iᵀ @ i_pre_adj[1] + U_rᵀ @ r_pre_adj[1] + U_oᵀ @ o_pre_adj[1]
  c0_adj          = c_adj[1] ⊙ f[1]
  W_{f i r o}_adj = ∑ s in 1..T: outer({f i r o}_pre_adj[s], x[s])
  U_{f i r o}_adj = ∑ s in 1..T: outer({f i r o}_pre_adj[s], h[s-1])
  b_{f i r o}_adj = ∑ s in 1..T: {f i r o}_pre_adj[s]
  out x_adj, h0_adj, c0_adj, W_{f i r o}_adj, U_{f i r o}_adj, b_{f i r o}_adj
}
";
    assert_eq!(printed("", "LSTM(I, H)"), text);
    let text = "\
## The adjoint of GRU. Names without _adj are values of the forward pass. Runs from t = T to 1.
cell GRU_adj(I, H) over chain(t in 1..T) {
  in    x                  : [I]
  in    z, r, h̃, h_out_adj : [H]
  in    h                  : [H] = h0
  mem   h0        : [H]
  mem   W_{z r h} : [H, I]
  mem   U_{z r h} : [H, H]
  state h_adj, {z r h̃}_pre_adj : [H] = 0
  h_adj = h_out_adj + U_zᵀ @ z_pre_adj[t+1] + U_rᵀ @ r_pre_adj[t+1] + (U_hᵀ @ h̃_pre_adj[t+1]) ⊙ r[t+1]
          + h_adj[t+1] ⊙ (1 − z[t+1])
  z_adj = h_adj ⊙ h̃ − h_adj ⊙ h[t-1]
  h̃_pre_adj = h_adj ⊙ z ⊙ (1 − h̃²)
  z_pre_adj = z_adj ⊙ z ⊙ (1 − z)
  r_pre_adj = (U_hᵀ @ h̃_pre_adj) ⊙ h[t-1] ⊙ r ⊙ (1 − r)
  x_adj = W_zᵀ @ z_pre_adj + W_rᵀ @ r_pre_adj + W_hᵀ @ h̃_pre_adj
  h0_adj = U_zᵀ @ z_pre_adj[1] + U_rᵀ @ r_pre_adj[1] + (U_hᵀ @ h̃_pre_adj[1]) ⊙ r[1] + h_adj[1] ⊙ (1 − z[1])
  W_{z r}_adj = ∑ s in 1..T: outer({z r}_pre_adj[s], x[s])
  W_h_adj = ∑ s in 1..T: outer(h̃_pre_adj[s], x[s])
  U_{z r}_adj = ∑ s in 1..T: outer({z r}_pre_adj[s], h[s-1])
  U_h_adj = ∑ s in 1..T: outer(h̃_pre_adj[s], r[s] ⊙ h[s-1])
  b_{z r}_adj = ∑ s in 1..T: {z r}_pre_adj[s]
  b_h_adj = ∑ s in 1..T: h̃_pre_adj[s]
  out x_adj, h0_adj, W_{z r h}_adj, U_{z r h}_adj, b_{z r h}_adj
}
";
    assert_eq!(printed("", "GRU(I, H)"), text);
}

#[test]
fn in_ascii_and_in_latex() {
    let mut sources = Sources::default();
    let library = library("", &mut sources);
    let graph = built(&library, "RNN(I, H)", &mut sources);
    let item = adjoint_cell(&graph, &Options::default()).unwrap_or_else(|e| panic!("{}", plainly(&e)));
    let ascii = print_item(&item, Style::ASCII);
    assert!(ascii.contains("h_pre_adj = h_adj * (1 - h^2)") && ascii.is_ascii(), "{ascii}");
    let latex = adjoint_latex(&graph, &Options::default()).unwrap_or_else(|e| panic!("{}", plainly(&e)));
    let expected = r"\begin{aligned}
\bar{h}_{t} &= \bar{h}^{\mathrm{out}}_{t} + U^{\top} \, \bar{h}^{\mathrm{pre}}_{t+1} \\
\bar{h}^{\mathrm{pre}}_{t} &= \bar{h}_{t} \odot (1 - h^{2}_{t}) \\
\bar{x}_{t} &= W^{\top} \, \bar{h}^{\mathrm{pre}}_{t} \\
\bar{h}_{0} &= U^{\top} \, \bar{h}^{\mathrm{pre}}_{1} \\
\bar{W} &= \sum_{t=1}^{T} \bar{h}^{\mathrm{pre}}_{t} \, x^{\top}_{t} \\
\bar{U} &= \sum_{t=1}^{T} \bar{h}^{\mathrm{pre}}_{t} \, h^{\top}_{t-1} \\
\bar{b} &= \sum_{t=1}^{T} \bar{h}^{\mathrm{pre}}_{t}
\end{aligned}
";
    assert_eq!(latex, expected);
}

/// A chain that is turned round, and rows that are chosen by ids.
#[test]
fn printed_layers_are_legal_and_right() {
    let text = r#"
layer Read(V, H)(word : seq<n> of id(V)) {
  e = Embed(V, H)(word)
  h = Bi(RNN(H, H))(e)
  out Dense(2*H, H)(h)
}
layer Score(I, V)(x : seq<n> of [I], word : seq<n> of id(V)) {
  y = Dense(I, V)(x)
  out s = y[word] − logsumexp(y)
}
"#;
    agree(&cell_file("around.rnn"), &["Around(V, H)"]);
    agree(text, &["Bi(RNN(I, H))", "Bi(LSTM(I, H))", "Embed(V, H)", "Read(V, H)", "Score(I, V)"]);
    let score = printed(text, "Embed(V, H)");
    assert!(score.contains("table_adj = ∑ s in 1..T: outer(one_hot("), "{score}");
    assert!(printed("", "Bi(RNN(I, H))").contains("= reverse("));
}

/// What does not fit into one cell over one chain is refused, not printed wrong.
#[test]
fn what_is_no_cell_is_refused() {
    let text = "layer Two(I)(x : seq<n> of [I], y : seq<m> of [I]) {\n  out x + mean p in m: y[p]\n}";
    let mut sources = Sources::default();
    let library = library(text, &mut sources);
    let graph = built(&library, "Two(I)", &mut sources);
    let errors = adjoint_cell(&graph, &Options::default()).expect_err("two chains");
    assert_eq!(errors[0].code, "E0507");
}

/// Two families of states in one declaration, members with rows of their own, states read ahead.
#[test]
fn printed_families_and_reads_ahead_are_legal_and_right() {
    agree("", &["DRNN(I, H)", "DRNN(2, 3, 2)", "Clockwork(2, 3, 2)", "Clockwork(2, 3, 3, even = true)"]);
    // Components of an array at a place, two deep.
    agree("", &["GridLSTMUntied(2, 3, 2, D = 1)"]);
    agree("", &["RHN(2, 3, 2)", "RHN(2, 3, 3, coupled = true)", "BRNN(I, H, F)"]);
    let ahead = r#"
cell Ahead(I, H) {
  in    x : [I]
  state h, g : [H] = 0.5
  param W : [H, I] ~ uniform(1)
  param U, V : [H, H] ~ uniform(1)
  g = tanh(W @ x + U @ g[t+1] + V @ g[t+3])
  h = tanh(g + U @ h[t-2])
  out h
}
"#;
    agree(ahead, &["Ahead(I, H)"]);
}

/// The recipes that the stdlib checks the gradients of, in the order of the text.
fn recipes() -> Vec<String> {
    let mut sources = Sources::default();
    let library = library("", &mut sources);
    let mut recipes = Vec::new();
    for file in library.files() {
        for item in library.items(file.file) {
            let syntax::ast::ItemKind::Check(check) = &item.kind else { continue };
            recipes.push(sources.text(check.recipe.span).to_string());
        }
    }
    recipes
}

fn over_one_chain(graph: &Graph) -> bool {
    matches!(&graph.domains[..], [] | [Domain { kind: DomainKind::Chain { .. }, .. }])
}

/// No adjoint of a chain of the stdlib is refused, and each is a legal cell.
#[test]
fn every_printed_adjoint_is_legal() {
    let mut sources = Sources::default();
    let library = library("", &mut sources);
    let (mut all, mut printed) = (String::new(), 0);
    for (i, recipe) in recipes().into_iter().enumerate() {
        let graph = built(&library, &recipe, &mut sources);
        let item = match adjoint_cell(&graph, &Options::default()) {
            Ok(item) => item,
            // A printed cell is over one chain: what has several axes, or a tree, has no such spelling. Nor has a family
            // over the axes of a grid that happen to be one.
            Err(e)
                if e.iter().all(|d| d.code == "E0507")
                    && (!over_one_chain(&graph) || recipe == "MDLSTM(I = 3, H = 4, D = 1)") =>
            {
                continue;
            }
            Err(e) => panic!("{recipe}: {}", plainly(&e)),
        };
        let text = print_item(&item, Style::UNICODE);
        let syntax::ast::ItemKind::Cell(cell) = &item.kind else { panic!("no cell") };
        let head = format!("cell {}", cell.name.name);
        all += &text.replacen(&head, &format!("{head}{i}"), 1);
        all += "\n";
        printed += 1;
    }
    assert!(printed > 80, "{printed}");
    let texts = Texts([("text.rnn".to_string(), all.clone())].into());
    let mut sources = Sources::default();
    // All adjoints in one file are much for one check.
    let limits = Limits { work: 100_000_000, ..Limits::DEFAULT };
    let (library, mut errors) =
        resolve::load_within(&mut sources, &texts, &["text.rnn".to_string()], &limits);
    for root in library.roots() {
        errors.extend(rnnc::pipeline::mistakes(&library, root.file));
    }
    errors.retain(Diagnostic::is_error);
    let places = errors.iter().map(|d| {
        let places = d.labels.iter().map(|l| (rnnc::diag::place(&sources, l.span), sources.text(l.span)));
        format!("{} {}: {:?}", d.code, d.message, places.collect::<Vec<_>>())
    });
    assert!(errors.is_empty(), "{}", places.collect::<Vec<_>>().join("\n"));
}
