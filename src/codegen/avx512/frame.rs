//! The stack frame of a function: spilled vectors, spilled masks, words.

use super::encode::{Gpr, Mem, RSP};

/// Points to the addresses of the arguments' current rows.
pub(super) const ARGS: Gpr = Gpr(15);

/// Places for spilled vectors, and as many for masks.
pub(super) const SPILLS: usize = 24;
/// Words there may be: the whole frame stays within a page, so that no page of the stack is skipped.
pub(super) const WORDS: usize = (4096 - SPILLS * (64 + 8)) / 8 - 8;

/// The address of an argument's row, at index 0 of the innermost axis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    Register(Gpr),
    Slot(u32),
}

pub(super) fn spill(slot: usize) -> Mem {
    Mem::At { base: RSP, index: None, disp: (64 * slot) as i32 }
}

/// The distance from the stack pointer.
pub(super) fn mask_spill(slot: usize) -> i32 {
    (64 * SPILLS + 8 * slot) as i32
}

pub(super) fn word(at: u32) -> Mem {
    Mem::At { base: RSP, index: None, disp: word_at(at) }
}

/// A word's distance from the stack pointer.
pub(super) fn word_at(at: u32) -> i32 {
    ((64 + 8) * SPILLS + 8 * at as usize) as i32
}

/// The address of an argument's current row.
pub(super) fn row(arg: u32) -> Mem {
    Mem::At { base: ARGS, index: None, disp: 8 * arg as i32 }
}

/// Bytes of a frame with so many words.
pub(super) fn size(words: u32) -> i32 {
    ((64 + 8) * SPILLS + 8 * words as usize).next_multiple_of(64) as i32
}
