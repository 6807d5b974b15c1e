//! A seed to a program: items of a file and a `check grad` line that says what is built of them, how large, for how many
//! examples and steps.
//!
//! Small numbers everywhere: what goes wrong goes wrong in small programs, and they can be read.

mod cell;
mod expr;
mod layer;
mod scope;

use super::case::Case;
use super::rng::Rng;
use cell::{Points, Wanted, cell};
use expr::Exprs;
use layer::{Axes, compose};
use scope::*;

#[derive(Clone, Copy, Debug)]
enum Main {
    Cell(Points),
    Composed(Axes, bool),
    Function,
}

const MAINS: &[(usize, Main)] = &[
    (30, Main::Cell(Points::Chain)),
    (10, Main::Cell(Points::Grid2)),
    (5, Main::Cell(Points::Grid3)),
    (6, Main::Cell(Points::Grid)),
    (7, Main::Cell(Points::Tree)),
    (6, Main::Cell(Points::Children)),
    (4, Main::Cell(Points::Arity)),
    (12, Main::Composed(Axes::One, false)),
    (6, Main::Composed(Axes::Two, false)),
    (3, Main::Composed(Axes::Nested, false)),
    (5, Main::Composed(Axes::Grid, false)),
    (2, Main::Composed(Axes::Grid3, false)),
    (4, Main::Composed(Axes::Tree, false)),
    (6, Main::Composed(Axes::One, true)),
    (2, Main::Composed(Axes::Grid, true)),
    (2, Main::Composed(Axes::Tree, true)),
    (2, Main::Function),
];

/// Cells of the library: name, what may stand behind the dimensions, states, and a parameter with its shape.
type Known = (
    &'static str,
    Where,
    &'static [&'static str],
    &'static [&'static str],
    Option<(&'static str, [usize; 2])>,
);

const LIBRARY: &[Known] = &[
    ("Dense", Where::Anywhere, &[], &[], Some(("W", [1, 0]))),
    ("RNN", Where::Chain, &["relu", "identity"], &["h"], Some(("W", [1, 0]))),
    ("LSTM", Where::Chain, &["bias_f = 0.5"], &["h", "c"], Some(("W_f", [1, 0]))),
    ("GRU", Where::Chain, &["reset = after", "update = keep"], &["h"], Some(("U_r", [1, 1]))),
    ("CIFG", Where::Chain, &[], &["h", "c"], None),
    ("PeepholeLSTM", Where::Chain, &["peephole = full"], &["h", "c"], None),
    ("MGU", Where::Chain, &[], &["h"], None),
    ("UGRNN", Where::Chain, &[], &["h"], None),
    ("MDRNN", Where::Grid, &[], &[], None),
    ("MDLSTM", Where::Grid, &["peephole = true", "out = inside"], &[], None),
    ("TreeLSTM", Where::Tree, &[], &[], None),
    ("SLSTM", Where::Tree, &["start = gated"], &[], None),
];

/// Overrides of cells of the library.
const OVERRIDES: &[(&str, &str)] = &[
    ("LSTM", "i = 1 − f"),
    ("LSTM", "state i : [H] = 0; i = σ(W_i @ x + U_i @ h[t-1] + 0.5 * i[t-1])"),
    ("LSTM", "b_{i r o} = 0; out h, c"),
    ("GRU", "h = z ⊙ h[t-1] + (1 − z) ⊙ h̃"),
    ("GRU", "param s : [H] ~ normal(0.5); r = σ(s ⊙ h[t-2])"),
    ("RNN", "param U : [H, H] ~ orthogonal; h = f(W @ x + U @ h[t-1] ⊙ h[t-1])"),
];

pub fn generate(seed: u64) -> Case {
    let mut rng = Rng::new(seed);
    let rng = &mut rng;
    let (mut text, mut recipes) = (String::new(), library(rng));
    let (mut functions, mut pairs) = (Vec::new(), Vec::new());
    if rng.one_in(3) {
        let body =
            *rng.pick(&["x / (1 + abs(x))", "k * tanh(x)", "if x > 0 then x else 0.1 * x", "x * σ(k * x)"]);
        text += &format!("fn squash(x, k : real = 1.5) = {body}\n\n");
        functions.push("squash".to_string());
    }
    if rng.one_in(4) {
        let body = *rng.pick(&[
            " = a ⊙ b + 0.5 * a",
            " {\n  m = mean k in n: a[k]\n  s = max(m, b)\n  out s ⊙ b\n}",
            " {\n  c = softmax(a)\n  out c * (a · b)\n}",
        ]);
        text += &format!("fn blend(a : [n], b : [n]){body}\n\n");
        pairs.push("blend".to_string());
    }
    if rng.one_in(8) {
        let (base, with) = *rng.pick(OVERRIDES);
        text += &format!("cell Varied(I, H) = {base}(I, H) with {{ {with} }}\n\n");
        let states = vec!["h".to_string()];
        recipes.push(Recipe {
            name: "Varied".into(),
            more: vec![],
            domain: Where::Chain,
            states,
            param: None,
        });
    }
    let start = |names: &[&'static str], recipes: &[Recipe]| Scope {
        names: names.to_vec(),
        numbers: names.iter().map(|n| n.to_string()).collect(),
        recipes: recipes.to_vec(),
        functions: functions.clone(),
        pairs: pairs.clone(),
        ..Scope::default()
    };
    let main = rng.weighted(MAINS);
    for k in 0..rng.weighted(&[(4, 0), (4, 1), (1, 2)]) {
        let points = match main {
            Main::Cell(p) if !matches!(p, Points::Arity) && rng.one_in(3) => p,
            Main::Composed(Axes::Grid | Axes::Nested, _) => Points::Grid2,
            Main::Composed(Axes::Tree, _) => *rng.pick(&[Points::Tree, Points::Children]),
            _ => Points::Chain,
        };
        let name = ["Inner", "Other"][k];
        let wanted = Wanted { points, plain: true, equations: 1, depth: 2 };
        let mut e = Exprs { rng, scope: start(&["I", "H"], &recipes) };
        let made = cell(&mut e, name, &wanted);
        text += &made.text;
        text.push('\n');
        let domain = match points {
            _ if !made.has_lag => Where::Anywhere,
            Points::Chain => Where::Chain,
            Points::Tree | Points::Children | Points::Arity => Where::Tree,
            _ => Where::Grid,
        };
        let states = if domain == Where::Chain { made.states } else { vec![] };
        recipes.push(Recipe { name: name.into(), more: vec![], domain, states, param: made.param });
    }
    let names: &[&'static str] = if rng.one_in(3) { &["A", "B", "C"] } else { &["A", "B"] };
    let mut e = Exprs { rng, scope: start(names, &recipes) };
    let (name, arguments) = match main {
        Main::Cell(points) => {
            let wanted = Wanted { points, plain: false, equations: 3, depth: 3 };
            let made = cell(&mut e, "Main", &wanted);
            text += &made.text;
            let arguments = made.arguments.clone();
            match e.rng.one_in(5) {
                true => (varied(&mut e, &mut text, made), arguments),
                false => ("Main".to_string(), arguments),
            }
        }
        Main::Composed(axes, is_model) => {
            let made = compose(&mut e, "Main", axes, is_model);
            text += &made.text;
            ("Main".to_string(), made.arguments)
        }
        Main::Function => (function(&mut e, &mut text), Vec::new()),
    };
    // Now and then the recipe leaves a size open.
    let open = if rng.one_in(6) { Some(names[0]) } else { None };
    let mut size = |name: &&str| match Some(*name) == open {
        true => format!("{name} = {name}"),
        false => format!("{name} = {}", rng.weighted(&[(3, 1), (5, 2), (5, 3), (2, 4), (1, 5)])),
    };
    let dims: Vec<String> = names.iter().map(&mut size).collect();
    let steps = rng.weighted(&[(2, 1), (4, 2), (5, 3), (3, 4), (1, 6)]);
    let batch = rng.weighted(&[(2, 1), (4, 2), (3, 3)]);
    let recipe = [dims, arguments].concat().join(", ");
    text += &format!("\ncheck grad {name}({recipe}), steps = {steps}, batch = {batch}\n");
    let (training, carry, twice) = (rng.one_in(3), rng.one_in(12), rng.one_in(6));
    Case { text, seed, training, carry, twice, check: None }
}

fn library(rng: &mut Rng) -> Vec<Recipe> {
    let mut all: Vec<Recipe> = LIBRARY
        .iter()
        .map(|(name, domain, more, states, param)| Recipe {
            name: name.to_string(),
            more: more.to_vec(),
            domain: *domain,
            states: states.iter().map(|s| s.to_string()).collect(),
            param: param.map(|(p, shape)| (p.to_string(), shape)),
        })
        .collect();
    // Cells of the library are large: not many of them.
    rng.shuffle(&mut all);
    all
}

/// A cell derived from another by replacing some of its equations.
fn varied(e: &mut Exprs, text: &mut String, made: cell::Made) -> String {
    let arguments: Vec<String> = made
        .statics
        .split(", ")
        .map(|s| s.split([' ', ':']).next().unwrap_or_default().to_string())
        .collect();
    let names = arguments.join(", ");
    let mut lines: Vec<String> = Vec::new();
    for replaced in &made.equations {
        if !lines.is_empty() && !e.rng.one_in(3) {
            continue;
        }
        e.scope = made.scope.clone();
        e.scope.lines.clear();
        e.scope.vars.truncate(replaced.vars);
        e.scope.steps = false;
        e.scope.edges.clear();
        e.scope.wholes.retain(|w| w.extents == ["Q"]);
        // New names.
        e.scope.count += 100 * (1 + lines.len());
        let value = e.bounded(&replaced.shape, Over::Plain, 2);
        lines.append(&mut e.scope.lines);
        lines.push(format!("{} = {value}", replaced.name));
    }
    if let (Some(param), true) = (made.params.first(), e.rng.one_in(3)) {
        lines.push(format!("{param} = 0.2"));
    }
    let domain = if made.statics.contains(" : ") { made.statics.clone() } else { names.clone() };
    *text += &format!("\ncell Derived({domain}) = Main({names}) with {{\n");
    for line in lines {
        *text += &format!("  {line}\n");
    }
    *text += "}\n";
    "Derived".into()
}

fn function(e: &mut Exprs, text: &mut String) -> String {
    e.scope.params = false;
    for (name, shape) in
        [("a", vec![Dim::name(0)]), ("b", vec![Dim::name(1)]), ("c", vec![Dim::name(0), Dim::name(1)])]
    {
        e.scope.real(name, &shape, Over::Plain);
    }
    let shape = e.some_shape();
    e.scope.recipes.clear();
    let value = e.real(&shape, Over::Plain, 4);
    let more = if e.scope.names.len() > 2 { ", d : [C]" } else { "" };
    let tail = if more.is_empty() { "" } else { " + norm(d + 0.1)" };
    *text += &format!(
        "fn main(a : [A], b : [B], c : [A, B]{more}) = {value} + norm(a + 0.1) + norm(b + c.T){tail}\n"
    )
    .replace("norm(b + c.T)", "norm(a @ c + b + 0.1)");
    "main".into()
}
