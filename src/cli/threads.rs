//! `--threads`: what runs are shared out to.

use crate::runtime::Team;
use crate::runtime::threads::MOST_THREADS;
use clap::builder::RangedU64ValueParser;
use std::sync::Arc;

/// What `--threads` may be.
pub fn range() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=MOST_THREADS as u64)
}

/// All cores this process may use.
pub fn all() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)
}

/// As many threads as were asked for, or all cores.
pub fn team(asked: Option<u32>) -> Arc<Team> {
    Team::new(asked.map_or_else(all, |n| n as usize))
}
