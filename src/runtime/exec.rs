//! The executor: stage after stage.
//!
//! In: a workspace whose sizes are fixed and whose inputs are given. Out: its buffers, computed. Every index below is
//! in range for a program that [`check`](super::check) let pass; after the first run with some sizes nothing is allocated.
//!
//! All threads of a run walk through the same stages at once; which part of a stage each of them computes is said in
//! [`shares`].

mod indexed;
mod map;
mod outer;
mod shares;
mod tally;
mod zeros;

pub(super) use shares::working;

use super::gemm::{Isa, PANEL};
use super::kernel::{Addresses, Bind, FlushToZero};
use super::memory::{self, Memory, Placement};
use super::threads::{Member, Team};
use super::workspace::Workspace;
use super::{Executable, errors, interpret, rows};
use crate::diag::Fallible;
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, Point};
use crate::loops::{BufferId, Elem, InputKind, Operand, Place, Program, Stage};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What a run needs beside the buffers; kept so that runs allocate nothing.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    interpreter: interpret::Scratch,
    binds: Vec<Bind>,
    addresses: Addresses,
    /// For each domain: the step of the loop we are in.
    step: Vec<Option<usize>>,
    /// For each domain with indexed rows: those of the step or front we are in, and how many of the loops around us
    /// decide that.
    range: Vec<(usize, usize)>,
    joined: Vec<usize>,
    depth: usize,
    /// Ranges of outer loops.
    outer: Vec<(usize, usize)>,
}

impl Scratch {
    pub fn new(program: &Program, placement: Placement) -> Scratch {
        let args = program.kernels.iter().map(|k| k.args.len()).max().unwrap_or(0);
        Scratch {
            binds: Vec::with_capacity(args),
            addresses: Addresses::new(placement),
            step: vec![None; program.domains.len()],
            range: vec![(0, 0); program.domains.len()],
            joined: vec![0; program.domains.len()],
            ..Scratch::default()
        }
    }

    /// Outside of all loops.
    fn begin(&mut self, rows: &rows::Rows) {
        self.step.fill(None);
        self.joined.fill(0);
        self.depth = 0;
        self.outer.clear();
        self.range.fill((0, 0));
        for (range, rows) in self.range.iter_mut().zip(&rows.domains) {
            *range = (0, rows.count());
        }
    }
}

/// What a run has just done; see [`Workspace::run_watched`].
#[derive(Clone, Copy, Debug)]
pub enum Done<'a> {
    /// What depends on parameters alone, and packing them.
    Prepared,
    /// Stages of the program, by their place in it; several where they are one piece of work. Loops are not told, what
    /// is in them is, every time.
    Stages(&'a [Stage]),
}

type Watch<'a> = Option<&'a mut dyn FnMut(Done)>;

impl Workspace {
    /// Computes all outputs. Refused only if an input was never given.
    pub fn run(&mut self) -> Fallible<()> {
        self.run_now(None, 0..usize::MAX)
    }

    /// Some of the program's stages, in their order; those before have been run with the same inputs, save for what these
    /// are the first to read (see [`loops::cut`](crate::loops::cut)).
    pub fn run_some(&mut self, stages: Range<usize>) -> Fallible<()> {
        self.run_now(None, stages)
    }

    /// [`Workspace::run`], calling `watch` after each stage, so that a caller with a clock can say where time goes.
    pub fn run_watched(&mut self, watch: &mut dyn FnMut(Done)) -> Fallible<()> {
        self.run_now(Some(watch), 0..usize::MAX)
    }

    fn run_now(&mut self, watch: Watch, stages: Range<usize>) -> Fallible<()> {
        let exe = self.exe.clone();
        self.check_given()?;
        let (team, members) = (self.team.clone(), self.members);
        let (mut job, memory, scratches) = self.job(&exe);
        job.stages =
            exe.program.stages.get(stages.start..stages.end.min(exe.program.stages.len())).unwrap_or(&[]);
        shares::run(&team, members, &job, memory, scratches, watch);
        self.stale = false;
        Ok(())
    }

    /// What the threads of a run share, their memory, and what each needs for itself.
    fn job<'a>(&'a mut self, exe: &'a Executable) -> (Job<'a>, Memory<'a>, &'a mut [Mutex<Scratch>]) {
        let memory = Memory::new(&mut self.bufs, &mut self.weights);
        let sizes =
            rows::Sizes { batch: self.batch, steps: &self.steps, lengths: &self.lengths, trees: &self.trees };
        let job = Job {
            exe,
            isa: self.isa,
            sizes,
            ragged: &self.ragged,
            rows: &self.rows,
            loads: &self.loads,
            stale: self.stale,
            stages: &exe.program.stages,
        };
        (job, memory, &mut self.scratches)
    }

    /// Runs are shared out to the threads of this team from now on, as far as there is enough to do. Results do not depend
    /// on it.
    pub fn work_with(&mut self, team: &Arc<Team>) -> Fallible<()> {
        self.team = team.clone();
        let exe = self.exe.clone();
        self.scratches.resize_with(team.size(), || Mutex::new(Scratch::new(&exe.program, exe.placement)));
        self.for_each_thread().map_err(|e| vec![e])?;
        self.count_members();
        Ok(())
    }

    /// Refuses if an input was never given.
    pub(super) fn check_given(&self) -> Fallible<()> {
        let missing: Vec<_> = self.missing().map(|(name, _)| errors::missing(name)).collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    /// Some stages, on this thread; those of a loop at one of its steps.
    pub(super) fn run_stages(&mut self, stages: &[Stage], step: Option<(DomainId, usize)>) {
        self.alone(|run| {
            if let Some((domain, step)) = step {
                run.scratch.step[domain.index()] = Some(step);
            }
            run.stages(stages, false);
        });
    }

    /// Computes what depends on parameters alone, if any has changed, on this thread.
    pub(super) fn prepare_if_stale(&mut self) {
        if self.stale {
            self.alone(|run| run.prepare());
            self.stale = false;
        }
    }

    fn alone(&mut self, work: impl FnOnce(&mut Execution)) {
        let exe = self.exe.clone();
        let (job, memory, scratches) = self.job(&exe);
        if let Some(scratch) = scratches.first_mut() {
            let scratch = scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
            work(&mut job.execution(Member::alone(), memory, scratch, None));
        }
    }

    /// Names of inputs of any kind that still have no value.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &InputKind)> {
        let inputs = self.exe.program.inputs.iter().zip(&self.given);
        inputs.filter(|(_, given)| !**given).map(|(input, _)| (&*input.name, &input.kind))
    }
}

/// What the threads of a run have in common.
struct Job<'a> {
    exe: &'a Executable,
    isa: Isa,
    sizes: rows::Sizes<'a>,
    ragged: &'a [bool],
    rows: &'a rows::Rows,
    loads: &'a [u64],
    /// Parameters have changed.
    stale: bool,
    /// What is to be done.
    stages: &'a [Stage],
}

impl<'a> Job<'a> {
    /// One thread's part of the run.
    fn work(&self, member: Member, memory: Memory, scratch: &Mutex<Scratch>, watch: Watch) {
        let _flush = FlushToZero::begin();
        let mut scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut watch = watch.map(|watch| move |done: Done| watch(done));
        let watch = watch.as_mut().map(|watch| watch as &mut dyn FnMut(Done));
        let mut run = self.execution(member, memory, &mut scratch, watch);
        if self.stale {
            run.prepare();
        }
        run.stages(self.stages, false);
    }

    /// Outside of all loops.
    fn execution<'b>(
        &'b self,
        member: Member<'b>,
        memory: Memory<'b>,
        scratch: &'b mut Scratch,
        watch: Watch<'b>,
    ) -> Execution<'b> {
        scratch.begin(self.rows);
        Execution {
            exe: self.exe,
            memory,
            isa: self.isa,
            batch: self.sizes.batch,
            steps: self.sizes.steps,
            lengths: self.sizes.lengths,
            ragged: self.ragged,
            trees: self.sizes.trees,
            rows: self.rows,
            loads: self.loads,
            member,
            mine: None,
            scratch,
            watch,
        }
    }
}

struct Execution<'a> {
    exe: &'a Executable,
    memory: Memory<'a>,
    isa: Isa,
    batch: usize,
    steps: &'a [usize],
    lengths: &'a [Vec<usize>],
    ragged: &'a [bool],
    trees: &'a [Vec<Tree>],
    rows: &'a rows::Rows,
    /// What each example weighs, if that differs.
    loads: &'a [u64],
    member: Member<'a>,
    /// The examples that are this thread's alone, while each thread goes its own way.
    mine: Option<(usize, usize)>,
    scratch: &'a mut Scratch,
    watch: Watch<'a>,
}

/// Rows of an operand as the current stage sees them: from element `first`, `stride` elements apart.
#[derive(Clone, Copy)]
struct Rows {
    buffer: usize,
    first: usize,
    stride: usize,
    count: usize,
}

impl Execution<'_> {
    fn prepare(&mut self) {
        let exe = self.exe;
        self.stages(&exe.program.prepare, true);
        for weight in (0..exe.program.weights.len()).filter(|i| !exe.moving[*i]) {
            self.pack(weight);
        }
        self.member.wait();
        if let Some(watch) = &mut self.watch {
            watch(Done::Prepared);
        }
    }

    /// `afresh`: parameters changed, so every weight is packed before it is used.
    fn stages(&mut self, stages: &[Stage], afresh: bool) {
        let mut done = 0;
        while let Some(stage) = stages.get(done) {
            let mut count = 1;
            match stage {
                Stage::Loop { domain, reverse, body } if self.at_once(*domain, *reverse, body) => {}
                Stage::Loop { domain, reverse, body } => {
                    let steps = self.steps[domain.index()];
                    let outer = self.enter_loop(*domain);
                    let apart = self.part_ways(body, afresh);
                    for i in 0..if self.is_idle() { 0 } else { steps } {
                        let step = if *reverse { steps - 1 - i } else { i };
                        self.scratch.step[domain.index()] = Some(step);
                        self.go_to(outer, step as i64);
                        self.stages(body, afresh);
                    }
                    self.leave_loop(*domain, outer);
                    self.meet_again(apart);
                }
                Stage::Fronts { front, reverse, body } => {
                    let outer = self.enter(&front.0);
                    let apart = self.part_ways(body, afresh);
                    let mut key = None;
                    while let Some(next) = self.next_front(outer, key, *reverse)
                        && !self.is_idle()
                    {
                        self.go_to(outer, next);
                        self.stages(body, afresh);
                        key = Some(next);
                    }
                    self.leave(outer);
                    self.meet_again(apart);
                }
                Stage::Collect { from, out, width, table } => self.collect(from, out, *width, *table),
                Stage::Fold { fold, from, out, width, table } => self.fold(*fold, from, out, *width, *table),
                Stage::Number { of, axis, out } => self.number(*of, *axis, out),
                Stage::Product { a, weight, out, accumulate } => {
                    if afresh || self.exe.moving[weight.index()] {
                        self.pack(weight.index());
                        self.member.wait();
                    }
                    self.product(a, weight.index(), out, *accumulate);
                }
                Stage::Outer { .. } => count = self.outer(&stages[done..]),
                Stage::Tally { .. } => count = self.tally(&stages[done..]),
                Stage::Map { kernel, over, args } => self.map(kernel.index(), *over, args),
                Stage::Fill { out, width, value } => self.fill(out, *width, *value),
                Stage::Boundary { state, width, from, distance, after } => {
                    self.boundary(state, *width, from, *distance as usize, *after);
                }
                Stage::Mask { out, width, fill } => self.mask(out, *width, fill.as_ref()),
                Stage::Reverse { from, out, width } => self.reverse(from, out, *width),
                Stage::Take { from, out, width, point, empty } => self.take(from, out, *width, *point, empty),
            }
            if !matches!(stage, Stage::Loop { .. } | Stage::Fronts { .. }) {
                if self.mine.is_none() {
                    self.member.wait();
                }
                if let Some(watch) = &mut self.watch {
                    watch(Done::Stages(&stages[done..done + count]));
                }
            }
            done += count;
        }
    }

    fn place(&self, buffer: BufferId) -> Place {
        self.exe.program.buffers[buffer.index()].place
    }

    fn width(&self, buffer: BufferId) -> usize {
        self.exe.program.buffers[buffer.index()].width
    }

    /// All rows, or those of the current step.
    fn rows(&self, at: &Operand) -> Rows {
        let stride = self.width(at.buffer);
        let (row, count) = match self.place(at.buffer) {
            Place::Shared => (0, 1),
            Place::Example => {
                let (first, end) = self.mine.unwrap_or((0, self.batch));
                (first, end - first)
            }
            Place::Over { domain, .. } if self.is_indexed(domain) => {
                let (first, end) = self.scratch.range[domain.index()];
                (first, end - first)
            }
            Place::Over { domain, before, .. } => {
                // Never negative: a lag lies within the halo.
                let ahead = (i64::from(before) + i64::from(at.lag)) as usize;
                match self.scratch.step[domain.index()] {
                    Some(step) => {
                        let (first, end) = self.mine.unwrap_or((0, self.batch));
                        ((ahead + step) * self.batch + first, end - first)
                    }
                    None => (ahead * self.batch, self.steps[domain.index()] * self.batch),
                }
            }
        };
        Rows { buffer: at.buffer.index(), first: row * stride + at.column, stride, count }
    }

    /// Runs `body` once, or, if `over` is a whole domain and something in it is there once per example or step, step by
    /// step, every thread on its own examples.
    fn by_step(&mut self, over: Place, stepwise: bool, mut body: impl FnMut(&mut Self)) {
        match over {
            Place::Over { domain, .. }
                if stepwise && !self.is_indexed(domain) && self.scratch.step[domain.index()].is_none() =>
            {
                let before = self.mine;
                self.mine = before.or_else(|| self.own_examples());
                for step in 0..self.steps[domain.index()] {
                    self.scratch.step[domain.index()] = Some(step);
                    body(self);
                }
                self.scratch.step[domain.index()] = None;
                self.mine = before;
            }
            _ => body(self),
        }
    }

    /// This thread's panels of a weight.
    fn pack(&mut self, weight: usize) {
        let w = &self.exe.program.weights[weight];
        let panels = self.part(w.n.div_ceil(PANEL));
        for part in &w.parts {
            self.memory.pack(weight, part, &panels);
        }
    }

    fn product(&mut self, a: &Operand, weight: usize, out: &Operand, accumulate: bool) {
        let over = self.place(out.buffer);
        let stepwise = self.place(a.buffer) == Place::Example;
        let w = &self.exe.program.weights[weight];
        self.by_step(over, stepwise, |run| {
            let (mut from, mut to) = (run.view(a, w.k), run.view(out, w.n));
            if run.place(a.buffer) == Place::Shared {
                from.stride = 0;
            }
            let part = run.asked(out, run.part(run.rows(out).count));
            if part.is_empty() {
                return;
            }
            from.first += part.start * from.stride;
            to.first += part.start * to.stride;
            if zeros::all(&run.memory, from, part.len()) && run.memory.weight(weight).is_finite() {
                zeros::product(&mut run.memory, to, part.len(), accumulate);
                return;
            }
            run.memory.product(run.isa, part.len(), from, weight, to, accumulate);
        });
    }

    /// Of the rows that an operand has now, those that anybody reads.
    fn asked(&self, at: &Operand, part: Range<usize>) -> Range<usize> {
        let Place::Over { domain, .. } = self.place(at.buffer) else { return part };
        if !self.is_indexed(domain) {
            return part;
        }
        let (first, _) = self.scratch.range[domain.index()];
        let asked = self.rows.asked(at.buffer.index(), first + part.start..first + part.end);
        asked.start - first..asked.end - first
    }

    fn view(&self, at: &Operand, width: usize) -> memory::Rows {
        let rows = self.rows(at);
        memory::Rows { buffer: rows.buffer, first: rows.first, stride: rows.stride, width }
    }

    fn fill(&mut self, out: &Operand, width: usize, value: f32) {
        let buffer = &self.exe.program.buffers[out.buffer.index()];
        let bits = match buffer.elem {
            Elem::F32 => value.to_bits() as i32,
            Elem::I32 => value as i32,
        };
        let index = out.buffer.index();
        if buffer.place == Place::Shared {
            let part = self.part(width);
            return self.memory.i32_mut(index, out.column + part.start..out.column + part.end).fill(bits);
        }
        let rows = self.memory.len(index) / buffer.width.max(1);
        let memory = &mut self.memory;
        let mut fill = |rows: Range<usize>| {
            let all = memory.i32_mut(index, rows.start * buffer.width..rows.end * buffer.width);
            if width == buffer.width {
                all.fill(bits);
            } else {
                all.chunks_mut(buffer.width).for_each(|r| r[out.column..out.column + width].fill(bits));
            }
        };
        match self.mine {
            None => fill(self.member.part(rows, 1)),
            Some((first, end)) => {
                (0..rows).step_by(self.batch.max(1)).for_each(|step| fill(step + first..step + end));
            }
        }
    }

    fn copy(&mut self, from: (usize, usize), to: (usize, usize), width: usize) {
        self.memory.copy(from, to, width);
    }

    /// Where the row of example `b` lies of what has one row, or one per example.
    fn example_row(&self, at: &Operand, b: usize) -> (usize, usize) {
        let row = if self.place(at.buffer) == Place::Shared { 0 } else { b };
        (at.buffer.index(), row * self.width(at.buffer) + at.column)
    }

    /// Where the row of example `b` at `step` (from 0; halo steps before are negative) lies.
    fn domain_row(&self, at: &Operand, step: i64, b: usize) -> (usize, usize) {
        let before = match self.place(at.buffer) {
            Place::Over { before, .. } => before,
            Place::Shared | Place::Example => 0,
        };
        let step = (i64::from(before) + step) as usize;
        (at.buffer.index(), (step * self.batch + b) * self.width(at.buffer) + at.column)
    }

    /// The domain of an operand with its halo behind.
    fn domain(&self, at: &Operand) -> (usize, u32) {
        match self.place(at.buffer) {
            Place::Over { domain: DomainId(domain), after, .. } => (domain as usize, after),
            Place::Shared | Place::Example => (0, 0),
        }
    }

    fn boundary(&mut self, state: &Operand, width: usize, from: &Operand, distance: usize, after: bool) {
        let (domain, behind) = self.domain(state);
        for b in self.examples() {
            let from = self.example_row(from, b);
            if after {
                let first = self.lengths[domain][b] + distance - 1;
                for step in first..self.steps[domain] + behind as usize {
                    let to = self.domain_row(state, step as i64, b);
                    self.copy(from, to, width);
                }
            } else {
                let to = self.domain_row(state, -(distance as i64), b);
                self.copy(from, to, width);
            }
        }
    }

    fn mask(&mut self, out: &Operand, width: usize, fill: Option<&Operand>) {
        let (domain, _) = self.domain(out);
        if !self.ragged[domain] {
            return;
        }
        for b in self.examples() {
            let length = self.lengths[domain][b];
            let steps = match self.scratch.step[domain] {
                Some(step) if step < length => continue,
                Some(step) => step..step + 1,
                None => length..self.steps[domain],
            };
            for step in steps {
                let to = self.domain_row(out, step as i64 + i64::from(out.lag), b);
                match fill {
                    Some(fill) => self.copy(self.example_row(fill, b), to, width),
                    None => self.memory.i32_mut(to.0, to.1..to.1 + width).fill(0),
                }
            }
        }
    }

    fn reverse(&mut self, from: &Operand, out: &Operand, width: usize) {
        let (domain, _) = self.domain(from);
        for b in self.examples() {
            let length = self.lengths[domain][b];
            for step in 0..length {
                let source = self.domain_row(from, (length - 1 - step) as i64 + i64::from(from.lag), b);
                let to = self.domain_row(out, step as i64 + i64::from(out.lag), b);
                self.copy(source, to, width);
            }
        }
    }

    fn take(&mut self, from: &Operand, out: &Operand, width: usize, point: Point, empty: &Operand) {
        let (domain, _) = self.domain(from);
        for b in self.examples() {
            let length = self.lengths[domain][b];
            let step = match point {
                Point::First => 0,
                Point::Last => length.wrapping_sub(1),
                Point::Fixed(k) => (k as usize).wrapping_sub(1),
            };
            let source = if step < length {
                self.domain_row(from, step as i64 + i64::from(from.lag), b)
            } else {
                self.example_row(empty, b)
            };
            let to = self.example_row(out, b);
            self.copy(source, to, width);
        }
    }
}
