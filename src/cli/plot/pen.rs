//! What pictures of points and nodes are drawn with: lines, arrows, circles, words, and a scale of colours.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;

/// Pixels, from the upper left corner.
pub type Point = (f64, f64);
pub type Drawn = Result<(), Box<dyn Error>>;

pub const INK: RGBColor = RGBColor(30, 30, 30);
pub const PALE: RGBColor = RGBColor(120, 120, 120);

/// Width of a letter of size 1, on average.
const LETTER: f64 = 0.56;
/// Lines that a curve is made of.
const PIECES: usize = 16;

/// From least to greatest: even steps of lightness, also in grey (S. van der Walt, N. Smith, 2015, *viridis*).
const SCALE: [(f64, f64, f64); 5] =
    [(68.0, 1.0, 84.0), (59.0, 82.0, 139.0), (33.0, 145.0, 140.0), (94.0, 201.0, 98.0), (253.0, 231.0, 37.0)];

pub struct Pen<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

pub enum Side {
    Left,
    Middle,
    Right,
}

impl<'a> Pen<'a> {
    /// White paper of this size; what is drawn on it is appended to `text` when the pen is put down.
    pub fn new(text: &'a mut String, width: f64, height: f64) -> Result<Pen<'a>, Box<dyn Error>> {
        let size = (width.ceil() as u32, height.ceil() as u32);
        let area = SVGBackend::with_string(text, size).into_drawing_area();
        area.fill(&WHITE)?;
        Ok(Pen { area })
    }

    pub fn done(self) -> Drawn {
        Ok(self.area.present()?)
    }

    /// Words beside a point: `side` is where the point is, seen from them; their middle is at its height.
    pub fn words(&self, words: &str, at: Point, side: Side, size: f64, colour: RGBColor) -> Drawn {
        let h = match side {
            Side::Left => HPos::Left,
            Side::Middle => HPos::Center,
            Side::Right => HPos::Right,
        };
        let style =
            TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(h, VPos::Center)).color(&colour);
        Ok(self.area.draw(&Text::new(words.to_string(), whole(at), style))?)
    }

    pub fn line(&self, points: &[Point], colour: RGBColor, width: u32) -> Drawn {
        let path: Vec<(i32, i32)> = points.iter().copied().map(whole).collect();
        Ok(self.area.draw(&PathElement::new(path, colour.stroke_width(width)))?)
    }

    /// From one point towards another, `gap` away from both; `bend` moves its middle aside, as a part of its length.
    pub fn arrow(&self, from: Point, to: Point, gap: f64, bend: f64, colour: RGBColor) -> Drawn {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length <= 2.0 * gap {
            return Ok(());
        }
        // A curve of Bézier's second degree.
        let middle = (from.0 + dx / 2.0 - dy * bend, from.1 + dy / 2.0 + dx * bend);
        let along = |s: f64| {
            let mix =
                |a: f64, b: f64, c: f64| (1.0 - s) * ((1.0 - s) * a + s * b) + s * ((1.0 - s) * b + s * c);
            (mix(from.0, middle.0, to.0), mix(from.1, middle.1, to.1))
        };
        let cut = gap / length;
        let pieces = if bend == 0.0 { 1 } else { PIECES };
        let path: Vec<Point> =
            (0..=pieces).map(|i| along(cut + (1.0 - 2.0 * cut) * i as f64 / pieces as f64)).collect();
        self.line(&path, colour, 1)?;
        let [.., before, tip] = path[..] else { return Ok(()) };
        let far = (tip.0 - before.0).hypot(tip.1 - before.1).max(1e-9);
        let (ux, uy) = ((tip.0 - before.0) / far, (tip.1 - before.1) / far);
        let back =
            |side: f64| whole((tip.0 - 7.0 * ux - 3.5 * side * uy, tip.1 - 7.0 * uy + 3.5 * side * ux));
        Ok(self.area.draw(&Polygon::new(vec![whole(tip), back(1.0), back(-1.0)], colour.filled()))?)
    }

    pub fn circle(&self, at: Point, radius: f64, colour: RGBColor) -> Drawn {
        let at = whole(at);
        self.area.draw(&Circle::new(at, radius.round() as i32, colour.filled()))?;
        Ok(self.area.draw(&Circle::new(at, radius.round() as i32, INK.stroke_width(1)))?)
    }

    pub fn rectangle(&self, from: Point, to: Point, colour: RGBColor) -> Drawn {
        Ok(self.area.draw(&Rectangle::new([whole(from), whole(to)], colour.filled()))?)
    }

    pub fn frame(&self, from: Point, to: Point, colour: RGBColor) -> Drawn {
        Ok(self.area.draw(&Rectangle::new([whole(from), whole(to)], colour.stroke_width(1)))?)
    }
}

fn whole(at: Point) -> (i32, i32) {
    (at.0.round() as i32, at.1.round() as i32)
}

/// About how wide words of a size are.
pub fn width(words: &str, size: f64) -> f64 {
    words.chars().count() as f64 * size * LETTER
}

/// A colour between the ends of the scale, 0 and 1; what is no number is grey.
pub fn shade(part: f64) -> RGBColor {
    if !part.is_finite() {
        return RGBColor(170, 170, 170);
    }
    let place = part.clamp(0.0, 1.0) * (SCALE.len() - 1) as f64;
    let i = (place as usize).min(SCALE.len() - 2);
    let (a, b, s) = (SCALE[i], SCALE[i + 1], place - i as f64);
    let mix = |a: f64, b: f64| (a + (b - a) * s).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Black or white, whichever can be read on a colour.
pub fn upon(colour: RGBColor) -> RGBColor {
    let RGBColor(r, g, b) = colour;
    let light = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if light > 140.0 { BLACK } else { WHITE }
}

/// Lines of at most so many letters, broken between words.
pub fn wrapped(words: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_from_dark_to_light() {
        assert_eq!((shade(0.0), shade(1.0)), (RGBColor(68, 1, 84), RGBColor(253, 231, 37)));
        assert_eq!((upon(shade(0.0)), upon(shade(1.0))), (WHITE, BLACK));
        assert_eq!(shade(f64::NAN), RGBColor(170, 170, 170));
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("", 9), Vec::<String>::new());
    }
}
