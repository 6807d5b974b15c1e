//! The C interface: handles, errors as values, sizes with every buffer.
//!
//! In: pointers. Out: what [`rnnc::api`] gives for them. Nothing is decided here. No panic leaves: [`guard::refused`] makes an error of it.
//! `include/rnnc.h` is made of this crate (`tests/header.rs`), and has the rules that its callers keep; each `unsafe` block here relies on
//! one of them.

#![deny(unsafe_code)]

mod arrays;
mod cell;
mod error;
mod guard;
mod library;
mod options;
mod params;
mod run;
mod stream;
