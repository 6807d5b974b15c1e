//! The table of codes: for each a wrong example that gives the code and nothing else, and a right one that gives none; and
//! the page that is made of it.

use crate::support::cli::Place;
use rnnc::diag::codes::examples::{CELL, Content, Example, Illustration, Sample};
use rnnc::diag::codes::{self, table};
use rnnc::weights::{Array, Arrays, Data, npz};
use std::collections::BTreeSet;

/// Codes without an example, each for the reason that stands in its place.
const WITHOUT: usize = 59;

/// Words of a command line; quotes keep what is between them together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in line.trim().chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("a word").push(c),
        }
    }
    words
}

fn arrays(lines: &str) -> Arrays {
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, kind) = (words.next().expect("a name"), words.next().expect("a type"));
        let shape: Vec<usize> = words.map(|w| w.parse().expect("an extent")).collect();
        let len = shape.iter().product();
        let data = match kind {
            "f32" => return (name.to_string(), Array::f32(shape, vec![1.0; len])),
            "i64" => Data::I64(vec![1; len]),
            kind => panic!("{kind}"),
        };
        (name.to_string(), Array { shape, data })
    };
    lines.lines().map(one).collect()
}

/// The codes of what is said about a sample, and the exit code of its last command.
fn said(example: &Example, sample: &Sample) -> (BTreeSet<String>, i32, String) {
    let place = Place::new();
    for file in &example.files {
        match file.content {
            Content::Text(text) => place.write(file.name, text),
            Content::Arrays(lines) => place.write(file.name, npz::write(&arrays(lines)).expect("bytes")),
        };
    }
    let ran = match sample {
        Sample::Text(text) => {
            place.write(CELL, text);
            place.run(&["check", CELL])
        }
        Sample::Commands(lines) => {
            let mut last = None;
            for line in lines.lines() {
                let words = words(line);
                assert_eq!(words[0], "rnnc");
                let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
                last = Some(place.run(&args));
            }
            last.expect("a command")
        }
    };
    let text = format!("{}{}", ran.out, ran.err);
    let codes = ["error[", "warning[", "note["].iter().flat_map(|word| text.split(word).skip(1));
    let codes = codes.filter_map(|rest| rest.get(..5)).filter(|c| c.starts_with('E')).map(str::to_string);
    (codes.collect(), ran.code, text)
}

#[test]
fn each_code_has_a_wrong_example_that_gives_it_and_a_right_one_that_gives_none() {
    let entries: Vec<_> = table().collect();
    let part = |k: usize| entries.iter().skip(k).step_by(PARTS);
    let found: Vec<(usize, Vec<String>)> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS).map(|k| scope.spawn(move || faults(part(k)))).collect();
        parts.into_iter().map(|part| part.join().expect("no panic")).collect()
    });
    let wrong: Vec<String> = found.iter().flat_map(|(_, wrong)| wrong.clone()).collect();
    let without: usize = found.iter().map(|(without, _)| without).sum();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(without <= WITHOUT, "{without} codes have no example");
}

/// So many share the work.
const PARTS: usize = 4;

/// How many codes have no example, and what is wrong with those of the others.
fn faults<'e>(entries: impl Iterator<Item = &'e &'static codes::Entry>) -> (usize, Vec<String>) {
    let (mut without, mut wrong) = (0, Vec::new());
    for entry in entries {
        let (_, illustration) =
            codes::find(entry.code).unwrap_or_else(|| panic!("{} has no example", entry.code));
        let example = match illustration {
            Illustration::None(why) => {
                assert!(why.ends_with('.') && why.len() > 20, "{}: {why}", entry.code);
                without += 1;
                continue;
            }
            Illustration::Example(example) => example,
        };
        let (codes, code, text) = said(&example, &example.wrong);
        // A warning or note ends with 0.
        if codes.iter().ne([entry.code]) || (code != 0) != text.contains("error[") {
            wrong.push(format!("{} wrong: {codes:?}, exit code {code}\n{text}", entry.code));
        }
        let (codes, code, text) = said(&example, &example.right);
        if !codes.is_empty() || code != 0 {
            wrong.push(format!("{} right: {codes:?}, exit code {code}\n{text}", entry.code));
        }
    }
    (without, wrong)
}

#[test]
fn each_code_is_there_once_and_all_are_there() {
    let codes: Vec<&str> = table().map(|e| e.code).collect();
    let unique: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(codes.len(), unique.len());
    for entry in table() {
        assert!(!entry.title.is_empty() && !entry.text.is_empty(), "{}", entry.code);
    }
    // Whatever the compiler can say is in the table.
    let mut files = vec![std::path::PathBuf::from("src")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).expect("a folder").map(|e| e.expect("an entry").path()));
            continue;
        }
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        for code in text.split("\"E").skip(1).filter_map(|rest| rest.split('"').next()) {
            if code.len() == 4 && code.chars().all(|c| c.is_ascii_digit()) {
                let code = format!("E{code}");
                assert!(unique.contains(code.as_str()) || code == "E9999", "{code} of {}", path.display());
            }
        }
    }
}

#[test]
fn the_page_of_messages_is_that_of_the_table() {
    let made = Place::new().good(&["explain", "--markdown"]).out;
    let there = std::fs::read_to_string("docs/errors.md").unwrap_or_default();
    assert!(made == there, "make it again: cargo run -- explain --markdown > docs/errors.md");
}

#[test]
fn a_code_is_explained_with_its_message() {
    let place = Place::new();
    let text = place.good(&["explain", "E0301"]).out;
    for part in
        ["E0301: unequal shapes", "Wrong:", "tanh(W * x)", "got [H, I] and [I]", "Right:", "tanh(W @ x)"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let text = place.good(&["explain", "E0724"]).out;
    assert!(text.contains("$ rnnc run cell.rnn") && text.contains("x : f32 [3, 2, 1]"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&place.good(&["explain", "e0301", "--json"]).out).expect("JSON");
    assert_eq!(json["code"], "E0301");
    assert!(json["wrong"]["text"].as_str().expect("a text").contains("W * x"), "{json}");
    assert!(json["message"].as_str().expect("a message").contains("error[E0301]"), "{json}");
    let json: serde_json::Value =
        serde_json::from_str(&place.good(&["explain", "--json"]).out).expect("JSON");
    assert_eq!(json.as_array().expect("a list").len(), table().count());
}
