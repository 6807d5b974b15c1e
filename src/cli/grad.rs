//! `rnnc grad`: the derived backward equations, to read.

use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::eqn::build::Options;
use crate::eqn::print;
use crate::{grad, simplify};

/// Print the derived adjoint of a cell as equations
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rnnc grad --cell 'LSTM(I, H)'\n  rnnc grad --cell 'GRU(I, H)' --latex")]
pub struct Grad {
    #[command(flatten)]
    selected: Selected,
    /// Only the gradients of these inputs, parameters or initial states
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    wrt: Vec<String>,
}

impl Grad {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        let library = self.selected.library(session)?;
        let built = self.selected.build(session, &library, Options::default())?;
        let wrt = Some(self.wrt).filter(|w| !w.is_empty());
        let joint = grad::differentiate(built.graph(), &grad::Options { wrt, from: None })?;
        say(&print::print(&simplify::simplify(&joint)))
    }
}
