//! Folds of a nest: running results in the order that [`order`](crate::loops::order) says.
//!
//! The lanes of a fold are four vectors. A loop that computes four vectors a round has each of them in a place of its own, a
//! register as long as there are some; where the innermost axis is shorter, so are the running results.

use super::super::lanes::Wide;
use super::super::ops::{Ops, neutral};
use super::allocate::{LANES, Spot, VECTORS};
use super::body::{Body, Op, Pair, Running, V};
use super::encode::*;
use super::frame::word;
use crate::loops::{ReduceOp, order};

/// Vectors of running results.
pub(super) const PARTS: usize = order::LANES / LANES;

/// Registers for running results; others lie in the stack frame.
const REGISTERS: usize = 12;

/// Words of the stack frame for one vector.
const WORDS: u32 = 4 * LANES as u32 / 8;

#[derive(Clone, Debug, Default)]
pub(super) struct Folds {
    /// Of the innermost axis.
    extent: usize,
    /// What each one is, and whether it is of the innermost axis alone.
    all: Vec<(ReduceOp, bool)>,
    /// What comes of those of the innermost axis, behind it.
    pub behind_axis: Body,
    /// And of all axes.
    pub behind: Body,
}

impl Folds {
    pub fn new(extent: usize) -> Folds {
        Folds { extent, ..Folds::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Vectors of running results that come into use.
    fn parts(&self) -> usize {
        self.extent.div_ceil(LANES).clamp(1, PARTS)
    }

    /// Folds a value of the body; its result, in the code behind. `None` for what is no fold by pairs.
    pub fn fold(&mut self, body: &mut Body, op: ReduceOp, value: Wide<V>, is_inner: bool) -> Option<V> {
        let to = Running { fold: self.all.len(), part: 0 };
        match op {
            ReduceOp::Sum => body.push(Op::Accumulate(Pair::Add, to, value[0])),
            ReduceOp::Prod => body.push(Op::Accumulate(Pair::Mul, to, value[0])),
            ReduceOp::Max | ReduceOp::Min => {
                let so_far = vec![body.push(Op::Running(to))];
                let next = body.fold(op, &so_far, &value)[0];
                body.push(Op::Become(to, next))
            }
            ReduceOp::ArgMax => return None,
        };
        self.all.push((op, is_inner));
        let parts = self.parts();
        let behind = if is_inner { &mut self.behind_axis } else { &mut self.behind };
        let mut all: Vec<V> =
            (0..parts).map(|part| behind.push(Op::Running(Running { part, ..to }))).collect();
        let mut half = PARTS;
        while half > 1 {
            half /= 2;
            for upper in half..all.len() {
                all[upper - half] = behind.fold(op, &vec![all[upper - half]], &vec![all[upper]])[0];
            }
            all.truncate(half);
        }
        // Lanes that nothing went to are neutral, so they may as well stay out.
        let mut lanes = LANES as u8;
        while lanes > 1 {
            lanes /= 2;
            if self.extent > usize::from(lanes) {
                let upper = behind.push(Op::Half(lanes, all[0]));
                all[0] = behind.fold(op, &vec![all[0]], &vec![upper])[0];
            }
        }
        Some(all[0])
    }

    /// Places for all running results: the last registers and, if those are not enough, words of the frame from `next_word`
    /// on.
    pub fn spots(&self, next_word: &mut u32) -> Vec<Vec<Spot>> {
        let mut registers = (0..VECTORS as u8).rev().take(REGISTERS).map(Zmm);
        let mut spot = || match registers.next() {
            Some(register) => Spot::Register(register),
            None => {
                *next_word += WORDS;
                Spot::Frame(*next_word - WORDS)
            }
        };
        self.all.iter().map(|_| (0..self.parts()).map(|_| spot()).collect()).collect()
    }

    /// Begins those of the innermost axis, or the others.
    pub fn begin(&self, asm: &mut Assembler, running: &[Vec<Spot>], inner: bool) {
        let those = self.all.iter().zip(running).filter(|((_, is_inner), _)| *is_inner == inner);
        for ((op, _), spots) in those {
            for spot in spots {
                let register = if let Spot::Register(register) = spot { *register } else { Zmm(0) };
                match neutral(*op) {
                    0.0 => {
                        let same = Rm::Reg(register);
                        asm.vector(VPXORD, register.0, register, same, Written::All, None);
                    }
                    number => {
                        let number = Rm::Word(asm.word(number.to_bits()));
                        asm.vector(VBROADCASTSS, register.0, Zmm(0), number, Written::All, None);
                    }
                }
                if let Spot::Frame(at) = spot {
                    let mem = Rm::Full(word(*at));
                    asm.vector(VMOVUPS_STORE, register.0, Zmm(0), mem, Written::All, None);
                }
            }
        }
    }
}

/// How many registers hold running results.
pub(super) fn in_registers(running: &[Vec<Spot>]) -> usize {
    running.iter().flatten().filter(|spot| matches!(spot, Spot::Register(_))).count()
}
