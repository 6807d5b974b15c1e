//! The executor: stage after stage.
//!
//! In: a workspace whose sizes are fixed and whose inputs are given. Out: its buffers, computed. Every index below is
//! in range for a program that [`check`](super::check) let pass; after the first run with some sizes nothing is allocated.

mod indexed;
mod map;

use super::gemm::{self, Isa, Packed};
use super::kernel::{self, Addresses, Bind, Buf, FlushToZero};
use super::workspace::Workspace;
use super::{Executable, errors, interpret, rows};
use crate::diag::Fallible;
use crate::eqn::tree::Tree;
use crate::eqn::{DomainId, Point};
use crate::loops::{BufferId, Elem, InputKind, Operand, Place, Program, Stage, Weight};

/// What a run needs beside the buffers; kept so that runs allocate nothing.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    interpreter: interpret::Scratch,
    binds: Vec<Bind>,
    addresses: Addresses,
    gemm: gemm::Scratch,
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
    pub fn new(program: &Program) -> Scratch {
        let args = program.kernels.iter().map(|k| k.args.len()).max().unwrap_or(0);
        Scratch {
            binds: Vec::with_capacity(args),
            step: vec![None; program.domains.len()],
            range: vec![(0, 0); program.domains.len()],
            joined: vec![0; program.domains.len()],
            ..Scratch::default()
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
        self.run_now(None)
    }

    /// [`Workspace::run`], calling `watch` after each stage, so that a caller with a clock can say where time goes.
    pub fn run_watched(&mut self, watch: &mut dyn FnMut(Done)) -> Fallible<()> {
        self.run_now(Some(watch))
    }

    fn run_now(&mut self, mut watch: Watch) -> Fallible<()> {
        let exe = self.exe.clone();
        self.check_given()?;
        let _flush = FlushToZero::begin();
        if self.prepare_if_stale()
            && let Some(watch) = &mut watch
        {
            watch(Done::Prepared);
        }
        let mut watch = watch.map(|watch| move |done: Done| watch(done));
        let watch = watch.as_mut().map(|watch| watch as &mut dyn FnMut(Done));
        self.execution(watch).stages(&exe.program.stages, false);
        Ok(())
    }

    /// Refuses if an input was never given.
    pub(super) fn check_given(&self) -> Fallible<()> {
        let missing: Vec<_> = self.missing().map(|(name, _)| errors::missing(name)).collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    /// Some stages; those of a loop at one of its steps.
    pub(super) fn run_stages(&mut self, stages: &[Stage], step: Option<(DomainId, usize)>) {
        let mut execution = self.execution(None);
        if let Some((domain, step)) = step {
            execution.scratch.step[domain.index()] = Some(step);
            execution.stages(stages, false);
            execution.scratch.step[domain.index()] = None;
        } else {
            execution.stages(stages, false);
        }
    }

    /// Computes what depends on parameters alone, if any has changed. Whether that was so.
    pub(super) fn prepare_if_stale(&mut self) -> bool {
        let was_stale = std::mem::take(&mut self.stale);
        if was_stale {
            self.prepare();
        }
        was_stale
    }

    /// Names of inputs of any kind that still have no value.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &InputKind)> {
        let inputs = self.exe.program.inputs.iter().zip(&self.given);
        inputs.filter(|(_, given)| !**given).map(|(input, _)| (&*input.name, &input.kind))
    }

    fn prepare(&mut self) {
        let exe = self.exe.clone();
        self.execution(None).stages(&exe.program.prepare, true);
        for (i, weight) in exe.program.weights.iter().enumerate().filter(|(i, _)| !exe.moving[*i]) {
            pack(weight, &self.bufs, &mut self.weights[i]);
        }
    }

    fn execution<'a>(&'a mut self, watch: Watch<'a>) -> Execution<'a> {
        for (range, rows) in self.scratch.range.iter_mut().zip(&self.rows.domains) {
            *range = (0, rows.count());
        }
        Execution {
            exe: &self.exe,
            bufs: &mut self.bufs,
            weights: &mut self.weights,
            isa: self.isa,
            batch: self.batch,
            steps: &self.steps,
            lengths: &self.lengths,
            ragged: &self.ragged,
            trees: &self.trees,
            rows: &self.rows,
            scratch: &mut self.scratch,
            watch,
        }
    }
}

fn pack(weight: &Weight, bufs: &[Buf], into: &mut Packed) {
    for part in &weight.parts {
        let source = &bufs[part.source.buffer.index()].f32()[part.source.column..];
        let (rows, cols) = if part.transposed { (part.cols, part.rows) } else { (part.rows, part.cols) };
        into.pack_block(part.k0, part.n0, source, rows, cols, part.cols, part.transposed);
    }
}

struct Execution<'a> {
    exe: &'a Executable,
    bufs: &'a mut [Buf],
    weights: &'a mut [Packed],
    isa: Isa,
    batch: usize,
    steps: &'a [usize],
    lengths: &'a [Vec<usize>],
    ragged: &'a [bool],
    trees: &'a [Vec<Tree>],
    rows: &'a rows::Rows,
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
    /// `afresh`: parameters changed, so every weight is packed before it is used.
    fn stages(&mut self, stages: &[Stage], afresh: bool) {
        let mut done = 0;
        while let Some(stage) = stages.get(done) {
            let mut count = 1;
            match stage {
                Stage::Loop { domain, reverse, body } if self.at_once(*domain, *reverse, body) => {}
                Stage::Loop { domain, reverse, body } => {
                    let steps = self.steps[domain.index()];
                    let outer = self.enter(&[(*domain, 1)]);
                    for i in 0..steps {
                        let step = if *reverse { steps - 1 - i } else { i };
                        self.scratch.step[domain.index()] = Some(step);
                        self.go_to(outer, step as i64);
                        self.stages(body, afresh);
                    }
                    self.scratch.step[domain.index()] = None;
                    self.leave(outer);
                }
                Stage::Fronts { front, reverse, body } => {
                    let outer = self.enter(&front.0);
                    let mut key = None;
                    while let Some(next) = self.next_front(outer, key, *reverse) {
                        self.go_to(outer, next);
                        self.stages(body, afresh);
                        key = Some(next);
                    }
                    self.leave(outer);
                }
                Stage::Collect { from, out, width, table } => self.collect(from, out, *width, *table),
                Stage::Fold { fold, from, out, width, table } => self.fold(*fold, from, out, *width, *table),
                Stage::Number { of, axis, out } => self.number(*of, *axis, out),
                Stage::Product { a, weight, out, accumulate } => {
                    if afresh || self.exe.moving[weight.index()] {
                        let weights = &self.exe.program.weights;
                        pack(&weights[weight.index()], self.bufs, &mut self.weights[weight.index()]);
                    }
                    self.product(a, weight.index(), out, *accumulate);
                }
                Stage::Outer { .. } => count = self.outer(&stages[done..]),
                Stage::Map { kernel, over, args } => self.map(kernel.index(), *over, args),
                Stage::Fill { out, width, value } => self.fill(out, *width, *value),
                Stage::Boundary { state, width, from, distance, after } => {
                    self.boundary(state, *width, from, *distance as usize, *after);
                }
                Stage::Mask { out, width, fill } => self.mask(out, *width, fill.as_ref()),
                Stage::Reverse { from, out, width } => self.reverse(from, out, *width),
                Stage::Take { from, out, width, point, empty } => self.take(from, out, *width, *point, empty),
            }
            if let Some(watch) = &mut self.watch
                && !matches!(stage, Stage::Loop { .. } | Stage::Fronts { .. })
            {
                watch(Done::Stages(&stages[done..done + count]));
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
            Place::Example => (0, self.batch),
            Place::Over { domain, .. } if self.is_indexed(domain) => {
                let (first, end) = self.scratch.range[domain.index()];
                (first, end - first)
            }
            Place::Over { domain, before, .. } => {
                let step = self.scratch.step[domain.index()];
                // Never negative: a lag lies within the halo.
                let first = i64::from(before) + i64::from(at.lag) + step.unwrap_or(0) as i64;
                let steps = if step.is_some() { 1 } else { self.steps[domain.index()] };
                (first as usize * self.batch, steps * self.batch)
            }
        };
        Rows { buffer: at.buffer.index(), first: row * stride + at.column, stride, count }
    }

    /// Runs `body` once, or, if `over` is a whole domain and something in it is there once per example or step, step by step.
    fn by_step(&mut self, over: Place, stepwise: bool, mut body: impl FnMut(&mut Self)) {
        match over {
            Place::Over { domain, .. }
                if stepwise && !self.is_indexed(domain) && self.scratch.step[domain.index()].is_none() =>
            {
                for step in 0..self.steps[domain.index()] {
                    self.scratch.step[domain.index()] = Some(step);
                    body(self);
                }
                self.scratch.step[domain.index()] = None;
            }
            _ => body(self),
        }
    }

    fn product(&mut self, a: &Operand, weight: usize, out: &Operand, accumulate: bool) {
        let over = self.place(out.buffer);
        let stepwise = self.place(a.buffer) == Place::Example;
        self.by_step(over, stepwise, |run| {
            let w = &run.weights[weight];
            let mut from = run.view(a, w.k());
            if run.place(a.buffer) == Place::Shared {
                from.stride = 0;
            }
            let (to, rows) = (run.view(out, w.n()), run.rows(out).count);
            kernel::product(run.isa, rows, run.bufs, from, w, to, accumulate);
        });
    }

    fn view(&self, at: &Operand, width: usize) -> kernel::Rows {
        let rows = self.rows(at);
        kernel::Rows { buffer: rows.buffer, first: rows.first, stride: rows.stride, width }
    }

    /// The first of `stages`, and those behind it with the same left side, which is packed once for all. Returns their
    /// number.
    fn outer(&mut self, stages: &[Stage]) -> usize {
        let mut left: Option<(Operand, kernel::Rows)> = None;
        let none = kernel::Rows { buffer: 0, first: 0, stride: 0, width: 0 };
        let mut rights = [kernel::Right { b: none, out: none, accumulate: true }; kernel::RIGHTS];
        let mut count = 0;
        for stage in stages.iter().take(kernel::RIGHTS) {
            let Stage::Outer { a, m, b, n, out, out_stride, accumulate } = stage else { break };
            let (from, view) = *left.get_or_insert((*a, self.view(a, *m)));
            let out = kernel::Rows { stride: *out_stride, ..self.view(out, *n) };
            let b = self.view(b, *n);
            let apart = |other: &kernel::Right| {
                other.out.buffer != out.buffer && other.out.buffer != b.buffer && other.b.buffer != out.buffer
            };
            if (from, view.width) != (*a, *m) || !rights[..count].iter().all(apart) {
                break;
            }
            rights[count] = kernel::Right { b, out, accumulate: *accumulate };
            count += 1;
        }
        if let Some((a, view)) = left {
            let rows = self.rows(&a).count;
            let scratch = &mut self.scratch.gemm;
            kernel::outer(self.isa, rows, self.bufs, view, &rights[..count], scratch);
        }
        count.max(1)
    }

    fn fill(&mut self, out: &Operand, width: usize, value: f32) {
        let buffer = &self.exe.program.buffers[out.buffer.index()];
        let all = &mut self.bufs[out.buffer.index()];
        let columns = out.column..out.column + width;
        match buffer.elem {
            Elem::F32 if width == buffer.width => all.f32_mut().fill(value),
            Elem::F32 => all.f32_mut().chunks_mut(buffer.width).for_each(|r| r[columns.clone()].fill(value)),
            Elem::I32 => {
                all.i32_mut().chunks_mut(buffer.width).for_each(|r| r[columns.clone()].fill(value as i32))
            }
        }
    }

    /// Copies `width` elements, whatever they are.
    fn copy(&mut self, from: (usize, usize), to: (usize, usize), width: usize) {
        if from.0 == to.0 {
            self.bufs[to.0].i32_mut().copy_within(from.1..from.1 + width, to.1);
        } else if let Ok([from_buf, to_buf]) = self.bufs.get_disjoint_mut([from.0, to.0]) {
            to_buf.i32_mut()[to.1..to.1 + width].copy_from_slice(&from_buf.i32()[from.1..from.1 + width]);
        }
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
        for b in 0..self.batch {
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
        for b in 0..self.batch {
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
                    None => self.bufs[to.0].i32_mut()[to.1..to.1 + width].fill(0),
                }
            }
        }
    }

    fn reverse(&mut self, from: &Operand, out: &Operand, width: usize) {
        let (domain, _) = self.domain(from);
        for b in 0..self.batch {
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
        for b in 0..self.batch {
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
