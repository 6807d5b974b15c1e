//! Layouts: how the arrays of a foreign file become those of a cell.
//!
//! In: a cell that has been built and the lines of a layout for it. Out: the arrays that no line determines.
//! A line arranges whole arrays or members of families and computes nothing; its foreign ranges are as long as
//! what they fill; no array is determined twice.

use super::builder::Builder;
use super::errors;
use super::value::*;
use crate::eqn::{Graph, NodeId, Op, SourceKind};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::{Foreign, Layout, Place};
use std::collections::BTreeMap;

/// An array, or the part of it that a slice takes.
type Part = (String, Option<String>);

impl<'l> Builder<'l> {
    /// The parameters of `graph` that no line determines; mistakes of the lines are reported.
    pub fn layout(&mut self, frame: FrameId, layout: &'l Layout, graph: &Graph) -> Vec<String> {
        let mut determined: BTreeMap<Part, Span> = BTreeMap::new();
        let top = self.frame(frame).text.layers.len().saturating_sub(1);
        let env = Env::new(frame, top);
        for line in &layout.lines {
            let found = self.layout_line(line, &env);
            for part in self.caught(found).unwrap_or_default() {
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
        let params = graph.sources.iter().filter(|s| matches!(s.kind, SourceKind::Param(_)));
        let is_missing = |name: &str| !determined.keys().any(|part| part.0 == name);
        params.map(|s| s.name.to_string()).filter(|name| is_missing(name)).collect()
    }

    fn layout_line(&mut self, line: &'l Foreign, env: &Env) -> R<Vec<Part>> {
        let span = line.ours.span;
        let val = self.eval(&line.ours, env)?;
        let node = self.force_node(val, span)?;
        for (_, places, at) in &line.terms {
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
                op @ (Op::Concat(_) | Op::Reshape(_) | Op::Transpose(_)) => {
                    open.extend(op.operands().map(|a| (a, slice.clone())));
                }
                _ => return self.fail(errors::layout_computes(span)),
            }
        }
        Ok(parts)
    }
}
