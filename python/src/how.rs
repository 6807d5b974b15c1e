//! Options of a compilation, from keywords and back.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use rnnc::api::{Limits, Options};

/// How a recipe is compiled and run.
#[derive(Clone)]
pub struct How {
    pub gradients: bool,
    pub wrt: Option<Vec<String>>,
    pub threads: usize,
    pub reproducible: bool,
    pub interpret: bool,
    pub max_memory: Option<u64>,
}

impl How {
    /// Of the keywords of a call.
    pub fn of(keywords: Option<&Bound<PyDict>>) -> PyResult<How> {
        let mut how = How {
            gradients: true,
            wrt: None,
            threads: 1,
            reproducible: false,
            interpret: false,
            max_memory: None,
        };
        for (name, value) in keywords.into_iter().flatten() {
            let name = name.cast_into::<PyString>().map_err(PyErr::from)?;
            let result = how.set(&name.to_cow()?, &value);
            result.map_err(|e| PyTypeError::new_err(format!("keyword `{name}`: {e}")))?;
        }
        Ok(how)
    }

    fn set(&mut self, name: &str, value: &Bound<PyAny>) -> PyResult<()> {
        match name {
            "gradients" => self.gradients = value.extract()?,
            "wrt" => self.wrt = value.extract()?,
            "threads" => self.threads = value.extract()?,
            "reproducible" => self.reproducible = value.extract()?,
            "interpret" => self.interpret = value.extract()?,
            "max_memory" => self.max_memory = value.extract()?,
            _ => return Err(PyTypeError::new_err("there is no such option of a compilation")),
        }
        Ok(())
    }

    /// The keywords of a call that has the same options.
    pub fn keywords<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let How { gradients, wrt, threads, reproducible, interpret, max_memory } = self;
        let keywords = PyDict::new(py);
        keywords.set_item("gradients", gradients)?;
        keywords.set_item("wrt", wrt.as_ref())?;
        keywords.set_item("threads", threads)?;
        keywords.set_item("reproducible", reproducible)?;
        keywords.set_item("interpret", interpret)?;
        keywords.set_item("max_memory", max_memory)?;
        Ok(keywords)
    }

    pub fn options(&self) -> Options {
        Options {
            gradients: self.gradients,
            wrt: self.wrt.clone(),
            threads: self.threads,
            reproducible: self.reproducible,
            interpret: self.interpret,
            limits: self.max_memory.map(|memory| Limits { memory, ..Limits::DEFAULT }),
            ..Options::default()
        }
    }
}
