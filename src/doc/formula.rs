//! Equations and amounts as pieces of a page.

use crate::eqn::flops::{Count, Flops, Work};
use crate::grad::print::reading::Entry;
use crate::shape::Dim;
use crate::typeset::{Formula, Math, Notation, dims, mathml};
use maud::{Markup, PreEscaped, html};

/// One formula: its left side in one column, the pieces of its right side beside each other where there is room.
pub fn formula(formula: &Formula) -> Markup {
    let mut pieces = mathml::pieces(formula).into_iter();
    html! {
        div class="formula" {
            span class="left" { @if let Some(left) = pieces.next() { (PreEscaped(left)) } }
            span class="right" { @for piece in pieces { (PreEscaped(piece)) } }
        }
    }
}

/// An equation with what it costs.
pub fn entry(entry: &Entry, notation: &Notation, point: &str) -> Markup {
    html! {
        div class="equation" {
            @for one in notation.equation(&entry.equation) { (formula(&one)) }
            @if let Some(cost) = cost(&entry.flops, point) { span class="cost" { (cost) } }
        }
    }
}

pub fn math(math: &Math) -> Markup {
    PreEscaped(mathml::inline(math))
}

pub fn dim(d: &Dim) -> Markup {
    math(&dims::dim(d))
}

/// A number of operations.
pub fn count(count: &Count) -> Markup {
    match count {
        Some(d) => dim(d),
        None => html! { "too large to write" },
    }
}

/// `6H flops, 2H functions`; nothing if it is free.
fn cost(flops: &Flops, point: &str) -> Option<Markup> {
    let each = work(&flops.each);
    let once = work(&flops.once);
    if each.is_none() && once.is_none() {
        return None;
    }
    Some(html! {
        @if let Some(each) = each { (each) @if !point.is_empty() { " a " (point) } @if once.is_some() { ", " } }
        @if let Some(once) = once { (once) @if !point.is_empty() { " once" } }
    })
}

pub fn work(work: &Work) -> Option<Markup> {
    if work.is_zero() {
        return None;
    }
    let is_some = |c: &Count| c.as_ref().is_none_or(|d| d.as_constant() != Some(0));
    let (arithmetic, functions) = (is_some(&work.arithmetic), is_some(&work.functions));
    Some(html! {
        @if arithmetic { (count(&work.arithmetic)) " flops" }
        @if arithmetic && functions { " + " }
        @if functions { (count(&work.functions)) " functions" }
    })
}
