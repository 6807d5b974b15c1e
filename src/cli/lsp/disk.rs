//! Program text from the file system, as an editor's folders allow it.
//!
//! Invariant: a file imports what lies in the workspace folder it is in; one that is in none, what lies in its own folder.

use crate::cli::loader::FileLoader;
use crate::source::Loader;
use std::path::{Path, PathBuf};

#[derive(Clone, Default)]
pub struct Disk {
    /// Workspace folders, symbolic links followed.
    pub folders: Vec<PathBuf>,
    /// Bytes of a file.
    pub most: usize,
}

/// So many files of all folders are looked into for a name.
const MOST_FILES: usize = 1000;
/// So many entries of folders are looked at for that.
const MOST_ENTRIES: usize = 50_000;

impl Disk {
    fn folder_of(&self, root: &str) -> Option<&Path> {
        let root = Path::new(if root.is_empty() { "." } else { root }).canonicalize().ok()?;
        let around = self.folders.iter().filter(|f| root.starts_with(f));
        around.max_by_key(|f| f.as_os_str().len()).map(PathBuf::as_path)
    }

    /// The `.rnn` files of all folders, hidden ones and build output left out.
    pub fn files(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut seen = 0;
        let mut open: Vec<PathBuf> = self.folders.clone();
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                seen += 1;
                if seen > MOST_ENTRIES || out.len() >= MOST_FILES {
                    return out;
                }
                let name = entry.file_name();
                let name = name.to_string_lossy();
                // Links are not followed: they may lead round in a circle.
                let Ok(kind) = entry.file_type() else { continue };
                let skipped = name.starts_with('.') || matches!(&*name, "target" | "node_modules");
                if kind.is_dir() && !skipped {
                    open.push(entry.path());
                } else if kind.is_file() && name.ends_with(".rnn") {
                    out.push(entry.path().to_string_lossy().replace('\\', "/"));
                }
            }
        }
        out.sort();
        out
    }
}

impl Loader for Disk {
    fn load(&self, path: &str) -> Result<String, String> {
        // Opening a pipe would wait for its other end.
        if Path::new(path).metadata().is_ok_and(|m| !m.is_file()) {
            return Err("it is no file".into());
        }
        FileLoader::new(&[path.to_string()], None, self.most).load(path)
    }

    fn is_inside(&self, path: &str, root: &str) -> bool {
        FileLoader::new(&[], self.folder_of(root), self.most).is_inside(path, root)
    }
}
