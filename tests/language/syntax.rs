//! Text to tree: what parses, and what is said about what does not.

use rnnc::diag::{Diagnostic, Style, render};
use rnnc::source::Sources;
use rnnc::syntax::{ast, bare, parse, print};

fn parsed(path: &str, text: &str) -> (Sources, ast::File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add(path, text);
    let (tree, errors) = parse(&sources, file);
    (sources, tree, errors)
}

fn cases(folder: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut cases: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rnn"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn shown(sources: &Sources, errors: &[Diagnostic]) -> String {
    let style = Style { colour: false, width: 100 };
    errors.iter().map(|e| render(sources, e, style)).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_example_of_the_language_parses() {
    for (name, text) in cases("ok") {
        let (sources, tree, errors) = parsed(&name, &text);
        assert!(errors.is_empty(), "{}", shown(&sources, &errors));
        assert!(!tree.items.is_empty());
    }
}

#[test]
fn printing_and_parsing_again_gives_the_same_tree() {
    let mut cases = cases("ok");
    cases.extend(rnnc::stdlib::FILES.iter().map(|(name, text)| (name.to_string(), text.to_string())));
    for (name, text) in cases {
        let (_, tree, _) = parsed(&name, &text);
        let bare_tree = bare(&tree);
        for style in [print::Style::UNICODE, print::Style::ASCII, print::Style { ascii: false, width: 40 }] {
            let printed = print::print_file(&tree, style);
            let (sources, again, errors) = parsed(&name, &printed);
            assert!(errors.is_empty(), "{}", shown(&sources, &errors));
            same(&bare_tree, &bare(&again), &printed);
            assert_eq!(print::print_file(&again, style), printed);
            if style.ascii {
                let code: String = printed.lines().filter(|l| !l.trim_start().starts_with("##")).collect();
                assert!(code.is_ascii() || code.contains('"'), "{printed}");
            }
        }
    }
}

fn same(left: &str, right: &str, printed: &str) {
    if left != right {
        let at = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
        let near = |s: &str| s.chars().skip(at.saturating_sub(300)).take(400).collect::<String>();
        panic!("the trees differ:\n{}\n{}\nprinted:\n{printed}", near(left), near(right));
    }
}

#[test]
fn mistakes_are_shown_with_their_mend() {
    for (name, text) in cases("fail") {
        let (sources, _, errors) = parsed(&name, &text);
        let snapshot = format!("{text}---\n{}", shown(&sources, &errors));
        insta::assert_snapshot!(name.trim_end_matches(".rnn"), snapshot);
    }
}

#[test]
fn operators_bind_as_on_paper() {
    for (text, same) in [
        ("a + b * c - d", "(a + (b * c)) - d"),
        ("-a ^ 2", "-(a ^ 2)"),
        ("-W @ x * y", "(-(W @ x)) * y"),
        ("r * U @ h", "r * (U @ h)"),
        ("2 ^ 3 ^ -k", "2 ^ (3 ^ (-k))"),
        ("a ++ b + c", "a ++ (b + c)"),
        ("not a < b and c or d", "((not (a < b)) and c) or d"),
        ("a - -b", "a - (-b)"),
        ("a + sum k in n: b[k] * c + d", "(a + (sum k in n: (b[k] * c))) + d"),
        ("a / b / c @ d", "(a / b) / (c @ d)"),
        ("x^2[1]", "x^(2[1])"),
        ("xᵀ @ y² mod 2", "((xᵀ) @ (y^2)) mod 2"),
    ] {
        let shape = |value: &str| {
            let (_, tree, errors) = parsed("row.rnn", &format!("cell A(I) {{\n  h = {value}\n}}\n"));
            assert!(errors.is_empty(), "{value}");
            // Parentheses only group.
            bare(&tree)
                .replace("Expr { kind: Paren(", "")
                .replace([' ', ')', '}', ',', '('], "")
                .replace("span:", "")
        };
        assert_eq!(shape(text), shape(same), "{text}");
    }
}
