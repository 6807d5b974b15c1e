//! Products with rows of a table.
//!
//! In: a graph in which a Shared matrix is multiplied with a row that an index picks from a Shared table, at its own point or
//! at another one. Out: the table multiplied once, and the rows of the result picked:
//!
//! ```text
//! W @ table[k]  =  (table @ Wᵀ)[k]
//! ```
//!
//! Each row of the new table is the same sum in the same order. Differentiated, it makes a gradient of `W` a sum over
//! the rows of the table of what was first added up for each, so this comes before the adjoint. It pays where a run
//! reads each row of the table often.

use super::cons::Builder;
use crate::eqn::*;
use std::collections::BTreeMap;

/// A run has to pick so many times as many rows as the table has.
const TIMES: i64 = 8;

/// So many columns at least, or their product costs no more than picking the row.
const COLUMNS: i64 = 32;

/// The same values, for runs over so many points of all examples together.
pub fn multiply_tables(graph: &Graph, points: usize) -> Graph {
    let b = Builder::new(graph.without_nodes());
    let mut tables =
        Tables { old: graph, points, b, map: Vec::new(), states: BTreeMap::new(), late: Vec::new() };
    for node in &graph.nodes {
        let id = tables.product(node).unwrap_or_else(|| tables.same(node));
        tables.b.adopt(id, node);
        tables.map.push(id);
    }
    tables.finish()
}

struct Tables<'a> {
    old: &'a Graph,
    points: usize,
    b: Builder,
    /// The new node of each old one.
    map: Vec<NodeId>,
    /// What a matrix makes of a state that is a row of a table.
    states: BTreeMap<(StateId, On, NodeId), StateId>,
    /// Products to be made when all nodes are there: of the new state, with the old one, by an old matrix.
    late: Vec<(StateId, StateId, Factor)>,
}

/// On which side of a product the vector stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum On {
    Left,
    Right,
}

/// An old matrix and where its vector stands.
#[derive(Clone, Copy)]
struct Factor {
    matrix: NodeId,
    vector: On,
}

impl Tables<'_> {
    fn same(&mut self, node: &Node) -> NodeId {
        let op = node.op.map_operands(|id| self.map[id.index()]);
        self.b.put(op, node.shape.clone(), node.ty.clone(), node.level)
    }

    /// A product with a row of a table, in the other way.
    fn product(&mut self, node: &Node) -> Option<NodeId> {
        let Op::MatMul(x, y) = node.op else { return None };
        let rank = |id: NodeId| self.old.shape(id).len();
        let (matrix, vector, side) = match (rank(x), rank(y)) {
            (2, 1) => (x, y, On::Right),
            (1, 2) => (y, x, On::Left),
            _ => return None,
        };
        if self.old.level(matrix) != Level::Shared {
            return None;
        }
        let factor = Factor { matrix, vector: side };
        match self.old.node(vector).op {
            Op::Gather { arg, index } if self.pays(arg, index) => self.picked(arg, index, factor),
            Op::Lag { state, offset } => {
                let Op::Gather { arg, index } = self.old.node(self.old.states[state.index()].def?).op else {
                    return None;
                };
                if !self.pays(arg, index) {
                    return None;
                }
                let state = self.state(state, factor, node);
                self.b.add(Op::Lag { state, offset })
            }
            _ => None,
        }
    }

    fn pays(&self, table: NodeId, index: NodeId) -> bool {
        let [rows, columns] = self.old.shape(table).as_slice() else { return false };
        let (Some(rows), Some(columns)) = (rows.as_constant(), columns.as_constant()) else { return false };
        let often = rows.saturating_mul(TIMES) <= i64::try_from(self.points).unwrap_or(i64::MAX);
        let is_over = matches!(self.old.level(index), Level::Over(_));
        self.old.level(table) == Level::Shared && is_over && often && columns >= COLUMNS
    }

    /// The row of the multiplied table. All old operands have their new nodes.
    fn picked(&mut self, table: NodeId, index: NodeId, by: Factor) -> Option<NodeId> {
        let matrix = self.map[by.matrix.index()];
        let matrix = match by.vector {
            On::Right => self.b.add(Op::Transpose(matrix))?,
            On::Left => matrix,
        };
        let arg = self.b.add(Op::MatMul(self.map[table.index()], matrix))?;
        self.b.add(Op::Gather { arg, index: self.map[index.index()] })
    }

    /// The state of the products; its values follow when all nodes are there.
    fn state(&mut self, state: StateId, by: Factor, product: &Node) -> StateId {
        if let Some(made) = self.states.get(&(state, by.vector, by.matrix)) {
            return *made;
        }
        let old = &self.old.states[state.index()];
        let name = format!("{}_{}", old.name, self.states.len() + 1);
        let new = State {
            name: name.into(),
            shape: product.shape.clone(),
            def: None,
            init: Vec::new(),
            sides: Vec::new(),
            ..old.clone()
        };
        let made = self.b.graph.state(new);
        self.states.insert((state, by.vector, by.matrix), made);
        self.late.push((made, state, by));
        made
    }

    fn times(&mut self, value: NodeId, by: Factor) -> Option<NodeId> {
        let (matrix, value) = (self.map[by.matrix.index()], self.map[value.index()]);
        self.b.add(match by.vector {
            On::Right => Op::MatMul(matrix, value),
            On::Left => Op::MatMul(value, matrix),
        })
    }

    /// A state's definition, initial values and sides, multiplied.
    fn multiplied(&mut self, made: StateId, old: &State, by: Factor) -> Option<()> {
        let Op::Gather { arg, index } = self.old.node(old.def?).op else { return None };
        let def = self.picked(arg, index, by)?;
        let init = old.init.iter().map(|v| self.times(*v, by)).collect::<Option<Vec<_>>>()?;
        let side = |s: &Side| {
            let value = self.times(s.value, by)?;
            Some(Side { value, ..*s })
        };
        let sides = old.sides.iter().map(side).collect::<Option<Vec<_>>>()?;
        let state = &mut self.b.graph.states[made.index()];
        (state.def, state.init, state.sides) = (Some(def), init, sides);
        Some(())
    }

    fn finish(mut self) -> Graph {
        for (made, state, by) in std::mem::take(&mut self.late) {
            let old = &self.old.states[state.index()];
            if self.multiplied(made, old, by).is_none() {
                // Shapes and levels fitted before; then this cannot be.
                return self.old.clone();
            }
        }
        let map = |id: &NodeId| self.map[id.index()];
        for (i, state) in self.old.states.iter().enumerate() {
            let new = &mut self.b.graph.states[i];
            new.def = state.def.as_ref().map(map);
            new.init = state.init.iter().map(map).collect();
            new.sides = state.sides.iter().map(|s| Side { value: map(&s.value), ..*s }).collect();
        }
        let outputs = self.old.outputs.iter().map(|o| Output { name: o.name.clone(), node: map(&o.node) });
        self.b.graph.outputs = outputs.collect();
        self.b.graph
    }
}
