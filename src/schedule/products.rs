//! Products: which terms of which accumulators become one call.
//!
//! In: the terms that can be computed at one moment. Out: product stages and their packed weights. Terms that read
//! the same columns and write neighbouring accumulators are one product (their matrices stand side by
//! side); terms that read neighbouring columns and write the same accumulators are one product (their
//! matrices stand on top of each other).

use super::order::{Order, Region};
use super::pack::Layout;
use super::value::{Flow, Op, Term, Val};
use crate::loops::{Operand, Stage, Weight, WeightId, WeightPart};
use std::collections::{BTreeMap, BTreeSet};

/// Terms by the moment they are computed at.
#[derive(Debug, Default)]
pub struct Moments(BTreeMap<(Region, u32), Vec<(Val, Term)>>);

pub fn moments(flow: &Flow, order: &Order) -> Moments {
    let mut out = Moments::default();
    for v in flow.ids().filter(|v| order.live[v.index()]) {
        let Op::Acc(terms) = flow.op(v) else { continue };
        for t in terms {
            out.0.entry(order.moment(flow, v, t)).or_default().push((v, *t));
        }
    }
    out
}

#[derive(Debug, Default)]
pub struct Products {
    pub weights: Vec<Weight>,
    /// Accumulators that hold something already.
    started: BTreeSet<Val>,
}

#[derive(Clone, Debug)]
struct Run {
    /// Neighbours in memory, in order.
    accs: Vec<Val>,
    a: Operand,
    k: usize,
    /// For each accumulator its terms along k, with where each begins.
    terms: Vec<Vec<(usize, Term)>>,
}

impl Products {
    pub fn emit(
        &mut self,
        flow: &Flow,
        layout: &Layout,
        moments: &Moments,
        at: (Region, u32),
        into: &mut Vec<Stage>,
    ) {
        let Some(terms) = moments.0.get(&at) else { return };
        for run in joined(side_by_side(flow, layout, terms)) {
            // What an accumulator holds already decides between storing and adding.
            let mut i = 0;
            while i < run.accs.len() {
                let started = self.started.contains(&run.accs[i]);
                let same = run.accs[i..].iter().take_while(|v| self.started.contains(v) == started);
                let end = i + same.count();
                self.product(flow, layout, &run, i..end, started, into);
                i = end;
            }
            self.started.extend(&run.accs);
        }
    }

    fn product(
        &mut self,
        flow: &Flow,
        layout: &Layout,
        run: &Run,
        range: std::ops::Range<usize>,
        accumulate: bool,
        into: &mut Vec<Stage>,
    ) {
        let accs = &run.accs[range.clone()];
        let Some(out) = accs.first().and_then(|v| layout.operand(&flow.view(*v))) else { return };
        let mut parts = Vec::new();
        let mut names = Vec::new();
        let mut n0 = 0;
        for (v, terms) in accs.iter().zip(&run.terms[range]) {
            for (k0, t) in terms {
                let shape = &flow.get(t.matrix).shape;
                let Some(source) = layout.operand(&flow.view(t.matrix)) else { continue };
                let (rows, cols) = (shape[0], shape[1]);
                parts.push(WeightPart { source, rows, cols, transposed: t.transposed, k0: *k0, n0 });
                let name = flow.label(flow.view(t.matrix).base) + if t.transposed { "ᵀ" } else { "" };
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            n0 += flow.get(*v).width();
        }
        let weight = Weight { name: names.join("|"), k: run.k, n: n0, parts };
        let id = match self.weights.iter().position(|w| w.parts == weight.parts && w.n == weight.n) {
            Some(i) => i,
            None => {
                self.weights.push(weight);
                self.weights.len() - 1
            }
        };
        into.push(Stage::Product { a: run.a, weight: WeightId(id as u32), out, accumulate });
    }
}

/// Terms that read the same columns, for accumulators that are neighbours.
fn side_by_side(flow: &Flow, layout: &Layout, terms: &[(Val, Term)]) -> Vec<Run> {
    // A second term of one accumulator with the same operand goes into a round of its own.
    type Key = (usize, u32, i32, usize, usize, u32);
    let mut groups: BTreeMap<Key, Vec<(usize, Val, Term)>> = BTreeMap::new();
    let mut rounds: BTreeMap<(Val, Val), usize> = BTreeMap::new();
    let mut operands = BTreeMap::new();
    for (v, t) in terms {
        let Some(a) = layout.operand(&flow.view(t.vector)) else { continue };
        let Some(out) = layout.operand(&flow.view(*v)) else { continue };
        let k = flow.get(t.vector).width();
        let round = rounds.entry((*v, t.vector)).or_default();
        let key = (*round, a.buffer.0, a.lag, a.column, k, out.buffer.0);
        *round += 1;
        operands.insert(key, a);
        groups.entry(key).or_default().push((out.column, *v, *t));
    }
    let mut runs = Vec::new();
    for (key, mut members) in groups {
        let (Some(a), k) = (operands.get(&key).copied(), key.4) else { continue };
        members.sort_by_key(|(column, v, _)| (*column, *v));
        let mut end = None;
        for (column, v, t) in members {
            if end != Some(column) {
                runs.push(Run { accs: Vec::new(), a, k, terms: Vec::new() });
            }
            if let Some(run) = runs.last_mut() {
                run.accs.push(v);
                run.terms.push(vec![(0, t)]);
            }
            end = Some(column + flow.get(v).width());
        }
    }
    runs
}

/// Runs into the same accumulators from neighbouring columns. They arrive in the order of columns.
fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for run in runs {
        let neighbour = out.iter_mut().find(|r| {
            r.a.buffer == run.a.buffer
                && r.a.lag == run.a.lag
                && r.a.column + r.k == run.a.column
                && r.accs == run.accs
        });
        match neighbour {
            Some(r) => {
                for (terms, more) in r.terms.iter_mut().zip(run.terms) {
                    terms.extend(more.into_iter().map(|(k0, t)| (k0 + r.k, t)));
                }
                r.k += run.k;
            }
            None => out.push(run),
        }
    }
    out
}
