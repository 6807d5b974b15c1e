//! What was measured, for people and for programs.

use super::measure::{Measured, Piece, quantile};
use crate::cli::plot::Point;
use crate::schedule::cost::{Bound, Machine, seconds, shortened};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A program and what was measured of it.
pub struct Report<'a> {
    pub name: &'a str,
    pub mode: &'static str,
    pub steps: u32,
    pub batch: u32,
    pub threads: u32,
    /// Of the products of one call.
    pub flops: f64,
    /// What compiling took, step by step.
    pub compiled: &'a [(&'static str, f64)],
    /// Bytes of its arrays and packed weights.
    pub memory: f64,
    pub measured: &'a Measured,
    pub machine: &'a Machine,
}

/// Pieces with a smaller share of a call are told together.
const LEAST: f64 = 0.002;

impl Report<'_> {
    fn gflops(&self) -> f64 {
        self.flops / self.measured.median * 1e-9
    }

    fn compile_s(&self) -> f64 {
        self.compiled.iter().map(|(_, seconds)| seconds).sum()
    }

    fn bound(&self, piece: &Piece) -> Option<Bound> {
        piece.cost.as_ref().map(|cost| cost.bound(self.machine)).filter(|bound| bound.seconds > 0.0)
    }

    fn activities(&self) -> BTreeMap<&'static str, f64> {
        let mut shares = BTreeMap::new();
        for piece in &self.measured.pieces {
            *shares.entry(piece.activity).or_default() += piece.share;
        }
        shares
    }

    pub fn json(&self) -> Value {
        let m = self.measured;
        let named = |pairs: &mut dyn Iterator<Item = (String, f64)>| -> Map<String, Value> {
            pairs.map(|(name, value)| (name, json!(value))).collect()
        };
        let stages = m.pieces.iter().map(|piece| {
            let time = piece.share * m.median;
            let (flops, bytes) = piece.cost.as_ref().map_or((0.0, 0.0), |c| (c.flops, c.bytes()));
            let bound = self.bound(piece);
            json!({
                "stage": piece.title,
                "kind": piece.activity,
                "calls": piece.calls,
                "seconds": time,
                "share": piece.share,
                "flops": flops,
                "bytes": bytes,
                "gflops": flops / time * 1e-9,
                "gb_per_s": bytes / time * 1e-9,
                "bound_s": bound.map(|b| b.seconds),
                "bound_by": bound.map(|b| b.by),
            })
        });
        let stages: Vec<Value> = stages.collect();
        let mut memories = self.machine.memories.iter().map(|m| (m.name.to_string(), m.gb_per_s));
        json!({
            "cell": self.name,
            "steps": self.steps,
            "batch": self.batch,
            "threads": self.threads,
            "mode": self.mode,
            "median_s": m.median,
            "min_s": m.least,
            "runs": m.runs,
            "gflops": self.gflops(),
            "peak_gflops": m.peak_gflops,
            "share_of_peak": self.gflops() / m.peak_gflops,
            "compile_s": self.compile_s(),
            "compile_steps": named(&mut self.compiled.iter().map(|(name, s)| (name.to_string(), *s))),
            "memory_bytes": self.memory,
            "bandwidths_gb_per_s": named(&mut memories),
            "time_shares": named(&mut self.activities().into_iter().map(|(name, s)| (name.to_string(), s))),
            "stages": stages,
        })
    }

    pub fn text(&self) -> String {
        let m = self.measured;
        let shares: Vec<String> =
            self.activities().iter().map(|(what, share)| format!("{what} {:.1} %", share * 100.0)).collect();
        let steps: Vec<String> =
            self.compiled.iter().map(|(name, s)| format!("{name} {}", seconds(*s))).collect();
        let speeds: Vec<String> =
            self.machine.memories.iter().map(|m| format!("{} {:.0} GB/s", m.name, m.gb_per_s)).collect();
        let (threads, cores) = match self.threads {
            1 => ("1 thread".to_string(), "this core".to_string()),
            n => (format!("{n} threads"), format!("{n} such cores")),
        };
        format!(
            "cell      {}\nmode      {}: {} steps, batch {}, {threads}\n\
             time      {} a call (least {}, {} runs)\n\
             products  {:.1} GFLOP/s, {:.1} % of the {:.1} {cores} can do\n\
             share     {}\nreads     {}\nmemory    {:.2} MB\ncompiled  in {}: {}\n\n{}",
            self.name,
            self.mode,
            self.steps,
            self.batch,
            seconds(m.median),
            seconds(m.least),
            m.runs,
            self.gflops(),
            self.gflops() / m.peak_gflops * 100.0,
            m.peak_gflops,
            shares.join(", "),
            speeds.join(", "),
            self.memory * 1e-6,
            seconds(self.compile_s()),
            steps.join(", "),
            self.table(),
        )
    }

    /// Stages in a roofline.
    pub fn points(&self) -> Vec<Point> {
        let stages = self.measured.pieces.iter().filter_map(|p| Some((p, p.cost.as_ref()?)));
        let points = stages.map(|(piece, cost)| {
            // An instruction of a kernel takes the place of a multiply-add.
            let work = cost.flops + 2.0 * cost.instructions;
            Point {
                title: piece.title.clone(),
                intensity: work / cost.bytes(),
                gflops: work / (piece.share * self.measured.median) * 1e-9,
                share: piece.share,
            }
        });
        points.collect()
    }

    /// The time of each stage beside the least it could take.
    fn table(&self) -> String {
        let m = self.measured;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:>9} {:>6} {:>7} {:>9} {:>8} {:>9}  {:<10}  stage",
            "time", "share", "calls", "GFLOP/s", "GB/s", "of bound", "bound by"
        );
        let mut order: Vec<&Piece> = m.pieces.iter().collect();
        order.sort_by(|a, b| b.share.total_cmp(&a.share));
        let (told, rest): (Vec<&Piece>, Vec<&Piece>) = order.into_iter().partition(|p| p.share >= LEAST);
        let rate = |amount: f64, time: f64| match amount > 0.0 {
            true => format!("{:.1}", amount / time * 1e-9),
            false => "-".to_string(),
        };
        let mut floor = 0.0;
        for piece in told {
            let time = piece.share * m.median;
            let bound = self.bound(piece);
            floor += bound.map_or(0.0, |b| b.seconds);
            let _ = writeln!(
                text,
                "{:>9} {:>5.1}% {:>7} {:>9} {:>8} {:>9}  {:<10}  {}",
                seconds(time),
                piece.share * 100.0,
                piece.calls,
                rate(piece.cost.as_ref().map_or(0.0, |c| c.flops), time),
                rate(piece.cost.as_ref().map_or(0.0, |c| c.bytes()), time),
                bound.map_or("-".to_string(), |b| format!("{:.0} %", b.seconds / time * 100.0)),
                bound.map_or("-", |b| b.by),
                shortened(&piece.title, 64),
            );
        }
        if !rest.is_empty() {
            let share: f64 = rest.iter().map(|p| p.share).sum();
            let what = format!("{} smaller ones", rest.len());
            let _ = writeln!(
                text,
                "{:>9} {:>5.1}% {:>7} {:>9} {:>8} {:>9}  {:<10}  {what}",
                seconds(share * m.median),
                share * 100.0,
                "",
                "",
                "",
                "",
                ""
            );
        }
        let _ = writeln!(
            text,
            "All stages at their bounds: {}, {:.0} % of the time. Clocks around stages add {:.0} %; they are taken out.",
            seconds(floor),
            floor / m.median * 100.0,
            m.clocks * 100.0
        );
        text
    }
}

/// Two programs measured by turns: how much longer the second takes.
pub struct Comparison {
    pub ratio: f64,
    /// Between a quarter and three quarters of the turns.
    pub quarters: (f64, f64),
    pub turns: usize,
}

impl Comparison {
    pub fn of(first: &Measured, second: &Measured) -> Comparison {
        let ratios: Vec<f64> = first.turns.iter().zip(&second.turns).map(|(a, b)| b / a).collect();
        let at = |share| quantile(&ratios, share);
        Comparison { ratio: at(0.5), quarters: (at(0.25), at(0.75)), turns: ratios.len() }
    }

    pub fn json(&self) -> Value {
        json!({ "ratio": self.ratio, "quarter": self.quarters.0, "three_quarters": self.quarters.1, "turns": self.turns })
    }

    pub fn text(&self, first: &str, second: &str) -> String {
        format!(
            "{second} takes {:.3} times as long as {first} (half of {} turns between {:.3} and {:.3})\n",
            self.ratio, self.turns, self.quarters.0, self.quarters.1
        )
    }
}
