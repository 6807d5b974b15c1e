//! A program in which kernels do all arithmetic: products, weight gradients and sums by symbol are kernels too.
//!
//! In: a program of chains. Out: the same with stages that only run kernels, copy rows or fill them, which is what can be
//! said in straight code without a runtime; buffers and weights keep their numbers. Or why that cannot be. There is one
//! example, as long as its arrays, so masks have nothing to do and go.

use super::errors;
use crate::diag::Diagnostic;
use crate::loops::{
    Access, Arg, ArgId, Effect, Elem, Inst, Kernel, KernelArg, KernelId, Nest, Operand, Place, Program,
    ScalarId, Stage, ValueId, WeightId,
};
use crate::schedule::product_nests;

pub fn plain(mut program: Program) -> Result<Program, Diagnostic> {
    if program.domains.iter().any(|d| d.is_indexed()) || !program.tables.is_empty() {
        return Err(errors::not_a_chain(&program.name));
    }
    for part in [Part::Prepare, Part::Run] {
        let stages = std::mem::take(part.of(&mut program));
        let stages = all(&mut program, stages)?;
        *part.of(&mut program) = stages;
    }
    Ok(program)
}

#[derive(Clone, Copy)]
enum Part {
    Prepare,
    Run,
}

impl Part {
    fn of(self, program: &mut Program) -> &mut Vec<Stage> {
        match self {
            Part::Prepare => &mut program.prepare,
            Part::Run => &mut program.stages,
        }
    }
}

fn all(program: &mut Program, stages: Vec<Stage>) -> Result<Vec<Stage>, Diagnostic> {
    let mut out = Vec::with_capacity(stages.len());
    for stage in stages {
        match stage {
            Stage::Loop { domain, reverse, body } => {
                let body = all(program, body)?;
                out.push(Stage::Loop { domain, reverse, body });
            }
            Stage::Product { a, weight, out: to, accumulate } => {
                out.push(product(program, &a, weight, &to, accumulate));
            }
            Stage::Outer { a, m, b, n, rows, out: to, out_stride, accumulate } => {
                let sum = Sum { a, m, b, n, rows, out: to, out_stride };
                if !accumulate {
                    out.push(zeros(program, &to, m, n, out_stride));
                }
                out.push(outer(program, &sum));
            }
            Stage::Tally { index, value, out: to, width, symbols } => {
                out.push(zeros(program, &to, symbols, width, width));
                out.push(tally(program, [&index, &value, &to], width));
            }
            Stage::Mask { .. } => {}
            Stage::Fronts { .. } | Stage::Collect { .. } | Stage::Fold { .. } | Stage::Number { .. } => {
                return Err(errors::not_a_chain(&program.name));
            }
            Stage::Map { .. }
            | Stage::Fill { .. }
            | Stage::Boundary { .. }
            | Stage::Reverse { .. }
            | Stage::Take { .. } => out.push(stage),
        }
    }
    Ok(out)
}

/// A kernel and its arguments while they are written.
struct Writer<'a> {
    program: &'a mut Program,
    kernel: Kernel,
    args: Vec<Arg>,
}

impl<'a> Writer<'a> {
    fn new(program: &'a mut Program, name: &str) -> Writer<'a> {
        Writer { program, kernel: Kernel { name: name.to_string(), ..Kernel::default() }, args: Vec::new() }
    }

    /// Whole rows of a buffer. No argument twice: one may be written while the other is read.
    fn rows(&mut self, at: &Operand, written: bool) -> ArgId {
        let buffer = &self.program.buffers[at.buffer.index()];
        let row_stride = if buffer.place == Place::Shared { 0 } else { buffer.width };
        self.arg(
            Arg::Rows(Operand { column: 0, ..*at }),
            KernelArg { row_stride, elem: buffer.elem, written },
        )
    }

    fn arg(&mut self, arg: Arg, declared: KernelArg) -> ArgId {
        let at = self.args.iter().position(|a| *a == arg).unwrap_or_else(|| {
            self.args.push(arg);
            self.kernel.args.push(KernelArg { written: false, ..declared });
            self.args.len() - 1
        });
        self.kernel.args[at].written |= declared.written;
        ArgId(at as u32)
    }

    /// The stage that runs it on the rows of a place.
    fn on(self, over: Place) -> Stage {
        let over = match over {
            Place::Over { domain, .. } => Place::Over { domain, before: 0, after: 0 },
            other => other,
        };
        let id = KernelId(self.program.kernels.len() as u32);
        self.program.kernels.push(self.kernel);
        Stage::Map { kernel: id, over, args: self.args }
    }
}

fn product(program: &mut Program, a: &Operand, weight: WeightId, out: &Operand, accumulate: bool) -> Stage {
    let w = &program.weights[weight.index()];
    let (k, n, name) = (w.k, w.n, w.name.clone());
    let over = program.buffers[out.buffer.index()].place;
    let mut writer = Writer::new(program, &name);
    let to = writer.rows(out, true);
    if k == 0 {
        // A sum of nothing.
        if !accumulate {
            writer.kernel.nests.push(store_zeros(vec![n], to, out.column, vec![1]));
        }
        return writer.on(over);
    }
    let from = writer.rows(a, false);
    let panel = writer.arg(Arg::Weight(weight), KernelArg { row_stride: 0, elem: Elem::F32, written: false });
    writer.kernel.nests = product_nests((k, n), (from, a.column), panel, (to, out.column), accumulate);
    writer.on(over)
}

fn store_zeros(extents: Vec<usize>, arg: ArgId, offset: usize, strides: Vec<usize>) -> Nest {
    let access = Access { arg, offset, strides };
    Nest {
        extents,
        insts: vec![Inst::Const(0.0)],
        effects: vec![Effect::Store { access, value: ValueId(0) }],
    }
}

/// Zeros in a matrix that all rows share.
fn zeros(program: &mut Program, out: &Operand, rows: usize, columns: usize, stride: usize) -> Stage {
    let mut writer = Writer::new(program, "zeros");
    let to = writer.rows(out, true);
    writer.kernel.nests.push(store_zeros(vec![rows, columns], to, out.column, vec![stride, 1]));
    writer.on(Place::Shared)
}

/// A sum of outer products, as of [`Stage::Outer`].
struct Sum {
    a: Operand,
    m: usize,
    b: Operand,
    n: usize,
    rows: Option<usize>,
    out: Operand,
    out_stride: usize,
}

fn outer(program: &mut Program, sum: &Sum) -> Stage {
    let Sum { a, m, b, n, rows, out, out_stride } = *sum;
    let over = if rows.is_some() { Place::Shared } else { program.buffers[b.buffer.index()].place };
    let mut writer = Writer::new(program, "sum of outer products");
    let (left, right, to) = (writer.rows(&a, false), writer.rows(&b, false), writer.rows(&out, true));
    // Rows of matrices are an axis of their own, others are those of the call.
    let mut extents = vec![m, n];
    let mut strides = [vec![1, 0], vec![0, 1], vec![out_stride, 1]];
    if let Some(rows) = rows {
        extents.insert(0, rows);
        for (strides, along) in strides.iter_mut().zip([m, n, 0]) {
            strides.insert(0, along);
        }
    }
    let [a_strides, b_strides, out_strides] = strides;
    let place = Access { arg: to, offset: out.column, strides: out_strides };
    writer.kernel.nests.push(Nest {
        extents,
        insts: vec![
            Inst::Load(Access { arg: left, offset: a.column, strides: a_strides }),
            Inst::Load(Access { arg: right, offset: b.column, strides: b_strides }),
            Inst::Load(place.clone()),
            Inst::Fma(ValueId(0), ValueId(1), ValueId(2)),
        ],
        effects: vec![Effect::Store { access: place, value: ValueId(3) }],
    });
    writer.on(over)
}

fn tally(program: &mut Program, [index, value, out]: [&Operand; 3], width: usize) -> Stage {
    let over = program.buffers[value.buffer.index()].place;
    let mut writer = Writer::new(program, "sum by symbol");
    writer.kernel.scalars = 1;
    let (ids, values, to) = (writer.rows(index, false), writer.rows(value, false), writer.rows(out, true));
    let id = Inst::Load(Access { arg: ids, offset: index.column, strides: vec![] });
    let set = Effect::Set { value: ValueId(0), into: ScalarId(0) };
    let row = Inst::Load(Access { arg: values, offset: value.column, strides: vec![1] });
    let access = Access { arg: to, offset: out.column, strides: vec![1] };
    let add = Effect::AddAt { access, index: ScalarId(0), stride: width, value: ValueId(0) };
    writer.kernel.nests = vec![
        Nest { extents: vec![], insts: vec![id], effects: vec![set] },
        Nest { extents: vec![width], insts: vec![row], effects: vec![add] },
    ];
    writer.on(over)
}
