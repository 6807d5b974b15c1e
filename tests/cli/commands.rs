//! The tool from outside: commands that show and evaluate.

use crate::support::cli::Place;
use rnnc::weights::{Array, Arrays, Data, npz};
use std::io::Read;

/// A leaky sum that no library has.
const LEAK: &str = "cell Leak(I, H) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param a : [H] = 0.5
  h = a * h[t-1] + W @ x
  out h
}
";

#[test]
fn every_command_explains_itself_with_an_example() {
    let place = Place::new();
    let help = place.good(&["--help"]).out;
    for command in ["check", "explain", "show", "grad", "run", "test", "train", "eval", "generate", "bench"] {
        assert!(help.contains(command), "{help}");
        let own = place.good(&[command, "--help"]).out;
        assert!(own.contains("Example") && own.contains(&format!("rnnc {command}")), "{own}");
    }
    assert_eq!(place.run(&["no-such-command"]).code, 2);
    assert_eq!(place.run(&["check"]).code, 2);
    assert!(place.good(&["--version"]).out.contains("rnnc"));
}

#[test]
fn codes_are_explained() {
    let place = Place::new();
    assert!(place.good(&["explain", "e0830"]).out.contains("vocabulary"));
    assert!(place.good(&["explain"]).out.contains("E0724"));
    place.bad(&["explain", "E0xyz"], &["there is no code `E0xyz`", "codes are of E0101 to E"]);
    let ran = place.run(&["explain", "E9999"]);
    assert!(!ran.err.contains("did you mean"), "{}", ran.err);
}

#[test]
fn check_tells_mistakes_with_their_place() {
    let place = Place::new();
    place.write("good.rnn", LEAK);
    place.good(&["check", "good.rnn"]);
    place.write("bad.rnn", LEAK.replace("out h", "out"));
    place.bad(&["check", "good.rnn", "bad.rnn"], &["bad.rnn:", "error[E01"]);
    let json = place.run(&["check", "--json", "bad.rnn"]);
    assert_eq!(json.code, 1);
    let list: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(list[0]["severity"], "error");
    assert!(list[0]["labels"][0]["from"].as_str().expect("a place").starts_with("bad.rnn:"));
    assert_eq!(place.good(&["check", "--json", "good.rnn"]).out.trim(), "[]");
    place.bad(&["check", "missing.rnn"], &["missing.rnn"]);
}

#[test]
fn imports_do_not_leave_the_folder() {
    let place = Place::new();
    place.write("secret.rnn", LEAK);
    place.write("inner/a.rnn", "use \"../secret.rnn\"\n");
    place.bad(&["check", "inner/a.rnn"], &["inner/a.rnn"]);
}

#[test]
fn every_stage_is_shown() {
    let place = Place::new();
    place.write("leak.rnn", LEAK);
    let show = |stage: &str, cell: &str| {
        place.good(&["show", "leak.rnn", "--stage", stage, "--cell", cell, "--target", "x86_64"]).out
    };
    assert!(show("ast", "Leak(I, H)").contains("cell Leak(I, H)"));
    assert!(show("eqn", "Leak(I, H)").contains("state h"));
    assert!(show("grad", "Leak(I, H)").contains("out W_adj"));
    assert!(show("schedule", "Leak(3, 4)").contains("every step of n"));
    assert!(show("loops", "Leak(3, 4)").contains("for t in"));
    assert!(show("clif", "Leak(3, 4)").contains("function"));
    assert!(show("asm", "Leak(3, 4)").contains("mov"));
    place.bad(
        &["show", "leak.rnn", "--stage", "asm", "--cell", "Leak(I, 4)"],
        &["numbers for `I`", "--set I="],
    );
    place.good(&["show", "leak.rnn", "--stage", "loops", "--cell", "Leak(I, 4)", "--set", "I=2"]);
    place.bad(
        &["show", "--stage", "asm", "--cell", "LSTM(2, 2)", "--target", "pdp11"],
        &["no target `pdp11`"],
    );
    place.bad(&["show", "--stage", "eqn", "--cell", "Nothing(1)"], &["Nothing"]);
    place.bad(&["show", "--stage", "eqn"], &["no model"]);
}

fn array(shape: &[usize], f: impl Fn(usize) -> f32) -> Array {
    Array::f32(shape.to_vec(), (0..shape.iter().product()).map(f).collect())
}

fn inputs() -> Arrays {
    Arrays::from([
        ("x".to_string(), array(&[3, 2, 1], |i| [1.0, 2.0, 3.0, 4.0, 5.0, 6.0][i])),
        ("W".to_string(), array(&[2, 1], |i| [1.0, -1.0][i])),
        ("a".to_string(), array(&[2], |_| 0.5)),
        ("lengths".to_string(), Array { shape: vec![2], data: Data::I64(vec![3, 2]) }),
    ])
}

fn run(place: &Place, extra: &[&str]) -> Arrays {
    place.write("in.npz", npz::write(&inputs()).expect("bytes"));
    let mut args = vec!["run", "leak.rnn", "--cell", "Leak(1, 2)", "--in", "in.npz", "--out", "out.npz"];
    args.extend(extra);
    place.good(&args);
    npz::read("out.npz", &place.read("out.npz")).expect("arrays")
}

#[test]
fn run_evaluates_and_differentiates() {
    let place = Place::new();
    place.write("leak.rnn", LEAK);
    for mode in [&["--grad"][..], &["--grad", "--interpret"], &["--grad", "--f64"]] {
        let out = run(&place, mode);
        // Example 0: 1, 3.5, 6.75; example 1: 2, 5, then nothing.
        assert_eq!(out["h"].shape, [3, 2, 2]);
        assert_eq!(out["h"].to_f64()[..4], [1.0, -1.0, 2.0, -2.0], "{mode:?}");
        assert_eq!(out["h_last"].to_f64(), [6.75, -6.75, 5.0, -5.0], "{mode:?}");
        assert!(out["W_adj"].to_f64().iter().all(|v| *v == 0.0), "no cotangent was given");
        assert_eq!(out["h0_adj"].shape, [2, 2]);
    }
    let mut given = inputs();
    given.insert("h_adj".to_string(), array(&[3, 2, 2], |_| 1.0));
    place.write("in.npz", npz::write(&given).expect("bytes"));
    let args = ["run", "leak.rnn", "--cell", "Leak(1, 2)", "--in", "in.npz", "--out", "out.npz", "--grad"];
    place.good(&args);
    let out = npz::read("out.npz", &place.read("out.npz")).expect("arrays");
    // dL/dW = sum of h_adj summed over later steps: 1*1.75 + 3*1.5 + 5 and 2*1.5 + 4.
    assert_eq!(out["W_adj"].to_f64(), [18.25, 18.25]);
}

#[test]
fn the_number_of_steps_comes_from_the_arrays() {
    let place = Place::new();
    place.write("leak.rnn", LEAK).write("count.rnn", COUNT);
    let mut given = inputs();
    given.insert("lengths".to_string(), Array { shape: vec![2], data: Data::I64(vec![1, 2]) });
    given.insert("h_adj".to_string(), array(&[3, 2, 2], |_| 1.0));
    place.write("in.npz", npz::write(&given).expect("bytes"));
    let args = ["run", "leak.rnn", "--cell", "Leak(1, 2)", "--in", "in.npz", "--out", "out.npz", "--grad"];
    for mode in [&[][..], &["--interpret"], &["--f64"]] {
        place.good(&[&args[..], mode].concat());
        let out = npz::read("out.npz", &place.read("out.npz")).expect("arrays");
        assert_eq!(
            (&out["h"].shape[..], &out["x_adj"].shape[..]),
            (&[3, 2, 2][..], &[3, 2, 1][..]),
            "{mode:?}"
        );
        // Example 0: 1; example 1: 2, 5.
        let h = [1.0, -1.0, 2.0, -2.0, 0.0, 0.0, 5.0, -5.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(out["h"].to_f64(), h, "{mode:?}");
        assert_eq!(out["W_adj"].to_f64(), [1.0 + 2.0 * 1.5 + 4.0; 2], "{mode:?}");
    }
    // An array that changes nothing has its steps, too.
    let mut given = inputs();
    given.insert("lengths".to_string(), Array { shape: vec![2], data: Data::I64(vec![1, 0]) });
    place.write("in.npz", npz::write(&given).expect("bytes"));
    for mode in [&[][..], &["--f64"]] {
        let args = ["run", "count.rnn", "--cell", "Count(1)", "--in", "in.npz", "--out", "out.npz"];
        place.good(&[&args[..], mode].concat());
        let out = npz::read("out.npz", &place.read("out.npz")).expect("arrays");
        assert_eq!((&out["h"].shape[..], out["h"].to_f64()[0]), (&[3, 2, 1][..], 2.0), "{mode:?}");
    }
}

/// A cell whose input changes nothing, one of a static number of steps, one without input, one that looks up ids.
const COUNT: &str = "cell Count(I) {
  in    x : [I]
  state h : [I] = 1
  h = 2 * h[t-1] + 0 * x
  out h
}
cell Long(N) over chain(t in 1..N) {
  state h : [] = 1
  h = 0.5 * h[t-1] + t
  out h
}
cell Free(H) {
  state h : [H] = 1
  h = 0.5 * h[t-1]
  out h
}
cell Pick(V) {
  in w : id(V)
  param table : [V, 2] = 1
  out y = table[w]
}
";

#[test]
fn a_run_is_refused_before_it_costs_too_much() {
    let place = Place::new();
    place.write("count.rnn", COUNT);
    let refused = |cell: &str, given: Arrays, extra: &[&str], parts: &[&str]| {
        place.write("in.npz", npz::write(&given).expect("bytes"));
        let args = ["run", "count.rnn", "--cell", cell, "--in", "in.npz", "--out", "out.npz"];
        for mode in [&[][..], &["--f64"]] {
            place.bad(&[&args[..], mode, extra].concat(), parts);
        }
    };
    let lengths = |n: f64| Arrays::from([("lengths".to_string(), array(&[1], |_| n as f32))]);
    refused("Long(100000000)", Arrays::new(), &[], &["E0913", "100000000 steps, more than 16777216"]);
    refused(
        "Free(1)",
        lengths(1e9),
        &[],
        &["E0747", "example 1: 1000000000 is no length from 0 to 16777216"],
    );
    refused("Free(1000)", lengths(1e7), &[], &["E0911", "more than the limit of 16.0 GiB", "--max-memory"]);
    refused(
        "Free(1000)",
        lengths(1e4),
        &["--max-memory", "10MiB"],
        &["E0911", "limit of 10.0 MiB", "`--max-memory` raises the limit"],
    );
    let w = Arrays::from([("w".to_string(), array(&[2, 0], |_| 0.0))]);
    refused("Pick(5)", w, &["--seed", "1"], &["E0746", "has no example"]);
}

/// `cell` of the library on `x` of this shape, all ones, and further arrays of whole numbers.
fn of_ones(place: &Place, x: &[usize], more: &[(&str, &[usize], &[i64])]) {
    let mut given = Arrays::from([("x".to_string(), array(x, |_| 1.0))]);
    for (name, shape, values) in more {
        let of = Array { shape: shape.to_vec(), data: Data::I64(values.to_vec()) };
        given.insert(name.to_string(), of);
    }
    place.write("in.npz", npz::write(&given).expect("bytes"));
}

const RUN: [&str; 6] = ["run", "--seed", "1", "--in", "in.npz", "--cell"];

#[test]
fn each_grid_of_a_batch_has_lengths_of_its_own() {
    let place = Place::new();
    let args = [&RUN[..], &["MDLSTM(2, 3)", "--out", "out.npz"]].concat();
    let last = |place: &Place, at: usize| {
        place.good(&args);
        let h = npz::read("out.npz", &place.read("out.npz")).expect("arrays");
        h["h"].to_f64()[at..at + 3].to_vec()
    };
    // [3, 4] points, 2 examples, 3 units; the second is a grid of 2 × 3.
    of_ones(&place, &[3, 4, 2, 2], &[("lengths", &[2, 2], &[3, 4, 2, 3])]);
    let (ragged, behind) = (last(&place, ((4 + 2) * 2 + 1) * 3), last(&place, ((4 + 3) * 2 + 1) * 3));
    of_ones(&place, &[2, 3, 1, 2], &[]);
    assert_eq!(ragged, last(&place, 5 * 3));
    assert_eq!(behind, [0.0; 3]);
    let refused = |lengths: &[usize], values: &[i64], parts: &[&str]| {
        of_ones(&place, &[3, 4, 2, 2], &[("lengths", lengths, values)]);
        place.bad(&args, &[&["E0747"], parts].concat());
    };
    refused(&[2, 2], &[3, 4, 2, 5], &["example 2 along axis 2: 5 is no length from 0 to 4"]);
    refused(&[2, 3], &[1; 6], &["must have the shape [2], and not [2, 3]", "[2, 2]"]);
}

#[test]
fn what_is_no_tree_is_refused_with_its_place_and_its_mend() {
    let place = Place::new();
    let args = [&RUN[..], &["SLSTM(2, 3)", "--out", "out.npz"]].concat();
    for (children, parts) in [
        ([2, -1, -1, -1, 0, 1], ["example 1, node 0 is below itself: 0 → 2 → 0", "take one of these"]),
        ([1, -1, -1, -1, 0, -1], ["node 0 has child 1, which does not come before it", "the root last"]),
        ([-1, -1, 0, -1, 0, 1], ["node 0 has two parents, 1 and 2", "repeat the node"]),
        ([-1, -1, -1, -1, 0, 7], ["node 2 has child 7, but nodes are numbered 0 to 2", "-1 is no child"]),
        ([-1, -1, -1, -1, 0, -1], ["node 1 has no parent", "or leave it out"]),
    ] {
        of_ones(&place, &[3, 1, 2], &[("children", &[1, 3, 2], &children)]);
        place.bad(&args, &[&["E0747"], &parts[..]].concat());
    }
    of_ones(&place, &[3, 1, 2], &[("children", &[1, 3, 2], &[-1, -1, -1, -1, 0, 1])]);
    place.good(&args);
}

#[test]
fn what_is_no_symbol_is_shown_with_its_place() {
    let place = Place::new();
    place.write("count.rnn", COUNT);
    for (wrong, shown) in [(5.0, "5"), (1.5, "1.5"), (f32::NAN, "NaN"), (-2.0, "-2")] {
        let w = array(&[2, 3], |i| if i == 4 { wrong } else { 4.0 });
        let lengths = Array { shape: vec![3], data: Data::I64(vec![2, 2, 1]) };
        let mut given = Arrays::from([("w".to_string(), w), ("lengths".to_string(), lengths)]);
        place.write("in.npz", npz::write(&given).expect("bytes"));
        let args =
            ["run", "count.rnn", "--cell", "Pick(5)", "--in", "in.npz", "--out", "out.npz", "--seed", "1"];
        place.bad(&args, &[&format!("`w` holds {shown} at [1, 1]"), "from 0 to 4"]);
        place.bad(&[&args[..], &["--f64"]].concat(), &[&format!("{shown} is no symbol from 0 to 4")]);
        given.insert("lengths".to_string(), Array { shape: vec![3], data: Data::I64(vec![2, 1, 1]) });
        place.write("in.npz", npz::write(&given).expect("bytes"));
        place.good(&args);
    }
}

#[test]
fn settings_that_a_recipe_does_not_read_are_refused() {
    let place = Place::new();
    place.write("leak.rnn", LEAK);
    let show = ["show", "leak.rnn", "--stage", "eqn", "--cell"];
    place.good(&[&show[..], &["Leak(I, H)", "--set", "H=4"]].concat());
    place.good(&[&show[..], &["Leak", "--set", "H=4"]].concat());
    place.good(&[&show[..], &["Leak(_, 2 * K)", "--set", "K=4", "--set", "I=2"]].concat());
    let near = ["E0231", "no open dimension `h`", "did you mean `H`?", "--set h"];
    place.bad(&[&show[..], &["Leak(I, H)", "--set", "h=4"]].concat(), &near);
    place.bad(&[&show[..], &["Leak(I, H)", "--set", "Q=4"]].concat(), &["it leaves open I, H"]);
    place.bad(&["bench", "leak.rnn", "--cell", "Leak(2, 3)", "--set", "H=4"], &["E0231", "`H`"]);
    let twice = ["Leak(I, H)", "--set", "H=4", "--set", "H=5"];
    place.bad(&[&show[..], &twice].concat(), &["`H` is given twice", "first", "and again"]);
}

#[test]
fn run_names_what_is_wrong_with_arrays_and_keeps_what_was_there() {
    let place = Place::new();
    place.write("leak.rnn", LEAK).write("out.npz", "before");
    let args = ["run", "leak.rnn", "--cell", "Leak(1, 2)", "--in", "in.npz", "--out", "out.npz"];
    let mut wrong = inputs();
    let a = wrong.remove("a").expect("an array");
    wrong.insert("A".to_string(), a);
    wrong.insert("W".to_string(), array(&[1, 2], |_| 0.0));
    place.write("in.npz", npz::write(&wrong).expect("bytes"));
    let told = [
        "do not fit: 1 missing, 1 of another shape",
        "`a` [2] is missing",
        "did you mean",
        "[2, 1] expected",
        "transposed",
    ];
    place.bad(&args, &told);
    place.write("in.npz", "no zip");
    place.bad(&args, &["`in.npz` is no npz file"]);
    std::fs::remove_file(place.path("in.npz")).expect("it was there");
    place.bad(&args, &["cannot read `in.npz`", "no such file"]);
    assert_eq!(place.read("out.npz"), b"before");
    place.write("in.npz", npz::write(&inputs()).expect("bytes"));
    let mut elsewhere = args;
    elsewhere[7] = "no/such/folder/out.npz";
    place.bad(&elsewhere, &["cannot write", "no such file or folder"]);
    if std::path::Path::new("/dev/full").exists() {
        let mut full = args;
        full[7] = "/dev/full";
        place.bad(&full, &["cannot write `/dev/full`", "no space left"]);
    }
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let place = Place::new();
    let mut command = place.command(&["explain"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the tool runs");
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
    let code = child.wait().expect("an end").code();
    assert!(err.is_empty(), "{err}");
    assert!(code == Some(141) || code == Some(0), "{code:?}");
}

#[test]
fn the_derived_gradient_is_printed() {
    let place = Place::new();
    place.write("leak.rnn", LEAK);
    let args = ["grad", "leak.rnn", "--cell", "Leak(I, H)"];
    let text = place.good(&args).out;
    assert!(text.contains("cell Leak_adj(I, H)") && text.contains("W_adj"), "{text}");
    place.write("adjoint.rnn", &text);
    place.good(&["check", "adjoint.rnn"]);
    let with = |extra: &[&str]| place.good(&[&args[..], extra].concat()).out;
    assert!(with(&["--latex"]).contains("\\bar"));
    assert!(with(&["--ascii"]).is_ascii());
    assert!(!with(&["--wrt", "a"]).contains("W_adj"));
    place.bad(&["grad", "leak.rnn", "--cell", "Leak(I, H)", "--wrt", "w"], &["`w`"]);
}

#[test]
fn tests_inside_files_are_run() {
    let place = Place::new();
    let good = "test \"it leaks\" {
  part c = Leak(1, 1)
  set c.W = [[1]]
  set c.a = [0.5]
  y = c([[1], [2]])
  expect y.h_last ≈ [2.5] ± 1e-9
}
check grad Leak(I = 2, H = 3), steps = 3
";
    place.write("sub/good.rnn", format!("{LEAK}{good}")).write("sub/no.txt", "not read");
    let out = place.good(&["test", "sub"]).out;
    assert!(
        out.contains("ok    sub/good.rnn: it leaks") && out.contains("2 passed, 0 failed in 1 files"),
        "{out}"
    );
    let json = place.good(&["test", "sub", "--json", "--filter", "leaks"]).out;
    let line: serde_json::Value = serde_json::from_str(json.trim()).expect("one JSON object");
    assert_eq!(line["outcome"], "passed");
    place.write("bad.rnn", format!("{LEAK}{}", good.replace("2.5", "3")));
    let ran = place.run(&["test", "sub", "bad.rnn"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("FAIL  bad.rnn: it leaks") && ran.out.contains("3 passed, 1 failed"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("bad.rnn:"), "{}", ran.err);
    place.bad(&["test", "nowhere"], &["nowhere"]);
}

#[test]
fn of_many_messages_the_first_are_shown() {
    let place = Place::new();
    let cells: String = (0..80).map(|i| format!("cell A{i} {{\n  out q\n}}\n")).collect();
    place.write("many.rnn", cells);
    place.bad(&["check", "many.rnn"], &["many.rnn:2:7", "30 more messages are not shown", "80 errors"]);
}
