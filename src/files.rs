//! Reading files up to a limit, and writing them whole: either the new content is there, or the old
//! one still is.
//!
//! A file is written beside its target, brought to the disk, and renamed over it. A full disk, a
//! folder without permission or a crash in between leave what was there before.

pub mod loader;

use crate::diag::Diagnostic;
use crate::weights::errors;
use std::io::{self, Read, Write};
use std::path::Path;

/// The bytes of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Diagnostic> {
    let name = path.display().to_string();
    let failed = |e: io::Error| errors::unreadable(&name, &reason(&e));
    let file = std::fs::File::open(path).map_err(failed)?;
    // What a file says of its size may be wrong, and of a pipe there is none.
    let said = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
    if said.is_some_and(|n| n > limit) {
        return Err(errors::file_too_large(&name, said, limit));
    }
    // As many as there are at once: a vector that grows takes up to twice as much.
    let size = usize::try_from(said.unwrap_or(0)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(size.saturating_add(1));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(errors::file_too_large(&name, None, limit));
    }
    Ok(bytes)
}

/// Replaces the file at `path`. `wrap` may stand between the bytes and the disk; tests use it to fail.
pub fn replace<W: Write>(
    path: &Path,
    bytes: &[u8],
    wrap: impl FnOnce(std::fs::File) -> W,
) -> Result<(), Diagnostic> {
    replace_io(path, bytes, wrap).map_err(|e| errors::unwritable(&path.display().to_string(), &reason(&e)))
}

/// A folder and those it lies in, as far as they are missing.
pub fn make_folder(path: &Path) -> Result<(), Diagnostic> {
    std::fs::create_dir_all(path).map_err(|e| errors::unwritable(&path.display().to_string(), &reason(&e)))
}

/// A folder that is gone if it is not published.
pub fn temporary_folder(parent: &Path) -> Result<tempfile::TempDir, Diagnostic> {
    let made = tempfile::Builder::new().prefix(".rnnc-").suffix(".part").tempdir_in(parent);
    made.map_err(|e| errors::unwritable(&parent.display().to_string(), &reason(&e)))
}

/// Gives a folder that is finished its name; nothing may be there but an empty folder.
pub fn publish_folder(made: tempfile::TempDir, path: &Path) -> Result<(), Diagnostic> {
    let failed = |e: io::Error| errors::unwritable(&path.display().to_string(), &reason(&e));
    open_to_others(made.path()).map_err(failed)?;
    if path.is_dir() {
        std::fs::remove_dir(path).map_err(failed)?;
    }
    std::fs::rename(made.path(), path).map_err(failed)?;
    sync_folder(folder_of(path)).map_err(failed)
}

/// As [`readable_by_others`], of a folder.
#[cfg(unix)]
fn open_to_others(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes a file.
pub fn remove(path: &Path) -> Result<(), Diagnostic> {
    std::fs::remove_file(path).map_err(|e| errors::unwritable(&path.display().to_string(), &reason(&e)))
}

/// Gives a file another name in the same folder; what had that name is gone.
pub fn rename(from: &Path, to: &Path) -> Result<(), Diagnostic> {
    std::fs::rename(from, to).map_err(|e| errors::unwritable(&to.display().to_string(), &reason(&e)))
}

/// Gives a file a second name in the same folder; what had that name is gone. Without links it is copied.
pub fn another_name(file: &Path, name: &Path) -> Result<(), Diagnostic> {
    let linked = tempfile::Builder::new().prefix(".rnnc-").suffix(".part").make_in(folder_of(name), |at| {
        std::fs::hard_link(file, at).or_else(|_| std::fs::copy(file, at).map(drop))
    });
    let named = linked.and_then(|link| link.persist(name).map_err(|e| e.error));
    named.map(drop).map_err(|e| errors::unwritable(&name.display().to_string(), &reason(&e)))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether a file can be written into a folder. None is left there.
pub fn probe(folder: &Path) -> Result<(), Diagnostic> {
    let tried = temporary(folder).and_then(tempfile::NamedTempFile::close);
    tried.map_err(|e| errors::unwritable(&folder.display().to_string(), &reason(&e)))
}

fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".rnnc-").suffix(".part").tempfile_in(folder)
}

fn replace_io<W: Write>(path: &Path, bytes: &[u8], wrap: impl FnOnce(std::fs::File) -> W) -> io::Result<()> {
    // A device or pipe has nothing that could be lost, and cannot be renamed over.
    if path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let mut out = wrap(std::fs::OpenOptions::new().write(true).open(path)?);
        out.write_all(bytes)?;
        return out.flush();
    }
    let folder = folder_of(path);
    let temporary = temporary(folder)?;
    let mut out = wrap(temporary.as_file().try_clone()?);
    out.write_all(bytes)?;
    out.flush()?;
    drop(out);
    temporary.as_file().sync_all()?;
    give_permissions(temporary.as_file(), path)?;
    temporary.persist(path).map_err(|e| e.error)?;
    sync_folder(folder)
}

/// Temporary files are private to their owner; a finished one is a file like any other, or like the one it replaces.
#[cfg(unix)]
fn give_permissions(file: &std::fs::File, replaced: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let old = replaced.metadata().ok().filter(std::fs::Metadata::is_file);
    file.set_permissions(old.map_or(std::fs::Permissions::from_mode(0o644), |m| m.permissions()))
}

#[cfg(not(unix))]
fn give_permissions(_file: &std::fs::File, _replaced: &Path) -> io::Result<()> {
    Ok(())
}

/// A rename is on the disk once its folder is.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// The reason in plain words where the system's are terse.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "no space left on the disk".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        io::ErrorKind::NotADirectory => "a part of its path is no folder".into(),
        io::ErrorKind::AlreadyExists => "there is a file of that name".into(),
        io::ErrorKind::ReadOnlyFilesystem => "its file system is read-only".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for `left` bytes.
    struct Full {
        file: std::fs::File,
        left: usize,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let n = self.file.write(&bytes[..bytes.len().min(self.left)])?;
            self.left -= n;
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        replace(&path, b"the old content", |f| f).unwrap();
        for left in [0, 1, 7] {
            let d = replace(&path, b"the new content", |file| Full { file, left }).unwrap_err();
            assert_eq!(d.code, "E0726");
            assert!(d.message.contains("no space left"), "{}", d.message);
            assert_eq!(std::fs::read(&path).unwrap(), b"the old content");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        replace(&path, b"the new content", |f| f).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"the new content");
    }

    #[test]
    fn a_missing_folder_is_a_diagnostic() {
        let folder = tempfile::tempdir().unwrap();
        let d = replace(&folder.path().join("no/such/x"), b"x", |f| f).unwrap_err();
        assert_eq!(d.code, "E0726");
    }

    #[test]
    fn a_full_device_is_a_diagnostic() {
        if Path::new("/dev/full").exists() {
            assert_eq!(replace(Path::new("/dev/full"), b"x", |f| f).unwrap_err().code, "E0726");
        }
    }
}
