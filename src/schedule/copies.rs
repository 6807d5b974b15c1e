//! Stages that copy or fold other rows than their own, and the tables that say which.
//!
//! In: where and when values are computed. Out: stages at their moments. One table serves all stages with the same
//! relation between the same places.

use super::order::{Order, Region};
use super::pack::Layout;
use super::value::{Flow, Op, Val};
use crate::eqn::Level;
use crate::loops::{Operand, Place, Relation, Stage, Table, TableId};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Copies {
    pub tables: Vec<Table>,
    at: BTreeMap<(Region, u32), Vec<Val>>,
}

impl Copies {
    pub fn new(flow: &Flow, order: &Order) -> Copies {
        let mut out = Copies::default();
        for v in flow.ids().filter(|v| order.live[v.index()] && flow.op(*v).is_copy()) {
            out.at.entry((order.region[v.index()], order.slot[v.index()])).or_default().push(v);
        }
        out
    }

    pub fn emit(&mut self, flow: &Flow, layout: &Layout, at: (Region, u32), into: &mut Vec<Stage>) {
        for v in self.at.remove(&at).unwrap_or_default() {
            let operand = |v: Val| layout.operand(&flow.view(v));
            let (Some(out), width) = (operand(v), flow.get(v).width()) else { continue };
            match flow.op(v) {
                Op::Collect { relation, .. } => {
                    let sources = sources(flow, v);
                    let from: Vec<Operand> = sources.iter().filter_map(|v| operand(*v)).collect();
                    if from.len() == sources.len() {
                        let table = self.table(flow, v, &sources, relation.clone());
                        into.push(Stage::Collect { from, out, width, table });
                    }
                }
                Op::Fold { fold, arg } => {
                    if let Some(from) = operand(*arg) {
                        let table = self.table(flow, v, &[*arg], Relation::Below);
                        into.push(Stage::Fold { fold: *fold, from, out, width, table });
                    }
                }
                Op::Number(of, axis) => into.push(Stage::Number { of: *of, axis: *axis, out }),
                _ => {}
            }
        }
    }

    fn table(&mut self, flow: &Flow, to: Val, from: &[Val], relation: Relation) -> TableId {
        let place = |v: Val| match flow.level(v) {
            Level::Shared => Place::Shared,
            Level::Example => Place::Example,
            Level::Over(domain) => Place::Over { domain, before: 0, after: 0 },
        };
        let table = Table { to: place(to), from: from.iter().map(|v| place(*v)).collect(), relation };
        let known = self.tables.iter().position(|t| *t == table);
        let i = known.unwrap_or_else(|| {
            self.tables.push(table);
            self.tables.len() - 1
        });
        TableId(i as u32)
    }
}

/// In the order of the relation's sources.
fn sources(flow: &Flow, v: Val) -> Vec<Val> {
    let op = flow.op(v);
    match op.state() {
        Some(state) => {
            let state = &flow.states[state.index()];
            std::iter::once(state.base).chain(state.boundary()).collect()
        }
        None => op.operands(),
    }
}
