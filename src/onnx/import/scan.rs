//! `Scan`, a loop along steps, as a cell of the equations of its body.
//!
//! What the loop carries are the cell's states, what it reads of each step its inputs; the constants that its body reads are its
//! parameters. A state that stands still behind an example's end, `Where(t < length, new, old)`, is what a state of the language
//! does by itself. Not read are loops in loops, and states and steps that are no vectors for each example.

mod body;

use super::nodes::attribute;
use super::ragged::Told;
use super::sizes::{Filled, Size};
use super::starts::Begin;
use super::{Axis, Done, Equation, Known, MOST_NOTED, Reader, Stop, Value};
use crate::onnx::proto::{Graph, Node};
use crate::weights::onnx::array;
use crate::weights::{Array, Budget};
pub(super) use body::Body;

/// A state of the loop.
pub(super) struct Carried {
    pub name: String,
    pub width: String,
    pub begin: Begin,
}

/// A loop as its node says it.
struct Loop<'m> {
    graph: &'m Graph,
    states: usize,
    backwards: bool,
}

impl<'m> Reader<'m> {
    pub(super) fn scan(&mut self, node: &'m Node, budget: &mut Budget) -> Done<()> {
        let said = self.loop_of(node)?;
        let starts = self.carried(node, &said)?;
        let mut slices = Vec::new();
        for place in said.states..node.input.len() {
            slices.push(self.sliced(node, place)?);
        }
        let mut body = Body::default();
        body.taken.take("Normal");
        self.body = Some(body);
        let carried = self.enter(&said, starts, slices)?;
        for tensor in &said.graph.initializer {
            let read = array(self.file, tensor, budget).map_err(|e| Stop::Refused(Box::new(e)))?;
            self.known.insert(tensor.name.clone(), Known::Constant(read));
        }
        for inner in &said.graph.node {
            self.node(inner, budget)?;
        }
        let outs = self.leave(node, &said, &carried)?;
        self.forget(said.graph);
        self.apply(node, &said, carried, outs)
    }

    fn loop_of(&self, node: &'m Node) -> Done<Loop<'m>> {
        if self.body.is_some() {
            return Err(self.wrong(node, "it is a loop in a loop"));
        }
        let graph = attribute(node, "body").and_then(|a| a.g.as_deref());
        let graph = graph.ok_or_else(|| self.wrong(node, "it has no body"))?;
        let slices = attribute(node, "num_scan_inputs").and_then(|a| usize::try_from(a.i).ok());
        let states = slices.and_then(|n| node.input.len().checked_sub(n));
        let states = states.filter(|n| *n <= graph.output.len() && graph.input.len() == node.input.len());
        let states = states.filter(|_| node.output.len() <= graph.output.len());
        let states =
            states.ok_or_else(|| self.wrong(node, "its body has other inputs or outputs than it"))?;
        if graph.input.len().max(graph.output.len()) > MOST_NOTED || states == 0 {
            return Err(self.wrong(node, "it has too many inputs or outputs, or carries nothing"));
        }
        let list = |name: &str| attribute(node, name).map(|a| a.ints.as_slice()).unwrap_or_default();
        let (ins, outs) = (list("scan_input_directions"), list("scan_output_directions"));
        let backwards = ins.iter().chain(outs).any(|d| *d != 0);
        let whole = |dirs: &[i64], n: usize| match backwards {
            true => dirs.len() == n && dirs.iter().all(|d| *d == 1),
            false => true,
        };
        if !whole(ins, node.input.len() - states) || !whole(outs, graph.output.len() - states) {
            return Err(self.wrong(node, "it goes both ways at once"));
        }
        if list("scan_output_axes").iter().any(|axis| *axis != 0) {
            return Err(self.wrong(node, "its results have steps on another axis than the first"));
        }
        Ok(Loop { graph, states, backwards })
    }

    /// What each state begins with, and its units.
    fn carried(&mut self, node: &Node, said: &Loop) -> Done<Vec<(Begin, usize)>> {
        let mut all = Vec::new();
        for place in 0..said.states {
            let known = match self.of(node, place)?.clone() {
                Known::Given(name) => match self.open(&name) {
                    Some(open) => Known::Open(open),
                    None => Known::Value(self.input(&name)?),
                },
                known => known,
            };
            let width = match &known {
                Known::Value(v) => Some(v.width),
                Known::Open(open) => Some(open.width),
                Known::Constant(a) | Known::Spread(a) => a.shape.last().copied(),
                Known::Filled(Filled { dims, .. }) => match dims.as_slice() {
                    [_, Size::Number(n)] => usize::try_from(*n).ok(),
                    _ => None,
                },
                _ => None,
            };
            let width = width.filter(|n| (1..1 << 24).contains(n));
            let begin = width.and_then(|width| Some((self.begin(&known, width, 0, 1)?, width)));
            all.push(
                begin.ok_or_else(|| {
                    self.wrong(node, &format!("its start {} is no [batch, units]", place + 1))
                })?,
            );
        }
        Ok(all)
    }

    /// What a loop reads of each step, with its steps still there.
    fn sliced(&mut self, node: &Node, place: usize) -> Done<Known> {
        let axes = attribute(node, "scan_input_axes").map(|a| a.ints.as_slice()).unwrap_or_default();
        let slices = attribute(node, "num_scan_inputs").map_or(0, |a| a.i) as usize;
        let axis = axes.get(place + slices - node.input.len()).copied().unwrap_or(0);
        let unlike =
            |r: &Self| r.wrong(node, &format!("input {} has no steps where they are wanted", place + 1));
        if let Some(told) = self.told(node, place)? {
            let at = self.counted(node, told.axes.len(), axis)?;
            return match told.axes[at] {
                Some(Axis::Steps) => Ok(Known::Told(told)),
                _ => Err(unlike(self)),
            };
        }
        let v = self.value(node, place)?;
        match v.axes.as_slice() {
            [Axis::Steps, Axis::Examples, Axis::Units] if self.place(node, &v, axis)? == 0 => {
                Ok(Known::Value(v))
            }
            [Axis::Examples, Axis::Steps, Axis::Units] => Err(Stop::Order),
            _ => Err(unlike(self)),
        }
    }

    /// Names for states and steps in the body.
    fn enter(&mut self, said: &Loop, starts: Vec<(Begin, usize)>, slices: Vec<Known>) -> Done<Vec<Carried>> {
        let mut carried = Vec::new();
        for (input, (begin, width)) in said.graph.input.iter().zip(starts) {
            let hint = input.name.strip_suffix("_past").unwrap_or(&input.name);
            let name = self.fresh(hint);
            let past = format!("{name}[t-1]");
            if let Some(body) = &mut self.body {
                ["0", "_last", "_start"].iter().for_each(|end| body.taken.take(&format!("{name}{end}")));
                body.own.insert(past.clone());
            }
            let axes = vec![Axis::Examples, Axis::Units];
            self.known.insert(input.name.clone(), Known::Value(Value { parts: vec![past], axes, width }));
            carried.push(Carried { name, width: width.to_string(), begin });
        }
        for (input, slice) in said.graph.input.iter().skip(said.states).zip(slices) {
            let known = match slice {
                Known::Told(Told { what, axes }) => {
                    let axes = axes.into_iter().filter(|a| *a != Some(Axis::Steps)).collect();
                    Known::Told(Told { what, axes })
                }
                Known::Value(v) => {
                    let part = self.take_in(&input.name, &v.parts[0], v.width, true);
                    let axes = vec![Axis::Examples, Axis::Units];
                    Known::Value(Value { parts: vec![part], axes, width: v.width })
                }
                known => known,
            };
            self.known.insert(input.name.clone(), known);
        }
        Ok(carried)
    }

    /// A new input of the cell that the body becomes.
    fn take_in(&mut self, hint: &str, outer: &str, width: usize, has_steps: bool) -> String {
        let name = self.fresh(hint);
        if let Some(body) = &mut self.body {
            body.inputs.push((name.clone(), format!("[{width}]"), outer.to_string(), has_steps));
            body.own.insert(name.clone());
        }
        name
    }

    /// A value where it is read: in a loop what the layer has for each example is an input of the cell.
    pub(super) fn in_reach(&mut self, node: &Node, v: Value) -> Done<Value> {
        let Some(body) = &self.body else { return Ok(v) };
        if v.parts.iter().all(|part| body.own.contains(part)) {
            return Ok(v);
        }
        let known =
            v.parts.first().and_then(|part| body.inputs.iter().find(|(_, _, outer, _)| outer == part));
        if let Some((name, ..)) = known.filter(|(.., has_steps)| !has_steps) {
            return Ok(Value { parts: vec![name.clone()], ..v });
        }
        match (v.axes.as_slice(), v.parts.as_slice()) {
            ([Axis::Examples, Axis::Units], [part]) => {
                let part = part.clone();
                let name = self.take_in(&part, &part, v.width, false);
                Ok(Value { parts: vec![name], ..v })
            }
            _ => Err(self.wrong(node, "a loop reads all steps of a value at each of its own")),
        }
    }

    /// A parameter of the loop; one for each constant.
    pub(super) fn param(&mut self, constant: &str, array: Array) -> String {
        let known = self.body.as_ref().and_then(|b| b.params.get(constant)).map(|(name, _)| name.clone());
        if let Some(name) = known {
            return name;
        }
        let own = self.starts.origin_of(constant);
        let name = self.fresh(&own);
        let ty = crate::weights::show(&array.shape);
        if let Some(body) = &mut self.body {
            body.params.insert(constant.to_string(), (name.clone(), ty));
            body.weights.push((name.clone(), array));
        }
        name
    }

    /// A weight of an instance.
    pub(super) fn put(&mut self, name: String, array: Array) {
        match &mut self.body {
            Some(body) => body.weights.push((name, array)),
            None => drop(self.weights.insert(name, array)),
        }
    }

    /// The definitions of the states; names of what the loop hands out at each step, and how many units that has.
    fn leave(&mut self, node: &Node, said: &Loop, carried: &[Carried]) -> Done<Vec<(String, usize)>> {
        let mut outs = Vec::new();
        for (k, output) in said.graph.output.iter().enumerate() {
            let known = self.known.get(&output.name).cloned();
            let state = carried.get(k);
            let value = match known {
                Some(Known::Held { value, old }) => {
                    let own = state.map(|s| format!("{}[t-1]", s.name));
                    Some(value).filter(|_| own.is_some() && old.parts.first() == own.as_ref())
                }
                Some(Known::Value(v)) => Some(self.in_reach(node, v)?),
                _ => None,
            };
            let fits = |v: &Value| {
                v.axes == [Axis::Examples, Axis::Units]
                    && v.parts.len() == 1
                    && state.is_none_or(|s| s.width == v.width.to_string())
            };
            let value = value.filter(fits).ok_or_else(|| {
                self.wrong(node, &format!("result {} of its body is no value of each example", k + 1))
            })?;
            let part = value.parts[0].clone();
            match state.map(|s| s.name.clone()) {
                Some(name) => self.define(name, part),
                None => {
                    let name = self.named(&output.name, part);
                    outs.push((name, value.width));
                }
            }
        }
        Ok(outs)
    }

    fn define(&mut self, name: String, text: String) {
        self.body
            .iter_mut()
            .for_each(|b| b.equations.push(Equation { name: name.clone(), text: text.clone() }));
    }

    /// A name of the cell for what is read of it.
    fn named(&mut self, hint: &str, part: String) -> String {
        // A read of a state one step ago is no name, and an input is none of the cell's results.
        let is_name = |b: &Body| !part.ends_with(']') && !b.inputs.iter().any(|(name, ..)| *name == part);
        match self.body.as_ref().is_some_and(is_name) {
            true => part,
            false => {
                if let Some(body) = &mut self.body {
                    body.hint = hint.to_string();
                }
                self.equation(part)
            }
        }
    }

    /// The cell, and its application in the layer.
    fn apply(
        &mut self,
        node: &Node,
        said: &Loop,
        carried: Vec<Carried>,
        outs: Vec<(String, usize)>,
    ) -> Done<()> {
        let Some(mut body) = self.body.take() else { return Ok(()) };
        let (mut outs, widths): (Vec<String>, Vec<usize>) = outs.into_iter().unzip();
        body.shorten(&carried, &mut outs);
        if !body.inputs.iter().any(|(.., has_steps)| *has_steps) {
            return Err(self.wrong(node, "it reads no value step by step"));
        }
        let text = body.text(&carried, &outs);
        let cell = self.cell("Loop", text);
        let mut arguments = Vec::new();
        for (_, _, outer, has_steps) in &body.inputs {
            let turned = *has_steps && said.backwards;
            arguments.push(if turned { self.turned_about(outer) } else { outer.clone() });
        }
        for state in &carried {
            if let Begin::Given(start) = &state.begin {
                arguments.push(format!("{}0 = {start}", state.name));
            }
        }
        let own = self.equation(format!("{cell}({})", arguments.join(", ")));
        for (name, array) in body.weights {
            self.weights.insert(format!("{own}.{name}"), array);
        }
        self.begun(&own, &carried);
        let mut results = Vec::new();
        for state in carried {
            let part = format!("{own}.{}_last", state.name);
            self.starts.lasts.insert(part.clone(), state.begin);
            let width = state.width.parse().unwrap_or(0);
            results.push(Value { parts: vec![part], axes: vec![Axis::Examples, Axis::Units], width });
        }
        for (name, width) in outs.iter().zip(widths) {
            let part = format!("{own}.{name}");
            let part = if said.backwards { self.turned_about(&part) } else { part };
            let axes = vec![Axis::Steps, Axis::Examples, Axis::Units];
            results.push(Value { parts: vec![part], axes, width });
        }
        for (name, value) in node.output.iter().zip(results) {
            self.known.insert(name.clone(), Known::Value(value));
        }
        Ok(())
    }

    /// Weights and notes of what the states of an instance begin with.
    pub(super) fn begun(&mut self, own: &str, carried: &[Carried]) {
        for state in carried {
            match &state.begin {
                Begin::Learnt(values) => {
                    let array = Array::f32(vec![values.len()], values.clone());
                    self.weights.insert(format!("{own}.{}_start", state.name), array);
                }
                Begin::Open { name, default } => {
                    let path = format!("{own}.{}0", state.name);
                    self.note(format!("`{name}` is `{path}` here, and {default} where it is not given"));
                }
                Begin::Number(_) | Begin::Given(_) => {}
            }
        }
    }

    /// Names of a body mean nothing outside of it.
    fn forget(&mut self, graph: &Graph) {
        let inner = graph.node.iter().flat_map(|n| &n.output).chain(graph.input.iter().map(|i| &i.name));
        inner.chain(graph.initializer.iter().map(|t| &t.name)).for_each(|name| drop(self.known.remove(name)));
    }
}
