//! Update rules that are cells of the language, applied to parameters.

use super::arrays::Outputs;
use super::compiled::Inner;
use super::error::{Error, Result};
use super::params::Params;
use crate::diag::Fallible;
use crate::eqn::SourceKind;
use crate::pipeline::{self, CompileOptions};
use crate::runtime::errors::{missing, wrong_shape};
use crate::schedule::{Expected, cost};
use crate::shape::Bindings;
use crate::source::Sources;
use crate::syntax;
use crate::syntax::ast::Expr;
use crate::train::optimiser::{self, Rule, Updater};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An update rule with what it remembers of each parameter. Made by [`Compiled::optimiser`](super::Compiled::optimiser).
pub struct Optimiser {
    inner: Arc<Inner>,
    sources: Sources,
    recipe: Expr,
    /// By shape.
    rules: BTreeMap<Vec<usize>, Updater>,
    /// Of each parameter, beside its value.
    states: BTreeMap<String, Vec<Vec<f32>>>,
    steps: u64,
}

impl std::fmt::Debug for Optimiser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Optimiser({} steps)", self.steps)
    }
}

impl Optimiser {
    pub(super) fn new(inner: &Arc<Inner>, recipe: &str) -> Result<Optimiser> {
        let mut sources = inner.recipe.shared.sources.clone();
        let file = sources.add("<optimiser>", recipe);
        let tree = syntax::parse_recipe(&sources, file).map_err(|e| Error::new(&sources, e))?;
        let mut optimiser = Optimiser {
            inner: inner.clone(),
            sources,
            recipe: tree,
            rules: BTreeMap::new(),
            states: BTreeMap::new(),
            steps: 0,
        };
        // Whether it is one does not depend on the shape.
        optimiser.updater(&[1]).map_err(|e| Error::new(&optimiser.sources, e))?;
        Ok(optimiser)
    }

    fn updater(&mut self, shape: &[usize]) -> Fallible<()> {
        if self.rules.contains_key(shape) {
            return Ok(());
        }
        let library = &self.inner.recipe.shared.library;
        let graph = optimiser::build(library, &self.recipe, shape)?;
        let names = optimiser::names(&graph, self.recipe.span).map_err(|e| vec![e])?;
        let graph = optimiser::last_only(&graph);
        let options = CompileOptions {
            expected: Expected::Sizes(cost::Sizes { batch: 1, steps: 1 }),
            limits: self.inner.limits,
            ..CompileOptions::default()
        };
        let exe = pipeline::compile(&graph, &Bindings::new(), &options)?;
        let rule = Rule::new(&exe, &names, self.recipe.span)?;
        self.rules.insert(shape.to_vec(), rule.updater()?);
        Ok(())
    }

    /// One step: each parameter that has a gradient `NAME_adj` is changed by it, times `scale`, and kept within its declared bounds.
    /// A parameter without one stays.
    ///
    /// # Errors
    /// A gradient of another shape than its parameter, or without one; then nothing is changed.
    pub fn update(&mut self, params: &mut Params, gradients: &Outputs, scale: f32) -> Result<()> {
        let result = self.change(params, gradients, scale);
        result.map_err(|e| Error::new(&self.sources, e))
    }

    fn change(&mut self, params: &mut Params, gradients: &Outputs, scale: f32) -> Fallible<()> {
        let inner = self.inner.clone();
        let learnt = inner.graph.sources.iter().filter_map(|s| match &s.kind {
            SourceKind::Param(info) => Some((&*s.name, info.within)),
            _ => None,
        });
        let with_gradient = |(name, within)| Some((name, within, gradients.get(&format!("{name}_adj"))?));
        let all: Vec<(&str, Option<(f64, f64)>, _)> = learnt.filter_map(with_gradient).collect();
        for (name, _, gradient) in &all {
            let Some(param) = params.get(name) else { return Err(vec![missing(name)]) };
            if param.shape() != gradient.shape() {
                let name = format!("{name}_adj");
                return Err(vec![wrong_shape(&name, param.shape(), gradient.shape())]);
            }
            self.updater(gradient.shape())?;
        }
        for (name, within, gradient) in all {
            let (Some(param), Some(updater)) = (params.get_mut(name), self.rules.get_mut(gradient.shape()))
            else {
                continue;
            };
            let gradient = gradient.as_standard_layout();
            let mut values: Vec<f32> = param.iter().copied().collect();
            let states = self.states.entry(name.to_string()).or_default();
            updater.apply(self.steps, scale, gradient.as_slice().unwrap_or(&[]), &mut values, states)?;
            if let Some((lo, hi)) = within {
                values.iter_mut().for_each(|x| *x = x.max(lo as f32).min(hi as f32));
            }
            param.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        }
        self.steps += 1;
        Ok(())
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}
