//! Lines of layouts as maps between arrays: from left to right they import, from right to left they export.
//!
//! In: a graph of values that arrange parameters, lines, and arrays under foreign names ([`Importer`]) or under ours
//! ([`export`]). Out: the arrays of the other side. Each element of a value lies at a [`Place`]: it is an element of a parameter, with or
//! without a minus, or zero. A line is a sum of foreign arrays: what is imported is the sum, what is exported the first term, and zeros.
//! Invariant: shapes are compared before memory is taken for them, so a program's sizes cost nothing that the file does not hold.

use super::{Array, Arrays, Finder, Misfit, What, count, show};
use crate::eqn::build::{Line, Term};
use crate::eqn::{Graph, NodeId, Op, SourceKind, Unary};
use crate::shape::{Bindings, Dim, show_shape};
use crate::source::Span;
use ndarray::{ArrayD, Axis, IxDyn, Slice};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where an element of a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Zero,
    Of { source: u32, negated: bool, element: usize },
}

/// What a line cannot be read or written for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrong {
    Misfit(Misfit),
    /// The value is no arrangement of parameters, or has no size.
    NoArrangement,
    /// An element that the layout says is zero is another number: where, and which.
    NotZero {
        array: String,
        place: String,
        value: f64,
    },
    /// An element of an array that no line reads: where the first is.
    Unread {
        array: String,
        place: String,
    },
}

/// Our arrays from those of a file.
pub struct Importer<'a> {
    finder: Finder<'a>,
    graph: &'a Graph,
    dims: &'a Bindings,
    /// By the number of the source: its elements, and which of them are there.
    filled: BTreeMap<usize, (Vec<f64>, Vec<bool>)>,
    /// Elements of foreign arrays that lines have read.
    read: BTreeMap<String, Vec<bool>>,
}

impl<'a> Importer<'a> {
    /// `dims` are numbers for dimensions that the graph leaves open.
    pub fn new(finder: Finder<'a>, graph: &'a Graph, dims: &'a Bindings) -> Importer<'a> {
        Importer { finder, graph, dims, filled: BTreeMap::new(), read: BTreeMap::new() }
    }

    /// Reads one line, whose foreign names are whole.
    pub fn line(&mut self, line: &Line) -> Result<(), Vec<(Wrong, Span)>> {
        let no_arrangement = || vec![(Wrong::NoArrangement, line.span)];
        let Some(shape) = extents(self.graph.shape(line.value), self.dims) else {
            // What would have told the sizes may be missing.
            let missing = line.terms.iter().filter(|t| !self.finder.arrays.contains_key(&t.name));
            let wanted = show_shape(self.graph.shape(line.value));
            let misfits = missing.map(|t| (Wrong::Misfit(self.finder.missing(&t.name, &wanted)), t.span));
            let misfits: Vec<_> = misfits.collect();
            return Err(if misfits.is_empty() { no_arrangement() } else { misfits });
        };
        let mut wrong = Vec::new();
        let mut sum: Vec<f64> = Vec::new();
        for term in &line.terms {
            match self.term(term, &shape) {
                Ok(values) if sum.is_empty() => sum = values,
                Ok(values) => sum.iter_mut().zip(values).for_each(|(total, x)| *total += x),
                Err(misfit) => wrong.push((Wrong::Misfit(misfit), term.span)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let places = places(self.graph, line.value, self.dims).ok_or_else(no_arrangement)?;
        for (k, (place, x)) in places.iter().zip(sum).enumerate() {
            match place {
                Place::Of { source, negated, element } => {
                    self.fill(*source as usize, *element, if *negated { -x } else { x })
                }
                Place::Zero if x == 0.0 => {}
                Place::Zero => {
                    let term = line.terms.first();
                    let array = term.map_or_else(String::new, |t| t.name.clone());
                    return Err(vec![(
                        Wrong::NotZero { array, place: index(&shape, k), value: x },
                        line.span,
                    )]);
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, source: usize, element: usize, x: f64) {
        let shape = || self.graph.sources.get(source).and_then(|s| extents(&s.shape, self.dims));
        let (values, known) = self.filled.entry(source).or_insert_with(|| {
            let n = shape().and_then(|s| count(&s)).unwrap_or(0);
            (vec![0.0; n], vec![false; n])
        });
        if let (Some(value), Some(known)) = (values.get_mut(element), known.get_mut(element)) {
            (*value, *known) = (x, true);
        }
    }

    /// The elements of a foreign array, or of rows of it, for a value of this shape.
    fn term(&mut self, term: &Term, wanted: &[usize]) -> Result<Vec<f64>, Misfit> {
        let shown = show(wanted);
        let name = &term.name;
        let Some(array) = self.finder.arrays.get(name) else { return Err(self.finder.missing(name, &shown)) };
        let all = squeezed(array, wanted.len());
        let rows = match &term.rows {
            None => 0..all.first().copied().unwrap_or(1),
            Some(rows) => range(rows, self.dims).unwrap_or(0..0),
        };
        let inner = wanted.get(1..).unwrap_or_default();
        let size: usize = inner.iter().product();
        let fits = all.get(1..).unwrap_or_default() == inner
            && rows.len() == wanted.first().copied().unwrap_or(1)
            && rows.end <= all.first().copied().unwrap_or(1);
        if !fits {
            let wanted_here = match &term.rows {
                None => shown,
                Some(_) => format!("{shown} in rows {}..{}", rows.start + 1, rows.end),
            };
            let turned: Vec<usize> = all.iter().rev().copied().collect();
            let transposed = term.rows.is_none() && wanted.len() == 2 && turned == wanted;
            let what = What::Shape { wanted: wanted_here, found: array.shape.clone(), transposed };
            return Err(Misfit { name: name.clone(), what });
        }
        let elements = rows.start * size..rows.end * size;
        let seen = self.read.entry(name.clone()).or_insert_with(|| vec![false; array.data.len()]);
        seen.iter_mut().take(elements.end).skip(elements.start).for_each(|s| *s = true);
        Ok(array.to_f64().get(elements).unwrap_or_default().to_vec())
    }

    /// Arrays of which lines have read a part.
    pub fn half_read(&self) -> Vec<Wrong> {
        let first = |(name, elements): (&String, &Vec<bool>)| {
            let first = elements.iter().position(|is_read| !is_read)?;
            let shape = self.finder.arrays.get(name).map_or(&[][..], |a| &a.shape);
            Some(Wrong::Unread { array: name.clone(), place: index(shape, first) })
        };
        self.read.iter().filter_map(first).collect()
    }

    /// Whether a line has read a part of an array.
    pub fn has_read(&self, array: &str) -> bool {
        self.read.contains_key(array)
    }

    /// Our parameters: those of which every element is known.
    pub fn finish(self) -> BTreeMap<String, ArrayD<f64>> {
        let mut params = BTreeMap::new();
        for (source, (values, known)) in self.filled {
            let Some(source) = self.graph.sources.get(source) else { continue };
            let shape = extents(&source.shape, self.dims).unwrap_or_default();
            let is_whole = matches!(source.kind, SourceKind::Param(_)) && known.iter().all(|k| *k);
            if let (true, Ok(array)) = (is_whole, ArrayD::from_shape_vec(IxDyn(&shape), values)) {
                params.insert(source.name.to_string(), array);
            }
        }
        params
    }
}

/// Rows of a foreign array, with their first.
type Piece = (usize, Vec<f32>);

/// Foreign arrays from ours.
pub fn export(
    graph: &Graph,
    dims: &Bindings,
    lines: &[Line],
    finder: Finder,
) -> Result<Arrays, Vec<(Wrong, Span)>> {
    let mut wrong = Vec::new();
    let ours: Vec<Option<Vec<f32>>> =
        graph.sources.iter().map(|s| finder.arrays.get(&*s.name).map(Array::to_f32)).collect();
    let mut pieces: BTreeMap<String, (Vec<usize>, Vec<Piece>)> = BTreeMap::new();
    for line in lines {
        let sources = sources(graph, line.value);
        let misfits: Vec<Misfit> = sources
            .iter()
            .filter_map(|s| graph.sources.get(*s))
            .filter_map(|s| {
                let shape = extents(&s.shape, dims)?;
                finder.required(&s.name, &shape).err()
            })
            .collect();
        if !misfits.is_empty() {
            wrong.extend(misfits.into_iter().map(|m| (Wrong::Misfit(m), line.span)));
            continue;
        }
        let shape = extents(graph.shape(line.value), dims);
        let (Some(shape), Some(places)) = (shape, places(graph, line.value, dims)) else {
            wrong.push((Wrong::NoArrangement, line.span));
            continue;
        };
        let value = |place: &Place| match place {
            Place::Zero => 0.0,
            Place::Of { source, negated, element } => {
                let array = ours.get(*source as usize).and_then(Option::as_ref);
                let x = array.and_then(|a| a.get(*element)).copied().unwrap_or(0.0);
                if *negated { -x } else { x }
            }
        };
        let values: Vec<f32> = places.iter().map(value).collect();
        for (k, term) in line.terms.iter().enumerate() {
            let first = term.rows.as_ref().and_then(|rows| range(rows, dims)).map_or(0, |r| r.start);
            let values = if k == 0 { values.clone() } else { vec![0.0; values.len()] };
            let (_, all) = pieces.entry(term.name.clone()).or_insert_with(|| (shape.clone(), Vec::new()));
            all.push((first, values));
        }
    }
    let mut arrays = Arrays::new();
    for (name, (shape, mut all)) in pieces {
        all.sort_by_key(|(first, _)| *first);
        let size: usize = shape.get(1..).unwrap_or_default().iter().product();
        let mut values = Vec::new();
        for (first, more) in all {
            if first * size != values.len() && size > 0 {
                let place = format!("row {}", values.len() / size + 1);
                let at = lines.iter().find(|l| l.terms.iter().any(|t| t.name == name)).map(|l| l.span);
                wrong.extend(at.map(|at| (Wrong::Unread { array: name.clone(), place }, at)));
                break;
            }
            values.extend(more);
        }
        let mut shape = shape;
        if let (Some(rows), true) = (shape.first_mut(), size > 0) {
            *rows = values.len() / size;
        }
        arrays.insert(name, Array::f32(shape, values));
    }
    if wrong.is_empty() { Ok(arrays) } else { Err(wrong) }
}

/// Numbers for open dimensions, as the shapes of foreign arrays have them: where an extent is a dimension, or a multiple of one.
pub fn dims(graph: &Graph, lines: &[Line], arrays: &Arrays) -> Bindings {
    let mut found = Bindings::new();
    for line in lines {
        let wanted = graph.shape(line.value);
        let whole = line.terms.iter().filter(|t| t.rows.is_none()).find_map(|t| arrays.get(&t.name));
        let Some(array) = whole else { continue };
        let shape = squeezed(array, wanted.len());
        if shape.len() != wanted.len() {
            continue;
        }
        for (dim, n) in wanted.iter().zip(shape) {
            let (Some((name, times)), Ok(n)) = (multiple(dim), i64::try_from(n)) else { continue };
            if n % times == 0 {
                found.entry(name).or_insert(n / times);
            }
        }
    }
    found
}

/// `4*H` is 4 times `H`.
fn multiple(dim: &Dim) -> Option<(std::sync::Arc<str>, i64)> {
    if let Some(name) = dim.as_sym() {
        return Some((name.clone(), 1));
    }
    let mut names = Vec::new();
    dim.symbols(&mut names);
    let [name] = names.as_slice() else { return None };
    let (one, two) = (
        dim.eval(&Bindings::from([(name.clone(), 1)])).ok()?,
        dim.eval(&Bindings::from([(name.clone(), 2)])).ok()?,
    );
    (one > 0 && two == 2 * one && dim.terms().count() == 1).then(|| (name.clone(), one))
}

/// The sources that a value arranges.
fn sources(graph: &Graph, value: NodeId) -> Vec<usize> {
    let (mut open, mut found) = (vec![value], Vec::new());
    while let Some(id) = open.pop() {
        match &graph.node(id).op {
            Op::Source(s) => found.push(s.index()),
            op => open.extend(op.operands()),
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// For each element of a value where it lies.
fn places(graph: &Graph, id: NodeId, dims: &Bindings) -> Option<ArrayD<Place>> {
    let shape = extents(graph.shape(id), dims)?;
    match &graph.node(id).op {
        Op::Source(s) => {
            let of = |element| Place::Of { source: s.0, negated: false, element };
            let all = (0..count(&shape)?).map(of).collect();
            ArrayD::from_shape_vec(IxDyn(&shape), all).ok()
        }
        Op::Const(0.0) => Some(ArrayD::from_elem(IxDyn(&shape), Place::Zero)),
        Op::Spread(arg) => {
            let place = places(graph, *arg, dims)?.first().copied()?;
            Some(ArrayD::from_elem(IxDyn(&shape), place))
        }
        Op::Unary(Unary::Neg, arg) => {
            let turned = |place: Place| match place {
                Place::Of { source, negated, element } => Place::Of { source, negated: !negated, element },
                Place::Zero => Place::Zero,
            };
            Some(places(graph, *arg, dims)?.mapv(turned))
        }
        Op::Concat(parts) => {
            let parts = parts.iter().map(|p| places(graph, *p, dims)).collect::<Option<Vec<_>>>()?;
            let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
            ndarray::concatenate(Axis(0), &views).ok()
        }
        Op::Slice { arg, start } => {
            let whole = places(graph, *arg, dims)?;
            let start = usize::try_from(start.eval(dims).ok()?).ok()?;
            let end = start.checked_add(*shape.first()?)?;
            if end > *whole.shape().first()? {
                return None;
            }
            Some(whole.slice_axis(Axis(0), Slice::from(start..end)).to_owned())
        }
        Op::Transpose(arg) => {
            Some(places(graph, *arg, dims)?.reversed_axes().as_standard_layout().to_owned())
        }
        Op::Reshape(arg) => {
            let all: Vec<Place> = places(graph, *arg, dims)?.iter().copied().collect();
            ArrayD::from_shape_vec(IxDyn(&shape), all).ok()
        }
        _ => None,
    }
}

/// Extents as numbers.
fn extents(shape: &[Dim], dims: &Bindings) -> Option<Vec<usize>> {
    shape.iter().map(|d| usize::try_from(d.eval(dims).ok()?).ok()).collect()
}

/// Rows from 0, of rows from 1.
fn range((lo, hi): &(Dim, Dim), dims: &Bindings) -> Option<Range<usize>> {
    let number = |d: &Dim| usize::try_from(d.eval(dims).ok()?).ok();
    Some(number(lo)?.checked_sub(1)?..number(hi)?)
}

/// The extents of an array without leading ones that are too many for this rank.
fn squeezed(array: &Array, rank: usize) -> Vec<usize> {
    let more = array.shape.len().saturating_sub(rank);
    let ones = array.shape.iter().take(more).take_while(|n| **n == 1).count();
    array.shape.iter().skip(ones).copied().collect()
}

/// `[2, 1]`: where an element stands, from 1.
pub fn index(shape: &[usize], mut element: usize) -> String {
    let mut places = Vec::new();
    for n in shape.iter().rev() {
        places.push((element % n.max(&1) + 1).to_string());
        element /= n.max(&1);
    }
    places.reverse();
    format!("[{}]", places.join(", "))
}
