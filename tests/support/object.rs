//! C programs around objects: they read numbers, call the functions, and write what comes out.

use rnnc::eqn::build::build;
use rnnc::eqn::{Graph, Ty};
use rnnc::limits::Limits;
use rnnc::loops::{Elem, InputKind};
use rnnc::object::interface::{Kind, Port};
use rnnc::object::{Interface, Level, Object, Options, Platform, header};
use rnnc::pipeline::objects::{Functions, object};
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::resolve::load;
use rnnc::runtime::Workspace;
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Write as _;
use std::process::{Command, Stdio};

pub const ALL: Functions = Functions { step: true, run: true, grad: true };

/// A compiler for a machine, and what runs its programs.
#[derive(Clone, Copy)]
pub struct Tools {
    pub target: &'static str,
    pub compiler: &'static str,
    /// The emulator with its options.
    pub runner: &'static [&'static str],
}

pub const HOST: Tools = Tools { target: "host", compiler: "gcc", runner: &[] };
pub const AARCH64: Tools =
    Tools { target: "aarch64-linux", compiler: "aarch64-linux-gnu-gcc", runner: &["qemu-aarch64"] };
pub const RISCV64: Tools = Tools {
    target: "riscv64-linux",
    compiler: "riscv64-linux-gnu-gcc",
    runner: &["qemu-riscv64", "-cpu", "rv64,v=true,vlen=128"],
};

impl Tools {
    /// Whether they are installed; if not, that is said.
    pub fn are_here(&self) -> bool {
        let has = |tool: &&str| Command::new(tool).arg("--version").output().is_ok();
        let missing: Vec<&str> =
            [self.compiler].into_iter().chain(self.runner.first().copied()).filter(|t| !has(t)).collect();
        if !missing.is_empty() {
            eprintln!("skipped: {} is not installed", missing.join(", "));
        }
        missing.is_empty()
    }
}

pub type Weights = BTreeMap<String, Vec<f32>>;

pub fn made(graph: &Graph, functions: Functions, target: &str, weights: Option<&Weights>) -> Object {
    made_for(graph, functions, target, weights, &[])
}

pub fn made_for(
    graph: &Graph,
    functions: Functions,
    target: &str,
    weights: Option<&Weights>,
    levels: &[Level],
) -> Object {
    let platform = Platform::named(target).unwrap();
    let options = Options { name: "cell", platform, levels, weights, limits: Limits::DEFAULT };
    object(graph, functions, &options).unwrap_or_else(|e| panic!("{}: {e:#?}", graph.name))
}

struct Text(String);

impl Loader for Text {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

/// A cell of a file's text.
pub fn from_text(text: &str, recipe: &str) -> Graph {
    let mut sources = Sources::default();
    let (library, _) = load(&mut sources, &Text(text.into()), &["cells.rnn".into()]);
    let id = sources.add("recipe", recipe);
    let (graph, wrong) = build(&library, &parse_recipe(&sources, id).unwrap(), &Default::default());
    graph.unwrap_or_else(|| panic!("{wrong:#?}"))
}

/// A run of a whole sequence in this process, with numbers of its own making.
pub struct Reference {
    ws: Workspace,
    steps: usize,
}

impl Reference {
    pub fn new(graph: &Graph, steps: usize, with_gradients: bool) -> Reference {
        Reference::with(graph, steps, with_gradients, &BTreeMap::new())
    }

    /// With these inputs.
    pub fn with(
        graph: &Graph,
        steps: usize,
        with_gradients: bool,
        inputs: &BTreeMap<&str, Vec<f32>>,
    ) -> Reference {
        let grad = with_gradients.then(rnnc::grad::Options::default);
        let exe = compile(graph, &BTreeMap::new(), &CompileOptions { grad, ..Default::default() }).unwrap();
        let mut ws = Workspace::new(&exe).unwrap();
        let program = exe.program();
        let open = program.domains.iter().filter(|d| d.fixed().is_none() && !d.is_indexed());
        let extents: BTreeMap<String, usize> = open.map(|d| (d.extent.to_string(), steps)).collect();
        ws.resize_to(1, &extents, &BTreeMap::new()).unwrap();
        for input in &program.inputs {
            let shape = ws.input_shape(&input.name).unwrap();
            let count: usize = shape.iter().product();
            if let Some(values) = inputs.get(&*input.name) {
                ws.set_input(&input.name, values).unwrap();
                continue;
            }
            // Rows of a matrix as large as those of trained cells.
            let columns = if shape.len() > 1 { shape[shape.len() - 1].max(16) as f32 } else { 16.0 };
            let is_param = matches!(input.kind, InputKind::Param(_));
            let scale = if is_param { 3.6 / columns.sqrt() } else { 2.0 };
            let source = graph.sources.iter().find(|s| s.name == input.name);
            let is_bool = source.is_some_and(|s| s.ty == Ty::Bool);
            match input.symbols {
                Some(symbols) => {
                    let ids: Vec<i32> = (0..count).map(|i| (i * 7 % symbols) as i32).collect();
                    ws.set_ids(&input.name, &ids).unwrap();
                }
                // Initial values stay as declared.
                None if matches!(input.kind, InputKind::Initial { .. }) => {}
                None => {
                    let one = |i: usize| {
                        let x = super::chain::number(&input.name, i, scale);
                        if is_bool { f32::from(x > 0.0) } else { x }
                    };
                    ws.set_input(&input.name, &(0..count).map(one).collect::<Vec<_>>()).unwrap();
                }
            }
        }
        ws.run().unwrap();
        Reference { ws, steps }
    }

    pub fn params(&self) -> BTreeMap<String, Vec<f32>> {
        self.ws.params().map(|name| (name.to_string(), self.ws.param(name).unwrap().to_vec())).collect()
    }

    pub fn input(&self, name: &str) -> Vec<f32> {
        self.ws.input(name).unwrap().unwrap()
    }

    pub fn output(&self, name: &str) -> Vec<f32> {
        self.ws.output(name).unwrap()
    }

    /// The shape of an array that goes in.
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.ws.input_shape(name).unwrap()
    }
}

/// What a program reads and what it must write.
struct Script {
    text: String,
    given: Vec<f32>,
    wanted: Vec<(String, Vec<f32>)>,
}

impl Script {
    fn read(&mut self, ident: &str, elem: Elem, values: Vec<f32>) {
        let (ty, get) = if elem == Elem::I32 { ("int32_t", "ids") } else { ("float", "get") };
        let _ = writeln!(self.text, "  const {ty} *{ident} = {get}({});", values.len());
        self.given.extend(values);
    }

    fn want(&mut self, what: &str, ident: &str, elem: Elem, values: Vec<f32>) {
        let put = if elem == Elem::I32 { "put_ids" } else { "put" };
        let _ = writeln!(self.text, "  {put}({ident}, {});", values.len());
        self.wanted.push((what.to_string(), values));
    }
}

const BEGIN: &str = r#"#include "cell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static float *room(size_t n) { float *p = malloc(4 * n + 4); if (!p) exit(2); return p; }
static float *get(size_t n) { float *p = room(n); if (fread(p, 4, n, stdin) != n) exit(3); return p; }
static void put(const float *p, size_t n) { if (fwrite(p, 4, n, stdout) != n) exit(4); }
static inline int32_t *ids(size_t n) {
  float *p = get(n); int32_t *q = (int32_t *)room(n);
  for (size_t i = 0; i < n; i++) q[i] = (int32_t)p[i];
  return q;
}
static inline void put_ids(const int32_t *p, size_t n) {
  for (size_t i = 0; i < n; i++) { float x = (float)p[i]; put(&x, 1); }
}
"#;

/// The program for all that an object has. `plain`, `joint`: runs without and with gradients.
fn script(i: &Interface, plain: &Reference, joint: &Reference) -> Script {
    let mut s = Script { text: BEGIN.to_string(), given: Vec::new(), wanted: Vec::new() };
    let _ = writeln!(s.text, "int main(void) {{");
    let weights = if i.inside { "" } else { "weights, " };
    if !i.inside {
        let _ = writeln!(
            s.text,
            "  cell_weights *weights = aligned_alloc(16, sizeof(cell_weights));\n  \
             if (!weights || fread(&weights->params, 4, CELL_PARAMS, stdin) != CELL_PARAMS) return 5;\n  \
             cell_prepare(weights);"
        );
        for param in &i.params {
            s.given
                .extend(plain.ws.param(&param.name).map(<[f32]>::to_vec).unwrap_or(vec![0.0; param.width()]));
        }
    }
    let list = |ports: &[String]| ports.iter().map(|p| format!(", {p}")).collect::<String>();
    if let Some(stream) = &i.stream {
        let _ = writeln!(s.text, "  {{");
        for p in stream.init.iter().chain(&stream.inputs) {
            s.read(&p.ident, p.elem, plain.input(&p.name));
        }
        let init: Vec<String> = stream.init.iter().map(|p| p.ident.clone()).collect();
        let comma = weights.trim_end_matches(", ");
        let comma = if comma.is_empty() { String::new() } else { format!(", {comma}") };
        let _ = writeln!(
            s.text,
            "  static cell_state state;\n  memset(&state, 255, sizeof state);\n  cell_init(&state{comma}{});",
            list(&init)
        );
        let row = |p: &Port| format!("{} + t * {}", p.ident, p.width());
        for p in &stream.outputs {
            let ty = if p.elem == Elem::I32 { "int32_t" } else { "float" };
            let _ = writeln!(s.text, "  {ty} *{} = ({ty} *)room({});", p.ident, p.width() * plain.steps);
        }
        let rows: Vec<String> = stream.inputs.iter().chain(&stream.outputs).map(row).collect();
        let _ = writeln!(
            s.text,
            "  for (size_t t = 0; t < {}; t++) cell_step(&state{comma}{});",
            plain.steps,
            list(&rows)
        );
        for p in &stream.outputs {
            s.want(&format!("step {}", p.name), &p.ident, p.elem, plain.ws.output(&p.name).unwrap());
        }
        let _ = writeln!(s.text, "  }}");
    }
    for run in &i.runs {
        let (word, of) = match run.kind {
            Kind::Run => ("run", plain),
            Kind::Grad => ("grad", joint),
        };
        let _ = writeln!(s.text, "  {{\n  cell_{word}_in in = {{0}};\n  cell_{word}_out out = {{0}};");
        for p in &run.inputs {
            s.read(&format!("in_{}", p.ident), p.elem, of.input(&p.name));
            let _ = writeln!(s.text, "  in.{0} = in_{0};", p.ident);
        }
        for p in &run.outputs {
            let count = of.ws.output(&p.name).unwrap().len();
            let ty = if p.elem == Elem::I32 { "int32_t" } else { "float" };
            let _ = writeln!(s.text, "  out.{} = ({ty} *)room({count});", p.ident);
        }
        if run.params_adj {
            let _ = writeln!(s.text, "  out.params_adj = aligned_alloc(16, sizeof(cell_params));");
        }
        let steps: Vec<String> = run.extents.iter().map(|_| of.steps.to_string()).collect();
        let upper = word.to_uppercase();
        let size = if steps.is_empty() { String::new() } else { format!("({})", steps.join(", ")) };
        let counts: String = steps.iter().map(|n| format!("{n}, ")).collect();
        let _ = writeln!(
            s.text,
            "  float *work = room(CELL_{upper}_WORK{size});\n  \
             memset(work, 255, 4 * CELL_{upper}_WORK{size});\n  \
             cell_{word}({weights}{counts}&in, &out, work);"
        );
        for p in &run.outputs {
            let ident = format!("out.{}", p.ident);
            s.want(&format!("{word} {}", p.name), &ident, p.elem, of.ws.output(&p.name).unwrap());
        }
        if run.params_adj {
            for p in &i.params {
                let name = format!("{}_adj", p.name);
                let wanted = of.ws.output(&name).unwrap_or(vec![0.0; p.width()]);
                s.want(&format!("{word} {name}"), &format!("out.params_adj->{}", p.ident), Elem::F32, wanted);
            }
        }
        let _ = writeln!(s.text, "  }}");
    }
    let _ = writeln!(s.text, "  return 0;\n}}");
    s
}

/// An output with its numbers as a C program writes them, and as a run in this process has them.
pub type Pair = (String, Vec<f32>, Vec<f32>);

/// Compiles and runs.
pub fn pairs(object: &Object, tools: Tools, plain: &Reference, joint: &Reference, title: &str) -> Vec<Pair> {
    let s = script(&object.interface, plain, joint);
    let mut found = outcome(object, &s.text, &s.given, tools, title);
    let mut all = Vec::new();
    for (what, wanted) in s.wanted {
        assert!(found.len() >= wanted.len(), "{title}: {what}");
        let rest = found.split_off(wanted.len());
        all.push((what, std::mem::replace(&mut found, rest), wanted));
    }
    assert!(found.is_empty(), "{title}");
    all
}

/// Compiles and runs; what comes out must be what the runs in this process gave.
pub fn compare(graph: &Graph, object: &Object, tools: Tools, steps: usize, inside: bool) {
    let grad = object.interface.runs.iter().any(|r| r.kind == Kind::Grad);
    let plain = Reference::new(graph, steps, false);
    let joint = if grad { Some(Reference::new(graph, steps, true)) } else { None };
    assert_eq!(object.interface.inside, inside || object.interface.params.is_empty());
    for (what, found, wanted) in pairs(object, tools, &plain, joint.as_ref().unwrap_or(&plain), &graph.name) {
        // Gradients are sums over all steps: what counts is their size as a whole.
        let most = wanted.iter().fold(1.0f32, |m, x| m.max(x.abs()));
        for (k, (x, y)) in found.iter().zip(&wanted).enumerate() {
            let near = (x - y).abs() <= 1e-6 * most || (x.is_nan() && y.is_nan()) || x == y;
            assert!(near, "{} on {}: {what}[{k}] is {x}, not {y}", graph.name, tools.target);
        }
    }
}

/// The floats that a C program with this object writes.
pub fn outcome(object: &Object, text: &str, given: &[f32], tools: Tools, title: &str) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("cell.o"), &object.bytes).unwrap();
    std::fs::write(at("cell.h"), header::c(&object.interface)).unwrap();
    std::fs::write(at("main.c"), text).unwrap();
    let mut compiler = Command::new(tools.compiler);
    compiler.args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-o", "main"]);
    if !tools.runner.is_empty() {
        compiler.arg("-static");
    }
    run(compiler.args(["main.c", "cell.o"]).current_dir(folder.path()), &[], title);
    let bytes = bytes(given);
    let mut command = match tools.runner {
        [] => Command::new(at("main")),
        [emulator, options @ ..] => {
            let mut command = Command::new(emulator);
            command.args(options).arg(at("main"));
            command
        }
    };
    let out = run(&mut command, &bytes, title);
    floats(&out)
}

/// What a command writes that reads this.
pub fn run(command: &mut Command, input: &[u8], title: &str) -> Vec<u8> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{title}: {command:?}: {:?}\n{said}", output.status);
    output.stdout
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

pub fn bytes(floats: &[f32]) -> Vec<u8> {
    floats.iter().flat_map(|x| x.to_le_bytes()).collect()
}
