//! Applying a cell, layer or function to concrete values: a graph of its own, for one example.

use super::errors;
use super::value::{Applied, Branch, Value};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::eval::{Batch, eval};
use crate::eqn::tree::Tree;
use crate::eqn::{DomainKind, Graph, Level, Source, SourceKind, build};
use crate::resolve::text::{Kind, expand};
use crate::resolve::{ItemId, Library, inherit};
use crate::shape::{Bindings, show_shape};
use crate::source::Span;
use crate::syntax::ast::{ArgName, Expr, ExprKind, ItemKind};
use crate::train::draw;
use ndarray::{ArrayD, Axis, IxDyn};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// `set PATH = v`; `all` also for everything below the path.
#[derive(Clone, Debug)]
pub struct Setting {
    pub path: String,
    pub all: bool,
    pub value: Value,
    pub span: Span,
}

/// A recipe with the parameters it was given.
pub struct Instance<'l> {
    pub library: &'l Library,
    pub item: ItemId,
    pub recipe: Cow<'l, Expr>,
    pub title: String,
    pub settings: Vec<Setting>,
}

pub struct Given<'l> {
    pub name: Option<&'l ArgName>,
    pub value: Value,
    pub span: Span,
}

impl Instance<'_> {
    /// Names of the inputs in order, of all that can be given by name, and how many `out`s there are.
    fn inputs(&self) -> Fallible<(Vec<String>, BTreeSet<String>, usize)> {
        let (text, _) = inherit::text_of(self.library, self.item);
        let mut outs = usize::from(text.result.is_some());
        for (_, item) in &text.outs {
            let pattern = match (&item.name, &item.value.kind) {
                (Some(p), _) => Some(p),
                (None, ExprKind::Name(p)) => Some(p),
                _ => None,
            };
            outs += pattern.map_or(Ok(1), |p| expand(p).map(|names| names.len())).map_err(|d| vec![d])?;
        }
        let mut order: Vec<String> = Vec::new();
        let mut all = BTreeSet::new();
        if let ItemKind::Cell(_) = self.library.item(self.item).kind {
            order.extend(text.declared(Kind::In).map(|e| e.name.to_string()));
            all.extend(text.declared(Kind::Mem).map(|e| e.name.to_string()));
        } else {
            let values = text.inputs.iter().filter(|i| i.kind.is_empty());
            order.extend(values.map(|i| i.name.name.to_string()));
        }
        all.extend(order.iter().cloned());
        Ok((order, all, outs))
    }

    pub fn apply(&self, given: Vec<Given>, at: Span) -> Fallible<Applied> {
        let (order, known, outs) = self.inputs()?;
        let mut step: BTreeMap<String, Span> = BTreeMap::new();
        let mut arrays: BTreeMap<String, (Value, Span)> = BTreeMap::new();
        let mut states = BTreeSet::new();
        let mut positions = order.iter();
        let mut tree: Option<(Rc<Branch>, Span)> = None;
        for given in given {
            if let Value::Tree(branch) = &given.value {
                // A tree brings all values that live on its nodes.
                if tree.replace((branch.clone(), given.span)).is_some() {
                    return one(errors::too_many(&self.title, 1, given.span));
                }
                continue;
            }
            let name = match given.name {
                None => match positions.next() {
                    Some(name) => name.clone(),
                    None => return one(errors::too_many(&self.title, order.len(), given.span)),
                },
                Some(name) if name.prev => {
                    // One step is a sequence of one that begins with what was before.
                    let path: Vec<&str> = name.path.iter().map(|p| &*p.name).collect();
                    let state = path.join(".");
                    step.insert(state.clone(), name.span);
                    format!("{state}0")
                }
                Some(name) => {
                    let path: Vec<&str> = name.path.iter().map(|p| &*p.name).collect();
                    path.join(".")
                }
            };
            if !known.contains(&name) {
                states.insert(name.clone());
            }
            arrays.insert(name, (given.value, given.span));
        }
        let options = build::Options { given: states.clone(), ..build::Options::default() };
        let (graph, diagnostics) = build::build(self.library, &self.recipe, &options);
        let Some(graph) = graph else { return Err(diagnostics) };
        for name in &states {
            if graph.find_source(name).is_none() {
                let span = arrays.get(name).map_or(at, |(_, span)| *span);
                return one(errors::no_argument(name, &self.title, span));
            }
        }
        if let Some(span) = step.values().next() {
            self.all_before(&graph, &step, *span)?;
        }
        if let Some((branch, span)) = &tree {
            plant(&graph, &order, branch, *span, &self.title, &mut arrays)?;
        }
        let planted = tree.as_ref().map(|(branch, span)| (&**branch, *span));
        let mut applied = self.run(&graph, &arrays, planted, !step.is_empty(), at)?;
        applied.outs = graph.outputs.iter().take(outs).map(|o| o.name.to_string()).collect();
        Ok(applied)
    }

    /// One step wants what every carried state was before, one point back.
    fn all_before(&self, graph: &Graph, step: &BTreeMap<String, Span>, at: Span) -> Fallible<()> {
        for state in &graph.states {
            if graph.find_output(&format!("{}_last", state.name)).is_none() {
                continue;
            }
            match step.get(&*state.name) {
                None => return one(errors::missing(&format!("prev {}", state.name), &self.title, at)),
                Some(span) if state.init.len() > 1 => {
                    return one(errors::several_before(&state.name, *span));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn run(
        &self,
        graph: &Graph,
        arrays: &BTreeMap<String, (Value, Span)>,
        tree: Option<(&Branch, Span)>,
        is_step: bool,
        at: Span,
    ) -> Fallible<Applied> {
        // One value instead of a sequence is a sequence of one.
        let single = |source: &Source, array: &ArrayD<f64>| {
            // An empty list is an empty sequence.
            matches!(source.level, Level::Over(d) if graph.is_chain(d))
                && array.ndim() == source.shape.len()
                && !array.is_empty()
        };
        let mut plain = false;
        let mut bindings = Bindings::new();
        for source in &graph.sources {
            let Some((value, span)) = arrays.get(&*source.name) else { continue };
            if single(source, value.array()) {
                if !graph.states.is_empty() && !is_step {
                    return one(errors::plain_value(&self.title, *span));
                }
                plain = true;
            } else if is_step && matches!(source.level, Level::Over(_)) {
                return one(errors::argument(
                    &source.name,
                    "one value for one step",
                    value.array().shape(),
                    *span,
                ));
            }
            if value.array().is_empty() {
                continue;
            }
            let outer = value.array().ndim().saturating_sub(source.shape.len());
            for (dim, extent) in source.shape.iter().zip(value.array().shape().iter().skip(outer)) {
                if let Some(name) = dim.as_sym() {
                    bindings.entry(name.clone()).or_insert(*extent as i64);
                }
            }
        }
        let bound = graph.bind(&bindings)?;
        let mut batch = Batch { size: 1, ..Batch::default() };
        for domain in &bound.domains {
            if let DomainKind::Tree { .. } = domain.kind {
                let Some((branch, span)) = tree else {
                    return one(errors::tree_wanted(&domain.extent, &self.title, at));
                };
                let edges: Vec<Vec<i64>> = branch.nodes().into_iter().map(|(_, edges)| edges).collect();
                let tree = Tree::new(edges.iter().map(Vec::as_slice));
                let tree = tree.map_err(|e| vec![errors::evaluation(&e.to_string(), span)])?;
                batch.trees.insert(domain.extent.to_string(), vec![tree]);
            }
        }
        for source in &bound.sources {
            let own: Vec<usize> =
                source.shape.iter().filter_map(|d| Some(d.as_constant()? as usize)).collect();
            let array = match (&source.kind, arrays.get(&*source.name)) {
                (_, Some((value, span))) => self.given(&bound, source, &own, value.array(), *span)?,
                (SourceKind::Param(info), None) => {
                    let values = draw::parameter(0, &source.name, &info.init, &own).map_err(|d| vec![d])?;
                    let values = values.into_iter().map(f64::from).collect();
                    ArrayD::from_shape_vec(IxDyn(&own), values)
                        .map_err(|e| vec![errors::evaluation(&e.to_string(), at)])?
                }
                (SourceKind::Input, None) => return one(errors::missing(&source.name, &self.title, at)),
                _ => continue,
            };
            batch.arrays.insert(source.name.to_string(), array);
        }
        self.set_parameters(&bound, &mut batch)?;
        let outputs = eval(&bound, &batch).map_err(|what| vec![errors::evaluation(&what, at)])?;
        let mut applied = Applied {
            title: self.title.clone(),
            first: ArrayD::zeros(IxDyn(&[])),
            outs: Vec::new(),
            outputs: BTreeMap::new(),
        };
        for (i, output) in bound.outputs.iter().enumerate() {
            let Some(mut array) = outputs.get(&*output.name).cloned() else { continue };
            let level = bound.level(output.node);
            let axes = bound.axes_of(level).len();
            if level != Level::Shared {
                array = array.index_axis_move(Axis(axes), 0);
            }
            if plain && axes == 1 {
                array = array.index_axis_move(Axis(0), 0);
            }
            let array = array.as_standard_layout().into_owned();
            if i == 0 {
                applied.first = array.clone();
            }
            applied.outputs.insert(output.name.to_string(), array);
        }
        Ok(applied)
    }

    /// As the interpreter wants it: with the axes of steps and examples.
    fn given(
        &self,
        graph: &Graph,
        source: &Source,
        own: &[usize],
        array: &ArrayD<f64>,
        at: Span,
    ) -> Fallible<ArrayD<f64>> {
        let axes = graph.axes_of(source.level).len();
        let wrong = || {
            let wanted = match axes {
                0 => show_shape(&source.shape),
                1 => format!("a sequence of {}", show_shape(&source.shape)),
                n => format!("a grid with {n} axes of {}", show_shape(&source.shape)),
            };
            vec![errors::argument(&source.name, &wanted, array.shape(), at)]
        };
        let over = axes > 0;
        let sequence = over && array.ndim() == own.len() + axes;
        let mut steps = match sequence {
            // An empty list has no further extents.
            true => array.shape()[..axes].to_vec(),
            false if array.is_empty() => vec![0; axes],
            false => vec![1; axes],
        };
        if source.level != Level::Shared {
            steps.push(1);
        }
        let shape: Vec<usize> = steps.into_iter().chain(own.iter().copied()).collect();
        if over && array.is_empty() {
            return Ok(ArrayD::zeros(IxDyn(&shape)));
        }
        if array.ndim() == 0 && !over {
            let value = array.iter().next().copied().unwrap_or(0.0);
            return Ok(ArrayD::from_elem(IxDyn(&shape), value));
        }
        let inner = array.shape().iter().skip(if sequence { axes } else { 0 });
        if !inner.eq(own.iter()) {
            return Err(wrong());
        }
        array.to_shape(IxDyn(&shape)).map(|a| a.into_owned()).map_err(|_| wrong())
    }

    fn set_parameters(&self, graph: &Graph, batch: &mut Batch) -> Fallible<()> {
        let params: Vec<String> = graph
            .sources
            .iter()
            .filter(|s| matches!(s.kind, SourceKind::Param(_)))
            .map(|s| s.name.to_string())
            .collect();
        for setting in &self.settings {
            let below = if setting.path.is_empty() { String::new() } else { format!("{}.", setting.path) };
            let mut found = false;
            for name in &params {
                let meant = *name == setting.path || (setting.all && name.starts_with(&below));
                let Some(array) = batch.arrays.get_mut(name).filter(|_| meant) else { continue };
                found = true;
                match setting.value.as_number() {
                    Some(x) => array.fill(x),
                    None if setting.value.array().shape() == array.shape() => {
                        array.assign(setting.value.array())
                    }
                    None => {
                        let wanted = format!("of shape {:?}", array.shape());
                        return one(errors::argument(
                            name,
                            &wanted,
                            setting.value.array().shape(),
                            setting.span,
                        ));
                    }
                }
            }
            if !found && !setting.all {
                return one(errors::no_parameter(&setting.path, &self.title, &params, setting.span));
            }
        }
        Ok(())
    }
}

/// The values at the nodes of a tree as arrays, 0 where a node has none.
fn plant(
    graph: &Graph,
    order: &[String],
    branch: &Branch,
    at: Span,
    title: &str,
    arrays: &mut BTreeMap<String, (Value, Span)>,
) -> Fallible<()> {
    let on_tree = |source: &&Source| {
        source.kind == SourceKind::Input
            && graph
                .axes_of(source.level)
                .iter()
                .any(|a| matches!(graph.domains[a.index()].kind, DomainKind::Tree { .. }))
    };
    let sources: Vec<&Source> = graph.sources.iter().filter(on_tree).collect();
    if !graph.domains.iter().any(|d| matches!(d.kind, DomainKind::Tree { .. })) {
        return one(errors::no_tree(title, at));
    }
    let nodes = branch.nodes();
    let mut found: BTreeMap<&str, Vec<Option<&ArrayD<f64>>>> =
        sources.iter().map(|s| (&*s.name, vec![None; nodes.len()])).collect();
    for (i, (node, _)) in nodes.iter().enumerate() {
        let mut positions = order.iter();
        for (name, value) in &node.inputs {
            let name = match name {
                Some(name) => name.as_str(),
                None => match positions.next() {
                    Some(name) => name.as_str(),
                    None => return one(errors::too_many(title, order.len(), at)),
                },
            };
            match found.get_mut(name) {
                Some(values) => values[i] = Some(value),
                // What nothing reads may still be given.
                None if order.iter().any(|o| o == name) => {}
                None => return one(errors::no_argument(name, title, at)),
            }
        }
    }
    for (name, values) in found {
        let Some(like) = values.iter().flatten().next() else { continue };
        let zero = ArrayD::zeros(like.raw_dim());
        let views: Vec<_> = values.iter().map(|v| v.unwrap_or(&zero).view()).collect();
        let array = ndarray::stack(Axis(0), &views).map_err(|_| vec![errors::ragged(at)])?;
        arrays.insert(name.to_string(), (Value::Array(array), at));
    }
    Ok(())
}

fn one<T>(diagnostic: Diagnostic) -> Fallible<T> {
    Err(vec![diagnostic])
}
