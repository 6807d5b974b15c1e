//! Where each value lies: buffers and columns.
//!
//! In: what is in memory. Out: a [`Layout`]. Values that products read or write together are neighbours: accumulators
//! that share operands (one product writes them all), values that feed the same accumulators (one product
//! reads them all), gradients of matrices whose left vectors are neighbours.
//! Invariant: every value in memory has a place; places of two values overlap only where one is a part of
//! the other.

use super::fuse::{Home, Plan, home};
use super::order::{KernelKey, Order};
use super::value::{Flow, GramTerm, Op, Val, View};
use crate::eqn::{DomainId, Level};
use crate::loops::{Buffer, BufferId, Elem, Operand, Place};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub buffers: Vec<Buffer>,
    pub at: Vec<Option<(BufferId, usize)>>,
}

impl Layout {
    /// The operand of a contiguous view, if its base is in memory.
    pub fn operand(&self, view: &View) -> Option<Operand> {
        let (buffer, column) = self.at.get(view.base.index()).copied().flatten()?;
        Some(Operand { buffer, column: column + view.offset, lag: view.lag })
    }
}

pub fn layout(flow: &Flow, order: &Order, plan: &Plan) -> Layout {
    let mut packer =
        Packer { flow, order, plan, out: Layout { buffers: Vec::new(), at: vec![None; flow.values.len()] } };
    let free: Vec<Val> = flow
        .ids()
        .filter(|v| order.live[v.index()] && plan.in_memory[v.index()] && plan.part_of[v.index()].is_none())
        .collect();
    packer.accumulators(&free);
    packer.in_place(&free);
    packer.operands(&free);
    let is_gram = |v: &Val| matches!(flow.op(*v), Op::Gram(_));
    for v in free.iter().filter(|v| !is_gram(v)) {
        if packer.out.at[v.index()].is_none() {
            packer.place(&[*v]);
        }
    }
    // From the last to the first: a whole has its place before its parts.
    for v in flow.ids().rev() {
        if let Some((whole, offset)) = plan.part_of[v.index()]
            && let Some((buffer, column)) = packer.out.at[whole.index()]
        {
            packer.out.at[v.index()] = Some((buffer, column + offset));
        }
    }
    let grams: Vec<Val> = free.iter().copied().filter(is_gram).collect();
    packer.gradients(&grams);
    packer.halos();
    packer.out
}

struct Packer<'a> {
    flow: &'a Flow,
    order: &'a Order,
    plan: &'a Plan,
    out: Layout,
}

impl Packer<'_> {
    fn home(&self, v: Val) -> Home {
        home(self.flow, self.order, self.plan, v)
    }

    /// Neighbours are of one kind: in the same rows, made by the same loop, and neither waits for cotangents where the other does not.
    fn kind(&self, v: Val) -> (Home, Option<usize>, bool) {
        (self.home(v), self.order.in_loop[v.index()], self.order.is_late[v.index()])
    }

    /// A new buffer for the values, side by side.
    fn place(&mut self, values: &[Val]) {
        let Some(first) = values.first() else { return };
        let place = match self.home(*first) {
            Home::Shared | Home::Row(_) => Place::Shared,
            Home::Example | Home::Step(_) => Place::Example,
            Home::Over(d) => Place::Over { domain: DomainId(d), before: 0, after: 0 },
        };
        let id = BufferId(self.out.buffers.len() as u32);
        let mut width = 0;
        let mut names = Vec::new();
        for v in values {
            self.out.at[v.index()] = Some((id, width));
            width += self.flow.get(*v).width();
            names.push(self.flow.label(*v));
        }
        let elem = if self.flow.get(*first).is_id { Elem::I32 } else { Elem::F32 };
        self.out.buffers.push(Buffer { name: names.join("|"), place, width, elem });
    }

    fn accumulators(&mut self, free: &[Val]) {
        let mut items = Vec::new();
        for v in free {
            if let Op::Acc(terms) = self.flow.op(*v) {
                let features = terms.iter().map(|t| self.flow.view(t.vector)).collect();
                items.push((*v, self.kind(*v), features));
            }
        }
        for cluster in clusters(items) {
            self.place(&cluster);
        }
    }

    /// What a kernel computes from an accumulator that nothing else reads takes its place.
    fn in_place(&mut self, free: &[Val]) {
        let feeds = self.feeds();
        let mut taken: BTreeMap<KernelKey, Vec<Val>> = BTreeMap::new();
        for v in free {
            if matches!(self.flow.op(*v), Op::Acc(_))
                && let Some(key) = self.dies_in(*v)
            {
                taken.entry(key).or_default().push(*v);
            }
        }
        for (key, mut dying) in taken {
            for v in self.plan.kernels.get(&key).cloned().unwrap_or_default() {
                let fits = self.plan.in_memory[v.index()]
                    && self.plan.part_of[v.index()].is_none()
                    && self.flow.op(v).is_elementwise()
                    && !feeds.contains_key(&v);
                if !fits {
                    continue;
                }
                let found = dying.iter().position(|z| {
                    self.home(*z) == self.home(v)
                        && self.flow.get(*z).shape == self.flow.get(v).shape
                        && self.order.readers[z.index()].iter().all(|r| {
                            self.plan.nest[r.index()] <= self.plan.nest[v.index()]
                                && self.flow.get(*r).shape == self.flow.get(v).shape
                        })
                });
                if let Some(i) = found {
                    let z = dying.remove(i);
                    self.out.at[v.index()] = self.out.at[z.index()];
                    if let Some((buffer, _)) = self.out.at[z.index()]
                        && let Some(b) = self.out.buffers.get_mut(buffer.index())
                    {
                        b.name = b.name.replace(&self.flow.label(z), &self.flow.label(v));
                    }
                }
            }
        }
    }

    /// The kernel that alone reads an accumulator, element by element.
    fn dies_in(&self, z: Val) -> Option<KernelKey> {
        let kept =
            self.flow.outputs.iter().any(|(_, v)| self.flow.view(*v).base == z)
                || self.flow.states.iter().any(|s| {
                    std::iter::once(s.base).chain(s.boundary()).any(|v| self.flow.view(v).base == z)
                });
        let mut key = None;
        for r in &self.order.readers[z.index()] {
            let own = self.order.kernel[r.index()]?;
            if *key.get_or_insert(own) != own
                || !self.flow.op(*r).is_elementwise()
                || self.plan.again[r.index()]
            {
                return None;
            }
        }
        if kept { None } else { key }
    }

    /// The accumulators a value is an operand of, with the lag.
    fn feeds(&self) -> BTreeMap<Val, Vec<(Val, i32)>> {
        let mut feeds: BTreeMap<Val, Vec<(Val, i32)>> = BTreeMap::new();
        for v in self.flow.ids().filter(|v| self.order.live[v.index()]) {
            if let Op::Acc(terms) = self.flow.op(v) {
                for t in terms {
                    let view = self.flow.view(t.vector);
                    feeds.entry(view.base).or_default().push((v, view.lag));
                }
            }
        }
        feeds
    }

    fn operands(&mut self, free: &[Val]) {
        let mut feeds = self.feeds();
        let mut items = Vec::new();
        for v in free {
            let op = self.flow.op(*v);
            let Some(features) = feeds.remove(v) else { continue };
            let placed = self.out.at[v.index()].is_some();
            if !placed
                && (op.is_map() || op.is_copy() || matches!(op, Op::At { .. }))
                && self.flow.get(*v).shape.len() == 1
            {
                items.push((*v, self.kind(*v), features));
            }
        }
        for mut cluster in clusters(items) {
            // What is taken from neighbours follows their order: one product may do for both.
            cluster.sort_by_key(|v| match self.flow.op(*v) {
                Op::At { arg, .. } => self.out.operand(&self.flow.view(*arg)).map(|o| (o.buffer, o.column)),
                _ => None,
            });
            self.place(&cluster);
        }
    }

    /// Gradients of matrices with the same right vectors follow the order of their left vectors.
    fn gradients(&mut self, grams: &[Val]) {
        type Key = Vec<(View, usize, usize, usize)>;
        let mut groups: BTreeMap<(Key, Level, bool), Vec<Val>> = BTreeMap::new();
        for v in grams {
            let Op::Gram(terms) = self.flow.op(*v) else { continue };
            let columns = self.flow.get(*v).shape.get(1).copied().unwrap_or(1);
            let key = terms.iter().map(|t| (self.flow.view(t.b), t.row, t.column, columns)).collect();
            let level = terms.first().map_or(Level::Shared, |t| self.flow.level(t.b));
            groups.entry((key, level, self.order.is_late[v.index()])).or_default().push(*v);
        }
        for (_, mut group) in groups {
            let left = |t: &GramTerm| self.out.operand(&self.flow.view(t.a));
            let lefts = |v: &Val| -> Vec<Option<(u32, i32, usize)>> {
                match self.flow.op(*v) {
                    Op::Gram(terms) => {
                        terms.iter().map(|t| left(t).map(|o| (o.buffer.0, o.lag, o.column))).collect()
                    }
                    _ => Vec::new(),
                }
            };
            group.sort_by_key(|v| (lefts(v), *v));
            self.place(&group);
        }
    }

    fn halos(&mut self) {
        for state in &self.flow.states {
            if let Some((buffer, _)) = self.out.at[state.base.index()]
                && (state.before > 0 || state.after > 0)
                && let Place::Over { before, after, .. } = &mut self.out.buffers[buffer.index()].place
            {
                *before = (*before).max(state.before);
                *after = (*after).max(state.after);
            }
        }
    }
}

/// Groups items of one kind that share features, each group in an order that makes sharers neighbours.
fn clusters<K: Ord + Clone, F: Ord + Clone>(items: Vec<(Val, K, Vec<F>)>) -> Vec<Vec<Val>> {
    // Union by feature.
    let mut parent: Vec<usize> = (0..items.len()).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    let mut first: BTreeMap<(K, F), usize> = BTreeMap::new();
    let mut frequency: BTreeMap<F, usize> = BTreeMap::new();
    for (i, (_, kind, features)) in items.iter().enumerate() {
        for f in features {
            *frequency.entry(f.clone()).or_default() += 1;
            let other = *first.entry((kind.clone(), f.clone())).or_insert(i);
            let (a, b) = (root(&mut parent, i), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in 0..items.len() {
        let r = root(&mut parent, i);
        groups.entry(r).or_default().push(i);
    }
    let mut out = Vec::new();
    for (_, mut group) in groups {
        // The most shared feature decides first.
        let signature = |i: &usize| {
            let mut features = items[*i].2.clone();
            features.sort_by_key(|f| (std::cmp::Reverse(frequency[f]), f.clone()));
            let ranked: Vec<_> =
                features.iter().map(|f| (std::cmp::Reverse(frequency[f]), f.clone())).collect();
            (ranked, items[*i].0)
        };
        group.sort_by_cached_key(signature);
        out.push(group.into_iter().map(|i| items[i].0).collect());
    }
    out
}
