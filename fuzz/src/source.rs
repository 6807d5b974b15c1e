//! A text as a `.rnn` file: read, checked, every message drawn and every change it proposes made; if it is a tree, printed
//! and read again, and formatted.

use rnnc::diag::{Diagnostic, Fix, Style, render};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::{Format, Spelling, format, parse, print};
use rnnc::{pipeline, resolve};
use unicode_normalization::UnicodeNormalization;

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
    let (sources, found) = checked(text);
    for diagnostic in &found {
        drawn(&sources, diagnostic);
        for fix in &diagnostic.fixes {
            let (sources, found) = checked(&mended(&sources, text, fix));
            found.iter().for_each(|d| drawn(&sources, d));
        }
    }
    printed(text);
    formatted(text);
}

/// All that is said of a text.
fn checked(text: &str) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let (library, mut found) = resolve::load(&mut sources, &One(text), &["own.rnn".to_string()]);
    for file in library.roots().map(|root| root.file).collect::<Vec<_>>() {
        found.extend(pipeline::mistakes(&library, file));
    }
    (sources, found)
}

/// The text with a change made, as far as it is one of this text.
fn mended(sources: &Sources, text: &str, fix: &Fix) -> String {
    let mut edits: Vec<_> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| edit.span.start);
    let (mut out, mut end) = (String::new(), 0);
    for edit in edits.into_iter().filter(|e| &*sources.get(e.span.file).text == text) {
        let (from, to) = (edit.span.start as usize, edit.span.end as usize);
        assert!(from >= end, "changes of one place: {fix:?}");
        out += text.get(end..from).expect("a change lies in its text, on characters");
        out += &edit.text;
        end = to;
    }
    out + text.get(end..).expect("a change lies in its text, on characters")
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

/// What is formatted has the same comments, and stays as it is when formatted again.
fn formatted(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("own.rnn", text);
    for how in [Format::default(), Format { spelling: Spelling::Ascii, width: 40 }] {
        let once = match format(&sources, file, how) {
            Ok(once) => once,
            // That its result means the same is seen to by the formatter.
            Err(found) if found.iter().any(|d| d.code == "E0601") => panic!("{found:?}\n{text}"),
            Err(_) => return,
        };
        assert_eq!(comments(text), comments(&once), "comments are lost:\n{text}\nbecomes\n{once}");
        let formatted = sources.add("formatted.rnn", once.as_str());
        let twice = format(&sources, formatted, how).expect("what is formatted is read");
        assert_eq!(once, twice, "formatted again it is another text");
    }
}

/// Of a text that can be read, in the form of its characters that files are read in.
fn comments(text: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let (mut in_string, mut escaped) = (false, false);
        for (i, c) in line.char_indices() {
            match c {
                '"' if !escaped => in_string = !in_string,
                '#' if !in_string => {
                    let comment = line[i..].trim_end();
                    return Some(comment.nfc().collect()).filter(|_| !comment.starts_with("##"));
                }
                _ => {}
            }
            escaped = c == '\\' && !escaped;
        }
        None
    };
    text.split('\n').filter_map(of_line).collect()
}
