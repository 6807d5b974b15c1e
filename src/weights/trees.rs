//! Trees from an array of children.
//!
//! In: `[examples, nodes, edges]`: for every node the numbers, from 0, of its children, −1 where an edge leads nowhere; and
//! how many of the nodes are there in each example. Out: [`Tree`]s, or what is wrong with the array.

use super::{Array, show};
use crate::eqn::tree::{Tree, TreeError};
use std::fmt;

/// What an array of children must not be.
#[derive(Clone, Debug, PartialEq)]
pub enum TreesError {
    Shape(Vec<usize>),
    Number(f64),
    /// An example without a single node.
    Empty(usize),
    Tree(usize, TreeError),
}

impl fmt::Display for TreesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = "must be [batch, nodes, edges] node numbers, -1 where there is no child";
        match self {
            TreesError::Shape(shape) => write!(f, "{wanted}, and not have the shape {}", show(shape)),
            TreesError::Number(v) => write!(f, "{wanted}, and not hold {v}"),
            TreesError::Empty(example) => {
                write!(f, "must give each example a tree; that of example {example} has no node")
            }
            TreesError::Tree(example, e) => {
                write!(f, "must give each example a tree; in example {example}: {e}")
            }
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
        if let Some(bad) = own.iter().find(|v| v.fract() != 0.0 || **v < -1.0 || **v >= nodes as f64) {
            return Err(TreesError::Number(*bad));
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
            ([-1, -1, 2, -1, 0, 1], "children must come before their parents; node 1 has child 2"),
            ([-1, -1, 1, -1, 0, 1], "children must come before their parents; node 1 has child 1"),
            ([-1, -1, 0, -1, 0, 1], "node 0 has two parents, 1 and 2"),
            ([-1, -1, -1, -1, 0, -1], "node 1 has no parent"),
            ([-1, -1, -1, -1, 0, 3], "and not hold 3"),
        ] {
            let told = told([1, 3, 2], &children, &[3]);
            assert!(told.contains(why), "{told}");
        }
        assert!(told([1, 1, 1], &[-1], &[0]).contains("that of example 0 has no node"));
    }
}
