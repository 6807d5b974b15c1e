//! Parameters, in dicts and in files.

use crate::error::{openable, raised};
use crate::given::{Given, Width};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rnnc::api::Params;
use std::path::PathBuf;

/// Parameters as a dict of arrays.
pub fn dict(py: Python<'_>, params: Params) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (name, array) in params {
        dict.set_item(name, array.into_pyarray(py))?;
    }
    Ok(dict)
}

/// Given arrays as parameters, which are of single precision.
pub fn params(given: &Given) -> PyResult<Params> {
    let mut params = Params::new();
    for name in given.names() {
        if let Some(array) = given.singles(name)? {
            params.insert(name, array);
        }
    }
    Ok(params)
}

/// All arrays of a file as `float32`: `.safetensors`, `.npz`, PyTorch's `state_dict`, ONNX initialisers, JSON of amplifier models, told by
/// its first bytes. No code in it is executed.
#[pyfunction]
pub fn read_weights(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    openable(&path)?;
    let params = py.detach(|| Params::read(&path)).map_err(raised)?;
    dict(py, params)
}

/// Writes `float32` arrays to a `.safetensors` or `.npz` file, whole: all of it is there afterwards, or what was there before.
#[pyfunction]
pub fn write_weights(py: Python<'_>, path: PathBuf, arrays: &Bound<'_, PyAny>) -> PyResult<()> {
    let params = params(&Given::of(arrays, Width::Single)?)?;
    py.detach(|| params.write(&path)).map_err(raised)
}
