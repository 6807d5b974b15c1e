//! Trees with a value at each node: nodes under their parents, the components of a value as coloured cells.

use super::heat::colour;
use super::nodes::{self, Placed, Rows};
use super::pen::{Drawn, INK, PALE, Pen, Point, Side, width};
use crate::cli::look::range_of;
use crate::diag::Diagnostic;
use crate::eqn::tree::Tree;

/// More would not be looked at.
const MOST_PANELS: usize = 16;
const MOST_NODES: usize = 2000;
const MARGIN: f64 = 20.0;
const LINE: f64 = 18.0;
/// Side of the cells of a node, all together, and of one.
const BOX: f64 = 30.0;
const CELL: (f64, f64) = (2.0, 14.0);
/// Height of a label; room for the line to the parent.
const LABEL: f64 = 16.0;
const EDGE: f64 = 30.0;

/// A tree with `width` numbers for each node.
pub struct OnTree<'a> {
    pub title: String,
    pub tree: &'a Tree,
    pub labels: Vec<String>,
    pub width: usize,
    pub values: &'a [f32],
}

/// One picture of all, one below the other, in one scale of colours.
pub fn trees(title: &str, panels: &[OnTree]) -> Result<String, Diagnostic> {
    let unwritable = |why: &str| crate::weights::errors::unwritable("picture", why);
    if panels.iter().any(|p| p.tree.nodes() > MOST_NODES) {
        return Err(unwritable(&format!("a tree has more than {MOST_NODES} nodes")));
    }
    let mut text = String::new();
    draw(&mut text, title, &panels[..panels.len().min(MOST_PANELS)])
        .map_err(|e| unwritable(&e.to_string()))?;
    Ok(text)
}

/// How the cells of a node lie.
struct Cells {
    columns: usize,
    side: f64,
    width: f64,
    height: f64,
}

impl Cells {
    fn of(count: usize) -> Cells {
        let columns = (count as f64).sqrt().ceil().max(1.0);
        let rows = (count as f64 / columns).ceil().max(1.0);
        let side = (BOX / columns).floor().clamp(CELL.0, CELL.1);
        Cells { columns: columns as usize, side, width: columns * side, height: rows * side }
    }
}

fn placed(panel: &OnTree, cells: &Cells) -> Placed {
    let longest = panel.labels.iter().map(|l| width(l, 13.0)).fold(cells.width, f64::max);
    nodes::place(panel.tree, Rows::Depths, longest + 14.0, LABEL + cells.height + EDGE)
}

fn draw(text: &mut String, title: &str, panels: &[OnTree]) -> Drawn {
    let (lo, hi) = range_of(panels.iter().flat_map(|p| p.values).copied());
    let cells: Vec<Cells> = panels.iter().map(|p| Cells::of(p.width)).collect();
    let all: Vec<Placed> = panels.iter().zip(&cells).map(|(p, c)| placed(p, c)).collect();
    let head = |p: &OnTree| if p.title.is_empty() { 0.0 } else { LINE };
    let broad = all.iter().map(|p| p.width).fold(width(title, 20.0).max(280.0), f64::max);
    let high: f64 = all.iter().zip(panels).map(|(p, panel)| p.height + head(panel)).sum();
    let pen = Pen::new(text, broad + 2.0 * MARGIN, high + 2.0 * MARGIN + 2.0 * LINE + 2.0 * LINE)?;
    pen.words(title, (MARGIN, MARGIN + LINE / 2.0), Side::Left, 20.0, INK)?;
    let mut top = MARGIN + 2.0 * LINE;
    for ((panel, cells), placed) in panels.iter().zip(&cells).zip(&all) {
        if !panel.title.is_empty() {
            pen.words(&panel.title, (MARGIN, top + LINE / 2.0), Side::Left, 15.0, INK)?;
        }
        top += head(panel);
        one(&pen, panel, cells, placed, (MARGIN, top), |v| colour(v, lo, hi))?;
        top += placed.height;
    }
    // The scale.
    pen.words(&format!("{lo:.3}"), (MARGIN + 54.0, top + 6.0), Side::Right, 13.0, INK)?;
    for k in 0..100 {
        let v = lo + (hi - lo) * (k as f32 + 0.5) / 100.0;
        let x = MARGIN + 60.0 + f64::from(k);
        pen.rectangle((x, top), (x + 1.0, top + 12.0), colour(v, lo, hi))?;
    }
    pen.words(&format!("{hi:.3}"), (MARGIN + 166.0, top + 6.0), Side::Left, 13.0, INK)?;
    pen.done()
}

fn one(
    pen: &Pen,
    panel: &OnTree,
    cells: &Cells,
    placed: &Placed,
    (left, top): Point,
    colour: impl Fn(f32) -> plotters::style::RGBColor,
) -> Drawn {
    // The middle of a node's label; its cells hang below.
    let at = |node: usize| {
        let (x, y) = placed.at[node];
        (left + x, top + y - (LABEL + cells.height + EDGE) / 2.0 + LABEL / 2.0)
    };
    for node in 0..panel.tree.nodes() {
        let Some(parent) = panel.tree.parent(node) else { continue };
        let (from, to) = (at(parent.node as usize), at(node));
        let ends = [(from.0, from.1 + LABEL / 2.0 + cells.height + 1.0), (to.0, to.1 - LABEL / 2.0)];
        pen.line(&ends, PALE, 1)?;
    }
    for (node, values) in panel.values.chunks(panel.width.max(1)).enumerate().take(panel.tree.nodes()) {
        let middle = at(node);
        let label = panel.labels.get(node).map_or("", String::as_str);
        pen.words(label, middle, Side::Middle, 13.0, INK)?;
        let corner = (middle.0 - cells.width / 2.0, middle.1 + LABEL / 2.0);
        for (k, v) in values.iter().enumerate() {
            let (row, column) = ((k / cells.columns) as f64, (k % cells.columns) as f64);
            let from = (corner.0 + column * cells.side, corner.1 + row * cells.side);
            pen.rectangle(from, (from.0 + cells.side, from.1 + cells.side), colour(*v))?;
        }
        pen.frame(corner, (corner.0 + cells.width, corner.1 + cells.height), PALE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_a_line_to_each_child_and_a_cell_for_each_component() {
        let tree = Tree::new([&[][..], &[], &[0, 1]]).expect("a tree");
        let labels = ["a", "b", "ab"].map(String::from).to_vec();
        let values = [0.0, 1.0, -1.0, 0.5, 2.0, f32::NAN];
        let panel = OnTree { title: "h".into(), tree: &tree, labels, width: 2, values: &values };
        let svg = trees("example 1", &[panel]).expect("a picture");
        for word in ["example 1", "ab", "-1.000", "2.000"] {
            assert!(svg.contains(word), "{word} in {svg}");
        }
        assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
        // The paper, six cells and their three frames, a hundred of the scale.
        assert_eq!(svg.matches("<rect").count(), 1 + 6 + 3 + 100, "{svg}");
        assert!(svg.contains("#808080"));
    }
}
