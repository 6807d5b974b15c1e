//! From pointers to references, and from results to errors.
#![allow(unsafe_code)] // What a pointer of the caller leads to, only the caller knows.

use crate::error::rnnc_error;
use rnnc::api::Error;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub type Refusable = Result<(), Error>;

/// What a function returns that can be refused.
pub fn refused(work: impl FnOnce() -> Refusable) -> *mut rnnc_error {
    // What is half done when it panics belongs to handles that their own locks or the caller's rules protect.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => std::ptr::null_mut(),
        Ok(Err(error)) => rnnc_error::new(&error),
        Err(panic) => rnnc_error::internal(panic_text(&*panic)),
    }
}

/// The value, or one that says nothing if there is a panic.
pub fn or<T>(nothing: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(nothing)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

/// # Safety
/// NULL, or a handle of that type that is not freed and that no other thread changes meanwhile.
pub unsafe fn handle<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// # Safety
/// NULL, or a handle of that type that is not freed and that no other thread uses meanwhile.
pub unsafe fn handle_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Error> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

pub fn null(name: &str) -> Error {
    Error::of_caller(format!("`{name}` is NULL"))
}

/// # Safety
/// NULL, or a text that ends with 0 and stays as it is for the call.
pub unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Error::of_caller(format!("`{name}` is no UTF-8 text")))
}

/// # Safety
/// NULL, or so many elements, which stay as they are for `'a`.
pub unsafe fn slice<'a, T>(pointer: *const T, count: usize, name: &str) -> Result<&'a [T], Error> {
    check::<T>(pointer, count, name)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: it leads somewhere, is aligned and not longer than memory can be (`check`); the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// # Safety
/// NULL, or so many elements, which nobody else reads or writes for `'a`.
pub unsafe fn slice_mut<'a, T>(pointer: *mut T, count: usize, name: &str) -> Result<&'a mut [T], Error> {
    check::<T>(pointer, count, name)?;
    if count == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as in `slice`.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, count) })
}

fn check<T>(pointer: *const T, count: usize, name: &str) -> Result<(), Error> {
    if count == 0 {
        return Ok(());
    }
    if pointer.is_null() {
        return Err(null(name));
    }
    if !pointer.is_aligned() {
        return Err(Error::of_caller(format!("`{name}` is not aligned to {} bytes", align_of::<T>())));
    }
    match count.checked_mul(size_of::<T>()).is_some_and(|bytes| isize::try_from(bytes).is_ok()) {
        true => Ok(()),
        false => Err(Error::of_caller(format!("`{name}` has {count} elements, more than memory can hold"))),
    }
}

/// Writes a result to an out parameter.
///
/// # Safety
/// NULL, or a place for a `T`.
pub unsafe fn put<T>(to: *mut T, value: T, name: &str) -> Refusable {
    if to.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise. What was there is nothing that would have to be dropped.
    unsafe { to.write(value) };
    Ok(())
}

/// A new handle.
///
/// # Safety
/// As for [`put`].
pub unsafe fn give<T>(to: *mut *mut T, value: T, name: &str) -> Refusable {
    if to.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller's promise.
    unsafe { put(to, Box::into_raw(Box::new(value)), name) }
}

/// # Safety
/// NULL, or a handle of that type that is not used any more.
pub unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: handles are made by `give`; this one is the caller's to give back.
        or((), || drop(unsafe { Box::from_raw(handle) }));
    }
}

/// A text for C. A 0 within it, which no text of ours has, would end it.
pub fn to_c(text: &str) -> CString {
    let until = text.split('\0').next().unwrap_or_default();
    CString::new(until).unwrap_or_default()
}

/// The text of a list at a place; NULL behind its end.
pub fn at(texts: &[CString], index: usize) -> *const c_char {
    texts.get(index).map_or(std::ptr::null(), |t| t.as_ptr())
}
