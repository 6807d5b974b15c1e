//! Writes one fused kernel: nests, instructions, effects.
//!
//! In: the values of one kernel with their nests, and where everything lies. Out: a [`Kernel`] and its
//! arguments. Invariant: effects of a nest only write what the same or a later nest of the row reads, or what other
//! stages read.

use super::fuse::{Plan, nest_extents};
use super::order::{KernelKey, Order};
use super::pack::Layout;
use super::value::{Flow, Op, Val, View, row_major};
use crate::eqn::{Binary, DomainId, Fold, Level};
use crate::loops::{
    Access, Arg, ArgId, BufferId, Effect, Elem, Inst, Kernel, KernelArg, Nest, Operand, Place, ReduceOp,
    ScalarId, ValueId,
};
use std::collections::{BTreeMap, BTreeSet};

pub struct Inputs<'a> {
    pub flow: &'a Flow,
    pub order: &'a Order,
    pub plan: &'a Plan,
    pub layout: &'a Layout,
}

/// A step of a nest.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Item {
    Compute(Val),
    /// Part `usize` of a joined value, copied to its place.
    Part(Val, usize),
    /// A scalar that an earlier nest left is written to memory.
    StoreScalar(Val),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ArgKey {
    Rows(BufferId, i32),
    Position(DomainId),
    Length(DomainId),
}

pub struct Built {
    pub kernel: Kernel,
    pub args: Vec<Arg>,
}

/// Builds the kernel of `members`; `None` if nothing of it is needed. Values in `zeroed` are 0 beyond each
/// example's length when the kernel runs.
pub fn build(inputs: &Inputs, key: KernelKey, members: &[Val], zeroed: &BTreeSet<Val>) -> Option<Built> {
    let flow = inputs.flow;
    let needed = needed(inputs, key, members);
    let mut w = Writer {
        i: inputs,
        key,
        zeroed,
        kernel: Kernel::default(),
        args: Vec::new(),
        arg_ids: BTreeMap::new(),
        scalars: BTreeMap::new(),
        inside: None,
        first: Nest::default(),
        nest: Nest::default(),
        level: 0,
        memo: BTreeMap::new(),
        loads: BTreeMap::new(),
        fused: BTreeSet::new(),
    };
    let mut nests: BTreeMap<(u32, Vec<usize>), Vec<Item>> = BTreeMap::new();
    for v in members.iter().copied().filter(|v| needed.contains(v)) {
        let level = inputs.plan.nest[v.index()];
        if let Op::Concat(parts) = flow.op(v) {
            for (k, part) in parts.iter().enumerate() {
                if !w.is_in_place(v, k) {
                    let extents = flow.get(*part).shape.clone();
                    nests.entry((level, extents)).or_default().push(Item::Part(v, k));
                }
            }
            continue;
        }
        let extents = nest_extents(flow, v);
        if flow.get(v).shape.is_empty() && !flow.op(v).is_sum() {
            let id = ScalarId(w.kernel.scalars);
            w.kernel.scalars += 1;
            w.scalars.insert(v, id);
            if w.is_reduction(v) && inputs.plan.in_memory[v.index()] {
                nests.entry((level + 1, Vec::new())).or_default().push(Item::StoreScalar(v));
            }
        }
        nests.entry((level, extents)).or_default().push(Item::Compute(v));
    }
    if nests.is_empty() {
        return None;
    }
    let mut written = Vec::new();
    for ((level, extents), items) in nests {
        w.begin(level, extents, &items);
        for item in items {
            w.item(item);
            let (Item::Compute(v) | Item::Part(v, _) | Item::StoreScalar(v)) = item;
            if inputs.plan.in_memory[v.index()] && !written.contains(&v) {
                written.push(v);
            }
        }
        w.end();
    }
    if !w.first.insts.is_empty() {
        w.kernel.nests.insert(0, w.first);
    }
    let names: Vec<String> = written.iter().take(8).map(|v| flow.label(*v)).collect();
    w.kernel.name = names.join(", ") + if written.len() > 8 { ", …" } else { "" };
    Some(Built { kernel: w.kernel, args: w.args })
}

/// Members whose value is read in a register, as a scalar, or in memory.
fn needed(i: &Inputs, key: KernelKey, members: &[Val]) -> BTreeSet<Val> {
    let mut needed = BTreeSet::new();
    for v in members.iter().rev() {
        if !needed.contains(v) && !i.plan.in_memory[v.index()] && !i.flow.op(*v).is_sum() {
            continue;
        }
        needed.insert(*v);
        let mut stack: Vec<(Val, Val)> = i.flow.op(*v).operands().into_iter().map(|o| (o, *v)).collect();
        while let Some((o, reader)) = stack.pop() {
            let ours = i.order.kernel[o.index()] == Some(key);
            let here = ours && (i.plan.in_register(i.flow, i.order, o, *v) || i.flow.get(o).shape.is_empty());
            if here && (reader == *v || !i.plan.again[o.index()]) {
                needed.insert(o);
            } else if i.plan.again[o.index()] {
                stack.extend(i.flow.op(o).operands().into_iter().map(|x| (x, o)));
            }
        }
    }
    needed
}

struct Writer<'a> {
    i: &'a Inputs<'a>,
    key: KernelKey,
    zeroed: &'a BTreeSet<Val>,
    kernel: Kernel,
    args: Vec<Arg>,
    arg_ids: BTreeMap<ArgKey, ArgId>,
    /// Scalars of this kernel's own values, and of indices from memory.
    scalars: BTreeMap<Val, ScalarId>,
    /// Whether the current point lies within its example's length.
    inside: Option<ScalarId>,
    /// Scalars that are loaded before all nests.
    first: Nest,
    nest: Nest,
    level: u32,
    memo: BTreeMap<Val, ValueId>,
    loads: BTreeMap<(ArgId, usize, Vec<usize>), ValueId>,
    /// Products that their only reader, a sum, takes in as one fused operation.
    fused: BTreeSet<Val>,
}

impl Writer<'_> {
    fn flow(&self) -> &Flow {
        self.i.flow
    }

    fn is_reduction(&self, v: Val) -> bool {
        matches!(self.flow().op(v), Op::Reduce { .. } | Op::MatMul(..) | Op::ArgMax(_))
    }

    /// Whether part `k` of a joined value is computed into its columns by itself.
    fn is_in_place(&self, whole: Val, k: usize) -> bool {
        let Op::Concat(parts) = self.flow().op(whole) else { return false };
        let Some(part) = parts.get(k) else { return false };
        let offset: usize = parts.iter().take(k).map(|p| self.flow().get(*p).width()).sum();
        self.i.plan.part_of[part.index()] == Some((whole, offset))
    }

    fn begin(&mut self, level: u32, extents: Vec<usize>, items: &[Item]) {
        self.nest = Nest { extents, ..Nest::default() };
        self.level = level;
        self.memo.clear();
        self.loads.clear();
        self.fused.clear();
        let here: BTreeSet<Val> =
            items.iter().filter_map(|i| if let Item::Compute(v) = i { Some(*v) } else { None }).collect();
        for v in &here {
            let Op::Binary(Binary::Add, a, b) = *self.flow().op(*v) else { continue };
            let fits = |m: Val| {
                here.contains(&m)
                    && matches!(self.flow().op(m), Op::Binary(Binary::Mul, ..))
                    && !self.i.plan.in_memory[m.index()]
                    && self.i.order.readers[m.index()].as_slice() == [*v]
                    && self.i.plan.in_register(self.flow(), self.i.order, m, *v)
            };
            if a != b
                && let Some(m) = [a, b].into_iter().find(|m| fits(*m))
            {
                self.fused.insert(m);
            }
        }
    }

    fn end(&mut self) {
        let mut nest = std::mem::take(&mut self.nest);
        if nest.effects.is_empty() {
            return;
        }
        flatten(&mut nest);
        self.kernel.nests.push(nest);
    }

    fn inst(&mut self, inst: Inst) -> ValueId {
        self.nest.insts.push(inst);
        ValueId(self.nest.insts.len() as u32 - 1)
    }

    fn arg(&mut self, key: ArgKey, written: bool) -> ArgId {
        let id = match self.arg_ids.get(&key) {
            Some(id) => *id,
            None => {
                let id = ArgId(self.args.len() as u32);
                let (arg, row_stride, elem) = match key {
                    ArgKey::Rows(buffer, lag) => {
                        let b = &self.i.layout.buffers[buffer.index()];
                        let stride = if b.place == Place::Shared { 0 } else { b.width };
                        (Arg::Rows(Operand { buffer, column: 0, lag }), stride, b.elem)
                    }
                    ArgKey::Position(d) => (Arg::Position(d), 0, Elem::F32),
                    ArgKey::Length(d) => (Arg::Length(d), 1, Elem::F32),
                };
                self.args.push(arg);
                self.kernel.args.push(KernelArg { row_stride, elem, written: false });
                self.arg_ids.insert(key, id);
                id
            }
        };
        self.kernel.args[id.index()].written |= written;
        id
    }

    /// Memory of a view, with one stride for each loop of the nest.
    fn access(&mut self, view: &View, strides: Vec<usize>, written: bool) -> Access {
        // Everything that is read from memory was planned to be there.
        let (buffer, column) = self.i.layout.at[view.base.index()].unwrap_or((BufferId(0), 0));
        let arg = self.arg(ArgKey::Rows(buffer, view.lag), written);
        Access { arg, offset: column + view.offset, strides }
    }

    fn load(&mut self, access: Access) -> ValueId {
        let key = (access.arg, access.offset, access.strides.clone());
        if let Some(found) = self.loads.get(&key) {
            return *found;
        }
        let v = self.inst(Inst::Load(access));
        self.loads.insert(key, v);
        v
    }

    fn load_view(&mut self, v: Val, strides: Vec<usize>) -> ValueId {
        let view = self.flow().view(v);
        let access = self.access(&view, strides, false);
        self.load(access)
    }

    fn rank(&self) -> usize {
        self.nest.extents.len()
    }

    /// The element of `v` at the nest's index; of a scalar, the scalar.
    fn value(&mut self, v: Val) -> ValueId {
        if let Some(found) = self.memo.get(&v) {
            return *found;
        }
        let id = self.fetch(v);
        self.memo.insert(v, id);
        id
    }

    fn fetch(&mut self, v: Val) -> ValueId {
        match self.flow().op(v) {
            Op::Const(c) => {
                let c = *c as f32;
                return self.inst(Inst::Const(c));
            }
            Op::Position(d) => {
                let arg = self.arg(ArgKey::Position(*d), false);
                return self.load(Access { arg, offset: 0, strides: vec![0; self.rank()] });
            }
            Op::Length(d) => {
                let arg = self.arg(ArgKey::Length(*d), false);
                return self.load(Access { arg, offset: 0, strides: vec![0; self.rank()] });
            }
            _ => {}
        }
        if let Some(s) = self.scalars.get(&v) {
            let s = *s;
            return self.inst(Inst::Scalar(s));
        }
        if self.i.plan.again[v.index()] {
            return self.compute(v);
        }
        let view = self.flow().view(v);
        let strides = if self.flow().get(v).shape.is_empty() { vec![0; self.rank()] } else { view.strides };
        self.load_view(v, strides)
    }

    /// Elementwise operations and those that spread what lies in memory.
    fn compute(&mut self, v: Val) -> ValueId {
        match *self.flow().op(v) {
            Op::Unary(u, a) => {
                let a = self.value(a);
                self.inst(Inst::Unary(u, a))
            }
            Op::Binary(Binary::Add, a, b) if self.fused.contains(&a) && !self.memo.contains_key(&a) => {
                self.fma(a, b)
            }
            Op::Binary(Binary::Add, a, b) if self.fused.contains(&b) && !self.memo.contains_key(&b) => {
                self.fma(b, a)
            }
            Op::Binary(op, a, b) => {
                let (a, b) = (self.value(a), self.value(b));
                self.inst(Inst::Binary(op, a, b))
            }
            Op::Select(c, a, b) => {
                let (c, a, b) = (self.value(c), self.value(a), self.value(b));
                self.inst(Inst::Select(c, a, b))
            }
            Op::Spread(a) | Op::Copy(a) => self.value(a),
            Op::Outer(a, b) => {
                let mut strides = self.flow().view(a).strides;
                strides.push(0);
                let a = self.load_view(a, strides);
                let mut strides = vec![0];
                strides.extend(self.flow().view(b).strides);
                let b = self.load_view(b, strides);
                self.inst(Inst::Binary(Binary::Mul, a, b))
            }
            Op::Gather { arg, index } => {
                let index = self.scalar(index);
                let view = self.flow().view(arg);
                let stride = view.strides.first().copied().unwrap_or(0);
                let rest = view.strides.get(1..).unwrap_or(&[]).to_vec();
                let access = self.access(&view, rest, false);
                self.inst(Inst::LoadAt { access, index, stride })
            }
            Op::Scatter { index, value } => {
                let axis = self.inst(Inst::Index(0));
                let index = self.value(index);
                let here = self.inst(Inst::Binary(Binary::Eq, axis, index));
                let x = if self.flow().get(value).shape.is_empty() {
                    self.value(value)
                } else {
                    let mut strides = vec![0];
                    strides.extend(self.flow().view(value).strides);
                    self.load_view(value, strides)
                };
                let zero = self.inst(Inst::Const(0.0));
                self.inst(Inst::Select(here, x, zero))
            }
            // Everything else ends its nest and is read from memory or as a scalar.
            _ => self.inst(Inst::Const(f32::NAN)),
        }
    }

    fn fma(&mut self, product: Val, other: Val) -> ValueId {
        let Op::Binary(_, x, y) = *self.flow().op(product) else { return self.value(product) };
        let (x, y, other) = (self.value(x), self.value(y), self.value(other));
        self.inst(Inst::Fma(x, y, other))
    }

    /// A scalar by which memory is indexed.
    fn scalar(&mut self, v: Val) -> ScalarId {
        if let Some(s) = self.scalars.get(&v) {
            return *s;
        }
        let id = ScalarId(self.kernel.scalars);
        self.kernel.scalars += 1;
        let inst = match self.flow().op(v) {
            Op::Const(c) => Inst::Const(*c as f32),
            Op::Position(d) => {
                let d = *d;
                let arg = self.arg(ArgKey::Position(d), false);
                Inst::Load(Access { arg, offset: 0, strides: Vec::new() })
            }
            Op::Length(d) => {
                let d = *d;
                let arg = self.arg(ArgKey::Length(d), false);
                Inst::Load(Access { arg, offset: 0, strides: Vec::new() })
            }
            _ => {
                let view = self.flow().view(v);
                Inst::Load(self.access(&view, Vec::new(), false))
            }
        };
        self.first.insts.push(inst);
        let value = ValueId(self.first.insts.len() as u32 - 1);
        self.first.effects.push(Effect::Set { value, into: id });
        self.scalars.insert(v, id);
        id
    }

    /// 1 if the current point lies within its example's length.
    fn inside(&mut self, domain: DomainId) -> ValueId {
        let id = match self.inside {
            Some(id) => id,
            None => {
                let position = self.arg(ArgKey::Position(domain), false);
                let length = self.arg(ArgKey::Length(domain), false);
                let at = |arg| Inst::Load(Access { arg, offset: 0, strides: Vec::new() });
                self.first.insts.push(at(position));
                self.first.insts.push(at(length));
                let n = self.first.insts.len() as u32;
                self.first.insts.push(Inst::Binary(Binary::Le, ValueId(n - 2), ValueId(n - 1)));
                let id = ScalarId(self.kernel.scalars);
                self.kernel.scalars += 1;
                self.first.effects.push(Effect::Set { value: ValueId(n), into: id });
                self.inside = Some(id);
                id
            }
        };
        self.inst(Inst::Scalar(id))
    }

    /// `value`, or 0 beyond an example's length.
    fn masked(&mut self, v: Val, value: ValueId) -> ValueId {
        let Level::Over(domain) = self.key.place else { return value };
        if self.flow().is_full(domain) || self.zeroed.contains(&v) {
            return value;
        }
        let inside = self.inside(domain);
        let zero = self.inst(Inst::Const(0.0));
        self.inst(Inst::Select(inside, value, zero))
    }

    fn own_memory(&mut self, v: Val, strides: Vec<usize>) -> Access {
        let view = View { base: v, lag: 0, offset: 0, strides: Vec::new() };
        self.access(&view, strides, true)
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Compute(v) => self.member(v),
            Item::StoreScalar(v) => {
                let value = self.value(v);
                let access = self.own_memory(v, Vec::new());
                self.nest.effects.push(Effect::Store { access, value });
            }
            Item::Part(whole, k) => {
                let Op::Concat(parts) = self.flow().op(whole) else { return };
                let Some(part) = parts.get(k).copied() else { return };
                let offset: usize = parts.iter().take(k).map(|p| self.flow().get(*p).width()).sum();
                let value = self.value(part);
                let strides = row_major(&self.flow().get(part).shape);
                let mut access = self.own_memory(whole, strides);
                access.offset += offset;
                self.nest.effects.push(Effect::Store { access, value });
            }
        }
    }

    fn member(&mut self, v: Val) {
        let shape = self.flow().get(v).shape.clone();
        match self.flow().op(v).clone() {
            Op::Reduce { fold, arg, axis } => {
                let last = axis + 1 == self.flow().get(arg).shape.len();
                let value = if last {
                    self.value(arg)
                } else {
                    let mut strides = self.flow().view(arg).strides;
                    if axis < strides.len() {
                        let inner = strides.remove(axis);
                        strides.push(inner);
                    }
                    self.load_view(arg, strides)
                };
                let fold = match fold {
                    Fold::Sum => ReduceOp::Sum,
                    Fold::Prod => ReduceOp::Prod,
                    Fold::Max => ReduceOp::Max,
                    Fold::Min => ReduceOp::Min,
                };
                self.reduce(v, fold, value);
            }
            Op::ArgMax(a) => {
                let value = self.value(a);
                self.reduce(v, ReduceOp::ArgMax, value);
            }
            Op::MatMul(a, b) => {
                let (sa, sb) = (self.flow().view(a).strides, self.flow().view(b).strides);
                // Loops: rows of a, columns of b, the contracted axis.
                let (rows, columns) = (sa.len() == 2, sb.len() == 2);
                let mut left = Vec::new();
                let mut right = Vec::new();
                if rows {
                    left.push(sa[0]);
                    right.push(0);
                }
                if columns {
                    left.push(0);
                    right.push(sb[1]);
                }
                left.extend(sa.last());
                right.extend(sb.first());
                let (x, y) = (self.load_view(a, left), self.load_view(b, right));
                let value = self.inst(Inst::Binary(Binary::Mul, x, y));
                self.reduce(v, ReduceOp::Sum, value);
            }
            Op::SumOver(a) => {
                let value = self.value(a);
                let value = self.masked(a, value);
                let access = self.own_memory(v, row_major(&shape));
                self.nest.effects.push(Effect::Add { access, value });
            }
            Op::SumScatter { index, value } => {
                let x = self.value(value);
                let x = self.masked(value, x);
                let index = self.scalar(index);
                let strides = row_major(&shape);
                let stride = strides.first().copied().unwrap_or(0);
                let access = self.own_memory(v, strides.get(1..).unwrap_or(&[]).to_vec());
                self.nest.effects.push(Effect::AddAt { access, index, stride, value: x });
            }
            Op::Literal(values) => {
                for (k, x) in values.iter().enumerate() {
                    let value = self.inst(Inst::Const(*x as f32));
                    let mut access = self.own_memory(v, Vec::new());
                    access.offset += k;
                    self.nest.effects.push(Effect::Store { access, value });
                }
            }
            _ => {
                if self.fused.contains(&v) {
                    return;
                }
                let value = self.compute(v);
                self.memo.insert(v, value);
                if self.i.plan.in_memory[v.index()] {
                    let access = self.own_memory(v, row_major(&shape));
                    self.nest.effects.push(Effect::Store { access, value });
                }
                if let Some(into) = self.scalars.get(&v).copied() {
                    self.nest.effects.push(Effect::Set { value, into });
                }
            }
        }
    }

    fn reduce(&mut self, v: Val, fold: ReduceOp, value: ValueId) {
        let effect = match self.scalars.get(&v) {
            Some(into) => Effect::Reduce { fold, value, into: *into },
            None => {
                let shape = self.flow().get(v).shape.clone();
                let access = self.own_memory(v, row_major(&shape));
                Effect::ReduceInner { fold, value, access, add: false }
            }
        };
        self.nest.effects.push(effect);
    }
}

/// The rows a kernel runs on.
pub fn rows(key: KernelKey) -> Place {
    match key.place {
        Level::Shared => Place::Shared,
        Level::Example => Place::Example,
        Level::Over(domain) => Place::Over { domain, before: 0, after: 0 },
    }
}

/// Joins neighbouring loops that every access runs through as if they were one.
fn flatten(nest: &mut Nest) {
    let plain = nest.insts.iter().all(|i| !matches!(i, Inst::Index(_)))
        && nest.effects.iter().all(|e| !matches!(e, Effect::ReduceInner { .. }));
    if !plain {
        return;
    }
    let mut d = 0;
    while d + 1 < nest.extents.len() {
        let inner = nest.extents[d + 1];
        let mut joinable = true;
        each_access(nest, |a| joinable &= a.strides[d] == a.strides[d + 1] * inner);
        let whole = nest.extents[d].checked_mul(inner);
        if let (true, Some(whole)) = (joinable, whole) {
            nest.extents[d] = whole;
            nest.extents.remove(d + 1);
            each_access(nest, |a| {
                a.strides.remove(d);
            });
        } else {
            d += 1;
        }
    }
}

fn each_access(nest: &mut Nest, mut f: impl FnMut(&mut Access)) {
    for inst in &mut nest.insts {
        if let Inst::Load(access) | Inst::LoadAt { access, .. } = inst {
            f(access);
        }
    }
    for effect in &mut nest.effects {
        if let Effect::Store { access, .. } | Effect::Add { access, .. } | Effect::AddAt { access, .. } =
            effect
        {
            f(access);
        }
    }
}

/// Values summed over rows by a kernel: the sum, and what is summed.
pub fn summed(flow: &Flow, members: &[Val]) -> Vec<(Val, Val)> {
    let mut out = Vec::new();
    for v in members {
        match flow.op(*v) {
            Op::SumOver(a) => out.push((*v, *a)),
            Op::SumScatter { value, .. } => out.push((*v, *value)),
            _ => {}
        }
    }
    out
}
