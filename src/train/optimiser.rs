//! Applying an update rule that is itself a cell.
//!
//! In: the recipe of a cell over training steps, built and compiled once for each shape of parameter;
//! a gradient. Out: the changed parameter. The cell reads the gradient as its one input; its first
//! `out` is the parameter; all its states are carried from step to step. There is no update rule here.

use super::batches::{is_example_input, is_input};
use super::errors;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build::{self, Options};
use crate::eqn::eval::Batch;
use crate::eqn::{Graph, Level, SourceKind, Ty};
use crate::loops::InputKind;
use crate::resolve::Library;
use crate::runtime::{Executable, Workspace};
use crate::shape::Dim;
use crate::simplify::simplify;
use crate::source::Span;
use crate::syntax::ast::Expr;
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the arrays of an optimiser's cell are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub gradient: String,
    /// The state that is the parameter.
    pub parameter: String,
    pub extent: String,
}

/// The graph of an optimiser's recipe for parameters of one shape.
pub fn build(library: &Library, recipe: &Expr, shape: &[usize]) -> Fallible<Graph> {
    // An extent beyond i64 belongs to no array that exists.
    let any_shape = shape.iter().map(|n| Dim::constant(i64::try_from(*n).unwrap_or(i64::MAX))).collect();
    let options = Options { training: true, carry: true, any_shape: Some(any_shape), ..Options::default() };
    let (graph, diagnostics) = build::build(library, recipe, &options);
    let wrong: Vec<Diagnostic> = diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    match graph {
        Some(graph) if wrong.is_empty() => Ok(graph),
        _ => Err(wrong),
    }
}

/// Keeps what one step is for: the states after it.
pub fn last_only(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    graph.outputs.retain(|o| o.name.ends_with("_last"));
    graph
}

/// Finds the gradient and the parameter in a cell's graph.
pub fn names(graph: &Graph, span: Span) -> Result<Names, Diagnostic> {
    let inputs: Vec<_> =
        graph.sources.iter().filter(|s| s.kind == SourceKind::Input && s.ty == Ty::Real).collect();
    let [gradient] = inputs.as_slice() else {
        return Err(errors::no_optimiser(span, "it wants one input, the gradient"));
    };
    let Level::Over(domain) = gradient.level else {
        return Err(errors::no_optimiser(span, "its input is not over a chain"));
    };
    if graph.sources.iter().any(|s| matches!(s.kind, SourceKind::Param(_))) {
        return Err(errors::no_optimiser(span, "it has parameters of its own"));
    }
    let parameter = graph.outputs.first().map(|o| o.name.to_string()).unwrap_or_default();
    if !graph.sources.iter().any(|s| *s.name == format!("{parameter}0")) {
        return Err(errors::no_optimiser(
            span,
            &format!("its output `{parameter}` is no state that it carries"),
        ));
    }
    let extent = graph.domains.get(domain.index()).map(|d| d.extent.to_string()).unwrap_or_default();
    Ok(Names { gradient: gradient.name.to_string(), parameter, extent })
}

/// The compiled cell for one shape of parameter.
pub struct Rule {
    exe: Arc<Executable>,
    names: Names,
    /// Carried states beside the parameter: names of the initial and of the last value, and shapes.
    states: Vec<(String, String, Vec<usize>)>,
    /// What it was made of, if that is known.
    graph: Option<Graph>,
}

/// What one update of a parameter begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// From 0.
    pub step: u64,
    pub gradient: Vec<f32>,
    pub parameter: Vec<f32>,
    pub states: Vec<Vec<f32>>,
}

impl Rule {
    pub fn new(exe: &Arc<Executable>, names: &Names, span: Span) -> Fallible<Rule> {
        let workspace = workspace(exe, names)?;
        if !is_input(&workspace, &names.gradient) {
            return Err(vec![errors::no_optimiser(span, "its parameter does not depend on the gradient")]);
        }
        let mut states = Vec::new();
        for (initial, last) in carried(exe).map_err(|e| vec![e])? {
            if initial != format!("{}0", names.parameter) {
                let shape = workspace.input_shape(&initial)?;
                states.push((initial, last, shape));
            }
        }
        Ok(Rule { exe: exe.clone(), names: names.clone(), states, graph: None })
    }

    /// With the equations that it was made of.
    pub fn of(self, graph: Graph) -> Rule {
        Rule { graph: Some(graph), ..self }
    }

    /// One update as an evaluation of the rule's equations.
    pub fn again(&self, given: &Given) -> Option<(Graph, Batch)> {
        let graph = simplify(self.graph.as_ref()?);
        let mut batch = Batch { size: 1, ..Batch::default() };
        batch.lengths.insert(self.names.extent.clone(), vec![1]);
        batch.start.insert(self.names.extent.clone(), usize::try_from(given.step).ok()?);
        let initial = format!("{}0", self.names.parameter);
        let start = [if given.step == 0 { 1.0 } else { 0.0 }];
        let states =
            self.states.iter().zip(&given.states).map(|((name, ..), values)| (name.as_str(), &values[..]));
        let all =
            [(&*self.names.gradient, &given.gradient[..]), (&*initial, &given.parameter), ("start", &start)];
        for (name, values) in all.into_iter().chain(states) {
            let Some(source) = graph.find_source(name).map(|id| &graph.sources[id.index()]) else { continue };
            let own = source.shape.iter().filter_map(|d| usize::try_from(d.as_constant()?).ok());
            // One step of one example.
            let points = vec![1; graph.axes_of(source.level).len()];
            let shape: Vec<usize> = points.into_iter().chain([1]).chain(own).collect();
            let values = values.iter().map(|x| f64::from(*x)).collect();
            batch.arrays.insert(name.to_string(), ArrayD::from_shape_vec(IxDyn(&shape), values).ok()?);
        }
        Some((graph, batch))
    }

    /// Names of the carried states beside the parameter, as checkpoints call them, and their shapes.
    pub fn states(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.states.iter().map(|(initial, _, shape)| (initial.strip_suffix('0').unwrap_or(initial), &**shape))
    }

    /// Memory to apply it in.
    pub fn updater(&self) -> Fallible<Updater> {
        let workspace = workspace(&self.exe, &self.names)?;
        let initial = format!("{}0", self.names.parameter);
        Ok(Updater {
            names: self.names.clone(),
            initial: is_input(&workspace, &initial).then_some(initial),
            last: format!("{}_last", self.names.parameter),
            states: self.states.clone(),
            scaled: Vec::new(),
            workspace,
        })
    }
}

/// Memory for one step.
fn workspace(exe: &Arc<Executable>, names: &Names) -> Fallible<Workspace> {
    let mut workspace = Workspace::new(exe)?;
    workspace.resize(1, &BTreeMap::from([(names.extent.clone(), vec![1])]))?;
    Ok(workspace)
}

/// What applies a [`Rule`] to one parameter after another.
pub struct Updater {
    workspace: Workspace,
    names: Names,
    /// Names of the parameter before a step, if it is read, and after it.
    initial: Option<String>,
    last: String,
    states: Vec<(String, String, Vec<usize>)>,
    scaled: Vec<f32>,
}

impl Updater {
    /// One update, by the gradient times `scale`. `step` counts from 0; before the first step `states` is empty.
    pub fn apply(
        &mut self,
        step: u64,
        scale: f32,
        gradient: &[f32],
        parameter: &mut [f32],
        states: &mut Vec<Vec<f32>>,
    ) -> Fallible<()> {
        let w = &mut self.workspace;
        w.set_start(&self.names.extent, step)?;
        self.scaled.clear();
        self.scaled.extend(gradient.iter().map(|g| g * scale));
        w.set_input(&self.names.gradient, &self.scaled)?;
        if let Some(initial) = &self.initial {
            w.set_input(initial, parameter)?;
        }
        if is_example_input(w, "start") {
            w.set_input("start", &[if step == 0 { 1.0 } else { 0.0 }])?;
        }
        for (i, (initial, ..)) in self.states.iter().enumerate() {
            match states.get(i) {
                Some(values) => w.set_input(initial, values)?,
                None => w.clear_input(initial)?,
            }
        }
        w.run()?;
        w.output_into(&self.last, parameter)?;
        states.resize(self.states.len(), Vec::new());
        for ((_, last, shape), values) in self.states.iter().zip(states) {
            values.resize(shape.iter().product(), 0.0);
            w.output_into(last, values)?;
        }
        Ok(())
    }
}

/// The states of a program that go on from run to run: names of their initial and last values.
pub fn carried(exe: &Executable) -> Result<Vec<(String, String)>, Diagnostic> {
    let program = exe.program();
    let mut all = Vec::new();
    for input in &program.inputs {
        if !matches!(input.kind, InputKind::Initial { .. }) {
            continue;
        }
        let name = input.name.strip_suffix('0').unwrap_or(&input.name);
        let last = format!("{name}_last");
        if !program.outputs.iter().any(|o| *o.name == *last) {
            return Err(errors::not_carried(name));
        }
        all.push((input.name.to_string(), last));
    }
    Ok(all)
}
