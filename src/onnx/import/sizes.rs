//! Numbers that make shapes: extents of inputs, picked, joined and reckoned with, and arrays of one number in such a shape.
//!
//! Each number is followed as what it is: a number of the model, an extent of its inputs, or one that is not known. A shape is
//! nothing to the layer, but that an array is filled with 0 whatever its extents are is what a first state is known by.

use super::{Axis, Done, Known, Reader};
use crate::onnx::proto::Node;
use crate::weights::{Array, Data};

/// A whole number that makes shapes; bools are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Number(i64),
    Extent(Axis),
    Unknown,
}

/// One such number, or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub all: Vec<Size>,
    pub is_list: bool,
}

/// One number everywhere in a shape, of which no number is below 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filled {
    pub value: f64,
    pub dims: Vec<Size>,
}

/// Numbers of one list; no shape has as many extents.
const MOST: usize = 64;

impl Size {
    /// An extent that is there; of nothing, there can be more than a whole number holds.
    pub fn of(extent: usize) -> Size {
        i64::try_from(extent).map_or(Size::Unknown, Size::Number)
    }
}

impl Sizes {
    pub fn one(size: Size) -> Sizes {
        Sizes { all: vec![size], is_list: false }
    }

    /// The number, if it is a single one.
    pub fn single(&self) -> Option<Size> {
        match self.all.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    fn picked(&self, index: i64) -> Option<Size> {
        let at = if index < 0 { index.checked_add(self.all.len() as i64)? } else { index };
        self.all.get(usize::try_from(at).ok()?).copied()
    }
}

impl Known {
    /// What this is as numbers that make shapes.
    pub(super) fn sizes(&self) -> Option<Sizes> {
        match self {
            Known::Sizes(sizes) => Some(sizes.clone()),
            Known::Constant(a) if a.shape.len() <= 1 && a.data.len() <= MOST => {
                let all = match &a.data {
                    Data::I64(v) => v.iter().map(|n| Size::Number(*n)).collect(),
                    Data::I32(v) => v.iter().map(|n| Size::Number(i64::from(*n))).collect(),
                    _ => return None,
                };
                Some(Sizes { all, is_list: a.shape.len() == 1 })
            }
            Known::Filled(Filled { value, dims }) if value.fract() == 0.0 && value.abs() < 1e15 => {
                let one = Size::Number(*value as i64);
                match dims.as_slice() {
                    [] => Some(Sizes::one(one)),
                    [Size::Number(n)] if (0..=MOST as i64).contains(n) => {
                        Some(Sizes { all: vec![one; *n as usize], is_list: true })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The number that this is everywhere.
    pub(super) fn fill(&self) -> Option<f64> {
        match self {
            Known::Filled(filled) => Some(filled.value),
            Known::Constant(a) | Known::Spread(a) => {
                let values = a.to_f64();
                let first = *values.first()?;
                values.iter().all(|v| *v == first).then_some(first)
            }
            _ => None,
        }
    }
}

impl Filled {
    /// In a shape that it is broadcast to.
    pub fn expanded(&self, to: &Sizes) -> Filled {
        let n = self.dims.len().max(to.all.len());
        let of = |list: &[Size], k: usize| {
            (k + list.len()).checked_sub(n).and_then(|at| list.get(at).copied()).unwrap_or(Size::Number(1))
        };
        let dims = (0..n).map(|k| match (of(&self.dims, k), of(&to.all, k)) {
            (Size::Number(1), other) | (other, Size::Number(1)) => other,
            (own, _) => own,
        });
        let dims = dims.map(|size| if matches!(size, Size::Number(..0)) { Size::Unknown } else { size });
        Filled { value: self.value, dims: dims.collect() }
    }
}

impl Reader<'_> {
    pub(super) fn shape(&mut self, node: &Node) -> Done<Known> {
        let all = match self.of(node, 0)? {
            Known::Constant(a) => a.shape.iter().map(|n| Size::of(*n)).collect(),
            Known::Filled(filled) => filled.dims.clone(),
            Known::Given(name) => self.input_sizes(name).all,
            Known::Open(open) => {
                let of = |axis: &Axis| match axis {
                    Axis::Ways => Size::Number(1),
                    Axis::Units => Size::of(open.width),
                    axis => Size::Extent(*axis),
                };
                open.axes.iter().map(of).collect()
            }
            Known::Value(v) => {
                let of = |axis: &Axis| match axis {
                    Axis::Ways => Size::of(v.parts.len()),
                    Axis::Units => Size::of(v.width),
                    axis => Size::Extent(*axis),
                };
                v.axes.iter().map(of).collect()
            }
            Known::Sizes(sizes) if sizes.is_list => vec![Size::of(sizes.all.len())],
            _ => return Err(self.wrong(node, "its shape is not known")),
        };
        let n = all.len() as i64;
        let end = |name: &str, or: i64| match super::nodes::attribute(node, name).map(|a| a.i) {
            Some(k) if k < 0 => k.saturating_add(n).clamp(0, n),
            Some(k) => k.min(n),
            None => or,
        };
        let (start, end) = (end("start", 0), end("end", n));
        let all = all.get(start as usize..end.max(start) as usize).unwrap_or_default().to_vec();
        Ok(Known::Sizes(Sizes { all, is_list: true }))
    }

    /// An array of one number; nothing but its shape takes memory here.
    pub(super) fn filled(&self, node: &Node, value: f64) -> Done<Known> {
        match self.of(node, 0)?.sizes() {
            Some(sizes) if sizes.all.iter().any(|size| matches!(size, Size::Number(..0))) => {
                Err(self.wrong(node, "an extent of its shape is below 0"))
            }
            Some(sizes) if sizes.is_list => Ok(Known::Filled(Filled { value, dims: sizes.all })),
            _ => Err(self.wrong(node, "its shape is no list of extents")),
        }
    }

    /// Numbers reckoned with, each with its partner or all with one.
    pub(super) fn reckoned(&self, node: &Node, a: &Sizes, b: &Sizes) -> Done<Known> {
        let n = match (a.all.len(), b.all.len()) {
            (a, b) if a == b => a,
            (1, n) | (n, 1) => n,
            _ => return Err(self.wrong(node, "its two lists of extents differ in length")),
        };
        let of = |s: &Sizes, k: usize| s.all.get(if s.all.len() == 1 { 0 } else { k }).copied();
        let all = (0..n).filter_map(|k| Some(fold(&node.op_type, of(a, k)?, of(b, k)?))).collect();
        Ok(Known::Sizes(Sizes { all, is_list: a.is_list || b.is_list }))
    }

    /// Of two lists, the one or the other at each place.
    pub(super) fn chosen(&self, node: &Node, c: &Sizes, a: &Sizes, b: &Sizes) -> Done<Known> {
        let n = c.all.len().max(a.all.len()).max(b.all.len());
        if [c, a, b].iter().any(|s| s.all.len() != n && s.all.len() != 1) {
            return Err(self.wrong(node, "its lists of extents differ in length"));
        }
        let of = |s: &Sizes, k: usize| s.all.get(if s.all.len() == 1 { 0 } else { k }).copied();
        let pick = |k: usize| match (of(c, k)?, of(a, k)?, of(b, k)?) {
            (Size::Number(0), _, b) => Some(b),
            (Size::Number(_), a, _) => Some(a),
            (_, a, b) => Some(if a == b { a } else { Size::Unknown }),
        };
        let all = (0..n).filter_map(pick).collect();
        Ok(Known::Sizes(Sizes { all, is_list: c.is_list || a.is_list || b.is_list }))
    }

    pub(super) fn picked(&self, node: &Node, from: &Sizes) -> Done<Known> {
        let index = self.constant(node, 1)?;
        let (is_list, places) = (index.shape.len() == 1, self.numbers(node, 1, "")?);
        if index.shape.len() > 1 || places.len() > MOST {
            return Err(self.wrong(node, "it picks extents by a table"));
        }
        let all: Option<Vec<Size>> = places.iter().map(|k| from.picked(*k)).collect();
        let all = all.ok_or_else(|| self.wrong(node, "there is no such extent"))?;
        Ok(Known::Sizes(Sizes { all, is_list }))
    }

    pub(super) fn sizes_joined(&self, node: &Node) -> Option<Known> {
        let mut all = Vec::new();
        for k in 0..node.input.len() {
            all.extend(self.of(node, k).ok()?.sizes()?.all);
        }
        (all.len() <= MOST).then_some(Known::Sizes(Sizes { all, is_list: true }))
    }

    /// Constants, extents and arrays of one number in another shape.
    pub(super) fn reshaped(&self, node: &Node) -> Done<Option<Known>> {
        let known = self.of(node, 0)?;
        if !matches!(known, Known::Constant(_) | Known::Filled(_) | Known::Sizes(_)) {
            return Ok(None);
        }
        let to = match super::nodes::attribute(node, "shape") {
            Some(a) => a.ints.iter().take(MOST).map(|n| Size::Number(*n)).collect(),
            None => self.of(node, 1)?.sizes().ok_or_else(|| self.wrong(node, "its shape is not known"))?.all,
        };
        Ok(Some(match known {
            Known::Constant(a) => {
                let shape = whole_shape(&to, a);
                let shape = shape.ok_or_else(|| self.wrong(node, "a constant does not fit its shape"))?;
                Known::Constant(Array { shape, data: a.data.clone() })
            }
            Known::Filled(filled) => {
                let unknown = |d: &Size| if matches!(d, Size::Number(..1)) { Size::Unknown } else { *d };
                Known::Filled(Filled { dims: to.iter().map(unknown).collect(), ..filled.clone() })
            }
            Known::Sizes(sizes) if to.len() <= 1 => {
                Known::Sizes(Sizes { all: sizes.all.clone(), is_list: to.len() == 1 })
            }
            _ => return Err(self.wrong(node, "its extents become a table")),
        }))
    }
}

/// The shape that a constant takes; one extent may be left to be found, and 0 keeps its own.
fn whole_shape(to: &[Size], a: &Array) -> Option<Vec<usize>> {
    let mut shape = Vec::new();
    let mut open = None;
    for (k, size) in to.iter().enumerate() {
        shape.push(match size {
            Size::Number(0) => *a.shape.get(k)?,
            Size::Number(-1) if open.replace(k).is_none() => 1,
            Size::Number(n) => usize::try_from(*n).ok()?,
            _ => return None,
        });
    }
    let count = crate::weights::count(&shape)?;
    match open {
        Some(k) if count > 0 && a.data.len().is_multiple_of(count) => {
            *shape.get_mut(k)? = a.data.len() / count
        }
        _ if count == a.data.len() => {}
        _ => return None,
    }
    Some(shape)
}

fn fold(op: &str, a: Size, b: Size) -> Size {
    use Size::{Extent, Number, Unknown};
    match (op, a, b) {
        (_, Number(a), Number(b)) => number(op, a, b).map_or(Unknown, Number),
        ("Add" | "Sub", a, Number(0)) | ("Mul" | "Div", a, Number(1)) => a,
        ("Add", Number(0), b) | ("Mul", Number(1), b) => b,
        // No extent is negative.
        ("Equal", Extent(_), Number(..0)) | ("Equal", Number(..0), Extent(_)) => Number(0),
        ("Max", Extent(e), Number(..=0)) | ("Max", Number(..=0), Extent(e)) => Extent(e),
        ("Min" | "Max", Extent(a), Extent(b)) if a == b => Extent(a),
        ("Equal", Extent(a), Extent(b)) if a == b => Number(1),
        _ => Unknown,
    }
}

fn number(op: &str, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        "Add" => a.checked_add(b)?,
        "Sub" => a.checked_sub(b)?,
        "Mul" => a.checked_mul(b)?,
        "Div" => a.checked_div(b)?,
        "Min" => a.min(b),
        "Max" => a.max(b),
        "Equal" => i64::from(a == b),
        "Less" => i64::from(a < b),
        "LessOrEqual" => i64::from(a <= b),
        "Greater" => i64::from(a > b),
        "GreaterOrEqual" => i64::from(a >= b),
        "And" => i64::from(a != 0 && b != 0),
        "Or" => i64::from(a != 0 || b != 0),
        _ => return None,
    })
}
