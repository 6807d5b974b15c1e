//! Kernels in 512-bit vectors, for x86-64 with AVX-512F.
//!
//! Cranelift has no vectors beyond 128 bits, so the code is made here: each nest becomes a straight-line [`body`] of
//! vector operations (by the same [`Lanes`](super::lanes::Lanes) as everywhere), which gets [registers](allocate) and
//! becomes [bytes](encode). The ends of rows that fill no vector run under a mask. In: a kernel. Out: its function, which
//! has the signature and the promises of all others, calls nothing and refers to nothing outside itself; or nothing,
//! where a nest does what this emitter cannot say (ids that choose rows, the place of a greatest element, calls). The results are bit for bit
//! those of 128-bit vectors with multiply-add.

mod allocate;
mod body;
mod contract;
mod encode;
mod folds;
mod frame;
mod nest;
mod order;
mod units;

use crate::loops::{Effect, Kernel, Nest};
use allocate::VECTORS;
use body::Uniform;
use contract::Products;
use encode::*;
use frame::{ARGS, WORDS, row, word};
use nest::Plan;
use std::collections::BTreeMap;
use units::{Units, Waiting};

/// The machine code of one kernel.
pub(super) struct Function {
    pub bytes: Vec<u8>,
    /// One line an instruction, if asked for.
    pub text: Option<String>,
}

/// Registers a caller finds unchanged.
const SAVED: [Gpr; 6] = [Gpr(3), Gpr(5), Gpr(12), Gpr(13), Gpr(14), Gpr(15)];

/// Words of the stack frame with one use throughout a function.
struct Words {
    /// The current row of each argument, from the second row on: the first are where the caller has them.
    args: u32,
    /// The caller's stack pointer.
    stack: u32,
    /// Rows still to do.
    rows: u32,
    /// The address of what the function was called with.
    call: u32,
    /// The number of the row, by which even and odd ones are told apart.
    turn: u32,
    scalars: u32,
}

impl Words {
    fn new(args: u32) -> Words {
        Words { args: 0, stack: args, rows: args + 1, call: args + 2, turn: args + 3, scalars: args + 4 }
    }
}

/// Numbers with their registers.
type Pinned = BTreeMap<Uniform, Zmm>;

/// What a nest, or several of them, become.
enum Part {
    Nest(Box<Plan>),
    Products(Products),
    Units(Box<Units>),
}

impl Part {
    /// Numbers in registers during its loops.
    fn pinned(&self) -> Option<&Pinned> {
        match self {
            Part::Units(units) => (!units.plan.pinned.is_empty()).then_some(&units.plan.pinned),
            Part::Nest(plan) => (!plan.pinned.is_empty()).then_some(&plan.pinned),
            Part::Products(_) => None,
        }
    }

    /// How many vector registers it uses beside, from the first on.
    fn registers(&self) -> usize {
        match self {
            Part::Units(units) => units.plan.highest(),
            Part::Nest(plan) => plan.highest(),
            Part::Products(_) => contract::REGISTERS,
        }
    }
}

/// The parts of a kernel, and the first word of the frame that is free.
fn parts(kernel: &Kernel, words: &Words) -> Option<(Vec<Part>, u32)> {
    let mut next_word = words.scalars.checked_add(kernel.scalars)?;
    let mut parts = Vec::new();
    let nests: Vec<&Nest> = kernel.nests.iter().filter(|nest| !is_nothing(nest)).collect();
    // Products are done with the nest that needs them.
    let mut waiting: Vec<Waiting> = Vec::new();
    let all_now = |waiting: &mut Vec<Waiting>| {
        let now = std::mem::take(waiting);
        let nests: Vec<&Nest> = now.iter().map(Waiting::nest).collect();
        Some(contract::products(&nests)?.into_iter().map(Part::Products))
    };
    for nest in nests {
        if nest.contraction().is_some() {
            waiting.extend(Waiting::all(nest)?);
            continue;
        }
        if let Some(units) = Units::new(kernel, &mut waiting, nest, words, &mut next_word) {
            parts.push(Part::Units(Box::new(units)));
            continue;
        }
        if !units::is_apart(nest, &waiting) {
            parts.extend(all_now(&mut waiting)?);
        }
        let plan = Plan::new(kernel, nest, words, &mut next_word, &[], nest::MOST)?;
        parts.push(Part::Nest(Box::new(plan)));
    }
    parts.extend(all_now(&mut waiting)?);
    Some((parts, next_word))
}

/// The function of a kernel, if this emitter has the means.
pub(super) fn compile(kernel: &Kernel, with_text: bool) -> Option<Function> {
    let args = u32::try_from(kernel.args.len()).ok()?;
    let words = Words::new(args);
    let (parts, next_word) = parts(kernel, &words)?;
    if next_word as usize > WORDS {
        return None;
    }
    let ahead = pinned_throughout(&parts);

    let mut asm = Assembler::new(with_text);
    let (next_row, exit) = (asm.label(), asm.label());
    SAVED.iter().for_each(|reg| asm.push(*reg));
    asm.int_registers(Int::Load, R11, RSP);
    asm.int_number(IntImm::Sub, RSP, frame::size(next_word));
    asm.int_number(IntImm::And, RSP, -64);
    asm.int(Int::Store, R11, word(words.stack));
    asm.int_number(IntImm::Cmp, RSI, 0);
    asm.jump(Condition::Zero, exit);
    asm.int(Int::Store, RSI, word(words.rows));
    asm.int(Int::Store, RDI, word(words.call));
    asm.int(Int::Store, RDX, word(words.turn));
    asm.int_registers(Int::Load, ARGS, RDI);
    nest::pin(&mut asm, &ahead);
    asm.bind(next_row);
    for scalar in 0..kernel.scalars {
        asm.memory_number(IntImm::Mov, word(words.scalars + scalar), 0);
    }
    for part in &parts {
        match part {
            Part::Nest(plan) => plan.emit(&mut asm, &ahead)?,
            Part::Products(products) => products.emit(&mut asm, &words),
            Part::Units(units) => units.emit(&mut asm, &words, &ahead)?,
        }
    }
    asm.memory_number(IntImm::Sub, word(words.rows), 1);
    asm.jump(Condition::Zero, exit);
    asm.memory_number(IntImm::Add, word(words.turn), 1);
    // Behind the addresses of the arguments and of the constants are the arguments' strides.
    asm.int(Int::Load, R11, word(words.call));
    for arg in 0..args {
        asm.int(Int::Load, RAX, row(arg));
        asm.int(Int::Add, RAX, Mem::At { base: R11, index: None, disp: 8 * (args + 1 + arg) as i32 });
        asm.int(Int::Store, RAX, word(words.args + arg));
    }
    asm.int_registers(Int::Load, ARGS, RSP);
    asm.int_number(IntImm::Add, ARGS, frame::word_at(words.args));
    asm.jump(Condition::Always, next_row);
    asm.bind(exit);
    asm.int(Int::Load, RSP, word(words.stack));
    SAVED.iter().rev().for_each(|reg| asm.pop(*reg));
    asm.vzeroupper();
    asm.ret();
    let (bytes, text) = asm.finish();
    Some(Function { bytes, text })
}

/// The intermediate code: the body of each nest, and what is computed before it.
pub(super) fn listing(kernel: &Kernel) -> Option<String> {
    let args = u32::try_from(kernel.args.len()).ok()?;
    let (parts, _) = parts(kernel, &Words::new(args))?;
    let text = |part: &Part| match part {
        Part::Nest(plan) => plan.to_string(),
        Part::Products(products) => products.to_string(),
        Part::Units(units) => units.to_string(),
    };
    Some(parts.iter().map(text).collect())
}

/// A nest without elements; only a fold has a result all the same.
fn is_nothing(nest: &Nest) -> bool {
    nest.extents.contains(&0) && !nest.effects.iter().any(|e| matches!(e, Effect::Reduce { .. }))
}

/// Numbers of one nest that can stay in their registers from the first row to the last, as no other nest needs those.
fn pinned_throughout(parts: &[Part]) -> Pinned {
    let mut owners = parts.iter().enumerate().filter_map(|(i, part)| Some((i, part.pinned()?)));
    let (Some((owner, pinned)), None) = (owners.next(), owners.next()) else { return BTreeMap::new() };
    let free = pinned.values().map(|register| usize::from(register.0)).min().unwrap_or(VECTORS);
    let is_apart = |(i, other): (usize, &Part)| i == owner || other.registers() <= free;
    if !parts.iter().enumerate().all(is_apart) {
        return BTreeMap::new();
    }
    let numbers = pinned.iter().filter(|(uniform, _)| matches!(uniform, Uniform::Number(_)));
    numbers.map(|(uniform, register)| (*uniform, *register)).collect()
}
