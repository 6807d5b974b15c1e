//! `--help` of every command: it is there, and its examples run as they are written.
//!
//! The examples of a command run in their order, in a folder with what `rnnc new mine` makes and the models of the
//! source. A command that needs more says so in [`needed`].

use crate::support::cli::Place;
use clap::Command;
use rnnc::weights::{Array, Arrays, npz, safetensors};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What must be there before the examples of a command are run: commands, and arrays.
fn needed(command: &str, place: &Place) {
    let trained = "rnnc train mine.rnn --set train.epochs=1";
    let writes = "rnnc train models/surnames.rnn --set train.epochs=1 --set H=8 --set train.batch=256";
    let commands: &[&str] = match command {
        "eval" | "look" => &[trained],
        "generate" => &[writes],
        "report" => &["rnnc train mine.rnn --set train.epochs=1 --out runs/mine"],
        _ => &[],
    };
    commands.iter().for_each(|line| run(place, line, 0));
    if matches!(command, "import" | "export") {
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/weights/");
        place.write("net.pt", std::fs::read(format!("{files}net.pt")).expect("a file"));
        let rnn = "model Net(I = 4, H = 5, O = 3) {\n  in x : seq<n> of [I]\n  rnn = LSTM(I, H)(x)\n  \
                   y = Dense(H, O)(rnn)\n  out y\n}\n";
        place.write("net.rnn", rnn);
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/onnx/classifier.onnx");
        place.write("model.onnx", std::fs::read(model).expect("a file"));
    }
    if command == "export" {
        run(place, "rnnc import net.pt net.rnn --layout torch --map y=out --out w.safetensors", 0);
    }
    if command == "run" {
        let x = Array::f32(vec![5, 2, 8], (0..80).map(|k| (k as f32 / 10.0).sin()).collect());
        let arrays = Arrays::from([("x".to_string(), x)]);
        place.write("in.npz", npz::write(&arrays).expect("an archive"));
        let of = |name: &str, shape: &[usize]| {
            (name.to_string(), Array::f32(shape.to_vec(), vec![0.1; shape.iter().product()]))
        };
        let (w, u, b) = (&[16, 8], &[16, 16], &[16]);
        let params = [of("W_z", w), of("W_n", w), of("U_z", u), of("U_n", u), of("b_z", b), of("b_n", b)];
        place.write("w.safetensors", safetensors::write(&Arrays::from(params), "").expect("a file"));
    }
}

/// Examples that end otherwise than well: a server whose client is gone before it has said goodbye.
const CODES: &[(&str, i32)] = &[("rnnc lsp", 1)];

/// Every command with the names that lead to it.
fn commands() -> Vec<(String, Command)> {
    let mut root = rnnc::cli::command();
    root.build();
    let all = root.get_subcommands().filter(|c| c.get_name() != "help").cloned();
    all.map(|c| (c.get_name().to_string(), c)).collect()
}

/// The lines of a command's help that are examples.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let behind = help.split_once("Examples:\n").map_or("", |(_, behind)| behind).to_string();
    behind.lines().take_while(|l| !l.is_empty()).map(|l| l.trim().to_string()).collect()
}

/// The words of a line as a shell cuts them, and the file that its output goes to. `*` stands for names of files.
fn words(line: &str, folder: &Path) -> (Vec<String>, Option<String>) {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => word.push(c),
            ('\'' | '"', None) => (quote, begun) = (Some(c), true),
            (' ', None) => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (c, None) => word.push(c),
        }
    }
    assert!(quote.is_none(), "a quote that does not end: {line}");
    words.extend((begun || !word.is_empty()).then_some(word));
    let to = words.iter().position(|w| w == ">");
    let file = to.map(|at| {
        let file = words.get(at + 1).expect("a file behind >").clone();
        words.truncate(at);
        file
    });
    let words = words.into_iter().flat_map(|w| match w.split_once('*') {
        Some((before, after)) => matching(folder, before, after),
        None => vec![w],
    });
    (words.collect(), file)
}

fn matching(folder: &Path, before: &str, after: &str) -> Vec<String> {
    let (sub, start) = before.rsplit_once('/').unwrap_or((".", before));
    let names = std::fs::read_dir(folder.join(sub)).expect("a folder");
    let names = names.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut found: Vec<String> = names.filter(|n| n.starts_with(start) && n.ends_with(after)).collect();
    found.sort();
    assert!(!found.is_empty(), "{before}*{after} is no file");
    found.iter().map(|n| format!("{sub}/{n}")).collect()
}

fn run(place: &Place, line: &str, code: i32) {
    let (words, file) = words(line, &place.path(""));
    let (program, args) = words.split_first().expect("a command");
    assert_eq!(program, "rnnc", "{line}");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = place.command(&args);
    if let Some(file) = file {
        command.stdout(Stdio::from(std::fs::File::create(place.path(&file)).expect("a file")));
    }
    let ran = command.output().expect("the tool runs");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(code), "{line}\n{err}");
}

fn copy(from: &Path, place: &Place, to: &str) {
    for entry in std::fs::read_dir(from).expect("a folder").map(|e| e.expect("an entry")) {
        let name = format!("{to}/{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => copy(&entry.path(), place, &name),
            false => drop(place.write(&name, std::fs::read(entry.path()).expect("a file"))),
        }
    }
}

/// A folder as the examples want it.
fn prepared() -> Place {
    let place = Place::new();
    copy(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models"), &place, "models");
    place.good(&["new", "mine"]);
    copy(&place.path("mine"), &place, ".");
    std::fs::remove_dir_all(place.path("mine")).expect("it was made");
    place
}

/// The examples of the commands that begin with some letters.
fn examples_run(belongs: impl Fn(&str) -> bool) {
    for (name, command) in commands().into_iter().filter(|(name, _)| belongs(name)) {
        let place = prepared();
        needed(&name, &place);
        for line in examples(&command) {
            let code = CODES.iter().find(|(l, _)| *l == line).map_or(0, |(_, code)| *code);
            run(&place, &line, code);
        }
    }
}

#[test]
fn examples_that_measure_run() {
    examples_run(|name| matches!(name, "bench" | "flow"));
}

#[test]
fn examples_that_train_run() {
    examples_run(|name| matches!(name, "train" | "eval" | "look" | "generate" | "report"));
}

#[test]
fn all_other_examples_run() {
    let others = ["bench", "flow", "train", "eval", "look", "generate", "report"];
    examples_run(|name| !others.contains(&name));
}

#[test]
fn every_command_says_what_it_is_for_and_shows_examples() {
    for (name, command) in commands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && about.len() <= 66 && !about.ends_with('.'), "{name}: `{about}`");
        let examples = examples(&command);
        assert!(!examples.is_empty(), "{name} has no line `Examples:` with examples below it");
        for line in examples {
            assert!(line.starts_with(&format!("rnnc {name}")), "{name}: {line}");
            assert!(line.len() <= 98, "{name}: it is broken on a terminal: {line}");
        }
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            assert!(arg.get_help().is_some(), "{name}: nothing is said of {id}");
            assert!(!arg.get_help().expect("help").to_string().ends_with('.'), "{name}: {id}");
        }
    }
}

#[test]
fn the_overview_has_every_command_once() {
    let place = Place::new();
    for args in [["help"], ["--help"], ["-h"]] {
        let text = place.good(&args).out;
        for (name, command) in commands() {
            let begins = format!("  {name} ");
            assert_eq!(text.lines().filter(|l| l.starts_with(&begins)).count(), 1, "{name} in {text}");
            assert!(text.contains(&command.get_about().expect("about").to_string()), "{name} in {text}");
        }
        assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
    }
}

#[test]
fn a_command_that_is_misspelt_is_guessed() {
    let place = Place::new();
    for (wrong, right) in
        [("tset", "test"), ("trian", "train"), ("complete", "completions"), ("generte", "generate")]
    {
        let ran = place.run(&[wrong]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(&format!("'{right}'")), "{}", ran.err);
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = place.good(&["completions", shell]).out;
        for (name, _) in commands() {
            assert!(text.contains(&name), "{name} for {shell}");
        }
    }
    place.good(&["man", "pages/man1"]);
    for (name, command) in commands() {
        let page = String::from_utf8(place.read(&format!("pages/man1/rnnc-{name}.1"))).expect("text");
        assert!(page.contains(".SH NAME") && page.contains(".SH OPTIONS"), "{page}");
        for arg in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&arg.replace('-', "\\-")), "{arg} in {name}");
        }
        for line in examples(&command) {
            let word = line.split(' ').nth(1).expect("a command");
            assert!(page.contains(word), "{line}");
        }
    }
    assert_eq!(String::from_utf8(place.read("pages/man1/rnnc.1")).expect("text"), place.good(&["man"]).out);
}
