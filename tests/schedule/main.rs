//! Schedules: their plans, what is said of them, random graphs run by them.

#[path = "../support/mod.rs"]
mod support;

mod domains;
mod explain;
mod join;
mod plans;
mod random;
