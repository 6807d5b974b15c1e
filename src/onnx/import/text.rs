//! The file that a model becomes.

use super::Reader;

/// Words that no equation may be called.
const WORDS: &[&str] = &[
    "if", "then", "else", "and", "or", "not", "in", "mod", "div", "true", "false", "mem", "state", "param",
    "noise", "dim", "part", "at", "out", "loss", "metric", "generate", "data", "train", "set", "expect",
    "cell", "layer", "model", "fn", "test", "check", "layout", "use", "over", "per", "where", "n", "t", "pi",
    "inf", "first", "last", "reverse", "relu", "tanh", "sigmoid", "exp", "log", "sqrt", "abs", "softplus",
    "softmax", "mean", "seq", "id", "of", "bool", "sum", "prod", "max", "min",
];

/// A name of the language that resembles one of the model.
pub(super) fn plain(name: &str) -> String {
    let kept: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(60).collect();
    let kept = kept.trim_matches('_').to_string();
    match kept.chars().next() {
        Some(c) if c.is_ascii_alphabetic() && !WORDS.contains(&kept.as_str()) => kept,
        _ => format!("x_{kept}").trim_end_matches('_').to_string(),
    }
}

pub(super) fn file(reader: &Reader, outputs: &[(String, String)]) -> String {
    let mut text = String::from("# From an ONNX model. The weights lie in a file beside this one.\n");
    for note in &reader.notes {
        text += &format!("# {}\n", note.replace(['\n', '\r'], " "));
    }
    for (name, cell) in &reader.cells {
        text += &format!("\n{}", cell.replace("NAME", name));
    }
    text += "\nmodel Net {\n";
    for (name, ty) in &reader.inputs {
        text += &format!("  in {name} : {ty}\n");
    }
    text.push('\n');
    let width = reader.equations.iter().map(|e| e.name.len()).max().unwrap_or(0);
    for e in &reader.equations {
        text += &format!("  {:<width$} = {}\n", e.name, e.text);
    }
    let mut taken = std::collections::BTreeSet::new();
    for (name, value) in outputs {
        let mut own = plain(name);
        while !taken.insert(own.clone()) {
            own.push_str("_2");
        }
        text += &format!("  out {own} = {value}\n");
    }
    text + "}\n"
}
