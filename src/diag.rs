//! Diagnostics: what the user is told, where, and how to mend it.
//!
//! In: spans and sentences from every stage. Out: [`Diagnostic`] values, and their rendering.
//! Invariant: no stage prints; only `cli` renders. This is the only file that names `miette`.

pub mod codes;
pub mod mend;
pub mod near;

use crate::source::{FileId, Sources, Span};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

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

/// A part of a text and what is to stand there instead. An empty part is a place to put it in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

/// A change of the author's text that mends the mistake: with it the message is gone.
///
/// It is sure if what it changes could hardly have been meant otherwise. What is not, such as taking away what somebody has
/// written, is shown and offered, and made only by who chooses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fix {
    /// What it does, as a command: "write `W @ x`".
    pub title: String,
    /// Apart from each other; of any files.
    pub edits: Vec<Edit>,
    pub is_sure: bool,
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
    /// The likeliest first.
    pub fixes: Vec<Fix>,
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
        Diagnostic {
            code,
            severity,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            note: None,
            fixes: Vec::new(),
        }
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

    /// A way to mend it: `text` in the place of `span`.
    pub fn fix(self, title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        self.fix_all(title, vec![Edit { span, text: text.into() }])
    }

    /// A name in the place of another, and why. It is sure where the other can hardly be anything but a slip.
    pub fn did_you_mean(mut self, written: &str, near: &str, at: Span) -> Self {
        let is = near::look_alike(written, near).map(|c| format!("this is U+{:04X}; ", c as u32));
        let title = format!("{}did you mean `{near}`?", is.unwrap_or_default());
        self.push_fix(title, vec![Edit { span: at, text: near.into() }], near::is_sure(written, near));
        self
    }

    /// A way to mend it that changes several places; without any there is none.
    pub fn fix_all(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.push_fix(title.into(), edits, true);
        self
    }

    /// Like [`Diagnostic::fix`], for what is not sure.
    pub fn maybe(self, title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        self.maybe_all(title, vec![Edit { span, text: text.into() }])
    }

    /// Like [`Diagnostic::fix_all`], for what is not sure.
    pub fn maybe_all(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.push_fix(title.into(), edits, false);
        self
    }

    fn push_fix(&mut self, title: String, edits: Vec<Edit>, is_sure: bool) {
        if !edits.is_empty() {
            self.fixes.push(Fix { title, edits, is_sure });
        }
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
    Drawing::new(sources, style).draw(diagnostic)
}

/// `path:line:column` of the beginning of a span, from 1.
pub fn place(sources: &Sources, span: Span) -> String {
    Drawing::new(sources, Style::default()).place(span)
}

/// Draws diagnostics; a file is cut into lines once for all of them.
pub struct Drawing<'s> {
    sources: &'s Sources,
    style: Style,
    pages: BTreeMap<FileId, Arc<Page>>,
}

impl<'s> Drawing<'s> {
    pub fn new(sources: &'s Sources, style: Style) -> Drawing<'s> {
        Drawing { sources, style, pages: BTreeMap::new() }
    }

    /// As [`render`].
    pub fn draw(&mut self, diagnostic: &Diagnostic) -> String {
        let theme = if self.style.colour {
            miette::GraphicalTheme::unicode()
        } else {
            miette::GraphicalTheme::unicode_nocolor()
        };
        let shown = Shown::new(self, diagnostic);
        let mut handler = miette::GraphicalReportHandler::new_themed(theme)
            .with_width(self.style.width)
            .with_links(false)
            .with_context_lines(1);
        if let Some(note) = &shown.note {
            handler = handler.with_footer(format!("note: {note}"));
        }
        let mut text = String::new();
        match handler.render_report(&mut text, &shown) {
            Ok(()) => text,
            // Only a span outside its source gets here, which the invariant of `Span` excludes.
            Err(_) => format!("{}: {}\n", diagnostic.code, short(&diagnostic.message)),
        }
    }

    /// As [`place`].
    pub fn place(&mut self, span: Span) -> String {
        let page = self.page(span.file);
        let start = (span.start as usize).min(page.text.len());
        let line = page.line_of(start);
        let before = page.text.get(page.starts[line]..start).unwrap_or_default();
        format!("{}:{}:{}", self.sources.get(span.file).path, line + 1, before.chars().count() + 1)
    }

    /// What is to be done, and the lines as they then are. A fix without help of its own is help by its title.
    fn help(&self, d: &Diagnostic, home: Option<FileId>) -> Option<String> {
        let mut help: Vec<String> = d.help.iter().map(|h| short(h)).collect();
        let fixes = d.fixes.iter().filter(|fix| mend::is_of_author(self.sources, fix));
        for (i, fix) in fixes.enumerate() {
            match (i, help.is_empty()) {
                (0, false) => {}
                (0, true) => help.push(short(&fix.title)),
                _ => help.push(format!("or {}", short(&fix.title))),
            }
            if fix.edits.len() > MOST_EDITS {
                continue;
            }
            let changed = mend::changed_lines(self.sources, fix);
            let fits = |line: &str| line.len() <= LONGEST_CHANGE;
            let lines: usize = changed.iter().map(|c| c.lines.len()).sum();
            if lines > MOST_CHANGED || changed.iter().flat_map(|c| &c.lines).any(|(_, line)| !fits(line)) {
                continue;
            }
            for changed in changed {
                if Some(changed.file) != home && !changed.lines.is_empty() {
                    help.push(format!("in {}:", self.sources.get(changed.file).path));
                }
                let widest = changed.lines.iter().map(|(n, _)| n.to_string().len()).max().unwrap_or(0);
                let line = |(n, line): &(usize, String)| format!("  {n:widest$} │ {}", visible(line));
                help.extend(changed.lines.iter().map(line));
            }
        }
        Some(help.join("\n")).filter(|h| !h.is_empty())
    }

    fn page(&mut self, file: FileId) -> Arc<Page> {
        let made = || Arc::new(Page::new(&self.sources.get(file).text));
        self.pages.entry(file).or_insert_with(made).clone()
    }
}

/// A file as it is drawn.
#[derive(Debug)]
struct Page {
    /// With what is invisible made visible.
    text: String,
    /// Where lines begin; there is one at least.
    starts: Vec<usize>,
}

/// Of a longer line no more than its part around a place is shown, and of a longer place its beginning. In bytes.
const LONGEST_LINE: usize = 1000;
const AROUND: usize = 80;
/// Texts that hold something of a file, such as a name, are no longer than this, in characters.
const LONGEST_TEXT: usize = 2000;

impl Page {
    fn new(text: &str) -> Page {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1));
        Page { text: visible(text), starts: starts.collect() }
    }

    fn line_of(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// Just behind a line.
    fn end_of(&self, line: usize) -> usize {
        self.starts.get(line + 1).copied().unwrap_or(self.text.len())
    }

    /// The beginning of the character at a place.
    fn floor(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at)
    }
}

/// A page with its name, as `miette` asks for parts of it.
#[derive(Debug)]
struct Named {
    name: String,
    page: Arc<Page>,
}

impl miette::SourceCode for Named {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let page = &*self.page;
        let (start, end) = (span.offset(), span.offset().saturating_add(span.len()));
        if end > page.text.len() {
            return Err(miette::MietteError::OutOfBounds);
        }
        let own = (page.line_of(start), page.line_of(end.saturating_sub(1).max(start)));
        let mut first = own.0.saturating_sub(before);
        let mut from = if before == 0 { start } else { page.starts[first] };
        let mut to = page.end_of(own.1.saturating_add(after));
        if page.end_of(own.0) - page.starts[own.0] > LONGEST_LINE && before > 0 {
            (first, from) = (own.0, page.floor(start.saturating_sub(AROUND)).max(page.starts[own.0]));
        }
        if page.end_of(own.1) - page.starts[own.1] > LONGEST_LINE {
            to = page.floor((end + AROUND).min(page.end_of(own.1)));
        }
        // Of characters, as it is counted everywhere else.
        let before = page.text.get(page.starts[first]..from).unwrap_or_default();
        let column = before.chars().count();
        let lines = page.line_of(to.max(1) - 1) - first + 1;
        let data = &page.text.as_bytes()[from..to];
        let contents = miette::MietteSpanContents::new_named(
            self.name.clone(),
            data,
            (from, to - from).into(),
            first,
            column,
            lines,
        );
        Ok(Box::new(contents))
    }
}

/// Of a fix with so many edits, the lines it changes are shown if they are few and not longer than this, in bytes; else
/// its title says it.
const MOST_EDITS: usize = 24;
const MOST_CHANGED: usize = 6;
const LONGEST_CHANGE: usize = 160;

/// A text that is not too long to be read.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
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
    if text.is_ascii() {
        return text.to_string();
    }
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
    source: Option<Named>,
}

impl Shown {
    fn new(drawing: &mut Drawing, d: &Diagnostic) -> Shown {
        let sources = drawing.sources;
        let home: Option<FileId> = d.labels.first().map(|l| l.span.file);
        let (here, elsewhere): (Vec<&Label>, Vec<&Label>) =
            d.labels.iter().partition(|l| Some(l.span.file) == home);
        let page = home.map(|f| drawing.page(f));
        let labels = here.iter().enumerate().map(|(i, l)| {
            let (start, end) = (l.span.start as usize, l.span.end.max(l.span.start) as usize);
            let end = match (end - start > LONGEST_LINE, &page) {
                (true, Some(page)) => page.floor(start + LONGEST_LINE),
                _ => end,
            };
            let range = start..end;
            let text = Some(short(&l.text)).filter(|t| !t.is_empty());
            match i {
                0 => miette::LabeledSpan::new_primary_with_span(text, range),
                _ => miette::LabeledSpan::new_with_span(text, range),
            }
        });
        let labels: Vec<_> = labels.collect();
        let mut note: Vec<String> = d.note.iter().map(|n| short(n)).collect();
        note.extend(elsewhere.iter().map(|l| format!("{}: {}", drawing.place(l.span), short(&l.text))));
        Shown {
            code: d.code,
            severity: d.severity,
            message: short(&d.message),
            help: drawing.help(d, home),
            note: Some(note.join("\n")).filter(|n| !n.is_empty()),
            labels,
            source: home.zip(page).map(|(f, page)| Named { name: sources.get(f).path.clone(), page }),
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
