//! What one run of a command shares: the sources, how to draw diagnostics, where output goes.

use super::colour::Colour;
use super::loader::FileLoader;
use crate::diag::{Diagnostic, Drawing, Fix, Severity, Style};
use crate::limits::Limits;
use crate::resolve::{self, Library};
use crate::source::{Sources, Span};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Why a command did not do all it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Mistakes in what was given, still to be shown.
    Refused(Vec<Diagnostic>),
    /// Everything was said already.
    Said,
    /// A signal stopped it before its end, with this exit code; that was said already.
    Stopped(u8),
    /// Standard output could not be written.
    Output(io::Error),
    /// An invariant of rnnc does not hold.
    Internal(String),
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Failure::Refused(diagnostics)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure::Refused(vec![diagnostic])
    }
}

pub struct Session {
    pub sources: Sources,
    /// What the command may cost.
    pub limits: Limits,
    /// Where imported files must lie, if that is not the folder of the file that is named.
    pub root: Option<PathBuf>,
    colour: Colour,
    style: Style,
}

impl Session {
    pub fn new(colour: Colour) -> Session {
        let style = Style { colour: colour.on(io::stderr().is_terminal()), ..Style::default() };
        Session { sources: Sources::default(), limits: Limits::DEFAULT, root: None, colour, style }
    }

    /// How a diagnostic is drawn that goes to standard output.
    pub fn style_of_output(&self) -> Style {
        Style { colour: self.colour.on(io::stdout().is_terminal()), ..self.style }
    }

    /// Whether what is written for people has colours.
    pub fn colour(&self) -> bool {
        self.style.colour
    }

    /// Progress bars are for people: only on a terminal.
    pub fn shows_progress(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Curves are drawn in colours, by moving about: only where a terminal can do both.
    pub fn shows_curves(&self) -> bool {
        self.style.colour
    }

    /// Loads the stdlib and the files, and shows what is to be said about them. Errors end the command.
    pub fn load(&mut self, files: &[impl AsRef<Path>]) -> Result<Library, Failure> {
        let (library, diagnostics) = self.load_quietly(files);
        self.accept(Some(library), diagnostics)
    }

    /// Like [`Session::load`], with the diagnostics for the caller.
    pub fn load_quietly(&mut self, files: &[impl AsRef<Path>]) -> (Library, Vec<Diagnostic>) {
        let roots: Vec<String> = files.iter().map(|f| f.as_ref().display().to_string()).collect();
        let loader = FileLoader::new(&roots, self.root.as_deref(), self.limits.source);
        resolve::load_within(&mut self.sources, &loader, &roots, &self.limits)
    }

    /// The value of a stage, unless there are errors; warnings and notes are shown.
    pub fn accept<T>(&self, value: Option<T>, diagnostics: Vec<Diagnostic>) -> Result<T, Failure> {
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(Failure::Refused(diagnostics));
        }
        self.report(&diagnostics);
        value.ok_or_else(|| Failure::Internal("a stage gave neither a value nor an error".into()))
    }

    /// Shows diagnostics on standard error.
    pub fn report(&self, diagnostics: &[Diagnostic]) {
        let mut text = String::new();
        // Errors first where not all are shown.
        let cut = diagnostics.len() > MOST_SHOWN;
        let (errors, others): (Vec<_>, Vec<_>) = diagnostics.iter().partition(|d| cut && d.is_error());
        let mut drawing = Drawing::new(&self.sources, self.style);
        for d in errors.into_iter().chain(others).take(MOST_SHOWN) {
            text.push_str(&drawing.draw(d));
            text.push('\n');
        }
        if cut {
            text.push_str(&format!("{} more messages are not shown\n", diagnostics.len() - MOST_SHOWN));
        }
        let errors = diagnostics.iter().filter(|d| d.is_error()).count();
        if errors > 1 {
            text.push_str(&format!("{errors} errors\n"));
        }
        if let Some(d) = diagnostics.iter().find(|d| d.is_error()) {
            text.push_str(&format!("`rnnc explain {}` says more.\n", d.code));
        }
        complain(&text);
    }

    /// Diagnostics for programs: one JSON object each.
    pub fn json(&self, diagnostics: &[Diagnostic]) -> serde_json::Value {
        let mut drawing = Drawing::new(&self.sources, self.style);
        let mut place = |span: Span| {
            let end = Span { start: span.end, ..span };
            (drawing.place(span), drawing.place(end))
        };
        let shown = diagnostics.iter().map(|d| {
            let labels: Vec<serde_json::Value> = d
                .labels
                .iter()
                .map(|l| {
                    let (from, to) = place(l.span);
                    serde_json::json!({ "from": from, "to": to, "text": l.text })
                })
                .collect();
            serde_json::json!({
                "code": d.code,
                "severity": match d.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Note => "note",
                },
                "message": d.message,
                "labels": labels,
                "help": d.help,
                "note": d.note,
                "fixes": d.fixes.iter().map(|f| fix(f, &mut place)).collect::<Vec<_>>(),
            })
        });
        shown.collect()
    }
}

/// A change that mends a mistake: what it does, and the places with their new texts.
fn fix(fix: &Fix, place: &mut impl FnMut(Span) -> (String, String)) -> serde_json::Value {
    let edits = fix.edits.iter().map(|edit| {
        let (from, to) = place(edit.span);
        serde_json::json!({ "from": from, "to": to, "text": edit.text })
    });
    serde_json::json!({ "title": fix.title, "sure": fix.is_sure, "edits": edits.collect::<Vec<_>>() })
}

/// So many messages are drawn at once; the first ones are those to mend.
const MOST_SHOWN: usize = 50;

/// Writes to standard output.
pub fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes to standard error; if nobody listens there, nobody can be told.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
