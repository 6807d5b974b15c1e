//! Many seeds.

use super::case::Case;
use super::checks::{Failure, Report, check};
use super::coverage::Coverage;
use super::generate::generate;
use super::shrink::shrink;
use rnnc::runtime::Team;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of a thread: equations may read each other deeply.
const STACK: usize = 256 << 20;

#[derive(Clone, Debug)]
pub struct Options {
    pub first: u64,
    /// `None`: until the time is over.
    pub count: Option<u64>,
    pub time: Option<Duration>,
    /// Programs at once.
    pub workers: usize,
    /// Threads that a run of one program is shared out to.
    pub team: usize,
    /// For making one failing program small.
    pub shrink: Duration,
}

/// Everything there is to say of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub programs: u64,
    pub refused: BTreeMap<&'static str, u64>,
    /// For each code a seed and what was said.
    pub refusals: BTreeMap<&'static str, (u64, String)>,
    /// By check.
    pub done: BTreeMap<&'static str, u64>,
    pub skipped: BTreeMap<String, u64>,
    pub coverage: Coverage,
    pub worst_gradient: f64,
    pub worst_share: f64,
    pub failures: Vec<Failed>,
    pub seconds: f64,
}

#[derive(Clone, Debug)]
pub struct Failed {
    pub seed: u64,
    /// As small as it could be made.
    pub case: Case,
    pub failure: Failure,
}

impl Summary {
    fn add(&mut self, seed: u64, report: &Report) {
        self.programs += 1;
        if let Some((code, message)) = &report.refused {
            *self.refused.entry(code).or_default() += 1;
            self.refusals.insert(code, (seed, message.clone()));
        }
        for (check, n) in &report.done {
            *self.done.entry(check).or_default() += n;
        }
        for (why, n) in &report.skipped {
            *self.skipped.entry(why.clone()).or_default() += n;
        }
        self.worst_gradient = self.worst_gradient.max(report.worst_gradient);
        self.worst_share = self.worst_share.max(report.worst_share);
    }

    pub fn refused_share(&self) -> f64 {
        self.refused.values().sum::<u64>() as f64 / (self.programs as f64).max(1.0)
    }
}

/// Checks the programs of seeds one after another; `hear` gets the state of things after each.
pub fn run(options: &Options, hear: &(dyn Fn(&Summary) + Sync)) -> Summary {
    let begun = Instant::now();
    let next = AtomicU64::new(options.first);
    let summary = Mutex::new(Summary::default());
    let work = || {
        let team = Team::eager(options.team);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_over = options.time.is_some_and(|t| begun.elapsed() > t);
            if is_over || options.count.is_some_and(|n| seed - options.first >= n) {
                break;
            }
            let case = generate(seed);
            let mut coverage = Coverage::default();
            let report = check(&case, &team, Some(&mut coverage));
            let failed = report.failure.clone().map(|failure| {
                let (case, failure) = shrink(&case, &failure, &team, options.shrink);
                Failed { seed, case, failure }
            });
            let mut all = summary.lock().unwrap_or_else(|e| e.into_inner());
            all.add(seed, &report);
            all.coverage.join(&coverage);
            all.failures.extend(failed);
            all.seconds = begun.elapsed().as_secs_f64();
            hear(&all);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.workers.max(1) {
            // Without a further thread the others do its work.
            let _ = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        }
    });
    summary.into_inner().unwrap_or_else(|e| e.into_inner())
}
