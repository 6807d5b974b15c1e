//! `rnnc bench`: what it counts and what it refuses. Times themselves are not tested.

mod cli_support;

use cli_support::Place;
use serde_json::Value;

/// What one measurement printed, with the flops of a call worked out from it.
fn bench(args: &[&str]) -> (Value, f64) {
    let ran = Place::new().good(&[&["bench", "--json"], args].concat());
    let figures: Value = serde_json::from_str(&ran.out).expect("one JSON object");
    let number = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("`{key}` in {figures}"));
    assert!(number("min_s") > 0.0 && number("median_s") >= number("min_s"), "{figures}");
    assert!(number("runs") >= 5.0 && number("compile_s") > 0.0 && number("peak_gflops") > 0.0, "{figures}");
    let share = number("gflops") / number("peak_gflops");
    assert!((number("share_of_peak") - share).abs() < 1e-9, "{figures}");
    let shares: f64 =
        figures["time_shares"].as_object().expect("shares").values().filter_map(Value::as_f64).sum();
    assert!((shares - 1.0).abs() < 1e-6, "{figures}");
    let flops = number("gflops") * number("median_s") * 1e9;
    (figures, flops)
}

fn is_about(flops: f64, expected: usize) -> bool {
    (flops / expected as f64 - 1.0).abs() < 1e-6
}

/// Two flops for every row, and every element of the four gates' matrices.
const LSTM: usize = 2 * 4 * 16 * (8 + 16);

#[test]
fn products_of_the_forward_pass_are_counted() {
    let (figures, flops) = bench(&["--cell", "LSTM(8, 16)", "--steps", "5", "--batch", "3"]);
    assert!(is_about(flops, 5 * 3 * LSTM), "{flops}");
    for (key, value) in [("steps", 5), ("batch", 3), ("threads", 1)] {
        assert_eq!(figures[key], value);
    }
    assert_eq!(figures["cell"], "LSTM(8, 16)");
    assert_eq!(figures["mode"], "infer");
}

#[test]
fn training_counts_three_times_as_much() {
    let (_, flops) = bench(&["--cell", "LSTM(8, 16)", "--steps", "5", "--batch", "3", "--mode", "train"]);
    assert!(is_about(flops, 3 * 5 * 3 * LSTM), "{flops}");
}

#[test]
fn a_call_of_a_stream_is_one_step() {
    let (figures, flops) = bench(&["--cell", "LSTM(8, 16)", "--steps", "50", "--mode", "stream"]);
    assert!(is_about(flops, LSTM), "{flops}");
    assert_eq!(figures["batch"], 1);
}

/// Nothing is known by name: what counts are the products that were scheduled.
#[test]
fn a_cell_of_ones_own_is_measured_too() {
    let place = Place::new();
    place.write(
        "own.rnn",
        "cell Leak(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param a : [H] = 0.5
  h = a * h[t-1] + W @ x
  out h
}
",
    );
    let text = place.good(&["bench", "own.rnn", "--cell", "Leak(3, 4)", "--steps", "6"]).out;
    assert!(text.contains("Leak(3, 4)") && text.contains("batch 32") && text.contains("GFLOP/s"), "{text}");
    assert!(text.contains("products") && text.contains("kernels"), "{text}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let place = Place::new();
    place.bad(&["bench", "--cell", "LSTM(8, 8)", "--threads", "2"], &["E0743", "one thread"]);
    place.bad(
        &["bench", "--cell", "LSTM(8, 8)", "--mode", "stream", "--batch", "2"],
        &["E0743", "one example"],
    );
    place.bad(
        &["bench", "--cell", "Bi(LSTM(8, 8))", "--mode", "stream"],
        &["E0744", "it reads a sequence backwards"],
    );
    place.bad(&["bench", "--cell", "LSTM(_, 8)"], &["E0737", "--set I=64"]);
    let ran = place.run(&["bench", "--cell", "LSTM(8, 8)", "--steps", "0"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}
