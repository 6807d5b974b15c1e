//! `rnnc import`: weights of another tool as the arrays of a cell or model.

use super::files;
use super::foreign::{self, Weights};
use super::help;
use super::session::{Failure, Session, say};
use crate::onnx;
use crate::weights::{Arrays, Data, Finder, errors, show};
use std::path::{Path, PathBuf};

/// Read weights of PyTorch, ONNX or others, or a whole ONNX model
///
/// To FILE.rnn a model of ONNX's recurrent operators and the layers around them goes as equations, its weights beside it as
/// FILE.safetensors (docs/onnx.md). Otherwise weights alone are read.
///
/// Read are safetensors, npz, PyTorch's state_dict (no code in it is executed), ONNX, and JSON of amplifier models. Without a program
/// all arrays of the file are listed. With one, each of its parameters must be there in its shape, under its own name or as a
/// layout of the language says, and nothing may be left over: then they are written as the program calls them, and all of
/// them or none.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  rnnc import net.pt\n  rnnc import net.pt net.rnn --layout torch --map y=out --out w.safetensors\n  rnnc import net.pt net.rnn --map 'rnn = by torch' --map 'y = out by torch'\n  rnnc import model.onnx --out model.rnn"
)]
pub struct Import {
    #[command(flatten)]
    from: Weights,
    /// Where to write the arrays, as .safetensors or .npz, or an ONNX model, as .rnn; without it arrays are only checked
    #[arg(long = "out", short = 'o', value_name = "FILE", help_heading = help::OUTPUT)]
    output: Option<PathBuf>,
}

impl Import {
    pub fn run(self, session: &mut Session) -> Result<(), Failure> {
        self.from.limits.hold(session);
        if let Some(output) = self.output.as_deref().filter(|o| o.extension().is_some_and(|e| e == "rnn")) {
            return self.model(session, output);
        }
        self.output.as_deref().map(foreign::ending).transpose()?;
        let opened = foreign::open(session, &self.from.weights)?;
        let file = self.from.weights.display().to_string();
        let arrays = match self.from.selected.is_given() {
            false => {
                // They are listed even so: it is how one finds what is wrong.
                list(&opened.arrays)?;
                opened.arrays
            }
            true => {
                let library = self.from.selected.library(session)?;
                let arranged = self.from.selected.arrange(session, &library, &self.from.foreign.names()?)?;
                self.from.foreign.import(&Finder { file: &file, arrays: &opened.arrays }, &arranged)?
            }
        };
        self.from.foreign.check_finite(&file, &arrays)?;
        let what = format!("{} of {} numbers", errors::counted(arrays.len(), "array"), numbers(&arrays));
        let from = format!("{file} ({})", opened.format.name());
        match &self.output {
            Some(output) => {
                foreign::write(output, &arrays)?;
                say(&format!("{}: {what}, from {from}\n", shown(output)))
            }
            None => say(&format!("{from}: {what}\n")),
        }
    }
}

impl Import {
    /// The whole of an ONNX model, its weights beside it.
    fn model(&self, session: &mut Session, output: &Path) -> Result<(), Failure> {
        let file = self.from.weights.display().to_string();
        let bytes = files::read(&self.from.weights, session.limits.file)?;
        let imported = onnx::import::import(&file, &bytes, session.limits.unpacked)?;
        self.from.foreign.check_finite(&file, &imported.weights)?;
        let weights = output.with_extension("safetensors");
        foreign::write(&weights, &imported.weights)?;
        files::replace(output, imported.text.as_bytes(), |f| f)?;
        let what = format!(
            "{} of {} numbers",
            errors::counted(imported.weights.len(), "array"),
            numbers(&imported.weights)
        );
        say(&format!("{}: `Net`, from {file}\n{}: {what}\n", shown(output), shown(&weights)))?;
        imported.notes.iter().try_for_each(|note| say(&format!("{note}\n")))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn numbers(arrays: &Arrays) -> usize {
    arrays.values().map(|a| a.data.len()).sum()
}

fn list(arrays: &Arrays) -> Result<(), Failure> {
    let width = arrays.keys().map(|n| n.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for (name, array) in arrays {
        let kind = match array.data {
            Data::F32(_) => "f32",
            Data::F64(_) => "f64",
            Data::I32(_) => "i32",
            Data::I64(_) => "i64",
        };
        // A name may hold what would move a terminal about.
        let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        text += &format!("{name:<width$}  {kind}  {}\n", show(&array.shape));
    }
    say(&text)
}
