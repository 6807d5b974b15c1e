//! The shape of one tree: which nodes are the children of which.
//!
//! In: for every node its edges, each to a child or to none. Out: a [`Tree`], or what is wrong with it.
//! Invariants: children come before their parents, every node but the last has exactly one parent; so there is
//! one root, the last node, and no cycle.

use std::fmt;

/// Nodes count from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    edges: Vec<Vec<Option<u32>>>,
    children: Vec<Vec<u32>>,
    parents: Vec<Option<Parent>>,
}

/// Where a node hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub node: u32,
    /// The parent's edge that leads here.
    pub edge: u32,
    /// How many of the parent's children come before this one.
    pub rank: u32,
}

/// Nodes count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeError {
    NoSuchNode {
        node: usize,
        child: i64,
        nodes: usize,
    },
    /// Nodes from a node down to itself.
    Cycle(Vec<usize>),
    ChildNotBefore {
        node: usize,
        child: usize,
    },
    TwoParents {
        child: usize,
        first: usize,
        second: usize,
    },
    NoParent {
        node: usize,
    },
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeError::NoSuchNode { node, child, nodes } => {
                write!(f, "node {node} has child {child}, but nodes are numbered 0 to {}", *nodes as i64 - 1)
            }
            TreeError::Cycle(nodes) => {
                let way: Vec<String> = nodes.iter().map(usize::to_string).collect();
                write!(f, "node {} is below itself: {}", nodes.first().unwrap_or(&0), way.join(" → "))
            }
            TreeError::ChildNotBefore { node, child } => {
                write!(f, "node {node} has child {child}, which does not come before it")
            }
            TreeError::TwoParents { child, first, second } => {
                write!(f, "node {child} has two parents, {first} and {second}")
            }
            TreeError::NoParent { node } => {
                write!(f, "node {node} has no parent; only the last node, the root, may have none")
            }
        }
    }
}

impl std::error::Error for TreeError {}

impl TreeError {
    /// How the children are to be mended.
    pub fn help(&self) -> &'static str {
        match self {
            TreeError::NoSuchNode { .. } => "nodes are numbered from 0; -1 is no child",
            TreeError::Cycle(_) => "take one of these children away, or give -1 in its place",
            TreeError::ChildNotBefore { .. } => {
                "number the nodes from the leaves to the root: children before their parents, the root last"
            }
            TreeError::TwoParents { .. } => "repeat the node, and all below it, for its second parent",
            TreeError::NoParent { .. } => "name it as a child of a later node, or leave it out",
        }
    }
}

/// Nodes from one that is below itself down to it again, where such a node is.
fn cycle(edges: &[&[i64]]) -> Option<Vec<usize>> {
    let child = |node: usize, edge: usize| -> Option<usize> {
        usize::try_from(*edges.get(node)?.get(edge)?).ok().filter(|k| *k < edges.len())
    };
    // Done: nothing below it leads back. A way holds each node with its next edge to follow.
    let (mut is_done, mut is_on_way) = (vec![false; edges.len()], vec![false; edges.len()]);
    for start in 0..edges.len() {
        let mut way: Vec<(usize, usize)> = if is_done[start] { vec![] } else { vec![(start, 0)] };
        while let Some((node, edge)) = way.last_mut() {
            is_on_way[*node] = true;
            if *edge == edges[*node].len() {
                (is_done[*node], is_on_way[*node]) = (true, false);
                way.pop();
                continue;
            }
            *edge += 1;
            let Some(next) = child(*node, *edge - 1) else { continue };
            if is_on_way[next] {
                let nodes = way.iter().map(|(node, _)| *node).skip_while(|node| *node != next);
                return Some(nodes.chain([next]).collect());
            }
            if !is_done[next] {
                way.push((next, 0));
            }
        }
    }
    None
}

impl Tree {
    /// `edges[node]`: the child at each edge, from 0; below 0 there is none.
    pub fn new<'a>(edges: impl IntoIterator<Item = &'a [i64]>) -> Result<Tree, TreeError> {
        let given: Vec<&[i64]> = edges.into_iter().collect();
        let nodes = given.len();
        let mut tree = Tree { parents: vec![None; nodes], ..Tree::default() };
        for (node, edges) in given.iter().enumerate() {
            let (mut slots, mut children) = (Vec::with_capacity(edges.len()), Vec::new());
            for (edge, child) in edges.iter().enumerate() {
                if *child < 0 {
                    slots.push(None);
                    continue;
                }
                let k = usize::try_from(*child).ok().filter(|k| *k < nodes);
                let k = k.ok_or(TreeError::NoSuchNode { node, child: *child, nodes })?;
                if k >= node {
                    let later = TreeError::ChildNotBefore { node, child: k };
                    return Err(cycle(&given).map_or(later, TreeError::Cycle));
                }
                if let Some(first) = tree.parents[k] {
                    return Err(TreeError::TwoParents { child: k, first: first.node as usize, second: node });
                }
                let parent = Parent { node: node as u32, edge: edge as u32, rank: children.len() as u32 };
                tree.parents[k] = Some(parent);
                slots.push(Some(k as u32));
                children.push(k as u32);
            }
            tree.edges.push(slots);
            tree.children.push(children);
        }
        let inner = &tree.parents[..nodes.saturating_sub(1)];
        match inner.iter().position(Option::is_none) {
            Some(node) => Err(TreeError::NoParent { node }),
            None => Ok(tree),
        }
    }

    pub fn nodes(&self) -> usize {
        self.edges.len()
    }

    /// The child at an edge.
    pub fn edge(&self, node: usize, edge: usize) -> Option<usize> {
        self.edges.get(node)?.get(edge)?.map(|k| k as usize)
    }

    /// The number of edges, of a node, to a child or to none.
    pub fn arity(&self, node: usize) -> usize {
        self.edges.get(node).map_or(0, Vec::len)
    }

    /// The children that are there, in the order of their edges.
    pub fn children(&self, node: usize) -> &[u32] {
        self.children.get(node).map_or(&[], Vec::as_slice)
    }

    pub fn parent(&self, node: usize) -> Option<Parent> {
        self.parents.get(node).copied().flatten()
    }

    /// The longest way from a node down to a leaf; 0 for a leaf.
    pub fn heights(&self) -> Vec<usize> {
        let mut heights = vec![0; self.nodes()];
        for node in 0..self.nodes() {
            let below = self.children(node).iter().map(|k| heights[*k as usize] + 1);
            heights[node] = below.max().unwrap_or(0);
        }
        heights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(edges: &[&[i64]]) -> Result<Tree, TreeError> {
        Tree::new(edges.iter().copied())
    }

    #[test]
    fn edges_lead_to_children_and_back() {
        let t = tree(&[&[], &[], &[-1, 0, 1]]).unwrap();
        assert_eq!(t.children(2), [0, 1]);
        assert_eq!((t.edge(2, 0), t.edge(2, 1)), (None, Some(0)));
        assert_eq!(t.parent(1), Some(Parent { node: 2, edge: 2, rank: 1 }));
        assert_eq!(t.parent(2), None);
        assert_eq!(t.heights(), [0, 0, 1]);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        assert_eq!(tree(&[&[5]]), Err(TreeError::NoSuchNode { node: 0, child: 5, nodes: 1 }));
        assert_eq!(tree(&[&[1], &[]]), Err(TreeError::ChildNotBefore { node: 0, child: 1 }));
        assert_eq!(tree(&[&[0]]), Err(TreeError::Cycle(vec![0, 0])));
        let twice = Err(TreeError::TwoParents { child: 0, first: 1, second: 2 });
        assert_eq!(tree(&[&[], &[0], &[0, 1]]), twice);
        assert_eq!(tree(&[&[], &[], &[1]]), Err(TreeError::NoParent { node: 0 }));
        assert_eq!(tree(&[]).unwrap().nodes(), 0);
        assert_eq!(tree(&[&[]]).unwrap().nodes(), 1);
    }
}
