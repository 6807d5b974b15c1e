//! The tool as a user has it: the binary itself, run in folders of its own.

#[path = "../support/mod.rs"]
mod support;

mod bench;
mod beside;
mod commands;
mod diagnostics;
mod doc;
mod errors;
mod flow;
mod fmt;
mod help;
mod limits;
mod look;
mod new;
mod reproducible;
mod sanitize;
mod stages;
mod stop;
mod terminal;
mod train;
mod train_domains;
mod tutorial;
mod typeset;
mod watch;
