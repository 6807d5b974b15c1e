//! When each value is computed: in preparation, over whole domains, or step by step in a loop.
//!
//! In: a [`Flow`]. Out: an [`Order`]. Time is counted in slots. Within a slot come boundary values, then
//! products, then fused kernels, then loops, then stages that read whole domains. A recurrent component is
//! one loop at one slot, with slots of its own inside. Invariant: whatever a value reads is there
//! before its slot, or earlier in the same fused kernel.

use super::components::components;
use super::errors;
use super::fronts;
use super::value::{Flow, Op, Term, Val};
use crate::diag::Diagnostic;
use crate::eqn::{DomainId, Level, SourceKind};
use crate::loops::{Front, Relation};
use std::collections::BTreeMap;

/// A kernel of one row that holds so many values takes in no more that read none of it. It gains nothing by doing much, and the
/// time to generate code grows faster than its length.
const FULL: usize = 32;

/// A stretch of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// Once after parameters change.
    Prepare,
    /// Once a run, over whole domains.
    Run,
    /// Every step of a loop.
    Loop(usize),
}

/// A fused kernel: where it runs, over which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelKey {
    pub region: Region,
    pub slot: u32,
    pub place: Level,
}

/// What a loop goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// The steps of a chain, and with them the rows of all domains that are sorted by it.
    Chain(DomainId),
    /// The fronts of domains whose rows are sorted by it.
    Fronts(Front),
}

impl Over {
    pub fn front(&self) -> Front {
        match self {
            Over::Chain(axis) => Front(vec![(*axis, 1)]),
            Over::Fronts(front) => front.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Loop {
    pub over: Over,
    pub reverse: bool,
    /// The loop that each step of which has this loop.
    pub outer: Option<usize>,
    /// In the region around.
    pub slot: u32,
    /// Without those of loops inside.
    pub members: Vec<Val>,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub live: Vec<bool>,
    pub loops: Vec<Loop>,
    /// The loop whose recurrence a value belongs to.
    pub in_loop: Vec<Option<usize>>,
    /// The region a value is computed in.
    pub region: Vec<Region>,
    /// The slot within the region.
    pub slot: Vec<u32>,
    /// For maps: the kernel.
    pub kernel: Vec<Option<KernelKey>>,
    /// Readers at the same point, through no view; views are readers of their operand.
    pub readers: Vec<Vec<Val>>,
    /// What depends on a cotangent, if that is to come behind everything else.
    pub is_late: Vec<bool>,
    /// The first slot of that.
    behind: u32,
}

impl Order {
    pub fn is_prepared(&self, v: Val) -> bool {
        self.region[v.index()] == Region::Prepare
    }
}

/// `apart`: whatever depends on a cotangent comes behind all that does not.
pub fn order(flow: &Flow, apart: bool) -> Result<Order, Diagnostic> {
    let n = flow.values.len();
    let edges: Vec<Vec<usize>> =
        flow.ids().map(|v| flow.needs(v).into_iter().map(|o| o.index()).collect()).collect();
    let live = live_values(flow, &edges);
    let mut readers = vec![Vec::new(); n];
    for v in flow.ids().filter(|v| live[v.index()]) {
        for o in flow.op(v).operands() {
            if readers[o.index()].last() != Some(&v) {
                readers[o.index()].push(v);
            }
        }
    }
    let mut order = Order {
        region: prepared(flow),
        live,
        loops: Vec::new(),
        in_loop: vec![None; n],
        slot: vec![0; n],
        kernel: vec![None; n],
        readers,
        is_late: vec![false; n],
        behind: 0,
    };
    let mut carried = vec![false; n];
    let mut sizes = BTreeMap::new();
    let parts = components(&edges, &order.live);
    if apart {
        order.is_late = late(flow, &edges, &parts.members);
    }
    // Nothing early depends on anything late, so dependences still come first.
    let is_late = |members: &Vec<usize>| members.iter().any(|v| order.is_late[*v]);
    let (behind, first): (Vec<_>, Vec<_>) = parts.members.iter().partition(|members| is_late(members));
    for members in first.into_iter().chain(behind) {
        if members.iter().any(|v| order.is_late[*v]) && order.behind == 0 {
            order.behind = order.last_slot(flow) + 2;
        }
        let recurrent = members.len() > 1 || members.iter().any(|v| edges[*v].contains(v));
        let members: Vec<Val> = members.iter().map(|v| Val(*v as u32)).collect();
        if recurrent {
            order.recurrence(flow, members, &edges, None, &mut carried)?;
        } else {
            for v in members {
                order.single(flow, v, &edges, &mut sizes);
            }
        }
    }
    order.sink(flow);
    Ok(order)
}

/// The values of components, dependences first, that depend on a cotangent.
fn late(flow: &Flow, edges: &[Vec<usize>], components: &[Vec<usize>]) -> Vec<bool> {
    let mut is_late = vec![false; edges.len()];
    for members in components {
        let late = members
            .iter()
            .any(|v| flow.is_cotangent(Val(*v as u32)) || edges[*v].iter().any(|o| is_late[*o]));
        members.iter().for_each(|v| is_late[*v] = late);
    }
    is_late
}

fn live_values(flow: &Flow, edges: &[Vec<usize>]) -> Vec<bool> {
    let mut live = vec![false; flow.values.len()];
    let mut stack: Vec<usize> = flow.outputs.iter().map(|(_, v)| v.index()).collect();
    while let Some(v) = stack.pop() {
        if !std::mem::replace(&mut live[v], true) {
            stack.extend(&edges[v]);
        }
    }
    live
}

/// What depends on parameters alone is prepared.
fn prepared(flow: &Flow) -> Vec<Region> {
    let mut region = vec![Region::Run; flow.values.len()];
    for v in flow.ids() {
        let fixed = flow.level(v) == Level::Shared
            && match flow.op(v) {
                Op::Source(s) => matches!(flow.sources[s.index()].kind, SourceKind::Param(_)),
                Op::SumOver(_) | Op::SumScatter { .. } => false,
                // Of matrices it is known as soon as they are; of vectors these are not prepared.
                Op::At { .. } | Op::Reverse(_) | Op::Lag { .. } => false,
                op if op.is_copy() => false,
                op => op.operands().iter().all(|o| region[o.index()] == Region::Prepare),
            };
        if fixed {
            region[v.index()] = Region::Prepare;
        }
    }
    region
}

/// The rows a map is computed at: a sum's are those of what it sums.
pub fn place(flow: &Flow, v: Val) -> Level {
    match flow.op(v) {
        Op::SumOver(a) => flow.level(*a),
        Op::SumScatter { index, value } => flow.level(*index).max(flow.level(*value)),
        _ => flow.level(v),
    }
}

impl Order {
    /// The first slot of region [`Region::Run`] (or `Prepare`) at which a finished value can be read.
    pub fn available(&self, flow: &Flow, v: Val) -> u32 {
        self.available_in(flow, v, None)
    }

    /// The first slot at which a finished value can be read within each step of a loop (`None`: outside of all).
    fn available_in(&self, flow: &Flow, v: Val, around: Option<usize>) -> u32 {
        let mut at = self.in_loop[v.index()];
        let mut inside = None;
        while at != around {
            // A value from outside of the loop is there from its start.
            let Some(l) = at else { return 0 };
            (inside, at) = (Some(l), self.loops[l].outer);
        }
        if let Some(l) = inside {
            return self.loops[l].slot + 1;
        }
        let slot = self.slot[v.index()];
        match flow.op(v) {
            op if op.is_immediate() => 0,
            // What late values read first.
            Op::Source(_) if flow.is_cotangent(v) => self.behind,
            Op::Source(_) => 0,
            // Products come before kernels within a slot; a view is as old as what it reads.
            Op::Acc(_) => slot,
            op if op.is_view() => slot,
            _ => slot + 1,
        }
    }

    /// Of what is ordered so far, outside of loops.
    fn last_slot(&self, flow: &Flow) -> u32 {
        let outside = flow.ids().filter(|v| self.live[v.index()] && self.in_loop[v.index()].is_none());
        let loops = self.loops.iter().filter(|l| l.outer.is_none()).map(|l| l.slot);
        outside.map(|v| self.slot[v.index()]).chain(loops).max().unwrap_or(0)
    }

    /// The innermost loop around both.
    fn around(&self, a: Val, b: Val) -> Option<usize> {
        let outwards = |v: Val| std::iter::successors(self.in_loop[v.index()], |l| self.loops[*l].outer);
        outwards(a).find(|l| outwards(b).any(|k| k == *l))
    }

    /// When a term of an accumulator is computed. One whose operand the accumulator's own loop does not make is
    /// lifted: one product for all its steps, before the loop.
    pub fn moment(&self, flow: &Flow, v: Val, t: &Term) -> (Region, u32) {
        let base = flow.view(t.vector).base;
        let around = self.around(v, base);
        if let Some(l) = around
            && self.in_loop[v.index()] == around
            && self.in_loop[base.index()] == around
        {
            return (Region::Loop(l), self.inside(flow, v, t.vector));
        }
        let ready = |o: Val| {
            if self.is_prepared(o) {
                return 0;
            }
            let base = flow.view(o).base;
            let raw = matches!(flow.op(base), Op::Acc(_)) && self.in_loop[base.index()] == around;
            self.available_in(flow, o, around) + u32::from(raw)
        };
        (around.map_or(Region::Run, Region::Loop), ready(t.vector).max(ready(t.matrix)))
    }

    /// `sizes`: how much each kernel holds so far.
    fn single(&mut self, flow: &Flow, v: Val, edges: &[Vec<usize>], sizes: &mut BTreeMap<KernelKey, usize>) {
        let op = flow.op(v);
        let (at, here) = (place(flow, v), self.region[v.index()]);
        let mut slot = 0;
        for o in edges[v.index()].iter().map(|o| Val(*o as u32)) {
            // Prepared values are there from the start.
            if self.is_prepared(o) && here != Region::Prepare {
                continue;
            }
            slot = slot.max(self.read_from(flow, v, o, at));
        }
        if matches!(op, Op::Acc(_)) {
            // An accumulator that another one reads as it is must come in an earlier slot.
            for o in op.operands() {
                let base = flow.view(o).base;
                if matches!(flow.op(base), Op::Acc(_)) && self.in_loop[base.index()].is_none() {
                    slot = slot.max(self.slot[base.index()] + 1);
                }
            }
        }
        if op.is_map() {
            let mut key = KernelKey { region: here, slot, place: at };
            let reads =
                |key| op.operands().iter().any(|o| self.kernel[flow.view(*o).base.index()] == Some(key));
            if at == Level::Shared && !reads(key) {
                while sizes.get(&key).is_some_and(|size| *size >= FULL) {
                    key.slot += 1;
                }
            }
            *sizes.entry(key).or_default() += 1;
            self.kernel[v.index()] = Some(key);
            slot = key.slot;
        }
        self.slot[v.index()] = slot;
    }

    /// The slot from which `v`, computed at rows `at`, can read `o`.
    fn read_from(&self, flow: &Flow, v: Val, o: Val, at: Level) -> u32 {
        if matches!(flow.op(v), Op::Lag { .. }) {
            return self.available(flow, o);
        }
        // Within one kernel an earlier value can be read at once, also through a view at no lag.
        let view = flow.view(o);
        let base = view.base;
        let same = self.kernel[base.index()].is_some_and(|k| {
            k.region == self.region[v.index()] && k.place == at && self.in_loop[base.index()].is_none()
        });
        let op = flow.op(v);
        if same && view.lag == 0 && !flow.op(base).is_sum() && (op.is_map() || op.is_view()) {
            // A view's own slot says when it can be read from elsewhere.
            return if op.is_view() { self.available(flow, base) } else { self.slot[base.index()] };
        }
        self.available(flow, o)
    }

    /// The direction in which a member's read of another point leads: 0 if not across steps or fronts.
    fn lead(flow: &Flow, v: Val, front: &Front) -> i128 {
        match flow.op(v) {
            Op::Lag { offset, .. } => -i128::from(*offset),
            Op::Collect { relation: Relation::Lag { domain, offset, .. }, .. } => {
                front.lead(&fronts::vector(&flow.domains, *domain, *offset))
            }
            _ => 0,
        }
    }

    /// What all members of a recurrence go along.
    fn front(flow: &Flow, members: &[Val], depth: usize) -> Result<Front, Diagnostic> {
        let mut found: Option<Front> = None;
        for v in members {
            let value = flow.get(*v);
            let own = match value.level {
                Level::Over(d) if flow.is_indexed(d) => flow.order[d.index()].get(depth).cloned(),
                Level::Over(d) if depth == 0 => Some(Front(vec![(d, 1)])),
                _ => None,
            };
            let whole = matches!(value.op, Op::At { .. } | Op::Reverse(_) | Op::Gram(_) | Op::Tally { .. })
                || value.op.is_sum();
            match own {
                Some(own) if !whole && *found.get_or_insert_with(|| own.clone()) == own => {}
                _ => return Err(errors::needs_whole_domain(&flow.label(*v), value.span)),
            }
        }
        found.ok_or_else(|| errors::malformed("a recurrence without values", None))
    }

    /// `outer`: the loop of which each step has this one. `carried`: reads that a loop around leaves behind.
    fn recurrence(
        &mut self,
        flow: &Flow,
        members: Vec<Val>,
        edges: &[Vec<usize>],
        outer: Option<usize>,
        carried: &mut [bool],
    ) -> Result<(), Diagnostic> {
        let index = self.loops.len();
        let depth = std::iter::successors(outer, |l| self.loops[*l].outer).count();
        let front = Self::front(flow, &members, depth)?;
        let over = match front.0[..] {
            [(axis, _)] if !flow.is_indexed(axis) => Over::Chain(axis),
            _ => Over::Fronts(front.clone()),
        };
        self.loops.push(Loop { over, reverse: false, outer, slot: 0, members: Vec::new() });
        for v in &members {
            self.in_loop[v.index()] = Some(index);
        }
        let mut reverse = None;
        let mut slot = 0;
        // Members that a member needs at the same step or front.
        let mut here: Vec<Vec<usize>> = Vec::with_capacity(members.len());
        for v in &members {
            let (value, lead) = (flow.get(*v), Self::lead(flow, *v, &front));
            let base = value.op.state().map(|s| flow.states[s.index()].base);
            let was_carried = carried[v.index()];
            let is_own = base.is_some_and(|b| self.in_loop[b.index()] == Some(index)) && !was_carried;
            // A plain lag leads somewhere whatever it reads.
            if lead != 0 && (is_own || matches!(value.op, Op::Lag { .. })) {
                if reverse.is_some_and(|r| r != (lead < 0)) {
                    let name = base.map(|b| flow.label(b)).unwrap_or_default();
                    return Err(errors::no_order(&name, value.span));
                }
                reverse = Some(lead < 0);
                carried[v.index()] = true;
            }
            let mut needs = Vec::new();
            for o in edges[v.index()].iter().map(|o| Val(*o as u32)) {
                if base == Some(o) && carried[v.index()] && (was_carried || is_own) {
                    continue;
                }
                if self.in_loop[o.index()] == Some(index) {
                    needs.extend(members.binary_search(&o).ok());
                } else if !self.is_prepared(o) {
                    slot = slot.max(self.available_in(flow, o, outer));
                }
            }
            if let Op::Acc(terms) = &value.op {
                let lifted = terms.iter().map(|t| self.moment(flow, *v, t));
                let around = outer.map_or(Region::Run, Region::Loop);
                slot =
                    lifted.filter(|(region, _)| *region == around).fold(slot, |slot, (_, at)| slot.max(at));
            }
            here.push(needs);
        }
        let Some(reverse) = reverse else {
            // A cycle at one point: the graph breaks its first invariant.
            return Err(errors::malformed("a value depends on itself at the same point", None));
        };
        (self.loops[index].reverse, self.loops[index].slot) = (reverse, slot);
        let region = Region::Loop(index);
        for part in components(&here, &vec![true; members.len()]).members {
            let v = members[part[0]];
            if part.len() > 1 || here[part[0]].contains(&part[0]) {
                let inner = part.into_iter().map(|i| members[i]).collect();
                self.recurrence(flow, inner, edges, Some(index), carried)?;
                continue;
            }
            self.region[v.index()] = region;
            let from = |o: &usize| match members[*o] {
                o if self.in_loop[o.index()] == Some(index) => self.inside(flow, v, o),
                o => self.available_in(flow, o, Some(index)),
            };
            let at = here[part[0]].iter().map(from).max().unwrap_or(0);
            self.slot[v.index()] = at;
            if flow.op(v).is_map() {
                self.kernel[v.index()] = Some(KernelKey { region, slot: at, place: flow.level(v) });
            }
            self.loops[index].members.push(v);
        }
        self.loops[index].members.sort();
        Ok(())
    }

    /// The slot within a loop from which member `v` can read member `o`.
    pub fn inside(&self, flow: &Flow, v: Val, o: Val) -> u32 {
        let view = flow.view(o);
        if view.lag != 0 {
            return 0;
        }
        let slot = self.slot[view.base.index()];
        match (flow.op(view.base), flow.op(v)) {
            // Copies come last in a slot.
            (op, _) if op.is_copy() => slot + 1,
            (Op::Acc(_), Op::Acc(_)) => slot + 1,
            (Op::Acc(_), _) => slot,
            // Maps read maps within one kernel; a view is read by whoever reads it.
            (_, op) if op.is_map() || op.is_view() => slot,
            _ => slot + 1,
        }
    }

    /// Moves a map whose readers are all in one later kernel into that kernel, unless more would have to be
    /// kept in memory than is saved.
    fn sink(&mut self, flow: &Flow) {
        let mut kept = vec![false; flow.values.len()];
        for (_, v) in &flow.outputs {
            kept[flow.view(*v).base.index()] = true;
        }
        for state in &flow.states {
            if state.is_read() {
                kept[flow.view(state.base).base.index()] = true;
                for v in state.boundary() {
                    kept[flow.view(v).base.index()] = true;
                }
            }
        }
        for v in flow.ids().rev() {
            let Some(own) = self.kernel[v.index()] else { continue };
            if !self.live[v.index()] || kept[v.index()] || flow.op(v).is_sum() {
                continue;
            }
            let Some(target) = self.only_reader(flow, v) else { continue };
            let region = self.region[v.index()];
            let allowed = target != own
                && target.place == own.place
                && match (region, target.region) {
                    (Region::Prepare, r) => r == Region::Prepare,
                    (Region::Run, r) => r != Region::Prepare,
                    (Region::Loop(a), r) => r == Region::Loop(a),
                };
            if !allowed {
                continue;
            }
            let mut newly_kept = 0;
            let operands = flow.op(v).operands();
            for o in &operands {
                let base = flow.view(*o).base;
                if self.kernel[base.index()] == Some(own)
                    && !kept[base.index()]
                    && flow.view(*o).lag == 0
                    && self.only_reader(flow, base) == Some(own)
                    && !(flow.readers_are(self, base, v))
                {
                    newly_kept += flow.get(base).width();
                }
            }
            if newly_kept <= flow.get(v).width() {
                self.kernel[v.index()] = Some(target);
                self.slot[v.index()] = target.slot;
                self.region[v.index()] = target.region;
            }
        }
    }

    /// The kernel of all readers at this point, if there is only one, and it is a kernel.
    fn only_reader(&self, flow: &Flow, v: Val) -> Option<KernelKey> {
        let mut found = None;
        let mut stack = self.readers[v.index()].clone();
        while let Some(r) = stack.pop() {
            if flow.op(r).is_view() {
                stack.extend(&self.readers[r.index()]);
                continue;
            }
            let kernel = self.kernel[r.index()]?;
            if *found.get_or_insert(kernel) != kernel {
                return None;
            }
        }
        found
    }
}

impl Flow {
    fn is_cotangent(&self, v: Val) -> bool {
        matches!(self.op(v), Op::Source(s) if self.sources[s.index()].kind == SourceKind::Cotangent)
    }

    /// Whether `reader` alone reads `v`: then `v` moves with it.
    fn readers_are(&self, order: &Order, v: Val, reader: Val) -> bool {
        order.readers[v.index()].iter().all(|r| *r == reader)
    }
}
