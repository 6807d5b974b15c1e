//! A recurrence as a `Scan`: a loop along one axis whose body is a graph.
//!
//! In: nodes that need one another. An axis is chosen along which all reads of the past lead one way; these reads become
//! what the loop carries, as many values for a state as steps are read back. What is left in the body may be a
//! recurrence along another axis, and is one loop inside the other. Where examples have lengths, a step behind an
//! example's end carries on what was there before: `Where(t < length, new, old)`.

use super::writer::{Elem, Name, Val, graph, int, ints};
use super::{Done, Exporter};
use crate::eqn::{DomainId, NodeId, Op, Point, StateId};
use crate::onnx::errors;
use crate::onnx::proto::{Graph as GraphProto, TensorType, Type as TypeProto, ValueInfo};
use std::collections::BTreeMap;

/// A read of a state within its own recurrence.
struct Read {
    lag: NodeId,
    state: StateId,
    moves: Vec<(DomainId, i32)>,
}

/// How a recurrence becomes a loop.
struct Plan {
    axis: DomainId,
    backwards: bool,
}

/// One state of a loop.
struct Carried {
    state: StateId,
    def: NodeId,
    /// What it was one step ago, two steps ago, …, in the body.
    past: Vec<Val>,
    /// Before the first step, outside.
    start: Vec<Name>,
}

impl Exporter<'_> {
    pub(super) fn recurrence(&mut self, component: &[NodeId]) -> Done<()> {
        let reads = self.own_reads(component)?;
        let Some(plan) = plan(&reads) else {
            let names = component.iter().filter_map(|id| self.graph.node(*id).name.as_deref());
            let names: Vec<String> = names.take(4).map(|n| format!("`{n}`")).collect();
            return Err(Box::new(errors::no_loops(&self.graph.name, &names.join(", "))));
        };
        let (cut, _): (Vec<&Read>, Vec<&Read>) =
            reads.iter().partition(|r| r.moves.iter().any(|(a, _)| *a == plan.axis));
        let mut carried = self.start(&cut, &plan)?;
        self.writer.open(plan.axis);
        self.carry_in(&cut, &mut carried, &plan)?;
        let lags: Vec<NodeId> = cut.iter().map(|r| r.lag).collect();
        self.block(component, &lags)?;
        let next = self.carry_out(&carried, &plan)?;
        let wanted = self.wanted_outside(component, &carried, &plan);
        let mut results = Vec::new();
        for id in &wanted {
            let v = self.value(*id)?;
            results.push((*id, v));
        }
        self.values.retain(|id, _| !component.contains(id));
        self.write(&plan, carried, next, results)
    }

    fn own_reads(&self, component: &[NodeId]) -> Done<Vec<Read>> {
        let mut reads = Vec::new();
        for id in component {
            let Op::Lag { state, offset } = self.graph.node(*id).op else { continue };
            if self.graph.states[state.index()].def.is_some_and(|d| component.contains(&d)) {
                reads.push(Read { lag: *id, state, moves: self.moves(*id, state, offset)? });
            }
        }
        Ok(reads)
    }

    /// Each state that is carried, with what it is before the first step.
    fn start(&mut self, cut: &[&Read], plan: &Plan) -> Done<Vec<Carried>> {
        let mut depths: BTreeMap<StateId, u32> = BTreeMap::new();
        for read in cut {
            let depth = depths.entry(read.state).or_default();
            *depth = read.along(plan.axis).unsigned_abs().max(*depth);
        }
        let mut all = Vec::new();
        for (state, depth) in depths {
            let of = &self.graph.states[state.index()];
            let Some(def) = of.def else { continue };
            let ty = Elem::of(&of.ty);
            let (axes, own) = self.carried_layout(state, plan.axis);
            let mut start = Vec::new();
            for k in 1..=depth {
                let v = self.boundary(state, plan.axis, plan.backwards, k, ty)?;
                start.push(self.expanded(&v, &axes, true, &own).name);
            }
            all.push(Carried { state, def, past: Vec::new(), start });
        }
        Ok(all)
    }

    /// What a state has at one step of a loop along an axis: points along the other axes, and the extents of one value.
    fn carried_layout(&self, state: StateId, axis: DomainId) -> (Vec<DomainId>, Vec<i64>) {
        let of = &self.graph.states[state.index()];
        let around = self.writer.around();
        let axes = self.graph.axes(of.domain).into_iter();
        let axes = axes.filter(|a| *a != axis && !around.contains(a)).collect();
        (axes, of.shape.iter().filter_map(|d| d.as_constant()).collect())
    }

    /// Names what is carried, and gives the reads of it their values.
    fn carry_in(&mut self, cut: &[&Read], carried: &mut [Carried], plan: &Plan) -> Done<()> {
        let scope = self.writer.depth();
        for c in carried.iter_mut() {
            let of = &self.graph.states[c.state.index()];
            let (axes, own) = self.carried_layout(c.state, plan.axis);
            for k in 1..=c.start.len() {
                let hint = if k == 1 { format!("{}_past", of.name) } else { format!("{}_past{k}", of.name) };
                let name = Name { text: self.writer.fresh(&hint), scope };
                let ty = Elem::of(&of.ty);
                c.past.push(Val { name, axes: axes.clone(), batch: true, rank: own.len(), ty });
            }
        }
        for read in cut {
            let steps = read.along(plan.axis).unsigned_abs() as usize;
            let Some(c) = carried.iter().find(|c| c.state == read.state) else { continue };
            let past = c.past[steps - 1].clone();
            let rest: Vec<(DomainId, i32)> =
                read.moves.iter().copied().filter(|(a, _)| *a != plan.axis).collect();
            let v = match rest.is_empty() {
                true => past,
                false => {
                    // A corner: the boundary is one for all sides.
                    self.no_corner(read.lag, read.state)?;
                    self.moved(read.lag, past, read.state, &rest)?
                }
            };
            self.values.insert(read.lag, v);
        }
        Ok(())
    }

    fn no_corner(&self, lag: NodeId, state: StateId) -> Done<()> {
        let of = &self.graph.states[state.index()];
        match of.sides.len() + of.init.len() > 1 {
            true => Err(self.refused(lag, "it reads across a corner, with boundaries that differ")),
            false => Ok(()),
        }
    }

    /// What each state hands on: its value now, then its past without the oldest.
    fn carry_out(&mut self, carried: &[Carried], plan: &Plan) -> Done<Vec<Name>> {
        let mask = self.mask(plan.axis);
        let mut next = Vec::new();
        for c in carried {
            let (axes, own) = self.carried_layout(c.state, plan.axis);
            let v = self.value(c.def)?;
            let v = self.expanded(&v, &axes, true, &own);
            let new: Vec<Val> = std::iter::once(v).chain(c.past.iter().cloned()).collect();
            for (new, old) in new.iter().zip(&c.past) {
                let name = match &mask {
                    None => new.name.clone(),
                    Some(mask) => {
                        let here = self.writer.read(mask.clone());
                        self.elementwise("Where", &[&here, new, old], new.ty, None).name
                    }
                };
                next.push(name);
            }
        }
        Ok(next)
    }

    /// Nodes of a component that something else reads at other steps than the last, or that are outputs.
    fn wanted_outside(&self, component: &[NodeId], carried: &[Carried], plan: &Plan) -> Vec<NodeId> {
        let mut wanted: Vec<NodeId> = self.graph.outputs.iter().map(|o| o.node).collect();
        for id in self.needed().into_iter().filter(|id| !component.contains(id)) {
            wanted.extend(self.reads(id).into_iter().filter(|read| {
                let of = carried.iter().find(|c| c.def == *read);
                !of.is_some_and(|c| self.is_final(id, c.state, plan.axis, plan.backwards))
            }));
        }
        component.iter().copied().filter(|id| wanted.contains(id)).collect()
    }

    /// Whether a node is a state's value behind the last step of a loop, which the loop hands out by itself.
    pub(super) fn is_final(&self, id: NodeId, state: StateId, axis: DomainId, backwards: bool) -> bool {
        let Op::At { arg, axis: along, point, empty } = &self.graph.node(id).op else { return false };
        let end = if backwards { Point::First } else { Point::Last };
        self.graph.states[state.index()].def == Some(*arg)
            && (*along, *point) == (axis, end)
            && self.boundary_node(state, axis, backwards, 1) == *empty
    }

    /// Closes the body and writes its loop.
    fn write(
        &mut self,
        plan: &Plan,
        carried: Vec<Carried>,
        next: Vec<Name>,
        results: Vec<(NodeId, Val)>,
    ) -> Done<()> {
        let scope = self.writer.depth();
        if !self.writer.has_slices() {
            // A loop needs something to go along.
            let positions = self.positions(plan.axis);
            self.writer.read(positions);
        }
        let outs = next.iter().chain(results.iter().map(|(_, v)| &v.name));
        let outs: Vec<Name> = outs.cloned().collect();
        // A result is something that its own graph has made, and has one name each.
        let outs: Vec<String> = outs.iter().map(|n| self.body_output(n, scope)).collect();
        let body = self.writer.close();
        let states: Vec<&Val> = carried.iter().flat_map(|c| &c.past).collect();
        let input = states.iter().map(|v| untyped(&v.name.text, Some(v.ty)));
        let input = input.chain(body.slices.iter().map(|(_, _, step)| untyped(&step.text, None))).collect();
        let output = outs.iter().map(|name| untyped(name, None)).collect();
        let name = format!("step along {}", self.graph.domains[plan.axis.index()].extent);
        let proto = GraphProto { node: body.nodes, name, initializer: Vec::new(), input, output };
        let parent = scope - 1;
        let mut finals = Vec::new();
        for v in &states {
            finals.push(Name { text: self.writer.fresh(&format!("{}_final", v.name.text)), scope: parent });
        }
        let mut stacked = Vec::new();
        for (id, v) in &results {
            let mut axes = v.axes.clone();
            let place = axes.iter().filter(|a| **a < plan.axis).count();
            axes.insert(place, plan.axis);
            let hint = self.graph.node(*id).name.as_deref().unwrap_or("steps").to_string();
            let name = Name { text: self.writer.fresh(&format!("{hint}_all")), scope: parent };
            stacked.push((place as i64, *id, Val { name, axes, ..v.clone() }));
        }
        let inputs =
            carried.iter().flat_map(|c| &c.start).chain(body.slices.iter().map(|(whole, _, _)| whole));
        let inputs = inputs.map(|n| n.text.to_string()).collect();
        let outputs = finals.iter().chain(stacked.iter().map(|(_, _, v)| &v.name));
        let outputs = outputs.map(|n| n.text.to_string()).collect();
        let places: Vec<i64> = body.slices.iter().map(|(_, place, _)| *place as i64).collect();
        let result_places: Vec<i64> = stacked.iter().map(|(place, _, _)| *place).collect();
        let mut attributes = vec![
            graph("body", proto),
            int("num_scan_inputs", places.len() as i64),
            ints("scan_input_axes", places.clone()),
        ];
        if !result_places.is_empty() {
            attributes.push(ints("scan_output_axes", result_places.clone()));
        }
        if plan.backwards {
            attributes.push(ints("scan_input_directions", vec![1; places.len()]));
            if !result_places.is_empty() {
                attributes.push(ints("scan_output_directions", vec![1; result_places.len()]));
            }
        }
        self.writer.push(parent, "Scan", inputs, outputs, attributes);
        let mut finals = finals.into_iter();
        for c in &carried {
            let first = self.boundary_node(c.state, plan.axis, plan.backwards, 1);
            let names: Vec<Name> = finals.by_ref().take(c.past.len()).collect();
            if let (Some(name), Some(past)) = (names.first(), c.past.first()) {
                self.finals.insert((c.def, plan.axis), (plan.backwards, first, past.named(name.clone())));
            }
        }
        self.values.extend(stacked.into_iter().map(|(_, id, v)| (id, v)));
        Ok(())
    }

    /// The name under which a body hands a value out.
    fn body_output(&mut self, name: &Name, scope: usize) -> String {
        let text = self.writer.fresh(&format!("{}_out", name.text)).to_string();
        self.writer.push(scope, "Identity", vec![name.text.to_string()], vec![text.clone()], Vec::new());
        text
    }
}

impl Read {
    fn along(&self, axis: DomainId) -> i32 {
        self.moves.iter().find(|(a, _)| *a == axis).map_or(0, |(_, k)| *k)
    }
}

/// An axis along which all reads lead one way, so that those left have one too.
fn plan(reads: &[Read]) -> Option<Plan> {
    let rest: Vec<&Read> = reads.iter().collect();
    plan_of(&rest)
}

fn plan_of(reads: &[&Read]) -> Option<Plan> {
    let mut axes: Vec<DomainId> = reads.iter().flat_map(|r| r.moves.iter().map(|(a, _)| *a)).collect();
    axes.sort();
    axes.dedup();
    axes.into_iter().find_map(|axis| {
        let along: Vec<i32> = reads.iter().map(|r| r.along(axis)).collect();
        let (back, ahead) = (along.iter().any(|k| *k < 0), along.iter().any(|k| *k > 0));
        let left: Vec<&Read> = reads.iter().copied().filter(|r| r.along(axis) == 0).collect();
        let works = back != ahead && (left.is_empty() || plan_of(&left).is_some());
        works.then_some(Plan { axis, backwards: ahead })
    })
}

/// A value of a body; its shape is the runtime's to find.
fn untyped(name: &str, ty: Option<Elem>) -> ValueInfo {
    let tensor = ty.map(|ty| TensorType { elem_type: ty.code(), shape: None });
    ValueInfo { name: name.to_string(), r#type: tensor.map(|t| TypeProto { tensor_type: Some(t) }) }
}
