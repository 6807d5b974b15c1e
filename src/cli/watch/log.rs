//! `watch.json` in the folder of a run: when it was begun and gone on with, on which machine, how long epochs took, the curves
//! by steps, and how it ended.
//!
//! It holds what differs from run to run of the same bits, which is why it is not in `run.json`. A run that goes on reads it
//! and drops what came after its checkpoint.

use super::super::rundir::RunDir;
use crate::train::run::Seen;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

pub const FILE: &str = "watch.json";

/// Points of a curve at most; more are joined, two and two.
const MOST_POINTS: usize = 1024;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// The recipe of the optimiser, the file, and so on are in `run.json`; here is who began it.
    pub starts: Vec<Start>,
    /// What is counted: `examples` or `positions`.
    pub units: String,
    pub epochs: Vec<Spent>,
    pub steps_per_epoch: u64,
    pub steps: Curve,
    /// Elements of each parameter.
    pub parameters: Vec<(String, Vec<usize>)>,
    /// The data in words.
    pub data: String,
    pub ended: Option<Ended>,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Seconds since 1970.
    pub at: u64,
    pub command: Vec<String>,
    /// The folder it was given in.
    pub folder: String,
    pub machine: Machine,
    pub threads: usize,
    /// Where it went on from: epochs and all steps that were over.
    pub epoch: u64,
    pub steps: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub system: String,
    pub cores: usize,
}

/// An epoch by the clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    pub epoch: u64,
    /// With its evaluation.
    pub seconds: f64,
    pub units_per_second: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub at: u64,
    pub how: How,
    /// What stopped it, if it went wrong.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Complete,
    Stopped,
    WentWrong,
}

/// What the trained model makes of data that were held out, or by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// It wrote this by itself.
    Text { temperature: f64, seed: u64, text: String },
    /// It wrote these sequences for given ones.
    Written { rows: Vec<WrittenRow> },
    /// Numbers: along a sequence, or one for each example.
    Numbers { title: String, along: String, wanted: Vec<f64>, given: Vec<f64> },
    /// How often a class was taken for which: rows are the true ones.
    Confusion { title: String, classes: Vec<String>, counts: Vec<Vec<u64>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenRow {
    pub given: String,
    pub wanted: String,
    pub written: String,
}

/// Means over stretches of equally many steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Curve {
    /// Steps of a point.
    pub every: u64,
    pub points: Vec<Point>,
    /// The point that is being filled, and the steps in it.
    open: Point,
    filled: u64,
}

impl Default for Curve {
    fn default() -> Curve {
        Curve { every: 1, points: Vec::new(), open: Point::default(), filled: 0 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The last of its steps, of all steps of the run.
    pub step: u64,
    pub loss: f64,
    pub norm: f64,
    pub metrics: BTreeMap<String, f64>,
}

impl Point {
    /// The mean of two that stand for `n` and `m` steps.
    fn with(&self, n: u64, other: &Point, m: u64) -> Point {
        let whole = (n + m).max(1) as f64;
        let mean = |a: f64, b: f64| (a * n as f64 + b * m as f64) / whole;
        let metric = |(name, b): (&String, &f64)| {
            (name.clone(), mean(self.metrics.get(name).copied().unwrap_or(0.0), *b))
        };
        Point {
            step: other.step,
            loss: mean(self.loss, other.loss),
            norm: mean(self.norm, other.norm),
            metrics: other.metrics.iter().map(metric).collect(),
        }
    }
}

impl Curve {
    /// Steps that it stands for.
    pub fn last_step(&self) -> u64 {
        self.points.last().map_or(0, |p| p.step)
    }

    pub fn add(&mut self, seen: &Seen) {
        let metrics = seen.own.metrics.iter().filter(|(_, v)| v.is_finite()).cloned().collect();
        let point = Point { step: seen.all_steps, loss: seen.own.loss, norm: seen.own.norm, metrics };
        self.open = self.open.with(self.filled, &point, 1);
        self.filled += 1;
        if self.filled < self.every {
            return;
        }
        self.points.push(std::mem::take(&mut self.open));
        self.filled = 0;
        if self.points.len() >= MOST_POINTS {
            let every = self.every;
            let joined = self.points.chunks(2).map(|two| match two {
                [a, b] => a.with(every, b, every),
                one => one[0].clone(),
            });
            self.points = joined.collect();
            self.every *= 2;
        }
    }

    /// Forgets what came after so many steps.
    fn back_to(&mut self, steps: u64) {
        self.points.retain(|p| p.step <= steps);
        (self.open, self.filled) = (Point::default(), 0);
    }
}

impl Log {
    /// That of a run that goes on after so many epochs and steps. What cannot be read is begun anew: nothing depends on it.
    pub fn resumed(folder: &RunDir, epochs: u64, steps: u64) -> Log {
        let mut log = Log::read(folder).unwrap_or_default();
        log.epochs.retain(|e| e.epoch <= epochs);
        log.steps.back_to(steps);
        (log.ended, log.samples) = (None, Vec::new());
        log
    }

    pub fn read(folder: &RunDir) -> Option<Log> {
        serde_json::from_slice(&folder.bytes(FILE).ok()?).ok()
    }

    pub fn text(&self) -> String {
        // Names and finite numbers: nothing in it fails to be written.
        format!("{}\n", serde_json::to_string(self).unwrap_or_default())
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// What this machine calls itself.
pub fn machine() -> Machine {
    // Linux says so in a file; elsewhere the architecture must do.
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        told.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':')).map(|(_, m)| m.trim());
    Machine {
        processor: model.unwrap_or(std::env::consts::ARCH).to_string(),
        system: std::env::consts::OS.to_string(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::run::Own;

    fn add(curve: &mut Curve, step: u64, loss: f64) {
        let own = Own { loss, metrics: vec![("bits".into(), 2.0 * loss)], norm: 1.0 };
        let seen = Seen {
            epoch: 1,
            epochs: 1,
            step,
            steps: 9,
            units: step,
            units_in_all: 9,
            loss,
            metrics: &[],
            own: &own,
            all_steps: step,
            history: &[],
        };
        curve.add(&seen);
    }

    #[test]
    fn a_long_curve_has_no_more_points_and_the_same_mean() {
        let mut curve = Curve::default();
        let count = 5 * MOST_POINTS as u64;
        (1..=count).for_each(|step| add(&mut curve, step, step as f64));
        assert!(curve.points.len() < MOST_POINTS && curve.every == 8);
        let mean = curve.points.iter().map(|p| p.loss).sum::<f64>() / curve.points.len() as f64;
        assert!((mean - (count as f64 + 1.0) / 2.0).abs() < 1e-9, "{mean}");
        assert!(curve.points.iter().all(|p| p.metrics["bits"] == 2.0 * p.loss));
        curve.back_to(1000);
        assert_eq!(curve.points.last().map(|p| p.step), Some(1000));
    }
}
