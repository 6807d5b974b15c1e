//! Errors as values.
#![allow(unsafe_code)] // Functions for C.

use crate::guard::{free, to_c};
use rnnc::api::Error;
use std::ffi::{CString, c_char};

/// Why something was refused.
#[allow(non_camel_case_types)]
pub struct rnnc_error {
    code: CString,
    message: CString,
    rendered: CString,
}

impl rnnc_error {
    pub fn new(error: &Error) -> *mut rnnc_error {
        let problem = error.problems().first().map(ToString::to_string).unwrap_or_default();
        let error = rnnc_error {
            code: to_c(error.code()),
            message: to_c(&problem),
            rendered: to_c(&error.rendered()),
        };
        Box::into_raw(Box::new(error))
    }

    pub fn internal(what: &str) -> *mut rnnc_error {
        let text = format!("an invariant of rnnc does not hold: {what}; please report it");
        let error = rnnc_error { code: to_c("E0601"), message: to_c(&text), rendered: to_c(&text) };
        Box::into_raw(Box::new(error))
    }
}

/// The version of the library, such as `0.1.0`. Lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn rnnc_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// A stable code, such as `E0703`; `rnnc explain E0703` says more. Of NULL: NULL.
///
/// # Safety
/// An error that is not freed, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_error_code(error: *const rnnc_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |e| e.code.as_ptr())
}

/// What is wrong, where, and how to mend it, on one line. Of NULL: NULL.
///
/// # Safety
/// An error that is not freed, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_error_message(error: *const rnnc_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |e| e.message.as_ptr())
}

/// All of it, with the lines of the text, as the command line shows it. Of NULL: NULL.
///
/// # Safety
/// An error that is not freed, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_error_rendered(error: *const rnnc_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(std::ptr::null(), |e| e.rendered.as_ptr())
}

/// # Safety
/// An error that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_error_free(error: *mut rnnc_error) {
    // SAFETY: the caller's promise.
    unsafe { free(error) }
}
