//! Text to tree: what parses, and what is said about what does not.

use rnnc::diag::{Diagnostic, Style, render};
use rnnc::source::Sources;
use rnnc::syntax::{ast, parse};

fn parsed(path: &str, text: &str) -> (Sources, ast::File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add(path, text);
    let (tree, errors) = parse(&sources, file);
    (sources, tree, errors)
}

fn cases(folder: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut cases: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rnn"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn shown(sources: &Sources, errors: &[Diagnostic]) -> String {
    let style = Style { colour: false, width: 100 };
    errors.iter().map(|e| render(sources, e, style)).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_example_of_the_language_parses() {
    for (name, text) in cases("ok") {
        let (sources, tree, errors) = parsed(&name, &text);
        assert!(errors.is_empty(), "{}", shown(&sources, &errors));
        assert!(!tree.items.is_empty());
    }
}
