//! `rnnc bench`: how long a program takes, and where the time goes.

mod measure;

use super::compile::compile;
use super::errors;
use super::select::{Built, Selected};
use super::session::{Failure, Session, say};
use crate::diag::Fallible;
use crate::eqn::build::Options;
use crate::eqn::{Graph, Op};
use crate::grad;
use crate::pipeline::{self, CompileOptions};
use crate::shape::Bindings;
use measure::{Measured, Setup};
use std::time::Instant;

/// Measure a cell: time, GFLOP/s, and share of what one core can do
///
/// A call is one run over all steps of the batch; with --mode train forward, backward and packing of changed weights;
/// with --mode stream one step. GFLOP/s counts matrix products only: two for each multiply-add of the forward pass, and
/// three times that when training. The peak is what this core does with multiply-adds on registers alone.
///
/// Other work on the machine slows calls and peak alike, so the two are measured in turn, 20 ms of calls (or one that
/// takes longer) and then the peak for as long, and the share of the peak is a ratio of medians.
///
/// The object that --json prints has: cell, steps, batch, threads, mode; median_s and min_s, the median and the least
/// time of a call, of runs timed ones; gflops, at the median time; peak_gflops, the median of the spells;
/// share_of_peak, their ratio; compile_s; time_shares, what a call's time goes to.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc bench my.rnn --cell 'Mine(256, 256)' --mode train\n  rnnc bench my.rnn --cell 'Mine(64, 64)' --mode stream --json"
)]
pub struct Bench {
    #[command(flatten)]
    selected: Selected,
    /// Steps of each sequence
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Sequences side by side [default: 32; 1 in a stream]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// Forward, forward and backward, or one step a call
    #[arg(long, value_enum, default_value_t = Mode::Infer)]
    mode: Mode,
    /// For programs to read
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    Infer,
    Train,
    Stream,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Mode::Infer => "infer",
            Mode::Train => "train",
            Mode::Stream => "stream",
        }
    }
}

impl Bench {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        if self.threads != 1 {
            return Err(errors::one_thread(self.threads).into());
        }
        let stream = self.mode == Mode::Stream;
        let batch = self.batch.unwrap_or(if stream { 1 } else { 32 });
        if stream && batch != 1 {
            return Err(errors::one_example(batch).into());
        }
        let start = Instant::now();
        let library = self.selected.library(session)?;
        let training = self.mode == Mode::Train;
        let options = Options { training, carry: stream, ..Options::default() };
        let built = self.selected.build(session, &library, options)?;
        let graph = kept(&built);
        let open: Vec<String> = graph.dims().iter().map(ToString::to_string).collect();
        if !open.is_empty() {
            return Err(errors::open_dimensions(&open).into());
        }
        if stream {
            check_stream(&graph)?;
        }
        let exe = compile(&if training { with_gradients(&graph)? } else { graph.clone() })?;
        let compile_s = start.elapsed().as_secs_f64();
        let forward = pipeline::program(&graph, &Bindings::new(), &CompileOptions::default())?;
        let rows = if stream { 1 } else { self.steps as usize };
        let flops = measure::flops(&forward, batch as usize, rows) * if training { 3.0 } else { 1.0 };
        let setup = Setup { batch: batch as usize, steps: self.steps as usize, stream, training };
        let measured = measure::measure(&exe, &graph, &setup)?;
        let figures =
            Figures { name: &graph.name, batch, flops, compile_s, bench: &self, measured: &measured };
        say(&if self.json { figures.json() } else { figures.text() })
    }
}

/// The graph with what is read: of a cell its first output and the last states, of a model its loss.
fn kept(built: &Built) -> Graph {
    let mut graph = built.graph().clone();
    let first = graph.outputs.first().map(|o| o.name.clone());
    let model = matches!(built, Built::Model(_));
    graph.outputs.retain(|o| {
        let main = if model { &*o.name == "loss" } else { Some(&o.name) == first.as_ref() };
        main || o.name.ends_with("_last")
    });
    graph
}

/// Gradients of everything, from the output that counts.
fn with_gradients(graph: &Graph) -> Fallible<Graph> {
    let main = graph.outputs.iter().find(|o| &*o.name == "loss").or(graph.outputs.first());
    let from = main.map(|o| vec![o.name.to_string()]);
    grad::differentiate(graph, &grad::Options { from, ..grad::Options::default() })
}

/// Whether each step needs only what came before.
fn check_stream(graph: &Graph) -> Result<(), Failure> {
    if graph.domains.iter().any(|d| matches!(d.kind, crate::eqn::DomainKind::Chain { fixed: Some(_) })) {
        return Err(errors::no_stream("its number of steps is fixed", None).into());
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        let result = graph.outputs.iter().any(|o| o.node.index() == i);
        let why = match node.op {
            Op::Lag { offset, .. } if offset.along_chain().is_none_or(|k| k > 0) => "it reads ahead",
            Op::Remap { .. } => "it reads a sequence backwards",
            Op::SumOver(_) | Op::FoldOver { .. } => "it sums over all steps",
            // The last states are there to be handed on.
            Op::At { .. } if !result => "it reads one step of all",
            _ => continue,
        };
        return Err(errors::no_stream(why, node.span).into());
    }
    Ok(())
}

/// All that is reported.
struct Figures<'a> {
    name: &'a str,
    batch: u32,
    /// Of one call.
    flops: f64,
    compile_s: f64,
    bench: &'a Bench,
    measured: &'a Measured,
}

impl Figures<'_> {
    fn gflops(&self) -> f64 {
        self.flops / self.measured.median * 1e-9
    }

    fn json(&self) -> String {
        let m = self.measured;
        let activities: serde_json::Map<String, serde_json::Value> =
            m.activities.iter().map(|(what, share)| (what.to_string(), serde_json::json!(share))).collect();
        let figures = serde_json::json!({
            "cell": self.name,
            "steps": self.bench.steps,
            "batch": self.batch,
            "threads": self.bench.threads,
            "mode": self.bench.mode.word(),
            "median_s": m.median,
            "min_s": m.least,
            "runs": m.runs,
            "gflops": self.gflops(),
            "peak_gflops": m.peak_gflops,
            "share_of_peak": self.gflops() / m.peak_gflops,
            "compile_s": self.compile_s,
            "time_shares": activities,
        });
        format!("{figures}\n")
    }

    fn text(&self) -> String {
        let m = self.measured;
        let (steps, mode) = (self.bench.steps, self.bench.mode.word());
        let shares: Vec<String> =
            m.activities.iter().map(|(what, share)| format!("{what} {:.1} %", share * 100.0)).collect();
        format!(
            "cell      {}\nmode      {mode}: {steps} steps, batch {}, 1 thread\n\
             time      {} a call (least {}, {} runs)\n\
             products  {:.1} GFLOP/s, {:.1} % of the {:.1} this core can do\n\
             share     {}\ncompiled  in {}\n",
            self.name,
            self.batch,
            seconds(m.median),
            seconds(m.least),
            m.runs,
            self.gflops(),
            self.gflops() / m.peak_gflops * 100.0,
            m.peak_gflops,
            shares.join(", "),
            seconds(self.compile_s),
        )
    }
}

/// A duration in the unit that suits it.
fn seconds(s: f64) -> String {
    match s {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
