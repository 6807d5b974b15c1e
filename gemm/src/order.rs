//! The blocks that a contracted axis is summed in: Note [Order of summation] in `lib.rs`.

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
