//! From evaluated names to a finished graph: outputs, order, what is not reached.

use super::builder::Builder;
use super::errors;
use super::space::Step;
use super::value::*;
use crate::eqn::{Domain, DomainId, Graph, Level, NodeId, Op, Point, Side, SourceId, SourceKind, StateId};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::Name;
use std::collections::BTreeMap;

impl<'l> Builder<'l> {
    /// Outputs of a recipe: outs, states, last states.
    pub fn finish_recipe(&mut self, frame: FrameId) -> R<()> {
        let outs = self.outs_of(frame)?;
        let span = self.frame(frame).span;
        if let (true, Some(span)) = (outs.is_empty(), span) {
            let title = self.frame(frame).title.clone();
            let add = self.what_may_be_given(frame);
            return self.fail(errors::no_out(&title, span, add));
        }
        let mut failed = None;
        let mut done: Vec<(Name, NodeId)> = Vec::new();
        for out in &outs {
            let result =
                self.out_value(frame, out, out.expr.span).and_then(|v| self.force_node(v, out.expr.span));
            match result {
                Ok(node) => done.push((out.name.clone(), node)),
                Err(stop) => failed = Some(stop),
            }
        }
        let states = self.finish_states();
        if let Some(stop) = failed {
            return Err(stop);
        }
        states?;
        for (name, node) in done {
            self.graph.output(name, node);
        }
        self.state_outputs()?;
        self.last_outputs()
    }

    /// Every declared state that has been evaluated, unless an output has its name.
    fn state_outputs(&mut self) -> R<()> {
        use crate::resolve::text::Kind;
        let mut frames: Vec<FrameId> = (0..self.frames.len() as u32).map(FrameId).collect();
        frames.sort_by(|a, b| self.frame(*a).order.cmp(&self.frame(*b).order));
        for frame in frames {
            let text = self.frame(frame).text.clone();
            for entry in text.declared(Kind::State) {
                let Some(d) = &entry.declared else { continue };
                let full = format!("{}{}", self.frame(frame).path, entry.name);
                if self.output_named(&full).is_some() {
                    continue;
                }
                if let Some(node) = self.whole(frame, &entry.name, d.span)? {
                    self.graph.output(full, node);
                }
            }
        }
        Ok(())
    }

    /// A state with all members of its family, if all have been evaluated.
    fn whole(&mut self, frame: FrameId, name: &Name, span: Span) -> R<Option<NodeId>> {
        let Some(sets) = self.frame(frame).sets.get(name).cloned() else {
            return Ok(match self.frame(frame).memo.get(&(name.clone(), Vec::new())) {
                Some(Memo::Done(Val::Arr(a))) if a.along == 0 => Some(a.node),
                _ => None,
            });
        };
        let reached = self.frame(frame).memo.range((name.clone(), Vec::new())..).map(|(key, _)| key);
        let reached = reached.take_while(|(n, _)| n == name).filter(|(_, i)| i.len() == sets.len()).count();
        let mut wanted: u64 = 1;
        for set in sets.iter() {
            let FamilySet::Range(a, b) = set else { return Ok(None) };
            wanted = wanted.saturating_mul((b - a + 1).max(0) as u64);
        }
        if reached as u64 != wanted {
            return Ok(None);
        }
        self.family_array(frame, name, &[], span).map(Some)
    }

    /// `NAME_last` for every carried state, newest first where several are kept.
    pub fn last_outputs(&mut self) -> R<()> {
        let mut arrays: BTreeMap<String, Vec<StateId>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for (i, info) in self.states.iter().enumerate() {
            let is_input = matches!(info.origin, StateOrigin::Input { .. });
            let id = StateId(i as u32);
            if info.before == 0 || (is_input && !self.options.carry) || !self.is_alone(id) {
                continue;
            }
            if !arrays.contains_key(&info.array) {
                order.push(info.array.clone());
            }
            arrays.entry(info.array.clone()).or_default().push(StateId(i as u32));
        }
        for array in order {
            let Some(ids) = arrays.get(&array).cloned() else { continue };
            let lags = self.lags.get(&array).copied().unwrap_or(1).max(1);
            let mut members: BTreeMap<Vec<i64>, NodeId> = BTreeMap::new();
            let mut family = None;
            let mut span = None;
            for id in ids {
                let Some(info) = self.states.get(id.index()).cloned() else { continue };
                let index = match &info.origin {
                    StateOrigin::Declared { frame, name, index } => {
                        let sets = self.sets_of(*frame, name)?;
                        if !sets.is_empty() {
                            family = Some((*frame, name.clone(), sets));
                        }
                        index.clone()
                    }
                    _ => Vec::new(),
                };
                span = Some(info.first_read);
                let node = self.last_state(id, lags, info.first_read)?;
                members.insert(index, node);
            }
            let Some(span) = span else { continue };
            let node = match family {
                None => members.values().next().copied(),
                Some((frame, name, sets)) => {
                    Some(self.family_last(frame, &name, &sets, &members, lags, span)?)
                }
            };
            let full = format!("{array}_last");
            let Some(node) = node else { continue };
            match self.output_named(&full).map(|o| self.graph.node(o).span) {
                None => self.graph.output(full, node),
                // It would be carried in place of the state.
                Some(out) => {
                    let out = self.out_span(&full).or(out);
                    return self.fail(errors::last_taken(&full, out, Some(span)));
                }
            }
        }
        Ok(())
    }

    /// Where an output of the outermost item is named.
    fn out_span(&mut self, name: &str) -> Option<Span> {
        let outs = self.outs_of(self.outermost?).ok()?;
        outs.iter().find(|o| &*o.name == name).map(|o| o.expr.span)
    }

    /// The last values of one state: its shape, or `[lags] +` its shape.
    fn last_state(&mut self, id: StateId, lags: u32, span: Span) -> R<NodeId> {
        let init = self.init_nodes(id, span)?;
        let state = self.graph.states.get(id.index()).cloned();
        let Some((state, def)) = state.and_then(|s| s.def.map(|d| (s, d))) else {
            return self.fail(errors::no_such_reduction(span));
        };
        let mut parts = Vec::new();
        for k in 0..lags {
            let Some(empty) = init.get(k as usize).or(init.last()).copied() else { continue };
            let value = match k {
                0 => def,
                k => {
                    let axis = state.domain;
                    self.lag(id, &Step::chain(axis, -i64::from(k)), span)?
                }
            };
            let node = match self.graph.level(value) {
                Level::Over(axis) => {
                    self.add(Op::At { arg: value, axis, point: Point::Last, empty }, span)?
                }
                // The same at every point: only an empty sequence differs.
                _ => {
                    let n = self.length(state.domain, span)?;
                    let zero = self.constant(0.0);
                    let none = self.add(Op::Binary(crate::eqn::Binary::Eq, n, zero), span)?;
                    self.add(Op::Select(none, empty, value), span)?
                }
            };
            parts.push(node);
        }
        match parts.as_slice() {
            [one] if lags == 1 => Ok(*one),
            parts => self.stack_nodes(parts, span),
        }
    }

    /// The last values of a family; members that are not carried are zeros.
    fn family_last(
        &mut self,
        frame: FrameId,
        name: &Name,
        sets: &[FamilySet],
        members: &BTreeMap<Vec<i64>, NodeId>,
        lags: u32,
        span: Span,
    ) -> R<NodeId> {
        let text = self.frame(frame).text.clone();
        let shape = match text.get(name).and_then(|e| e.declared.clone()) {
            Some(d) => self.declared_type(frame, &d)?.0,
            None => Vec::new(),
        };
        let mut one = shape;
        if lags > 1 {
            one.insert(0, Dim::constant(i64::from(lags)));
        }
        let mut all: Vec<Vec<i64>> = vec![Vec::new()];
        for set in sets {
            let FamilySet::Range(a, b) = set else { continue };
            all = all.iter().flat_map(|i| (*a..=*b).map(|k| [i.as_slice(), &[k]].concat())).collect();
        }
        let mut nodes = Vec::new();
        for index in all {
            nodes.push(match members.get(&index) {
                Some(node) => *node,
                None => self.filled(0.0, &one, span)?,
            });
        }
        let flat = self.stack_nodes(&nodes, span)?;
        let whole = self.family_shape(sets, &one, span)?;
        self.reshape(flat, &whole, span)
    }

    /// The graph with only what the outputs reach, sources in the order of the text.
    pub fn finished(&mut self) -> Option<Graph> {
        if self.diagnostics.iter().any(|d| d.is_error()) {
            return None;
        }
        // Each of what follows goes through the whole graph.
        self.work = self.work.saturating_add(self.graph.nodes.len() as u64);
        self.check_order();
        if self.diagnostics.iter().any(|d| d.is_error()) {
            return None;
        }
        let graph = prune(&self.graph, &self.source_keys);
        let mut arrays: BTreeMap<Name, Option<Span>> = BTreeMap::new();
        for source in &graph.sources {
            if let Some(first) = arrays.insert(source.name.clone(), source.span) {
                self.report(errors::two_arrays(&source.name, first, source.span));
            }
        }
        if self.diagnostics.iter().any(|d| d.is_error()) {
            return None;
        }
        if cfg!(debug_assertions)
            && let Err(e) = crate::eqn::verify::verify(&graph)
        {
            panic!("a built graph breaks an invariant: {e}");
        }
        Some(graph)
    }
}

/// Keeps what the outputs reach; `keys` gives the sources' order.
pub fn prune(graph: &Graph, keys: &[Vec<i64>]) -> Graph {
    let mut keep = vec![false; graph.nodes.len()];
    let mut states = vec![false; graph.states.len()];
    let mut work: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    while let Some(id) = work.pop() {
        if std::mem::replace(&mut keep[id.index()], true) {
            continue;
        }
        let op = &graph.node(id).op;
        work.extend(op.operands());
        let state = match op {
            Op::Lag { state, .. } => Some(*state),
            Op::Source(s) => match graph.sources[s.index()].kind {
                SourceKind::Initial { state, .. } => Some(state),
                _ => None,
            },
            _ => None,
        };
        if let Some(state) = state
            && !std::mem::replace(&mut states[state.index()], true)
        {
            let s = &graph.states[state.index()];
            work.extend(s.values());
        }
    }
    let mut read = vec![false; graph.sources.len()];
    for (node, _) in graph.nodes.iter().zip(&keep).filter(|(_, k)| **k) {
        if let Op::Source(s) = node.op {
            read[s.index()] = true;
        }
    }
    let mut used: Vec<usize> = (0..read.len()).filter(|i| read[*i]).collect();
    let rank = |s: &usize| match graph.sources[*s].kind {
        SourceKind::Input => 0,
        SourceKind::Initial { .. } => 1,
        _ => 2,
    };
    used.sort_by(|a, b| (rank(a), keys.get(*a), a).cmp(&(rank(b), keys.get(*b), b)));
    let mut domains: Vec<bool> = vec![false; graph.domains.len()];
    for (node, _) in graph.nodes.iter().zip(&keep).filter(|(_, k)| **k) {
        if let Level::Over(d) = node.level {
            domains[d.index()] = true;
        }
        for d in node.op.domains() {
            domains[d.index()] = true;
        }
    }
    for (i, s) in graph.states.iter().enumerate() {
        if states[i] {
            domains[s.domain.index()] = true;
        }
    }
    // What a domain is made of has been there before it.
    for i in (0..domains.len()).rev().filter(|i| domains[*i]).collect::<Vec<_>>() {
        graph.domains[i].kind.parts().iter().for_each(|d| domains[d.index()] = true);
    }
    let renumber = |kept: &[bool]| -> Vec<u32> {
        let mut next = 0;
        kept.iter()
            .map(|k| {
                let id = next;
                next += u32::from(*k);
                id
            })
            .collect()
    };
    let (nodes_to, states_to, domains_to) = (renumber(&keep), renumber(&states), renumber(&domains));
    let mut sources_to = vec![0u32; graph.sources.len()];
    for (new, old) in used.iter().enumerate() {
        sources_to[*old] = new as u32;
    }
    let node_to = |n: NodeId| NodeId(nodes_to[n.index()]);
    let domain_to = |d: DomainId| DomainId(domains_to[d.index()]);
    let level_to = |l: Level| match l {
        Level::Over(d) => Level::Over(domain_to(d)),
        l => l,
    };
    let mut out = Graph { name: graph.name.clone(), ..Graph::default() };
    for (domain, _) in graph.domains.iter().zip(&domains).filter(|(_, k)| **k) {
        out.domains.push(Domain { kind: domain.kind.renumbered(domain_to), ..domain.clone() });
    }
    for old in &used {
        let mut source = graph.sources[*old].clone();
        source.level = level_to(source.level);
        if let SourceKind::Initial { state, .. } = &mut source.kind {
            *state = StateId(states_to[state.index()]);
        }
        out.sources.push(source);
    }
    for (state, _) in graph.states.iter().zip(&states).filter(|(_, k)| **k) {
        let mut state = state.clone();
        state.domain = domain_to(state.domain);
        state.def = state.def.map(node_to);
        state.init = state.init.iter().map(|n| node_to(*n)).collect();
        for side in &mut state.sides {
            *side = Side { axis: domain_to(side.axis), value: node_to(side.value), ..*side };
        }
        out.states.push(state);
    }
    for (node, _) in graph.nodes.iter().zip(&keep).filter(|(_, k)| **k) {
        let mut node = node.clone();
        node.level = level_to(node.level);
        node.op = match node.op.map_domains(domain_to) {
            Op::Source(s) => Op::Source(SourceId(sources_to[s.index()])),
            Op::Lag { state, offset } => Op::Lag { state: StateId(states_to[state.index()]), offset },
            op => op.map_operands(node_to),
        };
        out.nodes.push(node);
    }
    for output in &graph.outputs {
        out.output(output.name.clone(), node_to(output.node));
    }
    out
}
