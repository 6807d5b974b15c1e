//! `rnnc test`: the tests inside `.rnn` files.

use super::compile::Instructions;
use super::files;
use super::limits::RunLimits;
use super::session::{Failure, Session, say};
use crate::diag::Diagnostic;
use crate::testing::{self, Kernels, Options, Outcome, TestReport};
use std::path::{Path, PathBuf};

/// Folders nest at most this deep.
const MAX_DEPTH: usize = 32;

/// Run the tests and gradient checks inside files, or in all files of folders
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rnnc test stdlib models\n  rnnc test my.rnn --filter grad --json")]
pub struct Test {
    /// Files, and folders whose `.rnn` files are taken
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Interpret the kernels instead of compiling them
    #[arg(long, conflicts_with = "reproducible")]
    interpret: bool,
    /// Print a JSON object for every test
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: RunLimits,
}

/// What was seen in all files.
#[derive(Default)]
struct Total {
    passed: usize,
    failed: usize,
    /// The worst relative error of a gradient, and where.
    worst: Option<(f64, String)>,
    /// The worst error of kernels as a share of its bound, and where.
    kernels: Option<(f64, String)>,
    /// The greatest bound, relative to the values.
    loosest: Option<(f64, String)>,
    refused: usize,
}

impl Test {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let mut found = Vec::new();
        for path in &self.paths {
            collect(path, 0, &mut found)?;
        }
        let options = Options {
            filter: self.filter.clone(),
            interpret_kernels: self.interpret,
            how: self.instructions.how()?,
        };
        let mut total = Total::default();
        let mut broken = false;
        for file in &found {
            broken |= self.file(session, file, &options, &mut total)?;
        }
        if !self.json {
            say(&total.shown(found.len()))?;
        }
        if broken || total.failed > 0 { Err(Failure::Said) } else { Ok(()) }
    }

    /// Runs one file's tests; true if the file itself has mistakes.
    fn file(
        &self,
        session: &mut Session,
        path: &Path,
        options: &Options,
        total: &mut Total,
    ) -> Result<bool, Failure> {
        let (library, diagnostics) = session.load_quietly(&[path]);
        if diagnostics.iter().any(Diagnostic::is_error) {
            session.report(&diagnostics);
            return Ok(true);
        }
        let roots: Vec<_> = library.roots().map(|root| root.file).collect();
        let mut said = Ok(());
        let mut tell = |report: &TestReport| {
            let name = format!("{}: {}", path.display(), report.name);
            total.add(report, &name);
            if said.is_ok() {
                said = self.tell(session, report, &name);
            }
        };
        testing::run_tests(&library, &roots, options, &mut tell);
        said?;
        Ok(false)
    }

    fn tell(&self, session: &Session, report: &TestReport, name: &str) -> Result<(), Failure> {
        if self.json {
            let (outcome, more) = match &report.outcome {
                Outcome::Passed { expectations } => {
                    ("passed", serde_json::json!({ "expectations": expectations }))
                }
                Outcome::Checked(c) => (
                    "passed",
                    serde_json::json!({
                        "components": c.components,
                        "worst": c.worst,
                        "kernels": match &c.kernels {
                            Kernels::Within { share, bound } => {
                                serde_json::json!({ "share_of_bound": share, "bound": bound })
                            }
                            Kernels::Refused(code) => serde_json::json!({ "refused": code }),
                        },
                    }),
                ),
                Outcome::Failed(d) => ("failed", session.json(d)),
            };
            let line = serde_json::json!({ "test": name, "outcome": outcome, "details": more });
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
            Outcome::Failed(diagnostics) => {
                say(&format!("FAIL  {name}\n"))?;
                session.report(diagnostics);
                Ok(())
            }
        }
    }
}

impl Total {
    fn add(&mut self, report: &TestReport, name: &str) {
        match &report.outcome {
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Passed { .. } => self.passed += 1,
            Outcome::Checked(c) => {
                self.passed += 1;
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
    }

    fn shown(&self, files: usize) -> String {
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

/// A file as it is; of a folder all `.rnn` files below it, in order.
pub fn collect(path: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    if !path.is_dir() {
        into.push(path.to_path_buf());
        return Ok(());
    }
    let failed = |e: std::io::Error| {
        crate::weights::errors::unreadable(&path.display().to_string(), &files::reason(&e))
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            if depth < MAX_DEPTH {
                collect(&entry, depth + 1, into)?;
            }
        } else if entry.extension().is_some_and(|e| e == "rnn") {
            into.push(entry);
        }
    }
    Ok(())
}
