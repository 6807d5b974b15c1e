//! A [`Dataflow`] as Graphviz text.

use super::{Dataflow, Kind};
use std::fmt::Write;

/// Reads at the same point are solid, those at other points dashed with their place; instances are clusters.
pub fn dot(flow: &Dataflow) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "digraph {} {{", quoted(&flow.title));
    out.push_str("  rankdir=TB;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    out.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    let all: Vec<usize> = (0..flow.nodes.len()).collect();
    cluster(flow, &all, 0, "", &mut out);
    for edge in &flow.edges {
        let _ = match &edge.place {
            None => writeln!(out, "  n{} -> n{};", edge.from, edge.to),
            // What comes from another point does not decide what stands above.
            Some(place) => writeln!(
                out,
                "  n{} -> n{} [style=dashed, constraint=false, label={}];",
                edge.from,
                edge.to,
                quoted(place)
            ),
        };
    }
    out.push_str("}\n");
    out
}

/// The nodes of one instance, and the instances in it.
fn cluster(flow: &Dataflow, nodes: &[usize], depth: usize, path: &str, out: &mut String) {
    let indent = "  ".repeat(depth + 1);
    let mut inner: Vec<(&str, Vec<usize>)> = Vec::new();
    for i in nodes {
        let node = &flow.nodes[*i];
        match node.path.get(depth) {
            None => {
                let _ = writeln!(out, "{indent}n{i} [{}];", attributes(flow, *i));
            }
            Some(step) => match inner.iter_mut().find(|(name, _)| name == step) {
                Some((_, members)) => members.push(*i),
                None => inner.push((step, vec![*i])),
            },
        }
    }
    for (step, members) in inner {
        let path = format!("{path}{}{step}", if path.is_empty() { "" } else { "." });
        let _ = writeln!(out, "{indent}subgraph {} {{", quoted(&format!("cluster_{path}")));
        let _ = writeln!(out, "{indent}  label={}; style=rounded; color=gray;", quoted(step));
        cluster(flow, &members, depth + 1, &path, out);
        let _ = writeln!(out, "{indent}}}");
    }
}

fn attributes(flow: &Dataflow, i: usize) -> String {
    let node = &flow.nodes[i];
    let mut label = node.label.clone();
    if !node.head.is_empty() {
        let _ = write!(label, "  {}", node.head);
    }
    if !node.params.is_empty() {
        let _ = write!(label, "\n{}", node.params.join(", "));
    }
    let shape = match node.kind {
        Kind::Input => ", shape=ellipse, style=solid",
        Kind::Param => ", shape=box, style=filled, fillcolor=gray90",
        Kind::State => ", style=\"rounded,bold\"",
        Kind::Value => "",
    };
    let output = if node.is_output { ", peripheries=2" } else { "" };
    format!("label={}{shape}{output}", quoted(&label))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
