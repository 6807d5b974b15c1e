//! Program text from the file system.
//!
//! Invariant: what a file imports lies in the folder of a file named on the command line, or below.

use super::files;
use crate::source::Loader;
use std::path::{Path, PathBuf};

/// One byte more than the parser accepts, so that it is the parser that says so.
const MOST_BYTES: u64 = (1 << 20) + 1;

pub struct FileLoader {
    /// The folders of the roots, without symbolic links.
    folders: Vec<PathBuf>,
    roots: Vec<PathBuf>,
}

impl FileLoader {
    pub fn new(roots: &[String]) -> FileLoader {
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        let folders = roots.iter().filter_map(|r| folder_of(r).canonicalize().ok()).collect();
        FileLoader { folders, roots }
    }
}

/// The folder a file lies in.
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

impl Loader for FileLoader {
    fn load(&self, path: &str) -> Result<String, String> {
        let file = Path::new(path);
        let real = file.canonicalize().map_err(|e| files::reason(&e))?;
        let is_root = self.roots.iter().any(|r| r == file);
        if !is_root && !self.folders.iter().any(|f| real.starts_with(f)) {
            return Err("it lies outside the folder of the file that is compiled".into());
        }
        let bytes = std::fs::File::open(&real)
            .and_then(|f| {
                use std::io::Read;
                let mut bytes = Vec::new();
                f.take(MOST_BYTES).read_to_end(&mut bytes)?;
                Ok(bytes)
            })
            .map_err(|e| files::reason(&e))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            // A character may have been cut at the limit; the parser refuses the length.
            Err(e) if e.as_bytes().len() as u64 == MOST_BYTES && e.utf8_error().error_len().is_none() => {
                Ok(String::from_utf8_lossy(e.as_bytes()).into_owned())
            }
            Err(e) => Err(format!("it is no UTF-8 text (byte {})", e.utf8_error().valid_up_to() + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_stay_inside_the_folder_of_the_root() {
        let top = tempfile::tempdir().unwrap();
        let inner = top.path().join("inner");
        std::fs::create_dir_all(inner.join("deep")).unwrap();
        for (path, text) in [("inner/root.rnn", "r"), ("inner/deep/a.rnn", "a"), ("outside.rnn", "o")] {
            std::fs::write(top.path().join(path), text).unwrap();
        }
        let root = inner.join("root.rnn").display().to_string();
        let loader = FileLoader::new(std::slice::from_ref(&root));
        let at = |path: &str| loader.load(&inner.join(path).display().to_string());
        assert_eq!(loader.load(&root).unwrap(), "r");
        assert_eq!(at("deep/a.rnn").unwrap(), "a");
        assert!(at("../outside.rnn").unwrap_err().contains("outside the folder"));
        assert!(at("no.rnn").unwrap_err().contains("no such file"));
    }
}
