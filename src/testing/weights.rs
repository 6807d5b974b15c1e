//! `check weights`: a layout against a file that another library wrote.
//!
//! In: a check and the arrays of its file: weights under the foreign names of the layout's lines, what the cell was
//! given and what came out. Out: how far the cell, with the weights so arranged, is from that in f64.
//! A setting says what the file calls an array (`x = "input"`) or what stands for a word in braces (`n = 1` for `{n}`).
//! Every element of a foreign array that a line names is read, and extents of 1 are free: `[1, B, H]` is `[B, H]`.

use super::errors;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build::{self, Arrangement, Line, Term};
use crate::eqn::eval::{Batch, Evaluator};
use crate::eqn::{DomainKind, Graph, Level, NodeId, Op, SourceKind};
use crate::pipeline;
use crate::resolve::Library;
use crate::shape::Bindings;
use crate::source::Span;
use crate::syntax::ast::{Check, ExprKind, Ident, Setting};
use crate::weights::{Array, Arrays, Finder};
use ndarray::{ArrayD, Axis, IxDyn, Slice};
use std::collections::{BTreeMap, BTreeSet};

/// Where nothing else is said: both sides start from the same f32 numbers.
const TOLERANCE: f64 = 1e-5;

/// What a check that passed has measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// Outputs that the file has.
    pub outputs: usize,
    /// The greatest difference of an element.
    pub worst: f64,
}

/// The file a check names, as it is written.
pub fn file(check: &Check) -> Option<&str> {
    check.settings.iter().find_map(|s| match (&*s.name.name, &s.value.kind) {
        ("file", ExprKind::Str(path)) => Some(path.as_str()),
        _ => None,
    })
}

/// `arrays` are those of [`file()`], or why there are none.
pub fn run(
    library: &Library,
    check: &Check,
    layout: &Ident,
    arrays: Option<&Result<Arrays, Diagnostic>>,
) -> Fallible<Compared> {
    let settings = Settings::parse(check)?;
    let layout = pipeline::layout(library, layout, &check.recipe)?;
    let options = build::Options::default();
    let (arranged, diagnostics) = build::arrange(library, &check.recipe, layout, &options);
    let Some(arranged) = arranged else { return Err(diagnostics) };
    let at = check.recipe.span;
    let arrays = match arrays {
        Some(Ok(arrays)) => arrays,
        Some(Err(d)) => return Err(vec![d.clone().at(settings.file_at, "this file")]),
        None => return Err(vec![errors::no_weights(settings.file, settings.file_at)]),
    };
    let import = Import { finder: Finder { file: settings.file, arrays }, settings: &settings, at };
    import.checked(&arranged)
}

struct Settings<'s> {
    file: &'s str,
    file_at: Span,
    tolerance: f64,
    /// What the file calls our arrays.
    names: BTreeMap<&'s str, (&'s str, Span)>,
    /// What stands for words in braces.
    numbers: BTreeMap<&'s str, i64>,
}

impl<'s> Settings<'s> {
    fn parse(check: &'s Check) -> Fallible<Settings<'s>> {
        let mut settings = Settings {
            file: "",
            file_at: check.recipe.span,
            tolerance: TOLERANCE,
            names: BTreeMap::new(),
            numbers: BTreeMap::new(),
        };
        for Setting { name, value, .. } in &check.settings {
            match (&*name.name, &value.kind) {
                ("file", ExprKind::Str(path)) => (settings.file, settings.file_at) = (path, value.span),
                ("tolerance", ExprKind::Number(x, _)) if *x > 0.0 => settings.tolerance = *x,
                (own, ExprKind::Str(foreign)) if own != "tolerance" => {
                    settings.names.insert(own, (foreign, name.span));
                }
                (word, ExprKind::Number(n, _)) if n.fract() == 0.0 && *n >= 0.0 && word != "file" => {
                    settings.numbers.insert(word, *n as i64);
                }
                (wrong, _) => return Err(vec![errors::weights_setting(wrong, value.span)]),
            }
        }
        if settings.file.is_empty() {
            return Err(vec![errors::no_weights_file(check.recipe.span)]);
        }
        Ok(settings)
    }

    /// A foreign name with numbers for its words in braces; 0 if none is set.
    fn foreign(&self, name: &str) -> String {
        let mut out = String::new();
        let mut rest = name;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((word, behind)) = after.split_once('}') else { break };
            out += before;
            out += &self.numbers.get(word).copied().unwrap_or(0).to_string();
            rest = behind;
        }
        out + rest
    }
}

/// Where an element lies: the number of a source and of its element, row by row.
type Place = (usize, usize);

struct Import<'a> {
    finder: Finder<'a>,
    settings: &'a Settings<'a>,
    at: Span,
}

impl Import<'_> {
    fn checked(&self, arranged: &Arrangement) -> Fallible<Compared> {
        let graph = &arranged.cell;
        let open = graph.dims();
        if !open.is_empty() {
            return Err(vec![errors::open_weights(&graph.name, &open, self.at)]);
        }
        if !arranged.open.is_empty() {
            return Err(vec![errors::weights_left_open(&graph.name, &arranged.open, self.at)]);
        }
        let params = self.parameters(arranged)?;
        let mut batch = self.batch(graph)?;
        batch.arrays.extend(params);
        let graph = crate::simplify::simplify(&graph.bind(&Bindings::new())?);
        let failed = |what: String| vec![errors::evaluation(&what, self.at)];
        let found = Evaluator::new(&graph).and_then(|e| e.run(&batch)).map_err(failed)?;
        self.compare(&graph, &found)
    }

    /// Our parameters, from the foreign arrays.
    fn parameters(&self, arranged: &Arrangement) -> Fallible<BTreeMap<String, ArrayD<f64>>> {
        let (mut values, mut wrong) = (BTreeMap::new(), Vec::new());
        let mut read: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for line in &arranged.lines {
            match self.line(&arranged.values, line, &mut read) {
                Ok(line) => values.extend(line),
                Err(d) => wrong.push(d),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for (name, elements) in &read {
            if let Some(first) = elements.iter().position(|is_read| !is_read) {
                let shape = self.finder.arrays.get(name).map_or(&[][..], |a| &a.shape);
                wrong.push(errors::weights_unread(name, self.finder.file, &index(shape, first), self.at));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut params = BTreeMap::new();
        for (s, source) in arranged.values.sources.iter().enumerate() {
            let shape = extents(source.shape.iter().map(|d| d.as_constant()));
            let count = shape.iter().product();
            let elements: Option<Vec<f64>> = (0..count).map(|e| values.get(&(s, e)).copied()).collect();
            let array = elements.and_then(|e| ArrayD::from_shape_vec(IxDyn(&shape), e).ok());
            if let (SourceKind::Param(_), Some(array)) = (&source.kind, array) {
                params.insert(source.name.to_string(), array);
            }
        }
        Ok(params)
    }

    /// The elements that one line determines.
    fn line(
        &self,
        graph: &Graph,
        line: &Line,
        read: &mut BTreeMap<String, Vec<bool>>,
    ) -> Result<Vec<(Place, f64)>, Diagnostic> {
        let Some(ours) = places(graph, line.value) else {
            return Err(errors::evaluation("a line of the layout computes", line.span));
        };
        let mut sum = vec![0.0; ours.len()];
        for term in &line.terms {
            for (total, x) in sum.iter_mut().zip(self.term(term, ours.shape(), read)?) {
                *total += x;
            }
        }
        Ok(ours.iter().copied().zip(sum).collect())
    }

    /// The elements of a foreign array, or of rows of it, for a value of this shape.
    fn term(
        &self,
        term: &Term,
        wanted: &[usize],
        read: &mut BTreeMap<String, Vec<bool>>,
    ) -> Result<Vec<f64>, Diagnostic> {
        let name = self.settings.foreign(&term.name);
        let shown = crate::weights::show(wanted);
        let Some(array) = self.finder.arrays.get(&name) else {
            return Err(self
                .finder
                .refusal_of(&self.finder.missing(&name, &shown))
                .at(term.span, "this array"));
        };
        let all = squeezed(array, wanted.len());
        let rows = match &term.rows {
            None => 0..all.first().copied().unwrap_or(1),
            Some((lo, hi)) => {
                let [lo, hi] = [lo, hi].map(|d| d.as_constant().and_then(|n| usize::try_from(n).ok()));
                lo.unwrap_or(0).saturating_sub(1)..hi.unwrap_or(0)
            }
        };
        let size: usize = all.get(1..).unwrap_or_default().iter().product();
        let inner = wanted.get(1..).unwrap_or_default();
        let fits = all.get(1..).unwrap_or_default() == inner
            && rows.len() == wanted.first().copied().unwrap_or(1)
            && rows.end <= all.first().copied().unwrap_or(1);
        if !fits {
            let wanted = match &term.rows {
                None => shown,
                Some(_) => format!("{shown} in rows {}..{}", rows.start + 1, rows.end),
            };
            let misfit = self.finder.misshaped(&name, &wanted, &array.shape);
            return Err(self.finder.refusal_of(&misfit).at(term.span, "this array"));
        }
        let elements = rows.start * size..rows.end * size;
        let seen = read.entry(name).or_insert_with(|| vec![false; array.data.len()]);
        seen.iter_mut().take(elements.end).skip(elements.start).for_each(|s| *s = true);
        Ok(array.to_f64().get(elements).unwrap_or_default().to_vec())
    }

    /// What the file calls an array of ours.
    fn called<'n>(&'n self, own: &'n str) -> &'n str {
        self.settings.names.get(own).map_or(own, |(foreign, _)| foreign)
    }

    /// Inputs and initial states, and the lengths of the examples.
    fn batch(&self, graph: &Graph) -> Fallible<Batch> {
        if let Some(domain) = graph.domains.iter().find(|d| matches!(d.kind, DomainKind::Tree { .. })) {
            return Err(vec![errors::no_tree_weights(&domain.extent, self.at)]);
        }
        let (mut batch, mut wrong) = (Batch::default(), Vec::new());
        let mut size = None;
        for source in &graph.sources {
            if matches!(source.kind, SourceKind::Param(_) | SourceKind::Cotangent) {
                continue;
            }
            let name = self.called(&source.name);
            let Some(array) = self.finder.arrays.get(name) else {
                if source.kind == SourceKind::Input {
                    let misfit = self.finder.missing(name, &source.name);
                    wrong.push(self.finder.refusal_of(&misfit).at(self.at, "it is an input"));
                }
                continue;
            };
            let own = extents(source.shape.iter().map(|d| d.as_constant()));
            let leading = graph.axes_of(source.level).len() + usize::from(source.level != Level::Shared);
            match fitted(array, &own, leading, size) {
                Some(value) => {
                    if source.level != Level::Shared {
                        size = size.or_else(|| value.shape().get(leading - 1).copied());
                    }
                    batch.arrays.insert(source.name.to_string(), value);
                }
                None => {
                    let wanted =
                        format!("[…, {}]", own.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
                    let misfit = self.finder.misshaped(name, &wanted, &array.shape);
                    wrong.push(self.finder.refusal_of(&misfit).at(self.at, "for this cell"));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        batch.size = size.unwrap_or(1);
        let lengths = self.finder.arrays.get(self.called("lengths"));
        let free = |k: &DomainKind| matches!(k, DomainKind::Chain { fixed: None });
        if let (Some(lengths), Some(domain)) = (lengths, graph.domains.iter().find(|d| free(&d.kind))) {
            let whole = lengths.to_f64().iter().map(|n| n.max(0.0) as usize).collect();
            batch.lengths.insert(domain.extent.to_string(), whole);
        }
        Ok(batch)
    }

    /// Every output that the file has, element by element.
    fn compare(&self, graph: &Graph, found: &BTreeMap<String, ArrayD<f64>>) -> Fallible<Compared> {
        let mut compared = Compared { outputs: 0, worst: 0.0 };
        let mut wrong = Vec::new();
        let sources: BTreeSet<&str> = graph.sources.iter().map(|s| &*s.name).collect();
        for (own, (_, at)) in &self.settings.names {
            if !(found.contains_key(*own) || sources.contains(own) || *own == "lengths") {
                wrong.push(errors::weights_name(own, &graph.name, *at));
            }
        }
        for (own, ours) in found {
            let name = self.called(own);
            let Some(theirs) = self.finder.arrays.get(name) else {
                if let Some((_, at)) = self.settings.names.get(own.as_str()) {
                    let misfit = self.finder.missing(name, &crate::weights::show(ours.shape()));
                    wrong.push(self.finder.refusal_of(&misfit).at(*at, "named here"));
                }
                continue;
            };
            let all = |shape: &[usize]| shape.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
            if all(ours.shape()) != all(&theirs.shape) {
                let misfit = self.finder.misshaped(name, &crate::weights::show(ours.shape()), &theirs.shape);
                wrong.push(self.finder.refusal_of(&misfit).at(self.at, "for this cell"));
                continue;
            }
            compared.outputs += 1;
            let errors = ours.iter().zip(theirs.to_f64()).map(|(a, b)| ((a - b).abs(), *a, b));
            let worst = errors.enumerate().max_by(|a, b| a.1.0.total_cmp(&b.1.0));
            if let Some((k, (error, a, b))) = worst {
                compared.worst = compared.worst.max(error);
                if error.is_nan() || error > self.settings.tolerance {
                    let place = index(ours.shape(), k);
                    wrong.push(errors::other_numbers(own, &place, a, b, self.settings.tolerance, self.at));
                }
            }
        }
        match (wrong.is_empty(), compared.outputs) {
            (false, _) => Err(wrong),
            (true, 0) => Err(vec![errors::nothing_compared(self.finder.file, found.keys(), self.at)]),
            (true, _) => Ok(compared),
        }
    }
}

/// For each element of a value that arranges sources, where it lies.
fn places(graph: &Graph, id: NodeId) -> Option<ArrayD<Place>> {
    let shape = extents(graph.shape(id).iter().map(|d| d.as_constant()));
    match &graph.node(id).op {
        Op::Source(s) => {
            let count = shape.iter().product::<usize>();
            let all = (0..count).map(|e| (s.index(), e)).collect();
            ArrayD::from_shape_vec(IxDyn(&shape), all).ok()
        }
        Op::Concat(parts) => {
            let parts = parts.iter().map(|p| places(graph, *p)).collect::<Option<Vec<_>>>()?;
            let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
            ndarray::concatenate(Axis(0), &views).ok()
        }
        Op::Slice { arg, start } => {
            let whole = places(graph, *arg)?;
            let start = usize::try_from(start.as_constant()?).ok()?;
            let end = start.checked_add(*shape.first()?)?;
            if end > *whole.shape().first()? {
                return None;
            }
            Some(whole.slice_axis(Axis(0), Slice::from(start..end)).to_owned())
        }
        Op::Transpose(arg) => Some(places(graph, *arg)?.reversed_axes().as_standard_layout().to_owned()),
        Op::Reshape(arg) => {
            let all: Vec<Place> = places(graph, *arg)?.iter().copied().collect();
            ArrayD::from_shape_vec(IxDyn(&shape), all).ok()
        }
        _ => None,
    }
}

/// Extents as numbers; what is none is 0.
fn extents(dims: impl Iterator<Item = Option<i64>>) -> Vec<usize> {
    dims.map(|d| d.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)).collect()
}

/// The extents of an array without leading ones that are too many for this rank.
fn squeezed(array: &Array, rank: usize) -> Vec<usize> {
    let more = array.shape.len().saturating_sub(rank);
    let ones = array.shape.iter().take(more).take_while(|n| **n == 1).count();
    array.shape.iter().skip(ones).copied().collect()
}

/// An array with `leading` extents before those of one value; further extents of 1 among them fall away. Which of
/// them are superfluous the number of examples decides, if it is known.
fn fitted(array: &Array, own: &[usize], leading: usize, size: Option<usize>) -> Option<ArrayD<f64>> {
    let before = array.shape.strip_suffix(own)?;
    let mut before = before.to_vec();
    while before.len() > leading {
        let last = before.len() - 1;
        let spare = (0..=last).find(|i| before[*i] == 1 && !(*i == last && size == Some(1)))?;
        before.remove(spare);
    }
    (before.len() == leading).then_some(())?;
    before.extend(own);
    ArrayD::from_shape_vec(IxDyn(&before), array.to_f64()).ok()
}

/// `[2, 1]`: where an element stands, from 1.
fn index(shape: &[usize], mut element: usize) -> String {
    let mut places = Vec::new();
    for n in shape.iter().rev() {
        places.push((element % n.max(&1) + 1).to_string());
        element /= n.max(&1);
    }
    places.reverse();
    format!("[{}]", places.join(", "))
}
