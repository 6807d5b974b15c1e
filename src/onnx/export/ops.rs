//! Operations at a point, done at all points at once.

use super::axes::joined;
use super::writer::{Elem, Name, Val, int, ints};
use super::{Done, Exporter};
use crate::eqn::{Binary, Fold, Level, NodeId, Op, SourceId, SourceKind, Unary};
use crate::onnx::proto::element;

impl Exporter<'_> {
    /// Writes a node whose operands are written.
    pub(super) fn point(&mut self, id: NodeId) -> Done<Val> {
        let graph = self.graph;
        let node = graph.node(id);
        let ty = Elem::of(&node.ty);
        let hint = node.name.as_deref();
        match &node.op {
            Op::Source(source) => self.source(id, *source),
            Op::Const(_) | Op::DimValue(_) | Op::Literal(_) => self.constant(id),
            Op::Lag { state, offset } => self.shifted(id, *state, *offset),
            Op::Position(axis) => {
                let v = self.positions(*axis);
                Ok(v.named(self.writer.cast(&v.name, element::FLOAT)).typed(Elem::Real))
            }
            Op::Length(axis) => {
                let v = self.length_value(*axis);
                Ok(v.named(self.writer.cast(&v.name, element::FLOAT)).typed(Elem::Real))
            }
            Op::Unary(kind, a) => {
                let a = self.value(*a)?;
                Ok(self.unary(*kind, &a, hint))
            }
            Op::Binary(kind, a, b) => {
                let (a, b) = (self.value(*a)?, self.value(*b)?);
                Ok(self.binary(*kind, &a, &b, hint))
            }
            Op::Select(c, a, b) => {
                let (c, a, b) = (self.value(*c)?, self.value(*a)?, self.value(*b)?);
                Ok(self.elementwise("Where", &[&c, &a, &b], ty, hint))
            }
            Op::Spread(a) => {
                let a = self.value(*a)?;
                let own = self.own(id)?;
                Ok(self.expanded(&a, &a.axes.clone(), a.batch, &own))
            }
            Op::MatMul(a, b) => {
                let (a, b) = (self.value(*a)?, self.value(*b)?);
                Ok(self.matmul(&a, &b, hint))
            }
            Op::Transpose(a) => {
                let a = self.value(*a)?;
                Ok(a.named(self.turned(&a)))
            }
            Op::Outer(a, b) => {
                let (a, b) = (self.value(*a)?, self.value(*b)?);
                let a = Val { name: self.writer.unsqueeze(&a.name, &[-1]), rank: 2, ..a };
                let b = Val { name: self.writer.unsqueeze(&b.name, &[-2]), rank: 2, ..b };
                Ok(self.elementwise("Mul", &[&a, &b], ty, hint))
            }
            Op::Concat(parts) => self.concat(id, parts),
            Op::Slice { arg, start } => {
                let a = self.value(*arg)?;
                let start = start.as_constant().ok_or_else(|| self.refused(id, "its start has no number"))?;
                let end = start.saturating_add(self.own(id)?.first().copied().unwrap_or(0));
                let (start, end) = (self.writer.list(&[start]), self.writer.list(&[end]));
                Ok(a.named(self.writer.cut(&a.name, a.lead(), &start, &end)))
            }
            Op::Gather { arg, index } => {
                let (a, index) = (self.value(*arg)?, self.value(*index)?);
                Ok(self.gather(a, index, hint))
            }
            Op::Scatter { index, value } => self.scatter(id, *index, *value),
            Op::Reduce { fold, arg, axis } => {
                let a = self.value(*arg)?;
                let at = (a.lead() + *axis as usize) as i64;
                let name = self.reduced(*fold, &a, &[at], hint);
                Ok(Val { name, rank: a.rank - 1, ..a })
            }
            Op::Softmax(a) => {
                let a = self.value(*a)?;
                Ok(a.named(self.writer.emit_as("Softmax", &[&a.name], vec![int("axis", -1)], hint)))
            }
            Op::LogSumExp(a) => {
                let a = self.value(*a)?;
                let axes = self.writer.list(&[-1]);
                let keep = vec![int("keepdims", 0)];
                let name = self.writer.emit_as("ReduceLogSumExp", &[&a.name, &axes], keep, hint);
                Ok(Val { name, rank: 0, ..a })
            }
            Op::ArgMax(a) => {
                let a = self.value(*a)?;
                let attributes = vec![int("axis", -1), int("keepdims", 0)];
                let name = self.writer.emit_as("ArgMax", &[&a.name], attributes, hint);
                Ok(Val { name, rank: 0, ty, ..a })
            }
            Op::Reshape(a) => {
                let a = self.value(*a)?;
                let own = self.own(id)?;
                // 0 keeps an extent.
                let shape: Vec<i64> = std::iter::repeat_n(0, a.lead()).chain(own.iter().copied()).collect();
                let shape = self.writer.list(&shape);
                Ok(Val {
                    name: self.writer.emit_as("Reshape", &[&a.name, &shape], Vec::new(), hint),
                    rank: own.len(),
                    ..a
                })
            }
            Op::SumOver(_)
            | Op::FoldOver { .. }
            | Op::At { .. }
            | Op::Remap { .. }
            | Op::Flatten { .. }
            | Op::Points { .. } => self.whole(id),
        }
    }

    fn source(&mut self, id: NodeId, source_id: SourceId) -> Done<Val> {
        let source = &self.graph.sources[source_id.index()];
        let Some((_, name)) = self.inputs.iter().find(|(s, _)| *s == source_id) else {
            return Err(self.refused(id, "it is no input"));
        };
        let own = self.own(id)?;
        let axes = self.graph.axes_of(source.level);
        let batch = source.level != Level::Shared;
        let v = Val { name: name.clone(), axes, batch, rank: own.len(), ty: Elem::of(&source.ty) };
        if !matches!(source.kind, SourceKind::Initial { .. }) {
            return Ok(v);
        }
        // A default is one for all examples.
        let mut parts = vec![self.examples()];
        if !own.is_empty() {
            parts.push(self.writer.list(&vec![1; own.len()]));
        }
        let parts: Vec<&Name> = parts.iter().collect();
        let shape = match parts.as_slice() {
            [one] => (*one).clone(),
            many => self.writer.emit("Concat", many, vec![int("axis", 0)]),
        };
        Ok(v.named(self.writer.emit("Expand", &[&v.name, &shape], Vec::new())))
    }

    pub(super) fn unary(&mut self, kind: Unary, a: &Val, hint: Option<&str>) -> Val {
        let w = &mut self.writer;
        let op = match kind {
            Unary::Neg => "Neg",
            Unary::Exp => "Exp",
            Unary::Log => "Log",
            Unary::Tanh => "Tanh",
            Unary::Sigmoid => "Sigmoid",
            Unary::Relu => "Relu",
            Unary::Sqrt => "Sqrt",
            Unary::Abs => "Abs",
            Unary::Sign => "Sign",
            Unary::Sin => "Sin",
            Unary::Cos => "Cos",
            Unary::Floor => "Floor",
            Unary::Erf => "Erf",
            Unary::Softplus => "Softplus",
            Unary::Not => "Not",
            Unary::StopGradient => return a.clone(),
            Unary::ToReal => return a.named(w.cast(&a.name, element::FLOAT)).typed(Elem::Real),
            Unary::LogSigmoid => {
                // log σ(x) = −softplus(−x)
                let x = w.emit("Neg", &[&a.name], Vec::new());
                let x = w.emit("Softplus", &[&x], Vec::new());
                return a.named(w.emit_as("Neg", &[&x], Vec::new(), hint));
            }
        };
        a.named(w.emit_as(op, &[&a.name], Vec::new(), hint))
    }

    pub(super) fn binary(&mut self, kind: Binary, a: &Val, b: &Val, hint: Option<&str>) -> Val {
        let op = match kind {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Pow => "Pow",
            Binary::Max => "Max",
            Binary::Min => "Min",
            Binary::Eq => "Equal",
            Binary::Lt => "Less",
            Binary::Le => "LessOrEqual",
            Binary::And => "And",
            Binary::Or => "Or",
            Binary::Ne => {
                let same = self.pairwise("Equal", a, b, Elem::Bool);
                return self.unary(Unary::Not, &same, hint);
            }
            Binary::Mod => {
                // a − b⌊a/b⌋: of floats ONNX's `Mod` has the sign of a.
                let quotient = self.pairwise("Div", a, b, Elem::Real);
                let whole = self.unary(Unary::Floor, &quotient, None);
                let product = self.pairwise("Mul", b, &whole, Elem::Real);
                return self.elementwise("Sub", &[a, &product], Elem::Real, hint);
            }
            Binary::MulZero => {
                let zero = self.filler(0.0, Elem::Real);
                let is_zero = self.pairwise("Equal", a, &zero, Elem::Bool);
                let product = self.pairwise("Mul", a, b, Elem::Real);
                return self.elementwise("Where", &[&is_zero, &zero, &product], Elem::Real, hint);
            }
        };
        let ty = if kind.gives_bool() { Elem::Bool } else { Elem::Real };
        self.elementwise(op, &[a, b], ty, hint)
    }

    /// The last two extents exchanged.
    fn turned(&mut self, a: &Val) -> Name {
        let n = (a.lead() + a.rank) as i64;
        let perm = (0..n - 2).chain([n - 1, n - 2]).collect();
        self.writer.emit("Transpose", &[&a.name], vec![ints("perm", perm)])
    }

    fn matmul(&mut self, a: &Val, b: &Val, hint: Option<&str>) -> Val {
        let out = |name: Name, a: &Val, b: &Val, rank: usize| {
            let (axes, batch, _) = joined(&[a, b]);
            Val { name, axes, batch, rank, ty: Elem::Real }
        };
        match (a.rank, b.rank) {
            // W x at all points is x Wᵀ.
            (2, 1) if a.lead() == 0 => {
                let turned = self.turned(a);
                let name = self.writer.emit_as("MatMul", &[&b.name, &turned], Vec::new(), hint);
                out(name, a, b, 1)
            }
            (1, 2) if b.lead() == 0 => {
                let name = self.writer.emit_as("MatMul", &[&a.name, &b.name], Vec::new(), hint);
                out(name, a, b, 1)
            }
            (1, 1) => {
                let product = self.pairwise("Mul", a, b, Elem::Real);
                let name = self.reduced(Fold::Sum, &product, &[-1], hint);
                Val { name, rank: 0, ..product }
            }
            (2, 1) | (1, 2) => {
                // The vector as a column, or a row.
                let end = if b.rank == 1 { -1 } else { -2 };
                let matrix = |w: &mut super::Writer, v: &Val| match v.rank {
                    1 => Val { name: w.unsqueeze(&v.name, &[end]), rank: 2, ..v.clone() },
                    _ => v.clone(),
                };
                let (a, b) = (matrix(&mut self.writer, a), matrix(&mut self.writer, b));
                let product = self.elementwise("MatMul", &[&a, &b], Elem::Real, None);
                let name = self.writer.squeeze(&product.name, &[end]);
                out(name, &a, &b, 1)
            }
            _ => self.elementwise("MatMul", &[a, b], Elem::Real, hint),
        }
    }

    fn concat(&mut self, id: NodeId, parts: &[NodeId]) -> Done<Val> {
        let mut values = Vec::new();
        for part in parts {
            values.push(self.value(*part)?);
        }
        let (axes, batch, rank) = joined(&values.iter().collect::<Vec<_>>());
        let mut names = Vec::new();
        for (part, v) in parts.iter().zip(&values) {
            let own = self.own(*part)?;
            names.push(self.expanded(v, &axes, batch, &own).name);
        }
        let lead = axes.len() + usize::from(batch);
        let names: Vec<&Name> = names.iter().collect();
        let hint = self.graph.node(id).name.as_deref();
        let name = self.writer.emit_as("Concat", &names, vec![int("axis", lead as i64)], hint);
        Ok(Val { name, axes, batch, rank, ty: values[0].ty })
    }

    fn gather(&mut self, a: Val, index: Val, hint: Option<&str>) -> Val {
        if a.lead() == 0 {
            let name = self.writer.emit_as("Gather", &[&a.name, &index.name], vec![int("axis", 0)], hint);
            return Val { name, axes: index.axes, batch: index.batch, rank: a.rank - 1, ty: a.ty };
        }
        let (axes, batch, _) = joined(&[&a, &index]);
        let a = self.expanded(&a, &axes, batch, &vec![1; a.rank]);
        let index = self.expanded(&index, &axes, batch, &[]);
        let at = self.writer.unsqueeze(&index.name, &[-1]);
        let lead = a.lead() as i64;
        let name = self.writer.emit_as("GatherND", &[&a.name, &at], vec![int("batch_dims", lead)], hint);
        Val { name, rank: a.rank - 1, ..a }
    }

    /// Zeros but at one place.
    fn scatter(&mut self, id: NodeId, index: NodeId, value: NodeId) -> Done<Val> {
        let own = self.own(id)?;
        let places: Vec<i64> = (0..own.first().copied().unwrap_or(0)).collect();
        let all = self.writer.list(&places);
        let (index, value) = (self.value(index)?, self.value(value)?);
        let rank = own.len();
        let at = Val { name: self.writer.unsqueeze(&index.name, &[-1]), rank: 1, ..index };
        let all = Val { name: all, axes: Vec::new(), batch: false, rank: 1, ty: Elem::Id };
        let here = self.pairwise("Equal", &at, &all, Elem::Bool);
        let behind: Vec<i64> = (1..rank as i64).map(|k| -k).collect();
        let here = match behind.is_empty() {
            true => here,
            false => Val { name: self.writer.unsqueeze(&here.name, &behind), rank, ..here },
        };
        let first = value.lead() as i64;
        let value = Val { name: self.writer.unsqueeze(&value.name, &[first]), rank, ..value };
        let zero = self.filler(0.0, Elem::Real);
        Ok(self.elementwise("Where", &[&here, &value, &zero], Elem::Real, None))
    }

    pub(super) fn reduced(&mut self, fold: Fold, a: &Val, at: &[i64], hint: Option<&str>) -> Name {
        let op = match fold {
            Fold::Sum => "ReduceSum",
            Fold::Prod => "ReduceProd",
            Fold::Max => "ReduceMax",
            Fold::Min => "ReduceMin",
        };
        let at = self.writer.list(at);
        self.writer.emit_as(op, &[&a.name, &at], vec![int("keepdims", 0)], hint)
    }

    /// A value as another type; a number may stand for a symbol or a truth.
    pub(super) fn as_type(&mut self, v: Val, ty: Elem) -> Val {
        if v.ty == ty {
            return v;
        }
        Val { name: self.writer.cast(&v.name, ty.code()), ty, ..v }
    }
}

impl Val {
    fn typed(self, ty: Elem) -> Val {
        Val { ty, ..self }
    }
}
