//! Heat maps: numbers in rows and columns as colours, with what the rows and columns stand for.

use crate::cli::look::{Map, range};
use crate::diag::Diagnostic;
use plotters::prelude::*;
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Maps of one picture; more would not be looked at.
const MOST_MAPS: usize = 64;
/// Side of a cell where there are few, and where there are many.
const LARGE: usize = 24;
const SMALL: usize = 3;
/// Cells of a side that are still large.
const FEW: usize = 40;
/// Width of a letter.
const LETTER: usize = 8;
/// What a line of letters needs.
const LINE: usize = 14;
const MARGIN: usize = 16;
const TITLE: usize = 28;
/// Greatest side of a picture, in cells.
const MOST_CELLS: usize = 4096;

/// One picture of all maps, one below the other, in one scale of colours.
pub fn heat(title: &str, maps: &[Map]) -> Result<String, Diagnostic> {
    let unwritable = |why: &str| crate::weights::errors::unwritable("picture", why);
    if maps.iter().any(|m| m.rows.labels.len().max(m.columns.labels.len()) > MOST_CELLS) {
        return Err(unwritable(&format!("a map has more than {MOST_CELLS} rows or columns")));
    }
    let mut text = String::new();
    draw(&mut text, title, &maps[..maps.len().min(MOST_MAPS)]).map_err(|e| unwritable(&e.to_string()))?;
    Ok(text)
}

/// Where a map's cells are.
struct Layout {
    cell: usize,
    left: usize,
    top: usize,
    /// Labels of columns are written upwards, as they are too long to stand beside each other.
    is_turned: bool,
}

fn letters(labels: &[String]) -> usize {
    labels.iter().map(|l| l.chars().count()).max().unwrap_or(0)
}

impl Layout {
    fn of(map: &Map, titled: bool) -> Layout {
        let (rows, columns) = (map.rows.labels.len(), map.columns.labels.len());
        let cell =
            if rows.max(columns) <= FEW { LARGE } else { (FEW * LARGE / rows.max(columns)).max(SMALL) };
        let across = letters(&map.columns.labels);
        let is_turned = across * LETTER > cell && cell >= LINE;
        let labels = if is_turned { across } else { 1 };
        let top = if titled { TITLE } else { 0 } + LETTER * (labels + 1);
        Layout { cell, left: MARGIN + letters(&map.rows.labels) * LETTER + LETTER, top, is_turned }
    }

    fn width(&self, map: &Map) -> usize {
        self.left + map.columns.labels.len() * self.cell + MARGIN
    }

    fn height(&self, map: &Map) -> usize {
        self.top + map.rows.labels.len() * self.cell + MARGIN
    }

    /// Every so many labels are drawn.
    fn stride(&self, labels: &[String], across: bool) -> usize {
        let room = if across && !self.is_turned { letters(labels) * LETTER } else { LINE };
        room.div_ceil(self.cell.max(1)).max(1)
    }
}

fn draw(text: &mut String, title: &str, maps: &[Map]) -> Result<(), Box<dyn std::error::Error>> {
    let (lo, hi) = range(maps);
    let layouts: Vec<Layout> = maps.iter().map(|m| Layout::of(m, !m.title.is_empty())).collect();
    let each = || layouts.iter().zip(maps);
    let width =
        each().map(|(l, m)| l.width(m)).max().unwrap_or(0).max(2 * MARGIN + title.chars().count() * 11);
    let width = width.max(2 * MARGIN + 260);
    let legend = LARGE + 2 * MARGIN;
    let height = MARGIN + TITLE + each().map(|(l, m)| l.height(m)).sum::<usize>() + legend;
    let area = SVGBackend::with_string(text, (width as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let style = |h: HPos, v: VPos, size: i32| {
        TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(h, v)).color(&BLACK)
    };
    let point = |x: usize, y: usize| (x as i32, y as i32);
    area.draw(&Text::new(title.to_string(), point(MARGIN, MARGIN), style(HPos::Left, VPos::Top, 20)))?;
    let mut y = MARGIN + TITLE;
    for (layout, map) in each() {
        if !map.title.is_empty() {
            area.draw(&Text::new(map.title.clone(), point(MARGIN, y), style(HPos::Left, VPos::Top, 14)))?;
        }
        let (left, top, cell) = (layout.left, y + layout.top, layout.cell);
        let columns = map.columns.labels.len();
        for (k, label) in
            map.columns.labels.iter().enumerate().step_by(layout.stride(&map.columns.labels, true))
        {
            let at = point(left + k * cell + cell / 2, top - 4);
            let upwards = ("sans-serif", 13).into_font().transform(FontTransform::Rotate270);
            let style = match layout.is_turned {
                true => TextStyle::from(upwards).pos(Pos::new(HPos::Left, VPos::Center)).color(&BLACK),
                false => style(HPos::Center, VPos::Bottom, 13),
            };
            area.draw(&Text::new(label.clone(), at, style))?;
        }
        for (k, label) in map.rows.labels.iter().enumerate().step_by(layout.stride(&map.rows.labels, false)) {
            let at = point(left - LETTER / 2, top + k * cell + cell / 2);
            area.draw(&Text::new(label.clone(), at, style(HPos::Right, VPos::Center, 13)))?;
        }
        for (k, v) in map.values.iter().enumerate() {
            let (r, c) = (k / columns.max(1), k % columns.max(1));
            let (x, y) = (left + c * cell, top + r * cell);
            let corners = [point(x, y), point(x + cell, y + cell)];
            area.draw(&Rectangle::new(corners, colour(*v, lo, hi).filled()))?;
        }
        y += layout.height(map);
    }
    // The scale.
    let steps = 100;
    for k in 0..steps {
        let v = lo + (hi - lo) * (k as f32 + 0.5) / steps as f32;
        let corners = [point(MARGIN + 60 + k, y), point(MARGIN + 61 + k, y + LARGE / 2)];
        area.draw(&Rectangle::new(corners, colour(v, lo, hi).filled()))?;
    }
    let ends = [(MARGIN + 54, lo, HPos::Right), (MARGIN + 66 + steps, hi, HPos::Left)];
    for (x, v, h) in ends {
        area.draw(&Text::new(format!("{v:.3}"), point(x, y), style(h, VPos::Top, 13)))?;
    }
    if let Some(meaning) = meaning_of_grey(maps) {
        let x = MARGIN + 66 + steps + 8 * LETTER;
        let corners = [point(x, y), point(x + LARGE / 2, y + LARGE / 2)];
        area.draw(&Rectangle::new(corners, colour(f32::NAN, lo, hi).filled()))?;
        let at = point(x + LARGE / 2 + LETTER / 2, y);
        area.draw(&Text::new(meaning, at, style(HPos::Left, VPos::Top, 13)))?;
    }
    area.present()?;
    Ok(())
}

/// Of cells without a place in the scale, if there are any.
fn meaning_of_grey(maps: &[Map]) -> Option<&'static str> {
    let others: Vec<f32> = maps.iter().flat_map(|m| &m.values).copied().filter(|v| !v.is_finite()).collect();
    match others.as_slice() {
        [] => None,
        values if values.iter().all(|v| *v == f32::NEG_INFINITY) => Some("−∞"),
        _ => Some("not finite"),
    }
}

/// From white to blue; where there are values on both sides of 0, white is 0 and what is below it red.
pub(super) fn colour(v: f32, lo: f32, hi: f32) -> RGBColor {
    if !v.is_finite() {
        return RGBColor(128, 128, 128);
    }
    let (blue, red) = ((8.0, 48.0, 107.0), (127.0, 0.0, 0.0));
    let most = hi.max(-lo);
    let (part, (r, g, b)) = match lo < 0.0 && hi > 0.0 {
        true => ((v.abs() / most).min(1.0), if v < 0.0 { red } else { blue }),
        false if hi > lo => ((v - lo) / (hi - lo), blue),
        false => (0.0, blue),
    };
    let mix = |to: f32| (255.0 + (to - 255.0) * part).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::look::Axis;

    fn axis(labels: &[&str]) -> Axis {
        let labels = labels.iter().map(|l| l.to_string()).collect();
        Axis { name: "n".into(), is_own: false, labels, stems: vec![], tree: None }
    }

    #[test]
    fn a_map_has_a_cell_for_each_number_and_its_labels() {
        let map = Map {
            title: String::new(),
            rows: axis(&["c", "<"]),
            columns: axis(&["K", "AE", "T"]),
            values: vec![1.0, 0.0, 0.0, 0.0, f32::NAN, 0.5],
        };
        let svg = heat("attention", &[map]).unwrap();
        assert!(svg.starts_with("<svg"));
        for label in ["AE", "&lt;", "attention", "0.000", "1.000"] {
            assert!(svg.contains(label), "{label} in {svg}");
        }
        // Six cells, a hundred of the scale, what grey means, and the paper.
        assert_eq!(svg.matches("<rect").count(), 108, "{svg}");
        assert!(svg.contains("#08306B") && svg.contains("#808080") && svg.contains("not finite"));
    }

    #[test]
    fn long_labels_of_columns_are_all_there_and_stand_upright() {
        let words = ["some", "small", "animals", "do not", "move"];
        let map = |values: f32| Map {
            title: String::new(),
            rows: axis(&["all"]),
            columns: axis(&words),
            values: vec![values; 5],
        };
        let svg = heat("attention", &[map(1.0)]).unwrap();
        assert!(words.iter().all(|word| svg.contains(word)), "{svg}");
        assert_eq!(svg.matches("rotate(270").count(), 5, "{svg}");
        assert!(!svg.contains("−∞"));
        assert!(heat("norms", &[map(f32::NEG_INFINITY)]).unwrap().contains("−∞"));
    }

    #[test]
    fn zero_is_white_between_negative_and_positive() {
        assert_eq!(colour(0.0, -2.0, 1.0), RGBColor(255, 255, 255));
        assert_eq!(colour(-2.0, -2.0, 1.0), RGBColor(127, 0, 0));
        assert_eq!(colour(3.0, 3.0, 3.0), RGBColor(255, 255, 255));
    }
}
