//! Equations: built of text, evaluated, simplified, printed and read.

#[path = "../support/mod.rs"]
mod support;

mod build;
mod build_domains;
mod domains;
mod eval;
mod simplify;
mod text;
