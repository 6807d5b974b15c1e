//! Programs: loading texts and files, and what is in them.

use crate::compiled::Compiled;
use crate::error::{openable, raised};
use crate::how::How;
use crate::recipe::{Building, Recipe};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rnnc::api::{self, Source};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A cell, layer, model or function of a library.
#[pyclass(frozen, get_all, eq, module = "rnnc")]
#[derive(Clone, PartialEq)]
pub struct Item {
    /// `cell`, `layer`, `model` or `fn`.
    kind: &'static str,
    /// What a recipe begins with.
    name: String,
    /// The name with its arguments as they are declared: `Mine(I, H, bias : real = 1)`.
    signature: String,
    /// Its documentation, line by line.
    docs: String,
    /// The file it stands in; `<stdlib>/…` for the standard library.
    file: String,
}

impl From<api::Item> for Item {
    fn from(item: api::Item) -> Item {
        let api::Item { kind, name, signature, docs, file } = item;
        Item { kind, name, signature, docs, file }
    }
}

#[pymethods]
impl Item {
    fn __repr__(&self) -> String {
        match self.docs.lines().next() {
            Some(first) => format!("<{} {}: {first}>", self.kind, self.signature),
            None => format!("<{} {}>", self.kind, self.signature),
        }
    }
}

/// Loaded programs, with the standard library. Never changes; shared between threads, and pickled with its texts.
///
/// >>> import rnnc
/// >>> library = rnnc.Library.text('''
/// ...     ## Forgets at a rate it learns.
/// ...     cell Leak(I, H) {
/// ...       in    x : [I]
/// ...       state h : [H] = 0
/// ...       param W : [H, I] ~ uniform(1/sqrt(H))
/// ...       param a : [H] = 1
/// ...       h = σ(a) ⊙ h[t-1] + W @ x
/// ...       out h
/// ...     }''', name="leak.rnn")
/// >>> library.items()
/// [<cell Leak(I, H): Forgets at a rate it learns.>]
/// >>> library.compile("Leak(3, 4)").outputs
/// [Port(h : [n, batch, 4]), Port(h_last : [batch, 4])]
#[pyclass(frozen, module = "rnnc")]
#[derive(Clone)]
pub struct Library {
    pub(crate) inner: api::Library,
}

impl Library {
    fn load(py: Python<'_>, source: Source) -> PyResult<Library> {
        let inner = py.detach(|| source.load()).map_err(raised)?;
        Ok(Library { inner })
    }

    /// What was named to load it; nothing for the standard library alone.
    fn names(&self) -> Vec<String> {
        self.inner.texts().into_iter().filter(|(_, _, is_named)| *is_named).map(|(name, _, _)| name).collect()
    }
}

#[pymethods]
impl Library {
    /// A file, with what it `use`s, and the standard library.
    #[staticmethod]
    fn file(py: Python<'_>, path: PathBuf) -> PyResult<Library> {
        openable(&path)?;
        Library::load(py, Source::new().file(path))
    }

    /// A program from memory, and the standard library. `name` stands for it in messages. An indentation that all lines have is
    /// taken away.
    #[staticmethod]
    #[pyo3(signature = (text, name = "<text>"))]
    fn text(py: Python<'_>, text: &str, name: &str) -> PyResult<Library> {
        Library::load(py, Source::new().text(name, text))
    }

    /// Several programs from memory, by names under which they can `use` each other.
    #[staticmethod]
    fn texts(py: Python<'_>, texts: BTreeMap<String, String>) -> PyResult<Library> {
        Library::load(py, texts.into_iter().fold(Source::new(), |s, (name, text)| s.text(name, text)))
    }

    /// The standard library alone.
    #[staticmethod]
    fn standard(py: Python<'_>) -> PyResult<Library> {
        Library::load(py, Source::new())
    }

    /// Cells, layers, models and functions of the files and texts that were named, in their order; of `Library.standard()` those
    /// of the standard library.
    fn items(&self) -> Vec<Item> {
        let all = match self.names().is_empty() {
            true => self.inner.standard_items(),
            false => self.inner.items(),
        };
        all.into_iter().map(Item::from).collect()
    }

    /// Looks at every item of the named files and texts, as `rnnc check` does, and gives the warnings.
    fn check(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let warnings = py.detach(|| self.inner.check()).map_err(raised)?;
        Ok(warnings.into_iter().map(|w| w.rendered).collect())
    }

    /// Builds what a recipe names, such as `Leak(64, 128)` or `Leak(I, H)`: its equations.
    ///
    /// `dims` are numbers for names that the recipe leaves open. `outputs` keeps only these of all outputs and states. With `training`,
    /// noise is drawn, else it is its mean. `given` are initial states (`h0`) that are to be given although their declaration
    /// computes them.
    #[pyo3(signature = (recipe, *, dims = None, outputs = None, training = false, given = None))]
    fn recipe(
        &self,
        py: Python<'_>,
        recipe: &str,
        dims: Option<BTreeMap<String, i64>>,
        outputs: Option<Vec<String>>,
        training: bool,
        given: Option<Vec<String>>,
    ) -> PyResult<Recipe> {
        let how = Building { dims, outputs, training, given };
        Recipe::build(py, self, recipe, how)
    }

    /// Builds and compiles a recipe: takes what `recipe` and `Recipe.compile` do.
    #[pyo3(
        signature = (recipe, *, dims = None, outputs = None, training = false, given = None, **how),
        text_signature = "($self, recipe, *, dims=None, outputs=None, training=False, given=None, gradients=True, wrt=None, \
                          threads=1, reproducible=False, interpret=False, max_memory=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "all but one are keywords in Python")]
    fn compile(
        &self,
        py: Python<'_>,
        recipe: &str,
        dims: Option<BTreeMap<String, i64>>,
        outputs: Option<Vec<String>>,
        training: bool,
        given: Option<Vec<String>>,
        how: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Compiled> {
        let how = How::of(how)?;
        let recipe = Recipe::build(py, self, recipe, Building { dims, outputs, training, given })?;
        Compiled::make(py, &recipe, how)
    }

    fn __repr__(&self) -> String {
        match &self.names()[..] {
            [] => format!("Library of the standard library: {} items", self.inner.standard_items().len()),
            names => {
                let items = self.inner.items();
                let lines: String =
                    items.iter().map(|i| format!("\n  {:<6} {}", i.kind, i.signature)).collect();
                format!("Library of {}{lines}", names.join(", "))
            }
        }
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }

    /// By its texts.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Texts,))> {
        Ok((py.get_type::<Library>().getattr("_of")?, (self.inner.texts(),)))
    }

    #[staticmethod]
    fn _of(py: Python<'_>, texts: Texts) -> PyResult<Library> {
        let add = |source: Source, (name, text, is_named): (String, String, bool)| match is_named {
            true => source.text(name, text),
            false => source.beside(name, text),
        };
        Library::load(py, texts.into_iter().fold(Source::new(), add))
    }
}

/// Name, text, and whether it was named when it was loaded.
type Texts = Vec<(String, String, bool)>;
