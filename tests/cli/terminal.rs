//! The tool on a terminal: a progress bar for people, and nothing of it for files.
#![cfg(unix)]

use crate::support::cli::Place;
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
    let text = on_terminal(&place, &["train", "w.rnn", "--out", "a"], &[("NO_COLOR", "1")]);
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

/// What stands on a terminal of 24 rows and 80 columns whenever the cursor goes back up.
fn screens(text: &str) -> Vec<Vec<String>> {
    let (rows, columns) = (24, 80);
    let mut screen = vec![vec![' '; columns]; rows];
    let (mut row, mut column) = (0, 0);
    let mut found = Vec::new();
    let mut letters = text.chars();
    let down = |screen: &mut Vec<Vec<char>>, row: &mut usize| {
        if *row + 1 < rows {
            *row += 1;
        } else {
            screen.remove(0);
            screen.push(vec![' '; columns]);
        }
    };
    while let Some(c) = letters.next() {
        match c {
            '\r' => column = 0,
            '\n' => down(&mut screen, &mut row),
            '\x1b' => {
                letters.next();
                let mut number = String::new();
                let end = letters.by_ref().find(|c| {
                    number.push(*c);
                    c.is_ascii_alphabetic()
                });
                let n = number.trim_end_matches(char::is_alphabetic).parse().unwrap_or(1);
                match end {
                    Some('A') => {
                        found.push(
                            screen
                                .iter()
                                .map(|r| r.iter().collect::<String>().trim_end().to_string())
                                .collect(),
                        );
                        row = row.saturating_sub(n);
                    }
                    Some('B') => row = (row + n).min(rows - 1),
                    Some('K') => screen[row].fill(' '),
                    Some('J') => screen[row..].iter_mut().for_each(|r| r.fill(' ')),
                    _ => {}
                }
            }
            c => {
                // A letter behind the last column goes to the next row.
                if column == columns {
                    column = 0;
                    down(&mut screen, &mut row);
                }
                screen[row][column] = c;
                column += 1;
            }
        }
    }
    found
}

#[test]
fn curves_are_drawn_under_the_bar_where_there_are_colours() {
    let place = Place::new();
    place.write("w.rnn", WRITER).write("text.txt", "abcab. bca ".repeat(400));
    // Long enough for many frames on any machine.
    let text = on_terminal(&place, &["train", "w.rnn", "--out", "a", "--set", "train.epochs=30"], &[]);
    let is_dots = |c: char| ('\u{2801}'..='\u{28ff}').contains(&c);
    let whole = screens(&text).into_iter().find(|screen| {
        let bar = screen.iter().position(|l| l.starts_with("epoch ") && l.contains("left, "));
        let title =
            screen.iter().position(|l| l.contains("loss  ●training") && l.contains("bits  ●training"));
        let rows = screen.iter().filter(|l| l.chars().any(is_dots)).count();
        bar.zip(title).is_some_and(|(bar, title)| title == bar + 1) && (2..=5).contains(&rows)
    });
    assert!(whole.is_some(), "{text:?}");
    for dull in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let text = on_terminal(&place, &["train", "w.rnn", "--out", dull.0], &[dull]);
        assert!(!text.contains('●') && text.contains("epoch 2: loss "), "{text}");
    }
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
