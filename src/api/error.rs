//! What the interface says when it refuses: values with a code, the place, and how to mend it.

use crate::diag::{Diagnostic, Drawing, Style, codes};
use crate::source::Sources;
use std::fmt;

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named, or the name a text was given under.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

/// One mistake, or one warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A stable code, such as `E0703`; `rnnc explain E0703` and `docs/errors.md` say more.
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where, if it is about a text.
    pub place: Option<Place>,
    /// How to mend it.
    pub help: Option<String>,
    /// All of it as the command line shows it: the lines of the text, every place, help and notes.
    pub rendered: String,
}

impl Problem {
    pub(super) fn all(sources: &Sources, diagnostics: &[Diagnostic]) -> Vec<Problem> {
        let mut drawing = Drawing::new(sources, Style::default());
        diagnostics.iter().map(|d| Problem::one(&mut drawing, sources, d)).collect()
    }

    fn one(drawing: &mut Drawing, sources: &Sources, d: &Diagnostic) -> Problem {
        // What is about no text that is known here has no place.
        let known = sources.iter().count();
        let mut shown = d.clone();
        shown.labels.retain(|l| (l.span.file.0 as usize) < known);
        shown.fixes.retain(|f| f.edits.iter().all(|e| (e.span.file.0 as usize) < known));
        let place = shown.labels.first().and_then(|l| {
            let text = drawing.place(l.span);
            let mut parts = text.rsplitn(3, ':');
            let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some(Place { path: parts.next()?.to_string(), line, column })
        });
        let help = shown.help.clone().or_else(|| shown.fixes.first().map(|f| f.title.clone()));
        Problem { code: d.code, message: d.message.clone(), place, help, rendered: drawing.draw(&shown) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{} [{}]", self.message, self.code)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Why something was refused: one or more [`Problem`]s. Whatever was refused has changed nothing.
///
/// ```
/// let wrong = rnnc::api::Library::text("cell.rnn", "cell Mine(H) { h = tanh(x }").unwrap_err();
/// let place = wrong.place().expect("a place");
/// assert_eq!((wrong.code(), &*place.path, place.line), ("E0104", "cell.rnn", 1));
/// println!("{}", wrong.rendered());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    // Results are passed on by value, errors are rare.
    problems: Box<[Problem]>,
}

/// The result of everything here that can be refused.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Of diagnostics, at least one of them an error; what is no error among them is left out.
    pub(super) fn new(sources: &Sources, diagnostics: Vec<Diagnostic>) -> Error {
        let (errors, others): (Vec<_>, Vec<_>) = diagnostics.into_iter().partition(Diagnostic::is_error);
        let shown = if errors.is_empty() { others } else { errors };
        Error { problems: Problem::all(sources, &shown).into() }
    }

    /// Of something that is about no text.
    pub(super) fn plain(diagnostic: Diagnostic) -> Error {
        Error::new(&Sources::default(), vec![diagnostic])
    }

    /// For bindings to other languages: what their compiler could not see, such as a pointer that leads nowhere, with code
    /// `E0718`.
    pub fn of_caller(message: impl Into<String>) -> Error {
        Error::plain(Diagnostic::error("E0718", message))
    }

    /// All problems, the first one first. There is at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The code of the first problem.
    pub fn code(&self) -> &'static str {
        self.problems.first().map_or("E0601", |p| p.code)
    }

    /// The sentence of the first problem.
    pub fn message(&self) -> &str {
        self.problems.first().map_or("", |p| &p.message)
    }

    /// The place of the first problem, if it is about a text.
    pub fn place(&self) -> Option<&Place> {
        self.problems.first()?.place.as_ref()
    }

    /// Everything, as the command line shows it, without colours.
    pub fn rendered(&self) -> String {
        self.problems.iter().map(|p| p.rendered.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let between = if i > 0 { "\n" } else { "" };
            write!(f, "{between}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    /// As [`Error::rendered`]: what `unwrap` shows is to be read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rendered())
    }
}

impl std::error::Error for Error {}

/// What a code means: a title, and some sentences. The examples beside them are printed by `rnnc explain`, and stand in `docs/errors.md`.
pub fn explain(code: &str) -> Option<String> {
    let (entry, _) = codes::find(&code.to_uppercase())?;
    Some(format!("{}: {}\n\n{}\n", entry.code, entry.title, entry.text.trim_end()))
}
