//! Forward runs that the way back can follow.

use crate::compiled::Compiled;
use crate::error::raised;
use crate::given::{Given, Width, results};
use crate::token::{self, Kept};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rnnc::api;
use std::sync::Arc;

/// A forward run with what its gradients need. Its memory is used again for later runs when nothing refers to it any more.
///
/// >>> import numpy as np, rnnc
/// >>> cell = rnnc.Library.standard().compile("RNN(3, 4)")
/// >>> run = cell.forward_saved({**cell.init(), "x": np.ones((5, 2, 3), np.float32)})
/// >>> run.backward({"h_adj": np.ones((5, 2, 4), np.float32)})["x_adj"].shape
/// (5, 2, 3)
#[pyclass(frozen, weakref, module = "rnnc")]
pub struct Saved {
    kept: Arc<Kept>,
}

impl Saved {
    pub fn new(run: api::Saved, program: u64, places: Vec<token::Place>) -> Saved {
        Saved { kept: Kept::new(run, program, places) }
    }
}

#[pymethods]
impl Saved {
    /// Everything that came out, as `Compiled.forward` gives it.
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let outputs = py.detach(|| self.kept.run().outputs()).map_err(raised)?;
        results(py, outputs)
    }

    /// Gradients `NAME_adj` of everything, or of what `wrt` named, for cotangents `NAME_adj` of the outputs.
    ///
    /// A cotangent that is not given is 0; only that of a `loss` per example is 1. Gradients of parameters are sums over the batch. May be
    /// called again, with other cotangents.
    #[pyo3(signature = (cotangents = None))]
    fn backward<'py>(
        &self,
        py: Python<'py>,
        cotangents: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let given = cotangents.map_or_else(|| Ok(Given::none()), |c| Given::of(c, Width::Single))?;
        let arrays = given.arrays()?;
        let gradients = py.detach(|| self.kept.run().backward(&arrays)).map_err(raised)?;
        results(py, gradients)
    }

    /// Names of the gradients, in their order.
    #[getter]
    fn gradients(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.kept.run().gradients())
    }

    /// An array of one byte, 0, that keeps this run alive, as does whatever shares its memory: `of_token` finds the run by
    /// its address.
    #[getter]
    fn token<'py>(this: Bound<'py, Self>) -> Bound<'py, PyArray1<u8>> {
        let kept = this.get().kept.clone();
        kept.token(this.into_any())
    }

    /// The run whose token lies at an address, if it is alive.
    #[staticmethod]
    fn of_token(address: usize) -> Option<Saved> {
        token::find(address).map(|kept| Saved { kept })
    }

    /// Whether this is a run of that program on these very arrays: the same memory and extents, whose contents are not looked at.
    fn is_of(&self, compiled: &Compiled, arrays: &Bound<'_, PyAny>) -> PyResult<bool> {
        let given = Given::of(arrays, Width::Single)?;
        Ok(self.kept.is_of(compiled.number, &given.places()))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let run = py.detach(|| format!("{:?}", self.kept.run()));
        format!("<{run}>")
    }
}
