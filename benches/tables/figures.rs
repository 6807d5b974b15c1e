//! What was measured: rnnc's own figures, kept under `target/`, and those of the peers, kept beside their script.

use crate::plan::{Mode, Run};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// All figures of one run of the tables.
#[derive(Default)]
pub struct Figures {
    pub entries: Vec<Value>,
    /// What compiling took: name, kind (`cell`, `model`), seconds.
    pub compiled: Vec<Value>,
}

impl Figures {
    pub fn read(path: &Path) -> Option<Figures> {
        let all: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        let list = |key: &str| all[key].as_array().cloned().unwrap_or_default();
        Some(Figures { entries: list("entries"), compiled: list("compiled") })
    }

    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let all = json!({ "entries": self.entries, "compiled": self.compiled });
        std::fs::write(path, format!("{all}\n"))
    }

    /// Puts an entry in the place of the older one of the same key.
    pub fn put(&mut self, entry: Value) {
        let key = |e: &Value| ["cell", "shape", "mode", "threads"].map(|k| e[k].clone());
        match self.entries.iter_mut().find(|e| key(e) == key(&entry)) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    pub fn find(&self, cell: &str, shape: &str, mode: Mode, threads: u32) -> Option<Figure<'_>> {
        let same = |e: &&Value| {
            e["cell"] == cell && e["shape"] == shape && e["mode"] == mode.word() && e["threads"] == threads
        };
        self.entries.iter().find(same).and_then(Figure::of)
    }

    /// The median of a number over all entries with one thread.
    pub fn median(&self, number: impl Fn(&Value) -> Option<f64>) -> Option<f64> {
        let entries = self.entries.iter().filter(|e| e["threads"] == 1);
        let mut all: Vec<f64> = entries.filter_map(|e| number(&e["figures"])).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }
}

/// What `rnnc bench --json` said of one run.
#[derive(Clone, Copy)]
pub struct Figure<'a> {
    all: &'a Value,
    /// Seconds of a call.
    pub seconds: f64,
    pub flops: f64,
    pub peak: f64,
}

impl<'a> Figure<'a> {
    fn of(entry: &'a Value) -> Option<Figure<'a>> {
        let all = &entry["figures"];
        let number = |key: &str| all[key].as_f64();
        let seconds = number("median_s")?;
        let (flops, peak) = (number("gflops")? * seconds * 1e9, number("peak_gflops")? * 1e9);
        Some(Figure { all, seconds, flops, peak })
    }

    /// Of the peak of one core, in percent.
    pub fn share(&self) -> f64 {
        self.share_in(self.seconds)
    }

    /// The share of something that does the same in this time.
    pub fn share_in(&self, seconds: f64) -> f64 {
        self.flops / seconds / self.peak * 100.0
    }

    pub fn stages(&self) -> impl Iterator<Item = &'a Value> {
        self.all["stages"].as_array().into_iter().flatten()
    }

    /// All stages at their bounds, in seconds.
    pub fn floor(&self) -> f64 {
        self.stages().filter_map(|s| s["bound_s"].as_f64()).sum()
    }
}

/// Runs `rnnc bench`; a refusal is told by its first line.
pub fn measure(rnnc: &Path, cores: &[String], run: &Run, seconds: f64) -> Result<Value, String> {
    // Where there is no taskset, nothing is pinned.
    let pinned = Command::new("taskset").arg("-V").output().is_ok_and(|o| o.status.success());
    let mut command = if pinned && cores.len() >= run.threads as usize {
        let mut command = Command::new("taskset");
        command.args(["-c", &cores[..run.threads as usize].join(",")]).arg(rnnc);
        command
    } else {
        Command::new(rnnc)
    };
    command.arg("bench").args(run.file).args(["--cell", &run.recipe, "--mode", run.mode.word()]);
    for (option, value) in [("--steps", run.steps), ("--batch", run.batch), ("--threads", run.threads)] {
        command.args([option, &value.to_string()]);
    }
    command.args(["--seconds", &seconds.to_string(), "--json"]);
    let ran = command.output().map_err(|e| e.to_string())?;
    if !ran.status.success() {
        let words = String::from_utf8_lossy(&ran.stderr).trim().to_string();
        return Err(words.lines().next().unwrap_or("refused without a word").to_string());
    }
    let figures: Value = serde_json::from_slice(&ran.stdout).map_err(|e| e.to_string())?;
    Ok(json!({
        "cell": run.cell,
        "recipe": run.recipe,
        "shape": run.shape,
        "mode": run.mode.word(),
        "threads": run.threads,
        "figures": figures,
    }))
}

/// `results.json` and `charlm.json` of `benches/peers`, if they have been measured.
#[derive(Default)]
pub struct Peers {
    pub machine: Value,
    pub charlm: Value,
    entries: Vec<Value>,
}

/// A library's time beside rnnc's, measured by turns.
pub struct Peer<'a> {
    pub name: &'a str,
    pub seconds: f64,
    /// Its time divided by rnnc's.
    pub ratio: Option<f64>,
}

impl Peers {
    pub fn read(folder: &Path) -> Peers {
        let value = |file: &str| -> Value {
            let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            serde_json::from_str(&text).unwrap_or_default()
        };
        let all = value("results.json");
        let entries = all["entries"].as_array().cloned().unwrap_or_default();
        Peers { machine: all["machine"].clone(), charlm: value("charlm.json"), entries }
    }

    /// In the order in which they were measured.
    pub fn of(&self, cell: &str, shape: &str, mode: Mode, threads: u32) -> Vec<Peer<'_>> {
        let same = |e: &&Value| {
            e["cell"] == cell && e["shape"] == shape && e["mode"] == mode.word() && e["threads"] == threads
        };
        let peers = self.entries.iter().filter(same).filter_map(|e| e["peers"].as_object()).flatten();
        let told = peers.filter_map(|(name, p)| {
            Some(Peer { name, seconds: p["median_s"].as_f64()?, ratio: p["ratio"].as_f64() })
        });
        told.collect()
    }

    pub fn fastest(&self, cell: &str, shape: &str, mode: Mode, threads: u32) -> Option<Peer<'_>> {
        self.of(cell, shape, mode, threads).into_iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }
}
