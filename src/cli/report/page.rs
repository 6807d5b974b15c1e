//! The page as HTML.
//!
//! What a reader looks up is written here as text and tables; what is drawn is handed to the script as numbers. Without the
//! script the tables remain.

use super::super::watch::log::{How, Log, Sample, Start};
use crate::doc::grouped;
use crate::typeset::mathml::escaped as escape;
use serde_json::{Value, json};
use std::fmt::Write;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// `record` is what `run.json` holds; nothing of it is taken for granted.
pub fn page(record: &Value, log: &Log) -> String {
    let title = text(&record["model"]);
    let mut body = String::new();
    header(&mut body, &title, record, log);
    let drawn = drawn(record, log);
    if has_points(&drawn) {
        body += "<section id=curves><h2>Curves</h2><div class=switch role=group aria-label=Scale>\
                 <button type=button data-scale=linear aria-pressed=true>linear</button>\
                 <button type=button data-scale=log aria-pressed=false>logarithmic</button></div>\
                 <div class=charts></div><noscript>The curves want a script; the numbers are in the table of epochs.</noscript></section>";
    }
    samples(&mut body, &log.samples);
    body += "<div class=columns>";
    table(&mut body, "Settings", &settings(record));
    table(&mut body, "Run", &run(record, log));
    body += "</div>";
    parameters(&mut body, record, log);
    reproduce(&mut body, record, log);
    epochs(&mut body, record, log);
    // A closing tag in a text would end the script.
    let data = drawn.to_string().replace('<', "\\u003c");
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\"><meta name=color-scheme content=\"light dark\">\
         <title>{title}: training report</title><style>{STYLE}</style></head>\n<body><main>\n{body}\n</main>\
         <script type=application/json id=data>{data}</script><script>{SCRIPT}</script></body></html>\n"
    )
}

fn header(body: &mut String, title: &str, record: &Value, log: &Log) {
    let (state, why) = match &log.ended {
        Some(e) if e.how == How::Complete => ("complete", String::new()),
        Some(e) if e.how == How::Stopped => ("stopped", String::new()),
        Some(e) => ("went wrong", format!("<pre class=why>{}</pre>", escape(&e.why))),
        None => ("under way", String::new()),
    };
    let class = state.replace(' ', "-");
    let _ = write!(
        body,
        "<header><h1>{title} <span class=\"state {class}\">{state}</span></h1><p>{}</p>{why}</header>",
        text(&record["file"])
    );
    body.push_str("<dl class=figures>");
    let mut figure = |name: &str, value: String, more: String| {
        let _ = write!(body, "<div><dt>{name}</dt><dd>{value}</dd><dd class=more>{more}</dd></div>");
    };
    let part = part(record);
    let best = number(&record["best"]["loss"]);
    match (best, epochs_of(record).last()) {
        (Some(best), _) if part == "validation" => {
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
            metrics.filter_map(|(name, v)| Some(format!("{} {}", escape(name), short(number(v)?)))).collect();
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
        figure("time", time(seconds), format!("{} {}/s", grouped(mean.round() as u64), escape(&log.units)));
    }
    body.push_str("</dl>");
}

/// The part that is measured after each epoch: a validation part chooses, so its best epoch may be any.
fn part(record: &Value) -> &'static str {
    if record["watched"] == "validation" { "validation" } else { "test" }
}

fn samples(body: &mut String, samples: &[Sample]) {
    if samples.is_empty() {
        return;
    }
    body.push_str("<section><h2>Samples</h2>");
    for (i, sample) in samples.iter().enumerate() {
        match sample {
            Sample::Text { temperature, seed, text } => {
                let _ = write!(
                    body,
                    "<figure><figcaption>written by the model, temperature {temperature}, seed {seed}</figcaption>\
                     <pre class=text>{}</pre></figure>",
                    escape(text)
                );
            }
            Sample::Written { rows } => {
                body.push_str(
                    "<div class=wide><table><thead><tr><th>given<th>wanted<th>written</tr></thead><tbody>",
                );
                for row in rows {
                    let class = if row.wanted == row.written { "right" } else { "wrong" };
                    let _ = write!(
                        body,
                        "<tr class={class}><td>{}<td>{}<td>{}</tr>",
                        escape(&row.given),
                        escape(&row.wanted),
                        escape(&row.written)
                    );
                }
                body.push_str("</tbody></table></div>");
            }
            Sample::Numbers { title, .. } => {
                let _ = write!(
                    body,
                    "<figure><figcaption>{}, held-out data</figcaption><div class=chart data-sample={i}></div></figure>",
                    escape(title)
                );
            }
            Sample::Confusion { title, classes, counts } => confusion(body, title, classes, counts),
        }
    }
    body.push_str("</section>");
}

fn confusion(body: &mut String, title: &str, classes: &[String], counts: &[Vec<u64>]) {
    let all: u64 = counts.iter().flatten().sum();
    let right: u64 = counts.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum();
    let _ = write!(
        body,
        "<figure><figcaption>{}, held-out data: {right} of {all} right. Rows are true classes, columns those that were \
         taken.</figcaption><div class=wide><table class=confusion><thead><tr><td>",
        escape(title)
    );
    classes.iter().for_each(|c| {
        let _ = write!(body, "<th scope=col>{}", escape(c));
    });
    body.push_str("</tr></thead><tbody>");
    for (i, (class, row)) in classes.iter().zip(counts).enumerate() {
        let _ = write!(body, "<tr><th scope=row>{}", escape(class));
        let sum = row.iter().sum::<u64>().max(1);
        for (j, n) in row.iter().enumerate() {
            let share = *n as f64 / sum as f64;
            let class = if i == j { "hit" } else { "miss" };
            let shown = if *n == 0 { "·".to_string() } else { n.to_string() };
            let _ = write!(body, "<td class={class} style=\"--share:{share:.3}\">{shown}");
        }
        body.push_str("</tr>");
    }
    body.push_str("</tbody></table></div></figure>");
}

fn table(body: &mut String, title: &str, rows: &[(String, String)]) {
    let _ = write!(body, "<section><h2>{title}</h2><table class=facts><tbody>");
    for (name, value) in rows {
        let _ = write!(body, "<tr><th scope=row>{}<td>{}</tr>", escape(name), escape(value));
    }
    body.push_str("</tbody></table></section>");
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

fn parameters(body: &mut String, record: &Value, log: &Log) {
    if log.parameters.is_empty() {
        return;
    }
    let total: u64 = log.parameters.iter().map(count).sum();
    let _ = write!(
        body,
        "<section><h2>Model</h2><p>{} has {} parameters in {} arrays.</p><details><summary>All arrays</summary><div class=wide>\
         <table><thead><tr><th>array<th>shape<th class=n>numbers</tr></thead><tbody>",
        text(&record["model"]),
        grouped(total),
        log.parameters.len()
    );
    for parameter in &log.parameters {
        let shape: Vec<String> = parameter.1.iter().map(usize::to_string).collect();
        let _ = write!(
            body,
            "<tr><td>{}<td>[{}]<td class=n>{}</tr>",
            escape(&parameter.0),
            shape.join(", "),
            grouped(count(parameter))
        );
    }
    body.push_str("</tbody></table></div></details></section>");
}

fn reproduce(body: &mut String, record: &Value, log: &Log) {
    let Some(first) = log.starts.first() else { return };
    let command = |start: &Start| {
        let args = start.command.iter().skip(1).map(|a| quoted(a));
        std::iter::once("rnnc".to_string()).chain(args).collect::<Vec<_>>().join(" ")
    };
    let mut lines = Vec::new();
    let mut folder = "";
    for start in &log.starts {
        if start.folder != folder {
            lines.push(format!("cd {}", quoted(&start.folder)));
            folder = &start.folder;
        }
        lines.push(command(start));
    }
    let how = match (first.steps, log.starts.len()) {
        (0, 1) => "",
        (0, _) => {
            "<p>The run was gone on with: one command after another, each of which must come as far as it did here.</p>"
        }
        _ => {
            "<p>How the run was begun is not known any more; this went on with it, so the settings above are what it can be \
              begun with again.</p>"
        }
    };
    let same = match first.steps {
        0 => "With rnnc {}, the same file and data, and one kind of processor it gives the same bits, on any number of threads; \
              <code>--reproducible</code> gives them on every x86-64 processor with AVX2. "
            .replace("{}", &text(&record["rnnc"])),
        _ => String::new(),
    };
    let _ = write!(
        body,
        "<section><h2>How to make it again</h2><pre class=command>{}</pre>{how}<p>{same}The folder of a new run must not be there \
         yet: move this one away, or name another with <code>--out</code>.</p></section>",
        escape(&lines.join("\n")),
    );
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn epochs(body: &mut String, record: &Value, log: &Log) {
    let all = epochs_of(record);
    let Some(first) = all.first() else { return };
    let names: Vec<&String> =
        first["train_metrics"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    let part = part(record);
    body.push_str("<section><h2>Epochs</h2><details open><summary>All numbers</summary><div class=wide><table class=numbers><thead><tr><th>epoch<th>loss");
    let header = |body: &mut String, part: &str| {
        names.iter().for_each(|n| {
            let _ = write!(body, "<th>{}{}", part, escape(n));
        });
    };
    header(body, "");
    let has_part = all.iter().any(|e| !e["held_out_loss"].is_null());
    if has_part {
        let _ = write!(body, "<th>{part} loss");
        header(body, &format!("{part} "));
    }
    body.push_str("<th>gradient<th>greatest<th>seconds</tr></thead><tbody>");
    for epoch in all {
        let best = if epoch["epoch"] == record["best"]["epoch"] { " class=best" } else { "" };
        let _ = write!(body, "<tr{best}><td>{}", text(&epoch["epoch"]));
        let mut cell = |v: Option<f64>| {
            let _ = write!(body, "<td>{}", v.map_or("–".to_string(), short));
        };
        let of = |v: &Value| number(v);
        cell(of(&epoch["train_loss"]));
        names.iter().for_each(|n| cell(of(&epoch["train_metrics"][n.as_str()])));
        if has_part {
            cell(of(&epoch["held_out_loss"]));
            names.iter().for_each(|n| cell(of(&epoch["held_out_metrics"][n.as_str()])));
        }
        cell(mean_norm(epoch));
        cell(of(&epoch["norms"]["greatest"]));
        let spent = log.epochs.iter().find(|s| Some(s.epoch) == epoch["epoch"].as_u64());
        cell(spent.map(|s| s.seconds));
        body.push_str("</tr>");
    }
    body.push_str("</tbody></table></div></details></section>");
}

fn mean_norm(epoch: &Value) -> Option<f64> {
    let steps = epoch["norms"]["steps"].as_f64().filter(|n| *n > 0.0)?;
    Some(number(&epoch["norms"]["sum"])? / steps)
}

fn epochs_of(record: &Value) -> &[Value] {
    record["epochs"].as_array().map_or(&[], Vec::as_slice)
}

/// Whether any chart has something to draw.
fn has_points(drawn: &Value) -> bool {
    let series = |chart: &Value| chart["series"].as_array().cloned().unwrap_or_default();
    let charts = drawn["charts"].as_array().into_iter().flatten();
    charts.flat_map(series).any(|s| s["points"].as_array().is_some_and(|p| !p.is_empty()))
}

/// What the script draws: charts with series of points.
fn drawn(record: &Value, log: &Log) -> Value {
    let epochs = epochs_of(record);
    // Points by step go along the same axis as those by epoch.
    let per_epoch = log.steps_per_epoch.max(1) as f64;
    let mut metrics: Vec<Option<&String>> = vec![None];
    let of_first = epochs.first().and_then(|e| e["train_metrics"].as_object());
    match of_first {
        Some(named) => metrics.extend(named.keys().map(Some)),
        // Not even one epoch is over.
        None => metrics.extend(log.steps.points.first().into_iter().flat_map(|p| p.metrics.keys()).map(Some)),
    }
    let points = |f: &dyn Fn(&Value) -> Option<f64>| -> Vec<Value> {
        let point = |e: &Value| Some(json!([e["epoch"].as_f64()?, f(e).filter(|v| v.is_finite())?]));
        epochs.iter().filter_map(point).collect()
    };
    let by_step = |f: &dyn Fn(&super::super::watch::log::Point) -> Option<f64>| -> Vec<Value> {
        let point = |p: &super::super::watch::log::Point| {
            Some(json!([p.step as f64 / per_epoch, f(p).filter(|v| v.is_finite())?]))
        };
        log.steps.points.iter().filter_map(point).collect()
    };
    let series = |name: &str, class: &str, points: Vec<Value>| json!({ "name": name, "class": class, "points": points });
    let mut charts: Vec<Value> = Vec::new();
    for name in metrics {
        let of = |e: &Value, loss: &str, metrics: &str| match name {
            None => number(&e[loss]),
            Some(name) => number(&e[metrics][name.as_str()]),
        };
        let step = |p: &super::super::watch::log::Point| match name {
            None => Some(p.loss),
            Some(name) => p.metrics.get(name).copied(),
        };
        charts.push(json!({
            "title": name.map_or("loss", String::as_str),
            "x": "epoch",
            "series": [
                series("training, by step", "faint", by_step(&step)),
                series("training", "train", points(&|e| of(e, "train_loss", "train_metrics"))),
                series(part(record), "held", points(&|e| of(e, "held_out_loss", "held_out_metrics"))),
            ],
        }));
    }
    charts.push(json!({
        "title": "norm of the gradient",
        "x": "epoch",
        "series": [
            series("by step", "faint", by_step(&|p| Some(p.norm))),
            series("mean", "train", points(&mean_norm)),
            series("greatest", "held", points(&|e| number(&e["norms"]["greatest"]))),
        ],
    }));
    let speed: Vec<Value> = log.epochs.iter().map(|e| json!([e.epoch, e.units_per_second])).collect();
    let unit = format!("{}/s", log.units);
    charts.push(json!({ "title": "speed", "x": "epoch", "series": [series(&unit, "train", speed)] }));
    let samples: Vec<Value> = log.samples.iter().map(sample).collect();
    json!({ "charts": charts, "samples": samples })
}

fn sample(sample: &Sample) -> Value {
    let Sample::Numbers { title, along, wanted, given } = sample else { return Value::Null };
    if along == "example" {
        let pairs: Vec<Value> = wanted.iter().zip(given).map(|(w, g)| json!([w, g])).collect();
        let (lo, hi) =
            wanted.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(*v), hi.max(*v)));
        return json!({
            "title": title, "x": "wanted", "y": "given", "scatter": true,
            "series": [
                { "name": "equal", "class": "guide", "points": [[lo, lo], [hi, hi]] },
                { "name": "an example", "class": "train", "points": pairs },
            ],
        });
    }
    let points =
        |values: &[f64]| values.iter().enumerate().map(|(i, v)| json!([i + 1, v])).collect::<Vec<_>>();
    json!({
        "title": title, "x": along,
        "series": [
            { "name": "wanted", "class": "held", "points": points(wanted) },
            { "name": "given", "class": "train", "points": points(given) },
        ],
    })
}

fn count((_, shape): &(String, Vec<usize>)) -> u64 {
    shape.iter().map(|n| *n as u64).product()
}

/// A number of a record, which has words for those that JSON has none for.
fn number(v: &Value) -> Option<f64> {
    v.as_f64().or_else(|| v.as_str()?.parse().ok())
}

fn bare(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_string)
}

fn text(v: &Value) -> String {
    escape(&bare(v))
}

fn short(v: f64) -> String {
    match v.abs() {
        x if !v.is_finite() || x == 0.0 => v.to_string(),
        x if (1000.0..1e7).contains(&x) => format!("{v:.0}"),
        x if (0.001..1000.0).contains(&x) => format!("{v:.4}"),
        _ => format!("{v:.2e}"),
    }
}

fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// `2026-11-30 12:34 UTC` (H. Hinnant, chrono-compatible low-level date algorithms).
fn date(at: u64) -> String {
    let (days, rest) = ((at / 86_400) as i64, at % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_798_761_540), "2026-12-31 23:59 UTC");
    }

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
    fn texts_are_no_markup_and_words_are_words() {
        let record = json!({ "model": "<b>", "file": "a&b", "epochs": [], "best": null });
        let log = Log {
            samples: vec![Sample::Text { temperature: 1.0, seed: 1, text: "</pre><script>".into() }],
            ..Log::default()
        };
        let page = page(&record, &log);
        assert!(page.contains("&lt;b&gt;") && page.contains("a&amp;b") && !page.contains("</pre><script>"));
        assert_eq!(quoted("--set"), "--set");
        assert_eq!(quoted("Some(lr = 1)"), "'Some(lr = 1)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
