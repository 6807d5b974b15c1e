//! One example, step after step.
#![allow(unsafe_code)] // Functions for C.

use crate::arrays::rnnc_arrays;
use crate::cell::rnnc_cell;
use crate::error::rnnc_error;
use crate::guard::{free, give, handle, handle_mut, refused, slice, slice_mut};
use rnnc::api::{Part, Stream};

/// A sequence that goes on step by step. A step allocates nothing and takes no lock.
#[allow(non_camel_case_types)]
pub struct rnnc_stream {
    stream: Stream,
    input: usize,
    output: usize,
}

/// Begins a sequence: parameters and initial states (`[1, ...]`) are given now and copied, inputs with each step.
///
/// # Safety
/// `cell` and `given` are handles, `out` is a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_stream_new(
    cell: *const rnnc_cell,
    given: *const rnnc_arrays,
    out: *mut *mut rnnc_stream,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (cell, given) = unsafe { (handle(cell, "cell")?, handle(given, "given")?) };
        let stream = cell.cell.stream(&given.arrays)?;
        let width = |parts: &[Part]| parts.iter().map(Part::len).sum();
        let (input, output) = (width(stream.inputs()), width(stream.outputs()));
        // SAFETY: the caller's promise.
        unsafe { give(out, rnnc_stream { stream, input, output }, "out") }
    })
}

/// Elements of all inputs of a step, one behind another in the order of the cell's. Of NULL: 0.
///
/// # Safety
/// `stream` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_stream_input_count(stream: *const rnnc_stream) -> usize {
    // SAFETY: the caller's promise.
    unsafe { stream.as_ref() }.map_or(0, |s| s.input)
}

/// Elements of all outputs of a step, likewise: those of the cell's outputs that have one value per step. Of NULL: 0.
///
/// # Safety
/// `stream` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_stream_output_count(stream: *const rnnc_stream) -> usize {
    // SAFETY: the caller's promise.
    unsafe { stream.as_ref() }.map_or(0, |s| s.output)
}

/// One step. Symbols are whole numbers.
///
/// # Safety
/// `stream` is a handle; `input` has `input_count` elements, and `output`, which is elsewhere, has a place for `output_count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_stream_step(
    stream: *mut rnnc_stream,
    input: *const f32,
    input_count: usize,
    output: *mut f32,
    output_count: usize,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (stream, input, output) = unsafe {
            (
                handle_mut(stream, "stream")?,
                slice(input, input_count, "input")?,
                slice_mut(output, output_count, "output")?,
            )
        };
        stream.stream.step(input, output)
    })
}

/// Begins anew, with the initial states.
///
/// # Safety
/// `stream` is a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_stream_restart(stream: *mut rnnc_stream) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        unsafe { handle_mut(stream, "stream")? }.stream.restart();
        Ok(())
    })
}

/// # Safety
/// A handle that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_stream_free(stream: *mut rnnc_stream) {
    // SAFETY: the caller's promise.
    unsafe { free(stream) }
}
