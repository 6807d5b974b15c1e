//! The orders in which things add up, which every kernel keeps. Of products see Note [Order of summation] in
//! `runtime/gemm.rs`.
//!
//! What a nest folds, it folds in [`LANES`] running results, each of which begins with the neutral element: the element
//! at index `i` of the innermost axis goes to the one numbered `i mod LANES`, outer indices one after another. Then the
//! upper half of the results is folded onto the lower, `r[i] = r[i] ∘ r[i + half]`, until one is left. So a row's result
//! depends on the row alone, and is the same in vectors of any length. (A nest whose axes run through memory as one is one
//! of one axis.)

/// Running results of a fold: as many as it takes that no addition waits for the one before it, in vectors of 16.
pub const LANES: usize = 64;

/// At most so many contracted rows of a product make a block.
pub const DEPTH: usize = 256;

/// Blocks but the last are multiples of this.
pub const STEP: usize = 4;

/// A block of contracted rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub start: usize,
    pub depth: usize,
}

/// Blocks of at most `most` of `k` contracted rows; they depend on nothing else. Without rows there is one empty block, which
/// still has to write its zeros.
pub fn blocks(k: usize, most: usize) -> impl Iterator<Item = Block> {
    let count = k.div_ceil(most).max(1);
    let size = k.div_ceil(count).next_multiple_of(STEP);
    (0..count).map(move |i| {
        let start = (i * size).min(k);
        Block { start, depth: size.min(k - start) }
    })
}
