//! Runs a program again and again on made-up arrays.
//!
//! In: a program, sizes. Out: the times of its calls, what share of one went where, and what the core could do
//! meanwhile. A core slows down and speeds up with whatever else runs beside it, so its peak is measured in turn with
//! the calls, and the medians of both are compared.

use crate::diag::Fallible;
use crate::eqn::{Graph, Ty};
use crate::loops::{InputKind, Place, Program, Stage};
use crate::runtime::gemm::{Isa, peak_gflops};
use crate::runtime::{Activity, Executable, Workspace};
use crate::train::draw;
use crate::train::model::Carrying;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls and peak are measured for so long, but at least `FEWEST` calls.
const BUDGET: Duration = Duration::from_millis(2500);
const WARM_UP: Duration = Duration::from_millis(150);
const FEWEST: usize = 5;

/// Calls take turns of so long (the last begun is finished) with spells of measuring the peak.
const TURN: Duration = Duration::from_millis(20);
/// A spell is as long as the turn before, so that interruptions by other programs meet both, but at most this.
const LONGEST_SPELL: Duration = Duration::from_millis(200);

const SEED: u64 = 0;

pub struct Setup {
    pub batch: usize,
    pub steps: usize,
    /// One step a call; states go on.
    pub stream: bool,
    /// Parameters count as changed before every call.
    pub training: bool,
}

pub struct Measured {
    /// Seconds of a call.
    pub median: f64,
    pub least: f64,
    pub runs: usize,
    /// The median of the spells between calls.
    pub peak_gflops: f64,
    /// What the time of a call goes to, as shares of 1.
    pub activities: BTreeMap<&'static str, f64>,
}

pub fn measure(exe: &Arc<Executable>, graph: &Graph, setup: &Setup) -> Fallible<Measured> {
    let begin = Instant::now();
    let clock = || begin.elapsed().as_secs_f64();
    let isa = Isa::detect();
    let mut bench = Carrying::new(exe, setup.stream)?;
    let steps = if setup.stream { 1 } else { setup.steps };
    let lengths = graph.domains.iter().map(|d| (d.extent.to_string(), vec![steps; setup.batch]));
    let fixed = |name: &str| exe.program().domains.iter().any(|d| &*d.extent == name && d.fixed().is_some());
    bench.workspace.resize(setup.batch, &lengths.filter(|(name, _)| !fixed(name)).collect())?;
    give(&mut bench.workspace, graph)?;
    // A stream's calls are too short to be timed one by one.
    let calls = if setup.stream { setup.steps } else { 1 };
    let params: Vec<String> = bench.workspace.params().map(str::to_string).collect();
    let mut call = |watch: Option<&mut dyn FnMut(Activity)>| -> Fallible<()> {
        if setup.training {
            for name in &params {
                bench.workspace.param_mut(name)?;
            }
        }
        bench.begin()?;
        match watch {
            Some(watch) => bench.workspace.run_watched(watch)?,
            None => bench.workspace.run()?,
        }
        bench.end()
    };
    let start = Instant::now();
    call(None)?;
    while start.elapsed() < WARM_UP {
        call(None)?;
    }
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while start.elapsed() < BUDGET || times.len() < FEWEST {
        let turn = Instant::now();
        while turn.elapsed() < TURN {
            let start = Instant::now();
            for _ in 0..calls {
                call(None)?;
            }
            times.push(start.elapsed().as_secs_f64() / calls as f64);
        }
        let spell = turn.elapsed().min(LONGEST_SPELL);
        peaks.push(peak_gflops(isa, spell.as_secs_f64(), clock));
    }
    let mut activities: BTreeMap<&'static str, f64> = BTreeMap::new();
    for _ in 0..FEWEST * calls {
        let mut last = clock();
        let mut note = |what| {
            let now = clock();
            *activities.entry(what).or_default() += now - last;
            last = now;
        };
        call(Some(&mut |done| note(word(done))))?;
        note("handing over");
    }
    let total: f64 = activities.values().sum();
    activities.values_mut().for_each(|share| *share /= total);
    times.sort_by(f64::total_cmp);
    peaks.sort_by(f64::total_cmp);
    let (median, least, peak_gflops) = (times[times.len() / 2], times[0], peaks[peaks.len() / 2]);
    Ok(Measured { median, least, runs: times.len(), peak_gflops, activities })
}

fn word(activity: Activity) -> &'static str {
    match activity {
        Activity::Prepare => "packing",
        Activity::Product | Activity::Outer => "products",
        Activity::Map => "kernels",
        Activity::Copy => "copies",
    }
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
                let bools: Vec<f32> = (0..count).map(|i| (i % 2) as f32).collect();
                workspace.set_input(&input.name, &bools)?;
            }
            (None, _) => {
                let reals: Vec<f32> = (0..count).map(|i| (i * 7919 % 2003) as f32 / 1001.0 - 1.0).collect();
                workspace.set_input(&input.name, &reals)?;
            }
        }
    }
    Ok(())
}

/// Two for each multiply-add in the matrix products of a run; blocks of zeros in packed weights are not counted.
pub fn flops(program: &Program, batch: usize, steps: usize) -> f64 {
    stages_flops(&program.stages, program, batch, steps, &mut vec![false; program.domains.len()])
}

fn stages_flops(
    stages: &[Stage],
    program: &Program,
    batch: usize,
    steps: usize,
    inside: &mut Vec<bool>,
) -> f64 {
    let extent = |d: usize| program.domains[d].fixed().map_or(steps, |n| n as usize);
    let rows = |buffer: crate::loops::BufferId, inside: &[bool]| match program.buffers[buffer.index()].place {
        Place::Shared => 1,
        Place::Example => batch,
        Place::Over { domain, .. } => {
            let open = program.axes(domain).into_iter().filter(|a| !inside[a.index()]);
            open.fold(batch, |rows, a| rows * extent(a.index()))
        }
    };
    let mut sum = 0.0;
    for stage in stages {
        sum += match stage {
            Stage::Loop { domain, body, .. } => {
                inside[domain.index()] = true;
                let once = stages_flops(body, program, batch, steps, inside);
                inside[domain.index()] = false;
                once * extent(domain.index()) as f64
            }
            // All fronts together are all rows.
            Stage::Fronts { body, .. } => stages_flops(body, program, batch, steps, inside),
            Stage::Product { weight, out, .. } => {
                let parts = &program.weights[weight.index()].parts;
                let size: f64 = parts.iter().map(|p| p.rows as f64 * p.cols as f64).sum();
                2.0 * rows(out.buffer, inside) as f64 * size
            }
            Stage::Outer { a, m, n, .. } => 2.0 * rows(a.buffer, inside) as f64 * *m as f64 * *n as f64,
            _ => 0.0,
        };
    }
    sum
}
