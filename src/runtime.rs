//! Runs a [`Program`](crate::loops::Program): buffers, stages, kernel calls, matrix products.

pub mod gemm;
