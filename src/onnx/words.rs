//! What ONNX calls its recurrent operators.
//!
//! The format fixes these words; two of them are also names of cells, which nothing here knows. Whether equations are
//! those of an operator is decided by their structure alone (`export/operator/matching.rs`).

/// One state and one gate-less equation.
pub const PLAIN: &str = "RNN";
/// One state, an update and a reset gate.
pub const RESET: &str = "GRU";
/// Two states and three gates.
pub const MEMORY: &str = "LSTM";
