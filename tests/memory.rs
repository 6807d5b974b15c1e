//! What runs and trainings take of the machine's memory, as the system sees it.

mod support;

use rnnc::eqn::Graph;
use rnnc::eqn::build::{Options, build};
use rnnc::grad;
use rnnc::loops::InputKind;
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::resolve::load;
use rnnc::runtime::{Executable, Workspace};
use rnnc::schedule::cost::{self, Sizes};
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use support::cli::Place;

struct NoFiles;

impl Loader for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(String::new())
    }
}

fn training(recipe: &str) -> Arc<Executable> {
    let mut sources = Sources::default();
    let (library, _) = load(&mut sources, &NoFiles, &[]);
    let id = sources.add("recipe", recipe);
    let parsed = parse_recipe(&sources, id).expect("a recipe");
    let graph: Graph = build(&library, &parsed, &Options::default()).0.expect("a graph");
    let joint = grad::differentiate(&graph, &grad::Options::default()).expect("a gradient");
    compile(&joint, &BTreeMap::new(), &CompileOptions::default()).expect("it compiles")
}

fn sized(exe: &Arc<Executable>, steps: usize, batch: usize) -> Workspace {
    let mut workspace = Workspace::new(exe).expect("memory");
    let lengths = exe.program().domains.iter().map(|d| (d.extent.to_string(), vec![steps; batch])).collect();
    workspace.resize(batch, &lengths).expect("memory");
    for input in &exe.program().inputs {
        if !matches!(input.kind, InputKind::Initial { .. }) {
            workspace.make_input(&input.name, &|i| (i % 7) as f32 * 0.01).expect("an input");
        }
    }
    workspace
}

/// Bytes, by a line of what the system tells of a process.
fn told(process: &str, line: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let found = status.lines().find_map(|l| l.strip_prefix(line))?;
    Some(found.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0)
}

const ASKED: &str = "RNNC_TEST_A_RUN_OF";

/// The schedule states what a process takes beyond its start, within 5 %. Another process runs it, which holds nothing
/// else.
#[test]
fn a_run_takes_the_memory_that_is_stated() {
    if let Ok(asked) = std::env::var(ASKED) {
        let asked: Vec<&str> = asked.split(';').collect();
        let (steps, batch) = (asked[1].parse().expect("steps"), asked[2].parse().expect("a batch"));
        let exe = training(asked[0]);
        let before = told("self", "VmRSS").expect("resident memory");
        let mut workspace = sized(&exe, steps, batch);
        workspace.run().expect("it runs");
        let taken = told("self", "VmHWM").expect("resident memory") - before;
        println!("<{} {taken}>", cost::memory(exe.program(), Sizes { steps, batch }));
        return;
    }
    if !cfg!(target_os = "linux") {
        return;
    }
    for (recipe, steps, batch) in
        [("LSTM(256, 256)", 250, 32), ("GRU(128, 256)", 500, 32), ("MultLSTM(64, 128)", 1000, 16)]
    {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "a_run_takes_the_memory_that_is_stated", "--nocapture"])
            .env(ASKED, format!("{recipe};{steps};{batch}"))
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("two numbers").0;
        let numbers: Vec<f64> = found.split(' ').map(|n| n.parse().expect("a number")).collect();
        let (stated, taken) = (numbers[0], numbers[1]);
        assert!(stated > 1e8, "{recipe}: {stated} bytes are too few to be told apart");
        assert!((stated - taken).abs() <= 0.05 * stated, "{recipe}: stated {stated} bytes, took {taken}");
    }
}

/// Training over windows takes the memory of a window, beside the text: its bytes and a number for each character.
#[test]
fn windows_take_the_same_memory_however_long_the_text() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let model = "model Writer(V = _, H = 4) {
  in text : seq<n> of id(V)
  h = RNN(4, H)(shift(Embed(V, 4)(text), 1))
  y = Dense(H, V)(h)
  out  y
  loss cross_entropy(y, text)
  data { text = chars(\"text.txt\") }
  train { optimizer = SGD(lr = 1e-2); batch = 500; window = 50; epochs = 1; seed = 1 }
}
";
    let place = Place::new();
    let most = |bytes: usize| {
        place.write("w.rnn", model).write("text.txt", "abcab. ".repeat(bytes / 7));
        let args = ["train", "w.rnn", "--out", &format!("run{bytes}"), "--threads", "1"];
        let mut child = place.command(&args).stderr(Stdio::null()).spawn().expect("the tool runs");
        let mut most = 0.0f64;
        while child.try_wait().expect("a process").is_none() {
            most = most.max(told(&child.id().to_string(), "VmHWM").unwrap_or(0.0));
            std::thread::sleep(Duration::from_millis(2));
        }
        most
    };
    let (short, long) = (200_000, 3_000_000);
    let (less, more) = (most(short), most(long));
    let each = (more - less) / (long - short) as f64;
    assert!(less > 0.0 && each < 7.0, "{each} bytes a byte of text: {less} at {short}, {more} at {long}");
}

/// A step costs the same however many there are: the same stages, the same memory.
#[test]
fn what_a_step_costs_does_not_grow_with_their_number() {
    let exe = training("LSTM(8, 8)");
    let of = |steps: usize| {
        let mut workspace = sized(&exe, steps, 2);
        let mut stages = 0i64;
        workspace.run_watched(&mut |_| stages += 1).expect("it runs");
        (stages, workspace.bytes() as i64)
    };
    let ((s1, b1), (s2, b2), (s3, b3)) = (of(100), of(200), of(1100));
    assert_eq!(s3 - s2, 9 * (s2 - s1), "stages");
    // A buffer is a whole number of lines.
    assert!((b3 - b2 - 9 * (b2 - b1)).abs() < 4096, "bytes: {b1}, {b2}, {b3}");
}
