//! A model as it grows: graphs in graphs, names, constants.
//!
//! A value is named once in the whole model. A node is written into the innermost graph that one of its operands
//! belongs to, so what a loop does not change stands before the loop. The same operation on the same operands is
//! written once.

use crate::eqn::{DomainId, Ty};
use crate::onnx::proto::{
    Attribute as AttributeProto, Graph as GraphProto, Node as NodeProto, Tensor as TensorProto, element, kind,
};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A value of the model and the graph it belongs to, from 0 for the outermost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub text: Rc<str>,
    pub scope: usize,
}

/// A value with what its extents mean: points along some axes, perhaps examples, then those of one value.
#[derive(Clone, Debug)]
pub struct Val {
    pub name: Name,
    /// Ascending. Along a missing axis it is the same everywhere.
    pub axes: Vec<DomainId>,
    pub batch: bool,
    pub rank: usize,
    pub ty: Elem,
}

/// The element types that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elem {
    Real,
    Bool,
    Id,
}

impl Elem {
    pub fn of(ty: &Ty) -> Elem {
        match ty {
            Ty::Real => Elem::Real,
            Ty::Bool => Elem::Bool,
            Ty::Id(_) => Elem::Id,
        }
    }

    pub fn code(self) -> i32 {
        match self {
            Elem::Real => element::FLOAT,
            Elem::Bool => element::BOOL,
            Elem::Id => element::INT64,
        }
    }
}

impl Val {
    /// Extents before those of one value.
    pub fn lead(&self) -> usize {
        self.axes.len() + usize::from(self.batch)
    }

    pub fn place(&self, axis: DomainId) -> Option<usize> {
        self.axes.iter().position(|a| *a == axis)
    }

    pub fn named(&self, name: Name) -> Val {
        Val { name, ..self.clone() }
    }
}

/// A graph that is being written.
#[derive(Default)]
struct Scope {
    nodes: Vec<NodeProto>,
    known: BTreeMap<String, Name>,
    /// The axis its loop goes along, and what it reads of each step: the whole, its place in it, one step.
    axis: Option<DomainId>,
    slices: Vec<(Name, usize, Name)>,
}

/// What a finished loop body is made of.
pub struct Body {
    pub nodes: Vec<NodeProto>,
    pub slices: Vec<(Name, usize, Name)>,
}

pub struct Writer {
    scopes: Vec<Scope>,
    taken: BTreeSet<Rc<str>>,
    pub initializers: Vec<TensorProto>,
    numbers: BTreeMap<String, Name>,
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, r#type: kind::INT, ..Default::default() }
}

pub fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.into(), ints, r#type: kind::INTS, ..Default::default() }
}

pub fn word(name: &str, word: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: word.into(), r#type: kind::STRING, ..Default::default() }
}

pub fn words(name: &str, words: &[&str]) -> AttributeProto {
    let strings = words.iter().map(|w| w.as_bytes().to_vec()).collect();
    AttributeProto { name: name.into(), strings, r#type: kind::STRINGS, ..Default::default() }
}

pub fn graph(name: &str, g: GraphProto) -> AttributeProto {
    AttributeProto { name: name.into(), g: Some(Box::new(g)), r#type: kind::GRAPH, ..Default::default() }
}

impl Writer {
    pub fn new() -> Writer {
        Writer {
            scopes: vec![Scope::default()],
            taken: BTreeSet::new(),
            initializers: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// The innermost graph.
    pub fn depth(&self) -> usize {
        self.scopes.len() - 1
    }

    /// The axes of the loops that are open.
    pub fn around(&self) -> Vec<DomainId> {
        self.scopes.iter().filter_map(|s| s.axis).collect()
    }

    /// A name that nothing has yet.
    pub fn fresh(&mut self, hint: &str) -> Rc<str> {
        let mut name: Rc<str> = hint.into();
        let mut k = 2;
        while self.taken.contains(&name) {
            name = format!("{hint}_{k}").into();
            k += 1;
        }
        self.taken.insert(name.clone());
        name
    }

    /// One node with one result.
    pub fn emit(&mut self, op: &str, inputs: &[&Name], attributes: Vec<AttributeProto>) -> Name {
        self.emit_as(op, inputs, attributes, None)
    }

    /// The same; `hint` is what its result is called if nothing has that name.
    pub fn emit_as(
        &mut self,
        op: &str,
        inputs: &[&Name],
        attributes: Vec<AttributeProto>,
        hint: Option<&str>,
    ) -> Name {
        let scope = inputs.iter().map(|n| n.scope).max().unwrap_or(0);
        let texts: Vec<&str> = inputs.iter().map(|n| &*n.text).collect();
        let key = format!("{op} {texts:?} {attributes:?}");
        if let Some(known) = self.scopes[scope].known.get(&key) {
            return known.clone();
        }
        let lower = op.to_lowercase();
        let name = Name { text: self.fresh(hint.unwrap_or(&lower)), scope };
        self.scopes[scope].known.insert(key, name.clone());
        self.push(
            scope,
            op,
            texts.iter().map(|t| t.to_string()).collect(),
            vec![name.text.to_string()],
            attributes,
        );
        name
    }

    /// A node as it is, in a graph that is still open.
    pub fn push(
        &mut self,
        scope: usize,
        op: &str,
        input: Vec<String>,
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        let name = output.iter().find(|o| !o.is_empty()).map(|o| format!("{op}:{o}")).unwrap_or_default();
        let node = NodeProto { input, output, name, op_type: op.into(), attribute, domain: String::new() };
        self.scopes[scope].nodes.push(node);
    }

    /// Opens the body of a loop along an axis.
    pub fn open(&mut self, axis: DomainId) {
        self.scopes.push(Scope { axis: Some(axis), ..Scope::default() });
    }

    /// The innermost body; its loop's node is for the caller to write.
    pub fn close(&mut self) -> Body {
        let scope = self.scopes.pop().unwrap_or_default();
        Body { nodes: scope.nodes, slices: scope.slices }
    }

    /// A value as the innermost graph sees it: one step of it for each loop along one of its axes between.
    pub fn read(&mut self, mut v: Val) -> Val {
        for k in v.name.scope + 1..self.scopes.len() {
            let place = self.scopes[k].axis.and_then(|axis| v.place(axis));
            if let Some(place) = place {
                v.name = self.slice(k, &v.name, place);
                v.axes.remove(place);
            }
        }
        v
    }

    /// Whether the innermost loop reads anything step by step.
    pub fn has_slices(&self) -> bool {
        self.scopes.last().is_some_and(|s| !s.slices.is_empty())
    }

    fn slice(&mut self, scope: usize, whole: &Name, place: usize) -> Name {
        let known = self.scopes[scope].slices.iter().find(|(w, p, _)| w == whole && *p == place);
        if let Some((_, _, step)) = known {
            return step.clone();
        }
        let text = self.fresh(&format!("{}_t", whole.text));
        let step = Name { text, scope };
        self.scopes[scope].slices.push((whole.clone(), place, step.clone()));
        step
    }

    /// Reals.
    pub fn floats(&mut self, hint: &str, dims: &[usize], values: &[f32]) -> Name {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(hint, element::FLOAT, dims, raw)
    }

    pub fn longs(&mut self, hint: &str, dims: &[usize], values: &[i64]) -> Name {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(hint, element::INT64, dims, raw)
    }

    pub fn bools(&mut self, hint: &str, dims: &[usize], values: &[bool]) -> Name {
        self.initializer(hint, element::BOOL, dims, values.iter().map(|v| u8::from(*v)).collect())
    }

    fn initializer(&mut self, hint: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) -> Name {
        let text = self.fresh(hint);
        let dims = dims.iter().map(|n| *n as i64).collect();
        let name = text.to_string();
        self.initializers.push(TensorProto { dims, data_type, name, raw_data, ..Default::default() });
        Name { text, scope: 0 }
    }

    /// A number without extents.
    pub fn real(&mut self, value: f64) -> Name {
        let key = format!("real {:x}", (value as f32).to_bits());
        match self.numbers.get(&key) {
            Some(name) => name.clone(),
            None => {
                let name = self.floats(&format!("real_{}", value as f32), &[], &[value as f32]);
                self.numbers.insert(key, name.clone());
                name
            }
        }
    }

    /// A list of whole numbers.
    pub fn list(&mut self, values: &[i64]) -> Name {
        self.whole(&[values.len()], values)
    }

    /// A whole number without extents.
    pub fn long(&mut self, value: i64) -> Name {
        self.whole(&[], &[value])
    }

    fn whole(&mut self, dims: &[usize], values: &[i64]) -> Name {
        let key = format!("long {dims:?} {values:?}");
        match self.numbers.get(&key) {
            Some(name) => name.clone(),
            None => {
                let words: Vec<String> = values.iter().map(i64::to_string).collect();
                let hint = format!("{}_{}", if dims.is_empty() { "int" } else { "ints" }, words.join("_"));
                let name = self.longs(&hint, dims, values);
                self.numbers.insert(key, name.clone());
                name
            }
        }
    }

    pub fn unsqueeze(&mut self, v: &Name, axes: &[i64]) -> Name {
        let axes = self.list(axes);
        self.emit("Unsqueeze", &[v, &axes], Vec::new())
    }

    pub fn squeeze(&mut self, v: &Name, axes: &[i64]) -> Name {
        let axes = self.list(axes);
        self.emit("Squeeze", &[v, &axes], Vec::new())
    }

    pub fn cast(&mut self, v: &Name, to: i32) -> Name {
        self.emit("Cast", &[v], vec![int("to", i64::from(to))])
    }

    /// Points `start..end` along an extent.
    pub fn cut(&mut self, v: &Name, axis: usize, start: &Name, end: &Name) -> Name {
        let axis = self.list(&[axis as i64]);
        self.emit("Slice", &[v, start, end, &axis], Vec::new())
    }

    /// The nodes and initializers that the results need; initializers of inputs are their defaults.
    pub fn finish(mut self, results: &[&str], given: &[&str]) -> (Vec<NodeProto>, Vec<TensorProto>) {
        let nodes = self.scopes.drain(..).next().map(|s| s.nodes).unwrap_or_default();
        let mut read: BTreeSet<String> = results.iter().chain(given).map(|n| n.to_string()).collect();
        let mut kept = Vec::new();
        for node in nodes.into_iter().rev().filter_map(|node| {
            node.output.iter().any(|o| read.contains(o)).then(|| {
                reads(&node, &mut read);
                node
            })
        }) {
            kept.push(node);
        }
        kept.reverse();
        self.initializers.retain(|t| read.contains(&t.name));
        (kept, self.initializers)
    }

    pub fn is_taken(&self, name: &str) -> bool {
        self.taken.contains(name)
    }
}

/// What a node reads, also within its loops.
fn reads(node: &NodeProto, into: &mut BTreeSet<String>) {
    into.extend(node.input.iter().cloned());
    let bodies = node.attribute.iter().filter_map(|a| a.g.as_deref());
    bodies.flat_map(|g| &g.node).for_each(|inner| reads(inner, into));
}
