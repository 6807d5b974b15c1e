//! The program files that paths of the command line mean.

use super::files;
use crate::diag::Diagnostic;
use crate::weights::errors;
use std::path::{Path, PathBuf};

/// Folders nest at most this deep.
const MAX_DEPTH: usize = 32;

/// Files as they are; of folders all `.rnn` files below them, in order. A folder without any is hardly the one that is
/// meant.
pub fn programs(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Diagnostic> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        collect(path, 0, &mut found)?;
        if found.len() == before {
            return Err(errors::unreadable(&path.display().to_string(), "there is no .rnn file in it"));
        }
    }
    Ok(found)
}

fn collect(path: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    if !path.is_dir() {
        into.push(path.to_path_buf());
        return Ok(());
    }
    let failed = |e: std::io::Error| errors::unreadable(&path.display().to_string(), &files::reason(&e));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            if depth < MAX_DEPTH {
                collect(&entry, depth + 1, into)?;
            }
        } else if entry.extension().is_some_and(|e| e == "rnn") {
            into.push(entry);
        }
    }
    Ok(())
}
