//! `rnnc export`: the arrays of a cell or model as another tool has them.

use super::foreign::{self, Foreign};
use super::help;
use super::limits::FileLimits;
use super::rundir::BEST;
use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::weights::{Finder, errors};
use std::path::PathBuf;

/// Write weights as another tool arranges them
///
/// The lines of a layout are read from right to left: what rnnc import makes of a file, this makes a file of again. Where a layout
/// adds arrays of the other tool, such as two biases, the first has all and the others are zero.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc export w.safetensors net.rnn --layout torch --map y=out --out t.npz\n  rnnc export w.safetensors net.rnn --out same.npz"
)]
pub struct Export {
    /// The file of weights, under the program's names; or the folder that `rnnc train` wrote
    #[arg(value_name = "WEIGHTS")]
    weights: PathBuf,
    #[command(flatten)]
    selected: Selected,
    #[command(flatten)]
    foreign: Foreign,
    /// Where to write the arrays, as .safetensors or .npz
    #[arg(long = "out", short = 'o', value_name = "FILE", help_heading = help::OUTPUT)]
    output: PathBuf,
    #[command(flatten)]
    limits: FileLimits,
}

impl Export {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        foreign::ending(&self.output)?;
        let path = match self.weights.is_dir() {
            true => self.weights.join(BEST),
            false => self.weights.clone(),
        };
        let opened = foreign::open(session, &path)?;
        let library = self.selected.library(session)?;
        let arranged = self.selected.arrange(session, &library, &self.foreign.names()?)?;
        let file = path.display().to_string();
        let arrays = self.foreign.export(&Finder { file: &file, arrays: &opened.arrays }, &arranged)?;
        self.foreign.check_finite(&file, &arrays)?;
        foreign::write(&self.output, &arrays)?;
        let count = errors::counted(arrays.len(), "array");
        say(&format!("{}: {count}, from {file}\n", self.output.display()))
    }
}
