//! From the arrays of a file to a batch, with the conventions of `rnnc run`.
//!
//! In: a graph, perhaps with open dimensions, and arrays: inputs `[T, B, …]`, values per example
//! `[B, …]`, parameters as declared, `lengths` `[B]`, of a grid `[B, axes]`, trees as [`trees`] has them. Out: the dimensions, and a [`Batch`] in which
//! every array has the shape the graph asks for. What a run would need is reckoned before anything is drawn.

mod trees;

use super::errors;
use crate::diag::near::nearest;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::Batch;
use crate::eqn::{Domain, DomainId, DomainKind, Graph, Level, Source, SourceKind};
use crate::runtime::MOST_STEPS;
use crate::runtime::errors::{too_large, too_many_steps};
use crate::shape::{Bindings, Dim};
use crate::weights::{Array, Arrays, Finder, Misfit, What};
use ndarray::ArrayD;
use std::collections::BTreeMap;

/// Sizes that arrays agree on.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    batch: Option<usize>,
    /// Steps, by the domain's index.
    steps: BTreeMap<usize, usize>,
}

impl Sizes {
    /// Extents of an array that stand before those of one value.
    fn leading(&mut self, graph: &Graph, level: Level, array: &Array) -> Option<usize> {
        if level == Level::Shared {
            return Some(0);
        }
        let axes = graph.axes_of(level);
        let batch = *array.shape.get(axes.len())?;
        for (axis, n) in axes.iter().zip(&array.shape) {
            self.steps.entry(axis.index()).or_insert(*n);
        }
        self.batch.get_or_insert(batch);
        Some(axes.len() + 1)
    }

    fn shape(&self, graph: &Graph, level: Level) -> Vec<usize> {
        let steps = |axis: &DomainId| self.steps.get(&axis.index()).copied().unwrap_or(0);
        let mut shape: Vec<usize> = graph.axes_of(level).iter().map(steps).collect();
        shape.extend((level != Level::Shared).then(|| self.batch.unwrap_or(1)));
        shape
    }

    /// Bytes of values of a shape, at a level, in f64; open dimensions count as 1.
    fn bytes(&self, graph: &Graph, level: Level, shape: &[Dim]) -> u128 {
        let own = shape.iter().map(|d| extent(d).unwrap_or(1));
        self.shape(graph, level).into_iter().chain(own).fold(8, |bytes, n| bytes.saturating_mul(n as u128))
    }

    /// Of all arrays that go in and out.
    fn bytes_outside(&self, graph: &Graph) -> u128 {
        let sources = graph.sources.iter().map(|s| self.bytes(graph, s.level, &s.shape));
        let outputs =
            graph.outputs.iter().map(|o| self.bytes(graph, graph.level(o.node), graph.shape(o.node)));
        sources.chain(outputs).fold(0, u128::saturating_add)
    }

    /// Of all values, as the reference interpreter would need if it forgot none.
    pub fn bytes_inside(&self, graph: &Graph) -> u128 {
        let values = graph.node_ids().map(|id| self.bytes(graph, graph.level(id), graph.shape(id)));
        values.fold(0, u128::saturating_add)
    }

    /// A result with as many steps as the arrays have: 0 where no example has any.
    pub fn grown(&self, graph: &Graph, output: &str, array: ArrayD<f64>) -> ArrayD<f64> {
        let Some(node) = graph.find_output(output) else { return array };
        let mut shape = array.shape().to_vec();
        match (self.shape(graph, graph.level(node)).as_slice(), shape.first_mut()) {
            ([steps, _batch], Some(first)) if steps > first => *first = *steps,
            _ => return array,
        }
        let mut values: Vec<f64> = array.iter().copied().collect();
        values.resize(shape.iter().product(), 0.0);
        ArrayD::from_shape_vec(shape, values).unwrap_or(array)
    }

    /// The shape of a source's array, with names for sizes that are not known.
    fn wanted(&self, graph: &Graph, source: &Source) -> String {
        let known = |n: Option<usize>, name: &str| n.map_or(name.to_string(), |n| n.to_string());
        let batch = known(self.batch, "batch");
        let axis = |d: &DomainId| {
            let extent = graph.domains.get(d.index()).map_or("steps", |d| &d.extent);
            known(self.steps.get(&d.index()).copied(), extent)
        };
        let mut extents: Vec<String> = graph.axes_of(source.level).iter().map(axis).collect();
        extents.extend((source.level != Level::Shared).then_some(batch));
        extents.extend(source.shape.iter().map(|d| d.to_string()));
        format!("[{}]", extents.join(", "))
    }
}

/// Values for open dimensions, as the shapes of the arrays have them.
pub fn dims(graph: &Graph, arrays: &Arrays) -> Bindings {
    let mut bindings = Bindings::new();
    let mut sizes = Sizes::default();
    for source in &graph.sources {
        let Some(array) = arrays.get(&*source.name) else { continue };
        let Some(leading) = sizes.leading(graph, source.level, array) else { continue };
        let own = array.shape.get(leading..).unwrap_or(&[]);
        if own.len() == source.shape.len() {
            for (dim, n) in source.shape.iter().zip(own) {
                if let Some(name) = dim.as_sym() {
                    bindings.entry(name.clone()).or_insert(*n as i64);
                }
            }
        }
    }
    bindings
}

/// The graph with the numbers that the arrays give its dimensions. Where they give too few, it is said which
/// arrays are missing or do not fit, if any are.
pub fn bound(graph: &Graph, finder: Finder, draw: Option<&Draw>, limit: u64) -> Fallible<Graph> {
    let open = graph.dims();
    let known: Bindings = dims(graph, finder.arrays).into_iter().filter(|(n, _)| open.contains(n)).collect();
    if open.iter().all(|n| known.contains_key(n)) {
        return graph.bind(&known);
    }
    let numbers = known.iter().map(|(name, n)| (name.clone(), Dim::constant(*n))).collect();
    let mut partly = graph.clone();
    for dim in partly.sources.iter_mut().flat_map(|s| &mut s.shape) {
        if let Ok(d) = dim.substitute(&numbers) {
            *dim = d;
        }
    }
    batch(&partly, finder, draw, limit)?;
    graph.bind(&known)
}

/// Makes a parameter of some shape.
pub type Draw<'a> = dyn Fn(&Source, &[usize]) -> Result<Vec<f32>, Diagnostic> + 'a;

/// The batch for a graph without open dimensions. Parameters that are missing are drawn by `draw`, if
/// it is given. What goes in and out must fit into `limit` bytes.
pub fn batch(graph: &Graph, finder: Finder, draw: Option<&Draw>, limit: u64) -> Fallible<(Batch, Sizes)> {
    let mut sizes = Sizes::default();
    // Inputs fix the sizes; what else the file holds must agree with them.
    for source in graph.sources.iter().filter(|s| s.kind == SourceKind::Input) {
        if let Some(array) = finder.arrays.get(&*source.name) {
            sizes.leading(graph, source.level, array);
        }
    }
    for source in graph.sources.iter().filter(|s| s.kind != SourceKind::Input) {
        if let Some(array) = finder.arrays.get(&*source.name) {
            sizes.leading(graph, source.level, array);
        }
    }
    if sizes.batch == Some(0) {
        return Err(vec![errors::no_examples(finder.file)]);
    }
    // Of values without elements there may be more examples than there is memory to give each a length.
    let examples = sizes.batch.unwrap_or(1) as u128;
    let bytes = examples.saturating_mul(32 * (graph.domains.len() as u128 + 1));
    if bytes > u128::from(limit) {
        return Err(vec![too_large(Some(bytes), limit)]);
    }
    let (mut misfits, mut wrong) = (Vec::new(), Vec::new());
    let lengths = lengths(graph, finder, &mut sizes, &mut wrong);
    let trees = trees::trees(graph, finder, limit, &mut sizes, &mut wrong);
    if sizes.steps.values().any(|n| *n > MOST_STEPS) {
        // Nothing of that size is looked at any further.
        return Err(wrong);
    }
    let bytes = sizes.bytes_outside(graph);
    if bytes > u128::from(limit) {
        return Err(vec![too_large(Some(bytes), limit)]);
    }
    let mut all = Batch { size: sizes.batch.unwrap_or(1), lengths, trees, ..Batch::default() };
    for source in &graph.sources {
        let given = finder.arrays.get(&*source.name);
        let needed = matches!(source.kind, SourceKind::Input | SourceKind::Param(_) | SourceKind::Noise(_));
        let is_param = matches!(source.kind, SourceKind::Param(_));
        let own: Option<Vec<usize>> = source.shape.iter().map(extent).collect();
        let Some(own) = own else {
            let wanted = sizes.wanted(graph, source);
            match given {
                Some(array) => misfits.push(finder.misshaped(&source.name, &wanted, &array.shape)),
                None if needed && !(is_param && draw.is_some()) => {
                    misfits.push(finder.missing(&source.name, &wanted));
                }
                None => wrong.push(errors::open_dimension(&source.name, &wanted)),
            }
            continue;
        };
        let mut shape = sizes.shape(graph, source.level);
        shape.extend(&own);
        match (finder.optional(&source.name, &shape), draw) {
            (Ok(Some(array)), _) => {
                all.arrays.extend(array.to_ndarray().map(|a| (source.name.to_string(), a)));
            }
            (Ok(None), Some(draw)) if is_param => match draw(source, &own) {
                Ok(values) => {
                    let array = Array::f32(shape, values);
                    all.arrays.extend(array.to_ndarray().map(|a| (source.name.to_string(), a)));
                }
                Err(e) => wrong.push(e),
            },
            (Ok(None), _) if needed => {
                misfits.push(finder.missing(&source.name, &sizes.wanted(graph, source)));
            }
            (Ok(None), _) => {}
            (Err(misfit), _) => misfits.push(misfit),
        }
    }
    if misfits.is_empty() && wrong.is_empty() {
        return Ok((all, sizes));
    }
    if !misfits.is_empty() {
        // How long a sequence is, and how great an open dimension, the missing arrays would say.
        wrong.retain(|d| d.code != errors::NO_STEPS && d.code != errors::OPEN);
        let suggested: Vec<String> = misfits.iter().filter_map(suggested).collect();
        misfits.extend(unread(graph, finder).into_iter().filter(|m| !suggested.contains(&m.name)));
    }
    let refusal = finder.refusal(&misfits).map(|d| match (&misfits[..], &d.help) {
        ([one], None) if one.is_misshaped() => d.help(conventions(graph, &one.name)),
        _ => d,
    });
    wrong.splice(0..0, refusal);
    Err(wrong)
}

/// What the extents of a source's array mean.
fn conventions(graph: &Graph, name: &str) -> String {
    let source = graph.sources.iter().find(|s| *s.name == *name);
    let own = source.map_or(String::new(), |s| {
        s.shape.iter().fold(String::new(), |text, extent| format!("{text}, {extent}"))
    });
    match source.map(|s| (&s.kind, s.level)) {
        Some((SourceKind::Initial { state, .. }, _)) => {
            let state = &graph.states[state.index()];
            match state.init.len() {
                0 | 1 => format!(
                    "what `{}` was before the first point, for each example: [batch{own}]",
                    state.name
                ),
                lags => format!(
                    "`{}` is read up to {lags} points back: its last {lags} values, the newest first, for each \
                     example: [batch{own}]",
                    state.name
                ),
            }
        }
        Some((_, Level::Shared)) => {
            "it is one for all examples, in the shape that it is declared with".into()
        }
        Some((_, Level::Example)) => format!("it is one value for each example: [batch{own}]"),
        Some((_, level)) => {
            let extents: Vec<&str> = graph
                .axes_of(level)
                .iter()
                .filter_map(|d| graph.domains.get(d.index()).map(|d| &*d.extent))
                .collect();
            format!(
                "points come first, then examples, then a value's own extents: [{}, batch{own}]",
                extents.join(", ")
            )
        }
        None => "points come first, then examples, then a value's own extents".into(),
    }
}

/// The array of the file that a missing one may be.
fn suggested(misfit: &Misfit) -> Option<String> {
    match &misfit.what {
        What::Missing { near, .. } => near.as_ref().map(|(name, _)| name.clone()),
        _ => None,
    }
}

fn extent(dim: &Dim) -> Option<usize> {
    dim.as_constant().and_then(|n| usize::try_from(n).ok())
}

/// Where a domain stands among the axes of the inputs over several, and how many these are.
fn place_in_grid(graph: &Graph, domain: usize) -> Option<(usize, usize)> {
    let inputs = graph.sources.iter().filter(|s| s.kind == SourceKind::Input);
    let mut grids = inputs.map(|s| graph.axes_of(s.level)).filter(|axes| axes.len() > 1);
    grids.find_map(|axes| Some((axes.iter().position(|d| d.index() == domain)?, axes.len())))
}

/// Each domain's lengths: `lengths_NAME` or `lengths`, `[B]` or for the axes of a grid `[B, axes]`, or all steps.
fn lengths(
    graph: &Graph,
    finder: Finder,
    sizes: &mut Sizes,
    wrong: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Vec<usize>> {
    let mut all = BTreeMap::new();
    for (i, domain) in graph.domains.iter().enumerate() {
        let DomainKind::Chain { fixed } = domain.kind else { continue };
        if let Some(n) = fixed {
            sizes.steps.insert(i, n as usize);
        }
        if let Some(steps) = sizes.steps.get(&i).filter(|n| **n > MOST_STEPS) {
            wrong.push(too_many_steps(&domain.extent, *steps, MOST_STEPS));
            continue;
        }
        let given = lengths_name(domain, finder).and_then(|name| Some((finder.arrays.get(&name)?, name)));
        let Some((array, name)) = given else {
            match sizes.steps.get(&i) {
                Some(steps) => {
                    all.insert(domain.extent.to_string(), vec![*steps; sizes.batch.unwrap_or(1)]);
                }
                // Without an array over it, the domain's steps are unknown.
                None => wrong.push(errors::no_steps(finder.file, &domain.extent)),
            }
            continue;
        };
        let batch = *sizes.batch.get_or_insert(array.shape.first().copied().unwrap_or(1));
        let most = sizes.steps.get(&i).copied().unwrap_or(MOST_STEPS);
        let fits = |v: &f64| v.fract() == 0.0 && *v >= 0.0 && *v <= most as f64;
        let place = place_in_grid(graph, i);
        let (axis, axes) = match (array.shape.as_slice(), place) {
            ([n], _) if *n == batch => (0, 1),
            ([n, k], Some((axis, axes))) if (*n, *k) == (batch, axes) => (axis, axes),
            _ => {
                let axes = place.map(|(_, axes)| axes);
                let refusal = errors::misshaped_lengths(finder.file, &name, batch, axes, &array.shape);
                if !wrong.contains(&refusal) {
                    wrong.push(refusal);
                }
                continue;
            }
        };
        let values: Vec<f64> = array.to_f64().into_iter().skip(axis).step_by(axes).collect();
        if let Some(at) = values.iter().position(|v| !fits(v)) {
            let axis = (axes > 1).then_some(axis);
            wrong.push(errors::bad_length(finder.file, &name, at, axis, most, values[at]));
            continue;
        }
        let values: Vec<usize> = values.iter().map(|v| *v as usize).collect();
        sizes.steps.entry(i).or_insert(values.iter().copied().max().unwrap_or(0));
        all.insert(domain.extent.to_string(), values);
    }
    all
}

/// The array of the file that gives a domain's lengths, if one can.
fn lengths_name(domain: &Domain, finder: Finder) -> Option<String> {
    let DomainKind::Chain { fixed: None } = domain.kind else { return None };
    let own = format!("lengths_{}", domain.extent);
    Some(if finder.arrays.contains_key(&own) { own } else { "lengths".to_string() })
}

/// Arrays of the file that nothing reads.
pub fn unread(graph: &Graph, finder: Finder) -> Vec<Misfit> {
    let mut known: Vec<String> = graph.sources.iter().map(|s| s.name.to_string()).collect();
    known.extend(graph.domains.iter().filter_map(|d| lengths_name(d, finder)));
    known.extend(graph.domains.iter().filter_map(|d| trees::names(d, finder)).flatten());
    let unread = finder.arrays.keys().filter(|n| !known.contains(n));
    let misfits = unread.map(|name| {
        let near = nearest(name, known.iter()).cloned();
        Misfit { name: name.clone(), what: What::Unread { near } }
    });
    misfits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eqn::parse;
    use crate::weights::Data;

    const SUM: &str = "domain n : t
source x : [H] over n = input
source W : [G, H] shared = param ~ normal(1.0)
source h0 : [G] each = initial h default 0.0
state h : [G] over n = h init h0
x : [H] over n = source(x)
W : [G, H] shared = source(W)
h0 : [G] each = source(h0)
a : [G] over n = lag(h, -1)
b : [G] over n = matmul(W, x)
h : [G] over n = add(a, b)
out h = h
";

    fn file(arrays: &[(&str, &[usize])]) -> Arrays {
        let array = |shape: &[usize]| Array::f32(shape.to_vec(), vec![1.0; shape.iter().product()]);
        arrays.iter().map(|(n, s)| (n.to_string(), array(s))).collect()
    }

    fn read(arrays: &Arrays) -> Result<Batch, Vec<Diagnostic>> {
        let finder = Finder { file: "in.npz", arrays };
        let graph = bound(&parse::parse(SUM).unwrap(), finder, None, 1 << 20)?;
        batch(&graph, finder, None, 1 << 20).map(|(batch, _)| batch)
    }

    #[test]
    fn sizes_are_found_from_the_arrays() {
        let mut arrays = file(&[("x", &[5, 2, 3]), ("W", &[4, 3])]);
        let b = read(&arrays).unwrap();
        assert_eq!((b.size, &b.lengths["n"]), (2, &vec![5, 5]));
        arrays.insert("lengths".into(), Array { shape: vec![2], data: Data::I64(vec![5, 0]) });
        assert_eq!(read(&arrays).unwrap().lengths["n"], [5, 0]);
        arrays.insert("lengths".into(), Array { shape: vec![2], data: Data::I64(vec![6, 0]) });
        let wrong = read(&arrays).unwrap_err();
        assert_eq!(wrong[0].message, "`lengths` of `in.npz`, example 1: 6 is no length from 0 to 5");
    }

    #[test]
    fn an_empty_batch_and_a_run_beyond_its_limit_are_refused() {
        let code = |x: &[usize], lengths: i64| {
            let mut arrays = file(&[("x", x), ("W", &[4, 3])]);
            arrays.insert("lengths".into(), Array { shape: vec![2], data: Data::I64(vec![0, lengths]) });
            read(&arrays).unwrap_err()[0].code
        };
        assert_eq!(code(&[5, 0, 3], 5), "E0746");
        // Of `x`, of `h`, 8 bytes each.
        assert_eq!(code(&[20_000, 2, 3], 1), "E0911");
        let mut arrays = file(&[("W", &[4, 3])]);
        for length in [1e9, f64::NAN] {
            arrays.insert("lengths".into(), Array { shape: vec![1], data: Data::F64(vec![length]) });
            let wrong = read(&arrays).unwrap_err();
            let messages: Vec<&str> = wrong.iter().map(|d| d.message.as_str()).collect();
            let both = ["missing array `x` [n, 1, 3] in `in.npz`", "`lengths` of `in.npz`, example 1: "];
            assert!(
                messages.len() == 2 && messages.iter().zip(both).all(|(m, b)| m.starts_with(b)),
                "{messages:?}"
            );
        }
    }

    #[test]
    fn lengths_of_no_sequence_are_read_by_nothing() {
        let graph = parse::parse(SUM).unwrap();
        let arrays = file(&[("lengths", &[2]), ("lengths_q", &[2]), ("lengthsX", &[2])]);
        let unread = unread(&graph, Finder { file: "in.npz", arrays: &arrays });
        assert_eq!(unread.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["lengthsX", "lengths_q"]);
    }

    #[test]
    fn missing_misshaped_and_unread_arrays_are_one_message() {
        let wrong = read(&file(&[("x", &[5, 2, 3]), ("W", &[4, 3]), ("h0", &[3, 4])])).unwrap_err();
        assert_eq!(wrong[0].message, "array `h0` of `in.npz`: [2, 4] expected, the file has [3, 4]");
        let wrong = read(&file(&[("X", &[5, 2, 3]), ("h0", &[2, 4, 1]), ("spare", &[1])])).unwrap_err();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(
            wrong[0].message,
            "the arrays of `in.npz` do not fit: 2 missing, 1 of another shape, 1 read by nothing"
        );
        let note = wrong[0].note.as_deref().unwrap();
        assert_eq!(
            note.lines().collect::<Vec<_>>(),
            [
                "`x` [n, 2, H] is missing; the file has `X` [5, 2, 3]: did you mean that one?",
                "`W` [G, H] is missing",
                "`h0`: [2, G] expected, the file has [2, 4, 1]",
                "`spare` is read by nothing",
                "the file has `X`, `h0`, `spare`",
            ]
        );
    }

    #[test]
    fn an_array_that_nothing_reads_names_what_may_be_meant() {
        let graph = parse::parse(SUM).unwrap();
        let arrays = file(&[("h_0", &[1])]);
        let finder = Finder { file: "in.npz", arrays: &arrays };
        let warning = finder.refusal_of(&unread(&graph, finder)[0]);
        assert!(!warning.is_error());
        assert_eq!(warning.help.as_deref(), Some("did you mean `h0`?"));
    }
}
