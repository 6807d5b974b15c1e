//! The page as HTML.
//!
//! What a reader looks up is written here as text and tables; what is drawn is handed to the script as numbers ([`charts`]).
//! Without the script the tables remain.

use super::super::watch::log::{How, Log, Sample, Spent, Start};
use super::charts::{self, epochs_of, mean_norm, part};
use super::words::{bare, date, number, quoted, short, time};
use crate::doc::{frame, grouped};
use maud::{Markup, PreEscaped, html};
use serde_json::{Map, Value};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// `record` is what `run.json` holds; nothing of it is taken for granted.
pub fn page(record: &Value, log: &Log) -> String {
    let title = bare(&record["model"]);
    let drawn = charts::drawn(record, log);
    // A closing tag in a text would end the script.
    let data = drawn.to_string().replace('<', "\\u003c");
    let head = html! { style { (PreEscaped(STYLE)) } };
    let body = html! {
        main {
            (header(&title, record, log))
            @if charts::has_points(&drawn) { (curves()) }
            (samples(&log.samples))
            div class="columns" {
                (table("Settings", &settings(record)))
                (table("Run", &run(record, log)))
            }
            (parameters(&title, log))
            (reproduce(record, log))
            (epochs(record, log))
        }
        script type="application/json" id="data" { (PreEscaped(data)) }
        script { (PreEscaped(SCRIPT)) }
    };
    frame::page(&format!("{title}: training report"), head, body)
}

fn curves() -> Markup {
    html! {
        section id="curves" {
            h2 { "Curves" }
            div class="switch" role="group" aria-label="Scale" {
                button type="button" data-scale="linear" aria-pressed="true" { "linear" }
                button type="button" data-scale="log" aria-pressed="false" { "logarithmic" }
            }
            div class="charts" {}
            noscript { "The curves want a script; the numbers are in the table of epochs." }
        }
    }
}

fn header(title: &str, record: &Value, log: &Log) -> Markup {
    let (state, why) = match &log.ended {
        Some(e) if e.how == How::Complete => ("complete", None),
        Some(e) if e.how == How::Stopped => ("stopped", None),
        Some(e) => ("went wrong", Some(&e.why)),
        None => ("under way", None),
    };
    html! {
        header {
            h1 { (title) " " span class={ "state " (state.replace(' ', "-")) } { (state) } }
            p { (bare(&record["file"])) }
            @if let Some(why) = why { pre class="why" { (why) } }
        }
        dl class="figures" {
            @for figure in figures(record, log) {
                div {
                    dt { (figure.name) }
                    dd { (figure.value) }
                    dd class="more" { (figure.more) }
                }
            }
        }
    }
}

/// A number that is looked at first.
struct Figure {
    name: &'static str,
    value: String,
    more: String,
}

fn figures(record: &Value, log: &Log) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut figure = |name, value: String, more: String| figures.push(Figure { name, value, more });
    match (number(&record["best"]["loss"]), epochs_of(record).last()) {
        (Some(best), _) if part(record) == "validation" => {
            figure("best validation loss", short(best), format!("epoch {}", record["best"]["epoch"]));
        }
        (_, Some(last)) => {
            let loss = number(&last["train_loss"]).unwrap_or(f64::NAN);
            figure("training loss", short(loss), "last epoch".to_string());
        }
        _ => {}
    }
    if let Some(loss) = number(&record["test"]["loss"]) {
        let metrics = record["test"]["metrics"].as_object().into_iter().flatten();
        let more: Vec<String> =
            metrics.filter_map(|(name, v)| Some(format!("{name} {}", short(number(v)?)))).collect();
        figure("test loss", short(loss), more.join(", "));
    }
    let steps = record["steps"].as_u64().unwrap_or(0).max(log.steps.last_step());
    figure("epochs", epochs_of(record).len().to_string(), format!("{} steps", grouped(steps)));
    let total: u64 = log.parameters.iter().map(count).sum();
    if total > 0 {
        figure("parameters", grouped(total), format!("in {} arrays", log.parameters.len()));
    }
    let seconds: f64 = log.epochs.iter().map(|e| e.seconds).sum();
    if seconds > 0.0 {
        let speeds: Vec<f64> = log.epochs.iter().map(|e| e.units_per_second).collect();
        let mean = speeds.iter().sum::<f64>() / speeds.len().max(1) as f64;
        figure("time", time(seconds), format!("{} {}/s", grouped(mean.round() as u64), log.units));
    }
    figures
}

fn samples(samples: &[Sample]) -> Markup {
    html! {
        @if !samples.is_empty() {
            section {
                h2 { "Samples" }
                @for (i, sample) in samples.iter().enumerate() { (one_sample(i, sample)) }
            }
        }
    }
}

fn one_sample(i: usize, sample: &Sample) -> Markup {
    match sample {
        Sample::Text { temperature, seed, text } => html! {
            figure {
                figcaption { "written by the model, temperature " (temperature) ", seed " (seed) }
                pre class="text" { (text) }
            }
        },
        Sample::Written { rows } => html! {
            div class="wide" {
                table {
                    thead { tr { th { "given" } th { "wanted" } th { "written" } } }
                    tbody {
                        @for row in rows {
                            tr class=(if row.wanted == row.written { "right" } else { "wrong" }) {
                                td { (row.given) } td { (row.wanted) } td { (row.written) }
                            }
                        }
                    }
                }
            }
        },
        Sample::Numbers { title, .. } => html! {
            figure {
                figcaption { (title) ", held-out data" }
                div class="chart" data-sample=(i) {}
            }
        },
        Sample::Confusion { title, classes, counts } => confusion(title, classes, counts),
    }
}

fn confusion(title: &str, classes: &[String], counts: &[Vec<u64>]) -> Markup {
    let all: u64 = counts.iter().flatten().sum();
    let right: u64 = counts.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum();
    let cell = |i: usize, j: usize, n: u64, sum: u64| {
        let share = format!("--share:{:.3}", n as f64 / sum as f64);
        html! {
            td class=(if i == j { "hit" } else { "miss" }) style=(share) {
                @if n == 0 { "·" } @else { (n) }
            }
        }
    };
    html! {
        figure {
            figcaption {
                (title) ", held-out data: " (right) " of " (all)
                " right. Rows are true classes, columns those that were taken."
            }
            div class="wide" {
                table class="confusion" {
                    thead { tr { td {} @for class in classes { th scope="col" { (class) } } } }
                    tbody {
                        @for (i, (class, row)) in classes.iter().zip(counts).enumerate() {
                            @let sum = row.iter().sum::<u64>().max(1);
                            tr {
                                th scope="row" { (class) }
                                @for (j, n) in row.iter().enumerate() { (cell(i, j, *n, sum)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn table(title: &str, rows: &[(String, String)]) -> Markup {
    html! {
        section {
            h2 { (title) }
            table class="facts" {
                tbody { @for (name, value) in rows { tr { th scope="row" { (name) } td { (value) } } } }
            }
        }
    }
}

fn settings(record: &Value) -> Vec<(String, String)> {
    let entries = |of: &Value| -> Vec<(String, String)> {
        let all = of.as_object().into_iter().flatten();
        all.map(|(name, v)| (name.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_string)))
            .collect()
    };
    let mut rows = entries(&record["settings"]);
    let statics = entries(&record["statics"]);
    rows.extend(statics.into_iter().map(|(name, v)| (name, v.trim_end_matches(".0").to_string())));
    rows
}

fn run(record: &Value, log: &Log) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() && value != "null" {
            rows.push((name.to_string(), value));
        }
    };
    row("data", log.data.clone());
    let starts = log.starts.iter().map(|s| match s.steps {
        0 => date(s.at),
        steps => format!("{} (after step {steps})", date(s.at)),
    });
    row("begun", starts.collect::<Vec<_>>().join("; "));
    row("ended", log.ended.as_ref().map_or_else(String::new, |e| date(e.at)));
    if let Some(Start { machine, threads, .. }) = log.starts.last() {
        row("machine", format!("{}, {} cores, {}", machine.processor, machine.cores, machine.system));
        row("threads", threads.to_string());
    }
    row("rnnc", bare(&record["rnnc"]));
    row("program", bare(&record["program"]).chars().take(16).collect());
    row("data hash", bare(&record["data"]).chars().take(16).collect());
    rows
}

fn parameters(title: &str, log: &Log) -> Markup {
    let total: u64 = log.parameters.iter().map(count).sum();
    html! {
        @if !log.parameters.is_empty() {
            section {
                h2 { "Model" }
                p { (title) " has " (grouped(total)) " parameters in " (log.parameters.len()) " arrays." }
                details {
                    summary { "All arrays" }
                    div class="wide" {
                        table {
                            thead { tr { th { "array" } th { "shape" } th class="n" { "numbers" } } }
                            tbody {
                                @for parameter in &log.parameters {
                                    tr {
                                        td { (parameter.0) }
                                        td { (crate::weights::show(&parameter.1)) }
                                        td class="n" { (grouped(count(parameter))) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn count((_, shape): &(String, Vec<usize>)) -> u64 {
    shape.iter().map(|n| *n as u64).product()
}

/// The commands that made the run, with the folders they were given in.
fn commands(starts: &[Start]) -> String {
    let command = |start: &Start| {
        let args = start.command.iter().skip(1).map(|a| quoted(a));
        std::iter::once("rnnc".to_string()).chain(args).collect::<Vec<_>>().join(" ")
    };
    let mut lines = Vec::new();
    let mut folder = "";
    for start in starts {
        if start.folder != folder {
            lines.push(format!("cd {}", quoted(&start.folder)));
            folder = &start.folder;
        }
        lines.push(command(start));
    }
    lines.join("\n")
}

fn reproduce(record: &Value, log: &Log) -> Markup {
    let Some(first) = log.starts.first() else { return html! {} };
    let how = match (first.steps, log.starts.len()) {
        (0, 1) => "",
        (0, _) => {
            "The run was gone on with: one command after another, each of which must come as far as it did here."
        }
        _ => {
            "How the run was begun is not known any more; this went on with it, so the settings above are what it can be begun \
             with again."
        }
    };
    html! {
        section {
            h2 { "How to make it again" }
            pre class="command" { (commands(&log.starts)) }
            @if !how.is_empty() { p { (how) } }
            p {
                @if first.steps == 0 {
                    "With rnnc " (bare(&record["rnnc"])) ", the same file and data, and one kind of processor it gives the same \
                     bits, on any number of threads; "
                    code { "--reproducible" }
                    " gives them on every x86-64 processor with AVX2. "
                }
                "The folder of a new run must not be there yet: move this one away, or name another with "
                code { "--out" }
                "."
            }
        }
    }
}

fn epochs(record: &Value, log: &Log) -> Markup {
    let all = epochs_of(record);
    let Some(first) = all.first() else { return html! {} };
    let nothing = Map::new();
    let names: Vec<&String> = first["train_metrics"].as_object().unwrap_or(&nothing).keys().collect();
    let part = part(record);
    let has_part = all.iter().any(|e| !e["held_out_loss"].is_null());
    let mut columns = vec!["epoch".to_string(), "loss".to_string()];
    columns.extend(names.iter().map(|n| n.to_string()));
    if has_part {
        columns.push(format!("{part} loss"));
        columns.extend(names.iter().map(|n| format!("{part} {n}")));
    }
    columns.extend(["gradient", "greatest", "seconds"].map(String::from));
    html! {
        section {
            h2 { "Epochs" }
            details open {
                summary { "All numbers" }
                div class="wide" {
                    table class="numbers" {
                        thead { tr { @for column in &columns { th scope="col" { (column) } } } }
                        tbody {
                            @for epoch in all {
                                tr class=[(epoch["epoch"] == record["best"]["epoch"]).then_some("best")] {
                                    td { (bare(&epoch["epoch"])) }
                                    @for value in row(epoch, &names, has_part, &log.epochs) {
                                        td { (value.map_or("–".to_string(), short)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The numbers of one epoch, in the order of the columns.
fn row(epoch: &Value, names: &[&String], has_part: bool, spent: &[Spent]) -> Vec<Option<f64>> {
    let mut row = Vec::new();
    let mut part = |loss: &str, metrics: &str| {
        row.push(number(&epoch[loss]));
        row.extend(names.iter().map(|n| number(&epoch[metrics][n.as_str()])));
    };
    part("train_loss", "train_metrics");
    if has_part {
        part("held_out_loss", "held_out_metrics");
    }
    let spent = spent.iter().find(|s| Some(s.epoch) == epoch["epoch"].as_u64());
    row.extend([mean_norm(epoch), number(&epoch["norms"]["greatest"]), spent.map(|s| s.seconds)]);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn start(steps: u64, command: &[&str]) -> Start {
        let command = command.iter().map(|a| a.to_string()).collect();
        Start { command, folder: "/runs".into(), steps, ..Start::default() }
    }

    #[test]
    fn a_run_that_was_gone_on_with_is_made_by_all_its_commands() {
        let record = json!({ "model": "M", "rnnc": "1", "epochs": [], "best": null });
        let first = start(0, &["rnnc", "train", "m.rnn", "--out", "r"]);
        let second = start(8, &["rnnc", "train", "m.rnn", "--resume", "r"]);
        let of = |starts: Vec<Start>| page(&record, &Log { starts, ..Log::default() });
        let one = of(vec![first.clone()]);
        assert!(
            one.contains("cd /runs\nrnnc train m.rnn --out r</pre>") && one.contains("the same bits"),
            "{one}"
        );
        assert!(one.contains("must not be there"), "{one}");
        let both = of(vec![first, second.clone()]);
        assert!(both.contains("--out r\nrnnc train m.rnn --resume r</pre>"), "{both}");
        let last = of(vec![second]);
        assert!(last.contains("not known any more") && !last.contains("the same bits"), "{last}");
        // Nothing has been drawn yet, so there is nothing to switch.
        assert!(!last.contains("logarithmic"), "{last}");
    }

    #[test]
    fn texts_are_no_markup() {
        let record = json!({ "model": "<b>", "file": "a&b", "epochs": [], "best": null });
        let log = Log {
            samples: vec![Sample::Text { temperature: 1.0, seed: 1, text: "</pre><script>".into() }],
            ..Log::default()
        };
        let page = page(&record, &log);
        assert!(page.contains("&lt;b&gt;") && page.contains("a&amp;b") && !page.contains("</pre><script>"));
    }
}
