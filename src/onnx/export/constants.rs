//! Values that depend on parameters alone: computed once, in double precision, and stored in the model.

use super::writer::{Elem, Val};
use super::{Done, Exporter};
use crate::diag::Fallible;
use crate::eqn::eval::{self, Batch};
use crate::eqn::{Graph, Level, NodeId, Op, Output, SourceKind};
use crate::onnx::errors;
use crate::weights::{Arrays, show};
use ndarray::ArrayD;
use std::collections::BTreeMap;

pub(super) struct Constants {
    is_constant: Vec<bool>,
    values: BTreeMap<NodeId, ArrayD<f64>>,
}

impl Constants {
    pub fn is_constant(&self, id: NodeId) -> bool {
        self.is_constant[id.index()]
    }

    pub fn get(&self, id: NodeId) -> Option<&ArrayD<f64>> {
        self.values.get(&id)
    }
}

/// All constants that something else reads, or an output is.
pub(super) fn constants(graph: &Graph, params: &Arrays) -> Fallible<Constants> {
    let mut is_constant = vec![false; graph.nodes.len()];
    for id in graph.node_ids() {
        let node = graph.node(id);
        let is_own = match &node.op {
            Op::Source(s) => matches!(graph.sources[s.index()].kind, SourceKind::Param(_)),
            op => op.operands().all(|x| is_constant[x.index()]),
        };
        is_constant[id.index()] = node.level == Level::Shared && is_own;
    }
    let mut wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    wanted.extend(graph.states.iter().flat_map(|s| s.values()));
    for id in graph.node_ids().filter(|id| !is_constant[id.index()]) {
        wanted.extend(graph.node(id).op.operands());
    }
    // Products of states and matrices are matched by their parts.
    wanted.retain(|id| is_constant[id.index()]);
    wanted.sort();
    wanted.dedup();
    let values = evaluated(graph, &wanted, params)?;
    Ok(Constants { is_constant, values })
}

/// Shared values by the reference interpreter.
fn evaluated(graph: &Graph, wanted: &[NodeId], params: &Arrays) -> Fallible<BTreeMap<NodeId, ArrayD<f64>>> {
    let mut of_params = graph.clone();
    let output = |id: &NodeId| Output { name: format!("constant {}", id.0).into(), node: *id };
    of_params.outputs = wanted.iter().map(output).collect();
    let of_params = crate::simplify::simplify(&of_params);
    let mut batch = Batch { size: 1, ..Batch::default() };
    let mut wrong = Vec::new();
    for source in of_params.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_))) {
        let shape: Option<Vec<usize>> =
            source.shape.iter().map(|d| d.as_constant().and_then(|n| usize::try_from(n).ok())).collect();
        let shape = shape.unwrap_or_default();
        match params.get(&*source.name) {
            Some(array) if array.shape == shape => {
                batch.arrays.extend(array.to_ndarray().map(|a| (source.name.to_string(), a)));
            }
            other => {
                let found = other.map(|a| show(&a.shape));
                wrong.push(errors::parameter(&source.name, &show(&shape), found.as_deref()));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let results = eval::eval(&of_params, &batch).map_err(|e| vec![errors::constants(&graph.name, &e)])?;
    let name = |id: &NodeId| format!("constant {}", id.0);
    Ok(wanted.iter().filter_map(|id| Some((*id, results.get(&name(id))?.clone()))).collect())
}

impl Exporter<'_> {
    /// A constant as an initializer; parameters have their own name.
    pub(super) fn constant(&mut self, id: NodeId) -> Done<Val> {
        let node = self.graph.node(id);
        let ty = Elem::of(&node.ty);
        let array = match self.constants.get(id) {
            Some(array) => array.clone(),
            None => return Err(self.refused(id, "a constant was not computed")),
        };
        let rank = array.ndim();
        if let (0, Elem::Real) = (rank, ty) {
            let value = array.iter().copied().next().unwrap_or(0.0);
            if !matches!(node.op, Op::Source(_)) {
                let name = self.writer.real(value);
                return Ok(Val { name, axes: Vec::new(), batch: false, rank, ty });
            }
        }
        let hint = match &node.op {
            Op::Source(s) => self.graph.sources[s.index()].name.to_string(),
            op => node.name.as_ref().map_or_else(|| op.word().to_string(), |n| n.to_string()),
        };
        let dims = array.shape().to_vec();
        let name = match ty {
            Elem::Real => {
                let values: Vec<f32> = array.iter().map(|v| *v as f32).collect();
                self.writer.floats(&hint, &dims, &values)
            }
            Elem::Id => {
                let values: Vec<i64> = array.iter().map(|v| *v as i64).collect();
                self.writer.longs(&hint, &dims, &values)
            }
            Elem::Bool => {
                let values: Vec<bool> = array.iter().map(|v| *v != 0.0).collect();
                self.writer.bools(&hint, &dims, &values)
            }
        };
        Ok(Val { name, axes: Vec::new(), batch: false, rank, ty })
    }
}
