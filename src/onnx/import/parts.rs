//! What cuts arrays, and what joins them.

use super::inputs::Form;
use super::nodes::attribute;
use super::recurrent::given;
use super::sizes::{Filled, Size, Sizes};
use super::{Axis, Done, Known, MOST_NOTED, Reader, Value};
use crate::onnx::proto::Node;
use crate::weights::Array;

/// One axis of a `Slice`.
struct Cut {
    axis: i64,
    start: i64,
    end: i64,
    step: i64,
}

impl Reader<'_> {
    fn cuts(&self, node: &Node, rank: usize) -> Done<Vec<Cut>> {
        let list = |k: usize, name: &str| match (given(node, k), attribute(node, name)) {
            (None, None) => Ok(None),
            _ => self.numbers(node, k, name).map(Some),
        };
        let (starts, ends) = (self.numbers(node, 1, "starts")?, self.numbers(node, 2, "ends")?);
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        let is_fit =
            [ends.len(), axes.len(), steps.len()].iter().all(|n| *n == starts.len()) && axes.len() <= rank;
        if !is_fit {
            return Err(self.wrong(node, "its lists differ in length"));
        }
        let cut = |k: usize| Cut { axis: axes[k], start: starts[k], end: ends[k], step: steps[k] };
        Ok((0..axes.len()).map(cut).collect())
    }

    pub(super) fn slice(&mut self, node: &Node) -> Done<Known> {
        let known = self.of(node, 0)?.clone();
        if let Some(sizes) = known.sizes().filter(|s| s.is_list) {
            let all = self.cuts(node, 1)?.iter().fold(sizes.all, |all, cut| cut.of(&all));
            return Ok(Known::Sizes(Sizes { all, is_list: true }));
        }
        let zeros = |a: &Array| a.to_f64().iter().all(|v| *v == 0.0);
        let filled = match known {
            Known::Filled(filled) => Some(filled),
            Known::Constant(a) if zeros(&a) => {
                let dims = a.shape.iter().map(|n| Size::of(*n)).collect();
                Some(Filled { value: 0.0, dims })
            }
            _ => None,
        };
        if let Some(mut filled) = filled {
            for cut in self.cuts(node, filled.dims.len())? {
                let at = self.counted(node, filled.dims.len(), cut.axis)?;
                filled.dims[at] = match filled.dims[at] {
                    Size::Number(n) => cut.count(n).map_or(Size::Unknown, Size::Number),
                    _ => Size::Unknown,
                };
            }
            return Ok(Known::Filled(filled));
        }
        let mut v = match self.of(node, 0)?.clone() {
            // Of steps nothing is cut off: what is cut along the first axis is a stack of first states.
            Known::Given(name)
                if matches!(self.form(&name), Form::Numbers(_))
                    && self.cuts(node, 3)?.iter().all(|c| c.axis == 0 && c.step == 1 && !c.is_whole()) =>
            {
                self.states(&name)?
            }
            _ => self.value(node, 0)?,
        };
        for cut in self.cuts(node, v.axes.len())? {
            let at = self.place(node, &v, cut.axis)?;
            v = match v.axes[at] {
                _ if cut.is_whole() => v,
                Axis::Steps if cut.is_reverse() => match self.reversed(&v) {
                    Known::Value(v) => v,
                    known => return Ok(known),
                },
                Axis::Ways => Value { parts: cut.of(&v.parts), ..v },
                _ => return Err(self.wrong(node, "steps are only turned about, and directions picked")),
            };
        }
        match v.parts.is_empty() {
            true => Err(self.wrong(node, "nothing is left")),
            false => Ok(Known::Value(v)),
        }
    }

    pub(super) fn concat(&mut self, node: &Node) -> Done<Known> {
        if let Some(known) = self.sizes_joined(node) {
            return Ok(known);
        }
        let axis = attribute(node, "axis").map_or(0, |a| a.i);
        if let Some(filled) = self.filled_joined(node, axis)? {
            return Ok(filled);
        }
        let mut all = Vec::new();
        for k in 0..node.input.len() {
            all.push(self.value(node, k)?);
        }
        let Some(first) = all.first().cloned() else { return Err(self.wrong(node, "it joins nothing")) };
        let at = self.place(node, &first, axis)?;
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

    /// Arrays of one number joined.
    fn filled_joined(&self, node: &Node, axis: i64) -> Done<Option<Known>> {
        let mut joined: Option<Filled> = None;
        for k in 0..node.input.len() {
            let Known::Filled(next) = self.of(node, k)? else { return Ok(None) };
            let Some(all) = &mut joined else {
                joined = Some(next.clone());
                continue;
            };
            if all.value != next.value || all.dims.len() != next.dims.len() {
                return Ok(None);
            }
            let at = self.counted(node, all.dims.len(), axis)?;
            all.dims[at] = match (all.dims[at], next.dims[at]) {
                (Size::Number(a), Size::Number(b)) => a.checked_add(b).map_or(Size::Unknown, Size::Number),
                _ => Size::Unknown,
            };
        }
        Ok(joined.map(Known::Filled))
    }
}

impl Cut {
    fn is_whole(&self) -> bool {
        self.start == 0 && self.end >= i64::from(i32::MAX) && self.step == 1
    }

    fn is_reverse(&self) -> bool {
        self.start == -1 && self.end <= i64::from(i32::MIN) && self.step == -1
    }

    /// Where it begins and ends among so many, if it goes ahead one by one.
    fn range(&self, n: i64) -> Option<(i64, i64)> {
        let at = |k: i64| if k < 0 { k.saturating_add(n) } else { k }.clamp(0, n);
        (self.step == 1).then(|| (at(self.start), at(self.end).max(at(self.start))))
    }

    fn count(&self, n: i64) -> Option<i64> {
        self.range(n).map(|(start, end)| end - start)
    }

    /// What is left of a list; nothing where it does not go ahead one by one.
    fn of<T: Clone>(&self, list: &[T]) -> Vec<T> {
        let range = self.range(list.len() as i64).map(|(start, end)| start as usize..end as usize);
        range.and_then(|r| list.get(r)).unwrap_or_default().to_vec()
    }
}
