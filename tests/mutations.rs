//! Programs of the stdlib and the models with mistakes in them: tokens deleted, doubled, swapped, replaced, characters put
//! in. Whatever comes out is checked within a second, every message can be drawn and its changes made, and what can be read
//! can be formatted. What is done with each is what the fuzzer does.
//!
//! `RNNC_MUTATIONS=100000 RNNC_SEED=7 cargo test --release --test mutations -- --nocapture` makes so many of them;
//! `RNNC_FIRST=66702 RNNC_MUTATIONS=1 RNNC_SEED=7` repeats one.

#[path = "../fuzz/src/source.rs"]
mod source;

use rnnc::syntax;
use soak::cells::rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Of a usual run.
const FEW: usize = 60;
/// As the tool has it: what nests deeply must not exhaust the stack.
const STACK: usize = 256 << 20;

/// Numbers that are asked for too much.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "63",
    "64",
    "4294967296",
    "9007199254740993",
    "1e308",
    "1e-320",
    "0.5",
    "1e9",
    "100000",
];
/// Characters that belong, do not belong, and are easily mistaken.
const CHARACTERS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "#",
    "##",
    "\n",
    "\n\n",
    "\n#c\n",
    ";",
    ",",
    ":",
    "=",
    "~",
    "..",
    "|>",
    "^T",
    "²",
    "ᵀ",
    "∑ k in n: ",
    "sum ",
    "×",
    "⊙",
    "·",
    "−",
    "-",
    "\u{302}",
    "\u{feff}",
    "\u{a0}",
    "\t",
    "\r\n",
    "\0",
    "é",
    "e\u{301}",
    "α",
    "alpha",
    "_hat",
    "'",
    "`",
    "\\",
    "🙂",
    "\u{202e}",
    " if true then ",
    " else ",
    "[t-1]",
    "[t+1]",
    "^",
    "@",
    "_",
];

struct Original {
    name: String,
    text: String,
}

fn originals() -> Vec<Original> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["stdlib", "models", "tests/cells"] {
        for entry in
            std::fs::read_dir(root.join(folder)).expect("a folder").map(|e| e.expect("an entry").path())
        {
            if entry.extension().is_some_and(|e| e == "rnn") {
                let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
                all.push(Original { name, text: std::fs::read_to_string(&entry).expect("a text") });
            }
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// A text with one to three mistakes.
fn mutated(originals: &[Original], rng: &mut Rng) -> (String, String) {
    let original = rng.pick(originals);
    let mut text = original.text.clone();
    let mut how = original.name.clone();
    for _ in 0..*rng.pick(&[1, 1, 1, 2, 3]) {
        how += &format!(", {}", mutate(&mut text, originals, rng));
    }
    (text, how)
}

fn mutate(text: &mut String, originals: &[Original], rng: &mut Rng) -> String {
    let tokens = syntax::tokens(text);
    if tokens.len() < 3 {
        text.push_str(rng.pick::<&str>(CHARACTERS));
        return "emptied".into();
    }
    let i = rng.below(tokens.len() - 1);
    let at = tokens[i].clone();
    let word = text[at.clone()].to_string();
    // Another token, seldom of another file.
    let other = if rng.one_in(6) {
        let from = &rng.pick(originals).text;
        from[rng.pick(&syntax::tokens(from)).clone()].to_string()
    } else {
        text[rng.pick(&tokens).clone()].to_string()
    };
    match rng.below(10) {
        0 => {
            text.replace_range(at, "");
            format!("`{word}` deleted")
        }
        1 => {
            text.insert_str(at.end, &format!(" {word}"));
            format!("`{word}` doubled")
        }
        2 => {
            let j = if rng.one_in(2) { i + 1 } else { rng.below(tokens.len()) };
            let (a, b) = (i.min(j), i.max(j));
            if a != b {
                let (first, second) =
                    (text[tokens[a].clone()].to_string(), text[tokens[b].clone()].to_string());
                text.replace_range(tokens[b].clone(), &first);
                text.replace_range(tokens[a].clone(), &second);
            }
            format!("tokens {a} and {b} swapped")
        }
        3 | 4 => {
            text.replace_range(at, &other);
            format!("`{word}` replaced by `{other}`")
        }
        5 => {
            text.insert_str(at.end, &format!(" {other} "));
            format!("`{other}` behind `{word}`")
        }
        6 => {
            let found: Vec<_> =
                tokens.iter().filter(|t| text[t.start..].starts_with(|c: char| c.is_ascii_digit())).collect();
            let at = if found.is_empty() { at } else { (*rng.pick(&found)).clone() };
            let number = rng.pick(NUMBERS);
            text.replace_range(at, number);
            format!("a number is `{number}`")
        }
        7 => {
            let last = (i + rng.between(1, 12)).min(tokens.len() - 1);
            text.replace_range(at.start..tokens[last].end, "");
            format!("tokens from {i} to {last} deleted")
        }
        _ => {
            let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
            let (place, piece) = (*rng.pick(&places), *rng.pick(CHARACTERS));
            text.insert_str(place, piece);
            format!("{piece:?} at byte {place}")
        }
    }
}

#[derive(Default)]
struct Found {
    failed: Vec<String>,
    slowest: (Duration, String),
    slow: usize,
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn every_mutation_is_refused_or_read_and_nothing_panics() {
    let originals = originals();
    let (count, seed) = (number("RNNC_MUTATIONS", FEW), number("RNNC_SEED", 1));
    let is_long = count > FEW;
    let first = number("RNNC_FIRST", 0);
    let next = AtomicUsize::new(first);
    let found = Mutex::new(Found::default());
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= first + count {
                return;
            }
            let mut rng = Rng::new((seed as u64) << 32 | i as u64);
            let (text, how) = mutated(&originals, &mut rng);
            let start = Instant::now();
            let is_good = catch_unwind(AssertUnwindSafe(|| source::run(text.as_bytes()))).is_ok();
            let took = start.elapsed();
            let mut found = found.lock().expect("no thread panics with it");
            if !is_good {
                found.failed.push(format!("seed {seed}, number {i}: {how}"));
            }
            found.slow += usize::from(took > Duration::from_secs(1));
            if took > found.slowest.0 {
                found.slowest = (took, format!("seed {seed}, number {i}: {how}"));
            }
            if is_long && i % 10_000 == 9_999 {
                println!("{} of {count}", i + 1);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("a thread");
        }
    });
    let found = found.into_inner().expect("no thread panicked");
    println!(
        "{count} mutations; {} took more than a second; the slowest {:?}: {}",
        found.slow, found.slowest.0, found.slowest.1
    );
    assert!(found.failed.is_empty(), "{} failed:\n{}", found.failed.len(), found.failed.join("\n"));
}

/// Files are read in the form of their characters that joins a letter and its accent: no comment is lost by that.
#[test]
fn a_comment_with_an_accent_of_its_own_is_kept() {
    source::run(
        "cell A(I) {  # de\u{301}ja\u{300} vu\n  in x : [I]\n  out x  # m\u{302} = \u{301}3\n}\n".as_bytes(),
    );
}
