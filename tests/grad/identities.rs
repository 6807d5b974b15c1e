//! What the architectures must satisfy whatever their weights: identities between cells, symmetries, causality.
//!
//! Random weights and inputs in f64 on the interpreter; a parameter has the same values in every net that has one of its
//! name and shape. That each of these tests can fail is seen by the inequalities beside them, or by a net that differs in
//! one thing.

use crate::support::domains::{Array, array, close, noise};
use ndarray::{Axis, Slice};
use rnnc::eqn::build::{Options, build};
use rnnc::eqn::eval::{Batch, eval};
use rnnc::eqn::tree::Tree;
use rnnc::eqn::{Graph, SourceKind};
use rnnc::resolve::{self, Library};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

/// Cells that state the other side of an identity, or show what a cell of the library computes on its way.
const CELLS: &str = "## What DRNN of order 2 says of the gates, in raw lags.
cell Raw(I, H) {
  in    x : [I]
  state h, s : [H] = 0
  param W_{i f s o} : [H, I] ~ uniform(1)
  param U_{i f s o} : [H, H] ~ uniform(1)
  param A_{i f o}, B_{i f o}, C_{i f o} : [H, H] ~ uniform(1)
  param b_{i f s o} : [H] = 0
  {i f} = σ(W_{i f} @ x + U_{i f} @ h[t-1] + A_{i f} @ s[t-1] + B_{i f} @ s[t-2] + C_{i f} @ s[t-3] + b_{i f})
  s = f ⊙ s[t-1] + i ⊙ tanh(W_s @ x + U_s @ h[t-1] + b_s)
  o = σ(W_o @ x + U_o @ h[t-1] + A_o @ s + B_o @ s[t-1] + C_o @ s[t-2] + b_o)
  h = o ⊙ tanh(s)
  out h
}
## Leaves of both kinds of tree the same.
cell A(I, H) = SLSTM(I, H) with {
  at leaf {
    c = W_leaf @ x
    h = tanh(c)
  }
}
cell B(I, H) = NaryTreeLSTM(I, H) with {
  param W_leaf : [H, I] ~ uniform(1)
  at leaf {
    c = W_leaf @ x
    h = tanh(c)
  }
}
cell Time(I, H) = GridLSTM(I, H, 1, rank = [0, 1], out = outside) with { out y = h[1] for l = L }
cell Looked(D, H, null : bool = true) = MatchLSTM(D, H, null = null) with { out m.h, a }
cell Gates(I, H, cut : bool) = DRNN(I, H, N = 0, truncate_gates = cut) with { out s, f }
cell Chunks(N, B, C, F, T) = FTLSTM(N, B, C, F, T) with { out u }
";

/// The text of MDLSTM with every predecessor exchanged for the successor.
fn back() -> String {
    let stdlib = include_str!("../../stdlib/mdlstm.rnn");
    let from = stdlib.find("cell MDLSTM(").expect("the cell");
    let text = stdlib[from..].split("\n}\n").next().expect("its end");
    let back = text.replace("cell MDLSTM(", "cell Back(").replace("[prev ", "[next ");
    assert!(back.contains("[next d]") && !back.contains("prev"));
    back + "\n}\n"
}

struct Cells;

impl Loader for Cells {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(format!("{CELLS}{}", back()))
    }
}

static LIBRARY: LazyLock<(Library, Mutex<Sources>)> = LazyLock::new(|| {
    let mut sources = Sources::default();
    let (library, found) = resolve::load(&mut sources, &Cells, &["cells.rnn".into()]);
    assert!(!found.iter().any(|d| d.is_error()), "{found:#?}");
    (library, Mutex::new(sources))
});

struct Net {
    graph: Graph,
    given: BTreeMap<String, Array>,
    trees: Vec<Tree>,
}

impl Net {
    /// A recipe of cells of the standard library and of [`CELLS`].
    fn new(recipe: &str) -> Net {
        let (library, sources) = &*LIBRARY;
        let recipe = {
            let mut sources = sources.lock().expect("no test panics with it");
            let file = sources.add("recipe", recipe);
            parse_recipe(&sources, file).expect("a recipe")
        };
        let (graph, diagnostics) = build(library, &recipe, &Options::default());
        let graph = graph.unwrap_or_else(|| panic!("no graph: {diagnostics:#?}"));
        let mut given = BTreeMap::new();
        for source in graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_))) {
            let shape: Vec<usize> =
                source.shape.iter().map(|d| d.as_constant().expect("a number") as usize).collect();
            let seed =
                source.name.bytes().fold(7, |seed: u64, b| seed.wrapping_mul(31).wrapping_add(b.into()));
            given.insert(source.name.to_string(), noise(seed, &shape));
        }
        Net { graph, given, trees: Vec::new() }
    }

    fn get(&self, name: &str) -> Array {
        self.given.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.given.keys())).clone()
    }

    /// With another value of a parameter.
    fn set(mut self, name: &str, value: Array) -> Net {
        assert_eq!(self.get(name).shape(), value.shape(), "{name}");
        self.given.insert(name.into(), value);
        self
    }

    fn zero(self, names: &[&str]) -> Net {
        names.iter().fold(self, |net, name| {
            let value = net.get(name) * 0.0;
            net.set(name, value)
        })
    }

    fn input(mut self, name: &str, value: &Array) -> Net {
        self.given.insert(name.into(), value.clone());
        self
    }

    fn tree(mut self, edges: &[&[i64]]) -> Net {
        self.trees = vec![Tree::new(edges.iter().copied()).expect("a tree")];
        self
    }

    fn all(&self) -> BTreeMap<String, Array> {
        let mut batch = Batch { size: 1, arrays: self.given.clone(), ..Batch::default() };
        for domain in &self.graph.domains {
            if !self.trees.is_empty() {
                batch.trees.insert(domain.extent.to_string(), self.trees.clone());
            }
        }
        eval(&self.graph, &batch).expect("values")
    }

    /// The first output.
    fn out(&self) -> Array {
        self.all()[&*self.graph.outputs[0].name].clone()
    }
}

fn differ(a: &Array, b: &Array) {
    assert_eq!(a.shape(), b.shape());
    assert!(a.iter().zip(b).any(|(x, y)| (x - y).abs() > 1e-3), "{a} is {b}");
}

fn turned(a: &Array, axes: &[usize]) -> Array {
    let mut a = a.clone();
    axes.iter().for_each(|axis| a.invert_axis(Axis(*axis)));
    a.as_standard_layout().into_owned()
}

fn part(a: &Array, axis: usize, from: usize, to: usize) -> Array {
    a.slice_axis(Axis(axis), Slice::from(from..to)).as_standard_layout().into_owned()
}

fn swapped(a: &Array, i: usize, j: usize) -> Array {
    let mut a = a.clone();
    a.swap_axes(i, j);
    a.as_standard_layout().into_owned()
}

/// The one element along the first axis.
fn only(a: &Array) -> Array {
    assert_eq!(a.shape()[0], 1);
    a.index_axis(Axis(0), 0).to_owned()
}

/// Rows, as many as there are.
fn stacked(rows: &[Array]) -> Array {
    let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
    ndarray::stack(Axis(0), &views).expect("rows of one shape")
}

fn product(a: &Array, b: &Array) -> Array {
    let matrix = |x: &Array| x.clone().into_dimensionality::<ndarray::Ix2>().expect("a matrix");
    matrix(a).dot(&matrix(b)).into_dyn()
}

fn sequence() -> Array {
    noise(1, &[6, 1, 2])
}

fn lstm() -> Net {
    Net::new("LSTM(2, 3)").input("x", &sequence())
}

// 1
#[test]
fn coupled_gates_are_an_lstm_with_negated_weights() {
    let coupled = Net::new("CIFG(2, 3)").input("x", &sequence());
    let mut full = lstm();
    for w in ["W", "U", "b"] {
        full = full.set(&format!("{w}_i"), -coupled.get(&format!("{w}_f")));
    }
    close(&coupled.out(), &full.out());
    differ(&coupled.out(), &lstm().out());
    let mut other = Net::new("CIFGGreff(2, 3)").input("x", &sequence());
    for w in ["W", "U", "b"] {
        other = other.set(&format!("{w}_i"), -coupled.get(&format!("{w}_f")));
    }
    close(&coupled.out(), &other.out());
}

// 2
#[test]
fn what_adds_nothing_leaves_an_lstm() {
    let peephole = Net::new("PeepholeLSTM(2, 3)").input("x", &sequence());
    differ(&peephole.out(), &lstm().out());
    close(&peephole.zero(&["p_i", "p_f", "p_o"]).out(), &lstm().out());
    let renamed = |recipe: &str, prefix: &str| {
        let mut net = Net::new(recipe).input("x", &sequence());
        for (name, value) in lstm().given.into_iter().filter(|(name, _)| name != "x") {
            net = net.set(&format!("{prefix}{name}"), value);
        }
        net.out()
    };
    close(&renamed("ZoneoutLSTM(2, 3, p_h = 0, p_c = 0)", "z."), &lstm().out());
    differ(&renamed("ZoneoutLSTM(2, 3)", "z."), &lstm().out());
    close(&renamed("Stack(1, LSTM(2, 3))", "l1."), &lstm().out());
}

// 3
#[test]
fn reversing_the_input_of_tied_directions_reverses_time_and_swaps_the_halves() {
    let tied = |x: &Array, is_tied: bool| {
        let mut net = Net::new("Bi(LSTM(2, 3))").input("x", x);
        for (name, value) in net.given.clone().into_iter().filter(|_| is_tied) {
            if let Some(rest) = name.strip_prefix("fw.") {
                net = net.set(&format!("bw.{rest}"), value);
            }
        }
        net.out()
    };
    let swap = |y: Array| {
        let y = turned(&y, &[0]);
        ndarray::concatenate(Axis(2), &[part(&y, 2, 3, 6).view(), part(&y, 2, 0, 3).view()]).expect("halves")
    };
    let x = sequence();
    close(&tied(&x, true), &swap(tied(&turned(&x, &[0]), true)));
    differ(&tied(&x, false), &swap(tied(&turned(&x, &[0]), false)));
}

// 4
#[test]
fn differences_of_an_order_are_lags() {
    let x = sequence();
    // The candidate is called s here and r there.
    let as_lstm = |net: Net, of: &Net| {
        ["W", "U", "b"].iter().fold(net, |net, w| net.set(&format!("{w}_r"), of.get(&format!("{w}_s"))))
    };
    let mut zeroth = Net::new("DRNN(2, 3, N = 0)").input("x", &x);
    let mut peephole = as_lstm(Net::new("PeepholeLSTM(2, 3)").input("x", &x), &zeroth);
    for gate in ["i", "f", "o"] {
        let p = peephole.get(&format!("p_{gate}"));
        let mut diagonal = noise(0, &[1, 3, 3]) * 0.0;
        (0..3).for_each(|k| diagonal[[0, k, k]] = p[[k]]);
        zeroth = zeroth.set(&format!("V_{gate}"), diagonal);
    }
    close(&zeroth.out(), &peephole.out());
    peephole = peephole.zero(&["p_o"]);
    differ(&zeroth.out(), &peephole.out());

    let second = Net::new("DRNN(2, 3, N = 2)").input("x", &x);
    let (mut cut, mut first) = (Net::new("DRNN(2, 3, N = 2)").input("x", &x), zeroth);
    let mut raw = Net::new("Raw(2, 3)").input("x", &x);
    for gate in ["i", "f", "o"] {
        let v = second.get(&format!("V_{gate}"));
        let order = |n: usize| v.index_axis(Axis(0), n).to_owned();
        raw = raw.set(&format!("A_{gate}"), order(0) + order(1) + order(2));
        raw = raw.set(&format!("B_{gate}"), -(order(1) + 2.0 * order(2)));
        raw = raw.set(&format!("C_{gate}"), order(2));
        cut = cut.set(&format!("V_{gate}"), stacked(&[order(0), order(1) * 0.0, order(2) * 0.0]));
        first = first.set(&format!("V_{gate}"), stacked(&[order(0)]));
    }
    close(&second.out(), &raw.out());
    close(&cut.out(), &first.out());
    differ(&second.out(), &first.out());
}

fn image() -> Array {
    noise(2, &[3, 4, 1, 2])
}

// 5
#[test]
fn mdlstm_over_one_axis_is_the_peephole_lstm() {
    let x = sequence();
    let mut chain = Net::new("PeepholeLSTM(2, 3)").input("x", &x);
    let grid = Net::new("MDLSTM(2, 3, D = 1, peephole = true)").input("x", &x);
    for (ours, theirs) in [("i", "i"), ("f", "f"), ("r", "c"), ("o", "o")] {
        for w in ["W", "U", "b", "p"] {
            if let ("p", "r") = (w, ours) {
                continue;
            }
            let mut value = grid.get(&format!("{w}_{theirs}"));
            while value.ndim() > if w == "W" || w == "U" { 2 } else { 1 } {
                value = only(&value);
            }
            chain = chain.set(&format!("{w}_{ours}"), value);
        }
    }
    close(&grid.out(), &chain.out());
}

// 5
#[test]
fn the_direction_of_a_grid_is_a_flip_and_its_axes_are_exchanged_with_the_weights() {
    let x = image();
    let recipe = "MDLSTM(2, 3, peephole = true)";
    let ahead = Net::new(recipe).input("x", &turned(&x, &[0, 1]));
    let back = Net::new("Back(2, 3, peephole = true)").input("x", &x);
    close(&back.out(), &turned(&ahead.out(), &[0, 1]));
    differ(&back.out(), &Net::new(recipe).input("x", &x).out());

    let mut exchanged = Net::new(recipe).input("x", &swapped(&x, 0, 1));
    for name in ["W_f", "U_i", "U_c", "U_o", "p_f", "b_f"] {
        exchanged = exchanged.set(name, turned(&ahead.get(name), &[0]));
    }
    exchanged = exchanged.set("U_f", turned(&ahead.get("U_f"), &[0, 1]));
    let straight = Net::new(recipe).input("x", &x);
    close(&straight.out(), &swapped(&exchanged.out(), 0, 1));
    differ(&straight.out(), &swapped(&Net::new(recipe).input("x", &swapped(&x, 0, 1)).out(), 0, 1));
}

// 6
#[test]
fn a_point_of_a_grid_reaches_those_behind_it_in_every_coordinate() {
    let (rows, columns) = (3, 4);
    let before = Net::new("MDLSTM(2, 3)").input("x", &image()).out();
    for (r, c) in [(0, 0), (1, 2), (2, 1), (2, 3)] {
        let mut x = image();
        x[[r, c, 0, 1]] += 0.5;
        let after = Net::new("MDLSTM(2, 3)").input("x", &x).out();
        for i in 0..rows {
            for j in 0..columns {
                let change =
                    (0..3).map(|k| (after[[i, j, 0, k]] - before[[i, j, 0, k]]).abs()).fold(0.0, f64::max);
                assert_eq!(change > 0.0, i >= r && j >= c, "({r}, {c}) to ({i}, {j})");
            }
        }
    }
}

// 7
#[test]
fn a_tree_lstm_on_a_chain_is_an_lstm() {
    let x = sequence();
    let chain: Vec<Vec<i64>> = (0..6).map(|k| vec![k - 1]).collect();
    let sum: Vec<&[i64]> = chain.iter().map(|e| if e[0] < 0 { &[][..] } else { e }).collect();
    let arity: Vec<&[i64]> = chain.iter().map(Vec::as_slice).collect();
    for (net, edges) in [
        (Net::new("TreeLSTM(2, 3)").tree(&sum), sum.clone()),
        (Net::new("NaryTreeLSTM(2, 3, K = 1)").tree(&arity), arity),
    ] {
        assert_eq!(edges.len(), 6);
        let net = net.input("x", &x);
        let mut chain = lstm();
        for (ours, theirs) in [("i", "i"), ("f", "f"), ("r", "u"), ("o", "o")] {
            for (w, rank) in [("W", 2), ("U", 2), ("b", 1)] {
                let mut value = net.get(&format!("{w}_{theirs}"));
                while value.ndim() > rank {
                    value = only(&value);
                }
                chain = chain.set(&format!("{w}_{ours}"), value);
            }
        }
        close(&net.out(), &chain.out());
    }
}

/// Leaves 0, 1, 3, 4; 2 = (0, 1), 5 = (3, 4), 6 = (2, 5).
const BINARY: [&[i64]; 7] = [&[-1, -1], &[-1, -1], &[0, 1], &[-1, -1], &[-1, -1], &[3, 4], &[2, 5]];

// 8
#[test]
fn an_s_lstm_whose_gates_do_not_see_cells_composes_as_the_binary_tree_lstm() {
    let mut x = noise(3, &[7, 1, 2]);
    for inner in [2, 5, 6] {
        x.index_axis_mut(Axis(0), inner).fill(0.0);
    }
    let nary = Net::new("B(2, 3, K = 2)").tree(&BINARY).input("x", &x);
    let mut own = Net::new("A(2, 3)").tree(&BINARY).input("x", &x);
    let at = |name: &str, index: &[usize]| {
        index.iter().fold(nary.get(name), |value, i| value.index_axis(Axis(0), *i).to_owned())
    };
    for (k, child) in ["L", "R"].iter().enumerate() {
        for (gate, theirs) in [("i", "i"), ("x", "u"), ("o", "o")] {
            own = own.set(&format!("U_{gate}_{child}"), at(&format!("U_{theirs}"), &[k]));
        }
        for (f, to) in ["L", "R"].iter().enumerate() {
            own = own.set(&format!("U_f{to}_{child}"), at("U_f", &[f, k]));
        }
    }
    for (gate, theirs) in [("i", "i"), ("x", "u"), ("o", "o"), ("fL", "f"), ("fR", "f")] {
        own = own.set(&format!("b_{gate}"), nary.get(&format!("b_{theirs}")));
    }
    differ(&own.out(), &nary.out());
    let own = own.zero(&["V_i_L", "V_i_R", "V_fL_L", "V_fL_R", "V_fR_L", "V_fR_R", "V_o"]);
    close(&own.out(), &nary.out());
}

// 8
#[test]
fn a_mirrored_tree_with_exchanged_weights_has_the_same_root() {
    let x = noise(3, &[7, 1, 2]);
    let root = |net: &Net| net.out().index_axis(Axis(0), 6).to_owned();
    let plain = Net::new("SLSTM(2, 3)").input("x", &x).tree(&BINARY);
    let mirror: Vec<Vec<i64>> = BINARY.iter().map(|e| e.iter().rev().copied().collect()).collect();
    let mirror: Vec<&[i64]> = mirror.iter().map(Vec::as_slice).collect();
    let mut other = Net::new("SLSTM(2, 3)").input("x", &x).tree(&mirror);
    differ(&root(&plain), &root(&other));
    for name in plain.given.keys() {
        let swap = |c: char| match c {
            'L' => 'R',
            'R' => 'L',
            c => c,
        };
        other = other.input(name, &plain.get(&name.chars().map(swap).collect::<String>()));
    }
    close(&root(&plain), &root(&other));
}

// 9
#[test]
fn a_multiplicative_lstm_with_a_constant_factor_is_an_lstm() {
    let x = noise(1, &[6, 1, 1]) * 0.0 + 1.0;
    let net = Net::new("MultLSTM(1, 3, F = 4)").input("x", &x);
    let net = net.set("W_mx", array(&[4, 1], &[1.0; 4]));
    let mut chain = Net::new("LSTM(1, 3)").input("x", &x);
    for (ours, theirs) in [("i", "i"), ("f", "f"), ("r", "h"), ("o", "o")] {
        chain = chain.set(&format!("W_{ours}"), net.get(&format!("W_{theirs}x")));
        chain = chain.set(&format!("U_{ours}"), product(&net.get(&format!("W_{theirs}m")), &net.get("W_mh")));
        chain = chain.set(&format!("b_{ours}"), net.get(&format!("b_{theirs}")));
    }
    close(&net.out(), &chain.out());
}

// 10
#[test]
fn time_in_a_grid_lstm_of_one_layer_is_an_lstm_on_the_projected_input() {
    let x = sequence();
    let grid = Net::new("Time(2, 3, D = 1)").input("x", &x);
    let projected = stacked(
        &(0..6)
            .map(|t| {
                swapped(
                    &product(&grid.get("E_h"), &swapped(&x.index_axis(Axis(0), t).to_owned(), 0, 1)),
                    0,
                    1,
                )
            })
            .collect::<Vec<_>>(),
    );
    let mut chain = Net::new("LSTM(3, 3)").input("x", &projected);
    for (ours, theirs) in [("i", "u"), ("f", "f"), ("r", "c"), ("o", "o")] {
        let of_time = |w: &str| grid.get(&format!("{w}_{theirs}")).index_axis(Axis(0), 0).to_owned();
        chain = chain.set(&format!("U_{ours}"), part(&of_time("W"), 1, 0, 3));
        chain = chain.set(&format!("W_{ours}"), part(&of_time("W"), 1, 3, 6));
        chain = chain.set(&format!("b_{ours}"), of_time("b"));
    }
    close(&grid.out(), &chain.out());
    let with =
        |rank: &str| Net::new(&format!("GridLSTM(2, 3, 1, D = 1, rank = {rank})")).input("x", &x).out();
    differ(&with("[0, 1]"), &with("[0, 0]"));
}

// 11
#[test]
fn forms_of_the_gru_are_exchanged() {
    let with = |options: &str| Net::new(&format!("GRU(2, 3{options})")).input("x", &sequence());
    let mut keep = with(", update = keep");
    differ(&keep.out(), &with("").out());
    for name in ["W_z", "U_z", "b_z"] {
        keep = keep.set(name, -with("").get(name));
    }
    close(&keep.out(), &with("").out());

    let mut diagonal = with("").get("U_h");
    diagonal.indexed_iter_mut().for_each(|(i, v)| *v *= f64::from(u8::from(i[0] == i[1])));
    let after = || with(", reset = after").zero(&["c_h"]);
    differ(&with("").out(), &after().out());
    close(&with("").set("U_h", diagonal.clone()).out(), &after().set("U_h", diagonal).out());
}

// 12
#[test]
fn attention_without_scores_is_a_mean_and_its_weights_sum_to_one() {
    let (hs, ht) = (noise(4, &[5, 1, 3]), noise(5, &[4, 1, 3]));
    let with = |recipe: &str, hs: &Array| Net::new(recipe).input("hs", hs).input("ht", &ht);
    let mean = hs.sum_axis(Axis(0)) / 6.0;
    let blind = with("Looked(3, 4)", &hs).zero(&["w_e"]).all()["a"].clone();
    (0..4).for_each(|t| close(&blind.index_axis(Axis(0), t).to_owned(), &mean));
    differ(&with("Looked(3, 4)", &hs).all()["a"], &blind);
    // Equal keys give that key, whatever the scores, if the weights sum to 1.
    let equal = stacked(&vec![hs.index_axis(Axis(0), 0).to_owned(); 5]);
    let seen = with("Looked(3, 4, null = false)", &equal).all()["a"].clone();
    (0..4).for_each(|t| {
        close(&seen.index_axis(Axis(0), t).to_owned(), &equal.index_axis(Axis(0), 0).to_owned())
    });
}

// 13
#[test]
fn directions_with_shared_weights_and_a_memory_that_stays_are_equal() {
    for (memory, is_equal) in [("local", true), ("travel", false)] {
        let mut net = Net::new(&format!("LGLSTM(E = 2, memory = {memory})"));
        for name in net.given.clone().keys().filter(|n| n.ends_with("_s")) {
            let all = net.get(name);
            let rows = vec![all.index_axis(Axis(0), 0).to_owned(); 8];
            net = net.set(name, stacked(&rows));
        }
        let mut net = net.input("he", &noise(1, &[4, 5, 1, 2])).input("me", &noise(2, &[4, 5, 1, 2]));
        // Hidden states as they come, memories the same in all directions.
        let shape: Vec<_> = net.graph.sources.iter().map(|s| (s.name.to_string(), s.shape.len())).collect();
        let rank = |name: &str| shape.iter().find(|(n, _)| n == name).expect("an input").1;
        assert_eq!((rank("hs"), rank("ms")), (2, 2));
        let one = noise(3, &[4, 5, 1, 1, 2]);
        let views = vec![one.view(); 8];
        net = net.input("hs", &noise(4, &[4, 5, 1, 8, 2]));
        net = net.input("ms", &ndarray::concatenate(Axis(3), &views).expect("eight"));
        let hs = net.all()["hs"].clone();
        let direction = |n: usize| hs.index_axis(Axis(3), n).to_owned();
        for n in 1..8 {
            match is_equal {
                true => close(&direction(0), &direction(n)),
                false => differ(&direction(0), &direction(n)),
            }
        }
    }
}

// 14
#[test]
fn a_frequency_reaches_the_chunks_from_the_first_that_holds_it_and_no_step_before() {
    // Chunks of 3 that overlap by 1: 1..3, 3..5, 5..7.
    let v = noise(6, &[4, 1, 7]);
    let chunks = |v: &Array| Net::new("Chunks(7, 3, 1, 2, 3)").input("v", v).out();
    let steps = |v: &Array| Net::new("FTLSTM(7, 3, 1, 2, 3)").input("v", v).out();
    for (t, frequency, first) in [(1, 0, 0), (2, 2, 0), (1, 3, 1), (2, 4, 1), (0, 6, 2)] {
        let mut other = v.clone();
        other[[t, 0, frequency]] += 0.5;
        let (before, after) = (chunks(&v), chunks(&other));
        for s in 0..4 {
            for k in 0..3 {
                let change: f64 =
                    (0..2).map(|i| (before[[s, 0, 2 * k + i]] - after[[s, 0, 2 * k + i]]).abs()).sum();
                assert_eq!(change > 0.0, s == t && k >= first, "frequency {frequency}, step {s}, chunk {k}");
            }
        }
        let (before, after) = (steps(&v), steps(&other));
        for s in 0..4 {
            let change: f64 = (0..3).map(|i| (before[[s, 0, i]] - after[[s, 0, i]]).abs()).sum();
            assert_eq!(change > 0.0, s >= t, "frequency {frequency}, step {s}");
        }
    }
}

// 15
#[test]
fn reverse_mode_is_the_forward_recursion_and_its_closed_form() {
    let (steps, x) = (6, sequence());
    let net = Net::new("RNN(2, 3)").input("x", &x);
    let h = net.out();
    // With respect to b: a_t = b_t + c_t a_{t-1}, where b_t = diag(1 − h_t²) and c_t = diag(1 − h_t²) U.
    let b: Vec<Array> = (0..steps)
        .map(|t| {
            let mut d = noise(0, &[3, 3]) * 0.0;
            (0..3).for_each(|k| d[[k, k]] = 1.0 - h[[t, 0, k]].powi(2));
            d
        })
        .collect();
    let c: Vec<Array> = b.iter().map(|b| product(b, &net.get("U"))).collect();
    let mut recursion = b[0].clone();
    for t in 1..steps {
        recursion = &b[t] + &product(&c[t], &recursion);
    }
    let mut closed = noise(0, &[3, 3]) * 0.0;
    for (i, first) in b.iter().enumerate() {
        // The last factor stands first.
        let term = (i + 1..steps).fold(first.clone(), |term, t| product(&c[t], &term));
        closed = closed + term;
    }
    close(&recursion, &closed);
    let joint = rnnc::grad::differentiate(&net.graph, &rnnc::grad::Options::default()).expect("a gradient");
    for k in 0..3 {
        let mut cotangent = h.clone() * 0.0;
        cotangent[[steps - 1, 0, k]] = 1.0;
        let net = Net { graph: joint.clone(), given: net.given.clone(), trees: Vec::new() };
        let reverse = net.input("h_adj", &cotangent).all()["b_adj"].clone();
        close(&reverse, &recursion.index_axis(Axis(0), k).to_owned());
    }
}

// 15
#[test]
fn a_gradient_cut_at_the_gates_goes_back_by_the_forget_gates_alone() {
    let x = sequence();
    let of = |cut: bool| {
        let net = Net::new(&format!("Gates(2, 3, cut = {cut})")).input("x", &x);
        let values = net.all();
        let (s, f) = (values["s"].clone(), values["f"].clone());
        let options = rnnc::grad::Options::default();
        let graph = rnnc::grad::differentiate(&net.graph, &options).expect("a gradient");
        let mut cotangent = s.clone() * 0.0;
        cotangent.index_axis_mut(Axis(0), 5).fill(1.0);
        let joint = Net { graph, given: net.given.clone(), trees: Vec::new() };
        (s, f, joint.input("s_adj", &cotangent).all()["s0_adj"].clone())
    };
    let ((s, f, cut), (whole_s, _, whole)) = (of(true), of(false));
    close(&s, &whole_s);
    let product = f.outer_iter().fold(cut.clone() * 0.0 + 1.0, |product, f| product * f);
    close(&cut, &product);
    differ(&cut, &whole);
}

// 16
#[test]
fn neighbours_that_are_one_another() {
    let x = sequence();
    let with = |recipe: &str| Net::new(recipe).input("x", &x);
    for (a, b) in [
        ("XLSTMS(2, 3)", "XLSTMSPlain(2, 3)"),
        ("XLSTMS(2, 3, forget = exponential)", "XLSTMSPlain(2, 3, forget = exponential)"),
        ("XLSTMM(2, 3)", "XLSTMMPlain(2, 3)"),
    ] {
        close(&with(a).out(), &with(b).out());
    }
    differ(&with("XLSTMS(2, 3)").out(), &with("XLSTMS(2, 3, forget = exponential)").out());

    let coupled = with("RHN(2, 3, 2, coupled = true)");
    let mut free = with("RHN(2, 3, 2)");
    differ(&coupled.out(), &free.out());
    for w in ["W", "U", "b"] {
        free = free.set(&format!("{w}_c"), -coupled.get(&format!("{w}_t")));
    }
    close(&coupled.out(), &free.out());

    // All modules at every step: a simple RNN whose recurrent blocks below the diagonal are 0.
    let clock = with("Clockwork(2, 2, 2, even = true)");
    let (w, u, b) = (clock.get("W"), clock.get("U"), clock.get("b"));
    let rnn = with("RNN(2, 4)");
    let mut all = rnn.get("U") * 0.0;
    for i in 0..2 {
        for j in i..2 {
            (0..4).for_each(|k| all[[2 * i + k / 2, 2 * j + k % 2]] = u[[i, j, k / 2, k % 2]]);
        }
    }
    let reshaped = |a: &Array, shape: &[usize]| array(shape, &a.iter().copied().collect::<Vec<_>>());
    let rnn = rnn.set("W", reshaped(&w, &[4, 2])).set("b", reshaped(&b, &[4])).set("U", all);
    close(&clock.out(), &rnn.out());
    differ(&with("Clockwork(2, 2, 2)").out(), &rnn.out());

    let start = noise(8, &[1, 3]);
    let still = with("AntisymmetricRNN(2, 3, ε = 0)").input("h0", &start).out();
    (0..6).for_each(|t| close(&still.index_axis(Axis(0), t).to_owned(), &start));
    let moving = with("AntisymmetricRNN(2, 3)").input("h0", &start).out();
    differ(&moving.index_axis(Axis(0), 5).to_owned(), &start);
}
