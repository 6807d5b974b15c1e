//! `docs/tutorial.md` works as it is written: its files are written, its commands run, their output compared.
//!
//! | in the text | does |
//! |---|---|
//! | a block `rnn FILE` | writes the file |
//! | a block `rnn >> FILE` | appends to it |
//! | `<!-- in FILE: OLD => NEW -->` | changes it, as the text around tells the reader to do by hand |
//! | a block `console` | runs each line behind `$ `; what follows is its output: `…` stands for anything in a line, and alone for any lines |
//! | a block `console about` | the same, but numbers and shades may be others |
//!
//! A command whose output tells of an error must end so, every other one well. `UPDATE_TUTORIAL=1 cargo test --test
//! tutorial` puts what is printed now in the place of outputs that do not agree; look at the change before you keep it.

use crate::support::cli::Place;
use std::io::Read;
use std::path::{Path, PathBuf};

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

enum Step {
    Write {
        file: String,
        text: String,
        append: bool,
    },
    Change {
        file: String,
        old: String,
        new: String,
    },
    /// With the lines of the page that its output takes.
    Run {
        command: String,
        output: std::ops::Range<usize>,
        about: bool,
    },
}

fn steps(page: &[String]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(line) = page.get(at) {
        at += 1;
        if let Some(change) = line.strip_prefix("<!-- in ").and_then(|l| l.strip_suffix(" -->")) {
            let (file, change) = change.split_once(": ").expect("a file");
            let (old, new) = change.split_once(" => ").expect("a change");
            steps.push(Step::Change { file: file.into(), old: old.into(), new: new.into() });
        }
        let Some(info) = line.strip_prefix("```") else { continue };
        let end = (at..page.len()).find(|i| page[*i] == "```").expect("an end of the block");
        let words: Vec<&str> = info.split(' ').collect();
        match words.as_slice() {
            ["rnn", file] | ["rnn", ">>", file] => {
                let text = page[at..end].join("\n") + "\n";
                steps.push(Step::Write { file: file.to_string(), text, append: words.len() == 3 });
            }
            ["console", rest @ ..] => {
                let commands: Vec<usize> = (at..end).filter(|i| page[*i].starts_with("$ ")).collect();
                assert_eq!(commands.first(), Some(&at), "a block `console` begins with a command");
                for (k, begin) in commands.iter().enumerate() {
                    let output = begin + 1..commands.get(k + 1).copied().unwrap_or(end);
                    let command = page[*begin][2..].to_string();
                    steps.push(Step::Run { command, output, about: rest == ["about"] });
                }
            }
            _ => {}
        }
        at = end + 1;
    }
    steps
}

/// The words of a command; quotes hold them together.
fn words(command: &str) -> Vec<String> {
    let parts: Vec<&str> = command.split('\'').collect();
    assert!(parts.len() % 2 == 1, "a quote that does not end: {command}");
    let mut words = Vec::new();
    for (k, part) in parts.iter().enumerate() {
        match k % 2 {
            0 => words.extend(part.split_whitespace().map(String::from)),
            _ => words.push(part.to_string()),
        }
    }
    words
}

/// What a command prints, errors where they come, and how it ends.
fn run(place: &Place, command: &str) -> (String, i32) {
    let words = words(command);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["cp", "-r", from, "."] => {
            let from = from.strip_prefix("$RNNC/").expect("a folder of the source");
            let name = from.rsplit('/').next().expect("a name");
            copy(&PathBuf::from(SOURCE).join(from), place, name);
            (String::new(), 0)
        }
        ["rnnc", args @ ..] => {
            let (mut reader, writer) = std::io::pipe().expect("a pipe");
            let mut command = place.command(args);
            command.stdout(writer.try_clone().expect("a pipe")).stderr(writer);
            let mut child = command.spawn().expect("the tool runs");
            // It holds the other end of the pipe.
            drop(command);
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("text");
            (text, child.wait().expect("an end").code().unwrap_or(-1))
        }
        _ => panic!("the tutorial has no such command: {command}"),
    }
}

fn copy(from: &Path, place: &Place, to: &str) {
    for entry in std::fs::read_dir(from).expect("a folder").map(|e| e.expect("an entry")) {
        let name = format!("{to}/{}", entry.file_name().to_string_lossy());
        place.write(&name, std::fs::read(entry.path()).expect("a file"));
    }
}

/// Whether lines are as expected, where `…` alone stands for any number of them.
fn agree(expected: &[String], found: &[String], about: bool) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=found.len()).any(|k| agree(rest, &found[k..], about))
        }
        Some((line, rest)) => {
            found.first().is_some_and(|f| line_agrees(line, f, about)) && agree(rest, &found[1..], about)
        }
    }
}

fn line_agrees(expected: &str, found: &str, about: bool) -> bool {
    let (expected, found) = match about {
        true => (shape(expected), shape(found)),
        false => (expected.to_string(), found.to_string()),
    };
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|first| found.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (k, part) in parts.iter().enumerate() {
        let is_last = k + 1 == parts.len();
        match if is_last { rest.ends_with(part).then_some(rest.len() - part.len()) } else { rest.find(part) }
        {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// A line without its numbers, shades and spaces.
fn shape(line: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '−');
    let mut out = String::new();
    for word in line.split(|c: char| c.is_whitespace() || "░▒▓█".contains(c)).filter(|w| !w.is_empty())
    {
        let plain = word.trim_matches(|c: char| is_number(c) || c == 'e');
        let begins = word.starts_with(|c: char| c.is_ascii_digit());
        out += match plain.is_empty() || begins {
            true => "#",
            false if ["ns", "µs", "ms", "s"].contains(&word.trim_end_matches(',')) => "time",
            false => word,
        };
        // A number stands before a comma or a semicolon all the same.
        out.extend(word.chars().last().filter(|c| begins && matches!(c, ',' | ';')));
        out.push(' ');
    }
    out
}

#[test]
fn the_tutorial_works_as_it_is_written() {
    let path = PathBuf::from(SOURCE).join("docs/tutorial.md");
    let mut page: Vec<String> =
        std::fs::read_to_string(&path).expect("the page").lines().map(String::from).collect();
    let update = std::env::var_os("UPDATE_TUTORIAL").is_some();
    let place = Place::new();
    let (mut ran, mut changes) = (0, Vec::new());
    for step in steps(&page) {
        match step {
            Step::Write { file, text, append } => {
                let before =
                    if append { String::from_utf8(place.read(&file)).expect("text") } else { String::new() };
                place.write(&file, before + &text);
            }
            Step::Change { file, old, new } => {
                let text = String::from_utf8(place.read(&file)).expect("text");
                assert_eq!(text.matches(&old).count(), 1, "`{old}` in {file}:\n{text}");
                place.write(&file, text.replace(&old, &new));
            }
            Step::Run { command, output, about } => {
                ran += 1;
                let (text, code) = run(&place, &command);
                let found: Vec<String> = text.trim_end().lines().map(|l| l.trim_end().to_string()).collect();
                let expected = &page[output.clone()];
                // What explains a message shows one.
                let fails = |lines: &[String]| {
                    !command.starts_with("rnnc explain")
                        && lines.iter().any(|l| l.starts_with("error[") || l.starts_with("FAIL "))
                };
                if !agree(expected, &found, about) {
                    assert!(update, "`{command}` prints\n{}\nnot\n{}", found.join("\n"), expected.join("\n"));
                    changes.push((output, found.clone()));
                }
                assert_eq!(code, i32::from(fails(&found)), "`{command}` ends with {code}:\n{text}");
            }
        }
    }
    assert!(ran >= 10, "only {ran} commands were found");
    for (lines, found) in changes.into_iter().rev() {
        page.splice(lines, found);
    }
    if update {
        std::fs::write(&path, page.join("\n") + "\n").expect("the page is written");
    }
}

#[test]
fn outputs_are_compared() {
    let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    let both = |a: &str, b: &str, about| agree(&lines(a), &lines(b), about);
    assert!(both("a\n…\nd", "a\nb\nc\nd", false) && both("a\n…\nd", "a\nd", false));
    assert!(both("took … ms, 3 …", "took 12 ms, 3 runs", false));
    assert!(
        !both("took … ms", "took 12 s", false) && !both("a\n…\nd", "a\nb", false) && !both("a", "b", false)
    );
    assert!(!both("loss 0.5", "loss 0.6", false) && both("loss 0.5, x", "loss 0.61, x", true));
    assert!(both("1  ▒▒ ██", "1  ░░    ", true) && !both("loss 1", "error 1", true));
}
