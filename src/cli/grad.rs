//! `rnnc grad`: the derived backward equations, to read.

use super::limits::TextLimits;
use super::select::Selected;
use super::session::{Failure, Session, say};
use crate::eqn::build::Options;
use crate::grad;
use crate::grad::print::reading;
use crate::syntax::print::{Style, print_item};

/// Print the derived adjoint of a cell: its gradient as a cell of the language
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc grad my.rnn --cell 'Mine(I, H)'\n  rnnc grad my.rnn --cell 'Mine(I, H)' --wrt W,h0 --latex"
)]
pub struct Grad {
    #[command(flatten)]
    selected: Selected,
    /// Only the gradients of these inputs, parameters or initial states
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    wrt: Vec<String>,
    /// Names and operators in ASCII
    #[arg(long)]
    ascii: bool,
    /// The equations as a LaTeX formula
    #[arg(long, conflicts_with = "ascii")]
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
        let style = Style { ascii: self.ascii, ..Style::UNICODE };
        let item = match grad::print::adjoint_cell(built.graph(), &options) {
            Ok(item) => item,
            // What is no cell can be read all the same.
            Err(_) => return say(&reading::adjoint(built.graph(), &options)?.text(style)),
        };
        say(&format!("{}\n", print_item(&item, style).trim_end()))
    }
}
