//! Documentation of the author (Markdown, TeX between `$`) as pieces of a page.
//!
//! HTML in it is text, and links lead to the web, nowhere else: what lies beside a page depends on how it was made.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};
use pulldown_latex::config::{DisplayMode, RenderConfig};
use pulldown_latex::event::{Content, Event as TexEvent};
use pulldown_latex::{Parser as TexParser, Storage, mathml};

/// Lines of documentation as paragraphs.
pub fn markdown(lines: &[String]) -> Markup {
    let text = lines.join("\n");
    let events = Parser::new_ext(&text, Options::ENABLE_MATH | Options::ENABLE_TABLES);
    // Of the links that are open, whether each is one of the page.
    let mut links = Vec::new();
    // Headings of a page are its own: those within it are smaller.
    let events = events.map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::InlineMath(tex) => Event::InlineHtml(formula(&tex, DisplayMode::Inline).into()),
        Event::DisplayMath(tex) => Event::InlineHtml(formula(&tex, DisplayMode::Block).into()),
        Event::Start(Tag::Link { ref dest_url, .. }) => {
            links.push(is_web(dest_url));
            if is_web(dest_url) { event } else { Event::Text("".into()) }
        }
        Event::End(TagEnd::Link) if links.pop() == Some(false) => Event::Text("".into()),
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

/// The first heading or paragraph, without marks.
pub fn summary(lines: &[String]) -> String {
    let mut plain = String::new();
    for event in Parser::new_ext(&lines.join("\n"), Options::ENABLE_MATH) {
        match event {
            Event::Text(t) | Event::Code(t) | Event::InlineMath(t) | Event::DisplayMath(t) => {
                plain.push_str(&t)
            }
            Event::SoftBreak | Event::HardBreak => plain.push(' '),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::CodeBlock) => break,
            _ => {}
        }
    }
    plain.trim().to_string()
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// What cannot be read as TeX is shown as it is.
fn formula(tex: &str, mode: DisplayMode) -> String {
    let storage = Storage::new();
    let events: Result<Vec<_>, _> = TexParser::new(tex, &storage).collect();
    let config = RenderConfig { display_mode: mode, ..RenderConfig::default() };
    let mut out = String::new();
    let written = events.ok().and_then(|events| {
        let events = events.into_iter().map(|event| Ok::<_, std::convert::Infallible>(words(event)));
        mathml::push_mathml(&mut out, events, config).ok()
    });
    match written {
        Some(()) => escaped(&out),
        None => maud::html! { code { (tex) } }.into_string(),
    }
}

/// The writer escapes text, but not the names of functions: one that needs it is text.
fn words(event: TexEvent<'_>) -> TexEvent<'_> {
    match event {
        TexEvent::Content(Content::Function(name)) if name.contains(['<', '>', '&']) => {
            TexEvent::Content(Content::Text(name))
        }
        event => event,
    }
}

/// What the writer makes, with the operators `<`, `>` and `&`, which it writes as they are, escaped. Such an operator is all
/// that its element holds, so it is never followed by what a tag or an entity begins with.
fn escaped(mathml: &str) -> String {
    let mut out = String::with_capacity(mathml.len());
    let mut rest = mathml;
    while let Some(at) = rest.find(['<', '>', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let begins = |c: char| c == '/' || c.is_ascii_alphabetic();
        let is_tag = rest.strip_prefix('<').is_some_and(|tag| tag.starts_with(begins));
        let entity = ["&amp;", "&lt;", "&gt;"].into_iter().find(|e| rest.starts_with(e));
        let (written, read) = match (is_tag, entity, rest.as_bytes()[0]) {
            (true, ..) => {
                let end = rest.find('>').map_or(rest.len(), |end| end + 1);
                (&rest[..end], end)
            }
            (_, Some(entity), _) => (entity, entity.len()),
            // Known to HTML alone.
            _ if rest.starts_with("&nbsp;") => ("&#160;", "&nbsp;".len()),
            (_, _, b'<') => ("&lt;", 1),
            (_, _, b'>') => ("&gt;", 1),
            _ => ("&amp;", 1),
        };
        out.push_str(written);
        rest = &rest[read..];
    }
    out + rest
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
        for url in ["javascript:alert(1)", "/etc/passwd", "../x.html", "other.md", "//x.org", "#top"] {
            assert_eq!(shown(&format!("[*x*]({url}) y")), "<p><em>x</em> y</p>\n");
        }
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
    fn tex_never_becomes_a_tag() {
        let attack = "$\\operatorname{<img src=x onerror=alert(1)>}$";
        let math = shown(attack);
        assert!(math.contains("&lt;img src=x onerror=alert(1)&gt;") && !math.contains("<img"), "{math}");
        let math =
            shown("$a < b > c \\& d \\not< e$, $\\text{<b> & c }$, $\\mathbf{<i>}$, $\\left< x \\right>$");
        for mark in ["<mo>&lt;</mo>", "<mo>&gt;</mo>", "&amp;", "&lt;b&gt; &amp; c"] {
            assert!(math.contains(mark), "{mark}: {math}");
        }
        for tex in [
            "a < b",
            "a > b",
            "\\&",
            "\\lt\\gt",
            "\\not<",
            "\\text{ <x> & }",
            "\\operatorname{&}",
            "\\mathrm{<x/>}",
        ] {
            let page = formula(tex, DisplayMode::Inline);
            roxmltree::Document::parse(&page).unwrap_or_else(|e| panic!("{tex}: {e}: {page}"));
            assert!(!page.contains("<x"), "{page}");
        }
    }

    #[test]
    fn a_summary_is_the_first_paragraph_without_marks() {
        let lines: Vec<String> = ["Long *short* `x`", "memory.", "", "More."].map(String::from).to_vec();
        assert_eq!(summary(&lines), "Long short x memory.");
        assert_eq!(summary(&["# A unit".into(), "that leaks.".into()]), "A unit");
    }
}
