//! Curves in the terminal, in the dots of Braille letters: two by four to a letter.
//!
//! In: series of points, and the room there is. Out: lines of text of exactly that width, a title and rows with a scale on their
//! left. Braille letters keep a curve readable in five rows; the crates that draw with them are built on one that has
//! had no release for years, and colour whole drawings, so these few lines do it.

use super::log::Log;
use crate::train::checkpoint::Epoch;

/// A line through some points; later ones are drawn over earlier ones.
pub struct Series {
    pub name: &'static str,
    /// Number of a colour as terminals count them.
    pub colour: u8,
    pub points: Vec<(f64, f64)>,
}

pub struct Chart {
    pub title: String,
    pub series: Vec<Series>,
}

const TRAINING: u8 = 36;
const HELD_OUT: u8 = 33;
/// Columns of the scale.
const SCALE: usize = 8;
const NARROWEST: usize = 34;
/// Further charts are left out.
const MOST: usize = 3;
/// A greater ratio of the greatest to the least is drawn by orders of magnitude.
const WIDE: f64 = 20.0;

/// Loss and metrics by steps, side by side as far as there is room: training as it goes, held-out data after each epoch.
pub fn charts(log: &Log, history: &[Epoch], held_out: &'static str) -> Vec<Chart> {
    let mut names: Vec<Option<String>> = vec![None];
    let metrics = log.steps.points.last().map(|p| p.metrics.keys().cloned().map(Some));
    names.extend(metrics.into_iter().flatten());
    let chart = |name: &Option<String>| {
        let by_step = log.steps.points.iter().filter_map(|p| {
            let value = name.as_ref().map_or(Some(p.loss), |n| p.metrics.get(n).copied())?;
            Some((p.step as f64, value))
        });
        let by_epoch = history.iter().filter_map(|e| {
            let value = match name {
                None => e.held_out_loss?,
                Some(name) => e.held_out_metrics.get(name).copied()?,
            };
            Some(((e.epoch * log.steps_per_epoch) as f64, value))
        });
        let finite =
            |points: &mut dyn Iterator<Item = (f64, f64)>| points.filter(|(_, v)| v.is_finite()).collect();
        Chart {
            title: name.clone().unwrap_or_else(|| "loss".to_string()),
            series: vec![
                Series { name: "training", colour: TRAINING, points: finite(&mut { by_step }) },
                Series { name: held_out, colour: HELD_OUT, points: finite(&mut { by_epoch }) },
            ],
        }
    };
    names.iter().take(MOST).map(chart).collect()
}

/// Rows of text, as many as `rows` and one for the titles.
pub fn draw(charts: &[Chart], columns: usize, rows: usize) -> Vec<String> {
    let count = charts.len().min(columns / NARROWEST).max(1);
    let width = columns / count;
    let drawn: Vec<Vec<String>> = charts.iter().take(count).map(|chart| one(chart, width, rows)).collect();
    (0..=rows)
        .map(|row| drawn.iter().map(|lines| lines.get(row).map_or("", String::as_str)).collect())
        .collect()
}

fn one(chart: &Chart, width: usize, rows: usize) -> Vec<String> {
    let cells = width.saturating_sub(SCALE + 2).max(1);
    let values = || chart.series.iter().flat_map(|s| &s.points);
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        values().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
    };
    let ((left, right), (lo, hi)) = (bounds(|p| p.0), bounds(|p| p.1));
    let is_wide = lo > 0.0 && hi / lo > WIDE;
    let height = |v: f64| if is_wide { v.ln() } else { v };
    let (low, high) = (height(lo), height(hi));
    let part = |v: f64, from: f64, to: f64| if to > from { (v - from) / (to - from) } else { 0.5 };
    let mut canvas = Canvas::new(cells, rows);
    for series in &chart.series {
        let dots: Vec<(f64, f64)> =
            series.points.iter().map(|(x, y)| (part(*x, left, right), part(height(*y), low, high))).collect();
        canvas.line(&dots, series.colour);
    }
    let title = legend(chart, width);
    let mut lines = vec![title];
    for row in 0..rows {
        let label = match row {
            _ if lo > hi => String::new(),
            0 => number(hi),
            r if r + 1 == rows => number(lo),
            _ => String::new(),
        };
        lines.push(format!("{label:>SCALE$} {} ", canvas.row(row)));
    }
    lines
}

/// `loss  ●training  ●validation`, as wide as the chart.
fn legend(chart: &Chart, width: usize) -> String {
    let mut text = format!("  {}", chart.title);
    let mut taken = text.chars().count();
    for series in chart.series.iter().filter(|s| !s.points.is_empty()) {
        let more = series.name.chars().count() + 3;
        if taken + more < width {
            text += &format!("  {}", coloured(&format!("●{}", series.name), series.colour));
            taken += more;
        }
    }
    text + &" ".repeat(width.saturating_sub(taken))
}

fn number(v: f64) -> String {
    let text = match v.abs() {
        x if x == 0.0 || (0.001..10_000.0).contains(&x) => format!("{v:.4}"),
        _ => format!("{v:.1e}"),
    };
    text.chars().take(SCALE).collect()
}

fn coloured(text: &str, colour: u8) -> String {
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// Dots, and for each letter the colour of the last that was set in it.
struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<(u8, u8)>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Canvas {
        Canvas { columns, rows, cells: vec![(0, 0); columns * rows] }
    }

    /// A line through points of 0..1, with 0 at the lower left.
    fn line(&mut self, points: &[(f64, f64)], colour: u8) {
        let place = |(x, y): (f64, f64)| {
            let (wide, high) = ((2 * self.columns - 1) as f64, (4 * self.rows - 1) as f64);
            ((x * wide).round() as i64, ((1.0 - y) * high).round() as i64)
        };
        let places: Vec<(i64, i64)> = points.iter().copied().map(place).collect();
        let mut before = None;
        for (x, y) in places {
            let (from_x, from_y) = before.unwrap_or((x, y));
            let steps = (x - from_x).abs().max((y - from_y).abs());
            for k in 0..=steps {
                let along = |from: i64, to: i64| from + ((to - from) * k + steps.max(1) / 2) / steps.max(1);
                self.dot(along(from_x, x), along(from_y, y), colour);
            }
            before = Some((x, y));
        }
    }

    fn dot(&mut self, x: i64, y: i64, colour: u8) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        // Dots of a Braille letter are numbered down its columns, the lowest two last.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        if x / 2 >= self.columns {
            return;
        }
        if let Some(cell) = self.cells.get_mut(y / 4 * self.columns + x / 2) {
            *cell = (cell.0 | BITS[y % 4][x % 2], colour);
        }
    }

    fn row(&self, row: usize) -> String {
        let cells = self.cells.get(row * self.columns..(row + 1) * self.columns).unwrap_or(&[]);
        let mut text = String::new();
        for cells in cells.chunk_by(|a, b| a.1 == b.1) {
            let letters: String =
                cells.iter().filter_map(|(dots, _)| char::from_u32(0x2800 + u32::from(*dots))).collect();
            text += &if cells[0].1 == 0 { letters } else { coloured(&letters, cells[0].1) };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(text: &str) -> String {
        let mut parts = text.split("\x1b[");
        let first = parts.next().unwrap_or("").to_string();
        parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
    }

    #[test]
    fn a_line_that_falls_goes_from_the_upper_left_to_the_lower_right() {
        let points = (0..=8).map(|i| (f64::from(i), f64::from(8 - i))).collect();
        let chart =
            Chart { title: "loss".into(), series: vec![Series { name: "training", colour: 36, points }] };
        let lines: Vec<String> = draw(&[chart], 34, 3).iter().map(|l| bare(l)).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|l| l.chars().count() == 34), "{lines:?}");
        assert!(lines[0].contains("loss  ●training"));
        assert!(lines[1].starts_with("  8.0000 ") && lines[3].starts_with("  0.0000 "), "{lines:?}");
        let dots = |line: &str| line.chars().position(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        assert!(dots(&lines[1]) < dots(&lines[2]) && dots(&lines[2]) < dots(&lines[3]), "{lines:?}");
    }

    #[test]
    fn charts_stand_side_by_side_as_far_as_there_is_room() {
        let chart = |title: &str| Chart { title: title.into(), series: Vec::new() };
        let all = [chart("loss"), chart("bits"), chart("far")];
        for (columns, shown) in [(30, 1), (70, 2), (120, 3)] {
            let title = draw(&all, columns, 2).swap_remove(0);
            assert_eq!(all.iter().filter(|c| title.contains(&c.title)).count(), shown, "{title}");
        }
    }
}
