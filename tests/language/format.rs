//! The formatter: the tree stays, all comments stay in their order, and what is formatted stays as it is.

use rnnc::diag::{Style, render};
use rnnc::source::Sources;
use rnnc::syntax::{self, Format, Spelling, ast, bare, print};
use std::path::Path;

/// All program files of these folders, by path.
fn files(folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "rnn") {
                let name = format!("{folder}/{}", path.file_name().expect("a name").to_string_lossy());
                files.push((name, std::fs::read_to_string(path).expect("a text")));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    files
}

const ALL: &[&str] = &["stdlib", "models", "tests/cells", "tests/cases/ok", "tests/cases/random"];

fn tree(name: &str, text: &str) -> ast::File {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (tree, found) = syntax::parse(&sources, file);
    let shown: String = found.iter().map(|d| render(&sources, d, Style::default())).collect();
    assert!(found.is_empty(), "{shown}");
    tree
}

fn formatted(name: &str, text: &str, spelling: Spelling, width: usize) -> String {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    syntax::format(&sources, file, Format { spelling, width }).unwrap_or_else(|found| {
        let shown: String = found.iter().map(|d| render(&sources, d, Style::default())).collect();
        panic!("{shown}\n{text}")
    })
}

fn plain(text: &str) -> String {
    formatted("plain.rnn", text, Spelling::AsWritten, 110)
}

/// `#` to the end of the line, outside of strings.
fn comments(text: &str) -> Vec<&str> {
    let of_line = |line: &str| {
        let mut in_string = false;
        let at = line.char_indices().find(|(_, c)| {
            in_string ^= *c == '"';
            *c == '#' && !in_string
        });
        at.map(|(i, _)| i).filter(|i| !line[*i..].starts_with("##"))
    };
    text.lines().filter_map(|line| of_line(line).map(|i| line[i..].trim_end())).collect()
}

/// Whatever the text, the spelling and the width.
fn holds(name: &str, text: &str) {
    let before = bare(&tree(name, text));
    for (spelling, width) in [
        (Spelling::AsWritten, 110),
        (Spelling::AsWritten, 24),
        (Spelling::Unicode, 60),
        (Spelling::Ascii, 80),
    ] {
        let once = formatted(name, text, spelling, width);
        assert_eq!(bare(&tree(name, &once)), before, "another tree:\n{once}");
        assert_eq!(comments(&once), comments(text), "other comments:\n{once}");
        assert_eq!(formatted(name, &once, spelling, width), once, "formatted again it is another text");
        assert!(once.ends_with('\n') && !once.ends_with("\n\n") && !once.contains("\n\n\n"));
        assert!(!once.lines().any(|l| l.ends_with([' ', '\r'])), "a line ends in spaces:\n{once}");
    }
}

#[test]
fn every_file_keeps_its_tree_and_its_comments() {
    for (name, text) in files(ALL) {
        holds(&name, &text);
        assert_eq!(plain(text.replace('\n', "\r\n").trim_end()), plain(&text), "{name}");
    }
}

#[test]
fn from_unicode_to_ascii_and_back() {
    for (name, text) in files(ALL) {
        let unicode = formatted(&name, &text, Spelling::Unicode, 110);
        let ascii = formatted(&name, &unicode, Spelling::Ascii, 110);
        let back = formatted(&name, &ascii, Spelling::Unicode, 110);
        assert_eq!(bare(&tree(&name, &back)), bare(&tree(&name, &text)), "{back}");
        let strange = |line: &&str| {
            let code = line.split('#').next().unwrap_or("");
            !code.is_ascii() && !code.contains('"')
        };
        assert_eq!(ascii.lines().find(strange), None, "{name}");
    }
}

#[test]
fn what_is_printed_of_a_tree_is_formatted_already() {
    for (name, text) in files(ALL) {
        let tree = tree(&name, &text);
        for (style, spelling) in [
            (print::Style::UNICODE, Spelling::Unicode),
            (print::Style::ASCII, Spelling::Ascii),
            (print::Style { ascii: false, width: 50 }, Spelling::Unicode),
        ] {
            let printed = print::print_file(&tree, style);
            assert_eq!(formatted(&name, &printed, spelling, style.width), printed, "{name}");
        }
    }
}

#[test]
fn the_files_that_are_read_first_are_in_canonical_form() {
    for (name, text) in files(&["stdlib", "models", "tests/cells"]) {
        let canonical = plain(&text);
        let differs = text.lines().zip(canonical.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{name}: `rnnc fmt stdlib models tests/cells` mends it");
        assert_eq!(text, canonical, "{name}");
    }
}

#[test]
fn examples_of_the_documentation_are_in_canonical_form() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    pages
        .extend(std::fs::read_dir(root.join("docs")).expect("a folder").map(|e| e.expect("an entry").path()));
    let mut count = 0;
    for page in pages.iter().filter(|p| p.extension().is_some_and(|e| e == "md") && !p.ends_with("errors.md"))
    {
        let text = std::fs::read_to_string(page).expect("a text");
        for block in text.split("\n```rnn\n").skip(1).filter_map(|b| b.split_once("\n```")) {
            // Statements alone are no file.
            if !block.0.starts_with(' ') {
                let example = format!("{}\n", block.0);
                assert_eq!(plain(&example), example, "{}", page.display());
                count += 1;
            }
        }
    }
    assert!(count > 2);
}

/// With comments before every so many tokens: on the line of the token before, or on their own.
fn commented(text: &str, every: usize, alone: bool) -> String {
    let mut out = String::new();
    let mut end = 0;
    for (i, token) in syntax::tokens(text).into_iter().enumerate() {
        let gap = &text[end..token.start];
        let is_behind_doc = text[..end].lines().last().is_some_and(|l| l.trim_start().starts_with("##"));
        if i % every > 0 {
            out += gap;
        } else if !alone && gap.contains('\n') && !is_behind_doc {
            out += &format!(" # {i}{gap}");
        } else if out.is_empty() || gap.ends_with('\n') {
            // What stands in column one stays there.
            out += &format!("{gap}# {i}\n");
        } else {
            let begin = if alone && !gap.contains('\n') { "\n  " } else { " " };
            out += &format!("{gap}{begin}# {i}\n  ");
        }
        out += &text[token.clone()];
        end = token.end;
    }
    out + &text[end..] + "# at the end"
}

#[test]
fn a_comment_may_stand_before_any_token() {
    let whole = std::fs::read_to_string("tests/cases/format/all.rnn").expect("a text");
    for every in 1..=4 {
        for alone in [false, true] {
            let text = commented(&whole, every, alone);
            assert!(comments(&text).len() >= syntax::tokens(&whole).len() / every);
            holds("commented.rnn", &text);
        }
    }
}

#[test]
fn a_messy_file_in_canonical_form() {
    let text = std::fs::read_to_string("tests/cases/format/messy.rnn").expect("a text");
    insta::assert_snapshot!("messy", plain(&text));
    insta::assert_snapshot!("messy_ascii", formatted("messy.rnn", &text, Spelling::Ascii, 72));
}

#[test]
fn nothing_becomes_nothing() {
    for (text, expected) in [
        ("", ""),
        ("\n\n \n", ""),
        ("# c", "# c\n"),
        ("\n# a  \n\n\n#b\n\n", "# a\n\n#b\n"),
        ("cell A(I) {}", "cell A(I) {}\n"),
        ("cell A(I) { # c\n}", "cell A(I) {  # c\n}\n"),
        ("cell A(I) {\n  # c\n\n}", "cell A(I) {\n  # c\n}\n"),
        ("cell A(I) { in x : [I]; out x; }\n\n\n", "cell A(I) { in x : [I]; out x }\n"),
        ("layer A() = f", "layer A() = f\n"),
        ("layer A = f", "layer A = f\n"),
    ] {
        assert_eq!(plain(text), expected, "{text:?}");
    }
}

/// `before` in the body of a cell becomes `after`.
fn body(before: &str, after: &str) {
    let cell = |body: &str| format!("cell A(I, H) {{\n{body}}}\n");
    assert_eq!(plain(&cell(before)), cell(after));
}

#[test]
fn what_is_alike_stands_in_columns() {
    body(
        "in x : [I]\nstate h, c : [H] = 0\nparam W_{f i} : [H,I] ~ normal(1)\nparam b : [H] = 0\n f = x\n long = x\n\n g = x\n"
            .replace('\n', "\n ")
            .trim_start_matches(' ')
            .replacen("in", " in", 1)
            .trim_end_matches(' '),
        "  in    x : [I]\n  state h, c : [H] = 0\n  param W_{f i} : [H, I] ~ normal(1)\n  param b       : [H]    = 0\n  f    = x\n  long = x\n\n  g = x\n",
    );
    // Documentation and comments end a run, and one very long name does.
    body("  a = x\n  # c\n  bb = x\n  ## d\n  ccc = x\n", "  a = x\n  # c\n  bb = x\n  ## d\n  ccc = x\n");
    body(
        "  a = x\n  bb = x\n  a_name_that_is_longer_than_others = x\n",
        "  a  = x\n  bb = x\n  a_name_that_is_longer_than_others = x\n",
    );
    // Comments behind code stand in columns, and go on below.
    body(
        "  a = x # one\n        # and more\n  bbb = x # two\n  # not\n  c = x # three\n",
        "  a   = x  # one\n           # and more\n  bbb = x  # two\n  # not\n  c = x  # three\n",
    );
}

#[test]
fn lines_are_broken_where_the_author_or_the_width_wants_it() {
    let same = |text: &str| body(text, text);
    same("  h = if x then y\n      else z\n");
    same("  h = a\n      + b\n");
    same("  h = x\n      |> F(1)\n      |> G(2)\n");
    same("  m = [[1, 2],\n       [3, 4]]\n");
    same("  a = 1; b = 2\n");
    same("  at t = 0 { h = x }\n");
    body("  h = a +\n    b\n", "  h = a\n      + b\n");
    body("  h = f(a,\n   b)\n", "  h = f(a, b)\n");
    body("  h = W\n    @ x\n", "  h = W @ x\n");
    body("  at t = 0 {\n    h = x }\n", "  at t = 0 {\n    h = x\n  }\n");
    let long = "long_name_of_a_value";
    let sum = |sign: &str| [long; 6].join(sign);
    body(
        &format!("  h = {}\n", sum(" + ")),
        &format!("  h = {}\n      + {long} + {long}\n", [long; 4].join(" + ")),
    );
    body(
        &format!("  h = {}\n", sum(" ⊙ ")),
        &format!("  h = {}\n      ⊙ {long} ⊙ {long}\n", [long; 4].join(" ⊙ ")),
    );
}

#[test]
fn spelling_and_spaces_of_sizes_stay() {
    let same = |text: &str| body(text, text);
    same("  h = sigmoid(W * x) - σ(x) − alpha ⊙ α · x\n");
    same("  h = x² + x^2 + x^ T + Wᵀ @ x + W^T @ x\n");
    same("  h = Dense(2*H, 3)(x) + zeros(2*H) + 13/3 + 2 * x\n");
    same("  h = x[t-1] + x[t - 1] + y[1..2*H] + y[a+1 .. b+1]\n");
    body(
        "  h = W_{ a  b }\n".replace('W', "rows(W").replace("}\n", "})\n").as_str(),
        "  h = rows(W_{a b})\n",
    );
}

#[test]
fn documentation_stays_as_it_is() {
    body(
        "  ####  two more marks\n  ##\n  ##   indented\n  h = x\n",
        "  ## ##  two more marks\n  ##\n  ##   indented\n  h = x\n",
    );
    body("  ##close\n  h = x\n", "  ## close\n  h = x\n");
}

#[test]
fn a_side_at_a_number_that_is_too_great_is_refused() {
    let mut sources = Sources::default();
    let file = sources.add("side.rnn", "cell A(I) {\n  at t = 1e999 { h = x }\n}\n");
    let found = syntax::format(&sources, file, Format::default()).expect_err("it is no number");
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["E0119"]);
}
