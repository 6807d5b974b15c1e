//! A schedule in words: what goes round and in which order, what is computed where, how much work it is, what is kept.
//!
//! In: a graph and its program. Out: text for `show --stage schedule`.

mod drawing;
mod systems;

use super::cost;
use super::fuse::{self, Plan};
use super::lower;
use super::order::{self, Order};
use super::recurrences::recurrences;
use super::value::{Flow, Op};
use crate::diag::Fallible;
use crate::eqn::Graph;
use crate::loops::{Effect, Inst, Kernel, Operand, Place, Program, Stage};
use std::fmt::Write;

pub use drawing::{Figure, Lattice, Nodes};
pub use systems::Panel;

/// What goes round in a graph whose dimensions are all numbers, as a picture shows it: one panel for each recurrence, in the
/// order in which they run.
pub fn panels(graph: &Graph) -> Fallible<Vec<Panel>> {
    let flow = lower::lower(graph)?;
    let order = order::order(&flow, false).map_err(|d| vec![d])?;
    Ok(systems::panels(&recurrences(&flow, &order), &flow.domains))
}

/// `graph` must be the one that was scheduled; otherwise nothing is said about recurrences and what is kept.
pub fn explain(graph: &Graph, program: &Program) -> String {
    let mut e = Explainer { program, text: String::new() };
    let ordered =
        lower::lower(graph).ok().and_then(|flow| order::order(&flow, false).ok().map(|order| (flow, order)));
    // Writing to a string cannot fail.
    if !program.name.is_empty() {
        let _ = writeln!(e.text, "{}", program.name);
    }
    if let Some((flow, order)) = &ordered {
        e.text += &systems::systems(&recurrences(flow, order), &flow.domains);
    }
    let _ = e.program();
    let mut text = e.text;
    if let Some((flow, order)) = &ordered {
        let plan = fuse::plan(flow, order, super::Keep::default());
        let _ = values(flow, order, &plan, program, &mut text);
    }
    text
}

struct Explainer<'a> {
    program: &'a Program,
    text: String,
}

impl Explainer<'_> {
    fn program(&mut self) -> std::fmt::Result {
        let program = self.program;
        if !program.prepare.is_empty() {
            writeln!(self.text, "when parameters change")?;
            self.stages(&program.prepare, 1)?;
        }
        writeln!(self.text, "each run")?;
        self.stages(&program.stages, 1)
    }

    fn columns(&self, o: &Operand, width: usize) -> String {
        let Some(b) = self.program.buffers.get(o.buffer.index()) else { return "?".into() };
        let name = if b.name.is_empty() { "?" } else { &b.name };
        let lag = match (o.lag, b.place) {
            (0, _) => String::new(),
            (lag, Place::Over { domain, .. }) => {
                let var = self.program.domains.get(domain.index()).map_or("t", |d| &d.var);
                format!("[{var}{lag:+}]")
            }
            _ => String::new(),
        };
        // Packed values that are read in part are named by their columns.
        if o.column == 0 && width == b.width {
            format!("{name}{lag}")
        } else {
            format!("{name}{lag} columns {}..{}", o.column, o.column + width)
        }
    }

    fn stages(&mut self, stages: &[Stage], depth: usize) -> std::fmt::Result {
        let indent = "  ".repeat(depth);
        for stage in stages {
            match stage {
                Stage::Loop { domain, reverse, body } => {
                    let extent = self.program.domains.get(domain.index()).map_or("?", |d| &d.extent);
                    let way = if *reverse { "backwards" } else { "forwards" };
                    writeln!(self.text, "{indent}every step of {extent}, {way}")?;
                    self.stages(body, depth + 1)?;
                }
                Stage::Fronts { front, reverse, body } => {
                    let way = if *reverse { "falling" } else { "rising" };
                    let front = self.program.show_front(front);
                    writeln!(self.text, "{indent}every front of equal {front}, {way}")?;
                    self.stages(body, depth + 1)?;
                }
                Stage::Collect { from, out, width, .. } => {
                    let from: Vec<String> = from.iter().map(|o| self.columns(o, *width)).collect();
                    let out = self.columns(out, *width);
                    writeln!(self.text, "{indent}rows of {} into {out}", from.join(", "))?;
                }
                Stage::Fold { fold, from, out, width, .. } => {
                    let (from, out) = (self.columns(from, *width), self.columns(out, *width));
                    let fold = fold.word().trim_start_matches("reduce_");
                    writeln!(self.text, "{indent}{fold} of {from} into {out}")?;
                }
                Stage::Product { a, weight, out, accumulate } => {
                    let Some(w) = self.program.weights.get(weight.index()) else { continue };
                    let op = if *accumulate { "+=" } else { "=" };
                    let flops = 2 * w.k * w.n;
                    let (out, a) = (self.columns(out, w.n), self.columns(a, w.k));
                    writeln!(
                        self.text,
                        "{indent}product {out} {op} [{}] @ {a}  [{}, {}], {flops} flops a row",
                        w.name, w.k, w.n
                    )?;
                }
                Stage::Outer { a, m, b, n, rows: Some(rows), out, .. } => {
                    let size = |columns: &usize| columns * rows;
                    let (out, x, y) =
                        (self.columns(out, m * n), self.columns(a, size(m)), self.columns(b, size(n)));
                    writeln!(self.text, "{indent}product {out} = {x}ᵀ @ {y}  [{m}, {rows}, {n}]")?;
                }
                Stage::Outer { a, b, n, out, .. } if cost::is_sum(self.program, a) => {
                    let (out, b) = (self.columns(out, *n), self.columns(b, *n));
                    writeln!(self.text, "{indent}sum {out} = Σ {b}  [{n}]")?;
                }
                Stage::Outer { a, m, b, n, out, .. } => {
                    let (out, x, y) = (self.columns(out, m * n), self.columns(a, *m), self.columns(b, *n));
                    let flops = 2 * m * n;
                    writeln!(
                        self.text,
                        "{indent}gradient {out} = Σ {x} ⊗ {y}  [{m}, {n}], {flops} flops a row"
                    )?;
                }
                Stage::Tally { index, value, out, width, symbols } => {
                    let (index, value) = (self.columns(index, 1), self.columns(value, *width));
                    let out = self.columns(out, width * symbols);
                    writeln!(self.text, "{indent}sum {out} = Σ {value} by {index}  [{symbols}, {width}]")?;
                }
                Stage::Map { kernel, over, .. } => {
                    let Some(k) = self.program.kernels.get(kernel.index()) else { continue };
                    let rows = match over {
                        Place::Shared => "once".to_string(),
                        Place::Example => "per example".to_string(),
                        Place::Over { domain, .. } => {
                            let d = self.program.domains.get(domain.index());
                            format!("over {}", d.map_or("?", |d| &d.extent))
                        }
                    };
                    let ops = operations(k);
                    writeln!(self.text, "{indent}kernel {rows}: {}  ({ops} operations a row)", k.name)?;
                }
                Stage::Reverse { from, out, width } => {
                    let (from, out) = (self.columns(from, *width), self.columns(out, *width));
                    writeln!(self.text, "{indent}reverse {from} into {out}")?;
                }
                Stage::Take { from, out, width, point, .. } => {
                    let (from, out) = (self.columns(from, *width), self.columns(out, *width));
                    writeln!(self.text, "{indent}{point:?} of {from} into {out}")?;
                }
                // Boundaries, masks and zeros cost nothing worth a line.
                Stage::Fill { .. } | Stage::Boundary { .. } | Stage::Mask { .. } | Stage::Number { .. } => {}
            }
        }
        Ok(())
    }
}

fn operations(k: &Kernel) -> usize {
    let count = |i: &Inst| match i {
        Inst::Unary(..) | Inst::Binary(..) | Inst::Select(..) => 1,
        Inst::Fma(..) => 2,
        _ => 0,
    };
    let of_effect = |e: &Effect| match e {
        Effect::Store { .. } | Effect::Set { .. } => 0,
        Effect::Contract { .. } => 2,
        _ => 1,
    };
    k.nests
        .iter()
        .map(|n| {
            let each =
                n.insts.iter().map(count).sum::<usize>() + n.effects.iter().map(of_effect).sum::<usize>();
            each.saturating_mul(n.extents.iter().product())
        })
        .fold(0, usize::saturating_add)
}

/// Which products left their loop, what is kept for later and what is computed again, and the memory.
fn values(flow: &Flow, order: &Order, plan: &Plan, program: &Program, text: &mut String) -> std::fmt::Result {
    let mut lifted = Vec::new();
    let mut kept = Vec::new();
    let mut again = Vec::new();
    // A program that runs step by step has taken them back into its loop.
    let lifts = program.stages.iter().any(|s| matches!(s, Stage::Product { .. }));
    for v in flow.ids().filter(|v| order.live[v.index()]) {
        let i = v.index();
        if let (true, Op::Acc(terms), Some(l)) = (lifts, flow.op(v), order.in_loop[i]) {
            for t in terms.iter().filter(|t| order.in_loop[flow.view(t.vector).base.index()] != Some(l)) {
                lifted.push(flow.label(flow.view(t.matrix).base));
            }
        }
        if order.in_loop[i].is_some() && flow.op(v).is_map() && plan.in_memory[i] && plan.leaves_loop[i] {
            kept.push(flow.label(v));
        }
        if plan.again[i] {
            again.push(flow.label(v));
        }
    }
    let lines =
        [("products lifted out of a loop", lifted), ("kept for every step", kept), ("computed again", again)];
    for (what, names) in lines {
        if !names.is_empty() {
            writeln!(text, "{what}: {}", names.join(", "))?;
        }
    }
    let sum = |f: &dyn Fn(Place) -> bool| -> usize {
        program.buffers.iter().filter(|b| f(b.place)).map(|b| b.width).sum()
    };
    let shared = sum(&|p| p == Place::Shared);
    let example = sum(&|p| p == Place::Example);
    writeln!(text, "memory: {shared} elements shared, {example} an example")?;
    for (d, domain) in program.domains.iter().enumerate() {
        let over = sum(&|p| matches!(p, Place::Over { domain, .. } if domain.index() == d));
        writeln!(text, "        {over} a point of {} and example", domain.extent)?;
    }
    Ok(())
}
