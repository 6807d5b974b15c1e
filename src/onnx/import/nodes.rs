//! Which node is read where, and what its inputs stand for.

use super::inputs::Form;
use super::recurrent::given;
use super::sizes::Sizes;
use super::starts::Open;
use super::{Axis, Done, Known, Reader, Stop, Value};
use crate::onnx::proto::{Attribute, Node, element};
use crate::onnx::words;
use crate::weights::onnx::array;
use crate::weights::{Array, Budget, Data};

impl<'m> Reader<'m> {
    pub(super) fn node(&mut self, node: &'m Node, budget: &mut Budget) -> Done<()> {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(self.wrong(node, "it is of another set of operators than ONNX's own"));
        }
        // Each reader of a constant makes arrays of its own of it.
        for name in &node.input {
            if let Some(Known::Constant(a) | Known::Spread(a)) = self.known.get(name) {
                let bytes = (a.data.len() as u64).saturating_mul(16);
                budget.take(bytes).map_err(|e| Stop::Refused(Box::new(e)))?;
            }
        }
        if [words::PLAIN, words::RESET, words::MEMORY].contains(&node.op_type.as_str()) {
            return self.recurrent(node);
        }
        if node.op_type == "Scan" {
            return self.scan(node, budget);
        }
        if let (Some(body), Some(name)) = (&mut self.body, node.output.first()) {
            body.hint = name.clone();
        }
        let known = self.read_node(node, budget)?;
        if let Some(name) = node.output.first() {
            self.known.insert(name.clone(), known);
        }
        Ok(())
    }

    fn read_node(&mut self, node: &Node, budget: &mut Budget) -> Done<Known> {
        match node.op_type.as_str() {
            "Constant" => self.fixed(node, budget),
            "Shape" => self.shape(node),
            "ConstantOfShape" => {
                let value = self.attribute_tensor(node, budget)?.and_then(|a| a.to_f64().first().copied());
                self.filled(node, value.unwrap_or(0.0))
            }
            "Identity" | words::DROPPED => Ok(self.of(node, 0)?.clone()),
            "Cast" => self.cast(node),
            "Transpose" => self.transpose(node),
            "Unsqueeze" => self.unsqueeze(node),
            "Squeeze" => self.squeeze(node),
            "Reshape" => self.reshape(node),
            "Expand" => self.expand(node),
            "Gather" => self.gather(node),
            "Slice" => self.slice(node),
            "Concat" => self.concat(node),
            "Range" => self.range(node),
            "Where" => self.choice(node),
            "ReduceSum" => self.only(node),
            "ReverseSequence" => self.reverse_sequence(node),
            "MatMul" => self.product(node, 1, false, None),
            "Gemm" => self.gemm(node),
            "Softmax" => self.softmax(node),
            "LayerNormalization" => self.normalised(node),
            "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max" | "Equal" | "Less" | "LessOrEqual" | "Greater"
            | "GreaterOrEqual" | "And" | "Or" => self.of_numbers(node),
            _ => self.elementwise(node),
        }
    }

    /// What an input stands for.
    pub(super) fn of(&self, node: &Node, place: usize) -> Done<&Known> {
        let name =
            given(node, place).ok_or_else(|| self.wrong(node, &format!("input {} is missing", place + 1)))?;
        self.known
            .get(name)
            .ok_or_else(|| self.wrong(node, &format!("input {} comes from nowhere", place + 1)))
    }

    pub(super) fn value(&mut self, node: &Node, place: usize) -> Done<Value> {
        match self.of(node, place)?.clone() {
            Known::Value(v) => self.in_reach(node, v),
            Known::Given(name) | Known::Open(Open { name, .. }) => {
                let v = self.input(&name)?;
                self.in_reach(node, v)
            }
            Known::Only { .. } | Known::Held { .. } => {
                Err(self.wrong(node, &format!("input {} is only a part of a mask", place + 1)))
            }
            _ => Err(self.wrong(node, &format!("input {} is a constant, or extents", place + 1))),
        }
    }

    pub(super) fn constant(&self, node: &Node, place: usize) -> Done<&Array> {
        match self.of(node, place)? {
            Known::Constant(a) => Ok(a),
            _ => Err(self.wrong(node, &format!("input {} is not constant", place + 1))),
        }
    }

    /// Whole numbers that say how a node works.
    pub(super) fn numbers(&self, node: &Node, place: usize, name: &str) -> Done<Vec<i64>> {
        if let Some(a) = attribute(node, name) {
            return Ok(a.ints.clone());
        }
        let a = self.constant(node, place)?;
        match &a.data {
            Data::I64(v) => Ok(v.clone()),
            Data::I32(v) => Ok(v.iter().map(|n| i64::from(*n)).collect()),
            _ => Err(self.wrong(node, &format!("input {} holds no whole numbers", place + 1))),
        }
    }

    /// A parameter of exactly this shape.
    pub(super) fn weight(&self, node: &Node, place: usize, shape: &[usize]) -> Done<Vec<f32>> {
        let a = self.constant(node, place)?;
        match a.shape == shape {
            true => Ok(a.to_f32()),
            false => {
                let (found, wanted) = (crate::weights::show(&a.shape), crate::weights::show(shape));
                Err(self.wrong(node, &format!("input {} is {found}, where {wanted} is wanted", place + 1)))
            }
        }
    }

    pub(super) fn mapped(&mut self, v: &Value, f: impl Fn(&str) -> String) -> Known {
        let parts = v.parts.iter().map(|p| self.equation(f(p))).collect();
        Known::Value(Value { parts, ..v.clone() })
    }

    fn attribute_tensor(&self, node: &Node, budget: &mut Budget) -> Done<Option<Array>> {
        let tensor = attribute(node, "value").and_then(|a| a.t.as_deref());
        let read = tensor.map(|t| array(self.file, t, budget)).transpose();
        read.map_err(|e| Stop::Refused(Box::new(e)))
    }

    fn fixed(&self, node: &Node, budget: &mut Budget) -> Done<Known> {
        let list = |a: &Attribute, n: usize| if a.name.ends_with('s') { vec![n] } else { Vec::new() };
        let one = node.attribute.first();
        let read = match one.map(|a| (a.name.as_str(), a)) {
            Some(("value", _)) => self.attribute_tensor(node, budget)?,
            Some(("value_int", a)) => Some(Array { shape: Vec::new(), data: Data::I64(vec![a.i]) }),
            Some(("value_float", a)) => Some(Array::f32(Vec::new(), vec![a.f])),
            Some(("value_ints", a)) => {
                Some(Array { shape: list(a, a.ints.len()), data: Data::I64(a.ints.clone()) })
            }
            Some(("value_floats", a)) => Some(Array::f32(list(a, a.floats.len()), a.floats.clone())),
            _ => None,
        };
        read.map(Known::Constant).ok_or_else(|| self.wrong(node, "its value is no tensor"))
    }

    /// Another type of the same numbers.
    fn cast(&mut self, node: &Node) -> Done<Known> {
        let to = attribute(node, "to").map_or(0, |a| a.i) as i32;
        let is_real = matches!(to, element::FLOAT | element::DOUBLE);
        let is_whole = matches!(to, element::INT32 | element::INT64);
        if let Some(told) = self.told(node, 0)? {
            return Ok(Known::Told(told));
        }
        let known = self.of(node, 0)?.clone();
        let fits = match &known {
            Known::Value(v) => {
                if v.width > 0 {
                    is_real
                } else {
                    is_whole
                }
            }
            Known::Given(name) => match self.form(name) {
                Form::Symbols | Form::Lengths => is_whole,
                _ => is_real,
            },
            Known::Open(_) => is_real,
            Known::Constant(a) if is_whole => a.to_f64().iter().all(|v| v.fract() == 0.0),
            Known::Filled(filled) if is_whole => filled.value.fract() == 0.0,
            Known::Only { .. } | Known::Held { .. } => false,
            _ => true,
        };
        match fits {
            true => Ok(known),
            false => {
                Err(self.wrong(node, "numbers of 32 or 64 bits stay what they are, others are not made"))
            }
        }
    }

    /// Reckoning with extents, with lengths, or with values.
    fn of_numbers(&mut self, node: &Node) -> Done<Known> {
        if self.told(node, 0)?.is_some() || self.told(node, 1)?.is_some() {
            return self.of_two(node);
        }
        if let (Some(a), Some(b)) = (self.of(node, 0)?.sizes(), self.of(node, 1)?.sizes()) {
            return self.reckoned(node, &a, &b);
        }
        match node.op_type.as_str() {
            "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max" => self.arithmetic(node),
            _ => Err(self.wrong(node, "it is read of extents and lengths only")),
        }
    }

    fn choice(&mut self, node: &Node) -> Done<Known> {
        if let Some(mask) = self.told(node, 0)? {
            return self.masked(node, mask);
        }
        let sizes = |r: &Self, k: usize| -> Done<Sizes> {
            r.of(node, k)?
                .sizes()
                .ok_or_else(|| r.wrong(node, "its condition is none of steps, and none of extents"))
        };
        self.chosen(node, &sizes(self, 0)?, &sizes(self, 1)?, &sizes(self, 2)?)
    }

    /// The place of an axis, counted from the end if it is negative.
    pub(super) fn place(&self, node: &Node, v: &Value, axis: i64) -> Done<usize> {
        self.counted(node, v.axes.len(), axis)
    }

    pub(super) fn counted(&self, node: &Node, rank: usize, axis: i64) -> Done<usize> {
        let n = rank as i64;
        let at = if axis < 0 { axis.checked_add(n) } else { Some(axis) };
        let at = at.filter(|at| (0..n).contains(at)).and_then(|at| usize::try_from(at).ok());
        at.ok_or_else(|| self.wrong(node, "it has no such axis"))
    }
}

pub(super) fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n Attribute> {
    node.attribute.iter().find(|a| a.name == name)
}

/// Without an axis.
pub(super) fn without(v: Value, axis: Axis) -> Known {
    let axes = v.axes.iter().copied().filter(|a| *a != axis).collect();
    Known::Value(Value { axes, ..v })
}
