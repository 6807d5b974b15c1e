//! Matching data to a model's inputs.
//!
//! In: a graph whose inputs have symbolic dimensions, and a data set. Out: values for the dimensions
//! (`V` of `id(V)`, `C` of `seq<n> of [C]`), and for each input the field that feeds it. Afterwards
//! every value fits its input, and inputs that share a length agree in each example.

use super::data::{Dataset, Declared, Field, Over, Values};
use super::errors;
use crate::diag::Diagnostic;
use crate::eqn::{Domain, DomainId, DomainKind, Graph, Level, Source, SourceKind, Ty};
use crate::shape::{Bindings, Dim};
use crate::weights::show;

/// Which field of the data an input reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    pub input: String,
    pub field: usize,
    /// The names of its lengths, one for each axis; of a tree the name of its nodes.
    pub extents: Vec<String>,
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

/// What values at a level are over.
fn over(graph: &Graph, level: Level) -> Over {
    let axes = graph.axes_of(level);
    let is_chain = |d: &DomainId| graph.is_chain(*d);
    match axes.as_slice() {
        [] => Over::Example,
        all if all.iter().all(is_chain) => Over::Axes(all.len()),
        [tree] if matches!(graph.domains[tree.index()].kind, DomainKind::Tree { .. }) => Over::Tree,
        _ => Over::Mixed,
    }
}

/// The declared inputs, for the readers.
pub fn declared(graph: &Graph) -> Vec<Declared> {
    let each = inputs(graph).map(|s| Declared {
        name: s.name.to_string(),
        over: over(graph, s.level),
        is_id: matches!(s.ty, Ty::Id(_)),
        rank: s.shape.len(),
    });
    each.collect()
}

/// The inputs that data of these names say nothing about.
pub fn without_data(graph: &Graph, names: &[String]) -> Vec<Diagnostic> {
    let open = inputs(graph).filter(|s| !names.iter().any(|n| **n == *s.name));
    open.map(|s| errors::input_without_data(s.span, &s.name, names)).collect()
}

pub fn fit(graph: &Graph, data: &Dataset) -> Result<Fit, Vec<Diagnostic>> {
    fit_some(graph, data, |_| true)
}

/// Only the inputs that are needed.
pub fn fit_some(
    graph: &Graph,
    data: &Dataset,
    needed: impl Fn(&str) -> bool,
) -> Result<Fit, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut feeds = Vec::new();
    let mut equations: Vec<(&Source, &Dim, usize, bool)> = Vec::new();
    for source in inputs(graph).filter(|s| needed(&s.name)) {
        let Some(at) = data.names.iter().position(|n| **n == *source.name) else {
            wrong.push(errors::input_without_data(source.span, &source.name, &data.names));
            continue;
        };
        let field = &data.fields[at];
        match kind_error(graph, source, field) {
            Some(e) => wrong.push(e),
            None => {
                equations.extend(source.shape.iter().zip(&field.shape).map(|(d, n)| (source, d, *n, false)));
                if let (Ty::Id(k), Values::Id { symbols, .. }) = (&source.ty, &field.values) {
                    equations.push((source, k, symbols.len(), true));
                }
                let axes = graph.axes_of(source.level).into_iter().map(|d| &graph.domains[d.index()]);
                let extents: Vec<String> = axes.clone().map(|d| d.extent.to_string()).collect();
                // What is wrong with an axis is said of the first input over it.
                let is_new = |extent: &String| !feeds.iter().any(|f: &Feed| f.extents.contains(extent));
                let new = axes.enumerate().filter(|(i, _)| is_new(&extents[*i]));
                wrong.extend(new.filter_map(|(i, d)| misfit(source, field, i, d)).next());
                feeds.push(Feed { input: source.name.to_string(), field: at, extents });
            }
        }
    }
    let dims = solve(equations, &mut wrong);
    wrong.extend(lengths_differ(&feeds, data));
    if wrong.is_empty() { Ok(Fit { dims, feeds }) } else { Err(wrong) }
}

fn kind_error(graph: &Graph, source: &Source, field: &Field) -> Option<Diagnostic> {
    let wanted = over(graph, source.level);
    let is_id = matches!(source.ty, Ty::Id(_));
    let given_id = matches!(field.values, Values::Id { .. });
    if wanted == field.over() && is_id == given_id && source.shape.len() == field.shape.len() {
        return None;
    }
    let say = |over: Over, id: bool, shape: String| {
        let one = if id { "an id".to_string() } else { format!("numbers {shape}") };
        match over {
            Over::Example => format!("{one} per example"),
            Over::Axes(1) => format!("a sequence of {one}"),
            Over::Axes(n) => format!("a grid of {n} axes of {one}"),
            Over::Tree => format!("a tree of {one}"),
            Over::Mixed => format!("a tree together with other axes of {one}"),
        }
    };
    let declared = say(wanted, is_id, crate::shape::show_shape(&source.shape));
    let given = say(field.over(), given_id, show(&field.shape));
    Some(errors::wrong_kind(source.span, &source.name, &declared, &given))
}

/// The first example that an axis, by what is static of it, does not allow.
fn misfit(source: &Source, field: &Field, axis: usize, domain: &Domain) -> Option<Diagnostic> {
    match (&domain.kind, field.trees()) {
        (DomainKind::Chain { fixed: Some(n) }, _) => {
            let n = *n as usize;
            let example = (0..field.examples()).find(|e| field.length(axis, *e) != n)?;
            let given = field.length(axis, example);
            Some(errors::wrong_length(source.span, &source.name, &domain.extent, n, example, given))
        }
        (DomainKind::Tree { arity: Some(most) }, Some(trees)) => {
            let most = *most as usize;
            let all = trees.iter().enumerate();
            let mut nodes = all.flat_map(|(e, tree)| (0..tree.nodes()).map(move |n| (e, n, tree.arity(n))));
            let (example, node, edges) = nodes.find(|(_, _, edges)| *edges > most)?;
            Some(errors::too_many_children(source.span, &source.name, most, example, node, edges))
        }
        _ => None,
    }
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
    let axes = |f: &'_ Feed| (0..f.extents.len()).collect::<Vec<_>>();
    for (i, a) in feeds.iter().enumerate() {
        for b in &feeds[..i] {
            let (fa, fb) = (&data.fields[a.field], &data.fields[b.field]);
            for (x, y) in axes(a).into_iter().flat_map(|x| axes(b).into_iter().map(move |y| (x, y))) {
                let (one, other) = (&a.extents[x], &b.extents[y]);
                if one != other {
                    continue;
                }
                let differs = |e: &usize| match (fa.trees(), fb.trees()) {
                    (Some(a), Some(b)) => a[*e] != b[*e],
                    _ => fa.length(x, *e) != fb.length(y, *e),
                };
                if let Some(example) = (0..data.examples).find(differs) {
                    return Some(errors::unequal_lengths(one, &b.input, &a.input, example));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
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
            domains: vec![Domain { extent: "n".into(), var: "t".into(), kind, edges: vec![] }],
            sources: vec![
                source("x", vec![c], Ty::Real, Level::Over(DomainId(0))),
                source("k", vec![], Ty::Id(v), Level::Example),
            ],
            ..Graph::default()
        }
    }

    fn data() -> Dataset {
        let x = Field::sequence(vec![3], Values::Real(vec![0.0; 9]), vec![1, 3]);
        let symbols = Arc::new(vec!["a".into(), "b".into()]);
        let k = Field::one(vec![], Values::Id { ids: vec![0, 1], symbols });
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
        assert_eq!(fit.feeds[0].extents, ["n"]);
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

    fn over_a_tree(arity: Option<u32>, edges: &[&[i64]]) -> Result<Fit, Vec<Diagnostic>> {
        let mut graph = graph(Dim::sym("V"), Dim::sym("C"));
        graph.sources.remove(1);
        graph.domains[0].kind = DomainKind::Tree { arity };
        let tree = crate::eqn::tree::Tree::new(edges.iter().copied()).unwrap();
        let values = Values::Real(vec![0.0; edges.len()]);
        let mut data = data();
        data.fields = vec![Field::tree(vec![1], values, Arc::new(vec![tree]))];
        data.examples = 1;
        fit(&graph, &data)
    }

    #[test]
    fn trees_have_at_most_as_many_children_as_the_cell_takes() {
        let three: &[&[i64]] = &[&[], &[], &[], &[0, 1, 2]];
        assert_eq!(over_a_tree(None, three).unwrap().feeds[0].extents, ["n"]);
        let told = over_a_tree(Some(2), three).unwrap_err()[0].message.clone();
        assert_eq!(told, "node 3 of the tree `x` of example 1 has 3 children, the model takes 2 children");
    }

    #[test]
    fn a_sequence_is_no_grid() {
        let mut d = data();
        d.fields[0] = Field::grid(vec![3], Values::Real(vec![0.0; 9]), vec![vec![1, 1], vec![1, 2]]);
        let told = fit(&graph(Dim::sym("V"), Dim::sym("C")), &d).unwrap_err()[0].message.clone();
        assert!(
            told.ends_with("is a sequence of numbers [C], the data give a grid of 2 axes of numbers [3]")
        );
    }
}
