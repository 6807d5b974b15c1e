//! Diagnostics: what the user is told, where, and how to mend it.
//!
//! In: spans and sentences from every stage. Out: [`Diagnostic`] values, and their rendering.
//! Invariant: no stage prints; only `cli` renders. This is the only file that names `miette`.

pub mod codes;
pub mod near;

use crate::source::{FileId, Sources, Span};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
    Note,
}

/// A place with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One message. Built by one small function per mistake, in the error file of its stage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// A stable code of [`codes::table`], such as `E0301`.
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// The first label is the primary place.
    pub labels: Vec<Label>,
    pub help: Option<String>,
    pub note: Option<String>,
}

impl Diagnostic {
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { code, severity, message: message.into(), labels: Vec::new(), help: None, note: None }
    }

    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Like [`Diagnostic::at`], for places that may be unknown.
    pub fn at_some(self, span: Option<Span>, text: impl Into<String>) -> Self {
        match span {
            Some(span) => self.at(span, text),
            None => self,
        }
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    pub fn with_note(mut self, text: impl Into<String>) -> Self {
        self.note = Some(text.into());
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The result of a stage that can fail: its diagnostics, at least one of them an error.
pub type Fallible<T> = Result<T, Vec<Diagnostic>>;

/// How a diagnostic is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
    /// Columns to wrap at.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Style { colour: false, width: 100 }
    }
}

/// A diagnostic as text: its message, the places in their source lines, help and note.
pub fn render(sources: &Sources, diagnostic: &Diagnostic, style: Style) -> String {
    let theme = if style.colour {
        miette::GraphicalTheme::unicode()
    } else {
        miette::GraphicalTheme::unicode_nocolor()
    };
    let shown = Shown::new(sources, diagnostic);
    let mut handler = miette::GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_links(false)
        .with_context_lines(1);
    if let Some(note) = &shown.note {
        handler = handler.with_footer(format!("note: {note}"));
    }
    let mut text = String::new();
    match handler.render_report(&mut text, &shown) {
        Ok(()) => text,
        // Only a span outside its source gets here, which the invariant of `Span` excludes.
        Err(_) => format!("{}: {}\n", diagnostic.code, diagnostic.message),
    }
}

/// `path:line:column` of the beginning of a span, from 1.
pub fn place(sources: &Sources, span: Span) -> String {
    let file = sources.get(span.file);
    let before = file.text.get(..span.start as usize).unwrap_or(&file.text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{}:{line}:{column}", file.path)
}

/// Whether a character has no picture of its own: it is named by its number.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A text to draw: invisible characters, which may turn a whole line round, are replaced by visible ones of as
/// many bytes, so that places stay.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match (is_invisible(c), c.len_utf8()) {
            (false, _) => out.push(c),
            (true, 2) => out.push('·'),
            (true, 3) => out.push('\u{FFFD}'),
            (true, _) => out.push_str("\u{FFFD}?"),
        }
    }
    out
}

/// What `miette` draws. It knows one source text for all labels, so places in other files than the
/// first label's become lines of the note.
#[derive(Debug)]
struct Shown {
    code: &'static str,
    severity: Severity,
    message: String,
    help: Option<String>,
    note: Option<String>,
    labels: Vec<miette::LabeledSpan>,
    source: Option<miette::NamedSource<String>>,
}

impl Shown {
    fn new(sources: &Sources, d: &Diagnostic) -> Shown {
        let home: Option<FileId> = d.labels.first().map(|l| l.span.file);
        let (here, elsewhere): (Vec<&Label>, Vec<&Label>) =
            d.labels.iter().partition(|l| Some(l.span.file) == home);
        let labels = here.iter().enumerate().map(|(i, l)| {
            let range = l.span.start as usize..l.span.end.max(l.span.start) as usize;
            let text = Some(l.text.clone()).filter(|t| !t.is_empty());
            match i {
                0 => miette::LabeledSpan::new_primary_with_span(text, range),
                _ => miette::LabeledSpan::new_with_span(text, range),
            }
        });
        let mut note: Vec<String> = d.note.iter().cloned().collect();
        note.extend(elsewhere.iter().map(|l| format!("{}: {}", place(sources, l.span), l.text)));
        Shown {
            code: d.code,
            severity: d.severity,
            message: d.message.clone(),
            help: d.help.clone(),
            note: Some(note.join("\n")).filter(|n| !n.is_empty()),
            labels: labels.collect(),
            source: home
                .map(|f| miette::NamedSource::new(&sources.get(f).path, visible(&sources.get(f).text))),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        Some(Box::new(format!("{word}[{}]", self.code)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|s| s as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned())).filter(|_| !self.labels.is_empty()).map(|b| b as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_both_places_and_the_mend() {
        let mut sources = Sources::default();
        let file = sources.add("a.rnn", "cell A(I) {\n  h = W * x\n}\n");
        let other = sources.add("b.rnn", "\n  let there\n");
        let span = |file, start, end| Span { file, start, end };
        let d = Diagnostic::error("E0301", "`⊙` wants equal shapes")
            .at(span(file, 18, 19), "this is [H, I]")
            .at(span(file, 22, 23), "this is [I]")
            .at(span(other, 3, 6), "declared here")
            .help("did you mean `W @ x`?");
        let text = render(&sources, &d, Style::default());
        for part in [
            "error[E0301]",
            "a.rnn:2:7",
            "this is [H, I]",
            "this is [I]",
            "did you mean",
            "b.rnn:2:3: declared here",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "no colour was asked for");
        assert!(render(&sources, &d, Style { colour: true, width: 80 }).contains('\u{1b}'));
    }

    #[test]
    fn invisible_characters_are_drawn() {
        let mut sources = Sources::default();
        let file = sources.add("a.rnn", "a\u{AD}b\u{202E}c\u{E0001}d = x\n");
        let at = |start, end| Diagnostic::error("E0103", "no").at(Span { file, start, end }, "here");
        for (start, end) in [(1, 3), (4, 7), (8, 12)] {
            let text = render(&sources, &at(start, end), Style::default());
            assert!(text.contains("a·b\u{FFFD}c\u{FFFD}?d = x") && !text.chars().any(is_invisible), "{text}");
        }
    }

    #[test]
    fn a_diagnostic_without_a_place_is_shown_too() {
        let text = render(&Sources::default(), &Diagnostic::warning("E0101", "odd"), Style::default());
        assert!(text.contains("warning[E0101]") && text.contains("odd"), "{text}");
    }
}
