//! The derived equations as a cell of the language, to read.
//!
//! In: the graph of a cell, dimensions still symbols. Out: one cell: what it takes from the forward pass as
//! `in` and `mem`, the adjoints that are carried against the scan as `state`, an equation for every adjoint
//! that is used more than once, the gradients as `out`.
//! Names are the author's; families with one form are written once, with braces.
//! [`plan`] decides what has an equation and how everything is called, [`write`] writes one value, [`family`] joins what is alike, [`tree`] makes the nodes of the tree.

mod arithmetic;
mod family;
mod place;
mod plan;
pub mod reading;
mod tree;
mod write;

use super::{Options, joint};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{Graph, Level, NodeId, Op, Output, SourceKind, Ty};
use crate::shape::Shape;
use crate::simplify::simplify;
use crate::syntax::ast::*;
use family::{Line, Orders, fold_lines, fold_names};
use place::{Axis as AxisName, Place};
pub(super) use plan::is_long;
use plan::{Named, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use write::Writer;

/// The adjoint as a legal cell, named `NAME_adj`. Without `from`, what arrives at the cell's `out`s is taken, but
/// not at final states and at states that are no first `out`.
pub fn adjoint_cell(graph: &Graph, options: &Options) -> Fallible<Item> {
    let graph = simplify(graph);
    let from = options.from.clone().unwrap_or_else(|| outs(&graph));
    let options = Options { from: Some(from), ..options.clone() };
    let joint = joint(&graph, &options, true, &[])?;
    cell(&graph, &joint).map_err(|d| vec![*d])
}

/// The outputs that are no mere states, which a cell's graph offers all of, and no metrics, which have no gradient: the first,
/// and whatever else comes out.
pub(crate) fn outs(graph: &Graph) -> Vec<String> {
    let states: BTreeSet<&str> = graph.states.iter().map(|s| &*s.name).collect();
    let is_state = |name: &str| states.contains(name) || is_family(graph, name);
    let is_real = |id: NodeId| *graph.ty(id) == Ty::Real;
    let is_out = |(i, o): &(usize, &Output)| {
        let of_state = o.name.strip_suffix("_last").is_some_and(is_state) || is_state(&o.name);
        *i == 0 || !(of_state || o.name.starts_with("metric."))
    };
    let all = graph.outputs.iter().filter(|o| is_real(o.node)).enumerate();
    all.filter(is_out).map(|(_, o)| o.name.to_string()).collect()
}

/// Whether what comes out under this name are the members of a family of which some are states, `s1` and `s2` of
/// `state s[l in 1..2]`: one row for each, or their columns beside each other, and nothing else.
fn is_family(graph: &Graph, name: &str) -> bool {
    let is_named = |part: &NodeId| graph.node(*part).name.as_deref().is_some_and(|n| is_member(n, name));
    let is_row = |part: &NodeId| match &graph.node(*part).op {
        Op::Reshape(a) => is_named(a),
        _ => is_named(part),
    };
    let is_made = graph.find_output(name).is_some_and(|out| match &graph.node(out).op {
        Op::Concat(parts) => parts.iter().all(is_row),
        _ => is_row(&out),
    });
    is_made && graph.states.iter().any(|s| is_member(&s.name, name))
}

/// `h12` and `h1_2` are members of `h`.
fn is_member(name: &str, family: &str) -> bool {
    let index = name.strip_prefix(family).unwrap_or_default();
    index.starts_with(|c: char| c.is_ascii_digit()) && index.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

fn cell(primal: &Graph, joint: &Graph) -> Result<Item, Box<Diagnostic>> {
    let (forward, states) = (primal.nodes.len(), primal.states.len());
    let mut plan = Plan::new(joint, forward, states, false)?;
    plan.name_everything()?;
    let Plan { mut writer, equations, .. } = plan;
    let (inner, outer): (Vec<_>, Vec<_>) =
        in_order(primal, &mut writer, &equations)?.into_iter().partition(|done| !done.is_out);
    let lines = |all: Vec<Done>| all.into_iter().map(|done| done.line).collect::<Vec<_>>();
    let (inner, outer) = (lines(inner), lines(outer));

    let mut orders = Orders::default();
    let mut stmts = declarations(primal, &writer, &equations, &mut orders)?;
    let outs: Vec<(String, Shape)> = equations
        .iter()
        .filter(|e| e.is_out)
        .map(|e| (e.name.clone(), joint.shape(e.node).clone()))
        .collect();
    for line in fold_lines(inner, &mut orders).into_iter().chain(fold_lines(outer, &mut orders)) {
        stmts.push(tree::stmt(StmtKind::Equation(equation(line))));
    }
    if !outs.is_empty() {
        let items = fold_names(&outs, &mut orders).into_iter().map(|p| OutItem {
            name: None,
            value: tree::expr(ExprKind::Name(p)),
            for_: None,
            span: tree::NOWHERE,
        });
        stmts.push(tree::stmt(StmtKind::Out(items.collect())));
    }

    let own = writer.own_axis();
    let title = title(&primal.name);
    Ok(Item {
        docs: vec![docs(&title, joint, states, &writer)],
        kind: ItemKind::Cell(Cell {
            name: tree::ident(&format!("{title}_adj")),
            statics: statics(primal),
            over: writer.domain.map(|_| Over {
                kind: OverKind::Chain,
                axes: vec![Axis {
                    name: tree::ident(&own.variable),
                    set: Some(tree::set(tree::number(1.0), Some(tree::name(&own.extent)))),
                    rest: false,
                    span: tree::NOWHERE,
                }],
                span: tree::NOWHERE,
            }),
            def: CellDef::Body(Body { stmts, span: None }),
        }),
        span: tree::NOWHERE,
    })
}

/// An equation that is written.
struct Done {
    node: NodeId,
    line: Line,
    is_out: bool,
    /// The operations in it, down to what has a name.
    operations: BTreeSet<NodeId>,
}

/// Every equation: what is used comes before what uses it, gradients last.
fn in_order(primal: &Graph, writer: &mut Writer, equations: &[Named]) -> Result<Vec<Done>, Box<Diagnostic>> {
    // Every equation, and which others it mentions at its own point.
    let mut lines: Vec<(Done, BTreeSet<NodeId>)> = Vec::new();
    for equation in equations {
        writer.mentioned.clear();
        writer.written.clear();
        // An array of rows is a family: `U_adj[k in 1..2] = if k == 1 then … else …`.
        let rows = writer.rows(equation.node).filter(|rows| !rows.is_empty());
        let is_other = writer.names.get(&equation.node).is_some_and(|n| *n != equation.name);
        let value = match (is_other, &rows) {
            (true, _) => writer.expr(equation.node, &Place::here())?,
            (false, Some(rows)) => {
                let mut value: Option<Expr> = None;
                for (k, row) in rows.iter().enumerate().rev() {
                    let row = writer.written_row(row)?;
                    value = Some(match value {
                        None => row,
                        Some(other) => {
                            let (k, index) = (tree::number((k + 1) as f64), tree::name(&writer.member));
                            tree::cond(tree::binary(BinaryOp::Eq, index, k), row, other)
                        }
                    });
                }
                value.unwrap_or_else(|| tree::number(0.0))
            }
            (false, None) => writer.definition(equation.node, &Place::here())?,
        };
        let rows = rows.filter(|_| !is_other).map(|rows| (writer.member.clone(), rows.len()));
        let line = Line { name: equation.name.clone(), value, rows, pattern: None };
        let operations = std::mem::take(&mut writer.written);
        let done = Done { node: equation.node, line, is_out: equation.is_out, operations };
        lines.push((done, std::mem::take(&mut writer.mentioned)));
    }

    let mut depths: BTreeMap<NodeId, usize> = BTreeMap::new();
    for _ in 0..lines.len() {
        let mut changed = false;
        for (done, mentioned) in &lines {
            let depth = mentioned.iter().filter(|m| **m != done.node).filter_map(|m| depths.get(m)).max();
            let depth = depth.map_or(0, |d| d + 1).min(lines.len());
            changed |= depths.insert(done.node, depth) != Some(depth);
        }
        if !changed {
            break;
        }
    }
    let defs: BTreeSet<NodeId> = primal.states.iter().filter_map(|s| s.def).collect();
    let mut inner = Vec::new();
    let mut outer = Vec::new();
    for (equation, (done, _)) in equations.iter().zip(lines) {
        let node = done.node;
        if done.is_out {
            outer.push(done);
            continue;
        }
        let of_state = equation.of.is_some_and(|of| defs.contains(&of));
        let rank = equation.of.and_then(|of| writer.ranks.get(&of)).copied().unwrap_or((u32::MAX, node.0));
        let below = !matches!(writer.graph.level(node), Level::Over(_));
        inner.push(((below, depths.get(&node).copied().unwrap_or(0), !of_state, rank), done));
    }
    inner.sort_by_key(|l| l.0);
    Ok(inner.into_iter().map(|l| l.1).chain(outer).collect())
}

/// A line as an equation of the language.
fn equation(line: Line) -> Equation {
    let name = line.pattern.unwrap_or_else(|| tree::pattern(&line.name));
    let mut target = tree::target(name);
    target.index.extend(line.rows.map(|(index, count)| {
        let members = tree::set(tree::number(1.0), Some(tree::number(count as f64)));
        TargetIndex::Binder(Binder { name: tree::ident(&index), set: members, span: tree::NOWHERE })
    }));
    Equation { targets: vec![target], value: line.value, span: tree::NOWHERE }
}

fn title(name: &str) -> String {
    let end = name.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '\''))).unwrap_or(name.len());
    match &name[..end] {
        "" => "Cell".into(),
        title => title.into(),
    }
}

/// The dimensions, in the order of the recipe.
fn statics(primal: &Graph) -> Vec<Static> {
    let mut dims = primal.dims();
    let place = |d: &Arc<str>| {
        let mut words = primal.name.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '\'')));
        words.position(|w| w == &**d).unwrap_or(usize::MAX)
    };
    dims.sort_by_key(place);
    dims.iter()
        .map(|d| Static {
            name: tree::ident(d),
            over_set: None,
            kind: Vec::new(),
            default: None,
            span: tree::NOWHERE,
        })
        .collect()
}

fn docs(title: &str, joint: &Graph, states: usize, writer: &Writer) -> String {
    let offsets = joint.nodes.iter().filter_map(|n| match n.op {
        Op::Lag { state, offset } if state.index() >= states => Some(offset),
        _ => None,
    });
    let (mut ahead, mut back) = (false, false);
    for offset in offsets {
        ahead |= offset.along_chain().is_some_and(|k| k > 0);
        back |= offset.along_chain().is_some_and(|k| k < 0);
    }
    let AxisName { variable: t, extent: n } = writer.own_axis();
    let runs = match (ahead, back) {
        (true, false) => format!(" Runs from {t} = {n} to 1."),
        (false, true) => format!(" Runs from {t} = 1 to {n}."),
        _ => String::new(),
    };
    format!("The adjoint of {title}. Names without _adj are values of the forward pass.{runs}")
}

fn decl(kind: DeclKind, targets: Vec<Pattern>, ty: Type, init: Option<Expr>) -> Stmt {
    tree::stmt(StmtKind::Decl(Decl {
        kind,
        targets: targets.into_iter().map(tree::target).collect(),
        ty,
        over: Vec::new(),
        init: init.map(DeclInit::Value),
        within: None,
    }))
}

fn ty(shape: &Shape, ty: &Ty) -> Type {
    match ty {
        Ty::Real => tree::array(shape),
        Ty::Bool => Type { kind: TypeKind::Bool, span: tree::NOWHERE },
        Ty::Id(k) => Type { kind: TypeKind::Id(Box::new(tree::dim(k))), span: tree::NOWHERE },
    }
}

fn declarations(
    primal: &Graph,
    writer: &Writer,
    equations: &[Named],
    orders: &mut Orders,
) -> Result<Vec<Stmt>, Box<Diagnostic>> {
    let joint = writer.graph;
    // The boundaries of forward states may mention more forward values.
    let mut inner =
        Writer { names: writer.names.clone(), state_names: writer.state_names.clone(), ..blank(writer) };
    let mut bounded: Vec<(String, Type, Option<Expr>)> = Vec::new();
    let mut with_boundary = BTreeSet::new();
    for i in &writer.used_states {
        let state = &joint.states[*i];
        let name = writer.state_names.get(i).cloned().unwrap_or_default();
        let init = match state.init.as_slice() {
            [first, ..] if joint.as_const(*first) != Some(0.0) => Some(inner.expr(*first, &Place::here())?),
            _ => None,
        };
        with_boundary.insert(name.clone());
        bounded.push((name, ty(&state.shape, &state.ty), init));
    }
    let mut used: Vec<NodeId> = writer.used.union(&inner.used).copied().collect();
    let is_input = |id: &NodeId| match joint.node(*id).op {
        Op::Source(s) => joint.sources[s.index()].kind == SourceKind::Input,
        _ => false,
    };
    let is_cotangent = |id: &NodeId| id.index() >= primal.nodes.len();
    used.sort_by_key(|id| {
        let source = match joint.node(*id).op {
            Op::Source(s) => s.0,
            _ => u32::MAX,
        };
        (is_cotangent(id), !is_input(id), source, writer.ranks.get(id).copied())
    });
    let mut ins: Vec<(String, Type, Option<Expr>)> = Vec::new();
    let mut mems: Vec<(String, Type, Option<Expr>)> = Vec::new();
    for id in &used {
        let (name, node) = (&writer.names[id], joint.node(*id));
        let entry = (name.clone(), ty(&node.shape, &node.ty), None);
        let list = if matches!(node.level, Level::Over(_)) { &mut ins } else { &mut mems };
        if !with_boundary.contains(name) && !list.iter().any(|e| e.0 == *name) {
            list.push(entry);
        }
    }
    let plain: Vec<_> = bounded.iter().filter(|b| b.2.is_none()).cloned().collect();
    ins.splice(0..0, plain);
    let mut stmts = Vec::new();
    // Inputs are listed, families among parameters and carried adjoints are written with braces.
    for (names, ty, _) in alike(ins) {
        stmts.push(decl(DeclKind::In, names.iter().map(|n| tree::pattern(n)).collect(), ty, None));
    }
    for (name, ty, init) in bounded.into_iter().filter(|b| b.2.is_some()) {
        stmts.push(decl(DeclKind::In, vec![tree::pattern(&name)], ty, init));
    }
    for (names, ty, _) in alike(mems) {
        stmts.push(decl(DeclKind::Mem, fold_names(&same(names), orders), ty, None));
    }
    let mut carried: Vec<&Named> = equations.iter().filter(|e| e.is_state).collect();
    let defs: BTreeSet<NodeId> = primal.states.iter().filter_map(|s| s.def).collect();
    carried.sort_by_key(|e| {
        let of_state = e.of.is_some_and(|of| defs.contains(&of));
        (!of_state, e.of.and_then(|of| writer.ranks.get(&of)).copied().unwrap_or((u32::MAX, e.node.0)))
    });
    let carried = carried.iter().map(|e| {
        let node = joint.node(e.node);
        (e.name.clone(), ty(&node.shape, &node.ty), None)
    });
    for (names, ty, _) in alike(carried.collect()) {
        let zero = Some(tree::number(0.0));
        stmts.push(decl(DeclKind::State, fold_names(&same(names), orders), ty, zero));
    }
    Ok(stmts)
}

/// Names that may all be of one family.
fn same(names: Vec<String>) -> Vec<(String, Shape)> {
    names.into_iter().map(|n| (n, Shape::new())).collect()
}

/// Declarations of one type under one head, in order of their first names.
fn alike(entries: Vec<(String, Type, Option<Expr>)>) -> Vec<(Vec<String>, Type, Option<Expr>)> {
    let mut out: Vec<(Vec<String>, Type, Option<Expr>)> = Vec::new();
    for (name, ty, init) in entries {
        match out.iter_mut().find(|o| o.1 == ty && o.2 == init) {
            Some(known) => known.0.push(name),
            None => out.push((vec![name], ty, init)),
        }
    }
    out
}

fn blank<'a>(writer: &Writer<'a>) -> Writer<'a> {
    Writer {
        graph: writer.graph,
        forward: writer.forward,
        states: writer.states,
        domain: writer.domain,
        own: writer.own.clone(),
        axes: writer.axes.clone(),
        summed: writer.summed.clone(),
        member: writer.member.clone(),
        for_reading: writer.for_reading,
        written: BTreeSet::new(),
        names: BTreeMap::new(),
        state_names: BTreeMap::new(),
        defined: writer.defined.clone(),
        used: BTreeSet::new(),
        used_states: BTreeSet::new(),
        mentioned: BTreeSet::new(),
        ranks: writer.ranks.clone(),
        depth: 0,
    }
}
