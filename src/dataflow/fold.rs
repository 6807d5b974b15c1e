//! Families in one node: members with a number, and in large pictures words that read and feed the same.

use super::{Dataflow, Edge, Kind, Node};
use std::collections::{BTreeMap, BTreeSet};

/// Above so many values, different words that do the same are one node, too.
const MANY: usize = 14;

pub fn families(flow: Dataflow) -> Dataflow {
    let flow = fold(flow, |_, node| {
        let letters = node.label.trim_end_matches(|c: char| c.is_ascii_digit());
        let has_number = letters.len() < node.label.len() && !letters.is_empty();
        has_number.then(|| (letters.to_string(), Vec::new()))
    });
    let flow = absorb(flow);
    let values = flow.nodes.iter().filter(|n| matches!(n.kind, Kind::Value | Kind::State)).count();
    if values <= MANY {
        return flow;
    }
    absorb(fold(flow, |flow, node| {
        let at = flow.nodes.iter().position(|n| n.names == node.names)?;
        let around = flow.edges.iter().filter(|e| e.from == at || e.to == at);
        let around: BTreeSet<(bool, usize, Option<String>)> = around
            .map(
                |e| if e.to == at { (true, e.from, e.place.clone()) } else { (false, e.to, e.place.clone()) },
            )
            .collect();
        (node.kind == Kind::Value).then(|| (node.head.to_string(), around.into_iter().collect()))
    }))
}

/// Parameters that only one node reads are said in it.
fn absorb(mut flow: Dataflow) -> Dataflow {
    let mut gone = vec![false; flow.nodes.len()];
    for (i, gone) in gone.iter_mut().enumerate() {
        let mut readers = flow.edges.iter().filter(|e| e.from == i).map(|e| e.to);
        let (first, more) = (readers.next(), readers.next());
        if let (Kind::Param, Some(reader), None) = (flow.nodes[i].kind, first, more) {
            let names = std::iter::once(flow.nodes[i].label.clone());
            let params = names.chain(std::mem::take(&mut flow.nodes[reader].params)).collect();
            flow.nodes[reader].params = braces(params, false);
            *gone = true;
        }
    }
    let mut at = Vec::new();
    let mut kept = 0;
    for gone in &gone {
        at.push(kept);
        kept += usize::from(!gone);
    }
    flow.edges.retain(|e| !gone[e.from]);
    for edge in &mut flow.edges {
        (edge.from, edge.to) = (at[edge.from], at[edge.to]);
    }
    let mut gone = gone.into_iter();
    flow.nodes.retain(|_| !gone.next().unwrap_or(false));
    flow
}

type Neighbours = Vec<(bool, usize, Option<String>)>;

/// Nodes with the same key, kind and place become one.
fn fold(flow: Dataflow, key: impl Fn(&Dataflow, &Node) -> Option<(String, Neighbours)>) -> Dataflow {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, node) in flow.nodes.iter().enumerate() {
        if let Some(key) = key(&flow, node) {
            groups.entry((key, node.kind, node.path.clone(), node.is_output)).or_default().push(i);
        }
    }
    let mut into: Vec<usize> = (0..flow.nodes.len()).collect();
    for members in groups.values().filter(|m| m.len() > 1) {
        members.iter().for_each(|m| into[*m] = members[0]);
    }
    let mut nodes: Vec<Node> = Vec::new();
    let mut at: Vec<usize> = vec![0; flow.nodes.len()];
    for (i, node) in flow.nodes.iter().enumerate() {
        if into[i] != i {
            continue;
        }
        at[i] = nodes.len();
        let members: Vec<&Node> = (0..into.len()).filter(|j| into[*j] == i).map(|j| &flow.nodes[j]).collect();
        let mut node = node.clone();
        if members.len() > 1 {
            node.label = braces(members.iter().map(|m| m.label.clone()).collect(), true).join(", ");
            node.names = members.iter().flat_map(|m| m.names.clone()).collect();
            node.params = braces(members.iter().flat_map(|m| m.params.clone()).collect(), false);
        }
        nodes.push(node);
    }
    let edges: BTreeSet<Edge> = flow
        .edges
        .iter()
        .map(|e| Edge { from: at[into[e.from]], to: at[into[e.to]], place: e.place.clone() })
        .filter(|e| e.from != e.to || e.place.is_some())
        .collect();
    Dataflow { nodes, edges: edges.into_iter().collect(), ..flow }
}

/// Names alike but for one piece between `_` are one with braces, numbers a range: `W_{f i}`, `h[1..4]`. `letters`: single
/// letters are alike, too.
pub fn braces(names: Vec<String>, letters: bool) -> Vec<String> {
    let mut names = names;
    let mut seen = BTreeSet::new();
    names.retain(|n| seen.insert(n.clone()));
    if let Some(range) = range(&names) {
        return vec![range];
    }
    let mut out = Vec::new();
    while !names.is_empty() {
        let first = names.remove(0);
        // They all differ in the same piece.
        let place = names.iter().find_map(|n| differing(&first, n, letters));
        let is_same = |n: &String| place.is_some() && differing(&first, n, letters) == place;
        let (same, rest): (Vec<String>, Vec<String>) = names.into_iter().partition(is_same);
        names = rest;
        out.push(match place {
            Some(place) => {
                let words: Vec<&str> =
                    std::iter::once(&first).chain(&same).filter_map(|n| n.split('_').nth(place)).collect();
                let braces = format!("{{{}}}", words.join(" "));
                let pieces = first.split('_').enumerate();
                pieces
                    .map(|(i, p)| if i == place { braces.as_str() } else { p })
                    .collect::<Vec<_>>()
                    .join("_")
            }
            None => first,
        });
    }
    out
}

/// The only piece in which two names differ. Names without one in common are alike only if they are letters.
fn differing(a: &str, b: &str, letters: bool) -> Option<usize> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split('_').collect(), b.split('_').collect());
    if a.len() != b.len() {
        return None;
    }
    let mut differing = (0..a.len()).filter(|i| a[*i] != b[*i]);
    let only = differing.next().filter(|_| differing.next().is_none())?;
    (only > 0 || letters && a.len() == 1).then_some(only)
}

/// `h1, h2, h3` is `h[1..3]`.
fn range(names: &[String]) -> Option<String> {
    let split = |n: &String| {
        let letters = n.trim_end_matches(|c: char| c.is_ascii_digit()).to_string();
        let number: u32 = n[letters.len()..].parse().ok()?;
        Some((letters, number))
    };
    let all: Option<Vec<(String, u32)>> = names.iter().map(split).collect();
    let mut all = all.filter(|all| all.len() > 1)?;
    all.sort_by_key(|a| a.1);
    let (first, last) = (all.first()?, all.last()?);
    let is_range = all.iter().all(|a| a.0 == first.0) && last.1 - first.1 + 1 == all.len() as u32;
    is_range.then(|| format!("{}[{}..{}]", first.0, first.1, last.1))
}
