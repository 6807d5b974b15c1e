//! Errors of the vector functions in units in the last place, against f64.

use rnnc::eqn::Unary;
use rnnc::loops::*;
use rnnc::runtime::{Executable, Workspace};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A function with what it should give and how far it may be off.
pub struct Function {
    pub name: &'static str,
    pub op: Unary,
    pub exact: fn(f64) -> f64,
    #[allow(dead_code)] // the example reports, the test compares
    pub bound: f64,
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

pub const FUNCTIONS: [Function; 6] = [
    Function { name: "exp", op: Unary::Exp, exact: libm::exp, bound: 2.0 },
    Function { name: "log", op: Unary::Log, exact: libm::log, bound: 2.0 },
    Function { name: "tanh", op: Unary::Tanh, exact: libm::tanh, bound: 4.0 },
    Function { name: "sigmoid", op: Unary::Sigmoid, exact: |x| 1.0 / (1.0 + libm::exp(-x)), bound: 4.0 },
    Function { name: "softplus", op: Unary::Softplus, exact: softplus, bound: 4.0 },
    Function { name: "log_sigmoid", op: Unary::LogSigmoid, exact: |x| -softplus(-x), bound: 4.0 },
];

const WIDTH: usize = 1027;

/// A program that applies the function to rows of numbers.
pub fn executable(op: Unary) -> Arc<Executable> {
    let at = |buffer| Operand { buffer: BufferId(buffer), column: 0, lag: 0 };
    let buffer =
        |name: &str| Buffer { name: name.into(), place: Place::Example, width: WIDTH, elem: Elem::F32 };
    let arg = |written| KernelArg { row_stride: WIDTH, elem: Elem::F32, written };
    let access = |arg| Access { arg: ArgId(arg), offset: 0, strides: vec![1] };
    let nest = Nest {
        extents: vec![WIDTH],
        insts: vec![Inst::Load(access(0)), Inst::Unary(op, ValueId(0))],
        effects: vec![Effect::Store { access: access(1), value: ValueId(1) }],
    };
    Executable::compiled(Program {
        buffers: vec![buffer("x"), buffer("y")],
        kernels: vec![Kernel {
            name: "y".into(),
            args: vec![arg(false), arg(true)],
            scalars: 0,
            nests: vec![nest],
        }],
        stages: vec![Stage::Map {
            kernel: KernelId(0),
            over: Place::Example,
            args: vec![Arg::Rows(at(0)), Arg::Rows(at(1))],
        }],
        inputs: vec![Input {
            name: "x".into(),
            kind: InputKind::Given,
            at: at(0),
            shape: vec![WIDTH],
            symbols: None,
        }],
        outputs: vec![Output { name: "y".into(), at: at(1), shape: vec![WIDTH] }],
        ..Program::default()
    })
    .unwrap()
}

/// The greatest error over `bits`, and where; infinite for a wrong NaN or infinity.
pub fn worst(f: &Function, exe: &Arc<Executable>, mut bits: impl Iterator<Item = u32>) -> (f64, f32) {
    const ROWS: usize = 64;
    let mut ws = Workspace::new(exe).unwrap();
    ws.resize(ROWS, &BTreeMap::new()).unwrap();
    let (mut xs, mut ys) = (vec![0.0; ROWS * WIDTH], vec![0.0; ROWS * WIDTH]);
    let mut worst = (0.0, 0.0);
    loop {
        let mut count = 0;
        for (x, bits) in xs.iter_mut().zip(&mut bits) {
            *x = f32::from_bits(bits);
            count += 1;
        }
        if count == 0 {
            return worst;
        }
        ws.set_input("x", &xs).unwrap();
        ws.run().unwrap();
        ws.output_into("y", &mut ys).unwrap();
        for (x, y) in xs.iter().zip(&ys).take(count) {
            let error = error(f, *x, *y);
            if error > worst.0 || error.is_nan() {
                worst = (error, *x);
            }
        }
    }
}

fn error(f: &Function, x: f32, y: f32) -> f64 {
    // Operands below the smallest normal number count as 0.
    let exact = (f.exact)(if x.abs() < f32::MIN_POSITIVE { 0.0 } else { f64::from(x) });
    let wrong = |claim: bool| if claim { 0.0 } else { f64::INFINITY };
    if exact.is_nan() {
        return wrong(y.is_nan());
    }
    let tiny = f64::from(f32::MIN_POSITIVE);
    if exact.abs() < tiny {
        return wrong(f64::from(y).abs() <= tiny);
    }
    if exact.abs() > f64::from(f32::MAX) {
        return wrong(y.is_infinite() || y == f32::MAX);
    }
    // What the last place of an f32 of this size is worth: 2^-23 of the power of two below.
    let power = f64::from_bits(exact.to_bits() & 0x7ff0_0000_0000_0000);
    (f64::from(y) - exact).abs() / (power * f64::from(f32::EPSILON))
}
