//! Kernels in 512-bit vectors, for x86-64 with AVX-512F.
//!
//! Cranelift has no vectors beyond 128 bits, so the code is made here: each nest becomes a straight-line [`body`] of
//! vector operations (by the same [`Lanes`](super::lanes::Lanes) as everywhere), which gets [registers](allocate) and
//! becomes [bytes](encode). The ends of rows that fill no vector run under a mask. In: a kernel. Out: its function, which
//! has the signature and the promises of all others, calls nothing and refers to nothing outside itself; or nothing,
//! where a nest does what this emitter cannot say (ids that choose rows, folds, calls). The results are bit for bit
//! those of 128-bit vectors with multiply-add.

mod allocate;
mod body;
mod encode;
mod frame;
mod nest;

use crate::loops::{Effect, Kernel, Nest};
use allocate::VECTORS;
use body::Uniform;
use encode::*;
use frame::{WORDS, word};
use nest::Plan;
use std::collections::BTreeMap;

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
    /// The caller's stack pointer.
    stack: u32,
    /// Rows still to do.
    rows: u32,
    /// The current row of each argument.
    args: u32,
    scalars: u32,
}

/// The function of a kernel, if this emitter has the means.
pub(super) fn compile(kernel: &Kernel, with_text: bool) -> Option<Function> {
    let args = u32::try_from(kernel.args.len()).ok()?;
    let words = Words { stack: 0, rows: 1, args: 2, scalars: 2 + args };
    let mut next_word = words.scalars.checked_add(kernel.scalars)?;
    let plans: Vec<Plan> = kernel
        .nests
        .iter()
        .filter(|nest| !is_nothing(nest))
        .map(|nest| Plan::new(kernel, nest, &words, &mut next_word))
        .collect::<Option<_>>()?;
    if next_word as usize > WORDS {
        return None;
    }
    let ahead = pinned_throughout(&plans);

    let mut asm = Assembler::new(with_text);
    let (row, exit) = (asm.label(), asm.label());
    SAVED.iter().for_each(|reg| asm.push(*reg));
    asm.int_registers(Int::Load, R11, RSP);
    asm.int_number(IntImm::Sub, RSP, frame::size(next_word));
    asm.int_number(IntImm::And, RSP, -64);
    asm.int(Int::Store, R11, word(words.stack));
    asm.int_number(IntImm::Cmp, RSI, 0);
    asm.jump(Condition::Zero, exit);
    asm.int(Int::Store, RSI, word(words.rows));
    for arg in 0..args {
        asm.int(Int::Load, RAX, Mem::At { base: RDI, index: None, disp: 8 * arg as i32 });
        asm.int(Int::Store, RAX, word(words.args + arg));
    }
    nest::pin(&mut asm, &ahead);
    asm.bind(row);
    for scalar in 0..kernel.scalars {
        asm.memory_number(IntImm::Mov, word(words.scalars + scalar), 0);
    }
    for plan in &plans {
        plan.emit(&mut asm, &words, &ahead)?;
    }
    for (arg, declared) in (0..).zip(&kernel.args) {
        let bytes = i32::try_from(declared.row_stride.checked_mul(4)?).ok()?;
        if bytes > 0 {
            asm.memory_number(IntImm::Add, word(words.args + arg), bytes);
        }
    }
    asm.memory_number(IntImm::Sub, word(words.rows), 1);
    asm.jump(Condition::NotZero, row);
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
    let words = Words { stack: 0, rows: 1, args: 2, scalars: 2 + args };
    let mut next_word = words.scalars.checked_add(kernel.scalars)?;
    let nests = kernel.nests.iter().filter(|nest| !is_nothing(nest));
    nests.map(|nest| Some(Plan::new(kernel, nest, &words, &mut next_word)?.to_string())).collect()
}

/// A nest without elements; only a fold has a result all the same.
fn is_nothing(nest: &Nest) -> bool {
    nest.extents.contains(&0) && !nest.effects.iter().any(|e| matches!(e, Effect::Reduce { .. }))
}

/// Numbers of one nest that can stay in their registers from the first row to the last, as no other nest needs those.
fn pinned_throughout(plans: &[Plan]) -> BTreeMap<Uniform, Zmm> {
    let mut owners = plans.iter().enumerate().filter(|(_, plan)| !plan.pinned.is_empty());
    let (Some((owner, plan)), None) = (owners.next(), owners.next()) else { return BTreeMap::new() };
    let free = VECTORS - plan.pinned.len();
    let is_apart = |(i, other): (usize, &Plan)| i == owner || other.registers <= free;
    if !plans.iter().enumerate().all(is_apart) {
        return BTreeMap::new();
    }
    let numbers = plan.pinned.iter().filter(|(uniform, _)| matches!(uniform, Uniform::Number(_)));
    numbers.map(|(uniform, register)| (*uniform, *register)).collect()
}
