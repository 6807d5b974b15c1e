//! One small file for each mistake an author makes: one message, at the place that the file itself marks, with a mend.
//!
//! Under the line where a message points stands a comment with its place and code: `#   ^^^ E0301` marks columns 5 to 7; in
//! column one the `#` is itself part of what is marked (`#^^ E0102`: columns 1 to 3), and `#< E0105` is column 1 alone.
//! These lines are taken out before a file is read. A place of several lines is marked in its first.

use rnnc::diag::{Diagnostic, Severity, Style, mend, render};
use rnnc::pipeline::mistakes;
use rnnc::resolve::load;
use rnnc::source::{FileId, Loader, Sources, Span};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const FOLDER: &str = "tests/cases/mistakes";
/// So many files have a fix, at least.
const FIXES: usize = 140;

/// The first line, column and width of a place, and the code of what is said there.
type Mark = (usize, usize, usize, String);

/// A case without its marks, and these.
fn unmarked(text: &str) -> (String, Vec<Mark>) {
    let (mut out, mut marks, mut line) = (String::new(), Vec::new(), 0);
    for l in text.split_inclusive('\n') {
        match mark_of(l.trim_end()) {
            Some((column, width, code)) => marks.push((line, column, width, code)),
            None => {
                line += 1;
                out.push_str(l);
            }
        }
    }
    (out, marks)
}

fn mark_of(line: &str) -> Option<(usize, usize, String)> {
    let rest = line.strip_prefix('#')?;
    let (sign, code) = rest.rsplit_once(' ')?;
    if code.len() != 5 || !code.starts_with('E') {
        return None;
    }
    if sign == "<" {
        return Some((1, 1, code.into()));
    }
    let spaces = sign.len() - sign.trim_start().len();
    let carets = sign.trim_start();
    let valid = !carets.is_empty() && carets.chars().all(|c| c == '^');
    let (column, width) = if spaces == 0 { (1, carets.len() + 1) } else { (spaces + 2, carets.len()) };
    valid.then(|| (column, width, code.into()))
}

struct Cases(BTreeMap<String, String>);

impl Loader for Cases {
    fn load(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file or folder".into())
    }
}

/// The names of all cases, their texts, and their marks.
fn cases() -> (Cases, BTreeMap<String, Vec<Mark>>) {
    let (mut texts, mut marks) = (BTreeMap::new(), BTreeMap::new());
    for entry in fs::read_dir(FOLDER).expect("the folder of the cases") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let (text, found) = unmarked(&fs::read_to_string(Path::new(FOLDER).join(&name)).expect("a case"));
        texts.insert(name.clone(), text);
        marks.insert(name, found);
    }
    (Cases(texts), marks)
}

/// Some files at once, each with its own items in view, and the messages that begin in each.
fn found(cases: &Cases, files: &[String]) -> (Sources, BTreeMap<String, Vec<Diagnostic>>) {
    let mut sources = Sources::default();
    let (library, mut all) = load(&mut sources, cases, files);
    for root in library.roots() {
        all.extend(mistakes(&library, root.file));
    }
    let mut found: BTreeMap<String, Vec<Diagnostic>> =
        files.iter().map(|f| (f.clone(), Vec::new())).collect();
    for d in all {
        let home = home(&sources, &d).unwrap_or_else(|| panic!("no place of an author: {d:?}"));
        found.entry(sources.get(home.file).path.clone()).or_default().push(d);
    }
    (sources, found)
}

/// The first place in a file of an author.
fn home(sources: &Sources, d: &Diagnostic) -> Option<Span> {
    d.labels.iter().map(|l| l.span).find(|span| !sources.get(span.file).path.starts_with('<'))
}

fn names(cases: &Cases) -> Vec<String> {
    cases.0.keys().cloned().collect()
}

/// Line, column and width of a place, as a mark has them.
fn mark(sources: &Sources, span: Span, code: &str) -> Mark {
    let text = &sources.get(span.file).text;
    let start = span.start as usize;
    let from = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line = text[..start].matches('\n').count() + 1;
    let to = text[start..].find('\n').map_or(text.len(), |i| start + i).min(span.end as usize);
    (line, text[from..start].chars().count() + 1, text[start..to].chars().count().max(1), code.into())
}

#[test]
fn each_mistake_has_its_messages_at_the_marked_places() {
    let (cases, marks) = cases();
    let files = names(&cases);
    assert!(files.len() >= 170, "{}", files.len());
    let (sources, found) = found(&cases, &files);
    let mut wrong = Vec::new();
    for (file, found) in &found {
        let places = found.iter().filter_map(|d| Some((home(&sources, d)?, d.code)));
        let mut there: Vec<Mark> = places.map(|(span, code)| mark(&sources, span, code)).collect();
        there.sort();
        if there != marks[file] || there.is_empty() {
            wrong.push(format!("{file}: marked {:?}, found {there:?}", marks[file]));
        }
        for d in found.iter().filter(|d| d.help.is_none() && d.fixes.is_empty()) {
            wrong.push(format!("{file}: {} has no mend", d.code));
        }
        for d in found {
            let span = d.labels[0].span;
            let (line, column, ..) = mark(&sources, span, d.code);
            let head = format!("[{}:{line}:{column}]", sources.get(span.file).path);
            let drawn = render(&sources, d, Style::default());
            if !drawn.contains(&head) {
                wrong.push(format!("not drawn at {head}:\n{drawn}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_message_is_drawn_as_before() {
    let (cases, _) = cases();
    let (sources, found) = found(&cases, &names(&cases));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/mistakes");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (file, found) in &found {
            let drawn: Vec<String> = found.iter().map(|d| render(&sources, d, Style::default())).collect();
            insta::assert_snapshot!(file.trim_end_matches(".rnn"), drawn.join("\n"));
        }
    });
}

/// The file with other text, checked alone.
fn again(cases: &Cases, file: &str, text: String) -> (Sources, Vec<Diagnostic>) {
    let mut texts = cases.0.clone();
    texts.insert(file.to_string(), text);
    let (sources, found) = found(&Cases(texts), &[file.to_string()]);
    (sources, found.into_values().flatten().collect())
}

#[test]
fn a_fix_that_is_made_leaves_a_file_that_compiles() {
    let (cases, _) = cases();
    let (sources, found) = found(&cases, &names(&cases));
    let (mut wrong, mut fixed) = (String::new(), 0);
    for (file, found) in &found {
        let mended = mend::mend(&sources, found);
        let Some(text) = mended.texts.values().next() else { continue };
        fixed += 1;
        let (mut text, mut round) = (text.clone(), 0);
        let (now, left) = loop {
            let (now, left) = again(&cases, file, text.clone());
            match mend::mend(&now, &left).texts.into_values().next().filter(|_| round < ROUNDS) {
                Some(next) => (text, round) = (next, round + 1),
                None => break (now, left),
            }
        };
        // What has no fix is still there, and nothing else.
        let open: Vec<&str> = found.iter().filter(|d| d.fixes.is_empty()).map(|d| d.code).collect();
        for d in left.iter().filter(|d| !open.contains(&d.code)) {
            let is_new = d.is_error() || found.iter().any(|f| f.code == d.code);
            if is_new {
                let _ = writeln!(wrong, "{file}, mended:\n{text}\n{}", render(&now, d, Style::default()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(fixed >= FIXES, "{fixed} files have a fix; there were {FIXES}");
}

/// Another suggestion of a message mends it as well; whether the file is then right, the author knows.
#[test]
fn each_suggestion_ends_its_message() {
    let (cases, _) = cases();
    let (sources, found) = found(&cases, &names(&cases));
    let mut wrong = String::new();
    for (file, found) in &found {
        for d in found {
            for fix in &d.fixes {
                let home: FileId = fix.edits[0].span.file;
                assert!(fix.edits.iter().all(|e| e.span.file == home), "{file}");
                let text = mend::apply(&sources.get(home).text, fix, home);
                assert_ne!(*text, *sources.get(home).text, "{file}: `{}` changes nothing", fix.title);
                let (now, left) = again(&cases, file, text);
                let same = |l: &&Diagnostic| l.code == d.code && l.message == d.message;
                for l in left.iter().filter(same) {
                    let _ = writeln!(wrong, "{file}, {}:\n{}", fix.title, render(&now, l, Style::default()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What `check --fix` does with all files: it mends until nothing that is sure is left. `each`: after every round, what a file
/// was, what it has become, and what is said of it now.
fn mended(
    cases: &Cases,
    mut each: impl FnMut(&str, &str, &str, &[Diagnostic]),
) -> BTreeMap<String, Vec<Diagnostic>> {
    let mut texts = cases.0.clone();
    for _ in 0..ROUNDS {
        let now = Cases(texts.clone());
        let (sources, found) = found(&now, &names(&now));
        for (file, found) in &found {
            each(file, &cases.0[file], &texts[file], found);
        }
        let all: Vec<Diagnostic> = found.values().flatten().cloned().collect();
        let mended = mend::mend(&sources, &all);
        if mended.texts.is_empty() {
            return found;
        }
        for (file, text) in mended.texts {
            texts.insert(sources.get(file).path.clone(), text);
        }
    }
    panic!("mending does not come to an end");
}

/// After so many rounds nothing is left to mend.
const ROUNDS: usize = 12;

/// Lines with something of a statement, comments aside.
fn statements(text: &str) -> usize {
    let code = text.lines().map(|l| l.split('#').next().unwrap_or(l));
    code.filter(|l| l.contains(char::is_alphanumeric)).count()
}

#[test]
fn mending_takes_nothing_away_and_breaks_nothing() {
    let (cases, _) = cases();
    let mut passed: BTreeMap<String, bool> = BTreeMap::new();
    let mut wrong = String::new();
    mended(&cases, |file, before, now, found| {
        let fails = found.iter().any(Diagnostic::is_error);
        if *passed.entry(file.to_string()).or_insert(!fails) && fails {
            let _ = writeln!(wrong, "{file} passed before:\n{now}");
        }
        if statements(now) < statements(before) {
            let _ = writeln!(wrong, "{file} has lost a statement:\n{now}");
        }
    });
    assert!(wrong.is_empty(), "{wrong}");
}

/// A text without the blanks round its operators.
fn tight(text: &str) -> String {
    let tokens = rnnc::syntax::tokens(text);
    let sign = |k: usize| {
        let sign = &text[tokens[k].clone()];
        // `//` before a blank is a comment elsewhere.
        let alone =
            |other: Option<usize>| other.and_then(|j| tokens.get(j)).is_none_or(|t| &text[t.clone()] != "/");
        match sign {
            "/" => alone(k.checked_sub(1)) && alone(Some(k + 1)),
            _ => ["+", "-", "−", "*", "@", "⊙", "^", "%", "=", "==", "<", ">", "&", "|"].contains(&sign),
        }
    };
    let mut out = String::new();
    let mut end = 0;
    for (k, token) in tokens.iter().enumerate() {
        let gap = &text[end..token.start];
        let around = k > 0 && sign(k) != sign(k - 1);
        if !(around && gap.chars().all(|c| c == ' ')) {
            out.push_str(gap);
        }
        out.push_str(&text[token.clone()]);
        end = token.end;
    }
    out + &text[end..]
}

#[test]
fn mending_works_without_blanks_round_operators() {
    let (cases, _) = cases();
    let spaced = mended(&cases, |_, _, _, _| {});
    let texts = cases.0.iter().map(|(file, text)| (file.clone(), tight(text)));
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    let tight = mended(&Cases(texts.collect()), |file, _, now, _| {
        last.insert(file.to_string(), now.to_string());
    });
    let codes = |found: &[Diagnostic]| -> Vec<&'static str> {
        let mut codes: Vec<_> = found.iter().filter(|d| d.is_error()).map(|d| d.code).collect();
        codes.sort();
        codes
    };
    let mut wrong = String::new();
    for (file, found) in &tight {
        if codes(found) != codes(&spaced[file]) {
            let _ = writeln!(
                wrong,
                "{file} ends with {:?}, not {:?}:\n{}",
                codes(found),
                codes(&spaced[file]),
                last[file]
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is no mistake: several families in one declaration, what only a real cell offers, parameters of a part,
/// positions from the end, one step of a cell at a point of a grid or tree.
#[test]
fn what_is_right_has_no_message() {
    const RIGHT: &str = r#"
cell Families(I, H) over chain(t in 1..T) {
  in x : [I]
  state p_{a b}, q_{c d e} : [H] = 0
  p_{a b} = tanh(p_{b a}[t-1] + x[t][1])
  q_{c d e} = q_{d e c}[t-1] ⊙ p_a
  out q_c + p_b, z = q_d[T-1]
}
layer Enc(C : cell)(x : seq<n>) {
  param b : [3] = 0
  e = C(x, scale = 2)
  out e.h_last + b
}
cell Outer(I, H, C : cell) {
  in x : [I]
  state s : [H] = 0
  part m = C
  a = m(x ++ s[t-1])
  s = a.q + m.W @ x
  out s
}
cell Rows(I) over grid(i, j) {
  in x : [I]
  state h : [I] = 0
  m = GRU(I, I)(x, prev h = h[i-1, j] + h[i, j-1])
  h = m.h
  out h
}
cell Below(I) over tree(left, right) {
  in x : [I]
  state h : [I] = 0
  m = GRU(I, I)(x, prev h = h[left] + h[right])
  h = m.h
  out h
}
model Tied(V = _, E = 8) {
  in text : seq<n> of id(V)
  part e = Embed(V, E)
  h = LSTM(E, E)(shift(e(text), 1))
  y = Dense(E, V)(h, W = e.table)
  out y
  loss cross_entropy(y, text)
}
"#;
    let cases = Cases(BTreeMap::from([("right.rnn".to_string(), RIGHT.to_string())]));
    let (_, found) = found(&cases, &["right.rnn".to_string()]);
    let found: Vec<Diagnostic> = found.into_values().flatten().collect();
    let more: Vec<&Diagnostic> = found.iter().filter(|d| d.severity != Severity::Note).collect();
    assert!(more.is_empty(), "{more:?}");
}

/// Names of grammar rules that are no words of the language or of English.
fn rule_names() -> Vec<String> {
    let grammar = fs::read_to_string("grammar/rnn.pest").expect("the grammar");
    let names = grammar.lines().filter_map(|l| l.split_once('=')).map(|(name, _)| name.trim().to_string());
    let names = names.filter(|n| !n.is_empty() && n.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let odd = [
        "stmt", "decl", "dims", "func", "expr", "cond", "infix", "isin", "postfix", "hole", "statics",
        "init", "paren",
    ];
    names.filter(|n| n.contains('_') || odd.contains(&n.as_str())).collect()
}

/// A text cut where a line begins with the word of an item.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        let begins = line.starts_with(|c: char| c.is_alphabetic());
        match items.last_mut().filter(|_| !begins) {
            Some(item) => item.push_str(line),
            None => items.push(line.to_string()),
        }
    }
    items
}

/// A text with one token left out, doubled, or another in its place, at many places.
fn mutations(text: &str) -> Vec<String> {
    let mut tokens: Vec<(usize, usize)> = Vec::new();
    for (i, c) in text.char_indices() {
        let joins = |last: &(usize, usize)| {
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == '\'';
            last.1 == i && word(c) && text[last.0..last.1].chars().all(word)
        };
        match tokens.last_mut().filter(|last| joins(last)) {
            Some(last) => last.1 = i + c.len_utf8(),
            None if c.is_whitespace() => {}
            None => tokens.push((i, i + c.len_utf8())),
        }
    }
    let mut out = Vec::new();
    for (k, (from, to)) in tokens.iter().copied().enumerate() {
        let token = &text[from..to];
        let others = [")", "=", "in", "state", "1", ",", "if", "{", ":", "~"];
        out.push(format!("{}{}", &text[..from], &text[to..]));
        out.push(format!("{}{token} {}", &text[..to], &text[from.max(to)..]));
        out.push(format!("{}{} {}", &text[..from], others[k % others.len()], &text[to..]));
    }
    out
}

/// Mistakes at every place of texts that use the whole grammar.
#[test]
fn no_message_shows_the_name_of_a_grammar_rule() {
    let rules = rule_names();
    assert!(rules.len() > 60 && rules.contains(&"one_item".to_string()));
    let (mut texts, mut messages) = (0, 0);
    for entry in fs::read_dir("tests/cases/ok").expect("the folder of right cases") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a case");
        for mutation in items(&text).iter().flat_map(|item| mutations(item)).step_by(7) {
            texts += 1;
            let mut sources = Sources::default();
            let file = sources.add("a.rnn", mutation.as_str());
            for d in rnnc::syntax::parse(&sources, file).1 {
                messages += 1;
                let said = d.labels.iter().map(|l| &l.text).chain([&d.message]).chain(&d.help);
                let fixes = d.fixes.iter().map(|f| &f.title);
                for said in said.chain(fixes) {
                    let words = said.split(|c: char| !c.is_alphanumeric() && c != '_');
                    for word in words.filter(|w| rules.iter().any(|r| r == w)) {
                        assert!(mutation.contains(word), "`{word}` in `{said}` about\n{mutation}");
                    }
                }
            }
        }
    }
    assert!(texts > 1000 && messages > texts / 2, "{texts} texts, {messages} messages");
}
