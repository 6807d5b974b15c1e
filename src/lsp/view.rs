//! One file as an editor sees it: with what it imports, and what is asked of it again and again.
//!
//! In: a loader and a path. Out: a [`View`]. Whatever is found out about its text is found once, when it is first asked for.
//! Invariant: a view is of one state of all its texts; when one changes, there is a new view.

use super::index::Index;
use super::scope::{self, Members};
use crate::diag::Diagnostic;
use crate::eqn::build::{Survey, survey};
use crate::limits::Limits;
use crate::pipeline;
use crate::resolve::{Base, ItemId, Library, Origin, load_over, normal};
use crate::source::{FileId, Loader, Sources};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub struct View {
    pub sources: Sources,
    pub library: Library,
    /// The file it is a view of.
    pub root: FileId,
    /// What reading it and what it imports has to say.
    pub loaded: Vec<Diagnostic>,
    indexes: Vec<OnceLock<Index>>,
    members: Mutex<BTreeMap<ItemId, Arc<Members>>>,
    surveys: Mutex<BTreeMap<ItemId, Arc<Survey>>>,
}

/// A hover must not cost what a check may.
const SURVEY_SHARE: u64 = 8;

impl View {
    /// `None` if the file cannot be read.
    pub fn load(base: &Base, loader: &dyn Loader, path: &str, limits: &Limits) -> Option<View> {
        let mut sources = base.sources().clone();
        let path = normal(path);
        let (library, loaded) = load_over(base, &mut sources, loader, std::slice::from_ref(&path), limits);
        let root = library.roots().next()?.file;
        let indexes = sources.iter().map(|_| OnceLock::new()).collect();
        Some(View {
            sources,
            library,
            root,
            loaded,
            indexes,
            members: Mutex::default(),
            surveys: Mutex::default(),
        })
    }

    pub fn text(&self, file: FileId) -> &str {
        &self.sources.get(file).text
    }

    pub fn path(&self, file: FileId) -> &str {
        &self.sources.get(file).path
    }

    pub fn is_stdlib(&self, file: FileId) -> bool {
        self.library.file(file).is_none_or(|f| f.origin == Origin::Stdlib)
    }

    /// Paths of the files that were read for it, without the stdlib's.
    pub fn own_paths(&self) -> impl Iterator<Item = &str> {
        self.library.files().iter().filter(|f| f.origin != Origin::Stdlib).map(|f| f.path.as_str())
    }

    /// The names of one of its files.
    pub fn index_of(&self, file: FileId) -> &Index {
        static NONE: OnceLock<Index> = OnceLock::new();
        match self.indexes.get(file.0 as usize) {
            Some(index) => index.get_or_init(|| Index::of(self, file)),
            None => NONE.get_or_init(Index::default),
        }
    }

    pub fn members(&self, id: ItemId) -> Arc<Members> {
        let known = self.members.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        known.unwrap_or_else(|| {
            let made = Arc::new(scope::members(self, id));
            self.members.lock().unwrap_or_else(PoisonError::into_inner).insert(id, made.clone());
            made
        })
    }

    /// Shapes and types of an item's names and expressions.
    pub fn survey(&self, id: ItemId) -> Arc<Survey> {
        let known = self.surveys.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        known.unwrap_or_else(|| {
            let made = Arc::new(survey(&self.library, id, self.library.limits().work / SURVEY_SHARE));
            self.surveys.lock().unwrap_or_else(PoisonError::into_inner).insert(id, made.clone());
            made
        })
    }

    /// The item of its own file that a place lies in.
    pub fn item_at(&self, offset: u32) -> Option<ItemId> {
        scope::item_at(&self.library, self.root, offset)
    }

    /// All that is to be said of its file.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let mut all = self.loaded.clone();
        all.extend(pipeline::mistakes(&self.library, self.root));
        all
    }
}
