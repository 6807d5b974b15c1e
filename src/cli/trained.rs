//! Tying a trained model's parameters to its program.

use super::foreign::{self, Foreign};
use super::open::{Closed, Opened};
use super::rundir::RunDir;
use super::session::{Failure, Session};
use super::{errors, help};
use crate::diag::Fallible;
use crate::loops::InputKind;
use crate::runtime::Workspace;
use crate::train::checkpoint::{About, Checkpoint, Progress};
use crate::train::errors as train_errors;
use crate::weights::Finder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A model with parameters: those of a training run, or of any file.
#[derive(clap::Args)]
pub struct Trained {
    /// The file with the model
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A model of FILE (may be left out if it has only one)
    #[arg(long, value_name = "NAME", help_heading = help::PROGRAM)]
    model: Option<String>,
    /// With --params: a value for a static parameter, such as H=512
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "params", help_heading = help::PROGRAM)]
    settings: Vec<String>,
    /// The folder that `rnnc train` wrote; without it the latest of runs/NAME-…
    #[arg(long, value_name = "DIR", help_heading = help::DATA)]
    run: Option<PathBuf>,
    /// A file of parameters in place of a run: safetensors, npz, PyTorch, ONNX, JSON
    #[arg(long, value_name = "FILE", conflicts_with = "run", help_heading = help::DATA)]
    params: Option<PathBuf>,
    #[command(flatten)]
    foreign: Foreign,
}

/// A model as it is used.
pub struct Found {
    pub opened: Opened,
    /// The folder of the run, or the file.
    pub from: PathBuf,
    pub checkpoint: Checkpoint,
}

impl Trained {
    pub fn open(&self, session: &mut Session) -> Result<Found, Failure> {
        match &self.params {
            Some(path) => self.of_file(session, path),
            None if self.foreign.is_given() => Err(errors::only_params().into()),
            None => self.of_run(session),
        }
    }

    /// As a run has it, with the run's numbers for its static parameters (`--set H=512`).
    fn of_run(&self, session: &mut Session) -> Result<Found, Failure> {
        let opened = Opened::new(session, &self.file, self.model.as_deref(), &[])?;
        let folder = RunDir::find(&opened.name, self.run.as_deref(), &session.limits)?;
        let checkpoint = folder.read_best()?;
        let about = &checkpoint.record.about;
        // Of another model, or of one that has changed, nothing is taken: `close` says so.
        let known = |name: &String| opened.model.statics.iter().any(|(known, _)| **known == **name);
        let own = about.model == opened.name && about.statics.keys().all(known);
        if !own {
            return Ok(Found { opened, from: folder.path, checkpoint });
        }
        let sets: Vec<String> = about.statics.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let opened = Opened::new(session, &self.file, Some(&opened.name), &sets)?;
        Ok(Found { opened, from: folder.path, checkpoint })
    }

    /// With the parameters of a file. What a run knows beside them, such as how symbols are written, the model's data say.
    fn of_file(&self, session: &mut Session, path: &Path) -> Result<Found, Failure> {
        let opened = Opened::new(session, &self.file, self.model.as_deref(), &self.settings)?;
        if let Some(key) = opened.settings.train.keys().next() {
            return Err(errors::setting_not_here(&format!("train.{key}")).into());
        }
        let loaded = opened.load(&[])?;
        let dims = opened.fit(&loaded.data)?.dims;
        let dims = dims.iter().map(|(n, v)| (n.to_string(), *v as f64)).collect();
        let closed = opened.close(session, &dims)?;
        let arranged = closed.arrange(session, &self.foreign.names()?)?;
        let file = path.display().to_string();
        let arrays = foreign::open(session, path)?.arrays;
        let arrays = self.foreign.import(&Finder { file: &file, arrays: &arrays }, &arranged)?;
        let about = About {
            model: opened.name.clone(),
            statics: closed.values.clone(),
            program: closed.hash.clone(),
            data: loaded.hash,
            vocabulary: loaded.data.vocabulary(),
            settings: BTreeMap::new(),
        };
        let checkpoint = Checkpoint::new(arrays, about, Progress::default());
        Ok(Found { opened, from: path.to_path_buf(), checkpoint })
    }
}

impl Found {
    /// The model as it was trained: static parameters and vocabulary sizes are the checkpoint's.
    pub fn close(&self, session: &mut Session) -> Result<Closed<'_>, Failure> {
        let (opened, about) = (&self.opened, &self.checkpoint.record.about);
        if about.model != opened.name {
            let shown = self.from.display().to_string();
            return Err(errors::other_model(&shown, &about.model, &opened.name).into());
        }
        let closed = opened.close(session, &about.statics)?;
        if closed.hash != about.program {
            return Err(train_errors::other_program(&about.difference(&opened.name, &closed.values)).into());
        }
        Ok(closed)
    }

    /// Gives a workspace the parameters.
    pub fn give(&self, workspace: &mut Workspace) -> Fallible<()> {
        give(workspace, &self.from, &self.checkpoint)
    }
}

/// Gives a workspace the parameters of a checkpoint.
pub fn give(workspace: &mut Workspace, from: &Path, checkpoint: &Checkpoint) -> Fallible<()> {
    let file = from.display().to_string();
    let finder = Finder { file: &file, arrays: &checkpoint.arrays };
    let exe = workspace.executable().clone();
    let mut misfits = Vec::new();
    for input in exe.program().inputs.iter().filter(|i| matches!(i.kind, InputKind::Param(_))) {
        match finder.required(&input.name, &input.shape) {
            Ok(array) => workspace.set_input(&input.name, &array.to_f32())?,
            Err(e) => misfits.push(e),
        }
    }
    match finder.refusal(&misfits) {
        None => Ok(()),
        Some(refusal) => Err(vec![refusal]),
    }
}
