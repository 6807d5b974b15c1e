//! What the stages of a program cost: flops, bytes, and the least time they take on a machine.
//!
//! In: a [`Program`] and [`Sizes`]. Out: a [`Cost`] for each stage, and with a [`Machine`] its [`Bound`]: no stage can be
//! faster than its arithmetic at the machine's peak, nor than its bytes at the speed of the memory they lie in. That is
//! the roofline (Williams, Waterman, Patterson 2009), applied stage by stage.
//!
//! Counted are: two flops for each multiply-add of a product, blocks of zeros in a packed weight left out; for kernels,
//! instructions on single elements as [`instructions`] has them; every element that is read or written once per call. What
//! a loop touches in one step is read again in the next, from the smallest memory that holds all of it; rows of a whole
//! domain come from the memory that holds their buffer.

use crate::eqn::tree::Tree;
use crate::eqn::{Binary, DomainId, DomainKind, Unary};
use crate::loops::{Arg, BufferId, Effect, Inst, Kernel, Operand, Place, Program, Stage};
use std::fmt::Write;

/// What a program is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub batch: usize,
    /// Of every chain without a fixed length; leaves of every tree, of two children a node.
    pub steps: usize,
}

/// What one core can do at best.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Multiply-adds on registers alone, each counted as two.
    pub peak_gflops: f64,
    /// From the fastest to the slowest.
    pub memories: Vec<Memory>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    pub name: &'static str,
    pub bytes: f64,
    /// Of reading one after another, in 10⁹ bytes a second.
    pub gb_per_s: f64,
}

impl Machine {
    /// A core of 3.5 GHz with one 512-bit multiply-add a cycle: what is assumed where nothing is measured.
    pub fn nominal() -> Machine {
        let memory = |name, bytes, gb_per_s| Memory { name, bytes, gb_per_s };
        let memories = vec![
            memory("L1", 32e3, 220.0),
            memory("L2", 1e6, 110.0),
            memory("L3", 32e6, 60.0),
            memory("memory", f64::INFINITY, 20.0),
        ];
        Machine { peak_gflops: 112.0, memories }
    }

    /// The smallest memory that holds so much, or the largest.
    fn holding(&self, bytes: f64) -> Option<&Memory> {
        self.memories.iter().find(|m| m.bytes >= bytes).or(self.memories.last())
    }
}

/// What a stage does in one run, all its calls together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    pub calls: f64,
    /// Of matrix products.
    pub flops: f64,
    /// Instructions of kernels, for single elements.
    pub instructions: f64,
    pub traffic: Vec<Traffic>,
}

/// Bytes read or written, and how many bytes lie together with them where they come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    pub bytes: f64,
    pub among: f64,
}

/// The least time of a stage, and what decides it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    pub seconds: f64,
    /// `arithmetic`, or the name of a memory.
    pub by: &'static str,
}

impl Cost {
    pub fn bytes(&self) -> f64 {
        self.traffic.iter().map(|t| t.bytes).sum()
    }

    /// A run of a stage cannot take less.
    pub fn bound(&self, machine: &Machine) -> Bound {
        // A multiply-add counts as two flops and is one instruction.
        let arithmetic = (self.flops / 2.0 + self.instructions) * 2e-9 / machine.peak_gflops;
        let mut by = vec![0.0; machine.memories.len()];
        for t in &self.traffic {
            if let Some(i) =
                machine.holding(t.among).and_then(|m| machine.memories.iter().position(|x| x == m))
            {
                by[i] += t.bytes * 1e-9 / machine.memories[i].gb_per_s;
            }
        }
        let moved: f64 = by.iter().sum();
        if arithmetic >= moved {
            return Bound { seconds: arithmetic, by: "arithmetic" };
        }
        let most = (0..by.len()).max_by(|a, b| by[*a].total_cmp(&by[*b]));
        Bound { seconds: moved, by: most.map_or("memory", |i| machine.memories[i].name) }
    }
}

/// The stages that do something, in the order of the program, loops left out, with what one run of each costs.
pub fn costs(program: &Program, sizes: Sizes) -> Vec<(&Stage, Cost)> {
    let mut counting =
        Counting { program, sizes, inside: vec![false; program.domains.len()], out: Vec::new() };
    counting.stages(&program.stages, 1.0, f64::NAN);
    counting.out
}

/// Flops of the matrix products of a run.
pub fn flops(program: &Program, sizes: Sizes) -> f64 {
    costs(program, sizes).iter().map(|(_, cost)| cost.flops).sum()
}

/// Bytes of the buffers and packed weights of a run.
pub fn memory(program: &Program, sizes: Sizes) -> f64 {
    let counting = Counting { program, sizes, inside: vec![false; program.domains.len()], out: Vec::new() };
    let buffers = (0..program.buffers.len()).map(|b| counting.whole(BufferId(b as u32)));
    buffers.sum::<f64>() + program.weights.iter().map(|w| w.elements() as f64 * 4.0).sum::<f64>()
}

struct Counting<'a> {
    program: &'a Program,
    sizes: Sizes,
    /// For each domain: whether we are in a loop along it.
    inside: Vec<bool>,
    out: Vec<(&'a Stage, Cost)>,
}

impl<'a> Counting<'a> {
    /// `calls`: how often these stages are run; `step`: bytes that one step of the loop around touches.
    fn stages(&mut self, stages: &'a [Stage], calls: f64, step: f64) {
        for stage in stages {
            match stage {
                Stage::Loop { domain, body, .. } => {
                    self.inside[domain.index()] = true;
                    let touched = self.touched(body);
                    self.stages(body, calls * self.extent(domain.index()), touched);
                    self.inside[domain.index()] = false;
                }
                Stage::Fronts { front, body, .. } => {
                    // The rows of all fronts together are all rows; each has its share.
                    let reach = |(axis, k): &(DomainId, i32)| {
                        f64::from(k.unsigned_abs()) * self.greatest(axis.index())
                    };
                    let fronts = front.0.iter().map(reach).sum::<f64>() + 1.0;
                    let first = self.out.len();
                    let touched = self.touched(body);
                    self.stages(body, calls, touched / fronts);
                    for (_, cost) in &mut self.out[first..] {
                        cost.calls *= fronts;
                    }
                }
                _ => {
                    let cost = self.cost(stage, calls, step);
                    self.out.push((stage, cost));
                }
            }
        }
    }

    fn extent(&self, domain: usize) -> f64 {
        let steps = self.sizes.steps as f64;
        match self.program.domains[domain].kind {
            DomainKind::Chain { fixed: Some(n) } => f64::from(n),
            DomainKind::Tree { .. } => 2.0 * steps - 1.0,
            _ => steps,
        }
    }

    /// Greatest coordinate of a front's axis, from 0.
    fn greatest(&self, domain: usize) -> f64 {
        match self.program.domains[domain].kind {
            // The height of a tree of many shapes: somewhat more than that of a full one.
            DomainKind::Tree { .. } => (1.5 * (self.sizes.steps as f64).log2()).round(),
            _ => self.extent(domain) - 1.0,
        }
    }

    /// Rows of a place that one call sees.
    fn rows(&self, place: Place) -> f64 {
        match place {
            Place::Shared => 1.0,
            Place::Example => self.sizes.batch as f64,
            Place::Over { domain, .. } => {
                let open = self.program.axes(domain).into_iter().filter(|a| !self.inside[a.index()]);
                open.fold(self.sizes.batch as f64, |rows, a| rows * self.extent(a.index()))
            }
        }
    }

    fn place(&self, at: &Operand) -> Place {
        self.program.buffers[at.buffer.index()].place
    }

    /// Bytes of a whole buffer.
    fn whole(&self, buffer: BufferId) -> f64 {
        let b = &self.program.buffers[buffer.index()];
        let rows = match b.place {
            Place::Shared => 1.0,
            Place::Example => self.sizes.batch as f64,
            Place::Over { domain, before, after } => {
                let halo = f64::from(before) + f64::from(after);
                let axes = self.program.axes(domain);
                let points = axes.iter().map(|a| self.extent(a.index())).product::<f64>() + halo;
                points * self.sizes.batch as f64
            }
        };
        rows * b.width as f64 * 4.0
    }

    /// Bytes that one step touches and finds again in the next one.
    fn touched(&self, body: &[Stage]) -> f64 {
        let mut weights = vec![false; self.program.weights.len()];
        let mut bytes = 0.0;
        for stage in body {
            match stage {
                Stage::Loop { body, .. } | Stage::Fronts { body, .. } => bytes += self.touched(body),
                Stage::Product { a, weight, out, .. } => {
                    let w = &self.program.weights[weight.index()];
                    if !std::mem::replace(&mut weights[weight.index()], true) {
                        bytes += (w.k * w.n * 4) as f64;
                    }
                    bytes += 4.0
                        * (self.rows(self.place(a)) * w.k as f64 + self.rows(self.place(out)) * w.n as f64);
                }
                Stage::Map { kernel, over, args } => {
                    let elements = touched_by_argument(&self.program.kernels[kernel.index()]);
                    for (elements, arg) in elements.into_iter().zip(args) {
                        let rows = if let Arg::Weight(_) = arg { 1.0 } else { self.rows(*over) };
                        bytes += rows * elements * 4.0;
                    }
                }
                _ => {}
            }
        }
        bytes
    }

    /// `step`: NaN outside loops.
    fn cost(&self, stage: &Stage, calls: f64, step: f64) -> Cost {
        // What a step leaves for the next is found where the step fits; else where the whole buffer does.
        let among = |whole: f64| if step.is_nan() { whole } else { step };
        let stream = |at: &Operand, bytes: f64| {
            let own = matches!(self.place(at), Place::Over { .. });
            let whole = self.whole(at.buffer);
            Traffic { bytes: bytes * calls, among: if own { whole } else { among(whole) } }
        };
        let mut cost = Cost { calls, ..Cost::default() };
        match stage {
            Stage::Product { a, weight, out, accumulate } => {
                let w = &self.program.weights[weight.index()];
                let full: f64 = w.parts.iter().map(|p| p.rows as f64 * p.cols as f64).sum();
                let rows = self.rows(self.place(out));
                cost.flops = 2.0 * rows * full * calls;
                let size = (w.k * w.n * 4) as f64;
                let times = if *accumulate { 2.0 } else { 1.0 };
                cost.traffic = vec![
                    Traffic { bytes: size * calls, among: among(size) },
                    stream(a, self.rows(self.place(a)) * w.k as f64 * 4.0),
                    stream(out, rows * w.n as f64 * 4.0 * times),
                ];
            }
            Stage::Outer { a, m, b, n, rows, out, accumulate, .. } => {
                let matrices = rows.map(|rows| rows as f64);
                let rows = matrices.unwrap_or_else(|| self.rows(self.place(b)));
                let lefts = matrices.unwrap_or_else(|| self.rows(self.place(a)));
                if matrices.is_none() && self.place(a) == Place::Shared {
                    cost.instructions = rows * (m * n) as f64 * calls;
                } else {
                    cost.flops = 2.0 * rows * (m * n) as f64 * calls;
                }
                let times = if *accumulate { 2.0 } else { 1.0 };
                cost.traffic = vec![
                    stream(a, lefts * *m as f64 * 4.0),
                    stream(b, rows * *n as f64 * 4.0),
                    stream(out, (m * n * 4) as f64 * times),
                ];
            }
            Stage::Map { kernel, over, args } => {
                let kernel = &self.program.kernels[kernel.index()];
                let rows = self.rows(*over);
                cost.instructions = instructions(kernel) * rows * calls;
                cost.flops = self.flops_within(kernel, args) * rows * calls;
                for (touched, arg) in touched_by_argument(kernel).into_iter().zip(args) {
                    match arg {
                        Arg::Rows(at) => {
                            cost.traffic
                                .push(stream(at, rows.min(self.rows(self.place(at))) * touched * 4.0));
                        }
                        // Read anew for each row.
                        Arg::Weight(w) => {
                            let w = &self.program.weights[w.index()];
                            let size = (w.k * w.n * 4) as f64;
                            let bytes = touched * 4.0 * rows * calls;
                            cost.traffic.push(Traffic { bytes, among: among(size) });
                        }
                        Arg::Position(_) | Arg::Length(_) => {}
                    }
                }
            }
            Stage::Fill { out, width, .. } => {
                cost.traffic = vec![stream(out, self.rows(self.place(out)) * *width as f64 * 4.0)];
            }
            Stage::Reverse { from, out, width } => self.copied(from, out, *width, &stream, &mut cost),
            Stage::Collect { from, out, width, .. } => {
                if let Some(from) = from.first() {
                    let rows = self.rows(self.place(out)) * *width as f64 * 4.0;
                    cost.traffic = vec![stream(from, rows), stream(out, rows)];
                }
            }
            Stage::Fold { from, out, width, .. } => self.copied(from, out, *width, &stream, &mut cost),
            Stage::Take { out, width, .. } | Stage::Boundary { state: out, width, .. } => {
                let bytes = self.sizes.batch as f64 * *width as f64 * 8.0;
                cost.traffic = vec![Traffic { bytes: bytes * calls, among: among(self.whole(out.buffer)) }];
            }
            // Only rows behind an example's end; here all examples are of one length.
            Stage::Mask { .. } => {}
            Stage::Tally { index, value, out, width, symbols } => {
                let rows = self.rows(self.place(value));
                cost.instructions = rows * *width as f64 * calls;
                cost.traffic = vec![
                    stream(index, rows * 4.0),
                    stream(value, rows * *width as f64 * 4.0),
                    stream(out, (width * symbols * 4) as f64),
                ];
            }
            Stage::Number { out, .. } => {
                cost.traffic = vec![stream(out, self.rows(self.place(out)) * 4.0)];
            }
            Stage::Loop { .. } | Stage::Fronts { .. } => {}
        }
        cost
    }

    /// Flops of the products inside a kernel, for one row; blocks of zeros left out.
    fn flops_within(&self, kernel: &Kernel, args: &[Arg]) -> f64 {
        let nests = kernel.nests.iter().filter_map(|nest| {
            let Some(Arg::Weight(w)) = args.get(nest.contraction()?.weight.arg.index()) else { return None };
            let w = &self.program.weights[w.index()];
            let full: f64 = w.parts.iter().map(|p| p.rows as f64 * p.cols as f64).sum();
            let all: f64 = nest.extents.iter().map(|e| *e as f64).product();
            Some(2.0 * all * full / (w.k * w.n) as f64)
        });
        nests.sum()
    }

    fn copied(
        &self,
        from: &Operand,
        out: &Operand,
        width: usize,
        stream: &dyn Fn(&Operand, f64) -> Traffic,
        cost: &mut Cost,
    ) {
        let bytes = |at: &Operand| self.rows(self.place(at)) * width as f64 * 4.0;
        cost.traffic = vec![stream(from, bytes(from)), stream(out, bytes(out))];
    }
}

/// For each argument: elements of a row that a kernel reads and writes.
fn touched_by_argument(kernel: &Kernel) -> Vec<f64> {
    let mut touched = vec![0.0; kernel.args.len()];
    for nest in &kernel.nests {
        let all: f64 = nest.extents.iter().map(|e| *e as f64).product();
        let outer: f64 = nest.extents.iter().rev().skip(1).map(|e| *e as f64).product();
        for inst in &nest.insts {
            if let Inst::Load(a) | Inst::LoadAt { access: a, .. } = inst {
                touched[a.arg.index()] += extent(&nest.extents, &a.strides);
            }
        }
        for effect in &nest.effects {
            match effect {
                Effect::Store { access, .. } => {
                    touched[access.arg.index()] += extent(&nest.extents, &access.strides)
                }
                Effect::Add { access, .. } | Effect::AddAt { access, .. } => {
                    touched[access.arg.index()] += 2.0 * all
                }
                Effect::ReduceInner { access, .. } | Effect::Contract { access, .. } => {
                    touched[access.arg.index()] += outer
                }
                Effect::Reduce { .. } | Effect::Set { .. } => {}
            }
        }
    }
    touched
}

/// Elements that an access meets: an axis along which it does not move counts once.
fn extent(extents: &[usize], strides: &[usize]) -> f64 {
    let moving = extents.iter().zip(strides).filter(|(_, stride)| **stride > 0);
    moving.map(|(extent, _)| *extent as f64).product()
}

/// Instructions of a kernel for the elements of one row, each counted for one element.
pub fn instructions(kernel: &Kernel) -> f64 {
    let nests = kernel.nests.iter().filter(|nest| nest.contraction().is_none()).map(|nest| {
        let each: f64 = nest.insts.iter().map(of_inst).sum::<f64>() + nest.effects.len() as f64;
        each * nest.extents.iter().map(|e| *e as f64).product::<f64>()
    });
    nests.sum()
}

/// Instructions that the code generator makes of an operation; a division and a square root count as so many as could
/// be done meanwhile.
fn of_inst(inst: &Inst) -> f64 {
    const DIVISION: f64 = 16.0;
    match inst {
        // What is read is counted as bytes.
        Inst::Const(_) | Inst::Load(_) | Inst::LoadAt { .. } | Inst::Scalar(_) | Inst::Index(_) => 0.0,
        Inst::Unary(op, _) => match op {
            Unary::Exp => 16.0,
            Unary::Log => 30.0,
            Unary::Tanh => 17.0 + DIVISION,
            Unary::Sigmoid => 16.0 + DIVISION,
            Unary::Softplus | Unary::LogSigmoid => 28.0 + DIVISION,
            Unary::Sqrt => DIVISION,
            // A call of a function for each element.
            Unary::Sin | Unary::Cos | Unary::Erf => 400.0,
            Unary::Sign => 4.0,
            _ => 1.0,
        },
        Inst::Binary(op, ..) => match op {
            Binary::Div => DIVISION,
            Binary::Mod => DIVISION + 3.0,
            Binary::Pow => 800.0,
            _ => 1.0,
        },
        Inst::Fma(..) | Inst::Select(..) => 1.0,
    }
}

/// Whether the left vector of an outer product is the same for all rows: then it is a sum of rows.
pub fn is_sum(program: &Program, left: &Operand) -> bool {
    program.buffers.get(left.buffer.index()).is_some_and(|b| b.place == Place::Shared)
}

/// A stage in a few words.
pub fn title(program: &Program, stage: &Stage) -> String {
    let name = |at: &Operand| {
        let buffer = program.buffers.get(at.buffer.index());
        buffer.map(|b| if b.name.is_empty() { "?".to_string() } else { b.name.clone() }).unwrap_or_default()
    };
    match stage {
        Stage::Loop { .. } | Stage::Fronts { .. } => "loop".into(),
        Stage::Product { a, weight, out, .. } => {
            let Some(w) = program.weights.get(weight.index()) else { return "product".into() };
            format!("product [{}, {}] {} = {} @ {}", w.k, w.n, name(out), w.name, name(a))
        }
        Stage::Outer { a, m, b, n, rows: Some(rows), out, .. } => {
            format!("product [{m}, {rows}, {n}] {} = {}ᵀ @ {}", name(out), name(a), name(b))
        }
        Stage::Outer { a, b, n, out, .. } if is_sum(program, a) => {
            format!("sum [{n}] {} = Σ {}", name(out), name(b))
        }
        Stage::Outer { a, m, b, n, out, .. } => {
            format!("gradient [{m}, {n}] {} = Σ {} ⊗ {}", name(out), name(a), name(b))
        }
        Stage::Tally { index, value, out, width, symbols } => {
            format!("sum [{symbols}, {width}] {} = Σ {} by {}", name(out), name(value), name(index))
        }
        Stage::Map { kernel, .. } => {
            let kernel = program.kernels.get(kernel.index());
            format!("kernel {}", kernel.map_or("?", |k| &k.name))
        }
        Stage::Fill { out, .. } => format!("zeros {}", name(out)),
        Stage::Boundary { state, .. } => format!("boundary {}", name(state)),
        Stage::Mask { out, .. } => format!("mask {}", name(out)),
        Stage::Reverse { out, .. } => format!("reverse {}", name(out)),
        Stage::Take { out, .. } => format!("one point {}", name(out)),
        Stage::Collect { out, .. } => format!("rows {}", name(out)),
        Stage::Fold { out, .. } => format!("fold {}", name(out)),
        Stage::Number { out, .. } => format!("position {}", name(out)),
    }
}

/// A tree with so many leaves and at most so many children a node; neighbours are joined in an order that `seed`
/// decides.
pub fn tree(leaves: usize, arity: usize, seed: usize) -> Tree {
    let mut edges: Vec<Vec<i64>> = vec![Vec::new(); leaves];
    let mut open: Vec<i64> = (0..leaves as i64).collect();
    if arity < 2 {
        // Nothing can be joined: one above the other.
        edges.iter_mut().zip(0..).skip(1).for_each(|(e, node): (_, i64)| e.push(node - 1));
        open.clear();
    }
    let mut random = seed.wrapping_mul(0x9e37_79b9).wrapping_add(0x7f4a_7c15);
    while open.len() > 1 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005_u64 as usize)
            .wrapping_add(1_442_695_040_888_963_407_u64 as usize);
        let at = (random >> (usize::BITS / 2)) % (open.len() - 1);
        let pair: Vec<i64> = open.splice(at..at + 2, [edges.len() as i64]).collect();
        edges.push(pair);
    }
    // Children were there before what joins them, and every node but the last is joined once.
    Tree::new(edges.iter().map(Vec::as_slice)).unwrap_or_default()
}

/// The costs of all stages that matter as a table.
pub fn table(program: &Program, sizes: Sizes, machine: &Machine) -> String {
    let all = costs(program, sizes);
    let bounds: Vec<Bound> = all.iter().map(|(_, cost)| cost.bound(machine)).collect();
    let total: f64 = bounds.iter().map(|b| b.seconds).sum();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "expected of {} steps, batch {}, on a core with {:.0} GFLOP/s; {}",
        sizes.steps,
        sizes.batch,
        machine.peak_gflops,
        machine
            .memories
            .iter()
            .map(|m| format!("{} {:.0} GB/s", m.name, m.gb_per_s))
            .collect::<Vec<_>>()
            .join(", "),
    );
    let _ = writeln!(
        text,
        "{:>8} {:>10} {:>10} {:>10} {:>6}  {:<10}  stage",
        "calls", "Mflop", "MB", "time", "share", "bound by"
    );
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.retain(|i| bounds[*i].seconds >= total * LEAST);
    for i in &order {
        let (stage, cost) = &all[*i];
        let _ = writeln!(
            text,
            "{:>8} {:>10.3} {:>10.3} {:>10} {:>5.1}%  {:<10}  {}",
            cost.calls,
            // A sum of nothing is −0.
            cost.flops * 1e-6 + 0.0,
            cost.bytes() * 1e-6,
            seconds(bounds[*i].seconds),
            bounds[*i].seconds / total * 100.0,
            bounds[*i].by,
            shortened(&title(program, stage), 60),
        );
    }
    let _ = writeln!(
        text,
        "in all {:.3} Mflop of products, at least {}; memory {:.3} MB",
        all.iter().map(|(_, c)| c.flops).sum::<f64>() * 1e-6,
        seconds(total),
        memory(program, sizes) * 1e-6,
    );
    text
}

/// Stages with a smaller share of the time are not listed.
const LEAST: f64 = 0.002;

/// A duration in the unit that suits it.
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

/// At most so many characters.
pub fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_string(),
    }
}
