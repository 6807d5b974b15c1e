//! `rnnc export`: the arrays of a cell or model as another tool has them, or the whole of it as an ONNX model.

use super::files;
use super::foreign::{self, Weights};
use super::help;
use super::rundir::BEST;
use super::select::Built;
use super::session::{Failure, Session, say};
use super::{arrays, errors};
use crate::eqn::build::Options;
use crate::onnx;
use crate::weights::{Finder, errors as words};
use std::path::{Path, PathBuf};

/// Write weights as another tool has them, or a model as ONNX
///
/// To FILE.onnx the equations go with their weights, which may be of any format that `rnnc import` reads: inputs, initial states and
/// outputs have the names and shapes of `rnnc run` (docs/onnx.md). To other files the weights go alone. The lines of a layout are read from right to left: what rnnc import makes of a file, this makes a file of again. Where a layout
/// adds arrays of the other tool, such as two biases, the first has all and the others are zero.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc export w.safetensors net.rnn --layout torch --map y=out --out t.npz\n  rnnc export w.safetensors net.rnn --out same.npz\n  rnnc export w.safetensors net.rnn --out net.onnx --lengths"
)]
pub struct Export {
    #[command(flatten)]
    from: Weights,
    /// Where to write: .safetensors or .npz for the arrays, .onnx for the whole
    #[arg(long = "out", short = 'o', value_name = "FILE", help_heading = help::OUTPUT)]
    output: PathBuf,
    /// With an input `lengths` in the ONNX model: what is behind an example's end changes nothing
    #[arg(long, help_heading = help::OUTPUT)]
    lengths: bool,
    /// Every state at every step in the ONNX model, also where that takes a loop in place of an operator
    #[arg(long, help_heading = help::OUTPUT)]
    states: bool,
}

impl Export {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.from.limits.hold(session);
        let is_onnx = self.output.extension().is_some_and(|e| e == "onnx");
        if !is_onnx {
            foreign::ending(&self.output)?;
            let flags = [(self.lengths, "--lengths"), (self.states, "--states")];
            if let Some((_, flag)) = flags.iter().find(|(given, _)| *given) {
                return Err(onnx::errors::only_onnx(flag).into());
            }
        }
        let path = match self.from.weights.is_dir() {
            true => self.from.weights.join(BEST),
            false => self.from.weights.clone(),
        };
        if is_onnx {
            return self.graph(session, &path);
        }
        let opened = foreign::open(session, &path)?;
        let library = self.from.selected.library(session)?;
        let arranged = self.from.selected.arrange(session, &library, &self.from.foreign.names()?)?;
        let file = path.display().to_string();
        let arrays = self.from.foreign.export(&Finder { file: &file, arrays: &opened.arrays }, &arranged)?;
        self.from.foreign.check_finite(&file, &arrays)?;
        foreign::write(&self.output, &arrays)?;
        let count = words::counted(arrays.len(), "array");
        say(&format!("{}: {count}, from {file}\n", self.output.display()))
    }

    fn graph(&self, session: &mut Session, path: &Path) -> Result<(), Failure> {
        let library = self.from.selected.library(session)?;
        let params = self.from.foreign.params(session, &library, &self.from.selected, path)?;
        let built = self.from.selected.build(session, &library, Options::default())?;
        let outputs = match &built {
            Built::Cell(_) => None,
            // What a model is trained by is not what it is for.
            Built::Model(model) => Some(model.outs.iter().map(|o| o.to_string()).collect()),
        };
        let graph = built.graph();
        let graph = graph.bind(&arrays::dims(graph, &params))?;
        let open: Vec<String> = graph.dims().iter().map(ToString::to_string).collect();
        if !open.is_empty() {
            return Err(errors::open_dimensions("an ONNX model", &open).into());
        }
        let options = onnx::export::Options { lengths: self.lengths, outputs, states: self.states };
        let exported = onnx::export::export(&graph, &params, &options)?;
        let output = self.output.display().to_string();
        if !exported.omitted.is_empty() {
            session.report(&[onnx::errors::omitted(&exported.omitted)]);
        }
        files::replace(&self.output, &onnx::export::encode(&exported.model), |f| f)?;
        let recurrences = exported.recurrences();
        let count = words::counted(params.len(), "array");
        say(&format!("{output}: {recurrences}; {count}, from {}\n", path.display()))
    }
}
