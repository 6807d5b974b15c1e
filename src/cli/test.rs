//! `rnnc test`: the tests inside `.rnn` files.

mod beside;
mod report;

use super::compile::Instructions;
use super::help;
use super::limits::FileLimits;
use super::programs::programs;
use super::session::{Failure, Session, say};
use crate::diag::Diagnostic;
use crate::resolve::Library;
use crate::source::FileId;
use crate::testing::snapshots::Section;
use crate::testing::{self, Options, Outcome};
use beside::Place;
use report::{Teller, Total};
use std::path::{Path, PathBuf};

/// Run the tests inside files: examples, gradients, snapshots
///
/// A file's tests are its `test "…" { … }`, `check grad`, `check snapshot` and `check weights` items. Snapshots are kept
/// beside the file, in FILE.snap: what the compiler made of a cell when somebody last looked at it. Where it is another
/// now, the test fails and shows the difference; --update accepts it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc test mine.rnn\n  rnnc test . --filter 'grad Mine'\n  rnnc test mine.rnn --filter snapshot --json\n  rnnc test mine.rnn --update"
)]
pub struct Test {
    /// Files, and folders whose `.rnn` files are taken
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Store snapshots as they are now, and remove those that no check asks for. Refused where the variable CI is set
    #[arg(long)]
    update: bool,
    /// Interpret the kernels instead of compiling them
    #[arg(long, conflicts_with = "reproducible", help_heading = help::MACHINE)]
    interpret: bool,
    /// Print a JSON object for every test
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: FileLimits,
}

impl Test {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        if self.update && beside::in_ci() {
            return Err(super::errors::no_update_in_ci().into());
        }
        let found = programs(&self.paths)?;
        let mut options = Options {
            filter: self.filter.clone(),
            interpret_kernels: self.interpret,
            how: self.instructions.how()?,
            ..Options::default()
        };
        let mut total = Total::default();
        let mut broken = false;
        for file in &found {
            broken |= self.file(session, file, &mut options, &mut total)?;
        }
        if let (Some(text), true, false) = (&self.filter, total.is_none(), broken) {
            return Err(super::errors::no_such_test(text).into());
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
        options: &mut Options,
        total: &mut Total,
    ) -> Result<bool, Failure> {
        let (library, diagnostics) = session.load_quietly(&[path]);
        if diagnostics.iter().any(Diagnostic::is_error) {
            match self.json {
                true => {
                    let details = session.json(&diagnostics);
                    let line = serde_json::json!({ "test": path.display().to_string(), "outcome": "refused", "details": details });
                    say(&format!("{line}\n"))?;
                }
                false => session.report(&diagnostics),
            }
            return Ok(true);
        }
        let Some(file) = library.roots().map(|root| root.file).next() else { return Ok(false) };
        let place = Place::new(session, path);
        options.beside = [(file, place.read(&library, file)?)].into();
        let teller = Teller { session, json: self.json, update: self.update, path };
        let mut made: Vec<Section> = Vec::new();
        let mut said = Ok(());
        let mut tell = |report: &testing::TestReport| {
            total.add(report, &teller.name(report), self.update);
            if let Outcome::Kept(shots) = &report.outcome {
                made.extend(shots.iter().map(|s| s.section.clone()));
            }
            if said.is_ok() {
                said = teller.tell(report);
            }
        };
        testing::run_tests(&library, &[file], options, &mut tell);
        said?;
        self.after(&teller, &place, &library, file, &made, options)?;
        Ok(false)
    }

    /// Accepts what there is now, and tells of what nobody asks for.
    fn after(
        &self,
        teller: &Teller,
        place: &Place,
        library: &Library,
        file: FileId,
        made: &[Section],
        options: &Options,
    ) -> Result<(), Failure> {
        let Some(titles) = testing::snapshots::declared(library, file) else { return Ok(()) };
        let Some(beside) = options.beside.get(&file) else { return Ok(()) };
        let stored = &beside.snapshots;
        for title in stored.titles().filter(|t| !titles.iter().any(|own| own == t)) {
            teller.obsolete(title)?;
        }
        if self.update {
            place.write(stored, &stored.accepting(&titles, made))?;
        }
        Ok(())
    }
}
