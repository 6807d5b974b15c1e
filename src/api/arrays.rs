//! Arrays that are given to a call, by name: views of the caller's memory.

use super::error::{Error, Result};
use super::errors;
use super::params::Params;
use crate::weights::{Array, Data, count};
use ndarray::{Array as Owned, ArrayD, ArrayView, ArrayViewD, Dimension};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A given array: a shape, and elements in rows. Made of an [`ndarray`] view or array, or of a slice.
#[derive(Clone, Debug)]
pub struct View<'a> {
    shape: Vec<usize>,
    pub(super) data: Cells<'a>,
}

#[derive(Clone, Debug)]
#[doc(hidden)]
pub enum Cells<'a> {
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
    I32(Cow<'a, [i32]>),
    I64(Cow<'a, [i64]>),
}

/// An element of a given array: `f32`, `f64`, `i32` or `i64`.
pub trait Element: Copy + Sized + 'static {
    #[doc(hidden)]
    fn cells(values: Cow<'_, [Self]>) -> Cells<'_>;
}

macro_rules! elements {
    ($($element:ty => $variant:ident),*) => {$(
        impl Element for $element {
            fn cells(values: Cow<'_, [Self]>) -> Cells<'_> {
                Cells::$variant(values)
            }
        }
    )*};
}

elements!(f32 => F32, f64 => F64, i32 => I32, i64 => I64);

impl<'a, E: Element, D: Dimension> From<ArrayView<'a, E, D>> for View<'a> {
    /// In place if it is contiguous; else its elements are copied.
    fn from(view: ArrayView<'a, E, D>) -> Self {
        let shape = view.shape().to_vec();
        let values = match view.to_slice() {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(view.iter().copied().collect()),
        };
        View { shape, data: E::cells(values) }
    }
}

impl<'a, E: Element, D: Dimension> From<&'a Owned<E, D>> for View<'a> {
    fn from(array: &'a Owned<E, D>) -> Self {
        array.view().into()
    }
}

impl<E: Element, D: Dimension> From<Owned<E, D>> for View<'_> {
    fn from(array: Owned<E, D>) -> Self {
        let shape = array.shape().to_vec();
        let values = array.iter().copied().collect();
        View { shape, data: E::cells(Cow::Owned(values)) }
    }
}

impl<'a> View<'a> {
    /// Of elements in rows, in place.
    ///
    /// # Errors
    /// Another number of elements than the shape has.
    pub fn new<E: Element>(shape: &[usize], values: &'a [E]) -> Result<View<'a>> {
        if count(shape) != Some(values.len()) {
            return Err(Error::plain(errors::not_one(shape, values.len())));
        }
        Ok(View { shape: shape.to_vec(), data: E::cells(Cow::Borrowed(values)) })
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The same, as the readers of files have it.
    pub(super) fn to_array(&self) -> Array {
        let data = match &self.data {
            Cells::F32(a) => Data::F32(a.to_vec()),
            Cells::F64(a) => Data::F64(a.to_vec()),
            Cells::I32(a) => Data::I32(a.to_vec()),
            Cells::I64(a) => Data::I64(a.to_vec()),
        };
        Array { shape: self.shape.clone(), data }
    }

    /// As numbers of 64 bits.
    pub(super) fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Cells::F32(a) => a.iter().map(|x| f64::from(*x)).collect(),
            Cells::F64(a) => a.to_vec(),
            Cells::I32(a) => a.iter().map(|x| f64::from(*x)).collect(),
            Cells::I64(a) => a.iter().map(|x| *x as f64).collect(),
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self.data, Cells::I32(_) | Cells::I64(_))
    }
}

/// What a call is given, by name, with the conventions of `rnnc run`.
///
/// Inputs over a chain are `[steps, batch, ...]`, over a grid `[rows, columns, batch, ...]`, values with one per example
/// `[batch, ...]`, parameters as they are declared, initial states `NAME0` `[batch, ...]`. Integers are symbols. Unequal lengths are
/// `lengths` `[batch]` (of a grid `[batch, axes]`), or `lengths_n` for the chain with extent `n`; trees are `children` `[batch,
/// nodes, edges]`, -1 where there is no child. Contiguous arrays are read in place, others are copied when they are given.
///
/// ```
/// use ndarray::{Array3, array};
/// use rnnc::api::Arrays;
/// let x = Array3::<f32>::zeros((5, 2, 3));
/// let given = Arrays::new().with("x", &x).with("lengths", array![5i64, 3]);
/// assert_eq!(given.names().collect::<Vec<_>>(), ["lengths", "x"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Arrays<'a> {
    all: BTreeMap<String, View<'a>>,
    noise: Option<(u64, u64)>,
}

impl<'a> Arrays<'a> {
    pub fn new() -> Arrays<'a> {
        Arrays::default()
    }

    /// Gives an array; one of the same name is replaced.
    pub fn set(&mut self, name: impl Into<String>, array: impl Into<View<'a>>) -> &mut Self {
        self.all.insert(name.into(), array.into());
        self
    }

    /// [`Arrays::set`], for chains of calls.
    pub fn with(mut self, name: impl Into<String>, array: impl Into<View<'a>>) -> Arrays<'a> {
        self.set(name, array);
        self
    }

    /// Gives all parameters.
    pub fn params(mut self, params: &'a Params) -> Arrays<'a> {
        for (name, array) in params.iter() {
            self.set(name, array.view());
        }
        self
    }

    /// Noise that is not given is drawn from a seed; `run` counts the runs, as each has its own noise.
    pub fn seed(mut self, seed: u64, run: u64) -> Arrays<'a> {
        self.noise = Some((seed, run));
        self
    }

    pub fn get(&self, name: &str) -> Option<&View<'a>> {
        self.all.get(name)
    }

    /// In the order of names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    pub(super) fn noise(&self) -> Option<(u64, u64)> {
        self.noise
    }
}

/// Arrays that came out of a call, in the order of [`Compiled::outputs`](super::Compiled::outputs), or of what was differentiated by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs<E = f32> {
    all: Vec<(String, ArrayD<E>)>,
}

impl<E> Outputs<E> {
    pub(super) fn new(all: Vec<(String, ArrayD<E>)>) -> Outputs<E> {
        Outputs { all }
    }

    pub fn get(&self, name: &str) -> Option<&ArrayD<E>> {
        self.all.iter().find(|(n, _)| n == name).map(|(_, a)| a)
    }

    /// Takes an array out.
    pub fn take(&mut self, name: &str) -> Option<ArrayD<E>> {
        let at = self.all.iter().position(|(n, _)| n == name)?;
        Some(self.all.remove(at).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, ArrayViewD<'_, E>)> {
        self.all.iter().map(|(n, a)| (n.as_str(), a.view()))
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// Arrays of one's own, such as gradients that another system has summed.
impl<E> FromIterator<(String, ArrayD<E>)> for Outputs<E> {
    fn from_iter<I: IntoIterator<Item = (String, ArrayD<E>)>>(arrays: I) -> Outputs<E> {
        Outputs { all: arrays.into_iter().collect() }
    }
}

impl<E> std::ops::Index<&str> for Outputs<E> {
    type Output = ArrayD<E>;

    /// # Panics
    /// If nothing came out under that name; [`Outputs::get`] does not.
    fn index(&self, name: &str) -> &ArrayD<E> {
        match self.get(name) {
            Some(array) => array,
            None => panic!("nothing came out as `{name}`"),
        }
    }
}

impl<E> IntoIterator for Outputs<E> {
    type Item = (String, ArrayD<E>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}
