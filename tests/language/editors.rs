//! The grammar that editors colour by knows every word and operator that the parser knows.

use serde_json::Value;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .expect("a file of the repository")
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All patterns of a grammar: `match`, `begin`, `end`.
fn patterns(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("match" | "begin" | "end", Value::String(text)) => out.push(text.clone()),
                    _ => patterns(value, out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| patterns(item, out)),
        _ => {}
    }
}

/// Whole words that a pattern lists.
fn words(pattern: &str) -> Vec<String> {
    // Classes and properties are no words.
    let mut plain = String::new();
    let mut in_class = false;
    for c in
        pattern.replace("\\p{L}", "").replace("\\p{M}", "").replace("\\p{N}", "").replace("\\s", " ").chars()
    {
        match c {
            '[' => in_class = true,
            ']' => in_class = false,
            c if in_class => _ = c,
            c => plain.push(c),
        }
    }
    plain
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|w| !w.is_empty())
        .map(str::to_string)
        .collect()
}

#[test]
fn the_grammar_of_editors_knows_every_word_and_sign() {
    let grammar = json("editors/vscode/syntaxes/rnn.tmLanguage.json");
    assert_eq!(grammar["scopeName"], "source.rnn");
    let mut all = Vec::new();
    patterns(&grammar, &mut all);
    let known: Vec<String> = all.iter().flat_map(|p| words(p)).collect();
    // The words of the grammar of the language, from itself.
    let pest = read("grammar/rnn.pest");
    let mut wanted: Vec<String> = Vec::new();
    for line in pest.lines().filter(|l| l.starts_with("k_")) {
        wanted.extend(line.split('"').nth(1).map(str::to_string));
    }
    assert!(wanted.len() > 50, "{wanted:?}");
    wanted.extend(rnnc::syntax::words().map(str::to_string));
    wanted.extend(rnnc::eqn::build::function_names().map(str::to_string));
    for word in &wanted {
        assert!(known.contains(word), "`{word}` is missing in the grammar of editors");
    }
    // Signs, without what escapes them.
    let signs = all.join("\n").replace('\\', "");
    for sign in rnnc::syntax::signs() {
        assert!(signs.contains(sign), "`{sign}` is missing in the grammar of editors");
    }
    for word in rnnc::syntax::words() {
        let vim = read("editors/neovim/syntax/rnn.vim");
        assert!(words(&vim).iter().any(|w| w == word), "`{word}` is missing in the colours of Neovim");
    }
}

#[test]
fn the_extension_names_files_that_are_there() {
    let package = json("editors/vscode/package.json");
    json("editors/vscode/language-configuration.json");
    let parts = &package["contributes"];
    for path in [&package["main"], &parts["languages"][0]["configuration"], &parts["grammars"][0]["path"]] {
        let path = path.as_str().expect("a path").trim_start_matches("./");
        assert!(!read(&format!("editors/vscode/{path}")).is_empty());
    }
    assert_eq!(parts["grammars"][0]["scopeName"], "source.rnn");
    // Every group a pattern includes is there.
    let grammar = json("editors/vscode/syntaxes/rnn.tmLanguage.json");
    for include in grammar["patterns"].as_array().expect("patterns") {
        let name = include["include"].as_str().expect("a name").trim_start_matches('#');
        assert!(grammar["repository"].get(name).is_some(), "{name}");
    }
}
