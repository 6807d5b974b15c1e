//! What depends on parameters alone, to be kept in a file.

use super::Workspace;
use super::errors;
use crate::diag::Fallible;
use crate::loops::{BufferId, InputKind, WeightId};
use std::borrow::Cow;

impl Workspace {
    /// Computes what depends on parameters alone; [`Workspace::shared_buffer`] and [`Workspace::packed`] hold it then. Refused
    /// if a parameter was never given.
    pub fn prepare(&mut self) -> Fallible<()> {
        let missing = self.missing().filter(|(_, kind)| matches!(kind, InputKind::Param(_)));
        let missing: Vec<_> = missing.map(|(name, _)| errors::missing(name)).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        self.prepare_if_stale();
        Ok(())
    }

    /// The elements of a buffer, of one that is not shared by all examples those at hand.
    pub fn shared_buffer(&self, buffer: BufferId) -> &[f32] {
        self.bufs[buffer.index()].f32()
    }

    /// A weight as kernels read it: see [`Arg::Weight`](crate::loops::Arg::Weight).
    pub fn packed(&self, weight: WeightId) -> Cow<'_, [f32]> {
        self.weights[weight.index()].in_wide_panels()
    }
}
