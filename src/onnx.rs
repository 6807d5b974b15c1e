//! ONNX: graphs of other tools, out and in.
//!
//! Out: a bound [`Graph`](crate::eqn::Graph) and its parameters become a model that any ONNX runtime runs ([`export`]).
//! [`proto`] has the messages of the format, [`text`] shows a model to read.

pub mod errors;
pub mod export;
pub mod proto;
pub mod text;
mod words;
