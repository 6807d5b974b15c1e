//! Points of examples: which exist, where their rows lie, how one is found from another.
//!
//! In: domains and the sizes of a batch. Rows of a value lie in the order of its array: the axes of its
//! level, slowest first, then the example.

use crate::eqn::tree::Tree;
use crate::eqn::{AxisMap, Domain, DomainId, DomainKind, Level, MAX_AXES, Offset, Point};

/// One point of one example: positions from 0 along the axes of a level, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub example: usize,
    pub at: [usize; MAX_AXES],
}

/// A read that finds no point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outside {
    /// The only side that was crossed, if it is only one: the axis, and whether behind its last point.
    pub side: Option<(DomainId, bool)>,
    /// How far beyond the domain, at most; from 1.
    pub distance: usize,
}

pub(crate) struct Points<'a> {
    domains: &'a [Domain],
    pub size: usize,
    /// Of each domain.
    axes: Vec<Vec<DomainId>>,
    /// Of each axis, each example's length; empty for one that nothing needs. Of children: nothing.
    lengths: Vec<Vec<usize>>,
    /// Of each axis of nodes, each example's tree.
    trees: Vec<&'a [Tree]>,
    /// Of each axis, the greatest length.
    greatest: Vec<usize>,
    /// Of each axis, points before the first one; empty if there are none.
    start: Vec<usize>,
}

impl<'a> Points<'a> {
    /// `lengths` and `trees` of each domain; what does not apply is empty. Rows are laid out for `extents` points along
    /// each axis, if no example has more.
    pub fn new(
        domains: &'a [Domain],
        size: usize,
        lengths: Vec<Vec<usize>>,
        trees: Vec<&'a [Tree]>,
        extents: &[usize],
    ) -> Self {
        let axes = |(i, d): (usize, &Domain)| match &d.kind {
            DomainKind::Product(axes) => axes.clone(),
            _ => vec![DomainId(i as u32)],
        };
        let axes = domains.iter().enumerate().map(axes).collect();
        let mut greatest: Vec<usize> =
            lengths.iter().zip(extents).map(|(all, n)| all.iter().copied().fold(*n, usize::max)).collect();
        for (i, domain) in domains.iter().enumerate() {
            if let DomainKind::Children { tree } = domain.kind {
                let most = |t: &Tree| (0..t.nodes()).map(|n| t.children(n).len()).max().unwrap_or(0);
                greatest[i] = trees[tree.index()].iter().map(most).fold(extents[i], usize::max);
            }
        }
        Points { domains, size, axes, lengths, trees, greatest, start: Vec::new() }
    }

    /// The points of windows of longer chains.
    pub fn starting(self, start: Vec<usize>) -> Self {
        Points { start, ..self }
    }

    /// The position from 0 that an axis has for its reader.
    pub fn numbered(&self, level: Level, p: Place, axis: DomainId) -> usize {
        self.position(level, p, axis) + self.start.get(axis.index()).copied().unwrap_or(0)
    }

    pub fn axes(&self, level: Level) -> &[DomainId] {
        match level {
            Level::Over(d) => &self.axes[d.index()],
            _ => &[],
        }
    }

    pub fn rows(&self, level: Level) -> usize {
        let examples = if level == Level::Shared { 1 } else { self.size };
        self.axes(level).iter().fold(examples, |n, a| n.saturating_mul(self.greatest[a.index()]))
    }

    pub fn row(&self, level: Level, p: Place) -> usize {
        if level == Level::Shared {
            return 0;
        }
        let along =
            self.axes(level).iter().zip(p.at).fold(0, |row, (a, x)| row * self.greatest[a.index()] + x);
        along * self.size + p.example
    }

    /// The extents of an array at a level.
    pub fn extents(&self, level: Level) -> Vec<usize> {
        let mut extents: Vec<usize> = self.axes(level).iter().map(|a| self.greatest[a.index()]).collect();
        if level != Level::Shared {
            extents.push(self.size);
        }
        extents
    }

    /// The length of an axis at a place of a level that has what the length depends on.
    pub fn length(&self, axis: DomainId, level: Level, p: Place) -> usize {
        match self.domains[axis.index()].kind {
            DomainKind::Children { tree } => {
                let node = self.axes(level).iter().position(|a| *a == tree).map_or(0, |i| p.at[i]);
                self.trees[tree.index()].get(p.example).map_or(0, |t| t.children(node).len())
            }
            _ => self.lengths[axis.index()].get(p.example).copied().unwrap_or(0),
        }
    }

    /// All points of a level, in the order of their rows.
    pub fn all(&self, level: Level) -> Vec<Place> {
        if level == Level::Shared {
            return vec![Place::default()];
        }
        let mut found = Vec::new();
        for example in 0..self.size {
            self.extend(level, Place { example, ..Place::default() }, &[], &mut found);
        }
        if self.size > 1 {
            found.sort_by_key(|p| self.row(level, *p));
        }
        found
    }

    /// The points of `level` that are seen from `p`, a point of a lower level, in order.
    pub fn below(&self, level: Level, from: Level, p: Place) -> Vec<Place> {
        if from == Level::Shared {
            return self.all(level);
        }
        let mut found = Vec::new();
        let start = Place { example: p.example, ..Place::default() };
        let known: Vec<(DomainId, usize)> = self.axes(from).iter().copied().zip(p.at).collect();
        self.extend(level, start, &known, &mut found);
        found
    }

    /// All ways to go on from `p`, whose first positions are fixed already.
    fn extend(&self, level: Level, p: Place, known: &[(DomainId, usize)], found: &mut Vec<Place>) {
        let axes = self.axes(level);
        let mut open = vec![(p, 0)];
        while let Some((p, i)) = open.pop() {
            let Some(axis) = axes.get(i) else {
                found.push(p);
                continue;
            };
            let with = |x: usize| {
                let mut p = p;
                p.at[i] = x;
                (p, i + 1)
            };
            let length = self.length(*axis, level, p);
            match known.iter().find(|(a, _)| a == axis) {
                Some((_, x)) if *x < length => open.push(with(*x)),
                Some(_) => {}
                None => open.extend((0..length).rev().map(with)),
            }
        }
    }

    /// The same point at a lower level.
    pub fn project(&self, from: Level, p: Place, to: Level) -> Place {
        if from == to {
            return p;
        }
        let mut out = Place { example: p.example, ..Place::default() };
        let axes = self.axes(from);
        for (i, axis) in self.axes(to).iter().enumerate() {
            if let Some(k) = axes.iter().position(|a| a == axis) {
                out.at[i] = p.at[k];
            }
        }
        out
    }

    /// A position along one axis of a level.
    pub fn position(&self, level: Level, p: Place, axis: DomainId) -> usize {
        self.axes(level).iter().position(|a| *a == axis).map_or(0, |i| p.at[i])
    }

    /// `p` with a further or other position along one axis.
    pub fn with(&self, from: Level, p: Place, to: Level, axis: DomainId, x: usize) -> Place {
        let mut out = self.project(from, p, to);
        if let Some(i) = self.axes(to).iter().position(|a| *a == axis) {
            out.at[i] = x;
        }
        out
    }

    /// One point of an axis, seen from `p` of a level without it, if the example has it.
    pub fn point(&self, axis: DomainId, point: Point, from: Level, p: Place, to: Level) -> Option<Place> {
        let length = self.length(axis, from, p);
        let x = match point {
            Point::First => 0,
            Point::Last => length.wrapping_sub(1),
            Point::Fixed(k) => (k as usize).wrapping_sub(1),
        };
        (x < length).then(|| self.with(from, p, to, axis, x))
    }

    /// The point of `domain` that is read from `p` of `level`.
    pub fn lag(&self, domain: DomainId, offset: Offset, level: Level, p: Place) -> Result<Place, Outside> {
        let own = Level::Over(domain);
        let nowhere = Outside { side: None, distance: 1 };
        let tree_of = |axes: &[DomainId]| {
            let is_tree = |a: &&DomainId| matches!(self.domains[a.index()].kind, DomainKind::Tree { .. });
            axes.iter().find(is_tree).copied()
        };
        match offset {
            Offset::By(by) => {
                let mut out = p;
                let (mut crossed, mut distance, mut count) = (None, 0, 0);
                for (i, axis) in self.axes(own).iter().enumerate() {
                    let length = self.length(*axis, level, p) as i64;
                    let to = p.at[i] as i64 + i64::from(by[i]);
                    if (0..length).contains(&to) {
                        out.at[i] = to as usize;
                    } else {
                        crossed = Some((*axis, to >= 0));
                        distance = distance.max(if to < 0 { -to } else { to - length + 1 });
                        count += 1;
                    }
                }
                match count {
                    0 => Ok(out),
                    1 => Err(Outside { side: crossed, distance: distance as usize }),
                    _ => Err(Outside { side: None, distance: distance as usize }),
                }
            }
            Offset::Child(edge) => {
                let axis = tree_of(self.axes(own)).ok_or(nowhere)?;
                let tree = self.trees[axis.index()].get(p.example).ok_or(nowhere)?;
                let child = tree.edge(self.position(level, p, axis), edge as usize).ok_or(nowhere)?;
                Ok(self.with(level, p, own, axis, child))
            }
            Offset::Parent(edge) => {
                let axis = tree_of(self.axes(own)).ok_or(nowhere)?;
                let tree = self.trees[axis.index()].get(p.example).ok_or(nowhere)?;
                let parent = tree.parent(self.position(level, p, axis)).filter(|q| q.edge == edge);
                Ok(self.with(level, p, own, axis, parent.ok_or(nowhere)?.node as usize))
            }
            Offset::EachChild(each) => {
                let axis = tree_of(self.axes(own)).ok_or(nowhere)?;
                let tree = self.trees[axis.index()].get(p.example).ok_or(nowhere)?;
                let (node, k) = (self.position(level, p, axis), self.position(level, p, each));
                let child = tree.children(node).get(k).ok_or(nowhere)?;
                Ok(self.with(level, p, own, axis, *child as usize))
            }
            Offset::FromEach(each) => {
                let axis = tree_of(self.axes(own)).ok_or(nowhere)?;
                let tree = self.trees[axis.index()].get(p.example).ok_or(nowhere)?;
                let parent = tree.parent(self.position(level, p, axis)).ok_or(nowhere)?;
                let mut out = self.with(level, p, own, axis, parent.node as usize);
                if let Some(i) = self.axes(own).iter().position(|a| *a == each) {
                    out.at[i] = parent.rank as usize;
                }
                Ok(out)
            }
        }
    }

    /// The point of `level` that is read from `p` of `to`; `None` where a map leads outside.
    pub fn remap(&self, maps: &[AxisMap], level: Level, to: Level, p: Place) -> Option<Place> {
        let mut out = self.project(to, p, level);
        for map in maps {
            let x = self.position(to, p, map.to) as i64 + 1;
            let start = map.start.value(|axis| self.length(axis, to, p));
            let from = start.checked_add(i64::from(map.step) * x)?;
            let i = self.axes(level).iter().position(|a| *a == map.from)?;
            out.at[i] = usize::try_from(from - 1).ok()?;
        }
        self.inside(level, out)
    }

    /// The point of `level` that [`crate::eqn::Op::Flatten`] reads from `p` of `to`, if the example has it.
    pub fn flatten(
        &self,
        (grid, line, back): (&[DomainId], DomainId, bool),
        level: Level,
        to: Level,
        p: Place,
    ) -> Option<Place> {
        let mut out = self.project(to, p, level);
        let place = |axis: DomainId| self.axes(level).iter().position(|a| *a == axis);
        if back {
            let number = |n: usize, axis: &DomainId| {
                n.checked_mul(self.length(*axis, to, p))?.checked_add(self.position(to, p, *axis))
            };
            out.at[place(line)?] = grid.iter().try_fold(0, number)?;
            return self.inside(level, out);
        }
        let mut rest = self.position(to, p, line);
        for axis in grid.iter().rev() {
            let n = self.length(*axis, to, p);
            out.at[place(*axis)?] = rest.checked_rem(n)?;
            rest /= n;
        }
        (rest == 0).then_some(out)
    }

    /// Asked when all positions are known: the number of children depends on the node.
    fn inside(&self, level: Level, out: Place) -> Option<Place> {
        let inside = self.axes(level).iter().zip(out.at).all(|(a, x)| x < self.length(*a, level, out));
        inside.then_some(out)
    }
}
