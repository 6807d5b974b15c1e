//! Program text from the file system.
//!
//! Invariant: what a file imports lies, symbolic links followed, in the folder of the file named on the command line or
//! below, or in the folder that `--root` names or below.

use crate::files;
use crate::source::Loader;
use std::path::{Path, PathBuf};

pub struct FileLoader {
    /// The folders of the roots, or the one of `--root`, without symbolic links.
    folders: Vec<PathBuf>,
    roots: Vec<PathBuf>,
    /// Whether one folder holds for all roots.
    is_given: bool,
    /// One byte more than the parser accepts, so that it is the parser that says so.
    most: u64,
}

impl FileLoader {
    /// `most`: bytes of a file.
    pub fn new(roots: &[String], folder: Option<&Path>, most: usize) -> FileLoader {
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        let folders = match folder {
            Some(folder) => folder.canonicalize().into_iter().collect(),
            None => roots.iter().filter_map(|r| folder_of(r).canonicalize().ok()).collect(),
        };
        FileLoader { folders, roots, is_given: folder.is_some(), most: (most as u64).saturating_add(1) }
    }
}

/// Where a path leads, links followed; of one that leads nowhere, where what there is of it leads, and the rest as it is.
fn real(path: &Path) -> Option<PathBuf> {
    let there = path.ancestors().find_map(|p| {
        let there = if p.as_os_str().is_empty() { Path::new(".") } else { p };
        Some((p, there.canonicalize().ok()?))
    });
    let (prefix, real) = there?;
    Some(real.join(path.strip_prefix(prefix).ok()?))
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
                f.take(self.most).read_to_end(&mut bytes)?;
                Ok(bytes)
            })
            .map_err(|e| files::reason(&e))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            // A character may have been cut at the limit; the parser refuses the length.
            Err(e) if e.as_bytes().len() as u64 == self.most && e.utf8_error().error_len().is_none() => {
                Ok(String::from_utf8_lossy(e.as_bytes()).into_owned())
            }
            Err(e) => Err(format!("it is no UTF-8 text (byte {})", e.utf8_error().valid_up_to() + 1)),
        }
    }

    fn is_inside(&self, path: &str, root: &str) -> bool {
        let real = real(Path::new(path));
        let within = |folder: &Path| real.as_ref().is_some_and(|real| real.starts_with(folder));
        match self.is_given {
            true => self.folders.iter().any(|folder| within(folder)),
            false => {
                let root = Path::new(if root.is_empty() { "." } else { root });
                root.canonicalize().is_ok_and(|root| within(&root))
            }
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
        let loader = FileLoader::new(std::slice::from_ref(&root), None, 100);
        let at = |path: &str| loader.load(&inner.join(path).display().to_string());
        assert_eq!(loader.load(&root).unwrap(), "r");
        assert_eq!(at("deep/a.rnn").unwrap(), "a");
        assert!(at("../outside.rnn").unwrap_err().contains("outside the folder"));
        assert!(at("no.rnn").unwrap_err().contains("no such file"));
        let folder = inner.display().to_string();
        let inside = |loader: &FileLoader, path: &str| {
            loader.is_inside(&inner.join(path).display().to_string(), &folder)
        };
        let found =
            ["deep/a.rnn", "no.rnn", "no/no.rnn", "../outside.rnn", "../no.rnn"].map(|p| inside(&loader, p));
        assert_eq!(found, [true, true, true, false, false]);
        // A wider folder.
        let loader = FileLoader::new(std::slice::from_ref(&root), Some(top.path()), 100);
        let found = ["deep/a.rnn", "../outside.rnn", "../no.rnn", "../../no.rnn"].map(|p| inside(&loader, p));
        assert_eq!(found, [true, true, true, false]);
        assert_eq!(loader.load(&inner.join("../outside.rnn").display().to_string()).unwrap(), "o");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_out_no_more_than_a_path() {
        let top = tempfile::tempdir().unwrap();
        let inner = top.path().join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(top.path().join("outside.rnn"), "o").unwrap();
        std::fs::write(inner.join("root.rnn"), "r").unwrap();
        std::os::unix::fs::symlink(top.path().join("outside.rnn"), inner.join("link.rnn")).unwrap();
        std::os::unix::fs::symlink(top.path(), inner.join("up")).unwrap();
        std::os::unix::fs::symlink("root.rnn", inner.join("same.rnn")).unwrap();
        let root = inner.join("root.rnn").display().to_string();
        let loader = FileLoader::new(&[root], None, 100);
        let inside =
            |p: &str| loader.is_inside(&inner.join(p).display().to_string(), &inner.display().to_string());
        assert_eq!(
            ["link.rnn", "up/outside.rnn", "up/no.rnn", "same.rnn"].map(inside),
            [false, false, false, true]
        );
        assert!(loader.load(&inner.join("link.rnn").display().to_string()).is_err());
    }
}
