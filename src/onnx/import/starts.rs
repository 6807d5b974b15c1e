//! What a state begins with: a number, a parameter, a value of the layer, or what a caller may give.

use super::{Axis, Known, Reader};
use crate::onnx::proto::{Graph, Node};
use crate::weights::Array;
use std::collections::BTreeMap;

/// An input `[batch, units]` with a default of one number, that only one state begins with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open {
    pub name: String,
    pub default: f64,
    pub width: usize,
    pub axes: Vec<Axis>,
}

/// What a state begins with in one direction.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Begin {
    Number(f64),
    Learnt(Vec<f32>),
    /// An expression of the layer.
    Given(String),
    /// As the input says, or its default.
    Open {
        name: String,
        default: f64,
    },
}

/// Nodes whose result is their first input but for its axes.
const MOVES: [&str; 6] = ["Identity", "Expand", "Unsqueeze", "Squeeze", "Cast", "Transpose"];

pub(super) struct Starts<'m> {
    /// What a name is but for its axes.
    origin: BTreeMap<&'m str, &'m str>,
    /// How often it is read for more than its shape.
    reads: BTreeMap<&'m str, usize>,
    /// What a last state is where there is no step, by its expression.
    pub lasts: BTreeMap<String, Begin>,
}

impl<'m> Starts<'m> {
    pub fn of(graph: &'m Graph) -> Starts<'m> {
        let mut starts = Starts { origin: BTreeMap::new(), reads: BTreeMap::new(), lasts: BTreeMap::new() };
        starts.nodes(&graph.node);
        for output in &graph.output {
            starts.read(&output.name);
        }
        starts
    }

    fn nodes(&mut self, nodes: &'m [Node]) {
        for node in nodes {
            let moved = node.input.first().zip(node.output.first());
            if let Some((from, to)) = moved.filter(|_| MOVES.contains(&node.op_type.as_str())) {
                self.origin.insert(to, self.origin(from));
                continue;
            }
            for (k, name) in node.input.iter().enumerate() {
                // What stands behind an example's end, or where it has no step, is compared with what is known.
                let is_compared = node.op_type == "Where" && k == 2;
                if node.op_type != "Shape" && !is_compared {
                    self.read(name);
                }
            }
            for body in node.attribute.iter().filter_map(|a| a.g.as_deref()) {
                self.nodes(&body.node);
            }
        }
    }

    fn origin(&self, name: &'m str) -> &'m str {
        self.origin.get(name).copied().unwrap_or(name)
    }

    fn read(&mut self, name: &'m str) {
        *self.reads.entry(self.origin(name)).or_default() += 1;
    }
}

impl Starts<'_> {
    /// What a name of the model is but for its axes.
    pub fn origin_of(&self, name: &str) -> String {
        self.origin.get(name).copied().unwrap_or(name).to_string()
    }

    /// Whether a name, with all that only moves its axes about, is read once.
    pub fn is_single(&self, name: &str) -> bool {
        self.reads.get(name) == Some(&1)
    }
}

impl Reader<'_> {
    /// An input as a first state that callers may give, if it is one.
    pub(super) fn open(&self, name: &str) -> Option<Open> {
        let super::inputs::Form::Each(width) = self.form(name) else { return None };
        let default = self.defaults.get(name).map(|a| Known::Constant(a.clone()))?.fill()?;
        let is_open = !default.is_nan() && self.starts.is_single(name);
        is_open.then(|| Open {
            name: name.to_string(),
            default,
            width,
            axes: vec![Axis::Examples, Axis::Units],
        })
    }

    /// What a state of so many units begins with, in one direction of several.
    pub(super) fn begin(&self, known: &Known, units: usize, way: usize, ways: usize) -> Option<Begin> {
        if let Some(value) = known.fill() {
            let fits = match known {
                Known::Filled(filled) => match filled.dims.last() {
                    Some(super::sizes::Size::Number(n)) => *n == 1 || usize::try_from(*n) == Ok(units),
                    _ => true,
                },
                _ => true,
            };
            // A number that a constant consists of is a choice of the model, if it is not 0.
            let is_declared = value == 0.0 || matches!(known, Known::Filled(_));
            if fits && is_declared && !value.is_nan() {
                return Some(Begin::Number(value));
            }
        }
        match known {
            Known::Constant(a) | Known::Spread(a) => Some(Begin::Learnt(learnt(a, units, way, ways)?)),
            Known::Open(Open { name, default, width, axes }) => {
                let fits = *width == units && ways == 1 && axes.ends_with(&[Axis::Examples, Axis::Units]);
                fits.then(|| Begin::Open { name: name.clone(), default: *default })
            }
            Known::Value(v) => {
                let fits = match v.axes.as_slice() {
                    [Axis::Ways, Axis::Examples, Axis::Units] => v.parts.len() == ways,
                    [Axis::Examples, Axis::Units] => ways == 1,
                    _ => false,
                };
                let part = v.parts.get(way).filter(|_| fits && v.width == units)?;
                Some(Begin::Given(part.clone()))
            }
            _ => None,
        }
    }
}

/// The units of one direction in `[directions, 1, units]`, `[1, units]` or `[units]`.
fn learnt(a: &Array, units: usize, way: usize, ways: usize) -> Option<Vec<f32>> {
    let at = match a.shape.as_slice() {
        [u] | [1, u] | [1, 1, u] if *u == units => 0,
        [d, 1, u] if *u == units && *d == ways => way * units,
        _ => return None,
    };
    a.to_f32().get(at..at + units).map(<[f32]>::to_vec)
}
