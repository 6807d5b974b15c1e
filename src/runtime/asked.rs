//! Rows that somebody reads.
//!
//! What a product makes for the children of a node is read by way of a table, at the rows of the children; a leaf has none, so nobody reads
//! its rows, and a tree has more leaves than other nodes. Products leave out what nobody asks for, front by front.
//!
//! In: a program ([`by_tables`], once), the tables of a batch ([`rows`]). Out: of each buffer that tables alone lead to, the
//! rows they lead to.

use super::rows::{Matches, NONE, Rows};
use crate::loops::{Arg, Operand, Place, Program, Stage};

/// For each buffer, whether it is over indexed rows, products write it, and all that read it do so by way of a table.
pub(super) fn by_tables(program: &Program) -> Vec<bool> {
    let mut made = vec![false; program.buffers.len()];
    let mut read = vec![false; program.buffers.len()];
    let weights = program.weights.iter().flat_map(|w| &w.parts).map(|part| &part.source);
    for at in program.outputs.iter().map(|output| &output.at).chain(weights) {
        read[at.buffer.index()] = true;
    }
    for stages in [&program.prepare, &program.stages] {
        each_read(stages, &mut |at| read[at.buffer.index()] = true);
        each_product(stages, &mut |out| made[out.buffer.index()] = true);
    }
    let is_indexed = |place| match place {
        Place::Over { domain, .. } => program.domains[domain.index()].is_indexed(),
        Place::Shared | Place::Example => false,
    };
    let all = program.buffers.iter().zip(made.into_iter().zip(read));
    all.map(|(buffer, (made, read))| made && !read && is_indexed(buffer.place)).collect()
}

fn each_product(stages: &[Stage], f: &mut impl FnMut(&Operand)) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => each_product(body, f),
            Stage::Product { out, .. } => f(out),
            _ => {}
        }
    }
}

/// What is read row by row. A kernel's arguments all count: what it writes it may read before. That a product adds to its rows
/// does not: where they are not read, it adds nothing.
fn each_read(stages: &[Stage], f: &mut impl FnMut(&Operand)) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => each_read(body, f),
            Stage::Map { args, .. } => {
                for arg in args {
                    if let Arg::Rows(at) = arg {
                        f(at);
                    }
                }
            }
            Stage::Product { a, .. } => f(a),
            Stage::Outer { a, b, out, .. } => [a, b, out].into_iter().for_each(&mut *f),
            Stage::Tally { index, value, out, .. } => [index, value, out].into_iter().for_each(&mut *f),
            Stage::Boundary { state, from, .. } => [state, from].into_iter().for_each(&mut *f),
            Stage::Mask { out, fill, .. } => [out].into_iter().chain(fill).for_each(&mut *f),
            Stage::Reverse { from, out, .. } => [from, out].into_iter().for_each(&mut *f),
            Stage::Take { from, out, empty, .. } => [from, out, empty].into_iter().for_each(&mut *f),
            Stage::Fill { .. } | Stage::Number { .. } | Stage::Collect { .. } | Stage::Fold { .. } => {}
        }
    }
}

/// How many rows they are at most before equal ones are one; `counts`: of each domain, rows.
pub(super) fn most(program: &Program, by_tables: &[bool], counts: &[(usize, usize)]) -> u128 {
    if !by_tables.contains(&true) {
        return 0;
    }
    let of = |place: Place| match place {
        Place::Over { domain, .. } => counts[domain.index()].0 as u128,
        Place::Shared | Place::Example => 0,
    };
    let buffers = program.buffers.iter().zip(by_tables).filter(|(_, by_tables)| **by_tables);
    let tables: u128 = program.tables.iter().map(|table| of(table.to)).sum();
    buffers.map(|(buffer, _)| of(buffer.place) + tables).sum()
}

/// The rows that tables lead to, in order, of each buffer that they alone lead to.
pub(super) fn rows(program: &Program, by_tables: &[bool], rows: &Rows) -> Vec<Option<Vec<u32>>> {
    let mut asked: Vec<Option<Vec<u32>>> =
        by_tables.iter().map(|by_tables| by_tables.then(Vec::new)).collect();
    add(&program.stages, rows, &mut asked);
    for rows in asked.iter_mut().flatten() {
        rows.sort_unstable();
        rows.dedup();
        rows.shrink_to_fit();
    }
    asked
}

fn add(stages: &[Stage], rows: &Rows, asked: &mut [Option<Vec<u32>>]) {
    for stage in stages {
        match stage {
            Stage::Loop { body, .. } | Stage::Fronts { body, .. } => add(body, rows, asked),
            Stage::Collect { from, table, .. } => {
                let Matches::One(matches) = &rows.tables[table.index()] else { continue };
                for (source, row) in matches.iter().filter(|(_, row)| *row != NONE) {
                    if let Some(asked) = &mut asked[from[*source as usize].buffer.index()] {
                        asked.push(*row);
                    }
                }
            }
            Stage::Fold { from, table, .. } => {
                let Matches::Many { rows, .. } = &rows.tables[table.index()] else { continue };
                if let Some(asked) = &mut asked[from.buffer.index()] {
                    asked.extend(rows);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Sizes, build};
    use super::*;
    use crate::eqn::parse::parse;
    use crate::eqn::tree::Tree;
    use crate::grad;
    use crate::schedule::schedule;
    use crate::simplify::simplify;

    const SUM: &str = "domain v : n tree
domain k : e children v
domain v×k : n×e product v, k
source x : [3] over v = input
source u : [3, 3] shared = param = 0.0
state h : [3] over v = h init zeros
z : [] shared = const(0.0)
zeros : [3] shared = spread(z)
x : [3] over v = source(x)
u : [3, 3] shared = source(u)
child : [3] over v×k = lag(h, each k)
below : [3] over v = sum_over(child)
ub : [3] over v = matmul(u, below)
pre : [3] over v = add(ub, x)
h : [3] over v = tanh(pre)
out h = h
";

    #[test]
    fn what_goes_to_children_is_asked_of_nodes_that_have_some() {
        let graph = parse(SUM).unwrap();
        let joint = simplify(&grad::differentiate(&graph, &grad::Options::default()).unwrap());
        let program = schedule(&joint).unwrap();
        let by_tables = by_tables(&program);
        let tree = Tree::new([&[][..], &[], &[0, 1], &[2]]).unwrap();
        let domains = program.domains.len();
        let (steps, lengths, trees) = (vec![4; domains], vec![vec![4]; domains], vec![vec![tree]; domains]);
        let sizes = Sizes { batch: 1, steps: &steps, lengths: &lengths, trees: &trees };
        let mut all = build(&program, &sizes);
        all.asked = rows(&program, &by_tables, &all);
        // Leaves come first.
        let buffer = all.asked.iter().position(|asked| asked.as_deref() == Some(&[2, 3])).unwrap();
        assert_eq!(all.asked(buffer, 0..4), 2..4);
        assert_eq!(all.asked(buffer, 3..4), 3..4);
        assert!(all.asked(buffer, 0..2).is_empty());
        // Others are asked for everything.
        let plain = by_tables.iter().position(|by_tables| !by_tables).unwrap();
        assert_eq!(all.asked(plain, 0..4), 0..4);
    }
}
