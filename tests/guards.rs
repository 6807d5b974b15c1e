//! Kernels and matrix products stay within their memory: every buffer, packed weight, constant and list of arguments of a
//! run ends, or begins, at a page without access, so one element too far ends the process.
//!
//! Over all recipes that the standard library and the models check, and some wide ones; forward and backward, scheduled
//! for batches (whatever is kept), for one example and for streams, with all kinds of vectors that the computer has, on one and two threads, with
//! examples of unlike lengths. Each part is done by a process of its own, which says where it is, so that a fault has a
//! name. That such a fault ends a process is tested with programs that are wrong on purpose.
#![cfg(target_os = "linux")]

mod support;

use rnnc::codegen::{How, jit};
use rnnc::eqn::{Graph, Ty, build};
use rnnc::grad;
use rnnc::limits::Limits;
use rnnc::loops::*;
use rnnc::pipeline::{CompileOptions, program};
use rnnc::resolve::Library;
use rnnc::runtime::gemm::{Isa, Packed, View, ViewMut, outer, product};
use rnnc::runtime::kernel::{Addresses, Base, Bind, Native};
use rnnc::runtime::memory::{Buf, Memory};
use rnnc::runtime::{Executable, Placement, Stream, Team, run_batch_on};
use rnnc::schedule::cost::Sizes;
use rnnc::schedule::{Expected, Keep};
use rnnc::shape::Bindings;
use rnnc::source::Sources;
use rnnc::syntax::ast::Expr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use support::recipes::{Case, checked, library, same_bits};

/// What a process started by one of these tests is to do.
const PART: &str = "RNNC_GUARDS_PART";

const GUARDS: [Placement; 2] = [Placement::GuardAfter, Placement::GuardBefore];

/// Beside what is checked: more columns than vectors and panels have.
const WIDE: [&str; 12] = [
    "RNN(3, 17)",
    "RNN(17, 65)",
    "RNN(64, 64)",
    "RNN(257, 16)",
    "GRU(20, 37, reset = after)",
    "LSTM(33, 16)",
    "LSTM(70, 90)",
    "LayerNormLSTM(5, 37)",
    "QRNN(5, 37)",
    "SRU(37)",
    "XLSTMMPlain(5, 37)",
    "Stack(2, GRU(_, 33))",
];

/// This test, in a process of its own.
fn start(test: &str, part: &str) -> Child {
    let this = std::env::current_exe().expect("this program");
    let mut command = Command::new(this);
    command.args(["--exact", test, "--nocapture"]).env(PART, part);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a process")
}

fn say(what: &str) {
    println!("\n: {what}");
}

/// What a process has said, and how it ended.
fn outcome(mut child: Child) -> (Vec<String>, ExitStatus) {
    let out: ChildStdout = child.stdout.take().expect("a pipe");
    let lines = BufReader::new(out).lines().map_while(Result::ok);
    let said = lines.filter_map(|line| line.strip_prefix(": ").map(str::to_owned)).collect();
    (said, child.wait().expect("an end"))
}

fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// What was done.
#[derive(Default)]
struct Counts {
    recipes: usize,
    programs: usize,
    buffers: usize,
    runs: usize,
    streams: usize,
}

impl Counts {
    const NAMES: [&str; 5] = ["recipes", "programs", "guarded pieces of memory", "runs", "streams"];

    fn all(&self) -> [usize; 5] {
        [self.recipes, self.programs, self.buffers, self.runs, self.streams]
    }
}

fn all<'a>(library: &'a Library, wide: &'a [(String, Expr)]) -> Vec<(String, &'a Expr)> {
    let mut all = checked(library);
    all.extend(wide.iter().map(|(name, recipe)| (name.clone(), recipe)));
    all
}

#[test]
fn no_kernel_leaves_its_memory() {
    let name = "no_kernel_leaves_its_memory";
    if let Some(part) = part() {
        let (index, count) = part.split_once('/').expect("a part of all");
        return run_part(index.parse().expect("a number"), count.parse().expect("a number"));
    }
    let processes = std::thread::available_parallelism().map_or(1, |n| n.get());
    let children: Vec<Child> = (0..processes).map(|i| start(name, &format!("{i}/{processes}"))).collect();
    let mut counts = [0; 5];
    let mut failures = String::new();
    for child in children {
        let (said, status) = outcome(child);
        let last = said.last().map_or("nothing said", String::as_str);
        match last.strip_prefix("done ") {
            Some(numbers) if status.success() => {
                for (sum, n) in counts.iter_mut().zip(numbers.split(' ')) {
                    *sum += n.parse::<usize>().expect("a number");
                }
            }
            _ => failures += &format!("{last}: {status}\n"),
        }
    }
    assert!(failures.is_empty(), "{failures}");
    for (count, name) in counts.iter().zip(Counts::NAMES) {
        println!("{count} {name}");
    }
    assert!(counts[0] > 130 && counts[4] > 40, "{counts:?}");
}

fn run_part(index: usize, count: usize) {
    let mut sources = Sources::default();
    let library = library(&mut sources, true);
    let wide = WIDE.map(|text| {
        let id = sources.add("recipe", text);
        (text.to_owned(), rnnc::syntax::parse_recipe(&sources, id).expect("a recipe"))
    });
    let mut counts = Counts::default();
    let teams = [Team::alone(), Team::eager(2)];
    for (name, recipe) in all(&library, &wide).into_iter().skip(index).step_by(count) {
        say(&name);
        if let Err(what) = run_recipe(&library, &name, recipe, &teams, &mut counts) {
            panic!("{name}: {what}");
        }
        counts.recipes += 1;
    }
    say(&format!("done {}", counts.all().map(|n| n.to_string()).join(" ")));
}

fn run_recipe(
    library: &Library,
    name: &str,
    recipe: &Expr,
    teams: &[Arc<Team>],
    counts: &mut Counts,
) -> Result<(), String> {
    let (graph, found) = build::build(library, recipe, &build::Options::default());
    let graph = graph.ok_or_else(|| format!("{found:?}"))?;
    let bindings: Bindings = graph.dims().into_iter().map(|dim| (dim, 3)).collect();
    let with_grad = Some(grad::Options::default());
    let joint = grad::differentiate(&graph, &grad::Options::default()).map_err(|e| format!("{e:?}"))?;
    let joint = Case::new(joint.bind(&bindings).map_err(|e| format!("{e:?}"))?);
    let one = Expected::Sizes(Sizes { batch: 1, steps: 5 });
    let ragged: &[usize] = &[3, 0, 4, 2, 1];
    let variants = [
        (Expected::Batches, Keep::Dear, &[ragged, &[4]][..]),
        (Expected::Batches, Keep::All, &[ragged]),
        (Expected::Batches, Keep::Least, &[ragged]),
        (one, Keep::Dear, &[&[4]]),
    ];
    for (expected, keep, orders) in variants {
        let options = CompileOptions { grad: with_grad.clone(), expected, keep, ..CompileOptions::default() };
        let program = program(&graph, &bindings, &options).map_err(|e| format!("{e:?}"))?;
        let batches: Vec<_> = orders.iter().map(|order| joint.batch(order, 1)).collect();
        for narrow in vectors() {
            let mut before = vec![None; batches.len()];
            let exe = compiled(&program, narrow)?;
            for placement in GUARDS {
                let exe = moved(&exe, placement, counts)?;
                let runs = teams
                    .iter()
                    .zip(1..)
                    .flat_map(|(t, n)| batches.iter().enumerate().map(move |b| (t, n, b)));
                for (team, threads, (i, batch)) in runs {
                    let examples = batch.size;
                    say(&format!(
                        "{name}, {expected:?}, {keep:?}, narrow: {narrow}, {placement:?}, {threads} threads, {examples} examples"
                    ));
                    let found = run_batch_on(&exe, batch, Limits::DEFAULT.memory, team)
                        .map_err(|e| format!("{e:?}"))?;
                    counts.runs += 1;
                    let before = before[i].get_or_insert_with(|| found.clone());
                    if let Some((name, values)) = before.iter().find(|(n, v)| !same_bits(v, &found[*n])) {
                        return Err(format!("`{name}` is {} instead of {values}", found[name]));
                    }
                }
            }
        }
    }
    let forward = graph.bind(&bindings).map_err(|e| format!("{e:?}"))?;
    stream(name, forward, counts)
}

/// Kinds of vectors that kernels can have here, by whether they are narrow.
fn vectors() -> impl Iterator<Item = bool> {
    [false, true].into_iter().filter(|narrow| *narrow || Isa::Avx512.is_available())
}

fn compiled(program: &Program, narrow: bool) -> Result<Arc<Executable>, String> {
    let how = How { narrow, ..How::default() };
    Executable::compiled_as(program.clone(), how).map_err(|e| format!("{e:?}"))
}

fn moved(exe: &Executable, placement: Placement, counts: &mut Counts) -> Result<Arc<Executable>, String> {
    let exe = exe.moved(placement).map_err(|e| format!("{e:?}"))?;
    let program = exe.program();
    counts.programs += 1;
    // Each kernel's constants and arguments too.
    let pieces = program.buffers.len() + 2 * program.domains.len() + program.weights.len();
    counts.buffers += pieces + 2 * program.kernels.len();
    Ok(exe)
}

/// So many steps that the window of a stream slides.
const STEPS: usize = 70;

/// The steps of what can go on step by step.
fn stream(name: &str, mut graph: Graph, counts: &mut Counts) -> Result<(), String> {
    graph.outputs.retain(|o| !o.name.ends_with("_last"));
    let options = CompileOptions { expected: Expected::Steps, ..CompileOptions::default() };
    let Ok(program) = program(&graph, &Bindings::new(), &options) else { return Ok(()) };
    let ids: Vec<&str> =
        graph.sources.iter().filter(|s| matches!(s.ty, Ty::Id(_))).map(|s| &*s.name).collect();
    for narrow in vectors() {
        let exe = compiled(&program, narrow)?;
        for placement in GUARDS {
            say(&format!("{name}, stream, narrow: {narrow}, {placement:?}"));
            let exe = moved(&exe, placement, counts)?;
            let Ok(mut stream) = Stream::new(&exe) else { return Ok(()) };
            let given = stream.prepare(|ws| {
                let missing: Vec<String> = ws.missing().map(|(name, _)| name.to_owned()).collect();
                for name in missing {
                    let count = ws.input_shape(&name)?.iter().product();
                    if ids.contains(&&*name) {
                        ws.set_ids(&name, &vec![0; count])?;
                    } else {
                        ws.set_input(&name, &vec![0.1; count])?;
                    }
                }
                Ok(())
            });
            given.map_err(|e| format!("{e:?}"))?;
            // What a step is given and gives may be the arguments of its kernel.
            let input: Vec<f32> = stream
                .inputs()
                .flat_map(|(name, width)| vec![if ids.contains(&name) { 0.0 } else { 0.3 }; width])
                .collect();
            let mut given = drawn(input.len(), placement);
            given.f32_mut().copy_from_slice(&input);
            let mut output = drawn(stream.outputs().map(|(_, width)| width).sum(), placement);
            for _ in 0..STEPS {
                stream.step(given.f32(), output.f32_mut()).map_err(|e| format!("{e:?}"))?;
            }
            counts.streams += 1;
        }
    }
    Ok(())
}

fn drawn(len: usize, placement: Placement) -> Buf {
    let mut buf = Buf::new(placement);
    buf.reset(len).expect("memory");
    buf.f32_mut().iter_mut().zip(0..).for_each(|(x, i)| *x = (i % 7) as f32 - 3.0);
    buf
}

/// Rows need the space of all but the last one's stride, and its width.
fn rows_of(rows: usize, stride: usize, width: usize, placement: Placement) -> Buf {
    drawn(if rows == 0 { 0 } else { (rows - 1) * stride + width }, placement)
}

#[test]
fn no_product_leaves_its_memory() {
    let name = "no_product_leaves_its_memory";
    if part().is_none() {
        let (said, status) = outcome(start(name, "all"));
        assert!(status.success(), "{}: {status}", said.last().map_or("nothing said", String::as_str));
        return;
    }
    let sizes = [1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 33, 48, 63, 64, 65, 70];
    let mut cases: Vec<[usize; 3]> = Vec::new();
    for (i, size) in sizes.into_iter().enumerate() {
        let (a, b) = (1 + i * 5 % 13, 1 + i * 11 % 19);
        cases.extend([[size, a, b], [a, size, b], [a, b, size]]);
    }
    cases.extend([[3, 257, 64], [199, 260, 33], [5, 7, 530], [21, 530, 70]]);
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for (placement, [rows, k, n]) in GUARDS.into_iter().flat_map(|g| cases.iter().map(move |c| (g, *c))) {
            say(&format!("{isa:?}, {placement:?}: {rows} rows, {k} by {n}"));
            for (beside, accumulate) in [(0, false), (3, true)] {
                let a = rows_of(rows, k + beside, k, placement);
                let mut w = Packed::placed(k, n, placement).expect("memory");
                w.pack_block(0, 0, drawn(k * n, placement).f32(), k, n, n, false);
                w.pack_block(0, 0, drawn(k * n, placement).f32(), k, n, k, true);
                let mut out = rows_of(rows, n + beside, n, placement);
                let view = View { data: a.f32(), stride: k + beside, width: k };
                let to = ViewMut { data: out.f32_mut(), stride: n + beside, width: n };
                product(isa, rows, view, &w, to, accumulate);
                let b = rows_of(rows, n + beside, n, placement);
                let right = View { data: b.f32(), stride: n + beside, width: n };
                let mut sum = rows_of(k, n + beside, n, placement);
                let to = ViewMut { data: sum.f32_mut(), stride: n + beside, width: n };
                outer(isa, rows, view, right, to, accumulate);
            }
        }
    }
}

/// `to = from + from`, rows of `width`.
fn double(width: usize) -> Kernel {
    let arg = |written| KernelArg { row_stride: width, elem: Elem::F32, written };
    let access = |arg| Access { arg: ArgId(arg), offset: 0, strides: vec![1] };
    let sum = Inst::Binary(rnnc::eqn::Binary::Add, ValueId(0), ValueId(0));
    Kernel {
        name: "double".into(),
        args: vec![arg(false), arg(true)],
        scalars: 0,
        nests: vec![Nest {
            extents: vec![width],
            insts: vec![Inst::Load(access(0)), sum],
            effects: vec![Effect::Store { access: access(1), value: ValueId(1) }],
        }],
    }
}

/// Runs `double` on two rows, where argument `short` has so many elements fewer than it needs, and the kernel is said to
/// need no more than are there.
fn lie(narrow: bool, short: usize, by: usize, placement: Placement) {
    let (width, rows) = (37, 2);
    let how = How { narrow, ..How::default() };
    let mut code = jit(&[double(width)], &[vec![width; 2]], how).expect("code");
    code.functions[0].spans[short].0 -= by;
    let native = Native::new(code, placement).expect("memory");
    let mut bufs = [0, 1].map(|i| drawn(rows * width - if i == short { by } else { 0 }, placement));
    let binds = [0, 1].map(|i| Bind { base: Base::Buffer(i), offset: 0, stride: width as isize });
    let mut memory = Memory::new(&mut bufs, &mut []);
    native.call(0, &binds, rows, &mut memory, &mut Addresses::new(placement));
}

/// Reads one element.
fn read(at: *const f32) {
    // SAFETY: none. This ends the process, as is to be shown.
    std::hint::black_box(unsafe { at.read_volatile() });
}

fn weight(placement: Placement) -> Packed {
    Packed::placed(3, 5, placement).expect("memory")
}

/// What is wrong (or, if it is last, right) on purpose.
type Wrong = (&'static str, fn());

const WRONG: [Wrong; 9] = [
    ("an element behind a buffer", || {
        let buf = drawn(37, Placement::GuardAfter);
        read(buf.f32().as_ptr().wrapping_add(37));
    }),
    ("an element before a buffer", || {
        let buf = drawn(37, Placement::GuardBefore);
        read(buf.f32().as_ptr().wrapping_sub(1));
    }),
    ("an element behind a weight", || {
        let weight = weight(Placement::GuardAfter);
        let all = weight.elements();
        read(all.as_ptr().wrapping_add(all.len()));
    }),
    ("an element before a weight", || {
        read(weight(Placement::GuardBefore).elements().as_ptr().wrapping_sub(1))
    }),
    ("a kernel that reads an element too many", || lie(false, 0, 1, Placement::GuardAfter)),
    ("a kernel that writes an element too many", || lie(false, 1, 1, Placement::GuardAfter)),
    ("a narrow kernel that reads an element too many", || lie(true, 0, 1, Placement::GuardAfter)),
    ("a narrow kernel that writes an element too many", || lie(true, 1, 1, Placement::GuardAfter)),
    ("nothing", || {
        for narrow in [false, true] {
            GUARDS.into_iter().for_each(|placement| lie(narrow, 0, 0, placement));
        }
    }),
];

#[test]
fn an_element_too_far_ends_the_process() {
    if let Some(part) = part() {
        let wrong = WRONG.iter().find(|(name, _)| *name == part).expect("a wrong program");
        (wrong.1)();
        return say("still there");
    }
    for (name, _) in WRONG {
        let (said, status) = outcome(start("an_element_too_far_ends_the_process", name));
        if name == "nothing" {
            assert!(status.success() && said == ["still there"], "{name}: {status}");
        } else {
            // SIGSEGV, or SIGBUS.
            assert!(matches!(status.signal(), Some(7 | 10 | 11)), "{name}: {status}, {said:?}");
        }
    }
}
