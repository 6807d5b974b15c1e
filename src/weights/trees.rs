//! Trees from an array of children.
//!
//! In: `[examples, nodes, edges]`: for every node the numbers, from 0, of its children, −1 where an edge leads nowhere; and
//! how many of the nodes are there in each example. Out: [`Tree`]s, or what is wrong with the array.

use super::{Array, show};
use crate::eqn::tree::{Tree, TreeError};
use std::fmt;

/// What an array of children must not be. Examples are told from 1, as everywhere; nodes from 0, as the array has them.
#[derive(Clone, Debug, PartialEq)]
pub enum TreesError {
    Shape(Vec<usize>),
    /// Of an example and a node of it.
    Number(usize, usize, f64),
    /// An example without a single node.
    Empty(usize),
    Tree(usize, TreeError),
}

impl TreesError {
    /// How the array is to be mended.
    pub fn help(&self) -> &'static str {
        match self {
            TreesError::Shape(_) | TreesError::Number(..) => {
                "for each node the numbers of its children, from 0, and -1 where there is none"
            }
            TreesError::Empty(_) => "a tree has a root at least; `lengths` counts the nodes of each example",
            TreesError::Tree(_, e) => e.help(),
        }
    }
}

impl fmt::Display for TreesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = |example: &usize| format!("must give each example a tree; in example {}", example + 1);
        match self {
            TreesError::Shape(shape) => {
                write!(f, "must be node numbers of the shape [batch, nodes, edges], not {}", show(shape))
            }
            TreesError::Number(example, node, v) => write!(f, "{}, node {node} has child {v}", tree(example)),
            TreesError::Empty(example) => write!(f, "{} is no node", tree(example)),
            TreesError::Tree(example, e) => write!(f, "{}, {e}", tree(example)),
        }
    }
}

/// `counts`: the nodes of each example.
pub fn trees(array: &Array, counts: &[usize]) -> Result<Vec<Tree>, TreesError> {
    let [examples, nodes, edges] = array.shape[..] else {
        return Err(TreesError::Shape(array.shape.clone()));
    };
    if counts.len() != examples || counts.iter().any(|n| *n > nodes) {
        return Err(TreesError::Shape(array.shape.clone()));
    }
    let values = array.to_f64();
    let mut trees = Vec::with_capacity(examples);
    for (example, count) in counts.iter().enumerate() {
        if *count == 0 {
            return Err(TreesError::Empty(example));
        }
        let own = &values[example * nodes * edges..][..count * edges];
        // Which node is not there, the tree itself says.
        if let Some(at) = own.iter().position(|v| v.fract() != 0.0 || *v < -1.0) {
            return Err(TreesError::Number(example, at / edges, own[at]));
        }
        let own: Vec<i64> = own.iter().map(|v| *v as i64).collect();
        let edges = (0..*count).map(|n| &own[n * edges..][..edges]);
        trees.push(Tree::new(edges).map_err(|e| TreesError::Tree(example, e))?);
    }
    Ok(trees)
}

#[cfg(test)]
mod tests {
    use super::super::Data;
    use super::*;

    fn told(shape: [usize; 3], children: &[i64], counts: &[usize]) -> String {
        let array = Array { shape: shape.to_vec(), data: Data::I64(children.to_vec()) };
        trees(&array, counts).map_or_else(|e| e.to_string(), |t| format!("{} nodes", t[0].nodes()))
    }

    #[test]
    fn each_example_has_one_tree() {
        assert_eq!(told([1, 3, 2], &[-1, -1, -1, -1, 0, 1], &[3]), "3 nodes");
        assert_eq!(told([1, 3, 2], &[-1, -1, 9, 9, 9, 9], &[1]), "1 nodes");
        for (children, why) in [
            ([1, 2, -1, -1, -1, -1], "node 0 has child 1, which does not come before it"),
            ([-1, -1, 2, -1, 0, 1], "node 1 is below itself: 1 → 2 → 1"),
            ([2, -1, -1, -1, 0, 1], "node 0 is below itself: 0 → 2 → 0"),
            ([-1, -1, 1, -1, 0, 1], "node 1 is below itself: 1 → 1"),
            ([-1, -1, 0, -1, 0, 1], "node 0 has two parents, 1 and 2"),
            ([-1, -1, -1, -1, 0, -1], "node 1 has no parent; only the last node, the root, may have none"),
            ([-1, -1, -1, -1, 0, 3], "node 2 has child 3, but nodes are numbered 0 to 2"),
            ([-1, -1, -2, -1, 0, 1], "node 1 has child -2"),
        ] {
            let told = told([1, 3, 2], &children, &[3]);
            assert_eq!(told, format!("must give each example a tree; in example 1, {why}"));
        }
        assert_eq!(told([1, 1, 1], &[-1], &[0]), "must give each example a tree; in example 1 is no node");
    }
}
