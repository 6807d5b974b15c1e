//! Named arrays in files, read from bytes: npz, safetensors, what PyTorch, ONNX and amplifier models store ([`formats`]). Written
//! are npz and safetensors. [`arranged`] makes a cell's arrays of another library's, and the other way round.
//!
//! In: the bytes of a file, or arrays. Out: [`Arrays`], or bytes. Files themselves
//! are the business of `cli`. Invariant: nothing here allocates more than the bytes that
//! were really there ask for, nor more than a bound the caller gives; a damaged file gives a diagnostic.

pub mod arranged;
pub mod elements;
pub mod errors;
pub mod find;
pub mod foreign;
pub mod formats;
pub mod json;
pub mod npz;
pub mod onnx;
pub mod safetensors;
pub mod torch;
pub mod trees;

pub use find::{Finder, Misfit, What};

use crate::diag::Diagnostic;
use std::collections::BTreeMap;

/// Elements of one of the accepted types, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    I64(Vec<i64>),
}

impl Data {
    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::F64(v) => v.len(),
            Data::I32(v) => v.len(),
            Data::I64(v) => v.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some elements; none if there are not that many.
    pub fn part(&self, range: std::ops::Range<usize>) -> Data {
        fn cut<T: Clone>(v: &[T], range: std::ops::Range<usize>) -> Vec<T> {
            v.get(range).unwrap_or_default().to_vec()
        }
        match self {
            Data::F32(v) => Data::F32(cut(v, range)),
            Data::F64(v) => Data::F64(cut(v, range)),
            Data::I32(v) => Data::I32(cut(v, range)),
            Data::I64(v) => Data::I64(cut(v, range)),
        }
    }
}

/// One array. The product of `shape` is the number of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Data,
}

impl Array {
    pub fn f32(shape: Vec<usize>, data: Vec<f32>) -> Array {
        Array { shape, data: Data::F32(data) }
    }

    pub fn from_f64(array: &ndarray::ArrayD<f64>) -> Array {
        Array { shape: array.shape().to_vec(), data: Data::F64(array.iter().copied().collect()) }
    }

    pub fn to_f32(&self) -> Vec<f32> {
        match &self.data {
            Data::F32(v) => v.clone(),
            Data::F64(v) => v.iter().map(|x| *x as f32).collect(),
            Data::I32(v) => v.iter().map(|x| *x as f32).collect(),
            Data::I64(v) => v.iter().map(|x| *x as f32).collect(),
        }
    }

    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Data::F64(v) => v.clone(),
            Data::I32(v) => v.iter().map(|x| f64::from(*x)).collect(),
            Data::I64(v) => v.iter().map(|x| *x as f64).collect(),
        }
    }

    pub fn to_ndarray(&self) -> Option<ndarray::ArrayD<f64>> {
        ndarray::ArrayD::from_shape_vec(self.shape.clone(), self.to_f64()).ok()
    }
}

/// Arrays by name, in the order of names.
pub type Arrays = BTreeMap<String, Array>;

/// What the arrays of one file may still take in memory.
#[derive(Clone, Copy, Debug)]
pub struct Budget<'f> {
    file: &'f str,
    most: u64,
    left: u64,
}

impl<'f> Budget<'f> {
    pub fn new(file: &'f str, most: u64) -> Budget<'f> {
        Budget { file, most, left: most }
    }

    /// Called before the memory is taken.
    pub fn take(&mut self, bytes: u64) -> Result<(), Diagnostic> {
        let used = self.most - self.left;
        let too_large = || errors::too_large(self.file, used.saturating_add(bytes), self.most);
        self.left = self.left.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }
}

/// The number of elements, unless it does not fit.
pub fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))
}

/// `[256, 64]`, for messages.
pub fn show(shape: &[usize]) -> String {
    let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", dims.join(", "))
}
