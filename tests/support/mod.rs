//! What several tests need. Each takes of it what it wants.
#![allow(dead_code)]

pub mod api;
pub mod chain;
pub mod cli;
pub mod domains;
pub mod eqn;
pub mod grad;
pub mod graphs;
pub mod limits_texts;
pub mod lsp;
pub mod object;
pub mod recipes;
pub mod schedule;
pub mod ulp;
