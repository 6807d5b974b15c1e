//! The invariants of the equation IR.

/// The first invariant that does not hold, with the node's line.
pub fn verify(_graph: &super::Graph) -> Result<(), String> {
    todo!()
}
