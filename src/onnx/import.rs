//! From an ONNX model to a file of the language and its weights.
//!
//! In: the bytes of a model of recurrent operators and the layers around them. Out: a [`model`](Imported::text) whose equations
//! are readable, each operator as a cell with its gates, and an array for each parameter. Whatever is not understood is
//! refused, with the node and why: nothing is left out silently.
//!
//! An ONNX value is an array whose extents mean something only to its author. Here each is known by what its axes are:
//! steps, examples, directions, units. The inputs of a model are taken to have steps first; if an operator then finds examples where it
//! wants steps, all is read again with examples first. What only rearranges axes becomes nothing at all.
//!
//! Read on in `import/nodes.rs` (layers), `import/recurrent.rs` (operators), `import/text.rs` (the file).

mod nodes;
mod recurrent;
mod text;

use super::errors;
use super::proto::{Extent, Graph, Model, Node, ValueInfo, element, is_modest};
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
#[derive(Clone, Debug)]
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
    /// Extents, which only make other arrays.
    Sizes,
    Zeros,
    /// An input that nothing has read yet.
    Given(String),
    Value(Value),
}

/// Why reading ended.
enum Stop {
    /// The model's inputs have examples first.
    Order,
    Refused(Box<Diagnostic>),
}

type Done<T> = Result<T, Stop>;

/// One equation of the layer.
struct Equation {
    name: String,
    text: String,
}

struct Reader<'m> {
    graph: &'m Graph,
    examples_first: bool,
    known: BTreeMap<String, Known>,
    equations: Vec<Equation>,
    /// Inputs of the layer with their types.
    inputs: Vec<(String, String)>,
    /// Cells of the file: what they are called, and their text with `NAME` for that.
    cells: Vec<(String, String)>,
    taken: BTreeSet<String>,
    weights: Arrays,
    notes: Vec<String>,
    /// How often a name is read, by nodes and as an output.
    readers: BTreeMap<&'m str, usize>,
    /// The latest product, if no equation has followed it: its equation, and what the model calls it.
    product: Option<(String, String)>,
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
    let mut constants = BTreeMap::new();
    for tensor in &graph.initializer {
        let read = array(file, tensor, &mut budget)?;
        // Parameters are split, turned and added up: as much again, twice.
        budget.take((read.data.len() as u64).saturating_mul(16))?;
        constants.insert(tensor.name.clone(), Known::Constant(read));
    }
    for examples_first in [false, true] {
        let reader = Reader::new(&graph, constants.clone(), examples_first);
        match reader.read(file, &mut budget) {
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
    fn new(graph: &'m Graph, known: BTreeMap<String, Known>, examples_first: bool) -> Self {
        let mut readers = BTreeMap::new();
        let names = graph.node.iter().flat_map(|n| &n.input).chain(graph.output.iter().map(|o| &o.name));
        names.for_each(|name| *readers.entry(name.as_str()).or_default() += 1);
        Reader {
            readers,
            product: None,
            graph,
            examples_first,
            known,
            equations: Vec::new(),
            inputs: Vec::new(),
            cells: Vec::new(),
            taken: BTreeSet::from(["Net".to_string()]),
            weights: Arrays::new(),
            notes: Vec::new(),
        }
    }

    fn read(mut self, file: &str, budget: &mut Budget) -> Done<Imported> {
        let graph = self.graph;
        for input in &graph.input {
            // An initializer of that name is its default.
            let default = self.known.get(&input.name);
            if !matches!(default, Some(Known::Constant(a)) if is_weight(input, a)) {
                self.known.insert(input.name.clone(), Known::Given(input.name.clone()));
            }
        }
        for node in &graph.node {
            self.node(file, node, budget)?;
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
        let text = text::file(&self, &outputs);
        Ok(Imported { text, weights: self.weights, notes: self.notes })
    }

    fn output(&mut self, name: &str) -> Done<Value> {
        match self.known.get(name).cloned() {
            Some(Known::Value(v)) => Ok(v),
            Some(Known::Given(_)) => self.sequence(name),
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
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// A name for something of the file.
    fn fresh(&mut self, hint: &str) -> String {
        let mut name = text::plain(hint);
        let mut k = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{}_{k}", text::plain(hint));
            k += 1;
        }
        name
    }

    /// A new equation; its name.
    fn equation(&mut self, text: String) -> String {
        let name = self.fresh(&format!("v{}", self.equations.len() + 1));
        self.product = None;
        self.equations.push(Equation { name: name.clone(), text });
        name
    }

    /// The name of a cell with this text, in which `NAME` stands for it.
    fn cell(&mut self, hint: &str, text: String) -> String {
        if let Some((name, _)) = self.cells.iter().find(|(_, t)| *t == text) {
            return name.clone();
        }
        let name = self.fresh(hint);
        self.cells.push((name.clone(), text));
        name
    }

    /// A model's input as what each step has; the layer has it from now on.
    fn sequence(&mut self, name: &str) -> Done<Value> {
        let info = self.graph.input.iter().find(|i| i.name == name);
        let (kind, dims) = info.map_or((0, Vec::new()), extents);
        let (steps, examples) = match self.examples_first {
            false => (Axis::Steps, Axis::Examples),
            true => (Axis::Examples, Axis::Steps),
        };
        let own = self.fresh(name);
        let value = match (kind, dims.as_slice()) {
            (element::FLOAT | element::DOUBLE, [_, _, Some(width)]) => {
                self.inputs.push((own.clone(), format!("seq<n> of [{width}]")));
                Value { parts: vec![own], axes: vec![steps, examples, Axis::Units], width: *width }
            }
            (element::INT64 | element::INT32, [_, _]) => {
                // How many symbols there are, the table says.
                self.inputs.push((own.clone(), String::new()));
                Value { parts: vec![own], axes: vec![steps, examples], width: 0 }
            }
            _ => {
                return Err(self.refused(
                    "an input",
                    name,
                    "it is neither [steps, batch, numbers] nor [steps, batch] of symbols",
                ));
            }
        };
        if self.examples_first {
            self.note(format!("`{name}` is [batch, steps, …] in the model, and [steps, batch, …] here"));
        }
        self.known.insert(name.to_string(), Known::Value(value.clone()));
        Ok(value)
    }
}

/// Whether an initializer of an input's name is meant as a weight: it has the input's extents in full.
fn is_weight(input: &ValueInfo, array: &Array) -> bool {
    let (_, dims) = extents(input);
    dims.len() == array.shape.len() && dims.iter().zip(&array.shape).all(|(d, n)| *d == Some(*n))
}

/// The element type and the extents that are numbers.
fn extents(info: &ValueInfo) -> (i32, Vec<Option<usize>>) {
    let Some(tensor) = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return (0, Vec::new());
    };
    let dims = tensor.shape.iter().flat_map(|s| &s.dim).map(|d| match d.value {
        Some(Extent::Number(n)) => usize::try_from(n).ok().filter(|n| *n < 1 << 31),
        _ => None,
    });
    (tensor.elem_type, dims.collect())
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
