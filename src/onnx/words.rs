//! What ONNX calls its recurrent operators, and one other.
//!
//! The format fixes these words; some of them are also names of cells, which nothing here knows. Whether equations are
//! those of an operator is decided by their structure alone (`export/operator/matching.rs`).

/// One state and one gate-less equation.
pub const PLAIN: &str = "RNN";
/// One state, an update and a reset gate.
pub const RESET: &str = "GRU";
/// Two states and three gates.
pub const MEMORY: &str = "LSTM";
/// What is only there in training: the identity in a model that is used.
pub const DROPPED: &str = "Dropout";
