//! The inputs of a model: what each is, found out when it is first read.
//!
//! `[steps, batch, numbers]` and `[steps, batch]` of symbols are sequences, `[batch, numbers]` is one value for each example, and
//! `[batch]` whole numbers are lengths where they are used as such. Arrays of first states, `[directions, batch, units]`, become an
//! input for each direction.

use super::sizes::{Size, Sizes};
use super::{Axis, Done, Known, MOST_NOTED, Reader, Value};
use crate::onnx::proto::{Extent, ValueInfo, element};
use crate::weights::Array;

/// A shape that can be an input's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Numbers(usize),
    Symbols,
    /// `[batch, numbers]`.
    Each(usize),
    /// `[batch]` of whole numbers.
    Lengths,
    /// Anything else.
    Other,
}

impl Reader<'_> {
    /// All inputs are known as such; an initializer of an input's name is a weight, or its default.
    pub(super) fn open_inputs(&mut self) {
        for input in &self.graph.input {
            match self.known.remove(&input.name) {
                Some(Known::Constant(a)) if is_weight(input, &a) => {
                    self.known.insert(input.name.clone(), Known::Constant(a));
                }
                default => {
                    if let Some(Known::Constant(a)) = default {
                        self.defaults.insert(input.name.clone(), a);
                    }
                    self.known.insert(input.name.clone(), Known::Given(input.name.clone()));
                }
            }
        }
    }

    fn info(&self, name: &str) -> (i32, Vec<Option<usize>>) {
        self.infos.get(name).map_or((0, Vec::new()), |info| extents(info))
    }

    pub(super) fn form(&self, name: &str) -> Form {
        let (kind, dims) = self.info(name);
        let is_whole = matches!(kind, element::INT64 | element::INT32);
        match (kind, dims.as_slice()) {
            (element::FLOAT | element::DOUBLE, [_, _, Some(width)]) => Form::Numbers(*width),
            (element::FLOAT | element::DOUBLE, [_, Some(width)]) => Form::Each(*width),
            (_, [_, _]) if is_whole => Form::Symbols,
            (_, [_]) if is_whole => Form::Lengths,
            _ => Form::Other,
        }
    }

    /// The extents of an input, as shapes are computed of them.
    pub(super) fn input_sizes(&self, name: &str) -> Sizes {
        let (_, dims) = self.info(name);
        let meant: &[Axis] = match (self.form(name), self.examples_first) {
            (Form::Numbers(_) | Form::Symbols, false) => &[Axis::Steps, Axis::Examples],
            (Form::Numbers(_) | Form::Symbols, true) => &[Axis::Examples, Axis::Steps],
            (Form::Each(_) | Form::Lengths, _) => &[Axis::Examples],
            (Form::Other, _) => &[],
        };
        let size = |(k, n): (usize, &Option<usize>)| match (n, meant.get(k)) {
            (Some(n), _) => Size::of(*n),
            (None, Some(axis)) => Size::Extent(*axis),
            (None, None) => Size::Unknown,
        };
        Sizes { all: dims.iter().enumerate().map(size).collect(), is_list: true }
    }

    /// A model's input as a value; the layer has it from now on.
    pub(super) fn input(&mut self, name: &str) -> Done<Value> {
        if let Some(Known::Value(v)) = self.known.get(name) {
            return Ok(v.clone());
        }
        let form = self.form(name);
        let (steps, examples) = match self.examples_first {
            false => (Axis::Steps, Axis::Examples),
            true => (Axis::Examples, Axis::Steps),
        };
        // How many symbols there are, the table says.
        let (axes, width, ty) = match form {
            Form::Numbers(width) => {
                (vec![steps, examples, Axis::Units], width, format!("seq<n> of [{width}]"))
            }
            Form::Each(width) => (vec![Axis::Examples, Axis::Units], width, format!("[{width}]")),
            Form::Symbols => (vec![steps, examples], 0, String::new()),
            Form::Lengths => (vec![Axis::Examples], 0, String::new()),
            Form::Other => {
                return Err(self.refused(
                    "an input",
                    name,
                    "it is none of [steps, batch, numbers], [batch, numbers], and symbols [steps, batch]",
                ));
            }
        };
        let own = self.fresh(name);
        self.inputs.push((own.clone(), ty));
        if self.examples_first && matches!(form, Form::Numbers(_) | Form::Symbols) {
            self.note(format!("`{name}` is [batch, steps, …] in the model, and [steps, batch, …] here"));
        }
        if self.defaults.contains_key(name) {
            self.note(format!("`{name}` has a default in the model, and must be given here"));
        }
        let value = Value { parts: vec![own], axes, width };
        self.known.insert(name.to_string(), Known::Value(value.clone()));
        Ok(value)
    }

    /// First states that are one input: an input of the layer for each direction, or layer, and direction.
    pub(super) fn states(&mut self, name: &str) -> Done<Value> {
        if let Some(Known::Value(v)) = self.known.get(name) {
            return Ok(v.clone());
        }
        let (kind, dims) = self.info(name);
        let (element::FLOAT | element::DOUBLE, [Some(count), _, Some(width)]) = (kind, dims.as_slice())
        else {
            return Err(self.refused("an input", name, "first states are [directions, batch, units]"));
        };
        let (count, width) = (*count, *width);
        if !(1..=MOST_NOTED).contains(&count) {
            return Err(self.refused("an input", name, "it has too many first states"));
        }
        let mut parts = Vec::new();
        for k in 0..count {
            let own = of_way(name, k, count);
            let own = self.fresh(&own);
            self.inputs.push((own.clone(), format!("[{width}]")));
            parts.push(own);
        }
        let names = parts.iter().map(|p| format!("`{p}`")).collect::<Vec<_>>().join(", ");
        self.note(format!(
            "`{name}` is one array for each direction and layer here, [batch, {width}]: {names}"
        ));
        let value = Value { parts, axes: vec![Axis::Ways, Axis::Examples, Axis::Units], width };
        self.known.insert(name.to_string(), Known::Value(value.clone()));
        Ok(value)
    }
}

/// What the part of one direction, or layer and direction, is called.
pub(super) fn of_way(name: &str, k: usize, count: usize) -> String {
    match (count, k) {
        (_, 0) => name.to_string(),
        (2, _) => format!("{name}_reverse"),
        _ => format!("{name}_{}", k + 1),
    }
}

/// Whether an initializer of an input's name is meant as a weight: it has the input's extents in full.
fn is_weight(input: &ValueInfo, array: &Array) -> bool {
    let (_, dims) = extents(input);
    dims.len() == array.shape.len() && dims.iter().zip(&array.shape).all(|(d, n)| *d == Some(*n))
}

/// The element type and the extents that are numbers.
fn extents(info: &ValueInfo) -> (i32, Vec<Option<usize>>) {
    let Some(tensor) = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return (0, Vec::new());
    };
    let dims = tensor.shape.iter().flat_map(|s| &s.dim).map(|d| match d.value {
        Some(Extent::Number(n)) => usize::try_from(n).ok().filter(|n| *n < 1 << 31),
        _ => None,
    });
    (tensor.elem_type, dims.collect())
}
