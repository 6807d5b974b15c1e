//! `rnnc fmt`: files in canonical form.

use super::limits::TextLimits;
use super::loader::FileLoader;
use super::programs::programs;
use super::session::{Failure, Session, say};
use super::{diff, files};
use crate::diag::Diagnostic;
use crate::source::Loader;
use crate::syntax::{Format, Spelling, format_within};
use crate::weights::errors;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Write files in canonical form, with their comments
///
/// Equations are aligned, long lines broken, single blank lines kept. Only spaces, line breaks and separators change: what a file means is compared before it is written. A file with
/// mistakes in its syntax is left as it is, with a message; the others are formatted all the same.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc fmt mine.rnn\n  rnnc fmt --check mine.rnn models\n  rnnc fmt --ascii mine.rnn"
)]
pub struct Fmt {
    /// Files, folders whose `.rnn` files are taken, or `-`: standard input to standard output
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing; show what would change, and fail if anything would
    #[arg(long)]
    check: bool,
    /// Spell names and operators in Unicode: `σ`, `⊙`, `∑`
    #[arg(long, conflicts_with = "ascii")]
    unicode: bool,
    /// Spell names and operators in ASCII: `sigmoid`, `*`, `sum`
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    limits: TextLimits,
}

/// What became of the files.
#[derive(Default)]
struct Outcome {
    /// Would change, or could not be formatted.
    failed: bool,
    /// Is a mistake of the formatter.
    internal: bool,
}

impl Fmt {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let spelling = match (self.unicode, self.ascii) {
            (true, _) => Spelling::Unicode,
            (_, true) => Spelling::Ascii,
            _ => Spelling::AsWritten,
        };
        let format = Format { spelling, ..Format::default() };
        let mut outcome = Outcome::default();
        for path in &self.paths {
            if path == Path::new("-") {
                let text = standard_input(session.limits.source)?;
                self.one(session, None, text, format, &mut outcome)?;
                continue;
            }
            for file in programs(std::slice::from_ref(path))? {
                let name = file.display().to_string();
                match FileLoader::new(std::slice::from_ref(&name), None, session.limits.source).load(&name) {
                    Ok(text) => self.one(session, Some(&file), text, format, &mut outcome)?,
                    Err(why) => {
                        session.report(&[errors::unreadable(&name, &why)]);
                        outcome.failed = true;
                    }
                }
            }
        }
        match outcome {
            Outcome { internal: true, .. } => Err(Failure::Internal("a file could not be formatted".into())),
            Outcome { failed: true, .. } => Err(Failure::Said),
            _ => Ok(()),
        }
    }

    /// Formats a file, or the text of standard input.
    fn one(
        &self,
        session: &mut Session,
        file: Option<&Path>,
        text: String,
        format: Format,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let name = file.map_or("<stdin>".into(), |f| f.display().to_string());
        let id = session.sources.add(name.as_str(), text.as_str());
        let formatted = match format_within(&session.sources, id, format, &session.limits) {
            Ok(formatted) => formatted,
            Err(mistakes) => {
                session.report(&mistakes);
                outcome.internal |= mistakes.iter().any(|d| d.code == "E0601");
                outcome.failed = true;
                return Ok(());
            }
        };
        let is_same = formatted == text;
        if self.check {
            outcome.failed |= !is_same;
            return if is_same {
                Ok(())
            } else {
                say(&format!("{name}\n{}", diff::lines(&text, &formatted)))
            };
        }
        match file {
            None => say(&formatted),
            Some(_) if is_same => Ok(()),
            Some(file) => {
                if let Err(why) = written(file, &formatted) {
                    session.report(&[why]);
                    outcome.failed = true;
                    return Ok(());
                }
                say(&format!("{name}\n"))
            }
        }
    }
}

/// Where a path is a link, the file it leads to is written.
fn written(file: &Path, text: &str) -> Result<(), Diagnostic> {
    let real = file.canonicalize();
    files::replace(real.as_deref().unwrap_or(file), text.as_bytes(), |f| f)
}

fn standard_input(most: usize) -> Result<String, Diagnostic> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| errors::unreadable("<stdin>", &files::reason(&e)))?;
    String::from_utf8(bytes).map_err(|e| {
        let place = e.utf8_error().valid_up_to() + 1;
        errors::unreadable("<stdin>", &format!("it is no UTF-8 text (byte {place})"))
    })
}
