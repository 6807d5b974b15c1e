//! One example, step after step.

use super::arrays::Arrays;
use super::compiled::{Inner, Way};
use super::error::Result;
use super::load::load_some;
use super::sizes::unknown_names;
use crate::diag::{Diagnostic, Fallible};
use crate::loops::Place;
use crate::runtime;
use std::sync::Arc;

/// A sequence that goes on step by step: [`Stream::step`] allocates nothing, takes no lock, and gives the bits that a run over the whole
/// sequence would. Made by [`Compiled::stream`](super::Compiled::stream); of one thread at a time.
pub struct Stream {
    inner: Arc<Inner>,
    stream: runtime::Stream,
    inputs: Vec<Part>,
    outputs: Vec<Part>,
}

/// An array of one step, among all of them one behind another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    /// Its first element.
    pub start: usize,
    /// The extents of one value.
    pub shape: Vec<usize>,
}

impl Part {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({}, {:?})", self.inner.graph.name, self.stream)
    }
}

impl Stream {
    pub(super) fn new(inner: &Arc<Inner>, given: &Arrays) -> Fallible<Stream> {
        let strange = unknown_names(inner, given);
        if !strange.is_empty() {
            return Err(strange);
        }
        let plan = inner.plan(Way::Steps, true)?;
        let program = plan.exe.program();
        let mut stream = runtime::Stream::new(&plan.exe)?;
        stream.prepare(|workspace| load_some(workspace, inner, given, is_once))?;
        let shape = |name: &str| {
            let input = program.inputs.iter().find(|i| *i.name == *name).map(|i| &i.shape);
            let output = || program.outputs.iter().find(|o| *o.name == *name).map(|o| &o.shape);
            input.or_else(output).cloned().unwrap_or_default()
        };
        let output = |name: &str| program.outputs.iter().find(|o| *o.name == *name).map(|o| o.shape.clone());
        let inputs = parts(stream.inputs().map(|(name, _)| (name, shape(name))));
        let outputs = parts(stream.outputs().map(|(name, _)| (name, output(name).unwrap_or_default())));
        Ok(Stream { inner: inner.clone(), stream, inputs, outputs })
    }

    /// The inputs of a step, in their order.
    pub fn inputs(&self) -> &[Part] {
        &self.inputs
    }

    /// The outputs of a step, in their order.
    pub fn outputs(&self) -> &[Part] {
        &self.outputs
    }

    /// One step: `input` holds all [`Stream::inputs`] one behind another, `output` gets all [`Stream::outputs`]. Symbols are whole
    /// numbers.
    ///
    /// # Errors
    /// Slices of another size; a number that is no symbol. The stream is as it was before.
    pub fn step(&mut self, input: &[f32], output: &mut [f32]) -> Result<()> {
        self.stream.step(input, output).map_err(|e| self.inner.refusal(e))
    }

    /// Changes parameters; states stay as they are.
    ///
    /// # Errors
    /// Unknown names, other shapes.
    pub fn set_params(&mut self, given: &Arrays) -> Result<()> {
        let set = |workspace: &mut runtime::Workspace| {
            let known: Vec<String> = workspace.params().map(str::to_string).collect();
            let unknown = |name: &str| runtime::errors::unknown(name, known.iter().map(String::as_str));
            let wrong: Vec<Diagnostic> =
                given.names().filter(|n| !known.iter().any(|k| k == n)).map(unknown).collect();
            if !wrong.is_empty() {
                return Err(wrong);
            }
            load_some(workspace, &self.inner, given, |workspace, name| {
                given.get(name).is_some() && workspace.param(name).is_ok()
            })
        };
        self.stream.prepare(set).map_err(|e| self.inner.refusal(e))
    }

    /// Begins anew, with the initial states.
    pub fn restart(&mut self) {
        self.stream.restart();
    }
}

/// What is given once, not with each step.
fn is_once(workspace: &runtime::Workspace, name: &str) -> bool {
    let program = workspace.executable().program();
    let input = program.inputs.iter().find(|i| *i.name == *name);
    input.is_some_and(|i| !matches!(program.buffers[i.at.buffer.index()].place, Place::Over { .. }))
}

fn parts<'a>(named: impl Iterator<Item = (&'a str, Vec<usize>)>) -> Vec<Part> {
    let mut start = 0;
    let part = |(name, shape): (&str, Vec<usize>)| {
        let part = Part { name: name.to_string(), start, shape };
        start += part.len();
        part
    };
    named.map(part).collect()
}
