//! What is said about mistakes, from outside: colours, JSON, and `check --fix`.

use crate::support::cli::Place;
use serde_json::Value;

const SLIPS: &str = "cell A(I, H) {
  in x : [I]
  param W : [H, I] = 0
  out h = tanh(W * y)
}
cell B(I, H) {
  in x : [I]
  param W : [H, I]
  h = W x
  out h
}
layer L(x : seq<n> of [4]) = RNN(4, 8)(z)
";

/// Each line of output that says what was mended.
fn fixed(err: &str) -> Vec<&str> {
    err.lines().filter(|l| l.starts_with("fixed ")).collect()
}

#[test]
fn all_mistakes_of_all_files_are_said_at_once() {
    let place = Place::new();
    place.write("a.rnn", "use \"part.rnn\"\ncell A(I) {\n  in x : [I]\n  out y = x + q\n}\n");
    place.write("part.rnn", "cell P(I) {\n  in x : [I]\n  y = x x\n  out y\n}\n");
    place.write("b.rnn", SLIPS);
    let ran = place.run(&["check", "a.rnn", "b.rnn"]);
    assert_eq!(ran.code, 1);
    for there in ["a.rnn:4:15", "part.rnn:3:7", "b.rnn:4:20", "b.rnn:9:7", "b.rnn:12:40", "5 errors"] {
        assert!(ran.err.contains(there), "{there}\n{}", ran.err);
    }
}

#[test]
fn fix_changes_files_until_nothing_sure_is_left() {
    let place = Place::new();
    place.write("a.rnn", SLIPS.replace("W * y", "W * x").replace("(z)", "(x)"));
    let ran = place.good(&["check", "--fix", "a.rnn"]);
    let fixed = fixed(&ran.err);
    // The shape of W is only looked at once the product is an expression.
    assert_eq!(fixed.len(), 3, "{}", ran.err);
    assert!(fixed[0].starts_with("fixed a.rnn:") && fixed[0].contains("[E0"), "{}", ran.err);
    let text = String::from_utf8(place.read("a.rnn")).expect("text");
    for part in ["tanh(W @ x)", "h = W @ x", "param W : [H, I] ~ uniform(1/sqrt(H))"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(ran.out.is_empty(), "{}", ran.out);
    // Nothing more to do.
    assert_eq!(place.good(&["check", "--fix", "a.rnn"]).err, "");
}

#[test]
fn fix_leaves_what_it_cannot_mend_and_says_so() {
    let place = Place::new();
    let text = "cell A(I) {\n  in x : [I]\n  out y = x + q\n}\n";
    place.write("a.rnn", text);
    let ran = place.run(&["check", "--fix", "a.rnn"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no name `q` here") && fixed(&ran.err).is_empty(), "{}", ran.err);
    assert_eq!(place.read("a.rnn"), text.as_bytes());
}

#[test]
fn fix_takes_nothing_away_that_somebody_wrote() {
    let place = Place::new();
    let text = "cell A(I, H) {\n  in x : [I]; state h : [H] = 0; param W : [H, I] = 0; param V : [H] = 0\n  \
                h = tanh(W @ x) + h[t-1]; g = V; k = V  # why\n  out h\n}\n";
    place.write("a.rnn", text);
    let ran = place.good(&["check", "--fix", "a.rnn"]);
    assert!(ran.err.contains("is read by nothing") && fixed(&ran.err).is_empty(), "{}", ran.err);
    assert_eq!(place.read("a.rnn"), text.as_bytes());
    let ran = place.good(&["check", "--json", "a.rnn"]);
    let list: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(
        (&list[0]["fixes"][0]["sure"], &list[0]["fixes"][0]["title"]),
        (&false.into(), &"remove it".into())
    );
}

#[test]
fn a_recipe_of_the_command_line_has_its_mends() {
    let place = Place::new();
    for (cell, help) in [
        ("LSMT(I, H)", "did you mean `LSTM`?"),
        ("lstm(I, H)", "did you mean `LSTM`?"),
        ("GRU(I, H, reset = befor)", "did you mean `before`?"),
        ("LSTM(I H)", "the matrix product is `@`"),
        ("LSTM(64)", "write `_` for a dimension that the input decides"),
        ("LSTM(-1, 3)", "<--cell>:1:6: given here"),
    ] {
        let ran = place.run(&["grad", "--cell", cell]);
        assert!(ran.code == 1 && ran.err.contains(help), "{cell}\n{}", ran.err);
    }
}

#[test]
fn fix_mends_imported_files_too() {
    let place = Place::new();
    place.write("a.rnn", "use \"part.rnn\"\nlayer L(x : seq<n> of [4]) = P(4)(x)\n");
    place.write("part.rnn", "cell P(I) {\n  in x : [I]\n  y = 2 x\n  out y\n}\n");
    let ran = place.good(&["check", "--fix", "a.rnn"]);
    assert_eq!(fixed(&ran.err).len(), 1, "{}", ran.err);
    assert!(String::from_utf8_lossy(&place.read("part.rnn")).contains("y = 2 * x"));
}

#[test]
fn json_has_places_and_fixes() {
    let place = Place::new();
    place.write("a.rnn", "cell A(I, H) {\n  in x : [I]\n  param W : [H, I] = 0\n  out h = W * x\n}\n");
    let ran = place.run(&["check", "--json", "a.rnn"]);
    let list: Value = serde_json::from_str(&ran.out).expect("JSON");
    let first = &list[0];
    let keys: Vec<&String> = first.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["code", "severity", "message", "labels", "help", "note", "fixes"]);
    assert_eq!((&first["code"], &first["severity"]), (&"E0301".into(), &"error".into()));
    assert_eq!(first["labels"][0]["from"], "a.rnn:4:11");
    let edit = &first["fixes"][0]["edits"][0];
    assert_eq!(
        (&edit["from"], &edit["to"], &edit["text"]),
        (&"a.rnn:4:13".into(), &"a.rnn:4:14".into(), &"@".into())
    );
    assert!(ran.err.is_empty(), "{}", ran.err);
}

#[test]
fn colours_obey_the_flag_then_the_environment_then_the_terminal() {
    let place = Place::new();
    place.write("a.rnn", "cell A(I) {\n  in x : [I]\n  out y = x + q\n}\n");
    let coloured = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = place.command(args);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.envs(env.iter().copied());
        let output = command.output().expect("the tool runs");
        output.stderr.contains(&0x1b) || output.stdout.contains(&0x1b)
    };
    let check = ["check", "a.rnn"];
    assert!(!coloured(&check, &[]), "no terminal");
    assert!(coloured(&check, &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&check, &[("CLICOLOR_FORCE", "0")]));
    assert!(!coloured(&check, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    for always in [["check", "a.rnn", "--color", "always"], ["--color", "always", "check", "a.rnn"]] {
        assert!(coloured(&always, &[("NO_COLOR", "1")]));
    }
    assert!(coloured(&["check", "a.rnn", "--color=always"], &[]));
    assert!(!coloured(&["check", "a.rnn", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(coloured(&["explain", "E0301", "--color", "always"], &[]));
    assert!(!coloured(&["explain", "E0301"], &[]));
    assert!(coloured(&["check", "--color", "always"], &[]), "what clap says");
    assert!(!coloured(&["check", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(place.good(&["--help"]).out.contains("--color"));
}

#[test]
fn tests_say_their_failures_in_json() {
    let place = Place::new();
    place.write("a.rnn", "test \"sums\" {\n  expect 1 + 1 ≈ 3\n}\ntest \"more\" {\n  expect 1 + 1 ≈ 2\n}\n");
    let ran = place.run(&["test", "--json", "a.rnn"]);
    assert_eq!(ran.code, 1);
    let lines: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!((&lines[0]["outcome"], &lines[1]["outcome"]), (&"failed".into(), &"passed".into()));
    assert_eq!(lines[0]["details"][0]["code"], "E1001");
    place.write("b.rnn", "test \"sums\" {\n  expect 1 1\n}\n");
    let ran = place.run(&["test", "--json", "b.rnn"]);
    let line: Value = serde_json::from_str(ran.out.trim()).expect("JSON");
    assert_eq!((ran.code, &line["outcome"]), (1, &"refused".into()));
    assert_eq!(line["details"][0]["code"], "E0109");
}
