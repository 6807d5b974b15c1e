//! Layouts: how the arrays of a foreign file become those of a cell.
//!
//! In: a cell that has been built and the lines of a layout for it. Out: the arrays that no line determines.
//! A line arranges whole arrays or members of families, negates them and computes nothing else; its foreign ranges are as long as
//! what they fill; no array is determined twice. [`arrange`] gives the lines of one layout with their values, for those that
//! translate arrays; `instances.rs` those of all instances of a program.
//!
//! A line whose foreign name has a `*` speaks of an instance, `"*_reverse" = bw`: the names of that instance's layout stand for the `*`.

mod instances;

pub use instances::{Arranged, Foreign as ForeignNames, Mapped, Program, arrange_all};

use super::builder::Builder;
use super::value::*;
use super::{Options, errors, last_pass, on_large_stack};
use crate::diag::Diagnostic;
use crate::eqn::{Graph, NodeId, Op, SourceKind, Unary};
use crate::resolve::Library;
use crate::resolve::text::plain;
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Foreign, Layout, Name, Place};
use std::collections::BTreeMap;

/// Stands for the names of an instance.
pub const WHOLE: char = '*';

/// The instance that a line with a `*` speaks of, and the expression of its index: `fw`, `l[n+1]`.
pub fn instance_of(line: &Foreign) -> Option<(Name, Option<&Expr>)> {
    let [(_, None, _)] = line.terms.as_slice() else { return None };
    match &line.ours.kind {
        ExprKind::Name(name) => Some((plain(name), None)),
        ExprKind::Index { base, places } => match (&base.kind, places.as_slice()) {
            (ExprKind::Name(name), [Place::At(set)]) if set.hi.is_none() => {
                Some((plain(name), Some(&set.lo)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A foreign name with numbers for its words in braces; 0 where none is set.
pub fn with_numbers(name: &str, numbers: &BTreeMap<String, i64>) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((word, behind)) = after.split_once('}') else { break };
        out += before;
        out += &numbers.get(word).copied().unwrap_or(0).to_string();
        rest = behind;
    }
    out + rest
}

/// An array, or the part of it that a slice takes.
type Part = (String, Option<String>);

/// A cell with the lines of a layout for it.
#[derive(Clone, Debug)]
pub struct Arrangement {
    pub cell: Graph,
    /// In which the values of the lines are: parameters that are joined, cut and transposed.
    pub values: Graph,
    pub lines: Vec<Line>,
    /// Parameters that no line determines.
    pub open: Vec<String>,
}

/// Foreign arrays whose sum is one value.
#[derive(Clone, Debug)]
pub struct Line {
    pub terms: Vec<Term>,
    pub value: NodeId,
    pub span: Span,
}

/// A foreign array, or rows of it from 1.
#[derive(Clone, Debug)]
pub struct Term {
    pub name: String,
    pub rows: Option<(Dim, Dim)>,
    pub span: Span,
}

/// The arrays of a recipe as the lines of a layout for its cell arrange them.
pub fn arrange(
    library: &Library,
    recipe: &Expr,
    layout: &Layout,
    options: &Options,
) -> (Option<Arrangement>, Vec<Diagnostic>) {
    on_large_stack(|| {
        let (result, builder) = last_pass(library, options, |b| {
            let cell = b.build_recipe(recipe)?;
            let (lines, open) = b.layout(b.outermost?, layout, &cell);
            Some(Arrangement { cell, values: b.graph.clone(), lines, open })
        });
        (result, builder.diagnostics)
    })
}

impl<'l> Builder<'l> {
    /// The lines, and the parameters of `graph` that no line determines; mistakes of the lines are reported.
    pub fn layout(&mut self, frame: FrameId, layout: &'l Layout, graph: &Graph) -> (Vec<Line>, Vec<String>) {
        let top = self.frame(frame).text.layers.len().saturating_sub(1);
        let (lines, parts) = self.layout_of(Env::new(frame, top), layout);
        let params = graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_)));
        // Where lines speak of instances, their parameters are the business of other layouts.
        let by_others = layout.lines.iter().flat_map(|l| &l.terms).any(|(name, ..)| name.contains(WHOLE));
        let is_missing =
            |name: &str| !(parts.iter().any(|part| part == name) || by_others && name.contains('.'));
        let open = params.map(|s| s.name.to_string()).filter(|name| is_missing(name)).collect();
        (lines, open)
    }

    /// The lines as an instance has them, and the parameters that they determine.
    fn layout_of(&mut self, env: Env, layout: &'l Layout) -> (Vec<Line>, Vec<String>) {
        let mut lines = Vec::new();
        let mut determined: BTreeMap<Part, Span> = BTreeMap::new();
        for line in &layout.lines {
            if line.terms.iter().any(|(name, ..)| name.contains(WHOLE)) {
                let found = self.instance_line(line, env.frame);
                self.caught(found);
                continue;
            }
            let found = self.layout_line(line, &env);
            let Some((line_of, parts)) = self.caught(found) else { continue };
            lines.push(line_of);
            for part in parts {
                let clash = determined.iter().find(|((name, slice), _)| {
                    *name == part.0 && (slice.is_none() || part.1.is_none() || *slice == part.1)
                });
                if let Some((_, first)) = clash {
                    let d = errors::determined_twice(&part.0, *first, line.ours.span);
                    self.report(d);
                }
                determined.insert(part, line.ours.span);
            }
        }
        (lines, determined.into_keys().map(|(name, _)| name).collect())
    }

    /// Whether a line that speaks of an instance names an equation.
    fn instance_line(&mut self, line: &'l Foreign, frame: FrameId) -> R<()> {
        let named = instance_of(line).map(|(name, _)| name);
        let text = self.frame(frame).text.clone();
        match named.filter(|name| text.get(name).is_some_and(|e| e.equated.is_some())) {
            Some(_) => Ok(()),
            None => self.fail(errors::no_instance_of_layout(line.ours.span)),
        }
    }

    fn layout_line(&mut self, line: &'l Foreign, env: &Env) -> R<(Line, Vec<Part>)> {
        let span = line.ours.span;
        let val = self.eval(&line.ours, env)?;
        let node = self.force_node(val, span)?;
        let mut terms = Vec::new();
        for (name, places, at) in &line.terms {
            terms.push(Term { name: name.clone(), rows: None, span: *at });
            let Some([Place::At(set), ..]) = places.as_deref() else { continue };
            let Some(hi) = &set.hi else { continue };
            let (lo, hi) = (self.eval_dim(&set.lo, env)?, self.eval_dim(hi, env)?);
            let len = match hi.sub(&lo).and_then(|len| len.add(&Dim::constant(1))) {
                Ok(len) => len,
                Err(e) => return self.dim_error(&e, set.span),
            };
            let shape = self.graph.shape(node).clone();
            if shape.first() != Some(&len) {
                return self.fail(errors::foreign_range(&len, &shape, *at, span));
            }
            if let Some(term) = terms.last_mut() {
                term.rows = Some((lo, hi));
            }
        }
        let mut parts = Vec::new();
        let mut open: Vec<(NodeId, Option<String>)> = vec![(node, None)];
        while let Some((id, slice)) = open.pop() {
            match &self.graph.node(id).op {
                Op::Source(s) => {
                    let source = &self.graph.sources[s.index()];
                    if !matches!(source.kind, SourceKind::Param(_)) {
                        let name = source.name.to_string();
                        return self.fail(errors::layout_of_no_param(&name, span));
                    }
                    parts.push((source.name.to_string(), slice));
                }
                Op::Slice { arg, start } => {
                    let outer = slice.unwrap_or_default();
                    open.push((*arg, Some(format!("{outer} {start}+{:?}", self.graph.shape(id).first()))));
                }
                Op::Const(0.0) => {}
                op @ (Op::Concat(_)
                | Op::Reshape(_)
                | Op::Transpose(_)
                | Op::Spread(_)
                | Op::Unary(Unary::Neg, _)) => {
                    open.extend(op.operands().map(|a| (a, slice.clone())));
                }
                _ => return self.fail(errors::layout_computes(span)),
            }
        }
        Ok((Line { terms, value: node, span }, parts))
    }
}
