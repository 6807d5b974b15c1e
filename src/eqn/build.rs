//! From a recipe or model to a [`Graph`]: families, options, instances, lifting, shapes.
//!
//! In: a [`Library`] and a recipe. Out: the graph, with symbolic dimensions, and every mistake found.
//! Read on in `build/builder.rs` (the state of a build), `build/expr.rs` (expressions),
//! `build/define.rs` (names), `build/states.rs` (lags and boundaries) and `build/apply.rs` (instances).
//!
//! Invariant: a graph that is returned satisfies [`super::verify`]; without one there is an error.

mod apply;
mod array;
mod bind;
mod builder;
mod check;
mod declare;
mod define;
mod errors;
mod expr;
mod finish;
mod foreign;
mod frames;
mod functions;
mod layouts;
mod lookup;
mod member;
mod mend;
mod model;
mod names;
mod order;
mod outs;
mod place;
mod points;
mod position;
mod reduce;
mod space;
mod states;
mod statics;
mod survey;
mod top;
mod trace;
mod types;
mod value;
mod whole;

pub use check::{check, check_within};
pub(crate) use errors::too_much_work;
pub use functions::{builtin as function_name, function_names};
pub use layouts::{
    Arranged, Arrangement, ForeignNames, Line, Mapped, Program, Term, WHOLE, arrange, arrange_all,
    instance_of, with_numbers,
};
pub use model::{data_lines, train_lines};
pub use survey::{Survey, survey};

use super::Graph;
use crate::diag::Diagnostic;
use crate::resolve::{ItemId, Library};
use crate::shape::Shape;
use crate::syntax::ast::{self, ItemKind};
use builder::Builder;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The input of [`Options::counted`]; no name of the language has a dot.
pub const COUNTED: &str = "loss.counted";

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
    /// Losses and metrics count a position only where the Bool input [`COUNTED`] holds.
    pub counted: bool,
    /// Values for static parameters of a model (`H=512`, `V` found from data), or for free
    /// dimension names of a recipe.
    pub statics: BTreeMap<String, ast::Expr>,
    /// What `[..]` is in the outermost item; without it a vector of a dimension `N`.
    pub any_shape: Option<Shape>,
    /// Steps of work this build may take, if they are counted (see [`Limits::work`](crate::limits::Limits::work)).
    pub work: Option<u64>,
}

/// A graph with what belongs to a model beside it.
#[derive(Clone, Debug)]
pub struct Model {
    /// Outputs: every `out`, then `loss` (per example, the sum of all `loss` lines), then
    /// `metric.NAME`s, all of level Example but the `out`s. With [`Options::carry`] also `NAME_last` for
    /// every carried state.
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
    pub train: Vec<ast::Setting>,
}

/// Builds the graph of a recipe (`CELL(I, H)`, `LAYER(2, CELL(_, 64))`), or of a function with the
/// dimensions it leaves free (`f(K = 5)`); or of a model (`MODEL(H = 8)`), whose outputs are those of [`Model`]. Names that are not bound are symbolic dimensions; `_` becomes a
/// symbol named after the parameter. All outs are outputs; so is every state (over its domain), and
/// `NAME_last` for every carried state, unless nothing else needs them.
pub fn build(library: &Library, recipe: &ast::Expr, options: &Options) -> (Option<Graph>, Vec<Diagnostic>) {
    on_large_stack(|| passes(library, options, |b| b.build_recipe(recipe)))
}

/// Builds a model by name. `_` statics without a value stay symbolic dimensions.
pub fn build_model(library: &Library, name: &str, options: &Options) -> (Option<Model>, Vec<Diagnostic>) {
    on_large_stack(|| passes(library, options, |b| b.build_model(name)))
}

/// [`build_model`] of an item of the library; `None` without a message if it is no model.
pub fn build_model_item(
    library: &Library,
    item: ItemId,
    options: &Options,
) -> (Option<Model>, Vec<Diagnostic>) {
    let ItemKind::Model(model) = &library.item(item).kind else { return (None, Vec::new()) };
    on_large_stack(|| passes(library, options, |b| b.build_model_item(item, model)))
}

fn passes<'l, T>(
    library: &'l Library,
    options: &'l Options,
    run: impl Fn(&mut Builder<'l>) -> Option<T>,
) -> (Option<T>, Vec<Diagnostic>) {
    let (result, builder) = last_pass(library, options, run);
    (result, builder.diagnostics)
}

/// Builds until the greatest lags and the sizes of untyped inputs are known: shapes depend on them. Every
/// pass but the last decides one more of them, of which there are finitely many.
fn last_pass<'l, T>(
    library: &'l Library,
    options: &'l Options,
    run: impl Fn(&mut Builder<'l>) -> Option<T>,
) -> (Option<T>, Builder<'l>) {
    let (mut lags, mut decided) = (BTreeMap::new(), BTreeMap::new());
    let mut spent = 0;
    loop {
        let mut builder = Builder::new(library, options, lags.clone(), decided.clone());
        builder.work = spent;
        let result = run(&mut builder);
        spent = builder.work;
        if builder.decides_more {
            decided = builder.decided;
            continue;
        }
        let mut found: BTreeMap<String, u32> = BTreeMap::new();
        for info in &builder.states {
            let lag = found.entry(info.array.clone()).or_insert(1);
            *lag = (*lag).max(info.before).max(info.after);
        }
        let failed = builder.diagnostics.iter().any(Diagnostic::is_error);
        if failed || found.iter().all(|(name, lag)| lags.get(name).copied().unwrap_or(1) >= *lag) {
            return (result.filter(|_| !failed), builder);
        }
        for (name, lag) in found {
            let known = lags.entry(name).or_insert(1);
            *known = lag.max(*known);
        }
    }
}

/// Evaluation nests as deep as equations read each other, up to a limit that a default stack may not hold.
fn on_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    const STACK: usize = 1 << 29;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run);
        match thread.map(|t| t.join()) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // The operating system refuses the stack: a broken invariant of the machine, not of the text.
            Err(e) => panic!("cannot start a thread to build on: {e}"),
        }
    })
}
