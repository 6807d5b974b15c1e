//! Where a number went wrong: the equation, the point, the batch entry.
//!
//! In: the graph that a program was made of, and the arrays of a run that gave NaN or an infinity. Out: a [`Verdict`]: the
//! first operation whose result is not finite while everything that it read was, if what it made reaches an output.
//!
//! Kernels do not look at their numbers, so a run costs the same and gives the same bits whether it is looked into or not.
//! Only a run whose results are not finite is evaluated again, equation by equation, by the reference interpreter with
//! [`traced`] numbers, in the precision of the kernels: one batch entry after another, from those that show it on.
//!
//! What counts. NaN always does. An infinity does unless it was written: `inf` in the text, the greatest of nothing, the
//! declared start of a state. Neither does if nothing that was asked for depends on it: what a mask takes away, an infinity that
//! `exp` or a division has made 0. Padding is never computed, so it never counts.

pub mod errors;
mod events;
mod names;
mod traced;

use crate::eqn::eval::{Batch, Evaluator};
use crate::eqn::{Graph, Level, NodeId, Op, SourceId};
use crate::source::Span;
pub use events::Range;
use events::{Event, Events};
use ndarray::{ArrayD, Axis};
use std::collections::BTreeMap;
use traced::{Origin, Precision, Traced};

/// What became of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It went wrong here first.
    Fault(Box<Fault>),
    /// Results are infinite because of an infinity that was written.
    Meant(Box<Fault>),
    /// Equation by equation all is finite.
    Unseen,
}

/// The first number that went wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub what: What,
    /// The equation that it belongs to, by the author's name.
    pub equation: String,
    /// Where that stands; of the gradient, what it is the gradient of.
    pub span: Option<Span>,
    /// Only the gradient needs it.
    pub in_gradient: bool,
    /// The position along each axis by its variable, from 1.
    pub place: Vec<(String, usize)>,
    /// Of the batch, from 0; none of what all entries share.
    pub entry: Option<usize>,
    pub result: Range,
    pub operands: Vec<Operand>,
    /// An output that shows it.
    pub output: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// An array that was given: what kind of array, as a reader calls it.
    Given(&'static str),
    /// An operation, as the equation IR calls it.
    Operation(&'static str),
}

/// Something that was read there.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// Its name, or none if it is a part of an equation.
    pub name: Option<String>,
    pub span: Option<Span>,
    pub range: Range,
}

/// In which precision a run was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    Single,
    Double,
}

/// Evaluates a batch again to see where it goes wrong. `entries`: those of the batch that are looked at, in this order.
/// An error if it cannot be evaluated.
pub fn look_into(graph: &Graph, batch: &Batch, entries: &[usize], digits: Digits) -> Result<Verdict, String> {
    match digits {
        Digits::Single => look::<f32>(graph, batch, entries),
        Digits::Double => look::<f64>(graph, batch, entries),
    }
}

fn look<P: Precision>(graph: &Graph, batch: &Batch, entries: &[usize]) -> Result<Verdict, String> {
    let evaluator = Evaluator::new(graph)?;
    let mut meant = None;
    for entry in entries {
        match evaluate::<P>(&evaluator, graph, &alone(graph, batch, *entry))? {
            Verdict::Fault(fault) => return Ok(Verdict::Fault(Box::new(of_entry(*fault, *entry)))),
            Verdict::Meant(fault) => meant = meant.or(Some(of_entry(*fault, *entry))),
            Verdict::Unseen => {}
        }
    }
    if let Some(fault) = meant {
        return Ok(Verdict::Meant(Box::new(fault)));
    }
    // Sums over all entries may be too great where those of each are not.
    match entries.len() > 1 {
        true => evaluate::<P>(&evaluator, graph, &some(graph, batch, entries)),
        false => Ok(Verdict::Unseen),
    }
}

fn of_entry(fault: Fault, entry: usize) -> Fault {
    Fault { entry: fault.entry.map(|_| entry), ..fault }
}

fn evaluate<P: Precision>(evaluator: &Evaluator, graph: &Graph, batch: &Batch) -> Result<Verdict, String> {
    let mut events = Events::of(graph);
    let outputs = evaluator.on(batch)?.watched::<Traced<P>>(&batch.arrays, &mut events)?;
    let first = |wanted: fn(Origin) -> Option<u32>| {
        let shown = graph.outputs.iter().filter_map(|o| {
            let event = outputs.get(&*o.name)?.iter().filter_map(|x| wanted(x.origin)).min()?;
            Some((event, o.name.to_string()))
        });
        let (event, output) = shown.min_by_key(|(event, _)| *event)?;
        Some(Box::new(fault(graph, events.all.get(event as usize)?, output)))
    };
    let wrong = first(|o| if let Origin::Event(event) = o { Some(event) } else { None });
    let meant = || first(|o| if let Origin::Meant(event) = o { Some(event) } else { None });
    Ok(match wrong {
        Some(fault) => Verdict::Fault(fault),
        None => meant().map_or(Verdict::Unseen, Verdict::Meant),
    })
}

fn fault(graph: &Graph, event: &Event, output: String) -> Fault {
    let id = event.node;
    let node = graph.node(id);
    let axes = graph.axes_of(node.level);
    let var = |axis: &crate::eqn::DomainId| graph.domains[axis.index()].var.to_string();
    let what = match node.op {
        Op::Source(source) => What::Given(names::kind(graph, source)),
        ref op => What::Operation(op.word()),
    };
    let source = |id: SourceId| &graph.sources[id.index()];
    let span = match node.op {
        Op::Source(id) => source(id).span.or(node.span),
        _ => node.span.or_else(|| names::reader(graph, id).and_then(|r| graph.node(r).span)),
    };
    let operand = |(id, range): &(NodeId, Range)| Operand {
        name: names::own(graph, *id),
        span: graph.node(*id).span,
        range: *range,
    };
    Fault {
        what,
        equation: names::equation(graph, id),
        span,
        in_gradient: names::only_in_gradient(graph, id),
        place: axes.iter().map(var).zip(event.spot.at.iter().map(|p| p + 1)).collect(),
        entry: event.spot.example,
        result: event.result,
        operands: event.operands.iter().map(operand).collect(),
        output,
    }
}

/// The entries of a batch that show in outputs that something is not finite; all, if only what they share shows it.
pub fn entries(graph: &Graph, results: &BTreeMap<String, ArrayD<f64>>, size: usize) -> Vec<usize> {
    let mut shown = vec![false; size];
    for output in &graph.outputs {
        let level = graph.level(output.node);
        let (Some(array), false) = (results.get(&*output.name), level == Level::Shared) else { continue };
        let axis = graph.axes_of(level).len();
        if axis < array.ndim() {
            for (entry, values) in array.axis_iter(Axis(axis)).enumerate().take(size) {
                shown[entry] |= values.iter().any(|x| !x.is_finite());
            }
        }
    }
    let found: Vec<usize> = (0..size).filter(|entry| shown[*entry]).collect();
    if found.is_empty() { (0..size).collect() } else { found }
}

/// One entry of a batch.
fn alone(graph: &Graph, batch: &Batch, entry: usize) -> Batch {
    some(graph, batch, &[entry])
}

fn some(graph: &Graph, batch: &Batch, entries: &[usize]) -> Batch {
    let pick = |lengths: &Vec<usize>| entries.iter().filter_map(|e| lengths.get(*e).copied()).collect();
    let trees =
        |all: &Vec<crate::eqn::tree::Tree>| entries.iter().filter_map(|e| all.get(*e).cloned()).collect();
    let mut arrays = BTreeMap::new();
    for source in &graph.sources {
        let Some(array) = batch.arrays.get(&*source.name) else { continue };
        let axis = graph.axes_of(source.level).len();
        let array = match source.level {
            Level::Shared => array.clone(),
            _ if axis < array.ndim() => array.select(Axis(axis), entries),
            // The evaluation says what is wrong with it.
            _ => array.clone(),
        };
        arrays.insert(source.name.to_string(), array);
    }
    Batch {
        size: entries.len(),
        lengths: batch.lengths.iter().map(|(name, all)| (name.clone(), pick(all))).collect(),
        trees: batch.trees.iter().map(|(name, all)| (name.clone(), trees(all))).collect(),
        arrays,
        start: batch.start.clone(),
    }
}
