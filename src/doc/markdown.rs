//! Documentation of the author (Markdown, TeX between `$`) as pieces of a page.
//!
//! HTML in it is text, and links lead to the web or to pages beside this one, nowhere else.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use pulldown_latex::config::{DisplayMode, RenderConfig};
use pulldown_latex::{Parser as TexParser, Storage, mathml};

/// Lines of documentation as paragraphs.
pub fn markdown(lines: &[String]) -> Markup {
    let text = lines.join("\n");
    let events = Parser::new_ext(&text, Options::ENABLE_MATH | Options::ENABLE_TABLES);
    // Headings of a page are its own: those within it are smaller.
    let events = events.map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::InlineMath(tex) => Event::InlineHtml(formula(&tex, DisplayMode::Inline).into()),
        Event::DisplayMath(tex) => Event::InlineHtml(formula(&tex, DisplayMode::Block).into()),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: safe(dest_url), title, id })
        }
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        Event::Start(Tag::Heading { .. }) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Paragraph),
        Event::SoftBreak => Event::Text(" ".into()),
        Event::HardBreak => Event::Text(" ".into()),
        Event::Rule => Event::Text("".into()),
        event => event,
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    PreEscaped(out)
}

/// The first sentence, without marks.
pub fn summary(lines: &[String]) -> String {
    let mut plain = String::new();
    for event in Parser::new_ext(&lines.join("\n"), Options::ENABLE_MATH) {
        match event {
            Event::Text(t) | Event::Code(t) | Event::InlineMath(t) | Event::DisplayMath(t) => {
                plain.push_str(&t)
            }
            Event::SoftBreak | Event::HardBreak => plain.push(' '),
            Event::End(TagEnd::Paragraph) => break,
            _ => {}
        }
    }
    plain.trim().to_string()
}

fn safe(url: CowStr<'_>) -> CowStr<'_> {
    let scheme = url.split(['/', '?', '#']).next().unwrap_or_default().contains(':');
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if is_web || !scheme && !url.starts_with("//") { url } else { "#".into() }
}

/// What cannot be read as TeX is shown as it is.
fn formula(tex: &str, mode: DisplayMode) -> String {
    let storage = Storage::new();
    let events: Result<Vec<_>, _> = TexParser::new(tex, &storage).collect();
    let config = RenderConfig { display_mode: mode, ..RenderConfig::default() };
    let mut out = String::new();
    let written = events.ok().and_then(|events| {
        let events = events.into_iter().map(Ok::<_, std::convert::Infallible>);
        mathml::push_mathml(&mut out, events, config).ok()
    });
    match written {
        Some(()) => out,
        None => maud::html! { code { (tex) } }.into_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        markdown(&text.lines().map(str::to_string).collect::<Vec<_>>()).into_string()
    }

    #[test]
    fn html_and_foreign_schemes_are_text() {
        assert_eq!(
            shown("a <b onclick=x>c</b> & *d*"),
            "<p>a &lt;b onclick=x&gt;c&lt;/b&gt; &amp; <em>d</em></p>\n"
        );
        assert!(shown("[x](javascript:alert(1))").contains("href=\"#\""));
        assert!(shown("[x](https://example.org/a?b=c)").contains("href=\"https://example.org/a?b=c\""));
        assert!(shown("<script>alert(1)</script>").starts_with("&lt;script&gt;"));
    }

    #[test]
    fn tex_is_a_formula_or_stays_text() {
        let math = shown("form: $h_t = f(W x_t + U h_{t-1})$.");
        assert!(math.contains("<math") && math.contains("<msub>") && math.ends_with(".</p>\n"), "{math}");
        assert!(shown("a $\\nosuch{x$ b").contains("nosuch"));
    }

    #[test]
    fn a_summary_is_the_first_paragraph_without_marks() {
        let lines: Vec<String> = ["Long *short* `x`", "memory.", "", "More."].map(String::from).to_vec();
        assert_eq!(summary(&lines), "Long short x memory.");
    }
}
