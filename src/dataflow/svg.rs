//! A [`Dataflow`] as a picture for a page: one step, from what comes in at the top to what goes out at the bottom.
//!
//! What is read at another point is a box with a broken line at the top, so no line runs back. Colours are classes of the
//! page's style, so the picture follows it into the dark.

use super::layout::{self, Placed};
use super::{Dataflow, Kind, Node};
use std::fmt::Write;

const HEIGHT: f64 = 30.0;
const LINE: f64 = 14.0;
const LAYER: f64 = 34.0;
const MARGIN: f64 = 8.0;
/// Width of a letter, on average, of names and of small text.
const LETTER: f64 = 8.2;
const SMALL: f64 = 6.3;
/// Names of parameters are cut behind so many letters.
const MOST_LETTERS: usize = 34;
/// Above so many places a state is one box that does not list them.
const MOST_PLACES: usize = 2;

struct Shape<'a> {
    title: String,
    below: Option<String>,
    node: &'a Node,
    class: &'static str,
}

/// `id` tells the pictures of a page apart.
pub fn svg(flow: &Dataflow, id: &str) -> String {
    let mut shapes: Vec<Shape> = flow.nodes.iter().map(shape).collect();
    let mut edges: Vec<(usize, usize)> = Vec::new();
    let mut ghosts: Vec<(usize, String, usize)> = Vec::new();
    for edge in &flow.edges {
        // What comes in on a side stands above what it begins.
        let is_given = matches!(flow.nodes[edge.from].kind, Kind::Input | Kind::Param);
        let place = match &edge.place {
            Some(place) if !(is_given && place.starts_with("side of")) => place,
            _ => {
                edges.push((edge.from, edge.to));
                continue;
            }
        };
        let places: Vec<&String> =
            flow.edges.iter().filter(|e| e.from == edge.from).filter_map(|e| e.place.as_ref()).collect();
        let mut distinct = places;
        distinct.sort();
        distinct.dedup();
        let place = match distinct.len() > MOST_PLACES {
            true => format!("at {} places", distinct.len()),
            false => place.clone(),
        };
        let known = ghosts.iter().find(|g| g.0 == edge.from && g.1 == place).map(|g| g.2);
        let ghost = known.unwrap_or_else(|| {
            let node = &flow.nodes[edge.from];
            let title = format!("{}[{place}]", node.label);
            let title = if place.starts_with("at ") { format!("{} {place}", node.label) } else { title };
            let class = if node.kind == Kind::Input { "input ghost" } else { "state ghost" };
            shapes.push(Shape { title, below: path(node), node, class });
            ghosts.push((edge.from, place.clone(), shapes.len() - 1));
            shapes.len() - 1
        });
        if !edges.contains(&(ghost, edge.to)) {
            edges.push((ghost, edge.to));
        }
    }
    let widths: Vec<f64> = shapes.iter().map(width).collect();
    let placed = layout::place(&widths, &edges);
    draw(&shapes, &widths, &edges, &placed, id, &flow.title)
}

fn path(node: &Node) -> Option<String> {
    (!node.path.is_empty()).then(|| format!("in {}", node.path.join(".")))
}

fn shape(node: &Node) -> Shape<'_> {
    let title = match node.head {
        "" => node.label.clone(),
        head => format!("{}  {head}", node.label),
    };
    let mut below: Vec<String> = path(node).into_iter().collect();
    if !node.params.is_empty() {
        below.push(cut(&node.params.join(", ")));
    }
    let class = match (node.is_output, node.kind) {
        (true, Kind::State) => "state output",
        (true, _) => "value output",
        (_, Kind::Input) => "input",
        (_, Kind::Param) => "param",
        (_, Kind::State) => "state",
        (_, Kind::Value) => "value",
    };
    Shape { title, below: (!below.is_empty()).then(|| below.join(": ")), node, class }
}

fn cut(text: &str) -> String {
    match text.chars().count() > MOST_LETTERS {
        true => text.chars().take(MOST_LETTERS - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

fn width(shape: &Shape) -> f64 {
    let title = letters(&shape.title) * LETTER;
    let below = shape.below.as_ref().map_or(0.0, |b| letters(b) * SMALL);
    (title.max(below) + 18.0).max(44.0)
}

/// Marks over letters take no place.
fn letters(text: &str) -> f64 {
    text.chars().filter(|c| !('\u{300}'..='\u{36f}').contains(c)).count() as f64
}

fn draw(
    shapes: &[Shape],
    widths: &[f64],
    edges: &[(usize, usize)],
    placed: &Placed,
    id: &str,
    title: &str,
) -> String {
    // A layer is as high as its highest box.
    let height = |s: &Shape| if s.below.is_some() { HEIGHT + LINE } else { HEIGHT };
    let mut heights = vec![HEIGHT; placed.layers];
    for (shape, (_, layer)) in shapes.iter().zip(&placed.middles) {
        heights[*layer] = f64::max(heights[*layer], height(shape));
    }
    let mut middles = Vec::new();
    let mut y = MARGIN;
    for h in &heights {
        middles.push(y + h / 2.0);
        y += h + LAYER;
    }
    let total = (y - LAYER + MARGIN).max(2.0 * MARGIN);
    let wide = placed.width + 2.0 * MARGIN;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg class=\"flow\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{total:.0}\" \
         viewBox=\"0 0 {wide:.0} {total:.0}\" role=\"img\" aria-labelledby=\"{id}-title\">\
         <title id=\"{id}-title\">Dataflow of {}</title><defs><marker id=\"{id}-arrow\" viewBox=\"0 0 8 8\" refX=\"7\" \
         refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/>\
         </marker></defs>",
        escaped(title)
    );
    for (way, (from, to)) in placed.ways.iter().zip(edges) {
        let points: Vec<(f64, f64)> = way.iter().map(|(x, layer)| (x + MARGIN, middles[*layer])).collect();
        let class = if shapes[*from].class.contains("ghost") { "line ghost" } else { "line" };
        let ends = (height(&shapes[*from]) / 2.0, height(&shapes[*to]) / 2.0);
        let _ = write!(
            out,
            "<path class=\"{class}\" d=\"{}\" marker-end=\"url(#{id}-arrow)\"/>",
            curve(&points, &heights, way, ends)
        );
    }
    for ((shape, width), (x, layer)) in shapes.iter().zip(widths).zip(&placed.middles) {
        let (x, y, h) = (x + MARGIN, middles[*layer], height(shape));
        let name = shape.node.names.first().map_or("", String::as_str);
        let _ = write!(
            out,
            "<g class=\"{}\" data-n=\"{}\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{h:.1}\" rx=\"6\"/>",
            shape.class,
            escaped(name),
            x - width / 2.0,
            y - h / 2.0
        );
        let first = if shape.below.is_some() { y - LINE / 2.0 } else { y };
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{:.1}\">{}</text>", first + 4.5, escaped(&shape.title));
        if let Some(below) = &shape.below {
            let _ = write!(
                out,
                "<text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                first + 4.5 + LINE,
                escaped(below)
            );
        }
        out.push_str("</g>");
    }
    out.push_str("</svg>");
    out
}

/// Straight down out of a box, a bend in each gap between layers, straight down into the other.
fn curve(points: &[(f64, f64)], heights: &[f64], way: &[(f64, usize)], ends: (f64, f64)) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let mut d = format!("M{:.1} {:.1}", first.0, first.1 + ends.0);
    let mut y = first.1 + ends.0;
    for (k, ((x, middle), (_, layer))) in points.iter().zip(way).enumerate().skip(1) {
        let is_last = k + 1 == points.len();
        let top = if is_last { last.1 - ends.1 - 1.0 } else { middle - heights[*layer] / 2.0 };
        let bend = (y + top) / 2.0;
        let before = points[k - 1].0;
        let _ = write!(d, "C{before:.1} {bend:.1} {x:.1} {bend:.1} {x:.1} {top:.1}");
        y = top;
        if !is_last {
            y = middle + heights[*layer] / 2.0;
            let _ = write!(d, "L{x:.1} {y:.1}");
        }
    }
    d
}

fn escaped(text: &str) -> String {
    crate::typeset::mathml::escaped(text)
}
