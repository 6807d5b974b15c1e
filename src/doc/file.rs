//! The page of a file: its items, and its text with a number before each line.

use super::highlight::{Meaning, highlight};
use super::item::{self, top};
use super::site::Site;
use maud::{Markup, html};

pub fn page(site: &Site, f: usize) -> String {
    let source = &site.files[f];
    let body = html! {
        (top(site, &[]))
        main {
            h1 { (source.path) }
            ul {
                @for e in site.entries.iter().filter(|e| e.file == f) {
                    li { a href=(e.url) { code { (e.name) } } " " span class="kind" { (item::kind(e.item)) } }
                }
                @for u in site.unread.iter().filter(|u| u.file == f) {
                    li { a href=(u.url) { code { (u.name) } } " " span class="wrong" { "cannot be read" } }
                }
            }
            h2 id="text" { "Text" }
            div class="listing" {
                pre class="numbers" aria-hidden="true" { (numbers(source.text)) }
                pre { code { (text(site, f)) } }
            }
        }
    };
    item::linked(&source.path, body)
}

fn numbers(text: &str) -> Markup {
    html! {
        @for n in 1..=text.lines().count() { span id={ "L" (n) } { (n) } "\n" }
    }
}

fn text(site: &Site, f: usize) -> Markup {
    highlight(site.files[f].text, &|word| match site.leads_to(f, word) {
        Some(to) => Meaning::Link(site.entries[to].url.clone()),
        None => Meaning::Plain,
    })
}
