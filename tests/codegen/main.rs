//! Kernels: intermediate code, vector functions, products by tables.

#[path = "../support/mod.rs"]
mod support;

mod kernels;
mod math;
mod table_products;
mod wide;
