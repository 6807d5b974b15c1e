//! `check weights`: a layout against a file that another library wrote.
//!
//! In: a check and the arrays of its file: weights under the foreign names of the layout's lines, what the cell was
//! given and what came out. Out: how far the cell, with the weights so arranged, is from that in f64.
//! A setting says what the file calls an array (`x = "input"`) or what stands for a word in braces (`n = 1` for `{n}`).
//! Every element of a foreign array that a line names is read, and extents of 1 are free: `[1, B, H]` is `[B, H]`.

use super::errors;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build::{self, Arrangement};
use crate::eqn::eval::{Batch, Evaluator};
use crate::eqn::{DomainKind, Graph, Level, SourceKind};
use crate::pipeline;
use crate::resolve::Library;
use crate::shape::Bindings;
use crate::source::Span;
use crate::syntax::ast::{Check, ExprKind, Ident, Setting};
use crate::weights::arranged::{Importer, Wrong, index};
use crate::weights::{Array, Arrays, Finder};
use ndarray::{ArrayD, IxDyn};
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
    numbers: BTreeMap<String, i64>,
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
                    settings.numbers.insert(word.to_string(), *n as i64);
                }
                (wrong, _) => return Err(vec![errors::weights_setting(wrong, value.span)]),
            }
        }
        if settings.file.is_empty() {
            return Err(vec![errors::no_weights_file(check.recipe.span)]);
        }
        Ok(settings)
    }
}

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
        let none = Bindings::new();
        let mut importer = Importer::new(self.finder, &arranged.values, &none);
        let mut wrong = Vec::new();
        for line in &arranged.lines {
            let mut line = line.clone();
            for term in &mut line.terms {
                term.name = build::with_numbers(&term.name, &self.settings.numbers);
            }
            if let Err(found) = importer.line(&line) {
                wrong.extend(found.iter().map(|(wrong, at)| self.refusal(wrong, *at)));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        wrong.extend(importer.half_read().iter().map(|half| self.refusal(half, self.at)));
        if wrong.is_empty() { Ok(importer.finish()) } else { Err(wrong) }
    }

    fn refusal(&self, wrong: &Wrong, at: Span) -> Diagnostic {
        let file = self.finder.file;
        match wrong {
            Wrong::Misfit(misfit) => self.finder.refusal_of(misfit).at(at, "this array"),
            Wrong::NoArrangement => errors::evaluation("a line of the layout computes", at),
            Wrong::NotZero { array, place, value } => {
                crate::weights::errors::not_zero(file, array, place, *value).at(at, "zero, says this line")
            }
            Wrong::Unread { array, place } => errors::weights_unread(array, file, place, at),
        }
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

/// Extents as numbers; what is none is 0.
fn extents(dims: impl Iterator<Item = Option<i64>>) -> Vec<usize> {
    dims.map(|d| d.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)).collect()
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
