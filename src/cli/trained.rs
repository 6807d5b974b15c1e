//! Tying a trained model's parameters to its program.

use super::errors;
use super::open::{Closed, Opened};
use super::rundir::RunDir;
use super::session::{Failure, Session};
use crate::diag::Fallible;
use crate::loops::InputKind;
use crate::runtime::Workspace;
use crate::train::checkpoint::{About, Checkpoint};
use crate::train::errors as train_errors;
use crate::weights::Finder;
use std::path::Path;

/// The model of a file as a run has it, with the run's numbers for its static parameters (`--set H=512`), and the run.
pub fn open(
    session: &mut Session,
    file: &Path,
    model: Option<&str>,
    run: Option<&Path>,
) -> Result<(Opened, RunDir, Checkpoint), Failure> {
    let opened = Opened::new(session, file, model, &[])?;
    let folder = RunDir::find(&opened.name, run, &session.limits)?;
    let checkpoint = folder.read_best()?;
    let about = &checkpoint.record.about;
    // Of another model, or of one that has changed, nothing is taken: `close` says so.
    let known = |name: &String| opened.model.statics.iter().any(|(known, _)| **known == **name);
    let own = about.model == opened.name && about.statics.keys().all(known);
    if !own {
        return Ok((opened, folder, checkpoint));
    }
    let sets: Vec<String> = about.statics.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let opened = Opened::new(session, file, Some(&opened.name), &sets)?;
    Ok((opened, folder, checkpoint))
}

/// The model as it was trained: static parameters and vocabulary sizes are the checkpoint's.
pub fn close<'a>(
    session: &mut Session,
    opened: &'a Opened,
    folder: &RunDir,
    about: &About,
) -> Result<Closed<'a>, Failure> {
    if about.model != opened.name {
        let shown = folder.path.display().to_string();
        return Err(errors::other_model(&shown, &about.model, &opened.name).into());
    }
    let closed = opened.close(session, &about.statics)?;
    if closed.hash != about.program {
        return Err(train_errors::other_program(&about.difference(&opened.name, &closed.values)).into());
    }
    Ok(closed)
}

/// Gives a workspace the parameters of a checkpoint.
pub fn give(workspace: &mut Workspace, folder: &RunDir, checkpoint: &Checkpoint) -> Fallible<()> {
    let file = folder.path.display().to_string();
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
