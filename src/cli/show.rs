//! `rnnc show`: any stage of the compiler, as text.

use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::eqn::build::Options;
use crate::eqn::print;
use crate::{grad, simplify};

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    /// The equations as a graph: one value a line
    Eqn,
    /// The same with the derived adjoint beside it, simplified
    Grad,
}

/// Print what a stage of the compiler makes of a cell
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc show --stage eqn --cell 'LSTM(I, H)'\n  rnnc show --stage loops --cell 'GRU(64, 64)'\n  rnnc show my.rnn --stage grad --cell 'Mine(I, H)' --set H=32"
)]
pub struct Show {
    #[arg(long, value_enum)]
    stage: Stage,
    #[command(flatten)]
    selected: Selected,
}

impl Show {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        let library = self.selected.library(session)?;
        let built = self.selected.build(session, &library, Options::default())?;
        match self.stage {
            Stage::Eqn => say(&print::print(&simplify::simplify(built.graph()))),
            Stage::Grad => {
                let joint = grad::differentiate(built.graph(), &grad::Options::default())?;
                say(&print::print(&simplify::simplify(&joint)))
            }
        }
    }
}
