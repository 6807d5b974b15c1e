//! rnnc: recurrent cells as equations, compiled to machine code.
//!
//! ```text
//! text ─ parse ─► ast ─ resolve ─► library ─ build ─► eqn ─ differentiate ─► eqn ─ simplify ─► eqn
//!                                                            └─ schedule ─► loops ─ codegen ─► machine code
//! ```
//!
//! Every arrow is a pure function from one whole value to the next, and every stage is one module:
//! [`syntax`], [`resolve`], [`eqn`] (built in [`eqn::build`]), [`grad`], [`simplify`], [`schedule`],
//! [`loops`], [`codegen`], [`runtime`]; [`pipeline`] joins them. [`train`] and [`weights`] stand on
//! the runtime, [`testing`] on the reference interpreter [`eqn::eval`], and [`cli`] on all of them.
//! [`object`] makes files for programs that have no rnnc.
//! Programs that use rnnc as a library go in by [`api`], and by nothing else: the other modules change as the compiler does.
//! What all of it may cost at most is one value, [`limits::Limits`].

#![deny(unsafe_code)]
// Module pages are written for those who read the source, where these links lead somewhere.
#![allow(rustdoc::private_intra_doc_links)]

pub mod api;
pub mod cli;
pub mod codegen;
pub mod dataflow;
pub mod diag;
pub mod doc;
pub mod eqn;
pub mod files;
pub mod flow;
pub mod grad;
pub mod limits;
pub mod loops;
pub mod lsp;
pub mod object;
pub mod onnx;
pub mod pipeline;
pub mod resolve;
pub mod runtime;
pub mod sanitize;
pub mod schedule;
pub mod shape;
pub mod simplify;
pub mod source;
pub mod stdlib;
pub mod syntax;
pub mod testing;
pub mod train;
pub mod typeset;
pub mod weights;

pub use api::Error;
