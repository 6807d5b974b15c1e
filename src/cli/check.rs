//! `rnnc check`: all mistakes of some files at once, and with `--fix` their mends.

use super::files;
use super::help;
use super::limits::CheckLimits;
use super::programs::programs;
use super::session::{Failure, Session, complain, say};
use crate::diag::{Diagnostic, Drawing, Style, mend};
use crate::pipeline;
use crate::source::Sources;
use std::path::{Path, PathBuf};

/// Find the mistakes of files, all at once, each with its mend
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc check mine.rnn\n  rnnc check models\n  rnnc check --json mine.rnn\n  rnnc check --fix mine.rnn"
)]
pub struct Check {
    /// Files, and folders whose `.rnn` files are taken
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Change the files as their messages suggest, as far as that is sure, and check again
    #[arg(long)]
    fix: bool,
    /// Print the diagnostics as a JSON list on standard output
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
    #[command(flatten)]
    limits: CheckLimits,
}

/// A mend may uncover the next mistake; so often files are checked again.
const MOST_ROUNDS: usize = 50;

impl Check {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let files = programs(&self.paths)?;
        let mut diagnostics = mistakes(session, &files);
        if self.fix {
            for _ in 0..MOST_ROUNDS {
                if !mend_files(session, &diagnostics)? {
                    break;
                }
                session.sources = Sources::default();
                diagnostics = mistakes(session, &files);
            }
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

fn mistakes(session: &mut Session, files: &[PathBuf]) -> Vec<Diagnostic> {
    let (library, mut diagnostics) = session.load_quietly(files);
    for root in library.roots() {
        diagnostics.extend(pipeline::mistakes(&library, root.file));
    }
    diagnostics
}

/// Applies what can be applied at once, and says so; false if there is nothing.
fn mend_files(session: &Session, diagnostics: &[Diagnostic]) -> Result<bool, Failure> {
    let mended = mend::mend(&session.sources, diagnostics);
    let mut drawing = Drawing::new(&session.sources, Style::default());
    for (file, text) in &mended.texts {
        files::replace(Path::new(&session.sources.get(*file).path), text.as_bytes(), |f| f)?;
    }
    for d in mended.applied.iter().filter_map(|i| diagnostics.get(*i)) {
        // Where the change was made; the message may begin in a file of others.
        let edit = d.fixes.first().and_then(|f| f.edits.first());
        let place = edit.map(|e| drawing.place(e.span)).unwrap_or_default();
        let title = d.fixes.first().map_or("", |f| &f.title);
        complain(&format!("fixed {place}: {} [{}]; {title}\n", d.message, d.code));
    }
    Ok(!mended.applied.is_empty())
}
