//! What the `data` and `train` blocks of a model say, judged without the data.
//!
//! In: a model, and its graph if its equations are right. Out: its mistakes. What a command line can still give, such as an optimiser, is no mistake yet.

use super::data::source;
use super::settings::{self, Settings};
use super::{errors, fit, optimiser};
use crate::diag::Diagnostic;
use crate::eqn::Graph;
use crate::eqn::build::{data_lines, train_lines};
use crate::resolve::Library;
use crate::syntax::ast::Model;
use std::collections::BTreeMap;

/// Some shape of a parameter, to see whether an optimiser can be built.
const SHAPE: [usize; 2] = [2, 3];

pub fn mistakes(library: &Library, model: &Model, graph: Option<&Graph>) -> Vec<Diagnostic> {
    let mut found = of_train(library, model, graph);
    found.extend(of_data(model, graph));
    // Of what has no place nothing stands in the file.
    found.retain(|d| !d.labels.is_empty());
    found.sort_by_key(|d| d.labels.first().map(|l| l.span.start));
    found
}

fn of_train(library: &Library, model: &Model, graph: Option<&Graph>) -> Vec<Diagnostic> {
    let lines = train_lines(model);
    if lines.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    if graph.is_some_and(|g| g.find_output("loss").is_none()) {
        found.push(errors::no_loss(&model.name.written, Some(model.name.span)));
    }
    found.extend(Settings::parse(&model.name.name, &lines, &BTreeMap::new()).err().unwrap_or_default());
    if let Some(recipe) = settings::optimizer(&lines) {
        let names = optimiser::build(library, recipe, &SHAPE)
            .and_then(|graph| optimiser::names(&graph, recipe.span).map_err(|e| vec![e]));
        found.extend(names.err().unwrap_or_default());
    }
    found
}

fn of_data(model: &Model, graph: Option<&Graph>) -> Vec<Diagnostic> {
    let lines = data_lines(model);
    if lines.is_empty() {
        return Vec::new();
    }
    let mut found = source::parse(&lines).err().unwrap_or_default();
    if let Some(graph) = graph {
        let names: Vec<String> = source::names(&lines).map(ToString::to_string).collect();
        found.extend(fit::without_data(graph, &names));
    }
    found
}
