//! `rnnc flow`: known gradients through known recurrences.

mod cli_support;

use cli_support::Place;
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
