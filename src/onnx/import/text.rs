//! The file that a model becomes.

use super::scan::Carried;
use super::starts::Begin;
use super::{Equation, Reader};
use std::collections::{BTreeMap, BTreeSet};

/// Words that no equation may be called.
const WORDS: &[&str] = &[
    "if", "then", "else", "and", "or", "not", "in", "mod", "div", "true", "false", "mem", "state", "param",
    "noise", "dim", "part", "at", "out", "loss", "metric", "generate", "data", "train", "set", "expect",
    "cell", "layer", "model", "fn", "test", "check", "layout", "use", "over", "per", "where", "n", "t", "pi",
    "inf", "first", "last", "reverse", "relu", "tanh", "sigmoid", "exp", "log", "sqrt", "abs", "softplus",
    "softmax", "mean", "seq", "id", "of", "bool", "sum", "prod", "max", "min",
];

/// Names of one scope.
#[derive(Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
    /// How often a name was asked for.
    asked: BTreeMap<String, usize>,
}

impl Names {
    pub fn take(&mut self, name: &str) {
        self.taken.insert(name.to_string());
    }

    /// A name that nothing has, like this one of the model.
    pub fn fresh(&mut self, hint: &str) -> String {
        let base = plain(hint);
        loop {
            let k = self.asked.entry(base.clone()).or_default();
            *k += 1;
            let name = if *k == 1 { base.clone() } else { format!("{base}_{k}") };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The names that a text reads, and other words.
pub(super) fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    split.filter(|w| !w.is_empty()).map(str::to_string).collect()
}

/// The equations that are read, directly or not; `read` becomes all that is.
pub(super) fn reached(equations: Vec<Equation>, read: &mut BTreeSet<String>) -> Vec<Equation> {
    let index: BTreeMap<&str, usize> =
        equations.iter().enumerate().map(|(i, e)| (e.name.as_str(), i)).collect();
    let mut kept = vec![false; equations.len()];
    let mut open: Vec<String> = read.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let Some(i) = index.get(name.as_str()) else { continue };
        if !std::mem::replace(&mut kept[*i], true) {
            open.extend(words(&equations[*i].text).into_iter().filter(|w| read.insert(w.clone())));
        }
    }
    equations.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(e, _)| e).collect()
}

/// A text with one name in place of another.
pub(super) fn renamed(text: &str, from: &str, to: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_word) {
        let (before, word) = rest.split_at(at);
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        let (word, behind) = word.split_at(end);
        out += before;
        out += if word == from { to } else { word };
        rest = behind;
    }
    out + rest
}

/// Declarations of states, with what they begin with where it is a number.
pub(super) fn states(carried: &[Carried]) -> String {
    let declared = |s: &Carried| match s.begin {
        Begin::Number(d) | Begin::Open { default: d, .. } if d != 0.0 => d.to_string(),
        _ => "0".to_string(),
    };
    let line = |names: &str, s: &Carried| format!("  state {names} : [{}] = {}\n", s.width, declared(s));
    match carried {
        [first, rest @ ..]
            if rest.iter().all(|s| (declared(s), &s.width) == (declared(first), &first.width)) =>
        {
            let names: Vec<&str> = carried.iter().map(|s| s.name.as_str()).collect();
            line(&names.join(", "), first)
        }
        _ => carried.iter().map(|s| line(&s.name, s)).collect(),
    }
}

/// Parameters that states begin with.
pub(super) fn begins(carried: &[Carried]) -> String {
    let learnt = || carried.iter().filter(|s| matches!(s.begin, Begin::Learnt(_)));
    let params = learnt().map(|s| format!("  param {}_start : [{}] = 0\n", s.name, s.width));
    let lines = learnt().map(|s| format!("    {0} = {0}_start\n", s.name));
    match learnt().count() {
        0 => String::new(),
        _ => format!("{}  at t = 0 {{\n{}  }}\n", params.collect::<String>(), lines.collect::<String>()),
    }
}

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
