//! `rnnc doc` and `rnnc grad --html`: every page is well-formed, every link leads somewhere, every item has its page.

use crate::support::cli::Place;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::{BTreeMap, BTreeSet};

/// Elements of HTML that have no end.
const VOID: [&str; 6] = ["meta", "link", "br", "hr", "img", "input"];

/// A page as XML: void elements closed, attributes without a value given one, scripts and styles taken out.
fn as_xml(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends") + 1;
        let tag = &rest[at..end];
        rest = &rest[end..];
        let name: String = tag[1..].chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        let mut tag = tag.to_string();
        for bare in [" hidden", " autofocus", " defer", " open"] {
            for end in [" ", ">"] {
                tag = tag.replace(&format!("{bare}{end}"), &format!("{bare}=\"\"{end}"));
            }
        }
        match VOID.contains(&name.as_str()) {
            true => out.push_str(&format!("{}/>", tag.trim_end_matches(['>', '/']))),
            false => out.push_str(&tag),
        }
        if matches!(name.as_str(), "script" | "style") {
            let close = format!("</{name}>");
            rest = &rest[rest.find(&close).unwrap_or_else(|| panic!("{close}"))..];
        }
    }
    out + rest
}

fn parsed<'x>(xml: &'x str, name: &str) -> Document<'x> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(xml, options).unwrap_or_else(|e| {
        let line = xml.lines().nth(e.pos().row as usize - 1).unwrap_or_default();
        let at = (e.pos().col as usize).saturating_sub(60);
        panic!("{name}: {e}\n{}", line.chars().skip(at).take(160).collect::<String>())
    })
}

/// The ids of a page, each of which it has once.
fn ids(page: &Document, name: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for id in page.descendants().filter_map(|n| n.attribute("id")) {
        assert!(seen.insert(id.to_string()), "{name}: the id `{id}` is there twice");
        assert!(!id.contains(char::is_whitespace) && !id.is_empty(), "{name}: the id `{id}`");
    }
    seen
}

fn links<'x>(page: &'x Document) -> impl Iterator<Item = &'x str> {
    page.descendants().filter_map(|n| n.attribute("href").or_else(|| n.attribute("src")))
}

struct Pages {
    texts: BTreeMap<String, String>,
}

impl Pages {
    fn of(place: &Place, folder: &str) -> Pages {
        let files = std::fs::read_dir(place.path(folder)).expect("a folder");
        let texts = files.map(|f| {
            let path = f.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("text"))
        });
        Pages { texts: texts.collect() }
    }

    fn html(&self) -> impl Iterator<Item = (&String, &String)> {
        self.texts.iter().filter(|(name, _)| name.ends_with(".html"))
    }

    /// All pages are well-formed, ids are unique, links and references within lead to something that is there.
    fn check(&self) {
        let xml: BTreeMap<&String, String> = self.html().map(|(name, text)| (name, as_xml(text))).collect();
        let pages: BTreeMap<&String, Document> =
            xml.iter().map(|(name, text)| (*name, parsed(text, name))).collect();
        let ids: BTreeMap<&String, BTreeSet<String>> =
            pages.iter().map(|(name, page)| (*name, ids(page, name))).collect();
        for (name, page) in &pages {
            for link in links(page) {
                if link.starts_with("https://") || link.starts_with("http://") {
                    assert!(!link.ends_with(".css") && !link.ends_with(".js"), "{name} needs {link}");
                    continue;
                }
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let path = if path.is_empty() { name.as_str() } else { path };
                assert!(self.texts.contains_key(path), "{name} leads to {link}");
                if !anchor.is_empty() {
                    let found = ids.iter().any(|(n, ids)| *n == path && ids.contains(anchor));
                    assert!(found, "{name} leads to {link}");
                }
            }
            for n in page.descendants() {
                for attribute in ["marker-end", "aria-labelledby", "for"] {
                    let Some(value) = n.attribute(attribute) else { continue };
                    let id = value.trim_start_matches("url(#").trim_end_matches(')');
                    assert!(ids[*name].contains(id), "{name}: {attribute} of {value}");
                }
            }
        }
    }

    fn page(&self, name: &str) -> &str {
        self.texts.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.texts.keys()))
    }
}

fn has(node: Node, tag: &str) -> bool {
    node.descendants().any(|n| n.tag_name().name() == tag)
}

#[test]
fn the_gallery_of_the_stdlib() {
    let place = Place::new();
    place.good(&["doc", "--stdlib", "-o", "gallery"]);
    let pages = Pages::of(&place, "gallery");
    pages.check();
    let index = as_xml(pages.page("index.html"));
    let index = parsed(&index, "index.html");
    let mut cells = 0;
    for (path, text) in rnnc::stdlib::FILES {
        for heading in rnnc::syntax::outline(text) {
            let Some(name) = heading.name else { continue };
            let link = index.descendants().find(|n| {
                n.has_tag_name("a") && n.text().is_none() && {
                    n.first_element_child().and_then(|c| c.text()) == Some(&*name)
                }
            });
            let url = link.and_then(|n| n.attribute("href")).unwrap_or_else(|| panic!("{path}: {name}"));
            let xml = as_xml(pages.page(url));
            let page = parsed(&xml, url);
            let section = |id: &str| page.descendants().find(|n| n.attribute("id") == Some(id));
            assert!(!pages.page(url).contains("has mistakes"), "{url}");
            if heading.keyword != "cell" {
                continue;
            }
            cells += 1;
            for id in ["equations", "flow", "cost", "gradient", "source"] {
                assert!(section(id).is_some(), "{url} has no {id}");
            }
            assert!(has(page.root(), "math") && has(page.root(), "svg"), "{url}");
            let derived = page.descendants().filter(|n| n.attribute("class") == Some("derived"));
            assert!(derived.clone().any(|n| has(n, "math")), "{url} has no derived equation");
        }
    }
    assert!(cells > 60, "{cells}");
}

const CELLS: &str = "## A leak <b>with html</b> & `code`; $k^2$ (Nobody 1999), $0 < k$ and $\\operatorname{<img src=x onerror=y()>}$.\n\
cell Leak(H) {\n  in    x : [H]\n  state h : [H] = 0\n  param k : [H] = 0.5\n  h = k ⊙ h[t-1] + x\n  out h\n}\n\
## Squashed.\ncell Squashed(H) = Leak(H) with { h = tanh(k ⊙ h[t-1] + x) }\n\
layer Twice(C : cell)(x) = C(C(x))\n\
fn less(a : [n]) = if a[1] < 1 then a else 0\n\
test \"a < b & c\" {\n  part net = Leak(2)\n  expect net([[1, 2]]).h ≈ [[1, 2]] ± 1e-9\n}\n\
check grad Leak(H = 2), steps = 3\n";

#[test]
fn a_file_of_ones_own() {
    let place = Place::new();
    place.write("cells/own.rnn", CELLS).write("site/notes.txt", "mine");
    place.good(&["doc", "cells", "-o", "site"]);
    let pages = Pages::of(&place, "site");
    pages.check();
    assert_eq!(pages.page("notes.txt"), "mine", "a file that is not ours stays");
    let leak = pages.page("own.Leak.html");
    for part in [
        "A leak &lt;b&gt;with html&lt;/b&gt; &amp; <code>code</code>",
        "a &lt; b &amp; c",
        "<mo>&lt;</mo>",
        "&lt;img src=x",
        "href=\"own.Squashed.html\"",
        "<h2 id=\"used-by\">",
        "<h2 id=\"gradient\">",
    ] {
        assert!(leak.contains(part), "{part} is missing");
    }
    assert!(!leak.contains("<b>") && !leak.contains("<img"));
    let squashed = pages.page("own.Squashed.html");
    assert!(
        squashed.contains("What it changes") && squashed.contains("href=\"own.Leak.html\""),
        "{squashed}"
    );
    // A cell parameter has no name that could be left open, and nothing checks this layer.
    assert!(pages.page("own.Twice.html").contains("cannot be built by itself"));
    assert!(pages.page("own.less.html").contains("<h2 id=\"equations\">"));
}

const SAID: &str = "## # Heading\n##\n## The café of [Koutník](../x.html), Child-Sum.\n\
cell Said(H) {\n  in    x : [H]\n  state h : [H] = 0\n  ## Kept a step.\n  param k : [H] = 0.5\n  h = k ⊙ h[t-1] + x\n  out h\n}\n\
cell Faster(H) = Said(H) with { h = k ⊙ h[t-1] + 2 * x }\n\
model M(C = _, K = _, H = 4) {\n  in x : seq<n> of [C]\n  in who : id(K)\n  s = LSTM(C, H)(x)\n  \
y = Dense(H, K)(last(s))\n  out y\n  loss cross_entropy(y, who)\n}\n\
cell Broken(H) {\n  in x : [H\n  out x\n}\n";

/// What is said of a parameter, what a model takes, what the index finds.
#[test]
fn what_the_author_says_is_on_the_pages() {
    let place = Place::new();
    place.write("own.rnn", SAID);
    place.bad(&["doc", "own.rnn", "-o", "site"], &["own.rnn"]);
    let pages = Pages::of(&place, "site");
    pages.check();
    let said = pages.page("own.Said.html");
    assert!(said.contains("Kept a step.") && !said.contains("href=\"../x.html\""), "{said}");
    // Both equations of the change have the step below their names.
    let faster = pages.page("own.Faster.html");
    let changes = &faster
        [faster.find("id=\"changes\"").expect("changes")..faster.find("id=\"inputs\"").expect("inputs")];
    assert_eq!(changes.matches("<msub><mi>h</mi><mi>t</mi></msub>").count(), 2, "{changes}");
    let model = pages.page("own.M.html");
    assert!(model.contains(">Inputs<") && !model.contains("Inputs at each point"), "{model}");
    assert!(
        model.contains("a dimension")
            && model.contains("from the data")
            && model.contains("with C = K = 128"),
        "{model}"
    );
    let index = pages.page("index.html");
    for word in ["koutnik", "child", "sum", "cafe", "unread-0"] {
        assert!(index.contains(word), "{word}: {index}");
    }
    assert!(!index.contains("Koutník, Child-Sum. The") && index.contains("Heading"), "{index}");
    let script = index.rsplit("<script>").next().expect("a script");
    assert!(script.contains("normalize(\"NFD\")") && script.contains("[^\\p{L}\\p{N}_]+"), "{script}");
}

/// One's own files stand before the library's.
#[test]
fn own_files_come_first() {
    let place = Place::new();
    place.write("own.rnn", CELLS);
    place.good(&["doc", "own.rnn", "--stdlib", "-o", "site"]);
    let index = Pages::of(&place, "site").page("index.html").to_string();
    assert!(index.find(">own.rnn<").expect("own") < index.find("lstm.rnn<").expect("library"));
}

#[test]
fn the_same_bytes_each_time() {
    let place = Place::new();
    place.write("own.rnn", CELLS);
    place.good(&["doc", "own.rnn", "-o", "a", "--title", "T"]);
    place.good(&["doc", "own.rnn", "-o", "b", "--title", "T"]);
    assert_eq!(Pages::of(&place, "a").texts, Pages::of(&place, "b").texts);
}

#[test]
fn mistakes_have_pages_that_say_so() {
    let place = Place::new();
    let text = "cell Good(H) {\n  in x : [H]\n  out x\n}\ncell Bad(H) {\n  in x : [H]\n  y = x + nowhere\n  out y\n}\ncell Broken(H) {\n  in x : [H\n  out x\n}\n";
    place.write("wrong.rnn", text);
    place.bad(&["doc", "wrong.rnn", "-o", "site"], &["nowhere"]);
    let pages = Pages::of(&place, "site");
    pages.check();
    assert!(pages.page("wrong.Bad.html").contains("This item has mistakes."));
    assert!(pages.page("wrong.Bad.html").contains("nowhere"));
    assert!(pages.page("wrong.Broken.html").contains("This item cannot be read"));
    assert!(!pages.page("wrong.Good.html").contains("class=\"wrong\""));
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).expect("a folder");
    place.bad(&["doc", "empty", "-o", "site"], &["there is no .rnn file"]);
    place.bad(&["doc", "nowhere.rnn", "-o", "site"], &["no such file"]);
    place.write("own.rnn", CELLS).write("taken", "a file");
    place.bad(&["doc", "own.rnn", "-o", "taken"], &["taken"]);
    assert_eq!(place.run(&["doc", "-o", "site"]).code, 2);
    place.bad(&["doc", "missing.rnn", "-o", "nowhere"], &["E0202", "missing.rnn"]);
    assert!(!place.path("nowhere").exists());
}

/// On one chain, on a grid, on a tree; with a part of the gradients alone.
#[test]
fn gradients_as_pages() {
    let place = Place::new();
    for (i, recipe) in
        ["LSTM(I, H)", "MDLSTM(I, H, D = 2)", "TreeLSTM(I, H)", "MatchLSTM(D, H)"].iter().enumerate()
    {
        let file = format!("pages/{i}.html");
        std::fs::create_dir_all(place.path("pages")).expect("a folder");
        place.good(&["grad", "--cell", recipe, "--html", &file]);
    }
    place.good(&["grad", "--cell", "LSTM(I, H)", "--wrt", "U_f", "--html", "pages/only.html"]);
    let pages = Pages::of(&place, "pages");
    pages.check();
    let xml = as_xml(pages.page("0.html"));
    let page = parsed(&xml, "0.html");
    let names: Vec<&str> = page.descendants().filter_map(|n| n.attribute("data-n")).collect();
    for name in ["W_f_adj", "f_pre_adj", "c_adj", "h0_adj", "f", "c"] {
        assert!(names.contains(&name), "{name}");
    }
    // Formulas are right without a script, and nothing is loaded.
    assert!(has(page.root(), "math") && links(&page).count() == 0);
    let only = pages.page("only.html");
    assert!(only.contains("U_f_adj") && !only.contains("W_f_adj") && !only.contains("x_adj\""));
    // Beside the equation of f stand the adjoint of its inside and the gradients of its parameters.
    let pair = page.descendants().find(|n| n.attribute("class") == Some("pair")).expect("a pair");
    let derived = pair.descendants().find(|n| n.attribute("class") == Some("derived")).expect("derived");
    let defined: Vec<&str> = derived
        .descendants()
        .filter(|n| n.attribute("class") == Some("left"))
        .filter_map(|n| n.descendants().find_map(|n| n.attribute("data-n")))
        .collect();
    assert_eq!(defined, ["f_pre_adj", "W_f_adj", "U_f_adj", "b_f_adj"]);
}
