//! From an ONNX model to a file of the language and its weights.
//!
//! In: the bytes of a model of recurrent operators or loops and the layers around them. Out: a [`model`](Imported::text) whose
//! equations are readable, each operator as a cell with its gates, and an array for each parameter. Whatever is not understood is
//! refused, with the node and why: nothing is left out silently.
//!
//! An ONNX value is an array whose extents mean something only to its author. Here each is known by what its axes are:
//! steps, examples, directions, units. The inputs of a model are taken to have steps first; if an operator then finds examples where it
//! wants steps, all is read again with examples first. What only rearranges axes becomes nothing at all; numbers that are made of
//! extents, such as the shape of a first state, are followed as what they are, and lengths and masks as what they say of steps.
//!
//! Read on in `import/nodes.rs` (which node is read where), `inputs.rs`, `axes.rs` and `parts.rs` (what moves axes about), `layers.rs`, `sizes.rs`
//! (shapes), `ragged.rs` (lengths), `recurrent.rs` (operators), `scan.rs` (loops), `text.rs` (the file).

mod axes;
mod inputs;
mod layers;
mod nodes;
mod parts;
mod ragged;
mod recurrent;
mod scan;
mod sizes;
mod starts;
mod text;

use super::errors;
use super::proto::{Graph, Model, Node, ValueInfo, is_modest};
use crate::diag::Diagnostic;
use crate::source::Sources;
use crate::syntax::{Format, format};
use crate::weights::onnx::array;
use crate::weights::{Array, Arrays, Budget, errors as files};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

/// What a model became.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub text: String,
    /// By the names that the model's instances give them.
    pub weights: Arrays,
    /// What differs from the model for its callers.
    pub notes: Vec<String>,
}

/// Outputs, and directions of one value, that a model may have.
const MOST_NOTED: usize = 64;

/// What an axis of a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Steps,
    Examples,
    Ways,
    Units,
}

/// Something that the layer computes.
#[derive(Clone, Debug, PartialEq)]
struct Value {
    /// An expression for each direction; one where there is no such axis.
    parts: Vec<String>,
    axes: Vec<Axis>,
    /// Units, of one direction; of a symbol 0.
    width: usize,
}

/// What a name of the model stands for.
#[derive(Clone, Debug)]
enum Known {
    Constant(Array),
    /// A constant for each example, or at each step.
    Spread(Array),
    /// One number everywhere.
    Filled(sizes::Filled),
    /// Whole numbers that make shapes.
    Sizes(sizes::Sizes),
    /// What says where examples end.
    Told(ragged::Told),
    /// An input that nothing has read yet.
    Given(String),
    /// A first state that callers may give.
    Open(starts::Open),
    Value(Value),
    /// A value at the first or the last step of each example, and 0 at the others.
    Only {
        value: Value,
        first: bool,
    },
    /// A value where an example has a step, and behind its end what is named.
    Held {
        value: Value,
        old: Value,
    },
}

/// Why reading ended.
enum Stop {
    /// The model's inputs have examples first.
    Order,
    Refused(Box<Diagnostic>),
}

type Done<T> = Result<T, Stop>;

/// One equation of the layer, or of the body of a loop.
struct Equation {
    name: String,
    text: String,
}

struct Reader<'m> {
    file: &'m str,
    graph: &'m Graph,
    infos: BTreeMap<&'m str, &'m ValueInfo>,
    examples_first: bool,
    known: BTreeMap<String, Known>,
    /// What inputs are where they are not given.
    defaults: BTreeMap<String, Array>,
    equations: Vec<Equation>,
    /// Inputs of the layer with their types.
    inputs: Vec<(String, String)>,
    /// Cells of the file: what they are called, and their text with `NAME` for that.
    cells: Vec<(String, String)>,
    taken: text::Names,
    /// What each turned sequence is the reverse of.
    turned: BTreeMap<String, String>,
    weights: Arrays,
    notes: Vec<String>,
    noted: BTreeSet<String>,
    starts: starts::Starts<'m>,
    /// The latest product, if no equation has followed it: its equation, and what the model calls it.
    product: Option<(String, String)>,
    /// The loop whose body is being read.
    body: Option<scan::Body>,
}

/// Reads a model; `most` bytes of arrays are taken at most.
pub fn import(file: &str, bytes: &[u8], most: u64) -> Result<Imported, Diagnostic> {
    let mut budget = Budget::new(file, most);
    budget.take(bytes.len() as u64)?;
    if !is_modest(bytes) {
        return Err(files::not_onnx(file, "it is cut short, or has more fields than a model needs"));
    }
    let model = Model::decode(bytes).map_err(|e| files::not_onnx(file, &e.to_string()))?;
    let graph = model.graph.ok_or_else(|| files::not_onnx(file, "there is no graph in it"))?;
    let constants = constants(file, &graph, &mut budget)?;
    for examples_first in [false, true] {
        let reader = Reader::new(file, &graph, constants.clone(), examples_first);
        match reader.read(&mut budget) {
            Err(Stop::Order) => {}
            Err(Stop::Refused(wrong)) => return Err(*wrong),
            Ok(imported) => return canonical(imported),
        }
    }
    Err(errors::unread_node(
        "the model",
        "",
        "its operators want steps first of one input and examples first of another",
    ))
}

fn constants(file: &str, graph: &Graph, budget: &mut Budget) -> Result<BTreeMap<String, Array>, Diagnostic> {
    let mut constants = BTreeMap::new();
    for tensor in &graph.initializer {
        let read = array(file, tensor, budget)?;
        // Parameters are split, turned and added up: as much again, twice.
        budget.take((read.data.len() as u64).saturating_mul(16))?;
        constants.insert(tensor.name.clone(), read);
    }
    Ok(constants)
}

/// Its text in the form that `rnnc fmt` gives it, read once more on the way.
fn canonical(imported: Imported) -> Result<Imported, Diagnostic> {
    let mut sources = Sources::default();
    let file = sources.add("<the imported model>", imported.text.as_str());
    match format(&sources, file, Format::default()) {
        Ok(text) => Ok(Imported { text, ..imported }),
        // It may be too long.
        Err(mut wrong) => Err(match wrong.is_empty() {
            true => errors::unread_node("the model", "", "its text cannot be written"),
            false => Diagnostic { labels: Vec::new(), fixes: Vec::new(), ..wrong.remove(0) },
        }),
    }
}

impl<'m> Reader<'m> {
    fn new(
        file: &'m str,
        graph: &'m Graph,
        constants: BTreeMap<String, Array>,
        examples_first: bool,
    ) -> Self {
        Reader {
            file,
            infos: graph.input.iter().map(|i| (i.name.as_str(), i)).collect(),
            product: None,
            body: None,
            starts: starts::Starts::of(graph),
            graph,
            examples_first,
            known: constants.into_iter().map(|(name, array)| (name, Known::Constant(array))).collect(),
            defaults: BTreeMap::new(),
            equations: Vec::new(),
            inputs: Vec::new(),
            cells: Vec::new(),
            taken: text::Names::default(),
            turned: BTreeMap::new(),
            weights: Arrays::new(),
            notes: Vec::new(),
            noted: BTreeSet::new(),
        }
    }

    fn read(mut self, budget: &mut Budget) -> Done<Imported> {
        let graph = self.graph;
        self.taken.take("Net");
        self.open_inputs();
        for node in &graph.node {
            self.node(node, budget)?;
        }
        if graph.output.len() > MOST_NOTED {
            return Err(self.refused("the model", "", "it has too many outputs"));
        }
        let mut outputs = Vec::new();
        for output in &graph.output {
            let value = self.output(&output.name)?;
            for (k, part) in value.parts.iter().enumerate() {
                let name = if k == 0 { output.name.clone() } else { format!("{}_reverse", output.name) };
                outputs.push((name, part.clone()));
            }
            self.said(&output.name, &value);
        }
        if let Some((name, _)) = self.inputs.iter().find(|(_, ty)| ty.is_empty()) {
            return Err(self.refused("an input", name, "no table is read by its symbols"));
        }
        self.without_unread(&outputs);
        let text = text::file(&self, &outputs);
        Ok(Imported { text, weights: self.weights, notes: self.notes })
    }

    fn output(&mut self, name: &str) -> Done<Value> {
        match self.known.get(name).cloned() {
            Some(Known::Value(v)) => Ok(v),
            Some(Known::Given(name) | Known::Open(starts::Open { name, .. })) => self.input(&name),
            _ => Err(self.refused("an output", name, "it is no value that the layer computes")),
        }
    }

    /// What a caller of the model has to know.
    fn said(&mut self, name: &str, value: &Value) {
        let is_plain = matches!(
            value.axes.as_slice(),
            [Axis::Steps, Axis::Examples]
                | [Axis::Steps, Axis::Examples, Axis::Units]
                | [Axis::Examples, Axis::Units]
        );
        if !is_plain {
            let axes: Vec<&str> = value.axes.iter().map(|a| a.word()).collect();
            self.note(format!("`{name}` has the axes {} in the model", axes.join(", ")));
        }
    }

    fn refused(&self, what: &str, name: &str, why: &str) -> Stop {
        Stop::Refused(Box::new(errors::unread_node(what, name, why)))
    }

    fn wrong(&self, node: &Node, why: &str) -> Stop {
        let name = [&node.name].into_iter().chain(&node.output).find(|n| !n.is_empty());
        self.refused(&node.op_type, name.map_or("", |n| n), why)
    }

    fn note(&mut self, text: String) {
        if self.noted.insert(text.clone()) {
            self.notes.push(text);
        }
    }

    /// A name for something of the file, or of the loop that is read.
    fn fresh(&mut self, hint: &str) -> String {
        match &mut self.body {
            Some(body) => body.taken.fresh(hint),
            None => self.taken.fresh(hint),
        }
    }

    /// A new equation; its name.
    fn equation(&mut self, text: String) -> String {
        self.product = None;
        if let Some(body) = &mut self.body {
            return body.equation(text);
        }
        let name = self.fresh(&format!("v{}", self.equations.len() + 1));
        self.equations.push(Equation { name: name.clone(), text });
        name
    }

    /// A sequence the other way about: what was turned already is turned back by leaving that out.
    fn turned_about(&mut self, part: &str) -> String {
        if let Some(inner) = self.turned.get(part) {
            return inner.clone();
        }
        let name = self.equation(format!("reverse({part})"));
        self.turned.insert(name.clone(), part.to_string());
        name
    }

    /// Takes out what no output depends on, such as one direction of an operator, and its weights.
    fn without_unread(&mut self, outputs: &[(String, String)]) {
        let mut read: BTreeSet<String> = outputs.iter().flat_map(|(_, part)| text::words(part)).collect();
        self.equations = text::reached(std::mem::take(&mut self.equations), &mut read);
        self.inputs.retain(|(name, _)| read.contains(name));
        let kept: BTreeSet<&str> = self.equations.iter().map(|e| e.name.as_str()).collect();
        self.weights.retain(|name, _| name.split('.').next().is_some_and(|own| kept.contains(own)));
        self.cells.retain(|(name, _)| read.contains(name));
    }

    /// The name of a cell with this text, in which `NAME` stands for it.
    fn cell(&mut self, hint: &str, text: String) -> String {
        if let Some((name, _)) = self.cells.iter().find(|(_, t)| *t == text) {
            return name.clone();
        }
        let name = self.taken.fresh(hint);
        self.cells.push((name.clone(), text));
        name
    }
}

impl Axis {
    fn word(self) -> &'static str {
        match self {
            Axis::Steps => "steps",
            Axis::Examples => "batch",
            Axis::Ways => "directions",
            Axis::Units => "units",
        }
    }
}
