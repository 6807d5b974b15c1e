//! One example, step after step.

use crate::error::raised;
use crate::given::{Given, Width};
use numpy::IntoPyArray;
use numpy::ndarray::{ArrayD, IxDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rnnc::api::{self, Part};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A sequence of one example that goes on step by step: the same numbers as a run over the whole sequence.
///
/// >>> import numpy as np, rnnc
/// >>> cell = rnnc.Library.standard().compile("LSTM(3, 4)")
/// >>> stream = cell.stream(cell.init(seed=1))
/// >>> stream.step({"x": np.ones(3, np.float32)})["h"].shape
/// (4,)
#[pyclass(frozen, module = "rnnc")]
pub struct Stream {
    inner: Mutex<Running>,
    inputs: Vec<Part>,
    outputs: Vec<Part>,
}

struct Running {
    stream: api::Stream,
    input: Vec<f32>,
    output: Vec<f32>,
}

fn length(parts: &[Part]) -> usize {
    parts.iter().map(Part::len).sum()
}

impl Stream {
    pub fn new(stream: api::Stream) -> Stream {
        let (inputs, outputs) = (stream.inputs().to_vec(), stream.outputs().to_vec());
        let (input, output) = (vec![0.0; length(&inputs)], vec![0.0; length(&outputs)]);
        Stream { inner: Mutex::new(Running { stream, input, output }), inputs, outputs }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All inputs of a step, one behind another.
    fn gathered(&self, given: &Given) -> PyResult<Vec<f32>> {
        if let Some(name) = given.names().find(|name| !self.inputs.iter().any(|p| p.name == *name)) {
            let known: Vec<&str> = self.inputs.iter().map(|p| &*p.name).collect();
            return Err(PyValueError::new_err(format!(
                "nothing that a step takes is called `{name}`; it takes {}",
                known.join(", ")
            )));
        }
        let mut all = Vec::with_capacity(length(&self.inputs));
        for part in &self.inputs {
            let array = given.singles(&part.name)?.ok_or_else(|| {
                PyValueError::new_err(format!("array `{}` is missing from the step", part.name))
            })?;
            if array.shape() != part.shape {
                return Err(PyValueError::new_err(format!(
                    "array `{}` has shape {:?}, but {:?} is needed: one step of one example",
                    part.name,
                    array.shape(),
                    part.shape
                )));
            }
            all.extend(array);
        }
        Ok(all)
    }
}

#[pymethods]
impl Stream {
    /// One step: inputs of one step, without axes for steps and batch, in; outputs of that step out.
    fn step<'py>(&self, py: Python<'py>, arrays: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let input = self.gathered(&Given::of(arrays, Width::Single)?)?;
        let output = py.detach(|| {
            let mut running = self.lock();
            let Running { stream, input: buffer, output } = &mut *running;
            buffer.copy_from_slice(&input);
            stream.step(buffer, output).map(|()| output.clone())
        });
        let output = output.map_err(raised)?;
        let dict = PyDict::new(py);
        for part in &self.outputs {
            let values = output.get(part.start..part.start + part.len()).unwrap_or_default().to_vec();
            let array = ArrayD::from_shape_vec(IxDyn(&part.shape), values)
                .map_err(|e| PyValueError::new_err(e.to_string()))?;
            dict.set_item(&part.name, array.into_pyarray(py))?;
        }
        Ok(dict)
    }

    /// Changes parameters; states stay as they are.
    fn set_params(&self, py: Python<'_>, arrays: &Bound<'_, PyAny>) -> PyResult<()> {
        let given = Given::of(arrays, Width::Single)?;
        let arrays = given.arrays()?;
        py.detach(|| self.lock().stream.set_params(&arrays)).map_err(raised)
    }

    /// Begins anew, with the initial states.
    fn restart(&self, py: Python<'_>) {
        py.detach(|| self.lock().stream.restart());
    }

    /// Names and shapes of what a step takes.
    #[getter]
    fn inputs(&self) -> Vec<(String, Vec<usize>)> {
        self.inputs.iter().map(|p| (p.name.clone(), p.shape.clone())).collect()
    }

    /// Names and shapes of what a step gives.
    #[getter]
    fn outputs(&self) -> Vec<(String, Vec<usize>)> {
        self.outputs.iter().map(|p| (p.name.clone(), p.shape.clone())).collect()
    }

    fn __repr__(&self) -> String {
        let shown = |parts: &[Part]| -> String {
            parts.iter().map(|p| format!("{} : {:?}", p.name, p.shape)).collect::<Vec<_>>().join(", ")
        };
        format!("Stream({} -> {})", shown(&self.inputs), shown(&self.outputs))
    }
}
