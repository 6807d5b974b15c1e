//! `rnnc bench`: what it counts and what it refuses. Times themselves are not tested.

use crate::support::cli::Place;
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

/// Each stage with what it does, and all of them together are a call.
#[test]
fn the_time_of_a_call_is_told_stage_by_stage() {
    let args = ["--cell", "LSTM(8, 16)", "--steps", "5", "--batch", "3", "--mode", "train"];
    let (figures, flops) = bench(&args);
    let stages = figures["stages"].as_array().expect("stages");
    let sum = |key: &str| -> f64 { stages.iter().filter_map(|s| s[key].as_f64()).sum() };
    assert!((sum("share") - 1.0).abs() < 1e-6, "{figures}");
    assert!((sum("seconds") / figures["median_s"].as_f64().unwrap() - 1.0).abs() < 1e-6, "{figures}");
    // The backward pass may leave out what nobody reads, but no product is missing or counted twice.
    assert!((0.9..1.1).contains(&(sum("flops") / flops)), "{} of {flops}: {figures}", sum("flops"));
    let recurrent = stages.iter().find(|s| s["stage"].as_str().unwrap().ends_with("@ h"));
    let recurrent = recurrent.unwrap_or_else(|| panic!("the product in the loop: {figures}"));
    assert_eq!(recurrent["calls"], 5.0);
    assert!(is_about(recurrent["flops"].as_f64().unwrap(), 5 * 3 * 2 * 16 * 64), "{recurrent}");
    assert!(recurrent["bound_s"].as_f64().unwrap() > 0.0 && recurrent["bound_by"].is_string(), "{recurrent}");
    let bandwidths = figures["bandwidths_gb_per_s"].as_object().expect("bandwidths");
    assert!(bandwidths.values().all(|v| v.as_f64().unwrap() > 0.0) && bandwidths.len() >= 2, "{figures}");
    let compile: f64 = figures["compile_steps"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
    assert!((compile - figures["compile_s"].as_f64().unwrap()).abs() < 1e-9, "{figures}");
}

#[test]
fn two_cells_are_compared_by_turns() {
    let place = Place::new();
    let args = ["bench", "--cell", "LSTM(8, 16)", "--compare", "LSTM(16, 32)", "--steps", "20"];
    let figures: Value = serde_json::from_str(&place.good(&[&args[..], &["--json"]].concat()).out).unwrap();
    assert_eq!(
        (&figures["first"]["cell"], &figures["second"]["cell"]),
        (&"LSTM(8, 16)".into(), &"LSTM(16, 32)".into())
    );
    let number = |key: &str| figures["comparison"][key].as_f64().unwrap();
    assert!(number("quarter") <= number("ratio") && number("ratio") <= number("three_quarters"), "{figures}");
    assert!(number("ratio") > 1.0 && number("turns") >= 5.0, "four times the work: {figures}");
    let ran = place.run(&["bench", "--compare", "LSTM(8, 8)"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    place.bad(&["bench", "--cell", "LSTM(8, 8)", "--compare", "LSTM(8, _)"], &["E0737", "H"]);
}

/// A table of many cells can be made in less time than each takes by itself.
#[test]
fn how_long_to_measure_can_be_said() {
    let args = ["--cell", "LSTM(8, 16)", "--steps", "5", "--batch", "3", "--seconds"];
    let [little, more] = ["0.01", "0.3"].map(|s| bench(&[&args[..], &[s]].concat()).0["runs"].as_u64());
    assert!(little < more, "{little:?} runs, {more:?} runs");
    for wrong in ["0", "-1", "nan", "1e9", "soon"] {
        let ran = Place::new().run(&[&["bench"], &args[..], &[wrong]].concat());
        assert_eq!(ran.code, 2, "{}", ran.err);
    }
}

#[test]
fn the_roofline_is_a_picture() {
    let place = Place::new();
    place.good(&["bench", "--cell", "LSTM(8, 16)", "--steps", "5", "--picture", "roof.svg"]);
    let svg = String::from_utf8(place.read("roof.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("GFLOP/s") && svg.contains("product [16, 64]"), "{svg}");
}

/// Trees and grids are as large as the steps say.
#[test]
fn cells_over_other_domains_are_measured_too() {
    let (figures, flops) = bench(&["--cell", "SLSTM(8, 8)", "--steps", "4", "--batch", "2"]);
    assert!(flops > 0.0, "{figures}");
    let (figures, flops) = bench(&["--cell", "MDLSTM(8, 8)", "--steps", "4", "--batch", "2"]);
    assert!(flops > 0.0, "{figures}");
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
    place.bad(
        &["bench", "--cell", "LSTM(8, 8)", "--mode", "stream", "--batch", "2"],
        &["E0743", "one example"],
    );
    place.bad(
        &["bench", "--cell", "Bi(LSTM(8, 8))", "--mode", "stream"],
        &["E0744", "it reads a sequence backwards"],
    );
    place.bad(&["bench", "--cell", "LSTM(_, 8)"], &["E0737", "--set I=64"]);
    for (flag, value) in [("--steps", "0"), ("--threads", "0"), ("--threads", "10000")] {
        let ran = place.run(&["bench", "--cell", "LSTM(8, 8)", flag, value]);
        assert!(ran.code == 2 && ran.err.contains(flag) && ran.err.contains(value), "{}", ran.err);
    }
}
