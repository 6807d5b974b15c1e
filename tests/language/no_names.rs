//! No stdlib item is known to the compiler: `src/` names none of them, in no spelling.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Names that are ordinary words too. These are looked for as the stdlib spells them, the others case-blind.
/// `rnn` is the ending of the language's files, `ln` a logarithm, `bi` an index beside `ai`.
const ORDINARY: [&str; 7] = ["Stack", "Bi", "Heads", "RNN", "RAN", "LN", "accuracy"];
/// Names of stdlib files that are words for what the language has.
const ORDINARY_FILES: [&str; 4] = ["layers", "losses", "optimisers", "rnn"];

/// Words that a file format fixes, in a file of their own: no cell is meant.
const FIXED: &str = "src/onnx/words.rs";

/// The words of an identifier in lower case: `PeepholeLSTM` and `peephole_lstm` are `peephole`, `lstm`.
fn words(identifier: &str) -> Vec<String> {
    let letters: Vec<char> = identifier.chars().collect();
    let mut words = vec![String::new()];
    for (i, c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| letters.get(i));
        let begins = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase())
                || letters.get(i + 1).is_some_and(|after| after.is_lowercase()));
        if begins || *c == '_' {
            words.push(String::new());
        }
        if let (Some(word), true) = (words.last_mut(), *c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty())
}

/// Names of all cells, layers and functions of `stdlib/` and of its files, with their words.
fn stdlib_names() -> BTreeMap<String, Vec<String>> {
    let mut names = BTreeMap::new();
    for path in files(Path::new("stdlib"), "rnn") {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if !ORDINARY_FILES.contains(&stem.as_str()) {
            names.insert(stem.clone(), words(&stem));
        }
        let text = fs::read_to_string(path).expect("a stdlib file");
        for line in text.lines().filter(|l| l.starts_with(char::is_alphabetic)) {
            let mut parts = identifiers(line);
            if let (Some("cell" | "layer" | "fn"), Some(name)) = (parts.next(), parts.next()) {
                names.insert(name.to_string(), words(name));
            }
        }
    }
    assert!(names.len() > 30, "the stdlib was not found: {names:?}");
    names
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|e| e.expect("an entry").path()) {
            if entry.is_dir() {
                open.push(entry);
            } else if entry.extension().is_some_and(|e| e == ending) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

/// Whether an identifier holds a name as whole words.
fn holds(identifier: &str, name: &str, parts: &[String]) -> bool {
    if ORDINARY.contains(&name) {
        return identifier == name;
    }
    let own = words(identifier);
    own.windows(parts.len()).any(|w| w == parts) || own.concat() == parts.concat()
}

/// The stdlib names in a text with their lines, inside longer identifiers too.
fn named<'n>(text: &str, names: &'n BTreeMap<String, Vec<String>>) -> Vec<(usize, &'n str)> {
    let mut known: BTreeMap<&str, Vec<&'n str>> = BTreeMap::new();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for identifier in identifiers(line) {
            let held = known.entry(identifier).or_insert_with(|| {
                let small = identifier.to_lowercase();
                let near = names.iter().filter(|(_, p)| p.iter().all(|p| small.contains(p.as_str())));
                near.filter(|(n, p)| holds(identifier, n, p)).map(|(n, _)| n.as_str()).collect()
            });
            // `accuracy` is also how exact a function is; as code it is found.
            let held = held.iter().filter(|n| **n != "accuracy" || code.contains(identifier));
            found.extend(held.map(|n| (number + 1, *n)));
        }
    }
    found
}

#[test]
fn no_stdlib_item_is_named_in_src() {
    let names = stdlib_names();
    let mut found = Vec::new();
    for path in files(Path::new("src"), "rs").into_iter().chain([PathBuf::from("build.rs")]) {
        for (_, name) in named(&path.with_extension("").to_string_lossy(), &names) {
            found.push(format!("{}: {name}", path.display()));
        }
        let text = fs::read_to_string(&path).expect("a source file");
        if path == Path::new(FIXED) {
            // Nothing is decided there: it holds words of the format and nothing else.
            for line in text.lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with("//")) {
                let is_word =
                    line.starts_with("pub const ") && line.contains(": &str = \"") && line.ends_with("\";");
                assert!(is_word, "{FIXED} has more than words: {line}");
            }
            continue;
        }
        for (line, name) in named(&text, &names) {
            found.push(format!("{}:{line}: {name}", path.display()));
        }
    }
    assert!(found.is_empty(), "stdlib names in src/:\n{}", found.join("\n"));
}

#[test]
fn names_are_found_in_every_spelling() {
    let names = stdlib_names();
    for (line, name) in [
        ("fn lstm_step() {}", "LSTM"),
        ("struct LstmKernel;", "LSTM"),
        ("include_str!(\"../stdlib/gru.rnn\")", "GRU"),
        ("const LAYER_NORM: u8 = 0;", "LayerNorm"),
        ("let adamw = 1;", "AdamW"),
        ("// as in a peephole cell", "peephole"),
        ("let recipe = \"Stack(2)\";", "Stack"),
    ] {
        assert!(named(line, &names).contains(&(1, name)), "{name} in {line}");
    }
    for line in ["let stack = x.ln();", "//! the accuracy of tanh", "\"main.rnn\"", "let adamant = 1;"] {
        assert_eq!(named(line, &names), [(0, ""); 0], "{line}");
    }
}
