//! A roofline: what stages reach beside what the machine can do, over flops a byte (Williams, Waterman, Patterson 2009).

use crate::diag::Diagnostic;
use crate::schedule::cost::{Machine, shortened};
use plotters::prelude::*;

/// A stage in the picture.
pub struct Point {
    pub title: String,
    /// Flops a byte.
    pub intensity: f64,
    pub gflops: f64,
    /// Of a call's time; decides the size of the dot.
    pub share: f64,
}

const ROOF: RGBColor = RGBColor(90, 90, 90);
/// Points that the legend tells.
const TOLD: usize = 8;

/// An SVG text. Points without flops or bytes are left out.
pub fn roofline(title: &str, machine: &Machine, points: &[Point]) -> Result<String, Diagnostic> {
    let mut text = String::new();
    let positive = |p: &&Point| [p.intensity, p.gflops].iter().all(|v| v.is_finite() && *v > 0.0);
    let points: Vec<&Point> = points.iter().filter(positive).collect();
    draw(&mut text, title, machine, &points)
        .map_err(|e| crate::weights::errors::unwritable("picture", &e.to_string()))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    title: &str,
    machine: &Machine,
    points: &[&Point],
) -> Result<(), Box<dyn std::error::Error>> {
    let peak = machine.peak_gflops.max(1.0);
    let over = |pick: fn(&Point) -> f64, lo: f64, hi: f64| {
        points.iter().fold((lo, hi), |(lo, hi), p| (lo.min(pick(p) / 1.5), hi.max(pick(p) * 1.5)))
    };
    let (x_lo, x_hi) = over(|p| p.intensity, 0.05, 100.0);
    let (y_lo, y_hi) = over(|p| p.gflops, peak / 100.0, peak * 2.0);
    let area = SVGBackend::with_string(text, (840, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption(title, ("sans-serif", 20))
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d((x_lo..x_hi).log_scale(), (y_lo..y_hi).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("flops or instructions a byte")
        .y_desc("GFLOP/s")
        .x_label_formatter(&|v| format!("{v}"))
        .y_label_formatter(&|v| format!("{v}"))
        .light_line_style(WHITE)
        .draw()?;
    for memory in machine.memories.iter().filter(|m| m.gb_per_s > 0.0) {
        let ridge = (peak / memory.gb_per_s).clamp(x_lo, x_hi);
        let from = (x_lo.max(y_lo / memory.gb_per_s)).min(ridge);
        let roof =
            [(from, from * memory.gb_per_s), (ridge, (ridge * memory.gb_per_s).min(peak)), (x_hi, peak)];
        chart.draw_series(LineSeries::new(roof, ROOF.stroke_width(1)))?;
        let label = format!("{} {:.0} GB/s", memory.name, memory.gb_per_s);
        chart.draw_series([Text::new(label, roof[0], ("sans-serif", 12).into_font().color(&ROOF))])?;
    }
    let label = format!("{peak:.0} GFLOP/s");
    let place = (x_lo * 1.1, peak * 1.15);
    chart.draw_series([Text::new(label, place, ("sans-serif", 12).into_font().color(&ROOF))])?;
    let mut order: Vec<&&Point> = points.iter().collect();
    order.sort_by(|a, b| b.share.total_cmp(&a.share));
    for (k, point) in order.into_iter().enumerate() {
        let colour = Palette99::pick(k).to_rgba();
        let size = 4 + (point.share.clamp(0.0, 1.0).sqrt() * 14.0) as i32;
        let dots = [Circle::new((point.intensity, point.gflops), size, colour.mix(0.7).filled())];
        let drawn = chart.draw_series(dots)?;
        if k < TOLD {
            let name = format!("{:.0} % {}", point.share * 100.0, shortened(&point.title, 48));
            drawn.label(name).legend(move |(x, y)| Circle::new((x + 8, y), 5, colour.mix(0.7).filled()));
        }
    }
    if !points.is_empty() {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.9))
            .border_style(BLACK.mix(0.3))
            .draw()?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_a_roof_for_each_memory_and_a_dot_for_each_stage() {
        let point =
            |title: &str, intensity, gflops| Point { title: title.into(), intensity, gflops, share: 0.3 };
        let points =
            [point("a product", 8.0, 90.0), point("a <kernel>", 0.4, 10.0), point("a copy", 0.0, f64::NAN)];
        let machine = Machine::nominal();
        let svg = roofline("M", &machine, &points).unwrap();
        for part in ["L1", "L2", "L3", "memory", "a product", "a &lt;kernel&gt;", "112 GFLOP/s"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert!(!svg.contains("a copy"));
        assert_eq!(svg, roofline("M", &machine, &points).unwrap());
        assert!(roofline("none", &machine, &[]).is_ok());
    }
}
