//! A text as a `.rnn` file: read, checked, every message drawn; if it is a tree, printed and read again.

use rnnc::diag::{Diagnostic, Style, render};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::{parse, print};
use rnnc::{pipeline, resolve};

struct One<'a>(&'a str);

impl Loader for One<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        if path == "own.rnn" { Ok(self.0.to_string()) } else { Err("no such file".into()) }
    }
}

/// Files longer than this are left to the tests of limits.
const MOST: usize = 1 << 14;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.len() > MOST {
        return;
    }
    let mut sources = Sources::default();
    let (library, mut found) = resolve::load(&mut sources, &One(text), &["own.rnn".to_string()]);
    for file in library.roots().map(|root| root.file).collect::<Vec<_>>() {
        found.extend(pipeline::mistakes(&library, file));
    }
    for diagnostic in &found {
        drawn(&sources, diagnostic);
    }
    printed(text);
}

/// Places lie in their files, on characters, and the message can be drawn.
fn drawn(sources: &Sources, diagnostic: &Diagnostic) {
    for label in &diagnostic.labels {
        let text = &sources.get(label.span.file).text;
        let range = label.span.start as usize..label.span.end as usize;
        assert!(text.get(range).is_some(), "{}: a place outside the text: {:?}", diagnostic.code, label.span);
    }
    let shown = render(sources, diagnostic, Style::default());
    assert!(shown.contains(diagnostic.code), "not drawn: {diagnostic:?}");
}

/// What is printed is read as it was.
fn printed(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("own.rnn", text);
    let (tree, found) = parse(&sources, file);
    if found.iter().any(|d| d.is_error()) {
        return;
    }
    for style in [print::Style::UNICODE, print::Style::ASCII] {
        let once = print::print_file(&tree, style);
        let file = sources.add("printed.rnn", once.as_str());
        let (again, found) = parse(&sources, file);
        assert!(found.iter().all(|d| !d.is_error()), "what is printed is not read:\n{once}\n{found:?}");
        assert_eq!(print::print_file(&again, style), once, "what is printed is read otherwise");
    }
}
