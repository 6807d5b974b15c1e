//! Parameters: arrays by name, from and to files.

use super::error::{Error, Result};
use super::errors;
use crate::diag::Diagnostic;
use crate::files;
use crate::limits::Limits;
use crate::weights::formats::{self, Output};
use crate::weights::{Array, Arrays};
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;
use std::path::Path;

/// Parameters under the names they are declared with, those of inner instances with a dot (`enc.W`); or any other arrays.
///
/// Read are safetensors, npz, PyTorch's `state_dict`, ONNX initialisers and JSON of amplifier models, told by their first bytes; written
/// are `.safetensors` and `.npz`, by the ending of the name. What is read holds whatever the file does; that names and shapes suit
/// a recipe is checked where they are given to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    all: BTreeMap<String, ArrayD<f32>>,
}

impl Params {
    pub fn new() -> Params {
        Params::default()
    }

    /// Reads a file of at most [`Limits::file`] bytes.
    ///
    /// # Errors
    /// A file that is damaged, too large, of another kind, or not there. Numbers of 64 bits are rounded.
    pub fn read(path: impl AsRef<Path>) -> Result<Params> {
        Params::read_within(path, &Limits::DEFAULT)
    }

    /// [`Params::read`] within other limits.
    ///
    /// # Errors
    /// As [`Params::read`].
    pub fn read_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Params> {
        let path = path.as_ref();
        let read = || -> std::result::Result<Params, Diagnostic> {
            let bytes = files::read(path, limits.file)?;
            Params::of(formats::read_within(&path.display().to_string(), &bytes, limits.unpacked)?.arrays)
        };
        read().map_err(Error::plain)
    }

    /// Writes a file whole: either all of it is there afterwards, or what was there before.
    ///
    /// # Errors
    /// A name with another ending; a place that cannot be written to.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let write = || -> std::result::Result<(), Diagnostic> {
            let output = Output::of(&path.display().to_string())?;
            let one = |(name, a): (&String, &ArrayD<f32>)| {
                (name.clone(), Array::f32(a.shape().to_vec(), a.iter().copied().collect()))
            };
            let arrays: Arrays = self.all.iter().map(one).collect();
            files::replace(path, &output.bytes(&arrays)?, |file| file)
        };
        write().map_err(Error::plain)
    }

    pub(super) fn of(arrays: Arrays) -> std::result::Result<Params, Diagnostic> {
        let one = |(name, array): (String, Array)| Ok((name, Params::array(&array.shape, array.to_f32())?));
        Ok(Params { all: arrays.into_iter().map(one).collect::<std::result::Result<_, Diagnostic>>()? })
    }

    pub(super) fn array(shape: &[usize], values: Vec<f32>) -> std::result::Result<ArrayD<f32>, Diagnostic> {
        let found = values.len();
        ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|_| errors::not_one(shape, found))
    }

    pub fn get(&self, name: &str) -> Option<&ArrayD<f32>> {
        self.all.get(name)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut ArrayD<f32>> {
        self.all.get_mut(name)
    }

    /// Adds an array; gives back the one that had its name.
    pub fn insert(&mut self, name: impl Into<String>, array: ArrayD<f32>) -> Option<ArrayD<f32>> {
        self.all.insert(name.into(), array)
    }

    /// In the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ArrayD<f32>)> {
        self.all.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// In the order of names.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut ArrayD<f32>)> {
        self.all.iter_mut().map(|(name, array)| (name.as_str(), array))
    }

    /// Number of arrays.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl IntoIterator for Params {
    type Item = (String, ArrayD<f32>);
    type IntoIter = std::collections::btree_map::IntoIter<String, ArrayD<f32>>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl FromIterator<(String, ArrayD<f32>)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, ArrayD<f32>)>>(arrays: I) -> Params {
        Params { all: arrays.into_iter().collect() }
    }
}
