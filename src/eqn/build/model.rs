//! Models: outputs, losses, metrics, and the blocks beside them.

use super::Model;
use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::value::*;
use crate::eqn::{DomainId, DomainKind, Graph, Level, NodeId, Op, SourceKind, Ty};
use crate::resolve::text::plain;
use crate::resolve::{ItemId, nearest};
use crate::source::Span;
use crate::syntax::ast::*;
use std::sync::Arc;

/// The lines of a model's `data` blocks: names, and the source as written.
pub fn data_lines(model: &ModelTree) -> Vec<(Vec<Name>, Expr)> {
    let blocks = model.body.stmts.iter().filter_map(|s| match &s.kind {
        StmtKind::Data(lines) => Some(lines),
        _ => None,
    });
    let names = |all: &[Ident]| all.iter().map(|n| n.name.clone()).collect();
    blocks.flatten().map(|(all, source)| (names(all), source.clone())).collect()
}

/// The lines of a model's `train` blocks.
pub fn train_lines(model: &ModelTree) -> Vec<Setting> {
    let blocks = model.body.stmts.iter().filter_map(|s| match &s.kind {
        StmtKind::Train(settings) => Some(settings),
        _ => None,
    });
    blocks.flatten().cloned().collect()
}

/// What a model's blocks give, before the graph is pruned.
#[derive(Default)]
pub(super) struct Blocks {
    loss: Option<NodeId>,
    metrics: Vec<(Name, NodeId)>,
    /// Values of `loss` and `metric` lines with their places.
    goals: Vec<(NodeId, Span)>,
    generate: Option<(Name, Name, Option<u32>, Span)>,
}

impl<'l> Builder<'l> {
    pub fn build_model(&mut self, name: &str) -> Option<Model> {
        let library = self.library;
        let found = library.roots().chain(library.files()).find_map(|f| {
            f.items.iter().find_map(|id| match &library.item(*id).kind {
                ItemKind::Model(m) if &*m.name.name == name => Some((*id, m)),
                _ => None,
            })
        });
        if let Some((item, model)) = found {
            return self.build_model_item(item, model);
        }
        let files = library.files().iter();
        let names: Vec<Name> =
            files.flat_map(|f| library.models(f.file)).map(|m| m.name.name.clone()).collect();
        let near = nearest(name, names.iter()).cloned();
        self.report(errors::unknown_model(name, near));
        None
    }

    pub fn build_model_item(&mut self, item: ItemId, model: &'l ModelTree) -> Option<Model> {
        let result = self.model(item, model);
        let (outs, blocks, statics) = self.caught(result)?;
        let metrics: Vec<Arc<str>> = blocks.metrics.iter().map(|(n, _)| n.clone()).collect();
        if let Some((dst, _, _, span)) = &blocks.generate {
            self.check_generate(dst, &outs, *span);
        }
        self.check_leaks(&blocks.goals);
        let generate = blocks.generate.map(|(dst, from, stop, _)| (dst, from, stop));
        self.graph.name = model.name.written.to_string();
        let graph = self.finished()?;
        Some(Model {
            graph,
            outs: outs.into_iter().map(|(n, _)| n).collect(),
            metrics,
            statics,
            generate,
            data: data_lines(model),
            train: train_lines(model),
        })
    }

    #[allow(clippy::type_complexity)]
    fn model(
        &mut self,
        item: ItemId,
        model: &'l ModelTree,
    ) -> R<(Vec<(Name, NodeId)>, Blocks, Vec<(Name, Option<f64>)>)> {
        self.root();
        let span = model.name.span;
        let env = Env::new(FrameId(0), 0);
        let frame = self.model_frame(item, model, &env, span)?;
        let statics = self.model_statics(frame, model, span)?;
        let (nodes, blocks) = self.finish_model(frame)?;
        if self.options.carry {
            self.last_outputs()?;
        }
        Ok((nodes, blocks, statics))
    }

    /// Outputs of a model: outs, loss, metrics.
    #[allow(clippy::type_complexity)]
    pub(super) fn finish_model(&mut self, frame: FrameId) -> R<(Vec<(Name, NodeId)>, Blocks)> {
        let outs = self.outs_of(frame)?;
        let mut failed = None;
        let mut nodes = Vec::new();
        for out in &outs {
            let result =
                self.out_value(frame, out, out.expr.span).and_then(|v| self.force_node(v, out.expr.span));
            match result {
                Ok(node) => nodes.push((out.name.clone(), node)),
                Err(stop) => failed = Some(stop),
            }
        }
        let mut blocks = Blocks::default();
        let text = self.frame(frame).text.clone();
        for stmt in &text.blocks {
            if let Err(stop) = self.block(frame, stmt, &mut blocks) {
                failed = Some(stop);
            }
        }
        let states = self.finish_states();
        if let Some(stop) = failed {
            return Err(stop);
        }
        states?;
        if let Some((_, from, _, at)) = &blocks.generate
            && !nodes.iter().any(|(n, _)| n == from)
        {
            let (from, at) = (from.clone(), *at);
            return self.fail(errors::generate_wants_out(&from, at));
        }
        for (name, node) in &nodes {
            self.graph.output(name.clone(), *node);
        }
        if let Some(loss) = blocks.loss {
            self.graph.output("loss", loss);
        }
        for (name, node) in &blocks.metrics {
            self.graph.output(format!("metric.{name}"), *node);
        }
        if let (true, Some(span)) = (self.graph.outputs.is_empty(), self.frame(frame).span) {
            let title = self.frame(frame).title.clone();
            return self.fail(errors::no_out(&title, span, None));
        }
        Ok((nodes, blocks))
    }

    fn model_frame(
        &mut self,
        item: crate::resolve::ItemId,
        model: &'l ModelTree,
        env: &Env,
        span: Span,
    ) -> R<FrameId> {
        let options = self.options;
        for name in options.statics.keys() {
            if !model.statics.iter().any(|s| *s.name.name == **name) {
                let known: Vec<Name> = model.statics.iter().map(|s| s.name.name.clone()).collect();
                let near = nearest(name, known.iter()).cloned();
                return self.fail(errors::unknown_static(&model.name.written, name, near, span));
            }
        }
        self.top_item(item, &[], env, span, true)
    }

    fn model_statics(
        &mut self,
        frame: FrameId,
        model: &'l ModelTree,
        span: Span,
    ) -> R<Vec<(Name, Option<f64>)>> {
        let mut out = Vec::new();
        for s in &model.statics {
            let val = self.static_value(frame, 0, &s.name.name, span)?;
            let number = match val {
                Some(Val::Num(x)) => Some(x),
                Some(Val::Bool(b)) => Some(f64::from(u8::from(b))),
                _ => None,
            };
            out.push((s.name.name.clone(), number));
        }
        Ok(out)
    }

    fn block(&mut self, frame: FrameId, stmt: &'l Stmt, blocks: &mut Blocks) -> R<()> {
        let env = Env::new(frame, 0);
        match &stmt.kind {
            StmtKind::Loss { value, where_ } => {
                let node = self.per_example(value, where_.as_ref(), &env)?;
                blocks.goals.push((node, value.span));
                blocks.loss = Some(match blocks.loss {
                    None => node,
                    Some(sum) => self.add(Op::Binary(crate::eqn::Binary::Add, sum, node), stmt.span)?,
                });
            }
            StmtKind::Metric { name, value, where_ } => {
                let node = self.per_example(value, where_.as_ref(), &env)?;
                blocks.goals.push((node, value.span));
                let own = match name {
                    Some(n) => n.name.clone(),
                    None => metric_name(value),
                };
                if blocks.metrics.iter().any(|(n, _)| *n == own) {
                    return self.fail(errors::two_metrics(&own, stmt.span));
                }
                blocks.metrics.push((own, node));
            }
            StmtKind::Generate { name, from, until } => {
                let ExprKind::Name(p) = &strip(from).kind else {
                    return self.fail(errors::generate_wants_out("this", from.span));
                };
                let stop = match until {
                    Some(e) => match self.eval(e, &env)?.as_int().and_then(|n| u32::try_from(n).ok()) {
                        Some(n) => Some(n),
                        None => return self.fail(errors::not_a_known_number("value", e.span)),
                    },
                    None => None,
                };
                if self.graph.find_source(&name.name).is_none() {
                    return self.fail(errors::generate_wants_in(&name.written, name.span));
                }
                blocks.generate = Some((name.name.clone(), plain(p), stop, stmt.span));
            }
            _ => {}
        }
        Ok(())
    }

    /// A loss or metric as one number an example: the mean over positions, of those that count.
    fn per_example(&mut self, value: &'l Expr, where_: Option<&'l Expr>, env: &Env) -> R<NodeId> {
        let span = value.span;
        let val = self.eval(value, env)?;
        let arr = self.real(val, span)?;
        let shape = self.shape(arr).to_vec();
        if !shape.is_empty() || arr.along != 0 {
            return self.fail(errors::loss_shape(&shape, span));
        }
        let guard = match where_ {
            Some(w) => {
                let c = self.eval(w, env)?;
                let c = self.bool(c, w.span)?;
                if !self.shape(c).is_empty() {
                    let found = self.shape(c).to_vec();
                    return self.fail(errors::loss_shape(&found, w.span));
                }
                Some((c, w.span))
            }
            None => None,
        };
        let mut axes = self.axes_of(arr.node);
        if let Some((c, at)) = guard {
            self.same_domain((arr, span), (c, at), span)?;
            axes.extend(self.axes_of(c.node));
        }
        axes.sort();
        axes.dedup();
        match (axes.is_empty(), guard) {
            (true, _) if self.options.counted => self.fail(errors::counted_wants_sequence(span)),
            (true, None) => Ok(arr.node),
            (true, Some(guard)) => {
                let zero = Arr { node: self.constant(0.0), along: 0 };
                self.select(guard, (arr, span), (zero, span), span).map(|kept| kept.node)
            }
            (false, guard) => {
                let guard = match (guard.map(|(c, _)| c.node), self.counted_at(&axes, span)?) {
                    (Some(a), Some(b)) => Some(self.add(Op::Binary(crate::eqn::Binary::And, a, b), span)?),
                    (a, b) => a.or(b),
                };
                self.fold_points(Fold::Mean, arr.node, guard, &axes, span)
            }
        }
    }

    /// Which positions of a window count, if not all do.
    fn counted_at(&mut self, axes: &[DomainId], span: Span) -> R<Option<NodeId>> {
        if !self.options.counted {
            return Ok(None);
        }
        if let [axis] = axes
            && matches!(self.graph.domains[axis.index()].kind, DomainKind::Chain { .. })
        {
            let counted = self.counted(*axis);
            if self.graph.level(counted) == Level::Over(*axis) {
                return Ok(Some(counted));
            }
        }
        self.fail(errors::counted_wants_sequence(span))
    }

    /// `generate dst from y` wants y at a point to depend on dst at earlier points only.
    fn check_generate(&mut self, dst: &Name, outs: &[(Name, NodeId)], span: Span) {
        let Some(source) = self.graph.find_source(dst) else { return };
        let seen = at_this_point(&self.graph, source);
        for (name, node) in outs {
            if seen[node.index()] {
                let d = errors::generate_sees(name, dst, span, self.shift_of(dst));
                self.report(d);
            }
        }
    }

    /// A score read by the symbol it has already seen.
    fn check_leaks(&mut self, goals: &[(NodeId, Span)]) {
        let mut found = Vec::new();
        for id in self.graph.node_ids() {
            let Op::Gather { arg, index } = self.graph.node(id).op else { continue };
            let Op::Source(source) = self.graph.node(index).op else { continue };
            if matches!(self.graph.sources[source.index()].kind, SourceKind::Input)
                && matches!(self.graph.ty(index), Ty::Id(_))
                && matches!(self.graph.level(index), Level::Over(_))
                && at_this_point(&self.graph, source)[arg.index()]
            {
                let name = self.graph.sources[source.index()].name.clone();
                let goal = goals.iter().find(|(goal, _)| reaches(&self.graph, *goal, id));
                found.push((name, goal.map(|g| g.1), self.graph.node(id).span));
            }
        }
        for (name, goal, at) in found {
            let edits = self.shift_of(&name);
            self.warn(errors::already_seen(&name, goal, at, edits));
        }
        let twice = self.graph.node_ids().find_map(|id| match self.graph.node(id).op {
            Op::LogSumExp(a) | Op::Softmax(a) if matches!(self.graph.node(a).op, Op::Softmax(_)) => {
                Some((self.graph.node(a).span, self.graph.node(id).span))
            }
            _ => None,
        });
        if let Some((inner, outer)) = twice {
            let edits = inner.map_or_else(Vec::new, |at| self.without_call(at));
            self.warn(errors::softmax_twice(inner, outer, edits));
        }
    }
}

/// Whether a node is computed from another at the same point.
fn reaches(graph: &Graph, from: NodeId, to: NodeId) -> bool {
    let mut seen = vec![false; graph.nodes.len()];
    let mut work = vec![from];
    while let Some(id) = work.pop() {
        if id == to {
            return true;
        }
        // Operands have smaller ids than their node.
        if id > to && !std::mem::replace(&mut seen[id.index()], true) {
            work.extend(graph.node(id).op.operands());
        }
    }
    false
}

/// For each node, whether it depends on a source at this point or a later one.
fn at_this_point(graph: &Graph, source: crate::eqn::SourceId) -> Vec<bool> {
    let mut seen = vec![false; graph.nodes.len()];
    // A read ahead, or of the whole, sees everything its state sees; repeat until nothing changes.
    let depends = |seen: &[bool], root: NodeId| seen.get(root.index()).copied().unwrap_or(false);
    loop {
        let mut changed = false;
        for id in graph.node_ids() {
            if seen[id.index()] {
                continue;
            }
            let node = graph.node(id);
            let now = match &node.op {
                Op::Source(s) => *s == source,
                Op::Lag { state, offset } if offset.along_chain().is_none_or(|k| k > 0) => {
                    graph.states[state.index()].def.is_some_and(|d| depends(&seen, d))
                }
                Op::Lag { .. } => false,
                op => op.operands().any(|o| depends(&seen, o)),
            };
            if now {
                seen[id.index()] = true;
                changed = true;
            }
        }
        if !changed {
            return seen;
        }
    }
}

/// `accuracy(y, t)` is called `accuracy`.
fn metric_name(e: &Expr) -> Name {
    match &strip(e).kind {
        ExprKind::Call { callee, .. } => metric_name(callee),
        ExprKind::Name(p) => plain(p),
        _ => "metric".into(),
    }
}

/// The tree of a model; [`Model`] is what is built from it.
pub type ModelTree = crate::syntax::ast::Model;
