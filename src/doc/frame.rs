//! What all pages have in common: head, style, script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub const STYLE: &str = include_str!("style.css");
/// Marks all places of a name.
pub const NAMES: &str = include_str!("names.js");

/// A page with everything in it.
pub fn alone(title: &str, body: Markup) -> String {
    let head = html! {
        style { (PreEscaped(STYLE)) }
        script { (PreEscaped(NAMES)) }
    };
    page(title, head, body)
}

pub fn page(title: &str, head: Markup, body: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "rnnc " (env!("CARGO_PKG_VERSION")) };
                title { (title) }
                (head)
            }
            body { (body) }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}
