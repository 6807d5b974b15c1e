//! Equations of any graph to read, and beside each the derived ones it gives rise to.
//!
//! In: a graph. Out: a [`Reading`]. It need not be a cell of the language, as [`super::adjoint_cell`] is: values over grids,
//! trees and several axes are in it, and what the language has no word for is written as a call.
//! Everything is called as the author calls it and stands in the author's order.

use super::family::{Line, Orders, fold_lines};
use super::place::{Axis, Place};
use super::write::Writer;
use super::{Done, Named, Plan, equation, in_order, outs, tree};
use crate::diag::Fallible;
use crate::eqn::flops::{self, Flops};
use crate::eqn::{DomainId, DomainKind, Graph, Level, NodeId, Op, SourceKind};
use crate::grad::{Options, differentiate, joint};
use crate::shape::Shape;
use crate::simplify::simplify;
use crate::source::Span;
use crate::syntax::ast::{Equation, Expr, StmtKind, Target, TargetIndex};
use crate::syntax::print::{Style, print_stmt};
use crate::typeset::Notation;
use std::collections::{BTreeMap, BTreeSet};

/// What is to be read of a graph.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The recipe.
    pub title: String,
    pub notation: Notation,
    /// One point of the cell's own domain: a step, a point, a node; nothing for a cell over one point.
    pub point: &'static str,
    /// What values are before the first point: a state, and its value there.
    pub starts: Vec<(String, Expr)>,
    pub forward: Vec<Entry>,
    /// The derived equations; empty if only the forward ones were asked for.
    pub adjoint: Vec<Entry>,
    /// The same, alike ones written once.
    pub system: Vec<Equation>,
    pub pairs: Vec<Pair>,
    pub forward_flops: Flops,
    /// Of what is done for the gradient besides.
    pub backward_flops: Flops,
}

/// One equation.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub shape: Shape,
    pub equation: Equation,
    /// A part of another equation, with a name only because derived equations mention it.
    pub is_part: bool,
    /// As it is written here.
    pub flops: Flops,
}

/// A forward equation with the derived ones it gives rise to: the adjoint of its value, of what is inside it, of
/// parameters that it alone reads, of the initial value of its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub head: Head,
    pub adjoint: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    Forward(usize),
    /// Parameters that several equations read.
    Shared,
    Inputs,
    /// Parts that several derived equations have in common.
    Parts,
}

/// The equations of a graph, nothing derived.
pub fn forward(graph: &Graph) -> Fallible<Reading> {
    let graph = simplify(graph);
    let mut plan = Plan::new(&graph, graph.nodes.len(), graph.states.len(), true).map_err(|d| vec![*d])?;
    plan.name_everything().map_err(|d| vec![*d])?;
    let Plan { mut writer, .. } = plan;
    Forward::write(&graph, &mut writer).map(|f| f.reading(&graph, &writer)).map_err(|d| vec![*d])
}

/// The equations of a graph and those of its adjoint.
pub fn adjoint(graph: &Graph, options: &Options) -> Fallible<Reading> {
    let primal = simplify(graph);
    let from = options.from.clone().unwrap_or_else(|| outs(&primal));
    let options = Options { from: Some(from), ..options.clone() };
    let joint = joint(&primal, &options, true, &[])?;
    let compiled = simplify(&differentiate(&primal, &options)?);
    let (forward, states) = (primal.nodes.len(), primal.states.len());
    let mut plan = Plan::new(&joint, forward, states, true).map_err(|d| vec![*d])?;
    plan.name_everything().map_err(|d| vec![*d])?;
    let Plan { mut writer, equations, .. } = plan;
    let done = in_order(&primal, &mut writer, &equations).map_err(|d| vec![*d])?;
    let written = Forward::write(&primal, &mut writer).map_err(|d| vec![*d])?;
    let (pairs, order) = written.pairs(&primal, &writer, &equations, &done);
    let mut reading = written.reading(&primal, &writer);
    reading.backward_flops = flops::total(&compiled, &own_axes(&compiled)).minus(&reading.forward_flops);
    let entry = |done: &Done| Entry {
        name: done.line.name.clone(),
        shape: joint.shape(done.node).clone(),
        equation: indexed(equation(done.line.clone()), &writer, joint.level(done.node)),
        is_part: false,
        flops: flops::sum(&joint, done.operations.iter().copied(), &writer.own),
    };
    reading.adjoint = order.iter().filter_map(|i| done.get(*i)).map(entry).collect();
    reading.pairs = pairs;
    let mut orders = Orders::default();
    let (outer, inner): (Vec<&Done>, Vec<&Done>) = done.iter().partition(|d| d.is_out);
    for lines in [inner, outer] {
        // Equations of different axes are not alike, whatever they look like.
        let mut levels: BTreeMap<String, Level> = BTreeMap::new();
        let lines: Vec<Line> = lines
            .into_iter()
            .map(|d| {
                levels.insert(d.line.name.clone(), joint.level(d.node));
                d.line.clone()
            })
            .collect();
        for line in fold_lines(lines, &mut orders) {
            let level = levels.get(&line.name).copied().unwrap_or(Level::Shared);
            reading.system.push(indexed(equation(line), &writer, level));
        }
    }
    Ok(reading)
}

impl Reading {
    /// The derived equations as lines of text, behind a sentence.
    pub fn text(&self, style: Style) -> String {
        let mut text =
            format!("# The adjoint of {}, to read: one cell of the language cannot say it.\n", self.title);
        // What is carried stands among the others.
        let is_known = |e: &&Entry| self.adjoint.iter().any(|other| other.name == e.name);
        let parts = self.forward.iter().filter(|e| e.is_part && !is_known(e)).map(|e| &e.equation);
        let parts: Vec<&Equation> = parts.collect();
        if !parts.is_empty() {
            text.push_str("# These values of the forward pass have no name of their own:\n");
        }
        for equation in parts.into_iter().chain(&self.system) {
            let stmt = tree::stmt(StmtKind::Equation(equation.clone()));
            text += print_stmt(&stmt, style).trim_end();
            text.push('\n');
        }
        text
    }
}

/// With the variables of axes of its own behind the name.
fn indexed(mut equation: Equation, writer: &Writer, level: Level) -> Equation {
    if let Some(target) = equation.targets.first_mut() {
        target.index.extend(writer.indices(level).map(|v| TargetIndex::Expr(tree::name(&v))));
    }
    equation
}

/// The forward equations, written.
struct Forward {
    entries: Vec<Entry>,
    /// The node of each.
    nodes: Vec<NodeId>,
    /// What each reads that comes from outside.
    reads: Vec<BTreeSet<String>>,
    starts: Vec<(String, Expr)>,
}

impl Forward {
    fn write(primal: &Graph, writer: &mut Writer) -> super::write::Written<Forward> {
        let is_mentioned: BTreeSet<NodeId> = writer.used.clone();
        // The name `f_pre` is the compiler's if what has it stands within the equation of `f`; otherwise the author's.
        let within = |inner: Option<Span>, outer: Option<Span>| match (inner, outer) {
            (Some(i), Some(o)) => i.file == o.file && i != o && o.start <= i.start && i.end <= o.end,
            _ => false,
        };
        let is_inner = |id: NodeId| {
            let node = primal.node(id);
            let Some(of) = node.name.as_deref().and_then(outside) else { return false };
            let outer = primal.nodes.iter().find(|n| n.name.as_deref() == Some(&*of));
            !matches!(node.op, Op::Source(_))
                && outer.is_some_and(|outer| within(node.span, outer.span))
                && !is_mentioned.contains(&id)
        };
        // What is inside a function has a name only where a derived equation mentions it.
        let inner: Vec<NodeId> = primal.node_ids().filter(|id| is_inner(*id)).collect();
        for id in inner {
            writer.names.remove(&id);
        }
        let mut out =
            Forward { entries: Vec::new(), nodes: Vec::new(), reads: Vec::new(), starts: Vec::new() };
        for (id, name) in named(primal, writer) {
            writer.written.clear();
            writer.used.clear();
            let value = match writer.names.get(&id).is_some_and(|n| *n != name) {
                true => writer.expr(id, &Place::here())?,
                false => writer.definition(id, &Place::here())?,
            };
            let line = Line { name: name.clone(), value, rows: None, pattern: None };
            let equation = indexed(equation(line), writer, primal.level(id));
            let flops = flops::sum(primal, writer.written.iter().copied(), &writer.own);
            if equation.targets.iter().any(|t| reads_itself(t, &equation.value)) {
                continue;
            }
            let is_part = primal.node(id).name.is_none() && name.starts_with("part");
            out.entries.push(Entry { name, shape: primal.shape(id).clone(), equation, is_part, flops });
            out.nodes.push(id);
            let used = writer.used.iter().filter_map(|id| writer.names.get(id)).cloned();
            out.reads.push(used.collect());
        }
        for (i, state) in primal.states.iter().enumerate() {
            let Some(first) = state.init.first().filter(|id| primal.as_const(**id) != Some(0.0)) else {
                continue;
            };
            let name = writer.state_names.get(&i).cloned().unwrap_or_else(|| state.name.to_string());
            out.starts.push((name, writer.expr(*first, &Place::here())?));
        }
        Ok(out)
    }

    fn reading(self, primal: &Graph, writer: &Writer) -> Reading {
        let point = match writer.own.as_slice() {
            [] => "",
            [axis] if is_tree(primal, *axis) => "node",
            [_] => "step",
            _ => "point",
        };
        Reading {
            title: primal.name.clone(),
            notation: notation(writer),
            point,
            starts: self.starts,
            forward: self.entries,
            adjoint: Vec::new(),
            system: Vec::new(),
            pairs: Vec::new(),
            forward_flops: flops::total(primal, &writer.own),
            backward_flops: Flops::default(),
        }
    }

    /// Which derived equations stand beside which forward one, and all of them in the order of these.
    fn pairs(
        &self,
        primal: &Graph,
        writer: &Writer,
        named: &[Named],
        done: &[Done],
    ) -> (Vec<Pair>, Vec<usize>) {
        let mut beside: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let (mut shared, mut inputs, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (i, line) in done.iter().enumerate() {
            let of = named.iter().find(|n| n.name == line.line.name).and_then(|n| n.of);
            match self.place(primal, writer, of, &line.line.name) {
                (Some(at), _) => beside.entry(at).or_default().push(i),
                (None, Some(SourceKind::Input)) => inputs.push(i),
                (None, Some(_)) => shared.push(i),
                (None, None) => parts.push(i),
            }
        }
        let own = (0..self.entries.len()).map(|i| (Head::Forward(i), beside.remove(&i).unwrap_or_default()));
        let rest = [(Head::Parts, parts), (Head::Shared, shared), (Head::Inputs, inputs)];
        let all: Vec<(Head, Vec<usize>)> =
            own.chain(rest.into_iter().filter(|(_, lines)| !lines.is_empty())).collect();
        let order: Vec<usize> = all.iter().flat_map(|(_, lines)| lines.iter().copied()).collect();
        let mut next = 0;
        let pairs = all.into_iter().map(|(head, lines)| {
            let adjoint = (next..next + lines.len()).collect();
            next += lines.len();
            Pair { head, adjoint }
        });
        (pairs.collect(), order)
    }

    /// The forward equation that a derived one belongs to, or what it is the gradient of.
    fn place<'g>(
        &self,
        primal: &'g Graph,
        writer: &Writer,
        of: Option<NodeId>,
        name: &str,
    ) -> (Option<usize>, Option<&'g SourceKind>) {
        let by_name = |name: &str| self.entries.iter().position(|e| e.name == name);
        let base = name.strip_suffix("_adj").unwrap_or(name);
        let Some(of) = of else {
            let base = base.rsplit_once("_read").map_or(base, |(base, _)| base).trim_end_matches('\'');
            return (by_name(base).or_else(|| by_name(&outside(base)?)), None);
        };
        if let Some(at) = self.nodes.iter().position(|n| *n == of) {
            return (Some(at), None);
        }
        if let Op::Source(source) = primal.node(of).op {
            let kind = &primal.sources[source.index()].kind;
            let at = match kind {
                SourceKind::Initial { state, .. } => {
                    writer.state_names.get(&state.index()).and_then(|name| by_name(name))
                }
                SourceKind::Param(_) => {
                    let read = writer.names.get(&of);
                    let mut readers =
                        (0..self.reads.len()).filter(|i| read.is_some_and(|r| self.reads[*i].contains(r)));
                    match (readers.next(), readers.next()) {
                        (Some(only), None) => Some(only),
                        _ => None,
                    }
                }
                _ => None,
            };
            return (at, Some(kind));
        }
        (by_name(&outside(base).unwrap_or_else(|| base.to_string())), None)
    }
}

/// The value whose inside a name is: `f` of `f_pre`, `f2` of `f_pre2`.
fn outside(name: &str) -> Option<String> {
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // Primes keep it apart from a name of the author's.
    let bare = letters.trim_end_matches('\'');
    Some(format!("{}{}", bare.strip_suffix("_pre")?, &name[letters.len()..]))
}

/// `hs1 = hs[1]`: a read of what is given, under a name that looks the same.
fn reads_itself(target: &Target, value: &Expr) -> bool {
    let notation = Notation::default();
    let left = notation.equation(&Equation {
        targets: vec![target.clone()],
        value: value.clone(),
        span: value.span,
    });
    left.iter().any(|f| f.right.len() == 1 && f.right.iter().all(|r| r.shown() == f.left.shown()))
}

/// The values that have an equation, in the order of the text: those of an instance together.
fn named(primal: &Graph, writer: &Writer) -> Vec<(NodeId, String)> {
    let mut all: Vec<(NodeId, String)> = Vec::new();
    for id in primal.node_ids() {
        if let Some(name) = writer.names.get(&id)
            && !matches!(primal.node(id).op, Op::Source(_))
        {
            all.push((id, name.clone()));
        }
    }
    let mut rest: Vec<(NodeId, String)> = Vec::new();
    let given = all.len();
    for (i, state) in primal.states.iter().enumerate() {
        let name = writer.state_names.get(&i);
        let def = state.def.filter(|d| !matches!(primal.node(*d).op, Op::Source(_)));
        rest.extend(def.zip(name.cloned()));
    }
    let states: BTreeSet<&str> = primal.states.iter().map(|s| &*s.name).collect();
    for out in &primal.outputs {
        let of_state = out.name.strip_suffix("_last").is_some_and(|s| states.contains(s));
        if !of_state && !matches!(primal.node(out.node).op, Op::Source(_)) {
            rest.push((out.node, out.name.to_string()));
        }
    }
    for (id, name) in rest {
        if !all.iter().any(|(_, known)| *known == name) {
            all.push((id, name));
        }
    }
    let mut paths: Vec<String> = Vec::new();
    for (_, name) in &all {
        let path = name.rsplit_once('.').map_or("", |(path, _)| path).to_string();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    // What only has a name because it comes out stands last.
    let own: BTreeSet<String> = all[..given].iter().map(|(_, name)| name.clone()).collect();
    let place = |(id, name): &(NodeId, String)| {
        let path = name.rsplit_once('.').map_or("", |(path, _)| path);
        let start = primal.node(*id).span.filter(|_| own.contains(name)).map_or(u32::MAX, |s| s.start);
        (paths.iter().position(|p| p == path), start, *id)
    };
    all.sort_by_key(place);
    all
}

/// The axes that values have without saying so: those of what is carried, else of what comes out or in.
pub fn own_axes(graph: &Graph) -> Vec<DomainId> {
    let of_states = graph.states.first().map(|s| Level::Over(s.domain));
    let mut levels = graph
        .outputs
        .iter()
        .map(|o| graph.level(o.node))
        .chain(of_states)
        .chain(graph.sources.iter().map(|s| s.level));
    let is_over = |level: &Level| matches!(level, Level::Over(_));
    let own = of_states.filter(is_over).or_else(|| levels.find(is_over));
    let mut axes = own.map_or_else(Vec::new, |level| graph.axes_of(level));
    axes.retain(|a| !matches!(graph.domains[a.index()].kind, DomainKind::Children { .. }));
    axes
}

pub fn is_tree(graph: &Graph, axis: DomainId) -> bool {
    matches!(graph.domains[axis.index()].kind, DomainKind::Tree { .. })
}

/// A variable for each axis that has none yet.
pub fn name_axes(
    graph: &Graph,
    axes: &mut BTreeMap<DomainId, Axis>,
    free: &mut dyn FnMut(&[&str]) -> String,
) {
    for (i, domain) in graph.domains.iter().enumerate() {
        let id = DomainId(i as u32);
        if matches!(domain.kind, DomainKind::Product(_)) || axes.contains_key(&id) {
            continue;
        }
        let variable = free(&[&domain.var, "j", "k", "l", "m", "n", "p", "q", "j'", "k'", "l'", "m'"]);
        axes.insert(id, Axis { variable, extent: domain.extent.to_string() });
    }
}

fn notation(writer: &Writer) -> Notation {
    let graph = writer.graph;
    let axes: Vec<DomainId> = (0..graph.domains.len() as u32)
        .map(DomainId)
        .filter(|d| !matches!(graph.domains[d.index()].kind, DomainKind::Product(_)))
        .collect();
    let chains = axes.iter().filter(|a| graph.is_chain(**a)).map(|a| writer.axis(*a).variable).collect();
    let mut over = BTreeMap::new();
    // With several axes a name stands for all of them.
    if let ([axis], [own]) = (&axes[..], &writer.own[..])
        && axis == own
        && graph.is_chain(*axis)
    {
        let variable = writer.own_axis().variable;
        let named = writer.names.iter().filter(|(id, _)| matches!(graph.level(**id), Level::Over(_)));
        let states = writer.state_names.values();
        over.extend(named.map(|(_, name)| name).chain(states).map(|name| (name.clone(), variable.clone())));
        let outs = graph.outputs.iter().filter(|o| matches!(graph.level(o.node), Level::Over(_)));
        over.extend(outs.map(|o| (o.name.to_string(), variable.clone())));
    }
    let mut starts = BTreeMap::new();
    for (id, name) in &writer.names {
        if let Op::Source(source) = graph.node(*id).op
            && let SourceKind::Initial { state, .. } = &graph.sources[source.index()].kind
            && let Some(state) = writer.state_names.get(&state.index())
        {
            starts.insert(name.clone(), state.clone());
        }
    }
    Notation { over, chains, starts }
}
