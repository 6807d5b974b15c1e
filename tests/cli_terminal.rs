//! The tool on a terminal: a progress bar for people, and nothing of it for files.
#![cfg(unix)]

mod cli_support;

use cli_support::Place;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::io::Read;

const WRITER: &str = "model Writer(V = _, H = 4) {
  in text : seq<n> of id(V)
  h = RNN(V, H)(shift(Embed(V, V)(text), 1))
  y = Dense(H, V)(h)
  out  y
  loss cross_entropy(y, text)
  metric bits = cross_entropy(y, text) / log(2)
  data { text = chars(\"text.txt\"); split = [0.6, 0.4] }
  train { optimizer = Adam(lr = 1e-2); batch = 2; window = 5; epochs = 2; seed = 1 }
}
";

/// What the tool writes to a terminal of 80 columns as its standard error.
fn on_terminal(place: &Place, args: &[&str], set: &[(&str, &str)]) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("a terminal");
    unlockpt(&ours).expect("a terminal");
    let name = ptsname(&ours, Vec::new()).expect("a name");
    let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other end");
    let mut size = rustix::termios::tcgetwinsize(&theirs).expect("a size");
    (size.ws_row, size.ws_col) = (24, 80);
    rustix::termios::tcsetwinsize(&theirs, size).expect("a size");
    let mut command = place.command(args);
    command.env("TERM", "xterm").env_remove("NO_COLOR").envs(set.iter().copied()).stderr(theirs);
    let mut child = command.spawn().expect("the tool runs");
    // Its end of the terminal is closed when the tool ends; reading then fails or is over.
    drop(command);
    let (mut terminal, mut text, mut part) = (std::fs::File::from(ours), Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = terminal.read(&mut part) {
        text.extend(&part[..n]);
    }
    child.wait().expect("it ends");
    String::from_utf8(text).expect("text")
}

/// Colours are set by `ESC [ … m`; moving about and erasing end in other letters.
fn is_coloured(text: &str) -> bool {
    text.split("\x1b[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

#[test]
fn training_shows_a_bar_on_a_terminal_only() {
    let place = Place::new();
    place.write("w.rnn", WRITER).write("text.txt", "abcab. bca ".repeat(40));
    let text = on_terminal(&place, &["train", "w.rnn", "--out", "a"], &[]);
    let drawn: Vec<&str> = text.split(['\r', '\n']).filter(|line| line.contains("left, ")).collect();
    let bar = drawn.first().expect(&text);
    for part in ["epoch 1/2 [", "% loss ", ", bits ", ":", " left, ", " posit"] {
        assert!(bar.contains(part), "`{part}` is missing in {bar:?}");
    }
    for line in drawn {
        let shown = line.trim_start_matches("\x1b[2K").trim_end();
        assert!(shown.chars().count() <= 80, "{shown:?}");
    }
    assert!(text.contains("epoch 2: loss ") && text.contains("; test: loss "), "{text}");
    let plain = place.good(&["train", "w.rnn", "--out", "b"]).err;
    assert!(!plain.contains(['\x1b', '\r', '%']) && plain.contains("epoch 2: loss "), "{plain}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = Place::new();
    place.write("bad.rnn", "cell C { in x : []; out z }");
    let args = ["check", "bad.rnn"];
    assert!(is_coloured(&on_terminal(&place, &args, &[])));
    assert!(!is_coloured(&on_terminal(&place, &args, &[("NO_COLOR", "1")])));
    assert!(!is_coloured(&on_terminal(&place, &args, &[("TERM", "dumb")])));
    place.write("w.rnn", WRITER).write("text.txt", "abcab. bca ".repeat(40));
    let text = on_terminal(&place, &["train", "w.rnn", "--out", "a"], &[("NO_COLOR", "1")]);
    assert!(text.contains("left, ") && !is_coloured(&text), "{text}");
}
