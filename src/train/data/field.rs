//! The values of one name of a data set, and where each example has them.
//!
//! Invariant: the rows of an example lie together; along several axes the last runs fastest; the rows of a tree are its
//! nodes, children before their parents.

use crate::eqn::tree::Tree;
use std::ops::Range;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    points: Points,
    /// Extents of one value.
    pub shape: Vec<usize>,
    pub values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Real(Vec<f32>),
    /// Ids below the number of symbols, whose written forms stand beside.
    Id {
        ids: Vec<u32>,
        symbols: Arc<Vec<String>>,
    },
}

/// Where one example has values; `ends` says where the rows of each example end.
#[derive(Clone, Debug, PartialEq)]
enum Points {
    /// One value.
    One,
    /// One for each combination of positions along some axes: for each axis the length of every example.
    Axes { lengths: Vec<Vec<usize>>, ends: Vec<usize> },
    /// One for each node.
    Tree { trees: Arc<Vec<Tree>>, ends: Vec<usize> },
}

/// The kind of points that values are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Example,
    /// A sequence, or a grid of so many axes.
    Axes(usize),
    Tree,
    /// Trees together with other axes, which no data have.
    Mixed,
}

impl Over {
    /// Number of axes along which an array of such values lies.
    pub fn axes(self) -> usize {
        match self {
            Over::Example => 0,
            Over::Axes(n) => n,
            Over::Tree | Over::Mixed => 1,
        }
    }
}

impl Field {
    /// One value per example.
    pub fn one(shape: Vec<usize>, values: Values) -> Field {
        Field { points: Points::One, shape, values }
    }

    /// A sequence per example; `ends`: where each one's positions end.
    pub fn sequence(shape: Vec<usize>, values: Values, ends: Vec<usize>) -> Field {
        let mut start = 0;
        let length = |end: &usize| {
            let length = end.saturating_sub(start);
            start = *end;
            length
        };
        let lengths = vec![ends.iter().map(length).collect()];
        Field { points: Points::Axes { lengths, ends }, shape, values }
    }

    /// A grid per example; `lengths`: for each axis the length of every example.
    pub fn grid(shape: Vec<usize>, values: Values, lengths: Vec<Vec<usize>>) -> Field {
        let examples = lengths.first().map_or(0, Vec::len);
        let count = |e: usize| lengths.iter().map(|axis| axis[e]).product::<usize>();
        let ends = running((0..examples).map(count));
        Field { points: Points::Axes { lengths, ends }, shape, values }
    }

    /// Values at the nodes of each example's tree.
    pub fn tree(shape: Vec<usize>, values: Values, trees: Arc<Vec<Tree>>) -> Field {
        let ends = running(trees.iter().map(Tree::nodes));
        Field { points: Points::Tree { trees, ends }, shape, values }
    }

    /// Values of equal shape as something over `over` takes them: the first extents are its axes.
    pub fn uniform(over: Over, shape: &[usize], examples: usize, values: Values) -> Option<Field> {
        match over {
            Over::Example => Some(Field::one(shape.to_vec(), values)),
            Over::Axes(n) => {
                let (axes, own) = shape.split_at_checked(n)?;
                let lengths = axes.iter().map(|n| vec![*n; examples]).collect();
                Some(Field::grid(own.to_vec(), values, lengths))
            }
            Over::Tree | Over::Mixed => None,
        }
    }

    pub fn over(&self) -> Over {
        match &self.points {
            Points::One => Over::Example,
            Points::Axes { lengths, .. } => Over::Axes(lengths.len()),
            Points::Tree { .. } => Over::Tree,
        }
    }

    pub fn is_sequence(&self) -> bool {
        self.over() == Over::Axes(1)
    }

    pub fn examples(&self) -> usize {
        match &self.points {
            Points::One => self.rows(),
            Points::Axes { ends, .. } | Points::Tree { ends, .. } => ends.len(),
        }
    }

    /// Number of values of all examples.
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Real(v) => v.len() / self.width().max(1),
            Values::Id { ids, .. } => ids.len(),
        }
    }

    /// Elements of one value.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// The rows of one example.
    pub fn range(&self, example: usize) -> Range<usize> {
        match &self.points {
            Points::One => example..example + 1,
            Points::Axes { ends, .. } | Points::Tree { ends, .. } => {
                let start = if example == 0 { 0 } else { ends[example - 1] };
                start..ends[example]
            }
        }
    }

    /// The length of an example along an axis; of a tree the number of its nodes.
    pub fn length(&self, axis: usize, example: usize) -> usize {
        match &self.points {
            Points::One => 1,
            Points::Axes { lengths, .. } => lengths[axis][example],
            Points::Tree { trees, .. } => trees[example].nodes(),
        }
    }

    /// The trees of all examples, if it is over trees.
    pub fn trees(&self) -> Option<&[Tree]> {
        match &self.points {
            Points::Tree { trees, .. } => Some(trees),
            _ => None,
        }
    }
}

/// Sums so far.
fn running(counts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut sum = 0;
    let add = |n: usize| {
        sum += n;
        sum
    };
    counts.map(add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_example_are_as_many_as_its_points() {
        let values = Values::Real(vec![0.0; 11]);
        let f = Field::grid(vec![], values, vec![vec![2, 1], vec![3, 5]]);
        assert_eq!((f.range(0), f.range(1), f.over()), (0..6, 6..11, Over::Axes(2)));
        assert_eq!((f.length(0, 1), f.length(1, 0)), (1, 3));
        let f = Field::sequence(vec![], Values::Real(vec![0.0; 5]), vec![2, 5]);
        assert_eq!((f.range(1), f.length(0, 1), f.is_sequence()), (2..5, 3, true));
        let none: &[i64] = &[];
        let trees = [Tree::new([none, &[0]]).unwrap(), Tree::new([none]).unwrap()];
        let f = Field::tree(vec![], Values::Real(vec![0.0; 3]), Arc::new(trees.to_vec()));
        assert_eq!((f.range(1), f.length(0, 0), f.examples()), (2..3, 2, 2));
    }
}
