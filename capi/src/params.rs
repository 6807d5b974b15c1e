//! Parameters: drawn, read, written, looked at.
#![allow(unsafe_code)] // Functions for C.

use crate::cell::rnnc_cell;
use crate::error::rnnc_error;
use crate::guard::{at, free, give, handle, handle_mut, put, refused, slice_mut, text, to_c};
use rnnc::api::{Error, Params};
use std::ffi::{CString, c_char};

/// Parameters under the names they are declared with.
#[allow(non_camel_case_types)]
pub struct rnnc_params {
    pub(crate) params: Params,
    names: Vec<CString>,
}

impl rnnc_params {
    fn new(params: Params) -> rnnc_params {
        rnnc_params { names: params.iter().map(|(name, _)| to_c(name)).collect(), params }
    }
}

/// Draws them as they are declared; the same seed gives the same numbers everywhere.
///
/// # Safety
/// `cell` is a handle, `out` a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_init(
    cell: *const rnnc_cell,
    seed: u64,
    out: *mut *mut rnnc_params,
) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { give(out, rnnc_params::new(handle(cell, "cell")?.cell.init(seed)?), "out") })
}

/// Reads a file of weights: safetensors, npz, PyTorch's `state_dict`, ONNX, JSON of amplifier models, told by its first bytes.
///
/// # Safety
/// `path` is a text, `out` a place for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_read(
    path: *const c_char,
    out: *mut *mut rnnc_params,
) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { give(out, rnnc_params::new(Params::read(text(path, "path")?)?), "out") })
}

/// Writes a `.safetensors` or `.npz` file whole: either all of it is there afterwards, or what was there before.
///
/// # Safety
/// `params` is a handle, `path` a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_write(
    params: *const rnnc_params,
    path: *const c_char,
) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { handle(params, "params")?.params.write(text(path, "path")?) })
}

/// How many there are. Of NULL: 0.
///
/// # Safety
/// `params` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_count(params: *const rnnc_params) -> usize {
    // SAFETY: the caller's promise.
    unsafe { params.as_ref() }.map_or(0, |p| p.names.len())
}

/// The name of one, counted from 0; NULL if there are fewer.
///
/// # Safety
/// `params` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_name(params: *const rnnc_params, index: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { params.as_ref() }.map_or(std::ptr::null(), |p| at(&p.names, index))
}

/// The elements of one, to be read or changed, and their number. They are there until the parameters are freed.
///
/// # Safety
/// `params` is a handle that no other thread uses while elements are changed, `name` a text, `values` and `count` are places.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_values(
    params: *mut rnnc_params,
    name: *const c_char,
    values: *mut *mut f32,
    count: *mut usize,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (params, name) = unsafe { (handle_mut(params, "params")?, text(name, "name")?) };
        let array = params.params.get_mut(name).and_then(|a| a.as_slice_mut());
        let array = array.ok_or_else(|| Error::of_caller(format!("there is no parameter `{name}`")))?;
        // SAFETY: the caller's promise.
        unsafe {
            put(count, array.len(), "count")?;
            put(values, array.as_mut_ptr(), "values")
        }
    })
}

/// Copies the elements of one, of which there are `count`.
///
/// # Safety
/// `params` is a handle, `name` a text, `to` a place for `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_copy(
    params: *const rnnc_params,
    name: *const c_char,
    to: *mut f32,
    count: usize,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (params, name, to) =
            unsafe { (handle(params, "params")?, text(name, "name")?, slice_mut(to, count, "to")?) };
        let array = params.params.get(name);
        let array = array.ok_or_else(|| Error::of_caller(format!("there is no parameter `{name}`")))?;
        if array.len() != count {
            return Err(Error::of_caller(format!("`{name}` has {} elements, not {count}", array.len())));
        }
        to.iter_mut().zip(array).for_each(|(to, x)| *to = *x);
        Ok(())
    })
}

/// # Safety
/// A handle that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_params_free(params: *mut rnnc_params) {
    // SAFETY: the caller's promise.
    unsafe { free(params) }
}
