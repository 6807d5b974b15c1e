//! The folder of a training run.
//!
//! `checkpoint.safetensors` (all that is needed to go on), `best.safetensors` (the parameters to use: those with the
//! best validation loss, or without a validation part those of the last whole epoch),
//! `run.json` (for reading), `loss.svg`. Every file is replaced whole.

use super::{errors, files};
use crate::diag::Diagnostic;
use crate::train::checkpoint::Checkpoint;
use crate::weights::MAX_BYTES;
use std::path::{Path, PathBuf};

pub const CHECKPOINT: &str = "checkpoint.safetensors";
pub const BEST: &str = "best.safetensors";
pub const RECORD: &str = "run.json";
pub const PICTURE: &str = "loss.svg";

pub struct RunDir {
    pub path: PathBuf,
}

impl RunDir {
    /// The folder for a new run: `out`, or the next free `runs/NAME-1`, `runs/NAME-2`, ….
    pub fn create(name: &str, out: Option<&Path>) -> Result<RunDir, Diagnostic> {
        let failed = |path: &Path, e: std::io::Error| {
            crate::weights::errors::unwritable(&path.display().to_string(), &files::reason(&e))
        };
        if let Some(path) = out {
            if path.join(CHECKPOINT).exists() {
                return Err(errors::run_exists(&path.display().to_string()));
            }
            std::fs::create_dir_all(path).map_err(|e| failed(path, e))?;
            return Ok(RunDir { path: path.to_path_buf() });
        }
        let folder = Path::new("runs");
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        let mut number = numbers(name).last().map_or(1, |n| n.saturating_add(1));
        loop {
            let path = folder.join(format!("{}-{number}", name.to_lowercase()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(RunDir { path }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(failed(&path, e)),
            }
        }
    }

    /// An existing run: the folder given, or the latest of `runs/NAME-…`.
    pub fn find(name: &str, given: Option<&Path>) -> Result<RunDir, Diagnostic> {
        let path = match given {
            Some(path) => path.to_path_buf(),
            None => match numbers(name).last() {
                Some(n) => Path::new("runs").join(format!("{}-{n}", name.to_lowercase())),
                None => return Err(errors::no_run(name)),
            },
        };
        if path.is_dir() {
            Ok(RunDir { path })
        } else {
            Err(errors::no_run_folder(&path.display().to_string()))
        }
    }

    /// Refuses a folder that takes no files before there is anything to lose.
    pub fn writable(&self) -> Result<(), Diagnostic> {
        files::probe(&self.path)
    }

    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
        files::replace(&self.path.join(file), bytes, |f| f)
    }

    pub fn read(&self, file: &str) -> Result<Checkpoint, Diagnostic> {
        let path = self.path.join(file);
        Checkpoint::from_bytes(&path.display().to_string(), &files::read(&path, MAX_BYTES)?)
    }

    /// The parameters to use, or those of the checkpoint if there are none yet.
    pub fn read_best(&self) -> Result<Checkpoint, Diagnostic> {
        if self.path.join(BEST).exists() { self.read(BEST) } else { self.read(CHECKPOINT) }
    }
}

/// Numbers of the runs of a model, in order.
fn numbers(name: &str) -> Vec<u64> {
    let start = format!("{}-", name.to_lowercase());
    let entries = std::fs::read_dir("runs").into_iter().flatten().flatten();
    let number = |e: std::fs::DirEntry| e.file_name().to_str()?.strip_prefix(&start)?.parse().ok();
    let mut all: Vec<u64> = entries.filter_map(number).collect();
    all.sort_unstable();
    all
}
