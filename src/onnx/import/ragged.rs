//! Lengths of examples, positions, and masks: what a model does so that steps behind an example's end count for nothing.
//!
//! In the language that is so by itself. Nodes that only see to it are followed as far as what they say of steps, and are then
//! nothing; what they would put behind an end is compared with what the language puts there.

use super::inputs::Form;
use super::sizes::{Size, Sizes};
use super::{Axis, Done, Known, Reader, Value};
use crate::onnx::proto::Node;

/// Something that says where examples end. Of an axis that is not there, or whose extent is 1, nothing is said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub what: What,
    pub axes: Vec<Option<Axis>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// This number at the first step, one more at each.
    Steps(i64),
    /// How many steps an example has.
    Lengths,
    /// Whether a step belongs to an example.
    Inside,
    /// Whether it is its first, or its last.
    First,
    Last,
    /// Whether it has any.
    Any,
    Always,
}

/// A side of a comparison.
enum Side {
    Told(Told),
    Number(i64),
    Extent(Axis),
}

impl Reader<'_> {
    /// Lengths, positions and masks; an input of whole numbers for each example is lengths where it is read like them.
    pub(super) fn told(&mut self, node: &Node, place: usize) -> Done<Option<Told>> {
        let lengths = Told { what: What::Lengths, axes: vec![Some(Axis::Examples)] };
        let name = match self.of(node, place)? {
            Known::Told(told) => return Ok(Some(told.clone())),
            Known::Given(name) if self.form(name) == Form::Lengths => name.clone(),
            _ => return Ok(None),
        };
        self.known.insert(name, Known::Told(lengths.clone()));
        self.note("lengths are given to `rnnc run` as `lengths`, one for all operators".into());
        Ok(Some(lengths))
    }

    fn side(&mut self, node: &Node, place: usize) -> Done<Side> {
        if let Some(told) = self.told(node, place)? {
            return Ok(Side::Told(told));
        }
        match self.of(node, place)?.sizes().and_then(|s| s.single()) {
            Some(Size::Number(n)) => Ok(Side::Number(n)),
            Some(Size::Extent(axis)) => Ok(Side::Extent(axis)),
            _ => {
                Err(self
                    .wrong(node, "lengths and positions are only compared with each other and with numbers"))
            }
        }
    }

    /// Two of them, reckoned with or compared.
    pub(super) fn of_two(&mut self, node: &Node) -> Done<Known> {
        use What::{Always, Any, First, Inside, Last, Lengths, Steps};
        let (mut a, mut b) = (self.side(node, 0)?, self.side(node, 1)?);
        let op = match node.op_type.as_str() {
            "Greater" => "Less",
            "GreaterOrEqual" => "LessOrEqual",
            op => op,
        };
        if op != node.op_type {
            std::mem::swap(&mut a, &mut b);
        }
        let axes = self.together(node, &a, &b)?;
        let what =
            match (op, a.seen(), b.seen()) {
                ("Add", (Some(Steps(k)), _), (None, Some(n)))
                | ("Add", (None, Some(n)), (Some(Steps(k)), _)) => k.checked_add(n).map(Steps),
                ("Sub", (Some(Steps(k)), _), (None, Some(n))) => k.checked_sub(n).map(Steps),
                // An example has no more steps than there are, and none less than none.
                ("Min", (Some(Lengths), _), (None, None)) | ("Min", (None, None), (Some(Lengths), _)) => {
                    Some(Lengths)
                }
                ("Max", (Some(Lengths), _), (None, Some(..=0)))
                | ("Max", (None, Some(..=0)), (Some(Lengths), _)) => Some(Lengths),
                ("Less", (Some(Steps(0)), _), (Some(Lengths), _))
                | ("LessOrEqual", (Some(Steps(1)), _), (Some(Lengths), _)) => Some(Inside),
                ("Equal", (Some(Steps(1)), _), (Some(Lengths), _))
                | ("Equal", (Some(Lengths), _), (Some(Steps(1)), _)) => Some(Last),
                ("Equal", (Some(Steps(k)), _), (None, Some(n)))
                | ("Equal", (None, Some(n)), (Some(Steps(k)), _))
                    if k == n =>
                {
                    Some(First)
                }
                ("LessOrEqual", (None, Some(1)), (Some(Lengths), _))
                | ("Less", (None, Some(0)), (Some(Lengths), _)) => Some(Any),
                ("LessOrEqual", (Some(Lengths), _), (Some(Lengths), _)) => Some(Always),
                ("And", (Some(Always), _), (Some(other), _))
                | ("And", (Some(other), _), (Some(Always), _)) => Some(other),
                ("And", (Some(other), _), (None, Some(1))) | ("And", (None, Some(1)), (Some(other), _)) => {
                    Some(other)
                }
                ("And", (Some(a), _), (Some(b), _)) if a == b => Some(a),
                ("And", (Some(Inside), _), (Some(Any), _)) | ("And", (Some(Any), _), (Some(Inside), _)) => {
                    Some(Inside)
                }
                _ => None,
            };
        // The number of steps is the extent of steps alone.
        let is_whole = |side: &Side| !matches!(side, Side::Extent(axis) if *axis != Axis::Steps);
        match what.filter(|_| is_whole(&a) && is_whole(&b)) {
            Some(what) => Ok(Known::Told(Told { what, axes })),
            None => Err(self.wrong(node, "what it says of lengths or positions is not understood")),
        }
    }

    /// The axes of two sides that are broadcast against each other.
    fn together(&self, node: &Node, a: &Side, b: &Side) -> Done<Vec<Option<Axis>>> {
        let (a, b) = (a.axes(), b.axes());
        let n = a.len().max(b.len());
        let of = |axes: &[Option<Axis>], k: usize| {
            (k + axes.len()).checked_sub(n).and_then(|at| axes.get(at).copied()).flatten()
        };
        let joined: Option<Vec<Option<Axis>>> = (0..n)
            .map(|k| match (of(a, k), of(b, k)) {
                (Some(a), Some(b)) if a != b => None,
                (a, b) => Some(a.or(b)),
            })
            .collect();
        joined.ok_or_else(|| self.wrong(node, "steps and examples are compared with each other"))
    }

    /// 0, 1, … for each step.
    pub(super) fn range(&self, node: &Node) -> Done<Known> {
        let mut ends = Vec::new();
        for k in 0..3 {
            ends.extend(self.of(node, k)?.sizes().and_then(|s| s.single()));
        }
        match ends.as_slice() {
            [Size::Number(from), Size::Extent(Axis::Steps), Size::Number(1)] if *from == 0 => {
                Ok(Known::Told(Told { what: What::Steps(0), axes: vec![Some(Axis::Steps)] }))
            }
            _ => Err(self.wrong(node, "it counts something else than steps, from 0")),
        }
    }

    /// In the shape of an array that it is broadcast to.
    pub(super) fn told_expanded(&self, node: &Node, told: Told, to: &Sizes) -> Done<Known> {
        let n = told.axes.len().max(to.all.len());
        let mut axes = vec![None; n - told.axes.len()];
        axes.extend(told.axes);
        let at = n - to.all.len();
        for (k, size) in to.all.iter().enumerate() {
            match (axes.get_mut(at + k), size) {
                (Some(axis @ None), Size::Extent(other)) => *axis = Some(*other),
                (Some(Some(axis)), Size::Extent(other)) if axis != other => {
                    return Err(self.wrong(node, "steps and examples are mistaken for each other"));
                }
                _ => {}
            }
        }
        Ok(Known::Told(Told { what: told.what, axes }))
    }

    /// `Where(mask, a, b)`.
    pub(super) fn masked(&mut self, node: &Node, mask: Told) -> Done<Known> {
        let a = self.of(node, 1)?.clone();
        let b = self.of(node, 2)?.clone();
        if mask.what == What::Always {
            return Ok(a);
        }
        let value = self.value(node, 1)?;
        let fits = mask.axes.len() <= value.axes.len()
            && mask.axes.iter().rev().zip(value.axes.iter().rev()).all(|(m, v)| m.is_none_or(|m| m == *v));
        if !fits {
            return Err(self.wrong(node, "its mask is over other axes than its value"));
        }
        let is_zero = b.fill() == Some(0.0);
        match mask.what {
            What::Inside if is_zero => Ok(Known::Value(value)),
            What::Inside if self.body.is_some() => match b {
                Known::Value(old) => Ok(Known::Held { value, old }),
                _ => Err(self.wrong(node, "behind an example's end it carries on no state")),
            },
            What::Inside => Err(self.wrong(node, "behind an example's end it has something else than 0")),
            What::First | What::Last if is_zero => Ok(Known::Only { value, first: mask.what == What::First }),
            What::Any if self.is_first(&value, &b) => Ok(Known::Value(value)),
            What::Any => {
                Err(self.wrong(node, "where an example has no step it is not what its state begins with"))
            }
            _ => Err(self.wrong(node, "its condition is none of steps")),
        }
    }

    /// Whether a last state is this where there is no step.
    fn is_first(&self, last: &Value, known: &Known) -> bool {
        let ways = last.parts.len();
        last.parts.iter().enumerate().all(|(way, part)| {
            let wanted = self.starts.lasts.get(part);
            wanted.is_some() && wanted == self.begin(known, last.width, way, ways).as_ref()
        })
    }

    /// `ReduceSum`: of what is 0 at all steps but one, that step.
    pub(super) fn only(&mut self, node: &Node) -> Done<Known> {
        let Known::Only { value, first } = self.of(node, 0)?.clone() else {
            return Err(self.wrong(node, "it adds up more than one step"));
        };
        let axes = self.numbers(node, 1, "axes")?;
        let keeps = super::nodes::attribute(node, "keepdims").is_none_or(|a| a.i != 0);
        match axes.as_slice() {
            [axis] if !keeps && value.axes[self.place(node, &value, *axis)?] == Axis::Steps => {
                Ok(self.one_step(&value, first))
            }
            _ => Err(self.wrong(node, "it adds up other axes than steps")),
        }
    }

    /// The first or the last step; where there is none, 0.
    pub(super) fn one_step(&mut self, v: &Value, first: bool) -> Known {
        let f = if first { "first" } else { "last" };
        let parts: Vec<String> = v.parts.iter().map(|part| self.equation(format!("{f}({part})"))).collect();
        for part in &parts {
            self.starts.lasts.insert(part.clone(), super::starts::Begin::Number(0.0));
        }
        let axes = v.axes.iter().copied().filter(|a| *a != Axis::Steps).collect();
        Known::Value(Value { parts, axes, width: v.width })
    }

    /// Each example's own steps the other way about.
    pub(super) fn reverse_sequence(&mut self, node: &Node) -> Done<Known> {
        let v = self.value(node, 0)?;
        let told = self.told(node, 1)?;
        let whole = |name: &str, or: i64| super::nodes::attribute(node, name).map_or(or, |a| a.i);
        let along = self.place(node, &v, whole("time_axis", 0))?;
        let each = self.place(node, &v, whole("batch_axis", 1))?;
        let fits = told.is_some_and(|t| t.what == What::Lengths)
            && v.axes[along] == Axis::Steps
            && v.axes[each] == Axis::Examples;
        match fits {
            true => Ok(self.reversed(&v)),
            false => Err(self.wrong(node, "it turns something else than the steps of each example")),
        }
    }

    pub(super) fn reversed(&mut self, v: &Value) -> Known {
        let parts = v.parts.iter().map(|part| self.turned_about(part)).collect();
        Known::Value(Value { parts, ..v.clone() })
    }
}

impl Side {
    fn axes(&self) -> &[Option<Axis>] {
        match self {
            Side::Told(told) => &told.axes,
            _ => &[],
        }
    }

    /// What is told, or the number.
    fn seen(&self) -> (Option<What>, Option<i64>) {
        match self {
            Side::Told(told) => (Some(told.what), None),
            Side::Number(n) => (None, Some(*n)),
            Side::Extent(_) => (None, None),
        }
    }
}
