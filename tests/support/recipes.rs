//! All recipes that the standard library and the models check, each with examples of unlike lengths and trees.

pub use super::domains::Array;
use super::domains::noise;
use ndarray::{Axis, IxDyn, Slice};
use rnnc::eqn::eval::Batch;
use rnnc::eqn::tree::Tree;
use rnnc::eqn::{DomainId, DomainKind, Graph, Level, Source, SourceKind, Ty};
use rnnc::resolve::{self, Library};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::ast::{Expr, ItemKind};
use rnnc::syntax::print::{Style, print_expr};
use std::collections::BTreeMap;

struct Files;

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|e| e.to_string())
    }
}

/// The standard library; with the models, if wanted.
pub fn library(sources: &mut Sources, with_models: bool) -> Library {
    let mut roots = Vec::new();
    if with_models {
        let all = std::fs::read_dir("models").expect("the models").map(|f| f.expect("a file").path());
        roots.extend(all.filter(|p| p.extension().is_some_and(|e| e == "rnn")));
        roots.sort();
    }
    let roots: Vec<String> = roots.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    resolve::load(sources, &Files, &roots).0
}

/// What is checked in a library, by its text: each once.
pub fn checked(library: &Library) -> Vec<(String, &Expr)> {
    let mut recipes: BTreeMap<String, &Expr> = BTreeMap::new();
    for file in library.files() {
        for item in library.items(file.file) {
            if let ItemKind::Check(check) = &item.kind {
                recipes.insert(print_expr(&check.recipe, Style::UNICODE), &check.recipe);
            }
        }
    }
    recipes.into_iter().collect()
}

/// Different examples.
pub const EXAMPLES: usize = 5;

/// Of one recipe: the joint graph, and each example's lengths, trees and arrays.
pub struct Case {
    pub graph: Graph,
    /// Of each example and each axis.
    pub lengths: Vec<Vec<usize>>,
    pub trees: Vec<BTreeMap<String, Tree>>,
    pub arrays: Vec<BTreeMap<String, Array>>,
}

/// So many leaves, joined from the left, as many at a time as a node may have, where some edges lead nowhere.
fn tree(leaves: usize, arity: Option<u32>) -> Tree {
    let most = arity.map_or(2, |n| n as usize).max(1);
    let leaf = || vec![-1; arity.unwrap_or(0) as usize];
    let mut edges: Vec<Vec<i64>> = vec![leaf()];
    for _ in 1..leaves {
        let left = edges.len() as i64 - 1;
        let mut children = vec![left];
        if most > 1 {
            edges.push(leaf());
            children.push(left + 1);
        }
        children.resize(arity.map_or(children.len(), |n| n as usize), -1);
        edges.push(children);
    }
    Tree::new(edges.iter().map(Vec::as_slice)).expect("a tree")
}

impl Case {
    pub fn new(graph: Graph) -> Case {
        let mut case = Case { graph, lengths: Vec::new(), trees: Vec::new(), arrays: Vec::new() };
        for e in 0..EXAMPLES {
            let (mut lengths, mut trees) = (Vec::new(), BTreeMap::new());
            for (i, domain) in case.graph.domains.iter().enumerate() {
                lengths.push(match &domain.kind {
                    DomainKind::Chain { fixed: Some(n) } => *n as usize,
                    // Each of 1, 2, 3, 4 and 5 on each axis, but not in the same order.
                    DomainKind::Chain { fixed: None } => 1 + (e * (2 + i % 2) + i) % EXAMPLES,
                    DomainKind::Tree { arity } => {
                        let tree = tree(1 + (e * 2) % EXAMPLES, *arity);
                        let nodes = tree.nodes();
                        trees.insert(domain.extent.to_string(), tree);
                        nodes
                    }
                    DomainKind::Derived(extent) => extent.value(|a| lengths[a.index()]).max(0) as usize,
                    DomainKind::Children { .. } | DomainKind::Product(_) => 0,
                });
            }
            case.lengths.push(lengths);
            case.trees.push(trees);
            let arrays = case.graph.sources.iter().enumerate().map(|(i, s)| {
                // Parameters are the same for all.
                let seed = if s.level == Level::Shared { i } else { 1000 * (e + 1) + i };
                (s.name.to_string(), case.drawn(s, seed as u64, e))
            });
            let arrays = arrays.collect();
            case.arrays.push(arrays);
        }
        case
    }

    fn axes(&self, level: Level) -> Vec<DomainId> {
        self.graph.axes_of(level)
    }

    fn has_children(&self, level: Level) -> bool {
        let is = |a: &DomainId| matches!(self.graph.domains[a.index()].kind, DomainKind::Children { .. });
        self.axes(level).iter().any(is)
    }

    /// Of one example, at its true points.
    fn drawn(&self, source: &Source, seed: u64, e: usize) -> Array {
        let own = source.shape.iter().map(|d| d.as_constant().expect("a number") as usize);
        let along = self.axes(source.level).into_iter().map(|a| self.lengths[e][a.index()]);
        let mut values = noise(seed, &along.chain(own).collect::<Vec<_>>());
        values.mapv_inplace(|v| match &source.ty {
            Ty::Bool => f64::from(u8::from(v > 0.0)),
            Ty::Id(k) => ((v + 1.0) / 2.0 * k.as_constant().expect("a number") as f64).floor(),
            Ty::Real if source.kind == SourceKind::Cotangent => v,
            // Where logarithms and roots are defined.
            Ty::Real => 0.55 + 0.45 * v,
        });
        values
    }

    /// These examples in this order, each axis so much longer than needed.
    pub fn batch(&self, order: &[usize], more: usize) -> Batch {
        let mut batch = Batch { size: order.len(), ..Batch::default() };
        let mut extents = Vec::new();
        for (i, domain) in self.graph.domains.iter().enumerate() {
            let name = domain.extent.to_string();
            let longest = order.iter().map(|e| self.lengths[*e][i]).max().unwrap_or(0);
            extents.push(match domain.kind {
                DomainKind::Chain { fixed: None } => {
                    batch.lengths.insert(name, order.iter().map(|e| self.lengths[*e][i]).collect());
                    longest + more
                }
                DomainKind::Tree { .. } => {
                    batch
                        .trees
                        .insert(name.clone(), order.iter().map(|e| self.trees[*e][&name].clone()).collect());
                    longest + more
                }
                _ => longest,
            });
        }
        for source in &self.graph.sources {
            let name = source.name.to_string();
            if source.level == Level::Shared {
                batch.arrays.insert(name.clone(), self.arrays[0][&name].clone());
                continue;
            }
            let axes = self.axes(source.level);
            // A derived axis is as long as its examples are: cotangents over it are left out.
            let is_left = source.kind == SourceKind::Cotangent && axes.iter().any(|a| self.is_derived(*a));
            if self.has_children(source.level) || is_left {
                continue;
            }
            let mut shape: Vec<usize> = axes.iter().map(|a| extents[a.index()]).collect();
            shape.push(order.len());
            shape.extend(source.shape.iter().map(|d| d.as_constant().expect("a number") as usize));
            let garbage = if source.ty == Ty::Real { f64::NAN } else { -1.0 };
            let mut array = Array::from_elem(IxDyn(&shape), garbage);
            for (k, e) in order.iter().enumerate() {
                let mut at = array.index_axis_mut(Axis(axes.len()), k);
                for (i, a) in axes.iter().enumerate() {
                    at.slice_axis_inplace(Axis(i), Slice::from(..self.lengths[*e][a.index()]));
                }
                at.assign(&self.arrays[*e][&name]);
            }
            batch.arrays.insert(name, array);
        }
        batch
    }

    fn is_derived(&self, axis: DomainId) -> bool {
        matches!(self.graph.domains[axis.index()].kind, DomainKind::Derived(_))
    }

    /// Of each example in this order, every output that belongs to it, at its true points.
    pub fn results(&self, out: &BTreeMap<String, Array>, order: &[usize]) -> Vec<BTreeMap<String, Array>> {
        let mut all = vec![BTreeMap::new(); order.len()];
        for output in &self.graph.outputs {
            let level = self.graph.level(output.node);
            if level == Level::Shared || self.has_children(level) {
                continue;
            }
            let axes = self.axes(level);
            for (k, e) in order.iter().enumerate() {
                let mut at = out[&*output.name].index_axis(Axis(axes.len()), k);
                for (i, a) in axes.iter().enumerate() {
                    at.slice_axis_inplace(Axis(i), Slice::from(..self.lengths[*e][a.index()]));
                }
                all[k].insert(output.name.to_string(), at.to_owned());
            }
        }
        all
    }
}

pub fn same_bits(a: &Array, b: &Array) -> bool {
    a.shape() == b.shape() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}
