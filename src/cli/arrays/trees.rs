//! The trees of a batch, from an array of children.
//!
//! In: `children_NAME` or `children` `[B, nodes, edges]`: for every node the numbers, from 0, of its children, -1 where an
//! edge leads nowhere; `lengths_NAME` or `lengths` `[B]`, if the trees have unequal numbers of nodes. Out: [`Tree`]s.

use super::{Sizes, errors};
use crate::diag::Diagnostic;
use crate::eqn::tree::Tree;
use crate::eqn::{Domain, DomainKind, Graph};
use crate::runtime::MOST_STEPS;
use crate::runtime::errors::{missing_trees, too_large, too_many_steps};
use crate::weights::trees::{TreesError, trees as trees_of};
use crate::weights::{Array, Finder};
use std::collections::BTreeMap;

pub fn trees(
    graph: &Graph,
    finder: Finder,
    limit: u64,
    sizes: &mut Sizes,
    wrong: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Vec<Tree>> {
    let mut all = BTreeMap::new();
    for (i, domain) in graph.domains.iter().enumerate() {
        let Some([name, lengths]) = names(domain, finder) else { continue };
        let Some(array) = finder.arrays.get(&name) else {
            wrong.push(missing_trees(&domain.extent));
            continue;
        };
        match read(finder, limit, &name, array, &lengths, sizes) {
            Ok(trees) => {
                let most = trees.iter().map(Tree::nodes).max().unwrap_or(0);
                let steps = sizes.steps.entry(i).or_insert(most);
                if *steps > MOST_STEPS {
                    wrong.push(too_many_steps(&domain.extent, *steps, MOST_STEPS));
                }
                all.insert(domain.extent.to_string(), trees);
            }
            Err(e) => wrong.push(e),
        }
    }
    all
}

/// The arrays of the file that give a domain's trees and their numbers of nodes, if it has trees.
pub fn names(domain: &Domain, finder: Finder) -> Option<[String; 2]> {
    let DomainKind::Tree { .. } = domain.kind else { return None };
    let own = |what: &str| {
        let own = format!("{what}_{}", domain.extent);
        if finder.arrays.contains_key(&own) { own } else { what.to_string() }
    };
    Some([own("children"), own("lengths")])
}

fn read(
    finder: Finder,
    limit: u64,
    name: &str,
    array: &Array,
    lengths: &str,
    sizes: &mut Sizes,
) -> Result<Vec<Tree>, Diagnostic> {
    let refused = |why: TreesError| errors::bad_children(finder.file, name, &why);
    let [batch, nodes, _] = array.shape[..] else {
        return Err(refused(TreesError::Shape(array.shape.clone())));
    };
    if *sizes.batch.get_or_insert(batch) != batch {
        return Err(refused(TreesError::Shape(array.shape.clone())));
    }
    if batch == 0 {
        return Err(errors::no_examples(finder.file));
    }
    let bytes = (batch as u128).saturating_mul(nodes as u128).saturating_mul(32);
    if bytes > u128::from(limit) {
        return Err(too_large(Some(bytes), limit));
    }
    let mut counts = vec![nodes; batch];
    if let Some(given) = finder.arrays.get(lengths) {
        let values = given.to_f64();
        let fits = |v: &f64| v.fract() == 0.0 && *v >= 0.0 && *v <= nodes as f64;
        if given.shape != [batch] {
            return Err(errors::misshaped_lengths(finder.file, lengths, batch, None, &given.shape));
        }
        if let Some(at) = values.iter().position(|v| !fits(v)) {
            return Err(errors::bad_length(finder.file, lengths, at, None, nodes, values[at]));
        }
        counts = values.iter().map(|v| *v as usize).collect();
    }
    trees_of(array, &counts).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eqn::parse;
    use crate::weights::{Arrays, Data};

    const COUNT: &str = "domain v : n tree 2
source x : [] over v = input
state h : [] over v = h init zero
zero : [] shared = const(0.0)
x : [] over v = source(x)
a : [] over v = lag(h, child 0)
b : [] over v = lag(h, child 1)
ab : [] over v = add(a, b)
h : [] over v = add(ab, x)
out h = h
";

    fn read(children: &[i64], shape: [usize; 3], lengths: Option<Vec<i64>>) -> Result<Vec<Tree>, String> {
        let graph = parse::parse(COUNT).unwrap();
        let mut arrays = Arrays::new();
        let ints = |shape: Vec<usize>, values: Vec<i64>| Array { shape, data: Data::I64(values) };
        arrays.insert("x".into(), Array::f32(vec![shape[1], shape[0]], vec![1.0; shape[0] * shape[1]]));
        arrays.insert("children".into(), ints(shape.to_vec(), children.to_vec()));
        arrays.extend(lengths.map(|l| ("lengths".into(), ints(vec![l.len()], l))));
        let finder = Finder { file: "in.npz", arrays: &arrays };
        assert!(super::super::unread(&graph, finder).is_empty());
        let batch = super::super::batch(&graph, finder, None, 1 << 20);
        batch.map(|(b, _)| b.trees["v"].clone()).map_err(|e| e[0].message.clone())
    }

    #[test]
    fn children_make_trees_of_as_many_nodes_as_lengths_say() {
        let children = [-1, -1, -1, -1, 0, 1, -1, -1, 9, 9, 9, 9];
        let trees = read(&children, [2, 3, 2], Some(vec![3, 1])).unwrap();
        assert_eq!((trees[0].children(2), trees[1].nodes()), (&[0, 1][..], 1));
        assert!(read(&children, [2, 3, 2], None).unwrap_err().contains("node 1 has child 9"));
        assert!(read(&children[..6], [1, 3, 2], Some(vec![4])).unwrap_err().contains("`lengths`"));
        let lost = read(&[-1, -1, -1, -1, 0, -1], [1, 3, 2], None).unwrap_err();
        assert!(
            lost.ends_with("example 1, node 1 has no parent; only the last node, the root, may have none")
        );
    }
}
