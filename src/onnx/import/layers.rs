//! Layers: products, functions of each element, softmax, normalisation.
//!
//! Between recurrences a layer with parameters is an instance of a small cell. In the body of a loop its parameters are the loop's.

use super::axes::turned;
use super::nodes::attribute;
use super::recurrent::given;
use super::{Axis, Done, Known, Reader, Value};
use crate::onnx::proto::Node;
use crate::weights::Array;

impl Reader<'_> {
    pub(super) fn gemm(&mut self, node: &Node) -> Done<Known> {
        let number = |name: &str, or: f32| attribute(node, name).map_or(or, |a| a.f);
        let whole = |name: &str| attribute(node, name).map_or(0, |a| a.i);
        let bias = given(node, 2).map(|_| 2);
        if number("alpha", 1.0) != 1.0 || bias.is_some() && number("beta", 1.0) != 1.0 || whole("transA") != 0
        {
            return Err(self.wrong(node, "`alpha` and `beta` are 1 and `transA` 0 where it is read"));
        }
        self.product(node, 1, whole("transB") != 0, bias)
    }

    /// A value times a constant matrix, which lies the other way about unless it is `turned` already.
    pub(super) fn product(
        &mut self,
        node: &Node,
        place: usize,
        is_turned: bool,
        bias: Option<usize>,
    ) -> Done<Known> {
        let v = self.units(node, 0)?;
        let w = self.constant(node, place)?;
        let (inputs, outputs) = match (w.shape.as_slice(), is_turned) {
            ([i, o], false) | ([o, i], true) => (*i, *o),
            _ => return Err(self.wrong(node, "its second factor is no constant matrix")),
        };
        if inputs != v.width {
            return Err(self.wrong(node, &format!("{inputs} rows do not fit {} units", v.width)));
        }
        let values = if is_turned { w.to_f32() } else { turned(&w.to_f32(), inputs, outputs) };
        let b = match bias {
            Some(place) => self.weight(node, place, &[outputs])?,
            None => vec![0.0; outputs],
        };
        let matrix = Array::f32(vec![outputs, inputs], values);
        if self.body.is_some() {
            let w = self.param(given(node, place).unwrap_or(""), matrix);
            let mut text = format!("{w} @ {}", v.parts[0]);
            if let Some(name) = bias.and_then(|place| given(node, place)) {
                text += &format!(" + {}", self.param(name, Array::f32(vec![outputs], b)));
            }
            let parts = vec![self.equation(text)];
            return Ok(Known::Value(Value { parts, width: outputs, ..v }));
        }
        let text = "cell NAME(I, O) {\n  in x : [I]\n  param W : [O, I] ~ uniform(1/sqrt(I))\n  param b : [O] = 0\n  out y = W @ x + b\n}\n";
        let cell = self.cell("Affine", text.into());
        let own = self.equation(format!("{cell}({inputs}, {outputs})({})", v.parts[0]));
        self.weights.insert(format!("{own}.W"), matrix);
        self.weights.insert(format!("{own}.b"), Array::f32(vec![outputs], b));
        self.product = node.output.first().map(|name| (own.clone(), name.clone()));
        Ok(Known::Value(Value { parts: vec![own], width: outputs, ..v }))
    }

    /// A value whose last axis are units, in one part.
    fn units(&mut self, node: &Node, place: usize) -> Done<Value> {
        let v = self.value(node, place)?;
        match v.axes.last() == Some(&Axis::Units) && v.parts.len() == 1 && v.width > 0 {
            true => Ok(v),
            false => Err(self.wrong(node, "its last axis is none of units")),
        }
    }

    pub(super) fn softmax(&mut self, node: &Node) -> Done<Known> {
        let v = self.units(node, 0)?;
        let at = self.place(node, &v, attribute(node, "axis").map_or(-1, |a| a.i))?;
        match v.axes[at] {
            Axis::Units => Ok(self.mapped(&v, |part| format!("softmax({part})"))),
            _ => Err(self.wrong(node, "it goes along another axis than units")),
        }
    }

    pub(super) fn normalised(&mut self, node: &Node) -> Done<Known> {
        let v = self.units(node, 0)?;
        let at = self.place(node, &v, attribute(node, "axis").map_or(-1, |a| a.i))?;
        let eps = f64::from(attribute(node, "epsilon").map_or(1e-5, |a| a.f));
        if v.axes[at] != Axis::Units || !(eps.is_finite() && eps >= 0.0) {
            return Err(self.wrong(node, "it normalises over other axes than units"));
        }
        let gain = self.weight(node, 1, &[v.width])?;
        let shift =
            if given(node, 2).is_some() { self.weight(node, 2, &[v.width])? } else { vec![0.0; v.width] };
        let text = format!(
            "cell NAME(H) {{\n  in x : [H]\n  param g : [H] = 1\n  param s : [H] = 0\n  m = mean k in H: x[k]\n  \
             v = mean k in H: (x[k] − m)²\n  out y = g ⊙ (x − m) / sqrt(v + {eps:?}) + s\n}}\n"
        );
        let cell = self.cell("Normal", text);
        let own = self.equation(format!("{cell}({})({})", v.width, v.parts[0]));
        self.put(format!("{own}.g"), Array::f32(vec![v.width], gain));
        self.put(format!("{own}.s"), Array::f32(vec![v.width], shift));
        Ok(Known::Value(Value { parts: vec![own], ..v }))
    }

    pub(super) fn arithmetic(&mut self, node: &Node) -> Done<Known> {
        let op = match node.op_type.as_str() {
            "Add" => "+",
            "Sub" => "−",
            "Mul" => "⊙",
            "Div" => "/",
            "Max" => "max",
            _ => "min",
        };
        let is_constant = |r: &Self, k| matches!(r.of(node, k), Ok(Known::Constant(_)));
        match (is_constant(self, 0), is_constant(self, 1)) {
            (false, false) => {
                let (mut a, mut b) = (self.value(node, 0)?, self.value(node, 1)?);
                let is_turned = b.axes.len() > a.axes.len();
                if is_turned {
                    std::mem::swap(&mut a, &mut b);
                }
                // What each example has is the same at each of its steps.
                let fits = a.axes.ends_with(&b.axes) && a.width == b.width && a.parts.len() == b.parts.len();
                if !fits || a.width == 0 {
                    return Err(self.wrong(node, "its two sides have unlike axes or units"));
                }
                let pairs = a.parts.iter().zip(&b.parts);
                let texts: Vec<String> =
                    pairs.map(|(a, b)| if is_turned { pair(op, b, a) } else { pair(op, a, b) }).collect();
                let parts = texts.into_iter().map(|t| self.equation(t)).collect();
                Ok(Known::Value(Value { parts, ..a }))
            }
            (true, true) => Err(self.wrong(node, "both sides are constant")),
            (first, _) => {
                let (value, constant) = if first { (1, 0) } else { (0, 1) };
                let v = self.units(node, value)?;
                let a = self.constant(node, constant)?;
                if a.data.len() != 1 && (a.shape.last() != Some(&v.width) || a.data.len() != v.width) {
                    return Err(
                        self.wrong(node, "its constant side is neither a number nor one for each unit")
                    );
                }
                let values = a.to_f32();
                if self.body.is_some() {
                    return Ok(self.with_own(node, op, v, (constant, values)));
                }
                let values = if let [one] = values[..] { vec![one; v.width] } else { values };
                // A constant that is added to a product is its bias.
                let read = given(node, value).unwrap_or("");
                if op == "+" && self.add_bias(&v.parts[0], read, &values) {
                    return Ok(Known::Value(v));
                }
                let (x, y) = if first { ("a", "x") } else { ("x", "a") };
                let text = format!(
                    "cell NAME(H) {{\n  in x : [H]\n  param a : [H] = 1\n  out y = {}\n}}\n",
                    pair(op, x, y)
                );
                let cell = self.cell("Unitwise", text);
                let own = self.equation(format!("{cell}({})({})", v.width, v.parts[0]));
                self.weights.insert(format!("{own}.a"), Array::f32(vec![v.width], values));
                Ok(Known::Value(Value { parts: vec![own], ..v }))
            }
        }
    }

    /// In a loop: a value with a number, or with a parameter of the loop.
    fn with_own(&mut self, node: &Node, op: &str, v: Value, (place, values): (usize, Vec<f32>)) -> Known {
        let own = match values[..] {
            [one] if one.is_finite() && one >= 0.0 => one.to_string(),
            [one] if one.is_finite() => format!("({one})"),
            [one] => {
                self.param(given(node, place).unwrap_or(""), Array::f32(vec![v.width], vec![one; v.width]))
            }
            _ => self.param(given(node, place).unwrap_or(""), Array::f32(vec![v.width], values)),
        };
        self.mapped(&v, |part| if place == 0 { pair(op, &own, part) } else { pair(op, part, &own) })
    }

    /// Adds to the bias of a product that nothing else reads and no equation has followed.
    fn add_bias(&mut self, own: &str, read: &str, values: &[f32]) -> bool {
        let is_product = self.product.as_ref().is_some_and(|(e, name)| e == own && name == read);
        if !is_product || !self.starts.is_single(read) {
            return false;
        }
        let Some(b) = self.weights.get_mut(&format!("{own}.b")) else { return false };
        let sum = b.to_f32().iter().zip(values).map(|(a, b)| a + b).collect();
        *b = Array::f32(b.shape.clone(), sum);
        true
    }

    /// A function of each element.
    pub(super) fn elementwise(&mut self, node: &Node) -> Done<Known> {
        match function(&node.op_type) {
            Some(f) => {
                let v = self.value(node, 0)?;
                Ok(self.mapped(&v, |part| format!("{f}({part})")))
            }
            None => Err(self.wrong(node, "this operator is not among those that are read")),
        }
    }
}

fn pair(op: &str, a: &str, b: &str) -> String {
    match op {
        "max" | "min" => format!("{op}({a}, {b})"),
        _ => format!("{a} {op} {b}"),
    }
}

/// Functions of each element, as the language calls them.
fn function(op: &str) -> Option<&'static str> {
    Some(match op {
        "Relu" => "relu",
        "Tanh" => "tanh",
        "Sigmoid" => "σ",
        "Exp" => "exp",
        "Log" => "log",
        "Sqrt" => "sqrt",
        "Abs" => "abs",
        "Sign" => "sign",
        "Sin" => "sin",
        "Cos" => "cos",
        "Floor" => "floor",
        "Erf" => "erf",
        "Softplus" => "softplus",
        "Neg" => "−",
        _ => return None,
    })
}
