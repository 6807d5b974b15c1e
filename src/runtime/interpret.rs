//! The kernel interpreter: what a [`Kernel`] means, one operation at a time, in f32.
//!
//! In: a kernel, and memory with the place where each argument begins. Out: the memory, changed. This is the oracle
//! of the code generator's tests, and what runs where no code generator does.

use super::kernel::{Base, Bind};
use super::memory::Memory;
use crate::codegen::reach::greatest_id;
use crate::eqn::{Binary, Unary};
use crate::loops::{Access, Effect, Elem, Inst, Kernel, Nest, ReduceOp, ScalarId};

/// Working memory of the interpreter, kept from call to call.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    values: Vec<f32>,
    scalars: Vec<f32>,
    index: Vec<usize>,
    /// For each effect of a nest: what a reduction holds so far.
    folds: Vec<Folded>,
}

/// Runs `kernel` on `rows` rows. `limits[arg]` is the number of elements of a row that may be reached by an id.
pub fn run(
    kernel: &Kernel,
    binds: &[Bind],
    limits: &[usize],
    rows: usize,
    memory: &mut Memory,
    scratch: &mut Scratch,
) {
    for row in 0..rows {
        scratch.scalars.clear();
        scratch.scalars.resize(kernel.scalars as usize, 0.0);
        for nest in &kernel.nests {
            Point { kernel, binds, limits, row, memory }.nest(nest, scratch);
        }
    }
}

struct Point<'a, 'm> {
    kernel: &'a Kernel,
    binds: &'a [Bind],
    limits: &'a [usize],
    row: usize,
    memory: &'a mut Memory<'m>,
}

impl Point<'_, '_> {
    fn nest(&mut self, nest: &Nest, scratch: &mut Scratch) {
        let count: usize = nest.extents.iter().product();
        scratch.index.clear();
        scratch.index.resize(nest.extents.len(), 0);
        scratch.folds.clear();
        scratch.folds.extend(nest.effects.iter().map(|effect| match effect {
            Effect::Reduce { fold, .. } | Effect::ReduceInner { fold, .. } => Folded::start(*fold),
            _ => Folded::start(ReduceOp::Sum),
        }));
        for _ in 0..count {
            scratch.values.clear();
            for inst in &nest.insts {
                let value = self.inst(inst, nest, scratch);
                scratch.values.push(value);
            }
            for (i, effect) in nest.effects.iter().enumerate() {
                self.effect(i, effect, nest, scratch);
            }
            for d in (0..nest.extents.len()).rev() {
                scratch.index[d] += 1;
                if scratch.index[d] < nest.extents[d] {
                    break;
                }
                scratch.index[d] = 0;
            }
        }
        for (fold, effect) in scratch.folds.iter().zip(&nest.effects) {
            if let Effect::Reduce { into, .. } = effect {
                scratch.scalars[into.index()] = fold.value;
            }
        }
    }

    fn inst(&self, inst: &Inst, nest: &Nest, s: &Scratch) -> f32 {
        let of = |v: &crate::loops::ValueId| s.values[v.index()];
        match inst {
            Inst::Const(c) => *c,
            Inst::Load(access) => self.load(access, &s.index, 0),
            Inst::LoadAt { access, index, stride } => {
                self.load(access, &s.index, self.further(access, *index, *stride, nest, s))
            }
            Inst::Scalar(scalar) => s.scalars[scalar.index()],
            Inst::Index(axis) => s.index[*axis as usize] as f32,
            Inst::Unary(op, a) => unary(*op, of(a)),
            Inst::Binary(op, a, b) => binary(*op, of(a), of(b)),
            Inst::Fma(a, b, c) => fused(of(a), of(b), of(c)),
            Inst::Select(c, a, b) => {
                if of(c) != 0.0 {
                    of(a)
                } else {
                    of(b)
                }
            }
        }
    }

    fn effect(&mut self, i: usize, effect: &Effect, nest: &Nest, s: &mut Scratch) {
        match effect {
            Effect::Store { access, value } => {
                self.store(access, &s.index, 0, s.values[value.index()], false);
            }
            Effect::Add { access, value } => self.store(access, &s.index, 0, s.values[value.index()], true),
            Effect::AddAt { access, index, stride, value } => {
                let further = self.further(access, *index, *stride, nest, s);
                self.store(access, &s.index, further, s.values[value.index()], true);
            }
            Effect::Reduce { fold, value, .. } => s.folds[i].push(*fold, s.values[value.index()]),
            Effect::ReduceInner { fold, value, access, add } => {
                s.folds[i].push(*fold, s.values[value.index()]);
                if s.index.last().copied() == nest.extents.last().map(|n| n - 1) {
                    let value = s.folds[i].value;
                    s.folds[i] = Folded::start(*fold);
                    self.store(access, &s.index, 0, value, *add);
                }
            }
            Effect::Contract { a, b, access, add } => {
                let (a, b) = (s.values[a.index()], s.values[b.index()]);
                s.folds[i].value = fused(a, b, s.folds[i].value);
                if s.index.last().copied() == nest.extents.last().map(|n| n - 1) {
                    let value = s.folds[i].value;
                    s.folds[i] = Folded::start(ReduceOp::Sum);
                    self.store(access, &s.index, 0, value, *add);
                }
            }
            Effect::Set { value, into } => s.scalars[into.index()] = s.values[value.index()],
        }
    }

    fn further(&self, access: &Access, index: ScalarId, stride: usize, nest: &Nest, s: &Scratch) -> usize {
        let most = greatest_id(self.limits[access.arg.index()], access, stride, &nest.extents);
        clamp_id(s.scalars[index.index()], most) * stride
    }

    fn place(&self, access: &Access, index: &[usize], further: usize) -> (Base, usize) {
        let bind = &self.binds[access.arg.index()];
        let along: usize = access.strides.iter().zip(index).map(|(s, i)| s * i).sum();
        // Rows lie within memory, so they begin at places that are counts.
        let first = bind.offset.wrapping_add_signed(bind.stride.wrapping_mul(self.row as isize));
        (bind.base, first + access.offset + along + further)
    }

    fn load(&self, access: &Access, index: &[usize], further: usize) -> f32 {
        let (base, at) = self.place(access, index, further);
        match (base, self.kernel.args[access.arg.index()].elem) {
            (Base::Buffer(buffer), Elem::F32) => self.memory.f32(buffer, at..at + 1)[0],
            (Base::Buffer(buffer), Elem::I32) => self.memory.i32(buffer, at..at + 1)[0] as f32,
            (Base::Weight(weight), _) => self.memory.weight(weight).elements()[at],
        }
    }

    fn store(&mut self, access: &Access, index: &[usize], further: usize, value: f32, add: bool) {
        let (base, at) = self.place(access, index, further);
        // Weights are never written.
        let Base::Buffer(buffer) = base else { return };
        match self.kernel.args[access.arg.index()].elem {
            Elem::F32 if add => self.memory.f32_mut(buffer, at..at + 1)[0] += value,
            Elem::F32 => self.memory.f32_mut(buffer, at..at + 1)[0] = value,
            Elem::I32 => self.memory.i32_mut(buffer, at..at + 1)[0] = value as i32,
        }
    }
}

/// `a * b + c`, rounded once.
fn fused(a: f32, b: f32, c: f32) -> f32 {
    // The library asks the processor what it has, which Miri is not.
    if cfg!(miri) { a.mul_add(b, c) } else { libm::fmaf(a, b, c) }
}

/// Ids that machine code computes are kept within memory; ids from outside were checked before.
fn clamp_id(id: f32, most: usize) -> usize {
    (id.max(0.0) as usize).min(most)
}

#[derive(Clone, Copy, Debug)]
struct Folded {
    value: f32,
    best: f32,
    count: u32,
}

impl Folded {
    fn start(op: ReduceOp) -> Folded {
        let value = match op {
            ReduceOp::Sum | ReduceOp::ArgMax => 0.0,
            ReduceOp::Prod => 1.0,
            ReduceOp::Max => f32::NEG_INFINITY,
            ReduceOp::Min => f32::INFINITY,
        };
        Folded { value, best: f32::NEG_INFINITY, count: 0 }
    }

    fn push(&mut self, op: ReduceOp, x: f32) {
        match op {
            ReduceOp::Sum => self.value += x,
            ReduceOp::Prod => self.value *= x,
            ReduceOp::Max => self.value = binary(Binary::Max, self.value, x),
            ReduceOp::Min => self.value = binary(Binary::Min, self.value, x),
            ReduceOp::ArgMax => {
                if x > self.best {
                    (self.value, self.best) = (self.count as f32, x);
                }
            }
        }
        self.count += 1;
    }
}

/// One elementwise operation in f32. A NaN operand gives NaN, except in comparisons and logic.
pub fn unary(op: Unary, x: f32) -> f32 {
    match op {
        Unary::Neg => -x,
        Unary::Exp => libm::expf(x),
        Unary::Log => libm::logf(x),
        Unary::Tanh => libm::tanhf(x),
        Unary::Sigmoid => 1.0 / (1.0 + libm::expf(-x)),
        Unary::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Sign => {
            if x == 0.0 || x.is_nan() {
                x
            } else {
                1f32.copysign(x)
            }
        }
        Unary::Sin => libm::sinf(x),
        Unary::Cos => libm::cosf(x),
        Unary::Floor => x.floor(),
        Unary::Erf => libm::erff(x),
        Unary::LogSigmoid => -softplus(-x),
        Unary::Softplus => softplus(x),
        Unary::StopGradient | Unary::ToReal => x,
        Unary::Not => 1.0 - x,
    }
}

fn softplus(x: f32) -> f32 {
    unary(Unary::Relu, x) + libm::log1pf(libm::expf(-x.abs()))
}

/// One elementwise operation in f32; see [`unary`]. Of equal operands of `Max` and `Min` the first counts.
pub fn binary(op: Binary, a: f32, b: f32) -> f32 {
    let truth = |claim: bool| if claim { 1.0 } else { 0.0 };
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => libm::powf(a, b),
        Binary::Max => {
            if a < b || b.is_nan() {
                b
            } else {
                a
            }
        }
        Binary::Min => {
            if a > b || b.is_nan() {
                b
            } else {
                a
            }
        }
        Binary::Mod => a - b * (a / b).floor(),
        Binary::Eq => truth(a == b),
        Binary::Ne => truth(a != b),
        Binary::Lt => truth(a < b),
        Binary::Le => truth(a <= b),
        Binary::And => truth(a != 0.0 && b != 0.0),
        Binary::Or => truth(a != 0.0 || b != 0.0),
        Binary::MulZero => {
            if a == 0.0 {
                0.0
            } else {
                a * b
            }
        }
    }
}
