//! What the page's script draws: charts with series of points, as JSON.

use super::super::watch::log::{Log, Point, Sample};
use super::words::number;
use serde_json::{Value, json};

/// Whether any chart has something to draw.
pub fn has_points(drawn: &Value) -> bool {
    let series = |chart: &Value| chart["series"].as_array().cloned().unwrap_or_default();
    let charts = drawn["charts"].as_array().into_iter().flatten();
    charts.flat_map(series).any(|s| s["points"].as_array().is_some_and(|p| !p.is_empty()))
}

/// What the script draws: charts with series of points.
pub fn drawn(record: &Value, log: &Log) -> Value {
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
    let by_step = |f: &dyn Fn(&Point) -> Option<f64>| -> Vec<Value> {
        let point = |p: &Point| Some(json!([p.step as f64 / per_epoch, f(p).filter(|v| v.is_finite())?]));
        log.steps.points.iter().filter_map(point).collect()
    };
    let series = |name: &str, class: &str, points: Vec<Value>| json!({ "name": name, "class": class, "points": points });
    let mut charts: Vec<Value> = Vec::new();
    for name in metrics {
        let of = |e: &Value, loss: &str, metrics: &str| match name {
            None => number(&e[loss]),
            Some(name) => number(&e[metrics][name.as_str()]),
        };
        let step = |p: &Point| match name {
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

pub fn mean_norm(epoch: &Value) -> Option<f64> {
    let steps = epoch["norms"]["steps"].as_f64().filter(|n| *n > 0.0)?;
    Some(number(&epoch["norms"]["sum"])? / steps)
}

pub fn epochs_of(record: &Value) -> &[Value] {
    record["epochs"].as_array().map_or(&[], Vec::as_slice)
}

/// The part that is measured after each epoch: a validation part chooses, so its best epoch may be any.
pub fn part(record: &Value) -> &'static str {
    if record["watched"] == "validation" { "validation" } else { "test" }
}
