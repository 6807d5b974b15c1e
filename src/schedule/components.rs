//! Strongly connected components of a dependency graph.
//!
//! In: the number of nodes and each node's dependencies. Out: every node's component, and the
//! components such that each comes after all it depends on.

/// Tarjan's algorithm (1972) with a stack of its own, so that depth is bounded by memory alone.
pub struct Components {
    /// The component of each node; `usize::MAX` for nodes that are left out.
    pub of: Vec<usize>,
    /// Members in ascending order; dependencies first.
    pub members: Vec<Vec<usize>>,
}

pub fn components(edges: &[Vec<usize>], included: &[bool]) -> Components {
    let n = edges.len();
    let mut out = Components { of: vec![usize::MAX; n], members: Vec::new() };
    let mut index = vec![usize::MAX; n];
    let mut low = vec![0usize; n];
    let mut on_stack = vec![false; n];
    let mut stack = Vec::new();
    let mut next = 0;
    for root in 0..n {
        if !included[root] || index[root] != usize::MAX {
            continue;
        }
        // Each entry: a node and how many of its edges are done.
        let mut work = vec![(root, 0usize)];
        while let Some((v, done)) = work.pop() {
            if done == 0 {
                index[v] = next;
                low[v] = next;
                next += 1;
                stack.push(v);
                on_stack[v] = true;
            } else if let Some(&w) = edges[v].get(done - 1)
                && on_stack[w]
            {
                low[v] = low[v].min(low[w]);
            }
            let mut descended = false;
            for (k, &w) in edges[v].iter().enumerate().skip(done) {
                if index[w] == usize::MAX {
                    work.push((v, k + 1));
                    work.push((w, 0));
                    descended = true;
                    break;
                }
                if on_stack[w] {
                    low[v] = low[v].min(low[w]);
                }
            }
            if descended || low[v] != index[v] {
                continue;
            }
            let mut members = Vec::new();
            while let Some(w) = stack.pop() {
                on_stack[w] = false;
                out.of[w] = out.members.len();
                members.push(w);
                if w == v {
                    break;
                }
            }
            members.sort_unstable();
            out.members.push(members);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_one_component_and_comes_after_its_dependencies() {
        // 1 → 2 → 3 → 1 is a cycle that needs 0; 4 needs the cycle.
        let edges = vec![vec![], vec![2, 0], vec![3], vec![1], vec![3]];
        let c = components(&edges, &[true; 5]);
        assert_eq!(c.members, vec![vec![0], vec![1, 2, 3], vec![4]]);
        assert_eq!(c.of, vec![0, 1, 1, 1, 2]);
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let n = 200_000;
        let edges: Vec<Vec<usize>> = (0..n).map(|i| if i + 1 < n { vec![i + 1] } else { vec![] }).collect();
        assert_eq!(components(&edges, &vec![true; n]).members.len(), n);
    }
}
