//! Which rows are computed, in which order, and from which rows: what depends on lengths and trees alone.
//!
//! In: an evaluator and the points of a batch. Out: tables of rows, made once and shared by all evaluations with these
//! lengths, whatever their values and their kind of number.

use super::order::Step;
use super::points::{Place, Points};
use super::{Evaluator, MAX_MEMORY};
use crate::eqn::{Graph, Level, NodeId, Op, Side, State};

/// Stands for no row.
pub(super) const NONE: u32 = u32::MAX;

pub(super) struct Layout {
    /// Of each level; see [`index`].
    levels: Vec<Rows>,
    /// Of a pair of levels, for each row of the first its row of the second; empty where nothing reads so.
    maps: Vec<Vec<u32>>,
    /// Of each node.
    reads: Vec<Reads>,
    /// Of each step that is a recurrence, nodes and rows in an order of computation.
    schedules: Vec<Vec<(NodeId, u32)>>,
}

/// The rows of one level.
#[derive(Default)]
struct Rows {
    /// Of an array: the points along each axis, then the examples.
    extents: Vec<usize>,
    /// Those of points that exist, in order.
    present: Vec<u32>,
}

/// What a node reads other than its operands at its own point.
enum Reads {
    Here,
    /// For each row a node and its row.
    Lag(Vec<(NodeId, u32)>),
    /// For each row where its rows of the operand begin among `rows`, and at the end where the last ones end.
    Below {
        starts: Vec<u32>,
        rows: Vec<u32>,
    },
    /// For each row one row of the operand or [`NONE`].
    One(Vec<u32>),
    /// For each row a position from 0 or a length.
    Number(Vec<u32>),
}

impl Layout {
    pub fn new(plan: &Evaluator, points: &Points) -> Result<Layout, String> {
        let levels = 2 + plan.graph.domains.len();
        let mut layout = Layout {
            levels: (0..levels).map(|_| Rows::default()).collect(),
            maps: vec![Vec::new(); levels * levels],
            reads: plan.graph.nodes.iter().map(|_| Reads::Here).collect(),
            schedules: Vec::new(),
        };
        let mut maker =
            Maker { graph: plan.graph, points, layout: &mut layout, places: Vec::new(), entries: 0 };
        maker.places = vec![Vec::new(); levels];
        for id in plan.steps.iter().flat_map(Step::nodes) {
            maker.node(id)?;
        }
        for step in &plan.steps {
            let schedule = match step {
                Step::Node(_) => Vec::new(),
                Step::Recurrence(nodes) => layout.schedule(plan.graph, nodes)?,
            };
            layout.schedules.push(schedule);
        }
        Ok(layout)
    }

    /// The extents of an array at a level.
    pub fn extents(&self, level: Level) -> &[usize] {
        &self.levels[index(level)].extents
    }

    pub fn rows(&self, level: Level) -> usize {
        self.extents(level).iter().product()
    }

    /// The rows of points that exist, in order.
    pub fn present(&self, level: Level) -> &[u32] {
        &self.levels[index(level)].present
    }

    /// Of the recurrence that is this step.
    pub fn order(&self, step: usize) -> &[(NodeId, u32)] {
        &self.schedules[step]
    }

    /// The row of a lower level that is read at a row of a level.
    pub fn project(&self, from: Level, to: Level, row: usize) -> usize {
        match from == to {
            true => row,
            false => self.maps[index(from) * self.levels.len() + index(to)][row] as usize,
        }
    }

    pub fn lag(&self, id: NodeId, row: usize) -> Option<(NodeId, usize)> {
        match &self.reads[id.index()] {
            Reads::Lag(table) => table.get(row).map(|(node, row)| (*node, *row as usize)),
            _ => None,
        }
    }

    /// The rows that a sum or fold over points reads.
    pub fn below(&self, id: NodeId, row: usize) -> &[u32] {
        match &self.reads[id.index()] {
            Reads::Below { starts, rows } => &rows[starts[row] as usize..starts[row + 1] as usize],
            _ => &[],
        }
    }

    /// The row that a read of one other point finds.
    pub fn one(&self, id: NodeId, row: usize) -> Option<usize> {
        match &self.reads[id.index()] {
            Reads::One(table) => table.get(row).filter(|r| **r != NONE).map(|r| *r as usize),
            _ => None,
        }
    }

    /// A position from 0, or a length.
    pub fn number(&self, id: NodeId, row: usize) -> usize {
        match &self.reads[id.index()] {
            Reads::Number(table) => table.get(row).map_or(0, |n| *n as usize),
            _ => 0,
        }
    }

    /// Calls `f` with everything that is read to compute a row of a node.
    pub fn each(&self, graph: &Graph, id: NodeId, row: usize, f: &mut dyn FnMut(NodeId, usize)) {
        let level = graph.level(id);
        let mut here = |x: NodeId| f(x, self.project(level, graph.level(x), row));
        match &graph.node(id).op {
            Op::Lag { .. } => {
                if let Some((node, row)) = self.lag(id, row) {
                    f(node, row);
                }
            }
            Op::SumOver(x) | Op::FoldOver { arg: x, .. } => {
                self.below(id, row).iter().for_each(|r| f(*x, *r as usize));
            }
            Op::At { arg, empty, .. } => match self.one(id, row) {
                Some(row) => f(*arg, row),
                None => here(*empty),
            },
            Op::Remap { arg, .. } | Op::Flatten { arg, .. } => {
                if let Some(row) = self.one(id, row) {
                    f(*arg, row);
                }
            }
            Op::Points { parts, .. } => {
                if let Some(part) = parts.get(self.number(id, row)) {
                    here(*part);
                }
            }
            op => op.operands().for_each(here),
        }
    }

    /// Values that need one another, each behind those it needs, found along an explicit stack.
    fn schedule(&self, graph: &Graph, nodes: &[NodeId]) -> Result<Vec<(NodeId, u32)>, String> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut member = vec![NONE; graph.nodes.len()];
        nodes.iter().enumerate().for_each(|(i, id)| member[id.index()] = i as u32);
        let mut marks: Vec<Vec<Mark>> =
            nodes.iter().map(|id| vec![Mark::New; self.rows(graph.level(*id))]).collect();
        let (mut order, mut open) = (Vec::new(), Vec::new());
        for start in nodes {
            for row in self.present(graph.level(*start)) {
                open.push((*start, *row as usize));
                while let Some((id, row)) = open.last().copied() {
                    let i = member[id.index()] as usize;
                    match marks[i][row] {
                        Mark::Done => {
                            open.pop();
                        }
                        Mark::Open => {
                            order.push((id, row as u32));
                            marks[i][row] = Mark::Done;
                            open.pop();
                        }
                        Mark::New => {
                            marks[i][row] = Mark::Open;
                            let mut again = false;
                            self.each(graph, id, row, &mut |to, row| {
                                let Some(marks) = marks.get(member[to.index()] as usize) else { return };
                                match marks[row] {
                                    Mark::Done => {}
                                    Mark::New => open.push((to, row)),
                                    Mark::Open => again = true,
                                }
                            });
                            if again {
                                return Err(needs_itself(graph, nodes, id));
                            }
                        }
                    }
                }
            }
        }
        Ok(order)
    }
}

/// The place of a level among all.
fn index(level: Level) -> usize {
    match level {
        Level::Shared => 0,
        Level::Example => 1,
        Level::Over(domain) => 2 + domain.index(),
    }
}

fn needs_itself(graph: &Graph, nodes: &[NodeId], id: NodeId) -> String {
    let label = |id: NodeId| match &graph.node(id).name {
        Some(name) => format!("`{name}`"),
        None => format!("%{} ({})", id.0, graph.node(id).op.word()),
    };
    let named = nodes.iter().copied().filter(|n| graph.node(*n).name.is_some() && *n != id);
    let others: Vec<String> = named.take(3).map(label).collect();
    match others.is_empty() {
        true => format!("{} needs itself at one point", label(id)),
        false => format!("{} needs itself at one point, by way of {}", label(id), others.join(", ")),
    }
}

struct Maker<'m, 'a> {
    graph: &'m Graph,
    points: &'m Points<'a>,
    layout: &'m mut Layout,
    /// Of each level that is laid out, its points in the order of their rows.
    places: Vec<Vec<Place>>,
    /// Of all tables.
    entries: usize,
}

impl Maker<'_, '_> {
    fn node(&mut self, id: NodeId) -> Result<(), String> {
        let graph = self.graph;
        let level = graph.level(id);
        self.level(level)?;
        let points = self.points;
        let reads = match &graph.node(id).op {
            Op::Lag { .. } => {
                let mut table = vec![(id, NONE); self.table(level)?];
                for (row, p) in self.points_of(level) {
                    let (node, q) = self.lagged(id, p)?;
                    table[row] = (node, points.row(graph.level(node), q) as u32);
                }
                Reads::Lag(table)
            }
            Op::SumOver(x) | Op::FoldOver { arg: x, .. } => {
                let from = graph.level(*x);
                self.level(from)?;
                let count = self.table(level)?;
                self.count(self.layout.present(from).len())?;
                let (mut starts, mut rows) = (Vec::with_capacity(count + 1), Vec::new());
                // Rows come in order; those that do not exist have nothing below them.
                for (row, p) in self.points_of(level) {
                    starts.resize(row + 1, rows.len() as u32);
                    rows.extend(points.below(from, level, p).into_iter().map(|q| points.row(from, q) as u32));
                }
                starts.resize(count + 1, rows.len() as u32);
                Reads::Below { starts, rows }
            }
            Op::At { arg, axis, point, empty } => {
                self.map(level, graph.level(*empty))?;
                let to = graph.level(*arg);
                self.one(level, to, |p| points.point(*axis, *point, level, p, to))?
            }
            Op::Remap { arg, maps } => {
                let to = graph.level(*arg);
                self.one(level, to, |p| points.remap(maps, to, level, p))?
            }
            Op::Flatten { arg, grid, line, back } => {
                let to = graph.level(*arg);
                self.one(level, to, |p| points.flatten((grid, *line, *back), to, level, p))?
            }
            Op::Points { parts, axis } => {
                parts.iter().try_for_each(|part| self.map(level, graph.level(*part)))?;
                self.number(level, |p| points.position(level, p, *axis))?
            }
            Op::Position(axis) => self.number(level, |p| points.numbered(level, p, *axis))?,
            Op::Length(axis) => self.number(level, |p| points.length(*axis, level, p))?,
            op => {
                for x in op.operands() {
                    self.map(level, graph.level(x))?;
                }
                Reads::Here
            }
        };
        self.layout.reads[id.index()] = reads;
        Ok(())
    }

    fn count(&mut self, entries: usize) -> Result<(), String> {
        self.entries = self.entries.saturating_add(entries);
        match self.entries <= MAX_MEMORY {
            true => Ok(()),
            false => Err("the evaluation would not fit into memory".into()),
        }
    }

    /// Lays out the rows of a level.
    fn level(&mut self, level: Level) -> Result<(), String> {
        let i = index(level);
        if !self.layout.levels[i].extents.is_empty() || level == Level::Shared && !self.places[i].is_empty() {
            return Ok(());
        }
        self.count(self.points.rows(level))?;
        let places = self.points.all(level);
        let present = places.iter().map(|p| self.points.row(level, *p) as u32).collect();
        self.layout.levels[i] = Rows { extents: self.points.extents(level), present };
        self.places[i] = places;
        Ok(())
    }

    /// How many entries a table for a level has.
    fn table(&mut self, level: Level) -> Result<usize, String> {
        let rows = self.points.rows(level);
        self.count(rows)?;
        Ok(rows)
    }

    fn points_of(&self, level: Level) -> impl Iterator<Item = (usize, Place)> + '_ {
        let rows = self.layout.present(level).iter().map(|row| *row as usize);
        rows.zip(self.places[index(level)].iter().copied())
    }

    fn map(&mut self, from: Level, to: Level) -> Result<(), String> {
        let i = index(from) * self.layout.levels.len() + index(to);
        if from == to || !self.layout.maps[i].is_empty() {
            return Ok(());
        }
        let mut table = vec![NONE; self.table(from)?];
        for (row, p) in self.points_of(from) {
            table[row] = self.points.row(to, self.points.project(from, p, to)) as u32;
        }
        self.layout.maps[i] = table;
        Ok(())
    }

    fn one(
        &mut self,
        level: Level,
        to: Level,
        find: impl Fn(Place) -> Option<Place>,
    ) -> Result<Reads, String> {
        let mut table = vec![NONE; self.table(level)?];
        for (row, p) in self.points_of(level) {
            if let Some(q) = find(p) {
                table[row] = self.points.row(to, q) as u32;
            }
        }
        Ok(Reads::One(table))
    }

    fn number(&mut self, level: Level, find: impl Fn(Place) -> usize) -> Result<Reads, String> {
        let mut table = vec![0; self.table(level)?];
        for (row, p) in self.points_of(level) {
            table[row] = find(p) as u32;
        }
        Ok(Reads::Number(table))
    }

    /// The node and the place that a lag reads.
    fn lagged(&self, id: NodeId, p: Place) -> Result<(NodeId, Place), String> {
        let Op::Lag { state, offset } = self.graph.node(id).op else {
            return Err("this is no lag".into());
        };
        let state: &State = &self.graph.states[state.index()];
        let own = Level::Over(state.domain);
        let (node, q, level) = match self.points.lag(state.domain, offset, self.graph.level(id), p) {
            Ok(q) => (state.def.ok_or("a state has no definition")?, q, own),
            Err(outside) => {
                let of = |s: &&Side| outside.side == Some((s.axis, s.after));
                let node = match state.sides.iter().find(of) {
                    Some(side) => side.value,
                    None => state.init[outside.distance.min(state.init.len()) - 1],
                };
                (node, p, self.graph.level(id))
            }
        };
        Ok((node, self.points.project(level, q, self.graph.level(node))))
    }
}
