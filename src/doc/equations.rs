//! The equations of an item as its author wrote them, typeset.

use super::formula::{self, formula};
use super::site::{Entry, Site};
use super::tables;
use crate::resolve::Library;
use crate::resolve::text::{self, Kind, SideKey, Text};
use crate::syntax::ast::*;
use crate::syntax::visit;
use crate::typeset::{Formula, Notation};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Cells that are derived from each other in a circle have been refused; here it is not followed for ever.
const MAX_LAYERS: usize = 64;

pub fn section(site: &Site, entry: &Entry, text: &Text) -> Markup {
    let notation = notation(entry.item, text);
    let places = places(entry.item, text, site.input.library, MAX_LAYERS);
    let mut entries: Vec<&text::Entry> = text.entries.iter().collect();
    entries.sort_by_key(|e| places.get(&e.name).copied().unwrap_or((usize::MAX, 0)));
    let lines: Vec<Formula> = entries.into_iter().flat_map(|e| formulas(e, &notation)).collect();
    let results = results(entry.item, text, &notation);
    html! {
        @if !lines.is_empty() || !results.is_empty() || text.result.is_some() {
            h2 id="equations" { "Equations" }
            div class="equations" {
                @for line in &lines { div class="equation" { (formula(line)) } }
                @if let Some(e) = text.result {
                    div class="equation" { div class="formula" { span class="right" { (formula::lines(&notation.expr(e))) } } }
                }
                (sides(text, &notation))
                @for (label, math) in results {
                    div class="equation" { div class="formula" { span class="left pale" { (label) } span class="right" { (math) } } }
                }
            }
            (dims(text, &notation))
        }
        @if lines.is_empty() && text.entries.is_empty() && text.result.is_none() && text.baseless {
            p class="wrong" { "Its base is not known in " (site.files[entry.file].path) "." }
        }
    }
}

/// Where the equation of each name stands on the page; an override stands where it stands in the base.
fn places(item: &Item, text: &Text, library: &Library, most: usize) -> BTreeMap<Name, (usize, u32)> {
    let mut places = match tables::base(item, library) {
        Some((base, id)) if most > 0 => self::places(library.item(id), &base, library, most - 1),
        _ => BTreeMap::new(),
    };
    for e in &text.entries {
        if let Some(q) = &e.equated {
            places.entry(e.name.clone()).or_insert((q.layer, q.span.start));
        }
    }
    places
}

/// One entry with its equation, or of several names that were declared together the declaration.
pub fn entry(site: &Site, item: &Item, entry: &text::Entry, names: &str, text: &Text) -> Markup {
    let notation = notation(item, text);
    let lines: Vec<Formula> = formulas(entry, &notation).collect();
    html! {
        @for line in &lines { (formula(line)) }
        @if lines.is_empty() && let Some(d) = &entry.declared {
            code {
                (d.kind.word()) " " (names)
                @if let Some(ty) = d.ty { " : " (site.input.sources.text(ty.span)) }
                @if let Some(value) = d.value { " = " (site.input.sources.text(value.span)) }
                @if let Some(dist) = d.dist { " ~ " (site.input.sources.text(dist.span)) }
            }
        }
    }
}

/// The formula of an entry's own word; of several targets the first stands for all.
fn formulas(entry: &text::Entry, notation: &Notation) -> impl Iterator<Item = Formula> {
    let equated = entry.equated.as_ref().filter(|q| q.target == 0);
    equated.map(|q| notation.member(q.equation, q.brace.map_or(0, |b| b.0))).into_iter()
}

fn chains(text: &Text) -> BTreeSet<String> {
    match text.over {
        None => ["t".to_string()].into(),
        Some(over) if over.kind == OverKind::Chain => {
            over.axes.iter().map(|a| a.name.name.to_string()).collect()
        }
        Some(_) => BTreeSet::new(),
    }
}

/// Values of a cell over one chain have its variable below them.
fn notation(item: &Item, text: &Text) -> Notation {
    let chains = chains(text);
    let mut over = BTreeMap::new();
    if let (ItemKind::Cell(_), Some(variable)) = (&item.kind, chains.first())
        && chains.len() == 1
        && is_recurrent(text)
    {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for e in &text.entries {
            let given = e.declared.as_ref().is_some_and(|d| {
                matches!(d.kind, Kind::In | Kind::State | Kind::Noise | Kind::Part) && d.index.is_empty()
            });
            if given {
                known.insert(&e.name);
            }
        }
        // What reads a value of a point has one for each point.
        loop {
            let reads = |e: &&text::Entry| {
                e.equated.as_ref().is_some_and(|q| {
                    q.index().is_empty() && mentions(&q.equation.value, &known, q.brace.map_or(0, |b| b.0))
                })
            };
            let is_known = |e: &&text::Entry| known.contains(&*e.name);
            let more: Vec<&str> =
                text.entries.iter().filter(|e| !is_known(e) && reads(e)).map(|e| &*e.name).collect();
            if more.is_empty() {
                break;
            }
            known.extend(more);
        }
        over.extend(known.into_iter().map(|name| (name.to_string(), variable.clone())));
    }
    Notation { over, chains, ..Notation::default() }
}

/// A cell without a state maps over any domain, so its values have no place.
fn is_recurrent(text: &Text) -> bool {
    text.declared(Kind::State).next().is_some()
}

fn mentions(e: &Expr, known: &BTreeSet<&str>, word: usize) -> bool {
    let mut found = match &e.kind {
        ExprKind::Name(p) => known.contains(&*text::pick(p, word)),
        ExprKind::Field { base, .. } => mentions(base, known, word),
        _ => false,
    };
    visit::children(e, &mut |child| found = found || mentions(child, known, word));
    found
}

/// Equations at the sides of the domain.
fn sides(text: &Text, notation: &Notation) -> Markup {
    html! {
        @for ((side, _), all) in &text.sides {
            @for q in all.iter().filter(|q| q.target == 0) {
                div class="equation side" {
                    span class="pale" {
                        @match side {
                            SideKey::Leaf => "at a leaf",
                            SideKey::Before(axis) => { "at " (axis) " = 0" }
                        }
                    }
                    (formula(&notation.member(q.equation, q.brace.map_or(0, |b| b.0))))
                }
            }
        }
    }
}

/// Outputs that are more than a name, losses and metrics.
fn results(item: &Item, text: &Text, notation: &Notation) -> Vec<(String, Markup)> {
    let mut all = Vec::new();
    for (_, out) in &text.outs {
        let is_name = matches!(out.value.kind, ExprKind::Name(_)) && out.name.is_none();
        if is_name && matches!(item.kind, ItemKind::Cell(_)) {
            continue;
        }
        let label = match &out.name {
            Some(name) => format!("out {} =", name.written),
            None => "out".into(),
        };
        let value = formula::lines(&notation.expr(&out.value));
        let shown = match &out.for_ {
            Some((axis, at)) => html! {
                (value) " for " (formula::math(&notation.name(&axis.name))) " = " (formula::math(&notation.expr(at)))
            },
            None => value,
        };
        all.push((label, shown));
    }
    for stmt in &text.blocks {
        match &stmt.kind {
            StmtKind::Loss { value, .. } => all.push(("loss".into(), formula::lines(&notation.expr(value)))),
            StmtKind::Metric { name, value, .. } => {
                let label = name.as_ref().map_or("metric".to_string(), |n| format!("metric {} =", n.name));
                all.push((label, formula::lines(&notation.expr(value))));
            }
            _ => {}
        }
    }
    all
}

fn dims(text: &Text, notation: &Notation) -> Markup {
    html! {
        @if !text.dims.is_empty() {
            p class="pale" {
                "where "
                @for (i, (name, (_, setting))) in text.dims.iter().enumerate() {
                    @if i > 0 { ", " }
                    (formula::math(&notation.name(name))) " = " (formula::math(&notation.expr(&setting.value)))
                }
            }
        }
    }
}
