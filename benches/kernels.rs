//! The kernels of a cell, forward and backward: 512-bit vectors against 128-bit ones, by turns.
//!
//! `cargo bench --bench kernels [-- FILE RECIPE]`; pin it to one core (`taskset -c 1`) on a busy machine. Each kernel
//! runs alone, on as many rows as one step of a batch has and on those of a whole training call. Means of the time on a
//! core.

use rnnc::codegen::How;
use rnnc::codegen::reach::spans;
use rnnc::eqn::build::{Options, build};
use rnnc::grad;
use rnnc::loops::*;
use rnnc::pipeline::{CompileOptions, program};
use rnnc::resolve::load;
use rnnc::runtime::{Executable, Workspace};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;
use std::time::Instant;

struct Files;

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|e| e.to_string())
    }
}

const TURNS: usize = 8;

/// In one turn: systems tell the time of a thread in milliseconds only.
const CALLED_ROWS: usize = 19_200;

/// What this thread has had of a core, where the system tells; else what passed since `begin`.
fn seconds(begin: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| begin.elapsed().as_secs_f64(), |n| n / 1e9)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|w| !w.starts_with('-')).collect();
    let [file, recipe] = [("stdlib/lstm.rnn", 0), ("LSTM(256, 256)", 1)]
        .map(|(default, i)| words.get(i).cloned().unwrap_or_else(|| default.to_owned()));
    let mut sources = Sources::default();
    let (library, _) = load(&mut sources, &Files, &[file]);
    let id = sources.add("recipe", recipe.as_str());
    let parsed = parse_recipe(&sources, id).expect("a recipe");
    let graph = build(&library, &parsed, &Options::default()).0.expect("a cell");
    let options = CompileOptions { grad: Some(grad::Options::default()), ..CompileOptions::default() };
    let kernels = program(&graph, &Default::default(), &options).expect("a program").kernels;
    let begin = Instant::now();
    println!("{:<46} {:>6} {:>10} {:>10} {:>7}", recipe, "rows", "narrow µs", "wide µs", "ratio");
    for kernel in kernels {
        for rows in [32, 3200] {
            let Some(mut cases) = [true, false]
                .map(|narrow| case(&kernel, rows, narrow))
                .into_iter()
                .collect::<Option<Vec<_>>>()
            else {
                println!("{:<46} chooses rows by ids", kernel.name);
                break;
            };
            let mut times = [0.0; 2];
            for _ in 0..TURNS {
                for (ws, time) in cases.iter_mut().zip(&mut times) {
                    let start = seconds(begin);
                    (0..CALLED_ROWS / rows).for_each(|_| ws.run().expect("all is given"));
                    *time += seconds(begin) - start;
                }
            }
            let [narrow, wide] = times.map(|time| time / (TURNS * (CALLED_ROWS / rows)) as f64 * 1e6);
            let name: String = kernel.name.chars().take(46).collect();
            println!("{name:<46} {rows:>6} {narrow:>10.1} {wide:>10.1} {:>7.2}", narrow / wide);
        }
    }
}

/// The kernel alone, each argument in a buffer of its own.
fn case(kernel: &Kernel, rows: usize, narrow: bool) -> Option<Workspace> {
    let moves = |i: &Inst| matches!(i, Inst::LoadAt { .. });
    let adds = |e: &Effect| matches!(e, Effect::AddAt { .. });
    if kernel.nests.iter().any(|n| n.insts.iter().any(moves) || n.effects.iter().any(adds)) {
        return None;
    }
    let spans = spans(kernel, &vec![0; kernel.args.len()])?;
    let mut p = Program { kernels: vec![kernel.clone()], ..Program::default() };
    let mut args = Vec::new();
    for (i, (arg, span)) in p.kernels[0].args.iter().zip(spans).enumerate() {
        let place = if arg.row_stride == 0 { Place::Shared } else { Place::Example };
        let (name, width) = (format!("a{i}"), arg.row_stride.max(span).max(1));
        p.buffers.push(Buffer { name: name.clone(), place, width, elem: arg.elem });
        let at = Operand { buffer: BufferId(i as u32), column: 0, lag: 0 };
        let symbols = (arg.elem == Elem::I32).then_some(1);
        let kind = InputKind::Given;
        p.inputs.push(Input { name: name.into(), kind, at, shape: vec![width], symbols });
        args.push(Arg::Rows(at));
    }
    p.stages = vec![Stage::Map { kernel: KernelId(0), over: Place::Example, args }];
    let exe = Executable::compiled_as(p, How { narrow, ..How::default() }).expect("code");
    let mut ws = Workspace::new(&exe).expect("a workspace");
    ws.resize(rows, &BTreeMap::new()).expect("memory");
    for b in &exe.program().buffers {
        let count = b.width * if b.place == Place::Shared { 1 } else { rows };
        match b.elem {
            Elem::F32 => {
                let all: Vec<f32> = (0..count).map(|i| (i as f32 * 0.731).sin() * 0.9).collect();
                ws.set_input(&b.name, &all).expect("an input");
            }
            Elem::I32 => ws.set_ids(&b.name, &vec![0; count]).expect("an input"),
        }
    }
    Some(ws)
}
