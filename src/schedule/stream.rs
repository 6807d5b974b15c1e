//! Step by step: everything that is done at each point, in one loop.
//!
//! In: a program. Out: the same with three parts: what comes before the first step, one forward loop, and what comes behind
//! the last step. What was done for the whole domain at once, such as products of inputs, is done in the loop; so a step
//! can be run as soon as its inputs are there. Or the reason why a step needs more than the steps before it.

use crate::eqn::DomainId;
use crate::loops::walk::each_operand;
use crate::loops::{Arg, BufferId, Operand, Place, Program, Stage};
use std::collections::BTreeSet;

pub fn stream(mut program: Program) -> Result<Program, &'static str> {
    let domain = chain(&program)?;
    let mut parts =
        Parts { domain, before: Vec::new(), body: Vec::new(), behind: Vec::new(), late: BTreeSet::new() };
    for stage in std::mem::take(&mut program.stages) {
        parts.place(&program, stage)?;
    }
    let Parts { mut before, body, behind, .. } = parts;
    before.push(Stage::Loop { domain, reverse: false, body });
    before.extend(behind);
    program.stages = before;
    Ok(program)
}

/// The only chain of any length.
fn chain(program: &Program) -> Result<DomainId, &'static str> {
    let is_open = |i: &usize| !program.domains[*i].is_indexed() && program.domains[*i].fixed().is_none();
    let mut all = (0..program.domains.len()).filter(is_open);
    match (all.next(), all.next()) {
        (Some(i), None) => Ok(DomainId(i as u32)),
        (None, _) => Err("it has no steps"),
        (Some(_), Some(_)) => Err("it goes through several sequences"),
    }
}

const LENGTH: &str = "it uses the length of the sequence";

struct Parts {
    domain: DomainId,
    before: Vec<Stage>,
    body: Vec<Stage>,
    behind: Vec<Stage>,
    /// What is written behind the loop.
    late: BTreeSet<BufferId>,
}

impl Parts {
    fn place(&mut self, program: &Program, stage: Stage) -> Result<(), &'static str> {
        if let Stage::Loop { domain, reverse, body } = stage {
            if reverse {
                return Err("it goes from the last step to the first");
            }
            if domain != self.domain {
                return Err("it goes through another sequence");
            }
            return body.into_iter().try_for_each(|stage| self.place_in(program, stage));
        }
        let is_over = |at: &Operand| self.is_over(program, at);
        let place = match &stage {
            Stage::Product { a, out, .. } => (is_over(a), is_over(out)),
            Stage::Map { kernel, over, args } => {
                if self.uses_length(program, &stage) {
                    return Err(LENGTH);
                }
                let is_written = |i: usize| program.kernels[kernel.index()].args[i].written;
                let rows = |written: bool| {
                    args.iter().enumerate().any(
                        |(i, arg)| matches!(arg, Arg::Rows(at) if is_over(at) && is_written(i) == written),
                    )
                };
                let over = matches!(over, Place::Over { domain, .. } if *domain == self.domain);
                if over && !rows(true) {
                    return Err("it sums over all steps");
                }
                (over || rows(false), over)
            }
            Stage::Boundary { after: false, from, .. } => (is_over(from), false),
            Stage::Fill { out, .. } if !is_over(out) => (false, false),
            Stage::Take { .. } => {
                self.put_behind(program, stage);
                return Ok(());
            }
            // Of rows that no step reads.
            Stage::Mask { .. } => {
                self.behind.push(stage);
                return Ok(());
            }
            _ => return Err("a step needs others than those before it"),
        };
        match place {
            (_, true) => self.place_in(program, stage),
            (true, false) => Err("it sums over all steps"),
            (false, false) => {
                if self.reads_late(&stage) {
                    return Err("it reads one step of all");
                }
                self.before.push(stage);
                Ok(())
            }
        }
    }

    /// A stage that is done at each step.
    fn place_in(&mut self, program: &Program, stage: Stage) -> Result<(), &'static str> {
        if self.uses_length(program, &stage) {
            return Err(LENGTH);
        }
        let mut ahead = false;
        each_operand(std::slice::from_ref(&stage), &mut |at, _| {
            ahead |= at.lag > 0 && self.is_over(program, at);
        });
        if ahead {
            return Err("it reads ahead");
        }
        match stage {
            Stage::Mask { .. } => self.behind.push(stage),
            _ if self.reads_late(&stage) => return Err("it reads one step of all"),
            _ => self.body.push(stage),
        }
        Ok(())
    }

    /// Whether a stage uses how many steps there will have been. Whatever length is not fixed follows from that one.
    fn uses_length(&self, program: &Program, stage: &Stage) -> bool {
        let is_own =
            |arg: &Arg| matches!(arg, Arg::Length(d) if program.domains[d.index()].fixed().is_none());
        matches!(stage, Stage::Map { args, .. } if args.iter().any(is_own))
    }

    fn put_behind(&mut self, program: &Program, stage: Stage) {
        program.each_written(std::slice::from_ref(&stage), &mut |buffer| {
            self.late.insert(buffer);
        });
        self.behind.push(stage);
    }

    /// Whether a stage uses what is there behind the loop only.
    fn reads_late(&self, stage: &Stage) -> bool {
        let mut late = false;
        each_operand(std::slice::from_ref(stage), &mut |at, _| late |= self.late.contains(&at.buffer));
        late
    }

    fn is_over(&self, program: &Program, at: &Operand) -> bool {
        matches!(program.buffers[at.buffer.index()].place, Place::Over { domain, .. } if domain == self.domain)
    }
}
