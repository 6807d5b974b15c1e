//! The tables of docs/performance.md: every cell and shape, with its goal and its peers.
//!
//! `cargo bench --bench tables [-- OPTIONS]` measures everything with the release binary and writes `docs/performance.md`
//! and `docs/performance.svg`. Its words are those of `benches/performance.md.in`, where `{{name}}` stands for a table.
//!
//! | option | does |
//! |---|---|
//! | `--minutes M` | the time that all of it may take [7] |
//! | `--quick` | the same as `--minutes 2` |
//! | `--cells A,B`, `--modes train,infer,stream,compile`, `--threads 1` | measure only these; other figures stay as they were |
//! | `--cores 0,1` | what to pin the runs to, where there is `taskset` |
//! | `--rnnc PATH` | another binary |
//! | `--render` | measure nothing, write the page from the figures of the last time |
//!
//! The figures are kept in `target/tables.json`; the peers are those of `benches/peers/results.json` and
//! `charlm.json`, which the scripts there write.

mod compile;
mod figures;
mod page;
mod picture;
mod plan;

use figures::{Figures, Peers};
use std::path::{Path, PathBuf};
use std::time::Instant;

struct Wanted {
    minutes: f64,
    cells: Vec<String>,
    modes: Vec<String>,
    threads: Vec<String>,
    cores: Vec<String>,
    rnnc: PathBuf,
    render: bool,
}

fn wanted() -> Result<Wanted, String> {
    let mut wanted = Wanted {
        minutes: 7.0,
        cells: Vec::new(),
        modes: Vec::new(),
        threads: Vec::new(),
        cores: vec!["0".into(), "1".into()],
        rnnc: PathBuf::from(env!("CARGO_BIN_EXE_rnnc")),
        render: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        // A name may hold a comma of its own: those are followed by a space.
        let list = |text: String| -> Vec<String> {
            let apart = text.replace(", ", "\0");
            apart.split(',').map(|w| w.replace('\0', ", ")).collect()
        };
        match &*word {
            "--bench" => {}
            "--minutes" => {
                let text = value()?;
                wanted.minutes = text.parse().map_err(|_| format!("{text} is no number of minutes"))?;
            }
            "--quick" => wanted.minutes = 2.0,
            "--cells" => wanted.cells = list(value()?),
            "--modes" => wanted.modes = list(value()?),
            "--threads" => wanted.threads = list(value()?),
            "--cores" => wanted.cores = list(value()?),
            "--rnnc" => wanted.rnnc = value()?.into(),
            "--render" => wanted.render = true,
            _ => return Err(format!("{word}: see the head of benches/tables/main.rs")),
        }
    }
    Ok(wanted)
}

fn main() -> Result<(), String> {
    let wanted = wanted()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The binary lies in target/release.
    let target = Path::new(env!("CARGO_BIN_EXE_rnnc")).ancestors().nth(2).unwrap_or(root);
    let kept = target.join("tables.json");
    let mut figures = Figures::read(&kept).unwrap_or_default();
    if !wanted.render {
        measure(&wanted, &mut figures)?;
        figures.write(&kept).map_err(|e| format!("{}: {e}", kept.display()))?;
    }
    let peers = Peers::read(&root.join("benches/peers"));
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let page = page::page(&read(&root.join("benches/performance.md.in"))?, &figures, &peers);
    let picture = picture::picture(&figures, &peers).map_err(|e| e.to_string())?;
    for (path, text) in [("docs/performance.md", page), ("docs/performance.svg", picture)] {
        std::fs::write(root.join(path), text).map_err(|e| format!("{path}: {e}"))?;
        println!("{path} is written");
    }
    Ok(())
}

fn measure(wanted: &Wanted, figures: &mut Figures) -> Result<(), String> {
    let is_in = |list: &[String], word: &str| list.is_empty() || list.iter().any(|w| w == word);
    let mut runs = plan::runs();
    runs.retain(|run| {
        is_in(&wanted.cells, run.cell)
            && is_in(&wanted.modes, run.mode.word())
            && is_in(&wanted.threads, &run.threads.to_string())
    });
    let begin = Instant::now();
    if wanted.cells.is_empty() && is_in(&wanted.modes, "compile") {
        figures.compiled = compile::all();
    }
    for (i, run) in runs.iter().enumerate() {
        let left = wanted.minutes * 60.0 - begin.elapsed().as_secs_f64();
        // Half of a run is its measurement; the machine's bandwidths, the stages and the start take the rest.
        let seconds = (left / (runs.len() - i) as f64 * 0.5).clamp(0.05, 2.5);
        let what = format!("{} {} {} ×{}", run.recipe, run.shape, run.mode.word(), run.threads);
        match figures::measure(&wanted.rnnc, &wanted.cores, run, seconds) {
            Ok(entry) => {
                let all = &entry["figures"];
                let number = |key: &str| all[key].as_f64().unwrap_or(f64::NAN);
                println!(
                    "{what}: {:.4} ms, {:.1} %",
                    number("median_s") * 1e3,
                    number("share_of_peak") * 1e2
                );
                figures.put(entry);
            }
            Err(why) => println!("{what}: {why}"),
        }
    }
    println!("measured in {:.1} minutes", begin.elapsed().as_secs_f64() / 60.0);
    Ok(())
}
