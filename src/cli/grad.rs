//! `rnnc grad`: the derived backward equations, to read.

use super::help;
use super::limits::TextLimits;
use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::eqn::build::Options;
use crate::grad;
use crate::syntax::print::{Style, print_item};

/// Print the derived gradient of a cell, as equations to read
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc grad mine.rnn --cell 'Mine(I, H)'\n  rnnc grad mine.rnn --cell 'Mine(I, H)' --wrt W_z,h0 --latex"
)]
pub struct Grad {
    #[command(flatten)]
    selected: Selected,
    /// Only the gradients of these inputs, parameters or initial states
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    wrt: Vec<String>,
    /// Names and operators in ASCII
    #[arg(long, help_heading = help::OUTPUT)]
    ascii: bool,
    /// The equations as a LaTeX formula
    #[arg(long, conflicts_with = "ascii", help_heading = help::OUTPUT)]
    latex: bool,
    #[command(flatten)]
    limits: TextLimits,
}

impl Grad {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let library = self.selected.library(session)?;
        let built = self.selected.build(session, &library, Options::default())?;
        let wrt = Some(self.wrt).filter(|w| !w.is_empty());
        let options = grad::Options { wrt, from: None };
        if self.latex {
            return say(&grad::latex::adjoint_latex(built.graph(), &options)?);
        }
        let item = grad::print::adjoint_cell(built.graph(), &options)?;
        let style = Style { ascii: self.ascii, ..Style::UNICODE };
        say(&format!("{}\n", print_item(&item, style).trim_end()))
    }
}
