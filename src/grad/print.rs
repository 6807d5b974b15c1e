//! The derived equations as a cell of the language, to read.
//!
//! In: the graph of a cell, dimensions still symbols. Out: one cell: what it takes from the forward pass as
//! `in` and `mem`, the adjoints that are carried against the scan as `state`, an equation for every adjoint
//! that is used more than once, the gradients as `out`.
//! Names are the author's; families with one form are written once, with braces.
//! [`write`] writes one value, [`family`] joins what is alike, [`tree`] makes the nodes of the tree.

mod family;
mod tree;
mod write;

use super::{Options, errors, joint};
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::{Graph, Level, NodeId, Op, SourceKind, Ty};
use crate::shape::Shape;
use crate::simplify::simplify;
use crate::syntax::ast::*;
use family::{Line, Orders, fold_lines, fold_names};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use write::{Place, Writer};

/// The adjoint as a legal cell, named `NAME_adj`. Without `from`, what arrives at the cell's `out`s is taken, but
/// not at final states and at states that are no first `out`.
pub fn adjoint_cell(graph: &Graph, options: &Options) -> Fallible<Item> {
    derive(graph, options).map(|derived| derived.item)
}

/// The cell, and which of its names have one value per point.
pub(super) struct Derived {
    pub item: Item,
    pub over: BTreeSet<String>,
    pub variable: String,
}

pub(super) fn derive(graph: &Graph, options: &Options) -> Fallible<Derived> {
    let graph = simplify(graph);
    let from = options.from.clone().unwrap_or_else(|| outs(&graph));
    let wrt = options.wrt.clone();
    let joint = joint(&graph, &Options { wrt, from: Some(from) }, true)?;
    cell(&graph, &joint).map_err(|d| vec![*d])
}

/// The outputs that are no mere states: a cell's graph offers all of its states, too.
fn outs(graph: &Graph) -> Vec<String> {
    let states: BTreeSet<&str> = graph.states.iter().map(|s| &*s.name).collect();
    let is_real = |id: NodeId| *graph.ty(id) == Ty::Real;
    let mut all = graph.outputs.iter().filter(|o| is_real(o.node)).enumerate();
    let is_out = |(i, o): &(usize, &crate::eqn::Output)| {
        let of_state = o.name.strip_suffix("_last").is_some_and(|s| states.contains(s));
        *i == 0 || !(of_state || states.contains(&*o.name))
    };
    all.by_ref().filter(is_out).map(|(_, o)| o.name.to_string()).collect()
}

fn cell(primal: &Graph, joint: &Graph) -> Result<Derived, Box<Diagnostic>> {
    let (forward, states) = (primal.nodes.len(), primal.states.len());
    let mut plan = Plan::new(joint, forward, states)?;
    plan.name_everything()?;
    let Plan { mut writer, equations, .. } = plan;

    // Every equation, and which others it mentions at its own point.
    let mut lines: Vec<(NodeId, Line, BTreeSet<NodeId>)> = Vec::new();
    for equation in &equations {
        writer.mentioned.clear();
        // An array of rows is a family: `U_adj[k in 1..2] = if k == 1 then … else …`.
        let rows = writer.rows(equation.node).filter(|rows| !rows.is_empty());
        let is_other = writer.names.get(&equation.node).is_some_and(|n| *n != equation.name);
        let value = match (is_other, &rows) {
            (true, _) => writer.expr(equation.node, Place::Here(0))?,
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
            (false, None) => writer.definition(equation.node, Place::Here(0))?,
        };
        let rows = rows.filter(|_| !is_other).map(|rows| (writer.member.clone(), rows.len()));
        let line = Line { name: equation.name.clone(), value, rows, pattern: None };
        lines.push((equation.node, line, std::mem::take(&mut writer.mentioned)));
    }

    let mut depths: BTreeMap<NodeId, usize> = BTreeMap::new();
    for _ in 0..lines.len() {
        let mut changed = false;
        for (node, _, mentioned) in &lines {
            let depth = mentioned.iter().filter(|m| *m != node).filter_map(|m| depths.get(m)).max();
            let depth = depth.map_or(0, |d| d + 1).min(lines.len());
            changed |= depths.insert(*node, depth) != Some(depth);
        }
        if !changed {
            break;
        }
    }
    let defs: BTreeSet<NodeId> = primal.states.iter().filter_map(|s| s.def).collect();
    let mut inner = Vec::new();
    let mut outer = Vec::new();
    for (equation, (node, line, _)) in equations.iter().zip(lines) {
        let level = joint.level(node);
        if equation.is_out {
            outer.push(line);
        } else {
            let of_state = equation.of.is_some_and(|of| defs.contains(&of));
            let rank =
                equation.of.and_then(|of| writer.ranks.get(&of)).copied().unwrap_or((u32::MAX, node.0));
            let below = !matches!(level, Level::Over(_));
            inner.push(((below, depths.get(&node).copied().unwrap_or(0), !of_state, rank), line));
        }
    }
    inner.sort_by_key(|l| l.0);
    let inner: Vec<Line> = inner.into_iter().map(|l| l.1).collect();

    let mut orders = Orders::default();
    let mut stmts = declarations(primal, &writer, &equations, &mut orders)?;
    let outs: Vec<(String, Shape)> = equations
        .iter()
        .filter(|e| e.is_out)
        .map(|e| (e.name.clone(), joint.shape(e.node).clone()))
        .collect();
    for line in fold_lines(inner, &mut orders).into_iter().chain(fold_lines(outer, &mut orders)) {
        let name = line.pattern.unwrap_or_else(|| tree::pattern(&line.name));
        let mut target = tree::target(name);
        target.index.extend(line.rows.map(|(index, count)| {
            let members = tree::set(tree::number(1.0), Some(tree::number(count as f64)));
            TargetIndex::Binder(Binder { name: tree::ident(&index), set: members, span: tree::NOWHERE })
        }));
        let equation = Equation { targets: vec![target], value: line.value, span: tree::NOWHERE };
        stmts.push(tree::stmt(StmtKind::Equation(equation)));
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

    let mut over: BTreeSet<String> = writer.state_names.values().cloned().collect();
    let named = writer.names.iter().filter(|(id, _)| matches!(joint.level(**id), Level::Over(_)));
    over.extend(named.map(|(_, name)| name.clone()));
    let by_point = equations.iter().filter(|e| matches!(joint.level(e.node), Level::Over(_)));
    over.extend(by_point.map(|e| e.name.clone()));
    let title = title(&primal.name);
    let item = Item {
        docs: vec![docs(&title, joint, states, &writer)],
        kind: ItemKind::Cell(Cell {
            name: tree::ident(&format!("{title}_adj")),
            statics: statics(primal),
            over: writer.domain.map(|_| Over {
                kind: OverKind::Chain,
                axes: vec![Axis {
                    name: tree::ident(&writer.variable),
                    set: Some(tree::set(tree::number(1.0), Some(tree::name(&writer.extent)))),
                    rest: false,
                    span: tree::NOWHERE,
                }],
                span: tree::NOWHERE,
            }),
            def: CellDef::Body(Body { stmts, span: None }),
        }),
        span: tree::NOWHERE,
    };
    Ok(Derived { item, over, variable: writer.variable })
}

/// A derived value with an equation.
struct Named {
    node: NodeId,
    name: String,
    /// The forward value whose adjoint it is.
    of: Option<NodeId>,
    is_out: bool,
    is_state: bool,
}

/// What gets an equation, and what everything is called.
struct Plan<'a> {
    writer: Writer<'a>,
    equations: Vec<Named>,
    taken: BTreeSet<String>,
    linear: Vec<bool>,
    uses: Vec<u32>,
    carried: BTreeSet<NodeId>,
}

impl<'a> Plan<'a> {
    fn new(joint: &'a Graph, forward: usize, states: usize) -> Result<Self, Box<Diagnostic>> {
        let mut domain = None;
        for id in joint.node_ids().skip(forward) {
            if let Level::Over(d) = joint.level(id)
                && *domain.get_or_insert(d) != d
            {
                return Err(Box::new(errors::unprintable(joint, id, "it speaks of more than one chain")));
            }
        }
        let mut uses = vec![0; joint.nodes.len()];
        let operands = joint.nodes.iter().skip(forward).flat_map(|n| n.op.operands());
        for id in operands {
            uses[id.index()] += 1;
        }
        let carried = joint.states.iter().skip(states).filter_map(|s| s.def).collect();
        let mut taken: BTreeSet<String> = joint.dims().iter().map(|d| d.to_string()).collect();
        // Variables keep out of the way of the author's names.
        let given: BTreeSet<&str> = joint.nodes.iter().filter_map(|n| n.name.as_deref()).collect();
        let mut free = |wanted: &[&str]| {
            let is_free = |w: &&&str| !taken.contains(**w) && !given.contains(**w);
            let name = wanted.iter().find(is_free).unwrap_or(&"t'").to_string();
            taken.insert(name.clone());
            name
        };
        let variable = domain.map_or("t".to_string(), |d| joint.domains[d.index()].var.to_string());
        let variable = free(&[&variable, "t"]);
        let summed = free(&["s", "p", "q", "u", "τ"]);
        let member = free(&["k", "j", "n", "m", "κ"]);
        let extent = free(&["T", "N", "L", "T'"]);
        let writer = Writer {
            graph: joint,
            forward,
            states,
            domain,
            variable,
            summed,
            member,
            extent,
            names: BTreeMap::new(),
            state_names: BTreeMap::new(),
            defined: BTreeSet::new(),
            used: BTreeSet::new(),
            used_states: BTreeSet::new(),
            mentioned: BTreeSet::new(),
            ranks: BTreeMap::new(),
            depth: 0,
        };
        let mut plan = Plan {
            writer,
            equations: Vec::new(),
            taken,
            linear: vec![false; joint.nodes.len()],
            uses,
            carried,
        };
        plan.find_linear();
        plan.find_ranks();
        Ok(plan)
    }

    /// Derived nodes that depend on what arrives from outside, through derived states, too.
    fn find_linear(&mut self) {
        let joint = self.writer.graph;
        loop {
            let mut changed = false;
            for id in joint.node_ids().skip(self.writer.forward) {
                let linear = match &joint.node(id).op {
                    Op::Source(_) => true,
                    Op::Lag { state, .. } => {
                        let def = joint.states[state.index()].def;
                        state.index() >= self.writer.states && def.is_some_and(|d| self.linear[d.index()])
                    }
                    op => op.operands().any(|a| self.linear[a.index()]),
                };
                changed |= linear != self.linear[id.index()];
                self.linear[id.index()] = linear;
            }
            if !changed {
                return;
            }
        }
    }

    /// Forward values in the order of the text; a derived value takes the rank of what it is the adjoint of.
    fn find_ranks(&mut self) {
        let joint = self.writer.graph;
        let mut by_name: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for id in joint.node_ids() {
            let node = joint.node(id);
            let rank = if id.index() < self.writer.forward {
                (node.span.map_or(u32::MAX, |s| s.start), id.0)
            } else {
                let of = node.name.as_deref().and_then(|n| n.strip_suffix("_adj"));
                match of.and_then(|n| by_name.get(n)) {
                    Some(rank) => *rank,
                    None => continue,
                }
            };
            if let Some(name) = node.name.as_deref().filter(|_| id.index() < self.writer.forward) {
                by_name.insert(name, rank);
            }
            self.writer.ranks.insert(id, rank);
        }
    }

    fn name_everything(&mut self) -> Result<(), Box<Diagnostic>> {
        let joint = self.writer.graph;
        let (forward, states) = (self.writer.forward, self.writer.states);
        // Values of the forward pass; a state and its value share a name.
        for id in joint.node_ids().take(forward) {
            let node = joint.node(id);
            let is_number = matches!(node.op, Op::Const(_) | Op::DimValue(_)) || joint.as_const(id).is_some();
            let Some(name) = node.name.as_deref().filter(|_| !is_number) else { continue };
            let again = match &node.op {
                Op::Source(s) => {
                    joint.node_ids().take(id.index()).find(|n| joint.node(*n).op == Op::Source(*s))
                }
                _ => None,
            };
            let name = match again.and_then(|n| self.writer.names.get(&n).cloned()) {
                Some(name) => name,
                None => self.free(name),
            };
            self.writer.names.insert(id, name);
        }
        for (i, state) in joint.states.iter().enumerate().take(states) {
            let of_def = state.def.filter(|d| joint.node(*d).name.as_ref() == Some(&state.name));
            let name = of_def.and_then(|d| self.writer.names.get(&d)).cloned();
            let name = name.unwrap_or_else(|| self.free(&state.name));
            self.writer.state_names.insert(i, name);
        }
        // Derived values: the gradients, what is carried, what is used more than once.
        let mut chosen: BTreeMap<NodeId, bool> = BTreeMap::new();
        let gradients: Vec<(Arc<str>, NodeId)> = joint
            .outputs
            .iter()
            .filter(|o| o.node.index() >= forward)
            .map(|o| (o.name.clone(), o.node))
            .collect();
        for id in joint.node_ids().skip(forward) {
            let is_state = self.carried.contains(&id) && !self.is_cotangent(id);
            if is_state || self.deserves_equation(id) {
                chosen.insert(id, is_state);
            }
        }
        // A forward value that is carried without having a name gets an equation, too.
        for id in self.carried.clone() {
            if id.index() < forward && !self.writer.names.contains_key(&id) {
                chosen.insert(id, true);
            }
        }
        for id in self.reversed() {
            chosen.entry(id).or_insert(false);
        }
        for (name, node) in &gradients {
            let first = gradients.iter().find(|g| g.1 == *node).is_some_and(|g| g.0 == *name);
            let equation = self.free(name);
            let is_shared = chosen.remove(node).is_some()
                || self.uses[node.index()] > 0
                || gradients.iter().filter(|g| g.1 == *node).count() > 1;
            let is_name = matches!(joint.node(*node).op, Op::Source(_) | Op::Lag { .. });
            if first && is_shared && !is_name {
                self.writer.names.insert(*node, equation.clone());
            }
            let is_state = self.carried.contains(node) && first && !self.is_cotangent(*node);
            self.equations.push(Named {
                node: *node,
                name: equation,
                of: joint.node_ids().take(forward).find(|n| self.is_adjoint_of(*node, *n)),
                is_out: true,
                is_state,
            });
        }
        let mut part = 0;
        for (node, is_state) in chosen {
            let name = match &joint.node(node).name {
                Some(name) => self.free(&name.clone()),
                None => {
                    part += 1;
                    let end = if self.linear[node.index()] { "_adj" } else { "" };
                    self.free(&format!("part{part}{end}"))
                }
            };
            self.writer.names.insert(node, name.clone());
            self.writer.defined.insert(node);
            let of = joint.node_ids().take(forward).find(|n| self.is_adjoint_of(node, *n));
            self.equations.push(Named { node, name, of, is_out: false, is_state });
        }
        // What arrives at `out h` is h_adj, or h_out_adj if that is the adjoint's own name.
        for id in joint.node_ids().skip(forward) {
            let Op::Source(source) = joint.node(id).op else { continue };
            let array = &joint.sources[source.index()].name;
            let plain = sanitise(array);
            let name = if self.taken.contains(&plain) {
                let out = array.strip_suffix("_adj").unwrap_or(array);
                self.free(&format!("{out}_out_adj"))
            } else {
                self.free(array)
            };
            self.writer.names.insert(id, name);
        }
        Ok(())
    }

    /// Whole chains turned round that derived values mention: read at any point, so each needs a name.
    fn reversed(&self) -> Vec<NodeId> {
        let joint = self.writer.graph;
        let has_name = |id: NodeId| self.writer.names.contains_key(&id);
        let mut seen = vec![false; joint.nodes.len()];
        let derived = joint.outputs.iter().map(|o| o.node).filter(|id| id.index() >= self.writer.forward);
        let mut open: Vec<NodeId> = derived.collect();
        while let Some(id) = open.pop() {
            if has_name(id) || std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            let node = joint.node(id);
            open.extend(node.op.operands());
            if let Op::Lag { state, .. } = node.op {
                let state = &joint.states[state.index()];
                open.extend(state.def.iter().chain(&state.init));
            }
        }
        let is_reverse = |id: &NodeId| seen[id.index()] && joint.as_reverse(&joint.node(*id).op).is_some();
        joint.node_ids().filter(is_reverse).collect()
    }

    fn is_adjoint_of(&self, node: NodeId, of: NodeId) -> bool {
        let joint = self.writer.graph;
        let (Some(name), Some(of)) = (&joint.node(node).name, &joint.node(of).name) else { return false };
        name.strip_suffix("_adj") == Some(of)
    }

    fn is_cotangent(&self, id: NodeId) -> bool {
        matches!(self.writer.graph.node(id).op, Op::Source(_))
    }

    /// A derived value that is worth an equation of its own: used more than once and longer than a name,
    /// or a sum that a product uses.
    fn deserves_equation(&self, id: NodeId) -> bool {
        let joint = self.writer.graph;
        let node = joint.node(id);
        if !self.linear[id.index()] || matches!(node.op, Op::Source(_) | Op::Lag { .. } | Op::At { .. }) {
            return false;
        }
        let is_sum = matches!(node.op, Op::Binary(crate::eqn::Binary::Add | crate::eqn::Binary::Sub, ..));
        match self.uses[id.index()] {
            0 => false,
            1 => is_sum && node.name.is_some() && !self.is_part_of_sum(id),
            _ => node.name.is_some() || is_sum || self.size(id, 0) > 3,
        }
    }

    fn is_part_of_sum(&self, id: NodeId) -> bool {
        let joint = self.writer.graph;
        let reader = joint.nodes.iter().skip(id.index()).find(|n| n.op.operands().any(|a| a == id));
        use crate::eqn::Binary::{Add, Sub};
        reader.is_some_and(|n| matches!(n.op, Op::Binary(Add | Sub, ..) | Op::SumOver(_)))
    }

    /// Operations until something has a name, counted up to a few.
    fn size(&self, id: NodeId, depth: u32) -> u32 {
        let node = self.writer.graph.node(id);
        if depth > 4 || (depth > 0 && node.name.is_some()) {
            return 0;
        }
        1 + node.op.operands().map(|a| self.size(a, depth + 1)).sum::<u32>()
    }

    /// A name nothing else has, as the language allows it.
    fn free(&mut self, wanted: &str) -> String {
        let mut name = sanitise(wanted);
        while self.taken.contains(&name) {
            name.push('\'');
        }
        self.taken.insert(name.clone());
        name
    }
}

/// Paths and members become plain names: `l1.h[2]` is `l1_h_2`.
fn sanitise(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '\'') || !c.is_ascii() { c } else { '_' })
        .collect();
    plain.trim_end_matches('_').to_string()
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
    let (t, n) = (&writer.variable, &writer.extent);
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
            [first, ..] if joint.as_const(*first) != Some(0.0) => Some(inner.expr(*first, Place::Here(0))?),
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
        variable: writer.variable.clone(),
        summed: writer.summed.clone(),
        member: writer.member.clone(),
        extent: writer.extent.clone(),
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
