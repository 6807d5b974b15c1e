//! Indexed rows: which point each row is, and which rows it is matched with.
//!
//! In: the domains and tables of a program, lengths and trees of a batch. Out: [`Rows`], made once for one set of
//! lengths. Invariant: every row number in a table is a row of its place, for the batch it was made for.

use super::errors;
use crate::diag::Diagnostic;
use crate::eqn::eval::points::{Outside, Place as Spot, Points};
use crate::eqn::tree::Tree;
use crate::eqn::{self, DomainId, DomainKind, Level};
use crate::loops::{Coordinate, Front, Place, Program, Relation, Table};
use std::ops::Range;

/// No row.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Of each domain; empty for chains.
    pub domains: Vec<Indexed>,
    pub tables: Vec<Matches>,
    /// Of each buffer that tables alone lead to, the rows they lead to, in order (see [`asked`](super::asked)).
    pub asked: Vec<Option<Vec<u32>>>,
    /// Of each domain, points along its axis in arrays.
    pub extents: Vec<usize>,
}

/// The rows of one domain.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexed {
    spots: Vec<Spot>,

    /// The row of each place of an array.
    pub of_array: Vec<u32>,
    /// Of each front of the domain's order, which one each row lies on.
    keys: Vec<Vec<i64>>,
}

impl Indexed {
    pub fn count(&self) -> usize {
        self.spots.len()
    }

    /// The rows among `range`, all on equal outer fronts, that lie on the front `key`.
    pub fn on_front(&self, depth: usize, range: (usize, usize), key: i64) -> (usize, usize) {
        let keys = &self.keys[depth][range.0..range.1];
        (range.0 + keys.partition_point(|k| *k < key), range.0 + keys.partition_point(|k| *k <= key))
    }

    /// The rows among `range`, all on equal fronts, of the examples from one on to before another.
    pub fn of_examples(&self, range: (usize, usize), examples: (usize, usize)) -> (usize, usize) {
        let spots = &self.spots[range.0..range.1];
        let before = |b: usize| range.0 + spots.partition_point(|p| p.example < b);
        (before(examples.0), before(examples.1))
    }

    /// Adds each example's rows to its place in `counts`.
    pub fn count_by_example(&self, counts: &mut [u64]) {
        self.spots.iter().for_each(|p| counts[p.example] += 1);
    }

    /// The front of a row.
    pub fn front(&self, depth: usize, row: usize) -> i64 {
        self.keys[depth][row]
    }
}

impl Rows {
    /// Of some rows of a buffer those from the first to the last that anybody reads.
    pub fn asked(&self, buffer: usize, rows: Range<usize>) -> Range<usize> {
        let Some(Some(asked)) = self.asked.get(buffer) else { return rows };
        let before = |row: usize| asked.partition_point(|r| (*r as usize) < row);
        match asked.get(before(rows.start)..before(rows.end)) {
            Some([first, .., last]) => *first as usize..*last as usize + 1,
            Some([only]) => *only as usize..*only as usize + 1,
            _ => rows.start..rows.start,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Matches {
    /// For each row the source and its row, or [`NONE`].
    One(Vec<(u32, u32)>),
    /// For each row a part of `rows`.
    Many { starts: Vec<u32>, rows: Vec<u32> },
}

/// What a batch says of the axes.
#[derive(Clone, Copy)]
pub(super) struct Sizes<'a> {
    pub batch: usize,
    /// Of each domain, points in arrays, as far as they are given.
    pub steps: &'a [usize],
    pub lengths: &'a [Vec<usize>],
    pub trees: &'a [Vec<Tree>],
}

/// How many rows each indexed domain has, and how many places its arrays have; nothing is built.
pub(super) fn count(program: &Program, sizes: &Sizes) -> Option<Vec<(usize, usize)>> {
    let mut counts = Vec::with_capacity(program.domains.len());
    let extents = extents(program, sizes);
    for (i, domain) in program.domains.iter().enumerate() {
        if !domain.is_indexed() {
            counts.push((0, 0));
            continue;
        }
        let axes = program.axes(DomainId(i as u32));
        let mut rows = 0usize;
        for b in 0..sizes.batch {
            let mut of_example = 1usize;
            for axis in &axes {
                // Children come with the nodes of their tree: together as many as there are edges.
                let n = match program.domains[axis.index()].kind {
                    DomainKind::Children { .. } => continue,
                    DomainKind::Tree { .. } => {
                        let own = axes.iter().filter(|a| {
                            program.domains[a.index()].kind == DomainKind::Children { tree: *axis }
                        });
                        match own.count() {
                            0 => sizes.lengths[axis.index()][b],
                            many => {
                                let tree = &sizes.trees[axis.index()][b];
                                let of_node = |n| tree.children(n).len().checked_pow(many as u32);
                                (0..tree.nodes()).try_fold(0usize, |sum, n| sum.checked_add(of_node(n)?))?
                            }
                        }
                    }
                    _ => sizes.lengths[axis.index()][b],
                };
                of_example = of_example.checked_mul(n)?;
            }
            rows = rows.checked_add(of_example)?;
        }
        let places = axes.iter().try_fold(sizes.batch, |n, a| n.checked_mul(extents[a.index()]))?;
        counts.push((rows, places));
    }
    let fits = |(rows, places): &(usize, usize)| *rows < NONE as usize && *places < NONE as usize;
    counts.iter().all(fits).then_some(counts)
}

fn extents(program: &Program, sizes: &Sizes) -> Vec<usize> {
    let mut extents = sizes.steps.to_vec();
    for (i, domain) in program.domains.iter().enumerate() {
        if let DomainKind::Children { tree } = domain.kind {
            let most = |t: &Tree| (0..t.nodes()).map(|n| t.children(n).len()).max().unwrap_or(0);
            extents[i] = sizes.trees[tree.index()].iter().map(most).fold(extents[i], usize::max);
        }
    }
    extents
}

/// Bytes that the rows and tables take, at most.
pub(super) fn bytes(program: &Program, sizes: &Sizes, counts: &[(usize, usize)]) -> u128 {
    let rows_of = |place: Place| match place {
        Place::Shared => 1,
        Place::Example => sizes.batch,
        Place::Over { domain, .. } if program.domains[domain.index()].is_indexed() => {
            counts[domain.index()].0
        }
        Place::Over { domain, .. } => sizes.steps[domain.index()].saturating_mul(sizes.batch),
    };
    let mut bytes = 0u128;
    for (domain, (rows, places)) in program.domains.iter().zip(counts) {
        let row = size_of::<Spot>() + 4 + 8 * domain.order.len();
        bytes += *rows as u128 * row as u128 + *places as u128 * 4;
    }
    for table in &program.tables {
        let sources: u128 = match table.relation {
            Relation::Below => table.from.iter().map(|p| rows_of(*p) as u128).sum(),
            _ => 0,
        };
        bytes += 8 * rows_of(table.to) as u128 + 4 * sources;
    }
    bytes
}

/// Rows and tables for a batch. The sizes must have been counted.
pub(super) fn build(program: &Program, sizes: &Sizes) -> Rows {
    let domain = |d: &crate::loops::Domain| eqn::Domain {
        extent: d.extent.clone(),
        var: d.var.clone(),
        kind: d.kind.clone(),
        edges: Vec::new(),
    };
    let domains: Vec<eqn::Domain> = program.domains.iter().map(domain).collect();
    let trees = sizes.trees.iter().map(Vec::as_slice).collect();
    let points = Points::new(&domains, sizes.batch, sizes.lengths.to_vec(), trees, sizes.steps);
    let mut rows = Rows { extents: extents(program, sizes), ..Rows::default() };
    for (i, d) in program.domains.iter().enumerate() {
        rows.domains.push(match d.is_indexed() {
            true => indexed(program, &points, sizes, DomainId(i as u32)),
            false => Indexed::default(),
        });
    }
    rows.tables = program.tables.iter().map(|t| matches(program, &points, &rows, sizes, t)).collect();
    rows
}

fn indexed(program: &Program, points: &Points, sizes: &Sizes, domain: DomainId) -> Indexed {
    let level = Level::Over(domain);
    let order = &program.domains[domain.index()].order;
    // Children without their tree have no points.
    let mut spots = points.all(level);
    // Stable: within a front by example, then by position.
    spots.sort_by_key(|p| p.example);
    let heights: Vec<Vec<Vec<usize>>> =
        sizes.trees.iter().map(|trees| trees.iter().map(Tree::heights).collect()).collect();
    let key = |front: &Front, p: &Spot| -> i64 {
        let along = |(axis, k): &(DomainId, i32)| {
            let x = points.position(level, *p, *axis);
            let x = match program.domains[axis.index()].kind {
                DomainKind::Tree { .. } => heights[axis.index()][p.example][x],
                _ => x,
            };
            i64::from(*k).saturating_mul(x as i64)
        };
        front.0.iter().map(along).fold(0, i64::saturating_add)
    };
    spots.sort_by_cached_key(|p| order.iter().map(|f| key(f, p)).collect::<Vec<_>>());
    let keys = order.iter().map(|f| spots.iter().map(|p| key(f, p)).collect()).collect();
    let in_array: Vec<u32> = spots.iter().map(|p| points.row(level, *p) as u32).collect();
    let mut of_array = vec![NONE; points.rows(level)];
    in_array.iter().enumerate().for_each(|(row, at)| of_array[*at as usize] = row as u32);
    Indexed { spots, of_array, keys }
}

fn level(place: Place) -> Level {
    match place {
        Place::Shared => Level::Shared,
        Place::Example => Level::Example,
        Place::Over { domain, .. } => Level::Over(domain),
    }
}

fn matches(program: &Program, points: &Points, rows: &Rows, sizes: &Sizes, table: &Table) -> Matches {
    let to = level(table.to);
    // Rows of a chain that are no points stay empty.
    let count = match table.to {
        Place::Shared => 1,
        Place::Example => sizes.batch,
        Place::Over { domain, .. } => match program.domains[domain.index()].is_indexed() {
            true => rows.domains[domain.index()].count(),
            false => sizes.steps[domain.index()] * sizes.batch,
        },
    };
    let row = |level: Level, p: Spot| -> u32 {
        let at = points.row(level, p);
        match level {
            Level::Over(d) if program.domains[d.index()].is_indexed() => rows.domains[d.index()].of_array[at],
            _ => at as u32,
        }
    };
    let spots = match table.to {
        Place::Over { domain, .. } if program.domains[domain.index()].is_indexed() => {
            rows.domains[domain.index()].spots.clone()
        }
        _ => points.all(to),
    };
    if table.relation == Relation::Below {
        let from = table.from.first().map_or(Level::Shared, |p| level(*p));
        let mut parts = vec![Vec::new(); count];
        for p in spots {
            let below = points.below(from, to, p);
            parts[row(to, p) as usize] = below.into_iter().map(|q| row(from, q)).collect();
        }
        let (mut starts, mut all) = (vec![0], Vec::new());
        for part in parts {
            all.extend(part);
            starts.push(all.len() as u32);
        }
        return Matches::Many { starts, rows: all };
    }
    let mut matches = vec![(0, NONE); count];
    for p in spots {
        if let Some((source, at, q)) = find(points, table, to, p) {
            let from = level(table.from[source]);
            matches[row(to, p) as usize] = (source as u32, row(from, points.project(at, q, from)));
        }
    }
    Matches::One(matches)
}

/// The source that `p` reads, and the point of a level.
fn find(points: &Points, table: &Table, to: Level, p: Spot) -> Option<(usize, Level, Spot)> {
    match &table.relation {
        Relation::Same | Relation::Below => Some((0, to, p)),
        Relation::Lag { domain, offset, init, sides } => match points.lag(*domain, *offset, to, p) {
            Ok(q) => Some((0, Level::Over(*domain), q)),
            Err(Outside { side, distance }) => {
                let crossed = sides.iter().position(|s| side == Some(*s));
                let source = match crossed {
                    Some(k) => 1 + init + k,
                    None => distance.min(*init),
                };
                Some((source, to, p))
            }
        },
        Relation::At { axis, point } => {
            let from = level(table.from[0]);
            let found = points.point(*axis, *point, to, p, from);
            Some(found.map_or((1, to, p), |q| (0, from, q)))
        }
        Relation::Remap(maps) => {
            let from = level(table.from[0]);
            points.remap(maps, from, to, p).map(|q| (0, from, q))
        }
        Relation::Flatten { grid, line, back } => {
            let from = level(table.from[0]);
            points.flatten((grid, *line, *back), from, to, p).map(|q| (0, from, q))
        }
        Relation::Parts(axis) => {
            let source = points.position(to, p, *axis);
            (source < table.from.len()).then_some((source, to, p))
        }
    }
}

/// A number for every row of a domain.
pub(super) fn number(
    program: &Program,
    sizes: &Sizes,
    of: Coordinate,
    axis: DomainId,
    rows: &Indexed,
    domain: DomainId,
    row: usize,
) -> f32 {
    let p = rows.spots[row];
    let along = |wanted: DomainId| {
        let at = program.axes(domain).iter().position(|a| *a == wanted);
        at.map_or(0, |i| p.at[i])
    };
    match (of, &program.domains[axis.index()].kind) {
        (Coordinate::Position, _) => (along(axis) + 1) as f32,
        (Coordinate::Length, DomainKind::Children { tree }) => {
            sizes.trees[tree.index()][p.example].children(along(*tree)).len() as f32
        }
        (Coordinate::Length, _) => sizes.lengths[axis.index()][p.example] as f32,
    }
}

/// The trees of a batch, or what is wrong with them.
pub(super) fn fit_trees(
    extent: &str,
    arity: Option<u32>,
    batch: usize,
    given: Option<&Vec<Tree>>,
) -> Result<Vec<Tree>, Diagnostic> {
    let Some(trees) = given else {
        // No example needs no tree.
        return if batch == 0 { Ok(Vec::new()) } else { Err(errors::missing_trees(extent)) };
    };
    if trees.len() != batch {
        return Err(errors::wrong_trees(
            extent,
            &format!("there are {} of them for {batch} examples", trees.len()),
        ));
    }
    let most = arity.map_or(usize::MAX, |n| n as usize);
    for (b, tree) in trees.iter().enumerate() {
        if let Some(node) = (0..tree.nodes()).find(|n| tree.arity(*n) > most) {
            let edges = tree.arity(node);
            let why = format!("node {node} of example {b} has {edges} edges, but there are at most {most}");
            return Err(errors::wrong_trees(extent, &why));
        }
    }
    Ok(trees.clone())
}
