//! Compiled recipes.

use crate::error::raised;
use crate::given::{Given, Width, results};
use crate::how::How;
use crate::optimiser::Optimiser;
use crate::port::{self, Port, ports};
use crate::recipe::Recipe;
use crate::saved::Saved;
use crate::stream::Stream;
use crate::weights;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rnnc::api::{self, Layout};
use std::sync::atomic::{AtomicU64, Ordering};

/// What makes it again: how a recipe compiles, and of what.
type Remade<'py> = (Bound<'py, PyAny>, (Recipe, Bound<'py, PyDict>));

/// A recipe as machine code. Any number of threads can run it at once; each run has memory of its own, taken from what earlier
/// runs have left.
///
/// Inputs over a chain are `[steps, batch, ...]`, over a grid `[rows, columns, batch, ...]`, values with one per example `[batch, ...]`,
/// parameters as they are declared, initial states `NAME0` `[batch, ...]`. Unequal lengths are `lengths` `[batch]`; trees are `children`
/// `[batch, nodes, edges]`, -1 where there is no child. Numbers are `float32`, symbols and lengths `int64` or `int32`. Contiguous arrays
/// are read where they are; results are new arrays.
///
/// >>> import numpy as np, rnnc
/// >>> cell = rnnc.Library.standard().compile("GRU(3, 4)")
/// >>> given = {**cell.init(seed=1), "x": np.ones((5, 2, 3), np.float32), "lengths": [5, 2]}
/// >>> out = cell.forward(given)
/// >>> out["h"].shape, out["h_last"].shape
/// ((5, 2, 4), (2, 4))
/// >>> run = cell.forward_saved(given)
/// >>> gradients = run.backward({"h_adj": 2 * run.outputs()["h"]})      # of the sum of squares
/// >>> gradients["x_adj"].shape
/// (5, 2, 3)
#[pyclass(frozen, module = "rnnc")]
pub struct Compiled {
    inner: api::Compiled,
    recipe: Recipe,
    how: How,
    /// No other has it.
    pub(crate) number: u64,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl Compiled {
    pub fn make(py: Python<'_>, recipe: &Recipe, how: How) -> PyResult<Compiled> {
        let options = how.options();
        let inner = py.detach(|| recipe.inner.compile(&options)).map_err(raised)?;
        Ok(Compiled { inner, recipe: recipe.clone(), how, number: COUNT.fetch_add(1, Ordering::Relaxed) })
    }
}

#[pymethods]
impl Compiled {
    /// The recipe it was made of.
    #[getter]
    fn recipe(&self) -> Recipe {
        self.recipe.clone()
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

    /// All that comes out of `forward`.
    #[getter]
    fn outputs(&self) -> Vec<Port> {
        ports(self.inner.outputs())
    }

    /// Parameters drawn as they are declared; the same seed gives the same numbers everywhere.
    #[pyo3(signature = (seed = 0))]
    fn init<'py>(&self, py: Python<'py>, seed: u64) -> PyResult<Bound<'py, PyDict>> {
        let params = py.detach(|| self.inner.init(seed)).map_err(raised)?;
        weights::dict(py, params)
    }

    /// Runs forward: `[steps, batch, ...]` in, all of `outputs` out. Beyond an example's length outputs are 0.
    ///
    /// Noise that is not given is drawn from `seed`; `run` counts the runs, as each has its own noise.
    #[pyo3(signature = (arrays, *, seed = None, run = 0))]
    fn forward<'py>(
        &self,
        py: Python<'py>,
        arrays: &Bound<'py, PyAny>,
        seed: Option<u64>,
        run: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let given = Given::of(arrays, Width::Single)?;
        let arrays = seeded(given.arrays()?, seed, run);
        let outputs = py.detach(|| self.inner.forward(&arrays)).map_err(raised)?;
        results(py, outputs)
    }

    /// Runs forward and keeps what the way back needs. Any number of runs can be kept at once.
    #[pyo3(signature = (arrays, *, seed = None, run = 0))]
    fn forward_saved(
        &self,
        py: Python<'_>,
        arrays: &Bound<'_, PyAny>,
        seed: Option<u64>,
        run: u64,
    ) -> PyResult<Saved> {
        let given = Given::of(arrays, Width::Single)?;
        let arrays = seeded(given.arrays()?, seed, run);
        let saved = py.detach(|| self.inner.forward_saved(&arrays)).map_err(raised)?;
        Ok(Saved::new(saved, self.number, given.places()))
    }

    /// `forward` in 64 bits by the reference interpreter: slow, to check with. All arrays may be `float64`.
    fn exact<'py>(&self, py: Python<'py>, arrays: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let given = Given::of(arrays, Width::Double)?;
        let arrays = given.arrays()?;
        let outputs = py.detach(|| self.inner.exact(&arrays)).map_err(raised)?;
        results(py, outputs)
    }

    /// Gradients `NAME_adj` in 64 bits by the reference interpreter, for cotangents `NAME_adj` of the outputs.
    #[pyo3(signature = (arrays, cotangents = None))]
    fn exact_gradient<'py>(
        &self,
        py: Python<'py>,
        arrays: &Bound<'py, PyAny>,
        cotangents: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let given = Given::of(arrays, Width::Double)?;
        let back = cotangents.map_or_else(|| Ok(Given::none()), |c| Given::of(c, Width::Double))?;
        let (arrays, cotangents) = (given.arrays()?, back.arrays()?);
        let outputs = py.detach(|| self.inner.exact_gradient(&arrays, &cotangents)).map_err(raised)?;
        results(py, outputs)
    }

    /// One example that goes on step by step: parameters and initial states (`[1, ...]`) now, inputs with each step.
    fn stream(&self, py: Python<'_>, arrays: &Bound<'_, PyAny>) -> PyResult<Stream> {
        let given = Given::of(arrays, Width::Single)?;
        let arrays = given.arrays()?;
        let stream = py.detach(|| self.inner.stream(&arrays)).map_err(raised)?;
        Ok(Stream::new(stream))
    }

    /// Gives back the memory that earlier runs have left for later ones. Runs in flight keep theirs.
    fn trim(&self, py: Python<'_>) {
        py.detach(|| self.inner.trim());
    }

    /// An update rule that is itself a cell of the language, such as `Adam(lr = 1e-3)`, for the parameters of this recipe.
    fn optimiser(&self, py: Python<'_>, recipe: &str) -> PyResult<Optimiser> {
        let optimiser = py.detach(|| self.inner.optimiser(recipe)).map_err(raised)?;
        Ok(Optimiser::new(optimiser, recipe))
    }

    /// Parameters of ours, made of those of another library, whose names and arrangement `layout` blocks of that name say, such as
    /// `torch`, `onnx`, `keras`; without one all names are ours. `maps` say what the other side calls an instance, as `--map` of
    /// `rnnc import` does: `["enc = encoder.rnn"]`. All that is missing, left over or of another shape is told at once; so are numbers
    /// that are not finite, unless `allow_nan`.
    #[pyo3(signature = (arrays, layout = None, *, maps = None, allow_nan = false))]
    fn import_weights<'py>(
        &self,
        py: Python<'py>,
        arrays: &Bound<'py, PyAny>,
        layout: Option<&str>,
        maps: Option<Vec<String>>,
        allow_nan: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let given = Given::of(arrays, Width::Single)?;
        let (arrays, layout) = (given.arrays()?, arrangement(layout, maps));
        let layout = if allow_nan { layout.allow_nan() } else { layout };
        let params = py.detach(|| self.inner.import(&arrays, layout)).map_err(raised)?;
        weights::dict(py, params)
    }

    /// The way back of `import_weights`. Where theirs is a sum, the first of its arrays has all, the others are zero.
    #[pyo3(signature = (params, layout = None, *, maps = None))]
    fn export_weights<'py>(
        &self,
        py: Python<'py>,
        params: &Bound<'py, PyAny>,
        layout: Option<&str>,
        maps: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let params = weights::params(&Given::of(params, Width::Single)?)?;
        let layout = arrangement(layout, maps);
        let theirs = py.detach(|| self.inner.export(&params, layout)).map_err(raised)?;
        weights::dict(py, theirs)
    }

    fn __repr__(&self) -> String {
        port::table(&format!("Compiled {}", self.inner.recipe().name()), &self.recipe.all_ports())
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }

    /// By its recipe: it is compiled again where it arrives.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Remade<'py>> {
        Ok((py.get_type::<Compiled>().getattr("_of")?, (self.recipe.clone(), self.how.keywords(py)?)))
    }

    #[staticmethod]
    fn _of(recipe: &Bound<'_, Recipe>, how: &Bound<'_, PyDict>) -> PyResult<Compiled> {
        Compiled::make(recipe.py(), recipe.get(), How::of(Some(how))?)
    }
}

fn arrangement(name: Option<&str>, maps: Option<Vec<String>>) -> Layout {
    let layout = name.map(Layout::new).unwrap_or_default();
    maps.into_iter().flatten().fold(layout, Layout::map)
}

fn seeded(arrays: api::Arrays<'_>, seed: Option<u64>, run: u64) -> api::Arrays<'_> {
    match seed {
        Some(seed) => arrays.seed(seed, run),
        None => arrays,
    }
}
