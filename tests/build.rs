//! From text to graphs: instances, families, options, states, models.

use rnnc::diag::{Diagnostic, Severity};
use rnnc::eqn::build::{Options, build, build_model};
use rnnc::eqn::{Graph, print, verify};
use rnnc::resolve::{Library, load};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;

struct Memory(BTreeMap<String, String>);

impl Loader for Memory {
    fn load(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".into())
    }
}

fn library(text: &str) -> (Sources, Library, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let files = Memory(BTreeMap::from([("main.rnn".to_string(), text.to_string())]));
    let (library, diagnostics) = load(&mut sources, &files, &["main.rnn".to_string()]);
    (sources, library, diagnostics)
}

fn try_build(text: &str, recipe: &str, options: &Options) -> (Option<Graph>, Vec<Diagnostic>) {
    let (mut sources, library, mut diagnostics) = library(text);
    let id = sources.add("recipe", recipe);
    let recipe = match parse_recipe(&sources, id) {
        Ok(r) => r,
        Err(d) => return (None, d),
    };
    let (graph, found) = build(&library, &recipe, options);
    diagnostics.extend(found);
    (graph, diagnostics)
}

fn graph(text: &str, recipe: &str) -> Graph {
    let (graph, diagnostics) = try_build(text, recipe, &Options::default());
    let errors: Vec<_> = diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    let graph = graph.unwrap_or_else(|| panic!("no graph: {errors:#?}"));
    verify::verify(&graph).unwrap();
    graph
}

#[test]
fn show() {
    for r in std::env::var("R").unwrap_or_default().split(';') {
        if r.is_empty() {
            continue;
        }
        let (g, d) = try_build(
            &std::fs::read_to_string(std::env::var("F").unwrap_or_default()).unwrap_or_default(),
            r,
            &Options::default(),
        );
        for d in d {
            println!("{:?} {} {} {:?}", d.severity, d.code, d.message, d.labels);
        }
        if let Some(g) = g {
            println!("{}", print::print(&g));
        }
    }
}

#[test]
fn show_all() {
    let Ok(f) = std::env::var("F") else { return };
    let (mut sources, lib, d) = library(&std::fs::read_to_string(f).unwrap());
    for d in d.iter().filter(|d| d.severity == Severity::Error) {
        println!(
            "LOAD {} {} {:?}",
            d.code,
            d.message,
            d.labels.iter().map(|l| sources.text(l.span).to_string()).collect::<Vec<_>>()
        );
    }
    for r in std::env::var("RR").unwrap_or_default().split(';') {
        if r.is_empty() {
            continue;
        }
        let id = sources.add("recipe", r);
        let e = parse_recipe(&sources, id).unwrap();
        let t = std::time::Instant::now();
        let (g, d) = build(&lib, &e, &Options::default());
        println!(
            "{} {} nodes {:?}",
            if g.is_some() { "ok  " } else { "FAIL" },
            r,
            (g.as_ref().map(|g| (g.nodes.len(), g.sources.len(), g.states.len())), t.elapsed())
        );
        if std::env::var("P").is_ok() {
            if let Some(g) = g {
                println!("{}", print::print(&g));
            }
        }
        for d in d {
            println!("   {:?} {} {}", d.severity, d.code, d.message);
            for l in d.labels {
                println!("        {} : {}", l.text, sources.text(l.span));
            }
        }
    }
    for m in std::env::var("M").unwrap_or_default().split(';') {
        if m.is_empty() {
            continue;
        }
        let (g, d) =
            build_model(&lib, m, &Options { carry: std::env::var("C").is_ok(), ..Options::default() });
        println!(
            "{} {} nodes {:?}",
            if g.is_some() { "ok  " } else { "FAIL" },
            m,
            g.as_ref().map(|g| (g.graph.nodes.len(), g.graph.sources.len(), g.graph.states.len()))
        );
        if std::env::var("P").is_ok() {
            if let Some(g) = g {
                println!(
                    "{}\n{:?} {:?} {:?} {:?}",
                    print::print(&g.graph),
                    g.outs,
                    g.metrics,
                    g.statics,
                    g.generate
                );
            }
        }
        for d in d {
            println!("   {:?} {} {}", d.severity, d.code, d.message);
            for l in d.labels {
                println!("        {} : {}", l.text, sources.text(l.span));
            }
        }
    }
}
#[test]
fn show_check() {
    let Ok(f) = std::env::var("F") else { return };
    let (sources, lib, d) = library(&std::fs::read_to_string(f).unwrap());
    let mut all = d;
    for file in lib.files() {
        if std::env::var("STD").is_ok() || file.path == "main.rnn" {
            all.extend(rnnc::eqn::build::check(&lib, file.file));
        }
    }
    for d in all {
        println!("   {:?} {} {}", d.severity, d.code, d.message);
        for l in d.labels {
            println!("        {} : {}:{}", l.text, sources.get(l.span.file).path, sources.text(l.span));
        }
    }
}
