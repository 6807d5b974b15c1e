//! One loop nest: its bodies, the addresses they use, and the loops around them.

use super::super::axes::{each_access, fixed, merge_axes, quotients_as_products};
use super::super::folds::is_inner_fold;
use super::super::lanes::{Lanes, Wide};
use super::super::ops::{self, Ops, get};
use super::Words;
use super::allocate::{self, Context, LANES, Spot, TAIL, VECTORS};
use super::body::{Body, Op, Pair, Place, Single, Uniform, V};
use super::encode::*;
use super::folds::{self, Folds, PARTS};
use super::frame::{Base, row, word};
use crate::loops::{Access, Effect, Elem, Inst, Kernel, Nest, ReduceOp, ScalarId};
use std::collections::BTreeMap;
use std::fmt;

/// Registers for addresses; one more is there for what finds no room.
const BASES: [Gpr; 12] =
    [Gpr(1), Gpr(2), Gpr(3), Gpr(5), Gpr(6), Gpr(7), Gpr(8), Gpr(9), Gpr(10), Gpr(12), Gpr(13), Gpr(14)];

/// So many vectors are computed side by side, if registers suffice.
const SIDE_BY_SIDE: [usize; 2] = [MOST, 2];
pub(super) const MOST: usize = 4;
/// Operations of all of them: more would need more registers, and time to find that out.
const MOST_TOGETHER: usize = 600;
/// Vector registers that they may take: the others hold numbers.
const FREELY: usize = 20;

/// With fewer rounds of a loop, filling registers before it does not pay.
const ROUNDS: usize = 4;

type Known = ops::Known<V>;

/// An address that the nest's loads and stores begin at.
struct Start {
    arg: u32,
    /// The count of an outer axis, as a word of the frame, and bytes from one index to the next.
    outer: Vec<(u32, i32)>,
    base: Base,
}

pub(super) struct Plan {
    /// Outer axes: the word that counts, and how far.
    outer: Vec<(u32, usize)>,
    /// Of the innermost axis.
    extent: usize,
    starts: Vec<Start>,
    /// What is the same at every index of the innermost axis.
    before: Body,
    body: Body,
    folds: Folds,
    /// Where running results are.
    running: Vec<Vec<Spot>>,
    /// There is nothing to compute but the results of folds.
    is_nothing: bool,
    /// So many vectors at once, and their operations by turns.
    vectors: usize,
    together: Body,
    /// Numbers in registers during the loop.
    pub pinned: BTreeMap<Uniform, Zmm>,
    /// How many other vector registers are used, but for running results.
    registers: usize,
}

impl Plan {
    /// `None` for a nest that cannot be said in these means. `next_word`: the first free word of the frame.
    /// What the nest reads at `given` arguments and offsets along its only axis is in registers already, in the first of
    /// them for the first vector, and so on; at most so many vectors are computed side by side.
    pub fn new(
        kernel: &Kernel,
        nest: &Nest,
        words: &Words,
        next_word: &mut u32,
        given: &[(u32, usize)],
        most: usize,
    ) -> Option<Plan> {
        let nest = with_inner_axis(&quotients_as_products(&merge_axes(nest)));
        let (extent, outer) = nest.extents.split_last()?;
        // An index of the innermost axis is counted in bytes, and as a number it is exact.
        if *extent > 1 << 24 {
            return None;
        }
        let mut recorder = Recorder {
            kernel,
            nest: &nest,
            extent: *extent,
            words,
            counters: outer.iter().map(|n| (*n > 1).then(|| next(next_word))).collect(),
            starts: Vec::new(),
            next_word,
            given,
            before: Body::default(),
            body: Body::default(),
            folds: Folds::new(*extent),
        };
        recorder.record()?;
        let Recorder { counters, starts, before, body, folds, next_word, .. } = recorder;
        if before.refused || body.refused {
            return None;
        }
        let outer = counters.into_iter().zip(outer).filter_map(|(word, n)| Some((word?, *n))).collect();
        let starts = starts.into_iter().enumerate().map(|(i, (arg, outer))| {
            let base = BASES.get(i).map_or_else(|| Base::Slot(next(next_word)), |reg| Base::Register(*reg));
            Start { arg, outer, base }
        });
        let starts = starts.collect();
        let mut plan = Plan {
            outer,
            extent: *extent,
            starts,
            before,
            running: folds.spots(next_word),
            folds,
            is_nothing: nest.extents.contains(&0),
            vectors: 1,
            together: body.clone(),
            body,
            pinned: BTreeMap::new(),
            registers: 0,
        };
        plan.choose_pinned(given.len(), most)?;
        Some(plan)
    }

    fn bases(&self) -> Vec<Base> {
        self.starts.iter().map(|s| s.base).collect()
    }

    /// Vector registers that are not running results: the first ones.
    fn plain(&self) -> usize {
        VECTORS - folds::in_registers(&self.running)
    }

    /// How many registers are used, from the first on, but for pinned ones.
    pub fn highest(&self) -> usize {
        if self.plain() < VECTORS { VECTORS } else { self.registers }
    }

    /// The registers that a body leaves free hold the numbers that save most.
    fn choose_pinned(&mut self, given: usize, most: usize) -> Option<()> {
        let bases = self.bases();
        let mut context = self.around(&bases);
        let measured = |body: &Body, context: &Context| {
            Some(allocate::emit(&mut Assembler::default(), body, context)?.registers)
        };
        let mut around = measured(&self.before, &context)?;
        for body in [&self.folds.behind_axis, &self.folds.behind] {
            around = around.max(measured(body, &context)?);
        }
        context.is_loop = true;
        let mut body = measured(&self.body, &context)?;
        let fitting = |body: Body| {
            let ordered = body.in_order();
            let taken = allocate::emit(&mut Assembler::default(), &ordered, &context)?;
            (taken.is_enough && taken.registers <= FREELY).then_some((ordered, taken.registers))
        };
        let as_recorded = self.body.clone();
        let (mut chosen, mut vectors, mut together) = (as_recorded.clone(), 1, None);
        if let Some((ordered, registers)) = fitting(as_recorded.clone()) {
            (chosen, body) = (ordered, registers);
        }
        let rounds = self.extent / LANES;
        // Each of the vectors has running results of its own.
        let turns = if self.folds.is_empty() { 0 } else { rounds.min(PARTS) };
        let sides = if turns > 1 { vec![turns] } else { SIDE_BY_SIDE.to_vec() };
        let is_short = |n: &usize| *n <= most && rounds >= *n && n * as_recorded.ops.len() <= MOST_TOGETHER;
        for count in sides.into_iter().filter(is_short) {
            let found = as_recorded.side_by_side(count, LANES, given).and_then(fitting);
            if let Some((all, registers)) = found {
                (vectors, together, body) = (count, Some(all), registers.max(body));
                break;
            }
        }
        if turns > 1 && together.is_none() {
            let all = chosen.in_turn(turns, LANES, given)?;
            body = body.max(measured(&all, &context)?);
            (vectors, together) = (turns, Some(all));
        }
        (self.vectors, self.together) = (vectors, together.unwrap_or_else(|| chosen.clone()));
        self.body = chosen;
        self.registers = around.max(body);
        if given > 0 {
            self.registers = self.registers.max(super::contract::REGISTERS);
        }
        if self.extent / LANES < ROUNDS {
            return Some(());
        }
        let plain = self.plain();
        let mut worth: Vec<(usize, Uniform)> = self.worth().into_iter().map(|(u, n)| (n, u)).collect();
        worth.sort_unstable_by(|(n, u), (m, w)| m.cmp(n).then(u.cmp(w)));
        worth.truncate(plain - self.registers);
        let registers = (0..plain as u8).rev().map(Zmm);
        self.pinned = worth.into_iter().map(|(_, uniform)| uniform).zip(registers).collect();
        Some(())
    }

    /// What a round of the loop saves if a number is in a register: an instruction where it cannot be an operand in
    /// memory, else a load.
    fn worth(&self) -> BTreeMap<Uniform, usize> {
        let mut worth = BTreeMap::new();
        let used = self.body.is_used();
        for (op, _) in self.body.ops.iter().zip(used).filter(|(_, used)| *used) {
            let is_first_fixed =
                matches!(op, Op::Pair(Pair::Sub | Pair::Div | Pair::Min | Pair::Max | Pair::SubInt, ..));
            for (i, v) in op.operands().enumerate() {
                let must = match op {
                    Op::Choose(..) => i == 2,
                    Op::Store(..) | Op::Set(..) | Op::Become(..) => true,
                    _ => is_first_fixed && i == 0,
                };
                if let Op::Uniform(uniform) = self.body.ops[v.index()] {
                    *worth.entry(uniform).or_insert(0) += if must { 3 } else { 1 };
                }
            }
        }
        worth
    }

    /// `ahead`: what is in its register already.
    pub fn emit(&self, asm: &mut Assembler, ahead: &BTreeMap<Uniform, Zmm>) -> Option<()> {
        self.folds.begin(asm, &self.running, false);
        if !self.is_nothing {
            self.outer_axes(asm, ahead)?;
        }
        allocate::emit(asm, &self.folds.behind, &self.around(&self.bases()))?;
        Some(())
    }

    /// What code outside of the innermost axis is emitted with.
    fn around<'a>(&'a self, bases: &'a [Base]) -> Context<'a> {
        static NONE: BTreeMap<Uniform, Zmm> = BTreeMap::new();
        Context {
            bases,
            pinned: &NONE,
            running: &self.running,
            part: 0,
            free: self.plain(),
            is_loop: false,
            is_tail: false,
            is_last: false,
        }
    }

    /// And along it.
    fn within<'a>(&'a self, bases: &'a [Base]) -> Context<'a> {
        let free = self.plain() - self.pinned.len();
        Context { pinned: &self.pinned, free, is_loop: true, ..self.around(bases) }
    }

    fn outer_axes(&self, asm: &mut Assembler, ahead: &BTreeMap<Uniform, Zmm>) -> Option<()> {
        let headers: Vec<Label> = self
            .outer
            .iter()
            .map(|(counter, _)| {
                asm.memory_number(IntImm::Mov, word(*counter), 0);
                let header = asm.label();
                asm.bind(header);
                header
            })
            .collect();
        self.addresses(asm);
        self.begin(asm, ahead)?;
        let bases = self.bases();
        self.folds.begin(asm, &self.running, true);
        self.inner_axis(asm, &bases)?;
        allocate::emit(asm, &self.folds.behind_axis, &self.around(&bases))?;
        for ((counter, extent), header) in self.outer.iter().zip(headers).rev() {
            asm.memory_number(IntImm::Add, word(*counter), 1);
            asm.memory_number(IntImm::Cmp, word(*counter), *extent as i32);
            asm.jump(Condition::Below, header);
        }
        Some(())
    }

    /// What is the same at all indices of the innermost axis; the addresses are there.
    fn begin(&self, asm: &mut Assembler, ahead: &BTreeMap<Uniform, Zmm>) -> Option<()> {
        allocate::emit(asm, &self.before, &self.around(&self.bases()))?;
        let rest = self.pinned.iter().filter(|(uniform, _)| !ahead.contains_key(uniform));
        pin(asm, &rest.map(|(uniform, register)| (*uniform, *register)).collect());
        Some(())
    }

    /// How many vectors are computed side by side.
    pub fn vectors(&self) -> usize {
        self.vectors
    }

    /// Before the first [`Plan::at`].
    pub fn begin_units(&self, asm: &mut Assembler, ahead: &BTreeMap<Uniform, Zmm>) -> Option<()> {
        if self.before.ops.iter().any(|op| op.is_effect()) {
            self.addresses(asm);
        }
        self.begin(asm, ahead)
    }

    /// Of a nest with one axis, one vector or all that are computed side by side, from some index on. In a tail only the
    /// lanes of [`TAIL`] touch memory.
    pub fn at(&self, asm: &mut Assembler, first: usize, vectors: usize, is_tail: bool) -> Option<()> {
        self.addresses(asm);
        asm.int_number(IntImm::Mov, RAX, i32::try_from(4 * first).ok()?);
        let bases = self.bases();
        let context = Context { is_tail, ..self.within(&bases) };
        let body = if vectors > 1 { &self.together } else { &self.body };
        allocate::emit(asm, body, &context).map(|_| ())
    }

    fn addresses(&self, asm: &mut Assembler) {
        for start in &self.starts {
            let to = if let Base::Register(register) = start.base { register } else { RAX };
            asm.int(Int::Load, to, row(start.arg));
            for (counter, bytes) in &start.outer {
                asm.int(Int::Imul(*bytes), R11, word(*counter));
                asm.int_registers(Int::Add, to, R11);
            }
            if let Base::Slot(at) = start.base {
                asm.int(Int::Store, to, word(at));
            }
        }
    }

    fn inner_axis(&self, asm: &mut Assembler, bases: &[Base]) -> Option<()> {
        let (rounds, rest) = (self.extent / LANES, self.extent % LANES);
        let mut context = self.within(bases);
        asm.int_number(IntImm::Mov, RAX, 0);
        let mut done = 0;
        for (vectors, body) in [(self.vectors, &self.together), (1, &self.body)] {
            let mut times = (rounds - done) / vectors;
            while times > 0 {
                // Each of what is left over has running results of its own.
                let turn = if self.folds.is_empty() || vectors > 1 { times } else { 1 };
                context.part = done % PARTS;
                done += turn * vectors;
                times -= turn;
                let header = (turn > 1).then(|| {
                    let header = asm.label();
                    asm.bind(header);
                    header
                });
                allocate::emit(asm, body, &context)?;
                asm.int_number(IntImm::Add, RAX, (4 * LANES * vectors) as i32);
                if let Some(header) = header {
                    asm.int_number(IntImm::Cmp, RAX, (4 * LANES * done) as i32);
                    asm.jump(Condition::Below, header);
                }
            }
        }
        if rest > 0 {
            // Lanes that are there all or, under a mask, in part. (What is stored under a mask is read again but slowly.)
            asm.length = Length::of(rest);
            context.part = rounds % PARTS;
            context.is_tail = asm.length.lanes() > rest;
            context.is_last = true;
            if context.is_tail || !self.folds.is_empty() {
                asm.int_number(IntImm::Mov, R11, (1 << rest) - 1);
                asm.mask_from(TAIL, R11);
            }
            allocate::emit(asm, &self.body, &context)?;
            asm.length = Length::default();
        }
        Some(())
    }
}

/// Fills registers with numbers.
pub(super) fn pin(asm: &mut Assembler, pinned: &BTreeMap<Uniform, Zmm>) {
    for (uniform, register) in pinned {
        let mem = match uniform {
            Uniform::Number(bits) => asm.word(*bits),
            Uniform::Slot(at) => word(*at),
        };
        asm.vector(VBROADCASTSS, register.0, Zmm(0), Rm::Word(mem), Written::All, None);
    }
}

fn next(word: &mut u32) -> u32 {
    *word += 1;
    *word - 1
}

/// The same nest with an innermost axis, and with stride 1 along it where it has one element only; but what is folded
/// along it and written once behind it has stride 0 there.
pub(super) fn with_inner_axis(nest: &Nest) -> Nest {
    let mut nest = nest.clone();
    let is_new = nest.extents.is_empty();
    for effect in &mut nest.effects {
        if let Effect::ReduceInner { access, .. } = effect {
            access.strides.push(0);
        }
    }
    let folded: Vec<(usize, Effect)> =
        nest.effects.iter().cloned().enumerate().filter(|(_, effect)| is_inner_fold(effect)).collect();
    if is_new {
        nest.extents.push(1);
    }
    if nest.extents.last() == Some(&1) {
        each_access(&mut nest, &mut |access| {
            if !is_new {
                access.strides.pop();
            }
            access.strides.push(1);
        });
    }
    for (i, effect) in folded {
        nest.effects[i] = effect;
    }
    nest
}

/// The state while the bodies of a nest are recorded.
struct Recorder<'a> {
    kernel: &'a Kernel,
    nest: &'a Nest,
    extent: usize,
    words: &'a Words,
    counters: Vec<Option<u32>>,
    starts: Vec<(u32, Vec<(u32, i32)>)>,
    next_word: &'a mut u32,
    given: &'a [(u32, usize)],
    before: Body,
    body: Body,
    folds: Folds,
}

impl Recorder<'_> {
    fn record(&mut self) -> Option<()> {
        let nest = self.nest;
        let sets: Vec<ScalarId> = nest.effects.iter().filter_map(set).collect();
        let mut ahead: Vec<Option<Known>> = Vec::new();
        let mut known: Vec<Option<Known>> = Vec::new();
        for (inst, is_fixed) in nest.insts.iter().zip(fixed(nest)) {
            match inst {
                // What is read here is the number from before.
                Inst::Scalar(s) if sets.contains(s) => return None,
                Inst::LoadAt { .. } => return None,
                _ => {}
            }
            if is_fixed {
                let value = self.value(inst, &ahead, true)?;
                known.push(Some(self.carry(&value)));
                ahead.push(Some(value));
            } else {
                let value = self.value(inst, &known, false)?;
                known.push(Some(value));
                ahead.push(None);
            }
        }
        nest.effects.iter().try_for_each(|effect| self.effect(effect, &known))
    }

    /// `is_fixed`: computed before the loop.
    fn value(&mut self, inst: &Inst, known: &[Option<Known>], is_fixed: bool) -> Option<Known> {
        let wide = match inst {
            Inst::Load(access) => {
                let value = self.load(access, is_fixed)?;
                let body = if is_fixed { &mut self.before } else { &mut self.body };
                match self.kernel.args[access.arg.index()].elem {
                    Elem::F32 => value,
                    Elem::I32 => body.push(Op::Single(Single::FromInt, value)),
                }
            }
            Inst::Scalar(s) => {
                let slot = Uniform::Slot(self.words.scalars + s.0);
                self.before.push(Op::Uniform(slot))
            }
            Inst::Index(axis) if is_fixed => match self.counters[*axis as usize] {
                Some(counter) => {
                    let count = self.before.push(Op::Counter(counter));
                    self.before.push(Op::Single(Single::FromInt, count))
                }
                None => self.before.number(0.0),
            },
            Inst::Index(_) => self.body.push(Op::Index(0)),
            _ if is_fixed => return Some(self.before.operation(inst, known, 1)),
            _ => return Some(self.body.operation(inst, known, 1)),
        };
        Some(Known::wide(vec![wide]))
    }

    /// What was computed before the loop, for the loop.
    fn carry(&mut self, value: &Known) -> Known {
        if value.number.is_some() {
            return value.clone();
        }
        let wide: Wide<V> = Ops::wide(&mut self.before, value, 1);
        let uniform = match self.before.ops[wide[0].index()] {
            Op::Uniform(uniform) => uniform,
            _ => {
                let slot = next(self.next_word);
                self.before.push(Op::Set(slot, wide[0]));
                Uniform::Slot(slot)
            }
        };
        Known::wide(vec![self.body.push(Op::Uniform(uniform))])
    }

    fn effect(&mut self, effect: &Effect, known: &[Option<Known>]) -> Option<()> {
        let (access, value, add) = match effect {
            Effect::Store { access, value } => (access, value, false),
            Effect::Add { access, value } => (access, value, true),
            Effect::Set { value, into } => {
                let value = Ops::wide(&mut self.body, get(known, *value), 1);
                self.body.push(Op::Set(self.words.scalars + into.0, value[0]));
                return Some(());
            }
            Effect::Reduce { fold, value, into } => {
                let value = Ops::wide(&mut self.body, get(known, *value), 1);
                let result = self.folds.fold(&mut self.body, *fold, value, false)?;
                self.folds.behind.push(Op::Set(self.words.scalars + into.0, result));
                return Some(());
            }
            Effect::ReduceInner { fold, value, access, add } => {
                return self.inner_fold(*fold, get(known, *value), access, *add);
            }
            Effect::AddAt { .. } | Effect::Contract { .. } => return None,
        };
        if is_inner_fold(effect) {
            return self.inner_fold(ReduceOp::Sum, get(known, *value), access, add);
        }
        let is_id = self.kernel.args[access.arg.index()].elem == Elem::I32;
        // Of a single place along the innermost axis the last value would count.
        if is_id || access.strides.last() == Some(&0) {
            return None;
        }
        let mut value = Ops::wide(&mut self.body, get(known, *value), 1)[0];
        let place = self.place(access)?;
        if add {
            let old = self.body.push(Op::Load(place));
            value = self.body.add(&vec![old], &vec![value])[0];
        }
        self.body.push(Op::Store(place, value));
        Some(())
    }

    /// Folds along the innermost axis to one place behind it.
    fn inner_fold(&mut self, fold: ReduceOp, value: &Known, access: &Access, add: bool) -> Option<()> {
        if self.kernel.args[access.arg.index()].elem == Elem::I32 {
            return None;
        }
        let value = Ops::wide(&mut self.body, value, 1);
        let place = self.place(access)?;
        let mut result = self.folds.fold(&mut self.body, fold, value, true)?;
        let behind = &mut self.folds.behind_axis;
        if add {
            let old = behind.push(Op::Broadcast(place));
            result = behind.add(&vec![old], &vec![result])[0];
        }
        behind.push(Op::Put(place, result));
        Some(())
    }

    fn load(&mut self, access: &Access, is_fixed: bool) -> Option<V> {
        let is_given = |given: &(u32, usize)| *given == (access.arg.0, access.offset);
        if let (Some(register), false) = (self.given.iter().position(is_given), is_fixed) {
            return Some(self.body.push(Op::Given(register as u8)));
        }
        let place = self.place(access)?;
        match (is_fixed, place.stride) {
            (true, _) => Some(self.before.push(Op::Broadcast(place))),
            // It may change from index to index.
            (false, 0) => None,
            (false, _) => Some(self.body.push(Op::Load(place))),
        }
    }

    /// Distances must fit into instructions.
    fn place(&mut self, access: &Access) -> Option<Place> {
        let bytes = |elements: usize| i32::try_from(elements.checked_mul(4)?).ok();
        let (stride, outer) = access.strides.split_last()?;
        bytes(stride.checked_mul(self.extent.max(LANES * SIDE_BY_SIDE[0]))?)?;
        let outer: Option<Vec<(u32, i32)>> = self
            .counters
            .iter()
            .zip(outer)
            .filter_map(|(counter, stride)| counter.filter(|_| *stride > 0).map(|c| (c, *stride)))
            .map(|(counter, stride)| Some((counter, bytes(stride)?)))
            .collect();
        let start = (access.arg.0, outer?);
        let base = self.starts.iter().position(|s| *s == start).unwrap_or_else(|| {
            self.starts.push(start);
            self.starts.len() - 1
        });
        Some(Place { base, disp: bytes(access.offset)?, stride: *stride })
    }
}

fn set(effect: &Effect) -> Option<ScalarId> {
    if let Effect::Set { into, .. } | Effect::Reduce { into, .. } = effect { Some(*into) } else { None }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, extent) in &self.outer {
            writeln!(f, "for {extent}")?;
        }
        write!(f, "{}for {} by {LANES}\n{}", self.before, self.extent, self.body)?;
        if !self.folds.is_empty() {
            write!(f, "behind\n{}{}", self.folds.behind_axis, self.folds.behind)?;
        }
        Ok(())
    }
}
