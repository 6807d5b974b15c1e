//! Writes the program: stages in the order of slots.
//!
//! In: a flow with its order, plan and layout. Out: a [`Program`]. Besides products and kernels this places boundary
//! values, masks and zeros. Rows beyond an example's length mean nothing until a mask or a boundary overwrites
//! them; [`Padding`] follows what each value holds there.

use super::copies::Copies;
use super::fuse::Plan;
use super::kernel::{self, Inputs};
use super::order::{KernelKey, Order, Over, Region};
use super::pack::Layout;
use super::products::{Moments, Products, moments};
use super::value::{Flow, GramTerm, Op, Val};
use crate::eqn::{self, Level, SourceKind, StateId};
use crate::loops::{Domain, Front, Input, InputKind, Kernel, KernelId, Operand, Output, Program, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// What a value over a domain holds beyond each example's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    Garbage,
    Zero,
    /// The state's boundary value.
    Boundary,
}

pub fn emit(flow: &Flow, order: &Order, plan: &Plan, layout: &Layout) -> Program {
    let inputs = Inputs { flow, order, plan, layout };
    let mut e = Emitter {
        i: inputs,
        moments: moments(flow, order),
        products: Products::default(),
        kernels: Vec::new(),
        padding: BTreeMap::new(),
        reach: reach(flow, order),
        whole: BTreeMap::new(),
        copies: Copies::new(flow, order),
    };
    for v in flow.ids().filter(|v| order.live[v.index()]) {
        let region = order.region[v.index()];
        if matches!(flow.op(v), Op::At { .. } | Op::Reverse(_) | Op::Gram(_) | Op::Tally { .. })
            && matches!(region, Region::Prepare | Region::Run)
        {
            e.whole.entry((region, order.slot[v.index()])).or_default().push(v);
        }
    }
    let mut prepare = Vec::new();
    let mut stages = Vec::new();
    let last = (order.slot.iter().copied())
        .chain(order.loops.iter().map(|l| l.slot))
        .max()
        .unwrap_or(0)
        .saturating_add(2);
    for slot in 0..=last {
        e.kernels_at(Region::Prepare, slot, &mut prepare);
        e.whole_domain((Region::Prepare, slot), &mut prepare);
    }
    for slot in 0..=last {
        e.boundaries(slot, false, &mut stages);
        e.products.emit(flow, layout, &e.moments, (Region::Run, slot), &mut stages);
        e.boundaries(slot, true, &mut stages);
        e.kernels_at(Region::Run, slot, &mut stages);
        for l in 0..order.loops.len() {
            if order.loops[l].slot == slot && order.loops[l].outer.is_none() {
                e.recurrence(l, &mut stages);
            }
        }
        e.whole_domain((Region::Run, slot), &mut stages);
        e.copies.emit(flow, layout, (Region::Run, slot), &mut stages);
    }
    let outputs = e.outputs(&mut stages);
    Program {
        name: flow.name.clone(),
        domains: domains(flow),
        buffers: layout.buffers.clone(),
        weights: e.products.weights,
        kernels: e.kernels,
        tables: e.copies.tables,
        prepare,
        stages,
        inputs: program_inputs(flow, order, layout),
        outputs,
    }
}

fn domains(flow: &Flow) -> Vec<Domain> {
    let domain = |(d, order): (&eqn::Domain, &Vec<Front>)| Domain {
        extent: d.extent.clone(),
        var: d.var.clone(),
        kind: d.kind.clone(),
        order: order.clone(),
    };
    flow.domains.iter().zip(&flow.order).map(domain).collect()
}

fn program_inputs(flow: &Flow, order: &Order, layout: &Layout) -> Vec<Input> {
    let mut inputs = Vec::new();
    for v in flow.ids().filter(|v| order.live[v.index()]) {
        let Op::Source(id) = flow.op(v) else { continue };
        let Some(at) = layout.operand(&flow.view(v)) else { continue };
        let source = &flow.sources[id.index()];
        let kind = match &source.kind {
            SourceKind::Input => InputKind::Given,
            SourceKind::Param(info) => InputKind::Param(info.clone()),
            SourceKind::Initial { state, default } => {
                InputKind::Initial { state: *state, default: *default as f32 }
            }
            SourceKind::Noise(dist) => InputKind::Noise(dist.clone()),
            SourceKind::Cotangent => InputKind::Cotangent,
        };
        let symbols = match &source.ty {
            eqn::Ty::Id(k) => k.as_constant().and_then(|k| usize::try_from(k).ok()),
            eqn::Ty::Real | eqn::Ty::Bool => None,
        };
        let shape = flow.get(v).shape.clone();
        inputs.push(Input { name: source.name.clone(), kind, at, shape, symbols });
    }
    inputs
}

struct Emitter<'a> {
    i: Inputs<'a>,
    moments: Moments,
    products: Products,
    kernels: Vec<Kernel>,
    padding: BTreeMap<Val, Padding>,
    reach: Vec<Reach>,
    /// Values that read whole domains or matrices.
    whole: BTreeMap<(Region, u32), Vec<Val>>,
    copies: Copies,
}

/// One outer product to be.
struct Outer {
    a: Operand,
    m: usize,
    b: Operand,
    n: usize,
    out: Operand,
    /// Of Shared matrices.
    rows: Option<usize>,
    stride: usize,
    add: bool,
}

/// How far a value is read outside its domain, and the state that says what is there.
#[derive(Clone, Copy, Debug)]
struct Reach {
    base: Val,
    before: u32,
    after: u32,
    state: StateId,
}

fn reach(flow: &Flow, order: &Order) -> Vec<Reach> {
    let mut read = vec![false; flow.states.len()];
    for v in flow.ids().filter(|v| order.live[v.index()]) {
        if let Op::Lag { state, .. } = flow.op(v) {
            read[state.index()] = true;
        }
    }
    let mut found: BTreeMap<Val, Reach> = BTreeMap::new();
    for (i, s) in flow.states.iter().enumerate().filter(|(i, _)| read[*i]) {
        let state = StateId(i as u32);
        let r = found.entry(s.base).or_insert(Reach { base: s.base, before: 0, after: 0, state });
        r.before = r.before.max(s.before);
        r.after = r.after.max(s.after);
    }
    found.into_values().collect()
}

impl Emitter<'_> {
    fn at(&self, v: Val) -> Option<Operand> {
        self.i.layout.operand(&self.i.flow.view(v))
    }

    fn width(&self, v: Val) -> usize {
        self.i.flow.get(v).width()
    }

    // Kernels.

    fn kernels_at(&mut self, region: Region, slot: u32, into: &mut Vec<Stage>) {
        let low = KernelKey { region, slot, place: Level::Shared };
        let keys: Vec<KernelKey> = self
            .i
            .plan
            .kernels
            .range(low..)
            .map(|(k, _)| *k)
            .take_while(|k| (k.region, k.slot) == (region, slot))
            .collect();
        for key in keys {
            self.kernel(key, into);
        }
    }

    fn kernel(&mut self, key: KernelKey, into: &mut Vec<Stage>) {
        let plan = self.i.plan;
        let Some(members) = plan.kernels.get(&key) else { return };
        let mut zeroed = BTreeSet::new();
        let mut masks = Vec::new();
        let mut targets = Vec::new();
        for (sum, arg) in kernel::summed(self.i.flow, members) {
            targets.extend(self.at(sum).map(|at| (at, self.width(sum))));
            let view = self.i.flow.view(arg);
            let base = view.base;
            let kept = plan.in_memory[base.index()] && !plan.again[base.index()];
            let ours = self.i.order.kernel[base.index()] == Some(key);
            if kept && !ours && view.lag == 0 && matches!(self.i.flow.level(base), Level::Over(_)) {
                self.mask(base, &mut masks);
                if self.padding(base) == Padding::Zero {
                    zeroed.insert(arg);
                }
            }
        }
        let Some(built) = kernel::build(&self.i, key, members, &zeroed) else { return };
        into.extend(together(masks, |out, width| Stage::Mask { out, width, fill: None }));
        into.extend(together(targets, |out, width| Stage::Fill { out, width, value: 0.0 }));
        let id = KernelId(self.kernels.len() as u32);
        self.kernels.push(built.kernel);
        into.push(Stage::Map { kernel: id, over: kernel::rows(key), args: built.args });
    }

    // Loops.

    fn recurrence(&mut self, index: usize, into: &mut Vec<Stage>) {
        let order = self.i.order;
        let l = &order.loops[index];
        let region = Region::Loop(index);
        let inner = || order.loops.iter().enumerate().filter(|(_, l)| l.outer == Some(index));
        let slots = l.members.iter().map(|v| order.slot[v.index()]).chain(inner().map(|(_, l)| l.slot));
        let last = slots.max().unwrap_or(0);
        let mut body = Vec::new();
        for slot in 0..=last.saturating_add(1) {
            self.products.emit(self.i.flow, self.i.layout, &self.moments, (region, slot), &mut body);
            self.kernels_at(region, slot, &mut body);
            for (i, _) in inner().filter(|(_, l)| l.slot == slot) {
                self.recurrence(i, &mut body);
            }
            self.copies.emit(self.i.flow, self.i.layout, (region, slot), &mut body);
        }
        let reverse = l.reverse;
        match &l.over {
            Over::Chain(domain) => {
                if reverse && !self.i.flow.is_full(*domain) {
                    self.masks_in_step(index, &mut body);
                }
                into.push(Stage::Loop { domain: *domain, reverse, body });
            }
            Over::Fronts(front) => into.push(Stage::Fronts { front: front.clone(), reverse, body }),
        }
    }

    /// States that the loop reads ahead of the current point hold their boundary value in padding.
    fn masks_in_step(&mut self, index: usize, body: &mut Vec<Stage>) {
        let (flow, order) = (self.i.flow, self.i.order);
        let mut zeros = Vec::new();
        let mut done = BTreeSet::new();
        for v in &order.loops[index].members {
            let Op::Lag { state, .. } = flow.op(*v) else { continue };
            let state = &flow.states[state.index()];
            if order.in_loop[state.base.index()] != Some(index) || !done.insert(state.base) {
                continue;
            }
            let (Some(out), Some(init)) = (self.at(state.base), state.init.last().copied()) else { continue };
            let width = self.width(state.base);
            if state.init.iter().any(|v| *v != init) && state.after > 1 {
                // Boundary values that differ by distance are a part of the state's own equation.
                self.padding.insert(state.base, Padding::Boundary);
            } else if self.is_zero(init) {
                zeros.push((out, width));
                self.padding.insert(state.base, Padding::Zero);
            } else {
                body.push(Stage::Mask { out, width, fill: self.at(init) });
                self.padding.insert(state.base, Padding::Boundary);
            }
        }
        body.extend(together(zeros, |out, width| Stage::Mask { out, width, fill: None }));
    }

    fn is_zero(&self, v: Val) -> bool {
        match self.i.flow.op(v) {
            Op::Const(c) => *c == 0.0,
            Op::Spread(a) | Op::Copy(a) | Op::Reshape(a) => self.is_zero(*a),
            Op::Literal(values) => values.iter().all(|x| *x == 0.0),
            _ => false,
        }
    }

    // Boundaries.

    /// Boundary values of a slot: those that come before its products, or, `behind` them, those that lie where a product
    /// over the whole domain has written, which writes over padding.
    fn boundaries(&mut self, slot: u32, behind: bool, into: &mut Vec<Stage>) {
        let (flow, order) = (self.i.flow, self.i.order);
        for Reach { base, before, after, state } in self.reach.clone() {
            let init = &flow.states[state.index()].init;
            let ready = init
                .iter()
                .map(|v| if order.is_prepared(*v) { 0 } else { order.available(flow, *v) })
                .max()
                .unwrap_or(0);
            let (first, last) = match order.in_loop[base.index()] {
                // What the loop itself reads before it, else after it: the loop writes over padding.
                Some(index) => {
                    let l = &order.loops[index];
                    (l.slot, if l.reverse && self.reads_itself(index, base) { l.slot } else { l.slot + 1 })
                }
                None => (order.available(flow, base), order.available(flow, base)),
            };
            let Some(at) = self.at(base) else { continue };
            let width = self.width(base);
            let from = |k: u32| init.get(k as usize - 1).or(init.last()).and_then(|v| self.at(*v));
            let is_product = matches!(flow.op(base), Op::Acc(_)) && order.in_loop[base.index()].is_none();
            if slot == first.max(ready) && !behind {
                for k in 1..=before {
                    into.extend(from(k).map(|from| Stage::Boundary {
                        state: at,
                        width,
                        from,
                        distance: k,
                        after: false,
                    }));
                }
            }
            if slot == last.max(ready) && after > 0 && behind == is_product {
                for k in 1..=after {
                    into.extend(from(k).map(|from| Stage::Boundary {
                        state: at,
                        width,
                        from,
                        distance: k,
                        after: true,
                    }));
                }
                let zero = init.iter().all(|v| self.is_zero(*v));
                self.padding.insert(base, if zero { Padding::Zero } else { Padding::Boundary });
            }
        }
    }

    /// Whether a loop reads `base` at another point; then its steps keep the boundary value in padding.
    fn reads_itself(&self, index: usize, base: Val) -> bool {
        let flow = self.i.flow;
        let mut lags = self.i.order.loops[index].members.iter().filter_map(|v| match flow.op(*v) {
            Op::Lag { state, .. } => Some(flow.states[state.index()].base),
            _ => None,
        });
        lags.any(|b| b == base)
    }

    // Padding.

    fn padding(&self, base: Val) -> Padding {
        let flow = self.i.flow;
        let Level::Over(domain) = flow.level(base) else { return Padding::Zero };
        if flow.is_full(domain) {
            return Padding::Zero;
        }
        let start = if matches!(flow.op(base), Op::Source(_)) { Padding::Zero } else { Padding::Garbage };
        self.padding.get(&base).copied().unwrap_or(start)
    }

    /// Puts 0 where `base` holds nothing yet.
    fn mask(&mut self, base: Val, masks: &mut Vec<(Operand, usize)>) {
        if self.padding(base) == Padding::Garbage {
            masks.extend(self.at(base).map(|at| (at, self.width(base))));
            self.padding.insert(base, Padding::Zero);
        }
    }

    // Stages over whole domains.

    fn whole_domain(&mut self, at: (Region, u32), into: &mut Vec<Stage>) {
        let flow = self.i.flow;
        let (mut grams, mut tallies) = (Vec::new(), Vec::new());
        for v in self.whole.remove(&at).unwrap_or_default() {
            match flow.op(v) {
                Op::At { arg, point, empty } => {
                    if let (Some(from), Some(out), Some(empty)) = (self.at(*arg), self.at(v), self.at(*empty))
                    {
                        into.push(Stage::Take { from, out, width: self.width(v), point: *point, empty });
                    }
                }
                Op::Reverse(arg) => {
                    if let (Some(from), Some(out)) = (self.at(*arg), self.at(v)) {
                        into.push(Stage::Reverse { from, out, width: self.width(v) });
                    }
                }
                Op::Gram(_) => grams.push(v),
                Op::Tally { .. } => tallies.push(v),
                _ => {}
            }
        }
        self.gradients(&grams, into);
        self.tallies(tallies, into);
    }

    /// Sums by symbol, those of neighbouring columns one behind another.
    fn tallies(&mut self, mut tallies: Vec<Val>, into: &mut Vec<Stage>) {
        let flow = self.i.flow;
        let (mut masks, mut stages) = (Vec::new(), Vec::new());
        tallies.sort_by_key(|v| match flow.op(*v) {
            Op::Tally { value, .. } => self.at(*value).map(|o| (o.buffer, o.lag, o.column)),
            _ => None,
        });
        for v in tallies {
            let Op::Tally { index, value } = flow.op(v) else { continue };
            self.mask(flow.view(*value).base, &mut masks);
            let (Some(index), Some(rows), Some(out)) = (self.at(*index), self.at(*value), self.at(v)) else {
                continue;
            };
            let symbols = flow.get(v).shape.first().copied().unwrap_or(0);
            stages.push(Stage::Tally { index, value: rows, out, width: self.width(*value), symbols });
        }
        into.extend(together(masks, |out, width| Stage::Mask { out, width, fill: None }));
        into.extend(stages);
    }

    /// Outer products, those with neighbouring left vectors and results as one.
    fn gradients(&mut self, grams: &[Val], into: &mut Vec<Stage>) {
        let flow = self.i.flow;
        let mut masks = Vec::new();
        let mut found: Vec<Outer> = Vec::new();
        let mut order: Vec<Val> = grams.to_vec();
        order.sort_by_key(|v| self.at(*v).map(|o| (o.buffer.0, o.column)));
        for v in order {
            let Op::Gram(terms) = flow.op(v) else { continue };
            let Some(whole) = self.at(v) else { continue };
            let stride = flow.get(v).shape.last().copied().unwrap_or(1);
            let mut started = BTreeSet::new();
            for t in terms {
                let GramTerm { a, b, row, column } = *t;
                for side in [a, b] {
                    let base = flow.view(side).base;
                    if matches!(flow.level(base), Level::Over(_)) {
                        self.mask(base, &mut masks);
                    }
                }
                let (Some(x), Some(y)) = (self.at(a), self.at(b)) else { continue };
                let out = Operand { column: whole.column + row * stride + column, ..whole };
                let matrices = flow.level(b) == Level::Shared;
                let rows = matrices.then(|| flow.get(b).shape.first().copied().unwrap_or(0));
                let columns = |v: Val| self.width(v).checked_div(rows.unwrap_or(1)).unwrap_or(0);
                let (m, n) = (columns(a), columns(b));
                let add = !started.insert((row, column));
                let last = found.iter_mut().rev().find(|f| {
                    (f.add, f.n, f.stride, f.b) == (add, n, stride, y)
                        && (f.rows, rows) == (None, None)
                        && (f.a.buffer, f.a.lag, f.a.column + f.m) == (x.buffer, x.lag, x.column)
                        && (f.out.buffer, f.out.column + f.m * stride) == (out.buffer, out.column)
                });
                match last {
                    Some(found) => found.m += m,
                    None => found.push(Outer { a: x, m, b: y, n, out, rows, stride, add }),
                }
            }
        }
        // Storing comes before adding to the same place.
        found.sort_by_key(|f| f.add);
        into.extend(together(masks, |out, width| Stage::Mask { out, width, fill: None }));
        for Outer { a, m, b, n, out, rows, stride, add } in found {
            into.push(Stage::Outer { a, m, b, n, rows, out, out_stride: stride, accumulate: add });
        }
    }

    fn outputs(&mut self, into: &mut Vec<Stage>) -> Vec<Output> {
        let flow = self.i.flow;
        let mut masks = Vec::new();
        let mut outputs = Vec::new();
        for (name, v) in &flow.outputs {
            let base = flow.view(*v).base;
            let Some(at) = self.at(*v) else { continue };
            if matches!(flow.level(base), Level::Over(_)) && self.padding(base) != Padding::Zero {
                masks.extend(self.at(base).map(|at| (at, self.width(base))));
                self.padding.insert(base, Padding::Zero);
            }
            outputs.push(Output { name: name.clone(), at, shape: flow.get(*v).shape.clone() });
        }
        into.extend(together(masks, |out, width| Stage::Mask { out, width, fill: None }));
        outputs
    }
}

/// One stage for neighbouring columns.
fn together(mut columns: Vec<(Operand, usize)>, stage: impl Fn(Operand, usize) -> Stage) -> Vec<Stage> {
    columns.sort_by_key(|(o, width)| (o.buffer, o.lag, o.column, *width));
    let mut out: Vec<(Operand, usize)> = Vec::new();
    for (o, width) in columns {
        match out.last_mut() {
            Some((last, end))
                if (last.buffer, last.lag) == (o.buffer, o.lag) && last.column + *end >= o.column =>
            {
                *end = (*end).max(o.column + width - last.column);
            }
            _ => out.push((o, width)),
        }
    }
    out.into_iter().map(|(o, width)| stage(o, width)).collect()
}
