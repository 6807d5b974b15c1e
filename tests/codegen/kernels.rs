//! Machine code against the kernel interpreter: every operation, every effect, and kernels drawn at random.

use proptest::prelude::*;
use rnnc::codegen::{How, Level};
use rnnc::eqn::{Binary, Unary};
use rnnc::loops::*;
use rnnc::runtime::{Executable, Workspace};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An argument: elements per row, shared by all rows or not, ids below a number or reals.
#[derive(Clone, Debug)]
struct Column {
    width: usize,
    shared: bool,
    ids: Option<usize>,
}

fn real(width: usize) -> Column {
    Column { width, shared: false, ids: None }
}

fn shared(width: usize) -> Column {
    Column { width, shared: true, ids: None }
}

fn ids(width: usize, symbols: usize) -> Column {
    Column { width, shared: false, ids: Some(symbols) }
}

/// Runs one kernel over the examples; every argument is an input, every real one an output.
fn program(columns: &[Column], scalars: u32, nests: Vec<Nest>) -> Program {
    let mut p = Program::default();
    let mut args = Vec::new();
    for (i, c) in columns.iter().enumerate() {
        let name = format!("a{i}");
        let elem = if c.ids.is_some() { Elem::I32 } else { Elem::F32 };
        let place = if c.shared { Place::Shared } else { Place::Example };
        p.buffers.push(Buffer { name: name.clone(), place, width: c.width, elem });
        let at = Operand { buffer: BufferId(i as u32), column: 0, lag: 0 };
        let shape = vec![c.width];
        p.inputs.push(Input {
            name: name.as_str().into(),
            kind: InputKind::Given,
            at,
            shape: shape.clone(),
            symbols: c.ids,
        });
        p.outputs.push(Output { name: name.into(), at, shape });
        args.push((
            Arg::Rows(at),
            KernelArg { row_stride: if c.shared { 0 } else { c.width }, elem, written: true },
        ));
    }
    let (map, declared) = args.into_iter().unzip();
    p.kernels = vec![Kernel { name: "k".into(), args: declared, scalars, nests }];
    p.stages = vec![Stage::Map { kernel: KernelId(0), over: Place::Example, args: map }];
    p
}

fn run(
    exe: &Arc<Executable>,
    columns: &[Column],
    rows: usize,
    values: &dyn Fn(usize) -> f32,
) -> Vec<Vec<f32>> {
    let mut ws = Workspace::new(exe).unwrap();
    ws.resize(rows, &BTreeMap::new()).unwrap();
    let mut n = 0;
    for (i, c) in columns.iter().enumerate() {
        let count = c.width * if c.shared { 1 } else { rows };
        let all: Vec<f32> = (0..count).map(|k| values(n + k)).collect();
        n += count;
        match c.ids {
            None => ws.set_input(&format!("a{i}"), &all).unwrap(),
            Some(symbols) => {
                let all: Vec<i32> = all.iter().map(|x| (x.abs() * 7.3) as i32 % symbols as i32).collect();
                ws.set_ids(&format!("a{i}"), &all).unwrap();
            }
        }
    }
    ws.run().unwrap();
    (0..columns.len()).map(|i| ws.output(&format!("a{i}")).unwrap()).collect()
}

/// Both ways of running agree: to rounding, and in what is NaN or infinite.
fn same(columns: &[Column], scalars: u32, nests: Vec<Nest>, rows: usize, values: &dyn Fn(usize) -> f32) {
    let p = program(columns, scalars, nests);
    let expected = run(&Executable::interpreted(p.clone()).unwrap(), columns, rows, values);
    for (level, narrow) in [(Level::None, false), (Level::None, true), (Level::Speed, true)] {
        let exe = Executable::compiled_as(p.clone(), How { level, narrow, ..How::default() }).unwrap();
        let found = run(&exe, columns, rows, values);
        for (a, (expected, found)) in expected.iter().zip(&found).enumerate() {
            for (i, (e, f)) in expected.iter().zip(found).enumerate() {
                let size = e.abs().max(1.0);
                let near = e == f || (e.is_nan() && f.is_nan()) || (e - f).abs() <= 2e-5 * size;
                assert!(near, "argument {a}, element {i}: {f} is not {e}\n{:?}", p.kernels[0].nests);
            }
        }
    }
}

fn at(arg: u32, offset: usize, strides: &[usize]) -> Access {
    Access { arg: ArgId(arg), offset, strides: strides.to_vec() }
}

fn v(i: u32) -> ValueId {
    ValueId(i)
}

fn load(arg: u32, strides: &[usize]) -> Inst {
    Inst::Load(at(arg, 0, strides))
}

fn store(arg: u32, strides: &[usize], value: u32) -> Effect {
    Effect::Store { access: at(arg, 0, strides), value: v(value) }
}

fn wave(i: usize) -> f32 {
    (i as f32 * 0.731).sin() * 3.0
}

/// Ordinary numbers with every special one among them.
fn special(i: usize) -> f32 {
    const ALL: [f32; 12] =
        [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 100.0, -100.0, 1e30, -3.0, 0.5];
    if i.is_multiple_of(3) { ALL[i / 3 % ALL.len()] } else { wave(i) }
}

const UNARY: [Unary; 17] = [
    Unary::Neg,
    Unary::Exp,
    Unary::Log,
    Unary::Tanh,
    Unary::Sigmoid,
    Unary::Relu,
    Unary::Sqrt,
    Unary::Abs,
    Unary::Sign,
    Unary::Sin,
    Unary::Cos,
    Unary::Floor,
    Unary::Erf,
    Unary::LogSigmoid,
    Unary::Softplus,
    Unary::Not,
    Unary::ToReal,
];

const BINARY: [Binary; 15] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Pow,
    Binary::Max,
    Binary::Min,
    Binary::Mod,
    Binary::Eq,
    Binary::Ne,
    Binary::Lt,
    Binary::Le,
    Binary::And,
    Binary::Or,
    Binary::MulZero,
];

fn elementwise(n: usize, insts: Vec<Inst>) -> Vec<Nest> {
    let last = insts.len() as u32 - 1;
    vec![Nest { extents: vec![n], insts, effects: vec![store(0, &[1], last)] }]
}

#[test]
fn every_unary_operation_agrees_also_on_special_numbers() {
    for op in UNARY {
        // 8 + 4 + 3 elements: two vectors at once, one, and single ones.
        let nest = elementwise(15, vec![load(1, &[1]), Inst::Unary(op, v(0))]);
        same(&[real(15), real(15)], 0, nest, 5, &special);
    }
}

#[test]
fn every_binary_operation_agrees_also_on_special_numbers() {
    for op in BINARY {
        let insts = vec![load(1, &[1]), load(2, &[1]), Inst::Binary(op, v(0), v(1))];
        same(&[real(15), real(15), real(15)], 0, elementwise(15, insts), 5, &special);
        for (c, side) in [(0.5, 0), (2.0, 1), (0.0, 0), (f32::NAN, 1)] {
            let (a, b) = if side == 0 { (v(1), v(0)) } else { (v(0), v(1)) };
            let insts = vec![load(1, &[1]), Inst::Const(c), Inst::Binary(op, a, b)];
            same(&[real(15), real(15)], 0, elementwise(15, insts), 5, &special);
        }
    }
}

#[test]
fn selections_agree_with_conditions_of_any_origin() {
    for condition in [Inst::Binary(Binary::Lt, v(0), v(1)), Inst::Unary(Unary::Not, v(0)), Inst::Const(1.0)] {
        let insts = vec![
            load(1, &[1]),
            load(2, &[1]),
            condition,
            Inst::Select(v(2), v(0), v(1)),
            Inst::Fma(v(3), v(2), v(1)),
        ];
        same(&[real(11), real(11), real(11)], 0, elementwise(11, insts), 3, &wave);
    }
}

#[test]
fn reductions_agree_for_every_length_of_the_innermost_axis() {
    for fold in [ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min, ReduceOp::ArgMax] {
        for n in [0, 1, 3, 4, 8, 9, 23] {
            let sum = Nest {
                extents: vec![2, n],
                insts: vec![load(1, &[n, 1])],
                effects: vec![Effect::Reduce { fold, value: v(0), into: ScalarId(0) }],
            };
            let write = Nest {
                extents: vec![],
                insts: vec![Inst::Scalar(ScalarId(0))],
                effects: vec![store(0, &[], 0)],
            };
            let wave = |i: usize| wave(i) * 0.4;
            same(&[real(1), real(2 * n + 1)], 1, vec![sum, write], 3, &wave);
            for add in [false, true] {
                let access = at(0, 1, &[2]);
                let inner = Nest {
                    extents: vec![2, n],
                    insts: vec![load(1, &[n, 1])],
                    effects: vec![Effect::ReduceInner { fold, value: v(0), access, add }],
                };
                same(&[real(4), real(2 * n + 1)], 0, vec![inner], 3, &wave);
            }
        }
    }
}

#[test]
fn the_first_of_equal_greatest_elements_is_found() {
    let best = Nest {
        extents: vec![19],
        insts: vec![load(1, &[1])],
        effects: vec![Effect::Reduce { fold: ReduceOp::ArgMax, value: v(0), into: ScalarId(0) }],
    };
    let write =
        Nest { extents: vec![], insts: vec![Inst::Scalar(ScalarId(0))], effects: vec![store(0, &[], 0)] };
    for shift in 0..19 {
        let values = move |i: usize| if (i + shift).is_multiple_of(7) { 2.0 } else { 1.0 };
        same(&[ids(1, 19), real(19)], 1, vec![best.clone(), write.clone()], 2, &values);
    }
    same(&[real(1), real(19)], 1, vec![best, write], 2, &|_| f32::NEG_INFINITY);
}

#[test]
fn strided_constant_and_indexed_accesses_agree() {
    let nest = Nest {
        extents: vec![3, 6],
        insts: vec![
            load(1, &[1, 3]),
            load(2, &[0, 0]),
            load(3, &[6, 1]),
            Inst::Index(0),
            Inst::Index(1),
            Inst::Binary(Binary::Mul, v(0), v(1)),
            Inst::Fma(v(3), v(2), v(5)),
            Inst::Binary(Binary::Add, v(6), v(4)),
        ],
        effects: vec![
            store(0, &[1, 3], 7),
            Effect::Add { access: at(4, 0, &[6, 1]), value: v(7) },
            Effect::Add { access: at(4, 2, &[1, 0]), value: v(5) },
        ],
    };
    same(&[real(18), real(18), shared(1), real(18), shared(18)], 0, vec![nest], 4, &wave);
}

#[test]
fn ids_choose_rows_and_stay_within_them() {
    let id = Nest {
        extents: vec![],
        insts: vec![load(1, &[])],
        effects: vec![Effect::Set { value: v(0), into: ScalarId(0) }],
    };
    let read = |scale: f32| Nest {
        extents: vec![5],
        insts: vec![
            Inst::LoadAt { access: at(2, 0, &[1]), index: ScalarId(0), stride: 5 },
            Inst::Const(scale),
            Inst::Binary(Binary::Mul, v(0), v(1)),
        ],
        effects: vec![
            store(0, &[1], 2),
            Effect::AddAt { access: at(3, 0, &[1]), index: ScalarId(0), stride: 5, value: v(2) },
            Effect::AddAt { access: at(3, 1, &[0]), index: ScalarId(0), stride: 5, value: v(0) },
        ],
    };
    let columns = [real(5), ids(1, 4), shared(20), shared(20)];
    same(&columns, 1, vec![id.clone(), read(2.0)], 6, &wave);
    // Whatever number stands where an id should, no other memory is touched.
    for wild in [f32::NAN, -7.0, 1e30, 3.9] {
        let mut id = id.clone();
        id.insts[0] = Inst::Const(wild);
        same(&columns, 1, vec![id, read(1.0)], 2, &wave);
    }
}

#[test]
fn a_normalisation_of_several_nests_agrees() {
    let n = 10;
    let scalar = |s| Inst::Scalar(ScalarId(s));
    let nests = vec![
        Nest {
            extents: vec![n],
            insts: vec![load(1, &[1])],
            effects: vec![Effect::Reduce { fold: ReduceOp::Max, value: v(0), into: ScalarId(0) }],
        },
        Nest {
            extents: vec![n],
            insts: vec![
                load(1, &[1]),
                scalar(0),
                Inst::Binary(Binary::Sub, v(0), v(1)),
                Inst::Unary(Unary::Exp, v(2)),
            ],
            effects: vec![
                store(0, &[1], 3),
                Effect::Reduce { fold: ReduceOp::Sum, value: v(3), into: ScalarId(1) },
            ],
        },
        Nest {
            extents: vec![n],
            insts: vec![load(0, &[1]), scalar(1), Inst::Binary(Binary::Div, v(0), v(1))],
            effects: vec![store(0, &[1], 2)],
        },
    ];
    same(&[real(n), real(n)], 2, nests, 7, &wave);
}

/// Instructions in SSA order from free numbers; what they refer to is taken modulo what is there.
fn insts(raw: &[(u8, u8, u8, u8)], n: usize) -> Vec<Inst> {
    let mut all = vec![load(1, &[1]), load(2, &[0]), load(3, &[2])];
    for (i, (kind, a, b, c)) in raw.iter().enumerate() {
        let of = |x: u8| v(u32::from(x) % (i as u32 + 3));
        // Without jumps and poles: a rounding error must stay one.
        const SMOOTH: [Unary; 7] = [
            Unary::Neg,
            Unary::Tanh,
            Unary::Sigmoid,
            Unary::Relu,
            Unary::Abs,
            Unary::LogSigmoid,
            Unary::Softplus,
        ];
        const PLAIN: [Binary; 6] =
            [Binary::Add, Binary::Sub, Binary::Max, Binary::Min, Binary::MulZero, Binary::Mul];
        all.push(match kind % 6 {
            0 => Inst::Unary(SMOOTH[*a as usize % SMOOTH.len()], of(*b)),
            1 => Inst::Binary(PLAIN[*a as usize % PLAIN.len()], of(*b), of(*c)),
            2 => Inst::Const(f32::from(*a) / 64.0 - 2.0),
            3 => Inst::Index(0),
            4 => Inst::Fma(of(*a), of(*b), of(*c)),
            // Keeps values small, so that errors do too.
            _ => Inst::Unary(Unary::Tanh, of(*a)),
        });
    }
    all.push(Inst::Unary(Unary::Tanh, v(all.len() as u32 - 1)));
    let _ = n;
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_kernels_agree(
        raw in prop::collection::vec(any::<(u8, u8, u8, u8)>(), 1..24),
        n in 1usize..22,
        rows in 1usize..4,
        fold in 0usize..3,
    ) {
        let insts = insts(&raw, n);
        let last = insts.len() as u32 - 1;
        let fold = [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min][fold];
        let nest = Nest {
            extents: vec![n],
            insts,
            effects: vec![
                store(0, &[1], last),
                Effect::Add { access: at(4, 0, &[0]), value: v(last) },
                Effect::ReduceInner { fold, value: v(last), access: at(5, 0, &[]), add: false },
            ],
        };
        let columns = [real(n), real(n), shared(1), real(2 * n), shared(1), real(1)];
        same(&columns, 0, vec![nest], rows, &|i| wave(i) * 0.3);
    }
}
