//! `rnnc flow`: known gradients through known recurrences; and the picture of a schedule's fronts.

use crate::support::cli::Place;
use serde_json::Value;

const CELLS: &str = "\
cell Plain(I, H) {
  in    x : [I]
  state h : [H] = 0
  param U : [H, H] ~ orthogonal
  param W : [H, I] ~ normal(1)
  h = 0.9 * (U @ h[t-1]) + W @ x
  out h
}
cell Twice(I) {
  in    x : [I]
  state h : [I] = 0
  h = x + 0.5 * h[t-1] + 0.25 * h[t-2]
  out h
}
cell Still(I) {
  in x : [I]
  y = x
  out y
}
";

fn flow(place: &Place, cell: &str) -> Value {
    let ran = place.good(&["flow", "cells.rnn", "--cell", cell, "--steps", "6", "--json"]);
    serde_json::from_str(&ran.out).expect("one JSON object")
}

#[test]
fn a_rotation_that_shrinks_shrinks_every_gradient_by_its_factor() {
    let place = Place::new();
    place.write("cells.rnn", CELLS);
    let figures = flow(&place, "Plain(3, 4)");
    for t in 0..6 {
        let factor = 0.9f64.powi(5 - t);
        let at = |value: &Value| value.as_f64().expect("a number");
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-3, "step {t}: {a} against {b}");
        near(at(&figures["gradients"]["h"][t as usize]), factor);
        let step = &figures["jacobians"][t as usize];
        near(at(&step["norm"]), 0.9);
        near(at(&step["radius"]), 0.9);
        near(at(&step["product"]), factor);
    }
}

#[test]
fn what_becomes_of_a_gradient_is_said_in_words() {
    let place = Place::new();
    let grows = CELLS.replace("0.9 *", "1.2 *");
    let kept = CELLS.replace("0.9 *", "1 *");
    for (cells, word, factor, help) in [
        (CELLS, "vanishes", "0.9000", "Against vanishing help"),
        (&grows, "explodes", "1.2000", "`clip`"),
        (&kept, "arrives", "1.0000", "arrives"),
    ] {
        place.write("cells.rnn", cells);
        let said = place.good(&["flow", "cells.rnn", "--cell", "Plain(3, 4)"]).out;
        let line = format!("The gradient of `h` (cells.rnn:6:3) {word}: a step multiplies by {factor}");
        assert!(said.contains(&line) && said.contains(help), "{said}");
        assert_eq!(flow(&place, "Plain(3, 4)")["fates"]["h"]["fate"], word);
    }
}

#[test]
fn what_has_no_step_or_no_gradient_says_so() {
    let place = Place::new();
    place.write("cells.rnn", CELLS);
    let figures = flow(&place, "Twice(2)");
    assert!(figures["jacobians"]["none"].as_str().expect("a reason").contains("more than one step back"));
    assert_eq!(figures["gradients"]["h"].as_array().expect("norms").len(), 6);
    place.bad(&["flow", "cells.rnn", "--cell", "Still(2)"], &["E0508"]);
}

#[test]
fn the_picture_is_written_whole() {
    let place = Place::new();
    place.write("cells.rnn", CELLS);
    place.good(&["flow", "cells.rnn", "--cell", "Plain(2, 3)", "--picture", "flow.svg"]);
    let picture = String::from_utf8(place.read("flow.svg")).expect("text");
    assert!(picture.starts_with("<svg") && picture.contains("product of Jacobians"));
    place.bad(&["flow", "cells.rnn", "--cell", "Plain(2, 3)", "--picture", "no/such/flow.svg"], &["no/such"]);
}

/// How often each number stands in a point of a picture.
fn numbers(picture: &str, number: &str) -> usize {
    picture
        .split("<text")
        .filter(|t| t.split('>').nth(1).is_some_and(|t| t.trim().starts_with(&format!("{number}\n"))))
        .count()
}

#[test]
fn fronts_are_drawn_with_what_reads_what() {
    let place = Place::new();
    let show = |cell: &str, more: &[&str]| {
        let args = ["show", "--stage", "schedule", "--cell", cell, "--picture", "fronts.svg"];
        place.good(&[&args, more].concat());
        String::from_utf8(place.read("fronts.svg")).expect("text")
    };
    // 4 rows of 6: the fourth and the sixth diagonal have four points. An arrow for each read within the piece that is drawn.
    let grid = show("MDLSTM(2, 3)", &[]);
    assert_eq!((numbers(&grid, "1"), numbers(&grid, "4"), numbers(&grid, "9")), (2, 4, 1), "{grid}");
    assert_eq!(grid.matches("<polygon").count(), 3 * 6 + 4 * 5 + 2);
    assert!(grid.contains("anti-diagonals") && grid.contains("reads h[prev D1]"));
    // A tree up, then its adjoint down, behind it.
    let tree = show("SLSTM(2, 3)", &["--grad"]);
    assert!(tree.contains("reads c[left]") && tree.contains("[next right]"));
    assert_eq!(tree.matches("<polygon").count(), 6 + 6 + 1);
    place.bad(&["show", "--stage", "eqn", "--cell", "LSTM(2, 3)", "--picture", "a.svg"], &["E0748"]);
    place.bad(&["show", "--stage", "schedule", "--cell", "Dense(2, 3)", "--picture", "a.svg"], &["E0748"]);
    assert!(!place.path("a.svg").exists());
}

const PLANE: &str = "\
## What comes from the left is kept by 0.5, from above by 0.8.
cell Plane(H) over grid(y, x) {
  in    v : [H]
  state h : [H] = 0
  param U : [H, H] ~ orthogonal
  h = 0.8 * (U @ h[y-1, x]) + 0.5 * (U @ h[y, x-1]) + v
  out h
}
## The left child is kept by 0.5, the right one by 0.25.
cell Pair(H) over tree(left, right) {
  in    v : [H]
  state h : [H] = 0
  param U : [H, H] ~ orthogonal
  h = 0.5 * (U @ h[left]) + 0.25 * (U @ h[right]) + v
  out h
}
cell Any(H) over tree(K..) {
  in    v : [H]
  state h : [H] = 0
  h = 0.5 * (∑ k ∈ K: h[prev k]) + v
  out h
}
## Read from behind.
cell Behind(H) {
  in    v : [H]
  state h : [H] = 0
  h = 0.5 * h[t+1] + v
  out h
}
";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

fn near(a: f64, b: f64, what: &str) {
    assert!((a / b - 1.0).abs() < 1e-3, "{what}: {a} against {b}");
}

fn figures(place: &Place, cell: &str, steps: &str) -> Value {
    let ran = place.good(&["flow", "plane.rnn", "--cell", cell, "--steps", steps, "--json"]);
    serde_json::from_str(&ran.out).expect("one JSON object")
}

/// The gradient at a point of a grid is the sum over all ways from it to the last corner; on a line there is one.
#[test]
fn on_a_grid_all_ways_to_the_last_corner_count() {
    let place = Place::new();
    place.write("plane.rnn", PLANE);
    let found = figures(&place, "Plane(3)", "4");
    assert_eq!(found["axes"][0]["name"], "y");
    // U is a rotation: all ways of equal length turn the gradient alike, so their factors add.
    let ways = [1.0, 1.0, 2.0, 6.0, 24.0, 120.0, 720.0];
    for down in 0..4 {
        for right in 0..4 {
            let count = ways[down + right] / (ways[down] * ways[right]);
            let wanted = count * 0.8f64.powi(down as i32) * 0.5f64.powi(right as i32);
            let norm = number(&found["gradients"]["h"][3 - down][3 - right]);
            near(norm, wanted, &format!("{down} up, {right} to the left"));
        }
    }
    for (way, factor) in [("prev y", 0.8f64), ("prev x", 0.5)] {
        let steps = found["jacobians"][way].as_array().expect("a line");
        assert_eq!(steps.len(), 4);
        for (k, step) in steps.iter().enumerate() {
            near(number(&step["norm"]), factor, way);
            near(number(&step["radius"]), factor, way);
            near(number(&step["product"]), factor.powi(3 - k as i32), way);
        }
    }
    assert_eq!(found["jacobians"]["prev y"][0]["at"], serde_json::json!([1, 4]));
    let text = place.good(&["flow", "plane.rnn", "--cell", "Plane(3)", "--picture", "plane.svg"]).out;
    assert!(text.contains("Along prev x") && text.contains("y down, x to the right"), "{text}");
    let picture = String::from_utf8(place.read("plane.svg")).expect("text");
    // A cell for each of the 12 by 12 points, a hundred of the scale, the paper.
    assert_eq!(picture.matches("<rect").count(), 144 + 101);
    place.bad(&["flow", "plane.rnn", "--cell", "Plane(3)", "--steps", "101"], &["E0508", "10201 points"]);
}

/// A node has one way to the root: its gradient is the product of what its edges keep.
#[test]
fn in_a_tree_the_edges_to_the_root_multiply() {
    let place = Place::new();
    place.write("plane.rnn", PLANE);
    for (cell, right) in [("Pair(3)", 0.25), ("Any(3)", 0.5)] {
        let found = figures(&place, cell, "4");
        let children = found["children"].as_array().expect("nodes");
        assert_eq!(children.len(), 15);
        let mut wanted = [1.0; 15];
        for node in (0..15).rev() {
            near(number(&found["gradients"]["h"][node]), wanted[node], cell);
            let step = &found["jacobians"]["children"][node];
            near(number(&step["product"]), wanted[node], cell);
            for (child, kept) in children[node].as_array().expect("children").iter().zip([0.5, right]) {
                let child = child.as_u64().expect("a node") as usize;
                wanted[child] = kept * wanted[node];
                near(number(&found["jacobians"]["children"][child]["norm"]), kept, cell);
            }
        }
        assert!(found["jacobians"]["children"][14]["norm"].is_null(), "the root has no parent");
    }
    let text = place.good(&["flow", "plane.rnn", "--cell", "Pair(3)", "--picture", "tree.svg"]).out;
    assert!(text.contains("a tree of 31 nodes") && text.contains("┌"), "{text}");
    let picture = String::from_utf8(place.read("tree.svg")).expect("text");
    assert_eq!(picture.matches("<polyline").count(), 30, "a line to each child");
    place.bad(&["flow", "plane.rnn", "--cell", "Pair(3)", "--steps", "20"], &["E0508", "points"]);
}

#[test]
fn a_scan_from_behind_is_followed_to_its_first_step() {
    let place = Place::new();
    place.write("plane.rnn", PLANE);
    let found = figures(&place, "Behind(2)", "5");
    for t in 0..5 {
        near(number(&found["gradients"]["h"][t]), 0.5f64.powi(t as i32), "gradient");
        near(number(&found["jacobians"][t]["product"]), 0.5f64.powi(t as i32), "product");
    }
}

/// A state is followed by its equation, whatever the value that it equals is called.
#[test]
fn a_state_that_is_another_value_is_followed() {
    let place = Place::new();
    let alias = "cell Alias(H) {\n  in    v : [H]\n  state s : [H] = 0\n  w = 0.9 * s[t-1] + v\n  s = w\n  out s\n}\n";
    // The last member of a family, as in cells that are computed in small steps.
    let family = "cell Family(H) {\n  in    v : [H]\n  state s : [H] = 0\n  p[l in 1..2] = 0.9 * (if l == 1 then s[t-1] else p[l-1])\n  s = p[2] + v\n  out s\n}\n";
    place.write("plane.rnn", format!("{alias}{family}"));
    for (cell, factor) in [("Alias(3)", 0.9f64), ("Family(3)", 0.81)] {
        let found = figures(&place, cell, "6");
        for t in 0..6 {
            near(number(&found["gradients"]["s"][t]), factor.powi(5 - t as i32), cell);
        }
        assert_eq!(found["fates"]["s"]["fate"], "vanishes");
    }
}

/// Points between two steps of a longer read are met by no gradient; they say nothing of its fate.
#[test]
fn longer_steps_are_measured_between_points_that_are_met() {
    let place = Place::new();
    let cell = |name: &str, by: &str, factor: f64| {
        format!(
            "cell {name}(H) {{\n  in    v : [H]\n  state s : [H] = 0\n  s = {factor} * s[{by}] + v\n  out s\n}}\n"
        )
    };
    let cells = cell("Kept", "t-2", 1.0) + &cell("Shrinks", "t-3", 0.5) + &cell("Ahead", "t+2", 1.0);
    place.write("plane.rnn", &cells);
    for steps in ["49", "50"] {
        for (name, fate, factor) in
            [("Kept", "arrives", 1.0), ("Ahead", "arrives", 1.0), ("Shrinks", "vanishes", 0.5f64.cbrt())]
        {
            let found = figures(&place, &format!("{name}(2)"), steps);
            assert_eq!(found["fates"]["s"]["fate"], fate, "{name}, {steps}");
            near(number(&found["fates"]["s"]["factor"]), factor, name);
        }
        // Of any two neighbouring rows one is 1.
        let text = place.good(&["flow", "plane.rnn", "--cell", "Kept(2)", "--steps", steps]).out;
        let norms: Vec<&str> =
            text.lines().skip(3).take(24).filter_map(|l| l.split_whitespace().nth(1)).collect();
        assert!(norms.len() == 24 && norms.chunks(2).all(|two| two.contains(&"1.000e0")), "{text}");
    }
}

/// A loss of the last step meets a scan from behind where that begins: it does not vanish, it has no way to go.
#[test]
fn a_scan_that_begins_where_the_loss_looks_has_no_fate() {
    let place = Place::new();
    let found: Value =
        serde_json::from_str(&place.good(&["flow", "--cell", "BRNN(2, 3, 2)", "--json"]).out).expect("JSON");
    assert!(found["fates"]["b"].is_null() && !found["fates"]["f"].is_null(), "{}", found["fates"]);
    let text = place.good(&["flow", "--cell", "BRNN(2, 3, 2)"]).out;
    assert!(text.contains("The gradient of `b`") && text.contains("does not travel"), "{text}");
}

/// The library's grids, trees and attention.
#[test]
fn cells_of_the_library_are_followed() {
    let place = Place::new();
    for cell in
        ["MDLSTM(2, 3)", "GridLSTM(2, 3, 2, D = 1)", "SLSTM(2, 3)", "TreeLSTM(2, 3)", "MatchLSTM(2, 3)"]
    {
        let ran = place.good(&["flow", "--cell", cell, "--steps", "3", "--json"]);
        let found: Value = serde_json::from_str(&ran.out).expect("one JSON object");
        assert!(found["jacobians"]["none"].is_null(), "{cell}: {}", found["jacobians"]);
        let gradients = found["gradients"].as_object().expect("states");
        assert!(!gradients.is_empty(), "{cell}");
        // Along a chain there is one line, which then has no name.
        let lines: Vec<&Value> = match found["jacobians"].as_object() {
            Some(lines) => lines.values().collect(),
            None => vec![&found["jacobians"]],
        };
        for line in lines {
            for step in line.as_array().expect("steps") {
                assert!(number(&step["product"]) >= 0.0, "{cell}: {step}");
                if let (Some(norm), Some(radius)) = (step["norm"].as_f64(), step["radius"].as_f64()) {
                    assert!(radius <= norm * (1.0 + 1e-9), "{cell}: {step}");
                }
            }
        }
    }
}

/// On a chain there is one way: the gradient of all states at a step is that of the last, through the product of Jacobians.
/// So it is no greater than the last times the norm of the product; and there is one wherever there is a product.
#[test]
fn norms_of_every_chain_of_the_library_agree_with_its_jacobians() {
    let place = Place::new();
    let mut followed = 0;
    for (_, text) in rnnc::stdlib::FILES {
        for heading in rnnc::syntax::outline(text) {
            let Some(name) = heading.name.filter(|_| heading.keyword == "cell") else { continue };
            let Some(recipe) = recipe(text, &name) else { continue };
            let ran = place.run(&["flow", "--cell", &recipe, "--steps", "5", "--json"]);
            let Ok(found) = serde_json::from_str::<Value>(&ran.out) else { continue };
            let (Some(steps), Some(gradients)) =
                (found["jacobians"].as_array(), found["gradients"].as_object())
            else {
                continue;
            };
            followed += 1;
            let norm = |t: usize| gradients.values().map(|g| number(&g[t]).powi(2)).sum::<f64>().sqrt();
            let products: Vec<f64> = steps.iter().map(|s| number(&s["product"])).collect();
            let looked_at = products.iter().rposition(|p| (p - 1.0).abs() < 1e-9).unwrap_or(4);
            for (t, product) in products.iter().enumerate() {
                let most = norm(looked_at) * product;
                assert!(norm(t) <= most * (1.0 + 1e-6) + 1e-12, "{name}, step {t}: {} of {most}", norm(t));
                assert!(norm(t) > 0.0 || most < 1e-9, "{name}, step {t}: nothing, where {most} may arrive");
            }
        }
    }
    assert!(followed > 30, "{followed}");
}

/// A cell of the library with 4 for each dimension that has no value; none if it wants another cell.
fn recipe(text: &str, name: &str) -> Option<String> {
    let rest = text.split_once(&format!("\ncell {name}("))?.1;
    let statics = rest[..rest.find(')')?].split(',').filter(|s| !s.contains('='));
    let given: Option<Vec<&str>> = statics.map(|s| (!s.contains(':')).then_some("4")).collect();
    Some(format!("{name}({})", given?.join(", ")))
}
