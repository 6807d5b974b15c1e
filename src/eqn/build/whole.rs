//! Functions of whole sequences, grids and trees: points under other numbers.

use super::builder::Builder;
use super::errors;
use super::names::AppName;
use super::value::*;
use crate::eqn::{AxisMap, Binary, DomainId, Extent, NodeId, Op, Point, Ty};
use crate::shape::Dim;
use crate::source::Span;
use crate::syntax::ast::Expr;

type Arg<'l> = (Val<'l>, Span);

impl<'l> Builder<'l> {
    pub fn whole_domain(
        &mut self,
        f: &'static str,
        first: Arg<'l>,
        others: Vec<Arg<'l>>,
        callee: &'l Expr,
        env: &Env,
        span: Span,
    ) -> R<Val<'l>> {
        match (f, &first.0) {
            ("size", Val::Axes(a, b)) => return Ok(Val::Num((b - a + 1).max(0) as f64)),
            ("size", val) => {
                return match val.as_lengths() {
                    Some(_) => Ok(first.0),
                    None => self.fail(errors::size_of_set(first.1)),
                };
            }
            _ => {}
        }
        let arr = self.force(first.0.clone(), first.1)?;
        if arr.along != 0 {
            return Err(Stop::NoAlong(span));
        }
        let node = arr.node;
        let second = others.first().cloned();
        match (f, second) {
            ("shift", Some(by)) => self.shifted(node, by, callee, env, span),
            ("reverse", _) => {
                let axis = self.sequence(f, node, first.1)?;
                self.remapped(node, vec![AxisMap::reverse(axis)], span)
            }
            ("first" | "last" | "root", _) => self.end_of(f, first, node, span),
            ("flip", Some(bits)) => self.flip(node, first.1, bits, span),
            ("pad", Some(before)) => {
                let axis = self.sequence(f, node, first.1)?;
                let a = self.count(before)?;
                let b = match others.get(1) {
                    Some(after) => self.count(after.clone())?,
                    None => 0,
                };
                let extent = Extent::of(axis).plus(&Extent::constant(a + b));
                let to = self.new_axis(node, &extent, span)?;
                let map = AxisMap { from: axis, to, start: Extent::constant(-a), step: 1 };
                self.remapped(node, vec![map], span)
            }
            ("append", Some(other)) => self.append(node, first.1, other, span),
            ("repeat", Some(times)) => self.repeat_over(node, times, span),
            ("windows", Some(width)) => match others.get(1).cloned() {
                Some(stride) => self.windows(node, first.1, width, stride, span),
                None => self.fail(errors::wants_sequence(f, span)),
            },
            ("transpose", _) => self.transposed(node, first.1, &others, span),
            ("flatten", _) => self.flatten(node, first.1, span),
            _ => self.fail(errors::wants_sequence(f, first.1)),
        }
    }

    fn remapped(&mut self, node: NodeId, maps: Vec<AxisMap>, span: Span) -> R<Val<'l>> {
        if maps.is_empty() {
            return Ok(Val::node(node));
        }
        self.add(Op::Remap { arg: node, maps }, span).map(Val::node)
    }

    /// The axis of a sequence: the only whole one, or the only one.
    fn sequence(&mut self, f: &str, node: NodeId, at: Span) -> R<DomainId> {
        let (whole, all) = (self.whole_axes(node), self.axes_of(node));
        match (whole.as_slice(), all.as_slice()) {
            ([axis], _) | ([], [axis]) if !self.is_tree(*axis) => Ok(*axis),
            ([_, _, ..], _) => self.fail(errors::sequence_of_grid(f, at)),
            _ => self.fail(errors::wants_sequence(f, at)),
        }
    }

    /// An axis for a value of another length, none that the value or this point is on.
    fn new_axis(&mut self, node: NodeId, extent: &Extent, span: Span) -> R<DomainId> {
        let mut avoid = self.open_axes();
        avoid.extend(self.axes_of(node));
        self.axis_of_length(extent, &avoid, None, span)
    }

    fn count(&mut self, arg: Arg<'l>) -> R<i64> {
        if let Val::Dim(d) = &arg.0 {
            self.want_number(d);
        }
        let most = i64::try_from(self.limits().nodes).unwrap_or(i64::MAX);
        match arg.0.as_int().filter(|n| (0..=most).contains(n)) {
            Some(n) => Ok(n),
            None => self.fail(errors::not_a_known_number(arg.0.kind(), arg.1)),
        }
    }

    fn shifted(&mut self, node: NodeId, by: Arg<'l>, callee: &'l Expr, env: &Env, span: Span) -> R<Val<'l>> {
        let Some(k) = by.0.as_int() else {
            return self.fail(errors::offset_not_constant("k", by.1));
        };
        let at = (callee.span.file.0, callee.span.start, callee.span.end);
        let key: AppKey = (at, env.suffix.clone(), env.brace.map(|b| b.0));
        if let Some(val) = self.frame(env.frame).applied.get(&key) {
            return Ok(val.clone());
        }
        let stem = match self.frame(env.frame).apps.get(callee) {
            Some(AppName::Own(own)) => own.clone(),
            _ => "shift".to_string(),
        };
        let path = format!("{}{stem}{}", self.frame(env.frame).path, super::define::suffix(&env.suffix));
        let path = self.unique(path);
        let val = Val::node(self.shift(node, k, path, span)?);
        self.frame_mut(env.frame).applied.insert(key, val.clone());
        Ok(val)
    }

    /// The first or last point, the root of a tree.
    fn end_of(&mut self, f: &'static str, first: Arg<'l>, node: NodeId, span: Span) -> R<Val<'l>> {
        let (whole, all) = (self.whole_axes(node), self.axes_of(node));
        let axis = match (whole.as_slice(), all.as_slice()) {
            ([axis], _) | ([], [axis]) => *axis,
            ([], []) | (_, []) => return self.fail(errors::wants_sequence(f, first.1)),
            _ => return self.fail(errors::last_of_grid(first.1)),
        };
        if self.is_tree(axis) != (f == "root") {
            return self.fail(errors::end_of_other(f, first.1));
        }
        if f == "last"
            && let Val::Instance(inner) = first.0
            && let Some((frame, name, index)) = self.first_out_name(inner)?
        {
            return self.last_of(frame, &name, &index, span).map(Val::node);
        }
        let shape = self.graph.shape(node).clone();
        let empty = self.filled(0.0, &shape, span)?;
        let point = if f == "first" { Point::First } else { Point::Last };
        self.add(Op::At { arg: node, axis, point, empty }, span).map(Val::node)
    }

    /// Bit k of a number turns axis k round.
    fn flip(&mut self, node: NodeId, at: Span, bits: Arg<'l>, span: Span) -> R<Val<'l>> {
        let axes = self.whole_axes(node);
        if axes.is_empty() || axes.iter().any(|a| self.is_tree(*a)) {
            return self.fail(errors::wants_sequence("flip", at));
        }
        let n = self.count(bits.clone())?;
        if n >> axes.len() != 0 {
            return self.fail(errors::flip_bits(n, axes.len(), bits.1));
        }
        let turned = axes.iter().enumerate().filter(|(k, _)| n >> k & 1 == 1);
        let maps = turned.map(|(_, a)| AxisMap::reverse(*a)).collect();
        self.remapped(node, maps, span)
    }

    /// One sequence behind another: each is 0 where the other is.
    fn append(&mut self, x: NodeId, at: Span, other: Arg<'l>, span: Span) -> R<Val<'l>> {
        let y = self.force_node(other.0, other.1)?;
        let (dx, dy) = (self.sequence("append", x, at)?, self.sequence("append", y, other.1)?);
        if self.graph.shape(x) != self.graph.shape(y) || self.graph.ty(x) != self.graph.ty(y) {
            let (p, q) = (self.graph.shape(x).clone(), self.graph.shape(y).clone());
            return self.fail(errors::unequal_shapes("append".into(), (&p, at), (&q, other.1)));
        }
        let extent = Extent::of(dx).plus(&Extent::of(dy));
        let mut avoid = self.open_axes();
        avoid.extend(self.axes_of(x).into_iter().chain(self.axes_of(y)));
        let to = self.axis_of_length(&extent, &avoid, None, span)?;
        let first = AxisMap { from: dx, to, start: Extent::constant(0), step: 1 };
        let second = AxisMap { from: dy, to, start: Extent::of(dx).times(-1), step: 1 };
        let p = self.add(Op::Remap { arg: x, maps: vec![first] }, span)?;
        let q = self.add(Op::Remap { arg: y, maps: vec![second] }, span)?;
        if *self.graph.ty(x) == Ty::Real {
            return self.add(Op::Binary(Binary::Add, p, q), span).map(Val::node);
        }
        let (position, length) = (self.position(to, span)?, self.length(dx, span)?);
        let early = self.add(Op::Binary(Binary::Le, position, length), span)?;
        self.add(Op::Select(early, p, q), span).map(Val::node)
    }

    /// One value at each position of a sequence of this length.
    fn repeat_over(&mut self, node: NodeId, times: Arg<'l>, span: Span) -> R<Val<'l>> {
        let extent = match (times.0.as_lengths(), &times.0) {
            (Some(extent), _) => extent,
            (None, val) => {
                if let Val::Dim(d) = val {
                    self.want_number(d);
                }
                return self.fail(errors::not_a_known_number(times.0.kind(), times.1));
            }
        };
        let to = self.new_axis(node, &extent, span)?;
        // A value over more axes than it differs along: a choice between itself and itself at each position.
        let position = self.position(to, span)?;
        let zero = self.constant(0.0);
        let inside = self.add(Op::Binary(Binary::Lt, zero, position), span)?;
        self.add(Op::Select(inside, node, node), span).map(Val::node)
    }

    /// `windows(x, width, stride)`: of a vector as many as fit exactly; of a sequence all that lie in it.
    fn windows(&mut self, node: NodeId, at: Span, width: Arg<'l>, stride: Arg<'l>, span: Span) -> R<Val<'l>> {
        for (val, at) in [&width, &stride] {
            if val.as_int().is_some_and(|n| n < 1) {
                return self.fail(errors::window_size(*at));
            }
        }
        let (w, s) = (self.count(width)?, self.count(stride.clone())?);
        if !self.whole_axes(node).is_empty() {
            let axis = self.sequence("windows", node, at)?;
            if s != 1 {
                return self.fail(errors::window_stride(stride.1));
            }
            let extent = Extent::of(axis).plus(&Extent::constant(1 - w));
            let to = self.new_axis(node, &extent, span)?;
            let mut parts = Vec::new();
            for k in 0..w {
                let map = AxisMap { from: axis, to, start: Extent::constant(k), step: 1 };
                parts.push(self.add(Op::Remap { arg: node, maps: vec![map] }, span)?);
            }
            return self.stack_nodes(&parts, span).map(Val::node);
        }
        let Some(extent) = self.graph.shape(node).first().cloned() else {
            return self.fail(errors::no_components(at));
        };
        let Some(n) = extent.as_constant() else {
            self.want_number(&extent);
            return self.fail(errors::range_wants_numbers(at));
        };
        if n < w || (n - w) % s != 0 {
            return self.fail(errors::windows_do_not_fit(n, w, s, span));
        }
        let count = (n - w) / s + 1;
        self.repeat(count.unsigned_abs(), span)?;
        let axis = self.new_axis(node, &Extent::constant(count), span)?;
        let mut parts = Vec::new();
        for k in 0..count {
            parts.push(self.slice(node, Dim::constant(k * s), Dim::constant(w), span)?);
        }
        self.add(Op::Points { parts, axis }, span).map(Val::node)
    }

    /// `transpose(g, d, e)`: two axes exchanged, by number; the first two without.
    fn transposed(&mut self, node: NodeId, at: Span, others: &[Arg<'l>], span: Span) -> R<Val<'l>> {
        let axes = self.whole_axes(node);
        let number = |b: &mut Self, i: usize| -> R<usize> {
            let Some(arg) = others.get(i) else { return Ok(i) };
            let n = b.count(arg.clone())?;
            match usize::try_from(n - 1).ok().filter(|k| *k < axes.len()) {
                Some(k) => Ok(k),
                None => b.fail(errors::axis_of(n, axes.len(), arg.1)),
            }
        };
        if axes.len() < 2 || axes.iter().any(|a| self.is_tree(*a)) {
            return self.fail(errors::wants_grid("transpose", at));
        }
        let (d, e) = (number(self, 0)?, number(self, 1)?);
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.swap(d, e);
        let avoid = self.open_axes();
        // What is exchanged back lies over the axes it had.
        let home: Vec<DomainId> = order.iter().map(|k| self.original(axes[*k])).collect();
        if home.is_sorted_by(|a, b| a < b) && home.iter().all(|d| !avoid.contains(d)) {
            let maps = order.iter().zip(&home).map(|(k, to)| AxisMap::rename(axes[*k], *to));
            return self.remapped(node, maps.collect(), span);
        }
        // The axes of a value come in the order of their numbers, so they are all made anew, one after another.
        let mut maps = Vec::new();
        let mut after = axes.last().copied();
        for k in order {
            let to = self.axis_of_length(&Extent::of(axes[k]), &avoid, after, span)?;
            maps.push(AxisMap::rename(axes[k], to));
            after = Some(to);
        }
        self.remapped(node, maps, span)
    }

    /// A grid as a sequence, row by row: position p is the point whose number in that order is p.
    fn flatten(&mut self, node: NodeId, at: Span, span: Span) -> R<Val<'l>> {
        let axes = self.whole_axes(node);
        if axes.len() < 2 || axes.iter().any(|a| self.is_tree(*a)) {
            return self.fail(errors::wants_grid("flatten", at));
        }
        let extent = Extent(vec![(1, axes.clone())]);
        let to = self.new_axis(node, &extent, span)?;
        self.add(Op::Flatten { arg: node, grid: axes, line: to, back: false }, span).map(Val::node)
    }
}
