//! A built recipe, to read or to compile.

use crate::compiled::Compiled;
use crate::error::raised;
use crate::how::How;
use crate::library::Library;
use crate::port::{self, Port, ports};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rnnc::api::{self, Notation, Options};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a recipe is built.
#[derive(Clone, Default)]
pub struct Building {
    pub dims: Option<BTreeMap<String, i64>>,
    pub outputs: Option<Vec<String>>,
    pub training: bool,
    pub given: Option<Vec<String>>,
}

/// The equations that a recipe stands for: what goes in, what comes out, and the derived gradient.
///
/// >>> import rnnc
/// >>> recipe = rnnc.Library.standard().recipe("RNN(I, H)")
/// >>> recipe.dims
/// ['I', 'H']
/// >>> recipe.inputs, recipe.declared
/// ([Port(x : [n, batch, I])], ['h'])
/// >>> print(recipe.equations(), end="")
/// h = tanh(W @ x + U @ h[t-1] + b)
/// >>> "U_adj" in recipe.gradient(wrt=["U"])
/// True
///
/// In a notebook it shows as its equations.
#[pyclass(frozen, module = "rnnc")]
#[derive(Clone)]
pub struct Recipe {
    pub(crate) inner: api::Recipe,
    made: Arc<Made>,
}

/// What it was made of.
struct Made {
    library: Library,
    recipe: String,
    how: Building,
    /// What it was differentiated by, once for each time.
    adjoints: Vec<Option<Vec<String>>>,
}

impl Recipe {
    pub fn build(py: Python<'_>, library: &Library, recipe: &str, how: Building) -> PyResult<Recipe> {
        let how_ = how.clone();
        let options = Options {
            dims: how.dims.unwrap_or_default(),
            outputs: how.outputs,
            training: how.training,
            given: how.given.unwrap_or_default().into_iter().collect(),
            ..Options::default()
        };
        let inner = py.detach(|| library.inner.recipe_with(recipe, &options)).map_err(raised)?;
        let made =
            Made { library: library.clone(), recipe: recipe.to_string(), how: how_, adjoints: Vec::new() };
        Ok(Recipe { inner, made: Arc::new(made) })
    }
}

#[pymethods]
impl Recipe {
    /// The recipe as written.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// The documentation of the item that it names.
    #[getter]
    fn docs(&self) -> String {
        self.inner.docs()
    }

    /// Dimensions that still need a number.
    #[getter]
    fn dims(&self) -> Vec<String> {
        self.inner.dims()
    }

    /// What is given with every call, in the order of the text.
    #[getter]
    fn inputs(&self) -> Vec<Port> {
        ports(self.inner.inputs())
    }

    /// What is learnt.
    #[getter]
    fn params(&self) -> Vec<Port> {
        ports(self.inner.params())
    }

    /// Initial states that may be given.
    #[getter]
    fn initial(&self) -> Vec<Port> {
        ports(self.inner.initial())
    }

    /// Noise: drawn from a seed, or given.
    #[getter]
    fn noise(&self) -> Vec<Port> {
        ports(self.inner.noise())
    }

    /// All that comes out: declared outputs first, then states over their domain, then last states (`NAME_last`).
    #[getter]
    fn outputs(&self) -> Vec<Port> {
        ports(self.inner.outputs())
    }

    /// Names of the outputs of real numbers that the text itself declares, in its order.
    #[getter]
    fn declared(&self) -> Vec<String> {
        self.inner.declared().to_vec()
    }

    /// The equations as they are computed, in `unicode`, `ascii` or `latex`.
    #[pyo3(signature = (notation = "unicode"))]
    fn equations(&self, py: Python<'_>, notation: &str) -> PyResult<String> {
        let notation = notation_of(notation)?;
        py.detach(|| self.inner.equations(notation)).map_err(raised)
    }

    /// The derived gradient as equations; `wrt` names inputs, parameters or initial states, or nothing for all.
    #[pyo3(signature = (wrt = None, notation = "unicode"))]
    fn gradient(&self, py: Python<'_>, wrt: Option<Vec<String>>, notation: &str) -> PyResult<String> {
        let notation = notation_of(notation)?;
        let wrt = wrt.unwrap_or_default();
        let wrt: Vec<&str> = wrt.iter().map(String::as_str).collect();
        py.detach(|| self.inner.gradient(&wrt, notation)).map_err(raised)
    }

    /// The gradient as a recipe of its own, by these inputs, parameters and initial states, or by all. It takes what this takes and,
    /// as inputs, a cotangent `NAME_adj` for every output of real numbers; it gives the gradients `NAME_adj`. Compiled and
    /// differentiated like any other, it makes second derivatives.
    #[pyo3(signature = (wrt = None))]
    fn adjoint(&self, py: Python<'_>, wrt: Option<Vec<String>>) -> PyResult<Recipe> {
        let inner = py.detach(|| self.inner.adjoint(wrt.as_deref())).map_err(raised)?;
        let Made { library, recipe, how, adjoints } = &*self.made;
        let adjoints = adjoints.iter().cloned().chain([wrt]).collect();
        let made = Made { library: library.clone(), recipe: recipe.clone(), how: how.clone(), adjoints };
        Ok(Recipe { inner, made: Arc::new(made) })
    }

    /// The loops and kernels that are made of it, as text.
    #[pyo3(signature = (gradient = false))]
    fn kernels(&self, py: Python<'_>, gradient: bool) -> PyResult<String> {
        py.detach(|| self.inner.kernels(gradient)).map_err(raised)
    }

    /// Makes machine code. All dimensions must be numbers.
    ///
    /// Without `gradients` there is no way back; `wrt` names what is differentiated by, in place of everything. `threads` share a run out,
    /// without changing a bit of its results. `reproducible` gives the same bits on every computer that has AVX2 with FMA. With
    /// `interpret`, kernels are interpreted, slowly. A run may take `max_memory` bytes (16 GiB).
    ///
    /// Code for gradients, for one example and for streams is made when it is first needed.
    #[pyo3(
        signature = (**how),
        text_signature = "($self, *, gradients=True, wrt=None, threads=1, reproducible=False, interpret=False, max_memory=None)"
    )]
    fn compile(&self, py: Python<'_>, how: Option<&Bound<'_, PyDict>>) -> PyResult<Compiled> {
        Compiled::make(py, self, How::of(how)?)
    }

    fn __repr__(&self) -> String {
        let heading = match &self.dims()[..] {
            [] => format!("Recipe {}", self.inner.name()),
            open => format!("Recipe {}, open: {}", self.inner.name(), open.join(", ")),
        };
        port::table(&heading, &self.all_ports())
    }

    /// Its equations, for notebooks; nothing if they cannot be written.
    fn _repr_latex_(&self, py: Python<'_>) -> Option<String> {
        let latex = py.detach(|| self.inner.equations(Notation::Latex)).ok()?;
        Some(format!("$$\n{}\n$$", latex.trim_end()))
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }

    /// By its library and how it was built from it.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Parts)> {
        let Made { library, recipe, how, adjoints } = &*self.made;
        let how = how.clone();
        let library = Bound::new(py, library.clone())?.unbind();
        let parts =
            (library, recipe.clone(), how.dims, how.outputs, how.training, how.given, adjoints.clone());
        Ok((py.get_type::<Recipe>().getattr("_of")?, parts))
    }

    #[staticmethod]
    fn _of(
        library: &Bound<'_, Library>,
        recipe: &str,
        dims: Option<BTreeMap<String, i64>>,
        outputs: Option<Vec<String>>,
        training: bool,
        given: Option<Vec<String>>,
        adjoints: Vec<Option<Vec<String>>>,
    ) -> PyResult<Recipe> {
        let py = library.py();
        let recipe = Recipe::build(py, library.get(), recipe, Building { dims, outputs, training, given })?;
        adjoints.into_iter().try_fold(recipe, |recipe, wrt| recipe.adjoint(py, wrt))
    }
}

/// What `_of` takes.
type Parts = (
    Py<Library>,
    String,
    Option<BTreeMap<String, i64>>,
    Option<Vec<String>>,
    bool,
    Option<Vec<String>>,
    Vec<Option<Vec<String>>>,
);

impl Recipe {
    pub fn all_ports(&self) -> Vec<api::Port> {
        let recipe = &self.inner;
        [recipe.inputs(), recipe.params(), recipe.initial(), recipe.noise(), recipe.outputs()].concat()
    }
}

fn notation_of(name: &str) -> PyResult<Notation> {
    match name {
        "unicode" => Ok(Notation::Unicode),
        "ascii" => Ok(Notation::Ascii),
        "latex" => Ok(Notation::Latex),
        _ => Err(PyValueError::new_err(format!(
            "notation {name:?} is none of \"unicode\", \"ascii\", \"latex\""
        ))),
    }
}
