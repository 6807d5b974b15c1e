//! The folder of a training run.
//!
//! `checkpoint.safetensors` (all that is needed to go on), `checkpoint-1.safetensors` and so on (those before it), `best.safetensors` (the parameters to use: those with the
//! best validation loss, or without a validation part those of the last whole epoch),
//! `run.json` (for reading), `watch.json` (what a clock has to do with), `loss.svg`, `report.html`. Every file is replaced whole.

use super::{errors, files};
use crate::diag::{Diagnostic, Severity};
use crate::limits::Limits;
use crate::train::checkpoint::Checkpoint;
use std::path::{Path, PathBuf};

pub const CHECKPOINT: &str = "checkpoint.safetensors";
pub const BEST: &str = "best.safetensors";
pub const RECORD: &str = "run.json";
pub const PICTURE: &str = "loss.svg";
pub const REPORT: &str = "report.html";

pub struct RunDir {
    pub path: PathBuf,
    /// Bytes of one of its files.
    most: u64,
}

impl RunDir {
    /// The folder for a new run: `out`, or the next free `runs/NAME-1`, `runs/NAME-2`, ….
    pub fn create(name: &str, out: Option<&Path>, limits: &Limits) -> Result<RunDir, Diagnostic> {
        let failed = |path: &Path, e: std::io::Error| {
            crate::weights::errors::unwritable(&path.display().to_string(), &files::reason(&e))
        };
        if let Some(path) = out {
            if path.join(CHECKPOINT).exists() {
                return Err(errors::run_exists(&path.display().to_string()));
            }
            std::fs::create_dir_all(path).map_err(|e| failed(path, e))?;
            return Ok(RunDir { path: path.to_path_buf(), most: limits.file });
        }
        let folder = Path::new("runs");
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        let mut number = numbers(name).last().map_or(1, |n| n.saturating_add(1));
        loop {
            let path = folder.join(format!("{}-{number}", name.to_lowercase()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(RunDir { path, most: limits.file }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(failed(&path, e)),
            }
        }
    }

    /// An existing run: the folder given, or the latest of `runs/NAME-…`.
    pub fn find(name: &str, given: Option<&Path>, limits: &Limits) -> Result<RunDir, Diagnostic> {
        let path = match given {
            Some(path) => path.to_path_buf(),
            None => match numbers(name).last() {
                Some(n) => Path::new("runs").join(format!("{}-{n}", name.to_lowercase())),
                None => return Err(errors::no_run(name)),
            },
        };
        if path.is_dir() {
            Ok(RunDir { path, most: limits.file })
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

    /// Writes a checkpoint, and keeps `before` of those that were the newest before it. At every instant there is one.
    pub fn keep(&self, bytes: &[u8], before: u32) -> Result<(), Diagnostic> {
        for n in (1..before).rev().filter(|n| self.path.join(older(*n)).exists()) {
            files::rename(&self.path.join(older(n)), &self.path.join(older(n + 1)))?;
        }
        let newest = self.path.join(CHECKPOINT);
        if before > 0 && newest.exists() {
            files::another_name(&newest, &self.path.join(older(1)))?;
        }
        self.write(CHECKPOINT, bytes)
    }

    /// The newest checkpoint that is whole, its path, and warnings of newer ones that are not.
    pub fn newest(&self) -> Result<(PathBuf, Checkpoint, Vec<Diagnostic>), Diagnostic> {
        let mut damaged = Vec::new();
        let names = [CHECKPOINT.to_string()].into_iter().chain(self.numbers().into_iter().map(older));
        for name in names {
            match self.read(&name) {
                Ok(checkpoint) => {
                    let warning = |d: Diagnostic| Diagnostic { severity: Severity::Warning, ..d };
                    let help = format!("`{name}`, which was written before, is used in its place");
                    let damaged = damaged.into_iter().map(|d| warning(d).help(help.clone())).collect();
                    return Ok((self.path.join(name), checkpoint, damaged));
                }
                Err(e) => damaged.push(e),
            }
        }
        Err(damaged.swap_remove(0))
    }

    /// Numbers of the checkpoints before the newest.
    fn numbers(&self) -> Vec<u32> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let number = |e: std::fs::DirEntry| {
            let name = e.file_name();
            let number = name.to_str()?.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?;
            number.parse().ok().filter(|n| older(*n) == name.to_string_lossy())
        };
        let mut all: Vec<u32> = entries.filter_map(number).collect();
        all.sort_unstable();
        all
    }

    pub fn read(&self, file: &str) -> Result<Checkpoint, Diagnostic> {
        Checkpoint::from_bytes(&self.path.join(file).display().to_string(), &self.bytes(file)?)
    }

    /// The content of one of its files.
    pub fn bytes(&self, file: &str) -> Result<Vec<u8>, Diagnostic> {
        files::read(&self.path.join(file), self.most)
    }

    /// The parameters to use, or those of the newest checkpoint if there are none yet.
    pub fn read_best(&self) -> Result<Checkpoint, Diagnostic> {
        if self.path.join(BEST).exists() { self.read(BEST) } else { Ok(self.newest()?.1) }
    }
}

/// A checkpoint that was the newest so many checkpoints ago.
fn older(n: u32) -> String {
    format!("checkpoint-{n}.safetensors")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::checkpoint::{About, Progress};
    use crate::weights::{Array, Arrays};

    fn bytes(steps: u64) -> Vec<u8> {
        let arrays = Arrays::from([("W".to_string(), Array::f32(vec![1], vec![steps as f32]))]);
        let progress = Progress { steps, ..Progress::default() };
        Checkpoint::new(arrays, About::default(), progress).to_bytes().unwrap()
    }

    fn steps(folder: &RunDir) -> u64 {
        folder.newest().unwrap().1.record.progress.steps
    }

    #[test]
    fn the_last_ones_are_kept_and_the_newest_whole_one_is_found() {
        let place = tempfile::tempdir().unwrap();
        let folder = RunDir { path: place.path().to_path_buf(), most: Limits::DEFAULT.file };
        for step in 0..5 {
            folder.keep(&bytes(step), 2).unwrap();
            assert_eq!(steps(&folder), step);
        }
        let named = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = std::fs::read_dir(place.path()).unwrap().map(named).collect();
        names.sort();
        assert_eq!(names, [older(1), older(2), CHECKPOINT.to_string()]);
        for (file, older) in [(CHECKPOINT.to_string(), 3), (older(1), 2)] {
            let whole = std::fs::read(place.path().join(&file)).unwrap();
            std::fs::write(place.path().join(&file), &whole[..whole.len() - 1]).unwrap();
            assert_eq!(steps(&folder), older);
            let said = folder.newest().unwrap().2;
            assert!(said.iter().all(|d| d.severity == Severity::Warning && d.help.is_some()), "{said:?}");
        }
        std::fs::write(place.path().join(older(2)), "foreign").unwrap();
        let d = folder.newest().unwrap_err();
        assert!(d.message.contains(CHECKPOINT), "{}", d.message);
    }

    #[test]
    fn a_missing_newest_one_is_no_loss() {
        let place = tempfile::tempdir().unwrap();
        let folder = RunDir { path: place.path().to_path_buf(), most: Limits::DEFAULT.file };
        (0..2).for_each(|step| folder.keep(&bytes(step), 1).unwrap());
        std::fs::remove_file(place.path().join(CHECKPOINT)).unwrap();
        assert_eq!(steps(&folder), 0);
    }
}
