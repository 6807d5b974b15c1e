//! In which order the points of a domain are computed: hyperplanes.
//!
//! In: a graph. Out: [`Fronts`]: for every node the domain its rows belong to, with the order of these rows. A strongly
//! connected component reads its own values at other points; each read is a vector, from the point read to the point
//! that reads. Some hyperplane family leaves every such vector behind it: the points of one hyperplane (a *front*)
//! need none of each other and are computed at once (Karp, Miller, Winograd 1967; Lamport 1974). Where no family does,
//! one that leaves some vectors behind and lets none lead back serves: the others stay inside a front, as do reads along
//! axes that the members do not have in common. If they too go round, the fronts of what is left are taken within each
//! front (Allen, Kennedy 1987).
//!
//! Invariant: two values over the same axes that are computed in two orders are over two domains.

use super::components::components;
use super::errors;
use crate::diag::Diagnostic;
use crate::eqn::{Domain, DomainId, DomainKind, Graph, Level, NodeId, Offset, Op};
use crate::loops::Front;
use std::collections::{BTreeMap, BTreeSet};

/// Greatest sum of absolute coefficients of a hyperplane that is looked for, by the number of axes: so that at most a
/// million are tried.
const MAX_NORM: [u32; 7] = [0, 1, 400, 60, 30, 20, 14];

/// From the point that is read to the point that reads, along axes that are not 0.
pub type Vector = BTreeMap<DomainId, i64>;

#[derive(Clone, Debug, Default)]
pub struct Fronts {
    /// Of each node; the domain is one of `domains`.
    pub level: Vec<Level>,
    /// Those of the graph, then further orders of some.
    pub domains: Vec<Domain>,
    /// Of each domain.
    pub order: Vec<Vec<Front>>,
}

pub fn fronts(graph: &Graph, live: &[bool]) -> Result<Fronts, Diagnostic> {
    let n = graph.nodes.len();
    let mut search = Search { graph, keys: vec![None; n] };
    let reads: Vec<Vec<Need>> = (0..n).map(|i| needs(graph, i)).collect();
    let edges: Vec<Vec<usize>> = reads.iter().map(|all| all.iter().map(|r| r.node).collect()).collect();
    for members in components(&edges, live).members {
        if members.len() > 1 || edges[members[0]].contains(&members[0]) {
            search.component(&members, &reads, &[])?;
        }
    }
    let Search { keys, .. } = search;
    Ok(assign(graph, live, keys))
}

/// What a node reads.
#[derive(Clone)]
struct Need {
    node: usize,
    by: Vector,
    /// Axes along which every point may be needed.
    whole: Vec<DomainId>,
}

fn needs(graph: &Graph, node: usize) -> Vec<Need> {
    let op = &graph.nodes[node].op;
    let plain = |n: NodeId| Need { node: n.index(), by: Vector::new(), whole: Vec::new() };
    match op {
        Op::Lag { state, offset } => {
            let Some(state) = graph.states.get(state.index()) else { return Vec::new() };
            let mut needs: Vec<Need> = state.boundary().map(plain).collect();
            if let Some(def) = state.def {
                needs.push(Need { by: vector(&graph.domains, state.domain, *offset), ..plain(def) });
            }
            needs
        }
        Op::Remap { arg, maps } => {
            let whole = maps.iter().flat_map(|m| [m.from, m.to]).collect();
            vec![Need { whole, ..plain(*arg) }]
        }
        Op::Flatten { arg, grid, line, .. } => {
            let whole = grid.iter().chain([line]).copied().collect();
            vec![Need { whole, ..plain(*arg) }]
        }
        op => super::lower::operands(op).into_iter().map(plain).collect(),
    }
}

struct Search<'a> {
    graph: &'a Graph,
    /// Of the members of recurrences.
    keys: Vec<Option<Vec<Front>>>,
}

impl Search<'_> {
    fn label(&self, members: &[usize]) -> (String, Option<crate::source::Span>) {
        let nodes = || members.iter().map(|n| &self.graph.nodes[*n]);
        let node = nodes().find(|n| n.span.is_some());
        let state = nodes().find_map(|n| match n.op {
            Op::Lag { state, .. } => {
                let state = &self.graph.states[state.index()];
                let is_own = state.def.is_some_and(|d| members.binary_search(&d.index()).is_ok());
                is_own.then(|| (state.name.to_string(), state.span.or(n.span)))
            }
            _ => None,
        });
        state.unwrap_or_else(|| ("a value".into(), node.and_then(|n| n.span)))
    }

    /// Finds fronts for members that need one another, within the fronts `outer`. `reads`: what each node reads that
    /// no loop around leaves behind.
    fn component(
        &mut self,
        members: &[usize],
        reads: &[Vec<Need>],
        outer: &[Front],
    ) -> Result<(), Diagnostic> {
        let graph = self.graph;
        let (name, span) = self.label(members);
        let level = |n: &usize| graph.nodes[*n].level;
        let first = level(&members[0]);
        if matches!(first, Level::Over(d) if graph.is_chain(d)) && members.iter().all(|n| level(n) == first) {
            // A plain chain has only two orders; it is looked at when all values are known.
            return Ok(());
        }
        let mut common = graph.axes_of(first);
        for n in members {
            let axes = graph.axes_of(level(n));
            common.retain(|a| axes.contains(a));
        }
        // An axis of which a member needs every point of another is gone through as a whole.
        let is_member = |need: &&Need| members.binary_search(&need.node).is_ok();
        let own = || members.iter().flat_map(|n| &reads[*n]).filter(is_member);
        let blocked: BTreeSet<DomainId> = own().flat_map(|need| need.whole.iter().copied()).collect();
        common.retain(|a| !blocked.contains(a));
        let along = |need: &Need| -> Vec<(DomainId, i64)> {
            need.by.iter().filter(|(axis, _)| common.contains(axis)).map(|(a, k)| (*a, *k)).collect()
        };
        let vectors: BTreeSet<_> = own().map(along).filter(|by| !by.is_empty()).collect();
        if vectors.is_empty() {
            return Err(errors::needs_whole_domain(&name, span));
        }
        let Some(weights) = hyperplane(&vectors) else {
            let vectors = vectors.iter().map(|v| show_vector(&graph.domains, v)).collect::<Vec<_>>();
            return Err(errors::no_front(&name, &vectors.join(", "), span));
        };
        let reverse = weights.first().is_some_and(|(_, k)| *k < 0);
        let sign = if reverse { -1 } else { 1 };
        let front = Front(weights.into_iter().map(|(a, k)| (a, sign * k)).collect());
        let mut key = outer.to_vec();
        key.push(front.clone());
        for n in members {
            self.keys[*n] = Some(key.clone());
        }
        // What goes round within one front.
        let mut inside = vec![Vec::new(); reads.len()];
        let mut edges = vec![Vec::new(); members.len()];
        for (i, n) in members.iter().enumerate() {
            let stays = |need: &&Need| is_member(need) && front.lead(&need.by) == 0;
            inside[*n] = reads[*n].iter().filter(stays).cloned().collect();
            edges[i] = inside[*n].iter().filter_map(|r: &Need| members.binary_search(&r.node).ok()).collect();
        }
        for inner in components(&edges, &vec![true; members.len()]).members {
            if inner.len() > 1 || edges[inner[0]].contains(&inner[0]) {
                let inner: Vec<usize> = inner.into_iter().map(|i| members[i]).collect();
                self.component(&inner, &inside, &key)?;
            }
        }
        Ok(())
    }
}

/// `(i+1, j-2)`: where a point is read, seen from it.
pub fn show_vector(domains: &[Domain], vector: &[(DomainId, i64)]) -> String {
    let along =
        |(axis, k): &(DomainId, i64)| format!("{}{k:+}", domains.get(axis.index()).map_or("?", |d| &*d.var));
    format!("({})", vector.iter().map(along).collect::<Vec<_>>().join(", "))
}

/// `[prev y]`, `[y-1, x+1]`: a read of another point, as an author writes it.
pub fn show_place(domains: &[Domain], domain: DomainId, offset: Offset) -> String {
    let var = |axis: DomainId| domains.get(axis.index()).map_or("?", |d| &*d.var);
    match offset {
        Offset::By(by) => {
            let axes = match &domains[domain.index()].kind {
                DomainKind::Product(axes) => axes.clone(),
                _ => vec![domain],
            };
            let moves: Vec<(DomainId, i32)> = axes.into_iter().zip(by).collect();
            let mut moved = moves.iter().filter(|(_, k)| *k != 0);
            if let (true, Some((axis, k @ (1 | -1))), None) = (moves.len() > 1, moved.next(), moved.next()) {
                return format!("[{} {}]", if *k < 0 { "prev" } else { "next" }, var(*axis));
            }
            let along = |(axis, k): &(DomainId, i32)| match k {
                0 => var(*axis).to_string(),
                k => format!("{}{k:+}", var(*axis)),
            };
            format!("[{}]", moves.iter().map(along).collect::<Vec<_>>().join(", "))
        }
        Offset::Child(k) => format!("[{}]", edge(domains, domain, k)),
        Offset::EachChild(axis) => format!("[prev {}]", var(axis)),
        Offset::Parent(k) => format!("[next {}]", edge(domains, domain, k)),
        Offset::FromEach(axis) => format!("[next {}]", var(axis)),
    }
}

/// `left`; `child 1` if edge `k`, from 0, of the tree under a domain has no name.
fn edge(domains: &[Domain], domain: DomainId, k: u32) -> String {
    let axes = match &domains[domain.index()].kind {
        DomainKind::Product(axes) => axes.as_slice(),
        _ => &[domain],
    };
    let names = axes.iter().map(|a| &domains[a.index()].edges).find(|names| !names.is_empty());
    match names.and_then(|names| names.get(k as usize)) {
        Some(name) => name.to_string(),
        None => format!("child {}", k + 1),
    }
}

/// From the point that an offset reads to the point that reads; along a tree by height.
pub fn vector(domains: &[Domain], domain: DomainId, offset: Offset) -> Vector {
    let axes = match &domains[domain.index()].kind {
        DomainKind::Product(axes) => axes.clone(),
        _ => vec![domain],
    };
    let tree = axes.iter().copied().find(|a| matches!(domains[a.index()].kind, DomainKind::Tree { .. }));
    match offset {
        Offset::By(by) => {
            let moves = axes.into_iter().zip(by).filter(|(_, k)| *k != 0);
            moves.map(|(axis, k)| (axis, -i64::from(k))).collect()
        }
        Offset::Child(_) | Offset::EachChild(_) => tree.into_iter().map(|t| (t, 1)).collect(),
        Offset::Parent(_) | Offset::FromEach(_) => tree.into_iter().map(|t| (t, -1)).collect(),
    }
}

impl Front {
    /// How many fronts ahead a vector leads.
    pub fn lead(&self, by: &Vector) -> i128 {
        let along =
            |(axis, k): &(DomainId, i32)| i128::from(by.get(axis).copied().unwrap_or(0)) * i128::from(*k);
        self.0.iter().map(along).sum()
    }
}

/// The smallest whole weights by which every vector leads ahead, by their sum, then as they are found; if there are none,
/// those by which some vectors do and none leads back.
fn hyperplane(vectors: &BTreeSet<Vec<(DomainId, i64)>>) -> Option<Vec<(DomainId, i32)>> {
    let axes: Vec<DomainId> =
        vectors.iter().flatten().map(|(a, _)| *a).collect::<BTreeSet<_>>().into_iter().collect();
    let rows: Vec<Vec<i64>> = vectors
        .iter()
        .map(|v| axes.iter().map(|a| v.iter().find(|(x, _)| x == a).map_or(0, |(_, k)| *k)).collect())
        .collect();
    let product =
        |row: &Vec<i64>, w: &[i32]| row.iter().zip(w).map(|(d, k)| i128::from(*d) * i128::from(*k)).sum();
    let all = |w: &[i32]| rows.iter().map(|row| product(row, w)).all(|lead: i128| lead >= 1);
    let some = |w: &[i32]| {
        let mut leads = rows.iter().map(|row| -> i128 { product(row, w) });
        leads.clone().any(|lead| lead >= 1) && leads.all(|lead| lead >= 0)
    };
    let most = MAX_NORM[axes.len().min(MAX_NORM.len() - 1)];
    let mut weights = vec![0; axes.len()];
    let found = (1..=most).any(|norm| try_weights(&mut weights, 0, norm, &all))
        || (1..=most).any(|norm| try_weights(&mut weights, 0, norm, &some));
    found.then(|| axes.into_iter().zip(weights).filter(|(_, k)| *k != 0).collect())
}

/// All weights from index `at` on with this sum of absolute values, great and positive ones first.
fn try_weights(weights: &mut [i32], at: usize, rest: u32, fits: &impl Fn(&[i32]) -> bool) -> bool {
    let rest = rest as i32;
    if at + 1 >= weights.len() {
        return [rest, -rest].into_iter().any(|k| {
            weights[at] = k;
            fits(weights)
        });
    }
    (0..=rest).rev().any(|size| {
        [size, -size].into_iter().any(|k| {
            weights[at] = k;
            try_weights(weights, at + 1, (rest - size) as u32, fits)
        })
    })
}

/// Domains for all orders, and for every node the one whose order suits it.
fn assign(graph: &Graph, live: &[bool], keys: Vec<Option<Vec<Front>>>) -> Fronts {
    let mut out = Fronts {
        level: graph.nodes.iter().map(|n| n.level).collect(),
        domains: graph.domains.clone(),
        order: vec![Vec::new(); graph.domains.len()],
    };
    let indexed = |level: Level| match level {
        Level::Over(d) if !graph.is_chain(d) => Some(d),
        _ => None,
    };
    // An order that refines another serves both.
    let mut orders: BTreeMap<DomainId, Vec<Vec<Front>>> = BTreeMap::new();
    for (n, key) in keys.iter().enumerate() {
        let (Some(key), Some(d)) = (key, indexed(graph.nodes[n].level)) else { continue };
        let known = orders.entry(d).or_default();
        if let Some(coarse) = known.iter_mut().find(|k| key.starts_with(k)) {
            coarse.clone_from(key);
        } else if !known.iter().any(|k| k.starts_with(key)) {
            known.push(key.clone());
        }
    }
    let mut domains: BTreeMap<DomainId, Vec<DomainId>> = BTreeMap::new();
    for (d, orders) in &orders {
        for (i, order) in orders.iter().enumerate() {
            let id = if i == 0 { *d } else { DomainId(out.domains.len() as u32) };
            if i > 0 {
                out.domains.push(graph.domains[d.index()].clone());
                out.order.push(Vec::new());
            }
            out.order[id.index()].clone_from(order);
            domains.entry(*d).or_default().push(id);
        }
    }
    let mut decided = vec![false; graph.nodes.len()];
    for (n, key) in keys.iter().enumerate() {
        let (Some(key), Some(d)) = (key, indexed(graph.nodes[n].level)) else { continue };
        let of = domains.get(&d).into_iter().flatten();
        if let Some(id) = of.copied().find(|id| out.order[id.index()].starts_with(key)) {
            out.level[n] = Level::Over(id);
            decided[n] = true;
        }
    }
    // Everything else follows what it reads.
    for (n, node) in graph.nodes.iter().enumerate().filter(|(n, _)| live[*n]) {
        if decided[n] || indexed(node.level).is_none() {
            continue;
        }
        let reads = match &node.op {
            Op::Lag { state, .. } => graph.states[state.index()].def.into_iter().collect(),
            op => super::lower::operands(op),
        };
        let same = |r: &&NodeId| decided[r.index()] && graph.nodes[r.index()].level == node.level;
        if let Some(r) = reads.iter().find(same) {
            out.level[n] = out.level[r.index()];
            decided[n] = true;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(vectors: &[&[i64]]) -> Option<Vec<i32>> {
        let axes = |v: &&[i64]| {
            let moves = v.iter().enumerate().filter(|(_, k)| **k != 0);
            moves.map(|(i, k)| (DomainId(i as u32), *k)).collect::<Vec<_>>()
        };
        let found = hyperplane(&vectors.iter().map(axes).collect())?;
        let mut all = vec![0; vectors[0].len()];
        found.into_iter().for_each(|(a, k)| all[a.index()] = k);
        Some(all)
    }

    #[test]
    fn the_smallest_hyperplane_is_found() {
        assert_eq!(weights(&[&[1, 0], &[0, 1]]), Some(vec![1, 1]));
        assert_eq!(weights(&[&[1, 0], &[0, -1]]), Some(vec![1, -1]));
        assert_eq!(weights(&[&[1, 0]]), Some(vec![1, 0]));
        // The row above, up to three to the right.
        assert_eq!(weights(&[&[1, -3], &[0, 1]]), Some(vec![4, 1]));
        assert_eq!(weights(&[&[-2, 0, 0], &[0, 1, 0], &[0, 0, 1]]), Some(vec![-1, 1, 1]));
    }

    #[test]
    fn a_hyperplane_for_some_leads_none_back() {
        assert_eq!(weights(&[&[0, 1], &[0, -1], &[1, 0]]), Some(vec![1, 0]));
        assert_eq!(weights(&[&[1, -1, 2], &[-1, 1, 2], &[0, 1, -1000], &[0, 1, 3]]), Some(vec![1, 1, 0]));
        // One that is ahead of all would have weights beyond all that are tried.
        assert_eq!(weights(&[&[1, -5000], &[0, 1]]), Some(vec![1, 0]));
    }

    #[test]
    fn reads_from_all_sides_have_none() {
        assert_eq!(weights(&[&[1, 0], &[-1, 0]]), None);
        assert_eq!(weights(&[&[1, 1], &[-1, 0], &[0, -1]]), None);
    }
}
