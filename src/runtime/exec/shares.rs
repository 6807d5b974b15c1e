//! Which part of a stage each thread of a run computes.
//!
//! In: a job, a team. Out: the job done. All threads walk through the same stages in step. Of a stage each computes its
//! part of the rows (of a weight gradient its columns, of a packed weight its panels), and a barrier follows. What sums
//! over rows is computed by one thread alone. A loop whose stages all stay with an example's own rows is left to the
//! threads without a barrier: each has its own examples and goes its own way ([`Execution::part_ways`]), because a step is
//! too short a piece of work to wait for others in each. An element is computed by the same operations in the same order
//! whoever computes it, so results do not depend on the number of threads.
//!
//! Invariant: between two barriers threads write to different elements, and none reads what another one writes.
#![allow(unsafe_code)]

use super::{Execution, Job, Scratch, Watch, Workspace};
use crate::eqn::DomainId;
use crate::loops::{Arg, Effect, Inst, Kernel, Operand, Place, Program, Stage};
use crate::runtime::gemm::PANEL;
use crate::runtime::memory::{self, LINE, Memory};
use crate::runtime::rows_of;
use crate::runtime::threads::Team;
use std::ops::Range;
use std::sync::Mutex;

/// Work of an elementwise operation, against that of a multiplication in a product.
const ELEMENTWISE: f64 = 2.0;

/// Examples of unlike sizes are shared out whole if no thread gets more than this above its share.
const UNEVEN: f64 = 1.2;

/// Does a job with `count` threads of the team.
pub(super) fn run(
    team: &Team,
    count: usize,
    job: &Job,
    memory: Memory,
    scratches: &[Mutex<Scratch>],
    watch: Watch,
) {
    // SAFETY: all handles are used by `Job::work` of one run, whose threads go through the same stages in step. What a thread
    // writes in a stage is its part (this file): rows `Execution::part` of the operands, or those of its own examples;
    // columns of an `Outer` or a `Tally`; panels of a weight; its own piece of working memory. What it reads is
    // written in that stage by none, or by itself: a stage that reads other rows of what it writes is one thread's
    // (`is_one_piece`, `own_window`). Each stage ends with a barrier (`Execution::stages`). While threads go their own ways,
    // all that is written belongs to the writer's examples, and all that is read to those, or it is not written
    // meanwhile (`Execution::is_apart`); a barrier follows (`meet_again`).
    let again = || unsafe { memory.again() };
    let first = again();
    team.run(count, move |member| job.work(member, first, &scratches[0], watch), &|member| {
        job.work(member, again(), &scratches[member.index], None);
    });
}

impl Workspace {
    /// How many threads are worth while, and what each example weighs.
    pub(in crate::runtime) fn count_members(&mut self) {
        let program = self.exe.program();
        let indexed = self.indexed_rows();
        let rows = |place| rows_of(place, self.batch, &self.steps, &indexed).unwrap_or(0) as f64;
        let work = work(program, &program.stages, &rows, &self.steps, 1.0);
        // Of one example nothing is shared out in a loop over its steps, which is most of the time then.
        let one_by_one = self.batch == 1 && program.stages.iter().any(|s| matches!(s, Stage::Loop { .. }));
        self.members = if one_by_one { 1 } else { self.team.threads_for(work) };
        self.loads.clear();
        if program.domains.iter().any(crate::loops::Domain::is_indexed) {
            self.loads.resize(self.batch, 0);
            self.rows.domains.iter().for_each(|rows| rows.count_by_example(&mut self.loads));
        }
    }
}

/// Multiplications of stages that are done so many times.
fn work(
    program: &Program,
    stages: &[Stage],
    rows: &impl Fn(Place) -> f64,
    steps: &[usize],
    times: f64,
) -> f64 {
    let place = |at: &Operand| program.buffers[at.buffer.index()].place;
    let of = |p: Place| match p {
        // All steps of a loop together are the whole domain.
        Place::Over { .. } => rows(p),
        Place::Shared | Place::Example => rows(p) * times,
    };
    let each = stages.iter().map(|stage| match stage {
        Stage::Loop { domain, body, .. } => {
            work(program, body, rows, steps, times * steps[domain.index()] as f64)
        }
        Stage::Fronts { body, .. } => work(program, body, rows, steps, times),
        Stage::Product { weight, out, .. } => {
            let w = &program.weights[weight.index()];
            of(place(out)) * w.k as f64 * w.n as f64
        }
        Stage::Outer { b, m, n, rows, .. } => {
            rows.map_or_else(|| of(place(b)), |rows| rows as f64 * times) * *m as f64 * *n as f64
        }
        Stage::Map { kernel, over, .. } => {
            let kernel = &program.kernels[kernel.index()];
            let nests = kernel.nests.iter().map(|n| n.extents.iter().product::<usize>() * n.insts.len());
            of(*over) * nests.sum::<usize>() as f64 * ELEMENTWISE
        }
        _ => 0.0,
    });
    each.sum()
}

/// Buffers that some kernel uses as working memory for one row: shared, yet stored to at every row.
pub(in crate::runtime) fn working(program: &Program) -> Vec<bool> {
    let mut working = vec![false; program.buffers.len()];
    note_working(program, &program.prepare, &mut working);
    note_working(program, &program.stages, &mut working);
    working
}

fn note_working(program: &Program, stages: &[Stage], working: &mut [bool]) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => note_working(program, body, working),
            Stage::Map { kernel, over, args } if *over != Place::Shared => {
                for (i, arg) in args.iter().enumerate() {
                    if let Arg::Rows(at) = arg
                        && program.buffers[at.buffer.index()].place == Place::Shared
                        && stores(&program.kernels[kernel.index()], i)
                    {
                        working[at.buffer.index()] = true;
                    }
                }
            }
            _ => {}
        }
    }
}

/// Does a kernel store to an argument, and not only add?
fn stores(kernel: &Kernel, arg: usize) -> bool {
    kernel.nests.iter().flat_map(|nest| &nest.effects).any(|effect| match effect {
        Effect::Store { access, .. } | Effect::ReduceInner { access, add: false, .. } => {
            access.arg.index() == arg
        }
        _ => false,
    })
}

/// The columns of a row that a kernel reads of an argument, as far as they are known; and those it writes.
fn columns(kernel: &Kernel, arg: usize) -> (Range<usize>, Range<usize>) {
    let none = Range { start: usize::MAX, end: 0 };
    let (mut read, mut written) = (none.clone(), none);
    let widen = |range: &mut Range<usize>, from: usize, reach: usize| {
        *range = range.start.min(from)..range.end.max(from.saturating_add(reach))
    };
    for nest in &kernel.nests {
        let reach = |access: &crate::loops::Access| {
            let along = access.strides.iter().zip(&nest.extents);
            1 + along.map(|(s, e)| s * e.saturating_sub(1)).sum::<usize>()
        };
        for inst in &nest.insts {
            match inst {
                Inst::Load(access) if access.arg.index() == arg => {
                    widen(&mut read, access.offset, reach(access));
                }
                Inst::LoadAt { access, .. } if access.arg.index() == arg => {
                    widen(&mut read, access.offset, usize::MAX);
                }
                _ => {}
            }
        }
        for effect in &nest.effects {
            match effect {
                Effect::Store { access, .. }
                | Effect::Add { access, .. }
                | Effect::ReduceInner { access, .. }
                    if access.arg.index() == arg =>
                {
                    widen(&mut written, access.offset, reach(access));
                }
                Effect::AddAt { access, .. } if access.arg.index() == arg => {
                    widen(&mut written, access.offset, usize::MAX);
                }
                _ => {}
            }
        }
    }
    (read, written)
}

fn meet(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

impl Execution<'_> {
    /// This thread's part of `0..count`: all of it while threads go their own ways.
    pub(super) fn part(&self, count: usize) -> Range<usize> {
        match self.mine {
            Some(_) => 0..count,
            None => self.member.part(count, 1),
        }
    }

    /// The examples that this thread deals with.
    pub(super) fn examples(&self) -> Range<usize> {
        let (first, end) = self.mine.or_else(|| self.own_examples()).unwrap_or((0, self.batch));
        first..end
    }

    /// This thread's share of the examples, if there are other threads.
    pub(super) fn own_examples(&self) -> Option<(usize, usize)> {
        if self.member.count == 1 {
            return None;
        }
        let cut = |i: usize| self.cut(i);
        Some((cut(self.member.index), cut(self.member.index + 1)))
    }

    /// Where the examples of member `i` begin: all have about equally many rows.
    fn cut(&self, i: usize) -> usize {
        let count = self.member.count;
        if self.loads.is_empty() {
            return self.batch * i / count;
        }
        if i == 0 || i == count {
            return self.batch * i / count;
        }
        let all: u64 = self.loads.iter().sum();
        let mut before = 0;
        // An example belongs to the share that its middle lies in.
        let begins = |load: &&u64| {
            let middle = 2 * before + **load;
            before += **load;
            middle * (count as u64) < 2 * all * i as u64
        };
        self.loads.iter().take_while(begins).count()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.mine.is_some_and(|(first, end)| first >= end)
    }

    /// At the beginning of a loop: if its stages stay with an example's own rows, this thread goes through it with its
    /// own examples. `true` if so: [`Self::meet_again`] ends that.
    pub(super) fn part_ways(&mut self, body: &[Stage], afresh: bool) -> bool {
        if self.member.count == 1 || self.mine.is_some() || afresh {
            return false;
        }
        let mut indexed = false;
        if !body.iter().all(|stage| self.is_apart(stage, &mut indexed)) || (indexed && self.is_uneven()) {
            return false;
        }
        self.mine = self.own_examples();
        let Some(examples) = self.mine else { return false };
        let scratch = &mut *self.scratch;
        for (d, domain) in self.exe.program.domains.iter().enumerate() {
            if domain.is_indexed() && scratch.joined[d] == domain.order.len() {
                scratch.range[d] = self.rows.domains[d].of_examples(scratch.range[d], examples);
            }
        }
        true
    }

    pub(super) fn meet_again(&mut self, apart: bool) {
        if apart {
            self.mine = None;
            self.member.wait();
        }
    }

    fn is_uneven(&self) -> bool {
        let load = |i: usize| self.loads[self.cut(i)..self.cut(i + 1)].iter().sum::<u64>();
        let (all, count) = (self.loads.iter().sum::<u64>(), self.member.count);
        let most = (0..count).map(load).max().unwrap_or(0);
        (most * count as u64) as f64 > UNEVEN * all as f64
    }

    /// Does a stage of a loop stay with an example's own rows, and can those be told from the others? `indexed`: some have
    /// indexed rows.
    fn is_apart(&mut self, stage: &Stage, indexed: &mut bool) -> bool {
        match stage {
            Stage::Loop { domain, body, .. } => {
                let outer = self.enter_loop(*domain);
                let apart = body.iter().all(|stage| self.is_apart(stage, indexed));
                self.leave_loop(*domain, outer);
                apart
            }
            Stage::Fronts { front, body, .. } => {
                let outer = self.enter(&front.0);
                let apart = body.iter().all(|stage| self.is_apart(stage, indexed));
                self.leave(outer);
                apart
            }
            Stage::Product { weight, out, .. } => {
                !self.exe.moving[weight.index()] && self.has_own_rows(self.place(out.buffer), indexed)
            }
            Stage::Map { kernel, over, args } => {
                let sums = self.sums(kernel.index(), args);
                !sums && self.has_own_rows(*over, indexed)
            }
            Stage::Collect { out, .. } | Stage::Fold { out, .. } | Stage::Number { out, .. } => {
                self.has_own_rows(self.place(out.buffer), indexed)
            }
            // Whole domains, but example by example.
            Stage::Boundary { .. } | Stage::Mask { .. } | Stage::Reverse { .. } | Stage::Take { .. } => true,
            Stage::Fill { out, .. } => match self.place(out.buffer) {
                Place::Shared => false,
                Place::Example => true,
                Place::Over { domain, .. } => !self.is_indexed(domain),
            },
            Stage::Outer { .. } | Stage::Tally { .. } => false,
        }
    }

    /// Do the present rows of each example, or of some examples in a row, lie together?
    fn has_own_rows(&self, place: Place, indexed: &mut bool) -> bool {
        match place {
            Place::Shared => false,
            Place::Example => true,
            Place::Over { domain, .. } if self.is_indexed(domain) => {
                *indexed = true;
                // Sorted by example within the last front.
                self.scratch.joined[domain.index()] == self.exe.program.domains[domain.index()].order.len()
            }
            Place::Over { domain, .. } => self.scratch.step[domain.index()].is_some(),
        }
    }

    /// Does a kernel sum over its rows into shared memory?
    fn sums(&self, kernel: usize, args: &[Arg]) -> bool {
        let declared = &self.exe.program.kernels[kernel].args;
        args.iter().zip(declared).any(|(arg, declared)| match arg {
            Arg::Rows(at) => {
                let shared = self.place(at.buffer) == Place::Shared;
                declared.written && shared && !self.exe.working[at.buffer.index()]
            }
            Arg::Weight(_) | Arg::Position(_) | Arg::Length(_) => false,
        })
    }

    /// Does a kernel sum over the steps of the only example? Of several examples each is one thread's.
    fn sums_for_one(&self, kernel: usize, over: Place, args: &[Arg]) -> bool {
        let declared = &self.exe.program.kernels[kernel].args;
        let all_steps = matches!(over, Place::Over { domain, .. }
            if !self.is_indexed(domain) && self.scratch.step[domain.index()].is_none());
        let is_of_one = |arg: &Arg| matches!(arg, Arg::Rows(at) if self.place(at.buffer) == Place::Example);
        let mut written = args.iter().zip(declared).filter(|(_, declared)| declared.written);
        self.batch == 1 && all_steps && written.any(|(arg, _)| is_of_one(arg))
    }

    /// Must one thread run a kernel on all rows: does it sum over them, or read rows that it writes at another step?
    pub(super) fn is_one_piece(&self, kernel: usize, over: Place, args: &[Arg]) -> bool {
        if self.member.count == 1 || self.mine.is_some() {
            return false;
        }
        if over == Place::Shared || self.sums(kernel, args) || self.sums_for_one(kernel, over, args) {
            return true;
        }
        let kernel = &self.exe.program.kernels[kernel];
        let rows = args.iter().enumerate().filter_map(|(i, arg)| match arg {
            Arg::Rows(at) => Some((i, at)),
            Arg::Weight(_) | Arg::Position(_) | Arg::Length(_) => None,
        });
        let mut written = rows.clone().filter(|(i, _)| kernel.args[*i].written);
        written.any(|(i, out)| {
            let in_loop = |domain: DomainId| self.scratch.step[domain.index()].is_some();
            let all_steps = matches!(self.place(out.buffer), Place::Over { domain, .. } if !in_loop(domain));
            let moved = |at: &Operand| at.buffer == out.buffer && at.lag != out.lag;
            let mut others = rows.clone().filter(|(_, at)| moved(at));
            all_steps
                && others.any(|(k, at)| {
                    let (written, (read, also)) = (columns(kernel, i).1, columns(kernel, k));
                    let shifted =
                        |r: &Range<usize>, by: usize| r.start.saturating_add(by)..r.end.saturating_add(by);
                    let written = shifted(&written, out.column);
                    meet(&written, &shifted(&read, at.column)) || meet(&written, &shifted(&also, at.column))
                })
        })
    }

    /// Of the rows that a copy writes now, this thread's. All of them are one thread's if others of them are read.
    pub(super) fn own_window(&self, out: &Operand, from: &[Operand], width: usize) -> Range<usize> {
        let window = self.window(self.place(out.buffer));
        let columns = |at: &Operand| at.column..at.column + width;
        let same = |at: &Operand| at.buffer == out.buffer && meet(&columns(at), &columns(out));
        // Within a loop the rows of one step or front need none of each other.
        if self.mine.is_none() && self.scratch.depth == 0 && from.iter().any(same) {
            return if self.member.index == 0 { window } else { 0..0 };
        }
        let part = self.part(window.len());
        window.start + part.start..window.start + part.end
    }

    /// Cuts a sum of outer products to this thread's part of the results: columns, or rows if there are more of them.
    pub(super) fn cut_outer(&self, left: &mut memory::Rows, rights: &mut [memory::Right]) {
        let columns: usize = rights.iter().map(|right| right.b.width).sum();
        if self.member.count == 1 || self.mine.is_some() {
            return;
        }
        if columns >= left.width {
            let part = self.member.part(columns, PANEL);
            let mut before = 0;
            for right in rights {
                let width = right.b.width;
                let cut = |at: usize| at.saturating_sub(before).min(width);
                let (first, end) = (cut(part.start), cut(part.end));
                right.b = memory::Rows { first: right.b.first + first, width: end - first, ..right.b };
                right.out = memory::Rows { first: right.out.first + first, width: end - first, ..right.out };
                before += width;
            }
        } else {
            let part = self.member.part(left.width, LINE);
            left.first += part.start;
            left.width = part.len();
            for right in rights {
                right.out.first += part.start * right.out.stride;
            }
        }
    }
}
