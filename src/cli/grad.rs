//! `rnnc grad`: the derived backward equations, to read.

use super::files;
use super::help;
use super::limits::TextLimits;
use super::select::{self, Selected};
use super::session::{Failure, Session, say};
use crate::dataflow;
use crate::diag::Fallible;
use crate::doc;
use crate::eqn::Graph;
use crate::eqn::build::Options;
use crate::grad;
use crate::grad::print::reading;
use crate::syntax::print::{Style, print_item};
use std::path::PathBuf;

/// Print the derived gradient of a cell, as equations to read
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc grad mine.rnn --cell 'Mine(I, H)'\n  rnnc grad mine.rnn --cell 'Mine(I, H)' --wrt W_z,h0 --latex\n  rnnc grad mine.rnn --cell 'Mine(I, H)' --html mine.html"
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
    /// Write a page for a browser: each equation beside the ones it gives rise to, with what they cost
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ascii", "latex"])]
    html: Option<PathBuf>,
    #[command(flatten)]
    limits: TextLimits,
}

impl Grad {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.limits.hold(session);
        let library = self.selected.library(session)?;
        let built = self.selected.build(session, &library, Options::default())?;
        let mut wrt = Vec::new();
        for text in &self.wrt {
            wrt.extend(select::names(session, "--wrt", text)?);
        }
        let wrt = Some(wrt).filter(|w| !w.is_empty());
        let options = grad::Options { wrt, ..Default::default() };
        let graph = built.graph();
        if self.latex {
            return say(&grad::latex::adjoint_latex(graph, &options)?);
        }
        let style = Style { ascii: self.ascii, ..Style::UNICODE };
        let text = text(graph, &options, style)?;
        let Some(path) = self.html else { return say(&text) };
        let page = doc::gradient_page(&reading::adjoint(graph, &options)?, &dataflow::of(graph), &text);
        Ok(files::replace(&path, page.as_bytes(), |f| f)?)
    }
}

/// The adjoint as a cell; what is no cell can be read all the same.
fn text(graph: &Graph, options: &grad::Options, style: Style) -> Fallible<String> {
    match grad::print::adjoint_cell(graph, options) {
        Ok(item) => Ok(format!("{}\n", print_item(&item, style).trim_end())),
        Err(_) => Ok(reading::adjoint(graph, options)?.text(style)),
    }
}
