//! What lies beside a file with tests: its snapshots, and arrays of other libraries.
//!
//! Invariant: arrays lie, links followed, in the file's folder (or the one of `--root`) or below it.

use crate::cli::files;
use crate::cli::loader::folder_of;
use crate::cli::session::Session;
use crate::diag::Diagnostic;
use crate::limits::Limits;
use crate::resolve::Library;
use crate::source::FileId;
use crate::testing::snapshots::Stored;
use crate::testing::{self, Beside};
use crate::weights::{Arrays, errors, npz};
use std::path::{Path, PathBuf};

/// The ending of a file of snapshots.
const ENDING: &str = "snap";

/// Whether a program that nobody watches has started this one.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false" && v != "0")
}

/// A file, and where what belongs to it lies.
pub struct Place {
    file: PathBuf,
    /// What it reads lies here or below.
    root: PathBuf,
    limits: Limits,
}

impl Place {
    pub fn new(session: &Session, file: &Path) -> Place {
        let root = session.root.clone().unwrap_or_else(|| folder_of(file).to_path_buf());
        Place { file: file.to_path_buf(), root, limits: session.limits }
    }

    pub fn snapshots(&self) -> PathBuf {
        self.file.with_extension(ENDING)
    }

    pub fn read(&self, library: &Library, file: FileId) -> Result<Beside, Diagnostic> {
        let path = self.snapshots();
        let snapshots = match path.exists() {
            true => {
                let bytes = files::read(&path, self.limits.file)?;
                let text = String::from_utf8(bytes).map_err(|_| not_text(&path))?;
                Stored::parse(&text)
            }
            false => Stored::default(),
        };
        let wanted = testing::arrays_wanted(library, file);
        let arrays = wanted.into_iter().map(|name| (name.clone(), self.arrays(&name))).collect();
        Ok(Beside { snapshots, arrays })
    }

    /// The arrays of a file that a check names.
    fn arrays(&self, name: &str) -> Result<Arrays, Diagnostic> {
        let path = folder_of(&self.file).join(name);
        let inside = path.canonicalize().ok().zip(self.root.canonicalize().ok());
        if inside.is_some_and(|(path, root)| !path.starts_with(root)) {
            return Err(errors::unreadable(name, "it lies outside the folder of the file that names it"));
        }
        let bytes = files::read(&path, self.limits.file)?;
        npz::read_within(name, &bytes, self.limits.unpacked)
    }

    /// Writes the snapshots if they are others than before; a file of none is removed.
    pub fn write(&self, before: &Stored, now: &Stored) -> Result<(), Diagnostic> {
        let path = self.snapshots();
        if before == now {
            return Ok(());
        }
        if now.is_empty() {
            return files::remove(&path);
        }
        let name = self.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        files::replace(&path, now.print(&name).as_bytes(), |f| f)
    }
}

fn not_text(path: &Path) -> Diagnostic {
    errors::unreadable(&path.display().to_string(), "it is no text in UTF-8")
}
