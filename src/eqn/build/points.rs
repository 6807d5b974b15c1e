//! Reductions over positions: `∑ p in n: x[p]`, `max r in a..b, k in c..d: q[r, k]`, softmax over positions.
//!
//! An index over an axis that this point is on already runs over a copy of the axis, so that both are there at once. If the
//! body turns out not to need this point, it is made over the axis itself again.

use super::builder::Builder;
use super::errors;
use super::reduce::eqn_fold;
use super::statics::SetVal;
use super::value::*;
use crate::eqn::{Binary, DomainId, Fold as EqnFold, NodeId, Op, Unary};
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::BTreeMap;

impl<'l> Builder<'l> {
    /// The leading binders run over positions.
    pub fn over_points(
        &mut self,
        fold: Fold,
        binders: &'l [Binder],
        where_: Option<&'l Expr>,
        body: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        if fold == Fold::Concat {
            let set = binders.first().map(|b| self.eval_set(&b.set, env)).transpose()?;
            let children = match set {
                Some(SetVal::Positions(axis)) => {
                    matches!(self.graph.domains[axis.index()].kind, crate::eqn::DomainKind::Children { .. })
                }
                _ => false,
            };
            return self.fail(errors::concat_of_positions(children, span));
        }
        let mut env = env.clone();
        let mut taken = self.frame(env.frame).at.clone();
        taken.extend(env.open.iter());
        let (mut runs, mut guards) = (Vec::new(), Vec::new());
        let mut rest = binders;
        while let Some((binder, others)) = rest.split_first() {
            let (axis, bounds) = match self.eval_set(&binder.set, &env)? {
                SetVal::Positions(axis) => (axis, None),
                SetVal::Region(axis, lo, hi) => (axis, Some((lo, hi))),
                _ => break,
            };
            let run = if taken.contains(&axis) { self.copy_of(axis, &taken, binder.span)? } else { axis };
            taken.push(run);
            if let Some((lo, hi)) = bounds {
                let p = self.position(run, binder.span)?;
                guards.push(self.add(Op::Binary(Binary::Le, lo.node, p), binder.span)?);
                guards.push(self.add(Op::Binary(Binary::Le, p, hi.node), binder.span)?);
            }
            env = env.bind(&binder.name.name, Bind::Position(run));
            runs.push((axis, run));
            rest = others;
        }
        let (val, inner) = match rest {
            [] => {
                if let Some(w) = where_ {
                    let c = self.eval(w, &env)?;
                    let c = self.bool(c, w.span)?;
                    if c.along != 0 {
                        return Err(Stop::NoAlong(w.span));
                    }
                    guards.push(c.node);
                }
                (self.eval(body, &env)?, None)
            }
            _ => (self.eval_reduce(fold, rest, where_, body, &env, span)?, where_),
        };
        if let (Some(guard), Fold::Mean) = (inner, fold) {
            return self.fail(errors::where_of_members(guard.span));
        }
        let arr = self.real(val, body.span)?;
        if arr.along != 0 {
            return Err(Stop::NoAlong(span));
        }
        let mut guard = None;
        for g in guards {
            guard = Some(match guard {
                None => g,
                Some(known) => self.add(Op::Binary(Binary::And, known, g), span)?,
            });
        }
        let mut nodes: Vec<NodeId> = [Some(arr.node), guard].into_iter().flatten().collect();
        let mut axes = Vec::new();
        for (axis, run) in runs {
            let free = nodes.iter().all(|n| !self.axes_of(*n).contains(&axis)) && !axes.contains(&axis);
            let direct = match free && axis != run {
                true => self.over_instead(&nodes, run, axis, span)?,
                false => None,
            };
            match direct {
                Some(direct) => {
                    nodes = direct;
                    axes.push(axis);
                }
                None => axes.push(run),
            }
        }
        let guard = nodes.get(1).copied();
        self.fold_points(fold, nodes[0], guard, &axes, span).map(Val::node)
    }

    /// Folds a value along axes, where the guard holds. A mean, greatest or least value of no position is 0.
    pub fn fold_points(
        &mut self,
        fold: Fold,
        node: NodeId,
        guard: Option<NodeId>,
        axes: &[DomainId],
        span: Span,
    ) -> R<NodeId> {
        let kind = eqn_fold(fold);
        let shape = self.graph.shape(node).clone();
        let mut kept = node;
        if let Some(guard) = guard {
            let empty = self.filled(kind.empty(), &shape, span)?;
            if !self.graph.shape(guard).is_empty() {
                return self.fail(errors::not_a_condition("array", span));
            }
            kept = self.add(Op::Select(guard, node, empty), span)?;
        }
        let mut known = self.axes_of(kept);
        let missing: Vec<DomainId> = axes.iter().copied().filter(|a| !known.contains(a)).collect();
        known.retain(|a| !axes.contains(a));
        let present = known.len() < self.axes_of(kept).len();
        let mut out = kept;
        if present {
            let level = self.level_over(known, span)?;
            let op = match kind {
                EqnFold::Sum => Op::SumOver(kept),
                fold => Op::FoldOver { fold, arg: kept },
            };
            out = self.add_as(op, shape.clone(), level, span)?;
        }
        // What is the same at each point counts at each.
        for axis in missing {
            let n = self.length(axis, span)?;
            out = match kind {
                EqnFold::Sum => self.add(Op::Binary(Binary::Mul, out, n), span)?,
                EqnFold::Prod => self.add(Op::Binary(Binary::Pow, out, n), span)?,
                EqnFold::Max | EqnFold::Min => out,
            };
        }
        if matches!(fold, Fold::Sum | Fold::Prod) {
            return Ok(out);
        }
        let count = self.count_points(guard, axes, span)?;
        if fold == Fold::Mean {
            return self.divide_by_count(out, count, span);
        }
        let none = self.constant(0.0);
        let some = self.add(Op::Binary(Binary::Lt, none, count), span)?;
        let zero = self.filled(0.0, &shape, span)?;
        self.add(Op::Select(some, out, zero), span)
    }

    /// How many points of axes there are, or those of them where the guard holds.
    fn count_points(&mut self, guard: Option<NodeId>, axes: &[DomainId], span: Span) -> R<NodeId> {
        if let Some(guard) = guard {
            let (one, zero) = (self.constant(1.0), self.constant(0.0));
            let counted = self.add(Op::Select(guard, one, zero), span)?;
            return self.fold_points(Fold::Sum, counted, None, axes, span);
        }
        let mut count = self.constant(1.0);
        for axis in axes {
            let n = self.length(*axis, span)?;
            count = match self.graph.as_const(count) {
                Some(_) => n,
                None => self.add(Op::Binary(Binary::Mul, count, n), span)?,
            };
        }
        Ok(count)
    }

    /// The same values over the axis `to` in place of its copy `from`; `None` if they need both somewhere.
    fn over_instead(
        &mut self,
        nodes: &[NodeId],
        from: DomainId,
        to: DomainId,
        span: Span,
    ) -> R<Option<Vec<NodeId>>> {
        let mut done: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        let mut out = Vec::new();
        for root in nodes {
            let mut work = vec![(*root, false)];
            while let Some((id, ready)) = work.pop() {
                if done.contains_key(&id) {
                    continue;
                }
                let axes = self.axes_of(id);
                if !axes.contains(&from) {
                    done.insert(id, id);
                    continue;
                }
                // One that has both, or a sum along the axis itself below, wants the copy.
                let below = self.graph.node(id).op.operands().any(|o| self.axes_of(o).contains(&to));
                let renames = matches!(self.graph.node(id).op, Op::Remap { .. });
                if axes.contains(&to) || (below && !renames) {
                    return Ok(None);
                }
                let op = self.graph.node(id).op.clone();
                let new = match &op {
                    Op::Remap { arg, maps }
                        if maps.len() == 1 && *maps == [crate::eqn::AxisMap::rename(to, from)] =>
                    {
                        *arg
                    }
                    Op::Position(_) => self.position(to, span)?,
                    // What reads other points along the copy is made for it.
                    Op::Lag { .. }
                    | Op::Source(_)
                    | Op::At { .. }
                    | Op::Flatten { .. }
                    | Op::Points { .. } => return Ok(None),
                    Op::Remap { arg, maps } => {
                        let mut maps = maps.clone();
                        let own = maps.iter().position(|m| *m == crate::eqn::AxisMap::rename(to, from));
                        match own {
                            Some(i) => maps.remove(i),
                            None => return Ok(None),
                        };
                        self.add(Op::Remap { arg: *arg, maps }, span)?
                    }
                    op if !ready => {
                        work.push((id, true));
                        work.extend(op.operands().map(|o| (o, false)));
                        continue;
                    }
                    op => {
                        let op = op.map_operands(|o| done.get(&o).copied().unwrap_or(o));
                        let mut over: Vec<DomainId> = axes.iter().copied().filter(|a| *a != from).collect();
                        over.push(to);
                        let level = self.level_over(over, span)?;
                        let node = self.graph.node(id).clone();
                        let new = self.add_as(op, node.shape, level, node.span.unwrap_or(span))?;
                        if let Some(name) = node.name {
                            self.graph.set_name(new, name);
                        }
                        new
                    }
                };
                done.insert(id, new);
            }
            match done.get(root) {
                Some(new) => out.push(*new),
                None => return Ok(None),
            }
        }
        Ok(Some(out))
    }

    /// `softmax(e)` of a number at each position of an axis, with the greatest subtracted; or the logarithm of its sum.
    pub fn softmax_over(&mut self, node: NodeId, axes: &[DomainId], log: bool, span: Span) -> R<NodeId> {
        let mut rest = self.axes_of(node);
        rest.retain(|a| !axes.contains(a));
        let level = self.level_over(rest, span)?;
        let shape = self.graph.shape(node).clone();
        let top = self.add_as(Op::FoldOver { fold: EqnFold::Max, arg: node }, shape.clone(), level, span)?;
        let top = self.add(Op::Unary(Unary::StopGradient, top), span)?;
        let less = self.add(Op::Binary(Binary::Sub, node, top), span)?;
        let exp = self.add(Op::Unary(Unary::Exp, less), span)?;
        let sum = self.add_as(Op::SumOver(exp), shape, level, span)?;
        if !log {
            return self.add(Op::Binary(Binary::Div, exp, sum), span);
        }
        let log = self.add(Op::Unary(Unary::Log, sum), span)?;
        self.add(Op::Binary(Binary::Add, log, top), span)
    }
}
