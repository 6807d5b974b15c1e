//! What moves axes about; what joins and cuts them is in `parts.rs`.

use super::nodes::{attribute, without};
use super::ragged::Told;
use super::sizes::{Filled, Size, Sizes};
use super::starts::Open;
use super::{Axis, Done, Known, Reader, Value};
use crate::onnx::proto::Node;
use crate::weights::Array;

impl Reader<'_> {
    pub(super) fn transpose(&mut self, node: &Node) -> Done<Known> {
        let perm = attribute(node, "perm").map(|a| a.ints.clone());
        let order = |n: usize| {
            let perm = perm.clone().unwrap_or_else(|| (0..n as i64).rev().collect());
            let mut sorted = perm.clone();
            sorted.sort_unstable();
            let is_order = sorted.len() == n && sorted.iter().enumerate().all(|(i, k)| i as i64 == *k);
            is_order.then(|| perm.iter().filter_map(|k| usize::try_from(*k).ok()).collect::<Vec<_>>())
        };
        let unlike = |r: &Self| r.wrong(node, "`perm` is no order of its axes");
        match self.of(node, 0)? {
            Known::Constant(a) => {
                return match (a.shape.as_slice(), perm.as_deref()) {
                    ([rows, columns], None | Some([1, 0])) => {
                        let values = turned(&a.to_f32(), *rows, *columns);
                        Ok(Known::Constant(Array::f32(vec![*columns, *rows], values)))
                    }
                    _ => Err(self.wrong(node, "of constants only matrices are turned")),
                };
            }
            Known::Filled(filled) => {
                let order = order(filled.dims.len()).ok_or_else(|| unlike(self))?;
                let dims = order.iter().map(|k| filled.dims[*k]).collect();
                return Ok(Known::Filled(Filled { dims, value: filled.value }));
            }
            Known::Told(told) => {
                let order = order(told.axes.len()).ok_or_else(|| unlike(self))?;
                let axes = order.iter().map(|k| told.axes[*k]).collect();
                return Ok(Known::Told(Told { axes, what: told.what }));
            }
            _ => {}
        }
        let v = self.value(node, 0)?;
        let order = order(v.axes.len()).ok_or_else(|| unlike(self))?;
        let axes = order.iter().map(|k| v.axes[*k]).collect();
        Ok(Known::Value(Value { axes, ..v }))
    }

    /// An axis of one direction put in.
    pub(super) fn unsqueeze(&mut self, node: &Node) -> Done<Known> {
        let axes = self.numbers(node, 1, "axes")?;
        if let Some(mut told) = self.told(node, 0)? {
            for at in self.put_in(node, told.axes.len(), &axes)? {
                told.axes.insert(at, None);
            }
            return Ok(Known::Told(told));
        }
        match self.of(node, 0)?.clone() {
            Known::Constant(mut a) => {
                for at in self.put_in(node, a.shape.len(), &axes)? {
                    a.shape.insert(at, 1);
                }
                Ok(Known::Constant(a))
            }
            Known::Filled(mut filled) => {
                for at in self.put_in(node, filled.dims.len(), &axes)? {
                    filled.dims.insert(at, Size::Number(1));
                }
                Ok(Known::Filled(filled))
            }
            Known::Sizes(Sizes { all, is_list: false }) if axes == [0] || axes == [-1] => {
                Ok(Known::Sizes(Sizes { all, is_list: true }))
            }
            Known::Spread(a) if axes == [0] => Ok(Known::Spread(a)),
            known => {
                let open = match &known {
                    Known::Open(open) => Some(open.clone()),
                    Known::Given(name) => self.open(name),
                    _ => None,
                };
                match (open, axes.as_slice()) {
                    (Some(open), [0]) if open.axes.len() == 2 => {
                        let axes = vec![Axis::Ways, Axis::Examples, Axis::Units];
                        Ok(Known::Open(Open { axes, ..open }))
                    }
                    _ => self.one_way(node, &axes),
                }
            }
        }
    }

    fn one_way(&mut self, node: &Node, axes: &[i64]) -> Done<Known> {
        let v = self.value(node, 0)?;
        let at = self.put_in(node, v.axes.len(), axes)?;
        let [at] = at[..] else { return Err(self.wrong(node, "it puts in more than one axis")) };
        if v.axes.contains(&Axis::Ways) || v.parts.len() != 1 {
            return Err(self.wrong(node, "an axis of one direction is put in where there is none yet"));
        }
        let mut axes = v.axes.clone();
        axes.insert(at, Axis::Ways);
        Ok(Known::Value(Value { axes, ..v }))
    }

    /// The places of axes of the result that are put in, ascending.
    fn put_in(&self, node: &Node, rank: usize, axes: &[i64]) -> Done<Vec<usize>> {
        if axes.len() > 8 {
            return Err(self.wrong(node, "it puts in too many axes"));
        }
        let mut places = Vec::new();
        for axis in axes {
            places.push(self.counted(node, rank + axes.len(), *axis)?);
        }
        places.sort_unstable();
        places.dedup();
        match places.len() == axes.len() {
            true => Ok(places),
            false => Err(self.wrong(node, "it puts an axis in twice")),
        }
    }

    pub(super) fn squeeze(&mut self, node: &Node) -> Done<Known> {
        let axes = self.numbers(node, 1, "axes")?;
        let [axis] = axes[..] else { return Err(self.wrong(node, "it takes away more than one axis")) };
        if let Some(mut told) = self.told(node, 0)? {
            let at = self.counted(node, told.axes.len(), axis)?;
            return match told.axes.remove(at) {
                None => Ok(Known::Told(told)),
                Some(_) => Err(self.wrong(node, "it takes away an axis of steps or examples")),
            };
        }
        let gone = |r: &Self, at: usize, is_one: bool| {
            if is_one { Ok(at) } else { Err(r.wrong(node, "the axis that it takes away is not 1")) }
        };
        match self.of(node, 0)?.clone() {
            Known::Constant(mut a) => {
                let at = self.counted(node, a.shape.len(), axis)?;
                a.shape.remove(gone(self, at, a.shape[at] == 1)?);
                Ok(Known::Constant(a))
            }
            Known::Filled(mut filled) => {
                let at = self.counted(node, filled.dims.len(), axis)?;
                filled.dims.remove(gone(self, at, filled.dims[at] == Size::Number(1))?);
                Ok(Known::Filled(filled))
            }
            Known::Sizes(sizes) if sizes.all.len() == 1 => {
                Ok(Known::Sizes(Sizes { all: sizes.all, is_list: false }))
            }
            Known::Open(open) if open.axes.len() == 3 && axis == 0 => {
                Ok(Known::Open(Open { axes: vec![Axis::Examples, Axis::Units], ..open }))
            }
            _ => {
                let v = self.value(node, 0)?;
                match v.axes[self.place(node, &v, axis)?] == Axis::Ways && v.parts.len() == 1 {
                    true => Ok(without(v, Axis::Ways)),
                    false => Err(self.wrong(node, "only the axis of one direction is taken away")),
                }
            }
        }
    }

    /// Directions joined to the units of each.
    pub(super) fn reshape(&mut self, node: &Node) -> Done<Known> {
        if let Some(known) = self.reshaped(node)? {
            return Ok(known);
        }
        let v = self.value(node, 0)?;
        let shape = match attribute(node, "shape") {
            Some(a) => a.ints.iter().take(8).map(|n| Size::Number(*n)).collect(),
            None => self.of(node, 1)?.sizes().map(|s| s.all).unwrap_or_default(),
        };
        let joins = v.axes.ends_with(&[Axis::Ways, Axis::Units]) && shape.len() + 1 == v.axes.len();
        let whole = v.width.checked_mul(v.parts.len()).and_then(|n| i64::try_from(n).ok());
        let is_whole = |s: &Size| matches!(s, Size::Number(n) if *n == -1 || Some(*n) == whole);
        let is_kept = |(s, axis): (&Size, &Axis)| match s {
            Size::Number(n) => *n == 0 || *n == -1,
            Size::Extent(e) => e == axis,
            Size::Unknown => false,
        };
        let open = shape.iter().filter(|s| **s == Size::Number(-1)).count();
        let fits = joins
            && open <= 1
            && shape.last().is_some_and(is_whole)
            && shape[..shape.len() - 1].iter().zip(&v.axes).all(is_kept);
        if !fits {
            return Err(self.wrong(node, "only directions are joined to units, as [0, 0, -1] does"));
        }
        let width = v.width * v.parts.len();
        let parts = match v.parts.as_slice() {
            [one] => vec![one.clone()],
            many => vec![self.equation(many.join(" ++ "))],
        };
        Ok(without(Value { parts, width, ..v }, Axis::Ways))
    }

    /// For each example, or at each step: a value is there already.
    pub(super) fn expand(&mut self, node: &Node) -> Done<Known> {
        let to = self.of(node, 1)?.sizes().ok_or_else(|| self.wrong(node, "its shape is not known"))?;
        if let Some(told) = self.told(node, 0)? {
            return self.told_expanded(node, told, &to);
        }
        match self.of(node, 0)?.clone() {
            Known::Constant(a) if a.data.len() == 1 => {
                let dims = a.shape.iter().map(|n| Size::of(*n)).collect();
                let value = a.to_f64().first().copied().unwrap_or(0.0);
                Ok(Known::Filled(Filled { value, dims }.expanded(&to)))
            }
            Known::Constant(a) | Known::Spread(a) => Ok(Known::Spread(a)),
            Known::Filled(filled) => Ok(Known::Filled(filled.expanded(&to))),
            Known::Open(open) if to.all.len() <= open.axes.len() => Ok(Known::Open(open)),
            Known::Given(name) if self.open(&name).is_some() && to.all.len() <= 2 => {
                Ok(self.open(&name).map_or(Known::Given(name), Known::Open))
            }
            _ => {
                let v = self.value(node, 0)?;
                match to.all.len() <= v.axes.len() {
                    true => Ok(Known::Value(v)),
                    false => Err(self.wrong(node, "it gives a value more axes")),
                }
            }
        }
    }

    pub(super) fn gather(&mut self, node: &Node) -> Done<Known> {
        let axis = attribute(node, "axis").map_or(0, |a| a.i);
        let known = self.of(node, 0)?.clone();
        match known {
            Known::Constant(table) if table.shape.len() != 1 => return self.rows(node, table, axis),
            Known::Filled(mut filled) => {
                let at = self.counted(node, filled.dims.len(), axis)?;
                let index = self.constant(node, 1)?;
                match index.shape.as_slice() {
                    [] => drop(filled.dims.remove(at)),
                    [n] => filled.dims[at] = Size::of(*n),
                    _ => return Err(self.wrong(node, "it picks by a table")),
                }
                return Ok(Known::Filled(filled));
            }
            known => {
                if let Some(sizes) = known.sizes() {
                    return self.picked(node, &sizes);
                }
            }
        }
        let v = self.value(node, 0)?;
        let index = self.constant(node, 1)?;
        let (is_scalar, index) = (index.shape.is_empty(), index.to_f64().first().copied());
        let (true, Some(index)) = (is_scalar, index) else {
            return Err(self.wrong(node, "it takes more than one place"));
        };
        let at = self.place(node, &v, axis)?;
        match v.axes[at] {
            Axis::Steps if index == -1.0 || index == 0.0 => Ok(self.one_step(&v, index == 0.0)),
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
        if axis != 0 || v.width != 0 || v.parts.len() != 1 || self.body.is_some() {
            return Err(self.wrong(node, "it takes no rows by symbols"));
        }
        // The table says how many symbols there are.
        let ty = match v.axes.contains(&Axis::Steps) {
            true => format!("seq<n> of id({count})"),
            false => format!("id({count})"),
        };
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
}

/// `[rows, columns]` the other way about.
pub(super) fn turned(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| values[r * columns + c]).collect()
}
