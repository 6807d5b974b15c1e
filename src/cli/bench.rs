//! `rnnc bench`: how long a program takes, and where the time goes.

mod machine;
mod measure;
mod report;

use super::compile::Instructions;
use super::help;
use super::limits::RunLimits;
use super::select::{Built, Selected};
use super::session::{Failure, Session, say};
use super::{errors, files, plot, threads};
use crate::codegen::How;
use crate::diag::Fallible;
use crate::eqn::build::Options;
use crate::eqn::{Graph, Op, Source, SourceKind, Ty};
use crate::grad;
use crate::pipeline::{self, CompileOptions, Step};
use crate::resolve::Library;
use crate::runtime::{Executable, MOST_STEPS};
use crate::schedule::{Expected, cost};
use crate::shape::Bindings;
use crate::simplify::multiply_tables;
use measure::{Setup, Subject};
use report::{Comparison, Report};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Measure how fast a cell is, and where its time goes
///
/// A call is one run over all steps of the batch; with --mode train forward, backward and packing of changed weights;
/// with --mode stream one step. GFLOP/s counts matrix products only: two for each multiply-add of the forward pass, and
/// three times that when training. The peak is what this core does with multiply-adds on registers alone. A tree has as
/// many leaves as --steps says, and two children at a node, if its cell allows that.
///
/// Other work on the machine slows calls and peak alike, so the two are measured in turn, 20 ms of calls (or one that
/// takes longer) and then the peak for as long, and the share of the peak is a ratio of medians. --compare measures a
/// second cell, by turns with the first; what is told of it is the ratio of their times, turn by turn.
///
/// Stages are told with their share of a call and the least time they could take: that of their arithmetic at the
/// peak, or of their bytes from the memory that holds them, whichever is longer.
///
/// The object that --json prints has: cell, steps, batch, threads, mode; median_s and min_s, the median and the least
/// time of a call, of runs timed ones; gflops, at the median time; peak_gflops, the median of the spells;
/// share_of_peak, their ratio; compile_s and compile_steps; memory_bytes; bandwidths_gb_per_s; time_shares, what a
/// call's time goes to; stages, the same one by one, with flops, bytes and bounds. With --compare it has two such objects,
/// first and second, and comparison.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc bench mine.rnn --cell 'Mine(64, 64)' --mode train --steps 20 --batch 8\n  rnnc bench mine.rnn --cell 'Mine(64, 64)' --mode stream --json\n  rnnc bench mine.rnn --cell 'Mine(32, 32)' --compare 'MineBlind(32, 32)' --steps 20\n  rnnc bench mine.rnn --cell 'Mine(32, 32)' --seconds 0.5 --picture roofline.svg"
)]
pub struct Bench {
    #[command(flatten)]
    selected: Selected,
    /// Steps of each sequence
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=MOST_STEPS as i64))]
    steps: u32,
    /// Sequences side by side [default: 32; 1 in a stream]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Threads to share the work out to; the peak is that of as many cores
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads::range(), help_heading = help::MACHINE)]
    threads: u32,
    /// Forward, forward and backward, or one step a call
    #[arg(long, value_enum, default_value_t = Mode::Infer)]
    mode: Mode,
    /// A second cell, measured by turns with the first
    #[arg(long, value_name = "RECIPE", requires = "cell")]
    compare: Option<String>,
    /// Write the roofline, with each stage in it, as a picture: an SVG file
    #[arg(long, value_name = "SVG", help_heading = help::OUTPUT, conflicts_with = "compare")]
    picture: Option<PathBuf>,
    /// How long to measure each program, but at least five calls
    #[arg(long, default_value_t = 2.5, value_parser = seconds)]
    seconds: f64,
    /// Print JSON, for programs to read
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
    #[command(flatten)]
    instructions: Instructions,
    #[command(flatten)]
    limits: RunLimits,
}

/// The longest time that can be asked for: an hour.
const LONGEST: f64 = 3600.0;

fn seconds(text: &str) -> Result<f64, String> {
    let wanted = text.parse::<f64>().ok().filter(|s| *s > 0.0 && *s <= LONGEST);
    wanted.ok_or_else(|| format!("a number of seconds above 0, at most {LONGEST}"))
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
        self.limits.hold(session);
        let how = self.instructions.how()?;
        let stream = self.mode == Mode::Stream;
        let batch = self.batch.unwrap_or(if stream { 1 } else { 32 });
        if stream && batch != 1 {
            return Err(errors::one_example(batch).into());
        }
        let setup = Setup {
            batch: batch as usize,
            steps: self.steps as usize,
            stream,
            training: self.mode == Mode::Train,
            team: threads::team(Some(self.threads)),
        };
        let start = Instant::now();
        let library = self.selected.library(session)?;
        let read = start.elapsed().as_secs_f64();
        let mut programs = vec![self.compiled(session, &library, read, &setup, how, &self.selected.cell)?];
        if self.compare.is_some() {
            programs.push(self.compiled(session, &library, read, &setup, how, &self.compare)?);
        }
        for program in &programs {
            setup.check(&program.graph, session.limits.memory)?;
        }
        let subjects = programs.iter().map(|p| Subject::new(&p.exe, &p.graph, &setup));
        let mut subjects = subjects.collect::<Fallible<Vec<_>>>()?;
        let measured = measure::measure(&mut subjects, Duration::from_secs_f64(self.seconds))?;
        drop(subjects);
        let machine = machine::measured(measured.first().map_or(0.0, |m| m.peak_gflops), self.threads);
        let reports = programs.iter().zip(&measured).map(|(program, measured)| {
            let forward = pipeline::program(&program.graph, &Bindings::new(), &CompileOptions::default())?;
            Ok(Report {
                name: &program.graph.name,
                mode: self.mode.word(),
                steps: self.steps,
                batch,
                threads: self.threads,
                flops: cost::flops(&forward, setup.sizes()) * if setup.training { 3.0 } else { 1.0 },
                compiled: &program.steps,
                memory: cost::memory(program.exe.program(), setup.sizes()),
                measured,
                machine: &machine,
            })
        });
        let reports = reports.collect::<Fallible<Vec<_>>>()?;
        if let (Some(path), [report]) = (&self.picture, &*reports) {
            let picture = plot::roofline(report.name, &machine, &report.points())?;
            files::replace(path, picture.as_bytes(), |f| f)?;
        }
        match (&*reports, &*measured) {
            ([first, second], [a, b]) => {
                let comparison = Comparison::of(a, b);
                if self.json {
                    let (first, second, comparison) = (first.json(), second.json(), comparison.json());
                    let all =
                        serde_json::json!({ "first": first, "second": second, "comparison": comparison });
                    return say(&format!("{all}\n"));
                }
                let ratio = comparison.text(first.name, second.name);
                say(&format!("{}\n{}\n{ratio}", first.text(), second.text()))
            }
            ([report], _) if self.json => say(&format!("{}\n", report.json())),
            ([report], _) => say(&report.text()),
            _ => Ok(()),
        }
    }

    /// `read`: seconds that reading the files took.
    fn compiled(
        &self,
        session: &mut Session,
        library: &Library,
        read: f64,
        setup: &Setup,
        how: How,
        cell: &Option<String>,
    ) -> Result<Program, Failure> {
        let mut steps = vec![("read", read)];
        let mut last = Instant::now();
        let mut note = |step| {
            steps.push((step, last.elapsed().as_secs_f64()));
            last = Instant::now();
        };
        let stream = self.mode == Mode::Stream;
        let training = self.mode == Mode::Train;
        let options = Options { training, ..Options::default() };
        let built = self.selected.build_as(session, library, options, cell.as_deref())?;
        let mut graph = kept(&built);
        let open: Vec<String> = graph.dims().iter().map(ToString::to_string).collect();
        if !open.is_empty() {
            return Err(errors::open_dimensions("a measurement", &open).into());
        }
        if stream {
            check_stream(&graph)?;
            // States stay where they are.
            graph.outputs.truncate(1);
        }
        note("build");
        if !stream {
            graph = multiply_tables(&graph, setup.batch * setup.steps);
        }
        let joint = if training { Some(with_gradients(&graph)?) } else { None };
        let expected = match self.mode {
            Mode::Stream => Expected::Steps,
            Mode::Infer | Mode::Train => Expected::Sizes(setup.sizes()),
        };
        let options = CompileOptions { expected, how, limits: session.limits, ..CompileOptions::default() };
        let whole = joint.as_ref().unwrap_or(&graph);
        let exe = pipeline::compile_watched(whole, &Bindings::new(), &options, &mut |step| {
            note(match step {
                Step::Differentiate => "differentiate",
                Step::Bind => "bind",
                Step::Simplify => "simplify",
                Step::Schedule => "schedule",
                Step::Codegen => "codegen",
            });
        })?;
        Ok(Program { graph, exe, steps })
    }
}

/// A program ready to be measured.
struct Program {
    /// Forward.
    graph: Graph,
    exe: Arc<Executable>,
    /// What making it took, in seconds.
    steps: Vec<(&'static str, f64)>,
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

/// Gradients of parameters and inputs, from the output that counts.
fn with_gradients(graph: &Graph) -> Fallible<Graph> {
    let main = graph.outputs.iter().find(|o| &*o.name == "loss").or(graph.outputs.first());
    let from = main.map(|o| vec![o.name.to_string()]);
    let counts = |s: &&Source| matches!(s.kind, SourceKind::Param(_) | SourceKind::Input) && s.ty == Ty::Real;
    let wrt = graph.sources.iter().filter(counts).map(|s| s.name.to_string()).collect();
    grad::differentiate(graph, &grad::Options { from, wrt: Some(wrt), ..Default::default() })
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
