//! From a recipe or model to a [`Graph`]: families, options, instances, lifting, shapes.

use super::Graph;
use crate::diag::Diagnostic;
use crate::resolve::Library;
use crate::syntax::ast;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a graph is to be used.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Noise is drawn (a source); otherwise it is its mean. Also the static bool `training`.
    pub training: bool,
    /// Initial states (`h0`, `l1.c0`) that the caller gives although their declaration computes
    /// them. States with a constant declared value always become an `Initial` source.
    pub given: BTreeSet<String>,
    /// For carried windows: every state gets an `Initial` source; where the declared value is computed, it
    /// is used while the Example-level Bool input `start` holds.
    pub carry: bool,
    /// Values for static parameters of a model (`H=512`, `V` found from data), or for free
    /// dimension names of a recipe.
    pub statics: BTreeMap<String, ast::Expr>,
}

/// A graph with what belongs to a model beside it.
#[derive(Clone, Debug)]
pub struct Model {
    /// Outputs: every `out`, then `loss` (per example, the sum of all `loss` lines), then
    /// `metric.NAME`s, all of level Example but the `out`s.
    pub graph: Graph,
    /// Names of the `out`s, in order.
    pub outs: Vec<Arc<str>>,
    pub metrics: Vec<Arc<str>>,
    /// Static parameters with the value in use (`_` still open: `None`).
    pub statics: Vec<(Arc<str>, Option<f64>)>,
    /// `generate dst from y until stop`: input name, output name, stop id.
    pub generate: Option<(Arc<str>, Arc<str>, Option<u32>)>,
    /// Lines of the `data` block: names, and the source as written.
    pub data: Vec<(Vec<Arc<str>>, ast::Expr)>,
    /// Lines of the `train` block.
    pub train: Vec<(Arc<str>, ast::Expr)>,
}

/// Builds the graph of a recipe (`LSTM(I, H)`, `Bi(Stack(2, LSTM(_, 64)))`). Names that are not bound are
/// symbolic dimensions; `_` becomes a symbol named after the parameter. All outs are outputs; so is every state
/// (over its domain), and `NAME_last` for every state, unless nothing else needs them.
pub fn build(
    _library: &Library,
    _recipe: &ast::Expr,
    _options: &Options,
) -> (Option<Graph>, Vec<Diagnostic>) {
    todo!()
}

/// Builds a model by name. `_` statics without a value stay symbolic dimensions.
pub fn build_model(_library: &Library, _name: &str, _options: &Options) -> (Option<Model>, Vec<Diagnostic>) {
    todo!()
}
