//! Long tests of rnnc. Not in its binary: the fixed slices of them are tests, the long runs are `cargo run -p soak`.
//!
//! [`cells`] makes random programs and compares all that can be compared of each.

#![deny(unsafe_code)]

pub mod cells;
