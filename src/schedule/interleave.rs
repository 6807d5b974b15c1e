//! The columns of a weight in the order in which they are read.
//!
//! In: neighbouring products and kernels of a step that are to become one kernel, products among them whose columns are
//! gates of many units, gate after gate. Out: the same products with columns sorted by the kernel's loop that reads them,
//! then by sixteen units, then by gate, so that whoever computes all gates of some units, works on them and goes on to
//! the next reads the weight from one end to the other. What a column is and where its sum is written stays.

use crate::loops::{Access, Arg, ArgId, Inst, Nest, Operand, PANEL, Program, Stage, Weight, WeightPart};

/// Units that are done at once.
const UNITS: usize = 16;
/// Bytes of a weight that is left as it is: it stays in the first cache, where order does not matter.
const SMALL: usize = 16 << 10;

/// Columns that are read together, with their first place in the weight: in each unit one of each of the gates.
struct Gates {
    place: usize,
    /// The first column of each.
    first: Vec<usize>,
    units: usize,
}

/// How the columns of a weight are sorted.
#[derive(Default)]
pub struct Interleaved(Vec<Gates>);

impl Interleaved {
    /// Sorts the columns of the product `stages[at]`, if that can be done and is worth it.
    pub fn of(program: &mut Program, used_once: &[bool], stages: &[Stage], at: usize) -> Option<Interleaved> {
        let Stage::Product { weight, out, .. } = &stages[at] else { return None };
        let w = &program.weights[weight.index()];
        if w.k.saturating_mul(w.n).saturating_mul(4) <= SMALL || !used_once[weight.index()] {
            return None;
        }
        let order = Interleaved(gates(program, &stages[at + 1..], out, w.n)?);
        if order.0.iter().all(|gates| gates.first.len() == 1) {
            return None;
        }
        let parts = order.parts(w)?;
        program.weights[weight.index()].parts = parts;
        Some(order)
    }

    /// Each run of sixteen columns: where it is, and where it was.
    fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().flat_map(|gates| {
            (0..gates.units / UNITS).flat_map(move |u| {
                let place = gates.place + u * gates.first.len() * UNITS;
                gates.first.iter().enumerate().map(move |(g, c)| (place + g * UNITS, c + u * UNITS))
            })
        })
    }

    fn parts(&self, weight: &Weight) -> Option<Vec<WeightPart>> {
        let mut parts = Vec::new();
        for (to, from) in self.runs() {
            for part in &weight.parts {
                // Of a transposed block the columns are rows, which are all of one length.
                let end = part.n0 + if part.transposed { part.rows } else { part.cols };
                if from >= end || from + UNITS <= part.n0 {
                    continue;
                }
                if from < part.n0 || from + UNITS > end || !part.transposed {
                    return None;
                }
                let column = part.source.column + (from - part.n0) * part.cols;
                let source = Operand { column, ..part.source };
                parts.push(WeightPart { source, rows: UNITS, n0: to, ..part.clone() });
            }
        }
        Some(parts)
    }

    /// The nests of some indices of the contracted axis, of which there are `k`: from accesses to the row, the weight and
    /// the result at the first of them.
    pub fn nests(&self, k: usize, depth: usize, add: bool, [row, weight, to]: [&Access; 3]) -> Vec<Nest> {
        let mut nests = Vec::new();
        for gates in &self.0 {
            // After so many runs of units a gate is at the same place of a panel again.
            let count = gates.first.len();
            let again = (1..PANEL).find(|n| (n * count * UNITS).is_multiple_of(PANEL)).unwrap_or(PANEL);
            let blocks = gates.units / UNITS;
            for first in 0..again.min(blocks) {
                for (g, column) in gates.first.iter().enumerate() {
                    let place = gates.place + (first * count + g) * UNITS;
                    let at = |access: &Access, by: usize, strides: Vec<usize>| Access {
                        arg: access.arg,
                        offset: access.offset + by,
                        strides,
                    };
                    nests.push(Nest::contract(
                        vec![(blocks - first).div_ceil(again), UNITS, depth],
                        at(row, 0, vec![0, 0, 1]),
                        at(
                            weight,
                            place / PANEL * k * PANEL + place % PANEL,
                            vec![again * count * UNITS * k, 1, PANEL],
                        ),
                        at(to, column + first * UNITS, vec![again * UNITS, 1]),
                        add,
                    ));
                }
            }
        }
        nests
    }
}

/// For each weight, whether one product uses it and nothing else.
pub fn used_once(program: &Program) -> Vec<bool> {
    fn note(stages: &[Stage], uses: &mut [usize]) {
        for stage in stages {
            match stage {
                Stage::Loop { body, .. } | Stage::Fronts { body, .. } => note(body, uses),
                Stage::Product { weight, .. } => uses[weight.index()] += 1,
                Stage::Map { args, .. } => {
                    for arg in args {
                        if let Arg::Weight(weight) = arg {
                            uses[weight.index()] += 2;
                        }
                    }
                }
                _ => {}
            }
        }
    }
    let mut uses = vec![0; program.weights.len()];
    note(&program.prepare, &mut uses);
    note(&program.stages, &mut uses);
    uses.into_iter().map(|n| n == 1).collect()
}

/// What the kernels behind a product read of its `n` columns; `None` if that is not each column once, in runs of units.
fn gates(program: &Program, behind: &[Stage], out: &Operand, n: usize) -> Option<Vec<Gates>> {
    let mut all: Vec<Gates> = Vec::new();
    for stage in behind {
        let Stage::Map { kernel, args, .. } = stage else { continue };
        let whole = Arg::Rows(Operand { column: 0, ..*out });
        let Some(arg) = args.iter().position(|arg| *arg == whole) else { continue };
        for nest in &program.kernels[kernel.index()].nests {
            let mut own = Gates { place: 0, first: Vec::new(), units: 0 };
            for inst in &nest.insts {
                let (Inst::Load(access) | Inst::LoadAt { access, .. }) = inst else { continue };
                if access.arg != ArgId(arg as u32) {
                    continue;
                }
                let ([units], [1], Inst::Load(_)) = (&nest.extents[..], &access.strides[..], inst) else {
                    return None;
                };
                let (first, end) = (access.offset, access.offset + units);
                if end <= out.column || first >= out.column + n {
                    continue;
                }
                let first = first.checked_sub(out.column)?;
                let is_known = |gates: &Gates| gates.units == *units && gates.first.contains(&first);
                if all.iter().any(is_known) || own.first.contains(&first) {
                    continue;
                }
                own.units = *units;
                own.first.push(first);
            }
            if !own.first.is_empty() {
                own.first.sort_unstable();
                all.push(own);
            }
        }
    }
    let mut place = 0;
    let mut is_taken = vec![false; n];
    for gates in &mut all {
        if gates.units % UNITS != 0 {
            return None;
        }
        gates.place = place;
        place += gates.first.len() * gates.units;
        for first in &gates.first {
            let columns = is_taken.get_mut(*first..first + gates.units)?;
            if columns.contains(&true) {
                return None;
            }
            columns.fill(true);
        }
    }
    is_taken.iter().all(|taken| *taken).then_some(all)
}
