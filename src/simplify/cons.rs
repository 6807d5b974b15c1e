//! A graph under construction in which no two nodes are the same.

use crate::eqn::*;
use crate::shape::{Dim, Shape};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(super) struct Builder {
    pub graph: Graph,
    index: BTreeMap<u64, Vec<NodeId>>,
    /// Known to be finite for finite inputs.
    tame: Vec<bool>,
    adopted: Vec<bool>,
}

impl Builder {
    /// `graph` has no nodes yet.
    pub fn new(graph: Graph) -> Self {
        Builder { graph, index: BTreeMap::new(), tame: Vec::new(), adopted: Vec::new() }
    }

    /// The node of this kind, old or new; the caller answers for its type.
    pub fn put(&mut self, op: Op, shape: Shape, ty: Ty, level: Level) -> NodeId {
        let mut hasher = DefaultHasher::new();
        op.word().hash(&mut hasher);
        op.operands().for_each(|id| id.hash(&mut hasher));
        match &op {
            Op::Const(c) => c.to_bits().hash(&mut hasher),
            Op::Source(s) => s.hash(&mut hasher),
            Op::Lag { state, offset } => (state, offset).hash(&mut hasher),
            _ => shape.len().hash(&mut hasher),
        }
        let same = self.index.entry(hasher.finish()).or_default();
        let known = same.iter().copied().find(|id| {
            let n = self.graph.node(*id);
            same_op(&n.op, &op) && n.shape == shape && n.ty == ty && n.level == level
        });
        if let Some(id) = known {
            return id;
        }
        let id = self.graph.push(op, shape, ty, level);
        same.push(id);
        self.tame.push(false);
        self.adopted.push(false);
        id
    }

    /// Takes over the author's name and place, if the node has none. A constant that stands for several
    /// values bears the name of none.
    pub fn adopt(&mut self, id: NodeId, from: &Node) {
        let is_constant = typing::is_constant(&self.graph, self.graph.node(id));
        let made_constant = is_constant && !matches!(from.op, Op::Const(_) | Op::Spread(_));
        let again = std::mem::replace(&mut self.adopted[id.index()], true);
        if is_constant && (made_constant || again && self.graph.node(id).name != from.name) {
            self.graph.nodes[id.index()].name = None;
        } else if let Some(name) = &from.name {
            self.graph.set_name(id, name.clone());
        }
        self.graph.set_span(id, from.span);
    }

    pub fn is_named(&self, id: NodeId) -> bool {
        self.graph.node(id).name.is_some()
    }

    pub fn set_tame(&mut self, id: NodeId, tame: bool) {
        self.tame[id.index()] |= tame;
    }

    pub fn is_tame(&self, id: NodeId) -> bool {
        self.tame[id.index()]
    }

    pub fn op(&self, id: NodeId) -> &Op {
        &self.graph.node(id).op
    }

    pub fn shape(&self, id: NodeId) -> &Shape {
        self.graph.shape(id)
    }

    /// The number, if the node is it everywhere.
    pub fn number(&self, id: NodeId) -> Option<f64> {
        self.graph.as_const(id)
    }

    pub fn is(&self, id: NodeId, number: f64) -> bool {
        self.number(id) == Some(number)
    }

    /// `None` where the operation does not fit: then the rule does not apply.
    pub fn add(&mut self, op: Op) -> Option<NodeId> {
        self.graph.make_room(&op);
        let (shape, ty, level) = self.graph.infer(&op).ok()?;
        Some(self.put(op, shape, ty, level))
    }

    pub fn add_as(&mut self, op: Op, shape: Shape, level: Level) -> Option<NodeId> {
        let ty = self.graph.check(&op, &shape, level).ok()?;
        Some(self.put(op, shape, ty, level))
    }

    pub fn constant(&mut self, value: f64) -> NodeId {
        self.put(Op::Const(value), Vec::new(), Ty::Real, Level::Shared)
    }

    /// A number everywhere in a shape.
    pub fn filled(&mut self, value: f64, shape: &[Dim]) -> Option<NodeId> {
        let scalar = self.constant(value);
        self.fit(scalar, shape)
    }

    /// The node itself, or spread to the shape if it is a scalar.
    pub fn fit(&mut self, id: NodeId, shape: &[Dim]) -> Option<NodeId> {
        if self.shape(id) == shape {
            return Some(id);
        }
        let level = self.graph.level(id);
        self.add_as(Op::Spread(id), shape.to_vec(), level)
    }

    /// The lowest level at which all operands can be read; `None` without operands, too.
    pub fn join(&mut self, op: &Op) -> Option<Level> {
        self.graph.make_room(op);
        let mut levels = op.operands().map(|id| self.graph.level(id));
        let first = levels.next()?;
        levels.try_fold(first, |a, b| self.graph.join(a, b))
    }

    /// A node like its operand, but for the shape.
    pub fn reshaped(&mut self, op: Op, shape: &[Dim]) -> Option<NodeId> {
        let level = self.join(&op)?;
        self.add_as(op, shape.to_vec(), level)
    }
}

/// Equal to the bit: 0 and −0 differ, NaN is NaN.
fn same_op(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Const(a), Op::Const(b)) => a.to_bits() == b.to_bits(),
        (Op::Literal(a), Op::Literal(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.to_bits() == b.to_bits())
        }
        _ => a == b,
    }
}
