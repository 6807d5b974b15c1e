//! Arrays of Python for a call, and results as arrays of Python.
//!
//! In: a mapping of names to arrays, or to what numpy makes arrays of. Contiguous arrays of `float32`, `float64`, `int32` and `int64` are
//! read where they are, and kept alive for the call; others are copied. Whoever writes to an array while another thread's call
//! reads it gets numbers of before and after, as with numpy itself.

use crate::error::{raised, wrong_elements};
use numpy::ndarray::ArrayD;
use numpy::{
    Element, IntoPyArray, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyMapping, PyTuple};
use rnnc::api::{Arrays, Outputs, View};

/// What numbers of Python that have no width of their own become: lists, and `float`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Single,
    Double,
}

impl Width {
    fn name(self) -> &'static str {
        match self {
            Width::Single => "float32",
            Width::Double => "float64",
        }
    }
}

enum Held<'py> {
    F32(PyReadonlyArrayDyn<'py, f32>),
    F64(PyReadonlyArrayDyn<'py, f64>),
    I32(PyReadonlyArrayDyn<'py, i32>),
    I64(PyReadonlyArrayDyn<'py, i64>),
}

/// Arrays that are held for a call.
pub struct Given<'py> {
    all: Vec<(String, Held<'py>)>,
}

impl<'py> Given<'py> {
    pub fn of(arrays: &Bound<'py, PyAny>, width: Width) -> PyResult<Given<'py>> {
        let mut all = Vec::new();
        let mut add = |name: Bound<'py, PyAny>, value: &Bound<'py, PyAny>| -> PyResult<()> {
            let name: String =
                name.extract().map_err(|_| PyTypeError::new_err(format!("{name} is no name of an array")))?;
            let held = held(&name, value, width)?;
            all.push((name, held));
            Ok(())
        };
        match arrays.cast::<PyDict>() {
            Ok(arrays) => arrays.iter().try_for_each(|(name, value)| add(name, &value))?,
            Err(_) => {
                let arrays = arrays.cast::<PyMapping>().map_err(|_| not_named(arrays))?;
                for pair in arrays.items()?.iter() {
                    let (name, value): (Bound<PyAny>, Bound<PyAny>) = pair.extract()?;
                    add(name, &value)?;
                }
            }
        }
        Ok(Given { all })
    }

    pub fn none() -> Given<'py> {
        Given { all: Vec::new() }
    }

    /// Views of them.
    pub fn arrays(&self) -> PyResult<Arrays<'_>> {
        let mut arrays = Arrays::new();
        for (name, held) in &self.all {
            arrays.set(name.as_str(), held.view()?);
        }
        Ok(arrays)
    }

    /// Where each of them lies, and its extents.
    pub fn places(&self) -> Vec<(String, usize, Vec<usize>)> {
        self.all.iter().map(|(name, held)| (name.clone(), held.address(), held.shape().to_vec())).collect()
    }

    /// An array of numbers of single precision, or of whole numbers as such; nothing if it is not given.
    pub fn singles(&self, name: &str) -> PyResult<Option<ArrayD<f32>>> {
        let Some((_, held)) = self.all.iter().find(|(n, _)| n == name) else { return Ok(None) };
        held.singles().map(Some).ok_or_else(|| {
            let help = format!("give `{name}` as {name}.astype(np.float32)");
            wrong_elements(name, "of type float64, but float32 is needed", &help)
        })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| name.as_str())
    }
}

fn not_named(arrays: &Bound<PyAny>) -> PyErr {
    let is = arrays.get_type().name().map_or_else(|_| "something".to_string(), |n| n.to_string());
    PyTypeError::new_err(format!("arrays are given by name, in a dict such as {{\"x\": x}}, not as {is}"))
}

impl Held<'_> {
    fn view(&self) -> PyResult<View<'_>> {
        fn one<'a, E: Element + rnnc::api::Element>(a: &'a PyReadonlyArrayDyn<E>) -> PyResult<View<'a>> {
            View::new(a.shape(), a.as_slice()?).map_err(raised)
        }
        match self {
            Held::F32(a) => one(a),
            Held::F64(a) => one(a),
            Held::I32(a) => one(a),
            Held::I64(a) => one(a),
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Held::F32(a) => a.shape(),
            Held::F64(a) => a.shape(),
            Held::I32(a) => a.shape(),
            Held::I64(a) => a.shape(),
        }
    }

    fn address(&self) -> usize {
        match self {
            Held::F32(a) => a.data().addr(),
            Held::F64(a) => a.data().addr(),
            Held::I32(a) => a.data().addr(),
            Held::I64(a) => a.data().addr(),
        }
    }

    /// Nothing of numbers of double precision: that they lose digits is not for us to decide.
    fn singles(&self) -> Option<ArrayD<f32>> {
        match self {
            Held::F32(a) => Some(a.as_array().to_owned()),
            Held::F64(_) => None,
            Held::I32(a) => Some(a.as_array().mapv(|x| x as f32)),
            Held::I64(a) => Some(a.as_array().mapv(|x| x as f32)),
        }
    }
}

/// Holds an array as it is, if it can be read where it lies.
fn held<'py>(name: &str, value: &Bound<'py, PyAny>, width: Width) -> PyResult<Held<'py>> {
    if let Some(held) = value.cast::<PyUntypedArray>().ok().map(in_place).transpose()?.flatten() {
        return Ok(held);
    }
    let array = converted(name, value, width)?;
    in_place(&array)?.ok_or_else(|| refused(name, &array))
}

fn in_place<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Option<Held<'py>>> {
    if !array.is_c_contiguous() || !array.is_aligned() {
        return Ok(None);
    }
    // Another type is most often one of these, in this order.
    if let Ok(array) = array.cast::<PyArrayDyn<f32>>() {
        return Ok(Some(Held::F32(array.try_readonly()?)));
    }
    if let Ok(array) = array.cast::<PyArrayDyn<i64>>() {
        return Ok(Some(Held::I64(array.try_readonly()?)));
    }
    if let Ok(array) = array.cast::<PyArrayDyn<f64>>() {
        return Ok(Some(Held::F64(array.try_readonly()?)));
    }
    if let Ok(array) = array.cast::<PyArrayDyn<i32>>() {
        return Ok(Some(Held::I32(array.try_readonly()?)));
    }
    Ok(None)
}

/// An array in rows, of a type that is taken, with the same numbers.
fn converted<'py>(
    name: &str,
    value: &Bound<'py, PyAny>,
    width: Width,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = value.py();
    if value.is_none() {
        return Err(PyTypeError::new_err(format!("array `{name}` is None; leave it out")));
    }
    let numpy = py.import(intern!(py, "numpy"))?;
    let array = numpy.call_method1(intern!(py, "asarray"), (value,))?;
    let array = array.cast_into::<PyUntypedArray>().map_err(PyErr::from)?;
    let dtype = array.dtype();
    let has_own_width = !is_plain(value);
    let wanted = match (dtype.kind(), dtype.itemsize()) {
        (b'f', 4) => "float32",
        (b'f', 8) if has_own_width => "float64",
        (b'f', 8) => width.name(),
        (b'i', 4) => "int32",
        // Whole numbers that all fit.
        (b'b' | b'i', _) => "int64",
        (b'u', size) if size < 8 => "int64",
        _ => return Err(refused(name, &array)),
    };
    let array = numpy.call_method1(intern!(py, "require"), (array, wanted, ["C", "A"]))?;
    array.cast_into::<PyUntypedArray>().map_err(PyErr::from)
}

/// Whether it is made of numbers of Python itself.
fn is_plain(value: &Bound<PyAny>) -> bool {
    value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyTuple>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyInt>()
}

fn refused(name: &str, array: &Bound<PyUntypedArray>) -> PyErr {
    let help = format!("give `{name}` as np.float32, whole numbers as np.int64");
    wrong_elements(name, &format!("of type {}", array.dtype()), &help)
}

/// Results, by name, without a copy.
pub fn results<E: Element>(py: Python<'_>, outputs: Outputs<E>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (name, array) in outputs {
        dict.set_item(name, array.into_pyarray(py))?;
    }
    Ok(dict)
}
