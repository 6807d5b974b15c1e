//! `rnnc new`: what it makes works at once.

use crate::support::cli::Place;

#[test]
fn a_project_is_tested_and_trained_at_once() {
    let place = Place::new();
    let said = place.good(&["new", "my-cell"]).out;
    assert!(said.contains("rnnc train my-cell.rnn"), "{said}");
    let file = "my-cell/my-cell.rnn";
    let checked = place.good(&["check", file]);
    assert!(!checked.err.contains("error") && !checked.err.contains("warning"), "{}", checked.err);
    let tested = place.good(&["test", "my-cell"]).out;
    for line in ["a closed gate", "grad MyCell(", "grad MyCellBlind(", "snapshot MyCell(4, 4): 3 stages"] {
        assert!(tested.contains(&format!("ok    {file}: {line}")), "{line} in {tested}");
    }
    assert!(tested.contains("4 passed, 0 failed"), "{tested}");

    let trained = place.good(&["train", file, "--out", "run"]).err;
    let tested =
        trained.split("test: loss ").nth(1).and_then(|l| l.split([',', ';']).next()).expect("a loss");
    // As the README says; who knows nothing has 0.167.
    assert!(tested.parse::<f64>().expect("a number") < 0.01, "{trained}");
    let drawn = place.good(&["look", file, "z", "--run", "run"]).out;
    assert!(drawn.contains("h.z, example 1"), "{drawn}");

    // Every command of its README is one.
    let readme = String::from_utf8(place.read("my-cell/README.md")).expect("text");
    assert!(!readme.contains("{{"), "{readme}");
    let commands: Vec<&str> =
        readme.lines().filter_map(|l| l.strip_prefix("| `rnnc ")?.split('`').next()).collect();
    assert!(commands.len() >= 8, "{readme}");
    for command in commands {
        let name = command.split(' ').next().expect("a command");
        assert!(place.run(&[name, "--help"]).code == 0, "{command}");
        assert!(command.contains("my-cell.rnn"), "{command}");
    }
    place.good(&["fmt", "--check", "my-cell"]);
    for name in [".gitignore", "my-cell.snap"] {
        assert!(!place.read(&format!("my-cell/{name}")).is_empty());
    }
}

#[test]
fn the_cell_is_called_as_one_likes() {
    let place = Place::new();
    place.good(&["new", "a/b/slow_gate2"]);
    let text = String::from_utf8(place.read("a/b/slow_gate2/slow_gate2.rnn")).expect("text");
    assert!(text.contains("cell SlowGate2(I, H"), "{text}");
    place.write("empty/x", "").good(&["new", "other", "--cell", "Own_1"]);
    assert!(String::from_utf8(place.read("other/other.rnn")).expect("text").contains("model Own_1Model("));
    std::fs::remove_file(place.path("empty/x")).expect("it is there");
    place.good(&["new", "empty"]);
    place.good(&["test", "empty", "a", "other"]);
}

#[test]
fn what_is_there_stays() {
    let place = Place::new();
    place.write("full/notes.txt", "mine").write("file", "mine");
    for path in ["full", "file", "full/"] {
        place.bad(&["new", path], &["E0760", "there already"]);
    }
    assert_eq!(place.read("full/notes.txt"), b"mine");
    assert_eq!(std::fs::read_dir(place.path("full")).expect("a folder").count(), 1);
    for path in ["..", "a b", "é", "-x", "x.rnn"] {
        let ran = place.run(&["new", "--", path]);
        assert!(ran.code == 1 && ran.err.contains("letters, digits"), "{path}: {}", ran.err);
    }
    for (cell, word) in
        [("9x", "a letter first"), ("a-b", "a letter first"), ("GRU", "already"), ("Dense", "already")]
    {
        place.bad(&["new", "fresh", "--cell", cell], &["E0760", word]);
    }
    place.bad(&["new", "9lives"], &["--cell MyCell"]);
    assert!(!place.path("fresh").exists());
    let left: Vec<_> = std::fs::read_dir(place.path("")).expect("a folder").collect();
    assert_eq!(left.len(), 2, "nothing half made is left: {left:?}");
}
