//! The Rust interface: `rnnc::api` and what a program of its own does with it.

#[path = "../support/mod.rs"]
mod support;

mod adjoint;
mod gradients;
mod layouts;
mod runs;
