//! The axes a cell is written over: their variables, the sets `D`, `K` and `axes`, and what a step along them means.
//!
//! A cell sees its *own* axes by the names of its header. It may stand at a point of further axes (a scan inside a step), which
//! it does not see. Axes of values beyond those are whole: sequences that are read at positions.

use super::builder::Builder;
use super::define::strip;
use super::errors;
use super::value::*;
use crate::eqn::{AxisMap, Domain, DomainId, DomainKind, Extent, Level, MAX_AXES, NodeId, Offset, Op};
use crate::resolve::text::{Kind, plain};
use crate::source::Span;
use crate::syntax::ast::{Axis, ExprKind, Name, Over, OverKind, Set, TargetIndex};

/// The axes a cell is written over.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// In the order of the header; empty while, or if, there are none to step along.
    pub axes: Vec<OwnAxis>,
    /// `D = 2`, `K = 3`: the number of axes or edges that the header leaves open.
    pub count: Option<u32>,
    /// The number of edges, if it is static.
    pub arity: Option<u32>,
    /// Some length has a name, so positions may be given by number.
    pub named_extent: bool,
}

#[derive(Clone, Debug)]
pub struct OwnAxis {
    pub axis: DomainId,
    /// The variable; the axes of `D..` have none.
    pub name: Option<Name>,
}

/// Where a read goes from this point.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// So many points along axes; not all 0.
    By(Vec<(DomainId, i64)>),
    Child(u32),
    Parent(u32),
    EachChild(DomainId),
    FromEach(DomainId),
}

impl Step {
    pub fn chain(axis: DomainId, k: i64) -> Step {
        Step::By(vec![(axis, k)])
    }

    pub fn is_zero(&self) -> bool {
        matches!(self, Step::By(by) if by.iter().all(|(_, k)| *k == 0))
    }

    /// The points back (below 0) or ahead along the only axis it goes along.
    pub fn along_one(&self) -> Option<i64> {
        match self {
            Step::By(by) => match by.iter().filter(|(_, k)| *k != 0).collect::<Vec<_>>()[..] {
                [(_, k)] => Some(*k),
                _ => None,
            },
            _ => None,
        }
    }
}

/// How an axis of the header is bounded.
pub enum Bound {
    Free,
    /// Its length gets this name.
    Named(Name),
    /// So many points, and what the author calls them.
    Fixed(u32, Option<Name>),
}

impl<'l> Builder<'l> {
    /// The header, `None` for the chain `t` that needs none.
    pub fn header(&self, frame: FrameId) -> Option<&'l Over> {
        self.frame(frame).text.over.filter(|o| !(o.kind == OverKind::Chain && o.axes.is_empty()))
    }

    pub fn header_kind(&self, frame: FrameId) -> OverKind {
        self.header(frame).map_or(OverKind::Chain, |o| o.kind)
    }

    /// The axes of a chain or grid as written, without those of a tree, which are edges.
    pub fn header_axes(&self, frame: FrameId) -> &'l [Axis] {
        match self.header(frame) {
            Some(over) if over.kind != OverKind::Tree => &over.axes,
            _ => &[],
        }
    }

    /// Refuses a header that means nothing.
    pub fn check_header(&mut self, frame: FrameId) -> R<()> {
        let Some(over) = self.header(frame) else { return Ok(()) };
        let rests = over.axes.iter().filter(|a| a.rest).count();
        let ok = match over.kind {
            OverKind::Chain => over.axes.len() == 1 && rests == 0,
            OverKind::Grid => !over.axes.is_empty() && rests <= 1,
            OverKind::Tree => {
                let plain = over.axes.iter().all(|a| a.set.is_none());
                plain && !over.axes.is_empty() && (rests == 0 || over.axes.len() == 1)
            }
        };
        let twice = over
            .axes
            .iter()
            .enumerate()
            .find(|(i, a)| over.axes[..*i].iter().any(|b| b.name.name == a.name.name));
        match (ok, twice) {
            (true, None) => Ok(()),
            (true, Some((_, a))) => self.fail(errors::axis_twice(&a.name.written, a.span)),
            (false, _) if over.kind == OverKind::Chain => self.fail(errors::chain_has_one_axis(over.span)),
            (false, _) => self.fail(errors::bad_header(over.kind == OverKind::Tree, over.span)),
        }
    }

    /// How an axis is bounded: `t`, `t in 1..N`.
    pub fn bound_of(&mut self, frame: FrameId, axis: &'l Axis) -> R<Bound> {
        let Some(set) = &axis.set else { return Ok(Bound::Free) };
        let Some(hi) = &set.hi else {
            return self.fail(errors::extent_wants_range(&axis.name.written, set.span));
        };
        let env = Env::new(frame, 0);
        if self.eval(&set.lo, &env.of_dims())?.as_int() != Some(1) {
            return self.fail(errors::extent_wants_range(&axis.name.written, set.span));
        }
        let name = match &strip(hi).kind {
            ExprKind::Name(p) => Some(plain(p)),
            _ => None,
        };
        if let Some(name) = &name
            && self.find_static(frame, 0, name).is_none()
            && !self.frame(frame).text.dims.contains_key(name)
        {
            return Ok(Bound::Named(name.clone()));
        }
        let n = self.eval(hi, &env.of_dims())?;
        if let Val::Dim(d) = &n {
            let d = d.clone();
            self.want_number(&d);
        }
        match n.as_int().and_then(|n| u32::try_from(n).ok()) {
            Some(n) => Ok(Bound::Fixed(n, name)),
            None => self.fail(errors::range_wants_numbers(set.span)),
        }
    }

    /// A new axis of static length, for the axis of a header.
    pub fn new_fixed(&mut self, axis: &Axis, n: u32, name: Option<Name>) -> DomainId {
        let extent = name.unwrap_or_else(|| "n".into());
        let var = axis.name.name.clone();
        self.new_domain(&extent, &var, DomainKind::Chain { fixed: Some(n) })
    }

    /// A new axis with a name of its own for its length.
    pub fn new_domain(&mut self, extent: &str, var: &str, kind: DomainKind) -> DomainId {
        let own = self.free_extent(extent);
        self.symbols.insert(own.as_str().into());
        self.graph.domain(Domain { extent: own.into(), var: var.into(), kind, edges: Vec::new() })
    }

    /// An axis of a length that follows from others; the same one for the same length, but none of `avoid`, and one that comes
    /// behind `after`.
    pub fn axis_of_length(
        &mut self,
        extent: &Extent,
        avoid: &[DomainId],
        after: Option<DomainId>,
        span: Span,
    ) -> R<DomainId> {
        let fits = |d: DomainId| !avoid.contains(&d) && after.is_none_or(|a| d > a);
        if let [(1, axes)] = &extent.0[..]
            && let [d] = axes[..]
            && fits(d)
        {
            return Ok(d);
        }
        if let Some((_, d)) = self.lengths_known.iter().find(|(e, d)| e == extent && fits(*d)) {
            return Ok(*d);
        }
        let constant = match &extent.0[..] {
            [] => Some(0),
            [(n, axes)] if axes.is_empty() => Some(*n),
            _ => None,
        };
        if extent.axes().any(|d| matches!(self.graph.domains[d.index()].kind, DomainKind::Children { .. })) {
            return self.fail(errors::children_have_no_axis(span));
        }
        let axis = match (constant, extent.axes().next()) {
            (None, Some(first)) => {
                let first = self.graph.domains[first.index()].clone();
                self.new_domain(&first.extent, &first.var, DomainKind::Derived(extent.clone()))
            }
            (n, _) => match u32::try_from(n.unwrap_or(0)) {
                Ok(n) => self.new_domain("n", "p", DomainKind::Chain { fixed: Some(n) }),
                Err(_) => return self.fail(errors::negative_length(n.unwrap_or(0), span)),
            },
        };
        self.lengths_known.push((extent.clone(), axis));
        Ok(axis)
    }

    /// The same points under another name: a copy of an axis that is none of `avoid`.
    pub fn copy_of(&mut self, axis: DomainId, avoid: &[DomainId], span: Span) -> R<DomainId> {
        self.axis_of_length(&Extent::of(axis), avoid, None, span)
    }

    /// The axis that an axis is a copy of, through all copies.
    pub fn original(&self, axis: DomainId) -> DomainId {
        match &self.graph.domains[axis.index()].kind {
            DomainKind::Derived(Extent(terms)) => match &terms[..] {
                [(1, of)] if of.len() == 1 => self.original(of[0]),
                _ => axis,
            },
            _ => axis,
        }
    }

    /// Whether an axis is another under another name.
    pub fn is_copy(&self, copy: DomainId, of: DomainId) -> bool {
        self.graph.domains[copy.index()].kind == DomainKind::Derived(Extent::of(of))
    }

    pub fn is_tree(&self, axis: DomainId) -> bool {
        matches!(self.graph.domains[axis.index()].kind, DomainKind::Tree { .. })
    }

    /// The axis of the children of nodes.
    pub fn children_of(&mut self, tree: DomainId) -> DomainId {
        let known = self.graph.domains.iter().position(|d| d.kind == DomainKind::Children { tree });
        match known {
            Some(i) => DomainId(i as u32),
            None => self.new_domain("children", "k", DomainKind::Children { tree }),
        }
    }

    // Names.

    /// The axis that a variable of the header stands for; `None` in it if there is no such axis here.
    pub fn axis_variable(&self, frame: FrameId, name: &str) -> Option<Option<DomainId>> {
        let f = self.frame(frame);
        if f.kind != FrameKind::Cell {
            return None;
        }
        let implicit = self.header(frame).is_none() && name == "t";
        let written = self.header_axes(frame).iter().any(|a| !a.rest && &*a.name.name == name);
        let own = f.space.axes.iter().find(|a| a.name.as_deref() == Some(name));
        (implicit || written).then(|| own.map(|a| a.axis))
    }

    /// The number of an axis with this variable, from 1.
    pub fn axis_number(&self, frame: FrameId, name: &str) -> Option<i64> {
        let at = self.frame(frame).space.axes.iter().position(|a| a.name.as_deref() == Some(name));
        at.map(|i| i as i64 + 1)
    }

    /// The number of a named edge, from 0.
    pub fn edge_number(&self, frame: FrameId, name: &str) -> Option<u32> {
        let over = self.header(frame).filter(|o| o.kind == OverKind::Tree)?;
        over.axes.iter().position(|a| !a.rest && &*a.name.name == name).map(|i| i as u32)
    }

    /// The sets `D`, `K` and `axes` of a header.
    pub fn axes_set(&mut self, frame: FrameId, name: &str, span: Span) -> R<Option<Val<'l>>> {
        if self.frame(frame).kind != FrameKind::Cell {
            return Ok(None);
        }
        let Some(over) = self.header(frame) else { return Ok(None) };
        let rest = over.axes.iter().find(|a| a.rest).map(|a| a.name.name.clone());
        let space = self.frame(frame).space.clone();
        if over.kind == OverKind::Tree {
            if rest.as_deref() != Some(name) {
                return Ok(None);
            }
            return match (space.arity, space.axes.first()) {
                (Some(n), _) => Ok(Some(Val::Axes(1, i64::from(n)))),
                (None, Some(tree)) => Ok(Some(Val::Extent(self.children_of(tree.axis)))),
                (None, None) => self.fail(errors::no_axes(&self.frame(frame).title.clone(), name, span)),
            };
        }
        let count = space.axes.len() as i64;
        if rest.as_deref() == Some(name) {
            let before = over.axes.iter().position(|a| a.rest).unwrap_or(0) as i64;
            let after = over.axes.len() as i64 - before - 1;
            return Ok(Some(Val::Axes(before + 1, count - after)));
        }
        Ok((name == "axes" && over.kind == OverKind::Grid).then_some(Val::Axes(1, count)))
    }

    /// Whether a parameter is indexed by the set of edges: then their number is static.
    pub fn wants_arity(&self, frame: FrameId) -> Option<(Name, Span)> {
        let over = self.header(frame).filter(|o| o.kind == OverKind::Tree)?;
        let rest = over.axes.iter().find(|a| a.rest)?;
        let text = &self.frame(frame).text;
        text.declared(Kind::Param).find_map(|e| {
            let d = e.declared.as_ref()?;
            let by_edges = |set: &Set| match (&strip(&set.lo).kind, &set.hi) {
                (ExprKind::Name(p), None) => plain(p) == rest.name.name,
                _ => false,
            };
            let indexed = d.index.iter().any(|i| matches!(i, TargetIndex::Binder(b) if by_edges(&b.set)));
            indexed.then(|| (e.name.clone(), d.span))
        })
    }

    pub fn own_axes(&self, frame: FrameId) -> Vec<DomainId> {
        self.frame(frame).space.axes.iter().map(|a| a.axis).collect()
    }

    /// The name of the variable of the only axis, for messages.
    pub fn var_name(&self, frame: FrameId) -> Option<Name> {
        let over = self.header(frame);
        match over {
            None => Some("t".into()),
            Some(o) if o.kind != OverKind::Tree => {
                o.axes.iter().find(|a| !a.rest).map(|a| a.name.name.clone())
            }
            Some(_) => None,
        }
    }

    // Levels.

    /// The axes at whose points we are, where an expression is evaluated.
    pub fn open_axes(&self) -> Vec<DomainId> {
        let (frame, bound) = &self.here;
        let mut open = self.frames.get(frame.0 as usize).map(|f| f.at.clone()).unwrap_or_default();
        open.extend(bound.iter().copied());
        open.sort();
        open.dedup();
        open
    }

    pub fn axes_of(&self, node: NodeId) -> Vec<DomainId> {
        self.graph.axes_of(self.graph.level(node))
    }

    /// The axes along which a value is whole, ascending.
    pub fn whole_axes(&self, node: NodeId) -> Vec<DomainId> {
        let open = self.open_axes();
        self.axes_of(node).into_iter().filter(|a| !open.contains(a)).collect()
    }

    /// The level over some axes; the domain is made if there is none.
    pub fn level_over(&mut self, axes: Vec<DomainId>, span: Span) -> R<Level> {
        if axes.is_empty() {
            return Ok(Level::Example);
        }
        match self.graph.product(axes.clone()) {
            Some(d) => Ok(Level::Over(d)),
            None => self.fail(errors::too_many_axes(axes.len(), MAX_AXES, span)),
        }
    }

    /// Makes the domains that an operation needs besides those of its operands.
    pub fn domains_for(&mut self, op: &Op, span: Span) -> R<()> {
        let mut axes: Vec<DomainId> = op.operands().flat_map(|o| self.axes_of(o)).collect();
        match op {
            Op::Lag { state, offset } => {
                let Some(state) = self.graph.states.get(state.index()) else { return Ok(()) };
                axes.extend(self.graph.axes(state.domain));
                match offset {
                    Offset::EachChild(each) => axes.push(*each),
                    Offset::FromEach(each) => axes.retain(|a| a != each),
                    _ => {}
                }
            }
            Op::At { axis, .. } => axes.retain(|a| a != axis),
            Op::Points { axis, .. } => axes.push(*axis),
            Op::Flatten { grid, line, .. } => {
                axes.retain(|a| !grid.contains(a));
                axes.push(*line);
            }
            Op::Remap { maps, .. } => {
                axes.retain(|a| !maps.iter().any(|m| m.from == *a));
                axes.extend(maps.iter().map(|m| m.to));
            }
            Op::Length(d) => {
                if let DomainKind::Children { tree } = self.graph.domains[d.index()].kind {
                    axes.push(tree);
                }
            }
            Op::Position(d) => {
                if let DomainKind::Children { tree } = self.graph.domains[d.index()].kind {
                    axes.extend([tree, *d]);
                }
            }
            _ => {}
        }
        self.level_over(axes, span).map(|_| ())
    }

    /// The offset of a step for a state over a domain.
    pub fn offset(&mut self, domain: DomainId, step: &Step, span: Span) -> R<Offset> {
        Ok(match step {
            Step::By(by) => {
                let axes = self.graph.axes(domain);
                let mut out = [0i32; MAX_AXES];
                for (axis, k) in by.iter().filter(|(_, k)| *k != 0) {
                    let at = axes.iter().position(|a| a == axis).filter(|i| *i < MAX_AXES);
                    match (at, i32::try_from(*k)) {
                        (Some(i), Ok(k)) => out[i] = k,
                        _ => return self.fail(errors::not_along(span)),
                    }
                }
                Offset::By(out)
            }
            Step::Child(k) => Offset::Child(*k),
            Step::Parent(k) => Offset::Parent(*k),
            Step::EachChild(axis) => Offset::EachChild(*axis),
            Step::FromEach(axis) => Offset::FromEach(*axis),
        })
    }

    /// A value with axes under other names.
    pub fn renamed(&mut self, node: NodeId, pairs: &[(DomainId, DomainId)], span: Span) -> R<NodeId> {
        let axes = self.axes_of(node);
        let pairs = pairs.iter().filter(|(from, to)| from != to && axes.contains(from));
        let maps: Vec<AxisMap> = pairs.map(|(from, to)| AxisMap::rename(*from, *to)).collect();
        match maps.is_empty() {
            true => Ok(node),
            false => self.add(Op::Remap { arg: node, maps }, span),
        }
    }
}
