//! An item as its tokens tell: what it is called and what it declares, whether or not it can be read.
//!
//! In: any text. Out: one [`Sketch`] for each item, in order. An editor's text is broken most of the time, just where its author
//! looks; so outlines and completions come from here alone.

use super::index::{Index, Occurrence, Role, Statement, expansions, pieces_of};
use super::scope::Members;
use super::symbol::{Owner, Space, Symbol};
use super::view::View;
use crate::source::{FileId, Span};
use crate::syntax::ast::Name;
use crate::syntax::cut;
use crate::syntax::lex::{self, ITEM, Kind, RESERVED, Token};
use crate::syntax::names::canonical;
use crate::syntax::text::Text;
use std::collections::BTreeMap;

/// A name as written, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub text: String,
    pub span: Span,
}

impl Written {
    /// The names it stands for.
    pub fn names(&self) -> Vec<Name> {
        expansions(&pieces_of(&self.text))
    }
}

/// A parameter or statement.
#[derive(Clone, Debug)]
pub struct Line {
    /// `static`, `input`, a statement's word, `equation`.
    pub word: &'static str,
    /// What it declares or defines.
    pub names: Vec<Written>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Sketch {
    pub keyword: &'static str,
    pub name: Option<Written>,
    /// From its first token to its last, documentation included.
    pub span: Span,
    /// From its keyword on.
    pub head: Span,
    /// Of what it is derived from, or applies: `cell B = A(…)`.
    pub base: Option<String>,
    /// Static parameters, inputs, statements, in order.
    pub lines: Vec<Line>,
    /// Blocks in braces, from `{` to `}`.
    pub blocks: Vec<Span>,
    pub docs: Vec<String>,
}

/// Words after which a statement that began earlier goes on.
const GOES_ON: [&str; 9] = ["where", "for", "over", "within", "per", "until", "from", "of", "with"];
/// Statements that may hold names of their own before `:` or `=`.
const DECLARES: [&str; 9] = ["in", "mem", "state", "param", "noise", "dim", "part", "out", "metric"];
const OTHERS: [&str; 8] = ["at", "loss", "generate", "data", "train", "set", "expect", "test"];

/// All items of a text.
pub fn sketch(file: FileId, text: &str) -> Vec<Sketch> {
    let text = Text::new(file, text);
    let tokens = lex::tokens(&text.text);
    let chunks = cut::cut(&text.text, &tokens);
    chunks.iter().filter_map(|chunk| one(&text, tokens.get(chunk.tokens.clone())?)).collect()
}

fn one(text: &Text<'_>, tokens: &[Token<'_>]) -> Option<Sketch> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let docs = tokens.iter().take_while(|t| t.kind == Kind::Doc);
    let docs: Vec<String> = docs.map(|t| t.text.trim_start_matches('#').trim().to_string()).collect();
    let code = tokens.get(docs.len()..).unwrap_or_default();
    let head = code.first()?;
    let keyword = ITEM.iter().find(|k| head.is(k)).copied().unwrap_or_default();
    let span = |a: &Token<'_>, b: &Token<'_>| text.span(a.start, b.end());
    let mut sketch = Sketch {
        keyword,
        name: None,
        span: span(first, last),
        head: span(head, last),
        base: None,
        lines: Vec::new(),
        blocks: Vec::new(),
        docs,
    };
    let written = |t: &Token<'_>| Written { text: t.text.to_string(), span: span(t, t) };
    if let Some(name) = code.get(1).filter(|t| t.kind == Kind::Word && keyword != "check" && keyword != "use")
    {
        sketch.name = Some(written(name));
    }
    let body = code.iter().position(|t| t.is("{")).unwrap_or(code.len());
    parameters(&mut sketch, code.get(..body).unwrap_or_default(), &span);
    if let Some(eq) = code.get(..body).unwrap_or_default().iter().position(|t| t.is("=")) {
        let after_parameters = depth_at(code, eq) == 0;
        let base = code.get(eq + 1).filter(|t| after_parameters && t.kind == Kind::Word);
        sketch.base = base.map(|t| t.text.to_string());
    }
    statements(&mut sketch, code, body, &span);
    Some(sketch)
}

fn depth_at(code: &[Token<'_>], at: usize) -> usize {
    code.iter().take(at).fold(0, |depth: usize, t| match t.kind {
        Kind::Open => depth + 1,
        Kind::Close => depth.saturating_sub(1),
        _ => depth,
    })
}

/// The groups in parentheses behind the name; the last one of a layer or function is that of its inputs.
fn parameters(sketch: &mut Sketch, header: &[Token<'_>], span: &dyn Fn(&Token<'_>, &Token<'_>) -> Span) {
    let mut groups: Vec<Vec<Line>> = Vec::new();
    let mut depth = 0usize;
    let mut expects = false;
    for (i, t) in header.iter().enumerate().skip(2) {
        match t.kind {
            Kind::Open => {
                depth += 1;
                if depth == 1 && t.is("(") {
                    let follows = i == 2 || header.get(i - 1).is_some_and(|before| before.is(")"));
                    if !follows {
                        break;
                    }
                    groups.push(Vec::new());
                    expects = true;
                }
            }
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Op if depth == 1 && t.is(",") => expects = true,
            // What stands behind the parameters is no parameter.
            Kind::Op if depth == 0 && t.is("=") => break,
            Kind::Word if depth == 1 && expects => {
                expects = false;
                let line = Line {
                    word: "static",
                    names: vec![Written { text: t.text.to_string(), span: span(t, t) }],
                    span: span(t, t),
                };
                if let Some(group) = groups.last_mut() {
                    group.push(line);
                }
            }
            _ => {}
        }
        // A parameter goes on to its comma.
        if depth >= 1
            && !t.is(",")
            && let Some(line) = groups.last_mut().and_then(|g| g.last_mut())
            && !expects
        {
            line.span = line.span.to(span(t, t));
        }
    }
    if matches!(sketch.keyword, "layer" | "fn")
        && let Some(inputs) = groups.last_mut()
    {
        inputs.iter_mut().for_each(|line| line.word = "input");
    }
    sketch.lines.extend(groups.into_iter().flatten());
}

fn statements(
    sketch: &mut Sketch,
    code: &[Token<'_>],
    body: usize,
    span: &dyn Fn(&Token<'_>, &Token<'_>) -> Span,
) {
    let mut opens: Vec<usize> = Vec::new();
    let mut starts: Vec<usize> = Vec::new();
    let mut end = code.len();
    for (i, t) in code.iter().enumerate().skip(body) {
        // A bracket that is never closed ends with its statement.
        if opens.len() > 1 && breaks_off(code, i) {
            opens.truncate(1);
        }
        match t.kind {
            Kind::Open => opens.push(i),
            Kind::Close => {
                let open = opens.pop().and_then(|open| code.get(open));
                if let Some(open) = open.filter(|open| open.is("{") && t.is("}")) {
                    sketch.blocks.push(span(open, t));
                }
                if opens.is_empty() {
                    end = end.min(i);
                }
            }
            Kind::Word if opens.len() == 1 && begins(code, i) => starts.push(i),
            _ => {}
        }
    }
    for (n, start) in starts.iter().enumerate() {
        let stop = starts.get(n + 1).copied().unwrap_or(end);
        let tokens = code.get(*start..stop).unwrap_or_default();
        let used = tokens.iter().rposition(|t| t.kind != Kind::Doc && !t.is(";") && !t.is("}"));
        let tokens = &tokens[..used.map_or(0, |u| u + 1)];
        sketch.lines.extend(statement(tokens, span));
    }
}

/// Whether what stands here can only be a statement, though a bracket before it is open: `x = …` or `state …` on a line of its
/// own, with no comma before it.
fn breaks_off(code: &[Token<'_>], i: usize) -> bool {
    let (Some(t), Some(before)) = (code.get(i), i.checked_sub(1).and_then(|b| code.get(b))) else {
        return false;
    };
    let next = code.get(i + 1);
    let equates = next.is_some_and(|n| n.is("=")) && !DECLARES.contains(&t.text);
    let declares = DECLARES.contains(&t.text) && next.is_some_and(|n| n.kind == Kind::Word);
    let listed = [",", "(", "[", "{", ";"].iter().any(|p| before.is(p));
    t.kind == Kind::Word && t.first_on_line && !listed && (equates || declares)
}

/// Whether a word begins a statement.
fn begins(code: &[Token<'_>], i: usize) -> bool {
    let (Some(t), Some(before)) = (code.get(i), i.checked_sub(1).and_then(|b| code.get(b))) else {
        return false;
    };
    let is_word = !RESERVED.contains(&t.text) || t.is("in");
    let goes_on = GOES_ON.contains(&t.text);
    let ended =
        before.ends_operand() || before.kind == Kind::Doc || ["{", "}", ";"].iter().any(|p| before.is(p));
    let ended = ended || breaks_off(code, i);
    is_word && !goes_on && ended && (t.first_on_line || before.is(";") || before.is("{"))
}

fn statement(tokens: &[Token<'_>], span: &dyn Fn(&Token<'_>, &Token<'_>) -> Span) -> Option<Line> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let known = DECLARES.iter().chain(&OTHERS).find(|w| first.is(w)).copied();
    // `out = …` would be an equation, if it were allowed.
    let word = known.filter(|_| tokens.get(1).is_none_or(|t| !t.is("="))).unwrap_or("equation");
    let mut names = Vec::new();
    if word == "equation" || DECLARES.contains(&word) {
        let mut depth = 0usize;
        let mut expects = true;
        for t in tokens.iter().skip(usize::from(word != "equation")) {
            match t.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::Op if depth == 0 && word != "dim" && (t.is("=") || t.is(":") || t.is("~")) => break,
                Kind::Op if depth == 0 && t.is(",") => expects = true,
                Kind::Word if depth == 0 && expects => {
                    expects = false;
                    names.push(Written { text: t.text.to_string(), span: span(t, t) });
                }
                _ => {}
            }
        }
        // `out h` offers a value and `metric f(y)` names nothing.
        let has_eq = tokens.iter().any(|t| t.is("="));
        if matches!(word, "metric") && !has_eq {
            names.clear();
        }
    }
    Some(Line { word, names, span: span(first, last) })
}

/// Adds the names of what could not be read, as far as tokens tell what they mean.
pub fn add_unread(view: &View, file: FileId, index: &mut Index) {
    let original = view.text(file);
    let read: Vec<Span> = view.library.items(file).map(|item| item.span).collect();
    let touches = |span: Span| read.iter().any(|r| r.start < span.end && span.start < r.end);
    let unread: Vec<Sketch> = sketch(file, original).into_iter().filter(|s| !touches(s.head)).collect();
    if unread.is_empty() {
        return;
    }
    let text = Text::new(file, original);
    let tokens = lex::tokens(&text.text);
    for item in unread {
        let owner = Owner { file, start: item.head.start };
        let declared = declared(&item, owner, index);
        let own = own_names(&item);
        let base = item.base.as_ref().and_then(|base| view.library.lookup(file, &canonical(base)));
        let base = base.map(|id| view.members(id));
        for token in tokens.iter().filter(|t| t.kind == Kind::Word) {
            let span = text.span(token.start, token.end());
            if span.start < item.head.start || span.end > item.head.end || RESERVED.contains(&token.text) {
                continue;
            }
            let pieces = pieces_of(token.text);
            let (role, statement) = match declared.get(&span) {
                Some((role, at)) => (*role, Some(*at)),
                None => (Role::Reads, None),
            };
            let names = expansions(&pieces);
            let means = names.iter().map(|name| meaning(view, owner, &own, base.as_deref(), name));
            let means: Vec<Option<Symbol>> = means.collect();
            if means.iter().any(Option::is_some) {
                let suffix = String::new();
                index.occurrences.push(Occurrence { span, pieces, means, suffix, role, statement });
            }
        }
    }
}

/// Where a sketched item declares names, and in which statement.
fn declared(item: &Sketch, owner: Owner, index: &mut Index) -> BTreeMap<Span, (Role, usize)> {
    let mut out = BTreeMap::new();
    if let Some(name) = &item.name {
        let span = Span { file: owner.file, ..name.span };
        index.statements.push(Statement { span, docs: item.docs.clone(), word: item.keyword });
        out.insert(name.span, (Role::Declares, index.statements.len() - 1));
    }
    for line in item.lines.iter().filter(|l| !matches!(l.word, "out" | "metric")) {
        index.statements.push(Statement { span: line.span, docs: Vec::new(), word: line.word });
        let role = if line.word == "equation" { Role::Equates } else { Role::Declares };
        out.extend(line.names.iter().map(|n| (n.span, (role, index.statements.len() - 1))));
    }
    out
}

/// The names that a sketched item declares, each in its space.
fn own_names(item: &Sketch) -> BTreeMap<Name, Space> {
    let mut out = BTreeMap::new();
    for line in item.lines.iter() {
        let space = match line.word {
            "static" => Space::Static,
            "dim" => Space::Dim,
            _ => Space::Value,
        };
        for name in line.names.iter().flat_map(Written::names) {
            out.entry(name).or_insert(space.clone());
        }
    }
    for name in item.name.iter().flat_map(Written::names) {
        out.entry(name).or_insert(Space::Item);
    }
    out
}

fn meaning(
    view: &View,
    owner: Owner,
    own: &BTreeMap<Name, Space>,
    base: Option<&Members>,
    name: &Name,
) -> Option<Symbol> {
    if let Some(space) = own.get(name) {
        return Some(Symbol::new(owner, space.clone(), name));
    }
    if let Some(id) = view.library.lookup(owner.file, name) {
        return Some(Symbol::new(Owner::of(view.library.item(id)), Space::Item, name));
    }
    let builtin = || super::builtins::function(name).map(|f| Symbol::builtin(&f.name.into()));
    base.and_then(|base| base.find(name, false)).or_else(builtin)
}
