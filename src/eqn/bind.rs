//! Numbers for dimensions.
//!
//! In: a graph with symbolic dimensions, and a number for each symbol. Out: the same graph with
//! constant dimensions, or diagnostics for what has no (sensible) size.
//! Invariant: every extent of a bound graph is a constant from 0 to [`MAX_ELEMENTS`], there is no
//! [`Op::DimValue`], and every node still passes [`Graph::check`].

use super::*;
use crate::diag::{Diagnostic, Fallible};
use crate::shape::{Bindings, DimError};
use std::collections::BTreeMap;

/// Elements of one value at one point: kernels tell the bytes of a row apart in 32 bits, so no flag raises it.
pub const MAX_ELEMENTS: u64 = 1 << 29;
/// Elements of everything from outside together, and of all other values at one point together.
pub const MAX_TOGETHER: u64 = 1 << 32;
/// What is reported at most; the rest are consequences.
const MAX_MESSAGES: usize = 8;

impl Graph {
    /// The symbols that need a number, in order of appearance: sources first, then states, then nodes.
    pub fn dims(&self) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        let ty = |ty: &Ty, names: &mut Vec<Arc<str>>| {
            if let Ty::Id(k) = ty {
                k.symbols(names);
            }
        };
        for s in &self.sources {
            s.shape.iter().for_each(|d| d.symbols(&mut names));
            ty(&s.ty, &mut names);
            for scalar in kind_scalars(&s.kind) {
                scalar.symbols(&mut names);
            }
        }
        for s in &self.states {
            s.shape.iter().for_each(|d| d.symbols(&mut names));
            ty(&s.ty, &mut names);
        }
        for n in &self.nodes {
            n.shape.iter().for_each(|d| d.symbols(&mut names));
            ty(&n.ty, &mut names);
            match &n.op {
                Op::DimValue(d) | Op::Slice { start: d, .. } => d.symbols(&mut names),
                _ => {}
            }
        }
        names
    }

    /// The graph with numbers for all dimensions. Refuses symbols without a number, negative or
    /// fractional extents, and arrays beyond all reason.
    pub fn bind(&self, bindings: &Bindings) -> Fallible<Graph> {
        let mut binder = Binder { bindings, known: BTreeMap::new(), errors: Vec::new() };
        let mut graph = self.clone();
        let mut outside = 0u64;
        for s in &mut graph.sources {
            let what = format!("`{}`", s.name);
            s.shape = binder.shape(&s.shape, &what, s.span);
            s.ty = binder.ty(&s.ty, &what, s.span);
            outside = outside.saturating_add(binder.elements(&s.shape, &what, s.span));
            for scalar in kind_scalars_mut(&mut s.kind) {
                binder.scalar(scalar, &what, s.span);
            }
        }
        for s in &mut graph.states {
            let what = format!("state `{}`", s.name);
            s.shape = binder.shape(&s.shape, &what, s.span);
            s.ty = binder.ty(&s.ty, &what, s.span);
        }
        let mut inside = 0u64;
        for (i, n) in graph.nodes.iter_mut().enumerate() {
            if binder.errors.len() >= MAX_MESSAGES {
                break;
            }
            let what = describe(n, i);
            n.shape = binder.shape(&n.shape, &what, n.span);
            n.ty = binder.ty(&n.ty, &what, n.span);
            inside = inside.saturating_add(binder.elements(&n.shape, &what, n.span));
            let span = n.span;
            match &mut n.op {
                Op::DimValue(d) => n.op = Op::Const(binder.dim(d, &what, span) as f64),
                Op::Slice { start, .. } => *start = Dim::constant(binder.dim(start, &what, span)),
                _ => {}
            }
        }
        if binder.errors.is_empty() {
            for together in [outside, inside] {
                if together > MAX_TOGETHER {
                    binder.errors.push(errors::too_large_together(together));
                }
            }
        }
        if binder.errors.is_empty() {
            recheck(&graph, &mut binder.errors);
        }
        match binder.errors.is_empty() {
            true => Ok(graph),
            false => Err(binder.errors),
        }
    }
}

struct Binder<'a> {
    bindings: &'a Bindings,
    known: BTreeMap<Dim, Result<i64, DimError>>,
    errors: Vec<Diagnostic>,
}

impl Binder<'_> {
    /// The value; 0 with an error noted if it has none.
    fn dim(&mut self, dim: &Dim, what: &str, span: Option<Span>) -> i64 {
        if let Some(n) = dim.as_constant().filter(|n| *n >= 0) {
            return n;
        }
        if !self.known.contains_key(dim) {
            let value = match dim.eval(self.bindings) {
                Ok(n) if n < 0 => Err(DimError::Negative(n)),
                other => other,
            };
            if let Err(e) = &value {
                self.errors.push(errors::extent(what, dim, e, span));
            }
            self.known.insert(dim.clone(), value);
        }
        match self.known.get(dim) {
            Some(Ok(n)) => *n,
            _ => 0,
        }
    }

    fn shape(&mut self, shape: &Shape, what: &str, span: Option<Span>) -> Shape {
        shape.iter().map(|d| Dim::constant(self.dim(d, what, span))).collect()
    }

    fn ty(&mut self, ty: &Ty, what: &str, span: Option<Span>) -> Ty {
        match ty {
            Ty::Id(k) => Ty::Id(Dim::constant(self.dim(k, what, span))),
            other => other.clone(),
        }
    }

    fn scalar(&mut self, scalar: &mut Scalar, what: &str, span: Option<Span>) {
        match scalar {
            Scalar::Num(_) => {}
            Scalar::Dim(d) => *scalar = Scalar::Num(self.dim(d, what, span) as f64),
            Scalar::Neg(a) | Scalar::Sqrt(a) | Scalar::Log(a) | Scalar::Exp(a) => self.scalar(a, what, span),
            Scalar::Bin(_, a, b) => {
                self.scalar(a, what, span);
                self.scalar(b, what, span);
            }
        }
    }

    /// How many elements a bound shape has; notes an error beyond the limit.
    fn elements(&mut self, shape: &Shape, what: &str, span: Option<Span>) -> u64 {
        let extents = shape.iter().map(|d| d.as_constant().unwrap_or(0).unsigned_abs());
        let n = extents.fold(1u64, u64::saturating_mul);
        if n > MAX_ELEMENTS && self.errors.len() < MAX_MESSAGES {
            self.errors.push(errors::too_large(what, &n.to_string(), span));
        }
        n
    }
}

impl Scalar {
    pub(crate) fn symbols(&self, into: &mut Vec<Arc<str>>) {
        match self {
            Scalar::Num(_) => {}
            Scalar::Dim(d) => d.symbols(into),
            Scalar::Neg(a) | Scalar::Sqrt(a) | Scalar::Log(a) | Scalar::Exp(a) => a.symbols(into),
            Scalar::Bin(_, a, b) => {
                a.symbols(into);
                b.symbols(into);
            }
        }
    }

    /// The number, if no symbol is left.
    pub fn value(&self) -> Option<f64> {
        Some(match self {
            Scalar::Num(v) => *v,
            Scalar::Dim(d) => d.as_constant()? as f64,
            Scalar::Neg(a) => -a.value()?,
            Scalar::Sqrt(a) => a.value()?.sqrt(),
            Scalar::Log(a) => libm::log(a.value()?),
            Scalar::Exp(a) => libm::exp(a.value()?),
            Scalar::Bin(op, a, b) => {
                let (a, b) = (a.value()?, b.value()?);
                match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '/' => a / b,
                    '^' => libm::pow(a, b),
                    _ => return None,
                }
            }
        })
    }
}

fn kind_scalars(kind: &SourceKind) -> &[Scalar] {
    match kind {
        SourceKind::Param(ParamInfo { init: Init::Value(s), .. }) => std::slice::from_ref(s),
        SourceKind::Param(ParamInfo { init: Init::Dist(d), .. }) | SourceKind::Noise(d) => &d.args,
        SourceKind::Input | SourceKind::Initial { .. } | SourceKind::Cotangent => &[],
    }
}

fn kind_scalars_mut(kind: &mut SourceKind) -> &mut [Scalar] {
    match kind {
        SourceKind::Param(ParamInfo { init: Init::Value(s), .. }) => std::slice::from_mut(s),
        SourceKind::Param(ParamInfo { init: Init::Dist(d), .. }) | SourceKind::Noise(d) => &mut d.args,
        SourceKind::Input | SourceKind::Initial { .. } | SourceKind::Cotangent => &mut [],
    }
}

fn describe(node: &Node, i: usize) -> String {
    match &node.name {
        Some(name) => format!("`{name}`"),
        None => format!("value %{i} ({})", node.op.word()),
    }
}

/// Rules that depend on numbers: slices within their operand, no extremum of nothing.
fn recheck(graph: &Graph, errors: &mut Vec<Diagnostic>) {
    for (i, n) in graph.nodes.iter().enumerate() {
        let mut reason = graph.check(&n.op, &n.shape, n.level).err().map(|e| e.to_string());
        if let Op::Reduce { fold: Fold::Max | Fold::Min, arg, axis } = &n.op
            && graph.shape(*arg).get(*axis as usize) == Some(&Dim::constant(0))
        {
            reason = Some("nothing has no greatest and no least element".into());
        }
        if let Some(reason) = reason {
            errors.push(errors::does_not_fit(&describe(n, i), &reason, n.span));
            if errors.len() >= MAX_MESSAGES {
                return;
            }
        }
    }
}
