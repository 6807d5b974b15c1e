//! Shapes, types and levels of operations.
//!
//! In: an [`Op`] over nodes of a graph. Out: its shape, type and level as the documentation of the
//! [`Op`] says, or a [`TypeError`] that says which operands do not fit; the front end turns that into
//! a diagnostic in the author's words. Nodes are made in [`super::make`].

use super::*;
use crate::shape::{DimError, show_shape};
use std::fmt;

/// Why an operation does not fit its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeError {
    pub op: Op,
    /// As [`Op::operands`] lists them; those that do not exist are left out.
    pub operands: Vec<Operand>,
    pub fault: Fault,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    pub node: NodeId,
    pub shape: Shape,
    pub ty: Ty,
    pub level: Level,
}

/// What is wrong; operands are named by their index.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Two shapes that must be equal (or one of them scalar, where scalars fit).
    Shapes(usize, usize),
    /// An axis of one operand that must be as long as an axis of another: `(operand, axis)`.
    Extents((usize, usize), (usize, usize)),
    /// The operand's rank is not what is wanted.
    Rank {
        operand: usize,
        want: &'static str,
    },
    /// The operand's type is not what is wanted.
    Ty {
        operand: usize,
        want: &'static str,
    },
    /// Two types that must be equal.
    Types(usize, usize),
    /// Two values over different domains.
    Domains(usize, usize),
    Level {
        operand: usize,
        want: &'static str,
    },
    /// The result's shape or level must be given, or the given one does not fit.
    Result(&'static str),
    /// A node, source, state or domain that the graph does not have.
    Missing(&'static str),
    Dim(DimError),
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |i: usize| self.operands.get(i).map(|o| show_shape(&o.shape)).unwrap_or_default();
        let ty = |i: usize| self.operands.get(i).map(|o| show_ty(&o.ty)).unwrap_or_default();
        write!(f, "{}: ", self.op.word())?;
        match &self.fault {
            Fault::Shapes(a, b) => write!(f, "shapes {} and {} do not fit", shape(*a), shape(*b)),
            Fault::Extents((a, i), (b, j)) => write!(
                f,
                "axis {} of {} and axis {} of {} are not equally long",
                i + 1,
                shape(*a),
                j + 1,
                shape(*b)
            ),
            Fault::Rank { operand, want } => {
                write!(f, "operand {} is {}, but must be {want}", operand + 1, shape(*operand))
            }
            Fault::Ty { operand, want } => {
                write!(f, "operand {} is {}, but must be {want}", operand + 1, ty(*operand))
            }
            Fault::Types(a, b) => write!(f, "types {} and {} differ", ty(*a), ty(*b)),
            Fault::Domains(a, b) => {
                write!(f, "operands {} and {} are over different domains", a + 1, b + 1)
            }
            Fault::Level { operand, want } => write!(f, "operand {} must be {want}", operand + 1),
            Fault::Result(what) => write!(f, "{what}"),
            Fault::Missing(what) => write!(f, "there is no such {what}"),
            Fault::Dim(e) => write!(f, "{}", show_dim_error(e)),
        }
    }
}

impl std::error::Error for TypeError {}

/// `real`, `bool`, `id(K)`.
pub fn show_ty(ty: &Ty) -> String {
    match ty {
        Ty::Real => "real".into(),
        Ty::Bool => "bool".into(),
        Ty::Id(k) => format!("id({k})"),
    }
}

pub(crate) fn show_dim_error(e: &DimError) -> String {
    match e {
        DimError::Overflow => "a dimension is too large".into(),
        DimError::DivisionByZero => "a dimension is divided by zero".into(),
        DimError::NotDivisible(a, b) => format!("{a} is not divisible by {b}"),
        DimError::Negative(n) => format!("a dimension or exponent is negative: {n}"),
        DimError::Unbound(s) => format!("dimension {s} has no value"),
    }
}

impl Graph {
    /// The shape, type and level of an operation, where they follow from its operands.
    pub fn infer(&self, op: &Op) -> Result<(Shape, Ty, Level), TypeError> {
        let checker = Checker::new(self, op)?;
        checker.infer().map_err(|fault| checker.error(fault))
    }

    /// The type of an operation with a given shape and level.
    pub fn check(&self, op: &Op, shape: &Shape, level: Level) -> Result<Ty, TypeError> {
        let checker = Checker::new(self, op)?;
        checker.check(shape, level).map_err(|fault| checker.error(fault))
    }
}

/// An operation with its operands looked up.
struct Checker<'a> {
    graph: &'a Graph,
    op: &'a Op,
    args: Vec<&'a Node>,
}

type Inferred = Result<(Shape, Ty, Level), Fault>;

impl<'a> Checker<'a> {
    fn new(graph: &'a Graph, op: &'a Op) -> Result<Self, TypeError> {
        let args: Vec<&Node> = op.operands().filter_map(|id| graph.nodes.get(id.index())).collect();
        let checker = Checker { graph, op, args };
        if checker.args.len() != op.operands().count() {
            return Err(checker.error(Fault::Missing("node")));
        }
        Ok(checker)
    }

    fn error(&self, fault: Fault) -> TypeError {
        let operands = self.op.operands().filter_map(|id| {
            let n = self.graph.nodes.get(id.index())?;
            Some(Operand { node: id, shape: n.shape.clone(), ty: n.ty.clone(), level: n.level })
        });
        TypeError { op: self.op.clone(), operands: operands.collect(), fault }
    }

    fn infer(&self) -> Inferred {
        let real = |shape: Shape, level: Level| Ok((shape, Ty::Real, level));
        match self.op {
            Op::Const(_) | Op::DimValue(_) => real(Vec::new(), Level::Shared),
            Op::Source(id) => {
                let s = self.graph.sources.get(id.index()).ok_or(Fault::Missing("source"))?;
                Ok((s.shape.clone(), s.ty.clone(), s.level))
            }
            Op::Lag { state, offset } => {
                let s = self.graph.states.get(state.index()).ok_or(Fault::Missing("state"))?;
                if offset.is_zero() {
                    return Err(Fault::Result("a lag must not be 0"));
                }
                self.offset(s.domain, *offset)?;
                let level = self.graph.lag_level(s.domain, *offset).ok_or(Fault::Missing("domain"))?;
                Ok((s.shape.clone(), s.ty.clone(), level))
            }
            Op::Position(d) => match self.axis(*d)?.kind {
                DomainKind::Children { tree } => {
                    let level = self.graph.join(Level::Over(tree), Level::Over(*d));
                    real(Vec::new(), level.ok_or(Fault::Missing("domain"))?)
                }
                _ => real(Vec::new(), Level::Over(*d)),
            },
            Op::Length(d) => match self.axis(*d)?.kind {
                DomainKind::Children { tree } => real(Vec::new(), Level::Over(tree)),
                _ => real(Vec::new(), Level::Example),
            },
            Op::Literal(values) => real(vec![Dim::constant(values.len() as i64)], Level::Shared),
            Op::Unary(kind, _) => self.unary(*kind),
            Op::Binary(kind, ..) => self.binary(*kind),
            Op::Select(..) => {
                self.want_ty(0, "bool", |t| *t == Ty::Bool)?;
                self.same_ty(1, 2)?;
                let branches = self.elementwise(1, 2)?;
                let c = &self.args[0].shape;
                // The condition may be an array over scalar branches: then it decides the shape.
                let shape = if branches.is_empty() { c.clone() } else { branches };
                if !c.is_empty() && *c != shape {
                    return Err(Fault::Shapes(0, if self.args[1].shape.is_empty() { 2 } else { 1 }));
                }
                Ok((shape, self.args[1].ty.clone(), self.level()?))
            }
            Op::MatMul(..) => self.matmul(),
            Op::Transpose(_) => {
                self.rank(0, "a matrix", |r| r == 2)?;
                let s = &self.args[0].shape;
                self.like(0, vec![s[1].clone(), s[0].clone()])
            }
            Op::Outer(..) => {
                self.real(0)?;
                self.real(1)?;
                self.rank(0, "a vector", |r| r == 1)?;
                self.rank(1, "a vector", |r| r == 1)?;
                real(vec![self.args[0].shape[0].clone(), self.args[1].shape[0].clone()], self.level()?)
            }
            Op::Concat(_) => self.concat(),
            Op::Gather { .. } => {
                self.rank(0, "an array", |r| r >= 1)?;
                self.index(1, Some(&self.args[0].shape[0]))?;
                let shape = self.args[0].shape[1..].to_vec();
                Ok((shape, self.args[0].ty.clone(), self.level()?))
            }
            Op::Scatter { .. } => {
                let k = self.index(0, None)?;
                self.real(1)?;
                let mut shape = vec![k];
                shape.extend(self.args[1].shape.iter().cloned());
                real(shape, self.level()?)
            }
            Op::Reduce { axis, .. } => {
                self.real(0)?;
                let mut shape = self.args[0].shape.clone();
                if *axis as usize >= shape.len() {
                    return Err(Fault::Rank { operand: 0, want: "an array with the reduced axis" });
                }
                shape.remove(*axis as usize);
                real(shape, self.level()?)
            }
            Op::Softmax(_) | Op::LogSumExp(_) | Op::ArgMax(_) => {
                self.real(0)?;
                self.rank(0, "a vector", |r| r == 1)?;
                let shape = &self.args[0].shape;
                let level = self.level()?;
                match self.op {
                    Op::Softmax(_) => real(shape.clone(), level),
                    Op::LogSumExp(_) => real(Vec::new(), level),
                    _ => Ok((Vec::new(), Ty::Id(shape[0].clone()), level)),
                }
            }
            Op::At { axis, point, .. } => {
                let level = self.dropped(0, *axis)?;
                if !self.graph.is_within(self.args[1].level, level) {
                    return Err(Fault::Level { operand: 1, want: "a value without this axis" });
                }
                if self.args[0].shape != self.args[1].shape {
                    return Err(Fault::Shapes(0, 1));
                }
                if self.args[0].ty != self.args[1].ty && !is_constant(self.graph, self.args[1]) {
                    return Err(Fault::Types(0, 1));
                }
                if *point == Point::Fixed(0) {
                    return Err(Fault::Result("positions count from 1"));
                }
                Ok((self.args[0].shape.clone(), self.args[0].ty.clone(), level))
            }
            Op::Remap { maps, .. } => {
                let level = self.remapped(maps)?;
                Ok((self.args[0].shape.clone(), self.args[0].ty.clone(), level))
            }
            Op::Flatten { grid, line, back, .. } => {
                let level = self.flattened(grid, *line, *back)?;
                Ok((self.args[0].shape.clone(), self.args[0].ty.clone(), level))
            }
            Op::Points { parts, axis } => {
                let DomainKind::Chain { fixed: Some(n) } = self.axis(*axis)?.kind else {
                    return Err(Fault::Result("an axis of static length is stacked to"));
                };
                if n as usize != parts.len() || parts.is_empty() {
                    return Err(Fault::Result("a stack has a part for each point of its axis"));
                }
                for i in 1..parts.len() {
                    self.same_ty(0, i)?;
                    if self.args[i].shape != self.args[0].shape {
                        return Err(Fault::Shapes(0, i));
                    }
                }
                let level = self.level()?;
                if self.graph.axes_of(level).contains(axis) {
                    return Err(Fault::Level { operand: 0, want: "a value without this axis" });
                }
                let level = self.graph.join(level, Level::Over(*axis)).ok_or(Fault::Missing("domain"))?;
                Ok((self.args[0].shape.clone(), self.args[0].ty.clone(), level))
            }
            Op::Spread(_) => Err(Fault::Result("the shape to spread to must be given")),
            Op::Slice { .. } => Err(Fault::Result("the length of a slice must be given")),
            Op::Reshape(_) => Err(Fault::Result("the new shape must be given")),
            Op::SumOver(_) | Op::FoldOver { .. } => Err(Fault::Result("the level to sum to must be given")),
        }
    }

    fn check(&self, shape: &Shape, level: Level) -> Result<Ty, Fault> {
        match self.op {
            Op::Spread(_) => {
                self.rank(0, "a scalar", |r| r == 0)?;
                if shape.is_empty() {
                    return Err(Fault::Result("a scalar is not spread to a scalar"));
                }
                self.result(level)
            }
            Op::Slice { start, .. } => {
                self.rank(0, "an array", |r| r >= 1)?;
                let s = &self.args[0].shape;
                if shape.len() != s.len() || shape[1..] != s[1..] {
                    return Err(Fault::Result("a slice differs from its operand in the first axis only"));
                }
                let end = start.add(&shape[0]).map_err(Fault::Dim)?;
                let constants = (start.as_constant(), end.as_constant(), s[0].as_constant());
                let out = constants.0.is_some_and(|n| n < 0)
                    || matches!(constants, (_, Some(end), Some(len)) if end > len);
                if out {
                    return Err(Fault::Result("the slice reaches beyond its operand"));
                }
                self.result(level)
            }
            Op::Reshape(_) => {
                if count(shape)? != count(&self.args[0].shape)? {
                    return Err(Fault::Result("a reshape must keep the number of elements"));
                }
                self.result(level)
            }
            Op::SumOver(_) | Op::FoldOver { .. } => {
                self.real(0)?;
                if *shape != self.args[0].shape {
                    return Err(Fault::Result("a sum over points keeps the shape"));
                }
                if matches!(self.op, Op::FoldOver { fold: Fold::Sum, .. }) {
                    return Err(Fault::Result("a sum is written as one"));
                }
                if level == self.args[0].level || !self.graph.is_within(level, self.args[0].level) {
                    return Err(Fault::Result("a sum over points goes to a lower level than its operand's"));
                }
                Ok(Ty::Real)
            }
            Op::Literal(values) => {
                let n = count(shape)?.as_constant();
                if n != i64::try_from(values.len()).ok() || level != Level::Shared {
                    return Err(Fault::Result("a literal has as many elements as its shape says"));
                }
                Ok(Ty::Real)
            }
            _ => {
                let (s, ty, l) = self.infer()?;
                if s != *shape {
                    return Err(Fault::Result("the shape does not follow from the operands"));
                }
                if l != level {
                    return Err(Fault::Result("the level does not follow from the operands"));
                }
                Ok(ty)
            }
        }
    }

    fn unary(&self, kind: Unary) -> Inferred {
        let shape = self.args[0].shape.clone();
        match kind {
            Unary::Not => {
                self.want_ty(0, "bool", |t| *t == Ty::Bool)?;
                self.like(0, shape)
            }
            Unary::ToReal => {
                self.want_ty(0, "bool or id", |t| *t != Ty::Real)?;
                Ok((shape, Ty::Real, self.level()?))
            }
            Unary::StopGradient => self.like(0, shape),
            _ => {
                self.real(0)?;
                self.like(0, shape)
            }
        }
    }

    fn binary(&self, kind: Binary) -> Inferred {
        match kind {
            Binary::Eq | Binary::Ne => self.same_ty(0, 1)?,
            Binary::And | Binary::Or => {
                for i in 0..2 {
                    self.want_ty(i, "bool", |t| *t == Ty::Bool)?;
                }
            }
            _ => {
                self.real(0)?;
                self.real(1)?;
            }
        }
        let ty = if kind.gives_bool() { Ty::Bool } else { Ty::Real };
        Ok((self.elementwise(0, 1)?, ty, self.level()?))
    }

    fn matmul(&self) -> Inferred {
        self.real(0)?;
        self.real(1)?;
        self.rank(0, "a vector or matrix", |r| r == 1 || r == 2)?;
        self.rank(1, "a vector or matrix", |r| r == 1 || r == 2)?;
        let (a, b) = (&self.args[0].shape, &self.args[1].shape);
        if a[a.len() - 1] != b[0] {
            return Err(Fault::Extents((0, a.len() - 1), (1, 0)));
        }
        let shape = a[..a.len() - 1].iter().chain(&b[1..]).cloned().collect();
        Ok((shape, Ty::Real, self.level()?))
    }

    fn concat(&self) -> Inferred {
        let Some(first) = self.args.first() else {
            return Err(Fault::Result("nothing to join"));
        };
        let mut extent = Dim::constant(0);
        for (i, part) in self.args.iter().enumerate() {
            self.rank(i, "an array", |r| r >= 1)?;
            self.same_ty(0, i)?;
            if part.shape.len() != first.shape.len() {
                return Err(Fault::Shapes(0, i));
            }
            if let Some(k) = (1..part.shape.len()).find(|k| part.shape[*k] != first.shape[*k]) {
                return Err(Fault::Extents((0, k), (i, k)));
            }
            extent = extent.add(&part.shape[0]).map_err(Fault::Dim)?;
        }
        let mut shape = first.shape.clone();
        shape[0] = extent;
        Ok((shape, first.ty.clone(), self.level()?))
    }

    /// The operand's type with another shape.
    fn like(&self, i: usize, shape: Shape) -> Inferred {
        Ok((shape, self.args[i].ty.clone(), self.level()?))
    }

    fn result(&self, level: Level) -> Result<Ty, Fault> {
        if level != self.level()? {
            return Err(Fault::Result("the level does not follow from the operands"));
        }
        Ok(self.args[0].ty.clone())
    }

    /// The lowest level at which all operands can be read.
    fn level(&self) -> Result<Level, Fault> {
        let mut joined = (Level::Shared, 0);
        for (i, arg) in self.args.iter().enumerate() {
            let level = self.graph.join(joined.0, arg.level).ok_or(Fault::Domains(joined.1, i))?;
            if level != joined.0 {
                joined = (level, i);
            }
        }
        Ok(joined.0)
    }

    /// The operand's level without one of its axes.
    fn dropped(&self, i: usize, axis: DomainId) -> Result<Level, Fault> {
        let level = self.args[i].level;
        if !self.graph.axes_of(level).contains(&axis) {
            return Err(Fault::Level { operand: i, want: "a value over the axis" });
        }
        self.graph.without(level, axis).ok_or(Fault::Missing("domain"))
    }

    fn remapped(&self, maps: &[AxisMap]) -> Result<Level, Fault> {
        let mut axes = self.graph.axes_of(self.args[0].level);
        for map in maps {
            let at = axes.iter().position(|a| *a == map.from);
            let at =
                at.ok_or(Fault::Level { operand: 0, want: "a value over the axes that are replaced" })?;
            axes.remove(at);
            self.axis(map.from)?;
            self.axis(map.to)?;
            for axis in map.start.axes() {
                self.axis(axis)?;
            }
            if map.step != 1 && map.step != -1 {
                return Err(Fault::Result("points are read one after another"));
            }
        }
        for map in maps {
            if axes.contains(&map.to) {
                return Err(Fault::Result("an axis would occur twice"));
            }
            axes.push(map.to);
        }
        self.graph.find_level(axes).ok_or(Fault::Missing("domain"))
    }

    fn flattened(&self, grid: &[DomainId], line: DomainId, back: bool) -> Result<Level, Fault> {
        let mut axes = self.graph.axes_of(self.args[0].level);
        let (from, to) = if back { (&[line][..], grid) } else { (grid, &[line][..]) };
        for axis in grid.iter().chain([&line]) {
            if !matches!(self.axis(*axis)?.kind, DomainKind::Chain { .. } | DomainKind::Derived(_)) {
                return Err(Fault::Result("the points of a grid are numbered"));
            }
        }
        for axis in from {
            let at = axes.iter().position(|a| a == axis);
            axes.remove(
                at.ok_or(Fault::Level { operand: 0, want: "a value over the axes that are replaced" })?,
            );
        }
        for axis in to {
            if axes.contains(axis) {
                return Err(Fault::Result("an axis would occur twice"));
            }
            axes.push(*axis);
        }
        self.graph.find_level(axes).ok_or(Fault::Missing("domain"))
    }

    /// Whether a state over `domain` can be read so.
    fn offset(&self, domain: DomainId, offset: Offset) -> Result<(), Fault> {
        self.domain(domain)?;
        let axes = self.graph.axes(domain);
        let tree =
            || axes.iter().any(|a| matches!(self.graph.domains[a.index()].kind, DomainKind::Tree { .. }));
        let children = |axis: DomainId| match self.domain(axis)?.kind {
            DomainKind::Children { tree } => Ok(tree),
            _ => Err(Fault::Result("this is no axis of children")),
        };
        let fits = match offset {
            Offset::By(by) => {
                let line = |a: &DomainId| {
                    matches!(
                        self.graph.domains[a.index()].kind,
                        DomainKind::Chain { .. } | DomainKind::Derived(_)
                    )
                };
                by[axes.len().min(MAX_AXES)..].iter().all(|k| *k == 0)
                    && axes.iter().zip(by).all(|(a, k)| k == 0 || line(a))
            }
            Offset::Child(_) | Offset::Parent(_) => tree(),
            Offset::EachChild(axis) => axes.contains(&children(axis)?) && !axes.contains(&axis),
            Offset::FromEach(axis) => axes.contains(&children(axis)?) && axes.contains(&axis),
        };
        match fits {
            true => Ok(()),
            false => Err(Fault::Result("the state's domain has no such neighbour")),
        }
    }

    fn elementwise(&self, i: usize, j: usize) -> Result<Shape, Fault> {
        let (a, b) = (&self.args[i].shape, &self.args[j].shape);
        match (a.is_empty(), b.is_empty()) {
            (true, _) => Ok(b.clone()),
            (_, true) => Ok(a.clone()),
            _ if a == b => Ok(a.clone()),
            _ => Err(Fault::Shapes(i, j)),
        }
    }

    fn rank(&self, i: usize, want: &'static str, ok: impl Fn(usize) -> bool) -> Result<(), Fault> {
        match ok(self.args[i].shape.len()) {
            true => Ok(()),
            false => Err(Fault::Rank { operand: i, want }),
        }
    }

    fn want_ty(&self, i: usize, want: &'static str, ok: impl Fn(&Ty) -> bool) -> Result<(), Fault> {
        match ok(&self.args[i].ty) {
            true => Ok(()),
            false => Err(Fault::Ty { operand: i, want }),
        }
    }

    fn real(&self, i: usize) -> Result<(), Fault> {
        self.want_ty(i, "real", |t| *t == Ty::Real)
    }

    fn same_ty(&self, i: usize, j: usize) -> Result<(), Fault> {
        match self.args[i].ty == self.args[j].ty {
            true => Ok(()),
            false => Err(Fault::Types(i, j)),
        }
    }

    /// A scalar id; `extent` is how many symbols it must have.
    fn index(&self, i: usize, extent: Option<&Dim>) -> Result<Dim, Fault> {
        self.rank(i, "a scalar", |r| r == 0)?;
        match &self.args[i].ty {
            Ty::Id(k) if extent.is_none_or(|e| e == k) => Ok(k.clone()),
            _ => Err(Fault::Ty { operand: i, want: "an id with as many symbols as the axis is long" }),
        }
    }

    /// A domain that is no product.
    fn axis(&self, d: DomainId) -> Result<&Domain, Fault> {
        match self.domain(d)? {
            Domain { kind: DomainKind::Product(_), .. } => Err(Fault::Missing("axis")),
            axis => Ok(axis),
        }
    }

    fn domain(&self, d: DomainId) -> Result<&Domain, Fault> {
        self.graph.domains.get(d.index()).ok_or(Fault::Missing("domain"))
    }
}

/// A constant, or a constant spread: what may stand for an id or bool at a boundary.
pub(crate) fn is_constant(graph: &Graph, node: &Node) -> bool {
    match node.op {
        Op::Const(_) => true,
        Op::Spread(a) => matches!(graph.nodes.get(a.index()).map(|n| &n.op), Some(Op::Const(_))),
        _ => false,
    }
}

/// The number of elements of a shape.
fn count(shape: &[Dim]) -> Result<Dim, Fault> {
    shape.iter().try_fold(Dim::constant(1), |acc, d| acc.mul(d)).map_err(Fault::Dim)
}
