//! The runtime on programs written by hand, compared with the same equations computed here.

use ndarray::{Array3, ArrayD, IxDyn};
use rnnc::eqn::eval::Batch;
use rnnc::eqn::{Binary, DomainId, DomainKind, Init, ParamInfo, Point, Scalar, StateId, Unary};
use rnnc::loops::*;
use rnnc::runtime::{Executable, Workspace, run_batch};
use std::collections::BTreeMap;
use std::sync::Arc;

const N: DomainId = DomainId(0);
const OVER: Place = Place::Over { domain: N, before: 0, after: 0 };

fn buffer(name: &str, place: Place, width: usize) -> Buffer {
    Buffer { name: name.into(), place, width, elem: Elem::F32 }
}

fn at(buffer: u32) -> Operand {
    Operand { buffer: BufferId(buffer), column: 0, lag: 0 }
}

fn lag(buffer: u32, lag: i32) -> Operand {
    Operand { lag, ..at(buffer) }
}

fn arg(row_stride: usize, written: bool) -> KernelArg {
    KernelArg { row_stride, elem: Elem::F32, written }
}

fn access(arg: u32, strides: &[usize]) -> Access {
    Access { arg: ArgId(arg), offset: 0, strides: strides.to_vec() }
}

fn input(name: &str, kind: InputKind, buffer: u32, shape: &[usize]) -> Input {
    Input { name: name.into(), kind, at: at(buffer), shape: shape.to_vec(), symbols: None }
}

fn output(name: &str, buffer: u32, shape: &[usize]) -> Output {
    Output { name: name.into(), at: at(buffer), shape: shape.to_vec() }
}

fn param() -> InputKind {
    InputKind::Param(ParamInfo { init: Init::Value(Scalar::Num(0.0)), within: None })
}

fn chain(buffers: Vec<Buffer>) -> Program {
    Program {
        domains: vec![Domain {
            extent: "n".into(),
            var: "t".into(),
            kind: DomainKind::Chain { fixed: None },
            order: vec![],
        }],
        buffers,
        ..Program::default()
    }
}

/// `h = tanh(x + U @ h[t-1] + t)`, with `h_last` and the sum of all points `total`.
fn recurrence(h: usize) -> Program {
    let mut p = chain(vec![
        buffer("x", OVER, h),
        buffer("h", Place::Over { domain: N, before: 1, after: 0 }, h),
        buffer("h0", Place::Example, h),
        buffer("U", Place::Shared, h * h),
        buffer("z", Place::Example, h),
        buffer("h_last", Place::Example, h),
        buffer("total", Place::Shared, h),
    ]);
    let whole = WeightPart { source: at(3), rows: h, cols: h, transposed: true, k0: 0, n0: 0 };
    p.weights = vec![Weight { name: "Uᵀ".into(), k: h, n: h, parts: vec![whole] }];
    let load = |a: u32| Inst::Load(access(a, &[1]));
    p.kernels = vec![
        Kernel {
            name: "h".into(),
            args: vec![arg(h, false), arg(h, false), arg(0, false), arg(h, true)],
            scalars: 0,
            nests: vec![Nest {
                extents: vec![h],
                insts: vec![
                    load(0),
                    load(1),
                    Inst::Binary(Binary::Add, ValueId(0), ValueId(1)),
                    Inst::Load(access(2, &[0])),
                    Inst::Binary(Binary::Add, ValueId(2), ValueId(3)),
                    Inst::Unary(Unary::Tanh, ValueId(4)),
                ],
                effects: vec![Effect::Store { access: access(3, &[1]), value: ValueId(5) }],
            }],
        },
        Kernel {
            name: "total".into(),
            args: vec![arg(h, false), arg(0, true)],
            scalars: 0,
            nests: vec![Nest {
                extents: vec![h],
                insts: vec![load(0)],
                effects: vec![Effect::Add { access: access(1, &[1]), value: ValueId(0) }],
            }],
        },
    ];
    p.stages = vec![
        Stage::Boundary { state: at(1), width: h, from: at(2), distance: 1, after: false },
        Stage::Loop {
            domain: N,
            reverse: false,
            body: vec![
                Stage::Product { a: lag(1, -1), weight: WeightId(0), out: at(4), accumulate: false },
                Stage::Map {
                    kernel: KernelId(0),
                    over: OVER,
                    args: vec![Arg::Rows(at(0)), Arg::Rows(at(4)), Arg::Position(N), Arg::Rows(at(1))],
                },
            ],
        },
        Stage::Take { from: at(1), out: at(5), width: h, point: Point::Last, empty: at(2) },
        Stage::Mask { out: at(1), width: h, fill: None },
        Stage::Fill { out: at(6), width: h, value: 0.0 },
        Stage::Map { kernel: KernelId(1), over: OVER, args: vec![Arg::Rows(at(1)), Arg::Rows(at(6))] },
    ];
    p.inputs = vec![
        input("x", InputKind::Given, 0, &[h]),
        input("h0", InputKind::Initial { state: StateId(0), default: 0.5 }, 2, &[h]),
        input("U", param(), 3, &[h, h]),
    ];
    p.outputs = vec![output("h", 1, &[h]), output("h_last", 5, &[h]), output("total", 6, &[h])];
    p
}

fn wave(i: usize) -> f64 {
    f64::from(((i as f32) * 0.37).sin())
}

fn arrays(h: usize, lengths: &[usize]) -> Batch {
    let (t, b) = (lengths.iter().copied().max().unwrap(), lengths.len());
    let x = Array3::from_shape_fn((t, b, h), |(t, b, i)| wave(31 * t + 7 * b + i));
    let u = ArrayD::from_shape_fn(IxDyn(&[h, h]), |i| 0.3 * wave(5 * i[0] + i[1] + 2));
    Batch {
        size: b,
        lengths: BTreeMap::from([("n".into(), lengths.to_vec())]),
        arrays: BTreeMap::from([("x".into(), x.into_dyn()), ("U".into(), u)]),
        ..Batch::default()
    }
}

/// All `h`, `[T][B][h]`, by the definition.
fn expected(batch: &Batch, h: usize, start: f64) -> Vec<Vec<Vec<f64>>> {
    let (x, u) = (&batch.arrays["x"], &batch.arrays["U"]);
    let mut last = vec![vec![0.5; h]; batch.size];
    let mut all = Vec::new();
    for t in 0..x.shape()[0] {
        for (b, last) in last.iter_mut().enumerate() {
            let z = |i: usize| (0..h).map(|j| u[[i, j]] * last[j]).sum::<f64>();
            let next = (0..h).map(|i| (x[[t, b, i]] + z(i) + start + t as f64 + 1.0).tanh()).collect();
            *last = next;
        }
        all.push(last.clone());
    }
    all
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-5, "{a} is not {b}");
}

#[test]
fn a_recurrence_over_unequal_lengths_gives_what_its_equation_says() {
    let (h, lengths) = (5, [4, 0, 2]);
    let batch = arrays(h, &lengths);
    let exe = Executable::interpreted(recurrence(h)).unwrap();
    let found = run_batch(&exe, &batch).unwrap();
    let all = expected(&batch, h, 0.0);
    for i in 0..h {
        let mut total = 0.0;
        for (b, length) in lengths.into_iter().enumerate() {
            for (t, step) in all.iter().enumerate() {
                let there = if t < length { step[b][i] } else { 0.0 };
                close(found["h"][[t, b, i]], there);
                total += there;
            }
            let last = if length == 0 { 0.5 } else { all[length - 1][b][i] };
            close(found["h_last"][[b, i]], last);
        }
        close(found["total"][[i]], total);
    }
}

#[test]
fn a_workspace_is_reused_when_arrays_positions_and_parameters_change() {
    let (h, batch) = (3, arrays(3, &[2, 2]));
    let exe = Executable::interpreted(recurrence(h)).unwrap();
    let mut ws = Workspace::new(&exe).unwrap();
    ws.resize(2, &batch.lengths).unwrap();
    assert_eq!(ws.run().unwrap_err()[0].code, "E0701");
    rnnc::runtime::arrays::load(&mut ws, &batch).unwrap();
    ws.set_start("n", 10).unwrap();
    ws.run().unwrap();
    close(f64::from(ws.output("h").unwrap()[0]), expected(&batch, h, 10.0)[0][0][0]);

    let mut changed = batch.clone();
    changed.arrays.get_mut("U").unwrap()[[0, 0]] = -2.0;
    ws.param_mut("U").unwrap()[0] = -2.0;
    ws.set_start("n", 0).unwrap();
    ws.run().unwrap();
    close(f64::from(ws.output("h").unwrap()[0]), expected(&changed, h, 0.0)[0][0][0]);
    assert_eq!(ws.params().collect::<Vec<_>>(), ["U"]);
}

#[test]
fn wrong_arrays_are_refused_by_name() {
    let exe = Executable::interpreted(recurrence(3)).unwrap();
    let batch = arrays(3, &[2, 1]);
    let code = |batch: &Batch| run_batch(&exe, batch).unwrap_err()[0].code;
    let mut wrong = batch.clone();
    wrong.arrays.insert("x".into(), ArrayD::zeros(IxDyn(&[2, 2, 4])));
    assert_eq!(code(&wrong), "E0703");
    wrong.arrays.remove("x");
    assert_eq!(code(&wrong), "E0701");
    let mut wrong = batch.clone();
    wrong.lengths.insert("n".into(), vec![1]);
    assert_eq!(code(&wrong), "E0707");
    wrong.lengths.insert("n".into(), vec![3, 1]);
    assert_eq!(code(&wrong), "E0707");
}

#[test]
fn sizes_are_limited_before_memory_is_taken() {
    let exe = Executable::interpreted(recurrence(3)).unwrap();
    let code = |limit: u64, lengths: Vec<usize>| {
        let mut ws = Workspace::with_limit(&exe, limit).unwrap();
        let lengths = BTreeMap::from([("n".into(), lengths)]);
        ws.resize(2, &lengths).map_err(|e| e[0].code)
    };
    assert_eq!(code(10_000, vec![usize::MAX, 1]), Err("E0913"));
    assert_eq!(code(10_000, vec![1 << 24, 1]), Err("E0911"));
    assert_eq!(code(10_000, vec![100, 1]), Ok(()));
    let mut ws = Workspace::new(&exe).unwrap();
    assert_eq!(ws.resize(1, &BTreeMap::new()).unwrap_err()[0].code, "E0706");
}

#[test]
fn arrays_may_have_more_steps_than_the_longest_example() {
    let (h, batch) = (3, arrays(3, &[4, 4]));
    let exe = Executable::interpreted(recurrence(h)).unwrap();
    let mut cut = batch.clone();
    cut.lengths.insert("n".into(), vec![2, 0]);
    let (found, all) = (run_batch(&exe, &cut).unwrap(), expected(&batch, h, 0.0));
    assert_eq!(found["h"].shape(), [4, 2, h]);
    for i in 0..h {
        for (t, step) in all.iter().enumerate() {
            close(found["h"][[t, 0, i]], if t < 2 { step[0][i] } else { 0.0 });
            close(found["h"][[t, 1, i]], 0.0);
        }
        close(found["h_last"][[0, i]], all[1][0][i]);
        close(found["h_last"][[1, i]], 0.5);
        close(found["total"][[i]], all[0][0][i] + all[1][0][i]);
    }
    // Without lengths every example has all steps; of no examples there is an empty result.
    cut.lengths.clear();
    close(run_batch(&exe, &cut).unwrap()["h"][[3, 1, 0]], all[3][1][0]);
    cut.size = 0;
    cut.arrays.insert("x".into(), ArrayD::zeros(IxDyn(&[4, 0, h])));
    assert_eq!(run_batch(&exe, &cut).unwrap()["h"].shape(), [4, 0, h]);
}

#[test]
fn a_program_that_reaches_outside_its_rows_is_refused_before_it_runs() {
    let mut p = recurrence(3);
    p.kernels[0].nests[0].extents[0] = 4;
    assert_eq!(Executable::interpreted(p).unwrap_err()[0].code, "E0601");
    let mut p = recurrence(3);
    p.buffers[1].place = OVER;
    assert_eq!(Executable::interpreted(p).unwrap_err()[0].code, "E0601");
}

#[test]
fn the_chain_is_read_backwards_within_each_length_and_points_are_taken() {
    let mut p = chain(vec![
        buffer("x", OVER, 1),
        buffer("r", Place::Over { domain: N, before: 0, after: 2 }, 1),
        buffer("first", Place::Example, 1),
        buffer("third", Place::Example, 1),
        buffer("none", Place::Shared, 1),
        buffer("ahead", OVER, 1),
    ]);
    p.kernels = vec![Kernel {
        args: vec![arg(1, false), arg(1, true)],
        nests: vec![Nest {
            extents: vec![],
            insts: vec![Inst::Load(access(0, &[]))],
            effects: vec![Effect::Store { access: access(1, &[]), value: ValueId(0) }],
        }],
        ..Kernel::default()
    }];
    let take = |out, point| Stage::Take { from: at(0), out: at(out), width: 1, point, empty: at(4) };
    p.stages = vec![
        Stage::Fill { out: at(4), width: 1, value: -1.0 },
        take(2, Point::First),
        take(3, Point::Fixed(3)),
        Stage::Reverse { from: at(0), out: at(1), width: 1 },
        Stage::Boundary { state: at(1), width: 1, from: at(4), distance: 1, after: true },
        Stage::Map { kernel: KernelId(0), over: OVER, args: vec![Arg::Rows(lag(1, 2)), Arg::Rows(at(5))] },
    ];
    p.inputs = vec![input("x", InputKind::Given, 0, &[])];
    p.outputs =
        vec![output("r", 1, &[]), output("first", 2, &[]), output("third", 3, &[]), output("ahead", 5, &[])];
    let exe: Arc<Executable> = Executable::interpreted(p).unwrap();
    let mut ws = Workspace::new(&exe).unwrap();
    ws.resize(2, &BTreeMap::from([("n".into(), vec![3, 1])])).unwrap();
    ws.set_input("x", &[1.0, 4.0, 2.0, f32::NAN, 3.0, f32::NAN]).unwrap();
    ws.run().unwrap();
    assert_eq!(ws.output("r").unwrap(), [3.0, 4.0, 2.0, 0.0, 1.0, 0.0]);
    assert_eq!(ws.output("first").unwrap(), [1.0, 4.0]);
    assert_eq!(ws.output("third").unwrap(), [3.0, -1.0]);
    assert_eq!(ws.output("ahead").unwrap(), [1.0, -1.0, -1.0, 0.0, -1.0, 0.0]);
}

/// Rows of zeros are not multiplied, which must not show: not in the bits, and not where the matrix holds an infinity.
#[test]
fn zeros_times_a_matrix_are_zeros_or_nan() {
    let h = 5;
    let mut program = recurrence(h);
    let InputKind::Initial { default, .. } = &mut program.inputs[1].kind else {
        panic!("h0 is an initial state")
    };
    *default = 0.0;
    let exe = if cfg!(miri) { Executable::interpreted } else { Executable::compiled }(program).unwrap();
    let run = |batch: &Batch| {
        let native = run_batch(&exe, batch).unwrap();
        native["h"].clone()
    };
    let mut batch = arrays(h, &[3, 3]);
    let first = run(&batch);
    for (at, value) in first.indexed_iter().filter(|(at, _)| at[0] == 0) {
        let x = batch.arrays["x"][&at] + 1.0;
        assert!((value - x.tanh()).abs() < 1e-6, "{value} at {at:?}");
    }
    batch.arrays.get_mut("U").unwrap()[[2, 3]] = f64::INFINITY;
    let first = run(&batch);
    assert!(first[[0, 0, 2]].is_nan() && first[[0, 1, 2]].is_nan() && !first[[0, 0, 1]].is_nan());
}
