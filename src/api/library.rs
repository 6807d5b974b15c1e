//! Programs: loading texts and files, and what is in them.

use super::error::{Error, Problem, Result};
use super::recipe::Recipe;
use super::{Compiled, Options};
use crate::diag::Diagnostic;
use crate::files::loader::FileLoader;
use crate::limits::Limits;
use crate::pipeline;
use crate::resolve::{self, Origin, item_name, item_statics, normal};
use crate::source::{Loader, Sources};
use crate::syntax::ast::{self, ItemKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a [`Library`] is made of: files, and texts from memory.
#[derive(Clone, Debug, Default)]
pub struct Source {
    roots: Vec<String>,
    texts: BTreeMap<String, String>,
    folder: Option<PathBuf>,
    limits: Limits,
}

impl Source {
    /// Nothing but the standard library.
    pub fn new() -> Source {
        Source::default()
    }

    /// Adds a file. What it `use`s is loaded too, from its folder or below.
    pub fn file(mut self, path: impl AsRef<Path>) -> Source {
        self.roots.push(path.as_ref().display().to_string());
        self
    }

    /// Adds a text under a name; other texts can `use` it by that, and messages show it. An indentation that all lines have, as in
    /// a text within a program, is taken away; columns in messages count without it.
    pub fn text(mut self, name: impl Into<String>, text: impl Into<String>) -> Source {
        let name = name.into();
        if !self.texts.contains_key(&name) {
            self.roots.push(name.clone());
        }
        self.texts.insert(name, outdented(text.into()));
        self
    }

    /// Adds a text that others can `use` by its name, and whose items are not among [`Library::items`].
    pub fn beside(mut self, name: impl Into<String>, text: impl Into<String>) -> Source {
        self.texts.insert(name.into(), outdented(text.into()));
        self
    }

    /// The folder in which all files that are `use`d must lie, in place of that of each file.
    pub fn within(mut self, folder: impl AsRef<Path>) -> Source {
        self.folder = Some(folder.as_ref().to_path_buf());
        self
    }

    /// What texts, and all that is compiled of them, may cost.
    pub fn limits(mut self, limits: Limits) -> Source {
        self.limits = limits;
        self
    }

    /// Reads everything. Items are checked when they are compiled, or by [`Library::check`].
    ///
    /// # Errors
    /// A file that cannot be read or a text that cannot be parsed; all mistakes at once.
    pub fn load(self) -> Result<Library> {
        let files: Vec<String> =
            self.roots.iter().filter(|r| !self.texts.contains_key(*r)).cloned().collect();
        let files = FileLoader::new(&files, self.folder.as_deref(), self.limits.source);
        let loader = Texts { texts: self.texts, files };
        let mut sources = Sources::default();
        let (library, found) = resolve::load_within(&mut sources, &loader, &self.roots, &self.limits);
        if found.iter().any(Diagnostic::is_error) {
            return Err(Error::new(&sources, found));
        }
        let warnings = Problem::all(&sources, &found);
        Ok(Library { shared: Arc::new(Shared { sources, library, warnings }) })
    }
}

/// Without the spaces that all lines begin with.
fn outdented(text: String) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let depth = lines().map(|line| line.len() - line.trim_start_matches(' ').len()).min().unwrap_or(0);
    if depth == 0 {
        return text;
    }
    text.split_inclusive('\n').map(|line| line.get(depth..).unwrap_or("\n")).collect()
}

/// Texts from memory before files.
struct Texts {
    texts: BTreeMap<String, String>,
    files: FileLoader,
}

impl Texts {
    fn get(&self, path: &str) -> Option<&String> {
        self.texts.get(path).or_else(|| self.texts.get(&normal(path)))
    }
}

impl Loader for Texts {
    fn load(&self, path: &str) -> std::result::Result<String, String> {
        self.get(path).map_or_else(|| self.files.load(path), |text| Ok(text.clone()))
    }

    fn is_inside(&self, path: &str, root: &str) -> bool {
        self.get(path).is_some() || self.files.is_inside(path, root)
    }
}

/// Loaded programs, with the standard library. Cheap to clone, shared between threads, never changed.
///
/// ```
/// use rnnc::api::Library;
/// let library = Library::text("mine.rnn", "
///     ### Forgets at a rate it learns.
///     cell Leak(I, H) {
///       in    x : [I]
///       state h : [H] = 0
///       param W : [H, I] ~ uniform(1/sqrt(H))
///       param a : [H] = 1
///       h = σ(a) ⊙ h[t-1] + W @ x
///       out h
///     }")?;
/// let item = &library.items()[0];
/// assert_eq!((&*item.signature, &*item.docs), ("Leak(I, H)", "Forgets at a rate it learns."));
/// # Ok::<(), rnnc::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Library {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub sources: Sources,
    pub library: resolve::Library,
    warnings: Vec<Problem>,
}

/// A cell, layer, model or function of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    /// `cell`, `layer`, `model` or `fn`.
    pub kind: &'static str,
    /// Its documentation, line by line.
    pub docs: String,
    /// The name with its static parameters as they are declared: `Mine(I, H, bias : real = 1)`.
    pub signature: String,
    /// The file it stands in; `<stdlib>/…` for the standard library.
    pub file: String,
}

impl Library {
    /// The standard library alone.
    ///
    /// # Errors
    /// None are known; the type leaves room.
    pub fn standard() -> Result<Library> {
        Source::new().load()
    }

    /// The standard library and a file with what it `use`s. See [`Source`] for more than one.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn file(path: impl AsRef<Path>) -> Result<Library> {
        Source::new().file(path).load()
    }

    /// The standard library and a text; `name` stands for it in messages.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Result<Library> {
        Source::new().text(name, text).load()
    }

    /// What was said while it was loaded, but is no mistake.
    pub fn warnings(&self) -> &[Problem] {
        &self.shared.warnings
    }

    /// The items of the files and texts that were named, in their order.
    pub fn items(&self) -> Vec<Item> {
        self.items_of(|origin| origin == Origin::Root)
    }

    /// Names and texts of all that was loaded besides the standard library, and whether it was named or is `use`d: what makes the same
    /// library elsewhere, by [`Source::text`] and [`Source::beside`].
    pub fn texts(&self) -> Vec<(String, String, bool)> {
        let library = &self.shared.library;
        let files = library.files().iter().filter(|f| f.origin != Origin::Stdlib);
        files.map(|f| (f.path.clone(), f.text.to_string(), f.origin == Origin::Root)).collect()
    }

    /// The items of the standard library.
    pub fn standard_items(&self) -> Vec<Item> {
        self.items_of(|origin| origin == Origin::Stdlib)
    }

    fn items_of(&self, which: impl Fn(Origin) -> bool) -> Vec<Item> {
        let library = &self.shared.library;
        let files = library.files().iter().filter(|f| which(f.origin));
        let item = |path: &str, item: &ast::Item| self.item(path, item);
        files
            .flat_map(|f| library.items(f.file).filter_map(|i| item(&f.path, i)).collect::<Vec<_>>())
            .collect()
    }

    fn item(&self, path: &str, item: &ast::Item) -> Option<Item> {
        let kind = match item.kind {
            ItemKind::Cell(_) => "cell",
            ItemKind::Layer(_) => "layer",
            ItemKind::Model(_) => "model",
            ItemKind::Fn(_) => "fn",
            _ => return None,
        };
        let text = |span| self.shared.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ");
        let name = item_name(item)?.written.to_string();
        let mut inside: Vec<String> = item_statics(item).iter().map(|s| text(s.span)).collect();
        if let ItemKind::Fn(f) = &item.kind {
            inside = f.inputs.iter().map(|i| text(i.span)).collect();
        }
        let docs: Vec<&str> = item.docs.iter().map(|line| line.trim()).collect();
        let signature = format!("{name}({})", inside.join(", "));
        Some(Item { name, kind, docs: docs.join("\n"), signature, file: path.to_string() })
    }

    /// Looks at every item of the named files and texts, as `rnnc check` does; gives the warnings.
    ///
    /// # Errors
    /// All mistakes of all items.
    pub fn check(&self) -> Result<Vec<Problem>> {
        let library = &self.shared.library;
        let found: Vec<Diagnostic> =
            library.roots().flat_map(|root| pipeline::mistakes(library, root.file)).collect();
        match found.iter().any(Diagnostic::is_error) {
            true => Err(Error::new(&self.shared.sources, found)),
            false => Ok(Problem::all(&self.shared.sources, &found)),
        }
    }

    /// Builds what a recipe names, such as `Leak(64, 128)` or `Leak(I, H)`: its equations, with numbers or names for
    /// dimensions.
    ///
    /// # Errors
    /// A recipe that cannot be read, names nothing, or whose equations hold a mistake.
    pub fn recipe(&self, recipe: &str) -> Result<Recipe> {
        self.recipe_with(recipe, &Options::default())
    }

    /// [`Library::recipe`], with options.
    ///
    /// # Errors
    /// As [`Library::recipe`]; and for names in the options that the recipe does not have.
    pub fn recipe_with(&self, recipe: &str, options: &Options) -> Result<Recipe> {
        Recipe::build(self, recipe, options)
    }

    /// Builds and compiles a recipe whose dimensions are all numbers.
    ///
    /// # Errors
    /// As [`Recipe::compile`].
    pub fn compile(&self, recipe: &str, options: &Options) -> Result<Compiled> {
        self.recipe_with(recipe, options)?.compile(options)
    }
}
