//! The orders in which things add up, which every kernel keeps. Of products see Note [Order of summation] in
//! `gemm/src/lib.rs`.
//!
//! What a nest folds, it folds in [`LANES`] running results, each of which begins with the neutral element: the element
//! at index `i` of the innermost axis goes to the one numbered `i mod LANES`, outer indices one after another. Then the
//! upper half of the results is folded onto the lower, `r[i] = r[i] ∘ r[i + half]`, until one is left. So a row's result
//! depends on the row alone, and is the same in vectors of any length. (A nest whose axes run through memory as one is one
//! of one axis.)

/// Running results of a fold: as many as it takes that no addition waits for the one before it, in vectors of 16.
pub const LANES: usize = 64;

pub use rnnc_gemm::order::{Block, DEPTH, STEP, blocks};
