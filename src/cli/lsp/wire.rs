//! Between what the functions of [`crate::lsp`] say and what the protocol calls it.

use super::cache::Cache;
use super::uri::uri_of;
use crate::diag::{Edit, Severity};
use crate::lsp::complete::{Item, Of};
use crate::lsp::lines::{Encoding, Lines, Place};
use crate::lsp::outline::Entry;
use crate::lsp::problems::Problem;
use crate::lsp::semantic::Colour;
use crate::lsp::view::View;
use crate::source::{FileId, Span};
use lsp_types::*;
use std::collections::BTreeMap;

/// How places are counted, and where what is in no file can be seen.
pub struct Wire<'a> {
    pub encoding: Encoding,
    pub cache: &'a Cache,
}

pub fn position(place: Place) -> Position {
    Position { line: place.line, character: place.column }
}

pub fn place(position: Position) -> Place {
    Place { line: position.line, column: position.character }
}

/// One text with its lines, to turn many spans of it.
pub struct Ruler<'t> {
    text: &'t str,
    lines: Lines,
    encoding: Encoding,
}

impl<'t> Ruler<'t> {
    pub fn new(text: &'t str, encoding: Encoding) -> Ruler<'t> {
        Ruler { text, lines: Lines::new(text), encoding }
    }

    pub fn position(&self, offset: u32) -> Position {
        position(self.lines.place(self.text, offset as usize, self.encoding))
    }

    pub fn range(&self, span: Span) -> Range {
        Range { start: self.position(span.start), end: self.position(span.end.max(span.start)) }
    }

    pub fn offset(&self, position: Position) -> u32 {
        self.lines.offset(self.text, place(position), self.encoding) as u32
    }

    pub fn span(&self, file: FileId, range: Range) -> Span {
        let (a, b) = (self.offset(range.start), self.offset(range.end));
        Span { file, start: a.min(b), end: a.max(b) }
    }

    /// A place that can be seen: of an empty one the character at it.
    fn visible(&self, span: Span) -> Range {
        if span.start < span.end {
            return self.range(span);
        }
        let rest = self.text.get(span.start as usize..).unwrap_or_default();
        let next = rest.chars().next().filter(|c| !c.is_control());
        self.range(Span { end: span.start + next.map_or(0, char::len_utf8) as u32, ..span })
    }
}

impl Wire<'_> {
    pub fn uri(&self, path: &str) -> Option<Uri> {
        match path.starts_with("<stdlib>/") {
            true => uri_of(&self.cache.copy(path)?),
            false => uri_of(path),
        }
    }

    pub fn location(&self, view: &View, span: Span) -> Option<Location> {
        let uri = self.uri(view.path(span.file))?;
        Some(Location { uri, range: Ruler::new(view.text(span.file), self.encoding).range(span) })
    }

    pub fn diagnostic(&self, view: &View, ruler: &Ruler<'_>, problem: &Problem) -> Diagnostic {
        let related = problem.related.iter().filter_map(|(span, text)| {
            Some(DiagnosticRelatedInformation {
                location: self.location(view, *span)?,
                message: text.clone(),
            })
        });
        let related: Vec<_> = related.collect();
        let code = problem.diagnostic.code;
        let page = self.cache.page(code).and_then(|path| uri_of(&path));
        Diagnostic {
            range: ruler.visible(problem.span),
            severity: Some(match problem.diagnostic.severity {
                Severity::Error => DiagnosticSeverity::ERROR,
                Severity::Warning => DiagnosticSeverity::WARNING,
                Severity::Note => DiagnosticSeverity::INFORMATION,
            }),
            code: Some(NumberOrString::String(code.to_string())),
            code_description: page.map(|href| CodeDescription { href }),
            source: Some("rnnc".to_string()),
            message: problem.message.clone(),
            related_information: Some(related).filter(|r| !r.is_empty()),
            tags: problem.is_unneeded.then(|| vec![DiagnosticTag::UNNECESSARY]),
            data: None,
        }
    }

    /// Edits of one text.
    pub fn edits(&self, text: &str, edits: &[Edit]) -> Vec<TextEdit> {
        let ruler = Ruler::new(text, self.encoding);
        edits.iter().map(|e| TextEdit { range: ruler.range(e.span), new_text: e.text.clone() }).collect()
    }

    /// Edits of several files of a view.
    pub fn workspace_edit(&self, view: &View, edits: &[Edit]) -> Option<WorkspaceEdit> {
        let mut files: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
        for edit in edits {
            // What the library has cannot be changed.
            if view.is_stdlib(edit.span.file) {
                return None;
            }
            files.entry(edit.span.file).or_default().push(edit.clone());
        }
        let texts = files
            .iter()
            .map(|(file, edits)| Some((self.uri(view.path(*file))?, self.edits(view.text(*file), edits))));
        Some(changes(texts.collect::<Option<Vec<_>>>()?))
    }

    pub fn completion(&self, ruler: &Ruler<'_>, item: &Item) -> CompletionItem {
        let kind = match item.of {
            Of::Keyword => CompletionItemKind::KEYWORD,
            Of::Value => CompletionItemKind::VARIABLE,
            Of::Parameter => CompletionItemKind::PROPERTY,
            Of::Dimension => CompletionItemKind::TYPE_PARAMETER,
            Of::Function => CompletionItemKind::FUNCTION,
            Of::Cell => CompletionItemKind::CLASS,
            Of::Field => CompletionItemKind::FIELD,
            Of::Word => CompletionItemKind::ENUM_MEMBER,
            Of::Sign => CompletionItemKind::TEXT,
        };
        let docs = Some(item.docs.clone()).filter(|d| !d.is_empty()).map(markdown);
        CompletionItem {
            label: item.label.clone(),
            kind: Some(kind),
            detail: Some(item.detail.clone()).filter(|d| !d.is_empty()),
            documentation: docs.map(Documentation::MarkupContent),
            sort_text: Some(format!("{}{}", item.rank, item.label)),
            // What is put in is what was begun to be typed; signs are typed as they are called.
            filter_text: Some(if item.of == Of::Sign { item.label.clone() } else { item.insert.clone() }),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit {
                range: ruler.range(item.replace),
                new_text: item.insert.clone(),
            })),
            ..CompletionItem::default()
        }
    }
}

pub fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

// The protocol's map is keyed by what hashes as its text.
#[allow(clippy::mutable_key_type)]
pub fn changes(files: Vec<(Uri, Vec<TextEdit>)>) -> WorkspaceEdit {
    WorkspaceEdit { changes: Some(files.into_iter().collect()), ..WorkspaceEdit::default() }
}

#[allow(deprecated)]
pub fn symbol(ruler: &Ruler<'_>, entry: &Entry) -> DocumentSymbol {
    let kind = match entry.word {
        "cell" | "layer" => SymbolKind::CLASS,
        "model" => SymbolKind::MODULE,
        "fn" => SymbolKind::FUNCTION,
        "layout" => SymbolKind::STRUCT,
        "test" | "check" => SymbolKind::EVENT,
        "static" => SymbolKind::TYPE_PARAMETER,
        "param" => SymbolKind::PROPERTY,
        "dim" => SymbolKind::CONSTANT,
        "out" | "metric" => SymbolKind::INTERFACE,
        "in" | "mem" | "input" => SymbolKind::FIELD,
        _ => SymbolKind::VARIABLE,
    };
    let children: Vec<DocumentSymbol> = entry.children.iter().map(|c| symbol(ruler, c)).collect();
    DocumentSymbol {
        // An empty name is refused by some editors.
        name: if entry.name.is_empty() { "…".to_string() } else { entry.name.clone() },
        detail: Some(entry.word.to_string()),
        kind,
        tags: None,
        deprecated: None,
        range: ruler.range(entry.span),
        selection_range: ruler.range(entry.name_span),
        children: Some(children).filter(|c| !c.is_empty()),
    }
}

pub fn fold(ruler: &Ruler<'_>, span: Span) -> FoldingRange {
    let range = ruler.range(span);
    FoldingRange {
        start_line: range.start.line,
        start_character: Some(range.start.character),
        end_line: range.end.line,
        end_character: Some(range.end.character),
        kind: None,
        collapsed_text: None,
    }
}

/// Colours as the protocol packs them: each relative to the one before it.
pub fn tokens(ruler: &Ruler<'_>, colours: &[Colour]) -> Vec<SemanticToken> {
    let mut before = Position::default();
    let mut out = Vec::new();
    for colour in colours {
        let range = ruler.range(colour.span);
        if range.start.line != range.end.line || range.start < before {
            continue;
        }
        let same = range.start.line == before.line;
        out.push(SemanticToken {
            delta_line: range.start.line - before.line,
            delta_start: range.start.character - if same { before.character } else { 0 },
            length: range.end.character - range.start.character,
            token_type: colour.kind,
            token_modifiers_bitset: colour.modifiers,
        });
        before = range.start;
    }
    out
}
