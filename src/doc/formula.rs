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

/// A formula that stands alone, in pieces between which a line may end.
pub fn lines(math: &Math) -> Markup {
    html! { @for piece in mathml::broken(math) { (PreEscaped(piece)) " " } }
}

/// Within text, so a line may end before each sign.
pub fn dim(d: &Dim) -> Markup {
    let pieces = mathml::broken(&dims::dim(d));
    html! { @for (i, piece) in pieces.into_iter().enumerate() { @if i > 0 { " " } (PreEscaped(piece)) } }
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
        @if arithmetic { (count(&work.arithmetic)) (plural(&work.arithmetic, " flop")) }
        @if arithmetic && functions { " + " }
        @if functions { (count(&work.functions)) (plural(&work.functions, " function")) }
    })
}

fn plural(count: &Count, word: &str) -> String {
    match count.as_ref().and_then(Dim::as_constant) {
        Some(1) => word.to_string(),
        _ => format!("{word}s"),
    }
}

/// `12 345`, with spaces at which no line breaks.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!((grouped(1_234_567), grouped(12)), ("1\u{202f}234\u{202f}567".into(), "12".into()));
    }
}
