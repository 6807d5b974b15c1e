//! The text form of a [`Graph`]: one line a domain, source, state, node and output.
//!
//! ```text
//! graph "Leak(H)"
//! domain n : t
//! source x : [H] over n = input
//! source a : [H] shared = param ~ uniform(1.0 / sqrt(H))
//! source h0 : [H] each = initial h default 0.0
//! state h : [H] over n = h init h0
//! x : [H] over n = source(x)
//! a : [H] shared = source(a)
//! h0 : [H] each = source(h0)
//! %3 : [H] over n = lag(h, -1)
//! %4 : [H] over n = mul(a, %3)
//! h : [H] over n = add(%4, x)
//! out h = h
//! ```
//!
//! Levels are `shared`, `each` (one value per example) and `over EXTENT`; `real` is not written.
//! A thing is called by its name if that is a plain word and the first of its kind, else by `%` and
//! its number, with its name in quotes behind it: `%7 "h" : ...`.

use super::*;
use crate::shape::show_shape;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Parsed back by [`super::parse::parse`] to an equal graph (spans aside).
pub fn print(graph: &Graph) -> String {
    let labels = Labels::new(graph);
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("graph {}", quote(&graph.name)));
    for (i, d) in graph.domains.iter().enumerate() {
        let mut kind = labels.domain_kind(&d.kind);
        if !d.edges.is_empty() {
            let edges: Vec<String> = d.edges.iter().map(|e| word_or_quoted(e).to_string()).collect();
            let _ = write!(kind, " ({})", edges.join(", "));
        }
        line(format!("domain {} : {}{kind}", labels.domains.head(i), word_or_quoted(&d.var)));
    }
    for (i, s) in graph.sources.iter().enumerate() {
        let kind = labels.kind(&s.kind);
        let ty = labels.value_type(&s.shape, &s.ty, s.level);
        line(format!("source {} : {ty} = {kind}", labels.sources.head(i)));
    }
    for (i, s) in graph.states.iter().enumerate() {
        let def = s.def.map_or("_".into(), |d| labels.node(d));
        let init: Vec<String> = s.init.iter().map(|n| labels.node(*n)).collect();
        let ty = labels.value_type(&s.shape, &s.ty, Level::Over(s.domain));
        let sides: Vec<String> = s.sides.iter().map(|side| labels.side(side)).collect();
        line(format!(
            "state {} : {ty} = {def} init {}{}",
            labels.states.head(i),
            init.join(", "),
            sides.concat()
        ));
    }
    for (i, n) in graph.nodes.iter().enumerate() {
        let ty = labels.value_type(&n.shape, &n.ty, n.level);
        line(format!("{} : {ty} = {}", labels.nodes.head(i), labels.op(&n.op)));
    }
    for o in &graph.outputs {
        line(format!("out {} = {}", word_or_quoted(&o.name), labels.node(o.node)));
    }
    out
}

/// One node as its line in the text form, for messages.
pub(super) fn node_line(graph: &Graph, id: NodeId) -> String {
    let labels = Labels::new(graph);
    match graph.nodes.get(id.index()) {
        Some(n) => {
            let ty = labels.value_type(&n.shape, &n.ty, n.level);
            format!("{} : {ty} = {}", labels.nodes.head(id.index()), labels.op(&n.op))
        }
        None => format!("%{}", id.0),
    }
}

/// Names for the things of one kind.
struct Names<'a> {
    names: Vec<Option<&'a str>>,
    /// Whether the name serves as label.
    plain: Vec<bool>,
}

impl<'a> Names<'a> {
    fn new(names: impl Iterator<Item = Option<&'a str>>) -> Self {
        let names: Vec<_> = names.collect();
        let mut seen = BTreeSet::new();
        let plain = names.iter().map(|n| n.is_some_and(|n| is_label(n) && seen.insert(n))).collect();
        Names { names, plain }
    }

    fn label(&self, i: usize) -> String {
        match (self.names.get(i), self.plain.get(i)) {
            (Some(Some(name)), Some(true)) => name.to_string(),
            _ => format!("%{i}"),
        }
    }

    /// The label, and the name if that is another.
    fn head(&self, i: usize) -> String {
        match (self.names.get(i), self.plain.get(i)) {
            (Some(Some(name)), Some(false)) => format!("%{i} {}", quote(name)),
            _ => self.label(i),
        }
    }
}

struct Labels<'a> {
    graph: &'a Graph,
    domains: Names<'a>,
    sources: Names<'a>,
    states: Names<'a>,
    nodes: Names<'a>,
}

impl<'a> Labels<'a> {
    fn new(graph: &'a Graph) -> Self {
        Labels {
            graph,
            domains: Names::new(graph.domains.iter().map(|d| Some(&*d.extent))),
            sources: Names::new(graph.sources.iter().map(|s| Some(&*s.name))),
            states: Names::new(graph.states.iter().map(|s| Some(&*s.name))),
            nodes: Names::new(graph.nodes.iter().map(|n| n.name.as_deref())),
        }
    }

    fn node(&self, id: NodeId) -> String {
        self.nodes.label(id.index())
    }

    fn domain(&self, id: DomainId) -> String {
        self.domains.label(id.index())
    }

    /// What follows the variable: nothing for a chain of free length.
    fn domain_kind(&self, kind: &DomainKind) -> String {
        match kind {
            DomainKind::Chain { fixed: None } => String::new(),
            DomainKind::Chain { fixed: Some(n) } => format!(" = {n}"),
            DomainKind::Derived(extent) => format!(" derived {}", self.extent(extent)),
            DomainKind::Tree { arity: None } => " tree".into(),
            DomainKind::Tree { arity: Some(n) } => format!(" tree {n}"),
            DomainKind::Children { tree } => format!(" children {}", self.domain(*tree)),
            DomainKind::Product(axes) => {
                let axes: Vec<String> = axes.iter().map(|d| self.domain(*d)).collect();
                format!(" product {}", axes.join(", "))
            }
        }
    }

    /// `1 + 2*n*m`; 0 if nothing is added.
    fn extent(&self, extent: &Extent) -> String {
        let term = |(k, axes): &(i64, Vec<DomainId>)| {
            let factors = axes.iter().map(|d| format!("*{}", self.domain(*d)));
            std::iter::once(k.to_string()).chain(factors).collect::<String>()
        };
        match extent.0.is_empty() {
            true => "0".into(),
            false => extent.0.iter().map(term).collect::<Vec<_>>().join(" + "),
        }
    }

    fn side(&self, side: &Side) -> String {
        let word = if side.after { "after" } else { "before" };
        format!(" {word} {} {}", self.domain(side.axis), self.node(side.value))
    }

    fn offset(&self, state: StateId, offset: Offset) -> String {
        match offset {
            Offset::By(by) => {
                let axes =
                    self.graph.states.get(state.index()).map_or(1, |s| self.graph.axes(s.domain).len());
                let by: Vec<String> = by.iter().take(axes).map(i32::to_string).collect();
                by.join(", ")
            }
            Offset::Child(k) => format!("child {k}"),
            Offset::EachChild(axis) => format!("each {}", self.domain(axis)),
            Offset::Parent(k) => format!("parent {k}"),
            Offset::FromEach(axis) => format!("from {}", self.domain(axis)),
        }
    }

    /// `[H, I] over n`, `[] id(K) shared`.
    fn value_type(&self, shape: &Shape, ty: &Ty, level: Level) -> String {
        let level = match level {
            Level::Shared => "shared".into(),
            Level::Example => "each".into(),
            Level::Over(d) => format!("over {}", self.domains.label(d.index())),
        };
        match ty {
            Ty::Real => format!("{} {level}", show_shape(shape)),
            Ty::Bool => format!("{} bool {level}", show_shape(shape)),
            Ty::Id(k) => format!("{} id({k}) {level}", show_shape(shape)),
        }
    }

    fn kind(&self, kind: &SourceKind) -> String {
        match kind {
            SourceKind::Input => "input".into(),
            SourceKind::Cotangent => "cotangent".into(),
            SourceKind::Noise(d) => format!("noise ~ {}", show_dist(d)),
            SourceKind::Initial { state, default } => {
                format!("initial {} default {}", self.states.label(state.index()), number(*default))
            }
            SourceKind::Param(info) => {
                let init = match &info.init {
                    Init::Value(s) => format!("= {}", show_scalar(s)),
                    Init::Dist(d) => format!("~ {}", show_dist(d)),
                };
                let within = match info.within {
                    Some((lo, hi)) => format!(" within {} .. {}", number(lo), number(hi)),
                    None => String::new(),
                };
                format!("param {init}{within}")
            }
        }
    }

    fn op(&self, op: &Op) -> String {
        let mut args: Vec<String> = op.operands().map(|id| self.node(id)).collect();
        match op {
            Op::Const(c) => args.push(number(*c)),
            Op::DimValue(d) => args.push(d.to_string()),
            Op::Source(s) => args.push(self.sources.label(s.index())),
            Op::Lag { state, offset } => {
                args.push(self.states.label(state.index()));
                args.push(self.offset(*state, *offset));
            }
            Op::Position(d) | Op::Length(d) => args.push(self.domains.label(d.index())),
            Op::Slice { start, .. } => args.push(start.to_string()),
            Op::Reduce { axis, .. } => args.push(axis.to_string()),
            Op::FoldOver { fold, .. } => args.push(fold.word().into()),
            Op::At { axis, point, .. } => {
                let point = match point {
                    Point::First => "first".into(),
                    Point::Last => "last".into(),
                    Point::Fixed(p) => p.to_string(),
                };
                args.splice(1..1, [self.domain(*axis), point]);
            }
            Op::Remap { maps, .. } => args.extend(maps.iter().map(|m| {
                let (from, to) = (self.domain(m.from), self.domain(m.to));
                format!("{from} to {to} start {} step {}", self.extent(&m.start), m.step)
            })),
            Op::Flatten { grid, line, back, .. } => {
                let grid: Vec<String> = grid.iter().map(|d| self.domain(*d)).collect();
                let (grid, line) = (grid.join(" "), self.domain(*line));
                args.push(if *back { format!("{line} to {grid}") } else { format!("{grid} to {line}") });
            }
            Op::Points { axis, .. } => args.insert(0, self.domain(*axis)),
            Op::Literal(values) => args.extend(values.iter().map(|v| number(*v))),
            Op::Unary(..)
            | Op::Binary(..)
            | Op::Select(..)
            | Op::Spread(_)
            | Op::MatMul(..)
            | Op::Transpose(_)
            | Op::Outer(..)
            | Op::Concat(_)
            | Op::Gather { .. }
            | Op::Scatter { .. }
            | Op::Softmax(_)
            | Op::LogSumExp(_)
            | Op::ArgMax(_)
            | Op::Reshape(_)
            | Op::SumOver(_) => {}
        }
        format!("{}({})", op.word(), args.join(", "))
    }
}

/// `uniform(1.0 / sqrt(H))`.
fn show_dist(dist: &Dist) -> String {
    let args: Vec<String> = dist.args.iter().map(show_scalar).collect();
    format!("{}({})", word_or_quoted(&dist.name), args.join(", "))
}

fn show_scalar(scalar: &Scalar) -> String {
    let inner = |s: &Scalar| match s {
        Scalar::Bin(..) => format!("({})", show_scalar(s)),
        _ => show_scalar(s),
    };
    match scalar {
        Scalar::Num(v) => number(*v),
        Scalar::Dim(d) => match d.as_sym() {
            Some(s) if !SCALAR_WORDS.contains(&&**s) => s.to_string(),
            _ => format!("{{{d}}}"),
        },
        Scalar::Neg(a) => format!("-({})", show_scalar(a)),
        Scalar::Sqrt(a) => format!("sqrt({})", show_scalar(a)),
        Scalar::Log(a) => format!("log({})", show_scalar(a)),
        Scalar::Exp(a) => format!("exp({})", show_scalar(a)),
        Scalar::Bin(op, a, b) => format!("{} {op} {}", inner(a), inner(b)),
    }
}

/// Words that mean something else than a dimension in a scalar.
pub(super) const SCALAR_WORDS: [&str; 5] = ["inf", "NaN", "sqrt", "log", "exp"];

/// The shortest text that reads back to the same number.
fn number(v: f64) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "{v:?}");
    text
}

fn word_or_quoted(name: &str) -> String {
    match is_word(name) {
        true => name.into(),
        false => quote(name),
    }
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters of a plain word: letters of any script, digits, `_`, `'` and `.`.
pub(super) fn is_word_char(c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || matches!(c, '_' | '\'' | '.'),
        false => !c.is_whitespace() && !c.is_control(),
    }
}

pub(super) fn is_word(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| !c.is_ascii_digit() && c != '.' && c != '\'') && name.chars().all(is_word_char)
}

/// Whether a name can stand at the beginning of a line without meaning something else.
fn is_label(name: &str) -> bool {
    is_word(name) && name != "_" && !LINE_WORDS.contains(&name)
}

pub(super) const LINE_WORDS: [&str; 5] = ["graph", "domain", "source", "state", "out"];
