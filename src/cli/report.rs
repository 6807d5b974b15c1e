//! `rnnc report`: a page about a training run, from the files in its folder.
//!
//! In: `run.json` and `watch.json`. Out: one HTML file that needs nothing else. `rnnc train` writes it as well, when a run ends
//! in whatever way.

mod charts;
mod page;
mod words;

use super::files;
use super::rundir::{RECORD, REPORT, RunDir};
use super::session::{Failure, Session, complain};
use super::watch::log::Log;
use crate::diag::Diagnostic;
use serde_json::Value;
use std::path::PathBuf;

/// Write a page about a training run: curves, settings, samples
///
/// The page is one HTML file that needs no network. `rnnc train` writes it at the end of a run, also of one that was stopped;
/// this command makes it from the folder of any run, such as one that goes on.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rnnc report runs/mine\n  rnnc report runs/mine --out mine.html")]
pub struct Report {
    /// The folder that `rnnc train` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where to write the page; without it DIR/report.html
    #[arg(long, value_name = "HTML")]
    out: Option<PathBuf>,
}

impl Report {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        let folder = RunDir::find("", Some(&self.folder), &session.limits)?;
        let path = self.out.unwrap_or_else(|| folder.path.join(REPORT));
        files::replace(&path, of(&folder)?.as_bytes(), |f| f)?;
        complain(&format!("the report is {}\n", path.display()));
        Ok(())
    }
}

/// Writes the page of a run into its folder.
pub fn write(folder: &RunDir) -> Result<(), Diagnostic> {
    folder.write(REPORT, of(folder)?.as_bytes())
}

/// The page of a run.
fn of(folder: &RunDir) -> Result<String, Diagnostic> {
    let path = folder.path.join(RECORD).display().to_string();
    let record: Value = serde_json::from_slice(&folder.bytes(RECORD)?)
        .map_err(|e| super::errors::bad_record(&path, &e.to_string()))?;
    Ok(page::page(&record, &Log::read(folder).unwrap_or_default()))
}
