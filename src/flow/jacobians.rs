//! The Jacobians of a step, and their products along the way a gradient comes.
//!
//! A step is a function of a point: its states s_p from those it reads, s_q. So every read is cut off and given as an input,
//! with the value it has; what is left has no recurrence, and its gradients for one component of s_p are a row of
//! ds_p/ds_q, for each way q lies from p, at all points at once.
//!
//! Along a chain, J_t = ds_t/ds_{t−1}, and the product J_T ··· J_{t+1} is what the gradient went through. On a grid there is a
//! line through the far point for each way that is read, on which the other ways are held fixed. In a tree each node has one
//! Jacobian, that of its parent's states for its own, and one way to the root.

use super::extents::Extents;
use super::matrix::Matrix;
use super::{numbers, one_hot};
use crate::eqn::eval::{Arrays, Batch, Evaluator};
use crate::eqn::tree::Tree;
use crate::eqn::{
    Domain, DomainId, DomainKind, Graph, Level, MAX_AXES, NodeId, Offset, Op, Source, SourceId, SourceKind,
    StateId, Ty,
};
use crate::grad;
use std::collections::BTreeSet;

/// Elements of all Jacobians together.
const MOST: usize = 1 << 24;
/// Ways that are followed.
const MOST_WAYS: usize = 8;

/// The Jacobians on the way to the point where the loss looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which read it follows: `t-1`, `prev y`; `children`.
    pub along: String,
    pub steps: Vec<Step>,
}

/// At a point p of a chain or grid, J_p = ds_p/ds_q, q being the point that it reads; at a node of a tree that of its parent's
/// states for its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// From 0, along each axis.
    pub at: Vec<usize>,
    /// None at the root of a tree.
    pub own: Option<Own>,
    /// Greatest singular value of the product of all from the far point or root down to the states at this point; 1
    /// at that point itself.
    pub product: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// Greatest singular value.
    pub norm: f64,
    /// Greatest absolute value of an eigenvalue.
    pub radius: f64,
}

impl Own {
    fn of(matrix: &Matrix) -> Own {
        Own { norm: matrix.norm(), radius: matrix.radius() }
    }
}

type Found = Result<Result<Vec<Line>, String>, String>;

/// The inner result says why there are none, the outer one that an evaluation failed.
pub fn jacobians(
    graph: &Graph,
    carried: &[StateId],
    batch: &Batch,
    extents: &Extents,
    far: &[usize],
) -> Found {
    let (cut, reads) = match cut(graph, carried) {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    let domain = graph.states[carried[0].index()].domain;
    let axes = graph.axes(domain);
    let mut ways: Vec<Way> = reads.iter().map(|r| r.way).collect();
    ways.sort();
    ways.dedup();
    if ways.len() > MOST_WAYS {
        return Ok(Err(format!("a step reads {} others", ways.len())));
    }
    let widths: Vec<usize> =
        carried.iter().map(|id| numbers(&graph.states[id.index()].shape).iter().product()).collect();
    let size: usize = widths.iter().sum();
    let lengths: Vec<usize> = axes.iter().map(|a| extents.length(*a)).collect();
    let start: Vec<usize> = axes.iter().map(|a| far[a.index()]).collect();
    let tree = axes.iter().find_map(|a| extents.tree(*a));
    // Which Jacobians are wanted: at which point, by which way.
    let lines: Vec<Vec<Vec<usize>>> = match tree {
        Some(tree) => vec![(0..tree.nodes()).map(|node| vec![node]).collect()],
        None => ways.iter().map(|way| line(*way, &start, &lengths)).collect(),
    };
    let count: usize = lines.iter().map(Vec::len).sum();
    if count.saturating_mul(size).saturating_mul(size) > MOST {
        return Ok(Err(format!("{count} matrices of {size} by {size} are too much")));
    }
    // What the reads give.
    let mut forward = graph.clone();
    forward.outputs.clear();
    for read in &reads {
        forward.output(read.name.clone(), read.node);
    }
    let values = Evaluator::new(&forward)?.run(batch)?;
    let mut given = batch.clone();
    given.arrays.extend(values);
    let names: Vec<String> = carried.iter().map(|id| output(&graph.states[id.index()].name)).collect();
    let wrt = reads.iter().filter(|r| r.is_real).map(|r| r.name.clone()).collect();
    let options = grad::Options { from: Some(names.clone()), wrt: Some(wrt), ..Default::default() };
    let mut joint = grad::differentiate(&cut, &options).map_err(|d| d[0].message.clone())?;
    joint.outputs.retain(|o| o.name.ends_with("_adj") && !names.iter().any(|n| **n == *o.name));
    let evaluator = Evaluator::new(&joint)?;
    let placed = evaluator.on(&given)?;
    let mut matrices: Vec<Vec<Matrix>> =
        lines.iter().map(|l| l.iter().map(|_| Matrix::zeros(size)).collect()).collect();
    let shape_of = |id: &StateId| numbers(&graph.states[id.index()].shape);
    let outer = extents.of(graph, Level::Over(domain));
    let mut row = 0;
    for (k, id) in carried.iter().enumerate() {
        for component in 0..widths[k] {
            let shape: Vec<usize> = outer.iter().copied().chain(shape_of(id)).collect();
            let mut arrays: Arrays = given.arrays.clone();
            arrays.insert(format!("{}_adj", names[k]), one_hot(&shape, widths[k], component));
            let found: Arrays = placed.run(&arrays)?;
            for read in reads.iter().filter(|r| r.is_real) {
                let Some(array) = found.get(&format!("{}_adj", read.name)) else { continue };
                let all: Vec<f64> = array.iter().copied().collect();
                let of = carried.iter().position(|id| *id == read.state).unwrap_or(0);
                let column: usize = widths[..of].iter().sum();
                let level = cut.axes_of(read.level);
                for (points, matrices) in
                    lines.iter().zip(&mut matrices).enumerate().filter_map(|(l, both)| {
                        let is_own = tree.is_some() || ways.get(l) == Some(&read.way);
                        is_own.then_some(both)
                    })
                {
                    for (point, matrix) in points.iter().zip(matrices.iter_mut()) {
                        let Some(place) = place(point, read, &axes, &level, extents) else { continue };
                        let from = place * widths[of];
                        let Some(values) = all.get(from..from + widths[of]) else { continue };
                        let to = &mut matrix.row_mut(row)[column..column + widths[of]];
                        to.iter_mut().zip(values).for_each(|(to, v)| *to += v);
                    }
                }
            }
            row += 1;
        }
    }
    Ok(Ok(match tree {
        Some(tree) => vec![down(tree, &matrices[0], size)],
        None => ways
            .into_iter()
            .zip(lines)
            .zip(&matrices)
            .map(|((way, points), matrices)| along(graph, &axes, extents, way, points, matrices, size))
            .collect(),
    }))
}

/// A line and its products: points from the first that is computed to the far one.
fn along(
    graph: &Graph,
    axes: &[DomainId],
    extents: &Extents,
    way: Way,
    points: Vec<Vec<usize>>,
    matrices: &[Matrix],
    size: usize,
) -> Line {
    let mut product = Matrix::identity(size);
    let mut steps = Vec::new();
    for (at, matrix) in points.into_iter().zip(matrices) {
        steps.push(Step { at, own: Some(Own::of(matrix)), product: product.norm() });
        product = product.times(matrix);
    }
    steps.reverse();
    Line { along: way.show(axes, |a| extents.name(graph, a)), steps }
}

/// From the root down: a node's product is its parent's times its own Jacobian.
fn down(tree: &Tree, matrices: &[Matrix], size: usize) -> Line {
    let nodes = tree.nodes();
    let mut products = vec![Matrix::identity(size); nodes];
    let mut steps = Vec::new();
    for node in (0..nodes).rev() {
        let own = tree.parent(node).map(|parent| {
            products[node] = products[parent.node as usize].times(&matrices[node]);
            Own::of(&matrices[node])
        });
        steps.push(Step { at: vec![node], own, product: products[node].norm() });
    }
    steps.reverse();
    Line { along: "children".into(), steps }
}

/// Where a point lies that is read, seen from the one that reads it. All children are one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    By([i32; MAX_AXES]),
    Below,
}

impl Way {
    fn show(self, axes: &[DomainId], name: impl Fn(DomainId) -> String) -> String {
        let Way::By(by) = self else { return "children".into() };
        let moved: Vec<(DomainId, i32)> = axes.iter().copied().zip(by).collect();
        let mut along = moved.iter().filter(|(_, k)| *k != 0);
        if let (true, Some((axis, k)), None) = (axes.len() > 1, along.next(), along.next()) {
            return format!("{} {}", if *k < 0 { "prev" } else { "next" }, name(*axis));
        }
        let step = |(axis, k): &(DomainId, i32)| match k {
            0 => name(*axis),
            k => format!("{}{k:+}", name(*axis)),
        };
        moved.iter().map(step).collect::<Vec<_>>().join(", ")
    }
}

/// A read of a carried state.
struct Read {
    name: String,
    node: NodeId,
    level: Level,
    state: StateId,
    offset: Offset,
    way: Way,
    is_real: bool,
}

fn output(state: &str) -> String {
    format!("point of {state}")
}

/// The points of a line from the far one on.
fn line(way: Way, start: &[usize], lengths: &[usize]) -> Vec<Vec<usize>> {
    let Way::By(by) = way else { return Vec::new() };
    let mut points = vec![start.to_vec()];
    while let Some(last) = points.last() {
        let next: Option<Vec<usize>> = last
            .iter()
            .zip(lengths)
            .zip(by)
            .map(|((p, n), k)| p.checked_add_signed(k as isize).filter(|q| q < n))
            .collect();
        match next {
            Some(next) => points.push(next),
            None => break,
        }
    }
    points
}

/// The place of a read's gradient in its array, for a point of a line; for a node of a tree that of its parent's read of it.
fn place(
    point: &[usize],
    read: &Read,
    axes: &[DomainId],
    level: &[DomainId],
    extents: &Extents,
) -> Option<usize> {
    let [node] = point else { return index(point, axes, level, extents) };
    let Some(tree) = axes.first().and_then(|a| extents.tree(*a)) else {
        return index(point, axes, level, extents);
    };
    let parent = tree.parent(*node)?;
    match read.offset {
        Offset::Child(edge) => (edge == parent.edge).then_some(parent.node as usize),
        Offset::EachChild(each) => {
            let at = [parent.node as usize, parent.rank as usize];
            index(&at, &[axes[0], each], level, extents)
        }
        _ => None,
    }
}

/// Row-major over the axes of a level.
fn index(point: &[usize], axes: &[DomainId], level: &[DomainId], extents: &Extents) -> Option<usize> {
    level.iter().try_fold(0, |sum, axis| {
        let at = axes.iter().position(|a| a == axis)?;
        Some(sum * extents.length(*axis) + point[at])
    })
}

/// The step alone: every read of a carried state is an input.
fn cut(graph: &Graph, carried: &[StateId]) -> Result<(Graph, Vec<Read>), String> {
    let mut cut = graph.clone();
    let mut reads: Vec<Read> = Vec::new();
    let first = graph.states[carried[0].index()].domain;
    if carried.iter().any(|id| graph.states[id.index()].domain != first) {
        return Err("states lie over several domains".into());
    }
    let is_over_tree = graph.axes(first).iter().any(|a| is_tree(&graph.domains[a.index()]));
    if is_over_tree && graph.axes(first).len() > 1 {
        return Err("states lie over more than a tree".into());
    }
    for id in graph.node_ids() {
        let Op::Lag { state, offset } = graph.node(id).op else { continue };
        if !carried.contains(&state) {
            continue;
        }
        let way = match offset {
            Offset::By(by) if by.iter().any(|k| k.abs() > 1) => {
                return Err("a state is read more than one step back".into());
            }
            Offset::By(by) => Way::By(by),
            Offset::Child(_) | Offset::EachChild(_) => Way::Below,
            Offset::Parent(_) | Offset::FromEach(_) => return Err("a node reads its parent".into()),
        };
        let node = graph.node(id);
        let name = format!("read {}", id.0);
        let source = Source {
            name: name.as_str().into(),
            kind: SourceKind::Input,
            shape: node.shape.clone(),
            ty: node.ty.clone(),
            level: node.level,
            span: None,
        };
        cut.nodes[id.index()].op = Op::Source(SourceId(cut.sources.len() as u32));
        cut.sources.push(source);
        let is_real = node.ty == Ty::Real;
        reads.push(Read { name, node: id, level: node.level, state, offset, way, is_real });
    }
    cut.outputs.clear();
    let mut roots = Vec::new();
    for id in carried {
        let state = &graph.states[id.index()];
        let def = state.def.ok_or("a state has no equation")?;
        if graph.level(def) != Level::Over(first) {
            return Err(format!("`{}` is the same at several points", state.name));
        }
        cut.output(output(&state.name), def);
        roots.push(def);
    }
    others(&cut, &roots, &reads, &graph.axes(first))?;
    Ok((cut, reads))
}

fn is_tree(domain: &Domain) -> bool {
    matches!(domain.kind, DomainKind::Tree { .. })
}

/// Refuses a step that depends on states of yet other points: by a sum over them, a shift, an inner scan.
fn others(cut: &Graph, roots: &[NodeId], reads: &[Read], axes: &[DomainId]) -> Result<(), String> {
    let mut depends = vec![false; cut.nodes.len()];
    reads.iter().for_each(|r| depends[r.node.index()] = true);
    let needs = |id: NodeId| -> Vec<NodeId> {
        match &cut.node(id).op {
            Op::Lag { state, .. } => {
                let state = &cut.states[state.index()];
                state.values().collect()
            }
            op => op.operands().collect(),
        }
    };
    // Through inner recurrences it takes more than one pass.
    loop {
        let mut is_new = false;
        for id in cut.node_ids() {
            if !depends[id.index()] && needs(id).iter().any(|n| depends[n.index()]) {
                depends[id.index()] = true;
                is_new = true;
            }
        }
        if !is_new {
            break;
        }
    }
    let mut reached: BTreeSet<NodeId> = BTreeSet::new();
    let mut stack = roots.to_vec();
    while let Some(id) = stack.pop() {
        if reached.insert(id) {
            stack.extend(needs(id));
        }
    }
    for id in &reached {
        let op = &cut.node(*id).op;
        let leaves = |arg: &NodeId| {
            let kept = cut.axes_of(cut.level(*id));
            let lost = |a: &DomainId| axes.contains(a) && !kept.contains(a);
            depends[arg.index()] && cut.axes_of(cut.level(*arg)).iter().any(lost)
        };
        let moves = |offset: &Offset| match offset {
            Offset::By(_) => true,
            offset => offset.axis().is_none_or(|a| axes.contains(&a)),
        };
        let is_other = match op {
            Op::Lag { state, offset } => {
                let state = &cut.states[state.index()];
                let own = cut.axes(state.domain);
                let shared = own.iter().enumerate().any(|(i, a)| {
                    axes.contains(a) && (!matches!(offset, Offset::By(by) if by[i] == 0) && moves(offset))
                });
                shared && state.values().any(|v| depends[v.index()])
            }
            Op::Remap { arg, maps } => {
                depends[arg.index()] && maps.iter().any(|m| axes.contains(&m.from) || axes.contains(&m.to))
            }
            op if op.is_whole() => op.operands().any(|arg| leaves(&arg)),
            _ => false,
        };
        if is_other {
            return Err("a step reads others than those before".into());
        }
    }
    Ok(())
}
