//! Running forward and back.
#![allow(unsafe_code)] // Functions for C.

use crate::arrays::rnnc_arrays;
use crate::cell::rnnc_cell;
use crate::error::rnnc_error;
use crate::guard::{at, free, give, handle, handle_mut, put, refused, slice_mut, text, to_c};
use rnnc::api::{Arrays, Error, Outputs, Saved};
use std::ffi::{CString, c_char};

/// A run that is done: its outputs, and if it was saved what the way back needs.
#[allow(non_camel_case_types)]
pub struct rnnc_run {
    kind: Kind,
    gradients: Vec<CString>,
}

enum Kind {
    Done(Outputs),
    Saved(Box<Saved>),
}

/// Runs forward. With `save` not 0 it keeps what rnnc_run_backward needs; any number of runs may be kept at once.
///
/// # Safety
/// `cell` and `given` are handles, `out` is a place for one. What `given` was given is still there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_run_forward(
    cell: *const rnnc_cell,
    given: *const rnnc_arrays,
    save: i32,
    out: *mut *mut rnnc_run,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (cell, given) = unsafe { (handle(cell, "cell")?, handle(given, "given")?) };
        let run = if save == 0 {
            rnnc_run { kind: Kind::Done(cell.cell.forward(&given.arrays)?), gradients: Vec::new() }
        } else {
            let saved = cell.cell.forward_saved(&given.arrays)?;
            let gradients = saved.gradients().iter().map(|name| to_c(name)).collect();
            rnnc_run { kind: Kind::Saved(Box::new(saved)), gradients }
        };
        // SAFETY: the caller's promise.
        unsafe { give(out, run, "out") }
    })
}

/// Runs back. Cotangents, what arrives from outside for outputs, are `NAME_adj` of the output's shape; those that are not given,
/// or all for NULL, are 0, only that of a `loss` per example is 1. Then gradients can be copied under `NAME_adj`. May
/// be done again with other cotangents.
///
/// # Safety
/// `run` is a handle, `cotangents` one or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_run_backward(
    run: *mut rnnc_run,
    cotangents: *const rnnc_arrays,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (run, cotangents) = unsafe { (handle_mut(run, "run")?, cotangents.as_ref()) };
        match &mut run.kind {
            Kind::Saved(saved) => saved.differentiate(cotangents.map_or(&Arrays::new(), |c| &c.arrays)),
            Kind::Done(_) => {
                Err(Error::of_caller("the run was not saved: call `rnnc_run_forward` with `save` 1"))
            }
        }
    })
}

/// The number of gradients. Of a run that is not saved, or NULL: 0.
///
/// # Safety
/// `run` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_run_gradients(run: *const rnnc_run) -> usize {
    // SAFETY: the caller's promise.
    unsafe { run.as_ref() }.map_or(0, |r| r.gradients.len())
}

/// The name of a gradient, counted from 0; NULL if there are fewer.
///
/// # Safety
/// `run` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_run_gradient_name(run: *const rnnc_run, index: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { run.as_ref() }.map_or(std::ptr::null(), |r| at(&r.gradients, index))
}

fn no_output(name: &str) -> Error {
    Error::of_caller(format!("nothing came out as `{name}`"))
}

/// The shape of an output or gradient: up to `capacity` extents, and in `rank` how many there are.
///
/// # Safety
/// `run` is a handle, `name` a text, `shape` a place for `capacity` extents, `rank` a place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_run_shape(
    run: *const rnnc_run,
    name: *const c_char,
    shape: *mut usize,
    capacity: usize,
    rank: *mut usize,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (run, name, to) =
            unsafe { (handle(run, "run")?, text(name, "name")?, slice_mut(shape, capacity, "shape")?) };
        let found = match &run.kind {
            Kind::Saved(saved) => saved.shape(name)?,
            Kind::Done(outputs) => outputs.get(name).ok_or_else(|| no_output(name))?.shape().to_vec(),
        };
        to.iter_mut().zip(&found).for_each(|(to, n)| *to = *n);
        // SAFETY: the caller's promise.
        unsafe { put(rank, found.len(), "rank") }
    })
}

/// Copies an output or, after rnnc_run_backward, a gradient, which has `count` elements.
///
/// # Safety
/// `run` is a handle, `name` a text, `to` a place for `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_run_copy(
    run: *const rnnc_run,
    name: *const c_char,
    to: *mut f32,
    count: usize,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (run, name, to) =
            unsafe { (handle(run, "run")?, text(name, "name")?, slice_mut(to, count, "to")?) };
        match &run.kind {
            Kind::Saved(saved) => saved.copy_into(name, to),
            Kind::Done(outputs) => {
                let array = outputs.get(name).ok_or_else(|| no_output(name))?;
                if array.len() != count {
                    let has = array.len();
                    return Err(Error::of_caller(format!("`{name}` has {has} elements, not {count}")));
                }
                to.iter_mut().zip(array).for_each(|(to, x)| *to = *x);
                Ok(())
            }
        }
    })
}

/// # Safety
/// A handle that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_run_free(run: *mut rnnc_run) {
    // SAFETY: the caller's promise.
    unsafe { free(run) }
}
