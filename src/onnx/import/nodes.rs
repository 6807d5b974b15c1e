//! Nodes between recurrent operators: layers, and what moves axes about.

use super::recurrent::given;
use super::{Axis, Done, Known, MOST_NOTED, Reader, Stop, Value};
use crate::onnx::proto::{Attribute, Node};
use crate::onnx::words;
use crate::weights::onnx::array;
use crate::weights::{Array, Budget, Data};

impl Reader<'_> {
    pub(super) fn node(&mut self, file: &str, node: &Node, budget: &mut Budget) -> Done<()> {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(self.wrong(node, "it is of another set of operators than ONNX's own"));
        }
        // Each reader of a constant makes arrays of its own of it.
        for name in &node.input {
            if let Some(Known::Constant(a)) = self.known.get(name) {
                let bytes = (a.data.len() as u64).saturating_mul(16);
                budget.take(bytes).map_err(|e| Stop::Refused(Box::new(e)))?;
            }
        }
        if [words::PLAIN, words::RESET, words::MEMORY].contains(&node.op_type.as_str()) {
            return self.recurrent(node);
        }
        let known = match node.op_type.as_str() {
            "Constant" => match attribute(node, "value").and_then(|a| a.t.as_deref()) {
                Some(tensor) => {
                    Known::Constant(array(file, tensor, budget).map_err(|e| Stop::Refused(Box::new(e)))?)
                }
                None => return Err(self.wrong(node, "its value is no tensor")),
            },
            "Shape" => Known::Sizes,
            "ConstantOfShape" => self.zeros(file, node, budget)?,
            "Identity" | words::DROPPED | "Cast" => self.same(node)?,
            "Transpose" => self.transpose(node)?,
            "Squeeze" | "Unsqueeze" if self.is_sizes(node) => Known::Sizes,
            "Squeeze" => self.squeeze(node)?,
            "Reshape" => self.reshape(node)?,
            "Gather" => self.gather(node)?,
            "Slice" if matches!(self.of(node, 0)?, Known::Zeros) => Known::Zeros,
            "Expand" if matches!(self.of(node, 0)?, Known::Zeros) => Known::Zeros,
            "Concat" => self.concat(node)?,
            "MatMul" => self.product(node, 1, false, None)?,
            "Gemm" => self.gemm(node)?,
            "Softmax" => self.softmax(node)?,
            "LayerNormalization" => self.normalised(node)?,
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(node)?,
            op => match function(op) {
                Some(f) => {
                    let v = self.value(node, 0)?;
                    self.mapped(&v, |part| format!("{f}({part})"))
                }
                None => return Err(self.wrong(node, "this operator is not among those that are read")),
            },
        };
        if let Some(name) = node.output.first() {
            self.known.insert(name.clone(), known);
        }
        Ok(())
    }

    /// What an input stands for.
    fn of(&self, node: &Node, place: usize) -> Done<&Known> {
        let name =
            given(node, place).ok_or_else(|| self.wrong(node, &format!("input {} is missing", place + 1)))?;
        self.known
            .get(name)
            .ok_or_else(|| self.wrong(node, &format!("input {} comes from nowhere", place + 1)))
    }

    pub(super) fn value(&mut self, node: &Node, place: usize) -> Done<Value> {
        match self.of(node, place)?.clone() {
            Known::Value(v) => Ok(v),
            Known::Given(name) => self.sequence(&name),
            _ => Err(self.wrong(node, &format!("input {} is a constant, or extents", place + 1))),
        }
    }

    fn constant(&self, node: &Node, place: usize) -> Done<&Array> {
        match self.of(node, place)? {
            Known::Constant(a) => Ok(a),
            _ => Err(self.wrong(node, &format!("input {} is not constant", place + 1))),
        }
    }

    /// Whole numbers that say how a node works.
    fn numbers(&self, node: &Node, place: usize, name: &str) -> Done<Vec<i64>> {
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

    fn is_sizes(&self, node: &Node) -> bool {
        matches!(self.of(node, 0), Ok(Known::Sizes | Known::Constant(_)))
    }

    fn mapped(&mut self, v: &Value, f: impl Fn(&str) -> String) -> Known {
        let parts = v.parts.iter().map(|p| self.equation(f(p))).collect();
        Known::Value(Value { parts, ..v.clone() })
    }

    fn zeros(&self, file: &str, node: &Node, budget: &mut Budget) -> Done<Known> {
        let Some(tensor) = attribute(node, "value").and_then(|a| a.t.as_deref()) else {
            return Ok(Known::Zeros);
        };
        let a = array(file, tensor, budget).map_err(|e| Stop::Refused(Box::new(e)))?;
        match a.to_f64().iter().all(|v| *v == 0.0) {
            true => Ok(Known::Zeros),
            false => Err(self.wrong(node, "it makes other numbers than 0")),
        }
    }

    fn same(&self, node: &Node) -> Done<Known> {
        Ok(self.of(node, 0)?.clone())
    }

    fn transpose(&mut self, node: &Node) -> Done<Known> {
        let perm = attribute(node, "perm").map(|a| a.ints.clone());
        if let Known::Constant(a) = self.of(node, 0)? {
            return match (a.shape.as_slice(), perm.as_deref()) {
                ([rows, columns], None | Some([1, 0])) => {
                    let values = turned(&a.to_f32(), *rows, *columns);
                    Ok(Known::Constant(Array::f32(vec![*columns, *rows], values)))
                }
                _ => Err(self.wrong(node, "of constants only matrices are turned")),
            };
        }
        let v = self.value(node, 0)?;
        let n = v.axes.len();
        let perm = perm.unwrap_or_else(|| (0..n as i64).rev().collect());
        let axes: Option<Vec<Axis>> =
            perm.iter().map(|k| usize::try_from(*k).ok().and_then(|k| v.axes.get(k).copied())).collect();
        let mut sorted = perm.clone();
        sorted.sort_unstable();
        match axes.filter(|a| a.len() == n && sorted.iter().enumerate().all(|(i, k)| i as i64 == *k)) {
            Some(axes) => Ok(Known::Value(Value { axes, ..v })),
            None => Err(self.wrong(node, "`perm` is no order of its axes")),
        }
    }

    /// The place of an axis, counted from the end if it is negative.
    fn place(&self, node: &Node, v: &Value, axis: i64) -> Done<usize> {
        let n = v.axes.len() as i64;
        let at = if axis < 0 { axis.checked_add(n) } else { Some(axis) };
        let at = at.filter(|at| (0..n).contains(at)).and_then(|at| usize::try_from(at).ok());
        at.ok_or_else(|| self.wrong(node, "it has no such axis"))
    }

    fn squeeze(&mut self, node: &Node) -> Done<Known> {
        let v = self.value(node, 0)?;
        let axes = self.numbers(node, 1, "axes")?;
        match (axes.as_slice(), v.parts.len()) {
            ([axis], 1) if v.axes[self.place(node, &v, *axis)?] == Axis::Ways => Ok(without(v, Axis::Ways)),
            _ => Err(self.wrong(node, "only the axis of one direction is taken away")),
        }
    }

    /// Directions joined to the units of each.
    fn reshape(&mut self, node: &Node) -> Done<Known> {
        if self.is_sizes(node) {
            return Ok(Known::Sizes);
        }
        let v = self.value(node, 0)?;
        let shape = self.numbers(node, 1, "shape")?;
        let joins = v.axes.ends_with(&[Axis::Ways, Axis::Units]) && shape.len() + 1 == v.axes.len();
        let whole = v.width.checked_mul(v.parts.len()).and_then(|n| i64::try_from(n).ok());
        let last = shape.last().copied();
        if !joins
            || !(last == Some(-1) || last == whole)
            || shape[..shape.len() - 1].iter().any(|n| *n != 0 && *n != -1)
        {
            return Err(self.wrong(node, "only directions are joined to units, as [0, 0, -1] does"));
        }
        let width = v.width * v.parts.len();
        let parts = match v.parts.as_slice() {
            [one] => vec![one.clone()],
            many => vec![self.equation(many.join(" ++ "))],
        };
        Ok(without(Value { parts, width, ..v }, Axis::Ways))
    }

    fn gather(&mut self, node: &Node) -> Done<Known> {
        let axis = attribute(node, "axis").map_or(0, |a| a.i);
        match self.of(node, 0)?.clone() {
            Known::Sizes => return Ok(Known::Sizes),
            Known::Constant(table) => return self.rows(node, table, axis),
            _ => {}
        }
        let v = self.value(node, 0)?;
        let index = self.constant(node, 1)?;
        let (is_scalar, index) = (index.shape.is_empty(), index.to_f64().first().copied());
        let (true, Some(index)) = (is_scalar, index) else {
            return Err(self.wrong(node, "it takes more than one place"));
        };
        let at = self.place(node, &v, axis)?;
        match v.axes[at] {
            Axis::Steps if index == -1.0 || index == 0.0 => {
                let f = if index == 0.0 { "first" } else { "last" };
                let Known::Value(v) = self.mapped(&v, |part| format!("{f}({part})")) else {
                    return Ok(Known::Sizes);
                };
                Ok(without(v, Axis::Steps))
            }
            Axis::Ways => {
                let k = if index < 0.0 { index + v.parts.len() as f64 } else { index };
                let part = (k >= 0.0).then(|| v.parts.get(k as usize).cloned()).flatten();
                let part = part.ok_or_else(|| self.wrong(node, "there is no such direction"))?;
                Ok(without(Value { parts: vec![part], ..v }, Axis::Ways))
            }
            _ => Err(self.wrong(node, "only the first or last step, or a direction, is taken out")),
        }
    }

    /// Rows of a table by symbols.
    fn rows(&mut self, node: &Node, table: Array, axis: i64) -> Done<Known> {
        let [count, width] = table.shape[..] else { return Err(self.wrong(node, "its table is no matrix")) };
        let v = self.value(node, 1)?;
        if axis != 0 || v.width != 0 || v.parts.len() != 1 {
            return Err(self.wrong(node, "it takes no rows by symbols"));
        }
        // The table says how many symbols there are.
        let ty = format!("seq<n> of id({count})");
        if let Some((_, input)) = self.inputs.iter_mut().find(|(name, _)| *name == v.parts[0]) {
            match input.is_empty() || *input == ty {
                true => *input = ty,
                false => return Err(self.wrong(node, "two tables of unlike sizes are read by one input")),
            }
        }
        let text =
            "cell NAME(V, E) {\n  in w : id(V)\n  param table : [V, E] ~ normal(1)\n  out e = table[w]\n}\n";
        let cell = self.cell("Rows", text.into());
        let own = self.equation(format!("{cell}({count}, {width})({})", v.parts[0]));
        self.weights.insert(format!("{own}.table"), Array::f32(table.shape.clone(), table.to_f32()));
        let axes = v.axes.iter().copied().chain([Axis::Units]).collect();
        Ok(Known::Value(Value { parts: vec![own], axes, width }))
    }

    fn concat(&mut self, node: &Node) -> Done<Known> {
        if (0..node.input.len()).all(|k| matches!(self.of(node, k), Ok(Known::Sizes | Known::Constant(_)))) {
            return Ok(Known::Sizes);
        }
        let mut all = Vec::new();
        for k in 0..node.input.len() {
            all.push(self.value(node, k)?);
        }
        let Some(first) = all.first().cloned() else { return Err(self.wrong(node, "it joins nothing")) };
        let at = self.place(node, &first, attribute(node, "axis").map_or(0, |a| a.i))?;
        if all.iter().any(|v| v.axes != first.axes) {
            return Err(self.wrong(node, "it joins values of unlike axes"));
        }
        match first.axes[at] {
            Axis::Ways if all.iter().all(|v| v.width == first.width) => {
                let parts: Vec<String> = all.into_iter().flat_map(|v| v.parts).collect();
                match parts.len() <= MOST_NOTED {
                    true => Ok(Known::Value(Value { parts, ..first })),
                    false => Err(self.wrong(node, "it joins too many directions")),
                }
            }
            Axis::Units if all.iter().all(|v| v.parts.len() == 1 && v.width > 0) => {
                let width = all.iter().fold(0usize, |n, v| n.saturating_add(v.width));
                let text: Vec<&str> = all.iter().map(|v| v.parts[0].as_str()).collect();
                let parts = vec![self.equation(text.join(" ++ "))];
                Ok(Known::Value(Value { parts, width, ..first }))
            }
            _ => Err(self.wrong(node, "only units and directions are joined")),
        }
    }

    fn gemm(&mut self, node: &Node) -> Done<Known> {
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
    fn product(&mut self, node: &Node, place: usize, is_turned: bool, bias: Option<usize>) -> Done<Known> {
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
        let text = "cell NAME(I, O) {\n  in x : [I]\n  param W : [O, I] ~ uniform(1/sqrt(I))\n  param b : [O] = 0\n  out y = W @ x + b\n}\n";
        let cell = self.cell("Affine", text.into());
        let own = self.equation(format!("{cell}({inputs}, {outputs})({})", v.parts[0]));
        self.weights.insert(format!("{own}.W"), Array::f32(vec![outputs, inputs], values));
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

    fn softmax(&mut self, node: &Node) -> Done<Known> {
        let v = self.units(node, 0)?;
        let at = self.place(node, &v, attribute(node, "axis").map_or(-1, |a| a.i))?;
        match v.axes[at] {
            Axis::Units => Ok(self.mapped(&v, |part| format!("softmax({part})"))),
            _ => Err(self.wrong(node, "it goes along another axis than units")),
        }
    }

    fn normalised(&mut self, node: &Node) -> Done<Known> {
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
        self.weights.insert(format!("{own}.g"), Array::f32(vec![v.width], gain));
        self.weights.insert(format!("{own}.s"), Array::f32(vec![v.width], shift));
        Ok(Known::Value(Value { parts: vec![own], ..v }))
    }

    fn arithmetic(&mut self, node: &Node) -> Done<Known> {
        let op = match node.op_type.as_str() {
            "Add" => "+",
            "Sub" => "−",
            "Mul" => "⊙",
            _ => "/",
        };
        let is_constant = |r: &Self, k| matches!(r.of(node, k), Ok(Known::Constant(_)));
        match (is_constant(self, 0), is_constant(self, 1)) {
            (false, false) => {
                let (a, b) = (self.value(node, 0)?, self.value(node, 1)?);
                if a.axes != b.axes || a.width != b.width || a.parts.len() != b.parts.len() || a.width == 0 {
                    return Err(self.wrong(node, "its two sides have unlike axes or units"));
                }
                let pairs = a.parts.iter().zip(&b.parts);
                let texts: Vec<String> = pairs.map(|(a, b)| format!("{a} {op} {b}")).collect();
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
                let mut values = a.to_f32();
                if let [one] = values[..] {
                    values = vec![one; v.width];
                }
                // A constant that is added to a product is its bias.
                let read = given(node, value).unwrap_or("");
                if op == "+" && self.add_bias(&v.parts[0], read, &values) {
                    return Ok(Known::Value(v));
                }
                let (x, y) = if first { ("a", "x") } else { ("x", "a") };
                let text = format!(
                    "cell NAME(H) {{\n  in x : [H]\n  param a : [H] = 1\n  out y = {x} {op} {y}\n}}\n"
                );
                let cell = self.cell("Unitwise", text);
                let own = self.equation(format!("{cell}({})({})", v.width, v.parts[0]));
                self.weights.insert(format!("{own}.a"), Array::f32(vec![v.width], values));
                Ok(Known::Value(Value { parts: vec![own], ..v }))
            }
        }
    }

    /// Adds to the bias of a product that nothing else reads and no equation has followed.
    fn add_bias(&mut self, own: &str, read: &str, values: &[f32]) -> bool {
        let is_product = self.product.as_ref().is_some_and(|(e, name)| e == own && name == read);
        if !is_product || self.readers.get(read) != Some(&1) {
            return false;
        }
        let Some(b) = self.weights.get_mut(&format!("{own}.b")) else { return false };
        let sum = b.to_f32().iter().zip(values).map(|(a, b)| a + b).collect();
        *b = Array::f32(b.shape.clone(), sum);
        true
    }
}

fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n Attribute> {
    node.attribute.iter().find(|a| a.name == name)
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
        "Softplus" => "softplus",
        "Neg" => "−",
        _ => return None,
    })
}

fn without(v: Value, axis: Axis) -> Known {
    let axes = v.axes.iter().copied().filter(|a| *a != axis).collect();
    Known::Value(Value { axes, ..v })
}

/// `[rows, columns]` the other way about.
fn turned(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| values[r * columns + c]).collect()
}
