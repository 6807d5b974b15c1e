//! Arrays that are given to calls.
#![allow(unsafe_code)] // Functions for C.

use crate::error::rnnc_error;
use crate::guard::{Refusable, free, handle, handle_mut, refused, slice, text};
use crate::params::rnnc_params;
use rnnc::api::{Arrays, Element, View};
use std::ffi::c_char;

/// Named arrays for a call: inputs, parameters, initial states, lengths, or cotangents. The caller's memory is read in place
/// with every call, so it must stay until the arrays are freed or replaced.
#[allow(non_camel_case_types)]
#[derive(Default)]
pub struct rnnc_arrays {
    /// Of the caller's memory, which lives as long (the rule above).
    pub(crate) arrays: Arrays<'static>,
}

/// # Safety
/// As the functions below say.
unsafe fn set<E: Element>(
    arrays: *mut rnnc_arrays,
    name: *const c_char,
    values: *const E,
    count: usize,
    shape: *const usize,
    rank: usize,
) -> Refusable {
    // SAFETY: the caller's promises, of which one is that the values stay until the arrays are freed.
    let (arrays, name, values, shape): (_, _, &'static [E], _) = unsafe {
        (
            handle_mut(arrays, "arrays")?,
            text(name, "name")?,
            slice(values, count, "values")?,
            slice(shape, rank, "shape")?,
        )
    };
    arrays.arrays.set(name, View::new(shape, values)?);
    Ok(())
}

/// None yet.
#[unsafe(no_mangle)]
pub extern "C" fn rnnc_arrays_new() -> *mut rnnc_arrays {
    Box::into_raw(Box::default())
}

// Three functions, one for each type of elements, and no macro: the header is made of what stands here.

/// Gives an array of numbers: `count` elements, which is the product of the `rank` extents of `shape`. One of the same name is
/// replaced.
///
/// # Safety
/// `arrays` is a handle, `name` a text; `values` has `count` elements and stays until the arrays are freed or the array is
/// replaced; `shape` has `rank` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_arrays_f32(
    arrays: *mut rnnc_arrays,
    name: *const c_char,
    values: *const f32,
    count: usize,
    shape: *const usize,
    rank: usize,
) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { set(arrays, name, values, count, shape, rank) })
}

/// The same for whole numbers: symbols, lengths, children.
///
/// # Safety
/// As for rnnc_arrays_f32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_arrays_i32(
    arrays: *mut rnnc_arrays,
    name: *const c_char,
    values: *const i32,
    count: usize,
    shape: *const usize,
    rank: usize,
) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { set(arrays, name, values, count, shape, rank) })
}

/// The same for whole numbers of 64 bits.
///
/// # Safety
/// As for rnnc_arrays_f32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_arrays_i64(
    arrays: *mut rnnc_arrays,
    name: *const c_char,
    values: *const i64,
    count: usize,
    shape: *const usize,
    rank: usize,
) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { set(arrays, name, values, count, shape, rank) })
}

/// Gives all parameters. They are read with every call, too.
///
/// # Safety
/// `arrays` is a handle; `params` is one that is not freed or changed until the arrays are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_arrays_params(
    arrays: *mut rnnc_arrays,
    params: *const rnnc_params,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise, that the parameters stay among them.
        let (arrays, params): (_, &'static rnnc_params) =
            unsafe { (handle_mut(arrays, "arrays")?, handle(params, "params")?) };
        for (name, array) in params.params.iter() {
            arrays.arrays.set(name, array);
        }
        Ok(())
    })
}

/// Noise that is not given is drawn from a seed; `run` counts the runs, as each has its own noise.
///
/// # Safety
/// `arrays` is a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_arrays_seed(arrays: *mut rnnc_arrays, seed: u64, run: u64) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let arrays = unsafe { handle_mut(arrays, "arrays")? };
        arrays.arrays = std::mem::take(&mut arrays.arrays).seed(seed, run);
        Ok(())
    })
}

/// # Safety
/// A handle that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_arrays_free(arrays: *mut rnnc_arrays) {
    // SAFETY: the caller's promise.
    unsafe { free(arrays) }
}
