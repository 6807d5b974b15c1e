//! The part of its data on which a trained model is looked at.

use super::help;
use crate::diag::Diagnostic;
use crate::train::data::Dataset;
use crate::train::data::split::{self, Part};
use crate::train::errors;
use std::path::PathBuf;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    Train,
    Valid,
    Test,
    /// Everything
    All,
}

/// `--data` and `--split`, as several commands take them.
#[derive(clap::Args)]
pub struct Chosen {
    /// Files to read in place of those of the `data` block; then everything in them is looked at
    #[arg(long, value_name = "PATH", help_heading = help::DATA)]
    pub data: Vec<PathBuf>,
    /// The part of the data; without it the test part, or if there is none the validation part
    #[arg(long, value_enum, help_heading = help::DATA)]
    split: Option<Split>,
}

impl Chosen {
    pub fn part(&self, data: &Dataset, shares: Option<&[f64]>) -> Result<Part, Diagnostic> {
        let parts = split::split(data, shares);
        let all = || split::split(data, None).train;
        let part = match self.split {
            Some(Split::Train) => parts.train,
            Some(Split::Valid) => parts.valid,
            Some(Split::Test) => parts.test,
            Some(Split::All) => all(),
            None if !self.data.is_empty() => all(),
            None => parts.held_out().clone(),
        };
        if part.is_empty() { Err(errors::empty_part("chosen")) } else { Ok(part) }
    }
}
