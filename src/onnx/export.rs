//! From a graph and its parameters to an ONNX model.
//!
//! In: a [`Graph`] whose dimensions are numbers, and an array for each parameter. Out: a [`ModelProto`] whose inputs,
//! initial states and outputs have the names and layouts of `rnnc run`: `[T, B, …]` over a chain, `[B, …]` per example. T
//! and B are open. Numbers are float32, symbols int64.
//!
//! What is outside of recurrences is done at all points at once. A recurrence is a `Scan`, which any recurrence
//! fits, and recurrences along several axes are one in another. What depends on parameters alone is computed here.
//! Initial states are inputs with a default. With [`Options::lengths`] examples have lengths, likewise an input with a
//! default, and what is behind an example's end changes nothing and is 0 in results.
//!
//! Read on in `writer.rs` (how a model grows), `axes.rs` (layouts), `ops.rs` and `whole.rs` (operations), `scan.rs`.

mod axes;
mod constants;
mod operator;
mod ops;
mod scan;
mod whole;
mod writer;

use super::errors;
use super::proto::{
    self, Dimension, Extent, Graph as GraphProto, Model as ModelProto, OperatorSetId, TensorShape,
    TensorType, Type as TypeProto, ValueInfo,
};
use super::words;
use crate::diag::Fallible;
use crate::eqn::{DomainId, DomainKind, Graph, Level, NodeId, Op, Source, SourceId, SourceKind};
use crate::schedule::components::components;
use crate::simplify::simplify;
use crate::weights::Arrays;
use std::collections::{BTreeMap, BTreeSet};
use writer::{Elem, Name, Val, Writer};

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Examples of unlike lengths, given as `lengths`.
    pub lengths: bool,
    /// The outputs to write; all if none are named.
    pub outputs: Option<Vec<String>>,
    /// Every state at every step, also where that takes a `Scan` instead of an operator that has only the last one.
    pub states: bool,
}

/// A model, and what it does without.
pub struct Exported {
    pub model: ModelProto,
    /// States at every step that were left out, for an operator does not have them.
    pub omitted: Vec<String>,
}

/// The model of a graph. `params` are by name, of the shapes the graph gives them; others are left alone.
pub fn export(graph: &Graph, params: &Arrays, options: &Options) -> Fallible<Exported> {
    let mut graph = graph.clone();
    if let Some(wanted) = &options.outputs {
        graph.outputs.retain(|o| wanted.iter().any(|w| *w == *o.name));
    }
    let graph = simplify(&graph);
    let constants = constants::constants(&graph, params)?;
    let mut exporter = Exporter {
        graph: &graph,
        options,
        writer: Writer::new(),
        values: BTreeMap::new(),
        constants,
        inputs: Vec::new(),
        lengths: BTreeMap::new(),
        finals: BTreeMap::new(),
        turned: BTreeMap::new(),
        omitted: BTreeSet::new(),
    };
    let model = exporter.model().map_err(|e| vec![*e])?;
    Ok(Exported { model, omitted: exporter.omitted.into_iter().collect() })
}

impl Exported {
    /// `2 operators, 1 loop`, for people; loops in loops count as one.
    pub fn recurrences(&self) -> String {
        let nodes = self.model.graph.as_ref().map_or(&[][..], |g| &g.node);
        let count = |is: fn(&str) -> bool| nodes.iter().filter(|n| is(&n.op_type)).count();
        let named = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let operators = count(|op| [words::PLAIN, words::RESET, words::MEMORY].contains(&op));
        format!("{}, {}", named(operators, "recurrent operator"), named(count(|op| op == "Scan"), "loop"))
    }
}

/// A diagnostic is large, and results are everywhere.
type Done<T> = Result<T, Box<crate::diag::Diagnostic>>;

/// An extent of an input of the model.
struct Place {
    name: Name,
    at: usize,
}

struct Exporter<'g> {
    graph: &'g Graph,
    options: &'g Options,
    writer: Writer,
    /// What is written already, as the graph that it was written into sees it.
    values: BTreeMap<NodeId, Val>,
    /// What depends on parameters alone and is read by something else.
    constants: constants::Constants,
    /// Inputs and initial states, in order.
    inputs: Vec<(SourceId, Name)>,
    /// The input that gives lengths along an axis.
    lengths: BTreeMap<DomainId, Name>,
    /// A state's value behind the last step of its loop, by its definition: whether the loop ran from the end, its
    /// boundary, and the value.
    finals: BTreeMap<(NodeId, DomainId), (bool, NodeId, Val)>,
    /// Results of operators that read a sequence backwards, in the order of that sequence, by what is its reverse.
    turned: BTreeMap<NodeId, Val>,
    /// Outputs that are left out, by name.
    omitted: BTreeSet<String>,
}

impl Exporter<'_> {
    fn model(&mut self) -> Done<ModelProto> {
        let needed = self.needed();
        self.only_sequences(&needed)?;
        let mut input = self.open_inputs(&needed)?;
        input.extend(self.open_lengths(&needed));
        // Names of results go first, then nothing inside has one of them. An input's name it cannot have.
        let mut names = Vec::new();
        for o in &self.graph.outputs {
            let hint = match self.writer.is_taken(&o.name) {
                true => format!("{}_out", o.name),
                false => o.name.to_string(),
            };
            names.push(Name { text: self.writer.fresh(&hint), scope: 0 });
        }
        let nodes: Vec<NodeId> =
            needed.iter().copied().filter(|id| !self.constants.is_constant(*id)).collect();
        self.block(&nodes, &[])?;
        let mut output = Vec::new();
        for (o, name) in self.graph.outputs.iter().zip(names) {
            if self.omitted.contains(&*o.name) {
                continue;
            }
            let level = self.graph.level(o.node);
            let axes = self.graph.axes_of(level);
            let v = self.value(o.node)?;
            let v = self.expanded(&v, &axes, level != Level::Shared, &self.own(o.node)?);
            let v = self.masked(v, &axes, 0.0);
            self.writer.push(
                0,
                "Identity",
                vec![v.name.text.to_string()],
                vec![name.text.to_string()],
                Vec::new(),
            );
            let own = self.own(o.node)?;
            output.push(self.info(&name, v.ty, level, &own));
        }
        let writer = std::mem::replace(&mut self.writer, Writer::new());
        let results: Vec<&str> = output.iter().map(|o: &ValueInfo| o.name.as_str()).collect();
        let given: Vec<&str> = input.iter().map(|i| i.name.as_str()).collect();
        let (node, initializer) = writer.finish(&results, &given);
        let name = self.graph.name.clone();
        Ok(ModelProto {
            ir_version: proto::IR_VERSION,
            producer_name: "rnnc".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(GraphProto { node, name, initializer, input, output }),
            opset_import: vec![OperatorSetId { domain: String::new(), version: proto::OPSET }],
            functions: Vec::new(),
        })
    }

    /// All nodes that outputs need, ascending.
    fn needed(&self) -> Vec<NodeId> {
        let mut seen = vec![false; self.graph.nodes.len()];
        let mut open: Vec<NodeId> = self.graph.outputs.iter().map(|o| o.node).collect();
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut seen[id.index()], true) {
                open.extend(self.reads(id));
            }
        }
        self.graph.node_ids().filter(|id| seen[id.index()]).collect()
    }

    /// Operands, and what a lag reads.
    fn reads(&self, id: NodeId) -> Vec<NodeId> {
        let op = &self.graph.node(id).op;
        let mut reads: Vec<NodeId> = op.operands().collect();
        if let Op::Lag { state, .. } = op {
            reads.extend(self.graph.states[state.index()].values());
        }
        reads
    }

    fn only_sequences(&self, needed: &[NodeId]) -> Done<()> {
        for id in needed {
            let axes = self.graph.axes_of(self.graph.level(*id)).into_iter();
            for axis in axes.chain(self.graph.node(*id).op.domains()) {
                let domain = &self.graph.domains[axis.index()];
                if matches!(domain.kind, DomainKind::Tree { .. } | DomainKind::Children { .. }) {
                    return Err(Box::new(errors::tree(&self.graph.name, &domain.extent)));
                }
            }
        }
        Ok(())
    }

    /// The extents of one value.
    fn own(&self, id: NodeId) -> Done<Vec<i64>> {
        let numbers: Option<Vec<i64>> = self.graph.shape(id).iter().map(|d| d.as_constant()).collect();
        numbers.ok_or_else(|| self.refused(id, "one of its dimensions has no number"))
    }

    fn refused(&self, id: NodeId, why: &str) -> Box<crate::diag::Diagnostic> {
        let node = self.graph.node(id);
        let what = match &node.name {
            Some(name) => format!("`{name}` of `{}`", self.graph.name),
            None => format!("`{}` of `{}`", node.op.word(), self.graph.name),
        };
        Box::new(errors::unsupported(&what, why, node.span))
    }

    /// Inputs and initial states; initial states have their default as an initializer, which the runtime
    /// spreads to all examples.
    fn open_inputs(&mut self, needed: &[NodeId]) -> Done<Vec<ValueInfo>> {
        let mut inputs = Vec::new();
        for id in needed {
            let Op::Source(source_id) = self.graph.node(*id).op else { continue };
            let source: &Source = &self.graph.sources[source_id.index()];
            let text = match source.kind {
                SourceKind::Input => self.writer.fresh(&source.name),
                SourceKind::Initial { default, .. } => {
                    let dims: Vec<usize> =
                        std::iter::once(1).chain(self.own(*id)?.iter().map(|n| *n as usize)).collect();
                    let count = dims.iter().product();
                    self.default_of(&source.name, Elem::of(&source.ty), &dims, default, count).text
                }
                SourceKind::Param(_) => continue,
                SourceKind::Noise(_) | SourceKind::Cotangent => {
                    return Err(self.refused(*id, "it is drawn, or a gradient"));
                }
            };
            let name = Name { text, scope: 0 };
            let own = self.own(*id)?;
            inputs.push((
                matches!(source.kind, SourceKind::Initial { .. }),
                self.info(&name, Elem::of(&source.ty), source.level, &own),
            ));
            self.inputs.push((source_id, name));
        }
        // What must be given comes first.
        inputs.sort_by_key(|(is_state, _)| *is_state);
        Ok(inputs.into_iter().map(|(_, info)| info).collect())
    }

    fn default_of(&mut self, name: &str, ty: Elem, dims: &[usize], default: f64, count: usize) -> Name {
        match ty {
            Elem::Real => self.writer.floats(name, dims, &vec![default as f32; count]),
            Elem::Id => self.writer.longs(name, dims, &vec![default as i64; count]),
            Elem::Bool => self.writer.bools(name, dims, &vec![default != 0.0; count]),
        }
    }

    /// `lengths`, or `lengths_EXTENT` where there are several axes that a length may be given for.
    fn open_lengths(&mut self, needed: &[NodeId]) -> Vec<ValueInfo> {
        if !self.options.lengths {
            return Vec::new();
        }
        let mut axes: Vec<DomainId> =
            needed.iter().flat_map(|id| self.graph.axes_of(self.graph.level(*id))).collect();
        // Lengths of others may follow from those of an axis that nothing is over.
        for k in (0..self.graph.domains.len()).rev() {
            if let DomainKind::Derived(extent) = &self.graph.domains[k].kind {
                axes.extend(extent.axes());
            }
        }
        axes.sort();
        axes.dedup();
        axes.retain(|a| self.graph.domains[a.index()].kind == DomainKind::Chain { fixed: None });
        let mut infos = Vec::new();
        for axis in &axes {
            let hint = match axes.len() {
                1 => "lengths".to_string(),
                _ => format!("lengths_{}", self.graph.domains[axis.index()].extent),
            };
            // All points, whatever their number is.
            let name = self.writer.longs(&hint, &[1], &[i64::MAX]);
            infos.push(self.info(&name, Elem::Id, Level::Example, &[]));
            self.lengths.insert(*axis, name);
        }
        infos
    }

    fn info(&self, name: &Name, ty: Elem, level: Level, own: &[i64]) -> ValueInfo {
        let axes = self.graph.axes_of(level).into_iter().map(|a| match &self.graph.domains[a.index()] {
            d if d.kind == (DomainKind::Chain { fixed: None }) => Extent::Name(d.extent.to_string()),
            d => match d.kind {
                DomainKind::Chain { fixed: Some(n) } => Extent::Number(i64::from(n)),
                _ => Extent::Name(d.extent.to_string()),
            },
        });
        let batch = (level != Level::Shared).then(|| Extent::Name("batch".into()));
        let all = axes.chain(batch).chain(own.iter().map(|n| Extent::Number(*n)));
        let dim = all.map(|e| Dimension { value: Some(e) }).collect();
        let tensor = TensorType { elem_type: ty.code(), shape: Some(TensorShape { dim }) };
        ValueInfo { name: name.text.to_string(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
    }

    /// A value as the innermost graph sees it at this point.
    fn value(&mut self, id: NodeId) -> Done<Val> {
        if let Some(v) = self.values.get(&id).cloned() {
            return Ok(self.writer.read(v));
        }
        if !self.constants.is_constant(id) {
            return Err(self.refused(id, "it is read before it is computed"));
        }
        let v = self.constant(id)?;
        self.values.insert(id, v.clone());
        Ok(v)
    }

    /// Writes nodes, each behind those it needs. Lags in `carried` have their value already.
    fn block(&mut self, nodes: &[NodeId], carried: &[NodeId]) -> Done<()> {
        let index: BTreeMap<NodeId, usize> = nodes.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        let edges: Vec<Vec<usize>> = (nodes.iter())
            .map(|id| match carried.contains(id) {
                true => Vec::new(),
                false => self.reads(*id).iter().filter_map(|r| index.get(r).copied()).collect(),
            })
            .collect();
        for members in components(&edges, &vec![true; nodes.len()]).members {
            let component: Vec<NodeId> = members.iter().map(|i| nodes[*i]).collect();
            let is_loop = match component.as_slice() {
                [one] => edges[members[0]].contains(&members[0]) && !carried.contains(one),
                _ => true,
            };
            match is_loop {
                true if self.operator(&component)? => {}
                true => self.recurrence(&component)?,
                false if carried.contains(&component[0]) => {}
                false => {
                    let v = self.point(component[0])?;
                    self.values.insert(component[0], v);
                }
            }
        }
        Ok(())
    }
}

/// Bytes of a model.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    prost::Message::encode_to_vec(model)
}
