//! Rewrites, common subexpressions and dead code, to a fixed point.
//!
//! In: any verified graph. Out: a graph with the same outputs (names, shapes, levels, values) in which no
//! rule of [`rules`] applies, no two nodes compute the same, and everything is needed.
//!
//! Values may differ from those of the input graph in four ways only: the sign of a zero; a product
//! with a structural 0 is 0 even where the other factor is infinite or NaN; `a ⊙₀ b` is `a ⊙ b` where
//! `b` can be infinite or NaN by overflow only; a value that turns out to be the same at all points is
//! multiplied by their number instead of added up. Sums are never regrouped, and the author's names survive.

mod cons;
mod rules;
mod tables;

use crate::eqn::*;
use crate::grad::traits;
use cons::Builder;
use std::collections::BTreeMap;
pub use tables::multiply_tables;

/// More passes than any graph has needed; each pass leaves a valid graph.
const MAX_PASSES: usize = 64;

/// An equivalent graph: same outputs, sources that nothing reads are gone (except cotangents' arrays).
pub fn simplify(graph: &Graph) -> Graph {
    let mut graph = prune(graph.clone());
    for _ in 0..MAX_PASSES {
        let (next, changed) = pass(&graph);
        graph = prune(next);
        if !changed {
            break;
        }
    }
    debug_assert_eq!(verify::verify(&graph), Ok(()), "{}", print::print(&graph));
    graph
}

/// Every node once, with its operands already rewritten. True if anything became different.
fn pass(old: &Graph) -> (Graph, bool) {
    let mut b = Builder::new(old.without_nodes());
    let traits = traits::of_graph(old);
    let merged = merge_states(old);
    let mut changed = merged.iter().enumerate().any(|(i, to)| to.index() != i);
    let mut map: Vec<NodeId> = Vec::with_capacity(old.nodes.len());
    for (i, node) in old.nodes.iter().enumerate() {
        let mut op = node.op.map_operands(|id| map[id.index()]);
        if let Op::Lag { state, .. } = &mut op {
            *state = merged[state.index()];
        }
        let before = b.graph.nodes.len();
        let (id, rewritten) = match constant_state(&mut b, old, node, &map) {
            Some(value) => (value, true),
            None => rewrite(&mut b, old, node, op),
        };
        let merged = b.graph.nodes.len() == before;
        changed |= rewritten || merged;
        b.set_tame(id, !traits[i].wild);
        b.adopt(id, node);
        map.push(id);
    }
    for (i, state) in old.states.iter().enumerate() {
        let def = state.def.map(|d| {
            let id = map[d.index()];
            // A definition over the domain stays there.
            lift(&mut b, id, old.level(d))
        });
        b.graph.states[i].def = def;
        b.graph.states[i].init = state.init.iter().map(|n| map[n.index()]).collect();
        b.graph.states[i].sides =
            state.sides.iter().map(|s| Side { value: map[s.value.index()], ..*s }).collect();
    }
    for o in &old.outputs {
        let node = lift(&mut b, map[o.node.index()], old.level(o.node));
        b.graph.outputs.push(Output { name: o.name.clone(), node });
    }
    for source in &mut b.graph.sources {
        if let SourceKind::Initial { state, .. } = &mut source.kind {
            *state = merged[state.index()];
        }
    }
    (b.graph, changed)
}

/// The node in the new graph; true if a rule made it.
fn rewrite(b: &mut Builder, old: &Graph, node: &Node, op: Op) -> (NodeId, bool) {
    if let Some(id) = without_axes(b, old, node, &op) {
        return (id, true);
    }
    let level = match op {
        Op::SumOver(_) | Op::FoldOver { .. } => node.level,
        Op::At { .. } | Op::Remap { .. } | Op::Flatten { .. } | Op::Points { .. } => {
            b.graph.make_room(&op);
            b.graph.infer(&op).map_or(node.level, |(_, _, level)| level)
        }
        _ => b.join(&op).unwrap_or(node.level),
    };
    let here = Node {
        op: op.clone(),
        shape: node.shape.clone(),
        ty: node.ty.clone(),
        level,
        name: node.name.clone(),
        span: node.span,
    };
    for rule in rules::RULES {
        if let Some(id) = (rule.apply)(b, &op, &here) {
            // A rule states an identity of values; what does not fit the place is not taken.
            let new = b.graph.node(id);
            if new.shape == node.shape && new.ty == node.ty && b.graph.is_within(new.level, level) {
                return (id, true);
            }
        }
    }
    (b.put(op, node.shape.clone(), node.ty.clone(), level), false)
}

/// An operation on points whose operand turned out to be the same along some axes.
fn without_axes(b: &mut Builder, old: &Graph, node: &Node, op: &Op) -> Option<NodeId> {
    if !op.is_whole() {
        return None;
    }
    let (arg, new) = (node.op.operands().next()?, op.operands().next()?);
    let (before, now) = (old.level(arg), b.graph.level(new));
    if now == before {
        return None;
    }
    let gone: Vec<DomainId> = {
        let left = b.graph.axes_of(now);
        old.axes_of(before).into_iter().filter(|a| !left.contains(a)).collect()
    };
    match op {
        Op::SumOver(_) => sum_of_same(b, node, new, before),
        // Of no point a fold is another value than of one.
        Op::FoldOver { fold, .. } => {
            let lifted = lift(b, new, before);
            b.add_as(Op::FoldOver { fold: *fold, arg: lifted }, node.shape.clone(), node.level)
        }
        Op::At { axis, point, empty, .. } if gone.contains(axis) => {
            if let (Some(value), Some(other)) = (b.number(new), b.number(*empty))
                && value.to_bits() == other.to_bits()
            {
                return b.filled(value, &node.shape);
            }
            let mut axes = b.graph.axes_of(now);
            axes.push(*axis);
            let wide = b.graph.make_level(axes)?;
            let lifted = lift(b, new, wide);
            let at = Op::At { arg: lifted, axis: *axis, point: *point, empty: *empty };
            b.add(at).or_else(|| at_full(b, op, new, before))
        }
        // The other value may be over more than what is left.
        Op::At { .. } => b.add(op.clone()).or_else(|| at_full(b, op, new, before)),
        Op::Flatten { grid, line, back, .. } => {
            // Every point is read once, so what is the same at all points is the same.
            let from = if *back { std::slice::from_ref(line) } else { grid };
            let mut axes = b.graph.axes_of(now);
            if !from.iter().any(|a| axes.contains(a)) {
                return Some(new);
            }
            axes.extend(from);
            axes.sort();
            axes.dedup();
            let wide = b.graph.make_level(axes)?;
            let arg = lift(b, new, wide);
            b.add(Op::Flatten { arg, grid: grid.clone(), line: *line, back: *back })
        }
        Op::Remap { maps, .. } => {
            // Read backwards, what is the same at all points is the same; other maps leave points out.
            let kept: Vec<AxisMap> =
                maps.iter().filter(|m| !(m.is_reverse() && gone.contains(&m.from))).cloned().collect();
            let mut axes = b.graph.axes_of(now);
            axes.extend(kept.iter().map(|m| m.from));
            axes.sort();
            axes.dedup();
            match kept.is_empty() {
                true => Some(new),
                false => {
                    let wide = b.graph.make_level(axes)?;
                    let arg = lift(b, new, wide);
                    b.add(Op::Remap { arg, maps: kept })
                }
            }
        }
        _ => None,
    }
}

/// An `at` of a value that is lifted to where it was.
fn at_full(b: &mut Builder, op: &Op, new: NodeId, before: Level) -> Option<NodeId> {
    let lifted = lift(b, new, before);
    let mut first = true;
    let op = op.map_operands(|a| if std::mem::take(&mut first) { lifted } else { a });
    b.add(op)
}

/// ∑ over n points of one value is n times the value.
fn sum_of_same(b: &mut Builder, node: &Node, value: NodeId, before: Level) -> Option<NodeId> {
    if b.graph.as_const(value) == Some(0.0) {
        return Some(value);
    }
    let (counted, to) = b.graph.tally(b.graph.level(value), before, node.level)?;
    // A number for each example, added up on its own, keeps the value out of the sum.
    if b.graph.level(value) == Level::Shared && to == Level::Shared {
        let mut count = None;
        for axis in &counted {
            let length = b.add(Op::Length(*axis))?;
            count = Some(match count {
                None => length,
                Some(others) => b.add(Op::Binary(Binary::Mul, others, length))?,
            });
        }
        return match count {
            Some(count) => {
                let count = b.add_as(Op::SumOver(count), Vec::new(), Level::Shared)?;
                b.add(Op::Binary(Binary::Mul, count, value))
            }
            None => {
                let lifted = lift(b, value, before);
                b.add_as(Op::SumOver(lifted), node.shape.clone(), node.level)
            }
        };
    }
    let mut value = value;
    for axis in counted {
        let length = b.add(Op::Length(axis))?;
        value = b.add(Op::Binary(Binary::Mul, length, value))?;
    }
    if b.graph.level(value) == to {
        return Some(value);
    }
    b.add_as(Op::SumOver(value), node.shape.clone(), to)
}

/// The same value at a higher level, by a choice whose condition always holds there.
fn lift(b: &mut Builder, value: NodeId, to: Level) -> NodeId {
    if b.graph.is_within(to, b.graph.level(value)) {
        return value;
    }
    lifted(b, value, to).unwrap_or(value)
}

fn lifted(b: &mut Builder, value: NodeId, to: Level) -> Option<NodeId> {
    let always = match to {
        Level::Over(domain) => {
            let one = b.constant(1.0);
            let mut always = None;
            for axis in b.graph.axes(domain) {
                let here = b.add(Op::Position(axis))?;
                let on_axis = b.add(Op::Binary(Binary::Le, one, here))?;
                always = Some(match always {
                    None => on_axis,
                    Some(others) => b.add(Op::Binary(Binary::And, others, on_axis))?,
                });
            }
            always?
        }
        _ => match b.graph.measured_axis() {
            Some(axis) => {
                let zero = b.constant(0.0);
                let length = b.add(Op::Length(axis))?;
                b.add(Op::Binary(Binary::Le, zero, length))?
            }
            None => {
                // Without a domain, a source of the example says whether there is an example.
                let id = b.graph.sources.iter().position(|s| s.level == to)?;
                let mut some = b.add(Op::Source(SourceId(id as u32)))?;
                while !b.graph.is_scalar(some) {
                    some = b.add(Op::Reduce { fold: Fold::Sum, arg: some, axis: 0 })?;
                }
                let same = b.add(Op::Binary(Binary::Eq, some, some))?;
                let other = b.add(Op::Binary(Binary::Ne, some, some))?;
                b.add(Op::Binary(Binary::Or, same, other))?
            }
        },
    };
    b.add(Op::Select(always, value, value))
}

/// The value that a state has at every point and outside, if it is known where it is read.
fn constant_state(b: &mut Builder, old: &Graph, node: &Node, map: &[NodeId]) -> Option<NodeId> {
    let Op::Lag { state, .. } = node.op else { return None };
    let state = &old.states[state.index()];
    let def = state.def?;
    let number = |id: NodeId| old.as_const(id).map(f64::to_bits);
    let alike = |id: &NodeId| *id == def || number(def).is_some() && number(*id) == number(def);
    if matches!(old.level(def), Level::Over(_))
        || old.ty(def) != &Ty::Real
        || !state.boundary().all(|n| alike(&n))
    {
        return None;
    }
    match old.as_const(def) {
        Some(number) => b.filled(number, &node.shape),
        None => map.get(def.index()).copied(),
    }
}

/// What makes two states one.
type Definition<'a> = (DomainId, Option<NodeId>, &'a [NodeId], &'a [Side]);

/// For each state the first one that is defined alike.
fn merge_states(graph: &Graph) -> Vec<StateId> {
    let mut first: BTreeMap<Definition, StateId> = BTreeMap::new();
    let ids = (0..graph.states.len() as u32).map(StateId);
    ids.map(|id| {
        let s = &graph.states[id.index()];
        // Starts that a caller may give each on its own keep their states apart: other sources.
        *first.entry((s.domain, s.def, &s.init, &s.sides)).or_insert(id)
    })
    .collect()
}

/// The graph without what the outputs do not need.
fn prune(graph: Graph) -> Graph {
    let mut needed = vec![false; graph.nodes.len()];
    let mut sources: Vec<bool> =
        graph.sources.iter().map(|s| matches!(s.kind, SourceKind::Cotangent)).collect();
    let mut states = vec![false; graph.states.len()];
    let mut open: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut needed[id.index()], true) {
            continue;
        }
        let op = &graph.node(id).op;
        open.extend(op.operands());
        let state = match op {
            Op::Lag { state, .. } => Some(*state),
            Op::Source(s) => {
                sources[s.index()] = true;
                match graph.sources[s.index()].kind {
                    SourceKind::Initial { state, .. } => Some(state),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(state) = state
            && !std::mem::replace(&mut states[state.index()], true)
        {
            let state = &graph.states[state.index()];
            open.extend(state.values());
        }
    }
    let (node_ids, source_ids, state_ids) = (renumber(&needed), renumber(&sources), renumber(&states));
    let node = |id: NodeId| NodeId(node_ids[id.index()]);
    let state = |id: StateId| StateId(state_ids[id.index()]);
    let mut out = Graph { name: graph.name, domains: graph.domains, ..Graph::default() };
    for (n, _) in graph.nodes.into_iter().zip(&needed).filter(|(_, needed)| **needed) {
        let op = match n.op {
            Op::Source(s) => Op::Source(SourceId(source_ids[s.index()])),
            Op::Lag { state: s, offset } => Op::Lag { state: state(s), offset },
            other => other.map_operands(node),
        };
        out.nodes.push(Node { op, ..n });
    }
    for (mut s, _) in graph.sources.into_iter().zip(&sources).filter(|(_, needed)| **needed) {
        if let SourceKind::Initial { state: of, .. } = &mut s.kind {
            *of = state(*of);
        }
        out.sources.push(s);
    }
    for (s, _) in graph.states.into_iter().zip(&states).filter(|(_, needed)| **needed) {
        let init = s.init.iter().map(|n| node(*n)).collect();
        let sides = s.sides.iter().map(|side| Side { value: node(side.value), ..*side }).collect();
        out.states.push(State { def: s.def.map(node), init, sides, ..s });
    }
    out.outputs.extend(graph.outputs.into_iter().map(|o| Output { node: node(o.node), ..o }));
    out
}

fn renumber(kept: &[bool]) -> Vec<u32> {
    let mut next = 0;
    kept.iter()
        .map(|kept| {
            let id = next;
            next += *kept as u32;
            id
        })
        .collect()
}
