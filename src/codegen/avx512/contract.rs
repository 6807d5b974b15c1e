//! Products of a row with a weight: sums of many columns in registers while the contracted axis passes by.
//!
//! Each sum is one chain in the order of the contracted axis, as Note [Order of summation] in `runtime/gemm.rs` wants it.
//! A multiply-add takes four cycles, so a chain alone would wait three of them: up to [`SUMS`] vectors of columns are
//! computed at once. Their weights lie in panels, each read from beginning to end. What is larger than the first cache is
//! read from the last panel to the first at every other row: a part of what was read last is there still.

use super::Words;
use super::allocate::LANES;
use super::encode::*;
use super::frame::word;
use crate::loops::{Access, Nest, PANEL};
use std::fmt;

/// Vectors of columns computed at once.
const SUMS: usize = 16;
/// Vector registers in use: the sums, and one element of the row in all lanes of another for each index in flight.
pub(super) const REGISTERS: usize = SUMS + UNROLL;
/// Indices of the contracted axis for each round of a loop.
const UNROLL: usize = 4;
/// Up to so many indices there is no loop.
const STRAIGHT: usize = 16;
/// With so many columns to come, whole panels are computed two at a time.
const FEW: usize = 3 * PANEL;

/// Bytes that stay in the first cache, beside other things.
const FIRST_CACHE: usize = 24 << 10;

/// Registers that point into panels.
const PANELS: [Gpr; 8] = [Gpr(3), Gpr(5), Gpr(8), Gpr(9), Gpr(10), Gpr(12), Gpr(13), Gpr(14)];
const FROM: Gpr = Gpr(1);
const TO: Gpr = Gpr(2);
/// Counts the contracted axis, in bytes of the row.
const COUNT: Gpr = RAX;
/// The same in bytes of a panel.
const PACE: Gpr = R11;

/// Columns of products of one row: at most a vector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Bytes from the start of the weight.
    weight: i32,
    /// Bytes from the start of the result.
    to: i32,
    count: usize,
}

/// Products of the same columns of a row with columns of one weight.
pub(super) struct Products {
    depth: usize,
    /// Argument, and bytes to the first element.
    from: (u32, i32),
    weight: u32,
    to: u32,
    /// Bytes from index to index of the contracted axis.
    pace: [i32; 2],
    add: bool,
    pub columns: Vec<Column>,
}

fn bytes(elements: usize) -> Option<i32> {
    i32::try_from(elements.checked_mul(4)?).ok()
}

impl Products {
    /// `None` if distances do not fit into instructions.
    pub fn new(nest: &Nest) -> Option<Products> {
        let c = nest.contraction()?;
        let [outer @ .., columns, depth] = &nest.extents[..] else { return None };
        let pace = [c.from, c.weight].map(|access| access.strides.last().copied().unwrap_or(0));
        for pace in pace {
            bytes(pace.checked_mul(depth.checked_add(UNROLL)?)?)?;
        }
        // Rows of different outer indices read the same, so all columns are alike.
        if c.from.strides.iter().take(outer.len()).any(|stride| *stride > 0) {
            return None;
        }
        let mut index = vec![0; outer.len()];
        let mut all = Vec::new();
        let place = |access: &Access, index: &[usize]| {
            let along: usize = access.strides.iter().zip(index).map(|(s, i)| s * i).sum();
            access.offset + along
        };
        for _ in 0..outer.iter().product() {
            for first in (0..*columns).step_by(LANES) {
                all.push(Column {
                    weight: bytes(place(c.weight, &index) + first)?,
                    to: bytes(place(c.to, &index) + first)?,
                    count: LANES.min(columns - first),
                });
            }
            for d in (0..outer.len()).rev() {
                index[d] += 1;
                if index[d] < outer[d] {
                    break;
                }
                index[d] = 0;
            }
        }
        // So much code is better a loop, which this is not.
        if all.len() > 512 {
            return None;
        }
        Some(Products {
            depth: *depth,
            from: (c.from.arg.0, bytes(c.from.offset)?),
            weight: c.weight.arg.0,
            to: c.to.arg.0,
            pace: [bytes(pace[0])?, bytes(pace[1])?],
            add: c.add,
            columns: all,
        })
    }

    /// Whether the others, which come next, differ in columns only.
    pub fn joins(&self, other: &Products) -> bool {
        let key = |p: &Products| (p.depth, p.from, p.weight, p.to, p.pace, p.add);
        key(self) == key(other)
    }

    /// Columns that are computed at once.
    fn groups(&self) -> Vec<&[Column]> {
        let mut rest = &self.columns[..];
        let mut groups = Vec::new();
        while !rest.is_empty() {
            let many = rest.len() * LANES > FEW + PANEL;
            let most = match self.is_large() {
                true => PANEL / LANES,
                false if many => 2 * PANEL / LANES,
                false => SUMS,
            };
            let mut count = rest.len().min(most);
            while panels(&rest[..count]).len() > PANELS.len() {
                count -= 1;
            }
            let (group, behind) = rest.split_at(count);
            groups.push(group);
            rest = behind;
        }
        groups
    }

    pub fn emit(&self, asm: &mut Assembler, words: &Words) {
        asm.int(Int::Load, FROM, word(words.args + self.from.0));
        asm.int(Int::Load, TO, word(words.args + self.to));
        let groups = self.groups();
        if !self.is_large() || groups.len() == 1 {
            groups.iter().for_each(|group| self.group(asm, words, group));
            return;
        }
        let (forwards, done) = (asm.label(), asm.label());
        asm.int(Int::Load, COUNT, word(words.turn));
        asm.int_number(IntImm::And, COUNT, 1);
        asm.jump(Condition::Zero, forwards);
        groups.iter().rev().for_each(|group| self.group(asm, words, group));
        asm.jump(Condition::Always, done);
        asm.bind(forwards);
        groups.iter().for_each(|group| self.group(asm, words, group));
        asm.bind(done);
    }

    /// Whether the weight does not stay in the first cache from row to row.
    fn is_large(&self) -> bool {
        self.depth * self.columns.len() * LANES * 4 > FIRST_CACHE
    }

    fn group(&self, asm: &mut Assembler, words: &Words, group: &[Column]) {
        let panels = panels(group);
        for (panel, register) in panels.iter().zip(PANELS) {
            asm.int(Int::Load, register, word(words.args + self.weight));
            if *panel > 0 {
                asm.int_number(IntImm::Add, register, *panel);
            }
        }
        for sum in 0..group.len() as u8 {
            asm.vector(VPXORD, sum, Zmm(sum), Rm::Reg(Zmm(sum)), Written::All, None);
        }
        let in_loop = if self.depth > STRAIGHT { self.depth / UNROLL * UNROLL } else { 0 };
        if in_loop > 0 {
            asm.int_number(IntImm::Mov, COUNT, 0);
            asm.int_number(IntImm::Mov, PACE, 0);
            let header = asm.label();
            asm.bind(header);
            for k in 0..UNROLL {
                self.step(asm, group, &panels, k, true);
            }
            asm.int_number(IntImm::Add, PACE, self.pace[1] * UNROLL as i32);
            asm.int_number(IntImm::Add, COUNT, self.pace[0] * UNROLL as i32);
            asm.int_number(IntImm::Cmp, COUNT, self.pace[0] * in_loop as i32);
            asm.jump(Condition::Below, header);
        }
        for k in in_loop..self.depth {
            self.step(asm, group, &panels, k, false);
        }
        for (sum, column) in (0..).zip(group) {
            let mem = Mem::At { base: TO, index: None, disp: column.to };
            let whole = column.count == LANES;
            if !whole {
                asm.int_number(IntImm::Mov, COUNT, (1 << column.count) - 1);
                asm.mask_from(PART, COUNT);
            }
            if self.add {
                let write = if whole { Written::All } else { Written::Merge(PART) };
                asm.vector(VADDPS, sum, Zmm(sum), Rm::Full(mem), write, None);
            }
            let write = if whole { Written::All } else { Written::Merge(PART) };
            asm.vector(VMOVUPS_STORE, sum, Zmm(0), Rm::Full(mem), write, None);
        }
    }

    /// Adds index `k`, or in a loop the one so much further.
    fn step(&self, asm: &mut Assembler, group: &[Column], panels: &[i32], k: usize, in_loop: bool) {
        let element = SUMS as u8 + (k % UNROLL) as u8;
        let index = |register| in_loop.then_some(register);
        let disp = self.from.1 + self.pace[0] * k as i32;
        let mem = Mem::At { base: FROM, index: index(COUNT), disp };
        asm.vector(VBROADCASTSS, element, Zmm(0), Rm::Word(mem), Written::All, None);
        for (sum, column) in (0..).zip(group) {
            let (panel, within) = split(panels, column.weight);
            let disp = within + self.pace[1] * k as i32;
            let mem = Mem::At { base: PANELS[panel], index: index(PACE), disp };
            asm.vector(VFMADD231PS, sum, Zmm(element), Rm::Full(mem), Written::All, None);
        }
    }
}

/// The lanes of columns that fill no vector.
const PART: K = K(1);

/// Starts of the weights of some columns, such that each column lies less than a panel's width from one of them.
fn panels(columns: &[Column]) -> Vec<i32> {
    let mut panels: Vec<i32> = Vec::new();
    for column in columns {
        if !panels.iter().any(|panel| (0..4 * PANEL as i32).contains(&(column.weight - panel))) {
            panels.push(column.weight);
        }
    }
    panels
}

/// The panel of a weight, and how far from its start.
fn split(panels: &[i32], weight: i32) -> (usize, i32) {
    let near = |panel: &i32| (0..4 * PANEL as i32).contains(&(weight - panel));
    let panel = panels.iter().position(near).unwrap_or(0);
    (panel, weight - panels.get(panel).copied().unwrap_or(0))
}

impl fmt::Display for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.columns.iter().map(|c| c.count).sum();
        let op = if self.add { "+=" } else { "=" };
        for (i, group) in self.groups().into_iter().enumerate() {
            let columns: usize = group.iter().map(|c| c.count).sum();
            if i == 0 {
                writeln!(
                    f,
                    "[{count}] {op} [{}] @ [{}, {count}], sums side by side:",
                    self.depth, self.depth
                )?;
            }
            writeln!(f, "    {columns}")?;
        }
        Ok(())
    }
}
