//! `cargo run --release -p soak -- cells --minutes 20`: random programs until the time is over.

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use soak::cells::case::Case;
use soak::cells::checks::check;
use soak::cells::coverage::EXPECTED;
use soak::cells::generate::generate;
use soak::cells::run::{Options, Summary, run};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Long tests of rnnc.
#[derive(Parser)]
#[command(name = "soak", about)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Random programs: gradients, kernels, threads, padding, streams and texts of each are compared.
    Cells(Cells),
}

#[derive(clap::Args)]
struct Cells {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// So many seeds; without it and without a time, 1000.
    #[arg(long)]
    count: Option<u64>,
    /// Until so many minutes are over.
    #[arg(long)]
    minutes: Option<f64>,
    /// Programs that are checked at once.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Threads that a run of one program is shared out to, where that is compared.
    #[arg(long, default_value_t = 2)]
    team: usize,
    /// Seconds for making one failing program small.
    #[arg(long, default_value_t = 60.0)]
    shrink: f64,
    /// Checks the case in this file instead.
    #[arg(long, conflicts_with = "count")]
    file: Option<PathBuf>,
    /// Prints the programs of the seeds, and checks nothing.
    #[arg(long)]
    print: bool,
    /// Writes failing programs here, made small.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Prints how often each construct and operation occurred.
    #[arg(long)]
    coverage: bool,
}

fn main() -> ExitCode {
    let Args { what: What::Cells(args) } = Args::parse();
    // Panics are caught, counted and shown once.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(file) = &args.file {
        return one(file, args.team);
    }
    let count = args.count.or(args.minutes.is_none().then_some(1000));
    if args.print {
        for seed in args.seed..args.seed + count.unwrap_or(1) {
            println!("{}", generate(seed).print(""));
        }
        return ExitCode::SUCCESS;
    }
    let options = Options {
        first: args.seed,
        count,
        time: args.minutes.map(|m| Duration::from_secs_f64(60.0 * m)),
        workers: args.threads,
        team: args.team,
        shrink: Duration::from_secs_f64(args.shrink),
    };
    let bar = ProgressBar::new(count.unwrap_or(0));
    let template = "{spinner} {pos} programs, {per_sec}, {elapsed}  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let shown = AtomicUsize::new(0);
    let summary = run(&options, &|all: &Summary| {
        bar.set_position(all.programs);
        bar.set_message(format!(
            "{:.1} % refused, {} failed, worst gradient {:.1e}, worst share {:.2}",
            100.0 * all.refused_share(),
            all.failures.len(),
            all.worst_gradient,
            all.worst_share
        ));
        if shown.swap(all.failures.len(), Ordering::Relaxed) < all.failures.len()
            && let Some(failed) = all.failures.last()
        {
            let text = failed.case.print(&format!(
                "seed {}: {}",
                failed.seed,
                failed.failure.message.lines().next().unwrap_or_default()
            ));
            bar.suspend(|| eprintln!("{text}"));
            if let Some(folder) = &args.out {
                let path = folder.join(format!("{}_{}.rnn", failed.failure.check, failed.seed));
                if let Err(e) = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, &text)) {
                    bar.suspend(|| eprintln!("{}: {e}", path.display()));
                }
            }
        }
    });
    bar.finish_and_clear();
    println!("{}", told(&summary, args.seed));
    if args.coverage {
        for (what, n) in &summary.coverage.0 {
            println!("{}", json!({ "construct": what, "times": n }));
        }
    }
    if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(file: &std::path::Path, team: usize) -> ExitCode {
    let case = std::fs::read_to_string(file).map_err(|e| e.to_string()).and_then(|text| Case::parse(&text));
    let case = match case {
        Ok(case) => case,
        Err(e) => {
            eprintln!("{}: {e}", file.display());
            return ExitCode::FAILURE;
        }
    };
    let report = check(&case, &rnnc::runtime::Team::eager(team), None);
    println!("{report:#?}");
    if report.failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One line for machines.
fn told(summary: &Summary, first: u64) -> String {
    let failures: Vec<_> = summary
        .failures
        .iter()
        .map(|f| json!({ "seed": f.seed, "check": f.failure.check, "message": f.failure.message }))
        .collect();
    json!({
        "first_seed": first,
        "programs": summary.programs,
        "refused": summary.refused,
        "refusals": summary.refusals.iter().map(|(k, (s, m))| format!("{k} seed {s}: {m}")).collect::<Vec<_>>(),
        "refused_share": summary.refused_share(),
        "checks": summary.done,
        "skipped": summary.skipped,
        "failures": failures,
        "constructs": EXPECTED.len() - summary.coverage.missing().len(),
        "constructs_missing": summary.coverage.missing(),
        "worst_gradient": summary.worst_gradient,
        "worst_share": summary.worst_share,
        "seconds": summary.seconds,
        "per_second": summary.programs as f64 / summary.seconds.max(1e-9),
    })
    .to_string()
}
