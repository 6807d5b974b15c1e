//! What gets an equation of its own, and what everything is called.

use super::place::Axis as AxisName;
use super::reading;
use super::write::Writer;
use crate::diag::Diagnostic;
use crate::eqn::{DomainId, Graph, Level, NodeId, Op};
use crate::grad::errors;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A derived value with an equation.
pub struct Named {
    pub node: NodeId,
    pub name: String,
    /// The forward value whose adjoint it is.
    pub of: Option<NodeId>,
    pub is_out: bool,
    pub is_state: bool,
}

/// What gets an equation, and what everything is called.
pub struct Plan<'a> {
    pub writer: Writer<'a>,
    pub equations: Vec<Named>,
    taken: BTreeSet<String>,
    linear: Vec<bool>,
    uses: Vec<u32>,
    carried: BTreeSet<NodeId>,
}

impl<'a> Plan<'a> {
    pub fn new(
        joint: &'a Graph,
        forward: usize,
        states: usize,
        for_reading: bool,
    ) -> Result<Self, Box<Diagnostic>> {
        let mut domain = None;
        for id in joint.node_ids().skip(forward).filter(|_| !for_reading) {
            if let Level::Over(d) = joint.level(id)
                && *domain.get_or_insert(d) != d
            {
                return Err(Box::new(errors::unprintable(joint, id, "it speaks of more than one chain")));
            }
        }
        let own = match domain {
            _ if for_reading => reading::own_axes(joint),
            domain => domain.into_iter().collect(),
        };
        let mut uses = vec![0; joint.nodes.len()];
        let operands = joint.nodes.iter().skip(forward).flat_map(|n| n.op.operands());
        for id in operands {
            uses[id.index()] += 1;
        }
        let carried = joint.states.iter().skip(states).filter_map(|s| s.def).collect();
        let mut taken: BTreeSet<String> = joint.dims().iter().map(|d| d.to_string()).collect();
        // Variables keep out of the way of the author's names.
        let given: BTreeSet<&str> = joint.nodes.iter().filter_map(|n| n.name.as_deref()).collect();
        let mut free = |wanted: &[&str]| {
            let is_free = |w: &&&str| !taken.contains(**w) && !given.contains(**w);
            let name = wanted.iter().find(is_free).unwrap_or(&"t'").to_string();
            taken.insert(name.clone());
            name
        };
        let chain = own.first().copied().filter(|d| own.len() == 1 && !reading::is_tree(joint, *d));
        // Without a chain the letters are left for the axes there are.
        let named = match chain {
            None if for_reading => None,
            _ => {
                let variable = chain.map_or("t", |d| &*joint.domains[d.index()].var).to_string();
                Some(AxisName { variable: free(&[&variable, "t"]), extent: free(&["T", "N", "L", "T'"]) })
            }
        };
        let mut axes: BTreeMap<DomainId, AxisName> = chain.into_iter().zip(named).collect();
        if for_reading {
            reading::name_axes(joint, &mut axes, &mut free);
        }
        let summed = free(&["s", "p", "q", "u", "τ"]);
        let member = free(&["k", "j", "n", "m", "κ"]);
        let writer = Writer {
            graph: joint,
            forward,
            states,
            domain,
            own,
            axes,
            summed,
            member,
            for_reading,
            written: BTreeSet::new(),
            names: BTreeMap::new(),
            state_names: BTreeMap::new(),
            defined: BTreeSet::new(),
            used: BTreeSet::new(),
            used_states: BTreeSet::new(),
            mentioned: BTreeSet::new(),
            ranks: BTreeMap::new(),
            depth: 0,
        };
        let mut plan = Plan {
            writer,
            equations: Vec::new(),
            taken,
            linear: vec![false; joint.nodes.len()],
            uses,
            carried,
        };
        plan.find_linear();
        plan.find_ranks();
        Ok(plan)
    }

    /// Derived nodes that depend on what arrives from outside, through derived states, too.
    fn find_linear(&mut self) {
        let joint = self.writer.graph;
        loop {
            let mut changed = false;
            for id in joint.node_ids().skip(self.writer.forward) {
                let linear = match &joint.node(id).op {
                    Op::Source(_) => true,
                    Op::Lag { state, .. } => {
                        let def = joint.states[state.index()].def;
                        state.index() >= self.writer.states && def.is_some_and(|d| self.linear[d.index()])
                    }
                    op => op.operands().any(|a| self.linear[a.index()]),
                };
                changed |= linear != self.linear[id.index()];
                self.linear[id.index()] = linear;
            }
            if !changed {
                return;
            }
        }
    }

    /// Forward values in the order of the text; a derived value takes the rank of what it is the adjoint of.
    fn find_ranks(&mut self) {
        let joint = self.writer.graph;
        let mut by_name: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for id in joint.node_ids() {
            let node = joint.node(id);
            let rank = if id.index() < self.writer.forward {
                (node.span.map_or(u32::MAX, |s| s.start), id.0)
            } else {
                let of = node.name.as_deref().and_then(|n| n.strip_suffix("_adj"));
                match of.and_then(|n| by_name.get(n)) {
                    Some(rank) => *rank,
                    None => continue,
                }
            };
            if let Some(name) = node.name.as_deref().filter(|_| id.index() < self.writer.forward) {
                by_name.insert(name, rank);
            }
            self.writer.ranks.insert(id, rank);
        }
    }

    pub fn name_everything(&mut self) -> Result<(), Box<Diagnostic>> {
        let joint = self.writer.graph;
        let (forward, states) = (self.writer.forward, self.writer.states);
        // Values of the forward pass; a state and its value share a name. What has a plain name keeps it; a path becomes a
        // plain name that is still free.
        let (plain, paths): (Vec<NodeId>, Vec<NodeId>) = joint
            .node_ids()
            .take(forward)
            .partition(|id| joint.node(*id).name.as_deref().is_none_or(is_plain));
        for id in plain.into_iter().chain(paths) {
            let node = joint.node(id);
            let is_number = matches!(node.op, Op::Const(_) | Op::DimValue(_)) || joint.as_const(id).is_some();
            let Some(name) = node.name.as_deref().filter(|_| !is_number) else { continue };
            let again = match &node.op {
                Op::Source(s) => {
                    joint.node_ids().take(id.index()).find(|n| joint.node(*n).op == Op::Source(*s))
                }
                _ => None,
            };
            let name = match again.and_then(|n| self.writer.names.get(&n).cloned()) {
                Some(name) => name,
                None => self.free(name),
            };
            self.writer.names.insert(id, name);
        }
        for (i, state) in joint.states.iter().enumerate().take(states) {
            let of_def = state.def.filter(|d| joint.node(*d).name.as_ref() == Some(&state.name));
            let name = of_def.and_then(|d| self.writer.names.get(&d)).cloned();
            let name = name.unwrap_or_else(|| self.free(&state.name));
            self.writer.state_names.insert(i, name);
        }
        // Derived values: the gradients, what is carried, what is used more than once.
        let mut chosen: BTreeMap<NodeId, bool> = BTreeMap::new();
        let gradients: Vec<(Arc<str>, NodeId)> = joint
            .outputs
            .iter()
            .filter(|o| o.node.index() >= forward)
            .map(|o| (o.name.clone(), o.node))
            .collect();
        for id in joint.node_ids().skip(forward) {
            // A read of a constant says where there is a point; the writer has a word for that.
            let is_constant = self.writer.for_reading && joint.as_const(id) == Some(1.0);
            let is_state = self.carried.contains(&id) && !self.is_cotangent(id) && !is_constant;
            if is_state || self.deserves_equation(id) {
                chosen.insert(id, is_state);
            }
        }
        // A forward value that is carried without having a name gets an equation, too.
        for id in self.carried.clone() {
            if id.index() < forward && !self.writer.names.contains_key(&id) {
                chosen.insert(id, true);
            }
        }
        if self.writer.for_reading {
            self.name_large_parts();
        }
        for id in self.reversed() {
            chosen.entry(id).or_insert(false);
        }
        for (name, node) in &gradients {
            let first = gradients.iter().find(|g| g.1 == *node).is_some_and(|g| g.0 == *name);
            let equation = self.gradient_name(name);
            let is_shared = chosen.remove(node).is_some()
                || self.uses[node.index()] > 0
                || gradients.iter().filter(|g| g.1 == *node).count() > 1;
            let is_name = matches!(joint.node(*node).op, Op::Source(_) | Op::Lag { .. });
            if first && is_shared && !is_name {
                self.writer.names.insert(*node, equation.clone());
            }
            let is_state = self.carried.contains(node) && first && !self.is_cotangent(*node);
            self.equations.push(Named {
                node: *node,
                name: equation,
                of: self
                    .source_of(name)
                    .or_else(|| joint.node_ids().take(forward).find(|n| self.is_adjoint_of(*node, *n))),
                is_out: true,
                is_state,
            });
        }
        let mut part = 0;
        for (node, is_state) in chosen {
            let of = joint.node_ids().take(forward).find(|n| self.is_adjoint_of(node, *n));
            let of_name = of.and_then(|of| self.writer.names.get(&of));
            let wanted = match (of_name, &joint.node(node).name) {
                (Some(of), _) => format!("{of}_adj"),
                // Numbers that the compiler gave are no help.
                (None, Some(name)) if of.is_some() || !is_number(name) => name.to_string(),
                _ => {
                    part += 1;
                    let end = if self.linear[node.index()] { "_adj" } else { "" };
                    format!("part{part}{end}")
                }
            };
            let name = self.free(&wanted);
            self.writer.names.insert(node, name.clone());
            self.writer.defined.insert(node);
            self.equations.push(Named { node, name, of, is_out: false, is_state });
        }
        // What arrives at `out h` is h_adj, or h_out_adj if that is the adjoint's own name.
        for id in joint.node_ids().skip(forward) {
            let Op::Source(source) = joint.node(id).op else { continue };
            let array = &joint.sources[source.index()].name;
            let plain = if self.writer.for_reading { array.to_string() } else { sanitise(array) };
            let name = if self.taken.contains(&plain) {
                let out = array.strip_suffix("_adj").unwrap_or(array);
                self.free(&format!("{out}_out_adj"))
            } else {
                self.free(array)
            };
            self.writer.names.insert(id, name);
        }
        Ok(())
    }

    /// The source whose gradient comes out under this name, as a node.
    fn source_of(&self, output: &str) -> Option<NodeId> {
        let joint = self.writer.graph;
        let source = joint.find_source(output.strip_suffix("_adj")?)?;
        joint.node_ids().take(self.writer.forward).find(|id| joint.node(*id).op == Op::Source(source))
    }

    /// What the gradient of a source is called: after the name that the source has here.
    fn gradient_name(&mut self, output: &str) -> String {
        let printed = self.source_of(output).and_then(|node| self.writer.names.get(&node));
        let wanted = printed.map_or_else(|| output.to_string(), |name| format!("{name}_adj"));
        self.free(&wanted)
    }

    /// Forward values without a name that derived equations mention more than once, and that are long to write.
    fn name_large_parts(&mut self) {
        let joint = self.writer.graph;
        let mut number = 0;
        for id in joint.node_ids().take(self.writer.forward) {
            let is_small =
                matches!(joint.node(id).op, Op::Source(_) | Op::Lag { .. }) || self.size(id, 0) <= 3;
            if self.uses[id.index()] < 2 || self.writer.names.contains_key(&id) || is_small {
                continue;
            }
            number += 1;
            let name = self.free(&format!("part{number}"));
            self.writer.names.insert(id, name);
        }
    }

    /// Whole chains turned round that derived values mention: read at any point, so each needs a name.
    fn reversed(&self) -> Vec<NodeId> {
        let joint = self.writer.graph;
        let has_name = |id: NodeId| self.writer.names.contains_key(&id);
        let mut seen = vec![false; joint.nodes.len()];
        let derived = joint.outputs.iter().map(|o| o.node).filter(|id| id.index() >= self.writer.forward);
        let mut open: Vec<NodeId> = derived.collect();
        while let Some(id) = open.pop() {
            if has_name(id) || std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            let node = joint.node(id);
            open.extend(node.op.operands());
            if let Op::Lag { state, .. } = node.op {
                let state = &joint.states[state.index()];
                open.extend(state.def.iter().chain(&state.init));
            }
        }
        let is_reverse = |id: &NodeId| seen[id.index()] && joint.as_reverse(&joint.node(*id).op).is_some();
        joint.node_ids().filter(is_reverse).collect()
    }

    fn is_adjoint_of(&self, node: NodeId, of: NodeId) -> bool {
        let joint = self.writer.graph;
        let (Some(name), Some(of)) = (&joint.node(node).name, &joint.node(of).name) else { return false };
        name.strip_suffix("_adj") == Some(of)
    }

    fn is_cotangent(&self, id: NodeId) -> bool {
        matches!(self.writer.graph.node(id).op, Op::Source(_))
    }

    /// A derived value that is worth an equation of its own: used more than once and longer than a name,
    /// or a sum that a product uses.
    fn deserves_equation(&self, id: NodeId) -> bool {
        let joint = self.writer.graph;
        let node = joint.node(id);
        if !self.linear[id.index()] || matches!(node.op, Op::Source(_) | Op::Lag { .. } | Op::At { .. }) {
            return false;
        }
        let is_sum = matches!(node.op, Op::Binary(crate::eqn::Binary::Add | crate::eqn::Binary::Sub, ..));
        match self.uses[id.index()] {
            0 => false,
            1 => is_sum && node.name.is_some() && !self.is_part_of_sum(id),
            uses => node.name.is_some() || is_sum || is_long(self.size(id, 0), uses),
        }
    }

    fn is_part_of_sum(&self, id: NodeId) -> bool {
        let joint = self.writer.graph;
        let reader = joint.nodes.iter().skip(id.index()).find(|n| n.op.operands().any(|a| a == id));
        use crate::eqn::Binary::{Add, Sub};
        reader.is_some_and(|n| matches!(n.op, Op::Binary(Add | Sub, ..) | Op::SumOver(_)))
    }

    /// Operations until something has a name, counted up to a few.
    fn size(&self, id: NodeId, depth: u32) -> u32 {
        let node = self.writer.graph.node(id);
        if depth > 4 || (depth > 0 && node.name.is_some()) {
            return 0;
        }
        1 + node.op.operands().map(|a| self.size(a, depth + 1)).sum::<u32>()
    }

    /// A name nothing else has, as the language allows it.
    fn free(&mut self, wanted: &str) -> String {
        let mut name = if self.writer.for_reading { wanted.to_string() } else { sanitise(wanted) };
        while self.taken.contains(&name) {
            name.push('\'');
        }
        self.taken.insert(name.clone());
        name
    }
}

/// Whether something of so many operations is better given a name than written as often as it is used.
pub fn is_long(size: u32, uses: u32) -> bool {
    size > 3 || size > 1 && size * uses.saturating_sub(1) > 4
}

/// What the compiler calls a value that has no name.
fn is_number(name: &str) -> bool {
    let digits = name.strip_prefix("part").map(|n| n.strip_suffix("_adj").unwrap_or(n));
    digits.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn is_plain(name: &str) -> bool {
    sanitise(name) == name
}

/// Paths and members become plain names: `l1.h[2]` is `l1_h_2`.
fn sanitise(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '\'') || !c.is_ascii() { c } else { '_' })
        .collect();
    plain.trim_end_matches('_').to_string()
}
