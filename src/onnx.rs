//! ONNX: graphs of other tools, out and in.
//!
//! Out: a bound [`Graph`](crate::eqn::Graph) and its parameters become a model that any ONNX runtime runs ([`export`]).
//! In: a model of recurrent operators and the layers around them becomes a file of the language and its weights ([`import`]).
//! [`proto`] has the messages of the format, [`text`] shows a model to read.

pub mod errors;
pub mod export;
pub mod import;
pub mod proto;
pub mod text;
mod words;
