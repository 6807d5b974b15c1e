//! Runs programs again and again on made-up arrays.
//!
//! In: programs, sizes. Out: the times of their calls, what share of one went to which stage, and what the core could
//! do meanwhile. A core slows down and speeds up with whatever else runs beside it, so its peak is measured in turn with
//! the calls, programs that are compared run in turn, and medians are compared.

use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{DomainKind, Graph, Ty};
use crate::loops::{InputKind, Stage};
use crate::runtime::errors::too_large;
use crate::runtime::gemm::{Isa, peak_gflops};
use crate::runtime::{Done, Executable, FlushToZero, Stream, Team, Workspace};
use crate::schedule::cost::{self, Cost, Sizes};
use crate::train::draw;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// However short the time, so many calls are made at least: without clocks around stages, and with.
const FEWEST: usize = 5;
const FEWEST_WATCHED: u64 = 2;
/// Shares of the time in which calls are made before any is timed, and with clocks around stages.
const WARM_UP: f64 = 0.06;
const WATCHED: f64 = 0.16;

/// Calls take turns of so long (the last begun is finished) with spells of measuring the peak.
const TURN: Duration = Duration::from_millis(20);
/// A spell is as long as the turn before, in pieces as long as a call, so that other programs interrupt both as often; but
/// at most this.
const LONGEST_SPELL: Duration = Duration::from_millis(200);
const SEED: u64 = 0;

pub struct Setup {
    pub batch: usize,
    pub steps: usize,
    /// One step a call; states go on.
    pub stream: bool,
    /// Parameters count as changed before every call.
    pub training: bool,
    pub team: Arc<Team>,
}

impl Setup {
    /// Refuses more than there may be memory for, before lengths and trees are made of it.
    pub fn check(&self, graph: &Graph, limit: u64) -> Result<(), Diagnostic> {
        let points = |kind: &DomainKind| match kind {
            // A node more for each leaf, and what it takes to tell its children.
            DomainKind::Tree { .. } => (self.steps as u128).saturating_mul(2 * 40),
            _ => 32,
        };
        let each = graph.domains.iter().fold(32, |sum, d| points(&d.kind).saturating_add(sum));
        let bytes = each.saturating_mul(self.batch as u128);
        if bytes > u128::from(limit) { Err(too_large(Some(bytes), limit)) } else { Ok(()) }
    }

    /// Of one call.
    pub fn sizes(&self) -> Sizes {
        Sizes { batch: self.batch, steps: if self.stream { 1 } else { self.steps } }
    }
}

pub struct Measured {
    /// Seconds of a call.
    pub median: f64,
    pub least: f64,
    pub runs: usize,
    /// The median time of each turn, in order.
    pub turns: Vec<f64>,
    /// The median of the pieces of all spells between calls, for each thread.
    pub peak_gflops: f64,
    pub pieces: Vec<Piece>,
    /// How much longer a call takes with the clocks that told the pieces apart; 0 is nothing.
    pub clocks: f64,
}

/// A part of a call's time.
pub struct Piece {
    pub title: String,
    pub activity: &'static str,
    /// Of 1.
    pub share: f64,
    /// In one call.
    pub calls: f64,
    /// What a stage does; the other pieces are overhead.
    pub cost: Option<Cost>,
}

/// A program with its arrays, ready to be called.
pub struct Subject {
    exe: Arc<Executable>,
    runs: Runs,
    params: Vec<String>,
    /// Calls that are timed together: a stream's are too short alone.
    together: usize,
    training: bool,
    sizes: Sizes,
    threads: usize,
}

/// What a call is.
enum Runs {
    Whole(Box<Workspace>),
    /// One step; with its inputs and outputs.
    Step {
        stream: Box<Stream>,
        input: Vec<f32>,
        output: Vec<f32>,
    },
}

impl Runs {
    fn steps(exe: &Arc<Executable>, graph: &Graph) -> Fallible<Runs> {
        let mut stream = Stream::new(exe)?;
        stream.prepare(|workspace| give(workspace, graph))?;
        let width = |sizes: Vec<usize>| vec![0.0; sizes.into_iter().sum()];
        let mut input = width(stream.inputs().map(|(_, size)| size).collect());
        let ids = graph.sources.iter().any(|s| matches!(s.ty, Ty::Id(_)));
        if !ids {
            input.iter_mut().enumerate().for_each(|(i, x)| *x = made_up(i));
        }
        let output = width(stream.outputs().map(|(_, size)| size).collect());
        Ok(Runs::Step { stream: Box::new(stream), input, output })
    }
}

impl Subject {
    pub fn new(exe: &Arc<Executable>, graph: &Graph, setup: &Setup) -> Fallible<Subject> {
        let mut made = Subject {
            exe: exe.clone(),
            runs: Runs::Whole(Box::new(Workspace::new(exe)?)),
            params: Vec::new(),
            together: if setup.stream { setup.steps } else { 1 },
            training: setup.training,
            sizes: setup.sizes(),
            threads: setup.team.size(),
        };
        if setup.stream {
            made.runs = Runs::steps(exe, graph)?;
            return Ok(made);
        }
        let mut workspace = Workspace::new(exe)?;
        workspace.work_with(&setup.team)?;
        let sizes = setup.sizes();
        let fixed =
            |name: &str| exe.program().domains.iter().any(|d| &*d.extent == name && d.fixed().is_some());
        let (mut lengths, mut trees) = (BTreeMap::new(), BTreeMap::new());
        for domain in &graph.domains {
            let name = domain.extent.to_string();
            match &domain.kind {
                DomainKind::Tree { arity } => {
                    let tree = |b: usize| cost::tree(sizes.steps, arity.map_or(2, |n| n as usize), b);
                    trees.insert(name, (0..setup.batch).map(tree).collect::<Vec<_>>());
                }
                DomainKind::Chain { .. } if !fixed(&name) => {
                    lengths.insert(name, vec![sizes.steps; setup.batch]);
                }
                _ => {}
            }
        }
        workspace.resize_with(setup.batch, &BTreeMap::new(), &lengths, &trees)?;
        give(&mut workspace, graph)?;
        made.params = workspace.params().map(str::to_string).collect();
        made.runs = Runs::Whole(Box::new(workspace));
        Ok(made)
    }

    fn call(&mut self, watch: Option<&mut dyn FnMut(Done)>) -> Fallible<()> {
        let workspace = match &mut self.runs {
            Runs::Step { stream, input, output } => return stream.step(input, output),
            Runs::Whole(workspace) => workspace,
        };
        if self.training {
            for name in &self.params {
                workspace.param_mut(name)?;
            }
        }
        match watch {
            Some(watch) => workspace.run_watched(watch),
            None => workspace.run(),
        }
    }

    /// Seconds of each call in a turn.
    fn turn(&mut self) -> Fallible<Vec<f64>> {
        let _flush = FlushToZero::begin();
        let (turn, mut times) = (Instant::now(), Vec::new());
        while turn.elapsed() < TURN {
            let start = Instant::now();
            for _ in 0..self.together {
                self.call(None)?;
            }
            times.push(start.elapsed().as_secs_f64() / self.together as f64);
        }
        Ok(times)
    }

    /// Where the time of calls goes, and the seconds of one of them with the clocks that tell.
    fn pieces(&mut self, time: Duration) -> Fallible<(Vec<Piece>, f64)> {
        let exe = self.exe.clone();
        let costs = cost::costs(exe.program(), self.sizes);
        let key = |stage: &Stage| std::ptr::from_ref(stage) as usize;
        let index: HashMap<usize, usize> = costs.iter().enumerate().map(|(i, (s, _))| (key(s), i)).collect();
        // Behind the stages: packing, and what is neither.
        let (packing, other) = (costs.len(), costs.len() + 1);
        let mut spent = vec![(0.0, 0u64); costs.len() + 2];
        let (begin, mut runs) = (Instant::now(), 0u64);
        while runs < FEWEST_WATCHED || begin.elapsed() < time {
            let mut last = Instant::now();
            let mut note = |places: &[usize]| {
                let now = Instant::now();
                // Stages done at once share their time by their work.
                let work: Vec<f64> =
                    places.iter().map(|i| costs.get(*i).map_or(0.0, |(_, c)| c.flops)).collect();
                let all: f64 = work.iter().sum();
                for (i, work) in places.iter().zip(work) {
                    let share = if all > 0.0 { work / all } else { 1.0 / places.len() as f64 };
                    spent[*i].0 += (now - last).as_secs_f64() * share;
                    spent[*i].1 += 1;
                }
                last = now;
            };
            self.call(Some(&mut |done| match done {
                Done::Prepared => note(&[packing]),
                Done::Stages([stage]) => note(&[index.get(&key(stage)).copied().unwrap_or(other)]),
                Done::Stages(stages) => {
                    let places: Vec<usize> =
                        stages.iter().filter_map(|s| index.get(&key(s)).copied()).collect();
                    note(&places);
                }
            }))?;
            note(&[other]);
            runs += 1;
        }
        let total: f64 = spent.iter().map(|(seconds, _)| seconds).sum();
        let piece = |i: usize, (seconds, calls): (f64, u64)| {
            let (title, activity, cost) = match costs.get(i) {
                Some((stage, cost)) => {
                    let cost = Cost { calls: calls as f64 / runs as f64, ..cost.clone() };
                    (cost::title(exe.program(), stage), activity(stage), Some(cost))
                }
                None if i == packing => ("parameters into place".to_string(), "packing", None),
                None => ("beginning and end of a call".to_string(), "handing over", None),
            };
            Piece { title, activity, share: seconds / total, calls: calls as f64 / runs as f64, cost }
        };
        let pieces = spent.iter().enumerate().filter(|(_, s)| s.1 > 0).map(|(i, s)| piece(i, *s)).collect();
        Ok((pieces, total / runs as f64))
    }
}

/// Measures programs by turns, each for so long.
pub fn measure(subjects: &mut [Subject], time: Duration) -> Fallible<Vec<Measured>> {
    let begin = Instant::now();
    let clock = || begin.elapsed().as_secs_f64();
    let isa = Isa::detect();
    for subject in &mut *subjects {
        let start = Instant::now();
        subject.call(None)?;
        while start.elapsed() < time.mul_f64(WARM_UP) {
            subject.call(None)?;
        }
    }
    let mut times = vec![Vec::new(); subjects.len()];
    let mut turns = vec![Vec::new(); subjects.len()];
    let mut peaks = Vec::new();
    let start = Instant::now();
    let budget = time * subjects.len() as u32;
    while start.elapsed() < budget || times.iter().any(|t| t.len() < FEWEST) {
        let round = Instant::now();
        // Whoever was last is first now, so that no one is always behind the same.
        let forwards = turns.first().is_none_or(|t| t.len() % 2 == 0);
        for i in 0..subjects.len() {
            let i = if forwards { i } else { subjects.len() - 1 - i };
            let new = subjects[i].turn()?;
            turns[i].push(median(&new));
            times[i].extend(new);
        }
        let spell = (round.elapsed() / subjects.len() as u32).min(LONGEST_SPELL);
        // In pieces as long as a call, so that as many of them as of the calls are interrupted.
        let call = turns.iter().filter_map(|t| t.last()).sum::<f64>() / subjects.len() as f64;
        let begin = Instant::now();
        while begin.elapsed() < spell {
            peaks.push(peak_gflops(isa, call.min(spell.as_secs_f64()), clock));
        }
    }
    let threads = subjects.first().map_or(1, |s| s.threads);
    let peak_gflops = median(&peaks) * threads as f64;
    let mut all = Vec::new();
    for ((subject, times), turns) in subjects.iter_mut().zip(times).zip(turns) {
        let (pieces, watched) = subject.pieces(time.mul_f64(WATCHED))?;
        let least = times.iter().copied().fold(f64::INFINITY, f64::min);
        let median = median(&times);
        let clocks = (watched / median - 1.0).max(0.0);
        all.push(Measured { median, least, runs: times.len(), turns, peak_gflops, pieces, clocks });
    }
    Ok(all)
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of all lies; 0 of none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

fn activity(stage: &Stage) -> &'static str {
    match stage {
        Stage::Product { .. } | Stage::Outer { .. } => "products",
        Stage::Map { .. } => "kernels",
        _ => "copies",
    }
}

fn made_up(i: usize) -> f32 {
    (i * 7919 % 2003) as f32 / 1001.0 - 1.0
}

/// Gives every array that has no default of its own.
fn give(workspace: &mut Workspace, graph: &Graph) -> Fallible<()> {
    draw::parameters(workspace, SEED)?;
    draw::noise(workspace, SEED, 0)?;
    let program = workspace.executable().clone();
    for input in &program.program().inputs {
        if !matches!(input.kind, InputKind::Given | InputKind::Cotangent) {
            continue;
        }
        let count = workspace.input_shape(&input.name)?.iter().product();
        let source = graph.sources.iter().find(|s| s.name == input.name);
        match (input.symbols, source.map(|s| &s.ty)) {
            (Some(symbols), _) => {
                let ids: Vec<i32> = (0..count).map(|i: usize| (i * 7919 % symbols.max(1)) as i32).collect();
                workspace.set_ids(&input.name, &ids)?;
            }
            (None, Some(Ty::Bool)) => {
                workspace.make_input(&input.name, &|i| (i % 2) as f32)?;
            }
            (None, _) => {
                workspace.make_input(&input.name, &made_up)?;
            }
        }
    }
    Ok(())
}
