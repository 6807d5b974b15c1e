//! Domains: sets of points, and how one point is found from another.
//!
//! An *axis* is a domain of one direction: a chain, the nodes of a tree, the children of a node. A *product* has all
//! combinations of the points of its axes. A value over fewer axes is read at a point of more axes as it is, so domains
//! are ordered by inclusion of their axes; [`Graph::join`] is the least upper bound.

use super::{Graph, Level};
use std::sync::Arc;

declare_id!(/// A set of points, such as the steps of a chain.
    DomainId);

/// Greatest number of axes of one domain.
pub const MAX_AXES: usize = 6;

#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// The dimension name of the extent (`n` of `seq<n>`), unique in the graph; of a product the names of its axes (`r×c`).
    pub extent: Arc<str>,
    /// The variable of a point (`t`). Positions count from 1.
    pub var: Arc<str>,
    pub kind: DomainKind,
    /// Of a tree: what its edges are called, in their order; empty where they have no names, or more than one.
    pub edges: Vec<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DomainKind {
    /// Points 1..length; each example has its own length. `fixed`: the same static length for all.
    Chain { fixed: Option<u32> },
    /// A chain whose length follows from those of other axes.
    Derived(Extent),
    /// The nodes of a tree, children before their parents. `arity`: the number of edges, if it is static; an edge may
    /// lead to no child.
    Tree { arity: Option<u32> },
    /// The present children of a node of `tree`, in order. Its points exist only together with those of the tree.
    Children { tree: DomainId },
    /// All combinations of points of two or more axes, in ascending order of their ids.
    Product(Vec<DomainId>),
}

/// A length for each example: the sum of numbers times products of lengths of axes. A length below 0 counts as 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent(pub Vec<(i64, Vec<DomainId>)>);

impl Extent {
    pub fn constant(n: i64) -> Extent {
        Extent(if n == 0 { Vec::new() } else { vec![(n, Vec::new())] })
    }

    pub fn of(axis: DomainId) -> Extent {
        Extent(vec![(1, vec![axis])])
    }

    pub fn plus(mut self, other: &Extent) -> Extent {
        for (k, axes) in &other.0 {
            match self.0.iter_mut().find(|(_, known)| known == axes) {
                Some((sum, _)) => *sum = sum.saturating_add(*k),
                None => self.0.push((*k, axes.clone())),
            }
        }
        self.0.retain(|(k, _)| *k != 0);
        self
    }

    pub fn times(&self, factor: i64) -> Extent {
        let terms = self.0.iter().map(|(k, axes)| (k.saturating_mul(factor), axes.clone()));
        Extent(terms.filter(|(k, _)| *k != 0).collect())
    }

    /// The axes it depends on.
    pub fn axes(&self) -> impl Iterator<Item = DomainId> + '_ {
        self.0.iter().flat_map(|(_, axes)| axes.iter().copied())
    }

    pub fn renumbered(&self, f: impl Fn(DomainId) -> DomainId) -> Extent {
        Extent(self.0.iter().map(|(k, axes)| (*k, axes.iter().map(|d| f(*d)).collect())).collect())
    }

    /// The number for one example, from the lengths of its axes.
    pub fn value(&self, length: impl Fn(DomainId) -> usize) -> i64 {
        let term = |(k, axes): &(i64, Vec<DomainId>)| {
            let size = |d: &DomainId| i64::try_from(length(*d)).unwrap_or(i64::MAX);
            axes.iter().fold(*k, |acc, d| acc.saturating_mul(size(d)))
        };
        self.0.iter().map(term).fold(0, i64::saturating_add)
    }
}

/// Where a lag reads from, seen from the point that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Offset {
    /// So many points further along each axis of the state's domain, in their order; not all 0.
    By([i32; MAX_AXES]),
    /// The child at this edge of the state's tree, from 0.
    Child(u32),
    /// Each child: the result is over the state's domain and this axis of children.
    EachChild(DomainId),
    /// The parent whose child at this edge, from 0, this node is.
    Parent(u32),
    /// The parent, at this node's place among its children: the state is over the tree and this axis of children, the result
    /// over the tree.
    FromEach(DomainId),
}

impl Offset {
    /// `k` points along a chain.
    pub fn chain(k: i32) -> Offset {
        let mut by = [0; MAX_AXES];
        by[0] = k;
        Offset::By(by)
    }

    /// The offset along the only axis of a chain.
    pub fn along_chain(self) -> Option<i32> {
        match self {
            Offset::By(by) if by[1..].iter().all(|k| *k == 0) => Some(by[0]),
            _ => None,
        }
    }

    /// What leads back, if the numbers can be negated.
    pub fn mirrored(self) -> Option<Offset> {
        Some(match self {
            Offset::By(by) => {
                let mut back = [0; MAX_AXES];
                for (to, from) in back.iter_mut().zip(by) {
                    *to = from.checked_neg()?;
                }
                Offset::By(back)
            }
            Offset::Child(k) => Offset::Parent(k),
            Offset::Parent(k) => Offset::Child(k),
            Offset::EachChild(axis) => Offset::FromEach(axis),
            Offset::FromEach(axis) => Offset::EachChild(axis),
        })
    }

    /// Both one after the other, where that is again an offset; no offset at all if they cancel.
    pub fn then(self, other: Offset) -> Option<Offset> {
        let (Offset::By(a), Offset::By(b)) = (self, other) else {
            return (self.mirrored() == Some(other)).then_some(Offset::By([0; MAX_AXES]));
        };
        let mut sum = [0; MAX_AXES];
        for (to, (a, b)) in sum.iter_mut().zip(a.into_iter().zip(b)) {
            *to = a.checked_add(b)?;
        }
        Some(Offset::By(sum))
    }

    /// Whether one leads further where the other led: reads outside the domain stay outside.
    pub fn same_direction(self, other: Offset) -> bool {
        let (Offset::By(a), Offset::By(b)) = (self, other) else { return false };
        a.into_iter().zip(b).all(|(a, b)| i64::from(a) * i64::from(b) > 0 || a == 0 && b == 0)
    }

    /// The axis of children it names.
    pub fn axis(self) -> Option<DomainId> {
        match self {
            Offset::EachChild(axis) | Offset::FromEach(axis) => Some(axis),
            Offset::By(_) | Offset::Child(_) | Offset::Parent(_) => None,
        }
    }

    pub fn is_zero(self) -> bool {
        self == Offset::By([0; MAX_AXES])
    }
}

/// Which point of axis `from` is read at a point of axis `to`: `start + step * position`, both from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AxisMap {
    pub from: DomainId,
    pub to: DomainId,
    pub start: Extent,
    /// 1 or −1.
    pub step: i8,
}

impl AxisMap {
    /// The same points under another name.
    pub fn rename(from: DomainId, to: DomainId) -> AxisMap {
        AxisMap { from, to, start: Extent::constant(0), step: 1 }
    }

    /// From the last point to the first.
    pub fn reverse(axis: DomainId) -> AxisMap {
        let start = Extent::of(axis).plus(&Extent::constant(1));
        AxisMap { from: axis, to: axis, start, step: -1 }
    }

    pub fn is_reverse(&self) -> bool {
        *self == AxisMap::reverse(self.from)
    }

    /// What leads back: `q = start + step * p` is `p = step * (q − start)` for a step of 1 or −1.
    pub fn inverted(&self) -> AxisMap {
        let start = self.start.times(-i64::from(self.step));
        AxisMap { from: self.to, to: self.from, start, step: self.step }
    }
}

impl DomainKind {
    /// The domains it is made of.
    pub fn parts(&self) -> Vec<DomainId> {
        match self {
            DomainKind::Chain { .. } | DomainKind::Tree { .. } => Vec::new(),
            DomainKind::Derived(extent) => extent.axes().collect(),
            DomainKind::Children { tree } => vec![*tree],
            DomainKind::Product(axes) => axes.clone(),
        }
    }

    /// The same with other numbers for the domains it is made of; `f` keeps their order.
    pub fn renumbered(&self, f: impl Fn(DomainId) -> DomainId) -> DomainKind {
        match self {
            DomainKind::Chain { .. } | DomainKind::Tree { .. } => self.clone(),
            DomainKind::Derived(extent) => DomainKind::Derived(extent.renumbered(f)),
            DomainKind::Children { tree } => DomainKind::Children { tree: f(*tree) },
            DomainKind::Product(axes) => DomainKind::Product(axes.iter().map(|d| f(*d)).collect()),
        }
    }
}

impl Graph {
    /// The axes of a domain, ascending: itself, or those of a product.
    pub fn axes(&self, domain: DomainId) -> Vec<DomainId> {
        match self.domains.get(domain.index()).map(|d| &d.kind) {
            Some(DomainKind::Product(axes)) => axes.clone(),
            _ => vec![domain],
        }
    }

    /// The axes of a level.
    pub fn axes_of(&self, level: Level) -> Vec<DomainId> {
        match level {
            Level::Over(d) => self.axes(d),
            _ => Vec::new(),
        }
    }

    pub fn is_chain(&self, domain: DomainId) -> bool {
        matches!(self.domains.get(domain.index()).map(|d| &d.kind), Some(DomainKind::Chain { .. }))
    }

    /// An axis whose length every example has.
    pub fn measured_axis(&self) -> Option<DomainId> {
        let measured = |d: &Domain| !matches!(d.kind, DomainKind::Product(_) | DomainKind::Children { .. });
        self.domains.iter().position(measured).map(|i| DomainId(i as u32))
    }

    /// Whether a value at `low` can be read at `high` as it is.
    pub fn is_within(&self, low: Level, high: Level) -> bool {
        match (low, high) {
            (Level::Over(a), Level::Over(b)) if a != b => {
                let above = self.axes(b);
                self.axes(a).iter().all(|x| above.contains(x))
            }
            _ => low <= high,
        }
    }

    /// The lowest level at which both can be read; `None` if the graph has no such domain.
    pub fn join(&self, a: Level, b: Level) -> Option<Level> {
        if self.is_within(a, b) {
            return Some(b);
        }
        if self.is_within(b, a) {
            return Some(a);
        }
        let mut axes = self.axes_of(a);
        axes.extend(self.axes_of(b));
        self.find_product(axes).map(Level::Over)
    }

    /// The domain with these axes, if there is one.
    pub fn find_product(&self, mut axes: Vec<DomainId>) -> Option<DomainId> {
        axes.sort();
        axes.dedup();
        if let [axis] = axes[..] {
            return Some(axis);
        }
        let kind = DomainKind::Product(axes);
        self.domains.iter().position(|d| d.kind == kind).map(|i| DomainId(i as u32))
    }

    /// The domain with these axes, new if there is none; `None` without axes or with more than [`MAX_AXES`].
    pub fn product(&mut self, mut axes: Vec<DomainId>) -> Option<DomainId> {
        axes.sort();
        axes.dedup();
        if let Some(known) = self.find_product(axes.clone()) {
            return Some(known);
        }
        if axes.is_empty() || axes.len() > MAX_AXES {
            return None;
        }
        let name = |of: fn(&Domain) -> &Arc<str>| {
            let names: Vec<&str> = axes.iter().map(|d| &**of(&self.domains[d.index()])).collect();
            names.join("×")
        };
        let (mut extent, var) = (name(|d| &d.extent), name(|d| &d.var));
        while self.domains.iter().any(|d| *d.extent == *extent) {
            extent.push('\'');
        }
        let kind = DomainKind::Product(axes);
        let domain = Domain { extent: extent.into(), var: var.into(), kind, edges: Vec::new() };
        Some(self.domain(domain))
    }

    /// The level over these axes; Example without any.
    pub fn find_level(&self, axes: Vec<DomainId>) -> Option<Level> {
        if axes.is_empty() {
            return Some(Level::Example);
        }
        self.find_product(axes).map(Level::Over)
    }

    /// The same, its domain new if there is none; `None` with more than [`MAX_AXES`].
    pub fn make_level(&mut self, axes: Vec<DomainId>) -> Option<Level> {
        match axes.is_empty() {
            true => Some(Level::Example),
            false => self.product(axes).map(Level::Over),
        }
    }

    /// How a value at level `own`, read at every point of `level`, adds up to `to`: times the lengths of these axes, in
    /// this order, and then summed to the level that is given. `None` if no domain can be made for that.
    pub fn tally(&mut self, own: Level, level: Level, to: Level) -> Option<(Vec<DomainId>, Level)> {
        let (mut have, keep) = (self.axes_of(own), self.axes_of(to));
        let mut dropped = self.axes_of(level);
        dropped.retain(|a| !keep.contains(a));
        let tree = |graph: &Graph, axis: DomainId| match graph.domains.get(axis.index()).map(|d| &d.kind) {
            Some(DomainKind::Children { tree }) => Some(*tree),
            _ => None,
        };
        // How many children there are depends on the node: with them, the nodes are there to be summed.
        dropped.sort_by_key(|a| tree(self, *a).is_none());
        let mut counted = Vec::new();
        for axis in dropped {
            if have.contains(&axis) {
                continue;
            }
            counted.push(axis);
            have.extend(tree(self, axis).filter(|t| !have.contains(t)));
        }
        have.retain(|a| keep.contains(a));
        let to = if to == Level::Shared { to } else { self.make_level(have)? };
        Some((counted, to))
    }

    /// The level without an axis, if the graph has it.
    pub fn without(&self, level: Level, axis: DomainId) -> Option<Level> {
        let mut axes = self.axes_of(level);
        axes.retain(|a| *a != axis);
        self.find_level(axes)
    }

    /// The level a lag of a state is read at.
    pub fn lag_level(&self, domain: DomainId, offset: Offset) -> Option<Level> {
        match offset {
            Offset::By(_) | Offset::Child(_) | Offset::Parent(_) => Some(Level::Over(domain)),
            Offset::EachChild(axis) => self.join(Level::Over(domain), Level::Over(axis)),
            Offset::FromEach(axis) => self.without(Level::Over(domain), axis),
        }
    }
}
