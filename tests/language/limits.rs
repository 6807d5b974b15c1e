//! Hostile text: the parser refuses in bounded time and stack, and never panics.

use rnnc::source::Sources;
use rnnc::syntax::{parse, parse_recipe, print};

fn codes(text: &str) -> Vec<&'static str> {
    let mut sources = Sources::default();
    let file = sources.add("hostile.rnn", text);
    let (tree, errors) = parse(&sources, file);
    let printed = print::print_file(&tree, print::Style::UNICODE);
    assert!(errors.is_empty() != printed.is_empty() || !tree.items.is_empty() || text.trim().is_empty());
    for label in errors.iter().flat_map(|e| &e.labels) {
        let text = &sources.get(label.span.file).text;
        assert!(
            text.get(label.span.start as usize..label.span.end as usize).is_some(),
            "span inside the text"
        );
    }
    errors.iter().map(|e| e.code).collect()
}

/// An equation with `value`, in a test thread of 2 MiB of stack.
fn equation(value: &str) -> Vec<&'static str> {
    codes(&format!("cell A(I) {{\n  in x : [I]\n  h = {value}\n  out h\n}}\n"))
}

#[test]
fn everything_that_recurses_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("f(", ")"),
        ("x[", "]"),
        ("if a then b else ", ""),
        ("if a then ", " else y"),
        ("2^", ""),
        ("2^-", ""),
        ("-", ""),
        ("not ", ""),
        ("sum k in n: ", ""),
        ("∑ k ∈ n: −a ⊙ ", ""),
        ("max(a, ", ")"),
        ("a |> f(", ")"),
    ] {
        for count in [25, 20_000] {
            let nested = format!("{}x{}", open.repeat(count), close.repeat(count));
            let found = equation(&nested);
            // Words before a bracket count beside it, so 25 are at most 50.
            let expected: &[&str] = if count > 64 { &["E0902"] } else { &[] };
            assert_eq!(found, expected, "{open}");
        }
    }
    let seq = "seq<n> of ".repeat(5_000);
    assert_eq!(codes(&format!("cell A(I) {{\n  in x : {seq}[I]\n}}\n")), ["E0902"]);
}

#[test]
fn nesting_up_to_the_limit_is_read() {
    // The body's brace counts too.
    assert_eq!(equation(&format!("{}x{}", "(".repeat(63), ")".repeat(63))), [""; 0]);
    assert_eq!(equation(&format!("{}x{}", "(".repeat(64), ")".repeat(64))), ["E0902"]);
}

#[test]
fn everything_that_groups_to_the_left_is_bounded() {
    for link in [" + x", " * x", " @ x", " ++ x", " or x", " |> f", "[1]", "(x)", ".f", "ᵀ", "²"] {
        assert_eq!(equation(&format!("x{}", link.repeat(200))), [""; 0], "{link}");
        assert_eq!(equation(&format!("x{}", link.repeat(20_000))), ["E0903"], "{link}");
    }
}

#[test]
fn a_file_of_the_greatest_size_is_read_and_a_greater_one_refused() {
    // Mostly comments: without optimisation a megabyte of equations takes seconds.
    let comment =
        "  # a comment of some length, as files have them for hundreds of lines on end\n".repeat(20);
    let line = format!("  h_tilde = f ⊙ c[t-1] + sum k in 1..4: g[k] * max(a, b^2, [1, 2])\n{comment}");
    let mut text = String::from("cell A(I) {\n");
    while text.len() + line.len() + 2 < 1 << 20 {
        text.push_str(&line);
    }
    text.push_str("}\n");
    assert_eq!(codes(&text), [""; 0]);
    assert_eq!(codes(&"# x\n".repeat(1 << 19)), ["E0901"]);
}

#[test]
fn broken_pieces_of_good_files_never_panic() {
    let text = include_str!("../cases/ok/chains.rnn");
    let starts: Vec<usize> = text.char_indices().map(|(i, _)| i).step_by(97).collect();
    for (k, &at) in starts.iter().enumerate() {
        let end = starts.get(k + 3).copied().unwrap_or(text.len());
        codes(&text[at..end]);
        codes(&format!("{}{}", &text[at..end], &text[..at.min(200)].chars().rev().collect::<String>()));
    }
    for soup in [
        "{",
        "}",
        "\"",
        "##",
        "cell",
        "cell A",
        "cell A(",
        "cell A {}",
        "\u{feff}cell A {}",
        "use",
        "= =",
        "\0",
    ] {
        codes(soup);
        let mut sources = Sources::default();
        let file = sources.add("recipe", soup);
        let _ = parse_recipe(&sources, file);
    }
}

#[test]
fn decomposed_text_means_the_same_and_is_shown_where_it_stands() {
    let text = "cell A(I) {\n  in h\u{303} : [I]\n  o = if h\u{303} =\u{338}= 0 then ĥ else h x\n}\n";
    let mut sources = Sources::default();
    let file = sources.add("nfd.rnn", text);
    let (_, errors) = parse(&sources, file);
    assert_eq!(errors.len(), 1);
    let text = "cell A(I) {\n  in h\u{303} : [I]\n  o = h_tilde\n  y = h\u{302} x\n  out o\n}\n";
    let file = sources.add("nfd.rnn", text);
    let (_, errors) = parse(&sources, file);
    assert_eq!(sources.text(errors[0].labels[0].span), "h\u{302} x");
}
