//! Errors of the library as exceptions.
//!
//! The classes are Python's (`rnnc/_errors.py`): `Error` is a `ValueError`, `DtypeError` a `TypeError` besides. A file that cannot be
//! opened is an `OSError` as everywhere.

use pyo3::PyErr;
use pyo3::exceptions::{PyKeyError, PyOSError};
use pyo3::prelude::*;
use rnnc::api::{Error, Problem};
use std::fs::File;
use std::path::Path;

mod classes {
    pyo3::import_exception!(rnnc._errors, DtypeError);
    pyo3::import_exception!(rnnc._errors, Error);
}

/// Arrays whose elements are of another kind than is needed: `E0704` real numbers and whole ones, `E0715` widths.
const OF_ELEMENTS: [&str; 2] = ["E0704", "E0715"];

/// Code, sentence, help, file, line, column, and all of it as the command line shows it.
type Fields = (&'static str, String, Option<String>, Option<String>, Option<usize>, Option<usize>, String);

fn fields(problem: &Problem) -> Fields {
    let place = problem.place.as_ref();
    (
        problem.code,
        problem.message.clone(),
        problem.help.clone(),
        place.map(|p| p.path.clone()),
        place.map(|p| p.line),
        place.map(|p| p.column),
        problem.rendered.clone(),
    )
}

pub fn raised(error: Error) -> PyErr {
    let problems: Vec<Fields> = error.problems().iter().map(fields).collect();
    match problems.iter().all(|p| OF_ELEMENTS.contains(&p.0)) {
        true => classes::DtypeError::new_err((problems,)),
        false => classes::Error::new_err((problems,)),
    }
}

/// An array of elements that are not taken, whatever it is for.
pub fn wrong_elements(name: &str, is: &str, help: &str) -> PyErr {
    let message = format!("array `{name}` is {is}");
    let rendered = format!("error[E0704]: {message}\n  help: {help}\n");
    let problem: Fields = ("E0704", message, Some(help.to_string()), None, None, None, rendered);
    classes::DtypeError::new_err((vec![problem],))
}

/// If a file is not there or may not be read, the exception that `open` would raise.
pub fn openable(path: &Path) -> PyResult<()> {
    let opened =
        std::fs::metadata(path).and_then(|m| if m.is_file() { File::open(path).map(drop) } else { Ok(()) });
    let Err(error) = opened else { return Ok(()) };
    let Some(number) = error.raw_os_error() else { return Err(error.into()) };
    // With the name of the file, as Python has it; the number makes it a FileNotFoundError, for one.
    let text = error.to_string();
    let text = text.rsplit_once(" (os error").map_or(&*text, |(text, _)| text).to_string();
    Err(PyOSError::new_err((number, text, path.as_os_str().to_owned())))
}

/// What the code of an error means.
#[pyfunction]
pub fn explain(code: &str) -> PyResult<String> {
    rnnc::api::explain(code).ok_or_else(|| PyKeyError::new_err(code.to_string()))
}
