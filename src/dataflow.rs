//! What flows where: the named values of a graph and which of them each reads.
//!
//! In: a graph. Out: a [`Dataflow`]: inputs, values, parameters that several values read, and edges; a read at another
//! point is an edge with its place. What a name does not stand for is within the value that uses it. Values of an
//! inner instance carry its path. Members of a family that do the same are one node.
//! [`dot`] writes it as Graphviz text, [`svg`] as a picture that [`layout`] arranges.

pub mod dot;
mod fold;
mod layout;
pub mod svg;

use crate::eqn::{Binary, DomainKind, Graph, NodeId, Offset, Op, SourceKind, Unary};
use crate::simplify::simplify;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataflow {
    pub title: String,
    pub nodes: Vec<Node>,
    /// Without doubles, in order.
    pub edges: Vec<Edge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Input,
    Param,
    Value,
    /// A value that is read at another point.
    State,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its names; several for a family that is one node.
    pub names: Vec<String>,
    /// As it is shown, without the path.
    pub label: String,
    /// The instances it lies in, from the outermost.
    pub path: Vec<String>,
    pub kind: Kind,
    pub is_output: bool,
    /// What is done last to get it.
    pub head: &'static str,
    /// Parameters that only it reads, families in braces.
    pub params: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// Where it is read, if not at the same point: `t-1`.
    pub place: Option<String>,
}

/// What a value reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Value(NodeId),
    Source(usize),
    State(usize, String),
}

pub fn of(graph: &Graph) -> Dataflow {
    let graph = simplify(graph);
    let values = values(&graph);
    let at: BTreeMap<NodeId, usize> = values.iter().enumerate().map(|(i, (id, _))| (*id, i)).collect();
    let reads: Vec<BTreeSet<Read>> = values.iter().map(|(id, _)| reads(&graph, *id, &at)).collect();
    // How many values read each parameter.
    let mut readers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (i, reads) in reads.iter().enumerate() {
        for read in reads {
            if let Read::Source(s) = read {
                readers.entry(*s).or_default().insert(i);
            }
        }
    }
    let is_param = |s: usize| matches!(graph.sources[s].kind, SourceKind::Param(_));
    let mut nodes = Vec::new();
    let mut of_source: BTreeMap<usize, usize> = BTreeMap::new();
    for (s, source) in graph.sources.iter().enumerate() {
        let count = readers.get(&s).map_or(0, BTreeSet::len);
        let kind = match source.kind {
            SourceKind::Param(_) if count < 2 => continue,
            SourceKind::Param(_) => Kind::Param,
            SourceKind::Initial { .. } | SourceKind::Cotangent => continue,
            SourceKind::Input | SourceKind::Noise(_) => Kind::Input,
        };
        of_source.insert(s, nodes.len());
        nodes.push(node(&source.name, kind));
    }
    let first = nodes.len();
    let states: BTreeMap<usize, usize> =
        (0..graph.states.len()).filter_map(|i| Some((i, *at.get(&graph.states[i].def?)?))).collect();
    let read_ahead: BTreeSet<usize> = reads
        .iter()
        .flatten()
        .filter_map(|r| match r {
            Read::State(s, _) => states.get(s).copied(),
            _ => None,
        })
        .collect();
    let outs: BTreeSet<NodeId> = outputs(&graph);
    for (i, (id, name)) in values.iter().enumerate() {
        let kind = if read_ahead.contains(&i) { Kind::State } else { Kind::Value };
        let params = reads[i].iter().filter_map(|r| match r {
            Read::Source(s) if is_param(*s) && !of_source.contains_key(s) => {
                Some(own(&graph.sources[*s].name))
            }
            _ => None,
        });
        nodes.push(Node {
            is_output: outs.contains(id),
            head: head(&graph, *id),
            params: fold::braces(params.collect(), false),
            ..node(name, kind)
        });
    }
    let mut edges = BTreeSet::new();
    for (i, reads) in reads.iter().enumerate() {
        let to = first + i;
        for read in reads {
            let (from, place) = match read {
                Read::Value(id) => (at.get(id).map(|i| first + i), None),
                Read::Source(s) => (of_source.get(s).copied(), None),
                // A state whose value comes from outside is a shifted input.
                Read::State(s, place) => {
                    let value = states.get(s).map(|i| first + i);
                    let given = graph.states[*s].def.and_then(|d| match graph.node(d).op {
                        Op::Source(source) => of_source.get(&source.index()).copied(),
                        _ => None,
                    });
                    (value.or(given), Some(place.clone()))
                }
            };
            edges.extend(from.map(|from| Edge { from, to, place }));
        }
    }
    // What comes in on a side of the domain.
    for state in &graph.states {
        let Some(to) = state.def.and_then(|d| at.get(&d)).map(|i| first + i) else { continue };
        for side in &state.sides {
            let place = format!("side of {}", graph.domains[side.axis.index()].var);
            let given = reads_below(&graph, side.value, &at).into_iter().filter_map(|r| match r {
                Read::Source(s) => of_source.get(&s).copied(),
                _ => None,
            });
            edges.extend(given.map(|from| Edge { from, to, place: Some(place.clone()) }));
        }
    }
    let flow = Dataflow { title: graph.name.clone(), nodes, edges: edges.into_iter().collect() };
    fold::families(flow)
}

fn node(name: &str, kind: Kind) -> Node {
    let mut path: Vec<String> = name.split('.').map(str::to_string).collect();
    let label = path.pop().unwrap_or_default();
    Node { names: vec![name.to_string()], label, path, kind, is_output: false, head: "", params: Vec::new() }
}

/// The name without its path.
fn own(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).to_string()
}

/// Nodes that are shown: those with a name of the author, states, outputs.
fn values(graph: &Graph) -> Vec<(NodeId, String)> {
    let mut all: BTreeMap<NodeId, String> = BTreeMap::new();
    let names: BTreeSet<&str> = graph.nodes.iter().filter_map(|n| n.name.as_deref()).collect();
    let is_inner = |name: &str| {
        let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
        letters
            .strip_suffix("_pre")
            .is_some_and(|of| names.contains(&*format!("{of}{}", &name[letters.len()..])))
    };
    for id in graph.node_ids() {
        let node = graph.node(id);
        let is_given = matches!(node.op, Op::Source(_) | Op::DimValue(_)) || graph.as_const(id).is_some();
        if let Some(name) = node.name.as_deref().filter(|n| !is_given && !is_inner(n)) {
            all.insert(id, name.to_string());
        }
    }
    let is_value =
        |id: &NodeId| !matches!(graph.node(*id).op, Op::Source(_)) && graph.as_const(*id).is_none();
    for state in &graph.states {
        if let Some(def) = state.def.filter(is_value) {
            all.entry(def).or_insert_with(|| state.name.to_string());
        }
    }
    let is_last = |name: &str| {
        let state = name.strip_suffix("_last");
        state.is_some_and(|of| graph.states.iter().any(|s| *s.name == *of))
    };
    for out in &graph.outputs {
        if is_value(&out.node) && !is_last(&out.name) {
            all.entry(out.node).or_insert_with(|| out.name.to_string());
        }
    }
    all.into_iter().collect()
}

/// The outputs that the author asked for: states are offered beside them.
fn outputs(graph: &Graph) -> BTreeSet<NodeId> {
    let states: BTreeSet<&str> = graph.states.iter().map(|s| &*s.name).collect();
    let is_out = |(i, o): &(usize, &crate::eqn::Output)| {
        let of_state = o.name.strip_suffix("_last").is_some_and(|s| states.contains(s));
        *i == 0 || !(of_state || states.contains(&*o.name))
    };
    graph.outputs.iter().enumerate().filter(is_out).map(|(_, o)| o.node).collect()
}

/// The value itself, if it is shown, or what it reads.
fn reads_below(graph: &Graph, id: NodeId, shown: &BTreeMap<NodeId, usize>) -> BTreeSet<Read> {
    match (shown.contains_key(&id), &graph.node(id).op) {
        (true, _) => [Read::Value(id)].into(),
        (_, Op::Source(s)) => [Read::Source(s.index())].into(),
        _ => reads(graph, id, shown),
    }
}

/// What a value reads, down to what is shown.
fn reads(graph: &Graph, id: NodeId, shown: &BTreeMap<NodeId, usize>) -> BTreeSet<Read> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<NodeId> = Vec::new();
    let visit = |id: NodeId, open: &mut Vec<NodeId>, found: &mut BTreeSet<Read>| match &graph.node(id).op {
        Op::Source(s) => drop(found.insert(Read::Source(s.index()))),
        Op::Lag { state, offset } => {
            let place = place(graph, state.index(), *offset);
            found.insert(Read::State(state.index(), place));
        }
        op => open.extend(op.operands()),
    };
    visit(id, &mut open, &mut found);
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        match shown.contains_key(&id) {
            true => drop(found.insert(Read::Value(id))),
            false => visit(id, &mut open, &mut found),
        }
    }
    found
}

/// `t-1`, `i-1, j`, `left`, `prev k`.
fn place(graph: &Graph, state: usize, offset: Offset) -> String {
    let axes = graph.axes(graph.states[state].domain);
    let tree = axes.iter().find(|a| matches!(graph.domains[a.index()].kind, DomainKind::Tree { .. }));
    let edge = |k: u32| {
        let name = tree.and_then(|t| graph.domains[t.index()].edges.get(k as usize));
        name.map_or_else(|| format!("child {}", k + 1), |n| n.to_string())
    };
    match offset {
        Offset::By(by) => {
            let shifted = axes.iter().zip(by).map(|(axis, k)| {
                let var = &graph.domains[axis.index()].var;
                match k {
                    0 => var.to_string(),
                    k => format!("{var}{k:+}"),
                }
            });
            shifted.collect::<Vec<_>>().join(", ")
        }
        Offset::Child(k) => edge(k),
        Offset::Parent(k) => format!("parent by {}", edge(k)),
        Offset::EachChild(axis) => format!("each child {}", graph.domains[axis.index()].var),
        Offset::FromEach(_) => "parent".into(),
    }
}

fn head(graph: &Graph, id: NodeId) -> &'static str {
    match &graph.node(id).op {
        Op::Unary(Unary::Sigmoid, _) => "σ",
        Op::Unary(Unary::Neg, _) => "−",
        Op::Unary(kind, _) => kind.word(),
        Op::Binary(Binary::Add | Binary::Sub, ..) => "+",
        Op::Binary(Binary::Mul | Binary::MulZero, ..) => "⊙",
        Op::Binary(Binary::Div, ..) => "/",
        Op::Binary(kind, ..) => kind.word(),
        Op::Select(..) => "if",
        Op::MatMul(..) => "@",
        Op::Concat(_) => "++",
        Op::Softmax(_) => "softmax",
        Op::LogSumExp(_) => "logsumexp",
        Op::ArgMax(_) => "argmax",
        Op::SumOver(_) | Op::Reduce { fold: crate::eqn::Fold::Sum, .. } => "∑",
        Op::Reduce { .. } | Op::FoldOver { .. } => "fold",
        Op::Gather { .. } => "row",
        _ => "",
    }
}
