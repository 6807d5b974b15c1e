//! What each fused kernel holds, and which values go to memory.
//!
//! In: a [`Flow`] and its [`Order`]. Out: a [`Plan`]. A kernel runs nest after nest for every row. A value
//! whose readers all stand in its own nest lives in a register; a scalar is handed to later nests; anything
//! else that is read elsewhere is kept in memory, or, if that costs less, computed again by its reader.
//! Invariant: every operand of a needed value is a constant, a register of the same nest, a scalar of an
//! earlier nest, in memory, or computed again from such.

use super::Keep;
use super::order::{KernelKey, Order, Region};
use super::value::{Flow, Op, Val};
use crate::eqn::Level;
use std::collections::{BTreeMap, BTreeSet};

/// A value is computed again rather than kept if that takes at most so many operations.
const MAX_AGAIN: u32 = 4;
/// The same where as little as can be is kept: without a bound programs would grow without one.
const MOST_AGAIN: u32 = 200;

#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Live values of each kernel, in order of computation.
    pub kernels: BTreeMap<KernelKey, Vec<Val>>,
    /// For maps: the nest's place in its kernel's order.
    pub nest: Vec<u32>,
    pub in_memory: Vec<bool>,
    /// Read in memory by something outside its own kernel.
    pub leaves_kernel: Vec<bool>,
    /// Read in memory outside its own loop, or at a lag.
    pub leaves_loop: Vec<bool>,
    /// Computed again by readers in other nests and kernels.
    pub again: Vec<bool>,
    /// Parts of joined values that are written where they belong: the whole, and the part's offset.
    pub part_of: Vec<Option<(Val, usize)>>,
}

/// The loops of the nest that computes a value.
pub fn nest_extents(flow: &Flow, v: Val) -> Vec<usize> {
    let shape = |v: Val| flow.get(v).shape.clone();
    match flow.op(v) {
        Op::Reduce { arg, axis, .. } => {
            let mut extents = shape(*arg);
            if *axis < extents.len() {
                let inner = extents.remove(*axis);
                extents.push(inner);
            }
            extents
        }
        Op::ArgMax(a) | Op::SumOver(a) => shape(*a),
        Op::SumScatter { value, .. } => shape(*value),
        Op::MatMul(a, _) => {
            let mut extents = shape(v);
            extents.extend(flow.get(*a).shape.last());
            extents
        }
        Op::Literal(_) => Vec::new(),
        _ => shape(v),
    }
}

/// Whether `v` reads `o`, as it is, at the nest's own index.
pub fn reads_in_step(flow: &Flow, o: Val, v: Val) -> bool {
    let rank = flow.get(o).shape.len();
    match flow.op(v) {
        op if op.is_elementwise() => rank > 0,
        Op::Reduce { axis, .. } => axis + 1 == rank,
        Op::ArgMax(_) | Op::SumOver(_) => true,
        Op::SumScatter { value, .. } => *value == o && rank > 0,
        Op::Concat(_) => true,
        _ => false,
    }
}

/// Whether a value exists element by element while its nest runs.
fn is_in_register(op: &Op) -> bool {
    op.is_elementwise() || matches!(op, Op::Outer(..) | Op::Gather { .. } | Op::Scatter { .. })
}

pub fn plan(flow: &Flow, order: &Order, keep: Keep) -> Plan {
    let n = flow.values.len();
    let mut p = Plan {
        nest: vec![0; n],
        in_memory: vec![false; n],
        leaves_kernel: vec![false; n],
        leaves_loop: vec![false; n],
        again: vec![false; n],
        part_of: vec![None; n],
        ..Plan::default()
    };
    for v in flow.ids().filter(|v| order.live[v.index()]) {
        if let Some(key) = order.kernel[v.index()] {
            p.kernels.entry(key).or_default().push(v);
            p.nest[v.index()] = p.nest_of(flow, order, v, key);
        }
    }
    p.choose_nests(flow, order);
    let mut planner = Planner { flow, order, p, keep, soft: Vec::new() };
    planner.demands();
    planner.recompute();
    planner.parts();
    planner.p
}

impl Plan {
    fn nest_of(&self, flow: &Flow, order: &Order, v: Val, key: KernelKey) -> u32 {
        let mut nest = 0;
        for o in flow.op(v).operands() {
            let view = flow.view(o);
            let base = view.base;
            if view.lag != 0 || order.kernel[base.index()] != Some(key) || flow.op(base).is_sum() {
                continue;
            }
            let at = self.nest[base.index()];
            nest = nest.max(if self.flows(flow, o, v) { at } else { at + 1 });
        }
        nest
    }

    /// Puts values into later nests where that saves memory or a pass through a row.
    fn choose_nests(&mut self, flow: &Flow, order: &Order) {
        let mut joined = self.clone();
        joined.join_folds(flow, order);
        joined.late(flow, order);
        self.late(flow, order);
        for (key, members) in &self.kernels {
            if joined.passes(flow, order, *key) < self.passes(flow, order, *key) {
                members.iter().for_each(|v| self.nest[v.index()] = joined.nest[v.index()]);
            }
        }
    }

    /// Loops of a kernel with something in them that no other one can do as well.
    fn passes(&self, flow: &Flow, order: &Order, key: KernelKey) -> usize {
        let mut passes = BTreeSet::new();
        for v in &self.kernels[&key] {
            let is_read_here = |r: &Val| order.kernel[r.index()] == Some(key);
            let readers = &order.readers[v.index()];
            let op = flow.op(*v);
            let is_light = flow.is_cheap(*v) && !readers.is_empty() && readers.iter().all(is_read_here);
            if !is_light && !matches!(op, Op::Concat(_)) && !nest_extents(flow, *v).is_empty() {
                passes.insert((self.nest[v.index()], nest_extents(flow, *v)));
            }
        }
        passes.len()
    }

    /// Moves folds, what is made of their results, and what ends in memory to the last nest over the same axes that is early
    /// enough for their readers.
    fn join_folds(&mut self, flow: &Flow, order: &Order) {
        for (key, members) in self.kernels.clone() {
            for v in members.iter().rev() {
                let op = flow.op(*v);
                let is_fold = matches!(op, Op::Reduce { .. });
                if op.is_sum() || !(is_fold || is_in_register(op)) {
                    continue;
                }
                let from = self.nest[v.index()];
                let readers = &order.readers[v.index()];
                if readers.iter().any(|r| flow.op(*r).is_view()) {
                    continue;
                }
                let here = readers.iter().filter(|r| order.kernel[r.index()] == Some(key));
                let latest = here
                    .map(|r| self.nest[r.index()].saturating_sub(u32::from(!self.flows(flow, *v, *r))))
                    .min();
                let is_scalar = flow.get(*v).shape.is_empty() && !is_fold;
                if let (true, Some(latest)) = (is_scalar, latest) {
                    self.nest[v.index()] = latest.max(from);
                    continue;
                }
                if !is_fold && latest.is_some() {
                    continue;
                }
                let extents = nest_extents(flow, *v);
                let is_early = |nest: u32| latest.is_none_or(|latest| nest <= latest);
                let target = members
                    .iter()
                    .filter(|w| *w != v && !flow.op(**w).is_sum() && !matches!(flow.op(**w), Op::Concat(_)))
                    .filter(|w| nest_extents(flow, **w) == extents)
                    .map(|w| self.nest[w.index()])
                    .filter(|nest| *nest > from && is_early(*nest))
                    .max();
                if let Some(target) = target
                    && self.goes_along(flow, order, *v, from, &mut 0)
                {
                    self.nest[v.index()] = target;
                }
            }
        }
    }

    /// Whether what `v` reads of its nest can leave with it, or be computed again.
    fn goes_along(&self, flow: &Flow, order: &Order, v: Val, from: u32, again: &mut u32) -> bool {
        flow.op(v).operands().into_iter().all(|o| {
            let is_near = order.kernel[o.index()] == order.kernel[v.index()] && self.nest[o.index()] == from;
            if !is_near || flow.get(o).shape.is_empty() {
                return true;
            }
            if order.readers[o.index()].as_slice() != [v] {
                *again += 1;
            }
            let is_light = *again == 0 || (flow.is_cheap(o) && *again <= MAX_AGAIN);
            is_light && is_in_register(flow.op(o)) && self.goes_along(flow, order, o, from, again)
        })
    }

    /// Moves values to the nest of their readers, so that they need not be kept in between.
    fn late(&mut self, flow: &Flow, order: &Order) {
        for (key, members) in std::mem::take(&mut self.kernels) {
            for v in members.iter().rev() {
                let mut target = None;
                let mut fits = is_in_register(flow.op(*v));
                for r in &order.readers[v.index()] {
                    let here = order.kernel[r.index()] == Some(key) && self.flows(flow, *v, *r);
                    let nest = self.nest[r.index()];
                    fits &= here && *target.get_or_insert(nest) == nest;
                }
                let Some(target) = target else { continue };
                let from = self.nest[v.index()];
                // An operand that others read in the old nest would have to be kept instead.
                fits &= target > from
                    && flow.op(*v).operands().iter().all(|o| {
                        order.kernel[o.index()] != Some(key)
                            || self.nest[o.index()] != from
                            || flow.get(*o).shape.is_empty()
                            || order.readers[o.index()].as_slice() == [*v]
                    });
                if fits {
                    self.nest[v.index()] = target;
                }
            }
            self.kernels.insert(key, members);
        }
    }

    /// Whether `o` and its reader `v`, of one kernel, may share a nest.
    fn flows(&self, flow: &Flow, o: Val, v: Val) -> bool {
        if flow.op(o).is_view() || !is_in_register(flow.op(o)) || matches!(flow.op(v), Op::Concat(_)) {
            return false;
        }
        let same = nest_extents(flow, o) == nest_extents(flow, v);
        let both_scalar = flow.get(o).shape.is_empty() && flow.op(v).is_elementwise();
        same && (reads_in_step(flow, o, v) || both_scalar)
    }

    /// Whether `o` is in a register of `v`'s nest.
    pub fn in_register(&self, flow: &Flow, order: &Order, o: Val, v: Val) -> bool {
        order.kernel[o.index()].is_some()
            && order.kernel[o.index()] == order.kernel[v.index()]
            && self.nest[o.index()] == self.nest[v.index()]
            && self.flows(flow, o, v)
    }
}

struct Planner<'a> {
    flow: &'a Flow,
    order: &'a Order,
    p: Plan,
    keep: Keep,
    /// Values that are either kept or computed again, with a reader each.
    soft: Vec<(Val, Val)>,
}

impl Planner<'_> {
    fn keep(&mut self, base: Val, lag: i32, reader: Val) {
        let b = base.index();
        self.p.in_memory[b] = true;
        let other_kernel =
            self.order.kernel[b].is_none() || self.order.kernel[b] != self.order.kernel[reader.index()];
        self.p.leaves_kernel[b] |= other_kernel || lag != 0;
        self.p.leaves_loop[b] |= lag != 0 || self.order.region[b] != self.order.region[reader.index()];
    }

    fn keep_for_all(&mut self, base: Val) {
        let b = base.index();
        (self.p.in_memory[b], self.p.leaves_kernel[b], self.p.leaves_loop[b]) = (true, true, true);
    }

    fn demands(&mut self) {
        let (flow, order) = (self.flow, self.order);
        for (_, v) in &flow.outputs {
            self.keep_for_all(flow.view(*v).base);
        }
        for state in flow.states.iter().filter(|s| s.is_read()) {
            self.keep_for_all(flow.view(state.base).base);
            for v in state.boundary() {
                self.keep_for_all(flow.view(v).base);
            }
        }
        for v in flow.ids().filter(|v| order.live[v.index()]) {
            let op = flow.op(v);
            match op {
                Op::Source(_) | Op::Gram(_) | Op::Tally { .. } => self.keep_for_all(v),
                Op::At { .. } | Op::Reverse(_) => self.keep_for_all(v),
                Op::Acc(_) => (self.p.in_memory[v.index()], self.p.leaves_kernel[v.index()]) = (true, true),
                Op::SumOver(_) | Op::SumScatter { .. } => self.keep_for_all(v),
                // Rows of all steps are there at once.
                op if op.is_copy() => {
                    self.keep_for_all(v);
                    op.operands().into_iter().for_each(|o| self.keep_for_all(flow.view(o).base));
                }
                Op::Concat(_) | Op::Literal(_) => self.p.in_memory[v.index()] = true,
                Op::Reduce { .. } | Op::MatMul(..) if !flow.get(v).shape.is_empty() => {
                    self.p.in_memory[v.index()] = true;
                }
                _ => {}
            }
            if op.is_view() {
                continue;
            }
            for o in op.operands() {
                let view = flow.view(o);
                if flow.op(view.base).is_immediate() {
                    continue;
                }
                if !op.is_map() || !flow.op(view.base).is_map() || o != view.base {
                    self.keep(view.base, view.lag, v);
                } else {
                    self.demand(o, v);
                }
            }
        }
        // An accumulator whose lifted part is there before its loop begins outlives the step.
        for v in flow.ids() {
            let Op::Acc(terms) = flow.op(v) else { continue };
            let Some(l) = order.in_loop[v.index()] else { continue };
            if terms.iter().any(|t| order.in_loop[flow.view(t.vector).base.index()] != Some(l)) {
                self.p.leaves_loop[v.index()] = true;
            }
        }
    }

    /// Map `v` reads map `o` as it is.
    fn demand(&mut self, o: Val, v: Val) {
        let (flow, order) = (self.flow, self.order);
        if self.p.in_register(flow, order, o, v) {
            return;
        }
        let scalar = flow.get(o).shape.is_empty();
        let same_kernel = order.kernel[o.index()] == order.kernel[v.index()] && !flow.op(o).is_sum();
        if same_kernel && scalar && !flow.op(o).is_sum() {
            return;
        }
        let elementwise = reads_in_step(flow, o, v) || (scalar && flow.op(v).is_elementwise());
        let again = match self.keep {
            Keep::Dear => flow.is_cheap(o),
            Keep::All => false,
            Keep::Least => flow.op(o).is_elementwise() && !matches!(flow.op(o), Op::Copy(_)),
        };
        if again && elementwise {
            self.soft.push((o, v));
        } else {
            self.keep(o, 0, v);
        }
    }

    fn recompute(&mut self) {
        let mut soft = std::mem::take(&mut self.soft);
        soft.sort();
        let leaving = self.leaving(&soft);
        let mut cost: BTreeMap<Val, u32> = BTreeMap::new();
        let most = if self.keep == Keep::Least { MOST_AGAIN } else { MAX_AGAIN };
        let mut at = 0;
        while at < soft.len() {
            let o = soft[at].0;
            let end = at + soft[at..].iter().take_while(|(x, _)| *x == o).count();
            let readers = &soft[at..end];
            let price = self.price(o, !leaving.contains(&o), &cost);
            if !self.p.in_memory[o.index()] && price.is_some_and(|c| c <= most) {
                cost.insert(o, price.unwrap_or(1));
                self.p.again[o.index()] = true;
                for (_, v) in readers {
                    self.keep_leaves(o, *v);
                }
            } else {
                for (_, v) in readers {
                    self.keep(o, 0, *v);
                }
            }
            at = end;
        }
    }

    /// Values that may be computed again in other kernels than their own: for a reader there, or for one that is itself
    /// computed again there.
    fn leaving(&self, soft: &[(Val, Val)]) -> BTreeSet<Val> {
        let mut leaving = BTreeSet::new();
        // Readers have greater ids, so they come first.
        for (o, v) in soft.iter().rev() {
            if self.order.kernel[o.index()] != self.order.kernel[v.index()] || leaving.contains(o) {
                leaving.insert(*o);
                leaving.extend(self.flow.op(*o).operands());
            }
        }
        leaving
    }

    /// Operations to compute `o` again from what is in memory, if that can be done; in its own kernel scalars are at hand too.
    fn price(&self, o: Val, inside: bool, cost: &BTreeMap<Val, u32>) -> Option<u32> {
        let mut sum = 1u32;
        for x in self.flow.op(o).operands() {
            let view = self.flow.view(x);
            let op = self.flow.op(view.base);
            let scalar = self.flow.get(x).shape.is_empty()
                && x == view.base
                && self.order.kernel[x.index()] == self.order.kernel[o.index()]
                && !op.is_sum();
            if op.is_immediate() || self.p.in_memory[view.base.index()] || (inside && scalar) {
                continue;
            }
            if x == view.base && self.p.again[x.index()] {
                sum = sum.saturating_add(cost.get(&x).copied().unwrap_or(MOST_AGAIN + 1));
            } else {
                return None;
            }
        }
        Some(sum)
    }

    /// What `reader` loads when it computes `o` again.
    fn keep_leaves(&mut self, o: Val, reader: Val) {
        for x in self.flow.op(o).operands() {
            let view = self.flow.view(x);
            if self.flow.op(view.base).is_immediate() {
                continue;
            }
            if self.p.in_memory[view.base.index()] {
                self.keep(view.base, view.lag, reader);
            } else if self.p.again[x.index()] {
                self.keep_leaves(x, reader);
            }
        }
    }

    /// Parts of a joined value are computed into its columns.
    fn parts(&mut self) {
        let (flow, order) = (self.flow, self.order);
        for v in flow.ids().rev().filter(|v| order.live[v.index()]) {
            let Op::Concat(parts) = flow.op(v) else { continue };
            let mut offset = 0;
            for part in parts {
                let op = flow.op(*part);
                let kept = op.is_map() && !op.is_sum() && !matches!(op, Op::Literal(_));
                if (kept || matches!(op, Op::At { .. } | Op::Reverse(_)) || op.is_copy())
                    && flow.level(*part) == flow.level(v)
                    && self.p.part_of[part.index()].is_none()
                    && order.region[part.index()] == order.region[v.index()]
                {
                    let (p, w) = (part.index(), v.index());
                    self.p.part_of[p] = Some((v, offset));
                    self.p.in_memory[p] = true;
                    // Both live as long as the one that lives longer.
                    let kernels = self.p.leaves_kernel[p]
                        || self.p.leaves_kernel[w]
                        || order.kernel[p] != order.kernel[w];
                    let loops = self.p.leaves_loop[p] || self.p.leaves_loop[w];
                    (self.p.leaves_kernel[p], self.p.leaves_kernel[w]) = (kernels, kernels);
                    (self.p.leaves_loop[p], self.p.leaves_loop[w]) = (loops, loops);
                }
                offset += flow.get(*part).width();
            }
        }
        // Once more from the outside in: a whole may have learned from a later part.
        for v in flow.ids().rev() {
            if let Some((whole, _)) = self.p.part_of[v.index()] {
                self.p.leaves_kernel[v.index()] |= self.p.leaves_kernel[whole.index()];
                self.p.leaves_loop[v.index()] |= self.p.leaves_loop[whole.index()];
            }
        }
    }
}

/// Where the rows of a value in memory live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    Shared,
    Example,
    /// For one row of one call of a kernel.
    Row(KernelKey),
    /// For one step of a loop.
    Step(usize),
    Over(u32),
}

/// The home of a value in memory.
pub fn home(flow: &Flow, order: &Order, plan: &Plan, v: Val) -> Home {
    let i = v.index();
    match flow.level(v) {
        Level::Shared => Home::Shared,
        _ if !plan.leaves_kernel[i] && order.kernel[i].is_some() => match order.kernel[i] {
            Some(key) => Home::Row(key),
            None => Home::Shared,
        },
        Level::Example => Home::Example,
        Level::Over(d) => match order.region[i] {
            Region::Loop(l) if !plan.leaves_loop[i] && !flow.is_indexed(d) => Home::Step(l),
            _ => Home::Over(d.0),
        },
    }
}
