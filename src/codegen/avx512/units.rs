//! Products and the elementwise work on them, some units at a time.
//!
//! In: products that wait to be computed, and the nest behind them, which goes along one axis of units and reads, at each
//! unit, some of their columns (its *sums*: the gates of the unit, say). Out: code that computes all sums of sixteen units
//! in registers, works on them there, and goes on to the next sixteen. So no gate is read from memory, and while one
//! group of units waits for the results of its exponentials the processor begins with the products of the next.
//!
//! What the nest does not read waits on, for a nest behind it.

use super::allocate::{LANES, TAIL};
use super::contract::{FIRST_CACHE, Term, bytes};
use super::encode::*;
use super::frame::{row, word};
use super::nest::{Plan, with_inner_axis};
use super::{Pinned, Words};
use crate::codegen::axes::{accesses, merge_axes, written_arg};
use crate::codegen::reach::reach;
use crate::loops::{Access, Effect, Inst, Kernel, Nest};
use std::fmt;
use std::ops::Range;

/// Most sums at once: a processor has enough to do with so many chains, and as many registers are left for the sums of the
/// next product.
const MOST: usize = 8;
/// With so many chains side by side a processor does not wait for any.
const CHAINS: usize = 4;
/// A nest with more groups of units than this keeps its products apart, whose code is a loop.
const GROUPS: usize = 128;

/// Columns that the nest reads at each unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sum {
    /// The argument, and the element for the first unit.
    to: (u32, usize),
    /// Whether the products are added to what is there.
    add: bool,
    /// Whether what is there afterwards may be read.
    is_kept: bool,
}

/// A product for some of the sums.
struct Part {
    depth: usize,
    from: (u32, i32),
    weight: u32,
    pace: [i32; 2],
    add: bool,
    /// Which sums, the first unit, and bytes to its weights; a sum's weights may lie in several panels.
    strips: Vec<(usize, Range<usize>, usize)>,
}

/// Units that are done at once: `vectors` full vectors, or one that may be cut off.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: usize,
    vectors: usize,
    /// Units in a vector.
    count: usize,
}

pub(super) struct Units {
    sums: Vec<Sum>,
    parts: Vec<Part>,
    groups: Vec<Group>,
    pub plan: Plan,
}

/// A product that waits: a nest of one run of columns.
pub(super) struct Waiting(Nest);

impl Waiting {
    /// The runs of columns of a nest of products; `None` if they are no runs.
    pub fn all(nest: &Nest) -> Option<Vec<Waiting>> {
        let c = nest.contraction()?;
        let [outer @ .., width, depth] = &nest.extents[..] else { return None };
        let [.., from] = c.from.strides[..] else { return None };
        if c.from.strides.iter().take(outer.len()).any(|stride| *stride > 0) {
            return None;
        }
        let mut all = Vec::new();
        let mut index = vec![0; outer.len()];
        for _ in 0..outer.iter().product::<usize>() {
            let moved = |access: &Access, strides: Vec<usize>| {
                let along: usize = access.strides.iter().zip(&index).map(|(s, i)| s * i).sum();
                Access { arg: access.arg, offset: access.offset + along, strides }
            };
            let weight = c.weight.strides.last().copied().unwrap_or(0);
            let nest = Nest::contract(
                vec![*width, *depth],
                moved(c.from, vec![0, from]),
                moved(c.weight, vec![1, weight]),
                moved(c.to, vec![1]),
                c.add,
            );
            all.push(Waiting(nest));
            for d in (0..outer.len()).rev() {
                index[d] += 1;
                if index[d] < outer[d] {
                    break;
                }
                index[d] = 0;
            }
        }
        Some(all)
    }

    pub fn nest(&self) -> &Nest {
        &self.0
    }

    /// The argument and the elements that are written.
    fn to(&self) -> (u32, Range<usize>) {
        let to = self.0.contraction().map(|c| c.to);
        let (arg, first) = to.map_or((u32::MAX, 0), |to| (to.arg.0, to.offset));
        (arg, first..first + self.0.extents[0])
    }

    fn reads(&self, arg: u32) -> bool {
        self.0.contraction().is_some_and(|c| c.from.arg.0 == arg || c.weight.arg.0 == arg)
    }

    /// The columns that write some elements, and the others.
    fn cut(&self, elements: &Range<usize>) -> [Option<Waiting>; 3] {
        let (_, all) = self.to();
        let within = elements.start.clamp(all.start, all.end)..elements.end.clamp(all.start, all.end);
        [all.start..within.start, within.clone(), within.end..all.end].map(|part| {
            let c = self.0.contraction().filter(|_| !part.is_empty())?;
            let by = part.start - all.start;
            let further = |access: &Access| Access { offset: access.offset + by, ..access.clone() };
            let extents = vec![part.len(), self.0.extents[1]];
            Some(Waiting(Nest::contract(extents, c.from.clone(), further(c.weight), further(c.to), c.add)))
        })
    }
}

/// What an access touches of a row.
fn touched(access: &Access, extents: &[usize]) -> Range<usize> {
    access.offset..reach(access, extents).unwrap_or(usize::MAX)
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Whether no unit reads or writes what another writes.
fn is_pointwise(nest: &Nest) -> bool {
    let all: Vec<&Access> = accesses(nest).map(|(access, _)| access).collect();
    let is_apart = |to: &Access| {
        let is_same = |a: &Access| a.offset == to.offset && a.strides == to.strides;
        all.iter()
            .filter(|a| a.arg == to.arg)
            .all(|a| is_same(a) || !overlap(&touched(a, &nest.extents), &touched(to, &nest.extents)))
    };
    nest.effects.iter().all(|effect| match effect {
        Effect::Store { access, .. } | Effect::Add { access, .. } => {
            access.strides.last().is_some_and(|stride| *stride > 0) && is_apart(access)
        }
        _ => false,
    })
}

/// Whether a nest may be done before products that come before it.
pub(super) fn is_apart(nest: &Nest, waiting: &[Waiting]) -> bool {
    let touches = |w: &Waiting| {
        let (arg, elements) = w.to();
        accesses(nest)
            .any(|(a, id)| a.arg.0 == arg && (id.is_some() || overlap(&touched(a, &nest.extents), &elements)))
    };
    let changes = |w: &Waiting| nest.effects.iter().filter_map(written_arg).any(|arg| w.reads(arg));
    !waiting.iter().any(|w| touches(w) || changes(w))
}

impl Units {
    /// A nest with those of the waiting products that it reads; the others still wait. `None`, and nothing is changed, if
    /// it cannot be done unit by unit.
    pub fn new(
        kernel: &Kernel,
        waiting: &mut Vec<Waiting>,
        nest: &Nest,
        words: &Words,
        next_word: &mut u32,
    ) -> Option<Units> {
        let nest = with_inner_axis(&merge_axes(nest));
        let [units] = nest.extents[..] else { return None };
        if units == 0 || !is_pointwise(&nest) {
            return None;
        }
        // No product may read what another of them writes, or the nest does.
        let written: Vec<u32> = nest.effects.iter().filter_map(written_arg).collect();
        let changes = |arg: u32| written.contains(&arg) || waiting.iter().any(|w| w.to().0 == arg);
        if waiting.iter().any(|w| (0..kernel.args.len() as u32).any(|arg| w.reads(arg) && changes(arg))) {
            return None;
        }
        let mut sums = sums(&nest, units, waiting)?;
        // The rest waits, which the nest must not touch.
        let mut taken: Vec<(usize, Waiting)> = Vec::new();
        let mut rest: Vec<Waiting> = Vec::new();
        for w in waiting.iter() {
            let mut pieces = vec![w.cut(&(0..usize::MAX))[1].take()?];
            for (s, sum) in sums.iter().enumerate().filter(|(_, sum)| sum.to.0 == w.to().0) {
                let elements = sum.to.1..sum.to.1 + units;
                pieces = pieces
                    .iter()
                    .flat_map(|piece| {
                        let [before, within, behind] = piece.cut(&elements);
                        taken.extend(within.map(|w| (s, w)));
                        [before, behind].into_iter().flatten()
                    })
                    .collect();
            }
            rest.extend(pieces);
        }
        if taken.is_empty() || !is_apart(&nest, &rest) {
            return None;
        }
        let parts = parts(&mut sums, &taken, units)?;
        let most = CHAINS.div_ceil(sums.len());
        let places: Vec<(u32, usize)> = sums.iter().map(|sum| sum.to).collect();
        let mut word = *next_word;
        let plan = Plan::new(kernel, &nest, words, &mut word, &places, most)?;
        let groups = groups(&parts, units, plan.vectors());
        if groups.len() > GROUPS {
            return None;
        }
        *next_word = word;
        *waiting = rest;
        Some(Units { sums, parts, groups, plan })
    }

    /// Whether the weights do not stay in the first cache from row to row.
    fn is_large(&self) -> bool {
        let bytes = |part: &Part| {
            part.strips.iter().map(|(_, units, _)| units.len()).sum::<usize>().saturating_mul(part.depth * 4)
        };
        self.parts.iter().map(bytes).sum::<usize>() > FIRST_CACHE
    }

    pub fn emit(&self, asm: &mut Assembler, words: &Words, ahead: &Pinned) -> Option<()> {
        self.plan.begin_units(asm, ahead)?;
        if !self.is_large() || self.groups.len() == 1 {
            return self.groups.iter().try_for_each(|group| self.group(asm, *group, false));
        }
        let (forwards, done) = (asm.label(), asm.label());
        asm.int(Int::Load, RAX, word(words.turn));
        asm.int_number(IntImm::And, RAX, 1);
        asm.jump(Condition::Zero, forwards);
        self.groups.iter().rev().try_for_each(|group| self.group(asm, *group, true))?;
        asm.jump(Condition::Always, done);
        asm.bind(forwards);
        self.groups.iter().try_for_each(|group| self.group(asm, *group, false))?;
        asm.bind(done);
        Some(())
    }

    /// `back`: what is read last otherwise is read first.
    fn group(&self, asm: &mut Assembler, group: Group, back: bool) -> Option<()> {
        asm.length = Length::of(group.count);
        let is_tail = asm.length.lanes() > group.count;
        if is_tail {
            asm.int_number(IntImm::Mov, R11, (1 << group.count) - 1);
            asm.mask_from(TAIL, R11);
        }
        let write = if is_tail { Written::Merge(TAIL) } else { Written::All };
        let mut is_begun = vec![false; self.sums.len()];
        let many = self.sums.len() * group.vectors;
        // The sum of two is the same either way.
        let can_turn = self.parts.len() == 2 && self.sums.iter().all(|sum| !sum.add);
        let turned: Vec<&Part> = match back && can_turn {
            true => self.parts.iter().rev().collect(),
            false => self.parts.iter().collect(),
        };
        for part in turned {
            let (to, term) = part.of(group, self.sums.len())?;
            // Sums that have begun are added to.
            let apart: Vec<bool> = to.iter().map(|sum| is_begun[sum % self.sums.len()]).collect();
            let banks: Vec<u8> = to
                .iter()
                .zip(&apart)
                .map(|(sum, apart)| (*sum + if *apart { many } else { 0 }) as u8)
                .collect();
            term.chains(asm, &term.columns, &banks, write);
            for (sum, _) in to.iter().zip(&apart).filter(|(_, apart)| **apart) {
                let (sum, more) = (*sum as u8, (*sum + many) as u8);
                asm.vector(VADDPS, sum, Zmm(sum), Rm::Reg(Zmm(more)), Written::All, None);
            }
            for (sum, _) in to.iter().zip(&apart).filter(|(_, apart)| !**apart) {
                let s = sum % self.sums.len();
                is_begun[s] = true;
                if self.sums[s].add {
                    let mem = self.place(asm, *sum, group)?;
                    asm.vector(VADDPS, *sum as u8, Zmm(*sum as u8), Rm::Full(mem), write, None);
                }
            }
        }
        for sum in (0..many).filter(|sum| self.sums[sum % self.sums.len()].is_kept) {
            let mem = self.place(asm, sum, group)?;
            asm.vector(VMOVUPS_STORE, sum as u8, Zmm(0), Rm::Full(mem), write, None);
        }
        self.plan.at(asm, group.first, group.vectors, is_tail)?;
        asm.length = Length::default();
        Some(())
    }

    /// Where a vector of sums lies in memory.
    fn place(&self, asm: &mut Assembler, sum: usize, group: Group) -> Option<Mem> {
        let (arg, first) = self.sums[sum % self.sums.len()].to;
        let disp = bytes(first + group.first + LANES * (sum / self.sums.len()))?;
        asm.int(Int::Load, R11, row(arg));
        Some(Mem::At { base: R11, index: None, disp })
    }
}

/// What a nest reads of waiting products; `None` if it reads them otherwise than unit by unit.
fn sums(nest: &Nest, units: usize, waiting: &[Waiting]) -> Option<Vec<Sum>> {
    let mut sums: Vec<Sum> = Vec::new();
    let loads = nest.insts.iter().filter_map(|inst| match inst {
        Inst::Load(access) => Some(access),
        _ => None,
    });
    for access in loads {
        let elements = touched(access, &nest.extents);
        let reads = |w: &Waiting| {
            let (arg, written) = w.to();
            arg == access.arg.0 && overlap(&written, &elements)
        };
        if !waiting.iter().any(reads) {
            continue;
        }
        let to = (access.arg.0, access.offset);
        if access.strides != [1] {
            return None;
        }
        if sums.iter().all(|sum| sum.to != to) {
            if sums.iter().any(|s| s.to.0 == to.0 && overlap(&(s.to.1..s.to.1 + units), &elements)) {
                return None;
            }
            let is_here = |a: &Access| (a.arg.0, a.offset) == to && a.strides == [1];
            let is_replaced =
                nest.effects.iter().any(|e| matches!(e, Effect::Store { access, .. } if is_here(access)));
            sums.push(Sum { to, add: false, is_kept: !is_replaced });
        }
    }
    sums.sort();
    (!sums.is_empty() && sums.len() <= MOST).then_some(sums)
}

/// The products of the sums, in their order. Each of them must go through all units.
fn parts(sums: &mut [Sum], taken: &[(usize, Waiting)], units: usize) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for (s, w) in taken {
        let c = w.0.contraction()?;
        let [_, depth] = w.0.extents[..] else { return None };
        let (_, elements) = w.to();
        let within = elements.start - sums[*s].to.1..elements.end - sums[*s].to.1;
        let pace = [c.from, c.weight].map(|access| access.strides.last().copied().unwrap_or(0));
        for pace in pace {
            bytes(pace.checked_mul(depth.checked_add(4)?)?)?;
        }
        let pace = [bytes(pace[0])?, bytes(pace[1])?];
        let from = (c.from.arg.0, bytes(c.from.offset)?);
        bytes(c.weight.offset.checked_add(within.len())?)?;
        let new = Part { depth, from, weight: c.weight.arg.0, pace, add: c.add, strips: Vec::new() };
        let key = |p: &Part| (p.depth, p.from, p.weight, p.pace, p.add);
        if parts.last().is_none_or(|last| key(last) != key(&new)) {
            parts.push(new);
        }
        parts.last_mut()?.strips.push((*s, within, c.weight.offset));
    }
    let mut is_begun = vec![false; sums.len()];
    for part in &mut parts {
        part.strips.sort_by_key(|(sum, units, _)| (*sum, units.start));
        for (s, sum) in sums.iter_mut().enumerate() {
            let mut strips = part.strips.iter().filter(|(sum, ..)| *sum == s).peekable();
            if strips.peek().is_none() {
                continue;
            }
            let end = strips.try_fold(0, |end, (_, units, _)| (units.start == end).then_some(units.end));
            if end != Some(units) || (is_begun[s] && !part.add) {
                return None;
            }
            sum.add |= !is_begun[s] && part.add;
            is_begun[s] = true;
        }
    }
    is_begun.iter().all(|begun| *begun).then_some(parts)
}

/// Units that are done at once: none of their weights are in two panels.
fn groups(parts: &[Part], units: usize, vectors: usize) -> Vec<Group> {
    let cut = |first: usize| {
        let ends = parts.iter().flat_map(|p| &p.strips).map(|(_, units, _)| units.end);
        ends.filter(|end| *end > first).min().unwrap_or(units) - first
    };
    // The columns of several vectors may be in several panels.
    let mut groups = Vec::new();
    let mut first = 0;
    while first < units {
        let is_full = |v: usize| cut(first + v * LANES) >= LANES;
        let group = if vectors * LANES <= units - first && (0..vectors).all(is_full) {
            Group { first, vectors, count: LANES }
        } else {
            Group { first, vectors: 1, count: cut(first).min(LANES) }
        };
        groups.push(group);
        first += group.vectors * group.count;
    }
    groups
}

impl Part {
    /// For a group of units, the sums that this is a product for, vector after vector, and the product.
    fn of(&self, group: Group, sums: usize) -> Option<(Vec<usize>, Term)> {
        let mut to = Vec::new();
        let mut columns = Vec::new();
        for v in 0..group.vectors {
            let unit = group.first + v * LANES;
            for (sum, units, weight) in self.strips.iter().filter(|(_, units, _)| units.contains(&unit)) {
                to.push(v * sums + sum);
                columns.push(bytes(weight + unit - units.start)?);
            }
        }
        let term = Term { depth: self.depth, from: self.from, weight: self.weight, pace: self.pace, columns };
        Some((to, term))
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts.iter().map(|p| format!("[{0}] @ [{0}, …]", p.depth)).collect();
        let groups: Vec<String> = self.groups.iter().map(|g| (g.vectors * g.count).to_string()).collect();
        writeln!(f, "{} sums of {}, units by {}", self.sums.len(), parts.join(" + "), groups.join(", "))?;
        write!(f, "{}", self.plan)
    }
}
