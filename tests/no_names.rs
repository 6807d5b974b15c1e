//! No stdlib item is known to the compiler: `src/` names none of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Names of all cells, layers and functions of `stdlib/`.
fn stdlib_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files(Path::new("stdlib"), "rnn") {
        for line in fs::read_to_string(path).expect("a stdlib file").lines() {
            let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            if let (Some("cell" | "layer" | "fn"), Some(name)) = (words.next(), words.next()) {
                names.insert(name.to_string());
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

#[test]
fn no_stdlib_item_is_named_in_src() {
    // `accuracy` is also an ordinary word for how exact a function is; as code it would still be found.
    let ordinary = ["accuracy"];
    let names = stdlib_names();
    let mut found = Vec::new();
    for path in files(Path::new("src"), "rs") {
        let text = fs::read_to_string(&path).expect("a source file");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            for word in line.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                let in_prose = ordinary.contains(&word) && !code.contains(word);
                if names.contains(word) && !in_prose {
                    found.push(format!("{}:{}: {word}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "stdlib names in src/:\n{}", found.join("\n"));
}
