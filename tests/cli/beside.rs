//! `rnnc test` with what lies beside a file: snapshots, and the arrays of other libraries.

use crate::support::cli::Place;
use rnnc::weights::{Array, Arrays, npz};
use std::process::Command;

const CELL: &str = "\
cell Leak(H) {
  in    x : [H]
  state h : [H] = 0
  param a : [H] = 0.5
  h = a ⊙ h[t-1] + x
  out h
}
";

fn cell(checks: &str) -> String {
    format!("{CELL}{checks}\n")
}

fn snap(place: &Place) -> String {
    String::from_utf8(place.read("leak.snap")).expect("text")
}

/// A place whose snapshots are stored.
fn stored(checks: &str) -> Place {
    let place = Place::new();
    place.write("leak.rnn", cell(checks));
    let ran = place.run(&["test", "leak.rnn", "--update"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    place
}

#[test]
fn a_missing_snapshot_fails_until_it_is_accepted() {
    let place = Place::new();
    place.write("leak.rnn", cell("check snapshot Leak(4)"));
    let ran = place.run(&["test", "leak.rnn"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("eqn, grad, loops with grad are not stored yet"), "{}", ran.err);
    assert!(ran.err.contains("`rnnc test leak.rnn --update`"), "{}", ran.err);
    assert!(!place.path("leak.snap").exists());
    let ran = place.run(&["test", "leak.rnn", "--update"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("3 stages, stored eqn, grad, loops with grad"), "{}", ran.out);
    let text = snap(&place);
    for title in ["=== Leak(4): eqn\n", "=== Leak(4): grad\n", "=== Leak(4): loops with grad\n"] {
        assert_eq!(text.matches(title).count(), 1, "{text}");
    }
    assert!(text.contains("  x_adj  = h_adj + x_adj[t+1] ⊙ a\n"), "{text}");
    let ran = place.run(&["test", "leak.rnn"]);
    assert_eq!(
        (ran.code, ran.out.contains("ok    leak.rnn: snapshot Leak(4): 3 stages")),
        (0, true),
        "{}",
        ran.out
    );
    assert_eq!(snap(&place), text);
}

#[test]
fn every_stage_can_be_kept_for_a_named_machine() {
    let list = "eqn, grad, schedule, loops, clif for \"x86_64\", asm for \"aarch64\"";
    let place = stored(&format!(
        "check snapshot Leak(4), {list}\ncheck snapshot Leak(H), eqn\ncheck snapshot Leak(4), loops"
    ));
    let text = snap(&place);
    let titles: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("=== ")).collect();
    assert_eq!(
        titles,
        [
            "Leak(4): eqn",
            "Leak(4): grad",
            "Leak(4): schedule with grad",
            "Leak(4): loops with grad",
            "Leak(4): clif with grad for x86_64",
            "Leak(4): asm with grad for aarch64",
            "Leak(H): eqn",
            "Leak(4): loops",
        ]
    );
    assert!(text.contains("function %k0(") && text.contains("  ret\n"), "{text}");
    // Whatever this machine can do.
    for more in [&["--interpret"][..], &["--threads"][..]] {
        let args = [&["test", "leak.rnn"], more].concat();
        let ran = place.run(&args);
        assert_eq!(ran.code, if more[0] == "--interpret" { 0 } else { 2 }, "{}", ran.err);
    }
}

#[test]
fn a_changed_equation_shows_what_changed_where() {
    let place = stored("check snapshot Leak(4), eqn, grad, loops, clif for \"x86_64-avx2\"");
    let before = snap(&place);
    place.write(
        "leak.rnn",
        cell("check snapshot Leak(4), eqn, grad, loops, clif for \"x86_64-avx2\"")
            .replace("+ x", "+ tanh(x)"),
    );
    let ran = place.run(&["test", "leak.rnn"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("FAIL  leak.rnn: snapshot Leak(4)\n"), "{}", ran.out);
    assert_eq!(snap(&place), before);
    let kernels = ran.err.find("\nclif with grad").expect("the code changed");
    insta::assert_snapshot!("difference", &ran.err[..kernels]);
    assert!(!ran.err.contains('\x1b'), "no colours where nobody looks");

    let ran = place.run(&["test", "leak.rnn", "--update"]);
    assert_eq!(ran.code, 0);
    assert!(snap(&place).contains("tanh"));
    assert_eq!(place.run(&["test", "leak.rnn"]).code, 0);
}

#[test]
fn what_nobody_asks_for_is_told_and_removed() {
    let place = stored("check snapshot Leak(4), eqn\ncheck snapshot Leak(3), eqn");
    place.write("leak.rnn", cell("check snapshot Leak(4), eqn"));
    let ran = place.run(&["test", "leak.rnn"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("old   leak.rnn: Leak(3): eqn: no check asks for this snapshot"), "{}", ran.out);
    let ran = place.run(&["test", "leak.rnn", "--update", "--filter", "nothing has this name"]);
    assert!(ran.out.contains("gone  leak.rnn: Leak(3): eqn"), "{}", ran.out);
    let text = snap(&place);
    assert!(text.contains("=== Leak(4): eqn") && !text.contains("Leak(3)"), "{text}");
    // With the last one the file goes.
    place.write("leak.rnn", CELL);
    assert_eq!(place.run(&["test", "leak.rnn", "--update"]).code, 0);
    assert!(!place.path("leak.snap").exists());
}

#[test]
fn a_file_with_a_mistake_loses_no_snapshot() {
    let place = stored("check snapshot Leak(4), eqn");
    let text = snap(&place);
    for wrong in [
        cell("check snapshot Leak(4), eqn").replace("h[t-1]", "g[t-1]"),
        cell("check snapshot Leak(4), eqm"),
        cell("check snapshot Leak(4), eqn").replace("a ⊙", "a ⊙ ⊙"),
    ] {
        place.write("leak.rnn", wrong);
        assert_eq!(place.run(&["test", "leak.rnn", "--update"]).code, 1);
        assert_eq!(snap(&place), text);
    }
}

#[test]
fn nothing_is_accepted_where_nobody_watches() {
    let place = Place::new();
    place.write("leak.rnn", cell("check snapshot Leak(4), eqn"));
    let ran =
        place.command(&["test", "leak.rnn", "--update"]).env("CI", "true").output().expect("the tool runs");
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("E1015"));
    assert!(!place.path("leak.snap").exists());
}

#[test]
fn programs_read_what_became_of_snapshots() {
    let place = stored("check snapshot Leak(4), eqn, loops\ncheck snapshot Leak(3), eqn");
    place.write("leak.rnn", cell("check snapshot Leak(4), eqn, loops, grad").replace("+ x", "+ x + 1"));
    let ran = place.run(&["test", "leak.rnn", "--json"]);
    let lines: Vec<serde_json::Value> =
        ran.out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(lines[0]["outcome"], "failed");
    let states: Vec<(&str, &str)> = lines[0]["details"]["snapshots"]
        .as_array()
        .expect("stages")
        .iter()
        .map(|s| (s["stage"].as_str().expect("text"), s["state"].as_str().expect("text")))
        .collect();
    assert_eq!(states, [("eqn", "changed"), ("loops with grad", "missing"), ("grad", "missing")]);
    let eqn = &lines[0]["details"]["snapshots"][0];
    assert_eq!(eqn["changed"], serde_json::json!(["`h`"]));
    assert!(eqn["difference"].as_str().expect("text").contains("+h : [4] over n = add(%"), "{eqn}");
    let old: Vec<&serde_json::Value> = lines[1..].iter().collect();
    assert!(old.iter().all(|l| l["outcome"] == "obsolete"), "{old:?}");
    assert_eq!(old.len(), 2);
}

#[test]
fn what_cannot_be_kept_is_said_at_its_place() {
    let place = Place::new();
    for (checks, parts) in [
        ("check snapshot Leak(4), eqm", &["E1014", "`eqm`", "did you mean `eqn`?", ":8:25"][..]),
        ("check snapshot Leak(4), clif", &["E1014", "for which machine", "`clif for \"x86_64\"`"]),
        ("check snapshot Leak(4), eqn for \"x86_64\"", &["E1014", "the same for every machine"]),
        ("check snapshot Leak(4), asm for \"z80\"", &["E1014", "`z80`", "`aarch64`"]),
        ("check snapshot Leak(H), loops", &["E1014", "`H` is open", "write numbers"]),
        ("check snapshot Lek(4)", &["did you mean `Leak`?"]),
    ] {
        place.write("leak.rnn", cell(checks));
        place.bad(&["test", "leak.rnn"], parts);
        if !checks.contains("Leak(H)") {
            place.bad(&["check", "leak.rnn"], &parts[..1]);
        }
    }
}

/// A layer of another library: `[T, B, I]`, its weights with the gates of a cell in another order.
fn foreign() -> Arrays {
    let numbers = |shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        Array::f32(shape.to_vec(), (0..count).map(|k| (k as f32 * 0.7).sin()).collect())
    };
    let mut arrays = Arrays::new();
    arrays.insert("kernel_0".into(), numbers(&[6, 2]));
    arrays.insert("bias_0".into(), numbers(&[6]));
    arrays.insert("input".into(), numbers(&[4, 1, 2]));
    // `y = tanh(A @ x + b) + B @ x + c`, rows of B and c first.
    let (w, b, x) = (arrays["kernel_0"].to_f64(), arrays["bias_0"].to_f64(), arrays["input"].to_f64());
    let row = |r: usize, t: usize| w[2 * r] * x[2 * t] + w[2 * r + 1] * x[2 * t + 1] + b[r];
    let y = (0..4).flat_map(|t| (0..3).map(move |k| (row(3 + k, t).tanh() + row(k, t)) as f32));
    arrays.insert("output".into(), Array::f32(vec![1, 4, 1, 3], y.collect()));
    arrays
}

const TWO: &str = "\
cell Two(I, H) {
  in    x : [I]
  param W_{a b} : [H, I] = 0
  param b_{a b} : [H] = 0
  y = tanh(W_a @ x + b_a) + W_b @ x + b_b
  out y
}
layout other for Two {
  \"kernel_{n}\" = rows(W_{b a})
  \"bias_{n}\"[1..H] = b_b
  \"bias_{n}\"[H+1..2*H] = b_a
}
";

fn weighed(text: &str, check: &str) -> (Place, String) {
    let place = Place::new();
    place.write("two.rnn", format!("{text}check weights {check}\n"));
    place.write("two.npz", npz::write(&foreign()).expect("an archive"));
    let ran = place.run(&["test", "two.rnn"]);
    let words = format!("{} {}", ran.out, ran.err);
    (place, words.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" "))
}

#[test]
fn weights_of_another_library_give_its_results() {
    let names = "file = \"two.npz\", x = \"input\", y = \"output\"";
    let (place, said) = weighed(TWO, &format!("other for Two(2, 3), {names}"));
    assert!(
        said.starts_with("ok two.rnn: weights other for Two(2, 3): 1 output, worst difference"),
        "{said}"
    );
    let json = place.run(&["test", "two.rnn", "--json"]).out;
    let line: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&line["outcome"], &line["details"]["outputs"]), (&"passed".into(), &1.into()), "{json}");

    for (from, to, wanted) in [
        ("W_{b a}", "W_{a b}", &["E1019", "with these weights `y` is another value"][..]),
        ("[H+1..2*H]", "[1..H]", &["E1018", "a part of `bias_0`", "[4]"]),
        ("\"kernel_{n}\"", "\"kernel_1{n}\"", &["missing array `kernel_10` [6, 2]", "did you mean"]),
        ("tanh(W_a @ x + b_a)", "W_a @ x + b_a", &["E1019"]),
    ] {
        let text = TWO.replace(from, to);
        assert_ne!(text, TWO);
        let (_, said) = weighed(&text, &format!("other for Two(2, 3), {names}"));
        for part in wanted {
            assert!(said.contains(part), "{from}: `{part}` is missing in {said}");
        }
    }
    for (check, wanted) in [
        (format!("others for Two(2, 3), {names}"), "no layout `others` for `Two`"),
        (format!("other for Two(2, 4), {names}"), "[8, 2] expected"),
        (format!("other for Two(2, H), {names}"), "write numbers for dimensions"),
        (format!("other for Two(2, 3), {names}, n = 1"), "kernel_1"),
        (format!("other for Two(2, 3), {names}, z = \"output\""), "no input or output `z`"),
        ("other for Two(2, 3)".into(), "names no file"),
        ("other for Two(2, 3), file = \"none.npz\"".into(), "no such file"),
        ("other for Two(2, 3), file = \"../two.npz\"".into(), "no such file"),
        ("other for Two(2, 3), file = \"two.rnn\", x = \"input\"".into(), "is no npz file"),
        ("other for Two(2, 3), file = \"two.npz\"".into(), "missing array `x`"),
        ("other for Two(2, 3), file = \"two.npz\", x = \"input\"".into(), "no output to compare with"),
        ("other for Two(2, 3), file = 3".into(), "`file` cannot be this"),
    ] {
        let (_, said) = weighed(TWO, &check);
        assert!(
            said.starts_with("FAIL") && said.contains(wanted),
            "{check}: `{wanted}` is missing in {said}"
        );
    }
}

#[test]
fn arrays_lie_in_the_folder_of_the_file() {
    let place = Place::new();
    place.write(
        "in/two.rnn",
        format!(
            "{TWO}check weights other for Two(2, 3), file = \"../two.npz\", x = \"input\", y = \"output\"\n"
        ),
    );
    place.write("two.npz", npz::write(&foreign()).expect("an archive"));
    place.bad(&["test", "in/two.rnn"], &["outside the folder"]);
    place.good(&["test", "in/two.rnn", "--root", "."]);
}

/// What this repository ships is as it was when somebody last looked, and agrees with other libraries.
#[test]
fn what_ships_is_as_it_is_kept() {
    for (filter, least) in [("snapshot ", 6), ("weights ", 3)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rnnc"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("NO_COLOR", "1");
        let ran =
            command.args(["test", "stdlib", "models", "--filter", filter]).output().expect("the tool runs");
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        let kept = out.lines().filter(|l| l.starts_with("ok ")).count();
        assert!(ran.status.success() && kept >= least && !out.contains("\nold "), "{out}{err}");
    }
}
