//! A model made ready to train or to be used: compiled programs with the names of their arrays.
//!
//! In: graphs without open dimensions. Out: `Trained` and `Evaluated` programs. Only what is read
//! here is computed: the loss, the metrics, gradients of parameters, and the states that go on.

use super::batches::is_example_input;
use super::optimiser::carried;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{Graph, SourceKind};
use crate::grad;
use crate::runtime::{Executable, Workspace};
use std::sync::Arc;

/// Compiles a graph; which back end is the caller's choice.
pub type Compile<'a> = dyn Fn(&Graph) -> Fallible<Arc<Executable>> + 'a;

/// Keeps the outputs that training and evaluation read.
fn only(graph: &Graph, wanted: impl Fn(&str) -> bool) -> Graph {
    let mut graph = graph.clone();
    graph.outputs.retain(|o| wanted(&o.name));
    graph
}

fn is_measure(name: &str) -> bool {
    name == "loss" || name.starts_with("metric.") || name.ends_with("_last")
}

/// Names of the parameters that the loss of a graph depends on, in order.
pub fn parameters(graph: &Graph) -> Vec<String> {
    let params = graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_)));
    params.map(|s| s.name.to_string()).collect()
}

/// What is run, and the equations that it was made of.
#[derive(Clone, Debug)]
pub struct Made {
    pub graph: Graph,
    pub exe: Arc<Executable>,
}

impl Made {
    fn of(graph: Graph, compile: &Compile) -> Fallible<Made> {
        let exe = compile(&graph)?;
        Ok(Made { graph, exe })
    }
}

/// Forward and backward: loss, metrics, last states, and the gradient of every parameter.
pub fn training(graph: &Graph, compile: &Compile) -> Fallible<Made> {
    let graph = only(graph, is_measure);
    let options = grad::Options {
        wrt: Some(parameters(&graph)),
        from: Some(vec!["loss".into()]),
        ..Default::default()
    };
    Made::of(grad::differentiate(&graph, &options)?, compile)
}

/// Forward only: loss, metrics, last states.
pub fn evaluation(graph: &Graph, compile: &Compile) -> Fallible<Made> {
    Made::of(only(graph, is_measure), compile)
}

/// Forward only: one output, last states.
pub fn generation(graph: &Graph, output: &str, compile: &Compile) -> Fallible<Arc<Executable>> {
    compile(&only(graph, |name| name == output || name.ends_with("_last")))
}

/// A workspace whose states go on from run to run.
pub struct Carrying {
    pub workspace: Workspace,
    /// Names of initial and last values.
    states: Vec<(String, String, bool)>,
    /// The states after the last run; empty before the first.
    values: Vec<Vec<f32>>,
}

impl Carrying {
    /// `carry`: without it every run starts anew.
    pub fn new(exe: &Arc<Executable>, carry: bool) -> Fallible<Carrying> {
        let states = if carry { carried(exe).map_err(|e: Diagnostic| vec![e])? } else { Vec::new() };
        let is_id = |name: &str| exe.program().inputs.iter().any(|i| &*i.name == name && i.symbols.is_some());
        let states = states.into_iter().map(|(i, l)| (i.clone(), l, is_id(&i))).collect();
        Ok(Carrying { workspace: Workspace::new(exe)?, states, values: Vec::new() })
    }

    /// Forgets the states: the next run starts anew.
    pub fn restart(&mut self) {
        self.values.clear();
    }

    /// Gives the states of the last run to the next one; sizes are fixed before.
    pub fn begin(&mut self) -> Fallible<()> {
        let w = &mut self.workspace;
        if is_example_input(w, "start") {
            let fresh = if self.values.is_empty() { 1.0 } else { 0.0 };
            w.set_input("start", &vec![fresh; w.batch()])?;
        }
        for (i, (initial, _, is_id)) in self.states.iter().enumerate() {
            match self.values.get(i) {
                None => w.clear_input(initial)?,
                Some(values) if *is_id => {
                    let ids: Vec<i32> = values.iter().map(|v| *v as i32).collect();
                    w.set_ids(initial, &ids)?;
                }
                Some(values) => w.set_input(initial, values)?,
            }
        }
        Ok(())
    }

    /// Takes the states of the run that is over.
    pub fn end(&mut self) -> Fallible<()> {
        self.values.resize(self.states.len(), Vec::new());
        for ((_, last, _), values) in self.states.iter().zip(&mut self.values) {
            values.resize(self.workspace.output_shape(last)?.iter().product(), 0.0);
            self.workspace.output_into(last, values)?;
        }
        Ok(())
    }

    /// The carried states by the name of their initial value; none before the first run.
    pub fn states(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.states.iter().zip(&self.values).map(|((initial, _, _), v)| (initial.as_str(), v.as_slice()))
    }

    /// Puts back what [`Carrying::states`] gave. False if a state is missing.
    pub fn set_states(&mut self, mut find: impl FnMut(&str) -> Option<Vec<f32>>) -> bool {
        let values: Option<Vec<Vec<f32>>> = self.states.iter().map(|(initial, _, _)| find(initial)).collect();
        let found = values.is_some();
        self.values = values.unwrap_or_default();
        found
    }
}
