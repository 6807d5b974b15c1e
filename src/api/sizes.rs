//! Sizes that the arrays of a call agree on: batch, steps, lengths, trees.
//!
//! In: a graph without open dimensions, and arrays. Out: [`Sizes`], or what contradicts. Whether each array fits them is seen when
//! it is read.

use super::arrays::Arrays;
use super::compiled::Inner;
use super::errors;
use super::recipe::{Kind, Port};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::tree::Tree;
use crate::eqn::{Domain, DomainId, DomainKind, Graph, Level, Source, SourceKind};
use crate::limits::Limits;
use crate::runtime::MOST_STEPS;
use crate::runtime::errors::{missing_trees, too_large, too_many_steps, unknown, wrong_lengths, wrong_trees};
use crate::weights::{show, trees};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Sizes {
    pub batch: usize,
    /// By the extents of domains, as are lengths and trees.
    pub steps: BTreeMap<String, usize>,
    pub lengths: BTreeMap<String, Vec<usize>>,
    pub trees: BTreeMap<String, Vec<Tree>>,
}

/// Bytes that are counted for each example and domain before its arrays are.
const PER_EXAMPLE: u128 = 32;

impl Sizes {
    pub fn of(inner: &Inner, given: &Arrays) -> Fallible<Sizes> {
        let (graph, limits) = (&inner.graph, &inner.limits);
        let mut wrong = unknown_names(inner, given);
        let mut found = Finder { graph, given, batch: None, steps: BTreeMap::new() };
        for is_input in [true, false] {
            for source in graph.sources.iter().filter(|s| (s.kind == SourceKind::Input) == is_input) {
                wrong.extend(found.source(source).err());
            }
        }
        let mut sizes = Sizes::default();
        let examples = found.batch.unwrap_or(1) as u128;
        let bytes = examples.saturating_mul(PER_EXAMPLE * (graph.domains.len() as u128 + 1));
        if bytes > u128::from(limits.memory) {
            return Err(vec![too_large(Some(bytes), limits.memory)]);
        }
        for i in 0..graph.domains.len() {
            wrong.extend(found.domain(i, limits, &mut sizes).err());
        }
        sizes.batch = found.batch.unwrap_or(1);
        if sizes.batch == 0 {
            wrong = vec![errors::no_examples()];
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for (i, n) in &found.steps {
            sizes.steps.insert(graph.domains[*i].extent.to_string(), *n);
        }
        Ok(sizes)
    }

    /// Extents of an array before those of one value; `None` where they follow from others.
    pub fn leading(&self, graph: &Graph, level: Level) -> Option<Vec<usize>> {
        let steps = |axis: &DomainId| self.steps.get(&*graph.domains[axis.index()].extent).copied();
        let mut shape = graph.axes_of(level).iter().map(steps).collect::<Option<Vec<usize>>>()?;
        shape.extend((level != Level::Shared).then_some(self.batch));
        Some(shape)
    }
}

struct Finder<'g, 'a> {
    graph: &'g Graph,
    given: &'g Arrays<'a>,
    batch: Option<usize>,
    /// By the domain's index.
    steps: BTreeMap<usize, usize>,
}

impl Finder<'_, '_> {
    fn source(&mut self, source: &Source) -> Result<(), Diagnostic> {
        let (Some(array), true) = (self.given.get(&source.name), source.level != Level::Shared) else {
            return Ok(());
        };
        let axes = self.graph.axes_of(source.level);
        let shape = array.shape();
        if shape.len() != axes.len() + 1 + source.shape.len() {
            let port =
                Port::new(self.graph, &source.name, Kind::Input, source.level, &source.shape, &source.ty);
            let wanted = port.to_string();
            let wanted = wanted.rsplit(" : ").next().unwrap_or_default();
            return Err(errors::wrong_rank(&source.name, wanted, shape));
        }
        for (axis, n) in axes.iter().zip(shape) {
            self.steps.entry(axis.index()).or_insert(*n);
        }
        self.batch.get_or_insert(shape[axes.len()]);
        Ok(())
    }

    fn domain(&mut self, i: usize, limits: &Limits, sizes: &mut Sizes) -> Result<(), Diagnostic> {
        let domain = &self.graph.domains[i];
        let extent = domain.extent.to_string();
        match domain.kind {
            DomainKind::Chain { fixed: Some(n) } => {
                // The batch and the graph agree on the steps; the array that does not is refused when it is read.
                self.steps.insert(i, n as usize);
                Ok(())
            }
            DomainKind::Chain { fixed: None } => self.chain(i, &extent, sizes),
            DomainKind::Tree { .. } => self.tree(i, &extent, limits, sizes),
            DomainKind::Derived(_) | DomainKind::Children { .. } | DomainKind::Product(_) => Ok(()),
        }
    }

    /// An array `WHAT_EXTENT`, or else `WHAT`.
    fn named(&self, what: &str, extent: &str) -> Option<(String, crate::weights::Array)> {
        let names = [format!("{what}_{extent}"), what.to_string()];
        names.into_iter().find_map(|name| Some((name.clone(), self.given.get(&name)?.to_array())))
    }

    fn chain(&mut self, i: usize, extent: &str, sizes: &mut Sizes) -> Result<(), Diagnostic> {
        if let Some(n) = self.steps.get(&i).filter(|n| **n > MOST_STEPS) {
            return Err(too_many_steps(extent, *n, MOST_STEPS));
        }
        let Some((name, array)) = self.named("lengths", extent) else { return Ok(()) };
        let batch = *self.batch.get_or_insert(array.shape.first().copied().unwrap_or(1));
        let (axis, axes) = match (array.shape.as_slice(), self.place_in_grid(i)) {
            ([n], _) if *n == batch => (0, 1),
            ([n, k], Some((axis, axes))) if (*n, *k) == (batch, axes) => (axis, axes),
            _ => {
                let why = format!("`{name}` has shape {}, but [{batch}] is needed", show(&array.shape));
                return Err(wrong_lengths(extent, &why));
            }
        };
        let most = self.steps.get(&i).copied().unwrap_or(MOST_STEPS);
        let values: Vec<f64> = array.to_f64().into_iter().skip(axis).step_by(axes).collect();
        let fits = |v: &f64| v.fract() == 0.0 && *v >= 0.0 && *v <= most as f64;
        if let Some(at) = values.iter().position(|v| !fits(v)) {
            let why = format!("that of example {at} is {}, which is no length from 0 to {most}", values[at]);
            return Err(wrong_lengths(extent, &why));
        }
        let values: Vec<usize> = values.iter().map(|v| *v as usize).collect();
        self.steps.entry(i).or_insert(values.iter().copied().max().unwrap_or(0));
        sizes.lengths.insert(extent.to_string(), values);
        Ok(())
    }

    fn tree(&mut self, i: usize, extent: &str, limits: &Limits, sizes: &mut Sizes) -> Result<(), Diagnostic> {
        let Some((name, array)) = self.named("children", extent) else { return Err(missing_trees(extent)) };
        let refused = |why: &str| wrong_trees(extent, &format!("`{name}` {why}"));
        let [examples, nodes, _] = array.shape[..] else {
            return Err(refused(&format!(
                "has shape {}, but [batch, nodes, edges] is needed",
                show(&array.shape)
            )));
        };
        let batch = *self.batch.get_or_insert(examples);
        let bytes = (examples as u128).saturating_mul(nodes as u128).saturating_mul(PER_EXAMPLE);
        if bytes > u128::from(limits.memory) {
            return Err(too_large(Some(bytes), limits.memory));
        }
        if examples != batch {
            return Err(refused(&format!("has trees for {examples} examples, but the batch has {batch}")));
        }
        let mut counts = vec![nodes; batch];
        if let Some((_, lengths)) = self.named("lengths", extent) {
            let values = lengths.to_f64();
            let fits = |v: &f64| v.fract() == 0.0 && *v >= 0.0 && *v <= nodes as f64;
            if values.len() != batch || !values.iter().all(fits) {
                return Err(wrong_lengths(
                    extent,
                    &format!("one for each example, from 0 to {nodes}, is needed"),
                ));
            }
            counts = values.iter().map(|v| *v as usize).collect();
        }
        let found = trees::trees(&array, &counts).map_err(|e| refused(&e.to_string()).help(e.help()))?;
        self.steps.entry(i).or_insert(nodes);
        sizes.trees.insert(extent.to_string(), found);
        Ok(())
    }

    /// Where a domain stands among the axes of the inputs over several, and how many these are.
    fn place_in_grid(&self, domain: usize) -> Option<(usize, usize)> {
        let inputs = self.graph.sources.iter().filter(|s| s.kind == SourceKind::Input);
        let mut grids = inputs.map(|s| self.graph.axes_of(s.level)).filter(|axes| axes.len() > 1);
        grids.find_map(|axes| Some((axes.iter().position(|d| d.index() == domain)?, axes.len())))
    }
}

pub fn unknown_names(inner: &Inner, given: &Arrays) -> Vec<Diagnostic> {
    let strange: Vec<&str> = given.names().filter(|name| !is_known(inner, name)).collect();
    if strange.is_empty() {
        return Vec::new();
    }
    let graph = &inner.graph;
    let mut known: Vec<String> = graph.sources.iter().map(|s| s.name.to_string()).collect();
    for domain in &graph.domains {
        known.extend(words(domain).iter().flat_map(|w| [w.to_string(), format!("{w}_{}", domain.extent)]));
    }
    strange.into_iter().map(|name| unknown(name, known.iter().map(String::as_str))).collect()
}

fn is_known(inner: &Inner, name: &str) -> bool {
    let is_of = |domain: &Domain, word: &str| {
        let rest = name.strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('_') == Some(&domain.extent))
    };
    inner.source(name).is_some()
        || inner.graph.domains.iter().any(|d| words(d).iter().any(|word| is_of(d, word)))
}

/// What says how a domain is in each example.
fn words(domain: &Domain) -> &'static [&'static str] {
    match domain.kind {
        DomainKind::Chain { .. } => &["lengths"],
        DomainKind::Tree { .. } => &["lengths", "children"],
        DomainKind::Derived(_) | DomainKind::Children { .. } | DomainKind::Product(_) => &[],
    }
}
