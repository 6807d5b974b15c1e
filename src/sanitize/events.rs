//! Where numbers went wrong, in the order in which they did.
//!
//! In: an evaluation with [`Traced`] numbers. Out: for each row of a node whose result is not finite while its operands were,
//! an [`Event`]: the node, the row's place, and what was read there.

use super::traced::{Origin, Precision, Traced};
use crate::eqn::eval::watch::{Here, Spot, Watch};
use crate::eqn::{Graph, NodeId, Op, SourceKind};

/// Further events are told as the last of these.
const MOST_EVENTS: usize = 1 << 16;

/// The first number of a row that is not finite although all that it was made of was.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub node: NodeId,
    pub spot: Spot,
    pub result: Range,
    /// Everything that was read there, in the order of operands.
    pub operands: Vec<(NodeId, Range)>,
}

/// What numbers are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub count: usize,
    pub nan: usize,
    pub infinite: usize,
    /// Of those that are finite; the least is above the greatest if none is.
    pub least: f64,
    pub greatest: f64,
}

impl Default for Range {
    fn default() -> Range {
        Range { count: 0, nan: 0, infinite: 0, least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

impl Range {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Range {
        let mut range = Range::default();
        values.into_iter().for_each(|x| range.add(x));
        range
    }

    fn add(&mut self, x: f64) {
        self.count += 1;
        match x {
            x if x.is_nan() => self.nan += 1,
            x if x.is_infinite() => self.infinite += 1,
            x => (self.least, self.greatest) = (self.least.min(x), self.greatest.max(x)),
        }
    }

    pub fn is_finite(&self) -> bool {
        self.nan == 0 && self.infinite == 0
    }
}

pub struct Events<'g> {
    graph: &'g Graph,
    pub all: Vec<Event>,
}

impl<'g> Events<'g> {
    pub fn of(graph: &'g Graph) -> Events<'g> {
        Events { graph, all: Vec::new() }
    }

    /// Given values have no operation in which they went wrong: NaN is a fault, and so is ∞ unless it is what a state
    /// is declared to begin with.
    fn given<P: Precision>(&self, id: NodeId, values: &mut [Traced<P>]) {
        let Op::Source(source) = self.graph.node(id).op else { return };
        let meant = match self.graph.sources[source.index()].kind {
            SourceKind::Initial { default, .. } => Some(default),
            _ => None,
        };
        for x in values.iter_mut().filter(|x| !x.value.is_finite()) {
            let is_meant = Some(x.value.wide()) == meant;
            x.origin = if is_meant { Origin::NewMeant } else { Origin::New };
        }
    }

    fn event<P: Precision>(&mut self, here: &Here<Traced<P>>, values: &[Traced<P>]) -> u32 {
        if self.all.len() < MOST_EVENTS {
            let mut operands: Vec<(NodeId, Range)> = Vec::new();
            here.reads(&mut |node, values| {
                let at = operands.iter().position(|(known, _)| *known == node).unwrap_or_else(|| {
                    operands.push((node, Range::default()));
                    operands.len() - 1
                });
                values.iter().for_each(|x| operands[at].1.add(x.value.wide()));
            });
            let result = Range::of(values.iter().map(|x| x.value.wide()));
            self.all.push(Event { node: here.id(), spot: here.spot(), result, operands });
        }
        self.all.len() as u32 - 1
    }
}

impl<P: Precision> Watch<Traced<P>> for Events<'_> {
    fn computed(&mut self, here: &Here<Traced<P>>, values: &mut [Traced<P>]) {
        self.given(here.id(), values);
        for (new, old) in [
            (Origin::Event as fn(u32) -> Origin, Origin::New),
            (Origin::Meant as fn(u32) -> Origin, Origin::NewMeant),
        ] {
            if values.iter().any(|x| x.origin == old) {
                let event = self.event(here, values);
                values.iter_mut().filter(|x| x.origin == old).for_each(|x| x.origin = new(event));
            }
        }
    }
}
