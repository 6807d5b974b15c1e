//! Where the nodes of a tree are drawn.
//!
//! In: a tree and how wide and high a node's place is. Out: the middle of each node: leaves side by side, a parent over the
//! middle of its children.

use super::pen::Point;
use crate::eqn::tree::Tree;

/// What decides how far down a node is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Nodes of one height, counted from their leaves, in one row.
    Heights,
    /// Nodes as far from the root in one row.
    Depths,
}

pub struct Placed {
    /// Of each node.
    pub at: Vec<Point>,
    pub width: f64,
    pub height: f64,
    /// Rows, from the root down.
    pub rows: usize,
}

pub fn place(tree: &Tree, rows: Rows, across: f64, down: f64) -> Placed {
    let nodes = tree.nodes();
    let heights = tree.heights();
    let highest = heights.last().copied().unwrap_or(0);
    let mut depth = vec![0; nodes];
    for node in (0..nodes).rev() {
        if let Some(parent) = tree.parent(node) {
            depth[node] = depth[parent.node as usize] + 1;
        }
    }
    let row: Vec<usize> = match rows {
        Rows::Heights => heights.iter().map(|h| highest - h).collect(),
        Rows::Depths => depth,
    };
    // Leaves from left to right, as they hang on their parents; a node may be numbered far from its sisters.
    let mut x = vec![0.0; nodes];
    let mut leaves = 0;
    let mut stack: Vec<(usize, bool)> = nodes.checked_sub(1).map(|root| (root, false)).into_iter().collect();
    while let Some((node, done)) = stack.pop() {
        match tree.children(node) {
            [] => {
                x[node] = (leaves as f64 + 0.5) * across;
                leaves += 1;
            }
            [first, .., last] if done => x[node] = (x[*first as usize] + x[*last as usize]) / 2.0,
            [only] if done => x[node] = x[*only as usize],
            children => {
                stack.push((node, true));
                stack.extend(children.iter().rev().map(|k| (*k as usize, false)));
            }
        }
    }
    let count = row.iter().copied().max().map_or(0, |most| most + 1);
    let at = x.into_iter().zip(row).map(|(x, row)| (x, (row as f64 + 0.5) * down)).collect();
    Placed { at, width: f64::from(leaves) * across, height: count as f64 * down, rows: count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_over_the_middle_of_its_children() {
        // ((a b) c), with c numbered before its sister.
        let tree = Tree::new([&[][..], &[], &[], &[0, 1], &[3, 2]]).expect("a tree");
        let by_height = place(&tree, Rows::Heights, 10.0, 10.0);
        assert_eq!(by_height.at, [(5.0, 25.0), (15.0, 25.0), (25.0, 25.0), (10.0, 15.0), (17.5, 5.0)]);
        assert_eq!((by_height.width, by_height.height), (30.0, 30.0));
        let by_depth = place(&tree, Rows::Depths, 10.0, 10.0);
        assert_eq!(by_depth.at[2], (25.0, 15.0), "a leaf right below the root");
        assert_eq!(place(&Tree::default(), Rows::Depths, 10.0, 10.0).at, []);
    }
}
