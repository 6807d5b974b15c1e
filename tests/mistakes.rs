//! One small file for each mistake an author makes: one message, in that file, with a mend.

use rnnc::diag::Diagnostic;
use rnnc::pipeline::mistakes;
use rnnc::resolve::load;
use rnnc::source::{Loader, Sources};
use std::fmt::Write;
use std::fs;
use std::path::Path;

struct Folder(&'static str);

impl Loader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(Path::new(self.0).join(path)).map_err(|e| e.to_string())
    }
}

const FOLDER: &str = "tests/cases/mistakes";
/// Files with more than one mistake.
const SEVERAL: &[(&str, usize)] = &[("two_mistakes", 2)];

/// All files at once, each with its own items in view, and the messages that begin in each.
fn found(files: &[String]) -> (Sources, Vec<Vec<Diagnostic>>) {
    let mut sources = Sources::default();
    let (library, mut all) = load(&mut sources, &Folder(FOLDER), files);
    for root in library.roots() {
        all.extend(mistakes(&library, root.file));
    }
    let mut found = vec![Vec::new(); files.len()];
    for d in all {
        let home = d.labels.first().map(|l| sources.get(l.span.file).path.as_str());
        let file = files.iter().position(|f| Some(f.as_str()) == home);
        found[file.unwrap_or_else(|| panic!("begins in no file of the author: {d:?}"))].push(d);
    }
    (sources, found)
}

/// Line and column of a place, after the file's name if it is another one.
fn place(sources: &Sources, file: &str, span: rnnc::source::Span) -> String {
    let place = rnnc::diag::place(sources, span);
    place.strip_prefix(&format!("{file}:")).unwrap_or(&place).to_string()
}

#[test]
fn each_mistake_has_one_message_with_a_place_and_a_mend() {
    let mut names: Vec<String> = fs::read_dir(FOLDER)
        .expect("the folder of the cases")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() > 60);
    let (sources, found) = found(&names);
    let mut all = String::new();
    let mut wrong = Vec::new();
    for (file, found) in names.iter().zip(&found) {
        let name = file.trim_end_matches(".rnn");
        let _ = writeln!(all, "{name}");
        for d in found {
            let _ = writeln!(all, "  {} {}", d.code, d.message);
            for label in &d.labels {
                let _ = writeln!(all, "    {} {}", place(&sources, file, label.span), label.text);
            }
            if let Some(help) = &d.help {
                let _ = writeln!(all, "    help: {help}");
            }
            if d.help.is_none() {
                wrong.push(format!("{name}: {} has no mend", d.code));
            }
        }
        let wanted = SEVERAL.iter().find(|(n, _)| *n == name).map_or(1, |(_, n)| *n);
        if found.len() != wanted {
            wrong.push(format!("{name}: {} messages", found.len()));
        }
    }
    assert_eq!(wrong, [""; 0], "{all}");
    insta::assert_snapshot!("mistakes", all);
}

/// What is no mistake: several families in one declaration, what only a real cell offers, parameters of a part,
/// positions from the end.
#[test]
fn what_is_right_has_no_message() {
    const RIGHT: &str = r#"
cell Families(I, H) over chain(t in 1..T) {
  in x : [I]
  state p_{a b}, q_{c d e} : [H] = 0
  p_{a b} = tanh(p_{b a}[t-1] + x[t][1])
  q_{c d e} = q_{d e c}[t-1] ⊙ p_a
  out q_c + p_b, z = q_d[T-1]
}
layer Enc(C : cell)(x : seq<n>) {
  param b : [3] = 0
  e = C(x, scale = 2)
  out e.h_last + b
}
cell Outer(I, H, C : cell) {
  in x : [I]
  state s : [H] = 0
  part m = C
  a = m(x ++ s[t-1])
  s = a.q + m.W @ x
  out s
}
model Tied(V = _, E = 8) {
  in text : seq<n> of id(V)
  part e = Embed(V, E)
  h = LSTM(E, E)(shift(e(text), 1))
  y = Dense(E, V)(h, W = e.table)
  out y
  loss cross_entropy(y, text)
}
"#;
    struct One;
    impl Loader for One {
        fn load(&self, _: &str) -> Result<String, String> {
            Ok(RIGHT.to_string())
        }
    }
    let mut sources = Sources::default();
    let (library, mut found) = load(&mut sources, &One, &["right.rnn".to_string()]);
    for root in library.roots() {
        found.extend(mistakes(&library, root.file));
    }
    found.retain(|d| d.severity != rnnc::diag::Severity::Note);
    assert_eq!(found, []);
}
