//! Constructors that keep shapes, types and levels right.
//!
//! In: an [`Op`] over nodes of a graph. Out: the new node, or a [`TypeError`].
//! Invariant: a node made here is as [`Graph::infer`] or [`Graph::check`] says. Nothing is shared or
//! folded here; that is [`crate::simplify`]'s work.

use super::typing::TypeError;
use super::*;

impl Graph {
    /// The same name, domains, sources and states; nodes and outputs are yet to come.
    pub fn without_nodes(&self) -> Graph {
        Graph {
            name: self.name.clone(),
            domains: self.domains.clone(),
            sources: self.sources.clone(),
            states: self.states.clone(),
            nodes: Vec::with_capacity(self.nodes.len()),
            outputs: Vec::new(),
        }
    }

    /// Adds an operation whose shape, type and level follow from its operands: all but
    /// `Spread`, `Slice`, `Reshape`, `SumOver` and `FoldOver`. A `Literal` is taken as a vector.
    pub fn add(&mut self, op: Op) -> Result<NodeId, TypeError> {
        let (shape, ty, level) = self.infer(&op)?;
        Ok(self.push(op, shape, ty, level))
    }

    /// Adds any operation; shape and level must fit (or be equal to) what follows from the operands.
    pub fn add_as(&mut self, op: Op, shape: Shape, level: Level) -> Result<NodeId, TypeError> {
        let ty = self.check(&op, &shape, level)?;
        Ok(self.push(op, shape, ty, level))
    }

    /// Makes the domain that an operation's value is over, if it is a product that the graph does not have yet. The
    /// operands exist.
    pub fn make_room(&mut self, op: &Op) {
        if self.domains.len() < 2 {
            return;
        }
        let mut axes: Vec<DomainId> = op.operands().flat_map(|a| self.axes_of(self.level(a))).collect();
        match op {
            Op::Lag { state, offset } => {
                let Some(state) = self.states.get(state.index()) else { return };
                axes.extend(self.axes(state.domain));
                match offset {
                    Offset::EachChild(axis) => axes.push(*axis),
                    Offset::FromEach(axis) => axes.retain(|a| a != axis),
                    Offset::By(_) | Offset::Child(_) | Offset::Parent(_) => {}
                }
            }
            Op::Position(axis) => {
                axes.push(*axis);
                if let Some(DomainKind::Children { tree }) = self.domains.get(axis.index()).map(|d| &d.kind) {
                    axes.push(*tree);
                }
            }
            Op::At { axis, .. } => axes.retain(|a| a != axis),
            Op::Remap { maps, .. } => {
                axes.retain(|a| maps.iter().all(|m| m.from != *a));
                axes.extend(maps.iter().map(|m| m.to));
            }
            Op::Flatten { grid, line, back: false, .. } => {
                axes.retain(|a| !grid.contains(a));
                axes.push(*line);
            }
            Op::Flatten { grid, line, back: true, .. } => {
                axes.retain(|a| a != line);
                axes.extend(grid);
            }
            Op::Points { axis, .. } => axes.push(*axis),
            _ => {}
        }
        if axes.len() > 1 {
            self.product(axes);
        }
    }

    pub(crate) fn push(&mut self, op: Op, shape: Shape, ty: Ty, level: Level) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { op, shape, ty, level, name: None, span: None });
        id
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.node(id).shape
    }

    pub fn level(&self, id: NodeId) -> Level {
        self.node(id).level
    }

    pub fn ty(&self, id: NodeId) -> &Ty {
        &self.node(id).ty
    }

    pub fn is_scalar(&self, id: NodeId) -> bool {
        self.node(id).shape.is_empty()
    }

    /// The number, if the node is a constant or a constant spread.
    pub fn as_const(&self, id: NodeId) -> Option<f64> {
        match self.node(id).op {
            Op::Const(c) => Some(c),
            Op::Spread(a) => match self.node(a).op {
                Op::Const(c) => Some(c),
                _ => None,
            },
            _ => None,
        }
    }

    /// Gives a node the author's name unless it has one.
    pub fn set_name(&mut self, id: NodeId, name: impl Into<Arc<str>>) {
        self.nodes[id.index()].name.get_or_insert_with(|| name.into());
    }

    /// Gives a node its place in the text unless it has one.
    pub fn set_span(&mut self, id: NodeId, span: Option<Span>) {
        let node = &mut self.nodes[id.index()];
        node.span = node.span.or(span);
    }

    pub fn domain(&mut self, domain: Domain) -> DomainId {
        self.domains.push(domain);
        DomainId(self.domains.len() as u32 - 1)
    }

    /// Adds a source and the node that reads it.
    pub fn source(&mut self, source: Source) -> NodeId {
        let (shape, ty, level) = (source.shape.clone(), source.ty.clone(), source.level);
        let name = source.name.clone();
        let span = source.span;
        self.sources.push(source);
        let id = self.push(Op::Source(SourceId(self.sources.len() as u32 - 1)), shape, ty, level);
        self.set_name(id, name);
        self.set_span(id, span);
        id
    }

    /// Adds a state; `def` and `init` may be filled in later.
    pub fn state(&mut self, state: State) -> StateId {
        self.states.push(state);
        StateId(self.states.len() as u32 - 1)
    }

    pub fn output(&mut self, name: impl Into<Arc<str>>, node: NodeId) {
        self.outputs.push(Output { name: name.into(), node });
    }

    pub fn find_source(&self, name: &str) -> Option<SourceId> {
        self.sources.iter().position(|s| &*s.name == name).map(|i| SourceId(i as u32))
    }

    pub fn find_output(&self, name: &str) -> Option<NodeId> {
        self.outputs.iter().find(|o| &*o.name == name).map(|o| o.node)
    }

    pub fn node_ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    // Constructors, for those who build graphs by hand. Where no error is possible, none is returned.

    pub fn constant(&mut self, value: f64) -> NodeId {
        self.push(Op::Const(value), Vec::new(), Ty::Real, Level::Shared)
    }

    pub fn dim_value(&mut self, dim: Dim) -> NodeId {
        match dim.as_constant() {
            Some(n) => self.constant(n as f64),
            None => self.push(Op::DimValue(dim), Vec::new(), Ty::Real, Level::Shared),
        }
    }

    /// A constant of any shape.
    pub fn filled(&mut self, value: f64, shape: &[Dim]) -> NodeId {
        let scalar = self.constant(value);
        if shape.is_empty() {
            return scalar;
        }
        self.push(Op::Spread(scalar), shape.to_vec(), Ty::Real, Level::Shared)
    }

    pub fn literal(&mut self, values: impl Into<Arc<[f64]>>, shape: Shape) -> Result<NodeId, TypeError> {
        self.add_as(Op::Literal(values.into()), shape, Level::Shared)
    }

    /// A state `k` points further along its chain.
    pub fn lag(&mut self, state: StateId, k: i32) -> Result<NodeId, TypeError> {
        self.add(Op::Lag { state, offset: Offset::chain(k) })
    }

    pub fn unary(&mut self, kind: Unary, a: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::Unary(kind, a))
    }

    pub fn binary(&mut self, kind: Binary, a: NodeId, b: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::Binary(kind, a, b))
    }

    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::Select(condition, a, b))
    }

    /// A scalar spread to a shape; the node itself if it has that shape.
    pub fn spread(&mut self, a: NodeId, shape: &[Dim]) -> Result<NodeId, TypeError> {
        if self.nodes.get(a.index()).is_some_and(|n| n.shape == shape) {
            return Ok(a);
        }
        let level = self.nodes.get(a.index()).map_or(Level::Shared, |n| n.level);
        self.add_as(Op::Spread(a), shape.to_vec(), level)
    }

    pub fn matmul(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::MatMul(a, b))
    }

    pub fn transpose(&mut self, a: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::Transpose(a))
    }

    pub fn outer(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::Outer(a, b))
    }

    pub fn concat(&mut self, parts: Vec<NodeId>) -> Result<NodeId, TypeError> {
        self.add(Op::Concat(parts))
    }

    /// `start..start+len` of the first axis.
    pub fn slice(&mut self, arg: NodeId, start: Dim, len: Dim) -> Result<NodeId, TypeError> {
        let (mut shape, level) = match self.nodes.get(arg.index()) {
            Some(n) => (n.shape.clone(), n.level),
            None => (Vec::new(), Level::Shared),
        };
        if let Some(first) = shape.first_mut() {
            *first = len;
        }
        self.add_as(Op::Slice { arg, start }, shape, level)
    }

    pub fn gather(&mut self, arg: NodeId, index: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::Gather { arg, index })
    }

    pub fn scatter(&mut self, index: NodeId, value: NodeId) -> Result<NodeId, TypeError> {
        self.add(Op::Scatter { index, value })
    }

    pub fn reduce(&mut self, fold: Fold, arg: NodeId, axis: u32) -> Result<NodeId, TypeError> {
        self.add(Op::Reduce { fold, arg, axis })
    }

    pub fn reshape(&mut self, arg: NodeId, shape: &[Dim]) -> Result<NodeId, TypeError> {
        let level = self.nodes.get(arg.index()).map_or(Level::Shared, |n| n.level);
        self.add_as(Op::Reshape(arg), shape.to_vec(), level)
    }

    /// The sum down to a level; the node itself if it has that level already.
    pub fn sum_over(&mut self, arg: NodeId, level: Level) -> Result<NodeId, TypeError> {
        match self.nodes.get(arg.index()) {
            Some(n) if n.level == level => Ok(arg),
            Some(n) => {
                let shape = n.shape.clone();
                self.add_as(Op::SumOver(arg), shape, level)
            }
            None => self.add(Op::SumOver(arg)),
        }
    }

    /// One point of the only axis of a value.
    pub fn at(&mut self, arg: NodeId, point: Point, empty: NodeId) -> Result<NodeId, TypeError> {
        let axis = match self.nodes.get(arg.index()).map(|n| n.level) {
            Some(Level::Over(d)) => d,
            _ => DomainId(u32::MAX),
        };
        self.add(Op::At { arg, axis, point, empty })
    }

    /// A chain read backwards, each example within its own length.
    pub fn reverse(&mut self, arg: NodeId) -> Result<NodeId, TypeError> {
        let maps = match self.nodes.get(arg.index()).map(|n| n.level) {
            Some(Level::Over(d)) => vec![AxisMap::reverse(d)],
            _ => Vec::new(),
        };
        self.add(Op::Remap { arg, maps })
    }

    /// The axis, if the node reads a whole chain backwards and does nothing else.
    pub fn as_reverse(&self, op: &Op) -> Option<(NodeId, DomainId)> {
        match op {
            Op::Remap { arg, maps } => match &maps[..] {
                [map] if map.is_reverse() => Some((*arg, map.from)),
                _ => None,
            },
            _ => None,
        }
    }
}
