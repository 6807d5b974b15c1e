//! What is said of tests: a line each, messages, differences, and the total.

use crate::cli::errors;
use crate::cli::session::{Failure, Session, complain, say};
use crate::diag::Diagnostic;
use crate::source::Span;
use crate::testing::snapshots::difference::{Difference, Hunk, Mark};
use crate::testing::snapshots::{Shot, Verdict};
use crate::testing::{Kernels, Outcome, TestReport};
use serde_json::{Value, json};
use std::path::Path;

/// Lines of a difference that are shown.
const MOST_LINES: usize = 120;

/// Tells of the tests of one file.
pub struct Teller<'a> {
    pub session: &'a Session,
    pub json: bool,
    pub update: bool,
    pub path: &'a Path,
}

impl Teller<'_> {
    pub fn name(&self, report: &TestReport) -> String {
        format!("{}: {}", self.path.display(), report.name)
    }

    pub fn tell(&self, report: &TestReport) -> Result<(), Failure> {
        let name = self.name(report);
        if self.json {
            let (outcome, details) = self.object(report);
            let line = json!({ "test": name, "outcome": outcome, "details": details });
            return say(&format!("{line}\n"));
        }
        match &report.outcome {
            Outcome::Passed { .. } => say(&format!("ok    {name}\n")),
            Outcome::Checked(c) => {
                let kernels = match &c.kernels {
                    Kernels::Within { share, bound } => {
                        format!("kernels at {:.0} % of their bound, {bound:.0e}", share * 100.0)
                    }
                    Kernels::Refused(code) => format!("no kernels ({code})"),
                };
                say(&format!("ok    {name}: worst relative error {:.1e}, {kernels}\n", c.worst))
            }
            Outcome::Weighed(w) => {
                let outputs = counted(w.outputs, "output");
                say(&format!("ok    {name}: {outputs}, worst difference {:.1e}\n", w.worst))
            }
            Outcome::Kept(shots) => self.kept(report, &name, shots),
            Outcome::Failed(diagnostics) => {
                say(&format!("FAIL  {name}\n"))?;
                self.session.report(diagnostics);
                Ok(())
            }
        }
    }

    /// A snapshot that nothing asks for.
    pub fn obsolete(&self, title: &str) -> Result<(), Failure> {
        let name = format!("{}: {title}", self.path.display());
        if self.json {
            let outcome = if self.update { "removed" } else { "obsolete" };
            return say(&format!("{}\n", json!({ "test": name, "outcome": outcome, "details": {} })));
        }
        match self.update {
            true => say(&format!("gone  {name}: removed, no check asks for it\n")),
            false => {
                say(&format!("old   {name}: no check asks for this snapshot (E1017); --update removes it\n"))
            }
        }
    }

    fn kept(&self, report: &TestReport, name: &str, shots: &[Shot]) -> Result<(), Failure> {
        let others: Vec<&Shot> = shots.iter().filter(|s| s.verdict != Verdict::Same).collect();
        let stages = counted(shots.len(), "stage");
        if others.is_empty() {
            return say(&format!("ok    {name}: {stages}\n"));
        }
        if self.update {
            let list: Vec<&str> = others.iter().map(|s| s.stage.as_str()).collect();
            return say(&format!("ok    {name}: {stages}, stored {}\n", list.join(", ")));
        }
        say(&format!("FAIL  {name}\n"))?;
        self.session.report(&self.diagnostics(report.span, &others));
        let colours = Colours(self.session.colour());
        for shot in others {
            if let Verdict::Changed(difference) = &shot.verdict {
                complain(&colours.difference(&shot.stage, difference));
            }
        }
        Ok(())
    }

    fn diagnostics(&self, at: Span, others: &[&Shot]) -> Vec<Diagnostic> {
        let named = |new: bool| -> Vec<&str> {
            let of_kind = others.iter().filter(|s| (s.verdict == Verdict::New) == new);
            of_kind.map(|s| s.stage.as_str()).collect()
        };
        let path = self.path.display().to_string();
        let mut all = Vec::new();
        if !named(true).is_empty() {
            all.push(errors::no_snapshot(&named(true), &path, at));
        }
        if !named(false).is_empty() {
            all.push(errors::other_snapshot(&named(false), &path, at));
        }
        all
    }

    fn object(&self, report: &TestReport) -> (&'static str, Value) {
        match &report.outcome {
            Outcome::Passed { expectations } => ("passed", json!({ "expectations": expectations })),
            Outcome::Checked(c) => {
                let kernels = match &c.kernels {
                    Kernels::Within { share, bound } => json!({ "share_of_bound": share, "bound": bound }),
                    Kernels::Refused(code) => json!({ "refused": code }),
                };
                ("passed", json!({ "components": c.components, "worst": c.worst, "kernels": kernels }))
            }
            Outcome::Weighed(w) => ("passed", json!({ "outputs": w.outputs, "worst": w.worst })),
            Outcome::Kept(shots) => {
                let stages: Vec<Value> = shots.iter().map(|s| self.stage(s)).collect();
                let outcome = if self.update || report.passed() { "passed" } else { "failed" };
                (outcome, json!({ "snapshots": stages }))
            }
            Outcome::Failed(diagnostics) => ("failed", self.session.json(diagnostics)),
        }
    }

    fn stage(&self, shot: &Shot) -> Value {
        let stage = &shot.stage;
        match &shot.verdict {
            Verdict::Same => json!({ "stage": stage, "state": "same" }),
            _ if self.update => json!({ "stage": stage, "state": "stored" }),
            Verdict::New => json!({ "stage": stage, "state": "missing" }),
            Verdict::Changed(d) => json!({
                "stage": stage,
                "state": "changed",
                "changed": d.changed,
                "difference": Colours(false).hunks(&d.hunks, usize::MAX),
            }),
        }
    }
}

/// `1 stage`, `2 stages`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Whether differences are coloured.
struct Colours(bool);

impl Colours {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// What changed, then how.
    fn difference(&self, stage: &str, difference: &Difference) -> String {
        if difference.hunks.is_empty() {
            return self.paint("1", &format!("{stage}: the same, but for the numbers of its values"))
                + "\n\n";
        }
        let changed = match difference.changed.as_slice() {
            few if few.len() <= 6 => few.join(", "),
            many => format!("{} and {} more", many[..5].join(", "), many.len() - 5),
        };
        let head = self.paint("1", &format!("{stage}: {changed}"));
        let sides = [self.paint("31", "--- stored"), self.paint("32", "+++ now")].join("\n");
        format!("{head}\n{sides}\n{}\n", self.hunks(&difference.hunks, MOST_LINES))
    }

    fn hunks(&self, hunks: &[Hunk], most: usize) -> String {
        let (mut text, mut left) = (String::new(), most);
        let all: usize = hunks.iter().map(|h| h.lines.len()).sum();
        for hunk in hunks {
            if left == 0 {
                break;
            }
            let Hunk { from, len, place, lines } = hunk;
            let head = format!("@@ -{},{} +{},{} @@ {place}", from.0, len.0, from.1, len.1);
            text += &format!("{}\n", self.paint("36", &head));
            for (mark, line) in lines.iter().take(left) {
                text += &match mark {
                    Mark::Same => format!(" {line}"),
                    Mark::Old => self.paint("31", &format!("-{line}")),
                    Mark::New => self.paint("32", &format!("+{line}")),
                };
                text.push('\n');
            }
            left -= lines.len().min(left);
        }
        if all > most {
            text += &format!("… {} further lines; --json has all\n", all - most);
        }
        text
    }
}

/// What was seen in all files.
#[derive(Default)]
pub struct Total {
    pub passed: usize,
    pub failed: usize,
    /// The worst relative error of a gradient, and where.
    worst: Option<(f64, String)>,
    /// The worst error of kernels as a share of its bound, and where.
    kernels: Option<(f64, String)>,
    /// The greatest bound, relative to the values.
    loosest: Option<(f64, String)>,
    refused: usize,
}

impl Total {
    pub fn is_none(&self) -> bool {
        self.passed + self.failed == 0
    }

    /// `update`: snapshots are accepted as they are.
    pub fn add(&mut self, report: &TestReport, name: &str, update: bool) {
        let is_kept = matches!(report.outcome, Outcome::Kept(_));
        match report.passed() || (update && is_kept) {
            true => self.passed += 1,
            false => self.failed += 1,
        }
        if let Outcome::Checked(c) = &report.outcome {
            greater(&mut self.worst, c.worst, name);
            match &c.kernels {
                Kernels::Within { share, bound } => {
                    greater(&mut self.kernels, *share, name);
                    greater(&mut self.loosest, *bound, name);
                }
                Kernels::Refused(_) => self.refused += 1,
            }
        }
    }

    pub fn shown(&self, files: usize) -> String {
        let mut text = format!("{} passed, {} failed in {files} files\n", self.passed, self.failed);
        if let Some((worst, name)) = &self.worst {
            text += &format!("worst relative error of a gradient: {worst:.1e} ({name})\n");
        }
        if let Some((share, name)) = &self.kernels {
            text += &format!("worst kernel: {:.0} % of its bound ({name})\n", share * 100.0);
        }
        if let Some((bound, name)) = &self.loosest {
            text += &format!("loosest bound of kernels: {bound:.1e} of the values ({name})\n");
        }
        if self.refused > 0 {
            text += &format!("{} checks have no kernels\n", self.refused);
        }
        text
    }
}

fn greater(most: &mut Option<(f64, String)>, value: f64, name: &str) {
    if most.as_ref().is_none_or(|(m, _)| value > *m) {
        *most = Some((value, name.to_string()));
    }
}
