//! The texts that are being edited, and how they lie over those on disk.
//!
//! Invariant: a document's text is what its editor shows; a file that is not open is what the other loader says.

use super::lines::{Encoding, Lines, Place};
use crate::source::Loader;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One file that an editor holds.
#[derive(Clone, Debug)]
pub struct Document {
    pub text: Arc<str>,
    pub version: i32,
}

/// All files that are open, by path.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    open: BTreeMap<String, Document>,
}

/// One change of a text; without a range it is the whole text that is new.
#[derive(Clone, Debug)]
pub struct Change {
    pub range: Option<(Place, Place)>,
    pub text: String,
}

impl Documents {
    pub fn open(&mut self, path: String, version: i32, text: String) {
        self.open.insert(path, Document { text: text.into(), version });
    }

    pub fn close(&mut self, path: &str) {
        self.open.remove(path);
    }

    pub fn get(&self, path: &str) -> Option<&Document> {
        self.open.get(path)
    }

    pub fn paths(&self) -> impl Iterator<Item = &String> {
        self.open.keys()
    }

    /// Applies changes one after the other; whether the file is open.
    pub fn change(&mut self, path: &str, version: i32, changes: &[Change], encoding: Encoding) -> bool {
        let Some(document) = self.open.get_mut(path) else { return false };
        let mut text = document.text.to_string();
        for change in changes {
            match change.range {
                None => text = change.text.clone(),
                Some((from, to)) => {
                    let lines = Lines::new(&text);
                    let at = |place| lines.offset(&text, place, encoding);
                    let (a, b) = (at(from), at(to));
                    text.replace_range(a.min(b)..a.max(b), &change.text);
                }
            }
        }
        *document = Document { text: text.into(), version };
        true
    }
}

/// Open documents over the file system.
pub struct Overlay<'a> {
    pub documents: &'a Documents,
    pub disk: &'a dyn Loader,
}

impl Loader for Overlay<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        match self.documents.get(path) {
            Some(document) => Ok(document.text.to_string()),
            None => self.disk.load(path),
        }
    }

    fn is_inside(&self, path: &str, root: &str) -> bool {
        self.disk.is_inside(path, root)
    }
}
