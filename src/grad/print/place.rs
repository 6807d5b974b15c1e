//! Where a value is read, and how that is written behind its name.
//!
//! A [`Place`] says for each axis which point of it is meant; axes it does not mention are at this point. A cell over one
//! chain is written as the language has it: `h[t-1]`, `x[s]`, `z[1]`. To read, values over several axes have the index of
//! an axis of their own first (`α[j]`, `f[k]`), then the points of the domain (`h[i-1, j]`, `h[prev k]`).

use super::tree;
use super::write::Writer;
use crate::eqn::{AxisMap, DomainId, DomainKind, Extent, Level, NodeId, Offset};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Ident, Place as TreePlace};
use std::collections::BTreeMap;

/// One point of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Pos {
    /// So many points from here; never 0.
    Here(i64),
    /// So many points from the variable of a sum.
    Bound(String, i64),
    /// At this position from 1.
    Start(i64),
    /// So many points from the last.
    End(i64),
    /// So many points from a position that is computed.
    Written(Box<Expr>, i64),
    /// Of a tree: along these edges, one after the other.
    Edges(Vec<TreePlace>),
    /// Of children: this node's own place among those of its parent.
    Own,
}

/// Where a value over a domain is read; an axis that is not mentioned is at this point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place(BTreeMap<DomainId, Pos>);

impl Place {
    pub fn here() -> Place {
        Place::default()
    }

    pub fn is_here(&self) -> bool {
        self.0.is_empty()
    }

    pub fn pos(&self, axis: DomainId) -> Option<&Pos> {
        self.0.get(&axis)
    }

    pub fn with(mut self, axis: DomainId, pos: Pos) -> Place {
        self.0.insert(axis, pos);
        self
    }

    /// At this point along these axes.
    pub fn without(mut self, axes: &[DomainId]) -> Place {
        self.0.retain(|axis, _| !axes.contains(axis));
        self
    }

    /// At another point of the same axis.
    pub fn moved(mut self, axis: DomainId, by: i64) -> Place {
        if by == 0 {
            return self;
        }
        let moved = match self.0.remove(&axis) {
            None => Pos::Here(by),
            Some(Pos::Here(k)) => Pos::Here(k + by),
            Some(Pos::Bound(v, k)) => Pos::Bound(v, k + by),
            Some(Pos::Start(k)) => Pos::Start(k + by),
            Some(Pos::End(k)) => Pos::End(k + by),
            Some(Pos::Written(e, k)) => Pos::Written(e, k + by),
            Some(pos @ (Pos::Edges(_) | Pos::Own)) => pos,
        };
        if moved != Pos::Here(0) {
            self.0.insert(axis, moved);
        }
        self
    }

    /// Along one more edge of a tree.
    pub fn along(mut self, axis: DomainId, edge: TreePlace) -> Place {
        match self.0.get_mut(&axis) {
            Some(Pos::Edges(edges)) => edges.push(edge),
            _ => drop(self.0.insert(axis, Pos::Edges(vec![edge]))),
        }
        self
    }

    /// Whether it is at no other point than this, or at one that is given from outside.
    pub fn is_at_own_point(&self) -> bool {
        !self.0.values().any(|p| matches!(p, Pos::Here(_) | Pos::Edges(_)))
    }

    pub fn is_summed(&self) -> bool {
        self.0.values().any(|p| matches!(p, Pos::Bound(..)))
    }
}

/// What an axis and its length are called.
#[derive(Clone, Debug)]
pub struct Axis {
    pub variable: String,
    pub extent: String,
}

impl Writer<'_> {
    pub fn axis(&self, axis: DomainId) -> Axis {
        self.axes.get(&axis).cloned().unwrap_or_else(|| {
            let domain = &self.graph.domains[axis.index()];
            Axis { variable: domain.var.to_string(), extent: domain.extent.to_string() }
        })
    }

    /// Of a cell over one chain.
    pub fn own_axis(&self) -> Axis {
        let fallback = || Axis { variable: "t".into(), extent: "T".into() };
        self.own.first().map_or_else(fallback, |axis| self.axis(*axis))
    }

    /// The point of an axis as an expression.
    pub fn position(&self, axis: DomainId, at: &Place) -> Expr {
        let names = self.axis(axis);
        match at.pos(axis) {
            None => tree::name(&names.variable),
            Some(Pos::Here(k)) => tree::shifted(tree::name(&names.variable), *k),
            Some(Pos::Bound(v, k)) => tree::shifted(tree::name(v), *k),
            Some(Pos::Start(k)) => tree::number(*k as f64),
            Some(Pos::End(k)) => tree::shifted(tree::name(&names.extent), *k),
            Some(Pos::Written(e, k)) => tree::shifted((**e).clone(), *k),
            Some(Pos::Edges(_) | Pos::Own) => tree::name(&names.variable),
        }
    }

    /// The variables of axes that a value has beside those of the cell.
    pub fn indices(&self, level: Level) -> impl Iterator<Item = String> {
        let axes =
            self.graph.axes_of(level).into_iter().filter(|a| self.for_reading && !self.own.contains(a));
        axes.map(|a| self.axis(a).variable)
    }

    /// The brackets behind the name of a value of a level.
    pub fn placed(&self, base: Expr, level: Level, at: &Place) -> Expr {
        let (own, other): (Vec<DomainId>, Vec<DomainId>) =
            self.graph.axes_of(level).into_iter().partition(|a| !self.for_reading || self.own.contains(a));
        let mut base = base;
        let indices: Vec<TreePlace> = other
            .iter()
            .filter(|a| at.pos(**a) != Some(&Pos::Own))
            .map(|a| TreePlace::At(tree::set(self.position(*a, at), None)))
            .collect();
        if !indices.is_empty() {
            base = tree::indexed(base, indices);
        }
        if let Some(Pos::Edges(edges)) = own.iter().chain(&other).find_map(|a| at.pos(*a)) {
            for edge in edges {
                base = tree::indexed(base, vec![edge.clone()]);
            }
            return base;
        }
        if own.iter().all(|a| at.pos(*a).is_none()) {
            return base;
        }
        let points = own.iter().map(|a| TreePlace::At(tree::set(self.position(*a, at), None))).collect();
        tree::indexed(base, points)
    }

    /// The bracket behind a name.
    pub fn at(&self, base: Expr, id: NodeId, at: &Place) -> Expr {
        self.placed(base, self.graph.level(id), at)
    }

    /// Where a lag reads.
    pub fn there(&self, at: &Place, domain: DomainId, offset: Offset) -> Place {
        let axes = self.graph.axes(domain);
        let is_tree =
            |axis: &DomainId| matches!(self.graph.domains[axis.index()].kind, DomainKind::Tree { .. });
        let tree = axes.iter().copied().find(is_tree);
        let edge = |k: u32| {
            let names = tree.map(|t| &self.graph.domains[t.index()].edges);
            match names.and_then(|n| n.get(k as usize)) {
                Some(name) => tree::ident(name),
                None => tree::ident(&(k + 1).to_string()),
            }
        };
        let along = |edge: TreePlace| match tree {
            Some(tree) => at.clone().along(tree, edge),
            None => at.clone(),
        };
        match offset {
            Offset::By(by) => {
                axes.iter().zip(by).fold(at.clone(), |at, (axis, k)| at.moved(*axis, i64::from(k)))
            }
            // An edge with a name needs no other word.
            Offset::Child(k) => {
                along(match tree.is_some_and(|t| !self.graph.domains[t.index()].edges.is_empty()) {
                    true => TreePlace::At(tree::set(tree::name(&edge(k).name), None)),
                    false => TreePlace::Prev(edge(k)),
                })
            }
            Offset::Parent(k) => along(TreePlace::Next(edge(k))),
            Offset::EachChild(axis) => along(TreePlace::Prev(self.variable(axis))),
            Offset::FromEach(axis) => along(TreePlace::Next(self.variable(axis))).with(axis, Pos::Own),
        }
    }

    fn variable(&self, axis: DomainId) -> Ident {
        tree::ident(&self.axis(axis).variable)
    }

    /// A number of points.
    pub fn length(&self, extent: &Extent) -> Expr {
        let mut sum: Option<Expr> = None;
        for (k, axes) in &extent.0 {
            let mut product: Option<Expr> = None;
            for axis in axes {
                let factor = tree::name(&self.axis(*axis).extent);
                product = Some(match product {
                    None => factor,
                    Some(p) => tree::binary(BinaryOp::Mul, p, factor),
                });
            }
            let size = tree::number(k.unsigned_abs() as f64);
            let term = match product {
                None => size,
                Some(p) if k.unsigned_abs() == 1 => p,
                Some(p) => tree::binary(BinaryOp::Mul, size, p),
            };
            sum = Some(match (sum, *k < 0) {
                (None, false) => term,
                (None, true) => tree::neg(term),
                (Some(sum), false) => tree::binary(BinaryOp::Add, sum, term),
                (Some(sum), true) => tree::binary(BinaryOp::Sub, sum, term),
            });
        }
        sum.unwrap_or_else(|| tree::number(0.0))
    }

    /// Where a remap reads what it maps: the axes `from` at positions computed from those of `to`.
    pub fn mapped(&self, at: &Place, maps: &[AxisMap]) -> Place {
        let to: Vec<DomainId> = maps.iter().map(|m| m.to).collect();
        let mut there = at.clone().without(&to);
        for map in maps {
            let position = self.position(map.to, at);
            let start = self.length(&map.start);
            let is_zero = map.start.0.is_empty();
            let read = match (map.step < 0, is_zero) {
                (false, true) => position,
                (false, false) => tree::binary(BinaryOp::Add, position, start),
                (true, true) => tree::neg(position),
                (true, false) => tree::binary(BinaryOp::Sub, start, paren_sum(position)),
            };
            // The same point under another name of the same axis.
            let is_same = map.from == map.to && map.step > 0 && is_zero;
            match (is_same, at.pos(map.to)) {
                (true, None) => {}
                (true, Some(pos)) => there = there.with(map.from, pos.clone()),
                (false, _) => there = there.with(map.from, Pos::Written(Box::new(read), 0)),
            }
        }
        there
    }
}

fn paren_sum(e: Expr) -> Expr {
    match e.kind {
        ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Sub, .. } => tree::paren(e),
        _ => e,
    }
}
