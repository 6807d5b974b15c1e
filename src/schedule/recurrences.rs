//! What the loops of a schedule go round for: their members, what they read of themselves, what they wait for.
//!
//! In: a [`Flow`] and its [`Order`]. Out: [`Recurrences`], for reading only; nothing is decided here. A recurrence is a
//! strongly connected component of what is left to order, so it is told as the author wrote it: by the names of its
//! states and equations, and by its reads of other points with the vector from the point that reads to the one that is read.

use super::components::components;
use super::fronts::{show_place, vector};
use super::linear::{Linearity, linearity};
use super::order::Order;
use super::value::{Flow, Op, Val};
use crate::eqn::{DomainId, DomainKind, Level, Offset};
use crate::loops::{Front, Relation};
use std::collections::BTreeSet;

pub struct Recurrences {
    /// Of each loop of the order, in that order.
    pub all: Vec<Recurrence>,
    /// What belongs to none, by the recurrences it waits for: names.
    pub pointwise: Vec<(BTreeSet<usize>, Vec<String>)>,
}

pub struct Recurrence {
    /// Those that are read at other points.
    pub states: Vec<String>,
    pub others: Vec<String>,
    /// All axes its members lie over.
    pub axes: Vec<DomainId>,
    /// The axes of its own states.
    pub state_axes: Vec<DomainId>,
    pub front: Front,
    pub reverse: bool,
    pub reads: Vec<Read>,
    /// The loop of which each step has this one.
    pub outer: Option<usize>,
    /// Those that must be finished at every point; what these wait for is left out.
    pub waits_for: BTreeSet<usize>,
    pub linear: Option<Linearity>,
}

/// A read of another point of a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// As an author writes it.
    pub text: String,
    /// Along each axis of what is read; `None`: to a child or a parent, at least one height away.
    pub vector: Option<Vec<i32>>,
    /// How many fronts earlier the point read is computed; 0 if within the same front. Of a tree: at least.
    pub earlier: i64,
    /// Those of what is read.
    pub axes: Vec<DomainId>,
}

pub fn recurrences(flow: &Flow, order: &Order) -> Recurrences {
    let (waits, outside) = waits(flow, order);
    let all = (0..order.loops.len()).map(|l| recurrence(flow, order, l, &waits[l])).collect();
    let mut pointwise: Vec<(BTreeSet<usize>, Vec<String>)> = Vec::new();
    for v in flow.ids() {
        let Some(waits) = &outside[v.index()] else { continue };
        let Some(name) = named(flow, v) else { continue };
        match pointwise.iter_mut().find(|(w, _)| w == waits) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => pointwise.push((waits.clone(), vec![name])),
        }
    }
    pointwise.sort_by_key(|(waits, _)| waits.last().copied());
    Recurrences { all, pointwise }
}

/// The author's name of a value that is computed at a point, and is no copy of another.
fn named(flow: &Flow, v: Val) -> Option<String> {
    let op = flow.op(v);
    let is_own = !matches!(op, Op::Source(_) | Op::Lag { .. } | Op::Collect { .. } | Op::Copy(_));
    let name = flow.get(v).name.as_ref()?;
    is_own.then(|| name.to_string())
}

/// A loop and those around it.
fn outwards(order: &Order, from: Option<usize>) -> impl Iterator<Item = usize> {
    std::iter::successors(from, |l| order.loops[*l].outer)
}

fn around(order: &Order, v: Val) -> impl Iterator<Item = usize> {
    outwards(order, order.in_loop[v.index()])
}

fn recurrence(flow: &Flow, order: &Order, index: usize, waits: &BTreeSet<usize>) -> Recurrence {
    let members: Vec<Val> = flow.ids().filter(|v| around(order, *v).any(|l| l == index)).collect();
    let here = &order.loops[index];
    let mut out = Recurrence {
        states: Vec::new(),
        others: Vec::new(),
        axes: Vec::new(),
        state_axes: Vec::new(),
        front: here.over.front(),
        reverse: here.reverse,
        reads: Vec::new(),
        outer: here.outer,
        waits_for: waits.clone(),
        linear: linearity(flow, &members),
    };
    let mut reads = BTreeSet::new();
    let (mut axes, mut state_axes) = (BTreeSet::new(), BTreeSet::new());
    for v in &members {
        if let Level::Over(d) = flow.level(*v) {
            axes.extend(flow.axes(d));
        }
        let Some((state, domain, offset)) = lag(flow, *v) else { continue };
        let state = &flow.states[state];
        if members.binary_search(&state.base).is_err() {
            continue;
        }
        let by = vector(&flow.domains, domain, offset);
        let leads = |l: usize| order.loops[l].over.front().lead(&by);
        if outwards(order, here.outer).any(|l| leads(l) != 0) {
            // A loop around leaves it behind.
            continue;
        }
        let (inner, base) = (order.in_loop[v.index()], order.in_loop[state.base.index()]);
        if leads(index) == 0 && inner == base && inner != Some(index) {
            // A loop inside goes round for it.
            continue;
        }
        let earlier = if here.reverse { -leads(index) } else { leads(index) };
        state_axes.extend(flow.axes(domain));
        if !out.states.contains(&state.name.to_string()) {
            out.states.push(state.name.to_string());
        }
        reads.insert(Read {
            text: format!("{}{}", state.name, show_place(&flow.domains, domain, offset)),
            vector: match offset {
                Offset::By(by) => Some(by[..flow.axes(domain).len()].to_vec()),
                _ => None,
            },
            earlier: i64::try_from(earlier).unwrap_or(i64::MAX),
            axes: flow.axes(domain),
        });
    }
    for v in &members {
        if let Some(name) = named(flow, *v)
            && !out.states.contains(&name)
            && !out.others.contains(&name)
        {
            out.others.push(name);
        }
    }
    out.reads = reads.into_iter().collect();
    out.axes = axes.into_iter().collect();
    out.state_axes = state_axes.into_iter().collect();
    out
}

/// A read of a state at another point: of which, over which domain, where.
fn lag(flow: &Flow, v: Val) -> Option<(usize, DomainId, Offset)> {
    match flow.op(v) {
        Op::Lag { state, offset } => {
            Some((state.index(), flow.states[state.index()].domain, Offset::chain(*offset)))
        }
        Op::Collect { state: Some(state), relation: Relation::Lag { domain, offset, .. }, .. } => {
            Some((state.index(), *domain, *offset))
        }
        _ => None,
    }
}

/// For each loop the outermost loops it waits for, and the same for each live value outside of all loops.
fn waits(flow: &Flow, order: &Order) -> (Vec<BTreeSet<usize>>, Vec<Option<BTreeSet<usize>>>) {
    let edges: Vec<Vec<usize>> =
        flow.ids().map(|v| flow.needs(v).into_iter().map(|o| o.index()).collect()).collect();
    let parts = components(&edges, &order.live);
    let outermost = |v: usize| around(order, Val(v as u32)).last();
    let mut of: Vec<BTreeSet<usize>> = Vec::with_capacity(parts.members.len());
    let mut loops = vec![BTreeSet::new(); order.loops.len()];
    let mut outside = vec![None; flow.values.len()];
    for (part, members) in parts.members.iter().enumerate() {
        let mut waits = BTreeSet::new();
        for o in members.iter().flat_map(|v| &edges[*v]).filter(|o| parts.of[**o] != part) {
            match outermost(*o) {
                Some(l) => _ = waits.insert(l),
                None => waits.extend(of[parts.of[*o]].iter().copied()),
            }
        }
        let implied: BTreeSet<usize> = waits.iter().flat_map(|l| loops_before(&loops, *l)).collect();
        waits.retain(|l| !implied.contains(l));
        for v in members {
            match outermost(*v) {
                Some(l) => loops[l].clone_from(&waits),
                None => outside[*v] = Some(waits.clone()),
            }
        }
        of.push(waits);
    }
    (loops, outside)
}

/// All that a loop waits for, however far.
fn loops_before(loops: &[BTreeSet<usize>], l: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut stack = vec![l];
    while let Some(l) = stack.pop() {
        stack.extend(loops[l].iter().copied().filter(|k| found.insert(*k)));
    }
    found
}

impl Flow {
    /// The axes of a domain: itself, or those of a product.
    pub fn axes(&self, domain: DomainId) -> Vec<DomainId> {
        match &self.domains[domain.index()].kind {
            DomainKind::Product(axes) => axes.clone(),
            _ => vec![domain],
        }
    }
}
