//! Update rules that are cells of the language.

use crate::error::raised;
use crate::given::{Given, Width};
use crate::weights;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rnnc::api;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An update rule with what it remembers of each parameter.
///
/// >>> import numpy as np, rnnc
/// >>> cell = rnnc.Library.standard().compile("RNN(3, 4)")
/// >>> params, adam = cell.init(), cell.optimiser("Adam(lr = 1e-3)")
/// >>> x = np.ones((5, 2, 3), np.float32)
/// >>> for _ in range(3):
/// ...     run = cell.forward_saved({**params, "x": x})
/// ...     params = adam.update(params, run.backward({"h_adj": run.outputs()["h"]}))
/// >>> adam.steps
/// 3
#[pyclass(frozen, module = "rnnc")]
pub struct Optimiser {
    inner: Mutex<api::Optimiser>,
    recipe: String,
}

impl Optimiser {
    pub fn new(inner: api::Optimiser, recipe: &str) -> Optimiser {
        Optimiser { inner: Mutex::new(inner), recipe: recipe.to_string() }
    }

    fn lock(&self) -> MutexGuard<'_, api::Optimiser> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Optimiser {
    /// One step: the parameters, each that has a gradient `NAME_adj` changed by it, times `scale`, and kept within its declared
    /// bounds. Gives new arrays.
    #[pyo3(signature = (params, gradients, scale = 1.0))]
    fn update<'py>(
        &self,
        py: Python<'py>,
        params: &Bound<'py, PyAny>,
        gradients: &Bound<'py, PyAny>,
        scale: f32,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut params = weights::params(&Given::of(params, Width::Single)?)?;
        let gradients = weights::params(&Given::of(gradients, Width::Single)?)?;
        let gradients = gradients.iter().map(|(name, array)| (name.to_string(), array.clone())).collect();
        py.detach(|| self.lock().update(&mut params, &gradients, scale)).map_err(raised)?;
        weights::dict(py, params)
    }

    /// Steps done.
    #[getter]
    fn steps(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.lock().steps())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Optimiser({}, {} steps)", self.recipe, self.steps(py))
    }
}
