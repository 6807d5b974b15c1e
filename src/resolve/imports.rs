//! Loads files and what they `use`, and says which name means what in each.

use super::{Entry, Library, LibraryFile, Origin, Scope, errors, item_name};
use crate::diag::Diagnostic;
use crate::limits::Limits;
use crate::resolve::ItemId;
use crate::source::{Loader, Sources, Span};
use crate::stdlib;
use crate::syntax;
use crate::syntax::ast::{ItemKind, Name};
use std::collections::BTreeMap;
use std::sync::Arc;

/// At most so many `use`s lie between a root and a file: each of them is a call within a call.
const MAX_DEPTH: usize = 64;

/// Loads the stdlib, `roots` and everything they `use`. A root's items hide the stdlib's.
pub fn load(sources: &mut Sources, loader: &dyn Loader, roots: &[String]) -> (Library, Vec<Diagnostic>) {
    load_within(sources, loader, roots, &Limits::DEFAULT)
}

/// [`load`], with bounds for the files and for what is built of them.
pub fn load_within(
    sources: &mut Sources,
    loader: &dyn Loader,
    roots: &[String],
    limits: &Limits,
) -> (Library, Vec<Diagnostic>) {
    let base = Base::behind(std::mem::take(sources));
    *sources = base.sources.clone();
    load_over(&base, sources, loader, roots, limits)
}

/// The stdlib, for any number of libraries: an item is read once for all of them, by whoever asks first.
#[derive(Debug)]
pub struct Base {
    sources: Sources,
    files: Vec<LibraryFile>,
    items: Vec<Arc<Entry>>,
    stand_in: Option<ItemId>,
    /// The stdlib's names.
    scope: Arc<Scope>,
    texts: Sources,
}

impl Base {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Base {
        Base::behind(Sources::default())
    }

    /// Its files come behind those that are there.
    fn behind(sources: Sources) -> Base {
        let none = Arc::default();
        let mut base = Base {
            sources,
            files: Vec::new(),
            items: Vec::new(),
            stand_in: None,
            scope: none,
            texts: Sources::default(),
        };
        base.scope = Arc::new(base.stdlib());
        base.texts = base.sources.clone();
        for file in &mut base.files {
            file.scope = base.scope.clone();
        }
        base.stand_in();
        base
    }

    /// The texts that every library over it begins with.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Reads every item, so that nobody waits for it later.
    pub fn read_all(&self) {
        for entry in &self.items {
            entry.get(&self.texts);
        }
    }

    /// Adds the stdlib's items without reading them; what their names mean.
    fn stdlib(&mut self) -> Scope {
        let mut scope = Scope::new();
        for (path, text) in stdlib::FILES {
            let file = self.sources.add(*path, *text);
            let mut items = Vec::new();
            for (number, heading) in syntax::outline(text).into_iter().enumerate() {
                let id = ItemId(self.items.len() as u32);
                self.items.push(Arc::new(Entry::unread(&heading, (file, number))));
                scope.extend(heading.name.map(|name| (name, Some(id))));
                items.push(id);
            }
            let path = (*path).to_string();
            let none = Arc::default();
            self.files.push(LibraryFile {
                file,
                path,
                origin: Origin::Stdlib,
                text: self.sources.get(file).text.clone(),
                items,
                tokens: 0,
                scope: none,
            });
        }
        scope
    }

    fn stand_in(&mut self) {
        let file = self.sources.add(crate::source::STAND_IN, STAND_IN_TEXT);
        let (tree, _) = syntax::parse(&self.sources, file);
        if let Some(item) = tree.items.into_iter().next() {
            self.stand_in = Some(ItemId(self.items.len() as u32));
            self.items.push(Arc::new(Entry::read(item, (file, 0))));
        }
    }
}

/// [`load_within`] over a base; `sources` begins with its texts.
pub fn load_over(
    base: &Base,
    sources: &mut Sources,
    loader: &dyn Loader,
    roots: &[String],
    limits: &Limits,
) -> (Library, Vec<Diagnostic>) {
    let library = Library {
        files: base.files.clone(),
        items: base.items.clone(),
        stand_in: base.stand_in,
        scope: Arc::default(),
        texts: base.texts.clone(),
        limits: *limits,
    };
    let mut loading = Loading {
        sources,
        loader,
        library,
        diagnostics: Vec::new(),
        loaded: BTreeMap::new(),
        stack: Vec::new(),
    };
    let stdlib = &*base.scope;
    let mut scope = stdlib.clone();
    for root in roots {
        if let Some(index) = loading.file(root, &folder(&normal(root)), None, Origin::Root, stdlib) {
            let own = (*loading.library.files[index].scope).clone();
            // A later root does not hide an earlier one.
            for (name, id) in own {
                let taken = scope.get(&name).is_some_and(|old| stdlib.get(&name) != Some(old));
                if !taken {
                    scope.insert(name, id);
                }
            }
        }
    }
    loading.library.scope = Arc::new(scope);
    (loading.library, loading.diagnostics)
}

struct Loading<'a> {
    sources: &'a mut Sources,
    loader: &'a dyn Loader,
    library: Library,
    diagnostics: Vec<Diagnostic>,
    /// Path to index in `library.files`.
    loaded: BTreeMap<String, usize>,
    /// Files whose `use` lines are being followed.
    stack: Vec<String>,
}

/// The cell of [`super::STAND_IN`].
const STAND_IN_TEXT: &str = "cell Identity { in x : [..]; y = x; out y }";

impl Loading<'_> {
    /// Adds a file's items to the library; its scope has only what could not be read.
    fn parse(&mut self, path: String, text: &str, origin: Origin) -> usize {
        let file = self.sources.add(path.clone(), text);
        let (tree, diagnostics) = syntax::parse_within(self.sources, file, &self.library.limits);
        self.diagnostics.extend(diagnostics);
        let mut items = Vec::new();
        for (number, item) in tree.items.into_iter().enumerate() {
            items.push(ItemId(self.library.items.len() as u32));
            self.library.items.push(Arc::new(Entry::read(item, (file, number))));
        }
        let tokens = syntax::count_tokens(text);
        let scope = Arc::new(tree.unread.into_iter().map(|name| (name, None)).collect());
        let text = self.sources.get(file).text.clone();
        self.library.files.push(LibraryFile { file, path, origin, text, items, tokens, scope });
        self.library.files.len() - 1
    }

    /// Loads a file once; `None` if it cannot be read or is part of a cycle.
    fn file(
        &mut self,
        path: &str,
        root: &str,
        used_at: Option<Span>,
        origin: Origin,
        stdlib: &Scope,
    ) -> Option<usize> {
        let path = normal(path);
        if self.stack.contains(&path) {
            self.diagnostics.push(errors::use_cycle(&self.stack, &path, used_at));
            return None;
        }
        if let Some(index) = self.loaded.get(&path) {
            if origin == Origin::Root {
                self.library.files[*index].origin = Origin::Root;
            }
            return Some(*index);
        }
        let (loaded, most) = (self.loaded.len(), self.library.limits.files);
        if loaded >= most || self.stack.len() >= MAX_DEPTH {
            self.diagnostics.push(match loaded >= most {
                true => errors::too_many_files(most, used_at),
                false => errors::uses_too_deep(MAX_DEPTH, used_at),
            });
            return None;
        }
        let text = match self.loader.load(&path) {
            Ok(text) => text,
            Err(reason) => {
                self.diagnostics.push(errors::cannot_read(&path, &reason, used_at));
                return None;
            }
        };
        let index = self.parse(path.clone(), &text, origin);
        self.loaded.insert(path.clone(), index);
        self.stack.push(path.clone());

        let mut scope = stdlib.clone();
        let here = folder(&path);
        for (used, span) in self.uses(index) {
            let joined = normal(&join(&here, &used));
            if used.starts_with('/') || !self.loader.is_inside(&joined, root) {
                self.diagnostics.push(errors::use_outside(&used, span));
                continue;
            }
            let Some(other) = self.file(&joined, root, Some(span), Origin::Used, stdlib) else { continue };
            for (name, id) in &*self.library.files[other].scope {
                if stdlib.get(name) != Some(id) {
                    scope.insert(name.clone(), *id);
                }
            }
        }
        self.own_items(index, &mut scope, stdlib);
        self.library.files[index].scope = Arc::new(scope);
        self.stack.pop();
        Some(index)
    }

    fn uses(&self, index: usize) -> Vec<(String, Span)> {
        let items = &self.library.files[index].items;
        let uses = items.iter().filter_map(|id| match &self.library.item(*id).kind {
            ItemKind::Use { path, span } => Some((path.clone(), *span)),
            _ => None,
        });
        uses.collect()
    }

    /// Adds a file's own names to a scope; twice in one file is an error, hiding another file's a note.
    fn own_items(&mut self, index: usize, scope: &mut Scope, stdlib: &Scope) {
        let mut own: BTreeMap<Name, ItemId> = BTreeMap::new();
        for id in self.library.files[index].items.clone() {
            let Some(name) = item_name(self.library.item(id)) else { continue };
            if let Some(first) = own.get(&name.name) {
                let first = item_name(self.library.item(*first)).map(|n| n.span);
                self.diagnostics.push(errors::two_items(name, first));
                continue;
            }
            // A copy of what it hides means the same; so the stdlib's own files can be checked.
            if let Some(Some(hidden)) = scope.get(&name.name)
                && !self.same_text(*hidden, id)
            {
                let from_stdlib = stdlib.get(&name.name) == Some(&Some(*hidden));
                let place = item_name(self.library.item(*hidden)).map(|n| n.span);
                self.diagnostics.push(errors::hides(name, from_stdlib, place));
            }
            own.insert(name.name.clone(), id);
        }
        // Until now the file's scope has only what could not be read.
        scope.extend((*self.library.files[index].scope).clone());
        scope.extend(own.into_iter().map(|(name, id)| (name, Some(id))));
    }

    fn same_text(&self, a: ItemId, b: ItemId) -> bool {
        let text = |id: ItemId| self.sources.text(self.library.item(id).span);
        text(a) == text(b)
    }
}

/// The folder of a path, without the last slash; empty for none.
fn folder(path: &str) -> String {
    path.rsplit_once('/').map_or(String::new(), |(folder, _)| match folder {
        "" => "/".to_string(),
        folder => folder.to_string(),
    })
}

fn join(folder: &str, path: &str) -> String {
    match folder {
        "" => path.to_string(),
        "/" => format!("/{path}"),
        folder => format!("{folder}/{path}"),
    }
}

/// Without `.`, and with `..` carried out as far as the path tells.
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Loader for Nothing {
        fn load(&self, _: &str) -> Result<String, String> {
            Err("there are no files".into())
        }
    }

    /// What [`Loading::stdlib`] leaves out: every item can be read, is what its heading says, and has a name of its own.
    #[test]
    fn the_stdlib_read_item_by_item_is_the_stdlib_read_as_a_whole() {
        let mut sources = Sources::default();
        let (library, diagnostics) = load(&mut sources, &Nothing, &[]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let mut names = std::collections::BTreeSet::new();
        for file in library.files() {
            let (tree, diagnostics) = syntax::parse(&sources, file.file);
            assert!(diagnostics.is_empty(), "{}: {diagnostics:?}", file.path);
            assert_eq!(tree.items.len(), file.items.len(), "{}", file.path);
            for (whole, id) in tree.items.iter().zip(&file.items) {
                assert_eq!(whole, library.item(*id));
                assert_eq!(super::super::keyword(&whole.kind), library.items[id.0 as usize].keyword);
                let Some(name) = item_name(whole) else { continue };
                assert!(names.insert(name.name.clone()), "two items are named {}", name.name);
                assert_eq!(library.lookup(file.file, &name.name), Some(*id), "{}", name.name);
            }
        }
        assert!(names.len() > 30, "{names:?}");
    }
}
