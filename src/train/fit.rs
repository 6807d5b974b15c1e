//! Matching data to a model's inputs.
//!
//! In: a graph whose inputs have symbolic dimensions, and a data set. Out: values for the dimensions
//! (`V` of `id(V)`, `C` of `seq<n> of [C]`), and for each input the field that feeds it. Afterwards
//! every value fits its input, and inputs that share a length agree in each example.

use super::data::{Dataset, Declared, Field, Values};
use super::errors;
use crate::diag::Diagnostic;
use crate::eqn::{Graph, Level, Source, SourceKind, Ty};
use crate::shape::{Bindings, Dim};
use crate::weights::show;

/// Which field of the data an input reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    pub input: String,
    pub field: usize,
    /// The name of its length, for sequences.
    pub extent: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Values of dimensions that were open.
    pub dims: Bindings,
    pub feeds: Vec<Feed>,
}

fn inputs(graph: &Graph) -> impl Iterator<Item = &Source> {
    graph.sources.iter().filter(|s| s.kind == SourceKind::Input)
}

/// The declared inputs, for the readers.
pub fn declared(graph: &Graph) -> Vec<Declared> {
    let each = inputs(graph).map(|s| Declared {
        name: s.name.to_string(),
        sequential: matches!(s.level, Level::Over(_)),
        is_id: matches!(s.ty, Ty::Id(_)),
        rank: s.shape.len(),
    });
    each.collect()
}

pub fn fit(graph: &Graph, data: &Dataset) -> Result<Fit, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut feeds = Vec::new();
    let mut equations: Vec<(&Source, &Dim, usize, bool)> = Vec::new();
    for source in inputs(graph) {
        let Some(at) = data.names.iter().position(|n| **n == *source.name) else {
            wrong.push(errors::input_without_data(source.span, &source.name, &data.names));
            continue;
        };
        let field = &data.fields[at];
        match kind_error(source, field) {
            Some(e) => wrong.push(e),
            None => {
                equations.extend(source.shape.iter().zip(&field.shape).map(|(d, n)| (source, d, *n, false)));
                if let (Ty::Id(k), Values::Id { symbols, .. }) = (&source.ty, &field.values) {
                    equations.push((source, k, symbols.len(), true));
                }
                let extent = match source.level {
                    Level::Over(d) => graph.domains.get(d.index()).map(|d| d.extent.to_string()),
                    _ => None,
                };
                feeds.push(Feed { input: source.name.to_string(), field: at, extent });
            }
        }
    }
    let dims = solve(equations, &mut wrong);
    wrong.extend(lengths_differ(&feeds, data));
    if wrong.is_empty() { Ok(Fit { dims, feeds }) } else { Err(wrong) }
}

fn kind_error(source: &Source, field: &Field) -> Option<Diagnostic> {
    let is_sequence = matches!(source.level, Level::Over(_));
    let is_id = matches!(source.ty, Ty::Id(_));
    let given_id = matches!(field.values, Values::Id { .. });
    let fits =
        is_sequence == field.sequential && is_id == given_id && source.shape.len() == field.shape.len();
    if fits {
        return None;
    }
    let say = |sequence: bool, id: bool, shape: String| {
        let one = if id { "an id".to_string() } else { format!("numbers {shape}") };
        if sequence { format!("a sequence of {one}") } else { format!("{one} per example") }
    };
    let declared = say(is_sequence, is_id, crate::shape::show_shape(&source.shape));
    let given = say(field.sequential, given_id, show(&field.shape));
    Some(errors::wrong_kind(source.span, &source.name, &declared, &given))
}

/// Bare symbols take their value from the data; then everything else is compared.
fn solve(equations: Vec<(&Source, &Dim, usize, bool)>, wrong: &mut Vec<Diagnostic>) -> Bindings {
    let mut dims = Bindings::new();
    for (_, dim, n, _) in &equations {
        if let Some(name) = dim.as_sym() {
            dims.entry(name.clone()).or_insert(*n as i64);
        }
    }
    for (source, dim, n, is_symbols) in equations {
        match dim.eval(&dims) {
            // A table may have more rows than there are symbols.
            Ok(v) if v == n as i64 || (is_symbols && v > n as i64) => {}
            Ok(v) if is_symbols => wrong.push(errors::too_few_symbols(source.span, &source.name, v, n)),
            Ok(v) => wrong.push(errors::wrong_extent(source.span, &source.name, &dim.to_string(), v, n)),
            Err(_) => {
                wrong.push(errors::bad_dimension(source.span, &source.name, &dim.to_string()));
            }
        }
    }
    dims
}

fn lengths_differ(feeds: &[Feed], data: &Dataset) -> Option<Diagnostic> {
    for (i, a) in feeds.iter().enumerate() {
        let Some(extent) = &a.extent else { continue };
        for b in feeds[..i].iter().filter(|b| b.extent == a.extent) {
            let (fa, fb) = (&data.fields[a.field], &data.fields[b.field]);
            let differs = (0..data.examples).find(|e| fa.range(*e).len() != fb.range(*e).len());
            if let Some(example) = differs {
                return Some(errors::unequal_lengths(extent, &b.input, &a.input, example));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eqn::{Domain, DomainId, DomainKind};
    use std::sync::Arc;

    fn graph(v: Dim, c: Dim) -> Graph {
        let kind = DomainKind::Chain { fixed: None };
        let source = |name: &str, shape: Vec<Dim>, ty: Ty, level: Level| Source {
            name: name.into(),
            kind: SourceKind::Input,
            shape,
            ty,
            level,
            span: None,
        };
        Graph {
            domains: vec![Domain { extent: "n".into(), var: "t".into(), kind }],
            sources: vec![
                source("x", vec![c], Ty::Real, Level::Over(DomainId(0))),
                source("k", vec![], Ty::Id(v), Level::Example),
            ],
            ..Graph::default()
        }
    }

    fn data() -> Dataset {
        let x =
            Field { sequential: true, shape: vec![3], values: Values::Real(vec![0.0; 9]), ends: vec![1, 3] };
        let symbols = Arc::new(vec!["a".into(), "b".into()]);
        let k = Field {
            sequential: false,
            shape: vec![],
            values: Values::Id { ids: vec![0, 1], symbols },
            ends: vec![],
        };
        Dataset {
            names: vec!["x".into(), "k".into()],
            fields: vec![x, k],
            examples: 2,
            test_from: None,
            shares: None,
        }
    }

    #[test]
    fn open_dimensions_are_found_from_the_data() {
        let fit = fit(&graph(Dim::sym("V"), Dim::sym("C")), &data()).unwrap();
        assert_eq!(fit.dims, Bindings::from([("C".into(), 3), ("V".into(), 2)]));
        assert_eq!(fit.feeds[0].extent.as_deref(), Some("n"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let one = |g: &Graph, d: &Dataset| fit(g, d).unwrap_err()[0].message.clone();
        let d = data();
        assert_eq!(
            one(&graph(Dim::sym("V"), Dim::constant(4)), &d),
            "an extent of the input `x` is 4, the data have 3"
        );
        assert_eq!(
            one(&graph(Dim::constant(1), Dim::sym("C")), &d),
            "the input `k` has 1 symbol, the data have 2"
        );
        let mut renamed = data();
        renamed.names[0] = "X".into();
        assert!(one(&graph(Dim::sym("V"), Dim::sym("C")), &renamed).contains("no values for the input `x`"));
        let mut swapped = data();
        swapped.fields.swap(0, 1);
        assert!(one(&graph(Dim::sym("V"), Dim::sym("C")), &swapped).contains("a sequence of numbers [C]"));
    }
}
