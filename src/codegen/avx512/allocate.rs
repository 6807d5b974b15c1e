//! Registers for the operations of a [`Body`], and its instructions.
//!
//! A body is straight-line code, so one pass in order does: a result gets a free register; if there is none, the value
//! whose next use is furthest moves to the stack (Belady 1966). Numbers that are the same in all lanes stay in memory and
//! are operands there, but for those that are *pinned* to registers throughout a loop.

use super::body::{Body, Op, Pair, Place, Running, Single, Uniform, V};
use super::encode::*;
use super::frame::{Base, SPILLS, mask_spill, spill, word};
use std::collections::BTreeMap;

/// Lanes of a vector.
pub(super) const LANES: usize = 16;
pub(super) const VECTORS: usize = 32;
/// The lanes of the last part of a row.
pub(super) const TAIL: K = K(1);
/// For masks of single instructions.
const SCRATCH: K = K(7);

/// Where a running result is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot {
    Register(Zmm),
    /// This word of the stack frame and those behind it.
    Frame(u32),
}

/// What the code of a body is emitted with.
pub(super) struct Context<'a> {
    pub bases: &'a [Base],
    pub pinned: &'a BTreeMap<Uniform, Zmm>,
    /// For each fold, where its vectors of running results are.
    pub running: &'a [Vec<Spot>],
    /// The vector of running results that those of the body begin at.
    pub part: usize,
    /// Registers from the first on that are a body's own.
    pub free: usize,
    /// Places move along with the index of the innermost axis.
    pub is_loop: bool,
    /// Only the lanes of [`TAIL`] touch memory.
    pub is_tail: bool,
    /// Only the lanes of [`TAIL`] are folded.
    pub is_last: bool,
}

/// What a body needed.
pub(super) struct Taken {
    /// Vector registers.
    pub registers: usize,
    /// Whether that was enough, without memory for what is needed later.
    pub is_enough: bool,
}

/// Emits a body; `None` if the stack frame is too small for it.
pub(super) fn emit(asm: &mut Assembler, body: &Body, context: &Context) -> Option<Taken> {
    let used = body.is_used();
    let mut uses = vec![Vec::new(); body.ops.len()];
    for (i, op) in body.ops.iter().enumerate().filter(|(i, _)| used[*i]) {
        op.operands().for_each(|v| uses[v.index()].push(i));
    }
    let none = Where { register: None, slot: None };
    let mut registers = Registers {
        asm,
        body,
        context,
        uses,
        at: 0,
        places: vec![none; body.ops.len()],
        owners: [None; VECTORS],
        locked: [false; VECTORS],
        mask_owners: [None; 8],
        mask_locked: [false; 8],
        slots: Vec::new(),
        mask_slots: Vec::new(),
        most: 0,
        is_full: false,
    };
    for (i, op) in body.ops.iter().enumerate().filter(|(i, _)| used[*i]) {
        if let Op::Given(register) = op {
            registers.own(V(i as u32), Zmm(*register));
            registers.most = registers.most.max(usize::from(*register) + 1);
        }
    }
    for (i, op) in body.ops.iter().enumerate().filter(|(i, _)| used[*i]) {
        registers.at = i;
        registers.op(V(i as u32), *op);
        registers.release(*op);
    }
    let is_enough = registers.slots.is_empty() && registers.mask_slots.is_empty();
    (!registers.is_full).then_some(Taken { registers: registers.most, is_enough })
}

#[derive(Clone, Copy)]
struct Where {
    register: Option<u8>,
    slot: Option<usize>,
}

struct Registers<'a> {
    asm: &'a mut Assembler,
    body: &'a Body,
    context: &'a Context<'a>,
    /// The operations that use each value, ascending.
    uses: Vec<Vec<usize>>,
    /// The current operation.
    at: usize,
    places: Vec<Where>,
    owners: [Option<V>; VECTORS],
    /// Needed by the current operation.
    locked: [bool; VECTORS],
    mask_owners: [Option<V>; 8],
    mask_locked: [bool; 8],
    /// Which value lies in each spill slot.
    slots: Vec<Option<V>>,
    mask_slots: Vec<Option<V>>,
    most: usize,
    is_full: bool,
}

impl Registers<'_> {
    fn op(&mut self, to: V, op: Op) {
        match op {
            Op::Uniform(_) | Op::Given(_) => {}
            Op::Load(place) => self.load(to, place),
            Op::Broadcast(place) => {
                let mem = self.mem(place);
                self.result(to, |asm, to| {
                    asm.vector(VBROADCASTSS, to, Zmm(0), Rm::Word(mem), Written::All, None)
                });
            }
            Op::Index(further) => {
                let ramp = self.asm.line(std::array::from_fn(|lane| lane as u32 + further));
                self.result(to, |asm, to| {
                    let this = Zmm(to);
                    asm.vector(VPBROADCASTD_GPR, to, Zmm(0), Rm::Gpr(RAX), Written::All, None);
                    asm.vector(VPSRLD, to, Zmm(0), Rm::Reg(this), Written::All, Some(2));
                    asm.vector(VPADDD, to, this, Rm::Full(ramp), Written::All, None);
                    asm.vector(VCVTDQ2PS, to, Zmm(0), Rm::Reg(this), Written::All, None);
                });
            }
            Op::Counter(at) => self.result(to, |asm, to| {
                asm.vector(VPBROADCASTD, to, Zmm(0), Rm::Word(word(at)), Written::All, None);
            }),
            Op::Single(single, a) => {
                let (op, imm) = match single {
                    Single::Sqrt => (VSQRTPS, None),
                    // Downwards, and no flag for what is not exact.
                    Single::Floor => (VRNDSCALEPS, Some(9)),
                    Single::ShiftLeft(by) => (VPSLLD, Some(by)),
                    Single::ShiftRight(by) => (VPSRAD, Some(by)),
                    Single::FromInt => (VCVTDQ2PS, None),
                };
                let a = self.operand(a);
                self.after(to, |asm, to| asm.vector(op, to, Zmm(0), a, Written::All, imm));
            }
            Op::Pair(pair, a, b) => self.pair(to, pair, a, b),
            Op::Fma(a, b, c) => self.fma(to, a, b, c),
            Op::Compare(relation, a, b) => {
                let (relation, a, b) = if self.is_in_memory(a) && !self.is_in_memory(b) {
                    (relation.mirrored(), b, a)
                } else {
                    (relation, a, b)
                };
                let a = self.register(a);
                let b = self.operand(b);
                self.mask_result(to, |asm, to| {
                    asm.vector(VCMPPS, to.0, a, b, Written::All, Some(relation as u8));
                });
            }
            Op::Choose(mask, a, b) => {
                let mask = self.mask(mask);
                let b = self.register(b);
                let a = self.operand(a);
                self.after(to, |asm, to| asm.vector(VBLENDMPS, to, b, a, Written::Merge(mask), None));
            }
            Op::Keep(mask, a) => {
                let mask = self.mask(mask);
                let a = self.operand(a);
                let op = match a {
                    Rm::Word(_) => VBROADCASTSS,
                    Rm::Full(_) => VMOVUPS,
                    Rm::Reg(_) | Rm::Gpr(_) => VMOVAPS,
                };
                self.after(to, |asm, to| asm.vector(op, to, Zmm(0), a, Written::Zero(mask), None));
            }
            Op::Both(a, b) | Op::Either(a, b) => {
                let op = if let Op::Both(..) = op { MaskOp::And } else { MaskOp::Or };
                let (a, b) = (self.mask(a), self.mask(b));
                self.mask_result(to, |asm, to| asm.masks(op, to, a, b));
            }
            Op::Not(a) => {
                let a = self.mask(a);
                self.mask_result(to, |asm, to| asm.masks(MaskOp::Not, to, a, a));
            }
            Op::Store(place, v) => {
                let value = self.register(v);
                self.store(place, value);
            }
            Op::Running(_) => {}
            Op::Half(lanes, v) => {
                let a = self.register(v);
                self.after(to, |asm, to| match lanes {
                    8 => asm.vector(VSHUFF32X4, to, a, Rm::Reg(a), Written::All, Some(0b1110)),
                    4 => asm.vector(VSHUFF32X4, to, a, Rm::Reg(a), Written::All, Some(1)),
                    2 => asm.vector(VPERMILPS, to, Zmm(0), Rm::Reg(a), Written::All, Some(0b1110)),
                    _ => asm.vector(VPERMILPS, to, Zmm(0), Rm::Reg(a), Written::All, Some(1)),
                });
            }
            Op::Accumulate(pair, running, v) => {
                let op = match pair {
                    Pair::Mul => VMULPS,
                    _ => VADDPS,
                };
                let value = self.operand(v);
                self.all_lanes(|all, write| match all.spot(running) {
                    Spot::Register(at) => all.asm.vector(op, at.0, at, value, write, None),
                    Spot::Frame(at) => {
                        let so_far = all.take();
                        all.asm.vector(VMOVUPS, so_far.0, Zmm(0), Rm::Full(word(at)), Written::All, None);
                        all.asm.vector(op, so_far.0, so_far, value, write, None);
                        let mem = Rm::Full(word(at));
                        all.asm.vector(VMOVUPS_STORE, so_far.0, Zmm(0), mem, Written::All, None);
                    }
                });
            }
            Op::Become(running, v) => {
                let value = self.register(v);
                self.all_lanes(|all, write| match all.spot(running) {
                    Spot::Register(at) => {
                        all.asm.vector(VMOVAPS, at.0, Zmm(0), Rm::Reg(value), write, None);
                    }
                    Spot::Frame(at) => {
                        let mem = Rm::Full(word(at));
                        all.asm.vector(VMOVUPS_STORE, value.0, Zmm(0), mem, write, None);
                    }
                });
            }
            Op::Put(place, v) => {
                let value = self.register(v);
                let mem = self.mem(place);
                self.asm.vector(VMOVSS_STORE, value.0, Zmm(0), Rm::Word(mem), Written::All, None);
            }
            Op::Set(at, v) => {
                let value = self.register(v);
                self.asm.vector(VMOVSS_STORE, value.0, Zmm(0), Rm::Word(word(at)), Written::All, None);
            }
        }
    }

    /// Emits what changes running results: vectors of all lanes, of which those that are there count.
    fn all_lanes(&mut self, emit: impl FnOnce(&mut Self, Written)) {
        let length = std::mem::take(&mut self.asm.length);
        emit(self, if self.context.is_last { Written::Merge(TAIL) } else { Written::All });
        self.asm.length = length;
    }

    fn spot(&self, running: Running) -> Spot {
        let parts = &self.context.running[running.fold];
        parts[(running.part + self.context.part) % parts.len()]
    }

    fn pair(&mut self, to: V, pair: Pair, a: V, b: V) {
        let (op, commutes) = match pair {
            Pair::Add => (VADDPS, true),
            Pair::Sub => (VSUBPS, false),
            Pair::Mul => (VMULPS, true),
            Pair::Div => (VDIVPS, false),
            Pair::Min => (VMINPS, false),
            Pair::Max => (VMAXPS, false),
            Pair::AddInt => (VPADDD, true),
            Pair::SubInt => (VPSUBD, false),
            Pair::And => (VPANDD, true),
            Pair::Xor => (VPXORD, true),
        };
        let (a, b) = if commutes && self.is_in_memory(a) && !self.is_in_memory(b) { (b, a) } else { (a, b) };
        let a = self.register(a);
        let b = self.operand(b);
        self.after(to, |asm, to| asm.vector(op, to, a, b, Written::All, None));
    }

    /// The result replaces one operand: one that nothing else needs, or a copy.
    fn fma(&mut self, to: V, a: V, b: V, c: V) {
        let all = [a, b, c];
        let dying = [2, 0, 1].into_iter().filter(|i| self.is_last(all[*i]));
        let mut dying: Vec<usize> =
            dying.filter(|i| self.places[all[*i].index()].register.is_some()).collect();
        let in_memory: Vec<usize> = (0..3).filter(|i| self.is_in_memory(all[*i])).collect();
        dying.truncate(1);
        // A copy is best made by a load.
        let tied = dying.first().or(in_memory.first()).copied().unwrap_or(0);
        let (x, y) = [(1, 2), (0, 2), (0, 1)][tied];
        if !dying.is_empty() {
            self.register(all[tied]);
        }
        // One of the others may be in memory.
        let (near, far) = if in_memory.contains(&x) { (y, x) } else { (x, y) };
        let near_register = self.register(all[near]);
        let far_operand = self.operand(all[far]);
        let place = self.places[all[tied].index()].register;
        let register = match (dying.is_empty(), place) {
            (false, Some(register)) => {
                self.places[all[tied].index()].register = None;
                Zmm(register)
            }
            _ => {
                let from = self.operand(all[tied]);
                let copy = self.take();
                self.locked[usize::from(copy.0)] = true;
                let op = match from {
                    Rm::Word(_) => VBROADCASTSS,
                    Rm::Full(_) => VMOVUPS,
                    Rm::Reg(_) | Rm::Gpr(_) => VMOVAPS,
                };
                self.asm.vector(op, copy.0, Zmm(0), from, Written::All, None);
                copy
            }
        };
        let op = match (tied, far) {
            (2, _) => VFMADD231PS,
            (_, 2) => VFMADD213PS,
            _ => VFMADD132PS,
        };
        self.asm.vector(op, register.0, near_register, far_operand, Written::All, None);
        self.own(to, register);
    }

    fn load(&mut self, to: V, place: Place) {
        let write = if self.context.is_tail { Written::Zero(TAIL) } else { Written::All };
        if place.stride == 1 {
            let mem = self.mem(place);
            self.result(to, |asm, to| asm.vector(VMOVUPS, to, Zmm(0), Rm::Full(mem), write, None));
            return;
        }
        let index = self.lane_offsets(place.stride);
        let mem = self.each(place, index);
        self.lanes_to_scratch();
        self.result(to, |asm, to| {
            asm.vector(VPXORD, to, Zmm(to), Rm::Reg(Zmm(to)), Written::All, None);
            asm.vector(VGATHERDPS, to, Zmm(0), Rm::Word(mem), Written::Merge(SCRATCH), None);
        });
    }

    fn store(&mut self, place: Place, value: Zmm) {
        if place.stride == 1 {
            let write = if self.context.is_tail { Written::Merge(TAIL) } else { Written::All };
            let mem = self.mem(place);
            self.asm.vector(VMOVUPS_STORE, value.0, Zmm(0), Rm::Full(mem), write, None);
            return;
        }
        let index = self.lane_offsets(place.stride);
        let mem = self.each(place, index);
        self.lanes_to_scratch();
        self.asm.vector(VSCATTERDPS, value.0, Zmm(0), Rm::Word(mem), Written::Merge(SCRATCH), None);
    }

    /// A register with `lane * stride` in each lane, kept from the result.
    fn lane_offsets(&mut self, stride: usize) -> Zmm {
        let offsets = self.asm.line(std::array::from_fn(|lane| (lane * stride) as u32));
        let index = self.take();
        self.locked[usize::from(index.0)] = true;
        self.asm.vector(VMOVUPS, index.0, Zmm(0), Rm::Full(offsets), Written::All, None);
        index
    }

    fn each(&mut self, place: Place, index: Zmm) -> Mem {
        self.asm.int_registers(Int::Imul(place.stride as i32), R11, RAX);
        match self.context.bases[place.base] {
            Base::Register(base) => self.asm.int_registers(Int::Add, R11, base),
            Base::Slot(at) => self.asm.int(Int::Add, R11, word(at)),
        }
        Mem::Each { base: R11, index, disp: place.disp }
    }

    fn lanes_to_scratch(&mut self) {
        if self.context.is_tail {
            self.asm.masks(MaskOp::Move, SCRATCH, TAIL, TAIL);
        } else {
            self.asm.masks(MaskOp::Xnor, SCRATCH, SCRATCH, SCRATCH);
        }
    }

    fn mem(&mut self, place: Place) -> Mem {
        let base = match self.context.bases[place.base] {
            Base::Register(base) => base,
            Base::Slot(at) => {
                self.asm.int(Int::Load, R11, word(at));
                R11
            }
        };
        let index = (self.context.is_loop && place.stride > 0).then_some(RAX);
        Mem::At { base, index, disp: place.disp }
    }

    fn uniform(&self, v: V) -> Option<Uniform> {
        if let Op::Uniform(uniform) = self.body.ops[v.index()] { Some(uniform) } else { None }
    }

    /// A value that is a running result.
    fn running(&self, v: V) -> Option<Spot> {
        if let Op::Running(running) = self.body.ops[v.index()] { Some(self.spot(running)) } else { None }
    }

    fn is_in_memory(&self, v: V) -> bool {
        if let Some(spot) = self.running(v) {
            return matches!(spot, Spot::Frame(_));
        }
        match self.uniform(v) {
            Some(uniform) => !self.context.pinned.contains_key(&uniform),
            None => self.places[v.index()].register.is_none(),
        }
    }

    fn next_use(&self, v: V) -> Option<usize> {
        let uses = &self.uses[v.index()];
        uses.get(uses.partition_point(|use_at| *use_at <= self.at)).copied()
    }

    fn is_last(&self, v: V) -> bool {
        self.next_use(v).is_none()
    }

    /// A value as the last operand of an instruction.
    fn operand(&mut self, v: V) -> Rm {
        if let Some(uniform) = self.uniform(v) {
            return match self.context.pinned.get(&uniform) {
                Some(register) => Rm::Reg(*register),
                None => Rm::Word(self.uniform_mem(uniform)),
            };
        }
        match self.running(v) {
            Some(Spot::Register(register)) => return Rm::Reg(register),
            Some(Spot::Frame(at)) => return Rm::Full(word(at)),
            None => {}
        }
        match self.places[v.index()] {
            Where { register: None, slot: Some(slot) } => Rm::Full(spill(slot)),
            _ => Rm::Reg(self.register(v)),
        }
    }

    fn uniform_mem(&mut self, uniform: Uniform) -> Mem {
        match uniform {
            Uniform::Number(bits) => self.asm.word(bits),
            Uniform::Slot(at) => word(at),
        }
    }

    /// A value in a register, which stays its own until the operation is done.
    fn register(&mut self, v: V) -> Zmm {
        if let Some(register) = self.places[v.index()].register {
            self.locked[usize::from(register)] = true;
            return Zmm(register);
        }
        if let Some(uniform) = self.uniform(v) {
            if let Some(register) = self.context.pinned.get(&uniform) {
                return *register;
            }
            let mem = self.uniform_mem(uniform);
            let register = self.take();
            self.locked[usize::from(register.0)] = true;
            self.asm.vector(VBROADCASTSS, register.0, Zmm(0), Rm::Word(mem), Written::All, None);
            return register;
        }
        if let Some(Spot::Register(register)) = self.running(v) {
            return register;
        }
        let register = self.take();
        if let Some(Spot::Frame(at)) = self.running(v) {
            self.asm.vector(VMOVUPS, register.0, Zmm(0), Rm::Full(word(at)), Written::All, None);
            self.locked[usize::from(register.0)] = true;
            return register;
        }
        if let Some(slot) = self.places[v.index()].slot {
            self.asm.vector(VMOVUPS, register.0, Zmm(0), Rm::Full(spill(slot)), Written::All, None);
        }
        self.own(v, register);
        self.locked[usize::from(register.0)] = true;
        register
    }

    fn own(&mut self, v: V, register: Zmm) {
        self.owners[usize::from(register.0)] = Some(v);
        self.places[v.index()].register = Some(register.0);
    }

    /// A register that nothing is in any more.
    fn take(&mut self) -> Zmm {
        let count = self.context.free;
        let is_free = |r: &usize| self.owners[*r].is_none() && !self.locked[*r];
        if let Some(free) = (0..count).find(is_free) {
            self.most = self.most.max(free + 1);
            return Zmm(free as u8);
        }
        let furthest = (0..count)
            .filter(|r| !self.locked[*r])
            .max_by_key(|r| self.owners[*r].map_or(usize::MAX, |v| self.next_use(v).unwrap_or(usize::MAX)));
        let Some(register) = furthest else {
            self.is_full = true;
            return Zmm(0);
        };
        if let Some(v) = self.owners[register].take() {
            self.places[v.index()].register = None;
            if self.places[v.index()].slot.is_none() {
                let slot = free_slot(&mut self.slots, v);
                self.is_full |= slot >= SPILLS;
                self.places[v.index()].slot = Some(slot);
                let mem = Rm::Full(spill(slot.min(SPILLS - 1)));
                self.asm.vector(VMOVUPS_STORE, register as u8, Zmm(0), mem, Written::All, None);
            }
        }
        Zmm(register as u8)
    }

    /// A result of an instruction whose operands are in `locked` registers still.
    fn result(&mut self, to: V, instruction: impl FnOnce(&mut Assembler, u8)) {
        let register = self.take();
        instruction(self.asm, register.0);
        self.own(to, register);
    }

    /// A result of one instruction, which may take the place of an operand.
    fn after(&mut self, to: V, instruction: impl FnOnce(&mut Assembler, u8)) {
        self.release(self.body.ops[self.at]);
        self.result(to, instruction);
    }

    /// Lets go of what the operation was the last to need.
    fn release(&mut self, op: Op) {
        for v in op.operands() {
            if !self.is_last(v) {
                continue;
            }
            let Where { register, slot } =
                std::mem::replace(&mut self.places[v.index()], Where { register: None, slot: None });
            let is_mask = self.body.ops[v.index()].is_mask();
            if let Some(register) = register {
                if is_mask {
                    self.mask_owners[usize::from(register)] = None;
                } else {
                    self.owners[usize::from(register)] = None;
                }
            }
            if let Some(slot) = slot {
                let slots = if is_mask { &mut self.mask_slots } else { &mut self.slots };
                slots[slot] = None;
            }
        }
        self.locked = [false; VECTORS];
        self.mask_locked = [false; 8];
    }

    fn mask(&mut self, v: V) -> K {
        if let Some(register) = self.places[v.index()].register {
            self.mask_locked[usize::from(register)] = true;
            return K(register);
        }
        let register = self.take_mask();
        if let Some(slot) = self.places[v.index()].slot {
            self.asm.mask_memory(register, mask_spill(slot), false);
        }
        self.own_mask(v, register);
        self.mask_locked[usize::from(register.0)] = true;
        register
    }

    fn own_mask(&mut self, v: V, register: K) {
        self.mask_owners[usize::from(register.0)] = Some(v);
        self.places[v.index()].register = Some(register.0);
    }

    fn take_mask(&mut self) -> K {
        let all = 2..usize::from(SCRATCH.0);
        let is_free = |r: &usize| self.mask_owners[*r].is_none() && !self.mask_locked[*r];
        if let Some(free) = all.clone().find(is_free) {
            return K(free as u8);
        }
        let furthest = all.filter(|r| !self.mask_locked[*r]).max_by_key(|r| {
            self.mask_owners[*r].map_or(usize::MAX, |v| self.next_use(v).unwrap_or(usize::MAX))
        });
        let Some(register) = furthest else {
            self.is_full = true;
            return K(2);
        };
        if let Some(v) = self.mask_owners[register].take() {
            self.places[v.index()].register = None;
            if self.places[v.index()].slot.is_none() {
                let slot = free_slot(&mut self.mask_slots, v);
                self.is_full |= slot >= SPILLS;
                self.places[v.index()].slot = Some(slot);
                self.asm.mask_memory(K(register as u8), mask_spill(slot.min(SPILLS - 1)), true);
            }
        }
        K(register as u8)
    }

    fn mask_result(&mut self, to: V, instruction: impl FnOnce(&mut Assembler, K)) {
        self.release(self.body.ops[self.at]);
        let register = self.take_mask();
        instruction(self.asm, register);
        self.own_mask(to, register);
    }
}

fn free_slot(slots: &mut Vec<Option<V>>, v: V) -> usize {
    let slot = slots.iter().position(Option::is_none).unwrap_or_else(|| {
        slots.push(None);
        slots.len() - 1
    });
    slots[slot] = Some(v);
    slot
}
