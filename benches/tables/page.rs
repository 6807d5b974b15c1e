//! The page: a text in which `{{name}}` stands for a table.

use crate::figures::{Figure, Figures, Peers};
use crate::plan::{
    CELLS, COMPILE_CELL, COMPILE_MODEL, DOMAINS, Mode, PER_FLOP, SHAPES, STREAMS, Shape, TWO_THREADS,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A goal is reached by what differs from it by no more than measurements do, in percent of it.
const NOISE: f64 = 0.5;
/// Stages of a profile that are told.
const TOLD: usize = 6;

pub fn page(template: &str, figures: &Figures, peers: &Peers) -> String {
    let mut text = String::from(
        "<!-- Written by `cargo bench --bench tables`; its words are those of benches/performance.md.in. -->\n",
    );
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(table(name.trim(), figures, peers).trim_end());
        rest = after;
    }
    text + rest
}

fn table(name: &str, figures: &Figures, peers: &Peers) -> String {
    match name {
        "machine" => machine(figures),
        "train" => chains(figures, peers, Mode::Train),
        "infer" => chains(figures, peers, Mode::Infer),
        "threads train" => threads(figures, Mode::Train),
        "threads infer" => threads(figures, Mode::Infer),
        "streams" => streams(figures, peers, false),
        "streams of one" => streams(figures, peers, true),
        "domains" => domains(figures, peers),
        "peers train" => ratios(peers, Mode::Train, 1),
        "peers infer" => ratios(peers, Mode::Infer, 1),
        "peers train 2" => ratios(peers, Mode::Train, 2),
        "peers infer 2" => ratios(peers, Mode::Infer, 2),
        "peers machine" => versions(peers),
        "missed" => missed(figures),
        "profiles" => profiles(figures),
        "compile" => compile(figures),
        "charlm" => charlm(peers),
        _ => format!("(no table is called {name})"),
    }
}

/// Rows of a table, the first of which is its head.
fn rows(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if i == 0 {
            let _ = writeln!(text, "|---|{}", "---:|".repeat(row.len() - 1));
        }
    }
    text
}

fn head(first: &str) -> Vec<String> {
    std::iter::once(first.to_string()).chain(SHAPES.iter().map(Shape::name)).collect()
}

const NONE: &str = "–";

/// Three digits.
fn short(value: f64) -> String {
    let digits = 2 - value.abs().max(1e-9).log10().floor().clamp(-3.0, 2.0) as i32;
    format!("{value:.*}", digits.max(0) as usize)
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1e-3 => format!("{} ms", short(s * 1e3)),
        s if s >= 1e-6 => format!("{} µs", short(s * 1e6)),
        s => format!("{} ns", short(s * 1e9)),
    }
}

/// In bold if it is as good as the goal.
fn marked(text: String, reached: bool) -> String {
    if reached { format!("**{text}**") } else { text }
}

fn reached(share: f64, goal: f64) -> bool {
    share >= goal * (1.0 - NOISE / 100.0)
}

fn machine(figures: &Figures) -> String {
    let mut text = String::new();
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = |key: &str| {
        known.lines().find(|l| l.starts_with(key)).and_then(|l| Some(l.split_once(':')?.1.trim().to_string()))
    };
    let name = line("model name").unwrap_or_else(|| std::env::consts::ARCH.to_string());
    let family = line("cpu family").zip(line("model\t")).map(|(f, m)| format!(", family {f}, model {m}"));
    let wide = known.contains("avx512f");
    let vectors = if wide { ", AVX-512" } else { "" };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let _ = writeln!(text, "{name}{}{vectors}, {cores} cores.", family.unwrap_or_default());
    if let Some(peak) = figures.median(|f| f["peak_gflops"].as_f64()) {
        let _ = writeln!(text, "Measured peak of a core in f32: {peak:.0} GFLOP/s.");
    }
    let mut speeds = Vec::new();
    for memory in ["L1", "L2", "L3", "memory"] {
        if let Some(speed) = figures.median(|f| f["bandwidths_gb_per_s"][memory].as_f64()) {
            speeds.push(format!("{memory} {speed:.0} GB/s"));
        }
    }
    let _ = writeln!(text, "Measured reading speeds: {}.", speeds.join(", "));
    text
}

/// Shares of the peak beside the goal, and the libraries' own cells.
fn chains(figures: &Figures, peers: &Peers, mode: Mode) -> String {
    let mut all = vec![head("% of peak (time)")];
    let goals = SHAPES.iter().map(|s| format!("*{:.0}*", s.goal(mode)));
    all.push(std::iter::once("*goal*".to_string()).chain(goals).collect());
    for cell in &CELLS {
        let entries = SHAPES.iter().map(|shape| {
            figures.find(cell.name, &shape.name(), mode, 1).map_or(NONE.into(), |f| {
                let share = marked(format!("{:.1}", f.share()), reached(f.share(), shape.goal(mode)));
                format!("{share} ({})", time(f.seconds))
            })
        });
        all.push(std::iter::once(cell.name.to_string()).chain(entries).collect());
    }
    for cell in &CELLS {
        // What a library does in one call, not a loop written by hand, unless nothing else is there.
        let entries = SHAPES.iter().map(|shape| {
            let own = figures.find(cell.name, &shape.name(), mode, 1);
            let best = peers.fastest(cell.name, &shape.name(), mode, 1);
            own.zip(best).map_or(NONE.into(), |(own, peer)| {
                // Both measured by turns where that is known.
                let share = peer.ratio.map_or(own.share_in(peer.seconds), |r| own.share() / r);
                format!("{share:.1} ({})", time(peer.seconds))
            })
        });
        let entries: Vec<String> = entries.collect();
        if entries.iter().any(|e| e != NONE) {
            all.push(std::iter::once(format!("*{}, fastest peer*", cell.name)).chain(entries).collect());
        }
    }
    rows(&all)
}

/// Two threads: the time, and how many times as fast as one.
fn threads(figures: &Figures, mode: Mode) -> String {
    let mut all = vec![head("time (of one thread's)")];
    for cell in &CELLS {
        let entries = SHAPES.iter().enumerate().map(|(i, shape)| {
            let [one, two] = [1, 2].map(|n| figures.find(cell.name, &shape.name(), mode, n));
            one.zip(two).map_or(NONE.into(), |(one, two)| {
                let factor = one.seconds / two.seconds;
                let factor =
                    marked(format!("×{factor:.2}"), i == 0 && mode == Mode::Train && factor >= TWO_THREADS);
                format!("{} ({factor})", time(two.seconds))
            })
        });
        all.push(std::iter::once(cell.name.to_string()).chain(entries).collect());
    }
    rows(&all)
}

/// Nanoseconds a step, and how long each flop takes beside one of the first cell's.
fn streams(figures: &Figures, peers: &Peers, one: bool) -> String {
    let name = |units: u32| format!("1,1,{},{units}", if one { 1 } else { units });
    let first = if one { "ns a step, I = 1" } else { "ns a step, I = H" };
    let mut all: Vec<Vec<String>> = vec![
        std::iter::once(first.to_string()).chain(STREAMS.iter().map(|s| format!("H = {}", s.0))).collect(),
    ];
    let goal = |s: &(u32, f64, f64)| if one { s.2 } else { s.1 };
    let goals = STREAMS.iter().map(|s| format!("*{:.0}*", goal(s)));
    all.push(std::iter::once("*goal, LSTM*".to_string()).chain(goals).collect());
    let found = |cell: &str, units: u32| figures.find(cell, &name(units), Mode::Stream, 1);
    for (i, cell) in CELLS.iter().enumerate() {
        let entries = STREAMS.iter().map(|s| {
            let (own, lstm) = (found(cell.name, s.0), found(CELLS[0].name, s.0));
            own.zip(lstm).map_or(NONE.into(), |(own, lstm): (Figure, Figure)| {
                let steps = format!("{:.0}", own.seconds * 1e9);
                if i == 0 {
                    return marked(steps, reached(goal(s), own.seconds * 1e9));
                }
                let factor = own.seconds / own.flops / (lstm.seconds / lstm.flops);
                format!("{steps} ({})", marked(format!("{factor:.2}"), factor <= PER_FLOP))
            })
        });
        let what = if i == 0 { cell.name.to_string() } else { format!("{} (per flop, LSTM = 1)", cell.name) };
        all.push(std::iter::once(what).chain(entries).collect());
    }
    let mut others: Vec<String> = Vec::new();
    for s in &STREAMS {
        for peer in peers.of(CELLS[0].name, &name(s.0), Mode::Stream, 1) {
            if !others.iter().any(|o| o == peer.name) {
                others.push(peer.name.to_string());
            }
        }
    }
    for other in others {
        let entries = STREAMS.iter().map(|s| {
            let all = peers.of(CELLS[0].name, &name(s.0), Mode::Stream, 1);
            let peer = all.iter().find(|p| p.name == other);
            peer.map_or(NONE.into(), |p| format!("{:.0}", p.seconds * 1e9))
        });
        all.push(std::iter::once(format!("*{}, {other}*", CELLS[0].name)).chain(entries).collect());
    }
    rows(&all)
}

fn domains(figures: &Figures, peers: &Peers) -> String {
    let mut all = vec![
        ["", "goal", "one thread", "two threads", "fastest peer, one thread", "its ratio"]
            .map(String::from)
            .to_vec(),
    ];
    for domain in &DOMAINS {
        for (mode, words, goal) in
            [(Mode::Infer, "forward", domain.infer), (Mode::Train, "with backward", domain.train)]
        {
            let [one, two] = [1, 2].map(|n| figures.find(domain.name, domain.shape, mode, n));
            let peer = peers.fastest(domain.name, domain.shape, mode, 1);
            let told = |f: Option<Figure>| {
                f.map_or(NONE.into(), |f| marked(time(f.seconds), reached(goal, f.seconds * 1e3)))
            };
            all.push(vec![
                format!("{}, {words}", domain.words),
                format!("*{} ms*", short(goal)),
                told(one),
                told(two),
                peer.as_ref().map_or(NONE.into(), |p| format!("{} ({})", time(p.seconds), p.name)),
                peer.and_then(|p| p.ratio).map_or(NONE.into(), |r| format!("{r:.2}")),
            ]);
        }
    }
    rows(&all)
}

/// Times of each library divided by rnnc's.
fn ratios(peers: &Peers, mode: Mode, threads: u32) -> String {
    let mut all = vec![head("time ÷ rnnc's")];
    for cell in &CELLS {
        let mut names: Vec<&str> = Vec::new();
        for shape in &SHAPES {
            for peer in peers.of(cell.name, &shape.name(), mode, threads) {
                if !names.contains(&peer.name) {
                    names.push(peer.name);
                }
            }
        }
        for name in names {
            let entries = SHAPES.iter().map(|shape| {
                let all = peers.of(cell.name, &shape.name(), mode, threads);
                let peer = all.iter().find(|p| p.name == name);
                peer.and_then(|p| p.ratio).map_or(NONE.into(), |r| format!("{r:.2}"))
            });
            all.push(std::iter::once(format!("{}: {name}", cell.name)).chain(entries).collect());
        }
    }
    if all.len() == 1 { "Not measured yet.\n".into() } else { rows(&all) }
}

fn versions(peers: &Peers) -> String {
    let Some(all) = peers.machine.as_object() else { return "Not measured yet.\n".into() };
    let told = all.iter().filter_map(|(name, v)| Some(format!("{name} {}", v.as_str()?)));
    told.collect::<Vec<_>>().join(", ")
}

/// The character model in rnnc and in PyTorch.
fn charlm(peers: &Peers) -> String {
    let told = &peers.charlm;
    let number = |key: &str| told[key].as_f64();
    let (Some(ours), Some(theirs), Some(ratio)) = (number("rnnc_s"), number("pytorch_s"), number("ratio"))
    else {
        return "Not measured yet.\n".into();
    };
    let bits = |name: &str| told["bits"][name].as_f64().unwrap_or(f64::NAN);
    format!(
        "An epoch of `models/charlm.rnn` over {} letters with {} threads, by turns with the same model in PyTorch \
         (`benches/peers/charlm.py`): rnnc {ours:.1} s, with compiling, reading and writing; PyTorch {theirs:.1} s, \
         **{ratio:.2} times as long**; goal: 1.5. After it rnnc's model has {:.2} bits per letter, PyTorch's {:.2}.\n",
        told["characters"],
        told["threads"],
        bits("rnnc"),
        bits("pytorch"),
    )
}

/// Where the time of a call goes, in shares of it.
fn shares(figure: &Figure) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for stage in figure.stages() {
        let (Some(kind), Some(share)) = (stage["kind"].as_str(), stage["share"].as_f64()) else { continue };
        *all.entry(kind.to_string()).or_default() += share;
    }
    all
}

/// Every goal that was missed, with where the time goes and the floor.
fn missed(figures: &Figures) -> String {
    const KINDS: [&str; 5] = ["products", "kernels", "packing", "copies", "handing over"];
    let mut all = vec![
        [
            "",
            "% of peak",
            "goal",
            "products",
            "their bound",
            "kernels",
            "packing",
            "copies",
            "calls",
            "floor, % of peak",
        ]
        .map(String::from)
        .to_vec(),
    ];
    for (cell, shape, mode, figure) in misses(figures) {
        let shares = shares(&figure);
        let share = |kind: &str| format!("{:.1} %", shares.get(kind).copied().unwrap_or(0.0) * 100.0);
        let bounds =
            figure.stages().filter(|s| s["kind"] == "products").filter_map(|s| s["bound_s"].as_f64());
        let mut row = vec![
            format!("{cell}, {}, {}", shape.name(), mode.word()),
            format!("{:.1}", figure.share()),
            format!("{:.0}", shape.goal(mode)),
        ];
        row.push(share(KINDS[0]));
        row.push(format!("{:.1} %", bounds.sum::<f64>() / figure.seconds * 100.0));
        row.extend(KINDS[1..].iter().map(|kind| share(kind)));
        row.push(format!("{:.1}", figure.share_in(figure.floor())));
        all.push(row);
    }
    if all.len() == 1 { "None.\n".into() } else { rows(&all) }
}

fn misses(figures: &Figures) -> Vec<(&'static str, &'static Shape, Mode, Figure<'_>)> {
    let mut all = Vec::new();
    for mode in [Mode::Train, Mode::Infer] {
        for shape in &SHAPES {
            for cell in &CELLS {
                let figure = figures.find(cell.name, &shape.name(), mode, 1);
                all.extend(
                    figure
                        .filter(|f| !reached(f.share(), shape.goal(mode)))
                        .map(|f| (cell.name, shape, mode, f)),
                );
            }
        }
    }
    all
}

/// Of each shape and mode with a missed goal the cell that is farthest from it, stage by stage.
fn profiles(figures: &Figures) -> String {
    let mut text = String::new();
    let all = misses(figures);
    for mode in [Mode::Train, Mode::Infer] {
        for shape in &SHAPES {
            let here = all.iter().filter(|(_, s, m, _)| s.name() == shape.name() && *m == mode);
            let Some((cell, _, _, figure)) = here.min_by(|a, b| a.3.share().total_cmp(&b.3.share())) else {
                continue;
            };
            let _ = writeln!(
                text,
                "**{cell}, {}, {}**: {} a call, {:.1} % of the peak, goal {:.0} %.\n",
                shape.name(),
                mode.word(),
                time(figure.seconds),
                figure.share(),
                shape.goal(mode)
            );
            text.push_str(&stages(figure));
            text.push('\n');
        }
    }
    if text.is_empty() { "None.\n".into() } else { text }
}

fn stages(figure: &Figure) -> String {
    let mut stages: Vec<&Value> = figure.stages().collect();
    let number = |stage: &Value, key: &str| stage[key].as_f64().unwrap_or(0.0);
    stages.sort_by(|a, b| number(b, "share").total_cmp(&number(a, "share")));
    let mut all = vec![
        ["stage", "share", "calls", "time", "GFLOP/s", "GB/s", "of its bound", "bound by"]
            .map(String::from)
            .to_vec(),
    ];
    let (told, rest) = stages.split_at(TOLD.min(stages.len()));
    for stage in told {
        let rate = |key: &str| {
            Some(number(stage, key)).filter(|v| *v > 0.0).map_or(NONE.into(), |v| format!("{v:.1}"))
        };
        let bound = stage["bound_s"].as_f64().map(|b| b / number(stage, "seconds").max(1e-12) * 100.0);
        all.push(vec![
            format!("`{}`", cut(stage["stage"].as_str().unwrap_or(""), 72).replace('|', "\\|")),
            format!("{:.1} %", number(stage, "share") * 100.0),
            format!("{:.0}", number(stage, "calls")),
            time(number(stage, "seconds")),
            rate("gflops"),
            rate("gb_per_s"),
            bound.map_or(NONE.into(), |b| format!("{b:.0} %")),
            stage["bound_by"].as_str().unwrap_or(NONE).to_string(),
        ]);
    }
    let share: f64 = rest.iter().map(|s| number(s, "share")).sum();
    let seconds: f64 = rest.iter().map(|s| number(s, "seconds")).sum();
    let mut row =
        vec![format!("{} smaller ones", rest.len()), format!("{:.1} %", share * 100.0), String::new()];
    row.push(time(seconds));
    row.extend(std::iter::repeat_n(String::new(), 4));
    all.push(row);
    rows(&all)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// The slowest, the fastest, and how many miss the goal.
fn compile(figures: &Figures) -> String {
    let mut all = vec![["", "recipes", "median", "slowest", "goal", "above it"].map(String::from).to_vec()];
    for (kind, goal) in [("cell", COMPILE_CELL), ("model", COMPILE_MODEL)] {
        let ours = figures.compiled.iter().filter(|c| c["kind"] == kind);
        let mut times: Vec<(f64, &str)> =
            ours.filter_map(|c| Some((c["seconds"].as_f64()?, c["recipe"].as_str()?))).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let Some((slowest, recipe)) = times.last() else { continue };
        all.push(vec![
            format!("{kind}s"),
            times.len().to_string(),
            time(times[times.len() / 2].0),
            format!("{} (`{recipe}`)", time(*slowest)),
            format!("*{goal:.0} ms*"),
            times.iter().filter(|t| t.0 * 1e3 > goal).count().to_string(),
        ]);
    }
    if all.len() == 1 { "Not measured yet.\n".into() } else { rows(&all) }
}
