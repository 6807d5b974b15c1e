//! The index: all items by file, with a search over their names, documentation and parameters.

use super::markdown::{markdown, summary};
use super::site::Site;
use super::{frame, item};
use maud::{Markup, PreEscaped, html};
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

const SEARCH: &str = include_str!("search.js");

pub fn page(site: &Site) -> String {
    let head = html! {
        link rel="stylesheet" href="style.css";
    };
    let unread = site.unread.iter().enumerate().map(|(i, u)| {
        let text = words(&format!("{} cannot be read", site.files[u.file].path));
        json!({ "id": unread_id(i), "name": u.name, "text": text })
    });
    let entries: Vec<serde_json::Value> = site
        .entries
        .iter()
        .enumerate()
        .map(|(i, e)| {
            let text = site.input.sources.text(e.item.span);
            let words = words(&format!("{} {} {text}", site.files[e.file].path, item::kind(e.item)));
            json!({ "id": id(i), "name": e.name, "text": words })
        })
        .chain(unread)
        .collect();
    // Within a script only `<` could mean something else.
    let data = serde_json::Value::from(entries).to_string().replace('<', "\\u003c");
    let count = site.entries.len() + site.unread.len();
    let body = html! {
        header class="top" { span class="home" { (site.input.title) } }
        main {
            h1 { (site.input.title) }
            form action="index.html" role="search" {
                label for="search" { "Search " (count) (if count == 1 { " item" } else { " items" }) }
                input id="search" name="q" type="search" autocomplete="off";
            }
            p id="none" hidden { "Nothing has all of these words." }
            @for f in 0..site.files.len() { (file(site, f)) }
        }
        script type="application/json" id="index" { (PreEscaped(data)) }
        script { (PreEscaped(SEARCH)) }
    };
    frame::page(site.input.title, head, body)
}

/// Words that are searched: the text in small letters, each once.
fn words(text: &str) -> String {
    let mut seen = std::collections::BTreeSet::new();
    // Accents are folded here and in what is searched for.
    let plain: String = text.nfd().filter(|c| !('\u{300}'..='\u{36f}').contains(c)).collect();
    let lower = plain.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| w.chars().count() > 1);
    words.filter(|w| seen.insert(w.to_string())).collect::<Vec<_>>().join(" ")
}

fn id(i: usize) -> String {
    format!("item-{i}")
}

fn unread_id(i: usize) -> String {
    format!("unread-{i}")
}

fn file(site: &Site, f: usize) -> Markup {
    let own = || site.entries.iter().enumerate().filter(move |(_, e)| e.file == f);
    let unread = || site.unread.iter().enumerate().filter(move |(_, u)| u.file == f);
    let is_empty = own().next().is_none() && unread().next().is_none();
    html! {
        @if !is_empty {
            section class="file" {
                h2 { a href=(site.files[f].url) { (site.files[f].path) } }
                ul class="items" {
                    @for (i, e) in own() {
                        li id=(id(i)) {
                            a href=(e.url) { code { (e.name) } }
                            " " span class="kind" { (item::kind(e.item)) }
                            @if site.mistakes(e.item).next().is_some() { " " span class="wrong" { "has mistakes" } }
                            " " span class="summary" { (first_sentence(&e.item.docs)) }
                        }
                    }
                    @for (i, u) in unread() {
                        li id=(unread_id(i)) { a href=(u.url) { code { (u.name) } } " " span class="wrong" { "cannot be read" } }
                    }
                }
            }
        }
    }
}

/// The first paragraph; with formulas and marks if it is no longer than that.
fn first_sentence(docs: &[String]) -> Markup {
    let plain = summary(docs);
    match docs.iter().any(|l| l.trim().is_empty()) {
        true => html! { (plain) },
        false => markdown(docs),
    }
}
