//! Pictures: loss over epochs, of training and held-out data; gradients over steps; heat maps; fronts of a schedule; trees;
//! rooflines.

mod fronts;
mod heat;
mod nodes;
mod pen;
mod roofline;
mod trees;

pub use fronts::fronts;
pub use heat::heat;
pub use roofline::{Point, roofline};
pub use trees::{OnTree, trees};

use crate::diag::Diagnostic;
use crate::flow::Flow;
use crate::train::checkpoint::Epoch;
use plotters::prelude::*;

const TRAIN: RGBColor = RGBColor(31, 119, 180);
const HELD_OUT: RGBColor = RGBColor(214, 39, 40);

/// An SVG text. The same history gives the same text.
pub fn losses(title: &str, history: &[Epoch]) -> Result<String, Diagnostic> {
    let train: Vec<(f64, f64)> = history.iter().map(|e| (e.epoch as f64, e.train_loss)).collect();
    let held_out: Vec<(f64, f64)> =
        history.iter().filter_map(|e| Some((e.epoch as f64, e.held_out_loss?))).collect();
    let mut text = String::new();
    draw(&mut text, title, &train, &held_out)
        .map_err(|e| crate::weights::errors::unwritable("loss.svg", &e.to_string()))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    title: &str,
    train: &[(f64, f64)],
    held_out: &[(f64, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let values = || train.iter().chain(held_out).map(|(_, v)| *v).filter(|v| v.is_finite());
    let (lo, hi) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let (lo, hi) = if lo <= hi { (lo, hi) } else { (0.0, 1.0) };
    let pad = ((hi - lo) * 0.05).max(1e-6);
    let last = train.last().map_or(1.0, |(e, _)| *e).max(2.0);
    let area = SVGBackend::with_string(text, (720, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption(title, ("sans-serif", 20))
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(1.0..last, (lo - pad)..(hi + pad))?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc("loss")
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{v:.3}"))
        .light_line_style(WHITE)
        .draw()?;
    for (points, colour, name) in [(train, TRAIN, "training"), (held_out, HELD_OUT, "held out")] {
        if !points.is_empty() {
            chart
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
    }
    // A loss falls.
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Norms of gradients over steps, and of the product of Jacobians, on a logarithmic scale.
pub fn flow(title: &str, flow: &Flow) -> Result<String, Diagnostic> {
    let points = |values: &mut dyn Iterator<Item = f64>| -> Vec<(f64, f64)> {
        // A logarithm has no 0: what has vanished is not drawn.
        let all = values.enumerate().map(|(t, v)| (t as f64 + 1.0, v));
        all.filter(|(_, v)| v.is_finite() && *v > 0.0).collect()
    };
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = flow
        .states
        .iter()
        .map(|state| (format!("gradient of {}", state.name), points(&mut state.values.iter().copied())))
        .collect();
    if let Some(line) = flow.along_chain() {
        lines.push(("product of Jacobians".into(), points(&mut line.iter().map(|s| s.product))));
    }
    let steps = flow.axes.first().map_or(0, |axis| axis.length);
    let mut text = String::new();
    draw_flow(&mut text, title, steps, &lines)
        .map_err(|e| crate::weights::errors::unwritable("picture", &e.to_string()))?;
    Ok(text)
}

fn draw_flow(
    text: &mut String,
    title: &str,
    steps: usize,
    lines: &[(String, Vec<(f64, f64)>)],
) -> Result<(), Box<dyn std::error::Error>> {
    let values = || lines.iter().flat_map(|(_, points)| points).map(|(_, v)| *v);
    let (lo, hi) = values().fold((f64::INFINITY, 0.0f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let (lo, hi) = if lo <= hi { (lo / 2.0, hi * 2.0) } else { (0.1, 1.0) };
    let area = SVGBackend::with_string(text, (720, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption(title, ("sans-serif", 20))
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(1.0..(steps as f64).max(2.0), (lo..hi).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("step")
        .y_desc("norm")
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{v:.0e}"))
        .light_line_style(WHITE)
        .draw()?;
    for (k, (name, points)) in lines.iter().enumerate() {
        let colour = Palette99::pick(k).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    // Lines that rise leave the lower right free, lines that fall the upper right.
    let ends = lines.first().and_then(|(_, points)| Some((points.first()?.1, points.last()?.1)));
    let position = match ends {
        Some((first, last)) if first > last => SeriesLabelPosition::UpperRight,
        _ => SeriesLabelPosition::LowerRight,
    };
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_holds_both_curves() {
        let epoch = |n: u64, a: f64, b: Option<f64>| Epoch {
            epoch: n,
            train_loss: a,
            train_metrics: Default::default(),
            held_out_loss: b,
            held_out_metrics: Default::default(),
            norms: Default::default(),
        };
        let history = [epoch(1, 3.0, Some(3.1)), epoch(2, 2.0, Some(2.2)), epoch(3, f64::NAN, None)];
        let svg = losses("M", &history).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("held out") && svg.contains("training"), "{svg}");
        assert_eq!(svg, losses("M", &history).unwrap());
        assert!(losses("M", &history[..1]).is_ok());
    }
}
