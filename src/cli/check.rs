//! `rnnc check`: all mistakes of some files at once.

use super::help;
use super::limits::CheckLimits;
use super::session::{Failure, Session, say};
use crate::pipeline;
use std::path::PathBuf;

/// Find the mistakes of files, all at once, each with its mend
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc check mine.rnn\n  rnnc check models/*.rnn\n  rnnc check --json mine.rnn"
)]
pub struct Check {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the diagnostics as a JSON list on standard output
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
    #[command(flatten)]
    limits: CheckLimits,
}

impl Check {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let (library, mut diagnostics) = session.load_quietly(&self.files);
        for root in library.roots() {
            diagnostics.extend(pipeline::mistakes(&library, root.file));
        }
        let failed = diagnostics.iter().any(|d| d.is_error());
        if self.json {
            say(&format!("{:#}\n", session.json(&diagnostics)))?;
        } else {
            session.report(&diagnostics);
        }
        if failed { Err(Failure::Said) } else { Ok(()) }
    }
}
