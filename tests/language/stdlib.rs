//! The stdlib is read by people: items are short and say where they come from.

use std::fs;
use std::path::PathBuf;

fn texts() -> Vec<(PathBuf, String)> {
    let mut texts: Vec<(PathBuf, String)> = fs::read_dir("stdlib")
        .expect("the stdlib")
        .map(|f| f.expect("a file").path())
        .filter(|p| p.extension().is_some_and(|e| e == "rnn"))
        .map(|p| (p.clone(), fs::read_to_string(&p).expect("a text")))
        .collect();
    texts.sort();
    assert!(texts.len() > 30, "{}", texts.len());
    texts
}

/// Lines of each item, from its head to its end, without comments and empty lines.
fn items(text: &str) -> Vec<(String, usize)> {
    let mut items: Vec<(String, usize)> = Vec::new();
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or("").trim_end();
        if code.is_empty() {
            continue;
        }
        if code.starts_with(char::is_alphabetic) {
            items.push((code.to_string(), 0));
        }
        if let Some((_, lines)) = items.last_mut() {
            *lines += 1;
        }
    }
    items
}

#[test]
fn every_item_is_short() {
    for (path, text) in texts() {
        for (head, lines) in items(&text) {
            assert!(lines <= 45, "{}: `{head}` has {lines} lines", path.display());
        }
    }
}

#[test]
fn every_cell_layer_and_function_is_explained() {
    for (path, text) in texts() {
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if ["cell ", "layer ", "fn "].iter().any(|word| line.starts_with(word)) {
                let documented = i > 0 && lines[i - 1].starts_with("##");
                assert!(documented, "{}:{}: a line of `##` before `{line}`", path.display(), i + 1);
            }
        }
    }
}

#[test]
fn every_file_names_a_source() {
    // Layers, losses and topologies are everybody's.
    let common = ["layers.rnn", "losses.rnn", "topologies.rnn"];
    for (path, text) in texts() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let year = |word: &str| matches!(word.parse::<u32>(), Ok(1980..=2030));
        let named = text
            .lines()
            .filter(|l| l.starts_with("##"))
            .flat_map(|l| l.split(|c: char| !c.is_alphanumeric()))
            .any(year);
        assert!(named || common.contains(&name.as_str()), "{name} names no paper");
    }
}
