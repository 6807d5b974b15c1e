//! Products of a row with a weight: sums of many columns in registers while the contracted axis passes by.
//!
//! Each sum is one chain in the order of the contracted axis, as Note [Order of summation] in `gemm/src/lib.rs` wants it.
//! A multiply-add takes four cycles, so a chain alone would wait three of them: up to [`SUMS`] vectors of columns are
//! computed at once. Their weights lie in panels, each read from beginning to end. What is larger than the first cache is
//! read from the last panel to the first at every other row: a part of what was read last is there still.
//!
//! Products that add to the same columns one after another are done together, column by column: what they add to stays in
//! registers.

use super::Words;
use super::allocate::LANES;
use super::encode::*;
use super::frame::{row, word};
use crate::loops::{Access, Nest, PANEL};
use std::collections::BTreeMap;
use std::fmt;

/// Vectors of columns computed at once.
const SUMS: usize = 16;
/// Vector registers in use: the sums (of several products those so far and those of the current one), and one element of the row in all lanes of another for each index in flight.
pub(super) const REGISTERS: usize = SUMS + UNROLL;
/// Indices of the contracted axis for each round of a loop.
const UNROLL: usize = 4;
/// Up to so many indices there is no loop.
const STRAIGHT: usize = 16;
/// With so many columns to come, whole panels are computed two at a time.
const FEW: usize = 3 * PANEL;

/// Bytes that stay in the first cache, beside other things.
pub(super) const FIRST_CACHE: usize = 24 << 10;

/// Registers that point into panels.
const PANELS: [Gpr; 8] = [Gpr(3), Gpr(5), Gpr(8), Gpr(9), Gpr(10), Gpr(12), Gpr(13), Gpr(14)];
const FROM: Gpr = Gpr(1);
const TO: Gpr = Gpr(2);
/// Counts the contracted axis, in bytes of the row.
const COUNT: Gpr = RAX;
/// The same in bytes of a panel.
const PACE: Gpr = R11;

/// Columns that are written: at most a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    /// Bytes from the start of the result.
    to: i32,
    count: usize,
}

impl Column {
    fn length(&self) -> Length {
        Length::of(self.count)
    }
}

/// A row times columns of a weight.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub depth: usize,
    /// Argument, and bytes to the first element.
    pub from: (u32, i32),
    pub weight: u32,
    /// Bytes from index to index of the contracted axis: of the row, of the weight.
    pub pace: [i32; 2],
    /// For each column, bytes from the start of the weight.
    pub columns: Vec<i32>,
}

/// The sum of products for some columns.
#[derive(Clone, Debug)]
pub(super) struct Products {
    to: u32,
    /// Whether it is added to what is there.
    add: bool,
    columns: Vec<Column>,
    terms: Vec<Term>,
}

pub(super) fn bytes(elements: usize) -> Option<i32> {
    i32::try_from(elements.checked_mul(4)?).ok()
}

/// What neighbouring nests of products do, in their order. `None` if something cannot be said in instructions.
pub(super) fn products(nests: &[&Nest]) -> Option<Vec<Products>> {
    let mut all: Vec<Products> = Vec::new();
    for nest in nests {
        let next = Products::new(nest)?;
        match all.last_mut() {
            Some(last) if last.continues_in(&next) => {
                last.columns.extend(next.columns);
                for (term, more) in last.terms.iter_mut().zip(next.terms) {
                    term.columns.extend(more.columns);
                }
            }
            _ => all.push(next),
        }
    }
    Some(together(&all).unwrap_or(all))
}

/// The same with all products for one column together; `None` where their columns do not match, or one reads what another
/// writes.
fn together(all: &[Products]) -> Option<Vec<Products>> {
    let reads_own = |p: &Products| p.terms.iter().any(|t| all.iter().any(|q| q.to == t.from.0));
    if all.iter().any(reads_own) {
        return None;
    }
    /// A column, whether it is added to what is there, and the products for it with the bytes to their weights.
    type Sum = (Column, bool, Vec<(usize, i32)>);
    let mut sums: BTreeMap<(u32, i32), Sum> = BTreeMap::new();
    for (i, p) in all.iter().enumerate() {
        let [term] = &p.terms[..] else { return None };
        for (column, weight) in p.columns.iter().zip(&term.columns) {
            match sums.get_mut(&(p.to, column.to)) {
                Some((known, _, products)) if known == column && p.add => products.push((i, *weight)),
                Some(_) => return None,
                None => {
                    sums.insert((p.to, column.to), (*column, p.add, vec![(i, *weight)]));
                }
            }
        }
    }
    let mut end: Option<(u32, i32)> = None;
    let mut out: Vec<(Vec<usize>, Products)> = Vec::new();
    for ((to, _), (column, add, products)) in sums {
        if end.is_some_and(|(arg, end)| arg == to && column.to < end) {
            return None;
        }
        end = Some((to, column.to + 4 * column.count as i32));
        let key: Vec<usize> = products.iter().map(|(i, _)| *i).collect();
        let same = |(k, p): &(Vec<usize>, Products)| *k == key && (p.to, p.add) == (to, add);
        let at = out.iter().position(same).unwrap_or_else(|| {
            let terms = key.iter().map(|i| Term { columns: Vec::new(), ..all[*i].terms[0].clone() });
            out.push((key.clone(), Products { to, add, columns: Vec::new(), terms: terms.collect() }));
            out.len() - 1
        });
        let found = &mut out[at].1;
        found.columns.push(column);
        for (term, (_, weight)) in found.terms.iter_mut().zip(products) {
            term.columns.push(weight);
        }
    }
    Some(out.into_iter().map(|(_, products)| products).collect())
}

impl Products {
    /// `None` if distances do not fit into instructions.
    fn new(nest: &Nest) -> Option<Products> {
        let c = nest.contraction()?;
        let [outer @ .., width, depth] = &nest.extents[..] else { return None };
        let pace = [c.from, c.weight].map(|access| access.strides.last().copied().unwrap_or(0));
        for pace in pace {
            bytes(pace.checked_mul(depth.checked_add(UNROLL)?)?)?;
        }
        // Rows of different outer indices read the same, so all columns are alike.
        if c.from.strides.iter().take(outer.len()).any(|stride| *stride > 0) {
            return None;
        }
        let mut index = vec![0; outer.len()];
        let (mut columns, mut weights) = (Vec::new(), Vec::new());
        let place = |access: &Access, index: &[usize]| {
            let along: usize = access.strides.iter().zip(index).map(|(s, i)| s * i).sum();
            access.offset + along
        };
        for _ in 0..outer.iter().product() {
            for first in (0..*width).step_by(LANES) {
                weights.push(bytes(place(c.weight, &index) + first)?);
                let to = bytes(place(c.to, &index) + first)?;
                columns.push(Column { to, count: LANES.min(width - first) });
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
        if columns.len() > 512 {
            return None;
        }
        let term = Term {
            depth: *depth,
            from: (c.from.arg.0, bytes(c.from.offset)?),
            weight: c.weight.arg.0,
            pace: [bytes(pace[0])?, bytes(pace[1])?],
            columns: weights,
        };
        Some(Products { to: c.to.arg.0, add: c.add, columns, terms: vec![term] })
    }

    /// Whether the others differ in columns only.
    fn continues_in(&self, other: &Products) -> bool {
        let term = |t: &Term| (t.depth, t.from, t.weight, t.pace);
        let key = |p: &Products| (p.to, p.add, p.terms.iter().map(term).collect::<Vec<_>>());
        key(self) == key(other)
    }

    /// Columns that are computed at once, as ranges.
    fn groups(&self) -> Vec<std::ops::Range<usize>> {
        let mut first = 0;
        let mut groups = Vec::new();
        while first < self.columns.len() {
            let rest = self.columns.len() - first;
            let many = rest * LANES > FEW + PANEL;
            let most = match (self.is_large(), self.terms.len()) {
                (true, _) => PANEL / LANES,
                (false, 1) if !many => SUMS,
                (false, _) => SUMS / 2,
            };
            let mut count = rest.min(most);
            while self.terms.iter().any(|t| panels(&t.columns[first..first + count]).len() > PANELS.len()) {
                count -= 1;
            }
            groups.push(first..first + count);
            first += count;
        }
        groups
    }

    /// Whether the weights do not stay in the first cache from row to row.
    fn is_large(&self) -> bool {
        let all: usize = self.terms.iter().map(|t| t.depth * t.columns.len() * LANES * 4).sum();
        all > FIRST_CACHE
    }

    pub fn emit(&self, asm: &mut Assembler, words: &Words) {
        asm.int(Int::Load, TO, row(self.to));
        let groups = self.groups();
        if !self.is_large() || groups.len() == 1 {
            groups.iter().for_each(|group| self.group(asm, group.clone()));
            return;
        }
        let (forwards, done) = (asm.label(), asm.label());
        asm.int(Int::Load, COUNT, word(words.turn));
        asm.int_number(IntImm::And, COUNT, 1);
        asm.jump(Condition::Zero, forwards);
        groups.iter().rev().for_each(|group| self.group(asm, group.clone()));
        asm.jump(Condition::Always, done);
        asm.bind(forwards);
        groups.iter().for_each(|group| self.group(asm, group.clone()));
        asm.bind(done);
    }

    fn group(&self, asm: &mut Assembler, group: std::ops::Range<usize>) {
        let columns = &self.columns[group.clone()];
        for (i, term) in self.terms.iter().enumerate() {
            // Behind the sums so far.
            let bank = if i == 0 { 0 } else { columns.len() as u8 };
            let sums: Vec<u8> = (bank..).take(columns.len()).collect();
            term.chains(asm, &term.columns[group.clone()], &sums, Written::All);
            for sum in 0..if i == 0 { 0 } else { bank } {
                asm.length = columns[usize::from(sum)].length();
                asm.vector(VADDPS, sum, Zmm(sum), Rm::Reg(Zmm(bank + sum)), Written::All, None);
            }
            if i == 0 && self.add {
                for (sum, column) in (0..).zip(columns) {
                    let (mem, write) = self.place(asm, column);
                    asm.length = column.length();
                    asm.vector(VADDPS, sum, Zmm(sum), Rm::Full(mem), write, None);
                }
            }
        }
        for (sum, column) in (0..).zip(columns) {
            let (mem, write) = self.place(asm, column);
            asm.length = column.length();
            asm.vector(VMOVUPS_STORE, sum, Zmm(0), Rm::Full(mem), write, None);
        }
        asm.length = Length::default();
    }

    fn place(&self, asm: &mut Assembler, column: &Column) -> (Mem, Written) {
        let mem = Mem::At { base: TO, index: None, disp: column.to };
        if column.count == column.length().lanes() {
            return (mem, Written::All);
        }
        asm.int_number(IntImm::Mov, COUNT, (1 << column.count) - 1);
        asm.mask_from(PART, COUNT);
        (mem, Written::Merge(PART))
    }
}

impl Term {
    /// The sums of a group, in a register each.
    pub fn chains(&self, asm: &mut Assembler, columns: &[i32], sums: &[u8], write: Written) {
        let panels = panels(columns);
        asm.int(Int::Load, FROM, row(self.from.0));
        for (panel, register) in panels.iter().zip(PANELS) {
            asm.int(Int::Load, register, row(self.weight));
            if *panel > 0 {
                asm.int_number(IntImm::Add, register, *panel);
            }
        }
        for sum in sums {
            asm.vector(VPXORD, *sum, Zmm(*sum), Rm::Reg(Zmm(*sum)), Written::All, None);
        }
        let sums: Vec<(u8, i32)> = sums.iter().copied().zip(columns.iter().copied()).collect();
        let in_loop = if self.depth > STRAIGHT { self.depth / UNROLL * UNROLL } else { 0 };
        if in_loop > 0 {
            asm.int_number(IntImm::Mov, COUNT, 0);
            asm.int_number(IntImm::Mov, PACE, 0);
            let header = asm.label();
            asm.bind(header);
            for k in 0..UNROLL {
                self.step(asm, &sums, &panels, write, k, true);
            }
            asm.int_number(IntImm::Add, PACE, self.pace[1] * UNROLL as i32);
            asm.int_number(IntImm::Add, COUNT, self.pace[0] * UNROLL as i32);
            asm.int_number(IntImm::Cmp, COUNT, self.pace[0] * in_loop as i32);
            asm.jump(Condition::Below, header);
        }
        for k in in_loop..self.depth {
            self.step(asm, &sums, &panels, write, k, false);
        }
    }

    /// Adds index `k`, or in a loop the one so much further.
    fn step(
        &self,
        asm: &mut Assembler,
        sums: &[(u8, i32)],
        panels: &[i32],
        write: Written,
        k: usize,
        in_loop: bool,
    ) {
        let element = SUMS as u8 + (k % UNROLL) as u8;
        let index = |register| in_loop.then_some(register);
        let disp = self.from.1 + self.pace[0] * k as i32;
        let mem = Mem::At { base: FROM, index: index(COUNT), disp };
        asm.vector(VBROADCASTSS, element, Zmm(0), Rm::Word(mem), Written::All, None);
        for (sum, weight) in sums {
            let (panel, within) = split(panels, *weight);
            let disp = within + self.pace[1] * k as i32;
            let mem = Mem::At { base: PANELS[panel], index: index(PACE), disp };
            asm.vector(VFMADD231PS, *sum, Zmm(element), Rm::Full(mem), write, None);
        }
    }
}

/// The lanes of columns that fill no vector.
const PART: K = K(1);

/// Starts of the weights of some columns, such that each column lies less than a panel's width from one of them.
fn panels(columns: &[i32]) -> Vec<i32> {
    let mut panels: Vec<i32> = Vec::new();
    for column in columns {
        if !panels.iter().any(|panel| (0..4 * PANEL as i32).contains(&(column - panel))) {
            panels.push(*column);
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
        let terms: Vec<String> =
            self.terms.iter().map(|t| format!("[{}] @ [{}, {count}]", t.depth, t.depth)).collect();
        let width = |group: std::ops::Range<usize>| {
            self.columns[group].iter().map(|c| c.count).sum::<usize>().to_string()
        };
        let groups: Vec<String> = self.groups().into_iter().map(width).collect();
        writeln!(f, "[{count}] {op} {}, side by side {}", terms.join(" + "), groups.join(", "))
    }
}
