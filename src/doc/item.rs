//! The page of an item: what it is, what it takes and has, its equations, what it changes, what flows where, its
//! gradient, its tests.

use super::equations;
use super::gradient;
use super::highlight::{Meaning, highlight};
use super::markdown::markdown;
use super::recipe::{self, Built};
use super::site::{Entry, Site, Unread};
use super::{frame, tables};
use crate::dataflow::{self, braces};
use crate::diag::Diagnostic;
use crate::grad::print::{adjoint_cell, reading};
use crate::grad::{self};
use crate::resolve::inherit::text_of;
use crate::resolve::text::{self, Text};
use crate::source::Span;
use crate::syntax::ast::{CellDef, Item, ItemKind};
use crate::syntax::names;
use crate::syntax::print::{Style, print_item};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// `cell`, `layer`, `model`, `function`.
pub fn kind(item: &Item) -> &'static str {
    match item.kind {
        ItemKind::Cell(_) => "cell",
        ItemKind::Layer(_) => "layer",
        ItemKind::Model(_) => "model",
        ItemKind::Fn(_) => "function",
        _ => "item",
    }
}

/// A page of the site.
pub fn linked(title: &str, body: Markup) -> String {
    let head = html! {
        link rel="stylesheet" href="style.css";
        script src="names.js" defer {}
    };
    frame::page(title, head, body)
}

/// The way back, and the search.
pub fn top(site: &Site, path: &[(&str, &str)]) -> Markup {
    html! {
        header class="top" {
            nav aria-label="Path" {
                a class="home" href="index.html" { (site.input.title) }
                @for (name, url) in path { " / " a href=(url) { (name) } }
            }
            form action="index.html" role="search" {
                input name="q" type="search" placeholder="Search" aria-label="Search";
            }
        }
    }
}

pub fn unread_page(site: &Site, unread: &Unread) -> String {
    let source = &site.files[unread.file];
    let file = source.id;
    let mistakes =
        site.input.mistakes.iter().filter(|d| d.labels.first().is_some_and(|l| l.span.file == file));
    let body = html! {
        (top(site, &[(&source.path, &source.url)]))
        main {
            h1 { code { (unread.name) } }
            p class="wrong" { "This item cannot be read, so there is nothing to show of it." }
            (messages(site, mistakes))
        }
    };
    linked(&unread.name, body)
}

pub fn page(site: &Site, i: usize) -> String {
    let entry = &site.entries[i];
    let (library, sources) = (site.input.library, site.input.sources);
    let source = &site.files[entry.file];
    let (text, _) = text_of(library, entry.id);
    let mistakes: Vec<&Diagnostic> = site.mistakes(entry.item).collect();
    let is_good = mistakes.is_empty();
    let built = match is_good {
        true => recipe::build(library, entry.id, source.id),
        false => Err(Vec::new()),
    };
    let graph = built.as_ref().ok().map(|b| &b.graph);
    let line = site.line(entry.item.span);
    let body = html! {
        (top(site, &[(&source.path, &source.url)]))
        main {
            h1 { code { (entry.name) } " " span class="kind" { (kind(entry.item)) } }
            (markdown(&entry.item.docs))
            @if !mistakes.is_empty() {
                p class="wrong" { "This item has mistakes." }
                (messages(site, mistakes.into_iter()))
            }
            pre class="signature" { code { (code(site, entry, &text, &signature(site, entry.item))) } }
            p class="pale" { a href={ (source.url) "#L" (line) } { (source.path) ", line " (line) } }
            (tables::statics(entry.item, sources))
            (equations::section(site, entry, &text))
            (changes(site, entry, &text))
            (tables::declarations(entry.item, &text, graph, sources))
            @match &built {
                Ok(built) => (of_graph(built)),
                Err(why) if is_good => {
                    h2 id="graph" { "As it is computed" }
                    p { "This item cannot be built by itself, so nothing is derived from it here." }
                    @if why.is_empty() {
                        p { "What it takes has no default; a line " code { "check grad " (entry.name) "(…)" } " in its file says with what." }
                    }
                    (messages(site, why.iter()))
                }
                Err(_) => "",
            }
            (about(site, i, &text))
            (links(site, i))
            h2 id="source" { "Source" }
            pre { code { (code(site, entry, &text, sources.text(entry.item.span))) } }
        }
    };
    linked(&entry.name, body)
}

/// The text before the body.
fn signature(site: &Site, item: &Item) -> String {
    let text = |span: Span| site.input.sources.text(span);
    let end = match &item.kind {
        ItemKind::Cell(c) => match &c.def {
            CellDef::Body(body) => body.span.map(|s| s.start),
            CellDef::Derived { base, .. } => Some(base.span.end),
        },
        ItemKind::Layer(l) => start_of(&l.def),
        ItemKind::Fn(f) => start_of(&f.def),
        ItemKind::Model(m) => m.body.span.map(|s| s.start),
        _ => None,
    };
    let start = crate::resolve::item_span(item).start;
    // The keyword stands before the name.
    let whole = text(Span { start: item.span.start, end: end.unwrap_or(item.span.end), ..item.span });
    let before = text(Span { start: item.span.start, end: start, ..item.span });
    let keyword = before.rfind('\n').map_or(0, |at| at + 1);
    whole.get(keyword..).unwrap_or(whole).trim().trim_end_matches('=').trim_end().to_string()
}

fn start_of(def: &crate::syntax::ast::ExprOrBody) -> Option<u32> {
    use crate::syntax::ast::ExprOrBody;
    match def {
        ExprOrBody::Expr(e) => Some(e.span.start),
        ExprOrBody::Body(b) => b.span.map(|s| s.start),
    }
}

/// Source text with links; names of the item's own values are marked together with formulas.
pub fn code(site: &Site, entry: &Entry, text: &Text, source: &str) -> Markup {
    let own: BTreeSet<&str> = text.names().map(|n| &**n).collect();
    let statics = crate::resolve::item_statics(entry.item).iter().map(|s| &*s.name.name);
    let local: BTreeSet<&str> = own.iter().copied().chain(statics).collect();
    highlight(source, &|word| {
        let name = names::canonical(word);
        if own.contains(&*name) {
            return Meaning::Value(name);
        }
        if local.contains(&*name) || name == entry.name {
            return Meaning::Plain;
        }
        match site.leads_to(entry.file, word) {
            Some(to) => Meaning::Link(site.entries[to].url.clone()),
            None => Meaning::Plain,
        }
    })
}

/// What a variant changes of its base.
fn changes(site: &Site, entry: &Entry, text: &Text) -> Markup {
    let Some((base, id)) = tables::base(entry.item, site.input.library) else { return html! {} };
    let name = crate::resolve::item_name(site.input.library.item(id)).map_or("", |n| &*n.name);
    let shown = match site.leads_to(entry.file, name) {
        Some(to) => html! { a href=(site.entries[to].url) { code { (name) } } },
        None => html! { code { (name) } },
    };
    let layer = text.layers.len().saturating_sub(1);
    let is_new = |e: &&text::Entry| {
        let equated = e.equated.as_ref().is_some_and(|q| q.layer == layer);
        equated || e.declared.as_ref().is_some_and(|d| d.layer == layer)
    };
    let changed: Vec<_> = text.entries.iter().filter(is_new).collect();
    html! {
        h2 id="changes" { "What it changes" }
        p { "A variant of " (shown) @if changed.is_empty() { ", with other values of its options." } @else { "." } }
        @for group in together(&changed) {
            @let e = group[0];
            @let names = braces(group.iter().map(|e| e.name.to_string()).collect()).join(", ");
            div class="change" {
                div {
                    @if let Some(old) = base.get(&e.name) {
                        (equations::entry(site, site.input.library.item(id), old, &names, &base))
                    } @else {
                        span class="pale" { "new" }
                    }
                }
                div { (equations::entry(site, entry.item, e, &names, text)) }
            }
        }
    }
}

/// Declarations without an equation that were written as one are shown as one.
fn together<'e, 't>(changed: &[&'e text::Entry<'t>]) -> Vec<Vec<&'e text::Entry<'t>>> {
    let place = |e: &text::Entry| {
        let declared = e.declared.as_ref().filter(|_| e.equated.is_none())?;
        Some((declared.ty.map(|t| t.span)?, declared.layer))
    };
    let mut groups: Vec<Vec<&text::Entry>> = Vec::new();
    for e in changed {
        match groups.last_mut() {
            Some(last) if place(e).is_some() && place(last[0]) == place(e) => last.push(e),
            _ => groups.push(vec![*e]),
        }
    }
    groups
}

/// What is derived: costs, dataflow, gradient.
fn of_graph(built: &Built) -> Markup {
    let options = grad::Options::default();
    let flow = dataflow::of(&built.graph);
    let gradient = reading::adjoint(&built.graph, &options);
    html! {
        h2 id="flow" { "What flows where" }
        p class="pale" { "Of " code { (built.recipe) } ", as it is computed." }
        (gradient::picture(&flow, "flow-picture"))
        @match &gradient {
            Ok(reading) => {
                h2 id="cost" { "Cost" }
                (gradient::costs(reading))
                h2 id="gradient" { "Gradient" }
                details {
                    summary { "The derived equations of " code { (built.recipe) } ", beside those they come from" }
                    p { (gradient::legend(reading)) }
                    (gradient::pairs(reading))
                    (gradient::texts(reading, &adjoint_text(built, reading, &options)))
                }
            }
            Err(why) => {
                h2 id="gradient" { "Gradient" }
                @for d in why { p { (d.message) "." } }
            }
        }
    }
}

fn adjoint_text(built: &Built, reading: &reading::Reading, options: &grad::Options) -> String {
    match adjoint_cell(&built.graph, options) {
        Ok(item) => print_item(&item, Style::UNICODE),
        Err(_) => reading.text(Style::UNICODE),
    }
}

/// Tests, checks, weight layouts.
fn about(site: &Site, i: usize, text: &Text) -> Markup {
    let entry = &site.entries[i];
    let about = site.about(i);
    html! {
        @if !about.is_empty() {
            h2 id="tests" { "Tests" }
            @for item in about {
                details {
                    summary {
                        @match &item.kind {
                            ItemKind::Test(test) => (test.title),
                            ItemKind::Check(check) => {
                                "Gradient checked: " code { (site.input.sources.text(check.recipe.span)) }
                            }
                            ItemKind::Layout(layout) => { "Weights of " (layout.name.name) }
                            _ => "",
                        }
                    }
                    pre { code { (code(site, entry, text, site.input.sources.text(item.span))) } }
                }
            }
        }
    }
}

fn links(site: &Site, i: usize) -> Markup {
    let list = |title: &str, id: &str, all: Vec<usize>| {
        html! {
            @if !all.is_empty() {
                h2 id=(id) { (title) }
                p {
                    @for (k, j) in all.iter().enumerate() {
                        @if k > 0 { ", " }
                        a href=(site.entries[*j].url) { code { (site.entries[*j].name) } }
                    }
                }
            }
        }
    };
    html! {
        (list("Uses", "uses", site.uses[i].iter().copied().collect()))
        (list("Used by", "used-by", site.used_by(i).collect()))
    }
}

fn messages<'d>(site: &Site, all: impl Iterator<Item = &'d Diagnostic>) -> Markup {
    html! {
        ul class="messages" {
            @for d in all {
                li {
                    strong { (d.code) } " " (d.message)
                    @if let Some(label) = d.labels.first() {
                        @if let Some(f) = site.files.iter().find(|f| f.id == label.span.file) {
                            " (" a href={ (f.url) "#L" (site.line(label.span)) } { "line " (site.line(label.span)) } ")"
                        }
                    }
                    @if let Some(help) = &d.help { br; span class="pale" { (help) } }
                }
            }
        }
    }
}
