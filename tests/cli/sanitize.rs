//! The tool from outside: numbers that go wrong are found, named, and change nothing else.

use crate::support::cli::Place;
use rnnc::weights::{Array, Arrays, npz};

const CELLS: &str = "cell Shares(I, H) {
  in x : [I]
  state h : [H] = 0
  param W : [H, I] = 1
  param U : [H, H] = 0.5
  s = exp(W @ x + U @ h[t-1])
  h = s / (sum k in 1..H: s[k])
  out h
}
cell Length(I) {
  in x : [I]
  state h : [I] = 0
  h = sqrt(h[t-1]^2 + x^2)
  out h
}
cell Masked(H) {
  in x : [H]
  m = if x < 0 then −inf else x
  p = softmax(m)
  r = if x < 50 then log(1 + exp(x)) else x
  out p, r
}
cell Corner(H) over grid(i, j) {
  in x : [H]
  state h : [H] = 0
  h = h[i-1, j] + h[i, j-1] + exp(x)
  out h
}
";

fn ones(shape: &[usize]) -> Vec<f32> {
    vec![1.0; shape.iter().product()]
}

/// `[steps, batch, width]` of ones, with other values at some places.
fn input(shape: [usize; 3], changed: &[(usize, usize, f32)]) -> Array {
    let mut values = ones(&shape);
    for (step, entry, value) in changed {
        let at = (step * shape[1] + entry) * shape[2];
        values[at..at + shape[2]].fill(*value);
    }
    Array::f32(shape.to_vec(), values)
}

fn file(place: &Place, arrays: Vec<(&str, Array)>) {
    let arrays: Arrays = arrays.into_iter().map(|(name, array)| (name.to_string(), array)).collect();
    place.write("in.npz", npz::write(&arrays).expect("arrays"));
}

fn place() -> Place {
    let place = Place::new();
    place.write("c.rnn", CELLS);
    place
}

const RUN: [&str; 9] = ["run", "c.rnn", "--in", "in.npz", "--out", "out.npz", "--seed", "1", "--cell"];

fn args<'a>(cell: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&RUN[..], &[cell], more].concat()
}

/// What is told of a run that goes wrong. Without looking for it, the same bits are written and nothing is said.
fn told(place: &Place, cell: &str, more: &[&str]) -> String {
    assert_eq!(place.good(&args(cell, more)).err, "");
    let silent = place.read("out.npz");
    let ran = place.run(&args(cell, &[more, &["--sanitize"]].concat()));
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(place.read("out.npz") == silent, "results are the same bits");
    ran.err
}

#[test]
fn an_overflow_is_named_with_its_equation_step_and_entry() {
    let place = place();
    file(&place, vec![("x", input([5, 3, 2], &[(2, 1, 60.0)]))]);
    insta::assert_snapshot!(told(&place, "Shares(2, 4)", &[]));
    assert!(
        told(&place, "Shares(2, 4)", &["--interpret"])
            .contains("`s` becomes infinite at t = 3, batch entry 2")
    );
    // In double precision exp(120) is a number.
    place.good(&args("Shares(2, 4)", &["--f64", "--sanitize"]));
}

#[test]
fn a_gradient_that_goes_wrong_is_named() {
    let place = place();
    file(&place, vec![("x", input([4, 2, 2], &[(0, 1, 0.0)])), ("h_adj", input([4, 2, 2], &[]))]);
    place.good(&args("Length(2)", &["--sanitize"]));
    insta::assert_snapshot!(told(&place, "Length(2)", &["--grad"]));
    assert!(told(&place, "Length(2)", &["--grad", "--f64"]).contains("batch entry 2"));
}

#[test]
fn an_array_that_is_not_finite_is_named_and_padding_is_not() {
    let place = place();
    let lengths = || Array { shape: vec![3], data: rnnc::weights::Data::I64(vec![5, 4, 2]) };
    file(
        &place,
        vec![("x", input([5, 3, 2], &[(3, 2, f32::NAN), (4, 1, f32::NAN)])), ("lengths", lengths())],
    );
    place.good(&args("Shares(2, 4)", &["--sanitize"]));
    file(
        &place,
        vec![("x", input([5, 3, 2], &[(3, 2, f32::NAN), (3, 1, f32::NAN)])), ("lengths", lengths())],
    );
    let said = told(&place, "Shares(2, 4)", &[]);
    assert!(said.contains("the input `x` holds NaN at t = 4, batch entry 2"), "{said}");
    let wrong = Array::f32(vec![4, 2], [&[f32::INFINITY], &ones(&[7])[..]].concat());
    file(&place, vec![("x", input([5, 3, 2], &[])), ("W", wrong)]);
    let said = told(&place, "Shares(2, 4)", &[]);
    assert!(
        said.contains("the parameter `W` holds infinite") && said.contains("7 times 1, 1 infinite"),
        "{said}"
    );
}

/// A mask of −∞, and an infinity that is not chosen, are as they should be; what is made of nothing but masks is not.
#[test]
fn what_was_meant_is_no_fault_until_it_is_nan() {
    let place = place();
    let mut half = input([3, 2, 4], &[(1, 0, 95.0)]);
    let rnnc::weights::Data::F32(values) = &mut half.data else { panic!() };
    values[0] = -1.0;
    file(&place, vec![("x", half)]);
    let ran = place.good(&args("Masked(4)", &["--sanitize", "--grad"]));
    assert_eq!(ran.err, "");
    file(&place, vec![("x", input([3, 2, 4], &[(2, 1, -1.0)]))]);
    let said = told(&place, "Masked(4)", &[]);
    for part in ["`p` becomes NaN at t = 3, batch entry 2", "`m`: 4 infinite", "p = softmax(m)"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_point_of_a_grid_is_named_by_its_axes() {
    let place = place();
    let mut values = ones(&[3, 4, 2, 2]);
    values[(4 + 2) * 2 * 2 + 3] = 95.0;
    file(&place, vec![("x", Array::f32(vec![3, 4, 2, 2], values))]);
    let said = told(&place, "Corner(2)", &[]);
    assert!(said.contains("at i = 2, j = 3, batch entry 2"), "{said}");
}

/// The rate is far too great; the model's numbers grow until they are none.
const MODEL: &str = "cell Ratio(lr : real) over chain(k) {
  in    g : [..]
  state w : [..]
  state n : [..] = 0
  n = 0.5 * n[k-1] + g^2
  w = w[k-1] - lr * g / sqrt(n)
  out w
}
model Adds(H = 4) {
  in x : seq<n> of [2]
  in y : [1]
  param dead : [3] = -1
  h = RNN(2, H, identity)(x)
  v = Dense(H, 1)(h.h_last) + (sum k in 1..3: max(dead[k], 0))
  out  v
  loss squared_error(v, y)
  metric far = sqrt(y[1] - 3)
  data { x, y = task(\"adding\", steps = 12, count = 60, seed = 3); split = [0.8, 0.2] }
  train { optimizer = SGD(lr = 1e-3); batch = 4; epochs = 3; seed = 5 }
}
";

fn model() -> Place {
    let place = Place::new();
    place.write("m.rnn", MODEL);
    place
}

fn words(text: &str) -> String {
    text.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn training_that_comes_to_nan_says_where_and_keeps_what_was_good() {
    let place = model();
    let wild = "train.optimizer=SGD(lr = 1e-3 * (if k < 15 then 1 else 1e9))";
    let ran = place.run(&["train", "m.rnn", "--out", "a", "--set", wild]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let said = words(&ran.err);
    for part in [
        "E0810",
        "the loss of epoch 2, step",
        "(example ",
        "of the data)",
        "<stdlib>/",
        "The last good checkpoint is kept: a, after epoch 1, step 0.",
        "`rnnc train m.rnn --resume --out a`",
        "--set train.clip",
        "rnnc flow",
        "`--from a`",
    ] {
        assert!(said.contains(part), "{part}: {}", ran.err);
    }
    let best = place.read("a/best.safetensors");
    let checkpoint =
        rnnc::train::checkpoint::Checkpoint::from_bytes("c", &place.read("a/checkpoint.safetensors"));
    let checkpoint = checkpoint.expect("a whole checkpoint");
    assert!(checkpoint.arrays.values().all(|a| a.to_f64().iter().all(|x| x.is_finite())));
    let page = String::from_utf8(place.read("a/report.html")).expect("text");
    assert!(page.contains("went wrong") && page.contains("E0810"), "{page}");
    // The same again, to the step.
    let again = place.run(&["train", "m.rnn", "--out", "a", "--resume", "--set", wild]);
    let headline = |text: &str| words(text).split(':').next().unwrap_or("").to_string();
    assert!(
        again.code == 1 && !headline(&again.err).is_empty() && place.read("a/best.safetensors") == best,
        "{}",
        again.err
    );
    assert!(words(&again.err).contains("the loss of epoch 2, step"), "{}", again.err);
    place.good(&["train", "m.rnn", "--out", "b", "--from", "a", "--set", "train.epochs=1"]);
    place.good(&["train", "m.rnn", "--out", "c", "--set", "train.epochs=1"]);
    assert!(place.read("b/best.safetensors") != place.read("c/best.safetensors"), "it began elsewhere");
    let both = place.run(&["train", "m.rnn", "--resume", "--from", "a"]);
    assert_eq!(both.code, 2, "{}", both.err);
}

#[test]
fn looking_changes_no_bit_and_finds_updates_and_metrics() {
    let place = model();
    place.write("m.rnn", MODEL.replace("sqrt(y[1] - 3)", "y[1]"));
    for (out, more) in [("plain", &[][..]), ("looked", &["--sanitize"])] {
        place.good(&[&["train", "m.rnn", "--out", out][..], more].concat());
    }
    for file in ["checkpoint.safetensors", "best.safetensors", "run.json"] {
        assert!(place.read(&format!("plain/{file}")) == place.read(&format!("looked/{file}")), "{file}");
    }
    // A gradient of 0 over a sum of squares of 0.
    let ratio = ["train", "m.rnn", "--out", "r", "--set", "train.optimizer=Ratio(lr = 1e-3)"];
    let ran = place.run(&[&ratio[..], &["--sanitize"]].concat());
    assert_eq!(ran.code, 1);
    let said = words(&ran.err);
    for part in
        ["`dead` is not finite after the update of epoch 1, step 1", "`w` becomes NaN at k = 1", "m.rnn:6"]
    {
        assert!(said.contains(part), "{part}: {}", ran.err);
    }
    let ran = place.run(&[&ratio[..3], &["s"], &ratio[4..]].concat());
    assert_eq!(ran.code, 1, "the next loss shows it: {}", ran.err);
    assert!(words(&ran.err).contains("the parameter `dead` holds NaN"), "{}", ran.err);

    place.write("m.rnn", MODEL);
    place.good(&["train", "m.rnn", "--out", "t", "--set", "train.epochs=1"]);
    let ran = place.run(&["train", "m.rnn", "--out", "u", "--sanitize"]);
    let said = words(&ran.err);
    assert!(ran.code == 1 && said.contains("the metric `far` of epoch 1, step 1 is NaN"), "{}", ran.err);
    assert!(said.contains("metric far = sqrt(y[1] - 3)"), "{}", ran.err);
    place.good(&["eval", "m.rnn", "--run", "t"]);
    place.bad(
        &["eval", "m.rnn", "--run", "t", "--sanitize"],
        &["batch 1 of the evaluation", "sqrt(y[1] - 3)"],
    );
}
