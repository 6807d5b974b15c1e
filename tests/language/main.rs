//! The language: syntax, formatting, mistakes and their messages, tests inside files.

#[path = "../support/mod.rs"]
mod support;

mod bad_inputs;
mod editors;
mod format;
mod limits;
mod mistakes;
mod no_names;
mod pipeline;
mod stdlib;
mod syntax;
mod testing;
