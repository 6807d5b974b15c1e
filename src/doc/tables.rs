//! What an item takes and has, in tables: static parameters, inputs, states, parameters, with shapes and counts.

use super::formula::{self, grouped};
use super::markdown::markdown;
use crate::dataflow::braces;
use crate::eqn::{Graph, SourceKind};
use crate::resolve::inherit;
use crate::resolve::text::{Declared, Kind, Text};
use crate::resolve::{self, Library};
use crate::shape::{Bindings, Dim};
use crate::source::{Sources, Span};
use crate::syntax::ast::{Expr, ExprKind, Item, ItemKind, Static};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Every dimension of an example.
const EXAMPLE: i64 = 128;

pub fn statics(item: &Item, sources: &Sources) -> Markup {
    let statics = resolve::item_statics(item);
    html! {
        @if !statics.is_empty() {
            h2 id="statics" { "Static parameters" }
            div class="wide" {
                table {
                    thead { tr { th scope="col" { "name" } th scope="col" { "is" } th scope="col" { "default" } } }
                    tbody { @for s in statics { (one_static(s, sources)) } }
                }
            }
        }
    }
}

fn one_static(s: &Static, sources: &Sources) -> Markup {
    let kind: Vec<&str> = s.kind.iter().map(|k| &*k.name).collect();
    let what = match (kind.as_slice(), &s.over_set) {
        (_, Some(set)) => format!("a number for each of {}", set.name),
        ([], _) if s.default.as_ref().is_some_and(|e| !is_hole(e)) => "a number".into(),
        ([], _) => "a dimension".into(),
        (["real"], _) => "a real number".into(),
        (["bool"], _) => "true or false".into(),
        (["cell"], _) => "a cell".into(),
        (["fn"], _) => "a function".into(),
        ([word], _) => (*word).to_string(),
        (words, _) => format!("one of {}", words.join(", ")),
    };
    html! {
        tr {
            td { code { (s.name.name) } }
            td { (what) }
            td { @match &s.default {
                Some(e) if is_hole(e) => span class="pale" { "from the data" },
                Some(e) => code { (sources.text(e.span)) },
                None => span class="pale" { "none" },
            } }
        }
    }
}

fn is_hole(e: &Expr) -> bool {
    matches!(e.kind, ExprKind::Hole)
}

/// What the author says of them, below them.
fn said(group: &Group) -> Markup {
    html! { @if !group.declared.docs.is_empty() { div class="said" { (markdown(group.declared.docs)) } } }
}

/// Declarations of one kind that were written together.
struct Group<'a> {
    names: Vec<String>,
    declared: Declared<'a>,
}

pub fn declarations(item: &Item, text: &Text, graph: Option<&Graph>, sources: &Sources) -> Markup {
    // What a model is given says itself whether there is one for each position.
    let is_model = matches!(item.kind, ItemKind::Model(_));
    html! {
        (inputs(text, sources))
        @for (kind, id, title) in [
            (Kind::In, "inputs", if is_model { "Inputs" } else { "Inputs at each point" }),
            (Kind::Mem, "memories", "Inputs that are the same at every point"),
            (Kind::State, "states", "States"),
            (Kind::Noise, "noise", "Noise"),
            (Kind::Part, "parts", "Parts"),
        ] {
            (table(&groups(text, kind), kind, id, title, sources))
        }
        (params(&groups(text, Kind::Param), graph, sources))
    }
}

fn inputs(text: &Text, sources: &Sources) -> Markup {
    html! {
        @if !text.inputs.is_empty() {
            h2 id="arguments" { "Inputs" }
            div class="wide" {
                table {
                    thead { tr { th scope="col" { "name" } th scope="col" { "type" } th scope="col" { "default" } } }
                    tbody {
                        @for input in text.inputs {
                            tr {
                                td { code { (input.name.name) } }
                                td {
                                    @match (&input.ty, input.kind.as_slice()) {
                                        (Some(ty), _) => code { (sources.text(ty.span)) },
                                        (None, []) => span class="pale" { "any" },
                                        (None, kind) => (kind.iter().map(|k| &*k.name).collect::<Vec<_>>().join(", ")),
                                    }
                                }
                                td { @if let Some(e) = &input.default { code { (sources.text(e.span)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn groups<'a>(text: &Text<'a>, kind: Kind) -> Vec<Group<'a>> {
    let mut all: Vec<Group> = Vec::new();
    let place = |d: &Declared| (d.ty.map(|t| t.span), d.recipe.map(|r| r.span), d.layer);
    for entry in text.declared(kind) {
        let Some(declared) = &entry.declared else { continue };
        let name = entry.name.to_string();
        match all.last_mut() {
            Some(last)
                if place(&last.declared) == place(declared) && same_index(&last.declared, declared) =>
            {
                last.names.push(name);
            }
            _ => all.push(Group { names: vec![name], declared: declared.clone() }),
        }
    }
    all
}

fn same_index(a: &Declared, b: &Declared) -> bool {
    a.index.len() == b.index.len() && a.index.is_empty()
}

/// The names of a group, families in braces, with the sets of their indices.
fn names(group: &Group, sources: &Sources) -> Markup {
    let index: Vec<&str> = group.declared.index.iter().map(|i| sources.text(index_span(i))).collect();
    let names = braces(group.names.clone());
    html! {
        @for (i, name) in names.iter().enumerate() {
            @if i > 0 { ", " }
            code data-n=[(names.len() == group.names.len()).then_some(name)] { (name) }
        }
        @if !index.is_empty() { code { "[" (index.join(", ")) "]" } }
    }
}

fn index_span(index: &crate::syntax::ast::TargetIndex) -> Span {
    use crate::syntax::ast::TargetIndex;
    match index {
        TargetIndex::Binder(b) => b.span,
        TargetIndex::Expr(e) => e.span,
    }
}

fn given(d: &Declared, sources: &Sources) -> Markup {
    html! {
        @if let Some(recipe) = d.recipe { code { (sources.text(recipe.span)) } }
        @if let Some(value) = d.value { code { "= " (sources.text(value.span)) } }
        @if let Some(dist) = d.dist { code { "~ " (sources.text(dist.span)) } }
        @if let Some(set) = d.within { " " code { "within " (sources.text(set.span)) } }
        @if let Some(per) = d.per { " per " (per.name) }
    }
}

fn table(groups: &[Group], kind: Kind, id: &str, title: &str, sources: &Sources) -> Markup {
    let last = match kind {
        Kind::State => "before the first point",
        Kind::Noise => "drawn from",
        Kind::Part => "is",
        _ => "",
    };
    let has_type = kind != Kind::Part;
    html! {
        @if !groups.is_empty() {
            h2 id=(id) { (title) }
            div class="wide" {
                table {
                    thead {
                        tr {
                            th scope="col" { "name" }
                            @if has_type { th scope="col" { "shape" } }
                            @if !last.is_empty() { th scope="col" { (last) } }
                        }
                    }
                    tbody {
                        @for group in groups {
                            tr {
                                td { (names(group, sources)) (said(group)) }
                                @if has_type { td { (shape(&group.declared, sources)) } }
                                @if !last.is_empty() { td { (given(&group.declared, sources)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn shape(d: &Declared, sources: &Sources) -> Markup {
    html! {
        @if let Some(ty) = d.ty { code { (sources.text(ty.span)) } }
        @if !d.over.is_empty() { " over " (d.over.iter().map(|o| &*o.name).collect::<Vec<_>>().join(", ")) }
    }
}

fn params(groups: &[Group], graph: Option<&Graph>, sources: &Sources) -> Markup {
    let counts = graph.map(counts).unwrap_or_default();
    let own = |group: &Group| {
        group
            .names
            .iter()
            .filter_map(|n| counts.get(n.as_str()))
            .try_fold(Dim::default(), |a, d| a.add(d).ok())
    };
    let total = counts.values().try_fold(Dim::default(), |a, d| a.add(d).ok());
    let inner = counts.keys().any(|name| name.contains('.'));
    let is_there = |group: &Group| group.names.iter().any(|n| counts.contains_key(n.as_str()));
    html! {
        @if !groups.is_empty() || inner {
            h2 id="parameters" { "Parameters" }
            @if !groups.is_empty() {
                div class="wide" {
                    table {
                        thead {
                            tr {
                                th scope="col" { "name" }
                                th scope="col" { "shape" }
                                th scope="col" { "begins as" }
                                @if graph.is_some() { th scope="col" { "numbers" } }
                            }
                        }
                        tbody {
                            @for group in groups {
                                tr {
                                    td { (names(group, sources)) (said(group)) }
                                    td { (shape(&group.declared, sources)) }
                                    td { (given(&group.declared, sources)) }
                                    @if graph.is_some() {
                                        td {
                                            @match own(group) {
                                                Some(d) if is_there(group) => { (formula::dim(&d)) (missing(group, &counts)) }
                                                _ => span class="pale" { "not there with these options" },
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(total) = total.filter(|_| graph.is_some()) { p { (sum(&total, inner)) } }
        }
    }
}

/// Names of a group that nothing reads, so that they are not there.
fn missing(group: &Group, counts: &BTreeMap<&str, Dim>) -> Markup {
    let gone = group.names.iter().filter(|n| !counts.contains_key(n.as_str())).cloned();
    let gone = braces(gone.collect());
    html! {
        @if !gone.is_empty() {
            " " span class="pale" { "without " @for (i, n) in gone.iter().enumerate() { @if i > 0 { ", " } code { (n) } } }
        }
    }
}

/// The total as a formula, and for an example.
fn sum(total: &Dim, inner: bool) -> Markup {
    let mut symbols = Vec::new();
    total.symbols(&mut symbols);
    let sizes: Bindings = symbols.into_iter().map(|s| (s, EXAMPLE)).collect();
    let example = total.eval(&sizes).ok().filter(|_| !sizes.is_empty());
    // Those that are left open; the others are numbers already.
    let open = sizes.keys().map(|s| s.to_string()).collect::<Vec<_>>().join(" = ");
    html! {
        "In all " (formula::dim(total)) " numbers"
        @if inner { ", those of inner cells among them" }
        @if let Some(n) = example { "; " (grouped(n.unsigned_abs())) " with " (open) " = " (EXAMPLE) }
        "."
    }
}

/// How many numbers each parameter has.
pub fn counts(graph: &Graph) -> BTreeMap<&str, Dim> {
    let params = graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_)));
    let counted = params.filter_map(|s| {
        let size = s.shape.iter().try_fold(Dim::constant(1), |all, d| all.mul(d).ok())?;
        Some((&*s.name, size))
    });
    counted.collect()
}

/// What a derived cell changes: the equation it had, and the one it has.
pub fn base<'a>(item: &'a Item, library: &'a Library) -> Option<(Text<'a>, resolve::ItemId)> {
    let ItemKind::Cell(cell) = &item.kind else { return None };
    let crate::syntax::ast::CellDef::Derived { base, .. } = &cell.def else { return None };
    let id = library.lookup(base.span.file, &super::recipe::callee(base)?)?;
    Some((inherit::text_of(library, id).0, id))
}
