//! Arguments of an application: which input each gives, and which axes the instance is over.
//!
//! An argument has axes that the caller stands at (open), axes that the type of the input names (whole), and others: of
//! those a cell takes the last ones as its own, and is one cell for each point of the first.

use super::apply::{Args, MAX_NESTING};
use super::builder::Builder;
use super::errors;
use super::frames::Origin;
use super::space::{Bound, OwnAxis, Space};
use super::value::{Env, FrameId, FrameKind, R, Stop, Val};
use crate::eqn::{DomainId, DomainKind, Level, NodeId};
use crate::resolve::text::{Declared, Kind};
use crate::resolve::{ItemId, nearest};
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::BTreeMap;

/// Axes or edges of an outermost cell that says `D..` or `K..`, if nobody says how many.
pub const DEFAULT_COUNT: u32 = 2;

/// An argument for an input that may have axes.
struct Input<'l> {
    name: Name,
    declared: Option<Declared<'l>>,
    ty: Option<&'l Type>,
    val: Val<'l>,
    node: NodeId,
    at: Span,
    /// Axes that neither the caller is at nor the type names, ascending.
    outer: Vec<DomainId>,
    /// Axes the type names.
    whole: Vec<DomainId>,
}

/// An axis of a header, or `D..`, and what it is bound to.
#[derive(Default)]
pub struct Slot {
    pub name: Option<Name>,
    pub rest: bool,
    /// What the header calls it.
    pub set: Name,
    pub fixed: Option<(u32, Option<Name>)>,
    pub count: Option<u32>,
    pub axes: Option<Vec<DomainId>>,
    /// The argument that has decided it.
    pub at: Option<Span>,
}

/// A cell at a point of its caller steps along the caller's axes, if they are as many and of one kind.
fn take_from_caller(slots: &mut [Slot], caller: &Space, is_tree: impl Fn(DomainId) -> bool, kind: OverKind) {
    let axes: Vec<DomainId> = caller.axes.iter().map(|a| a.axis).collect();
    if axes.iter().any(|a| is_tree(*a) != (kind == OverKind::Tree)) || slots.iter().any(|s| s.axes.is_some())
    {
        return;
    }
    let free: Vec<usize> = (0..slots.len()).filter(|i| slots[*i].fixed.is_none()).collect();
    let plain = free.iter().filter(|i| !slots[**i].rest).count();
    let rest = free.iter().any(|i| slots[*i].rest);
    if axes.len() < plain || (axes.len() > plain && !rest) {
        return;
    }
    let mut from = 0;
    for i in free {
        let n = if slots[i].rest { axes.len() - plain } else { 1 };
        slots[i].axes = Some(axes[from..from + n].to_vec());
        from += n;
    }
}

impl<'l> Builder<'l> {
    /// Gives an instance its inputs.
    pub fn bind_args(
        &mut self,
        frame: FrameId,
        args: Args<'l>,
        inner: Vec<(Vec<Name>, bool, Val<'l>, Span)>,
        env: &Env,
        span: Span,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let is_layer = self.frame(frame).kind == FrameKind::Layer;
        let title = self.frame(frame).title.clone();
        let ins: Vec<Name> = match is_layer {
            true => text.inputs.iter().map(|i| i.name.name.clone()).collect(),
            false => text.declared(Kind::In).map(|e| e.name.clone()).collect(),
        };
        let mut given: BTreeMap<Name, (Val<'l>, Span)> = BTreeMap::new();
        // A bundle with an output for every input fills them by name.
        let bundle = match args.positional.as_slice() {
            [(Val::Instance(b), at)] if ins.len() > 1 => {
                let outs = self.outs_of(*b)?;
                let found: Option<Vec<_>> =
                    ins.iter().map(|n| outs.iter().find(|o| o.name == *n).cloned()).collect();
                found.map(|outs| (*b, outs, *at))
            }
            _ => None,
        };
        if let Some((b, outs, at)) = bundle {
            for out in outs {
                let val = self.out_value(b, &out, at)?;
                given.insert(out.name.clone(), (val, at));
            }
        } else {
            for (i, (val, at)) in args.positional.into_iter().enumerate() {
                match ins.get(i) {
                    Some(name) => {
                        given.insert(name.clone(), (val, at));
                    }
                    None if self.is_stand_in(frame) => return self.unknown_value(),
                    None => return self.fail(errors::too_many_inputs(&title, &ins, at)),
                }
            }
        }
        let spans: BTreeMap<Name, Span> = args
            .named
            .iter()
            .filter_map(|(n, ..)| n.path.first())
            .map(|p| (p.name.clone(), p.span))
            .collect();
        let named = args.named.into_iter().map(|(name, val, at)| {
            (name.path.iter().map(|p| p.name.clone()).collect::<Vec<_>>(), name.prev, val, at)
        });
        let all: Vec<_> = inner.into_iter().chain(named).collect();
        for (path, prev, val, at) in all {
            let [own] = path.as_slice() else {
                self.frame_mut(frame).inner.push((path, prev, val, at));
                continue;
            };
            self.bind_named(frame, (own, spans.get(own).copied()), prev, val, at, &ins, &mut given)?;
        }
        self.bind_inputs(frame, given, env, span)
    }

    #[allow(clippy::too_many_arguments)]
    fn bind_named(
        &mut self,
        frame: FrameId,
        (own, own_span): (&Name, Option<Span>),
        prev: bool,
        val: Val<'l>,
        at: Span,
        ins: &[Name],
        given: &mut BTreeMap<Name, (Val<'l>, Span)>,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let title = self.frame(frame).title.clone();
        let kind = |n: &str| text.get(n).and_then(|e| e.declared.as_ref()).map(|d| d.kind);
        if prev {
            if kind(own) != Some(Kind::State) {
                if self.is_stand_in(frame) {
                    return self.unknown_value();
                }
                return self.fail(errors::prev_of_no_state(&title, own, at));
            }
            let node = self.force_node(val, at)?;
            self.frame_mut(frame).prev.get_or_insert_default().insert(own.clone(), node);
            return Ok(());
        }
        if ins.contains(own) || matches!(kind(own), Some(Kind::In | Kind::Mem | Kind::Param)) {
            if given.insert(own.clone(), (val, at)).is_some() {
                return self.fail(errors::input_twice(own, at));
            }
            return Ok(());
        }
        if let Some(stem) = own.strip_suffix('0')
            && kind(stem) == Some(Kind::State)
        {
            let node = self.force_node(val, at)?;
            self.frame_mut(frame).starts.insert(stem.into(), (node, at));
            return Ok(());
        }
        if self.is_stand_in(frame) {
            return self.unknown_value();
        }
        let mut known: Vec<Name> = ins.to_vec();
        for e in &text.entries {
            match e.declared.as_ref().map(|d| d.kind) {
                Some(Kind::Mem | Kind::Param) => known.push(e.name.clone()),
                Some(Kind::State) => known.push(format!("{}0", e.name).into()),
                _ => {}
            }
        }
        let near = nearest(own, known.iter()).cloned();
        self.fail(errors::unknown_argument(&title, own, near, own_span, at))
    }

    /// Decides the axes of an instance by its inputs, and binds its open dimensions.
    fn bind_inputs(
        &mut self,
        frame: FrameId,
        given: BTreeMap<Name, (Val<'l>, Span)>,
        env: &Env,
        span: Span,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let is_cell = self.frame(frame).kind == FrameKind::Cell;
        let open = self.open_at(env);
        let mut inputs: Vec<Input<'l>> = Vec::new();
        for (name, (val, at)) in given {
            let declared = text.get(&name).and_then(|e| e.declared.clone()).filter(|_| is_cell);
            let input = text.inputs.iter().find(|i| i.name.name == name);
            let ty = match (&declared, input) {
                (Some(d), _) => d.ty,
                (_, Some(i)) => i.ty.as_ref(),
                _ => None,
            };
            if let Some(i) = input.filter(|i| !i.kind.is_empty()) {
                self.static_input(i, &val, at)?;
                self.frame_mut(frame).given.insert(name, val);
                continue;
            }
            if matches!(val, Val::Recipe(_) | Val::Func(_) | Val::Part(_)) {
                self.frame_mut(frame).given.insert(name, val);
                continue;
            }
            let arr = self.force(val.clone(), at)?;
            if arr.along != 0 {
                return Err(Stop::NoAlong(at));
            }
            let kind = declared.as_ref().map(|d| d.kind);
            if kind == Some(Kind::Param) && self.graph.level(arr.node) > Level::Shared {
                return self.fail(errors::mem_varies(&name, false, at));
            }
            let mut outer: Vec<DomainId> =
                self.axes_of(arr.node).into_iter().filter(|a| !open.contains(a)).collect();
            let whole = self.split_whole(&name, ty, &mut outer, at)?;
            inputs.push(Input { name, declared, ty, val, node: arr.node, at, outer, whole });
        }
        match is_cell {
            true => self.bind_axes(frame, &mut inputs, &open, env, span)?,
            false => {
                let caller = self.frame(env.frame);
                let space = Space { named_extent: false, ..caller.space.clone() };
                let f = self.frame_mut(frame);
                f.space = if f.pointwise { space } else { Space::default() };
                f.over = inputs.iter().flat_map(|i| i.outer.iter().chain(&i.whole)).copied().collect();
                f.over.extend(&open);
                f.at = open;
            }
        }
        let mut arrays: Vec<super::types::Given<'l>> = Vec::new();
        for input in inputs {
            let Some(ty) = input.ty else {
                self.frame_mut(frame).given.insert(input.name, input.val);
                continue;
            };
            let (layer, family) = match &input.declared {
                Some(d) if !d.index.is_empty() => (d.layer, self.sets_of(frame, &input.name)?.len()),
                Some(d) => (d.layer, 0),
                None => (0, 0),
            };
            arrays.push(super::types::Given {
                name: input.name,
                ty,
                layer,
                family,
                whole: input.whole,
                val: input.val,
                span: input.at,
            });
        }
        let arrays = self.bind_types(frame, arrays)?;
        for (name, val) in arrays {
            self.frame_mut(frame).given.insert(name, val);
        }
        self.force_statics(frame, span)
    }

    /// What a cell at a point of its caller would step along, before its inputs are known.
    pub fn early_axes(&mut self, frame: FrameId, env: &Env) -> R<()> {
        let caller = self.frame(env.frame);
        let (space, pointwise) = (caller.space.clone(), caller.pointwise);
        let at = self.open_at(env);
        if !pointwise {
            return Ok(());
        }
        if self.frame(frame).kind == FrameKind::Cell {
            let (kind, mut slots) = (self.header_kind(frame), self.slots(frame)?);
            take_from_caller(&mut slots, &space, |d| self.is_tree(d), kind);
            for slot in slots {
                for axis in slot.axes.iter().flatten() {
                    let own = OwnAxis { axis: *axis, name: slot.name.clone() };
                    self.frame_mut(frame).space.axes.push(own);
                }
            }
        }
        self.frame_mut(frame).at = at;
        Ok(())
    }

    /// The open axes of an environment.
    fn open_at(&self, env: &Env) -> Vec<DomainId> {
        let mut open = self.frame(env.frame).at.clone();
        open.extend(env.open.iter().copied());
        open.sort();
        open.dedup();
        open
    }

    /// Takes the axes that a type names off the end of those an argument has.
    pub fn split_whole(
        &mut self,
        name: &str,
        ty: Option<&'l Type>,
        outer: &mut Vec<DomainId>,
        at: Span,
    ) -> R<Vec<DomainId>> {
        let Some(ty) = ty else { return Ok(Vec::new()) };
        let (count, rest) = super::types::axis_count(ty);
        if count > outer.len() {
            return self.fail(errors::wants_sequence_input(name, count, at, ty.span));
        }
        let first = if rest { 0 } else { outer.len() - count };
        Ok(outer.split_off(first))
    }

    /// Finds the axes of a cell's header among those of its inputs.
    fn bind_axes(
        &mut self,
        frame: FrameId,
        inputs: &mut [Input<'l>],
        open: &[DomainId],
        env: &Env,
        span: Span,
    ) -> R<()> {
        let kind = self.header_kind(frame);
        let title = self.frame(frame).title.clone();
        let mut slots = self.slots(frame)?;
        // Inputs in the order of the text decide, whatever order they are given in.
        let text = self.frame(frame).text.clone();
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        order.sort_by_key(|i| text.position(&inputs[*i].name));
        for i in order {
            if inputs[i].declared.as_ref().is_none_or(|d| d.kind != Kind::In) || inputs[i].outer.is_empty() {
                continue;
            }
            self.fill_slots(frame, &mut slots, &mut inputs[i])?;
        }
        let caller = self.frame(env.frame);
        let (caller_space, pointwise) = (caller.space.clone(), caller.pointwise);
        let unbound = slots.iter().any(|s| s.axes.is_none() && s.fixed.is_none());
        if unbound && pointwise {
            take_from_caller(&mut slots, &caller_space, |d| self.is_tree(d), kind);
        }
        let mut space = Space { axes: Vec::new(), ..self.frame(frame).space.clone() };
        let header = self.header_axes(frame);
        for (i, slot) in slots.iter_mut().enumerate() {
            if let (None, Some((n, extent))) = (&slot.axes, &slot.fixed)
                && let Some(axis) = header.get(i)
            {
                slot.axes = Some(vec![self.new_fixed(axis, *n, extent.clone())]);
            }
        }
        let missing = slots.iter().any(|s| s.axes.is_none());
        if missing && kind != OverKind::Chain {
            let want = self.header(frame).map(|o| o.span);
            return self.fail(errors::wants_axes(&title, kind, span, want));
        }
        if !missing {
            for slot in &slots {
                for axis in slot.axes.iter().flatten() {
                    space.axes.push(OwnAxis { axis: *axis, name: slot.name.clone() });
                }
            }
        }
        self.frame_mut(frame).space = space;
        self.finish_axes(frame, inputs, open, pointwise, span)
    }

    /// The point of a cell whose own axes are known; lengths get their names, what is read whole its own axes.
    fn finish_axes(
        &mut self,
        frame: FrameId,
        inputs: &mut [Input<'l>],
        open: &[DomainId],
        pointwise: bool,
        span: Span,
    ) -> R<()> {
        let own = self.own_axes(frame);
        let mut at = own.clone();
        // A cell at a point of its caller is at all of its axes; a scan inside is at those its inputs differ along.
        if pointwise && (own.is_empty() || own.iter().any(|a| open.contains(a))) {
            at.extend(open);
        }
        for input in inputs.iter() {
            at.extend(self.axes_of(input.node).into_iter().filter(|a| !input.whole.contains(a)));
        }
        let f = self.frame(frame);
        let others: Vec<NodeId> = f
            .prev
            .iter()
            .flat_map(|p| p.values())
            .chain(f.starts.values().map(|(n, _)| n))
            .copied()
            .collect();
        let is_prev = f.prev.is_some();
        for node in others {
            let axes = self.axes_of(node);
            at.extend(axes.into_iter().filter(|a| is_prev || open.contains(a)));
        }
        at.sort();
        at.dedup();
        let early = self.frame(frame).at.clone();
        if !self.frame(frame).states.is_empty() && early != at {
            return self.fail(errors::reads_itself_elsewhere(span));
        }
        for input in inputs.iter_mut() {
            let is_mem = input.declared.as_ref().is_some_and(|d| d.kind == Kind::Mem);
            let axes = self.axes_of(input.node);
            if is_mem && axes.iter().any(|a| own.contains(a) && !input.whole.contains(a)) {
                return self.fail(errors::mem_varies(&input.name, true, input.at));
            }
            // A sequence that is scanned and read whole is two.
            let mut pairs = Vec::new();
            for axis in &mut input.whole {
                if at.contains(axis) {
                    let copy = self.copy_of(*axis, &at, input.at)?;
                    pairs.push((*axis, copy));
                    *axis = copy;
                }
            }
            if !pairs.is_empty() {
                input.node = self.renamed(input.node, &pairs, input.at)?;
                input.val = Val::node(input.node);
            }
        }
        let f = self.frame_mut(frame);
        f.over = at.clone();
        f.at = at;
        self.name_lengths(frame)?;
        self.decide_arity(frame, span)
    }

    /// `chain(t in 1..T)`: T is the length.
    pub fn name_lengths(&mut self, frame: FrameId) -> R<()> {
        let named: Vec<&'l Axis> = self.header_axes(frame).iter().filter(|a| a.set.is_some()).collect();
        for axis in named {
            let own = self.axis_variable(frame, &axis.name.name).flatten();
            match (self.bound_of(frame, axis)?, own) {
                (Bound::Named(name), Some(own)) => {
                    let f = self.frame_mut(frame);
                    f.space.named_extent = true;
                    f.free.insert(name, Val::Extent(own));
                }
                (Bound::Named(_), None) => {
                    let title = self.frame(frame).title.clone();
                    let at = self.frame(frame).span;
                    return self.no_chain(&title, at, axis.span);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The number of edges of a tree cell, where it is static: of the domain too.
    pub fn decide_arity(&mut self, frame: FrameId, span: Span) -> R<()> {
        let Some(over) = self.header(frame).filter(|o| o.kind == OverKind::Tree) else { return Ok(()) };
        let Some(tree) = self.own_axes(frame).first().copied() else { return Ok(()) };
        let known = match self.graph.domains[tree.index()].kind {
            DomainKind::Tree { arity } => arity,
            _ => None,
        };
        let f = self.frame(frame);
        let (count, top, rest) = (f.space.count, f.top, over.axes.iter().any(|a| a.rest));
        let arity = match (rest, count, self.wants_arity(frame)) {
            (false, ..) => u32::try_from(over.axes.len()).ok(),
            (true, Some(n), _) => Some(n),
            (true, None, None) => None,
            (true, None, Some((param, at))) => match known.or(top.then_some(DEFAULT_COUNT)) {
                Some(n) => Some(n),
                None => {
                    let set = over.axes.first().map_or("K", |a| &a.name.written);
                    return self.fail(errors::arity_unknown(&param, set, span, at));
                }
            },
        };
        self.frame_mut(frame).space.arity = arity;
        if let Some(n) = arity {
            let domain = &mut self.graph.domains[tree.index()];
            domain.kind = DomainKind::Tree { arity: Some(known.unwrap_or(0).max(n)) };
            // Two cells over one tree may call its edges differently: then they have no names.
            let names: Vec<Name> = match rest {
                true => Vec::new(),
                false => over.axes.iter().map(|a| a.name.name.clone()).collect(),
            };
            if known.is_none() {
                domain.edges = names;
            } else if domain.edges != names {
                domain.edges.clear();
            }
        }
        Ok(())
    }

    /// What the header wants: one slot for each axis, one for all of `D..`, one for a tree.
    pub fn slots(&mut self, frame: FrameId) -> R<Vec<Slot>> {
        if self.header_kind(frame) == OverKind::Tree {
            return Ok(vec![Slot::default()]);
        }
        let axes = self.header_axes(frame);
        if axes.is_empty() {
            return Ok(vec![Slot { name: Some("t".into()), ..Slot::default() }]);
        }
        let count = self.frame(frame).space.count;
        let mut slots = Vec::new();
        for axis in axes {
            let fixed = match self.bound_of(frame, axis)? {
                Bound::Fixed(n, name) => Some((n, name)),
                _ => None,
            };
            let name = (!axis.rest).then(|| axis.name.name.clone());
            let count = if axis.rest { count } else { None };
            slots.push(Slot {
                name,
                rest: axis.rest,
                set: axis.name.name.clone(),
                fixed,
                count,
                ..Slot::default()
            });
        }
        Ok(slots)
    }

    /// Gives the last axes of an input to the slots it is declared over; the first ones stay.
    fn fill_slots(&mut self, frame: FrameId, slots: &mut [Slot], input: &mut Input<'l>) -> R<()> {
        let kind = self.header_kind(frame);
        let title = self.frame(frame).title.clone();
        let listed = input.declared.as_ref().map_or(&[][..], |d| d.over);
        let mut wanted: Vec<usize> = Vec::new();
        for name in listed {
            match slots.iter().position(|s| s.set == name.name || s.name.as_ref() == Some(&name.name)) {
                Some(i) => wanted.push(i),
                None if &*name.name == "axes" => wanted = (0..slots.len()).collect(),
                None => return self.fail(errors::no_such_axis(&name.written, &title, name.span)),
            }
        }
        if listed.is_empty() {
            wanted = (0..slots.len()).filter(|i| slots[*i].fixed.is_none()).collect();
            // A chain of known length takes an input over as many steps.
            if wanted.is_empty() {
                wanted = (0..slots.len()).collect();
            }
        }
        let plain = wanted.iter().filter(|i| !slots[**i].rest).count();
        let rest = wanted.iter().find(|i| slots[**i].rest).map(|i| {
            let known = slots[*i].axes.as_ref().map(Vec::len).or(slots[*i].count.map(|n| n as usize));
            known.unwrap_or(input.outer.len().saturating_sub(plain))
        });
        let total = plain + rest.unwrap_or(0);
        let fits = |b: &Self, d: DomainId| b.is_tree(d) == (kind == OverKind::Tree);
        let implicit = kind == OverKind::Chain;
        if input.outer.len() < total
            || !input.outer[input.outer.len() - total..].iter().all(|d| fits(self, *d))
        {
            if implicit {
                return Ok(());
            }
            let want = self.header(frame).map(|o| o.span);
            return self.fail(errors::wants_axes(&title, kind, input.at, want));
        }
        let mut from = input.outer.len() - total;
        let mut pairs = Vec::new();
        for i in wanted {
            let n = if slots[i].rest { rest.unwrap_or(0) } else { 1 };
            let found: Vec<DomainId> = input.outer[from..from + n].to_vec();
            from += n;
            if let Some((fixed, _)) = &slots[i].fixed
                && found.iter().any(|d| {
                    self.graph.domains[d.index()].kind != (DomainKind::Chain { fixed: Some(*fixed) })
                })
            {
                let at = self.header(frame).map_or(input.at, |o| o.span);
                return self.fail(errors::fixed_chain(*fixed, at, input.at));
            }
            match slots[i].axes.clone() {
                Some(known) if known == found => {}
                Some(known) => {
                    // The same axis under the name it has here.
                    let same = known.len() == found.len()
                        && known.iter().zip(&found).all(|(k, f)| self.is_copy(*k, *f));
                    if !same {
                        let (p, q) = (self.extent_names(&known), self.extent_names(&found));
                        let first = slots[i].at.unwrap_or(input.at);
                        return self.fail(errors::two_domains((&p, first), (&q, input.at), input.at));
                    }
                    pairs.extend(found.iter().copied().zip(known));
                }
                None => {
                    let mut own = Vec::new();
                    for axis in found {
                        let taken: Vec<DomainId> =
                            slots.iter().flat_map(|s| s.axes.iter().flatten()).copied().collect();
                        let to = match taken.contains(&axis) {
                            true => self.copy_of(axis, &taken, input.at)?,
                            false => axis,
                        };
                        pairs.push((axis, to));
                        own.push(to);
                    }
                    slots[i].axes = Some(own);
                    slots[i].at = Some(input.at);
                }
            }
        }
        let node = self.renamed(input.node, &pairs, input.at)?;
        if node != input.node {
            input.node = node;
            input.val = Val::node(node);
        }
        Ok(())
    }

    pub fn extent_names(&self, axes: &[DomainId]) -> String {
        let names: Vec<&str> = axes.iter().map(|d| &*self.graph.domains[d.index()].extent).collect();
        names.join(" × ")
    }

    /// A function's body with its inputs put in.
    pub fn call_fn(&mut self, item: ItemId, args: Args<'l>, env: &Env, span: Span) -> R<Val<'l>> {
        let caller = self.frame(env.frame);
        let (path, param_path) = (caller.path.clone(), caller.param_path.clone());
        let (space, pointwise, order) = (caller.space.clone(), caller.pointwise, caller.order.clone());
        let nesting = caller.nesting + 1;
        let at = self.open_at(env);
        if nesting > MAX_NESTING {
            return self.fail(errors::too_nested(MAX_NESTING, span));
        }
        let frame = self.new_frame(Origin {
            item,
            args: &[],
            env,
            path,
            param_path,
            span,
            written: None,
            top: false,
            may_lack: false,
        })?;
        let f = self.frame_mut(frame);
        f.space = space;
        f.over = at.clone();
        f.at = at;
        f.pointwise = pointwise;
        f.order = order;
        f.nesting = nesting;
        let text = self.frame(frame).text.clone();
        let title = self.frame(frame).title.clone();
        let names: Vec<Name> = text.inputs.iter().map(|i| i.name.name.clone()).collect();
        let mut given: BTreeMap<Name, (Val<'l>, Span)> = BTreeMap::new();
        for (i, (val, at)) in args.positional.into_iter().enumerate() {
            match names.get(i) {
                Some(name) => {
                    given.insert(name.clone(), (val, at));
                }
                None => return self.fail(errors::too_many_inputs(&title, &names, at)),
            }
        }
        for (name, val, at) in args.named {
            let own = match name.path.as_slice() {
                [own] if !name.prev && names.contains(&own.name) => own,
                path => {
                    let own_span = path.first().map(|p| p.span);
                    let own = path.first().map_or_else(|| "?".into(), |p| p.name.clone());
                    let near = nearest(&own, names.iter()).cloned();
                    return self.fail(errors::unknown_argument(&title, &own, near, own_span, at));
                }
            };
            if given.insert(own.name.clone(), (val, at)).is_some() {
                return self.fail(errors::input_twice(&own.written, at));
            }
        }
        self.bind_fn_inputs(frame, given, span)?;
        self.first_out(frame, span)
    }

    /// Types of a function's arguments, defaults of those not given.
    fn bind_fn_inputs(
        &mut self,
        frame: FrameId,
        mut given: BTreeMap<Name, (Val<'l>, Span)>,
        span: Span,
    ) -> R<()> {
        let text = self.frame(frame).text.clone();
        let title = self.frame(frame).title.clone();
        let mut arrays = Vec::new();
        let scalars = text.inputs.iter().all(|i| match &i.ty {
            Some(ty) => matches!(&ty.kind, TypeKind::Array(dims) if dims.is_empty()),
            None => true,
        });
        for input in text.inputs {
            let name = input.name.name.clone();
            let (val, at) = match (given.remove(&name), &input.default) {
                (Some(v), _) => v,
                (None, Some(default)) => (self.eval(default, &Env::new(frame, 0))?, default.span),
                (None, None) => return self.fail(errors::input_not_given(&name, &title, span, input.span)),
            };
            match &input.ty {
                // A function of scalars works on arrays, element by element.
                Some(ty) if !scalars => {
                    let arr = self.force(val, at)?;
                    let open = self.frame(frame).at.clone();
                    let axes = self.axes_of(arr.node);
                    let mut outer = axes.into_iter().filter(|a| !open.contains(a)).collect();
                    let whole = self.split_whole(&name, Some(ty), &mut outer, at)?;
                    let val = Val::Arr(arr);
                    arrays.push(super::types::Given { name, ty, layer: 0, family: 0, whole, val, span: at });
                }
                _ => {
                    if !input.kind.is_empty() {
                        self.static_input(input, &val, at)?;
                    }
                    self.frame_mut(frame).given.insert(name, val);
                }
            }
        }
        for (name, val) in self.bind_types(frame, arrays)? {
            self.frame_mut(frame).given.insert(name, val);
        }
        Ok(())
    }

    fn static_input(&mut self, input: &'l InputDecl, val: &Val<'l>, at: Span) -> R<()> {
        let ok = match input.kind.as_slice() {
            [k] => match &*k.name {
                "real" => matches!(val, Val::Num(_) | Val::Dim(_) | Val::Arr(_) | Val::Extent(_)),
                "bool" => matches!(val, Val::Bool(_)),
                "fn" => matches!(val, Val::Func(_)),
                "cell" => matches!(val, Val::Recipe(_)),
                _ => false,
            },
            _ => false,
        };
        match ok {
            true => Ok(()),
            false => {
                let want = input.kind.first().map_or("known value", |k| &k.written);
                self.fail(errors::static_kind(&input.name.written, want, val.kind(), at))
            }
        }
    }
}
