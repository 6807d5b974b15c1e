//! How a recipe is compiled.
#![allow(unsafe_code)] // Functions for C.

use crate::error::rnnc_error;
use crate::guard::{free, handle_mut, refused, text};
use rnnc::api::Options;
use std::ffi::c_char;

/// Options for rnnc_compile.
#[allow(non_camel_case_types)]
pub struct rnnc_options {
    pub(crate) options: Options,
}

/// All as it is by default: gradients, all outputs, one thread.
#[unsafe(no_mangle)]
pub extern "C" fn rnnc_options_new() -> *mut rnnc_options {
    Box::into_raw(Box::new(rnnc_options { options: Options::default() }))
}

/// A number for a dimension that the recipe leaves open.
///
/// # Safety
/// `options` is a handle, `name` a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_options_dim(
    options: *mut rnnc_options,
    name: *const c_char,
    value: i64,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (options, name) = unsafe { (handle_mut(options, "options")?, text(name, "name")?) };
        options.options.dims.insert(name.to_string(), value);
        Ok(())
    })
}

/// Only the outputs that are named so, in place of all; once for each.
///
/// # Safety
/// `options` is a handle, `name` a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_options_output(
    options: *mut rnnc_options,
    name: *const c_char,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (options, name) = unsafe { (handle_mut(options, "options")?, text(name, "name")?) };
        options.options.outputs.get_or_insert_default().push(name.to_string());
        Ok(())
    })
}

/// Only gradients of what is named so, in place of all; once for each.
///
/// # Safety
/// `options` is a handle, `name` a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_options_wrt(
    options: *mut rnnc_options,
    name: *const c_char,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (options, name) = unsafe { (handle_mut(options, "options")?, text(name, "name")?) };
        options.options.wrt.get_or_insert_default().push(name.to_string());
        Ok(())
    })
}

/// Threads that a run is shared out to, as far as it is worth it. Results do not depend on it.
///
/// # Safety
/// `options` is a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_options_threads(options: *mut rnnc_options, threads: usize) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        unsafe { handle_mut(options, "options")? }.options.threads = threads;
        Ok(())
    })
}

/// Noise is drawn, as in training, if `training` is not 0; else it is its mean.
///
/// # Safety
/// `options` is a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_options_training(options: *mut rnnc_options, training: i32) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        unsafe { handle_mut(options, "options")? }.options.training = training != 0;
        Ok(())
    })
}

/// Bytes that a run may take.
///
/// # Safety
/// `options` is a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_options_memory(options: *mut rnnc_options, bytes: u64) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let options = unsafe { handle_mut(options, "options")? };
        options.options.limits.get_or_insert_default().memory = bytes;
        Ok(())
    })
}

/// # Safety
/// A handle that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_options_free(options: *mut rnnc_options) {
    // SAFETY: the caller's promise.
    unsafe { free(options) }
}
