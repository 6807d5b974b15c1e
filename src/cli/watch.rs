//! What is written down and shown of a training that goes on, beside its checkpoints.
//!
//! [`log`] is the record of what a clock and the machine have to do with, and of the curves by steps; [`curve`] draws them in
//! the terminal; [`events`] writes them for TensorBoard. None of it decides a bit of the run.

pub mod curve;
pub mod events;
pub mod log;
