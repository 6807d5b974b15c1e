//! What goes round in a schedule, as a picture: a panel for each recurrence, in the order in which they run. A small
//! piece of its domain is drawn, its points coloured by the front they are computed in, with an arrow from each point that
//! is read to the one that reads it.

use super::nodes::{self, Rows};
use super::pen::{Drawn, INK, PALE, Pen, Point, Side, shade, upon, width, wrapped};
use crate::diag::Diagnostic;
use crate::schedule::{Figure, Lattice, Nodes, Panel};

/// More would not be looked at.
const MOST_PANELS: usize = 64;
const MARGIN: f64 = 20.0;
/// Where what waits for what is drawn.
const GUTTER: f64 = 76.0;
const LINE: f64 = 18.0;
const LETTERS: usize = 90;
/// From point to point, and where points of a third axis stand between.
const STEP: f64 = 54.0;
const WIDE: f64 = 78.0;
/// To the next point along an axis that leads backwards.
const BACK: (f64, f64) = (36.0, -34.0);
const RADIUS: f64 = 13.0;
/// Room for the name of an axis.
const NAME: f64 = 26.0;
const GAP: f64 = 30.0;

pub fn fronts(title: &str, panels: &[Panel]) -> Result<String, Diagnostic> {
    let mut text = String::new();
    draw(&mut text, title, panels)
        .map_err(|e| crate::weights::errors::unwritable("picture", &e.to_string()))?;
    Ok(text)
}

fn draw(text: &mut String, title: &str, panels: &[Panel]) -> Drawn {
    let shown = &panels[..panels.len().min(MOST_PANELS)];
    let more = match panels.len() - shown.len() {
        0 => String::new(),
        more => format!("{more} more recurrences are not drawn"),
    };
    let laid: Vec<Laid> = shown.iter().map(Laid::new).collect();
    let broad = laid.iter().map(|l| l.width).fold(width(title, 20.0).max(width(&more, 13.0)), f64::max);
    let high: f64 = laid.iter().map(|l| l.height + GAP).sum();
    let pen = Pen::new(text, 2.0 * MARGIN + GUTTER + broad, 2.0 * MARGIN + 2.0 * LINE + high + LINE)?;
    pen.words(title, (MARGIN, MARGIN + LINE / 2.0), Side::Left, 20.0, INK)?;
    let mut top = MARGIN + 2.0 * LINE;
    let mut heads: Vec<Point> = Vec::new();
    for (panel, laid) in shown.iter().zip(&laid) {
        // Loops within others stand to the right of them.
        let depth = panel.number.matches('.').count() as f64;
        let head = (MARGIN + GUTTER / 2.0 + depth * 14.0, top + LINE / 2.0);
        for earlier in panel.waits_for.iter().filter_map(|k| heads.get(*k).map(|at| (*k, *at))) {
            let (k, at) = earlier;
            // Past what stands between.
            let bend = if k + 1 == heads.len() { 0.0 } else { 0.12 };
            pen.arrow(at, head, RADIUS + 2.0, bend, INK)?;
        }
        pen.circle(head, RADIUS, shade(1.0))?;
        pen.words(&panel.number, head, Side::Middle, 13.0, INK)?;
        heads.push(head);
        laid.draw(&pen, (MARGIN + GUTTER, top))?;
        top += laid.height + GAP;
    }
    pen.words(&more, (MARGIN + GUTTER, top), Side::Left, 13.0, PALE)?;
    pen.done()
}

/// A panel with its lines and the sizes of all.
struct Laid<'a> {
    panel: &'a Panel,
    lines: Vec<String>,
    reads: Vec<String>,
    figure: (f64, f64),
    width: f64,
    height: f64,
}

impl<'a> Laid<'a> {
    fn new(panel: &'a Panel) -> Laid<'a> {
        let mut lines = wrapped(&panel.states, LETTERS);
        lines.extend(wrapped(&panel.order, LETTERS));
        let reads: Vec<String> = panel.reads.iter().map(|(text, _)| format!("reads {text}")).collect();
        let figure = match &panel.figure {
            None => (0.0, 0.0),
            Some(Figure::Lattice(lattice)) => size(lattice),
            Some(Figure::Nodes(nodes)) => {
                let placed = placed(nodes);
                (placed.width + 90.0, placed.height)
            }
        };
        let longest = |lines: &[String]| lines.iter().map(|l| width(l, 14.0)).fold(0.0, f64::max);
        Laid {
            width: longest(&lines).max(figure.0 + GAP + longest(&reads)),
            height: lines.len() as f64 * LINE + figure.1.max(reads.len() as f64 * LINE) + LINE,
            panel,
            lines,
            reads,
            figure,
        }
    }

    fn draw(&self, pen: &Pen, (left, top): Point) -> Drawn {
        let row = |from: f64, i: usize| from + (i as f64 + 0.5) * LINE;
        for (i, line) in self.lines.iter().enumerate() {
            let (size, colour) = if i == 0 { (15.0, INK) } else { (13.0, PALE) };
            pen.words(line, (left, row(top, i)), Side::Left, size, colour)?;
        }
        let below = top + self.lines.len() as f64 * LINE + LINE / 2.0;
        match &self.panel.figure {
            None => {}
            Some(Figure::Lattice(lattice)) => points(pen, self.panel, lattice, (left, below))?,
            Some(Figure::Nodes(nodes)) => tree(pen, nodes, self.panel.reverse, (left, below))?,
        }
        for (i, read) in self.reads.iter().enumerate() {
            pen.words(read, (left + self.figure.0 + GAP, row(below, i)), Side::Left, 13.0, INK)?;
        }
        Ok(())
    }
}

/// Points down, to the right, backwards; one axis alone goes to the right.
fn extents(lattice: &Lattice) -> [usize; 3] {
    match lattice.extents[..] {
        [across] => [1, across, 1],
        [down, across] => [down, across, 1],
        [down, across, back, ..] => [down, across, back],
        [] => [1, 1, 1],
    }
}

fn step(lattice: &Lattice) -> f64 {
    if lattice.axes.len() > 2 { WIDE } else { STEP }
}

fn size(lattice: &Lattice) -> (f64, f64) {
    let [down, across, back] = extents(lattice).map(|n| n as f64);
    let (step, deep) = (step(lattice), back - 1.0);
    (NAME + across * step + deep * BACK.0 + NAME, NAME + down * step - deep * BACK.1)
}

/// The arrows of a lattice: from what is read to what reads it, as places, each once.
fn arrows(panel: &Panel, lattice: &Lattice) -> Vec<([i64; 3], [i64; 3])> {
    let extents = extents(lattice).map(|n| n as i64);
    let single = lattice.axes.len() == 1;
    let mut found = Vec::new();
    for (_, by) in &panel.reads {
        let mut all = [Some(0); 3];
        let first = usize::from(single);
        for (slot, by) in all[first..].iter_mut().zip(by) {
            *slot = by.map(i64::from);
        }
        for place in 0..extents.iter().product::<i64>() {
            let at = [place / (extents[1] * extents[2]), place / extents[2] % extents[1], place % extents[2]];
            // What is the same along an axis is read from its first point, once.
            let source: Vec<Option<i64>> = all
                .iter()
                .zip(at)
                .zip(extents)
                .map(|((by, p), n)| match by {
                    Some(by) => Some(p + by).filter(|q| (0..n).contains(q)),
                    None => (p == 0).then_some(0),
                })
                .collect();
            if let [Some(i), Some(j), Some(k)] = source[..]
                && [i, j, k] != at
                && !found.contains(&([i, j, k], at))
            {
                found.push(([i, j, k], at));
            }
        }
    }
    found
}

fn points(pen: &Pen, panel: &Panel, lattice: &Lattice, (left, top): Point) -> Drawn {
    let [down, across, back] = extents(lattice);
    let deep = back.saturating_sub(1) as f64;
    let between = step(lattice);
    let origin = (left + NAME + between / 2.0, top + NAME + between / 2.0 - deep * BACK.1);
    let at = |p: [i64; 3]| {
        let [i, j, k] = p.map(|n| n as f64);
        (origin.0 + j * between + k * BACK.0, origin.1 + i * between + k * BACK.1)
    };
    // Names of axes, with the way they go.
    let corner = (left + NAME / 2.0, top + NAME);
    let names: Vec<&str> = panel.axes.iter().map(String::as_str).collect();
    let (downwards, rightwards, backwards) = match names[..] {
        [across] => ("", across, ""),
        [down, across] => (down, across, ""),
        [down, across, back, ..] => (down, across, back),
        [] => ("", "", ""),
    };
    let axis = |name: &str, to: Point, at: Point, side: Side| -> Drawn {
        if name.is_empty() {
            return Ok(());
        }
        pen.arrow(corner, to, 0.0, 0.0, PALE)?;
        pen.words(name, at, side, 13.0, PALE)
    };
    let (x, y) = corner;
    axis(rightwards, (x + 40.0, y), (x + 46.0, y), Side::Left)?;
    axis(downwards, (x, y + 40.0), (x, y + 50.0), Side::Middle)?;
    axis(backwards, (x + 18.0, y - 17.0), (x + 22.0, y - 22.0), Side::Left)?;
    for (from, to) in arrows(panel, lattice) {
        let step = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
        let whole = step.iter().fold(0, |a, b| gcd(a, b.abs()));
        // Around the points between.
        let bend = if whole > 1 { 0.42 } else { 0.0 };
        pen.arrow(at(from), at(to), RADIUS + 1.0, bend, PALE)?;
    }
    let last = lattice.fronts.iter().copied().max().unwrap_or(1);
    for k in (0..back).rev() {
        for i in 0..down {
            for j in 0..across {
                let Some(front) = lattice.fronts.get((i * across + j) * back + k) else { continue };
                point(pen, at([i as i64, j as i64, k as i64]), *front, last)?;
            }
        }
    }
    Ok(())
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn point(pen: &Pen, at: Point, front: i64, last: i64) -> Drawn {
    let colour = shade((front - 1) as f64 / (last - 1).max(1) as f64);
    pen.circle(at, RADIUS, colour)?;
    pen.words(&front.to_string(), at, Side::Middle, 13.0, upon(colour))
}

fn placed(nodes: &Nodes) -> nodes::Placed {
    let longest = nodes.edges.iter().map(|e| width(e, 12.0)).fold(0.0, f64::max);
    nodes::place(&nodes.tree, Rows::Heights, STEP.max(longest + 24.0), STEP + 10.0)
}

fn tree(pen: &Pen, nodes: &Nodes, reverse: bool, (left, top): Point) -> Drawn {
    let placed = placed(nodes);
    let at = |node: usize| (left + placed.at[node].0, top + placed.at[node].1);
    for node in 0..nodes.tree.nodes() {
        let Some(parent) = nodes.tree.parent(node) else { continue };
        let (child, above) = (at(node), at(parent.node as usize));
        let (from, to) = if reverse { (above, child) } else { (child, above) };
        pen.arrow(from, to, RADIUS + 1.0, 0.0, PALE)?;
        if let Some(name) = nodes.edges.get(parent.edge as usize) {
            let side = if child.0 <= above.0 { Side::Right } else { Side::Left };
            let aside = if child.0 <= above.0 { -6.0 } else { 6.0 };
            let middle = ((child.0 + above.0) / 2.0 + aside, (child.1 + above.1) / 2.0);
            pen.words(name, middle, side, 12.0, PALE)?;
        }
    }
    let last = nodes.fronts.iter().copied().max().unwrap_or(1);
    for (node, front) in nodes.fronts.iter().enumerate() {
        point(pen, at(node), *front, last)?;
    }
    for row in 0..placed.rows {
        let height = placed.rows - row;
        let words = if height == 1 { "leaves".to_string() } else { format!("height {}", height - 1) };
        let beside =
            (left + placed.width + 10.0, top + (row as f64 + 0.5) * placed.height / placed.rows as f64);
        pen.words(&words, beside, Side::Left, 12.0, PALE)?;
    }
    Ok(())
}
