//! Looking on while an evaluation goes on.
//!
//! In: a [`Watch`]. It is shown each row of each node once it is computed, in the order of computation, together with what
//! the row was computed from, which is still there.

use super::number::Number;
use super::run::{Run, unravel};
use crate::eqn::{Level, NodeId};

pub trait Watch<N> {
    /// The elements of a row that has been computed, or of a source that was loaded. They may be marked, and are then what
    /// others read.
    fn computed(&mut self, here: &Here<N>, values: &mut [N]);
}

/// Sees nothing.
pub(super) struct Nobody;

impl<N> Watch<N> for Nobody {
    fn computed(&mut self, _: &Here<N>, _: &mut [N]) {}
}

/// A row of a node in an evaluation.
pub struct Here<'r, N> {
    pub(super) run: &'r Run<'r, N>,
    pub(super) id: NodeId,
    pub(super) row: usize,
}

/// Where a row lies: positions from 0 along the axes of its level, and the example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    pub at: Vec<usize>,
    pub example: Option<usize>,
}

impl<N: Number> Here<'_, N> {
    pub fn id(&self) -> NodeId {
        self.id
    }

    pub fn spot(&self) -> Spot {
        let level = self.run.graph.level(self.id);
        let mut at = unravel(self.row, self.run.layout.extents(level));
        let example = if level == Level::Shared { None } else { at.pop() };
        Spot { at, example }
    }

    /// Calls `f` with the values of everything that this row was computed from. Where an operand was never stored, that is
    /// what the operand itself was computed from.
    pub fn reads(&self, f: &mut dyn FnMut(NodeId, &[N])) {
        self.reads_of(self.id, self.row, f);
    }

    fn reads_of(&self, id: NodeId, row: usize, f: &mut dyn FnMut(NodeId, &[N])) {
        let Run { plan, graph, layout, .. } = self.run;
        layout.each(graph, id, row, &mut |read, row| match plan.streamed[read.index()] {
            true => self.reads_of(read, row, f),
            false => {
                let elements = plan.elements(read);
                // A state that is its own past is being written.
                let all = self.run.values[read.index()].get(row * elements..(row + 1) * elements);
                if let Some(values) = all {
                    f(read, values);
                }
            }
        });
    }
}
