//! Tests and gradient checks of `.rnn` files: what passes, what is noticed.

use rnnc::diag::{Style, render};
use rnnc::resolve::Library;
use rnnc::resolve::{self, Origin};
use rnnc::source::FileId;
use rnnc::source::{Loader, Sources};
use rnnc::testing::snapshots::Stored;
use rnnc::testing::{self, Beside, Checked, Kernels, Options, Outcome, TestReport, run_tests};
use rnnc::weights::npz;
use std::path::{Path, PathBuf};

struct One<T>(T);

impl<T: std::fmt::Display> Loader for One<T> {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.to_string())
    }
}

fn run(text: &'static str) -> (Sources, Vec<TestReport>) {
    let mut sources = Sources::default();
    let (library, diagnostics) = resolve::load(&mut sources, &One(text), &["own.rnn".to_string()]);
    let errors: Vec<String> =
        diagnostics.iter().filter(|d| d.is_error()).map(|d| render(&sources, d, Style::default())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let file = library.roots().next().unwrap().file;
    let reports = run_tests(&library, &[file], &Options::default(), &mut |_| {});
    (sources, reports)
}

fn shown(sources: &Sources, reports: &[TestReport]) -> String {
    let mut text = String::new();
    for report in reports {
        text += &match &report.outcome {
            Outcome::Passed { expectations } => format!("ok {}: {expectations}\n", report.name),
            Outcome::Checked(c) => format!("ok {}: {} components\n", report.name, c.components),
            Outcome::Kept(shots) => format!("{} stages of {}\n", shots.len(), report.name),
            Outcome::Weighed(w) => format!("ok {}: {} outputs\n", report.name, w.outputs),
            Outcome::Failed(diagnostics) => {
                let all: String = diagnostics.iter().map(|d| render(sources, d, Style::default())).collect();
                format!("FAILED {}\n{all}", report.name)
            }
        };
    }
    text
}

/// All pass, and how the checks did.
fn passes(text: &'static str) -> Vec<Checked> {
    let (sources, reports) = run(text);
    assert!(!reports.is_empty() && reports.iter().all(TestReport::passed), "{}", shown(&sources, &reports));
    reports
        .iter()
        .filter_map(|r| match r.outcome {
            Outcome::Checked(c) => Some(c),
            _ => None,
        })
        .collect()
}

fn codes(text: &'static str) -> Vec<&'static str> {
    let (_, reports) = run(text);
    let diagnostics = reports.iter().filter_map(|r| match &r.outcome {
        Outcome::Failed(diagnostics) => Some(diagnostics),
        _ => None,
    });
    diagnostics.flatten().map(|d| d.code).collect()
}

/// What lies beside the files: their snapshots, and arrays of other libraries.
fn beside<'p>(library: &Library, files: impl Iterator<Item = (FileId, &'p Path)>) -> Options {
    let of_file = |file: FileId, path: &Path| {
        let snapshots = std::fs::read_to_string(path.with_extension("snap")).unwrap_or_default();
        let arrays = testing::arrays_wanted(library, file).into_iter().map(|name| {
            let bytes = std::fs::read(path.with_file_name(&name)).expect("the arrays of a check");
            let arrays = npz::read(&name, &bytes);
            (name, arrays)
        });
        Beside { snapshots: Stored::parse(&snapshots), arrays: arrays.collect() }
    };
    let beside = files.map(|(file, path)| (file, of_file(file, path))).collect();
    Options { beside, ..Options::default() }
}

#[test]
fn every_test_and_check_of_the_stdlib_passes() {
    let mut sources = Sources::default();
    let (library, _) = resolve::load(&mut sources, &One(""), &[]);
    let stdlib = library.files().iter().filter(|f| f.origin == Origin::Stdlib);
    let files: Vec<_> = stdlib.map(|f| f.file).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    let path = |f: &FileId| folder.join(sources.get(*f).path.trim_start_matches("<stdlib>/"));
    let paths: Vec<PathBuf> = files.iter().map(path).collect();
    let options = beside(&library, files.iter().copied().zip(paths.iter().map(PathBuf::as_path)));
    let reports = run_tests(&library, &files, &options, &mut |_| {});
    let failed: Vec<TestReport> = reports.iter().filter(|r| !r.passed()).cloned().collect();
    assert!(failed.is_empty(), "{}", shown(&sources, &failed));
    assert!(reports.len() > files.len());
}

#[test]
fn a_copy_of_a_file_of_the_stdlib_hides_nothing() {
    let hidden = |text: &str| {
        let (_, diagnostics) = resolve::load(&mut Sources::default(), &One(text), &["own.rnn".to_string()]);
        diagnostics.iter().filter(|d| d.code == "E0205").count()
    };
    let lstm = include_str!("../../stdlib/lstm.rnn");
    assert_eq!(hidden(lstm), 0);
    assert_eq!(hidden(&lstm.replacen("tanh(c)", "c", 1)), 1);
}

struct Files;

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|e| e.to_string())
    }
}

/// All tests and checks of all files of a folder pass; how many files there are.
fn passes_in(folder: &str) -> usize {
    let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
    let paths = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path().display().to_string());
    let paths: Vec<String> = paths.filter(|p| p.ends_with(".rnn")).collect();
    for path in &paths {
        let mut sources = Sources::default();
        let (library, _) = resolve::load(&mut sources, &Files, std::slice::from_ref(path));
        let file = library.roots().next().unwrap().file;
        let options = beside(&library, [(file, Path::new(path))].into_iter());
        let reports = run_tests(&library, &[file], &options, &mut |_| {});
        let passed = !reports.is_empty() && reports.iter().all(TestReport::passed);
        assert!(passed, "{path}:\n{}", shown(&sources, &reports));
    }
    paths.len()
}

#[test]
fn every_test_and_check_of_the_models_passes() {
    assert!(passes_in("models") >= 5);
}

/// Cells that nobody published, with whatever the language offers at once.
#[test]
fn every_check_of_the_made_up_cells_passes() {
    assert!(passes_in("tests/cells") >= 2);
}

macro_rules! with_leaky {
    ($text:literal) => {
        concat!(
            "fn half(a : [n], by : real = 0.5) = by * a\n",
            "cell Leaky(I, H) {\n  in x : [I]\n  state h : [H] = 0\n  param W : [H, I] ~ uniform(1/sqrt(I))\n",
            "  param k : [] = 0.5\n  h = k * h[t-1] + relu(W @ x)\n  out y = 2 * h\n}\n",
            "cell Add(I) {\n  in x, z : [I]\n  out x + z\n}\n",
            $text
        )
    };
}

#[test]
fn a_test_computes_with_lists_parts_and_functions() {
    passes(with_leaky!(
        "test \"all\" {
  part net = Leaky(2, 1)
  set net.W = [[1, 2]]
  y = net([[1, 1], [0, -1]], h0 = [4])
  expect y ≈ [[10], [5]]
  expect y.h ≈ [[5], [2.5]]
  expect y.h_last ≈ 2.5
  expect y.h[2] ≈ last(y.h) ± 0
  expect Add(2)([1, 2], [3, 4]) ≈ [4, 6]
  expect Add(2)([[1, 2]], z = [[3, 4]]) ≈ [[4, 6]]
  expect [1, 2] |> half ≈ [0.5, 1]
  expect half([2], by = 3) ≈ 6
  expect half([2], 3) ≈ 6
  expect (∑ k in 1..3: k^2) == 14 and not (1 > 2)
  expect mean k in 4: k ≈ 2.5
  expect inf ≈ inf
  expect [1, 2] @ [3, 4] ≈ 11
}
"
    ));
}

#[test]
fn a_test_takes_one_step_of_a_cell() {
    passes(with_leaky!(
        "cell Two(H) {\n  in x : [H]\n  state a, b : [H] = 0\n  a = x + b[t-1]\n  b = 2 * a[t-1]\n  out a, b\n}
test \"step\" {
  part net = Leaky(2, 1)
  set net.W = [[1, 2]]
  y1 = net([1, 1], prev h = [4])
  y2 = net([0, -1], prev h = y1.h)
  both = net([[1, 1], [0, -1]], h0 = [4])
  expect y1 ≈ both[1]
  expect y2 ≈ both[2]
  a, b = Two(1)([1], prev a = [3], prev b = [5])
  expect a ≈ [6]
  expect b ≈ [6]
}
"
    ));
    for (line, code) in [
        ("expect Two(1)([1], prev a = [3]) ≈ 0", "E1005"),
        ("expect Two(1)([[1]], prev a = [3], prev b = [1]) ≈ 0", "E1004"),
        ("expect Two(1)([1], prev a = [3], prev b = [1], prev c = [1]) ≈ 0", "E1005"),
        ("expect Far(1)([1], prev h = [3]) ≈ 0", "E1005"),
    ] {
        let text = format!(
            "cell Two(H) {{\n  in x : [H]\n  state a, b : [H] = 0\n  a = x + b[t-1]\n  b = a[t-1]\n  out a, b\n}}\n\
             cell Far(H) {{\n  in x : [H]\n  state h : [H] = 0\n  h = x + h[t-2]\n  out h\n}}\n\
             test \"t\" {{\n  {line}\n}}\n"
        );
        assert_eq!(codes(text.leak()), [code], "{line}");
    }
}

#[test]
fn equations_of_a_test_may_define_several_names() {
    passes(
        "test \"many\" {
  a, b = split([1, 2, 3, 4])
  expect a ≈ [1, 2]
  expect b ≈ [3, 4]
  w_{f i} = 2 * v_{f i}
  v_f = 1
  v_i = 10
  expect w_f ≈ 2
  expect w_i ≈ 20
}
",
    );
    for (lines, code) in [
        ("a, b, c = split([1, 2])\n  expect a ≈ 0", "E1004"),
        ("a, b = [1, 2]\n  expect a ≈ 0", "E1004"),
        ("a_{f i} = 1\n  expect max(a_{f i}) ≈ 1", "E1003"),
        ("a[k in 1..2] = k\n  expect a ≈ 0", "E1002"),
    ] {
        let text = format!("test \"t\" {{\n  {lines}\n}}\n");
        assert_eq!(codes(text.leak()), [code], "{lines}");
    }
}

#[test]
fn a_test_says_what_is_wrong() {
    for (text, expected) in [
        (with_leaky!("test \"t\" {\n  expect 1 ≈ 1.1 ± 0.01\n  expect 2 < 1\n}\n"), vec!["E1001", "E1001"]),
        (with_leaky!("test \"t\" {\n  expect log(-1) ≈ 0\n}\n"), vec!["E1001"]),
        (with_leaky!("test \"t\" {\n  a = b\n  b = a\n  expect a ≈ 0\n}\n"), vec!["E1003"]),
        (with_leaky!("test \"t\" {\n  expect [1, 2] + [1, 2, 3] ≈ 0\n}\n"), vec!["E1004"]),
        (with_leaky!("test \"t\" {\n  expect Leaky(2, 1)([1, 2]) ≈ 0\n}\n"), vec!["E1005"]),
        (with_leaky!("test \"t\" {\n  expect Leaky(2, 1)([[1, 2, 3]]) ≈ 0\n}\n"), vec!["E1004"]),
        (with_leaky!("test \"t\" {\n  expect Leaky(2, 1)([[1, 2]], q = 1) ≈ 0\n}\n"), vec!["E1005"]),
        (
            with_leaky!("test \"t\" {\n  part p = Add(1)\n  set p.V = 1\n  expect p([1], [1]) ≈ 2\n}\n"),
            vec!["E1006"],
        ),
        (with_leaky!("test \"t\" {\n  expect half(\"a\") ≈ 0\n}\n"), vec!["E1002"]),
        (with_leaky!("test \"t\" {\n  expect sum k in 1..1e9: k ≈ 0\n}\n"), vec!["E1004"]),
        (with_leaky!("check grad Leaky(I = 2, H = 1), stops = 3\n"), vec!["E1008"]),
    ] {
        assert_eq!(codes(text), expected, "{}", text.rsplit("}\n").next().unwrap_or(""));
    }
}

#[test]
fn a_check_compares_every_component_and_the_kernels() {
    let checks = passes(with_leaky!("check grad Leaky(I = 2, H = 3), steps = 4, batch = 3\n"));
    // x over 4 + 2 + 1 points, W, k, and a start for each example.
    assert_eq!(checks[0].components, 14 + 6 + 1 + 9);
    assert!(checks[0].worst < 1e-8, "{:?}", checks[0]);
    assert!(matches!(checks[0].kernels, Kernels::Within { share, bound } if share < 1.0 && bound < 1e-3));
}

#[test]
fn a_gradient_that_does_not_exist_is_refused() {
    let found = codes(with_leaky!("fn f(a : [n]) = floor(norm(a))\ncheck grad f(n = 3)\n"));
    assert!(found.iter().all(|c| c.starts_with("E05")) && !found.is_empty(), "{found:?}");
}

/// The value is the same, but its derived gradient is not.
fn off_at(elements: usize, wrong: &str) -> Vec<String> {
    let text = format!(
        "fn f(a : [n]) = (∑ k in n: sin(3 * a[k])) + {wrong} - stop_gradient({wrong})\ncheck grad f(n = {elements}), batch = 1\n"
    );
    let (sources, reports) = run(text.leak());
    let Outcome::Failed(diagnostics) = &reports[0].outcome else { return Vec::new() };
    assert!(diagnostics.iter().all(|d| d.code == "E1010"));
    diagnostics.iter().map(|d| render(&sources, d, Style::default())).collect()
}

#[test]
fn one_wrong_element_of_many_is_noticed_and_named() {
    for (elements, wrong) in [(4, 3), (40, 1), (400, 1), (400, 77), (400, 400)] {
        let found = off_at(elements, &format!("0.001 * a[{wrong}]"));
        let place = format!("at [0, {}]", wrong - 1);
        assert!(found.len() == 1 && found[0].contains(&place), "{elements} {wrong}: {found:?}");
    }
    // Errors of several elements whose sum is 0.
    assert_eq!(off_at(400, "0.001 * (a[5] + a[6] - a[7] - a[8])").len(), 1);
    assert!(off_at(400, "0 * a[1]").is_empty());
}

#[test]
fn reports_come_in_the_order_of_the_text() {
    let slow = "check grad f(n = 300), batch = 3\n";
    let text = format!(
        "fn f(a : [n]) = ∑ k in n: sin(a[k])\n{slow}test \"b\" {{ expect 1 ≈ 1 }}\ntest \"a\" {{ expect 1 ≈ 2 }}\n{slow}"
    );
    let mut sources = Sources::default();
    let (library, _) = resolve::load(&mut sources, &One(text), &["own.rnn".to_string()]);
    let file = library.roots().next().unwrap().file;
    let mut heard = Vec::new();
    let reports = run_tests(&library, &[file], &Options::default(), &mut |r| heard.push(r.name.clone()));
    assert_eq!(heard, ["grad f(n = 300)", "b", "a", "grad f(n = 300)"]);
    assert_eq!(reports.iter().map(|r| r.passed()).collect::<Vec<_>>(), [true, true, false, true]);
}

#[test]
fn points_near_a_kink_are_drawn_anew() {
    // So steep that a kink lies within the step of a central difference at many points.
    let checks = passes(with_leaky!(
        "fn f(a : [n]) = ∑ k in n: abs(sin(20 * a[k]))\ncheck grad f(n = 4), batch = 1\n"
    ));
    assert!(checks[0].worst < 1e-6);
}
