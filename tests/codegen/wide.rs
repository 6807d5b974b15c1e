//! 512-bit vectors against 128-bit ones: the same bits, whatever the numbers, the lengths of rows, the operations and folds.
//!
//! On a computer without AVX-512 both are the same code; that the emitter takes these kernels is tested everywhere.

use proptest::prelude::*;
use rnnc::codegen::{How, Target};
use rnnc::eqn::{Binary, Unary};
use rnnc::loops::*;
use rnnc::pipeline;
use rnnc::runtime::{Executable, Workspace};
use std::collections::BTreeMap;

/// A kernel over rows of all arguments, which are `width` wide; those in `shared` have one row for all.
fn program(widths: &[usize], shared: &[usize], scalars: u32, nests: Vec<Nest>) -> Program {
    let mut p = Program::default();
    let (mut map, mut declared) = (Vec::new(), Vec::new());
    for (i, width) in widths.iter().copied().enumerate() {
        let name = format!("a{i}");
        let is_shared = shared.contains(&i);
        let place = if is_shared { Place::Shared } else { Place::Example };
        p.buffers.push(Buffer { name: name.clone(), place, width, elem: Elem::F32 });
        let at = Operand { buffer: BufferId(i as u32), column: 0, lag: 0 };
        let shape = vec![width];
        let kind = InputKind::Given;
        p.inputs.push(Input { name: name.as_str().into(), kind, at, shape: shape.clone(), symbols: None });
        p.outputs.push(Output { name: name.into(), at, shape });
        map.push(Arg::Rows(at));
        let row_stride = if is_shared { 0 } else { width };
        declared.push(KernelArg { row_stride, elem: Elem::F32, written: true });
    }
    p.kernels = vec![Kernel { name: "k".into(), args: declared, scalars, nests }];
    p.stages = vec![Stage::Map { kernel: KernelId(0), over: Place::Example, args: map }];
    p
}

/// Everything the kernel leaves behind, as bits; all NaNs are one.
fn run(p: &Program, narrow: bool, rows: usize, values: &dyn Fn(usize) -> f32) -> Vec<Vec<u32>> {
    let exe = Executable::compiled_as(p.clone(), How { narrow, ..How::default() }).unwrap();
    let mut ws = Workspace::new(&exe).unwrap();
    ws.resize(rows, &BTreeMap::new()).unwrap();
    let count = |b: &Buffer| b.width * if b.place == Place::Shared { 1 } else { rows };
    let mut n = 0;
    for b in &p.buffers {
        let all: Vec<f32> = (n..n + count(b)).map(values).collect();
        n += all.len();
        ws.set_input(&b.name, &all).unwrap();
    }
    ws.run().unwrap();
    let bits = |x: &f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
    let read = |b: &Buffer| {
        let mut out = vec![0.0; count(b)];
        ws.output_into(&b.name, &mut out).unwrap();
        out.iter().map(bits).collect()
    };
    p.buffers.iter().map(read).collect()
}

fn same_bits(p: &Program, rows: usize, values: &dyn Fn(usize) -> f32) {
    let text = pipeline::asm(p, Target::named("x86_64-avx512").unwrap()).unwrap();
    assert!(text.contains("512-bit vectors"), "the kernel is not emitted in wide vectors: {:?}", p.kernels);
    let (narrow, wide) = (run(p, true, rows, values), run(p, false, rows, values));
    for (a, (n, w)) in narrow.iter().zip(&wide).enumerate() {
        if let Some(i) = (0..n.len()).find(|i| n[*i] != w[*i]) {
            let (n, w) = (f32::from_bits(n[i]), f32::from_bits(w[i]));
            panic!("argument {a}, element {i}: {n:e} in narrow vectors, {w:e} in wide ones\n{:?}", p.kernels);
        }
    }
}

/// Numbers of all sizes, and the special ones.
fn values(seed: u32) -> impl Fn(usize) -> f32 {
    const SPECIAL: [f32; 16] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE,
        1e-40,
        -3e-42,
        f32::MAX,
        f32::MIN,
        88.8,
        -87.5,
        100.0,
        2.5,
    ];
    move |i| {
        let mixed = (i as u32 ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
        match mixed % 4 {
            0 => SPECIAL[(mixed >> 8) as usize % SPECIAL.len()],
            1 => f32::from_bits(mixed.wrapping_mul(0xc2b2_ae35)),
            _ => ((mixed >> 8) as f32 / (1 << 24) as f32 - 0.5) * 12.0,
        }
    }
}

fn at(arg: u32, offset: usize, strides: &[usize]) -> Access {
    Access { arg: ArgId(arg), offset, strides: strides.to_vec() }
}

fn v(i: usize) -> ValueId {
    ValueId(i as u32)
}

fn store(arg: u32, offset: usize, strides: &[usize], value: usize) -> Effect {
    Effect::Store { access: at(arg, offset, strides), value: v(value) }
}

const UNARY: [Unary; 14] = [
    Unary::Neg,
    Unary::Exp,
    Unary::Log,
    Unary::Tanh,
    Unary::Sigmoid,
    Unary::Relu,
    Unary::Sqrt,
    Unary::Abs,
    Unary::Sign,
    Unary::Floor,
    Unary::LogSigmoid,
    Unary::Softplus,
    Unary::Not,
    Unary::ToReal,
];

const BINARY: [Binary; 14] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
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

#[test]
fn every_operation_at_every_length_up_to_two_vectors_and_a_half() {
    let unary = UNARY.iter().map(|op| Inst::Unary(*op, v(0)));
    let binary = BINARY.iter().map(|op| Inst::Binary(*op, v(0), v(1)));
    let ops: Vec<Inst> = unary.chain(binary).collect();
    for n in 1..=40 {
        let mut insts = vec![Inst::Load(at(0, 0, &[1])), Inst::Load(at(1, 0, &[1]))];
        insts.extend(ops.iter().cloned());
        let effects = (0..ops.len()).map(|i| store(2, i * n, &[1], i + 2)).collect();
        let p = program(&[n, n, n * ops.len()], &[], 0, vec![Nest { extents: vec![n], insts, effects }]);
        same_bits(&p, 3, &values(n as u32));
    }
}

#[test]
fn more_values_than_registers() {
    const COUNT: usize = 45;
    const MASKS: usize = 20;
    let n = 21;
    let mut insts: Vec<Inst> = (0..COUNT).map(|i| Inst::Load(at(1, i * n, &[1]))).collect();
    // All of them once more from behind, so that each is needed until its turn comes; masks too.
    let masks = insts.len();
    insts.extend((0..MASKS).map(|i| Inst::Binary(Binary::Lt, v(i), v((i + 7) % COUNT))));
    let mut sum = insts.len();
    insts.push(Inst::Const(0.25));
    for i in (0..COUNT).rev() {
        insts.push(Inst::Select(v(masks + i % MASKS), v(i), v((i * 5 + 3) % COUNT)));
        insts.push(Inst::Fma(v(insts.len() - 1), v(i), v(sum)));
        sum = insts.len() - 1;
    }
    let effects = vec![store(0, 0, &[1], sum)];
    let p = program(&[n, COUNT * n], &[], 0, vec![Nest { extents: vec![n], insts, effects }]);
    same_bits(&p, 3, &|i| (i as f32 * 0.37).sin());
    same_bits(&p, 2, &values(1));
}

#[test]
fn more_arguments_than_registers() {
    const COUNT: usize = 20;
    for n in [5, 16, 70] {
        let mut insts: Vec<Inst> = (0..COUNT).map(|i| Inst::Load(at(i as u32, 0, &[n, 1]))).collect();
        for i in 1..COUNT {
            insts.push(Inst::Binary(Binary::Add, v(i), v(insts.len() - 1)));
        }
        let last = insts.len() - 1;
        let add = |arg: u32| Effect::Add { access: at(arg, 0, &[n, 1]), value: v(last) };
        // A row of the last one is wider, so its axes do not become one.
        let effects = vec![add(2), add(19), store(20, 1, &[n + 3, 1], last)];
        let widths: Vec<usize> = (0..COUNT).map(|_| 3 * n).chain([3 * (n + 3)]).collect();
        let p = program(&widths, &[3, 19], 0, vec![Nest { extents: vec![3, n], insts, effects }]);
        same_bits(&p, 4, &values(7));
    }
}

#[test]
fn strides_indices_scalars_and_what_does_not_change_along_the_axis() {
    for n in [1, 2, 15, 16, 17, 33, 80] {
        let set = Nest {
            extents: vec![],
            insts: vec![
                Inst::Load(at(1, 2, &[])),
                Inst::Load(at(2, 0, &[])),
                Inst::Binary(Binary::Lt, v(0), v(1)),
            ],
            effects: vec![
                Effect::Set { value: v(0), into: ScalarId(0) },
                Effect::Set { value: v(2), into: ScalarId(1) },
            ],
        };
        let nest = Nest {
            extents: vec![3, n],
            insts: vec![
                Inst::Load(at(1, 0, &[1, 3])),
                Inst::Load(at(2, 1, &[1, 0])),
                Inst::Unary(Unary::Exp, v(1)),
                Inst::Index(0),
                Inst::Index(1),
                Inst::Scalar(ScalarId(0)),
                Inst::Scalar(ScalarId(1)),
                Inst::Binary(Binary::Le, v(2), v(3)),
                Inst::Select(v(6), v(0), v(5)),
                Inst::Select(v(7), v(8), v(4)),
                Inst::Fma(v(9), v(2), v(3)),
            ],
            effects: vec![
                store(0, 0, &[1, 3], 10),
                Effect::Add { access: at(3, 0, &[n, 1]), value: v(9) },
                Effect::Add { access: at(4, 1, &[2 * n, 2]), value: v(10) },
            ],
        };
        let p = program(&[3 * n, 3 * n + 2, 4, 3 * n, 6 * n + 1], &[3], 2, vec![set, nest]);
        same_bits(&p, 5, &values(n as u32));
        same_bits(&p, 2, &|i| i as f32 * 0.01);
    }
}

/// Instructions in SSA order from free numbers; what they refer to is taken modulo what is there.
fn insts(raw: &[(u8, u8, u8, u8)]) -> Vec<Inst> {
    let mut all = vec![Inst::Load(at(1, 0, &[1])), Inst::Load(at(2, 0, &[0])), Inst::Load(at(3, 0, &[2]))];
    for (i, (kind, a, b, c)) in raw.iter().enumerate() {
        let of = |x: u8| v(usize::from(x) % (i + 3));
        all.push(match kind % 8 {
            0 | 1 => Inst::Unary(UNARY[usize::from(*a) % UNARY.len()], of(*b)),
            2 | 3 => Inst::Binary(BINARY[usize::from(*a) % BINARY.len()], of(*b), of(*c)),
            4 => Inst::Const(f32::from(*a) / 64.0 - 2.0),
            5 => Inst::Index(0),
            6 => Inst::Fma(of(*a), of(*b), of(*c)),
            _ => Inst::Select(of(*a), of(*b), of(*c)),
        });
    }
    all
}

/// A row of `depth` elements times a weight of `columns` columns in panels, into columns from `first` on.
fn product(
    row: u32,
    weight: u32,
    to: u32,
    depth: usize,
    columns: usize,
    first: usize,
    add: bool,
) -> Vec<Nest> {
    let (panels, rest) = (columns / PANEL, columns % PANEL);
    let all = [([panels, PANEL, depth], 0), ([1, rest, depth], panels)];
    let nest = |([panels, width, depth], panel): ([usize; 3], usize)| {
        Nest::contract(
            vec![panels, width, depth],
            at(row, 0, &[0, 0, 1]),
            at(weight, panel * depth * PANEL, &[depth * PANEL, 1, PANEL]),
            at(to, first + panel * PANEL, &[PANEL, 1]),
            add,
        )
    };
    all.into_iter().filter(|(extents, _)| !extents.contains(&0)).map(nest).collect()
}

/// Two products for gates of so many units, and what is done with the gates: of each but the last, here or in a second
/// nest, and in place of the first. `further` columns are not read.
fn gates(gates: usize, units: usize, depth: [usize; 2], further: usize, apart: bool, add: bool) -> Program {
    let columns = gates * units + further;
    let mut nests = product(0, 1, 4, depth[0], columns, 0, add);
    nests.extend(product(2, 3, 4, depth[1], columns - further, 0, true));
    let nest = |gates: std::ops::Range<usize>, to: u32| {
        let count = gates.len();
        let mut insts: Vec<Inst> = gates.clone().map(|g| Inst::Load(at(4, g * units, &[1]))).collect();
        insts.push(Inst::Load(at(5, 0, &[1])));
        insts.push(Inst::Load(at(8, 1, &[0])));
        for g in 0..count {
            let known = insts.len();
            insts.push(Inst::Binary(Binary::Add, v(g), v(if g == 0 { count } else { known - 1 })));
            insts.push(Inst::Unary(Unary::Tanh, v(known)));
        }
        insts.push(Inst::Binary(Binary::Mul, v(insts.len() - 1), v(count + 1)));
        let last = insts.len() - 1;
        let effects = vec![store(to, 0, &[1], last), store(4, gates.start * units, &[1], last - 1)];
        Nest { extents: vec![units], insts, effects }
    };
    if apart && gates > 1 {
        nests.extend([nest(0..gates - 1, 6), nest(gates - 1..gates, 7)]);
    } else {
        nests.push(nest(0..gates, 6));
    }
    let weight = |depth: usize| columns.div_ceil(PANEL) * PANEL * depth;
    let widths = [depth[0], weight(depth[0]), depth[1], weight(depth[1]), columns, units, units, units, 2];
    program(&widths, &[1, 3, 5, 8], 0, nests)
}

#[test]
fn gates_of_all_counts_and_units() {
    for n in (1..=40).chain([48, 50, 63, 64, 65, 100, 128]) {
        for count in [1, 2, 3, 4, 7] {
            same_bits(&gates(count, n, [3, 5], 0, false, false), 2, &values(n as u32));
        }
    }
    // More than stays in the first cache, where rows take turns.
    same_bits(&gates(4, 64, [40, 20], 0, false, false), 5, &values(1));
    same_bits(&gates(3, 80, [70, 70], 0, true, true), 5, &values(2));
}

#[test]
fn a_nest_that_reads_columns_of_other_units_comes_after_all_products() {
    let mut nests = product(0, 1, 4, 6, 40, 0, false);
    let insts = vec![Inst::Load(at(4, 3, &[1])), Inst::Load(at(4, 0, &[1])), Inst::Load(at(4, 39, &[0]))];
    let mut all = insts.clone();
    all.push(Inst::Fma(v(0), v(1), v(2)));
    nests.push(Nest { extents: vec![33], insts: all, effects: vec![store(5, 0, &[1], 3)] });
    // And a product of what a nest has made of its own row.
    nests.extend(product(5, 1, 4, 6, 40, 0, true));
    nests.push(Nest {
        extents: vec![40],
        insts: vec![insts[1].clone()],
        effects: vec![store(0, 0, &[1], 0)],
    });
    same_bits(&program(&[40, 6 * PANEL, 1, 1, 40, 40], &[1], 0, nests), 3, &values(3));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_gates_have_the_same_bits(
        count in 1usize..6,
        units in 1usize..=90,
        depth in [1usize..30, 1usize..30],
        further in 0usize..40,
        apart in any::<bool>(),
        add in any::<bool>(),
        rows in 1usize..4,
        seed in any::<u32>(),
    ) {
        same_bits(&gates(count, units, depth, further, apart, add), rows, &values(seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_kernels_have_the_same_bits(
        raw in prop::collection::vec(any::<(u8, u8, u8, u8)>(), 1..50),
        n in 1usize..=40,
        rows in 1usize..4,
        seed in any::<u32>(),
    ) {
        let insts = insts(&raw);
        let last = insts.len() - 1;
        let effects = vec![
            store(0, 0, &[1], last),
            Effect::Add { access: at(4, 0, &[1]), value: v(last / 2) },
            store(5, 0, &[1], last / 3),
        ];
        let nest = Nest { extents: vec![n], insts, effects };
        same_bits(&program(&[n, n, 1, 2 * n, n, n], &[2, 4], 0, vec![nest]), rows, &values(seed));
    }
}

const FOLDS: [ReduceOp; 4] = [ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min];

#[test]
fn folds_of_a_row_at_every_length_up_to_nine_vectors_and_what_later_nests_make_of_them() {
    for n in (1..=48).chain([63, 64, 65, 79, 80, 96, 127, 128, 129, 144, 200, 650]) {
        // All results of one pass, and of the second one more that needs the first.
        let first = Nest {
            extents: vec![n],
            insts: vec![Inst::Load(at(0, 0, &[1])), Inst::Load(at(1, 0, &[1])), Inst::Fma(v(0), v(1), v(0))],
            effects: (0..8)
                .map(|i| Effect::Reduce {
                    fold: FOLDS[i % 4],
                    value: v(2 * (i / 4)),
                    into: ScalarId(i as u32),
                })
                .collect(),
        };
        let mean = Nest {
            extents: vec![],
            insts: vec![
                Inst::Scalar(ScalarId(0)),
                Inst::Const(n as f32),
                Inst::Binary(Binary::Div, v(0), v(1)),
            ],
            effects: vec![Effect::Set { value: v(2), into: ScalarId(8) }],
        };
        let second = Nest {
            extents: vec![n],
            insts: vec![
                Inst::Load(at(0, 0, &[1])),
                Inst::Scalar(ScalarId(8)),
                Inst::Binary(Binary::Sub, v(0), v(1)),
                Inst::Binary(Binary::Mul, v(2), v(2)),
            ],
            effects: vec![
                store(2, 0, &[1], 2),
                Effect::Reduce { fold: ReduceOp::Sum, value: v(3), into: ScalarId(9) },
            ],
        };
        let write = Nest {
            extents: vec![],
            insts: (0..10).map(|i| Inst::Scalar(ScalarId(i))).collect(),
            effects: (0..10).map(|i| store(3, i, &[], i)).collect(),
        };
        let p = program(&[n, n, n, 10], &[], 10, vec![first, mean, second, write]);
        same_bits(&p, 3, &values(n as u32));
        same_bits(&p, 4, &|i| (i as f32 * 0.37).sin());
    }
}

#[test]
fn folds_over_more_axes_than_one() {
    for n in [0, 1, 2, 5, 16, 17, 31, 64, 70, 130] {
        for (m, fold) in [(1, ReduceOp::Sum), (3, ReduceOp::Max), (4, ReduceOp::Prod), (7, ReduceOp::Min)] {
            // Memory between the rows of an axis, so that they do not become one axis.
            let load = Inst::Load(at(0, 1, &[n + 3, 1]));
            let inner = |add, arg| Effect::ReduceInner { fold, value: v(0), access: at(arg, 1, &[2]), add };
            let nest = Nest {
                extents: vec![m, n],
                insts: vec![load, Inst::Index(1), Inst::Binary(Binary::Add, v(0), v(1))],
                effects: vec![
                    inner(false, 1),
                    inner(true, 2),
                    Effect::Reduce { fold, value: v(2), into: ScalarId(0) },
                    Effect::Reduce { fold: ReduceOp::Sum, value: v(0), into: ScalarId(1) },
                    Effect::Add { access: at(3, 0, &[1, 0]), value: v(2) },
                    // One place for all.
                    Effect::Add { access: at(4, 2, &[0, 0]), value: v(0) },
                ],
            };
            let write = Nest {
                extents: vec![],
                insts: vec![Inst::Scalar(ScalarId(0)), Inst::Scalar(ScalarId(1))],
                effects: vec![store(4, 0, &[], 0), store(4, 1, &[], 1)],
            };
            let p = program(&[m * (n + 3) + 1, 2 * m + 1, 2 * m + 1, m, 3], &[2], 2, vec![nest, write]);
            same_bits(&p, 3, &values((n + m) as u32));
            same_bits(&p, 2, &|i| (i as f32 * 0.11).cos());
        }
    }
}

#[test]
fn a_quotient_by_one_number_of_a_row_is_a_quotient() {
    let specials = [0.0, -0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, f32::MAX];
    let mut numbers = specials.to_vec();
    numbers.extend([8.0e37, -8.6e37, 1.7e38, 3e-38, 1e-20, -3.0, 7.0, 1e20, 650.0, 0.1, 65536.0]);
    let n = numbers.len();
    for constant in [None, Some(650.0), Some(-0.125), Some(3e38)] {
        let divisor = constant.map_or(Inst::Load(at(1, 0, &[0])), Inst::Const);
        let insts = vec![Inst::Load(at(0, 0, &[1])), divisor, Inst::Binary(Binary::Div, v(0), v(1))];
        let nest = Nest { extents: vec![n], insts, effects: vec![store(2, 0, &[1], 2)] };
        let p = program(&[n, 1, n], &[], 0, vec![nest]);
        for s in &numbers {
            let value = |i: usize| if i == n { *s } else { numbers[i % numbers.len()] };
            same_bits(&p, 1, &value);
            let found = &run(&p, false, 1, &value)[2];
            for (x, found) in numbers.iter().zip(found) {
                let (exact, found) = (x / constant.unwrap_or(*s), f32::from_bits(*found));
                let is_small = found.abs().max(exact.abs()) <= f32::MIN_POSITIVE;
                let is_same = found == exact || found.is_nan() && exact.is_nan();
                assert!(is_same || is_small, "{x:e} / {s:e} = {exact:e}, found {found:e}");
            }
        }
    }
}

#[test]
fn a_fold_adds_in_the_order_that_is_defined() {
    for n in [1, 3, 17, 64, 65, 100, 250] {
        let nest = Nest {
            extents: vec![n],
            insts: vec![Inst::Load(at(0, 0, &[1]))],
            effects: vec![Effect::ReduceInner {
                fold: ReduceOp::Sum,
                value: v(0),
                access: at(1, 0, &[]),
                add: false,
            }],
        };
        let value = |i: usize| (i as f32 * 0.7).sin() * 1e3;
        let mut lanes = vec![0f32; order::LANES];
        (0..n).for_each(|i| lanes[i % order::LANES] += value(i));
        while lanes.len() > 1 {
            let half = lanes.len() / 2;
            lanes = (0..half).map(|i| lanes[i] + lanes[i + half]).collect();
        }
        let p = program(&[n, 1], &[], 0, vec![nest]);
        for narrow in [true, false] {
            assert_eq!(run(&p, narrow, 1, &value)[1], [lanes[0].to_bits()], "{n}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_kernels_with_folds_have_the_same_bits(
        raw in prop::collection::vec(any::<(u8, u8, u8, u8)>(), 1..40),
        folds in prop::collection::vec(any::<(u8, u8)>(), 1..7),
        n in 1usize..=150,
        rows in 1usize..4,
        seed in any::<u32>(),
    ) {
        let insts = insts(&raw);
        let last = insts.len() - 1;
        let mut effects = vec![store(0, 0, &[1], last), Effect::Add { access: at(4, 0, &[1]), value: v(last / 2) }];
        effects.extend(folds.iter().enumerate().map(|(i, (fold, value))| Effect::Reduce {
            fold: FOLDS[usize::from(*fold) % 4],
            value: v(usize::from(*value) % (last + 1)),
            into: ScalarId(i as u32),
        }));
        let count = folds.len();
        let after = Nest {
            extents: vec![n],
            insts: (0..count)
                .map(|i| Inst::Scalar(ScalarId(i as u32)))
                .chain([Inst::Load(at(0, 0, &[1])), Inst::Binary(Binary::Sub, v(count), v(count / 2))])
                .collect(),
            effects: (0..count)
                .map(|i| store(5, i * n, &[1], i))
                .chain([store(0, 0, &[1], count + 1)])
                .collect(),
        };
        let nests = vec![Nest { extents: vec![n], insts, effects }, after];
        let p = program(&[n, n, 1, 2 * n, n, count * n], &[2, 4], count as u32, nests);
        same_bits(&p, rows, &values(seed));
    }
}
