//! `rnnc fmt` as a user runs it.

use crate::support::cli::Place;
use std::io::Write;
use std::process::Stdio;

const MESSY: &str = "cell A( I ) {\r\n  in x : [I] # in\r\n  out x }";
const NEAT: &str = "cell A(I) {\n  in x : [I]  # in\n  out x\n}\n";

/// What the tool makes of a text on its standard input.
fn piped(place: &Place, args: &[&str], text: &str) -> (i32, String, String) {
    let mut command = place.command(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool runs");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("the tool ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn files_and_folders_are_written_and_the_rest_is_left() {
    let place = Place::new();
    place
        .write("a.rnn", MESSY)
        .write("deep/er/b.rnn", MESSY)
        .write("deep/c.rnn", NEAT)
        .write("deep/d.txt", MESSY);
    let before = std::fs::metadata(place.path("deep/c.rnn")).unwrap().modified().unwrap();
    let ran = place.good(&["fmt", "a.rnn", "deep"]);
    let separator = std::path::MAIN_SEPARATOR;
    assert_eq!(ran.out, format!("a.rnn\ndeep{separator}er{separator}b.rnn\n"));
    for file in ["a.rnn", "deep/er/b.rnn", "deep/c.rnn"] {
        assert_eq!(place.read(file), NEAT.as_bytes(), "{file}");
    }
    assert_eq!(place.read("deep/d.txt"), MESSY.as_bytes());
    assert_eq!(std::fs::metadata(place.path("deep/c.rnn")).unwrap().modified().unwrap(), before);
    assert_eq!(place.good(&["fmt", "a.rnn", "deep"]).out, "");
    assert_eq!(std::fs::read_dir(place.path("deep")).unwrap().count(), 3, "nothing is left beside the files");
}

#[test]
fn check_shows_what_would_change_and_writes_nothing() {
    let place = Place::new();
    place.write("a.rnn", MESSY).write("b.rnn", NEAT);
    let ran = place.run(&["fmt", "--check", "a.rnn", "b.rnn"]);
    assert_eq!(ran.code, 1);
    let shown = "a.rnn\n  line 1\n- cell A( I ) {␍\n-   in x : [I] # in␍\n-   out x }⏎ missing\n\
                 + cell A(I) {\n+   in x : [I]  # in\n+   out x\n+ }\n";
    assert_eq!(ran.out, shown);
    assert_eq!(place.read("a.rnn"), MESSY.as_bytes());
    place.good(&["fmt", "--check", "b.rnn"]);
}

#[test]
fn a_file_with_mistakes_stays_and_the_others_go_on() {
    let place = Place::new();
    let broken = "cell A(I) {\n  h = W x\n   out h\n}\n";
    place.write("a.rnn", broken).write("b.rnn", MESSY);
    let ran = place.run(&["fmt", "a.rnn", "no.rnn", "b.rnn"]);
    assert_eq!(ran.code, 1);
    for part in ["E0109", "a.rnn:2", "E0721", "no.rnn"] {
        assert!(ran.err.contains(part), "{part} is missing in\n{}", ran.err);
    }
    assert_eq!(ran.out, "b.rnn\n");
    assert_eq!(place.read("a.rnn"), broken.as_bytes());
    assert_eq!(place.read("b.rnn"), NEAT.as_bytes());
}

#[test]
fn standard_input_goes_to_standard_output() {
    let place = Place::new();
    assert_eq!(piped(&place, &["fmt", "-"], MESSY), (0, NEAT.into(), String::new()));
    let (code, out, err) = piped(&place, &["fmt", "-"], "cell {");
    assert!(code == 1 && out.is_empty() && err.contains("<stdin>"), "{code} {out} {err}");
    let (code, out, _) = piped(&place, &["fmt", "--check", "-"], MESSY);
    assert!(code == 1 && out.starts_with("<stdin>\n"), "{code} {out}");
}

#[test]
fn spelling_changes_where_it_is_asked_for() {
    let place = Place::new();
    let text = "cell A(I) {\n  h = σ(α ⊙ W_ĥ) − sum k in I: x[k]^2\n}\n";
    let run = |flag: &[&str]| piped(&place, &[&["fmt"], flag, &["-"]].concat(), text).1;
    assert_eq!(run(&[]), text);
    assert_eq!(run(&["--ascii"]), "cell A(I) {\n  h = sigmoid(alpha * W_h_hat) - sum k in I: x[k]^2\n}\n");
    assert_eq!(run(&["--unicode"]), "cell A(I) {\n  h = σ(α ⊙ W_ĥ) − ∑ k ∈ I: x[k]²\n}\n");
    assert_eq!(place.run(&["fmt", "--ascii", "--unicode", "-"]).code, 2);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.write("real.rnn", MESSY);
    std::fs::set_permissions(place.path("real.rnn"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(place.path("real.rnn"), place.path("link.rnn")).unwrap();
    place.good(&["fmt", "link.rnn"]);
    assert!(std::fs::symlink_metadata(place.path("link.rnn")).unwrap().is_symlink());
    assert_eq!(place.read("real.rnn"), NEAT.as_bytes());
    assert_eq!(std::fs::metadata(place.path("real.rnn")).unwrap().permissions().mode() & 0o777, 0o600);
}
