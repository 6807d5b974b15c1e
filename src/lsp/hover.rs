//! What a name is, in words: its declaration and equation, type and shape, documentation, where it comes from.

use super::builtins;
use super::references::{definitions, item_title};
use super::symbol::{Space, Symbol};
use super::view::View;
use crate::resolve::{ItemId, item_statics};
use crate::source::Span;
use crate::syntax::ast::{CellDef, Item, ItemKind, Static};

#[derive(Clone, Debug, PartialEq)]
pub struct Hover {
    pub span: Span,
    /// Markdown.
    pub text: String,
}

/// A statement is shown up to so many bytes.
const LONGEST: usize = 600;

pub fn hover(view: &View, offset: u32) -> Option<Hover> {
    let text = view.text(view.root);
    let near = view.item_at(offset);
    if let Some((occurrence, part)) = view.index_of(view.root).at(text, offset) {
        let symbols = occurrence.meant(&part);
        let shown = symbols.iter().take(1).map(|s| about(view, s, near, Some(occurrence.span)));
        let mut text: Vec<String> = shown.collect();
        if symbols.len() > 1 {
            let names: Vec<String> = symbols.iter().map(|s| format!("`{}`", s.name)).collect();
            text.push(format!("The family {}.", names.join(", ")));
        }
        if !text.is_empty() {
            return Some(Hover { span: occurrence.span, text: text.join("\n\n") });
        }
    }
    // An operator, a bracket: the expression it makes.
    let survey = view.survey(near?);
    let (span, ty) = survey.around(view.root, offset)?;
    let e = clip(view.sources.text(span));
    Some(Hover { span, text: code(&format!("{e} : {ty}")) })
}

fn code(text: &str) -> String {
    format!("```rnn\n{text}\n```")
}

fn clip(text: &str) -> String {
    match text.len() > LONGEST {
        true => format!("{} …", &text[..text.floor_char_boundary(LONGEST)]),
        false => text.to_string(),
    }
}

/// A symbol in Markdown. `at`: where it is read.
pub fn about(view: &View, symbol: &Symbol, near: Option<ItemId>, at: Option<Span>) -> String {
    if symbol.owner.is_none() {
        return match builtins::any(&symbol.name) {
            Some(b) => format!("{}\n\n{}", code(b.signature), b.about),
            None => format!("{}\n\nThe variable of the chain: the step, from 1.", code(&symbol.name)),
        };
    }
    let item = symbol.owner.and_then(|o| o.find(&view.library));
    if let (Space::Item, Some(item)) = (&symbol.space, item) {
        return joined(&[code(&header(view, item)), docs(&item.docs), origin(view, symbol, item)]);
    }
    let definitions = definitions(view, symbol, near);
    let mut statements: Vec<String> = Vec::new();
    let mut documented: Vec<String> = Vec::new();
    for occurrence in &definitions {
        let Some(statement) = view.index_of(occurrence.span.file).statement(occurrence) else { continue };
        let text = clip(view.sources.text(statement.span));
        // A header's span begins at its name.
        let text = match statement.word {
            "cell" | "layer" | "model" | "fn" => format!("{} {text}", statement.word),
            _ => text,
        };
        if !statements.contains(&text) {
            statements.push(text);
        }
        let said = docs(&statement.docs);
        if !said.is_empty() && !documented.contains(&said) {
            documented.push(said);
        }
    }
    let statements = if statements.is_empty() { vec![symbol.name.to_string()] } else { statements };
    let kind = kind_line(view, symbol, near, at);
    let origin = item.map(|item| origin(view, symbol, item)).unwrap_or_default();
    joined(&[code(&statements.join("\n")), kind, documented.join("\n\n"), origin])
}

fn joined(parts: &[String]) -> String {
    parts.iter().filter(|p| !p.is_empty()).cloned().collect::<Vec<_>>().join("\n\n")
}

/// Documentation as it was written; lines set in further are code of theirs.
fn docs(lines: &[String]) -> String {
    lines.iter().map(|l| l.strip_prefix(' ').unwrap_or(l)).collect::<Vec<_>>().join("\n").trim().to_string()
}

/// `state · [H]`.
fn kind_line(view: &View, symbol: &Symbol, near: Option<ItemId>, at: Option<Span>) -> String {
    let members = symbol.owner.and_then(|o| {
        let ids = &view.library.file(o.file)?.items;
        ids.iter().copied().find(|id| view.library.item(*id).span.start == o.start)
    });
    let word = match &symbol.space {
        Space::Value => match members.map(|id| view.members(id)) {
            Some(m) => match m.values.get(&symbol.name).map(|v| v.word) {
                Some("in" | "input") => "input",
                Some("mem") => "memory",
                Some("param") => "parameter",
                Some(word) => word,
                None => "value",
            },
            None => "value",
        },
        Space::Static => "static parameter",
        Space::Dim => "dimension",
        Space::Axis => "axis",
        Space::Out => "output",
        Space::Word(_) => "word of a choice",
        Space::Binder(_) => "index",
        Space::Layout => "layout",
        Space::Item | Space::Builtin => "",
    };
    let mut line = word.to_string();
    if let Space::Static = symbol.space {
        let kind = members.and_then(|id| static_kind(view, id, &symbol.name));
        line = kind.map_or(line.clone(), |kind| format!("{line} · {kind}"));
    }
    if let Some(ty) = shape_of(view, symbol, near, members, at) {
        line = format!("{line} · `{ty}`");
    }
    line
}

fn static_kind(view: &View, id: ItemId, name: &str) -> Option<String> {
    let statics = item_statics(view.library.item(id));
    let s: &Static = statics.iter().find(|s| &*s.name.name == name)?;
    let words: Vec<&str> = s.kind.iter().map(|w| &*w.written).collect();
    Some(match words.as_slice() {
        [] if s.default.is_none() => "dimension".to_string(),
        [] => return None,
        ["real"] => "real number".to_string(),
        ["bool"] => "truth value".to_string(),
        ["fn"] => "function".to_string(),
        [one] => (*one).to_string(),
        many => format!("one of {}", many.join(", ")),
    })
}

/// The type of a value where it is read, or as its item has it.
fn shape_of(
    view: &View,
    symbol: &Symbol,
    near: Option<ItemId>,
    own: Option<ItemId>,
    at: Option<Span>,
) -> Option<String> {
    if !matches!(symbol.space, Space::Value | Space::Dim | Space::Out) {
        return None;
    }
    let surveys = [near, own.filter(|own| Some(*own) != near)];
    for (i, id) in surveys.into_iter().enumerate() {
        let Some(id) = id else { continue };
        let survey = view.survey(id);
        let read = at.filter(|_| i == 0).and_then(|at| survey.ending(at));
        let mine = view.members(id).find(&symbol.name, symbol.space == Space::Dim).as_ref() == Some(symbol);
        let known = read.or_else(|| survey.name(&symbol.name).filter(|_| mine));
        if let Some(ty) = known {
            // A dimension that is its own name says nothing.
            if ty == &*symbol.name {
                return None;
            }
            let invented: Vec<String> = survey.invented().map(|(n, k)| format!("{n} = {k}")).collect();
            return Some(match invented.as_slice() {
                [] => ty.to_string(),
                some => format!("{ty}` for `{}", some.join(", ")),
            });
        }
    }
    None
}

/// `cell C(I, H) over chain(t) = A(I, H) with { … }`.
pub fn header(view: &View, item: &Item) -> String {
    let text = view.text(item.span.file);
    let slice = |from: u32, to: u32| text.get(from as usize..to as usize).unwrap_or_default();
    let Some(name) = crate::resolve::item_name(item) else { return clip(view.sources.text(item.span)) };
    let word = match &item.kind {
        ItemKind::Cell(_) => "cell",
        ItemKind::Layer(_) => "layer",
        ItemKind::Model(_) => "model",
        _ => "fn",
    };
    // Up to the body, or what it is equal to.
    let tokens = crate::syntax::lex::tokens(slice(name.span.start, item.span.end));
    let mut depth = 0usize;
    let mut end = name.span.end;
    for token in &tokens {
        match token.kind {
            crate::syntax::lex::Kind::Open if depth == 0 && token.is("{") => break,
            crate::syntax::lex::Kind::Open => depth += 1,
            crate::syntax::lex::Kind::Close => depth = depth.saturating_sub(1),
            _ if depth == 0 && token.is("=") => break,
            _ => {}
        }
        end = name.span.start + token.end() as u32;
    }
    let own = clip(slice(name.span.start, end).trim_end());
    let derived = match &item.kind {
        ItemKind::Cell(cell) => match &cell.def {
            CellDef::Derived { base, with } => {
                let with = if with.is_some() { " with { … }" } else { "" };
                format!(" = {}{with}", clip(view.sources.text(base.span)))
            }
            CellDef::Body(_) => String::new(),
        },
        _ => String::new(),
    };
    format!("{word} {own}{derived}")
}

/// `in NAME, standard library, FILE.rnn`.
fn origin(view: &View, symbol: &Symbol, item: &Item) -> String {
    let path = view.path(item.span.file);
    let name = path.rsplit('/').next().unwrap_or(path);
    let file = match view.is_stdlib(item.span.file) {
        true => format!("standard library, {name}"),
        false => name.to_string(),
    };
    let title = symbol.owner.filter(|_| symbol.space != Space::Item).and_then(|o| item_title(view, o));
    match title {
        Some(title) => format!("*in `{title}`, {file}*"),
        None => format!("*{file}*"),
    }
}
