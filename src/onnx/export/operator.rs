//! A recurrence as one of ONNX's own operators, if its equations are those of one.
//!
//! In: nodes that need one another. They are matched by what they compute, whatever they are called: sums may be in any
//! order, products have either factor first. What is not exactly an operator is left to `Scan`.
//!
//! Known are the three of `onnx/words.rs`, of one direction; one has a reset gate before or after the product, one may see its
//! memory by diagonal weights. A recurrence over a reversed sequence, or one that reads ahead, is `direction = reverse`.

mod matching;

use super::writer::{Elem, Name, Val, int, word, words};
use super::{Done, Exporter};
use crate::eqn::{DomainId, NodeId, Op, StateId};
use crate::onnx::proto::element;
use matching::{Cell, Kind};

/// A cell with where it stands.
struct Placed {
    cell: Cell,
    axis: DomainId,
    /// Reads lead ahead.
    ahead: bool,
}

impl Exporter<'_> {
    /// Writes the operator; false if there is none.
    pub(super) fn operator(&mut self, component: &[NodeId]) -> Done<bool> {
        let Some(placed) = self.placed(component) else { return Ok(false) };
        if self.writer.depth() > 0 {
            return Ok(false);
        }
        let Some(omitted) = self.without(component, &placed) else { return Ok(false) };
        let Some(weights) = self.packed(&placed.cell) else { return Ok(false) };
        self.omitted.extend(omitted);
        self.write_operator(&placed, weights)?;
        Ok(true)
    }

    /// States that are read one step away, all on the same side, and equations that an operator has.
    fn placed(&self, component: &[NodeId]) -> Option<Placed> {
        let mut lags: Vec<(StateId, NodeId)> = Vec::new();
        let mut way = None;
        for id in component {
            let Op::Lag { state, offset } = self.graph.node(*id).op else { continue };
            let of = &self.graph.states[state.index()];
            if !of.def.is_some_and(|d| component.contains(&d)) {
                continue;
            }
            let moves = self.moves(*id, state, offset).ok()?;
            let [(axis, by)] = moves[..] else { return None };
            if by.abs() != 1 || of.domain != axis || *way.get_or_insert((axis, by)) != (axis, by) {
                return None;
            }
            lags.push((state, *id));
        }
        let (axis, by) = way?;
        let cell = matching::cell(self.graph, &self.constants, component, &lags)?;
        Some(Placed { cell, axis, ahead: by > 0 })
    }

    /// The outputs that the operator cannot give, if all else that is read of the recurrence it can: its first state at all
    /// steps, both at the end. Only what every cell hands out by itself may be left out, its states at every step.
    fn without(&self, component: &[NodeId], placed: &Placed) -> Option<Vec<String>> {
        let Placed { cell, .. } = placed;
        let states = [Some(cell.h), cell.c];
        for id in self.needed().into_iter().filter(|id| !component.contains(id)) {
            for read in self.reads(id).into_iter().filter(|r| component.contains(r)) {
                let is_last = (states.iter().flatten())
                    .any(|(s, def)| *def == read && self.is_final(id, *s, placed.axis, placed.ahead));
                if !is_last && read != cell.h.1 {
                    return None;
                }
            }
        }
        let mut omitted = Vec::new();
        for (k, o) in self.graph.outputs.iter().enumerate() {
            if !component.contains(&o.node) || o.node == cell.h.1 {
                continue;
            }
            let is_state = cell.c.is_some_and(|(s, _)| self.graph.states[s.index()].name == o.name);
            if self.options.states || self.options.outputs.is_some() || k == 0 || !is_state {
                return None;
            }
            omitted.push(o.name.to_string());
        }
        Some(omitted)
    }

    /// `W`, `R`, `B` and perhaps `P` of the operator, gates in its order.
    fn packed(&self, cell: &Cell) -> Option<Packed> {
        let (h, i) = (cell.units, cell.inputs);
        let mut packed = Packed { gates: cell.gates.len(), units: h, inputs: i, ..Packed::default() };
        let mut after = Vec::new();
        for gate in &cell.gates {
            packed.w.extend(self.matrix(gate.w, h * i, gate.sign)?);
            packed.r.extend(self.matrix(gate.u, h * h, gate.sign)?);
            packed.b.extend(self.sum(&gate.bias, h, gate.sign)?);
            after.extend(self.sum(&gate.recurrent_bias, h, gate.sign)?);
        }
        packed.b.extend(after);
        if cell.gates.iter().any(|g| g.diagonal.is_some()) {
            for gate in cell.gates.iter().take(3) {
                packed.p.extend(self.matrix(gate.diagonal, h, gate.sign)?);
            }
        }
        Some(packed)
    }

    fn matrix(&self, id: Option<NodeId>, count: usize, sign: f32) -> Option<Vec<f32>> {
        let Some(id) = id else { return Some(vec![0.0; count]) };
        let array = self.constants.get(id)?;
        let values: Vec<f32> = array.iter().map(|v| sign * *v as f32).collect();
        (values.len() == count).then_some(values)
    }

    /// Biases added up; a number stands for all units.
    fn sum(&self, ids: &[NodeId], units: usize, sign: f32) -> Option<Vec<f32>> {
        let mut sum = vec![0.0; units];
        for id in ids {
            let array = self.constants.get(*id)?;
            let values: Vec<f64> = array.iter().copied().collect();
            for (k, s) in sum.iter_mut().enumerate() {
                *s += values.get(if values.len() == 1 { 0 } else { k })?;
            }
        }
        Some(sum.into_iter().map(|v| sign * v as f32).collect())
    }

    /// Behind no step a state is what it was before; runtimes say 0.
    fn unless_empty(&mut self, axis: DomainId, last: Val, start: &Val) -> Val {
        if !self.is_ragged(axis) {
            return last;
        }
        let (length, one) = (self.length_value(axis), self.filler(1.0, Elem::Id));
        let any = self.pairwise("LessOrEqual", &one, &length, Elem::Bool);
        self.elementwise("Where", &[&any, &last, start], Elem::Real, None)
    }

    fn write_operator(&mut self, placed: &Placed, weights: Packed) -> Done<()> {
        let Placed { cell, axis, ahead } = placed;
        let (x, turned) = match (&self.graph.node(cell.x).op, ahead) {
            (Op::Remap { arg, maps }, false)
                if maps.len() == 1 && maps[0].is_reverse() && maps[0].from == *axis =>
            {
                (*arg, true)
            }
            _ => (cell.x, false),
        };
        let v = self.value(x)?;
        let x = self.expanded(&v, &[*axis], true, &[cell.inputs as i64]);
        let kind = cell.kind.word();
        let (g, h, i) = (weights.gates, weights.units, weights.inputs);
        let name = self.graph.node(cell.h.1).name.as_deref().unwrap_or(kind).to_string();
        let w = self.writer.floats(&format!("{name}_W"), &[1, g * h, i], &weights.w);
        let r = self.writer.floats(&format!("{name}_R"), &[1, g * h, h], &weights.r);
        let b = self.writer.floats(&format!("{name}_B"), &[1, 2 * g * h], &weights.b);
        let lengths = match self.is_ragged(*axis) {
            true => {
                let lengths = self.length(*axis);
                self.writer.cast(&lengths, element::INT32).text.to_string()
            }
            false => String::new(),
        };
        let mut input: Vec<String> = [&x.name, &w, &r, &b].iter().map(|n| n.text.to_string()).collect();
        input.push(lengths);
        let mut starts = Vec::new();
        for (state, _) in [Some(cell.h), cell.c].into_iter().flatten() {
            let start = self.boundary(state, *axis, *ahead, 1, Elem::Real)?;
            let start = self.expanded(&start, &[], true, &[h as i64]);
            starts.push(start.clone());
            input.push(self.writer.unsqueeze(&start.name, &[0]).text.to_string());
        }
        if !weights.p.is_empty() {
            let p = self.writer.floats(&format!("{name}_P"), &[1, 3 * h], &weights.p);
            input.push(p.text.to_string());
        }
        let mut attributes = vec![int("hidden_size", h as i64)];
        if *ahead || turned {
            attributes.push(word("direction", "reverse"));
        }
        if cell.activations != cell.kind.activations() {
            let own: Vec<&str> = cell.activations.clone();
            attributes.push(words("activations", &own));
        }
        if cell.kind == (Kind::Reset { after: true }) {
            attributes.push(int("linear_before_reset", 1));
        }
        let count = 1 + 1 + usize::from(cell.c.is_some());
        let output: Vec<Name> = ["Y", "Y_h", "Y_c"][..count]
            .iter()
            .map(|part| Name { text: self.writer.fresh(&format!("{name}_{part}")), scope: 0 })
            .collect();
        let texts = output.iter().map(|n| n.text.to_string()).collect();
        self.writer.push(0, kind, input, texts, attributes);
        let all = Val {
            name: self.writer.squeeze(&output[0], &[1]),
            axes: vec![*axis],
            batch: true,
            rank: 1,
            ty: Elem::Real,
        };
        let states = [Some(cell.h), cell.c].into_iter().flatten();
        for (((state, def), last), start) in states.zip(&output[1..]).zip(starts) {
            let first = self.boundary_node(state, *axis, *ahead, 1);
            let last = Val { name: self.writer.squeeze(last, &[0]), axes: Vec::new(), ..all.clone() };
            let last = self.unless_empty(*axis, last, &start);
            self.finals.insert((def, *axis), (*ahead, first, last));
        }
        let here = match turned {
            false => all,
            true => {
                // The operator's results are in the order of what it reads.
                self.turned.insert(cell.h.1, all.clone());
                self.reversed(&all, *axis)
            }
        };
        self.values.insert(cell.h.1, here);
        Ok(())
    }
}

/// Arrays of an operator.
#[derive(Default)]
struct Packed {
    gates: usize,
    units: usize,
    inputs: usize,
    w: Vec<f32>,
    r: Vec<f32>,
    b: Vec<f32>,
    p: Vec<f32>,
}
