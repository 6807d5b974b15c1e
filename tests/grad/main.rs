//! Gradients: derived ones against central differences, published libraries and identities.

#[path = "../support/mod.rs"]
mod support;

mod adjoint;
mod domains;
mod golden;
mod identities;
mod print;
mod recurrence;
mod rules;
mod sums;
