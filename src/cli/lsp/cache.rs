//! Files that an editor is led to: the standard library's, what a code means, a derived gradient.
//!
//! Editors show files, and what the binary holds is none; so it is written, when it is first needed, into a folder of the user's
//! cache that is named after its content. Without such a folder there is nothing to show, and everything else works.

use crate::cli::files;
use crate::diag::codes;
use crate::stdlib;
use std::path::{Path, PathBuf};

pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    pub fn new() -> Cache {
        Cache { folder: cache_home().map(|home| home.join("rnnc").join(stamp())) }
    }

    /// The folder of the copies of the standard library, with its last slash; empty if there is none.
    pub fn copies(&self) -> String {
        let folder = self.folder.as_ref().map(|f| format!("{}/stdlib/", f.display()));
        folder.unwrap_or_default().replace('\\', "/")
    }

    /// A file of the standard library, `<stdlib>/NAME`.
    pub fn copy(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix("<stdlib>/")?;
        let (_, text) = stdlib::FILES.iter().find(|(known, _)| *known == path)?;
        self.file("stdlib", name, text, true)
    }

    /// What a code means.
    pub fn page(&self, code: &str) -> Option<String> {
        let entry = codes::table().find(|e| e.code == code)?;
        let text = format!("# {}: {}\n\n{}\n", entry.code, entry.title, entry.text.trim_end());
        self.file("errors", &format!("{code}.md"), &text, true)
    }

    /// A derived gradient.
    pub fn gradient(&self, name: &str, text: &str) -> Option<String> {
        let safe: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).take(80).collect();
        self.file("gradients", &format!("{safe}.rnn"), text, false)
    }

    /// Writes a file unless it is there.
    fn file(&self, folder: &str, name: &str, text: &str, fixed: bool) -> Option<String> {
        let folder = self.folder.as_ref()?.join(folder);
        let path = folder.join(name);
        let is_there = std::fs::read(&path).is_ok_and(|old| old == text.as_bytes());
        if !is_there {
            std::fs::create_dir_all(&folder).ok()?;
            files::replace(&path, text.as_bytes(), |f| f).ok()?;
            if fixed {
                read_only(&path);
            }
        }
        Some(path.display().to_string().replace('\\', "/"))
    }
}

/// What is written there depends on this program alone.
fn stamp() -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
    for (path, text) in stdlib::FILES {
        hasher.update(path.as_bytes());
        hasher.update(text.as_bytes());
    }
    for entry in codes::table() {
        hasher.update(entry.text.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// So that an editor shows it as what cannot be changed. If that fails it is still right.
fn read_only(path: &Path) {
    if let Ok(mut permissions) = path.metadata().map(|m| m.permissions()) {
        permissions.set_readonly(true);
        let _ = std::fs::set_permissions(path, permissions);
    }
}

/// The user's folder for what can be made again.
fn cache_home() -> Option<PathBuf> {
    let variable = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    if let Some(home) = variable("XDG_CACHE_HOME") {
        return Some(home);
    }
    if cfg!(windows) {
        return variable("LOCALAPPDATA");
    }
    let home = variable("HOME")?;
    Some(home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }))
}
