//! What goes in and comes out of a recipe.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rnnc::api::{Elements, Kind};
use std::fmt::Write;

/// An array that goes in or comes out.
///
/// Its shape is one extent for each of `axes`, then the batch if `per_example`, then `dims`.
///
/// >>> import rnnc
/// >>> port = rnnc.Library.standard().recipe("LSTM(3, 4)").inputs[0]
/// >>> port
/// Port(x : [n, batch, 3])
/// >>> port.kind, port.axes, port.per_example, port.extents, port.elements
/// ('input', ('n',), True, (3,), 'real')
#[pyclass(frozen, eq, module = "rnnc")]
#[derive(Clone, PartialEq)]
pub struct Port {
    inner: rnnc::api::Port,
}

pub fn ports(all: Vec<rnnc::api::Port>) -> Vec<Port> {
    all.into_iter().map(|inner| Port { inner }).collect()
}

#[pymethods]
impl Port {
    /// Its name in the equations; gradients and cotangents are called `NAME_adj`.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    /// `input`, `param`, `initial`, `noise` or `output`.
    #[getter]
    fn kind(&self) -> &'static str {
        kind(&self.inner.kind)
    }

    /// The extents of the domain it has values over, such as `n` of a chain; of a grid two.
    #[getter]
    fn axes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.axes)
    }

    /// Whether each example has a value of its own.
    #[getter]
    fn per_example(&self) -> bool {
        self.inner.per_example
    }

    /// The extents of one value: numbers, or expressions in the recipe's open dimensions.
    #[getter]
    fn dims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.dims)
    }

    /// The same as numbers; `None` if they are not.
    #[getter]
    fn extents<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.inner.extents().map(|extents| PyTuple::new(py, extents)).transpose()
    }

    /// `real`, `bool` (0 or 1) or `id` (whole numbers from 0, less than `symbols`).
    #[getter]
    fn elements(&self) -> &'static str {
        match self.inner.elements {
            Elements::Real => "real",
            Elements::Bool => "bool",
            Elements::Id(_) => "id",
        }
    }

    /// How many symbols there are, of `id`s.
    #[getter]
    fn symbols(&self) -> Option<u64> {
        match &self.inner.elements {
            Elements::Id(count) => count.parse().ok(),
            _ => None,
        }
    }

    /// Of an initial value: the name of the state.
    #[getter]
    fn state(&self) -> Option<&str> {
        match &self.inner.kind {
            Kind::Initial(state) => Some(state),
            _ => None,
        }
    }

    fn __repr__(&self) -> String {
        format!("Port({})", self.inner)
    }
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Input => "input",
        Kind::Parameter => "param",
        Kind::Initial(_) => "initial",
        Kind::Noise => "noise",
        Kind::Output => "output",
    }
}

/// A heading, and a line for each port.
pub fn table(heading: &str, ports: &[rnnc::api::Port]) -> String {
    let shown: Vec<(String, String)> = ports
        .iter()
        .filter_map(|p| {
            p.to_string().split_once(" : ").map(|(name, shape)| (name.to_string(), shape.to_string()))
        })
        .collect();
    let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = heading.to_string();
    for (port, (name, shape)) in ports.iter().zip(&shown) {
        let elements = match &port.elements {
            Elements::Real => String::new(),
            Elements::Bool => " of 0 or 1".to_string(),
            Elements::Id(count) => format!(" of ids below {count}"),
        };
        let optional = if matches!(port.kind, Kind::Initial(_)) { ", may be left out" } else { "" };
        let _ = write!(text, "\n  {:<8} {name:<width$}  {shape}{elements}{optional}", kind(&port.kind));
    }
    text
}
