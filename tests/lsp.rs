//! The language server, driven by a client as an editor drives it.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::lsp::{Client, MARK, apply, place, position, slice};

const CELL: &str = "\
## A leaky cell.
cell Leaky(I, H, gate : soft | hard = soft) {
  in    x : [I]
  state h : [H] = 0
  param W_{f i} : [H, I] ~ uniform(1/sqrt(H))
  param U : [H, H] ~ uniform(1/sqrt(H))
  {f i} = σ(W_{f i} @ x)
  s = if gate == soft then tanh(U @ h[t-1]) else U @ h[t-1]
  h = f ⊙ h[t-1] + i ⊙ s
  out h
}
cell Slow(I, H) = Leaky(I, H) with { f = 1 − i }
layer Two(I, H)(x : seq<n> of [I]) {
  a = Leaky(I, H, gate = hard)(x)
  b = Slow(H, H)(a.h, h0 = 0)
  out b.h
}
";

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|i| i["label"].as_str()).collect()
}

#[test]
fn a_session_from_the_first_word_to_the_last() {
    let mut c = Client::new();
    // A whole life of a document: wrong, mended, asked, renamed, closed.
    let uri =
        c.open("a.rnn", "cell A(I, H) {\n  in x : [I]\n  param W : [H, I] = 0\n  y = W * x\n  out y\n}\n");
    let found = c.diagnostics(&uri);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["severity"], 1);
    assert!("W * x".contains(slice(c.text(&uri), &found[0]["range"])), "{}", found[0]);
    assert!(found[0]["code"].as_str().unwrap().starts_with("E03"), "{}", found[0]);
    assert!(found[0]["relatedInformation"].as_array().is_some_and(|r| !r.is_empty()), "{}", found[0]);
    // The page of its code is there to be read.
    let page =
        found[0]["codeDescription"]["href"].as_str().unwrap().trim_start_matches("file://").to_string();
    assert!(std::fs::read_to_string(page).unwrap().contains(found[0]["code"].as_str().unwrap()));
    // One character is changed.
    let star = place(c.text(&uri), "W ⟨⟩* x");
    let end = json!({ "line": star["line"], "character": star["character"].as_u64().unwrap() + 1 });
    c.change(&uri, json!([{ "range": { "start": star, "end": end }, "text": "@" }]));
    assert_eq!(c.mistakes(&uri), Vec::<String>::new());
    c.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(c.shut_down(), 0);
}

#[test]
fn hover_says_kind_shape_equation_and_where() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", CELL);
    let cases = [
        ("cell L⟨⟩eaky", &["cell Leaky(I, H, gate : soft | hard = soft)", "A leaky cell.", "a.rnn"][..]),
        ("⊙ h⟨⟩[t-1] + i", &["state h : [H] = 0", "h = f ⊙ h[t-1] + i ⊙ s", "state · `[H]`", "in `Leaky`"]),
        ("W_⟨⟩{f i} @ x", &["param W_{f i} : [H, I]", "parameter · `[H, I]`", "`W_f`, `W_i`"]),
        ("{⟨⟩f i} = σ", &["{f i} = σ(W_{f i} @ x)", "equation · `[H]`"]),
        ("⟨⟩s = if", &["equation · `[H]`"]),
        ("[⟨⟩H, I] ~", &["static parameter · dimension"]),
        ("if g⟨⟩ate", &["one of soft, hard"]),
        ("== s⟨⟩oft", &["word of a choice"]),
        ("σ⟨⟩(W", &["1/(1 + exp(−x))"]),
        ("uni⟨⟩form(1/sqrt(H))\n  param U", &["Between −a and a"]),
        ("h[t⟨⟩-1] + i", &["the step"]),
        ("f ⟨⟩⊙ h", &["f ⊙ h[t-1] : [H]"]),
        ("f⟨⟩ = 1 − i", &["f = 1 − i", "{f i} = σ(W_{f i} @ x)", "in `Leaky`"]),
        ("cell S⟨⟩low", &["cell Slow(I, H) = Leaky(I, H) with { … }"]),
        ("a.h⟨⟩", &["state h", "`seq<n> of [H]`"]),
        ("h0⟨⟩ = 0", &["state h : [H] = 0"]),
        ("⟨⟩a = Leaky", &["equation · `seq<n> of [H]`"]),
        ("seq<n⟨⟩>", &["dimension"]),
    ];
    for (part, wanted) in cases {
        let text = c.hover(&uri, part);
        for word in wanted {
            assert!(text.contains(word), "`{word}` of {part} is not in\n{text}");
        }
    }
    assert_eq!(c.hover(&uri, "⟨⟩## A leaky"), "");
}

#[test]
fn definitions_lead_through_the_library() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", &format!("{CELL}cell Mine(I, H) = LSTM(I, H) with {{ i = 1 − f }}\n"));
    let cases = [
        ("tanh(U⟨⟩ @", "a.rnn", "U"),
        ("⊙ h⟨⟩[t-1] + i", "a.rnn", "h"),
        ("Leaky⟨⟩(I, H, gate = hard)", "a.rnn", "Leaky"),
        ("h0⟨⟩ = 0", "a.rnn", "h"),
        ("gate⟨⟩ = hard", "a.rnn", "gate"),
        ("hard⟨⟩)(x", "a.rnn", "hard"),
        ("= LSTM⟨⟩(I", "lstm.rnn", "LSTM"),
        ("1 − f⟨⟩ }", "lstm.rnn", "f"),
    ];
    for (part, file, text) in cases {
        let found = c.at("textDocument/definition", &uri, part, json!({})).unwrap();
        let found = found.as_array().unwrap();
        assert_eq!(found.len(), 1, "{part}: {found:?}");
        assert_eq!(c.located(&found[0]), (file.to_string(), text.to_string()), "{part}");
    }
    // The equation is the definition, the declaration is one request further.
    let at = |c: &mut Client, method: &str| {
        let found = c.at(method, &uri, "⊙ h⟨⟩[t-1] + i", json!({})).unwrap();
        found[0]["range"]["start"]["line"].as_u64().unwrap()
    };
    assert_eq!(at(&mut c, "textDocument/definition"), 8);
    assert_eq!(at(&mut c, "textDocument/declaration"), 3);
    // The library's file is a copy for reading; asked in there, it knows its names too.
    let found = c.at("textDocument/definition", &uri, "= LSTM⟨⟩(I", json!({})).unwrap();
    let library = found[0]["uri"].as_str().unwrap().to_string();
    let path = library.trim_start_matches("file://").to_string();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(std::fs::metadata(&path).unwrap().permissions().readonly());
    c.open(&library, &text);
    assert!(c.hover(&library, "cell L⟨⟩STM(I, H").contains("cell LSTM"));
    let refused =
        c.at("textDocument/rename", &library, "cell L⟨⟩STM(I, H", json!({ "newName": "X" })).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("standard library"));
    let refused = c.at("textDocument/prepareRename", &uri, "= LSTM⟨⟩(I", json!({})).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("cannot be changed"), "{refused}");
}

#[test]
fn imports_are_seen_as_they_are_edited() {
    let mut c = Client::new();
    c.write("lib/base.rnn", "cell Base(I) { in x : [I]; y = x; out y }\n");
    c.write("deep/main.rnn", "");
    let main = c.open("deep/main.rnn", "use \"../lib/base.rnn\"\ncell Top(I) = Base(I) with { y = 2*x }\n");
    assert_eq!(c.mistakes(&main), Vec::<String>::new());
    let found = c.at("textDocument/definition", &main, "lib/b⟨⟩ase", json!({})).unwrap();
    assert!(found[0]["uri"].as_str().unwrap().ends_with("/work/lib/base.rnn"), "{found}");
    // Not saved, but seen.
    let base = c.open("lib/base.rnn", "cell Base(I) { in z : [I]; y = z; out y }\n");
    c.change(&main, json!([]));
    let found = c.mistakes(&main);
    assert!(found.len() == 1 && found[0].contains("1:"), "{found:?}");
    c.replace(&base, "cell Base(I) { in x : [I]; y = x; out y }\n");
    c.change(&main, json!([]));
    assert_eq!(c.mistakes(&main), Vec::<String>::new());
    // A mistake in a file that nobody has open is said there.
    c.write("lib/broken.rnn", "cell Broken(I) { in x : [I\n}\n");
    let broken = c.uri("lib/broken.rnn");
    let other = c.open("other.rnn", "use \"lib/broken.rnn\"\ncell B(I) { in x : [I]; out x }\n");
    assert_eq!(c.mistakes(&other), Vec::<String>::new());
    assert_eq!(c.mistakes(&broken).len(), 1);
}

#[test]
fn references_and_renames_reach_every_file() {
    let mut c = Client::new();
    let a = c.open("a.rnn", CELL);
    let b = c.open("b.rnn", "use \"a.rnn\"\nlayer Three(H)(x : seq<n> of [H]) {\n  y = Slow(H, H)(x)\n  z = Leaky(H, H, gate = soft)(y.h)\n  out z.h + z.s\n}\n");
    assert_eq!(c.mistakes(&b), Vec::<String>::new());
    let with = json!({ "context": { "includeDeclaration": true } });
    let found = c.at("textDocument/references", &a, "cell L⟨⟩eaky", with.clone()).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 4, "{found}");
    let found = c.at("textDocument/references", &a, "state h⟨⟩", with).unwrap();
    let count = found.as_array().unwrap().len();
    assert_eq!(count, 11, "h in its cell, a.h, h0, b.h and the two of the other file: {found:#}");

    for (part, new) in [
        ("cell L⟨⟩eaky", "Sieve"),
        ("state h⟨⟩", "memory"),
        ("{⟨⟩f i} = σ", "keep"),
        ("W_⟨⟩{f i} : ", "V_"),
        ("⟨⟩s = if", "candidate"),
        ("gate⟨⟩ : soft", "form"),
        ("soft⟨⟩ | hard", "smooth"),
        ("cell Leaky(I⟨⟩, H", "D"),
    ] {
        let part = part.replace("Leaky", if c.text(&a).contains("Leaky") { "Leaky" } else { "Sieve" });
        let edit = c.at("textDocument/rename", &a, &part, json!({ "newName": new }));
        let edit = edit.unwrap_or_else(|e| panic!("{part} to {new}: {e}"));
        c.apply(&edit);
        for uri in [&a, &b] {
            assert_eq!(c.mistakes(uri), Vec::<String>::new(), "{part} to {new}\n{}", c.text(uri));
        }
    }
    insta::assert_snapshot!(format!("{}\n{}", c.text(&a), c.text(&b)));
}

#[test]
fn a_rename_that_would_change_a_meaning_is_refused() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", CELL);
    for (part, new, why) in [
        ("⟨⟩s = if", "h", "another `h`"),
        ("⟨⟩s = if", "i", "another `i`"),
        ("⟨⟩s = if", "then", "word of the language"),
        ("⟨⟩s = if", "two words", "no name"),
        ("⟨⟩s = if", "", "no name"),
        ("⟨⟩s = if", "9s", "no name"),
        ("⟨⟩s = if", "state", "cannot be a name"),
        ("σ⟨⟩(W", "f", "word of the language"),
        ("h[t⟨⟩-1] + i", "k", "word of the language"),
        ("⟨⟩## A", "x", "no name"),
        ("cell S⟨⟩low", "Leaky", "`Leaky`"),
    ] {
        let refused = c.at("textDocument/rename", &uri, part, json!({ "newName": new })).unwrap_err();
        let said = refused["message"].as_str().unwrap();
        assert!(said.contains(why), "{part} to `{new}`: {said}");
    }
    // A member of a family keeps to it.
    let uri = c.open(
        "b.rnn",
        "cell B(I) {\n  in x : [I]\n  param W_{f i} : [I] = 0\n  y = W_f ⊙ x + W_i\n  out y\n}\n",
    );
    let refused = c.at("textDocument/rename", &uri, "= W_f⟨⟩", json!({ "newName": "forget" })).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("family `W_{f i}`"), "{refused}");
    let edit = c.at("textDocument/rename", &uri, "= W_f⟨⟩", json!({ "newName": "W_g" })).unwrap();
    c.apply(&edit);
    assert!(c.text(&uri).contains("W_{g i} : [I]") && c.text(&uri).contains("y = W_g ⊙"), "{}", c.text(&uri));
    // What is behind the name stays.
    let ready = c.at("textDocument/prepareRename", &uri, "y⟨⟩ = W_g", json!({})).unwrap();
    assert_eq!(ready["placeholder"], "y");
    // A text with a part that cannot be read may hold the name.
    let uri = c.open("c.rnn", "cell A(I) { in x : [I]; y = x; out y }\ncell B(I) = A(I) with { y = ( }\n");
    let refused = c.at("textDocument/rename", &uri, "cell A⟨⟩", json!({ "newName": "X" })).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("cannot be read"), "{refused}");
}

#[test]
fn places_count_utf16_or_what_is_agreed() {
    // 𝛼 takes two code units.
    let text = "cell A(I) {\n  in 𝛼 : [I]\n  y = σ(𝛼) + 𝛼\n  out y\n}\n";
    let mut c = Client::new();
    let uri = c.open("a.rnn", text);
    assert_eq!(c.mistakes(&uri), Vec::<String>::new());
    let hover = c.at("textDocument/hover", &uri, "+ ⟨⟩𝛼", json!({})).unwrap();
    assert_eq!(
        hover["range"],
        json!({ "start": { "line": 2, "character": 14 }, "end": { "line": 2, "character": 16 } })
    );
    let edit = c.at("textDocument/rename", &uri, "in ⟨⟩𝛼", json!({ "newName": "x" })).unwrap();
    assert_eq!(apply(text, &edit["changes"][&uri]), text.replace('𝛼', "x"));
    // Between surrogates: at the character's beginning.
    let range = json!({ "start": { "line": 2, "character": 15 }, "end": { "line": 2, "character": 16 } });
    c.change(&uri, json!([{ "range": range, "text": "zz" }]));
    let found = c.diagnostics(&uri);
    assert!(!found.is_empty());
    // Another encoding, if the client has it.
    let mut c = Client::with(json!({ "general": { "positionEncodings": ["utf-8", "utf-16"] } }));
    let uri = c.open("a.rnn", text);
    let at = json!({ "textDocument": { "uri": uri }, "position": { "line": 2, "character": 18 } });
    let hover = c.request("textDocument/hover", at).unwrap();
    assert_eq!(
        hover["range"],
        json!({ "start": { "line": 2, "character": 17 }, "end": { "line": 2, "character": 21 } })
    );
}

#[test]
fn what_completes_fits_its_place() {
    let mut c = Client::new();
    let start = "cell A(I, H, reset : before | after = before) {\n  in x : [I]\n  state h : [H] = 0\n  param W_{f i} : [H, I] = 0\n";
    let rest = "layer L(H)(x : seq<n> of [H]) {\n  m = LSTM(H, H)(x)\n  out m.h\n}\n";
    // What is typed, what must be offered, and what must not.
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("  h = ⟨⟩", &["x", "h", "W_f", "W_i", "H", "LSTM", "tanh", "if", "σ", "t"], &["state", "before"]),
        ("  h = W_⟨⟩", &["W_f", "W_i"], &[]),
        ("  h = σ(W_f @ ⟨⟩", &["x", "h"], &["state"]),
        ("  ⟨⟩", &["state", "param", "out", "h"], &["loss", "cell", "LSTM"]),
        ("  h = if reset == ⟨⟩", &["before", "after"], &["x", "tanh"]),
        ("  h = GRU(I, H, ⟨⟩", &["reset =", "update =", "H"], &[]),
        ("  h = GRU(I, H, reset = ⟨⟩", &["before", "after"], &["x"]),
        ("  m = GRU(I, H)(x, ⟨⟩", &["h0 ="], &["reset ="]),
        ("  m = GRU(I, H)(x)\n  h = m.⟨⟩", &["h", "h_last", "z"], &["x_last", "tanh", "LSTM"]),
        ("  param V : ⟨⟩", &["seq<", "bool", "H"], &["real"]),
        ("  param V : [H] ~ ⟨⟩", &["uniform", "orthogonal"], &["x"]),
        ("  h = \\sig⟨⟩", &["\\sigma", "\\odot"], &["x"]),
        ("  h = ∑ k in 1..3: ⟨⟩", &["k", "x"], &["seq<"]),
        ("  # why ⟨⟩", &[], &["x", "state"]),
        ("  ## why ⟨⟩", &[], &["x", "state"]),
    ];
    for (typed, wanted, unwanted) in cases {
        let text = format!("{start}{typed}\n}}\n{rest}");
        let uri = c.open("a.rnn", &text);
        let items = c.completions(&uri, &format!("  param W_{{f i}} : [H, I] = 0\n{typed}"));
        let labels = names(&items);
        for label in *wanted {
            assert!(labels.contains(label), "`{label}` is not offered at `{typed}`: {labels:?}");
        }
        for label in *unwanted {
            assert!(!labels.contains(label), "`{label}` is offered at `{typed}`");
        }
    }
    let uri = c.open(
        "b.rnn",
        "cell B(I, H) = LSTM(I, H) with {\n  i = 1 − ⟨⟩\n}\nmodel M(V = _) {\n  train { bat }\n}\n",
    );
    assert!(names(&c.completions(&uri, "1 − ⟨⟩")).contains(&"f"), "a base's names");
    assert!(names(&c.completions(&uri, "train { bat⟨⟩")).contains(&"batch"));
    let uri = c.open("c.rnn", "ce");
    assert!(names(&c.completions(&uri, "ce⟨⟩")).contains(&"cell"));
    // A sign takes the place of what was typed.
    let uri = c.open("d.rnn", &format!("{start}  h = x \\odot\n}}\n"));
    let items = c.completions(&uri, "x \\odot⟨⟩");
    let item = items.iter().find(|i| i["label"] == "\\odot").unwrap();
    assert!(apply(c.text(&uri), &json!([item["textEdit"]])).contains("h = x ⊙\n"));
}

#[test]
fn signatures_follow_the_argument() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", "cell A(I, H) {\n  in x : [I]\n  m = GRU(I, H, reset = after)(x, h0 = 0)\n  y = clamp(x, 0, 1)\n  out y\n}\n");
    let cases = [
        ("GRU(I⟨⟩", "I", "GRU(I, H, reset : before | after = before, update : new | keep = new)"),
        ("GRU(I, H⟨⟩", "H", "GRU(I"),
        ("reset = a⟨⟩fter", "reset : before | after = before", "GRU(I"),
        ("(x⟨⟩, h0", "x", "GRU(x)"),
        ("clamp(x, 0⟨⟩", "lo", "clamp(x, lo, hi)"),
    ];
    for (part, active, label) in cases {
        let help = c.at("textDocument/signatureHelp", &uri, part, json!({})).unwrap();
        let signature = &help["signatures"][0];
        assert!(signature["label"].as_str().unwrap().starts_with(label), "{part}: {signature}");
        let i = help["activeParameter"].as_u64().unwrap() as usize;
        assert_eq!(signature["parameters"][i]["label"], active, "{part}");
    }
    assert_eq!(c.at("textDocument/signatureHelp", &uri, "⟨⟩in x", json!({})), Ok(Value::Null));
}

#[test]
fn what_cannot_be_read_still_has_an_outline_and_names() {
    let mut c = Client::new();
    let text = "cell A(I, H) {\n  in x : [I]\n  state h : [H] = 0\n  g = tanh(x @\n  h = g\n  out h\n}\nfn twice(v : [n]) = v + v\n";
    let uri = c.open("a.rnn", text);
    assert!(!c.mistakes(&uri).is_empty());
    let symbols =
        c.request("textDocument/documentSymbol", json!({ "textDocument": { "uri": uri } })).unwrap();
    let flat: Vec<String> = symbols
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let inner: Vec<&str> =
                s["children"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
            format!("{}: {}", s["name"].as_str().unwrap(), inner.join(" "))
        })
        .collect();
    assert_eq!(flat, ["A: I H x h g h h", "twice: v"]);
    assert!(c.hover(&uri, "h = g⟨⟩").contains("g = tanh(x @"));
    let found = c.at("textDocument/definition", &uri, "h = g⟨⟩", json!({})).unwrap();
    assert_eq!(c.located(&found[0]).1, "g");
    let folds = c.request("textDocument/foldingRange", json!({ "textDocument": { "uri": uri } })).unwrap();
    assert_eq!(folds[0]["startLine"], 0);
}

#[test]
fn mends_are_offered_where_the_mistake_is_and_mend_it() {
    // Any fix that a diagnostic carries; which ones there are is said where they are made.
    let mut c = Client::new();
    let uri =
        c.open("a.rnn", "cell A(I, H) {\n  in x : [I]\n  param W : [H, I] = 0\n  y = W * x\n  out y\n}\n");
    let found = c.diagnostics(&uri);
    let ask = json!({
        "textDocument": { "uri": uri },
        "range": found[0]["range"],
        "context": { "diagnostics": found },
    });
    let actions = c.request("textDocument/codeAction", ask).unwrap();
    for action in actions.as_array().unwrap() {
        assert_eq!(action["kind"], "quickfix");
        let text = apply(c.text(&uri), &action["edit"]["changes"][&uri]);
        let other = c.open("mended.rnn", &text);
        assert_eq!(c.mistakes(&other), Vec::<String>::new(), "{}\n{text}", action["title"]);
    }
}

#[test]
fn shapes_stand_beside_equations() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", CELL);
    let all = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let ask = json!({ "textDocument": { "uri": uri }, "range": all });
    let hints = c.request("textDocument/inlayHint", ask).unwrap();
    let shown: Vec<String> = hints
        .as_array()
        .unwrap()
        .iter()
        .map(|h| {
            let at = &h["position"];
            let line = c.text(&uri).lines().nth(at["line"].as_u64().unwrap() as usize).unwrap();
            let before: String = line.chars().take(at["character"].as_u64().unwrap() as usize).collect();
            format!("{}{}", before.trim(), h["label"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "{f i}: [H]",
            "s: [H]",
            "h: [H]",
            "cell Slow(I, H) = Leaky(I, H) with { f: [H]",
            "a: seq<n> of [H]",
            "b: seq<n> of [H]",
        ]
    );
}

#[test]
fn colours_lie_in_order_on_names() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", CELL);
    let tokens =
        c.request("textDocument/semanticTokens/full", json!({ "textDocument": { "uri": uri } })).unwrap();
    let data: Vec<u64> = tokens["data"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    let (mut line, mut column) = (0, 0);
    let mut seen = Vec::new();
    for token in data.chunks(5) {
        column = if token[0] == 0 { column + token[1] } else { token[1] };
        line += token[0];
        let text: Vec<u16> = c.text(&uri).lines().nth(line as usize).unwrap().encode_utf16().collect();
        let word = String::from_utf16(&text[column as usize..(column + token[2]) as usize]).unwrap();
        seen.push((word, token[3]));
    }
    assert_eq!(seen[0], ("Leaky".to_string(), 0));
    assert!(seen.contains(&("W_{f i}".to_string(), 4)) && seen.contains(&("σ".to_string(), 1)), "{seen:?}");
}

#[test]
fn a_text_is_formatted_with_its_comments() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", "cell A(I){in x:[I]\n  y=x*x\n  out y}\n");
    let ask = json!({ "textDocument": { "uri": uri }, "options": { "tabSize": 2, "insertSpaces": true } });
    let edits = c.request("textDocument/formatting", ask.clone()).unwrap();
    let text = apply(c.text(&uri), &edits);
    assert!(text.contains("  y = x * x\n"), "{text}");
    c.replace(&uri, &text);
    assert_eq!(c.request("textDocument/formatting", ask).unwrap(), json!([]));
    assert_eq!(c.mistakes(&uri), Vec::<String>::new());
    let uri = c.open("b.rnn", "cell A(I){in x:[I] # why\n  y=x*x\n  out y}\n");
    let ask = json!({ "textDocument": { "uri": uri }, "options": { "tabSize": 2, "insertSpaces": true } });
    let edits = c.request("textDocument/formatting", ask).unwrap();
    assert!(apply(c.text(&uri), &edits).contains("  in x : [I]  # why\n"));
}

#[test]
fn a_gradient_is_shown_as_the_tool_prints_it() {
    let mut c = Client::with(json!({ "window": { "showDocument": { "support": true } } }));
    let uri = c.open("a.rnn", CELL);
    let lenses = c.request("textDocument/codeLens", json!({ "textDocument": { "uri": uri } })).unwrap();
    assert_eq!(lenses.as_array().unwrap().len(), 2, "{lenses}");
    let command = &lenses[0]["command"];
    let text = c.request(
        "workspace/executeCommand",
        json!({ "command": command["command"], "arguments": command["arguments"] }),
    );
    let text = text.unwrap();
    assert!(text.as_str().unwrap().contains("h_adj"), "{text}");
    let shown = c.asked.iter().find(|m| m["method"] == "window/showDocument").expect("it is shown");
    let path = shown["params"]["uri"].as_str().unwrap().trim_start_matches("file://").to_string();
    assert_eq!(std::fs::read_to_string(path).unwrap(), text.as_str().unwrap());
    let refused =
        c.request("workspace/executeCommand", json!({ "command": "rm", "arguments": [] })).unwrap_err();
    assert_eq!(refused["code"], -32602);
}

#[test]
fn what_is_cancelled_or_overtaken_is_not_worked_on() {
    let mut c = Client::new();
    let uri = c.open("a.rnn", CELL);
    c.diagnostics(&uri);
    // All of this lies in the pipe before the first of it is read, or it does not; each request is answered once either way.
    let ask = json!({ "textDocument": { "uri": uri }, "position": { "line": 8, "character": 2 } });
    let first = c.begin("textDocument/hover", ask.clone());
    let second = c.begin("textDocument/hover", ask.clone());
    c.notify("$/cancelRequest", json!({ "id": second }));
    c.change(&uri, json!([{ "text": CELL }]));
    let third = c.begin("textDocument/hover", ask);
    for id in [first, second] {
        if let Err(e) = c.answer(id) {
            assert!(e["code"] == -32801 || e["code"] == -32800, "{e}");
        }
    }
    assert!(c.answer(third).is_ok());
}

#[test]
fn nothing_that_arrives_ends_the_server() {
    let mut c = Client::raw();
    let refused = c.request("textDocument/hover", json!({})).unwrap_err();
    assert_eq!(refused["code"], -32002);
    c.notify("textDocument/didOpen", json!({}));
    assert!(c.request("initialize", json!({ "capabilities": 7 })).is_err());
    c.request("initialize", json!({ "capabilities": {} })).unwrap();
    assert_eq!(c.request("initialize", json!({ "capabilities": {} })).unwrap_err()["code"], -32600);
    let uri = c.open("a.rnn", CELL);
    let document = json!({ "uri": uri });
    let far = json!({ "line": 4294967295u32, "character": 4294967295u32 });
    let unopened = json!({ "uri": c.uri("not there.rnn") });
    let place = |at: &Value| json!({ "textDocument": document, "position": at, "newName": "q", "context": { "includeDeclaration": true, "diagnostics": [] }, "range": { "start": at, "end": { "line": 0, "character": 0 } }, "options": { "tabSize": 4, "insertSpaces": true } });
    let methods = [
        "textDocument/hover",
        "textDocument/definition",
        "textDocument/declaration",
        "textDocument/references",
        "textDocument/documentHighlight",
        "textDocument/prepareRename",
        "textDocument/rename",
        "textDocument/completion",
        "textDocument/signatureHelp",
        "textDocument/formatting",
        "textDocument/inlayHint",
        "textDocument/documentSymbol",
        "textDocument/foldingRange",
        "textDocument/semanticTokens/full",
        "textDocument/codeAction",
        "textDocument/codeLens",
    ];
    for method in methods {
        let _ = c.request(method, place(&far));
        for params in [json!(null), json!([]), json!(7), json!({}), json!({ "textDocument": 1 })] {
            assert_eq!(c.request(method, params).unwrap_err()["code"], -32602, "{method}");
        }
        let mut params = place(&json!({ "line": 1, "character": 1 }));
        params["textDocument"] = unopened.clone();
        assert_eq!(c.request(method, params).unwrap_err()["code"], -32602, "{method}");
    }
    assert_eq!(c.request("no/such", json!({})).unwrap_err()["code"], -32601);
    c.notify("$/whatever", json!({ "x": 1 }));
    c.notify("textDocument/didChange", json!({ "textDocument": unopened, "contentChanges": [] }));
    c.notify("textDocument/didChange", json!({ "textDocument": { "uri": 7 } }));
    c.notify("textDocument/didClose", json!({ "textDocument": unopened }));
    // Ranges that are none.
    for (start, end) in [((9, 9), (2, 2)), ((0, 0), (4_294_967_295u32, 0)), ((4_294_967_295, 3), (0, 1))] {
        let at = |(line, character): (u32, u32)| json!({ "line": line, "character": character });
        c.change(&uri, json!([{ "range": { "start": at(start), "end": at(end) }, "text": "𝛼" }]));
    }
    let _ = c.diagnostics(&uri);
    c.replace(&uri, CELL);
    // What is no message.
    for bytes in [
        &b"Content-Length: 5\r\n\r\n{{{{{"[..],
        b"Content-Length: 999999999999\r\n\r\n",
        b"Content-Length: 99999999999999999999999999999999\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"garbage\r\n\r\n",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc",
    ] {
        c.send_bytes(bytes);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    c.send_bytes(format!("Content-Length: {}\r\n\r\n{deep}", deep.len()).as_bytes());
    assert!(c.hover(&uri, "cell L⟨⟩eaky").contains("cell Leaky"));
    // Texts that are none, or too much.
    for (name, text) in [
        ("long.rnn", "(".repeat(200_000)),
        ("big.rnn", format!("cell A(I) {{\n{}\n}}\n", "  y = x\n".repeat(200_000))),
        ("odd.rnn", "\u{feff}cell \u{202e}\0{ é\u{301}\r\rσ".to_string()),
        ("members.rnn", "cell A(I) {\n  in x : [I]\n  param W[k in 1..100000000] : [I] = 0\n  y[k in 1..100000000] = W[k] ⊙ x\n  out y[1]\n}\n".to_string()),
    ] {
        let uri = c.open(name, &text);
        assert!(!c.diagnostics(&uri).is_empty(), "{name}");
        for method in methods {
            let at = json!({ "line": 1, "character": 7 });
            let mut params = place(&at);
            params["textDocument"] = json!({ "uri": uri });
            let _ = c.request(method, params);
        }
        c.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    }
    let uri = c.open("untitled:Untitled-1", CELL);
    assert_eq!(c.mistakes(&uri), Vec::<String>::new());
    assert!(c.request("shutdown", Value::Null).is_ok());
    assert_eq!(c.request("textDocument/hover", json!({})).unwrap_err()["code"], -32600);
    c.notify("exit", Value::Null);
    assert_eq!(c.exit_code(), 0);
}

#[test]
fn an_end_that_was_not_asked_for_is_an_error() {
    assert_eq!(Client::new().exit_code(), 1);
    let mut c = Client::new();
    c.notify("exit", Value::Null);
    assert_eq!(c.exit_code(), 1);
}

/// Every stdlib file and model: no mistakes, an answer at every name, and what the slowest of each kind took, which is
/// printed (`--nocapture`) and not judged: it depends on the machine.
#[test]
fn every_file_of_the_library_is_served() {
    let mut c = Client::new();
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["stdlib", "models"] {
        let mut files: Vec<_> =
            std::fs::read_dir(top.join(folder)).unwrap().flatten().map(|e| e.path()).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "rnn"));
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = format!("{folder}/{}", file.file_name().unwrap().to_string_lossy());
            let start = std::time::Instant::now();
            let uri = c.open(&name, &text);
            assert_eq!(c.mistakes(&uri), Vec::<String>::new(), "{name}");
            let took = start.elapsed();
            let slowest = c.slowest.entry("diagnostics after opening".into()).or_default();
            if took > slowest.0 {
                *slowest = (took, name.clone());
            }
            let document = json!({ "uri": uri });
            let all =
                json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 9999, "character": 0 } });
            let whole = json!({ "textDocument": document, "range": all, "context": { "diagnostics": [] } });
            for method in [
                "documentSymbol",
                "foldingRange",
                "semanticTokens/full",
                "inlayHint",
                "codeLens",
                "codeAction",
            ] {
                let answer = c.request(&format!("textDocument/{method}"), whole.clone());
                assert!(answer.is_ok(), "{name} {method}: {answer:?}");
            }
            // A place on each line that has some text.
            for (at, _) in text.match_indices('\n').filter(|(i, _)| *i > 0).step_by(9) {
                let line = text[..at].rfind('\n').map_or(0, |i| i + 1);
                let at = line + text[line..at].find(char::is_alphabetic).unwrap_or(0);
                let ask = json!({ "textDocument": document, "position": position(&text, at) });
                for method in ["hover", "definition", "completion", "signatureHelp", "documentHighlight"] {
                    let answer = c.request(&format!("textDocument/{method}"), ask.clone());
                    assert!(answer.is_ok(), "{name} {method}: {answer:?}");
                }
            }
            c.notify("textDocument/didClose", json!({ "textDocument": document }));
        }
    }
    for (kind, (took, about)) in &c.slowest {
        println!("{kind:45} {:7.1} ms  {about}", took.as_secs_f64() * 1e3);
    }
    assert_eq!(c.shut_down(), 0);
}

struct Disk;

impl rnnc::source::Loader for Disk {
    fn load(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|e| e.to_string())
    }
}

/// What a name means is known for every name of the library, its models and its tests.
#[test]
fn every_name_of_the_library_means_something() {
    let base = rnnc::resolve::Base::new();
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in ["stdlib", "models"] {
        for file in std::fs::read_dir(top.join(folder)).unwrap().flatten().map(|e| e.path()) {
            if file.extension().is_none_or(|e| e != "rnn") {
                continue;
            }
            let path = file.display().to_string();
            let view =
                rnnc::lsp::view::View::load(&base, &Disk, &path, &rnnc::limits::Limits::DEFAULT).unwrap();
            for o in &view.index_of(view.root).occurrences {
                // Behind a dot stands what an instance offers; which cell that is may depend on an option.
                let is_field = view.text(view.root)[..o.span.start as usize].ends_with('.');
                if !is_field && (o.means.is_empty() || o.means.iter().any(Option::is_none)) {
                    unknown
                        .entry(path.clone())
                        .or_default()
                        .push(rnnc::diag::place(&view.sources, o.span) + " " + view.sources.text(o.span));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn the_mark_is_no_part_of_a_text() {
    assert_eq!(place("a\nσb", &format!("σ{MARK}b")), json!({ "line": 1, "character": 1 }));
}
