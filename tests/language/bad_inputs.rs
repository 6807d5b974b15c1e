//! Inputs that do not fit: each has one message, at the place that is wrong, with what to do.

use rnnc::diag::Diagnostic;
use rnnc::resolve;
use rnnc::source::{Loader, Sources};
use rnnc::testing::{Options, Outcome, run_tests};

struct One(String);

impl Loader for One {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

const CELLS: &str = "cell Lags(H) {
  in x : [H]
  state h : [H] = 0
  h = x + h[t-3]
  out h
}
cell Wide(N, S) {
  in v : [N]
  out u = last(windows(v, 3, S))
}
cell Looks(H) {
  in x : [H]
  mem q : seq<M> of [H]
  out y = x + ∑ j in 1..M: q[j], n = x + mean j in 1..M: q[j]
}
";

/// What each test of one line, or check, says.
fn said(lines: &[&str]) -> (Sources, Vec<Vec<Diagnostic>>) {
    let mut text = CELLS.to_string();
    for line in lines {
        text += &match line.starts_with("check") {
            true => format!("{line}\n"),
            false => format!("test \"t\" {{\n  {line}\n}}\n"),
        };
    }
    let mut sources = Sources::default();
    let (library, found) = resolve::load(&mut sources, &One(text), &["own.rnn".to_string()]);
    assert!(found.iter().all(|d| !d.is_error()), "{found:?}");
    let file = library.roots().next().expect("the file").file;
    let reports = run_tests(&library, &[file], &Options::default(), &mut |_| {});
    assert_eq!(reports.len(), lines.len());
    let diagnostics = reports.into_iter().map(|r| match r.outcome {
        Outcome::Failed(diagnostics) => diagnostics,
        _ => Vec::new(),
    });
    (sources, diagnostics.collect())
}

fn pass(lines: &[&str]) {
    for (line, found) in lines.iter().zip(said(lines).1) {
        assert!(found.is_empty(), "{line}: {found:?}");
    }
}

#[test]
fn each_has_one_message_with_a_place_and_a_mend() {
    let cases = [
        (
            "check grad Wide(N = 6, S = 2)",
            "E0314",
            "windows of 3 every 2 do not fit into 6",
            "windows(v, 3, S)",
        ),
        (
            "check grad Wide(N = 2, S = 1)",
            "E0314",
            "windows of 3 every 1 do not fit into 2",
            "windows(v, 3, S)",
        ),
        (
            "expect Lags(1)([[1]], h0 = [[1], [2]]) ≈ 0",
            "E1004",
            "`h0` is [3, 1], this has shape [2, 1]",
            "h0 = [[1], [2]]",
        ),
        (
            "expect MDLSTM(1, 1, D = 2)([[[1], [2]], [[3]]]) ≈ 0",
            "E1004",
            "the items of a list differ in shape",
            "[[[1], [2]], [[3]]]",
        ),
        (
            "expect MDLSTM(1, 1, D = 2)([[1], [2]]) ≈ 0",
            "E1004",
            "`x` is a grid with 2 axes of [1], this has shape [2, 1]",
            "[[1], [2]]",
        ),
        (
            "expect RNN(1, 1)([[1], [2, 3]]) ≈ 0",
            "E1004",
            "the items of a list differ in shape",
            "[[1], [2, 3]]",
        ),
        (
            "expect TreeLSTM(1, 1)([[1]]) ≈ 0",
            "E1005",
            "`n` of `TreeLSTM(1, 1)` lives on the nodes of a tree",
            "TreeLSTM(1, 1)([[1]])",
        ),
        ("expect Looks(1)([[1]]) ≈ 0", "E1005", "`Looks(1)` misses its input `q`", "Looks(1)([[1]])"),
        (
            "expect Looks(1)([[1]], q = [[1, 2]]) ≈ 0",
            "E1004",
            "`q` is a sequence of [1], this has shape [1, 2]",
            "q = [[1, 2]]",
        ),
    ];
    let (sources, found) = said(&cases.map(|(line, ..)| line));
    for ((line, code, message, place), found) in cases.iter().zip(&found) {
        let [one] = found.as_slice() else { panic!("{line}: {found:?}") };
        assert_eq!((one.code, one.message.as_str()), (*code, *message), "{line}");
        let at = one.labels[0].span;
        let text = &sources.get(at.file).text[at.start as usize..at.end as usize];
        assert_eq!(text, *place, "{line}");
        assert!(one.help.is_some(), "{line}: no mend");
    }
}

#[test]
fn a_lag_beyond_the_first_step_reads_what_was_before() {
    pass(&[
        // Newest first: h[0], h[-1], h[-2].
        "expect Lags(1)([[0], [0], [0], [0]], h0 = [[1], [2], [3]]) ≈ [[3], [2], [1], [3]]",
        "expect Lags(1)([[5]]) ≈ [[5]]",
    ]);
}

#[test]
fn an_empty_memory_is_a_sequence_without_positions() {
    pass(&[
        "expect Looks(1)([[1], [2]], q = []).y ≈ [[1], [2]]",
        "expect Looks(1)([[1], [2]], q = []).n ≈ [[1], [2]]",
        "expect MatchLSTM(1, 1)([[1]], hs = []).h ≈ MatchLSTM(1, 1, null = false)([[1]], hs = []).h",
        "expect RNN(2, 1)([], h0 = [7]).h_last ≈ [7]",
    ]);
}
