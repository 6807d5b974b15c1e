//! Products inside kernels: a step of a loop as one kernel.
//!
//! In: a program, and what it is going to be run on. Out: the same program, in which neighbouring products and kernels of a
//! loop are one kernel each. A product of few rows is a walk through its weight, which a kernel does as well; what is saved
//! is everything around it: a call for each stage of each step, and, where the whole body becomes one kernel, the loop
//! itself, as a kernel goes through all steps in one call. With more rows a weight is better read once for all of them.
//! The bits stay the same: sums keep their order.

use super::cost::Sizes;
use super::interleave::{self, Interleaved};
use crate::eqn::DomainId;
use crate::loops::order::{DEPTH, blocks};
use crate::loops::walk::{each_map, each_operand};
use crate::loops::{
    Access, Arg, ArgId, BufferId, Effect, Elem, Inst, Kernel, KernelArg, KernelId, Nest, Operand, PANEL,
    Place, Program, ScalarId, Stage, WeightId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Joins what gains by it.
pub fn join(program: &mut Program, sizes: Sizes) {
    if sizes.batch > 1 {
        return;
    }
    let weights = Weights { moving: program.moving_weights(), once: interleave::used_once(program) };
    let mut stages = std::mem::take(&mut program.stages);
    let mut joined = Vec::new();
    loops(program, &weights, &mut stages, &mut joined);
    program.stages = stages;
    to_working_memory(program, &joined);
    drop_unused(program);
}

/// What is known of each weight.
struct Weights {
    /// Changes within a run.
    moving: Vec<bool>,
    /// One stage uses it.
    once: Vec<bool>,
}

fn loops(program: &mut Program, weights: &Weights, stages: &mut [Stage], joined: &mut Vec<KernelId>) {
    for stage in stages {
        match stage {
            Stage::Loop { domain, body, .. } if !program.domains[domain.index()].is_indexed() => {
                *body = bodies(program, weights, *domain, std::mem::take(body), joined);
                loops(program, weights, body, joined);
            }
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => loops(program, weights, body, joined),
            _ => {}
        }
    }
}

/// A loop's body with each run of stages that can be one.
fn bodies(
    program: &mut Program,
    weights: &Weights,
    domain: DomainId,
    body: Vec<Stage>,
    joined: &mut Vec<KernelId>,
) -> Vec<Stage> {
    let mut out = Vec::new();
    let mut run = Vec::new();
    let end =
        |program: &mut Program, run: &mut Vec<Stage>, out: &mut Vec<Stage>, joined: &mut Vec<KernelId>| {
            let is_one_kernel = matches!(run[..], [] | [Stage::Map { .. }]);
            match is_one_kernel {
                true => out.append(run),
                false => {
                    let stage = one(program, weights, domain, run);
                    if let Stage::Map { kernel, .. } = &stage {
                        joined.push(*kernel);
                    }
                    out.push(stage);
                    run.clear();
                }
            }
        };
    for stage in body {
        if !can_join(program, weights, domain, &stage) {
            end(program, &mut run, &mut out, joined);
            out.push(stage);
        } else {
            run.push(stage);
        }
    }
    end(program, &mut run, &mut out, joined);
    out
}

/// Whether a stage does the same for each row of a step.
fn can_join(program: &Program, weights: &Weights, domain: DomainId, stage: &Stage) -> bool {
    let is_step = |place: Place| match place {
        Place::Shared => false,
        Place::Example => true,
        Place::Over { domain: d, .. } => d == domain,
    };
    match stage {
        Stage::Map { over, .. } => is_step(*over),
        Stage::Product { weight, out, .. } => {
            let has_rows = program.weights[weight.index()].k > 0;
            has_rows && !weights.moving[weight.index()] && is_step(program.buffers[out.buffer.index()].place)
        }
        _ => false,
    }
}

/// One kernel that does what some stages do, one after another.
fn one(program: &mut Program, weights: &Weights, domain: DomainId, stages: &[Stage]) -> Stage {
    let orders: Vec<Option<Interleaved>> =
        (0..stages.len()).map(|at| Interleaved::of(program, &weights.once, stages, at)).collect();
    let mut writer = Writer { program, kernel: Kernel::default(), args: Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for (stage, order) in stages.iter().zip(orders) {
        match stage {
            Stage::Product { a, weight, out, accumulate } => {
                names.push(program.weights[weight.index()].name.clone());
                writer.product(a, *weight, out, *accumulate, order.as_ref());
            }
            Stage::Map { kernel, args, .. } => {
                names.push(program.kernels[kernel.index()].name.clone());
                writer.kernel(&program.kernels[kernel.index()], args);
            }
            _ => {}
        }
    }
    let Writer { mut kernel, args, .. } = writer;
    kernel.name = names.join("; ");
    let id = KernelId(program.kernels.len() as u32);
    program.kernels.push(kernel);
    Stage::Map { kernel: id, over: Place::Over { domain, before: 0, after: 0 }, args }
}

/// A row times a packed weight of `k` rows and `n` columns: `from` and `to` are arguments with the column where the row's
/// part begins.
pub(crate) fn product_nests(
    (k, n): (usize, usize),
    from: (ArgId, usize),
    panel: ArgId,
    to: (ArgId, usize),
    accumulate: bool,
) -> Vec<Nest> {
    let mut nests = Vec::new();
    let (panels, rest) = (n / PANEL, n % PANEL);
    for block in blocks(k, DEPTH) {
        let add = accumulate || block.start > 0;
        // Whole panels, then the columns of the one that is cut off.
        for (extents, first_panel) in
            [(vec![panels, PANEL, block.depth], 0), (vec![1, rest, block.depth], panels)]
        {
            if extents.contains(&0) {
                continue;
            }
            let row = Access { arg: from.0, offset: from.1 + block.start, strides: vec![0, 0, 1] };
            let offset = (first_panel * k + block.start) * PANEL;
            let weight = Access { arg: panel, offset, strides: vec![k * PANEL, 1, PANEL] };
            let place = Access { arg: to.0, offset: to.1 + first_panel * PANEL, strides: vec![PANEL, 1] };
            nests.push(Nest::contract(extents, row, weight, place, add));
        }
    }
    nests
}

struct Writer<'a> {
    program: &'a Program,
    kernel: Kernel,
    args: Vec<Arg>,
}

impl Writer<'_> {
    fn arg(&mut self, arg: Arg, declared: KernelArg) -> ArgId {
        let KernelArg { row_stride, elem, written } = declared;
        let same = |(a, k): (&Arg, &KernelArg)| *a == arg && k.row_stride == row_stride && k.elem == elem;
        let at = self.args.iter().zip(&self.kernel.args).position(same).unwrap_or_else(|| {
            self.args.push(arg);
            self.kernel.args.push(KernelArg { row_stride, elem, written: false });
            self.args.len() - 1
        });
        self.kernel.args[at].written |= written;
        ArgId(at as u32)
    }

    /// Whole rows, and where the columns of an operand begin.
    fn rows(&mut self, at: &Operand, written: bool) -> (ArgId, usize) {
        let buffer = &self.program.buffers[at.buffer.index()];
        let row_stride = if buffer.place == Place::Shared { 0 } else { buffer.width };
        let arg = Arg::Rows(Operand { column: 0, ..*at });
        (self.arg(arg, KernelArg { row_stride, elem: Elem::F32, written }), at.column)
    }

    fn product(
        &mut self,
        a: &Operand,
        weight: WeightId,
        out: &Operand,
        accumulate: bool,
        order: Option<&Interleaved>,
    ) {
        let (k, n) = (self.program.weights[weight.index()].k, self.program.weights[weight.index()].n);
        let (from, first) = self.rows(a, false);
        let (to, column) = self.rows(out, true);
        let panel =
            self.arg(Arg::Weight(weight), KernelArg { row_stride: 0, elem: Elem::F32, written: false });
        let Some(order) = order else {
            let nests = product_nests((k, n), (from, first), panel, (to, column), accumulate);
            self.kernel.nests.extend(nests);
            return;
        };
        for block in blocks(k, DEPTH) {
            let add = accumulate || block.start > 0;
            let at = |arg: ArgId, offset: usize| Access { arg, offset, strides: Vec::new() };
            let row = at(from, first + block.start);
            let weight = at(panel, block.start * PANEL);
            let nests = order.nests(k, block.depth, add, [&row, &weight, &at(to, column)]);
            self.kernel.nests.extend(nests);
        }
    }

    fn kernel(&mut self, kernel: &Kernel, args: &[Arg]) {
        let ids: Vec<ArgId> =
            args.iter().zip(&kernel.args).map(|(arg, declared)| self.arg(*arg, *declared)).collect();
        let first = self.kernel.scalars;
        self.kernel.scalars += kernel.scalars;
        for nest in &kernel.nests {
            let mut nest = nest.clone();
            let access = |a: &mut Access| a.arg = ids[a.arg.index()];
            let scalar = |s: &mut ScalarId| s.0 += first;
            for inst in &mut nest.insts {
                match inst {
                    Inst::Load(a) => access(a),
                    Inst::LoadAt { access: a, index, .. } => {
                        access(a);
                        scalar(index);
                    }
                    Inst::Scalar(s) => scalar(s),
                    Inst::Const(_)
                    | Inst::Index(_)
                    | Inst::Unary(..)
                    | Inst::Binary(..)
                    | Inst::Fma(..)
                    | Inst::Select(..) => {}
                }
            }
            for effect in &mut nest.effects {
                match effect {
                    Effect::Store { access: a, .. }
                    | Effect::Add { access: a, .. }
                    | Effect::ReduceInner { access: a, .. }
                    | Effect::Contract { access: a, .. } => access(a),
                    Effect::AddAt { access: a, index, .. } => {
                        access(a);
                        scalar(index);
                    }
                    Effect::Reduce { into, .. } | Effect::Set { into, .. } => scalar(into),
                }
            }
            self.kernel.nests.push(nest);
        }
    }
}

/// What only one joined kernel uses, and only within a row, needs memory for one row.
fn to_working_memory(program: &mut Program, joined: &[KernelId]) {
    let mut users: BTreeMap<BufferId, BTreeSet<Option<KernelId>>> = BTreeMap::new();
    let mut note = |buffer: BufferId, user: Option<KernelId>| {
        users.entry(buffer).or_default().insert(user);
    };
    program.inputs.iter().for_each(|input| note(input.at.buffer, None));
    program.outputs.iter().for_each(|output| note(output.at.buffer, None));
    program.weights.iter().flat_map(|w| &w.parts).for_each(|part| note(part.source.buffer, None));
    for stages in [&program.prepare, &program.stages] {
        each_operand(stages, &mut |at, user| note(at.buffer, user));
    }
    let is_for_one_row = |buffer: &BufferId| match program.buffers[buffer.index()].place {
        Place::Shared => false,
        Place::Example => true,
        Place::Over { before, after, .. } => before == 0 && after == 0,
    };
    let working: BTreeSet<BufferId> = users
        .into_iter()
        .filter(|(buffer, users)| {
            is_for_one_row(buffer) && users.iter().all(|user| user.is_some_and(|k| joined.contains(&k)))
        })
        .filter(|(_, users)| users.len() == 1)
        .map(|(buffer, _)| buffer)
        .collect();
    for buffer in &working {
        program.buffers[buffer.index()].place = Place::Shared;
    }
    let kernels = &mut program.kernels;
    each_map(&program.stages, &mut |kernel, args| {
        for (arg, declared) in args.iter().zip(&mut kernels[kernel.index()].args) {
            if matches!(arg, Arg::Rows(at) if working.contains(&at.buffer)) {
                declared.row_stride = 0;
            }
        }
    });
}

/// Kernels that no stage runs any more go.
fn drop_unused(program: &mut Program) {
    let mut used = vec![false; program.kernels.len()];
    for stages in [&program.prepare, &program.stages] {
        each_map(stages, &mut |kernel, _| used[kernel.index()] = true);
    }
    let mut next = 0;
    let new: Vec<KernelId> = used
        .iter()
        .map(|used| {
            next += u32::from(*used);
            KernelId(next.wrapping_sub(1))
        })
        .collect();
    let mut used = used.into_iter();
    program.kernels.retain(|_| used.next() == Some(true));
    for stages in [&mut program.prepare, &mut program.stages] {
        renumber(stages, &new);
    }
}

fn renumber(stages: &mut [Stage], new: &[KernelId]) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => renumber(body, new),
            Stage::Map { kernel, .. } => *kernel = new[kernel.index()],
            _ => {}
        }
    }
}
