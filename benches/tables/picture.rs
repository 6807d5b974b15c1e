//! Shares of the peak as bars, the goal as a line across them, the fastest peer as a mark on each bar.

use crate::figures::{Figures, Peers};
use crate::plan::{CELLS, Mode, SHAPES, Shape};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Paper, ink and bars are told apart on light and on dark pages: the paper is always white.
const INK: RGBColor = RGBColor(30, 30, 30);
const PALE: RGBColor = RGBColor(205, 205, 205);
const GOAL: RGBColor = RGBColor(200, 30, 30);
/// For eyes of all kinds (Okabe, Ito 2008), in two lightnesses.
const BARS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(130, 205, 175),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(240, 210, 90),
    RGBColor(120, 120, 120),
];

const WIDTH: i32 = 960;
const PANEL: i32 = 280;
const LEFT: i32 = 52;
const TOP: i32 = 84;
const BAR: i32 = 15;
const GAP: i32 = 26;
const HEIGHT: i32 = 200;

pub fn picture(figures: &Figures, peers: &Peers) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let size = (WIDTH as u32, (TOP + 2 * PANEL - 44) as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        legend(&area)?;
        for (k, mode) in [Mode::Train, Mode::Infer].into_iter().enumerate() {
            panel(&area, TOP + PANEL * k as i32, mode, figures, peers)?;
        }
        area.present()?;
    }
    Ok(text)
}

fn words(
    area: &Area,
    text: &str,
    at: (i32, i32),
    side: HPos,
    size: i32,
    colour: RGBColor,
) -> Result<(), Box<dyn Error>> {
    let style =
        TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(side, VPos::Center)).color(&colour);
    Ok(area.draw(&Text::new(text.to_string(), at, style))?)
}

fn box_of(area: &Area, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<(), Box<dyn Error>> {
    Ok(area.draw(&Rectangle::new([from, to], colour.filled()))?)
}

fn legend(area: &Area) -> Result<(), Box<dyn Error>> {
    let entry = |i: i32| (LEFT + (i % 5) * 180, 20 + (i / 5) * 24);
    for (i, (cell, colour)) in CELLS.iter().zip(BARS).enumerate() {
        let (x, y) = entry(i as i32);
        box_of(area, (x, y - 6), (x + 12, y + 6), colour)?;
        words(area, cell.name, (x + 18, y), HPos::Left, 14, INK)?;
    }
    let (x, y) = entry(CELLS.len() as i32);
    box_of(area, (x, y - 1), (x + 12, y + 1), GOAL)?;
    words(area, "goal", (x + 18, y), HPos::Left, 14, INK)?;
    let (x, y) = entry(CELLS.len() as i32 + 1);
    mark(area, x + 6, y)?;
    words(area, "fastest peer", (x + 18, y), HPos::Left, 14, INK)
}

/// A diamond.
fn mark(area: &Area, x: i32, y: i32) -> Result<(), Box<dyn Error>> {
    let around = |r: i32| vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)];
    area.draw(&Polygon::new(around(6), WHITE.filled()))?;
    Ok(area.draw(&Polygon::new(around(4), INK.filled()))?)
}

fn panel(area: &Area, top: i32, mode: Mode, figures: &Figures, peers: &Peers) -> Result<(), Box<dyn Error>> {
    let title = match mode {
        Mode::Train => "Training: % of the peak of one core, by steps, batch, inputs, units",
        _ => "Inference: % of the peak of one core",
    };
    words(area, title, (LEFT, top - 14), HPos::Left, 15, INK)?;
    let y = |share: f64| top + HEIGHT - (share.clamp(0.0, 100.0) / 100.0 * f64::from(HEIGHT)) as i32;
    let group = BAR * CELLS.len() as i32;
    for percent in [0, 25, 50, 75, 100] {
        let at = y(f64::from(percent));
        let right = LEFT + SHAPES.len() as i32 * (group + GAP);
        area.draw(&PathElement::new(vec![(LEFT, at), (right, at)], PALE.stroke_width(1)))?;
        words(area, &percent.to_string(), (LEFT - 8, at), HPos::Right, 13, INK)?;
    }
    for (k, shape) in SHAPES.iter().enumerate() {
        let left = LEFT + GAP / 2 + k as i32 * (group + GAP);
        for (i, (cell, colour)) in CELLS.iter().zip(BARS).enumerate() {
            let Some(figure) = figures.find(cell.name, &shape.name(), mode, 1) else { continue };
            let x = left + BAR * i as i32;
            box_of(area, (x, y(figure.share())), (x + BAR - 2, y(0.0)), colour)?;
        }
        let goal = y(shape.goal(mode));
        box_of(area, (left - 4, goal - 1), (left + group + 2, goal + 1), GOAL)?;
        for (i, cell) in CELLS.iter().enumerate() {
            let Some(figure) = figures.find(cell.name, &shape.name(), mode, 1) else { continue };
            let Some(peer) = peers.fastest(cell.name, &shape.name(), mode, 1) else { continue };
            let share = peer.ratio.map_or(figure.share_in(peer.seconds), |r| figure.share() / r);
            mark(area, left + BAR * i as i32 + (BAR - 2) / 2, y(share))?;
        }
        words(area, &Shape::name(shape), (left + group / 2, top + HEIGHT + 18), HPos::Center, 13, INK)?;
    }
    Ok(())
}
